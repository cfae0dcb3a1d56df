/* The broker's messages: who gets them, and how long they are held. */
#include <stddef.h>
#include <string.h>

#include "core/check.h"
#include "core/mqtt/filter.h"
#include "core/mqtt/list.h"
#include "core/server/broker_inside.h"

static uint32_t message_free_row(struct broker *broker)
{
    for (uint32_t tries = 0; tries < broker->config.messages_max; tries++) {
        const uint32_t row = broker->message_next;
        broker->message_next = row + 1 == broker->config.messages_max ? 0 : row + 1;
        if (broker->messages[row].references == 0) {
            return row;
        }
    }
    return BROKER_NONE;
}

uint32_t broker_message_new(struct broker *broker, const struct mqtt_packet *publish)
{
    const uint32_t row = message_free_row(broker);
    if (row == BROKER_NONE) {
        return BROKER_NONE;
    }
    struct broker_message *message = &broker->messages[row];
    /* All else stays as it is, and in its order [MQTT-3.3.2-4] [MQTT-3.3.2-15] [MQTT-3.3.2-16]
     * [MQTT-3.3.2-17] [MQTT-3.3.2-20] [MQTT-3.1.3-10]. */
    struct mqtt_packet packet = *publish;
    packet.type = MQTT_PUBLISH;
    packet.qos = 0;
    packet.dup = false;
    packet.packet_id = 0;
    packet.properties.present &=
        ~(MQTT_PROPERTY_BIT(MQTT_TOPIC_ALIAS) | MQTT_PROPERTY_BIT(MQTT_SUBSCRIPTION_IDENTIFIER) |
          MQTT_PROPERTY_BIT(MQTT_WILL_DELAY_INTERVAL));
    message->size_bytes = BROKER_MESSAGE_BYTES_MAX;
    if (mqtt_encode(&packet, message->bytes, &message->size_bytes) != ERR_OK) {
        return BROKER_NONE;
    }
    message->arrived_us = broker->now_us;
    message->stored = false;
    message->qos = publish->qos;
    return row;
}

void broker_message_read(const struct broker *broker, uint32_t message, struct mqtt_packet *publish)
{
    uint8_t reason = 0;
    const struct broker_message *row = &broker->messages[message];
    const enum err err = mqtt_decode(row->bytes, row->size_bytes, publish, &reason);
    CHECK(err == ERR_OK); /* it was encoded here, or checked when it was loaded */
}

void broker_message_hold(struct broker *broker, uint32_t message, bool durable)
{
    broker->messages[message].references++;
    if (durable && !broker->messages[message].stored) {
        broker->messages[message].stored = true;
        broker_store_put(broker, BROKER_PUT_MESSAGE, message);
    }
}

void broker_message_release(struct broker *broker, uint32_t message)
{
    CHECK(broker->messages[message].references > 0);
    if (--broker->messages[message].references == 0 && broker->messages[message].stored) {
        broker->messages[message].stored = false;
        broker_store_delete(broker, BROKER_DELETE_MESSAGE, message);
    }
}

bool broker_message_fresh(const struct broker *broker, uint32_t message,
                          struct mqtt_packet *publish)
{
    if ((publish->properties.present & MQTT_PROPERTY_BIT(MQTT_MESSAGE_EXPIRY_INTERVAL)) == 0) {
        return true;
    }
    return mqtt_expiry_left(publish->properties.message_expiry_s,
                            broker->now_us - broker->messages[message].arrived_us,
                            &publish->properties.message_expiry_s);
}

/* Take a copy off the queue that it is in, wherever it stands. */
static void queue_remove(struct broker *broker, struct broker_session *session, uint32_t copy)
{
    uint32_t before = BROKER_NONE, at = session->head;
    while (at != copy) {
        CHECK(at != BROKER_NONE);
        before = at;
        at = broker->copies[at].next;
    }
    if (before == BROKER_NONE) {
        session->head = broker->copies[copy].next;
    } else {
        broker->copies[before].next = broker->copies[copy].next;
    }
    if (session->tail == copy) {
        session->tail = before;
    }
    session->queue_count--;
}

void broker_copy_free(struct broker *broker, uint32_t copy)
{
    struct broker_copy *row = &broker->copies[copy];
    CHECK(row->message != BROKER_NONE);
    if (!row->inflight) {
        queue_remove(broker, &broker->sessions[row->session], copy);
    }
    if (row->stored) {
        broker_store_delete(broker, BROKER_DELETE_COPY, copy);
    }
    broker_message_release(broker, row->message);
    memset(row, 0, sizeof *row);
    row->message = BROKER_NONE;
}

static uint32_t copy_free_row(struct broker *broker)
{
    for (uint32_t tries = 0; tries < broker->config.copies_max; tries++) {
        const uint32_t row = broker->copy_next;
        broker->copy_next = row + 1 == broker->config.copies_max ? 0 : row + 1;
        if (broker->copies[row].message == BROKER_NONE) {
            return row;
        }
    }
    return BROKER_NONE;
}

/* Behind all others in the queue of the session [MQTT-4.6.0-5] [MQTT-4.6.0-6]; dropped and counted
 * if that is full. */
static void enqueue(struct broker *broker, uint32_t number, uint32_t message, uint8_t qos,
                    bool retain, uint32_t identifier)
{
    struct broker_session *session = &broker->sessions[number];
    if (qos == 0 && session->connection == BROKER_NONE) {
        return; /* section 4.1: may be kept, is not */
    }
    if (session->queue_count >= broker->config.queue_max) {
        broker->counts.dropped++;
        return;
    }
    const uint32_t row = copy_free_row(broker);
    if (row == BROKER_NONE) { /* broker_route has looked; retained ones may not fit */
        broker->counts.dropped++;
        return;
    }
    const bool durable = qos > 0 && broker_session_durable(session);
    broker->copies[row] = (struct broker_copy){.message = message,
                                               .session = number,
                                               .next = BROKER_NONE,
                                               .identifier = identifier,
                                               .order = broker->order_next++,
                                               .qos = qos,
                                               .retain = retain,
                                               .stored = durable};
    if (session->tail == BROKER_NONE) {
        session->head = row;
    } else {
        broker->copies[session->tail].next = row;
    }
    session->tail = row;
    session->queue_count++;
    broker_message_hold(broker, message, durable);
    if (durable) {
        broker_store_put(broker, BROKER_PUT_COPY, row);
    }
}

/* Of a share, one member gets the message, with its own QoS [MQTT-4.8.2-3], and nobody else
 * whatever becomes of it [MQTT-4.8.2-4] [MQTT-4.8.2-5]: in turn, and one that is connected if there
 * is one. The member that is lowest in the table decides for all; NONE for the others. */
static uint32_t share_member(struct broker *broker, uint32_t first)
{
    const struct mqtt_slice filter = broker_slice(&broker->subscriptions[first].filter);
    uint32_t members = 0, connected = 0;
    for (uint32_t row = 0; row < broker->config.subscriptions_max; row++) {
        const struct broker_subscription *one = &broker->subscriptions[row];
        if (one->session != BROKER_NONE && mqtt_slice_equal(broker_slice(&one->filter), filter)) {
            if (row < first) {
                return BROKER_NONE;
            }
            members++;
            connected += broker->sessions[one->session].connection != BROKER_NONE;
        }
    }
    uint32_t turn = broker->subscriptions[first].turn++ % (connected > 0 ? connected : members);
    for (uint32_t row = first;; row++) { /* ends: there are so many */
        const struct broker_subscription *one = &broker->subscriptions[row];
        if (one->session != BROKER_NONE && mqtt_slice_equal(broker_slice(&one->filter), filter) &&
            (connected == 0 || broker->sessions[one->session].connection != BROKER_NONE) &&
            turn-- == 0) {
            return row;
        }
    }
}

static bool matches(const struct broker_subscription *subscription, struct mqtt_slice topic,
                    bool *shared)
{
    struct mqtt_slice share, inner;
    if (subscription->session == BROKER_NONE) {
        return false;
    }
    *shared = mqtt_filter_shared(broker_slice(&subscription->filter), &share, &inner);
    return mqtt_filter_matches(inner, topic);
}

static uint32_t retained_find(const struct broker *broker, struct mqtt_slice topic)
{
    for (uint32_t row = 0; row < broker->config.retained_max; row++) {
        struct mqtt_packet packet;
        if (broker->retained[row] != BROKER_NONE) {
            broker_message_read(broker, broker->retained[row], &packet);
            if (mqtt_slice_equal(packet.topic, topic)) {
                return row;
            }
        }
    }
    return BROKER_NONE;
}

static uint32_t retained_free_row(const struct broker *broker)
{
    for (uint32_t row = 0; row < broker->config.retained_max; row++) {
        if (broker->retained[row] == BROKER_NONE) {
            return row;
        }
    }
    return BROKER_NONE;
}

/* [MQTT-3.3.1-5] [MQTT-3.3.1-6] [MQTT-3.3.1-7]; row: where it goes, or what it replaces. */
static void retain(struct broker *broker, uint32_t row, uint32_t message, bool empty)
{
    if (row == BROKER_NONE) { /* nothing to remove */
        return;
    }
    if (broker->retained[row] != BROKER_NONE) {
        const uint32_t old = broker->retained[row];
        broker->retained[row] = BROKER_NONE;
        broker_store_delete(broker, BROKER_DELETE_RETAINED, row);
        broker_message_release(broker, old);
    }
    if (!empty) {
        broker->retained[row] = message;
        broker_message_hold(broker, message, true);
        broker_store_put(broker, BROKER_PUT_RETAINED, row);
    }
}

static bool room_for_copies(const struct broker *broker, struct mqtt_slice topic)
{
    uint32_t wanted = 0, free_rows = 0;
    bool shared = false;
    for (uint32_t row = 0; row < broker->config.subscriptions_max; row++) {
        wanted += matches(&broker->subscriptions[row], topic, &shared);
    }
    for (uint32_t row = 0; row < broker->config.copies_max && free_rows < wanted; row++) {
        free_rows += broker->copies[row].message == BROKER_NONE;
    }
    return free_rows >= wanted;
}

uint8_t broker_route(struct broker *broker, const struct mqtt_packet *publish, uint32_t publisher)
{
    const bool empty = publish->payload.size_bytes == 0;
    uint32_t retained = BROKER_NONE;
    if (publish->retain) {
        retained = retained_find(broker, publish->topic);
        if (retained == BROKER_NONE && !empty) {
            retained = retained_free_row(broker);
            if (retained == BROKER_NONE) {
                return MQTT_QUOTA_EXCEEDED;
            }
        }
    }
    const uint32_t message = broker_message_new(broker, publish);
    if (message == BROKER_NONE || !room_for_copies(broker, publish->topic)) {
        return MQTT_QUOTA_EXCEEDED;
    }
    broker_message_hold(broker, message, false); /* by this function */
    if (publish->retain) {                       /* [MQTT-3.3.1-8] */
        retain(broker, retained, message, empty);
    }
    bool anybody = false;
    for (uint32_t row = 0; row < broker->config.subscriptions_max; row++) {
        bool shared = false;
        if (!matches(&broker->subscriptions[row], publish->topic, &shared)) { /* [MQTT-3.3.2-3] */
            continue;
        }
        const uint32_t to = shared ? share_member(broker, row) : row;
        if (to == BROKER_NONE) {
            continue;
        }
        const struct broker_subscription *one = &broker->subscriptions[to];
        if (one->no_local && one->session == publisher) { /* [MQTT-3.8.3-3] */
            continue;
        }
        anybody = true;
        const uint8_t qos = publish->qos < one->qos ? publish->qos : one->qos; /* [MQTT-3.8.4-8] */
        enqueue(broker, one->session, message, qos, /* [MQTT-3.3.1-12] [MQTT-3.3.1-13] */
                publish->retain && one->retain_as_published, one->identifier);
    }
    broker_message_release(broker, message);
    broker->counts.published++;
    return anybody ? MQTT_SUCCESS : MQTT_NO_MATCHING_SUBSCRIBERS;
}

static void send_retained(struct broker *broker, const struct broker_subscription *one)
{
    for (uint32_t row = 0; row < broker->config.retained_max; row++) {
        struct mqtt_packet packet;
        bool shared = false;
        if (broker->retained[row] == BROKER_NONE) {
            continue;
        }
        const uint32_t message = broker->retained[row];
        broker_message_read(broker, message, &packet);
        if (!broker_message_fresh(broker, message, &packet)) { /* it has expired meanwhile */
            retain(broker, row, BROKER_NONE, true);
        } else if (matches(one, packet.topic, &shared)) {
            const uint8_t qos = broker->messages[message].qos; /* [MQTT-3.8.4-8] */
            enqueue(broker, one->session, message, qos < one->qos ? qos : one->qos, true,
                    one->identifier);
        }
    }
}

static uint32_t subscription_find(const struct broker *broker, uint32_t session,
                                  struct mqtt_slice filter)
{
    for (uint32_t row = 0; row < broker->config.subscriptions_max; row++) {
        if (broker->subscriptions[row].session == session &&
            (session == BROKER_NONE ||
             mqtt_slice_equal(broker_slice(&broker->subscriptions[row].filter), filter))) {
            return row;
        }
    }
    return BROKER_NONE;
}

uint8_t broker_subscribe(struct broker *broker, struct broker_session *session,
                         const struct mqtt_subscription *wanted, uint32_t identifier)
{
    const uint32_t number = broker_session_number(broker, session);
    struct mqtt_slice share, inner;
    if (wanted->filter.size_bytes > BROKER_TEXT_BYTES_MAX) {
        return MQTT_TOPIC_FILTER_INVALID;
    }
    uint32_t row = subscription_find(broker, number, wanted->filter);
    const bool existed = row != BROKER_NONE; /* [MQTT-3.8.4-3] [MQTT-3.8.4-4]: copies stay */
    if (!existed) {
        row = subscription_find(broker, BROKER_NONE, wanted->filter);
    }
    if (row == BROKER_NONE) {
        return MQTT_QUOTA_EXCEEDED;
    }
    struct broker_subscription *one = &broker->subscriptions[row];
    *one = (struct broker_subscription){.session = number,
                                        .identifier = identifier,
                                        .qos = wanted->qos,
                                        .no_local = wanted->no_local,
                                        .retain_as_published = wanted->retain_as_published};
    broker_text_set(&one->filter, wanted->filter);
    if (broker_session_durable(session)) {
        broker_store_put(broker, BROKER_PUT_SUBSCRIPTION, row);
    }
    const bool shared = mqtt_filter_shared(wanted->filter, &share, &inner);
    if (!shared && (wanted->retain_handling == MQTT_RETAINED_ALWAYS ||
                    (wanted->retain_handling == MQTT_RETAINED_IF_NEW && !existed))) {
        send_retained(broker, one); /* [MQTT-3.3.1-9] [MQTT-3.3.1-10] [MQTT-3.3.1-11] */
    }
    return wanted->qos; /* [MQTT-3.8.4-7] */
}

static void subscription_free(struct broker *broker, uint32_t row)
{
    broker->subscriptions[row].session = BROKER_NONE;
    broker_store_delete(broker, BROKER_DELETE_SUBSCRIPTION, row);
}

uint8_t broker_unsubscribe(struct broker *broker, struct broker_session *session,
                           struct mqtt_slice filter)
{
    const uint32_t row = subscription_find(broker, broker_session_number(broker, session), filter);
    if (row == BROKER_NONE) {
        return MQTT_NO_SUBSCRIPTION_EXISTED;
    }
    subscription_free(broker,
                      row); /* [MQTT-3.10.4-1] [MQTT-3.10.4-2]; copies stay [MQTT-3.10.4-3] */
    return MQTT_SUCCESS;
}

void broker_subscriptions_forget(struct broker *broker, uint32_t session)
{
    for (uint32_t row = 0; row < broker->config.subscriptions_max; row++) {
        if (broker->subscriptions[row].session == session) {
            subscription_free(broker, row);
        }
    }
}
