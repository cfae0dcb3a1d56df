/* Goal: the delta debugger finds the known minimal set, keeps what it must, and leaves nothing that
 * could be left out alone. Method: things are numbers, and it happens by a rule that is known. */
#include "sim/ddmin.h"

#include <string.h>

#include "core/check.h"
#include "core/test/test.h"
#include "sim/random.h"

enum { TOTAL = 200 };

_Noreturn void check_failed(const char *file, int line, const char *what)
{
    fprintf(stderr, "CHECK %s:%d: %s\n", file, line, what);
    abort();
}

struct rule {
    bool (*happens)(const struct rule *rule, const bool *kept);
    bool needed[TOTAL];
    uint32_t asked, asked_max; /* 0: as often as it wants */
};

static bool all_needed(const struct rule *rule, const bool *kept)
{
    for (uint32_t i = 0; i < TOTAL; i++) {
        if (rule->needed[i] && !kept[i]) {
            return false;
        }
    }
    return true;
}

/* Any two of the things that are a multiple of 50. */
static bool any_two(const struct rule *rule, const bool *kept)
{
    (void)rule;
    return kept[0] + kept[50] + kept[100] + kept[150] >= 2;
}

/* Not monotone: 7 alone does it, unless 8 is there without 9. */
static bool masked(const struct rule *rule, const bool *kept)
{
    (void)rule;
    return kept[7] && (!kept[8] || kept[9]);
}

static int64_t first(void *ctx, const struct ddmin *ddmin, uint32_t count)
{
    struct rule *rule = ctx;
    bool kept[TOTAL];
    for (uint32_t i = 0; i < count; i++) {
        if (rule->asked_max != 0 && rule->asked == rule->asked_max) {
            return DDMIN_STOP;
        }
        rule->asked++;
        ddmin_candidate(ddmin, i, kept);
        if (rule->happens(rule, kept)) {
            return i;
        }
    }
    return DDMIN_NONE;
}

static bool reduce(struct rule *rule, bool *kept)
{
    const struct ddmin_oracle oracle = {first, rule};
    memset(kept, 1, TOTAL * sizeof *kept);
    return ddmin(&oracle, kept, TOTAL);
}

static uint32_t count(const bool *kept)
{
    uint32_t number = 0;
    for (uint32_t i = 0; i < TOTAL; i++) {
        number += kept[i] ? 1 : 0;
    }
    return number;
}

static void expect_minimal(const struct rule *rule, bool *kept)
{
    EXPECT(rule->happens(rule, kept));
    for (uint32_t i = 0; i < TOTAL; i++) {
        if (kept[i]) {
            kept[i] = false;
            EXPECT(!rule->happens(rule, kept));
            kept[i] = true;
        }
    }
}

static void a_set_that_is_needed_is_all_that_is_left(void)
{
    const uint64_t key = random_key(1, "ddmin");
    bool kept[TOTAL];
    for (uint32_t round = 0; round < 200; round++) {
        struct rule rule = {.happens = all_needed};
        for (uint32_t i = 0; i < round % 9; i++) {
            rule.needed[random_at(key, round * 16 + i) % TOTAL] = true;
        }
        EXPECT(reduce(&rule, kept));
        EXPECT(memcmp(kept, rule.needed, sizeof kept) == 0);
    }
}

static void what_happens_with_nothing_needs_nothing(void)
{
    struct rule rule = {.happens = all_needed};
    bool kept[TOTAL];
    EXPECT(reduce(&rule, kept));
    EXPECT_EQUAL(count(kept), 0);
    EXPECT_EQUAL(rule.asked, 1);
}

static void one_of_several_minimal_sets_is_found(void)
{
    struct rule rule = {.happens = any_two};
    bool kept[TOTAL];
    EXPECT(reduce(&rule, kept));
    EXPECT_EQUAL(count(kept), 2);
    expect_minimal(&rule, kept);
}

static void a_thing_that_hides_another_is_no_obstacle(void)
{
    struct rule rule = {.happens = masked};
    bool kept[TOTAL];
    EXPECT(reduce(&rule, kept));
    expect_minimal(&rule, kept);
    EXPECT_EQUAL(count(kept), 1);
}

static void one_thing_among_many_takes_a_logarithm_of_tries(void)
{
    struct rule rule = {.happens = all_needed, .needed = {[123] = true}};
    bool kept[TOTAL];
    EXPECT(reduce(&rule, kept));
    EXPECT_EQUAL(count(kept), 1);
    EXPECT(rule.asked <= 2 * 8 + 1);
}

static void who_must_stop_keeps_what_still_happens(void)
{
    struct rule whole = {.happens = all_needed, .needed = {[3] = true, [77] = true, [199] = true}};
    bool kept[TOTAL];
    EXPECT(reduce(&whole, kept));
    for (uint32_t max = 1; max < whole.asked; max++) {
        struct rule rule = whole;
        rule.asked = 0;
        rule.asked_max = max;
        EXPECT(!reduce(&rule, kept));
        EXPECT(rule.happens(&rule, kept));
    }
}

int main(void)
{
    RUN(a_set_that_is_needed_is_all_that_is_left);
    RUN(what_happens_with_nothing_needs_nothing);
    RUN(one_of_several_minimal_sets_is_found);
    RUN(a_thing_that_hides_another_is_no_obstacle);
    RUN(one_thing_among_many_takes_a_logarithm_of_tries);
    RUN(who_must_stop_keeps_what_still_happens);
    return 0;
}
