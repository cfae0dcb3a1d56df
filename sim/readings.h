/* What the sensors of a fleet measure, from a CSV file: one row an instant, one column a device.
 *
 * Fields are decimal numbers ("21.5", "-0.04"), kept as fixed point in thousandths; more digits are
 * rounded, halves away from zero. The first line may be a header: it is one if any of its fields is
 * no number. Blank lines are skipped, and blanks around a field. All rows have the same columns.
 */
#ifndef BROWNOUT_SIM_READINGS_H
#define BROWNOUT_SIM_READINGS_H

#include <stddef.h>
#include <stdint.h>

enum {
    READINGS_COLUMNS_MAX = 4096,
    READINGS_VALUES_MAX = 1 << 24, /* rows times columns */
    READINGS_LINE_BYTES_MAX = 1 << 16,
};

struct readings;

/* Read a file. NULL: error says what is wrong, as "file:line: what". */
struct readings *readings_load(const char *path, char *error, size_t error_bytes);
void readings_free(struct readings *readings); /* NULL: nothing */
uint32_t readings_rows(const struct readings *readings);
uint32_t readings_columns(const struct readings *readings);

/* The value of `device` (from 0) at `row`; behind the last row and column the first one follows. */
int32_t readings_at(const struct readings *readings, uint64_t row, uint32_t device);

#endif
