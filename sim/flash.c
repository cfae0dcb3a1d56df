/* The simulated NOR flash: see flash.h.
 *
 * Inside, every byte is handled as on a part that erases to ones: `flip` turns cells and data of
 * the other kind around.
 */
#include "sim/flash.h"

#include <stdlib.h>
#include <string.h>

#include "core/check.h"
#include "sim/random.h"

enum {
    /* Of the 65536 parts of an erase. At first few cells have moved; then all are on their way to
     * zero; then they may be anything; at last they are erased but for a few. */
    ERASE_PROGRAM_FROM = 4096,
    ERASE_MIXED_FROM = 16384,
    ERASE_NEARLY_DONE_FROM = 63488,
    /* Ordinals of draws that are not about a byte; those are the bytes' offsets. */
    DRAW_STYLE = -1,
    DRAW_BIT = -2,
};

/* What became of the bits that a torn unit was to change. */
enum tear {
    TEAR_ALL_UNCERTAIN,
    TEAR_SOME_UNCERTAIN, /* the rest is done or not begun */
    TEAR_LAST_BIT,       /* all done but for one bit, which is uncertain */
    TEAR_FIRST_BIT,      /* none done but for one bit, which is uncertain */
    TEAR_COUNT
};

/* How the uncertain bits answer one read. */
enum answer { ANSWER_ERASED, ANSWER_PROGRAMMED, ANSWER_MIXED, ANSWER_MIXED_TOO, ANSWER_COUNT };

static uint8_t flip(const struct flash *flash);
static bool in_range(const struct flash *flash, uint32_t offset, uint32_t size_bytes);
static bool is_aligned(struct flash *flash, uint32_t offset, uint32_t size_bytes, uint32_t unit);
static uint8_t *mask_of(struct flash *flash, uint32_t offset);
static void mask_clear(struct flash *flash, uint32_t sector);
static void program_unit(struct flash *flash, uint32_t offset, const uint8_t *bytes);
static void note_program(struct flash *flash, uint32_t offset, const uint8_t *bytes);
static void tear_unit(struct flash *flash, uint32_t offset, const uint8_t *bytes,
                      uint64_t draw_key);
static uint32_t changing_bits(const struct flash *flash, uint32_t offset, const uint8_t *bytes);

struct flash *flash_create(const struct flash_profile *profile)
{
    const struct flash_geometry *geometry = &profile->geometry;
    CHECK(geometry->sector_count >= 1);
    CHECK(geometry->program_bytes >= 1);
    CHECK(geometry->sector_bytes >= geometry->program_bytes);
    CHECK(geometry->sector_bytes % geometry->program_bytes == 0);
    CHECK(geometry->sector_bytes <= UINT32_MAX / geometry->sector_count);
    CHECK(geometry->erased_value == 0xff || geometry->erased_value == 0x00);
    struct flash *flash = calloc(1, sizeof(*flash));
    if (flash == NULL) {
        return NULL;
    }
    flash->profile = *profile;
    flash->size_bytes = geometry->sector_bytes * geometry->sector_count;
    flash->cells = malloc(flash->size_bytes);
    flash->uncertain = calloc(geometry->sector_count, sizeof(*flash->uncertain));
    flash->erases = calloc(geometry->sector_count, sizeof(*flash->erases));
    flash->programs = calloc(flash->size_bytes / geometry->program_bytes, 1);
    if (flash->cells == NULL || flash->uncertain == NULL || flash->erases == NULL ||
        flash->programs == NULL) {
        flash_free(flash);
        return NULL;
    }
    memset(flash->cells, geometry->erased_value, flash->size_bytes);
    return flash;
}

void flash_free(struct flash *flash)
{
    if (flash == NULL) {
        return;
    }
    for (uint32_t i = 0; flash->uncertain != NULL && i < flash->profile.geometry.sector_count;
         i++) {
        free(flash->uncertain[i]);
    }
    free(flash->programs);
    free(flash->erases);
    free(flash->uncertain);
    free(flash->cells);
    free(flash);
}

bool flash_copy(struct flash *target, const struct flash *source)
{
    const struct flash_geometry *geometry = &source->profile.geometry;
    CHECK(target->size_bytes == source->size_bytes);
    CHECK(target->profile.geometry.sector_count == geometry->sector_count);
    CHECK(target->profile.geometry.program_bytes == geometry->program_bytes);
    for (uint32_t i = 0; i < geometry->sector_count; i++) {
        if (source->uncertain[i] == NULL) {
            mask_clear(target, i);
            continue;
        }
        uint8_t *mask = mask_of(target, i * geometry->sector_bytes);
        if (mask == NULL) {
            return false;
        }
        memcpy(mask, source->uncertain[i], geometry->sector_bytes);
    }
    target->profile = source->profile;
    target->counts = source->counts;
    memcpy(target->cells, source->cells, source->size_bytes);
    memcpy(target->erases, source->erases, geometry->sector_count * sizeof(*source->erases));
    memcpy(target->programs, source->programs, source->size_bytes / geometry->program_bytes);
    return true;
}

enum err flash_read(struct flash *flash, uint32_t offset, uint8_t *bytes, uint32_t size_bytes,
                    uint64_t draw_key)
{
    if (!in_range(flash, offset, size_bytes)) {
        return ERR_RANGE;
    }
    flash->counts.reads++;
    memcpy(bytes, flash->cells + offset, size_bytes);
    if (!flash_is_uncertain(flash, offset, size_bytes)) {
        return ERR_OK;
    }
    flash->counts.uncertain_reads++;
    const uint32_t sector_bytes = flash->profile.geometry.sector_bytes;
    const enum answer answer =
        (enum answer)(random_at(draw_key, (uint64_t)DRAW_STYLE) % ANSWER_COUNT);
    for (uint32_t i = 0; i < size_bytes; i++) {
        const uint32_t at = offset + i;
        const uint8_t *mask = flash->uncertain[at / sector_bytes];
        const uint8_t bits = mask == NULL ? 0 : mask[at % sector_bytes];
        if (bits == 0) {
            continue;
        }
        uint8_t draw = (uint8_t)random_at(draw_key, at);
        if (answer == ANSWER_ERASED || answer == ANSWER_PROGRAMMED) {
            draw = (uint8_t)((answer == ANSWER_ERASED ? 0xff : 0x00) ^ flip(flash));
        }
        bytes[i] = (uint8_t)((bytes[i] & ~bits) | (draw & bits));
    }
    return ERR_OK;
}

enum err flash_program(struct flash *flash, uint32_t offset, const uint8_t *bytes,
                       uint32_t size_bytes)
{
    const uint32_t unit = flash->profile.geometry.program_bytes;
    if (!is_aligned(flash, offset, size_bytes, unit)) {
        return ERR_RANGE;
    }
    flash->counts.programs++;
    for (uint32_t done = 0; done < size_bytes; done += unit) {
        program_unit(flash, offset + done, bytes + done);
    }
    return ERR_OK;
}

enum err flash_erase(struct flash *flash, uint32_t offset)
{
    const struct flash_geometry *geometry = &flash->profile.geometry;
    if (!is_aligned(flash, offset, geometry->sector_bytes, geometry->sector_bytes)) {
        return ERR_RANGE;
    }
    const uint32_t sector = offset / geometry->sector_bytes;
    flash->counts.erases++;
    flash->erases[sector]++;
    memset(flash->cells + offset, geometry->erased_value, geometry->sector_bytes);
    memset(flash->programs + offset / geometry->program_bytes, 0,
           geometry->sector_bytes / geometry->program_bytes);
    mask_clear(flash, sector);
    return ERR_OK;
}

enum err flash_program_torn(struct flash *flash, uint32_t offset, const uint8_t *bytes,
                            uint32_t size_bytes, uint16_t fraction, uint64_t draw_key)
{
    const uint32_t unit = flash->profile.geometry.program_bytes;
    if (!is_aligned(flash, offset, size_bytes, unit)) {
        return ERR_RANGE;
    }
    flash->counts.torn_programs++;
    const uint32_t units_done = (uint32_t)((uint64_t)(size_bytes / unit) * fraction >> 16);
    const uint32_t torn = units_done * unit;
    for (uint32_t done = 0; done < torn; done += unit) {
        program_unit(flash, offset + done, bytes + done);
    }
    tear_unit(flash, offset + torn, bytes + torn, draw_key);
    return ERR_OK;
}

enum err flash_erase_torn(struct flash *flash, uint32_t offset, uint16_t fraction,
                          uint64_t draw_key)
{
    const struct flash_geometry *geometry = &flash->profile.geometry;
    if (!is_aligned(flash, offset, geometry->sector_bytes, geometry->sector_bytes)) {
        return ERR_RANGE;
    }
    flash->counts.torn_erases++;
    flash->erases[offset / geometry->sector_bytes]++;
    uint8_t *mask = mask_of(flash, offset);
    CHECK(mask != NULL);
    for (uint32_t i = 0; i < geometry->sector_bytes; i++) {
        uint8_t *cell = &flash->cells[offset + i];
        const uint64_t draw = random_at(draw_key, offset + i);
        const uint8_t one = (uint8_t)((draw >> 8) % 64 == 0 ? 1u << (draw & 7u) : 0u);
        const uint8_t ones = *cell ^ flip(flash); /* zeros stay until all are zero */
        if (fraction < ERASE_PROGRAM_FROM) {
            mask[i] |= ones & one;
        } else if (fraction < ERASE_MIXED_FROM) {
            mask[i] |= ones;
        } else if (fraction < ERASE_NEARLY_DONE_FROM) {
            *cell = (uint8_t)draw;
            mask[i] = 0xff;
        } else {
            *cell = geometry->erased_value;
            mask[i] = one;
        }
        /* To program a unit that the erase has touched is to program it a second time. */
        if (mask[i] != 0 || fraction >= ERASE_MIXED_FROM) {
            flash->programs[(offset + i) / geometry->program_bytes] = 1;
        }
    }
    return ERR_OK;
}

uint64_t flash_program_us(const struct flash *flash, uint32_t size_bytes)
{
    const uint32_t unit = flash->profile.geometry.program_bytes;
    return ((uint64_t)size_bytes + unit - 1) / unit * flash->profile.program_us;
}

uint64_t flash_erase_us(const struct flash *flash)
{
    return flash->profile.erase_us;
}

bool flash_is_uncertain(const struct flash *flash, uint32_t offset, uint32_t size_bytes)
{
    CHECK(in_range(flash, offset, size_bytes));
    const uint32_t sector_bytes = flash->profile.geometry.sector_bytes;
    uint32_t at = offset;
    while (at < offset + size_bytes) {
        const uint8_t *mask = flash->uncertain[at / sector_bytes];
        if (mask == NULL) {
            at += sector_bytes - at % sector_bytes;
            continue;
        }
        if (mask[at % sector_bytes] != 0) {
            return true;
        }
        at++;
    }
    return false;
}

static uint8_t flip(const struct flash *flash)
{
    return (uint8_t)~flash->profile.geometry.erased_value;
}

static bool in_range(const struct flash *flash, uint32_t offset, uint32_t size_bytes)
{
    return offset <= flash->size_bytes && size_bytes <= flash->size_bytes - offset;
}

static bool is_aligned(struct flash *flash, uint32_t offset, uint32_t size_bytes, uint32_t unit)
{
    if (in_range(flash, offset, size_bytes) && size_bytes > 0 && offset % unit == 0 &&
        size_bytes % unit == 0) {
        return true;
    }
    flash->counts.discipline++;
    return false;
}

/* The sector's mask, made if there is none. */
static uint8_t *mask_of(struct flash *flash, uint32_t offset)
{
    const uint32_t sector_bytes = flash->profile.geometry.sector_bytes;
    uint8_t **mask = &flash->uncertain[offset / sector_bytes];
    if (*mask == NULL) {
        *mask = calloc(sector_bytes, 1);
    }
    return *mask;
}

static void mask_clear(struct flash *flash, uint32_t sector)
{
    free(flash->uncertain[sector]);
    flash->uncertain[sector] = NULL;
}

static void program_unit(struct flash *flash, uint32_t offset, const uint8_t *bytes)
{
    const struct flash_geometry *geometry = &flash->profile.geometry;
    uint8_t *mask = flash->uncertain[offset / geometry->sector_bytes];
    note_program(flash, offset, bytes);
    for (uint32_t i = 0; i < geometry->program_bytes; i++) {
        const uint8_t data = bytes[i] ^ flip(flash);
        const uint8_t cell = flash->cells[offset + i] ^ flip(flash);
        flash->cells[offset + i] = (uint8_t)((cell & data) ^ flip(flash));
        if (mask != NULL) {
            mask[(offset + i) % geometry->sector_bytes] &= data; /* zeros are certain now */
        }
    }
}

/* Count the program, and at most one breach: a second time, or a bit wanted that is not surely set.
 */
static void note_program(struct flash *flash, uint32_t offset, const uint8_t *bytes)
{
    const struct flash_geometry *geometry = &flash->profile.geometry;
    const uint8_t *mask = flash->uncertain[offset / geometry->sector_bytes];
    uint8_t *programs = &flash->programs[offset / geometry->program_bytes];
    bool breach = flash->profile.program_once && *programs > 0;
    for (uint32_t i = 0; i < geometry->program_bytes; i++) {
        const uint8_t cell = flash->cells[offset + i] ^ flip(flash);
        const uint8_t bits = mask == NULL ? 0 : mask[(offset + i) % geometry->sector_bytes];
        const uint8_t data = bytes[i] ^ flip(flash);
        breach = breach || (data & (uint8_t) ~(cell & ~bits)) != 0;
    }
    flash->counts.discipline += breach;
    if (*programs < UINT8_MAX) {
        (*programs)++;
    }
}

static void tear_unit(struct flash *flash, uint32_t offset, const uint8_t *bytes, uint64_t draw_key)
{
    const struct flash_geometry *geometry = &flash->profile.geometry;
    const uint32_t bit_count = changing_bits(flash, offset, bytes);
    note_program(flash, offset, bytes);
    if (bit_count == 0) {
        return;
    }
    uint8_t *mask = mask_of(flash, offset);
    CHECK(mask != NULL);
    const enum tear tear = (enum tear)(random_at(draw_key, (uint64_t)DRAW_STYLE) % TEAR_COUNT);
    const uint64_t chosen = random_at(draw_key, (uint64_t)DRAW_BIT) % bit_count;
    uint32_t ordinal = 0; /* of the changing bit */
    for (uint32_t i = 0; i < geometry->program_bytes; i++) {
        uint8_t *cell = &flash->cells[offset + i];
        uint8_t *uncertain = &mask[(offset + i) % geometry->sector_bytes];
        const uint64_t draw = random_at(draw_key, offset + i);
        const uint8_t changing =
            (uint8_t)((*cell ^ flip(flash)) & (uint8_t) ~(bytes[i] ^ flip(flash)));
        for (uint32_t bit = 0; bit < 8; bit++) {
            const uint8_t one = (uint8_t)(1u << bit);
            if ((changing & one) == 0) {
                continue;
            }
            const bool is_chosen = ordinal++ == chosen;
            const bool coin = (draw >> bit & 1u) != 0;
            const bool half = (draw >> (8 + bit) & 1u) != 0;
            const bool doubt =
                is_chosen || tear == TEAR_ALL_UNCERTAIN || (tear == TEAR_SOME_UNCERTAIN && half);
            const bool done = tear == TEAR_LAST_BIT || (tear != TEAR_FIRST_BIT && coin);
            *uncertain = (uint8_t)(doubt ? *uncertain | one : *uncertain);
            *cell = (uint8_t)(done ? *cell ^ one : *cell);
        }
    }
}

static uint32_t changing_bits(const struct flash *flash, uint32_t offset, const uint8_t *bytes)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < flash->profile.geometry.program_bytes; i++) {
        const uint8_t cell = flash->cells[offset + i] ^ flip(flash);
        uint32_t changing = cell & (uint8_t) ~(bytes[i] ^ flip(flash));
        for (; changing != 0; changing &= changing - 1) {
            count++;
        }
    }
    return count;
}
