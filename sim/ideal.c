#include "sim/ideal.h"

#include <stddef.h>
#include <string.h>

#include <xxhash.h>

#include "core/check.h"
#include "core/crypto/low_order.h"

/* What a value of the function is for: no two uses share an input. */
enum purpose { PURPOSE_SIGN = 1, PURPOSE_DERIVE, PURPOSE_STREAM, PURPOSE_TAG };

static enum err ideal_public_key(void *ctx, struct key_pair *pair);
static enum err ideal_sign(void *ctx, const struct key_pair *pair, const uint8_t *message,
                           uint32_t size_bytes, uint8_t signature[SIGNATURE_BYTES]);
static enum err ideal_verify(void *ctx, const uint8_t public_key[KEY_BYTES], const uint8_t *message,
                             uint32_t size_bytes, const uint8_t signature[SIGNATURE_BYTES]);
static enum err ideal_sha256(void *ctx, const uint8_t *bytes, uint32_t size_bytes,
                             uint8_t digest[DIGEST_BYTES]);
static enum err ideal_hkdf(void *ctx, const uint8_t secret[KEY_BYTES], const uint8_t *info,
                           uint32_t info_bytes, uint8_t out[KEY_BYTES]);
static enum err ideal_seal(void *ctx, const uint8_t key[AEAD_KEY_BYTES],
                           const uint8_t nonce[AEAD_NONCE_BYTES], const uint8_t *plain,
                           uint32_t size_bytes, uint8_t *out);
static enum err ideal_open(void *ctx, const uint8_t key[AEAD_KEY_BYTES],
                           const uint8_t nonce[AEAD_NONCE_BYTES], const uint8_t *sealed,
                           uint32_t size_bytes, uint8_t *out);
static void prf(const struct ideal *ideal, enum purpose purpose, const uint8_t key[KEY_BYTES],
                const uint8_t *message, uint32_t message_bytes, uint8_t *out, uint32_t out_bytes);
static void aead_key(uint8_t joined[KEY_BYTES], const uint8_t key[AEAD_KEY_BYTES],
                     const uint8_t nonce[AEAD_NONCE_BYTES]);
static void mix(const struct ideal *ideal, const uint8_t key[KEY_BYTES], const uint8_t *in,
                uint32_t size_bytes, uint8_t *out);
static void put_u64(uint8_t bytes[8], uint64_t value);

void ideal_init(struct ideal *ideal, const uint64_t secret[2], const struct port_crypto *real,
                struct port_crypto *crypto)
{
    CHECK(ideal != NULL);
    CHECK(real->public_key != NULL);
    *ideal = (struct ideal){.secret = {secret[0], secret[1]}, .real = *real};
    *crypto = (struct port_crypto){
        .ctx = ideal,
        .name = "ideal",
        .public_key = ideal_public_key,
        .sign = ideal_sign,
        .verify = ideal_verify,
        .sha256 = ideal_sha256,
        .hkdf = ideal_hkdf,
        .seal = ideal_seal,
        .open = ideal_open,
    };
}

static enum err ideal_public_key(void *ctx, struct key_pair *pair)
{
    const struct ideal *ideal = ctx;
    return ideal->real.public_key(ideal->real.ctx, pair);
}

static enum err ideal_sign(void *ctx, const struct key_pair *pair, const uint8_t *message,
                           uint32_t size_bytes, uint8_t signature[SIGNATURE_BYTES])
{
    prf(ctx, PURPOSE_SIGN, pair->public_key, message, size_bytes, signature, SIGNATURE_BYTES);
    return ERR_OK;
}

static enum err ideal_verify(void *ctx, const uint8_t public_key[KEY_BYTES], const uint8_t *message,
                             uint32_t size_bytes, const uint8_t signature[SIGNATURE_BYTES])
{
    uint8_t expected[SIGNATURE_BYTES];
    if (crypto_key_is_low_order(public_key)) {
        return ERR_SIGNATURE;
    }
    prf(ctx, PURPOSE_SIGN, public_key, message, size_bytes, expected, SIGNATURE_BYTES);
    return memcmp(signature, expected, SIGNATURE_BYTES) == 0 ? ERR_OK : ERR_SIGNATURE;
}

static enum err ideal_sha256(void *ctx, const uint8_t *bytes, uint32_t size_bytes,
                             uint8_t digest[DIGEST_BYTES])
{
    const struct ideal *ideal = ctx;
    return ideal->real.sha256(ideal->real.ctx, bytes, size_bytes, digest);
}

static enum err ideal_hkdf(void *ctx, const uint8_t secret[KEY_BYTES], const uint8_t *info,
                           uint32_t info_bytes, uint8_t out[KEY_BYTES])
{
    prf(ctx, PURPOSE_DERIVE, secret, info, info_bytes, out, KEY_BYTES);
    return ERR_OK;
}

static enum err ideal_seal(void *ctx, const uint8_t key[AEAD_KEY_BYTES],
                           const uint8_t nonce[AEAD_NONCE_BYTES], const uint8_t *plain,
                           uint32_t size_bytes, uint8_t *out)
{
    uint8_t joined[KEY_BYTES];
    aead_key(joined, key, nonce);
    mix(ctx, joined, plain, size_bytes, out);
    prf(ctx, PURPOSE_TAG, joined, out, size_bytes, out + size_bytes, AEAD_TAG_BYTES);
    return ERR_OK;
}

static enum err ideal_open(void *ctx, const uint8_t key[AEAD_KEY_BYTES],
                           const uint8_t nonce[AEAD_NONCE_BYTES], const uint8_t *sealed,
                           uint32_t size_bytes, uint8_t *out)
{
    uint8_t joined[KEY_BYTES], tag[AEAD_TAG_BYTES];
    if (size_bytes < AEAD_TAG_BYTES) {
        return ERR_SIGNATURE;
    }
    const uint32_t text_bytes = size_bytes - AEAD_TAG_BYTES;
    aead_key(joined, key, nonce);
    prf(ctx, PURPOSE_TAG, joined, sealed, text_bytes, tag, AEAD_TAG_BYTES);
    if (memcmp(tag, sealed + text_bytes, AEAD_TAG_BYTES) != 0) {
        memset(out, 0, text_bytes);
        return ERR_SIGNATURE;
    }
    mix(ctx, joined, sealed, text_bytes, out);
    return ERR_OK;
}

/* The function: the message is hashed under one half of the secret, and each block of output is the
 * hash of everything that names it under the other half. */
static void prf(const struct ideal *ideal, enum purpose purpose, const uint8_t key[KEY_BYTES],
                const uint8_t *message, uint32_t message_bytes, uint8_t *out, uint32_t out_bytes)
{
    XXH128_canonical_t inner, block;
    uint8_t name[8 + 8 + KEY_BYTES + sizeof inner + 8];
    CHECK(message != NULL || message_bytes == 0);
    XXH128_canonicalFromHash(&inner,
                             XXH3_128bits_withSeed(message, message_bytes, ideal->secret[0]));
    put_u64(name, ideal->secret[0]);
    put_u64(name + 8, (uint64_t)purpose << 32 | message_bytes);
    memcpy(name + 16, key, KEY_BYTES);
    memcpy(name + 16 + KEY_BYTES, inner.digest, sizeof inner);
    for (uint32_t at = 0; at < out_bytes; at += (uint32_t)sizeof block) {
        put_u64(name + sizeof name - 8, at);
        XXH128_canonicalFromHash(&block,
                                 XXH3_128bits_withSeed(name, sizeof name, ideal->secret[1]));
        const uint32_t left_bytes = out_bytes - at;
        memcpy(out + at, block.digest, left_bytes < sizeof block ? left_bytes : sizeof block);
    }
}

static void aead_key(uint8_t joined[KEY_BYTES], const uint8_t key[AEAD_KEY_BYTES],
                     const uint8_t nonce[AEAD_NONCE_BYTES])
{
    memset(joined, 0, KEY_BYTES);
    memcpy(joined, key, AEAD_KEY_BYTES);
    memcpy(joined + AEAD_KEY_BYTES, nonce, AEAD_NONCE_BYTES);
}

/* Add the key's stream: the same in both directions. */
static void mix(const struct ideal *ideal, const uint8_t key[KEY_BYTES], const uint8_t *in,
                uint32_t size_bytes, uint8_t *out)
{
    uint8_t stream[64], counter[8];
    for (uint32_t at = 0; at < size_bytes; at++) {
        if (at % sizeof stream == 0) {
            put_u64(counter, at);
            prf(ideal, PURPOSE_STREAM, key, counter, sizeof counter, stream, sizeof stream);
        }
        out[at] = in[at] ^ stream[at % sizeof stream];
    }
}

static void put_u64(uint8_t bytes[8], uint64_t value)
{
    for (uint32_t i = 0; i < 8; i++) {
        bytes[i] = (uint8_t)(value >> (8 * i));
    }
}
