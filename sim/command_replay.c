/* brownout replay: a run again, byte for byte; from a run database or from a plan file. */
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/check.h"
#include "sim/command.h"
#include "sim/print.h"
#include "sim/record.h"
#include "sim/status.h"
#include "sim/subject.h"
#include "sim/witness.h"

enum { ARGUMENTS_MAX = 64, VIEW_MAX = 64 };

struct call {
    const char *what; /* run id or plan file */
    const char *db;
    uint64_t until;
    bool trace, json, gdb, gdb_inner;
};

static bool parse(struct call *call, int argc, char **argv, int *exit_code)
{
    const struct option options[] = {
        {.name = "--db",
         .kind = OPTION_TEXT,
         .target = &call->db,
         .value = "FILE",
         .doc = "the run database; " RECORD_FILE " without it"},
        {.name = "--until",
         .kind = OPTION_COUNT,
         .target = &call->until,
         .max = UINT64_MAX - 1,
         .value = "EVENT",
         .doc = "stop before this event, and show what every node is in"},
        {.name = "--gdb",
         .kind = OPTION_FLAG,
         .target = &call->gdb,
         .doc = "under gdb, stopping where the law breaks, or at --until"},
        {.name = "--trace",
         .kind = OPTION_FLAG,
         .target = &call->trace,
         .doc = "put all events into the database; of a plan file: print them"},
        {.name = "--json",
         .kind = OPTION_FLAG,
         .target = &call->json,
         .doc = "print one JSON object instead of text"},
        {.name = "--gdb-inner", .kind = OPTION_FLAG, .target = &call->gdb_inner},
    };
    const struct option_verb verb = {
        .name = "replay",
        .argument = "RUN_ID|FILE.plan",
        .doc = "The same run again; another hash from the same program is exit code 3",
        .details =
            "A run that passed keeps no plan, and what a Lua function judged needs Lua: such runs\n"
            "are run again from scenario, seed and settings.",
        .example = "brownout replay 17 --until 4711",
        .options = options,
        .option_count = sizeof options / sizeof options[0],
    };
    memset(call, 0, sizeof *call);
    call->until = UINT64_MAX;
    return command_parse(&verb, argc, argv, &call->what, exit_code);
}

/* ---- finding it ------------------------------------------------------------------------------ */

static bool load_run(struct call *call, struct subject *subject, char *error, size_t error_bytes)
{
    if (call->db == NULL) {
        call->db = RECORD_FILE;
    }
    struct record *record =
        record_open(call->db, call->trace ? RECORD_WRITE : RECORD_READ, error, error_bytes);
    if (record == NULL) {
        return false;
    }
    const bool good =
        subject_load_run(subject, record, strtoll(call->what, NULL, 10), error, error_bytes);
    record_close(record);
    return good;
}

/* ---- running it ------------------------------------------------------------------------------ */

struct watch {
    struct trace trace;
    const struct call *call;
    bool stopped;
    char *views; /* what the nodes are in, where it stopped */
};

static void watch_item(void *ctx, const struct world_item *item)
{
    struct watch *watch = ctx;
    trace_item(&watch->trace, item);
    if (watch->call->gdb_inner && item->kind == ITEM_EVENT && item->event == watch->call->until) {
        raise(SIGTRAP); /* the event that --until names is about to be taken */
    }
}

static void watch_violated(void *ctx)
{
    (void)ctx;
    raise(SIGTRAP); /* go up to the step that broke the law */
}

static void print_node(const struct world *world, uint32_t node, FILE *file)
{
    struct world_view views[VIEW_MAX];
    char name[32];
    fleet_node_name(&world_plan(world)->settings, node, name, sizeof name);
    if (!world_node_up(world, node)) {
        fprintf(file, "  %-8s is down\n", name);
        return;
    }
    const size_t count = world_view(world, node, views, VIEW_MAX);
    fprintf(file, "  %-8s", name);
    for (size_t i = 0; i < count; i++) {
        fprintf(file, " %s=%" PRIu64, views[i].name, views[i].value);
    }
    fputc('\n', file);
}

static void watch_stopped(void *ctx, const struct world *world)
{
    struct watch *watch = ctx;
    size_t size;
    watch->stopped = world_state(world) == WORLD_RUNNING;
    if (!watch->stopped || watch->call->json) {
        return;
    }
    FILE *file = open_memstream(&watch->views, &size);
    CHECK(file != NULL);
    const uint32_t count = fleet_node_count(&world_plan(world)->settings);
    for (uint32_t node = 1; node <= count; node++) {
        print_node(world, node, file);
    }
    CHECK(fclose(file) == 0);
}

/* Replaces this process by gdb, with this command inside. Returns only if it cannot. */
static int become_gdb(int argc, char **argv)
{
    static char program[4096], inner[] = "--gdb-inner";
    static char gdb[] = "gdb", quiet[] = "-q", execute[] = "-ex", run_it[] = "run";
    static char arguments[] = "--args";
    char *all[ARGUMENTS_MAX + 10] = {gdb, quiet, execute, run_it, arguments, program};
    int count = 6;
    const ssize_t length = readlink("/proc/self/exe", program, sizeof program - 1);
    if (length <= 0 || argc > ARGUMENTS_MAX) {
        return command_refuse("replay", "--gdb: this program cannot be found");
    }
    for (int i = 0; i < argc; i++) {
        if (strcmp(argv[i], "--gdb") != 0) {
            all[count++] = argv[i];
        }
    }
    all[count] = inner;
    execvp("gdb", all);
    return command_refuse("replay", "--gdb: gdb does not start; is it installed?");
}

/* ---- comparing ------------------------------------------------------------------------------- */

/* Is it the same run? The verdict says so if it should be and is not; `note` for people. */
static void compare(const struct subject *subject, struct run_result *result, char *note,
                    size_t note_bytes)
{
    char hash[HASH_TEXT_BYTES];
    hash_print(result->digest, hash);
    if (subject_compare(subject, result, note, note_bytes) == SUBJECT_DIFFERS) {
        result->verdict = VERDICT_NONDETERMINISTIC;
        snprintf(result->message, sizeof result->message,
                 "one program, one run, two hashes: %s then, %s now", subject->found.hash, hash);
    }
}

static bool keep_trace(const struct call *call, const struct subject *subject, struct watch *watch,
                       const struct run_result *result)
{
    char error[RECORD_ERROR_BYTES];
    if (subject->run_id == 0) {
        return command_print_trace(&watch->trace, &result->plan.settings);
    }
    struct record *record = record_open(call->db, RECORD_WRITE, error, sizeof error);
    const bool good =
        record != NULL && record_trace(record, subject->run_id, &result->plan.settings,
                                       &watch->trace, error, sizeof error);
    record_close(record);
    if (!good) {
        fprintf(stderr, "brownout replay: %s\n", error);
    }
    return good;
}

static int finish(const struct call *call, const struct subject *subject, struct watch *watch,
                  struct run_result *result)
{
    char note[256] = "";
    struct record_build build;
    struct print print;
    if (result->verdict == VERDICT_USAGE) {
        return command_refuse("replay", result->message);
    }
    record_build(&build);
    if (!watch->stopped) {
        compare(subject, result, note, sizeof note);
    }
    struct report report = {
        .scenario = subject->has_plan ? subject->plan.scenario : subject->found.scenario,
        .build = build.commit,
        .seed = result->plan.seed,
        .result = result,
        .trace = &watch->trace,
        .run_id = subject->run_id,
        .db = subject->run_id == 0 ? NULL : call->db,
        .replay = "",
        .stopped = watch->stopped,
    };
    const bool good = !call->trace || keep_trace(call, subject, watch, result);
    if (call->json) {
        print_report_json(stdout, &report);
    } else {
        print_begin(&print, stdout);
        printf("%s, seed %" PRIu64 "%s\n\n", report.scenario, report.seed,
               subject->has_plan ? "" : ", run again from the scenario itself");
        print_report(&print, &report);
        if (watch->views != NULL) {
            printf("\nnodes before event %" PRIu64 "\n%s", result->events, watch->views);
        }
        printf("%s%s%s", note[0] == '\0' ? "" : "then    ", note, note[0] == '\0' ? "" : "\n");
    }
    return good ? (int)result->verdict : VERDICT_HARNESS;
}

static bool is_number(const char *text)
{
    return *text != '\0' && strspn(text, "0123456789") == strlen(text) && strlen(text) < 19;
}

static int replay(const struct call *call, const struct subject *subject)
{
    struct run_request request;
    struct command_settings settings;
    struct run_result result;
    struct status status;
    struct watch watch = {.call = call};
    CHECK(trace_open(&watch.trace, call->trace));
    subject_request(subject, &request, &settings);
    request.options.item = watch_item;
    request.options.item_ctx = &watch;
    request.options.violated = call->gdb_inner ? watch_violated : NULL;
    request.until_event = call->gdb_inner ? UINT64_MAX : call->until;
    request.stopped = watch_stopped;
    request.stopped_ctx = &watch;
    request.progress = command_progress;
    request.progress_ctx = &status;
    status_begin(&status);
    run(&request, &result);
    status_clear(&status);
    const int exit_code = finish(call, subject, &watch, &result);
    run_result_free(&result);
    trace_close(&watch.trace);
    free(watch.views);
    return exit_code;
}

int command_replay(int argc, char **argv)
{
    static struct call call;
    static struct subject subject;
    char error[RECORD_ERROR_BYTES] = "its settings cannot be read";
    int exit_code;
    if (!parse(&call, argc, argv, &exit_code)) {
        return exit_code;
    }
    if (call.gdb) {
        return become_gdb(argc, argv);
    }
    const bool good = is_number(call.what)
                          ? load_run(&call, &subject, error, sizeof error)
                          : subject_load_file(&subject, call.what, error, sizeof error);
    exit_code = good ? replay(&call, &subject) : command_refuse("replay", error);
    subject_free(&subject);
    return exit_code;
}
