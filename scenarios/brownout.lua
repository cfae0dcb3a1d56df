---@meta
-- What a scenario can say, for the Lua language server: completion, hints and checks as you write.
-- Nothing here runs. A scenario begins with a comment that is its question, and returns its table:
--
--   -- Does a device whose power fails in mid-write come back with all that it promised?
--   ---@type Scenario
--   return {
--     fleet = { devices = 10 },
--     run = function(w)
--       w:sleep("10m")
--       w:power_cut("dev3", "20s")
--     end,
--     expect = { { "lost", "==", 0 } },
--   }
--
-- Lua is 5.4 without os, io, load, require and debug. Tables are walked in sorted order, table.sort
-- is stable, chance comes from the seed of the run. The length #t of a table with holes is not
-- defined.

---A span of time as text: "250us" "20ms" "90s" "10m" "6h" "2d", or a sum of such: "1h30m".
---@alias Duration string

---A node by its name ("cloud1", "gw2", "rogue1", "dev17"), all of a role, or a list of such.
---@alias Targets string|"device"|"gateway"|"cloud"|"rogue"|"all"|string[]

---What a kind of link does to bytes; or "trace:UP.mahi,DOWN.mahi", beside the scenario.
---@alias Profile string|"lte-m"|"nb-iot"|"3g"|"satellite"|"leo"|"wifi"|"wifi-factory"|"ethernet"

---@alias Role "device"|"gateway"|"cloud"|"rogue"

---What can befall the world.
---@alias Effect
---| "power_cut" # power is gone, in the middle of an operation; back after `lasts`
---| "crash" # the process dies, what was written stays; back after `lasts`
---| "hang" # no step for `lasts`; the watchdog may bite first
---| "suspend" # asleep: no step and the monotonic clock stands still
---| "disk_full" # writes that grow a file fail
---| "disk_error" # disk operations fail with this chance
---| "disk_lying" # sync answers done and makes nothing durable
---| "disk_lost" # power cut; the node comes back with a blank disk
---| "wall_step" # the wall clock jumps by this much, either way
---| "wall_drift" # the wall clock runs fast or slow
---| "wall_freeze" # the wall clock stands still
---| "wall_reset" # the wall clock is back in 1970
---| "monotonic_drift" # the oscillator is off
---| "link_reset" # both ends are reset, bytes under way are lost
---| "link_half_open" # one end is gone and the other does not know
---| "link_stall" # bytes wait; nothing is lost
---| "link_delay" # every byte takes this much longer
---| "link_slow" # bandwidth falls to this share
---| "partition" # nothing passes, either way
---| "partition_in" # nothing reaches the target; its own bytes pass
---| "partition_out" # nothing leaves the target; others' bytes pass
---| "attack_replay" # rogue gateway: sends captured envelopes again
---| "attack_reorder" # rogue gateway: holds envelopes back behind later ones
---| "attack_duplicate" # rogue gateway: sends envelopes twice
---| "attack_delay" # rogue gateway: holds envelopes back for minutes
---| "attack_corrupt" # rogue gateway: flips bits, forges counters, both ways
---| "attack_drop" # rogue gateway: takes custody and forgets
---| "flash_bad" # so many sectors refuse to be written, for good; they can still be read
---| "flash_bad_silent" # so many sectors only pretend to be written, for good
---| "flash_rot" # so many programmed words lose a bit or two: retention is over
---| "flash_stuck" # so many bits stay what they are, for good
---| "flash_disturb" # so many bits get weak, as reads do it: they answer each read anew
---| "flash_brown_out" # supply too low: a program writes garbage with this chance, and says done
---| "flash_wear" # worn: from so many erases since new on a sector refuses to be written
---| "left_dark" # not healed: from heal on without power, for good
---| "left_cut" # not healed: from heal on nothing passes, either way, for good
---| "attack_flood" # rogue gateway: so many hostile links to each honest gateway, which say nothing, little, or garbage

---What a run counts.
---@alias Figure
---| "sampled" # readings signed by devices (readings)
---| "stored" # readings durable in an outbox (readings)
---| "lost" # sampled and not kept, as evidenced (readings)
---| "shed" # dropped as oldest by the counted rule (readings)
---| "sent" # envelopes handed to a link by devices (messages)
---| "custody" # taken into custody by gateways (messages)
---| "forwarded" # handed to the cloud's link by gateways (messages)
---| "accepted" # accepted by the cloud (readings)
---| "acks" # signed acks sent by the cloud (messages)
---| "released" # acked and forgotten by devices (readings)
---| "rejected" # verified and not accepted (messages)
---| "refused" # custody refused by a rule (messages)
---| "dropped" # hostile or broken bytes dropped (messages)
---| "challenges" # challenges for a missing window (messages)
---| "reconnects" # reconnects planned by devices (events)
---| "boots" # boots of all nodes (events)
---| "power_losses" # nodes that lost power (events)
---| "air_bytes" # bytes handed to device links, both ways (bytes)
---| "backhaul_bytes" # bytes between gateways and the cloud (bytes)
---| "signatures" # signatures made (operations)
---| "verifications" # signatures checked (operations)
---| "flash_programs" # program operations (operations)
---| "flash_erases" # sector erases (operations)
---| "disk_syncs" # disk syncs (operations)
---| "images_judged" # crash images judged (images)
---| "queue_peak" # longest gateway queue seen (messages)
---| "resumed" # downloads of firmware that went on after a restart (events)
---| "armed" # images installed, their trial armed (events)
---| "confirmed" # images confirmed (events)
---| "reverted" # trials that ended in a revert (events)
---| "updated" # at the end: run the newest release, confirmed (devices)
---| "known" # at the end: run what the cloud knows of them (devices)
---| "flash_dropped" # cached writes that power took (operations)
---| "flash_poisoned" # reads of words that ECC has given up (operations)
---| "flash_refused" # writes that a bad sector refused (operations)
---| "flash_ignored" # writes that a bad sector only pretended to do (operations)
---| "flash_worn" # sectors that wore out (sectors)
---| "flash_faded" # programmed bits that were lost (bits)
---| "flash_weak" # bits that were disturbed (bits)
---| "flash_garbled" # units programmed while the supply was too low (units)
---| "recovery_us" # from heal until no device kept a reading stored before; unknown: it did not come to that (us)
---| "unfollowed" # devices that the laws of specs followed no further (devices)
---| "unfollowed_readings" # readings of other devices that spec.session followed no further (readings)

---What nodes say that they did; see core/evidence.h.
---@alias Evidence
---| "BOOT"
---| "RESERVE"
---| "SIGN"
---| "STORE"
---| "LOSE"
---| "SEND"
---| "SHED"
---| "RELEASE"
---| "BACKOFF"
---| "CUSTODY"
---| "FORWARD"
---| "DISCHARGE"
---| "REFUSE"
---| "WINDOW"
---| "ACCEPT"
---| "COMMIT"
---| "REJECT"
---| "ACK"
---| "CHALLENGE"
---| "DROP"
---| "JUMP"
---| "STRAND"
---| "REVERT"
---| "TAKE"
---| "DECLINE"
---| "FILL"
---| "ARM"
---| "CONFIRM"
---| "RAISE"
---| "ROTATE"
---| "POLICY"
---| "STATUS"
---| "LEARN"

---What a node does through its port; the groups any, flash, disk and link.
---@alias Operation
---| "clock"
---| "link_open"
---| "link_send"
---| "link_close"
---| "flash_read"
---| "flash_program"
---| "flash_erase"
---| "flash_sync"
---| "disk_open"
---| "disk_read"
---| "disk_write"
---| "disk_sync"
---| "disk_truncate"
---| "disk_delete"
---| "entropy"
---| "public_key"
---| "sign"
---| "verify"
---| "sha256"
---| "hkdf"
---| "seal"
---| "open"
---| "counter_read"
---| "counter_increment"
---| "retained_read"
---| "retained_write"
---| "watchdog"
---| "reset_reason"
---| "reset"
---| "sensor"
---| "actuator"
---| "evidence"
---| "any"
---| "flash"
---| "disk"
---| "link"

---@class Scenario
---@field fleet? FleetSection who there is
---@field device? DeviceSection
---@field workload? WorkloadSection who samples how often, and when
---@field gateway? GatewaySection
---@field cloud? CloudSection
---@field link? LinkSection
---@field flash? FlashSection
---@field firmware? FirmwareSection
---@field latitude? LatitudeSection what a port may do, and core has no call to forbid
---@field duration? Duration safety phase: faults may strike
---@field heal? Duration liveness phase: all is healed, and must converge
---@field crypto? "openssl"|"ideal" signatures: real, or fast stand-ins of the same sizes
---@field readings? string CSV file beside the scenario: a row an instant, a column a device
---@field laws? string laws that are judged, with commas between; -LAW: all but that one
---@field canary? "no"|"yes" the judge is told twice of the first accepted reading, and must object
---@field heal_core? "no"|"yes" after heal a part of the fleet stays dark or cut, drawn from the seed; who has a way left must find it
---@field swarm? "no"|"yes"|"half" topology, configuration, latitude and faults are drawn from the seed, over what stands here; half: in every other run
---@field sweep_every? integer a sweep of several files takes this one with one of so many seeds in a row, and with the first of all: where runs soon repeat each other
---@field faults? FaultsSection what is drawn, class by class, from the seed
---@field strikes? Strike[] placed in advance: each with at, operation or evidence
---@field run? fun(w: World) drives the run: it sleeps, awaits and strikes
---@field expect? table<integer|string, Expectation|Judgement> what must hold at the end

---A named function, judged live only: whether it holds, and a text for when it does not.
---@alias Judgement fun(w: World): boolean, string?

---{ "accepted", ">=", 100 }: kept in the plan, so a replay judges it too.
---@class Expectation
---@field [1] Figure
---@field [2] "<"|"<="|"=="|">="|">"
---@field [3] integer

---@class FleetSection
---@field clouds? integer cloud nodes
---@field gateways? integer gateways
---@field rogues? integer compromised gateways, played by the attacker
---@field devices? integer devices

---@class DeviceSection
---@field sample_every? Duration period of readings
---@field reserve? integer counters reserved by one flash write
---@field outbox? integer unacked readings kept
---@field window? integer sent ahead of the oldest unacked counter
---@field gateways? integer gateways that a device roams between
---@field backoff_base? Duration first reconnect delay at the most
---@field backoff_cap? Duration reconnect delay at the most
---@field ack_timeout? Duration reconnect when the cloud has not acked for so long
---@field watchdog? Duration 0: no watchdog
---@field keep_alive? Duration MQTT keep alive, whole seconds

---@class WorkloadSection
---@field hot? integer the busiest device samples so many times as often as device.sample_every says
---@field skew? integer the r-th busiest samples r^skew times as seldom, 64 times at the most; 0: all alike
---@field burst? integer readings in a row before a device is idle; 0: it never is
---@field idle? Duration time without readings behind a burst
---@field packet_id? integer MQTT packet id that each connection of a device begins with

---@class GatewaySection
---@field queue? integer messages in custody
---@field share? integer messages of one device in custody
---@field sessions? integer device sessions at once
---@field backoff_base? Duration first reconnect delay at the most
---@field backoff_cap? Duration reconnect delay at the most
---@field watchdog? Duration 0: no watchdog
---@field keep_alive? Duration MQTT keep alive towards the cloud

---@class CloudSection
---@field window? integer replay window in bits
---@field sessions? integer gateway sessions at once
---@field watchdog? Duration 0: no watchdog

---@class LinkSection
---@field device? Profile profile of device links, or trace:UP.mahi,DOWN.mahi
---@field gateway? Profile profile of links between gateways and the cloud

---@class FlashSection
---@field part? string a part of sim/parts ("ecc-8"), or a file beside the scenario ("./my.part")
---@field sectors? integer sectors of a device's flash; of a part that has more, the first ones
---@field sector? integer bytes of a sector
---@field unit? integer bytes of a program unit: 1, 2, 4, 8, 16 or 32

---@class FirmwareSection
---@field image? integer bytes of an image in one of two slots; 0: firmware is not managed
---@field trials? integer boots that an unconfirmed image gets
---@field reverts? integer times that one release may be reverted before it is given up
---@field trial? Duration an unconfirmed image resets when the cloud has not answered for so long
---@field watchdog? Duration armed by the boot loader before an image on trial
---@field release? Duration when the cloud begins to offer release 2; 0: there is none
---@field level? integer security level of release 2; that of release 1 is 1
---@field defect? "none"|"hang"|"reset"|"mute" how release 2 behaves

---@class LatitudeSection
---@field short_sends? integer ppm of sends that take only a part
---@field chunks? integer ppm of segments that arrive in two parts
---@field early_timers? integer ppm of steps after which a node is woken before its deadline

---One class of faults. A text is short for { every = text }.
---@class Fault
---@field every? Duration mean time between strikes, for each target on its own
---@field lasts? string a duration or a range: "10s..5m"
---@field amount? string|integer parts per million or how many, "1000..50000", or times, "-1h..1h"
---@field on? Role|Role[] whom it strikes; without it everybody that it can

---@class FaultsSection
---@field power_cut? Duration|Fault power is gone, in the middle of an operation; back after `lasts`
---@field crash? Duration|Fault the process dies, what was written stays; back after `lasts`
---@field hang? Duration|Fault no step for `lasts`; the watchdog may bite first
---@field suspend? Duration|Fault asleep: no step and the monotonic clock stands still
---@field disk_full? Duration|Fault writes that grow a file fail
---@field disk_error? Duration|Fault disk operations fail with this chance
---@field disk_lying? Duration|Fault sync answers done and makes nothing durable
---@field disk_lost? Duration|Fault power cut; the node comes back with a blank disk
---@field wall_step? Duration|Fault the wall clock jumps by this much, either way
---@field wall_drift? Duration|Fault the wall clock runs fast or slow
---@field wall_freeze? Duration|Fault the wall clock stands still
---@field wall_reset? Duration|Fault the wall clock is back in 1970
---@field monotonic_drift? Duration|Fault the oscillator is off
---@field link_reset? Duration|Fault both ends are reset, bytes under way are lost
---@field link_half_open? Duration|Fault one end is gone and the other does not know
---@field link_stall? Duration|Fault bytes wait; nothing is lost
---@field link_delay? Duration|Fault every byte takes this much longer
---@field link_slow? Duration|Fault bandwidth falls to this share
---@field partition? Duration|Fault nothing passes, either way
---@field partition_in? Duration|Fault nothing reaches the target; its own bytes pass
---@field partition_out? Duration|Fault nothing leaves the target; others' bytes pass
---@field attack_replay? Duration|Fault rogue gateway: sends captured envelopes again
---@field attack_reorder? Duration|Fault rogue gateway: holds envelopes back behind later ones
---@field attack_duplicate? Duration|Fault rogue gateway: sends envelopes twice
---@field attack_delay? Duration|Fault rogue gateway: holds envelopes back for minutes
---@field attack_corrupt? Duration|Fault rogue gateway: flips bits, forges counters, both ways
---@field attack_drop? Duration|Fault rogue gateway: takes custody and forgets
---@field flash_bad? Duration|Fault so many sectors refuse to be written, for good; they can still be read
---@field flash_bad_silent? Duration|Fault so many sectors only pretend to be written, for good
---@field flash_rot? Duration|Fault so many programmed words lose a bit or two: retention is over
---@field flash_stuck? Duration|Fault so many bits stay what they are, for good
---@field flash_disturb? Duration|Fault so many bits get weak, as reads do it: they answer each read anew
---@field flash_brown_out? Duration|Fault supply too low: a program writes garbage with this chance, and says done
---@field flash_wear? Duration|Fault worn: from so many erases since new on a sector refuses to be written
---@field left_dark? Duration|Fault not healed: from heal on without power, for good
---@field left_cut? Duration|Fault not healed: from heal on nothing passes, either way, for good
---@field attack_flood? Duration|Fault rogue gateway: so many hostile links to each honest gateway, which say nothing, little, or garbage

---Where a strike falls: at a time, inside an operation, or on a piece of evidence. Without any of
---them: now.
---@class StrikeOptions
---@field at? Duration since the start of the run; with a trigger: counting begins then
---@field operation? Operation trigger: the target's port operation of this kind
---@field evidence? Evidence trigger: the target has said this
---@field nth? integer the nth of them, from 1 (the next one)
---@field boot? integer only in this boot of the target, from 1; 0: in any
---@field phase? "before"|"inside"|"after" where in the operation power fails; "inside" unless told
---@field fraction? integer how far inside, 0..65535
---@field delay? Duration strike so long after the trigger
---@field other? string effects on links: only those to this node

---@class Strike: StrikeOptions
---@field effect Effect
---@field on Targets
---@field lasts? Duration of effects that last
---@field amount? integer|string parts per million, how many, or a time: "5m", "-1h"

---What a hook hears.
---@class EvidenceItem
---@field name Evidence
---@field node string who said it
---@field device? string whom it is about
---@field epoch integer
---@field counter integer
---@field value integer
---@field time integer microseconds, inside the step

---The world between two events. run(w) alone can wait; hooks, predicates and expectations look, and
---strike.
---@class World
local World = {}

---Let time pass.
---@param time Duration
function World:sleep(time) end

---Wait until the predicate holds; it is asked after each event.
---@param predicate fun(w: World): boolean
---@param within? Duration at the most so long; without it to the end of the run
---@return boolean holds false: it did not come true in time
function World:await(predicate, within) end

---Simulated time since the start, in microseconds.
---@return integer us
function World:now() end

---The same as text: "1h30m".
---@return string
function World:now_text() end

---Something befalls the world, now or where its options say.
---@param strike Strike
function World:strike(strike) end

---Call a function for each piece of evidence of this name, after the step that said it.
---@param name Evidence
---@param hook fun(e: EvidenceItem)
---@return integer handle for w:off
function World:on(name, hook) end

---@param handle integer of w:on
function World:off(handle) end

---How a node sees itself, as named numbers; nil while it is down. Device: epoch, counter_next,
---counter_reserved, oldest, outbox_count, connected. Gateway: queue_count, session_count, connected
---and counts. Cloud and rogue: counts.
---@param node string
---@return table<string, integer>?
function World:view(node) end

---@param name Figure
---@return integer? value nil: it cannot be told yet
function World:figure(name) end

---@param node string
---@return boolean
function World:up(node) end

---The names of all nodes, or of those of a role.
---@param role? Role|"all"
---@return string[]
function World:nodes(role) end

---As math.random, from the scenario's own stream.
---@param low? integer
---@param high? integer
---@return integer
function World:random(low, high) end

---Say something on standard error, with the time.
---@param text any
function World:log(text) end

---The run does not pass. It goes on to its end; the first such text is the verdict's.
---@param text string
function World:fail(text) end

---Power is gone, in the middle of an operation; back after `lasts`
---@param on Targets
---@param lasts Duration
---@param options? StrikeOptions
function World:power_cut(on, lasts, options) end

---The process dies, what was written stays; back after `lasts`
---@param on Targets
---@param lasts Duration
---@param options? StrikeOptions
function World:crash(on, lasts, options) end

---No step for `lasts`; the watchdog may bite first
---@param on Targets
---@param lasts Duration
---@param options? StrikeOptions
function World:hang(on, lasts, options) end

---Asleep: no step and the monotonic clock stands still
---@param on Targets
---@param lasts Duration
---@param options? StrikeOptions
function World:suspend(on, lasts, options) end

---Writes that grow a file fail
---@param on Targets
---@param lasts Duration
---@param options? StrikeOptions
function World:disk_full(on, lasts, options) end

---Disk operations fail with this chance
---@param on Targets
---@param amount integer parts per million
---@param lasts Duration
---@param options? StrikeOptions
function World:disk_error(on, amount, lasts, options) end

---Sync answers done and makes nothing durable
---@param on Targets
---@param lasts Duration
---@param options? StrikeOptions
function World:disk_lying(on, lasts, options) end

---Power cut; the node comes back with a blank disk
---@param on Targets
---@param options? StrikeOptions
function World:disk_lost(on, options) end

---The wall clock jumps by this much, either way
---@param on Targets
---@param amount Duration either way: "5m", "-1h"
---@param options? StrikeOptions
function World:wall_step(on, amount, options) end

---The wall clock runs fast or slow
---@param on Targets
---@param amount integer parts per million
---@param lasts Duration
---@param options? StrikeOptions
function World:wall_drift(on, amount, lasts, options) end

---The wall clock stands still
---@param on Targets
---@param lasts Duration
---@param options? StrikeOptions
function World:wall_freeze(on, lasts, options) end

---The wall clock is back in 1970
---@param on Targets
---@param options? StrikeOptions
function World:wall_reset(on, options) end

---The oscillator is off
---@param on Targets
---@param amount integer parts per million
---@param lasts Duration
---@param options? StrikeOptions
function World:monotonic_drift(on, amount, lasts, options) end

---Both ends are reset, bytes under way are lost
---@param on Targets
---@param options? StrikeOptions
function World:link_reset(on, options) end

---One end is gone and the other does not know
---@param on Targets
---@param options? StrikeOptions
function World:link_half_open(on, options) end

---Bytes wait; nothing is lost
---@param on Targets
---@param lasts Duration
---@param options? StrikeOptions
function World:link_stall(on, lasts, options) end

---Every byte takes this much longer
---@param on Targets
---@param amount Duration how much
---@param lasts Duration
---@param options? StrikeOptions
function World:link_delay(on, amount, lasts, options) end

---Bandwidth falls to this share
---@param on Targets
---@param amount integer parts per million
---@param lasts Duration
---@param options? StrikeOptions
function World:link_slow(on, amount, lasts, options) end

---Nothing passes, either way
---@param on Targets
---@param lasts Duration
---@param options? StrikeOptions
function World:partition(on, lasts, options) end

---Nothing reaches the target; its own bytes pass
---@param on Targets
---@param lasts Duration
---@param options? StrikeOptions
function World:partition_in(on, lasts, options) end

---Nothing leaves the target; others' bytes pass
---@param on Targets
---@param lasts Duration
---@param options? StrikeOptions
function World:partition_out(on, lasts, options) end

---Rogue gateway: sends captured envelopes again
---@param on Targets
---@param amount integer parts per million
---@param lasts Duration
---@param options? StrikeOptions
function World:attack_replay(on, amount, lasts, options) end

---Rogue gateway: holds envelopes back behind later ones
---@param on Targets
---@param amount integer parts per million
---@param lasts Duration
---@param options? StrikeOptions
function World:attack_reorder(on, amount, lasts, options) end

---Rogue gateway: sends envelopes twice
---@param on Targets
---@param amount integer parts per million
---@param lasts Duration
---@param options? StrikeOptions
function World:attack_duplicate(on, amount, lasts, options) end

---Rogue gateway: holds envelopes back for minutes
---@param on Targets
---@param amount integer parts per million
---@param lasts Duration
---@param options? StrikeOptions
function World:attack_delay(on, amount, lasts, options) end

---Rogue gateway: flips bits, forges counters, both ways
---@param on Targets
---@param amount integer parts per million
---@param lasts Duration
---@param options? StrikeOptions
function World:attack_corrupt(on, amount, lasts, options) end

---Rogue gateway: takes custody and forgets
---@param on Targets
---@param amount integer parts per million
---@param lasts Duration
---@param options? StrikeOptions
function World:attack_drop(on, amount, lasts, options) end

---So many sectors refuse to be written, for good; they can still be read
---@param on Targets
---@param amount integer how many
---@param options? StrikeOptions
function World:flash_bad(on, amount, options) end

---So many sectors only pretend to be written, for good
---@param on Targets
---@param amount integer how many
---@param options? StrikeOptions
function World:flash_bad_silent(on, amount, options) end

---So many programmed words lose a bit or two: retention is over
---@param on Targets
---@param amount integer how many
---@param options? StrikeOptions
function World:flash_rot(on, amount, options) end

---So many bits stay what they are, for good
---@param on Targets
---@param amount integer how many
---@param options? StrikeOptions
function World:flash_stuck(on, amount, options) end

---So many bits get weak, as reads do it: they answer each read anew
---@param on Targets
---@param amount integer how many
---@param options? StrikeOptions
function World:flash_disturb(on, amount, options) end

---Supply too low: a program writes garbage with this chance, and says done
---@param on Targets
---@param amount integer parts per million
---@param lasts Duration
---@param options? StrikeOptions
function World:flash_brown_out(on, amount, lasts, options) end

---Worn: from so many erases since new on a sector refuses to be written
---@param on Targets
---@param amount integer how many
---@param options? StrikeOptions
function World:flash_wear(on, amount, options) end

---Not healed: from heal on without power, for good. What a run is asked for after heal takes it into account.
---@param on Targets
---@param options? StrikeOptions
function World:left_dark(on, options) end

---Not healed: from heal on nothing passes, either way, for good
---@param on Targets
---@param options? StrikeOptions
function World:left_cut(on, options) end

---Rogue gateway: so many hostile links to each honest gateway, which say nothing, little, or garbage
---@param on Targets
---@param amount integer how many
---@param lasts Duration
---@param options? StrikeOptions
function World:attack_flood(on, amount, lasts, options) end

-- The life of one device, for `brownout cuts`: every power cut of it, nested to any depth.
--
--   -- Does a device come out of every power cut of an install?
--   ---@type Life
--   return {
--     releases = { { level = 1 }, { level = 3 } },
--     life = { { install = 2 } },
--   }

---A release. Its place in the list is the sequence of its manifest; the first one left the factory.
---@class LifeRelease
---@field level? integer of security, 1 to 64
---@field defect? "none"|"hang"|"reset"|"mute" how it behaves once it is booted

---One goal, which the device is brought to however often power goes away. One of the first seven.
---@class LifeGoal
---@field install? integer this release is offered until it is confirmed, or reverted too often
---@field download? integer this release is offered, and withdrawn after so many `sectors`
---@field refuse? integer offers made out of this release that must change nothing, for each reason
---@field rotate? true the next key pair is staged, signed for, and put in force
---@field policy? integer this version is put in force
---@field sample? integer so many readings are stored; acks come for two at a time
---@field reset? true back to what left the factory, firmware apart
---@field sectors? integer of a download

---@class Life
---@field life LifeGoal[] one after the other
---@field before? LifeGoal[] reached first, without a cut: the search begins behind them
---@field releases? LifeRelease[]
---@field part? string a flash part of sim/parts, or a file; --part wins
---@field sector? integer bytes: the part is cut down to such sectors, if it can be
---@field image? integer bytes of each release (36864)
---@field piece? integer bytes that the server sends at once (256)
---@field trials? integer boots that an unconfirmed image gets (2)
---@field reverts? integer times that one release may be reverted and offered again (2)
---@field app_sectors? integer of the application's store (3)
---@field cuts? string[] this one history in place of all: "1f.3", "22.0~01", "end", as cuts prints it
