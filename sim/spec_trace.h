/* A run as a trace of a spec: what one actor of it did, step by step, and what was seen of the
 * state behind each step (models/follow.h). TLC is asked whether the spec allows it.
 */
#ifndef BROWNOUT_SIM_SPEC_TRACE_H
#define BROWNOUT_SIM_SPEC_TRACE_H

#include "models/follow.h"

enum { SPEC_TRACE_ACTOR = 1 /* its number in the spec, since it is there alone */ };

struct spec_trace_event {
    struct spec_move move;
    uint32_t sight_count;
    struct follow_sight sights[FOLLOW_SIGHTS_MAX];
    struct observation shown; /* by this, in the run; kind UINT32_MAX: it is no run's */
};

struct spec_trace {
    int64_t run_id;                /* 0: it is no run's */
    uint32_t actor;                /* node number */
    uint64_t part;                 /* struct follow_step's */
    int32_t k[SPEC_CONSTANTS_MAX]; /* constants of its run, as words of the model */
    uint32_t count, capacity;
    struct spec_trace_event *events; /* owned */
    uint64_t left_out;               /* events of the actor behind the last one kept */
};

/* The domain of the key by which a sight names one of a variable's values (struct follow_sight);
 * NULL: the variable has none beside the actor's. */
const struct spec_domain *spec_trace_key(const struct spec_variable *variable);

void spec_trace_add(struct spec_trace *trace, const struct spec_trace_event *event);
/* The first `count` events (at most all) of another one; freed as any other. */
void spec_trace_copy(struct spec_trace *trace, const struct spec_trace *from, uint32_t count);
void spec_trace_free(struct spec_trace *trace);

/* What is spoilt in a copy of a good trace, to show that a bad one is noticed. */
#define SPEC_DAMAGE_LIST(X)                                                                        \
    X(WRONG_SIGHT, "a variable is seen with another value")                                        \
    X(WRONG_PARAMETER, "an action has another parameter")                                          \
    X(WRONG_ACTION, "another action took place")                                                   \
    X(MISSING, "a step is missing")                                                                \
    X(TWICE, "a step is there twice")                                                              \
    X(SWAPPED, "two steps have changed places")                                                    \
    X(EARLY, "a step comes too early")                                                             \
    X(LATE, "a step comes too late")                                                               \
    X(OUTSIDE, "a parameter is outside of its domain")                                             \
    X(FOREIGN, "a step of another trace stands in between")
enum spec_damage {
#define SPEC_DAMAGE_ENUM(NAME, text) SPEC_DAMAGE_##NAME,
    SPEC_DAMAGE_LIST(SPEC_DAMAGE_ENUM)
#undef SPEC_DAMAGE_ENUM
        SPEC_DAMAGE_COUNT
};
const char *spec_damage_text(enum spec_damage damage);

/* Spoil `trace` at event `at`; `other` lends a step to FOREIGN. False: this cannot be done there,
 * and nothing is changed. What is spoilt need not be wrong (a reading may be sent twice), but for a
 * wrong sight: it always is. */
bool spec_trace_damage(struct spec_trace *trace, enum spec_damage damage, uint32_t at,
                       const struct spec_trace *other, const struct spec_model *model);

#endif
