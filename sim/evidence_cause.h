/* What has to be said before what, where messages tell: by device, epoch and counter.
 *
 *   CUSTODY                behind a SEND, if the device's log is here
 *   ACCEPT, and REJECT     behind a FORWARD, if a gateway's is (a REJECT for want of a window, or
 * of a duplicate: others may be about an answer to a challenge) DISCHARGE              behind an
 * ACCEPT or a REJECT, if the cloud's is RELEASE                behind an ACK whose top is not below
 * it, if the cloud's is WINDOW                 behind the answer to the challenge, if the device's
 * is
 */
#ifndef BROWNOUT_SIM_EVIDENCE_CAUSE_H
#define BROWNOUT_SIM_EVIDENCE_CAUSE_H

#include "core/posix/evidence_line.h"
#include "sim/map.h"

enum {
    EVIDENCE_NODE_MAX = 65535,       /* the highest number of a node */
    EVIDENCE_MESSAGES_MAX = 1 << 23, /* acts that are remembered; beyond, nothing waits */
};

struct evidence_ack {
    uint32_t epoch;
    uint64_t top;
};

struct evidence_causes {
    bool present[EVIDENCE_NODE_MAX + 1];             /* the node's log is here */
    bool has_gateway, has_cloud;                     /* and so is one of these */
    struct evidence_ack acks[EVIDENCE_NODE_MAX + 1]; /* of each device, the highest */
    struct map seen;
};

void evidence_cause_init(struct evidence_causes *causes);
void evidence_cause_free(struct evidence_causes *causes);
/* The line is told: what it causes may follow. */
void evidence_cause_remember(struct evidence_causes *causes, const struct evidence_line *line);
/* Was its cause told, as far as it has one? */
bool evidence_cause_seen(const struct evidence_causes *causes, const struct evidence_line *line);

#endif
