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
static const char read_only[] = "a store that failed is read-only until the next boot";
static const char room_first[] = "the core makes room before it reserves";
static const char releasing[] = "an ack releases all that it covers in one step";
static const char lowest_slot[] = "the core takes the lowest free slot";
static const char behind_commit[] = "a challenge leaves behind the commit of its step";

static enum drive_outcome fail(struct telemetry_rig *rig, const char *why)
{
    rig->why = why;
    return DRIVE_FAILED;
}

static enum drive_outcome undriven(struct telemetry_rig *rig, const char *why)
{
    rig->why = why;
    return DRIVE_UNDRIVEN;
}

/* ---- The device ------------------------------------------------------------------------------ */

static bool is_holding_back(const struct telemetry_half *half)
{
    return half->shed || half->reserve || half->sign || half->releasing != 0;
}

static enum drive_outcome act_shed(struct telemetry_rig *rig, struct telemetry_half *half)
{
    if (half->releasing != 0) {
        return undriven(rig, releasing);
    }
    if (half->reserve) {
        return undriven(rig, room_first);
    }
    if (half->broken) {
        return undriven(rig, read_only);
    }
    half->shed = true;
    return DRIVE_DONE;
}

static enum drive_outcome act_reserve(struct telemetry_rig *rig, struct telemetry_half *half)
{
    if (half->releasing != 0) {
        return undriven(rig, releasing);
    }
    if (half->broken) {
        return undriven(rig, read_only);
    }
    if (!half->shed && set_count(bench_device_held(&half->bench)) >= rig->k.outbox_max) {
        return undriven(rig, room_first);
    }
    half->reserve = true;
    return DRIVE_DONE;
}

static enum drive_outcome act_sign(struct telemetry_rig *rig, struct telemetry_half *half)
{
    if (half->releasing != 0) {
        return undriven(rig, releasing);
    }
    if (half->broken) {
        return undriven(rig, read_only);
    }
    half->sign = true;
    return DRIVE_DONE;
}

/* What was said is what was held back, up to `last`, and no more. */
static bool is_sample(const struct telemetry_half *half, enum evidence_kind last)
{
    const struct drive_node *node = &half->bench.node;
    return drive_node_count(node, EVIDENCE_SHED) == (half->shed ? 1 : 0) &&
           drive_node_count(node, EVIDENCE_RESERVE) == (half->reserve ? 1 : 0) &&
           drive_node_count(node, EVIDENCE_SIGN) == (half->sign ? 1 : 0) &&
           drive_node_count(node, EVIDENCE_STORE) == (last == EVIDENCE_STORE ? 1 : 0) &&
           drive_node_count(node, EVIDENCE_LOSE) == 0;
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
/* Which forgotten reading is written over the core alone decides: it is shown, and taken back if
 * the spec wants another one. */
static enum drive_outcome act_store(struct telemetry_rig *rig, struct telemetry_half *half,
                                    int32_t over)
{
    struct bench_device *bench = &half->bench;
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
        outcome = fail(rig, "a sample is not what the spec makes of it");
    } else if (gone != (over == 0 ? 0 : set_of(over))) {
        struct flash *part = bench->node.flash;
        *bench = *before;
        flash_restore(part, flash);
        outcome = undriven(rig, lowest_slot);
    } else {
        half->shed = half->reserve = half->sign = false;
    }
    flash_drop(flash);
    free(before);
    return outcome;
}

/* The device has made room, and goes on without the reading that it was for: the flash refuses its
 * state. False: it does something else. */
static bool shed_alone(struct telemetry_half *half)
{
    struct drive_node *node = &half->bench.node;
    node->cut = DRIVE_PROGRAMS_FAIL;
    bench_device_sample(&half->bench);
    node->cut = DRIVE_NO_CUT;
    const bool good =
        drive_node_count(node, EVIDENCE_SHED) == 1 && drive_node_count(node, EVIDENCE_LOSE) == 1 &&
        drive_node_count(node, EVIDENCE_RESERVE) == 0 && drive_node_count(node, EVIDENCE_SIGN) == 0;
    half->shed = false;
    half->broken = true;
    return good;
}

/* The device does something else than a sample: is it free to? */
static enum drive_outcome turn_away(struct telemetry_rig *rig, struct telemetry_half *half)
{
    if (half->releasing != 0) {
        return undriven(rig, releasing);
    }
    if (half->reserve || half->sign) {
        return undriven(rig, held_back);
    }
    return half->shed && !shed_alone(half) ? fail(rig, "the device does not shed, and lose")
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
        return fail(rig, "the device does not connect");
    }
    if (!set_has(half->bench.sent, counter)) {
        return fail(rig, "the device does not send it");
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
            return fail(rig, "no ack covers it");
        }
        half->release_by = by;
        half->done = 0;
        half->releasing = bench_device_held(bench) & half->acks[by].covered;
    }
    if (!set_has(half->releasing, counter)) {
        return undriven(rig, releasing);
    }
    half->done |= set_of(counter);
    if (half->done != half->releasing) {
        return DRIVE_DONE;
    }
    half->releasing = 0;
    if (!bench_device_connect(bench)) {
        return fail(rig, "the device does not connect");
    }
    bench_device_downlink(bench, &half->acks[half->release_by].envelope);
    return drive_node_count(&bench->node, EVIDENCE_RELEASE) == (uint32_t)set_count(half->done)
               ? DRIVE_DONE
               : fail(rig, "the device does not release what the ack covers");
}

static enum drive_outcome act_respond(struct telemetry_rig *rig, struct telemetry_half *half)
{
    struct bench_device *bench = &half->bench;
    const uint32_t index = bench->config.id - BENCH_FIRST_DEVICE;
    struct cose_sign1 parsed;
    struct response response;
    if (!half->nonce_known) {
        return undriven(rig, behind_commit);
    }
    const enum drive_outcome free_to = turn_away(rig, half);
    if (free_to != DRIVE_DONE) {
        return free_to;
    }
    if (!bench_device_connect(bench)) {
        return fail(rig, "the device does not connect");
    }
    bench_device_downlink(bench, &rig->cloud.challenges[index]);
    if (!bench->responded ||
        cose_parse(bench->response.bytes, bench->response.size_bytes, &parsed) != ERR_OK ||
        message_read_response(&parsed, &response) != ERR_OK) {
        return fail(rig, "the device does not answer the challenge");
    }
    half->answer = bench->response;
    half->answer_epoch = (int32_t)response.epoch;
    half->answer_floor = (int32_t)response.floor;
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
        node->cut = ways[random_below(&rig->draws, 3)];
        node->cut_fraction = (uint16_t)random_below(&rig->draws, 32768);
        node->cut_kind = EVIDENCE_SIGN;
        bench_device_sample(bench);
    } else if (half->shed || half->reserve) {
        node->cut = DRIVE_CUT_SAID;
        node->cut_kind = half->reserve ? EVIDENCE_RESERVE : EVIDENCE_SHED;
        bench_device_sample(bench);
    }
}

static enum drive_outcome act_power_loss(struct telemetry_rig *rig, struct telemetry_half *half,
                                         bool lose_store)
{
    const bool at_work = is_holding_back(half);
    const enum evidence_kind last = half->sign      ? EVIDENCE_SIGN
                                    : half->reserve ? EVIDENCE_RESERVE
                                                    : EVIDENCE_SHED;
    const bool samples = half->shed || half->reserve || half->sign;
    cut_device(rig, half);
    if (at_work && (!half->bench.node.dead || (samples && !is_sample(half, last)))) {
        return fail(rig, "the device does not come to where the power is to go");
    }
    half->shed = half->reserve = half->sign = half->broken = false;
    half->releasing = half->done = 0;
    if (lose_store) {
        bench_device_erase(&half->bench);
        half->ack_count = 0; /* a device knows nothing of another epoch's acks */
    }
    bench_device_boot(&half->bench);
    return DRIVE_DONE;
}

/* ---- The cloud ------------------------------------------------------------------------------- */

static bool keep_ack(struct telemetry_half *half, const struct bench_ack *ack)
{
    const int32_t epoch = (int32_t)half->bench.device.outbox.epoch;
    if (ack->epoch != epoch ||
        (half->ack_count > 0 && half->acks[half->ack_count - 1].covered == ack->covered)) {
        return true; /* of another epoch, or one that the network has */
    }
    if (half->ack_count == BENCH_ACKS_MAX ||
        (half->ack_count > 0 &&
         !set_within(half->acks[half->ack_count - 1].covered, ack->covered))) {
        return false;
    }
    half->acks[half->ack_count++] = *ack;
    return true;
}

static bool is_held(const struct telemetry_rig *rig, const struct bench_copy *copy)
{
    for (uint32_t i = rig->copy_count; i > 0; i--) {
        const struct bench_copy *other = &rig->copies[i - 1];
        if (other->expected != EVIDENCE_REJECT) {
            return false;
        }
        if (other->device == copy->device && other->epoch == copy->epoch &&
            other->counter == copy->counter && other->kind == copy->kind) {
            return true;
        }
    }
    return false;
}

/* For the step of the next commit. A copy that is refused there once more says nothing new. */
static enum drive_outcome hold(struct telemetry_rig *rig, const struct bench_copy *copy)
{
    if (copy->expected == EVIDENCE_REJECT && is_held(rig, copy)) {
        return DRIVE_DONE;
    }
    CHECK(rig->copy_count < BENCH_COPIES_MAX);
    rig->copies[rig->copy_count++] = *copy;
    if (copy->expected != EVIDENCE_REJECT) {
        rig->halves[copy->device - BENCH_FIRST_DEVICE].changed++;
    }
    return DRIVE_DONE;
}

static struct bench_copy reading_of(const struct telemetry_half *half, int32_t epoch,
                                    int32_t counter, enum evidence_kind expected)
{
    return (struct bench_copy){.kind = COPY_READING,
                               .device = half->bench.config.id,
                               .envelope = half->bench.envelopes[epoch][counter],
                               .expected = expected,
                               .epoch = (uint32_t)epoch,
                               .counter = (uint64_t)counter};
}

static enum drive_outcome act_challenge(struct telemetry_rig *rig, struct telemetry_half *half,
                                        int32_t epoch)
{
    const uint32_t index = half->bench.config.id - BENCH_FIRST_DEVICE;
    struct bench_copy copy =
        reading_of(half, epoch, set_least(half->sent[epoch], 1), EVIDENCE_REJECT);
    copy.is_challenged = true;
    if (half->window_held) {
        half->asked = half->challenge_held = true;
        return hold(rig, &copy);
    }
    const struct envelope before = rig->cloud.challenges[index];
    bench_cloud_step(&rig->cloud, &copy, 1);
    if (!rig->cloud.challenged[index]) {
        return fail(rig, "the cloud does not challenge");
    }
    if (half->asked &&
        (before.size_bytes != rig->cloud.challenges[index].size_bytes ||
         memcmp(before.bytes, rig->cloud.challenges[index].bytes, before.size_bytes) != 0)) {
        return fail(rig, "the cloud draws a new nonce while one awaits its answer");
    }
    half->asked = half->nonce_known = true;
    return DRIVE_DONE;
}

static enum drive_outcome act_window(struct telemetry_rig *rig, struct telemetry_half *half)
{
    const struct bench_copy copy = {.kind = COPY_RESPONSE,
                                    .device = half->bench.config.id,
                                    .envelope = half->answer,
                                    .expected = EVIDENCE_WINDOW,
                                    .epoch = (uint32_t)half->answer_epoch,
                                    .counter = (uint64_t)half->answer_floor};
    half->asked = half->nonce_known = half->challenge_held = false;
    half->window_held = true;
    half->answer.size_bytes = 0;
    half->answer_epoch = half->answer_floor = 0;
    return hold(rig, &copy);
}

static enum drive_outcome act_reject(struct telemetry_rig *rig, struct telemetry_half *half,
                                     int32_t epoch, int32_t counter)
{
    const struct bench_copy copy = reading_of(half, epoch, counter, EVIDENCE_REJECT);
    if (rig->copy_count > 0) {
        return hold(rig, &copy);
    }
    bench_cloud_step(&rig->cloud, &copy, 1);
    return DRIVE_DONE;
}

/* All copies have been given to the cloud, or are lost with it. */
static void forget_copies(struct telemetry_rig *rig)
{
    for (uint32_t i = 0; i < rig->copy_count; i++) {
        if (rig->copies[i].kind == COPY_RESPONSE) {
            rig->halves[rig->copies[i].device - BENCH_FIRST_DEVICE].spent = rig->copies[i].envelope;
        }
    }
    for (int32_t i = 0; i < rig->k.devices; i++) {
        rig->halves[i].window_held = rig->halves[i].challenge_held = false;
        rig->halves[i].changed = 0;
    }
    rig->copy_count = 0;
}

static enum drive_outcome act_commit(struct telemetry_rig *rig)
{
    bool changes = false;
    if (rig->copy_count == 0) {
        return DRIVE_DONE; /* nothing to make durable: the core does not even begin */
    }
    bench_cloud_step(&rig->cloud, rig->copies, rig->copy_count);
    for (int32_t i = 0; i < rig->k.devices; i++) {
        struct telemetry_half *half = &rig->halves[i];
        changes = changes || half->changed > 0;
        if (half->challenge_held && !rig->cloud.challenged[i]) {
            return fail(rig, "the cloud does not challenge");
        }
        half->nonce_known = half->nonce_known || half->challenge_held;
    }
    forget_copies(rig);
    return drive_node_count_new(&rig->cloud.node, EVIDENCE_COMMIT) == (changes ? 1 : 0)
               ? DRIVE_DONE
               : fail(rig, "the cloud does not commit");
}

/* An answer to a nonce that is over: refused like any other copy, and answered by the ack. */
static bool ask_for_ack(struct telemetry_rig *rig, struct telemetry_half *half)
{
    const uint32_t index = half->bench.config.id - BENCH_FIRST_DEVICE;
    struct cose_sign1 parsed;
    struct response response;
    if (half->spent.size_bytes == 0 ||
        cose_parse(half->spent.bytes, half->spent.size_bytes, &parsed) != ERR_OK ||
        message_read_response(&parsed, &response) != ERR_OK) {
        return false;
    }
    const struct bench_copy copy = {.kind = COPY_RESPONSE,
                                    .device = half->bench.config.id,
                                    .envelope = half->spent,
                                    .expected = EVIDENCE_REJECT,
                                    .epoch = response.epoch,
                                    .counter = response.floor};
    bench_cloud_step(&rig->cloud, &copy, 1);
    return rig->cloud.acked[index];
}

/* Power goes at the commit: has an ack left? It is asked only where the spec lets the cloud ack
 * what is not durable. */
static enum drive_outcome ack_uncommitted(struct telemetry_rig *rig, struct telemetry_half *half)
{
    const uint32_t index = half->bench.config.id - BENCH_FIRST_DEVICE;
    rig->cloud.node.cut = DRIVE_CUT_WRITE;
    rig->cloud.node.cut_left = 1;
    bench_cloud_step(&rig->cloud, rig->copies, rig->copy_count);
    return rig->cloud.acked[index]
               ? DRIVE_DONE
               : fail(rig, "no ack leaves the cloud before its commit: the power was cut there");
}

static enum drive_outcome act_ack(struct telemetry_rig *rig, struct telemetry_half *half)
{
    const uint32_t index = half->bench.config.id - BENCH_FIRST_DEVICE;
    const struct bench_ack *ack = &rig->cloud.acks[index];
    bench_cloud_inspect(&rig->cloud);
    if (!ack->known && rig->cloud.rows[index].epoch == 0) {
        return ack_uncommitted(rig, half);
    }
    if (!ask_for_ack(rig, half)) {
        return fail(rig, "the cloud does not ack");
    }
    return keep_ack(half, ack) ? DRIVE_DONE : fail(rig, "an ack covers less than one before it");
}

/* ---- Faults of the cloud --------------------------------------------------------------------- */

static void lose_copies(struct telemetry_rig *rig)
{
    for (int32_t i = 0; i < rig->k.devices; i++) {
        struct telemetry_half *half = &rig->halves[i];
        if (half->answer.size_bytes > 0) {
            half->spent = half->answer;
        }
        half->answer.size_bytes = 0;
        half->answer_epoch = half->answer_floor = 0;
        half->asked = half->nonce_known = false;
    }
    forget_copies(rig);
}

/* The step of the next commit, which fails. False: it does not. */
static bool fail_commit(struct telemetry_rig *rig, bool *lives)
{
    enum { AT_FIRST_WRITE, AT_SECOND_WRITE, IN_FIRST_WRITE, DISK_FULL, WAYS };
    struct bench_cloud *cloud = &rig->cloud;
    const uint64_t way = random_below(&rig->draws, WAYS);
    *lives = way == DISK_FULL;
    if (way == DISK_FULL) {
        cloud->disk.faults.full = true;
    } else {
        cloud->node.cut = way == IN_FIRST_WRITE ? DRIVE_CUT_WRITE_TORN : DRIVE_CUT_WRITE;
        cloud->node.cut_left = way == AT_SECOND_WRITE ? 2 : 1;
        cloud->node.cut_fraction = (uint16_t)random_below(&rig->draws, 65536);
    }
    bench_cloud_step(cloud, rig->copies, rig->copy_count);
    cloud->disk.faults.full = false;
    return drive_node_count_new(&cloud->node, EVIDENCE_COMMIT) == 0 && cloud->downlinks == 0 &&
           (way == DISK_FULL ? drive_node_count_new(&cloud->node, EVIDENCE_REFUSE) == 1
                             : cloud->node.dead);
}

static enum drive_outcome act_cloud_loss(struct telemetry_rig *rig)
{
    struct bench_cloud *cloud = &rig->cloud;
    bool lives = false, changes = false;
    for (int32_t i = 0; i < rig->k.devices; i++) {
        changes = changes || rig->halves[i].changed > 0;
    }
    if (changes && !fail_commit(rig, &lives)) {
        return fail(rig, "the commit fails, and the cloud makes something of it all the same");
    }
    if (!changes && rig->copy_count > 0) {
        bench_cloud_step(cloud, rig->copies, rig->copy_count);
    }
    if (lives) {
        memset(cloud->acks, 0, sizeof cloud->acks);
        memset(cloud->challenges, 0, sizeof cloud->challenges);
        if (!bench_cloud_connect(cloud)) {
            return fail(rig, "the cloud does not take the gateway's session");
        }
    } else {
        bench_cloud_off(cloud, random_next(&rig->draws));
        bench_cloud_boot(cloud);
    }
    lose_copies(rig);
    /* What it works with now: it shows in an ack alone. */
    bench_cloud_inspect(cloud);
    for (int32_t i = 0; i < rig->k.devices; i++) {
        if (cloud->rows[i].epoch != 0 && !ask_for_ack(rig, &rig->halves[i])) {
            return fail(rig, "the cloud does not ack what it has stored");
        }
    }
    return DRIVE_DONE;
}

/* ---- All of them ----------------------------------------------------------------------------- */

static enum drive_outcome act_device(struct telemetry_rig *rig, struct telemetry_half *half,
                                     const struct spec_move *move)
{
    switch (move->action) {
    case ACTION_reserve:
        return act_reserve(rig, half);
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
    struct bench_copy copy;
    switch (move->action) {
    case ACTION_challenge:
        return act_challenge(rig, half, move->parameters[1]);
    case ACTION_window:
        return act_window(rig, half);
    case ACTION_accept:
        copy = reading_of(half, move->parameters[1], move->parameters[2], EVIDENCE_ACCEPT);
        return hold(rig, &copy);
    case ACTION_reject:
        return act_reject(rig, half, move->parameters[1], move->parameters[2]);
    case ACTION_ack:
        return act_ack(rig, half);
    default:
        return act_device(rig, half, move);
    }
}

/* What a bench found while it worked. */
static enum drive_outcome verdict(struct telemetry_rig *rig, enum drive_outcome outcome)
{
    for (int32_t i = 0; outcome == DRIVE_DONE && i < rig->k.devices; i++) {
        if (rig->halves[i].bench.node.fault[0] != '\0') {
            outcome = fail(rig, rig->halves[i].bench.node.fault);
        }
    }
    if (outcome == DRIVE_DONE && rig->cloud.node.fault[0] != '\0') {
        outcome = fail(rig, rig->cloud.node.fault);
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
        return verdict(rig, act_commit(rig));
    }
    if (move->action == ACTION_cloud_loss) {
        return verdict(rig, act_cloud_loss(rig));
    }
    return verdict(rig, act_cloud(rig, &rig->halves[move->parameters[0] - 1], move));
}

/* What was held back is done as far as the spec has come: the power goes behind it, and the cloud
 * commits. */
enum drive_outcome telemetry_finish(struct telemetry_rig *rig)
{
    enum drive_outcome outcome = DRIVE_DONE;
    begin(rig);
    for (int32_t i = 0; outcome == DRIVE_DONE && i < rig->k.devices; i++) {
        if (is_holding_back(&rig->halves[i])) {
            outcome = act_power_loss(rig, &rig->halves[i], false);
        }
    }
    return verdict(rig, outcome == DRIVE_DONE ? act_commit(rig) : outcome);
}
