/* A walk of a spec as a scenario of the simulated world: the same constants, and the same faults at
 * the same words of the same nodes. What is no fault the fleet does by itself, when it comes to it.
 */
#ifndef BROWNOUT_SIM_SPEC_SCENARIO_H
#define BROWNOUT_SIM_SPEC_SCENARIO_H

#include "sim/drive.h"

enum { SCENARIO_MOVES_MAX = 4096 };

struct spec_moves {
    uint32_t count;
    struct spec_move list[SCENARIO_MOVES_MAX];
};

/* The moves are enabled one after the other, from the instance's initial state. If the last one is
 * no fault, power goes behind it, so that what is not durable shows. False: error says which step
 * no strike can do. */
bool spec_scenario_write(const struct driver *driver, const struct spec_instance *instance,
                         const struct spec_moves *moves, FILE *file, char *error,
                         size_t error_bytes);

#endif
