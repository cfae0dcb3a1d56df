/* The broker's messages: who gets them, and how long they are held. */
#include <stddef.h>
#include <string.h>

#include "core/check.h"
#include "core/mqtt/filter.h"
#include "core/mqtt/list.h"
#include "core/server/broker_inside.h"

const uint8_t *broker_message_bytes(const struct broker *broker, uint32_t message)
{
    return broker->messages[message].size_bytes <= BROKER_SMALL_BYTES_MAX
               ? broker->small_bytes[message]
               : broker->large_bytes[message];
}

void broker_message_set(struct broker *broker, uint32_t message, const uint8_t *bytes,
                        uint32_t size_bytes)
{
    CHECK(size_bytes <= BROKER_MESSAGE_BYTES_MAX);
    memcpy(size_bytes <= BROKER_SMALL_BYTES_MAX ? broker->small_bytes[message]
                                                : broker->large_bytes[message],
           bytes, size_bytes);
    broker->messages[message].size_bytes = size_bytes;
}

uint32_t broker_message_new(struct broker *broker, const struct mqtt_packet *publish)
{
    if (broker->free_messages.count == 0) {
        return BROKER_NONE;
    }
    const uint32_t row = broker->free_messages.rows[broker->free_messages.count - 1];
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
    uint8_t bytes[BROKER_MESSAGE_BYTES_MAX];
    uint32_t size_bytes = sizeof bytes;
    if (mqtt_encode(&packet, bytes, &size_bytes) != ERR_OK) {
        return BROKER_NONE;
    }
    broker_message_set(broker, row, bytes, size_bytes);
    message->arrived_us = broker->now_us;
    message->stored = false;
    message->qos = publish->qos;
    return row;
}

void broker_message_read(const struct broker *broker, uint32_t message, struct mqtt_packet *publish)
{
    uint8_t reason = 0;
    const struct broker_message *row = &broker->messages[message];
    const enum err err =
        mqtt_decode(broker_message_bytes(broker, message), row->size_bytes, publish, &reason);
    CHECK(err == ERR_OK); /* it was encoded here, or checked when it was loaded */
}

void broker_message_refer(struct broker *broker, uint32_t message)
{
    struct broker_list *list = &broker->free_messages;
    if (broker->messages[message].references++ == 0 && list->count > 0) { /* 0: of a load */
        CHECK(list->rows[list->count - 1] == message);
        list->count--;
    }
}

void broker_message_hold(struct broker *broker, uint32_t message, bool durable)
{
    broker_message_refer(broker, message);
    if (durable && !broker->messages[message].stored) {
        broker->messages[message].stored = true;
        broker_store_put(broker, BROKER_PUT_MESSAGE, message);
    }
}

void broker_message_release(struct broker *broker, uint32_t message)
{
    CHECK(broker->messages[message].references > 0);
    if (--broker->messages[message].references > 0) {
        return;
    }
    broker->free_messages.rows[broker->free_messages.count++] = message;
    broker->messages[message].stored =
        false; /* its row stays until another one's takes its place */
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

void broker_copy_queue(struct broker *broker, uint32_t copy)
{
    struct broker_session *session = &broker->sessions[broker->copies[copy].session];
    if (session->tail == BROKER_NONE) {
        session->head = copy;
    } else {
        broker->copies[session->tail].next = copy;
    }
    session->tail = copy;
    session->queue_count++;
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
    const bool stale = row->stored || row->stale;
    if (stale && !row->listed) {
        broker->stale.rows[broker->stale.count++] = copy;
    }
    broker_message_release(broker, row->message);
    *row = (struct broker_copy){
        .message = BROKER_NONE, .stale = stale, .listed = stale || row->listed};
    broker->free_copies.rows[broker->free_copies.count++] = copy;
}

void broker_copies_delete(struct broker *broker)
{
    while (broker->stale.count > 0) {
        const uint32_t row = broker->stale.rows[--broker->stale.count];
        if (broker->copies[row].stale) {
            broker_store_delete(broker, BROKER_DELETE_COPY, row);
        }
        broker->copies[row].stale = broker->copies[row].listed = false;
    }
}

/* Of QoS 0 nothing is promised: what waits for a client that does not read takes no more than it
 * leaves free, so that n of them leave one part in n + 1 of the room to the others. */
static bool takes_too_much(const struct broker *broker, const struct broker_session *session)
{
    return session->queue_count >= broker->free_copies.count ||
           session->queue_count >= broker->free_messages.count;
}

/* What waits to be settled takes half of a queue, or a quarter of the room, and no more: a client
 * that reads loses nothing because others came at the same time. */
static void count_unsettled(struct broker *broker, struct broker_session *session)
{
    const struct broker_config *config = &broker->config;
    const uint32_t room =
        config->copies_max < config->messages_max ? config->copies_max : config->messages_max;
    session->unsettled_count++;
    broker->unsettled_count++;
    broker->crowded = broker->crowded || session->unsettled_count >= config->queue_max / 2 ||
                      broker->unsettled_count >= room / 4;
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
    if (session->queue_count >= broker->config.queue_max ||
        (qos == 0 && takes_too_much(broker, session))) {
        broker->counts.dropped++;
        return;
    }
    if (broker->free_copies.count == 0) { /* broker_route has looked; retained ones may not fit */
        broker->counts.dropped++;
        return;
    }
    const uint32_t row = broker->free_copies.rows[--broker->free_copies.count];
    broker_session_touch(broker, session);
    count_unsettled(broker, session);
    const bool durable = qos > 0 && broker_session_durable(session);
    broker->copies[row] = (struct broker_copy){.message = message,
                                               .session = number,
                                               .next = BROKER_NONE,
                                               .identifier = identifier,
                                               .order = broker->order_next++,
                                               .qos = qos,
                                               .retain = retain,
                                               .stored = durable,
                                               .stale = !durable && broker->copies[row].stale,
                                               .listed = broker->copies[row].listed};
    broker_copy_queue(broker, row);
    broker_message_hold(broker, message, durable);
    if (durable) {
        broker_store_put(broker, BROKER_PUT_COPY, row);
    }
}

static uint32_t retained_free_row(struct broker *broker)
{
    while (broker->retained_next < broker->config.retained_max &&
           broker->retained[broker->retained_next].message != BROKER_NONE) {
        broker->retained_next++;
    }
    return broker->retained_next < broker->config.retained_max ? broker->retained_next
                                                               : BROKER_NONE;
}

/* [MQTT-3.3.1-5] [MQTT-3.3.1-6] [MQTT-3.3.1-7]; row: where it goes, or what it replaces. */
static void retain(struct broker *broker, uint32_t row, uint32_t message, bool empty)
{
    if (row == BROKER_NONE) { /* nothing to remove */
        return;
    }
    if (broker->retained[row].message != BROKER_NONE) {
        const uint32_t old = broker->retained[row].message;
        broker_retained_unindex(broker, row);
        broker->retained[row].message = BROKER_NONE;
        broker->retained_next = row < broker->retained_next ? row : broker->retained_next;
        broker_store_delete(broker, BROKER_DELETE_RETAINED, row);
        broker_message_release(broker, old);
    }
    if (!empty) {
        broker->retained[row].message = message;
        broker_retained_index(broker, row);
        broker_message_hold(broker, message, true);
        broker_store_put(broker, BROKER_PUT_RETAINED, row);
    }
}

static bool room_for_copies(const struct broker *broker, struct mqtt_slice topic)
{
    const uint32_t free_rows = broker->free_copies.count;
    uint32_t wanted = 0;
    struct broker_matches matches;
    if (free_rows >= broker->subscriptions_used) {
        return true;
    }
    broker_matches_begin(broker, topic, &matches);
    while (wanted <= free_rows && broker_matches_next(broker, &matches) != BROKER_NONE) {
        wanted++;
    }
    return wanted <= free_rows;
}

uint8_t broker_route(struct broker *broker, const struct mqtt_packet *publish, uint32_t publisher)
{
    const bool empty = publish->payload.size_bytes == 0;
    uint32_t retained = BROKER_NONE;
    if (publish->retain) {
        retained = broker_retained_find(broker, publish->topic);
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
    struct broker_matches matches; /* [MQTT-3.3.2-3] */
    broker_matches_begin(broker, publish->topic, &matches);
    for (uint32_t row = broker_matches_next(broker, &matches); row != BROKER_NONE;
         row = broker_matches_next(broker, &matches)) {
        const struct broker_subscription *one = &broker->subscriptions[row];
        if (one->shared && !one->leads) {
            continue;
        }
        if (one->shared) {
            one = &broker->subscriptions[broker_share_member(broker, row)];
        }
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

static void send_retained_row(struct broker *broker, const struct broker_subscription *one,
                              uint32_t row)
{
    struct mqtt_packet packet;
    const uint32_t message = broker->retained[row].message;
    broker_message_read(broker, message, &packet);
    if (!broker_message_fresh(broker, message, &packet)) { /* it has expired meanwhile */
        retain(broker, row, BROKER_NONE, true);
    } else if (broker_subscription_matches(one, packet.topic)) {
        const uint8_t qos = broker->messages[message].qos; /* [MQTT-3.8.4-8] */
        enqueue(broker, one->session, message, qos < one->qos ? qos : one->qos, true,
                one->identifier);
    }
}

static void send_retained(struct broker *broker, const struct broker_subscription *one)
{
    const struct mqtt_slice filter = broker_slice(&one->filter);
    if (!mqtt_filter_wild(filter)) { /* it is a topic, too */
        const uint32_t row = broker_retained_find(broker, filter);
        if (row != BROKER_NONE) {
            send_retained_row(broker, one, row);
        }
        return;
    }
    for (uint32_t row = 0; row < broker->config.retained_max; row++) {
        if (broker->retained[row].message != BROKER_NONE) {
            send_retained_row(broker, one, row);
        }
    }
}

static uint32_t subscription_find(const struct broker *broker, uint32_t session,
                                  struct mqtt_slice filter)
{
    uint32_t row = broker->sessions[session].subscriptions;
    while (row != BROKER_NONE &&
           !mqtt_slice_equal(broker_slice(&broker->subscriptions[row].filter), filter)) {
        row = broker->subscriptions[row].next_of_session;
    }
    return row;
}

/* A new one of the session, or BROKER_NONE: there is no room. */
static uint32_t subscription_new(struct broker *broker, uint32_t session, struct mqtt_slice filter)
{
    while (broker->subscription_next < broker->config.subscriptions_max &&
           broker->subscriptions[broker->subscription_next].session != BROKER_NONE) {
        broker->subscription_next++;
    }
    if (broker->subscription_next == broker->config.subscriptions_max) {
        return BROKER_NONE;
    }
    const uint32_t row = broker->subscription_next++;
    broker->subscriptions[row] = (struct broker_subscription){.session = session};
    broker_text_set(&broker->subscriptions[row].filter, filter);
    broker_subscription_index(broker, row);
    broker->subscriptions_used++;
    return row;
}

uint8_t broker_subscribe(struct broker *broker, struct broker_session *session,
                         const struct mqtt_subscription *wanted, uint32_t identifier)
{
    const uint32_t number = broker_session_number(broker, session);
    if (wanted->filter.size_bytes > BROKER_TEXT_BYTES_MAX) {
        return MQTT_TOPIC_FILTER_INVALID;
    }
    uint32_t row = subscription_find(broker, number, wanted->filter);
    const bool existed = row != BROKER_NONE; /* [MQTT-3.8.4-3] [MQTT-3.8.4-4]: copies stay */
    if (!existed) {
        row = subscription_new(broker, number, wanted->filter);
    }
    if (row == BROKER_NONE) {
        return MQTT_QUOTA_EXCEEDED;
    }
    struct broker_subscription *one = &broker->subscriptions[row];
    one->identifier = identifier;
    one->qos = wanted->qos;
    one->no_local = wanted->no_local;
    one->retain_as_published = wanted->retain_as_published;
    if (broker_session_durable(session)) {
        broker_store_put(broker, BROKER_PUT_SUBSCRIPTION, row);
    }
    if (!one->shared && (wanted->retain_handling == MQTT_RETAINED_ALWAYS ||
                         (wanted->retain_handling == MQTT_RETAINED_IF_NEW && !existed))) {
        send_retained(broker, one); /* [MQTT-3.3.1-9] [MQTT-3.3.1-10] [MQTT-3.3.1-11] */
    }
    return wanted->qos; /* [MQTT-3.8.4-7] */
}

static void subscription_free(struct broker *broker, uint32_t row)
{
    broker_subscription_unindex(broker, row);
    broker->subscriptions[row].session = BROKER_NONE;
    broker->subscriptions_used--;
    broker->subscription_next = row < broker->subscription_next ? row : broker->subscription_next;
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
    while (broker->sessions[session].subscriptions != BROKER_NONE) {
        subscription_free(broker, broker->sessions[session].subscriptions);
    }
}
