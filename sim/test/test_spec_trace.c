/* Goal: TLC accepts what a law allows, and rejects each of ten ways to spoil it, at the very event
 * and for the reason that the law's C model gives. Method: walks of the model, right and spoilt, in
 * one batch; the model says where each spoilt one goes wrong. Skipped where there is no Java. */
#include <string.h>

#include "core/check.h"
#include "core/test/test.h"
#include "sim/spec_batch.h"
#include "sim/test/trace_walk.h"

_Noreturn void check_failed(const char *file, int line, const char *what)
{
    fprintf(stderr, "CHECK %s:%d: %s\n", file, line, what);
    exit(1);
}

enum { GOOD = 20, ALL = GOOD + SPEC_DAMAGE_COUNT, EVENTS = 100 };

static struct spec_call call = {.source = ".", .jobs = 2};
static struct spec_folder folder;
static struct spec_trace traces[ALL];
static const struct spec_trace *list[ALL];
static uint32_t expected[ALL]; /* the event that is refused; UINT32_MAX: none */

static void load(const char *name, struct spec_instance *instance)
{
    char error[512] = "";
    for (uint32_t i = 0; i < spec_count(); i++) {
        if (strcmp(spec_at(i)->name, name) == 0) {
            EXPECT(spec_folder_read(&folder, spec_at(i), ".", error, sizeof error));
        }
    }
    EXPECT(spec_trials_config(&folder) != NULL);
    trace_walk_instance(instance, folder.model, spec_trials_config(&folder));
}

/* From the middle on: the first place where this damage makes it wrong. */
static void spoil(struct spec_trace *bad, const struct spec_trace *good,
                  const struct spec_trace *other, enum spec_damage damage, uint32_t *refused)
{
    for (uint32_t at = good->count / 2; at < good->count; at++) {
        spec_trace_copy(bad, good, good->count);
        if (spec_trace_damage(bad, damage, at, other, folder.model)) {
            *refused = trace_walk_refused(folder.model, bad->k, bad);
            if (*refused != UINT32_MAX) {
                return;
            }
        }
        spec_trace_free(bad);
    }
    fprintf(stderr, "nothing is wrong, though %s\n", spec_damage_text(damage));
    exit(1);
}

static void make_traces(const struct spec_instance *instance)
{
    for (uint32_t i = 0; i < GOOD; i++) {
        trace_walk(&traces[i], instance, 77 + i, EVENTS);
        expected[i] = trace_walk_refused(folder.model, traces[i].k, &traces[i]);
        EXPECT(traces[i].count > EVENTS / 2 && expected[i] == UINT32_MAX);
    }
    for (uint32_t d = 0; d < SPEC_DAMAGE_COUNT; d++) {
        spoil(&traces[GOOD + d], &traces[d], &traces[d + 1], d, &expected[GOOD + d]);
    }
    for (uint32_t i = 0; i < ALL; i++) {
        list[i] = &traces[i];
    }
}

static void expect_verdicts(const struct spec_trials *trials)
{
    for (uint32_t i = 0; i < ALL; i++) {
        const bool spoilt = i >= GOOD;
        if (trials->accepted[i] == spoilt) {
            fprintf(stderr, "%s: %s\n",
                    spoilt ? spec_damage_text((enum spec_damage)(i - GOOD)) : "a good trace",
                    spoilt ? "accepted" : trials->stuck[i].why);
            exit(1);
        }
        if (spoilt) {
            printf("  %-46s event %3u: %s\n", spec_damage_text((enum spec_damage)(i - GOOD)),
                   (unsigned)trials->stuck[i].index, trials->stuck[i].why);
            EXPECT(trials->stuck[i].is_stuck);
            EXPECT_EQUAL(trials->stuck[i].index, expected[i]);
            EXPECT(strlen(trials->stuck[i].state) > 100);
        }
    }
    EXPECT_EQUAL(trials->canary_count, trials->batch_count);
}

static void judge(const char *name)
{
    static struct spec_instance instance;
    static uint32_t folders;
    char error[2048] = "";
    load(name, &instance);
    make_traces(&instance);
    struct spec_trials trials = {
        .call = &call, .folder = &folder, .folders = folders, .trace_count = ALL, .traces = list};
    const bool good = spec_trials_hold(&trials, error, sizeof error);
    folders = trials.folders;
    if (!good) {
        fprintf(stderr, "%s\n", error);
    }
    EXPECT(good);
    expect_verdicts(&trials);
    spec_trials_free(&trials);
    for (uint32_t i = 0; i < ALL; i++) {
        spec_trace_free(&traces[i]);
    }
}

static void ten_ways_to_spoil_a_trace_of_telemetry_are_found_where_they_are(void)
{
    judge("Telemetry");
}

static void ten_ways_to_spoil_a_trace_of_update_are_found_where_they_are(void)
{
    judge("Update");
}

int main(void)
{
    int exit_code = 0;
    if (!spec_call_tlc(&call, "test", &exit_code)) {
        return exit_code;
    }
    RUN(ten_ways_to_spoil_a_trace_of_telemetry_are_found_where_they_are);
    RUN(ten_ways_to_spoil_a_trace_of_update_are_found_where_they_are);
    spec_call_end(&call);
    return 0;
}
