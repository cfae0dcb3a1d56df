/* brownout spec trace: recorded runs, as behaviours of a spec, put to TLC. */
#include <cJSON.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "core/check.h"
#include "sim/command.h"
#include "sim/spec_batch.h"
#include "sim/spec_runs.h"

enum { DEVICES_MAX = 1000000, EVENTS_MAX = 1000000000, SHOWN_MAX = 10, LINE_BYTES = 512 };

struct request {
    const char *db;
    bool evidence;                     /* the arguments are logs of daemons */
    struct option_arguments arguments; /* RUN_ID... */
    struct spec_runs runs;
    struct spec_trials trials;
    const struct spec_trace **list; /* [runs.count] */
};

/* ---- What is meant --------------------------------------------------------------------------- */

static bool is_followed(const char *law, char *error, size_t error_bytes)
{
    char laws[SPEC_RUNS_LAWS_BYTES];
    const bool is = spec_runs_follow(law, laws);
    if (!is) {
        snprintf(error, error_bytes,
                 "no run tells what it does in the words of %s; laws that runs are followed by: %s",
                 law, laws);
    }
    return is;
}

static bool is_number(const char *text)
{
    return *text != '\0' && strspn(text, "0123456789") == strlen(text) && strlen(text) < 19;
}

/* Each must be there before the first one is lived, since that takes its time. */
static bool find_runs(const struct request *request, struct record *record, char *error,
                      size_t error_bytes)
{
    bool good = true;
    for (uint32_t i = 0; i < request->arguments.count && good; i++) {
        const char *text = request->arguments.list[i];
        struct record_found found;
        if (!is_number(text)) {
            snprintf(error, error_bytes,
                     "'%.80s' is no run; name runs by their numbers, as brownout run and sweep "
                     "print them",
                     text);
            return false;
        }
        memset(&found, 0, sizeof found);
        good = record_find(record, strtoll(text, NULL, 10), &found, error, error_bytes);
        record_found_free(&found);
    }
    return good;
}

/* Each run that is named, once. */
static enum verdict add_runs(struct request *request, struct record *record, char *error,
                             size_t error_bytes)
{
    enum verdict verdict = VERDICT_PASS;
    for (uint32_t i = 0; i < request->arguments.count && verdict == VERDICT_PASS; i++) {
        const int64_t id = strtoll(request->arguments.list[i], NULL, 10);
        bool again = false;
        for (uint32_t r = 0; r < request->runs.run_count; r++) {
            again = again || request->runs.runs[r].id == id;
        }
        if (!again) {
            verdict = spec_runs_add(&request->runs, record, id, error, error_bytes);
        }
    }
    return verdict;
}

static enum verdict live_again(struct request *request, char *error, size_t error_bytes)
{
    struct record *record = record_open(request->db, RECORD_READ, error, error_bytes);
    if (record == NULL) {
        return VERDICT_USAGE;
    }
    const enum verdict verdict = find_runs(request, record, error, error_bytes)
                                     ? add_runs(request, record, error, error_bytes)
                                     : VERDICT_USAGE;
    record_close(record);
    return verdict;
}

static enum verdict find_traces(struct request *request, char *error, size_t error_bytes)
{
    enum verdict verdict = request->evidence
                               ? spec_runs_add_logs(&request->runs, request->arguments.list,
                                                    request->arguments.count, error, error_bytes)
                               : live_again(request, error, error_bytes);
    if (verdict == VERDICT_PASS && request->runs.count == 0) {
        snprintf(
            error, error_bytes,
            "nothing in these runs was followed by %s: run.laws leaves it out, a fault that was "
            "asked for voids it everywhere, or (Update) no firmware is managed",
            request->runs.law);
        verdict = VERDICT_USAGE;
    }
    request->list = malloc((request->runs.count + 1u) * sizeof *request->list);
    CHECK(request->list != NULL);
    for (uint32_t i = 0; i < request->runs.count; i++) {
        request->list[i] = &request->runs.list[i];
    }
    return verdict;
}

/* ---- What came of it ------------------------------------------------------------------------- */

static uint32_t count_accepted(const struct spec_trials *trials)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < trials->trace_count; i++) {
        count += trials->accepted[i];
    }
    return count;
}

static uint64_t count_left_out(const struct spec_runs *runs, uint32_t *traces)
{
    uint64_t count = 0;
    *traces = 0;
    for (uint32_t i = 0; i < runs->count; i++) {
        *traces += runs->list[i].left_out > 0;
        count += runs->list[i].left_out;
    }
    return count;
}

/* "": it takes every step as well. */
static void ask_model(const char *law, const struct spec_trace *trace, char *text, size_t bytes)
{
    struct spec_finding finding;
    const uint32_t at = spec_runs_ask(law, trace, &finding);
    text[0] = '\0';
    if (at != UINT32_MAX) {
        snprintf(text, bytes, "step %" PRIu32 ": %s, expected %" PRId64 ", is %" PRId64, at + 1,
                 finding.what, finding.expected, finding.actual);
    }
}

static void print_move(const struct spec_trials *trials, const struct spec_trace *trace,
                       uint32_t index, char *text, size_t bytes)
{
    if (trace->events[index].move.action == FOLLOW_LOOK) {
        snprintf(text, bytes, "nothing, and what was seen is not so");
        return;
    }
    struct spec_instance *instance = calloc(1, sizeof *instance);
    CHECK(instance != NULL);
    instance->model = trials->folder->model;
    instance->model->actions(trace->k, instance->actions);
    spec_print_move(instance, &trace->events[index].move, text, bytes);
    free(instance);
}

/* Where a trace is stuck, in lines of text; the same for both ways of printing. */
struct rejection {
    char actor[LINE_BYTES], move[SPEC_MOVE_BYTES], shown[LINE_BYTES], model[LINE_BYTES];
};

static void describe(const struct request *request, uint32_t number, struct rejection *rejection)
{
    const struct spec_trace *trace = request->list[number];
    const uint32_t index = request->trials.stuck[number].index;
    char shown[LINE_BYTES - 16];
    spec_runs_print_actor(&request->runs, trace, rejection->actor, sizeof rejection->actor);
    print_move(&request->trials, trace, index, rejection->move, sizeof rejection->move);
    spec_runs_print_event(&request->runs, trace, index, shown, sizeof shown);
    snprintf(rejection->shown, sizeof rejection->shown, "event %s", shown + strspn(shown, " "));
    ask_model(request->runs.law, trace, rejection->model, sizeof rejection->model);
}

static void print_rejection(const struct request *request, uint32_t number)
{
    const struct spec_stuck *stuck = &request->trials.stuck[number];
    struct rejection rejection;
    describe(request, number, &rejection);
    printf("\nrejected  %s, step %" PRIu32 " of %" PRIu32 ": %s\n  shown by %s\n  TLC      %s\n"
           "  model    %s\n  before it\n",
           rejection.actor, stuck->index + 1, request->list[number]->count, rejection.move,
           rejection.shown, stuck->why,
           rejection.model[0] == '\0' ? "takes all of these steps" : rejection.model);
    for (const char *line = stuck->state; line != NULL && *line != '\0';) {
        const size_t length = strcspn(line, "\n");
        printf("    %.*s\n", (int)length, line);
        line += length + (line[length] == '\n' ? 1 : 0);
    }
}

static void print_runs(const struct request *request)
{
    const struct spec_runs *runs = &request->runs;
    const struct spec_trials *trials = &request->trials;
    uint32_t devices = 0, followed = 0, cut;
    for (uint32_t i = 0; i < runs->run_count; i++) {
        devices += runs->runs[i].devices;
        followed += runs->runs[i].followed;
        if (runs->runs[i].note[0] != '\0') {
            printf("run %" PRId64 ": %s\n", runs->runs[i].id, runs->runs[i].note);
        }
    }
    const uint64_t left_out = count_left_out(runs, &cut);
    printf("runs      %" PRIu32 " with %" PRIu32 " devices; %" PRIu32 " traces of %s",
           runs->run_count, devices, followed, runs->law);
    if (runs->count != followed) {
        printf(", %" PRIu32 " of them drawn", runs->count);
    }
    printf("\nsteps     %" PRIu64, trials->events);
    if (left_out > 0) {
        printf("; of %" PRIu32 " traces the first %" PRIu64 " alone: %" PRIu64
               " behind them were not looked at (--events)",
               cut, runs->events_max, left_out);
    }
    printf("\n");
}

static void print_text(const struct request *request)
{
    const struct spec_trials *trials = &request->trials;
    const uint32_t accepted = count_accepted(trials);
    uint32_t shown = 0;
    print_runs(request);
    printf("TLC       %" PRIu32 " %s, %.1f s; %" PRIu64 " states, %.2f numbers a step\n"
           "canaries  %" PRIu32 " of %" PRIu32 " rejected, as they have to be\n"
           "accepted  %" PRIu32 " of %" PRIu32 " traces\n",
           trials->batch_count, trials->batch_count == 1 ? "batch" : "batches",
           (double)trials->tlc_us / 1e6, trials->states,
           (double)trials->numbers / (double)(trials->events + (trials->events == 0)),
           trials->canary_count, trials->batch_count, accepted, trials->trace_count);
    for (uint32_t i = 0; i < trials->trace_count && shown < SHOWN_MAX; i++) {
        if (trials->stuck[i].is_stuck) {
            print_rejection(request, i);
            shown++;
        }
    }
    if (trials->trace_count - accepted > shown) {
        printf("\nand %" PRIu32 " more were rejected, and are not shown\n",
               trials->trace_count - accepted - shown);
    }
}

static void add_rejections(const struct request *request, cJSON *object)
{
    cJSON *array = cJSON_AddArrayToObject(object, "rejected");
    for (uint32_t i = 0; i < request->trials.trace_count; i++) {
        const struct spec_stuck *stuck = &request->trials.stuck[i];
        if (stuck->is_stuck) {
            struct rejection rejection;
            cJSON *row = cJSON_CreateObject();
            describe(request, i, &rejection);
            json_number(row, "run", (uint64_t)request->list[i]->run_id);
            json_number(row, "node", request->list[i]->actor);
            json_text(row, "who", rejection.actor);
            json_number(row, "step", stuck->index + 1);
            json_text(row, "action", rejection.move);
            json_text(row, "shown_by", rejection.shown);
            json_text(row, "why", stuck->why);
            json_text(row, "model", rejection.model);
            json_text(row, "state", stuck->state);
            cJSON_AddItemToArray(array, row);
        }
    }
}

static void print_json(const struct request *request)
{
    const struct spec_trials *trials = &request->trials;
    cJSON *object = cJSON_CreateObject();
    uint32_t cut;
    json_text(object, "law", request->runs.law);
    json_number(object, "runs", request->runs.run_count);
    json_number(object, "devices", trials->trace_count);
    json_number(object, "steps", trials->events);
    json_number(object, "steps_left_out", count_left_out(&request->runs, &cut));
    json_number(object, "batches", trials->batch_count);
    json_number(object, "canaries_rejected", trials->canary_count);
    json_number(object, "states", trials->states);
    json_number(object, "numbers", trials->numbers);
    json_seconds(object, "tlc_seconds", trials->tlc_us);
    json_number(object, "accepted", count_accepted(trials));
    add_rejections(request, object);
    json_print(stdout, object);
}

/* ---- The verb -------------------------------------------------------------------------------- */

static int trace_runs(struct spec_call *call, struct request *request)
{
    char error[2048] = "";
    int exit_code = VERDICT_PASS;
    if (!is_followed(call->law, error, sizeof error)) {
        return command_refuse("spec trace", error);
    }
    if (!spec_call_tlc(call, "spec trace", &exit_code)) {
        return exit_code;
    }
    request->runs.law = call->law;
    const enum verdict lived = find_traces(request, error, sizeof error);
    if (lived != VERDICT_PASS) {
        (void)command_refuse("spec trace", error);
        return (int)lived;
    }
    request->trials.call = call;
    request->trials.folder = &call->folders[0];
    request->trials.trace_count = request->runs.count;
    request->trials.traces = request->list;
    if (!spec_trials_hold(&request->trials, error, sizeof error)) {
        (void)command_refuse("spec trace", error);
        return VERDICT_HARNESS;
    }
    if (call->json) {
        print_json(request);
    } else {
        print_text(request);
    }
    return count_accepted(&request->trials) == request->trials.trace_count ? VERDICT_PASS
                                                                           : VERDICT_FAIL;
}

int command_spec_trace(int argc, char **argv)
{
    static struct spec_call call;
    static struct request request;
    const struct option options[] = {
        {.name = "--law",
         .kind = OPTION_TEXT,
         .target = &call.law,
         .value = "LAW",
         .doc = "which spec: Telemetry (without it), Update, or Session"},
        {.name = "--db",
         .kind = OPTION_TEXT,
         .target = &request.db,
         .value = "FILE",
         .doc = "the run database; " RECORD_FILE " without it"},
        {.name = "--evidence",
         .kind = OPTION_FLAG,
         .target = &request.evidence,
         .doc = "the arguments are evidence logs of daemons, all of a fleet (brownout judge)"},
        {.name = "--devices",
         .kind = OPTION_COUNT,
         .target = &request.runs.devices_max,
         .min = 1,
         .max = DEVICES_MAX,
         .value = "N",
         .doc = "so many of each run (Session: readings), drawn from its seed; otherwise all"},
        {.name = "--events",
         .kind = OPTION_COUNT,
         .target = &request.runs.events_max,
         .min = 1,
         .max = EVENTS_MAX,
         .value = "N",
         .doc = "the first so many steps of each; otherwise all"},
    };
    const struct option_verb verb = {
        .name = "spec trace",
        .argument = "RUN_ID...",
        .arguments = &request.arguments,
        .doc = "Does TLC accept what the devices of recorded runs did, as behaviours of a spec",
        .details =
            "A second opinion on the judges: each run is lived again, and what each device did is\n"
            "followed by the spec's own actions, step by step (Session: what became of each\n"
            "reading); what was seen of the state must be true behind each step, and so must all\n"
            "that the spec claims. Each batch holds a\n"
            "canary as well, a trace with one wrong sight, which TLC must reject.\n"
            "Exit codes: 0 all are accepted, 1 one is not: which step, why, and the state before\n"
            "it, 2 the call is wrong, 3 a run is not deterministic, 4 the harness itself failed,\n"
            "77 there is no Java.\n",
        .example = "brownout spec trace 17 18 19 --devices 10",
        .options = options,
        .option_count = sizeof options / sizeof options[0],
    };
    int exit_code = VERDICT_PASS;
    memset(&call, 0, sizeof call);
    memset(&request, 0, sizeof request);
    call.law = "Telemetry";
    request.db = RECORD_FILE;
    if (spec_call_begin(&call, &verb, argc, argv, &exit_code)) {
        exit_code = trace_runs(&call, &request);
    }
    free(request.list);
    spec_trials_free(&request.trials);
    spec_runs_free(&request.runs);
    spec_call_end(&call);
    return exit_code;
}
