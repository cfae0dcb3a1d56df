/* Goal: SQLite keeps its word on the simulated disk: nothing acknowledged is ever lost, the
 * transaction in flight is whole or absent, and a connection unwinds cleanly on a disk that died
 * under it.
 * Method: a workload is cut at every operation (before, after and inside it), or that one operation
 * fails; recovery is cut once more; what is left is judged. Three setups that are known to be
 * unsafe must lose something, or the judge is blind. */
#include "sim/disk.h"

#include <sqlite3.h>
#include <string.h>

#include "core/check.h"
#include "core/test/test.h"

_Noreturn void check_failed(const char *file, int line, const char *what)
{
    fprintf(stderr, "%s:%d: CHECK failed: %s\n", file, line, what);
    exit(1);
}

static struct disk disk;

struct cutter {
    uint64_t count;
    uint64_t at;
    enum disk_verdict verdict;
};

static enum disk_verdict cut(void *ctx, enum disk_operation operation, uint32_t file,
                             uint64_t offset, const uint8_t *bytes, uint32_t size_bytes)
{
    struct cutter *cutter = ctx;
    (void)file;
    (void)offset;
    EXPECT((operation == DISK_WRITE) == (bytes != NULL));
    EXPECT(operation == DISK_WRITE || operation == DISK_READ || size_bytes == 0);
    return cutter->count++ == cutter->at ? cutter->verdict : DISK_PROCEED;
}

struct setup {
    const char *locking_mode;
    const char *synchronous;
    const char *journal_mode;
    const char *expected_mode; /* what SQLite makes of it */
    struct disk_profile profile;
};

static int execute(sqlite3 *database, const char *sql)
{
    return sqlite3_exec(database, sql, NULL, NULL, NULL);
}

/* The first column of the first row as text; empty on any error. */
static void query_text(sqlite3 *database, const char *sql, char out[32])
{
    sqlite3_stmt *statement = NULL;

    out[0] = 0;
    if (sqlite3_prepare_v2(database, sql, -1, &statement, NULL) == SQLITE_OK &&
        sqlite3_step(statement) == SQLITE_ROW && sqlite3_column_text(statement, 0) != NULL) {
        snprintf(out, 32, "%s", (const char *)sqlite3_column_text(statement, 0));
    }
    sqlite3_finalize(statement);
}

static void close_database(sqlite3 *database)
{
    EXPECT_EQUAL(sqlite3_close(database), SQLITE_OK);
}

/* NULL if the disk died on the way. */
static sqlite3 *open_database(const struct setup *setup)
{
    sqlite3 *database = NULL;
    char sql[160], mode[32];

    bool done = sqlite3_open("disk0/node.db", &database) == SQLITE_OK;
    snprintf(sql, sizeof(sql),
             "pragma locking_mode=%s; pragma synchronous=%s; pragma wal_autocheckpoint=6;"
             "pragma cache_size=8",
             setup->locking_mode, setup->synchronous);
    done = done && execute(database, sql) == SQLITE_OK;
    snprintf(sql, sizeof(sql), "pragma journal_mode=%s", setup->journal_mode);
    query_text(database, sql, mode);
    EXPECT(!done || mode[0] == 0 || disk.faults.dead || strcmp(mode, setup->expected_mode) == 0);
    if (!done || mode[0] == 0) {
        close_database(database);
        return NULL;
    }
    return database;
}

/* Text of even length whose letter follows from the row, so that a page of another row is seen. */
#define BODY(id, bytes) "replace(hex(zeroblob((" bytes ")/2)),'0',char(97+((" id ")&15)))"
#define BORN            "300+((id&3)=0)*8700"
#define GROWN           "100+(id&1)*4400"

/* Transaction n adds row n and changes row n-2; `done` says how many there were. */
static int transact(sqlite3 *database, int n)
{
    char sql[512];
    snprintf(
        sql, sizeof(sql),
        "begin; insert into reading(id) values(%d);"
        "update reading set body=" BODY("id", BORN) " where id=%d;"
                                                    "update reading set body=" BODY(
                                                        "id", GROWN) " where id=%d;"
                                                                     "update done set n=%d; commit",
        n, n, n - 2, n);
    return execute(database, sql);
}

/* Two processes; the first ends in good order, the second dies. Returns how many transactions were
 * acknowledged, -1 for not even the schema. *whole: it came to its end. */
static int work(const struct setup *setup, bool *whole)
{
    int acked = -1;

    *whole = false;
    for (int process = 0; process < 2; process++) {
        sqlite3 *database = open_database(setup);
        int code = database == NULL ? SQLITE_IOERR : SQLITE_OK;
        if (code == SQLITE_OK && process == 0) {
            code =
                execute(database, "begin; create table reading(id integer primary key, body text);"
                                  "create table done(n integer); insert into done values(0);"
                                  "commit");
            acked = code == SQLITE_OK ? 0 : -1;
        }
        for (int i = 0; i < 4 && code == SQLITE_OK; i++) {
            code = transact(database, acked + 1);
            acked += code == SQLITE_OK ? 1 : 0;
        }
        if (process == 1 && code == SQLITE_OK) {
            disk_crash(&disk);
        }
        if (database != NULL) {
            close_database(database);
        }
        if (code != SQLITE_OK) {
            return acked;
        }
    }
    *whole = true;
    return acked;
}

/* Nothing acknowledged is missing, and the transaction in flight is whole or absent. */
static bool judge(const struct setup *setup, int acked)
{
    char integrity[32], done[32], wrong[32], count[32];
    sqlite3 *database = open_database(setup);

    EXPECT(database != NULL);
    query_text(database, "pragma integrity_check", integrity);
    query_text(database, "select n from done", done);
    query_text(database, "select count(*) from reading", count);
    query_text(database,
               "select count(*) from reading, done where body is not case when id+2<=n"
               " then " BODY("id", GROWN) " else " BODY("id", BORN) " end",
               wrong);
    const int n = done[0] == 0 ? -1 : atoi(done);
    bool held = strcmp(integrity, "ok") == 0 && n >= acked && n <= acked + 1;
    held = held && (n < 0 || (atoi(count) == n && strcmp(wrong, "0") == 0));
    if (held && n >= 0) {
        EXPECT_EQUAL(transact(database, n + 1), SQLITE_OK);
    }
    close_database(database);
    return held;
}

/* Cut the workload at operation `at`, and recovery at operation `again`. Returns whether the law
 * held; *whole: the workload ended before the cut. */
static bool cut_and_judge(const struct setup *setup, struct cutter cutter, uint64_t again,
                          bool *whole)
{
    struct cutter watch = cutter;
    const struct disk_hooks hooks = {.ctx = &watch, .operation = cut};

    disk_init(&disk, setup->profile, &hooks);
    disk_attach(&disk, 0);
    disk.torn_fraction = (uint16_t)(cutter.at * 7919u);
    const int acked = work(setup, whole);
    *whole = *whole && watch.count <= cutter.at; /* an error may also have been passed over */
    disk_power_loss(&disk, 2 * cutter.at);
    watch = (struct cutter){.at = again, .verdict = cutter.verdict};
    sqlite3 *database = open_database(setup);
    if (database != NULL) {
        char ignored[32];
        query_text(database, "select n from done", ignored);
        close_database(database);
    }
    disk_power_loss(&disk, 2 * cutter.at + 1);
    watch.at = UINT64_MAX;
    const bool held = judge(setup, acked);
    disk_detach(0);
    disk_drop(&disk);
    return held;
}

/* No cut and no single IO error breaks the law; ends at the first that does. */
static bool holds_everywhere(const struct setup *setup)
{
    const enum disk_verdict verdicts[] = {DISK_DIE_BEFORE, DISK_DIE_AFTER, DISK_DIE_TORN,
                                          DISK_FAIL};
    const int64_t memory = sqlite3_memory_used();
    uint32_t cuts = 0;

    for (uint32_t i = 0; i < 4; i++) {
        bool whole = false;
        for (uint64_t at = 0; !whole; at++) {
            const struct cutter cutter = {.at = at, .verdict = verdicts[i]};
            const bool held = cut_and_judge(setup, cutter, 3 + at % 13, &whole);
            EXPECT_EQUAL(sqlite3_memory_used(), memory);
            if (!held) {
                return false;
            }
            cuts++;
        }
    }
    EXPECT(cuts > 400);
    return true;
}

static void wal_keeps_every_acknowledged_transaction(void)
{
    struct setup setup = {"exclusive", "extra", "wal", "wal", {0}};
    EXPECT(holds_everywhere(&setup));
    setup.profile.torn_spoils = true;
    EXPECT(holds_everywhere(&setup));
    setup.profile = (struct disk_profile){.sector_bytes = DISK_UNIT_BYTES};
    EXPECT(holds_everywhere(&setup));
}

static void rollback_journals_keep_every_acknowledged_transaction(void)
{
    struct setup deleting = {"normal", "extra", "delete", "delete", {0}};
    struct setup truncating = {"normal", "extra", "truncate", "truncate", {0}};
    for (int spoils = 0; spoils < 2; spoils++) {
        deleting.profile.torn_spoils = spoils == 1;
        truncating.profile.torn_spoils = spoils == 1;
        EXPECT(holds_everywhere(&deleting));
        EXPECT(holds_everywhere(&truncating));
    }
}

/* Without EXTRA the deletion that commits is not synced: the journal may come back and undo it. */
static void a_deleted_journal_without_extra_loses_transactions(void)
{
    const struct setup setup = {"normal", "full", "delete", "delete", {0}};
    EXPECT(!holds_everywhere(&setup));
}

/* WAL without exclusive locking needs shared memory: SQLite stays with the rollback journal. */
static void wal_without_exclusive_locking_is_refused_and_full_is_then_not_enough(void)
{
    const struct setup setup = {"normal", "full", "wal", "delete", {0}};
    EXPECT(!holds_everywhere(&setup));
}

static void wal_that_is_not_synced_at_commit_loses_transactions(void)
{
    const struct setup setup = {"exclusive", "normal", "wal", "wal", {0}};
    EXPECT(!holds_everywhere(&setup));
}

static void a_connection_that_closes_after_the_power_came_back_touches_nothing(void)
{
    static struct disk copy;
    const char *const modes[] = {"wal", "delete", "truncate", "persist"};

    disk_init(&copy, (struct disk_profile){0}, NULL);
    for (uint32_t i = 0; i < 4; i++) {
        const struct setup setup = {"exclusive", "extra", modes[i], modes[i], {0}};
        disk_init(&disk, setup.profile, NULL);
        disk_attach(&disk, 0);
        sqlite3 *database = open_database(&setup);
        EXPECT_EQUAL(execute(database, "create table t(x); begin; insert into t values(1)"),
                     SQLITE_OK);
        disk_power_loss(&disk, i);
        disk_copy(&copy, &disk);
        const uint64_t operations = disk.counters.operations;
        close_database(database);
        EXPECT_EQUAL(disk.counters.operations, operations);
        for (uint32_t f = 0; f < DISK_FILES_MAX; f++) {
            EXPECT_EQUAL(disk.files[f].used, copy.files[f].used);
            EXPECT_EQUAL(disk.files[f].size_bytes, copy.files[f].size_bytes);
        }
        disk_detach(0);
        disk_drop(&disk);
    }
    disk_drop(&copy);
}

int main(void)
{
    EXPECT_EQUAL(sqlite3_config(SQLITE_CONFIG_SINGLETHREAD), SQLITE_OK);
    disk_vfs_register(true);
    RUN(wal_keeps_every_acknowledged_transaction);
    RUN(rollback_journals_keep_every_acknowledged_transaction);
    RUN(a_deleted_journal_without_extra_loses_transactions);
    RUN(wal_without_exclusive_locking_is_refused_and_full_is_then_not_enough);
    RUN(wal_that_is_not_synced_at_commit_loses_transactions);
    RUN(a_connection_that_closes_after_the_power_came_back_touches_nothing);
    return 0;
}
