/* Goal: a set of ranges is a set. Method: random operations on it and on an array of flags,
 * compared after each; what needs more ranges than there is room for says so, and changes nothing
 * else.
 */
#include <string.h>

#include "core/test/test.h"
#include "models/range_set.h"

enum { ELEMENTS = 90, ROUNDS = 200000 };

static uint64_t state = 7;

static uint32_t draw(uint32_t bound)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return (uint32_t)(state >> 33) % bound;
}

static void expect_same(const struct range_set *set, const bool *flags)
{
    int32_t count = 0, least = -1;
    for (int32_t i = 0; i < ELEMENTS; i++) {
        EXPECT(range_set_has(set, i) == flags[i]);
        count += flags[i];
        least = least < 0 && flags[i] ? i : least;
    }
    EXPECT_EQUAL(range_set_count(set), count);
    EXPECT_EQUAL(range_set_least(set, -1), least);
    EXPECT(range_set_is_empty(set) == (count == 0));
    EXPECT(!set->full);
    for (uint32_t i = 1; i < set->count; i++) {
        EXPECT(set->ranges[i].low > set->ranges[i - 1].high + 1);
    }
}

static void change(struct range_set *set, bool *flags, const struct range_set *other,
                   const bool *others)
{
    const int32_t low = (int32_t)draw(ELEMENTS), high = (int32_t)draw(ELEMENTS);
    const uint32_t what = draw(12);
    switch (what) {
    case 0:
        range_set_add_range(set, low, high);
        break;
    case 1:
        range_set_remove_range(set, low, high);
        break;
    case 2:
        range_set_add_all(set, other);
        break;
    case 3:
        range_set_remove_all(set, other);
        break;
    case 4:
        range_set_keep_common(set, other);
        break;
    case 5:
        range_set_copy(set, other);
        break;
    case 6:
    case 7:
    case 8:
        range_set_add(set, low);
        break;
    default:
        range_set_remove(set, low);
        break;
    }
    for (int32_t i = 0; i < ELEMENTS; i++) {
        const bool in_range = i >= low && i <= high;
        flags[i] = what == 0   ? flags[i] || in_range
                   : what == 1 ? flags[i] && !in_range
                   : what == 2 ? flags[i] || others[i]
                   : what == 3 ? flags[i] && !others[i]
                   : what == 4 ? flags[i] && others[i]
                   : what == 5 ? others[i]
                   : what <= 8 ? flags[i] || i == low
                               : flags[i] && i != low;
    }
}

static void random_operations(void)
{
    struct range_set sets[2];
    bool flags[2][ELEMENTS];
    memset(sets, 0, sizeof sets);
    memset(flags, 0, sizeof flags);
    for (uint32_t round = 0; round < ROUNDS; round++) {
        const uint32_t at = draw(2);
        change(&sets[at], flags[at], &sets[1 - at], flags[1 - at]);
        expect_same(&sets[at], flags[at]);
        bool within = true, equal = true;
        for (uint32_t i = 0; i < ELEMENTS; i++) {
            within = within && (!flags[0][i] || flags[1][i]);
            equal = equal && flags[0][i] == flags[1][i];
        }
        EXPECT(range_set_within(&sets[0], &sets[1]) == within);
        EXPECT(range_set_equal(&sets[0], &sets[1]) == equal);
    }
}

static void says_that_it_is_full(void)
{
    struct range_set set;
    memset(&set, 0, sizeof set);
    for (int32_t i = 0; i < RANGE_SET_MAX; i++) {
        range_set_add(&set, 10 * i);
        EXPECT(!set.full);
    }
    range_set_add(&set, 5);
    EXPECT(set.full);
    EXPECT_EQUAL(set.count, RANGE_SET_MAX);
    EXPECT(!range_set_has(&set, 5));

    set.full = false;
    range_set_add_range(&set, 0, 9); /* joins the first two: there is room again */
    range_set_remove(&set, 5);
    EXPECT(!set.full);
    range_set_remove(&set, 7);
    EXPECT(set.full);
}

int main(void)
{
    RUN(random_operations);
    RUN(says_that_it_is_full);
    return 0;
}
