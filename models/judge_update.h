/* spec.update: every device whose firmware is managed, judged by specs/Update
 * (models/spec_update.c), step by step as models/follow_update.h tells them.
 */
#ifndef BROWNOUT_MODELS_JUDGE_UPDATE_H
#define BROWNOUT_MODELS_JUDGE_UPDATE_H

#include "models/model.h"
#include "models/ruling.h"

struct judge_update;

/* 0 where firmware is not managed. */
size_t judge_update_size_bytes(const struct judge_config *config);
/* config is kept. */
void judge_update_init(struct judge_update *judge, const struct judge_config *config);
void judge_update_observe(struct judge_update *judge, const struct observation *observation,
                          struct ruling *ruling);
/* Devices that are not followed any more, though nothing was wrong with them: too much could have
 * happened to them unsaid. */
uint32_t judge_update_unfollowed(const struct judge_update *judge);

#endif
