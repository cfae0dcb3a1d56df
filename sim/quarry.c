#include "sim/quarry.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/check.h"
#include "sim/failure.h"
#include "sim/script.h"

void quarry_run(void (*request)(void *ctx, uint64_t job, const char *text,
                                struct run_request *request),
                void *ctx, uint64_t timeout_us, struct witness *witness)
{
    const struct lane_work work = {request, ctx, timeout_us, 0, NULL};
    struct lane lane = {.socket = -1};
    if (lane_start(&lane, 1, 0, &work) && lane_give(&lane, 0, NULL)) {
        lane_take(&lane, witness);
        lane_stop(&lane);
        return;
    }
    memset(witness, 0, sizeof *witness);
    witness->result.verdict = VERDICT_HARNESS;
    snprintf(witness->result.message, sizeof witness->result.message, "no process for it: %s",
             strerror(errno));
    lane_stop(&lane);
}

struct question {
    struct subject subject;
    bool any;
};

static void subject_asks(void *ctx, uint64_t job, const char *text, struct run_request *request)
{
    static struct command_settings settings;
    const struct question *question = ctx;
    (void)job;
    (void)text;
    subject_request(&question->subject, request, &settings);
    request->keep_plan = question->any;
}

/* Of a run that its program did not survive: what was drawn and placed before the first event. What
 * its scenario did later is not known any more. */
static bool draw(const struct subject *subject, struct plan *plan, char *error, size_t error_bytes)
{
    struct plan drawn;
    struct world *world = NULL;
    struct world_options options;
    world_options_init(&options);
    plan_init(&drawn, subject->found.seed);
    snprintf(drawn.scenario, sizeof drawn.scenario, "%s", subject->found.scenario);
    struct script *script = script_open(subject->found.scenario, &drawn, error, error_bytes);
    bool good = script != NULL;
    for (uint32_t i = 0; good && i < subject->settings.count; i++) {
        good = settings_set(&drawn.settings, subject->settings.list[i].key,
                            subject->settings.list[i].value, error, error_bytes);
    }
    if (good) {
        world = world_create(&drawn, true, &options, error, error_bytes);
        good = world != NULL;
    }
    if (good && !script_start(script, world)) {
        snprintf(error, error_bytes, "%s", script_error(script));
        good = false;
    }
    if (good) {
        plan_copy(plan, world_plan(world));
    }
    world_free(world);
    script_close(script);
    plan_free(&drawn);
    return good;
}

/* A scenario is run once for its plan. */
static enum verdict live(const struct subject *subject, bool any, uint64_t timeout_us,
                         struct plan *plan, char *error, size_t error_bytes)
{
    struct witness witness;
    struct question question = {*subject, any};
    quarry_run(subject_asks, &question, timeout_us, &witness);
    const struct run_result *result = &witness.result;
    enum verdict verdict = result->verdict;
    if (any && witness.plan != NULL) {
        verdict =
            plan_read_text(plan, witness.plan, error, error_bytes) ? VERDICT_FAIL : VERDICT_HARNESS;
    } else if (verdict == VERDICT_PASS) {
        snprintf(error, error_bytes, "the run passes: there is nothing to look for");
    } else if (verdict == VERDICT_FAIL && result->live_expectation) {
        verdict = VERDICT_UNKNOWN;
        snprintf(error, error_bytes,
                 "%.300s: that is judged by a function of Lua, and a plan has none; write it as "
                 "{ \"figure\", \">=\", number } in `expect`",
                 result->message);
    } else if (verdict == VERDICT_FAIL && witness.plan != NULL) {
        verdict =
            plan_read_text(plan, witness.plan, error, error_bytes) ? VERDICT_FAIL : VERDICT_HARNESS;
    } else if (failure_is_crash(result)) {
        verdict = draw(subject, plan, error, error_bytes) ? VERDICT_FAIL : VERDICT_HARNESS;
    } else {
        snprintf(error, error_bytes, "%.400s", result->message);
    }
    witness_free(&witness);
    return verdict;
}

static bool is_number(const char *text)
{
    return text[0] != '\0' && strspn(text, "0123456789") == strlen(text);
}

static bool is_scenario(const char *text)
{
    const size_t length = strlen(text);
    return length > 4 && strcmp(text + length - 4, ".lua") == 0;
}

static bool find(struct quarry_call *call, struct subject *subject, char *error, size_t error_bytes)
{
    if (is_scenario(call->what)) {
        if (call->seed == UINT64_MAX) {
            snprintf(error, error_bytes, "which run of %s? Say --seed N", call->what);
            return false;
        }
        if (!command_crypto(&call->settings, call->crypto, error, error_bytes)) {
            return false;
        }
        snprintf(subject->found.scenario, sizeof subject->found.scenario, "%s", call->what);
        subject->found.seed = call->seed;
        subject->settings = call->settings;
        return true;
    }
    if (call->seed != UINT64_MAX || call->settings.count > 0 || call->crypto != NULL) {
        snprintf(error, error_bytes,
                 "--seed, --set and --crypto belong to a scenario; %s has its own", call->what);
        return false;
    }
    if (!is_number(call->what)) {
        return subject_load_file(subject, call->what, error, error_bytes);
    }
    struct record *record =
        record_open(call->db == NULL ? RECORD_FILE : call->db, RECORD_READ, error, error_bytes);
    if (record == NULL) {
        return false;
    }
    const bool good =
        subject_load_run(subject, record, strtoll(call->what, NULL, 10), error, error_bytes);
    record_close(record);
    return good;
}

enum verdict quarry_plan(struct quarry_call *call, uint64_t timeout_us, struct plan *plan,
                         char *error, size_t error_bytes)
{
    static struct subject subject;
    enum verdict verdict = VERDICT_FAIL;
    memset(&subject, 0, sizeof subject);
    plan_init(plan, 0);
    if (!find(call, &subject, error, error_bytes)) {
        verdict = VERDICT_USAGE;
    } else if (!call->any && strcmp(subject.found.verdict, verdict_name(VERDICT_PASS)) == 0) {
        verdict = VERDICT_PASS;
        snprintf(error, error_bytes, "%s passed: there is nothing to look for", call->what);
    } else if (subject.has_plan) {
        plan_copy(plan, &subject.plan);
    } else {
        verdict = live(&subject, call->any, timeout_us, plan, error, error_bytes);
    }
    subject_free(&subject);
    return verdict;
}
