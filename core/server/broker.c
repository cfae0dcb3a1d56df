/* The broker: its life, its connections, and the order of commit and send. */
#include <stddef.h>
#include <string.h>

#include "core/check.h"
#include "core/evidence.h"
#include "core/server/broker_inside.h"

/* Where each table begins in the caller's memory; all of them on 8 bytes. */
struct layout {
    uint64_t connections, sessions, subscriptions, messages, copies, retained, end;
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
    at.end = table_end(at.retained, config->retained_max, sizeof(uint32_t));
    return at;
}

uint64_t broker_size_bytes(const struct broker_config *config)
{
    CHECK(config != NULL);
    return layout_of(config).end;
}

static void config_check(const struct broker_config *config)
{
    CHECK(config->connections_max >= 1 && config->connections_max <= SERVER_SESSIONS_MAX);
    CHECK(config->sessions_max >= 1 && config->sessions_max <= SERVER_SESSIONS_MAX);
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

static void tables_init(struct broker *broker, const struct broker_config *config)
{
    const struct layout at = layout_of(config);
    uint8_t *memory = (uint8_t *)broker;
    memset(memory, 0, (size_t)at.end);
    broker->config = *config;
    broker->connections = (struct broker_connection *)(void *)(memory + at.connections);
    broker->sessions = (struct broker_session *)(void *)(memory + at.sessions);
    broker->subscriptions = (struct broker_subscription *)(void *)(memory + at.subscriptions);
    broker->messages = (struct broker_message *)(void *)(memory + at.messages);
    broker->copies = (struct broker_copy *)(void *)(memory + at.copies);
    broker->retained = (uint32_t *)(void *)(memory + at.retained);
    for (uint32_t row = 0; row < config->subscriptions_max; row++) {
        broker->subscriptions[row].session = BROKER_NONE;
    }
    for (uint32_t row = 0; row < config->copies_max; row++) {
        broker->copies[row].message = BROKER_NONE;
    }
    for (uint32_t row = 0; row < config->retained_max; row++) {
        broker->retained[row] = BROKER_NONE;
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

/* The session goes its own way; what is held back may still leave. */
static void connection_part(struct broker *broker, struct broker_connection *connection)
{
    if (connection->connected) {
        connection->connected = false;
        struct broker_session *session = &broker->sessions[connection->session];
        CHECK(&broker->connections[session->connection] == connection);
        broker_session_leave(broker, session);
    }
}

void broker_close(struct broker *broker, const struct port *port,
                  struct broker_connection *connection)
{
    CHECK(connection->used);
    port->link_close(port->ctx, connection->link);
    connection_part(broker, connection);
    connection->used = false;
}

static bool commit(struct broker *broker)
{
    for (uint32_t row = 0; row < broker->config.sessions_max; row++) {
        struct broker_session *session = &broker->sessions[row];
        if (session->used && session->changed) {
            broker_store_put(broker, BROKER_PUT_SESSION, row);
            session->changed = false;
        }
    }
    if (broker->config.durable && broker->err == ERR_OK) {
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
    enum err err = mqtt_outgoing_hold(&connection->outgoing, packet);
    if (err == ERR_FULL && commit(broker)) { /* many answers in one step */
        err = mqtt_outgoing_flush(&connection->outgoing, port, connection->link);
        if (err == ERR_OK) {
            err = mqtt_outgoing_hold(&connection->outgoing, packet);
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
    if (connection->used) {
        connection_part(broker, connection);
    }
}

/* Send what was held back, now that what it rests on is durable. */
static void flush(struct broker *broker, const struct port *port,
                  struct broker_connection *connection)
{
    const enum err err = mqtt_outgoing_flush(&connection->outgoing, port, connection->link);
    if (err != ERR_OK || connection->leaving) {
        broker_close(broker, port, connection);
    }
}

/* Commit, then send, until nothing is due that has room: the queues are finite, and each turn takes
 * something off them. */
static void settle(struct broker *broker, const struct port *port)
{
    bool more = true;
    while (more) {
        more = false;
        for (uint32_t row = 0; row < broker->config.sessions_max; row++) {
            struct broker_session *session = &broker->sessions[row];
            if (session->used && session->connection != BROKER_NONE) {
                more = broker_session_fill(broker, session) || more;
            }
        }
        if (!commit(broker)) {
            fail(broker, port);
            return;
        }
        for (uint32_t row = 0; row < broker->config.connections_max; row++) {
            struct broker_connection *connection = &broker->connections[row];
            if (connection->used && (connection->outgoing.size_bytes > 0 || connection->leaving)) {
                const uint32_t held_bytes = connection->outgoing.size_bytes;
                const bool connected = connection->connected;
                flush(broker, port, connection);
                more = more || (connected && !connection->used) ||   /* a will may be due */
                       connection->outgoing.size_bytes < held_bytes; /* there is room again */
            }
        }
    }
}

/* A free one, or NULL. */
static struct broker_connection *connection_free(struct broker *broker)
{
    for (uint32_t row = 0; row < broker->config.connections_max; row++) {
        if (!broker->connections[row].used) {
            return &broker->connections[row];
        }
    }
    return NULL;
}

/* Who makes place in a full table: of those that have said no CONNECT the one that waits longest.
 * NULL: all have. */
static struct broker_connection *connection_expendable(struct broker *broker)
{
    struct broker_connection *first = NULL;
    for (uint32_t row = 0; row < broker->config.connections_max; row++) {
        struct broker_connection *connection = &broker->connections[row];
        if (connection->used && !connection->connected && !connection->leaving &&
            (first == NULL || connection->opened_us < first->opened_us)) {
            first = connection;
        }
    }
    return first;
}

static void connection_begin(struct broker_connection *connection, uint32_t link, uint64_t now_us)
{
    memset(connection, 0, sizeof *connection);
    connection->used = true;
    connection->link = link;
    connection->session = BROKER_NONE;
    connection->opened_us = now_us;
    connection->heard_us = now_us;
    mqtt_aliases_init(&connection->received, connection->received_memory, BROKER_ALIASES_MAX,
                      BROKER_TEXT_BYTES_MAX);
    mqtt_aliases_init(&connection->sent, connection->sent_memory, BROKER_ALIASES_MAX,
                      BROKER_TEXT_BYTES_MAX);
}

static void connection_open(struct broker *broker, const struct port *port, uint32_t link)
{
    struct broker_connection *connection = connection_free(broker);
    if (connection == NULL) {
        port->evidence(port->ctx,
                       &(struct evidence){.kind = EVIDENCE_REFUSE, .value = REFUSAL_SESSIONS});
        connection = connection_expendable(broker);
        if (connection == NULL) {
            port->link_close(port->ctx, link);
            return;
        }
        broker_close(broker, port, connection);
    }
    connection_begin(connection, link, broker->now_us);
}

static struct broker_connection *connection_find(struct broker *broker, uint32_t link)
{
    for (uint32_t row = 0; row < broker->config.connections_max; row++) {
        if (broker->connections[row].used && broker->connections[row].link == link) {
            return &broker->connections[row];
        }
    }
    return NULL;
}

static void take_packets(struct broker *broker, const struct port *port,
                         struct broker_connection *connection, const struct event *event)
{
    struct mqtt_input input = {event->bytes, event->size_bytes};
    while (connection->used && !connection->leaving && broker->err == ERR_OK) { /* [MQTT-3.1.4-6] */
        struct mqtt_packet packet;
        uint8_t reason = MQTT_SUCCESS;
        const enum err err = mqtt_framer_next(&connection->framer, &input, &packet, &reason);
        if (err == ERR_NOT_FOUND) {
            return;
        }
        if (err == ERR_OK) {
            connection->heard_us = broker->now_us;
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

/* When the connection is given up, if nothing more is heard [MQTT-3.1.2-22]. */
static uint64_t silence_us(const struct broker_connection *connection)
{
    if (!connection->connected) {
        return connection->opened_us + BROKER_HANDSHAKE_US;
    }
    return connection->keep_alive_s == 0
               ? UINT64_MAX
               : connection->heard_us + connection->keep_alive_s * UINT64_C(1500000);
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

void broker_step(struct broker *broker, const struct port *port, const struct event *event)
{
    CHECK(event != NULL);
    struct clock_reading now = {0};
    if (broker->failed || port->clock_read(port->ctx, &now) != ERR_OK) {
        return;
    }
    broker->now_us = now.monotonic_us;
    broker->err = ERR_OK;
    if (event->kind == EVENT_LINK_UP && event->inbound) {
        connection_open(broker, port, event->link);
    } else if (event->kind == EVENT_LINK_DATA || event->kind == EVENT_LINK_WRITABLE ||
               event->kind == EVENT_LINK_DOWN) {
        struct broker_connection *connection = connection_find(broker, event->link);
        if (connection != NULL && event->kind == EVENT_LINK_DATA) {
            take_packets(broker, port, connection, event);
        } else if (connection != NULL && event->kind == EVENT_LINK_DOWN) {
            connection_part(broker, connection); /* the handle is dead: nothing to close */
            connection->used = false;
        } /* WRITABLE: settle sends */
    }
    connections_sweep(broker, port);
    broker_sessions_sweep(broker);
    settle(broker, port);
}

uint64_t broker_deadline_us(const struct broker *broker)
{
    uint64_t deadline_us = UINT64_MAX;
    if (broker->failed) {
        return deadline_us;
    }
    for (uint32_t row = 0; row < broker->config.connections_max; row++) {
        const struct broker_connection *connection = &broker->connections[row];
        if (connection->used && silence_us(connection) < deadline_us) {
            deadline_us = silence_us(connection);
        }
    }
    for (uint32_t row = 0; row < broker->config.sessions_max; row++) {
        const struct broker_session *session = &broker->sessions[row];
        if (session->used && session->ends_at_us < deadline_us) {
            deadline_us = session->ends_at_us;
        }
        if (session->used && session->will_at_us < deadline_us) {
            deadline_us = session->will_at_us;
        }
    }
    return deadline_us;
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
    for (uint32_t row = 0; row < broker->config.subscriptions_max; row++) {
        out->subscriptions += broker->subscriptions[row].session != BROKER_NONE;
    }
    for (uint32_t row = 0; row < broker->config.messages_max; row++) {
        out->messages += broker->messages[row].references > 0;
    }
    for (uint32_t row = 0; row < broker->config.copies_max; row++) {
        out->copies += broker->copies[row].message != BROKER_NONE;
    }
    for (uint32_t row = 0; row < broker->config.retained_max; row++) {
        out->retained += broker->retained[row] != BROKER_NONE;
    }
}
