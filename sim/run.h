/* One run from end to end: a scenario or a plan in, a verdict out. What every verb of the command
 * is made of. */
#ifndef BROWNOUT_SIM_RUN_H
#define BROWNOUT_SIM_RUN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "models/spec.h"
#include "sim/coverage.h"
#include "sim/plan.h"
#include "sim/world.h"

/* Verdicts and the exit codes of every verb. */
enum verdict {
    VERDICT_PASS = 0,             /* all laws held */
    VERDICT_FAIL = 1,             /* a law was broken, or an expectation did not hold */
    VERDICT_USAGE = 2,            /* the call or the scenario is wrong */
    VERDICT_NONDETERMINISTIC = 3, /* one plan, two hashes */
    VERDICT_HARNESS = 4,          /* the harness itself failed */
    VERDICT_UNKNOWN = 5,          /* it cannot be told */
};
const char *verdict_name(enum verdict verdict);

/* How the process of a run ended. */
#define RUN_ENDING_LIST(X)                                                                         \
    X(WHOLE, "whole")   /* it said its result */                                                   \
    X(LATE, "late")     /* its time was up */                                                      \
    X(MEMORY, "memory") /* it took more than it may, and was killed */                             \
    X(KILLED, "killed") /* by SIGKILL from elsewhere, as the system does without memory */         \
    X(CRASHED, "crashed")
enum run_ending {
#define RUN_ENDING_ENUM(NAME, name) RUN_##NAME,
    RUN_ENDING_LIST(RUN_ENDING_ENUM)
#undef RUN_ENDING_ENUM
        RUN_ENDING_COUNT
};
const char *run_ending_name(enum run_ending ending);

struct run_setting { /* from --set, applied after the scenario's own */
    const char *key, *value;
};

struct run_request {
    const char *scenario;    /* Lua file; NULL when plan is given */
    const struct plan *plan; /* replay: the whole of it; Lua is never initialised */
    uint64_t seed;           /* scenario only */
    const struct run_setting *settings;
    uint32_t setting_count;
    bool keep_plan;       /* witness_run: also where it passes */
    bool twice;           /* witness_run: also where it passes */
    bool coverage;        /* count what it shows (sim/coverage.h); needs laws */
    uint64_t until_event; /* stop before this event; UINT64_MAX = run to the end */
    struct world_options options;
    /* Called about every 0.2 s of wall time, may be NULL. */
    void (*progress)(void *ctx, const struct world *world);
    void *progress_ctx;
    /* Called after each event, may be NULL; must only look. */
    void (*stepped)(void *ctx, const struct world *world);
    void *stepped_ctx;
    /* Called once when the world has stopped, before it is gone; may be NULL. */
    void (*stopped)(void *ctx, const struct world *world);
    void *stopped_ctx;
};
void run_request_init(struct run_request *request);

/* The specs whose steps are counted, by name; their laws. */
enum { RUN_SPECS = 2 };
extern const char *const run_specs[RUN_SPECS];
extern const enum law run_spec_laws[RUN_SPECS];

struct run_result {
    enum verdict verdict;
    char message[512]; /* why it is not a pass; else empty */
    uint64_t digest[2];
    uint64_t plan_digest[2];
    uint64_t events, sim_us, wall_us;
    enum run_ending ending;
    uint64_t memory_bytes; /* its process's resident set at its greatest; 0: not known */
    bool violated;
    struct violation violation;
    char check_text[256];
    char question[256]; /* the scenario's first line */
    uint64_t figures[FIGURE_COUNT];
    uint64_t fired[EFFECT_COUNT], filed[EFFECT_COUNT];
    uint64_t probes[PROBE_COUNT];
    uint64_t exercised[LAW_COUNT];
    bool is_void[LAW_COUNT];
    uint64_t steps[RUN_SPECS][SPEC_ACTIONS_MAX]; /* of run_specs, by action */
    bool swarm;                                  /* it drew the settings of the plan */
    bool live_expectation;                       /* a Lua function failed: replay cannot show it */
    struct coverage_set coverage[COVERAGE_KIND_COUNT]; /* empty where it was not counted */
    struct plan plan; /* as it was lived; freed by run_result_free */
};

/* Never fails in another way than by its result. */
void run(const struct run_request *request, struct run_result *result);
void run_result_free(struct run_result *result);

/* The plan of a scenario's run before it is lived: what its settings, a swarm and the random faults
 * draw from request->seed. What its Lua strikes or does while it runs is not in it. plan:
 * initialised here, freed by the caller. False: error says why (nothing is to be freed). */
bool run_draw(const struct run_request *request, struct plan *plan, char *error,
              size_t error_bytes);

#endif
