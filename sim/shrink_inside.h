/* What the source files of shrinking share.
 *   shrink.c        the order of the passes, and when it is over
 *   shrink_place.c  the plan as it was lived becomes one that is placed
 *   shrink_pass.c   fewer faults, nodes, settings; shorter
 *   shrink_fault.c  what is simpler than a fault
 */
#ifndef BROWNOUT_SIM_SHRINK_INSIDE_H
#define BROWNOUT_SIM_SHRINK_INSIDE_H

#include "sim/shrink.h"

struct shrink {
    struct trials *trials;
    struct plan plan; /* the smallest so far that fails alike */
    const char *kind;
    bool has_seeds;     /* it must fail with several: its own is one of them, and stays */
    uint64_t failed_us; /* simulated time of the failure that was given; UINT64_MAX: at its end */
};

/* One kind of change to the plan: variants, the smallest first. */
struct shrink_step {
    uint32_t count;
    /* Change a copy of the plan. False: there is no such variant. */
    bool (*change)(void *ctx, uint32_t index, struct plan *plan);
    void *ctx;
};

/* Go over to the first variant that fails alike. False: none does. */
bool shrink_step(struct shrink *shrink, const struct shrink_step *step);

/* shrink_place.c: false: no placed plan fails alike. */
bool shrink_place(struct shrink *shrink);

/* shrink_pass.c: each true if the plan is smaller now. */
bool shrink_faults(struct shrink *shrink);
bool shrink_fleet(struct shrink *shrink);
bool shrink_duration(struct shrink *shrink);
bool shrink_seed(struct shrink *shrink);
bool shrink_settings(struct shrink *shrink);
bool shrink_each_fault(struct shrink *shrink);

#endif
