/* What one end of an MQTT 5 session has received and not seen through: QoS 1 and 2 (section 4.3),
 * the order of acknowledgements (4.6), its own Receive Maximum (4.9). The same for client and
 * server. The other half is sender.h.
 *
 * No I/O, no clock, no heap, no pointers. A message of QoS 2 is told once, over reconnects too, and
 * over restarts if the role stores the identifiers of mqtt_arrival_owned before it lets PUBREC go,
 * and gives them back with mqtt_receiver_restore. DUP is never looked at [MQTT-4.3.2-5], nor the
 * expiry [MQTT-4.3.3-13].
 *
 * Use: mqtt_receiver_publish for each PUBLISH; mqtt_receiver_answer once the role has taken or
 * refused the message, both of which acknowledge it [MQTT-4.5.0-2]; mqtt_receiver_due and _acked
 * for what is to be sent; mqtt_receiver_release for PUBREL.
 */
#ifndef BROWNOUT_CORE_MQTT_RECEIVER_H
#define BROWNOUT_CORE_MQTT_RECEIVER_H

#include "core/mqtt/packet.h"

enum mqtt_arrival_state {
    MQTT_ARRIVAL_PENDING,  /* with the role */
    MQTT_ARRIVAL_ANSWERED, /* to be acknowledged, behind those that came before it */
    MQTT_ARRIVAL_ACCEPTED, /* QoS 2: PUBREC went, or would have; PUBREL is awaited */
};

struct mqtt_arrival {
    uint16_t packet_id;
    uint8_t qos;    /* 1 or 2 */
    uint8_t state;  /* enum mqtt_arrival_state */
    uint8_t reason; /* ANSWERED */
    bool counted;   /* its PUBLISH came on this connection: it counts against receive_maximum */
};

/* A peer may have as many unreleased from its last connection as it may send on this one. */
enum { MQTT_ARRIVALS_MAX = 2 * MQTT_INFLIGHT_MAX };

struct mqtt_receiver {
    uint16_t receive_maximum; /* what this end says: 1..MQTT_INFLIGHT_MAX */
    uint16_t count;
    struct mqtt_arrival arrivals[MQTT_ARRIVALS_MAX]; /* in the order of their last PUBLISH */
};

enum mqtt_arrived {
    MQTT_ARRIVED_NEW,   /* for the role; with QoS > 0 it owes an answer */
    MQTT_ARRIVED_AGAIN, /* not for the role: it has it, or had it; answered here */
};

void mqtt_receiver_init(struct mqtt_receiver *receiver, uint16_t receive_maximum);
/* Whether the message is the role's now, and must not be told again: of QoS 2, and taken. */
bool mqtt_arrival_owned(const struct mqtt_arrival *arrival);
/* After init and before a connection: an identifier that was owned.
 * ERR_OK | ERR_FULL | ERR_CORRUPT (0, or there already). */
enum err mqtt_receiver_restore(struct mqtt_receiver *receiver, uint16_t packet_id) MUST_USE;
/* The connection is gone, the session stays: QoS 1 that is not acknowledged will come again, QoS 2
 * is remembered. */
void mqtt_receiver_disconnected(struct mqtt_receiver *receiver);
/* The session is over, or a new one begins: forget all. */
void mqtt_receiver_discard(struct mqtt_receiver *receiver);

/* A PUBLISH of any QoS. 0, or the reason to refuse it: 0x93 (more than receive_maximum at once
 * [MQTT-3.3.4-7] [MQTT-3.3.4-9]), 0x82 (QoS 1 sent again on one connection). */
uint8_t mqtt_receiver_publish(struct mqtt_receiver *receiver, const struct mqtt_packet *packet,
                              enum mqtt_arrived *arrived) MUST_USE;
/* The role's answer to a message that was NEW: a reason of PUBACK and PUBREC. It may come late: of
 * a QoS 2 message also on the next connection. False, and without effect, for what is not PENDING.
 */
bool mqtt_receiver_answer(struct mqtt_receiver *receiver, uint16_t packet_id, uint8_t qos,
                          uint8_t reason);
/* Which PUBACK or PUBREC is to be sent now, if one is: in the order of the PUBLISHes
 * [MQTT-4.6.0-2] [MQTT-4.6.0-3]. Then call mqtt_receiver_acked. */
bool mqtt_receiver_due(const struct mqtt_receiver *receiver, struct mqtt_arrival *next) MUST_USE;
/* The one that was due was sent. */
void mqtt_receiver_acked(struct mqtt_receiver *receiver);
/* A PUBREL: the reason of the PUBCOMP to be sent, 0 or 0x92 (no such identifier); or 0x82, the
 * reason to refuse it: there was no PUBREC yet. */
uint8_t mqtt_receiver_release(struct mqtt_receiver *receiver, uint16_t packet_id) MUST_USE;

#endif
