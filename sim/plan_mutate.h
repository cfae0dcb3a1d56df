/* New plans from old ones, for a search that is guided by what plans showed: a fault more or less,
 * elsewhere or at another time, longer or stronger; what one plan has until an instant and another
 * one from there on; or the same faults and other draws.
 */
#ifndef BROWNOUT_SIM_PLAN_MUTATE_H
#define BROWNOUT_SIM_PLAN_MUTATE_H

#include "sim/plan.h"
#include "sim/random.h"

/* Change `plan` in one to PLAN_MUTATE_STEPS_MAX ways. From then on its entries are filed by their
 * time (by_time). other: what is spliced in comes from there, where the fleets are alike; NULL:
 * nothing is. Each entry of the outcome can strike (plan_entry_check). */
enum { PLAN_MUTATE_STEPS_MAX = 4 };
void plan_mutate(struct plan *plan, const struct plan *other, struct random_stream *draws);
/* What `plan` has before an instant, and what `other` has from there on. Filed by time as well. */
void plan_splice(struct plan *plan, const struct plan *other, struct random_stream *draws);

#endif
