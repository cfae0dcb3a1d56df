#include "sim/operation.h"

#include <stdio.h>
#include <string.h>

#include "core/check.h"

static const struct operation_charges device_charges = {100, 12000, 25000, 150, 100};
static const struct operation_charges server_charges = {10, 60, 150, 2, 2};

const struct operation_charges *operation_charges(const struct node *node)
{
    return node->role_mask == ROLE_MASK_DEVICE ? &device_charges : &server_charges;
}

uint64_t node_instant(const struct node *node)
{
    return node->start_us + node->elapsed_us;
}

_Noreturn void operation_leave(struct node *node)
{
    node->stepping = false;
    longjmp(node->escape, 1);
}

void operation_check_text(struct node *node, const char *file, int line, const char *what)
{
    if (node->stage->check_text[0] == '\0') {
        snprintf(node->stage->check_text, sizeof node->stage->check_text, "%s:%d: %s", file, line,
                 what);
    }
}

/* A dead port: nothing happens any more. A role that goes on calling is thrown out. SQLite is never
 * left by longjmp: its own error paths end. */
static void count_dead_call(struct node *node)
{
    node->stage->probes[PROBE_dead_port_called]++;
    node->dead_calls++;
    if (node->dead_calls > NODE_DEAD_CALLS_MAX && !node->in_disk) {
        operation_check_text(node, "port", 0, "a dead node goes on calling its port");
        operation_leave(node);
    }
}

static void fall(struct node *node, uint32_t entry)
{
    const struct plan_entry *struck = &node->stage->plan->entries[entry];
    node->fall = struck->effect == EFFECT_POWER_CUT ? NODE_POWER_LOST : NODE_PROCESS_DIED;
    node->fall_entry = entry;
}

static void disarm(struct node *node, uint32_t i)
{
    node->trigger_count--;
    memmove(&node->triggers[i], &node->triggers[i + 1],
            (node->trigger_count - i) * sizeof node->triggers[0]);
}

static bool can_fall(enum effect effect)
{
    return effect == EFFECT_POWER_CUT || effect == EFFECT_CRASH;
}

enum ending operation_pull_triggers(struct node *node, enum plan_when when, uint32_t kind,
                                    uint32_t *fraction)
{
    for (uint32_t i = 0; i < node->trigger_count; i++) {
        struct node_trigger *trigger = &node->triggers[i];
        const struct plan_entry *entry = &node->stage->plan->entries[trigger->entry];
        const bool counts =
            entry->when == when && node_instant(node) >= entry->at_us &&
            (entry->boot == 0 || entry->boot == node->boots) &&
            (when == PLAN_OPERATION ? port_operation_matches(entry->kind, (enum port_operation)kind)
                                    : entry->kind == kind);
        if (!counts || --trigger->left > 0) {
            continue;
        }
        const uint32_t index = trigger->entry;
        disarm(node, i);
        i--;
        if (entry->delay_us > 0 || !can_fall(entry->effect)) {
            node->stage->strike(node->stage->ctx, index, node_instant(node) + entry->delay_us);
            continue;
        }
        fall(node, index);
        *fraction = entry->fraction;
        return when == PLAN_EVIDENCE || entry->phase == PLAN_AFTER ? DIES_AFTER
               : entry->phase == PLAN_BEFORE                       ? DIES_BEFORE
                                                                   : DIES_INSIDE;
    }
    return GOES_ON;
}

enum ending operation_begin(struct node *node, enum port_operation operation, uint64_t takes_us,
                            uint32_t *fraction)
{
    *fraction = 0;
    if (node->fall != NODE_STANDS) {
        count_dead_call(node);
        return DIES_BEFORE;
    }
    if (++node->calls > NODE_LIVE_CALLS_MAX && !node->in_disk) {
        operation_check_text(node, "port", 0, "a step goes on for ever");
        operation_leave(node);
    }
    const uint64_t start_us = node_instant(node), end_us = start_us + takes_us;
    enum ending ending = GOES_ON;
    if (node->trigger_count > 0) {
        ending = operation_pull_triggers(node, PLAN_OPERATION, operation, fraction);
    }
    if (ending == GOES_ON && node->cut_at_us < end_us) {
        const uint64_t into_us = node->cut_at_us > start_us ? node->cut_at_us - start_us : 0;
        *fraction = takes_us == 0 ? 0 : (uint32_t)(into_us * 65536 / takes_us);
        ending = into_us == 0 ? DIES_BEFORE : DIES_INSIDE;
        fall(node, node->cut_entry);
        node->stage->probes[PROBE_cut_by_time_inside_operation]++;
    }
    if (ending == GOES_ON || ending == DIES_AFTER) {
        node->elapsed_us += takes_us;
    } else if (ending == DIES_INSIDE) {
        node->elapsed_us += takes_us * *fraction / 65536;
    }
    return ending;
}

void operation_end(struct node *node, enum port_operation operation, uint32_t a, uint32_t b,
                   int64_t result)
{
    struct stage *stage = node->stage;
    hash_u64(&stage->hash, (uint64_t)operation | (uint64_t)node->number << 32);
    hash_u64(&stage->hash, (uint64_t)a << 32 | b);
    hash_u64(&stage->hash, (uint64_t)result);
    if (stage->options->item != NULL) {
        const struct world_item item = {.kind = ITEM_OPERATION,
                                        .event = stage->event,
                                        .time_us = node_instant(node),
                                        .node = node->number,
                                        .what = operation,
                                        .a = a,
                                        .b = b,
                                        .result = result};
        stage->options->item(stage->options->item_ctx, &item);
    }
}

enum err operation_whole(struct node *node, enum port_operation operation, uint64_t takes_us,
                         uint32_t a, uint32_t b, bool *done)
{
    uint32_t fraction;
    const enum ending ending = operation_begin(node, operation, takes_us, &fraction);
    *done = ending == GOES_ON || ending == DIES_AFTER;
    const enum err result = ending == GOES_ON ? ERR_OK : ERR_IO;
    operation_end(node, operation, a, b, result);
    return result;
}
