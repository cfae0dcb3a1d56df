/* Random numbers with names: every draw of a run is f(seed, name, ordinal).
 *
 * Counter-based (the splitmix64 finaliser over key and ordinal), so a draw needs no state, can be
 * made out of order, and a new draw in one place moves no other stream. Integers only, the same on
 * every compiler and machine. Not for secrets.
 */
#ifndef BROWNOUT_SIM_RANDOM_H
#define BROWNOUT_SIM_RANDOM_H

#include <stdbool.h>
#include <stdint.h>

struct random_stream {
    uint64_t key;     /* of random_key */
    uint64_t ordinal; /* of the next draw */
};

/* The key of the stream `name` (such as "flash/dev3") in the run of `seed`. */
uint64_t random_key(uint64_t seed, const char *name);

/* Draw number `ordinal` of a stream; stateless. */
uint64_t random_at(uint64_t key, uint64_t ordinal);

/* Each of these takes exactly one draw from the stream, whatever it answers. */
uint64_t random_next(struct random_stream *stream);
/* 0..bound-1; bound >= 1. Off from uniform by less than bound / 2^64. */
uint64_t random_below(struct random_stream *stream, uint64_t bound);
/* low..high, both included; low <= high. */
uint64_t random_between(struct random_stream *stream, uint64_t low, uint64_t high);
/* True ppm times in a million. */
bool random_chance(struct random_stream *stream, uint32_t ppm);
/* Exponentially distributed, at most 45 times the mean; UINT64_MAX instead of an overflow. */
uint64_t random_exponential(struct random_stream *stream, uint64_t mean);

/* One draw for each 8 bytes begun. */
void random_bytes(struct random_stream *stream, uint8_t *bytes, uint32_t size_bytes);

#endif
