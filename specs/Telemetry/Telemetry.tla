---- MODULE Telemetry ----
\* A reading from its counter to its ack: no counter is used twice whatever power does, nothing is
\* accepted twice, and what the device forgets because of an ack is durable in the cloud.
\*
\* The network keeps whatever was ever sent and delivers any of it at any time, any number of times
\* or never: loss, delay, reordering, duplication and replay need no action of their own.
EXTENDS Naturals, FiniteSets

CONSTANTS
    Devices, Epochs, Counters,      \* so many of each; counters are 1..Counters
    WindowBits,                     \* of the replay window
    ReserveBy,                      \* counters reserved by one flash write
    OutboxMax,                      \* readings that the device keeps
    DeviceLosses, CloudLosses,      \* budgets of faults
    ResumeFromUsed,                 \* bug: after a cut the device goes on inside its reserve
    KeepEpoch,                      \* bug: a lost store does not begin a new epoch
    SendBeyondWindow,               \* bug: the device sends whatever it holds
    AckBeforeCommit                 \* bug: the cloud acks what is not durable yet

VARIABLES
    epoch, reserved, stored,        \* device, durable: counters below reserved may be used
    next, held, fresh,              \* device, volatile; fresh: signed, not yet stored; 0: none
    used, shed,                     \* what befell counters of this epoch; nobody reads them
    sent,                           \* the network, by epoch
    acked,                          \* counters of this epoch that any ack ever covered
    asked,                          \* cloud, volatile: the nonce of a challenge is out
    answers,                        \* the network: floors in answers to that nonce, by epoch
    window_epoch, top, seen, rows,  \* cloud, as it works; epoch 0: no window
    durable_epoch, durable_top, durable_seen, durable_rows,
    device_losses, cloud_losses
Device == 1..Devices
Epoch == 1..Epochs
Counter == 1..Counters
flash == <<epoch, reserved, stored>>
ghost == <<used, shed>>
window == <<window_epoch, top, seen, rows>>
durable == <<durable_epoch, durable_top, durable_seen, durable_rows>>
budget == <<device_losses, cloud_losses>>
device == <<flash, next, held, fresh, ghost>>
rest == <<sent, acked, asked, answers, window, durable, budget>> \* for the device
vars == <<device, rest>>

\* All up to the floor are closed for the device: acked, shed, lost, or never to be used.
Floor(d) == IF held[d] = {} THEN next[d] - 1
            ELSE (CHOOSE c \in held[d] : \A x \in held[d] : c <= x) - 1
Oldest(d) == Floor(d) + 1
Fresh(d, c) == c > top[d] \/ (c + WindowBits > top[d] /\ c \notin seen[d])
\* What an ack covers: below the window everything.
Covers(bits, high) == {c \in Counter : c <= high /\ (c + WindowBits <= high \/ c \in bits)}
Committed(d) == /\ durable_epoch[d] = window_epoch[d] /\ durable_top[d] = top[d]
                /\ durable_seen[d] = seen[d] /\ durable_rows[d] = rows[d]

Each(value) == [d \in Device |-> value]
NoAnswer == [e \in Epoch |-> {}]
Init ==
    /\ epoch = Each(1) /\ reserved = Each(1) /\ stored = Each({})
    /\ next = Each(1) /\ held = Each({}) /\ fresh = Each(0) /\ used = Each({}) /\ shed = Each({})
    /\ sent = Each([e \in Epoch |-> {}]) /\ acked = Each({})
    /\ asked = Each(FALSE) /\ answers = Each(NoAnswer)
    /\ window_epoch = Each(0) /\ top = Each(0) /\ seen = Each({}) /\ rows = Each({})
    /\ durable_epoch = Each(0) /\ durable_top = Each(0) /\ durable_seen = Each({})
    /\ durable_rows = Each({}) /\ device_losses = 0 /\ cloud_losses = 0

\* ---- The device. Between Sign and Store it makes room, or loses power, and does nothing else. ---

\* The floor rides along: records up to it do not come back.
Reserve(d) ==
    /\ fresh[d] = 0 /\ next[d] = reserved[d] /\ next[d] + ReserveBy <= Counters + 1
    /\ reserved' = [reserved EXCEPT ![d] = next[d] + ReserveBy]
    /\ stored' = [stored EXCEPT ![d] = {c \in @ : c > Floor(d)}]
    /\ UNCHANGED <<epoch, next, held, fresh, ghost, rest>>

\* A number is drawn that no reading will have: it names something else, or nothing could be signed.
Skip(d) ==
    /\ fresh[d] = 0 /\ next[d] < reserved[d]
    /\ used' = [used EXCEPT ![d] = @ \cup {next[d]}] /\ next' = [next EXCEPT ![d] = @ + 1]
    /\ UNCHANGED <<flash, held, fresh, shed, rest>>

Sign(d) ==
    /\ fresh[d] = 0 /\ next[d] < reserved[d] /\ Cardinality(held[d]) < OutboxMax
    /\ used' = [used EXCEPT ![d] = @ \cup {next[d]}] /\ fresh' = [fresh EXCEPT ![d] = next[d]]
    /\ next' = [next EXCEPT ![d] = @ + 1] /\ UNCHANGED <<flash, held, shed, rest>>

\* Forgetting is not durable. `over`: the forgotten reading whose slot is used again, or 0.
Store(d, over) ==
    /\ fresh[d] # 0
    /\ IF over = 0 THEN Cardinality(stored[d]) < OutboxMax ELSE over \in stored[d] \ held[d]
    /\ stored' = [stored EXCEPT ![d] = (@ \ {over}) \cup {fresh[d]}]
    /\ held' = [held EXCEPT ![d] = @ \cup {fresh[d]}] /\ fresh' = [fresh EXCEPT ![d] = 0]
    /\ UNCHANGED <<epoch, reserved, next, ghost, rest>>

\* Flash takes it in no way.
Lose(d) ==
    /\ fresh[d] # 0 /\ fresh' = [fresh EXCEPT ![d] = 0]
    /\ UNCHANGED <<flash, next, held, ghost, rest>>

\* The records of a store move together, and what was forgotten is left behind.
Compact(d, c) ==
    /\ c \in stored[d] \ held[d] /\ stored' = [stored EXCEPT ![d] = @ \ {c}]
    /\ UNCHANGED <<epoch, reserved, next, held, fresh, ghost, rest>>

\* The counted rule: the oldest goes when there is no room for another reading, or in flash for what
\* is being written: a reading that is signed, or a reserve.
Shed(d) ==
    /\ held[d] # {} /\ (fresh[d] # 0 \/ next[d] = reserved[d] \/ Cardinality(held[d]) >= OutboxMax)
    /\ held' = [held EXCEPT ![d] = @ \ {Oldest(d)}]
    /\ shed' = [shed EXCEPT ![d] = @ \cup {Oldest(d)}]
    /\ UNCHANGED <<flash, next, fresh, used, rest>>

\* Only within the window of the oldest, so that no reading pushes an older one out of it.
Send(d, c) ==
    /\ fresh[d] = 0 /\ c \in held[d] /\ (c < Oldest(d) + WindowBits \/ SendBeyondWindow)
    /\ sent' = [sent EXCEPT ![d][epoch[d]] = @ \cup {c}]
    /\ UNCHANGED <<device, acked, asked, answers, window, durable, budget>>

Release(d, c) ==
    /\ fresh[d] = 0 /\ c \in held[d] /\ c \in acked[d]
    /\ held' = [held EXCEPT ![d] = @ \ {c}] /\ UNCHANGED <<flash, next, fresh, ghost, rest>>

Respond(d) ==
    /\ fresh[d] = 0 /\ asked[d]
    /\ answers' = [answers EXCEPT ![d][epoch[d]] = @ \cup {Floor(d)}]
    /\ UNCHANGED <<device, sent, acked, asked, window, durable, budget>>

\* ---- The cloud. It works in a transaction: what is not committed is lost with its power. --------

Challenge(d, e) ==
    /\ sent[d][e] # {} /\ e > window_epoch[d] /\ asked' = [asked EXCEPT ![d] = TRUE]
    /\ UNCHANGED <<device, sent, acked, answers, window, durable, budget>>

\* A floor never goes down: what was accepted stays closed.
Window(d, e, floor) ==
    /\ asked[d] /\ floor \in answers[d][e] /\ e >= window_epoch[d]
    /\ e = window_epoch[d] => floor >= top[d]
    /\ window_epoch' = [window_epoch EXCEPT ![d] = e] /\ top' = [top EXCEPT ![d] = floor]
    /\ seen' = [seen EXCEPT ![d] = {c \in Counter : c <= floor /\ c + WindowBits > floor}]
    /\ rows' = [rows EXCEPT ![d] = IF e = window_epoch[d] THEN @ ELSE {}]
    /\ asked' = [asked EXCEPT ![d] = FALSE] /\ answers' = [answers EXCEPT ![d] = NoAnswer]
    /\ UNCHANGED <<device, sent, acked, durable, budget>>

Accept(d, e, c) ==
    /\ c \in sent[d][e] /\ e = window_epoch[d] /\ Fresh(d, c)
    /\ top' = [top EXCEPT ![d] = IF c > @ THEN c ELSE @]
    /\ seen' = [seen EXCEPT ![d] = {x \in @ \cup {c} : x + WindowBits > top'[d]}]
    /\ rows' = [rows EXCEPT ![d] = @ \cup {c}]
    /\ UNCHANGED <<device, sent, acked, asked, answers, window_epoch, durable, budget>>

\* Whatever is refused must have deserved it: closed, of another epoch, or there is no window.
Reject(d, e, c) ==
    /\ c \in sent[d][e] /\ (e = window_epoch[d] => ~Fresh(d, c)) /\ UNCHANGED vars

Commit ==
    /\ durable_epoch' = window_epoch /\ durable_top' = top
    /\ durable_seen' = seen /\ durable_rows' = rows
    /\ UNCHANGED <<device, sent, acked, asked, answers, window, budget>>

\* A device knows nothing of another epoch's acks.
Ack(d) ==
    /\ window_epoch[d] # 0 /\ (Committed(d) \/ AckBeforeCommit)
    /\ acked' = IF window_epoch[d] = epoch[d]
                THEN [acked EXCEPT ![d] = @ \cup Covers(seen[d], top[d])] ELSE acked
    /\ UNCHANGED <<device, sent, asked, answers, window, durable, budget>>

\* ---- Faults -------------------------------------------------------------------------------------

\* Every number below the reserve may have been used.
PowerLoss(d) ==
    /\ device_losses < DeviceLosses /\ device_losses' = device_losses + 1
    /\ next' = [next EXCEPT ![d] =
            reserved[d] - IF ResumeFromUsed /\ reserved[d] > ReserveBy THEN ReserveBy ELSE 0]
    /\ held' = [held EXCEPT ![d] = stored[d]] /\ fresh' = [fresh EXCEPT ![d] = 0]
    /\ UNCHANGED <<flash, ghost, sent, acked, asked, answers, window, durable, cloud_losses>>

\* The store is lost: the epoch rises before anything is written.
Found(d) ==
    /\ epoch[d] < Epochs
    /\ epoch' = [epoch EXCEPT ![d] = IF KeepEpoch THEN @ ELSE @ + 1]
    /\ used' = [used EXCEPT ![d] = IF KeepEpoch THEN @ ELSE {}]
    /\ reserved' = [reserved EXCEPT ![d] = 1] /\ next' = [next EXCEPT ![d] = 1]
    /\ stored' = [stored EXCEPT ![d] = {}] /\ held' = [held EXCEPT ![d] = {}]
    /\ fresh' = [fresh EXCEPT ![d] = 0] /\ shed' = [shed EXCEPT ![d] = {}]
    /\ acked' = [acked EXCEPT ![d] = {}]
    /\ UNCHANGED <<sent, asked, answers, window, durable, budget>>

\* Power, or a commit that failed. Answers to a nonce that is forgotten are worth nothing.
CloudLoss ==
    /\ cloud_losses < CloudLosses /\ cloud_losses' = cloud_losses + 1
    /\ window_epoch' = durable_epoch /\ top' = durable_top /\ seen' = durable_seen
    /\ rows' = durable_rows /\ asked' = Each(FALSE) /\ answers' = Each(NoAnswer)
    /\ UNCHANGED <<device, sent, acked, durable, device_losses>>

Next ==
    \/ \E d \in Device :
        \/ Reserve(d) \/ Skip(d) \/ Sign(d) \/ Lose(d) \/ Shed(d) \/ Respond(d) \/ Ack(d)
        \/ PowerLoss(d) \/ Found(d)
        \/ \E over \in 0..Counters : Store(d, over)
        \/ \E c \in Counter : Compact(d, c) \/ Send(d, c) \/ Release(d, c)
        \/ \E e \in Epoch : Challenge(d, e) \/ \E floor \in 0..Counters : Window(d, e, floor)
        \/ \E e \in Epoch : \E c \in Counter : Accept(d, e, c) \/ Reject(d, e, c)
    \/ Commit \/ CloudLoss
Spec == Init /\ [][Next]_vars
\* What must go on for the fleet to recover; sampling, shedding and what is lost need not.
FairSpec ==
    /\ Spec /\ WF_vars(Commit)
    /\ \A d \in Device :
        /\ WF_vars(\E over \in 0..Counters : Store(d, over)) /\ WF_vars(Respond(d))
        /\ WF_vars(\E e \in Epoch : \E floor \in 0..Counters : Window(d, e, floor))
        /\ WF_vars(Ack(d))
        /\ \A c \in Counter : WF_vars(Send(d, c)) /\ WF_vars(Release(d, c))
        /\ \A e \in Epoch : WF_vars(Challenge(d, e))
        /\ \A e \in Epoch : \A c \in Counter : WF_vars(Accept(d, e, c))

TypeOK ==
    /\ epoch \in [Device -> Epoch] /\ reserved \in [Device -> 1..Counters + 1]
    /\ stored \in [Device -> SUBSET Counter] /\ held \in [Device -> SUBSET Counter]
    /\ next \in [Device -> 1..Counters + 1] /\ fresh \in [Device -> 0..Counters]
    /\ sent \in [Device -> [Epoch -> SUBSET Counter]] /\ acked \in [Device -> SUBSET Counter]
    /\ answers \in [Device -> [Epoch -> SUBSET (0..Counters)]]
    /\ top \in [Device -> 0..Counters] /\ window_epoch \in [Device -> 0..Epochs]

\* ---- Claims -------------------------------------------------------------------------------------
NonceUnique == \A d \in Device : next[d] \notin used[d]
AcceptOnce == \A d \in Device : \A c \in rows[d] : ~Fresh(d, c)
Authentic == \A d \in Device : \A c \in rows[d] :
    window_epoch[d] # 0 /\ c \in sent[d][window_epoch[d]]
AckIsTrue == \A d \in Device : acked[d] # {} =>
    durable_epoch[d] = epoch[d] /\ acked[d] \subseteq Covers(durable_seen[d], durable_top[d])
AckedIsDurable == \A d \in Device :
    (stored[d] \cap acked[d]) \subseteq (durable_rows[d] \cup shed[d])
OutboxBounded == \A d \in Device : Cardinality(stored[d]) <= OutboxMax

WindowMonotoneStep == \A d \in Device : durable_epoch'[d] > durable_epoch[d]
    \/ (durable_epoch'[d] = durable_epoch[d] /\ durable_top'[d] >= durable_top[d])
RowsKeptStep == \A d \in Device : durable_epoch'[d] = durable_epoch[d] =>
    durable_rows[d] \subseteq durable_rows'[d]
ReserveMonotoneStep == \A d \in Device : epoch'[d] = epoch[d] => reserved'[d] >= reserved[d]
ForgetsByRuleStep == \A d \in Device : epoch'[d] = epoch[d] =>
    \A c \in held[d] \ held'[d] : c \in acked[d] \/ c \in shed'[d]
WindowMonotone == [][WindowMonotoneStep]_vars
RowsKept == [][RowsKeptStep]_vars
ReserveMonotone == [][ReserveMonotoneStep]_vars
ForgetsByRule == [][ForgetsByRuleStep]_vars

Delivered == \A d \in Device : \A c \in Counter : (c \in held[d]) ~> (c \notin held[d])

\* What these deny must be reachable.
NeverAllAcked == \A d \in Device : acked[d] # Counter
NeverLateAccept == \A d \in Device : 2 \in rows[d] /\ durable_top[d] = 3 => 2 \in durable_rows[d]
NeverNewEpochAcked == \A d \in Device : epoch[d] = 1 \/ acked[d] = {}
====
