#include "sim/test/small_fleet.h"

#include <stdio.h>
#include <stdlib.h>

void small_fleet_set(struct plan *plan, const char *key, const char *value)
{
    char error[256];
    if (!settings_set(&plan->settings, key, value, error, sizeof error)) {
        fprintf(stderr, "%s\n", error);
        exit(1);
    }
}

void small_fleet(struct plan *plan, uint64_t seed)
{
    plan_init(plan, seed);
    small_fleet_set(plan, "crypto", "ideal");
    small_fleet_set(plan, "fleet.gateways", "2");
    small_fleet_set(plan, "fleet.devices", "3");
    small_fleet_set(plan, "run.duration", "20m");
    small_fleet_set(plan, "run.heal", "15m");
    small_fleet_set(plan, "sample_every", "20s");
}
