------------------------------- MODULE Session -------------------------------
\* Readings of one device on their way: device -> gateway -> cloud, over MQTT with QoS 1 on each
\* link. Two answers come back, and mean different things. PUBACK: the next one has it, durably.
\* Ack, signed: the cloud has it, durably; it alone lets the device forget. A link that breaks loses
\* what is in flight: the outcome is then unknown, and it is sent again on the next link.
\* A restart is a loss of power and the boot after it: what was in RAM is read from flash or disk.
EXTENDS Naturals, FiniteSets
CONSTANTS
  Readings,          \* their number
  QueueMax,          \* rows in the gateway's queue
  MaxBreaks,         \* of links
  MaxRestarts,       \* of device, gateway and cloud together
  BugEarlyPuback,    \* the gateway gives custody before the row is durable
  BugEarlyAck,       \* the cloud answers before its commit
  BugPubackReleases, \* the device takes custody for the cloud's ack
  BugWindowForgets   \* the cloud's window does not survive a restart
VARIABLES
  signed,    \* device, flash: readings 1..signed exist
  stored,    \* device, flash: those that a boot would find in the outbox
  held,      \* device, RAM: those in the outbox
  sent,      \* device, RAM: those sent on this link
  up,        \* link from device to gateway: there is one
  wire,      \* link: readings on their way
  pubacks,   \* link: PUBACKs on their way back
  refusal,   \* link: a PUBACK that says no is on its way back
  inserted,  \* gateway, RAM: readings in the open transaction
  rows,      \* gateway, disk: for each reading, rows in the queue
  done,      \* gateway, RAM: of these, confirmed by the cloud, and to be deleted
  joined,    \* link from gateway to cloud: there is one
  flying,    \* link: for each reading, copies on their way
  confirms,  \* link: for each reading, PUBACKs on their way back
  seen,      \* cloud, RAM: what the replay window has seen
  tentative, \* cloud, RAM: readings in the open transaction
  kept,      \* cloud, disk: readings that it has
  acked,     \* readings that an ack on its way to the device covers
  custody,   \* history: readings that the gateway ever took custody of
  accepts,   \* history: for each reading, how often the cloud took it
  breaks, restarts \* budgets that are used up
device == <<signed, stored, held, sent>>
link == <<up, wire, pubacks, refusal>>
gateway == <<inserted, rows, done, custody>>
uplink == <<joined, flying, confirms>>
cloud == <<seen, tentative, kept, accepts>>
faults == <<breaks, restarts>>
vars == <<device, link, gateway, uplink, cloud, acked, faults>>

R == 1..Readings
None == [m \in R |-> 0]
Add(f, s) == [m \in R |-> IF m \in s THEN f[m] + 1 ELSE f[m]]
Less(f, m) == [f EXCEPT ![m] = @ - 1]
RECURSIVE Sum(_, _)
Sum(f, n) == IF n = 0 THEN 0 ELSE f[n] + Sum(f, n - 1)
First(m, s) == m \in s /\ \A k \in s : m <= k
\* Rows that are still to be handed over on this link.
Waiting(m) == rows[m] - done[m] - flying[m] - confirms[m] - (IF m \in tentative THEN 1 ELSE 0)
Queued == Sum(rows, Readings) - Sum(done, Readings) + Cardinality(inserted)
\* Nothing is under way that an answer to the device could come from.
Quiet == /\ wire = {} /\ pubacks = {} /\ ~refusal /\ inserted = {} /\ rows = done
         /\ flying = None /\ tentative = {} /\ acked \cap held = {}

Init ==
  /\ signed = 0 /\ stored = {} /\ held = {} /\ sent = {}
  /\ up = FALSE /\ wire = {} /\ pubacks = {} /\ refusal = FALSE
  /\ inserted = {} /\ rows = None /\ done = None
  /\ joined = FALSE /\ flying = None /\ confirms = None
  /\ seen = {} /\ tentative = {} /\ kept = {} /\ acked = {}
  /\ custody = {} /\ accepts = None /\ breaks = 0 /\ restarts = 0

\* Device. A reading is signed and durable before it is sent. To forget one is not durable: its
\* record goes when a new reading takes its slot.
Sign ==
  /\ signed < Readings /\ signed' = signed + 1
  /\ stored' = {m \in stored : ~First(m, stored \ held)} \cup {signed + 1}
  /\ held' = held \cup {signed + 1}
  /\ UNCHANGED <<sent, link, gateway, uplink, cloud, acked, faults>>

Unlink == up' = FALSE /\ wire' = {} /\ pubacks' = {} /\ refusal' = FALSE

\* The gateway is through with what the last link brought.
Connect ==
  /\ ~up /\ inserted = {} /\ up' = TRUE
  /\ UNCHANGED <<device, wire, pubacks, refusal, gateway, uplink, cloud, acked, faults>>

\* Oldest first, once on a link.
Send(m) ==
  /\ up /\ First(m, held \ sent)
  /\ sent' = sent \cup {m} /\ wire' = wire \cup {m}
  /\ UNCHANGED <<signed, stored, held, up, pubacks, refusal, gateway, uplink, cloud, acked, faults>>

\* Custody: nothing that the device may forget.
TakePuback(m) ==
  /\ m \in pubacks /\ pubacks' = pubacks \ {m}
  /\ held' = IF BugPubackReleases THEN held \ {m} ELSE held
  /\ UNCHANGED <<signed, stored, sent, up, wire, refusal, gateway, uplink, cloud, acked, faults>>

\* Refused, or the ack does not come for longer than anything takes: another link, and all again.
Leave ==
  /\ up /\ (refusal \/ (held # {} /\ held \subseteq sent /\ Quiet))
  /\ Unlink /\ sent' = {}
  /\ UNCHANGED <<signed, stored, held, gateway, uplink, cloud, acked, faults>>

\* An ack covers it; older acks cover less, and do no harm.
Release(m) ==
  /\ up /\ m \in held \cap acked
  /\ held' = held \ {m} /\ sent' = sent \ {m}
  /\ UNCHANGED <<signed, stored, link, gateway, uplink, cloud, acked, faults>>

\* Gateway.
Insert(m) ==
  /\ First(m, wire) /\ Queued < QueueMax
  /\ wire' = wire \ {m} /\ inserted' = inserted \cup {m}
  /\ pubacks' = IF BugEarlyPuback THEN pubacks \cup {m} ELSE pubacks
  /\ custody' = IF BugEarlyPuback THEN custody \cup {m} ELSE custody
  /\ UNCHANGED <<device, up, refusal, rows, done, uplink, cloud, acked, faults>>

Refuse(m) ==
  /\ First(m, wire) /\ Queued >= QueueMax
  /\ wire' = wire \ {m} /\ refusal' = TRUE
  /\ UNCHANGED <<device, up, pubacks, gateway, uplink, cloud, acked, faults>>

\* Durable, then visible. What was confirmed is deleted with the next commit, or one of its own.
GatewayCommit ==
  /\ inserted # {} \/ done # None
  /\ rows' = [m \in R |-> Add(rows, inserted)[m] - done[m]]
  /\ inserted' = {} /\ done' = None /\ custody' = custody \cup inserted
  /\ pubacks' = IF up /\ ~BugEarlyPuback THEN pubacks \cup inserted ELSE pubacks
  /\ UNCHANGED <<device, up, wire, refusal, uplink, cloud, acked, faults>>

\* The cloud is through with what the last link brought.
Join ==
  /\ ~joined /\ tentative = {} /\ joined' = TRUE
  /\ UNCHANGED <<device, link, gateway, flying, confirms, cloud, acked, faults>>

Forward(m) ==
  /\ joined /\ Waiting(m) > 0 /\ flying' = Add(flying, {m})
  /\ UNCHANGED <<device, link, gateway, joined, confirms, cloud, acked, faults>>

Discharge(m) ==
  /\ confirms[m] > 0 /\ confirms' = Less(confirms, m) /\ done' = Add(done, {m})
  /\ UNCHANGED <<device, link, inserted, rows, custody, joined, flying, cloud, acked, faults>>

\* Cloud.
Accept(m) ==
  /\ flying[m] > 0 /\ m \notin seen
  /\ flying' = Less(flying, m) /\ seen' = seen \cup {m} /\ tentative' = tentative \cup {m}
  /\ acked' = IF BugEarlyAck THEN acked \cup {m} ELSE acked
  /\ UNCHANGED <<device, link, gateway, joined, confirms, kept, accepts, faults>>

\* It has it: the same answers again, and nothing to commit.
Duplicate(m) ==
  /\ flying[m] > 0 /\ m \in seen \ tentative
  /\ flying' = Less(flying, m) /\ confirms' = Add(confirms, {m}) /\ acked' = acked \cup kept
  /\ UNCHANGED <<device, link, gateway, joined, cloud, faults>>

\* Durable, then visible: to the gateway that it came from, and through it to the device.
CloudCommit ==
  /\ tentative # {} /\ tentative' = {}
  /\ kept' = kept \cup tentative /\ accepts' = Add(accepts, tentative)
  /\ confirms' = IF joined THEN Add(confirms, tentative) ELSE confirms
  /\ acked' = IF joined THEN acked \cup kept' ELSE acked
  /\ UNCHANGED <<device, link, gateway, joined, flying, seen, faults>>

\* Faults. An ack is sent once, and may get lost at any time.
LoseAck ==
  /\ acked # {} /\ acked' = {}
  /\ UNCHANGED <<device, link, gateway, uplink, cloud, faults>>

Break ==
  /\ up /\ Unlink /\ sent' = {} /\ breaks < MaxBreaks /\ breaks' = breaks + 1
  /\ UNCHANGED <<signed, stored, held, gateway, uplink, cloud, acked, restarts>>

Part == joined' = FALSE /\ flying' = None /\ confirms' = None

BreakUplink ==
  /\ joined /\ Part /\ breaks < MaxBreaks /\ breaks' = breaks + 1
  /\ UNCHANGED <<device, link, gateway, cloud, acked, restarts>>

RestartDevice ==
  /\ restarts < MaxRestarts /\ restarts' = restarts + 1
  /\ held' = stored /\ sent' = {} /\ Unlink
  /\ UNCHANGED <<signed, stored, gateway, uplink, cloud, acked, breaks>>

\* What was confirmed, and its deletion not yet durable, is in the queue again.
RestartGateway ==
  /\ restarts < MaxRestarts /\ restarts' = restarts + 1
  /\ inserted' = {} /\ done' = None /\ sent' = {} /\ Unlink /\ Part
  /\ UNCHANGED <<signed, stored, held, rows, custody, cloud, acked, breaks>>

RestartCloud ==
  /\ restarts < MaxRestarts /\ restarts' = restarts + 1
  /\ tentative' = {} /\ seen' = (IF BugWindowForgets THEN {} ELSE kept) /\ Part
  /\ UNCHANGED <<device, link, gateway, kept, accepts, acked, breaks>>

Device == Connect \/ Leave \/ \E m \in R : Send(m) \/ TakePuback(m)
Gateway == GatewayCommit \/ \E m \in R : Insert(m) \/ Refuse(m)
Upward == Join \/ \E m \in R : Forward(m) \/ Discharge(m)
Cloud == CloudCommit \/ \E m \in R : Accept(m) \/ Duplicate(m)
Next == \/ Sign \/ Connect \/ Leave \/ GatewayCommit \/ Join \/ CloudCommit \/ LoseAck \/ Break
        \/ BreakUplink \/ RestartDevice \/ RestartGateway \/ RestartCloud
        \/ \E m \in R : \/ Send(m) \/ TakePuback(m) \/ Release(m) \/ Insert(m) \/ Refuse(m)
                        \/ Forward(m) \/ Discharge(m) \/ Accept(m) \/ Duplicate(m)
Spec == Init /\ [][Next]_vars
\* An ack that is sent again and again arrives.
FairSpec == /\ Spec /\ WF_vars(Device) /\ WF_vars(Gateway) /\ WF_vars(Upward) /\ WF_vars(Cloud)
            /\ \A m \in R : <>[](m \notin held \cap acked) \/ []<><<Release(m)>>_vars

TypeOK ==
  /\ signed \in 0..Readings /\ stored \subseteq R /\ held \subseteq R /\ sent \subseteq R
  /\ up \in BOOLEAN /\ wire \subseteq R /\ pubacks \subseteq R /\ refusal \in BOOLEAN
  /\ inserted \subseteq R /\ rows \in [R -> 0..QueueMax] /\ done \in [R -> 0..QueueMax]
  /\ joined \in BOOLEAN /\ flying \in [R -> 0..QueueMax] /\ confirms \in [R -> 0..QueueMax]
  /\ seen \subseteq R /\ tentative \subseteq R /\ kept \subseteq R /\ acked \subseteq R
  /\ custody \subseteq R /\ accepts \in [R -> 0..2]
  /\ breaks \in 0..MaxBreaks /\ restarts \in 0..MaxRestarts

AckIsTrue == acked \subseteq kept
ForgottenIsKept == (1..signed) \ held \subseteq kept
NothingLost == 1..signed \subseteq stored \cup kept
CustodyIsKept == \A m \in custody : rows[m] > 0 \/ m \in kept
AcceptedOnce == \A m \in R : accepts[m] <= 1
NoForgery == kept \cup tentative \subseteq 1..signed
QueueBounded == Queued <= QueueMax

KeptForEver == [][kept \subseteq kept']_vars
ReleaseNeedsAck == [][\A m \in held \ held' : m \in acked]_vars
DischargeNeedsConfirm == [][\A m \in R : done'[m] > done[m] => m \in kept]_vars
SentOnce == [][up /\ up' => \A m \in wire' \ wire : m \notin sent]_vars

Delivered == \A m \in R : (m <= signed) ~> (m \in kept)
Acked == \A m \in R : (m \in held) ~> (m \notin held)
Drained == (rows # None) ~> (rows = None)

\* Witnesses: each is violated.
NoSecondCopy == \A m \in R : rows[m] < 2
NoReturn == held \cap kept = {} \/ restarts = 0
NoRowAgain == \A m \in kept : confirms[m] = 0 \/ accepts[m] = 0 \/ restarts = 0
NoRefusal == ~refusal
=============================================================================
