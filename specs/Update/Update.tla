---- MODULE Update ----
\* Firmware update of one device: two slots, a boot record, a security counter, and an agent that
\* downloads into the slot that is not running. Each action is one durable act, or one of RAM alone;
\* power may go between any two. "off" is the boot loader before its first act, and so also a device
\* without power: cuts there change nothing and need no action.
EXTENDS Naturals
CONSTANTS
  Releases,      \* images 1..Releases were made and signed; 1 is in slot A from the factory
  HighLevel,     \* security level of even releases; that of the others is 1
  Sectors,       \* of an image
  Trials,        \* boots that an unconfirmed image gets
  RevertsMax,    \* times that one image may be reverted and taken again
  MaxLosses, MaxSpoils, \* of power; of a slot's bytes, or of the boot record
  EarlyFloor,    \* bug: the floor rises for an image on trial
  KeepHeader,    \* bug: a new download does not erase the slot's header
  FreeTrial,     \* bug: a trial is not counted before its image runs
  EagerCount,    \* bug: a sector counts before its bytes are in flash
  TakeAny        \* bug: an offer may be older, or below the floor
VARIABLES
  header,        \* flash, of each slot: the release that its header names; 0: none
  content,       \* flash, of each slot: the release whose bytes these are; 0: nobody's
  whole,         \* flash, of each slot: how many sectors of it were written, from the first
  lost,          \* the boot record cannot be read; what follows of it is then as in a new one
  confirmed,     \* record: the slot that boots when there is no trial
  highest,       \* record: the newest release that was ever confirmed
  trial, left,   \* record: the release on trial in the other slot, and the boots that it has left
  ran,           \* history: boots that it had
  reverted, reverts, \* record: the release last reverted; times in a row, RevertsMax: or more
  taken, filled, \* flash: the release that is downloaded, and how many sectors of it count
  floor,         \* the security counter
  at,            \* RAM: what boot loader, image or agent do next
  offer,         \* RAM: a release that was offered, and not answered yet; 0: none
  losses, spoils \* budgets that are used up

slots == <<header, content, whole>>
kept == <<lost, confirmed, highest>>
tried == <<trial, left, ran>>
revert == <<reverted, reverts>>
download == <<taken, filled>>
faults == <<losses, spoils>>
vars == <<slots, kept, tried, revert, download, floor, at, offer, faults>>
Slots == {"A", "B"}
Other(s) == IF s = "A" THEN "B" ELSE "A"
Level(v) == IF v % 2 = 0 THEN HighLevel ELSE 1
Asleep == {"off", "counted"}
Loading == {"begin", "fill", "erased", "written", "full", "bare", "headed"}
Places == Asleep \cup {"run", "trial", "fallback", "armed"} \cup Loading
Target == Other(confirmed) \* of a download, and of a trial
Running == IF at \in {"trial", "fallback"} THEN Target ELSE confirmed
Whole(s, v) == v # 0 /\ content[s] = v /\ whole[s] = Sectors
Bootable(s) == Whole(s, header[s]) /\ Level(header[s]) >= floor
OnTrial == Bootable(Target) /\ header[Target] = trial

Init ==
  /\ header = [s \in Slots |-> IF s = "A" THEN 1 ELSE 0] /\ content = header
  /\ whole = [s \in Slots |-> IF s = "A" THEN Sectors ELSE 0]
  /\ lost = FALSE /\ confirmed = "A" /\ highest = 1
  /\ trial = 0 /\ left = 0 /\ ran = 0 /\ reverted = 0 /\ reverts = 0 /\ taken = 0 /\ filled = 0
  /\ floor = 1 /\ at = "off" /\ offer = 0 /\ losses = 0 /\ spoils = 0

\* The boot loader. Without a record the older good image counts as confirmed; a newer one is tried.
Recover ==
  /\ at = "off" /\ lost /\ {s \in Slots : Bootable(s)} # {}
  /\ LET Found(s) == IF Bootable(s) THEN header[s] ELSE 0
         older == IF Found("B") = 0 \/ (Found("A") # 0 /\ Found("A") <= Found("B"))
                  THEN "A" ELSE "B"
         again == Found(Other(older)) > Found(older)
     IN /\ confirmed' = older /\ highest' = Found(older)
        /\ trial' = IF again THEN Found(Other(older)) ELSE 0
        /\ left' = IF again THEN Trials ELSE 0
  /\ lost' = FALSE /\ ran' = 0
  /\ UNCHANGED <<slots, revert, download, floor, at, offer, faults>>

\* Durable before the image is even looked at: power that goes now burns this trial.
Count ==
  /\ at = "off" /\ ~lost /\ trial # 0 /\ left > 0
  /\ at' = "counted" /\ left' = IF FreeTrial THEN left ELSE left - 1
  /\ UNCHANGED <<slots, kept, trial, ran, revert, download, floor, offer, faults>>

JumpTrial ==
  /\ at = "counted" /\ OnTrial /\ ran < Trials /\ ran' = ran + 1 /\ at' = "trial"
  /\ UNCHANGED <<slots, kept, trial, left, revert, download, floor, offer, faults>>

\* The trials are used up, or the image is not good, or not the one that was armed.
Revert ==
  /\ (at = "off" /\ ~lost /\ trial # 0 /\ left = 0) \/ (at = "counted" /\ ~OnTrial)
  /\ reverted' = trial /\ reverts' = IF reverted # trial THEN 1
                                    ELSE IF reverts < RevertsMax THEN reverts + 1 ELSE reverts
  /\ trial' = 0 /\ left' = 0 /\ ran' = 0 /\ at' = "off"
  /\ UNCHANGED <<slots, kept, download, floor, offer, faults>>

\* One step of the counter: after a confirm, and at each boot in case power went meanwhile.
Raise ==
  /\ \/ at \in {"off", "run"} /\ ~lost /\ trial = 0 /\ Bootable(confirmed)
     \/ EarlyFloor /\ at = "trial"
  /\ floor < Level(header[Running]) /\ floor' = floor + 1
  /\ UNCHANGED <<slots, kept, tried, revert, download, at, offer, faults>>

Jump ==
  /\ at = "off" /\ ~lost /\ trial = 0
  /\ \/ Bootable(confirmed) /\ floor >= Level(header[confirmed]) /\ at' = "run"
     \/ ~Bootable(confirmed) /\ Bootable(Target) /\ at' = "fallback"
  /\ UNCHANGED <<slots, kept, tried, revert, download, floor, offer, faults>>

\* The running image. It is healthy: keep it.
Confirm ==
  /\ at \in {"trial", "fallback"}
  /\ confirmed' = Target /\ trial' = 0 /\ left' = 0 /\ ran' = 0 /\ at' = "run"
  /\ highest' = IF header[Target] > highest THEN header[Target] ELSE highest
  /\ UNCHANGED <<slots, lost, revert, download, floor, offer, faults>>

\* It hangs, and the watchdog that the boot loader armed resets it; or a trial was armed.
Reset ==
  /\ at \in {"trial", "armed"} /\ at' = "off" /\ offer' = 0
  /\ UNCHANGED <<slots, kept, tried, revert, download, floor, faults>>

\* Anybody offers anything that was ever signed: older or newer, below the floor or above.
Offer(v) ==
  /\ at \notin Asleep /\ offer = 0 /\ offer' = v
  /\ UNCHANGED <<slots, kept, tried, revert, download, floor, at, faults>>

\* An offer is judged between writes, by a confirmed image whose floor has risen. What was taken is
\* not given up for an older one, nor what is armed for any.
Open == {"run", "fill", "erased", "full", "armed"}
Judged == offer # 0 /\ at \in Open /\ floor >= Level(header[confirmed])
Newer == offer > highest /\ offer > header[confirmed] /\ Level(offer) >= floor
Welcome == /\ (~TakeAny => Newer) /\ offer >= taken
           /\ ~(offer = reverted /\ reverts >= RevertsMax) /\ (at = "armed" => offer = taken)

Decline ==
  /\ (Judged /\ ~Welcome) \/ (offer # 0 /\ at \in {"trial", "fallback"})
  /\ offer' = 0
  /\ UNCHANGED <<slots, kept, tried, revert, download, floor, at, faults>>

\* The progress of another download ends before the first erase. The same one goes on where it was;
\* a complete one is not fetched again.
Take ==
  /\ Judged /\ Welcome
  /\ LET new == offer # taken \/ (at = "run" /\ filled = 0)
     IN /\ filled' = IF new THEN 0 ELSE filled
        /\ at' = IF new THEN IF KeepHeader THEN "fill" ELSE "begin"
                 ELSE IF at # "run" THEN at ELSE IF filled = Sectors THEN "full" ELSE "fill"
  /\ taken' = offer /\ offer' = 0
  /\ UNCHANGED <<slots, kept, tried, revert, floor, faults>>

\* The agent. The header goes first, and comes last.
EraseHeader ==
  /\ at = "begin" \/ (at = "full" /\ Whole(Target, taken))
  /\ header' = [header EXCEPT ![Target] = 0] /\ at' = IF at = "begin" THEN "fill" ELSE "bare"
  /\ UNCHANGED <<content, whole, kept, tried, revert, download, floor, offer, faults>>

\* What was spoilt of the sectors that count stays so: only the digest tells.
EraseSector ==
  /\ at = "fill" /\ filled < Sectors
  /\ LET mine == filled = 0 \/ content[Target] = taken
     IN /\ content' = [content EXCEPT ![Target] = IF mine THEN taken ELSE 0]
        /\ whole' = [whole EXCEPT ![Target] = IF mine THEN filled ELSE 0]
  /\ at' = "erased" /\ filled' = IF EagerCount THEN filled + 1 ELSE filled
  /\ UNCHANGED <<header, kept, tried, revert, taken, floor, offer, faults>>

WriteSector ==
  /\ at = "erased" /\ whole[Target] < Sectors /\ at' = "written"
  /\ whole' = [whole EXCEPT ![Target] = IF content[Target] = 0 THEN 0 ELSE @ + 1]
  /\ UNCHANGED <<header, content, kept, tried, revert, download, floor, offer, faults>>

\* It is synced, and counts from now on.
CountSector ==
  /\ at = "written" /\ (EagerCount \/ filled < Sectors)
  /\ filled' = IF EagerCount THEN filled ELSE filled + 1
  /\ at' = IF filled' = Sectors THEN "full" ELSE "fill"
  /\ UNCHANGED <<slots, kept, tried, revert, taken, floor, offer, faults>>

WriteHeader ==
  /\ at = "bare" /\ header' = [header EXCEPT ![Target] = taken] /\ at' = "headed"
  /\ UNCHANGED <<content, whole, kept, tried, revert, download, floor, offer, faults>>

\* Verified once more, as the boot loader will.
Arm ==
  /\ at = "headed" /\ Bootable(Target)
  /\ trial' = taken /\ left' = Trials /\ ran' = 0 /\ at' = "armed"
  /\ UNCHANGED <<slots, kept, revert, download, floor, offer, faults>>

Discard ==
  /\ (at = "full" /\ ~Whole(Target, taken)) \/ (at = "headed" /\ ~Bootable(Target))
  /\ filled' = 0 /\ at' = "run"
  /\ UNCHANGED <<slots, kept, tried, revert, taken, floor, offer, faults>>

\* Faults. Bytes of a slot rot, or came wrong; never those that run, nor the last good ones.
Spoil(slot) ==
  /\ spoils < MaxSpoils /\ spoils' = spoils + 1
  /\ content[slot] # 0 /\ Bootable(Other(slot)) /\ (at \notin Asleep => slot # Running)
  /\ content' = [content EXCEPT ![slot] = 0] /\ whole' = [whole EXCEPT ![slot] = 0]
  /\ UNCHANGED <<header, kept, tried, revert, download, floor, at, offer, losses>>

LoseRecord ==
  /\ at = "off" /\ ~lost /\ lost' = TRUE /\ spoils < MaxSpoils /\ spoils' = spoils + 1
  /\ confirmed' = "A" /\ highest' = 0 /\ trial' = 0 /\ left' = 0 /\ ran' = 0
  /\ reverted' = 0 /\ reverts' = 0
  /\ UNCHANGED <<slots, download, floor, at, offer, losses>>

LosePower ==
  /\ at # "off" /\ at' = "off" /\ offer' = 0 /\ losses < MaxLosses /\ losses' = losses + 1
  /\ UNCHANGED <<slots, kept, tried, revert, download, floor, spoils>>

Boot == Recover \/ Count \/ JumpTrial \/ Revert \/ Raise \/ Jump
Load == EraseHeader \/ EraseSector \/ WriteSector \/ CountSector \/ WriteHeader \/ Arm \/ Discard
Next == \/ Recover \/ Count \/ JumpTrial \/ Revert \/ Raise \/ Jump \/ Confirm \/ Reset
        \/ Decline \/ Take \/ EraseHeader \/ EraseSector \/ WriteSector \/ CountSector
        \/ WriteHeader \/ Arm \/ Discard \/ LoseRecord \/ LosePower
        \/ (\E v \in 1..Releases : Offer(v)) \/ (\E slot \in Slots : Spoil(slot))
Spec == Init /\ [][Next]_vars
FairSpec == /\ Spec /\ WF_vars(Boot) /\ WF_vars(Load)
            /\ WF_vars(Confirm \/ Reset) /\ WF_vars(Decline \/ Take)
TypeOK ==
  /\ header \in [Slots -> 0..Releases] /\ content \in [Slots -> 0..Releases]
  /\ whole \in [Slots -> 0..Sectors] /\ lost \in BOOLEAN /\ confirmed \in Slots
  /\ highest \in 0..Releases /\ trial \in 0..Releases /\ left \in 0..Trials /\ ran \in 0..Trials
  /\ reverted \in 0..Releases /\ reverts \in 0..RevertsMax /\ taken \in 0..Releases
  /\ filled \in 0..Sectors /\ floor \in 1..HighLevel /\ at \in Places /\ offer \in 0..Releases
  /\ losses \in 0..MaxLosses /\ spoils \in 0..MaxSpoils
NeverBricked == \E s \in Slots : Bootable(s)
RunsWhole == at \notin Asleep => Bootable(Running)
HeaderLast == \A s \in Slots : header[s] = 0 \/ content[s] = 0 \/ Whole(s, header[s])
WayBack == ~lost /\ trial # 0 => content[confirmed] = 0 \/ Bootable(confirmed)
TrialsBounded == ran + left <= Trials
FloorEarned == ~lost => floor <= Level(header[confirmed])
CountedIsThere == ~lost /\ filled > 0 /\ header[confirmed] # taken =>
                  content[Target] = 0 \/ (content[Target] = taken /\ whole[Target] >= filled)
FloorMonotoneStep == floor' >= floor
OnlyConfirmKeepsStep == confirmed' # confirmed => lost \/ lost' \/ at \in {"trial", "fallback"}
NoHastyRevertStep == trial' = 0 /\ confirmed' = confirmed /\ ~lost' => left = 0 \/ ~OnTrial
NoDowngradeStep == taken' # taken => taken' > highest /\ Level(taken') >= floor
ProgressKeptStep == taken' = taken /\ filled' < filled => ~Whole(Target, taken)
FloorMonotone == [][FloorMonotoneStep]_vars
OnlyConfirmKeeps == [][OnlyConfirmKeepsStep]_vars
NoHastyRevert == [][NoHastyRevertStep]_vars
NoDowngrade == [][NoDowngradeStep]_vars
ProgressKept == [][ProgressKeptStep]_vars
BackUp == (at \in Asleep) ~> (at \notin Asleep)
TrialEnds == (trial # 0) ~> (trial = 0)
LoadEnds == (at \in Loading) ~> (at \notin Loading)
FloorRises == (floor < Level(header[confirmed])) ~> (floor >= Level(header[confirmed]))
Answered == (offer # 0) ~> (offer = 0)
\* Must be reachable: each is violated.
NeverBurntTrial == ~(at = "off" /\ trial # 0 /\ left = 0 /\ ran = 0 /\ OnTrial)
NeverFallback == at # "fallback"
NeverCutRaise == ~(at = "off" /\ ~lost /\ 1 < floor /\ floor < Level(header[confirmed]))
NeverSecondChance == ~(reverted # 0 /\ highest = reverted)
====
