/* The gateway: custody between devices and the cloud. */
#include "core/server/gateway.h"

#include <stddef.h>
#include <string.h>

#include "core/check.h"
#include "core/server/gateway_inside.h"
#include "core/topic.h"

/* After a failed x_init: time until the next attempt, so that a broken disk is no reset storm. */
#define RETRY_INIT_US 1000000u

static const char schema[] = "CREATE TABLE IF NOT EXISTS queue("
                             "id INTEGER PRIMARY KEY, device INTEGER NOT NULL,"
                             "epoch INTEGER NOT NULL, counter INTEGER NOT NULL,"
                             "envelope BLOB NOT NULL)";

static enum err gateway_recover(struct gateway *gateway, const struct port *port);
static enum err gateway_open(struct gateway *gateway, const struct port *port);
static enum err gateway_load(struct gateway *gateway);
static void gateway_handle(struct gateway *gateway, const struct port *port,
                           const struct event *event);
static void gateway_run_timers(struct gateway *gateway, const struct port *port);
static void gateway_hear_device(struct gateway *gateway, const struct port *port,
                                struct mqtt_session *session, const struct event *event);
static void gateway_take(struct gateway *gateway, const struct port *port,
                         struct mqtt_session *session, const struct mqtt_happening *happening);
static enum err gateway_examine(const struct gateway *gateway, const struct port *port,
                                const struct mqtt_session *session,
                                const struct mqtt_happening *happening, struct telemetry *telemetry,
                                enum refusal *why);
static enum err gateway_read(const struct cose_sign1 *parsed, struct telemetry *telemetry);
static void gateway_keep(struct gateway *gateway, const struct port *port, uint32_t index,
                         const struct telemetry *telemetry, const struct mqtt_happening *happening);
static enum err gateway_insert(struct gateway *gateway, const struct telemetry *telemetry,
                               const struct mqtt_slice *envelope);
static void gateway_pass_up(struct gateway *gateway, const struct port *port,
                            const struct mqtt_slice *envelope);
static void gateway_settle(struct gateway *gateway, const struct port *port);
static enum err gateway_commit(struct gateway *gateway, const struct port *port);
static void gateway_give_back(struct gateway *gateway, const struct port *port);
static void gateway_answer(struct gateway *gateway, const struct port *port,
                           struct mqtt_session *session);
static uint32_t gateway_struct_bytes(void);

uint32_t gateway_size_bytes(const struct gateway_config *config)
{
    CHECK(config != NULL);
    return gateway_struct_bytes() +
           sessions_size_bytes(config->sessions_max, config->devices.count) +
           config->devices.count * (uint32_t)sizeof(uint32_t);
}

void gateway_init(struct gateway *gateway, const struct gateway_config *config,
                  const struct port *port)
{
    CHECK(gateway != NULL);
    CHECK(config != NULL);
    CHECK(config->queue_max >= 1 && config->queue_max <= GATEWAY_QUEUE_MAX);
    CHECK(config->queue_share_max >= 1);
    memset(gateway, 0, gateway_size_bytes(config));
    gateway->config = *config;
    gateway->row_next = 1;
    gateway->delete_at_us = UINT64_MAX;
    gateway->connect_at_us = UINT64_MAX;

    uint8_t *memory = (uint8_t *)gateway + gateway_struct_bytes();
    sessions_init(&gateway->sessions, memory, config->sessions_max, config->id,
                  &gateway->config.devices);
    memory += sessions_size_bytes(config->sessions_max, config->devices.count);
    gateway->shares = (uint32_t *)(void *)memory;
    mqtt_client_init(&gateway->upstream, config->id, config->keep_alive_s);
    backoff_init(&gateway->backoff, config->backoff_base_us, config->backoff_cap_us);

    struct clock_reading now = {0};
    if (port->clock_read(port->ctx, &now) == ERR_OK && gateway_recover(gateway, port) == ERR_OK) {
        gateway->now_us = now.monotonic_us;
        gateway_plan_connect(gateway, port);
    } else {
        gateway->failed = true;
        gateway->reset_at_us = now.monotonic_us + RETRY_INIT_US;
    }
    if (config->watchdog_us != 0) {
        port->watchdog_arm(port->ctx, config->watchdog_us);
    }
    if (!gateway->failed) {
        gateway_say(port, EVIDENCE_BOOT, 0, 0, 0, (uint64_t)port->reset_reason(port->ctx));
    }
}

void gateway_step(struct gateway *gateway, const struct port *port, const struct event *event)
{
    CHECK(gateway != NULL);
    CHECK(event != NULL);
    struct clock_reading now;
    if (port->clock_read(port->ctx, &now) != ERR_OK) {
        return; /* the power is gone */
    }
    gateway->now_us = now.monotonic_us;
    if (gateway->failed) {
        if (gateway->now_us >= gateway->reset_at_us) {
            gateway->reset_at_us = UINT64_MAX;
            port->reset(port->ctx);
        }
        return;
    }
    if (gateway->config.watchdog_us != 0) {
        port->watchdog_arm(port->ctx, gateway->config.watchdog_us);
    }

    gateway->disk_full = false;
    gateway->reply_count = 0;
    gateway_handle(gateway, port, event);
    if (!gateway->failed) {
        gateway_settle(gateway, port);
    }
    if (!gateway->failed) {
        gateway_run_timers(gateway, port);
        gateway_forward(gateway, port);
        gateway_leave_cloud(gateway, port);
    }
    const bool down = gateway->upstream.state == MQTT_CLIENT_CLOSED;
    if (!gateway->failed && down && gateway->connect_at_us == UINT64_MAX) {
        gateway_plan_connect(gateway, port);
    }
}

uint64_t gateway_deadline_us(const struct gateway *gateway)
{
    CHECK(gateway != NULL);
    if (gateway->failed) {
        return gateway->reset_at_us;
    }
    uint64_t deadline_us = gateway_min(gateway->connect_at_us, gateway->delete_at_us);
    deadline_us = gateway_min(deadline_us, gateway->sessions.sweep_at_us);
    if (gateway->upstream.state != MQTT_CLIENT_CLOSED) {
        deadline_us = gateway_min(deadline_us, mqtt_client_deadline_us(&gateway->upstream));
    }
    if (gateway->config.watchdog_us != 0) { /* an idle gateway is not a hung one */
        deadline_us = gateway_min(deadline_us, gateway->now_us + gateway->config.watchdog_us / 2);
    }
    return deadline_us;
}

void gateway_view(const struct gateway *gateway, struct gateway_view *out)
{
    CHECK(gateway != NULL);
    CHECK(out != NULL);
    *out = gateway->counts;
    out->queue_count = gateway->queue_count;
    out->session_count = gateway->sessions.count;
    out->connected = gateway->upstream.state == MQTT_CLIENT_READY;
    out->drops += gateway->sessions.drops;
}

void gateway_drop(struct gateway *gateway)
{
    CHECK(gateway != NULL);
    database_close(&gateway->database);
}

/* ---- Life and death ------------------------------------------------------------------------- */

/* A queue that a broken disk has spoilt is given up: its devices keep every reading until the cloud
 * has acked it, and a gateway that never boots again would keep them waiting. */
static enum err gateway_recover(struct gateway *gateway, const struct port *port)
{
    enum err err = gateway_open(gateway, port);
    if (err == ERR_OK || !database_is_corrupt(&gateway->database)) {
        return err;
    }
    gateway_say(port, EVIDENCE_DROP, 0, 0, 0, REFUSAL_DISK);
    gateway->counts.drops++;
    database_close(&gateway->database);
    gateway->queue_count = 0;
    gateway->row_next = 1;
    memset(gateway->shares, 0, gateway->config.devices.count * sizeof *gateway->shares);
    err = database_reset(port);
    return err == ERR_OK ? gateway_open(gateway, port) : err;
}

static enum err gateway_open(struct gateway *gateway, const struct port *port)
{
    struct database *database = &gateway->database;
    enum err err = database_open(database, port, schema);
    if (err == ERR_OK) {
        err = database_prepare(database, "INSERT INTO queue VALUES(?1,?2,?3,?4,?5)",
                               &gateway->insert);
    }
    if (err == ERR_OK) {
        err = database_prepare(database, "DELETE FROM queue WHERE id=?1", &gateway->delete);
    }
    if (err == ERR_OK) {
        err = database_prepare(database,
                               "SELECT id,device,epoch,counter,envelope FROM queue"
                               " WHERE id>?1 ORDER BY id LIMIT ?2",
                               &gateway->select);
    }
    return err == ERR_OK ? gateway_load(gateway) : err;
}

/* What survived: how much of the queue belongs to whom, and its last row. */
static enum err gateway_load(struct gateway *gateway)
{
    sqlite3_stmt *load = NULL;
    enum err err = database_prepare(
        &gateway->database, "SELECT device,count(*),max(id) FROM queue GROUP BY device", &load);
    if (err != ERR_OK) {
        return err;
    }
    while ((err = database_row(load)) == ERR_OK) { /* at most one row a device */
        const uint32_t device = (uint32_t)sqlite3_column_int64(load, 0);
        const uint32_t count = (uint32_t)sqlite3_column_int64(load, 1);
        const uint64_t row = (uint64_t)sqlite3_column_int64(load, 2);
        uint32_t index = 0;
        if (registry_find(&gateway->config.devices, device, &index) != NULL) {
            gateway->shares[index] = count;
        }
        gateway->queue_count += count;
        if (row >= gateway->row_next) {
            gateway->row_next = row + 1;
        }
    }
    (void)sqlite3_finalize(load);
    return err == ERR_NOT_FOUND ? ERR_OK : err;
}

/* RAM and disk may disagree: only a restart tells. Nothing that this step did becomes visible. */
void gateway_fail(struct gateway *gateway, const struct port *port)
{
    gateway->failed = true;
    gateway->reset_at_us = UINT64_MAX;
    port->reset(port->ctx);
}

static void gateway_handle(struct gateway *gateway, const struct port *port,
                           const struct event *event)
{
    if (event->kind == EVENT_TIMEOUT) {
        return;
    }
    const bool upstream =
        gateway->upstream.state != MQTT_CLIENT_CLOSED && gateway->upstream.link == event->link;
    if (upstream) {
        gateway_hear_cloud(gateway, port, event);
        return;
    }
    if (event->kind == EVENT_LINK_UP && event->inbound) {
        sessions_open(&gateway->sessions, port, event->link, gateway->now_us);
        return;
    }
    struct mqtt_session *session = sessions_find(&gateway->sessions, event->link);
    if (session != NULL) { /* else a late word of a link that was closed here */
        gateway_hear_device(gateway, port, session, event);
    }
}

static void gateway_run_timers(struct gateway *gateway, const struct port *port)
{
    sessions_sweep(&gateway->sessions, port, gateway->now_us);
    struct mqtt_client *upstream = &gateway->upstream;
    if (upstream->state != MQTT_CLIENT_CLOSED) {
        if (gateway->now_us >= mqtt_client_deadline_us(upstream)) {
            const bool over = mqtt_client_timeout(upstream, port, gateway->now_us);
            CHECK(!over || upstream->state == MQTT_CLIENT_CLOSED);
        }
    } else if (gateway->now_us >= gateway->connect_at_us) {
        gateway->connect_at_us = UINT64_MAX;
        gateway->forwarded_row = 0;
        gateway->upstream_refused = false;
        memset(gateway->forwarded, 0, sizeof gateway->forwarded);
        const enum err err =
            mqtt_client_open(upstream, port, gateway->config.cloud, gateway->now_us);
        CHECK(err == ERR_OK || upstream->state == MQTT_CLIENT_CLOSED);
    }
}

/* ---- Devices -------------------------------------------------------------------------------- */

static void gateway_hear_device(struct gateway *gateway, const struct port *port,
                                struct mqtt_session *session, const struct event *event)
{
    struct mqtt_input input = {0};
    if (event->kind == EVENT_LINK_DATA) {
        input = (struct mqtt_input){event->bytes, event->size_bytes};
    }
    struct mqtt_happening happening;
    while (!gateway->failed && sessions_next(&gateway->sessions, port, gateway->now_us, session,
                                             event, &input, &happening)) {
        gateway_take(gateway, port, session, &happening);
    }
    if (!gateway->failed) {
        gateway_settle(gateway, port);
    }
    if (!gateway->failed) {
        gateway_answer(gateway, port, session);
        sessions_settle(&gateway->sessions, session);
    }
}

/* One PUBLISH of a device. */
static void gateway_take(struct gateway *gateway, const struct port *port,
                         struct mqtt_session *session, const struct mqtt_happening *happening)
{
    uint32_t index = 0;
    const struct registry_entry *entry = sessions_client(&gateway->sessions, session, &index);
    struct telemetry telemetry;
    enum refusal why = REFUSAL_NONE;
    if (gateway_examine(gateway, port, session, happening, &telemetry, &why) != ERR_OK) {
        gateway_fail(gateway, port);
        return;
    }
    /* Telemetry asks for custody; a response or a status does not wait for it. */
    const bool custody = telemetry.sealed != NULL;
    if (why == REFUSAL_NONE && custody != (happening->packet_id != 0)) {
        why = REFUSAL_PROTOCOL;
    }
    if (why == REFUSAL_NONE && custody) {
        gateway_keep(gateway, port, index, &telemetry, happening);
    } else if (why == REFUSAL_NONE) {
        gateway_pass_up(gateway, port, &happening->payload);
    } else {
        gateway->counts.drops++;
        port->evidence(port->ctx, &(struct evidence){.kind = EVIDENCE_DROP,
                                                     .device = entry->id,
                                                     .value = (uint64_t)why,
                                                     .body = happening->payload.bytes,
                                                     .body_bytes = happening->payload.size_bytes});
        if (happening->packet_id != 0) {
            CHECK(gateway->reply_count < MQTT_INFLIGHT_MAX);
            gateway->replies[gateway->reply_count++] = (struct gateway_reply){
                .packet_id = happening->packet_id,
                .reason =
                    why == REFUSAL_MALFORMED ? MQTT_PAYLOAD_FORMAT_INVALID : MQTT_NOT_AUTHORIZED,
            };
        }
    }
}

/* Session = topic = kid = payload, form, signature. telemetry->sealed is NULL for all but
 * telemetry. ERR_OK (with *why) | ERR_IO. */
static enum err gateway_examine(const struct gateway *gateway, const struct port *port,
                                const struct mqtt_session *session,
                                const struct mqtt_happening *happening, struct telemetry *telemetry,
                                enum refusal *why)
{
    const struct registry_entry *entry = sessions_client(&gateway->sessions, session, NULL);
    const struct mqtt_slice *payload = &happening->payload;
    memset(telemetry, 0, sizeof *telemetry);

    uint32_t topic_device = 0;
    if (!topic_read(&happening->topic, 't', &topic_device) || topic_device != entry->id) {
        *why = REFUSAL_MISMATCH;
        return ERR_OK;
    }
    *why = REFUSAL_MALFORMED;
    struct cose_sign1 parsed;
    if (payload->size_bytes > ENVELOPE_BYTES_MAX ||
        cose_parse(payload->bytes, payload->size_bytes, &parsed) != ERR_OK) {
        return ERR_OK;
    }
    if (gateway_read(&parsed, telemetry) != ERR_OK) {
        return ERR_OK;
    }
    if (parsed.signer != entry->id) { /* and the payload names its signer */
        *why = REFUSAL_MISMATCH;
        return ERR_OK;
    }
    const enum err err = cose_verify(&parsed, port, entry->public_key);
    *why = err == ERR_OK ? REFUSAL_NONE : REFUSAL_SIGNATURE;
    return err == ERR_SIGNATURE ? ERR_OK : err;
}

/* ERR_OK | ERR_MALFORMED; a type that no device may send is refused as not telemetry. */
static enum err gateway_read(const struct cose_sign1 *parsed, struct telemetry *telemetry)
{
    struct response response;
    struct status status;
    switch (parsed->content_type) {
    case MESSAGE_RESPONSE:
        return message_read_response(parsed, &response);
    case MESSAGE_STATUS:
        return message_read_status(parsed, &status);
    default:
        return message_read_telemetry(parsed, telemetry);
    }
}

/* Put a message into the queue, or refuse custody by a rule; the device hears of it after the
 * commit. */
static void gateway_keep(struct gateway *gateway, const struct port *port, uint32_t index,
                         const struct telemetry *telemetry, const struct mqtt_happening *happening)
{
    CHECK(gateway->reply_count < MQTT_INFLIGHT_MAX);
    struct gateway_reply *reply = &gateway->replies[gateway->reply_count];
    reply->packet_id = happening->packet_id;
    reply->reason = MQTT_QUOTA_EXCEEDED;
    reply->device = index;
    reply->epoch = telemetry->epoch;
    reply->counter = telemetry->counter;

    enum refusal why = REFUSAL_NONE;
    if (gateway->disk_full) {
        why = REFUSAL_DISK;
    } else if (gateway->queue_count >= gateway->config.queue_max) {
        why = REFUSAL_QUEUE_FULL;
    } else if (gateway->shares[index] >= gateway->config.queue_share_max) {
        why = REFUSAL_SHARE;
    } else {
        const enum err err = gateway_insert(gateway, telemetry, &happening->payload);
        if (err == ERR_FULL) {
            gateway_give_back(gateway, port);
            why = REFUSAL_DISK;
        } else if (err != ERR_OK) {
            gateway_fail(gateway, port);
        }
    }
    if (gateway->failed) {
        return;
    }
    gateway->reply_count++;
    if (why == REFUSAL_NONE) {
        gateway->queue_count++;
        gateway->shares[index]++;
        reply->reason = MQTT_SUCCESS;
        reply->queue_count = gateway->queue_count;
        reply->envelope.size_bytes = happening->payload.size_bytes;
        memcpy(reply->envelope.bytes, happening->payload.bytes, happening->payload.size_bytes);
    } else {
        gateway->counts.refusals++;
        gateway_say(port, EVIDENCE_REFUSE, telemetry->device, telemetry->epoch, telemetry->counter,
                    (uint64_t)why);
    }
}

static enum err gateway_insert(struct gateway *gateway, const struct telemetry *telemetry,
                               const struct mqtt_slice *envelope)
{
    sqlite3_stmt *insert = gateway->insert;
    /* A bind fails only for want of memory, and then the insert fails (NOT NULL). */
    (void)sqlite3_bind_int64(insert, 1, (sqlite3_int64)gateway->row_next);
    (void)sqlite3_bind_int64(insert, 2, (sqlite3_int64)telemetry->device);
    (void)sqlite3_bind_int64(insert, 3, (sqlite3_int64)telemetry->epoch);
    (void)sqlite3_bind_int64(insert, 4, (sqlite3_int64)telemetry->counter);
    (void)sqlite3_bind_blob(insert, 5, envelope->bytes, (int)envelope->size_bytes, SQLITE_STATIC);
    const enum err err = database_write(&gateway->database, insert);
    if (err == ERR_OK) {
        gateway->row_next++;
    }
    return err;
}

/* A challenge's answer and a status cannot wait: they go up now or not at all; the cloud asks
 * again, the device says it again. */
static void gateway_pass_up(struct gateway *gateway, const struct port *port,
                            const struct mqtt_slice *envelope)
{
    if (gateway->upstream.state != MQTT_CLIENT_READY) {
        return;
    }
    const enum err err = gateway_publish(gateway, port, envelope->bytes, envelope->size_bytes, 0);
    if (err == ERR_IO) {
        gateway_fail(gateway, port);
    }
}

/* ---- Durable, then visible ------------------------------------------------------------------ */

/* End of what an event causes: the one commit of the step. */
static void gateway_settle(struct gateway *gateway, const struct port *port)
{
    const enum err err = gateway_commit(gateway, port);
    if (err == ERR_OK) {
        return;
    }
    if (err != ERR_FULL) {
        gateway_fail(gateway, port);
        return;
    }
    gateway_give_back(gateway, port);
    gateway->delete_at_us =
        gateway->delete_count == 0 ? UINT64_MAX : gateway->now_us + DELETE_WITHIN_US;
}

static enum err gateway_commit(struct gateway *gateway, const struct port *port)
{
    if (!gateway->database.writing && gateway->now_us < gateway->delete_at_us) {
        return ERR_OK;
    }
    for (uint32_t index = 0; index < gateway->delete_count; index++) {
        (void)sqlite3_bind_int64(gateway->delete, 1, (sqlite3_int64)gateway->deletes[index]);
        const enum err err = database_write(&gateway->database, gateway->delete);
        if (err != ERR_OK) {
            return err;
        }
    }
    const enum err err = database_commit(&gateway->database);
    if (err == ERR_OK) {
        gateway->delete_count = 0;
        gateway->delete_at_us = UINT64_MAX;
        gateway_say(port, EVIDENCE_COMMIT, 0, 0, 0, 0);
    }
    return err;
}

/* The disk is full: nothing of this step was taken, and everybody who hoped hears so. */
static void gateway_give_back(struct gateway *gateway, const struct port *port)
{
    gateway->disk_full = true;
    if (database_abandon(&gateway->database) != ERR_OK) {
        gateway_fail(gateway, port);
        return;
    }
    for (uint32_t index = 0; index < gateway->reply_count; index++) {
        struct gateway_reply *reply = &gateway->replies[index];
        if (reply->reason != MQTT_SUCCESS) {
            continue;
        }
        reply->reason = MQTT_QUOTA_EXCEEDED;
        CHECK(gateway->queue_count > 0);
        CHECK(gateway->shares[reply->device] > 0);
        gateway->queue_count--;
        gateway->shares[reply->device]--;
        gateway->counts.refusals++;
        gateway_say(port, EVIDENCE_REFUSE, gateway->config.devices.entries[reply->device].id,
                    reply->epoch, reply->counter, REFUSAL_DISK);
    }
}

/* Custody is durable: say so, in the order of arrival [MQTT-4.6.0-2]. */
static void gateway_answer(struct gateway *gateway, const struct port *port,
                           struct mqtt_session *session)
{
    CHECK(!gateway->database.writing);
    for (uint32_t index = 0; index < gateway->reply_count; index++) {
        const struct gateway_reply *reply = &gateway->replies[index];
        if (reply->reason == MQTT_SUCCESS) {
            gateway->counts.custodies++;
            port->evidence(port->ctx,
                           &(struct evidence){
                               .kind = EVIDENCE_CUSTODY,
                               .device = gateway->config.devices.entries[reply->device].id,
                               .epoch = reply->epoch,
                               .counter = reply->counter,
                               .value = reply->queue_count,
                               .body = reply->envelope.bytes,
                               .body_bytes = reply->envelope.size_bytes,
                           });
        }
        if (session->state == MQTT_SESSION_READY) { /* it may have ended within the same bytes */
            mqtt_session_puback(session, port, reply->packet_id, reply->reason);
        }
    }
    gateway->reply_count = 0;
}

void gateway_say(const struct port *port, enum evidence_kind kind, uint32_t device, uint32_t epoch,
                 uint64_t counter, uint64_t value)
{
    port->evidence(
        port->ctx,
        &(struct evidence){
            .kind = kind, .device = device, .epoch = epoch, .counter = counter, .value = value});
}

static uint32_t gateway_struct_bytes(void)
{
    return (uint32_t)((sizeof(struct gateway) + 7u) / 8u * 8u);
}
