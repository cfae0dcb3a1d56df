/* Anti-replay window over 64-bit counters (RFC 4303 section 3.4.3, RFC 6479's ring of bits).
 * Accepts exactly the counters above top - bits that were not accepted before; a higher counter
 * moves the top. Never wraps: a counter of UINT64_MAX is refused.
 * The caller verifies the signature first; looking never moves anything.
 */
#ifndef BROWNOUT_CORE_WINDOW_H
#define BROWNOUT_CORE_WINDOW_H

#include <stdint.h>

#include "core/evidence.h"
#include "core/limits.h"

struct window {
    uint32_t bits;                     /* multiple of 8, 8..WINDOW_BITS_MAX */
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

/* The cumulative form for acks: floor = top - bits (0 at the least), bitmap of bits / 8 bytes:
 * bit i says that floor + 1 + i is accepted or closed. */
uint64_t window_bitmap(const struct window *window, uint8_t *bitmap);

#endif
