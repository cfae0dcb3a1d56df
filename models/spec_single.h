/* The single form of a law: the same code with room for one of what its maps are about, as small as
 * can be, since a run has many such states. To be included once in a file, behind the law's .def;
 * it takes the place of models/spec_law.h.
 */
#ifndef BROWNOUT_MODELS_SPEC_SINGLE_H
#define BROWNOUT_MODELS_SPEC_SINGLE_H

#define BROWNOUT_MODELS_SPEC_LAW_H

#include "models/spec_names.h"

#define LAW_KEYS(narrow, single) single

#define SINGLE_FIELD_VAR(name, domain)                 int32_t name;
#define SINGLE_FIELD_MAP(name, capacity, keys, domain) int32_t name[capacity];
#define SINGLE_FIELD_MAP2(name, capacity1, keys1, capacity2, keys2, domain)                        \
    int32_t name[capacity1][capacity2];
struct state {
    LAW_VARIABLES(SINGLE_FIELD_VAR, SINGLE_FIELD_MAP, SINGLE_FIELD_MAP2)
};

#endif
