#include "core/device_firmware.h"

#include <string.h>

#include "core/check.h"
#include "core/device_inside.h"
#include "core/handover.h"
#include "core/topic.h"

/* Downloads of one release in one boot that may turn out not to be what its manifest promises. */
enum { RESTARTS_MAX = 3 };

static bool open_message(struct device *device, const struct port *port,
                         const struct cose_sign1 *parsed, struct offer *offer, struct chunk *chunk);
static bool answers(const struct device_firmware *firmware, const struct status_name *name);
static bool is_news(const struct device_firmware *firmware, const struct offer *offer);
static void heard(struct device *device, const struct port *port, uint64_t now_us);
static void take_offer(struct device *device, const struct port *port, uint64_t now_us,
                       const struct offer *offer);
static void take_chunk(struct device *device, const struct port *port, uint64_t now_us,
                       const struct chunk *chunk);
static void go_on(struct device *device, const struct port *port, uint64_t now_us);
static void image_is_wrong(struct device_firmware *firmware);
static void decline(struct device_firmware *firmware, struct manifest_sequence sequence,
                    enum image_fault why);
static void confirm(struct device *device, const struct port *port, uint64_t now_us,
                    enum health_proof proof);
static void reset_now(struct device *device, const struct port *port, uint64_t now_us);
static enum err draw_name(struct device *device, const struct port *port);
static struct status status_of(const struct device *device);
static enum boot_outcome outcome_now(const struct update *update);

void device_firmware_init(struct device *device, const struct port *port, uint64_t now_us)
{
    struct device_firmware *firmware = &device->firmware;
    const struct device_firmware_config *config = &device->config.firmware;
    CHECK(config->update.boot.device == device->config.id);
    struct boot_report report;
    /* Its mount is not needed any more: update_init forgets it. */
    const enum err err =
        handover_take(port, &config->update.boot, &firmware->update.boot_store, &report);
    firmware->await_us = UINT64_MAX;
    firmware->trial_at_us = UINT64_MAX;
    if (err != ERR_OK) {
        device_reset_later(device, now_us);
        return;
    }
    update_init(&firmware->update, &config->update, port, &report);
    firmware->running = true;
    if (report.outcome == BOOT_TRIAL && config->trial_us != 0) {
        firmware->trial_at_us = device_add(now_us, config->trial_us);
    }
}

void device_firmware_ready(struct device *device)
{
    struct device_firmware *firmware = &device->firmware;
    firmware->due = true;
    /* What was declined is offered once more, in case its reason has gone. */
    decline(firmware, (struct manifest_sequence){0}, IMAGE_FAULT_NONE);
    if (firmware->restarts >= RESTARTS_MAX) {
        decline(firmware, firmware->restarts_sequence, IMAGE_FAULT_DIGEST);
    }
}

void device_firmware_connection_over(struct device *device)
{
    device->firmware.await_us = UINT64_MAX;
    device->firmware.due = false;
}

void device_firmware_downlink(struct device *device, const struct port *port, uint64_t now_us,
                              const struct cose_sign1 *parsed)
{
    struct device_firmware *firmware = &device->firmware;
    struct offer offer = {0};
    struct chunk chunk = {0};
    if (!open_message(device, port, parsed, &offer, &chunk)) {
        return;
    }
    const struct status_name *name =
        parsed->content_type == MESSAGE_CHUNK ? &chunk.name : &offer.name;
    const bool answered = answers(firmware, name);
    /* Looked at before a signature is: what is old, or came before, costs nothing. */
    if (!answered && (parsed->content_type != MESSAGE_OFFER || !is_news(firmware, &offer))) {
        device_drop(device, port, REFUSAL_NONCE);
        return;
    }
    if (!device_verified(device, port, now_us, parsed)) {
        return;
    }
    if (answered) {
        heard(device, port, now_us);
    }
    if (parsed->content_type == MESSAGE_OFFER) {
        take_offer(device, port, now_us, &offer);
    } else if (parsed->content_type == MESSAGE_CHUNK) {
        take_chunk(device, port, now_us, &chunk);
    }
}

void device_firmware_timers(struct device *device, const struct port *port, uint64_t now_us)
{
    struct device_firmware *firmware = &device->firmware;
    if (!firmware->running) {
        return;
    }
    if (now_us >= device_add(firmware->await_us, device->config.ack_timeout_us)) {
        device_leave(device, port, now_us, GATEWAY_NEXT);
    }
    if (now_us >= firmware->trial_at_us) {
        firmware->trial_at_us = UINT64_MAX;
        if (firmware->update.report.manifest.offline &&
            device->counts.sampled > device->counts.lost) {
            confirm(device, port, now_us, HEALTH_OFFLINE);
        } else {
            reset_now(device, port, now_us);
        }
    }
}

void device_firmware_send(struct device *device, const struct port *port, uint64_t now_us)
{
    struct device_firmware *firmware = &device->firmware;
    /* Readings have gone first: what they left no room for waits. */
    const bool room =
        device->client.state == MQTT_CLIENT_READY && device->client.outgoing.size_bytes == 0;
    if (!firmware->running || !device->mounted || !firmware->due || !room ||
        firmware->await_us != UINT64_MAX) {
        return;
    }
    if (!firmware->named) {
        const enum err err = draw_name(device, port);
        if (err == ERR_IO) {
            device_reset_later(device, now_us);
        }
        if (err != ERR_OK) {
            return; /* the next step tries again */
        }
    }
    CHECK(firmware->last.tick < UINT32_MAX);
    firmware->last.tick++;
    firmware->due = false;
    firmware->await_us = now_us;
    const struct status status = status_of(device);
    struct envelope envelope;
    enum err err = message_status(port, &device->config.keys, &status, &envelope);
    CHECK(err != ERR_RANGE); /* what a device is, it can say */
    if (err != ERR_OK) {
        return;
    }
    firmware->counts.statuses++;
    device_say(device, port,
               (struct evidence){.kind = EVIDENCE_STATUS,
                                 .counter = status.sequence.number,
                                 .value = status.outcome,
                                 .body = envelope.bytes,
                                 .body_bytes = envelope.size_bytes});
    char topic[TOPIC_BYTES];
    topic_write(topic, 't', device->config.id);
    err = mqtt_client_publish(&device->client, port, now_us, topic, envelope.bytes,
                              envelope.size_bytes, 0);
    if (err == ERR_CLOSED) {
        device_leave(device, port, now_us, GATEWAY_NEXT);
    }
}

uint64_t device_firmware_deadline_us(const struct device *device)
{
    const struct device_firmware *firmware = &device->firmware;
    if (!firmware->running) {
        return UINT64_MAX;
    }
    const uint64_t answer_us = device_add(firmware->await_us, device->config.ack_timeout_us);
    return answer_us < firmware->trial_at_us ? answer_us : firmware->trial_at_us;
}

void device_firmware_view(const struct device *device, struct device_firmware_view *out)
{
    const struct device_firmware *firmware = &device->firmware;
    const struct update *update = &firmware->update;
    *out = (struct device_firmware_view){.running = firmware->running};
    if (firmware->running) {
        *out = (struct device_firmware_view){
            .running = true,
            .slot = update->report.slot,
            .sequence = update->report.manifest.sequence,
            .outcome = outcome_now(update),
            .floor = update->report.floor,
            .revert = update->report.record.revert,
            .state = update->state,
            .received_bytes = update->received_bytes,
            .counts = firmware->counts,
            .update_counts = update->counts,
        };
    }
}

/* ---- What the cloud says -------------------------------------------------------------------- */

/* Form, and whom it is for. An ANSWER is read into the offer's first fields. */
static bool open_message(struct device *device, const struct port *port,
                         const struct cose_sign1 *parsed, struct offer *offer, struct chunk *chunk)
{
    struct answer answer = {0};
    uint32_t to = 0;
    enum err err = ERR_MALFORMED;
    switch (parsed->content_type) {
    case MESSAGE_OFFER:
        err = message_read_offer(parsed, offer);
        to = offer->device;
        break;
    case MESSAGE_CHUNK:
        err = message_read_chunk(parsed, chunk);
        to = chunk->device;
        break;
    default:
        err = message_read_answer(parsed, &answer);
        to = answer.device;
        offer->name = answer.name;
        break;
    }
    if (err != ERR_OK) {
        device_drop(device, port, REFUSAL_MALFORMED);
    } else if (to != device->config.id) {
        device_drop(device, port, REFUSAL_MISMATCH);
    }
    return err == ERR_OK && to == device->config.id;
}

/* The last status, and its first answer. */
static bool answers(const struct device_firmware *firmware, const struct status_name *name)
{
    return firmware->running && firmware->await_us != UINT64_MAX && name->tick >= 1 &&
           name->tick == firmware->last.tick &&
           memcmp(name->nonce, firmware->last.nonce, CHALLENGE_BYTES) == 0;
}

/* Would an offer that nobody asked for change anything here? */
static bool is_news(const struct device_firmware *firmware, const struct offer *offer)
{
    static const uint8_t none[CHALLENGE_BYTES];
    const bool unasked =
        offer->name.tick == 0 && memcmp(offer->name.nonce, none, CHALLENGE_BYTES) == 0;
    const uint64_t number = offer->sequence.number;
    return unasked && firmware->running && firmware->await_us == UINT64_MAX && !firmware->due &&
           firmware->update.confirmed &&
           number > firmware->update.report.manifest.sequence.number &&
           number != firmware->declined_sequence.number;
}

/* A round trip: this image has signed, and the cloud has answered to it. */
static void heard(struct device *device, const struct port *port, uint64_t now_us)
{
    struct device_firmware *firmware = &device->firmware;
    firmware->await_us = UINT64_MAX;
    firmware->counts.answers++;
    device->connection.useful = true;
    if (!firmware->update.confirmed) {
        confirm(device, port, now_us, HEALTH_ROUND_TRIP);
    }
}

static void take_offer(struct device *device, const struct port *port, uint64_t now_us,
                       const struct offer *offer)
{
    struct device_firmware *firmware = &device->firmware;
    struct manifest_envelopes envelopes = {.author_bytes = offer->author_bytes,
                                           .operator_bytes = offer->operator_bytes};
    memcpy(envelopes.author, offer->author, offer->author_bytes);
    memcpy(envelopes.operator, offer->operator, offer->operator_bytes);
    const struct update_offer candidate = {&envelopes, firmware->wall_us};
    enum image_fault why = IMAGE_FAULT_NONE;
    if (!device->mounted) {
        return;
    }
    const enum err err =
        update_offer(&firmware->update, &device->outbox.store, port, &candidate, &why);
    if (err == ERR_OK) {
        go_on(device, port, now_us);
    } else if (err == ERR_DENIED) {
        decline(firmware, offer->sequence, why);
        firmware->due = true;
    } else {
        device_reset_later(device, now_us);
    }
}

static void take_chunk(struct device *device, const struct port *port, uint64_t now_us,
                       const struct chunk *chunk)
{
    struct device_firmware *firmware = &device->firmware;
    const struct update_piece piece = {chunk->offset, chunk->bytes, chunk->size_bytes};
    if (memcmp(chunk->manifest, firmware->update.name, MANIFEST_NAME_BYTES) != 0) {
        device_drop(device, port, REFUSAL_MISMATCH);
        return;
    }
    if (!device->mounted) {
        return;
    }
    const enum err err = update_chunk(&firmware->update, &device->outbox.store, port, &piece);
    if (err == ERR_OK) {
        go_on(device, port, now_us);
    } else if (err == ERR_IO) {
        device_reset_later(device, now_us);
    } else {
        device_drop(device, port, REFUSAL_MISMATCH); /* not what was asked for */
    }
}

/* ---- What becomes of it --------------------------------------------------------------------- */

/* Ask for what is missing; when nothing is, install. */
static void go_on(struct device *device, const struct port *port, uint64_t now_us)
{
    struct device_firmware *firmware = &device->firmware;
    struct update *update = &firmware->update;
    firmware->due = true;
    if (update->state != UPDATE_COMPLETE) {
        return;
    }
    const enum err err = update_finish(update, &device->outbox.store, port);
    if (err == ERR_OK) {
        reset_now(device, port, now_us);
    } else if (err == ERR_CORRUPT) {
        image_is_wrong(firmware);
    } else {
        device_reset_later(device, now_us);
    }
}

static void image_is_wrong(struct device_firmware *firmware)
{
    const struct manifest_sequence sequence = firmware->update.manifest.sequence;
    if (firmware->restarts_sequence.number != sequence.number) {
        firmware->restarts_sequence = sequence;
        firmware->restarts = 0;
    }
    firmware->restarts++;
    firmware->counts.restarts++;
    if (firmware->restarts >= RESTARTS_MAX) {
        decline(firmware, sequence, IMAGE_FAULT_DIGEST);
    }
}

static void decline(struct device_firmware *firmware, struct manifest_sequence sequence,
                    enum image_fault why)
{
    firmware->declined_sequence = sequence;
    firmware->declined_reason = sequence.number == 0 ? IMAGE_FAULT_NONE : why;
}

static void confirm(struct device *device, const struct port *port, uint64_t now_us,
                    enum health_proof proof)
{
    struct device_firmware *firmware = &device->firmware;
    const enum err err = update_confirm(&firmware->update, port, proof);
    if (firmware->update.confirmed) {
        firmware->trial_at_us = UINT64_MAX;
        firmware->due = device->client.state == MQTT_CLIENT_READY;
    }
    if (err != ERR_OK) {
        device_reset_later(device, now_us);
    }
}

/* All that counts is durable: readings, the trial that was armed, or the one that is spent. */
static void reset_now(struct device *device, const struct port *port, uint64_t now_us)
{
    device_retire(device, port);
    device->reset_at_us = now_us;
}

/* ---- What is said --------------------------------------------------------------------------- */

static enum err draw_name(struct device *device, const struct port *port)
{
    struct device_firmware *firmware = &device->firmware;
    if (port->entropy(port->ctx, firmware->last.nonce, CHALLENGE_BYTES) != ERR_OK) {
        return ERR_NOT_FOUND; /* none yet */
    }
    const enum err err = outbox_number(&device->outbox, port, &firmware->boot);
    firmware->named = err == ERR_OK;
    return err;
}

static struct status status_of(const struct device *device)
{
    const struct device_firmware *firmware = &device->firmware;
    const struct update *update = &firmware->update;
    const struct boot_revert *revert = &update->report.record.revert;
    struct status status = {
        .device = device->config.id,
        .epoch = device->outbox.epoch,
        .boot = firmware->boot,
        .name = firmware->last,
        .sequence = update->report.manifest.sequence,
        .outcome = (uint32_t)outcome_now(update),
        .floor = update->report.floor,
        .declined_sequence = firmware->declined_sequence,
        .declined_reason = firmware->declined_reason,
    };
    if (revert->sequence.number != 0 && revert->count != 0 && revert->reason != IMAGE_FAULT_NONE) {
        status.revert_sequence = revert->sequence;
        status.revert_reason = revert->reason;
        status.revert_count = revert->count;
    }
    uint32_t offset, size_bytes;
    if (update_wants(update, &offset, &size_bytes)) {
        status.wants = true;
        status.offset = offset;
        memcpy(status.wanted, update->name, MANIFEST_NAME_BYTES);
    }
    return status;
}

static enum boot_outcome outcome_now(const struct update *update)
{
    return update->confirmed ? BOOT_CONFIRMED : update->report.outcome;
}
