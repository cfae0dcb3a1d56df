/* Determinism, put to the test: one scenario and seed, run again in other processes under other
 * circumstances, must come to the same hash. Where it does not, the first event that differs is
 * found.
 */
#ifndef BROWNOUT_SIM_SELFCHECK_H
#define BROWNOUT_SIM_SELFCHECK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sim/twin.h"

enum { SELFCHECK_CHECKS_MAX = 8, SELFCHECK_LINES = 4, SELFCHECK_LINE_BYTES = 200 };

struct selfcheck_request {
    const char *program; /* this one */
    const char *with;    /* another build of it; NULL: none */
    const char *scenario;
    uint64_t seed;
    const struct option_settings *settings;
    /* Called after each check; may be NULL. */
    void (*progress)(void *ctx, const char *check);
    void *progress_ctx;
};

/* Where two runs part. */
struct selfcheck_difference {
    bool found; /* else they did not part again when they were run to find it */
    uint64_t event;
    uint32_t before_count, left_count, right_count;
    char before[SELFCHECK_LINES][SELFCHECK_LINE_BYTES]; /* the last lines that both have */
    char left[SELFCHECK_LINES][SELFCHECK_LINE_BYTES];
    char right[SELFCHECK_LINES][SELFCHECK_LINE_BYTES];
};

struct selfcheck_check {
    const char *name;
    bool equal;
    char left[HASH_TEXT_BYTES], right[HASH_TEXT_BYTES];
};

struct selfcheck_result {
    enum verdict verdict;      /* PASS, NONDETERMINISTIC, USAGE, UNKNOWN or HARNESS */
    char message[512];         /* of the last three */
    struct twin_answer answer; /* of the run that all are compared with */
    uint32_t check_count;
    struct selfcheck_check checks[SELFCHECK_CHECKS_MAX];
    struct selfcheck_difference difference; /* of the first check that is not equal */
};

void selfcheck(const struct selfcheck_request *request, struct selfcheck_result *result);

#endif
