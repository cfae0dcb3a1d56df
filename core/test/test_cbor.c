/* Goal: the reader takes deterministic CBOR of our subset and nothing else; the writer makes it.
 * Method: the examples of RFC 8949, every boundary of the rules, and libcbor as an oracle: whatever
 * we take libcbor takes too, with the same values, and writes back as the same bytes. So whatever
 * libcbor refuses we refuse, without ever letting it allocate what hostile bytes claim. */
#include <cbor.h>
#include <stdbool.h>
#include <string.h>

#include "core/cbor.h"
#include "core/check.h"
#include "core/test/test.h"

enum { DOCUMENT_BYTES_MAX = 512, MUTANTS = 50000 };

_Noreturn void check_failed(const char *file, int line, const char *what)
{
    fprintf(stderr, "%s:%d: CHECK(%s)\n", file, line, what);
    abort();
}

static uint64_t random_next(uint64_t *state)
{
    uint64_t z = (*state += 0x9e3779b97f4a7c15u);
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

static uint32_t random_below(uint64_t *state, uint32_t bound)
{
    return (uint32_t)(random_next(state) % bound);
}

/* Is this exactly one item? */
static bool taken(const uint8_t *bytes, uint32_t size_bytes)
{
    struct cbor_reader reader;
    cbor_read(&reader, bytes, size_bytes);
    cbor_skip(&reader);
    return cbor_end(&reader) == ERR_OK;
}

#define TAKEN(...)                                                                                 \
    taken((const uint8_t[]){__VA_ARGS__}, (uint32_t)sizeof(const uint8_t[]){__VA_ARGS__})

static void examples_of_the_rfc_are_written_and_read(void)
{
    static const struct {
        int64_t value;
        uint32_t size_bytes;
        uint8_t bytes[9];
    } examples[] = {
        {0, 1, {0x00}},
        {23, 1, {0x17}},
        {24, 2, {0x18, 0x18}},
        {255, 2, {0x18, 0xff}},
        {256, 3, {0x19, 0x01, 0x00}},
        {65535, 3, {0x19, 0xff, 0xff}},
        {65536, 5, {0x1a, 0x00, 0x01, 0x00, 0x00}},
        {1000000, 5, {0x1a, 0x00, 0x0f, 0x42, 0x40}},
        {4294967295, 5, {0x1a, 0xff, 0xff, 0xff, 0xff}},
        {4294967296, 9, {0x1b, 0, 0, 0, 1, 0, 0, 0, 0}},
        {INT64_MAX, 9, {0x1b, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}},
        {-1, 1, {0x20}},
        {-24, 1, {0x37}},
        {-25, 2, {0x38, 0x18}},
        {-1000, 3, {0x39, 0x03, 0xe7}},
        {INT64_MIN, 9, {0x3b, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}},
    };
    for (size_t i = 0; i < sizeof examples / sizeof examples[0]; i++) {
        uint8_t bytes[9];
        struct cbor_writer writer;
        struct cbor_reader reader;
        uint32_t size_bytes;
        cbor_write(&writer, bytes, sizeof bytes);
        cbor_put_signed(&writer, examples[i].value);
        EXPECT(cbor_finish(&writer, &size_bytes) == ERR_OK);
        EXPECT_EQUAL(size_bytes, examples[i].size_bytes);
        EXPECT(memcmp(bytes, examples[i].bytes, size_bytes) == 0);
        cbor_read(&reader, bytes, size_bytes);
        EXPECT_EQUAL(cbor_get_signed(&reader), examples[i].value);
        EXPECT(cbor_end(&reader) == ERR_OK);
        EXPECT(taken(bytes, size_bytes));
    }
}

static void integers_outside_their_type_are_refused(void)
{
    static const uint8_t over_u32[] = {0x1b, 0, 0, 0, 1, 0, 0, 0, 0};
    static const uint8_t over_int64[] = {0x1b, 0x80, 0, 0, 0, 0, 0, 0, 0};
    static const uint8_t under_int64[] = {0x3b, 0x80, 0, 0, 0, 0, 0, 0, 0};
    static const uint8_t top_u64[] = {0x1b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
    static const uint8_t top_u32[] = {0x1a, 0xff, 0xff, 0xff, 0xff};
    static const uint8_t minus_one[] = {0x20};
    struct cbor_reader reader;
    cbor_read(&reader, over_u32, sizeof over_u32);
    EXPECT_EQUAL(cbor_get_u32(&reader), 0);
    EXPECT(cbor_end(&reader) == ERR_MALFORMED);
    cbor_read(&reader, over_int64, sizeof over_int64);
    EXPECT_EQUAL(cbor_get_signed(&reader), 0);
    EXPECT(cbor_end(&reader) == ERR_MALFORMED);
    cbor_read(&reader, under_int64, sizeof under_int64);
    EXPECT_EQUAL(cbor_get_signed(&reader), 0);
    EXPECT(cbor_end(&reader) == ERR_MALFORMED);
    cbor_read(&reader, minus_one, sizeof minus_one);
    EXPECT_EQUAL(cbor_get_uint(&reader), 0);
    EXPECT(cbor_end(&reader) == ERR_MALFORMED);
    cbor_read(&reader, top_u64, sizeof top_u64);
    EXPECT(cbor_get_uint(&reader) == UINT64_MAX);
    EXPECT(cbor_end(&reader) == ERR_OK);
    cbor_read(&reader, top_u32, sizeof top_u32);
    EXPECT(cbor_get_u32(&reader) == UINT32_MAX);
    EXPECT(cbor_end(&reader) == ERR_OK);
}

/* Every pair of bytes, then zeroes: decided by the first byte alone as the RFC's appendix B says.
 */
static void only_minimal_heads_of_the_subset_are_taken(void)
{
    for (uint32_t first = 0; first < 256; first++) {
        for (uint32_t second = 0; second < 256; second++) {
            const uint8_t bytes[] = {(uint8_t)first, (uint8_t)second};
            const uint32_t major = first >> 5, info = first & 31;
            const bool number = major <= 1 && info == 24 && second >= 24;
            const bool string = (major == 2 || major == 3) && info == 1;
            const bool array = major == 4 && info == 1 && (second >> 5 <= 1) && (second & 31) < 24;
            const bool empty_inside = (major == 4 && info == 1) || first == 0xd2;
            const bool leaf = second >> 5 <= 4 && (second & 31) < (second >> 5 <= 1 ? 24 : 1);
            const bool empty_map = second == 0xa0;
            const bool utf8 = major != 3 || second < 0x80;
            const bool expected =
                number || (string && utf8) || array || (empty_inside && (leaf || empty_map));
            EXPECT_EQUAL(taken(bytes, 2), expected);
        }
    }
    EXPECT(!TAKEN(0x19, 0x00, 0xff));
    EXPECT(!TAKEN(0x1a, 0x00, 0x00, 0xff, 0xff));
    EXPECT(!TAKEN(0x1b, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff));
    EXPECT(!TAKEN(0x58, 0x01, 0x00));       /* a byte string of 1, in a head of 2 */
    EXPECT(!TAKEN(0x98, 0x01, 0x00));       /* an array likewise */
    EXPECT(!TAKEN(0x5f, 0x41, 0x00, 0xff)); /* indefinite */
    EXPECT(!TAKEN(0x9f, 0xff));
    EXPECT(!TAKEN(0xbf, 0xff));
    EXPECT(!TAKEN(0xf4)); /* false, null, half float, and their like */
    EXPECT(!TAKEN(0xf6));
    EXPECT(!TAKEN(0xf9, 0x00, 0x00));
    EXPECT(!TAKEN(0xc1, 0x00));       /* a tag that is not COSE_Sign1 */
    EXPECT(!TAKEN(0xd8, 0x12, 0x00)); /* tag 18 in a head of 2 */
    EXPECT(TAKEN(0xd2, 0x00));
}

static void map_keys_are_ascending_and_single(void)
{
    EXPECT(TAKEN(0xa2, 0x01, 0x00, 0x02, 0x00));
    EXPECT(!TAKEN(0xa2, 0x02, 0x00, 0x01, 0x00));
    EXPECT(!TAKEN(0xa2, 0x01, 0x00, 0x01, 0x00));
    EXPECT(TAKEN(0xa2, 0x18, 0x64, 0x00, 0x20, 0x00)); /* 100 comes before -1: bytewise order */
    EXPECT(!TAKEN(0xa2, 0x20, 0x00, 0x18, 0x64, 0x00));
    EXPECT(TAKEN(0xa2, 0x61, 0x7a, 0x00, 0x62, 0x61, 0x61, 0x00)); /* "z" before "aa" */
    EXPECT(!TAKEN(0xa2, 0x62, 0x61, 0x61, 0x00, 0x61, 0x7a, 0x00));
    /* Keys that are arrays, and maps inside maps, have their own order. */
    EXPECT(TAKEN(0xa2, 0x81, 0x01, 0x00, 0x81, 0x02, 0x00));
    EXPECT(!TAKEN(0xa2, 0x81, 0x02, 0x00, 0x81, 0x02, 0x00));
    EXPECT(TAKEN(0xa2, 0x01, 0xa1, 0x09, 0x00, 0x02, 0xa1, 0x01, 0x00));
    EXPECT(!TAKEN(0xa1, 0x01, 0xa2, 0x05, 0x00, 0x05, 0x00));
    /* The third key is compared with the second, not with the first. */
    EXPECT(!TAKEN(0xa3, 0x01, 0x00, 0x03, 0x00, 0x02, 0x00));
    EXPECT(!TAKEN(0xa1, 0x01)); /* a key without its value */
}

static void depth_is_bounded_exactly(void)
{
    static const uint8_t containers[] = {0x81, 0xd2};
    for (size_t i = 0; i < sizeof containers; i++) {
        uint8_t bytes[CBOR_DEPTH_MAX + 2];
        memset(bytes, containers[i], sizeof bytes);
        bytes[CBOR_DEPTH_MAX] = 0x00;
        EXPECT(taken(bytes, CBOR_DEPTH_MAX + 1));
        bytes[CBOR_DEPTH_MAX] = containers[i];
        bytes[CBOR_DEPTH_MAX + 1] = 0x00;
        EXPECT(!taken(bytes, CBOR_DEPTH_MAX + 2));
        bytes[CBOR_DEPTH_MAX] = 0x80; /* an empty one is a level as well */
        EXPECT(!taken(bytes, CBOR_DEPTH_MAX + 1));
    }
    uint8_t maps[2 * CBOR_DEPTH_MAX + 3];
    for (uint32_t i = 0; i < sizeof maps; i++) {
        maps[i] = i % 2 == 0 ? 0xa1 : 0x00;
    }
    maps[2 * CBOR_DEPTH_MAX] = 0x00;
    EXPECT(taken(maps, 2 * CBOR_DEPTH_MAX + 1));
    maps[2 * CBOR_DEPTH_MAX] = 0xa1;
    maps[2 * CBOR_DEPTH_MAX + 2] = 0x00;
    EXPECT(!taken(maps, 2 * CBOR_DEPTH_MAX + 3));
}

static void claims_of_size_beyond_the_input_are_refused(void)
{
    static const uint8_t majors[] = {0x40, 0x60, 0x80, 0xa0};
    for (size_t i = 0; i < sizeof majors; i++) {
        uint8_t bytes[64] = {0};
        bytes[0] = (uint8_t)(majors[i] | 27);
        for (uint32_t bit = 32; bit < 64; bit++) {
            /* Twice 2^63 pairs would be none at all. */
            for (uint64_t odd = 0; odd < 2; odd++) {
                for (uint32_t j = 0; j < 8; j++) {
                    bytes[1 + j] = (uint8_t)((UINT64_C(1) << bit | odd) >> (56 - 8 * j));
                }
                EXPECT(!taken(bytes, sizeof bytes));
                EXPECT(!taken(bytes, 9));
            }
        }
        memset(bytes + 1, 0xff, 8);
        EXPECT(!taken(bytes, sizeof bytes));
    }
    EXPECT(!taken(NULL, 0));
    EXPECT(!TAKEN(0x42, 0x00));
    EXPECT(!TAKEN(0x82, 0x00));
}

static void text_is_utf8(void)
{
    EXPECT(TAKEN(0x62, 0xc3, 0xbc));
    EXPECT(TAKEN(0x63, 0xe6, 0xb0, 0xb4));
    EXPECT(TAKEN(0x64, 0xf0, 0x90, 0x85, 0x91));
    EXPECT(TAKEN(0x64, 0xf4, 0x8f, 0xbf, 0xbf));
    EXPECT(!TAKEN(0x64, 0xf4, 0x90, 0x80, 0x80)); /* above U+10FFFF */
    EXPECT(!TAKEN(0x62, 0xc0, 0x80));             /* overlong */
    EXPECT(!TAKEN(0x62, 0xc1, 0xbf));
    EXPECT(!TAKEN(0x63, 0xe0, 0x9f, 0xbf));
    EXPECT(!TAKEN(0x64, 0xf0, 0x8f, 0xbf, 0xbf));
    EXPECT(!TAKEN(0x63, 0xed, 0xa0, 0x80)); /* a surrogate */
    EXPECT(TAKEN(0x63, 0xed, 0x9f, 0xbf));
    EXPECT(!TAKEN(0x61, 0x80));
    EXPECT(!TAKEN(0x61, 0xc3)); /* the next byte would be outside the string */
    EXPECT(!TAKEN(0x62, 0xc3, 0x28));
    EXPECT(!TAKEN(0x63, 0xe6, 0xb0, 0x28));
    EXPECT(!TAKEN(0x64, 0xf5, 0x80, 0x80, 0x80));
    EXPECT(TAKEN(0x61, 0x00));
}

static void the_first_error_sticks(void)
{
    static const uint8_t bytes[] = {0x84, 0x01, 0x41, 0xaa, 0x02, 0x03};
    struct cbor_reader reader;
    uint32_t size_bytes = 99;
    cbor_read(&reader, bytes, sizeof bytes);
    cbor_get_array(&reader, 4);
    EXPECT_EQUAL(cbor_get_uint(&reader), 1);
    EXPECT(cbor_get_bytes(&reader, 2, NULL) == NULL); /* it has 1 byte */
    EXPECT_EQUAL(cbor_get_uint(&reader), 0);
    EXPECT_EQUAL(cbor_get_u32(&reader), 0);
    EXPECT_EQUAL(cbor_get_signed(&reader), 0);
    EXPECT(cbor_get_bytes(&reader, 0, &size_bytes) == NULL);
    EXPECT_EQUAL(size_bytes, 0);
    size_bytes = 99;
    EXPECT(cbor_get_text(&reader, &size_bytes) == NULL);
    EXPECT_EQUAL(size_bytes, 0);
    EXPECT_EQUAL(cbor_get_map(&reader, 9), 0);
    cbor_skip(&reader);
    EXPECT(cbor_end(&reader) == ERR_MALFORMED);

    static const uint8_t two[] = {0x01, 0x02};
    cbor_read(&reader, two, sizeof two);
    EXPECT_EQUAL(cbor_get_uint(&reader), 1);
    EXPECT(cbor_end(&reader) == ERR_MALFORMED); /* something is left over */
    EXPECT_EQUAL(cbor_get_uint(&reader), 2);
    EXPECT(cbor_end(&reader) == ERR_OK);
}

static void schemas_are_read_as_they_were_written(void)
{
    static const uint8_t empty_and_one[] = {0x7f};
    uint8_t bytes[64];
    struct cbor_writer writer;
    struct cbor_reader reader;
    uint32_t size_bytes, length;
    cbor_write(&writer, bytes, sizeof bytes);
    cbor_put_tag(&writer, 18);
    cbor_put_array(&writer, 3);
    cbor_put_map(&writer, 2);
    cbor_put_uint(&writer, 1);
    cbor_put_signed(&writer, -8);
    cbor_put_signed(&writer, -1);
    cbor_put_text(&writer, "name", 4);
    cbor_put_bytes(&writer, NULL, 0);
    cbor_put_bytes(&writer, empty_and_one, 1);
    EXPECT(cbor_finish(&writer, &size_bytes) == ERR_OK);

    cbor_read(&reader, bytes, size_bytes);
    cbor_get_tag(&reader, 18);
    cbor_get_array(&reader, 3);
    EXPECT_EQUAL(cbor_get_map(&reader, 2), 2);
    cbor_get_key(&reader, 1);
    EXPECT_EQUAL(cbor_get_signed(&reader), -8);
    cbor_get_key(&reader, -1);
    const uint8_t *text = cbor_get_text(&reader, &length);
    EXPECT(text != NULL && length == 4 && memcmp(text, "name", 4) == 0);
    EXPECT(cbor_get_bytes(&reader, 0, &length) != NULL);
    EXPECT_EQUAL(length, 0);
    const uint8_t *one = cbor_get_bytes(&reader, 1, NULL);
    EXPECT(one != NULL && *one == 0x7f);
    EXPECT(cbor_end(&reader) == ERR_OK);

    cbor_read(&reader, bytes, size_bytes);
    cbor_get_tag(&reader, 17);
    EXPECT(cbor_end(&reader) == ERR_MALFORMED);
    cbor_read(&reader, bytes + 1, size_bytes - 1);
    cbor_get_array(&reader, 4);
    EXPECT(cbor_end(&reader) == ERR_MALFORMED);
    cbor_read(&reader, bytes + 2, size_bytes - 2);
    EXPECT_EQUAL(cbor_get_map(&reader, 1), 0); /* more pairs than may be */
    EXPECT(cbor_end(&reader) == ERR_MALFORMED);
    cbor_read(&reader, bytes + 2, size_bytes - 2);
    EXPECT_EQUAL(cbor_get_map(&reader, 2), 2);
    cbor_get_key(&reader, 2);
    EXPECT(cbor_end(&reader) == ERR_MALFORMED);
}

/* --- random documents -------------------------------------------------------------------------*/

static void put_random_item(struct cbor_writer *writer, uint64_t *random, uint32_t depth)
{
    uint8_t content[40];
    const uint64_t value = random_next(random) >> random_below(random, 64);
    const uint32_t size_bytes = random_below(random, sizeof content);
    const uint32_t count = random_below(random, 4);
    const uint32_t kind = random_below(random, depth < 4 ? 7 : 4);
    for (uint32_t i = 0; i < size_bytes; i++) {
        content[i] = (uint8_t)('a' + random_below(random, 26));
    }
    uint64_t key = 0;
    switch (kind) {
    case 0:
        cbor_put_uint(writer, value);
        break;
    case 1:
        cbor_put_signed(writer, -1 - (int64_t)(value >> 1));
        break;
    case 2:
        cbor_put_bytes(writer, content, size_bytes);
        break;
    case 3:
        cbor_put_text(writer, (const char *)content, size_bytes);
        break;
    case 4:
        cbor_put_array(writer, count);
        for (uint32_t i = 0; i < count; i++) {
            put_random_item(writer, random, depth + 1);
        }
        break;
    case 5:
        cbor_put_map(writer, count);
        for (uint32_t i = 0; i < count; i++) {
            key += 1 + (random_next(random) >> 3 >> random_below(random, 61));
            cbor_put_uint(writer, key);
            put_random_item(writer, random, depth + 1);
        }
        break;
    default:
        cbor_put_tag(writer, 18);
        put_random_item(writer, random, depth + 1);
        break;
    }
}

/* What libcbor sees in an item is what our cursor reads. */
static void expect_same(struct cbor_reader *reader, const cbor_item_t *item)
{
    const uint8_t *content;
    uint32_t size_bytes;
    switch (cbor_typeof(item)) {
    case CBOR_TYPE_UINT:
        EXPECT(cbor_get_uint(reader) == cbor_get_int(item));
        return;
    case CBOR_TYPE_NEGINT:
        if (cbor_get_int(item) > INT64_MAX) {
            cbor_skip(reader);
        } else {
            EXPECT(cbor_get_signed(reader) == -1 - (int64_t)cbor_get_int(item));
        }
        return;
    case CBOR_TYPE_BYTESTRING:
        EXPECT(cbor_bytestring_is_definite(item));
        content = cbor_get_bytes(reader, 0, &size_bytes);
        EXPECT(content != NULL && size_bytes == cbor_bytestring_length(item));
        EXPECT(size_bytes == 0 || memcmp(content, cbor_bytestring_handle(item), size_bytes) == 0);
        return;
    case CBOR_TYPE_STRING:
        EXPECT(cbor_string_is_definite(item));
        content = cbor_get_text(reader, &size_bytes);
        EXPECT(content != NULL && size_bytes == cbor_string_length(item));
        EXPECT(size_bytes == 0 || memcmp(content, cbor_string_handle(item), size_bytes) == 0);
        return;
    case CBOR_TYPE_ARRAY:
        cbor_get_array(reader, (uint32_t)cbor_array_size(item));
        for (size_t i = 0; i < cbor_array_size(item); i++) {
            expect_same(reader, cbor_array_handle(item)[i]);
        }
        return;
    case CBOR_TYPE_MAP:
        EXPECT_EQUAL(cbor_get_map(reader, UINT32_MAX), cbor_map_size(item));
        for (size_t i = 0; i < cbor_map_size(item); i++) {
            expect_same(reader, cbor_map_handle(item)[i].key);
            expect_same(reader, cbor_map_handle(item)[i].value);
        }
        return;
    case CBOR_TYPE_TAG: {
        cbor_get_tag(reader, cbor_tag_value(item));
        cbor_item_t *inside = cbor_tag_item(item);
        expect_same(reader, inside);
        cbor_decref(&inside);
        return;
    }
    case CBOR_TYPE_FLOAT_CTRL:
        break;
    }
    EXPECT(cbor_typeof(item) != CBOR_TYPE_FLOAT_CTRL);
}

/* libcbor 0.8 refuses the tags 6 to 20 in their short form, the tag of COSE among them. A tag is
 * one byte in front of its item: without it the rest must agree. */
static cbor_item_t *load(uint8_t *bytes, uint32_t *size_bytes)
{
    for (;;) {
        struct cbor_load_result result;
        cbor_item_t *item = cbor_load(bytes, *size_bytes, &result);
        if (item != NULL) {
            EXPECT_EQUAL(result.error.code, CBOR_ERR_NONE);
            EXPECT_EQUAL(result.read, *size_bytes);
            return item;
        }
        const size_t at = result.error.position;
        EXPECT(at < *size_bytes && bytes[at] == 0xd2);
        *size_bytes -= 1;
        memmove(bytes + at, bytes + at + 1, *size_bytes - at);
    }
}

static void expect_libcbor_agrees(uint8_t *bytes, uint32_t size_bytes)
{
    uint8_t again[DOCUMENT_BYTES_MAX];
    struct cbor_reader reader;
    cbor_item_t *item = load(bytes, &size_bytes);
    cbor_read(&reader, bytes, size_bytes);
    expect_same(&reader, item);
    EXPECT(cbor_end(&reader) == ERR_OK);
    EXPECT_EQUAL(cbor_serialize(item, again, sizeof again), size_bytes);
    EXPECT(memcmp(again, bytes, size_bytes) == 0);
    cbor_decref(&item);
}

static uint32_t mutate(uint8_t *bytes, uint32_t size_bytes, uint64_t *random)
{
    const uint32_t at = random_below(random, size_bytes);
    switch (random_below(random, 5)) {
    case 0:
        bytes[at] = (uint8_t)(bytes[at] ^ 1u << random_below(random, 8));
        return size_bytes;
    case 1:
        bytes[at] = (uint8_t)random_next(random);
        return size_bytes;
    case 2: /* cut off */
        return at;
    case 3: /* cut out */
        memmove(bytes + at, bytes + at + 1, size_bytes - at - 1);
        return size_bytes - 1;
    default: /* put in */
        memmove(bytes + at + 1, bytes + at, size_bytes - at);
        bytes[at] = (uint8_t)random_next(random);
        return size_bytes + 1;
    }
}

static void whatever_we_take_libcbor_takes_as_the_same(void)
{
    uint64_t random = 20250102;
    uint32_t refused = 0, accepted = 0;
    for (uint32_t i = 0; i < MUTANTS; i++) {
        uint8_t bytes[DOCUMENT_BYTES_MAX + 4];
        struct cbor_writer writer;
        uint32_t size_bytes;
        cbor_write(&writer, bytes, DOCUMENT_BYTES_MAX);
        put_random_item(&writer, &random, 0);
        if (cbor_finish(&writer, &size_bytes) != ERR_OK) {
            continue;
        }
        EXPECT(taken(bytes, size_bytes));
        for (uint32_t times = random_below(&random, 4); times > 0 && size_bytes > 0; times--) {
            size_bytes = mutate(bytes, size_bytes, &random);
        }
        if (size_bytes <= DOCUMENT_BYTES_MAX && taken(bytes, size_bytes)) {
            expect_libcbor_agrees(bytes, size_bytes);
            accepted++;
        } else {
            refused++;
        }
    }
    EXPECT(accepted > MUTANTS / 4);
    EXPECT(refused > MUTANTS / 4);
}

static void no_document_is_taken_without_its_end(void)
{
    uint64_t random = 7;
    for (uint32_t i = 0; i < 500; i++) {
        uint8_t bytes[DOCUMENT_BYTES_MAX];
        struct cbor_writer writer;
        uint32_t size_bytes;
        cbor_write(&writer, bytes, sizeof bytes);
        put_random_item(&writer, &random, 0);
        if (cbor_finish(&writer, &size_bytes) != ERR_OK) {
            continue;
        }
        for (uint32_t cut = 0; cut < size_bytes; cut++) {
            EXPECT(!taken(bytes, cut));
        }
    }
}

/* Each capacity below the size fails, sticks, and touches nothing behind the capacity. */
static void no_document_is_written_into_less_than_its_room(void)
{
    for (uint64_t seed = 0; seed < 500; seed++) {
        uint8_t bytes[DOCUMENT_BYTES_MAX], small[DOCUMENT_BYTES_MAX + 1];
        struct cbor_writer writer;
        uint32_t size_bytes, none;
        uint64_t random = seed;
        cbor_write(&writer, bytes, sizeof bytes);
        put_random_item(&writer, &random, 0);
        if (cbor_finish(&writer, &size_bytes) != ERR_OK) {
            continue;
        }
        for (uint32_t room = 0; room < size_bytes; room++) {
            memset(small, 0xee, sizeof small);
            random = seed;
            cbor_write(&writer, small, room);
            put_random_item(&writer, &random, 0);
            EXPECT(cbor_finish(&writer, &none) == ERR_RANGE);
            EXPECT_EQUAL(none, 0);
            EXPECT(small[room] == 0xee);
        }
    }
}

int main(void)
{
    RUN(examples_of_the_rfc_are_written_and_read);
    RUN(integers_outside_their_type_are_refused);
    RUN(only_minimal_heads_of_the_subset_are_taken);
    RUN(map_keys_are_ascending_and_single);
    RUN(depth_is_bounded_exactly);
    RUN(claims_of_size_beyond_the_input_are_refused);
    RUN(text_is_utf8);
    RUN(the_first_error_sticks);
    RUN(schemas_are_read_as_they_were_written);
    RUN(whatever_we_take_libcbor_takes_as_the_same);
    RUN(no_document_is_taken_without_its_end);
    RUN(no_document_is_written_into_less_than_its_room);
    return 0;
}
