/* brownout sweep: many seeds of one scenario, or of a folder of them. */
#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "build_id.h"
#include "core/check.h"
#include "sim/command.h"
#include "sim/print.h"
#include "sim/record.h"
#include "sim/sweep.h"
#include "sim/sweep_schedule.h"

enum {
    TIMEOUT_US = 300000000,
    RUNS = 100,
    MEMORY_MB_MAX = 1000000,
    HOURS_MAX = 10000,
    COMMIT_DIGITS = 12,  /* of the seed from a commit */
    CANARY_SETTINGS = 3, /* that a sweep adds to those of the call */
};

struct call {
    const char *path, *crypto, *shard;
    uint64_t memory_mb, hours;
    bool json, seed_from_commit;
};

/* ---- what is asked --------------------------------------------------------------------------- */

static void set_defaults(struct sweep_request *request)
{
    request->seed_start = 1;
    request->shard = request->shards = 1;
    request->timeout_us = TIMEOUT_US;
    request->db = RECORD_FILE;
    const long processors = sysconf(_SC_NPROCESSORS_ONLN);
    request->lanes = processors < 1                 ? 1
                     : processors > SWEEP_LANES_MAX ? SWEEP_LANES_MAX
                                                    : (uint64_t)processors;
}

static bool parse(struct call *call, struct sweep_request *request, int argc, char **argv,
                  int *exit_code)
{
    const struct option options[] = {
        {.name = "--runs",
         .kind = OPTION_COUNT,
         .target = &request->runs,
         .min = 1,
         .max = SWEEP_RUNS_MAX,
         .value = "N",
         .doc = "seeds of every scenario, but see below (100; with --for or --hours as many as "
                "there is time for)"},
        {.name = "--jobs",
         .kind = OPTION_COUNT,
         .target = &request->lanes,
         .min = 1,
         .max = SWEEP_LANES_MAX,
         .value = "J",
         .doc = "runs at once; as many as there are processors"},
        {.name = "--hours",
         .kind = OPTION_COUNT,
         .target = &call->hours,
         .min = 1,
         .max = HOURS_MAX,
         .value = "H",
         .doc = "stop after so many hours"},
        {.name = "--for",
         .kind = OPTION_TIME,
         .target = &request->budget_us,
         .value = "TIME",
         .doc = "stop after so long"},
        {.name = "--seed-start",
         .kind = OPTION_COUNT,
         .target = &request->seed_start,
         .max = COMMAND_SEED_MAX - SWEEP_RUNS_MAX,
         .value = "S",
         .doc = "the first seed (1)"},
        {.name = "--seed-from-commit",
         .kind = OPTION_FLAG,
         .target = &call->seed_from_commit,
         .doc =
             "the first seed is the commit of this build: other seeds for each, the same for all"},
        {.name = "--shard",
         .kind = OPTION_TEXT,
         .target = &call->shard,
         .value = "I/N",
         .doc = "every N-th seed, from the I-th on; brownout merge joins what all N record"},
        {.name = "--guide",
         .kind = OPTION_FLAG,
         .target = &request->guided,
         .doc = "half of the runs: changed plans of runs that showed something new"},
        {.name = "--resume",
         .kind = OPTION_FLAG,
         .target = &request->resume,
         .doc = "go on: what the database has of this build is not run again"},
        {.name = "--set",
         .kind = OPTION_SETTING,
         .target = &request->settings,
         .value = "KEY=VALUE",
         .doc = "a setting in place of the scenarios'; may come often"},
        {.name = "--crypto",
         .kind = OPTION_TEXT,
         .target = &call->crypto,
         .value = "ideal|openssl",
         .doc = "without it ideal, and every 16th seed openssl"},
        {.name = "--stop-after",
         .kind = OPTION_COUNT,
         .target = &request->stop_after,
         .min = 1,
         .max = SWEEP_RUNS_MAX,
         .value = "F",
         .doc = "stop after so many runs that did not pass"},
        {.name = "--timeout",
         .kind = OPTION_TIME,
         .target = &request->timeout_us,
         .value = "TIME",
         .doc = "wall time of one run (5m); 0: none"},
        {.name = "--memory",
         .kind = OPTION_COUNT,
         .target = &call->memory_mb,
         .min = 1,
         .max = MEMORY_MB_MAX,
         .value = "MB",
         .doc = "resident memory of one run; without it there is no limit"},
        {.name = "--probes-after",
         .kind = OPTION_COUNT,
         .target = &request->probes_after,
         .min = 1,
         .max = SWEEP_RUNS_MAX,
         .value = "N",
         .doc = "fail if the database has N runs and a probe that none of them reached"},
        {.name = "--db",
         .kind = OPTION_TEXT,
         .target = &request->db,
         .value = "FILE",
         .doc = "record there; in " RECORD_FILE " without it, made where there is none"},
        {.name = "--json",
         .kind = OPTION_FLAG,
         .target = &call->json,
         .doc = "print one JSON object instead of text"},
    };
    const struct option_verb verb = {
        .name = "sweep",
        .argument = "SCENARIO.lua|FOLDER",
        .doc = "Many seeds of one scenario, or of all in a folder; each run is recorded",
        .details =
            "Ctrl-C lets the runs under way end, and keeps all that ended; again: at once. Who is "
            "killed\nloses no run that had ended; --resume goes on.\n"
            "First of all a canary: a run that has to fail, and is not recorded. One run in 20 "
            "that\npassed, and each that failed, is lived twice, and must be the same.\n"
            "A folder: its *.lua in the order of their names, except _*.lua, "
            "brownout.lua and lives (brownout cuts).\n"
            "A scenario of it whose runs soon repeat each other says how seldom it is taken: "
            "sweep_every = 16\nis one of 16 seeds in a row, and the first of all. With --set "
            "run.sweep_every=1 each has all seeds.\n"
            "Settings and fault classes: brownout run --help.",
        .example = "brownout sweep scenarios --hours 8 --resume",
        .options = options,
        .option_count = sizeof options / sizeof options[0],
    };
    return command_parse(&verb, argc, argv, &call->path, exit_code);
}

static int compare_scenarios(const void *left, const void *right)
{
    return strcmp(((const struct sweep_scenario *)left)->path,
                  ((const struct sweep_scenario *)right)->path);
}

static bool add_scenario(struct sweep_request *request, const char *folder, const char *name)
{
    if (request->scenario_count == SWEEP_SCENARIOS_MAX) {
        return false;
    }
    struct sweep_scenario *scenario = &request->scenarios[request->scenario_count++];
    const size_t length = strlen(folder);
    snprintf(scenario->path, sizeof scenario->path, "%s%s%s", folder,
             length == 0 || folder[length - 1] == '/' ? "" : "/", name);
    record_file_hash(scenario->path, scenario->hash);
    return true;
}

static bool find_scenarios(struct sweep_request *request, const char *path, char *error,
                           size_t error_bytes)
{
    struct stat what;
    struct dirent *entry;
    if (stat(path, &what) != 0) {
        snprintf(error, error_bytes, "%s: %s; name a scenario or a folder of them", path,
                 strerror(errno));
        return false;
    }
    if (!S_ISDIR(what.st_mode)) {
        return add_scenario(request, "", path);
    }
    DIR *folder = opendir(path);
    if (folder == NULL) {
        snprintf(error, error_bytes, "%s: %s", path, strerror(errno));
        return false;
    }
    bool room = true;
    while (room && (entry = readdir(folder)) != NULL) {
        room =
            !command_is_scenario(path, entry->d_name) || add_scenario(request, path, entry->d_name);
    }
    closedir(folder);
    if (!room) {
        snprintf(error, error_bytes, "%s: more than %d scenarios", path, SWEEP_SCENARIOS_MAX);
    } else if (request->scenario_count == 0) {
        snprintf(error, error_bytes, "%s: no scenario (*.lua) in this folder", path);
        room = false;
    }
    qsort(request->scenarios, request->scenario_count, sizeof request->scenarios[0],
          compare_scenarios);
    return room;
}

/* Settings are tried once, here, and not in every run. */
static bool check_settings(struct sweep_request *request, const char *crypto, char *error,
                           size_t error_bytes)
{
    struct settings settings;
    settings_init(&settings);
    for (uint32_t i = 0; i < request->settings.count; i++) {
        const struct option_setting *setting = &request->settings.list[i];
        if (!settings_set(&settings, setting->key, setting->value, error, error_bytes)) {
            return false;
        }
        request->crypto_is_set = request->crypto_is_set ||
                                 strcmp(setting->key, "run.crypto") == 0 ||
                                 strcmp(setting->key, "crypto") == 0;
    }
    request->crypto_is_set = request->crypto_is_set || crypto != NULL;
    if (request->settings.count > OPTION_SETTINGS_MAX - CANARY_SETTINGS) {
        snprintf(error, error_bytes, "at most %d settings: those of a sweep come on top",
                 OPTION_SETTINGS_MAX - CANARY_SETTINGS);
        return false;
    }
    return command_crypto(&request->settings, crypto, error, error_bytes);
}

/* "3/8" */
static bool read_shard(struct sweep_request *request, const char *text, char *error,
                       size_t error_bytes)
{
    char *slash, *end;
    if (text == NULL) {
        return true;
    }
    errno = 0;
    request->shard = strtoull(text, &slash, 10);
    request->shards = *slash == '/' ? strtoull(slash + 1, &end, 10) : 0;
    if (errno != 0 || text[0] < '0' || text[0] > '9' || *slash != '/' || slash[1] < '0' ||
        slash[1] > '9' || *end != '\0' || request->shard < 1 || request->shard > request->shards ||
        request->shards > SWEEP_SHARDS_MAX) {
        snprintf(error, error_bytes,
                 "--shard takes I/N with 1 <= I <= N <= %d, such as 3/8, not %s", SWEEP_SHARDS_MAX,
                 text);
        return false;
    }
    return true;
}

static bool seed_from_commit(struct sweep_request *request, char *error, size_t error_bytes)
{
    char digits[COMMIT_DIGITS + 1];
    char *end;
    snprintf(digits, sizeof digits, "%.*s", COMMIT_DIGITS, BUILD_COMMIT);
    request->seed_start = strtoull(digits, &end, 16);
    if (end != digits + COMMIT_DIGITS) {
        snprintf(error, error_bytes,
                 "this build does not know its commit (%s); choose a seed with --seed-start",
                 BUILD_COMMIT);
        return false;
    }
    return true;
}

static bool prepare(struct call *call, struct sweep_request *request, char *error,
                    size_t error_bytes)
{
    if (call->hours != 0 && request->budget_us != 0) {
        snprintf(error, error_bytes, "--hours and --for say the same; give one of them");
        return false;
    }
    if (request->guided && request->resume) {
        snprintf(error, error_bytes,
                 "--guide goes by what its runs showed, and cannot --resume: begin anew with "
                 "another --seed-start");
        return false;
    }
    request->budget_us += call->hours * 3600000000u;
    if (request->runs == 0) {
        request->runs = request->budget_us != 0 ? SWEEP_RUNS_MAX : RUNS;
    }
    request->memory_bytes = call->memory_mb * 1000000u;
    if (!read_shard(request, call->shard, error, error_bytes) ||
        (call->seed_from_commit && !seed_from_commit(request, error, error_bytes)) ||
        !find_scenarios(request, call->path, error, error_bytes) ||
        !check_settings(request, call->crypto, error, error_bytes)) {
        return false;
    }
    sweep_schedule_read(request);
    return true;
}

/* ---- the whole ------------------------------------------------------------------------------- */

int command_sweep(int argc, char **argv)
{
    static struct sweep_request request;
    static struct call call;
    struct outcome outcome;
    struct print print;
    char error[RECORD_ERROR_BYTES];
    int exit_code;
    set_defaults(&request);
    if (!parse(&call, &request, argc, argv, &exit_code)) {
        return exit_code;
    }
    if (!prepare(&call, &request, error, sizeof error)) {
        return command_refuse("sweep", error);
    }
    outcome_init(&outcome, request.db);
    sweep(&request, &outcome);
    if (call.json) {
        outcome_print_json(&outcome, stdout);
    } else if (outcome.error[0] == '\0' || outcome.done > 0) {
        print_begin(&print, stdout);
        outcome_print(&outcome, &print);
    }
    if (outcome.error[0] != '\0') {
        fprintf(stderr, "brownout sweep: %s\n", outcome.error);
    }
    exit_code = outcome_exit_code(&outcome);
    outcome_free(&outcome);
    return exit_code;
}
