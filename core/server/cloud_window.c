/* What the cloud takes: the replay windows of its devices, and the readings inside them. */
#include "core/server/cloud_inside.h"

#include <stddef.h>
#include <string.h>

#include "core/check.h"

static enum err load_row(struct cloud *cloud);
static enum err open_reading(struct cloud *cloud, const struct port *port,
                             const struct cloud_copy *copy, struct reading *reading,
                             enum refusal *why);
static enum err accept_reading(struct cloud *cloud, const struct port *port,
                               const struct cloud_copy *copy, const struct reading *reading);
static enum err ask(struct cloud *cloud, const struct port *port, const struct cloud_copy *copy);
static void reject(struct cloud *cloud, const struct port *port, const struct telemetry *telemetry,
                   enum refusal why);

enum err cloud_window_load(struct cloud *cloud)
{
    enum err err = ERR_OK;
    while (err == ERR_OK) { /* one row a device */
        err = database_row(cloud->load_windows);
        if (err == ERR_OK) {
            err = load_row(cloud);
        }
    }
    (void)sqlite3_reset(cloud->load_windows);
    return err == ERR_NOT_FOUND ? ERR_OK : err;
}

enum err cloud_window_judge(struct cloud *cloud, const struct port *port,
                            const struct cloud_copy *copy)
{
    struct cloud_device *device = &cloud->devices[copy->index];
    const struct telemetry *telemetry = &copy->telemetry;
    if (!device->windowed || telemetry->epoch > device->epoch) {
        reject(cloud, port, telemetry, REFUSAL_NO_WINDOW);
        return ask(cloud, port, copy);
    }
    enum refusal why = REFUSAL_EPOCH;
    if (telemetry->epoch == device->epoch) {
        why = window_look(&device->window, telemetry->counter);
    }
    struct reading reading;
    if (why == REFUSAL_NONE) {
        const enum err err = open_reading(cloud, port, copy, &reading, &why);
        if (err != ERR_OK) {
            return err;
        }
    }
    if (why != REFUSAL_NONE) {
        reject(cloud, port, telemetry, why);
        return ERR_OK;
    }
    return accept_reading(cloud, port, copy, &reading);
}

void cloud_window_respond(struct cloud *cloud, const struct port *port,
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

enum err cloud_window_write(struct cloud *cloud, const struct port *port, uint32_t index)
{
    struct cloud_device *device = &cloud->devices[index];
    const uint32_t number = cloud->config.devices.entries[index].id;
    uint8_t bitmap[WINDOW_BITS_MAX / 8];
    const struct ack ack = {
        .device = number,
        .epoch = device->epoch,
        .floor = window_bitmap(&device->window, bitmap),
        .bitmap = bitmap,
        .bitmap_bytes = window_bytes(cloud->config.window),
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

static enum err load_row(struct cloud *cloud)
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
    if (seen == NULL || seen_bytes > WINDOW_BITS_MAX / 8u || ack == NULL ||
        ack_bytes > ENVELOPE_BYTES_MAX) {
        return ERR_CORRUPT;
    }
    memcpy(device->ack.bytes, ack, ack_bytes);
    device->ack.size_bytes = ack_bytes;
    device->windowed = true;
    /* The configuration may have changed the window's size between lives. */
    return window_restore(&device->window, cloud->config.window, top, seen, seen_bytes)
               ? ERR_OK
               : ERR_CORRUPT;
}

/* ERR_OK (with *why) | ERR_IO. */
static enum err open_reading(struct cloud *cloud, const struct port *port,
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

static enum err accept_reading(struct cloud *cloud, const struct port *port,
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
static enum err ask(struct cloud *cloud, const struct port *port, const struct cloud_copy *copy)
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

static void reject(struct cloud *cloud, const struct port *port, const struct telemetry *telemetry,
                   enum refusal why)
{
    if (why == REFUSAL_DUPLICATE) {
        cloud->counts.duplicates++;
    } else {
        cloud->counts.rejected++;
    }
    cloud_say(port, EVIDENCE_REJECT, telemetry->device, telemetry->epoch, telemetry->counter,
              (uint64_t)why);
}
