/* The message-level attacker: a compromised gateway that speaks valid MQTT with a valid key.
 *
 * To devices it is a gateway that takes custody and then delays, drops, reorders or duplicates; it
 * hands them old or corrupted acks and challenges from the capture. To the cloud it is a gateway
 * that forwards what it holds, replays captured envelopes of any device, and sends corrupted and
 * forged ones (flipped bits, a huge counter in a payload whose signature cannot match), under its
 * own good signature. And it floods honest gateways with links (flood.h). What it may do is
 * switched by the plan (effects attack_*), each with a chance per message (a flood: with a number
 * of links). With all of them off it is an honest gateway without a disk. It says no evidence:
 * nobody trusts its word.
 */
#ifndef BROWNOUT_SIM_ROGUE_H
#define BROWNOUT_SIM_ROGUE_H

#include <stddef.h>

#include "core/event.h"
#include "sim/fleet.h"

size_t rogue_size_bytes(const struct rogue_config *config);
void rogue_init(void *rogue, const void *config, const struct port *port);
void rogue_step(void *rogue, const struct port *port, const struct event *event);
uint64_t rogue_deadline_us(const void *rogue);

/* What all rogues of the fleet did so far. */
const struct rogue_counts *rogue_counts(const void *rogue);

#endif
