/* brownout export: a run for Wireshark, for Perfetto, or as a table. */
#include <cJSON.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "core/check.h"
#include "sim/command.h"
#include "sim/export.h"
#include "sim/print.h"
#include "sim/record.h"
#include "sim/status.h"
#include "sim/subject.h"

struct call {
    const char *what; /* run id or plan file */
    const char *db;
    const char *paths[EXPORT_FORMAT_COUNT];
    enum export_format format;
    bool json;
};

static const char *const format_names[EXPORT_FORMAT_COUNT] = {
    [EXPORT_PCAPNG] = "pcapng", [EXPORT_PERFETTO] = "perfetto", [EXPORT_CSV] = "csv"};

/* One format was named. */
static bool choose(struct call *call)
{
    unsigned named = 0;
    for (unsigned i = 0; i < EXPORT_FORMAT_COUNT; i++) {
        if (call->paths[i] != NULL) {
            call->format = (enum export_format)i;
            named++;
        }
    }
    return named == 1;
}

static bool parse(struct call *call, int argc, char **argv, int *exit_code)
{
    const struct option options[] = {
        {.name = "--pcapng",
         .kind = OPTION_TEXT,
         .target = &call->paths[EXPORT_PCAPNG],
         .value = "FILE",
         .doc = "the links, as a capture of MQTT over TCP: Wireshark, tshark"},
        {.name = "--perfetto",
         .kind = OPTION_TEXT,
         .target = &call->paths[EXPORT_PERFETTO],
         .value = "FILE",
         .doc = "a timeline, as Chrome trace JSON: ui.perfetto.dev, chrome://tracing"},
        {.name = "--csv",
         .kind = OPTION_TEXT,
         .target = &call->paths[EXPORT_CSV],
         .value = "FILE",
         .doc = "all events, port operations, evidence, effects and truths, a row each"},
        {.name = "--db",
         .kind = OPTION_TEXT,
         .target = &call->db,
         .value = "FILE",
         .doc = "the run database; " RECORD_FILE " without it"},
        {.name = "--json",
         .kind = OPTION_FLAG,
         .target = &call->json,
         .doc = "print one JSON object instead of text"},
    };
    const struct option_verb verb = {
        .name = "export",
        .argument = "RUN_ID|FILE.plan",
        .doc = "A recorded run for the tools that you have: Wireshark, Perfetto, spreadsheets",
        .details = "The run is lived again, and written meanwhile; one that kept no plan, because "
                   "it passed,\n"
                   "is lived twice. In a capture node n is 10.0.0.n, with its name beside it, and "
                   "times count\n"
                   "from the start of the run.\n"
                   "Exit codes: 0 written (whatever the run's verdict), 2 the call is wrong, 3 one "
                   "program,\n"
                   "one run, two hashes, 4 the file could not be written.\n",
        .example = "brownout export 17 --pcapng run17.pcapng && wireshark run17.pcapng",
        .options = options,
        .option_count = sizeof options / sizeof options[0],
    };
    memset(call, 0, sizeof *call);
    call->db = RECORD_FILE;
    if (!command_parse(&verb, argc, argv, &call->what, exit_code)) {
        return false;
    }
    if (!choose(call)) {
        *exit_code = command_refuse("export", "name one of --pcapng, --perfetto and --csv");
        return false;
    }
    return true;
}

static bool is_number(const char *text)
{
    return *text != '\0' && strspn(text, "0123456789") == strlen(text) && strlen(text) < 19;
}

static bool load(const struct call *call, struct subject *subject, char *error, size_t error_bytes)
{
    if (!is_number(call->what)) {
        return subject_load_file(subject, call->what, error, error_bytes);
    }
    struct record *record = record_open(call->db, RECORD_READ, error, error_bytes);
    const bool good =
        record != NULL &&
        subject_load_run(subject, record, strtoll(call->what, NULL, 10), error, error_bytes);
    record_close(record);
    return good;
}

/* Live it; false: there is nothing to be had of it, result says why. */
static bool live(const struct run_request *request, struct run_result *result)
{
    struct run_request shown = *request;
    struct status status;
    shown.progress = command_progress;
    shown.progress_ctx = &status;
    status_begin(&status);
    run(&shown, result);
    status_clear(&status);
    return result->verdict != VERDICT_USAGE && result->events > 0;
}

/* The whole fleet must be known before the first event: a run that kept no plan shows it by being
 * lived. */
static bool find_plan(struct subject *subject, char *error, size_t error_bytes)
{
    struct run_request request;
    struct command_settings settings;
    struct run_result result;
    if (subject->has_plan) {
        return true;
    }
    subject_request(subject, &request, &settings);
    const bool good = live(&request, &result);
    if (good) {
        plan_copy(&subject->plan, &result.plan);
        subject->has_plan = true;
    } else {
        snprintf(error, error_bytes, "%s", result.message);
    }
    run_result_free(&result);
    return good;
}

static void say(const struct call *call, const struct export *export,
                const struct run_result *result, const char *note)
{
    static const char *const things[EXPORT_FORMAT_COUNT] = {
        [EXPORT_PCAPNG] = "frames", [EXPORT_PERFETTO] = "trace events", [EXPORT_CSV] = "rows"};
    char hash[HASH_TEXT_BYTES];
    hash_print(result->digest, hash);
    if (!call->json) {
        printf("%s  %" PRIu64 " %s of %" PRIu64 " events\nhash    %s\nthen    %s\n", export->path,
               export->records, things[export->format], result->events, hash, note);
        return;
    }
    struct cJSON *object = cJSON_CreateObject();
    CHECK(object != NULL);
    json_text(object, "file", export->path);
    json_text(object, "format", format_names[export->format]);
    json_number(object, "records", export->records);
    json_number(object, "events", result->events);
    json_text(object, "verdict", verdict_name(result->verdict));
    json_text(object, "hash", hash);
    json_text(object, "note", note);
    json_print(stdout, object);
}

static int write_run(const struct call *call, struct subject *subject)
{
    char error[RECORD_ERROR_BYTES], title[EXPORT_TITLE_BYTES], note[256] = "";
    struct run_request request;
    struct command_settings settings;
    struct run_result result;
    static struct export export;
    if (!find_plan(subject, error, sizeof error)) {
        return command_refuse("export", error);
    }
    subject_request(subject, &request, &settings);
    snprintf(title, sizeof title, "brownout: %.255s, seed %" PRIu64 ", plan of %.160s",
             subject->plan.scenario, subject->plan.seed, call->what);
    if (!export_begin(&export, call->format, call->paths[call->format], title, &request, error,
                      sizeof error)) {
        fprintf(stderr, "brownout export: %s\n", error);
        return VERDICT_HARNESS;
    }
    const bool lived = live(&request, &result);
    const bool written = export_end(&export, error, sizeof error);
    int exit_code = VERDICT_PASS;
    if (!lived) {
        exit_code = command_refuse("export", result.message);
    } else if (!written) {
        fprintf(stderr, "brownout export: %s\n", error);
        exit_code = VERDICT_HARNESS;
    } else {
        const bool differs =
            subject_compare(subject, &result, note, sizeof note) == SUBJECT_DIFFERS;
        exit_code = differs ? VERDICT_NONDETERMINISTIC : VERDICT_PASS;
        say(call, &export, &result, note);
    }
    run_result_free(&result);
    return exit_code;
}

int command_export(int argc, char **argv)
{
    static struct call call;
    static struct subject subject;
    char error[RECORD_ERROR_BYTES] = "its settings cannot be read";
    int exit_code;
    if (!parse(&call, argc, argv, &exit_code)) {
        return exit_code;
    }
    exit_code = load(&call, &subject, error, sizeof error) ? write_run(&call, &subject)
                                                           : command_refuse("export", error);
    subject_free(&subject);
    return exit_code;
}
