#include "sim/hash.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "core/check.h"

enum { BLOCK_BYTES = 512 };

void hash_init(struct hash *hash, bool on, bool history_only)
{
    memset(hash, 0, sizeof *hash);
    hash->on = on;
    hash->history_only = history_only;
    hash->state = XXH3_createState();
    CHECK(hash->state != NULL);
    CHECK(XXH3_128bits_reset(hash->state) == XXH_OK);
}

void hash_free(struct hash *hash)
{
    XXH3_freeState(hash->state);
    memset(hash, 0, sizeof *hash);
}

static void flush(struct hash *hash)
{
    CHECK(XXH3_128bits_update(hash->state, hash->buffer, hash->size_bytes) == XXH_OK);
    hash->size_bytes = 0;
}

/* Most of what comes are words, and the buffer makes blocks of them; what is a block already, such
 * as a disk's page, goes past it. */
static void append(struct hash *hash, const void *bytes, uint32_t size_bytes)
{
    if (size_bytes > HASH_BUFFER_BYTES - hash->size_bytes || size_bytes >= BLOCK_BYTES) {
        flush(hash);
    }
    if (size_bytes >= BLOCK_BYTES) {
        CHECK(XXH3_128bits_update(hash->state, bytes, size_bytes) == XXH_OK);
        return;
    }
    memcpy(hash->buffer + hash->size_bytes, bytes, size_bytes);
    hash->size_bytes += size_bytes;
}

/* Room for a word. */
static uint8_t *reserve(struct hash *hash, uint32_t size_bytes)
{
    if (size_bytes > HASH_BUFFER_BYTES - hash->size_bytes) {
        flush(hash);
    }
    uint8_t *bytes = hash->buffer + hash->size_bytes;
    hash->size_bytes += size_bytes;
    return bytes;
}

void hash_u64(struct hash *hash, uint64_t value)
{
    if (!hash->on) {
        return;
    }
    uint8_t *bytes = reserve(hash, 8);
    for (unsigned i = 0; i < 8; i++) {
        bytes[i] = (uint8_t)(value >> (8 * i));
    }
}

void hash_u32(struct hash *hash, uint32_t value)
{
    if (!hash->on) {
        return;
    }
    uint8_t *bytes = reserve(hash, 4);
    for (unsigned i = 0; i < 4; i++) {
        bytes[i] = (uint8_t)(value >> (8 * i));
    }
}

void hash_bytes(struct hash *hash, const void *bytes, uint32_t size_bytes)
{
    if (!hash->on) {
        return;
    }
    hash_u32(hash, size_bytes);
    if (!hash->history_only && size_bytes > 0) {
        append(hash, bytes, size_bytes);
    }
}

void hash_digest(struct hash *hash, uint64_t digest[2])
{
    flush(hash);
    const XXH128_hash_t value = XXH3_128bits_digest(hash->state);
    digest[0] = value.high64;
    digest[1] = value.low64;
}

void hash_print(const uint64_t digest[2], char text[HASH_TEXT_BYTES])
{
    snprintf(text, HASH_TEXT_BYTES, "%016llx%016llx", (unsigned long long)digest[0],
             (unsigned long long)digest[1]);
}

bool hash_parse(const char *text, uint64_t digest[2])
{
    if (strlen(text) != HASH_TEXT_BYTES - 1 ||
        strspn(text, "0123456789abcdef") != HASH_TEXT_BYTES - 1) {
        return false;
    }
    char half[17] = {0};
    memcpy(half, text, 16);
    digest[0] = strtoull(half, NULL, 16);
    digest[1] = strtoull(text + 16, NULL, 16);
    return true;
}

void hash_once(const void *bytes, uint32_t size_bytes, uint64_t digest[2])
{
    const XXH128_hash_t value = XXH3_128bits(bytes, size_bytes);
    digest[0] = value.high64;
    digest[1] = value.low64;
}
