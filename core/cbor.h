/* Strict cursor over deterministic CBOR (RFC 8949 section 4.2.1), and an encoder of the same
 * subset: unsigned and negative integers, byte strings, text strings, arrays, maps and the tag 18
 * (COSE). Refused: indefinite lengths, non-minimal heads, floats and other simple values, other
 * tags, text that is not UTF-8, unsorted or duplicate map keys, anything that reaches past the end,
 * and depths above CBOR_DEPTH_MAX (a tag is a level). Nothing is allocated; strings are borrowed
 * from the input.
 *
 * Errors stick: after the first one every call answers as if the input had ended, and
 * cbor_end() / cbor_finish() say what it was. So a parser reads straight through and asks once.
 */
#ifndef BROWNOUT_CORE_CBOR_H
#define BROWNOUT_CORE_CBOR_H

#include <stdbool.h>
#include <stdint.h>

#include "core/err.h"

enum { CBOR_DEPTH_MAX = 8 };

struct cbor_reader {
    const uint8_t *bytes; /* borrowed */
    uint32_t size_bytes;
    uint32_t at;
    enum err err; /* ERR_OK or ERR_MALFORMED */
};

void cbor_read(struct cbor_reader *reader, const uint8_t *bytes, uint32_t size_bytes);
uint64_t cbor_get_uint(struct cbor_reader *reader);
/* An unsigned integer that fits uint32_t: numbers of nodes, epochs, versions. */
uint32_t cbor_get_u32(struct cbor_reader *reader);
/* Any integer that fits int64_t. (libcbor owns the name cbor_get_int.) */
int64_t cbor_get_signed(struct cbor_reader *reader);
/* NULL and 0 on error; size_bytes may be NULL where exact_bytes is not 0 (then the size must
 * match). */
const uint8_t *cbor_get_bytes(struct cbor_reader *reader, uint32_t exact_bytes,
                              uint32_t *size_bytes);
const uint8_t *cbor_get_text(struct cbor_reader *reader, uint32_t *size_bytes);
/* The number of elements must be `count`. */
void cbor_get_array(struct cbor_reader *reader, uint32_t count);
/* The number of pairs, at most count_max. The caller reads keys with cbor_get_key. */
uint32_t cbor_get_map(struct cbor_reader *reader, uint32_t count_max);
/* The next key must be this integer: fixed schemas have no other order than the sorted one. */
void cbor_get_key(struct cbor_reader *reader, int64_t key);
void cbor_get_tag(struct cbor_reader *reader, uint64_t tag);
/* Check one item of any content and step over it. Map keys are checked here: bytewise ascending. */
void cbor_skip(struct cbor_reader *reader);
/* ERR_OK if all was well-formed and nothing is left over. */
enum err cbor_end(const struct cbor_reader *reader) MUST_USE;

struct cbor_writer {
    uint8_t *bytes; /* borrowed */
    uint32_t capacity_bytes;
    uint32_t at;
    enum err err; /* ERR_OK or ERR_RANGE (does not fit) */
};

void cbor_write(struct cbor_writer *writer, uint8_t *bytes, uint32_t capacity_bytes);
void cbor_put_uint(struct cbor_writer *writer, uint64_t value);
void cbor_put_signed(struct cbor_writer *writer, int64_t value);
void cbor_put_bytes(struct cbor_writer *writer, const uint8_t *bytes, uint32_t size_bytes);
void cbor_put_text(struct cbor_writer *writer, const char *text, uint32_t size_bytes);
void cbor_put_array(struct cbor_writer *writer, uint32_t count);
void cbor_put_map(struct cbor_writer *writer, uint32_t count);
void cbor_put_tag(struct cbor_writer *writer, uint64_t tag);
/* Bytes written, or an error. */
enum err cbor_finish(const struct cbor_writer *writer, uint32_t *size_bytes) MUST_USE;

#endif
