/* brownout shrink: a small plan that fails like the one that is given, as a scenario. */
#include <cJSON.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/check.h"
#include "sim/command.h"
#include "sim/lane.h"
#include "sim/plan_lua.h"
#include "sim/print.h"
#include "sim/quarry.h"
#include "sim/selfcheck.h"
#include "sim/shrink.h"
#include "sim/shrink_note.h"
#include "sim/status.h"
#include "sim/triage_cone.h"

enum { RUNS_DEFAULT = 5000 };

struct call {
    struct quarry_call quarry;
    const char *output;
    uint64_t seeds, jobs, runs, time_us, timeout_us;
    bool selfcheck, json;
    struct status status;
};

/* ---- what is asked --------------------------------------------------------------------------- */

static bool parse(struct call *call, int argc, char **argv, int *exit_code)
{
    const struct option options[] = {
        QUARRY_OPTIONS(&call->quarry),
        {.name = "-o",
         .kind = OPTION_TEXT,
         .target = &call->output,
         .value = "FILE",
         .doc = "write it there: a scenario, or a plan if it ends in .plan"},
        {.name = "--seeds",
         .kind = OPTION_COUNT,
         .target = &call->seeds,
         .min = 1,
         .max = SHRINK_SEEDS,
         .value = "K",
         .doc = "it must fail alike with so many seeds: larger, and less of a coincidence (1)"},
        {.name = "--runs",
         .kind = OPTION_COUNT,
         .target = &call->runs,
         .min = 1,
         .max = 10000000,
         .value = "N",
         .doc = "budget: so many runs at the most (5000)"},
        {.name = "--time",
         .kind = OPTION_TIME,
         .target = &call->time_us,
         .value = "TIME",
         .doc = "budget: so much wall time at the most; the result hangs on the machine then"},
        {.name = "--jobs",
         .kind = OPTION_COUNT,
         .target = &call->jobs,
         .min = 1,
         .max = TRIAL_JOBS_MAX,
         .value = "J",
         .doc = "so many runs at once, one a processor otherwise; the result is the same"},
        {.name = "--timeout",
         .kind = OPTION_TIME,
         .target = &call->timeout_us,
         .value = "TIME",
         .doc = "wall time of one run; what takes longer did not fail (2m)"},
        {.name = "--selfcheck",
         .kind = OPTION_FLAG,
         .target = &call->selfcheck,
         .doc = "it is not deterministic: the smallest plan that two processes live to two hashes"},
        {.name = "--json",
         .kind = OPTION_FLAG,
         .target = &call->json,
         .doc = "print one JSON object instead of text"},
    };
    const struct option_verb verb = {
        .name = "shrink",
        .argument = "RUN_ID|FILE.plan|SCENARIO.lua",
        .doc = "The smallest plan that still fails alike, as a scenario",
        .details =
            "Faults are left out (ddmin), then nodes, time and settings; those that are left "
            "become\n"
            "plainer: earlier, shorter, less. A candidate fails alike if it breaks the same law, "
            "and\n"
            "the first bad evidence has the same name. It ends when nothing of that can be left "
            "out\n"
            "by itself (1-minimal), or the budget is spent. The scenario is run before it is\n"
            "written. Without -o it goes to standard output. That of a RUN_ID is kept with the "
            "run,\n"
            "where the report has it.\n"
            "Exit code 1: it fails, and is small now; 0: the run passes, there is nothing to "
            "shrink;\n"
            "3: the run is not deterministic; 5: it fails in a way that cannot be compared.",
        .example = "brownout shrink 17 -o scenarios/regress/acked_and_lost.lua",
        .options = options,
        .option_count = sizeof options / sizeof options[0],
    };
    const long processors = sysconf(_SC_NPROCESSORS_ONLN);
    memset(call, 0, sizeof *call);
    call->quarry.seed = UINT64_MAX;
    call->seeds = 1;
    call->runs = RUNS_DEFAULT;
    call->timeout_us = 120000000;
    call->jobs = processors < 1                ? 1
                 : processors > TRIAL_JOBS_MAX ? TRIAL_JOBS_MAX
                                               : (uint64_t)processors;
    const bool good = command_parse(&verb, argc, argv, &call->quarry.what, exit_code);
    call->quarry.any = call->selfcheck;
    return good;
}

static bool is_plan_file(const char *path)
{
    const size_t length = strlen(path);
    return length > 5 && strcmp(path + length - 5, ".plan") == 0;
}

static void show(void *ctx, uint64_t runs)
{
    struct status *status = ctx;
    char text[64];
    if (status_due(status)) {
        snprintf(text, sizeof text, "%" PRIu64 " runs", runs);
        status_show(status, text);
    }
}

/* ---- the scenario ---------------------------------------------------------------------------- */

static void print_size(const struct shrink_size *size, char *text, size_t text_bytes)
{
    char duration[64];
    duration_print(size->duration_us, duration, sizeof duration);
    snprintf(text, text_bytes,
             "%" PRIu32 " fault%s, %" PRIu32 " device%s, %" PRIu32 " gateway%s, %" PRIu32
             " rogue%s, %s, %" PRIu32 " setting%s",
             size->faults, size->faults == 1 ? "" : "s", size->devices,
             size->devices == 1 ? "" : "s", size->gateways, size->gateways == 1 ? "" : "s",
             size->rogues, size->rogues == 1 ? "" : "s", duration, size->settings,
             size->settings == 1 ? "" : "s");
}

static void replay_line(const struct call *call, const struct shrink_result *result, char *line,
                        size_t line_bytes)
{
    static const struct option_settings none;
    const char *file = call->output != NULL ? call->output : "THIS_FILE";
    if (call->output != NULL && is_plan_file(call->output)) {
        snprintf(line, line_bytes, "brownout replay");
        print_word(line, line_bytes, file);
    } else if (call->selfcheck) {
        snprintf(line, line_bytes, "brownout selfcheck");
        print_word(line, line_bytes, file);
        const size_t length = strlen(line);
        snprintf(line + length, line_bytes - length, " --seed %" PRIu64, result->plan.seed);
    } else {
        command_run_line(line, line_bytes, file, result->plan.seed, &none);
    }
}

/* The text of the scenario; to be freed. */
static char *scenario_text(const struct call *call, const struct shrink_result *result)
{
    struct shrink_notes notes;
    char what[64], question[400], from[200], to[200], head[2 * COMMAND_LINE_BYTES],
        line[COMMAND_LINE_BYTES];
    char *text = NULL;
    size_t size = 0;
    FILE *file = open_memstream(&text, &size);
    CHECK(file != NULL);
    const bool crashed = failure_is_crash(&result->before);
    /* A program that dies of it would do so here, too. */
    shrink_notes_make(&notes, &result->plan, crashed ? 0 : UINT64_MAX);
    snprintf(what, sizeof what, "%s hold",
             result->before.violated ? law_name(result->before.violation.law) : "what is expected");
    if (call->selfcheck) {
        snprintf(what, sizeof what, "one plan have one history");
    }
    shrink_question(&result->plan, crashed ? "the program live on" : what, question,
                    sizeof question);
    print_size(&result->from, from, sizeof from);
    print_size(&result->to, to, sizeof to);
    replay_line(call, result, line, sizeof line);
    snprintf(head, sizeof head,
             "%s\nFrom %s%s%s\nto %s; %s.\nOf seeds 1 to %d, %" PRIu32 " fail alike.\nReplay: %s\n",
             crashed           ? result->kind
             : call->selfcheck ? "Two processes with other memory live it to two hashes."
                               : notes.bad,
             from, result->plan.scenario[0] != '\0' ? ", of " : "", result->plan.scenario, to,
             result->minimal ? "nothing of it can be left out by itself"
                             : "the budget was spent before nothing more could be left out",
             SHRINK_SEEDS, result->seeds_failing, line);
    const struct plan_lua scenario = {&result->plan, question, head, crashed ? NULL : notes.lines};
    CHECK(plan_lua_write(&scenario, file));
    CHECK(fclose(file) == 0);
    shrink_notes_free(&notes);
    return text;
}

static void scenario_request(void *ctx, uint64_t job, const char *text, struct run_request *request)
{
    (void)job;
    (void)text;
    *request = *(const struct run_request *)ctx;
}

/* Likewise, where determinism is the question. */
static bool is_undetermined(const char *path, uint64_t seed, char kind[FAILURE_BYTES], char *error,
                            size_t error_bytes)
{
    static struct selfcheck_result result;
    static const struct option_settings none;
    const struct selfcheck_request request = {
        .program = "/proc/self/exe", .scenario = path, .seed = seed, .settings = &none};
    selfcheck(&request, &result);
    snprintf(kind, FAILURE_BYTES, "%s", verdict_name(result.verdict));
    snprintf(error, error_bytes, "%s", result.message);
    return result.verdict == VERDICT_NONDETERMINISTIC;
}

/* Does the scenario, as it will stand in its file, fail alike? A file of its own tries it. */
static bool prove(const struct call *call, const struct shrink_result *result, const char *text,
                  char *error, size_t error_bytes)
{
    const char *folder = getenv("TMPDIR");
    char path[512], kind[FAILURE_BYTES];
    struct witness witness;
    struct run_request request;
    snprintf(path, sizeof path, "%s/brownout-shrunk-XXXXXX",
             folder != NULL && folder[0] != '\0' ? folder : "/tmp");
    const int descriptor = mkstemp(path);
    FILE *file = descriptor < 0 ? NULL : fdopen(descriptor, "w");
    if (file == NULL) {
        snprintf(error, error_bytes, "no temporary file %s: %s", path, strerror(errno));
        return false;
    }
    fputs(text, file);
    const bool whole = fclose(file) == 0;
    if (call->selfcheck) {
        const bool good =
            whole && is_undetermined(path, result->plan.seed, kind, error, error_bytes);
        if (!good) {
            snprintf(error, error_bytes,
                     "the plan comes to two hashes, and the scenario that was made of it does not "
                     "(%s); write it as a plan: -o FILE.plan",
                     kind);
        }
        (void)unlink(path);
        return good;
    }
    run_request_init(&request);
    request.scenario = path;
    request.seed = result->plan.seed;
    quarry_run(scenario_request, &request, call->timeout_us, &witness);
    (void)unlink(path);
    failure_kind(&witness.result, kind);
    const bool proven = whole && strcmp(kind, result->kind) == 0;
    if (!proven) {
        snprintf(
            error, error_bytes,
            "the plan fails, and the scenario that was made of it does not fail alike (%.200s); "
            "write it as a plan: -o FILE.plan",
            kind[0] != '\0'                     ? kind
            : witness.result.message[0] != '\0' ? witness.result.message
                                                : "it passes");
    }
    witness_free(&witness);
    return proven;
}

static bool write_file(const char *path, const char *text, char *error, size_t error_bytes)
{
    FILE *file = fopen(path, "w");
    if (file == NULL) {
        snprintf(error, error_bytes, "%s cannot be written: %s", path, strerror(errno));
        return false;
    }
    const bool good = fputs(text, file) >= 0;
    if (fclose(file) != 0 || !good) {
        snprintf(error, error_bytes, "%s is not whole: is the disk full?", path);
        return false;
    }
    return true;
}

/* ---- what came of it ------------------------------------------------------------------------- */

static void print_text(const struct call *call, const struct shrink_result *result,
                       const char *text)
{
    char from[200], to[200], line[COMMAND_LINE_BYTES];
    struct print print;
    print_begin(&print, call->output != NULL ? stdout : stderr);
    print_size(&result->from, from, sizeof from);
    print_size(&result->to, to, sizeof to);
    print_paint(&print, PRINT_GOOD, "SHRUNK");
    fprintf(print.file,
            "  %s\n  from  %s\n  to    %s\n  %s; %" PRIu64 " runs in %" PRIu64 ".%" PRIu64
            " s\n  of seeds 1 to %d, %" PRIu32 " fail alike\n",
            result->kind, from, to,
            result->minimal ? "1-minimal" : "not minimal yet, the budget is spent", result->runs,
            result->wall_us / 1000000, result->wall_us / 100000 % 10, SHRINK_SEEDS,
            result->seeds_failing);
    if (call->output != NULL) {
        replay_line(call, result, line, sizeof line);
        fprintf(print.file, "replay  %s\n", line);
    } else {
        fputs(text, stdout);
    }
}

static cJSON *size_json(const struct shrink_size *size)
{
    cJSON *object = cJSON_CreateObject();
    json_number(object, "faults", size->faults);
    json_number(object, "devices", size->devices);
    json_number(object, "gateways", size->gateways);
    json_number(object, "rogues", size->rogues);
    json_number(object, "settings", size->settings);
    json_seconds(object, "duration_s", size->duration_us);
    return object;
}

static void print_json(const struct call *call, const struct shrink_result *result,
                       const char *text)
{
    cJSON *object = cJSON_CreateObject();
    char line[COMMAND_LINE_BYTES];
    json_text(object, "verdict", verdict_name(VERDICT_FAIL));
    json_text(object, "failure", result->kind);
    json_text(object, "law", result->before.violated ? law_name(result->before.violation.law) : "");
    cJSON_AddItemToObject(object, "from", size_json(&result->from));
    cJSON_AddItemToObject(object, "to", size_json(&result->to));
    json_number(object, "runs", result->runs);
    json_seconds(object, "seconds", result->wall_us);
    cJSON_AddBoolToObject(object, "minimal", result->minimal);
    json_number(object, "seed", result->plan.seed);
    json_number(object, "seeds_tried", SHRINK_SEEDS);
    json_number(object, "seeds_failing", result->seeds_failing);
    replay_line(call, result, line, sizeof line);
    json_text(object, "replay", line);
    json_text(object, "scenario", text);
    json_print(stdout, object);
}

/* The run that was shrunk, where it is one of the database. */
static int64_t run_id(const struct call *call)
{
    const char *what = call->quarry.what;
    const bool is_number = what[0] != '\0' && strspn(what, "0123456789") == strlen(what);
    return is_number ? strtoll(what, NULL, 10) : 0;
}

/* With its run, for the report. Where that cannot be written to, nothing else is lost. */
static bool keep(const struct call *call, const struct shrink_result *result, const char *text)
{
    char error[RECORD_ERROR_BYTES] = "", classes[32 * EFFECT_COUNT];
    bool left[EFFECT_COUNT] = {false};
    for (uint32_t i = 0; i < result->plan.entry_count; i++) {
        left[result->plan.entries[i].effect] = true;
    }
    triage_cone_classes(left, classes, sizeof classes);
    const struct record_shrunk shrunk = {.run = run_id(call),
                                         .failure = result->kind,
                                         .faults_before = result->from.faults,
                                         .faults = result->to.faults,
                                         .classes = classes,
                                         .devices = result->to.devices,
                                         .seed = result->plan.seed,
                                         .minimal = result->minimal,
                                         .text = text};
    const char *db = call->quarry.db == NULL ? RECORD_FILE : call->quarry.db;
    struct record *record = record_open(db, RECORD_WRITE, error, sizeof error);
    const bool good = record != NULL && record_shrunk(record, &shrunk, error, sizeof error);
    record_close(record);
    if (!good) {
        fprintf(stderr, "brownout shrink: it is not kept with its run: %s\n", error);
    }
    return good;
}

static int finish(const struct call *call, const struct shrink_result *result)
{
    char error[1024];
    bool good = true;
    const bool as_plan = call->output != NULL && is_plan_file(call->output);
    char *text = as_plan ? witness_plan_text(&result->plan) : scenario_text(call, result);
    if (!as_plan && !prove(call, result, text, error, sizeof error)) {
        fprintf(stderr, "brownout shrink: %s\n", error);
        free(text);
        return VERDICT_UNKNOWN;
    }
    const bool kept = !as_plan && run_id(call) != 0 && keep(call, result, text);
    if (call->output != NULL) {
        good = write_file(call->output, text, error, sizeof error);
    }
    if (!good) {
        fprintf(stderr, "brownout shrink: %s\n", error);
    } else if (call->json) {
        print_json(call, result, text);
    } else {
        print_text(call, result, text);
    }
    if (good && kept && !call->json) {
        fprintf(call->output != NULL ? stdout : stderr,
                "kept    with run %s, for brownout report and triage\n", call->quarry.what);
    }
    free(text);
    return good ? VERDICT_FAIL : VERDICT_HARNESS;
}

static int exit_code_of(enum shrink_outcome outcome)
{
    switch (outcome) {
    case SHRINK_DONE:
        return VERDICT_FAIL;
    case SHRINK_PASSES:
        return VERDICT_PASS;
    case SHRINK_FLAKY:
        return VERDICT_NONDETERMINISTIC;
    case SHRINK_UNKNOWN:
    case SHRINK_UNPLACED:
        return VERDICT_UNKNOWN;
    case SHRINK_HARNESS:
        break;
    }
    return VERDICT_HARNESS;
}

static int work(struct call *call, const struct plan *plan)
{
    static struct shrink_result result;
    struct trial_config config = {
        .jobs = (uint32_t)call->jobs,
        .timeout_us = call->timeout_us,
        .runs_max = call->runs,
        .wall_us_max = call->time_us,
        .twin = call->selfcheck ? "/proc/self/exe" : NULL,
        .progress = show,
        .progress_ctx = &call->status,
    };
    status_begin(&call->status);
    const enum shrink_outcome outcome = shrink(plan, (uint32_t)call->seeds, config, &result);
    status_clear(&call->status);
    int exit_code = exit_code_of(outcome);
    if (outcome == SHRINK_DONE) {
        exit_code = finish(call, &result);
    } else {
        fprintf(stderr, "brownout shrink: %s\n", result.message);
    }
    shrink_result_free(&result);
    return exit_code;
}

int command_shrink(int argc, char **argv)
{
    static struct call call;
    static struct plan plan;
    char error[RECORD_ERROR_BYTES] = "";
    int exit_code;
    if (!parse(&call, argc, argv, &exit_code)) {
        return exit_code;
    }
    const enum verdict verdict =
        quarry_plan(&call.quarry, call.timeout_us, &plan, error, sizeof error);
    if (verdict == VERDICT_FAIL) {
        exit_code = work(&call, &plan);
    } else {
        fprintf(stderr, "brownout shrink: %s\n", error);
        exit_code = (int)verdict;
    }
    plan_free(&plan);
    return exit_code;
}
