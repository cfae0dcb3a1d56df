#include "sim/run.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "core/check.h"
#include "sim/heal_core.h"
#include "sim/script.h"
#include "sim/swarm.h"

const char *const run_specs[RUN_SPECS] = {"Telemetry", "Session"};
const enum law run_spec_laws[RUN_SPECS] = {LAW_SPEC_TELEMETRY, LAW_SPEC_SESSION};

enum { PROGRESS_EVENTS = 4096 }; /* how often the wall clock is looked at */

const char *verdict_name(enum verdict verdict)
{
    switch (verdict) {
    case VERDICT_PASS:
        return "pass";
    case VERDICT_FAIL:
        return "fail";
    case VERDICT_USAGE:
        return "usage";
    case VERDICT_NONDETERMINISTIC:
        return "nondeterministic";
    case VERDICT_HARNESS:
        return "harness";
    case VERDICT_UNKNOWN:
        return "unknown";
    }
    return "?";
}

const char *run_ending_name(enum run_ending ending)
{
    static const char *const names[] = {
#define RUN_ENDING_TEXT(NAME, name) name,
        RUN_ENDING_LIST(RUN_ENDING_TEXT)
#undef RUN_ENDING_TEXT
    };
    return names[ending];
}

void run_request_init(struct run_request *request)
{
    memset(request, 0, sizeof *request);
    request->until_event = UINT64_MAX;
    world_options_init(&request->options);
}

void run_result_free(struct run_result *result)
{
    for (unsigned i = 0; i < COVERAGE_KIND_COUNT; i++) {
        coverage_set_free(&result->coverage[i]);
    }
    plan_free(&result->plan);
}

/* Wall time of this process: for people and progress, never for the simulation. */
static uint64_t wall_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000u + (uint64_t)now.tv_nsec / 1000u;
}

/* ---- items go to the script and to who asked ------------------------------------------------- */

struct tee {
    struct script *script;
    const struct world_options *options;
};

static void tee_item(void *ctx, const struct world_item *item)
{
    const struct tee *tee = ctx;
    if (tee->script != NULL) {
        script_item(tee->script, item);
    }
    if (tee->options->item != NULL) {
        tee->options->item(tee->options->item_ctx, item);
    }
}

static void tee_violated(void *ctx)
{
    const struct tee *tee = ctx;
    if (tee->options->violated != NULL) {
        tee->options->violated(tee->options->item_ctx);
    }
}

/* ---- the loop -------------------------------------------------------------------------------- */

struct progress {
    const struct run_request *request;
    uint64_t shown_us;
};

static void show_progress(struct progress *progress, const struct world *world)
{
    if (progress->request->progress == NULL || world_event_count(world) % PROGRESS_EVENTS != 0) {
        return;
    }
    const uint64_t now_us = wall_us();
    if (now_us - progress->shown_us >= 200000) {
        progress->shown_us = now_us;
        progress->request->progress(progress->request->progress_ctx, world);
    }
}

/* Script wake-ups come before events of the same time or later. */
static bool run_script(struct script *script, struct world *world)
{
    while (script_wake_us(script) <= world_next_us(world) && world_state(world) == WORLD_RUNNING &&
           world_next_us(world) != UINT64_MAX) {
        world_advance(world, script_wake_us(script));
        if (!script_wake(script)) {
            return false;
        }
    }
    return true;
}

static bool live(struct world *world, struct script *script, const struct run_request *request)
{
    struct progress progress = {request, wall_us()};
    if (script != NULL && !script_start(script, world)) {
        return false;
    }
    while (world_state(world) == WORLD_RUNNING && world_event_count(world) < request->until_event) {
        if (script != NULL && !run_script(script, world)) {
            return false;
        }
        (void)world_step(world);
        if (request->stepped != NULL) {
            request->stepped(request->stepped_ctx, world);
        }
        if (script != NULL && !script_after(script)) {
            return false;
        }
        show_progress(&progress, world);
    }
    return true;
}

/* ---- the result ------------------------------------------------------------------------------ */

static void collect(struct world *world, struct run_result *result)
{
    const struct judge *judge = world_judge(world);
    world_digest(world, result->digest);
    result->events = world_event_count(world);
    result->sim_us = world_now_us(world);
    plan_copy(&result->plan, world_plan(world));
    plan_hash(&result->plan, result->plan_digest);
    for (unsigned i = 0; i < FIGURE_COUNT; i++) {
        result->figures[i] = world_figure(world, (enum figure)i);
    }
    for (unsigned i = 0; i < EFFECT_COUNT; i++) {
        result->fired[i] = world_fired(world, (enum effect)i);
        result->filed[i] = world_filed(world, (enum effect)i);
    }
    for (unsigned i = 0; i < PROBE_COUNT; i++) {
        result->probes[i] = world_probe(world, (enum probe)i);
    }
    for (unsigned i = 0; i < LAW_COUNT && judge != NULL; i++) {
        result->exercised[i] = judge_exercised(judge, (enum law)i);
        result->is_void[i] = judge_is_void(judge, (enum law)i);
    }
    for (uint32_t spec = 0; spec < RUN_SPECS && judge != NULL; spec++) {
        for (uint32_t i = 0; i < SPEC_ACTIONS_MAX; i++) {
            result->steps[spec][i] = judge_steps(judge, run_spec_laws[spec], i);
        }
    }
    result->exercised[LAW_CORE_CHECK] = judge != NULL ? result->events : 0;
    snprintf(result->check_text, sizeof result->check_text, "%s", world_check_text(world));
    if (world_violation(world) != NULL) {
        result->violated = true;
        result->violation = *world_violation(world);
    }
}

static void decide(struct world *world, struct script *script, struct run_result *result)
{
    const char *failed = NULL;
    const int index = world_expectation_failed(world);
    if (world_state(world) == WORLD_FAILED) {
        result->verdict = VERDICT_UNKNOWN;
        snprintf(result->message, sizeof result->message, "%s", world_error(world));
    } else if (result->violated) {
        result->verdict = VERDICT_FAIL;
        snprintf(result->message, sizeof result->message, "%s: %s", law_name(result->violation.law),
                 result->check_text[0] != '\0' ? result->check_text : result->violation.what);
    } else if (index >= 0) {
        const struct plan_expectation *expectation = &result->plan.expectations[index];
        result->verdict = VERDICT_FAIL;
        const uint64_t figure = world_figure(world, expectation->figure);
        char number[24] = "unknown";
        if (figure != FIGURE_UNKNOWN) {
            snprintf(number, sizeof number, "%" PRIu64, figure);
        }
        snprintf(result->message, sizeof result->message,
                 "expectation on %s does not hold: it is %s", figure_name(expectation->figure),
                 number);
    } else if (world_judge(world) != NULL && judge_recovering(world_judge(world)) > 0) {
        result->verdict = VERDICT_UNKNOWN;
        snprintf(result->message, sizeof result->message,
                 "%u devices were still delivering when the liveness phase ended: give it a longer "
                 "run.heal",
                 judge_recovering(world_judge(world)));
    } else if (script != NULL && world_state(world) == WORLD_ENDED && !result->swarm) {
        if (!script_finish(script, &failed)) {
            result->verdict = VERDICT_USAGE;
            snprintf(result->message, sizeof result->message, "%s", script_error(script));
        } else if (failed != NULL) {
            result->verdict = VERDICT_FAIL;
            result->live_expectation = true;
            snprintf(result->message, sizeof result->message, "expectation '%s' does not hold",
                     failed);
        }
    }
}

/* What the call sets, over the scenario's own. */
static bool apply_settings(const struct run_request *request, struct plan *plan,
                           struct run_result *result)
{
    for (uint32_t i = 0; i < request->setting_count; i++) {
        if (!settings_set(&plan->settings, request->settings[i].key, request->settings[i].value,
                          result->message, sizeof result->message)) {
            return false;
        }
    }
    return true;
}

static bool prepare(const struct run_request *request, struct plan *plan, struct script **script,
                    struct run_result *result)
{
    *script = NULL;
    if (request->plan != NULL) { /* what a swarm draws stands in it */
        plan_copy(plan, request->plan);
        return apply_settings(request, plan, result);
    }
    plan_init(plan, request->seed);
    snprintf(plan->scenario, sizeof plan->scenario, "%s", request->scenario);
    *script = script_open(request->scenario, plan, result->message, sizeof result->message);
    if (*script == NULL) {
        return false;
    }
    snprintf(result->question, sizeof result->question, "%s", script_question(*script));
    if (!apply_settings(request, plan, result)) {
        return false;
    }
    result->swarm = swarm_is_drawn(plan);
    if (result->swarm) {
        swarm_draw(plan);
    }
    const bool good = apply_settings(request, plan, result);
    plan->settings.number[SETTING_run_swarm] = 0; /* it has drawn: the plan is the whole of it */
    plan->settings.number[SETTING_run_sweep_every] = 1; /* whether there is a run; there is one */
    return good;
}

bool run_draw(const struct run_request *request, struct plan *plan, char *error, size_t error_bytes)
{
    struct run_result *result = calloc(1, sizeof *result);
    struct script *script;
    CHECK(result != NULL && request->scenario != NULL && request->plan == NULL);
    bool good = prepare(request, plan, &script, result);
    script_close(script);
    if (good && (!plan_draw_faults(plan) || !heal_core_draw(plan))) {
        snprintf(result->message, sizeof result->message,
                 "the settings draw too many faults; make `every` longer");
        good = false;
    }
    if (!good) {
        snprintf(error, error_bytes, "%s", result->message);
        plan_free(plan);
    }
    free(result);
    return good;
}

void run(const struct run_request *request, struct run_result *result)
{
    struct plan plan;
    struct tee tee = {NULL, &request->options};
    struct world_options options = request->options;
    const uint64_t start_us = wall_us();
    memset(result, 0, sizeof *result);
    CHECK((request->scenario == NULL) != (request->plan == NULL));
    if (!prepare(request, &plan, &tee.script, result)) {
        result->verdict = VERDICT_USAGE;
        plan_free(&plan);
        script_close(tee.script);
        return;
    }
    if (tee.script != NULL || options.item != NULL || options.violated != NULL) {
        options.item = tee_item;
        options.item_ctx = &tee;
        options.violated = options.violated == NULL ? NULL : tee_violated;
    }
    options.coverage = request->coverage ? coverage_open(&plan.settings) : NULL;
    struct world *world = world_create(&plan, request->plan == NULL, &options, result->message,
                                       sizeof result->message);
    if (world == NULL) {
        coverage_close(options.coverage, result->coverage);
        plan_free(&plan);
        result->verdict = VERDICT_USAGE;
        script_close(tee.script);
        return;
    }
    if (live(world, tee.script, request)) {
        collect(world, result);
        decide(world, tee.script, result);
    } else {
        result->verdict = VERDICT_USAGE;
        snprintf(result->message, sizeof result->message, "%s", script_error(tee.script));
    }
    if (request->stopped != NULL) {
        request->stopped(request->stopped_ctx, world);
    }
    world_free(world);
    coverage_close(options.coverage, result->coverage);
    plan_free(&plan);
    script_close(tee.script);
    result->wall_us = wall_us() - start_us;
}
