#include "sim/shrink_inside.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/check.h"

/* How the plan as it was lived is placed; a sum of these. What comes behind the failure cannot have
 * a part in it, and stand-ins for signatures make the same history. */
enum {
    AS_IT_WAS_SIGNED = 1u,
    WHOLE = 2u,      /* with what comes behind the failure */
    NOW_IS_NOW = 4u, /* what struck between two events still does */
    WAYS = 8u,
};

#define TRIM_US 10000000u

static bool is_triggered(const struct plan_entry *entry)
{
    return entry->when == PLAN_OPERATION || entry->when == PLAN_EVIDENCE;
}

static struct plan_entry placed(const struct plan_entry *entry, bool now_is_now)
{
    struct plan_entry copy = *entry;
    copy.event = 0;
    if (entry->when == PLAN_NOW && now_is_now) {
        return copy;
    }
    if (entry->when == PLAN_NOW) {
        copy.when = PLAN_AT;
    }
    if (copy.at_us < entry->filed_us) {
        copy.at_us = entry->filed_us;
    }
    copy.filed_us = 0;
    if (!is_triggered(&copy)) {
        copy.kind = copy.nth = copy.boot = 0;
        copy.delay_us = 0;
    }
    if (copy.when != PLAN_OPERATION) {
        copy.phase = PLAN_BEFORE;
        copy.fraction = 0;
    }
    return copy;
}

static uint64_t place_of(const struct plan_entry *entry)
{
    return entry->when == PLAN_NOW ? entry->filed_us : entry->at_us;
}

/* Earlier ones first, and what is filed during the run behind what is filed before it; those of one
 * instant as they stood, which `event` says here. */
static int compare(const void *left, const void *right)
{
    const struct plan_entry *one = left, *other = right;
    const bool one_filed = one->filed_us != 0, other_filed = other->filed_us != 0;
    if (one_filed != other_filed) {
        return one_filed ? 1 : -1;
    }
    if (place_of(one) != place_of(other)) {
        return place_of(one) < place_of(other) ? -1 : 1;
    }
    return one->event < other->event ? -1 : 1;
}

static void sort(struct plan *plan)
{
    for (uint32_t i = 0; i < plan->entry_count; i++) {
        plan->entries[i].event = i;
    }
    if (plan->entry_count > 0) {
        qsort(plan->entries, plan->entry_count, sizeof *plan->entries, compare);
    }
    for (uint32_t i = 0; i < plan->entry_count; i++) {
        plan->entries[i].event = 0;
    }
}

/* Expectations belong to the whole of a scenario; one that failed is what is looked for. */
static void keep_expectation(struct plan *plan, const char *kind)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < plan->expectation_count; i++) {
        char text[FAILURE_BYTES];
        snprintf(text, sizeof text, "expectation on %s does not hold",
                 figure_name(plan->expectations[i].figure));
        if (strcmp(text, kind) == 0) {
            plan->expectations[kept++] = plan->expectations[i];
        }
    }
    plan->expectation_count = kept;
}

static void trim(struct plan *plan, uint64_t failed_us)
{
    const uint64_t end_us = failed_us / TRIM_US * TRIM_US + TRIM_US;
    if (end_us < plan->settings.number[SETTING_run_duration]) {
        plan->settings.number[SETTING_run_duration] = end_us;
    }
}

static bool place(void *ctx, uint32_t way, struct plan *plan)
{
    static struct settings standard; /* constant once made */
    const struct shrink *shrink = ctx;
    const bool now_is_now = (way & NOW_IS_NOW) != 0;
    const bool cut = (way & WHOLE) == 0 && shrink->failed_us != UINT64_MAX;
    uint32_t count = 0;
    if ((way & WHOLE) == 0 && !cut) {
        return false; /* nothing comes behind it */
    }
    for (uint32_t i = 0; i < plan->entry_count; i++) {
        const struct plan_entry entry = placed(&plan->entries[i], now_is_now);
        if (!cut || place_of(&entry) <= shrink->failed_us) {
            plan->entries[count++] = entry;
        }
    }
    plan->entry_count = count;
    plan->by_time = true;
    sort(plan);
    settings_init(&standard);
    memcpy(plan->settings.faults, standard.faults, sizeof standard.faults); /* they are drawn */
    if ((way & AS_IT_WAS_SIGNED) == 0) {
        plan->settings.number[SETTING_run_crypto] = 1;
    }
    if (cut) {
        trim(plan, shrink->failed_us);
    }
    keep_expectation(plan, shrink->kind);
    return true;
}

bool shrink_place(struct shrink *shrink)
{
    const struct shrink_step step = {WAYS, place, shrink};
    return shrink_step(shrink, &step);
}
