/* Sets of numbers as a law writes them whose code serves in two forms: here each is a word with a
 * bit for each element, which is what is compared with TLC, state by state; in models/spec_wide.h
 * the same names are ranges, for a run, whose numbers know no bound.
 *
 * All but the questions change the set that their first parameter names.
 */
#ifndef BROWNOUT_MODELS_SPEC_SET_H
#define BROWNOUT_MODELS_SPEC_SET_H

#include "models/spec.h"

typedef int32_t spec_set;

static inline bool spec_set_is_empty(const spec_set *set)
{
    return *set == 0;
}

static inline bool spec_set_has(const spec_set *set, int32_t element)
{
    return set_has(*set, element);
}

static inline int32_t spec_set_least(const spec_set *set, int32_t none)
{
    return set_least(*set, none);
}

static inline int32_t spec_set_count(const spec_set *set)
{
    return set_count(*set);
}

static inline bool spec_set_equal(const spec_set *set, const spec_set *other)
{
    return *set == *other;
}

static inline bool spec_set_within(const spec_set *set, const spec_set *other)
{
    return set_within(*set, *other);
}

static inline void spec_set_clear(spec_set *set)
{
    *set = 0;
}

static inline void spec_set_copy(spec_set *set, const spec_set *from)
{
    *set = *from;
}

static inline void spec_set_add(spec_set *set, int32_t element)
{
    *set |= set_of(element);
}

static inline void spec_set_remove(spec_set *set, int32_t element)
{
    *set = set_without(*set, set_of(element));
}

static inline void spec_set_add_range(spec_set *set, int32_t low, int32_t high)
{
    *set |= set_range(low, high);
}

static inline void spec_set_remove_range(spec_set *set, int32_t low, int32_t high)
{
    *set = set_without(*set, set_range(low, high));
}

static inline void spec_set_add_all(spec_set *set, const spec_set *other)
{
    *set |= *other;
}

static inline void spec_set_remove_all(spec_set *set, const spec_set *other)
{
    *set = set_without(*set, *other);
}

static inline void spec_set_keep_common(spec_set *set, const spec_set *other)
{
    *set &= *other;
}

#endif
