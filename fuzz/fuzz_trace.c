/* Measured link traces: what leaves when.
 * Input: two traces, divided by a NUL.
 * Required: a refusal says why; of what is read the times ascend within the period, and bytes leave
 * in order: never before they came, never before the link is free. */
#include <stdio.h>
#include <string.h>

#include "fuzz/fuzz.h"
#include "sim/profile.h"

enum { INPUT_BYTES_MAX = 8192, PATHS_BYTES = 1200 };

static void require_trace(const struct profile_trace *trace)
{
    REQUIRE(trace->count > 0 && trace->period_ms > 0);
    for (uint32_t i = 1; i < trace->count; i++) {
        REQUIRE(trace->at_ms[i - 1] <= trace->at_ms[i]);
    }
    REQUIRE(trace->at_ms[trace->count - 1] <= trace->period_ms);
}

static void require_departures(const struct profile *profile, bool up)
{
    static const uint32_t sizes[] = {1, 1499, 1500, 1501, 20000};
    static const uint32_t shares[] = {1000000, 500000, 10000};
    uint64_t free_us = 0;
    for (uint32_t i = 0; i < 12; i++) {
        const uint64_t now_us = i * UINT64_C(1700);
        const uint64_t left_us =
            profile_depart_us(profile, up, free_us, now_us, sizes[i % 5], i * 37, shares[i % 3]);
        REQUIRE(left_us >= now_us && left_us >= free_us);
        free_us = left_us;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_bytes)
{
    char paths[PATHS_BYTES], error[1024] = "";
    struct profile profile;
    const uint8_t *end = size_bytes > 0 ? memchr(data, '\0', size_bytes) : NULL;
    if (end == NULL || size_bytes > INPUT_BYTES_MAX) {
        return 0;
    }
    const char *up = fuzz_file(0, "up.trace", data, (size_t)(end - data));
    const char *down = fuzz_file(1, "down.trace", end + 1, size_bytes - (size_t)(end - data) - 1);
    REQUIRE(snprintf(paths, sizeof paths, "trace:%s,%s", up, down) < (int)sizeof paths);
    if (!profile_load(paths, &profile, error, sizeof error)) {
        REQUIRE(error[0] != '\0');
        return 0;
    }
    require_trace(&profile.up);
    require_trace(&profile.down);
    require_departures(&profile, true);
    require_departures(&profile, false);
    profile_free(&profile);
    return 0;
}
