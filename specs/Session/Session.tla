---- MODULE Session ----
\* Readings on their way: devices -> one gateway -> cloud, over MQTT with QoS 1 on each link. Two
\* answers come back, and mean different things. PUBACK: the next one has dealt with it; a gateway
\* has it durably, until the cloud has dealt with it. Ack, signed: the cloud has it, durably; it
\* alone lets a device forget. A link that breaks loses what is in flight on it: the outcome is then
\* unknown, and all of it is sent again on the next link, once the device finds out.
\* A restart is a loss of power and the boot after it: RAM is read from flash or disk.
EXTENDS Naturals, FiniteSets
CONSTANTS
  Devices, Readings,  \* how many; reading m is one of device Owner(m)
  Windows,            \* devices 1..Windows have a replay window from the start
  QueueMax,           \* rows in the gateway's queue
  MaxBreaks,          \* of links
  MaxRestarts,        \* of devices, gateway and cloud together
  EarlyPuback,        \* bug: the gateway gives custody before the row is durable
  EarlyAck,           \* bug: the cloud answers before its commit
  PubackReleases,     \* bug: a device takes custody for the cloud's ack
  WindowForgets       \* bug: what the cloud's window has seen does not survive a restart
VARIABLES
  made, stored,       \* flash of devices: readings that were signed; those that a boot would find
  held, sent,         \* RAM of devices: readings in the outbox; of these, sent on this link
  up, dead, refused,  \* links to the gateway: devices that think so; that err; that are refused
  wire, pubacks,      \* these links: readings on their way, and PUBACKs on their way back
  inserted,           \* RAM of the gateway: readings in the open transaction
  rows, done,         \* its disk: for each reading, rows; its RAM: the cloud has dealt with so many
  owed,               \* history: for each reading, copies that the gateway has custody of
  joined,             \* its link to the cloud: there is one
  flying, confirms,   \* this link: for each reading, copies on their way, PUBACKs on their way back
  windows, seen,      \* RAM of the cloud: devices that have a replay window, what these have seen
  tentative, asked,   \* its RAM: readings in the open transaction; devices that were challenged
  known, kept,        \* its disk: devices that have a window; readings
  accepts,            \* history: for each reading, how often the cloud took it
  acked, answered,    \* under way without custody: what acks cover, devices that answer a challenge
  breaks, restarts    \* budgets that are used up
device == <<made, stored, held, sent>>
link == <<up, dead, wire, pubacks, refused>>
gateway == <<inserted, rows, done, owed>>
uplink == <<joined, flying, confirms>>
disk == <<known, kept, accepts>>
cloud == <<windows, seen, tentative, asked, disk>>
loose == <<acked, answered>>
faults == <<breaks, restarts>>
beyond == <<gateway, uplink, cloud, loose, faults>>
vars == <<device, link, beyond>>
D == 1..Devices
R == 1..Readings
Owner(m) == ((m - 1) % Devices) + 1
Of(d) == {m \in R : Owner(m) = d}
None == [m \in R |-> 0]
Add(f, s) == [m \in R |-> IF m \in s THEN f[m] + 1 ELSE f[m]]
Less(f, m) == [f EXCEPT ![m] = IF @ > 0 THEN @ - 1 ELSE 0]
RECURSIVE Sum(_, _)
Sum(f, n) == IF n = 0 THEN 0 ELSE f[n] + Sum(f, n - 1)
\* The oldest of its device.
First(m, s) == m \in s /\ \A k \in s : Owner(k) = Owner(m) => m <= k
\* Rows that are still to be handed over on this link.
Waiting(m) == rows[m] - done[m] - flying[m] - confirms[m] - (IF m \in tentative THEN 1 ELSE 0)
Queued == Sum(rows, Readings) - Sum(done, Readings) + Cardinality(inserted)
\* Nothing is under way that an answer could come from.
Idle(d) == /\ Of(d) \cap (wire \cup pubacks \cup tentative \cup (acked \cap held)) = {}
           /\ d \notin refused \cup answered \cup dead /\ \A m \in Of(d) : rows[m] = done[m]
Lost(gone) ==
  /\ refused' = refused \ gone /\ wire' = {m \in wire : Owner(m) \notin gone}
  /\ pubacks' = {m \in pubacks : Owner(m) \notin gone}
Unlink(d) == up' = up \ {d} /\ dead' = dead \ {d} /\ sent' = sent \ Of(d) /\ Lost({d})
Part == joined' = FALSE /\ flying' = None /\ confirms' = None
Restart == restarts < MaxRestarts /\ restarts' = restarts + 1 /\ breaks' = breaks
Init ==
  /\ made = {} /\ stored = {} /\ held = {} /\ sent = {} /\ up = {} /\ dead = {} /\ wire = {}
  /\ pubacks = {} /\ refused = {} /\ inserted = {} /\ rows = None /\ done = None /\ owed = None
  /\ joined = FALSE /\ flying = None /\ confirms = None
  /\ known = {d \in D : d <= Windows} /\ windows = known /\ seen = {} /\ tentative = {} /\ kept = {}
  /\ accepts = None /\ asked = {} /\ acked = {} /\ answered = {} /\ breaks = 0 /\ restarts = 0
\* Devices. A reading is signed and durable before it is sent. To let go of one is not durable: its
\* record goes later, when a new one takes its slot, or the floor that is recorded passes it.
Sign(m) ==
  /\ First(m, R \ made)
  /\ made' = made \cup {m} /\ stored' = stored \cup {m} /\ held' = held \cup {m}
  /\ UNCHANGED <<sent, link, beyond>>
Forget(m) ==
  /\ m \in stored \ held /\ stored' = stored \ {m}
  /\ UNCHANGED <<made, held, sent, link, beyond>>

Connect(d) ==
  /\ d \notin up /\ inserted \cap Of(d) = {} /\ up' = up \cup {d}
  /\ UNCHANGED <<device, dead, wire, pubacks, refused, beyond>>

\* Oldest first, once on a link.
Send(m) ==
  /\ Owner(m) \in up /\ First(m, held \ sent) /\ sent' = sent \cup {m}
  /\ wire' = IF Owner(m) \in dead THEN wire ELSE wire \cup {m}
  /\ UNCHANGED <<made, stored, held, up, dead, pubacks, refused, beyond>>

TakePuback(m) ==
  /\ m \in pubacks /\ pubacks' = pubacks \ {m}
  /\ held' = IF PubackReleases THEN held \ {m} ELSE held
  /\ UNCHANGED <<made, stored, sent, up, dead, wire, refused, beyond>>

\* Refused, or challenged, or there is no ack for longer than anything takes: all of it again.
Leave(d) ==
  /\ d \in up /\ inserted \cap Of(d) = {} /\ Unlink(d)
  /\ d \in refused \cup answered \cup dead \/ (Idle(d) /\ held \cap Of(d) \in (SUBSET sent) \ {{}})
  /\ UNCHANGED <<made, stored, held, beyond>>

Release(m) ==
  /\ Owner(m) \in up \ dead /\ m \in held \cap acked /\ held' = held \ {m} /\ sent' = sent \ {m}
  /\ UNCHANGED <<made, stored, link, beyond>>

Respond(d) ==
  /\ d \in (up \ dead) \cap asked /\ d \notin answered /\ answered' = answered \cup {d}
  /\ UNCHANGED <<device, link, gateway, uplink, cloud, acked, faults>>
\* The gateway. It takes what one device brings, and commits, before it hears another.
Insert(m) ==
  /\ First(m, wire) /\ Queued < QueueMax /\ inserted \subseteq Of(Owner(m)) \ {m}
  /\ owed[m] < QueueMax /\ owed' = IF EarlyPuback THEN Add(owed, {m}) ELSE owed
  /\ pubacks' = IF EarlyPuback THEN pubacks \cup {m} ELSE pubacks
  /\ wire' = wire \ {m} /\ inserted' = inserted \cup {m}
  /\ UNCHANGED <<device, up, dead, refused, rows, done, uplink, cloud, loose, faults>>

Refuse(m) ==
  /\ First(m, wire) /\ Queued >= QueueMax /\ inserted \subseteq Of(Owner(m))
  /\ wire' = wire \ {m} /\ refused' = refused \cup {Owner(m)}
  /\ UNCHANGED <<device, up, dead, pubacks, beyond>>
\* Durable, then visible. What is done is deleted with the next commit, or with one of its own.
GatewayCommit ==
  /\ ~(inserted = {} /\ done = None) /\ inserted' = {} /\ done' = None
  /\ \A m \in R : done[m] <= rows[m] /\ (m \in inserted => rows[m] - done[m] < QueueMax)
  /\ \A m \in inserted : owed[m] < QueueMax \/ EarlyPuback
  /\ rows' = [m \in R |-> Add(rows, inserted)[m] - done[m]]
  /\ owed' = IF EarlyPuback THEN owed ELSE Add(owed, inserted)
  /\ pubacks' = pubacks \cup {m \in inserted : Owner(m) \in up \ dead /\ ~EarlyPuback}
  /\ UNCHANGED <<device, up, dead, wire, refused, uplink, cloud, loose, faults>>

Join ==
  /\ ~joined /\ tentative = {} /\ windows = known /\ joined' = TRUE
  /\ UNCHANGED <<device, link, gateway, flying, confirms, cloud, loose, faults>>

Forward(m) ==
  /\ joined /\ Waiting(m) > 0 /\ flying' = Add(flying, {m})
  /\ UNCHANGED <<device, link, gateway, joined, confirms, cloud, loose, faults>>

Discharge(m) ==
  /\ confirms[m] > 0 /\ done[m] < rows[m] /\ confirms' = Less(confirms, m)
  /\ done' = Add(done, {m}) /\ owed' = Less(owed, m)
  /\ UNCHANGED <<device, link, inserted, rows, joined, flying, cloud, loose, faults>>
\* The cloud.
Accept(m) ==
  /\ flying[m] > 0 /\ Owner(m) \in windows /\ m \notin seen
  /\ flying' = Less(flying, m) /\ seen' = seen \cup {m} /\ tentative' = tentative \cup {m}
  /\ acked' = IF EarlyAck THEN acked \cup {m} ELSE acked
  /\ UNCHANGED <<device, link, gateway, joined, confirms, windows, asked, disk, answered, faults>>

\* It has it: the same answers again, and nothing to commit.
Duplicate(m) ==
  /\ flying[m] > 0 /\ confirms[m] < QueueMax /\ Owner(m) \in windows /\ m \in seen \ tentative
  /\ flying' = Less(flying, m) /\ confirms' = Add(confirms, {m})
  /\ acked' = acked \cup (kept \cap Of(Owner(m)))
  /\ UNCHANGED <<device, link, gateway, joined, cloud, answered, faults>>

\* It has no window for the device: dealt with, and not taken. The device has it still.
Challenge(m) ==
  /\ flying[m] > 0 /\ confirms[m] < QueueMax /\ Owner(m) \notin windows
  /\ flying' = Less(flying, m) /\ confirms' = Add(confirms, {m}) /\ asked' = asked \cup {Owner(m)}
  /\ UNCHANGED <<device, link, gateway, joined, windows, seen, tentative, disk, loose, faults>>

Window(d) ==
  /\ d \in asked \cap answered /\ asked' = asked \ {d} /\ answered' = answered \ {d}
  /\ windows' = windows \cup {d}
  /\ UNCHANGED <<device, link, gateway, uplink, seen, tentative, disk, acked, faults>>

\* Durable, then visible: to the gateway that it came from, and through it to the devices.
CloudCommit ==
  /\ ~(tentative = {} /\ windows = known) /\ tentative' = {} /\ known' = windows
  /\ \A m \in tentative : confirms[m] < QueueMax /\ accepts[m] < 2
  /\ kept' = kept \cup tentative /\ accepts' = Add(accepts, tentative)
  /\ confirms' = IF joined THEN Add(confirms, tentative) ELSE confirms
  /\ acked' = IF ~joined THEN acked
              ELSE acked \cup {m \in kept' : \E k \in tentative : Owner(k) = Owner(m)}
  /\ UNCHANGED <<device, link, gateway, joined, flying, windows, seen, asked, answered, faults>>

\* Faults. What is under way without custody may get lost at any time.
Lose(d) ==
  /\ ~(acked \cap Of(d) = {} /\ d \notin answered)
  /\ acked' = acked \ Of(d) /\ answered' = answered \ {d}
  /\ UNCHANGED <<device, link, gateway, uplink, cloud, faults>>
Break(d) ==
  /\ d \in up \ dead /\ Lost({d}) /\ dead' = dead \cup {d}
  /\ breaks < MaxBreaks /\ breaks' = breaks + 1
  /\ UNCHANGED <<device, up, gateway, uplink, cloud, loose, restarts>>
BreakUplink ==
  /\ joined /\ Part /\ breaks < MaxBreaks /\ breaks' = breaks + 1
  /\ UNCHANGED <<device, link, gateway, cloud, loose, restarts>>
RestartDevice(d) ==
  /\ Restart /\ Unlink(d) /\ held' = {m \in held : Owner(m) # d} \cup (stored \cap Of(d))
  /\ UNCHANGED <<made, stored, gateway, uplink, cloud, loose>>
\* What was done, and its deletion not yet durable, is in the queue again.
RestartGateway ==
  /\ Restart /\ Lost(D) /\ dead' = up /\ Part /\ inserted' = {} /\ done' = None
  /\ UNCHANGED <<device, up, rows, owed, cloud, loose>>
RestartCloud ==
  /\ Restart /\ Part /\ tentative' = {} /\ windows' = known /\ asked' = {} /\ answered' = {}
  /\ seen' = IF WindowForgets THEN {} ELSE kept
  /\ UNCHANGED <<device, link, gateway, known, kept, accepts, acked>>
Next == \/ \E d \in D : \/ Connect(d) \/ Leave(d) \/ Respond(d) \/ Window(d) \/ Lose(d)
                        \/ Break(d) \/ RestartDevice(d)
        \/ \E m \in R : \/ Sign(m) \/ Forget(m) \/ Send(m) \/ TakePuback(m) \/ Release(m)
                        \/ Insert(m) \/ Refuse(m) \/ Forward(m) \/ Discharge(m) \/ Accept(m)
                        \/ Duplicate(m) \/ Challenge(m)
        \/ GatewayCommit \/ Join \/ CloudCommit \/ BreakUplink \/ RestartGateway \/ RestartCloud
Spec == Init /\ [][Next]_vars
DeviceNext(d) == Connect(d) \/ Leave(d) \/ \E m \in Of(d) : Send(m) \/ TakePuback(m)
GatewayNext == GatewayCommit \/ \E m \in R : Insert(m) \/ Refuse(m)
UplinkNext == Join \/ \E m \in R : Forward(m) \/ Discharge(m)
CloudNext == CloudCommit \/ \E m \in R : Accept(m) \/ Duplicate(m) \/ Challenge(m)
\* What is sent again and again arrives.
Arrives(m) == <>[](m \notin held \cap acked) \/ []<><<Release(m)>>_vars
FairSpec == /\ Spec /\ \A m \in R : Arrives(m)
            /\ \A d \in D : WF_vars(DeviceNext(d)) /\ SF_vars(Respond(d)) /\ SF_vars(Window(d))
            /\ WF_vars(GatewayNext) /\ WF_vars(UplinkNext) /\ WF_vars(CloudNext)
TypeOK ==
  /\ {made, stored, held, sent, wire, pubacks, inserted, seen, tentative, kept, acked}
       \subseteq SUBSET R
  /\ {up, dead, refused, windows, asked, known, answered} \subseteq SUBSET D /\ joined \in BOOLEAN
  /\ {rows, done, owed, flying, confirms} \subseteq [R -> 0..QueueMax] /\ accepts \in [R -> 0..2]
  /\ breaks \in 0..MaxBreaks /\ restarts \in 0..MaxRestarts
AckIsTrue == acked \subseteq kept
ForgottenIsKept == made \ held \subseteq kept
NothingLost == made \subseteq stored \cup kept
CustodyIsKept == \A m \in R : owed[m] <= rows[m] - done[m]
AcceptedOnce == \A m \in R : accepts[m] <= 1
NoForgery == kept \cup tentative \subseteq made
QueueBounded == Queued <= QueueMax
KeptForEverStep == kept \subseteq kept'
ReleaseNeedsAckStep == \A m \in held \ held' : m \in acked
ConfirmNeedsCommitStep == \A m \in R : confirms'[m] > confirms[m] =>
                          m \in kept' \/ Owner(m) \notin windows
SentOnceStep == \A m \in wire' \ wire : m \notin sent
KeptForEver == [][KeptForEverStep]_vars
ReleaseNeedsAck == [][ReleaseNeedsAckStep]_vars
ConfirmNeedsCommit == [][ConfirmNeedsCommitStep]_vars
SentOnce == [][SentOnceStep]_vars
Delivered == \A m \in R : (m \in made) ~> (m \in kept)
Acked == \A m \in R : (m \in held) ~> (m \notin held)
Drained == (rows # None) ~> (rows = None)
\* Must be reachable: each is violated.
NeverUntaken == \A m \in R : confirms[m] > 0 => m \in kept
NeverHeldAgain == held \cap kept = {} \/ acked # {} \/ restarts = 0
NeverRowAgain == ~\E m \in R : m \notin held /\ rows[m] > done[m] /\ wire = {} /\ restarts > 0
NeverRefused == refused = {}
====
