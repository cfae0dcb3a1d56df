/* Swarm testing (Groce et al., ISSTA 2012): a run with some features off, and each of the others at
 * a magnitude of its own, finds what a run with a little of everything hides.
 *
 * Drawn from the seed, over what the scenario says, each from a stream of its own
 * ("swarm/<what>"):
 *   topology        gateways, rogues, devices, how many gateways a device knows
 *   configuration   windows, reserves, outboxes, queues, timeouts: what core has to bear
 *   workload        whether there is a shape at all; busy and idle devices, bursts,
 *                   packet ids that wrap (workload.*)
 *   latitude        what the port may do (latitude.*)
 *   links, flash    profiles of links; sectors, how large and how many, and program units
 *   faults          first how likely a class is at all in this run, and whether those that hide
 *                   others (suppressors) are all but off; then each class: on or off, how often,
 *                   how long, whom
 *   heal            all of the fleet, or a core that is enough (sim/heal_core.h)
 * The scenario's durations stay, and its sample period within a factor of eight.
 */
#ifndef BROWNOUT_SIM_SWARM_H
#define BROWNOUT_SIM_SWARM_H

#include "sim/plan.h"

/* Is this run one that a swarm draws? run.swarm: no run is, each is, or every other one (half), by
 * the seed. */
bool swarm_is_drawn(const struct plan *plan);

/* plan: its seed and the scenario's settings. Its expectations go: they speak of the scenario's own
 * fleet. */
void swarm_draw(struct plan *plan);

#endif
