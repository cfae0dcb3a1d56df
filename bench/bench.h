/* What benchmarks share: how time is taken, how figures are printed, and the fleet that is
 * measured.
 *
 * Time is CPU time of this process: its neighbours on the machine disturb it less than wall time. A
 * figure is the median of several rounds, and what is compared is measured in turns within one run:
 * trust the ratios before the absolute figures. No figure is ever asserted.
 */
#ifndef BROWNOUT_BENCH_H
#define BROWNOUT_BENCH_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "sim/run.h"

enum { BENCH_ROUNDS = 5 };

/* Of one figure, each round. */
struct bench_sample {
    uint32_t count;
    double values[BENCH_ROUNDS];
};

/* --smoke: does it run at all, in a fraction of a second; the figures then mean nothing. */
static inline bool bench_smoke(int argc, char **argv)
{
    return argc == 2 && strcmp(argv[1], "--smoke") == 0;
}

/* CPU time of this process in seconds. */
static inline double bench_cpu_s(void)
{
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

static inline void bench_add(struct bench_sample *sample, double value)
{
    if (sample->count < BENCH_ROUNDS) {
        sample->values[sample->count++] = value;
    }
}

static inline int bench_compare(const void *left, const void *right)
{
    const double a = *(const double *)left, b = *(const double *)right;
    return (a > b) - (a < b);
}

static inline double bench_median(const struct bench_sample *sample)
{
    struct bench_sample sorted = *sample;
    qsort(sorted.values, sorted.count, sizeof sorted.values[0], bench_compare);
    return sorted.count == 0 ? 0.0 : sorted.values[sorted.count / 2];
}

/* A heading, and in one line how its figures are come by. */
static inline void bench_title(const char *title, const char *method)
{
    printf("%s\n  (%s)\n", title, method);
}

static inline void bench_print(const char *what, double value, const char *unit)
{
    const int decimals = value < 10 ? 3 : value < 1000 ? 1 : 0;
    printf("  %-48s %14.*f %s\n", what, decimals, value, unit);
}

static inline void bench_set(struct plan *plan, const char *key, const char *value)
{
    char error[256];
    if (!settings_set(&plan->settings, key, value, error, sizeof error)) {
        fprintf(stderr, "bench: %s\n", error);
        exit(2);
    }
}

/* 1 cloud, 2 gateways, so many devices, a reading every 10 s, and no faults. */
static inline void bench_fleet(struct plan *plan, uint32_t devices, const char *duration,
                               const char *heal)
{
    char count[16];
    snprintf(count, sizeof count, "%u", devices);
    plan_init(plan, 1);
    bench_set(plan, "run.crypto", "ideal");
    bench_set(plan, "fleet.gateways", "2");
    bench_set(plan, "fleet.devices", count);
    bench_set(plan, "gateway.sessions", "512");
    bench_set(plan, "device.sample_every", "10s");
    bench_set(plan, "run.duration", duration);
    bench_set(plan, "run.heal", heal);
}

/* A run that passes, or there is nothing to measure. */
static inline void bench_run(const struct plan *plan, const struct world_options *options,
                             struct run_result *result)
{
    struct run_request request;
    run_request_init(&request);
    request.plan = plan;
    request.options = *options;
    run(&request, result);
    if (result->verdict != VERDICT_PASS) {
        fprintf(stderr, "bench: %s: %s\n", verdict_name(result->verdict), result->message);
        exit(4);
    }
}

#endif
