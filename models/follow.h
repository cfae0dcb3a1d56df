/* A run, as steps of a spec.
 *
 * A follower hears the observations of a run (models/model.h) and tells, for each actor of its law,
 * which action of the spec took place and what was seen of the state behind it. Faults are actions
 * too. What took place and was never said, because power went away between the act and the word, is
 * told as soon as something shows it (a boot, an image), ahead of the loss.
 *
 * The actor is projected: its steps are those of an instance with one actor, number 1, under the
 * constants of the run. Judge (the C model), trace (TLC) and coverage hear the same steps.
 */
#ifndef BROWNOUT_MODELS_FOLLOW_H
#define BROWNOUT_MODELS_FOLLOW_H

#include "models/model.h"
#include "models/spec.h"

enum { FOLLOW_SIGHTS_MAX = 12 };

/* In place of an action: nothing took place, the state is seen as the steps before left it. */
#define FOLLOW_LOOK UINT32_MAX

enum follow_relation {
    FOLLOW_IS,    /* the variable's value is `value` */
    FOLLOW_COUNT, /* it is a set, of so many elements */
    FOLLOW_HAS,   /* it is a set, and `value` is in it */
};

/* What a variable of the actor is behind the step, as the run shows it. */
struct follow_sight {
    uint32_t variable; /* index in the law's .def */
    int32_t value;
    enum follow_relation relation;
    int32_t key; /* beside the actor's: the second one of a variable that has two; the only one, if
                    that is a word (Update: a slot); otherwise 0 */
};

struct follow_step {
    uint32_t actor; /* node number */
    uint64_t part;  /* which instance of the law it is a step of, where its actor is in several one
                       after the other or side by side (Session: one a reading); otherwise 0 */
    struct spec_move move;
    uint32_t sight_count;
    struct follow_sight sights[FOLLOW_SIGHTS_MAX];
    const struct observation *observation; /* what shows it; until the call returns */
};

/* Hears a step; false: tell no more of this actor. */
typedef bool follow_listener(void *ctx, const struct follow_step *step);

#endif
