/* Where images live, and how one is read.
 *
 *   flash: [ boot's store ][ the application's store ][ slot A ][ slot B ], in any order
 *   slot:  [ header sector ][ image area: the image, then erased cells ]
 *   header: "SLOT", sizes of the two envelopes (2 bytes each, big-endian), author, operator
 *
 * The header is the first to go and the last to come: while a slot is being filled it has none.
 */
#ifndef BROWNOUT_CORE_SLOT_H
#define BROWNOUT_CORE_SLOT_H

#include <stdbool.h>
#include <stdint.h>

#include "core/manifest.h"

enum {
    SLOT_A = 0,
    SLOT_B = 1,
    SLOT_COUNT = 2,
    SLOT_NONE = 2,            /* where a slot's number may be missing */
    SLOT_UNIT_BYTES_MAX = 32, /* program unit */
    SLOT_SECTOR_BYTES_MIN = 512,
};

/* A run of sectors. */
struct slot_region {
    uint32_t first_sector;
    uint32_t sector_count;
};

struct slot_layout {
    struct slot_region boot_store;        /* >= 3 sectors */
    struct slot_region app_store;         /* >= 3 sectors */
    struct slot_region slots[SLOT_COUNT]; /* >= 2 sectors, alike */
};

/* Does the layout fit this flash, without overlaps? For checks of configurations. */
bool slot_layout_is_valid(const struct slot_layout *layout, const struct flash_geometry *flash);

/* Offset in flash of a slot's image area, and its size. */
uint32_t slot_area_offset(const struct slot_layout *layout, const struct flash_geometry *flash,
                          uint32_t slot);
uint32_t slot_area_bytes(const struct slot_layout *layout, const struct flash_geometry *flash);

/* Erase the header sector. ERR_OK | ERR_IO. */
enum err slot_header_erase(const struct slot_layout *layout, const struct port *port,
                           uint32_t slot) MUST_USE;

/* Program the header into an erased sector; durable. One program call. ERR_OK | ERR_IO. */
enum err slot_header_program(const struct slot_layout *layout, const struct port *port,
                             uint32_t slot, const struct manifest_envelopes *envelopes) MUST_USE;

/* The faults NONE, UNREADABLE and HEADER. */
enum image_fault slot_header_read(const struct slot_layout *layout, const struct port *port,
                                  uint32_t slot, struct manifest_envelopes *out) MUST_USE;

/* Digest of the image area as flash reads now, compared: the faults NONE, UNREADABLE and DIGEST. */
enum image_fault slot_digest_check(const struct slot_layout *layout, const struct port *port,
                                   uint32_t slot, const uint8_t digest[DIGEST_BYTES]) MUST_USE;

/* May the image of this slot run? Both rights, this hardware, its dependencies, the floor, and the
 * digest over the bytes that will execute, all read from flash now. Cheap checks come first. */
enum image_fault slot_verify(const struct slot_layout *layout, const struct port *port,
                             const struct manifest_authority *authority,
                             struct security_floor floor, uint32_t slot,
                             struct manifest *out) MUST_USE;

#endif
