/* Sectors, which parts and snapshots share until one of them changes; and what an image is worth as
 * a key: see flash.h. */
#include "sim/flash_inside.h"

#include <stdlib.h>
#include <string.h>

#include "core/check.h"
#include "sim/hash.h"

enum { FOLD_WORDS = 512 };

/* Words on their way into one digest; of many words the digest so far comes first. They count in
 * the order of this machine's bytes: digests are compared with others of the same build. */
struct fold {
    uint32_t count;
    uint64_t words[FOLD_WORDS];
};

static struct flash *shell(const struct flash_profile *profile);
static struct flash_sector *sector_copy(const struct flash *flash,
                                        const struct flash_sector *source);
static uint8_t *mask_copy(const uint8_t *mask, uint32_t size_bytes);
static void mask_hash(const uint8_t *mask, uint32_t size_bytes, uint64_t digest[2]);
static void sector_hash(const struct flash *flash, struct flash_sector *sector);
static void fold_pending(struct fold *fold, const struct flash *flash);
static void fold_sectors(struct fold *fold, const struct flash *flash,
                         struct flash_sector *const *sectors);
static void fold_word(struct fold *fold, uint64_t word);
static void fold_end(const struct fold *fold, uint64_t digest[2]);

struct flash *flash_create(const struct flash_profile *profile)
{
    const struct flash_geometry *geometry = &profile->geometry;
    CHECK(geometry->sector_count >= 1);
    CHECK(geometry->program_bytes >= 1);
    CHECK(geometry->sector_bytes >= geometry->program_bytes);
    CHECK(geometry->sector_bytes % geometry->program_bytes == 0);
    CHECK(geometry->sector_bytes <= FLASH_BYTES_MAX / geometry->sector_count);
    CHECK(geometry->erased_value == 0xff || geometry->erased_value == 0x00);
    CHECK(profile->cache_pages <= FLASH_CACHE_PAGES_MAX);
    CHECK(profile->page_bytes % geometry->program_bytes == 0);
    CHECK(profile->page_bytes == 0 || geometry->sector_bytes % profile->page_bytes == 0);
    CHECK(profile->cache_pages == 0 || profile->page_bytes > 0);
    CHECK(profile->otp_bytes <= geometry->sector_bytes);
    CHECK(profile->run_count <= FLASH_RUNS_MAX);
    CHECK(!profile->dual_bank || geometry->sector_count % 2 == 0);
    struct flash *flash = shell(profile);
    if (flash == NULL) {
        return NULL;
    }
    struct flash_sector *erased = flash_sector_create(flash);
    if (erased == NULL) {
        free(flash);
        return NULL;
    }
    for (uint32_t i = 0; i < flash->sector_count; i++) {
        flash->sectors[i] = erased;
        erased->references++;
        if (flash->durable != NULL) {
            flash->durable[i] = erased;
            erased->references++;
        }
    }
    flash_release(erased);
    return flash;
}

void flash_free(struct flash *flash)
{
    if (flash == NULL) {
        return;
    }
    for (uint32_t i = 0; i < flash->sector_count; i++) {
        flash_release(flash->sectors[i]);
        if (flash->durable != NULL) {
            flash_release(flash->durable[i]);
        }
    }
    for (uint32_t i = 0; i < flash->pending_count; i++) {
        flash_pending_release(flash->pending[i]);
    }
    free(flash);
}

struct flash *flash_snapshot(const struct flash *flash)
{
    struct flash *snapshot = shell(&flash->profile);
    if (snapshot != NULL) {
        flash_restore(snapshot, flash);
    }
    return snapshot;
}

void flash_drop(struct flash *snapshot)
{
    flash_free(snapshot);
}

void flash_restore(struct flash *flash, const struct flash *snapshot)
{
    CHECK(flash->size_bytes == snapshot->size_bytes);
    CHECK(flash->sector_count == snapshot->sector_count);
    CHECK((flash->durable == NULL) == (snapshot->durable == NULL));
    CHECK((flash->reads == NULL) == (snapshot->reads == NULL));
    flash_share(flash->sectors, snapshot->sectors, flash->sector_count);
    if (flash->durable != NULL) {
        flash_share(flash->durable, snapshot->durable, flash->sector_count);
    }
    if (flash->reads != NULL) {
        memcpy(flash->reads, snapshot->reads, flash->sector_count * sizeof *flash->reads);
    }
    for (uint32_t i = 0; i < snapshot->pending_count; i++) {
        snapshot->pending[i]->references++;
    }
    for (uint32_t i = 0; i < flash->pending_count; i++) {
        flash_pending_release(flash->pending[i]);
    }
    for (uint32_t i = 0; i < snapshot->pending_count; i++) {
        flash->pending[i] = snapshot->pending[i];
    }
    flash->pending_count = snapshot->pending_count;
    flash->swap_option = snapshot->swap_option;
    flash->swapped = snapshot->swapped;
    memcpy(flash->counters, snapshot->counters, sizeof flash->counters);
    flash->counts = snapshot->counts;
}

struct flash_sector *flash_take(const struct flash *flash, uint32_t sector)
{
    CHECK(sector < flash->sector_count);
    struct flash_sector *taken = flash->sectors[sector];
    if (!taken->hashed) {
        sector_hash(flash, taken);
    }
    taken->references++;
    return taken;
}

void flash_give(struct flash *flash, uint32_t sector, struct flash_sector *taken)
{
    CHECK(sector < flash->sector_count);
    CHECK(flash->pending_count == 0);
    flash_share(&flash->sectors[sector], &taken, 1);
    if (flash->durable != NULL) {
        flash_share(&flash->durable[sector], &taken, 1);
    }
}

void flash_release(struct flash_sector *taken)
{
    if (taken == NULL || --taken->references > 0) {
        return;
    }
    free(taken->uncertain);
    free(taken->poison);
    free(taken->stuck);
    free(taken);
}

struct flash_sector *flash_own(struct flash *flash, uint32_t sector)
{
    struct flash_sector *own = flash->sectors[sector];
    if (own->references > 1) {
        flash->sectors[sector] = sector_copy(flash, own);
        own->references--;
        own = flash->sectors[sector];
    }
    own->hashed = false;
    return own;
}

void flash_hash(const struct flash *flash, uint64_t digest[2])
{
    struct fold fold;
    fold.count = 0;
    fold_sectors(&fold, flash, flash->sectors);
    for (uint32_t i = 0; i < COUNTER_COUNT; i++) {
        fold_word(&fold, flash->counters[i]);
    }
    fold_word(&fold, (flash->swap_option ? 1u : 0u) | (flash->swapped ? 2u : 0u));
    fold_word(&fold, flash->pending_count);
    if (flash->pending_count > 0) {
        fold_pending(&fold, flash);
    }
    for (uint32_t i = 0; flash->reads != NULL && i < flash->sector_count; i++) {
        fold_word(&fold, flash->reads[i]);
    }
    fold_end(&fold, digest);
}

/* ---- inside ---------------------------------------------------------------------------------- */

struct flash_sector *flash_sector_create(const struct flash *flash)
{
    const struct flash_geometry *geometry = &flash->profile.geometry;
    const uint32_t units = flash_units(flash);
    struct flash_sector *sector = malloc(sizeof *sector + geometry->sector_bytes + units);
    if (sector == NULL) {
        return NULL;
    }
    *sector = (struct flash_sector){.references = 1};
    sector->cells = (uint8_t *)(sector + 1);
    sector->programs = sector->cells + geometry->sector_bytes;
    memset(sector->cells, geometry->erased_value, geometry->sector_bytes);
    memset(sector->programs, 0, units);
    return sector;
}

uint8_t *flash_uncertain(const struct flash *flash, struct flash_sector *sector)
{
    if (sector->uncertain == NULL) {
        sector->uncertain = calloc(flash->profile.geometry.sector_bytes, 1);
        CHECK(sector->uncertain != NULL);
    }
    return sector->uncertain;
}

void flash_sector_erase(const struct flash *flash, struct flash_sector *sector, uint32_t at,
                        uint32_t size_bytes)
{
    const struct flash_geometry *geometry = &flash->profile.geometry;
    const uint32_t unit = at / geometry->program_bytes;
    const uint32_t units = size_bytes / geometry->program_bytes;
    for (uint32_t i = at; sector->stuck != NULL && i < at + size_bytes; i++) {
        const uint8_t stuck = sector->stuck[i];
        sector->cells[i] =
            (uint8_t)((geometry->erased_value & ~stuck) | (sector->cells[i] & stuck));
    }
    if (sector->stuck == NULL) {
        memset(sector->cells + at, geometry->erased_value, size_bytes);
    }
    memset(sector->programs + unit, 0, units);
    if (size_bytes == geometry->sector_bytes) {
        free(sector->uncertain);
        free(sector->poison);
        sector->uncertain = NULL;
        sector->poison = NULL;
    }
    if (sector->uncertain != NULL) {
        memset(sector->uncertain + at, 0, size_bytes);
    }
    if (sector->poison != NULL) {
        memset(sector->poison + unit, 0, units);
    }
}

/* All poisoned units look alike, so that searches do not tell apart what no read can. */
void flash_poison(const struct flash *flash, struct flash_sector *sector, uint32_t at)
{
    const struct flash_geometry *geometry = &flash->profile.geometry;
    const bool garbage = flash->profile.ecc == FLASH_ECC_GARBAGE;
    if (sector->poison == NULL) {
        sector->poison = calloc(flash_units(flash), 1);
        CHECK(sector->poison != NULL);
    }
    sector->poison[at / geometry->program_bytes] = 1;
    sector->programs[at / geometry->program_bytes] = 1;
    for (uint32_t i = at; i < at + geometry->program_bytes; i++) {
        const uint8_t stuck = sector->stuck == NULL ? 0 : sector->stuck[i];
        const uint8_t cell = garbage ? geometry->erased_value : flash_flip(flash);
        sector->cells[i] = (uint8_t)((cell & ~stuck) | (sector->cells[i] & stuck));
        flash_uncertain(flash, sector)[i] = garbage ? (uint8_t)~stuck : 0;
    }
}

void flash_check_ecc(const struct flash *flash, struct flash_sector *sector, uint32_t at,
                     uint32_t size_bytes)
{
    const uint32_t unit = flash->profile.geometry.program_bytes;
    if (flash->profile.ecc == FLASH_ECC_NONE || sector->uncertain == NULL) {
        return;
    }
    for (uint32_t i = at - at % unit; i < at + size_bytes; i += unit) {
        uint32_t bits = 0;
        for (uint32_t byte = i; byte < i + unit; byte++) {
            for (uint32_t mask = sector->uncertain[byte]; mask != 0; mask &= mask - 1) {
                bits++;
            }
        }
        if (bits > 1) {
            flash_poison(flash, sector, i);
        }
    }
}

void flash_share(struct flash_sector **target, struct flash_sector *const *source, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        if (target[i] != source[i]) {
            flash_release(target[i]);
            target[i] = source[i];
            target[i]->references++;
        }
    }
}

/* A part whose tables are in one piece of memory with it; it has no sectors yet. */
static struct flash *shell(const struct flash_profile *profile)
{
    const uint32_t count = profile->geometry.sector_count + (profile->otp_bytes > 0 ? 1u : 0u);
    const bool cached = profile->cache_pages > 0;
    const uint32_t pointers = cached ? 2 * count + FLASH_CACHE_PAGES_MAX : count;
    const uint32_t reads = profile->disturb_reads > 0 ? count : 0;
    struct flash *flash =
        calloc(1, sizeof *flash + pointers * sizeof(void *) + reads * sizeof *flash->reads);
    if (flash == NULL) {
        return NULL;
    }
    uint8_t *tables = (uint8_t *)(flash + 1);
    flash->profile = *profile;
    flash->size_bytes = profile->geometry.sector_bytes * profile->geometry.sector_count;
    flash->sector_count = count;
    flash->sectors = (void *)tables;
    if (cached) {
        flash->durable = (void *)(tables + count * sizeof(void *));
        flash->pending = (void *)(tables + 2 * count * sizeof(void *));
    }
    if (reads > 0) {
        flash->reads = (void *)(tables + pointers * sizeof(void *));
    }
    return flash;
}

static struct flash_sector *sector_copy(const struct flash *flash,
                                        const struct flash_sector *source)
{
    const uint32_t sector_bytes = flash->profile.geometry.sector_bytes;
    const uint32_t units = flash_units(flash);
    struct flash_sector *copy = malloc(sizeof *copy + sector_bytes + units);
    CHECK(copy != NULL);
    *copy = *source;
    copy->references = 1;
    copy->cells = (uint8_t *)(copy + 1);
    copy->programs = copy->cells + sector_bytes;
    memcpy(copy->cells, source->cells, sector_bytes + units);
    copy->uncertain = mask_copy(source->uncertain, sector_bytes);
    copy->poison = mask_copy(source->poison, units);
    copy->stuck = mask_copy(source->stuck, sector_bytes);
    return copy;
}

static uint8_t *mask_copy(const uint8_t *mask, uint32_t size_bytes)
{
    if (mask == NULL) {
        return NULL;
    }
    uint8_t *copy = malloc(size_bytes);
    CHECK(copy != NULL);
    memcpy(copy, mask, size_bytes);
    return copy;
}

/* A mask without a bit is none. */
static void mask_hash(const uint8_t *mask, uint32_t size_bytes, uint64_t digest[2])
{
    if (mask != NULL && !flash_is_zero(mask, size_bytes)) {
        hash_once(mask, size_bytes, digest);
    }
}

static void sector_hash(const struct flash *flash, struct flash_sector *sector)
{
    const struct flash_profile *profile = &flash->profile;
    const uint32_t sector_bytes = profile->geometry.sector_bytes;
    const uint32_t units = flash_units(flash);
    const bool limited = profile->program_once || profile->program_limit > 0;
    uint64_t parts[8] = {0};
    hash_once(sector->cells, limited ? sector_bytes + units : sector_bytes, &parts[0]);
    mask_hash(sector->uncertain, sector_bytes, &parts[2]);
    mask_hash(sector->poison, units, &parts[4]);
    mask_hash(sector->stuck, sector_bytes, &parts[6]);
    struct fold fold;
    fold.count = 0;
    for (uint32_t i = 0; i < 8; i++) {
        fold_word(&fold, parts[i]);
    }
    fold_word(&fold, sector->bad);
    fold_word(&fold, profile->wear_limit > 0 ? sector->erases : 0);
    fold_end(&fold, sector->digest);
    sector->hashed = true;
}

static void fold_sectors(struct fold *fold, const struct flash *flash,
                         struct flash_sector *const *sectors)
{
    for (uint32_t i = 0; i < flash->sector_count; i++) {
        if (!sectors[i]->hashed) {
            sector_hash(flash, sectors[i]);
        }
        fold_word(fold, sectors[i]->digest[0]);
        fold_word(fold, sectors[i]->digest[1]);
    }
}

static void fold_pending(struct fold *fold, const struct flash *flash)
{
    fold_sectors(fold, flash, flash->durable);
    for (uint32_t i = 0; i < flash->pending_count; i++) {
        const struct flash_pending *pending = flash->pending[i];
        uint64_t digest[2];
        hash_once(pending->bytes, pending->size_bytes, digest);
        fold_word(fold, pending->offset);
        fold_word(fold, pending->size_bytes);
        fold_word(fold, digest[0]);
        fold_word(fold, digest[1]);
    }
}

static void fold_word(struct fold *fold, uint64_t word)
{
    if (fold->count == FOLD_WORDS) {
        hash_once(fold->words, sizeof fold->words, fold->words);
        fold->count = 2;
    }
    fold->words[fold->count++] = word;
}

static void fold_end(const struct fold *fold, uint64_t digest[2])
{
    hash_once(fold->words, fold->count * (uint32_t)sizeof fold->words[0], digest);
}
