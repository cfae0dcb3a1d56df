/* What a model does in one subject, step by step: another one with the same tables is held against
 * it, and the first step or claim that differs ends that. It is as good as to compare digests, and
 * most of what is wrong shows in the first few states.
 */
#ifndef BROWNOUT_SIM_SPEC_REFERENCE_H
#define BROWNOUT_SIM_SPEC_REFERENCE_H

#include "sim/spec_golden.h"

/* A move that is enabled, where it leads, and which action properties allow it. */
struct spec_taken {
    uint32_t move, post, allows; /* post: number of a state */
};

struct spec_reference {
    struct spec_subject subject;
    /* Of each state of the graph, and of each row of the sample, where the subject has them:
     * taken[first[i]] to taken[first[i + 1]]. */
    uint32_t *graph_first, *row_first;
    struct spec_taken *graph, *rows;
    struct spec_states posts; /* of the rows; those of the graph are its own */
    uint32_t *holds, *pairs;  /* of each row; of each second row */
};

/* Of a subject that is begun, which is the reference's own from then on. */
void spec_reference_take(struct spec_reference *reference, const struct spec_subject *subject);
void spec_reference_free(struct spec_reference *reference);

enum spec_difference { SPEC_NO_DIFFERENCE, SPEC_OTHER_STEP, SPEC_OTHER_CLAIM };

/* The model behind the instance, as it is now: the same initial states, and from each state the
 * same (action, state) pairs, as TLC's graph is compared. */
bool spec_reference_has_graph(const struct spec_reference *reference);
/* From each row the same moves to the same states, and the same claims. */
enum spec_difference spec_reference_has_rows(const struct spec_reference *reference);

#endif
