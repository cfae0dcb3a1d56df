/* Questions to a run database that is open: rows of any SELECT, cell by cell. For readers that show
 * what its views answer; who writes uses record.h. */
#ifndef BROWNOUT_SIM_RECORD_ROWS_H
#define BROWNOUT_SIM_RECORD_ROWS_H

#include "sim/record.h"

enum { RECORD_CELLS_MAX = 32 };

/* One row; texts are borrowed until the next one. */
struct record_row {
    uint32_t count;
    const char *names[RECORD_CELLS_MAX]; /* of its columns */
    enum record_cell {
        RECORD_CELL_NULL,
        RECORD_CELL_NUMBER,
        RECORD_CELL_REAL,
        RECORD_CELL_TEXT
    } kinds[RECORD_CELLS_MAX];
    int64_t numbers[RECORD_CELLS_MAX];   /* NUMBER; else 0 */
    double reals[RECORD_CELLS_MAX];      /* REAL; else 0 */
    const char *texts[RECORD_CELLS_MAX]; /* TEXT; else "" */
};

/* sql: one SELECT of at most RECORD_CELLS_MAX columns; ?1 and ?2 in it are first and second.
 * `each` is called for every row in order, until it returns false. False: error names the file,
 * what is wrong with it, and the remedy. */
bool record_rows(struct record *record, const char *sql, int64_t first, int64_t second,
                 bool (*each)(void *ctx, const struct record_row *row), void *ctx, char *error,
                 size_t error_bytes);

/* One snapshot for all questions in between, whoever else writes. */
bool record_look_begin(struct record *record, char *error, size_t error_bytes);
void record_look_end(struct record *record);

#endif
