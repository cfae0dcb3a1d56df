/* The broker: its life, its connections, and the order of commit and send. */
#include <stddef.h>
#include <string.h>

#include "core/check.h"
#include "core/evidence.h"
#include "core/mqtt/keep_alive.h"
#include "core/server/broker_inside.h"

/* Where each table begins in the caller's memory; all of them on 8 bytes. */
struct layout {
    uint64_t connections, sessions, subscriptions, messages, copies, retained;
    uint64_t by_link, by_client, by_filter, by_topic, touched, unsent, stale;
    uint64_t free_framers, free_outgoings, free_messages, free_copies;
    uint64_t aliases, framers, outgoings, small_bytes, large_bytes, end;
};

static uint64_t table_end(uint64_t begin, uint32_t rows, uint64_t row_bytes)
{
    return begin + (rows * row_bytes + 7u) / 8u * 8u;
}

static struct layout layout_of(const struct broker_config *config)
{
    struct layout at;
    at.connections = table_end(0, 1, sizeof(struct broker));
    at.sessions =
        table_end(at.connections, config->connections_max, sizeof(struct broker_connection));
    at.subscriptions = table_end(at.sessions, config->sessions_max, sizeof(struct broker_session));
    at.messages =
        table_end(at.subscriptions, config->subscriptions_max, sizeof(struct broker_subscription));
    at.copies = table_end(at.messages, config->messages_max, sizeof(struct broker_message));
    at.retained = table_end(at.copies, config->copies_max, sizeof(struct broker_copy));
    at.by_link = table_end(at.retained, config->retained_max, sizeof(struct broker_retained));
    at.by_client = table_end(at.by_link, broker_buckets(config->connections_max), sizeof(uint32_t));
    at.by_filter = table_end(at.by_client, broker_buckets(config->sessions_max), sizeof(uint32_t));
    at.by_topic =
        table_end(at.by_filter, broker_buckets(config->subscriptions_max), sizeof(uint32_t));
    at.touched = table_end(at.by_topic, broker_buckets(config->retained_max), sizeof(uint32_t));
    at.unsent = table_end(at.touched, config->sessions_max, sizeof(uint32_t));
    at.stale = table_end(at.unsent, config->connections_max, sizeof(uint32_t));
    at.free_framers = table_end(at.stale, config->copies_max, sizeof(uint32_t));
    at.free_outgoings = table_end(at.free_framers, config->connections_max, sizeof(uint32_t));
    at.free_messages = table_end(at.free_outgoings, config->connections_max, sizeof(uint32_t));
    at.free_copies = table_end(at.free_messages, config->messages_max, sizeof(uint32_t));
    at.aliases = table_end(at.free_copies, config->copies_max, sizeof(uint32_t));
    at.framers = table_end(at.aliases, config->connections_max, sizeof(struct broker_aliases));
    at.outgoings = table_end(at.framers, config->connections_max, sizeof(struct mqtt_framer));
    at.small_bytes = table_end(at.outgoings, config->connections_max, sizeof(struct mqtt_outgoing));
    at.large_bytes = table_end(at.small_bytes, config->messages_max, BROKER_SMALL_BYTES_MAX);
    at.end = table_end(at.large_bytes, config->messages_max, BROKER_MESSAGE_BYTES_MAX);
    return at;
}

uint64_t broker_size_bytes(const struct broker_config *config)
{
    CHECK(config != NULL);
    return layout_of(config).end;
}

static void config_check(const struct broker_config *config)
{
    CHECK(config->connections_max >= 1 && config->connections_max <= BROKER_SESSIONS_MAX);
    CHECK(config->sessions_max >= 1 && config->sessions_max <= BROKER_SESSIONS_MAX);
    CHECK(config->subscriptions_max >= 1 && config->subscriptions_max <= BROKER_POOL_MAX);
    CHECK(config->messages_max >= 1 && config->messages_max <= BROKER_POOL_MAX);
    CHECK(config->copies_max >= 1 && config->copies_max <= BROKER_POOL_MAX);
    CHECK(config->retained_max >= 1 && config->retained_max <= BROKER_POOL_MAX);
    CHECK(config->queue_max >= 1);
    CHECK(config->receive_maximum >= 1 && config->receive_maximum <= MQTT_INFLIGHT_MAX);
    CHECK(config->users != NULL || config->user_count == 0);
}

static void fail(struct broker *broker, const struct port *port)
{
    broker->failed = true;
    port->reset(port->ctx);
}

static uint32_t *rows_at(uint8_t *memory, uint64_t at)
{
    return (uint32_t *)(void *)(memory + at);
}

/* All rows are free, and the first ones go first. */
static void list_fill(struct broker_list *list, uint32_t count)
{
    for (list->count = 0; list->count < count; list->count++) {
        list->rows[list->count] = count - 1 - list->count;
    }
}

static void lists_init(struct broker *broker, uint8_t *memory, const struct layout *at)
{
    const struct broker_config *config = &broker->config;
    broker->touched.rows = rows_at(memory, at->touched);
    broker->unsent.rows = rows_at(memory, at->unsent);
    broker->stale.rows = rows_at(memory, at->stale);
    broker->free_framers.rows = rows_at(memory, at->free_framers);
    broker->free_outgoings.rows = rows_at(memory, at->free_outgoings);
    broker->free_messages.rows = rows_at(memory, at->free_messages);
    broker->free_copies.rows = rows_at(memory, at->free_copies);
    list_fill(&broker->free_framers, config->connections_max);
    list_fill(&broker->free_outgoings, config->connections_max);
    list_fill(&broker->free_messages, config->messages_max);
    list_fill(&broker->free_copies, config->copies_max);
    broker_buckets_init(&broker->by_link, rows_at(memory, at->by_link), config->connections_max);
    broker_buckets_init(&broker->by_client, rows_at(memory, at->by_client), config->sessions_max);
    broker_buckets_init(&broker->by_filter, rows_at(memory, at->by_filter),
                        config->subscriptions_max);
    broker_buckets_init(&broker->by_topic, rows_at(memory, at->by_topic), config->retained_max);
}

/* What is behind the lists is written before it is read, and is left alone. */
static void tables_init(struct broker *broker, const struct broker_config *config)
{
    const struct layout at = layout_of(config);
    uint8_t *memory = (uint8_t *)broker;
    memset(memory, 0, (size_t)at.by_link);
    broker->config = *config;
    broker->connections = (struct broker_connection *)(void *)(memory + at.connections);
    broker->sessions = (struct broker_session *)(void *)(memory + at.sessions);
    broker->subscriptions = (struct broker_subscription *)(void *)(memory + at.subscriptions);
    broker->messages = (struct broker_message *)(void *)(memory + at.messages);
    broker->copies = (struct broker_copy *)(void *)(memory + at.copies);
    broker->retained = (struct broker_retained *)(void *)(memory + at.retained);
    broker->aliases = (struct broker_aliases *)(void *)(memory + at.aliases);
    broker->framers = (struct mqtt_framer *)(void *)(memory + at.framers);
    broker->outgoings = (struct mqtt_outgoing *)(void *)(memory + at.outgoings);
    broker->small_bytes = (uint8_t(*)[BROKER_SMALL_BYTES_MAX])(memory + at.small_bytes);
    broker->large_bytes = (uint8_t(*)[BROKER_MESSAGE_BYTES_MAX])(memory + at.large_bytes);
    lists_init(broker, memory, &at);
    broker->deadline_us = UINT64_MAX;
    broker->waiting_first = broker->waiting_last = BROKER_NONE;
    for (uint32_t row = 0; row < config->subscriptions_max; row++) {
        broker->subscriptions[row].session = BROKER_NONE;
    }
    for (uint32_t row = 0; row < config->copies_max; row++) {
        broker->copies[row].message = BROKER_NONE;
    }
    for (uint32_t row = 0; row < config->retained_max; row++) {
        broker->retained[row].message = BROKER_NONE;
    }
}

void broker_free_rows(struct broker *broker)
{
    broker->free_messages.count = broker->free_copies.count = 0;
    for (uint32_t row = broker->config.messages_max; row-- > 0;) {
        if (broker->messages[row].references == 0) {
            broker->free_messages.rows[broker->free_messages.count++] = row;
        }
    }
    for (uint32_t row = broker->config.copies_max; row-- > 0;) {
        if (broker->copies[row].message == BROKER_NONE) {
            broker->free_copies.rows[broker->free_copies.count++] = row;
        }
    }
}

void broker_init(struct broker *broker, const struct broker_config *config, const struct port *port)
{
    CHECK(broker != NULL);
    CHECK(config != NULL);
    config_check(config);
    struct clock_reading now = {0};
    enum err err = port->clock_read(port->ctx, &now);
    tables_init(broker, config);
    broker->now_us = now.monotonic_us;
    if (err == ERR_OK && config->durable) {
        err = broker_store_open(broker, port);
        if (err == ERR_CORRUPT || (err == ERR_IO && database_is_corrupt(&broker->database))) {
            database_close(&broker->database);
            tables_init(broker, config); /* nothing of it is believed */
            broker->now_us = now.monotonic_us;
            port->evidence(port->ctx,
                           &(struct evidence){.kind = EVIDENCE_DROP, .value = REFUSAL_DISK});
            err = database_reset(port);
            if (err == ERR_OK) {
                err = broker_store_open(broker, port);
            }
        }
    }
    if (err != ERR_OK) {
        fail(broker, port);
    }
}

void broker_drop(struct broker *broker)
{
    database_close(&broker->database);
}

struct mqtt_slice broker_slice(const struct broker_text *text)
{
    return (struct mqtt_slice){text->bytes, text->size_bytes};
}

void broker_text_set(struct broker_text *text, struct mqtt_slice slice)
{
    CHECK(slice.size_bytes <= BROKER_TEXT_BYTES_MAX);
    memset(text, 0, sizeof *text);
    text->size_bytes = (uint8_t)slice.size_bytes;
    if (slice.size_bytes > 0) {
        memcpy(text->bytes, slice.bytes, slice.size_bytes);
    }
}

static uint64_t silence_us(const struct broker_connection *connection);

/* The free row of the lowest number, or connections_max. */
static uint32_t connection_row(struct broker *broker)
{
    while (broker->connection_next < broker->config.connections_max &&
           broker->connections[broker->connection_next].used) {
        broker->connection_next++;
    }
    return broker->connection_next;
}

/* Behind all others that are to say CONNECT. */
static void wait_begin(struct broker *broker, uint32_t row)
{
    struct broker_connection *connection = &broker->connections[row];
    connection->waiting = true;
    connection->waits_behind = broker->waiting_last;
    connection->waits_before = BROKER_NONE;
    if (broker->waiting_last == BROKER_NONE) {
        broker->waiting_first = row;
    } else {
        broker->connections[broker->waiting_last].waits_before = row;
    }
    broker->waiting_last = row;
}

void broker_connection_waited(struct broker *broker, struct broker_connection *connection)
{
    if (!connection->waiting) {
        return;
    }
    connection->waiting = false;
    if (connection->waits_behind == BROKER_NONE) {
        broker->waiting_first = connection->waits_before;
    } else {
        broker->connections[connection->waits_behind].waits_before = connection->waits_before;
    }
    if (connection->waits_before == BROKER_NONE) {
        broker->waiting_last = connection->waits_behind;
    } else {
        broker->connections[connection->waits_before].waits_behind = connection->waits_behind;
    }
}

/* The session goes its own way; what is held back may still leave. */
static void connection_part(struct broker *broker, struct broker_connection *connection)
{
    broker_connection_waited(broker, connection);
    if (connection->connected) {
        connection->connected = false;
        struct broker_session *session = &broker->sessions[connection->session];
        CHECK(&broker->connections[session->connection] == connection);
        broker_session_leave(broker, session);
    }
}

struct mqtt_outgoing *broker_outgoing(struct broker *broker, struct broker_connection *connection)
{
    if (connection->outgoing == BROKER_NONE) { /* there are as many as connections */
        CHECK(broker->free_outgoings.count > 0);
        connection->outgoing = broker->free_outgoings.rows[--broker->free_outgoings.count];
        struct mqtt_outgoing *outgoing = &broker->outgoings[connection->outgoing];
        outgoing->size_bytes = 0;
        outgoing->packet_bytes_max = connection->packet_bytes_max;
    }
    broker_connection_touch(broker, connection);
    return &broker->outgoings[connection->outgoing];
}

static uint32_t held_bytes_of(const struct broker *broker,
                              const struct broker_connection *connection)
{
    return connection->outgoing == BROKER_NONE ? 0
                                               : broker->outgoings[connection->outgoing].size_bytes;
}

static void give_back(uint32_t *row, struct broker_list *list)
{
    if (*row != BROKER_NONE) {
        list->rows[list->count++] = *row;
        *row = BROKER_NONE;
    }
}

static void connection_free(struct broker *broker, struct broker_connection *connection)
{
    const uint32_t row = (uint32_t)(connection - broker->connections);
    give_back(&connection->framer, &broker->free_framers);
    give_back(&connection->outgoing, &broker->free_outgoings);
    connection_part(broker, connection);
    broker_connection_unindex(broker, row);
    connection->used = false;
    broker->connection_next = row < broker->connection_next ? row : broker->connection_next;
}

void broker_close(struct broker *broker, const struct port *port,
                  struct broker_connection *connection)
{
    CHECK(connection->used);
    port->link_close(port->ctx, connection->link);
    connection_free(broker, connection);
}

void broker_session_touch(struct broker *broker, struct broker_session *session)
{
    if (!session->touched) {
        session->touched = true;
        broker->touched.rows[broker->touched.count++] = broker_session_number(broker, session);
    }
}

void broker_session_change(struct broker *broker, struct broker_session *session)
{
    session->changed = true;
    broker_session_touch(broker, session);
}

void broker_connection_touch(struct broker *broker, struct broker_connection *connection)
{
    if (!connection->unsent) {
        connection->unsent = true;
        broker->unsent.rows[broker->unsent.count++] = (uint32_t)(connection - broker->connections);
    }
}

void broker_wake_at(struct broker *broker, uint64_t time_us)
{
    broker->deadline_us = time_us < broker->deadline_us ? time_us : broker->deadline_us;
}

static bool commit(struct broker *broker)
{
    for (uint32_t index = 0; index < broker->touched.count; index++) {
        const uint32_t row = broker->touched.rows[index];
        struct broker_session *session = &broker->sessions[row];
        if (session->used && session->changed) {
            broker_store_put(broker, BROKER_PUT_SESSION, row);
            session->changed = false;
        }
    }
    broker_copies_delete(broker);
    if (broker->config.durable && broker->err == ERR_OK) {
        broker->counts.commits += broker->database.writing;
        broker->err = database_commit(&broker->database);
    }
    return broker->err == ERR_OK;
}

void broker_say(struct broker *broker, const struct port *port,
                struct broker_connection *connection, const struct mqtt_packet *packet)
{
    if (!connection->used || connection->leaving) {
        return; /* nothing goes behind a DISCONNECT [MQTT-3.14.4-1] */
    }
    struct mqtt_outgoing *outgoing = broker_outgoing(broker, connection);
    enum err err = mqtt_outgoing_hold(outgoing, packet);
    if (err == ERR_FULL && commit(broker)) { /* many answers in one step */
        err = mqtt_outgoing_flush(outgoing, port, connection->link);
        if (err == ERR_OK) {
            err = mqtt_outgoing_hold(outgoing, packet);
        }
    }
    if (err != ERR_OK && err != ERR_RANGE) { /* too large for it: as if sent [MQTT-3.1.2-24] */
        broker_close(broker, port, connection);
    }
}

void broker_refuse(struct broker *broker, const struct port *port,
                   struct broker_connection *connection, uint8_t reason)
{
    struct mqtt_packet packet; /* [MQTT-3.14.0-1] */
    mqtt_packet_init(&packet, connection->connected ? MQTT_DISCONNECT : MQTT_CONNACK);
    packet.reason = reason;
    broker_say(broker, port, connection, &packet);
    connection->leaving = true; /* [MQTT-3.14.4-2] [MQTT-3.2.2-7] [MQTT-4.13.2-1] */
    broker_connection_touch(broker, connection);
    if (connection->used) {
        connection_part(broker, connection);
    }
}

/* Send what was held back, now that what it rests on is durable. */
static void flush(struct broker *broker, const struct port *port,
                  struct broker_connection *connection)
{
    const enum err err =
        connection->outgoing == BROKER_NONE
            ? ERR_OK
            : mqtt_outgoing_flush(&broker->outgoings[connection->outgoing], port, connection->link);
    if (err != ERR_OK || connection->leaving) {
        broker_close(broker, port, connection);
    } else if (held_bytes_of(broker, connection) == 0) {
        give_back(&connection->outgoing, &broker->free_outgoings);
    }
}

/* Hold back for their connections what is due in the sessions that were touched. */
static void fill(struct broker *broker)
{
    for (uint32_t index = 0; index < broker->touched.count; index++) {
        struct broker_session *session = &broker->sessions[broker->touched.rows[index]];
        if (session->used && session->connection != BROKER_NONE) {
            broker_session_fill(broker, session);
        }
    }
}

static void untouch(struct broker *broker)
{
    while (broker->touched.count > 0) {
        struct broker_session *session =
            &broker->sessions[broker->touched.rows[--broker->touched.count]];
        session->touched = false;
        session->unsettled_count = 0;
    }
    broker->crowded = false;
    broker->unsettled_count = 0;
}

/* Send what is held back. Where that made room there may be more; and where it ended a connection,
 * a will may be due. */
static void flush_all(struct broker *broker, const struct port *port)
{
    while (broker->unsent.count > 0) {
        struct broker_connection *connection =
            &broker->connections[broker->unsent.rows[--broker->unsent.count]];
        connection->unsent = false;
        if (connection->used) {
            const uint32_t held_bytes = held_bytes_of(broker, connection);
            flush(broker, port, connection);
            if (connection->connected && held_bytes_of(broker, connection) < held_bytes &&
                broker_session_waits(&broker->sessions[connection->session])) {
                broker_session_touch(broker, &broker->sessions[connection->session]);
            }
        }
    }
}

/* Commit, then send, until nothing is due that has room: the queues are finite, and each turn takes
 * something off them. */
static void settle(struct broker *broker, const struct port *port)
{
    do { /* at least once: what has ended is in no list, and out of the database */
        fill(broker);
        if (!commit(broker)) {
            fail(broker, port);
            return;
        }
        untouch(broker);
        flush_all(broker, port);
    } while (broker->touched.count > 0 || broker->unsent.count > 0);
}

static void connection_open(struct broker *broker, const struct port *port, uint32_t link)
{
    if (connection_row(broker) == broker->config.connections_max) {
        port->evidence(port->ctx,
                       &(struct evidence){.kind = EVIDENCE_REFUSE, .value = REFUSAL_SESSIONS});
        if (broker->waiting_first == BROKER_NONE) { /* all have said CONNECT */
            port->link_close(port->ctx, link);
            return;
        }
        broker_close(broker, port, &broker->connections[broker->waiting_first]);
        (void)connection_row(broker);
    }
    const uint32_t row = broker->connection_next++;
    struct broker_connection *connection = &broker->connections[row];
    const bool unsent = connection->unsent;
    memset(connection, 0, sizeof *connection);
    connection->used = true;
    connection->unsent = unsent;
    connection->link = link;
    connection->session = BROKER_NONE;
    connection->opened_us = broker->now_us;
    connection->heard_us = broker->now_us;
    connection->framer = connection->outgoing = BROKER_NONE;
    mqtt_aliases_init(&connection->received, broker->aliases[row].bytes[0], BROKER_ALIASES_MAX,
                      BROKER_TEXT_BYTES_MAX);
    mqtt_aliases_init(&connection->sent, broker->aliases[row].bytes[1], BROKER_ALIASES_MAX,
                      BROKER_TEXT_BYTES_MAX);
    broker_connection_index(broker, row);
    broker_wake_at(broker, silence_us(connection));
    wait_begin(broker, row);
}

static void take_packets(struct broker *broker, const struct port *port,
                         struct broker_connection *connection, struct mqtt_framer *framer,
                         const struct event *event)
{
    struct mqtt_input input = {event->bytes, event->size_bytes};
    while (connection->used && !connection->leaving && broker->err == ERR_OK) { /* [MQTT-3.1.4-6] */
        struct mqtt_packet packet;
        uint8_t reason = MQTT_SUCCESS;
        const enum err err = mqtt_framer_next(framer, &input, &packet, &reason);
        if (err == ERR_NOT_FOUND) {
            return;
        }
        if (err == ERR_OK) {
            connection->heard_us = broker->now_us;
            if (connection->connected) { /* an answer is due, or there is room for more */
                broker_session_touch(broker, &broker->sessions[connection->session]);
            }
            reason = broker_take(broker, port, connection, &packet);
        }
        if (reason == MQTT_UNSUPPORTED_PROTOCOL_VERSION && connection->connected) {
            reason = MQTT_PROTOCOL_ERROR; /* a second CONNECT [MQTT-3.1.0-2] */
        }
        if (reason != MQTT_SUCCESS) { /* [MQTT-4.13.1-1] [MQTT-3.1.4-1] */
            const bool malformed =
                reason == MQTT_MALFORMED_PACKET || reason == MQTT_PACKET_TOO_LARGE;
            broker->counts.refused++;
            port->evidence(port->ctx, &(struct evidence){.kind = EVIDENCE_DROP,
                                                         .value = malformed ? REFUSAL_MALFORMED
                                                                            : REFUSAL_PROTOCOL});
            broker_refuse(broker, port, connection, reason);
        }
    }
}

/* With a framer of its own while a packet is not whole: most come whole. */
static void take_bytes(struct broker *broker, const struct port *port,
                       struct broker_connection *connection, const struct event *event)
{
    if (connection->framer == BROKER_NONE) { /* there are as many as connections */
        CHECK(broker->free_framers.count > 0);
        connection->framer = broker->free_framers.rows[--broker->free_framers.count];
        broker->framers[connection->framer].size_bytes = 0;
    }
    struct mqtt_framer *framer = &broker->framers[connection->framer];
    take_packets(broker, port, connection, framer, event);
    if (connection->used && framer->size_bytes == 0) {
        give_back(&connection->framer, &broker->free_framers);
    }
}

/* When the connection is given up, if nothing more is heard [MQTT-3.1.2-22]. */
static uint64_t silence_us(const struct broker_connection *connection)
{
    if (!connection->connected) {
        return connection->opened_us + BROKER_HANDSHAKE_US;
    }
    return mqtt_keep_alive_silence_us(connection->keep_alive_s, connection->heard_us);
}

static void connections_sweep(struct broker *broker, const struct port *port)
{
    for (uint32_t row = 0; row < broker->config.connections_max; row++) {
        struct broker_connection *connection = &broker->connections[row];
        if (connection->used && !connection->leaving && silence_us(connection) <= broker->now_us) {
            if (connection->connected) {
                broker_refuse(broker, port, connection, MQTT_KEEP_ALIVE_TIMEOUT);
            } else {
                port->evidence(port->ctx,
                               &(struct evidence){.kind = EVIDENCE_DROP, .value = REFUSAL_LATE});
                broker_close(broker, port, connection);
            }
        }
    }
}

/* All that ends at a time; what is heard puts an end off, and is not looked at until then. */
static void sweep(struct broker *broker, const struct port *port)
{
    if (broker->deadline_us > broker->now_us) {
        return;
    }
    connections_sweep(broker, port);
    broker_sessions_sweep(broker);
    broker->deadline_us = UINT64_MAX;
    for (uint32_t row = 0; row < broker->config.connections_max; row++) {
        const struct broker_connection *connection = &broker->connections[row];
        if (connection->used && !connection->leaving) {
            broker_wake_at(broker, silence_us(connection));
        }
    }
    for (uint32_t row = 0; row < broker->config.sessions_max; row++) {
        const struct broker_session *session = &broker->sessions[row];
        if (session->used) {
            broker_wake_at(broker, session->ends_at_us);
            broker_wake_at(broker, session->will_at_us);
        }
    }
}

static void take_event(struct broker *broker, const struct port *port, const struct event *event)
{
    if (event->kind == EVENT_LINK_UP && event->inbound) {
        connection_open(broker, port, event->link);
        return;
    }
    struct broker_connection *connection = event->kind == EVENT_LINK_DATA ||
                                                   event->kind == EVENT_LINK_WRITABLE ||
                                                   event->kind == EVENT_LINK_DOWN
                                               ? broker_connection_find(broker, event->link)
                                               : NULL;
    if (connection == NULL) {
        return;
    }
    if (event->kind == EVENT_LINK_DATA) {
        take_bytes(broker, port, connection, event);
    } else if (event->kind == EVENT_LINK_DOWN) {
        connection_free(broker, connection); /* the handle is dead: nothing to close */
    } else {
        broker_connection_touch(broker, connection);
        if (connection->connected) {
            broker_session_touch(broker, &broker->sessions[connection->session]);
        }
    }
}

void broker_step(struct broker *broker, const struct port *port, const struct event *event)
{
    CHECK(event != NULL);
    struct clock_reading now = {0};
    if (broker->failed || port->clock_read(port->ctx, &now) != ERR_OK) {
        return;
    }
    broker->now_us = now.monotonic_us;
    take_event(broker, port, event);
    broker->unsettled = event->more && !broker->crowded && broker->err == ERR_OK;
    if (!broker->unsettled) {
        sweep(broker, port);
        settle(broker, port);
    }
}

void broker_shut_down(struct broker *broker, const struct port *port)
{
    struct clock_reading now = {0};
    if (broker->failed || port->clock_read(port->ctx, &now) != ERR_OK) {
        return;
    }
    broker->now_us = now.monotonic_us;
    settle(broker, port);
    for (uint32_t row = 0; row < broker->config.connections_max; row++) {
        struct broker_connection *connection = &broker->connections[row];
        if (connection->used && connection->connected) {
            broker_refuse(broker, port, connection, MQTT_SERVER_SHUTTING_DOWN);
        } else if (connection->used && !connection->leaving) {
            broker_close(broker, port, connection);
        }
    }
    if (!broker->failed) {
        settle(broker, port);
    }
}

uint64_t broker_deadline_us(const struct broker *broker)
{
    return broker->failed ? UINT64_MAX : broker->unsettled ? 0 : broker->deadline_us;
}

void broker_view(const struct broker *broker, struct broker_view *out)
{
    *out = broker->counts;
    for (uint32_t row = 0; row < broker->config.connections_max; row++) {
        out->connections += broker->connections[row].used;
    }
    for (uint32_t row = 0; row < broker->config.sessions_max; row++) {
        out->sessions += broker->sessions[row].used;
    }
    out->subscriptions = broker->subscriptions_used;
    out->messages = broker->config.messages_max - broker->free_messages.count;
    out->copies = broker->config.copies_max - broker->free_copies.count;
    for (uint32_t row = 0; row < broker->config.retained_max; row++) {
        out->retained += broker->retained[row].message != BROKER_NONE;
    }
}
