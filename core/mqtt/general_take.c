/* The general client, what comes in: events, packets, CONNECT and CONNACK. */
#include <stddef.h>
#include <string.h>

#include "core/check.h"
#include "core/mqtt/general_client.h"
#include "core/mqtt/general_inside.h"

/* What one call of mqtt_general_take works with. */
struct taking {
    const struct port *port;
    uint64_t now_us;
    struct mqtt_general_happening *happening;
};

static void connect(struct mqtt_general_client *client, const struct taking *taking);
static void take_packets(struct mqtt_general_client *client, const struct taking *taking,
                         struct mqtt_input *input);

/* Over: nothing is sent after this. */
static void down(struct mqtt_general_client *client, const struct taking *taking, uint8_t reason,
                 bool refused)
{
    mqtt_general_lost(client, taking->now_us);
    taking->happening->kind = MQTT_GENERAL_DOWN;
    taking->happening->reason = reason;
    taking->happening->refused = refused;
}

void mqtt_general_take(struct mqtt_general_client *client, const struct port *port, uint64_t now_us,
                       const struct event *event, struct mqtt_input *input,
                       struct mqtt_general_happening *happening)
{
    CHECK(input != NULL);
    CHECK(happening != NULL);
    memset(happening, 0, sizeof *happening);
    const struct taking taking = {port, now_us, happening};
    if (client->state == MQTT_GENERAL_CLOSED || event->link != client->link) {
        input->size_bytes = 0;
        return;
    }
    if (event->kind == EVENT_LINK_DOWN) { /* the handle is dead: nothing to close */
        down(client, &taking, MQTT_SUCCESS, false);
    } else if (event->kind == EVENT_LINK_UP && client->state == MQTT_GENERAL_LINKING) {
        connect(client, &taking);
    } else if (event->kind == EVENT_LINK_DATA) {
        take_packets(client, &taking, input);
    } else if (event->kind == EVENT_LINK_WRITABLE &&
               mqtt_outgoing_flush(&client->outgoing, port, client->link) != ERR_OK) {
        client->state = MQTT_GENERAL_BROKEN;
    }
    struct mqtt_sending sending;
    if (client->state == MQTT_GENERAL_OPEN && happening->kind == MQTT_GENERAL_NOTHING &&
        client->outgoing.size_bytes == 0 && mqtt_sender_due(&client->sender, &sending)) {
        CHECK(sending.state == MQTT_SENDING_UNACKED); /* PUBRELs went before */
        happening->kind = MQTT_GENERAL_RESEND;
        happening->tag = sending.tag;
    }
    if (client->state == MQTT_GENERAL_BROKEN && happening->kind == MQTT_GENERAL_NOTHING) {
        port->link_close(port->ctx, client->link);
        down(client, &taking, MQTT_SUCCESS, false);
    }
    if (client->state == MQTT_GENERAL_CLOSED) {
        input->size_bytes = 0;
    }
}

static void connect_will(const struct mqtt_packet *will, struct mqtt_packet *packet,
                         uint8_t bytes[MQTT_PACKET_BYTES_MAX])
{
    uint32_t size_bytes = MQTT_PACKET_BYTES_MAX;
    const enum err err = mqtt_encode_will_properties(&will->properties, bytes, &size_bytes);
    CHECK(err == ERR_OK); /* the role's own; a CONNECT larger than a packet is found by send */
    packet->will = true;
    packet->topic = will->topic;
    packet->payload = will->payload;
    packet->qos = will->qos;
    packet->retain = will->retain;
    packet->will_properties = (struct mqtt_slice){bytes, size_bytes};
}

static void connect(struct mqtt_general_client *client, const struct taking *taking)
{
    const struct mqtt_general_options *options = client->options;
    uint8_t will_properties[MQTT_PACKET_BYTES_MAX];
    struct mqtt_packet packet;
    mqtt_packet_init(&packet, MQTT_CONNECT);
    packet.client_id = client->assigned_bytes > 0
                           ? (struct mqtt_slice){client->assigned, client->assigned_bytes}
                           : options->client_id; /* [MQTT-3.1.3-2] */
    packet.clean_start = !client->session;       /* without state there is nothing to go on with */
    packet.keep_alive_s = options->keep_alive_s;
    packet.user_name = options->user_name;
    packet.password = options->password;
    if (options->will != NULL) {
        connect_will(options->will, &packet, will_properties);
    }
    struct mqtt_properties *properties = &packet.properties;
    properties->receive_maximum = options->receive_maximum;
    properties->maximum_packet_bytes = MQTT_PACKET_BYTES_MAX;
    properties->topic_alias_maximum = options->aliases_received;
    properties->session_expiry_s = options->session_expiry_s;
    properties->request_response = options->request_response ? 1 : 0;
    properties->authentication_method = options->authentication_method;
    properties->authentication_data = options->authentication_data;
    properties->present =
        MQTT_PROPERTY_BIT(MQTT_RECEIVE_MAXIMUM) | MQTT_PROPERTY_BIT(MQTT_MAXIMUM_PACKET_SIZE) |
        (options->aliases_received > 0 ? MQTT_PROPERTY_BIT(MQTT_TOPIC_ALIAS_MAXIMUM) : 0) |
        (options->session_expiry_s > 0 ? MQTT_PROPERTY_BIT(MQTT_SESSION_EXPIRY_INTERVAL) : 0) |
        (options->request_response ? MQTT_PROPERTY_BIT(MQTT_REQUEST_RESPONSE_INFORMATION) : 0);
    if (options->authentication_method.bytes != NULL) {
        properties->present |= MQTT_PROPERTY_BIT(MQTT_AUTHENTICATION_METHOD);
        properties->present |= options->authentication_data.bytes != NULL
                                   ? MQTT_PROPERTY_BIT(MQTT_AUTHENTICATION_DATA)
                                   : 0;
    }
    client->state = MQTT_GENERAL_CONNECTING;
    (void)mqtt_general_send(client, taking->port, taking->now_us, &packet);
}

/* What is in force on this connection. The reason to refuse it, or 0; so for all take_*. */
static uint8_t take_limits(struct mqtt_general_client *client, const struct mqtt_properties *p)
{
    mqtt_keep_alive_connected(&client->alive, client->options->keep_alive_s, p);
    client->session_expiry_s = client->options->session_expiry_s;
    if ((p->present & MQTT_PROPERTY_BIT(MQTT_SESSION_EXPIRY_INTERVAL)) != 0) {
        client->session_expiry_s = p->session_expiry_s; /* section 3.2.2.3.2 */
    }
    client->limits = (struct mqtt_general_limits){
        .maximum_qos = p->maximum_qos,
        .retain = p->retain_available != 0,
        .wildcards = p->wildcard_available != 0,
        .identifiers = p->identifier_available != 0,
        .shared = p->shared_available != 0,
    };
    client->outgoing.packet_bytes_max = p->maximum_packet_bytes; /* [MQTT-3.2.2-15] */
    if ((p->present & MQTT_PROPERTY_BIT(MQTT_ASSIGNED_CLIENT_IDENTIFIER)) != 0) {
        if (client->options->client_id.size_bytes > 0) {
            return MQTT_PROTOCOL_ERROR;
        }
        if (p->assigned_client_id.size_bytes > MQTT_STRING_BYTES_MAX) {
            return MQTT_IMPLEMENTATION_ERROR;
        }
        client->assigned_bytes = (uint8_t)p->assigned_client_id.size_bytes;
        memcpy(client->assigned, p->assigned_client_id.bytes, client->assigned_bytes);
    }
    mqtt_aliases_receive(&client->received, client->options->aliases_received); /* [MQTT-3.3.2-7] */
    mqtt_aliases_send(&client->sent, p->topic_alias_maximum);
    return MQTT_SUCCESS;
}

static uint8_t take_connack(struct mqtt_general_client *client, const struct taking *taking,
                            const struct mqtt_packet *packet)
{
    if (packet->reason != MQTT_SUCCESS) { /* the broker's right, not its fault */
        taking->port->link_close(taking->port->ctx, client->link);
        down(client, taking, packet->reason, false);
        return MQTT_SUCCESS;
    }
    const struct mqtt_slice method = client->options->authentication_method;
    if (!mqtt_slice_equal(packet->properties.authentication_method, method) || /* [MQTT-4.12.0-5] */
        (packet->session_present && !client->session)) {                       /* [MQTT-3.2.2-4] */
        return MQTT_PROTOCOL_ERROR;
    }
    const uint8_t reason = take_limits(client, &packet->properties);
    if (reason != MQTT_SUCCESS) {
        return reason;
    }
    if (!packet->session_present) { /* [MQTT-3.2.2-5] */
        mqtt_sender_discard(&client->sender);
        mqtt_receiver_discard(&client->receiver);
    }
    client->session = client->session_expiry_s > 0; /* [MQTT-3.1.2-23] */
    client->state = MQTT_GENERAL_OPEN;
    mqtt_sender_connected(&client->sender, packet->properties.receive_maximum);
    taking->happening->kind = MQTT_GENERAL_READY;
    return MQTT_SUCCESS;
}

/* In CONNECTING, or of a re-authentication that this end began. */
static uint8_t take_auth(struct mqtt_general_client *client, const struct taking *taking,
                         const struct mqtt_packet *packet)
{
    const bool open = client->state == MQTT_GENERAL_OPEN;
    const bool over = open && packet->reason == MQTT_SUCCESS;
    if (client->options->authentication_method.bytes == NULL || /* [MQTT-4.12.0-6] */
        (open && !client->reauthenticating) ||
        (packet->reason != MQTT_CONTINUE_AUTHENTICATION && !over) || /* [MQTT-4.12.0-2] */
        !mqtt_slice_equal(packet->properties.authentication_method,
                          client->options->authentication_method)) { /* [MQTT-4.12.0-5] */
        return MQTT_PROTOCOL_ERROR;
    }
    client->reauthenticating = client->reauthenticating && !over;
    taking->happening->kind = MQTT_GENERAL_AUTHENTICATE;
    return MQTT_SUCCESS;
}

static uint8_t take_publish(struct mqtt_general_client *client, const struct taking *taking,
                            struct mqtt_packet *packet)
{
    uint8_t reason = mqtt_aliases_resolve(&client->received, packet);
    enum mqtt_arrived arrived = MQTT_ARRIVED_NEW;
    if (reason == MQTT_SUCCESS) {
        reason = mqtt_receiver_publish(&client->receiver, packet, &arrived);
    }
    if (reason == MQTT_SUCCESS && arrived == MQTT_ARRIVED_NEW) {
        taking->happening->kind = MQTT_GENERAL_PUBLISH;
    }
    return reason;
}

static uint8_t take_pubrel(struct mqtt_general_client *client, const struct taking *taking,
                           const struct mqtt_packet *packet)
{
    struct mqtt_packet pubcomp;
    mqtt_packet_init(&pubcomp, MQTT_PUBCOMP);
    pubcomp.packet_id = packet->packet_id; /* [MQTT-4.3.3-11] */
    pubcomp.reason = mqtt_receiver_release(&client->receiver, packet->packet_id);
    if (pubcomp.reason == MQTT_PROTOCOL_ERROR) {
        return MQTT_PROTOCOL_ERROR;
    }
    (void)mqtt_general_send(client, taking->port, taking->now_us, &pubcomp);
    return MQTT_SUCCESS;
}

static uint8_t take_answer(struct mqtt_general_client *client, const struct taking *taking,
                           const struct mqtt_packet *packet)
{
    struct mqtt_general_happening *happening = taking->happening;
    const uint8_t reason = mqtt_sender_take(&client->sender, packet, &happening->sent);
    if (reason != MQTT_SUCCESS) {
        return reason;
    }
    if (happening->sent.kind == MQTT_SENT_ANSWERED) {
        happening->kind = MQTT_GENERAL_SUBACK;
    } else if (happening->sent.kind == MQTT_SENT_NOT_FOUND) {
        struct mqtt_packet pubrel;
        mqtt_packet_init(&pubrel, MQTT_PUBREL);
        pubrel.packet_id = packet->packet_id;
        pubrel.reason = MQTT_PACKET_IDENTIFIER_NOT_FOUND;
        (void)mqtt_general_send(client, taking->port, taking->now_us, &pubrel);
    } else if (happening->sent.kind != MQTT_SENT_NOTHING) {
        happening->kind = MQTT_GENERAL_SENT;
    }
    return MQTT_SUCCESS;
}

static uint8_t take_disconnect(struct mqtt_general_client *client, const struct taking *taking,
                               const struct mqtt_packet *packet)
{
    const uint64_t expiry = MQTT_PROPERTY_BIT(MQTT_SESSION_EXPIRY_INTERVAL);
    if ((packet->properties.present & expiry) != 0) { /* [MQTT-3.14.2-2] */
        return MQTT_PROTOCOL_ERROR;
    }
    taking->port->link_close(taking->port->ctx, client->link);
    down(client, taking, packet->reason, false);
    return MQTT_SUCCESS;
}

/* What a state does not name is a protocol error. */
static uint8_t take_packet(struct mqtt_general_client *client, const struct taking *taking,
                           struct mqtt_packet *packet)
{
    const bool open = client->state == MQTT_GENERAL_OPEN;
    const bool connecting = client->state == MQTT_GENERAL_CONNECTING;
    switch (packet->type) {
    case MQTT_CONNACK: /* one of them [MQTT-3.2.0-2] */
        return connecting ? take_connack(client, taking, packet) : MQTT_PROTOCOL_ERROR;
    case MQTT_AUTH:
        return connecting || open ? take_auth(client, taking, packet) : MQTT_PROTOCOL_ERROR;
    case MQTT_DISCONNECT: /* not before CONNACK [MQTT-3.14.0-1] */
        return open ? take_disconnect(client, taking, packet) : MQTT_PROTOCOL_ERROR;
    case MQTT_PUBLISH:
        return open ? take_publish(client, taking, packet) : MQTT_PROTOCOL_ERROR;
    case MQTT_PUBREL:
        return open ? take_pubrel(client, taking, packet) : MQTT_PROTOCOL_ERROR;
    case MQTT_PUBACK:
    case MQTT_PUBREC:
    case MQTT_PUBCOMP:
    case MQTT_SUBACK:
    case MQTT_UNSUBACK:
        return open ? take_answer(client, taking, packet) : MQTT_PROTOCOL_ERROR;
    case MQTT_PINGRESP:
        return open ? MQTT_SUCCESS : MQTT_PROTOCOL_ERROR;
    case MQTT_CONNECT: /* a client's */
    case MQTT_SUBSCRIBE:
    case MQTT_UNSUBSCRIBE:
    case MQTT_PINGREQ:
        break;
    }
    return MQTT_PROTOCOL_ERROR;
}

static void take_packets(struct mqtt_general_client *client, const struct taking *taking,
                         struct mqtt_input *input)
{
    while (taking->happening->kind == MQTT_GENERAL_NOTHING &&
           (client->state == MQTT_GENERAL_OPEN || client->state == MQTT_GENERAL_CONNECTING)) {
        struct mqtt_packet *packet = &taking->happening->packet;
        uint8_t reason = MQTT_SUCCESS;
        const enum err err = mqtt_framer_next(&client->framer, input, packet, &reason);
        if (err == ERR_NOT_FOUND) {
            return;
        }
        if (err == ERR_OK) {
            client->alive.heard_us = taking->now_us;
            reason = take_packet(client, taking, packet);
        }
        if (reason == MQTT_UNSUPPORTED_PROTOCOL_VERSION) { /* a CONNECT, of whatever version */
            reason = MQTT_PROTOCOL_ERROR;
        }
        if (reason != MQTT_SUCCESS) { /* [MQTT-4.13.1-1] */
            mqtt_general_close(client, taking->port, taking->now_us, reason);
            down(client, taking, reason, true);
            return;
        }
        mqtt_general_send_due(client, taking->port, taking->now_us);
    }
}
