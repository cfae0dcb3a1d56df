/* A node's two clocks over simulated time. Integers only.
 *   monotonic: since boot; runs at 1 + drift; stands still in suspend; never goes back
 *   wall:      simulated time + offset; may step, drift, freeze, or be reset to 1970 (then 0-based)
 * `true` times are the simulator's. */
#ifndef BROWNOUT_SIM_CLOCK_H
#define BROWNOUT_SIM_CLOCK_H

#include <stdbool.h>
#include <stdint.h>

/* 2026-01-01 00:00:00 UTC: what an undisturbed wall clock shows at the start of a run. */
#define CLOCK_WALL_START_US 1767225600000000u

struct clock_line { /* value = base + (true - since) * (1e6 + ppm) / 1e6, or base while stopped */
    uint64_t base_us, since_us;
    int32_t ppm;
    bool stopped;
};

struct clock {
    struct clock_line monotonic;
    struct clock_line wall;
};

void clock_init(struct clock *clock, uint64_t true_us);
/* Power came: monotonic starts at 0 (drift stays: it is the oscillator's); the wall clock runs on.
 */
void clock_boot(struct clock *clock, uint64_t true_us);
uint64_t clock_monotonic_us(const struct clock *clock, uint64_t true_us);
uint64_t clock_wall_us(const struct clock *clock, uint64_t true_us);
/* The earliest true time at which monotonic >= deadline_us; UINT64_MAX while it stands still, or if
 * deadline_us is UINT64_MAX. */
uint64_t clock_true_us(const struct clock *clock, uint64_t true_us, uint64_t deadline_us);
void clock_monotonic_drift(struct clock *clock, uint64_t true_us, int32_t ppm);
void clock_suspend(struct clock *clock, uint64_t true_us, bool suspended);
void clock_wall_step(struct clock *clock, uint64_t true_us, int64_t by_us); /* never below 0 */
void clock_wall_drift(struct clock *clock, uint64_t true_us, int32_t ppm);
void clock_wall_freeze(struct clock *clock, uint64_t true_us, bool frozen);
void clock_wall_reset(struct clock *clock, uint64_t true_us);
/* Heal: no drift, wall clock right again, nothing frozen or suspended. */
void clock_heal(struct clock *clock, uint64_t true_us);

#endif
