#include "core/cbor.h"

#include <stddef.h>
#include <string.h>

#include "core/check.h"
#include "core/utf8.h"

/* RFC 8949 section 3.1: the high three bits of an item's first byte. */
enum major {
    MAJOR_UINT,
    MAJOR_NEGATIVE,
    MAJOR_BYTES,
    MAJOR_TEXT,
    MAJOR_ARRAY,
    MAJOR_MAP,
    MAJOR_TAG,
    MAJOR_SIMPLE,
};

/* The low five bits: a value below this stands for itself, one from here on says in how many bytes
 * the value follows (1, 2, 4, 8). Above INFO_EIGHT_BYTES: reserved, or an indefinite length. */
enum { INFO_ONE_BYTE = 24, INFO_EIGHT_BYTES = 27 };

enum { TAG_COSE_SIGN1 = 18 };

/* What cbor_skip has still to see of one array, map or tag. */
struct level {
    uint64_t left; /* items; of a map: keys and values, so that a key comes when this is even */
    bool map;
    uint32_t key_at;                      /* the key that is being read */
    uint32_t previous_at, previous_bytes; /* the key before it; 0 bytes = none */
};

static void fail(struct cbor_reader *reader);
static uint64_t get_head(struct cbor_reader *reader, enum major *major);
static uint64_t get_value(struct cbor_reader *reader, enum major major);
static const uint8_t *get_string(struct cbor_reader *reader, uint64_t size_bytes);
static bool skip_head(struct cbor_reader *reader, struct level *inside);
static void check_key_order(struct cbor_reader *reader, struct level *map);
static bool is_utf8(const uint8_t *bytes, uint32_t size_bytes);
static void put_head(struct cbor_writer *writer, enum major major, uint64_t value);
static void put_string(struct cbor_writer *writer, enum major major, const void *bytes,
                       uint32_t size_bytes);

void cbor_read(struct cbor_reader *reader, const uint8_t *bytes, uint32_t size_bytes)
{
    CHECK(reader != NULL);
    CHECK(bytes != NULL || size_bytes == 0);
    reader->bytes = bytes;
    reader->size_bytes = size_bytes;
    reader->at = 0;
    reader->err = ERR_OK;
}

uint64_t cbor_get_uint(struct cbor_reader *reader)
{
    return get_value(reader, MAJOR_UINT);
}

uint32_t cbor_get_u32(struct cbor_reader *reader)
{
    const uint64_t value = get_value(reader, MAJOR_UINT);
    if (value > UINT32_MAX) {
        fail(reader);
        return 0;
    }
    return (uint32_t)value;
}

int64_t cbor_get_signed(struct cbor_reader *reader)
{
    enum major major;
    const uint64_t value = get_head(reader, &major);
    if (value > INT64_MAX || (major != MAJOR_UINT && major != MAJOR_NEGATIVE)) {
        fail(reader);
        return 0;
    }
    return major == MAJOR_UINT ? (int64_t)value : -1 - (int64_t)value;
}

const uint8_t *cbor_get_bytes(struct cbor_reader *reader, uint32_t exact_bytes,
                              uint32_t *size_bytes)
{
    CHECK(exact_bytes != 0 || size_bytes != NULL);
    const uint64_t size = get_value(reader, MAJOR_BYTES);
    if (exact_bytes != 0 && size != exact_bytes) {
        fail(reader);
    }
    const uint8_t *bytes = get_string(reader, size);
    if (size_bytes != NULL) {
        *size_bytes = bytes != NULL ? (uint32_t)size : 0;
    }
    return bytes;
}

const uint8_t *cbor_get_text(struct cbor_reader *reader, uint32_t *size_bytes)
{
    CHECK(size_bytes != NULL);
    const uint64_t size = get_value(reader, MAJOR_TEXT);
    const uint8_t *text = get_string(reader, size);
    if (text != NULL && !is_utf8(text, (uint32_t)size)) {
        fail(reader);
        text = NULL;
    }
    *size_bytes = text != NULL ? (uint32_t)size : 0;
    return text;
}

void cbor_get_array(struct cbor_reader *reader, uint32_t count)
{
    if (get_value(reader, MAJOR_ARRAY) != count) {
        fail(reader);
    }
}

uint32_t cbor_get_map(struct cbor_reader *reader, uint32_t count_max)
{
    const uint64_t count = get_value(reader, MAJOR_MAP);
    if (count > count_max) {
        fail(reader);
        return 0;
    }
    return (uint32_t)count;
}

void cbor_get_key(struct cbor_reader *reader, int64_t key)
{
    if (cbor_get_signed(reader) != key) {
        fail(reader);
    }
}

void cbor_get_tag(struct cbor_reader *reader, uint64_t tag)
{
    if (get_value(reader, MAJOR_TAG) != tag) {
        fail(reader);
    }
}

/* A loop over a bounded stack instead of recursion: hostile nesting costs nothing. Each turn steps
 * over at least one byte or leaves a level, so there are at most two turns for each byte. */
void cbor_skip(struct cbor_reader *reader)
{
    struct level levels[CBOR_DEPTH_MAX + 1] = {{.left = 1}}; /* the outermost holds the item */
    uint32_t depth = 1;
    CHECK(reader != NULL);
    while (depth > 0 && reader->err == ERR_OK) {
        struct level *level = &levels[depth - 1];
        if (level->map) {
            check_key_order(reader, level);
        }
        if (level->left == 0) {
            depth--;
            continue;
        }
        level->left--;
        struct level inside;
        if (!skip_head(reader, &inside)) {
            continue;
        }
        if (depth > CBOR_DEPTH_MAX) {
            fail(reader);
        } else {
            levels[depth++] = inside;
        }
    }
}

enum err cbor_end(const struct cbor_reader *reader)
{
    CHECK(reader != NULL);
    CHECK(reader->at <= reader->size_bytes);
    if (reader->err == ERR_OK && reader->at != reader->size_bytes) {
        return ERR_MALFORMED;
    }
    return reader->err;
}

void cbor_write(struct cbor_writer *writer, uint8_t *bytes, uint32_t capacity_bytes)
{
    CHECK(writer != NULL);
    CHECK(bytes != NULL || capacity_bytes == 0);
    writer->bytes = bytes;
    writer->capacity_bytes = capacity_bytes;
    writer->at = 0;
    writer->err = ERR_OK;
}

void cbor_put_uint(struct cbor_writer *writer, uint64_t value)
{
    put_head(writer, MAJOR_UINT, value);
}

void cbor_put_signed(struct cbor_writer *writer, int64_t value)
{
    if (value >= 0) {
        put_head(writer, MAJOR_UINT, (uint64_t)value);
    } else {
        put_head(writer, MAJOR_NEGATIVE, (uint64_t)(-1 - value));
    }
}

void cbor_put_bytes(struct cbor_writer *writer, const uint8_t *bytes, uint32_t size_bytes)
{
    put_string(writer, MAJOR_BYTES, bytes, size_bytes);
}

void cbor_put_text(struct cbor_writer *writer, const char *text, uint32_t size_bytes)
{
    put_string(writer, MAJOR_TEXT, text, size_bytes);
}

void cbor_put_array(struct cbor_writer *writer, uint32_t count)
{
    put_head(writer, MAJOR_ARRAY, count);
}

void cbor_put_map(struct cbor_writer *writer, uint32_t count)
{
    put_head(writer, MAJOR_MAP, count);
}

void cbor_put_tag(struct cbor_writer *writer, uint64_t tag)
{
    put_head(writer, MAJOR_TAG, tag);
}

enum err cbor_finish(const struct cbor_writer *writer, uint32_t *size_bytes)
{
    CHECK(writer != NULL);
    CHECK(size_bytes != NULL);
    *size_bytes = writer->err == ERR_OK ? writer->at : 0;
    return writer->err;
}

/* From here on the input has ended. */
static void fail(struct cbor_reader *reader)
{
    reader->err = ERR_MALFORMED;
    reader->at = reader->size_bytes;
}

/* The head of the next item: its major type and its value. 0 and MAJOR_SIMPLE on error, a type that
 * no caller asks for. */
static uint64_t get_head(struct cbor_reader *reader, enum major *major)
{
    CHECK(reader != NULL);
    *major = MAJOR_SIMPLE;
    const uint32_t left_bytes = reader->size_bytes - reader->at;
    if (left_bytes == 0) {
        fail(reader);
        return 0;
    }
    const uint8_t *head = reader->bytes + reader->at;
    const uint32_t info = head[0] & 0x1fu;
    const enum major type = (enum major)(head[0] >> 5);
    const uint32_t value_bytes = info < INFO_ONE_BYTE ? 0 : 1u << ((info - INFO_ONE_BYTE) & 3u);
    if (type == MAJOR_SIMPLE || info > INFO_EIGHT_BYTES || value_bytes >= left_bytes) {
        fail(reader);
        return 0;
    }
    uint64_t value = value_bytes == 0 ? info : 0;
    for (uint32_t i = 1; i <= value_bytes; i++) {
        value = value << 8 | head[i];
    }
    /* Minimal: what fits the head itself, or half as many bytes, must be there. */
    const bool minimal = value_bytes == 0 || (value_bytes == 1 && value >= INFO_ONE_BYTE) ||
                         (value_bytes > 1 && value >> (value_bytes * 4) != 0);
    if (!minimal) {
        fail(reader);
        return 0;
    }
    reader->at += 1 + value_bytes;
    *major = type;
    return value;
}

static uint64_t get_value(struct cbor_reader *reader, enum major major)
{
    enum major found;
    const uint64_t value = get_head(reader, &found);
    if (found != major) {
        fail(reader);
        return 0;
    }
    return value;
}

/* The content behind a string's head. */
static const uint8_t *get_string(struct cbor_reader *reader, uint64_t size_bytes)
{
    if (reader->err != ERR_OK || size_bytes > reader->size_bytes - reader->at) {
        fail(reader);
        return NULL;
    }
    const uint8_t *bytes = reader->bytes + reader->at;
    reader->at += (uint32_t)size_bytes;
    return bytes;
}

/* Step over a scalar, or into an array, a map or a tag (true, and what is inside). */
static bool skip_head(struct cbor_reader *reader, struct level *inside)
{
    enum major major;
    const uint64_t value = get_head(reader, &major);
    const uint32_t left_bytes = reader->size_bytes - reader->at;
    const uint8_t *text;
    *inside = (struct level){.left = value, .map = major == MAJOR_MAP};
    switch (major) {
    case MAJOR_UINT:
    case MAJOR_NEGATIVE:
    case MAJOR_SIMPLE:
        return false;
    case MAJOR_BYTES:
        (void)get_string(reader, value);
        return false;
    case MAJOR_TEXT:
        text = get_string(reader, value);
        if (text != NULL && !is_utf8(text, (uint32_t)value)) {
            fail(reader);
        }
        return false;
    case MAJOR_ARRAY:
        break;
    case MAJOR_MAP:
        /* Each item takes a byte at the least, so a larger count is a lie; and it cannot overflow.
         */
        if (value > left_bytes / 2) {
            fail(reader);
            return false;
        }
        inside->left = value * 2;
        break;
    case MAJOR_TAG:
        if (value != TAG_COSE_SIGN1) {
            fail(reader);
            return false;
        }
        inside->left = 1;
        break;
    }
    return true;
}

/* Called where each key and each value of a map begins: a key ends where its value begins. */
static void check_key_order(struct cbor_reader *reader, struct level *map)
{
    if (map->left % 2 == 0) {
        map->key_at = reader->at;
        return;
    }
    const uint32_t key_bytes = reader->at - map->key_at;
    const uint32_t common_bytes = key_bytes < map->previous_bytes ? key_bytes : map->previous_bytes;
    /* No whole item is the beginning of another one: equal so far is a duplicate. */
    if (common_bytes > 0 &&
        memcmp(reader->bytes + map->previous_at, reader->bytes + map->key_at, common_bytes) >= 0) {
        fail(reader);
    }
    map->previous_at = map->key_at;
    map->previous_bytes = key_bytes;
}

static bool is_utf8(const uint8_t *bytes, uint32_t size_bytes)
{
    uint32_t at = 0;
    while (at < size_bytes) {
        const uint32_t length = utf8_character_bytes(bytes + at, size_bytes - at);
        if (length == 0) {
            return false;
        }
        at += length;
    }
    return true;
}

static void put_head(struct cbor_writer *writer, enum major major, uint64_t value)
{
    CHECK(writer != NULL);
    CHECK(writer->at <= writer->capacity_bytes);
    uint32_t info = (uint32_t)value, value_bytes = 0;
    if (value >= INFO_ONE_BYTE) {
        info = INFO_ONE_BYTE;
        value_bytes = 1;
        while (value_bytes < 8 && value >> (value_bytes * 8) != 0) {
            info++;
            value_bytes *= 2;
        }
    }
    if (writer->err != ERR_OK || value_bytes >= writer->capacity_bytes - writer->at) {
        writer->err = ERR_RANGE;
        return;
    }
    writer->bytes[writer->at++] = (uint8_t)((uint32_t)major << 5 | info);
    for (uint32_t i = value_bytes; i > 0; i--) {
        writer->bytes[writer->at++] = (uint8_t)(value >> ((i - 1) * 8));
    }
}

static void put_string(struct cbor_writer *writer, enum major major, const void *bytes,
                       uint32_t size_bytes)
{
    CHECK(bytes != NULL || size_bytes == 0);
    put_head(writer, major, size_bytes);
    if (writer->err != ERR_OK || size_bytes > writer->capacity_bytes - writer->at) {
        writer->err = ERR_RANGE;
        return;
    }
    if (size_bytes > 0) {
        memcpy(writer->bytes + writer->at, bytes, size_bytes);
        writer->at += size_bytes;
    }
}
