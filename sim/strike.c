#include "sim/world_inside.h"

#include <stdlib.h>
#include <string.h>

#include "core/check.h"
#include "sim/heal_core.h"
#include "sim/node_memory.h"
#include "sim/roles.h"
#include "sim/workload.h"

enum {
    RESTART_US = 1000000 /* from the death of a process, or a bite of the watchdog, to its boot */
};

/* ---- nodes: falling, booting, timers --------------------------------------------------------- */

void strike_update_cut(struct world *world, struct node *node)
{
    node->cut_at_us = UINT64_MAX;
    for (uint32_t i = 0; i < world->filed_count; i++) {
        const struct plan_entry *entry = &world->plan.entries[i];
        if (entry->target == node->number && entry->when == PLAN_AT &&
            (entry->effect == EFFECT_POWER_CUT || entry->effect == EFFECT_CRASH) &&
            entry->at_us > world->now_us && entry->at_us < node->cut_at_us && !world->healed &&
            !world_is_withdrawn(world, i)) {
            node->cut_at_us = entry->at_us;
            node->cut_entry = i;
        }
    }
}

void strike_schedule_boot(struct world *world, struct node *node, uint64_t time_us)
{
    world_schedule(world, time_us, WORLD_BOOT, node->number, ++node->boot_generation);
}

/* back_at_us of a node that never boots again. */
#define NEVER UINT64_MAX

/* The node is down: RAM dropped, media as the fall leaves them, image judged, next boot set. */
static void bring_down(struct world *world, struct node *node, enum node_fall kind,
                       uint64_t back_at_us)
{
    const uint64_t key = random_at(world->fall_key, (uint64_t)node->number << 32 | node->boots);
    node_fall(node, kind, key);
    net_node_down(world->stage.net, world_instant_us(world), node->number);
    /* Whoever hung or slept does so no longer. */
    node->stalled_until_us = world->now_us;
    if (node->clock.monotonic.stopped) {
        clock_suspend(&node->clock, world->now_us, false);
    }
    observe_truth(world, TRUTH_DOWN, node->number, kind == NODE_PROCESS_DIED ? 1 : 0);
    observe_slots(world, node);
    if (kind == NODE_PROCESS_DIED) {
        node->image_owed = true;
    } else {
        world->stage.figures[FIGURE_power_losses]++;
        observe_image(world, node);
    }
    if (back_at_us == NEVER) {
        node->boot_generation++; /* whatever was scheduled is over */
    } else {
        strike_schedule_boot(world, node, back_at_us);
    }
}

static void void_laws(struct world *world, const struct plan_entry *entry)
{
    const uint32_t role = fleet_role(&world->plan.settings, entry->target);
    for (unsigned law = 0; law < LAW_COUNT && world->judge != NULL; law++) {
        if (effect_voids(entry->effect, role, (enum law)law)) {
            judge_void(world->judge, (enum law)law, entry->target);
        }
    }
}

static void count_fired(struct world *world, uint32_t index)
{
    world->stage.fired[world->plan.entries[index].effect]++;
    observe_effect(world, index, 0);
}

/* A strike that ends a node's life: by entry, at this instant. */
static void strike_down(struct world *world, struct node *node, uint32_t index)
{
    const struct plan_entry *entry = &world->plan.entries[index];
    const enum node_fall kind = entry->effect == EFFECT_CRASH       ? NODE_PROCESS_DIED
                                : entry->effect == EFFECT_DISK_LOST ? NODE_DISK_LOST
                                                                    : NODE_POWER_LOST;
    count_fired(world, index);
    void_laws(world, entry);
    bring_down(world, node, kind, world->now_us + entry->lasts_us);
    node->reset_reason = kind == NODE_PROCESS_DIED ? RESET_PROCESS : RESET_POWER_ON;
}

void strike_reset(struct world *world, struct node *node, enum reset_reason reason)
{
    world->stage.probes[reason == RESET_WATCHDOG ? PROBE_watchdog_bit : PROBE_software_reset]++;
    node->reset_reason = reason;
    bring_down(world, node, NODE_PROCESS_DIED, world->now_us + RESTART_US);
}

/* Latitude of the port: a node may be woken for nothing. */
static uint64_t early_us(const struct world *world, struct node *node, uint64_t at_us)
{
    const uint64_t ppm = world->plan.settings.number[SETTING_latitude_early_timers];
    const bool early = ppm != 0 && at_us != UINT64_MAX && at_us > world->now_us + 1 &&
                       random_chance(&node->early, (uint32_t)ppm);
    return early ? random_between(&node->early, world->now_us + 1, at_us - 1) : at_us;
}

static void set_timers(struct world *world, struct node *node)
{
    const uint64_t deadline_us = node->role->deadline_us(node->memory);
    const uint64_t true_us = clock_true_us(&node->clock, world->now_us, deadline_us);
    uint64_t at_us = early_us(world, node, true_us);
    const bool early = at_us < true_us;
    if (at_us < node->busy_until_us) {
        at_us = node->busy_until_us;
    }
    if (at_us != UINT64_MAX && (at_us < node->timer_at_us || node->timer_at_us <= world->now_us)) {
        node->timer_at_us = at_us;
        node->timer_early = early;
        world->stage.probes[PROBE_timer_came_early] += early ? 1 : 0;
        world_schedule(world, at_us, WORLD_TIMER, node->number, ++node->timer_generation);
    }
    if (node->watchdog_at_us != UINT64_MAX && node->watchdog_generation % 2 == 0) {
        world_schedule(world, node->watchdog_at_us, WORLD_WATCHDOG, node->number,
                       ++node->watchdog_generation);
    }
}

static void look_at_packet_id(struct world *world, const struct node *node)
{
    const struct settings *settings = &world->plan.settings;
    if (settings->number[SETTING_workload_packet_id] > 1 && node->role_mask == ROLE_MASK_DEVICE &&
        node->memory != NULL && world->recovery.devices[node->number].boot == node->boots) {
        workload_packet_id(&world->seen[node->number], settings,
                           role_device_packet_id(node->memory), world->stage.probes);
    }
}

/* After a step or a boot: what it asked for, or what befell it inside. */
void strike_settle(struct world *world, struct node *node, enum node_fall fall)
{
    if (world->stage.check_text[0] != '\0') {
        observe_violation(world, &(struct violation){
                                     .law = LAW_CORE_CHECK,
                                     .observation = {.time_us = world->now_us,
                                                     .event = world->event_count,
                                                     .node = node->number},
                                     .what = "a CHECK failed",
                                 });
    }
    world->told_us = fall == NODE_STANDS ? 0 : node->busy_until_us;
    observe_answer(world, node);
    recovery_look(&world->recovery, node, world->now_us);
    look_at_packet_id(world, node);
    if (fall != NODE_STANDS && node->fall_entry != PLAN_ANY) {
        strike_down(world, node, node->fall_entry);
        strike_update_cut(world, node);
    } else if (fall != NODE_STANDS) {
        bring_down(world, node, fall, world->now_us + RESTART_US);
    } else if (node->reset_asked) {
        strike_reset(world, node, RESET_SOFTWARE);
    } else {
        if (node->said_boot && node->image_owed) {
            observe_image(world, node);
        }
        set_timers(world, node);
    }
    world->told_us = 0;
}

void strike_boot(struct world *world, struct node *node)
{
    clock_boot(&node->clock, world->now_us);
    world->stage.figures[FIGURE_boots]++;
    observe_truth(world, TRUTH_UP, node->number, 0);
    net_node_up(world->stage.net, world->now_us, node->number);
    node->timer_at_us = UINT64_MAX;
    node->watchdog_generation += node->watchdog_generation % 2;
    strike_settle(world, node, node_boot(node, world->now_us));
}

/* ---- effects --------------------------------------------------------------------------------- */

static enum net_condition condition_of(enum effect effect)
{
    switch ((int)effect) {
    case EFFECT_PARTITION_IN:
        return NET_BLOCK_IN;
    case EFFECT_PARTITION_OUT:
        return NET_BLOCK_OUT;
    case EFFECT_LINK_STALL:
        return NET_STALL;
    case EFFECT_LINK_DELAY:
        return NET_DELAY;
    case EFFECT_LINK_SLOW:
        return NET_SLOW;
    default:
        return NET_BLOCK_BOTH;
    }
}

static void stall_node(struct world *world, struct node *node, uint64_t lasts_us)
{
    const uint64_t until_us = world->now_us + lasts_us;
    if (until_us > node->stalled_until_us) {
        node->stalled_until_us = until_us;
    }
    observe_truth(world, TRUTH_STALL, node->number, lasts_us);
}

/* An effect begins on a disk, or ends. */
static void set_disk(struct node *node, const struct plan_entry *entry, bool on)
{
    struct disk_faults *faults = &node->disk->faults;
    switch ((int)entry->effect) {
    case EFFECT_DISK_FULL:
        faults->full = on;
        break;
    case EFFECT_DISK_LYING:
        faults->lying = on;
        break;
    default:
        faults->failing_ppm = on ? (uint32_t)entry->amount : 0;
        break;
    }
}

static void set_clock(struct world *world, struct node *node, const struct plan_entry *entry,
                      bool on)
{
    struct clock *clock = &node->clock;
    /* A busy node has read its clock ahead of now already: it may not go back. */
    const uint64_t now_us =
        node->busy_until_us > world->now_us ? node->busy_until_us : world->now_us;
    switch ((int)entry->effect) {
    case EFFECT_WALL_STEP:
        clock_wall_step(clock, now_us, entry->amount);
        break;
    case EFFECT_WALL_DRIFT:
        clock_wall_drift(clock, now_us, on ? (int32_t)entry->amount : 0);
        break;
    case EFFECT_WALL_FREEZE:
        clock_wall_freeze(clock, now_us, on);
        break;
    case EFFECT_WALL_RESET:
        clock_wall_reset(clock, now_us);
        break;
    case EFFECT_SUSPEND:
        clock_suspend(clock, now_us, on);
        break;
    default:
        clock_monotonic_drift(clock, now_us, on ? (int32_t)entry->amount : 0);
        break;
    }
    /* Deadlines lie elsewhere now: wake at once and look again. */
    if (node_up(node)) {
        node->timer_at_us = now_us;
        node->timer_early = false;
        world_schedule(world, now_us, WORLD_TIMER, node->number, ++node->timer_generation);
    }
}

/* Begin (or end) everything but the ends of lives. */
static void apply(struct world *world, struct node *node, uint32_t index, bool on)
{
    const struct plan_entry *entry = &world->plan.entries[index];
    struct net *net = world->stage.net;
    switch (entry->effect) {
    case EFFECT_HANG:
    case EFFECT_SUSPEND:
        if (on) {
            stall_node(world, node, entry->lasts_us);
        }
        if (entry->effect == EFFECT_SUSPEND) {
            set_clock(world, node, entry, on);
        }
        break;
    case EFFECT_DISK_FULL:
    case EFFECT_DISK_ERROR:
    case EFFECT_DISK_LYING:
        set_disk(node, entry, on);
        break;
    case EFFECT_WALL_STEP:
    case EFFECT_WALL_DRIFT:
    case EFFECT_WALL_FREEZE:
    case EFFECT_WALL_RESET:
    case EFFECT_MONOTONIC_DRIFT:
        set_clock(world, node, entry, on);
        break;
    case EFFECT_LINK_RESET:
        net_reset(net, world->now_us, entry->target, entry->other);
        break;
    case EFFECT_LINK_HALF_OPEN:
        net_half_open(net, world->now_us, entry->target, entry->other);
        break;
    case EFFECT_LINK_STALL:
    case EFFECT_LINK_DELAY:
    case EFFECT_LINK_SLOW:
    case EFFECT_PARTITION:
    case EFFECT_PARTITION_IN:
    case EFFECT_PARTITION_OUT:
        if (on) {
            net_begin(net, world->now_us, index, condition_of(entry->effect), entry->target,
                      entry->other, (uint64_t)entry->amount);
        } else {
            net_end(net, world->now_us, index);
        }
        break;
    case EFFECT_ATTACK_REPLAY:
    case EFFECT_ATTACK_REORDER:
    case EFFECT_ATTACK_DUPLICATE:
    case EFFECT_ATTACK_DELAY:
    case EFFECT_ATTACK_CORRUPT:
    case EFFECT_ATTACK_DROP:
    case EFFECT_ATTACK_FLOOD:
        node->attack[entry->effect] = on ? (uint32_t)entry->amount : 0;
        break;
    case EFFECT_FLASH_BAD:
    case EFFECT_FLASH_BAD_SILENT:
    case EFFECT_FLASH_ROT:
    case EFFECT_FLASH_STUCK:
    case EFFECT_FLASH_DISTURB:
    case EFFECT_FLASH_BROWN_OUT:
    case EFFECT_FLASH_WEAR:
        node_memory_strike(node, entry, world->now_us, on);
        observe_slots(world, node); /* what is in them may not be what it was */
        break;
    case EFFECT_POWER_CUT:
    case EFFECT_CRASH:
    case EFFECT_DISK_LOST:
    case EFFECT_LEFT_DARK: /* what is left out is left at heal */
    case EFFECT_LEFT_CUT:
    case EFFECT_COUNT:
        break;
    }
}

static bool ends_a_life(enum effect effect)
{
    return effect == EFFECT_POWER_CUT || effect == EFFECT_CRASH || effect == EFFECT_DISK_LOST;
}

void strike(struct world *world, uint32_t index)
{
    const struct plan_entry *entry = &world->plan.entries[index];
    struct node *node = &world->nodes[entry->target];
    if (ends_a_life(entry->effect)) {
        if (node_up(node)) {
            world->stage.probes[PROBE_cut_while_idle]++;
            strike_down(world, node, index);
            strike_update_cut(world, node);
        } else if (entry->effect == EFFECT_DISK_LOST) {
            count_fired(world, index);
            void_laws(world, entry);
            disk_erase(node->disk);
            observe_image(world, node);
        }
        return;
    }
    if ((entry->effect == EFFECT_HANG || entry->effect == EFFECT_SUSPEND) && !node_up(node)) {
        return; /* nothing there that could stand still */
    }
    count_fired(world, index);
    void_laws(world, entry);
    apply(world, node, index, true);
    if (effect_info(entry->effect).lasts == EFFECT_LASTS_DURATION) {
        world_schedule(world, world->now_us + entry->lasts_us, WORLD_RECOVER, index, 0);
    }
}

void strike_over(struct world *world, uint32_t index)
{
    observe_effect(world, index, 1);
    apply(world, &world->nodes[world->plan.entries[index].target], index, false);
}

/* ---- filing ---------------------------------------------------------------------------------- */

static void hash_entry(struct world *world, const struct plan_entry *entry)
{
    struct hash *hash = &world->stage.hash;
    hash_u64(hash, (uint64_t)entry->effect << 32 | (uint64_t)entry->when);
    hash_u64(hash, (uint64_t)entry->target << 32 | entry->other);
    hash_u64(hash, entry->at_us);
    hash_u64(hash, entry->lasts_us);
    hash_u64(hash, (uint64_t)entry->amount);
}

void strike_arm(struct world *world, uint32_t index)
{
    if (!node_arm(&world->nodes[world->plan.entries[index].target], index)) {
        world->filed[world->plan.entries[index].effect]--; /* as if it had not been filed */
    }
}

/* What filing does depends on `when`; see plan.h. */
void strike_file(struct world *world, uint32_t index)
{
    const struct plan_entry *entry = &world->plan.entries[index];
    struct node *node = &world->nodes[entry->target];
    world->filed_count = index + 1;
    world->filed[entry->effect]++;
    hash_entry(world, entry);
    if (world->healed || heal_core_is_left(entry->effect)) {
        return; /* the liveness phase has no faults; what is left out is left there */
    }
    switch (entry->when) {
    case PLAN_NOW:
        strike(world, index);
        break;
    case PLAN_AT:
        world_schedule(world, entry->at_us, WORLD_STRIKE, index, 0);
        if (ends_a_life(entry->effect) && entry->effect != EFFECT_DISK_LOST &&
            entry->at_us < node->cut_at_us && entry->at_us > world->now_us) {
            node->cut_at_us = entry->at_us;
            node->cut_entry = index;
        }
        break;
    case PLAN_OPERATION:
    case PLAN_EVIDENCE:
        if (entry->at_us > world->now_us) {
            world_schedule(world, entry->at_us, WORLD_STRIKE, index, 0);
        } else {
            strike_arm(world, index);
        }
        break;
    }
}

/* ---- heal ------------------------------------------------------------------------------------ */

/* Its fault goes on for good. */
static void leave_out(struct world *world, uint32_t index)
{
    const struct plan_entry *entry = &world->plan.entries[index];
    struct node *node = &world->nodes[entry->target];
    count_fired(world, index);
    if (entry->effect == EFFECT_LEFT_CUT) {
        net_begin(world->stage.net, world->now_us, index, NET_BLOCK_BOTH, entry->target,
                  entry->other, 0);
        return;
    }
    world->left[entry->target] |= WORLD_LEFT_DARK;
    if (node_up(node)) {
        bring_down(world, node, NODE_POWER_LOST, NEVER);
    } else {
        node->boot_generation++;
    }
}

/* Before anybody is brought up. */
static void leave_out_all(struct world *world)
{
    bool *holds = calloc((size_t)world->filed_count + 1, sizeof *holds), any = false;
    bool *unasked = calloc((size_t)world->node_count + 1, sizeof *unasked);
    struct plan filed = world->plan;
    CHECK(holds != NULL && unasked != NULL);
    filed.entry_count = world->filed_count;
    for (uint32_t i = 0; i < world->filed_count; i++) {
        holds[i] = heal_core_is_left(filed.entries[i].effect) && !world_is_withdrawn(world, i);
        any = any || holds[i];
    }
    if (any) {
        world->stage.probes[PROBE_healed_in_part]++;
        world->left = calloc((size_t)world->node_count + 1, sizeof *world->left);
        CHECK(world->left != NULL);
        (void)heal_core_left(&filed, holds, unasked);
    }
    for (uint32_t i = 1; i <= world->node_count && any; i++) {
        world->left[i] = unasked[i] ? WORLD_LEFT_UNASKED : 0;
    }
    for (uint32_t i = 0; i < world->filed_count; i++) {
        if (holds[i]) {
            leave_out(world, i);
        }
    }
    free(holds);
    free(unasked);
}

static bool is_left(const struct world *world, uint32_t node, uint8_t how)
{
    return world->left != NULL && (world->left[node] & how) != 0;
}

void strike_heal(struct world *world)
{
    world->healed = true;
    net_heal(world->stage.net, world->now_us);
    leave_out_all(world);
    for (uint32_t i = 1; i <= world->node_count; i++) {
        struct node *node = &world->nodes[i];
        clock_heal(&node->clock, world->now_us);
        node->stalled_until_us = world->now_us;
        node->trigger_count = 0;
        node->cut_at_us = UINT64_MAX;
        memset(node->attack, 0, sizeof node->attack);
        node->brown_out_ppm = 0;
        if (node->disk != NULL) {
            node->disk->faults.full = false;
            node->disk->faults.lying = false;
            node->disk->faults.failing_ppm = 0;
        }
        if (!node_up(node)) {
            if (!is_left(world, i, WORLD_LEFT_DARK)) {
                strike_schedule_boot(world, node, world->now_us);
            }
        } else {
            node->timer_at_us = world->now_us;
            node->timer_early = false;
            world_schedule(world, world->now_us, WORLD_TIMER, i, ++node->timer_generation);
        }
    }
    recovery_heal(&world->recovery, world->nodes, world->node_count, world->left, world->now_us);
    observe_truth(world, TRUTH_HEAL, 0, 0);
    for (uint32_t i = 1; i <= world->node_count; i++) {
        if (is_left(world, i, WORLD_LEFT_UNASKED)) {
            observe_truth(world, TRUTH_LEFT, i, 0);
        }
    }
}
