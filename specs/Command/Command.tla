---- MODULE Command ----
\* Commands that move something. One device, one actuator that latches the id of each command it
\* has carried out, so that after a power cut the device can read back what happened. The cloud
\* sends the same signed bytes again until it knows the outcome. Messages may be lost, repeated,
\* forged, and replayed by whoever has seen them.
EXTENDS Naturals

CONSTANTS
    Commands,       \* how many
    MaxTime,        \* ticks
    Deadline,       \* nothing may happen after this tick
    Rate,           \* so many effects a tick
    MaxPowerLoss, MaxDrops, MaxAttacks,
    ApplyFirst,     \* bug: the device moves before its intent is durable
    BlindRedo,      \* bug: after a power cut it moves again without reading back
    TrustAll,       \* bug: it does not verify
    ForgetRate,     \* bug: a power cut gives a new allowance
    DoubtIsFine     \* bug: a clock that was lost with the power is taken to be early

VARIABLES
    cloud,    \* what the cloud knows of a command (durable)
    net,      \* on its way to the device: nothing, the signed bytes, or a forgery
    journal,  \* durable at the device
    effect,   \* how often the thing has moved for it: the world itself
    ram,      \* volatile: between intent and result
    ack,      \* on its way to the cloud
    now,      \* true time
    clock,    \* volatile: the device knows what time it is
    spent,    \* volatile: effects in this tick; all of them, where the device cannot know
    losses, drops, attacks  \* faults so far

vars == <<cloud, net, journal, effect, ram, ack, now, clock, spent, losses, drops, attacks>>

C == 1..Commands
Known(c) == net[c] = "signed" \/ (TrustAll /\ net[c] = "forged")
InTime == IF clock THEN now <= Deadline ELSE DoubtIsFine

Init ==
    /\ cloud = [c \in C |-> "idle"]
    /\ net = [c \in C |-> "none"]
    /\ journal = [c \in C |-> "none"]
    /\ effect = [c \in C |-> 0]
    /\ ram = [c \in C |-> "idle"]
    /\ ack = [c \in C |-> "none"]
    /\ now = 0
    /\ clock = TRUE
    /\ spent = 0
    /\ losses = 0 /\ drops = 0 /\ attacks = 0

\* The cloud.
Issue(c) ==
    /\ cloud[c] = "idle" /\ now <= Deadline
    /\ cloud' = [cloud EXCEPT ![c] = "sent"]
    /\ net' = [net EXCEPT ![c] = "signed"]
    /\ UNCHANGED <<journal, effect, ram, ack, now, clock, spent, losses, drops, attacks>>

Timeout(c) ==
    /\ cloud[c] = "sent"
    /\ cloud' = [cloud EXCEPT ![c] = "unknown"]
    /\ UNCHANGED <<net, journal, effect, ram, ack, now, clock, spent, losses, drops, attacks>>

\* The same bytes again, after the deadline too: they ask for the outcome.
Retry(c) ==
    /\ cloud[c] = "unknown" /\ net[c] # "signed" /\ ack[c] = "none"
    /\ cloud' = [cloud EXCEPT ![c] = "sent"]
    /\ net' = [net EXCEPT ![c] = "signed"]
    /\ UNCHANGED <<journal, effect, ram, ack, now, clock, spent, losses, drops, attacks>>

Learn(c) ==
    /\ ack[c] # "none"
    /\ cloud' = [cloud EXCEPT ![c] = IF @ \notin {"sent", "unknown"} THEN @
                                    ELSE IF ack[c] = "applied" THEN "done" ELSE "failed"]
    /\ ack' = [ack EXCEPT ![c] = "none"]
    /\ UNCHANGED <<net, journal, effect, ram, now, clock, spent, losses, drops, attacks>>

\* The device: intent (durable), effect (the world), result (durable), answer.
Intent(c) ==
    /\ Known(c) /\ journal[c] = "none" /\ InTime
    /\ journal' = [journal EXCEPT ![c] = IF ApplyFirst THEN "none" ELSE "intent"]
    /\ ram' = [ram EXCEPT ![c] = "armed"]
    /\ UNCHANGED <<cloud, net, effect, ack, now, clock, spent, losses, drops, attacks>>

Apply(c) ==
    /\ ram[c] = "armed" /\ InTime /\ spent < Rate
    /\ effect' = [effect EXCEPT ![c] = IF @ = 2 THEN 2 ELSE @ + 1]
    /\ ram' = [ram EXCEPT ![c] = "acted"]
    /\ spent' = spent + 1
    /\ UNCHANGED <<cloud, net, journal, ack, now, clock, losses, drops, attacks>>

Commit(c) ==
    /\ ram[c] = "acted"
    /\ journal' = [journal EXCEPT ![c] = "applied"]
    /\ ram' = [ram EXCEPT ![c] = "idle"]
    /\ UNCHANGED <<cloud, net, effect, ack, now, clock, spent, losses, drops, attacks>>

\* Too late, or no way to know whether it is: it will never be done.
Refuse(c) ==
    /\ ~InTime
    /\ \/ journal[c] = "none" /\ Known(c) /\ ram[c] = "idle"
       \/ journal[c] = "intent" /\ ram[c] = "armed"
    /\ journal' = [journal EXCEPT ![c] = "refused"]
    /\ ram' = [ram EXCEPT ![c] = "idle"]
    /\ UNCHANGED <<cloud, net, effect, ack, now, clock, spent, losses, drops, attacks>>

\* After a power cut: an intent without a result. The latch says whether it was carried out.
Recover(c) ==
    /\ journal[c] = "intent" /\ ram[c] = "idle"
    /\ ram' = [ram EXCEPT ![c] = IF effect[c] > 0 /\ ~BlindRedo THEN "acted" ELSE "armed"]
    /\ UNCHANGED <<cloud, net, journal, effect, ack, now, clock, spent, losses, drops, attacks>>

Answer(c) ==
    /\ Known(c) /\ journal[c] \in {"applied", "refused"}
    /\ ack' = [ack EXCEPT ![c] = journal[c]]
    /\ net' = [net EXCEPT ![c] = "none"]
    /\ UNCHANGED <<cloud, journal, effect, ram, now, clock, spent, losses, drops, attacks>>

Reject(c) ==
    /\ net[c] = "forged" /\ ~TrustAll
    /\ net' = [net EXCEPT ![c] = "none"]
    /\ UNCHANGED <<cloud, journal, effect, ram, ack, now, clock, spent, losses, drops, attacks>>

Sync ==
    /\ ~clock
    /\ clock' = TRUE
    /\ UNCHANGED <<cloud, net, journal, effect, ram, ack, now, spent, losses, drops, attacks>>

\* The world.
Tick ==
    /\ now < MaxTime
    /\ now' = now + 1
    /\ spent' = 0
    /\ UNCHANGED <<cloud, net, journal, effect, ram, ack, clock, losses, drops, attacks>>

Drop(c) ==
    /\ net[c] # "none" /\ drops < MaxDrops
    /\ drops' = drops + 1
    /\ net' = [net EXCEPT ![c] = "none"]
    /\ UNCHANGED <<cloud, journal, effect, ram, ack, now, clock, spent, losses, attacks>>

DropAck(c) ==
    /\ ack[c] # "none" /\ drops < MaxDrops
    /\ drops' = drops + 1
    /\ ack' = [ack EXCEPT ![c] = "none"]
    /\ UNCHANGED <<cloud, net, journal, effect, ram, now, clock, spent, losses, attacks>>

Forge(c) ==
    /\ net[c] = "none" /\ attacks < MaxAttacks
    /\ attacks' = attacks + 1
    /\ net' = [net EXCEPT ![c] = "forged"]
    /\ UNCHANGED <<cloud, journal, effect, ram, ack, now, clock, spent, losses, drops>>

Replay(c) ==
    /\ net[c] = "none" /\ cloud[c] # "idle" /\ attacks < MaxAttacks
    /\ attacks' = attacks + 1
    /\ net' = [net EXCEPT ![c] = "signed"]
    /\ UNCHANGED <<cloud, journal, effect, ram, ack, now, clock, spent, losses, drops>>

PowerLoss ==
    /\ losses < MaxPowerLoss
    /\ losses' = losses + 1
    /\ ram' = [c \in C |-> "idle"]
    /\ clock' = FALSE
    /\ spent' = IF ForgetRate THEN 0 ELSE Rate
    /\ UNCHANGED <<cloud, net, journal, effect, ack, now, drops, attacks>>

Next ==
    \/ Sync
    \/ Tick
    \/ PowerLoss
    \/ \E c \in C :
        \/ Issue(c)
        \/ Timeout(c)
        \/ Retry(c)
        \/ Learn(c)
        \/ Intent(c)
        \/ Apply(c)
        \/ Commit(c)
        \/ Refuse(c)
        \/ Recover(c)
        \/ Answer(c)
        \/ Reject(c)
        \/ Drop(c)
        \/ DropAck(c)
        \/ Forge(c)
        \/ Replay(c)

Spec == Init /\ [][Next]_vars

Device(c) == Intent(c) \/ Apply(c) \/ Commit(c) \/ Refuse(c) \/ Recover(c) \/ Answer(c) \/ Reject(c)
FairSpec ==
    /\ Spec
    /\ WF_vars(Sync) /\ WF_vars(Tick)
    /\ \A c \in C :
        /\ WF_vars(Timeout(c)) /\ WF_vars(Retry(c)) /\ WF_vars(Learn(c)) /\ WF_vars(Device(c))

TypeOK ==
    /\ cloud \in [C -> {"idle", "sent", "unknown", "done", "failed"}]
    /\ net \in [C -> {"none", "signed", "forged"}]
    /\ journal \in [C -> {"none", "intent", "applied", "refused"}]
    /\ effect \in [C -> 0..2]
    /\ ram \in [C -> {"idle", "armed", "acted"}]
    /\ ack \in [C -> {"none", "applied", "refused"}]
    /\ now \in 0..MaxTime
    /\ clock \in BOOLEAN
    /\ spent \in 0..Rate
    /\ losses \in 0..MaxPowerLoss /\ drops \in 0..MaxDrops /\ attacks \in 0..MaxAttacks

AtMostOnce == \A c \in C : effect[c] <= 1
NoForgery == \A c \in C : effect[c] > 0 => cloud[c] # "idle"
DoneMeansDone == \A c \in C : cloud[c] = "done" => effect[c] = 1
FailedMeansNever == \A c \in C : cloud[c] = "failed" => effect[c] = 0 /\ journal[c] = "refused"

InTimeOnlyStep == \A c \in C : effect'[c] > effect[c] => now <= Deadline
OutcomeStaysStep == \A c \in C : cloud[c] \in {"done", "failed"} => cloud'[c] = cloud[c]
RateKeptStep ==
    /\ spent' < spent => now' > now
    /\ \A c \in C : effect'[c] > effect[c] => spent' > spent
RateKept == [][RateKeptStep]_vars
InTimeOnly == [][InTimeOnlyStep]_vars
OutcomeStays == [][OutcomeStaysStep]_vars

OutcomeKnown == \A c \in C : cloud[c] \in {"sent", "unknown"} ~> cloud[c] \in {"done", "failed"}

\* Witnesses: must be reachable.
NeverDoneAfterCut == ~(losses > 0 /\ \E c \in C : cloud[c] = "done")
NeverRefusedInDoubt == ~(\E c \in C : journal[c] = "refused" /\ now <= Deadline)
====
