#include "sim/plan_mutate.h"

#include <string.h>

enum { FACTOR_BITS = 3, ADDED_MAX = 4, NODES_TRIED = 32 };

static struct plan_entry *any_entry(struct plan *plan, struct random_stream *draws)
{
    return plan->entry_count == 0 ? NULL : &plan->entries[random_below(draws, plan->entry_count)];
}

static uint64_t any_time_us(const struct plan *plan, struct random_stream *draws)
{
    return random_below(draws, plan->settings.number[SETTING_run_duration]);
}

static uint32_t any_node(const struct plan *plan, struct random_stream *draws, uint32_t roles)
{
    const uint32_t nodes = fleet_node_count(&plan->settings);
    for (uint32_t i = 0; i < NODES_TRIED; i++) {
        const uint32_t node = 1 + (uint32_t)random_below(draws, nodes);
        if ((fleet_role(&plan->settings, node) & roles) != 0) {
            return node;
        }
    }
    return 0;
}

/* Its time, whatever it counts from there. */
static void set_time(struct plan_entry *entry, uint64_t at_us)
{
    if (entry->when == PLAN_NOW) {
        entry->when = PLAN_AT;
    }
    entry->at_us = at_us;
    entry->filed_us = 0;
    entry->event = 0;
}

static uint64_t time_of(const struct plan_entry *entry)
{
    return entry->when == PLAN_NOW ? entry->filed_us : entry->at_us;
}

/* Between an eighth and eight times as much. */
static uint64_t scale(struct random_stream *draws, uint64_t value)
{
    const uint64_t factor = UINT64_C(1) << random_below(draws, FACTOR_BITS + 1);
    const uint64_t more = value > UINT64_MAX / factor ? value : value * factor;
    const uint64_t scaled = random_below(draws, 2) == 0 ? value / factor : more;
    return scaled == 0 ? 1 : scaled;
}

/* ---- the ways -------------------------------------------------------------------------------- */

static void drop(struct plan *plan, struct random_stream *draws)
{
    struct plan_entry *entry = any_entry(plan, draws);
    if (entry != NULL) {
        const size_t behind = (size_t)(plan->entries + plan->entry_count - entry - 1);
        memmove(entry, entry + 1, behind * sizeof *entry);
        plan->entry_count--;
    }
}

static void move(struct plan *plan, struct random_stream *draws)
{
    struct plan_entry *entry = any_entry(plan, draws);
    if (entry != NULL) {
        set_time(entry, any_time_us(plan, draws));
    }
}

static void retarget(struct plan *plan, struct random_stream *draws)
{
    struct plan_entry *entry = any_entry(plan, draws);
    if (entry != NULL) {
        const uint32_t node = any_node(plan, draws, effect_info(entry->effect).roles);
        entry->target = node != 0 ? node : entry->target;
        entry->other = entry->other == entry->target ? PLAN_ANY : entry->other;
    }
}

static void change_magnitude(struct plan *plan, struct random_stream *draws)
{
    struct plan_entry *entry = any_entry(plan, draws);
    if (entry == NULL) {
        return;
    }
    const struct effect_info info = effect_info(entry->effect);
    if (info.lasts == EFFECT_LASTS_DURATION) {
        entry->lasts_us = scale(draws, entry->lasts_us);
    }
    if (info.amount != EFFECT_AMOUNT_none) {
        const uint64_t range = (uint64_t)(info.amount_default_max - info.amount_default_min);
        entry->amount = info.amount_default_min + (int64_t)random_between(draws, 0, range);
    }
    if (entry->when == PLAN_OPERATION) {
        entry->nth = 1 + (uint32_t)random_below(draws, 2 * entry->nth);
        entry->phase = (enum plan_phase)random_below(draws, 3);
        entry->fraction = (uint32_t)random_below(draws, 65536);
    }
}

/* As the fleet's own classes would be drawn, under another seed and all of them on. */
static void add(struct plan *plan, struct random_stream *draws)
{
    struct plan other;
    plan_init(&other, random_next(draws));
    other.settings = plan->settings;
    for (unsigned i = 0; i < EFFECT_COUNT; i++) {
        struct fault_setting *fault = &other.settings.faults[i];
        const struct fault_setting *own = &plan->settings.faults[i];
        const bool tame = own->every_us != 0; /* a class that the plan leaves out may void a law */
        fault->every_us = tame ? other.settings.number[SETTING_run_duration] : 0;
    }
    if (plan_draw_faults(&other)) {
        const uint64_t count = 1 + random_below(draws, ADDED_MAX);
        for (uint64_t i = 0; i < count && other.entry_count > 0; i++) {
            (void)plan_append(plan, any_entry(&other, draws));
        }
    }
    plan_free(&other);
}

/* What there is before an instant here, and behind it there. */
static void splice(struct plan *plan, const struct plan *other, struct random_stream *draws)
{
    const uint64_t at_us = any_time_us(plan, draws);
    char error[160];
    uint32_t kept = 0;
    for (uint32_t i = 0; i < plan->entry_count; i++) {
        if (time_of(&plan->entries[i]) < at_us) {
            plan->entries[kept++] = plan->entries[i];
        }
    }
    plan->entry_count = kept;
    for (uint32_t i = 0; i < other->entry_count; i++) {
        struct plan_entry entry = other->entries[i];
        if (time_of(&entry) >= at_us && plan_entry_check(plan, &entry, error, sizeof error)) {
            set_time(&entry, time_of(&entry));
            (void)plan_append(plan, &entry);
        }
    }
}

/* All at once: their order says nothing. */
static void file_by_time(struct plan *plan)
{
    plan->by_time = true;
    for (uint32_t i = 0; i < plan->entry_count; i++) {
        set_time(&plan->entries[i], time_of(&plan->entries[i]));
    }
}

/* ---- the whole ------------------------------------------------------------------------------- */

void plan_mutate(struct plan *plan, const struct plan *other, struct random_stream *draws)
{
    const uint64_t steps = 1 + random_below(draws, PLAN_MUTATE_STEPS_MAX);
    file_by_time(plan);
    for (uint64_t i = 0; i < steps; i++) {
        switch (random_below(draws, 7)) {
        case 0:
            drop(plan, draws);
            break;
        case 1:
            move(plan, draws);
            break;
        case 2:
            retarget(plan, draws);
            break;
        case 3:
            change_magnitude(plan, draws);
            break;
        case 4:
            add(plan, draws);
            break;
        case 5:
            plan->seed = random_next(draws) >> 1;
            break;
        default:
            if (other != NULL) {
                splice(plan, other, draws);
            }
            break;
        }
    }
}

void plan_splice(struct plan *plan, const struct plan *other, struct random_stream *draws)
{
    file_by_time(plan);
    splice(plan, other, draws);
}
