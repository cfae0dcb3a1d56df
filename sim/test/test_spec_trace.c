/* Goal: TLC accepts what a law allows, and rejects each of ten ways to spoil it, at the very event
 * at which the law's C model does. Method: walks of the model, and what the devices of recorded
 * runs did, right and spoilt, in one batch; the model says where each spoilt one goes wrong.
 * Skipped where there is no Java. */
#include <string.h>
#include <unistd.h>

#include "core/check.h"
#include "core/limits.h"
#include "core/test/test.h"
#include "sim/spec_batch.h"
#include "sim/spec_runs.h"
#include "sim/test/trace_walk.h"

_Noreturn void check_failed(const char *file, int line, const char *what)
{
    fprintf(stderr, "CHECK %s:%d: %s\n", file, line, what);
    exit(1);
}

enum {
    GOOD = 12,
    ALL = GOOD + SPEC_DAMAGE_COUNT,
    EVENTS = 60,
    FLEET_FITS = SERVER_SESSIONS_MAX >= 2 * GOOD,
};

static struct spec_call call = {.source = ".", .jobs = 2};
static struct spec_folder folder;
static struct spec_trace traces[ALL];
static const struct spec_trace *list[ALL];
static uint32_t expected[ALL]; /* the event that is refused; UINT32_MAX: none */
static bool looks;             /* wrong sights are those between two steps */

static void load(const char *name, struct spec_instance *instance)
{
    char error[512] = "";
    for (uint32_t i = 0; i < spec_count(); i++) {
        if (strcmp(spec_at(i)->name, name) == 0) {
            EXPECT(spec_folder_read(&folder, spec_at(i), ".", error, sizeof error));
        }
    }
    EXPECT(spec_trials_config(&folder) != NULL);
    trace_walk_instance(instance, folder.model, spec_trials_config(&folder));
}

/* The first event that the law does not allow; UINT32_MAX: none. */
typedef uint32_t oracle(const struct spec_trace *trace);

static uint32_t ask_narrow(const struct spec_trace *trace)
{
    return trace_walk_refused(folder.model, trace->k, trace);
}

/* The form of the model that judges runs: of Telemetry one whose counters know no bound. */
static uint32_t ask_judge(const struct spec_trace *trace)
{
    struct spec_finding finding;
    const uint32_t at = spec_runs_ask(folder.model->name, trace, &finding);
    EXPECT((at == UINT32_MAX) == (finding.what[0] == '\0'));
    return at;
}

/* From the middle on: the first place where this damage makes it wrong. */
static void spoil(struct spec_trace *bad, const struct spec_trace *good,
                  const struct spec_trace *other, enum spec_damage damage, oracle *ask,
                  uint32_t *refused)
{
    for (uint32_t at = good->count / 2; at < good->count; at++) {
        const bool look = good->events[at].move.action == FOLLOW_LOOK;
        spec_trace_copy(bad, good, good->count);
        if ((look || !looks || damage != SPEC_DAMAGE_WRONG_SIGHT) &&
            spec_trace_damage(bad, damage, at, other, folder.model)) {
            *refused = ask(bad);
            if (*refused != UINT32_MAX) {
                return;
            }
        }
        spec_trace_free(bad);
    }
    fprintf(stderr, "nothing is wrong, though %s\n", spec_damage_text(damage));
    exit(1);
}

static void spoil_all(oracle *ask)
{
    for (uint32_t d = 0; d < SPEC_DAMAGE_COUNT; d++) {
        spoil(&traces[GOOD + d], &traces[d], &traces[d + 1], d, ask, &expected[GOOD + d]);
    }
    for (uint32_t i = 0; i < ALL; i++) {
        list[i] = &traces[i];
    }
}

static void make_traces(const struct spec_instance *instance)
{
    for (uint32_t i = 0; i < GOOD; i++) {
        trace_walk(&traces[i], instance, 77 + i, EVENTS);
        expected[i] = trace_walk_refused(folder.model, traces[i].k, &traces[i]);
        EXPECT(traces[i].count == EVENTS && expected[i] == UINT32_MAX);
    }
    spoil_all(ask_narrow);
}

static void expect_verdicts(const struct spec_trials *trials)
{
    for (uint32_t i = 0; i < ALL; i++) {
        const bool spoilt = i >= GOOD;
        if (trials->accepted[i] == spoilt) {
            fprintf(stderr, "%s: %s\n",
                    spoilt ? spec_damage_text((enum spec_damage)(i - GOOD)) : "a good trace",
                    spoilt ? "accepted" : trials->stuck[i].why);
            exit(1);
        }
        if (spoilt) {
            printf("  %-46s event %3u: %s\n", spec_damage_text((enum spec_damage)(i - GOOD)),
                   (unsigned)trials->stuck[i].index, trials->stuck[i].why);
            EXPECT(trials->stuck[i].is_stuck);
            EXPECT_EQUAL(trials->stuck[i].index, expected[i]);
            EXPECT(strlen(trials->stuck[i].state) > 100);
        }
    }
    EXPECT_EQUAL(trials->canary_count, trials->batch_count);
}

static void judge(bool refines)
{
    static uint32_t folders;
    char error[2048] = "";
    struct spec_trials trials = {.call = &call,
                                 .folder = &folder,
                                 .refines = refines,
                                 .folders = folders,
                                 .trace_count = ALL,
                                 .traces = list};
    const bool good = spec_trials_hold(&trials, error, sizeof error);
    folders = trials.folders;
    if (!good) {
        fprintf(stderr, "%s\n", error);
    }
    EXPECT(good);
    expect_verdicts(&trials);
    spec_trials_free(&trials);
    for (uint32_t i = 0; i < ALL; i++) {
        spec_trace_free(&traces[i]);
    }
}

static void judge_walks(const char *name)
{
    static struct spec_instance instance;
    load(name, &instance);
    make_traces(&instance);
    judge(true);
}

static void ten_ways_to_spoil_a_trace_of_telemetry_are_found_where_they_are(void)
{
    judge_walks("Telemetry");
}

static void ten_ways_to_spoil_a_trace_of_update_are_found_where_they_are(void)
{
    judge_walks("Update");
}

static void ten_ways_to_spoil_a_trace_of_session_are_found_where_they_are(void)
{
    judge_walks("Session");
}

/* ---- A run ----------------------------------------------------------------------------------- */

struct recorded {
    const char *law, *scenario;
    uint32_t steps_min; /* of each device */
    bool looks;         /* each is seen between its steps as well */
};

static const struct recorded telemetry = {
    "Telemetry",
    "-- Do some devices and their cloud keep their promises while power goes away?\n"
    "return { fleet = { clouds = 1, gateways = 1, devices = 12 }, duration = '30m', heal = '10m',\n"
    "  crypto = 'ideal', device = { sample_every = '1m' },\n"
    "  faults = { power_cut = { every = '15m', lasts = '1s..1m' }, link_reset = '10m' } }\n",
    150, false};

/* Each device downloads the release, tries it, reverts it and is offered it again. */
static const struct recorded update = {
    "Update",
    "-- Does each device get back to its old image while power goes away?\n"
    "return { fleet = { clouds = 1, gateways = 1, devices = 12 }, duration = '2h', heal = '1h',\n"
    "  crypto = 'ideal', device = { sample_every = '5m' },\n"
    "  firmware = { image = 9000, release = '5m', defect = 'mute', trial = '2m', reverts = 20 },\n"
    "  faults = { power_cut = { every = '20m', lasts = '1s..1m', on = 'device' } } }\n",
    200, true};

/* Recorded by the command itself; the folder is to be removed. */
static void record_run(const char *shop, const char *scenario, char *database,
                       size_t database_bytes)
{
    char path[300], line[1200];
    const char *command = getenv("BROWNOUT");
    EXPECT(command != NULL);
    snprintf(path, sizeof path, "%s/some.lua", shop);
    snprintf(database, database_bytes, "%s/runs.db", shop);
    FILE *file = fopen(path, "wb");
    EXPECT(file != NULL && fputs(scenario, file) >= 0 && fclose(file) == 0);
    snprintf(line, sizeof line, "'%s' run '%s' --seed 5 --db '%s' > '%s/said.txt' 2>&1", command,
             path, database, shop);
    EXPECT_EQUAL(system(line), 0);
}

static uint32_t count_looks(const struct spec_trace *trace)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < trace->count; i++) {
        count += trace->events[i].move.action == FOLLOW_LOOK;
    }
    return count;
}

static void load_runs(const struct recorded *recorded, const char *database)
{
    struct spec_runs runs = {.law = recorded->law};
    char error[RECORD_ERROR_BYTES] = "";
    struct record *record = record_open(database, RECORD_READ, error, sizeof error);
    EXPECT(record != NULL);
    EXPECT_EQUAL(spec_runs_add(&runs, record, 2, error, sizeof error), VERDICT_USAGE);
    EXPECT_EQUAL(spec_runs_add(&runs, record, 1, error, sizeof error), VERDICT_PASS);
    record_close(record);
    EXPECT_EQUAL(runs.run_count, 1);
    EXPECT_EQUAL(runs.count, GOOD);
    for (uint32_t i = 0; i < GOOD; i++) {
        EXPECT(runs.list[i].count > recorded->steps_min);
        spec_trace_copy(&traces[i], &runs.list[i], runs.list[i].count);
        expected[i] = ask_judge(&traces[i]);
        EXPECT_EQUAL(expected[i], UINT32_MAX);
        EXPECT_EQUAL(count_looks(&traces[i]) > 0, recorded->looks);
    }
    spec_runs_free(&runs);
}

static void judge_runs(const struct recorded *recorded)
{
    static struct spec_instance instance;
    static uint32_t shops = 1000;
    char shop[256], database[300], line[1200];
    load(recorded->law, &instance);
    EXPECT(spec_call_folder(&call, shops++, shop, sizeof shop));
    record_run(shop, recorded->scenario, database, sizeof database);
    load_runs(recorded, database);
    looks = recorded->looks;
    spoil_all(ask_judge);
    looks = false;
    judge(false);
    snprintf(line, sizeof line,
             "'%s' spec trace 1 --law %s --db '%s' --devices 3 --events 50 > '%s/t.txt'",
             getenv("BROWNOUT"), recorded->law, database, shop);
    EXPECT_EQUAL(system(line), 0);
    if (recorded == &telemetry) { /* whose readings are a trace each */
        snprintf(line, sizeof line,
                 "'%s' spec trace 1 --law Session --db '%s' --devices 99 > '%s/t.txt'",
                 getenv("BROWNOUT"), database, shop);
        EXPECT_EQUAL(system(line), 0);
        snprintf(line, sizeof line, "grep -q 'accepted  [1-9][0-9][0-9]* of ' '%s/t.txt'", shop);
        EXPECT_EQUAL(system(line), 0);
    }
}

static void a_recorded_run_of_telemetry_is_accepted_and_ten_ways_to_spoil_it_are_found(void)
{
    judge_runs(&telemetry);
}

static void a_recorded_run_of_update_is_accepted_and_ten_ways_to_spoil_it_are_found(void)
{
    judge_runs(&update);
}

int main(void)
{
    int exit_code = 0;
    if (!spec_call_tlc(&call, "test", &exit_code)) {
        return exit_code;
    }
    RUN(ten_ways_to_spoil_a_trace_of_telemetry_are_found_where_they_are);
    RUN(ten_ways_to_spoil_a_trace_of_update_are_found_where_they_are);
    RUN(ten_ways_to_spoil_a_trace_of_session_are_found_where_they_are);
    if (FLEET_FITS) { /* tiny limits have no room for it */
        RUN(a_recorded_run_of_telemetry_is_accepted_and_ten_ways_to_spoil_it_are_found);
        RUN(a_recorded_run_of_update_is_accepted_and_ten_ways_to_spoil_it_are_found);
    }
    spec_call_end(&call);
    return 0;
}
