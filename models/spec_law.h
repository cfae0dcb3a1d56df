/* Turns the lists of one law into its types and its table. To be included once, by
 * models/spec_<law>.c, behind its .def, which defines:
 *
 *   LAW_NAME "Telemetry", LAW_MODEL spec_telemetry, LAW_SOURCE "models/spec_telemetry.c"
 *   LAW_WORDS(ENUM)           ENUM(phase, PHASES), where PHASES(WORD) lists WORD(PHASE_IDLE,
 * "idle") LAW_CONSTANTS(INT, BOOL)  INT(Name, low, high), BOOL(Name) LAW_VARIABLES(VAR, MAP, MAP2)
 *                             VAR(name, domain), MAP(name, capacity, keys, domain),
 *                             MAP2(name, capacity, keys, capacity, keys, domain)
 *   LAW_ACTIONS(ACTION0, ACTION1, ACTION2, ACTION3)
 *                             ACTION2(name, Name, SYSTEM or FAULT, a, domain, b, domain)
 *   LAW_DEAD(DEAD)            DEAD(name, "why it is never taken in the checked instances")
 *   LAW_INVARIANTS(INV, EACH), LAW_PROPERTIES(AP, EACH)
 *                             INV(name, Name), AP(name, Name); EACH(name, Name, domain): one for
 * each actor, inv_<name> or ap_<name> has it as its last parameter LAW_RESPONSES(LIVE) LIVE(Name,
 * bound_s)
 *
 * A domain is RANGE(low, high), FLAG, WORDS(phase), SET(low, high) or SET_OF_WORDS(phase); its
 * bounds may name constants, as K(Name). Maps are indexed by the key itself: capacity = greatest
 * key + 1.
 *
 * The file then defines, for each name: act_<name> (changes the state; false: not enabled),
 * inv_<name>, ap_<name>, and init_state.
 */
#ifndef BROWNOUT_MODELS_SPEC_LAW_H
#define BROWNOUT_MODELS_SPEC_LAW_H

#include "models/spec_shape.h"

/* Words: how the spec writes their values. */
#define LAW_TEXT(constant, text) text,
#define LAW_TEXTS(name, list)    static const char *const name##_words[] = {list(LAW_TEXT)};
LAW_WORDS(LAW_TEXTS)

/* What the file has to define. */
#define LAW_ACT0(name, Name, actor)                                                                \
    static bool act_##name(const struct constants *k, struct state *s);
#define LAW_ACT1(name, Name, actor, a, da)                                                         \
    static bool act_##name(const struct constants *k, struct state *s, int32_t a);
#define LAW_ACT2(name, Name, actor, a, da, b, db)                                                  \
    static bool act_##name(const struct constants *k, struct state *s, int32_t a, int32_t b);
#define LAW_ACT3(name, Name, actor, a, da, b, db, c, dc)                                           \
    static bool act_##name(const struct constants *k, struct state *s, int32_t a, int32_t b,       \
                           int32_t c);
#define LAW_INV(name, Name)                                                                        \
    static bool inv_##name(const struct constants *k, const struct state *s);
#define LAW_AP(name, Name)                                                                         \
    static bool ap_##name(const struct constants *k, const struct state *s, const struct state *t);
#define LAW_INV_EACH(name, Name, domain)                                                           \
    static bool inv_##name(const struct constants *k, const struct state *s, int32_t a);
#define LAW_AP_EACH(name, Name, domain)                                                            \
    static bool ap_##name(const struct constants *k, const struct state *s, const struct state *t, \
                          int32_t a);
static bool init_state(const struct constants *k, uint32_t index, struct state *s);
LAW_ACTIONS(LAW_ACT0, LAW_ACT1, LAW_ACT2, LAW_ACT3)
LAW_INVARIANTS(LAW_INV, LAW_INV_EACH)
LAW_PROPERTIES(LAW_AP, LAW_AP_EACH)

/* Constants. Each table has a last row of nothing, so that none is empty. */
#define LAW_CONSTANT_INT(name, low, high) {#name, false, low, high},
#define LAW_CONSTANT_BOOL(name)           {#name, true, 0, 1},
static const struct spec_constant law_constants[] = {
    LAW_CONSTANTS(LAW_CONSTANT_INT, LAW_CONSTANT_BOOL){NULL, false, 0, 0}};

/* Domains; `k` is at hand where they stand. */
#define K(name)            (k->name)
#define RANGE(low, high)   spec_domain(SPEC_INT, low, high, NULL)
#define FLAG               spec_domain(SPEC_BOOL, 0, 1, NULL)
#define SET(low, high)     spec_domain(SPEC_SET, low, high, NULL)
#define WORDS(name)        spec_domain(SPEC_WORD, 0, name##_count - 1, name##_words)
#define SET_OF_WORDS(name) spec_domain(SPEC_WORDS, 0, name##_count - 1, name##_words)

#define LAW_AT(name) offsetof(struct state, name) / sizeof(int32_t)
#define LAW_SHAPE_VAR(name, values)                                                                \
    *at++ = (struct spec_variable){#name, LAW_AT(name), 0, {1, 1}, {FLAG, FLAG}, values};
#define LAW_SHAPE_MAP(name, capacity, keys, values)                                                \
    *at++ = (struct spec_variable){#name, LAW_AT(name), 1, {capacity, 1}, {keys, FLAG}, values};
#define LAW_SHAPE_MAP2(name, capacity1, keys1, capacity2, keys2, values)                           \
    *at++ = (struct spec_variable){#name,          LAW_AT(name), 2, {capacity1, capacity2},        \
                                   {keys1, keys2}, values};
static void law_variables(const int32_t *words, struct spec_variable *at)
{
    const struct constants *k = (const struct constants *)words;
    (void)k;
    LAW_VARIABLES(LAW_SHAPE_VAR, LAW_SHAPE_MAP, LAW_SHAPE_MAP2)
}

/* Actions. */
#define LAW_ROW0(name, Name, actor)                                                                \
    actions[ACT_##name] = (struct spec_action){#Name, NULL, SPEC_##actor, 0, {NULL}, {FLAG}};
#define LAW_ROW1(name, Name, actor, a, da)                                                         \
    actions[ACT_##name] = (struct spec_action){#Name, NULL, SPEC_##actor, 1, {#a}, {da}};
#define LAW_ROW2(name, Name, actor, a, da, b, db)                                                  \
    actions[ACT_##name] = (struct spec_action){#Name, NULL, SPEC_##actor, 2, {#a, #b}, {da, db}};
#define LAW_ROW3(name, Name, actor, a, da, b, db, c, dc)                                           \
    actions[ACT_##name] =                                                                          \
        (struct spec_action){#Name, NULL, SPEC_##actor, 3, {#a, #b, #c}, {da, db, dc}};
#define LAW_IS_DEAD(name, why) actions[ACT_##name].dead = why;
static void law_actions(const int32_t *words, struct spec_action *actions)
{
    const struct constants *k = (const struct constants *)words;
    (void)k;
    LAW_ACTIONS(LAW_ROW0, LAW_ROW1, LAW_ROW2, LAW_ROW3)
    LAW_DEAD(LAW_IS_DEAD)
}

#define LAW_CASE0(name, Name, actor)                                                               \
    case ACT_##name:                                                                               \
        return act_##name(k, s);
#define LAW_CASE1(name, Name, actor, a, da)                                                        \
    case ACT_##name:                                                                               \
        return act_##name(k, s, p[0]);
#define LAW_CASE2(name, Name, actor, a, da, b, db)                                                 \
    case ACT_##name:                                                                               \
        return act_##name(k, s, p[0], p[1]);
#define LAW_CASE3(name, Name, actor, a, da, b, db, c, dc)                                          \
    case ACT_##name:                                                                               \
        return act_##name(k, s, p[0], p[1], p[2]);
static bool law_step(const int32_t *words, uint32_t action, const int32_t *p, int32_t *state)
{
    const struct constants *k = (const struct constants *)words;
    struct state *s = (struct state *)state;
    switch (action) {
        LAW_ACTIONS(LAW_CASE0, LAW_CASE1, LAW_CASE2, LAW_CASE3)
    default:
        return false;
    }
}

static bool law_init(const int32_t *words, uint32_t index, int32_t *state)
{
    return init_state((const struct constants *)words, index, (struct state *)state);
}

/* Claims. */
#define LAW_INV_INDEX(name, Name)              INV_##name,
#define LAW_AP_INDEX(name, Name)               AP_##name,
#define LAW_INV_INDEX_EACH(name, Name, domain) INV_##name,
#define LAW_AP_INDEX_EACH(name, Name, domain)  AP_##name,
#define LAW_CLAIM(name, Name)                  #Name,
#define LAW_CLAIM_EACH(name, Name, domain)     #Name,
#define LAW_RESPONSE(Name, bound)              {#Name, bound},
enum { LAW_INVARIANTS(LAW_INV_INDEX, LAW_INV_INDEX_EACH) LAW_INVARIANT_COUNT };
enum { LAW_PROPERTIES(LAW_AP_INDEX, LAW_AP_INDEX_EACH) LAW_PROPERTY_COUNT };
static const char *const law_invariants[] = {LAW_INVARIANTS(LAW_CLAIM, LAW_CLAIM_EACH) NULL};
static const char *const law_properties[] = {LAW_PROPERTIES(LAW_CLAIM, LAW_CLAIM_EACH) NULL};
static const struct spec_response law_responses[] = {LAW_RESPONSES(LAW_RESPONSE){NULL, 0}};
_Static_assert((int)LAW_INVARIANT_COUNT <= (int)SPEC_CLAIMS_MAX, "their truth is one number");
_Static_assert((int)LAW_PROPERTY_COUNT <= (int)SPEC_CLAIMS_MAX, "their truth is one number");

#define LAW_HOLDS(name, Name)                                                                      \
    case INV_##name:                                                                               \
        return inv_##name(k, s);
#define LAW_ALLOWS(name, Name)                                                                     \
    case AP_##name:                                                                                \
        return ap_##name(k, s, t);
#define LAW_HOLDS_EACH(name, Name, values)                                                         \
    case INV_##name:                                                                               \
        each = values;                                                                             \
        for (int32_t a = each.low; holds && a <= each.high; a++) {                                 \
            holds = inv_##name(k, s, a);                                                           \
        }                                                                                          \
        return holds;
#define LAW_ALLOWS_EACH(name, Name, values)                                                        \
    case AP_##name:                                                                                \
        each = values;                                                                             \
        for (int32_t a = each.low; holds && a <= each.high; a++) {                                 \
            holds = ap_##name(k, s, t, a);                                                         \
        }                                                                                          \
        return holds;
static bool law_holds(const int32_t *words, uint32_t invariant, const int32_t *state)
{
    const struct constants *k = (const struct constants *)words;
    const struct state *s = (const struct state *)state;
    struct spec_domain each = FLAG;
    bool holds = true;
    switch (invariant) {
        LAW_INVARIANTS(LAW_HOLDS, LAW_HOLDS_EACH)
    default:
        (void)k;
        (void)s;
        return holds && each.low != 0;
    }
}

static bool law_allows(const int32_t *words, uint32_t property, const int32_t *pre,
                       const int32_t *post)
{
    const struct constants *k = (const struct constants *)words;
    const struct state *s = (const struct state *)pre, *t = (const struct state *)post;
    struct spec_domain each = FLAG;
    bool holds = true;
    switch (property) {
        LAW_PROPERTIES(LAW_ALLOWS, LAW_ALLOWS_EACH)
    default:
        (void)k;
        (void)s;
        (void)t;
        return holds && each.low != 0;
    }
}

#define LAW_ROWS(table) (uint32_t)(sizeof(table) / sizeof(table)[0])

_Static_assert((int)LAW_VARIABLE_COUNT <= (int)SPEC_VARIABLES_MAX, "few variables");
_Static_assert((int)LAW_ACTION_COUNT <= (int)SPEC_ACTIONS_MAX, "few actions");
_Static_assert(LAW_ROWS(law_constants) <= SPEC_CONSTANTS_MAX + 1, "few constants");

const struct spec_model LAW_MODEL = {
    .name = LAW_NAME,
    .source = LAW_SOURCE,
    .constant_count = LAW_ROWS(law_constants) - 1,
    .variable_count = LAW_VARIABLE_COUNT,
    .action_count = LAW_ACTION_COUNT,
    .invariant_count = LAW_INVARIANT_COUNT,
    .property_count = LAW_PROPERTY_COUNT,
    .response_count = LAW_ROWS(law_responses) - 1,
    .state_words = sizeof(struct state) / sizeof(int32_t),
    .constants = law_constants,
    .invariants = law_invariants,
    .properties = law_properties,
    .responses = law_responses,
    .variables = law_variables,
    .actions = law_actions,
    .init = law_init,
    .step = law_step,
    .holds = law_holds,
    .allows = law_allows,
};

#endif
