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

struct run_setting { /* from --set, applied after the scenario's own */
    const char *key, *value;
};

struct run_request {
    const char *scenario;    /* Lua file; NULL when plan is given */
    const struct plan *plan; /* replay: the whole of it; Lua is never initialised */
    uint64_t seed;           /* scenario only */
    const struct run_setting *settings;
    uint32_t setting_count;
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

struct run_result {
    enum verdict verdict;
    char message[512]; /* why it is not a pass; else empty */
    uint64_t digest[2];
    uint64_t plan_digest[2];
    uint64_t events, sim_us, wall_us;
    bool violated;
    struct violation violation;
    char check_text[256];
    char question[256]; /* the scenario's first line */
    uint64_t figures[FIGURE_COUNT];
    uint64_t fired[EFFECT_COUNT], filed[EFFECT_COUNT];
    uint64_t probes[PROBE_COUNT];
    uint64_t exercised[LAW_COUNT];
    bool is_void[LAW_COUNT];
    uint64_t steps[SPEC_ACTIONS_MAX]; /* of the spec Telemetry, by action */
    bool live_expectation;            /* a Lua function failed: replay cannot show it */
    struct coverage_set coverage[COVERAGE_KIND_COUNT]; /* empty where it was not counted */
    struct plan plan; /* as it was lived; freed by run_result_free */
};

/* Never fails in another way than by its result. */
void run(const struct run_request *request, struct run_result *result);
void run_result_free(struct run_result *result);

#endif
