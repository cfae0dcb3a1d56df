/* The broker end of one MQTT 5 connection: the mirror of client.h, same happenings. QoS 1 towards
 * it is receiver.h's: duplicates, its Receive Maximum, the order of PUBACKs. What it sends has QoS
 * 0, which has no delivery state.
 * The role looks the client up at MQTT_HAPPENED_CONNECT and answers with its public key. */
#ifndef BROWNOUT_CORE_MQTT_SESSION_H
#define BROWNOUT_CORE_MQTT_SESSION_H

#include "core/mqtt/client.h"
#include "core/mqtt/receiver.h"

enum mqtt_session_state {
    MQTT_SESSION_CLOSED,
    MQTT_SESSION_OPEN,       /* the link is up, no CONNECT yet */
    MQTT_SESSION_ASKED,      /* CONNECT is with the role */
    MQTT_SESSION_CHALLENGED, /* AUTH sent */
    MQTT_SESSION_READY,
    MQTT_SESSION_BROKEN, /* the link failed under a send: the next take or the deadline ends it */
};

struct mqtt_session {
    enum mqtt_session_state state;
    uint32_t self; /* the broker's number */
    uint32_t client;
    uint32_t link;
    uint16_t keep_alive_s;
    struct mqtt_receiver receiver; /* of this connection alone, and of QoS 1 */
    uint64_t opened_us;
    uint64_t heard_us; /* when a whole packet last came */
    uint8_t nonce[MQTT_NONCE_BYTES];
    uint8_t public_key[KEY_BYTES];
    struct mqtt_framer framer;
    struct mqtt_outgoing outgoing;
};

/* A peer opened this link. */
void mqtt_session_open(struct mqtt_session *session, uint32_t self, uint32_t link, uint64_t now_us);
/* As mqtt_client_take. After CONNECT the role calls _challenge or _refuse before it goes on taking.
 */
void mqtt_session_take(struct mqtt_session *session, const struct port *port, uint64_t now_us,
                       const struct event *event, struct mqtt_input *input,
                       struct mqtt_happening *happening);
/* Answer CONNECT with a fresh nonce; the signature must verify under public_key (copied). */
void mqtt_session_challenge(struct mqtt_session *session, const struct port *port,
                            const uint8_t public_key[KEY_BYTES]);
/* Answer CONNECT with CONNACK of this reason (0x80 or above, of section 3.2.2.2) and close; CLOSED.
 */
void mqtt_session_refuse(struct mqtt_session *session, const struct port *port, uint8_t reason);
/* Answer a QoS 1 PUBLISH, once; the reason is one of 0x00, 0x10, 0x80, 0x83, 0x87, 0x90, 0x91,
 * 0x97, 0x99 (section 3.4.2.1, else CHECK). In any order: PUBACKs leave in the order of arrival
 * [MQTT-4.6.0-2], each as soon as all before it are answered. Nothing happens unless READY. */
void mqtt_session_puback(struct mqtt_session *session, const struct port *port, uint16_t packet_id,
                         uint8_t reason);
/* QoS 0 to the client. ERR_OK | ERR_FULL | ERR_RANGE | ERR_CLOSED, as mqtt_client_publish. */
enum err mqtt_session_publish(struct mqtt_session *session, const struct port *port,
                              const char *topic, const uint8_t *payload,
                              uint32_t payload_bytes) MUST_USE;
/* When the role has to call mqtt_session_close, with MQTT_KEEP_ALIVE_TIMEOUT: the handshake takes
 * too long, 1.5 times the keep alive went by without a packet [MQTT-3.1.2-22], or (0) the link
 * failed. */
uint64_t mqtt_session_deadline_us(const struct mqtt_session *session);
/* DISCONNECT with this reason (of section 3.14.2.1, else CHECK), once READY [MQTT-3.14.0-1], and
 * close; CLOSED. */
void mqtt_session_close(struct mqtt_session *session, const struct port *port, uint8_t reason);

#endif
