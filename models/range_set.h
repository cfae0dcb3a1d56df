/* A set of numbers as few disjoint ranges: the form that a law's sets have where the numbers of a
 * run know no bound. A value, without pointers; all zero is the empty set.
 *
 * What would need one range more than there is room for marks the set as full, and is not done: a
 * full set says nothing any more, and whoever keeps it has to look (`full`).
 */
#ifndef BROWNOUT_MODELS_RANGE_SET_H
#define BROWNOUT_MODELS_RANGE_SET_H

#include <stdbool.h>
#include <stdint.h>

enum { RANGE_SET_MAX = 64 };

struct range {
    int32_t low, high;
};

struct range_set {
    uint32_t count;
    bool full;
    struct range ranges[RANGE_SET_MAX]; /* ascending, with a number between any two */
};

static inline bool range_set_is_empty(const struct range_set *set)
{
    return set->count == 0;
}

/* New numbers are the greatest, and are asked for most. */
static inline bool range_set_has(const struct range_set *set, int32_t element)
{
    uint32_t at = set->count;
    while (at > 0 && set->ranges[at - 1].low > element) {
        at--;
    }
    return at > 0 && set->ranges[at - 1].high >= element;
}

/* The least element, or `none`. */
static inline int32_t range_set_least(const struct range_set *set, int32_t none)
{
    return set->count > 0 ? set->ranges[0].low : none;
}

static inline void range_set_clear(struct range_set *set)
{
    set->count = 0;
    set->full = false;
}

void range_set_copy(struct range_set *set, const struct range_set *from);
/* {low..high}; nothing where high < low. */
void range_set_add_range(struct range_set *set, int32_t low, int32_t high);
void range_set_remove_range(struct range_set *set, int32_t low, int32_t high);
void range_set_add(struct range_set *set, int32_t element);
void range_set_remove(struct range_set *set, int32_t element);
void range_set_add_all(struct range_set *set, const struct range_set *other);
void range_set_remove_all(struct range_set *set, const struct range_set *other);
void range_set_keep_common(struct range_set *set, const struct range_set *other);
bool range_set_within(const struct range_set *set, const struct range_set *other);
bool range_set_equal(const struct range_set *set, const struct range_set *other);
int32_t range_set_count(const struct range_set *set);

#endif
