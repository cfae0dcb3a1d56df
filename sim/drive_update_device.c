#include "sim/drive_update_device.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/boot.h"
#include "core/check.h"
#include "core/crypto/openssl.h"
#include "sim/firmware.h"
#include "sim/ideal.h"

enum {
    SECTOR_BYTES = 512,
    UNIT_BYTES = 8,
    STORE_SECTORS = 3,
    SEED = 1,
    SPOILS_MAX = 8, /* in one call */
};
_Static_assert((int)UPDATE_DEVICE_SLOTS == (int)SLOT_COUNT, "two slots");

struct memory {
    struct boot_report report;
    struct update update;
    struct store store; /* the application's */
};

struct spoil {
    uint32_t slot, writes;
};

struct update_device {
    struct crypto_openssl openssl;
    struct ideal ideal;
    struct port_crypto crypto;
    struct firmware *firmware;
    uint32_t sectors;
    struct flash *flash, *ground;
    struct memory memory, ground_memory;
    bool on, ground_on;
    /* The call under way. */
    uint32_t writes;
    int32_t cut_behind;
    bool dead;
    uint32_t spoil_count;
    struct spoil spoils[SPOILS_MAX];
    struct boot boot;
};

/* ---- The port -------------------------------------------------------------------------------- */

/* What befalls the device behind a write, or before the first one. */
static void befall(struct update_device *device)
{
    for (uint32_t i = 0; i < device->spoil_count; i++) {
        if (device->spoils[i].writes == device->writes) {
            update_device_spoil(device, device->spoils[i].slot);
        }
    }
    device->dead = device->dead || device->cut_behind == (int32_t)device->writes;
}

static enum err written(struct update_device *device, enum err err)
{
    device->writes++;
    befall(device);
    return err;
}

static enum err port_read(void *ctx, uint32_t offset, uint8_t *bytes, uint32_t size_bytes)
{
    struct update_device *device = ctx;
    return device->dead ? ERR_IO : flash_read(device->flash, offset, bytes, size_bytes, 0);
}

static enum err port_program(void *ctx, uint32_t offset, const uint8_t *bytes, uint32_t size_bytes)
{
    struct update_device *device = ctx;
    return device->dead ? ERR_IO
                        : written(device, flash_program(device->flash, offset, bytes, size_bytes));
}

static enum err port_erase(void *ctx, uint32_t offset)
{
    struct update_device *device = ctx;
    return device->dead ? ERR_IO : written(device, flash_erase(device->flash, offset));
}

static enum err port_sync(void *ctx)
{
    const struct update_device *device = ctx;
    return device->dead ? ERR_IO : ERR_OK;
}

static enum err port_counter_read(void *ctx, enum port_counter counter, uint64_t *value)
{
    const struct update_device *device = ctx;
    *value = flash_counter(device->flash, counter);
    return device->dead ? ERR_IO : ERR_OK;
}

static enum err port_counter_increment(void *ctx, enum port_counter counter)
{
    struct update_device *device = ctx;
    return device->dead ? ERR_IO : written(device, flash_counter_increment(device->flash, counter));
}

static void port_evidence(void *ctx, const struct evidence *evidence)
{
    (void)ctx;
    (void)evidence;
}

static struct port port_of(struct update_device *device)
{
    return (struct port){
        .ctx = device,
        .flash = device->firmware->geometry,
        .flash_read = port_read,
        .flash_program = port_program,
        .flash_erase = port_erase,
        .flash_sync = port_sync,
        .counter_read = port_counter_read,
        .counter_increment = port_counter_increment,
        .evidence = port_evidence,
        .crypto = device->crypto,
    };
}

/* ---- Life ------------------------------------------------------------------------------------ */

static struct flash_profile profile_of(const struct update_device_spec *spec)
{
    return (struct flash_profile){
        .geometry = {.sector_bytes = SECTOR_BYTES,
                     .sector_count = 2 * STORE_SECTORS + SLOT_COUNT * (1 + spec->sectors),
                     .program_bytes = UNIT_BYTES,
                     .erased_value = 0xff},
        .program_us = 40,
        .erase_us = 85000,
    };
}

static struct firmware *make_firmware(const struct update_device *device,
                                      const struct update_device_spec *spec)
{
    const struct flash_profile profile = profile_of(spec);
    const uint32_t slot = 1 + spec->sectors;
    struct firmware_spec firmware = {
        .seed = SEED,
        .layout = {.boot_store = {0, STORE_SECTORS},
                   .app_store = {STORE_SECTORS, STORE_SECTORS},
                   .slots = {{2 * STORE_SECTORS, slot}, {2 * STORE_SECTORS + slot, slot}}},
        .image_bytes = spec->sectors * SECTOR_BYTES,
        .trials = spec->trials,
        .reverts_max = spec->reverts_max,
        .release_count = spec->releases,
    };
    for (uint32_t i = 0; i < spec->releases; i++) {
        firmware.releases[i].level = (i + 1) % 2 == 0 ? spec->high_level : 1;
    }
    return firmware_make(&firmware, &device->crypto, &profile.geometry);
}

struct update_device *update_device_make(const struct update_device_spec *spec, char *error,
                                         size_t error_bytes)
{
    static const uint64_t secret[2] = {SEED, SEED + 1};
    const struct flash_profile profile = profile_of(spec);
    struct port_crypto real;
    struct update_device *device = calloc(1, sizeof *device);
    CHECK(device != NULL);
    if (spec->releases > FIRMWARE_RELEASES_MAX ||
        crypto_openssl_init(&device->openssl, &real) != ERR_OK) {
        snprintf(error, error_bytes, "at most %d releases can be made, and OpenSSL has to answer",
                 FIRMWARE_RELEASES_MAX);
        free(device);
        return NULL;
    }
    ideal_init(&device->ideal, secret, &real, &device->crypto);
    device->firmware = make_firmware(device, spec);
    device->sectors = spec->sectors;
    device->flash = flash_create(&profile);
    CHECK(device->firmware != NULL);
    CHECK(device->flash != NULL);
    const enum err raised = flash_counter_increment(device->flash, COUNTER_SECURITY);
    CHECK(raised == ERR_OK);
    firmware_install(device->firmware, device->flash);
    const bool booted = update_device_call(device, UPDATE_DEVICE_BOOT, 0, UPDATE_DEVICE_WHOLE);
    CHECK(booted);
    update_device_off(device);
    update_device_ground(device);
    return device;
}

void update_device_free(struct update_device *device)
{
    if (device->ground != NULL) {
        flash_drop(device->ground);
    }
    flash_free(device->flash);
    firmware_free(device->firmware);
    crypto_openssl_free(&device->openssl);
    free(device);
}

void update_device_ground(struct update_device *device)
{
    if (device->ground != NULL) {
        flash_drop(device->ground);
    }
    device->ground = flash_snapshot(device->flash);
    CHECK(device->ground != NULL);
    device->ground_memory = device->memory;
    device->ground_on = device->on;
    device->spoil_count = 0;
}

void update_device_back(struct update_device *device)
{
    flash_restore(device->flash, device->ground);
    device->memory = device->ground_memory;
    device->on = device->ground_on;
    device->spoil_count = 0;
}

void update_device_plan_spoil(struct update_device *device, uint32_t slot, uint32_t writes)
{
    CHECK(device->spoil_count < SPOILS_MAX);
    device->spoils[device->spoil_count++] = (struct spoil){slot, writes};
}

void update_device_off(struct update_device *device)
{
    device->on = false;
}

void update_device_spoil(struct update_device *device, uint32_t slot)
{
    static const uint8_t zeros[UNIT_BYTES];
    const struct slot_layout *layout = &device->firmware->device.update.boot.layout;
    const uint32_t area = slot_area_offset(layout, &device->firmware->geometry, slot);
    const enum err err = flash_program(device->flash, area, zeros, sizeof zeros);
    CHECK(err == ERR_OK);
}

void update_device_lose_record(struct update_device *device)
{
    for (uint32_t sector = 0; sector < STORE_SECTORS; sector++) {
        const enum err err = flash_erase(device->flash, sector * SECTOR_BYTES);
        CHECK(err == ERR_OK);
    }
}

/* ---- Calls ----------------------------------------------------------------------------------- */

/* From reset to the running image, and its agent. */
static enum err call_boot(struct update_device *device, const struct port *port)
{
    const struct update_config *config = &device->firmware->device.update;
    const struct slot_region *region = &config->boot.layout.app_store;
    struct memory *memory = &device->memory;
    memset(&device->boot, 0x5a, sizeof device->boot);
    enum err err = boot_run(&device->boot, &config->boot, port, &memory->report);
    if (err != ERR_OK) {
        return err;
    }
    update_init(&memory->update, config, port, &memory->report);
    err = store_mount(&memory->store, port, region->first_sector, region->sector_count);
    if (err == ERR_NOT_FOUND) {
        err = store_format(&memory->store, port, region->first_sector, region->sector_count);
    }
    device->on = err == ERR_OK;
    return err;
}

static enum err call_chunk(struct update_device *device, const struct port *port, bool half)
{
    struct update *update = &device->memory.update;
    struct update_piece piece = {0};
    if (!update_wants(update, &piece.offset, &piece.size_bytes)) {
        return ERR_DENIED;
    }
    const uint64_t sequence = update->manifest.sequence.number;
    CHECK(sequence >= 1 && sequence <= device->firmware->release_count);
    piece.bytes = device->firmware->releases[sequence - 1].area + piece.offset;
    piece.size_bytes /= half ? 2 : 1;
    return update_chunk(update, &device->memory.store, port, &piece);
}

static enum err call_offer(struct update_device *device, const struct port *port, uint32_t release)
{
    CHECK(release >= 1 && release <= device->firmware->release_count);
    const struct update_offer offer = {&device->firmware->releases[release - 1].envelopes, 0};
    enum image_fault why;
    return update_offer(&device->memory.update, &device->memory.store, port, &offer, &why);
}

static enum err make_call(struct update_device *device, const struct port *port,
                          enum update_device_call call, uint32_t release)
{
    struct memory *memory = &device->memory;
    switch (call) {
    case UPDATE_DEVICE_BOOT:
        return call_boot(device, port);
    case UPDATE_DEVICE_OFFER:
        return call_offer(device, port, release);
    case UPDATE_DEVICE_HALF:
    case UPDATE_DEVICE_REST:
        return call_chunk(device, port, call == UPDATE_DEVICE_HALF);
    case UPDATE_DEVICE_FINISH:
        return update_finish(&memory->update, &memory->store, port);
    case UPDATE_DEVICE_CONFIRM:
        break;
    }
    return update_confirm(&memory->update, port, HEALTH_ROUND_TRIP);
}

bool update_device_call(struct update_device *device, enum update_device_call call,
                        uint32_t release, int32_t writes)
{
    const struct port port = port_of(device);
    device->writes = 0;
    device->dead = false;
    device->cut_behind = writes;
    befall(device);
    const enum err err = make_call(device, &port, call, release);
    if (device->cut_behind != UPDATE_DEVICE_WHOLE) {
        update_device_off(device);
    }
    device->dead = false;
    return err == ERR_OK && device->on;
}

uint32_t update_device_writes(const struct update_device *device)
{
    return device->writes;
}

/* ---- What is seen ---------------------------------------------------------------------------- */

enum update_device_place update_device_place(const struct update_device *device)
{
    const struct update *update = &device->memory.update;
    if (!device->on) {
        return UPDATE_DEVICE_OFF;
    }
    switch (update->state) {
    case UPDATE_DOWNLOADING:
        return update->received_bytes % SECTOR_BYTES == 0 ? UPDATE_DEVICE_FILL
                                                          : UPDATE_DEVICE_ERASED;
    case UPDATE_COMPLETE:
        return UPDATE_DEVICE_FULL;
    case UPDATE_ARMED:
        return UPDATE_DEVICE_ARMED;
    case UPDATE_IDLE:
        return update->confirmed                      ? UPDATE_DEVICE_RUN
               : update->report.outcome == BOOT_TRIAL ? UPDATE_DEVICE_TRIAL
                                                      : UPDATE_DEVICE_FALLBACK;
    case UPDATE_FAILED:
        break;
    }
    return UPDATE_DEVICE_FAILED;
}

/* Sectors of the release at the beginning of the slot's image area. */
static int32_t leading(const struct update_device *device, uint32_t slot, int32_t release)
{
    const struct slot_region *region = &device->firmware->device.update.boot.layout.slots[slot];
    const uint8_t *area = device->firmware->releases[release - 1].area;
    uint32_t count = 0;
    while (count < device->sectors &&
           memcmp(device->flash->sectors[region->first_sector + 1 + count]->cells,
                  area + count * SECTOR_BYTES, SECTOR_BYTES) == 0) {
        count++;
    }
    return (int32_t)count;
}

static void look_at_record(const struct update_device *device, struct update_device_face *face)
{
    struct boot_record record;
    face->lost = !firmware_record(device->firmware, device->flash, &record);
    if (face->lost) {
        return;
    }
    const bool tried = record.trial.slot != SLOT_NONE;
    face->confirmed = (int32_t)record.confirmed;
    face->highest = (int32_t)record.sequence.number;
    face->trial = tried ? (int32_t)record.trial.sequence.number : 0;
    face->left = tried ? (int32_t)record.trial.trials.left : 0;
    const uint32_t most = device->firmware->device.update.reverts_max;
    face->reverted = (int32_t)record.revert.sequence.number;
    face->reverts = (int32_t)(record.revert.count < most ? record.revert.count : most);
}

void update_device_look(const struct update_device *device, struct update_device_face *face)
{
    struct manifest_sequence sequence;
    uint32_t sectors;
    *face = (struct update_device_face){0};
    for (uint32_t slot = 0; slot < SLOT_COUNT; slot++) {
        const int32_t header = (int32_t)firmware_header(device->firmware, device->flash, slot);
        face->header[slot] = header;
        if (header != 0 && leading(device, slot, header) == (int32_t)device->sectors) {
            face->certain[slot] = true;
            face->content[slot] = header;
            face->whole[slot] = (int32_t)device->sectors;
        }
    }
    look_at_record(device, face);
    firmware_progress(device->firmware, device->flash, &sequence, &sectors);
    face->taken = (int32_t)sequence.number;
    face->filled = (int32_t)sectors;
    face->floor = (int32_t)flash_counter(device->flash, COUNTER_SECURITY);
}

bool update_device_holds(const struct update_device *device, uint32_t slot, int32_t content,
                         int32_t whole)
{
    if (content != 0) {
        return leading(device, slot, content) >= whole;
    }
    bool none = true;
    for (uint32_t release = 1; release <= device->firmware->release_count; release++) {
        none = none && leading(device, slot, (int32_t)release) < (int32_t)device->sectors;
    }
    return none;
}
