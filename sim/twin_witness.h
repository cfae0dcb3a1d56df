/* A plan, put to determinism: two processes live it, with other addresses, memory and environment.
 */
#ifndef BROWNOUT_SIM_TWIN_WITNESS_H
#define BROWNOUT_SIM_TWIN_WITNESS_H

#include "sim/witness.h"

/* Live request->plan twice by `program`, up to request->until_event; whatever else the request says
 * is not looked at. The verdict is NONDETERMINISTIC where the hashes or the events differ, PASS
 * where they are the same (whatever became of the laws), and UNKNOWN, with a message, where there
 * is no answer. Of the result only verdict, message and events are set. TMPDIR takes the plan
 * meanwhile. The witness is freed by the caller. */
void twin_witness(const char *program, const struct run_request *request, struct witness *witness);

#endif
