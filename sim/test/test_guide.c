/* Goal: whatever is changed in a plan, all of it can strike and be written, and the same draws make
 * the same plan; what was new is kept, in the order of the jobs and not in that of their ends.
 * Method: plans of a small fleet, changed many times over; results that are given in two orders. */
#include <stdlib.h>
#include <string.h>

#include "core/check.h"
#include "core/test/test.h"
#include "sim/guide.h"
#include "sim/plan_mutate.h"
#include "sim/test/small_fleet.h"
#include "sim/witness.h"

_Noreturn void check_failed(const char *file, int line, const char *what)
{
    fprintf(stderr, "%s:%d: CHECK(%s) failed\n", file, line, what);
    abort();
}

static void make_plan(struct plan *plan, uint64_t seed)
{
    small_fleet(plan, seed);
    small_fleet_set(plan, "faults.power_cut.every", "5m");
    small_fleet_set(plan, "faults.partition.every", "5m");
    small_fleet_set(plan, "faults.wall_step.every", "10m");
    EXPECT(plan_draw_faults(plan));
}

/* ---- one plan -------------------------------------------------------------------------------- */

static void expect_good(const struct plan *plan)
{
    char error[160];
    struct plan again;
    for (uint32_t i = 0; i < plan->entry_count; i++) {
        EXPECT(plan_entry_check(plan, &plan->entries[i], error, sizeof error));
        EXPECT_EQUAL(plan->entries[i].filed_us, 0);
    }
    char *text = witness_plan_text(plan);
    FILE *file = fmemopen(text, strlen(text), "r");
    EXPECT(file != NULL);
    plan_init(&again, 0);
    EXPECT(plan_read(&again, file, error, sizeof error));
    EXPECT_EQUAL(again.entry_count, plan->entry_count);
    fclose(file);
    free(text);
    plan_free(&again);
}

static void changed_plans_are_plans(void)
{
    struct plan plan, other, first;
    uint64_t before[2], after[2];
    uint32_t changed = 0, longer = 0, shorter = 0, reseeded = 0;
    make_plan(&other, 2);
    for (uint64_t round = 0; round < 400; round++) {
        struct random_stream draws = {random_key(round, "mutate"), 0};
        make_plan(&plan, 1);
        plan_init(&first, 0);
        plan_copy(&first, &plan);
        plan_hash(&plan, before);
        plan_mutate(&plan, &other, &draws);
        expect_good(&plan);
        plan_hash(&plan, after);
        changed += memcmp(before, after, sizeof before) != 0 ? 1 : 0;
        longer += plan.entry_count > first.entry_count ? 1 : 0;
        shorter += plan.entry_count < first.entry_count ? 1 : 0;
        reseeded += plan.seed != first.seed ? 1 : 0;
        draws = (struct random_stream){random_key(round, "mutate"), 0};
        plan_mutate(&first, &other, &draws);
        plan_hash(&first, before);
        EXPECT(memcmp(before, after, sizeof before) == 0);
        plan_free(&plan);
        plan_free(&first);
    }
    EXPECT(changed > 380 && longer > 40 && shorter > 40 && reseeded > 40);
    plan_free(&other);
}

static void what_has_no_faults_gets_some(void)
{
    uint32_t with_faults = 0;
    for (uint64_t round = 0; round < 50; round++) {
        struct plan plan;
        struct random_stream draws = {random_key(round, "empty"), 0};
        make_plan(&plan, 3);
        plan.entry_count = 0;
        plan_mutate(&plan, NULL, &draws);
        expect_good(&plan);
        with_faults += plan.entry_count > 0 ? 1 : 0;
        plan_free(&plan);
    }
    EXPECT(with_faults > 5);
}

static uint64_t entry_time(const struct plan_entry *entry)
{
    return entry->when == PLAN_NOW ? entry->filed_us : entry->at_us;
}

/* There is an instant before which nothing of the other plan stands, and behind which nothing of
 * the plan itself does. */
static void what_is_spliced_is_one_plan_and_then_the_other(void)
{
    uint32_t both = 0;
    for (uint64_t round = 0; round < 60; round++) {
        struct plan plan, other, first;
        struct random_stream draws = {random_key(round, "splice"), 0};
        uint64_t latest = 0, earliest = UINT64_MAX;
        uint32_t own = 0;
        make_plan(&plan, 1);
        make_plan(&other, 2);
        plan_init(&first, 0);
        plan_copy(&first, &plan);
        plan_splice(&plan, &other, &draws);
        expect_good(&plan);
        for (uint32_t i = 0; i < first.entry_count; i++) {
            const bool kept = own < plan.entry_count &&
                              plan.entries[own].effect == first.entries[i].effect &&
                              plan.entries[own].target == first.entries[i].target &&
                              entry_time(&plan.entries[own]) == entry_time(&first.entries[i]);
            latest = kept && entry_time(&first.entries[i]) > latest ? entry_time(&first.entries[i])
                                                                    : latest;
            own += kept ? 1 : 0;
        }
        for (uint32_t i = own; i < plan.entry_count; i++) {
            earliest =
                entry_time(&plan.entries[i]) < earliest ? entry_time(&plan.entries[i]) : earliest;
        }
        EXPECT(latest <= earliest);
        both += own > 0 && own < plan.entry_count ? 1 : 0;
        plan_free(&plan);
        plan_free(&other);
        plan_free(&first);
    }
    EXPECT(both > 30);
}

/* ---- generations ----------------------------------------------------------------------------- */

/* The key of a job: the same for pairs of jobs, so that the first of each pair alone is new. */
static void give(struct guide *guide, uint64_t job)
{
    struct plan plan;
    uint64_t key = 1 + job / 2;
    const struct coverage_set shown = {&key, 1, 0};
    make_plan(&plan, job);
    char *text = witness_plan_text(&plan);
    (void)guide_result(guide, job, &shown, text);
    free(text);
    plan_free(&plan);
}

static void live_generation(struct guide *guide, uint64_t first, bool backwards)
{
    for (uint64_t i = 0; i < GUIDE_GENERATION; i++) {
        EXPECT(guide_ready(guide, first + i));
        EXPECT(!guide_ready(guide, first + GUIDE_GENERATION));
        give(guide, first + (backwards ? GUIDE_GENERATION - 1 - i : i));
    }
    EXPECT(guide_ready(guide, first + GUIDE_GENERATION));
}

static void the_order_of_ends_decides_nothing(void)
{
    struct guide *forwards = guide_open(9), *backwards = guide_open(9);
    uint32_t changed = 0;
    for (uint64_t first = 0; first < 3 * GUIDE_GENERATION; first += GUIDE_GENERATION) {
        live_generation(forwards, first, false);
        live_generation(backwards, first, true);
        EXPECT_EQUAL(guide_corpus(forwards), (first + GUIDE_GENERATION) / 2);
        EXPECT_EQUAL(guide_corpus(backwards), guide_corpus(forwards));
        for (uint64_t job = first + GUIDE_GENERATION; job < first + 2 * GUIDE_GENERATION; job++) {
            char *left = guide_plan(forwards, job), *right = guide_plan(backwards, job);
            EXPECT((left == NULL) == (right == NULL));
            EXPECT((left == NULL) == (job % 2 == 0));
            EXPECT(left == NULL || strcmp(left, right) == 0);
            changed += left != NULL ? 1 : 0;
            free(left);
            free(right);
        }
    }
    EXPECT_EQUAL(changed, 3 * GUIDE_GENERATION / 2);
    guide_close(forwards);
    guide_close(backwards);
}

int main(void)
{
    RUN(changed_plans_are_plans);
    RUN(what_has_no_faults_gets_some);
    RUN(what_is_spliced_is_one_plan_and_then_the_other);
    RUN(the_order_of_ends_decides_nothing);
    return 0;
}
