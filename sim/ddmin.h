/* Delta debugging: from many things with which something happens to few (ddmin of Zeller and
 * Hildebrandt, "Simplifying and Isolating Failure-Inducing Input"). It knows nothing of what the
 * things are: an oracle tries sets of them.
 *
 * A round divides what is left into parts and tries each part alone, then everything but each part;
 * where neither helps the parts get smaller, down to one thing each. What is left in the end is
 * 1-minimal: without any single one of them it does not happen.
 */
#ifndef BROWNOUT_SIM_DDMIN_H
#define BROWNOUT_SIM_DDMIN_H

#include <stdbool.h>
#include <stdint.h>

#define DDMIN_NONE (-1) /* it happens with none of them */
#define DDMIN_STOP (-2) /* nothing more can be tried */

struct ddmin;

struct ddmin_oracle {
    /* The first of the candidates 0..count-1, in their order, with which it still happens;
     * DDMIN_NONE or DDMIN_STOP. Several may be tried at once: the answer is a function of their
     * order alone. */
    int64_t (*first)(void *ctx, const struct ddmin *ddmin, uint32_t count);
    void *ctx;
};

struct ddmin {
    uint32_t total; /* things */
    uint32_t left;  /* of them, that are kept */
    uint32_t parts; /* of this round; 0: the candidate is nothing at all */
    bool *kept;     /* [total] */
};

/* kept: `total` flags, the caller's: which things there are; reduced in place. It must happen with
 * them. False: the oracle stopped; what is kept still makes it happen, and may not be minimal. */
bool ddmin(const struct ddmin_oracle *oracle, bool *kept, uint32_t total);

/* For the oracle: what candidate `index` of this round keeps; `kept` has room for ddmin->total. */
void ddmin_candidate(const struct ddmin *ddmin, uint32_t index, bool *kept);

#endif
