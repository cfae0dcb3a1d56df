/* SQLite as core's servers use it. No callback is ever handed to it: a step that dies on a dead
 * port may leave by longjmp. */
#include "core/server/database.h"

#include <stddef.h>
#include <string.h>

#include "core/check.h"

/* Every setting, in its order:
 * - page_size: one page is one sector of common media; a commit of a few readings is one or two
 *   frames of the log.
 * - locking_mode: one process owns the file, so the index of the log lives in its heap, and a VFS
 *   without shared memory will do.
 * - synchronous before journal_mode: the change to WAL is itself a transaction of a rollback
 *   journal, and with EXTRA it is durable, its directory entry included, before anything relies on
 *   it. In WAL it means a sync of the log at each commit.
 * - wal_autocheckpoint, in pages: bounds the log and thus the time of a recovery.
 * - mmap_size: all I/O goes through the VFS, where faults are injected and errors are seen. */
static const char settings[] = "PRAGMA page_size=4096;"
                               "PRAGMA locking_mode=EXCLUSIVE;"
                               "PRAGMA synchronous=EXTRA;"
                               "PRAGMA journal_mode=WAL;"
                               "PRAGMA wal_autocheckpoint=256;"
                               "PRAGMA temp_store=MEMORY;"
                               "PRAGMA mmap_size=0;";

static enum err database_err(int code);
static enum err database_execute(struct database *database, const char *sql);
static enum err database_check_mode(struct database *database);

enum err database_open(struct database *database, const struct port *port, const char *schema)
{
    CHECK(database != NULL);
    CHECK(port != NULL);
    CHECK(schema != NULL);
    memset(database, 0, sizeof *database);

    const int flags =
        SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_PRIVATECACHE;
    enum err err =
        database_err(sqlite3_open_v2(port->disk_path, &database->sqlite, flags, port->disk_vfs));
    if (err == ERR_OK) {
        /* Closing is what a dead node does, too: it must not write. */
        err = database_err(
            sqlite3_db_config(database->sqlite, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, (int *)NULL));
    }
    if (err == ERR_OK) {
        err = database_execute(database, settings);
    }
    if (err == ERR_OK) {
        err = database_check_mode(database);
    }
    if (err == ERR_OK) {
        err = database_execute(database, schema);
    }
    if (err == ERR_OK) {
        /* What a process wrote and died before it synced is readable now and not durable: a
         * duplicate of it would be acked, and a loss of power would take it. The checkpoint syncs
         * the log before anything rests on it, and before a full disk can stop it: then the log
         * stays, and what is in it is served. */
        err = database_err(sqlite3_wal_checkpoint_v2(database->sqlite, NULL,
                                                     SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL));
        err = err == ERR_FULL ? ERR_OK : err;
    }
    if (err == ERR_OK) {
        err = database_prepare(database, "BEGIN", &database->begin);
    }
    if (err == ERR_OK) {
        err = database_prepare(database, "COMMIT", &database->commit);
    }
    return err;
}

enum err database_prepare(struct database *database, const char *sql, sqlite3_stmt **statement)
{
    CHECK(database->sqlite != NULL);
    CHECK(sql != NULL);
    CHECK(statement != NULL);
    return database_err(
        sqlite3_prepare_v3(database->sqlite, sql, -1, SQLITE_PREPARE_PERSISTENT, statement, NULL));
}

enum err database_write(struct database *database, sqlite3_stmt *statement)
{
    CHECK(database->sqlite != NULL);
    CHECK(statement != NULL);
    if (!database->writing) {
        const int code = sqlite3_step(database->begin);
        (void)sqlite3_reset(database->begin);
        if (code != SQLITE_DONE) {
            return database_err(code);
        }
        database->writing = true;
    }
    const int code = sqlite3_step(statement);
    (void)sqlite3_reset(statement); /* says the same again */
    CHECK(code != SQLITE_ROW);
    return database_err(code);
}

enum err database_row(sqlite3_stmt *statement)
{
    CHECK(statement != NULL);
    const int code = sqlite3_step(statement);
    if (code == SQLITE_ROW) {
        return ERR_OK;
    }
    (void)sqlite3_reset(statement);
    return code == SQLITE_DONE ? ERR_NOT_FOUND : database_err(code);
}

enum err database_commit(struct database *database)
{
    CHECK(database->sqlite != NULL);
    if (!database->writing) {
        return ERR_OK;
    }
    const int code = sqlite3_step(database->commit);
    (void)sqlite3_reset(database->commit);
    if (code == SQLITE_DONE) {
        CHECK(sqlite3_get_autocommit(database->sqlite) != 0);
        database->writing = false;
    }
    return database_err(code);
}

enum err database_abandon(struct database *database)
{
    CHECK(database->sqlite != NULL);
    database->writing = false;
    /* SQLite may have rolled back by itself. */
    if (sqlite3_get_autocommit(database->sqlite) == 0) {
        const enum err err = database_execute(database, "ROLLBACK");
        if (err != ERR_OK) {
            return ERR_IO;
        }
    }
    /* The log has no room to grow, and only a commit would have started the checkpoint that lets it
     * begin again at its first byte: without this a full disk stays full for ever. */
    const enum err err = database_err(
        sqlite3_wal_checkpoint_v2(database->sqlite, NULL, SQLITE_CHECKPOINT_PASSIVE, NULL, NULL));
    return err == ERR_FULL ? ERR_OK : err;
}

bool database_is_corrupt(const struct database *database)
{
    const int code =
        database->sqlite == NULL ? SQLITE_OK : sqlite3_errcode(database->sqlite) & 0xFF;
    return code == SQLITE_CORRUPT || code == SQLITE_NOTADB;
}

enum err database_reset(const struct port *port)
{
    struct database database = {0};
    enum err err =
        database_err(sqlite3_open_v2(port->disk_path, &database.sqlite,
                                     SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, port->disk_vfs));
    if (err == ERR_OK) {
        /* First of all: any other word would look at what is broken. */
        err = database_err(
            sqlite3_db_config(database.sqlite, SQLITE_DBCONFIG_RESET_DATABASE, 1, (int *)NULL));
    }
    if (err == ERR_OK) {
        err = database_execute(&database, "PRAGMA locking_mode=EXCLUSIVE;"
                                          "PRAGMA synchronous=EXTRA;"
                                          "VACUUM");
    }
    database_close(&database);
    return err;
}

void database_close(struct database *database)
{
    CHECK(database != NULL);
    if (database->sqlite == NULL) {
        return;
    }
    sqlite3_stmt *statement = sqlite3_next_stmt(database->sqlite, NULL);
    while (statement != NULL) {            /* as many as were prepared */
        (void)sqlite3_finalize(statement); /* repeats an error that was seen */
        statement = sqlite3_next_stmt(database->sqlite, NULL);
    }
    const int code = sqlite3_close(database->sqlite);
    CHECK(code != SQLITE_BUSY); /* a statement was left */
    memset(database, 0, sizeof *database);
}

static enum err database_err(int code)
{
    switch (code & 0xFF) {
    case SQLITE_OK:
    case SQLITE_ROW:
    case SQLITE_DONE:
        return ERR_OK;
    case SQLITE_FULL:
        return ERR_FULL;
    default:
        return ERR_IO;
    }
}

static enum err database_execute(struct database *database, const char *sql)
{
    return database_err(sqlite3_exec(database->sqlite, sql, NULL, NULL, NULL));
}

/* A database that cannot have a write-ahead log answers with the mode that it has, not with an
 * error. */
static enum err database_check_mode(struct database *database)
{
    sqlite3_stmt *statement = NULL;
    enum err err = database_prepare(database, "PRAGMA journal_mode", &statement);
    if (err == ERR_OK) {
        err = database_row(statement);
    }
    if (err == ERR_OK) {
        const unsigned char *mode = sqlite3_column_text(statement, 0);
        if (mode == NULL || memcmp(mode, "wal", sizeof "wal") != 0) {
            err = ERR_IO;
        }
    }
    (void)sqlite3_finalize(statement);
    return err;
}
