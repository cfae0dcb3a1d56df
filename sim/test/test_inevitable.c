/* Goal: the event that is named is the one at which a failure became certain, and a branch of a run
 * has the same past and another chance. Method: a fleet whose gateways may lose their disks, which
 * an expectation forbids: it is certain when the first one is lost, and not before; worlds that are
 * reseeded, compared by their hashes. */
#include "sim/inevitable.h"

#include <string.h>

#include "core/check.h"
#include "core/test/test.h"
#include "sim/test/small_fleet.h"

_Noreturn void check_failed(const char *file, int line, const char *what)
{
    fprintf(stderr, "CHECK %s:%d: %s\n", file, line, what);
    abort();
}

static void make(struct plan *plan, uint64_t seed, const char *every)
{
    small_fleet(plan, seed);
    small_fleet_set(plan, "run.duration", "10m");
    small_fleet_set(plan, "run.heal", "5m");
    small_fleet_set(plan, "device.sample_every", "1m");
    small_fleet_set(plan, "faults.disk_lost", every);
    small_fleet_set(plan, "faults.disk_lost.on", "gateway");
    EXPECT(plan_draw_faults(plan));
    plan->expectation_count = 1;
    plan->expectations[0] = (struct plan_expectation){FIGURE_power_losses, PLAN_EQUAL, 0};
}

/* The first seed whose plan has as many faults. */
static uint64_t seed_with(uint32_t faults)
{
    for (uint64_t seed = 1; seed < 1000; seed++) {
        struct plan plan;
        make(&plan, seed, "20m");
        const uint32_t count = plan.entry_count;
        plan_free(&plan);
        if (count == faults) {
            return seed;
        }
    }
    EXPECT(false);
    return 0;
}

/* ---- branches -------------------------------------------------------------------------------- */

struct seen {
    uint32_t drawn; /* entries of the plan before it was reseeded */
    uint64_t after; /* event */
    uint32_t old_strikes, new_strikes;
};

static void see(void *ctx, const struct world_item *item)
{
    struct seen *seen = ctx;
    if (item->kind == ITEM_EFFECT && item->b == 0 && item->event >= seen->after) {
        seen->old_strikes += item->a < seen->drawn ? 1 : 0;
        seen->new_strikes += item->a >= seen->drawn ? 1 : 0;
    }
}

/* The hash of the world that gets another chance before `event`; seed 0: it does not. */
static void live(const struct plan *plan, uint64_t event, uint64_t seed, struct seen *seen,
                 uint64_t digest[2])
{
    struct world_options options;
    char error[256];
    world_options_init(&options);
    options.item = see;
    options.item_ctx = seen;
    *seen = (struct seen){.drawn = plan->entry_count, .after = event};
    struct world *world = world_create(plan, false, &options, error, sizeof error);
    EXPECT(world != NULL);
    while (world_event_count(world) < event) {
        EXPECT_EQUAL(world_step(world), WORLD_RUNNING);
    }
    if (seed != 0) {
        world_reseed(world, seed);
    }
    while (world_step(world) == WORLD_RUNNING) {
    }
    EXPECT_EQUAL(world_state(world), WORLD_ENDED);
    world_digest(world, digest);
    world_free(world);
}

static void another_chance_is_another_history_and_the_same_one_the_same(void)
{
    struct plan plan;
    struct seen seen;
    uint64_t lived[2], first[2], again[2], other[2], late[2];
    make(&plan, 1, "3m");
    EXPECT_EQUAL(plan_drawn_count(&plan), plan.entry_count);
    live(&plan, 200, 0, &seen, lived);
    live(&plan, 200, 5, &seen, first);
    live(&plan, 200, 5, &seen, again);
    live(&plan, 200, 6, &seen, other);
    live(&plan, 201, 5, &seen, late);
    EXPECT(memcmp(first, again, sizeof first) == 0);
    EXPECT(memcmp(first, lived, sizeof first) != 0);
    EXPECT(memcmp(first, other, sizeof first) != 0);
    EXPECT(memcmp(first, late, sizeof first) != 0);
    plan_free(&plan);
}

static void drawn_faults_are_drawn_anew_and_placed_ones_stay(void)
{
    struct plan plan;
    struct seen seen;
    uint64_t digest[2];
    make(&plan, 1, "2m");
    EXPECT(plan.entry_count > 2);
    live(&plan, 1, 0, &seen, digest);
    EXPECT(seen.old_strikes > 0 && seen.new_strikes == 0);
    live(&plan, 1, 5, &seen, digest);
    EXPECT(seen.old_strikes == 0 && seen.new_strikes > 0);
    /* The same entries as a scenario's: their settings draw nothing. */
    small_fleet_set(&plan, "faults.disk_lost", "0");
    EXPECT_EQUAL(plan_drawn_count(&plan), 0);
    live(&plan, 1, 5, &seen, digest);
    EXPECT(seen.old_strikes > 0 && seen.new_strikes == 0);
    plan_free(&plan);
}

/* ---- the moment ------------------------------------------------------------------------------ */

static const struct inevitable_config config = {
    .jobs = 2, .branches = 12, .sure = 2, .timeout_us = 60000000};

struct count {
    uint64_t event;
    uint32_t lost;
};

static void count_item(void *ctx, const struct world_item *item)
{
    struct count *count = ctx;
    count->lost +=
        item->kind == ITEM_EFFECT && item->what == EFFECT_DISK_LOST && item->event == count->event
            ? 1
            : 0;
}

static uint32_t count_lost(struct trace *trace, uint64_t event)
{
    struct count count = {event, 0};
    EXPECT(trace_each(trace, count_item, &count));
    return count.lost;
}

static void the_event_is_the_loss_that_makes_it_certain(void)
{
    static struct inevitable_result result, again;
    struct inevitable_config alone = config;
    struct plan plan;
    alone.jobs = 1;
    make(&plan, seed_with(1), "20m");
    EXPECT_EQUAL(inevitable(&plan, &config, &result), INEVITABLE_FOUND);
    EXPECT(strstr(result.law, "power_losses") != NULL);
    EXPECT_EQUAL(count_lost(&result.trace, result.event), 1);
    EXPECT(result.event < result.failed_event);
    EXPECT_EQUAL(result.before.event, result.event);
    EXPECT(result.before.failed < result.before.branches);
    EXPECT_EQUAL(result.after.event, result.event + 1);
    EXPECT_EQUAL(result.after.failed, result.after.branches);
    EXPECT_EQUAL(result.after.branches, 24); /* the surer word on it */
    for (uint32_t i = 1; i < result.point_count; i++) {
        EXPECT(result.points[i - 1].event < result.points[i].event);
    }
    EXPECT_EQUAL(inevitable(&plan, &alone, &again), INEVITABLE_FOUND);
    EXPECT_EQUAL(again.event, result.event);
    EXPECT_EQUAL(again.before.failed, result.before.failed);
    inevitable_result_free(&result);
    inevitable_result_free(&again);
    plan_free(&plan);
}

static void what_no_chance_can_avert_is_certain_from_the_start(void)
{
    static struct inevitable_result result;
    struct plan plan;
    make(&plan, seed_with(1), "20m");
    small_fleet_set(&plan, "faults.disk_lost", "0"); /* placed, not drawn */
    EXPECT_EQUAL(inevitable(&plan, &config, &result), INEVITABLE_FROM_START);
    EXPECT_EQUAL(result.after.failed, result.after.branches);
    inevitable_result_free(&result);
    plan_free(&plan);
}

static void a_run_that_passes_has_no_such_moment(void)
{
    static struct inevitable_result result;
    struct plan plan;
    make(&plan, seed_with(0), "20m");
    EXPECT_EQUAL(inevitable(&plan, &config, &result), INEVITABLE_PASSES);
    EXPECT(strstr(result.message, "passes") != NULL);
    inevitable_result_free(&result);
    plan_free(&plan);
}

static void the_interval_is_wilsons(void)
{
    static const struct {
        uint32_t failed, branches, low, high;
    } rows[] = {{0, 10, 0, 277},   {10, 10, 722, 1000},   {50, 100, 403, 596},    {1, 2, 94, 905},
                {1, 1, 206, 1000}, {999, 1000, 994, 999}, {5000, 10000, 490, 509}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        uint32_t low, high;
        inevitable_interval(rows[i].failed, rows[i].branches, &low, &high);
        EXPECT_EQUAL(low, rows[i].low);
        EXPECT_EQUAL(high, rows[i].high);
    }
}

int main(void)
{
    RUN(another_chance_is_another_history_and_the_same_one_the_same);
    RUN(drawn_faults_are_drawn_anew_and_placed_ones_stay);
    RUN(the_interval_is_wilsons);
    RUN(a_run_that_passes_has_no_such_moment);
    RUN(what_no_chance_can_avert_is_certain_from_the_start);
    RUN(the_event_is_the_loss_that_makes_it_certain);
    return 0;
}
