/* The broker's tables in SQLite, row by row. A row's number is its place in the table, so that what
 * was referred to by number still is after a restart. The row of a message that nothing refers to
 * any more stays until another message takes its place, or until the next boot; that of a copy
 * until the next commit, in which another copy may have taken its place: most rows are written over
 * and few are deleted. */
#include <stddef.h>
#include <string.h>

#include "core/check.h"
#include "core/mqtt/filter.h"
#include "core/mqtt/wire.h"
#include "core/server/broker_inside.h"

static const char schema[] =
    "CREATE TABLE IF NOT EXISTS session(id INTEGER PRIMARY KEY, body BLOB NOT NULL);"
    "CREATE TABLE IF NOT EXISTS subscription(id INTEGER PRIMARY KEY, body BLOB NOT NULL);"
    "CREATE TABLE IF NOT EXISTS message(id INTEGER PRIMARY KEY, body BLOB NOT NULL);"
    "CREATE TABLE IF NOT EXISTS copy(id INTEGER PRIMARY KEY, body BLOB NOT NULL);"
    "CREATE TABLE IF NOT EXISTS retained(id INTEGER PRIMARY KEY, body BLOB NOT NULL);";

static const char *const statements[BROKER_STATEMENTS] = {
    [BROKER_PUT_SESSION] = "INSERT OR REPLACE INTO session VALUES(?1, ?2)",
    [BROKER_PUT_SUBSCRIPTION] = "INSERT OR REPLACE INTO subscription VALUES(?1, ?2)",
    [BROKER_PUT_MESSAGE] = "INSERT OR REPLACE INTO message VALUES(?1, ?2)",
    [BROKER_PUT_COPY] = "INSERT OR REPLACE INTO copy VALUES(?1, ?2)",
    [BROKER_PUT_RETAINED] = "INSERT OR REPLACE INTO retained VALUES(?1, ?2)",
    [BROKER_DELETE_SESSION] = "DELETE FROM session WHERE id = ?1",
    [BROKER_DELETE_SUBSCRIPTION] = "DELETE FROM subscription WHERE id = ?1",
    [BROKER_DELETE_MESSAGE] = "DELETE FROM message WHERE id = ?1",
    [BROKER_DELETE_COPY] = "DELETE FROM copy WHERE id = ?1",
    [BROKER_DELETE_RETAINED] = "DELETE FROM retained WHERE id = ?1",
};

enum {
    SENDING_BYTES = 2 + 1 + 1 + 4,
    SESSION_BODY_BYTES = 2 + BROKER_TEXT_BYTES_MAX + 4 + 4 + 1 + 4 + 2 + 2 +
                         SENDING_BYTES * MQTT_INFLIGHT_MAX + 2 + 2 * MQTT_ARRIVALS_MAX,
    SUBSCRIPTION_BODY_BYTES = 4 + 4 + 1 + 1 + 1 + 2 + BROKER_TEXT_BYTES_MAX,
    BODY_BYTES_MAX = (SESSION_BODY_BYTES > BROKER_MESSAGE_BYTES_MAX ? SESSION_BODY_BYTES
                                                                    : BROKER_MESSAGE_BYTES_MAX) +
                     SUBSCRIPTION_BODY_BYTES, /* the largest, and some */
};

static void put_session(struct mqtt_writer *writer, const struct broker_session *session)
{
    mqtt_put_binary(writer, broker_slice(&session->client));
    mqtt_put_four(writer, session->expiry_s);
    mqtt_put_four(writer, session->will);
    mqtt_put_byte(writer, session->will_qos);
    mqtt_put_four(writer, session->will_delay_s);
    mqtt_put_two(writer, session->sender.next_packet_id);
    mqtt_put_two(writer, session->sender.count);
    for (uint32_t index = 0; index < session->sender.count; index++) {
        const struct mqtt_sending *entry = &session->sender.entries[index];
        mqtt_put_two(writer, entry->packet_id);
        mqtt_put_byte(writer, entry->qos);
        mqtt_put_byte(writer, entry->state);
        mqtt_put_four(writer, (uint32_t)entry->tag);
    }
    for (uint32_t index = 0; index < session->receiver.count; index++) {
        if (mqtt_arrival_owned(&session->receiver.arrivals[index])) {
            mqtt_put_two(writer, session->receiver.arrivals[index].packet_id);
        }
    }
}

static void put_subscription(struct mqtt_writer *writer,
                             const struct broker_subscription *subscription)
{
    mqtt_put_four(writer, subscription->session);
    mqtt_put_four(writer, subscription->identifier);
    mqtt_put_byte(writer, subscription->qos);
    mqtt_put_byte(writer, subscription->no_local);
    mqtt_put_byte(writer, subscription->retain_as_published);
    mqtt_put_binary(writer, broker_slice(&subscription->filter));
}

static void put_copy(struct mqtt_writer *writer, const struct broker_copy *copy)
{
    mqtt_put_four(writer, copy->message);
    mqtt_put_four(writer, copy->session);
    mqtt_put_four(writer, copy->identifier);
    mqtt_put_four(writer, (uint32_t)(copy->order >> 32));
    mqtt_put_four(writer, (uint32_t)copy->order);
    mqtt_put_byte(writer, copy->qos);
    mqtt_put_byte(writer, copy->retain);
}

static void execute(struct broker *broker, enum broker_statement what, uint32_t row,
                    const struct mqtt_writer *body)
{
    sqlite3_stmt *statement = broker->statements[what];
    int code = sqlite3_bind_int64(statement, 1, (sqlite3_int64)row);
    if (code == SQLITE_OK && body != NULL) {
        CHECK(body->size_bytes <= body->capacity_bytes);
        code = sqlite3_bind_blob(statement, 2, body->bytes, (int)body->size_bytes, SQLITE_STATIC);
    }
    broker->err = code == SQLITE_OK ? database_write(&broker->database, statement) : ERR_IO;
    broker->counts.rows++;
}

void broker_store_put(struct broker *broker, enum broker_statement what, uint32_t row)
{
    uint8_t bytes[BODY_BYTES_MAX];
    struct mqtt_writer body = {.bytes = bytes, .capacity_bytes = sizeof bytes};
    if (!broker->config.durable || broker->err != ERR_OK) {
        return;
    }
    switch (what) {
    case BROKER_PUT_SESSION:
        if (broker->sessions[row].expiry_s == 0 && !broker->sessions[row].stored) {
            return;
        }
        broker->sessions[row].stored = true; /* from now on, until it ends */
        put_session(&body, &broker->sessions[row]);
        break;
    case BROKER_PUT_SUBSCRIPTION:
        put_subscription(&body, &broker->subscriptions[row]);
        break;
    case BROKER_PUT_MESSAGE:
        mqtt_put_byte(&body, broker->messages[row].qos);
        mqtt_put_bytes(&body, broker_message_bytes(broker, row), broker->messages[row].size_bytes);
        break;
    case BROKER_PUT_COPY:
        put_copy(&body, &broker->copies[row]);
        break;
    case BROKER_PUT_RETAINED:
        mqtt_put_four(&body, broker->retained[row].message);
        break;
    case BROKER_DELETE_SESSION:
    case BROKER_DELETE_SUBSCRIPTION:
    case BROKER_DELETE_MESSAGE:
    case BROKER_DELETE_COPY:
    case BROKER_DELETE_RETAINED:
    case BROKER_STATEMENTS:
        CHECK(false);
        break;
    }
    execute(broker, what, row, &body);
}

void broker_store_delete(struct broker *broker, enum broker_statement what, uint32_t row)
{
    CHECK(what >= BROKER_DELETE_SESSION);
    if (broker->config.durable && broker->err == ERR_OK) {
        execute(broker, what, row, NULL);
    }
}

/* --- loading: what is read is checked as if a stranger had written it ------------------------- */

/* Take one row; false: it cannot be one that was stored here. */
typedef bool row_reader(struct broker *broker, uint32_t row, struct mqtt_cursor *body);

static bool message_there(const struct broker *broker, uint32_t message)
{
    return message < broker->config.messages_max && broker->messages[message].stored;
}

static bool read_message(struct broker *broker, uint32_t row, struct mqtt_cursor *body)
{
    struct mqtt_packet packet;
    uint8_t reason = 0;
    const uint8_t qos = (uint8_t)mqtt_read_number(body, 1);
    if (row >= broker->config.messages_max || body->size_bytes > BROKER_MESSAGE_BYTES_MAX ||
        qos > 2 || body->reason != MQTT_SUCCESS ||
        mqtt_decode(body->bytes, body->size_bytes, &packet, &reason) != ERR_OK ||
        packet.type != MQTT_PUBLISH || packet.qos != 0 || packet.topic.size_bytes == 0) {
        return false;
    }
    struct broker_message *message = &broker->messages[row];
    broker_message_set(broker, row, body->bytes, body->size_bytes);
    message->arrived_us = broker->now_us;
    message->qos = qos;
    message->stored = true;
    body->size_bytes = 0;
    return true;
}

static bool read_retained(struct broker *broker, uint32_t row, struct mqtt_cursor *body)
{
    const uint32_t message = mqtt_read_number(body, 4);
    struct mqtt_packet packet;
    if (row >= broker->config.retained_max || !message_there(broker, message)) {
        return false;
    }
    broker_message_read(broker, message, &packet);
    if (broker_retained_find(broker, packet.topic) != BROKER_NONE) {
        return false;
    }
    broker->retained[row].message = message;
    broker_retained_index(broker, row);
    broker_message_refer(broker, message);
    return true;
}

static bool read_session(struct broker *broker, uint32_t row, struct mqtt_cursor *body)
{
    const struct mqtt_slice client = mqtt_read_text(body);
    if (row >= broker->config.sessions_max || client.size_bytes == 0 ||
        client.size_bytes > BROKER_TEXT_BYTES_MAX || broker_session_find(broker, client) != NULL) {
        return false;
    }
    struct broker_session *session = &broker->sessions[row];
    memset(session, 0, sizeof *session);
    broker_text_set(&session->client, client);
    session->connection = BROKER_NONE;
    session->subscriptions = BROKER_NONE;
    session->head = session->tail = BROKER_NONE;
    session->expiry_s = mqtt_read_number(body, 4);
    session->will = mqtt_read_number(body, 4);
    session->will_qos = (uint8_t)mqtt_read_number(body, 1);
    session->will_delay_s = mqtt_read_number(body, 4);
    const uint32_t next_packet_id = mqtt_read_number(body, 2);
    uint32_t count = mqtt_read_number(body, 2);
    if (next_packet_id == 0 || session->will_qos > 2 ||
        (session->will != BROKER_NONE && !message_there(broker, session->will))) {
        return false;
    }
    mqtt_sender_init(&session->sender, MQTT_INFLIGHT_MAX, (uint16_t)next_packet_id);
    mqtt_receiver_init(&session->receiver, broker->config.receive_maximum);
    for (; count > 0 && body->reason == MQTT_SUCCESS; count--) {
        struct mqtt_sending entry = {0};
        entry.packet_id = (uint16_t)mqtt_read_number(body, 2);
        entry.qos = (uint8_t)mqtt_read_number(body, 1);
        entry.state = (uint8_t)mqtt_read_number(body, 1);
        entry.tag = mqtt_read_number(body, 4);
        if (mqtt_sender_restore(&session->sender, &entry) != ERR_OK) {
            return false;
        }
    }
    while (body->size_bytes > 0) {
        const uint16_t packet_id = (uint16_t)mqtt_read_number(body, 2);
        if (body->reason == MQTT_SUCCESS &&
            mqtt_receiver_restore(&session->receiver, packet_id) != ERR_OK) {
            return false;
        }
    }
    if (session->will != BROKER_NONE) {
        broker_message_refer(broker, session->will);
    }
    session->used = true;
    session->stored = true;
    broker_session_index(broker, row);
    return true;
}

static bool session_there(const struct broker *broker, uint32_t session)
{
    return session < broker->config.sessions_max && broker->sessions[session].used;
}

static bool read_subscription(struct broker *broker, uint32_t row, struct mqtt_cursor *body)
{
    struct broker_subscription read = {0};
    read.session = mqtt_read_number(body, 4);
    read.identifier = mqtt_read_number(body, 4);
    read.qos = (uint8_t)mqtt_read_number(body, 1);
    read.no_local = mqtt_read_number(body, 1) != 0;
    read.retain_as_published = mqtt_read_number(body, 1) != 0;
    const struct mqtt_slice filter = mqtt_read_filter(body);
    if (row >= broker->config.subscriptions_max || body->reason != MQTT_SUCCESS ||
        filter.size_bytes > BROKER_TEXT_BYTES_MAX || read.qos > 2 ||
        !session_there(broker, read.session) || read.identifier > MQTT_VARINT_MAX) {
        return false;
    }
    broker_text_set(&read.filter, filter);
    broker->subscriptions[row] = read;
    broker_subscription_index(broker, row);
    broker->subscriptions_used++;
    return true;
}

static bool read_copy(struct broker *broker, uint32_t row, struct mqtt_cursor *body)
{
    struct broker_copy read = {.next = BROKER_NONE, .stored = true};
    read.message = mqtt_read_number(body, 4);
    read.session = mqtt_read_number(body, 4);
    read.identifier = mqtt_read_number(body, 4);
    read.order = (uint64_t)mqtt_read_number(body, 4) << 32;
    read.order |= mqtt_read_number(body, 4);
    read.qos = (uint8_t)mqtt_read_number(body, 1);
    read.retain = mqtt_read_number(body, 1) != 0;
    if (row >= broker->config.copies_max || !message_there(broker, read.message) ||
        !session_there(broker, read.session) || (read.qos != 1 && read.qos != 2) ||
        read.identifier > MQTT_VARINT_MAX || read.order >= UINT64_MAX / 2) {
        return false;
    }
    broker->copies[row] = read;
    broker_message_refer(broker, read.message);
    broker->order_next = read.order >= broker->order_next ? read.order + 1 : broker->order_next;
    return true;
}

static enum err load_table(struct broker *broker, const char *sql, row_reader *read)
{
    sqlite3_stmt *select = NULL;
    enum err err = database_prepare(&broker->database, sql, &select);
    while (err == ERR_OK) {
        err = database_row(select);
        if (err == ERR_OK) {
            const sqlite3_int64 row = sqlite3_column_int64(select, 0);
            const uint8_t *bytes = sqlite3_column_blob(select, 1);
            struct mqtt_cursor body = {bytes, (uint32_t)sqlite3_column_bytes(select, 1),
                                       MQTT_SUCCESS};
            if (row < 0 || row >= BROKER_NONE || bytes == NULL ||
                !read(broker, (uint32_t)row, &body) || body.reason != MQTT_SUCCESS ||
                body.size_bytes > 0) {
                err = ERR_CORRUPT;
            }
        }
    }
    (void)sqlite3_finalize(select);
    return err == ERR_NOT_FOUND ? ERR_OK : err;
}

/* Each UNACKED entry of a sender has its copy, which is in flight then. False: one has none. */
static bool mark_inflight(struct broker *broker)
{
    for (uint32_t number = 0; number < broker->config.sessions_max; number++) {
        const struct broker_session *session = &broker->sessions[number];
        for (uint32_t index = 0; session->used && index < session->sender.count; index++) {
            const struct mqtt_sending *entry = &session->sender.entries[index];
            if (entry->state == MQTT_SENDING_RELEASED) {
                continue;
            }
            struct broker_copy *copy =
                &broker->copies[entry->tag < broker->config.copies_max ? entry->tag : 0];
            if (entry->tag >= broker->config.copies_max || copy->message == BROKER_NONE ||
                copy->inflight || copy->session != number || copy->qos != entry->qos) {
                return false;
            }
            copy->inflight = true;
        }
    }
    return true;
}

static bool queue_copy(struct broker *broker, uint32_t row, struct mqtt_cursor *body)
{
    body->size_bytes = 0; /* it was read before */
    if (!broker->copies[row].inflight) {
        broker_copy_queue(broker, row);
    }
    return true;
}

/* All clients are away, and whatever was only of the old life goes. */
static void begin(struct broker *broker)
{
    for (uint32_t row = 0; row < broker->config.messages_max; row++) {
        if (broker->messages[row].stored && broker->messages[row].references == 0) {
            broker->messages[row].stored = false;
            broker_store_delete(broker, BROKER_DELETE_MESSAGE, row);
        }
    }
    for (uint32_t number = 0; number < broker->config.sessions_max; number++) {
        if (broker->sessions[number].used) {
            broker->sessions[number].ends_at_us = UINT64_MAX;
            broker->sessions[number].will_at_us = UINT64_MAX;
            broker_session_leave(broker, &broker->sessions[number]);
        }
    }
    /* With the commit of the boot: a will that is out must not stay in the row of its session. */
    for (uint32_t number = 0; number < broker->config.sessions_max; number++) {
        if (broker->sessions[number].used && broker->sessions[number].changed) {
            broker_store_put(broker, BROKER_PUT_SESSION, number);
            broker->sessions[number].changed = false;
        }
    }
    broker_copies_delete(broker);
}

enum err broker_store_open(struct broker *broker, const struct port *port)
{
    broker->free_messages.count = broker->free_copies.count = 0; /* until it is known which are */
    enum err err = database_open(&broker->database, port, schema);
    for (uint32_t what = 0; err == ERR_OK && what < BROKER_STATEMENTS; what++) {
        err = database_prepare(&broker->database, statements[what], &broker->statements[what]);
    }
    static const struct {
        const char *sql;
        row_reader *read;
    } tables[] = {
        {"SELECT id, body FROM message", read_message},
        {"SELECT id, body FROM retained", read_retained},
        {"SELECT id, body FROM session", read_session},
        {"SELECT id, body FROM subscription", read_subscription},
        {"SELECT id, body FROM copy", read_copy},
    };
    for (uint32_t table = 0; err == ERR_OK && table < sizeof tables / sizeof tables[0]; table++) {
        err = load_table(broker, tables[table].sql, tables[table].read);
    }
    if (err == ERR_OK && !mark_inflight(broker)) {
        err = ERR_CORRUPT;
    }
    if (err == ERR_OK) { /* by their order, which put_copy writes behind three numbers */
        err = load_table(broker, "SELECT id, body FROM copy ORDER BY substr(body, 13, 8)",
                         queue_copy);
    }
    if (err == ERR_OK) {
        broker_free_rows(broker);
        begin(broker);
        err = broker->err;
    }
    return err == ERR_OK ? database_commit(&broker->database) : err;
}
