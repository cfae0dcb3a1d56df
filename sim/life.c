#include "sim/life.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "core/check.h"

enum {
    IMAGE_BYTES = 36 * 1024,
    PIECE_BYTES = 256,
    STORE_SECTORS = 3, /* of each store: the fewest that it works with */
    SECTOR_BYTES_MAX = 4096,
};

void life_standard(struct life *life)
{
    memset(life, 0, sizeof *life);
    snprintf(life->part, sizeof life->part, "default");
    life->sector_bytes_max = SECTOR_BYTES_MAX;
    life->image_bytes = IMAGE_BYTES;
    life->piece_bytes = PIECE_BYTES;
    life->trials = 2;
    life->reverts = 2;
    life->app_sectors = STORE_SECTORS;
    life->release_count = 1;
    life->releases[0].level = 1;
}

bool life_fit(const struct life *life, struct flash_profile *profile, struct slot_layout *layout,
              char *error, size_t error_bytes)
{
    struct flash_geometry *geometry = &profile->geometry;
    part_fit(profile, life->sector_bytes_max, UINT32_MAX);
    if (geometry->sector_bytes < SLOT_SECTOR_BYTES_MIN) {
        snprintf(error, error_bytes,
                 "firmware needs sectors of %d bytes at least, and %s has %" PRIu32
                 ": raise `sector`, or take another part",
                 SLOT_SECTOR_BYTES_MIN, life->part, geometry->sector_bytes);
        return false;
    }
    const uint32_t slot = (life->image_bytes - 1) / geometry->sector_bytes + 2;
    const uint32_t app = STORE_SECTORS + life->app_sectors;
    const uint32_t needed = app + 2 * slot;
    if (geometry->sector_count < needed) {
        snprintf(error, error_bytes,
                 "two slots for images of %" PRIu32 " bytes, and the stores, need %" PRIu32
                 " sectors of %" PRIu32 " bytes, and %s has %" PRIu32 ": lower `image`",
                 life->image_bytes, needed, geometry->sector_bytes, life->part,
                 geometry->sector_count);
        return false;
    }
    part_fit(profile, life->sector_bytes_max, needed);
    *layout = (struct slot_layout){
        .boot_store = {0, STORE_SECTORS},
        .app_store = {STORE_SECTORS, life->app_sectors},
        .slots = {{app, slot}, {app + slot, slot}},
    };
    if (!slot_layout_is_valid(layout, geometry)) {
        snprintf(error, error_bytes,
                 "%s: core has no room for program units of %" PRIu32 " bytes (%d at the most)",
                 life->part, geometry->program_bytes, SLOT_UNIT_BYTES_MAX);
        return false;
    }
    return true;
}

const char *life_act_name(enum life_act act)
{
    static const char *const names[LIFE_ACT_COUNT] = {
        [LIFE_INSTALL] = "install", [LIFE_DOWNLOAD] = "download", [LIFE_REFUSE] = "refuse",
        [LIFE_ROTATE] = "rotate",   [LIFE_POLICY] = "policy",     [LIFE_SAMPLE] = "sample",
        [LIFE_RESET] = "reset",
    };
    CHECK(act < LIFE_ACT_COUNT);
    return names[act];
}
