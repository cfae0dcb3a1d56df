/* The broker's sessions: their wills, their ends, and what is due on their connections. */
#include <stddef.h>
#include <string.h>

#include "core/check.h"
#include "core/mqtt/list.h"
#include "core/server/broker_inside.h"

uint32_t broker_session_number(const struct broker *broker, const struct broker_session *session)
{
    CHECK(session >= broker->sessions);
    const uint32_t number = (uint32_t)(session - broker->sessions);
    CHECK(number < broker->config.sessions_max);
    return number;
}

bool broker_session_durable(const struct broker_session *session)
{
    return session->expiry_s > 0 || session->stored;
}

struct broker_session *broker_session_new(struct broker *broker, struct mqtt_slice client)
{
    while (broker->session_next < broker->config.sessions_max &&
           broker->sessions[broker->session_next].used) {
        broker->session_next++;
    }
    if (broker->session_next == broker->config.sessions_max) {
        return NULL;
    }
    const uint32_t row = broker->session_next++;
    struct broker_session *session = &broker->sessions[row];
    const bool touched = session->touched;
    memset(session, 0, sizeof *session);
    session->used = true;
    session->touched = touched;
    broker_text_set(&session->client, client);
    session->connection = BROKER_NONE;
    session->subscriptions = BROKER_NONE;
    session->will = BROKER_NONE;
    session->ends_at_us = UINT64_MAX;
    session->will_at_us = UINT64_MAX;
    session->head = session->tail = BROKER_NONE;
    mqtt_sender_init(&session->sender, MQTT_INFLIGHT_MAX, 1);
    mqtt_receiver_init(&session->receiver, broker->config.receive_maximum);
    broker_session_index(broker, row);
    return session;
}

void broker_session_drop_will(struct broker *broker, struct broker_session *session)
{
    if (session->will != BROKER_NONE) {
        broker_message_release(broker, session->will);
        session->will = BROKER_NONE;
        broker_session_change(broker, session);
    }
    session->will_at_us = UINT64_MAX;
}

static void publish_will(struct broker *broker, struct broker_session *session)
{
    struct mqtt_packet will;
    const uint32_t message = session->will;
    if (message == BROKER_NONE) {
        return;
    }
    broker_message_read(broker, message, &will);
    will.qos = session->will_qos;
    session->will = BROKER_NONE; /* once [MQTT-3.1.2-10] */
    session->will_at_us = UINT64_MAX;
    broker_session_change(broker, session);
    (void)broker_route(broker, &will,
                       BROKER_NONE); /* nobody is there to hear that it had no room */
    broker_message_release(broker, message);
}

/* UINT32_MAX seconds are for ever, as for session_expiry. */
static uint64_t time_after(uint64_t now_us, uint32_t interval_s)
{
    return interval_s == UINT32_MAX ? UINT64_MAX : now_us + interval_s * UINT64_C(1000000);
}

void broker_session_leave(struct broker *broker, struct broker_session *session)
{
    session->connection = BROKER_NONE;
    broker_session_change(broker, session);
    mqtt_sender_disconnected(&session->sender);
    mqtt_receiver_disconnected(&session->receiver);
    session->ends_at_us = time_after(broker->now_us, session->expiry_s); /* [MQTT-4.1.0-2] */
    if (session->will != BROKER_NONE) {                                  /* [MQTT-3.1.2-8] */
        const uint32_t delay_s =
            session->will_delay_s < session->expiry_s ? session->will_delay_s : session->expiry_s;
        session->will_at_us = time_after(broker->now_us, delay_s);
    }
    broker_wake_at(broker, session->will_at_us);
    broker_wake_at(broker, session->ends_at_us);
    if (session->will_at_us <= broker->now_us) {
        publish_will(broker, session);
    }
    if (session->ends_at_us <= broker->now_us) {
        broker_session_end(broker, session);
    }
}

void broker_session_end(struct broker *broker, struct broker_session *session)
{
    CHECK(session->connection == BROKER_NONE);
    const uint32_t number = broker_session_number(broker, session);
    publish_will(broker, session); /* its delay ends with the session */
    broker_subscriptions_forget(broker, number);
    for (uint32_t index = 0; index < session->sender.count; index++) {
        const struct mqtt_sending *entry = &session->sender.entries[index];
        if (entry->state == MQTT_SENDING_UNACKED) {
            broker_copy_free(broker, (uint32_t)entry->tag);
        }
    }
    while (session->head != BROKER_NONE) {
        broker_copy_free(broker, session->head);
    }
    if (session->stored) {
        broker_store_delete(broker, BROKER_DELETE_SESSION, number);
    }
    broker_session_unindex(broker, number);
    session->used = false;
    broker->session_next = number < broker->session_next ? number : broker->session_next;
}

void broker_sessions_sweep(struct broker *broker)
{
    for (uint32_t row = 0; row < broker->config.sessions_max; row++) {
        struct broker_session *session = &broker->sessions[row];
        if (session->used && session->will_at_us <= broker->now_us) {
            publish_will(broker, session);
        }
        if (session->used && session->ends_at_us <= broker->now_us) {
            broker_session_end(broker, session);
        }
    }
}

/* ERR_OK | ERR_FULL (no room now) | ERR_RANGE (the client takes none that large). */
static enum err hold_copy(struct broker *broker, struct broker_connection *connection,
                          const struct broker_copy *copy, struct mqtt_packet packet,
                          uint16_t packet_id)
{
    uint8_t repeated[BROKER_MESSAGE_BYTES_MAX + 8];
    packet.qos = copy->qos;
    packet.retain = copy->retain;
    packet.packet_id = packet_id;
    if (copy->identifier != 0) { /* [MQTT-3.3.4-3] [MQTT-3.3.4-5] */
        struct mqtt_list list = {.bytes = repeated, .capacity_bytes = sizeof repeated};
        if (packet.properties.repeated.size_bytes > 0) {
            memcpy(repeated, packet.properties.repeated.bytes,
                   packet.properties.repeated.size_bytes);
            list.size_bytes = packet.properties.repeated.size_bytes;
        }
        const enum err err = mqtt_list_subscription_identifier(&list, copy->identifier);
        CHECK(err == ERR_OK);
        packet.properties.repeated = mqtt_list_slice(&list);
        packet.properties.present |= MQTT_PROPERTY_BIT(MQTT_SUBSCRIPTION_IDENTIFIER);
    }
    if (!packet.dup) { /* what is sent again has its whole topic */
        mqtt_aliases_choose(&connection->sent, &packet);
    }
    const enum err err = mqtt_outgoing_hold(broker_outgoing(broker, connection), &packet);
    if (err == ERR_OK) {
        mqtt_aliases_sent(&connection->sent, &packet);
    }
    return err;
}

static bool hold(struct broker *broker, struct broker_connection *connection, enum mqtt_type type,
                 uint16_t packet_id, uint8_t reason)
{
    struct mqtt_packet packet;
    mqtt_packet_init(&packet, type);
    packet.packet_id = packet_id;
    packet.reason = reason;
    return mqtt_outgoing_hold(broker_outgoing(broker, connection), &packet) != ERR_FULL;
}

/* What is due of what is known already, as far as there is room. */
static void fill_due(struct broker *broker, struct broker_session *session,
                     struct broker_connection *connection)
{
    struct mqtt_arrival ack;
    struct mqtt_sending sending;
    while (mqtt_receiver_due(&session->receiver, &ack)) {
        if (!hold(broker, connection, ack.qos == 1 ? MQTT_PUBACK : MQTT_PUBREC, ack.packet_id,
                  ack.reason)) {
            return;
        }
        mqtt_receiver_acked(&session->receiver);
        session->changed = session->changed || ack.qos == 2;
    }
    while (mqtt_sender_due(&session->sender, &sending)) { /* [MQTT-4.4.0-1] */
        if (sending.state == MQTT_SENDING_RELEASED) {
            if (!hold(broker, connection, MQTT_PUBREL, sending.packet_id, MQTT_SUCCESS)) {
                return;
            }
            mqtt_sender_sent(&session->sender, sending.packet_id);
            continue;
        }
        const uint32_t copy = (uint32_t)sending.tag;
        struct mqtt_packet packet;
        broker_message_read(broker, broker->copies[copy].message, &packet);
        (void)broker_message_fresh(broker, broker->copies[copy].message, &packet);
        packet.dup = true; /* [MQTT-3.3.1-3] */
        const enum err err =
            hold_copy(broker, connection, &broker->copies[copy], packet, sending.packet_id);
        if (err == ERR_FULL) {
            return;
        }
        mqtt_sender_sent(&session->sender, sending.packet_id);
        if (err == ERR_RANGE) { /* [MQTT-3.1.2-25] */
            mqtt_sender_give_up(&session->sender, sending.packet_id);
            session->changed = true;
            broker_copy_free(broker, copy);
        }
    }
}

static void queue_unlink_head(struct broker *broker, struct broker_session *session)
{
    const uint32_t head = session->head;
    session->head = broker->copies[head].next;
    session->tail = session->head == BROKER_NONE ? BROKER_NONE : session->tail;
    session->queue_count--;
    broker->copies[head].next = BROKER_NONE;
}

/* The first copy of the queue. False: it has to wait. */
static bool fill_head(struct broker *broker, struct broker_session *session,
                      struct broker_connection *connection)
{
    const uint32_t head = session->head;
    struct broker_copy *copy = &broker->copies[head];
    struct mqtt_packet packet; /* with what is left of its expiry [MQTT-3.3.2-6] */
    uint16_t packet_id = 0;
    broker_message_read(broker, copy->message, &packet);
    if (!broker_message_fresh(broker, copy->message, &packet)) { /* [MQTT-3.3.2-5] */
        broker_copy_free(broker, head);
        return true;
    }
    if (copy->qos > 0 &&
        mqtt_sender_publish(&session->sender, copy->qos, head, &packet_id) != ERR_OK) {
        return false; /* [MQTT-3.3.4-9] */
    }
    const enum err err = hold_copy(broker, connection, copy, packet, packet_id);
    if (err != ERR_OK && copy->qos > 0) {
        mqtt_sender_take_back(&session->sender, packet_id);
    }
    if (err == ERR_FULL) {
        return false;
    }
    if (err == ERR_RANGE || copy->qos == 0) {
        broker_copy_free(broker, head);
        return true;
    }
    queue_unlink_head(broker, session);
    copy->inflight = true;
    session->changed = true; /* with it, what is in flight is stored */
    return true;
}

bool broker_session_waits(const struct broker_session *session)
{
    struct mqtt_sending sending;
    struct mqtt_arrival ack;
    return session->head != BROKER_NONE || mqtt_sender_due(&session->sender, &sending) ||
           mqtt_receiver_due(&session->receiver, &ack);
}

void broker_session_fill(struct broker *broker, struct broker_session *session)
{
    struct broker_connection *connection = &broker->connections[session->connection];
    CHECK(connection->connected);
    CHECK(session->touched); /* what changes here is stored with the next commit */
    fill_due(broker, session, connection);
    struct mqtt_sending sending;
    while (session->head != BROKER_NONE && !mqtt_sender_due(&session->sender, &sending) &&
           fill_head(broker, session, connection)) {
    }
}
