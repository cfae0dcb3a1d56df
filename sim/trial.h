/* Trials: candidate plans, each run in a process of its own (sim/lane.h), several beside each
 * other. Of a list of candidates the first, in the order of the list, that fails in a given way.
 *
 * The answer and the count of runs are functions of the candidates alone, however many lanes there
 * are: what is tried ahead of its turn counts when its turn comes, or never. A plan that was tried
 * is not run again. A candidate may have to fail with several seeds: a run each, up to the first
 * that does not fail so.
 */
#ifndef BROWNOUT_SIM_TRIAL_H
#define BROWNOUT_SIM_TRIAL_H

#include <stdbool.h>
#include <stdint.h>

#include "sim/failure.h"

enum { TRIAL_JOBS_MAX = 64, TRIAL_SEEDS_MAX = 20 };

#define TRIAL_NONE (-1) /* none of them fails so */
#define TRIAL_STOP (-2) /* the budget is spent, or the lanes are gone */

struct trial_config {
    uint32_t jobs;        /* 1..TRIAL_JOBS_MAX */
    uint32_t entries_max; /* of any candidate */
    uint64_t timeout_us;  /* of wall time for one run */
    uint64_t events_max;  /* of one run: what goes on for longer did not fail */
    uint64_t runs_max;    /* in all */
    uint64_t wall_us_max; /* in all; 0: no bound. Where this one or timeout_us ends something, the
                             answer depends on the machine */
    /* This program, where determinism is the question: a plan fails if two processes of it come to
     * two hashes (sim/twin_witness.h). Whether they do may be chance, and so is then what is left.
     * NULL: what a run breaks is the question. Borrowed. */
    const char *twin;
    void (*progress)(void *ctx, uint64_t runs); /* may be NULL */
    void *progress_ctx;
};

struct trials;

/* Forks the lanes: no database is open. NULL: no process, or no memory (errno). */
struct trials *trials_open(const struct trial_config *config);
void trials_close(struct trials *trials);

/* Run one plan once, whatever the budget says, and tell all of it but the plan; not counted. The
 * result is freed by the caller. */
void trials_run(struct trials *trials, const struct plan *plan, struct run_result *result);

/* From here on candidates are asked for this kind of failure, in runs of at most events_max events;
 * what was tried is forgotten, and runs are counted anew. */
void trials_seek(struct trials *trials, const char kind[FAILURE_BYTES], uint64_t events_max);

/* From here on a candidate must fail so with each of these seeds in place of its own; `count` 0:
 * with its own. At most TRIAL_SEEDS_MAX. */
void trials_seeds(struct trials *trials, const uint64_t *seeds, uint32_t count);

struct trial_list {
    uint32_t count;
    /* Make candidate `index`: a plan that was initialised, to be filled. False: there is no such
     * candidate (it is as if it did not fail). */
    bool (*make)(void *ctx, uint32_t index, struct plan *plan);
    void *ctx;
};
int64_t trials_first(struct trials *trials, const struct trial_list *list);

/* Runs that counted so far. */
uint64_t trials_runs(const struct trials *trials);
/* The budget is spent. */
bool trials_spent(const struct trials *trials);

#endif
