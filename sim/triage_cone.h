/* The causal cone of a failure: which fault classes may have brought it about. Derived from the
 * plan, the violation and the recorded items of the run; a guess by place and time, not a proof.
 *
 * An entry of the plan is in the cone if all of this holds:
 *   struck   its class fired in that run at all
 *   time     it was in force at some instant of [t - TRIAGE_CONE_US, t]; t is the violation's, or
 *            the end of the safety phase where that is earlier (nothing is in force after it). It
 *            begins when it strikes: as filed, as planned, or for a trigger at the instant that the
 *            items tell; a trigger of which they tell nothing may strike from its arming on. It
 *            ends `lasts` later, at once where it has none; such a trigger never
 *   place    its target is a place; of a pair, the other end is one as well, or any
 * Places are the violation's node and device. For a device also the servers on its way: the clouds,
 * the rogues, and the gateways that said something about it, or that it said it sends to, in the
 * items of that time; all gateways where the items name none. For a gateway also the clouds.
 */
#ifndef BROWNOUT_SIM_TRIAGE_CONE_H
#define BROWNOUT_SIM_TRIAGE_CONE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sim/plan.h"

#define TRIAGE_CONE_US UINT64_C(900000000)

struct triage_cone {
    const struct plan *plan; /* borrowed */
    uint32_t node, device;   /* of the violation; 0: none */
    uint64_t end_us;         /* t */
    uint64_t *struck_us;     /* [entry_count]; UINT64_MAX: not told */
    bool *places;            /* [node_count + 1] */
    bool gateway_named;
};

void triage_cone_begin(struct triage_cone *cone, const struct plan *plan, const char *node,
                       const char *device, uint64_t time_us);
/* The items, in their order: an effect begins; evidence. */
void triage_cone_effect(struct triage_cone *cone, uint32_t entry, uint64_t time_us);
void triage_cone_evidence(struct triage_cone *cone, uint64_t time_us, const char *name,
                          uint32_t node, uint32_t device, uint64_t value);
/* Class names of those that are inside, sorted, with commas; "-" if there are none. */
void triage_cone_classes(const bool inside[EFFECT_COUNT], char *text, size_t text_bytes);
/* fired: by effect. text: class names, sorted, with commas; "-" if there are none. Frees. */
void triage_cone_end(struct triage_cone *cone, const bool fired[EFFECT_COUNT], char *text,
                     size_t text_bytes);

#endif
