/* The liveness phase may heal a part of the fleet only: a core that is enough. What is left out
 * stays down or cut for good, and whoever still has a way must find it.
 *
 * What is left out stands in the plan, as entries of two effects that hold from heal on, whenever
 * they were filed: left_dark (a gateway, a rogue or a device without power) and left_cut (nothing
 * passes between two nodes, or to and from one). So it is printed, stored, replayed and shrunk as
 * faults are. run.heal_core draws them.
 *
 * A device is asked for its readings, and for what it runs, if there is a way for it: it and a
 * gateway that it knows have power, and nothing is cut from it to that gateway nor from there to
 * the cloud. One gateway must have room for all devices that are not left out themselves
 * (gateway.sessions): else none is asked, as soon as anything is left out.
 */
#ifndef BROWNOUT_SIM_HEAL_CORE_H
#define BROWNOUT_SIM_HEAL_CORE_H

#include "sim/plan.h"

/* Does it hold from heal on, and say what is left out? */
bool heal_core_is_left(enum effect effect);

/* Append what run.heal_core leaves out, drawn from the plan's seed: own streams
 * ("heal_core/<node>"), so that no other draw moves. Each device that is not left out itself has a
 * way. Nothing where the setting says no. False: no room in the plan. */
bool heal_core_draw(struct plan *plan);

/* left[node]: a device that is not asked, because it has no way. holds: which entries of the plan
 * hold, [entry_count]; NULL: all. left: [fleet_node_count() + 1]. Returns how many there are. */
uint32_t heal_core_left(const struct plan *plan, const bool *holds, bool *left);

/* "without gw2 (dark), dev1-gw1"; "" where all is healed. What has no room is counted. */
void heal_core_print(const struct plan *plan, char *text, size_t text_bytes);

#endif
