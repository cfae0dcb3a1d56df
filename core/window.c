#include "core/window.h"

#include <stddef.h>
#include <string.h>

#include "core/check.h"

static bool is_seen(const struct window *window, uint64_t counter);
static void mark(struct window *window, uint64_t counter, bool seen);

void window_init(struct window *window, uint32_t bits, uint64_t floor)
{
    CHECK(window != NULL);
    CHECK(bits >= 1 && bits <= WINDOW_BITS_MAX);
    *window = (struct window){.bits = bits, .top = floor};
    memset(window->seen, 0xff, window_bytes(bits));
}

enum refusal window_look(const struct window *window, uint64_t counter)
{
    CHECK(window != NULL);
    if (counter == UINT64_MAX) {
        return REFUSAL_OLD; /* the end of the number space: a new epoch is due, not a wrap */
    }
    if (counter > window->top) {
        return REFUSAL_NONE;
    }
    if (window->top - counter >= window->bits) {
        return REFUSAL_OLD;
    }
    return is_seen(window, counter) ? REFUSAL_DUPLICATE : REFUSAL_NONE;
}

void window_accept(struct window *window, uint64_t counter)
{
    CHECK(window_look(window, counter) == REFUSAL_NONE);
    if (counter > window->top) {
        /* The counters that are jumped over come into the window unseen; a jump of a whole window
         * or more leaves nothing of the old one. */
        const uint64_t jump = counter - window->top;
        const uint32_t cleared = jump < window->bits ? (uint32_t)jump : window->bits;
        for (uint32_t i = 0; i < cleared; i++) {
            mark(window, counter - i, false);
        }
        window->top = counter;
    }
    mark(window, counter, true);
}

uint64_t window_bitmap(const struct window *window, uint8_t *bitmap)
{
    CHECK(window != NULL);
    CHECK(bitmap != NULL);
    const uint64_t floor = window->top > window->bits ? window->top - window->bits : 0;
    memset(bitmap, 0, window_bytes(window->bits));
    for (uint32_t i = 0; i < window->bits; i++) {
        const uint64_t counter = floor + 1 + i;
        if (counter <= window->top && is_seen(window, counter)) {
            bitmap[i / 8] = (uint8_t)(bitmap[i / 8] | 1u << (i % 8));
        }
    }
    return floor;
}

bool window_restore(struct window *window, uint32_t bits, uint64_t top, const uint8_t *bitmap,
                    uint32_t bitmap_bytes)
{
    uint32_t end = bitmap_bytes * 8; /* behind the bit of the top */
    CHECK(bitmap != NULL || bitmap_bytes == 0);
    CHECK(bitmap_bytes <= WINDOW_BITS_MAX / 8);
    while (end > 0 && ((uint32_t)bitmap[(end - 1) / 8] >> ((end - 1) % 8) & 1u) == 0) {
        end--;
    }
    if (end > top || (end == 0 && top > 0)) {
        return false;
    }
    const uint64_t floor = top - end;
    window_init(window, bits, floor);
    for (uint32_t i = 0; i < end; i++) {
        const uint64_t counter = floor + 1 + i;
        if (((uint32_t)bitmap[i / 8] >> (i % 8) & 1u) != 0 &&
            window_look(window, counter) == REFUSAL_NONE) {
            window_accept(window, counter);
        }
    }
    return window->top == top;
}

static bool is_seen(const struct window *window, uint64_t counter)
{
    const uint32_t bit = (uint32_t)(counter % window->bits);
    return (window->seen[bit / 8] >> (bit % 8) & 1u) != 0;
}

static void mark(struct window *window, uint64_t counter, bool seen)
{
    const uint32_t bit = (uint32_t)(counter % window->bits);
    const uint8_t mask = (uint8_t)(1u << (bit % 8));
    uint8_t *byte = &window->seen[bit / 8];
    *byte = (uint8_t)(seen ? *byte | mask : *byte & ~mask);
}
