/* One actor's steps, judged by its spec: is each enabled, does every invariant hold behind it, does
 * every action property allow it, and does it come to what was seen.
 */
#ifndef BROWNOUT_MODELS_SPEC_RULING_H
#define BROWNOUT_MODELS_SPEC_RULING_H

#include "models/follow.h"
#include "models/model.h"

/* A law under the constants of a run. */
struct spec_ruling {
    const struct spec_model *model;
    const int32_t *k; /* borrowed */
    struct spec_variable variables[SPEC_VARIABLES_MAX];
    struct spec_action actions[SPEC_ACTIONS_MAX];
};

struct spec_finding {
    char what[VIOLATION_WHAT_BYTES]; /* the action, and the guard, variable or claim */
    int64_t expected, actual;
};

void spec_ruling_init(struct spec_ruling *judge, const struct spec_model *model, const int32_t *k);
/* Take the step from `state` (model->state_words), which is then the one behind it. False: *out
 * says what is wrong, and `state` is spoilt. */
bool spec_ruling_step(const struct spec_ruling *judge, int32_t *state,
                      const struct follow_step *step, struct spec_finding *out);

#endif
