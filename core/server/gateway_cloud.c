/* The gateway's link to the cloud. */
#include <stddef.h>

#include "core/check.h"
#include "core/server/gateway_inside.h"
#include "core/topic.h"

static void gateway_discharge(struct gateway *gateway, const struct port *port,
                              const struct mqtt_happening *happening);
static void gateway_pass_down(struct gateway *gateway, const struct port *port,
                              const struct mqtt_happening *happening);
static enum err gateway_forward_row(struct gateway *gateway, const struct port *port);
static struct gateway_forwarded *gateway_find_forwarded(struct gateway *gateway, uint64_t row);
static bool gateway_is_discharged(const struct gateway *gateway, uint64_t row);

void gateway_plan_connect(struct gateway *gateway, const struct port *port)
{
    uint64_t delay_us = 0;
    if (backoff_next(&gateway->backoff, port, &delay_us) != ERR_OK) {
        delay_us = gateway->config.backoff_cap_us; /* no entropy, no jitter: rather late */
    }
    gateway->connect_at_us = gateway->now_us + delay_us;
}

void gateway_hear_cloud(struct gateway *gateway, const struct port *port, const struct event *event)
{
    struct mqtt_client *upstream = &gateway->upstream;
    struct mqtt_input input = {0};
    if (event->kind == EVENT_LINK_DATA) {
        input = (struct mqtt_input){event->bytes, event->size_bytes};
    }
    struct mqtt_happening happening = {.kind = MQTT_HAPPENED_READY};
    while (upstream->state != MQTT_CLIENT_CLOSED && happening.kind != MQTT_NOTHING) {
        mqtt_client_take(upstream, port, &gateway->config.keys, gateway->now_us, event, &input,
                         &happening);
        switch (happening.kind) {
        case MQTT_HAPPENED_READY:
            if (gateway->queue_count == 0) {
                backoff_reset(&gateway->backoff); /* else the first PUBACK proves that it works */
            }
            break;
        case MQTT_HAPPENED_PUBACK:
            gateway_discharge(gateway, port, &happening);
            break;
        case MQTT_HAPPENED_PUBLISH:
            gateway_pass_down(gateway, port, &happening);
            break;
        case MQTT_HAPPENED_DOWN:
            if (happening.refused) {
                gateway->counts.drops++;
                gateway_say(port, EVIDENCE_DROP, 0, 0, 0, REFUSAL_PROTOCOL);
            }
            break;
        case MQTT_NOTHING:
            break;
        case MQTT_HAPPENED_CONNECT: /* a session's */
        default:
            CHECK(false);
        }
    }
}

/* What was refused may be sent again on another connection only: leave when the rest has been
 * answered, and come back when the backoff says. */
void gateway_leave_cloud(struct gateway *gateway, const struct port *port)
{
    struct mqtt_client *upstream = &gateway->upstream;
    if (gateway->upstream_refused && upstream->state == MQTT_CLIENT_READY &&
        upstream->sender.count == 0) {
        mqtt_client_close(upstream, port, MQTT_SUCCESS);
    }
}

/* The cloud has answered for a row. */
static void gateway_discharge(struct gateway *gateway, const struct port *port,
                              const struct mqtt_happening *happening)
{
    struct gateway_forwarded *forwarded = gateway_find_forwarded(gateway, happening->tag);
    CHECK(forwarded != NULL); /* the client gives back only tags that it was given */
    if (happening->reason >= MQTT_UNSPECIFIED_ERROR) {
        gateway->upstream_refused = true; /* it stays in the queue */
    } else {
        backoff_reset(&gateway->backoff);
        gateway_say(port, EVIDENCE_DISCHARGE, forwarded->device, forwarded->epoch,
                    forwarded->counter, 0);
        gateway->counts.discharges++;
        /* No CHECK: a disk that lied may show rows that were not there when they were counted. */
        gateway->queue_count -= gateway->queue_count > 0 ? 1u : 0u;
        uint32_t index = 0;
        if (registry_find(&gateway->config.devices, forwarded->device, &index) != NULL) {
            gateway->shares[index] -= gateway->shares[index] > 0 ? 1u : 0u;
        }
        CHECK(gateway->delete_count < DELETES_MAX);
        gateway->deletes[gateway->delete_count++] = forwarded->row;
        if (gateway->delete_count >= DELETES_BATCH) {
            gateway->delete_at_us = gateway->now_us;
        } else if (gateway->delete_at_us == UINT64_MAX) {
            gateway->delete_at_us = gateway->now_us + DELETE_WITHIN_US;
        }
    }
    forwarded->row = 0;
}

/* What the cloud has signed, on its way to a device. Lost when the device is not here: acks are
 * cumulative, and the cloud answers every copy and every status. */
static void gateway_pass_down(struct gateway *gateway, const struct port *port,
                              const struct mqtt_happening *happening)
{
    uint32_t device = 0;
    uint32_t index = 0;
    if (!topic_read(&happening->topic, 'd', &device)) {
        gateway->counts.drops++;
        gateway_say(port, EVIDENCE_DROP, 0, 0, 0, REFUSAL_MISMATCH);
        return;
    }
    if (registry_find(&gateway->config.devices, device, &index) == NULL) {
        return;
    }
    struct mqtt_session *session = sessions_of(&gateway->sessions, index);
    if (session == NULL) {
        return;
    }
    char topic[TOPIC_BYTES];
    topic_write(topic, 'd', device);
    const enum err err = mqtt_session_publish(session, port, topic, happening->payload.bytes,
                                              happening->payload.size_bytes);
    CHECK(err != ERR_IO); /* no room, no link, or more than the device takes: its own affair */
    sessions_settle(&gateway->sessions, session);
}

/* Send what the queue holds beyond the last row sent, as far as the cloud's Receive Maximum allows
 * and there is room to remember what comes back. */
void gateway_forward(struct gateway *gateway, const struct port *port)
{
    const struct mqtt_client *upstream = &gateway->upstream;
    if (upstream->state != MQTT_CLIENT_READY || gateway->upstream_refused ||
        gateway->forwarded_row + 1 >= gateway->row_next) {
        return;
    }
    CHECK(gateway->delete_count + upstream->sender.count <= DELETES_MAX);
    const uint64_t room =
        gateway_min(mqtt_sender_room(&upstream->sender),
                    (uint64_t)DELETES_MAX - gateway->delete_count - upstream->sender.count);
    if (room == 0) {
        return;
    }
    (void)sqlite3_bind_int64(gateway->select, 1, (sqlite3_int64)gateway->forwarded_row);
    (void)sqlite3_bind_int64(gateway->select, 2, (sqlite3_int64)room);
    enum err err = ERR_OK;
    for (uint64_t count = 0; count < room && err == ERR_OK; count++) {
        err = database_row(gateway->select);
        if (err == ERR_OK) {
            err = gateway_forward_row(gateway, port);
        }
    }
    (void)sqlite3_reset(gateway->select);
    if (err == ERR_NOT_FOUND) { /* the rest of the numbers were deleted before a restart */
        gateway->forwarded_row = gateway->row_next - 1;
    } else if (err == ERR_RANGE) {
        gateway->upstream_refused = true; /* more than the cloud says it takes; it stays queued */
    } else if (err == ERR_IO) {
        gateway_fail(gateway, port);
    }
}

/* Hand the row that the query stands on to the cloud's link. ERR_OK | ERR_FULL | ERR_CLOSED |
 * ERR_RANGE | ERR_IO. */
static enum err gateway_forward_row(struct gateway *gateway, const struct port *port)
{
    sqlite3_stmt *select = gateway->select;
    const uint64_t row = (uint64_t)sqlite3_column_int64(select, 0);
    const uint8_t *envelope = (const uint8_t *)sqlite3_column_blob(select, 4);
    const uint32_t envelope_bytes = (uint32_t)sqlite3_column_bytes(select, 4);
    if (envelope == NULL || envelope_bytes > ENVELOPE_BYTES_MAX) {
        return ERR_IO; /* not what was written */
    }
    gateway->forwarded_row = row;
    if (gateway_is_discharged(gateway, row)) {
        return ERR_OK;
    }
    const enum err err = gateway_publish(gateway, port, envelope, envelope_bytes, row);
    if (err != ERR_OK) {
        gateway->forwarded_row = row - 1;
        return err;
    }
    struct gateway_forwarded *forwarded = gateway_find_forwarded(gateway, 0);
    CHECK(forwarded != NULL); /* as many as may be in flight */
    *forwarded = (struct gateway_forwarded){
        .row = row,
        .device = (uint32_t)sqlite3_column_int64(select, 1),
        .epoch = (uint32_t)sqlite3_column_int64(select, 2),
        .counter = (uint64_t)sqlite3_column_int64(select, 3),
    };
    gateway->counts.forwards++;
    port->evidence(port->ctx, &(struct evidence){.kind = EVIDENCE_FORWARD,
                                                 .device = forwarded->device,
                                                 .epoch = forwarded->epoch,
                                                 .counter = forwarded->counter,
                                                 .body = envelope,
                                                 .body_bytes = envelope_bytes});
    return ERR_OK;
}

/* Wrap, sign, publish. tag 0: QoS 0. */
enum err gateway_publish(struct gateway *gateway, const struct port *port, const uint8_t *envelope,
                         uint32_t envelope_bytes, uint64_t tag)
{
    const struct forward forward = {
        .gateway = gateway->config.id,
        .tenant = gateway->config.tenant,
        .policy_version = gateway->config.policy_version,
        .envelope = envelope,
        .envelope_bytes = envelope_bytes,
    };
    uint8_t bytes[FORWARD_BYTES_MAX];
    uint32_t size_bytes = sizeof bytes;
    const enum err err = message_forward(port, &gateway->config.keys, &forward, bytes, &size_bytes);
    CHECK(err != ERR_RANGE); /* limits.h: a forward wraps an envelope */
    if (err != ERR_OK) {
        return ERR_IO;
    }
    char topic[TOPIC_BYTES];
    topic_write(topic, 'g', gateway->config.id);
    return mqtt_client_publish(&gateway->upstream, port, gateway->now_us, topic, bytes, size_bytes,
                               tag);
}

/* By row; 0 finds a free place. */
static struct gateway_forwarded *gateway_find_forwarded(struct gateway *gateway, uint64_t row)
{
    for (uint32_t index = 0; index < MQTT_INFLIGHT_MAX; index++) {
        if (gateway->forwarded[index].row == row) {
            return &gateway->forwarded[index];
        }
    }
    return NULL;
}

/* Confirmed on an earlier connection, and still on disk. */
static bool gateway_is_discharged(const struct gateway *gateway, uint64_t row)
{
    for (uint32_t index = 0; index < gateway->delete_count; index++) {
        if (gateway->deletes[index] == row) {
            return true;
        }
    }
    return false;
}
