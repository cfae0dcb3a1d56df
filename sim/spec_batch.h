/* Traces of one law, put to TLC: many a JVM, several JVMs at once.
 *
 * Each batch holds a canary as well, a copy of a trace with one wrong sight. A TLC that accepts it
 * looks at nothing, and its word is worth nothing.
 */
#ifndef BROWNOUT_SIM_SPEC_BATCH_H
#define BROWNOUT_SIM_SPEC_BATCH_H

#include "sim/spec_call.h"
#include "sim/spec_trace_tlc.h"

enum {
    SPEC_BATCH_EVENTS_MAX = 100000, /* more take a JVM's memory, and no less time */
    SPEC_BATCH_EVENTS_MIN = 5000,   /* fewer are not worth another JVM */
    SPEC_REASONS_MAX = 10,          /* rejected traces that are looked into, of each batch */
};

struct spec_trials {
    struct spec_call *call; /* with its TLC found; its jobs say how many JVMs at once */
    const struct spec_folder *folder;
    uint64_t bounds;  /* bits of constants that only bound domains: a batch has the greatest of its
                         traces'. All others are the same for all traces of a batch */
    bool refines;     /* see struct spec_trace_module */
    uint32_t folders; /* in the call's shop: the next one has this number */
    uint32_t trace_count;
    const struct spec_trace *const *traces;
    /* What came of it. */
    bool *accepted;           /* [trace_count] */
    struct spec_stuck *stuck; /* [trace_count]: of those that were rejected and looked into */
    uint32_t batch_count, canary_count; /* canaries that were rejected, as they have to be */
    uint64_t events, numbers, states;
    uint64_t tlc_us;     /* wall time of all that judged */
    uint64_t reasons_us; /* and of looking into what was rejected */
};

/* False: the harness failed, error says how: TLC itself, a value that cannot be written, a canary
 * that was accepted. The result is to be freed in any case. */
bool spec_trials_hold(struct spec_trials *trials, char *error, size_t error_bytes);
void spec_trials_free(struct spec_trials *trials);

/* The configuration whose claims are checked: the first MC*.cfg. NULL: there is none. */
const struct spec_config *spec_trials_config(const struct spec_folder *folder);

#endif
