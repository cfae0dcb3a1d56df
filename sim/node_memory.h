/* What a node keeps in its own chip, and what a fall leaves of it: flash, monotonic counters,
 * retained RAM. The part of node.h's port that is about them; private to node.c and node_port.c.
 */
#ifndef BROWNOUT_SIM_NODE_MEMORY_H
#define BROWNOUT_SIM_NODE_MEMORY_H

#include "sim/node.h"

/* Fill in the port's functions, and the geometry of the node's part. */
void node_memory_port(const struct node *node, struct port *port);

/* The node fell: a cache comes to rest when a process dies, and loses what power takes; retained
 * RAM outlives the one and not the other. */
void node_memory_fall(struct node *node, enum node_fall fall, uint64_t key);

/* One of the effects flash_* begins (or ends). What it strikes is drawn from node, effect and time:
 * another strike more moves no other. Bad sectors, stuck bits and wear are for good. What single
 * bits do depends on the bytes that they meet: under such faults two crypto providers, whose
 * signatures differ, have two histories. */
void node_memory_strike(struct node *node, const struct plan_entry *entry, uint64_t now_us,
                        bool on);

#endif
