/* What a cut leaves of a program and of an erase: see flash.h. */
#include "sim/flash_inside.h"

#include <string.h>

#include "core/check.h"
#include "sim/random.h"

enum {
    /* Of the 65536 parts of an erase. At first few cells have moved; then all are on their way to
     * zero; then they may be anything; at last they are erased but for a few. */
    ERASE_PROGRAM_FROM = 4096,
    ERASE_MIXED_FROM = 16384,
    ERASE_NEARLY_DONE_FROM = 63488,
    ERASE_PROGRAMMED_SHARE = 1024, /* in which all is programmed and nothing is erased yet */
    /* Ordinals of draws that are not about a byte; those are the bytes' offsets. */
    DRAW_STYLE = -1,
    DRAW_BIT = -2,
};

/* What became of the bits that a unit torn at random was to change. */
enum style {
    STYLE_ALL_UNCERTAIN,
    STYLE_SOME_UNCERTAIN, /* the rest is done or not begun */
    STYLE_LAST_BIT,       /* all done but for one bit, which is uncertain */
    STYLE_FIRST_BIT,      /* none done but for one bit, which is uncertain */
    STYLE_COUNT
};

/* An erase block within its sector. */
struct block {
    uint32_t at, size_bytes;
    uint32_t erase_us;
};

static struct block block_of(const struct flash *flash, uint32_t sector, uint32_t number);
static void tear_at_random(struct flash *flash, struct flash_sector *sector, uint32_t offset,
                           const uint8_t *bytes, uint64_t draw_key);
static void tear_unit(struct flash *flash, struct flash_sector *sector, uint32_t at,
                      const uint8_t *bytes, enum flash_tear tear);
static void tear_block(const struct flash *flash, struct flash_sector *sector, struct block block,
                       enum flash_erase_tear tear);
static void tear_block_at_random(const struct flash *flash, struct flash_sector *sector,
                                 uint32_t offset, struct block block, uint16_t fraction,
                                 uint64_t draw_key);
static uint8_t changing(const struct flash *flash, const struct flash_sector *sector, uint32_t at,
                        uint8_t byte);
static uint32_t bit_count(uint8_t bits);

enum err flash_program_torn(struct flash *flash, uint32_t offset, const uint8_t *bytes,
                            uint32_t size_bytes, uint16_t fraction, uint64_t draw_key)
{
    const uint32_t unit = flash->profile.geometry.program_bytes;
    if (flash->durable != NULL) {
        return flash_program(flash, offset, bytes, size_bytes);
    }
    if (!flash_is_aligned(flash, offset, size_bytes, unit)) {
        return ERR_RANGE;
    }
    flash->counts.torn_programs++;
    const uint32_t units_done = (uint32_t)((uint64_t)(size_bytes / unit) * fraction >> 16);
    const uint32_t torn = units_done * unit;
    enum err err = flash_program_cells(flash, offset, bytes, torn);
    const struct flash_span span = flash_span(flash, offset + torn, unit);
    if (err == ERR_OK && flash_obeys(flash, span.sector, &err)) {
        tear_at_random(flash, flash_own(flash, span.sector), offset + torn, bytes + torn, draw_key);
    }
    return err;
}

enum err flash_erase_torn(struct flash *flash, uint32_t offset, uint16_t fraction,
                          uint64_t draw_key)
{
    enum err err;
    if (flash->durable != NULL) {
        return flash_erase(flash, offset);
    }
    if (!flash_is_sector(flash, offset)) {
        return ERR_RANGE;
    }
    flash->counts.torn_erases++;
    const struct flash_span span = flash_span(flash, offset, 1);
    if (!flash_obeys(flash, span.sector, &err)) {
        return err;
    }
    struct flash_sector *sector = flash_own(flash, span.sector);
    sector->erases++;
    uint64_t left_us = flash_erase_at_us(flash, offset) * fraction >> 16;
    uint32_t number = 0;
    struct block block = block_of(flash, span.sector, 0);
    while (flash->profile.run_count > 0 && left_us >= block.erase_us &&
           block.at + block.size_bytes < flash->profile.geometry.sector_bytes) {
        flash_sector_erase(flash, sector, block.at, block.size_bytes);
        left_us -= block.erase_us;
        block = block_of(flash, span.sector, ++number);
    }
    if (flash->profile.run_count > 0 && block.erase_us > 0) {
        const uint64_t share = (left_us << 16) / block.erase_us;
        fraction = share > UINT16_MAX ? UINT16_MAX : (uint16_t)share;
    }
    tear_block_at_random(flash, sector, offset, block, fraction, draw_key);
    return ERR_OK;
}

enum err flash_program_cut(struct flash *flash, uint32_t offset, const uint8_t *bytes,
                           uint32_t size_bytes, struct flash_cut cut)
{
    const uint32_t unit = flash->profile.geometry.program_bytes;
    CHECK(cut.tear < FLASH_TEAR_COUNT);
    CHECK(cut.units_done <= size_bytes / unit);
    if (flash->durable != NULL) {
        return flash_program(flash, offset, bytes, size_bytes);
    }
    if (!flash_is_aligned(flash, offset, size_bytes, unit)) {
        return ERR_RANGE;
    }
    flash->counts.torn_programs++;
    return flash_tear_program(flash, offset, bytes, size_bytes, cut);
}

enum err flash_erase_cut(struct flash *flash, uint32_t offset, uint32_t blocks_done,
                         enum flash_erase_tear tear)
{
    CHECK(tear < FLASH_ERASE_TEAR_COUNT);
    if (flash->durable != NULL) {
        return flash_erase(flash, offset);
    }
    if (!flash_is_sector(flash, offset)) {
        return ERR_RANGE;
    }
    flash->counts.torn_erases++;
    return flash_tear_erase(flash, offset, blocks_done, tear);
}

void flash_counter_cut(struct flash *flash, enum port_counter counter, enum flash_settled settled)
{
    CHECK(settled == FLASH_OLD || settled == FLASH_NEW);
    const enum err err = settled == FLASH_NEW ? flash_counter_increment(flash, counter) : ERR_OK;
    (void)err; /* who asked is gone */
}

void flash_swap_banks_cut(struct flash *flash, bool swapped, enum flash_settled settled)
{
    if (settled != FLASH_OLD) {
        flash_swap_banks(flash, swapped && settled == FLASH_NEW);
    }
}

uint64_t flash_erase_at_us(const struct flash *flash, uint32_t offset)
{
    const uint32_t sector = flash_span(flash, offset, 1).sector;
    const uint32_t count = flash_block_count(flash, offset);
    uint64_t us = 0;
    for (uint32_t i = 0; i < count; i++) {
        us += block_of(flash, sector, i).erase_us;
    }
    return us;
}

uint32_t flash_block_count(const struct flash *flash, uint32_t offset)
{
    const uint32_t sector_bytes = flash->profile.geometry.sector_bytes;
    const uint32_t sector = flash_span(flash, offset, 1).sector;
    uint32_t count = 0;
    uint32_t end = 0;
    while (end < sector_bytes) {
        const struct block block = block_of(flash, sector, count);
        end = block.at + block.size_bytes;
        count++;
    }
    return count;
}

uint32_t flash_erase_share(enum flash_erase_tear tear)
{
    static const uint32_t shares[FLASH_ERASE_TEAR_COUNT] = {
        [FLASH_ERASE_TEAR_NONE] = 0,
        [FLASH_ERASE_TEAR_BEGUN] = ERASE_MIXED_FROM - ERASE_PROGRAMMED_SHARE,
        [FLASH_ERASE_TEAR_PROGRAMMED] = ERASE_PROGRAMMED_SHARE,
        [FLASH_ERASE_TEAR_MIXED] = ERASE_NEARLY_DONE_FROM - ERASE_MIXED_FROM,
        [FLASH_ERASE_TEAR_WEAK] = FLASH_ERASE_SHARES - ERASE_NEARLY_DONE_FROM,
    };
    CHECK(tear < FLASH_ERASE_TEAR_COUNT);
    return shares[tear];
}

/* ---- inside ---------------------------------------------------------------------------------- */

enum err flash_tear_program(struct flash *flash, uint32_t offset, const uint8_t *bytes,
                            uint32_t size_bytes, struct flash_cut cut)
{
    const uint32_t unit = flash->profile.geometry.program_bytes;
    const uint32_t torn = cut.units_done * unit;
    enum err err = flash_program_cells(flash, offset, bytes, torn);
    if (err != ERR_OK || torn == size_bytes || cut.tear == FLASH_TEAR_NONE) {
        return err;
    }
    const struct flash_span span = flash_span(flash, offset + torn, unit);
    if (flash_obeys(flash, span.sector, &err)) {
        tear_unit(flash, flash_own(flash, span.sector), span.at, bytes + torn, cut.tear);
    }
    return err;
}

enum err flash_tear_erase(struct flash *flash, uint32_t offset, uint32_t blocks_done,
                          enum flash_erase_tear tear)
{
    const struct flash_span span = flash_span(flash, offset, 1);
    const uint32_t count = flash_block_count(flash, offset);
    enum err err = ERR_OK;
    CHECK(blocks_done <= count);
    if ((blocks_done == 0 && tear == FLASH_ERASE_TEAR_NONE) ||
        !flash_obeys(flash, span.sector, &err)) {
        return err;
    }
    struct flash_sector *sector = flash_own(flash, span.sector);
    sector->erases++;
    for (uint32_t i = 0; i < blocks_done; i++) {
        const struct block block = block_of(flash, span.sector, i);
        flash_sector_erase(flash, sector, block.at, block.size_bytes);
    }
    if (blocks_done < count && tear != FLASH_ERASE_TEAR_NONE) {
        tear_block(flash, sector, block_of(flash, span.sector, blocks_done), tear);
    }
    return ERR_OK;
}

/* The block of this number in the sector; a sector without runs is one. */
static struct block block_of(const struct flash *flash, uint32_t sector, uint32_t number)
{
    const struct flash_profile *profile = &flash->profile;
    const uint32_t sector_bytes = profile->geometry.sector_bytes;
    if (profile->run_count == 0) {
        return (struct block){0, sector_bytes, profile->erase_us};
    }
    const uint32_t half = profile->geometry.sector_count / 2;
    if (flash->swapped) { /* the run belongs to the place on the chip */
        sector = sector < half ? sector + half : sector - half;
    }
    const uint32_t from = sector * sector_bytes;
    uint32_t start = 0; /* of the run */
    for (uint32_t i = 0; i < profile->run_count; i++) {
        const struct flash_run *run = &profile->runs[i];
        const uint32_t skipped = start < from ? (from - start) / run->block_bytes : 0;
        const uint32_t left = skipped < run->block_count ? run->block_count - skipped : 0;
        if (number < left) {
            return (struct block){start + (skipped + number) * run->block_bytes - from,
                                  run->block_bytes, run->erase_us};
        }
        number -= left;
        start += run->block_count * run->block_bytes;
    }
    CHECK(false);
    return (struct block){0, sector_bytes, profile->erase_us};
}

static void tear_at_random(struct flash *flash, struct flash_sector *sector, uint32_t offset,
                           const uint8_t *bytes, uint64_t draw_key)
{
    const uint32_t unit = flash->profile.geometry.program_bytes;
    const uint32_t at = flash_span(flash, offset, unit).at;
    uint32_t bits = 0;
    for (uint32_t i = 0; i < unit; i++) {
        bits += bit_count(changing(flash, sector, at + i, bytes[i]));
    }
    flash_note_program(flash, sector, at, bytes);
    if (bits == 0) {
        return;
    }
    uint8_t *mask = flash_uncertain(flash, sector);
    const enum style style = (enum style)(random_at(draw_key, (uint64_t)DRAW_STYLE) % STYLE_COUNT);
    const uint64_t chosen = random_at(draw_key, (uint64_t)DRAW_BIT) % bits;
    uint32_t ordinal = 0; /* of the changing bit */
    for (uint32_t i = 0; i < unit; i++) {
        const uint64_t draw = random_at(draw_key, offset + i);
        const uint8_t to_change = changing(flash, sector, at + i, bytes[i]);
        for (uint32_t bit = 0; bit < 8; bit++) {
            const uint8_t one = (uint8_t)(1u << bit);
            if ((to_change & one) == 0) {
                continue;
            }
            const bool is_chosen = ordinal++ == chosen;
            const bool coin = (draw >> bit & 1u) != 0;
            const bool half = (draw >> (8 + bit) & 1u) != 0;
            const bool doubt = is_chosen || style == STYLE_ALL_UNCERTAIN ||
                               (style == STYLE_SOME_UNCERTAIN && half);
            const bool done = style == STYLE_LAST_BIT || (style != STYLE_FIRST_BIT && coin);
            mask[at + i] |= doubt ? one : 0;
            sector->cells[at + i] ^= done ? one : 0;
        }
    }
    if (flash->profile.ecc != FLASH_ECC_NONE) {
        flash_poison(flash, sector, at);
    }
}

static void tear_unit(struct flash *flash, struct flash_sector *sector, uint32_t at,
                      const uint8_t *bytes, enum flash_tear tear)
{
    const uint32_t unit = flash->profile.geometry.program_bytes;
    uint32_t first = unit, last = unit; /* byte that is to change */
    for (uint32_t i = 0; i < unit; i++) {
        if (changing(flash, sector, at + i, bytes[i]) != 0) {
            first = first == unit ? i : first;
            last = i;
        }
    }
    flash_note_program(flash, sector, at, bytes);
    if (first == unit) {
        return;
    }
    if (flash->profile.ecc != FLASH_ECC_NONE) { /* its check bits are torn as well */
        flash_poison(flash, sector, at);
        return;
    }
    for (uint32_t i = first; i <= last; i++) {
        const uint8_t bits = changing(flash, sector, at + i, bytes[i]);
        const uint8_t lowest = (uint8_t)(bits & (0u - bits));
        uint8_t done = 0;
        if (tear == FLASH_TEAR_WEAK) {
            flash_uncertain(flash, sector)[at + i] |= bits;
        } else if (tear == FLASH_TEAR_ALL_BUT_ONE_BIT) {
            done = i == last ? bits ^ lowest : bits;
        } else if (tear == FLASH_TEAR_ALL_BUT_LAST_BYTE) {
            done = i == last ? 0 : bits;
        } else if (i == first) {
            done = tear == FLASH_TEAR_ONE_BIT ? lowest : bits;
        }
        sector->cells[at + i] ^= done;
    }
}

static void tear_block(const struct flash *flash, struct flash_sector *sector, struct block block,
                       enum flash_erase_tear tear)
{
    const uint32_t unit = flash->profile.geometry.program_bytes;
    const uint32_t end = block.at + block.size_bytes;
    const uint8_t flip = flash_flip(flash);
    if (tear != FLASH_ERASE_TEAR_BEGUN) {
        flash_sector_erase(flash, sector, block.at, block.size_bytes);
    }
    uint8_t *restrict mask = flash_uncertain(flash, sector);
    uint8_t *restrict cells = sector->cells;
    for (uint32_t i = block.at; tear == FLASH_ERASE_TEAR_BEGUN && i < end; i++) {
        mask[i] |= cells[i] ^ flip;
    }
    for (uint32_t i = block.at; tear == FLASH_ERASE_TEAR_WEAK && i < end; i += unit) {
        mask[i] = 1;
    }
    if (tear == FLASH_ERASE_TEAR_MIXED) {
        memset(mask + block.at, 0xff, block.size_bytes);
    }
    for (uint32_t i = block.at; sector->stuck != NULL && i < end; i++) {
        mask[i] &= (uint8_t)~sector->stuck[i];
    }
    for (uint32_t i = block.at; tear == FLASH_ERASE_TEAR_PROGRAMMED && i < end; i++) {
        const uint8_t stuck = sector->stuck == NULL ? 0 : sector->stuck[i];
        cells[i] = (uint8_t)((cells[i] & stuck) | (flip & ~stuck));
    }
    /* To program a unit that the erase has touched is to program it a second time. */
    for (uint32_t i = block.at; i < end; i += unit) {
        if (tear != FLASH_ERASE_TEAR_BEGUN || !flash_is_zero(mask + i, unit)) {
            sector->programs[i / unit] = 1;
        }
    }
    flash_check_ecc(flash, sector, block.at, block.size_bytes);
}

static void tear_block_at_random(const struct flash *flash, struct flash_sector *sector,
                                 uint32_t offset, struct block block, uint16_t fraction,
                                 uint64_t draw_key)
{
    const uint8_t erased = flash->profile.geometry.erased_value;
    const uint32_t unit = flash->profile.geometry.program_bytes;
    uint8_t *mask = flash_uncertain(flash, sector);
    if (sector->poison != NULL && fraction >= ERASE_MIXED_FROM) {
        memset(sector->poison + block.at / unit, 0, block.size_bytes / unit);
    }
    for (uint32_t i = block.at; i < block.at + block.size_bytes; i++) {
        uint8_t *cell = &sector->cells[i];
        const uint64_t draw = random_at(draw_key, offset + i);
        const uint8_t one = (uint8_t)((draw >> 8) % 64 == 0 ? 1u << (draw & 7u) : 0u);
        const uint8_t ones = *cell ^ flash_flip(flash); /* zeros stay until all are zero */
        const uint8_t stuck = sector->stuck == NULL ? 0 : sector->stuck[i];
        const uint8_t before = *cell;
        if (fraction < ERASE_PROGRAM_FROM) {
            mask[i] |= ones & one;
        } else if (fraction < ERASE_MIXED_FROM) {
            mask[i] |= ones;
        } else if (fraction < ERASE_NEARLY_DONE_FROM) {
            *cell = (uint8_t)draw;
            mask[i] = 0xff;
        } else {
            *cell = erased;
            mask[i] = one;
        }
        *cell = (uint8_t)((*cell & ~stuck) | (before & stuck));
        mask[i] &= (uint8_t)~stuck;
        if (mask[i] != 0 || fraction >= ERASE_MIXED_FROM) {
            sector->programs[i / unit] = 1;
        }
    }
    flash_check_ecc(flash, sector, block.at, block.size_bytes);
}

/* The bits of a cell that programming this byte is to clear, or to set on a part that erases to
 * zero. */
static uint8_t changing(const struct flash *flash, const struct flash_sector *sector, uint32_t at,
                        uint8_t byte)
{
    const uint8_t flip = flash_flip(flash);
    const uint8_t loose = sector->stuck == NULL ? 0xff : (uint8_t)~sector->stuck[at];
    return (uint8_t)((sector->cells[at] ^ flip) & ~(byte ^ flip) & loose);
}

static uint32_t bit_count(uint8_t bits)
{
    uint32_t count = 0;
    for (uint32_t left = bits; left != 0; left &= left - 1) {
        count++;
    }
    return count;
}
