/* A run as steps of the Telemetry spec, for each device (models/follow.h).
 *
 *   what is heard                        what is told
 *   RESERVE, SIGN, STORE, SHED, SEND,    the action of that name. Numbers that were drawn without a
 *   RELEASE, LOSE                        word since (Skip) go ahead of it
 *   OUTBOX with its KEPTs                PowerLoss, ahead of it what the cut left unsaid: a Store
 *                                        whose reading came back, a Compact for each forgotten one
 *                                        that did not; behind it a Reserve that shows, and Found
 * for each epoch that began RESPOND                              Respond, while a challenge is out:
 * an answer to one that the cloud has forgotten is worth nothing, and one to an older nonce counts
 * as one to the newest CHALLENGE, WINDOW, ACCEPT, ACK       the action of that name REJECT Reject,
 * where a reading was refused COMMIT                               Commit, to each device that it
 * changes something for REFUSE for want of room              CloudLoss, likewise an image of the
 * cloud                Commit, where one that was in doubt shows; CloudLoss, whose sights are what
 * the image holds. At the end of a run too: that is what a loss of power would leave
 *
 * What a body holds is no part of it: telemetry.authentic compares bodies.
 *
 * No heap: the caller provides the memory, zeroed. A step costs about O(1); RELEASE, SHED and
 * RESERVE look for their reading among the slots in use, a boot at all of them.
 */
#ifndef BROWNOUT_MODELS_FOLLOW_TELEMETRY_H
#define BROWNOUT_MODELS_FOLLOW_TELEMETRY_H

#include "models/follow.h"

/* Epochs and numbers that can be told; a device that needs more is no longer followed. */
enum { FOLLOW_EPOCHS_MAX = 8, FOLLOW_COUNTER_MAX = 1 << 30 };

struct follow_telemetry;

size_t follow_telemetry_size_bytes(const struct judge_config *config);
/* config and ctx are borrowed. Where config->reserve is 0 nobody is followed. */
void follow_telemetry_init(struct follow_telemetry *follow, const struct judge_config *config,
                           follow_listener *listener, void *ctx);
void follow_telemetry_observe(struct follow_telemetry *follow,
                              const struct observation *observation);
/* The constants of the spec for one device of this run, in the order of telemetry.def:
 * [SPEC_CONSTANTS_MAX]. Budgets of faults are unlimited. */
void follow_telemetry_constants(const struct judge_config *config, int32_t *k);
/* From here on nothing is told of the device `node`, 0: of any. */
void follow_telemetry_leave(struct follow_telemetry *follow, uint32_t node);
/* Devices that are no longer followed, for whatever reason: the listener wanted no more, a fault
 * voids the law, numbers or epochs beyond what can be told, an image that cannot be read. */
uint32_t follow_telemetry_left(const struct follow_telemetry *follow);

#endif
