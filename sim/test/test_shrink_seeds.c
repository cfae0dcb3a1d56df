/* Goal: a plan that is shrunk with several seeds fails with each of them, where one seed leaves
 * what fails by a coincidence. Method: a failure that is a matter of chance. */
#include <string.h>

#include "core/check.h"
#include "core/test/test.h"
#include "sim/shrink.h"
#include "sim/test/small_fleet.h"

_Noreturn void check_failed(const char *file, int line, const char *what)
{
    fprintf(stderr, "CHECK %s:%d: %s\n", file, line, what);
    abort();
}

enum { SEEDS = 3 };

/* A rogue gateway that corrupts envelopes now and then, which nobody is to notice: whether one
 * comes by at that time is a matter of chance. */
static void make_corrupting(struct plan *plan)
{
    small_fleet(plan, 1);
    small_fleet_set(plan, "run.duration", "3m");
    small_fleet_set(plan, "run.heal", "1m");
    small_fleet_set(plan, "fleet.rogues", "1");
    small_fleet_set(plan, "fleet.gateways", "1");
    small_fleet_set(plan, "faults.attack_corrupt", "20s");
    small_fleet_set(plan, "faults.attack_corrupt.lasts", "1s..20s");
    small_fleet_set(plan, "faults.link_reset", "1m");
    plan->expectation_count = 1;
    plan->expectations[0] = (struct plan_expectation){FIGURE_dropped, PLAN_EQUAL, 0};
    EXPECT(plan_draw_faults(plan));
}

static uint32_t count_failing(const struct plan *plan)
{
    struct run_request request;
    struct plan copy;
    uint32_t failing = 0;
    plan_init(&copy, 0);
    plan_copy(&copy, plan);
    run_request_init(&request);
    request.plan = &copy;
    for (copy.seed = 1; copy.seed <= SEEDS; copy.seed++) {
        struct run_result result;
        run(&request, &result);
        failing += result.verdict == VERDICT_FAIL ? 1 : 0;
        run_result_free(&result);
    }
    plan_free(&copy);
    return failing;
}

static void several_seeds_must_fail_if_that_is_asked(void)
{
    struct plan plan;
    static struct shrink_result result;
    const struct trial_config config = {.jobs = 2, .timeout_us = 60000000, .runs_max = 10000};
    make_corrupting(&plan);
    EXPECT_EQUAL(count_failing(&plan), SEEDS);
    EXPECT_EQUAL(shrink(&plan, 1, config, &result), SHRINK_DONE);
    EXPECT(result.minimal && result.seeds == 1);
    EXPECT(count_failing(&result.plan) < SEEDS); /* a coincidence of the one */
    shrink_result_free(&result);
    EXPECT_EQUAL(shrink(&plan, SEEDS, config, &result), SHRINK_DONE);
    EXPECT_EQUAL(result.seeds, SEEDS);
    EXPECT(result.plan.entry_count > 0 && result.plan.entry_count < plan.entry_count);
    EXPECT_EQUAL(count_failing(&result.plan), SEEDS);
    shrink_result_free(&result);
    plan_free(&plan);
}

static void the_result_is_the_same_with_any_number_of_jobs(void)
{
    struct plan plan;
    static struct shrink_result one, other;
    uint64_t hash[2], other_hash[2];
    struct trial_config config = {.jobs = 1, .timeout_us = 60000000, .runs_max = 50};
    make_corrupting(&plan);
    EXPECT_EQUAL(shrink(&plan, SEEDS, config, &one), SHRINK_DONE);
    config.jobs = 5;
    EXPECT_EQUAL(shrink(&plan, SEEDS, config, &other), SHRINK_DONE);
    plan_hash(&one.plan, hash);
    plan_hash(&other.plan, other_hash);
    EXPECT(memcmp(hash, other_hash, sizeof hash) == 0);
    EXPECT_EQUAL(one.runs, 50);
    EXPECT_EQUAL(other.runs, 50);
    EXPECT(one.plan.entry_count < plan.entry_count);
    EXPECT_EQUAL(count_failing(&one.plan), SEEDS);
    shrink_result_free(&one);
    shrink_result_free(&other);
    plan_free(&plan);
}

int main(void)
{
    RUN(several_seeds_must_fail_if_that_is_asked);
    RUN(the_result_is_the_same_with_any_number_of_jobs);
    return 0;
}
