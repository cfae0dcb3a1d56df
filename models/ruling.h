/* What all models write on: how often each law was tested, and the violation of this observation.
 * A model says what disagrees and on whom; whether the law is void there, or was reported before,
 * is decided here alone.
 */
#ifndef BROWNOUT_MODELS_RULING_H
#define BROWNOUT_MODELS_RULING_H

#include "models/model.h"

struct difference {
    const char *what; /* borrowed for the call: the guard or variable that disagrees */
    uint64_t expected, actual;
};

struct ruling {
    const struct observation *observation; /* the one being judged */
    uint32_t node_count;
    uint64_t *void_at; /* [node_count]: a bit for each law that is void at the node */
    uint64_t void_everywhere, void_somewhere;
    uint64_t reported; /* a bit for each law */
    bool broken;       /* by this observation; violation says how */
    struct violation violation;
    uint64_t exercised[LAW_COUNT];
};

_Static_assert(LAW_COUNT <= 64, "a set of laws is a word");

/* Models lie behind each other in one piece of memory, each as aligned as the first. */
static inline size_t ruling_aligned(size_t size_bytes)
{
    const size_t unit = sizeof(uint64_t) * 2;
    return (size_bytes + unit - 1) / unit * unit;
}

static inline void ruling_exercise(struct ruling *ruling, enum law law)
{
    ruling->exercised[law]++;
}

/* `law` does not hold for the node `subject`. The first violation of an observation is kept. */
void ruling_break(struct ruling *ruling, enum law law, uint32_t subject,
                  struct difference difference);

#endif
