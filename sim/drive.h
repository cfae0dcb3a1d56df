/* The real core, driven along walks of its spec: each action becomes the calls, messages and faults
 * that it stands for, and behind each step all that can be observed must be what the spec says.
 */
#ifndef BROWNOUT_SIM_DRIVE_H
#define BROWNOUT_SIM_DRIVE_H

#include "sim/spec_instance.h"

enum drive_outcome {
    DRIVE_DONE,
    DRIVE_UNDRIVEN, /* a correct core cannot show it here: *why, which specs/<Law>/UNDRIVEN has to
                       list for this action */
    DRIVE_FAILED,   /* the core did something else: *why */
};

struct driver {
    const char *law; /* as in models/specs.def */
    /* A core in the spec's initial state, configured with the instance's constants. The driver owns
     * it until end(). NULL: error says what the core cannot be configured to. */
    void *(*begin)(const struct spec_instance *instance, char *error, size_t error_bytes);
    /* why: static text, or NULL with DRIVE_DONE. */
    enum drive_outcome (*act)(void *rig, const struct spec_move *move, const char **why);
    /* The observable cells of the instance: values in cells[i] where seen[i]. */
    void (*look)(void *rig, int32_t *cells, bool *seen);
    void (*end)(void *rig);
};

/* All laws that have one; NULL: none for this law. */
const struct driver *driver_of(const char *law);

#endif
