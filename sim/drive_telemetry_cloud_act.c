/* What the cloud's actions of specs/Telemetry are on the bench: a step of the cloud takes its
 * copies in their order, and then commits. They are held back until the spec does. */
#include <string.h>

#include "core/check.h"
#include "sim/drive_telemetry.h"

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
            other->counter == copy->counter && other->kind == copy->kind &&
            other->in_vain == copy->in_vain && other->draws == copy->draws) {
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

enum drive_outcome telemetry_challenge(struct telemetry_rig *rig, struct telemetry_half *half,
                                       int32_t epoch)
{
    const uint32_t index = half->bench.config.id - BENCH_FIRST_DEVICE;
    struct bench_copy copy =
        reading_of(half, epoch, set_least(half->sent[epoch], 1), EVIDENCE_REJECT);
    copy.is_challenged = true;
    copy.draws = !half->asked;
    if (half->window_held) {
        half->asked = half->challenge_held = true;
        return hold(rig, &copy);
    }
    const struct envelope before = rig->cloud.challenges[index];
    bench_cloud_step(&rig->cloud, &copy, 1);
    if (!rig->cloud.challenged[index]) {
        return telemetry_fail(rig, "the cloud does not challenge");
    }
    if (half->asked &&
        (before.size_bytes != rig->cloud.challenges[index].size_bytes ||
         memcmp(before.bytes, rig->cloud.challenges[index].bytes, before.size_bytes) != 0)) {
        return telemetry_fail(rig, "the cloud draws a new nonce while one awaits its answer");
    }
    half->asked = half->nonce_known = true;
    return DRIVE_DONE;
}

enum drive_outcome telemetry_window(struct telemetry_rig *rig, struct telemetry_half *half,
                                    int32_t epoch, int32_t floor)
{
    const struct bench_copy copy = {.kind = COPY_RESPONSE,
                                    .device = half->bench.config.id,
                                    .envelope = half->answers[epoch][floor],
                                    .expected = EVIDENCE_WINDOW,
                                    .epoch = (uint32_t)epoch,
                                    .counter = (uint64_t)floor};
    half->asked = half->nonce_known = half->challenge_held = false;
    half->window_held = true;
    half->window_epoch = epoch;
    memset(half->floors, 0, sizeof half->floors);
    return hold(rig, &copy);
}

enum drive_outcome telemetry_accept(struct telemetry_rig *rig, struct telemetry_half *half,
                                    int32_t epoch, int32_t counter)
{
    const struct bench_copy copy = reading_of(half, epoch, counter, EVIDENCE_ACCEPT);
    return hold(rig, &copy);
}

/* Of a copy that there is no window for: the cloud challenges, unless it has no entropy. */
static enum drive_outcome reject_unknown(struct telemetry_rig *rig, struct telemetry_half *half,
                                         struct bench_copy *copy)
{
    copy->is_challenged = true;
    copy->draws = copy->in_vain = !half->asked;
    if (half->window_held) {
        return hold(rig, copy);
    }
    bench_cloud_step(&rig->cloud, copy, 1);
    return rig->cloud.challenged[half->bench.config.id - BENCH_FIRST_DEVICE] == half->asked
               ? DRIVE_DONE
               : telemetry_fail(rig, "the cloud challenges without a nonce, or not");
}

enum drive_outcome telemetry_reject(struct telemetry_rig *rig, struct telemetry_half *half,
                                    int32_t epoch, int32_t counter)
{
    struct bench_copy copy = reading_of(half, epoch, counter, EVIDENCE_REJECT);
    if (epoch > half->window_epoch) {
        return reject_unknown(rig, half, &copy);
    }
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

/* A copy that the cloud must refuse, and answer by its ack all the same: an answer to a nonce that
 * is over, or a reading of which it is known that the cloud has closed it. */
static bool refused_copy(struct telemetry_rig *rig, const struct telemetry_half *half,
                         struct bench_copy *copy)
{
    const struct bench_ack *ack = &rig->cloud.acks[half->bench.config.id - BENCH_FIRST_DEVICE];
    struct cose_sign1 parsed;
    struct response response;
    const int32_t closed = ack->known ? half->sent[ack->epoch] & ack->covered : 0;
    if (closed != 0 && random_below(&rig->draws, 2) == 0) {
        *copy = reading_of(half, ack->epoch, set_least(closed, 1), EVIDENCE_REJECT);
        return true;
    }
    if (half->spent.size_bytes == 0 ||
        cose_parse(half->spent.bytes, half->spent.size_bytes, &parsed) != ERR_OK ||
        message_read_response(&parsed, &response) != ERR_OK) {
        return false;
    }
    *copy = (struct bench_copy){.kind = COPY_RESPONSE,
                                .device = half->bench.config.id,
                                .envelope = half->spent,
                                .expected = EVIDENCE_REJECT,
                                .epoch = response.epoch,
                                .counter = response.floor};
    return true;
}

static bool ask_for_ack(struct telemetry_rig *rig, struct telemetry_half *half)
{
    struct bench_copy copy;
    if (!refused_copy(rig, half, &copy)) {
        return false;
    }
    bench_cloud_step(&rig->cloud, &copy, 1);
    return rig->cloud.acked[half->bench.config.id - BENCH_FIRST_DEVICE];
}

enum drive_outcome telemetry_commit(struct telemetry_rig *rig)
{
    bool changed[BENCH_DEVICES] = {false}, changes = false;
    if (rig->copy_count == 0) {
        return DRIVE_DONE; /* nothing to make durable: the core does not even begin */
    }
    bench_cloud_step(&rig->cloud, rig->copies, rig->copy_count);
    if (rig->cloud.node.fault[0] != '\0') {
        return telemetry_fail(rig, rig->cloud.node.fault);
    }
    for (int32_t i = 0; i < rig->k.devices; i++) {
        struct telemetry_half *half = &rig->halves[i];
        changed[i] = half->changed > 0;
        changes = changes || changed[i];
        if (half->challenge_held && !rig->cloud.challenged[i]) {
            return telemetry_fail(rig, "the cloud does not challenge");
        }
        half->nonce_known = half->nonce_known || half->challenge_held;
        changed[i] = changed[i] && !rig->cloud.acked[i];
    }
    if (drive_node_count_new(&rig->cloud.node, EVIDENCE_COMMIT) != (changes ? 1 : 0)) {
        return telemetry_fail(rig, "the cloud does not commit");
    }
    forget_copies(rig);
    /* Where the step was answered by a challenge: what it made of the window shows in an ack alone.
     */
    for (int32_t i = 0; i < rig->k.devices; i++) {
        if (changed[i] && !ask_for_ack(rig, &rig->halves[i])) {
            return telemetry_fail(rig, "the cloud does not ack");
        }
    }
    return DRIVE_DONE;
}

/* Power goes at the commit: has an ack left? It is asked only where the spec lets the cloud ack
 * what is not durable. */
static enum drive_outcome ack_uncommitted(struct telemetry_rig *rig, struct telemetry_half *half)
{
    const uint32_t index = half->bench.config.id - BENCH_FIRST_DEVICE;
    rig->is_over = true;
    rig->cloud.node.cut = DRIVE_CUT_WRITE;
    rig->cloud.node.cut_left = 1;
    bench_cloud_step(&rig->cloud, rig->copies, rig->copy_count);
    if (!rig->cloud.acked[index]) {
        return telemetry_fail(rig,
                              "no ack leaves the cloud before its commit: the power was cut there");
    }
    return keep_ack(half, &rig->cloud.acks[index])
               ? DRIVE_DONE
               : telemetry_fail(rig, "an ack covers less than one before it");
}

enum drive_outcome telemetry_ack(struct telemetry_rig *rig, struct telemetry_half *half)
{
    const uint32_t index = half->bench.config.id - BENCH_FIRST_DEVICE;
    const struct bench_ack *ack = &rig->cloud.acks[index];
    bench_cloud_inspect(&rig->cloud);
    if (!ack->known && rig->cloud.rows[index].epoch == 0) {
        return ack_uncommitted(rig, half);
    }
    if (!ask_for_ack(rig, half)) {
        return telemetry_fail(rig, "the cloud does not ack");
    }
    return keep_ack(half, ack) ? DRIVE_DONE
                               : telemetry_fail(rig, "an ack covers less than one before it");
}

/* ---- Faults of the cloud --------------------------------------------------------------------- */

static void lose_copies(struct telemetry_rig *rig)
{
    for (int32_t i = 0; i < rig->k.devices; i++) {
        struct telemetry_half *half = &rig->halves[i];
        for (int32_t epoch = 1; epoch <= BENCH_EPOCHS; epoch++) {
            if (half->floors[epoch] != 0) {
                half->spent = half->answers[epoch][set_least(half->floors[epoch], 0)];
            }
        }
        memset(half->floors, 0, sizeof half->floors);
        half->asked = half->nonce_known = false;
    }
    forget_copies(rig);
}

/* The step of the next commit, which fails. False: it does not. */
static bool fail_commit(struct telemetry_rig *rig, bool *lives)
{
    enum { BEFORE_A_WRITE, INSIDE_A_WRITE, DISK_FULL, WAYS };
    struct bench_cloud *cloud = &rig->cloud;
    const uint64_t way = random_below(&rig->draws, WAYS);
    bool accepts = false;
    for (uint32_t i = 0; i < rig->copy_count; i++) {
        accepts = accepts || rig->copies[i].expected == EVIDENCE_ACCEPT;
    }
    *lives = way == DISK_FULL;
    cloud->disk.faults.full = way == DISK_FULL;
    if (way != DISK_FULL) { /* each page is two writes: readings and windows have one each */
        cloud->node.cut = way == INSIDE_A_WRITE ? DRIVE_CUT_WRITE_TORN : DRIVE_CUT_WRITE;
        cloud->node.cut_left = 1 + (uint32_t)random_below(&rig->draws, accepts ? 4 : 2);
        cloud->node.cut_fraction = (uint16_t)random_below(&rig->draws, 65536);
    }
    bench_cloud_step(cloud, rig->copies, rig->copy_count);
    cloud->disk.faults.full = false;
    return drive_node_count_new(&cloud->node, EVIDENCE_COMMIT) == 0 && cloud->downlinks == 0 &&
           (way == DISK_FULL ? drive_node_count_new(&cloud->node, EVIDENCE_REFUSE) == 1
                             : cloud->node.dead);
}

enum drive_outcome telemetry_cloud_loss(struct telemetry_rig *rig)
{
    struct bench_cloud *cloud = &rig->cloud;
    bool lives = false, changes = false;
    for (int32_t i = 0; i < rig->k.devices; i++) {
        changes = changes || rig->halves[i].changed > 0;
    }
    if (changes && !fail_commit(rig, &lives)) {
        return telemetry_fail(rig,
                              "the commit fails, and the cloud makes something of it all the same");
    }
    if (!changes && rig->copy_count > 0) {
        bench_cloud_step(cloud, rig->copies, rig->copy_count);
    }
    if (lives) {
        memset(cloud->acks, 0, sizeof cloud->acks);
        memset(cloud->challenges, 0, sizeof cloud->challenges);
        if (!bench_cloud_connect(cloud)) {
            return telemetry_fail(rig, "the cloud does not take the gateway's session");
        }
    } else {
        bench_cloud_off(cloud, random_next(&rig->draws));
        bench_cloud_boot(cloud);
    }
    lose_copies(rig);
    /* What it works with now: it shows in an ack alone. */
    bench_cloud_inspect(cloud);
    for (int32_t i = 0; i < rig->k.devices; i++) {
        rig->halves[i].window_epoch = cloud->rows[i].epoch;
        if (cloud->rows[i].epoch != 0 && !ask_for_ack(rig, &rig->halves[i])) {
            return telemetry_fail(rig, "the cloud does not ack what it has stored");
        }
    }
    return DRIVE_DONE;
}
