/* Goal: one plan, one hash; every law holds on a calm and on a rough day; what is filed strikes.
 * Method: small fleets from plans made here, run to the end in this process, compared with each
 * other. */
#include <string.h>

#include "core/check.h"
#include "core/test/test.h"
#include "sim/run.h"
#include "sim/test/small_fleet.h"

_Noreturn void check_failed(const char *file, int line, const char *what)
{
    fprintf(stderr, "CHECK %s:%d: %s\n", file, line, what);
    abort();
}

static void rough(struct plan *plan)
{
    small_fleet_set(plan, "faults.power_cut", "5m");
    small_fleet_set(plan, "faults.power_cut.lasts", "1s..30s");
    small_fleet_set(plan, "faults.crash", "10m");
    small_fleet_set(plan, "faults.crash.lasts", "1s..10s");
    small_fleet_set(plan, "faults.link_reset", "3m");
    small_fleet_set(plan, "faults.link_half_open", "10m");
    small_fleet_set(plan, "faults.partition", "10m");
    small_fleet_set(plan, "faults.partition.lasts", "10s..2m");
    small_fleet_set(plan, "faults.hang", "20m");
    small_fleet_set(plan, "faults.suspend", "20m");
    small_fleet_set(plan, "faults.wall_step", "10m");
    small_fleet_set(plan, "faults.disk_full", "20m");
}

static void run_drawn(const struct plan *base, const struct world_options *options,
                      struct run_result *result)
{
    /* A plan with its faults drawn is what a live run would have lived. */
    struct plan plan;
    struct run_request request;
    run_request_init(&request);
    plan_copy(&plan, base);
    EXPECT(plan_draw_faults(&plan));
    request.plan = &plan;
    if (options != NULL) {
        request.options = *options;
    }
    run(&request, result);
    if (result->verdict != VERDICT_PASS) {
        fprintf(stderr, "verdict %s: %s (event %llu, node %u)\n", verdict_name(result->verdict),
                result->message, (unsigned long long)result->violation.observation.event,
                result->violation.observation.node);
    }
    plan_free(&plan);
}

/* By the numbers of another program's events: what befell that one is told as well as it can be. */
static void a_plan_of_another_program_is_lived(void)
{
    struct plan plan;
    struct run_result result;
    const struct plan_entry entries[] = {
        {.event = 3,
         .filed_us = 600000000,
         .when = PLAN_NOW,
         .effect = EFFECT_CRASH,
         .target = 4,
         .lasts_us = 1000000,
         .other = PLAN_ANY},
        {.event = 4,
         .filed_us = 5,
         .when = PLAN_AT,
         .at_us = 1,
         .effect = EFFECT_LINK_RESET,
         .target = 5,
         .other = PLAN_ANY},
    };
    small_fleet(&plan, 1);
    for (unsigned i = 0; i < sizeof entries / sizeof entries[0]; i++) {
        EXPECT(plan_append(&plan, &entries[i]));
    }
    run_drawn(&plan, NULL, &result);
    EXPECT_EQUAL(result.verdict, VERDICT_PASS);
    EXPECT_EQUAL(result.filed[EFFECT_CRASH], 1);
    EXPECT_EQUAL(result.filed[EFFECT_LINK_RESET], 1);
    run_result_free(&result);
    plan_free(&plan);
}

static void a_calm_day_delivers_every_reading(void)
{
    struct plan plan;
    struct run_result result;
    small_fleet(&plan, 1);
    run_drawn(&plan, NULL, &result);
    EXPECT_EQUAL(result.verdict, VERDICT_PASS);
    EXPECT(result.figures[FIGURE_accepted] >= 3 * 100);
    EXPECT(result.figures[FIGURE_released] >= 3 * 100);
    EXPECT_EQUAL(result.figures[FIGURE_shed], 0);
    run_result_free(&result);
}

static void equal_plans_have_equal_hashes_whatever_looks_on(void)
{
    struct plan plan;
    struct run_result first, again, unjudged, poisoned;
    struct world_options options;
    small_fleet(&plan, 2);
    rough(&plan);
    run_drawn(&plan, NULL, &first);
    run_drawn(&plan, NULL, &again);
    world_options_init(&options);
    options.laws = false;
    run_drawn(&plan, &options, &unjudged);
    world_options_init(&options);
    options.poison = 99;
    run_drawn(&plan, &options, &poisoned);
    EXPECT_EQUAL(first.verdict, VERDICT_PASS);
    EXPECT(memcmp(first.digest, again.digest, sizeof first.digest) == 0);
    EXPECT(memcmp(first.digest, unjudged.digest, sizeof first.digest) == 0);
    EXPECT(memcmp(first.digest, poisoned.digest, sizeof first.digest) == 0);
    EXPECT(first.fired[EFFECT_POWER_CUT] > 0);
    run_result_free(&first);
    run_result_free(&again);
    run_result_free(&unjudged);
    run_result_free(&poisoned);
}

static void both_providers_have_one_history(void)
{
    struct plan plan;
    struct run_result ideal, openssl;
    struct world_options options;
    world_options_init(&options);
    options.history_only = true;
    small_fleet(&plan, 3);
    rough(&plan);
    run_drawn(&plan, &options, &ideal);
    small_fleet_set(&plan, "crypto", "openssl");
    run_drawn(&plan, &options, &openssl);
    EXPECT_EQUAL(ideal.verdict, VERDICT_PASS);
    EXPECT_EQUAL(ideal.events, openssl.events);
    EXPECT(memcmp(ideal.digest, openssl.digest, sizeof ideal.digest) == 0);
    run_result_free(&ideal);
    run_result_free(&openssl);
}

static void rough_days_hold_all_laws(void)
{
    for (uint64_t seed = 10; seed < 30; seed++) {
        struct plan plan;
        struct run_result result;
        small_fleet(&plan, seed);
        rough(&plan);
        run_drawn(&plan, NULL, &result);
        if (result.verdict != VERDICT_PASS) {
            fprintf(stderr, "seed %llu\n", (unsigned long long)seed);
        }
        EXPECT_EQUAL(result.verdict, VERDICT_PASS);
        run_result_free(&result);
    }
}

static void a_cut_strikes_inside_the_operation_that_it_names(void)
{
    struct plan plan;
    struct run_request request;
    struct run_result result;
    small_fleet(&plan, 4);
    const struct plan_entry entry = {.when = PLAN_OPERATION,
                                     .kind = OPERATION_FLASH_PROGRAM,
                                     .nth = 7,
                                     .phase = PLAN_INSIDE,
                                     .fraction = 30000,
                                     .effect = EFFECT_POWER_CUT,
                                     .target = 5,
                                     .other = PLAN_ANY,
                                     .lasts_us = 5000000};
    EXPECT(plan_append(&plan, &entry));
    run_request_init(&request);
    request.plan = &plan;
    run(&request, &result);
    EXPECT_EQUAL(result.verdict, VERDICT_PASS);
    EXPECT_EQUAL(result.fired[EFFECT_POWER_CUT], 1);
    EXPECT_EQUAL(result.probes[PROBE_cut_inside_program], 1);
    EXPECT_EQUAL(result.figures[FIGURE_boots], 1 + 2 + 3 + 1);
    run_result_free(&result);
    plan_free(&plan);
}

static void a_plan_that_is_written_reads_back_the_same(void)
{
    struct plan plan, back;
    uint64_t before[2], after[2];
    char error[256];
    small_fleet(&plan, 5);
    rough(&plan);
    small_fleet_set(&plan, "faults.disk_error", "10m");
    EXPECT(plan_draw_faults(&plan));
    FILE *file = tmpfile();
    EXPECT(file != NULL && plan_write(&plan, file));
    rewind(file);
    if (!plan_read(&back, file, error, sizeof error)) {
        fprintf(stderr, "%s\n", error);
        exit(1);
    }
    plan_hash(&plan, before);
    plan_hash(&back, after);
    EXPECT(memcmp(before, after, sizeof before) == 0);
    EXPECT_EQUAL(plan.entry_count, back.entry_count);
    fclose(file);
    plan_free(&plan);
    plan_free(&back);
}

int main(void)
{
    RUN(a_plan_that_is_written_reads_back_the_same);
    RUN(a_calm_day_delivers_every_reading);
    RUN(a_plan_of_another_program_is_lived);
    RUN(a_cut_strikes_inside_the_operation_that_it_names);
    RUN(equal_plans_have_equal_hashes_whatever_looks_on);
    RUN(both_providers_have_one_history);
    RUN(rough_days_hold_all_laws);
    return 0;
}
