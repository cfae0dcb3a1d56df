/* Shrinking: from the plan of a failed run to a small one that fails alike (sim/failure.h): fewer
 * faults, a smaller fleet, a shorter run, plainer faults, default settings; until nothing of that
 * can be left out or made simpler by itself.
 *
 * The plan that comes of it is placed: all that befalls the world stands there before the first
 * event, at times and triggers (but for what only strikes between two events), so that it can be
 * written as a scenario (sim/plan_lua.h).
 */
#ifndef BROWNOUT_SIM_SHRINK_H
#define BROWNOUT_SIM_SHRINK_H

#include <stdbool.h>
#include <stdint.h>

#include "sim/trial.h"

enum { SHRINK_SEEDS = 10 };

struct shrink_size {
    uint32_t faults, devices, gateways, rogues;
    uint32_t settings; /* that are not as they are by default, beside these and duration and heal */
    uint64_t duration_us;
};

struct shrink_result {
    struct plan plan; /* freed by shrink_result_free */
    char kind[FAILURE_BYTES];
    char message[512];        /* why it is not SHRINK_DONE */
    struct run_result before; /* the run that was given */
    struct shrink_size from, to;
    uint64_t runs, wall_us;
    uint32_t seeds;         /* with which a candidate had to fail alike */
    bool minimal;           /* false: the budget was spent before */
    uint32_t seeds_failing; /* of seeds 1..SHRINK_SEEDS those with which the plan fails alike */
};

enum shrink_outcome {
    SHRINK_DONE,
    SHRINK_PASSES,   /* the run passes: there is nothing to shrink */
    SHRINK_FLAKY,    /* the same plan, another history */
    SHRINK_UNKNOWN,  /* it fails in a way that candidates cannot be compared by */
    SHRINK_UNPLACED, /* it fails in no other way than as it was lived, event by event */
    SHRINK_HARNESS,  /* no processes */
};

/* seeds: with so many a candidate must fail alike, or with as many as there are
 * among 1..SHRINK_SEEDS and the plan's own; 1: with its own, or with seed 1 if that fails, too.
 * More of them make it larger, and less of a coincidence. config.events_max and entries_max are set
 * here. */
enum shrink_outcome shrink(const struct plan *plan, uint32_t seeds, struct trial_config config,
                           struct shrink_result *result);
void shrink_result_free(struct shrink_result *result);

/* Is it a setting that shrinking puts back to its default? */
bool shrink_may_reset(enum setting setting);

#endif
