/* What the broker makes of each packet of a client. It adds no Reason String and no User Property
 * to any answer [MQTT-3.1.2-29]. */
#include <stddef.h>
#include <string.h>

#include "core/check.h"
#include "core/mqtt/list.h"
#include "core/server/broker_inside.h"

static bool slice_secret_equal(struct mqtt_slice left, struct mqtt_slice right)
{
    uint8_t differ = left.size_bytes != right.size_bytes;
    for (uint32_t index = 0; index < left.size_bytes && index < right.size_bytes; index++) {
        differ |= (uint8_t)(left.bytes[index] ^ right.bytes[index]);
    }
    return differ == 0;
}

/* [MQTT-3.1.4-2] */
static bool user_known(const struct broker_config *config, const struct mqtt_packet *packet)
{
    for (uint32_t index = 0; index < config->user_count; index++) {
        const struct broker_user *user = &config->users[index];
        if (packet->user_name.bytes != NULL && packet->password.bytes != NULL &&
            mqtt_slice_equal(user->name, packet->user_name) &&
            slice_secret_equal(user->password, packet->password)) {
            return true;
        }
    }
    return config->user_count == 0;
}

/* The client id in force: its own, or a new one [MQTT-3.1.3-6] [MQTT-3.2.2-16]. False: entropy
 * failed. */
static bool client_name(struct broker *broker, const struct port *port,
                        const struct mqtt_packet *packet, struct broker_text *name)
{
    static const char digits[] = "0123456789abcdef";
    if (packet->client_id.size_bytes > 0) {
        broker_text_set(name, packet->client_id);
        return true;
    }
    do { /* 2^64 of them: it ends at once */
        uint8_t random[8];
        if (port->entropy(port->ctx, random, sizeof random) != ERR_OK) {
            return false;
        }
        name->size_bytes = 2 * sizeof random;
        for (uint32_t index = 0; index < sizeof random; index++) {
            name->bytes[2 * index] = (uint8_t)digits[random[index] >> 4];
            name->bytes[2 * index + 1] = (uint8_t)digits[random[index] & 15];
        }
    } while (broker_session_find(broker, broker_slice(name)) != NULL);
    return true;
}

/* The reason why this CONNECT is refused, or 0. */
static uint8_t connect_refusal(const struct broker *broker, const struct mqtt_packet *packet)
{
    if (packet->properties.authentication_method.bytes != NULL) { /* [MQTT-4.12.0-1] */
        return MQTT_BAD_AUTHENTICATION_METHOD;
    }
    if (packet->client_id.size_bytes > BROKER_TEXT_BYTES_MAX) { /* [MQTT-3.1.3-5] [MQTT-3.1.3-8] */
        return MQTT_CLIENT_IDENTIFIER_NOT_VALID;
    }
    if (packet->will && packet->topic.size_bytes > BROKER_TEXT_BYTES_MAX) {
        return MQTT_TOPIC_NAME_INVALID;
    }
    return user_known(&broker->config, packet) ? MQTT_SUCCESS : MQTT_BAD_USER_NAME_OR_PASSWORD;
}

/* The session of this CONNECT: the one that there is, or a new one, or NULL. */
static struct broker_session *connect_session(struct broker *broker, const struct port *port,
                                              const struct mqtt_packet *packet,
                                              struct mqtt_slice name, bool *present)
{
    struct broker_session *session = broker_session_find(broker, name);
    if (session != NULL && session->connection != BROKER_NONE) { /* [MQTT-3.1.4-3] */
        broker_refuse(broker, port, &broker->connections[session->connection],
                      MQTT_SESSION_TAKEN_OVER);
        session = broker_session_find(broker, name); /* it may have ended with its connection */
    }
    if (session != NULL && packet->clean_start) { /* [MQTT-3.1.2-4] [MQTT-3.1.4-4] */
        broker_session_end(broker, session);
        session = NULL;
    }
    *present = session != NULL;
    return session != NULL ? session : broker_session_new(broker, name); /* [MQTT-3.1.2-6] */
}

static bool connect_will(struct broker *broker, struct broker_session *session,
                         const struct mqtt_packet *packet)
{
    broker_session_drop_will(broker, session); /* it came back in time [MQTT-3.1.3-9] */
    if (!packet->will) {
        return true;
    }
    struct mqtt_packet will;
    mqtt_packet_init(&will, MQTT_PUBLISH);
    mqtt_will_properties(packet, &will.properties);
    will.topic = packet->topic;
    will.payload = packet->payload;
    will.retain = packet->retain; /* [MQTT-3.1.2-14] [MQTT-3.1.2-15] */
    const uint32_t message = broker_message_new(broker, &will);
    if (message == BROKER_NONE) {
        return false;
    }
    broker_message_hold(broker, message, broker_session_durable(session)); /* [MQTT-3.1.2-7] */
    session->will = message;
    session->will_qos = packet->qos;
    session->will_delay_s = will.properties.will_delay_s;
    return true;
}

static void connack(struct broker *broker, const struct port *port,
                    struct broker_connection *connection, const struct mqtt_packet *packet,
                    const struct broker_session *session, bool present)
{
    const struct broker_config *config = &broker->config;
    struct mqtt_packet answer;
    mqtt_packet_init(&answer, MQTT_CONNACK);        /* [MQTT-3.1.4-5] [MQTT-3.2.0-1] */
    answer.session_present = present;               /* [MQTT-3.2.2-2] [MQTT-3.2.2-3] */
    struct mqtt_properties *p = &answer.properties; /* no Response Information [MQTT-3.1.2-28] */
    p->receive_maximum = config->receive_maximum;
    p->maximum_packet_bytes = BROKER_PACKET_BYTES_MAX;
    p->topic_alias_maximum = BROKER_ALIASES_MAX;
    p->present = MQTT_PROPERTY_BIT(MQTT_RECEIVE_MAXIMUM) |
                 MQTT_PROPERTY_BIT(MQTT_MAXIMUM_PACKET_SIZE) |
                 MQTT_PROPERTY_BIT(MQTT_TOPIC_ALIAS_MAXIMUM);
    if (session->expiry_s != packet->properties.session_expiry_s) {
        p->session_expiry_s = session->expiry_s;
        p->present |= MQTT_PROPERTY_BIT(MQTT_SESSION_EXPIRY_INTERVAL);
    }
    if (connection->keep_alive_s != packet->keep_alive_s) {
        p->server_keep_alive_s = connection->keep_alive_s;
        p->present |= MQTT_PROPERTY_BIT(MQTT_SERVER_KEEP_ALIVE);
    }
    if (packet->client_id.size_bytes == 0) { /* [MQTT-3.1.3-7] */
        p->assigned_client_id = broker_slice(&session->client);
        p->present |= MQTT_PROPERTY_BIT(MQTT_ASSIGNED_CLIENT_IDENTIFIER);
    }
    broker_say(broker, port, connection, &answer);
}

static uint8_t take_connect(struct broker *broker, const struct port *port,
                            struct broker_connection *connection, const struct mqtt_packet *packet)
{
    const struct broker_config *config = &broker->config;
    const struct mqtt_properties *properties = &packet->properties;
    struct broker_text name;
    const uint8_t reason = connect_refusal(broker, packet);
    if (reason != MQTT_SUCCESS) {
        return reason;
    }
    if (!client_name(broker, port, packet, &name)) {
        return MQTT_SERVER_BUSY;
    }
    bool present = false;
    struct broker_session *session =
        connect_session(broker, port, packet, broker_slice(&name), &present);
    if (session == NULL) {
        return MQTT_QUOTA_EXCEEDED;
    }
    session->expiry_s = properties->session_expiry_s < config->session_expiry_max_s
                            ? properties->session_expiry_s
                            : config->session_expiry_max_s;
    if (!connect_will(broker, session, packet)) {
        if (!present) {
            broker_session_end(broker, session);
        }
        return MQTT_QUOTA_EXCEEDED;
    }
    const bool capped =
        config->keep_alive_max_s > 0 &&
        (packet->keep_alive_s == 0 || packet->keep_alive_s > config->keep_alive_max_s);
    connection->keep_alive_s = /* [MQTT-3.2.2-22] */
        capped ? config->keep_alive_max_s : packet->keep_alive_s;
    connection->packet_bytes_max = properties->maximum_packet_bytes;
    connection->session = broker_session_number(broker, session);
    connection->connected = true;
    broker_connection_waited(broker, connection);
    if (properties->topic_alias_maximum > 0) {
        mqtt_aliases_send(&connection->sent, properties->topic_alias_maximum);
    }
    session->connection = (uint32_t)(connection - broker->connections);
    session->ends_at_us = UINT64_MAX; /* [MQTT-4.1.0-1] */
    broker_session_change(broker, session);
    if (connection->keep_alive_s > 0) {
        broker_wake_at(broker, broker->now_us + connection->keep_alive_s * UINT64_C(1500000));
    }
    connack(broker, port, connection, packet, session, present);
    mqtt_sender_connected(&session->sender, properties->receive_maximum); /* [MQTT-3.1.2-5] */
    return MQTT_SUCCESS;
}

static uint8_t take_publish(struct broker *broker, struct broker_connection *connection,
                            struct mqtt_packet *packet)
{
    struct broker_session *session = &broker->sessions[connection->session];
    const uint64_t identifier = MQTT_PROPERTY_BIT(MQTT_SUBSCRIPTION_IDENTIFIER);
    enum mqtt_arrived arrived = MQTT_ARRIVED_NEW;
    if ((packet->properties.present & identifier) != 0) { /* [MQTT-3.3.4-6] */
        return MQTT_PROTOCOL_ERROR;
    }
    if (connection->received.maximum == 0 && /* with the first one, so that few have the memory */
        (packet->properties.present & MQTT_PROPERTY_BIT(MQTT_TOPIC_ALIAS)) != 0) {
        mqtt_aliases_receive(&connection->received, BROKER_ALIASES_MAX);
    }
    uint8_t reason = mqtt_aliases_resolve(&connection->received, packet); /* [MQTT-3.3.2-12] */
    if (reason == MQTT_SUCCESS && packet->topic.size_bytes > BROKER_TEXT_BYTES_MAX) {
        reason = MQTT_TOPIC_NAME_INVALID;
    }
    if (reason == MQTT_SUCCESS) {
        reason = mqtt_receiver_publish(&session->receiver, packet, &arrived);
    }
    if (reason != MQTT_SUCCESS) {
        return reason;
    }
    if (arrived == MQTT_ARRIVED_NEW) {
        reason = broker_route(broker, packet, connection->session); /* [MQTT-4.5.0-1] */
        mqtt_receiver_answer(&session->receiver, packet->packet_id, packet->qos, reason);
        if (packet->qos == 2) {
            broker_session_change(broker, session);
        }
    }
    return MQTT_SUCCESS;
}

static uint8_t take_pubrel(struct broker *broker, const struct port *port,
                           struct broker_connection *connection, const struct mqtt_packet *packet)
{
    struct broker_session *session = &broker->sessions[connection->session];
    struct mqtt_packet pubcomp;
    mqtt_packet_init(&pubcomp, MQTT_PUBCOMP);
    pubcomp.packet_id = packet->packet_id; /* [MQTT-4.3.3-11] */
    pubcomp.reason = mqtt_receiver_release(&session->receiver, packet->packet_id);
    if (pubcomp.reason == MQTT_PROTOCOL_ERROR) {
        return MQTT_PROTOCOL_ERROR;
    }
    broker_session_change(broker, session);
    broker_say(broker, port, connection, &pubcomp);
    return MQTT_SUCCESS;
}

static uint8_t take_answer(struct broker *broker, const struct port *port,
                           struct broker_connection *connection, const struct mqtt_packet *packet)
{
    struct broker_session *session = &broker->sessions[connection->session];
    struct mqtt_sent sent;
    const bool released = packet->type == MQTT_PUBCOMP; /* its copy went with PUBREC */
    const uint8_t reason = mqtt_sender_take(&session->sender, packet, &sent);
    if (reason != MQTT_SUCCESS) {
        return reason;
    }
    broker_session_change(broker, session);
    if (sent.kind == MQTT_SENT_RECEIVED || (sent.kind == MQTT_SENT_DONE && !released)) {
        broker_copy_free(broker, (uint32_t)sent.tag); /* refused ones too [MQTT-4.8.2-6] */
    } else if (sent.kind == MQTT_SENT_NOT_FOUND) {
        struct mqtt_packet pubrel;
        mqtt_packet_init(&pubrel, MQTT_PUBREL);
        pubrel.packet_id = packet->packet_id;
        pubrel.reason = MQTT_PACKET_IDENTIFIER_NOT_FOUND;
        broker_say(broker, port, connection, &pubrel);
    }
    return MQTT_SUCCESS;
}

/* SUBSCRIBE and UNSUBSCRIBE: one filter after the other, one answer [MQTT-3.8.4-5]
 * [MQTT-3.10.4-6]. */
static uint8_t take_filters(struct broker *broker, const struct port *port,
                            struct broker_connection *connection, const struct mqtt_packet *packet)
{
    struct broker_session *session = &broker->sessions[connection->session];
    uint8_t reasons[MQTT_PACKET_BYTES_MAX / 3]; /* a filter takes three bytes at least */
    uint32_t count = 0, identifier = 0;
    struct mqtt_slice rest = packet->properties.repeated, filter;
    struct mqtt_subscription wanted;
    (void)mqtt_subscription_identifier_next(&rest, &identifier);
    rest = packet->payload;
    if (packet->type == MQTT_SUBSCRIBE) {
        while (mqtt_subscription_next(&rest, &wanted)) {
            CHECK(count < sizeof reasons);
            reasons[count++] = broker_subscribe(broker, session, &wanted, identifier);
        }
    } else {
        while (mqtt_filter_next(&rest, &filter)) {
            CHECK(count < sizeof reasons);
            reasons[count++] = broker_unsubscribe(broker, session, filter);
        }
    }
    struct mqtt_packet answer; /* [MQTT-3.8.4-1] [MQTT-3.10.4-4] [MQTT-3.9.3-1] [MQTT-3.11.3-1] */
    mqtt_packet_init(&answer, packet->type == MQTT_SUBSCRIBE ? MQTT_SUBACK : MQTT_UNSUBACK);
    answer.packet_id = packet->packet_id; /* [MQTT-3.8.4-2] [MQTT-3.10.4-5] */
    answer.payload = (struct mqtt_slice){reasons, count};
    broker_say(broker, port, connection, &answer);
    return MQTT_SUCCESS;
}

static uint8_t take_disconnect(struct broker *broker, const struct port *port,
                               struct broker_connection *connection,
                               const struct mqtt_packet *packet)
{
    struct broker_session *session = &broker->sessions[connection->session];
    const uint32_t expiry_s = packet->properties.session_expiry_s;
    if ((packet->properties.present & MQTT_PROPERTY_BIT(MQTT_SESSION_EXPIRY_INTERVAL)) != 0) {
        if (session->expiry_s == 0 && expiry_s > 0) { /* section 3.14.2.2.2 */
            return MQTT_PROTOCOL_ERROR;
        }
        session->expiry_s = expiry_s < broker->config.session_expiry_max_s
                                ? expiry_s
                                : broker->config.session_expiry_max_s;
    }
    if (packet->reason == MQTT_SUCCESS) { /* [MQTT-3.14.4-3] */
        broker_session_drop_will(broker, session);
    }
    broker_close(broker, port, connection);
    return MQTT_SUCCESS;
}

/* What a state does not name is a protocol error: a first packet that is no CONNECT [MQTT-3.1.0-1],
 * a second CONNECT [MQTT-3.1.0-2]. */
uint8_t broker_take(struct broker *broker, const struct port *port,
                    struct broker_connection *connection, struct mqtt_packet *packet)
{
    if (!connection->connected) {
        return packet->type == MQTT_CONNECT ? take_connect(broker, port, connection, packet)
                                            : MQTT_PROTOCOL_ERROR;
    }
    struct mqtt_packet pingresp;
    switch (packet->type) {
    case MQTT_PUBLISH:
        return take_publish(broker, connection, packet);
    case MQTT_PUBREL:
        return take_pubrel(broker, port, connection, packet);
    case MQTT_PUBACK:
    case MQTT_PUBREC:
    case MQTT_PUBCOMP:
        return take_answer(broker, port, connection, packet);
    case MQTT_SUBSCRIBE:
    case MQTT_UNSUBSCRIBE:
        return take_filters(broker, port, connection, packet);
    case MQTT_DISCONNECT:
        return take_disconnect(broker, port, connection, packet);
    case MQTT_PINGREQ:
        mqtt_packet_init(&pingresp, MQTT_PINGRESP); /* [MQTT-3.12.4-1] */
        broker_say(broker, port, connection, &pingresp);
        return MQTT_SUCCESS;
    case MQTT_CONNECT:
    case MQTT_CONNACK:
    case MQTT_SUBACK:
    case MQTT_UNSUBACK:
    case MQTT_PINGRESP:
    case MQTT_AUTH: /* no method was agreed on [MQTT-4.12.0-7] */
        break;
    }
    return MQTT_PROTOCOL_ERROR;
}
