/* The types and names of one law, for those who tell a model what happened: its words, constants,
 * state, actions and variables as C knows them. To be included once in a file, behind the law's
 * .def (see models/spec_law.h). The model's own are in models/spec_parts.h.
 */
#ifndef BROWNOUT_MODELS_SPEC_SHAPE_H
#define BROWNOUT_MODELS_SPEC_SHAPE_H

#include "models/spec.h"

extern const struct spec_model LAW_MODEL;

#define LAW_WORD(constant, text) constant,
#define LAW_ENUM(name, list)     enum name { list(LAW_WORD) name##_count };
LAW_WORDS(LAW_ENUM)

#define LAW_FIELD_INT(name, low, high) int32_t name;
#define LAW_FIELD_BOOL(name)           int32_t name;
struct constants {
    LAW_CONSTANTS(LAW_FIELD_INT, LAW_FIELD_BOOL)
};

#define LAW_FIELD_VAR(name, domain)                 int32_t name;
#define LAW_FIELD_MAP(name, capacity, keys, domain) int32_t name[capacity];
#define LAW_FIELD_MAP2(name, capacity1, keys1, capacity2, keys2, domain)                           \
    int32_t name[capacity1][capacity2];
struct state {
    LAW_VARIABLES(LAW_FIELD_VAR, LAW_FIELD_MAP, LAW_FIELD_MAP2)
};
_Static_assert(sizeof(struct state) <= SPEC_STATE_WORDS_MAX * sizeof(int32_t), "a small state");

#define LAW_INDEX0(name, Name, actor)                      ACT_##name,
#define LAW_INDEX1(name, Name, actor, a, da)               ACT_##name,
#define LAW_INDEX2(name, Name, actor, a, da, b, db)        ACT_##name,
#define LAW_INDEX3(name, Name, actor, a, da, b, db, c, dc) ACT_##name,
enum { LAW_ACTIONS(LAW_INDEX0, LAW_INDEX1, LAW_INDEX2, LAW_INDEX3) LAW_ACTION_COUNT };

#define LAW_VARIABLE(name, domain)                                          VAR_##name,
#define LAW_VARIABLE_MAP(name, capacity, keys, domain)                      VAR_##name,
#define LAW_VARIABLE_MAP2(name, capacity1, keys1, capacity2, keys2, domain) VAR_##name,
enum { LAW_VARIABLES(LAW_VARIABLE, LAW_VARIABLE_MAP, LAW_VARIABLE_MAP2) LAW_VARIABLE_COUNT };

#endif
