/* Anti-replay window over 64-bit counters (RFC 4303 section 3.4.3, RFC 6479's ring of bits).
 * Accepts exactly the counters above top - bits that were not accepted before; a higher counter
 * moves the top. Never wraps: a counter of UINT64_MAX is refused.
 * The caller verifies the signature first; looking never moves anything.
 */
#ifndef BROWNOUT_CORE_WINDOW_H
#define BROWNOUT_CORE_WINDOW_H

#include <stdbool.h>
#include <stdint.h>

#include "core/evidence.h"
#include "core/limits.h"

struct window {
    uint32_t bits;                     /* 1..WINDOW_BITS_MAX */
    uint64_t top;                      /* highest counter accepted or closed */
    uint8_t seen[WINDOW_BITS_MAX / 8]; /* bit (counter % bits): accepted or closed */
};

/* Everything up to and including `floor` is closed. */
void window_init(struct window *window, uint32_t bits, uint64_t floor);

/* REFUSAL_NONE (would be accepted) | REFUSAL_DUPLICATE (or closed) | REFUSAL_OLD (below the window,
 * or UINT64_MAX). Does not change the window. */
enum refusal window_look(const struct window *window, uint64_t counter);

/* Mark a counter for which window_look() said REFUSAL_NONE. */
void window_accept(struct window *window, uint64_t counter);

/* The bytes of a bitmap of so many bits. */
static inline uint32_t window_bytes(uint32_t bits)
{
    return (bits + 7) / 8;
}

/* The cumulative form for acks: floor = top - bits (0 at the least), bitmap of window_bytes(bits):
 * bit i says that floor + 1 + i is accepted or closed; bits above that of the top are zero. The top
 * is always accepted or closed, so the highest bit that is set is its own. */
uint64_t window_bitmap(const struct window *window, uint8_t *bitmap);

/* From that form, into a window of any size: what was closed stays closed, and so does what a
 * narrower window can no longer tell. top: of the window that the bitmap was made from. False: it
 * is of no window with this top. */
bool window_restore(struct window *window, uint32_t bits, uint64_t top, const uint8_t *bitmap,
                    uint32_t bitmap_bytes);

#endif
