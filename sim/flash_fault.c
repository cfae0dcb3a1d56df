/* What flash does beside power cuts, for those who ask for it: see flash.h.
 *
 * On a part with a cache these happen to cells that are at rest, so that both of its images have
 * them.
 */
#include "sim/flash_inside.h"

#include <stdlib.h>

#include "core/check.h"
#include "sim/random.h"

enum {
    DRAW_PLACE = -1, /* ordinals of draws that are not about a byte */
    DRAW_FADE = 1 << 20,
};

static bool weaken(struct flash *flash, uint32_t sector, uint32_t at, uint8_t bit,
                   bool programmed_only);
static bool lose(struct flash *flash, uint32_t sector, uint32_t unit, uint64_t draw);
static uint32_t programmed_units(const struct flash *flash, uint32_t sector);
static uint32_t fades(const struct flash *flash, uint64_t elapsed_us, uint64_t draw);

void flash_set_bad(struct flash *flash, uint32_t sector, enum flash_bad bad)
{
    CHECK(sector < flash->profile.geometry.sector_count);
    flash_sync(flash);
    flash_own(flash, sector)->bad = bad;
    flash_sync(flash);
}

void flash_stick(struct flash *flash, uint32_t offset, uint8_t mask)
{
    CHECK(flash_in_range(flash, offset, 1));
    flash_sync(flash);
    const struct flash_span span = flash_span(flash, offset, 1);
    struct flash_sector *sector = flash_own(flash, span.sector);
    if (sector->stuck == NULL) {
        sector->stuck = calloc(flash->profile.geometry.sector_bytes, 1);
        CHECK(sector->stuck != NULL);
    }
    sector->stuck[span.at] |= mask;
    if (sector->uncertain != NULL) {
        sector->uncertain[span.at] &= (uint8_t)~mask;
    }
    flash_sync(flash);
}

uint32_t flash_age(struct flash *flash, uint64_t elapsed_us, uint64_t draw_key)
{
    const uint32_t sector_bytes = flash->profile.geometry.sector_bytes;
    uint32_t faded = 0;
    flash_sync(flash);
    for (uint32_t i = 0; i < flash->sector_count; i++) {
        const uint64_t key = random_at(draw_key, i);
        const uint32_t count = fades(flash, elapsed_us, random_at(key, (uint64_t)DRAW_PLACE));
        for (uint32_t fade = 0; fade < count; fade++) {
            const uint64_t draw = random_at(key, DRAW_FADE + fade);
            const uint32_t at = (uint32_t)(draw >> 8) % sector_bytes;
            faded += weaken(flash, i, at, (uint8_t)(1u << (draw & 7u)), true);
        }
    }
    flash->counts.faded += faded;
    flash_sync(flash);
    return faded;
}

uint32_t flash_rot(struct flash *flash, uint32_t units, uint64_t draw_key)
{
    const uint32_t sectors = flash->profile.geometry.sector_count;
    uint32_t faded = 0;
    uint64_t all = 0;
    flash_sync(flash);
    for (uint32_t i = 0; i < sectors; i++) {
        all += programmed_units(flash, i);
    }
    for (uint32_t rot = 0; rot < units && all > 0; rot++) {
        const uint64_t draw = random_at(draw_key, rot);
        uint64_t left = draw % all; /* programmed units before it */
        uint32_t sector = 0, unit = 0;
        while (left >= programmed_units(flash, sector)) {
            left -= programmed_units(flash, sector++);
        }
        for (const uint8_t *programs = flash->sectors[sector]->programs;
             left > 0 || programs[unit] == 0; unit++) {
            left -= programs[unit] != 0;
        }
        const uint32_t bits = 1 + (uint32_t)(random_at(draw, 0) & 1u);
        for (uint32_t bit = 0; bit < bits; bit++) {
            faded += lose(flash, sector, unit, random_at(draw, 1 + bit));
        }
    }
    flash->counts.faded += faded;
    flash_sync(flash);
    return faded;
}

uint32_t flash_weaken(struct flash *flash, uint32_t bits, uint64_t draw_key)
{
    const struct flash_geometry *geometry = &flash->profile.geometry;
    uint32_t weak = 0;
    flash_sync(flash);
    for (uint32_t i = 0; i < bits; i++) {
        const uint64_t draw = random_at(draw_key, i);
        uint32_t sector = (uint32_t)(draw >> 32) % geometry->sector_count;
        for (uint32_t tried = 0;
             tried < geometry->sector_count && programmed_units(flash, sector) == 0; tried++) {
            sector = (sector + 1) % geometry->sector_count;
        }
        weak += weaken(flash, sector, (uint32_t)(draw >> 3) % geometry->sector_bytes,
                       (uint8_t)(1u << (draw & 7u)), false);
    }
    flash->counts.disturbed += weak;
    flash_sync(flash);
    return weak;
}

void flash_wear(struct flash *flash, uint32_t erases)
{
    CHECK(erases > 0);
    flash->profile.worn = FLASH_BAD_LOUD;
    flash->profile.wear_limit = erases;
}

enum err flash_brown_out(struct flash *flash, uint32_t offset, uint32_t size_bytes,
                         uint64_t draw_key)
{
    const struct flash_geometry *geometry = &flash->profile.geometry;
    const uint32_t unit = geometry->program_bytes;
    if (!flash_is_aligned(flash, offset, size_bytes, unit)) {
        return ERR_RANGE;
    }
    flash_sync(flash);
    for (uint32_t done = 0; done < size_bytes; done += unit) {
        const struct flash_span span = flash_span(flash, offset + done, unit);
        struct flash_sector *sector = flash_own(flash, span.sector);
        for (uint32_t i = span.at; i < span.at + unit; i++) {
            const uint8_t stuck = sector->stuck == NULL ? 0 : sector->stuck[i];
            const uint8_t kept = (uint8_t)random_at(draw_key, offset + done + i - span.at) | stuck;
            const uint8_t cell = sector->cells[i] ^ flash_flip(flash);
            sector->cells[i] = (uint8_t)((cell & kept) ^ flash_flip(flash));
        }
        if (sector->programs[span.at / unit] == 0) {
            sector->programs[span.at / unit] = 1;
        }
        if (flash->profile.ecc != FLASH_ECC_NONE) {
            flash_poison(flash, sector, span.at);
        }
        flash->counts.garbled++;
    }
    const uint64_t draw = random_at(draw_key, (uint64_t)DRAW_PLACE);
    const uint32_t elsewhere = (uint32_t)(draw >> 8) % geometry->sector_bytes;
    flash->counts.disturbed += weaken(flash, flash_span(flash, offset, 1).sector, elsewhere,
                                      (uint8_t)(1u << (draw & 7u)), false);
    flash_sync(flash);
    return ERR_OK;
}

/* ---- inside ---------------------------------------------------------------------------------- */

void flash_disturb(struct flash *flash, struct flash_span span, uint64_t draw_key)
{
    const uint32_t sector_bytes = flash->profile.geometry.sector_bytes;
    if (flash->reads == NULL || ++flash->reads[span.sector] < flash->profile.disturb_reads ||
        flash->pending_count > 0) {
        return;
    }
    flash->reads[span.sector] = 0;
    if (span.size_bytes == sector_bytes) {
        return; /* there is no elsewhere */
    }
    const uint64_t draw = random_at(draw_key, (uint64_t)DRAW_PLACE);
    const uint32_t behind = (uint32_t)(draw >> 8) % (sector_bytes - span.size_bytes);
    const uint32_t at = (span.at + span.size_bytes + behind) % sector_bytes;
    flash->counts.disturbed += weaken(flash, span.sector, at, (uint8_t)(1u << (draw & 7u)), false);
    flash_sync(flash);
}

/* Make a bit uncertain. Was it certain before, and the part able to lose it? */
static bool weaken(struct flash *flash, uint32_t sector, uint32_t at, uint8_t bit,
                   bool programmed_only)
{
    const struct flash_sector *before = flash->sectors[sector];
    const uint32_t unit = flash->profile.geometry.program_bytes;
    const bool erased = ((before->cells[at] ^ flash_flip(flash)) & bit) != 0;
    if ((before->uncertain != NULL && (before->uncertain[at] & bit) != 0) ||
        (before->stuck != NULL && (before->stuck[at] & bit) != 0) ||
        (before->poison != NULL && before->poison[at / unit] != 0) || (programmed_only && erased)) {
        return false;
    }
    struct flash_sector *own = flash_own(flash, sector);
    flash_uncertain(flash, own)[at] |= bit;
    flash_check_ecc(flash, own, at, 1);
    return true;
}

/* One programmed bit of a unit, if it has any that can be lost. */
static bool lose(struct flash *flash, uint32_t sector, uint32_t unit, uint64_t draw)
{
    const uint32_t unit_bytes = flash->profile.geometry.program_bytes;
    const uint32_t bits = unit_bytes * 8;
    for (uint32_t i = 0; i < bits; i++) {
        const uint32_t bit = (uint32_t)((draw + i) % bits);
        const uint32_t at = unit * unit_bytes + bit / 8;
        const uint8_t mask = (uint8_t)(1u << bit % 8);
        const struct flash_sector *before = flash->sectors[sector];
        const bool programmed = ((before->cells[at] ^ flash_flip(flash)) & mask) == 0;
        const bool stuck = before->stuck != NULL && (before->stuck[at] & mask) != 0;
        if (!programmed || stuck) {
            continue;
        }
        if (flash->profile.ecc != FLASH_ECC_NONE) {
            return weaken(flash, sector, at, mask, true);
        }
        struct flash_sector *own = flash_own(flash, sector);
        own->cells[at] ^= mask;
        if (own->uncertain != NULL) {
            own->uncertain[at] &= (uint8_t)~mask;
        }
        return true;
    }
    return false;
}

static uint32_t programmed_units(const struct flash *flash, uint32_t sector)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < flash_units(flash); i++) {
        count += flash->sectors[sector]->programs[i] != 0;
    }
    return count;
}

/* How many bits of a sector time has tried; those that are not programmed it cannot take. */
static uint32_t fades(const struct flash *flash, uint64_t elapsed_us, uint64_t draw)
{
    const uint64_t mean_us = flash->profile.retention_us;
    if (mean_us == 0) {
        return 0;
    }
    const uint64_t whole = elapsed_us / mean_us;
    const uint64_t all = (uint64_t)flash->profile.geometry.sector_bytes * 8;
    return (uint32_t)(whole < all ? whole + (draw % mean_us < elapsed_us % mean_us) : all);
}
