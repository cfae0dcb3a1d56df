/* What benchmarks share: how time is taken, and how figures are printed.
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

enum { BENCH_ROUNDS = 7 };

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

#endif
