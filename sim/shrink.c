#include "sim/shrink_inside.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "core/check.h"
#include "sim/hash.h"
#include "sim/status.h"

enum {
    ROUNDS_MAX = 20,
    EVENTS_FACTOR = 4,    /* a candidate may take so many times the events of what it came from, */
    EVENTS_MORE = 100000, /* and so many more */
};

static struct shrink_size size_of(const struct plan *plan)
{
    static struct settings standard; /* constant once made */
    const struct settings *settings = &plan->settings;
    struct shrink_size size = {
        .faults = plan->entry_count,
        .devices = (uint32_t)settings->number[SETTING_fleet_devices],
        .gateways = (uint32_t)settings->number[SETTING_fleet_gateways],
        .rogues = (uint32_t)settings->number[SETTING_fleet_rogues],
        .duration_us = settings->number[SETTING_run_duration],
    };
    settings_init(&standard);
    for (unsigned i = 0; i < SETTING_COUNT; i++) {
        size.settings +=
            shrink_may_reset((enum setting)i) && (settings->number[i] != standard.number[i] ||
                                                  strcmp(settings->text[i], standard.text[i]) != 0)
                ? 1
                : 0;
    }
    return size;
}

/* Twice one plan: is it one history? */
static bool repeats(struct trials *trials, const struct plan *plan, struct shrink_result *result)
{
    struct run_result again;
    char first[HASH_TEXT_BYTES], second[HASH_TEXT_BYTES];
    trials_run(trials, plan, &again);
    const bool same = again.verdict == result->before.verdict &&
                      memcmp(again.digest, result->before.digest, sizeof again.digest) == 0;
    if (!same) {
        hash_print(result->before.digest, first);
        hash_print(again.digest, second);
        snprintf(result->message, sizeof result->message,
                 "the run is not deterministic, so that no candidate can be compared with it: once "
                 "%s with hash %s, then %s with %s; brownout selfcheck names the first event that "
                 "differs, and shrink --selfcheck shrinks that",
                 verdict_name(result->before.verdict), first, verdict_name(again.verdict), second);
    }
    run_result_free(&again);
    return same;
}

/* The run itself: does it fail, and in a way that others can be compared by? */
static enum shrink_outcome look(struct trials *trials, const struct plan *plan, bool twin,
                                struct shrink_result *result)
{
    const struct run_result *before = &result->before;
    trials_run(trials, plan, &result->before);
    failure_kind(before, result->kind);
    if (!repeats(trials, plan, result)) {
        return SHRINK_FLAKY;
    }
    if (before->verdict == VERDICT_PASS) {
        snprintf(result->message, sizeof result->message, "the run %s: there is nothing to shrink",
                 twin ? "comes to one hash" : "passes");
        return SHRINK_PASSES;
    }
    if (result->kind[0] == '\0') {
        snprintf(result->message, sizeof result->message,
                 "the run did not break a law, so that no candidate can be compared with it: "
                 "%.300s",
                 before->message);
        return SHRINK_UNKNOWN;
    }
    return SHRINK_DONE;
}

/* One pass after the other, until none of them finds anything any more. What is cheap to find and
 * makes the runs shorter comes first. */
static bool reduce(struct shrink *shrink)
{
    bool smaller = shrink_seed(shrink);
    for (uint32_t round = 0; (smaller || round == 0) && round < ROUNDS_MAX; round++) {
        smaller = shrink_faults(shrink);
        smaller = shrink_duration(shrink) || smaller;
        smaller = shrink_fleet(shrink) || smaller;
        smaller = shrink_settings(shrink) || smaller;
        smaller = shrink_each_fault(shrink) || smaller;
        smaller = shrink_seed(shrink) || smaller;
    }
    return !smaller && !trials_spent(shrink->trials);
}

static bool fails_with(struct trials *trials, const struct plan *plan, const char *kind,
                       uint64_t seed)
{
    struct plan copy;
    struct run_result result;
    char other[FAILURE_BYTES];
    plan_init(&copy, 0);
    plan_copy(&copy, plan);
    copy.seed = seed;
    trials_run(trials, &copy, &result);
    failure_kind(&result, other);
    run_result_free(&result);
    plan_free(&copy);
    return strcmp(kind, other) == 0;
}

/* A test that shows it with other seeds as well does not hang on one draw. Not counted. */
static uint32_t count_seeds(struct trials *trials, const struct plan *plan, const char *kind)
{
    uint32_t failing = 0;
    for (uint64_t seed = 1; seed <= SHRINK_SEEDS; seed++) {
        failing += fails_with(trials, plan, kind, seed) ? 1 : 0;
    }
    return failing;
}

/* The seeds with which candidates must fail: the lowest that do now. Returns how many. */
static uint32_t choose_seeds(struct shrink *shrink, uint32_t wanted)
{
    uint64_t seeds[TRIAL_SEEDS_MAX];
    uint32_t count = 0;
    for (uint64_t seed = 1; seed <= SHRINK_SEEDS && count < wanted; seed++) {
        if (seed == shrink->plan.seed ||
            fails_with(shrink->trials, &shrink->plan, shrink->kind, seed)) {
            seeds[count++] = seed;
        }
    }
    if (count < wanted && shrink->plan.seed > SHRINK_SEEDS) {
        seeds[count++] = shrink->plan.seed;
    }
    shrink->plan.seed = seeds[0];
    shrink->has_seeds = true;
    trials_seeds(shrink->trials, seeds, count);
    return count;
}

static enum shrink_outcome work(struct trials *trials, const struct plan *plan, uint32_t seeds,
                                bool twin, struct shrink_result *result)
{
    const enum shrink_outcome outcome = look(trials, plan, twin, result);
    if (outcome != SHRINK_DONE) {
        return outcome;
    }
    const struct run_result *before = &result->before;
    struct shrink shrink = {
        .trials = trials,
        .kind = result->kind,
        .failed_us = before->violated && before->violation.observation.kind != TRUTH_END
                         ? before->sim_us
                         : UINT64_MAX,
    };
    /* Of a process that died nobody knows how far it came. */
    trials_seek(trials, result->kind,
                failure_is_crash(before) ? UINT64_MAX
                                         : before->events * EVENTS_FACTOR + EVENTS_MORE);
    plan_init(&shrink.plan, 0);
    plan_copy(&shrink.plan, plan);
    const bool is_placed = shrink_place(&shrink);
    result->seeds = is_placed && seeds > 1 ? choose_seeds(&shrink, seeds) : 1;
    if (is_placed) {
        result->minimal = reduce(&shrink);
        result->seeds_failing = count_seeds(trials, &shrink.plan, result->kind);
    }
    result->runs = trials_runs(trials);
    result->plan = shrink.plan;
    result->to = size_of(&result->plan);
    if (!is_placed) {
        snprintf(result->message, sizeof result->message,
                 "%.200s shows only as it was lived, event by event, and not where its faults are "
                 "placed by time; keep the plan as it is (brownout run --plan FILE)",
                 result->kind);
        return SHRINK_UNPLACED;
    }
    return SHRINK_DONE;
}

enum shrink_outcome shrink(const struct plan *plan, uint32_t seeds, struct trial_config config,
                           struct shrink_result *result)
{
    const uint64_t start_us = status_wall_us();
    CHECK(seeds >= 1 && seeds <= SHRINK_SEEDS);
    memset(result, 0, sizeof *result);
    config.entries_max = plan->entry_count;
    config.events_max = UINT64_MAX;
    struct trials *trials = trials_open(&config);
    if (trials == NULL) {
        snprintf(result->message, sizeof result->message,
                 "no worker processes can be made: %s; ask for fewer --jobs", strerror(errno));
        return SHRINK_HARNESS;
    }
    result->from = size_of(plan);
    const enum shrink_outcome outcome = work(trials, plan, seeds, config.twin != NULL, result);
    trials_close(trials);
    result->wall_us = status_wall_us() - start_us;
    return outcome;
}

void shrink_result_free(struct shrink_result *result)
{
    run_result_free(&result->before);
    plan_free(&result->plan);
}
