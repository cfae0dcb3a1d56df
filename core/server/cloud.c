/* The cloud: the only judge of a reading. */
#include "core/server/cloud.h"

#include <stddef.h>
#include <string.h>

#include "core/check.h"
#include "core/server/cloud_inside.h"
#include "core/topic.h"

/* After a failed x_init: time until the next attempt, so that a broken disk is no reset storm. */
#define RETRY_INIT_US 1000000u

/* 64-bit counters are stored as SQLite's signed integers, bit by bit: only equality is asked. The
 * key is the last line of defence: a reading that is there cannot be accepted again.
 * seen: the bitmap of an ack, first counter top - bits + 1 (1 at the least). */
#define SCHEMA                                                                                     \
    "CREATE TABLE IF NOT EXISTS reading("                                                          \
    "device INTEGER NOT NULL, epoch INTEGER NOT NULL, counter INTEGER NOT NULL,"                   \
    "gateway INTEGER NOT NULL, tenant INTEGER NOT NULL, policy INTEGER NOT NULL,"                  \
    "wall_us INTEGER NOT NULL, value INTEGER NOT NULL, envelope BLOB NOT NULL,"                    \
    "PRIMARY KEY(device, epoch, counter)) WITHOUT ROWID;"                                          \
    "CREATE TABLE IF NOT EXISTS window("                                                           \
    "device INTEGER PRIMARY KEY, epoch INTEGER NOT NULL, top INTEGER NOT NULL,"                    \
    "seen BLOB NOT NULL, ack BLOB NOT NULL)"

static const char schema[] = SCHEMA;
static const char schema_managed[] = SCHEMA ";" CLOUD_FIRMWARE_SCHEMA;

static enum err cloud_open(struct cloud *cloud, const struct port *port);
static enum err cloud_load(struct cloud *cloud);
static void cloud_fail(struct cloud *cloud, const struct port *port);
static void cloud_hear(struct cloud *cloud, const struct port *port, struct mqtt_session *session,
                       const struct event *event);
static void cloud_finish(struct cloud *cloud, const struct port *port, struct mqtt_session *session,
                         enum err err);
static void cloud_give_back(struct cloud *cloud, const struct port *port,
                            struct mqtt_session *session);
static enum err cloud_take(struct cloud *cloud, const struct port *port,
                           const struct mqtt_session *session,
                           const struct mqtt_happening *happening);
static enum err cloud_judge(struct cloud *cloud, const struct port *port,
                            const struct mqtt_session *session, const struct cloud_copy *copy,
                            enum refusal *why);
static enum err cloud_examine_forward(const struct cloud *cloud, const struct port *port,
                                      const struct mqtt_session *session,
                                      const struct mqtt_happening *happening,
                                      struct forward *forward, enum refusal *why);
static enum err cloud_examine_inner(const struct cloud *cloud, const struct port *port,
                                    struct cloud_copy *copy, enum refusal *why);
static enum err cloud_read_inner(const struct cloud *cloud, struct cloud_copy *copy);
static enum err cloud_commit(struct cloud *cloud, const struct port *port);
static void cloud_answer(struct cloud *cloud, const struct port *port,
                         struct mqtt_session *session);
static void cloud_answer_device(struct cloud *cloud, const struct port *port,
                                struct mqtt_session *session, uint32_t index);
static void cloud_forget_step(struct cloud *cloud);
static void cloud_touch(struct cloud *cloud, uint32_t index);
static void cloud_drop_bytes(struct cloud *cloud, const struct port *port, uint32_t device,
                             const struct mqtt_slice *payload, enum refusal why);
static uint32_t round_up_8(size_t size_bytes);

uint32_t cloud_size_bytes(const struct cloud_config *config)
{
    CHECK(config != NULL);
    const uint32_t count = config->devices.count;
    return round_up_8(sizeof(struct cloud)) +
           sessions_size_bytes(config->sessions_max, config->gateways.count) +
           round_up_8(count * sizeof(struct cloud_device)) + round_up_8(count * sizeof(uint32_t)) +
           cloud_firmware_size_bytes(config);
}

void cloud_init(struct cloud *cloud, const struct cloud_config *config, const struct port *port)
{
    CHECK(cloud != NULL);
    CHECK(config != NULL);
    CHECK(config->devices.count <= SERVER_DEVICES_MAX);
    CHECK(config->window >= 1 && config->window <= WINDOW_BITS_MAX);
    memset(cloud, 0, cloud_size_bytes(config));
    cloud->config = *config;

    uint8_t *memory = (uint8_t *)cloud + round_up_8(sizeof(struct cloud));
    sessions_init(&cloud->sessions, memory, config->sessions_max, config->id,
                  &cloud->config.gateways);
    memory += sessions_size_bytes(config->sessions_max, config->gateways.count);
    cloud->devices = (struct cloud_device *)(void *)memory;
    memory += round_up_8(config->devices.count * sizeof(struct cloud_device));
    cloud->touched = (uint32_t *)(void *)memory;

    memory += round_up_8(config->devices.count * sizeof(uint32_t));

    struct clock_reading now = {0};
    enum err err = port->clock_read(port->ctx, &now);
    cloud->now_us = now.monotonic_us;
    if (err == ERR_OK && config->firmware.managed) {
        err = cloud_firmware_init(cloud, memory, port);
    }
    if (err != ERR_OK || cloud_open(cloud, port) != ERR_OK) {
        cloud->failed = true;
        cloud->reset_at_us = now.monotonic_us + RETRY_INIT_US;
    }
    if (config->watchdog_us != 0) {
        port->watchdog_arm(port->ctx, config->watchdog_us);
    }
    if (!cloud->failed) {
        cloud_say(port, EVIDENCE_BOOT, 0, 0, 0, (uint64_t)port->reset_reason(port->ctx));
    }
}

void cloud_step(struct cloud *cloud, const struct port *port, const struct event *event)
{
    CHECK(cloud != NULL);
    CHECK(event != NULL);
    struct clock_reading now;
    if (port->clock_read(port->ctx, &now) != ERR_OK) {
        return; /* the power is gone */
    }
    cloud->now_us = now.monotonic_us;
    cloud->wall_us = now.wall_us;
    if (cloud->failed) {
        if (cloud->now_us >= cloud->reset_at_us) {
            cloud->reset_at_us = UINT64_MAX;
            port->reset(port->ctx);
        }
        return;
    }
    if (cloud->config.watchdog_us != 0) {
        port->watchdog_arm(port->ctx, cloud->config.watchdog_us);
    }
    if (event->kind == EVENT_LINK_UP) {
        if (event->inbound) { /* the cloud opens no link */
            sessions_open(&cloud->sessions, port, event->link, cloud->now_us);
        }
    } else if (event->kind != EVENT_TIMEOUT) {
        struct mqtt_session *session = sessions_find(&cloud->sessions, event->link);
        if (session != NULL) { /* else a late word of a link that was closed here */
            cloud_hear(cloud, port, session, event);
        }
    }
    if (!cloud->failed) {
        if (cloud->config.firmware.managed) {
            cloud_firmware_push(cloud, port);
        }
        sessions_sweep(&cloud->sessions, port, cloud->now_us);
    }
}

uint64_t cloud_deadline_us(const struct cloud *cloud)
{
    CHECK(cloud != NULL);
    if (cloud->failed) {
        return cloud->reset_at_us;
    }
    uint64_t deadline_us = cloud->sessions.sweep_at_us;
    if (cloud->config.firmware.managed && cloud->images.wake_us < deadline_us) {
        deadline_us = cloud->images.wake_us;
    }
    if (cloud->config.watchdog_us != 0) { /* an idle cloud is not a hung one */
        const uint64_t alive_at_us = cloud->now_us + cloud->config.watchdog_us / 2;
        deadline_us = alive_at_us < deadline_us ? alive_at_us : deadline_us;
    }
    return deadline_us;
}

void cloud_view(const struct cloud *cloud, struct cloud_view *out)
{
    CHECK(cloud != NULL);
    CHECK(out != NULL);
    *out = cloud->counts;
    out->session_count = cloud->sessions.count;
    out->drops += cloud->sessions.drops;
}

void cloud_drop(struct cloud *cloud)
{
    CHECK(cloud != NULL);
    database_close(&cloud->database);
}

void cloud_say(const struct port *port, enum evidence_kind kind, uint32_t device, uint32_t epoch,
               uint64_t counter, uint64_t value)
{
    port->evidence(
        port->ctx,
        &(struct evidence){
            .kind = kind, .device = device, .epoch = epoch, .counter = counter, .value = value});
}

/* ---- Life and death ------------------------------------------------------------------------- */

static enum err cloud_open(struct cloud *cloud, const struct port *port)
{
    struct database *database = &cloud->database;
    const bool managed = cloud->config.firmware.managed;
    enum err err = database_open(database, port, managed ? schema_managed : schema);
    if (err == ERR_OK) {
        err = database_prepare(database, "INSERT INTO reading VALUES(?1,?2,?3,?4,?5,?6,?7,?8,?9)",
                               &cloud->insert_reading);
    }
    if (err == ERR_OK) {
        err = database_prepare(database, "REPLACE INTO window VALUES(?1,?2,?3,?4,?5)",
                               &cloud->replace_window);
    }
    if (err == ERR_OK) {
        err = database_prepare(database, "SELECT device,epoch,top,seen,ack FROM window",
                               &cloud->load_windows);
    }
    if (err == ERR_OK && managed) {
        err = cloud_firmware_prepare(cloud);
    }
    return err == ERR_OK ? cloud_load(cloud) : err;
}

/* All that is known of devices, as the last commit left it. */
static enum err cloud_load(struct cloud *cloud)
{
    memset(cloud->devices, 0, cloud->config.devices.count * sizeof cloud->devices[0]);
    enum err err = cloud_window_load(cloud);
    if (err == ERR_OK && cloud->config.firmware.managed) {
        err = cloud_firmware_load(cloud);
    }
    return err;
}

/* RAM and disk may disagree: only a restart tells. Nothing that this step did becomes visible. */
static void cloud_fail(struct cloud *cloud, const struct port *port)
{
    cloud->failed = true;
    cloud->reset_at_us = UINT64_MAX;
    port->reset(port->ctx);
}

/* ---- One step ------------------------------------------------------------------------------- */

static void cloud_hear(struct cloud *cloud, const struct port *port, struct mqtt_session *session,
                       const struct event *event)
{
    CHECK(cloud->reply_count == 0);
    CHECK(cloud->touched_count == 0);
    struct mqtt_input input = {0};
    if (event->kind == EVENT_LINK_DATA) {
        input = (struct mqtt_input){event->bytes, event->size_bytes};
    }
    struct mqtt_happening happening;
    enum err err = ERR_OK;
    while (err == ERR_OK && sessions_next(&cloud->sessions, port, cloud->now_us, session, event,
                                          &input, &happening)) {
        err = cloud_take(cloud, port, session, &happening);
        if (err == ERR_OK && happening.packet_id != 0) {
            CHECK(cloud->reply_count < MQTT_INFLIGHT_MAX);
            cloud->replies[cloud->reply_count++] = happening.packet_id;
        }
    }
    if (err == ERR_OK) {
        err = cloud_commit(cloud, port);
    }
    cloud_finish(cloud, port, session, err);
}

/* Durable, then visible; or nothing at all. */
static void cloud_finish(struct cloud *cloud, const struct port *port, struct mqtt_session *session,
                         enum err err)
{
    if (err == ERR_OK) {
        cloud_answer(cloud, port, session);
    } else if (err == ERR_FULL) {
        cloud_give_back(cloud, port, session);
    } else {
        cloud_fail(cloud, port);
    }
    if (!cloud->failed) {
        cloud_forget_step(cloud);
        sessions_settle(&cloud->sessions, session);
    }
}

/* The disk is full: back to the last commit. The gateway hears nothing of its messages, keeps them,
 * and comes back when its backoff says. */
static void cloud_give_back(struct cloud *cloud, const struct port *port,
                            struct mqtt_session *session)
{
    cloud_say(port, EVIDENCE_REFUSE, 0, 0, 0, REFUSAL_DISK);
    if (database_abandon(&cloud->database) != ERR_OK || cloud_load(cloud) != ERR_OK) {
        cloud_fail(cloud, port);
        return;
    }
    if (session->state != MQTT_SESSION_CLOSED) {
        mqtt_session_close(session, port, MQTT_QUOTA_EXCEEDED);
    }
}

/* One PUBLISH of a gateway: judged and evidenced here, answered after the commit. Hostile bytes are
 * acknowledged like any other, or one poisoned message would block a queue for ever [MQTT-4.5.0-2].
 * ERR_OK | ERR_FULL | ERR_IO. */
static enum err cloud_take(struct cloud *cloud, const struct port *port,
                           const struct mqtt_session *session,
                           const struct mqtt_happening *happening)
{
    struct cloud_copy copy;
    memset(&copy, 0, sizeof copy);
    enum refusal why = REFUSAL_NONE;
    enum err err = cloud_examine_forward(cloud, port, session, happening, &copy.forward, &why);
    if (err == ERR_OK && why == REFUSAL_NONE) {
        err = cloud_examine_inner(cloud, port, &copy, &why);
    }
    if (err == ERR_OK && why == REFUSAL_NONE) {
        err = cloud_judge(cloud, port, session, &copy, &why);
    }
    if (err == ERR_OK && why != REFUSAL_NONE) {
        cloud_drop_bytes(cloud, port, copy.inner.signer, &happening->payload, why);
    }
    return err;
}

/* All of it is verified. ERR_OK (with *why: a status that is older than another) | ERR_FULL |
 * ERR_IO. */
static enum err cloud_judge(struct cloud *cloud, const struct port *port,
                            const struct mqtt_session *session, const struct cloud_copy *copy,
                            enum refusal *why)
{
    if (cloud->config.firmware.managed) {
        uint32_t gateway = 0;
        (void)sessions_client(&cloud->sessions, session, &gateway);
        cloud_firmware_seen(cloud, copy, gateway);
    }
    if (copy->inner.content_type == MESSAGE_STATUS) {
        return cloud_firmware_judge(cloud, port, copy, why);
    }
    cloud_touch(cloud, copy->index);
    if (copy->inner.content_type == MESSAGE_TELEMETRY) {
        return cloud_window_judge(cloud, port, copy);
    }
    cloud_window_respond(cloud, port, copy);
    return ERR_OK;
}

/* Session = topic = kid = payload, form, the gateway's signature. ERR_OK (with *why) | ERR_IO. */
static enum err cloud_examine_forward(const struct cloud *cloud, const struct port *port,
                                      const struct mqtt_session *session,
                                      const struct mqtt_happening *happening,
                                      struct forward *forward, enum refusal *why)
{
    const struct registry_entry *gateway = sessions_client(&cloud->sessions, session, NULL);
    uint32_t topic_gateway = 0;
    if (!topic_read(&happening->topic, 'g', &topic_gateway) || topic_gateway != gateway->id) {
        *why = REFUSAL_MISMATCH;
        return ERR_OK;
    }
    struct cose_sign1 parsed;
    if (cose_parse(happening->payload.bytes, happening->payload.size_bytes, &parsed) != ERR_OK ||
        message_read_forward(&parsed, forward) != ERR_OK) {
        *why = REFUSAL_MALFORMED;
        return ERR_OK;
    }
    if (parsed.signer != gateway->id) { /* and the payload names its signer */
        *why = REFUSAL_MISMATCH;
        return ERR_OK;
    }
    const enum err err = cose_verify(&parsed, port, gateway->public_key);
    *why = err == ERR_OK ? REFUSAL_NONE : REFUSAL_SIGNATURE;
    return err == ERR_SIGNATURE ? ERR_OK : err;
}

/* Form, kid and signature of the device's own envelope. ERR_OK (with *why) | ERR_IO. */
static enum err cloud_examine_inner(const struct cloud *cloud, const struct port *port,
                                    struct cloud_copy *copy, enum refusal *why)
{
    if (cose_parse(copy->forward.envelope, copy->forward.envelope_bytes, &copy->inner) != ERR_OK) {
        *why = REFUSAL_MALFORMED;
        return ERR_OK;
    }
    if (cloud_read_inner(cloud, copy) != ERR_OK) {
        *why = REFUSAL_MALFORMED;
        return ERR_OK;
    }
    copy->entry = registry_find(&cloud->config.devices, copy->inner.signer, &copy->index);
    if (copy->entry == NULL) {
        *why = REFUSAL_UNKNOWN;
        return ERR_OK;
    }
    const enum err err = cose_verify(&copy->inner, port, copy->entry->public_key);
    *why = err == ERR_OK ? REFUSAL_NONE : REFUSAL_SIGNATURE;
    return err == ERR_SIGNATURE ? ERR_OK : err;
}

/* A type that no device may send is refused as not telemetry. */
static enum err cloud_read_inner(const struct cloud *cloud, struct cloud_copy *copy)
{
    switch (copy->inner.content_type) {
    case MESSAGE_RESPONSE:
        return message_read_response(&copy->inner, &copy->response);
    case MESSAGE_STATUS:
        return cloud->config.firmware.managed ? message_read_status(&copy->inner, &copy->status)
                                              : ERR_MALFORMED;
    default:
        return message_read_telemetry(&copy->inner, &copy->telemetry);
    }
}

/* ---- Durable, then visible ------------------------------------------------------------------ */

/* Each window that moved, with its new ack, goes into the transaction of the readings. A step of
 * duplicates writes nothing and commits nothing. */
static enum err cloud_commit(struct cloud *cloud, const struct port *port)
{
    for (uint32_t at = 0; at < cloud->touched_count; at++) {
        if (cloud->devices[cloud->touched[at]].dirty) {
            const enum err err = cloud_window_write(cloud, port, cloud->touched[at]);
            if (err != ERR_OK) {
                return err;
            }
        }
    }
    if (!cloud->database.writing) {
        return ERR_OK;
    }
    const enum err err = database_commit(&cloud->database);
    if (err == ERR_OK) {
        cloud_say(port, EVIDENCE_COMMIT, 0, 0, 0, 0);
    }
    return err;
}

static void cloud_answer(struct cloud *cloud, const struct port *port, struct mqtt_session *session)
{
    CHECK(!cloud->database.writing);
    for (uint32_t at = 0; at < cloud->reply_count; at++) {
        if (session->state == MQTT_SESSION_READY) { /* it may have ended within the same bytes */
            mqtt_session_puback(session, port, cloud->replies[at], MQTT_SUCCESS);
        }
    }
    for (uint32_t at = 0; at < cloud->touched_count; at++) {
        if (session->state == MQTT_SESSION_READY) {
            cloud_answer_device(cloud, port, session, cloud->touched[at]);
        }
    }
    if (cloud->config.firmware.managed) {
        cloud_firmware_answer(cloud, port, session);
    }
}

/* One answer for all copies of a step, to where the last of them came from. */
static void cloud_answer_device(struct cloud *cloud, const struct port *port,
                                struct mqtt_session *session, uint32_t index)
{
    const struct cloud_device *device = &cloud->devices[index];
    const uint32_t number = cloud->config.devices.entries[index].id;
    const struct envelope *answer = &device->ack;
    if (device->ask) {
        answer = &device->challenge;
        cloud->counts.challenges++;
        cloud_say(port, EVIDENCE_CHALLENGE, number, device->asked_epoch, device->asked_counter, 0);
    } else if (device->ack.size_bytes != 0) {
        cloud->counts.acks++;
        cloud_say(port, EVIDENCE_ACK, number, device->epoch, device->window.top, 0);
    } else {
        return; /* no window and no challenge: nothing to say */
    }
    char topic[TOPIC_BYTES];
    topic_write(topic, 'd', number);
    /* Lost when there is no room, or more than the gateway takes: the next copy gets the same. */
    const enum err err =
        mqtt_session_publish(session, port, topic, answer->bytes, answer->size_bytes);
    CHECK(err != ERR_IO);
}

static void cloud_forget_step(struct cloud *cloud)
{
    for (uint32_t at = 0; at < cloud->touched_count; at++) {
        struct cloud_device *device = &cloud->devices[cloud->touched[at]];
        device->touched = false;
        device->dirty = false;
        device->ask = false;
    }
    cloud->touched_count = 0;
    cloud->reply_count = 0;
    cloud_firmware_forget_step(cloud);
}

static void cloud_touch(struct cloud *cloud, uint32_t index)
{
    struct cloud_device *device = &cloud->devices[index];
    if (!device->touched) {
        device->touched = true;
        CHECK(cloud->touched_count < cloud->config.devices.count);
        cloud->touched[cloud->touched_count++] = index;
    }
}

static void cloud_drop_bytes(struct cloud *cloud, const struct port *port, uint32_t device,
                             const struct mqtt_slice *payload, enum refusal why)
{
    cloud->counts.drops++;
    port->evidence(port->ctx, &(struct evidence){.kind = EVIDENCE_DROP,
                                                 .device = device,
                                                 .value = (uint64_t)why,
                                                 .body = payload->bytes,
                                                 .body_bytes = payload->size_bytes});
}

static uint32_t round_up_8(size_t size_bytes)
{
    return (uint32_t)((size_bytes + 7u) / 8u * 8u);
}
