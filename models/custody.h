/* What a gateway has taken upon itself: in custody until the cloud has confirmed it.
 * Laws: gateway.custody, and of resources.bounds the queue.
 */
#ifndef BROWNOUT_MODELS_CUSTODY_H
#define BROWNOUT_MODELS_CUSTODY_H

#include "models/ruling.h"

struct custody_model;

size_t custody_size_bytes(const struct judge_config *config);
/* In zeroed memory; keeps config. */
void custody_init(struct custody_model *model, const struct judge_config *config);
void custody_observe(struct custody_model *model, const struct observation *observation,
                     struct ruling *ruling);

#endif
