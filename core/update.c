#include "core/update.h"

#include <stddef.h>
#include <string.h>

#include "core/cbor.h"
#include "core/check.h"
#include "core/evidence.h"
#include "core/record_id.h"

enum { PROGRESS_BYTES_MAX = 1 + 5 + 9 + 5 + (2 + DIGEST_BYTES) };

_Static_assert((uint32_t)PROGRESS_BYTES_MAX <= RECORD_OTHERS_BYTES_MAX, "the outbox keeps it free");

/* What of a download is durable: sectors of the image that are in flash, synced. */
struct progress {
    uint32_t slot;
    struct manifest_sequence sequence;
    uint32_t sectors;
    uint8_t name[DIGEST_BYTES]; /* of the manifest */
};

/* An authentic offer. */
struct candidate {
    const struct manifest_envelopes *envelopes;
    struct manifest manifest;
    uint8_t name[DIGEST_BYTES];
};

static void say(const struct update *update, const struct port *port, struct evidence evidence);
static enum err fail(struct update *update);

static enum image_fault judge(const struct update *update, const struct port *port,
                              const struct manifest *manifest, uint64_t wall_us);
static enum err take(struct update *update, struct store *store, const struct port *port,
                     struct candidate *candidate, enum image_fault *why);
static enum err begin(struct update *update, struct store *store, const struct port *port);
static uint32_t image_sectors(const struct manifest *manifest, const struct port *port);

static enum err progress_load(const struct store *store, const struct port *port,
                              struct progress *out);
static enum err progress_save(const struct update *update, struct store *store,
                              const struct port *port, uint32_t sectors);

static enum err write_in_sector(struct update *update, struct store *store, const struct port *port,
                                const uint8_t *bytes, uint32_t size_bytes);
static enum err write_units(struct update *update, const struct port *port, uint32_t area,
                            const uint8_t *bytes, uint32_t size_bytes);
static enum err close_sector(struct update *update, struct store *store, const struct port *port);

static enum err reject_image(struct update *update, struct store *store, const struct port *port,
                             enum image_fault fault);
static enum err arm(struct update *update, const struct port *port);

void update_init(struct update *update, const struct update_config *config, const struct port *port,
                 const struct boot_report *report)
{
    CHECK(report->outcome != BOOT_NONE);
    CHECK(config->reverts_max >= 1);
    CHECK(config->boot.trials.left >= 1);
    CHECK(slot_layout_is_valid(&config->boot.layout, &port->flash));
    memset(update, 0, sizeof *update);
    update->config = *config;
    update->report = *report;
    update->slot = SLOT_B - report->slot;
    update->sector_bytes = port->flash.sector_bytes;
    update->confirmed = report->outcome == BOOT_CONFIRMED;
    /* The boot loader's store fails: it could not count, and the trial is still armed; or it could
     * not keep the record that it made. */
    const bool armed = update->confirmed && report->record.trial.slot != SLOT_NONE;
    const bool unrecorded = report->outcome == BOOT_FALLBACK && report->recovered;
    update->state = armed || unrecorded ? UPDATE_FAILED : UPDATE_IDLE;
}

enum err update_offer(struct update *update, struct store *store, const struct port *port,
                      const struct update_offer *offer, enum image_fault *why)
{
    CHECK(offer->envelopes != NULL);
    CHECK(why != NULL);
    struct candidate candidate = {.envelopes = offer->envelopes};
    struct manifest *manifest = &candidate.manifest;
    update->counts.offers++;
    *why = IMAGE_FAULT_NONE;
    if (update->state == UPDATE_FAILED) {
        return ERR_IO;
    }
    if (!update->config.enabled) {
        *why = IMAGE_FAULT_DISABLED;
    } else if (!update->confirmed) { /* the other slot may be all that there is to go back to */
        *why = IMAGE_FAULT_UNCONFIRMED;
    } else {
        *why = manifest_open(port, &update->config.boot.authority, offer->envelopes, manifest);
    }
    if (*why == IMAGE_FAULT_NONE) {
        *why = judge(update, port, manifest, offer->wall_us);
    }
    enum err err = ERR_OK;
    if (*why == IMAGE_FAULT_NONE) {
        err = take(update, store, port, &candidate, why);
    }
    if (err != ERR_OK) {
        return fail(update);
    }
    if (*why != IMAGE_FAULT_NONE) {
        update->counts.refused[*why]++;
        say(update, port,
            (struct evidence){.kind = EVIDENCE_DECLINE,
                              .counter = manifest->sequence.number,
                              .value = (uint64_t)*why});
        return ERR_DENIED;
    }
    update->counts.accepted++;
    return ERR_OK;
}

bool update_wants(const struct update *update, uint32_t *offset, uint32_t *size_bytes)
{
    if (update->state != UPDATE_DOWNLOADING) {
        return false;
    }
    const uint32_t sector_left =
        update->sector_bytes - update->received_bytes % update->sector_bytes;
    const uint32_t image_left = update->manifest.size_bytes - update->received_bytes;
    *offset = update->received_bytes;
    *size_bytes = image_left < sector_left ? image_left : sector_left;
    return true;
}

enum err update_chunk(struct update *update, struct store *store, const struct port *port,
                      const struct update_piece *piece)
{
    CHECK(piece->bytes != NULL || piece->size_bytes == 0);
    if (update->state == UPDATE_FAILED) {
        return ERR_IO;
    }
    if (update->state != UPDATE_DOWNLOADING && update->state != UPDATE_COMPLETE) {
        return ERR_DENIED;
    }
    if (piece->offset > update->received_bytes ||
        piece->size_bytes > update->manifest.size_bytes - piece->offset) {
        return ERR_RANGE;
    }
    update->counts.chunks++;
    uint32_t at =
        update->received_bytes - piece->offset; /* what is before it was received already */
    while (at < piece->size_bytes) {
        uint32_t wanted_at, wanted_bytes;
        const bool wants = update_wants(update, &wanted_at, &wanted_bytes);
        CHECK(wants);
        const uint32_t left = piece->size_bytes - at;
        const uint32_t taken = left < wanted_bytes ? left : wanted_bytes;
        if (write_in_sector(update, store, port, piece->bytes + at, taken) != ERR_OK) {
            return fail(update);
        }
        at += taken;
    }
    return ERR_OK;
}

enum err update_finish(struct update *update, struct store *store, const struct port *port)
{
    const struct slot_layout *layout = &update->config.boot.layout;
    struct manifest manifest;
    if (update->state == UPDATE_FAILED) {
        return ERR_IO;
    }
    if (update->state == UPDATE_ARMED) {
        return ERR_OK;
    }
    if (update->state != UPDATE_COMPLETE) {
        return ERR_DENIED;
    }
    enum image_fault fault = slot_digest_check(layout, port, update->slot, update->manifest.digest);
    if (fault != IMAGE_FAULT_NONE) {
        return reject_image(update, store, port, fault);
    }
    /* An earlier try may have left a part of it. */
    if (slot_header_erase(layout, port, update->slot) != ERR_OK ||
        slot_header_program(layout, port, update->slot, &update->envelopes) != ERR_OK) {
        return fail(update);
    }
    fault = slot_verify(layout, port, &update->config.boot.authority, update->report.floor,
                        update->slot, &manifest);
    if (fault == IMAGE_FAULT_NONE && manifest.sequence.number != update->manifest.sequence.number) {
        fault = IMAGE_FAULT_STRANGER;
    }
    if (fault != IMAGE_FAULT_NONE) {
        return reject_image(update, store, port, fault);
    }
    if (arm(update, port) != ERR_OK) {
        return fail(update);
    }
    update->state = UPDATE_ARMED;
    say(update, port,
        (struct evidence){.kind = EVIDENCE_ARM,
                          .epoch = update->slot,
                          .counter = manifest.sequence.number,
                          .value = update->config.boot.trials.left});
    return ERR_OK;
}

enum err update_confirm(struct update *update, const struct port *port, enum health_proof proof)
{
    struct boot_record record;
    if (update->confirmed) {
        return ERR_OK;
    }
    if (update->state == UPDATE_FAILED) {
        return ERR_IO;
    }
    const struct slot_layout *layout = &update->config.boot.layout;
    const struct manifest *running = &update->report.manifest;
    if (proof == HEALTH_OFFLINE && !running->offline) {
        return ERR_DENIED;
    }
    if (boot_record_load(&update->boot_store, port, layout, &record) != ERR_OK) {
        return fail(update);
    }
    record.confirmed = update->report.slot;
    record.trial = (struct boot_trial){.slot = SLOT_NONE};
    if (running->sequence.number > record.sequence.number) {
        record.sequence = running->sequence;
    }
    if (boot_record_save(&update->boot_store, port, &record) != ERR_OK) {
        return fail(update);
    }
    update->confirmed = true;
    update->report.record = record;
    say(update, port,
        (struct evidence){.kind = EVIDENCE_CONFIRM,
                          .epoch = update->report.slot,
                          .counter = running->sequence.number});
    /* Kept already. Should the floor not rise now, the next boot raises it. */
    const uint64_t before = update->report.floor.level;
    if (boot_record_raise_floor(port, running->security, &update->report.floor) != ERR_OK) {
        return fail(update);
    }
    if (update->report.floor.level > before) {
        say(update, port,
            (struct evidence){.kind = EVIDENCE_RAISE, .value = update->report.floor.level});
    }
    return ERR_OK;
}

static void say(const struct update *update, const struct port *port, struct evidence evidence)
{
    evidence.device = update->config.boot.device;
    port->evidence(port->ctx, &evidence);
}

static enum err fail(struct update *update)
{
    update->state = UPDATE_FAILED;
    return ERR_IO;
}

/* ---- The offer ---- */

/* What is true of an authentic manifest on this device and at this time. */
static enum image_fault judge(const struct update *update, const struct port *port,
                              const struct manifest *manifest, uint64_t wall_us)
{
    const struct boot_record *record = &update->report.record;
    struct security_floor floor;
    if (manifest->sequence.number <= record->sequence.number ||
        manifest->sequence.number <= update->report.manifest.sequence.number) {
        return IMAGE_FAULT_SEQUENCE;
    }
    if (manifest->sequence.number == record->revert.sequence.number &&
        record->revert.count >= update->config.reverts_max) {
        return IMAGE_FAULT_REVERTED;
    }
    if (manifest->expires_us != MANIFEST_NEVER &&
        (wall_us == 0 || wall_us >= manifest->expires_us)) {
        return IMAGE_FAULT_EXPIRED;
    }
    if (port->counter_read(port->ctx, COUNTER_SECURITY, &floor.level) != ERR_OK) {
        return IMAGE_FAULT_UNREADABLE;
    }
    if (manifest->security.level < floor.level) {
        return IMAGE_FAULT_FLOOR;
    }
    if (manifest->security.level - floor.level > SECURITY_LEAP_MAX) {
        return IMAGE_FAULT_LEAP;
    }
    const uint32_t area_bytes = slot_area_bytes(&update->config.boot.layout, &port->flash);
    return manifest->size_bytes <= area_bytes ? IMAGE_FAULT_NONE : IMAGE_FAULT_SIZE;
}

/* Go on where this manifest was, or begin. *why: refused after all. ERR_OK | ERR_IO. */
static enum err take(struct update *update, struct store *store, const struct port *port,
                     struct candidate *candidate, enum image_fault *why)
{
    struct progress progress;
    const struct manifest *manifest = &candidate->manifest;
    if (manifest_name(port, candidate->envelopes, candidate->name) != ERR_OK) {
        return ERR_IO;
    }
    const bool same = memcmp(update->name, candidate->name, DIGEST_BYTES) == 0;
    if (update->state != UPDATE_IDLE && same) {
        return ERR_OK;
    }
    if (update->state == UPDATE_ARMED) {
        *why = IMAGE_FAULT_ARMED;
        return ERR_OK;
    }
    if (progress_load(store, port, &progress) != ERR_OK) {
        return ERR_IO;
    }
    const bool known = memcmp(progress.name, candidate->name, DIGEST_BYTES) == 0;
    if (!known && manifest->sequence.number <= progress.sequence.number) {
        *why = IMAGE_FAULT_SEQUENCE; /* what was taken is not given up for an older manifest */
        return ERR_OK;
    }
    const uint32_t sectors = image_sectors(manifest, port);
    update->envelopes = *candidate->envelopes;
    update->manifest = *manifest;
    memcpy(update->name, candidate->name, DIGEST_BYTES);
    const bool resumed = known && progress.slot == update->slot && progress.sectors >= 1 &&
                         progress.sectors <= sectors;
    const uint32_t done = resumed ? progress.sectors : 0;
    update->state = done == sectors ? UPDATE_COMPLETE : UPDATE_DOWNLOADING;
    update->received_bytes =
        done == sectors ? manifest->size_bytes : done * port->flash.sector_bytes;
    const enum err err = resumed ? ERR_OK : begin(update, store, port);
    if (err == ERR_OK) {
        say(update, port,
            (struct evidence){.kind = EVIDENCE_TAKE,
                              .counter = manifest->sequence.number,
                              .value = update->received_bytes});
    }
    return err;
}

/* Make the slot ready. The progress of another download ends before the first erase; that of this
 * one is 0 until its first sector counts, and as long as it is 0 all of this is done again. */
static enum err begin(struct update *update, struct store *store, const struct port *port)
{
    const struct slot_layout *layout = &update->config.boot.layout;
    const uint32_t area = slot_area_offset(layout, &port->flash, update->slot);
    const uint32_t area_bytes = slot_area_bytes(layout, &port->flash);
    const uint32_t sector_bytes = port->flash.sector_bytes;
    enum err err = progress_save(update, store, port, 0);
    if (err == ERR_OK) {
        err = slot_header_erase(layout, port, update->slot);
    }
    uint32_t at = image_sectors(&update->manifest, port) * sector_bytes;
    for (; at < area_bytes && err == ERR_OK; at += sector_bytes) { /* behind the image */
        err = port->flash_erase(port->ctx, area + at);
    }
    return err;
}

static uint32_t image_sectors(const struct manifest *manifest, const struct port *port)
{
    return (manifest->size_bytes - 1) / port->flash.sector_bytes + 1;
}

/* ---- What is durable of it: [slot, sequence, sectors, name] ---- */

/* All zero if there is none that can be read. A lost or older one costs time, never a wrong image:
 * the bytes in flash are what is verified. */
static enum err progress_load(const struct store *store, const struct port *port,
                              struct progress *out)
{
    uint8_t bytes[PROGRESS_BYTES_MAX];
    uint32_t size_bytes = sizeof bytes;
    *out = (struct progress){0};
    const enum err err = store_get(store, port, RECORD_PROGRESS, bytes, &size_bytes);
    if (err != ERR_OK) {
        return err == ERR_IO ? ERR_IO : ERR_OK;
    }
    struct cbor_reader reader;
    cbor_read(&reader, bytes, size_bytes);
    cbor_get_array(&reader, 4);
    out->slot = cbor_get_u32(&reader);
    out->sequence.number = cbor_get_uint(&reader);
    out->sectors = cbor_get_u32(&reader);
    const uint8_t *name = cbor_get_bytes(&reader, DIGEST_BYTES, NULL);
    if (cbor_end(&reader) != ERR_OK || name == NULL) {
        *out = (struct progress){0};
        return ERR_OK;
    }
    memcpy(out->name, name, DIGEST_BYTES);
    return ERR_OK;
}

static enum err progress_save(const struct update *update, struct store *store,
                              const struct port *port, uint32_t sectors)
{
    uint8_t bytes[PROGRESS_BYTES_MAX];
    uint32_t size_bytes;
    struct cbor_writer writer;
    cbor_write(&writer, bytes, sizeof bytes);
    cbor_put_array(&writer, 4);
    cbor_put_uint(&writer, update->slot);
    cbor_put_uint(&writer, update->manifest.sequence.number);
    cbor_put_uint(&writer, sectors);
    cbor_put_bytes(&writer, update->name, DIGEST_BYTES);
    const enum err err = cbor_finish(&writer, &size_bytes);
    CHECK(err == ERR_OK);
    return store_put(store, port, RECORD_PROGRESS, bytes, size_bytes);
}

/* ---- Bytes ---- */

/* Take bytes that do not reach past the sector that is being filled, nor past the image. */
static enum err write_in_sector(struct update *update, struct store *store, const struct port *port,
                                const uint8_t *bytes, uint32_t size_bytes)
{
    const uint32_t area = slot_area_offset(&update->config.boot.layout, &port->flash, update->slot);
    enum err err = ERR_OK;
    if (update->received_bytes % port->flash.sector_bytes == 0) {
        err = port->flash_erase(port->ctx, area + update->received_bytes);
    }
    if (err == ERR_OK) {
        err = write_units(update, port, area, bytes, size_bytes);
    }
    update->received_bytes += size_bytes;
    const bool full = update->received_bytes % port->flash.sector_bytes == 0 ||
                      update->received_bytes == update->manifest.size_bytes;
    return full && err == ERR_OK ? close_sector(update, store, port) : err;
}

/* Program what fills whole units; the rest waits in `unit`. */
static enum err write_units(struct update *update, const struct port *port, uint32_t area,
                            const uint8_t *bytes, uint32_t size_bytes)
{
    const uint32_t unit = port->flash.program_bytes;
    const uint32_t waiting = update->received_bytes % unit;
    uint32_t offset = area + update->received_bytes - waiting;
    if (waiting > 0) {
        const uint32_t missing = unit - waiting;
        const uint32_t taken = size_bytes < missing ? size_bytes : missing;
        memcpy(update->unit + waiting, bytes, taken);
        if (taken < missing) {
            return ERR_OK;
        }
        const enum err err = port->flash_program(port->ctx, offset, update->unit, unit);
        if (err != ERR_OK) {
            return err;
        }
        bytes += taken;
        size_bytes -= taken;
        offset += unit;
    }
    const uint32_t rest = size_bytes % unit;
    const uint32_t whole = size_bytes - rest;
    memcpy(update->unit, bytes + whole, rest);
    return whole == 0 ? ERR_OK : port->flash_program(port->ctx, offset, bytes, whole);
}

/* The sector is full, or the image ends in it: it counts once all of this is durable. */
static enum err close_sector(struct update *update, struct store *store, const struct port *port)
{
    const uint32_t area = slot_area_offset(&update->config.boot.layout, &port->flash, update->slot);
    const uint32_t unit = port->flash.program_bytes;
    const uint32_t waiting = update->received_bytes % unit;
    const uint32_t sectors = (update->received_bytes - 1) / port->flash.sector_bytes + 1;
    enum err err = ERR_OK;
    if (waiting > 0) {
        memset(update->unit + waiting, port->flash.erased_value, unit - waiting);
        err = port->flash_program(port->ctx, area + update->received_bytes - waiting, update->unit,
                                  unit);
    }
    if (err == ERR_OK) {
        err = port->flash_sync(port->ctx);
    }
    if (err == ERR_OK) {
        err = progress_save(update, store, port, sectors);
    }
    if (err == ERR_OK) {
        say(update, port,
            (struct evidence){.kind = EVIDENCE_FILL,
                              .counter = update->manifest.sequence.number,
                              .value = update->received_bytes});
    }
    if (err == ERR_OK && update->received_bytes == update->manifest.size_bytes) {
        update->state = UPDATE_COMPLETE;
    }
    return err;
}

/* ---- The end ---- */

/* The image is not what its manifest says: all of it has to come again, with the next offer. */
static enum err reject_image(struct update *update, struct store *store, const struct port *port,
                             enum image_fault fault)
{
    if (fault == IMAGE_FAULT_UNREADABLE || progress_save(update, store, port, 0) != ERR_OK) {
        return fail(update);
    }
    update->counts.refused[fault]++;
    update->state = UPDATE_IDLE;
    return ERR_CORRUPT;
}

static enum err arm(struct update *update, const struct port *port)
{
    struct boot_record record;
    enum err err =
        boot_record_load(&update->boot_store, port, &update->config.boot.layout, &record);
    if (err == ERR_OK && record.confirmed != update->report.slot) {
        err = ERR_CORRUPT; /* not the record that this image was booted by */
    }
    if (err != ERR_OK) {
        return err;
    }
    record.trial =
        (struct boot_trial){update->slot, update->manifest.sequence, update->config.boot.trials};
    return boot_record_save(&update->boot_store, port, &record);
}
