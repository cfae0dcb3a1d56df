#include "sim/sweep.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "core/check.h"
#include "sim/command.h"
#include "sim/guide.h"
#include "sim/lane.h"
#include "sim/random.h"
#include "sim/status.h"
#include "sim/sweep_schedule.h"

enum {
    POLL_MS = 200,
    LOOK_US = 1000000, /* how often at the file of the database */
    KILLS_MAX = 3,     /* of a job's own process, before that is its result */
    LOSSES_MAX = 99,   /* likewise of its lane, whose death it hardly caused */
};

#define CANARY UINT64_MAX

struct attempt {
    uint64_t job, turn;
    char *plan;             /* as text, owned; NULL: it is a fresh seed */
    uint32_t kills, losses; /* before it */
};

struct work {
    const struct sweep_request *request;
    struct outcome *outcome;
    struct lane_work lane_work;
    struct lane lanes[SWEEP_LANES_MAX];
    struct attempt under_way[SWEEP_LANES_MAX];
    uint32_t lane_count, busy;
    struct attempt again[SWEEP_LANES_MAX]; /* to be done again, before anything new */
    uint32_t again_count;
    uint64_t job_count, job_end;  /* how many there are; one behind the last */
    uint64_t next_job, next_turn; /* a turn is the number of a job among those that there are */
    struct guide *guide;          /* NULL: jobs are seeds alone */
    struct record *record;
    struct stat file; /* of the database when it was opened */
    uint64_t looked_us;
    struct status status;
    bool stopping, canary_given;
};

static volatile sig_atomic_t interrupts;

static void on_interrupt(int number)
{
    (void)number;
    interrupts++;
}

/* ---- one job --------------------------------------------------------------------------------- */

static const struct sweep_scenario *job_scenario(const struct sweep_request *request, uint64_t job)
{
    return &request->scenarios[job == CANARY ? 0 : sweep_schedule_scenario(request, job)];
}

static uint64_t job_seed(const struct sweep_request *request, uint64_t job)
{
    return sweep_schedule_seed(request, job == CANARY ? 0 : job);
}

static void set(struct option_settings *settings, const char *text)
{
    char error[160];
    CHECK(option_settings_add(settings, text, error, sizeof error));
}

/* The settings of its run: a function of the seed alone, so that the line that replays it says all.
 */
static void job_settings(const struct sweep_request *request, uint64_t job,
                         struct option_settings *settings)
{
    *settings = request->settings;
    if (job == CANARY) {
        set(settings, "run.canary=yes");
        set(settings, "run.laws=");
    } else if (!request->crypto_is_set) {
        const bool real = job_seed(request, job) % SWEEP_OPENSSL_EVERY == 0;
        set(settings, real ? "run.crypto=openssl" : "run.crypto=ideal");
    }
}

/* In the child. */
static void job_request(void *ctx, uint64_t job, const char *text, struct run_request *run_request)
{
    static struct option_settings settings;
    static struct command_settings list;
    static struct plan plan;
    const struct sweep_request *request = ctx;
    const struct sweep_scenario *scenario = job_scenario(request, job);
    const uint64_t seed = job_seed(request, job);
    run_request->coverage = true;
    run_request->keep_plan = request->guided;
    if (text != NULL) {
        char error[256];
        plan_init(&plan, 0);
        CHECK(plan_read_text(&plan, text, error, sizeof error));
        run_request->plan = &plan;
        return;
    }
    run_request->scenario = scenario->path;
    run_request->seed = seed;
    run_request->twice =
        job != CANARY && random_at(random_key(seed, scenario->path), 0) % SWEEP_TWICE_EVERY == 0;
    job_settings(request, job, &settings);
    command_settings(&list, &settings, run_request);
}

/* ---- a result -------------------------------------------------------------------------------- */

static void stop(struct work *work, enum verdict verdict, const char *error)
{
    if (work->outcome->error[0] == '\0') {
        outcome_fail(work->outcome, verdict, error);
    }
    work->stopping = true;
}

static void stop_if_enough(struct work *work)
{
    const uint64_t after = work->request->stop_after;
    work->stopping = work->stopping || (after != 0 && work->outcome->failure_count >= after);
}

static void add_canary(struct work *work, const struct run_result *result)
{
    char error[RECORD_ERROR_BYTES];
    if (result->verdict == VERDICT_USAGE) {
        stop(work, VERDICT_USAGE, result->message);
    } else if (!result->violated) {
        snprintf(error, sizeof error,
                 "the canary did not fail: in %.200s with seed %" PRIu64
                 " no law minded a reading accepted twice (%.100s). Either no reading is accepted "
                 "there, or nothing that this sweep finds can be trusted",
                 job_scenario(work->request, CANARY)->path, job_seed(work->request, CANARY),
                 result->message[0] != '\0' ? result->message : "it passed");
        stop(work, VERDICT_HARNESS, error);
    }
}

static struct record_run row_of(const struct work *work, uint64_t job, char **settings_text)
{
    static struct option_settings settings;
    const struct sweep_scenario *scenario = job_scenario(work->request, job);
    job_settings(work->request, job, &settings);
    *settings_text = command_settings_text(&settings);
    return (struct record_run){.scenario = scenario->path,
                               .scenario_hash = scenario->hash,
                               .settings = *settings_text,
                               .seed = job_seed(work->request, job)};
}

/* True: its plan is to be kept. */
static bool tell_guide(struct work *work, uint64_t turn, const struct witness *witness)
{
    const struct run_result *result = &witness->result;
    const bool fresh = work->guide != NULL &&
                       guide_result(work->guide, turn, &result->coverage[COVERAGE_TRANSITION],
                                    result->verdict == VERDICT_PASS ? witness->plan : NULL);
    return fresh || result->verdict != VERDICT_PASS;
}

static void add_result(struct work *work, const struct attempt *attempt, struct witness *witness)
{
    char error[RECORD_ERROR_BYTES], *settings;
    if (witness->result.verdict == VERDICT_USAGE) { /* it is as wrong with any seed */
        stop(work, VERDICT_USAGE, witness->result.message);
        return;
    }
    struct record_run row = row_of(work, attempt->job, &settings);
    const bool keeps_plan = tell_guide(work, attempt->turn, witness);
    if (attempt->plan != NULL) {
        row.scenario = row.scenario_hash = row.settings = "";
        row.seed = witness->result.plan.seed;
    }
    row.result = &witness->result;
    row.plan = keeps_plan ? witness->plan : NULL;
    row.trace = witness->trace.count > 0 ? &witness->trace : NULL;
    const int64_t id = record_write(work->record, &row, error, sizeof error);
    free(settings);
    if (id == 0) {
        stop(work, VERDICT_HARNESS, error);
        return;
    }
    outcome_add(work->outcome, job_scenario(work->request, attempt->job)->path, row.seed, id,
                &witness->result);
    stop_if_enough(work);
}

/* Does it stand in the database already? Then it counts as it ended there. */
static bool is_done(struct work *work, uint64_t job)
{
    struct record_done done;
    char error[RECORD_ERROR_BYTES], *settings;
    if (!work->request->resume) {
        return false;
    }
    const struct record_run row = row_of(work, job, &settings);
    const enum record_answer answer =
        record_look_up(work->record, &row, &done, error, sizeof error);
    free(settings);
    if (answer == RECORD_ANSWER_ERROR) {
        stop(work, VERDICT_HARNESS, error);
    } else if (answer == RECORD_ANSWER_YES) {
        outcome_add_recorded(work->outcome, row.scenario, row.seed, &done);
        stop_if_enough(work);
    }
    return answer == RECORD_ANSWER_YES;
}

/* ---- lanes ----------------------------------------------------------------------------------- */

static bool start_lane(struct work *work, uint32_t index)
{
    if (lane_start(work->lanes, work->lane_count, index, &work->lane_work)) {
        return true;
    }
    char error[160];
    snprintf(error, sizeof error, "no process for worker %" PRIu32 ": %s; try fewer --jobs",
             index + 1, strerror(errno));
    stop(work, VERDICT_HARNESS, error);
    return false;
}

/* A database that is open must not be forked with. */
static void close_record(struct work *work)
{
    record_close(work->record);
    work->record = NULL;
}

static bool open_record(struct work *work, enum record_access how)
{
    char error[RECORD_ERROR_BYTES];
    work->record = record_open(work->request->db, how, error, sizeof error);
    if (work->record == NULL) {
        stop(work, how == RECORD_CREATE ? VERDICT_USAGE : VERDICT_HARNESS, error);
        return false;
    }
    return stat(work->request->db, &work->file) == 0;
}

/* Somebody killed a lane. */
static void replace_lane(struct work *work, uint32_t index)
{
    close_record(work);
    if (open_record(work, RECORD_WRITE)) {
        close_record(work); /* it is there; or nobody would know where the results go */
        if (start_lane(work, index)) {
            (void)open_record(work, RECORD_WRITE);
        }
    }
}

/* What is to be done next; false: nothing. */
static bool next(struct work *work, struct attempt *attempt)
{
    if (work->stopping) {
        return false;
    }
    if (work->again_count > 0) {
        *attempt = work->again[--work->again_count];
        return true;
    }
    if (!work->canary_given) {
        work->canary_given = true;
        *attempt = (struct attempt){.job = CANARY};
        return true;
    }
    while (work->next_job < work->job_end && !work->stopping) {
        if (work->guide != NULL && !guide_ready(work->guide, work->next_turn)) {
            return false; /* until the runs under way have ended */
        }
        const uint64_t job = work->next_job++;
        if (!sweep_schedule_has(work->request, job)) {
            continue;
        }
        const uint64_t turn = work->next_turn++;
        if (!is_done(work, job)) {
            char *plan = work->guide != NULL ? guide_plan(work->guide, turn) : NULL;
            *attempt = (struct attempt){.job = job, .turn = turn, .plan = plan};
            return !work->stopping;
        }
    }
    return false;
}

static void feed(struct work *work)
{
    for (uint32_t i = 0; i < work->lane_count; i++) {
        struct attempt attempt;
        struct lane *lane = &work->lanes[i];
        if (lane->busy || !next(work, &attempt)) {
            continue;
        }
        if (lane->socket < 0 || !lane_give(lane, attempt.job, attempt.plan)) {
            work->again[work->again_count++] = attempt;
            replace_lane(work, i);
            continue;
        }
        work->under_way[i] = attempt;
        work->busy++;
    }
}

static void take(struct work *work, uint32_t index)
{
    struct witness witness;
    struct attempt attempt = work->under_way[index];
    lane_take(&work->lanes[index], &witness);
    work->busy--;
    if (work->lanes[index].socket < 0) {
        attempt.losses++;
    } else if (witness.result.ending == RUN_KILLED) {
        attempt.kills++;
    }
    const bool tried_enough = attempt.kills >= KILLS_MAX || attempt.losses >= LOSSES_MAX;
    if (witness.result.ending == RUN_KILLED && !tried_enough) {
        work->again[work->again_count++] = attempt;
    } else {
        if (attempt.job == CANARY) {
            add_canary(work, &witness.result);
        } else {
            add_result(work, &attempt, &witness);
        }
        free(attempt.plan);
    }
    witness_free(&witness);
}

static void collect(struct work *work)
{
    struct pollfd files[SWEEP_LANES_MAX];
    uint32_t lanes[SWEEP_LANES_MAX];
    nfds_t count = 0;
    for (uint32_t i = 0; i < work->lane_count; i++) {
        if (work->lanes[i].busy) {
            lanes[count] = i;
            files[count++] = (struct pollfd){work->lanes[i].socket, POLLIN, 0};
        }
    }
    if (poll(files, count, POLL_MS) <= 0) {
        return;
    }
    for (nfds_t i = 0; i < count && work->record != NULL; i++) {
        if (files[i].revents != 0) {
            take(work, lanes[i]);
        }
    }
}

/* ---- the loop -------------------------------------------------------------------------------- */

static void show(struct work *work)
{
    char text[200], left[40] = "";
    const struct outcome *outcome = work->outcome;
    const uint64_t budget_us = work->request->budget_us;
    const uint64_t done = outcome->done, lived = done - outcome->recorded;
    const uint64_t elapsed_us = status_elapsed_us(&work->status) + 1;
    uint64_t left_us = 0;
    if (!status_due(&work->status)) {
        return;
    }
    if (lived > 0) {
        left_us = (work->job_count - done) * (elapsed_us / lived);
    }
    if (budget_us != 0 && (lived == 0 || budget_us - elapsed_us < left_us)) {
        left_us = budget_us > elapsed_us ? budget_us - elapsed_us : 0;
    }
    duration_print(left_us / 1000000 * 1000000, left, sizeof left);
    const uint64_t whole_us = elapsed_us + left_us;
    snprintf(text, sizeof text,
             "%3" PRIu64 "%%  %" PRIu64 " runs  %" PRIu64 ".%" PRIu64 "/s  %" PRIu64
             " outcomes  %" PRIu32 "/%d probes  %" PRIu64 " not passed  %s%s",
             elapsed_us * 100 / whole_us, done, lived * 1000000 / elapsed_us,
             lived * 10000000 / elapsed_us % 10, outcome_distinct(outcome),
             totals_probes(&outcome->totals), PROBE_COUNT, outcome->failure_count,
             work->stopping ? "stopping" : left, work->stopping ? "" : " left");
    status_show(&work->status, text);
}

static void say(struct work *work, const char *text)
{
    status_clear(&work->status);
    fprintf(stderr, "brownout sweep: %s\n", text);
}

/* SQLite writes no more to a file that has lost its name. */
static void look_at_file(struct work *work)
{
    struct stat now;
    char error[RECORD_ERROR_BYTES];
    const uint64_t now_us = status_wall_us();
    if (now_us - work->looked_us < LOOK_US || work->stopping) {
        return;
    }
    work->looked_us = now_us;
    if (stat(work->request->db, &now) != 0 || now.st_ino != work->file.st_ino ||
        now.st_dev != work->file.st_dev) {
        snprintf(error, sizeof error,
                 "%.200s was moved away or deleted. Put it back, beside its %.200s-wal, which has "
                 "the last runs, and go on with --resume",
                 work->request->db, work->request->db);
        stop(work, VERDICT_HARNESS, error);
    }
}

static void look_at_limits(struct work *work, sig_atomic_t *heard)
{
    const uint64_t budget_us = work->request->budget_us;
    look_at_file(work);
    if (budget_us != 0 && status_elapsed_us(&work->status) >= budget_us && !work->stopping) {
        work->outcome->time_is_up = true;
        work->stopping = true;
    }
    if (interrupts > *heard) {
        *heard = interrupts;
        work->stopping = true;
        if (*heard == 1) {
            say(work,
                "stopping; the runs under way are waited for, Ctrl-C again drops them; --resume "
                "goes on");
        }
    }
}

static void loop(struct work *work)
{
    sig_atomic_t heard = 0;
    interrupts = 0;
    for (;;) {
        feed(work);
        if (work->record == NULL || (work->busy == 0 && work->again_count == 0) || heard > 1 ||
            (work->busy == 0 && work->stopping)) {
            return;
        }
        collect(work);
        look_at_limits(work, &heard);
        show(work);
    }
}

static void look_at_probes(struct work *work)
{
    char error[RECORD_ERROR_BYTES], names[RECORD_ERROR_BYTES / 2];
    uint64_t runs;
    if (work->request->probes_after == 0 || work->outcome->error[0] != '\0') {
        return;
    }
    if (!record_unreached(work->record, &runs, names, sizeof names, error, sizeof error)) {
        stop(work, VERDICT_HARNESS, error);
    } else if (runs >= work->request->probes_after && names[0] != '\0') {
        snprintf(error, sizeof error, "never reached in %" PRIu64 " runs: %s", runs, names);
        stop(work, VERDICT_FAIL, error);
    }
}

void sweep(const struct sweep_request *request, struct outcome *outcome)
{
    static struct work work;
    struct sigaction action = {.sa_handler = on_interrupt};
    char error[RECORD_ERROR_BYTES];
    memset(&work, 0, sizeof work);
    work.request = request;
    work.outcome = outcome;
    work.job_count = sweep_schedule_count(request);
    work.job_end = sweep_schedule_end(request);
    work.lane_work = (struct lane_work){job_request, (void *)(uintptr_t)request,
                                        request->timeout_us, request->memory_bytes, NULL};
    work.lane_count =
        (uint32_t)(request->lanes < work.job_count + 1 ? request->lanes : work.job_count + 1);
    outcome->asked = work.job_count;
    work.guide = request->guided ? guide_open(request->seed_start) : NULL;
    for (uint32_t i = 0; i < work.lane_count; i++) {
        work.lanes[i].socket = -1;
    }
    status_begin(&work.status);
    bool good = true;
    for (uint32_t i = 0; i < work.lane_count && good; i++) {
        good = start_lane(&work, i);
    }
    if (good && open_record(&work, RECORD_CREATE)) {
        sigaction(SIGINT, &action, NULL);
        sigaction(SIGTERM, &action, NULL);
        signal(SIGPIPE, SIG_IGN);
        loop(&work);
    }
    if (work.record != NULL) {
        look_at_probes(&work);
        if (!record_saturation(work.record, &outcome->saturation, error, sizeof error)) {
            stop(&work, VERDICT_HARNESS, error);
        }
    }
    outcome->wall_us = status_elapsed_us(&work.status);
    status_clear(&work.status);
    for (uint32_t i = 0; i < work.lane_count; i++) {
        lane_stop(&work.lanes[i]);
    }
    close_record(&work);
    guide_close(work.guide);
}
