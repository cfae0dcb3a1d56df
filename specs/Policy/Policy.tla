---- MODULE Policy ----
\* Policies and modes of a node (a device or a gateway) that moves something. Policies are signed
\* and numbered; an even one allows reading only, an odd one to drive the output as well. A policy
\* that the cloud has not confirmed for Life ticks expires: the node is degraded and starts nothing,
\* and Grace ticks later safe and still, which only an operator ends. Stopping is always allowed.
EXTENDS Naturals

CONSTANTS
    Nodes,           \* how many
    MaxVersion, Life, Grace,
    MaxPowerLoss, MaxOutages,
    MaxAttacks,      \* forged offers, and old ones that are replayed
    TakeUnsigned,    \* bug: a node does not verify
    ReplayRenews,    \* bug: a replayed policy counts as word from the cloud
    KeepDriving,     \* bug: the output is left as it is when the node goes to safe
    UseFirst         \* bug: a policy is used before it is durable

VARIABLES
    newest,   \* the version that the operator has signed last
    pver,     \* durable
    held,     \* volatile: the version that the node goes by
    offer,    \* volatile: a version that was received
    kind,     \* of the offer: none, fresh (answers this node's nonce), replay, forged
    age,      \* volatile: ticks since fresh word from the cloud, at most Life + Grace
    mode,     \* safe is durable, the others are volatile
    out,      \* the output drives: the world itself
    link,     \* to the cloud
    losses, outages, attacks  \* faults so far

vars == <<newest, pver, held, offer, kind, age, mode, out, link, losses, outages, attacks>>

N == 1..Nodes
Driving(v) == v % 2 = 1
Rank(m) == IF m = "normal" THEN 0 ELSE IF m = "degraded" THEN 1 ELSE 2
\* What the evidence calls for.
Due(n) == IF age[n] < Life THEN "normal" ELSE IF age[n] < Life + Grace THEN "degraded" ELSE "safe"
May(n) == mode[n] # "safe" /\ Driving(held[n])

Init ==
    /\ newest = 0
    /\ pver = [n \in N |-> 0]
    /\ held = [n \in N |-> 0]
    /\ offer = [n \in N |-> 0]
    /\ kind = [n \in N |-> "none"]
    /\ age = [n \in N |-> Life]
    /\ mode = [n \in N |-> "degraded"]
    /\ out = [n \in N |-> FALSE]
    /\ link = [n \in N |-> TRUE]
    /\ losses = 0 /\ outages = 0 /\ attacks = 0

Publish ==
    /\ newest < MaxVersion
    /\ newest' = newest + 1
    /\ UNCHANGED <<pver, held, offer, kind, age, mode, out, link, losses, outages, attacks>>

\* Word from the cloud: the newest policy, and proof that it is the newest now.
Fetch(n) ==
    /\ link[n] /\ kind[n] = "none" /\ (newest > pver[n] \/ age[n] > 0)
    /\ offer' = [offer EXCEPT ![n] = newest]
    /\ kind' = [kind EXCEPT ![n] = "fresh"]
    /\ UNCHANGED <<newest, pver, held, age, mode, out, link, losses, outages, attacks>>

\* Durable first: Store, then Use.
Genuine(n) == kind[n] \in {"fresh", "replay"} \/ (TakeUnsigned /\ kind[n] = "forged")
Store(n) ==
    /\ Genuine(n) /\ offer[n] > pver[n] /\ (UseFirst => held[n] = offer[n])
    /\ pver' = [pver EXCEPT ![n] = offer[n]]
    /\ UNCHANGED <<newest, held, offer, kind, age, mode, out, link, losses, outages, attacks>>

Use(n) ==
    /\ IF UseFirst THEN Genuine(n) /\ offer[n] > held[n] ELSE pver[n] > held[n]
    /\ held' = [held EXCEPT ![n] = IF UseFirst THEN offer[n] ELSE pver[n]]
    /\ out' = [out EXCEPT ![n] = @ /\ Driving(held'[n])]
    /\ UNCHANGED <<newest, pver, offer, kind, age, mode, link, losses, outages, attacks>>

\* The offer is what is in force already; if it is fresh, so is the policy.
Renew(n) ==
    /\ Genuine(n) /\ offer[n] = pver[n] /\ held[n] = pver[n]
    /\ age' = [age EXCEPT ![n] = IF kind[n] = "fresh" \/ ReplayRenews THEN 0 ELSE @]
    /\ offer' = [offer EXCEPT ![n] = 0]
    /\ kind' = [kind EXCEPT ![n] = "none"]
    /\ UNCHANGED <<newest, pver, held, mode, out, link, losses, outages, attacks>>

Reject(n) ==
    /\ kind[n] # "none" /\ (~Genuine(n) \/ offer[n] < pver[n])
    /\ offer' = [offer EXCEPT ![n] = 0]
    /\ kind' = [kind EXCEPT ![n] = "none"]
    /\ UNCHANGED <<newest, pver, held, age, mode, out, link, losses, outages, attacks>>

\* Modes. Tightening is the node's own; safe ends by an operator's word, which comes by the link.
Tighten(n) ==
    /\ Rank(Due(n)) > Rank(mode[n])
    /\ mode' = [mode EXCEPT ![n] = Due(n)]
    /\ out' = [out EXCEPT ![n] = @ /\ (Due(n) # "safe" \/ KeepDriving)]
    /\ UNCHANGED <<newest, pver, held, offer, kind, age, link, losses, outages, attacks>>

Leave(n) ==
    /\ mode[n] = "degraded" /\ Due(n) = "normal"
    /\ mode' = [mode EXCEPT ![n] = "normal"]
    /\ UNCHANGED <<newest, pver, held, offer, kind, age, out, link, losses, outages, attacks>>

Rearm(n) ==
    /\ mode[n] = "safe" /\ link[n] /\ Due(n) = "normal"
    /\ mode' = [mode EXCEPT ![n] = "normal"]
    /\ UNCHANGED <<newest, pver, held, offer, kind, age, out, link, losses, outages, attacks>>

Drive(n) ==
    /\ ~out[n] /\ mode[n] = "normal" /\ Driving(held[n])
    /\ out' = [out EXCEPT ![n] = TRUE]
    /\ UNCHANGED <<newest, pver, held, offer, kind, age, mode, link, losses, outages, attacks>>

Stop(n) ==
    /\ out[n]
    /\ out' = [out EXCEPT ![n] = FALSE]
    /\ UNCHANGED <<newest, pver, held, offer, kind, age, mode, link, losses, outages, attacks>>

\* The world. A tick is longer than what a node does by itself.
Settled(n) ==
    /\ mode[n] = "safe" \/ mode[n] = Due(n)
    /\ kind[n] = "none" /\ held[n] = pver[n]
Tick(n) ==
    /\ age[n] < Life + Grace /\ Settled(n)
    /\ age' = [age EXCEPT ![n] = @ + 1]
    /\ UNCHANGED <<newest, pver, held, offer, kind, mode, out, link, losses, outages, attacks>>

Partition(n) ==
    /\ link[n] /\ outages < MaxOutages
    /\ outages' = outages + 1
    /\ link' = [link EXCEPT ![n] = FALSE]
    /\ UNCHANGED <<newest, pver, held, offer, kind, age, mode, out, losses, attacks>>

Heal(n) ==
    /\ ~link[n]
    /\ link' = [link EXCEPT ![n] = TRUE]
    /\ UNCHANGED <<newest, pver, held, offer, kind, age, mode, out, losses, outages, attacks>>

Replay(n, v) ==
    /\ kind[n] = "none" /\ v <= newest /\ attacks < MaxAttacks
    /\ attacks' = attacks + 1
    /\ offer' = [offer EXCEPT ![n] = v]
    /\ kind' = [kind EXCEPT ![n] = "replay"]
    /\ UNCHANGED <<newest, pver, held, age, mode, out, link, losses, outages>>

Forge(n, v) ==
    /\ kind[n] = "none" /\ attacks < MaxAttacks
    /\ attacks' = attacks + 1
    /\ offer' = [offer EXCEPT ![n] = v]
    /\ kind' = [kind EXCEPT ![n] = "forged"]
    /\ UNCHANGED <<newest, pver, held, age, mode, out, link, losses, outages>>

\* How long the power was off nobody knows: the policy has expired. The grace begins anew, which
\* gives nothing away: the output has fallen, and a degraded node does not start it.
PowerLoss(n) ==
    /\ losses < MaxPowerLoss
    /\ losses' = losses + 1
    /\ held' = [held EXCEPT ![n] = pver[n]]
    /\ offer' = [offer EXCEPT ![n] = 0]
    /\ kind' = [kind EXCEPT ![n] = "none"]
    /\ age' = [age EXCEPT ![n] = IF mode[n] = "safe" THEN Life + Grace ELSE Life]
    /\ mode' = [mode EXCEPT ![n] = IF @ = "safe" THEN "safe" ELSE "degraded"]
    /\ out' = [out EXCEPT ![n] = FALSE]
    /\ UNCHANGED <<newest, pver, link, outages, attacks>>

Next ==
    \/ Publish
    \/ \E n \in N :
        \/ Fetch(n)
        \/ Store(n)
        \/ Use(n)
        \/ Renew(n)
        \/ Reject(n)
        \/ Tighten(n)
        \/ Leave(n)
        \/ Rearm(n)
        \/ Drive(n)
        \/ Stop(n)
        \/ Tick(n)
        \/ Partition(n)
        \/ Heal(n)
        \/ PowerLoss(n)
        \/ \E v \in 0..MaxVersion : Replay(n, v)
        \/ \E v \in 0..MaxVersion : Forge(n, v)

Spec == Init /\ [][Next]_vars
System(n) == Store(n) \/ Use(n) \/ Renew(n) \/ Reject(n) \/ Tighten(n) \/ Leave(n)
FairSpec ==
    /\ Spec
    /\ \A n \in N : WF_vars(Fetch(n)) /\ WF_vars(System(n)) /\ WF_vars(Heal(n))

TypeOK ==
    /\ newest \in 0..MaxVersion
    /\ pver \in [N -> 0..MaxVersion]
    /\ held \in [N -> 0..MaxVersion]
    /\ offer \in [N -> 0..MaxVersion]
    /\ kind \in [N -> {"none", "fresh", "replay", "forged"}]
    /\ age \in [N -> 0..(Life + Grace)]
    /\ mode \in [N -> {"normal", "degraded", "safe"}]
    /\ out \in [N -> BOOLEAN]
    /\ link \in [N -> BOOLEAN]
    /\ losses \in 0..MaxPowerLoss /\ outages \in 0..MaxOutages /\ attacks \in 0..MaxAttacks

UnsignedNeverApplied == \A n \in N : pver[n] <= newest
FailSafeOnExpiry == \A n \in N : Rank(mode[n]) + 1 >= Rank(Due(n))
OutputOnlyWithRight == \A n \in N : out[n] => May(n)

VersionsGrowStep == \A n \in N : pver'[n] >= pver[n] /\ held'[n] >= held[n]
OnlyFreshWordRenewsStep ==
    \A n \in N : age'[n] < age[n] => kind[n] = "fresh" \/ age'[n] >= Life
SafeUntilRearmedStep == \A n \in N : mode[n] = "safe" /\ mode'[n] # "safe" => link[n]
StartsInNormalStep == \A n \in N : out'[n] /\ ~out[n] => mode[n] = "normal"
StartsInNormal == [][StartsInNormalStep]_vars
VersionsGrow == [][VersionsGrowStep]_vars
OnlyFreshWordRenews == [][OnlyFreshWordRenewsStep]_vars
SafeUntilRearmed == [][SafeUntilRearmedStep]_vars

Converges == \A n \in N : held[n] < newest ~> held[n] = newest
DegradedEnds == \A n \in N : mode[n] = "degraded" ~> mode[n] # "degraded"

\* Witnesses: must be reachable.
NeverRecovered == ~(\E n \in N : outages = MaxOutages /\ mode[n] = "normal" /\ held[n] = MaxVersion)
NeverDrivesOn == ~(\E n \in N : out[n] /\ mode[n] = "degraded" /\ ~link[n])
NeverFrozen == ~(\E n \in N : mode[n] = "safe" /\ held[n] < newest)
====
