#include "sim/record_rows.h"

#include <sqlite3.h>

#include "core/check.h"
#include "sim/record_inside.h"

static void read_row(sqlite3_stmt *statement, struct record_row *row)
{
    for (uint32_t i = 0; i < row->count; i++) {
        const int at = (int)i;
        row->numbers[i] = 0;
        row->reals[i] = 0;
        row->texts[i] = "";
        switch (sqlite3_column_type(statement, at)) {
        case SQLITE_INTEGER:
            row->kinds[i] = RECORD_CELL_NUMBER;
            row->numbers[i] = sqlite3_column_int64(statement, at);
            break;
        case SQLITE_FLOAT:
            row->kinds[i] = RECORD_CELL_REAL;
            row->reals[i] = sqlite3_column_double(statement, at);
            break;
        case SQLITE_TEXT:
            row->kinds[i] = RECORD_CELL_TEXT;
            row->texts[i] = (const char *)sqlite3_column_text(statement, at);
            break;
        default:
            row->kinds[i] = RECORD_CELL_NULL;
            break;
        }
    }
}

bool record_rows(struct record *record, const char *sql, int64_t first, int64_t second,
                 bool (*each)(void *ctx, const struct record_row *row), void *ctx, char *error,
                 size_t error_bytes)
{
    sqlite3_stmt *statement = NULL;
    struct record_row row = {0};
    if (sqlite3_prepare_v2(record->database, sql, -1, &statement, NULL) != SQLITE_OK) {
        return record_explain(record, error, error_bytes);
    }
    const int64_t values[] = {first, second};
    for (int i = 0; i < sqlite3_bind_parameter_count(statement); i++) {
        CHECK(i < 2 && sqlite3_bind_int64(statement, i + 1, values[i]) == SQLITE_OK);
    }
    row.count = (uint32_t)sqlite3_column_count(statement);
    CHECK(row.count <= RECORD_CELLS_MAX);
    for (uint32_t i = 0; i < row.count; i++) {
        row.names[i] = sqlite3_column_name(statement, (int)i);
    }
    int stepped;
    while ((stepped = sqlite3_step(statement)) == SQLITE_ROW) {
        read_row(statement, &row);
        if (!each(ctx, &row)) {
            stepped = SQLITE_DONE;
            break;
        }
    }
    const bool good = stepped == SQLITE_DONE || record_explain(record, error, error_bytes);
    sqlite3_finalize(statement);
    return good;
}

bool record_look_begin(struct record *record, char *error, size_t error_bytes)
{
    return record_exec(record, "BEGIN") || record_explain(record, error, error_bytes);
}

void record_look_end(struct record *record)
{
    (void)record_exec(record, "ROLLBACK");
}
