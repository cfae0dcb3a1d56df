---- MODULE Identity ----
\* The identity of one device: enrolled, rotated, revoked, enrolled again. A generation numbers the
\* key pairs of its life. The cloud accepts the generations above its floor that it has signed for:
\* two while a rotation is on. Gateways know the floor as the cloud told them last, and refuse all
\* when they have not heard from it for Life ticks. A thief may hold a copy of the device: its key,
\* and how far it was in its count of messages. Once both have gone on from there, one number was
\* used for two messages, and the cloud can tell.
EXTENDS Naturals

CONSTANTS
    Gateways,        \* how many
    MaxGeneration, Life,
    MaxRestarts, MaxThefts,
    RetireEarly,     \* bug: the old key is retired before the new one was seen
    ForgetFloor,     \* bug: a gateway keeps the floor in memory only
    FailOpen,        \* bug: a gateway goes on without word from the cloud
    RoamIsClone      \* bug: a device that is at a second gateway is taken for two

VARIABLES
    status,   \* durable at the cloud: new, joining, active, revoked
    floor,    \* durable at the cloud: generations up to here are refused
    hi,       \* durable at the cloud: the generation that it has signed for last
    proved,   \* durable at the cloud: it has seen that one in use
    key,      \* durable at the device: in force
    next,     \* durable at the device: is to follow; 0: none
    known,    \* durable at a gateway: the floor
    live,     \* volatile: the floor that the gateway goes by
    age,      \* volatile: ticks since it heard from the cloud
    sess,     \* volatile: generation of the session that it holds for this device; 0: none
    since,    \* ticks since the floor rose
    stolen,   \* a generation that a thief holds; 0: none
    own,      \* the device has used it since
    alien,    \* the thief has
    suspect,  \* durable at the cloud: there is a clone
    restarts, thefts  \* faults so far

gateways == <<known, live, age, sess>>
clone == <<own, alien, suspect>>
world == <<since, stolen, restarts, thefts>>
vars == <<status, floor, hi, proved, key, next, gateways, clone, world>>

G == 1..Gateways
Accepted(c) == floor < c /\ c <= hi

Init ==
    /\ status = "new"
    /\ floor = 0 /\ hi = 0 /\ proved = FALSE
    /\ key = 0 /\ next = 0
    /\ known = [g \in G |-> 0]
    /\ live = [g \in G |-> 0]
    /\ age = [g \in G |-> Life]
    /\ sess = [g \in G |-> 0]
    /\ since = 0
    /\ stolen = 0 /\ own = FALSE /\ alien = FALSE /\ suspect = FALSE
    /\ restarts = 0 /\ thefts = 0

\* On site, by an operator: a key pair above all that were ever signed for, and its enrolment.
Reset ==
    /\ status \in {"new", "revoked"} /\ next <= hi /\ hi < MaxGeneration
    /\ next' = hi + 1
    /\ UNCHANGED <<status, floor, hi, proved, key, gateways, clone, world>>

Enrol ==
    /\ status \in {"new", "revoked"} /\ next > hi
    /\ status' = "joining"
    /\ hi' = next
    /\ floor' = next - 1
    /\ proved' = FALSE
    /\ UNCHANGED <<key, next, gateways, clone, world>>

\* Rotation: stage, sign for it, switch, prove, retire.
Stage ==
    /\ next = 0 /\ key > 0 /\ key < MaxGeneration
    /\ next' = key + 1
    /\ UNCHANGED <<status, floor, hi, proved, key, gateways, clone, world>>

SignNext ==
    /\ status = "active" /\ key = hi /\ floor + 1 = hi /\ next = hi + 1
    /\ hi' = next
    /\ proved' = FALSE
    /\ UNCHANGED <<status, floor, key, next, gateways, clone, world>>

\* It is told in a session under the key in force, or on site.
Switch ==
    /\ next > key /\ next <= hi /\ (Accepted(key) \/ status = "joining")
    /\ key' = next
    /\ next' = 0
    /\ UNCHANGED <<status, floor, hi, proved, gateways, clone, world>>

Prove ==
    /\ key = hi /\ Accepted(key) /\ ~proved
    /\ proved' = TRUE
    /\ status' = "active"
    /\ UNCHANGED <<floor, hi, key, next, gateways, clone, world>>

Retire ==
    /\ status = "active" /\ floor + 1 < hi /\ (proved \/ RetireEarly)
    /\ floor' = hi - 1
    /\ since' = 0
    /\ UNCHANGED <<status, hi, proved, key, next, gateways, clone, stolen, restarts, thefts>>

Revoke ==
    /\ status \in {"joining", "active"}
    /\ status' = "revoked"
    /\ floor' = hi
    /\ since' = 0
    /\ UNCHANGED <<hi, proved, key, next, gateways, clone, stolen, restarts, thefts>>

\* Gateways.
Hear(g) ==
    /\ live[g] # floor \/ age[g] > 0
    /\ live' = [live EXCEPT ![g] = floor]
    /\ known' = IF ForgetFloor THEN known ELSE [known EXCEPT ![g] = floor]
    /\ age' = [age EXCEPT ![g] = 0]
    /\ sess' = [sess EXCEPT ![g] = IF @ > floor THEN @ ELSE 0]
    /\ UNCHANGED <<status, floor, hi, proved, key, next, clone, world>>

\* With a certificate for that generation.
Lets(g, c) == c <= hi /\ c > live[g] /\ (age[g] < Life \/ FailOpen)
Connect(g) ==
    /\ Lets(g, key)
    /\ sess' = [sess EXCEPT ![g] = key]
    /\ own' = (own \/ key = stolen)
    /\ suspect' = (suspect \/ (RoamIsClone /\ \E h \in G : h # g /\ sess[h] = key))
    /\ UNCHANGED <<status, floor, hi, proved, key, next, known, live, age, alien, world>>

Intrude(g) ==
    /\ Lets(g, stolen)
    /\ sess' = [sess EXCEPT ![g] = stolen]
    /\ alien' = TRUE
    /\ UNCHANGED <<status, floor, hi, proved, key, next, known, live, age, own, suspect, world>>

\* The cloud.
Suspect ==
    /\ own /\ alien /\ ~suspect
    /\ suspect' = TRUE
    /\ UNCHANGED <<status, floor, hi, proved, key, next, gateways, own, alien, world>>

Close(g) ==
    /\ sess[g] # 0
    /\ sess' = [sess EXCEPT ![g] = 0]
    /\ UNCHANGED <<status, floor, hi, proved, key, next, known, live, age, clone, world>>

\* The world. A tick is longer than a gateway needs to close what it must close.
Overdue(g) == age[g] = Life /\ sess[g] # 0 /\ ~FailOpen
Tick ==
    /\ \A g \in G : ~Overdue(g)
    /\ since <= Life \/ \E g \in G : age[g] < Life
    /\ age' = [g \in G |-> IF age[g] < Life THEN age[g] + 1 ELSE Life]
    /\ since' = IF since <= Life THEN since + 1 ELSE since
    /\ UNCHANGED <<status, floor, hi, proved, key, next, known, live, sess, clone, stolen,
        restarts, thefts>>

\* What the gateway heard last is as old as can be: it does not know how long it was down.
Restart(g) ==
    /\ restarts < MaxRestarts
    /\ restarts' = restarts + 1
    /\ live' = [live EXCEPT ![g] = known[g]]
    /\ age' = [age EXCEPT ![g] = Life]
    /\ sess' = [sess EXCEPT ![g] = 0]
    /\ UNCHANGED <<status, floor, hi, proved, key, next, known, clone, since, stolen, thefts>>

Steal ==
    /\ key > 0 /\ key # stolen /\ thefts < MaxThefts
    /\ thefts' = thefts + 1
    /\ stolen' = key
    /\ own' = FALSE /\ alien' = FALSE
    /\ UNCHANGED <<status, floor, hi, proved, key, next, gateways, suspect, since, restarts>>

Next ==
    \/ Reset
    \/ Enrol
    \/ Stage
    \/ SignNext
    \/ Switch
    \/ Prove
    \/ Retire
    \/ Revoke
    \/ Tick
    \/ Suspect
    \/ Steal
    \/ \E g \in G :
        \/ Hear(g)
        \/ Close(g)
        \/ Restart(g)
        \/ Connect(g)
        \/ Intrude(g)

Spec == Init /\ [][Next]_vars
\* No fairness of Hear: a gateway that is cut off for ever fails closed nevertheless.
FairSpec ==
    /\ Spec
    /\ WF_vars(Tick) /\ WF_vars(Switch) /\ WF_vars(Prove) /\ WF_vars(Retire) /\ WF_vars(Suspect)
    /\ \A g \in G : WF_vars(Overdue(g) /\ Close(g))

TypeOK ==
    /\ status \in {"new", "joining", "active", "revoked"}
    /\ floor \in 0..MaxGeneration /\ hi \in 0..MaxGeneration /\ proved \in BOOLEAN
    /\ key \in 0..MaxGeneration /\ next \in 0..MaxGeneration
    /\ known \in [G -> 0..MaxGeneration]
    /\ live \in [G -> 0..MaxGeneration]
    /\ age \in [G -> 0..Life]
    /\ sess \in [G -> 0..MaxGeneration]
    /\ since \in 0..(Life + 1)
    /\ stolen \in 0..MaxGeneration
    /\ own \in BOOLEAN /\ alien \in BOOLEAN /\ suspect \in BOOLEAN
    /\ restarts \in 0..MaxRestarts /\ thefts \in 0..MaxThefts

NoLockout == status = "active" => Accepted(key)
TwoKeysAtMost == hi <= floor + 2
RevokedMeansNone == status = "revoked" => floor = hi
KnownIsRefused == \A g \in G : sess[g] # 0 => sess[g] > live[g]
NoFalseSuspicion == suspect => thefts > 0
RefusedInTime == \A g \in G : sess[g] # 0 /\ sess[g] <= floor => since <= Life

LifecycleStep == status' = status \/ <<status, status'>> \in
        {<<"new", "joining">>, <<"joining", "active">>, <<"joining", "revoked">>,
         <<"active", "revoked">>, <<"revoked", "joining">>}
FloorGrowsStep == floor' >= floor /\ \A g \in G : live'[g] >= live[g] /\ known'[g] >= known[g]
KeyGrowsStep == key' >= key
Lifecycle == [][LifecycleStep]_vars
FloorGrows == [][FloorGrowsStep]_vars
KeyGrows == [][KeyGrowsStep]_vars

CutOff == \A g \in G : (sess[g] # 0 /\ sess[g] <= floor) ~> (sess[g] = 0 \/ sess[g] > floor)
Joins == status = "joining" ~> status \in {"active", "revoked"}
Retires == (status = "active" /\ hi = floor + 2) ~> (status = "revoked" \/ hi = floor + 1)

Detected == (own /\ alien) ~> suspect

\* Witnesses: must be reachable.
NeverBackAfterRevocation == ~(status = "active" /\ stolen > 0 /\ floor >= stolen)
NeverCloneCutOff == ~(suspect /\ status = "active" /\ floor >= stolen)
NeverServesRevoked == ~(\E g \in G : sess[g] # 0 /\ sess[g] <= floor /\ since = Life)
====
