#include "core/slot.h"

#include <stddef.h>
#include <string.h>

#include "core/big_endian.h"
#include "core/check.h"

enum {
    HEADER_FIELDS_BYTES = 8, /* the mark, and the sizes of both envelopes */
    HEADER_BYTES_MAX = HEADER_FIELDS_BYTES + 2 * (int)MANIFEST_ENVELOPE_BYTES_MAX,
};

static const uint8_t header_mark[4] = {'S', 'L', 'O', 'T'};

_Static_assert(HEADER_BYTES_MAX + SLOT_UNIT_BYTES_MAX <= SLOT_SECTOR_BYTES_MIN,
               "a header in whole units fits the smallest sector");

static bool regions_overlap(const struct slot_region *left, const struct slot_region *right);
static uint32_t slot_offset(const struct slot_layout *layout, const struct flash_geometry *flash,
                            uint32_t slot);

bool slot_layout_is_valid(const struct slot_layout *layout, const struct flash_geometry *flash)
{
    const struct slot_region *regions[] = {&layout->boot_store, &layout->app_store,
                                           &layout->slots[SLOT_A], &layout->slots[SLOT_B]};
    const uint32_t counts_min[] = {3, 3, 2, 2};
    const uint32_t count = sizeof regions / sizeof regions[0];
    bool valid = flash->sector_count >= 1 && flash->program_bytes >= 1 &&
                 flash->program_bytes <= SLOT_UNIT_BYTES_MAX &&
                 flash->sector_bytes >= SLOT_SECTOR_BYTES_MIN &&
                 flash->sector_bytes <= INT32_MAX / flash->sector_count &&
                 flash->sector_bytes % flash->program_bytes == 0 &&
                 layout->slots[SLOT_A].sector_count == layout->slots[SLOT_B].sector_count;
    for (uint32_t i = 0; valid && i < count; i++) {
        valid = regions[i]->sector_count >= counts_min[i] &&
                regions[i]->sector_count <= flash->sector_count &&
                regions[i]->first_sector <= flash->sector_count - regions[i]->sector_count;
        for (uint32_t k = 0; valid && k < i; k++) {
            valid = !regions_overlap(regions[i], regions[k]);
        }
    }
    return valid;
}

uint32_t slot_area_offset(const struct slot_layout *layout, const struct flash_geometry *flash,
                          uint32_t slot)
{
    return slot_offset(layout, flash, slot) + flash->sector_bytes;
}

uint32_t slot_area_bytes(const struct slot_layout *layout, const struct flash_geometry *flash)
{
    return (layout->slots[SLOT_A].sector_count - 1) * flash->sector_bytes;
}

enum err slot_header_erase(const struct slot_layout *layout, const struct port *port, uint32_t slot)
{
    return port->flash_erase(port->ctx, slot_offset(layout, &port->flash, slot));
}

enum err slot_header_program(const struct slot_layout *layout, const struct port *port,
                             uint32_t slot, const struct manifest_envelopes *envelopes)
{
    CHECK(envelopes->author_bytes <= MANIFEST_ENVELOPE_BYTES_MAX);
    CHECK(envelopes->operator_bytes <= MANIFEST_ENVELOPE_BYTES_MAX);
    CHECK(port->flash.program_bytes <= SLOT_UNIT_BYTES_MAX);
    uint8_t header[HEADER_BYTES_MAX + SLOT_UNIT_BYTES_MAX];
    const uint32_t unit = port->flash.program_bytes;
    const uint32_t used = HEADER_FIELDS_BYTES + envelopes->author_bytes + envelopes->operator_bytes;
    memset(header, port->flash.erased_value, sizeof header);
    memcpy(header, header_mark, sizeof header_mark);
    big_endian_put(header + 4, 2, envelopes->author_bytes);
    big_endian_put(header + 6, 2, envelopes->operator_bytes);
    memcpy(header + HEADER_FIELDS_BYTES, envelopes->author, envelopes->author_bytes);
    memcpy(header + HEADER_FIELDS_BYTES + envelopes->author_bytes, envelopes->operator,
           envelopes->operator_bytes);
    const enum err err = port->flash_program(port->ctx, slot_offset(layout, &port->flash, slot),
                                             header, (used + unit - 1) / unit * unit);
    return err == ERR_OK ? port->flash_sync(port->ctx) : err;
}

enum image_fault slot_header_read(const struct slot_layout *layout, const struct port *port,
                                  uint32_t slot, struct manifest_envelopes *out)
{
    uint8_t fields[HEADER_FIELDS_BYTES];
    uint32_t offset = slot_offset(layout, &port->flash, slot);
    *out = (struct manifest_envelopes){0};
    if (port->flash_read(port->ctx, offset, fields, sizeof fields) != ERR_OK) {
        return IMAGE_FAULT_UNREADABLE;
    }
    const uint32_t author_bytes = (uint32_t)big_endian_get(fields + 4, 2);
    const uint32_t operator_bytes = (uint32_t)big_endian_get(fields + 6, 2);
    if (memcmp(fields, header_mark, sizeof header_mark) != 0 ||
        author_bytes > MANIFEST_ENVELOPE_BYTES_MAX ||
        operator_bytes > MANIFEST_ENVELOPE_BYTES_MAX) {
        return IMAGE_FAULT_HEADER;
    }
    offset += HEADER_FIELDS_BYTES;
    if (port->flash_read(port->ctx, offset, out->author, author_bytes) != ERR_OK ||
        port->flash_read(port->ctx, offset + author_bytes, out->operator, operator_bytes) !=
            ERR_OK) {
        return IMAGE_FAULT_UNREADABLE;
    }
    out->author_bytes = author_bytes;
    out->operator_bytes = operator_bytes;
    return IMAGE_FAULT_NONE;
}

enum image_fault slot_digest_check(const struct slot_layout *layout, const struct port *port,
                                   uint32_t slot, const uint8_t digest[DIGEST_BYTES])
{
    const uint32_t offset = slot_area_offset(layout, &port->flash, slot);
    const uint32_t area_bytes = slot_area_bytes(layout, &port->flash);
    struct image_chain chain = {{0}};
    for (uint32_t at = 0; at < area_bytes; at += IMAGE_BLOCK_BYTES) {
        const uint32_t left = area_bytes - at;
        const uint32_t block_bytes = left < IMAGE_BLOCK_BYTES ? left : IMAGE_BLOCK_BYTES;
        if (port->flash_read(port->ctx, offset + at, chain.bytes + DIGEST_BYTES, block_bytes) !=
                ERR_OK ||
            image_chain_link(port, &chain, block_bytes) != ERR_OK) {
            return IMAGE_FAULT_UNREADABLE;
        }
    }
    return memcmp(chain.bytes, digest, DIGEST_BYTES) == 0 ? IMAGE_FAULT_NONE : IMAGE_FAULT_DIGEST;
}

enum image_fault slot_verify(const struct slot_layout *layout, const struct port *port,
                             const struct manifest_authority *authority,
                             struct security_floor floor, uint32_t slot, struct manifest *out)
{
    struct manifest_envelopes envelopes;
    enum image_fault fault = slot_header_read(layout, port, slot, &envelopes);
    if (fault == IMAGE_FAULT_NONE) {
        fault = manifest_open(port, authority, &envelopes, out);
    }
    if (fault != IMAGE_FAULT_NONE) {
        return fault;
    }
    if (out->security.level < floor.level) {
        return IMAGE_FAULT_FLOOR;
    }
    if (out->size_bytes > slot_area_bytes(layout, &port->flash)) {
        return IMAGE_FAULT_SIZE;
    }
    return slot_digest_check(layout, port, slot, out->digest);
}

static bool regions_overlap(const struct slot_region *left, const struct slot_region *right)
{
    return left->first_sector < right->first_sector + right->sector_count &&
           right->first_sector < left->first_sector + left->sector_count;
}

static uint32_t slot_offset(const struct slot_layout *layout, const struct flash_geometry *flash,
                            uint32_t slot)
{
    CHECK(slot < SLOT_COUNT);
    return layout->slots[slot].first_sector * flash->sector_bytes;
}
