/* brownout run: one run of a scenario. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/check.h"
#include "sim/command.h"
#include "sim/print.h"
#include "sim/record.h"
#include "sim/status.h"
#include "sim/witness.h"

enum { SEED_BITS = 48 }; /* of a drawn seed: short, and exact in every JSON reader */

struct call {
    const char *scenario;
    uint64_t seed;
    struct option_settings settings;
    const char *crypto, *db, *plan_file;
    bool trace, json;
};

/* ---- what is asked --------------------------------------------------------------------------- */

static bool parse(struct call *call, int argc, char **argv, int *exit_code)
{
    const struct option options[] = {
        {.name = "--seed",
         .kind = OPTION_COUNT,
         .target = &call->seed,
         .max = COMMAND_SEED_MAX,
         .value = "N",
         .doc = "decides every draw; without it one is drawn, and printed"},
        {.name = "--set",
         .kind = OPTION_SETTING,
         .target = &call->settings,
         .value = "KEY=VALUE",
         .doc = "a setting in place of the scenario's; may come often"},
        {.name = "--crypto",
         .kind = OPTION_TEXT,
         .target = &call->crypto,
         .value = "ideal|openssl",
         .doc = "signatures: stand-ins (fast) or real ones"},
        {.name = "--trace",
         .kind = OPTION_FLAG,
         .target = &call->trace,
         .doc = "keep every event: in the database, or printed where there is none"},
        {.name = "--plan",
         .kind = OPTION_TEXT,
         .target = &call->plan_file,
         .value = "FILE",
         .doc = "write the plan as it was lived"},
        {.name = "--db",
         .kind = OPTION_TEXT,
         .target = &call->db,
         .value = "FILE",
         .doc = "record the run there; without it in " RECORD_FILE ", if that stands here"},
        {.name = "--json",
         .kind = OPTION_FLAG,
         .target = &call->json,
         .doc = "print one JSON object instead of text"},
    };
    const struct option_verb verb = {
        .name = "run",
        .argument = "SCENARIO.lua",
        .doc = "One run of a scenario: verdict, laws, figures, and the line that replays it",
        .details = command_settings_help(),
        .example = "brownout run scenarios/roaming.lua --seed 7 --set fleet.devices=60",
        .options = options,
        .option_count = sizeof options / sizeof options[0],
    };
    memset(call, 0, sizeof *call);
    call->seed = UINT64_MAX;
    return command_parse(&verb, argc, argv, &call->scenario, exit_code);
}

static bool draw_seed(uint64_t *seed)
{
    FILE *file = fopen("/dev/urandom", "rb");
    const bool good = file != NULL && fread(seed, sizeof *seed, 1, file) == 1;
    if (file != NULL) {
        fclose(file);
    }
    *seed >>= 64 - SEED_BITS;
    return good;
}

/* ---- the database ---------------------------------------------------------------------------- */

/* Better to hear of a wrong file before the run than after it. */
static bool choose_db(struct call *call, char *error, size_t error_bytes)
{
    if (call->db == NULL && access(RECORD_FILE, F_OK) == 0) {
        call->db = RECORD_FILE;
    }
    if (call->db == NULL) {
        return true;
    }
    struct record *record = record_open(call->db, RECORD_CREATE, error, error_bytes);
    record_close(record);
    return record != NULL;
}

static int64_t store(const struct call *call, const struct witness *witness, struct trace *trace,
                     char *error, size_t error_bytes)
{
    char scenario_hash[HASH_TEXT_BYTES];
    struct record *record = record_open(call->db, RECORD_CREATE, error, error_bytes);
    if (record == NULL) {
        return 0;
    }
    char *settings = command_settings_text(&call->settings);
    record_file_hash(call->scenario, scenario_hash);
    const struct record_run row = {
        .scenario = call->scenario,
        .scenario_hash = scenario_hash,
        .settings = settings,
        .seed = call->seed,
        .result = &witness->result,
        .plan = witness->plan,
        .trace = trace,
    };
    const int64_t id = record_write(record, &row, error, error_bytes);
    free(settings);
    record_close(record);
    return id;
}

/* ---- afterwards ------------------------------------------------------------------------------ */

static bool write_plan(const struct call *call, const struct witness *witness, char *error,
                       size_t error_bytes)
{
    char *text = witness_plan_text(&witness->result.plan);
    const bool good =
        command_plan_write(call->plan_file, text, &witness->result, error, error_bytes);
    free(text);
    return good;
}

/* Keep what brings a run back, and say how: in the database, else as a file if it did not pass. */
static bool keep(const struct call *call, const struct witness *witness, struct trace *trace,
                 struct report *report, char line[COMMAND_LINE_BYTES])
{
    char error[RECORD_ERROR_BYTES], path[64];
    const bool replayable = witness->plan != NULL && !witness->result.live_expectation;
    bool good = true;
    command_run_line(line, COMMAND_LINE_BYTES, call->scenario, call->seed, &call->settings);
    if (call->plan_file != NULL && !write_plan(call, witness, error, sizeof error)) {
        fprintf(stderr, "brownout run: %s\n", error);
        good = false;
    }
    if (call->db != NULL) {
        report->run_id = store(call, witness, trace, error, sizeof error);
        if (report->run_id == 0) {
            fprintf(stderr, "brownout run: %s\n", error);
            good = false;
        } else if (replayable) {
            command_replay_line(line, COMMAND_LINE_BYTES, report->run_id, call->db);
        }
    } else if (replayable) {
        snprintf(path, sizeof path, "failed-%" PRIu64 ".plan", call->seed);
        if (command_plan_write(path, witness->plan, &witness->result, error, sizeof error)) {
            snprintf(line, COMMAND_LINE_BYTES, "brownout replay %s", path);
        } else {
            fprintf(stderr, "brownout run: %s\n", error);
            good = false;
        }
    }
    return good;
}

static void print_head(const struct print *print, const struct call *call,
                       const struct run_result *result)
{
    if (result->question[0] != '\0') {
        print_paint(print, PRINT_STRONG, result->question);
        fputc('\n', print->file);
    }
    fprintf(print->file, "%s, seed %" PRIu64 "\n\n", call->scenario, call->seed);
}

static int finish(const struct call *call, struct witness *witness, struct trace *trace)
{
    char line[COMMAND_LINE_BYTES] = "";
    struct record_build build;
    struct print print;
    struct report report = {
        .scenario = call->scenario,
        .seed = call->seed,
        .result = &witness->result,
        .trace = call->trace                ? trace
                 : witness->trace.count > 0 ? &witness->trace
                                            : NULL,
        .db = call->db,
        .replay = line,
    };
    bool good = true;
    record_build(&build);
    report.build = build.commit;
    if (witness->result.events > 0) {
        good = keep(call, witness, report.trace, &report, line);
    }
    if (call->json) {
        print_report_json(stdout, &report);
    } else if (witness->result.verdict != VERDICT_USAGE) {
        print_begin(&print, stdout);
        if (call->trace && call->db == NULL) {
            good = command_print_trace(trace, &witness->result.plan.settings) && good;
            report.trace = NULL;
        }
        print_head(&print, call, &witness->result);
        print_report(&print, &report);
    }
    if (witness->result.verdict == VERDICT_USAGE) {
        return command_refuse("run", witness->result.message);
    }
    return good ? (int)witness->result.verdict : VERDICT_HARNESS;
}

int command_run(int argc, char **argv)
{
    static struct call call;
    struct run_request request;
    struct command_settings settings;
    struct witness witness;
    struct status status;
    struct trace trace = {0};
    char error[RECORD_ERROR_BYTES];
    int exit_code;
    if (!parse(&call, argc, argv, &exit_code)) {
        return exit_code;
    }
    if (!command_crypto(&call.settings, call.crypto, error, sizeof error) ||
        !choose_db(&call, error, sizeof error)) {
        return command_refuse("run", error);
    }
    if (call.trace && call.json && call.db == NULL) {
        return command_refuse("run", "--trace with --json needs --db: one object is printed alone");
    }
    if (call.seed == UINT64_MAX && !draw_seed(&call.seed)) {
        return command_refuse("run", "/dev/urandom gives no seed; choose one with --seed N");
    }
    run_request_init(&request);
    request.scenario = call.scenario;
    request.seed = call.seed;
    request.coverage = call.db != NULL;
    command_settings(&settings, &call.settings, &request);
    if (call.trace) {
        CHECK(trace_open(&trace, true));
        request.options.item = trace_item;
        request.options.item_ctx = &trace;
    }
    status_begin(&status);
    request.progress = command_progress;
    request.progress_ctx = &status;
    witness_run(&request, &witness);
    status_clear(&status);
    exit_code = finish(&call, &witness, &trace);
    witness_free(&witness);
    trace_close(&trace);
    return exit_code;
}
