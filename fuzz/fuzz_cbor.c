/* The strict cursor over deterministic CBOR.
 * Required: what is accepted is written again, item by item, as the same bytes: one encoding of
 * each value; no part of it that is cut off is accepted; refused is refused for good, and says
 * ERR_MALFORMED. */
#include <string.h>

#include "core/cbor.h"
#include "fuzz/fuzz.h"

enum { INPUT_BYTES_MAX = 2048, LEVELS = CBOR_DEPTH_MAX + 1 };

static bool accepted(const uint8_t *bytes, uint32_t size_bytes)
{
    struct cbor_reader reader;
    cbor_read(&reader, bytes, size_bytes);
    cbor_skip(&reader);
    const enum err err = cbor_end(&reader);
    REQUIRE(err == ERR_OK || err == ERR_MALFORMED);
    REQUIRE(reader.at <= size_bytes);
    return err == ERR_OK;
}

/* Copy one head or leaf; how many items stand behind it as its own. */
static uint32_t copy_item(struct cbor_reader *reader, struct cbor_writer *writer)
{
    uint32_t size_bytes = 0;
    struct cbor_reader ahead = *reader;
    REQUIRE(reader->at < reader->size_bytes);
    switch (reader->bytes[reader->at] >> 5) {
    case 0:
        cbor_put_uint(writer, cbor_get_uint(reader));
        return 0;
    case 1: {
        const int64_t value = cbor_get_signed(&ahead);
        if (ahead.err == ERR_OK) {
            cbor_put_signed(writer, value);
            *reader = ahead;
            return 0;
        }
        /* Below INT64_MIN: the cursor steps over it, nobody reads it. */
        const uint32_t begin = reader->at;
        cbor_skip(reader);
        REQUIRE(reader->at - begin == 9 && writer->capacity_bytes - writer->at >= 9);
        memcpy(writer->bytes + writer->at, reader->bytes + begin, 9);
        writer->at += 9;
        return 0;
    }
    case 2: {
        const uint8_t *bytes = cbor_get_bytes(reader, 0, &size_bytes);
        cbor_put_bytes(writer, bytes, size_bytes);
        return 0;
    }
    case 3: {
        const uint8_t *text = cbor_get_text(reader, &size_bytes);
        cbor_put_text(writer, (const char *)text, size_bytes);
        return 0;
    }
    case 4: {
        uint32_t count = 0; /* which count it is, only the right one tells */
        for (;; count++) {
            ahead = *reader;
            cbor_get_array(&ahead, count);
            if (ahead.err == ERR_OK) {
                *reader = ahead;
                cbor_put_array(writer, count);
                return count;
            }
            REQUIRE(count < INPUT_BYTES_MAX);
        }
    }
    case 5: {
        const uint32_t count = cbor_get_map(reader, UINT32_MAX);
        cbor_put_map(writer, count);
        return 2 * count;
    }
    default:
        cbor_get_tag(reader, 18);
        cbor_put_tag(writer, 18);
        return 1;
    }
}

static void require_round_trip(const uint8_t *bytes, uint32_t size_bytes)
{
    uint8_t copy[INPUT_BYTES_MAX + 16];
    struct cbor_reader reader;
    struct cbor_writer writer;
    uint32_t left[LEVELS + 1] = {1}, depth = 0, copied_bytes = 0;
    cbor_read(&reader, bytes, size_bytes);
    cbor_write(&writer, copy, sizeof copy);
    while (left[0] > 0 || depth > 0) {
        if (left[depth] == 0) {
            depth--;
            continue;
        }
        left[depth]--;
        const uint32_t inside = copy_item(&reader, &writer);
        REQUIRE(reader.err == ERR_OK);
        if (inside > 0) {
            REQUIRE(depth < LEVELS);
            left[++depth] = inside;
        }
    }
    REQUIRE(cbor_end(&reader) == ERR_OK);
    REQUIRE(cbor_finish(&writer, &copied_bytes) == ERR_OK);
    REQUIRE(copied_bytes == size_bytes && memcmp(copy, bytes, size_bytes) == 0);
    cbor_write(&writer, copy, size_bytes - 1); /* what does not fit sticks */
    cbor_put_bytes(&writer, bytes, size_bytes);
    cbor_put_uint(&writer, 0);
    REQUIRE(cbor_finish(&writer, &copied_bytes) == ERR_RANGE);
}

/* Every way to read it, whatever it is: after an error nothing comes any more. */
static void require_sticky(const uint8_t *bytes, uint32_t size_bytes)
{
    for (int way = 0; way < 8; way++) {
        struct cbor_reader reader;
        uint32_t got_bytes = 0;
        cbor_read(&reader, bytes, size_bytes);
        switch (way) {
        case 0:
            (void)cbor_get_uint(&reader);
            break;
        case 1:
            (void)cbor_get_u32(&reader);
            break;
        case 2:
            (void)cbor_get_signed(&reader);
            break;
        case 3:
            (void)cbor_get_bytes(&reader, 0, &got_bytes);
            break;
        case 4:
            (void)cbor_get_text(&reader, &got_bytes);
            break;
        case 5:
            cbor_get_key(&reader, 1);
            break;
        case 6:
            (void)cbor_get_map(&reader, 2);
            break;
        default:
            cbor_get_tag(&reader, 18);
            break;
        }
        REQUIRE(reader.at <= size_bytes && got_bytes <= size_bytes);
        if (reader.err != ERR_OK) {
            REQUIRE(cbor_get_uint(&reader) == 0 && cbor_get_signed(&reader) == 0);
            REQUIRE(cbor_get_bytes(&reader, 0, &got_bytes) == NULL && got_bytes == 0);
            REQUIRE(cbor_get_map(&reader, 1) == 0);
            REQUIRE(cbor_end(&reader) == ERR_MALFORMED);
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_bytes)
{
    if (size_bytes > INPUT_BYTES_MAX) {
        return 0;
    }
    const uint32_t all_bytes = (uint32_t)size_bytes;
    require_sticky(data, all_bytes);
    if (accepted(data, all_bytes)) {
        require_round_trip(data, all_bytes);
        for (uint32_t cut_bytes = 0; cut_bytes < all_bytes; cut_bytes++) {
            REQUIRE(!accepted(data, cut_bytes));
        }
    }
    return 0;
}
