/* brownout inevitable: when did a failure become certain? */
#include <cJSON.h>
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include "sim/command.h"
#include "sim/inevitable.h"
#include "sim/print.h"
#include "sim/quarry.h"
#include "sim/status.h"

enum { BRANCHES_DEFAULT = 40, SURE_TIMES = 4, JOBS_MAX = 64, BAR_WIDTH = 20 };

struct call {
    struct quarry_call quarry;
    uint64_t jobs, branches, timeout_us;
    bool json;
    struct status status;
};

static bool parse(struct call *call, int argc, char **argv, int *exit_code)
{
    const struct option options[] = {
        QUARRY_OPTIONS(&call->quarry),
        {.name = "--branches",
         .kind = OPTION_COUNT,
         .target = &call->branches,
         .min = 1,
         .max = INEVITABLE_BRANCHES_MAX,
         .value = "K",
         .doc = "runs for each event that is asked (40); four times as many for the one named"},
        {.name = "--jobs",
         .kind = OPTION_COUNT,
         .target = &call->jobs,
         .min = 1,
         .max = JOBS_MAX,
         .value = "J",
         .doc = "so many at once; otherwise one a processor"},
        {.name = "--timeout",
         .kind = OPTION_TIME,
         .target = &call->timeout_us,
         .value = "TIME",
         .doc = "wall time of one branch; what takes longer did not fail (2m)"},
        {.name = "--json",
         .kind = OPTION_FLAG,
         .target = &call->json,
         .doc = "print one JSON object instead of text"},
    };
    const struct option_verb verb = {
        .name = "inevitable",
        .argument = "RUN_ID|FILE.plan|SCENARIO.lua",
        .doc = "The event at which the failure of a run became certain",
        .details =
            "Before an event the run branches: the same past, another chance from there on "
            "(links,\n"
            "flash, entropy, sensors; drawn faults are drawn anew, what a scenario placed stays).\n"
            "P is the share of branches that break the same law, with its 95 % interval (Wilson).\n"
            "A bisection finds the event behind which all of them do, and not all before it. P\n"
            "need not only rise: later events are sampled, too.\n"
            "Exit code 1: it fails; 0: the run passes.",
        .example = "brownout inevitable 17 --branches 100",
        .options = options,
        .option_count = sizeof options / sizeof options[0],
    };
    const long processors = sysconf(_SC_NPROCESSORS_ONLN);
    memset(call, 0, sizeof *call);
    call->quarry.seed = UINT64_MAX;
    call->branches = BRANCHES_DEFAULT;
    call->timeout_us = 120000000;
    call->jobs = processors < 1 ? 1 : processors > JOBS_MAX ? JOBS_MAX : (uint64_t)processors;
    return command_parse(&verb, argc, argv, &call->quarry.what, exit_code);
}

static void show(void *ctx, uint32_t points)
{
    struct status *status = ctx;
    char text[64];
    if (status_due(status)) {
        snprintf(text, sizeof text, "%" PRIu32 " events asked", points);
        status_show(status, text);
    }
}

/* ---- as text --------------------------------------------------------------------------------- */

static void print_point(const struct print *print, const struct inevitable_point *point)
{
    char time[40], bar[BAR_WIDTH + 1];
    uint32_t low, high;
    const uint32_t filled = point->failed * BAR_WIDTH / point->branches;
    inevitable_interval(point->failed, point->branches, &low, &high);
    print_time(point->time_us, time, sizeof time);
    for (uint32_t i = 0; i < BAR_WIDTH; i++) {
        bar[i] = i < filled ? '#' : '.';
    }
    bar[BAR_WIDTH] = '\0';
    fprintf(print->file,
            "%10" PRIu64 "  %s  %s  %5" PRIu32 " of %-5" PRIu32 "  %" PRIu32 ".%03" PRIu32
            " to %" PRIu32 ".%03" PRIu32 "\n",
            point->event, time, bar, point->failed, point->branches, low / 1000, low % 1000,
            high / 1000, high % 1000);
}

struct teller {
    const struct print *print;
    const struct settings *settings;
    uint64_t event;
};

static void tell_item(void *ctx, const struct world_item *item)
{
    const struct teller *teller = ctx;
    char text[256];
    if (item->event == teller->event && (item->kind == ITEM_EVENT || trace_is_story(item))) {
        world_item_print(teller->settings, item, text, sizeof text);
        fprintf(teller->print->file, "%s\n", text);
    }
}

static void print_share(const struct print *print, const char *when,
                        const struct inevitable_point *point)
{
    uint32_t low, high;
    inevitable_interval(point->failed, point->branches, &low, &high);
    fprintf(print->file,
            "  %s  P(fail) %" PRIu32 " of %" PRIu32 ", between %" PRIu32 ".%03" PRIu32
            " and %" PRIu32 ".%03" PRIu32 "\n",
            when, point->failed, point->branches, low / 1000, low % 1000, high / 1000, high % 1000);
}

/* Can the two shares be told apart, or may the event be named by chance? */
static void print_doubt(const struct print *print, const struct inevitable_result *result)
{
    uint32_t low, high, unused;
    inevitable_interval(result->before.failed, result->before.branches, &unused, &high);
    inevitable_interval(result->after.failed, result->after.branches, &low, &unused);
    if (high >= low) {
        fputs(
            "  These intervals overlap: that it was not certain before was seen, but how far from "
            "it\n  it was needs more --branches.\n",
            print->file);
    }
}

static void print_found(const struct print *print, const struct plan *plan,
                        struct inevitable_result *result)
{
    char time[40], failed[40];
    struct teller teller = {print, &plan->settings, result->event};
    print_time(result->time_us, time, sizeof time);
    print_time(result->failed_us, failed, sizeof failed);
    print_paint(print, PRINT_BAD, "INEVITABLE");
    fprintf(print->file,
            "  %s, from event %" PRIu64 " at %s on; it shows at event %" PRIu64 ", %s\n",
            result->law, result->event, time, result->failed_event, failed);
    print_share(print, "before", &result->before);
    if (result->event < result->failed_event) {
        print_share(print, "after ", &result->after);
        print_doubt(print, result);
    } else {
        fputs("  after   it has failed: nothing before the failure itself made it certain\n",
              print->file);
    }
    fputc('\n', print->file);
    (void)trace_each(&result->trace, tell_item, &teller);
}

static void print_text(const struct plan *plan, struct inevitable_result *result,
                       enum inevitable_outcome outcome)
{
    struct print print;
    print_begin(&print, stdout);
    if (outcome == INEVITABLE_FROM_START) {
        print_paint(&print, PRINT_BAD, "INEVITABLE");
        fprintf(print.file, "  %s, from the start: no chance has a part in it\n", result->law);
        print_share(&print, "start ", &result->after);
    } else {
        print_found(&print, plan, result);
    }
    fputs("\n    before\n     event  time              P(fail)               failed          95 % "
          "interval\n",
          print.file);
    for (uint32_t i = 0; i < result->point_count; i++) {
        print_point(&print, &result->points[i]);
    }
}

/* ---- as JSON --------------------------------------------------------------------------------- */

static cJSON *point_json(const struct inevitable_point *point)
{
    cJSON *object = cJSON_CreateObject();
    uint32_t low, high;
    inevitable_interval(point->failed, point->branches, &low, &high);
    json_number(object, "event", point->event);
    json_seconds(object, "time_s", point->time_us);
    json_number(object, "failed", point->failed);
    json_number(object, "branches", point->branches);
    json_number(object, "low_thousandths", low);
    json_number(object, "high_thousandths", high);
    return object;
}

static void print_json(const struct inevitable_result *result, enum inevitable_outcome outcome)
{
    cJSON *object = cJSON_CreateObject(), *points = cJSON_CreateArray();
    json_text(object, "verdict", verdict_name(VERDICT_FAIL));
    json_text(object, "failure", result->law);
    cJSON_AddBoolToObject(object, "from_start", outcome == INEVITABLE_FROM_START);
    if (outcome == INEVITABLE_FOUND) {
        json_number(object, "event", result->event);
        json_seconds(object, "time_s", result->time_us);
        cJSON_AddItemToObject(object, "before", point_json(&result->before));
        cJSON_AddItemToObject(object, "after", point_json(&result->after));
    }
    json_number(object, "failed_event", result->failed_event);
    json_seconds(object, "failed_s", result->failed_us);
    for (uint32_t i = 0; i < result->point_count; i++) {
        cJSON_AddItemToArray(points, point_json(&result->points[i]));
    }
    cJSON_AddItemToObject(object, "points", points);
    json_print(stdout, object);
}

/* ---- all of it ------------------------------------------------------------------------------- */

static int work(struct call *call, const struct plan *plan)
{
    static struct inevitable_result result;
    const struct inevitable_config config = {
        .jobs = (uint32_t)call->jobs,
        .branches = (uint32_t)call->branches,
        .sure = SURE_TIMES,
        .timeout_us = call->timeout_us,
        .progress = show,
        .progress_ctx = &call->status,
    };
    int exit_code = VERDICT_FAIL;
    status_begin(&call->status);
    const enum inevitable_outcome outcome = inevitable(plan, &config, &result);
    status_clear(&call->status);
    if (outcome == INEVITABLE_PASSES || outcome == INEVITABLE_HARNESS) {
        fprintf(stderr, "brownout inevitable: %s\n", result.message);
        exit_code = outcome == INEVITABLE_PASSES ? VERDICT_PASS : VERDICT_HARNESS;
    } else if (call->json) {
        print_json(&result, outcome);
    } else {
        print_text(plan, &result, outcome);
    }
    inevitable_result_free(&result);
    return exit_code;
}

int command_inevitable(int argc, char **argv)
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
        fprintf(stderr, "brownout inevitable: %s\n", error);
        exit_code = (int)verdict;
    }
    plan_free(&plan);
    return exit_code;
}
