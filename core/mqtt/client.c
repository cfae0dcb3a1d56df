#include "core/mqtt/client.h"

#include <stddef.h>
#include <string.h>

#include "core/big_endian.h"
#include "core/check.h"
#include "core/decimal.h"

/* What one call of mqtt_client_take works with. */
struct taking {
    const struct port *port;
    const struct key_pair *keys;
    uint64_t now_us;
    struct mqtt_happening *happening;
};

static void connect(struct mqtt_client *client, const struct taking *taking);
static void take_packets(struct mqtt_client *client, const struct taking *taking,
                         struct mqtt_input *input);
static void say_down(struct mqtt_happening *happening, uint8_t reason, bool refused);
static void down(struct mqtt_client *client, const struct taking *taking, uint8_t reason);
static bool send(struct mqtt_client *client, const struct port *port, uint64_t now_us,
                 const struct mqtt_packet *packet);

void mqtt_client_init(struct mqtt_client *client, uint32_t self, uint16_t keep_alive_s)
{
    CHECK(self > 0);
    memset(client, 0, sizeof *client);
    client->state = MQTT_CLIENT_CLOSED;
    client->self = self;
    client->keep_alive_asked_s = keep_alive_s;
    mqtt_sender_init(&client->sender, MQTT_INFLIGHT_MAX, 1);
}

enum err mqtt_client_open(struct mqtt_client *client, const struct port *port, uint32_t broker,
                          uint64_t now_us)
{
    CHECK(client->state == MQTT_CLIENT_CLOSED);
    CHECK(client->self > 0);
    const uint32_t self = client->self;
    const uint16_t keep_alive_s = client->keep_alive_asked_s;
    mqtt_client_init(client, self, keep_alive_s); /* nothing of an older connection */
    const enum err err = port->link_open(port->ctx, broker, &client->link);
    if (err != ERR_OK) {
        return err;
    }
    client->state = MQTT_CLIENT_LINKING;
    client->broker = broker;
    client->opened_us = now_us;
    return ERR_OK;
}

void mqtt_client_take(struct mqtt_client *client, const struct port *port,
                      const struct key_pair *keys, uint64_t now_us, const struct event *event,
                      struct mqtt_input *input, struct mqtt_happening *happening)
{
    CHECK(input != NULL);
    CHECK(happening != NULL);
    memset(happening, 0, sizeof *happening);
    if (client->state == MQTT_CLIENT_CLOSED || event->link != client->link) {
        input->size_bytes = 0;
        return;
    }
    const struct taking taking = {port, keys, now_us, happening};
    if (client->state != MQTT_CLIENT_BROKEN) {
        switch (event->kind) {
        case EVENT_LINK_UP:
            connect(client, &taking);
            break;
        case EVENT_LINK_DATA:
            take_packets(client, &taking, input);
            break;
        case EVENT_LINK_WRITABLE:
            if (mqtt_outgoing_flush(&client->outgoing, port, client->link) != ERR_OK) {
                client->state = MQTT_CLIENT_BROKEN;
            }
            break;
        case EVENT_LINK_DOWN: /* the handle is dead: nothing to close */
            client->state = MQTT_CLIENT_CLOSED;
            say_down(happening, MQTT_SUCCESS, false);
            break;
        case EVENT_TIMEOUT: /* mqtt_client_timeout's */
            break;
        }
    }
    if (client->state == MQTT_CLIENT_BROKEN && happening->kind == MQTT_NOTHING) {
        down(client, &taking, MQTT_SUCCESS);
    }
    if (client->state == MQTT_CLIENT_CLOSED) {
        input->size_bytes = 0;
    }
}

enum err mqtt_client_publish(struct mqtt_client *client, const struct port *port, uint64_t now_us,
                             const char *topic, const uint8_t *payload, uint32_t payload_bytes,
                             uint64_t tag)
{
    if (client->state != MQTT_CLIENT_READY) {
        return ERR_CLOSED;
    }
    struct mqtt_packet packet;
    mqtt_packet_init(&packet, MQTT_PUBLISH);
    packet.topic = mqtt_text(topic);
    packet.payload = (struct mqtt_slice){payload, payload_bytes};
    enum err err = ERR_OK;
    if (tag != 0) { /* unacknowledged from here on [MQTT-4.3.2-3] */
        packet.qos = 1;
        err = mqtt_sender_publish(&client->sender, packet.qos, tag, &packet.packet_id);
    }
    if (err != ERR_OK) {
        return err;
    }
    err = mqtt_outgoing_packet(&client->outgoing, port, client->link, &packet);
    if (err == ERR_OK) {
        client->alive.sent_us = now_us;
    } else if (tag != 0) {
        mqtt_sender_take_back(&client->sender, packet.packet_id);
    }
    if (err == ERR_CLOSED) {
        client->state = MQTT_CLIENT_BROKEN;
    }
    return err;
}

uint64_t mqtt_client_deadline_us(const struct mqtt_client *client)
{
    switch (client->state) {
    case MQTT_CLIENT_CLOSED:
        return UINT64_MAX;
    case MQTT_CLIENT_LINKING:
    case MQTT_CLIENT_CONNECTING:
    case MQTT_CLIENT_AUTHENTICATING:
        return client->opened_us + MQTT_HANDSHAKE_US;
    case MQTT_CLIENT_READY:
        return mqtt_keep_alive_deadline_us(&client->alive);
    case MQTT_CLIENT_BROKEN:
        return 0;
    }
    return UINT64_MAX;
}

bool mqtt_client_timeout(struct mqtt_client *client, const struct port *port, uint64_t now_us)
{
    if (now_us < mqtt_client_deadline_us(client)) {
        return false;
    }
    if (client->state == MQTT_CLIENT_READY &&
        mqtt_keep_alive_timeout(&client->alive, &client->outgoing, port, client->link, now_us) ==
            ERR_OK) {
        return false;
    }
    port->link_close(port->ctx, client->link);
    client->state = MQTT_CLIENT_CLOSED;
    return true;
}

void mqtt_client_close(struct mqtt_client *client, const struct port *port, uint8_t reason)
{
    if (client->state == MQTT_CLIENT_CLOSED) {
        return;
    }
    /* CONNECT is the first packet [MQTT-3.1.0-1]; DISCONNECT may follow it at once [MQTT-3.1.2-30].
     */
    if (client->state != MQTT_CLIENT_LINKING && client->state != MQTT_CLIENT_BROKEN) {
        struct mqtt_packet packet;
        mqtt_packet_init(&packet, MQTT_DISCONNECT);
        packet.reason = reason;
        (void)send(client, port, client->alive.sent_us, &packet);
    }
    port->link_close(port->ctx, client->link); /* [MQTT-3.14.4-2] */
    client->state = MQTT_CLIENT_CLOSED;
}

void mqtt_proof(const uint8_t nonce[MQTT_NONCE_BYTES], uint32_t client, uint32_t broker,
                uint8_t proof[MQTT_PROOF_BYTES])
{
    static const char purpose[] = "brownout session";
    _Static_assert(sizeof purpose - 1 + MQTT_NONCE_BYTES + 8 == MQTT_PROOF_BYTES, "proof is full");
    uint32_t at = sizeof purpose - 1;
    memcpy(proof, purpose, at);
    memcpy(proof + at, nonce, MQTT_NONCE_BYTES);
    at += MQTT_NONCE_BYTES;
    big_endian_put(proof + at, 4, client);
    big_endian_put(proof + at + 4, 4, broker);
}

static void say_down(struct mqtt_happening *happening, uint8_t reason, bool refused)
{
    happening->kind = MQTT_HAPPENED_DOWN;
    happening->reason = reason;
    happening->refused = refused;
}

/* Over, and not for anything that the broker did wrong: nothing is sent after this. */
static void down(struct mqtt_client *client, const struct taking *taking, uint8_t reason)
{
    taking->port->link_close(taking->port->ctx, client->link);
    client->state = MQTT_CLIENT_CLOSED;
    say_down(taking->happening, reason, false);
}

/* False: the link is gone, or the broker does not read what it must; BROKEN then. */
static bool send(struct mqtt_client *client, const struct port *port, uint64_t now_us,
                 const struct mqtt_packet *packet)
{
    if (mqtt_outgoing_packet(&client->outgoing, port, client->link, packet) != ERR_OK) {
        client->state = MQTT_CLIENT_BROKEN;
        return false;
    }
    client->alive.sent_us = now_us;
    return true;
}

static void connect(struct mqtt_client *client, const struct taking *taking)
{
    if (client->state != MQTT_CLIENT_LINKING) {
        return;
    }
    uint8_t text[DECIMAL_BYTES_MAX];
    struct mqtt_packet packet;
    mqtt_packet_init(&packet, MQTT_CONNECT);
    packet.client_id = (struct mqtt_slice){text, decimal_write(text, client->self)};
    packet.clean_start = true;
    packet.keep_alive_s = client->keep_alive_asked_s;
    packet.properties.receive_maximum = MQTT_INFLIGHT_MAX;
    packet.properties.maximum_packet_bytes = MQTT_PACKET_BYTES_MAX;
    packet.properties.authentication_method = mqtt_text(MQTT_AUTHENTICATION_METHOD_NAME);
    packet.properties.present = MQTT_PROPERTY_BIT(MQTT_RECEIVE_MAXIMUM) |
                                MQTT_PROPERTY_BIT(MQTT_MAXIMUM_PACKET_SIZE) |
                                MQTT_PROPERTY_BIT(MQTT_AUTHENTICATION_METHOD);
    client->state = MQTT_CLIENT_CONNECTING;
    (void)send(client, taking->port, taking->now_us, &packet);
}

/* Answer the challenge. The reason to refuse the packet, or 0. */
static uint8_t take_challenge(struct mqtt_client *client, const struct taking *taking,
                              const struct mqtt_packet *challenge)
{
    const struct mqtt_slice method = mqtt_text(MQTT_AUTHENTICATION_METHOD_NAME);
    const struct mqtt_slice nonce = challenge->properties.authentication_data;
    if (challenge->reason != MQTT_CONTINUE_AUTHENTICATION || /* [MQTT-4.12.0-2] */
        !mqtt_slice_equal(challenge->properties.authentication_method, method) ||
        nonce.size_bytes != MQTT_NONCE_BYTES) { /* [MQTT-4.12.0-5] */
        return MQTT_PROTOCOL_ERROR;
    }
    uint8_t proof[MQTT_PROOF_BYTES];
    uint8_t signature[SIGNATURE_BYTES];
    mqtt_proof(nonce.bytes, client->self, client->broker, proof);
    const struct port_crypto *crypto = &taking->port->crypto;
    if (crypto->sign(crypto->ctx, taking->keys, proof, sizeof proof, signature) != ERR_OK) {
        client->state = MQTT_CLIENT_BROKEN;
        return MQTT_SUCCESS;
    }
    struct mqtt_packet packet;
    mqtt_packet_init(&packet, MQTT_AUTH);
    packet.reason = MQTT_CONTINUE_AUTHENTICATION; /* [MQTT-4.12.0-3] */
    packet.properties.authentication_method = method;
    packet.properties.authentication_data = (struct mqtt_slice){signature, sizeof signature};
    packet.properties.present =
        MQTT_PROPERTY_BIT(MQTT_AUTHENTICATION_METHOD) | MQTT_PROPERTY_BIT(MQTT_AUTHENTICATION_DATA);
    client->state = MQTT_CLIENT_AUTHENTICATING;
    (void)send(client, taking->port, taking->now_us, &packet);
    return MQTT_SUCCESS;
}

static uint8_t take_connack(struct mqtt_client *client, const struct taking *taking,
                            const struct mqtt_packet *packet)
{
    const struct mqtt_properties *properties = &packet->properties;
    if (packet->reason != MQTT_SUCCESS) { /* the broker's right, not its fault */
        down(client, taking, packet->reason);
        return MQTT_SUCCESS;
    }
    if (client->state != MQTT_CLIENT_AUTHENTICATING ||
        !mqtt_slice_equal(properties->authentication_method,
                          mqtt_text(MQTT_AUTHENTICATION_METHOD_NAME)) || /* [MQTT-4.12.0-5] */
        packet->session_present) {                                       /* [MQTT-3.2.2-4] */
        return MQTT_PROTOCOL_ERROR;
    }
    if (properties->maximum_qos == 0) { /* [MQTT-3.2.2-11]: of no use to a client of QoS 1 */
        return MQTT_IMPLEMENTATION_ERROR;
    }
    mqtt_keep_alive_connected(&client->alive, client->keep_alive_asked_s, properties);
    mqtt_sender_connected(&client->sender, properties->receive_maximum); /* [MQTT-4.9.0-1] */
    client->outgoing.packet_bytes_max = properties->maximum_packet_bytes;
    client->state = MQTT_CLIENT_READY;
    taking->happening->kind = MQTT_HAPPENED_READY;
    return MQTT_SUCCESS;
}

static uint8_t take_publish(struct mqtt_client *client, const struct taking *taking,
                            const struct mqtt_packet *packet)
{
    if (packet->properties.topic_alias != 0) { /* none was allowed [MQTT-3.1.2-27] */
        return MQTT_TOPIC_ALIAS_INVALID;
    }
    if (packet->topic.size_bytes > MQTT_STRING_BYTES_MAX) {
        return MQTT_TOPIC_NAME_INVALID;
    }
    if (packet->qos == 2) {
        return MQTT_IMPLEMENTATION_ERROR;
    }
    taking->happening->kind = MQTT_HAPPENED_PUBLISH;
    taking->happening->topic = packet->topic;
    taking->happening->payload = packet->payload;
    taking->happening->packet_id = packet->packet_id;
    if (packet->qos == 1) { /* taken, whatever the role makes of it [MQTT-4.5.0-2] */
        struct mqtt_packet puback;
        mqtt_packet_init(&puback, MQTT_PUBACK);
        puback.packet_id = packet->packet_id; /* [MQTT-2.2.1-5] */
        (void)send(client, taking->port, taking->now_us, &puback);
    }
    return MQTT_SUCCESS;
}

static uint8_t take_puback(struct mqtt_client *client, const struct taking *taking,
                           const struct mqtt_packet *packet)
{
    struct mqtt_sent sent;
    const uint8_t reason = mqtt_sender_take(&client->sender, packet, &sent);
    if (reason == MQTT_SUCCESS) {
        taking->happening->kind = MQTT_HAPPENED_PUBACK;
        taking->happening->tag = sent.tag;
        taking->happening->packet_id = sent.packet_id;
        taking->happening->reason = sent.reason; /* >= 0x80 is an answer too [MQTT-4.4.0-2] */
    }
    return reason;
}

/* The reason to refuse the packet, or 0. What a state does not name is a protocol error. */
static uint8_t take_packet(struct mqtt_client *client, const struct taking *taking,
                           const struct mqtt_packet *packet)
{
    const bool connecting =
        client->state == MQTT_CLIENT_CONNECTING || client->state == MQTT_CLIENT_AUTHENTICATING;
    const bool ready = client->state == MQTT_CLIENT_READY;
    if (packet->type == MQTT_DISCONNECT && ready) { /* not before CONNACK [MQTT-3.14.0-1] */
        down(client, taking, packet->reason);
        return MQTT_SUCCESS;
    }
    if (packet->type == MQTT_AUTH && client->state == MQTT_CLIENT_CONNECTING) {
        return take_challenge(client, taking, packet);
    }
    if (packet->type == MQTT_CONNACK && connecting) {
        return take_connack(client, taking, packet);
    }
    if (packet->type == MQTT_PUBLISH && ready) {
        return take_publish(client, taking, packet);
    }
    if (packet->type == MQTT_PUBACK && ready) {
        return take_puback(client, taking, packet);
    }
    return packet->type == MQTT_PINGRESP && ready ? MQTT_SUCCESS : MQTT_PROTOCOL_ERROR;
}

static void take_packets(struct mqtt_client *client, const struct taking *taking,
                         struct mqtt_input *input)
{
    while (taking->happening->kind == MQTT_NOTHING && client->state != MQTT_CLIENT_BROKEN) {
        struct mqtt_packet packet;
        uint8_t reason = MQTT_SUCCESS;
        const enum err err = mqtt_framer_next(&client->framer, input, &packet, &reason);
        if (err == ERR_NOT_FOUND) {
            return;
        }
        if (err == ERR_OK) {
            client->alive.heard_us = taking->now_us;
            reason = take_packet(client, taking, &packet);
        }
        if (reason == MQTT_UNSUPPORTED_PROTOCOL_VERSION) { /* a CONNECT, of whatever version */
            reason = MQTT_PROTOCOL_ERROR;
        }
        if (reason != MQTT_SUCCESS) { /* [MQTT-4.13.1-1] */
            mqtt_client_close(client, taking->port, reason);
            say_down(taking->happening, reason, true);
        }
    }
}
