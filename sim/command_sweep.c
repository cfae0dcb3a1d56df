/* brownout sweep: many seeds of one scenario, or of a folder of them; one process for every run. */
#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/check.h"
#include "sim/command.h"
#include "sim/lane.h"
#include "sim/outcome.h"
#include "sim/print.h"
#include "sim/record.h"
#include "sim/status.h"

enum {
    SCENARIOS_MAX = 256,
    JOBS_MAX = 256,
    RUNS_MAX = 1000000000,
    OPENSSL_EVERY = 16, /* one seed of so many runs with real signatures */
    TIMEOUT_US = 300000000,
    POLL_MS = 200,
};

struct scenario {
    char path[512];
    char hash[HASH_TEXT_BYTES];
};

struct sweep {
    const char *path;
    uint64_t runs, jobs, seed_start, stop_after, timeout_us;
    struct option_settings settings;
    const char *crypto, *db;
    bool json, crypto_is_set;

    uint32_t scenario_count;
    struct scenario scenarios[SCENARIOS_MAX];
    struct lane lanes[JOBS_MAX];
    struct record *record;
    struct status status;

    uint64_t job_count, next_job, busy; /* jobs of the whole; the next one; under way */
    bool stopping;
    struct outcome outcome;
};

static volatile sig_atomic_t interrupts;

static void on_interrupt(int number)
{
    (void)number;
    interrupts++;
}

/* ---- what is asked --------------------------------------------------------------------------- */

static void set_defaults(struct sweep *sweep)
{
    sweep->runs = 100;
    sweep->seed_start = 1;
    sweep->timeout_us = TIMEOUT_US;
    sweep->db = RECORD_FILE;
    const long processors = sysconf(_SC_NPROCESSORS_ONLN);
    sweep->jobs = processors < 1 ? 1 : processors > JOBS_MAX ? JOBS_MAX : (uint64_t)processors;
}

static bool parse(struct sweep *sweep, int argc, char **argv, int *exit_code)
{
    const struct option options[] = {
        {.name = "--runs",
         .kind = OPTION_COUNT,
         .target = &sweep->runs,
         .min = 1,
         .max = RUNS_MAX,
         .value = "N",
         .doc = "seeds of every scenario (100)"},
        {.name = "--jobs",
         .kind = OPTION_COUNT,
         .target = &sweep->jobs,
         .min = 1,
         .max = JOBS_MAX,
         .value = "J",
         .doc = "runs at once; as many as there are processors"},
        {.name = "--seed-start",
         .kind = OPTION_COUNT,
         .target = &sweep->seed_start,
         .max = COMMAND_SEED_MAX - RUNS_MAX,
         .value = "S",
         .doc = "the first seed (1)"},
        {.name = "--set",
         .kind = OPTION_SETTING,
         .target = &sweep->settings,
         .value = "KEY=VALUE",
         .doc = "a setting in place of the scenarios'; may come often"},
        {.name = "--crypto",
         .kind = OPTION_TEXT,
         .target = &sweep->crypto,
         .value = "ideal|openssl",
         .doc = "without it ideal, and every 16th seed openssl"},
        {.name = "--stop-after",
         .kind = OPTION_COUNT,
         .target = &sweep->stop_after,
         .min = 1,
         .max = RUNS_MAX,
         .value = "F",
         .doc = "stop after so many runs that did not pass"},
        {.name = "--timeout",
         .kind = OPTION_TIME,
         .target = &sweep->timeout_us,
         .value = "TIME",
         .doc = "wall time of one run (5m); 0: none"},
        {.name = "--db",
         .kind = OPTION_TEXT,
         .target = &sweep->db,
         .value = "FILE",
         .doc = "record there; in " RECORD_FILE " without it, made where there is none"},
        {.name = "--json",
         .kind = OPTION_FLAG,
         .target = &sweep->json,
         .doc = "print one JSON object instead of text"},
    };
    const struct option_verb verb = {
        .name = "sweep",
        .argument = "SCENARIO.lua|FOLDER",
        .doc = "Many seeds of one scenario, or of all in a folder; each run is recorded",
        .details = "Ctrl-C lets the runs under way end, and keeps all that ended; again: at once.\n"
                   "A folder: its *.lua in the order of their names, except _*.lua, "
                   "brownout.lua and lives (brownout cuts).\n"
                   "Settings and fault classes: brownout run --help.",
        .example = "brownout sweep scenarios --runs 1000 --stop-after 10",
        .options = options,
        .option_count = sizeof options / sizeof options[0],
    };
    return command_parse(&verb, argc, argv, &sweep->path, exit_code);
}

static int compare_scenarios(const void *left, const void *right)
{
    return strcmp(((const struct scenario *)left)->path, ((const struct scenario *)right)->path);
}

static bool add_scenario(struct sweep *sweep, const char *folder, const char *name)
{
    if (sweep->scenario_count == SCENARIOS_MAX) {
        return false;
    }
    struct scenario *scenario = &sweep->scenarios[sweep->scenario_count++];
    const size_t length = strlen(folder);
    snprintf(scenario->path, sizeof scenario->path, "%s%s%s", folder,
             length == 0 || folder[length - 1] == '/' ? "" : "/", name);
    record_file_hash(scenario->path, scenario->hash);
    return true;
}

static bool find_scenarios(struct sweep *sweep, char *error, size_t error_bytes)
{
    struct stat what;
    struct dirent *entry;
    if (stat(sweep->path, &what) != 0) {
        snprintf(error, error_bytes, "%s: %s; name a scenario or a folder of them", sweep->path,
                 strerror(errno));
        return false;
    }
    if (!S_ISDIR(what.st_mode)) {
        return add_scenario(sweep, "", sweep->path);
    }
    DIR *folder = opendir(sweep->path);
    if (folder == NULL) {
        snprintf(error, error_bytes, "%s: %s", sweep->path, strerror(errno));
        return false;
    }
    bool room = true;
    while (room && (entry = readdir(folder)) != NULL) {
        room = !command_is_scenario(sweep->path, entry->d_name) ||
               add_scenario(sweep, sweep->path, entry->d_name);
    }
    closedir(folder);
    if (!room) {
        snprintf(error, error_bytes, "%s: more than %d scenarios", sweep->path, SCENARIOS_MAX);
    } else if (sweep->scenario_count == 0) {
        snprintf(error, error_bytes, "%s: no scenario (*.lua) in this folder", sweep->path);
        room = false;
    }
    qsort(sweep->scenarios, sweep->scenario_count, sizeof sweep->scenarios[0], compare_scenarios);
    return room;
}

/* Settings are tried once, here, and not in every run. */
static bool check_settings(struct sweep *sweep, char *error, size_t error_bytes)
{
    struct settings settings;
    settings_init(&settings);
    for (uint32_t i = 0; i < sweep->settings.count; i++) {
        const struct option_setting *setting = &sweep->settings.list[i];
        if (!settings_set(&settings, setting->key, setting->value, error, error_bytes)) {
            return false;
        }
        sweep->crypto_is_set = sweep->crypto_is_set || strcmp(setting->key, "run.crypto") == 0 ||
                               strcmp(setting->key, "crypto") == 0;
    }
    sweep->crypto_is_set = sweep->crypto_is_set || sweep->crypto != NULL;
    return command_crypto(&sweep->settings, sweep->crypto, error, error_bytes);
}

/* ---- one job --------------------------------------------------------------------------------- */

static uint32_t job_scenario(const struct sweep *sweep, uint64_t job)
{
    return (uint32_t)(job % sweep->scenario_count);
}

/* All scenarios of one seed, then the next: who stops early has seen something of each. */
static uint64_t job_seed(const struct sweep *sweep, uint64_t job)
{
    return sweep->seed_start + job / sweep->scenario_count;
}

/* The settings of its run: a function of the seed alone, so that the line that replays it says all.
 */
static void job_settings(const struct sweep *sweep, uint64_t job, struct option_settings *settings)
{
    char error[128];
    *settings = sweep->settings;
    if (!sweep->crypto_is_set && settings->count < OPTION_SETTINGS_MAX) {
        const bool real = job_seed(sweep, job) % OPENSSL_EVERY == 0;
        CHECK(command_crypto(settings, real ? "openssl" : "ideal", error, sizeof error));
    }
}

/* In the child. */
static void job_request(void *ctx, uint64_t job, struct run_request *request)
{
    static struct option_settings settings;
    static struct command_settings list;
    const struct sweep *sweep = ctx;
    request->scenario = sweep->scenarios[job_scenario(sweep, job)].path;
    request->seed = job_seed(sweep, job);
    request->coverage = true;
    job_settings(sweep, job, &settings);
    command_settings(&list, &settings, request);
}

/* ---- a result -------------------------------------------------------------------------------- */

static void stop(struct sweep *sweep, enum verdict verdict, const char *error)
{
    outcome_fail(&sweep->outcome, verdict, error);
    sweep->stopping = true;
}

static int64_t store(struct sweep *sweep, uint64_t job, struct witness *witness)
{
    static struct option_settings settings;
    char error[RECORD_ERROR_BYTES];
    const struct scenario *scenario = &sweep->scenarios[job_scenario(sweep, job)];
    job_settings(sweep, job, &settings);
    char *text = command_settings_text(&settings);
    const struct record_run row = {
        .scenario = scenario->path,
        .scenario_hash = scenario->hash,
        .settings = text,
        .seed = job_seed(sweep, job),
        .result = &witness->result,
        .plan = witness->plan,
        .trace = witness->trace.count > 0 ? &witness->trace : NULL,
    };
    const int64_t id = record_write(sweep->record, &row, error, sizeof error);
    if (id == 0) {
        stop(sweep, VERDICT_HARNESS, error);
    }
    free(text);
    return id;
}

static void add_result(struct sweep *sweep, uint64_t job, struct witness *witness)
{
    struct outcome *outcome = &sweep->outcome;
    if (witness->result.verdict == VERDICT_USAGE) { /* it is as wrong with any seed */
        stop(sweep, VERDICT_USAGE, witness->result.message);
        return;
    }
    const int64_t id = store(sweep, job, witness);
    if (id == 0) {
        return;
    }
    outcome_add(outcome, sweep->scenarios[job_scenario(sweep, job)].path, job_seed(sweep, job), id,
                &witness->result);
    if (sweep->stop_after != 0 && outcome->failure_count >= sweep->stop_after) {
        sweep->stopping = true;
    }
}

/* ---- the loop -------------------------------------------------------------------------------- */

static void show(struct sweep *sweep)
{
    char text[160], left[40] = "";
    const struct outcome *outcome = &sweep->outcome;
    const uint64_t done = outcome->done, asked = outcome->asked;
    if (!status_due(&sweep->status)) {
        return;
    }
    const uint64_t elapsed_ms = status_elapsed_us(&sweep->status) / 1000 + 1;
    if (done > 0) {
        const uint64_t left_s = (asked - done) * elapsed_ms / done / 1000 + 1;
        duration_print(left_s * 1000000u, left, sizeof left);
    }
    snprintf(text, sizeof text,
             "%3" PRIu64 "%%  %" PRIu64 "/%" PRIu64 " runs  %" PRIu64 ".%" PRIu64
             " runs/s  %" PRIu64 " did not pass  %s%s",
             done * 100 / asked, done, asked, done * 1000 / elapsed_ms,
             done * 10000 / elapsed_ms % 10, outcome->failure_count,
             sweep->stopping ? "stopping" : left, sweep->stopping || done == 0 ? "" : " left");
    status_show(&sweep->status, text);
}

static void say(struct sweep *sweep, const char *text)
{
    status_clear(&sweep->status);
    fprintf(stderr, "brownout sweep: %s\n", text);
}

static bool start_lanes(struct sweep *sweep)
{
    const struct lane_work work = {job_request, sweep, sweep->timeout_us};
    if (sweep->jobs > sweep->job_count) {
        sweep->jobs = sweep->job_count;
    }
    for (uint32_t i = 0; i < sweep->jobs; i++) {
        if (!lane_start(sweep->lanes, i, &work)) {
            fprintf(stderr,
                    "brownout sweep: no process for worker %" PRIu32 ": %s; try fewer --jobs\n",
                    i + 1, strerror(errno));
            sweep->jobs = i;
            return false;
        }
    }
    return true;
}

static void stop_lanes(struct sweep *sweep)
{
    for (uint32_t i = 0; i < sweep->jobs; i++) {
        lane_stop(&sweep->lanes[i]);
    }
}

/* Work for every lane that waits. Returns how many lanes there are still. */
static uint64_t feed(struct sweep *sweep)
{
    uint64_t alive = 0;
    for (uint32_t i = 0; i < sweep->jobs; i++) {
        struct lane *lane = &sweep->lanes[i];
        if (lane->socket >= 0 && !lane->busy && !sweep->stopping &&
            sweep->next_job < sweep->job_count && lane_give(lane, sweep->next_job)) {
            sweep->next_job++;
            sweep->busy++;
        }
        alive += lane->socket >= 0 ? 1 : 0;
    }
    return alive;
}

static void collect(struct sweep *sweep)
{
    struct pollfd files[JOBS_MAX];
    uint32_t lanes[JOBS_MAX];
    nfds_t count = 0;
    for (uint32_t i = 0; i < sweep->jobs; i++) {
        if (sweep->lanes[i].busy) {
            lanes[count] = i;
            files[count++] = (struct pollfd){sweep->lanes[i].socket, POLLIN, 0};
        }
    }
    if (poll(files, count, POLL_MS) <= 0) {
        return;
    }
    for (nfds_t i = 0; i < count; i++) {
        if (files[i].revents != 0) {
            struct witness witness;
            struct lane *lane = &sweep->lanes[lanes[i]];
            lane_take(lane, &witness);
            sweep->busy--;
            add_result(sweep, lane->job, &witness);
            witness_free(&witness);
        }
    }
}

static void work(struct sweep *sweep)
{
    sig_atomic_t heard = 0;
    while (feed(sweep) > 0 &&
           (sweep->busy > 0 || (!sweep->stopping && sweep->next_job < sweep->job_count))) {
        collect(sweep);
        if (interrupts > heard) {
            heard = interrupts;
            sweep->stopping = true;
            if (heard > 1) {
                break;
            }
            say(sweep, "stopping; the runs under way are waited for, Ctrl-C again drops "
                       "them");
        }
        show(sweep);
    }
    if (sweep->outcome.done < sweep->job_count && !sweep->stopping) {
        stop(sweep, VERDICT_HARNESS, "all worker processes are gone");
    }
}

/* ---- the whole ------------------------------------------------------------------------------- */

static int run_sweep(struct sweep *sweep)
{
    struct sigaction action = {.sa_handler = on_interrupt};
    struct outcome *outcome = &sweep->outcome;
    struct print print;
    char error[RECORD_ERROR_BYTES];
    if (!start_lanes(sweep)) {
        stop_lanes(sweep);
        return VERDICT_HARNESS;
    }
    /* Only now: a database that is open must not be forked with. */
    sweep->record = record_open(sweep->db, RECORD_CREATE, error, sizeof error);
    if (sweep->record == NULL) {
        stop_lanes(sweep);
        return command_refuse("sweep", error);
    }
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    signal(SIGPIPE, SIG_IGN);
    status_begin(&sweep->status);
    work(sweep);
    outcome->wall_us = status_elapsed_us(&sweep->status);
    status_clear(&sweep->status);
    stop_lanes(sweep);
    record_close(sweep->record);
    if (sweep->json) {
        outcome_print_json(outcome, stdout);
    } else if (outcome->error[0] == '\0' || outcome->done > 0) {
        print_begin(&print, stdout);
        outcome_print(outcome, &print);
    }
    if (outcome->error[0] != '\0') {
        say(sweep, outcome->error);
    }
    return outcome_exit_code(outcome);
}

int command_sweep(int argc, char **argv)
{
    static struct sweep sweep;
    char error[RECORD_ERROR_BYTES];
    int exit_code;
    set_defaults(&sweep);
    if (!parse(&sweep, argc, argv, &exit_code)) {
        return exit_code;
    }
    if (!find_scenarios(&sweep, error, sizeof error) ||
        !check_settings(&sweep, error, sizeof error)) {
        return command_refuse("sweep", error);
    }
    sweep.job_count = sweep.runs * sweep.scenario_count;
    sweep.outcome.asked = sweep.job_count;
    sweep.outcome.db = sweep.db;
    exit_code = run_sweep(&sweep);
    outcome_free(&sweep.outcome);
    return exit_code;
}
