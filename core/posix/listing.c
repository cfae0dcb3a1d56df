#include "core/posix/listing.h"

#include <sqlite3.h>
#include <unistd.h>

struct table {
    enum evidence_word word;
    const char *name;
    const char *query; /* device, epoch, counter, body or NULL, bits or NULL */
};

static const struct table cloud_tables[] = {
    {EVIDENCE_WORD_WINDOW, "window",
     "SELECT device, epoch, top, NULL, seen FROM window ORDER BY device"},
    {EVIDENCE_WORD_READING, "reading",
     "SELECT device, epoch, counter, envelope, NULL FROM reading ORDER BY device, epoch, counter"},
};
static const struct table gateway_tables[] = {
    {EVIDENCE_WORD_QUEUED, "queue",
     "SELECT device, epoch, counter, envelope, NULL FROM queue ORDER BY id"},
};

static bool write_row(struct host *host, sqlite3_stmt *statement, enum evidence_word word)
{
    struct evidence_line line = {.kind = (uint32_t)word,
                                 .device = (uint32_t)sqlite3_column_int64(statement, 0),
                                 .epoch = (uint32_t)sqlite3_column_int64(statement, 1),
                                 .counter = (uint64_t)sqlite3_column_int64(statement, 2)};
    const uint8_t *body = sqlite3_column_blob(statement, 3);
    const int body_bytes = sqlite3_column_bytes(statement, 3);
    if (body != NULL && evidence_body(&host->port.crypto, body, (uint32_t)body_bytes, line.body)) {
        return false;
    }
    const uint8_t *bits = sqlite3_column_blob(statement, 4);
    const int bits_bytes = sqlite3_column_bytes(statement, 4);
    for (int i = 0; i < bits_bytes && i < 8; i++) {
        line.value |= (uint64_t)bits[i] << (8 * i);
    }
    host_word(host, &line);
    return true;
}

/* A table that is not there has no rows: a life may end before the schema is durable. */
static bool has_table(sqlite3 *database, const char *name, bool *has)
{
    sqlite3_stmt *statement = NULL;
    int code = sqlite3_prepare_v2(database,
                                  "SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = ?1",
                                  -1, &statement, NULL);
    if (code == SQLITE_OK) {
        code = sqlite3_bind_text(statement, 1, name, -1, NULL);
    }
    if (code == SQLITE_OK) {
        code = sqlite3_step(statement);
    }
    *has = code == SQLITE_ROW;
    (void)sqlite3_finalize(statement);
    return code == SQLITE_ROW || code == SQLITE_DONE;
}

static bool write_table(struct host *host, sqlite3 *database, const struct table *table,
                        uint32_t *rows)
{
    sqlite3_stmt *statement = NULL;
    bool has;
    if (!has_table(database, table->name, &has)) {
        return false;
    }
    if (!has) {
        return true;
    }
    int code = sqlite3_prepare_v2(database, table->query, -1, &statement, NULL);
    bool good = code == SQLITE_OK;
    while (good && (code = sqlite3_step(statement)) == SQLITE_ROW) {
        good = (*rows)++ < LISTING_ROWS_MAX && write_row(host, statement, table->word);
    }
    (void)sqlite3_finalize(statement);
    return good && code == SQLITE_DONE;
}

/* With the role's own way to open it: alone, without shared memory, and nothing is moved from the
 * log into the database when it is closed. */
static bool open_database(const struct host *host, sqlite3 **database)
{
    return sqlite3_open_v2(host->disk_path, database,
                           SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_PRIVATECACHE,
                           host->port.disk_vfs) == SQLITE_OK &&
           sqlite3_db_config(*database, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, (int *)NULL) ==
               SQLITE_OK &&
           sqlite3_exec(*database, "PRAGMA locking_mode=EXCLUSIVE", NULL, NULL, NULL) == SQLITE_OK;
}

void listing_write(struct host *host)
{
    const bool cloud = host->role->role == EVIDENCE_OF_CLOUD;
    const struct table *tables = cloud ? cloud_tables : gateway_tables;
    const size_t count = cloud ? sizeof cloud_tables / sizeof cloud_tables[0]
                               : sizeof gateway_tables / sizeof gateway_tables[0];
    sqlite3 *database = NULL;
    uint32_t rows = 0;
    if (host->role->disk == NULL || host->log.file < 0) {
        return;
    }
    host_word(host, &(struct evidence_line){.kind = EVIDENCE_WORD_IMAGE});
    bool good = true;
    if (access(host->disk_path, F_OK) == 0) {
        good = open_database(host, &database);
        for (size_t i = 0; good && i < count; i++) {
            good = write_table(host, database, &tables[i], &rows);
        }
        (void)sqlite3_close(database);
    }
    host_word(host,
              &(struct evidence_line){.kind = EVIDENCE_WORD_IMAGE_END, .value = good ? 0 : 1});
}
