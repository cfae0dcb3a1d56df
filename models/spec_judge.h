/* The laws that are proven equal to a spec, as judges of a run: evidence becomes steps
 * (models/follow.h), and each device takes them in its model, which either allows them or does not.
 * Today: spec.telemetry.
 *
 * A device whose law was broken or is void, or that is beyond what can be told or kept of it, is no
 * longer followed; it is counted.
 */
#ifndef BROWNOUT_MODELS_SPEC_JUDGE_H
#define BROWNOUT_MODELS_SPEC_JUDGE_H

#include "models/ruling.h"

struct spec_judge;

size_t spec_judge_size_bytes(const struct judge_config *config);
/* In zeroed memory; config and ruling are borrowed. */
void spec_judge_init(struct spec_judge *judge, const struct judge_config *config,
                     struct ruling *ruling);
void spec_judge_observe(struct spec_judge *judge, const struct observation *observation);
/* Void at a node from here on; 0: everywhere. */
void spec_judge_leave(struct spec_judge *judge, uint32_t node);
/* Devices that are no longer followed. */
uint32_t spec_judge_left(const struct spec_judge *judge);

#endif
