/* The cache of a flash part. Its cells are kept twice, as they read and as power would leave them;
 * sectors that do not differ are shared. See flash.h. */
#include "sim/flash_inside.h"

#include <stdlib.h>
#include <string.h>

#include "core/check.h"

static void remember(struct flash *flash, uint32_t offset, const uint8_t *bytes,
                     uint32_t size_bytes);
static void write_back(struct flash *flash);
static void apply(struct flash *flash, const struct flash_pending *pending);
static void tear(struct flash *flash, const struct flash_pending *pending, struct flash_cut cut);
static bool rests_on(const struct flash *flash, const struct flash_pending *pending,
                     const struct flash_pending *older);

void flash_sync(struct flash *flash)
{
    if (flash->durable == NULL) {
        return;
    }
    flash_share(flash->durable, flash->sectors, flash->sector_count);
    for (uint32_t i = 0; i < flash->pending_count; i++) {
        flash_pending_release(flash->pending[i]);
    }
    flash->pending_count = 0;
}

void flash_power_cut(struct flash *flash, uint64_t kept, struct flash_cut cut)
{
    const struct flash_counts counts = flash->counts; /* nothing is done again for the reader */
    uint64_t lost = 0;
    if (flash->durable != NULL) {
        flash_share(flash->sectors, flash->durable, flash->sector_count);
    }
    for (uint32_t i = 0; i < flash->pending_count; i++) {
        bool survives = (kept >> i & 1u) != 0;
        for (uint32_t j = 0; j < i; j++) {
            survives = survives && ((lost >> j & 1u) == 0 ||
                                    !rests_on(flash, flash->pending[i], flash->pending[j]));
        }
        if (survives) {
            apply(flash, flash->pending[i]);
            continue;
        }
        if (lost == 0) {
            tear(flash, flash->pending[i], cut);
        }
        lost |= UINT64_C(1) << i;
    }
    flash->counts = counts;
    for (; lost != 0; lost &= lost - 1) {
        flash->counts.lost_writes++;
    }
    flash_sync(flash);
    flash_map_banks(flash);
}

void flash_remember(struct flash *flash, uint32_t offset, const uint8_t *bytes, uint32_t size_bytes)
{
    const uint32_t page = flash->profile.page_bytes;
    if (flash->durable == NULL) {
        return;
    }
    if (size_bytes == 0) {
        remember(flash, offset, NULL, 0);
    }
    for (uint32_t done = 0; done < size_bytes;) {
        const uint32_t room = page - (offset + done) % page;
        const uint32_t size = size_bytes - done < room ? size_bytes - done : room;
        remember(flash, offset + done, bytes + done, size);
        done += size;
    }
}

void flash_pending_release(struct flash_pending *pending)
{
    if (--pending->references == 0) {
        free(pending);
    }
}

static void remember(struct flash *flash, uint32_t offset, const uint8_t *bytes,
                     uint32_t size_bytes)
{
    if (flash->pending_count == flash->profile.cache_pages) {
        write_back(flash);
    }
    struct flash_pending *pending = malloc(sizeof *pending + size_bytes);
    CHECK(pending != NULL);
    pending->references = 1;
    pending->offset = offset;
    pending->size_bytes = size_bytes;
    if (size_bytes > 0) {
        memcpy(pending->bytes, bytes, size_bytes);
    }
    flash->pending[flash->pending_count++] = pending;
}

/* The cache is full: the part makes the oldest durable by itself. */
static void write_back(struct flash *flash)
{
    struct flash_pending *oldest = flash->pending[0];
    struct flash_sector **sectors = flash->sectors;
    const struct flash_counts counts = flash->counts;
    flash->sectors = flash->durable;
    apply(flash, oldest);
    flash->sectors = sectors;
    flash->counts = counts;
    flash->pending_count--;
    for (uint32_t i = 0; i < flash->pending_count; i++) {
        flash->pending[i] = flash->pending[i + 1];
    }
    flash_pending_release(oldest);
}

/* What it answered was told when it was asked for. */
static void apply(struct flash *flash, const struct flash_pending *pending)
{
    if (pending->size_bytes == 0) {
        (void)flash_erase_cells(flash, pending->offset);
    } else {
        (void)flash_program_cells(flash, pending->offset, pending->bytes, pending->size_bytes);
    }
}

static void tear(struct flash *flash, const struct flash_pending *pending, struct flash_cut cut)
{
    const uint32_t units = pending->size_bytes / flash->profile.geometry.program_bytes;
    if (pending->size_bytes == 0) {
        (void)flash_tear_erase(flash, pending->offset, 0,
                               cut.tear == FLASH_TEAR_NONE ? FLASH_ERASE_TEAR_NONE
                                                           : FLASH_ERASE_TEAR_MIXED);
        return;
    }
    cut.units_done = cut.units_done < units ? cut.units_done : units - 1;
    (void)flash_tear_program(flash, pending->offset, pending->bytes, pending->size_bytes, cut);
}

static bool rests_on(const struct flash *flash, const struct flash_pending *pending,
                     const struct flash_pending *older)
{
    const uint32_t sector = flash->profile.geometry.sector_bytes;
    const uint32_t page = flash->profile.page_bytes;
    if (older->size_bytes == 0) {
        return pending->offset / sector == older->offset / sector;
    }
    return pending->size_bytes > 0 && pending->offset / page == older->offset / page;
}
