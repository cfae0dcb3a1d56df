/* What a law consists of, as C knows it by name: its words, constants, actions (ACT_<name>) and
 * variables (VAR_<name>), numbered as in its table (models/spec.h). To be included once in a file,
 * behind the law's .def (see models/spec_law.h).
 */
#ifndef BROWNOUT_MODELS_SPEC_NAMES_H
#define BROWNOUT_MODELS_SPEC_NAMES_H

#include "models/spec.h"

#define LAW_WORD(constant, text) constant,
#define LAW_ENUM(name, list)     enum name { list(LAW_WORD) name##_count };
LAW_WORDS(LAW_ENUM)

#define LAW_FIELD_INT(name, low, high) int32_t name;
#define LAW_FIELD_BOOL(name)           int32_t name;
struct constants {
    LAW_CONSTANTS(LAW_FIELD_INT, LAW_FIELD_BOOL)
};

#define LAW_INDEX0(name, Name, actor)                      ACT_##name,
#define LAW_INDEX1(name, Name, actor, a, da)               ACT_##name,
#define LAW_INDEX2(name, Name, actor, a, da, b, db)        ACT_##name,
#define LAW_INDEX3(name, Name, actor, a, da, b, db, c, dc) ACT_##name,
enum law_action { LAW_ACTIONS(LAW_INDEX0, LAW_INDEX1, LAW_INDEX2, LAW_INDEX3) LAW_ACTION_COUNT };

#define LAW_VARIABLE(name, domain)                                          VAR_##name,
#define LAW_VARIABLE_MAP(name, capacity, keys, domain)                      VAR_##name,
#define LAW_VARIABLE_MAP2(name, capacity1, keys1, capacity2, keys2, domain) VAR_##name,
enum law_variable {
    LAW_VARIABLES(LAW_VARIABLE, LAW_VARIABLE_MAP, LAW_VARIABLE_MAP2) LAW_VARIABLE_COUNT
};

#endif
