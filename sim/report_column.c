#include "sim/report_column.h"

#include <cJSON.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "core/check.h"
#include "sim/print.h"

enum {
    NUMBER_BYTES_MAX = 10, /* 64 bits, 7 at a time */
    LEVEL = 6,             /* of zlib: higher ones take long and save little */
    PART_BYTES = 3 << 20,  /* a multiple of 3: base64 of parts is base64 of the whole */
};

uint32_t report_table_column(struct report_table *table, const char *name, bool difference)
{
    CHECK(table->column_count < REPORT_COLUMNS_MAX);
    table->columns[table->column_count] =
        (struct report_column){.name = name, .difference = difference};
    return table->column_count++;
}

static void room(struct report_column *column)
{
    if (column->capacity_bytes - column->size_bytes < NUMBER_BYTES_MAX) {
        column->capacity_bytes = column->capacity_bytes == 0 ? 256 : 2 * column->capacity_bytes;
        column->bytes = realloc(column->bytes, column->capacity_bytes);
        CHECK(column->bytes != NULL);
    }
}

void report_table_add(struct report_table *table, uint32_t index, int64_t number)
{
    CHECK(index < table->column_count);
    struct report_column *column = &table->columns[index];
    /* Differences wrap, and so they come back. */
    const uint64_t told =
        column->difference ? (uint64_t)number - (uint64_t)column->before : (uint64_t)number;
    uint64_t left = told << 1 ^ (told >> 63 != 0 ? UINT64_MAX : 0);
    room(column);
    do {
        column->bytes[column->size_bytes++] = (uint8_t)((left & 0x7F) | (left > 0x7F ? 0x80 : 0));
        left >>= 7;
    } while (left != 0);
    column->before = number;
    table->rows += index == 0 ? 1 : 0;
}

void report_table_clear(struct report_table *table)
{
    for (uint32_t i = 0; i < table->column_count; i++) {
        table->columns[i].size_bytes = 0;
        table->columns[i].before = 0;
    }
    table->rows = 0;
}

void report_table_free(struct report_table *table)
{
    for (uint32_t i = 0; i < table->column_count; i++) {
        free(table->columns[i].bytes);
    }
    memset(table, 0, sizeof *table);
}

static char *base64(const uint8_t *bytes, size_t size_bytes)
{
    char *text = malloc(size_bytes / 3 * 4 + 8);
    size_t at = 0;
    CHECK(text != NULL);
    text[0] = '\0';
    for (size_t from = 0; from < size_bytes; from += PART_BYTES) {
        const size_t left = size_bytes - from;
        const int part = left < PART_BYTES ? (int)left : PART_BYTES;
        at += (size_t)EVP_EncodeBlock((unsigned char *)text + at, bytes + from, part);
    }
    return text;
}

static char *pack(const struct report_table *table)
{
    size_t size_bytes = 0;
    for (uint32_t i = 0; i < table->column_count; i++) {
        size_bytes += table->columns[i].size_bytes;
    }
    uint8_t *whole = malloc(size_bytes + 1);
    CHECK(whole != NULL);
    size_t at = 0;
    for (uint32_t i = 0; i < table->column_count; i++) {
        const struct report_column *column = &table->columns[i];
        if (column->size_bytes > 0) {
            memcpy(whole + at, column->bytes, column->size_bytes);
        }
        at += column->size_bytes;
    }
    uLongf packed_bytes = compressBound((uLong)size_bytes);
    uint8_t *packed = malloc(packed_bytes);
    CHECK(packed != NULL &&
          compress2(packed, &packed_bytes, whole, (uLong)size_bytes, LEVEL) == Z_OK);
    char *text = base64(packed, packed_bytes);
    free(packed);
    free(whole);
    return text;
}

struct cJSON *report_table_json(const struct report_table *table)
{
    cJSON *object = cJSON_CreateObject();
    CHECK(object != NULL);
    json_number(object, "rows", table->rows);
    cJSON *columns = cJSON_AddArrayToObject(object, "columns");
    CHECK(columns != NULL);
    for (uint32_t i = 0; i < table->column_count; i++) {
        const struct report_column *column = &table->columns[i];
        cJSON *entry = cJSON_CreateObject();
        CHECK(entry != NULL);
        json_text(entry, "name", column->name);
        CHECK(cJSON_AddBoolToObject(entry, "difference", column->difference) != NULL);
        json_number(entry, "bytes", column->size_bytes);
        CHECK(cJSON_AddItemToArray(columns, entry));
    }
    char *text = pack(table);
    CHECK(cJSON_AddStringToObject(object, "bytes", text) != NULL);
    free(text);
    return object;
}
