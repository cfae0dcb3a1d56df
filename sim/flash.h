/* A flash part that can be caught in the act.
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
 * Two ways to tear: seeded (`_torn`, for runs that sample) and canonical (`_cut`, for searches that
 * are to come to an end: few members, and no two alike that need not be).
 *
 * A profile says more: ECC that a torn unit *poisons* until it is erased, a volatile cache of pages
 * that reach the cells in any order, sectors made of unequal blocks, banks that change places at a
 * reset, one-time-programmable bytes, and faults that have to be asked for (wear, read disturb,
 * retention). All zero, it is a plain NOR part. The part cannot be misused in silence: a breach of
 * its rules is counted in `discipline`.
 *
 * Sectors are shared between a part and its snapshots until one of them changes (copy-on-write), so
 * that a snapshot costs a pointer for each sector, and the hash of an image only what changed.
 *
 * Independent of node and world: time and power belong to the caller, who asks how long an
 * operation takes, and says how far it came. Every draw is keyed, see random.h. One thread.
 */
#ifndef BROWNOUT_SIM_FLASH_H
#define BROWNOUT_SIM_FLASH_H

#include <stdbool.h>
#include <stdint.h>

#include "core/err.h"
#include "core/port.h"

enum {
    FLASH_RUNS_MAX = 8,
    FLASH_CACHE_PAGES_MAX = 64,   /* as many as a mask has bits */
    FLASH_BYTES_MAX = 1 << 30,    /* of the sectors; the OTP area lies above */
    FLASH_OTP_OFFSET = 1 << 30,   /* of its first byte, for read and program alike */
    FLASH_ERASE_SHARES = 1 << 16, /* the time of an erase, see flash_erase_share */
};

/* How a unit answers that ECC cannot correct. */
enum flash_ecc {
    FLASH_ECC_NONE,  /* there is no ECC */
    FLASH_ECC_ERROR, /* the read is ERR_IO */
    FLASH_ECC_FAULT, /* the read is ERR_IO, and the caller resets the processor (NMI, bus fault) */
    FLASH_ECC_GARBAGE, /* the read is ERR_OK, its bits anything */
};

/* A sector that no longer does what it is told. */
enum flash_bad {
    FLASH_GOOD,
    FLASH_BAD_LOUD,   /* program and erase answer ERR_IO, nothing is done */
    FLASH_BAD_SILENT, /* program and erase answer ERR_OK, nothing is done */
};

/* Erase blocks alike, one behind the other. */
struct flash_run {
    uint32_t block_bytes;
    uint32_t block_count;
    uint32_t erase_us; /* one block */
};

struct flash_profile {
    struct flash_geometry geometry; /* erased_value 0xFF or 0x00; sector_bytes in whole units */
    uint32_t program_us;            /* one program unit; one page, on a part with pages */
    uint32_t erase_us;              /* one sector */
    bool program_once;              /* ECC: a unit is programmed once between two erases */

    /* Zero or absent on a plain NOR part. */
    uint8_t program_limit; /* programs of a unit between two erases, without program_once; 0: any */
    enum flash_ecc ecc;    /* one uncertain bit of a unit is corrected, more of them poison it */
    uint32_t page_bytes;   /* whole units; a sector is whole pages */
    uint32_t cache_pages;  /* programs and erases that are volatile until the part is synced */
    bool dual_bank;        /* an option byte swaps the halves at the next reset */
    uint32_t otp_bytes;    /* programmed like a sector, never erased; at most a sector */
    uint64_t counter_max;  /* where monotonic counters end; 0: nowhere near */
    uint32_t counter_us;   /* to increment one, or to write the option byte */
    uint32_t run_count;    /* 0: each sector is one block; else the sectors are groups of these */
    struct flash_run runs[FLASH_RUNS_MAX];

    /* Faults that have to be asked for. */
    uint32_t wear_limit; /* erases that a sector takes before it turns `worn`; 0: no end */
    enum flash_bad worn;
    uint32_t disturb_reads; /* reads of a sector until a bit elsewhere in it gets weak; 0: never */
    uint64_t retention_us;  /* in which a sector loses one programmed bit; 0: for ever */
};

/* What a cut leaves of the program unit in flight, of the bits that were to change. */
enum flash_tear {
    FLASH_TEAR_NONE,              /* not begun */
    FLASH_TEAR_FIRST_BYTE,        /* the first byte that was to change has changed */
    FLASH_TEAR_ALL_BUT_LAST_BYTE, /* the last byte that was to change has not */
    FLASH_TEAR_ONE_BIT,
    FLASH_TEAR_ALL_BUT_ONE_BIT,
    FLASH_TEAR_WEAK, /* all that were to change are uncertain */
    FLASH_TEAR_COUNT
};

/* How far a program came. */
struct flash_cut {
    uint32_t units_done;  /* in order; all of them: after the operation, before its return */
    enum flash_tear tear; /* of the next one */
};

/* What a cut leaves of the erase block in flight, in the order in which an erase goes. */
enum flash_erase_tear {
    FLASH_ERASE_TEAR_NONE,       /* not begun */
    FLASH_ERASE_TEAR_BEGUN,      /* what was not programmed is uncertain */
    FLASH_ERASE_TEAR_PROGRAMMED, /* all is programmed */
    FLASH_ERASE_TEAR_MIXED,      /* all is uncertain */
    FLASH_ERASE_TEAR_WEAK,       /* all is erased; one bit of each unit is uncertain */
    FLASH_ERASE_TEAR_COUNT
};

/* What uncertain bits answer where the caller decides it. */
enum flash_reading {
    FLASH_READS_ERASED,
    FLASH_READS_PROGRAMMED,
    FLASH_READS_MIXED, /* every other bit */
    FLASH_READING_COUNT
};

/* What a cut leaves of a counter or the option byte. */
enum flash_settled {
    FLASH_OLD,
    FLASH_NEW,
    FLASH_DEFAULT, /* of the option byte alone, which is erased before it is written: not swapped */
};

struct flash_counts {
    uint64_t reads, programs, erases;
    uint64_t torn_programs, torn_erases;
    uint64_t uncertain_reads; /* reads that touched an uncertain bit */
    uint64_t discipline;      /* misaligned, outside, programmed twice, or wanted a bit set */
    uint64_t corrected_reads; /* an uncertain bit was touched, and ECC put it right */
    uint64_t poisoned_reads;  /* a unit was touched that ECC cannot correct */
    uint64_t refused;         /* by a sector that is bad and says so */
    uint64_t ignored;         /* by one that does not */
    uint64_t worn;            /* sectors that turned bad */
    uint64_t disturbed, faded, garbled; /* bits, bits and units: see the faults below */
    uint64_t lost_writes;               /* that were in the cache when power went */
};

/* One sector as it is; with references > 1 several images have it, and none may change it. */
struct flash_sector {
    uint32_t references;
    uint32_t erases; /* torn ones included */
    enum flash_bad bad;
    bool hashed; /* digest is that of the content */
    uint64_t digest[2];
    uint8_t *cells;     /* as they would read if they were certain */
    uint8_t *programs;  /* of each unit since the sector was erased, at most 255 */
    uint8_t *uncertain; /* a mask of bits, NULL while all are certain */
    uint8_t *poison;    /* 1 for each unit that ECC cannot correct, NULL while there is none */
    uint8_t *stuck;     /* a mask of bits that stay what they are, NULL while there is none */
};

/* A program or an erase that is in the cache alone. Never changed, shared like a sector. */
struct flash_pending {
    uint32_t references;
    uint32_t offset, size_bytes; /* size_bytes 0: an erase */
    uint8_t bytes[];
};

struct flash {
    struct flash_profile profile;
    uint32_t size_bytes;           /* of the sectors */
    uint32_t sector_count;         /* those of the geometry, and behind them one for the OTP area */
    struct flash_sector **sectors; /* by address, as they read now */
    struct flash_sector **durable; /* as power would leave them; NULL without a cache */
    uint32_t *reads;               /* of each sector since its last weak bit; NULL: not disturbed */
    struct flash_pending **pending; /* oldest first, FLASH_CACHE_PAGES_MAX; NULL without a cache */
    uint32_t pending_count;
    bool swap_option, swapped; /* the option byte, and what the last reset made of it */
    uint64_t counters[COUNTER_COUNT];
    struct flash_counts counts;
};

/* A new part, erased. The profile is copied. NULL: no memory. The caller frees it. */
struct flash *flash_create(const struct flash_profile *profile);
void flash_free(struct flash *flash);

/* ---- Operations ---- */

/* ERR_OK | ERR_RANGE: outside the part, nothing done | ERR_IO: poisoned. draw_key must be another
 * one for each read, or uncertain bits answer alike. */
enum err flash_read(struct flash *flash, uint32_t offset, uint8_t *bytes, uint32_t size_bytes,
                    uint64_t draw_key) MUST_USE;
/* The same, and the caller says what uncertain bits answer: for searches, which try each answer
 * where flash_is_uncertain. */
enum err flash_read_as(struct flash *flash, uint32_t offset, uint8_t *bytes, uint32_t size_bytes,
                       enum flash_reading reading) MUST_USE;
/* For hot paths: a read in a sector in which nothing is uncertain or poisoned. False: it is not
 * one, and nothing was done. */
bool flash_read_certain(struct flash *flash, uint32_t offset, uint8_t *bytes, uint32_t size_bytes);

/* ERR_OK | ERR_RANGE: outside, empty or not in whole units; nothing done, one breach of discipline
 * | ERR_IO: the sector is bad. A unit that may not be programmed again, or a bit that cannot be
 * set, is a breach as well; the cells become what the part makes of it: both values combined. */
enum err flash_program(struct flash *flash, uint32_t offset, const uint8_t *bytes,
                       uint32_t size_bytes) MUST_USE;

/* offset: of the first byte of a sector. ERR_OK | ERR_RANGE, ERR_IO as above. */
enum err flash_erase(struct flash *flash, uint32_t offset) MUST_USE;

/* Make durable what is in the cache. Nothing to do on a part without one. */
void flash_sync(struct flash *flash);

/* Monotonic counters. ERR_OK | ERR_FULL: at its end, nothing done. */
uint64_t flash_counter(const struct flash *flash, enum port_counter counter);
enum err flash_counter_increment(struct flash *flash, enum port_counter counter) MUST_USE;

/* Write the option byte: from the next reset on the halves of the part have changed places. */
void flash_swap_banks(struct flash *flash, bool swapped);

/* The processor starts again while the power stays: the cache comes to rest, options are read. */
void flash_reset(struct flash *flash);

/* ---- Power that goes away ---- */

/* Program and erase, cut after fraction/65536 of their time: 0 = just begun, 65535 = all but done.
 * What is torn is drawn. On a part with a cache an operation that is cut, here and below, is in the
 * cache as a whole: whether it reaches the cells, flash_power_cut decides. */
enum err flash_program_torn(struct flash *flash, uint32_t offset, const uint8_t *bytes,
                            uint32_t size_bytes, uint16_t fraction, uint64_t draw_key) MUST_USE;
enum err flash_erase_torn(struct flash *flash, uint32_t offset, uint16_t fraction,
                          uint64_t draw_key) MUST_USE;

/* The same, cut where the caller says. A sector of several blocks is erased block by block. */
enum err flash_program_cut(struct flash *flash, uint32_t offset, const uint8_t *bytes,
                           uint32_t size_bytes, struct flash_cut cut) MUST_USE;
enum err flash_erase_cut(struct flash *flash, uint32_t offset, uint32_t blocks_done,
                         enum flash_erase_tear tear) MUST_USE;
/* FLASH_OLD or FLASH_NEW. A full counter stays what it is. */
void flash_counter_cut(struct flash *flash, enum port_counter counter, enum flash_settled settled);
void flash_swap_banks_cut(struct flash *flash, bool swapped, enum flash_settled settled);

/* The power is gone, after a cut operation or between two; the part starts as after a reset. Of
 * pending[i] bit i of `kept` says whether it reached the cells; one that rests on another (the same
 * page, or an erase of its sector) does so only with that one. The oldest that was lost is torn as
 * `cut` says; a lost erase is left mixed unless the tear is none. Canonical masks: 0, all, one, all
 * but one. */
void flash_power_cut(struct flash *flash, uint64_t kept, struct flash_cut cut);

/* ---- Faults ---- */

/* sector: by its number; a bank that is swapped takes its faults along. */
void flash_set_bad(struct flash *flash, uint32_t sector, enum flash_bad bad);
/* The bits of `mask` in the byte at offset stay what they are, for ever. */
void flash_stick(struct flash *flash, uint32_t offset, uint8_t mask);
/* Time goes by: sectors lose programmed bits, which become uncertain. Returns how many. */
uint32_t flash_age(struct flash *flash, uint64_t elapsed_us, uint64_t draw_key);
/* Retention is over for `units` programmed units, drawn: each loses one or two programmed bits.
 * With ECC the bits are uncertain: it corrects one, and two poison the unit. Without, they read as
 * erased from now on. Returns how many bits. */
uint32_t flash_rot(struct flash *flash, uint32_t units, uint64_t draw_key);
/* Reads have disturbed `bits` bits, drawn, of sectors in which anything is programmed: they become
 * uncertain. Returns how many were certain before. */
uint32_t flash_weaken(struct flash *flash, uint32_t bits, uint64_t draw_key);
/* From now on a sector takes so many erases since it was new, and then turns bad, loudly. */
void flash_wear(struct flash *flash, uint32_t erases);
/* A program while the supply was too low for one: any bit of the units addressed may have been
 * programmed, and one bit elsewhere in the sector is uncertain. ERR_OK | ERR_RANGE as program. */
enum err flash_brown_out(struct flash *flash, uint32_t offset, uint32_t size_bytes,
                         uint64_t draw_key) MUST_USE;

/* ---- Images ---- */

/* A snapshot is a part of its own, which shares all its sectors; it may be worked on as well. Cost:
 * a pointer for each sector. NULL: no memory. flash_drop ends it, in any order. */
struct flash *flash_snapshot(const struct flash *flash);
void flash_drop(struct flash *snapshot);
/* Make the part what the snapshot is, counts included; both of the same profile. Cost as above. */
void flash_restore(struct flash *flash, const struct flash *snapshot);

/* For those who keep images of their own: one sector as it is now, its digest up to date (equal if
 * and only if the content is); and a sector of that content, which nothing may be pending for. Both
 * cost a pointer. flash_release ends what flash_take began, in any order. */
struct flash_sector *flash_take(const struct flash *flash, uint32_t sector);
void flash_give(struct flash *flash, uint32_t sector, struct flash_sector *taken);
void flash_release(struct flash_sector *taken);
/* To change a sector's bytes past all rules, as no operation would: nobody else has it then. */
struct flash_sector *flash_own(struct flash *flash, uint32_t sector);

/* All that decides what the part will answer: cells, uncertain bits, poison, programs where they
 * are limited, bad and stuck, cache, counters, OTP, banks; wear and reads only where they are
 * faults. Hashes again what changed since. Equal if and only if all of that is (but for 2^-128). */
void flash_hash(const struct flash *flash, uint64_t digest[2]);

/* ---- For judges and schedules ---- */

/* How long the operation takes, without doing it. */
uint64_t flash_program_us(const struct flash *flash, uint32_t size_bytes);
uint64_t flash_erase_us(const struct flash *flash); /* of the slowest sector */
uint64_t flash_erase_at_us(const struct flash *flash, uint32_t offset);
uint64_t flash_sync_us(const struct flash *flash);
uint64_t flash_counter_us(const struct flash *flash);
/* The erase blocks of a sector; of all equal parts one. */
uint32_t flash_block_count(const struct flash *flash, uint32_t offset);
/* How much of an erase block's time, of FLASH_ERASE_SHARES, ends in this tear. */
uint32_t flash_erase_share(enum flash_erase_tear tear);

/* Is any bit of this range uncertain, any unit poisoned? No code under test could know. */
bool flash_is_uncertain(const struct flash *flash, uint32_t offset, uint32_t size_bytes);
bool flash_is_poisoned(const struct flash *flash, uint32_t offset, uint32_t size_bytes);

#endif
