/* What kind of failure a run ended in: what two runs must have in common to have failed alike. */
#ifndef BROWNOUT_SIM_FAILURE_H
#define BROWNOUT_SIM_FAILURE_H

#include <stdbool.h>

#include "sim/run.h"

enum { FAILURE_BYTES = 320 };

/* As a text:
 *   a broken law    the law, and the name of the first bad evidence (or truth) that broke it
 *   core.check      the CHECK: file, line and condition
 *   an expectation  its figure
 *   a crash         the signal that the program died of
 *   two hashes      of one plan
 * "": it did not fail, or nobody can tell how (no end in time, no memory, a function of Lua). */
void failure_kind(const struct run_result *result, char kind[FAILURE_BYTES]);

/* Did its process die of a signal of its own? (Not of a timeout, and not for want of memory.) */
bool failure_is_crash(const struct run_result *result);

#endif
