/* What each action of specs/Telemetry is on the bench.
 *
 * The network is the driver: of what the device sends it keeps what the spec says, and loses the
 * rest. Two things the core does in one call and the spec in several actions:
 *   - a sample: Shed, Reserve, Sign, Store. The first ones are held back until Store, or until the
 *     power goes, at the operation between the two that the spec means;
 *   - a step of the cloud: Window, Accept and Reject up to Commit, in the order of their copies.
 * So is the release of several readings by one ack.
 */
#include <stdlib.h>
#include <string.h>

#include "core/check.h"
#include "sim/drive_telemetry.h"

static const char held_back[] = "the core reserves in the step that signs";
static const char together[] = "the records of a store move together";
static const char moves_apart[] = "a sample moves no records where there is room";
static const char never_full[] = "so few readings always find room in flash";
static const char read_only[] = "a store that failed is read-only until the next boot";
static const char room_first[] = "the core makes room before it reserves";
static const char releasing[] = "an ack releases all that it covers in one step";
static const char lowest_slot[] = "the core takes the lowest free slot";
static const char behind_commit[] = "a challenge leaves behind the commit of its step";

enum drive_outcome telemetry_fail(struct telemetry_rig *rig, const char *why)
{
    rig->why = why;
    return DRIVE_FAILED;
}

enum drive_outcome telemetry_undriven(struct telemetry_rig *rig, const char *why)
{
    rig->why = why;
    return DRIVE_UNDRIVEN;
}

/* ---- The device ------------------------------------------------------------------------------ */

static bool is_holding_back(const struct telemetry_half *half)
{
    return half->shed || half->reserve || half->sign || half->releasing != 0;
}

/* Is a sample free to begin, or to go on? */
static enum drive_outcome begin_sample(struct telemetry_rig *rig, const struct telemetry_half *half)
{
    if (half->releasing != 0) {
        return telemetry_undriven(rig, releasing);
    }
    return half->compacted != 0 ? telemetry_undriven(rig, together) : DRIVE_DONE;
}

static bool is_full(const struct telemetry_rig *rig, const struct telemetry_half *half)
{
    return !half->shed && set_count(bench_device_held(&half->bench)) >= rig->k.outbox_max;
}

/* Without a sample: the record of the oldest does not read back. False: it is not shed. */
static bool shed_alone(struct telemetry_half *half)
{
    struct drive_node *node = &half->bench.node;
    const uint32_t before = drive_node_count(node, EVIDENCE_SHED);
    half->shed = false;
    return bench_device_garble(&half->bench) && drive_node_count(node, EVIDENCE_SHED) == before + 1;
}

static enum drive_outcome act_shed(struct telemetry_rig *rig, struct telemetry_half *half)
{
    const enum drive_outcome begins = begin_sample(rig, half);
    if (begins != DRIVE_DONE) {
        return begins;
    }
    if (half->sign) {
        return telemetry_undriven(rig, never_full);
    }
    if (half->reserve) {
        return telemetry_undriven(rig, room_first);
    }
    if (half->shed && !shed_alone(half)) {
        return telemetry_fail(rig, "the device does not shed");
    }
    if (!is_full(rig, half)) {
        return shed_alone(half) ? DRIVE_DONE : telemetry_fail(rig, "the device does not shed");
    }
    half->shed = true;
    return DRIVE_DONE;
}

static enum drive_outcome act_reserve(struct telemetry_rig *rig, struct telemetry_half *half)
{
    const enum drive_outcome begins = begin_sample(rig, half);
    if (begins != DRIVE_DONE) {
        return begins;
    }
    if (half->broken) {
        return telemetry_undriven(rig, read_only);
    }
    half->reserve = true; /* with a full outbox: for a number that is no reading's */
    return DRIVE_DONE;
}

static enum drive_outcome act_sign(struct telemetry_rig *rig, struct telemetry_half *half)
{
    const enum drive_outcome begins = begin_sample(rig, half);
    half->sign = begins == DRIVE_DONE;
    return begins;
}

/* What was said is what was held back, up to `last`, and no more. */
static bool is_sample(const struct telemetry_half *half, enum evidence_kind last)
{
    const struct drive_node *node = &half->bench.node;
    return drive_node_count(node, EVIDENCE_SHED) == (half->shed ? 1 : 0) &&
           drive_node_count(node, EVIDENCE_RESERVE) == (half->reserve ? 1 : 0) &&
           drive_node_count(node, EVIDENCE_SIGN) == (half->sign ? 1 : 0) &&
           drive_node_count(node, EVIDENCE_STORE) == (last == EVIDENCE_STORE ? 1 : 0) &&
           drive_node_count(node, EVIDENCE_LOSE) == (last == EVIDENCE_LOSE ? 1 : 0);
}

/* What a sample has made disappear from flash, but for what a reserve dropped with its floor.
 * False: more than one reading, or one that it still holds. */
static bool written_over(const struct telemetry_half *half, const struct bench_device *before,
                         int32_t *gone)
{
    const struct bench_device *bench = &half->bench;
    const int32_t fresh = bench->used & ~before->used;
    const int32_t held = bench_device_held(bench) & ~fresh;
    int32_t dropped = 0;
    if (half->reserve) {
        dropped = set_range(1, set_least(held, set_least(fresh, 1)) - 1);
    }
    *gone = before->stored & ~bench->stored & ~dropped;
    return set_count(*gone) <= 1 && (*gone & held) == 0;
}

/* Which forgotten reading is written over the core alone decides: it is shown, and taken back if
 * the spec wants another one. */
static enum drive_outcome act_store(struct telemetry_rig *rig, struct telemetry_half *half,
                                    int32_t over)
{
    struct bench_device *bench = &half->bench;
    if (half->broken || half->compacted != 0) {
        return telemetry_undriven(rig, half->broken ? read_only : together);
    }
    struct bench_device *before = malloc(sizeof *before);
    struct flash *flash = flash_snapshot(bench->node.flash);
    CHECK(before != NULL && flash != NULL);
    bench_device_inspect(bench);
    *before = *bench;
    bench_device_sample(bench);
    bench_device_inspect(bench);
    int32_t gone = 0;
    enum drive_outcome outcome = DRIVE_DONE;
    if (!is_sample(half, EVIDENCE_STORE) || !written_over(half, before, &gone)) {
        outcome = telemetry_fail(rig, "a sample is not what the spec makes of it");
    } else if (gone != (over == 0 ? 0 : set_of(over))) {
        struct flash *part = bench->node.flash;
        *bench = *before;
        flash_restore(part, flash);
        outcome = telemetry_undriven(rig, lowest_slot);
    } else {
        half->shed = half->reserve = half->sign = false;
    }
    flash_drop(flash);
    free(before);
    return outcome;
}

/* The sensor fails, and the number is gone; or, where a sample would first make room, the number is
 * drawn for something else. */
static enum drive_outcome act_skip(struct telemetry_rig *rig, struct telemetry_half *half)
{
    struct drive_node *node = &half->bench.node;
    const enum drive_outcome begins = begin_sample(rig, half);
    if (begins != DRIVE_DONE) {
        return begins;
    }
    const bool full = is_full(rig, half);
    if (full) {
        bench_device_number(&half->bench);
    } else {
        node->sensor_fails = true;
        bench_device_sample(&half->bench);
        node->sensor_fails = false;
    }
    if (!is_sample(half, full ? EVIDENCE_RESERVE : EVIDENCE_LOSE)) {
        return telemetry_fail(rig, "a sample without a value is not what the spec makes of it");
    }
    half->shed = half->reserve = false;
    return DRIVE_DONE;
}

/* The flash refuses the record. */
static enum drive_outcome act_lose(struct telemetry_rig *rig, struct telemetry_half *half)
{
    struct drive_node *node = &half->bench.node;
    if (half->compacted != 0) {
        return telemetry_undriven(rig, together);
    }
    node->cut = DRIVE_PROGRAMS_FAIL;
    node->cut_kind = EVIDENCE_SIGN;
    bench_device_sample(&half->bench);
    node->cut = DRIVE_NO_CUT;
    node->cut_kind = EVIDENCE_COUNT;
    if (!is_sample(half, EVIDENCE_LOSE)) {
        return telemetry_fail(rig, "a reading that is lost is not what the spec makes of it");
    }
    half->shed = half->reserve = half->sign = false;
    half->broken = true;
    return DRIVE_DONE;
}

/* In flash, and not in RAM; what a reserve that is held back drops is none of it. */
static int32_t forgotten(const struct telemetry_half *half)
{
    const int32_t held = bench_device_held(&half->bench);
    const int32_t next = (int32_t)half->bench.device.outbox.counter_next;
    const int32_t dropped = half->reserve ? set_range(1, set_least(held, next) - 1) : 0;
    return half->bench.stored & ~held & ~dropped;
}

/* All that is forgotten is left behind at once. */
static enum drive_outcome leave_behind(struct telemetry_rig *rig, struct telemetry_half *half)
{
    half->compacted = 0;
    return bench_device_compact(&half->bench) ? DRIVE_DONE
                                              : telemetry_fail(rig, "the store takes no more");
}

static enum drive_outcome act_compact(struct telemetry_rig *rig, struct telemetry_half *half,
                                      int32_t counter)
{
    struct bench_device *bench = &half->bench;
    if (half->releasing != 0 || half->broken) {
        return telemetry_undriven(rig, half->broken ? read_only : releasing);
    }
    if (half->shed && (half->reserve || half->sign)) {
        return telemetry_undriven(rig, moves_apart);
    }
    if (half->shed && !shed_alone(half)) {
        return telemetry_fail(rig, "the device does not shed");
    }
    bench_device_inspect(bench);
    half->compacted |= set_of(counter);
    return half->compacted == forgotten(half) ? leave_behind(rig, half) : DRIVE_DONE;
}

/* The device does something else than a sample: is it free to? */
static enum drive_outcome turn_away(struct telemetry_rig *rig, struct telemetry_half *half)
{
    if (half->releasing != 0) {
        return telemetry_undriven(rig, releasing);
    }
    if (half->compacted != 0) {
        return telemetry_undriven(rig, together);
    }
    if (half->reserve || half->sign) {
        return telemetry_undriven(rig, held_back);
    }
    return half->shed && !shed_alone(half) ? telemetry_fail(rig, "the device does not shed")
                                           : DRIVE_DONE;
}

static enum drive_outcome act_send(struct telemetry_rig *rig, struct telemetry_half *half,
                                   int32_t counter)
{
    const enum drive_outcome free_to = turn_away(rig, half);
    if (free_to != DRIVE_DONE) {
        return free_to;
    }
    if (!bench_device_connect(&half->bench)) {
        return telemetry_fail(rig, "the device does not connect");
    }
    if (!set_has(half->bench.sent, counter)) {
        return telemetry_fail(rig, "the device does not send it");
    }
    half->sent[half->bench.device.outbox.epoch] |= set_of(counter);
    return DRIVE_DONE;
}

/* The ack with the least that covers it: an ack releases all that it covers at once. */
static enum drive_outcome act_release(struct telemetry_rig *rig, struct telemetry_half *half,
                                      int32_t counter)
{
    struct bench_device *bench = &half->bench;
    if (half->releasing == 0) {
        const enum drive_outcome free_to = turn_away(rig, half);
        if (free_to != DRIVE_DONE) {
            return free_to;
        }
        uint32_t by = 0;
        while (by < half->ack_count && !set_has(half->acks[by].covered, counter)) {
            by++;
        }
        if (by == half->ack_count) {
            return telemetry_fail(rig, "no ack covers it");
        }
        half->release_by = by;
        half->done = 0;
        half->releasing = bench_device_held(bench) & half->acks[by].covered;
    }
    if (!set_has(half->releasing, counter)) {
        return telemetry_undriven(rig, releasing);
    }
    half->done |= set_of(counter);
    if (half->done != half->releasing) {
        return DRIVE_DONE;
    }
    half->releasing = 0;
    if (!bench_device_connect(bench)) {
        return telemetry_fail(rig, "the device does not connect");
    }
    bench_device_downlink(bench, &half->acks[half->release_by].envelope);
    return drive_node_count(&bench->node, EVIDENCE_RELEASE) == (uint32_t)set_count(half->done)
               ? DRIVE_DONE
               : telemetry_fail(rig, "the device does not release what the ack covers");
}

static enum drive_outcome act_respond(struct telemetry_rig *rig, struct telemetry_half *half)
{
    struct bench_device *bench = &half->bench;
    const uint32_t index = bench->config.id - BENCH_FIRST_DEVICE;
    struct cose_sign1 parsed;
    struct response response;
    if (!half->nonce_known) {
        return telemetry_undriven(rig, behind_commit);
    }
    const enum drive_outcome free_to = turn_away(rig, half);
    if (free_to != DRIVE_DONE) {
        return free_to;
    }
    if (!bench_device_connect(bench)) {
        return telemetry_fail(rig, "the device does not connect");
    }
    bench_device_downlink(bench, &rig->cloud.challenges[index]);
    if (!bench->responded ||
        cose_parse(bench->response.bytes, bench->response.size_bytes, &parsed) != ERR_OK ||
        message_read_response(&parsed, &response) != ERR_OK) {
        return telemetry_fail(rig, "the device does not answer the challenge");
    }
    if (response.epoch > BENCH_EPOCHS || response.floor > BENCH_COUNTERS) {
        return telemetry_fail(rig, "an answer that the spec does not have");
    }
    half->answers[response.epoch][response.floor] = bench->response;
    half->floors[response.epoch] |= set_of((int32_t)response.floor);
    return DRIVE_DONE;
}

/* ---- Faults of the device -------------------------------------------------------------------- */

/* Do what was held back, up to where the spec has come, and cut the power there. */
static void cut_device(struct telemetry_rig *rig, struct telemetry_half *half)
{
    struct bench_device *bench = &half->bench;
    struct drive_node *node = &bench->node;
    if (half->releasing != 0) {
        if (bench_device_connect(bench)) {
            node->cut = DRIVE_CUT_SAID;
            node->cut_kind = EVIDENCE_RELEASE;
            bench_device_downlink(bench, &half->acks[half->release_by].envelope);
        }
    } else if (half->sign) {
        static const enum drive_cut ways[] = {DRIVE_CUT_SAID, DRIVE_CUT_PROGRAM, DRIVE_CUT_TORN};
        node->cut = half->broken ? DRIVE_CUT_SAID : ways[random_below(&rig->draws, 3)];
        node->cut_fraction = (uint16_t)random_below(&rig->draws, 32768);
        node->cut_kind = EVIDENCE_SIGN;
        bench_device_sample(bench);
    } else if (half->shed || half->reserve) {
        node->cut = DRIVE_CUT_SAID;
        node->cut_kind = half->reserve ? EVIDENCE_RESERVE : EVIDENCE_SHED;
        if (is_full(rig, half)) {
            bench_device_number(bench);
        } else {
            bench_device_sample(bench);
        }
    }
}

static enum drive_outcome act_power_loss(struct telemetry_rig *rig, struct telemetry_half *half,
                                         bool lose_store)
{
    const bool at_work = is_holding_back(half);
    if (half->compacted != 0 && !lose_store) {
        return telemetry_undriven(rig, together);
    }
    const enum evidence_kind last = half->sign      ? EVIDENCE_SIGN
                                    : half->reserve ? EVIDENCE_RESERVE
                                                    : EVIDENCE_SHED;
    const bool samples = half->shed || half->reserve || half->sign;
    cut_device(rig, half);
    if (at_work && (!half->bench.node.dead || (samples && !is_sample(half, last)))) {
        return telemetry_fail(rig, "the device does not come to where the power is to go");
    }
    half->shed = half->reserve = half->sign = half->broken = false;
    half->releasing = half->done = half->compacted = 0;
    if (lose_store) {
        bench_device_erase(&half->bench);
        half->ack_count = 0; /* a device knows nothing of another epoch's acks */
    }
    bench_device_boot(&half->bench);
    return DRIVE_DONE;
}

/* ---- All of them ----------------------------------------------------------------------------- */

static enum drive_outcome act_device(struct telemetry_rig *rig, struct telemetry_half *half,
                                     const struct spec_move *move)
{
    switch (move->action) {
    case ACTION_reserve:
        return act_reserve(rig, half);
    case ACTION_skip:
        return act_skip(rig, half);
    case ACTION_lose:
        return act_lose(rig, half);
    case ACTION_compact:
        return act_compact(rig, half, move->parameters[1]);
    case ACTION_sign:
        return act_sign(rig, half);
    case ACTION_store:
        return act_store(rig, half, move->parameters[1]);
    case ACTION_shed:
        return act_shed(rig, half);
    case ACTION_send:
        return act_send(rig, half, move->parameters[1]);
    case ACTION_release:
        return act_release(rig, half, move->parameters[1]);
    case ACTION_respond:
        return act_respond(rig, half);
    case ACTION_power_loss:
        return act_power_loss(rig, half, false);
    default:
        CHECK(move->action == ACTION_found);
        return act_power_loss(rig, half, true);
    }
}

static enum drive_outcome act_cloud(struct telemetry_rig *rig, struct telemetry_half *half,
                                    const struct spec_move *move)
{
    switch (move->action) {
    case ACTION_challenge:
        return telemetry_challenge(rig, half, move->parameters[1]);
    case ACTION_window:
        return telemetry_window(rig, half, move->parameters[1], move->parameters[2]);
    case ACTION_accept:
        return telemetry_accept(rig, half, move->parameters[1], move->parameters[2]);
    case ACTION_reject:
        return telemetry_reject(rig, half, move->parameters[1], move->parameters[2]);
    case ACTION_ack:
        return telemetry_ack(rig, half);
    default:
        return act_device(rig, half, move);
    }
}

/* What a bench found while it worked. */
static enum drive_outcome verdict(struct telemetry_rig *rig, enum drive_outcome outcome)
{
    for (int32_t i = 0; outcome == DRIVE_DONE && i < rig->k.devices; i++) {
        if (rig->halves[i].bench.node.fault[0] != '\0') {
            outcome = telemetry_fail(rig, rig->halves[i].bench.node.fault);
        }
    }
    if (outcome == DRIVE_DONE && rig->cloud.node.fault[0] != '\0') {
        outcome = telemetry_fail(rig, rig->cloud.node.fault);
    }
    return outcome;
}

static void begin(struct telemetry_rig *rig)
{
    rig->why = NULL;
    drive_node_begin(&rig->cloud.node);
    for (int32_t i = 0; i < rig->k.devices; i++) {
        drive_node_begin(&rig->halves[i].bench.node);
    }
}

enum drive_outcome telemetry_act(struct telemetry_rig *rig, const struct spec_move *move)
{
    begin(rig);
    if (move->action == ACTION_commit) {
        return verdict(rig, telemetry_commit(rig));
    }
    if (move->action == ACTION_cloud_loss) {
        return verdict(rig, telemetry_cloud_loss(rig));
    }
    return verdict(rig, act_cloud(rig, &rig->halves[move->parameters[0] - 1], move));
}

/* What was held back is done as far as the spec has come: a store that has left some behind leaves
 * the others behind as well, the power goes, and the cloud commits. */
enum drive_outcome telemetry_finish(struct telemetry_rig *rig)
{
    enum drive_outcome outcome = DRIVE_DONE;
    if (rig->is_over) {
        return DRIVE_DONE;
    }
    begin(rig);
    for (int32_t i = 0; outcome == DRIVE_DONE && i < rig->k.devices; i++) {
        struct telemetry_half *half = &rig->halves[i];
        if (half->compacted != 0) {
            outcome = leave_behind(rig, half);
        }
        if (outcome == DRIVE_DONE && is_holding_back(half)) {
            outcome = act_power_loss(rig, half, false);
        }
    }
    return verdict(rig, outcome == DRIVE_DONE ? telemetry_commit(rig) : outcome);
}
