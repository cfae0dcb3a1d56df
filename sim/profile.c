#include "sim/profile.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/check.h"
#include "sim/setting.h"

enum {
    MILLION = 1000000,
    TRACE_PACKET_BYTES = 1500,      /* what one opportunity carries */
    TRACE_COUNT_MAX = 1 << 22,      /* opportunities: bounds the memory of a trace */
    TRACE_AT_MS_MAX = 7 * 86400000, /* a week */
    TRACE_BURST_MAX = 1000,         /* opportunities in a millisecond: each has its microsecond */
    TRACE_LINE_BYTES = 32,
    BYTES_MAX = 65536, /* of one departure */
};

#define BPS_MAX UINT64_C(1000000000000)

#define TRACE_PREFIX "trace:"

/* Delays are one way. Where a source gives bounds or ranges, the figures lie inside them; what it
 * leaves open (loss left over after the radio's own repetition, queues) is a typical value. */
static const struct profile table[] = {
    {
        .name = "lte-m",
        .source = "typical LTE Cat-M1, half duplex: 3GPP Release 13 (375 kbit/s peak each way, "
                  "halved here), 50..100 ms latency",
        .delay_min_us = 25000,
        .delay_typical_us = 60000,
        .delay_max_us = 5000000,
        .up_bps = 190000,
        .down_bps = 150000,
        .loss_ppm = 2000,
        .retransmit_us = 1000000,
        .queue_bytes = 32768,
        .cut_ppm = 20000,
    },
    {
        .name = "nb-iot",
        .source = "typical NB-IoT Cat-NB1: 3GPP TR 45.820 (10 s latency bound of exception "
                  "reports); sustained rates about a tenth of the 250/170 kbit/s peaks",
        .delay_min_us = 150000,
        .delay_typical_us = 1200000,
        .delay_max_us = 10000000,
        .up_bps = 25000,
        .down_bps = 20000,
        .loss_ppm = 5000,
        .retransmit_us = 6000000,
        .queue_bytes = 4096,
        .cut_ppm = 50000,
    },
    {
        .name = "3g",
        .source = "typical W-CDMA as of RFC 3481 (BCP 71) section 2: round trips of a few hundred "
                  "ms up to a second, 64 kbit/s up and 384 kbit/s down, delay spikes of seconds",
        .delay_min_us = 60000,
        .delay_typical_us = 150000,
        .delay_max_us = 6000000,
        .up_bps = 64000,
        .down_bps = 384000,
        .loss_ppm = 3000,
        .retransmit_us = 1500000,
        .queue_bytes = 65536,
        .cut_ppm = 20000,
    },
    {
        .name = "satellite",
        .source = "geostationary: RFC 2488 section 2 (239.6 to 279.0 ms a hop); rates and loss "
                  "typical of a small terminal",
        .delay_min_us = 239600,
        .delay_typical_us = 300000,
        .delay_max_us = 4000000,
        .up_bps = 128000,
        .down_bps = 512000,
        .loss_ppm = 3000,
        .retransmit_us = 1500000,
        .queue_bytes = 65536,
        .cut_ppm = 10000,
    },
    {
        .name = "leo",
        .source = "typical low orbit broadband at 600 km: 3GPP TR 38.821 for the geometry (at most "
                  "about 13 ms up and down); access and routing on top, pauses at handovers",
        .delay_min_us = 12000,
        .delay_typical_us = 25000,
        .delay_max_us = 1500000,
        .up_bps = 5000000,
        .down_bps = 50000000,
        .loss_ppm = 5000,
        .retransmit_us = 250000,
        .queue_bytes = 131072,
        .cut_ppm = 10000,
    },
    {
        .name = "wifi",
        .source = "typical IEEE 802.11n at 2.4 GHz in a shared channel",
        .delay_min_us = 800,
        .delay_typical_us = 4000,
        .delay_max_us = 800000,
        .up_bps = 10000000,
        .down_bps = 20000000,
        .loss_ppm = 1000,
        .retransmit_us = 200000,
        .queue_bytes = 65536,
        .cut_ppm = 5000,
    },
    {
        .name = "wifi-factory",
        .source = "typical IEEE 802.11 among machines: latency above 10 ms and packet errors of "
                  "1e-4 to 1e-2 before repetition, as surveys of industrial networks report",
        .delay_min_us = 1000,
        .delay_typical_us = 12000,
        .delay_max_us = 2000000,
        .up_bps = 2000000,
        .down_bps = 4000000,
        .loss_ppm = 10000,
        .retransmit_us = 300000,
        .queue_bytes = 32768,
        .cut_ppm = 20000,
    },
    {
        .name = "ethernet",
        .source = "typical wired access (IEEE 802.3, 100 Mbit/s) and a path inside the bounds of "
                  "ITU-T Y.1541 class 0 (100 ms mean, loss below 1e-3)",
        .delay_min_us = 5000,
        .delay_typical_us = 12000,
        .delay_max_us = 400000,
        .up_bps = 100000000,
        .down_bps = 100000000,
        .loss_ppm = 100,
        .retransmit_us = 200000,
        .queue_bytes = 131072,
        .cut_ppm = 2000,
    },
};

enum { TABLE_COUNT = sizeof table / sizeof table[0] };

/* What a trace does not say: a cellular path without its bottleneck. */
static const struct profile traced = {
    .name = "trace",
    .source = "departures from measured traces; delay typical of a cellular path",
    .delay_min_us = 15000,
    .delay_typical_us = 30000,
    .delay_max_us = 1000000,
    .up_bps = 1,
    .down_bps = 1,
    .loss_ppm = 0,
    .retransmit_us = 1000000,
    .queue_bytes = 65536,
    .cut_ppm = 20000,
};

struct trace_reader {
    const char *path;
    uint32_t line_number;
    struct profile_trace *trace;
    uint32_t capacity, burst;
    char *error;
    size_t error_bytes;
};

static bool load_traces(const char *spec, struct profile *profile, char *error, size_t error_bytes);
static bool trace_load(const char *path, struct profile_trace *trace, char *error,
                       size_t error_bytes);
static bool trace_read(struct trace_reader *reader, FILE *file);
static bool trace_append(struct trace_reader *reader, uint32_t at_ms);
static bool trace_line(char *line, uint32_t *at_ms);
static bool trace_fail(const struct trace_reader *reader, const char *what);
static uint64_t trace_depart_us(const struct profile_trace *trace, uint64_t from_us,
                                uint64_t packet_count);
static uint32_t trace_first(const struct profile_trace *trace, uint32_t at_ms);
static uint64_t trace_offset_us(const struct profile_trace *trace, uint32_t index);

bool profile_load(const char *spec, struct profile *profile, char *error, size_t error_bytes)
{
    CHECK(spec != NULL && profile != NULL && error != NULL);
    memset(profile, 0, sizeof *profile);
    if (strncmp(spec, TRACE_PREFIX, strlen(TRACE_PREFIX)) == 0) {
        return load_traces(spec + strlen(TRACE_PREFIX), profile, error, error_bytes);
    }
    const char *names[TABLE_COUNT];
    for (size_t i = 0; i < TABLE_COUNT; i++) {
        names[i] = table[i].name;
        if (strcmp(spec, table[i].name) == 0) {
            *profile = table[i];
            return true;
        }
    }
    const char *near = nearest_name(spec, names, TABLE_COUNT);
    if (near != NULL) {
        snprintf(error, error_bytes, "no link profile '%s'; did you mean '%s'?", spec, near);
        return false;
    }
    int used = snprintf(error, error_bytes, "no link profile '%s'; there is trace:UP,DOWN", spec);
    for (size_t i = 0; i < TABLE_COUNT && used >= 0 && (size_t)used < error_bytes; i++) {
        used += snprintf(error + used, error_bytes - (size_t)used, ", %s", table[i].name);
    }
    return false;
}

void profile_free(struct profile *profile)
{
    free(profile->up.at_ms);
    free(profile->down.at_ms);
    memset(profile, 0, sizeof *profile);
}

const struct profile *profile_table(size_t *count)
{
    *count = TABLE_COUNT;
    return table;
}

uint64_t profile_depart_us(const struct profile *profile, bool up, uint64_t free_us,
                           uint64_t now_us, uint32_t bytes, uint32_t offset_ms, uint32_t share_ppm)
{
    CHECK(bytes <= BYTES_MAX);
    CHECK(share_ppm >= 1 && share_ppm <= MILLION);
    const struct profile_trace *trace = up ? &profile->up : &profile->down;
    if (trace->count > 0) {
        const uint64_t offset_us = (uint64_t)offset_ms * 1000;
        const uint64_t packet_count = bytes == 0 ? 1 : (bytes - 1) / TRACE_PACKET_BYTES + 1;
        const uint64_t share_count = (packet_count * MILLION + share_ppm - 1) / share_ppm;
        /* The opportunity at free_us is the one used last. */
        const uint64_t from_us = free_us >= now_us ? free_us + 1 : now_us;
        return trace_depart_us(trace, from_us + offset_us, share_count) - offset_us;
    }
    const uint64_t bps = up ? profile->up_bps : profile->down_bps;
    CHECK(bps >= 1 && bps <= BPS_MAX);
    const uint64_t rate = bps * share_ppm;
    const uint64_t bits = (uint64_t)bytes * 8 * MILLION; /* at most 5.3e11; times 1e6 fits */
    const uint64_t start_us = free_us > now_us ? free_us : now_us;
    return start_us + (bits * MILLION + rate - 1) / rate;
}

/* ---- traces ---------------------------------------------------------------------------------- */

static bool load_traces(const char *spec, struct profile *profile, char *error, size_t error_bytes)
{
    const char *comma = strchr(spec, ',');
    if (comma == NULL || comma == spec || comma[1] == '\0') {
        snprintf(error, error_bytes,
                 "'trace:%s' lacks a file; write trace:UP,DOWN with two files in mahimahi's format",
                 spec);
        return false;
    }
    char up[SETTING_TEXT_BYTES];
    const size_t length = (size_t)(comma - spec);
    if (length >= sizeof up) {
        snprintf(error, error_bytes, "the name of the trace is too long: %s", spec);
        return false;
    }
    memcpy(up, spec, length);
    up[length] = '\0';
    *profile = traced;
    if (!trace_load(up, &profile->up, error, error_bytes) ||
        !trace_load(comma + 1, &profile->down, error, error_bytes)) {
        profile_free(profile);
        return false;
    }
    return true;
}

static bool trace_load(const char *path, struct profile_trace *trace, char *error,
                       size_t error_bytes)
{
    struct trace_reader reader = {
        .path = path, .trace = trace, .error = error, .error_bytes = error_bytes};
    FILE *file = fopen(path, "r");
    if (file == NULL) {
        snprintf(error, error_bytes, "%s: %s", path, strerror(errno));
        return false;
    }
    const bool done = trace_read(&reader, file);
    fclose(file);
    return done;
}

static bool trace_read(struct trace_reader *reader, FILE *file)
{
    struct profile_trace *trace = reader->trace;
    char line[TRACE_LINE_BYTES];
    while (fgets(line, sizeof line, file) != NULL) {
        uint32_t at_ms;
        reader->line_number++;
        if (!trace_line(line, &at_ms)) {
            return trace_fail(reader, "each line is one number of milliseconds, at most a week");
        }
        if (trace->count > 0 && at_ms < trace->at_ms[trace->count - 1]) {
            return trace_fail(reader, "the time goes back; times never decrease in a trace");
        }
        if (!trace_append(reader, at_ms)) {
            return false;
        }
    }
    if (ferror(file)) {
        return trace_fail(reader, strerror(errno));
    }
    if (trace->count == 0 || trace->at_ms[trace->count - 1] == 0) {
        return trace_fail(reader, "the trace is empty, or has no length: its last time is 0");
    }
    /* One more than the last, so that no opportunity of the next round coincides with it. */
    trace->period_ms = trace->at_ms[trace->count - 1] + 1;
    return true;
}

static bool trace_append(struct trace_reader *reader, uint32_t at_ms)
{
    struct profile_trace *trace = reader->trace;
    const bool same = trace->count > 0 && trace->at_ms[trace->count - 1] == at_ms;
    reader->burst = same ? reader->burst + 1 : 1;
    if (reader->burst > TRACE_BURST_MAX) {
        return trace_fail(reader, "more than 1000 packets in one millisecond");
    }
    if (trace->count == TRACE_COUNT_MAX) {
        return trace_fail(reader, "the trace is longer than 4194304 lines");
    }
    if (trace->count == reader->capacity) {
        const uint32_t capacity = reader->capacity == 0 ? 1024 : reader->capacity * 2;
        uint32_t *grown = realloc(trace->at_ms, capacity * sizeof *grown);
        if (grown == NULL) {
            return trace_fail(reader, "no memory");
        }
        trace->at_ms = grown;
        reader->capacity = capacity;
    }
    trace->at_ms[trace->count++] = at_ms;
    return true;
}

static bool trace_line(char *line, uint32_t *at_ms)
{
    line[strcspn(line, "\r\n")] = '\0';
    const size_t length = strlen(line);
    if (length == 0 || length > 9 || strspn(line, "0123456789") != length) {
        return false;
    }
    *at_ms = (uint32_t)strtoul(line, NULL, 10);
    return *at_ms <= TRACE_AT_MS_MAX;
}

static bool trace_fail(const struct trace_reader *reader, const char *what)
{
    snprintf(reader->error, reader->error_bytes, "%s:%u: %s", reader->path,
             (unsigned)reader->line_number, what);
    return false;
}

/* The time of the packet_count-th opportunity that is not before from_us. Opportunities of one
 * millisecond are spread evenly over it, so that all times differ and one number, the time of the
 * last departure, says which of them are used up. */
static uint64_t trace_depart_us(const struct profile_trace *trace, uint64_t from_us,
                                uint64_t packet_count)
{
    const uint64_t period_us = (uint64_t)trace->period_ms * 1000;
    const uint64_t in_round_us = from_us % period_us;
    uint64_t round = from_us / period_us;
    uint32_t index = trace_first(trace, (uint32_t)(in_round_us / 1000));
    while (index < trace->count && trace_offset_us(trace, index) < in_round_us) {
        index++; /* only inside one millisecond */
    }
    const uint64_t skipped = index + packet_count - 1;
    round += skipped / trace->count;
    return round * period_us + trace_offset_us(trace, (uint32_t)(skipped % trace->count));
}

/* The first opportunity at at_ms or later; count if there is none. */
static uint32_t trace_first(const struct profile_trace *trace, uint32_t at_ms)
{
    uint32_t low = 0, high = trace->count;
    while (low < high) {
        const uint32_t middle = low + (high - low) / 2;
        if (trace->at_ms[middle] < at_ms) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

static uint64_t trace_offset_us(const struct profile_trace *trace, uint32_t index)
{
    const uint32_t at_ms = trace->at_ms[index];
    uint32_t first = index, next = index + 1;
    while (first > 0 && trace->at_ms[first - 1] == at_ms) {
        first--;
    }
    while (next < trace->count && trace->at_ms[next] == at_ms) {
        next++;
    }
    return (uint64_t)at_ms * 1000 + (uint64_t)(index - first) * 1000 / (next - first);
}
