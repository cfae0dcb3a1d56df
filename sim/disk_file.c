#include "sim/disk_file.h"

#include <stdlib.h>
#include <string.h>

#include "core/check.h"

enum { CAPACITY_BYTES_MIN = 16384 };

/* Resized to `size_bytes`, the new part zero. */
static void *memory_grow(void *memory, size_t old_bytes, size_t size_bytes)
{
    uint8_t *grown = realloc(memory, size_bytes);
    CHECK(grown != NULL);
    memset(grown + old_bytes, 0, size_bytes - old_bytes);
    return grown;
}

static size_t dirty_bytes(uint32_t capacity_bytes, uint32_t sector_bytes)
{
    return sizeof(uint64_t) * (((size_t)capacity_bytes / sector_bytes + 63u) / 64u);
}

static bool sector_is_dirty(const struct disk_file *file, uint32_t sector)
{
    return (file->dirty[sector / 64u] >> (sector % 64u) & 1u) != 0;
}

static void file_reserve(struct disk_file *file, uint32_t size_bytes, uint32_t sector_bytes)
{
    const uint32_t old = file->capacity_bytes;
    uint32_t capacity = old < CAPACITY_BYTES_MIN ? CAPACITY_BYTES_MIN : old;

    CHECK(size_bytes <= DISK_FILE_BYTES_MAX);
    if (size_bytes <= old) {
        return;
    }
    while (capacity < size_bytes) {
        capacity *= 2u;
    }
    file->current = memory_grow(file->current, old, capacity);
    file->dirty = memory_grow(file->dirty, old == 0 ? 0 : dirty_bytes(old, sector_bytes),
                              dirty_bytes(capacity, sector_bytes));
    file->capacity_bytes = capacity;
}

static void file_reserve_before(struct disk_file *file)
{
    if (file->before_bytes < file->capacity_bytes) {
        file->before = memory_grow(file->before, file->before_bytes, file->capacity_bytes);
        file->before_bytes = file->capacity_bytes;
    }
}

/* The bytes from offset up to end are about to change: keep what is durable of their sectors. */
static void file_mark(struct disk_file *file, uint32_t offset, uint32_t end, uint32_t sector_bytes)
{
    const uint32_t first = offset / sector_bytes;
    const uint32_t last = (end - 1u) / sector_bytes;

    CHECK(offset < end);
    CHECK(end <= file->capacity_bytes);
    for (uint32_t sector = first; sector <= last; sector++) {
        const uint32_t start = sector * sector_bytes;
        if (sector_is_dirty(file, sector)) {
            continue;
        }
        if (start < file->durable_bytes) {
            file_reserve_before(file);
            memcpy(file->before + start, file->current + start, sector_bytes);
        }
        file->dirty[sector / 64u] |= UINT64_C(1) << (sector % 64u);
    }
    if (file->dirty_first == file->dirty_end) {
        file->dirty_first = first;
        file->dirty_end = last + 1u;
    } else {
        file->dirty_first = first < file->dirty_first ? first : file->dirty_first;
        file->dirty_end = last >= file->dirty_end ? last + 1u : file->dirty_end;
    }
}

bool disk_file_is_volatile(const struct disk_file *file)
{
    return file->dirty_first != file->dirty_end || file->size_bytes != file->durable_bytes;
}

void disk_file_sync(struct disk_file *file)
{
    if (file->dirty_first != file->dirty_end) {
        const uint32_t first = file->dirty_first / 64u, last = (file->dirty_end - 1u) / 64u;
        memset(&file->dirty[first], 0, sizeof(uint64_t) * (last - first + 1u));
    }
    file->dirty_first = 0;
    file->dirty_end = 0;
    file->durable_bytes = file->size_bytes;
}

void disk_file_sync_share(struct disk_file *file, uint32_t fraction, uint32_t sector_bytes)
{
    uint32_t end = file->dirty_end;
    uint64_t count = 0;

    if (file->size_bytes < file->durable_bytes && end > file->size_bytes / sector_bytes) {
        end = file->size_bytes / sector_bytes;
    }
    for (uint32_t sector = file->dirty_first; sector < end; sector++) {
        count += sector_is_dirty(file, sector) ? 1u : 0u;
    }
    count = count * fraction / DISK_FRACTION_WHOLE;
    for (uint32_t sector = file->dirty_first; count > 0; sector++) {
        if (sector_is_dirty(file, sector)) {
            file->dirty[sector / 64u] &= ~(UINT64_C(1) << (sector % 64u));
            count--;
        }
    }
}

void disk_file_write(struct disk_file *file, uint32_t offset, const uint8_t *bytes,
                     uint32_t size_bytes, uint32_t sector_bytes)
{
    const uint32_t end = offset + size_bytes;

    if (size_bytes == 0) {
        return;
    }
    file_reserve(file, end, sector_bytes);
    file_mark(file, offset, end, sector_bytes);
    memcpy(file->current + offset, bytes, size_bytes);
    if (file->size_bytes < end) {
        file->size_bytes = end;
    }
}

void disk_file_truncate(struct disk_file *file, uint32_t size_bytes, uint32_t sector_bytes)
{
    const uint32_t old = file->size_bytes;

    if (size_bytes < old) {
        file_mark(file, size_bytes, old, sector_bytes);
        memset(file->current + size_bytes, 0, old - size_bytes);
    }
    file_reserve(file, size_bytes, sector_bytes);
    file->size_bytes = size_bytes;
}

void disk_file_release(struct disk_file *file)
{
    free(file->current);
    free(file->before);
    free(file->dirty);
    memset(file, 0, sizeof(*file));
}

/* Bytes in use, and the dirty sectors that a truncation left behind them. */
static uint32_t file_extent(const struct disk_file *file, uint32_t sector_bytes)
{
    const uint32_t dirty_end = file->dirty_end * sector_bytes;
    return dirty_end > file->size_bytes ? dirty_end : file->size_bytes;
}

void disk_file_copy(struct disk_file *target, const struct disk_file *source, uint32_t sector_bytes)
{
    const uint32_t extent = file_extent(source, sector_bytes);
    const uint32_t target_extent = file_extent(target, sector_bytes);

    disk_file_sync(target);
    file_reserve(target, extent, sector_bytes);
    if (extent > 0) {
        memcpy(target->current, source->current, extent);
    }
    if (target_extent > extent) {
        memset(target->current + extent, 0, target_extent - extent);
    }
    for (uint32_t i = source->dirty_first; i < source->dirty_end; i++) {
        if (sector_is_dirty(source, i)) {
            target->dirty[i / 64u] |= UINT64_C(1) << (i % 64u);
            if (i * sector_bytes < source->durable_bytes) {
                file_reserve_before(target);
                memcpy(target->before + i * sector_bytes, source->before + i * sector_bytes,
                       sector_bytes);
            }
        }
    }
    memcpy(target->name, source->name, sizeof(target->name));
    target->used = true;
    target->linked = source->linked;
    target->linked_durable = source->linked_durable;
    target->lied = source->lied;
    target->handle_count = 0;
    target->size_bytes = source->size_bytes;
    target->durable_bytes = source->durable_bytes;
    target->dirty_first = source->dirty_first;
    target->dirty_end = source->dirty_end;
}

/* One dirty sector: lost, written or torn. Returns false if all of it was written. */
static bool sector_settle(struct disk_file *file, uint32_t sector,
                          const struct disk_profile *profile, struct random_stream *draws,
                          struct disk_losses *losses)
{
    const uint32_t sector_bytes = profile->sector_bytes;
    const uint32_t start = sector * sector_bytes;
    const uint32_t units = sector_bytes / DISK_UNIT_BYTES;
    const uint64_t outcome = random_below(draws, units > 1u ? 3u : 2u);
    uint8_t *const bytes = file->current + start;
    uint32_t kept = outcome == 0 ? 0 : sector_bytes;

    if (outcome == 2) {
        kept = DISK_UNIT_BYTES * (1u + (uint32_t)random_below(draws, units - 1u));
    }
    losses->lost += outcome == 0 ? 1u : 0u;
    losses->written += outcome == 1 ? 1u : 0u;
    losses->torn += outcome == 2 ? 1u : 0u;
    if (outcome == 2 && profile->torn_spoils && start < file->size_bytes) {
        random_bytes(draws, bytes + kept, sector_bytes - kept);
        return true;
    }
    /* What a truncation cut off was not overwritten: it is back if the old size is. */
    if (start + kept > file->size_bytes) {
        kept = file->size_bytes > start ? file->size_bytes - start : 0;
    }
    if (start < file->durable_bytes) {
        memcpy(bytes + kept, file->before + start + kept, sector_bytes - kept);
    } else {
        memset(bytes + kept, 0, sector_bytes - kept);
    }
    return outcome != 1;
}

bool disk_file_settle(struct disk_file *file, const struct disk_profile *profile,
                      struct random_stream *draws, struct disk_losses *losses)
{
    const uint32_t extent = file_extent(file, profile->sector_bytes);
    uint32_t size_bytes = file->size_bytes;
    bool harmed = false;

    if (file->size_bytes != file->durable_bytes && random_below(draws, 2) == 0) {
        size_bytes = file->durable_bytes;
        losses->sizes++;
        harmed = true;
    }
    for (uint32_t sector = file->dirty_first; sector < file->dirty_end; sector++) {
        if (sector_is_dirty(file, sector) && sector_settle(file, sector, profile, draws, losses)) {
            harmed = true;
        }
    }
    if (size_bytes < extent) {
        memset(file->current + size_bytes, 0, extent - size_bytes);
    }
    file->size_bytes = size_bytes;
    disk_file_sync(file);
    return harmed;
}
