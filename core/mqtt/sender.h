/* What one end of an MQTT 5 session has sent and not seen through: QoS 1 and 2, packet identifiers,
 * flow control, what is sent again after a reconnect (sections 2.2.1, 4.3, 4.4, 4.6 and 4.9). The
 * same for client and server. The other half is receiver.h.
 *
 * No I/O, no clock, no heap, no pointers: a message is a tag of the caller's, who keeps its bytes
 * until MQTT_SENT_RECEIVED or MQTT_SENT_DONE. What must survive a restart is next_packet_id and the
 * entries; a role that promises that stores them before it sends, and gives them back with
 * mqtt_sender_restore.
 *
 * Use: mqtt_sender_connected after CONNACK; then, and after each packet that was taken and whenever
 * the link can take more, send what mqtt_sender_due says. A new message: mqtt_sender_publish, send.
 */
#ifndef BROWNOUT_CORE_MQTT_SENDER_H
#define BROWNOUT_CORE_MQTT_SENDER_H

#include "core/mqtt/packet.h"

enum mqtt_sending_state {
    MQTT_SENDING_UNACKED,  /* PUBLISH: PUBACK (QoS 1) or PUBREC (QoS 2) is awaited */
    MQTT_SENDING_RELEASED, /* PUBREC came: PUBREL, and PUBCOMP is awaited */
};

struct mqtt_sending {
    uint64_t tag; /* the caller's; of no use once RELEASED */
    uint16_t packet_id;
    uint8_t qos;   /* 1 or 2 */
    uint8_t state; /* enum mqtt_sending_state */
    bool due;      /* to be sent on this connection: PUBLISH again, or PUBREL */
};

/* A SUBSCRIBE or UNSUBSCRIBE that is not answered; it dies with its connection. */
struct mqtt_request {
    uint16_t packet_id;    /* 0 = free */
    uint16_t filter_count; /* as many reasons must come */
    uint8_t answer;        /* MQTT_SUBACK or MQTT_UNSUBACK */
};

struct mqtt_sender {
    uint16_t next_packet_id; /* where the search for an unused one begins; never goes back */
    uint16_t inflight_max;   /* 1..MQTT_INFLIGHT_MAX */
    uint16_t quota;          /* of this connection: the peer's Receive Maximum, at most
                              * inflight_max; 0 = there is no connection */
    uint16_t count;          /* entries */
    uint16_t released_count; /* of them, RELEASED */
    /* First those RELEASED, in the order of their PUBRECs [MQTT-4.6.0-4]; then those UNACKED, in
     * the order in which they were first sent [MQTT-4.6.0-1]. */
    struct mqtt_sending entries[MQTT_INFLIGHT_MAX];
    struct mqtt_request requests[MQTT_REQUESTS_MAX];
};

/* What came of an answer. */
enum mqtt_sent_kind {
    MQTT_SENT_NOTHING,   /* a second PUBCOMP or PUBREC */
    MQTT_SENT_RECEIVED,  /* QoS 2: the peer has it, PUBREL is due; the message can be let go */
    MQTT_SENT_DONE,      /* QoS 1, 2: seen through; from 0x80 the peer refused it [MQTT-4.4.0-2] */
    MQTT_SENT_ANSWERED,  /* SUBACK or UNSUBACK of this packet_id */
    MQTT_SENT_NOT_FOUND, /* PUBREC without its PUBLISH: send PUBREL of packet_id with 0x92 */
};

struct mqtt_sent {
    enum mqtt_sent_kind kind;
    uint64_t tag;       /* RECEIVED; DONE of a message that was not RECEIVED before */
    uint16_t packet_id; /* all but NOTHING */
    uint8_t reason;     /* DONE */
};

/* inflight_max: 1..MQTT_INFLIGHT_MAX. next_packet_id: 1 for a new session, else what was stored. */
void mqtt_sender_init(struct mqtt_sender *sender, uint16_t inflight_max, uint16_t next_packet_id);
/* After init and before a connection: an entry as it was stored, in the order of the entries.
 * ERR_OK | ERR_FULL | ERR_CORRUPT (no such entry can be, or not behind those before it). */
enum err mqtt_sender_restore(struct mqtt_sender *sender, const struct mqtt_sending *entry) MUST_USE;

/* The session goes on, on a new connection: all that is not seen through is due [MQTT-4.4.0-1].
 * receive_maximum: the peer's, 1..65535. */
void mqtt_sender_connected(struct mqtt_sender *sender, uint16_t receive_maximum);
/* The connection is gone; the session stays. */
void mqtt_sender_disconnected(struct mqtt_sender *sender);
/* The session is over, or a new one begins [MQTT-3.1.2-4] [MQTT-3.2.2-5]: forget all entries. Only
 * without a connection. Identifiers go on where they were. */
void mqtt_sender_discard(struct mqtt_sender *sender);

/* How many messages mqtt_sender_publish takes now. */
uint16_t mqtt_sender_room(const struct mqtt_sender *sender);
/* A new message with QoS 1 or 2: its packet identifier, unused [MQTT-2.2.1-3] [MQTT-2.2.1-4]
 * [MQTT-4.3.2-1] [MQTT-4.3.3-1]. The
 * caller sends it next, with DUP 0. ERR_OK | ERR_FULL (the quota is used up [MQTT-4.9.0-2], or what
 * is due must go first) | ERR_CLOSED (no connection). */
enum err mqtt_sender_publish(struct mqtt_sender *sender, uint8_t qos, uint64_t tag,
                             uint16_t *packet_id) MUST_USE;
/* It was not sent after all, not even in part: as if it had never been there, but that its
 * identifier is skipped. Only for the newest message, before anything else is called. */
void mqtt_sender_take_back(struct mqtt_sender *sender, uint16_t packet_id);
/* A message that is not RELEASED will not be sent (again): forget it. */
void mqtt_sender_give_up(struct mqtt_sender *sender, uint16_t packet_id);
/* A SUBSCRIBE or UNSUBSCRIBE of so many filters, 1..65535. It does not wait for the quota
 * [MQTT-3.3.4-8]. ERR_OK | ERR_FULL | ERR_CLOSED. */
enum err mqtt_sender_request(struct mqtt_sender *sender, enum mqtt_type type, uint16_t filter_count,
                             uint16_t *packet_id) MUST_USE;
/* It was not sent after all. */
void mqtt_sender_request_take_back(struct mqtt_sender *sender, uint16_t packet_id);

/* What is to be sent now, if anything is: PUBREL if it is RELEASED, else the PUBLISH again, with
 * DUP 1 [MQTT-3.3.1-1] and its full topic [MQTT-3.3.2-7]. Then call mqtt_sender_sent. */
bool mqtt_sender_due(const struct mqtt_sender *sender, struct mqtt_sending *next) MUST_USE;
void mqtt_sender_sent(struct mqtt_sender *sender, uint16_t packet_id);
/* A PUBACK, PUBREC, PUBCOMP, SUBACK or UNSUBACK came, while there is a connection.
 * Returns 0, or the reason to refuse it: 0x82 for what answers nothing. */
uint8_t mqtt_sender_take(struct mqtt_sender *sender, const struct mqtt_packet *packet,
                         struct mqtt_sent *sent) MUST_USE;

/* What is left of a Message Expiry Interval after waiting [MQTT-3.3.2-6]; false: it has passed, and
 * a message that was never sent must not be [MQTT-3.3.2-5]. One that was is sent all the same
 * [MQTT-4.3.3-7]; *left_s is 0 then. */
bool mqtt_expiry_left(uint32_t interval_s, uint64_t waited_us, uint32_t *left_s) MUST_USE;

#endif
