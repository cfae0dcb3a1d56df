#include "sim/readings.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/check.h"

enum { NUMBER_BYTES_MAX = 64 };

struct readings {
    int32_t *values; /* row after row, in thousandths */
    uint32_t row_count, column_count;
};

struct reader {
    const char *path;
    uint32_t line_number;
    struct readings *readings;
    size_t capacity; /* values */
    size_t value_count;
    char *error;
    size_t error_bytes;
};

static bool read_lines(struct reader *reader, FILE *file, char *line);
static bool read_row(struct reader *reader, char *line);
static bool append(struct reader *reader, int32_t value);
static bool is_header(const char *line);
static char *field_next(char **rest);
static char *trimmed(char *text);
static bool decimal_parse(const char *text, int32_t *milli);
static bool fail(const struct reader *reader, const char *what);

struct readings *readings_load(const char *path, char *error, size_t error_bytes)
{
    CHECK(path != NULL && error != NULL);
    FILE *file = fopen(path, "r");
    if (file == NULL) {
        snprintf(error, error_bytes, "%s: %s", path, strerror(errno));
        return NULL;
    }
    struct reader reader = {
        .path = path,
        .readings = calloc(1, sizeof *reader.readings),
        .error = error,
        .error_bytes = error_bytes,
    };
    char *line = malloc(READINGS_LINE_BYTES_MAX);
    const bool memory = line != NULL && reader.readings != NULL;
    if (memory ? !read_lines(&reader, file, line) : !fail(&reader, "no memory")) {
        readings_free(reader.readings);
        reader.readings = NULL;
    }
    free(line);
    fclose(file);
    return reader.readings;
}

void readings_free(struct readings *readings)
{
    if (readings != NULL) {
        free(readings->values);
        free(readings);
    }
}

uint32_t readings_rows(const struct readings *readings)
{
    return readings->row_count;
}

uint32_t readings_columns(const struct readings *readings)
{
    return readings->column_count;
}

int32_t readings_at(const struct readings *readings, uint64_t row, uint32_t device)
{
    CHECK(readings->row_count > 0);
    const size_t line = (size_t)(row % readings->row_count);
    return readings->values[line * readings->column_count + device % readings->column_count];
}

/* ---- lines ----------------------------------------------------------------------------------- */

static bool read_lines(struct reader *reader, FILE *file, char *line)
{
    while (fgets(line, READINGS_LINE_BYTES_MAX, file) != NULL) {
        reader->line_number++;
        if (strchr(line, '\n') == NULL && !feof(file)) {
            return fail(reader, "the line is too long, or holds a zero byte");
        }
        char *text = trimmed(line);
        const bool header = reader->line_number == 1 && is_header(text);
        if (*text != '\0' && !header && !read_row(reader, text)) {
            return false;
        }
    }
    if (ferror(file)) {
        return fail(reader, strerror(errno));
    }
    if (reader->value_count == 0) {
        return fail(reader, "there is no reading in it");
    }
    return true;
}

static bool read_row(struct reader *reader, char *line)
{
    char what[NUMBER_BYTES_MAX + 128];
    uint32_t column_count = 0;
    for (char *rest = line; rest != NULL;) {
        const char *field = trimmed(field_next(&rest));
        int32_t milli;
        column_count++;
        if (!decimal_parse(field, &milli)) {
            snprintf(what, sizeof what,
                     "column %u: '%.*s' is not a decimal number between -2147483 and 2147483",
                     (unsigned)column_count, (int)NUMBER_BYTES_MAX, field);
            return fail(reader, what);
        }
        if (column_count > READINGS_COLUMNS_MAX) {
            return fail(reader, "more than 4096 columns");
        }
        if (!append(reader, milli)) {
            return false;
        }
    }
    struct readings *readings = reader->readings;
    if (readings->row_count == 0) {
        readings->column_count = column_count;
    }
    if (column_count != readings->column_count) {
        snprintf(what, sizeof what, "%u columns, but the rows before have %u",
                 (unsigned)column_count, (unsigned)readings->column_count);
        return fail(reader, what);
    }
    readings->row_count++;
    return true;
}

static bool append(struct reader *reader, int32_t value)
{
    if (reader->value_count == READINGS_VALUES_MAX) {
        return fail(reader, "more than 16777216 values");
    }
    if (reader->value_count == reader->capacity) {
        const size_t capacity = reader->capacity == 0 ? 1024 : reader->capacity * 2;
        int32_t *values = realloc(reader->readings->values, capacity * sizeof *values);
        if (values == NULL) {
            return fail(reader, "no memory");
        }
        reader->readings->values = values;
        reader->capacity = capacity;
    }
    reader->readings->values[reader->value_count++] = value;
    return true;
}

static bool is_header(const char *line)
{
    char copy[READINGS_LINE_BYTES_MAX];
    snprintf(copy, sizeof copy, "%s", line);
    for (char *rest = copy; rest != NULL;) {
        int32_t milli;
        if (!decimal_parse(trimmed(field_next(&rest)), &milli)) {
            return true;
        }
    }
    return false;
}

/* ---- fields ---------------------------------------------------------------------------------- */

/* Cut the next field off; rest becomes NULL behind the last one. */
static char *field_next(char **rest)
{
    char *field = *rest;
    char *comma = strchr(field, ',');
    if (comma != NULL) {
        *comma = '\0';
    }
    *rest = comma == NULL ? NULL : comma + 1;
    return field;
}

static char *trimmed(char *text)
{
    text += strspn(text, " \t");
    size_t length = strlen(text);
    while (length > 0 && strchr(" \t\r\n", text[length - 1]) != NULL) {
        length--;
    }
    text[length] = '\0';
    return text;
}

/* [+-]digits[.digits], at least one digit; no exponent, because that is most often a mistake. */
static bool decimal_parse(const char *text, int32_t *milli)
{
    const bool negative = *text == '-';
    const char *digit = text + (*text == '-' || *text == '+' ? 1 : 0);
    int64_t value = 0;
    uint32_t digit_count = 0, place = 0;
    bool fraction = false, round_up = false;
    for (; *digit != '\0'; digit++) {
        if (*digit == '.' && !fraction) {
            fraction = true;
            continue;
        }
        if (*digit < '0' || *digit > '9') {
            return false;
        }
        digit_count++;
        place += fraction ? 1 : 0;
        if (place == 4) {
            round_up = *digit >= '5';
        }
        if (place <= 3) {
            value = value * 10 + (*digit - '0');
        }
        if (value > (int64_t)INT32_MAX) {
            return false;
        }
    }
    for (; place < 3; place++) {
        value *= 10;
    }
    value += round_up ? 1 : 0;
    *milli = 0;
    if (digit_count == 0 || value > INT32_MAX) {
        return false;
    }
    *milli = (int32_t)(negative ? -value : value);
    return true;
}

static bool fail(const struct reader *reader, const char *what)
{
    if (reader->line_number == 0) {
        snprintf(reader->error, reader->error_bytes, "%s: %s", reader->path, what);
    } else {
        snprintf(reader->error, reader->error_bytes, "%s:%u: %s", reader->path,
                 (unsigned)reader->line_number, what);
    }
    return false;
}
