/* What a sweep came to: counts, failures, and how to say it. */
#ifndef BROWNOUT_SIM_OUTCOME_H
#define BROWNOUT_SIM_OUTCOME_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "sim/digest_map.h"
#include "sim/print.h"
#include "sim/record.h"
#include "sim/run.h"

struct outcome_failure {
    int64_t run_id;
    const char *scenario; /* borrowed */
    uint64_t seed;
    enum verdict verdict;
    char law[32]; /* "": none was broken */
    char *message;
};

struct outcome {
    const char *db;
    uint64_t asked, done; /* runs */
    uint64_t recorded;    /* of those that are done: by an earlier sweep */
    bool time_is_up;      /* its time was its measure, and is over */
    uint64_t verdicts[VERDICT_UNKNOWN + 1];
    uint64_t endings[RUN_ENDING_COUNT];
    uint64_t memory_bytes; /* of the run that took most */
    uint64_t lost;         /* keys of coverage that a run had no room for */
    uint64_t events, sim_us, wall_us;
    struct totals totals;
    struct digest_map hashes, shown;     /* of runs; of the transitions that they showed */
    struct record_saturation saturation; /* of the whole database */
    struct outcome_failure *failures;    /* whatever did not pass */
    uint64_t failure_count, failure_capacity;
    char error[RECORD_ERROR_BYTES]; /* why it could not go on; "": it could */
    enum verdict error_verdict;
};

void outcome_init(struct outcome *outcome, const char *db);
/* Count a run that was recorded. */
void outcome_add(struct outcome *outcome, const char *scenario, uint64_t seed, int64_t run_id,
                 const struct run_result *result);
/* Count a run that stood in the database before. */
void outcome_add_recorded(struct outcome *outcome, const char *scenario, uint64_t seed,
                          const struct record_done *done);
/* How many different sets of transitions there were. */
uint64_t outcome_distinct(const struct outcome *outcome);
/* Stop for this reason. */
void outcome_fail(struct outcome *outcome, enum verdict verdict, const char *error);
/* No run is added afterwards. */
void outcome_print(struct outcome *outcome, const struct print *print);
void outcome_print_json(struct outcome *outcome, FILE *file);
int outcome_exit_code(const struct outcome *outcome);
void outcome_free(struct outcome *outcome);

#endif
