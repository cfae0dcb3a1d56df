/* Goal: one bug is one group with one key, whatever run, build or database it was seen in; its
 * state is what the counts say; and what is written for machines is well-formed whatever a run
 * said. Method: databases of runs made here, read back as the command reads them. */
#include "sim/triage.h"

#include <cJSON.h>
#include <sqlite3.h>
#include <string.h>
#include <unistd.h>

#include "core/check.h"
#include "core/test/test.h"
#include "sim/triage_cone.h"
#include "sim/test/scratch.h"

#define MINUTE_US UINT64_C(60000000)
#define HOUR_US   (60 * MINUTE_US)

static char folder[] = "/tmp/brownout_triage_XXXXXX";
static char error[RECORD_ERROR_BYTES];

_Noreturn void check_failed(const char *file, int line, const char *what)
{
    fprintf(stderr, "%s:%d: check failed: %s\n", file, line, what);
    exit(1);
}

/* ---- databases ------------------------------------------------------------------------------- */

static const char *path_of(const char *name)
{
    static char paths[4][128]; /* so that a few of them live side by side */
    static unsigned next;
    char *path = paths[next++ % 4];
    snprintf(path, sizeof paths[0], "%s/%s", folder, name);
    return path;
}

static void tell(const char *path, const char *sql)
{
    sqlite3 *database;
    char *message = NULL;
    EXPECT_EQUAL(sqlite3_open_v2(path, &database, SQLITE_OPEN_READWRITE, "unix"), SQLITE_OK);
    if (sqlite3_exec(database, sql, NULL, NULL, &message) != SQLITE_OK) {
        fprintf(stderr, "%s: %s\n", sql, message);
        exit(1);
    }
    sqlite3_close(database);
}

static struct record *create(const char *path)
{
    struct record *record = record_open(path, RECORD_CREATE, error, sizeof error);
    if (record == NULL) {
        fprintf(stderr, "%s\n", error);
        exit(1);
    }
    return record;
}

/* A run, and how it failed. */
struct sample {
    uint64_t seed;
    const char *scenario; /* NULL: scenarios/x.lua */
    const char *what;     /* NULL: it passed */
    uint32_t node, device;
    uint64_t time_us;
    enum effect effect; /* of the plan's one entry, if it has a target */
    uint32_t target, other;
    uint64_t struck_us, faults, events;
};

enum { CLOUD = 1, GATEWAY1 = 2, GATEWAY2 = 3, DEVICE1 = 4, DEVICE2 = 5 };

/* One cloud, two gateways, two devices. */
static void make_plan(struct plan *plan, const struct sample *sample)
{
    plan_init(plan, sample->seed);
    plan->settings.number[SETTING_fleet_clouds] = 1;
    plan->settings.number[SETTING_fleet_gateways] = 2;
    plan->settings.number[SETTING_fleet_rogues] = 0;
    plan->settings.number[SETTING_fleet_devices] = 2;
    plan->settings.number[SETTING_run_duration] = 6 * HOUR_US;
    if (sample->target != 0) {
        const struct plan_entry entry = {
            .when = PLAN_AT,
            .at_us = sample->struck_us,
            .effect = sample->effect,
            .target = sample->target,
            .other = sample->other,
            .lasts_us = effect_info(sample->effect).lasts == EFFECT_LASTS_DURATION ? MINUTE_US : 0,
        };
        EXPECT(plan_entry_check(plan, &entry, error, sizeof error));
        EXPECT(plan_append(plan, &entry));
    }
}

/* The reading's way: sent to the first gateway, accepted by the cloud. */
static void make_items(struct trace *trace, const struct sample *sample)
{
    const struct world_item items[] = {
        {.kind = ITEM_EVIDENCE,
         .event = 998,
         .time_us = sample->time_us - 10,
         .node = DEVICE1,
         .what = EVIDENCE_SEND,
         .a = DEVICE1,
         .value = GATEWAY1},
        {.kind = ITEM_EVIDENCE,
         .event = 999,
         .time_us = sample->time_us,
         .node = CLOUD,
         .what = EVIDENCE_ACCEPT,
         .a = DEVICE1,
         .b = 1,
         .counter = 7},
        {.kind = ITEM_EVIDENCE,
         .event = 999,
         .time_us = sample->time_us,
         .node = sample->node,
         .what = EVIDENCE_COMMIT,
         .a = sample->device,
         .b = 1,
         .counter = 8},
    };
    EXPECT(trace_open(trace, false));
    for (unsigned i = 0; i < sizeof items / sizeof items[0]; i++) {
        trace_item(trace, &items[i]);
    }
}

static int64_t add(struct record *record, const struct sample *sample)
{
    struct run_result result;
    struct trace trace;
    char *plan = NULL;
    size_t plan_bytes;
    memset(&result, 0, sizeof result);
    make_plan(&result.plan, sample);
    result.events = sample->events == 0 ? 1000 : sample->events;
    result.digest[0] = sample->seed;
    result.exercised[LAW_TELEMETRY_ONCE] = 3;
    result.fired[sample->effect] = sample->faults;
    make_items(&trace, sample);
    FILE *file = open_memstream(&plan, &plan_bytes);
    EXPECT(file != NULL && plan_write(&result.plan, file) && fclose(file) == 0);
    if (sample->what != NULL) {
        result.verdict = VERDICT_FAIL;
        result.violated = true;
        result.violation = (struct violation){
            .law = LAW_TELEMETRY_DURABLE,
            .observation = {.time_us = sample->time_us,
                            .event = 999,
                            .node = sample->node,
                            .device = sample->device,
                            .epoch = 1,
                            .counter = 8},
        };
        snprintf(result.violation.what, sizeof result.violation.what, "%s", sample->what);
    }
    const struct record_run run = {
        .scenario = sample->scenario == NULL ? "scenarios/x.lua" : sample->scenario,
        .scenario_hash = "abc",
        .settings = "",
        .seed = sample->seed,
        .result = &result,
        .plan = plan,
        .trace = sample->what == NULL ? NULL : &trace,
    };
    const int64_t id = record_write(record, &run, error, sizeof error);
    if (id == 0) {
        fprintf(stderr, "%s\n", error);
        exit(1);
    }
    trace_close(&trace);
    run_result_free(&result);
    free(plan);
    return id;
}

/* A failure of device 1 at the cloud, an hour after the start. */
static struct sample failing(uint64_t seed)
{
    return (struct sample){.seed = seed,
                           .what = "row 17 is gone",
                           .node = CLOUD,
                           .device = DEVICE1,
                           .time_us = HOUR_US,
                           .faults = 1};
}

/* The runs from `first` on were recorded on this day, by a build of this commit. */
static void stamp(const char *path, int64_t first, const char *commit, const char *day)
{
    char sql[600];
    snprintf(sql, sizeof sql,
             "INSERT OR IGNORE INTO build VALUES (NULL, '%s', 'c', 't', 's', 'p');"
             "UPDATE run SET recorded_at = '%sT00:00:00Z', build = (SELECT id FROM build "
             "WHERE commit_id = '%s') WHERE id >= %lld",
             commit, day, commit, (long long)first);
    tell(path, sql);
}

/* Add `count` runs of a build, the first `failures` of which fail. */
static void night(const char *path, const char *commit, const char *day, unsigned count,
                  unsigned failures)
{
    struct record *record = create(path);
    int64_t first = 0;
    for (unsigned i = 0; i < count; i++) {
        struct sample sample = failing(i + 1);
        sample.what = i < failures ? sample.what : NULL;
        const int64_t id = add(record, &sample);
        first = first == 0 ? id : first;
    }
    record_close(record);
    stamp(path, first, commit, day);
}

static void look(struct triage *triage, const char *path, const char *since)
{
    struct record *record = record_open(path, RECORD_READ, error, sizeof error);
    if (record == NULL || !triage_read(triage, record, since, error, sizeof error)) {
        fprintf(stderr, "%s\n", error);
        exit(1);
    }
    record_close(record);
}

static const struct triage_subject *subject_of(const struct triage *triage, uint32_t group)
{
    EXPECT(group < triage->group_count);
    return triage->failures[triage->groups[group].first].subject;
}

/* ---- subjects -------------------------------------------------------------------------------- */

static void a_key_is_a_function_of_the_failure_alone(void)
{
    const char *here = path_of("here.db"), *there = path_of("there.db");
    char key[TRIAGE_KEY_BYTES];
    struct triage triage;
    struct sample sample = failing(1);
    struct record *record = create(here);
    add(record, &sample);
    record_close(record);
    record = create(there);
    struct sample passing = failing(9);
    passing.what = NULL;
    add(record, &passing);
    sample.seed = 77;
    sample.what = "row 4711 is gone"; /* other numbers, elsewhere in the run */
    sample.time_us = 2 * HOUR_US;
    sample.scenario = "scenarios/y.lua";
    sample.device = DEVICE1;
    add(record, &sample);
    record_close(record);
    stamp(there, 1, "another", "2031-01-01");
    look(&triage, here, NULL);
    EXPECT_EQUAL(triage.group_count, 1);
    EXPECT_EQUAL(strlen(triage.groups[0].key), TRIAGE_KEY_BYTES - 1);
    memcpy(key, triage.groups[0].key, sizeof key);
    EXPECT(strcmp(subject_of(&triage, 0)->law, "telemetry.durable") == 0);
    EXPECT(strcmp(subject_of(&triage, 0)->what, "row # is gone") == 0);
    EXPECT(strcmp(subject_of(&triage, 0)->evidence, "COMMIT") == 0);
    EXPECT(strcmp(subject_of(&triage, 0)->role, "cloud") == 0);
    EXPECT(strcmp(subject_of(&triage, 0)->cone, "-") == 0);
    triage_free(&triage);
    look(&triage, there, NULL);
    EXPECT_EQUAL(triage.group_count, 1);
    EXPECT(strcmp(triage.groups[0].key, key) == 0);
    triage_free(&triage);
}

static void another_complaint_is_another_group(void)
{
    const char *path = path_of("other.db");
    struct triage triage;
    struct record *record = create(path);
    struct sample sample = failing(1);
    add(record, &sample);
    sample.what = "row 17 is wrong";
    add(record, &sample);
    sample.node = GATEWAY1; /* the same word of another role */
    add(record, &sample);
    add(record, &sample);
    record_close(record);
    look(&triage, path, NULL);
    EXPECT_EQUAL(triage.group_count, 3);
    EXPECT_EQUAL(triage.groups[0].count, 2); /* most failures first */
    EXPECT(strcmp(subject_of(&triage, 0)->role, "gw") == 0);
    EXPECT_EQUAL(triage.cause_count, 3);
    triage_free(&triage);
}

/* What cone a failure of device 1 at the cloud has, which sent to the first gateway. */
static const char *cone_of(enum effect effect, uint32_t target, uint32_t other, uint64_t struck_us,
                           uint64_t fired)
{
    static char cone[TRIAGE_CONE_BYTES];
    const char *path = path_of("cone.db");
    struct triage triage;
    struct sample sample = failing(1);
    sample.effect = effect;
    sample.target = target;
    sample.other = other;
    sample.struck_us = struck_us;
    sample.faults = fired;
    unlink(path);
    struct record *record = create(path);
    add(record, &sample);
    record_close(record);
    look(&triage, path, NULL);
    snprintf(cone, sizeof cone, "%s", subject_of(&triage, 0)->cone);
    triage_free(&triage);
    return cone;
}

static void the_cone_holds_what_struck_near_and_shortly_before(void)
{
    const uint64_t t = HOUR_US, window = TRIAGE_CONE_US;
    EXPECT(strcmp(cone_of(EFFECT_POWER_CUT, DEVICE1, 0, t - MINUTE_US, 1), "power_cut") == 0);
    EXPECT(strcmp(cone_of(EFFECT_POWER_CUT, DEVICE2, 0, t - MINUTE_US, 1), "-") == 0);
    EXPECT(strcmp(cone_of(EFFECT_POWER_CUT, CLOUD, 0, t, 1), "power_cut") == 0);
    EXPECT(strcmp(cone_of(EFFECT_POWER_CUT, CLOUD, 0, t + 1, 1), "-") == 0);
    EXPECT(strcmp(cone_of(EFFECT_POWER_CUT, CLOUD, 0, t - MINUTE_US, 0), "-") == 0);
    /* It lasts a minute: in force at the start of the window, and not. */
    EXPECT(strcmp(cone_of(EFFECT_HANG, DEVICE1, 0, t - window - MINUTE_US, 1), "hang") == 0);
    EXPECT(strcmp(cone_of(EFFECT_HANG, DEVICE1, 0, t - window - MINUTE_US - 1, 1), "-") == 0);
    /* The gateway that it sent to, and the one that it did not. */
    EXPECT(strcmp(cone_of(EFFECT_CRASH, GATEWAY1, 0, t - 1, 1), "crash") == 0);
    EXPECT(strcmp(cone_of(EFFECT_CRASH, GATEWAY2, 0, t - 1, 1), "-") == 0);
    /* Links: both ends must be on the way. */
    EXPECT(strcmp(cone_of(EFFECT_PARTITION, DEVICE1, GATEWAY1, t - 1, 1), "partition") == 0);
    EXPECT(strcmp(cone_of(EFFECT_PARTITION, DEVICE1, GATEWAY2, t - 1, 1), "-") == 0);
    EXPECT(strcmp(cone_of(EFFECT_PARTITION, DEVICE1, PLAN_ANY, t - 1, 1), "partition") == 0);
}

/* A failure behind one effect on device 1, a minute before. */
static void add_behind(struct record *record, enum effect effect, unsigned seed)
{
    struct sample sample = failing(seed);
    sample.effect = effect;
    sample.target = DEVICE1;
    sample.other = PLAN_ANY;
    sample.struck_us = HOUR_US - MINUTE_US;
    add(record, &sample);
}

static void a_failure_without_faults_takes_all_of_its_complaint(void)
{
    const char *path = path_of("absorbed.db");
    struct triage triage;
    struct triage_known known;
    char cut[TRIAGE_KEY_BYTES], text[100];
    struct record *record = create(path);
    add_behind(record, EFFECT_POWER_CUT, 1);
    add_behind(record, EFFECT_HANG, 2);
    add_behind(record, EFFECT_POWER_CUT, 3);
    record_close(record);
    look(&triage, path, NULL);
    EXPECT_EQUAL(triage.group_count, 2); /* neither cone holds the other */
    EXPECT(strcmp(subject_of(&triage, 0)->cone, "power_cut") == 0);
    EXPECT_EQUAL(triage.groups[0].count, 2);
    EXPECT(strncmp(triage.groups[0].key, triage.groups[1].key, TRIAGE_CAUSE_DIGITS) == 0);
    EXPECT(strcmp(triage.groups[0].key, triage.groups[1].key) != 0);
    EXPECT_EQUAL(triage.cause_count, 1);
    EXPECT_EQUAL(triage.groups[1].cause_failures, 3);
    memcpy(cut, triage.groups[0].key, sizeof cut);
    triage_free(&triage);
    record = create(path);
    const struct sample sample = failing(4);
    add(record, &sample);
    record_close(record);
    look(&triage, path, NULL);
    EXPECT_EQUAL(triage.group_count, 1);
    EXPECT_EQUAL(triage.groups[0].count, 4);
    EXPECT(strcmp(subject_of(&triage, 0)->cone, "-") == 0);
    EXPECT_EQUAL(triage.failures[triage.groups[0].first].run, 4);
    EXPECT(strcmp(triage.groups[0].key, cut) != 0);
    snprintf(text, sizeof text, "%s listed before\n", cut); /* and still good */
    FILE *file = fopen(path_of("list.txt"), "w");
    EXPECT(file != NULL && fputs(text, file) >= 0 && fclose(file) == 0);
    EXPECT(triage_known_read(&known, path_of("list.txt"), error, sizeof error));
    triage_known_apply(&known, &triage);
    EXPECT_EQUAL(triage_new_count(&triage), 0);
    triage_known_free(&known);
    triage_free(&triage);
}

/* Of three complaints behind two faults each one fault is left by shrinking: it takes those that
 * have it, and what was listed stays listed. */
static void what_a_run_was_shrunk_to_is_its_cone(void)
{
    const char *path = path_of("shrunk.db");
    struct triage triage;
    struct triage_known known;
    char text[100];
    struct record *record = create(path);
    add_behind(record, EFFECT_POWER_CUT, 1);
    add_behind(record, EFFECT_HANG, 2);
    add_behind(record, EFFECT_HANG, 3);
    record_close(record);
    look(&triage, path, NULL);
    EXPECT_EQUAL(triage.group_count, 2);
    snprintf(text, sizeof text, "%s of the cut\n", triage.groups[1].key);
    EXPECT(strcmp(subject_of(&triage, 1)->cone, "power_cut") == 0);
    triage_free(&triage);
    record = record_open(path, RECORD_WRITE, error, sizeof error);
    struct record_shrunk shrunk = {
        .run = 1, .failure = "telemetry.durable at COMMIT", .classes = "hang", .text = ""};
    EXPECT(record_shrunk(record, &shrunk, error, sizeof error));
    record_close(record);
    look(&triage, path, NULL);
    EXPECT_EQUAL(triage.group_count, 1);
    EXPECT_EQUAL(triage.groups[0].count, 3);
    EXPECT(strcmp(subject_of(&triage, 0)->cone, "hang") == 0);
    FILE *file = fopen(path_of("list.txt"), "w");
    EXPECT(file != NULL && fputs(text, file) >= 0 && fclose(file) == 0);
    EXPECT(triage_known_read(&known, path_of("list.txt"), error, sizeof error));
    triage_known_apply(&known, &triage);
    EXPECT_EQUAL(triage_new_count(&triage), 0);
    triage_known_free(&known);
    triage_free(&triage);
    record = record_open(path, RECORD_WRITE, error, sizeof error);
    shrunk.run = 2; /* another one alone would do: it still is one of these */
    shrunk.classes = "link_reset";
    EXPECT(record_shrunk(record, &shrunk, error, sizeof error));
    record_close(record);
    look(&triage, path, NULL);
    EXPECT_EQUAL(triage.group_count, 1);
    EXPECT_EQUAL(triage.groups[0].count, 3);
    triage_free(&triage);
    record = record_open(path, RECORD_WRITE, error, sizeof error);
    shrunk.run = 3;
    shrunk.classes = "-";
    EXPECT(record_shrunk(record, &shrunk, error, sizeof error));
    record_close(record);
    look(&triage, path, NULL);
    EXPECT_EQUAL(triage.group_count, 1);
    EXPECT(strcmp(subject_of(&triage, 0)->cone, "-") == 0);
    EXPECT_EQUAL(triage.failures[triage.groups[0].first].run, 3);
    triage_free(&triage);
}

static void names_that_begin_alike_are_not_the_same_class(void)
{
    const char *path = path_of("alike.db");
    struct triage triage;
    struct record *record = create(path);
    add_behind(record, EFFECT_PARTITION, 1);
    add_behind(record, EFFECT_PARTITION_IN, 2);
    record_close(record);
    look(&triage, path, NULL);
    EXPECT_EQUAL(triage.group_count, 2);
    triage_free(&triage);
}

static void what_no_law_says_is_a_group_too(void)
{
    const char *path = path_of("lawless.db");
    struct triage triage;
    struct record *record = create(path);
    struct sample sample = failing(1);
    sample.what = NULL;
    add(record, &sample);
    add(record, &sample);
    add(record, &sample);
    record_close(record);
    tell(path, "UPDATE run SET verdict = 'fail', message = 'accepted: it is 17' WHERE id = 1;"
               "UPDATE run SET verdict = 'fail', message = 'accepted: it is 4' WHERE id = 2;"
               "UPDATE run SET verdict = 'harness', message = 'out of memory' WHERE id = 3");
    look(&triage, path, NULL);
    EXPECT_EQUAL(triage.group_count, 2);
    EXPECT(strcmp(subject_of(&triage, 0)->law, "run.expectation") == 0);
    EXPECT(strcmp(subject_of(&triage, 0)->what, "accepted: it is #") == 0);
    EXPECT(strcmp(subject_of(&triage, 1)->law, "run.harness") == 0);
    triage_free(&triage);
}

static void a_plan_that_cannot_be_read_has_no_cone(void)
{
    const char *path = path_of("planless.db");
    struct triage triage;
    struct record *record = create(path);
    const struct sample sample = failing(1);
    add(record, &sample);
    record_close(record);
    tell(path, "UPDATE plan SET text = 'brownout plan 99'");
    look(&triage, path, NULL);
    EXPECT_EQUAL(triage.group_count, 1);
    EXPECT(strcmp(subject_of(&triage, 0)->cone, "?") == 0);
    EXPECT(strcmp(subject_of(&triage, 0)->evidence, "COMMIT") == 0);
    triage_free(&triage);
}

/* ---- states ---------------------------------------------------------------------------------- */

static enum triage_state state_of(const char *path, const char *since)
{
    struct triage triage;
    look(&triage, path, since);
    EXPECT_EQUAL(triage.group_count, 1);
    const enum triage_state state = triage.groups[0].state;
    triage_free(&triage);
    return state;
}

static void states_follow_the_commits(void)
{
    const char *path = path_of("states.db");
    struct triage triage;
    night(path, "aaa", "2030-01-01", 9, 0);
    night(path, "bbb", "2030-01-02", 9, 1);
    EXPECT_EQUAL(state_of(path, NULL), TRIAGE_NEW);
    night(path, "ccc", "2030-01-03", 9, 1);
    EXPECT_EQUAL(state_of(path, NULL), TRIAGE_ONGOING);
    /* 2 of 27 failed, so p = 2/28: (26/28)^40 = 5.2 %, and one clean run more is 4.8 %. */
    night(path, "ddd", "2030-01-04", 40, 0);
    EXPECT_EQUAL(state_of(path, NULL), TRIAGE_ONGOING);
    night(path, "ddd", "2030-01-04", 1, 0);
    EXPECT_EQUAL(state_of(path, NULL), TRIAGE_RESOLVED);
    look(&triage, path, NULL);
    EXPECT_EQUAL(triage.groups[0].clean, 41);
    EXPECT(triage.groups[0].chance > 0.047 && triage.groups[0].chance < 0.049);
    EXPECT_EQUAL(triage_new_count(&triage), 0);
    EXPECT(strcmp(triage.revisions[triage.groups[0].last_revision].name, "ccc") == 0);
    triage_free(&triage);
    night(path, "eee", "2030-01-05", 1, 1); /* and back */
    EXPECT_EQUAL(state_of(path, NULL), TRIAGE_ONGOING);
}

static void one_failure_in_one_run_is_not_certainty(void)
{
    const char *path = path_of("single.db");
    night(path, "aaa", "2030-01-01", 1, 1);
    night(path, "bbb", "2030-01-02", 4, 0);
    EXPECT_EQUAL(state_of(path, NULL), TRIAGE_ONGOING); /* 1/2 ^ 4 = 6.3 % */
    night(path, "bbb", "2030-01-02", 1, 0);
    EXPECT_EQUAL(state_of(path, NULL), TRIAGE_RESOLVED);
}

static void clean_runs_of_another_scenario_prove_nothing(void)
{
    const char *path = path_of("elsewhere.db");
    night(path, "aaa", "2030-01-01", 2, 1);
    struct record *record = create(path);
    for (uint64_t seed = 1; seed <= 100; seed++) {
        add(record, &(struct sample){.seed = seed, .scenario = "scenarios/y.lua"});
    }
    record_close(record);
    stamp(path, 3, "bbb", "2030-01-02");
    EXPECT_EQUAL(state_of(path, NULL), TRIAGE_ONGOING);
}

/* Of 3 runs each fails, behind two classes by turns: each group would want more clean runs. */
static void a_complaint_that_is_gone_is_gone_behind_any_faults(void)
{
    const char *path = path_of("complaint.db");
    struct triage triage;
    struct record *record = create(path);
    add_behind(record, EFFECT_POWER_CUT, 1);
    add_behind(record, EFFECT_HANG, 2);
    add_behind(record, EFFECT_HANG, 3);
    record_close(record);
    stamp(path, 1, "aaa", "2030-01-01");
    /* p = 3/4: (1/4)^2 = 6.3 %, one more is 1.6 %; of the cut alone 1/4, of the hang 1/2. */
    night(path, "bbb", "2030-01-02", 2, 0);
    look(&triage, path, NULL);
    EXPECT_EQUAL(triage.group_count, 2);
    EXPECT_EQUAL(triage.groups[0].state, TRIAGE_ONGOING);
    EXPECT_EQUAL(triage.groups[1].state, TRIAGE_ONGOING);
    triage_free(&triage);
    night(path, "bbb", "2030-01-02", 1, 0);
    look(&triage, path, NULL);
    for (uint32_t i = 0; i < 2; i++) {
        EXPECT_EQUAL(triage.groups[i].state, TRIAGE_RESOLVED);
        EXPECT_EQUAL(triage.groups[i].clean, 3);
        EXPECT(triage.groups[i].chance > 0.0156 && triage.groups[i].chance < 0.0157);
    }
    triage_free(&triage);
}

static void what_fails_seldom_is_rare(void)
{
    const char *path = path_of("rare.db");
    night(path, "aaa", "2030-01-01", 150, 1);
    night(path, "bbb", "2030-01-02", 50, 1);
    EXPECT_EQUAL(state_of(path, NULL), TRIAGE_ONGOING); /* 2 of 200 is one in a hundred */
    night(path, "bbb", "2030-01-02", 1, 0);
    EXPECT_EQUAL(state_of(path, NULL), TRIAGE_RARE);
}

static void sweeps_of_one_commit_are_told_apart_by_time(void)
{
    const char *path = path_of("since.db");
    night(path, "aaa", "2030-01-01", 9, 1);
    night(path, "aaa", "2030-01-02", 9, 1);
    EXPECT_EQUAL(state_of(path, NULL), TRIAGE_NEW);
    EXPECT_EQUAL(state_of(path, "2030-01-02"), TRIAGE_ONGOING);
    EXPECT_EQUAL(state_of(path, "2030-01-01T00:00:00Z"), TRIAGE_NEW);
    struct triage triage;
    struct record *record = record_open(path, RECORD_READ, error, sizeof error);
    EXPECT(!triage_read(&triage, record, "yesterday", error, sizeof error));
    EXPECT(strstr(error, "2026-03-01") != NULL && strstr(error, "yesterday") != NULL);
    triage_free(&triage);
    record_close(record);
}

static void trees_that_were_not_clean_are_told_apart(void)
{
    const char *path = path_of("dirty.db");
    struct triage triage;
    night(path, "aaa-dirty", "2030-01-01", 3, 1);
    tell(path, "UPDATE build SET program = '1111111122' WHERE commit_id = 'aaa-dirty'");
    night(path, "bbb", "2030-01-02", 3, 1);
    tell(path, "UPDATE build SET commit_id = 'aaa-dirty' WHERE commit_id = 'bbb'");
    look(&triage, path, NULL);
    EXPECT_EQUAL(triage.revision_count, 2);
    EXPECT(strcmp(triage.revisions[0].name, "aaa-dirty 11111111") == 0);
    EXPECT_EQUAL(triage.groups[0].state, TRIAGE_ONGOING);
    triage_free(&triage);
}

static void the_best_seeds_are_kept(void)
{
    const char *path = path_of("seeds.db");
    struct triage triage;
    struct record *record = create(path);
    struct sample sample = failing(1);
    sample.faults = 0;
    sample.events = 10;
    add(record, &sample); /* of an older build: it wins nothing */
    record_close(record);
    stamp(path, 1, "aaa", "2030-01-01");
    record = create(path);
    static const struct {
        uint64_t faults, events;
    } runs[] = {{5, 700}, {2, 900}, {2, 800}, {9, 300}};
    for (unsigned i = 0; i < 4; i++) {
        sample.faults = runs[i].faults;
        sample.events = runs[i].events;
        add(record, &sample);
    }
    record_close(record);
    stamp(path, 2, "bbb", "2030-01-02");
    look(&triage, path, NULL);
    EXPECT_EQUAL(triage.group_count, 1);
    EXPECT_EQUAL(triage.failures[triage.groups[0].fewest].run, 3); /* the older of two alike */
    EXPECT_EQUAL(triage.failures[triage.groups[0].fastest].run, 5);
    triage_free(&triage);
}

static void an_empty_database_has_no_groups(void)
{
    const char *path = path_of("empty.db");
    struct triage triage;
    record_close(create(path));
    look(&triage, path, NULL);
    EXPECT_EQUAL(triage.group_count, 0);
    EXPECT_EQUAL(triage_new_count(&triage), 0);
    triage_free(&triage);
}

/* ---- what is known --------------------------------------------------------------------------- */

static const char *write_known(const char *text)
{
    const char *path = path_of("known.txt");
    FILE *file = fopen(path, "w");
    EXPECT(file != NULL);
    fputs(text, file);
    EXPECT_EQUAL(fclose(file), 0);
    return path;
}

static void expect_wrong(const char *text, const char *word)
{
    struct triage_known known;
    const char *path = write_known(text);
    EXPECT(!triage_known_read(&known, path, error, sizeof error));
    if (strstr(error, path) == NULL || strstr(error, word) == NULL) {
        fprintf(stderr, "the error '%s' does not say '%s' and the file\n", error, word);
        exit(1);
    }
    triage_known_free(&known);
}

static void known_groups_break_nothing(void)
{
    const char *path = path_of("known.db");
    char text[200];
    struct triage triage;
    struct triage_known known;
    night(path, "aaa", "2030-01-01", 3, 1);
    look(&triage, path, NULL);
    EXPECT_EQUAL(triage_new_count(&triage), 1);
    snprintf(text, sizeof text, "# a comment\n\n%.8s by its cause\n%s by its key\n00000000 gone\n",
             triage.groups[0].key, triage.groups[0].key);
    EXPECT(triage_known_read(&known, write_known(text), error, sizeof error));
    EXPECT_EQUAL(known.count, 3);
    triage_known_apply(&known, &triage);
    EXPECT(strcmp(triage.groups[0].reason, "by its key") == 0);
    EXPECT_EQUAL(triage_new_count(&triage), 0);
    EXPECT(known.lines[0].used && known.lines[1].used && !known.lines[2].used);
    triage_known_free(&known);
    triage_free(&triage);
}

static void a_wrong_list_is_refused_by_its_line(void)
{
    char text[700];
    expect_wrong("# one\nnonsense why\n", "line 2 does not begin with the key");
    expect_wrong("3FA9C1D2 why\n", "line 1 does not begin");
    expect_wrong("3fa9c1d2-07b1 why\n", "line 1 does not begin");
    expect_wrong("3fa9c1d2\n", "line 1 gives no reason");
    memset(text, 'x', sizeof text);
    memcpy(text, "3fa9c1d2 ", 9);
    text[sizeof text - 1] = '\0';
    expect_wrong(text, "line 1 is longer");
    struct triage_known known;
    EXPECT(!triage_known_read(&known, "/nonexistent/known", error, sizeof error));
    triage_known_free(&known);
}

/* ---- what is written ------------------------------------------------------------------------- */

static char *said(const struct triage_print *print,
                  void (*say)(const struct triage_print *print, FILE *file))
{
    char *text = NULL;
    size_t size;
    FILE *file = open_memstream(&text, &size);
    EXPECT(file != NULL);
    say(print, file);
    EXPECT_EQUAL(fclose(file), 0);
    return text;
}

/* Is every element closed in its order, every attribute quoted, every '&' an entity? Returns how
 * often elements of this name occur. */
static unsigned xml_count(const char *xml, const char *element)
{
    char open[16][32];
    unsigned depth = 0, count = 0;
    EXPECT(strncmp(xml, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n", 39) == 0);
    for (const char *at = xml + 39; *at != '\0';) {
        EXPECT((unsigned char)*at >= ' ' || *at == '\n');
        if (*at == '&') {
            const size_t length = strspn(at + 1, "abcdefghijklmnopqrstuvwxyz#0123456789");
            EXPECT(length >= 2 && at[1 + length] == ';');
        }
        if (*at != '<') {
            at++;
            continue;
        }
        const bool closing = at[1] == '/';
        char name[32];
        at += closing ? 2 : 1;
        const size_t length = strcspn(at, " />");
        EXPECT(length >= 1 && length < sizeof name);
        snprintf(name, sizeof name, "%.*s", (int)length, at);
        at += length;
        bool empty = false;
        while (*at != '>') {
            EXPECT(*at == ' ' || *at == '/');
            if (*at++ == '/') {
                empty = true;
                EXPECT(*at == '>');
                continue;
            }
            at += strcspn(at, "=<>\"");
            EXPECT(at[0] == '=' && at[1] == '"');
            at += 2;
            at += strcspn(at, "<\"");
            EXPECT(*at == '"');
            at++;
        }
        at++;
        if (closing) {
            EXPECT(depth > 0 && strcmp(open[--depth], name) == 0);
            continue;
        }
        count += strcmp(name, element) == 0 ? 1 : 0;
        if (!empty) {
            EXPECT(depth < 16);
            memcpy(open[depth++], name, sizeof name);
        }
    }
    EXPECT_EQUAL(depth, 0);
    return count;
}

/* What the schemas require of a suite: its attributes, and the order of its children. */
static void expect_shape(const char *xml)
{
    static const char *const attributes[] = {"name",  "package",  "id",     "timestamp", "hostname",
                                             "tests", "failures", "errors", "skipped",   "time"};
    for (const char *at = strstr(xml, "<testsuite "); at != NULL;
         at = strstr(at + 1, "<testsuite ")) {
        const char *tag_end = strchr(at, '>'), *end = strstr(at, "</testsuite>");
        unsigned tests = 0, cases = 0;
        EXPECT(tag_end != NULL && end != NULL);
        for (unsigned i = 0; i < sizeof attributes / sizeof attributes[0]; i++) {
            char text[32];
            snprintf(text, sizeof text, " %s=\"", attributes[i]);
            const char *found = strstr(at, text);
            EXPECT(found != NULL && found < tag_end);
        }
        EXPECT_EQUAL(sscanf(strstr(at, " tests="), " tests=\"%u\"", &tests), 1);
        const char *first = strstr(at, "<testcase "), *last = at;
        for (const char *one = first; one != NULL && one < end;
             one = strstr(one + 1, "<testcase ")) {
            EXPECT(strstr(one, " classname=\"") != NULL && strstr(one, " time=\"") != NULL);
            last = one;
            cases++;
        }
        EXPECT_EQUAL(cases, tests);
        EXPECT(strstr(at, "<properties>") < first && strstr(at, "</properties>") < first);
        EXPECT(strstr(last, "<system-out/>") < strstr(last, "<system-err/>"));
        EXPECT(strstr(last, "<system-err/>") < end);
    }
}

static void hostile_database(const char *path)
{
    struct record *record = create(path);
    struct sample sample = failing(1);
    sample.scenario = "scenarios/<&\"'>.lua";
    sample.what = "a <b> & \"c\" 'd' ]]> | `e` \x01\x1b \xff\xfe \xc3\xa9 \xed\xa0\x80";
    add(record, &sample);
    sample.scenario = "scenarios/y.lua";
    sample.what = NULL;
    add(record, &sample);
    record_close(record);
}

static void junit_is_well_formed_whatever_was_said(void)
{
    const char *path = path_of("hostile.db");
    struct triage triage;
    hostile_database(path);
    look(&triage, path, NULL);
    const struct triage_print print = {&triage, NULL, "x & y.db"};
    char *xml = said(&print, triage_print_junit);
    expect_shape(xml);
    EXPECT_EQUAL(xml_count(xml, "testsuites"), 1);
    EXPECT_EQUAL(xml_count(xml, "testsuite"), 2);
    EXPECT_EQUAL(xml_count(xml, "testcase"), 2 * LAW_COUNT);
    EXPECT_EQUAL(xml_count(xml, "failure"), 1);
    EXPECT_EQUAL(xml_count(xml, "skipped"), 2 * (LAW_COUNT - 1) - 1);
    EXPECT(strstr(xml, "&lt;b&gt; &amp; &quot;c&quot;") != NULL);
    EXPECT(strstr(xml, "?? ?? \xc3\xa9 ???") != NULL);
    EXPECT(strstr(xml, "brownout replay 1 --db &apos;x &amp; y.db&apos;") != NULL);
    EXPECT(strstr(xml, "failures=\"1\" errors=\"0\"") != NULL);
    free(xml);
    triage_free(&triage);
}

static void known_failures_are_skipped_in_junit(void)
{
    const char *path = path_of("skipped.db");
    char text[100];
    struct triage triage;
    struct triage_known known;
    night(path, "aaa", "2030-01-01", 3, 1);
    look(&triage, path, NULL);
    snprintf(text, sizeof text, "%s issue <7>\n", triage.groups[0].key);
    EXPECT(triage_known_read(&known, write_known(text), error, sizeof error));
    triage_known_apply(&known, &triage);
    const struct triage_print print = {&triage, &known, RECORD_FILE};
    char *xml = said(&print, triage_print_junit);
    EXPECT_EQUAL(xml_count(xml, "failure"), 0);
    EXPECT_EQUAL(xml_count(xml, "skipped"), LAW_COUNT - 1); /* telemetry.once held */
    EXPECT(strstr(xml, "known: issue &lt;7&gt;") != NULL);
    free(xml);
    triage_known_free(&known);
    triage_free(&triage);
}

static void json_says_all_of_it(void)
{
    const char *path = path_of("json.db");
    struct triage triage;
    hostile_database(path);
    look(&triage, path, NULL);
    const struct triage_print print = {&triage, NULL, RECORD_FILE};
    char *text = said(&print, triage_print_json);
    cJSON *object = cJSON_Parse(text);
    EXPECT(object != NULL);
    const cJSON *groups = cJSON_GetObjectItem(object, "groups");
    EXPECT_EQUAL(cJSON_GetArraySize(groups), 1);
    const cJSON *group = cJSON_GetArrayItem(groups, 0);
    EXPECT(strcmp(cJSON_GetStringValue(cJSON_GetObjectItem(group, "state")), "new") == 0);
    EXPECT(strcmp(cJSON_GetStringValue(cJSON_GetObjectItem(group, "key")), triage.groups[0].key) ==
           0);
    const cJSON *seed = cJSON_GetObjectItem(group, "fastest");
    EXPECT(strcmp(cJSON_GetStringValue(cJSON_GetObjectItem(seed, "replay")), "brownout replay 1") ==
           0);
    cJSON_Delete(object);
    free(text);
    triage_free(&triage);
}

static void markdown_keeps_its_table(void)
{
    const char *path = path_of("markdown.db");
    struct triage triage;
    hostile_database(path);
    look(&triage, path, NULL);
    const struct triage_print print = {&triage, NULL, RECORD_FILE};
    char *text = said(&print, triage_print_markdown);
    const char *row = strstr(text, "| new |");
    EXPECT(row != NULL);
    unsigned bars = 0;
    for (const char *at = row; *at != '\n'; at++) {
        bars += *at == '|' && (at == row || at[-1] != '\\') ? 1 : 0;
    }
    EXPECT_EQUAL(bars, 7);
    EXPECT(strstr(text, "```\nbrownout replay 1  #") != NULL);
    free(text);
    triage_free(&triage);
}

int main(void)
{
    EXPECT(mkdtemp(folder) != NULL);
    RUN(a_key_is_a_function_of_the_failure_alone);
    RUN(another_complaint_is_another_group);
    RUN(the_cone_holds_what_struck_near_and_shortly_before);
    RUN(a_failure_without_faults_takes_all_of_its_complaint);
    RUN(what_a_run_was_shrunk_to_is_its_cone);
    RUN(names_that_begin_alike_are_not_the_same_class);
    RUN(what_no_law_says_is_a_group_too);
    RUN(a_plan_that_cannot_be_read_has_no_cone);
    RUN(states_follow_the_commits);
    RUN(one_failure_in_one_run_is_not_certainty);
    RUN(clean_runs_of_another_scenario_prove_nothing);
    RUN(a_complaint_that_is_gone_is_gone_behind_any_faults);
    RUN(what_fails_seldom_is_rare);
    RUN(sweeps_of_one_commit_are_told_apart_by_time);
    RUN(trees_that_were_not_clean_are_told_apart);
    RUN(the_best_seeds_are_kept);
    RUN(an_empty_database_has_no_groups);
    RUN(known_groups_break_nothing);
    RUN(a_wrong_list_is_refused_by_its_line);
    RUN(junit_is_well_formed_whatever_was_said);
    RUN(known_failures_are_skipped_in_junit);
    RUN(json_says_all_of_it);
    RUN(markdown_keeps_its_table);
    scratch_remove(folder);
    return 0;
}
