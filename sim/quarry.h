/* The failed run that shrink and inevitable are after: how it is named on the command line, and how
 * its plan is got. */
#ifndef BROWNOUT_SIM_QUARRY_H
#define BROWNOUT_SIM_QUARRY_H

#include "sim/lane.h"
#include "sim/subject.h"

struct quarry_call {
    const char *what; /* RUN_ID, FILE.plan or SCENARIO.lua */
    const char *db;   /* NULL: RECORD_FILE */
    const char *crypto;
    uint64_t seed; /* UINT64_MAX: not given */
    struct option_settings settings;
    bool any; /* the plan is wanted whatever came of the run */
};

/* The plan as it was lived; freed by the caller in any case. FAIL: it is there, and did fail when
 * it was recorded or was run now (or the file does not say). Else error says why there is none:
 * what was asked is wrong (USAGE), the run passed (PASS), it is another history each time
 * (NONDETERMINISTIC), or nobody can tell (UNKNOWN, HARNESS). Of a scenario that its program dies of
 * the plan is what was drawn and placed at its start. */
enum verdict quarry_plan(struct quarry_call *call, uint64_t timeout_us, struct plan *plan,
                         char *error, size_t error_bytes);

/* How a verb is told which run: its first options. */
#define QUARRY_OPTIONS(quarry)                                                                     \
    {.name = "--seed",                                                                             \
     .kind = OPTION_COUNT,                                                                         \
     .target = &(quarry)->seed,                                                                    \
     .max = COMMAND_SEED_MAX,                                                                      \
     .value = "N",                                                                                 \
     .doc = "of the scenario's run that failed"},                                                  \
        {.name = "--set",                                                                          \
         .kind = OPTION_SETTING,                                                                   \
         .target = &(quarry)->settings,                                                            \
         .value = "KEY=VALUE",                                                                     \
         .doc = "as that run had it; may come often"},                                             \
        {.name = "--crypto",                                                                       \
         .kind = OPTION_TEXT,                                                                      \
         .target = &(quarry)->crypto,                                                              \
         .value = "ideal|openssl",                                                                 \
         .doc = "likewise"},                                                                       \
    {                                                                                              \
        .name = "--db", .kind = OPTION_TEXT, .target = &(quarry)->db, .value = "FILE",             \
        .doc = "the run database; " RECORD_FILE " without it"                                      \
    }

/* One run in a process of its own: see struct lane_work. The witness is freed by the caller. */
void quarry_run(void (*request)(void *ctx, uint64_t job, const char *text,
                                struct run_request *request),
                void *ctx, uint64_t timeout_us, struct witness *witness);

#endif
