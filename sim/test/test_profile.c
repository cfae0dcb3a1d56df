/* Goal: named profiles are sound, departures follow bandwidth and traces exactly, and each mistake
 * in a profile's name or a trace's file is told with a word that helps. Method: exact times over
 * small traces that the test writes; every figure of the table is looked at. Measured traces are
 * used where they lie beside the tree. */
#include "sim/profile.h"

#include <string.h>
#include <unistd.h>

#include "core/check.h"
#include "core/test/test.h"

#define MEASURED_FOLDER "../shared/traces/"

enum { FULL = 1000000, ERROR_BYTES = 256 };

static char up_path[] = "/tmp/brownout_test_up_XXXXXX";
static char down_path[] = "/tmp/brownout_test_down_XXXXXX";

_Noreturn void check_failed(const char *file, int line, const char *what)
{
    fprintf(stderr, "%s:%d: CHECK %s\n", file, line, what);
    exit(1);
}

static void write_file(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");
    EXPECT(file != NULL);
    EXPECT(fputs(text, file) >= 0);
    EXPECT(fclose(file) == 0);
}

static struct profile traced(const char *up, const char *down)
{
    char spec[128], error[ERROR_BYTES];
    struct profile profile;
    write_file(up_path, up);
    write_file(down_path, down);
    snprintf(spec, sizeof spec, "trace:%s,%s", up_path, down_path);
    EXPECT(profile_load(spec, &profile, error, sizeof error));
    return profile;
}

/* A spec is refused, and the error names `word`. */
static void expect_refused(const char *spec, const char *word)
{
    char error[ERROR_BYTES] = "";
    struct profile profile;
    EXPECT(!profile_load(spec, &profile, error, sizeof error));
    if (strstr(error, word) == NULL) {
        fprintf(stderr, "'%s' says: %s\n", spec, error);
    }
    EXPECT(strstr(error, word) != NULL);
    EXPECT(profile.up.at_ms == NULL && profile.down.at_ms == NULL);
}

static void expect_bad_trace(const char *text, const char *word)
{
    char spec[128];
    write_file(up_path, text);
    write_file(down_path, "1\n");
    snprintf(spec, sizeof spec, "trace:%s,%s", up_path, down_path);
    expect_refused(spec, word);
    snprintf(spec, sizeof spec, "trace:%s,%s", down_path, up_path);
    expect_refused(spec, word);
}

static void every_named_profile_loads_and_its_figures_are_sound(void)
{
    size_t count;
    const struct profile *table = profile_table(&count);
    EXPECT(count >= 6);
    for (size_t i = 0; i < count; i++) {
        char error[ERROR_BYTES];
        struct profile profile;
        EXPECT(profile_load(table[i].name, &profile, error, sizeof error));
        EXPECT(strcmp(profile.name, table[i].name) == 0);
        EXPECT(strlen(profile.source) > 20);
        EXPECT(profile.delay_min_us >= 1 && profile.delay_min_us <= profile.delay_typical_us);
        EXPECT(profile.delay_typical_us < profile.delay_max_us);
        EXPECT(profile.up_bps >= 1000 && profile.down_bps >= 1000);
        EXPECT(profile.loss_ppm <= 100000 && profile.cut_ppm <= FULL);
        /* Later than a usual round trip, or each segment would count as lost. */
        EXPECT(profile.retransmit_us >= 2 * profile.delay_typical_us);
        EXPECT(profile.queue_bytes >= 4096);
        profile_free(&profile);
    }
}

static void an_unknown_name_is_refused_with_the_nearest_one(void)
{
    expect_refused("lte_m", "did you mean 'lte-m'?");
    expect_refused("ethernt", "did you mean 'ethernet'?");
    expect_refused("quantum-entanglement", "wifi-factory");
    expect_refused("", "no link profile");
    expect_refused("trace:", "trace:UP,DOWN");
    expect_refused("trace:only_one_file", "trace:UP,DOWN");
    expect_refused("trace:/nonexistent/up,/nonexistent/down", "/nonexistent/up: No such file");
}

static void bandwidth_makes_segments_wait_for_each_other(void)
{
    const struct profile profile = {.up_bps = 8000, .down_bps = 3000000};
    EXPECT_EQUAL(profile_depart_us(&profile, true, 0, 500, 1000, 0, FULL), 1000500);
    EXPECT_EQUAL(profile_depart_us(&profile, true, 1000500, 600, 500, 0, FULL), 1500500);
    EXPECT_EQUAL(profile_depart_us(&profile, true, 0, 0, 1000, 0, FULL / 4), 4000000);
    EXPECT_EQUAL(profile_depart_us(&profile, false, 0, 0, 1, 0, FULL), 3); /* 2.67 */
    EXPECT_EQUAL(profile_depart_us(&profile, false, 7, 0, 0, 0, FULL), 7);
    EXPECT_EQUAL(profile_depart_us(&profile, true, 0, 0, 65536, 0, 1), UINT64_C(65536000000000));
}

static void a_trace_gives_one_packet_an_opportunity_and_starts_again(void)
{
    /* A round of 11 ms; three packets within the millisecond 4. */
    struct profile profile = traced("0\n4\n4\n4\n10\n", "5\n");
    static const uint64_t expected_us[] = {0,     4000,  4333,  4666,  10000,
                                           11000, 15000, 15333, 15666, 21000};
    uint64_t free_us = profile_depart_us(&profile, true, 0, 0, 1400, 0, FULL);
    EXPECT_EQUAL(free_us, 4000); /* free since 0 means that the one at 0 is used */
    for (unsigned i = 2; i < sizeof expected_us / sizeof expected_us[0]; i++) {
        free_us = profile_depart_us(&profile, true, free_us, 0, 1400, 0, FULL);
        EXPECT_EQUAL(free_us, expected_us[i]);
    }
    EXPECT_EQUAL(profile_depart_us(&profile, true, 0, 4334, 40, 0, FULL), 4666);
    EXPECT_EQUAL(profile_depart_us(&profile, true, 0, 4667, 40, 0, FULL), 10000);
    EXPECT_EQUAL(profile_depart_us(&profile, true, 0, 1, 4501, 0, FULL), 10000); /* 4 packets */
    EXPECT_EQUAL(profile_depart_us(&profile, true, 0, 1, 40, 0, FULL / 4), 10000);
    EXPECT_EQUAL(profile_depart_us(&profile, true, 0, 1, 40, 3, FULL), 1000); /* 3 ms ahead */
    EXPECT_EQUAL(profile_depart_us(&profile, false, 0, 1, 40, 0, FULL), 5000);
    EXPECT_EQUAL(profile_depart_us(&profile, false, 5000, 1, 40, 0, FULL), 11000);
    profile_free(&profile);
}

static void departures_of_a_trace_are_strictly_later_each_time(void)
{
    struct profile profile = traced("0\n0\n0\n1\n1\n7\n7\n7\n7\n7\n7\n7\n9\n9\n", "1\n");
    uint64_t free_us = 0;
    for (uint32_t i = 1; i <= 14 * 1000; i++) {
        const uint64_t depart_us = profile_depart_us(&profile, true, free_us, 0, 1400, 0, FULL);
        EXPECT(depart_us > free_us);
        free_us = depart_us;
        if (i % 14 == 0) {
            EXPECT_EQUAL(free_us, i / 14 * 10000); /* a round later, to the microsecond */
        }
    }
    profile_free(&profile);
}

static void a_bad_trace_is_refused_with_its_line(void)
{
    expect_bad_trace("1\n2\nthree\n", ":3: each line is one number");
    expect_bad_trace("1\n-2\n", ":2: each line is one number");
    expect_bad_trace("1\n\n2\n", ":2: each line is one number");
    expect_bad_trace("99999999999999999999\n", ":1: each line is one number");
    expect_bad_trace("604800001\n", ":1: each line is one number");
    expect_bad_trace("5\n4\n", ":2: the time goes back");
    expect_bad_trace("", ":0: the trace is empty");
    expect_bad_trace("0\n0\n", ":2: the trace is empty, or has no length");
    char burst[2 * 1001 + 1];
    for (size_t i = 0; i < 1001; i++) {
        memcpy(&burst[2 * i], "7\n", 3);
    }
    expect_bad_trace(burst, ":1001: more than 1000 packets");
    struct profile profile = traced("1\r\n2\r\n", "1\n2"); /* both line ends are taken */
    EXPECT_EQUAL(profile.up.count, 2);
    EXPECT_EQUAL(profile.down.count, 2);
    profile_free(&profile);
}

static void measured_traces_carry_what_they_were_recorded_to_carry(void)
{
    char error[ERROR_BYTES];
    struct profile profile;
    if (access(MEASURED_FOLDER, R_OK) != 0) {
        printf("skipped: no measured traces in %s\n", MEASURED_FOLDER);
        return;
    }
    if (!profile_load("trace:" MEASURED_FOLDER "ATT-LTE-driving-2016.up.mahi," MEASURED_FOLDER
                      "ATT-LTE-driving-2016.down.mahi",
                      &profile, error, sizeof error)) {
        fprintf(stderr, "%s\n", error);
        exit(1);
    }
    /* A round takes as many packets as the trace has lines, and ends where the next one begins. */
    uint64_t free_us = profile_depart_us(&profile, false, 0, 1, 1400, 0, FULL);
    const uint64_t first_us = free_us;
    for (uint32_t i = 0; i < profile.down.count; i++) {
        free_us = profile_depart_us(&profile, false, free_us, 0, 1400, 0, FULL);
    }
    EXPECT_EQUAL(free_us - first_us, (uint64_t)profile.down.period_ms * 1000);
    profile_free(&profile);
}

int main(void)
{
    const int up = mkstemp(up_path), down = mkstemp(down_path);
    EXPECT(up >= 0 && down >= 0);
    close(up);
    close(down);
    RUN(every_named_profile_loads_and_its_figures_are_sound);
    RUN(an_unknown_name_is_refused_with_the_nearest_one);
    RUN(bandwidth_makes_segments_wait_for_each_other);
    RUN(a_trace_gives_one_packet_an_opportunity_and_starts_again);
    RUN(departures_of_a_trace_are_strictly_later_each_time);
    RUN(a_bad_trace_is_refused_with_its_line);
    RUN(measured_traces_carry_what_they_were_recorded_to_carry);
    unlink(up_path);
    unlink(down_path);
    return 0;
}
