/* What boot loader and agent keep in a device's flash. It is read as they would read it, by their
 * own code, from a snapshot: to mount a store may write. */
#include <string.h>

#include "core/boot_record.h"
#include "core/cbor.h"
#include "core/check.h"
#include "core/record_id.h"
#include "sim/firmware.h"

enum { PROGRESS_BYTES_MAX = 64 };

static enum err kept_read(void *ctx, uint32_t offset, uint8_t *bytes, uint32_t size_bytes)
{
    return flash_read(ctx, offset, bytes, size_bytes, 0);
}

static enum err kept_program(void *ctx, uint32_t offset, const uint8_t *bytes, uint32_t size_bytes)
{
    return flash_program(ctx, offset, bytes, size_bytes);
}

static enum err kept_erase(void *ctx, uint32_t offset)
{
    return flash_erase(ctx, offset);
}

static enum err kept_sync(void *ctx)
{
    flash_sync(ctx);
    return ERR_OK;
}

static struct port look_at(const struct firmware *firmware, const struct flash *flash)
{
    struct flash *snapshot = flash_snapshot(flash);
    CHECK(snapshot != NULL);
    return (struct port){.ctx = snapshot,
                         .flash = firmware->geometry,
                         .flash_read = kept_read,
                         .flash_program = kept_program,
                         .flash_erase = kept_erase,
                         .flash_sync = kept_sync};
}

bool firmware_record(const struct firmware *firmware, const struct flash *flash,
                     struct boot_record *out)
{
    const struct port port = look_at(firmware, flash);
    struct store store;
    const enum err err = boot_record_load(&store, &port, &firmware->device.update.boot.layout, out);
    flash_drop(port.ctx);
    return err == ERR_OK;
}

/* [slot, sequence, sectors, name], as core/update.c writes it. */
void firmware_progress(const struct firmware *firmware, const struct flash *flash,
                       struct manifest_sequence *sequence, uint32_t *sectors)
{
    const struct slot_region *region = &firmware->device.update.boot.layout.app_store;
    const struct port port = look_at(firmware, flash);
    struct store store;
    uint8_t bytes[PROGRESS_BYTES_MAX];
    uint32_t size_bytes = sizeof bytes;
    enum err err = store_mount(&store, &port, region->first_sector, region->sector_count);
    if (err == ERR_OK) {
        err = store_get(&store, &port, RECORD_PROGRESS, bytes, &size_bytes);
    }
    flash_drop(port.ctx);
    *sequence = (struct manifest_sequence){0};
    *sectors = 0;
    if (err == ERR_OK) {
        struct cbor_reader reader;
        cbor_read(&reader, bytes, size_bytes);
        cbor_get_array(&reader, 4);
        (void)cbor_get_u32(&reader);
        sequence->number = cbor_get_uint(&reader);
        *sectors = cbor_get_u32(&reader);
    }
}

uint64_t firmware_header(const struct firmware *firmware, const struct flash *flash, uint32_t slot)
{
    const struct port port = look_at(firmware, flash);
    struct manifest_envelopes envelopes;
    const enum image_fault fault =
        slot_header_read(&firmware->device.update.boot.layout, &port, slot, &envelopes);
    flash_drop(port.ctx);
    for (uint32_t i = 0; i < firmware->release_count && fault == IMAGE_FAULT_NONE; i++) {
        const struct firmware_release *release = &firmware->releases[i];
        if (memcmp(&envelopes, &release->envelopes, sizeof envelopes) == 0) {
            return release->manifest.sequence.number;
        }
    }
    return 0;
}
