/* Counter-based random streams: see random.h. */
#include "sim/random.h"

#include <stddef.h>

#include "core/check.h"

static uint64_t mix(uint64_t value);
static uint64_t multiply_high(uint64_t left, uint64_t right);
static uint64_t minus_log(uint64_t draw);

uint64_t random_key(uint64_t seed, const char *name)
{
    CHECK(name != NULL);
    uint64_t hash = UINT64_C(0xcbf29ce484222325); /* FNV-1a */
    for (const char *at = name; *at != '\0'; at++) {
        hash = (hash ^ (uint8_t)*at) * UINT64_C(0x100000001b3);
    }
    return mix(mix(seed + UINT64_C(0x9e3779b97f4a7c15)) ^ hash);
}

/* The key goes in twice: with the plain sum, streams whose keys differ by a multiple of the golden
 * ratio would be the same one, shifted. */
uint64_t random_at(uint64_t key, uint64_t ordinal)
{
    return mix(mix(key + (ordinal + 1) * UINT64_C(0x9e3779b97f4a7c15)) ^ key);
}

uint64_t random_next(struct random_stream *stream)
{
    return random_at(stream->key, stream->ordinal++);
}

uint64_t random_below(struct random_stream *stream, uint64_t bound)
{
    CHECK(bound >= 1);
    return multiply_high(random_next(stream), bound);
}

uint64_t random_between(struct random_stream *stream, uint64_t low, uint64_t high)
{
    CHECK(low <= high);
    const uint64_t span = high - low;
    return span == UINT64_MAX ? random_next(stream) : low + random_below(stream, span + 1);
}

bool random_chance(struct random_stream *stream, uint32_t ppm)
{
    return random_below(stream, 1000000) < ppm;
}

uint64_t random_exponential(struct random_stream *stream, uint64_t mean)
{
    const uint64_t factor = minus_log(random_next(stream)); /* 24 bits of fraction */
    const uint64_t high = multiply_high(mean, factor);
    if (high >> 24 != 0) {
        return UINT64_MAX;
    }
    return high << 40 | (mean * factor) >> 24;
}

void random_bytes(struct random_stream *stream, uint8_t *bytes, uint32_t size_bytes)
{
    uint64_t draw = 0;
    for (uint32_t i = 0; i < size_bytes; i++) {
        draw = i % 8 == 0 ? random_next(stream) : draw >> 8;
        bytes[i] = (uint8_t)draw;
    }
}

static uint64_t mix(uint64_t value)
{
    value = (value ^ value >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    value = (value ^ value >> 27) * UINT64_C(0x94d049bb133111eb);
    return value ^ value >> 31;
}

/* The upper half of the 128-bit product, by halves. */
static uint64_t multiply_high(uint64_t left, uint64_t right)
{
    const uint64_t left_low = left & UINT32_MAX;
    const uint64_t left_high = left >> 32;
    const uint64_t right_low = right & UINT32_MAX;
    const uint64_t right_high = right >> 32;
    const uint64_t low = left_low * right_low;
    const uint64_t middle = left_high * right_low + (low >> 32);
    const uint64_t other = left_low * right_high + (middle & UINT32_MAX);
    return left_high * right_high + (middle >> 32) + (other >> 32);
}

/* -ln((draw + 1/2) / 2^64), 24 bits of fraction. The binary logarithm is built bit by bit: squaring
 * a mantissa in [1, 2) doubles its logarithm, and what passes 2 is the next bit. */
static uint64_t minus_log(uint64_t draw)
{
    const uint64_t ln_2 = UINT64_C(2977044472); /* times 2^32 */
    uint32_t zeros = 0;
    while (zeros < 63 && (draw >> (63 - zeros)) == 0) {
        zeros++;
    }
    const uint64_t normal = (draw | 1) << zeros;
    uint64_t mantissa = normal >> 32; /* 31 bits of fraction */
    uint64_t fraction = 0;
    for (uint32_t i = 0; i < 24; i++) {
        const uint64_t square = mantissa * mantissa;
        const bool bit = square >> 63 != 0;
        mantissa = bit ? square >> 32 : square >> 31;
        fraction = fraction << 1 | bit;
    }
    const uint64_t minus_log_2 = ((uint64_t)(zeros + 1) << 24) - fraction;
    return (minus_log_2 * ln_2) >> 32;
}
