/* spec.session: every reading, on its way from its device through gateways to the cloud, judged by
 * specs/Session (models/spec_session.c, in its single form), step by step as
 * models/follow_session.h tells them.
 */
#ifndef BROWNOUT_MODELS_JUDGE_SESSION_H
#define BROWNOUT_MODELS_JUDGE_SESSION_H

#include "models/ruling.h"

struct judge_session;

size_t judge_session_size_bytes(const struct judge_config *config);
/* In zeroed memory; config and ruling are borrowed. */
void judge_session_init(struct judge_session *judge, const struct judge_config *config,
                        struct ruling *ruling);
void judge_session_observe(struct judge_session *judge, const struct observation *observation);
/* Void at a node from here on; 0: everywhere. */
void judge_session_leave(struct judge_session *judge, uint32_t node);
/* Devices, and readings of the others, that are no longer followed. */
uint32_t judge_session_unfollowed(const struct judge_session *judge);
uint64_t judge_session_unfollowed_readings(const struct judge_session *judge);
/* Steps that were taken, of all readings; action < SPEC_ACTIONS_MAX. */
uint64_t judge_session_steps(const struct judge_session *judge, uint32_t action);

#endif
