/* What is simpler than a given fault: shorter, rounder, earlier, plainer. */
#ifndef BROWNOUT_SIM_SHRINK_FAULT_H
#define BROWNOUT_SIM_SHRINK_FAULT_H

#include "sim/plan.h"

enum { SHRINK_VARIANTS_MAX = 64 };

enum shrink_field {
    SHRINK_WHEN,   /* at a time in place of a trigger; the next operation; a rounder or earlier time
                    */
    SHRINK_PHASE,  /* before or after an operation in place of inside; else half way */
    SHRINK_LASTS,  /* shorter, in whole seconds */
    SHRINK_AMOUNT, /* less; of chances: always */
    SHRINK_FIELD_COUNT
};

/* Simpler variants of `entry` that differ in `field` alone, the simplest first. However often one
 * of them takes the place of the entry, it comes to an end. Returns how many. */
uint32_t shrink_fault_variants(const struct plan_entry *entry, enum shrink_field field,
                               struct plan_entry list[SHRINK_VARIANTS_MAX]);

/* Simpler spans of time than `us`, the shortest first: whole and round ones. */
uint32_t shrink_spans(uint64_t us, uint64_t list[SHRINK_VARIANTS_MAX]);

#endif
