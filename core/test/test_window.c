/* Goal: the window accepts each counter at most once, and exactly those above top - bits.
 * Method: against a model that remembers everything: all short histories at the edges of the number
 * space, and long random ones. */
#include <stdbool.h>
#include <string.h>

#include "core/check.h"
#include "core/test/test.h"
#include "core/window.h"

_Noreturn void check_failed(const char *file, int line, const char *what)
{
    fprintf(stderr, "%s:%d: CHECK(%s)\n", file, line, what);
    abort();
}

/* What the window should know, kept the naive way: each counter of a stretch of the number space.
 */
enum { STRETCH = 24, STRETCH_LONG = 4096 };

struct naive {
    uint64_t first; /* the counter that seen[0] is about */
    uint64_t top;
    bool seen[STRETCH_LONG];
};

static enum refusal naive_look(const struct naive *naive, uint32_t bits, uint64_t counter)
{
    if (counter == UINT64_MAX || (naive->top >= bits && counter <= naive->top - bits)) {
        return REFUSAL_OLD;
    }
    return naive->seen[counter - naive->first] ? REFUSAL_DUPLICATE : REFUSAL_NONE;
}

static void naive_init(struct naive *naive, uint64_t first, uint64_t floor)
{
    memset(naive, 0, sizeof *naive);
    naive->first = first;
    naive->top = floor;
    for (uint64_t i = 0; first + i <= floor && i < STRETCH_LONG; i++) {
        naive->seen[i] = true;
    }
}

static void naive_accept(struct naive *naive, uint64_t counter)
{
    naive->seen[counter - naive->first] = true;
    naive->top = counter > naive->top ? counter : naive->top;
}

static void expect_bitmap(const struct window *window, const struct naive *naive)
{
    uint8_t bitmap[WINDOW_BITS_MAX / 8];
    const uint64_t floor = window_bitmap(window, bitmap);
    EXPECT(floor == (naive->top > window->bits ? naive->top - window->bits : 0));
    for (uint32_t i = 0; i < window->bits; i++) {
        const uint64_t counter = floor + 1 + i;
        const bool said = (bitmap[i / 8] >> (i % 8) & 1) != 0;
        /* Below the stretch everything is closed. */
        EXPECT_EQUAL(said, counter < naive->first || naive->seen[counter - naive->first]);
    }
}

static void expect_all_histories(const struct window *window, const struct naive *naive,
                                 uint32_t steps_left)
{
    expect_bitmap(window, naive);
    for (uint32_t i = 0; i < STRETCH; i++) {
        const uint64_t counter = naive->first + i;
        const enum refusal refusal = window_look(window, counter);
        EXPECT_EQUAL(refusal, naive_look(naive, window->bits, counter));
        if (refusal == REFUSAL_NONE && steps_left > 0) {
            struct window next = *window;
            struct naive naive_next = {.first = naive->first, .top = naive->top};
            memcpy(naive_next.seen, naive->seen, sizeof(bool) * 2 * STRETCH);
            window_accept(&next, counter);
            naive_accept(&naive_next, counter);
            EXPECT_EQUAL(window_look(&next, counter), REFUSAL_DUPLICATE);
            expect_all_histories(&next, &naive_next, steps_left - 1);
        }
    }
}

static void all_short_histories_agree_with_a_memory_of_everything(void)
{
    /* Stretches whose counters cross 0, a ring's end, 2^32, and the end of the number space. */
    static const uint64_t firsts[] = {0, 250, UINT64_C(0x100000000) - STRETCH / 2,
                                      UINT64_MAX - (STRETCH - 1)};
    static struct naive naive;
    for (size_t i = 0; i < sizeof firsts / sizeof firsts[0]; i++) {
        for (uint64_t closed = 0; closed < 3; closed++) {
            struct window window;
            for (uint32_t bits = 1; bits <= 9; bits += bits == 3 ? 4 : 1) {
                window_init(&window, bits, firsts[i] + closed * 5);
                naive_init(&naive, firsts[i], firsts[i] + closed * 5);
                expect_all_histories(&window, &naive, 2 + bits / 8);
            }
        }
    }
}

static void long_random_histories_agree_for_each_size(void)
{
    static struct naive naive;
    uint64_t state = 99;
    for (uint32_t bits = 1; bits <= WINDOW_BITS_MAX; bits++) {
        struct window window;
        window_init(&window, bits, 0);
        naive_init(&naive, 0, 0);
        for (uint32_t step = 0; step < 3000; step++) {
            state = state * 6364136223846793005u + 1442695040888963407u;
            /* Around the top: mostly inside the window, sometimes below, sometimes a jump ahead. */
            const uint64_t back = (state >> 33) % (bits + 4);
            const uint64_t ahead = (state >> 20) % 32 == 0 ? (state >> 40) % (bits + 8) : 0;
            const uint64_t around = window.top + ahead;
            const uint64_t counter = around > back ? around - back : around + 1;
            if (counter >= STRETCH_LONG) {
                break;
            }
            const enum refusal refusal = window_look(&window, counter);
            EXPECT_EQUAL(refusal, naive_look(&naive, bits, counter));
            if (refusal == REFUSAL_NONE) {
                window_accept(&window, counter);
                naive_accept(&naive, counter);
            }
        }
        EXPECT(window.top > bits);
        expect_bitmap(&window, &naive);
    }
}

static void expect_edges(uint64_t top, uint32_t bits)
{
    struct window window;
    window_init(&window, bits, top - bits);
    window_accept(&window, top);
    EXPECT_EQUAL(window_look(&window, top), REFUSAL_DUPLICATE);
    EXPECT_EQUAL(window_look(&window, top - bits), REFUSAL_OLD);
    EXPECT_EQUAL(window_look(&window, top - bits + 1), REFUSAL_NONE);
    EXPECT_EQUAL(window_look(&window, top - 1), REFUSAL_NONE);
    window_accept(&window, top - bits + 1);
    EXPECT_EQUAL(window_look(&window, top - bits + 1), REFUSAL_DUPLICATE);
    EXPECT(window.top == top);
}

static void edges_are_exact_everywhere(void)
{
    static const uint32_t sizes[] = {
        2, 3, 8, 9, WINDOW_BITS_MAX - 8, WINDOW_BITS_MAX - 1, WINDOW_BITS_MAX};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        const uint32_t bits = sizes[i];
        expect_edges(bits, bits);
        expect_edges(bits + 1, bits);
        expect_edges(UINT64_C(0xffffffff), bits);
        expect_edges(UINT64_C(0x100000000), bits);
        expect_edges(UINT64_C(0x100000000) + bits, bits);
        expect_edges(UINT64_MAX - 1, bits);
    }
}

static void the_number_space_ends_without_a_wrap(void)
{
    enum { BITS = WINDOW_BITS_MAX };
    struct window window;
    window_init(&window, BITS, 10);
    EXPECT_EQUAL(window_look(&window, UINT64_MAX), REFUSAL_OLD);
    EXPECT_EQUAL(window_look(&window, UINT64_MAX - 1), REFUSAL_NONE);
    window_accept(&window, UINT64_MAX - 1);
    EXPECT_EQUAL(window_look(&window, UINT64_MAX), REFUSAL_OLD);
    EXPECT_EQUAL(window_look(&window, 0), REFUSAL_OLD);
    EXPECT_EQUAL(window_look(&window, 11), REFUSAL_OLD);
    EXPECT_EQUAL(window_look(&window, UINT64_MAX - BITS), REFUSAL_NONE);
    EXPECT_EQUAL(window_look(&window, UINT64_MAX - BITS - 1), REFUSAL_OLD);
    window_init(&window, BITS, UINT64_MAX);
    EXPECT_EQUAL(window_look(&window, UINT64_MAX), REFUSAL_OLD);
    EXPECT_EQUAL(window_look(&window, UINT64_MAX - 1), REFUSAL_DUPLICATE);
}

static void expect_no_bit_above_the_top(const struct window *window)
{
    uint8_t bitmap[WINDOW_BITS_MAX / 8];
    const uint64_t floor = window_bitmap(window, bitmap);
    for (uint32_t bit = 0; bit < 8 * window_bytes(window->bits); bit++) {
        const bool is_set = (bitmap[bit / 8] >> (bit % 8) & 1) != 0;
        EXPECT(!is_set || floor + 1 + bit <= window->top);
        EXPECT(is_set || floor + 1 + bit != window->top);
    }
}

/* Into each other size: what the old window accepts and the new one knows of stays open, all else
 * stays closed. */
static void expect_restored(const struct window *window)
{
    uint8_t bitmap[WINDOW_BITS_MAX / 8];
    (void)window_bitmap(window, bitmap);
    for (uint32_t bits = 1; bits <= WINDOW_BITS_MAX; bits++) {
        struct window other;
        EXPECT(window_restore(&other, bits, window->top, bitmap, window_bytes(window->bits)));
        EXPECT(other.top == window->top && other.bits == bits);
        const uint64_t first = window->top > STRETCH_LONG ? window->top - STRETCH_LONG : 0;
        for (uint64_t counter = first; counter <= window->top + 1; counter++) {
            const bool known = counter > window->top || window->top - counter < bits;
            const bool open = known && window_look(window, counter) == REFUSAL_NONE;
            EXPECT_EQUAL(window_look(&other, counter) == REFUSAL_NONE, open);
        }
    }
}

static void a_bitmap_restores_the_window_in_any_size(void)
{
    static const uint32_t sizes[] = {1, 2, 7, 8, 9, 15, 16};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        struct window window;
        window_init(&window, sizes[i], 0);
        for (uint64_t counter = 1; counter < 60; counter += counter % 3 + 1) {
            expect_no_bit_above_the_top(&window);
            expect_restored(&window);
            if (window_look(&window, counter) == REFUSAL_NONE) {
                window_accept(&window, counter);
            }
        }
    }
}

static void a_bitmap_of_no_such_window_is_refused(void)
{
    struct window window;
    const uint8_t none[2] = {0, 0}, high[2] = {0, 0x10};
    EXPECT(window_restore(&window, 16, 0, none, sizeof none));
    EXPECT(!window_restore(&window, 16, 1, none, sizeof none));
    EXPECT(!window_restore(&window, 16, 12, high, sizeof high)); /* its bit is that of 13 or more */
    EXPECT(window_restore(&window, 16, 13, high, sizeof high));
    EXPECT_EQUAL(window_look(&window, 12), REFUSAL_NONE);
    EXPECT_EQUAL(window_look(&window, 13), REFUSAL_DUPLICATE);
}

static void looking_changes_nothing(void)
{
    struct window window, before;
    window_init(&window, 16, 5);
    window_accept(&window, 9);
    memcpy(&before, &window, sizeof window);
    for (uint64_t counter = 0; counter < 100; counter++) {
        (void)window_look(&window, counter);
    }
    (void)window_look(&window, UINT64_MAX);
    EXPECT(memcmp(&before, &window, sizeof window) == 0);
}

int main(void)
{
    RUN(all_short_histories_agree_with_a_memory_of_everything);
    RUN(long_random_histories_agree_for_each_size);
    RUN(edges_are_exact_everywhere);
    RUN(the_number_space_ends_without_a_wrap);
    RUN(a_bitmap_restores_the_window_in_any_size);
    RUN(a_bitmap_of_no_such_window_is_refused);
    RUN(looking_changes_nothing);
    return 0;
}
