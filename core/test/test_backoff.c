/* Goal: delays are drawn from 0 to a ceiling that doubles up to the cap, and never overflow.
 * Method: entropy that the test chooses, at its extremes. */
#include <stdbool.h>
#include <string.h>

#include "core/backoff.h"
#include "core/check.h"
#include "core/test/test.h"

_Noreturn void check_failed(const char *file, int line, const char *what)
{
    fprintf(stderr, "%s:%d: CHECK(%s)\n", file, line, what);
    abort();
}

struct source {
    uint64_t draw;
    enum err err;
};

static enum err source_entropy(void *ctx, uint8_t *bytes, uint32_t size_bytes)
{
    const struct source *source = ctx;
    EXPECT_EQUAL(size_bytes, 8);
    for (uint32_t i = 0; i < size_bytes; i++) {
        bytes[i] = (uint8_t)(source->draw >> (56 - 8 * i));
    }
    return source->err;
}

static uint64_t next_us(struct backoff *backoff, uint64_t draw)
{
    struct source source = {.draw = draw, .err = ERR_OK};
    const struct port port = {.ctx = &source, .entropy = source_entropy};
    uint64_t delay_us = UINT64_MAX;
    EXPECT(backoff_next(backoff, &port, &delay_us) == ERR_OK);
    return delay_us;
}

static void the_ceiling_doubles_until_the_cap(void)
{
    static const uint64_t ceilings[] = {100, 200, 400, 800, 1000, 1000, 1000};
    for (size_t i = 0; i < sizeof ceilings / sizeof ceilings[0]; i++) {
        struct backoff backoff;
        backoff_init(&backoff, 100, 1000);
        for (size_t failures = 0; failures < i; failures++) {
            (void)next_us(&backoff, 0);
        }
        struct backoff again = backoff, over = backoff;
        EXPECT_EQUAL(next_us(&backoff, ceilings[i]), ceilings[i]); /* the ceiling itself is drawn */
        EXPECT_EQUAL(next_us(&again, 0), 0);
        EXPECT_EQUAL(next_us(&over, ceilings[i] + 1), 0);
    }
}

static void attempts_stop_growing_at_the_cap(void)
{
    struct backoff backoff;
    backoff_init(&backoff, 100, 1000);
    for (uint32_t i = 0; i < 1000; i++) {
        EXPECT(next_us(&backoff, UINT64_MAX - i) <= 1000);
        EXPECT_EQUAL(backoff.attempt, i < 4 ? i + 1 : 4);
    }
    backoff_reset(&backoff);
    EXPECT_EQUAL(backoff.attempt, 0);
    EXPECT_EQUAL(next_us(&backoff, 100), 100);
    EXPECT_EQUAL(next_us(&backoff, 101), 101);
}

static void the_largest_cap_does_not_overflow(void)
{
    struct backoff backoff;
    backoff_init(&backoff, 1, UINT64_MAX - 1);
    for (uint32_t i = 0; i < 64; i++) {
        EXPECT(next_us(&backoff, UINT64_C(1) << i) == UINT64_C(1) << i);
        EXPECT_EQUAL(backoff.attempt, i + 1);
    }
    EXPECT(next_us(&backoff, UINT64_MAX - 1) == UINT64_MAX - 1);
    EXPECT_EQUAL(backoff.attempt, 64);
    backoff_init(&backoff, UINT64_MAX - 1, UINT64_MAX - 1);
    EXPECT(next_us(&backoff, UINT64_MAX - 1) == UINT64_MAX - 1);
    EXPECT(next_us(&backoff, UINT64_MAX) == 0);
}

static void without_entropy_no_attempt_is_counted(void)
{
    struct source source = {.draw = 5, .err = ERR_IO};
    const struct port port = {.ctx = &source, .entropy = source_entropy};
    struct backoff backoff;
    uint64_t delay_us = 77;
    backoff_init(&backoff, 100, 1000);
    EXPECT(backoff_next(&backoff, &port, &delay_us) == ERR_IO);
    EXPECT_EQUAL(backoff.attempt, 0);
    EXPECT_EQUAL(delay_us, 77);
}

int main(void)
{
    RUN(the_ceiling_doubles_until_the_cap);
    RUN(attempts_stop_growing_at_the_cap);
    RUN(the_largest_cap_does_not_overflow);
    RUN(without_entropy_no_attempt_is_counted);
    return 0;
}
