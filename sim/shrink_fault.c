#include "sim/shrink_fault.h"

#include "core/check.h"

#define SECOND_US 1000000u
#define MINUTE_US (60u * SECOND_US)
#define HOUR_US   (60u * (uint64_t)MINUTE_US)

struct variants {
    struct plan_entry *list;
    uint32_t count;
};

static void add(struct variants *variants, const struct plan_entry *entry)
{
    if (variants->count < SHRINK_VARIANTS_MAX) {
        variants->list[variants->count++] = *entry;
    }
}

/* ---- spans: shorter is simpler, and whole seconds are simpler than a part of one ------------- */

static const uint64_t round_spans[] = {
    SECOND_US,      2 * SECOND_US,  5 * SECOND_US,     10 * SECOND_US,    20 * SECOND_US,
    30 * SECOND_US, MINUTE_US,      2 * MINUTE_US,     3 * MINUTE_US,     5 * MINUTE_US,
    10 * MINUTE_US, 15 * MINUTE_US, 20ull * MINUTE_US, 25ull * MINUTE_US, 30ull * MINUTE_US,
    HOUR_US,        2 * HOUR_US,    6 * HOUR_US,       12 * HOUR_US,      24 * HOUR_US,
    48 * HOUR_US,   168 * HOUR_US,
};

uint32_t shrink_spans(uint64_t us, uint64_t list[SHRINK_VARIANTS_MAX])
{
    uint32_t count = 0;
    for (size_t i = 0; i < sizeof round_spans / sizeof round_spans[0]; i++) {
        if (round_spans[i] < us) {
            list[count++] = round_spans[i];
        }
    }
    /* Between the last two that are known: a third of a binary search is enough for a reader. */
    const uint64_t three_quarters_us = us / 4 * 3 / SECOND_US * SECOND_US;
    if (three_quarters_us > 0 && (count == 0 || three_quarters_us > list[count - 1])) {
        list[count++] = three_quarters_us;
    }
    if (us % SECOND_US != 0) { /* both are whole, and what is whole is never given up for them */
        if (us / SECOND_US > 0 && (count == 0 || us / SECOND_US * SECOND_US > list[count - 1])) {
            list[count++] = us / SECOND_US * SECOND_US;
        }
        list[count++] = (us / SECOND_US + 1) * SECOND_US;
    }
    return count;
}

static void lasts(struct variants *variants, struct plan_entry entry)
{
    uint64_t spans[SHRINK_VARIANTS_MAX];
    if (effect_info(entry.effect).lasts != EFFECT_LASTS_DURATION) {
        return;
    }
    const uint32_t count = shrink_spans(entry.lasts_us, spans);
    for (uint32_t i = 0; i < count; i++) {
        entry.lasts_us = spans[i];
        add(variants, &entry);
    }
}

/* ---- instants: rounder is simpler, then earlier ---------------------------------------------- */

static const uint64_t grains[] = {
    10ull * MINUTE_US, MINUTE_US, 10 * SECOND_US, SECOND_US, 100000, 10000, 1000, 1};
enum { GRAIN_COUNT = sizeof grains / sizeof grains[0] };

static unsigned grain_of(uint64_t us)
{
    unsigned grain = 0;
    while (us % grains[grain] != 0) {
        grain++;
    }
    return grain;
}

/* Rounder instants, from the roundest on; and among those as round as it is an earlier one. */
static uint32_t instants(uint64_t us, uint64_t list[2 * GRAIN_COUNT + 1])
{
    const unsigned own = grain_of(us);
    uint32_t count = 0;
    for (unsigned i = 0; i < own; i++) {
        const uint64_t down_us = us / grains[i] * grains[i];
        list[count++] = down_us;
        list[count++] = down_us + grains[i];
    }
    const uint64_t half_us = us / 2 / grains[own] * grains[own];
    if (half_us < us) {
        list[count++] = half_us;
    }
    return count;
}

static void add_at(struct variants *variants, struct plan_entry entry, uint64_t at_us, uint32_t nth)
{
    if (at_us != entry.at_us || nth != entry.nth) {
        entry.at_us = at_us;
        entry.nth = nth;
        add(variants, &entry);
    }
}

/* A trigger counts down to the first match, and from the start of the run: both are simpler than
 * any other number. */
static void trigger(struct variants *variants, struct plan_entry entry)
{
    struct plan_entry plain = entry;
    plain.when = PLAN_AT;
    plain.kind = plain.nth = plain.boot = plain.fraction = 0;
    plain.phase = PLAN_BEFORE;
    plain.at_us = entry.at_us + entry.delay_us;
    plain.delay_us = 0;
    add(variants, &plain);
    if (entry.boot != 0) {
        plain = entry;
        plain.boot = 0;
        add(variants, &plain);
    }
    if (entry.delay_us != 0) {
        uint64_t spans[SHRINK_VARIANTS_MAX];
        const uint32_t count = shrink_spans(entry.delay_us, spans);
        plain = entry;
        plain.delay_us = 0;
        add(variants, &plain);
        for (uint32_t i = 0; i < count; i++) {
            plain.delay_us = spans[i];
            add(variants, &plain);
        }
    }
    if (entry.nth > 1) {
        add_at(variants, entry, entry.at_us, 1);
    }
    if (entry.nth > 2) {
        add_at(variants, entry, entry.at_us, 2);
        add_at(variants, entry, entry.at_us, entry.nth / 2);
        add_at(variants, entry, entry.at_us, entry.nth - 1);
    }
}

static void when(struct variants *variants, const struct plan_entry *entry)
{
    uint64_t list[2 * GRAIN_COUNT + 1];
    const bool triggered = entry->when == PLAN_OPERATION || entry->when == PLAN_EVIDENCE;
    if (entry->when == PLAN_NOW) {
        return; /* filed between two events, where a time of its own would not bring it */
    }
    if (entry->at_us != 0) {
        add_at(variants, *entry, 0, triggered ? 1 : entry->nth);
        add_at(variants, *entry, 0, entry->nth);
    }
    if (triggered) {
        trigger(variants, *entry);
    }
    const uint32_t count = instants(entry->at_us, list);
    for (uint32_t i = 0; i < count; i++) {
        if (triggered && entry->nth != 1) {
            add_at(variants, *entry, list[i], 1);
        }
        add_at(variants, *entry, list[i], entry->nth);
    }
}

/* ---- phase and amount ------------------------------------------------------------------------ */

/* Half way is what a scenario says when it says nothing (scenarios/brownout.lua). */
enum { HALF_WAY = 32768 };

static void phase(struct variants *variants, struct plan_entry entry)
{
    if (entry.when != PLAN_OPERATION || entry.phase == PLAN_BEFORE) {
        return;
    }
    const struct plan_entry own = entry;
    entry.fraction = HALF_WAY;
    entry.phase = PLAN_BEFORE;
    add(variants, &entry);
    if (own.phase == PLAN_INSIDE) {
        entry.phase = PLAN_AFTER;
        add(variants, &entry);
        if (own.fraction != HALF_WAY) {
            entry.phase = PLAN_INSIDE;
            add(variants, &entry);
        }
    }
}

/* The simplest first; of what is not among them, each is simpler. */
static void choose(struct variants *variants, struct plan_entry entry, const int64_t *amounts,
                   size_t count)
{
    const struct effect_info info = effect_info(entry.effect);
    const int64_t own = entry.amount, sign = own < 0 ? -1 : 1;
    for (size_t i = 0; i < count && sign * amounts[i] != own; i++) {
        entry.amount = sign * amounts[i];
        if (entry.amount >= info.amount_min && entry.amount <= info.amount_max) {
            add(variants, &entry);
        }
    }
}

static void less(struct variants *variants, struct plan_entry entry)
{
    static const int64_t counts[] = {1, 2, 3, 5, 10, 20, 50, 100, 1000, 10000, 100000, 1000000};
    const struct effect_info info = effect_info(entry.effect);
    for (size_t i = 0; i < sizeof counts / sizeof counts[0] && counts[i] < entry.amount; i++) {
        struct plan_entry variant = entry;
        variant.amount = counts[i];
        if (variant.amount >= info.amount_min && variant.amount <= info.amount_max) {
            add(variants, &variant);
        }
    }
}

static void shorter(struct variants *variants, struct plan_entry entry)
{
    uint64_t spans[SHRINK_VARIANTS_MAX];
    const bool negative = entry.amount < 0;
    const uint64_t own = negative ? (uint64_t)-entry.amount : (uint64_t)entry.amount;
    const uint32_t count = shrink_spans(own, spans);
    for (uint32_t i = 0; i < count; i++) {
        entry.amount = negative ? -(int64_t)spans[i] : (int64_t)spans[i];
        const struct effect_info info = effect_info(entry.effect);
        if (entry.amount >= info.amount_min && entry.amount <= info.amount_max) {
            add(variants, &entry);
        }
    }
}

static void amount(struct variants *variants, const struct plan_entry *entry)
{
    static const int64_t chances[] = {1000000, 500000, 100000, 10000, 1000, 500, 100};
    switch (effect_info(entry->effect).amount) {
    case EFFECT_AMOUNT_ppm:
        choose(variants, *entry, chances, sizeof chances / sizeof chances[0]);
        break;
    case EFFECT_AMOUNT_us:
        shorter(variants, *entry);
        break;
    case EFFECT_AMOUNT_count:
        less(variants, *entry);
        break;
    case EFFECT_AMOUNT_none:
        break;
    }
}

uint32_t shrink_fault_variants(const struct plan_entry *entry, enum shrink_field field,
                               struct plan_entry list[SHRINK_VARIANTS_MAX])
{
    struct variants variants = {list, 0};
    switch (field) {
    case SHRINK_WHEN:
        when(&variants, entry);
        break;
    case SHRINK_PHASE:
        phase(&variants, *entry);
        break;
    case SHRINK_LASTS:
        lasts(&variants, *entry);
        break;
    case SHRINK_AMOUNT:
        amount(&variants, entry);
        break;
    case SHRINK_FIELD_COUNT:
        CHECK(false);
    }
    return variants.count;
}
