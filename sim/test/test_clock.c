/* Goal: clocks are exact and monotone, and clock_true_us is the exact inverse of the monotonic
 * clock. Method: known values at the edges, and for random lines the defining property of the
 * inverse: at the time found the deadline is reached, a microsecond before it is not. */
#include "sim/clock.h"

#include "core/check.h"
#include "core/test/test.h"
#include "sim/random.h"

#define SECOND_US UINT64_C(1000000)
#define HOUR_US   (3600 * SECOND_US)

_Noreturn void check_failed(const char *file, int line, const char *what)
{
    fprintf(stderr, "%s:%d: CHECK %s\n", file, line, what);
    exit(1);
}

static void an_undisturbed_clock_shows_simulated_time(void)
{
    struct clock clock;
    clock_init(&clock, 0);
    EXPECT_EQUAL(clock_monotonic_us(&clock, 0), 0);
    EXPECT_EQUAL(clock_monotonic_us(&clock, HOUR_US + 1), HOUR_US + 1);
    EXPECT_EQUAL(clock_wall_us(&clock, HOUR_US), CLOCK_WALL_START_US + HOUR_US);
    EXPECT_EQUAL(clock_true_us(&clock, 5, 77), 77);
    EXPECT_EQUAL(clock_true_us(&clock, 100, 77), 100); /* it has come already */
    EXPECT(clock_true_us(&clock, 0, UINT64_MAX) == UINT64_MAX);
}

static void drift_is_exact_over_a_hundred_years(void)
{
    const uint64_t century_us = UINT64_C(3155760000) * SECOND_US;
    struct clock clock;
    clock_init(&clock, 0);
    clock_monotonic_drift(&clock, 0, 137);
    clock_wall_drift(&clock, 0, -500000);
    EXPECT_EQUAL(clock_monotonic_us(&clock, century_us), UINT64_C(3155760000) * 1000137);
    EXPECT_EQUAL(clock_wall_us(&clock, century_us), CLOCK_WALL_START_US + century_us / 2);
    EXPECT_EQUAL(clock_monotonic_us(&clock, 7299), 7299); /* 7299 * 137e-6 = 0.99996 */
    EXPECT_EQUAL(clock_monotonic_us(&clock, 7300), 7301);
}

static void a_boot_starts_the_monotonic_clock_and_not_the_wall_clock(void)
{
    struct clock clock;
    clock_init(&clock, 0);
    clock_monotonic_drift(&clock, 0, 1000);
    clock_wall_step(&clock, 0, 5);
    clock_suspend(&clock, 10, true);
    clock_boot(&clock, 1000000);
    EXPECT_EQUAL(clock_monotonic_us(&clock, 1000000), 0);
    EXPECT_EQUAL(clock_monotonic_us(&clock, 2000000), 1001000); /* the oscillator is the same */
    EXPECT_EQUAL(clock_wall_us(&clock, 2000000), CLOCK_WALL_START_US + 2000005);
}

static void in_suspend_the_monotonic_clock_stands_still(void)
{
    struct clock clock;
    clock_init(&clock, 0);
    clock_suspend(&clock, 100, true);
    EXPECT_EQUAL(clock_monotonic_us(&clock, 5000), 100);
    EXPECT(clock_true_us(&clock, 200, 150) == UINT64_MAX);
    clock_suspend(&clock, 1000, false);
    EXPECT_EQUAL(clock_monotonic_us(&clock, 1050), 150);
    EXPECT_EQUAL(clock_true_us(&clock, 1000, 150), 1050);
}

static void the_wall_clock_steps_freezes_and_resets(void)
{
    struct clock clock;
    clock_init(&clock, 0);
    clock_wall_step(&clock, 10, -(int64_t)HOUR_US);
    EXPECT_EQUAL(clock_wall_us(&clock, 20), CLOCK_WALL_START_US - HOUR_US + 20);
    clock_wall_step(&clock, 20, INT64_MIN);
    EXPECT_EQUAL(clock_wall_us(&clock, 30), 10); /* never below 1970 */
    clock_wall_step(&clock, 30, INT64_MAX);
    EXPECT_EQUAL(clock_wall_us(&clock, 30), (uint64_t)INT64_MAX + 10);
    clock_wall_freeze(&clock, 40, true);
    clock_wall_reset(&clock, 50);
    EXPECT_EQUAL(clock_wall_us(&clock, 60), 0);
    clock_wall_freeze(&clock, 60, false);
    EXPECT_EQUAL(clock_wall_us(&clock, 75), 15);
    EXPECT_EQUAL(clock_monotonic_us(&clock, 75), 75); /* untouched by all that */
}

static void healing_rights_the_wall_clock_and_never_turns_the_monotonic_one_back(void)
{
    struct clock clock;
    clock_init(&clock, 0);
    clock_monotonic_drift(&clock, 0, 100000);
    clock_wall_reset(&clock, 5);
    clock_wall_drift(&clock, 5, 400);
    clock_wall_freeze(&clock, 5, true);
    clock_suspend(&clock, SECOND_US, true);
    clock_heal(&clock, 2 * SECOND_US);
    EXPECT_EQUAL(clock_wall_us(&clock, HOUR_US), CLOCK_WALL_START_US + HOUR_US);
    EXPECT_EQUAL(clock_monotonic_us(&clock, 2 * SECOND_US), 1100000);
    EXPECT_EQUAL(clock_monotonic_us(&clock, 3 * SECOND_US), 2100000);
}

static void the_inverse_is_the_first_instant_that_reaches_the_deadline(void)
{
    struct random_stream draws = {.key = 1};
    for (uint32_t i = 0; i < 200000; i++) {
        struct clock clock;
        const uint64_t start_us = random_next(&draws) >> random_between(&draws, 2, 63);
        clock_init(&clock, start_us);
        clock_monotonic_drift(&clock, start_us,
                              (int32_t)random_between(&draws, 0, 1999999) - 999999);
        const uint64_t now_us = start_us + (random_next(&draws) >> random_between(&draws, 14, 63));
        const uint64_t deadline_us = random_next(&draws) >> random_between(&draws, 14, 63);
        const uint64_t at_us = clock_true_us(&clock, now_us, deadline_us);
        EXPECT(at_us >= now_us);
        EXPECT(at_us == UINT64_MAX || clock_monotonic_us(&clock, at_us) >= deadline_us);
        EXPECT(at_us == now_us || clock_monotonic_us(&clock, at_us - 1) < deadline_us);
    }
}

static void a_clock_never_goes_back_whatever_drift_and_suspend_do(void)
{
    struct random_stream draws = {.key = 2};
    struct clock clock;
    clock_init(&clock, 0);
    uint64_t last_us = 0, now_us = 0;
    for (uint32_t i = 0; i < 100000; i++) {
        now_us += random_below(&draws, 3);
        if (random_below(&draws, 4) == 0) {
            clock_monotonic_drift(&clock, now_us, (int32_t)random_below(&draws, 2000001) - 1000000);
        } else if (random_below(&draws, 4) == 0) {
            clock_suspend(&clock, now_us, random_below(&draws, 2) == 0);
        }
        const uint64_t value_us = clock_monotonic_us(&clock, now_us);
        EXPECT(value_us >= last_us);
        last_us = value_us;
    }
    EXPECT(clock_monotonic_us(&clock, UINT64_MAX) >= last_us);
}

static void an_oscillator_that_stands_still_reaches_no_deadline(void)
{
    struct clock clock;
    clock_init(&clock, 0);
    clock_monotonic_drift(&clock, 100, -1000000);
    EXPECT_EQUAL(clock_monotonic_us(&clock, HOUR_US), 100);
    EXPECT(clock_true_us(&clock, 200, 101) == UINT64_MAX);
    EXPECT_EQUAL(clock_true_us(&clock, 200, 100), 200);
}

int main(void)
{
    RUN(an_undisturbed_clock_shows_simulated_time);
    RUN(drift_is_exact_over_a_hundred_years);
    RUN(a_boot_starts_the_monotonic_clock_and_not_the_wall_clock);
    RUN(in_suspend_the_monotonic_clock_stands_still);
    RUN(the_wall_clock_steps_freezes_and_resets);
    RUN(healing_rights_the_wall_clock_and_never_turns_the_monotonic_one_back);
    RUN(the_inverse_is_the_first_instant_that_reaches_the_deadline);
    RUN(a_clock_never_goes_back_whatever_drift_and_suspend_do);
    RUN(an_oscillator_that_stands_still_reaches_no_deadline);
    return 0;
}
