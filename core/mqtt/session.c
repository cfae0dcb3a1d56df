#include "core/mqtt/session.h"

#include <stddef.h>
#include <string.h>

#include "core/check.h"
#include "core/decimal.h"

/* What one call of mqtt_session_take works with. */
struct taking {
    const struct port *port;
    uint64_t now_us;
    struct mqtt_happening *happening;
};

static void take_packets(struct mqtt_session *session, const struct taking *taking,
                         struct mqtt_input *input);
static void down(struct mqtt_session *session, const struct taking *taking, uint8_t reason);
static void send(struct mqtt_session *session, const struct port *port,
                 const struct mqtt_packet *packet);
static void send_reason(struct mqtt_session *session, const struct port *port, enum mqtt_type type,
                        uint8_t reason);

void mqtt_session_open(struct mqtt_session *session, uint32_t self, uint32_t link, uint64_t now_us)
{
    CHECK(self > 0);
    memset(session, 0, sizeof *session);
    session->state = MQTT_SESSION_OPEN;
    session->self = self;
    session->link = link;
    session->opened_us = now_us;
    mqtt_receiver_init(&session->receiver, MQTT_INFLIGHT_MAX);
}

void mqtt_session_take(struct mqtt_session *session, const struct port *port, uint64_t now_us,
                       const struct event *event, struct mqtt_input *input,
                       struct mqtt_happening *happening)
{
    CHECK(input != NULL);
    CHECK(happening != NULL);
    CHECK(session->state != MQTT_SESSION_ASKED);
    memset(happening, 0, sizeof *happening);
    if (session->state == MQTT_SESSION_CLOSED || event->link != session->link) {
        input->size_bytes = 0; /* what follows a refused CONNECT is not read [MQTT-3.1.4-6] */
        return;
    }
    const struct taking taking = {port, now_us, happening};
    if (session->state != MQTT_SESSION_BROKEN) {
        switch (event->kind) {
        case EVENT_LINK_DATA:
            take_packets(session, &taking, input);
            break;
        case EVENT_LINK_WRITABLE:
            if (mqtt_outgoing_flush(&session->outgoing, port, session->link) != ERR_OK) {
                session->state = MQTT_SESSION_BROKEN;
            }
            break;
        case EVENT_LINK_DOWN: /* the handle is dead: nothing to close */
            session->state = MQTT_SESSION_CLOSED;
            happening->kind = MQTT_HAPPENED_DOWN;
            break;
        case EVENT_LINK_UP: /* mqtt_session_open was called for it */
        case EVENT_TIMEOUT: /* the role's, see mqtt_session_deadline_us */
            break;
        }
    }
    if (session->state == MQTT_SESSION_BROKEN && happening->kind == MQTT_NOTHING) {
        down(session, &taking, MQTT_SUCCESS);
    }
    if (session->state == MQTT_SESSION_CLOSED) {
        input->size_bytes = 0;
    }
}

void mqtt_session_challenge(struct mqtt_session *session, const struct port *port,
                            const uint8_t public_key[KEY_BYTES])
{
    CHECK(session->state == MQTT_SESSION_ASKED);
    if (port->entropy(port->ctx, session->nonce, sizeof session->nonce) != ERR_OK) {
        send_reason(session, port, MQTT_CONNACK, MQTT_SERVER_BUSY); /* [MQTT-4.12.0-4] */
        session->state = MQTT_SESSION_BROKEN;
        return;
    }
    memcpy(session->public_key, public_key, KEY_BYTES);
    struct mqtt_packet packet;
    mqtt_packet_init(&packet, MQTT_AUTH);
    packet.reason = MQTT_CONTINUE_AUTHENTICATION; /* [MQTT-4.12.0-2] */
    packet.properties.authentication_method = mqtt_text(MQTT_AUTHENTICATION_METHOD_NAME);
    packet.properties.authentication_data =
        (struct mqtt_slice){session->nonce, sizeof session->nonce};
    packet.properties.present =
        MQTT_PROPERTY_BIT(MQTT_AUTHENTICATION_METHOD) | MQTT_PROPERTY_BIT(MQTT_AUTHENTICATION_DATA);
    session->state = MQTT_SESSION_CHALLENGED;
    send(session, port, &packet);
}

void mqtt_session_refuse(struct mqtt_session *session, const struct port *port, uint8_t reason)
{
    CHECK(session->state == MQTT_SESSION_ASKED);
    CHECK(reason >= MQTT_UNSPECIFIED_ERROR);
    send_reason(session, port, MQTT_CONNACK, reason);
    port->link_close(port->ctx, session->link); /* [MQTT-3.2.2-7] */
    session->state = MQTT_SESSION_CLOSED;
}

void mqtt_session_puback(struct mqtt_session *session, const struct port *port, uint16_t packet_id,
                         uint8_t reason)
{
    if (session->state != MQTT_SESSION_READY) {
        return;
    }
    const bool owed = mqtt_receiver_answer(&session->receiver, packet_id, 1, reason);
    CHECK(owed);
    struct mqtt_arrival ack;
    while (mqtt_receiver_due(&session->receiver, &ack)) {
        struct mqtt_packet packet;
        mqtt_packet_init(&packet, MQTT_PUBACK);
        packet.packet_id = ack.packet_id; /* [MQTT-4.3.2-4] */
        packet.reason = ack.reason;
        send(session, port, &packet); /* without effect once BROKEN */
        mqtt_receiver_acked(&session->receiver);
    }
}

enum err mqtt_session_publish(struct mqtt_session *session, const struct port *port,
                              const char *topic, const uint8_t *payload, uint32_t payload_bytes)
{
    if (session->state != MQTT_SESSION_READY) {
        return ERR_CLOSED;
    }
    struct mqtt_packet packet;
    mqtt_packet_init(&packet, MQTT_PUBLISH);
    packet.topic = mqtt_text(topic);
    packet.payload = (struct mqtt_slice){payload, payload_bytes};
    const enum err err = mqtt_outgoing_packet(&session->outgoing, port, session->link, &packet);
    if (err == ERR_CLOSED) {
        session->state = MQTT_SESSION_BROKEN;
    }
    return err;
}

uint64_t mqtt_session_deadline_us(const struct mqtt_session *session)
{
    switch (session->state) {
    case MQTT_SESSION_CLOSED:
        return UINT64_MAX;
    case MQTT_SESSION_OPEN:
    case MQTT_SESSION_ASKED:
    case MQTT_SESSION_CHALLENGED:
        return session->opened_us + MQTT_HANDSHAKE_US;
    case MQTT_SESSION_READY:
        return mqtt_keep_alive_silence_us(session->keep_alive_s, session->heard_us);
    case MQTT_SESSION_BROKEN:
        return 0;
    }
    return UINT64_MAX;
}

void mqtt_session_close(struct mqtt_session *session, const struct port *port, uint8_t reason)
{
    if (session->state == MQTT_SESSION_CLOSED) {
        return;
    }
    if (session->state == MQTT_SESSION_READY) { /* not before a CONNACK [MQTT-3.14.0-1] */
        send_reason(session, port, MQTT_DISCONNECT, reason);
    }
    port->link_close(port->ctx, session->link); /* [MQTT-3.14.4-2] */
    session->state = MQTT_SESSION_CLOSED;
}

/* The connection is over: nothing is sent after this. */
static void down(struct mqtt_session *session, const struct taking *taking, uint8_t reason)
{
    taking->port->link_close(taking->port->ctx, session->link);
    session->state = MQTT_SESSION_CLOSED;
    taking->happening->kind = MQTT_HAPPENED_DOWN;
    taking->happening->reason = reason;
}

/* BROKEN if the link is gone, or if the client does not read what it must. */
static void send(struct mqtt_session *session, const struct port *port,
                 const struct mqtt_packet *packet)
{
    if (session->state != MQTT_SESSION_BROKEN &&
        mqtt_outgoing_packet(&session->outgoing, port, session->link, packet) != ERR_OK) {
        session->state = MQTT_SESSION_BROKEN;
    }
}

static void send_reason(struct mqtt_session *session, const struct port *port, enum mqtt_type type,
                        uint8_t reason)
{
    struct mqtt_packet packet;
    mqtt_packet_init(&packet, type);
    packet.reason = reason;
    send(session, port, &packet);
}

/* The reason to refuse the packet, or 0; so for all take_*. */
static uint8_t take_connect(struct mqtt_session *session, const struct taking *taking,
                            const struct mqtt_packet *packet)
{
    const struct mqtt_properties *properties = &packet->properties;
    if (!mqtt_slice_equal(properties->authentication_method,
                          mqtt_text(MQTT_AUTHENTICATION_METHOD_NAME))) {
        return MQTT_BAD_AUTHENTICATION_METHOD; /* [MQTT-4.12.0-1] */
    }
    if (properties->authentication_data.bytes != NULL) { /* the method begins with the nonce */
        return MQTT_PROTOCOL_ERROR;
    }
    if (packet->will) { /* better refused than not published [MQTT-3.1.2-8] */
        return MQTT_IMPLEMENTATION_ERROR;
    }
    const struct mqtt_slice name = packet->client_id;
    if (!decimal_read(name.bytes, name.size_bytes, &session->client) || session->client == 0) {
        return MQTT_CLIENT_IDENTIFIER_NOT_VALID; /* [MQTT-3.1.3-8] */
    }
    session->keep_alive_s = packet->keep_alive_s; /* [MQTT-3.2.2-22] */
    session->outgoing.packet_bytes_max = properties->maximum_packet_bytes;
    session->state = MQTT_SESSION_ASKED;
    taking->happening->kind = MQTT_HAPPENED_CONNECT;
    taking->happening->client = session->client;
    return MQTT_SUCCESS;
}

/* What this end can do, and that it keeps no session. */
static void send_connack(struct mqtt_session *session, const struct taking *taking)
{
    struct mqtt_packet packet;
    mqtt_packet_init(&packet, MQTT_CONNACK); /* Session Present 0 [MQTT-3.2.2-2] */
    packet.properties.session_expiry_s = 0;
    packet.properties.receive_maximum = session->receiver.receive_maximum;
    packet.properties.maximum_packet_bytes = MQTT_PACKET_BYTES_MAX;
    packet.properties.maximum_qos = 1; /* [MQTT-3.2.2-9] */
    packet.properties.retain_available = 0;
    packet.properties.authentication_method =
        mqtt_text(MQTT_AUTHENTICATION_METHOD_NAME); /* [MQTT-4.12.0-5] */
    packet.properties.present =
        MQTT_PROPERTY_BIT(MQTT_SESSION_EXPIRY_INTERVAL) | MQTT_PROPERTY_BIT(MQTT_RECEIVE_MAXIMUM) |
        MQTT_PROPERTY_BIT(MQTT_MAXIMUM_PACKET_SIZE) | MQTT_PROPERTY_BIT(MQTT_MAXIMUM_QOS) |
        MQTT_PROPERTY_BIT(MQTT_RETAIN_AVAILABLE) | MQTT_PROPERTY_BIT(MQTT_AUTHENTICATION_METHOD);
    send(session, taking->port, &packet);
}

static uint8_t take_answer(struct mqtt_session *session, const struct taking *taking,
                           const struct mqtt_packet *packet)
{
    const struct mqtt_slice signature = packet->properties.authentication_data;
    if (packet->reason != MQTT_CONTINUE_AUTHENTICATION || /* [MQTT-4.12.0-3] */
        !mqtt_slice_equal(packet->properties.authentication_method,
                          mqtt_text(MQTT_AUTHENTICATION_METHOD_NAME))) { /* [MQTT-4.12.0-5] */
        return MQTT_PROTOCOL_ERROR;
    }
    if (signature.size_bytes != SIGNATURE_BYTES) {
        return MQTT_NOT_AUTHORIZED;
    }
    uint8_t proof[MQTT_PROOF_BYTES];
    mqtt_proof(session->nonce, session->client, session->self, proof);
    const struct port_crypto *crypto = &taking->port->crypto;
    const enum err err =
        crypto->verify(crypto->ctx, session->public_key, proof, sizeof proof, signature.bytes);
    if (err == ERR_SIGNATURE) {
        return MQTT_NOT_AUTHORIZED;
    }
    if (err != ERR_OK) {
        session->state = MQTT_SESSION_BROKEN;
        return MQTT_SUCCESS;
    }
    session->state = MQTT_SESSION_READY;
    send_connack(session, taking);
    if (session->state == MQTT_SESSION_READY) {
        taking->happening->kind = MQTT_HAPPENED_READY;
        taking->happening->client = session->client;
    }
    return MQTT_SUCCESS;
}

static uint8_t take_publish(struct mqtt_session *session, const struct taking *taking,
                            const struct mqtt_packet *packet)
{
    const uint64_t subscription = MQTT_PROPERTY_BIT(MQTT_SUBSCRIPTION_IDENTIFIER);
    if ((packet->properties.present & subscription) != 0) { /* [MQTT-3.3.4-6] */
        return MQTT_PROTOCOL_ERROR;
    }
    if (packet->properties.topic_alias != 0) { /* none was allowed [MQTT-3.2.2-18] */
        return MQTT_TOPIC_ALIAS_INVALID;
    }
    if (packet->topic.size_bytes > MQTT_STRING_BYTES_MAX) {
        return MQTT_TOPIC_NAME_INVALID;
    }
    if (packet->qos == 2) { /* [MQTT-3.2.2-11] */
        return MQTT_QOS_NOT_SUPPORTED;
    }
    if (packet->retain) { /* [MQTT-3.2.2-14] */
        return MQTT_RETAIN_NOT_SUPPORTED;
    }
    enum mqtt_arrived arrived = MQTT_ARRIVED_NEW;
    const uint8_t reason = mqtt_receiver_publish(&session->receiver, packet, &arrived);
    if (reason != MQTT_SUCCESS) {
        return reason;
    }
    CHECK(arrived == MQTT_ARRIVED_NEW); /* of QoS 0 and 1 there is nothing else */
    taking->happening->kind = MQTT_HAPPENED_PUBLISH;
    taking->happening->topic = packet->topic;
    taking->happening->payload = packet->payload;
    taking->happening->packet_id = packet->packet_id;
    return MQTT_SUCCESS;
}

/* What a state does not name is a protocol error: a first packet that is no CONNECT [MQTT-3.1.0-1],
 * a second CONNECT [MQTT-3.1.0-2], anything but AUTH before CONNACK [MQTT-3.1.2-30]. */
static uint8_t take_packet(struct mqtt_session *session, const struct taking *taking,
                           const struct mqtt_packet *packet)
{
    const bool challenged = session->state == MQTT_SESSION_CHALLENGED;
    const bool ready = session->state == MQTT_SESSION_READY;
    if (packet->type == MQTT_CONNECT && session->state == MQTT_SESSION_OPEN) {
        return take_connect(session, taking, packet);
    }
    if (packet->type == MQTT_AUTH && challenged) {
        return take_answer(session, taking, packet);
    }
    if (packet->type == MQTT_PUBLISH && ready) {
        return take_publish(session, taking, packet);
    }
    if (packet->type == MQTT_PINGREQ && ready) {
        struct mqtt_packet pingresp;
        mqtt_packet_init(&pingresp, MQTT_PINGRESP);
        send(session, taking->port, &pingresp); /* [MQTT-3.12.4-1] */
        return MQTT_SUCCESS;
    }
    if (packet->type == MQTT_DISCONNECT && (challenged || ready)) {
        down(session, taking, packet->reason);
        return MQTT_SUCCESS;
    }
    return MQTT_PROTOCOL_ERROR;
}

/* CONNACK until one was sent, then DISCONNECT [MQTT-3.14.0-1]; and close [MQTT-4.13.1-1]. */
static void refuse(struct mqtt_session *session, const struct taking *taking, uint8_t reason)
{
    const bool ready = session->state == MQTT_SESSION_READY;
    if (ready &&
        reason == MQTT_UNSUPPORTED_PROTOCOL_VERSION) { /* a second CONNECT [MQTT-3.1.0-2] */
        reason = MQTT_PROTOCOL_ERROR;
    }
    send_reason(session, taking->port, ready ? MQTT_DISCONNECT : MQTT_CONNACK, reason);
    down(session, taking, reason);
    taking->happening->refused = true;
}

static void take_packets(struct mqtt_session *session, const struct taking *taking,
                         struct mqtt_input *input)
{
    while (taking->happening->kind == MQTT_NOTHING && session->state != MQTT_SESSION_BROKEN) {
        struct mqtt_packet packet;
        uint8_t reason = MQTT_SUCCESS;
        const enum err err = mqtt_framer_next(&session->framer, input, &packet, &reason);
        if (err == ERR_NOT_FOUND) {
            return;
        }
        if (err == ERR_OK) {
            session->heard_us = taking->now_us;
            reason = take_packet(session, taking, &packet);
        }
        if (reason != MQTT_SUCCESS) {
            refuse(session, taking, reason);
        }
    }
}
