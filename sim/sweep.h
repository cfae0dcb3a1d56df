/* Many seeds of one scenario or of several: a process for each run, a row for each result.
 *
 * A job is a scenario and a seed. Which jobs a sweep has (sim/sweep_schedule.h) is a function of
 * what was asked, and of the files, alone, so a sweep that was ended in whatever way goes on where
 * it stopped (`resume`: what stands in the database was done), and shards of it meet nowhere.
 *
 * The first job is a canary: a run whose judge is lied to, and which has to fail. It is not
 * recorded. One run in SWEEP_TWICE_EVERY that passed is lived twice, as each is that failed.
 */
#ifndef BROWNOUT_SIM_SWEEP_H
#define BROWNOUT_SIM_SWEEP_H

#include "sim/outcome.h"
#include "sim/option.h"

enum {
    SWEEP_SCENARIOS_MAX = 256,
    SWEEP_LANES_MAX = 256,
    SWEEP_SHARDS_MAX = 100000,
    SWEEP_RUNS_MAX = 1000000000,
    SWEEP_TWICE_EVERY = 20,
    SWEEP_OPENSSL_EVERY = 16, /* one seed of so many runs with real signatures */
};

struct sweep_scenario {
    char path[512];
    char hash[HASH_TEXT_BYTES];
    uint32_t every; /* run.sweep_every: one of so many seeds; 1 where there is one scenario */
};

struct sweep_request {
    uint32_t scenario_count;
    struct sweep_scenario scenarios[SWEEP_SCENARIOS_MAX];
    uint64_t runs;          /* seeds of each scenario, of all shards together */
    uint64_t seed_start;    /* the first of them */
    uint64_t shard, shards; /* 1..shards: every shards-th seed */
    uint64_t lanes;         /* runs at once */
    uint64_t stop_after;    /* so many runs that did not pass; 0: never */
    uint64_t budget_us;     /* of wall time: then the runs under way are waited for; 0: none */
    uint64_t timeout_us;    /* of wall time for one run; 0: none */
    uint64_t memory_bytes;  /* of one run; 0: no limit */
    uint64_t probes_after;  /* an error after so many runs: a probe that never fired; 0 */
    struct option_settings settings;
    bool crypto_is_set; /* by the settings: otherwise ideal, and now and then openssl */
    bool guided;        /* half of the jobs are changed plans (sim/guide.h); not with resume */
    bool resume;
    const char *db;
};

/* SIGINT, SIGTERM: the runs under way are waited for; a second one drops them. Progress and
 * warnings go to standard error. outcome: initialised, and freed by the caller. */
void sweep(const struct sweep_request *request, struct outcome *outcome);

#endif
