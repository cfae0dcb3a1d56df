---- MODULE Audit ----
\* The log of critical actions of one node: the record is durable before the action. A peer keeps
\* the head that it has seen last (the anchor), and takes a new one only if the log goes on from it.
\* A hash chain stands for its whole prefix, so an anchor is that prefix. Who owns the storage of
\* the node may rewrite a record and the chain after it, or cut off the tail and let the node go on.
EXTENDS Naturals, FiniteSets

CONSTANTS
    Records,         \* the longest log
    MaxCrashes, MaxTampers,
    ActFirst,        \* bug: the node acts on a record that is not durable yet
    ShowUnflushed,   \* bug: it shows its peer a head that is not durable yet
    TrustHead        \* bug: the peer takes any head whose chain verifies

VARIABLES
    ram,      \* volatile: a record waits to be durable
    log,      \* durable. Of each record: as first written, written again, or forged
    top,      \* as many records have ever been durable
    acts,     \* critical actions that took place
    broken,   \* the first record at which the chain does not verify; 0: it does
    anchor,   \* durable at the peer: the prefix that its head stands for
    alarm,    \* the peer has found that the log does not go on from its anchor
    crashes, tampers  \* faults so far

vars == <<ram, log, top, acts, broken, anchor, alarm, crashes, tampers>>

R == 1..Records
Size(l) == Cardinality({i \in R : l[i] # "none"})
Extends == \A i \in R : anchor[i] # "none" => log[i] = anchor[i]
Fresh(i) == IF i > top THEN "first" ELSE "again"
Left(i) == IF broken < i THEN broken ELSE 0
Shown == IF ShowUnflushed /\ ram /\ Size(log) < Records
         THEN [log EXCEPT ![Size(log) + 1] = Fresh(Size(log) + 1)]
         ELSE log

Init ==
    /\ ram = FALSE
    /\ log = [i \in R |-> "none"]
    /\ top = 0
    /\ acts = 0
    /\ broken = 0
    /\ anchor = [i \in R |-> "none"]
    /\ alarm = FALSE
    /\ crashes = 0 /\ tampers = 0

\* The node. One action after the other: a record is begun when the last one's action took place.
Append ==
    /\ ~ram /\ Size(log) < Records /\ Size(log) <= acts
    /\ ram' = TRUE
    /\ UNCHANGED <<log, top, acts, broken, anchor, alarm, crashes, tampers>>

Flush ==
    /\ ram /\ Size(log) < Records
    /\ log' = [log EXCEPT ![Size(log) + 1] = Fresh(Size(log) + 1)]
    /\ top' = IF Size(log) + 1 > top THEN Size(log) + 1 ELSE top
    /\ ram' = FALSE
    /\ UNCHANGED <<acts, broken, anchor, alarm, crashes, tampers>>

Act ==
    /\ acts < Size(log) + (IF ActFirst /\ ram THEN 1 ELSE 0) /\ acts < Records
    /\ acts' = acts + 1
    /\ UNCHANGED <<ram, log, top, broken, anchor, alarm, crashes, tampers>>

\* The peer.
Anchor ==
    /\ ~alarm /\ broken = 0 /\ Shown # anchor
    /\ Extends \/ TrustHead
    /\ anchor' = Shown
    /\ UNCHANGED <<ram, log, top, acts, broken, alarm, crashes, tampers>>

Alarm ==
    /\ ~alarm /\ (broken > 0 \/ (~Extends /\ ~TrustHead))
    /\ alarm' = TRUE
    /\ UNCHANGED <<ram, log, top, acts, broken, anchor, crashes, tampers>>

\* The world.
Crash ==
    /\ crashes < MaxCrashes
    /\ crashes' = crashes + 1
    /\ ram' = FALSE
    /\ UNCHANGED <<log, top, acts, broken, anchor, alarm, tampers>>

\* Record i is rewritten; `whole`: and the chain after it, so that it verifies.
Tamper(i, whole) ==
    /\ log[i] # "none" /\ tampers < MaxTampers
    /\ tampers' = tampers + 1
    /\ log' = [log EXCEPT ![i] = "forged"]
    /\ broken' = IF whole THEN Left(i) ELSE IF broken \in 1..(i - 1) THEN broken ELSE i
    /\ UNCHANGED <<ram, top, acts, anchor, alarm, crashes>>

\* Record i and all after it are gone. What is written there later is a fork.
Cut(i) ==
    /\ log[i] # "none" /\ tampers < MaxTampers
    /\ tampers' = tampers + 1
    /\ log' = [j \in R |-> IF j < i THEN log[j] ELSE "none"]
    /\ broken' = Left(i)
    /\ UNCHANGED <<ram, top, acts, anchor, alarm, crashes>>

Next ==
    \/ Append
    \/ Flush
    \/ Act
    \/ Anchor
    \/ Alarm
    \/ Crash
    \/ \E i \in R : \E whole \in BOOLEAN : Tamper(i, whole)
    \/ \E i \in R : Cut(i)

Spec == Init /\ [][Next]_vars
FairSpec ==
    /\ Spec
    /\ WF_vars(Append) /\ WF_vars(Flush) /\ WF_vars(Act) /\ WF_vars(Anchor) /\ WF_vars(Alarm)

TypeOK ==
    /\ ram \in BOOLEAN
    /\ log \in [R -> {"none", "first", "again", "forged"}]
    /\ top \in 0..Records
    /\ acts \in 0..Records
    /\ broken \in 0..Records
    /\ anchor \in [R -> {"none", "first", "again", "forged"}]
    /\ alarm \in BOOLEAN
    /\ crashes \in 0..MaxCrashes /\ tampers \in 0..MaxTampers

RecordFirst == acts <= top
OneRecordEach == tampers = 0 => acts <= Size(log) /\ Size(log) <= acts + 1
NoFalseAlarm == alarm => tampers > 0
AnchoredNeverLost == tampers = 0 => Extends
NothingInvented ==
    tampers = 0 => \A i \in R : {anchor[i], log[i]} \subseteq {"none", "first"}

DurableStaysStep == tampers' = tampers => \A i \in R : log[i] # "none" => log'[i] = log[i]
AnchorGrowsStep == \A i \in R : anchor[i] # "none" => anchor'[i] = anchor[i]
AlarmStaysStep == alarm => alarm'
DurableStays == [][DurableStaysStep]_vars
AnchorGrows == [][AnchorGrowsStep]_vars
AlarmStays == [][AlarmStaysStep]_vars

\* Unless it is put back as it was.
TamperFound == ~Extends ~> (alarm \/ Extends)
BrokenChainFound == broken > 0 ~> (alarm \/ broken = 0)
Anchored == (tampers = MaxTampers /\ broken = 0 /\ Extends) ~> (alarm \/ anchor = log)

\* Witnesses. The first is the honest limit: what nobody has anchored can be cut unseen.
NeverCutUnseen == ~(~alarm /\ broken = 0 /\ Extends /\ anchor = log /\ Size(log) < acts)
NeverRewrittenUnseen == ~(~alarm /\ anchor[1] = "forged")
NeverForkFound == ~(alarm /\ \E i \in R : anchor[i] = "first" /\ log[i] = "again")
====
