/* brownout judge: the laws, over the evidence logs of real daemons. */
#include <cJSON.h>
#include <inttypes.h>
#include <signal.h>
#include <string.h>
#include <time.h>

#include "core/check.h"
#include "sim/command.h"
#include "sim/evidence_judge.h"
#include "sim/world.h"
#include "sim/print.h"
#include "sim/status.h"

enum { ERROR_BYTES = 1024, NAP_US = 100000, NAME_WIDTH = 22 };

struct call {
    struct option_arguments *logs;
    bool follow, json;
    uint64_t settled_us;
};

static volatile sig_atomic_t stop;

static void on_stop(int number)
{
    (void)number;
    stop = 1;
}

/* ---- What is said ---------------------------------------------------------------------------- */

static const char *what_of(uint32_t kind)
{
    return kind == MERGE_CHECK ? "CHECK" : world_said_name(kind);
}

static void print_laws_here(const struct print *print, const struct evidence_judge *judge)
{
    fputs("\nlaws                    exercised  judged     \n", print->file);
    for (unsigned i = 0; i < LAW_COUNT; i++) {
        const char *why;
        const enum evidence_standing standing = evidence_standing(judge, (enum law)i, &why);
        const bool broken = judge->violated && judge->violation.law == (enum law)i;
        const uint64_t times = judge_exercised(judge->judge, (enum law)i);
        fprintf(print->file, "  %-*s %8" PRIu64 "  %-9s  ", NAME_WIDTH - 1, law_name((enum law)i),
                standing == STANDING_UNKNOWN ? 0 : times, evidence_standing_name(standing));
        print_paint(print, broken ? PRINT_BAD : PRINT_GOOD,
                    broken                         ? "broken"
                    : standing == STANDING_UNKNOWN ? ""
                    : times == 0                   ? "not exercised"
                                                   : "held");
        fprintf(print->file, "%s%s\n", why[0] == '\0' ? "" : "  ", why);
    }
}

static void print_violation(const struct print *print, const struct evidence_judge *judge)
{
    const struct violation *violation = &judge->violation;
    fprintf(print->file,
            "\n%s: %s\n  %s: expected %" PRIu64 ", found %" PRIu64 "\n  at %s of node %" PRIu32
            ", device %" PRIu32 ", epoch %" PRIu32 ", counter %" PRIu64 "\n  %s:%" PRIu64 "\n",
            law_name(violation->law), law_statement(violation->law), violation->what,
            violation->expected, violation->actual, what_of(violation->observation.kind),
            violation->observation.node, violation->observation.device,
            violation->observation.epoch, violation->observation.counter, judge->place.path,
            judge->place.line);
}

/* Why not all can be told; NULL: it can. */
static const char *doubt(const struct evidence_judge *judge, const struct merge_counts *counts)
{
    return judge->cloud_count == 0     ? "the cloud's log is not here"
           : judge->gateway_count == 0 ? "no gateway's log is here"
           : judge->device_count == 0  ? "no device's log is here"
           : judge->passed_over > 0    ? "there are words about devices whose logs are not here"
           : counts->full > 0          ? "a log has reached its bound (evidence_bytes_max)"
           : counts->unreadable > 0    ? "what a server's disk held could not be read"
                                       : NULL;
}

static void print_counts(const struct print *print, const struct evidence_judge *judge,
                         const struct merge_counts *counts)
{
    fprintf(print->file,
            "\n%" PRIu64 " words in %" PRIu64 " steps of %" PRIu64 " lives (%" PRIu64
            " ended in order), %" PRIu64 " boots of machines\n"
            "%" PRIu64 " readings signed, %" PRIu64 " acked, %" PRIu64 " times accepted, %" PRIu64
            " in the cloud's last image\n"
            "%" PRIu64 " images of disks, %" PRIu64 " unreadable; %" PRIu64 " listings and %" PRIu64
            " last lines were not whole; %" PRIu64 " steps came without their cause\n",
            counts->lines, counts->steps, counts->lives, counts->stops, counts->machines,
            judge->signed_count, judge->acked, judge->accepted, judge->last_rows, counts->images,
            counts->unreadable, counts->cut_images, counts->torn, counts->uncaused);
}

static int verdict_of(const struct evidence_judge *judge, const struct merge_counts *counts)
{
    return judge->violated                ? VERDICT_FAIL
           : doubt(judge, counts) != NULL ? VERDICT_UNKNOWN
                                          : VERDICT_PASS;
}

static void print_all(const struct evidence_judge *judge, const struct merge_counts *counts)
{
    struct print print;
    const int verdict = verdict_of(judge, counts);
    print_begin(&print, stdout);
    print_verdict(&print, (enum verdict)verdict);
    fprintf(print.file, "  %s\n",
            verdict == VERDICT_FAIL      ? law_name(judge->violation.law)
            : verdict == VERDICT_UNKNOWN ? doubt(judge, counts)
                                         : "all laws held, as far as each is judged here");
    print_laws_here(&print, judge);
    print_counts(&print, judge, counts);
    if (judge->violated) {
        print_violation(&print, judge);
    }
}

static void json_violation(cJSON *object, const struct evidence_judge *judge)
{
    const struct violation *violation = &judge->violation;
    cJSON *broken = cJSON_AddObjectToObject(object, "violation");
    json_text(broken, "law", law_name(violation->law));
    json_text(broken, "what", violation->what);
    json_number(broken, "expected", violation->expected);
    json_number(broken, "actual", violation->actual);
    json_text(broken, "word", what_of(violation->observation.kind));
    json_number(broken, "node", violation->observation.node);
    json_number(broken, "device", violation->observation.device);
    json_number(broken, "epoch", violation->observation.epoch);
    json_number(broken, "counter", violation->observation.counter);
    json_text(broken, "log", judge->place.path);
    json_number(broken, "line", judge->place.line);
}

static void print_json(const struct evidence_judge *judge, const struct merge_counts *counts)
{
    static const char *const words[] = {"pass", "fail", "", "", "", "unknown"};
    cJSON *object = cJSON_CreateObject();
    const char *why = doubt(judge, counts);
    json_text(object, "verdict", words[verdict_of(judge, counts)]);
    json_text(object, "unknown_because", why == NULL ? "" : why);
    cJSON *laws = cJSON_AddObjectToObject(object, "laws");
    for (unsigned i = 0; i < LAW_COUNT; i++) {
        cJSON *law = cJSON_AddObjectToObject(laws, law_name((enum law)i));
        const enum evidence_standing standing = evidence_standing(judge, (enum law)i, &why);
        json_text(law, "judged", evidence_standing_name(standing));
        json_text(law, "because", why);
        json_number(law, "exercised", judge_exercised(judge->judge, (enum law)i));
    }
    json_number(object, "words", counts->lines);
    json_number(object, "steps", counts->steps);
    json_number(object, "lives", counts->lives);
    json_number(object, "ended_in_order", counts->stops);
    json_number(object, "machine_boots", counts->machines);
    json_number(object, "signed", judge->signed_count);
    json_number(object, "acked", judge->acked);
    json_number(object, "accepted", judge->accepted);
    json_number(object, "cloud_rows", judge->last_rows);
    json_number(object, "images", counts->images);
    json_number(object, "unreadable", counts->unreadable);
    json_number(object, "cut_images", counts->cut_images);
    json_number(object, "torn", counts->torn);
    json_number(object, "uncaused", counts->uncaused);
    if (judge->violated) {
        json_violation(object, judge);
    }
    json_print(stdout, object);
}

/* ---- The judgement --------------------------------------------------------------------------- */

struct last {
    uint64_t time_us;
};

static void note_time(void *ctx, const struct observation *observation,
                      const struct merge_place *place)
{
    struct last *last = ctx;
    (void)place;
    last->time_us = observation->time_us > last->time_us ? observation->time_us : last->time_us;
}

/* When the liveness phase begins: the logs are gone through once for their end. */
static bool find_heal(const struct call *call, uint64_t *heal_us, char *error)
{
    struct evidence_merge *merge;
    struct last last = {0};
    enum merge_outcome outcome = MERGE_WRONG;
    *heal_us = UINT64_MAX;
    if (call->settled_us == 0) {
        return true;
    }
    if (merge_open(&merge, call->logs->list, call->logs->count, error, ERROR_BYTES)) {
        do {
            outcome = merge_next(merge, false, 0, note_time, &last, error, ERROR_BYTES);
        } while (outcome == MERGE_STEP);
    }
    merge_free(merge);
    *heal_us = last.time_us > call->settled_us ? last.time_us - call->settled_us : 0;
    return outcome == MERGE_OVER;
}

static void wait_for_more(const struct evidence_judge *judge, const struct merge_counts *counts,
                          struct status *status)
{
    const struct timespec time = {0, NAP_US * 1000L};
    char line[160];
    if (status_due(status)) {
        snprintf(line, sizeof line,
                 "%" PRIu64 " steps of %" PRIu64 " lives: %" PRIu64 " readings signed, %" PRIu64
                 " accepted, %" PRIu64 " acked; all laws hold",
                 counts->steps, counts->lives, judge->signed_count, judge->accepted, judge->acked);
        status_show(status, line);
    }
    (void)nanosleep(&time, NULL);
}

/* Until the logs are over, a law is broken, or it is stopped. */
static bool hear_all(const struct call *call, struct evidence_merge *merge,
                     struct evidence_judge *judge, char *error)
{
    struct status status;
    const struct merge_counts *counts = merge_counts(merge);
    enum merge_outcome outcome = MERGE_STEP;
    status_begin(&status);
    while (stop == 0 && !judge->violated && counts->late == 0 &&
           (outcome == MERGE_STEP || outcome == MERGE_IDLE)) {
        outcome = merge_next(merge, call->follow, status_wall_us(), evidence_judge_hear, judge,
                             error, ERROR_BYTES);
        if (outcome == MERGE_IDLE) {
            wait_for_more(judge, counts, &status);
        }
    }
    status_clear(&status);
    if (outcome != MERGE_WRONG && counts->late > 0) {
        snprintf(error, ERROR_BYTES,
                 "%s begins when its node had lived already: give the logs from the fleet's "
                 "beginning",
                 counts->late_path);
        return false;
    }
    if (outcome == MERGE_OVER && !judge->violated) {
        evidence_judge_end(judge, counts);
    }
    return outcome != MERGE_WRONG;
}

static int judge_logs(const struct call *call)
{
    char error[ERROR_BYTES] = "";
    struct evidence_merge *merge = NULL;
    struct evidence_judge judge = {0};
    uint64_t heal_us;
    bool good = find_heal(call, &heal_us, error) &&
                merge_open(&merge, call->logs->list, call->logs->count, error, sizeof error) &&
                evidence_judge_init(&judge, merge, heal_us, error, sizeof error) &&
                hear_all(call, merge, &judge, error);
    int code = VERDICT_USAGE;
    if (good) {
        const struct merge_counts *counts = merge_counts(merge);
        code = verdict_of(&judge, counts);
        (call->json ? print_json : print_all)(&judge, counts);
    }
    evidence_judge_free(&judge);
    merge_free(merge);
    return good ? code : command_refuse("judge", error);
}

int command_judge(int argc, char **argv)
{
    static struct option_arguments logs;
    struct call call = {.logs = &logs};
    struct sigaction action = {.sa_handler = on_stop};
    const char *first = NULL;
    int exit_code;
    const struct option options[] = {
        {"--follow", OPTION_FLAG, &call.follow, 0, 0, NULL,
         "go on while the daemons of this machine write; Ctrl-C ends it"},
        {"--settled", OPTION_TIME, &call.settled_us, 0, UINT64_MAX, "TIME",
         "so long before the end all faults were over: judge liveness, too"},
        {"--json", OPTION_FLAG, &call.json, 0, 0, NULL, "one JSON object on standard output"},
    };
    const struct option_verb verb = {
        .name = "judge",
        .argument = "LOG...",
        .arguments = &logs,
        .doc = "Judge a real fleet by the laws that judge a simulated one",
        .details =
            "LOG is what a daemon wrote as `evidence`: one of the cloud, and of each gateway and\n"
            "device, from their beginning. They are merged by message and time. Each law says\n"
            "whether it is judged in full, weakened or not at all, for nobody here knows what a\n"
            "simulator knows: kill -9 leaves what was written, so it tries no durability.\n"
            "Exit codes: 0 all laws held, 1 a law was broken, 2 a log is damaged or does not fit\n"
            "the others, 5 it cannot be told: a log is missing or not whole.\n",
        .example = "brownout judge fleet/*.evidence --settled 30s",
        .options = options,
        .option_count = sizeof options / sizeof options[0],
    };
    if (!command_parse(&verb, argc, argv, &first, &exit_code)) {
        return exit_code;
    }
    if (call.follow && call.settled_us > 0) {
        return command_refuse("judge", "--settled is about the end of logs, and --follow has none");
    }
    if (call.follow) {
        (void)sigemptyset(&action.sa_mask);
        (void)sigaction(SIGINT, &action, NULL);
        (void)sigaction(SIGTERM, &action, NULL);
    }
    return judge_logs(&call);
}
