/* One reading on its way, judged by the Session law: the code that equals the spec
 * (models/spec_session.c) with room for one device and one reading. No heap.
 */
#ifndef BROWNOUT_MODELS_SINGLE_SESSION_H
#define BROWNOUT_MODELS_SINGLE_SESSION_H

#include "models/follow.h"
#include "models/spec_ruling.h"

struct single_session;

/* In zeroed memory. k: follow_session_constants, or any with one device and one reading. */
void single_session_init(struct single_session *single, const int32_t *k);
/* Device and reading of the move are 1; sights are of the relation FOLLOW_IS. Of the claims those
 * are looked at that the action could break. False: the law does not allow the step, or the run
 * shows something else; the state is as it was. */
bool single_session_take(struct single_session *single, const int32_t *k,
                         const struct follow_step *step);
/* Why it was not taken; judge: of spec_session, under the same constants. */
void single_session_explain(const struct single_session *single, const struct spec_ruling *judge,
                            const struct follow_step *step, struct spec_finding *out);
/* The state as the law's table has it: spec_session.state_words. */
void single_session_expand(const struct single_session *single, const int32_t *k, int32_t *words);
/* The constants of its instance: `run`, with what is this reading's own. Windows is known from the
 * moment on at which the cloud first looks at it; no action asks before. */
void single_session_constants(const struct single_session *single, const int32_t *run, int32_t *k);
/* What state it is, but for the faults that there were, as a hash: for coverage. */
uint32_t single_session_shape(const struct single_session *single);

#endif
