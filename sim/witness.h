/* A run and its witness: one that broke a law is run again at once from its plan, now with its last
 * items kept. That costs nothing where all is well, and proves in passing that the failure repeats.
 */
#ifndef BROWNOUT_SIM_WITNESS_H
#define BROWNOUT_SIM_WITNESS_H

#include <stdbool.h>

#include "sim/run.h"
#include "sim/trace.h"

struct witness {
    struct run_result result;
    char *plan; /* text of the plan as it was lived; NULL: the run passed (and request->keep_plan
                   is not set), or never began */
    struct trace
        trace; /* of a broken law; or what the caller had opened and put into the request */
};

/* If request->options.item is set, the caller watches, and the run is not repeated. A repetition
 * with another hash turns the verdict into NONDETERMINISTIC. request->twice: one that passed is
 * repeated as well, from its beginning. */
void witness_run(const struct run_request *request, struct witness *witness);
void witness_free(struct witness *witness);

/* The plan's text; to be freed. */
char *witness_plan_text(const struct plan *plan);

#endif
