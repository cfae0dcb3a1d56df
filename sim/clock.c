#include "sim/clock.h"

#include <stddef.h>

#include "core/check.h"

enum { MILLION = 1000000 };

static uint64_t line_value_us(const struct clock_line *line, uint64_t true_us);
static void line_restart(struct clock_line *line, uint64_t true_us, uint64_t base_us);
static uint64_t line_rate(const struct clock_line *line);
static uint64_t add(uint64_t left, uint64_t right);
static uint64_t multiply(uint64_t left, uint64_t right);

void clock_init(struct clock *clock, uint64_t true_us)
{
    CHECK(clock != NULL);
    *clock = (struct clock){
        .monotonic = {.base_us = 0, .since_us = true_us},
        .wall = {.base_us = add(CLOCK_WALL_START_US, true_us), .since_us = true_us},
    };
}

void clock_boot(struct clock *clock, uint64_t true_us)
{
    clock->monotonic.stopped = false;
    line_restart(&clock->monotonic, true_us, 0);
}

uint64_t clock_monotonic_us(const struct clock *clock, uint64_t true_us)
{
    return line_value_us(&clock->monotonic, true_us);
}

uint64_t clock_wall_us(const struct clock *clock, uint64_t true_us)
{
    return line_value_us(&clock->wall, true_us);
}

/* The smallest e with floor(e * rate / 1e6) >= need is ceil(need * 1e6 / rate). With need split by
 * rate into a quotient and a remainder no product overflows before the result does. */
uint64_t clock_true_us(const struct clock *clock, uint64_t true_us, uint64_t deadline_us)
{
    const struct clock_line *line = &clock->monotonic;
    const uint64_t rate = line_rate(line);
    if (line->stopped || deadline_us == UINT64_MAX) {
        return UINT64_MAX;
    }
    if (line_value_us(line, true_us) >= deadline_us) {
        return true_us;
    }
    if (rate == 0) {
        return UINT64_MAX;
    }
    const uint64_t need = deadline_us - line->base_us;
    const uint64_t rest = (need % rate * MILLION + rate - 1) / rate;
    const uint64_t elapsed_us = add(multiply(need / rate, MILLION), rest);
    return add(line->since_us, elapsed_us);
}

void clock_monotonic_drift(struct clock *clock, uint64_t true_us, int32_t ppm)
{
    CHECK(ppm >= -MILLION && ppm <= MILLION);
    line_restart(&clock->monotonic, true_us, clock_monotonic_us(clock, true_us));
    clock->monotonic.ppm = ppm;
}

void clock_suspend(struct clock *clock, uint64_t true_us, bool suspended)
{
    line_restart(&clock->monotonic, true_us, clock_monotonic_us(clock, true_us));
    clock->monotonic.stopped = suspended;
}

void clock_wall_step(struct clock *clock, uint64_t true_us, int64_t by_us)
{
    const uint64_t now_us = clock_wall_us(clock, true_us);
    /* Negated as unsigned, because -INT64_MIN is no int64_t. */
    const uint64_t back_us = by_us < 0 ? 0 - (uint64_t)by_us : 0;
    uint64_t base_us = add(now_us, by_us > 0 ? (uint64_t)by_us : 0);
    base_us = back_us < base_us ? base_us - back_us : 0;
    line_restart(&clock->wall, true_us, base_us);
}

void clock_wall_drift(struct clock *clock, uint64_t true_us, int32_t ppm)
{
    CHECK(ppm >= -MILLION && ppm <= MILLION);
    line_restart(&clock->wall, true_us, clock_wall_us(clock, true_us));
    clock->wall.ppm = ppm;
}

void clock_wall_freeze(struct clock *clock, uint64_t true_us, bool frozen)
{
    line_restart(&clock->wall, true_us, clock_wall_us(clock, true_us));
    clock->wall.stopped = frozen;
}

void clock_wall_reset(struct clock *clock, uint64_t true_us)
{
    line_restart(&clock->wall, true_us, 0);
}

void clock_heal(struct clock *clock, uint64_t true_us)
{
    clock_suspend(clock, true_us, false);
    clock->monotonic.ppm = 0;
    clock->wall = (struct clock_line){
        .base_us = add(CLOCK_WALL_START_US, true_us),
        .since_us = true_us,
    };
}

/* ---- lines ----------------------------------------------------------------------------------- */

/* floor(elapsed * rate / 1e6), exact: the whole seconds times the rate leave no fraction. A time
 * before `since` is the line's beginning: an effect may strike a node that is ahead inside its
 * step. */
static uint64_t line_value_us(const struct clock_line *line, uint64_t true_us)
{
    if (line->stopped || true_us <= line->since_us) {
        return line->base_us;
    }
    const uint64_t elapsed_us = true_us - line->since_us;
    const uint64_t rate = line_rate(line);
    const uint64_t run_us =
        add(multiply(elapsed_us / MILLION, rate), elapsed_us % MILLION * rate / MILLION);
    return add(line->base_us, run_us);
}

static void line_restart(struct clock_line *line, uint64_t true_us, uint64_t base_us)
{
    line->base_us = base_us;
    line->since_us = true_us;
}

/* Microseconds that pass on the line in a true second. */
static uint64_t line_rate(const struct clock_line *line)
{
    CHECK(line->ppm >= -MILLION);
    return (uint64_t)((int64_t)MILLION + line->ppm);
}

/* Both stop at UINT64_MAX, "never", so that clocks stay monotone up to the end of time. */
static uint64_t add(uint64_t left, uint64_t right)
{
    return left > UINT64_MAX - right ? UINT64_MAX : left + right;
}

static uint64_t multiply(uint64_t left, uint64_t right)
{
    return right != 0 && left > UINT64_MAX / right ? UINT64_MAX : left * right;
}
