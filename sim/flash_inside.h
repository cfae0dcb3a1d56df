/* What the files of the flash model share. Not for others.
 *
 * Inside, every byte is handled as on a part that erases to ones: `flip` turns cells and data of
 * the other kind around.
 */
#ifndef BROWNOUT_SIM_FLASH_INSIDE_H
#define BROWNOUT_SIM_FLASH_INSIDE_H

#include <string.h>

#include "sim/flash.h"

/* A run of bytes within one sector. */
struct flash_span {
    uint32_t sector;
    uint32_t at; /* of the first byte in the sector */
    uint32_t size_bytes;
};

static inline uint8_t flash_flip(const struct flash *flash)
{
    return (uint8_t)~flash->profile.geometry.erased_value;
}

static inline uint32_t flash_units(const struct flash *flash)
{
    return flash->profile.geometry.sector_bytes / flash->profile.geometry.program_bytes;
}

static inline bool flash_is_zero(const uint8_t *bytes, uint32_t size_bytes)
{
    return size_bytes == 0 || (bytes[0] == 0 && memcmp(bytes, bytes + 1, size_bytes - 1) == 0);
}

/* The first bytes of a range, as many as lie in one sector. */
static inline struct flash_span flash_span(const struct flash *flash, uint32_t offset,
                                           uint32_t size_bytes)
{
    const struct flash_geometry *geometry = &flash->profile.geometry;
    const bool is_otp = offset >= FLASH_OTP_OFFSET;
    const uint32_t sector = is_otp ? geometry->sector_count : offset / geometry->sector_bytes;
    const uint32_t at = is_otp ? offset - FLASH_OTP_OFFSET : offset % geometry->sector_bytes;
    const uint32_t room = geometry->sector_bytes - at;
    return (struct flash_span){sector, at, size_bytes < room ? size_bytes : room};
}

/* ---- flash.c ---- */

bool flash_in_range(const struct flash *flash, uint32_t offset, uint32_t size_bytes);
/* In range, in whole units, not empty; else a breach of discipline. */
bool flash_is_aligned(struct flash *flash, uint32_t offset, uint32_t size_bytes, uint32_t unit);
/* The first byte of a sector that can be erased; else a breach of discipline. */
bool flash_is_sector(struct flash *flash, uint32_t offset);
/* The cells alone, no cache. ERR_OK | ERR_IO: bad. */
enum err flash_program_cells(struct flash *flash, uint32_t offset, const uint8_t *bytes,
                             uint32_t size_bytes);
enum err flash_erase_cells(struct flash *flash, uint32_t offset);
/* Does the sector do what it is told? If not, *err is what it answers. */
bool flash_obeys(struct flash *flash, uint32_t sector, enum err *err);
/* Count the program, and at most one breach: a second time, or a bit wanted that is not surely set.
 */
void flash_note_program(struct flash *flash, struct flash_sector *sector, uint32_t at,
                        const uint8_t *bytes);
/* Put the banks where the option byte wants them. */
void flash_map_banks(struct flash *flash);

/* ---- flash_sector.c ---- */

/* A sector, erased, that nobody has yet. NULL: no memory. */
struct flash_sector *flash_sector_create(const struct flash *flash);
/* A mask of the sector that is to be changed, made if there is none. */
uint8_t *flash_uncertain(const struct flash *flash, struct flash_sector *sector);
/* Erase some of its bytes, whole units. */
void flash_sector_erase(const struct flash *flash, struct flash_sector *sector, uint32_t at,
                        uint32_t size_bytes);
/* ECC cannot correct this unit any more. */
void flash_poison(const struct flash *flash, struct flash_sector *sector, uint32_t at);
/* With ECC: poison the units of the range that have more than one uncertain bit. */
void flash_check_ecc(const struct flash *flash, struct flash_sector *sector, uint32_t at,
                     uint32_t size_bytes);
/* Make `target` have the sectors that `source` has. */
void flash_share(struct flash_sector **target, struct flash_sector *const *source, uint32_t count);

/* ---- flash_cache.c ---- */

/* size_bytes 0: an erase. It was done on the cells; it is not durable yet. */
void flash_remember(struct flash *flash, uint32_t offset, const uint8_t *bytes,
                    uint32_t size_bytes);
void flash_pending_release(struct flash_pending *pending);

/* ---- flash_tear.c ---- */

/* The cells alone, no cache. ERR_OK | ERR_IO: bad. */
enum err flash_tear_program(struct flash *flash, uint32_t offset, const uint8_t *bytes,
                            uint32_t size_bytes, struct flash_cut cut);
enum err flash_tear_erase(struct flash *flash, uint32_t offset, uint32_t blocks_done,
                          enum flash_erase_tear tear);

/* ---- flash_fault.c ---- */

/* A read of these bytes has happened. */
void flash_disturb(struct flash *flash, struct flash_span span, uint64_t draw_key);

#endif
