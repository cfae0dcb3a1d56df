/* The cloud: the only judge of a reading. */
#include "core/server/cloud.h"

#include <stddef.h>
#include <string.h>

#include "core/check.h"
#include "core/evidence.h"
#include "core/message.h"
#include "core/mqtt/session.h"
#include "core/server/database.h"
#include "core/server/sessions.h"
#include "core/topic.h"
#include "core/window.h"

/* After a failed x_init: time until the next attempt, so that a broken disk is no reset storm. */
#define RETRY_INIT_US 1000000u

struct cloud_device {
    bool windowed;   /* epoch and window hold */
    bool keyed;      /* reading_key is that of key_epoch */
    bool challenged; /* nonce is out, and no answer has come */
    bool touched;    /* in this step a verified copy came: an answer is due */
    bool dirty;      /* in this step the window moved: row and ack are due */
    bool ask;        /* in this step: the answer is the challenge, not the ack */
    uint32_t epoch;
    uint32_t key_epoch;
    uint32_t asked_epoch; /* of the copy that is answered by the challenge */
    uint64_t asked_counter;
    struct window window;
    uint8_t reading_key[AEAD_KEY_BYTES];
    uint8_t nonce[CHALLENGE_BYTES];
    struct envelope ack; /* signed; no bytes: none yet */
    struct envelope challenge;
};

/* One message of a gateway on its way through the checks. */
struct cloud_copy {
    struct forward forward;
    struct cose_sign1 inner;
    struct telemetry telemetry; /* either this, */
    struct response response;   /* or that: by inner.content_type */
    uint32_t index;             /* of the device */
    const struct registry_entry *entry;
};

struct cloud {
    struct cloud_config config;
    uint64_t now_us;
    bool failed;          /* waits for a reset, and does nothing until then */
    uint64_t reset_at_us; /* failed: when to ask for it; UINT64_MAX = asked */

    struct database database;
    sqlite3_stmt *insert_reading, *replace_window, *load_windows;

    uint32_t reply_count;
    uint16_t replies[MQTT_INFLIGHT_MAX]; /* packets of this step: PUBACK waits for the commit */
    uint32_t touched_count;
    uint32_t *touched;            /* devices of this step, in the order of their first copy */
    struct cloud_device *devices; /* by index in the registry */

    struct cloud_view counts; /* its counters only */
    struct sessions sessions;
};

/* 64-bit counters are stored as SQLite's signed integers, bit by bit: only equality is asked. The
 * key is the last line of defence: a reading that is there cannot be accepted again.
 * seen: the bitmap of an ack, first counter top - bits + 1 (1 at the least). */
static const char schema[] =
    "CREATE TABLE IF NOT EXISTS reading("
    "device INTEGER NOT NULL, epoch INTEGER NOT NULL, counter INTEGER NOT NULL,"
    "gateway INTEGER NOT NULL, tenant INTEGER NOT NULL, policy INTEGER NOT NULL,"
    "wall_us INTEGER NOT NULL, value INTEGER NOT NULL, envelope BLOB NOT NULL,"
    "PRIMARY KEY(device, epoch, counter)) WITHOUT ROWID;"
    "CREATE TABLE IF NOT EXISTS window("
    "device INTEGER PRIMARY KEY, epoch INTEGER NOT NULL, top INTEGER NOT NULL,"
    "seen BLOB NOT NULL, ack BLOB NOT NULL)";

static enum err cloud_open(struct cloud *cloud, const struct port *port);
static enum err cloud_load(struct cloud *cloud);
static enum err cloud_load_window(struct cloud *cloud);
static enum err window_restore(struct window *window, uint32_t bits, uint64_t top,
                               const uint8_t *seen, uint32_t seen_bytes);
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
static enum err cloud_examine_forward(const struct cloud *cloud, const struct port *port,
                                      const struct mqtt_session *session,
                                      const struct mqtt_happening *happening,
                                      struct forward *forward, enum refusal *why);
static enum err cloud_examine_inner(const struct cloud *cloud, const struct port *port,
                                    struct cloud_copy *copy, enum refusal *why);
static enum err cloud_judge_telemetry(struct cloud *cloud, const struct port *port,
                                      const struct cloud_copy *copy);
static enum err cloud_open_reading(struct cloud *cloud, const struct port *port,
                                   const struct cloud_copy *copy, struct reading *reading,
                                   enum refusal *why);
static enum err cloud_accept(struct cloud *cloud, const struct port *port,
                             const struct cloud_copy *copy, const struct reading *reading);
static enum err cloud_ask(struct cloud *cloud, const struct port *port,
                          const struct cloud_copy *copy);
static void cloud_judge_response(struct cloud *cloud, const struct port *port,
                                 const struct cloud_copy *copy);
static enum err cloud_commit(struct cloud *cloud, const struct port *port);
static enum err cloud_write_window(struct cloud *cloud, const struct port *port, uint32_t index);
static void cloud_answer(struct cloud *cloud, const struct port *port,
                         struct mqtt_session *session);
static void cloud_answer_device(struct cloud *cloud, const struct port *port,
                                struct mqtt_session *session, uint32_t index);
static void cloud_forget_step(struct cloud *cloud);
static void cloud_touch(struct cloud *cloud, uint32_t index);
static void cloud_reject(struct cloud *cloud, const struct port *port,
                         const struct telemetry *telemetry, enum refusal why);
static void cloud_drop_bytes(struct cloud *cloud, const struct port *port, uint32_t device,
                             const struct mqtt_slice *payload, enum refusal why);
static void cloud_say(const struct port *port, enum evidence_kind kind, uint32_t device,
                      uint32_t epoch, uint64_t counter, uint64_t value);
static uint32_t round_up_8(size_t size_bytes);

uint32_t cloud_size_bytes(const struct cloud_config *config)
{
    CHECK(config != NULL);
    const uint32_t count = config->devices.count;
    return round_up_8(sizeof(struct cloud)) +
           sessions_size_bytes(config->sessions_max, config->gateways.count) +
           round_up_8(count * sizeof(struct cloud_device)) + round_up_8(count * sizeof(uint32_t));
}

void cloud_init(struct cloud *cloud, const struct cloud_config *config, const struct port *port)
{
    CHECK(cloud != NULL);
    CHECK(config != NULL);
    CHECK(config->devices.count <= SERVER_DEVICES_MAX);
    CHECK(config->window >= 8 && config->window <= WINDOW_BITS_MAX);
    CHECK(config->window % 8u == 0);
    memset(cloud, 0, cloud_size_bytes(config));
    cloud->config = *config;

    uint8_t *memory = (uint8_t *)cloud + round_up_8(sizeof(struct cloud));
    sessions_init(&cloud->sessions, memory, config->sessions_max, config->id,
                  &cloud->config.gateways);
    memory += sessions_size_bytes(config->sessions_max, config->gateways.count);
    cloud->devices = (struct cloud_device *)(void *)memory;
    memory += round_up_8(config->devices.count * sizeof(struct cloud_device));
    cloud->touched = (uint32_t *)(void *)memory;

    struct clock_reading now = {0};
    if (port->clock_read(port->ctx, &now) != ERR_OK || cloud_open(cloud, port) != ERR_OK) {
        cloud->failed = true;
        cloud->reset_at_us = now.monotonic_us + RETRY_INIT_US;
    }
    cloud->now_us = now.monotonic_us;
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

/* ---- Life and death ------------------------------------------------------------------------- */

static enum err cloud_open(struct cloud *cloud, const struct port *port)
{
    struct database *database = &cloud->database;
    enum err err = database_open(database, port, schema);
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
    return err == ERR_OK ? cloud_load(cloud) : err;
}

/* All that is known of devices, as the last commit left it. */
static enum err cloud_load(struct cloud *cloud)
{
    memset(cloud->devices, 0, cloud->config.devices.count * sizeof cloud->devices[0]);
    enum err err = ERR_OK;
    while (err == ERR_OK) { /* one row a device */
        err = database_row(cloud->load_windows);
        if (err == ERR_OK) {
            err = cloud_load_window(cloud);
        }
    }
    (void)sqlite3_reset(cloud->load_windows);
    return err == ERR_NOT_FOUND ? ERR_OK : err;
}

static enum err cloud_load_window(struct cloud *cloud)
{
    sqlite3_stmt *load = cloud->load_windows;
    uint32_t index = 0;
    const uint32_t number = (uint32_t)sqlite3_column_int64(load, 0);
    if (registry_find(&cloud->config.devices, number, &index) == NULL) {
        return ERR_OK; /* it has left the fleet; its row stays */
    }
    struct cloud_device *device = &cloud->devices[index];
    device->epoch = (uint32_t)sqlite3_column_int64(load, 1);
    const uint64_t top = (uint64_t)sqlite3_column_int64(load, 2);
    const uint8_t *seen = (const uint8_t *)sqlite3_column_blob(load, 3);
    const uint32_t seen_bytes = (uint32_t)sqlite3_column_bytes(load, 3);
    const uint8_t *ack = (const uint8_t *)sqlite3_column_blob(load, 4);
    const uint32_t ack_bytes = (uint32_t)sqlite3_column_bytes(load, 4);
    if (seen == NULL || ack == NULL || ack_bytes > ENVELOPE_BYTES_MAX) {
        return ERR_CORRUPT;
    }
    memcpy(device->ack.bytes, ack, ack_bytes);
    device->ack.size_bytes = ack_bytes;
    device->windowed = true;
    return window_restore(&device->window, cloud->config.window, top, seen, seen_bytes);
}

/* From the bitmap form, so that a configuration may change the window's size between lives: what
 * was closed stays closed, and what a narrower window can no longer tell is closed, too. */
static enum err window_restore(struct window *window, uint32_t bits, uint64_t top,
                               const uint8_t *seen, uint32_t seen_bytes)
{
    if (seen_bytes > WINDOW_BITS_MAX / 8u) {
        return ERR_CORRUPT;
    }
    const uint64_t seen_bits = seen_bytes * 8u;
    const uint64_t floor = top > seen_bits ? top - seen_bits : 0;
    window_init(window, bits, floor);
    for (uint32_t bit = 0; bit < seen_bits; bit++) {
        const uint64_t counter = floor + 1 + bit;
        if ((seen[bit / 8u] & (1u << bit % 8u)) != 0 &&
            window_look(window, counter) == REFUSAL_NONE) {
            window_accept(window, counter);
        }
    }
    return window->top == top ? ERR_OK : ERR_CORRUPT;
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
    if (err != ERR_OK) {
        return err;
    }
    if (why == REFUSAL_NONE) {
        err = cloud_examine_inner(cloud, port, &copy, &why);
    }
    if (err != ERR_OK) {
        return err;
    }
    if (why != REFUSAL_NONE) {
        cloud_drop_bytes(cloud, port, copy.inner.signer, &happening->payload, why);
        return ERR_OK;
    }
    cloud_touch(cloud, copy.index);
    if (copy.inner.content_type == MESSAGE_TELEMETRY) {
        return cloud_judge_telemetry(cloud, port, &copy);
    }
    cloud_judge_response(cloud, port, &copy);
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
    const enum err form = copy->inner.content_type == MESSAGE_RESPONSE
                              ? message_read_response(&copy->inner, &copy->response)
                              : message_read_telemetry(&copy->inner, &copy->telemetry);
    if (form != ERR_OK) {
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

/* ---- Judgement of verified messages --------------------------------------------------------- */

static enum err cloud_judge_telemetry(struct cloud *cloud, const struct port *port,
                                      const struct cloud_copy *copy)
{
    struct cloud_device *device = &cloud->devices[copy->index];
    const struct telemetry *telemetry = &copy->telemetry;
    if (!device->windowed || telemetry->epoch > device->epoch) {
        cloud_reject(cloud, port, telemetry, REFUSAL_NO_WINDOW);
        return cloud_ask(cloud, port, copy);
    }
    enum refusal why = REFUSAL_EPOCH;
    if (telemetry->epoch == device->epoch) {
        why = window_look(&device->window, telemetry->counter);
    }
    struct reading reading;
    if (why == REFUSAL_NONE) {
        const enum err err = cloud_open_reading(cloud, port, copy, &reading, &why);
        if (err != ERR_OK) {
            return err;
        }
    }
    if (why != REFUSAL_NONE) {
        cloud_reject(cloud, port, telemetry, why);
        return ERR_OK;
    }
    return cloud_accept(cloud, port, copy, &reading);
}

/* ERR_OK (with *why) | ERR_IO. */
static enum err cloud_open_reading(struct cloud *cloud, const struct port *port,
                                   const struct cloud_copy *copy, struct reading *reading,
                                   enum refusal *why)
{
    struct cloud_device *device = &cloud->devices[copy->index];
    if (!device->keyed || device->key_epoch != device->epoch) {
        const enum err err = message_reading_key(port, copy->entry->secret, copy->entry->id,
                                                 device->epoch, device->reading_key);
        if (err != ERR_OK) {
            return err;
        }
        device->keyed = true;
        device->key_epoch = device->epoch;
    }
    const enum err err = message_open_reading(port, device->reading_key, &copy->telemetry, reading);
    if (err == ERR_SIGNATURE || err == ERR_MALFORMED) {
        *why = REFUSAL_DECRYPT;
        return ERR_OK;
    }
    return err;
}

static enum err cloud_accept(struct cloud *cloud, const struct port *port,
                             const struct cloud_copy *copy, const struct reading *reading)
{
    const struct telemetry *telemetry = &copy->telemetry;
    port->evidence(port->ctx, &(struct evidence){.kind = EVIDENCE_ACCEPT,
                                                 .device = telemetry->device,
                                                 .epoch = telemetry->epoch,
                                                 .counter = telemetry->counter,
                                                 .value = copy->forward.gateway,
                                                 .body = copy->forward.envelope,
                                                 .body_bytes = copy->forward.envelope_bytes});
    sqlite3_stmt *insert = cloud->insert_reading;
    /* A bind fails only for want of memory, and then the insert fails (NOT NULL). */
    (void)sqlite3_bind_int64(insert, 1, (sqlite3_int64)telemetry->device);
    (void)sqlite3_bind_int64(insert, 2, (sqlite3_int64)telemetry->epoch);
    (void)sqlite3_bind_int64(insert, 3, (sqlite3_int64)telemetry->counter);
    (void)sqlite3_bind_int64(insert, 4, (sqlite3_int64)copy->forward.gateway);
    (void)sqlite3_bind_int64(insert, 5, (sqlite3_int64)copy->forward.tenant);
    (void)sqlite3_bind_int64(insert, 6, (sqlite3_int64)copy->forward.policy_version);
    (void)sqlite3_bind_int64(insert, 7, (sqlite3_int64)reading->wall_us);
    (void)sqlite3_bind_int64(insert, 8, (sqlite3_int64)reading->value);
    (void)sqlite3_bind_blob(insert, 9, copy->forward.envelope, (int)copy->forward.envelope_bytes,
                            SQLITE_STATIC);
    const enum err err = database_write(&cloud->database, insert);
    if (err == ERR_OK) {
        struct cloud_device *device = &cloud->devices[copy->index];
        window_accept(&device->window, telemetry->counter);
        device->dirty = true;
        cloud->counts.accepted++;
    }
    return err;
}

/* The window is lost, or the device began a new epoch: only its signed answer to a fresh nonce sets
 * a lower limit. The nonce stands until it is answered, so that a slow answer still counts. */
static enum err cloud_ask(struct cloud *cloud, const struct port *port,
                          const struct cloud_copy *copy)
{
    struct cloud_device *device = &cloud->devices[copy->index];
    if (!device->challenged) {
        if (port->entropy(port->ctx, device->nonce, sizeof device->nonce) != ERR_OK) {
            return ERR_OK; /* none yet: the next copy asks again */
        }
        struct challenge challenge = {.device = copy->entry->id};
        memcpy(challenge.nonce, device->nonce, sizeof challenge.nonce);
        const enum err err = message_challenge(port, &cloud->config.keys, cloud->config.id,
                                               &challenge, &device->challenge);
        CHECK(err != ERR_RANGE); /* a challenge is smaller than an envelope */
        if (err != ERR_OK) {
            return err;
        }
        device->challenged = true;
    }
    device->ask = true;
    device->asked_epoch = copy->telemetry.epoch;
    device->asked_counter = copy->telemetry.counter;
    return ERR_OK;
}

static void cloud_judge_response(struct cloud *cloud, const struct port *port,
                                 const struct cloud_copy *copy)
{
    struct cloud_device *device = &cloud->devices[copy->index];
    const struct response *response = &copy->response;
    enum refusal why = REFUSAL_NONE;
    if (!device->challenged || memcmp(response->nonce, device->nonce, sizeof device->nonce) != 0) {
        why = REFUSAL_NONCE;
    } else if (device->windowed && response->epoch < device->epoch) {
        why = REFUSAL_EPOCH;
    } else if (response->floor == UINT64_MAX ||
               (device->windowed && response->epoch == device->epoch &&
                response->floor < device->window.top)) {
        /* Nothing can come after the last number, and a floor never goes down: what was accepted
         * stays closed. */
        why = REFUSAL_OLD;
    }
    if (why != REFUSAL_NONE) {
        cloud->counts.rejected++;
        cloud_say(port, EVIDENCE_REJECT, response->device, response->epoch, response->floor,
                  (uint64_t)why);
        return;
    }
    cloud_say(port, EVIDENCE_WINDOW, response->device, response->epoch, response->floor, 0);
    device->epoch = response->epoch;
    window_init(&device->window, cloud->config.window, response->floor);
    device->windowed = true;
    device->challenged = false;
    device->ask = false;
    device->dirty = true;
}

/* ---- Durable, then visible ------------------------------------------------------------------ */

/* Each window that moved, with its new ack, goes into the transaction of the readings. A step of
 * duplicates writes nothing and commits nothing. */
static enum err cloud_commit(struct cloud *cloud, const struct port *port)
{
    for (uint32_t at = 0; at < cloud->touched_count; at++) {
        if (cloud->devices[cloud->touched[at]].dirty) {
            const enum err err = cloud_write_window(cloud, port, cloud->touched[at]);
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

static enum err cloud_write_window(struct cloud *cloud, const struct port *port, uint32_t index)
{
    struct cloud_device *device = &cloud->devices[index];
    const uint32_t number = cloud->config.devices.entries[index].id;
    uint8_t bitmap[WINDOW_BITS_MAX / 8];
    const struct ack ack = {
        .device = number,
        .epoch = device->epoch,
        .floor = window_bitmap(&device->window, bitmap),
        .bitmap = bitmap,
        .bitmap_bytes = cloud->config.window / 8u,
    };
    const enum err err =
        message_ack(port, &cloud->config.keys, cloud->config.id, &ack, &device->ack);
    CHECK(err != ERR_RANGE); /* message.c: an ack fits an envelope */
    if (err != ERR_OK) {
        return err;
    }
    sqlite3_stmt *replace = cloud->replace_window;
    (void)sqlite3_bind_int64(replace, 1, (sqlite3_int64)number);
    (void)sqlite3_bind_int64(replace, 2, (sqlite3_int64)device->epoch);
    (void)sqlite3_bind_int64(replace, 3, (sqlite3_int64)device->window.top);
    (void)sqlite3_bind_blob(replace, 4, bitmap, (int)ack.bitmap_bytes, SQLITE_STATIC);
    (void)sqlite3_bind_blob(replace, 5, device->ack.bytes, (int)device->ack.size_bytes,
                            SQLITE_STATIC);
    return database_write(&cloud->database, replace);
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

static void cloud_reject(struct cloud *cloud, const struct port *port,
                         const struct telemetry *telemetry, enum refusal why)
{
    if (why == REFUSAL_DUPLICATE) {
        cloud->counts.duplicates++;
    } else {
        cloud->counts.rejected++;
    }
    cloud_say(port, EVIDENCE_REJECT, telemetry->device, telemetry->epoch, telemetry->counter,
              (uint64_t)why);
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

static void cloud_say(const struct port *port, enum evidence_kind kind, uint32_t device,
                      uint32_t epoch, uint64_t counter, uint64_t value)
{
    port->evidence(
        port->ctx,
        &(struct evidence){
            .kind = kind, .device = device, .epoch = epoch, .counter = counter, .value = value});
}

static uint32_t round_up_8(size_t size_bytes)
{
    return (uint32_t)((size_bytes + 7u) / 8u * 8u);
}
