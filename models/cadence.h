/* When a device samples: once a period of true time while it runs, whatever its wall clock says.
 * Law: time.cadence.
 */
#ifndef BROWNOUT_MODELS_CADENCE_H
#define BROWNOUT_MODELS_CADENCE_H

#include "models/ruling.h"

struct cadence_model;

size_t cadence_size_bytes(const struct judge_config *config);
/* In zeroed memory; keeps config. */
void cadence_init(struct cadence_model *model, const struct judge_config *config);
void cadence_observe(struct cadence_model *model, const struct observation *observation,
                     struct ruling *ruling);

#endif
