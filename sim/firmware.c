#include "sim/firmware.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/check.h"
#include "sim/clock.h"
#include "sim/random.h"

enum { AUTHOR = 0x41555448, OPERATOR = 0x4f504552, HARDWARE = 1 };

static uint32_t image_sectors(const struct settings *settings,
                              const struct flash_geometry *geometry);
static struct slot_layout layout_of(const struct settings *settings,
                                    const struct flash_geometry *geometry);
static bool make_signers(struct firmware *firmware, uint64_t seed, const struct port *port,
                         struct key_pair *author, struct key_pair *operator);
static bool make_release(struct firmware *firmware, const struct firmware_spec *spec,
                         const struct port *port, uint32_t index);
static bool sign(struct firmware_release *release, const struct port *port,
                 const struct key_pair *author, const struct key_pair *operator);

bool firmware_check(const struct settings *settings, const struct flash_geometry *geometry,
                    char *error, size_t error_bytes)
{
    const uint64_t image_bytes = settings->number[SETTING_firmware_image];
    if (image_bytes == 0) {
        return true;
    }
    const uint32_t slots = 2 * (image_sectors(settings, geometry) + 1);
    const uint32_t needed = FIRMWARE_BOOT_SECTORS + FIRMWARE_APP_SECTORS_MIN + slots;
    if (geometry->sector_count < needed) {
        snprintf(error, error_bytes,
                 "two slots for images of %" PRIu64 " bytes, and the stores, need %" PRIu32
                 " sectors of %" PRIu32 " bytes; the flash has %" PRIu32
                 ": raise flash.sectors, choose a larger flash.part or lower firmware.image",
                 image_bytes, needed, geometry->sector_bytes, geometry->sector_count);
        return false;
    }
    if (geometry->sector_bytes < SLOT_SECTOR_BYTES_MIN) {
        snprintf(error, error_bytes, "firmware needs sectors of %d bytes at least: flash.sector",
                 SLOT_SECTOR_BYTES_MIN);
        return false;
    }
    return true;
}

struct firmware *firmware_create(const struct settings *settings, uint64_t seed,
                                 const struct port_crypto *crypto,
                                 const struct flash_geometry *geometry)
{
    const uint64_t *number = settings->number;
    const uint64_t release_us = number[SETTING_firmware_release];
    const struct firmware_spec spec = {
        .seed = seed,
        .layout = layout_of(settings, geometry),
        .image_bytes = (uint32_t)number[SETTING_firmware_image],
        .trials = (uint32_t)number[SETTING_firmware_trials],
        .reverts_max = (uint32_t)number[SETTING_firmware_reverts],
        .watchdog_us = number[SETTING_firmware_watchdog],
        .trial_us = number[SETTING_firmware_trial],
        .release_count = release_us != 0 ? 2 : 1,
        .releases = {{.level = 1},
                     {.level = number[SETTING_firmware_level],
                      .defect = (enum behaviour_defect)number[SETTING_firmware_defect],
                      .from_us = CLOCK_WALL_START_US + release_us}},
    };
    return firmware_make(&spec, crypto, geometry);
}

struct firmware *firmware_make(const struct firmware_spec *spec, const struct port_crypto *crypto,
                               const struct flash_geometry *geometry)
{
    const struct port port = {.flash = *geometry, .crypto = *crypto};
    struct key_pair author, operator;
    struct firmware *firmware = calloc(1, sizeof *firmware);
    CHECK(firmware != NULL);
    CHECK(spec->release_count >= 1 && spec->release_count <= FIRMWARE_RELEASES_MAX);
    CHECK(slot_layout_is_valid(&spec->layout, geometry));
    firmware->geometry = *geometry;
    struct update_config *update = &firmware->device.update;
    update->boot.layout = spec->layout;
    update->boot.trials.left = spec->trials;
    update->boot.watchdog_us = spec->watchdog_us;
    update->enabled = true;
    update->reverts_max = spec->reverts_max;
    firmware->device.managed = true;
    firmware->device.trial_us = spec->trial_us;
    firmware->area_bytes = slot_area_bytes(&update->boot.layout, geometry);
    firmware->release_count = spec->release_count;
    bool good = make_signers(firmware, spec->seed, &port, &author, &operator);
    for (uint32_t i = 0; i < firmware->release_count && good; i++) {
        good = make_release(firmware, spec, &port, i) &&
               sign(&firmware->releases[i], &port, &author, &operator);
        firmware->offered[i] = (struct cloud_release){
            .envelopes = firmware->releases[i].envelopes,
            .image = firmware->releases[i].area,
            .image_bytes = firmware->releases[i].manifest.size_bytes,
            .from_us = spec->releases[i].from_us,
        };
    }
    firmware->cloud = (struct cloud_firmware_config){
        .managed = true,
        .releases = firmware->offered,
        .release_count = firmware->release_count,
        .reverts_max = update->reverts_max,
    };
    firmware->author = author;
    firmware->operator= operator;
    if (!good) {
        firmware_free(firmware);
        return NULL;
    }
    return firmware;
}

void firmware_free(struct firmware *firmware)
{
    if (firmware != NULL) {
        for (uint32_t i = 0; i < FIRMWARE_RELEASES_MAX; i++) {
            free(firmware->releases[i].area);
        }
        free(firmware);
    }
}

static uint32_t image_sectors(const struct settings *settings,
                              const struct flash_geometry *geometry)
{
    return ((uint32_t)settings->number[SETTING_firmware_image] - 1) / geometry->sector_bytes + 1;
}

/* What the slots leave is the application's. */
static struct slot_layout layout_of(const struct settings *settings,
                                    const struct flash_geometry *geometry)
{
    const uint32_t slot = image_sectors(settings, geometry) + 1;
    const uint32_t app = geometry->sector_count - FIRMWARE_BOOT_SECTORS - 2 * slot;
    const uint32_t first = FIRMWARE_BOOT_SECTORS + app;
    return (struct slot_layout){
        .boot_store = {0, FIRMWARE_BOOT_SECTORS},
        .app_store = {FIRMWARE_BOOT_SECTORS, app < STORE_SECTORS_MAX ? app : STORE_SECTORS_MAX},
        .slots = {{first, slot}, {first + slot, slot}},
    };
}

static bool make_signers(struct firmware *firmware, uint64_t seed, const struct port *port,
                         struct key_pair *author, struct key_pair *operator)
{
    struct random_stream stream = {random_key(seed, "firmware/signers"), 0};
    struct manifest_authority *authority = &firmware->device.update.boot.authority;
    random_bytes(&stream, author->seed, KEY_BYTES);
    random_bytes(&stream, operator->seed, KEY_BYTES);
    if (port->crypto.public_key(port->crypto.ctx, author) != ERR_OK ||
        port->crypto.public_key(port->crypto.ctx, operator) != ERR_OK) {
        return false;
    }
    *authority =
        (struct manifest_authority){.author = AUTHOR, .operator= OPERATOR, .hardware = HARDWARE};
    memcpy(authority->author_key, author->public_key, KEY_BYTES);
    memcpy(authority->operator_key, operator->public_key, KEY_BYTES);
    return true;
}

static bool make_release(struct firmware *firmware, const struct firmware_spec *spec,
                         const struct port *port, uint32_t index)
{
    struct firmware_release *release = &firmware->releases[index];
    const uint32_t size_bytes = spec->image_bytes;
    const struct behaviour behaviour = {
        .version = index + 1,
        .protocol = BEHAVIOUR_PROTOCOL,
        .defect = spec->releases[index].defect,
    };
    char name[32];
    snprintf(name, sizeof name, "firmware/%" PRIu32, index + 1);
    struct random_stream stream = {random_key(spec->seed, name), 0};
    release->area = malloc(firmware->area_bytes);
    CHECK(release->area != NULL);
    memset(release->area, firmware->geometry.erased_value, firmware->area_bytes);
    random_bytes(&stream, release->area, size_bytes);
    behaviour_write(&behaviour, release->area);
    release->manifest = (struct manifest){
        .sequence = {index + 1},
        .security = {spec->releases[index].level},
        .version = {1, (uint16_t)index, 0},
        .hardware = HARDWARE,
        .size_bytes = size_bytes,
        .expires_us = MANIFEST_NEVER,
    };
    return image_digest(port, release->area, size_bytes, firmware->area_bytes,
                        firmware->geometry.erased_value, release->manifest.digest) == ERR_OK;
}

static bool sign(struct firmware_release *release, const struct port *port,
                 const struct key_pair *author, const struct key_pair *operator)
{
    uint8_t bytes[MANIFEST_BYTES_MAX];
    uint32_t size_bytes = sizeof bytes;
    return manifest_encode(&release->manifest, bytes, &size_bytes) == ERR_OK &&
           manifest_sign(port, author, AUTHOR, MANIFEST_AUTHOR, bytes, size_bytes,
                         &release->envelopes) == ERR_OK &&
           manifest_sign(port, operator, OPERATOR, MANIFEST_OPERATOR, bytes, size_bytes,
                         &release->envelopes) == ERR_OK;
}

/* ---- In a part ------------------------------------------------------------------------------- */

static enum err line_program(void *ctx, uint32_t offset, const uint8_t *bytes, uint32_t size_bytes)
{
    return flash_program(ctx, offset, bytes, size_bytes);
}

static enum err line_sync(void *ctx)
{
    flash_sync(ctx);
    return ERR_OK;
}

static enum err image_read_cells(void *ctx, uint32_t offset, uint8_t *bytes, uint32_t size_bytes)
{
    const struct flash *flash = ctx;
    const uint32_t sector_bytes = flash->profile.geometry.sector_bytes;
    for (uint32_t i = 0; i < size_bytes; i++) {
        const uint32_t at = offset + i;
        bytes[i] = flash->sectors[at / sector_bytes]->cells[at % sector_bytes];
    }
    return ERR_OK;
}

void firmware_program(const struct firmware *firmware, struct flash *flash, uint32_t index,
                      uint32_t slot)
{
    const struct slot_layout *layout = &firmware->device.update.boot.layout;
    const struct flash_geometry *geometry = &firmware->geometry;
    const struct firmware_release *release = &firmware->releases[index];
    const struct port port = {
        .ctx = flash, .flash = *geometry, .flash_program = line_program, .flash_sync = line_sync};
    const uint32_t area = slot_area_offset(layout, geometry, slot);
    const uint32_t sector_bytes = geometry->sector_bytes;
    enum err err = ERR_OK;
    for (uint32_t at = 0; at < firmware->area_bytes && err == ERR_OK; at += sector_bytes) {
        err = flash_program(flash, area + at, release->area + at, sector_bytes);
    }
    CHECK(err == ERR_OK);
    err = slot_header_program(layout, &port, slot, &release->envelopes);
    CHECK(err == ERR_OK);
    flash_sync(flash);
}

void firmware_install(const struct firmware *firmware, struct flash *flash)
{
    firmware_program(firmware, flash, 0, SLOT_A);
}

uint64_t firmware_in_slot(const struct firmware *firmware, const struct flash *flash, uint32_t slot)
{
    const struct slot_layout *layout = &firmware->device.update.boot.layout;
    const struct flash_geometry *geometry = &firmware->geometry;
    const struct port port = {
        .ctx = (void *)(uintptr_t)flash, .flash = *geometry, .flash_read = image_read_cells};
    const uint32_t area = slot_area_offset(layout, geometry, slot);
    const uint32_t sector_bytes = geometry->sector_bytes;
    struct manifest_envelopes envelopes;
    /* One uncertain bit of a unit ECC corrects; more of them poison it. */
    const bool corrects = flash->profile.ecc != FLASH_ECC_NONE;
    if (slot_header_read(layout, &port, slot, &envelopes) != IMAGE_FAULT_NONE ||
        (!corrects && (flash_is_uncertain(flash, area, firmware->area_bytes) ||
                       flash_is_uncertain(flash, area - sector_bytes, sizeof envelopes))) ||
        flash_is_poisoned(flash, area - sector_bytes, sector_bytes + firmware->area_bytes)) {
        return 0;
    }
    for (uint32_t i = 0; i < firmware->release_count; i++) {
        const struct firmware_release *release = &firmware->releases[i];
        bool same = memcmp(&envelopes, &release->envelopes, sizeof envelopes) == 0;
        for (uint32_t at = 0; at < firmware->area_bytes && same; at += sector_bytes) {
            same = memcmp(flash->sectors[(area + at) / sector_bytes]->cells, release->area + at,
                          sector_bytes) == 0;
        }
        if (same) {
            return release->manifest.sequence.number;
        }
    }
    return 0;
}
