/* What record.c and record_write.c share. */
#ifndef BROWNOUT_SIM_RECORD_INSIDE_H
#define BROWNOUT_SIM_RECORD_INSIDE_H

#include <stdbool.h>

#include "sim/record.h"

#define RECORD_STATEMENTS(X)                                                                       \
    X(BUILD_ADD, "INSERT OR IGNORE INTO build VALUES (NULL, ?1, ?2, ?3, ?4, ?5)")                  \
    X(BUILD_FIND, "SELECT id FROM build WHERE commit_id = ?1 AND compiler = ?2 AND type = ?3 "     \
                  "AND sqlite = ?4 AND program = ?5")                                              \
    X(RUN, "INSERT INTO run VALUES (NULL, ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, "     \
           "?13, ?14, ?15, ?16, ?17, ?18)")                                                        \
    X(LAW, "INSERT INTO run_law VALUES (?1, ?2, ?3, ?4, ?5)")                                      \
    X(STEP, "INSERT INTO run_step VALUES (?1, ?2, ?3, ?4)")                                        \
    X(COVERAGE_KEY, "INSERT INTO coverage VALUES (?1, ?2, ?3, 1) "                                 \
                    "ON CONFLICT DO UPDATE SET runs = runs + 1 RETURNING runs")                    \
    X(COVERAGE, "INSERT INTO run_coverage VALUES (?1, ?2, ?3, ?4, ?5, ?6)")                        \
    X(COVERAGE_EACH, "SELECT key, runs FROM coverage WHERE kind = ?1 ORDER BY key")                \
    X(FAULT, "INSERT INTO run_fault VALUES (?1, ?2, ?3, ?4)")                                      \
    X(PROBE, "INSERT INTO run_probe VALUES (?1, ?2, ?3)")                                          \
    X(FIGURE, "INSERT INTO run_figure VALUES (?1, ?2, ?3)")                                        \
    X(VIOLATION, "INSERT INTO violation VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, "    \
                 "?12)")                                                                           \
    X(PLAN, "INSERT INTO plan VALUES (?1, ?2)")                                                    \
    X(SHRUNK, "INSERT OR REPLACE INTO shrunk VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)")         \
    X(EVENTS_DROP, "DELETE FROM event WHERE run = ?1")                                             \
    X(EVENT, "INSERT INTO event VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)")       \
    X(LOOK_UP,                                                                                     \
      "SELECT run.id, verdict, message, law FROM run JOIN build ON build.id = run.build "          \
      "LEFT JOIN violation ON violation.run = run.id WHERE seed = ?1 AND scenario = ?2 "           \
      "AND scenario_hash = ?3 AND settings = ?4 AND program = ?5 ORDER BY run.id LIMIT 1")         \
    X(UNREACHED, "SELECT (SELECT count(*) FROM run), coalesce(group_concat(probe, ', '), '') "     \
                 "FROM probes WHERE reached = 0")                                                  \
    X(SATURATION, "SELECT runs, outcomes, keys, once, fresh_chance FROM saturation "               \
                  "WHERE kind = 'transition'")                                                     \
    X(CLASSES, "SELECT area, count(DISTINCT CASE WHEN verdict = 'pass' THEN hash END), "           \
               "count(DISTINCT CASE WHEN broken THEN hash END) FROM (SELECT verdict, hash, "       \
               "CASE WHEN law LIKE 'spec.%' THEN substr(law, 6) "                                  \
               "ELSE substr(law, 1, instr(law, '.') - 1) END AS area, "                            \
               "max(exercised > 0 AND NOT void) AS tested, max(broken) AS broken FROM run "        \
               "JOIN run_law ON run_law.run = run.id WHERE scenario <> '' GROUP BY run.id, area) " \
               "WHERE tested OR broken GROUP BY area ORDER BY area")                               \
    X(FIND, "SELECT seed, verdict, hash, scenario, scenario_hash, live_expectation, settings, "    \
            "program, commit_id, plan.text FROM run JOIN build ON build.id = run.build "           \
            "LEFT JOIN plan ON plan.run = run.id WHERE run.id = ?1")

enum record_statement {
#define STATEMENT_ENUM(name, sql) RECORD_##name,
    RECORD_STATEMENTS(STATEMENT_ENUM)
#undef STATEMENT_ENUM
        RECORD_STATEMENT_COUNT
};

struct record {
    struct sqlite3 *database;
    struct sqlite3_stmt *statements[RECORD_STATEMENT_COUNT]; /* prepared when they are first used */
    int64_t build;                 /* id of this program's row; 0: none yet */
    char program[HASH_TEXT_BYTES]; /* hash of the executable; "": not asked yet */
    char path[256];
};

/* The statement, reset and without bindings; NULL: SQLite has an error. */
struct sqlite3_stmt *record_statement(struct record *record, enum record_statement which);
bool record_exec(struct record *record, const char *sql);
/* Say in `error` what SQLite's error means for who asked, and what to do. Always false. */
bool record_explain(struct record *record, char *error, size_t error_bytes);

/* Into the run's own set, and into what all runs showed. */
bool record_write_coverage(struct record *record, const char *kind, const struct coverage_set *set,
                           int64_t id);

#endif
