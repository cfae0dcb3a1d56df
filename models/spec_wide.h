/* The wide form of a law: the same code over sets of ranges, as it judges a run. One device, or
 * whatever the law is about, is one state.
 *
 * A file of its own makes it, from three parts in this order: the law's .def, this header, which
 * takes the place of models/spec_law.h, and the law's .c. It then has struct state, and:
 *
 *   wide_sets        for each variable: is it a set?
 *   wide_see         is a variable what a sight says?
 *   wide_variables   what violations call them
 *
 * and take_step, claim_holds and claim_allows of models/spec_parts.h.
 */
#ifndef BROWNOUT_MODELS_SPEC_WIDE_H
#define BROWNOUT_MODELS_SPEC_WIDE_H

#define BROWNOUT_MODELS_SPEC_LAW_H

#include "models/follow.h"
#include "models/range_set.h"

typedef struct range_set spec_set;

#define LAW_KEYS(narrow, wide) wide

#define spec_set_is_empty     range_set_is_empty
#define spec_set_has          range_set_has
#define spec_set_least        range_set_least
#define spec_set_count        range_set_count
#define spec_set_equal        range_set_equal
#define spec_set_within       range_set_within
#define spec_set_clear        range_set_clear
#define spec_set_copy         range_set_copy
#define spec_set_add          range_set_add
#define spec_set_remove       range_set_remove
#define spec_set_add_range    range_set_add_range
#define spec_set_remove_range range_set_remove_range
#define spec_set_add_all      range_set_add_all
#define spec_set_remove_all   range_set_remove_all
#define spec_set_keep_common  range_set_keep_common

/* Here a domain is a type. */
#define RANGE(low, high)   int32_t
#define FLAG               int32_t
#define SET(low, high)     spec_set
#define WORDS(name)        int32_t
#define SET_OF_WORDS(name) int32_t

#define WIDE_FIELD_VAR(name, domain)                 domain name;
#define WIDE_FIELD_MAP(name, capacity, keys, domain) domain name[capacity];
#define WIDE_FIELD_MAP2(name, capacity1, keys1, capacity2, keys2, domain)                          \
    domain name[capacity1][capacity2];
struct state {
    LAW_VARIABLES(WIDE_FIELD_VAR, WIDE_FIELD_MAP, WIDE_FIELD_MAP2)
};

#undef RANGE
#undef FLAG
#undef SET
#undef WORDS
#undef SET_OF_WORDS

#include "models/spec_parts.h"

#define WIDE_IS_SET(of)                         _Generic((of), int32_t * : false, spec_set * : true)
#define WIDE_SET_VAR(name, domain)              WIDE_IS_SET(&((struct state *)NULL)->name),
#define WIDE_SET_MAP(name, capacity, k, domain) WIDE_IS_SET(&((struct state *)NULL)->name[0]),
#define WIDE_SET_MAP2(name, capacity1, k1, capacity2, k2, domain)                                  \
    WIDE_IS_SET(&((struct state *)NULL)->name[0][0]),
static const bool wide_sets[] = {LAW_VARIABLES(WIDE_SET_VAR, WIDE_SET_MAP, WIDE_SET_MAP2)};

/* ---- Sights ---------------------------------------------------------------------------------- */

static inline bool wide_see_number(const int32_t *number, const struct follow_sight *sight,
                                   int32_t *actual)
{
    *actual = *number;
    return sight->relation == FOLLOW_IS && *number == sight->value;
}

/* *actual: how many there are, or the greatest. */
static inline bool wide_see_set(const spec_set *set, const struct follow_sight *sight,
                                int32_t *actual)
{
    if (sight->relation == FOLLOW_COUNT) {
        *actual = range_set_count(set);
        return *actual == sight->value;
    }
    *actual = set->count > 0 ? set->ranges[set->count - 1].high : 0;
    return sight->relation == FOLLOW_HAS && range_set_has(set, sight->value);
}

#define WIDE_SEE(of)                                                                               \
    _Generic((of), const int32_t *: wide_see_number, const spec_set *: wide_see_set)(of, sight,    \
                                                                                     actual)

#define WIDE_SEE_VAR(name, domain)                                                                 \
    case VAR_##name:                                                                               \
        return WIDE_SEE(&s->name);
#define WIDE_SEE_MAP(name, capacity, keys, domain)                                                 \
    case VAR_##name:                                                                               \
        return WIDE_SEE(&s->name[1]);
#define WIDE_SEE_MAP2(name, capacity1, keys1, capacity2, keys2, domain)                            \
    case VAR_##name:                                                                               \
        return WIDE_SEE(&s->name[1][sight->key]);
/* Of actor 1; *actual: what it is. */
static inline bool wide_see(const struct state *s, const struct follow_sight *sight,
                            int32_t *actual)
{
    switch (sight->variable) {
        LAW_VARIABLES(WIDE_SEE_VAR, WIDE_SEE_MAP, WIDE_SEE_MAP2)
    default:
        return false;
    }
}

/* ---- Names, as violations say them ----------------------------------------------------------- */

#define WIDE_NAME_VAR(name, domain)                                      #name " behind the step",
#define WIDE_NAME_MAP(name, capacity, keys, domain)                      #name " behind the step",
#define WIDE_NAME_MAP2(name, capacity1, keys1, capacity2, keys2, domain) #name " behind the step",
static const char *const wide_variables[] = {
    LAW_VARIABLES(WIDE_NAME_VAR, WIDE_NAME_MAP, WIDE_NAME_MAP2)};

#endif
