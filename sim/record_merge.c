/* The runs of another database, added to this one. */
#include <sqlite3.h>
#include <stdio.h>
#include <string.h>

#include "sim/record_inside.h"

/* ?1: run there, ?2: run here. Tables whose rows belong to one run, but for coverage. */
#define COPY(table, columns)                                                                       \
    "INSERT INTO " table " SELECT ?2, " columns " FROM other." table " WHERE run = ?1"
static const char *const copies[] = {
    COPY("run_law", "law, exercised, void, broken"),
    COPY("run_step", "spec, action, steps"),
    COPY("run_fault", "fault, filed, fired"),
    COPY("run_probe", "probe, reached"),
    COPY("run_figure", "figure, value"),
    COPY("violation", "law, what, expected, actual, event, time_us, node, device, epoch, counter, "
                      "check_text"),
    COPY("plan", "text"),
    COPY("shrunk", "failure, faults_before, faults, classes, devices, minimal, seed, text"),
    COPY("event", "ordinal, event, time_us, node, kind, a, b, result, counter, value, text"),
};
enum { COPY_COUNT = sizeof copies / sizeof copies[0] };

#define SAME_BUILD                                                                                 \
    "b.commit_id = ob.commit_id AND b.compiler = ob.compiler AND b.type = ob.type AND "            \
    "b.sqlite = ob.sqlite AND b.program = ob.program"

/* A run of one program with one scenario, settings and seed is one run, wherever it was lived. */
static const char *const kin_sql =
    "SELECT r.verdict = o.verdict AND r.hash IS o.hash, r.hash <> o.hash FROM other.run AS o "
    "JOIN other.build AS ob ON ob.id = o.build JOIN main.build AS b ON " SAME_BUILD " "
    "JOIN main.run AS r ON r.build = b.id AND r.seed = o.seed AND r.scenario = o.scenario "
    "AND r.scenario_hash = o.scenario_hash AND r.settings = o.settings WHERE o.id = ?1 "
    "ORDER BY 1 DESC, 2 DESC LIMIT 1";
static const char *const run_sql =
    "INSERT INTO main.run SELECT NULL, b.id, o.recorded_at, o.scenario, o.scenario_hash, "
    "o.question, o.settings, o.drawn, o.seed, o.verdict, o.message, o.hash, o.plan_hash, o.events, "
    "o.sim_us, o.wall_us, o.ending, o.memory_bytes, o.live_expectation FROM other.run AS o "
    "JOIN other.build AS ob ON ob.id = o.build JOIN main.build AS b ON " SAME_BUILD
    " WHERE o.id = ?1";

enum { KIN, RUN, COVERAGE, COPIES, STATEMENTS = COPIES + COPY_COUNT };

struct merge {
    struct record *record;
    sqlite3_stmt *statements[STATEMENTS];
    struct record_merged *merged;
};

static bool prepare(struct merge *merge)
{
    const char *texts[STATEMENTS] = {
        [KIN] = kin_sql,
        [RUN] = run_sql,
        [COVERAGE] = "SELECT kind, keys FROM other.run_coverage WHERE run = ?1 ORDER BY kind",
    };
    memcpy(texts + COPIES, copies, sizeof copies);
    for (unsigned i = 0; i < STATEMENTS; i++) {
        if (sqlite3_prepare_v2(merge->record->database, texts[i], -1, &merge->statements[i],
                               NULL) != SQLITE_OK) {
            return false;
        }
    }
    return true;
}

static sqlite3_stmt *bind(struct merge *merge, unsigned which, int64_t there, int64_t here)
{
    sqlite3_stmt *statement = merge->statements[which];
    sqlite3_reset(statement);
    sqlite3_bind_int64(statement, 1, there);
    if (which >= COPIES) {
        sqlite3_bind_int64(statement, 2, here);
    }
    return statement;
}

static bool copy_coverage(struct merge *merge, int64_t there, int64_t here)
{
    sqlite3_stmt *statement = bind(merge, COVERAGE, there, here);
    int stepped;
    bool good = true;
    while (good && (stepped = sqlite3_step(statement)) == SQLITE_ROW) {
        struct coverage_set set;
        const char *kind = (const char *)sqlite3_column_text(statement, 0);
        good = kind != NULL &&
               coverage_unpack(sqlite3_column_blob(statement, 1),
                               (size_t)sqlite3_column_bytes(statement, 1), &set) &&
               record_write_coverage(merge->record, kind, &set, here);
        coverage_set_free(&set);
    }
    sqlite3_reset(statement);
    return good && stepped == SQLITE_DONE;
}

static bool copy_run(struct merge *merge, int64_t there)
{
    if (sqlite3_step(bind(merge, RUN, there, 0)) != SQLITE_DONE) {
        return false;
    }
    const int64_t here = sqlite3_last_insert_rowid(merge->record->database);
    bool good = true;
    for (unsigned i = COPIES; i < STATEMENTS && good; i++) {
        good = sqlite3_step(bind(merge, i, there, here)) == SQLITE_DONE;
    }
    merge->merged->added++;
    return good && copy_coverage(merge, there, here);
}

static bool add_run(struct merge *merge, int64_t there)
{
    sqlite3_stmt *kin = bind(merge, KIN, there, 0);
    const int stepped = sqlite3_step(kin);
    const bool agrees = stepped == SQLITE_ROW && sqlite3_column_int(kin, 0) != 0;
    const bool differs = stepped == SQLITE_ROW && sqlite3_column_int(kin, 1) != 0;
    sqlite3_reset(kin);
    if (agrees) {
        merge->merged->known++;
        return true;
    }
    if (differs) {
        merge->merged->disagreeing++;
        if (merge->merged->first_disagreeing == 0) {
            merge->merged->first_disagreeing = there;
        }
    }
    return (stepped == SQLITE_ROW || stepped == SQLITE_DONE) && copy_run(merge, there);
}

/* Their numbers first: a statement that reads what is being written would see its own rows. */
static bool add_runs(struct merge *merge)
{
    sqlite3_stmt *ids;
    int stepped = SQLITE_ERROR;
    if (sqlite3_prepare_v2(merge->record->database, "SELECT id FROM other.run ORDER BY id", -1,
                           &ids, NULL) != SQLITE_OK) {
        return false;
    }
    bool good = true;
    while (good && (stepped = sqlite3_step(ids)) == SQLITE_ROW) {
        good = add_run(merge, sqlite3_column_int64(ids, 0));
    }
    sqlite3_finalize(ids);
    return good && stepped == SQLITE_DONE;
}

static bool attach(struct record *record, const char *path)
{
    sqlite3_stmt *statement = NULL;
    const bool good = sqlite3_prepare_v2(record->database, "ATTACH ?1 AS other", -1, &statement,
                                         NULL) == SQLITE_OK &&
                      sqlite3_bind_text(statement, 1, path, -1, SQLITE_STATIC) == SQLITE_OK &&
                      sqlite3_step(statement) == SQLITE_DONE;
    sqlite3_finalize(statement);
    return good;
}

bool record_merge(struct record *record, const char *path, struct record_merged *merged,
                  char *error, size_t error_bytes)
{
    struct merge merge = {.record = record, .merged = merged};
    struct record *other = record_open(path, RECORD_READ, error, error_bytes);
    memset(merged, 0, sizeof *merged);
    if (other == NULL) { /* not ours, or of another version */
        return false;
    }
    record_close(other);
    if (!attach(record, path)) {
        return record_explain(record, error, error_bytes);
    }
    bool good = record_exec(record, "BEGIN IMMEDIATE") &&
                record_exec(record, "INSERT OR IGNORE INTO main.build SELECT NULL, commit_id, "
                                    "compiler, type, sqlite, program FROM other.build") &&
                prepare(&merge) && add_runs(&merge) && record_exec(record, "COMMIT");
    if (!good) {
        record_explain(record, error, error_bytes);
    }
    for (unsigned i = 0; i < STATEMENTS; i++) {
        sqlite3_finalize(merge.statements[i]);
    }
    if (!good) {
        (void)record_exec(record, "ROLLBACK");
    }
    (void)record_exec(record, "DETACH other");
    return good;
}
