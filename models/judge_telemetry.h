/* spec.telemetry: every device, and what the cloud does for it, judged by specs/Telemetry
 * (models/spec_telemetry.c, in its wide form), step by step as models/follow_telemetry.h tells
 * them.
 *
 * A device whose law was broken or is void, or that is beyond what can be told or kept of it, is no
 * longer followed; it is counted.
 */
#ifndef BROWNOUT_MODELS_JUDGE_TELEMETRY_H
#define BROWNOUT_MODELS_JUDGE_TELEMETRY_H

#include "models/ruling.h"

struct judge_telemetry;

size_t judge_telemetry_size_bytes(const struct judge_config *config);
/* In zeroed memory; config and ruling are borrowed. */
void judge_telemetry_init(struct judge_telemetry *judge, const struct judge_config *config,
                          struct ruling *ruling);
void judge_telemetry_observe(struct judge_telemetry *judge, const struct observation *observation);
/* Void at a node from here on; 0: everywhere. */
void judge_telemetry_leave(struct judge_telemetry *judge, uint32_t node);
/* Devices that are no longer followed. */
uint32_t judge_telemetry_unfollowed(const struct judge_telemetry *judge);
/* Steps that were taken, of all devices; action < SPEC_ACTIONS_MAX. */
uint64_t judge_telemetry_steps(const struct judge_telemetry *judge, uint32_t action);

#endif
