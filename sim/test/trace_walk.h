/* Traces that are right by construction: walks that a C model takes, with what it makes visible.
 * And the word of the model on any trace, right or spoilt: what TLC has to find as well. */
#ifndef BROWNOUT_SIM_TEST_TRACE_WALK_H
#define BROWNOUT_SIM_TEST_TRACE_WALK_H

#include "sim/spec_config.h"
#include "sim/spec_instance.h"
#include "sim/spec_trace.h"

/* An instance of one actor, with constants as great as the model's arrays allow. config: an MC.cfg
 * of the law. */
void trace_walk_instance(struct spec_instance *instance, const struct spec_model *model,
                         const struct spec_config *config);

/* `count` steps from the initial state, drawn from `seed`, each with what is seen of up to two
 * variables behind it. Fewer where no move is enabled. */
void trace_walk(struct spec_trace *trace, const struct spec_instance *instance, uint64_t seed,
                uint32_t count);

/* The first event that the model does not allow: guard, sight or invariant; UINT32_MAX: none. k:
 * the constants. */
uint32_t trace_walk_refused(const struct spec_model *model, const int32_t *k,
                            const struct spec_trace *trace);

#endif
