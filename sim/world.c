#include "sim/world_inside.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "core/check.h"

/* ---- names ----------------------------------------------------------------------------------- */

const char *world_event_name(unsigned kind)
{
    static const char *const names[WORLD_KIND_COUNT] = {"timer",   "link",     "boot", "strike",
                                                        "recover", "watchdog", "heal", "end"};
    return kind < WORLD_KIND_COUNT ? names[kind] : "?";
}

const char *probe_name(enum probe probe)
{
    static const char *const names[PROBE_COUNT] = {
#define PROBE_NAME(name) #name,
        PROBE_LIST(PROBE_NAME)
#undef PROBE_NAME
    };
    CHECK(probe < PROBE_COUNT);
    return names[probe];
}

void world_options_init(struct world_options *options)
{
    *options = (struct world_options){.hash = true, .laws = true};
}

/* ---- events ---------------------------------------------------------------------------------- */

void world_schedule(struct world *world, uint64_t time_us, enum world_event_kind kind, uint32_t a,
                    uint32_t b)
{
    if (time_us < world->now_us) {
        time_us = world->now_us;
    }
    if (!queue_push(&world->queue, time_us, (uint8_t)kind, a, b) && world->state == WORLD_RUNNING) {
        world->state = WORLD_FAILED;
        snprintf(world->error, sizeof world->error, "the event queue is full");
    }
}

static struct node *event_node(struct world *world, const struct queue_event *event)
{
    switch (queue_kind(event)) {
    case WORLD_TIMER:
    case WORLD_BOOT:
    case WORLD_WATCHDOG:
        return &world->nodes[event->a];
    case WORLD_NET:
        return &world->nodes[net_event_node(world->stage.net, event->a, event->b)];
    default:
        return &world->nodes[0];
    }
}

static uint64_t free_at_us(const struct node *node)
{
    return node->busy_until_us > node->stalled_until_us ? node->busy_until_us
                                                        : node->stalled_until_us;
}

/* What the front event is: to be taken, stale, or for a node that cannot take it now. */
enum readiness { READY, STALE, LATER };

static enum readiness readiness(const struct queue_event *event, struct node *node,
                                uint64_t *later_us)
{
    const uint64_t free_us = free_at_us(node);
    switch (queue_kind(event)) {
    case WORLD_TIMER:
        if (!node_up(node) || event->b != node->timer_generation) {
            return STALE;
        }
        *later_us = node->timer_early ? 0
                                      : clock_true_us(&node->clock, event->time_us,
                                                      node->role->deadline_us(node->memory));
        if (*later_us < free_us) {
            *later_us = free_us;
        }
        return *later_us <= event->time_us ? READY : LATER;
    case WORLD_NET:
        if (node->number == 0 || free_us <= event->time_us) {
            return READY;
        }
        *later_us = free_us;
        return LATER;
    case WORLD_BOOT:
        return event->b == node->boot_generation && !node_up(node) ? READY : STALE;
    case WORLD_WATCHDOG:
        if (!node_up(node) || event->b != node->watchdog_generation) {
            return STALE;
        }
        *later_us = node->watchdog_at_us;
        if (node->clock.monotonic.stopped && *later_us < node->stalled_until_us) {
            *later_us = node->stalled_until_us + 1; /* asleep, and so is its watchdog */
        }
        return *later_us <= event->time_us ? READY : LATER;
    default:
        return READY;
    }
}

/* Take what is no event from the front of the queue, so that world_next_us() is the time of a real
 * one, and so that this happens at the same point live and in a replay. */
static void prune(struct world *world)
{
    const struct queue_event *front;
    while ((front = queue_peek(&world->queue)) != NULL) {
        struct queue_event event;
        struct node *node = event_node(world, front);
        uint64_t later_us = UINT64_MAX;
        const enum readiness ready = readiness(front, node, &later_us);
        if (ready == READY) {
            return;
        }
        CHECK(queue_pop(&world->queue, &event));
        const uint8_t kind = queue_kind(&event);
        if (ready == LATER && later_us == UINT64_MAX) {
            if (kind == WORLD_TIMER) {
                node->timer_at_us = UINT64_MAX;
            } else {
                node->watchdog_generation++; /* disarmed: even means that none is queued */
            }
        } else if (ready == LATER) {
            if (kind == WORLD_TIMER) {
                node->timer_at_us = later_us;
            }
            CHECK(queue_push(&world->queue, later_us, kind, event.a, event.b));
        }
    }
}

static void deliver(struct world *world, struct node *node, const struct event *event)
{
    struct hash *hash = &world->stage.hash;
    hash_u64(hash, (uint64_t)event->kind | (uint64_t)event->link << 32);
    hash_bytes(hash, event->bytes, event->size_bytes);
    strike_settle(world, node, node_step(node, world->now_us, event));
}

static void take_net(struct world *world, const struct queue_event *event)
{
    struct net_delivery delivery;
    if (net_event(world->stage.net, world->now_us, event->a, event->b, &delivery)) {
        struct node *node = &world->nodes[delivery.node];
        if (node_up(node)) {
            if (world->options.delivered != NULL) {
                world->options.delivered(world->options.delivered_ctx, delivery.node,
                                         &delivery.event);
            }
            deliver(world, node, &delivery.event);
        }
    }
}

static void take_strike(struct world *world, const struct queue_event *event)
{
    const struct plan_entry *entry = &world->plan.entries[event->a];
    if (world->healed || world_is_withdrawn(world, event->a)) {
        return;
    }
    if (event->b == 0 && (entry->when == PLAN_OPERATION || entry->when == PLAN_EVIDENCE)) {
        strike_arm(world, event->a);
    } else {
        strike(world, event->a);
    }
}

static bool compare(uint64_t value, enum plan_comparison comparison, uint64_t number)
{
    switch (comparison) {
    case PLAN_LESS:
        return value < number;
    case PLAN_AT_MOST:
        return value <= number;
    case PLAN_EQUAL:
        return value == number;
    case PLAN_AT_LEAST:
        return value >= number;
    case PLAN_MORE:
        return value > number;
    }
    return false;
}

static void count_probes(struct world *world)
{
    const struct net_counts *net = net_counts(world->stage.net);
    uint64_t *probes = world->stage.probes;
    probes[PROBE_retransmitted] = net->retransmits;
    probes[PROBE_stream_timed_out] = net->timeouts;
    probes[PROBE_segment_cut] = net->chunk_cuts;
    probes[PROBE_send_was_short] = net->short_sends;
    probes[PROBE_rogue_took_custody] = world->fleet->rogue_counts.taken;
    for (uint32_t i = 1; i <= world->node_count; i++) {
        const struct disk *disk = world->nodes[i].disk;
        if (disk != NULL) {
            probes[PROBE_disk_lie_told] += disk->counters.lies;
            probes[PROBE_disk_full_hit] += disk->counters.refusals;
            probes[PROBE_disk_error_hit] += disk->counters.failures;
        }
    }
}

static void finish(struct world *world)
{
    count_probes(world);
    world->ending = true;
    for (uint32_t i = 1; i <= world->node_count; i++) {
        observe_settled(world, &world->nodes[i]);
    }
    for (uint32_t i = 1; i <= world->node_count; i++) {
        observe_image(world, &world->nodes[i]);
    }
    observe_truth(world, TRUTH_END, 0, 0);
    for (uint32_t law = 0; law < LAW_COUNT && world->judge != NULL; law++) {
        world->stage.figures[FIGURE_unfollowed] += judge_unfollowed(world->judge, (enum law)law);
    }
    world->stage.figures[FIGURE_unfollowed_readings] =
        world->judge != NULL ? judge_unfollowed_readings(world->judge) : 0;
    for (uint32_t i = 0; i < world->plan.expectation_count && !world->violated; i++) {
        const struct plan_expectation *expectation = &world->plan.expectations[i];
        const uint64_t figure = world_figure(world, expectation->figure);
        if (figure == FIGURE_UNKNOWN ||
            !compare(figure, expectation->comparison, expectation->number)) {
            world->expectation_failed = (int)i;
            break;
        }
    }
    if (world->state == WORLD_RUNNING) {
        world->state = WORLD_ENDED;
    }
}

static void take(struct world *world, const struct queue_event *event)
{
    struct node *node = event_node(world, event);
    switch ((enum world_event_kind)queue_kind(event)) {
    case WORLD_TIMER:
        deliver(world, node, &(struct event){.kind = EVENT_TIMEOUT});
        break;
    case WORLD_NET:
        take_net(world, event);
        break;
    case WORLD_BOOT:
        strike_boot(world, node);
        break;
    case WORLD_STRIKE:
        take_strike(world, event);
        break;
    case WORLD_RECOVER:
        if (!world->healed) {
            strike_over(world, event->a);
        }
        break;
    case WORLD_WATCHDOG:
        strike_reset(world, node, RESET_WATCHDOG);
        break;
    case WORLD_HEAL:
        strike_heal(world);
        break;
    case WORLD_END:
        finish(world);
        break;
    case WORLD_KIND_COUNT:
        break;
    }
}

/* Entries of a replayed plan that are due before the next event. */
static void file_due(struct world *world)
{
    while (world->filed_count < world->plan.entry_count) {
        const struct plan_entry *entry = &world->plan.entries[world->filed_count];
        const bool due = world->plan.by_time ? entry->filed_us <= world_next_us(world)
                                             : entry->event <= world->event_count;
        if (!due) {
            return;
        }
        /* Under another program the event of that number may come sooner than it was filed. */
        const uint64_t next_us = world_next_us(world);
        const uint64_t filed_us = entry->filed_us < next_us ? entry->filed_us : next_us;
        if (filed_us > world->now_us) {
            world->now_us = filed_us;
        }
        strike_file(world, world->filed_count);
        prune(world);
    }
}

enum world_state world_step(struct world *world)
{
    struct queue_event event;
    file_due(world);
    if (world->state != WORLD_RUNNING) {
        return world->state;
    }
    if (!queue_pop(&world->queue, &event)) {
        world->state = WORLD_FAILED;
        snprintf(world->error, sizeof world->error, "the queue ran empty before the end");
        return world->state;
    }
    CHECK(event.time_us >= world->now_us);
    world->now_us = event.time_us;
    world->stage.event = world->event_count;
    hash_u64(&world->stage.hash, event.time_us);
    hash_u64(&world->stage.hash, (uint64_t)queue_kind(&event) << 32 | event.a);
    hash_u32(&world->stage.hash, event.b);
    observe_event(world, &event, event_node(world, &event)->number);
    take(world, &event);
    world->event_count++;
    if (world->violated && world->state != WORLD_FAILED) {
        world->state = WORLD_VIOLATED;
    }
    prune(world);
    return world->state;
}

/* The world was made: come to the first real event. */
void world_settle(struct world *world)
{
    prune(world);
    file_due(world);
}

/* ---- asking ---------------------------------------------------------------------------------- */

enum world_state world_state(const struct world *world)
{
    return world->state;
}

const char *world_error(const struct world *world)
{
    return world->error;
}

uint64_t world_instant_us(const struct world *world)
{
    return world->told_us > world->now_us ? world->told_us : world->now_us;
}

uint64_t world_now_us(const struct world *world)
{
    return world->now_us;
}

uint64_t world_next_us(const struct world *world)
{
    const struct queue_event *front = queue_peek(&world->queue);
    return front == NULL ? UINT64_MAX : front->time_us;
}

void world_advance(struct world *world, uint64_t now_us)
{
    CHECK(now_us >= world->now_us && now_us <= world_next_us(world));
    world->now_us = now_us;
}

uint64_t world_event_count(const struct world *world)
{
    return world->event_count;
}

bool world_file(struct world *world, struct plan_entry entry, char *error, size_t error_bytes)
{
    entry.event = world->event_count;
    entry.filed_us = world->now_us;
    if (!plan_entry_check(&world->plan, &entry, error, error_bytes)) {
        return false;
    }
    if (!plan_append(&world->plan, &entry)) {
        snprintf(error, error_bytes, "the plan has too many entries");
        return false;
    }
    strike_file(world, world->plan.entry_count - 1);
    prune(world);
    return true;
}

const struct plan *world_plan(const struct world *world)
{
    return &world->plan;
}

void world_digest(struct world *world, uint64_t digest[2])
{
    hash_digest(&world->stage.hash, digest);
}

uint64_t world_figure(const struct world *world, enum figure figure)
{
    CHECK(figure < FIGURE_COUNT);
    return figure == FIGURE_recovery_us ? recovery_us(&world->recovery)
                                        : world->stage.figures[figure];
}

const struct judge *world_judge(const struct world *world)
{
    return world->judge;
}

const struct violation *world_violation(const struct world *world)
{
    return world->violated ? &world->violation : NULL;
}

const char *world_check_text(const struct world *world)
{
    return world->stage.check_text;
}

int world_expectation_failed(const struct world *world)
{
    return world->expectation_failed;
}

uint64_t world_fired(const struct world *world, enum effect effect)
{
    CHECK(effect < EFFECT_COUNT);
    return world->stage.fired[effect];
}

uint64_t world_filed(const struct world *world, enum effect effect)
{
    CHECK(effect < EFFECT_COUNT);
    return world->filed[effect];
}

uint64_t world_probe(const struct world *world, enum probe probe)
{
    CHECK(probe < PROBE_COUNT);
    return world->stage.probes[probe];
}

size_t world_view(const struct world *world, uint32_t node, struct world_view *out, size_t capacity)
{
    if (node == 0 || node > world->node_count || !node_up(&world->nodes[node])) {
        return 0;
    }
    const struct node *seen = &world->nodes[node];
    const size_t count = seen->role->view(seen->memory, out, capacity);
    return count < capacity ? count : capacity;
}

bool world_node_up(const struct world *world, uint32_t node)
{
    return node > 0 && node <= world->node_count && node_up(&world->nodes[node]);
}
