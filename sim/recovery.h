/* How long a fleet takes to recover: from heal, the beginning of the liveness phase, until no
 * device keeps a reading any more that it had stored before (acked, or dropped by the counted
 * rule). A device that heal left without a way (sim/heal_core.h) is not waited for. */
#ifndef BROWNOUT_SIM_RECOVERY_H
#define BROWNOUT_SIM_RECOVERY_H

#include <stdbool.h>
#include <stdint.h>

#include "core/evidence.h"
#include "sim/node.h"

struct recovery_device {
    uint32_t boot;  /* of the node, in which its role said BOOT last */
    uint32_t epoch; /* newest reading stored; 0: none yet */
    uint64_t counter;
    bool waits;
};

struct recovery {
    struct recovery_device *devices; /* [nodes + 1]; the owner's */
    uint32_t waiting;                /* devices */
    bool healed, over;
    uint64_t heal_us, us; /* us: how long it took, once it is over */
};

/* A device says something of itself. */
void recovery_evidence(struct recovery *recovery, const struct node *node,
                       const struct evidence *evidence);
/* Heal. nodes[1..count]; left[1..count]: not 0 of a node that is not waited for; NULL: of none. */
void recovery_heal(struct recovery *recovery, const struct node *nodes, uint32_t count,
                   const uint8_t *left, uint64_t now_us);
/* A step of this node, or its boot, is over. */
void recovery_look(struct recovery *recovery, const struct node *node, uint64_t now_us);
/* FIGURE_UNKNOWN: it did not come to that. */
uint64_t recovery_us(const struct recovery *recovery);

#endif
