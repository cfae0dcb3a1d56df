/* brownout selfcheck: determinism, proved by running again. */
#include <cJSON.h>
#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "core/check.h"
#include "sim/command.h"
#include "sim/print.h"
#include "sim/selfcheck.h"
#include "sim/status.h"

enum { SCENARIOS_MAX = 256, PATH_BYTES = 512 };

struct call {
    const char *target;
    uint64_t seed;
    struct option_settings settings;
    const char *with;
    bool json;
    bool inner;
    struct twin_task task; /* inner */
};

/* ---- what is asked --------------------------------------------------------------------------- */

static bool parse(struct call *call, int argc, char **argv, int *exit_code)
{
    struct twin_task *task = &call->task;
    const struct option options[] = {
        {.name = "--seed",
         .kind = OPTION_COUNT,
         .target = &call->seed,
         .max = COMMAND_SEED_MAX,
         .value = "N",
         .doc = "decides every draw; 1 where it is left out"},
        {.name = "--with",
         .kind = OPTION_TEXT,
         .target = &call->with,
         .value = "BINARY",
         .doc = "a brownout by another compiler or with other optimisation: it must agree"},
        {.name = "--set",
         .kind = OPTION_SETTING,
         .target = &call->settings,
         .value = "KEY=VALUE",
         .doc = "a setting in place of the scenario's; may come often"},
        {.name = "--json",
         .kind = OPTION_FLAG,
         .target = &call->json,
         .doc = "print one JSON object instead of text"},
        /* What one process of ours says to another; see twin.h. */
        {.name = "--inner", .kind = OPTION_FLAG, .target = &call->inner},
        {.name = "--inner-plan", .kind = OPTION_TEXT, .target = &task->plan},
        {.name = "--inner-calm", .kind = OPTION_FLAG, .target = &task->calm},
        {.name = "--inner-other-memory", .kind = OPTION_FLAG, .target = &task->other_memory},
        {.name = "--inner-no-laws", .kind = OPTION_FLAG, .target = &task->no_laws},
        {.name = "--inner-looked-at", .kind = OPTION_FLAG, .target = &task->looked_at},
        {.name = "--inner-after-another", .kind = OPTION_FLAG, .target = &task->after_another},
        {.name = "--inner-history", .kind = OPTION_FLAG, .target = &task->history},
        {.name = "--inner-plan-out", .kind = OPTION_TEXT, .target = &task->plan_out},
        {.name = "--inner-digests", .kind = OPTION_TEXT, .target = &task->digests},
        {.name = "--inner-items", .kind = OPTION_TEXT, .target = &task->items},
        {.name = "--inner-until",
         .kind = OPTION_COUNT,
         .target = &task->until_event,
         .max = UINT64_MAX},
        {.name = "--inner-from",
         .kind = OPTION_COUNT,
         .target = &task->from_event,
         .max = UINT64_MAX},
        {.name = "--inner-to", .kind = OPTION_COUNT, .target = &task->to_event, .max = UINT64_MAX},
    };
    const struct option_verb verb = {
        .name = "selfcheck",
        .argument = "[SCENARIO.lua|FOLDER]",
        .doc = "Determinism, proved by running again in other processes and comparing the hash",
        .details =
            "Without an argument: every scenario of the folder scenarios. Each runs again with "
            "other\n"
            "addresses, memory fill and environment; from its plan, without Lua; without laws; "
            "with\n"
            "every item looked at; after another run in its process; and with real and with ideal\n"
            "signatures. On a difference (exit code 3) the first event that differs is shown.\n",
        .example = "brownout selfcheck scenarios/crucible.lua --with build/clang-release/brownout",
        .options = options,
        .option_count = sizeof options / sizeof options[0],
    };
    memset(call, 0, sizeof *call);
    call->seed = 1;
    twin_task_init(task);
    return command_parse(&verb, argc, argv, &call->target, exit_code);
}

/* ---- which scenarios ------------------------------------------------------------------------- */

static int has_name(const struct dirent *entry)
{
    return entry->d_name[0] != '.';
}

static bool list(const char *target, char paths[SCENARIOS_MAX][PATH_BYTES], uint32_t *count,
                 char *error, size_t error_bytes)
{
    struct stat about;
    struct dirent **entries = NULL;
    *count = 0;
    if (stat(target, &about) != 0) {
        snprintf(error, error_bytes, "%s: %s", target, strerror(errno));
        return false;
    }
    if (!S_ISDIR(about.st_mode)) {
        snprintf(paths[(*count)++], PATH_BYTES, "%s", target);
        return true;
    }
    const int found = scandir(target, &entries, has_name, alphasort);
    for (int i = 0; i < found; i++) {
        if (*count < SCENARIOS_MAX && command_is_scenario(target, entries[i]->d_name)) {
            snprintf(paths[(*count)++], PATH_BYTES, "%s/%s", target, entries[i]->d_name);
        }
        free(entries[i]);
    }
    free(entries);
    if (*count == 0) {
        snprintf(error, error_bytes, "%s holds no scenario (*.lua)", target);
    }
    return *count > 0;
}

/* ---- what came of it ------------------------------------------------------------------------- */

static void print_lines(const struct print *print, enum print_colour colour, char sign,
                        char lines[SELFCHECK_LINES][SELFCHECK_LINE_BYTES], uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        char line[SELFCHECK_LINE_BYTES + 8];
        snprintf(line, sizeof line, "    %c %s", sign, lines[i]);
        print_paint(print, colour, line);
        fputc('\n', print->file);
    }
}

static void print_difference(const struct print *print, struct selfcheck_difference *difference)
{
    if (!difference->found) {
        fputs("    they did not part again when they were run to find where: it comes and goes\n",
              print->file);
        return;
    }
    fprintf(print->file, "    first differing event: %" PRIu64 "\n", difference->event);
    print_lines(print, PRINT_DIM, ' ', difference->before, difference->before_count);
    print_lines(print, PRINT_GOOD, '<', difference->left, difference->left_count);
    print_lines(print, PRINT_BAD, '>', difference->right, difference->right_count);
    if (difference->left_count + difference->right_count == 0) {
        fputs("    its lines are alike: what differs is in bytes that they do not show\n",
              print->file);
    }
}

static void print_result(const struct print *print, const char *scenario, uint64_t seed,
                         struct selfcheck_result *result)
{
    bool shown = false;
    fprintf(print->file, "%s, seed %" PRIu64 ": %" PRIu64 " events, hash %s\n", scenario, seed,
            result->answer.events, result->answer.hash);
    for (uint32_t i = 0; i < result->check_count; i++) {
        const struct selfcheck_check *check = &result->checks[i];
        fputs("  ", print->file);
        print_paint(print, check->equal ? PRINT_GOOD : PRINT_BAD, check->equal ? "same" : "OTHER");
        fprintf(print->file, "  %s\n", check->name);
        if (!check->equal && !shown) {
            fprintf(print->file, "    %s and %s\n", check->left, check->right);
            print_difference(print, &result->difference);
            shown = true;
        }
    }
}

static cJSON *json_lines(char lines[SELFCHECK_LINES][SELFCHECK_LINE_BYTES], uint32_t count)
{
    cJSON *array = cJSON_CreateArray();
    for (uint32_t i = 0; i < count; i++) {
        cJSON_AddItemToArray(array, cJSON_CreateString(lines[i]));
    }
    return array;
}

static cJSON *json_result(const char *scenario, uint64_t seed, struct selfcheck_result *result)
{
    cJSON *object = cJSON_CreateObject(), *checks = cJSON_CreateArray();
    json_text(object, "scenario", scenario);
    json_number(object, "seed", seed);
    json_text(object, "verdict", verdict_name(result->verdict));
    json_text(object, "message", result->message);
    json_number(object, "events", result->answer.events);
    json_text(object, "hash", result->answer.hash);
    for (uint32_t i = 0; i < result->check_count; i++) {
        const struct selfcheck_check *check = &result->checks[i];
        cJSON *row = cJSON_CreateObject();
        json_text(row, "name", check->name);
        cJSON_AddBoolToObject(row, "same", check->equal);
        json_text(row, "left", check->left);
        json_text(row, "right", check->right);
        cJSON_AddItemToArray(checks, row);
    }
    cJSON_AddItemToObject(object, "checks", checks);
    if (result->difference.found) {
        struct selfcheck_difference *difference = &result->difference;
        cJSON *row = cJSON_AddObjectToObject(object, "difference");
        json_number(row, "event", difference->event);
        cJSON_AddItemToObject(row, "before",
                              json_lines(difference->before, difference->before_count));
        cJSON_AddItemToObject(row, "left", json_lines(difference->left, difference->left_count));
        cJSON_AddItemToObject(row, "right", json_lines(difference->right, difference->right_count));
    }
    return object;
}

/* ---- one after the other --------------------------------------------------------------------- */

static void show_progress(void *ctx, const char *check)
{
    struct status *status = ctx;
    if (status_due(status)) {
        status_show(status, check);
    }
}

/* The worst word counts: what is wrong with a scenario before what was found out about another. */
static enum verdict worse(enum verdict left, enum verdict right)
{
    static const int weight[] = {[VERDICT_PASS] = 0,    [VERDICT_FAIL] = 1,
                                 [VERDICT_UNKNOWN] = 2, [VERDICT_NONDETERMINISTIC] = 3,
                                 [VERDICT_USAGE] = 4,   [VERDICT_HARNESS] = 5};
    return weight[left] >= weight[right] ? left : right;
}

static enum verdict check_all(const struct call *call, char paths[SCENARIOS_MAX][PATH_BYTES],
                              uint32_t count, cJSON *array)
{
    static struct selfcheck_result result;
    enum verdict verdict = VERDICT_PASS;
    struct print print;
    struct status status;
    print_begin(&print, stdout);
    status_begin(&status);
    for (uint32_t i = 0; i < count; i++) {
        const struct selfcheck_request request = {.program = "/proc/self/exe",
                                                  .with = call->with,
                                                  .scenario = paths[i],
                                                  .seed = call->seed,
                                                  .settings = &call->settings,
                                                  .progress = show_progress,
                                                  .progress_ctx = &status};
        selfcheck(&request, &result);
        status_clear(&status);
        verdict = worse(verdict, result.verdict);
        if (array != NULL) {
            cJSON_AddItemToArray(array, json_result(paths[i], call->seed, &result));
        } else if (result.check_count > 0) {
            print_result(&print, paths[i], call->seed, &result);
            fflush(stdout);
        }
        if (result.message[0] != '\0') {
            (void)command_refuse("selfcheck", result.message);
        }
    }
    return verdict;
}

int command_selfcheck(int argc, char **argv)
{
    static struct call call;
    static char paths[SCENARIOS_MAX][PATH_BYTES];
    char error[PATH_BYTES + 100];
    uint32_t count;
    int exit_code;
    if (!parse(&call, argc, argv, &exit_code)) {
        return exit_code;
    }
    if (call.inner) {
        call.task.scenario = call.target;
        call.task.seed = call.seed;
        call.task.settings = &call.settings;
        return twin_serve(&call.task);
    }
    if (!list(call.target == NULL ? "scenarios" : call.target, paths, &count, error,
              sizeof error)) {
        return command_refuse("selfcheck", error);
    }
    if (!call.json) {
        return (int)check_all(&call, paths, count, NULL);
    }
    cJSON *object = cJSON_CreateObject(), *array = cJSON_CreateArray();
    CHECK(object != NULL && array != NULL);
    const enum verdict verdict = check_all(&call, paths, count, array);
    json_text(object, "verdict", verdict_name(verdict));
    cJSON_AddItemToObject(object, "scenarios", array);
    json_print(stdout, object);
    return (int)verdict;
}
