/* The state of a law as words, whatever their domain: the form that is compared with TLC, state by
 * state. To be included once in a file, behind the law's .def (see models/spec_law.h).
 */
#ifndef BROWNOUT_MODELS_SPEC_SHAPE_H
#define BROWNOUT_MODELS_SPEC_SHAPE_H

#include "models/spec_names.h"

#define LAW_KEYS(narrow, wide) narrow

#define LAW_FIELD_VAR(name, domain)                 int32_t name;
#define LAW_FIELD_MAP(name, capacity, keys, domain) int32_t name[capacity];
#define LAW_FIELD_MAP2(name, capacity1, keys1, capacity2, keys2, domain)                           \
    int32_t name[capacity1][capacity2];
struct state {
    LAW_VARIABLES(LAW_FIELD_VAR, LAW_FIELD_MAP, LAW_FIELD_MAP2)
};
_Static_assert(sizeof(struct state) <= SPEC_STATE_WORDS_MAX * sizeof(int32_t), "a small state");

extern const struct spec_model LAW_MODEL;

#endif
