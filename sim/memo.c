#include "sim/memo.h"

#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "core/check.h"

enum { ANSWERS_MAX = 1 << 17, ANSWER_BYTES = 64, PARTS_MAX = 3 };

enum question { ASK_PUBLIC_KEY = 1, ASK_SIGN, ASK_VERIFY, ASK_SHA256, ASK_HKDF };

struct part {
    const void *bytes;
    uint32_t size_bytes;
};

struct answer {
    uint64_t key[2]; /* both zero: free */
    enum err err;
    uint8_t bytes[ANSWER_BYTES];
};

struct memo {
    struct port_crypto real;
    uint64_t asked, computed;
    uint32_t count;
    struct answer answers[2 * ANSWERS_MAX]; /* at most half full */
};

/* The place of the answer: found, or free with its key filled in; NULL: there is no room. */
static struct answer *look_up(struct memo *memo, enum question question, const struct part *parts,
                              uint32_t count, bool *found)
{
    uint8_t whole[2048];
    uint32_t used = 0;
    memo->asked++;
    bool fits = true;
    const void *bytes = count == 1 ? parts[0].bytes : whole; /* one part need not be copied */
    for (uint32_t i = 0; i < count && count > 1; i++) {
        fits = fits && parts[i].size_bytes <= sizeof whole - used;
        if (fits) {
            memcpy(whole + used, parts[i].bytes, parts[i].size_bytes);
            used += parts[i].size_bytes;
        }
    }
    *found = false;
    if (!fits) {
        memo->computed++;
        return NULL;
    }
    used = count == 1 ? parts[0].size_bytes : used;
    XXH128_hash_t hash = XXH3_128bits_withSeed(bytes, used, (uint64_t)question);
    hash.low64 |= 1; /* never the key of a free place */
    for (uint64_t at = hash.high64;; at++) {
        struct answer *answer = &memo->answers[at % (2 * (uint64_t)ANSWERS_MAX)];
        *found = answer->key[0] == hash.low64 && answer->key[1] == hash.high64;
        if (*found) {
            return answer;
        }
        if (answer->key[0] == 0) {
            memo->computed++;
            if (memo->count == ANSWERS_MAX) {
                return NULL;
            }
            memo->count++;
            answer->key[0] = hash.low64;
            answer->key[1] = hash.high64;
            return answer;
        }
    }
}

static enum err remember(struct answer *answer, enum err err, const void *bytes,
                         uint32_t size_bytes)
{
    CHECK(size_bytes <= ANSWER_BYTES);
    if (answer != NULL) {
        answer->err = err;
        memcpy(answer->bytes, bytes, size_bytes);
    }
    return err;
}

static enum err memo_public_key(void *ctx, struct key_pair *pair)
{
    struct memo *memo = ctx;
    const struct part part = {pair->seed, KEY_BYTES};
    bool found;
    struct answer *answer = look_up(memo, ASK_PUBLIC_KEY, &part, 1, &found);
    if (found) {
        memcpy(pair->public_key, answer->bytes, KEY_BYTES);
        return answer->err;
    }
    const enum err err = memo->real.public_key(memo->real.ctx, pair);
    return remember(answer, err, pair->public_key, KEY_BYTES);
}

static enum err memo_sign(void *ctx, const struct key_pair *pair, const uint8_t *message,
                          uint32_t size_bytes, uint8_t signature[SIGNATURE_BYTES])
{
    struct memo *memo = ctx;
    const struct part parts[] = {{pair, sizeof *pair}, {message, size_bytes}};
    bool found;
    struct answer *answer = look_up(memo, ASK_SIGN, parts, 2, &found);
    if (found) {
        memcpy(signature, answer->bytes, SIGNATURE_BYTES);
        return answer->err;
    }
    const enum err err = memo->real.sign(memo->real.ctx, pair, message, size_bytes, signature);
    return remember(answer, err, signature, SIGNATURE_BYTES);
}

static enum err memo_verify(void *ctx, const uint8_t public_key[KEY_BYTES], const uint8_t *message,
                            uint32_t size_bytes, const uint8_t signature[SIGNATURE_BYTES])
{
    struct memo *memo = ctx;
    const struct part parts[PARTS_MAX] = {
        {public_key, KEY_BYTES}, {signature, SIGNATURE_BYTES}, {message, size_bytes}};
    bool found;
    struct answer *answer = look_up(memo, ASK_VERIFY, parts, PARTS_MAX, &found);
    if (found) {
        return answer->err;
    }
    const enum err err =
        memo->real.verify(memo->real.ctx, public_key, message, size_bytes, signature);
    return remember(answer, err, "", 0);
}

static enum err memo_sha256(void *ctx, const uint8_t *bytes, uint32_t size_bytes,
                            uint8_t digest[DIGEST_BYTES])
{
    struct memo *memo = ctx;
    const struct part part = {bytes, size_bytes};
    bool found;
    struct answer *answer = look_up(memo, ASK_SHA256, &part, 1, &found);
    if (found) {
        memcpy(digest, answer->bytes, DIGEST_BYTES);
        return answer->err;
    }
    const enum err err = memo->real.sha256(memo->real.ctx, bytes, size_bytes, digest);
    return remember(answer, err, digest, DIGEST_BYTES);
}

static enum err memo_hkdf(void *ctx, const uint8_t secret[KEY_BYTES], const uint8_t *info,
                          uint32_t info_bytes, uint8_t out[KEY_BYTES])
{
    struct memo *memo = ctx;
    const struct part parts[] = {{secret, KEY_BYTES}, {info, info_bytes}};
    bool found;
    struct answer *answer = look_up(memo, ASK_HKDF, parts, 2, &found);
    if (found) {
        memcpy(out, answer->bytes, KEY_BYTES);
        return answer->err;
    }
    const enum err err = memo->real.hkdf(memo->real.ctx, secret, info, info_bytes, out);
    return remember(answer, err, out, KEY_BYTES);
}

/* Not remembered: few are asked twice. */
static enum err memo_seal(void *ctx, const uint8_t key[AEAD_KEY_BYTES],
                          const uint8_t nonce[AEAD_NONCE_BYTES], const uint8_t *plain,
                          uint32_t size_bytes, uint8_t *out)
{
    struct memo *memo = ctx;
    return memo->real.seal(memo->real.ctx, key, nonce, plain, size_bytes, out);
}

static enum err memo_open(void *ctx, const uint8_t key[AEAD_KEY_BYTES],
                          const uint8_t nonce[AEAD_NONCE_BYTES], const uint8_t *sealed,
                          uint32_t size_bytes, uint8_t *out)
{
    struct memo *memo = ctx;
    return memo->real.open(memo->real.ctx, key, nonce, sealed, size_bytes, out);
}

struct memo *memo_create(const struct port_crypto *real, struct port_crypto *crypto)
{
    struct memo *memo = calloc(1, sizeof *memo);
    CHECK(memo != NULL);
    memo->real = *real;
    *crypto = (struct port_crypto){
        .ctx = memo,
        .name = real->name,
        .public_key = memo_public_key,
        .sign = memo_sign,
        .verify = memo_verify,
        .sha256 = memo_sha256,
        .hkdf = memo_hkdf,
        .seal = memo_seal,
        .open = memo_open,
    };
    return memo;
}

void memo_free(struct memo *memo)
{
    free(memo);
}

uint64_t memo_asked(const struct memo *memo)
{
    return memo->asked;
}

uint64_t memo_computed(const struct memo *memo)
{
    return memo->computed;
}
