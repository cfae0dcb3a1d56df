/* The simulated flash while its power is on: see flash.h. */
#include "sim/flash_inside.h"

#include <string.h>

#include "core/check.h"
#include "sim/random.h"

/* How the uncertain bits answer one read. */
enum answer { ANSWER_ERASED, ANSWER_PROGRAMMED, ANSWER_PATTERN, ANSWER_DRAWN };

enum {
    DRAW_STYLE = -1, /* the ordinal of the draw that is not about a byte; those are offsets */
    STYLE_COUNT = 4, /* all erased, all programmed, and twice as often each by itself */
};

static enum err read_cells(struct flash *flash, uint32_t offset, uint8_t *bytes,
                           uint32_t size_bytes, enum answer answer, uint64_t draw_key);
static bool unsettle(const struct flash *flash, struct flash_span span, uint32_t offset,
                     uint8_t *bytes, enum answer answer, uint64_t draw_key);
static bool is_poisoned(const struct flash *flash, struct flash_span span);
static bool is_uncertain(const struct flash *flash, struct flash_span span);
static void program_span(struct flash *flash, struct flash_sector *sector, struct flash_span span,
                         const uint8_t *bytes);
static bool wants_unset(const uint8_t *cells, const uint8_t *bytes, uint32_t size_bytes,
                        uint8_t flip);
static void count_program(struct flash *flash, uint8_t *programs, bool breach);
static void program_unit(struct flash *flash, struct flash_sector *sector, uint32_t at,
                         const uint8_t *bytes);
static void swap_halves(struct flash_sector **sectors, uint32_t count);

enum err flash_read(struct flash *flash, uint32_t offset, uint8_t *bytes, uint32_t size_bytes,
                    uint64_t draw_key)
{
    const uint64_t style = random_at(draw_key, (uint64_t)DRAW_STYLE) % STYLE_COUNT;
    const enum answer answer = style == 0   ? ANSWER_ERASED
                               : style == 1 ? ANSWER_PROGRAMMED
                                            : ANSWER_DRAWN;
    return read_cells(flash, offset, bytes, size_bytes, answer, draw_key);
}

bool flash_read_certain(struct flash *flash, uint32_t offset, uint8_t *bytes, uint32_t size_bytes)
{
    const uint32_t sector_bytes = flash->profile.geometry.sector_bytes;
    const uint32_t at = offset % sector_bytes;
    if (offset >= flash->size_bytes || size_bytes > sector_bytes - at || flash->reads != NULL) {
        return false;
    }
    const struct flash_sector *sector = flash->sectors[offset / sector_bytes];
    if (sector->uncertain != NULL || sector->poison != NULL) {
        return false;
    }
    memcpy(bytes, sector->cells + at, size_bytes);
    flash->counts.reads++;
    return true;
}

enum err flash_read_as(struct flash *flash, uint32_t offset, uint8_t *bytes, uint32_t size_bytes,
                       enum flash_reading reading)
{
    CHECK(reading < FLASH_READING_COUNT);
    const enum answer answer = reading == FLASH_READS_ERASED       ? ANSWER_ERASED
                               : reading == FLASH_READS_PROGRAMMED ? ANSWER_PROGRAMMED
                                                                   : ANSWER_PATTERN;
    return read_cells(flash, offset, bytes, size_bytes, answer, 0);
}

enum err flash_program(struct flash *flash, uint32_t offset, const uint8_t *bytes,
                       uint32_t size_bytes)
{
    if (!flash_is_aligned(flash, offset, size_bytes, flash->profile.geometry.program_bytes)) {
        return ERR_RANGE;
    }
    flash->counts.programs++;
    const enum err err = flash_program_cells(flash, offset, bytes, size_bytes);
    flash_remember(flash, offset, bytes, size_bytes);
    return err;
}

enum err flash_erase(struct flash *flash, uint32_t offset)
{
    if (!flash_is_sector(flash, offset)) {
        return ERR_RANGE;
    }
    flash->counts.erases++;
    const enum err err = flash_erase_cells(flash, offset);
    flash_remember(flash, offset, NULL, 0);
    return err;
}

uint64_t flash_counter(const struct flash *flash, enum port_counter counter)
{
    CHECK(counter < COUNTER_COUNT);
    return flash->counters[counter];
}

enum err flash_counter_increment(struct flash *flash, enum port_counter counter)
{
    CHECK(counter < COUNTER_COUNT);
    const uint64_t max = flash->profile.counter_max == 0 ? UINT64_MAX : flash->profile.counter_max;
    if (flash->counters[counter] >= max) {
        return ERR_FULL;
    }
    flash->counters[counter]++;
    return ERR_OK;
}

void flash_swap_banks(struct flash *flash, bool swapped)
{
    CHECK(flash->profile.dual_bank);
    flash->swap_option = swapped;
}

void flash_reset(struct flash *flash)
{
    flash_sync(flash);
    flash_map_banks(flash);
}

/* ---- for judges and schedules ---------------------------------------------------------------- */

uint64_t flash_program_us(const struct flash *flash, uint32_t size_bytes)
{
    const struct flash_profile *profile = &flash->profile;
    const uint32_t unit =
        profile->page_bytes > 0 ? profile->page_bytes : profile->geometry.program_bytes;
    return ((uint64_t)size_bytes + unit - 1) / unit * profile->program_us;
}

uint64_t flash_erase_us(const struct flash *flash)
{
    return flash->profile.erase_us;
}

uint64_t flash_sync_us(const struct flash *flash)
{
    uint64_t us = 0;
    for (uint32_t i = 0; i < flash->pending_count; i++) {
        const struct flash_pending *pending = flash->pending[i];
        us += pending->size_bytes == 0 ? flash_erase_at_us(flash, pending->offset)
                                       : flash_program_us(flash, pending->size_bytes);
    }
    return us;
}

uint64_t flash_counter_us(const struct flash *flash)
{
    return flash->profile.counter_us;
}

bool flash_is_uncertain(const struct flash *flash, uint32_t offset, uint32_t size_bytes)
{
    CHECK(flash_in_range(flash, offset, size_bytes));
    uint32_t done = 0;
    while (done < size_bytes) {
        const struct flash_span span = flash_span(flash, offset + done, size_bytes - done);
        if (is_uncertain(flash, span)) {
            return true;
        }
        done += span.size_bytes;
    }
    return false;
}

bool flash_is_poisoned(const struct flash *flash, uint32_t offset, uint32_t size_bytes)
{
    CHECK(flash_in_range(flash, offset, size_bytes));
    uint32_t done = 0;
    while (done < size_bytes) {
        const struct flash_span span = flash_span(flash, offset + done, size_bytes - done);
        if (is_poisoned(flash, span)) {
            return true;
        }
        done += span.size_bytes;
    }
    return false;
}

/* ---- inside ---------------------------------------------------------------------------------- */

bool flash_in_range(const struct flash *flash, uint32_t offset, uint32_t size_bytes)
{
    if (offset >= FLASH_OTP_OFFSET && flash->profile.otp_bytes > 0) {
        const uint32_t at = offset - FLASH_OTP_OFFSET;
        return at <= flash->profile.otp_bytes && size_bytes <= flash->profile.otp_bytes - at;
    }
    return offset <= flash->size_bytes && size_bytes <= flash->size_bytes - offset;
}

bool flash_is_aligned(struct flash *flash, uint32_t offset, uint32_t size_bytes, uint32_t unit)
{
    if (flash_in_range(flash, offset, size_bytes) && size_bytes > 0 && offset % unit == 0 &&
        size_bytes % unit == 0) {
        return true;
    }
    flash->counts.discipline++;
    return false;
}

bool flash_is_sector(struct flash *flash, uint32_t offset)
{
    const uint32_t sector_bytes = flash->profile.geometry.sector_bytes;
    if (offset < flash->size_bytes) {
        return flash_is_aligned(flash, offset, sector_bytes, sector_bytes);
    }
    flash->counts.discipline++;
    return false;
}

enum err flash_program_cells(struct flash *flash, uint32_t offset, const uint8_t *bytes,
                             uint32_t size_bytes)
{
    enum err err = ERR_OK;
    for (uint32_t done = 0; done < size_bytes;) {
        const struct flash_span span = flash_span(flash, offset + done, size_bytes - done);
        if (flash_obeys(flash, span.sector, &err)) {
            program_span(flash, flash_own(flash, span.sector), span, bytes + done);
        } else if (err != ERR_OK) {
            return err;
        }
        done += span.size_bytes;
    }
    return ERR_OK;
}

enum err flash_erase_cells(struct flash *flash, uint32_t offset)
{
    const struct flash_profile *profile = &flash->profile;
    const uint32_t index = offset / profile->geometry.sector_bytes;
    const struct flash_sector *before = flash->sectors[index];
    enum err err = ERR_OK;
    if (profile->worn != FLASH_GOOD && profile->wear_limit > 0 && before->bad == FLASH_GOOD &&
        before->erases >= profile->wear_limit) {
        flash->counts.worn++;
        flash_own(flash, index)->bad = profile->worn;
    }
    if (flash_obeys(flash, index, &err)) {
        struct flash_sector *sector = flash_own(flash, index);
        sector->erases++;
        flash_sector_erase(flash, sector, 0, profile->geometry.sector_bytes);
    }
    return err;
}

bool flash_obeys(struct flash *flash, uint32_t sector, enum err *err)
{
    const enum flash_bad bad = flash->sectors[sector]->bad;
    *err = bad == FLASH_BAD_LOUD ? ERR_IO : ERR_OK;
    flash->counts.refused += bad == FLASH_BAD_LOUD;
    flash->counts.ignored += bad == FLASH_BAD_SILENT;
    return bad == FLASH_GOOD;
}

void flash_note_program(struct flash *flash, struct flash_sector *sector, uint32_t at,
                        const uint8_t *bytes)
{
    const uint32_t unit = flash->profile.geometry.program_bytes;
    const uint8_t flip = flash_flip(flash);
    uint8_t wanted = 0; /* bits that are not surely set */
    CHECK(unit > 0);
    for (uint32_t i = 0; i < unit; i++) {
        wanted |= (uint8_t)((bytes[i] ^ flip) & ~(sector->cells[at + i] ^ flip) &
                            ~(sector->stuck == NULL ? 0 : sector->stuck[at + i]));
    }
    for (uint32_t i = 0; sector->uncertain != NULL && i < unit; i++) {
        wanted |= (uint8_t)((bytes[i] ^ flip) & sector->uncertain[at + i]);
    }
    count_program(flash, &sector->programs[at / unit], wanted != 0);
}

void flash_map_banks(struct flash *flash)
{
    const uint32_t count = flash->profile.geometry.sector_count;
    if (flash->swap_option == flash->swapped) {
        return;
    }
    flash->swapped = flash->swap_option;
    swap_halves(flash->sectors, count);
    if (flash->durable != NULL) {
        swap_halves(flash->durable, count);
    }
    for (uint32_t i = 0; flash->reads != NULL && i < count / 2; i++) {
        const uint32_t reads = flash->reads[i];
        flash->reads[i] = flash->reads[i + count / 2];
        flash->reads[i + count / 2] = reads;
    }
}

static enum err read_cells(struct flash *flash, uint32_t offset, uint8_t *bytes,
                           uint32_t size_bytes, enum answer answer, uint64_t draw_key)
{
    if (!flash_in_range(flash, offset, size_bytes)) {
        return ERR_RANGE;
    }
    flash->counts.reads++;
    bool uncertain = false;
    bool poisoned = false;
    for (uint32_t done = 0; done < size_bytes;) {
        const struct flash_span span = flash_span(flash, offset + done, size_bytes - done);
        memcpy(bytes + done, flash->sectors[span.sector]->cells + span.at, span.size_bytes);
        poisoned = is_poisoned(flash, span) || poisoned;
        uncertain =
            unsettle(flash, span, offset + done, bytes + done, answer, draw_key) || uncertain;
        if (flash->reads != NULL) {
            flash_disturb(flash, span, random_at(draw_key, offset));
        }
        done += span.size_bytes;
    }
    const enum flash_ecc ecc = flash->profile.ecc;
    flash->counts.poisoned_reads += poisoned;
    flash->counts.uncertain_reads += uncertain && (ecc == FLASH_ECC_NONE || poisoned);
    flash->counts.corrected_reads += uncertain && ecc != FLASH_ECC_NONE && !poisoned;
    return poisoned && ecc != FLASH_ECC_GARBAGE ? ERR_IO : ERR_OK;
}

/* Give the uncertain bits of a span their answer; ECC leaves them as they should be, if it can.
 * Were there any? */
static bool unsettle(const struct flash *flash, struct flash_span span, uint32_t offset,
                     uint8_t *bytes, enum answer answer, uint64_t draw_key)
{
    const struct flash_sector *sector = flash->sectors[span.sector];
    if (!is_uncertain(flash, span)) {
        return false;
    }
    const uint32_t unit = flash->profile.geometry.program_bytes;
    for (uint32_t i = 0; i < span.size_bytes; i++) {
        const uint8_t bits = sector->uncertain[span.at + i];
        const bool corrected = flash->profile.ecc != FLASH_ECC_NONE &&
                               (sector->poison == NULL || !sector->poison[(span.at + i) / unit]);
        if (bits == 0 || corrected) {
            continue;
        }
        uint8_t reads = (uint8_t)random_at(draw_key, offset + i);
        if (answer == ANSWER_PATTERN) {
            reads = (offset + i) % 2 == 0 ? 0x55 : 0xaa;
        } else if (answer != ANSWER_DRAWN) {
            reads = (uint8_t)((answer == ANSWER_ERASED ? 0xff : 0x00) ^ flash_flip(flash));
        }
        bytes[i] = (uint8_t)((bytes[i] & ~bits) | (reads & bits));
    }
    return true;
}

static bool is_poisoned(const struct flash *flash, struct flash_span span)
{
    const struct flash_sector *sector = flash->sectors[span.sector];
    const uint32_t unit = flash->profile.geometry.program_bytes;
    if (sector->poison == NULL || span.size_bytes == 0) {
        return false;
    }
    const uint32_t last = (span.at + span.size_bytes - 1) / unit;
    return memchr(sector->poison + span.at / unit, 1, last - span.at / unit + 1) != NULL;
}

static bool is_uncertain(const struct flash *flash, struct flash_span span)
{
    const uint8_t *mask = flash->sectors[span.sector]->uncertain;
    return mask != NULL && !flash_is_zero(mask + span.at, span.size_bytes);
}

static void program_span(struct flash *flash, struct flash_sector *sector, struct flash_span span,
                         const uint8_t *bytes)
{
    const uint32_t unit = flash->profile.geometry.program_bytes;
    uint8_t *cells = sector->cells + span.at;
    const bool certain =
        sector->uncertain == NULL && sector->poison == NULL && sector->stuck == NULL;
    if (!certain || wants_unset(cells, bytes, span.size_bytes, flash_flip(flash))) {
        for (uint32_t i = 0; i < span.size_bytes; i += unit) {
            program_unit(flash, sector, span.at + i, bytes + i);
        }
        return;
    }
    memcpy(cells, bytes, span.size_bytes); /* what most programs are */
    for (uint32_t i = 0; i < span.size_bytes; i += unit) {
        count_program(flash, &sector->programs[(span.at + i) / unit], false);
    }
}

/* Is any bit to stay as erased that is programmed? Words at a time, and bytes at the end. */
static bool wants_unset(const uint8_t *cells, const uint8_t *bytes, uint32_t size_bytes,
                        uint8_t flip)
{
    const uint64_t flips = flip == 0 ? 0 : UINT64_MAX;
    uint64_t cell = 0, byte = 0, wanted = 0;
    uint32_t done = 0;
    for (; size_bytes - done >= sizeof cell; done += (uint32_t)sizeof cell) {
        memcpy(&cell, cells + done, sizeof cell);
        memcpy(&byte, bytes + done, sizeof byte);
        wanted |= (byte ^ flips) & ~(cell ^ flips);
    }
    for (; done < size_bytes; done++) {
        wanted |= (uint8_t)((bytes[done] ^ flip) & ~(cells[done] ^ flip));
    }
    return wanted != 0;
}

static void count_program(struct flash *flash, uint8_t *programs, bool breach)
{
    const struct flash_profile *profile = &flash->profile;
    const uint32_t limit = profile->program_once ? 1 : profile->program_limit;
    flash->counts.discipline += breach || (limit > 0 && *programs >= limit);
    if (*programs < UINT8_MAX) {
        (*programs)++;
    }
}

static void program_unit(struct flash *flash, struct flash_sector *sector, uint32_t at,
                         const uint8_t *bytes)
{
    const uint32_t unit = flash->profile.geometry.program_bytes;
    const uint8_t flip = flash_flip(flash);
    flash_note_program(flash, sector, at, bytes);
    if (sector->poison != NULL && sector->poison[at / unit] != 0) {
        return;
    }
    uint8_t *cells = sector->cells + at;
    for (uint32_t i = 0; i < unit; i++) {
        const uint8_t stuck = sector->stuck == NULL ? 0 : sector->stuck[at + i];
        const uint8_t cell = (uint8_t)(((cells[i] ^ flip) & (bytes[i] ^ flip)) ^ flip);
        cells[i] = (uint8_t)((cell & ~stuck) | (cells[i] & stuck));
    }
    for (uint32_t i = 0; sector->uncertain != NULL && i < unit; i++) {
        sector->uncertain[at + i] &= bytes[i] ^ flip; /* what is programmed is certain now */
    }
}

static void swap_halves(struct flash_sector **sectors, uint32_t count)
{
    for (uint32_t i = 0; i < count / 2; i++) {
        struct flash_sector *low = sectors[i];
        sectors[i] = sectors[i + count / 2];
        sectors[i + count / 2] = low;
    }
}
