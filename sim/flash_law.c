#include "sim/flash_law.h"

#include "core/check.h"

static bool holds(const struct flash_geometry *geometry, struct slot_region region,
                  struct flash_range range);

bool flash_law_may_write(const struct slot_layout *layout, const struct flash_geometry *geometry,
                         uint32_t running, struct flash_range range)
{
    CHECK(running <= SLOT_NONE);
    if (holds(geometry, layout->boot_store, range)) {
        return true;
    }
    if (running == SLOT_NONE) {
        return false;
    }
    const uint32_t other = running == SLOT_A ? SLOT_B : SLOT_A;
    return holds(geometry, layout->app_store, range) ||
           holds(geometry, layout->slots[other], range);
}

/* In 64 bits: a range may be anything. */
static bool holds(const struct flash_geometry *geometry, struct slot_region region,
                  struct flash_range range)
{
    const uint64_t sector_bytes = geometry->sector_bytes;
    const uint64_t begin = region.first_sector * sector_bytes;
    const uint64_t end = begin + region.sector_count * sector_bytes;
    const uint64_t size_bytes = sector_bytes * geometry->sector_count;
    return range.size_bytes > 0 && range.offset >= begin && end <= size_bytes &&
           (uint64_t)range.offset + range.size_bytes <= end;
}
