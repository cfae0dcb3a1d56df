/* Goal: one form of envelope, signed as RFC 9052 says, and nothing else is parsed or verified.
 * Method: an envelope built by hand byte for byte; every deviation from the form, one at a time;
 * every bit flipped. */
#include <stdbool.h>
#include <string.h>

#include "core/cbor.h"
#include "core/check.h"
#include "core/cose.h"
#include "core/crypto/openssl.h"
#include "core/limits.h"
#include "core/test/test.h"

_Noreturn void check_failed(const char *file, int line, const char *what)
{
    fprintf(stderr, "%s:%d: CHECK(%s)\n", file, line, what);
    abort();
}

static struct crypto_openssl openssl;
static struct port port;
static struct key_pair pair;

static const uint8_t payload[] = "twelve bytes";
enum { PAYLOAD_BYTES = 12, SIGNER = 0x01020304, TYPE = 3, ROOM = FORWARD_BYTES_MAX + 64 };

static const uint8_t good_protected[] = {0xa3, 0x01, 0x27, 0x03, 0x03, 0x04,
                                         0x44, 0x01, 0x02, 0x03, 0x04};
static const uint8_t empty_map[] = {0xa0};

/* An envelope from its parts, without any help of cose.c. */
static uint32_t build(uint8_t *bytes, const uint8_t *protected_bytes, uint32_t protected_size_bytes,
                      const uint8_t *unprotected, uint32_t unprotected_bytes,
                      uint32_t signature_bytes)
{
    static const uint8_t signature[SIGNATURE_BYTES + 1] = {0};
    uint32_t at = 0;
    bytes[at++] = 0xd2;
    bytes[at++] = 0x84;
    EXPECT(protected_size_bytes < 24);
    bytes[at++] = (uint8_t)(0x40 | protected_size_bytes);
    memcpy(bytes + at, protected_bytes, protected_size_bytes);
    at += protected_size_bytes;
    memcpy(bytes + at, unprotected, unprotected_bytes);
    at += unprotected_bytes;
    bytes[at++] = 0x40 | PAYLOAD_BYTES;
    memcpy(bytes + at, payload, PAYLOAD_BYTES);
    at += PAYLOAD_BYTES;
    bytes[at++] = 0x58;
    bytes[at++] = (uint8_t)signature_bytes;
    memcpy(bytes + at, signature, signature_bytes);
    return at + signature_bytes;
}

static uint32_t sign(uint8_t *envelope)
{
    uint32_t size_bytes = ENVELOPE_BYTES_MAX;
    EXPECT(cose_sign(&port, &pair, SIGNER, TYPE, payload, PAYLOAD_BYTES, envelope, &size_bytes) ==
           ERR_OK);
    return size_bytes;
}

static void an_envelope_is_what_the_rfc_says_byte_for_byte(void)
{
    static const char context[] = "\x84\x6aSignature1\x4b";
    uint8_t expected[ROOM], envelope[ROOM], message[128];
    const uint32_t expected_bytes =
        build(expected, good_protected, sizeof good_protected, empty_map, 1, SIGNATURE_BYTES);
    const uint32_t size_bytes = sign(envelope);
    EXPECT_EQUAL(size_bytes, expected_bytes);
    EXPECT(memcmp(envelope, expected, size_bytes - SIGNATURE_BYTES) == 0);

    /* What is signed: ["Signature1", protected, h'', payload]. */
    uint32_t at = 0;
    memcpy(message, context, sizeof context - 1);
    at += (uint32_t)sizeof context - 1;
    memcpy(message + at, good_protected, sizeof good_protected);
    at += (uint32_t)sizeof good_protected;
    message[at++] = 0x40;
    message[at++] = 0x40 | PAYLOAD_BYTES;
    memcpy(message + at, payload, PAYLOAD_BYTES);
    at += PAYLOAD_BYTES;
    EXPECT(port.crypto.verify(port.crypto.ctx, pair.public_key, message, at,
                              envelope + size_bytes - SIGNATURE_BYTES) == ERR_OK);
}

static void what_is_signed_parses_and_verifies(void)
{
    uint8_t envelope[ROOM];
    struct cose_sign1 parsed;
    struct key_pair other = {.seed = {9}};
    const uint32_t size_bytes = sign(envelope);
    EXPECT(cose_parse(envelope, size_bytes, &parsed) == ERR_OK);
    EXPECT_EQUAL(parsed.signer, SIGNER);
    EXPECT_EQUAL(parsed.content_type, TYPE);
    EXPECT_EQUAL(parsed.payload_bytes, PAYLOAD_BYTES);
    EXPECT(memcmp(parsed.payload, payload, PAYLOAD_BYTES) == 0);
    EXPECT(cose_verify(&parsed, &port, pair.public_key) == ERR_OK);
    EXPECT(port.crypto.public_key(port.crypto.ctx, &other) == ERR_OK);
    EXPECT(cose_verify(&parsed, &port, other.public_key) == ERR_SIGNATURE);
}

static void no_flipped_bit_is_verified(void)
{
    uint8_t envelope[ROOM];
    struct cose_sign1 parsed;
    uint32_t parsed_count = 0;
    const uint32_t size_bytes = sign(envelope);
    for (uint32_t bit = 0; bit < 8 * size_bytes; bit++) {
        envelope[bit / 8] = (uint8_t)(envelope[bit / 8] ^ 1u << bit % 8);
        if (cose_parse(envelope, size_bytes, &parsed) == ERR_OK) {
            EXPECT(cose_verify(&parsed, &port, pair.public_key) == ERR_SIGNATURE);
            parsed_count++;
        }
        envelope[bit / 8] = (uint8_t)(envelope[bit / 8] ^ 1u << bit % 8);
    }
    /* Content, kid and most of the signature are free; the form is not. */
    EXPECT(parsed_count >= 8 * (SIGNATURE_BYTES + PAYLOAD_BYTES + 4));
    EXPECT(parsed_count < 8 * size_bytes);
}

static void no_part_and_no_more_than_an_envelope_parses(void)
{
    uint8_t envelope[ROOM] = {0};
    struct cose_sign1 parsed;
    const uint32_t size_bytes = sign(envelope);
    for (uint32_t cut = 0; cut < size_bytes; cut++) {
        EXPECT(cose_parse(envelope, cut, &parsed) == ERR_MALFORMED);
    }
    EXPECT(cose_parse(envelope, size_bytes + 1, &parsed) == ERR_MALFORMED);
    EXPECT(cose_parse(envelope + 1, size_bytes - 1, &parsed) == ERR_MALFORMED); /* untagged */
    EXPECT(cose_parse(NULL, 0, &parsed) == ERR_MALFORMED);
    EXPECT(cose_parse(envelope, UINT32_MAX, &parsed) == ERR_MALFORMED);
}

static enum err parse_protected(const uint8_t *bytes, uint32_t size_bytes)
{
    uint8_t envelope[ROOM];
    struct cose_sign1 parsed;
    const uint32_t envelope_bytes =
        build(envelope, bytes, size_bytes, empty_map, 1, SIGNATURE_BYTES);
    return cose_parse(envelope, envelope_bytes, &parsed);
}

#define PROTECTED(...)                                                                             \
    parse_protected((const uint8_t[]){__VA_ARGS__}, (uint32_t)sizeof(const uint8_t[]){__VA_ARGS__})

static void only_the_one_protected_header_is_taken(void)
{
    EXPECT(parse_protected(good_protected, sizeof good_protected) == ERR_OK);
    EXPECT(parse_protected(good_protected, 0) == ERR_MALFORMED);
    EXPECT(PROTECTED(0xa0) == ERR_MALFORMED);
    /* ES256 (-7), and a text for an algorithm. */
    EXPECT(PROTECTED(0xa3, 1, 0x26, 3, 3, 4, 0x44, 1, 2, 3, 4) == ERR_MALFORMED);
    EXPECT(PROTECTED(0xa3, 1, 0x60, 3, 3, 4, 0x44, 1, 2, 3, 4) == ERR_MALFORMED);
    /* A label left out, one too many: crit (2), IV (5), one of a private range. */
    EXPECT(PROTECTED(0xa2, 1, 0x27, 4, 0x44, 1, 2, 3, 4) == ERR_MALFORMED);
    EXPECT(PROTECTED(0xa2, 1, 0x27, 3, 3) == ERR_MALFORMED);
    EXPECT(PROTECTED(0xa2, 3, 3, 4, 0x44, 1, 2, 3, 4) == ERR_MALFORMED);
    EXPECT(PROTECTED(0xa4, 1, 0x27, 2, 0x81, 3, 3, 3, 4, 0x44, 1, 2, 3, 4) == ERR_MALFORMED);
    EXPECT(PROTECTED(0xa4, 1, 0x27, 3, 3, 4, 0x44, 1, 2, 3, 4, 5, 0x40) == ERR_MALFORMED);
    EXPECT(PROTECTED(0xa4, 1, 0x27, 3, 3, 4, 0x44, 1, 2, 3, 4, 0x20, 0) == ERR_MALFORMED);
    /* Wrong order, a label twice, a count that does not fit, a kid that is not 4 bytes. */
    EXPECT(PROTECTED(0xa3, 3, 3, 1, 0x27, 4, 0x44, 1, 2, 3, 4) == ERR_MALFORMED);
    EXPECT(PROTECTED(0xa4, 1, 0x27, 3, 3, 3, 3, 4, 0x44, 1, 2, 3, 4) == ERR_MALFORMED);
    EXPECT(PROTECTED(0xa2, 1, 0x27, 3, 3, 4, 0x44, 1, 2, 3, 4) == ERR_MALFORMED);
    EXPECT(PROTECTED(0xa3, 1, 0x27, 3, 3, 4, 0x43, 1, 2, 3) == ERR_MALFORMED);
    EXPECT(PROTECTED(0xa3, 1, 0x27, 3, 3, 4, 0x45, 1, 2, 3, 4, 5) == ERR_MALFORMED);
    EXPECT(PROTECTED(0xa3, 1, 0x27, 3, 3, 4, 0x44, 1, 2, 3, 4, 0) == ERR_MALFORMED);
    /* A content type that is text, not minimal, or above 32 bits; and the largest one. */
    EXPECT(PROTECTED(0xa3, 1, 0x27, 3, 0x61, 'a', 4, 0x44, 1, 2, 3, 4) == ERR_MALFORMED);
    EXPECT(PROTECTED(0xa3, 1, 0x27, 3, 0x18, 3, 4, 0x44, 1, 2, 3, 4) == ERR_MALFORMED);
    EXPECT(PROTECTED(0xa3, 1, 0x27, 3, 0x1b, 0, 0, 0, 1, 0, 0, 0, 0, 4, 0x44, 1, 2, 3, 4) ==
           ERR_MALFORMED);
    EXPECT(PROTECTED(0xa3, 1, 0x27, 3, 0x1a, 0xff, 0xff, 0xff, 0xff, 4, 0x44, 1, 2, 3, 4) ==
           ERR_OK);
}

static void nothing_is_said_outside_the_signature(void)
{
    static const uint8_t kid_outside[] = {0xa1, 0x04, 0x41, 0x01};
    static const uint8_t array[] = {0x80};
    uint8_t envelope[ROOM];
    struct cose_sign1 parsed;
    uint32_t size_bytes = build(envelope, good_protected, sizeof good_protected, kid_outside,
                                sizeof kid_outside, SIGNATURE_BYTES);
    EXPECT(cose_parse(envelope, size_bytes, &parsed) == ERR_MALFORMED);
    size_bytes = build(envelope, good_protected, sizeof good_protected, array, 1, SIGNATURE_BYTES);
    EXPECT(cose_parse(envelope, size_bytes, &parsed) == ERR_MALFORMED);
    for (uint32_t bytes = SIGNATURE_BYTES - 1; bytes <= SIGNATURE_BYTES + 1; bytes++) {
        size_bytes = build(envelope, good_protected, sizeof good_protected, empty_map, 1, bytes);
        EXPECT(cose_parse(envelope, size_bytes, &parsed) ==
               (bytes == SIGNATURE_BYTES ? ERR_OK : ERR_MALFORMED));
    }
}

static void an_envelope_that_does_not_fit_is_not_made(void)
{
    uint8_t envelope[ROOM], whole[ROOM];
    const uint32_t needed_bytes = sign(whole);
    for (uint32_t room = 0; room <= needed_bytes; room++) {
        uint32_t size_bytes = room;
        memset(envelope, 0xee, sizeof envelope);
        const enum err err =
            cose_sign(&port, &pair, SIGNER, TYPE, payload, PAYLOAD_BYTES, envelope, &size_bytes);
        EXPECT(err == (room < needed_bytes ? ERR_RANGE : ERR_OK));
        EXPECT_EQUAL(size_bytes, room < needed_bytes ? 0 : needed_bytes);
        EXPECT(envelope[room] == 0xee);
    }
}

static void the_largest_envelope_is_exactly_the_bound(void)
{
    static const uint8_t zeroes[ROOM];
    uint8_t envelope[ROOM], attempt[ROOM];
    struct cose_sign1 parsed;
    uint32_t largest = 0;
    for (uint32_t bytes = 0; bytes <= FORWARD_BYTES_MAX; bytes++) {
        uint32_t size_bytes = sizeof envelope;
        const enum err err =
            cose_sign(&port, &pair, SIGNER, TYPE, zeroes, bytes, attempt, &size_bytes);
        EXPECT(err == ERR_OK || err == ERR_RANGE);
        if (err == ERR_OK) {
            memcpy(envelope, attempt, size_bytes);
            EXPECT(cose_parse(envelope, size_bytes, &parsed) == ERR_OK);
            EXPECT(cose_verify(&parsed, &port, pair.public_key) == ERR_OK);
            EXPECT(size_bytes > largest && size_bytes <= FORWARD_BYTES_MAX);
            largest = size_bytes;
        }
    }
    EXPECT_EQUAL(largest, FORWARD_BYTES_MAX);

    /* One byte more of payload, in the same good form. */
    const uint32_t size_at = 2 + 1 + (uint32_t)sizeof good_protected + 1 + 1;
    EXPECT(cose_parse(envelope, largest, &parsed) == ERR_OK);
    const uint32_t payload_bytes = parsed.payload_bytes + 1;
    EXPECT(envelope[size_at - 1] == 0x59);
    memmove(envelope + size_at + 3, envelope + size_at + 2, largest - size_at - 2);
    envelope[size_at] = (uint8_t)(payload_bytes >> 8);
    envelope[size_at + 1] = (uint8_t)payload_bytes;
    envelope[size_at + 2] = 0;
    EXPECT(cose_parse(envelope, largest + 1, &parsed) == ERR_MALFORMED);
    EXPECT(parsed.payload == NULL); /* for its size, before anything is read */
}

static enum err broken_sign(void *ctx, const struct key_pair *with, const uint8_t *message,
                            uint32_t size_bytes, uint8_t signature[SIGNATURE_BYTES])
{
    (void)ctx;
    (void)with;
    (void)message;
    (void)size_bytes;
    (void)signature;
    return ERR_IO;
}

static void a_dead_port_is_passed_up(void)
{
    uint8_t envelope[ROOM];
    uint32_t size_bytes = sizeof envelope;
    struct port dead = port;
    dead.crypto.sign = broken_sign;
    EXPECT(cose_sign(&dead, &pair, SIGNER, TYPE, payload, PAYLOAD_BYTES, envelope, &size_bytes) ==
           ERR_IO);
    EXPECT_EQUAL(size_bytes, 0);
}

int main(void)
{
    EXPECT(crypto_openssl_init(&openssl, &port.crypto) == ERR_OK);
    pair.seed[0] = 1;
    EXPECT(port.crypto.public_key(port.crypto.ctx, &pair) == ERR_OK);
    RUN(an_envelope_is_what_the_rfc_says_byte_for_byte);
    RUN(what_is_signed_parses_and_verifies);
    RUN(no_flipped_bit_is_verified);
    RUN(no_part_and_no_more_than_an_envelope_parses);
    RUN(only_the_one_protected_header_is_taken);
    RUN(nothing_is_said_outside_the_signature);
    RUN(an_envelope_that_does_not_fit_is_not_made);
    RUN(the_largest_envelope_is_exactly_the_bound);
    RUN(a_dead_port_is_passed_up);
    crypto_openssl_free(&openssl);
    return 0;
}
