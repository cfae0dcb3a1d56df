/* Columns of whole numbers, small in a page: each number (or its difference to the one before it)
 * as zigzag LEB128, all columns of a table behind each other, deflated (zlib), as base64. */
#ifndef BROWNOUT_SIM_REPORT_COLUMN_H
#define BROWNOUT_SIM_REPORT_COLUMN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct cJSON;

enum { REPORT_COLUMNS_MAX = 128 };

struct report_column {
    const char *name; /* borrowed, for the table's life */
    bool difference;  /* each number counts from the one before it, the first one from 0 */
    int64_t before;
    uint8_t *bytes; /* owned */
    size_t size_bytes, capacity_bytes;
};

/* Rows are added column by column; all columns of a table must end with the same count. */
struct report_table {
    uint32_t column_count;
    struct report_column columns[REPORT_COLUMNS_MAX];
    uint64_t rows; /* of the first column */
};

/* From zeroed memory. The index of the new column. */
uint32_t report_table_column(struct report_table *table, const char *name, bool difference);
void report_table_add(struct report_table *table, uint32_t column, int64_t number);
/* Take all rows out, keep the columns. */
void report_table_clear(struct report_table *table);
void report_table_free(struct report_table *table);
/* {"rows": N, "columns": [[name, difference, bytes]...], "bytes": "base64 of zlib"}; an object of
 * the caller. */
struct cJSON *report_table_json(const struct report_table *table);

#endif
