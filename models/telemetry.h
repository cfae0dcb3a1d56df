/* The life of a reading: signed, stored, sent, accepted, released or shed.
 * Laws: telemetry.once, .authentic, .durable, .nonce, .window, device.outbox, liveness.delivered,
 * liveness.acked, and of resources.bounds the outbox.
 *
 * A device's readings live in a ring by counter. What is older than the ring has been resolved
 * (released or shed) and is remembered as a number only: how many of those were accepted.
 */
#ifndef BROWNOUT_MODELS_TELEMETRY_H
#define BROWNOUT_MODELS_TELEMETRY_H

#include "models/ruling.h"

struct telemetry_model;

size_t telemetry_size_bytes(const struct judge_config *config);
/* In zeroed memory; keeps config. */
void telemetry_init(struct telemetry_model *model, const struct judge_config *config);
void telemetry_observe(struct telemetry_model *model, const struct observation *observation,
                       struct ruling *ruling);
/* After TRUTH_END: devices whose readings did not all arrive, and which were at it to the end. */
uint32_t telemetry_recovering(const struct telemetry_model *model);

#endif
