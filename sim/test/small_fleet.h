/* A fleet of one cloud, two gateways and three devices, for tests: half an hour of it, under ideal
 * signatures. */
#ifndef BROWNOUT_TEST_SMALL_FLEET_H
#define BROWNOUT_TEST_SMALL_FLEET_H

#include "sim/plan.h"

void small_fleet(struct plan *plan, uint64_t seed);

/* A setting as a scenario has it; what is refused ends the test. */
void small_fleet_set(struct plan *plan, const char *key, const char *value);

#endif
