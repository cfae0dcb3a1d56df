---- MODULE Rollout ----
\* One release goes out to a fleet by stages. The cloud offers it to as many devices as the stage
\* allows, and goes on when enough of them are known to be healthy. Failed or silent devices above a
\* threshold, in the fleet or in one cohort, halt it; an operator may halt, resume and roll back at
\* any time. An offer on its way when the halt comes may still be installed; a device that has heard
\* of the halt waits.
EXTENDS Naturals, FiniteSets

CONSTANTS
    Devices, Stages,  \* how many
    Threshold,        \* as many may fail or be silent
    Cohorts,          \* groups of devices that may fail for one reason; device d is in d % Cohorts
    CohortThreshold,  \* as many of one cohort
    MaxTrouble,       \* devices that fail or fall silent
    MaxOperator,      \* halts, resumptions, roll-backs by the operator
    MaxCrashes,
    SilentIsHealthy,  \* bug: a device that says nothing counts as healthy
    IgnoreCohorts,    \* bug: only the whole fleet is looked at
    ForgetHalt,       \* bug: a scheduler that starts does not look whether there is a halt
    InstallHeld       \* bug: a device that has heard of the halt installs nevertheless

VARIABLES
    stage,     \* durable; 0: not begun
    halted,    \* durable
    back,      \* durable: the operator has ordered the way back
    sched,     \* volatile, the scheduler: down, goes, or stands
    dev,       \* a device: old, offered, held (offered, and has heard of the halt), new, back
    know,      \* durable, what the cloud knows of it: none, healthy, failed, silent
    trouble, ops, crashes  \* faults and orders so far

vars == <<stage, halted, back, sched, dev, know, trouble, ops, crashes>>

D == 1..Devices
Cap(s) == IF s >= Stages THEN Devices ELSE s
Count(s) == Cardinality(s)
Exposed == Count({d \in D : dev[d] \in {"offered", "held", "new"}})
Healthy == Count({d \in D : know[d] = "healthy"})
Cohort(h) == {d \in D : d % Cohorts = h}
\* What the scheduler counts, and what it ought to count.
Good == Count({d \in D : know[d] = "healthy" \/ (SilentIsHealthy /\ know[d] = "silent")})
Bad(s) == Count({d \in s : know[d] = "failed" \/ (~SilentIsHealthy /\ know[d] = "silent")})
TooBad == \/ Bad(D) > Threshold
          \/ ~IgnoreCohorts /\ \E h \in 0..(Cohorts - 1) : Bad(Cohort(h)) > CohortThreshold
Unwell(s) == Count({d \in s : know[d] \in {"failed", "silent"}})
Trouble == \/ Unwell(D) > Threshold
           \/ \E h \in 0..(Cohorts - 1) : Unwell(Cohort(h)) > CohortThreshold
\* Of the devices that the stage exposes, as many must be known to be healthy.
Need(s) == IF Cap(s) > Threshold THEN Cap(s) - Threshold ELSE 1

Init ==
    /\ stage = 0
    /\ halted = FALSE
    /\ back = FALSE
    /\ sched = "goes"
    /\ dev = [d \in D |-> "old"]
    /\ know = [d \in D |-> "none"]
    /\ trouble = 0 /\ ops = 0 /\ crashes = 0

\* The scheduler.
Advance ==
    /\ sched = "goes" /\ stage < Stages /\ ~TooBad
    /\ stage = 0 \/ Good >= Need(stage)
    /\ stage' = stage + 1
    /\ UNCHANGED <<halted, back, sched, dev, know, trouble, ops, crashes>>

Offer(d) ==
    /\ sched = "goes" /\ ~TooBad
    /\ \/ dev[d] = "old" /\ Exposed < Cap(stage)
       \/ dev[d] = "held"
    /\ dev' = [dev EXCEPT ![d] = "offered"]
    /\ UNCHANGED <<stage, halted, back, sched, know, trouble, ops, crashes>>

Halt ==
    /\ sched = "goes" /\ TooBad
    /\ halted' = TRUE
    /\ sched' = "stands"
    /\ UNCHANGED <<stage, back, dev, know, trouble, ops, crashes>>

SchedCrash ==
    /\ sched # "down" /\ crashes < MaxCrashes
    /\ crashes' = crashes + 1
    /\ sched' = "down"
    /\ UNCHANGED <<stage, halted, back, dev, know, trouble, ops>>

SchedStart ==
    /\ sched = "down"
    /\ sched' = IF halted /\ ~ForgetHalt THEN "stands" ELSE "goes"
    /\ UNCHANGED <<stage, halted, back, dev, know, trouble, ops, crashes>>

\* The operator. What is ordered is durable, and a scheduler that runs learns it.
OpHalt ==
    /\ ~halted /\ ops < MaxOperator
    /\ ops' = ops + 1
    /\ halted' = TRUE
    /\ sched' = IF sched = "down" THEN "down" ELSE "stands"
    /\ UNCHANGED <<stage, back, dev, know, trouble, crashes>>

OpResume ==
    /\ halted /\ ~back /\ ops < MaxOperator
    /\ ops' = ops + 1
    /\ halted' = FALSE
    /\ sched' = IF sched = "down" THEN "down" ELSE "goes"
    /\ UNCHANGED <<stage, back, dev, know, trouble, crashes>>

OpBack ==
    /\ ~back /\ stage > 0 /\ ops < MaxOperator
    /\ ops' = ops + 1
    /\ back' = TRUE
    /\ halted' = TRUE
    /\ sched' = IF sched = "down" THEN "down" ELSE "stands"
    /\ UNCHANGED <<stage, dev, know, trouble, crashes>>

\* Devices.
Install(d) ==
    /\ dev[d] = "offered" \/ (InstallHeld /\ dev[d] = "held")
    /\ dev' = [dev EXCEPT ![d] = "new"]
    /\ UNCHANGED <<stage, halted, back, sched, know, trouble, ops, crashes>>

HearHalt(d) ==
    /\ halted /\ dev[d] = "offered"
    /\ dev' = [dev EXCEPT ![d] = "held"]
    /\ UNCHANGED <<stage, halted, back, sched, know, trouble, ops, crashes>>

ReportHealthy(d) ==
    /\ dev[d] = "new" /\ know[d] \in {"none", "silent"}
    /\ know' = [know EXCEPT ![d] = "healthy"]
    /\ UNCHANGED <<stage, halted, back, sched, dev, trouble, ops, crashes>>

\* The image is bad for this device; it may have said that it is healthy before.
ReportFailed(d) ==
    /\ dev[d] = "new" /\ know[d] # "failed" /\ trouble < MaxTrouble
    /\ trouble' = trouble + 1
    /\ know' = [know EXCEPT ![d] = "failed"]
    /\ UNCHANGED <<stage, halted, back, sched, dev, ops, crashes>>

\* The cloud has waited for its report long enough.
FallSilent(d) ==
    /\ dev[d] \in {"offered", "new"} /\ know[d] = "none" /\ trouble < MaxTrouble
    /\ trouble' = trouble + 1
    /\ know' = [know EXCEPT ![d] = "silent"]
    /\ UNCHANGED <<stage, halted, back, sched, dev, ops, crashes>>

GoBack(d) ==
    /\ back /\ dev[d] \in {"offered", "held", "new"}
    /\ dev' = [dev EXCEPT ![d] = IF @ = "new" THEN "back" ELSE "old"]
    /\ UNCHANGED <<stage, halted, back, sched, know, trouble, ops, crashes>>

Next ==
    \/ Advance
    \/ Halt
    \/ SchedCrash
    \/ SchedStart
    \/ OpHalt
    \/ OpResume
    \/ OpBack
    \/ \E d \in D :
        \/ Offer(d)
        \/ Install(d)
        \/ HearHalt(d)
        \/ ReportHealthy(d)
        \/ ReportFailed(d)
        \/ FallSilent(d)
        \/ GoBack(d)

Spec == Init /\ [][Next]_vars
FairSpec ==
    /\ Spec
    /\ WF_vars(Advance) /\ WF_vars(Halt) /\ WF_vars(SchedStart)
    /\ \A d \in D :
        /\ WF_vars(Offer(d)) /\ WF_vars(Install(d))
        /\ WF_vars(ReportHealthy(d)) /\ WF_vars(GoBack(d))

TypeOK ==
    /\ stage \in 0..Stages
    /\ halted \in BOOLEAN
    /\ back \in BOOLEAN
    /\ sched \in {"down", "goes", "stands"}
    /\ dev \in [D -> {"old", "offered", "held", "new", "back"}]
    /\ know \in [D -> {"none", "healthy", "failed", "silent"}]
    /\ trouble \in 0..MaxTrouble /\ ops \in 0..MaxOperator /\ crashes \in 0..MaxCrashes

ExposureBounded == Exposed <= Cap(stage)
HaltIsKnown == halted => sched # "goes"
BackIsHalted == back => halted

StageByStageStep == stage' \in {stage, stage + 1}
AdvanceOnlyWithEvidenceStep ==
    stage' > stage /\ stage > 0 => Healthy >= Need(stage) /\ ~Trouble
NoOfferAfterHaltStep ==
    \A d \in D : (halted \/ Trouble) /\ dev'[d] = "offered" => dev[d] = "offered"
HeldWaitsStep == \A d \in D : dev[d] = "held" => dev'[d] # "new"
HaltStaysStep == halted /\ ~halted' => ops' > ops
StageByStage == [][StageByStageStep]_vars
AdvanceOnlyWithEvidence == [][AdvanceOnlyWithEvidenceStep]_vars
NoOfferAfterHalt == [][NoOfferAfterHaltStep]_vars
HeldWaits == [][HeldWaitsStep]_vars
HaltStays == [][HaltStaysStep]_vars

\* Whatever fails: it ends in the last stage, or at a halt.
Finishes == stage < Stages ~> (halted \/ (stage = Stages /\ \A d \in D : dev[d] = "new"))
TroubleHalts == Trouble ~> (halted \/ ~Trouble)
BackIsBack == back ~> (\A d \in D : dev[d] \in {"old", "back"})

\* Witnesses: must be reachable.
NeverFinished == ~(stage = Stages /\ Healthy = Devices)
NeverInstalledAfterHalt == ~(halted /\ \E d \in D : dev[d] = "new" /\ know[d] = "silent")
NeverCohortHalts == ~(halted /\ ops = 0 /\ Unwell(D) <= Threshold)
NeverFinishedAfterHalt == ~(ops = MaxOperator /\ stage = Stages /\ Healthy = Devices)
====
