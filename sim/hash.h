/* The run's rolling 128-bit hash: every event, port call, result and piece of evidence goes in, in
 * one canonical little-endian form; never raw structs. Two runs of one plan on one build have one
 * hash.
 *
 * XXH3 (libxxhash) over a small buffer: the bytes of a run are hashed as one stream.
 */
#ifndef BROWNOUT_SIM_HASH_H
#define BROWNOUT_SIM_HASH_H

#include <stdbool.h>
#include <stdint.h>

enum { HASH_BUFFER_BYTES = 4096, HASH_TEXT_BYTES = 33 };

struct hash {
    bool on;           /* off: the cost of hashing can be measured, nothing else */
    bool history_only; /* payload bytes count by their size alone: equal under both providers */
    uint32_t size_bytes;
    uint8_t buffer[HASH_BUFFER_BYTES];
    void *state; /* XXH3_state_t */
};

void hash_init(struct hash *hash, bool on, bool history_only);
void hash_free(struct hash *hash);
void hash_u64(struct hash *hash, uint64_t value);
void hash_u32(struct hash *hash, uint32_t value);
/* Size, then bytes (bytes only where not history_only). */
void hash_bytes(struct hash *hash, const void *bytes, uint32_t size_bytes);
/* The value so far; more may be added after it. */
void hash_digest(struct hash *hash, uint64_t digest[2]);

/* 32 hexadecimal digits. */
void hash_print(const uint64_t digest[2], char text[HASH_TEXT_BYTES]);
bool hash_parse(const char *text, uint64_t digest[2]);
/* One-shot, for bodies and plans. */
void hash_once(const void *bytes, uint32_t size_bytes, uint64_t digest[2]);

#endif
