/* Stand-in for crypto in tests of roles: same sizes, deterministic, and nothing secret about it.
 * A signature binds the public key and the message; anyone can make one. */
#ifndef BROWNOUT_TEST_FAKE_CRYPTO_H
#define BROWNOUT_TEST_FAKE_CRYPTO_H

#include <string.h>

#include "core/port.h"

static uint64_t mix(uint64_t hash, const void *bytes, uint32_t size_bytes)
{
    const uint8_t *at = bytes;
    for (uint32_t i = 0; i < size_bytes; i++) {
        hash = (hash ^ at[i]) * UINT64_C(0x100000001B3);
        hash ^= hash >> 29;
    }
    return (hash ^ size_bytes) * UINT64_C(0x9E3779B97F4A7C15);
}

static void spread(uint64_t hash, uint8_t *out, uint32_t size_bytes)
{
    for (uint32_t i = 0; i < size_bytes; i++) {
        hash = hash * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
        out[i] = (uint8_t)(hash >> 56);
    }
}

static enum err fake_public_key(void *ctx, struct key_pair *pair)
{
    (void)ctx;
    spread(mix(1, pair->seed, KEY_BYTES), pair->public_key, KEY_BYTES);
    return ERR_OK;
}

static enum err fake_sign(void *ctx, const struct key_pair *pair, const uint8_t *message,
                          uint32_t size_bytes, uint8_t signature[SIGNATURE_BYTES])
{
    (void)ctx;
    const uint64_t hash = mix(mix(2, pair->public_key, KEY_BYTES), message, size_bytes);
    spread(hash, signature, SIGNATURE_BYTES);
    return ERR_OK;
}

static enum err fake_verify(void *ctx, const uint8_t public_key[KEY_BYTES], const uint8_t *message,
                            uint32_t size_bytes, const uint8_t signature[SIGNATURE_BYTES])
{
    (void)ctx;
    uint8_t expected[SIGNATURE_BYTES];
    spread(mix(mix(2, public_key, KEY_BYTES), message, size_bytes), expected, SIGNATURE_BYTES);
    return memcmp(expected, signature, SIGNATURE_BYTES) == 0 ? ERR_OK : ERR_SIGNATURE;
}

static enum err fake_sha256(void *ctx, const uint8_t *bytes, uint32_t size_bytes,
                            uint8_t digest[DIGEST_BYTES])
{
    (void)ctx;
    spread(mix(3, bytes, size_bytes), digest, DIGEST_BYTES);
    return ERR_OK;
}

static enum err fake_hkdf(void *ctx, const uint8_t secret[KEY_BYTES], const uint8_t *info,
                          uint32_t info_bytes, uint8_t out[KEY_BYTES])
{
    (void)ctx;
    spread(mix(mix(4, secret, KEY_BYTES), info, info_bytes), out, KEY_BYTES);
    return ERR_OK;
}

static enum err fake_seal(void *ctx, const uint8_t key[AEAD_KEY_BYTES],
                          const uint8_t nonce[AEAD_NONCE_BYTES], const uint8_t *plain,
                          uint32_t size_bytes, uint8_t *out)
{
    (void)ctx;
    const uint64_t hash = mix(mix(5, key, AEAD_KEY_BYTES), nonce, AEAD_NONCE_BYTES);
    spread(hash, out, size_bytes);
    for (uint32_t i = 0; i < size_bytes; i++) {
        out[i] ^= plain[i];
    }
    spread(mix(hash, plain, size_bytes), out + size_bytes, AEAD_TAG_BYTES);
    return ERR_OK;
}

static enum err fake_open(void *ctx, const uint8_t key[AEAD_KEY_BYTES],
                          const uint8_t nonce[AEAD_NONCE_BYTES], const uint8_t *sealed,
                          uint32_t size_bytes, uint8_t *out)
{
    (void)ctx;
    const uint32_t plain_bytes = size_bytes - AEAD_TAG_BYTES;
    const uint64_t hash = mix(mix(5, key, AEAD_KEY_BYTES), nonce, AEAD_NONCE_BYTES);
    uint8_t tag[AEAD_TAG_BYTES];
    spread(hash, out, plain_bytes);
    for (uint32_t i = 0; i < plain_bytes; i++) {
        out[i] ^= sealed[i];
    }
    spread(mix(hash, out, plain_bytes), tag, AEAD_TAG_BYTES);
    return memcmp(tag, sealed + plain_bytes, AEAD_TAG_BYTES) == 0 ? ERR_OK : ERR_SIGNATURE;
}

static inline struct port_crypto fake_crypto(void)
{
    return (struct port_crypto){
        .name = "fake",
        .public_key = fake_public_key,
        .sign = fake_sign,
        .verify = fake_verify,
        .sha256 = fake_sha256,
        .hkdf = fake_hkdf,
        .seal = fake_seal,
        .open = fake_open,
    };
}

#endif
