/* Turns the lists of one law into its types and its table. To be included once, by
 * models/spec_<law>.c, behind its .def, which defines:
 *
 *   LAW_NAME                 "Telemetry"
 *   LAW_MODEL, LAW_SOURCE    spec_telemetry, "models/spec_telemetry.c"
 *   LAW_WORDS(ENUM)          ENUM(phase, PHASES), where PHASES(WORD) lists WORD(IDLE, "idle")
 *   LAW_CONSTANTS(INT, BOOL) INT(Name, low, high), BOOL(Name)
 *   LAW_VARIABLES(VAR, MAP, MAP2)
 *                            VAR(name, domain), MAP(name, capacity, keys, domain),
 *                            MAP2(name, capacity, keys, capacity, keys, domain)
 *   LAW_ACTIONS(ACTION0, ACTION1, ACTION2, ACTION3)
 *                            ACTION2(name, Name, SYSTEM or FAULT, a, domain, b, domain)
 *   LAW_DEAD(DEAD)           DEAD(name, "why it is never taken in the checked instances")
 *   LAW_INVARIANTS(INV, EACH), LAW_PROPERTIES(AP, EACH)
 *                            INV(name, Name), AP(name, Name); EACH(name, Name, domain) is one for
 *                            each actor, the last parameter of inv_<name> or ap_<name>
 *   LAW_RESPONSES(LIVE)      LIVE(Name, bound_s)
 *
 * A domain is RANGE(low, high), FLAG, WORDS(phase), SET(low, high) or SET_OF_WORDS(phase); its
 * bounds may name constants, as K(Name). Maps are indexed by the key itself: capacity = greatest
 * key + 1.
 *
 * A law that also judges runs has a wide form (models/spec_wide.h): its sets are of the type
 * spec_set, and a capacity that differs there is LAW_KEYS(here, there).
 *
 * The file then defines, for each name: act_<name> (changes the state; false: not enabled),
 * inv_<name>, ap_<name>, and init_state.
 */
#ifndef BROWNOUT_MODELS_SPEC_LAW_H
#define BROWNOUT_MODELS_SPEC_LAW_H

#include "models/spec_parts.h"
#include "models/spec_set.h"
#include "models/spec_shape.h"

/* Constants. Each table has a last row of nothing, so that none is empty. */
#define LAW_CONSTANT_INT(name, low, high) {#name, false, low, high},
#define LAW_CONSTANT_BOOL(name)           {#name, true, 0, 1},
static const struct spec_constant law_constants[] = {
    LAW_CONSTANTS(LAW_CONSTANT_INT, LAW_CONSTANT_BOOL){NULL, false, 0, 0}};

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

static bool law_step(const int32_t *words, uint32_t action, const int32_t *p, int32_t *state)
{
    return take_step((const struct constants *)words, action, p, (struct state *)state);
}

static bool law_init(const int32_t *words, uint32_t index, int32_t *state)
{
    return init_state((const struct constants *)words, index, (struct state *)state);
}

/* Claims. */
#define LAW_RESPONSE(Name, bound) {#Name, bound},
static const struct spec_response law_responses[] = {LAW_RESPONSES(LAW_RESPONSE){NULL, 0}};

static bool law_holds(const int32_t *words, uint32_t invariant, const int32_t *state)
{
    return claim_holds((const struct constants *)words, invariant, (const struct state *)state);
}

static bool law_allows(const int32_t *words, uint32_t property, const int32_t *pre,
                       const int32_t *post)
{
    return claim_allows((const struct constants *)words, property, (const struct state *)pre,
                        (const struct state *)post);
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
