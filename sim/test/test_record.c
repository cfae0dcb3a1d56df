/* Goal: a recorded run is found again whole, every view answers, and a file that is not ours, not
 * of this version, not writable or full is refused by a word that helps, and is not harmed. Method:
 * results made here, written to files in a folder of their own, and looked at with SQLite. */
#include "sim/record.h"

#include <signal.h>
#include <sqlite3.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/check.h"
#include "core/test/test.h"
#include "sim/disk.h"
#include "sim/test/scratch.h"

enum { NOBODY = 65534 };

static char folder[] = "/tmp/brownout_record_XXXXXX";
static char error[RECORD_ERROR_BYTES];

_Noreturn void check_failed(const char *file, int line, const char *what)
{
    fprintf(stderr, "%s:%d: check failed: %s\n", file, line, what);
    exit(1);
}

/* ---- files and questions --------------------------------------------------------------------- */

/* A name in the folder, without a file. */
static const char *fresh(const char *name)
{
    static char path[128];
    static const char *const tails[] = {"", "-wal", "-shm", "-journal"};
    for (unsigned i = 0; i < sizeof tails / sizeof tails[0]; i++) {
        snprintf(path, sizeof path, "%s/%s%s", folder, name, tails[i]);
        unlink(path);
    }
    snprintf(path, sizeof path, "%s/%s", folder, name);
    return path;
}

static sqlite3 *look(const char *path)
{
    sqlite3 *database;
    EXPECT_EQUAL(
        sqlite3_open_v2(path, &database, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, "unix"),
        SQLITE_OK);
    return database;
}

/* First column of the first row, as text; "" if there is no row. */
static const char *ask(const char *path, const char *sql)
{
    static char answer[1024];
    sqlite3 *database = look(path);
    sqlite3_stmt *statement;
    answer[0] = '\0';
    if (sqlite3_prepare_v2(database, sql, -1, &statement, NULL) != SQLITE_OK) {
        fprintf(stderr, "%s: %s\n", sql, sqlite3_errmsg(database));
        exit(1);
    }
    if (sqlite3_step(statement) == SQLITE_ROW && sqlite3_column_text(statement, 0) != NULL) {
        snprintf(answer, sizeof answer, "%s", (const char *)sqlite3_column_text(statement, 0));
    }
    sqlite3_finalize(statement);
    sqlite3_close(database);
    return answer;
}

static long long count(const char *path, const char *sql)
{
    return strtoll(ask(path, sql), NULL, 10);
}

static void tell(const char *path, const char *sql)
{
    sqlite3 *database = look(path);
    EXPECT_EQUAL(sqlite3_exec(database, sql, NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(database);
}

static void expect_refused(const char *path, enum record_access how, const char *word)
{
    struct record *record = record_open(path, how, error, sizeof error);
    EXPECT(record == NULL);
    if (strstr(error, path) == NULL || strstr(error, word) == NULL) {
        fprintf(stderr, "the error '%s' does not say '%s' and the file\n", error, word);
        exit(1);
    }
}

/* ---- runs ------------------------------------------------------------------------------------ */

static void make_result(struct run_result *result, enum verdict verdict)
{
    memset(result, 0, sizeof *result);
    plan_init(&result->plan, 7);
    result->verdict = verdict;
    result->events = 1000;
    result->sim_us = 3600000000u;
    result->wall_us = 250000;
    result->digest[0] = 1;
    result->figures[FIGURE_accepted] = 10;
    result->figures[FIGURE_air_bytes] = 2005;
    result->figures[FIGURE_recovery_us] = FIGURE_UNKNOWN;
    result->filed[EFFECT_POWER_CUT] = 3;
    result->fired[EFFECT_POWER_CUT] = 2;
    result->probes[PROBE_shed] = 5;
    result->steps[0][0] = 4; /* of Reserve, as telemetry.def has it */
    result->steps[1][1] = 2; /* of Connect, as session.def has it */
    result->exercised[LAW_TELEMETRY_ONCE] = 9;
    if (verdict == VERDICT_FAIL) {
        result->violated = true;
        result->violation = (struct violation){
            .law = LAW_TELEMETRY_DURABLE,
            .observation = {.time_us = 5, .event = 999, .node = 1, .device = 3, .counter = 8},
            .what = "it is gone",
            .expected = 1,
            .actual = UINT64_MAX,
        };
        snprintf(result->message, sizeof result->message, "telemetry.durable: it is gone");
    }
}

static int64_t add(struct record *record, enum verdict verdict, uint64_t seed, const char *plan,
                   struct trace *trace)
{
    struct run_result result;
    uint64_t keys[] = {5, 300, 4000 + seed % 2};
    make_result(&result, verdict);
    result.coverage[COVERAGE_TRANSITION] = (struct coverage_set){keys, 3, 0};
    const struct record_run run = {
        .scenario = "scenarios/x.lua",
        .scenario_hash = "abc",
        .settings = "fleet.devices=3\n",
        .seed = seed,
        .result = &result,
        .plan = plan,
        .trace = trace,
    };
    return record_write(record, &run, error, sizeof error);
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

static void sum_up(void *ctx, uint64_t key, uint64_t runs)
{
    *(uint64_t *)ctx += key * runs;
}

/* ---- tests ----------------------------------------------------------------------------------- */

static void a_recorded_run_is_found_again(void)
{
    const char *path = fresh("found.db");
    struct record_found found;
    struct record_build build;
    struct record *record = create(path);
    EXPECT_EQUAL(add(record, VERDICT_PASS, 7, NULL, NULL), 1);
    EXPECT_EQUAL(add(record, VERDICT_FAIL, INT64_MAX, "brownout plan 1\n", NULL), 2);
    record_close(record);
    record = record_open(path, RECORD_READ, error, sizeof error);
    EXPECT(record != NULL);
    EXPECT(record_find(record, 1, &found, error, sizeof error));
    EXPECT_EQUAL(found.seed, 7);
    EXPECT(strcmp(found.verdict, "pass") == 0);
    EXPECT(strcmp(found.scenario, "scenarios/x.lua") == 0);
    EXPECT(strcmp(found.settings, "fleet.devices=3\n") == 0);
    EXPECT(found.plan == NULL);
    EXPECT_EQUAL(strlen(found.hash), 32);
    record_build(&build);
    EXPECT(strcmp(found.program, build.program) == 0);
    record_found_free(&found);
    EXPECT(record_find(record, 2, &found, error, sizeof error));
    EXPECT_EQUAL(found.seed, INT64_MAX);
    EXPECT(strcmp(found.plan, "brownout plan 1\n") == 0);
    record_found_free(&found);
    EXPECT(!record_find(record, 3, &found, error, sizeof error));
    EXPECT(strstr(error, "no run 3; the last one is 2") != NULL);
    record_close(record);
    EXPECT_EQUAL(count(path, "SELECT count(*) FROM build"), 1);
    EXPECT_EQUAL(count(path, "SELECT count(*) FROM run_law"), 2 * LAW_COUNT);
    EXPECT_EQUAL(count(path, "SELECT count(*) FROM run_fault"), 2 * EFFECT_COUNT);
    EXPECT_EQUAL(count(path, "SELECT count(*) FROM run_probe"), 2 * PROBE_COUNT);
    EXPECT_EQUAL(count(path, "SELECT count(*) FROM run_figure"), 2 * (FIGURE_COUNT - 1));
    EXPECT_EQUAL(count(path, "SELECT actual FROM violation WHERE run = 2"), -1);
    EXPECT_EQUAL(count(path, "PRAGMA application_id"), RECORD_APPLICATION);
    EXPECT_EQUAL(count(path, "PRAGMA user_version"), RECORD_SCHEMA);
    EXPECT(strcmp(ask(path, "PRAGMA journal_mode"), "wal") == 0);
    EXPECT(strcmp(ask(path, "PRAGMA integrity_check"), "ok") == 0);
    EXPECT(strcmp(ask(path, "PRAGMA foreign_key_check"), "") == 0);
}

static void what_runs_showed_is_united(void)
{
    const char *path = fresh("coverage.db");
    uint64_t sum = 0;
    struct record *record = create(path);
    for (uint64_t seed = 1; seed <= 3; seed++) {
        EXPECT_EQUAL(add(record, VERDICT_PASS, seed, NULL, NULL), (int64_t)seed);
    }
    EXPECT(record_coverage(record, COVERAGE_TRANSITION, sum_up, &sum, error, sizeof error));
    EXPECT_EQUAL(sum, 3 * 5 + 3 * 300 + 4000 + 2 * 4001);
    sum = 0;
    EXPECT(record_coverage(record, COVERAGE_EDGE, sum_up, &sum, error, sizeof error));
    EXPECT_EQUAL(sum, 0);
    record_close(record);
    EXPECT_EQUAL(count(path, "SELECT fresh FROM run_coverage WHERE run = 1"), 3);
    EXPECT_EQUAL(count(path, "SELECT fresh FROM run_coverage WHERE run = 2"), 1);
    EXPECT_EQUAL(count(path, "SELECT fresh FROM run_coverage WHERE run = 3"), 0);
    EXPECT_EQUAL(count(path, "SELECT first_run FROM coverage WHERE key = 4000"), 2);
    EXPECT_EQUAL(count(path, "SELECT outcomes FROM saturation"), 2);
    EXPECT_EQUAL(count(path, "SELECT once FROM saturation"), 1);
}

/* The run of the other file gets another number here, and keeps what it was shrunk to. */
static void what_a_run_was_shrunk_to_goes_with_it(void)
{
    char here[128], there[128];
    snprintf(here, sizeof here, "%s", fresh("here.db"));
    snprintf(there, sizeof there, "%s", fresh("there.db"));
    struct record *record = create(there);
    EXPECT_EQUAL(add(record, VERDICT_FAIL, 9, "a plan", NULL), 1);
    const struct record_shrunk shrunk = {.run = 1,
                                         .failure = "telemetry.durable at ACK",
                                         .faults_before = 7,
                                         .faults = 1,
                                         .classes = "crash",
                                         .devices = 2,
                                         .seed = 3,
                                         .minimal = true,
                                         .text = "return {}"};
    EXPECT(record_shrunk(record, &shrunk, error, sizeof error));
    record_close(record);
    EXPECT_EQUAL(count(there, "SELECT count(*) FROM run_figure WHERE figure = 'recovery_us'"), 0);
    EXPECT_EQUAL(count(there, "SELECT count(*) FROM run_figure"), FIGURE_COUNT - 1);
    struct record_merged merged;
    record = create(here);
    EXPECT_EQUAL(add(record, VERDICT_PASS, 1, NULL, NULL), 1);
    EXPECT(record_merge(record, there, &merged, error, sizeof error));
    record_close(record);
    EXPECT_EQUAL(count(here, "SELECT run FROM shrunk WHERE faults_before = 7 AND faults = 1 AND "
                             "classes = 'crash' AND "
                             "devices = 2 AND seed = 3 AND minimal AND text = 'return {}'"),
                 2);
}

static void every_view_answers(void)
{
    const char *path = fresh("views.db");
    char name[64], sql[128];
    struct record *record = create(path);
    EXPECT_EQUAL(add(record, VERDICT_PASS, 1, NULL, NULL), 1);
    EXPECT_EQUAL(add(record, VERDICT_FAIL, 2, "plan", NULL), 2);
    EXPECT_EQUAL(add(record, VERDICT_FAIL, 3, "plan", NULL), 3);
    record_close(record);
    const long long views = count(path, "SELECT count(*) FROM sqlite_schema WHERE type = 'view'");
    EXPECT(views >= 9);
    for (long long i = 0; i < views; i++) {
        snprintf(sql, sizeof sql,
                 "SELECT name FROM sqlite_schema WHERE type = 'view' LIMIT 1 OFFSET %lld", i);
        snprintf(name, sizeof name, "%s", ask(path, sql));
        snprintf(sql, sizeof sql, "SELECT count(*) FROM \"%s\"", name);
        EXPECT(count(path, sql) > 0);
    }
    snprintf(sql, sizeof sql, "brownout replay 2 --db '%s'", path);
    EXPECT(strcmp(ask(path, "SELECT replay FROM failures"), sql) == 0);
    EXPECT_EQUAL(count(path, "SELECT runs FROM causes"), 2);
    EXPECT_EQUAL(count(path, "SELECT broken FROM laws WHERE law = 'telemetry.durable'"), 2);
    EXPECT_EQUAL(count(path, "SELECT held FROM laws WHERE law = 'telemetry.once'"), 3);
    EXPECT_EQUAL(count(path, "SELECT fired FROM faults WHERE fault = 'power_cut'"), 6);
    EXPECT_EQUAL(count(path, "SELECT runs FROM probes WHERE probe = 'shed'"), 3);
    EXPECT_EQUAL(count(path, "SELECT steps FROM steps WHERE action = 'Reserve'"), 12);
    EXPECT_EQUAL(
        count(path, "SELECT steps FROM steps WHERE spec = 'Session' AND action = 'Connect'"), 6);
    EXPECT_EQUAL(count(path, "SELECT sum(runs) FROM steps WHERE action = 'Sign'"), 0);
    EXPECT(strcmp(ask(path, "SELECT air_bytes FROM per_reading"), "200.5") == 0);
    EXPECT_EQUAL(count(path, "SELECT events_per_s FROM slowest"), 4000);
}

static void a_trace_stands_in_its_order(void)
{
    const char *path = fresh("trace.db");
    struct record *record = create(path);
    struct settings settings;
    struct trace last, all;
    settings_init(&settings);
    EXPECT(trace_open(&last, false));
    EXPECT(trace_open(&all, true));
    for (uint64_t i = 0; i < TRACE_KEPT + 500; i++) {
        const struct world_item item = {.kind = ITEM_EVIDENCE, .event = i, .node = 1};
        trace_item(&last, &item);
        trace_item(&all, &item);
    }
    EXPECT_EQUAL(add(record, VERDICT_FAIL, 1, "plan", &last), 1);
    EXPECT_EQUAL(count(path, "SELECT count(*) FROM event"), TRACE_KEPT);
    EXPECT_EQUAL(count(path, "SELECT min(ordinal) FROM event"), 500);
    EXPECT_EQUAL(count(path, "SELECT count(*) FROM event WHERE ordinal <> event"), 0);
    EXPECT(record_trace(record, 1, &settings, &all, error, sizeof error));
    EXPECT_EQUAL(count(path, "SELECT count(*) FROM event"), TRACE_KEPT + 500);
    EXPECT_EQUAL(count(path, "SELECT count(*) FROM event WHERE ordinal <> event"), 0);
    EXPECT(strcmp(ask(path, "SELECT node FROM event"), "cloud1") == 0);
    trace_close(&last);
    trace_close(&all);
    record_close(record);
}

static void the_simulated_disk_is_never_written_to(void)
{
    const char *path = fresh("real.db");
    disk_vfs_register(true);
    struct record *record = create(path);
    EXPECT_EQUAL(add(record, VERDICT_PASS, 1, NULL, NULL), 1);
    record_close(record);
    EXPECT_EQUAL(access(path, F_OK), 0);
    EXPECT_EQUAL(count(path, "SELECT count(*) FROM run"), 1);
}

static void a_file_that_is_not_ours_is_left_alone(void)
{
    const char *path = fresh("other.db");
    tell(path, "CREATE TABLE precious (x); INSERT INTO precious VALUES (7)");
    expect_refused(path, RECORD_CREATE, "another program");
    expect_refused(path, RECORD_READ, "--db");
    EXPECT_EQUAL(count(path, "SELECT count(*) FROM sqlite_schema"), 1);
    EXPECT(strcmp(ask(path, "PRAGMA journal_mode"), "delete") == 0);
    tell(path, "PRAGMA application_id = 77; DROP TABLE precious");
    expect_refused(path, RECORD_CREATE, "another program");
}

static void a_text_file_is_left_alone(void)
{
    const char *path = fresh("notes.txt");
    struct stat before, after;
    FILE *file = fopen(path, "w");
    EXPECT(file != NULL);
    fputs("these are notes of somebody, and long enough to be no header of a database at all, or "
          "so one should think; more than a hundred bytes\n",
          file);
    fclose(file);
    EXPECT_EQUAL(stat(path, &before), 0);
    expect_refused(path, RECORD_CREATE, "not a database");
    expect_refused(path, RECORD_WRITE, "--db");
    EXPECT_EQUAL(stat(path, &after), 0);
    EXPECT_EQUAL(before.st_size, after.st_size);
}

static void other_versions_are_named(void)
{
    const char *path = fresh("newer.db");
    record_close(create(path));
    tell(path, "PRAGMA user_version = 99");
    expect_refused(path, RECORD_CREATE, "a newer brownout (schema 99");
    expect_refused(path, RECORD_READ, "a newer brownout");
    tell(path, "PRAGMA user_version = 0");
    expect_refused(path, RECORD_WRITE, "an older brownout");
}

static void a_missing_or_empty_file_holds_no_run(void)
{
    const char *path = fresh("missing.db");
    expect_refused(path, RECORD_READ, "no file");
    expect_refused(path, RECORD_WRITE, "no file");
    FILE *file = fopen(path, "w");
    EXPECT(file != NULL);
    fclose(file);
    expect_refused(path, RECORD_READ, "empty");
    record_close(create(path));
    record_close(record_open(path, RECORD_READ, error, sizeof error));
    expect_refused("/nonexistent/folder/runs.db", RECORD_CREATE, "folder");
}

static void a_read_only_file_is_refused_for_writing(void)
{
    const char *path = fresh("readonly.db");
    const bool root = geteuid() == 0; /* root may write anywhere: be somebody else for a moment */
    tell(path, "PRAGMA user_version = 0; CREATE TABLE t (x); DROP TABLE t");
    EXPECT_EQUAL(chmod(folder, 0755), 0);
    EXPECT_EQUAL(chmod(path, 0444), 0);
    EXPECT(!root || seteuid(NOBODY) == 0);
    expect_refused(path, RECORD_CREATE, "read-only");
    EXPECT(!root || seteuid(0) == 0);
    EXPECT_EQUAL(chmod(path, 0644), 0);
    record_close(create(path));
}

static void a_full_disk_costs_the_run_and_not_the_file(void)
{
    const char *path = fresh("full.db");
    struct rlimit before, small;
    struct record *record = create(path);
    int64_t written = 0;
    EXPECT_EQUAL(getrlimit(RLIMIT_FSIZE, &before), 0);
    EXPECT(signal(SIGXFSZ, SIG_IGN) != SIG_ERR);
    small = before;
    small.rlim_cur = 300000;
    EXPECT_EQUAL(setrlimit(RLIMIT_FSIZE, &small), 0);
    while (written < 1000 && add(record, VERDICT_FAIL, 1, "plan", NULL) == written + 1) {
        written++;
    }
    EXPECT(written > 0 && written < 1000);
    EXPECT(strstr(error, path) != NULL);
    EXPECT(strstr(error, "is the disk full?") != NULL);
    EXPECT_EQUAL(setrlimit(RLIMIT_FSIZE, &before), 0);
    EXPECT_EQUAL(add(record, VERDICT_PASS, 2, NULL, NULL), written + 1); /* there is room again */
    record_close(record);
    EXPECT_EQUAL(count(path, "SELECT count(*) FROM run"), written + 1);
    EXPECT_EQUAL(count(path, "SELECT count(*) FROM build"), 1);
    EXPECT_EQUAL(count(path, "SELECT count(*) FROM run_law"), (written + 1) * LAW_COUNT);
    EXPECT(strcmp(ask(path, "PRAGMA integrity_check"), "ok") == 0);
}

int main(void)
{
    EXPECT(mkdtemp(folder) != NULL);
    RUN(a_recorded_run_is_found_again);
    RUN(what_runs_showed_is_united);
    RUN(what_a_run_was_shrunk_to_goes_with_it);
    RUN(every_view_answers);
    RUN(a_trace_stands_in_its_order);
    RUN(a_file_that_is_not_ours_is_left_alone);
    RUN(a_text_file_is_left_alone);
    RUN(other_versions_are_named);
    RUN(a_missing_or_empty_file_holds_no_run);
    RUN(a_read_only_file_is_refused_for_writing);
    RUN(a_full_disk_costs_the_run_and_not_the_file);
    RUN(the_simulated_disk_is_never_written_to);
    scratch_remove(folder);
    return 0;
}
