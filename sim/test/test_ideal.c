/* Goal: under the ideal provider a run is the same as under the real one: same public keys, same
 * sizes, same verdicts on everything honest and everything forged.
 * Method: each question is put to both providers. */
#include <stdbool.h>
#include <string.h>

#include "core/check.h"
#include "core/crypto/openssl.h"
#include "core/message.h"
#include "core/test/test.h"
#include "sim/ideal.h"

_Noreturn void check_failed(const char *file, int line, const char *what)
{
    fprintf(stderr, "%s:%d: CHECK(%s)\n", file, line, what);
    abort();
}

enum { REAL, IDEAL, PROVIDERS };

static struct crypto_openssl openssl;
static struct ideal ideal;
static struct port_crypto crypto[PROVIDERS];
static const uint64_t run_secret[2] = {0x0123456789abcdefu, 0xfedcba9876543210u};

static struct key_pair make_pair(uint8_t number)
{
    struct key_pair pair = {.seed = {number}};
    EXPECT(crypto[REAL].public_key(crypto[REAL].ctx, &pair) == ERR_OK);
    return pair;
}

static void flip(uint8_t *bytes, uint32_t bit)
{
    bytes[bit / 8] = (uint8_t)(bytes[bit / 8] ^ 1u << bit % 8);
}

static void public_keys_and_digests_are_the_real_ones(void)
{
    for (uint8_t i = 0; i < 20; i++) {
        const struct key_pair real = make_pair(i);
        struct key_pair pair = {.seed = {i}};
        uint8_t digests[PROVIDERS][DIGEST_BYTES];
        EXPECT(crypto[IDEAL].public_key(crypto[IDEAL].ctx, &pair) == ERR_OK);
        EXPECT(memcmp(pair.public_key, real.public_key, KEY_BYTES) == 0);
        for (int p = 0; p < PROVIDERS; p++) {
            EXPECT(crypto[p].sha256(crypto[p].ctx, pair.public_key, i, digests[p]) == ERR_OK);
        }
        EXPECT(memcmp(digests[REAL], digests[IDEAL], DIGEST_BYTES) == 0);
    }
}

static void only_what_was_signed_verifies(void)
{
    for (int p = 0; p < PROVIDERS; p++) {
        const struct port_crypto *c = &crypto[p];
        struct key_pair pair = make_pair(1);
        const struct key_pair other = make_pair(2);
        uint8_t message[40] = "a message of some length", signature[SIGNATURE_BYTES];
        EXPECT(c->sign(c->ctx, &pair, message, sizeof message, signature) == ERR_OK);
        EXPECT(c->verify(c->ctx, pair.public_key, message, sizeof message, signature) == ERR_OK);
        EXPECT(c->verify(c->ctx, other.public_key, message, sizeof message, signature) ==
               ERR_SIGNATURE);
        EXPECT(c->verify(c->ctx, pair.public_key, message, sizeof message - 1, signature) ==
               ERR_SIGNATURE);
        for (uint32_t bit = 0; bit < 8 * SIGNATURE_BYTES; bit++) {
            flip(signature, bit);
            EXPECT(c->verify(c->ctx, pair.public_key, message, sizeof message, signature) ==
                   ERR_SIGNATURE);
            flip(signature, bit);
        }
        for (uint32_t bit = 0; bit < 8 * sizeof message; bit++) {
            flip(message, bit);
            EXPECT(c->verify(c->ctx, pair.public_key, message, sizeof message, signature) ==
                   ERR_SIGNATURE);
            flip(message, bit);
        }
        EXPECT(c->sign(c->ctx, &pair, NULL, 0, signature) == ERR_OK);
        EXPECT(c->verify(c->ctx, pair.public_key, NULL, 0, signature) == ERR_OK);
    }
}

static void keys_of_low_order_are_refused_by_both(void)
{
    /* y = 0, 1, the two of order 8, p - 1, p, p + 1; each with both signs of x: 14 keys. */
    static const uint8_t order_8[2][KEY_BYTES] = {
        {0x26, 0xe8, 0x95, 0x8f, 0xc2, 0xb2, 0x27, 0xb0, 0x45, 0xc3, 0xf4,
         0x89, 0xf2, 0xef, 0x98, 0xf0, 0xd5, 0xdf, 0xac, 0x05, 0xd3, 0xc6,
         0x33, 0x39, 0xb1, 0x38, 0x02, 0x88, 0x6d, 0x53, 0xfc, 0x05},
        {0xc7, 0x17, 0x6a, 0x70, 0x3d, 0x4d, 0xd8, 0x4f, 0xba, 0x3c, 0x0b,
         0x76, 0x0d, 0x10, 0x67, 0x0f, 0x2a, 0x20, 0x53, 0xfa, 0x2c, 0x39,
         0xcc, 0xc6, 0x4e, 0xc7, 0xfd, 0x77, 0x92, 0xac, 0x03, 0x7a},
    };
    uint8_t keys[14][KEY_BYTES];
    memset(keys, 0, sizeof keys);
    keys[1][0] = 0x01;
    memcpy(keys[2], order_8, sizeof order_8);
    for (uint32_t i = 4; i < 7; i++) {
        memset(keys[i], 0xff, KEY_BYTES);
        keys[i][0] = (uint8_t)(0xec + (i - 4));
        keys[i][KEY_BYTES - 1] = 0x7f;
    }
    for (uint32_t i = 0; i < 7; i++) {
        memcpy(keys[7 + i], keys[i], KEY_BYTES);
        keys[7 + i][KEY_BYTES - 1] |= 0x80;
    }
    for (uint32_t i = 0; i < 14; i++) {
        struct key_pair forged = {.seed = {1}};
        uint8_t signature[SIGNATURE_BYTES];
        const uint8_t forgery[SIGNATURE_BYTES] = {0x01};
        memcpy(forged.public_key, keys[i], KEY_BYTES);
        for (int p = 0; p < PROVIDERS; p++) {
            const struct port_crypto *c = &crypto[p];
            EXPECT(c->verify(c->ctx, keys[i], forgery, 1, forgery) == ERR_SIGNATURE);
            EXPECT(c->sign(c->ctx, &forged, forgery, 1, signature) == ERR_OK);
            EXPECT(c->verify(c->ctx, keys[i], forgery, 1, signature) == ERR_SIGNATURE);
        }
    }
}

static void messages_have_the_same_sizes_and_verdicts(void)
{
    static const uint64_t counters[] = {0, 23, 24, 300, 70000, UINT64_C(1) << 40, UINT64_MAX};
    static const uint8_t secret[KEY_BYTES] = {9};
    for (size_t i = 0; i < sizeof counters / sizeof counters[0]; i++) {
        uint8_t wrapped[PROVIDERS][FORWARD_BYTES_MAX];
        uint32_t sizes[PROVIDERS] = {sizeof wrapped[0], sizeof wrapped[0]};
        struct envelope envelopes[PROVIDERS];
        for (int p = 0; p < PROVIDERS; p++) {
            const struct port port = {.crypto = crypto[p]};
            const struct key_pair pair = make_pair(3);
            const struct reading reading = {.wall_us = counters[i], .value = -(int32_t)i};
            uint8_t key[AEAD_KEY_BYTES];
            EXPECT(message_reading_key(&port, secret, 5, 1, key) == ERR_OK);
            EXPECT(message_telemetry(&port, &pair, key, 5, 1, counters[i], &reading,
                                     &envelopes[p]) == ERR_OK);
            const struct forward forward = {.gateway = 8,
                                            .envelope = envelopes[p].bytes,
                                            .envelope_bytes = envelopes[p].size_bytes};
            EXPECT(message_forward(&port, &pair, &forward, wrapped[p], &sizes[p]) == ERR_OK);

            struct cose_sign1 parsed;
            struct telemetry telemetry;
            struct reading back;
            EXPECT(cose_parse(envelopes[p].bytes, envelopes[p].size_bytes, &parsed) == ERR_OK);
            EXPECT(cose_verify(&parsed, &port, pair.public_key) == ERR_OK);
            EXPECT(message_read_telemetry(&parsed, &telemetry) == ERR_OK);
            EXPECT(message_open_reading(&port, key, &telemetry, &back) == ERR_OK);
            EXPECT(back.wall_us == reading.wall_us && back.value == reading.value);
        }
        EXPECT_EQUAL(envelopes[IDEAL].size_bytes, envelopes[REAL].size_bytes);
        EXPECT_EQUAL(sizes[IDEAL], sizes[REAL]);
    }
}

static void what_is_sealed_opens_and_nothing_else_does(void)
{
    for (uint32_t size_bytes = 0; size_bytes < 150; size_bytes += 7) {
        for (int p = 0; p < PROVIDERS; p++) {
            const struct port_crypto *c = &crypto[p];
            uint8_t key[AEAD_KEY_BYTES] = {1}, nonce[AEAD_NONCE_BYTES] = {2};
            uint8_t plain[150], sealed[150 + AEAD_TAG_BYTES], opened[151];
            memset(plain, 0x33, sizeof plain);
            memset(opened, 0xee, sizeof opened);
            EXPECT(c->seal(c->ctx, key, nonce, plain, size_bytes, sealed) == ERR_OK);
            const uint32_t sealed_bytes = size_bytes + AEAD_TAG_BYTES;
            EXPECT(c->open(c->ctx, key, nonce, sealed, sealed_bytes, opened) == ERR_OK);
            EXPECT(memcmp(opened, plain, size_bytes) == 0 && opened[size_bytes] == 0xee);
            EXPECT(size_bytes < 8 || memcmp(sealed, plain, size_bytes) != 0);
            for (uint32_t bit = 0; bit < 8 * sealed_bytes; bit += 5) {
                memset(opened, 0xee, sizeof opened);
                flip(sealed, bit);
                EXPECT(c->open(c->ctx, key, nonce, sealed, sealed_bytes, opened) == ERR_SIGNATURE);
                for (uint32_t i = 0; i < size_bytes; i++) {
                    EXPECT_EQUAL(opened[i], 0);
                }
                flip(sealed, bit);
            }
            flip(nonce, 95);
            EXPECT(c->open(c->ctx, key, nonce, sealed, sealed_bytes, opened) == ERR_SIGNATURE);
            flip(nonce, 95);
            flip(key, 127);
            EXPECT(c->open(c->ctx, key, nonce, sealed, sealed_bytes, opened) == ERR_SIGNATURE);
            EXPECT(c->open(c->ctx, key, nonce, sealed, AEAD_TAG_BYTES - 1, opened) ==
                   ERR_SIGNATURE);
        }
    }
}

static void every_half_of_the_run_secret_counts(void)
{
    const struct key_pair pair = make_pair(4);
    uint8_t signature[SIGNATURE_BYTES];
    EXPECT(crypto[IDEAL].sign(crypto[IDEAL].ctx, &pair, pair.seed, 1, signature) == ERR_OK);
    for (uint32_t half = 0; half < 2; half++) {
        uint64_t secret[2] = {run_secret[0], run_secret[1]};
        struct ideal other;
        struct port_crypto of_other;
        secret[half] ^= 1;
        ideal_init(&other, secret, &crypto[REAL], &of_other);
        EXPECT(of_other.verify(of_other.ctx, pair.public_key, pair.seed, 1, signature) ==
               ERR_SIGNATURE);
    }
}

/* The same bytes in every process, build and machine, or a seed would not bring a run back. */
static void a_signature_is_a_function_of_its_inputs_alone(void)
{
    static const uint8_t expected[SIGNATURE_BYTES] = {
        0xd1, 0x05, 0x28, 0x71, 0xb9, 0xf7, 0xec, 0x1a, 0xf6, 0xcd, 0xe9, 0xe3, 0xa7,
        0x12, 0x0a, 0xca, 0xa7, 0x9f, 0xbc, 0xc4, 0x6b, 0x30, 0x84, 0xaa, 0x9e, 0xb5,
        0x89, 0x5e, 0x2f, 0x7f, 0x9e, 0x8a, 0x31, 0xa4, 0xb0, 0x6e, 0xc8, 0xf4, 0x5b,
        0x70, 0x89, 0x8c, 0x0b, 0xe2, 0x96, 0xfd, 0xbd, 0xfe, 0x8c, 0xa9, 0x32, 0x1c,
        0x2d, 0x88, 0x16, 0x4a, 0xdc, 0x27, 0x77, 0xbe, 0x15, 0xbf, 0x3b, 0x87};
    struct key_pair pair = {{0}, {0}};
    struct ideal other;
    struct port_crypto of_other;
    uint8_t signature[SIGNATURE_BYTES], again[SIGNATURE_BYTES];
    uint8_t message[300];
    for (uint32_t i = 0; i < sizeof message; i++) {
        message[i] = (uint8_t)i;
    }
    memset(pair.public_key, 0x42, KEY_BYTES);
    EXPECT(crypto[IDEAL].sign(crypto[IDEAL].ctx, &pair, message, sizeof message, signature) ==
           ERR_OK);
    EXPECT(memcmp(signature, expected, SIGNATURE_BYTES) == 0);
    ideal_init(&other, run_secret, &crypto[REAL], &of_other);
    EXPECT(of_other.sign(of_other.ctx, &pair, message, sizeof message, again) == ERR_OK);
    EXPECT(memcmp(signature, again, SIGNATURE_BYTES) == 0);
}

static void derived_keys_differ_by_secret_and_context(void)
{
    for (int p = 0; p < PROVIDERS; p++) {
        const struct port_crypto *c = &crypto[p];
        uint8_t secret[KEY_BYTES] = {1}, info[2] = {1, 2}, keys[4][KEY_BYTES];
        EXPECT(c->hkdf(c->ctx, secret, info, 2, keys[0]) == ERR_OK);
        EXPECT(c->hkdf(c->ctx, secret, info, 1, keys[1]) == ERR_OK);
        EXPECT(c->hkdf(c->ctx, secret, NULL, 0, keys[2]) == ERR_OK);
        flip(secret, 255);
        EXPECT(c->hkdf(c->ctx, secret, info, 2, keys[3]) == ERR_OK);
        for (uint32_t i = 0; i < 4; i++) {
            for (uint32_t j = 0; j < i; j++) {
                EXPECT(memcmp(keys[i], keys[j], KEY_BYTES) != 0);
            }
        }
    }
}

int main(void)
{
    EXPECT(crypto_openssl_init(&openssl, &crypto[REAL]) == ERR_OK);
    ideal_init(&ideal, run_secret, &crypto[REAL], &crypto[IDEAL]);
    RUN(public_keys_and_digests_are_the_real_ones);
    RUN(only_what_was_signed_verifies);
    RUN(keys_of_low_order_are_refused_by_both);
    RUN(messages_have_the_same_sizes_and_verdicts);
    RUN(what_is_sealed_opens_and_nothing_else_does);
    RUN(every_half_of_the_run_secret_counts);
    RUN(a_signature_is_a_function_of_its_inputs_alone);
    RUN(derived_keys_differ_by_secret_and_context);
    crypto_openssl_free(&openssl);
    return 0;
}
