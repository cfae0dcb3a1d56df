/* A NOR flash that can be caught in the act.
 *
 * What the data sheet promises: program clears bits (towards the complement of the erased value),
 * erase sets a whole sector, both in units. What the bench shows when power goes away inside one of
 * them, and what this model does:
 *   - a torn program: whole units up to some point, then one unit of which any subset of the bits
 *     that were to change did so;
 *   - a torn erase: cells are first programmed, then they pass through anything, then they are set;
 *   - bits caught on the way are *uncertain*: every read answers anew, all of them alike (what
 *     temperature and supply do) or each by itself. An erase that completes makes them certain; a
 *     program that completes makes those bits certain that it programs.
 * The part cannot be misused in silence: a breach of its rules is counted in `discipline`.
 *
 * Independent of node and world: time and power belong to the caller, who asks how long an
 * operation takes, and says how far it came. Every draw is keyed, see random.h.
 */
#ifndef BROWNOUT_SIM_FLASH_H
#define BROWNOUT_SIM_FLASH_H

#include <stdbool.h>
#include <stdint.h>

#include "core/err.h"
#include "core/port.h"

struct flash_profile {
    struct flash_geometry geometry; /* erased_value 0xFF or 0x00; sector_bytes in whole units */
    uint32_t program_us;            /* one program unit */
    uint32_t erase_us;              /* one sector */
    bool program_once;              /* ECC: a unit is programmed once between two erases */
};

struct flash_counts {
    uint64_t reads, programs, erases;
    uint64_t torn_programs, torn_erases;
    uint64_t uncertain_reads; /* reads that touched an uncertain bit */
    uint64_t discipline;      /* misaligned, outside, programmed twice, or wanted a bit set */
};

struct flash {
    struct flash_profile profile;
    uint32_t size_bytes;
    uint8_t *cells;      /* size_bytes, contiguous, as they would read if they were certain */
    uint8_t **uncertain; /* a mask of a sector's bits, NULL while all are certain */
    uint32_t *erases;    /* of each sector, torn ones included */
    uint8_t *programs;   /* of each unit since its sector was erased, at most 255 */
    struct flash_counts counts;
};

/* A new part, erased. The profile is copied. NULL: no memory. The caller frees it. */
struct flash *flash_create(const struct flash_profile *profile);
void flash_free(struct flash *flash);

/* Make target what source is, counters included; both of the same geometry. False: no memory. */
bool flash_copy(struct flash *target, const struct flash *source);

/* ERR_OK | ERR_RANGE: outside the part, nothing done. draw_key must be another one for each read,
 * or uncertain bits answer alike. */
enum err flash_read(struct flash *flash, uint32_t offset, uint8_t *bytes, uint32_t size_bytes,
                    uint64_t draw_key) MUST_USE;

/* ERR_OK | ERR_RANGE: outside, empty or not in whole units; nothing done, one breach of discipline.
 * A unit that may not be programmed again, or a bit that cannot be set, is a breach as well; the
 * cells become what the part makes of it: both values combined. */
enum err flash_program(struct flash *flash, uint32_t offset, const uint8_t *bytes,
                       uint32_t size_bytes) MUST_USE;

/* offset: of the first byte of a sector. ERR_OK | ERR_RANGE as above. */
enum err flash_erase(struct flash *flash, uint32_t offset) MUST_USE;

/* The same, cut after fraction/65536 of its time: 0 = just begun, 65535 = all but done. */
enum err flash_program_torn(struct flash *flash, uint32_t offset, const uint8_t *bytes,
                            uint32_t size_bytes, uint16_t fraction, uint64_t draw_key) MUST_USE;
enum err flash_erase_torn(struct flash *flash, uint32_t offset, uint16_t fraction,
                          uint64_t draw_key) MUST_USE;

/* How long the operation takes, without doing it. */
uint64_t flash_program_us(const struct flash *flash, uint32_t size_bytes);
uint64_t flash_erase_us(const struct flash *flash);

/* Is any bit of this range uncertain? For judges: no code under test could know. */
bool flash_is_uncertain(const struct flash *flash, uint32_t offset, uint32_t size_bytes);

#endif
