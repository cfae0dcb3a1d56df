/* A run as steps of specs/Session, for each reading (models/follow.h).
 *
 * The spec has a few readings of a few devices, one gateway and one link between each two. A run
 * has no such bounds; so what is followed is an instance with one device, one reading and one
 * gateway, for each reading of each device, from the moment that it is stored until it is neither
 * held by its device nor in any queue (and a while longer, for a boot may bring it back):
 *
 *   the device, its link     of the readings there is this one. The link is the one that it was
 *                            last sent on; the device is taken to leave it when it sends the
 *                            reading on another one, whatever made it leave: a copy may come late
 *   the gateway              all gateways together: rows, done, owed, flying and confirms count the
 *                            copies that there are in all queues, and on all links to the cloud.
 *                            What befalls one gateway alone is told as what it does to this
 *                            reading: a restart is RestartGateway, or, where another gateway has
 *                            copies under way or the device is linked to another one, a Break and
 *                            a BreakUplink, and what others have under way is handed over again
 *   QueueMax                 that of a gateway. Of other readings in the queue nothing is known:
 *                            a refusal for want of room is a link that breaks
 *   Windows                  has the cloud a window for the device? As it is when the cloud first
 *                            looks at this reading; up to there no action asks
 *   acked                    an ack covers all that is kept, and is sent again and again: it is
 *                            never told to be lost, so that a device may let go of what is kept
 *
 *   what is heard                  what is told
 *   STORE (or KEPT, where power    Sign
 *   took the word)
 *   LINK of the device, SEND       Break, Leave, Connect, Send. A second SEND, while the fate of
 *                                  the first is unknown, is told when something shows which of
 *                                  the two arrived
 *   COMMIT and CUSTODY of a        Insert, GatewayCommit; the commit deletes what is done
 *   gateway
 *   REFUSE                         Break
 *   LINK of a gateway, FORWARD     BreakUplink, Join, Forward
 *   DISCHARGE                      Discharge
 *   ACCEPT, REJECT                 Accept; Duplicate or Challenge, by the reason
 *   RESPOND, WINDOW                Respond, Window, for what was challenged
 *   COMMIT, ACK of the cloud       CloudCommit; at an ack nothing is left to commit
 *   RELEASE                        Release
 *   OUTBOX with its KEPTs          RestartDevice, whose sight is whether it is held again; Forget,
 *                                  where it has not come back
 *   an image of a gateway          Insert and GatewayCommit of what was committed and not said; the
 *                                  rows that there are; RestartGateway
 *   an image of the cloud          CloudCommit, where one that was in doubt shows; is what was kept
 *                                  there; RestartCloud, once a link is new: what the cloud said
 *                                  on the old ones may come to gateways after its fall
 *   REFUSE of the cloud            RestartCloud, of what it gives back
 *
 * A compromised gateway says nothing. Where it was the one that the reading was sent to, what the
 * cloud accepts of it shows what it did; what it sends a second time changes nothing.
 *
 * A reading is followed no further (and counted) where it is shed, for the spec leaves that out;
 * where a copy comes late, over a link that was given up, behind one that was sent after it; where
 * an attacker it was not sent to has one; where a gateway falls while another one has copies under
 * way whose state nothing shows; in more than FOLLOW_SESSION_PLACES queues at once; where a fault
 * of a gateway's disk voids the law; and where there is no room. A device: where its flash forgets,
 * or the law was broken.
 *
 * No heap: the caller provides the memory, zeroed. O(1) for what is said of one reading; a boot, a
 * new window and an image look at all readings that are followed. Liveness is not judged here, nor
 * the order of a device's readings, nor the length of a queue.
 */
#ifndef BROWNOUT_MODELS_FOLLOW_SESSION_H
#define BROWNOUT_MODELS_FOLLOW_SESSION_H

#include "models/follow.h"

enum { FOLLOW_SESSION_PLACES = 3 };

struct follow_session;
struct single_session;

/* Hears a step of a reading, which takes it; false: tell no more of its device. */
typedef bool follow_session_listener(void *ctx, struct single_session *reading,
                                     const struct follow_step *step);

size_t follow_session_size_bytes(const struct judge_config *config);
/* config and ctx are borrowed. Where config->reserve is 0 nobody is followed. */
void follow_session_init(struct follow_session *follow, const struct judge_config *config,
                         follow_session_listener *listener, void *ctx);
void follow_session_observe(struct follow_session *follow, const struct observation *observation);
/* The constants of the spec for one reading of this run: [SPEC_CONSTANTS_MAX]. Budgets of faults
 * are unlimited. */
void follow_session_constants(const struct judge_config *config, int32_t *k);
/* From here on nothing is told of the device `node`, of what comes through the gateway `node`; 0:
 * of anything. */
void follow_session_leave(struct follow_session *follow, uint32_t node);
/* Devices, and readings of the others, that are followed no further. */
uint32_t follow_session_left(const struct follow_session *follow);
uint64_t follow_session_left_readings(const struct follow_session *follow);

#endif
