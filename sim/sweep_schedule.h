/* Which jobs a sweep has, and in which order: a function of the request alone, so that shards,
 * merged, are the whole, and --resume knows what is missing.
 *
 * A round is one seed with each scenario. Job j is scenario j % scenario_count in the shard's round
 * j / scenario_count. A scenario whose runs soon repeat each other says so (run.sweep_every = k):
 * of each k rounds in a row it has one, in the first k the first, in the next the second, and so
 * on: with whatever number of shards each of them has its share.
 */
#ifndef BROWNOUT_SIM_SWEEP_SCHEDULE_H
#define BROWNOUT_SIM_SWEEP_SCHEDULE_H

#include "sim/sweep.h"

enum { SWEEP_EVERY_MAX = 64 };

/* Ask each scenario for its run.sweep_every; the request's settings come before it. One that cannot
 * be read has all seeds: its run says what is wrong. */
void sweep_schedule_read(struct sweep_request *request);

/* One behind the last job; some before it may be left out. */
uint64_t sweep_schedule_end(const struct sweep_request *request);
/* Is this job (< end) lived? */
bool sweep_schedule_has(const struct sweep_request *request, uint64_t job);
/* How many are. */
uint64_t sweep_schedule_count(const struct sweep_request *request);

uint32_t sweep_schedule_scenario(const struct sweep_request *request, uint64_t job);
uint64_t sweep_schedule_seed(const struct sweep_request *request, uint64_t job);

#endif
