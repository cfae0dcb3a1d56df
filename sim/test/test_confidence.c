/* Goal: the bounds are those that their definitions give, a file of rates is read whole or refused,
 * and a run counts for a class where it put a law of it to the test, once. Method: values that have
 * a closed form or stand in tables; files and databases made here. */
#include "sim/confidence.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/check.h"
#include "core/test/test.h"
#include "sim/record.h"
#include "sim/test/scratch.h"

static char folder[] = "/tmp/brownout_confidence_XXXXXX";
static char path[128], error[RECORD_ERROR_BYTES];

_Noreturn void check_failed(const char *file, int line, const char *what)
{
    fprintf(stderr, "%s:%d: CHECK(%s) failed\n", file, line, what);
    abort();
}

static bool is_near(double value, double expected, double share)
{
    const double difference = value > expected ? value - expected : expected - value;
    if (difference > expected * share) {
        fprintf(stderr, "%.12g is not %.12g\n", value, expected);
    }
    return difference <= expected * share;
}

/* ---- figures --------------------------------------------------------------------------------- */

static void bounds_are_what_their_definitions_give(void)
{
    /* One of one: p = 5 %. All of n: p^n = 5 %. One of n: (1 - p)^n = 95 %. */
    EXPECT(is_near(confidence_least(1, 1), 0.05, 1e-9));
    EXPECT(is_near(confidence_least(2, 2), 0.2236067977, 1e-9));
    EXPECT(is_near(confidence_least(1, 2), 0.0253205655, 1e-8));
    /* Quantiles of beta distributions, from tables. */
    EXPECT(is_near(confidence_least(5, 10), 0.2224411, 1e-6));
    EXPECT(is_near(confidence_least(10, 100), 0.0552625, 1e-4));
    EXPECT(confidence_least(0, 100) <= 0);
    EXPECT(is_near(confidence_most(1), 0.95, 1e-9));
    EXPECT(is_near(confidence_most(1000), 3.0 / 1000, 0.005));
    EXPECT(confidence_most(0) >= 1);
    EXPECT(is_near(confidence_unseen(0.5, 10), 1.0 / 1024, 1e-12));
    EXPECT(is_near(confidence_unseen(0, 1000000), 1, 1e-12));
    EXPECT(confidence_unseen(1, 1) <= 0);
}

/* The bound rises with what was caught, falls with the runs, and is never beyond the share. */
static void bounds_are_ordered(void)
{
    static const uint64_t runs[] = {1, 7, 50, 400, 100000, 1000000000};
    for (size_t i = 0; i < sizeof runs / sizeof runs[0]; i++) {
        const uint64_t most = runs[i] < CONFIDENCE_CAUGHT_MAX ? runs[i] : CONFIDENCE_CAUGHT_MAX;
        double last = 0;
        for (uint64_t caught = 1; caught <= most; caught++) {
            const double least = confidence_least(caught, runs[i]);
            EXPECT(least > last && least < (double)caught / (double)runs[i]);
            EXPECT(confidence_least(caught, 2 * runs[i]) < least);
            last = least;
        }
    }
}

/* ---- the file of rates ----------------------------------------------------------------------- */

#define HEAD                                                                                       \
    "{\"made_by\":\"x\",\"commit\":\"c\",\"scenario\":\"s.lua\",\"way\":\"swarm\",\"bugs\":["

static bool read_text(struct confidence_rates *rates, const char *text)
{
    FILE *file = fopen(path, "w");
    EXPECT(file != NULL && fputs(text, file) >= 0 && fclose(file) == 0);
    return confidence_rates_read(rates, path, error, sizeof error);
}

static void must_refuse(const char *text, const char *word)
{
    static struct confidence_rates rates;
    EXPECT(!read_text(&rates, text));
    if (strstr(error, word) == NULL) {
        fprintf(stderr, "'%s' does not say '%s'\n", error, word);
    }
    EXPECT(strstr(error, word) != NULL);
}

static void rates_are_read_whole_or_refused(void)
{
    static struct confidence_rates rates;
    EXPECT(read_text(&rates, HEAD "{\"name\":\"a\",\"law\":\"telemetry.once\",\"runs\":20,"
                                  "\"caught\":2}]}"));
    EXPECT_EQUAL(rates.count, 1);
    EXPECT_EQUAL(rates.bugs[0].runs, 20);
    EXPECT_EQUAL(rates.bugs[0].caught, 2);
    EXPECT_EQUAL(rates.bugs[0].law, LAW_TELEMETRY_ONCE);
    EXPECT(strcmp(rates.way, "swarm") == 0);
    must_refuse("", "not what");
    must_refuse("{\"bugs\":[]}", "not what");
    must_refuse(HEAD "7]}", "bug 1");
    must_refuse(HEAD "{\"name\":\"a\",\"law\":\"telemetry.twice\",\"runs\":2,\"caught\":1}]}",
                "bug 1");
    must_refuse(HEAD "{\"name\":\"a\",\"law\":\"telemetry.once\",\"runs\":2,\"caught\":3}]}",
                "bug 1");
    must_refuse(HEAD "{\"name\":\"a\",\"law\":\"telemetry.once\",\"runs\":0,\"caught\":0}]}",
                "bug 1");
    must_refuse(HEAD "{\"name\":\"a\",\"law\":\"telemetry.once\",\"runs\":-2,\"caught\":0}]}",
                "bug 1");
    must_refuse(HEAD "{\"name\":\"a\",\"law\":\"telemetry.once\",\"runs\":1e300,\"caught\":0}]}",
                "bug 1");
    EXPECT(unlink(path) == 0);
    EXPECT(!confidence_rates_read(&rates, path, error, sizeof error));
    EXPECT(strstr(error, "--rates") != NULL);
}

/* ---- classes --------------------------------------------------------------------------------- */

static void the_hardest_and_the_median_of_a_class_are_found(void)
{
    static struct confidence_rates rates;
    static struct confidence confidence;
    char name[CONFIDENCE_NAME_BYTES];
    confidence_class_name(LAW_SPEC_TELEMETRY, name, sizeof name);
    EXPECT(strcmp(name, "telemetry") == 0);
    confidence_class_name(LAW_GATEWAY_CUSTODY, name, sizeof name);
    EXPECT(strcmp(name, "gateway") == 0);
    EXPECT(
        read_text(&rates, HEAD
                  "{\"name\":\"easy\",\"law\":\"telemetry.once\",\"runs\":5,\"caught\":5},"
                  "{\"name\":\"hard\",\"law\":\"spec.telemetry\",\"runs\":200,\"caught\":1},"
                  "{\"name\":\"middle\",\"law\":\"telemetry.nonce\",\"runs\":50,\"caught\":5},"
                  "{\"name\":\"never\",\"law\":\"gateway.custody\",\"runs\":50,\"caught\":0}]}"));
    confidence_count(&confidence, "telemetry", 100, 0);
    confidence_count(&confidence, "time", 7, 1);
    confidence_join(&confidence, &rates);
    EXPECT_EQUAL(confidence.count, 3); /* gateway, telemetry, time */
    const struct confidence_class *gateway = &confidence.classes[0];
    const struct confidence_class *telemetry = &confidence.classes[1];
    EXPECT(strcmp(gateway->name, "gateway") == 0 && strcmp(telemetry->name, "telemetry") == 0);
    EXPECT_EQUAL(telemetry->bugs, 3);
    EXPECT_EQUAL(telemetry->unfound, 0);
    EXPECT_EQUAL(telemetry->clean, 100);
    EXPECT(strcmp(telemetry->hardest->name, "hard") == 0);
    EXPECT(strcmp(telemetry->median->name, "middle") == 0);
    EXPECT_EQUAL(gateway->clean, 0);
    EXPECT_EQUAL(gateway->unfound, 1);
    EXPECT_EQUAL(confidence.classes[2].broken, 1);
    EXPECT(confidence.classes[2].hardest == NULL);
    EXPECT(unlink(path) == 0);
}

/* ---- the database ---------------------------------------------------------------------------- */

struct counted {
    uint64_t telemetry_clean, telemetry_broken, time_clean, others;
};

static void count(void *ctx, const char *name, uint64_t clean, uint64_t broken)
{
    struct counted *counted = ctx;
    if (strcmp(name, "telemetry") == 0) {
        counted->telemetry_clean = clean;
        counted->telemetry_broken = broken;
    } else if (strcmp(name, "time") == 0) {
        counted->time_clean = clean;
    } else {
        counted->others++;
    }
}

struct sample {
    const char *scenario;
    uint64_t digest;
    bool broken, void_once, nonce, time;
};

static void add(struct record *record, const struct sample *sample)
{
    static struct run_result result;
    struct record_run row = {.scenario = sample->scenario,
                             .scenario_hash = "",
                             .settings = "",
                             .seed = sample->digest,
                             .result = &result};
    memset(&result, 0, sizeof result);
    plan_init(&result.plan, 1);
    result.events = 10;
    result.digest[0] = sample->digest;
    result.exercised[LAW_TELEMETRY_ONCE] = 3;
    result.is_void[LAW_TELEMETRY_ONCE] = sample->void_once;
    result.exercised[LAW_SPEC_TELEMETRY] = sample->nonce ? 4 : 0;
    result.exercised[LAW_TIME_CADENCE] = sample->time ? 1 : 0;
    result.violated = sample->broken;
    result.verdict = sample->broken ? VERDICT_FAIL : VERDICT_PASS;
    result.violation.law = LAW_TELEMETRY_ONCE;
    snprintf(result.violation.what, sizeof result.violation.what, "it");
    EXPECT(record_write(record, &row, error, sizeof error) > 0);
    plan_free(&result.plan);
}

static void a_run_counts_once_where_it_tested_a_law(void)
{
    static const struct sample samples[] = {
        {"a.lua", 1, .time = true},                     /* counts for both */
        {"a.lua", 1, .time = true},                     /* the same run again */
        {"a.lua", 2, .time = false},                    /* telemetry alone */
        {"a.lua", 3, .void_once = true},                /* nothing was tested */
        {"a.lua", 4, .void_once = true, .nonce = true}, /* by its other law */
        {"", 5, .time = true},                          /* a changed plan */
        {"a.lua", 6, .broken = true, .time = true},     /* clean of nothing */
    };
    struct counted counted = {0};
    struct record *record = record_open(path, RECORD_CREATE, error, sizeof error);
    EXPECT(record != NULL);
    for (size_t i = 0; i < sizeof samples / sizeof samples[0]; i++) {
        add(record, &samples[i]);
    }
    EXPECT(record_classes(record, count, &counted, error, sizeof error));
    EXPECT_EQUAL(counted.telemetry_clean, 3);
    EXPECT_EQUAL(counted.telemetry_broken, 1);
    EXPECT_EQUAL(counted.time_clean, 1);
    record_close(record);
}

int main(void)
{
    EXPECT(mkdtemp(folder) != NULL);
    snprintf(path, sizeof path, "%s/made", folder);
    RUN(bounds_are_what_their_definitions_give);
    RUN(bounds_are_ordered);
    RUN(rates_are_read_whole_or_refused);
    RUN(the_hardest_and_the_median_of_a_class_are_found);
    RUN(a_run_counts_once_where_it_tested_a_law);
    scratch_remove(folder);
    return 0;
}
