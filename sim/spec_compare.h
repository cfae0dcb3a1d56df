/* The graph that TLC dumped, held against the model, both ways. */
#ifndef BROWNOUT_SIM_SPEC_COMPARE_H
#define BROWNOUT_SIM_SPEC_COMPARE_H

#include "sim/spec_dump.h"

/* From each state of the dump, the same (action, state) pairs; and the same initial states. False:
 * error names the action, the variable and both values. */
bool spec_compare_graph(const struct spec_instance *instance, const struct spec_dump *dump,
                        char *error, size_t error_bytes);

#endif
