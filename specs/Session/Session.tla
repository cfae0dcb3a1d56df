---- MODULE Session ----
\* Readings on their way: devices -> one gateway -> cloud, over MQTT with QoS 1 on each link. Two
\* answers come back, and mean different things. PUBACK: the next one has it, durably. Ack, signed:
\* the cloud has it, durably; it alone lets a device forget. A link that breaks loses what is in
\* flight on it: the outcome is then unknown, and all of it is sent again on the next link.
\* A restart is a loss of power and the boot after it: what was in RAM is read from flash or disk.
EXTENDS Naturals, FiniteSets
CONSTANTS
  Devices, Readings, \* how many; reading m is one of device Owner(m)
  QueueMax,          \* rows in the gateway's queue
  MaxBreaks,         \* of links
  MaxRestarts,       \* of devices, gateway and cloud together
  EarlyPuback,       \* bug: the gateway gives custody before the row is durable
  EarlyAck,          \* bug: the cloud answers before its commit
  PubackReleases,    \* bug: a device takes custody for the cloud's ack
  WindowForgets      \* bug: the cloud's window does not survive a restart
VARIABLES
  made,      \* devices, flash: readings that were signed and stored
  stored,    \* devices, flash: of these, those that a boot would find in the outbox
  held,      \* devices, RAM: those in the outbox
  sent,      \* devices, RAM: those sent on this link
  up,        \* links to the gateway: the devices that have one
  wire,      \* these links: readings on their way
  pubacks,   \* these links: PUBACKs on their way back
  refused,   \* these links: devices to which a PUBACK is on its way that says no
  inserted,  \* gateway, RAM: readings in the open transaction
  rows,      \* gateway, disk: for each reading, rows in the queue
  done,      \* gateway, RAM: of these, confirmed by the cloud, and to be deleted
  joined,    \* link from gateway to cloud: there is one
  flying,    \* this link: for each reading, copies on their way
  confirms,  \* this link: for each reading, PUBACKs on their way back
  seen,      \* cloud, RAM: what the replay window has seen
  tentative, \* cloud, RAM: readings in the open transaction
  kept,      \* cloud, disk: readings that it has
  acked,     \* readings that an ack on its way to their device covers
  custody,   \* history: readings that the gateway ever took custody of
  accepts,   \* history: for each reading, how often the cloud took it
  breaks, restarts \* budgets that are used up
device == <<made, stored, held, sent>>
link == <<up, wire, pubacks, refused>>
gateway == <<inserted, rows, done, custody>>
uplink == <<joined, flying, confirms>>
cloud == <<seen, tentative, kept, accepts>>
faults == <<breaks, restarts>>
vars == <<device, link, gateway, uplink, cloud, acked, faults>>

D == 1..Devices
R == 1..Readings
Owner(m) == ((m - 1) % Devices) + 1
Of(d) == {m \in R : Owner(m) = d}
None == [m \in R |-> 0]
Add(f, s) == [m \in R |-> IF m \in s THEN f[m] + 1 ELSE f[m]]
Less(f, m) == [f EXCEPT ![m] = @ - 1]
RECURSIVE Sum(_, _)
Sum(f, n) == IF n = 0 THEN 0 ELSE f[n] + Sum(f, n - 1)
\* The oldest of its device.
First(m, s) == m \in s /\ \A k \in s : Owner(k) = Owner(m) => m <= k
\* Rows that are still to be handed over on this link.
Waiting(m) == rows[m] - done[m] - flying[m] - confirms[m] - (IF m \in tentative THEN 1 ELSE 0)
Queued == Sum(rows, Readings) - Sum(done, Readings) + Cardinality(inserted)
\* Nothing is under way that an answer could come from.
Idle(d) == /\ Of(d) \cap (wire \cup pubacks \cup tentative \cup (acked \cap held)) = {}
           /\ d \notin refused /\ \A m \in Of(d) : rows[m] = done[m]

Init ==
  /\ made = {} /\ stored = {} /\ held = {} /\ sent = {}
  /\ up = {} /\ wire = {} /\ pubacks = {} /\ refused = {}
  /\ inserted = {} /\ rows = None /\ done = None /\ custody = {}
  /\ joined = FALSE /\ flying = None /\ confirms = None
  /\ seen = {} /\ tentative = {} /\ kept = {} /\ accepts = None
  /\ acked = {} /\ breaks = 0 /\ restarts = 0

\* Devices. A reading is signed and durable before it is sent. To forget one is not durable: its
\* record goes when a new reading takes its slot.
Sign(m) ==
  /\ First(m, R \ made) /\ made' = made \cup {m}
  /\ stored' = {k \in stored : Owner(k) # Owner(m) \/ ~First(k, stored \ held)} \cup {m}
  /\ held' = held \cup {m}
  /\ UNCHANGED <<sent, link, gateway, uplink, cloud, acked, faults>>

Unlink(gone) ==
  /\ up' = up \ gone /\ refused' = refused \ gone
  /\ wire' = {m \in wire : Owner(m) \notin gone}
  /\ pubacks' = {m \in pubacks : Owner(m) \notin gone}
  /\ sent' = {m \in sent : Owner(m) \notin gone}

\* The gateway is through with what the last link brought.
Connect(d) ==
  /\ d \notin up /\ inserted \cap Of(d) = {} /\ up' = up \cup {d}
  /\ UNCHANGED <<device, wire, pubacks, refused, gateway, uplink, cloud, acked, faults>>

\* Oldest first, once on a link.
Send(m) ==
  /\ Owner(m) \in up /\ First(m, held \ sent)
  /\ sent' = sent \cup {m} /\ wire' = wire \cup {m}
  /\ UNCHANGED <<made, stored, held, up, pubacks, refused, gateway, uplink, cloud, acked, faults>>

\* Custody: no reason to forget it.
TakePuback(m) ==
  /\ m \in pubacks /\ pubacks' = pubacks \ {m}
  /\ held' = IF PubackReleases THEN held \ {m} ELSE held
  /\ UNCHANGED <<made, stored, sent, up, wire, refused, gateway, uplink, cloud, acked, faults>>

\* Refused, or the ack does not come for longer than anything takes: another link, and all again.
Leave(d) ==
  /\ d \in up /\ inserted \cap Of(d) = {} /\ Unlink({d})
  /\ d \in refused \/ (Idle(d) /\ held \cap Of(d) # {} /\ held \cap Of(d) \subseteq sent)
  /\ UNCHANGED <<made, stored, held, gateway, uplink, cloud, acked, faults>>

\* An ack covers it. Older acks cover less, and do no harm.
Release(m) ==
  /\ Owner(m) \in up /\ m \in held \cap acked /\ held' = held \ {m} /\ sent' = sent \ {m}
  /\ UNCHANGED <<made, stored, link, gateway, uplink, cloud, acked, faults>>

\* The gateway. It takes what one device brings, and commits, before it hears another.
Insert(m) ==
  /\ First(m, wire) /\ Queued < QueueMax /\ inserted \subseteq Of(Owner(m)) \ {m}
  /\ wire' = wire \ {m} /\ inserted' = inserted \cup {m}
  /\ pubacks' = IF EarlyPuback THEN pubacks \cup {m} ELSE pubacks
  /\ custody' = IF EarlyPuback THEN custody \cup {m} ELSE custody
  /\ UNCHANGED <<device, up, refused, rows, done, uplink, cloud, acked, faults>>

Refuse(m) ==
  /\ First(m, wire) /\ Queued >= QueueMax /\ inserted \subseteq Of(Owner(m))
  /\ wire' = wire \ {m} /\ refused' = refused \cup {Owner(m)}
  /\ UNCHANGED <<device, up, pubacks, gateway, uplink, cloud, acked, faults>>

\* Durable, then visible. What was confirmed is deleted with the next commit, or one of its own.
GatewayCommit ==
  /\ ~(inserted = {} /\ done = None)
  /\ \A m \in R : done[m] <= rows[m] /\ (m \in inserted => rows[m] - done[m] < QueueMax)
  /\ rows' = [m \in R |-> Add(rows, inserted)[m] - done[m]]
  /\ inserted' = {} /\ done' = None /\ custody' = custody \cup inserted
  /\ pubacks' = IF EarlyPuback THEN pubacks ELSE pubacks \cup {m \in inserted : Owner(m) \in up}
  /\ UNCHANGED <<device, up, wire, refused, uplink, cloud, acked, faults>>

\* The cloud is through with what the last link brought.
Join ==
  /\ ~joined /\ tentative = {} /\ joined' = TRUE
  /\ UNCHANGED <<device, link, gateway, flying, confirms, cloud, acked, faults>>

Forward(m) ==
  /\ joined /\ Waiting(m) > 0 /\ flying' = Add(flying, {m})
  /\ UNCHANGED <<device, link, gateway, joined, confirms, cloud, acked, faults>>

Discharge(m) ==
  /\ confirms[m] > 0 /\ done[m] < rows[m] /\ confirms' = Less(confirms, m) /\ done' = Add(done, {m})
  /\ UNCHANGED <<device, link, inserted, rows, custody, joined, flying, cloud, acked, faults>>

\* The cloud.
Accept(m) ==
  /\ flying[m] > 0 /\ m \notin seen
  /\ flying' = Less(flying, m) /\ seen' = seen \cup {m} /\ tentative' = tentative \cup {m}
  /\ acked' = IF EarlyAck THEN acked \cup {m} ELSE acked
  /\ UNCHANGED <<device, link, gateway, joined, confirms, kept, accepts, faults>>

\* It has it: the same answers again, and nothing to commit.
Duplicate(m) ==
  /\ flying[m] > 0 /\ confirms[m] < QueueMax /\ m \in seen \ tentative /\ flying' = Less(flying, m)
  /\ confirms' = Add(confirms, {m}) /\ acked' = acked \cup (kept \cap Of(Owner(m)))
  /\ UNCHANGED <<device, link, gateway, joined, cloud, faults>>

\* Durable, then visible: to the gateway that it came from, and through it to the devices.
CloudCommit ==
  /\ tentative # {} /\ tentative' = {}
  /\ \A m \in tentative : confirms[m] < QueueMax /\ accepts[m] < 2
  /\ kept' = kept \cup tentative /\ accepts' = Add(accepts, tentative)
  /\ confirms' = IF joined THEN Add(confirms, tentative) ELSE confirms
  /\ acked' = IF ~joined THEN acked
              ELSE acked \cup {m \in kept' : \E k \in tentative : Owner(k) = Owner(m)}
  /\ UNCHANGED <<device, link, gateway, joined, flying, seen, faults>>

\* Faults. An ack is sent once, and may get lost at any time.
LoseAck(d) ==
  /\ acked \cap Of(d) # {} /\ acked' = acked \ Of(d)
  /\ UNCHANGED <<device, link, gateway, uplink, cloud, faults>>

Break(d) ==
  /\ d \in up /\ Unlink({d}) /\ breaks < MaxBreaks /\ breaks' = breaks + 1
  /\ UNCHANGED <<made, stored, held, gateway, uplink, cloud, acked, restarts>>

Part == joined' = FALSE /\ flying' = None /\ confirms' = None

BreakUplink ==
  /\ joined /\ Part /\ breaks < MaxBreaks /\ breaks' = breaks + 1
  /\ UNCHANGED <<device, link, gateway, cloud, acked, restarts>>

Restart == restarts < MaxRestarts /\ restarts' = restarts + 1 /\ breaks' = breaks

RestartDevice(d) ==
  /\ Restart /\ Unlink({d}) /\ held' = {m \in held : Owner(m) # d} \cup (stored \cap Of(d))
  /\ UNCHANGED <<made, stored, gateway, uplink, cloud, acked>>

\* What was confirmed, and its deletion not yet durable, is in the queue again.
RestartGateway ==
  /\ Restart /\ Unlink(D) /\ Part /\ inserted' = {} /\ done' = None
  /\ UNCHANGED <<made, stored, held, rows, custody, cloud, acked>>

RestartCloud ==
  /\ Restart /\ Part /\ tentative' = {} /\ seen' = (IF WindowForgets THEN {} ELSE kept)
  /\ UNCHANGED <<device, link, gateway, kept, accepts, acked>>

Next == \/ \E d \in D : Connect(d) \/ Leave(d) \/ LoseAck(d) \/ Break(d) \/ RestartDevice(d)
        \/ \E m \in R : \/ Sign(m) \/ Send(m) \/ TakePuback(m) \/ Release(m) \/ Insert(m)
                        \/ Refuse(m) \/ Forward(m) \/ Discharge(m) \/ Accept(m) \/ Duplicate(m)
        \/ GatewayCommit \/ Join \/ CloudCommit \/ BreakUplink \/ RestartGateway \/ RestartCloud
Spec == Init /\ [][Next]_vars
DeviceNext(d) == Connect(d) \/ Leave(d) \/ \E m \in Of(d) : Send(m) \/ TakePuback(m)
GatewayNext == GatewayCommit \/ \E m \in R : Insert(m) \/ Refuse(m)
UplinkNext == Join \/ \E m \in R : Forward(m) \/ Discharge(m)
CloudNext == CloudCommit \/ \E m \in R : Accept(m) \/ Duplicate(m)
\* An ack that is sent again and again arrives.
Arrives(m) == <>[](m \notin held \cap acked) \/ []<><<Release(m)>>_vars
FairSpec == /\ Spec /\ \A d \in D : WF_vars(DeviceNext(d)) /\ \A m \in R : Arrives(m)
            /\ WF_vars(GatewayNext) /\ WF_vars(UplinkNext) /\ WF_vars(CloudNext)

TypeOK ==
  /\ made \subseteq R /\ stored \subseteq R /\ held \subseteq R /\ sent \subseteq R
  /\ up \subseteq D /\ wire \subseteq R /\ pubacks \subseteq R /\ refused \subseteq D
  /\ inserted \subseteq R /\ rows \in [R -> 0..QueueMax] /\ done \in [R -> 0..QueueMax]
  /\ joined \in BOOLEAN /\ flying \in [R -> 0..QueueMax] /\ confirms \in [R -> 0..QueueMax]
  /\ seen \subseteq R /\ tentative \subseteq R /\ kept \subseteq R /\ acked \subseteq R
  /\ custody \subseteq R /\ accepts \in [R -> 0..2]
  /\ breaks \in 0..MaxBreaks /\ restarts \in 0..MaxRestarts

AckIsTrue == acked \subseteq kept
ForgottenIsKept == made \ held \subseteq kept
NothingLost == made \subseteq stored \cup kept
CustodyIsKept == \A m \in custody : rows[m] > 0 \/ m \in kept
AcceptedOnce == \A m \in R : accepts[m] <= 1
NoForgery == kept \cup tentative \subseteq made
QueueBounded == Queued <= QueueMax
KeptForEverStep == kept \subseteq kept'
ReleaseNeedsAckStep == \A m \in held \ held' : m \in acked
DischargeNeedsCommitStep == \A m \in R : done'[m] > done[m] => m \in kept
SentOnceStep == \A m \in wire' \ wire : m \notin sent
KeptForEver == [][KeptForEverStep]_vars
ReleaseNeedsAck == [][ReleaseNeedsAckStep]_vars
DischargeNeedsCommit == [][DischargeNeedsCommitStep]_vars
SentOnce == [][SentOnceStep]_vars

Delivered == \A m \in R : (m \in made) ~> (m \in kept)
Acked == \A m \in R : (m \in held) ~> (m \notin held)
Drained == (rows # None) ~> (rows = None)
\* Must be reachable: each is violated.
NeverTwoCopies == \A m \in R : rows[m] < 2
NeverHeldAgain == held \cap kept = {} \/ acked # {} \/ restarts = 0
NeverRowAgain == ~\E m \in R : m \notin held /\ rows[m] > done[m] /\ wire = {} /\ restarts > 0
NeverRefused == refused = {}
====
