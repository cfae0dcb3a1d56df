#include "core/mqtt/general_client.h"

#include <stddef.h>
#include <string.h>

#include "core/check.h"
#include "core/mqtt/client.h"
#include "core/mqtt/filter.h"
#include "core/mqtt/general_inside.h"
#include "core/mqtt/list.h"

void mqtt_general_init(struct mqtt_general_client *client,
                       const struct mqtt_general_options *options)
{
    CHECK(options->client_id.size_bytes <= MQTT_STRING_BYTES_MAX);
    CHECK(options->will == NULL || options->will->type == MQTT_PUBLISH);
    memset(client, 0, sizeof *client);
    client->options = options;
    client->session_expiry_s = options->session_expiry_s;
    mqtt_sender_init(&client->sender, options->inflight_max, 1);
    mqtt_receiver_init(&client->receiver, options->receive_maximum);
    mqtt_aliases_init(&client->received, options->received_memory, options->aliases_received,
                      MQTT_STRING_BYTES_MAX);
    mqtt_aliases_init(&client->sent, options->sent_memory, options->aliases_sent,
                      MQTT_STRING_BYTES_MAX);
}

void mqtt_general_restored(struct mqtt_general_client *client, uint64_t now_us)
{
    CHECK(client->state == MQTT_GENERAL_CLOSED);
    client->session = client->session_expiry_s > 0;
    client->lost_us = now_us;
}

/* This end forgets when the broker does [MQTT-4.1.0-2]; UINT32_MAX is never. */
static bool session_expired(const struct mqtt_general_client *client, uint64_t now_us)
{
    return client->session_expiry_s != UINT32_MAX &&
           now_us - client->lost_us >= client->session_expiry_s * UINT64_C(1000000);
}

enum err mqtt_general_open(struct mqtt_general_client *client, const struct port *port,
                           uint32_t peer, uint64_t now_us)
{
    CHECK(client->state == MQTT_GENERAL_CLOSED);
    const enum err err = port->link_open(port->ctx, peer, &client->link);
    if (err != ERR_OK) {
        return err;
    }
    if (client->options->clean_start || (client->session && session_expired(client, now_us))) {
        client->session = false; /* [MQTT-3.1.2-4] */
    }
    client->state = MQTT_GENERAL_LINKING;
    client->opened_us = now_us;
    client->reauthenticating = false;
    client->framer.size_bytes = 0;
    client->outgoing.size_bytes = 0;
    client->outgoing.packet_bytes_max = 0;
    return ERR_OK;
}

void mqtt_general_lost(struct mqtt_general_client *client, uint64_t now_us)
{
    client->state = MQTT_GENERAL_CLOSED;
    client->lost_us = now_us;
    mqtt_sender_disconnected(&client->sender);
    mqtt_receiver_disconnected(&client->receiver);
}

bool mqtt_general_send(struct mqtt_general_client *client, const struct port *port, uint64_t now_us,
                       const struct mqtt_packet *packet)
{
    const enum err err = mqtt_outgoing_packet(&client->outgoing, port, client->link, packet);
    if (err != ERR_OK) {
        client->state = MQTT_GENERAL_BROKEN;
        return false;
    }
    client->alive.sent_us = now_us;
    return true;
}

void mqtt_general_send_due(struct mqtt_general_client *client, const struct port *port,
                           uint64_t now_us)
{
    struct mqtt_packet packet;
    struct mqtt_arrival ack;
    while (client->state == MQTT_GENERAL_OPEN && mqtt_receiver_due(&client->receiver, &ack)) {
        mqtt_packet_init(&packet, ack.qos == 1 ? MQTT_PUBACK : MQTT_PUBREC);
        packet.packet_id = ack.packet_id; /* [MQTT-2.2.1-5] */
        packet.reason = ack.reason;
        if (!mqtt_general_send(client, port, now_us, &packet)) {
            return;
        }
        mqtt_receiver_acked(&client->receiver);
    }
    struct mqtt_sending sending;
    while (client->state == MQTT_GENERAL_OPEN && mqtt_sender_due(&client->sender, &sending) &&
           sending.state == MQTT_SENDING_RELEASED) {
        mqtt_packet_init(&packet, MQTT_PUBREL);
        packet.packet_id = sending.packet_id;
        if (!mqtt_general_send(client, port, now_us, &packet)) {
            return;
        }
        mqtt_sender_sent(&client->sender, sending.packet_id);
    }
}

/* With an alias if there is one. ERR_OK | ERR_FULL | ERR_RANGE | ERR_CLOSED (BROKEN). */
static enum err send_publish(struct mqtt_general_client *client, const struct port *port,
                             uint64_t now_us, struct mqtt_packet *packet)
{
    if (!packet->dup) { /* what is sent again has its whole topic */
        mqtt_aliases_choose(&client->sent, packet);
    }
    const enum err err = mqtt_outgoing_packet(&client->outgoing, port, client->link, packet);
    if (err == ERR_CLOSED) {
        client->state = MQTT_GENERAL_BROKEN;
    }
    if (err == ERR_OK) {
        client->alive.sent_us = now_us;
        mqtt_aliases_sent(&client->sent, packet);
    }
    return err;
}

/* ERR_OK | ERR_RANGE | ERR_DENIED. */
static enum err message_check(const struct mqtt_general_client *client,
                              const struct mqtt_packet *message)
{
    const uint64_t set_here = MQTT_PROPERTY_BIT(MQTT_TOPIC_ALIAS);
    const uint64_t not_a_client_s = MQTT_PROPERTY_BIT(MQTT_SUBSCRIPTION_IDENTIFIER);
    CHECK(message->type == MQTT_PUBLISH);
    if (!mqtt_topic_valid(message->topic) || message->qos > 2 ||
        (message->properties.present & (set_here | not_a_client_s)) != 0) { /* [MQTT-3.3.4-6] */
        return ERR_RANGE;
    }
    const bool denied = message->qos > client->limits.maximum_qos || /* [MQTT-3.2.2-11] */
                        (message->retain && !client->limits.retain); /* [MQTT-3.2.2-14] */
    return denied ? ERR_DENIED : ERR_OK;
}

enum err mqtt_general_publish(struct mqtt_general_client *client, const struct port *port,
                              uint64_t now_us, const struct mqtt_packet *message, uint64_t tag)
{
    if (client->state != MQTT_GENERAL_OPEN) {
        return ERR_CLOSED;
    }
    enum err err = message_check(client, message);
    struct mqtt_packet packet = *message;
    packet.dup = false; /* [MQTT-4.3.1-1] [MQTT-4.3.2-2] [MQTT-4.3.3-2] */
    packet.packet_id = 0;
    if (err == ERR_OK && packet.qos > 0) {
        err = mqtt_sender_publish(&client->sender, packet.qos, tag, &packet.packet_id);
    }
    if (err != ERR_OK) {
        return err;
    }
    err = send_publish(client, port, now_us, &packet);
    if (packet.qos > 0 && (err == ERR_FULL || err == ERR_RANGE)) {
        mqtt_sender_take_back(&client->sender, packet.packet_id);
    }
    return err == ERR_CLOSED && packet.qos > 0 ? ERR_OK : err; /* it will be sent again */
}

enum err mqtt_general_resend(struct mqtt_general_client *client, const struct port *port,
                             uint64_t now_us, const struct mqtt_packet *message)
{
    struct mqtt_sending sending;
    if (client->state != MQTT_GENERAL_OPEN) {
        return ERR_CLOSED;
    }
    const bool due = mqtt_sender_due(&client->sender, &sending);
    CHECK(due);
    CHECK(sending.state == MQTT_SENDING_UNACKED);
    CHECK(sending.qos == message->qos);
    enum err err = message_check(client, message);
    if (err == ERR_OK) {
        struct mqtt_packet packet = *message;
        packet.dup = true; /* [MQTT-3.3.1-1] */
        packet.packet_id = sending.packet_id;
        err = send_publish(client, port, now_us, &packet);
    }
    if (err == ERR_FULL || err == ERR_CLOSED) {
        return err;
    }
    mqtt_sender_sent(&client->sender, sending.packet_id);
    if (err != ERR_OK) { /* as if it had been completed [MQTT-3.1.2-25] */
        mqtt_sender_give_up(&client->sender, sending.packet_id);
        return ERR_DENIED;
    }
    return ERR_OK;
}

void mqtt_general_answer(struct mqtt_general_client *client, const struct port *port,
                         uint64_t now_us, uint16_t packet_id, uint8_t qos, uint8_t reason)
{
    mqtt_receiver_answer(&client->receiver, packet_id, qos, reason);
    mqtt_general_send_due(client, port, now_us);
}

/* How many filters, and whether the broker allows them. ERR_OK | ERR_RANGE | ERR_DENIED. */
static enum err filters_check(const struct mqtt_general_client *client, enum mqtt_type type,
                              struct mqtt_slice filters, uint16_t *count)
{
    struct mqtt_slice rest = filters, share, inner;
    struct mqtt_subscription one;
    uint32_t bytes = 0;
    bool denied = false;
    *count = 0;
    while (*count < UINT16_MAX && (type == MQTT_SUBSCRIBE ? mqtt_subscription_next(&rest, &one)
                                                          : mqtt_filter_next(&rest, &one.filter))) {
        const bool shared = mqtt_filter_shared(one.filter, &share, &inner);
        denied = denied || (shared && !client->limits.shared) ||
                 (mqtt_filter_wild(inner) && !client->limits.wildcards);
        bytes += 2 + one.filter.size_bytes + (type == MQTT_SUBSCRIBE ? 1 : 0);
        (*count)++;
    }
    if (*count == 0 || bytes != filters.size_bytes) { /* [MQTT-3.8.3-2] [MQTT-3.10.3-2] */
        return ERR_RANGE;
    }
    return denied && type == MQTT_SUBSCRIBE ? ERR_DENIED : ERR_OK;
}

static enum err request(struct mqtt_general_client *client, const struct port *port,
                        uint64_t now_us, struct mqtt_packet *packet, uint16_t *packet_id)
{
    uint16_t count = 0;
    if (client->state != MQTT_GENERAL_OPEN) {
        return ERR_CLOSED;
    }
    enum err err = filters_check(client, packet->type, packet->payload, &count);
    if (err == ERR_OK) {
        err = mqtt_sender_request(&client->sender, packet->type, count, packet_id);
    }
    if (err != ERR_OK) {
        return err;
    }
    packet->packet_id = *packet_id;
    err = mqtt_outgoing_packet(&client->outgoing, port, client->link, packet);
    if (err == ERR_OK) {
        client->alive.sent_us = now_us;
    } else if (err == ERR_CLOSED) {
        client->state = MQTT_GENERAL_BROKEN;
    } else {
        mqtt_sender_request_take_back(&client->sender, *packet_id);
    }
    return err;
}

enum err mqtt_general_subscribe(struct mqtt_general_client *client, const struct port *port,
                                uint64_t now_us, struct mqtt_slice filters, uint32_t identifier,
                                uint16_t *packet_id)
{
    uint8_t bytes[8];
    struct mqtt_list list = {.bytes = bytes, .capacity_bytes = sizeof bytes};
    struct mqtt_packet packet;
    mqtt_packet_init(&packet, MQTT_SUBSCRIBE);
    packet.payload = filters;
    if (identifier != 0) {
        if (client->state == MQTT_GENERAL_OPEN && !client->limits.identifiers) {
            return ERR_DENIED;
        }
        const enum err err = mqtt_list_subscription_identifier(&list, identifier);
        if (err != ERR_OK) {
            return err;
        }
        packet.properties.present = MQTT_PROPERTY_BIT(MQTT_SUBSCRIPTION_IDENTIFIER);
        packet.properties.repeated = mqtt_list_slice(&list);
    }
    return request(client, port, now_us, &packet, packet_id);
}

enum err mqtt_general_unsubscribe(struct mqtt_general_client *client, const struct port *port,
                                  uint64_t now_us, struct mqtt_slice filters, uint16_t *packet_id)
{
    struct mqtt_packet packet;
    mqtt_packet_init(&packet, MQTT_UNSUBSCRIBE);
    packet.payload = filters;
    return request(client, port, now_us, &packet, packet_id);
}

enum err mqtt_general_authenticate(struct mqtt_general_client *client, const struct port *port,
                                   uint64_t now_us, struct mqtt_slice data)
{
    CHECK(client->options->authentication_method.bytes != NULL); /* [MQTT-4.12.0-7] */
    if (client->state != MQTT_GENERAL_OPEN && client->state != MQTT_GENERAL_CONNECTING) {
        return ERR_CLOSED;
    }
    struct mqtt_packet packet;
    mqtt_packet_init(&packet, MQTT_AUTH);
    const bool anew = client->state == MQTT_GENERAL_OPEN && !client->reauthenticating;
    packet.reason = anew ? MQTT_REAUTHENTICATE           /* [MQTT-4.12.1-1] */
                         : MQTT_CONTINUE_AUTHENTICATION; /* [MQTT-4.12.0-3] */
    packet.properties.authentication_method = client->options->authentication_method;
    packet.properties.present = MQTT_PROPERTY_BIT(MQTT_AUTHENTICATION_METHOD);
    if (data.bytes != NULL) {
        packet.properties.authentication_data = data;
        packet.properties.present |= MQTT_PROPERTY_BIT(MQTT_AUTHENTICATION_DATA);
    }
    client->reauthenticating = client->state == MQTT_GENERAL_OPEN;
    return mqtt_general_send(client, port, now_us, &packet) ? ERR_OK : ERR_CLOSED;
}

uint64_t mqtt_general_deadline_us(const struct mqtt_general_client *client)
{
    switch (client->state) {
    case MQTT_GENERAL_CLOSED:
        return UINT64_MAX;
    case MQTT_GENERAL_LINKING:
    case MQTT_GENERAL_CONNECTING:
        return client->opened_us + MQTT_HANDSHAKE_US;
    case MQTT_GENERAL_OPEN:
        return mqtt_keep_alive_deadline_us(&client->alive);
    case MQTT_GENERAL_BROKEN:
        return 0;
    }
    return UINT64_MAX;
}

bool mqtt_general_timeout(struct mqtt_general_client *client, const struct port *port,
                          uint64_t now_us)
{
    if (now_us < mqtt_general_deadline_us(client)) {
        return false;
    }
    if (client->state == MQTT_GENERAL_OPEN &&
        mqtt_keep_alive_timeout(&client->alive, &client->outgoing, port, client->link, now_us) ==
            ERR_OK) {
        return false;
    }
    port->link_close(port->ctx, client->link);
    mqtt_general_lost(client, now_us);
    return true;
}

void mqtt_general_close(struct mqtt_general_client *client, const struct port *port,
                        uint64_t now_us, uint8_t reason)
{
    if (client->state == MQTT_GENERAL_CLOSED) {
        return;
    }
    if (client->state == MQTT_GENERAL_CONNECTING || client->state == MQTT_GENERAL_OPEN) {
        struct mqtt_packet packet;
        mqtt_packet_init(&packet, MQTT_DISCONNECT);
        packet.reason = reason;
        (void)mqtt_general_send(client, port, now_us, &packet);
    }
    port->link_close(port->ctx, client->link); /* [MQTT-3.14.4-1] [MQTT-3.14.4-2] */
    mqtt_general_lost(client, now_us);
}
