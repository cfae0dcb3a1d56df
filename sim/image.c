#include "sim/image.h"

#include <sqlite3.h>
#include <stdio.h>
#include <string.h>

#include "sim/hash.h"

enum { SCRATCH_SLOT = DISK_SLOTS_MAX - 1 };

struct table {
    enum truth truth;
    const char *name;
    const char *query;
};

static const struct table cloud_tables[] = {
    {TRUTH_WINDOW, "window", "SELECT device, epoch, top, NULL, seen FROM window ORDER BY device"},
    {TRUTH_READING, "reading",
     "SELECT device, epoch, counter, envelope FROM reading ORDER BY device, epoch, counter"},
    {TRUTH_KNOWN, "firmware",
     "SELECT device, epoch, sequence, NULL, outcome FROM firmware ORDER BY device"},
};
static const struct table gateway_tables[] = {
    {TRUTH_QUEUED, "queue", "SELECT device, epoch, counter, envelope FROM queue ORDER BY id"},
};

static bool table_exists(sqlite3 *database, const char *name, bool *exists)
{
    sqlite3_stmt *statement = NULL;
    const int prepared = sqlite3_prepare_v2(
        database, "SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = ?1", -1, &statement,
        NULL);
    if (prepared != SQLITE_OK || sqlite3_bind_text(statement, 1, name, -1, NULL) != SQLITE_OK) {
        sqlite3_finalize(statement);
        return false;
    }
    const int stepped = sqlite3_step(statement);
    *exists = stepped == SQLITE_ROW;
    sqlite3_finalize(statement);
    return stepped == SQLITE_ROW || stepped == SQLITE_DONE;
}

/* A number, or the first bits of a bitmap. */
static uint64_t value_of(sqlite3_stmt *statement, int column)
{
    if (sqlite3_column_type(statement, column) != SQLITE_BLOB) {
        return (uint64_t)sqlite3_column_int64(statement, column);
    }
    uint64_t value = 0;
    const uint8_t *bytes = sqlite3_column_blob(statement, column);
    const int size_bytes = sqlite3_column_bytes(statement, column);
    for (int i = 0; i < size_bytes && i < 8; i++) {
        value |= (uint64_t)bytes[i] << (8 * i);
    }
    return value;
}

static bool read_table(sqlite3 *database, const struct table *table, void *ctx,
                       void (*row)(void *ctx, const struct observation *row))
{
    sqlite3_stmt *statement = NULL;
    bool exists = false;
    if (!table_exists(database, table->name, &exists)) {
        return false;
    }
    if (!exists) {
        return true;
    }
    if (sqlite3_prepare_v2(database, table->query, -1, &statement, NULL) != SQLITE_OK) {
        return false;
    }
    int stepped;
    while ((stepped = sqlite3_step(statement)) == SQLITE_ROW) {
        struct observation observation = {
            .kind = table->truth,
            .device = (uint32_t)sqlite3_column_int64(statement, 0),
            .epoch = (uint32_t)sqlite3_column_int64(statement, 1),
            .counter = (uint64_t)sqlite3_column_int64(statement, 2),
        };
        if (sqlite3_column_count(statement) > 4) {
            observation.value = value_of(statement, 4);
        }
        const void *bytes = sqlite3_column_blob(statement, 3);
        if (bytes != NULL) {
            hash_once(bytes, (uint32_t)sqlite3_column_bytes(statement, 3), observation.body);
        }
        row(ctx, &observation);
    }
    sqlite3_finalize(statement);
    return stepped == SQLITE_DONE;
}

bool image_read(const struct disk *disk, struct disk *scratch, bool cloud,
                const struct image_cut *cut, void *ctx,
                void (*row)(void *ctx, const struct observation *row))
{
    const struct table *tables = cloud ? cloud_tables : gateway_tables;
    const size_t count = cloud ? sizeof cloud_tables / sizeof cloud_tables[0]
                               : sizeof gateway_tables / sizeof gateway_tables[0];
    sqlite3 *database = NULL;
    char path[48];
    disk_copy(scratch, disk);
    if (cut != NULL) {
        disk_power_loss(scratch, cut->key);
    }
    disk_attach(scratch, SCRATCH_SLOT);
    disk_set_current(scratch);
    snprintf(path, sizeof path, "disk%d/%s", SCRATCH_SLOT, cloud ? "cloud.db" : "gateway.db");
    bool good =
        sqlite3_open_v2(path, &database, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE,
                        DISK_VFS_NAME) == SQLITE_OK &&
        sqlite3_exec(database, "PRAGMA locking_mode=EXCLUSIVE", NULL, NULL, NULL) == SQLITE_OK;
    for (size_t i = 0; good && i < count; i++) {
        good = read_table(database, &tables[i], ctx, row);
    }
    good = sqlite3_close(database) == SQLITE_OK && good;
    disk_set_current(NULL);
    disk_detach(SCRATCH_SLOT);
    return good;
}
