/* Opening, checking and reading a run database. */
#include "sim/record.h"

#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/check.h"
#include "sim/record_inside.h"
#include "sim/record_schema.h"

enum { BUSY_MS = 10000 };

/* ---- statements and errors ------------------------------------------------------------------- */

sqlite3_stmt *record_statement(struct record *record, enum record_statement which)
{
    static const char *const texts[] = {
#define STATEMENT_TEXT(name, sql) sql,
        RECORD_STATEMENTS(STATEMENT_TEXT)
#undef STATEMENT_TEXT
    };
    sqlite3_stmt **statement = &record->statements[which];
    if (*statement == NULL &&
        sqlite3_prepare_v3(record->database, texts[which], -1, SQLITE_PREPARE_PERSISTENT, statement,
                           NULL) != SQLITE_OK) {
        return NULL;
    }
    sqlite3_reset(*statement);
    sqlite3_clear_bindings(*statement);
    return *statement;
}

bool record_exec(struct record *record, const char *sql)
{
    return sqlite3_exec(record->database, sql, NULL, NULL, NULL) == SQLITE_OK;
}

bool record_explain(struct record *record, char *error, size_t error_bytes)
{
    const char *remedy = "";
    switch (sqlite3_errcode(record->database)) {
    case SQLITE_READONLY:
    case SQLITE_PERM:
        remedy = ": it is read-only; make it writable, or name another file with --db";
        break;
    case SQLITE_FULL:
    case SQLITE_IOERR:
        remedy = ": is the disk full? Make room, or name a file elsewhere with --db";
        break;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        remedy = ": another process is writing to it; wait for its end, or name another file with "
                 "--db";
        break;
    case SQLITE_NOTADB:
        remedy = "; it stays as it is, name another file with --db";
        break;
    case SQLITE_CORRUPT:
        remedy = ": it is damaged; rescue it with sqlite3's .recover, or name another file with "
                 "--db";
        break;
    case SQLITE_CANTOPEN:
        remedy = ": does its folder exist, and may this user write there?";
        break;
    default:
        break;
    }
    snprintf(error, error_bytes, "%s: %s%s", record->path, sqlite3_errmsg(record->database),
             remedy);
    return false;
}

/* ---- is it ours, and of which version? ------------------------------------------------------- */

static bool ask(struct record *record, const char *sql, int64_t *number)
{
    sqlite3_stmt *statement = NULL;
    const bool good =
        sqlite3_prepare_v2(record->database, sql, -1, &statement, NULL) == SQLITE_OK &&
        sqlite3_step(statement) == SQLITE_ROW;
    if (good) {
        *number = sqlite3_column_int64(statement, 0);
    }
    sqlite3_finalize(statement);
    return good;
}

enum owner { OWNER_UNKNOWN, OWNER_NOBODY, OWNER_BROWNOUT, OWNER_OTHER };

static enum owner owner(struct record *record, char *error, size_t error_bytes)
{
    int64_t application, version, tables;
    if (!ask(record, "PRAGMA application_id", &application) ||
        !ask(record, "PRAGMA user_version", &version) ||
        !ask(record, "SELECT count(*) FROM sqlite_schema", &tables)) {
        record_explain(record, error, error_bytes);
        return OWNER_UNKNOWN;
    }
    if (application == 0 && version == 0 && tables == 0) {
        return OWNER_NOBODY;
    }
    if (application != RECORD_APPLICATION) {
        snprintf(error, error_bytes,
                 "%s is a database of another program, and stays as it is; "
                 "name another file with --db",
                 record->path);
        return OWNER_OTHER;
    }
    if (version != RECORD_SCHEMA) {
        snprintf(error, error_bytes,
                 "%s was made by %s brownout (schema %lld, this one has %d); use that one, or name "
                 "another file with --db",
                 record->path, version > RECORD_SCHEMA ? "a newer" : "an older", (long long)version,
                 RECORD_SCHEMA);
        return OWNER_OTHER;
    }
    return OWNER_BROWNOUT;
}

/* Another process may be about to do the same: who comes second finds it done. */
static bool create_schema(struct record *record, char *error, size_t error_bytes)
{
    char pragma[64];
    if (!record_exec(record, "PRAGMA journal_mode = WAL") ||
        !record_exec(record, "BEGIN IMMEDIATE")) {
        return record_explain(record, error, error_bytes);
    }
    const enum owner now = owner(record, error, error_bytes);
    bool good = now == OWNER_NOBODY || now == OWNER_BROWNOUT;
    for (size_t i = 0; now == OWNER_NOBODY && good && record_schema[i] != NULL; i++) {
        good = record_exec(record, record_schema[i]) || record_explain(record, error, error_bytes);
    }
    snprintf(pragma, sizeof pragma, "PRAGMA application_id = %d", RECORD_APPLICATION);
    good = good && (record_exec(record, pragma) || record_explain(record, error, error_bytes));
    snprintf(pragma, sizeof pragma, "PRAGMA user_version = %d", RECORD_SCHEMA);
    good = good && (record_exec(record, pragma) || record_explain(record, error, error_bytes));
    if (good && !record_exec(record, "COMMIT")) {
        good = record_explain(record, error, error_bytes);
    }
    if (!good) {
        (void)record_exec(record, "ROLLBACK");
    }
    return good;
}

static bool prepare(struct record *record, enum record_access how, char *error, size_t error_bytes)
{
    sqlite3_busy_timeout(record->database, BUSY_MS);
    const enum owner is = owner(record, error, error_bytes);
    if (is == OWNER_UNKNOWN || is == OWNER_OTHER) {
        return false;
    }
    if (how == RECORD_READ) {
        if (is == OWNER_NOBODY) {
            snprintf(error, error_bytes, "%s is empty: no run was recorded there", record->path);
        }
        return is == OWNER_BROWNOUT;
    }
    /* SQLite opens a file that it may not write for reading alone, and does not say so. */
    if (sqlite3_db_readonly(record->database, "main") == 1) {
        snprintf(error, error_bytes,
                 "%s is read-only; make it writable, or name another file with --db", record->path);
        return false;
    }
    if (is == OWNER_NOBODY && !create_schema(record, error, error_bytes)) {
        return false;
    }
    /* NORMAL: who is killed loses nothing; a power loss may cost the last runs, never the file. */
    return (record_exec(record, "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; "
                                "PRAGMA foreign_keys = ON")) ||
           record_explain(record, error, error_bytes);
}

struct record *record_open(const char *path, enum record_access how, char *error,
                           size_t error_bytes)
{
    struct record *record = calloc(1, sizeof *record);
    CHECK(record != NULL);
    /* Also for reading: who only reads would leave the files of the WAL behind. Where this user may
     * not write, SQLite opens for reading by itself. */
    const int flags = SQLITE_OPEN_READWRITE | (how == RECORD_CREATE ? SQLITE_OPEN_CREATE : 0);
    snprintf(record->path, sizeof record->path, "%s", path);
    if (how != RECORD_CREATE && access(path, F_OK) != 0) {
        snprintf(error, error_bytes, "there is no file %s; name the run database with --db", path);
        record_close(record);
        return NULL;
    }
    if (sqlite3_open_v2(path, &record->database, flags, "unix") != SQLITE_OK) {
        record_explain(record, error, error_bytes);
        record_close(record);
        return NULL;
    }
    if (!prepare(record, how, error, error_bytes)) {
        record_close(record);
        return NULL;
    }
    return record;
}

void record_close(struct record *record)
{
    if (record == NULL) {
        return;
    }
    for (unsigned i = 0; i < RECORD_STATEMENT_COUNT; i++) {
        sqlite3_finalize(record->statements[i]);
    }
    sqlite3_close(record->database);
    free(record);
}

/* ---- reading --------------------------------------------------------------------------------- */

static const char *column(sqlite3_stmt *statement, int index)
{
    const unsigned char *text = sqlite3_column_text(statement, index);
    return text == NULL ? "" : (const char *)text;
}

static char *column_copy(sqlite3_stmt *statement, int index)
{
    if (sqlite3_column_type(statement, index) == SQLITE_NULL) {
        return NULL;
    }
    char *copy = strdup(column(statement, index));
    CHECK(copy != NULL);
    return copy;
}

bool record_find(struct record *record, int64_t id, struct record_found *found, char *error,
                 size_t error_bytes)
{
    memset(found, 0, sizeof *found);
    sqlite3_stmt *statement = record_statement(record, RECORD_FIND);
    if (statement == NULL || sqlite3_bind_int64(statement, 1, id) != SQLITE_OK) {
        return record_explain(record, error, error_bytes);
    }
    const int stepped = sqlite3_step(statement);
    if (stepped == SQLITE_DONE) {
        int64_t last = 0;
        (void)ask(record, "SELECT coalesce(max(id), 0) FROM run", &last);
        snprintf(error, error_bytes, "%s has no run %lld; the last one is %lld", record->path,
                 (long long)id, (long long)last);
        return false;
    }
    if (stepped != SQLITE_ROW) {
        return record_explain(record, error, error_bytes);
    }
    found->id = id;
    found->seed = (uint64_t)sqlite3_column_int64(statement, 0);
    snprintf(found->verdict, sizeof found->verdict, "%s", column(statement, 1));
    snprintf(found->hash, sizeof found->hash, "%s", column(statement, 2));
    snprintf(found->scenario, sizeof found->scenario, "%s", column(statement, 3));
    snprintf(found->scenario_hash, sizeof found->scenario_hash, "%s", column(statement, 4));
    found->live_expectation = sqlite3_column_int(statement, 5) != 0;
    found->settings = column_copy(statement, 6);
    snprintf(found->program, sizeof found->program, "%s", column(statement, 7));
    snprintf(found->commit, sizeof found->commit, "%s", column(statement, 8));
    found->plan = column_copy(statement, 9);
    sqlite3_reset(statement);
    return true;
}

void record_found_free(struct record_found *found)
{
    free(found->settings);
    free(found->plan);
    found->settings = found->plan = NULL;
}

bool record_coverage(struct record *record, enum coverage_kind kind,
                     void (*each)(void *ctx, uint64_t key, uint64_t runs), void *ctx, char *error,
                     size_t error_bytes)
{
    sqlite3_stmt *statement = record_statement(record, RECORD_COVERAGE_EACH);
    int stepped = SQLITE_ERROR;
    if (statement != NULL &&
        sqlite3_bind_text(statement, 1, coverage_kind_name(kind), -1, SQLITE_STATIC) == SQLITE_OK) {
        while ((stepped = sqlite3_step(statement)) == SQLITE_ROW) {
            each(ctx, (uint64_t)sqlite3_column_int64(statement, 0),
                 (uint64_t)sqlite3_column_int64(statement, 1));
        }
        sqlite3_reset(statement);
    }
    return stepped == SQLITE_DONE || record_explain(record, error, error_bytes);
}

static bool bind_texts(sqlite3_stmt *statement, int first, const char *const *texts, int count)
{
    bool good = true;
    for (int i = 0; i < count && good; i++) {
        good = sqlite3_bind_text(statement, first + i, texts[i], -1, SQLITE_STATIC) == SQLITE_OK;
    }
    return good;
}

enum record_answer record_look_up(struct record *record, const struct record_run *run,
                                  struct record_done *done, char *error, size_t error_bytes)
{
    if (record->program[0] == '\0') {
        record_file_hash("/proc/self/exe", record->program);
    }
    const char *const texts[] = {run->scenario, run->scenario_hash, run->settings, record->program};
    sqlite3_stmt *statement = record_statement(record, RECORD_LOOK_UP);
    int stepped = SQLITE_ERROR;
    memset(done, 0, sizeof *done);
    if (statement != NULL && sqlite3_bind_int64(statement, 1, (int64_t)run->seed) == SQLITE_OK &&
        bind_texts(statement, 2, texts, 4)) {
        stepped = sqlite3_step(statement);
    }
    if (stepped == SQLITE_ROW) {
        done->id = sqlite3_column_int64(statement, 0);
        snprintf(done->verdict, sizeof done->verdict, "%s", column(statement, 1));
        snprintf(done->message, sizeof done->message, "%s", column(statement, 2));
        snprintf(done->law, sizeof done->law, "%s", column(statement, 3));
        sqlite3_reset(statement);
        return RECORD_ANSWER_YES;
    }
    if (stepped == SQLITE_DONE) {
        return RECORD_ANSWER_NO;
    }
    record_explain(record, error, error_bytes);
    return RECORD_ANSWER_ERROR;
}

bool record_unreached(struct record *record, uint64_t *runs, char *names, size_t names_bytes,
                      char *error, size_t error_bytes)
{
    sqlite3_stmt *statement = record_statement(record, RECORD_UNREACHED);
    if (statement == NULL || sqlite3_step(statement) != SQLITE_ROW) {
        return record_explain(record, error, error_bytes);
    }
    *runs = (uint64_t)sqlite3_column_int64(statement, 0);
    snprintf(names, names_bytes, "%s", column(statement, 1));
    sqlite3_reset(statement);
    return true;
}

bool record_saturation(struct record *record, struct record_saturation *saturation, char *error,
                       size_t error_bytes)
{
    sqlite3_stmt *statement = record_statement(record, RECORD_SATURATION);
    const int stepped = statement == NULL ? SQLITE_ERROR : sqlite3_step(statement);
    memset(saturation, 0, sizeof *saturation);
    if (stepped == SQLITE_ROW) {
        saturation->runs = (uint64_t)sqlite3_column_int64(statement, 0);
        saturation->outcomes = (uint64_t)sqlite3_column_int64(statement, 1);
        saturation->keys = (uint64_t)sqlite3_column_int64(statement, 2);
        saturation->once = (uint64_t)sqlite3_column_int64(statement, 3);
        saturation->fresh_chance = sqlite3_column_double(statement, 4);
        sqlite3_reset(statement);
    }
    return stepped == SQLITE_ROW || stepped == SQLITE_DONE ||
           record_explain(record, error, error_bytes);
}

bool record_classes(struct record *record,
                    void (*each)(void *ctx, const char *name, uint64_t clean, uint64_t broken),
                    void *ctx, char *error, size_t error_bytes)
{
    sqlite3_stmt *statement = record_statement(record, RECORD_CLASSES);
    int stepped = statement == NULL ? SQLITE_ERROR : SQLITE_ROW;
    while (stepped == SQLITE_ROW && (stepped = sqlite3_step(statement)) == SQLITE_ROW) {
        const char *name = (const char *)sqlite3_column_text(statement, 0);
        each(ctx, name == NULL ? "" : name, (uint64_t)sqlite3_column_int64(statement, 1),
             (uint64_t)sqlite3_column_int64(statement, 2));
    }
    if (statement != NULL) {
        sqlite3_reset(statement);
    }
    return stepped == SQLITE_DONE || record_explain(record, error, error_bytes);
}
