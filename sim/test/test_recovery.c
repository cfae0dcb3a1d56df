/* Goal: how long a fleet took to recover is what its own words say, and is not known where it did
 * not. Method: small fleets in this process with one fault placed over heal; beside the figure the
 * releases of each device are followed here, one by one. */
#include <stdlib.h>
#include <string.h>

#include "core/check.h"
#include "core/test/test.h"
#include "sim/figure.h"
#include "sim/run.h"
#include "sim/test/small_fleet.h"

enum { NODES = 6, FIRST = 4, READINGS = 4096 };
enum { HEAL_US = 1200 * 1000000, MINUTE_US = 60 * 1000000 }; /* as small_fleet has it */

_Noreturn void check_failed(const char *file, int line, const char *what)
{
    fprintf(stderr, "CHECK %s:%d: %s\n", file, line, what);
    abort();
}

/* What each device keeps, by the counter; all in one epoch. */
struct followed {
    bool kept[NODES + 1][READINGS];
    uint32_t waiting; /* of those that were kept at heal */
    bool healed;
    uint64_t over_us; /* 0: not yet */
};

static void count(struct followed *followed)
{
    followed->waiting = 0;
    for (uint32_t node = FIRST; node <= NODES; node++) {
        for (uint32_t i = 0; i < READINGS; i++) {
            followed->waiting += followed->kept[node][i] ? 1 : 0;
        }
    }
}

static void hear(void *ctx, const struct world_item *item)
{
    struct followed *followed = ctx;
    if (item->kind == ITEM_TRUTH && item->what == TRUTH_HEAL) {
        followed->healed = true;
        count(followed);
        followed->over_us = followed->waiting == 0 ? item->time_us : 0;
    }
    if (item->kind != ITEM_EVIDENCE || item->node < FIRST) {
        return;
    }
    EXPECT(item->counter < READINGS);
    bool *kept = &followed->kept[item->node][item->counter];
    if (item->what == EVIDENCE_STORE && !followed->healed) {
        *kept = true;
    } else if ((item->what == EVIDENCE_RELEASE || item->what == EVIDENCE_SHED) && *kept) {
        *kept = false;
        followed->waiting -= followed->healed ? 1 : 0;
        if (followed->healed && followed->waiting == 0 && followed->over_us == 0) {
            followed->over_us = item->time_us;
        }
    }
}

static struct run_result result;
static struct followed followed;

static void live(const struct plan *plan, uint64_t until_event)
{
    struct run_request request;
    memset(&followed, 0, sizeof followed);
    run_result_free(&result);
    run_request_init(&request);
    request.plan = plan;
    request.until_event = until_event;
    request.options.item = hear;
    request.options.item_ctx = &followed;
    run(&request, &result);
}

/* A device is alone from a minute before heal on. */
static void be_cut_off(struct plan *plan)
{
    const struct plan_entry entry = {.when = PLAN_AT,
                                     .at_us = HEAL_US - MINUTE_US,
                                     .effect = EFFECT_PARTITION,
                                     .target = NODES,
                                     .other = PLAN_ANY,
                                     .lasts_us = 10 * MINUTE_US};
    EXPECT(plan_append(plan, &entry));
}

static void recovery_is_as_long_as_its_last_release_takes(void)
{
    unsigned long_ones = 0;
    for (uint64_t seed = 1; seed <= 6; seed++) {
        struct plan plan;
        small_fleet(&plan, seed);
        be_cut_off(&plan);
        live(&plan, UINT64_MAX);
        EXPECT_EQUAL(result.verdict, VERDICT_PASS);
        EXPECT(followed.over_us >= HEAL_US);
        /* A step takes its time: the figure is of the step's end, or of its beginning. */
        const uint64_t us = result.figures[FIGURE_recovery_us];
        EXPECT(us <= followed.over_us - HEAL_US + 10000 &&
               us + 1000000 > followed.over_us - HEAL_US);
        long_ones += us > 100000 ? 1 : 0;
        plan_free(&plan);
    }
    EXPECT(long_ones >= 3);
}

static void a_fleet_that_keeps_nothing_has_recovered_at_once(void)
{
    struct plan plan;
    small_fleet(&plan, 1);
    small_fleet_set(&plan, "sample_every", "1h"); /* none in the safety phase, or long acked */
    live(&plan, UINT64_MAX);
    EXPECT_EQUAL(result.figures[FIGURE_recovery_us], 0);
    EXPECT_EQUAL(followed.waiting, 0);
    plan_free(&plan);
}

static void what_did_not_come_is_unknown_and_meets_no_expectation(void)
{
    struct plan plan;
    small_fleet(&plan, 1);
    live(&plan, 1000); /* not as far as heal */
    EXPECT(!followed.healed);
    EXPECT(result.figures[FIGURE_recovery_us] == FIGURE_UNKNOWN);
    be_cut_off(&plan);
    small_fleet_set(&plan, "run.heal", "0");
    small_fleet_set(&plan, "run.laws", "-liveness.delivered,-liveness.acked");
    EXPECT_EQUAL(plan.expectation_count, 0);
    plan.expectations[plan.expectation_count++] = (struct plan_expectation){
        .figure = FIGURE_recovery_us, .comparison = PLAN_AT_LEAST, .number = 0};
    live(&plan, UINT64_MAX);
    EXPECT(followed.waiting > 0);
    EXPECT_EQUAL(result.verdict, VERDICT_FAIL);
    EXPECT(strcmp(result.message, "expectation on recovery_us does not hold: it is unknown") == 0);
    plan_free(&plan);
}

int main(void)
{
    RUN(recovery_is_as_long_as_its_last_release_takes);
    RUN(a_fleet_that_keeps_nothing_has_recovered_at_once);
    RUN(what_did_not_come_is_unknown_and_meets_no_expectation);
    run_result_free(&result);
    return 0;
}
