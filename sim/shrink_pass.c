#include "sim/shrink_inside.h"

#include <stdlib.h>
#include <string.h>

#include "core/check.h"
#include "sim/ddmin.h"
#include "sim/shrink_fault.h"

enum { VARIANTS_OF_A_FIELD_MAX = 64 /* how often one field of a fault may get simpler at once */ };

/* ---- fewer of them: faults, settings --------------------------------------------------------- */

/* Things of the plan of which some are left out. */
struct subset {
    struct shrink *shrink;
    const struct ddmin *ddmin; /* NULL: `kept` says which */
    bool *kept;
    void (*leave)(struct plan *plan, const bool *kept);
};

static bool change_subset(void *ctx, uint32_t index, struct plan *plan)
{
    const struct subset *subset = ctx;
    ddmin_candidate(subset->ddmin, index, subset->kept);
    subset->leave(plan, subset->kept);
    return true;
}

struct change {
    const struct plan *plan;
    const struct shrink_step *step;
};

static bool make(void *ctx, uint32_t index, struct plan *plan)
{
    const struct change *change = ctx;
    plan_copy(plan, change->plan);
    return change->step->change(change->step->ctx, index, plan);
}

static int64_t first_subset(void *ctx, const struct ddmin *ddmin, uint32_t count)
{
    struct subset *subset = ctx;
    subset->ddmin = ddmin;
    const struct shrink_step step = {count, change_subset, subset};
    struct change change = {&subset->shrink->plan, &step};
    const struct trial_list list = {count, make, &change};
    const int64_t found = trials_first(subset->shrink->trials, &list);
    return found == TRIAL_NONE ? DDMIN_NONE : found == TRIAL_STOP ? DDMIN_STOP : found;
}

/* things: flags, which of the `total` there are; in the end, which are left. */
static bool fewer(struct shrink *shrink, bool *things, uint32_t total,
                  void (*leave)(struct plan *plan, const bool *kept))
{
    struct subset subset = {shrink, NULL, calloc(total + 1, sizeof(bool)), leave};
    bool *before = calloc(total + 1, sizeof *before);
    CHECK(subset.kept != NULL && before != NULL);
    memcpy(before, things, total * sizeof *before);
    const struct ddmin_oracle oracle = {first_subset, &subset};
    (void)ddmin(&oracle, things, total); /* what it comes to holds in any case */
    const bool smaller = memcmp(before, things, total * sizeof *before) != 0;
    if (smaller) {
        leave(&shrink->plan, things);
    }
    free(subset.kept);
    free(before);
    return smaller;
}

static void leave_entries(struct plan *plan, const bool *kept)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < plan->entry_count; i++) {
        if (kept[i]) {
            plan->entries[count++] = plan->entries[i];
        }
    }
    plan->entry_count = count;
}

bool shrink_faults(struct shrink *shrink)
{
    const uint32_t total = shrink->plan.entry_count;
    bool *kept = malloc((total + 1) * sizeof *kept);
    CHECK(kept != NULL);
    memset(kept, 1, total * sizeof *kept);
    const bool smaller = fewer(shrink, kept, total, leave_entries);
    free(kept);
    return smaller;
}

bool shrink_may_reset(enum setting setting)
{
    switch ((int)setting) {
    case SETTING_fleet_clouds:
    case SETTING_fleet_gateways:
    case SETTING_fleet_rogues:
    case SETTING_fleet_devices:
    case SETTING_run_duration:
    case SETTING_run_heal: /* the time that a sound fleet gets to converge in */
    case SETTING_run_crypto:
    case SETTING_run_laws: /* which laws judge is part of the question */
        return false;
    default:
        return true;
    }
}

static const struct settings *standard_settings(void)
{
    static struct settings standard; /* constant once made */
    settings_init(&standard);
    return &standard;
}

static bool is_reset(const struct settings *settings, unsigned i)
{
    const struct settings *standard = standard_settings();
    return settings->number[i] == standard->number[i] &&
           strcmp(settings->text[i], standard->text[i]) == 0;
}

static void leave_settings(struct plan *plan, const bool *kept)
{
    const struct settings *standard = standard_settings();
    for (unsigned i = 0; i < SETTING_COUNT; i++) {
        if (!kept[i] && shrink_may_reset((enum setting)i)) {
            plan->settings.number[i] = standard->number[i];
            memcpy(plan->settings.text[i], standard->text[i], SETTING_TEXT_BYTES);
        }
    }
}

bool shrink_settings(struct shrink *shrink)
{
    bool kept[SETTING_COUNT];
    for (unsigned i = 0; i < SETTING_COUNT; i++) {
        kept[i] = shrink_may_reset((enum setting)i) && !is_reset(&shrink->plan.settings, i);
    }
    return fewer(shrink, kept, SETTING_COUNT, leave_settings);
}

/* ---- a smaller fleet ------------------------------------------------------------------------- */

static const enum setting kinds[] = {SETTING_fleet_clouds, SETTING_fleet_gateways,
                                     SETTING_fleet_rogues, SETTING_fleet_devices};
enum { KIND_COUNT = sizeof kinds / sizeof kinds[0], FLEETS_MAX = 64 };

/* Smaller fleets of one kind of node, in two ways each: its last nodes are gone, or those that no
 * fault strikes, and the others are numbered anew. */
struct fleets {
    unsigned kind;
    uint32_t first;           /* node before the first of its kind */
    uint32_t count;           /* nodes of the kind */
    uint32_t highest, struck; /* highest that is struck, by place; how many are */
    uint32_t *places;         /* [count + 1] of the struck ones: their place among these */
    uint32_t sizes[FLEETS_MAX];
};

static bool is_of_kind(const struct fleets *fleets, uint32_t node)
{
    return node > fleets->first && node <= fleets->first + fleets->count;
}

static void mark(struct fleets *fleets, uint32_t node)
{
    if (is_of_kind(fleets, node)) {
        fleets->places[node - fleets->first] = 1;
    }
}

static void measure(struct fleets *fleets, const struct plan *plan)
{
    for (uint32_t i = 0; i < plan->entry_count; i++) {
        mark(fleets, plan->entries[i].target);
        mark(fleets, plan->entries[i].other);
    }
    for (uint32_t place = 1; place <= fleets->count; place++) {
        if (fleets->places[place] != 0) {
            fleets->places[place] = ++fleets->struck;
            fleets->highest = place;
        }
    }
}

/* All sizes near the smallest one that may do, and fewer and fewer of the larger ones. */
static uint32_t choose_sizes(struct fleets *fleets)
{
    const uint32_t least = kinds[fleets->kind] == SETTING_fleet_rogues ? 0 : 1;
    uint32_t size = fleets->struck > least ? fleets->struck : least, step = 1, count = 0;
    while (size < fleets->count && count < FLEETS_MAX) {
        fleets->sizes[count++] = size;
        size += step;
        step = count < 8 ? 1 : step * 2;
    }
    return count;
}

static uint32_t moved(const struct fleets *fleets, uint32_t node, uint32_t size, bool anew)
{
    if (node == PLAN_ANY || node <= fleets->first) {
        return node;
    }
    if (!is_of_kind(fleets, node)) {
        return node - (fleets->count - size);
    }
    return anew ? fleets->first + fleets->places[node - fleets->first] : node;
}

static bool change_fleet(void *ctx, uint32_t index, struct plan *plan)
{
    const struct fleets *fleets = ctx;
    const uint32_t size = fleets->sizes[index / 2];
    const bool anew = index % 2 != 0;
    if (anew ? fleets->highest == fleets->struck : fleets->highest > size) {
        return false;
    }
    for (uint32_t i = 0; i < plan->entry_count; i++) {
        struct plan_entry *entry = &plan->entries[i];
        entry->target = moved(fleets, entry->target, size, anew);
        entry->other = moved(fleets, entry->other, size, anew);
    }
    plan->settings.number[kinds[fleets->kind]] = size;
    return true;
}

static bool smaller_kind(struct shrink *shrink, unsigned kind)
{
    struct fleets fleets = {.kind = kind};
    for (unsigned i = 0; i < kind; i++) {
        fleets.first += (uint32_t)shrink->plan.settings.number[kinds[i]];
    }
    fleets.count = (uint32_t)shrink->plan.settings.number[kinds[kind]];
    fleets.places = calloc(fleets.count + 1, sizeof *fleets.places);
    CHECK(fleets.places != NULL);
    measure(&fleets, &shrink->plan);
    const struct shrink_step step = {choose_sizes(&fleets) * 2, change_fleet, &fleets};
    const bool smaller = shrink_step(shrink, &step);
    free(fleets.places);
    return smaller;
}

bool shrink_fleet(struct shrink *shrink)
{
    bool smaller = false;
    for (unsigned kind = KIND_COUNT; kind-- > 1;) { /* devices first; a cloud there must be */
        smaller = smaller_kind(shrink, kind) || smaller;
    }
    return smaller;
}

/* ---- duration and seed ----------------------------------------------------------------------- */

struct durations {
    uint64_t list[SHRINK_VARIANTS_MAX];
    uint64_t least_us; /* the last fault strikes or is armed then */
};

static bool change_duration(void *ctx, uint32_t index, struct plan *plan)
{
    const struct durations *durations = ctx;
    plan->settings.number[SETTING_run_duration] = durations->list[index];
    return durations->list[index] > durations->least_us;
}

bool shrink_duration(struct shrink *shrink)
{
    struct durations durations = {.least_us = 0};
    for (uint32_t i = 0; i < shrink->plan.entry_count; i++) {
        const struct plan_entry *entry = &shrink->plan.entries[i];
        const uint64_t at_us = entry->when == PLAN_NOW ? entry->filed_us : entry->at_us;
        durations.least_us = at_us > durations.least_us ? at_us : durations.least_us;
    }
    const struct shrink_step step = {
        shrink_spans(shrink->plan.settings.number[SETTING_run_duration], durations.list),
        change_duration, &durations};
    return shrink_step(shrink, &step);
}

static bool change_seed(void *ctx, uint32_t index, struct plan *plan)
{
    (void)ctx;
    (void)index;
    plan->seed = 1;
    return true;
}

/* Tests run scenarios with seed 1. */
bool shrink_seed(struct shrink *shrink)
{
    const struct shrink_step step = {1, change_seed, NULL};
    return shrink->plan.seed != 1 && !shrink->has_seeds && shrink_step(shrink, &step);
}

/* ---- plainer faults -------------------------------------------------------------------------- */

struct variants {
    uint32_t entry;
    struct plan_entry list[SHRINK_VARIANTS_MAX];
};

static bool change_fault(void *ctx, uint32_t index, struct plan *plan)
{
    const struct variants *variants = ctx;
    plan->entries[variants->entry] = variants->list[index];
    return true;
}

static bool plainer_field(struct shrink *shrink, struct variants *variants, enum shrink_field field)
{
    bool smaller = false;
    for (uint32_t i = 0; i < VARIANTS_OF_A_FIELD_MAX; i++) {
        const struct shrink_step step = {
            shrink_fault_variants(&shrink->plan.entries[variants->entry], field, variants->list),
            change_fault, variants};
        if (!shrink_step(shrink, &step)) {
            break;
        }
        smaller = true;
    }
    return smaller;
}

bool shrink_each_fault(struct shrink *shrink)
{
    bool smaller = false;
    struct variants variants;
    for (uint32_t i = 0; i < shrink->plan.entry_count; i++) {
        variants.entry = i;
        for (unsigned field = 0; field < SHRINK_FIELD_COUNT; field++) {
            smaller = plainer_field(shrink, &variants, (enum shrink_field)field) || smaller;
        }
    }
    return smaller;
}

/* ---- one step -------------------------------------------------------------------------------- */

bool shrink_step(struct shrink *shrink, const struct shrink_step *step)
{
    struct change change = {&shrink->plan, step};
    const struct trial_list list = {step->count, make, &change};
    const int64_t found = trials_first(shrink->trials, &list);
    if (found < 0) {
        return false;
    }
    struct plan plan;
    plan_init(&plan, 0);
    CHECK(make(&change, (uint32_t)found, &plan));
    plan_free(&shrink->plan);
    shrink->plan = plan;
    return true;
}
