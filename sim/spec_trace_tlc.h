/* A pack of traces as a TLA+ module that TLC runs, and what TLC says of them.
 *
 * The module extends the spec, and follows each trace by the spec's own actions: a step is taken if
 * the action of the event can take place, what was seen is true behind it, and all that the spec
 * claims of states and of steps holds. A trace that comes to its end is printed; one that does not
 * is stuck where the spec does not allow what happened.
 */
#ifndef BROWNOUT_SIM_SPEC_TRACE_TLC_H
#define BROWNOUT_SIM_SPEC_TRACE_TLC_H

#include "sim/spec_config.h"
#include "sim/spec_pack.h"

enum { SPEC_WHY_BYTES = 640 };

struct spec_trace_module {
    const struct spec_pack *pack;
    const struct spec_config *config; /* whose invariants and properties are checked */
    const char *text;                 /* of the spec; NULL: no reasons are asked for */
    bool refines; /* TLC also looks whether each step is one of the spec's Next, which it is by
                     construction: slow, and only for small constants */
};

/* Trace.tla and Trace.cfg, into a folder. */
bool spec_trace_write(const struct spec_trace_module *module, const char *folder, char *error,
                      size_t error_bytes);

/* Which traces TLC followed to their end: accepted[trace_count] of what it printed into `path`. */
bool spec_trace_read_accepted(const struct spec_pack *pack, const char *path, bool *accepted,
                              char *error, size_t error_bytes);

/* Where a trace is stuck, and why. */
struct spec_stuck {
    bool is_stuck;
    uint32_t index;           /* of the event that the spec does not allow */
    char why[SPEC_WHY_BYTES]; /* the guard, the claim, or the variable with both values */
    char *state;              /* before it, a line a variable; owned */
};
/* stuck[trace_count], of what TLC printed of a module with reasons. */
bool spec_trace_read_stuck(const struct spec_trace_module *module, const char *path,
                           struct spec_stuck *stuck, char *error, size_t error_bytes);

#endif
