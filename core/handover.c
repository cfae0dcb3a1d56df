#include "core/handover.h"

#include <string.h>

#include "core/big_endian.h"
#include "core/check.h"
#include "core/crc32.h"

enum {
    AT_OUTCOME = 4,
    AT_SLOT,
    AT_FLAGS,
    AT_FAULTS,
    AT_CRC = RETAINED_BYTES - 4,
    FLAG_REVERTED = 1,
    FLAG_RECOVERED = 2,
};

static const uint8_t magic[4] = {'B', 'O', 'O', 'T'};

static bool is_sound(const uint8_t bytes[RETAINED_BYTES]);
static enum err read_again(const struct port *port, const struct boot_config *config,
                           struct store *store, struct boot_report *report);

enum err handover_write(const struct port *port, const struct boot_report *report)
{
    CHECK(report->outcome != BOOT_NONE);
    CHECK(report->slot < SLOT_COUNT);
    uint8_t bytes[RETAINED_BYTES] = {0};
    memcpy(bytes, magic, sizeof magic);
    bytes[AT_OUTCOME] = (uint8_t)report->outcome;
    bytes[AT_SLOT] = (uint8_t)report->slot;
    bytes[AT_FLAGS] = (uint8_t)((report->reverted ? FLAG_REVERTED : 0) |
                                (report->recovered ? FLAG_RECOVERED : 0));
    for (uint32_t slot = 0; slot < SLOT_COUNT; slot++) {
        bytes[AT_FAULTS + slot] = (uint8_t)report->faults[slot];
    }
    big_endian_put(bytes + AT_CRC, 4, crc32(0, bytes, AT_CRC));
    return port->retained_write(port->ctx, bytes);
}

enum err handover_take(const struct port *port, const struct boot_config *config,
                       struct store *store, struct boot_report *report)
{
    static const uint8_t none[RETAINED_BYTES];
    uint8_t bytes[RETAINED_BYTES];
    CHECK(report != NULL);
    *report = (struct boot_report){.outcome = BOOT_NONE, .slot = SLOT_NONE};
    if (port->retained_read(port->ctx, bytes) != ERR_OK ||
        port->retained_write(port->ctx, none) != ERR_OK) {
        return ERR_IO;
    }
    if (!is_sound(bytes)) {
        return ERR_CORRUPT;
    }
    report->outcome = (enum boot_outcome)bytes[AT_OUTCOME];
    report->slot = bytes[AT_SLOT];
    report->reverted = (bytes[AT_FLAGS] & FLAG_REVERTED) != 0;
    report->recovered = (bytes[AT_FLAGS] & FLAG_RECOVERED) != 0;
    for (uint32_t slot = 0; slot < SLOT_COUNT; slot++) {
        report->faults[slot] = (enum image_fault)bytes[AT_FAULTS + slot];
    }
    return read_again(port, config, store, report);
}

static bool is_sound(const uint8_t bytes[RETAINED_BYTES])
{
    const uint8_t outcome = bytes[AT_OUTCOME];
    return memcmp(bytes, magic, sizeof magic) == 0 &&
           big_endian_get(bytes + AT_CRC, 4) == crc32(0, bytes, AT_CRC) && outcome != BOOT_NONE &&
           outcome <= BOOT_FALLBACK && bytes[AT_SLOT] < SLOT_COUNT &&
           bytes[AT_FAULTS] < IMAGE_FAULT_COUNT && bytes[AT_FAULTS + 1] < IMAGE_FAULT_COUNT;
}

/* The boot loader has verified the image; here its manifest is needed again, and the record. Where
 * no record can be kept, the report is that of a device that has none. */
static enum err read_again(const struct port *port, const struct boot_config *config,
                           struct store *store, struct boot_report *report)
{
    struct manifest_envelopes envelopes;
    enum image_fault fault = slot_header_read(&config->layout, port, report->slot, &envelopes);
    if (fault == IMAGE_FAULT_NONE) {
        fault = manifest_open(port, &config->authority, &envelopes, &report->manifest);
    }
    if (fault != IMAGE_FAULT_NONE) {
        return fault == IMAGE_FAULT_UNREADABLE ? ERR_IO : ERR_CORRUPT;
    }
    if (port->counter_read(port->ctx, COUNTER_SECURITY, &report->floor.level) != ERR_OK) {
        return ERR_IO;
    }
    const enum err err = boot_record_load(store, port, &config->layout, &report->record);
    if (err != ERR_OK) {
        if (!report->recovered) {
            return err == ERR_IO ? ERR_IO : ERR_CORRUPT;
        }
        report->record = (struct boot_record){
            .confirmed = report->slot,
            .sequence = report->manifest.sequence,
            .trial = {.slot = SLOT_NONE},
        };
    }
    return ERR_OK;
}
