#include "models/range_set.h"

#include <string.h>

/* The first range that does not end below `element`. */
static uint32_t first_from(const struct range_set *set, int32_t element)
{
    uint32_t at = set->count;
    while (at > 0 && set->ranges[at - 1].high >= element) {
        at--;
    }
    return at;
}

static void close_up(struct range_set *set, uint32_t at, uint32_t count)
{
    set->count -= count;
    memmove(&set->ranges[at], &set->ranges[at + count], (set->count - at) * sizeof set->ranges[0]);
}

/* False: there is no room. */
static bool open_up(struct range_set *set, uint32_t at)
{
    if (set->count == RANGE_SET_MAX) {
        set->full = true;
        return false;
    }
    memmove(&set->ranges[at + 1], &set->ranges[at], (set->count - at) * sizeof set->ranges[0]);
    set->count++;
    return true;
}

void range_set_copy(struct range_set *set, const struct range_set *from)
{
    set->count = from->count;
    set->full = from->full;
    memcpy(set->ranges, from->ranges, from->count * sizeof from->ranges[0]);
}

void range_set_add_range(struct range_set *set, int32_t low, int32_t high)
{
    if (high < low) {
        return;
    }
    const uint32_t at = first_from(set, low - 1);
    uint32_t end = at;
    while (end < set->count && set->ranges[end].low <= high + 1) {
        end++;
    }
    if (end == at) {
        if (open_up(set, at)) {
            set->ranges[at] = (struct range){low, high};
        }
        return;
    }
    struct range *joined = &set->ranges[at];
    joined->low = low < joined->low ? low : joined->low;
    joined->high = high > set->ranges[end - 1].high ? high : set->ranges[end - 1].high;
    if (end > at + 1) {
        close_up(set, at + 1, end - at - 1);
    }
}

void range_set_remove_range(struct range_set *set, int32_t low, int32_t high)
{
    uint32_t at = first_from(set, low);
    if (high < low || at == set->count) {
        return;
    }
    if (set->ranges[at].low < low && set->ranges[at].high > high) {
        if (open_up(set, at)) {
            set->ranges[at].high = low - 1;
            set->ranges[at + 1].low = high + 1;
        }
        return;
    }
    if (set->ranges[at].low < low) {
        set->ranges[at++].high = low - 1;
    }
    uint32_t end = at;
    while (end < set->count && set->ranges[end].high <= high) {
        end++;
    }
    if (end < set->count && set->ranges[end].low <= high) {
        set->ranges[end].low = high + 1;
    }
    if (end > at) {
        close_up(set, at, end - at);
    }
}

void range_set_add(struct range_set *set, int32_t element)
{
    /* Mostly the next number of all. */
    if (set->count > 0 && set->ranges[set->count - 1].high + 1 == element) {
        set->ranges[set->count - 1].high = element;
        return;
    }
    range_set_add_range(set, element, element);
}

void range_set_remove(struct range_set *set, int32_t element)
{
    range_set_remove_range(set, element, element);
}

void range_set_add_all(struct range_set *set, const struct range_set *other)
{
    for (uint32_t i = 0; i < other->count; i++) {
        range_set_add_range(set, other->ranges[i].low, other->ranges[i].high);
    }
    set->full = set->full || other->full;
}

void range_set_remove_all(struct range_set *set, const struct range_set *other)
{
    for (uint32_t i = 0; i < other->count && set->count > 0; i++) {
        range_set_remove_range(set, other->ranges[i].low, other->ranges[i].high);
    }
    set->full = set->full || other->full;
}

/* All but what lies between the ranges of the other. */
void range_set_keep_common(struct range_set *set, const struct range_set *other)
{
    int32_t from = INT32_MIN;
    for (uint32_t i = 0; i < other->count && set->count > 0; i++) {
        range_set_remove_range(set, from, other->ranges[i].low - 1);
        from = other->ranges[i].high + 1;
    }
    range_set_remove_range(set, from, INT32_MAX);
    set->full = set->full || other->full;
}

bool range_set_within(const struct range_set *set, const struct range_set *other)
{
    uint32_t at = 0;
    for (uint32_t i = 0; i < set->count; i++) {
        while (at < other->count && other->ranges[at].high < set->ranges[i].high) {
            at++;
        }
        if (at == other->count || other->ranges[at].low > set->ranges[i].low) {
            return false;
        }
    }
    return true;
}

bool range_set_equal(const struct range_set *set, const struct range_set *other)
{
    return set->count == other->count &&
           memcmp(set->ranges, other->ranges, set->count * sizeof set->ranges[0]) == 0;
}

int32_t range_set_count(const struct range_set *set)
{
    int32_t count = 0;
    for (uint32_t i = 0; i < set->count; i++) {
        count += set->ranges[i].high - set->ranges[i].low + 1;
    }
    return count;
}
