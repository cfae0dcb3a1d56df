#include "sim/world_inside.h"

#include "sim/coverage.h"
#include "sim/image.h"
#include "sim/roles.h"
#include "sim/workload.h"

static void show(struct world *world, const struct world_item *item)
{
    if (world->options.item != NULL) {
        world->options.item(world->options.item_ctx, item);
    }
}

void observe_event(struct world *world, const struct queue_event *event, uint32_t node)
{
    struct world_item item = {.kind = ITEM_EVENT,
                              .event = world->event_count,
                              .time_us = world->now_us,
                              .node = node,
                              .what = queue_kind(event),
                              .a = event->a,
                              .b = event->b};
    if (world->options.digests) {
        uint64_t digest[2];
        hash_digest(&world->stage.hash, digest);
        item.digest = digest[1];
    }
    show(world, &item);
}

void observe_effect(struct world *world, uint32_t index, uint32_t phase)
{
    const struct plan_entry *entry = &world->plan.entries[index];
    const struct world_item item = {.kind = ITEM_EFFECT,
                                    .event = world->event_count,
                                    .time_us = world_instant_us(world),
                                    .node = entry->target,
                                    .what = entry->effect,
                                    .a = index,
                                    .b = phase,
                                    .result = entry->amount,
                                    .value = entry->lasts_us};
    if (world->options.coverage != NULL) {
        coverage_effect(world->options.coverage, entry, phase == 1, item.time_us);
    }
    show(world, &item);
}

void observe_violation(struct world *world, const struct violation *violation)
{
    if (world->violated) {
        return;
    }
    world->violated = true;
    world->violation = *violation;
    if (world->options.violated != NULL) {
        world->options.violated(world->options.item_ctx);
    }
}

void observe_step(void *ctx, const char *law, const int32_t *k, const struct follow_step *step,
                  uint32_t shape)
{
    struct world *world = ctx;
    if (world->options.coverage != NULL) {
        coverage_step(world->options.coverage, law, k, step, shape);
    }
    if (world->options.heard != NULL) {
        world->options.heard(world->options.heard_ctx, law, k, step, shape);
    }
}

static bool is_heard(const struct world *world)
{
    return world->judge != NULL || world->options.observed != NULL;
}

/* The judge sees it; the first broken law ends the run after this step. */
static void observe(struct world *world, const struct observation *observation)
{
    struct violation violation;
    if (world->options.observed != NULL) {
        world->options.observed(world->options.observed_ctx, observation);
    }
    if (world->judge != NULL && !judge_observe(world->judge, observation, &violation)) {
        observe_violation(world, &violation);
    }
}

void observe_truth(struct world *world, enum truth truth, uint32_t node, uint64_t value)
{
    const struct observation observation = {.time_us = world_instant_us(world),
                                            .event = world->event_count,
                                            .kind = truth,
                                            .node = node,
                                            .value = value};
    const struct world_item item = {.kind = ITEM_TRUTH,
                                    .event = world->event_count,
                                    .time_us = world_instant_us(world),
                                    .node = node,
                                    .what = truth,
                                    .value = value};
    show(world, &item);
    observe(world, &observation);
}

static void observe_record(struct world *world, const struct node *node);
static void observe_progress(struct world *world, const struct node *node, uint32_t epoch);

static void count_evidence(struct world *world, const struct evidence *evidence)
{
    uint64_t *figures = world->stage.figures, *probes = world->stage.probes;
    switch (evidence->kind) {
    case EVIDENCE_SIGN:
        figures[FIGURE_sampled]++;
        break;
    case EVIDENCE_STORE:
        figures[FIGURE_stored]++;
        break;
    case EVIDENCE_LOSE:
        figures[FIGURE_lost]++;
        break;
    case EVIDENCE_SHED:
        figures[FIGURE_shed]++;
        probes[PROBE_shed]++;
        break;
    case EVIDENCE_SEND:
        figures[FIGURE_sent]++;
        capture_reading(world->capture, evidence->device, evidence->body, evidence->body_bytes);
        break;
    case EVIDENCE_CUSTODY:
        figures[FIGURE_custody]++;
        if (evidence->value > figures[FIGURE_queue_peak]) {
            figures[FIGURE_queue_peak] = evidence->value;
        }
        break;
    case EVIDENCE_FORWARD:
        figures[FIGURE_forwarded]++;
        break;
    case EVIDENCE_ACCEPT:
        figures[FIGURE_accepted]++;
        break;
    case EVIDENCE_REJECT:
        figures[FIGURE_rejected]++;
        probes[PROBE_duplicate_rejected] += evidence->value == REFUSAL_DUPLICATE;
        probes[PROBE_old_rejected] += evidence->value == REFUSAL_OLD;
        break;
    case EVIDENCE_ACK:
        figures[FIGURE_acks]++;
        if (evidence->body != NULL) {
            capture_ack(world->capture, evidence->device, evidence->body, evidence->body_bytes);
        }
        break;
    case EVIDENCE_RELEASE:
        figures[FIGURE_released]++;
        break;
    case EVIDENCE_REFUSE:
        figures[FIGURE_refused]++;
        probes[PROBE_queue_refused]++;
        break;
    case EVIDENCE_DROP:
        figures[FIGURE_dropped]++;
        break;
    case EVIDENCE_CHALLENGE:
        figures[FIGURE_challenges]++;
        probes[PROBE_challenged]++;
        break;
    case EVIDENCE_WINDOW:
        probes[PROBE_window_set]++;
        break;
    case EVIDENCE_BACKOFF:
        figures[FIGURE_reconnects]++;
        break;
    case EVIDENCE_REVERT:
        figures[FIGURE_reverted]++;
        break;
    case EVIDENCE_CONFIRM:
        figures[FIGURE_confirmed]++;
        break;
    case EVIDENCE_ARM:
        figures[FIGURE_armed]++;
        break;
    case EVIDENCE_TAKE:
        figures[FIGURE_resumed] += evidence->value > 0;
        break;
    case EVIDENCE_BOOT:
    case EVIDENCE_RESERVE:
    case EVIDENCE_DISCHARGE:
    case EVIDENCE_COMMIT:
    case EVIDENCE_JUMP:
    case EVIDENCE_STRAND:
    case EVIDENCE_DECLINE:
    case EVIDENCE_FILL:
    case EVIDENCE_RAISE:
    case EVIDENCE_ROTATE:
    case EVIDENCE_POLICY:
    case EVIDENCE_STATUS:
    case EVIDENCE_LEARN:
    case EVIDENCE_COUNT:
        break;
    }
}

static void tell(struct world *world, struct observation observation)
{
    observation.time_us = world_instant_us(world);
    observation.event = world->event_count;
    observe(world, &observation);
}

void observe_answer(struct world *world, struct node *node)
{
    struct role_outbox outbox;
    if (!node->told_outbox || node->memory == NULL) {
        return;
    }
    role_device_outbox(node->memory, &outbox);
    if (outbox.answers != node->told_answers) {
        node->told_answers = outbox.answers;
        tell(world, (struct observation){.kind = TRUTH_RESPOND,
                                         .node = node->number,
                                         .device = node->number,
                                         .epoch = outbox.epoch,
                                         .counter = outbox.answer_floor});
    }
}

void observe_link(void *ctx, uint32_t node, uint32_t peer)
{
    struct world *world = ctx;
    if (is_heard(world)) {
        tell(world, (struct observation){.kind = TRUTH_LINK, .node = node, .value = peer});
    }
}

/* Its store is mounted: what is there is what the fall has left. */
static void observe_outbox(struct world *world, struct node *node)
{
    struct role_outbox outbox;
    role_device_outbox(node->memory, &outbox);
    node->told_outbox = true;
    struct observation observation = {.kind = TRUTH_OUTBOX,
                                      .node = node->number,
                                      .device = node->number,
                                      .epoch = outbox.epoch,
                                      .counter = outbox.next,
                                      .value = outbox.count};
    tell(world, observation);
    for (uint32_t i = 0; i < outbox.count; i++) {
        uint32_t slot = 0;
        role_device_kept(node->memory, i, &observation.counter, &slot);
        observation.kind = TRUTH_KEPT;
        observation.value = slot;
        tell(world, observation);
    }
}

/* Truths that go ahead of what a device says of its readings. */
static void observe_device(struct world *world, struct node *node, enum evidence_kind kind)
{
    switch ((int)kind) {
    case EVIDENCE_BOOT:
    case EVIDENCE_RESERVE:
    case EVIDENCE_SHED:
        if (!node->told_outbox) {
            observe_outbox(world, node);
        }
        observe_answer(world, node);
        break;
    case EVIDENCE_SIGN:
    case EVIDENCE_SEND:
    case EVIDENCE_RELEASE:
        observe_answer(world, node);
        break;
    default:
        break;
    }
}

void observe_evidence(void *ctx, uint32_t node, uint64_t time_us, const struct evidence *evidence)
{
    struct world *world = ctx;
    struct observation observation = {.time_us = time_us,
                                      .event = world->event_count,
                                      .kind = evidence->kind,
                                      .node = node,
                                      .device = evidence->device,
                                      .epoch = evidence->epoch,
                                      .counter = evidence->counter,
                                      .value = evidence->value};
    count_evidence(world, evidence);
    if (evidence->device <= world->node_count) {
        workload_evidence(&world->seen[evidence->device], &world->plan.settings,
                          world->periods_us[evidence->device], time_us, evidence,
                          world->stage.probes);
    }
    if (world->nodes[node].role_mask == ROLE_MASK_DEVICE) {
        recovery_evidence(&world->recovery, &world->nodes[node], evidence);
    }
    if (is_heard(world) && world->nodes[node].role_mask == ROLE_MASK_DEVICE) {
        observe_device(world, &world->nodes[node], evidence->kind);
    }
    if (evidence->kind == EVIDENCE_BOOT) {
        world->nodes[node].said_boot = true;
        observe_progress(world, &world->nodes[node], evidence->epoch);
    } else if (evidence->kind == EVIDENCE_JUMP || evidence->kind == EVIDENCE_STRAND) {
        const bool jumps = evidence->kind == EVIDENCE_JUMP && evidence->epoch < SLOT_COUNT;
        world->nodes[node].running = jumps ? evidence->epoch : SLOT_NONE;
        observe_slots(world, &world->nodes[node]);
        observe_record(world, &world->nodes[node]);
    }
    if (world->options.item != NULL) {
        const struct world_item item = {.kind = ITEM_EVIDENCE,
                                        .event = world->event_count,
                                        .time_us = time_us,
                                        .node = node,
                                        .what = evidence->kind,
                                        .a = evidence->device,
                                        .b = evidence->epoch,
                                        .counter = evidence->counter,
                                        .value = evidence->value};
        show(world, &item);
    }
    if (is_heard(world)) {
        if (evidence->body != NULL) {
            hash_once(evidence->body, evidence->body_bytes, observation.body);
        }
        observe(world, &observation);
        if (evidence->kind == EVIDENCE_ACCEPT && world->canary) {
            world->canary = false;
            observe(world, &observation);
        }
    }
}

/* ---- firmware -------------------------------------------------------------------------------- */

void observe_release(struct world *world, const struct manifest *manifest)
{
    tell(world, (struct observation){.kind = TRUTH_RELEASE,
                                     .counter = manifest->sequence.number,
                                     .value = manifest->security.level});
}

void observe_slots(struct world *world, const struct node *node)
{
    const struct firmware *firmware = world->fleet->firmware;
    if (firmware == NULL || !is_heard(world) || node->flash == NULL) {
        return;
    }
    tell(world, (struct observation){.kind = TRUTH_FLOOR,
                                     .node = node->number,
                                     .device = node->number,
                                     .value = node->counters[COUNTER_SECURITY]});
    for (uint32_t slot = 0; slot < SLOT_COUNT; slot++) {
        tell(world, (struct observation){.kind = TRUTH_SLOT,
                                         .node = node->number,
                                         .device = node->number,
                                         .epoch = slot,
                                         .counter = firmware_in_slot(firmware, node->flash, slot)});
    }
}

/* Behind the boot loader's mount, which leaves nothing uncertain in its store. */
static void observe_record(struct world *world, const struct node *node)
{
    const struct firmware *firmware = world->fleet->firmware;
    struct boot_record record;
    if (firmware == NULL || !is_heard(world) || node->flash == NULL) {
        return;
    }
    const bool reads = firmware_record(firmware, node->flash, &record);
    const bool tried = reads && record.trial.slot != SLOT_NONE;
    tell(world, (struct observation){.kind = TRUTH_RECORD,
                                     .node = node->number,
                                     .device = node->number,
                                     .epoch = reads ? record.confirmed : SLOT_NONE,
                                     .counter = reads ? record.sequence.number : 0});
    tell(world, (struct observation){.kind = TRUTH_TRIAL,
                                     .node = node->number,
                                     .device = node->number,
                                     .counter = tried ? record.trial.sequence.number : 0,
                                     .value = tried ? record.trial.trials.left : 0});
    tell(world, (struct observation){.kind = TRUTH_REVERTED,
                                     .node = node->number,
                                     .device = node->number,
                                     .counter = reads ? record.revert.sequence.number : 0,
                                     .value = reads ? record.revert.count : 0});
}

/* Behind the agent's mount, if it has a store. */
static void observe_progress(struct world *world, const struct node *node, uint32_t epoch)
{
    const struct firmware *firmware = world->fleet->firmware;
    struct manifest_sequence sequence;
    uint32_t sectors;
    if (firmware == NULL || !is_heard(world) || node->flash == NULL || epoch == 0) {
        return;
    }
    firmware_progress(firmware, node->flash, &sequence, &sectors);
    tell(world, (struct observation){.kind = TRUTH_TAKEN,
                                     .node = node->number,
                                     .device = node->number,
                                     .counter = sequence.number,
                                     .value = sectors});
}

void observe_settled(struct world *world, const struct node *node)
{
    const struct firmware *firmware = world->fleet->firmware;
    struct device_firmware_view view = {0};
    if (firmware == NULL || node->flash == NULL ||
        (world->left != NULL && (world->left[node->number] & WORLD_LEFT_UNASKED) != 0)) {
        return;
    }
    const bool runs = node_up(node) && role_device_firmware(node->memory, &view);
    const uint64_t newest =
        firmware->releases[firmware->release_count - 1].manifest.sequence.number;
    world->stage.figures[FIGURE_updated] +=
        runs && view.outcome == BOOT_CONFIRMED && view.sequence.number == newest;
    observe_slots(world, node);
    tell(world, (struct observation){.kind = TRUTH_SETTLED,
                                     .node = node->number,
                                     .device = node->number,
                                     .counter = runs ? view.sequence.number : 0});
}

/* A row of the cloud's table firmware: at the end it is what the device runs. */
static void count_known(struct world *world, const struct observation *row)
{
    struct device_firmware_view view;
    const struct node *node = &world->nodes[row->device];
    const bool runs = row->device <= world->node_count && node_up(node) && node->flash != NULL &&
                      role_device_firmware(node->memory, &view);
    world->stage.figures[FIGURE_known] +=
        runs && row->counter == view.sequence.number && row->value == (uint64_t)view.outcome;
}

/* ---- flash ----------------------------------------------------------------------------------- */

/* flash.discipline and flash.bounds: no role says how it writes, and the world sees each write. An
 * operation that was cut counts: it had begun. */
void observe_flash_write(void *ctx, uint32_t number, struct flash_range range, uint64_t breaches)
{
    struct world *world = ctx;
    const struct node *node = &world->nodes[number];
    const struct firmware *firmware = world->fleet->firmware;
    const struct observation observation = {
        .time_us = node_instant(node), .event = world->event_count, .node = number};
    struct judge_finding finding = {0};
    enum law law = LAW_FLASH_DISCIPLINE;
    if (world->judge == NULL) {
        return;
    }
    judge_exercise(world->judge, LAW_FLASH_DISCIPLINE, 1);
    if (breaches > 0) {
        finding = (struct judge_finding){"breaches of the rules of the flash part", 0, breaches};
    }
    if (firmware != NULL) {
        judge_exercise(world->judge, LAW_FLASH_BOUNDS, 1);
        if (!flash_law_may_write(&firmware->device.update.boot.layout, &firmware->geometry,
                                 node->running, range)) {
            law = LAW_FLASH_BOUNDS;
            finding = (struct judge_finding){
                node->running == SLOT_NONE ? "the boot loader writes outside its store (offset)"
                                           : "the image writes where it may not (its slot, offset)",
                node->running, range.offset};
        }
    }
    struct violation violation;
    if (finding.what != NULL &&
        judge_found(world->judge, law, &observation, &finding, &violation)) {
        observe_violation(world, &violation);
    }
}

/* ---- images ---------------------------------------------------------------------------------- */

static void on_image_row(void *ctx, const struct observation *row)
{
    struct world *world = ctx;
    struct observation observation = *row;
    observation.time_us = world_instant_us(world);
    observation.event = world->event_count;
    observation.node = world->image_node;
    if (row->kind == TRUTH_KNOWN) {
        observation.node = row->device;
        if (!world->ending) {
            return; /* while faults strike the cloud may be behind */
        }
        count_known(world, row);
    }
    observe(world, &observation);
}

/* Judged on a copy, never on the node's live database: a SELECT there would move its operations.
 * After a loss of power the image is what is left. Of a node that lives it is what a loss of power
 * would leave now, and at a boot after the death of the process that is the only way to see whether
 * what the role found there is durable, too. */
void observe_image(struct world *world, struct node *node)
{
    const struct image_cut cut = {
        random_at(world->fall_key, (uint64_t)node->number << 32 | world->event_count)};
    if (!is_heard(world) || node->disk == NULL) {
        return;
    }
    world->image_node = node->number;
    world->stage.figures[FIGURE_images_judged]++;
    observe_truth(world, TRUTH_IMAGE, node->number, 0);
    /* What a disk holds that has lied proves nothing. */
    const bool good = node->disk->counters.lies == 0 &&
                      image_read(node->disk, world->scratch, node->role_mask == ROLE_MASK_CLOUD,
                                 node_up(node) ? &cut : NULL, world, on_image_row);
    observe_truth(world, TRUTH_IMAGE_END, node->number, good ? 0 : 1);
    node->image_owed = false;
}
