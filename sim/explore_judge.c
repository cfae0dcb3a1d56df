/* What must hold: of a crash image, of each word, and where success is reported. */
#include <string.h>

#include "core/check.h"
#include "sim/explore_inside.h"

/* Of the modes, those in which the run is judged. */
static bool judges(const struct explore *explore)
{
    return explore->run.mode == RUN_TELL || explore->run.mode == RUN_UNCUT ||
           explore_is_new(explore);
}

_Noreturn void explore_break(struct explore *explore, enum law law, const char *what,
                             uint64_t expected, uint64_t actual)
{
    struct explore_result *result = explore->result;
    result->verdict = EXPLORE_VIOLATED;
    result->law = law;
    result->what = what;
    result->expected = expected;
    result->actual = actual;
    result->depth = explore->run.depth;
    explore_tell(explore, "BROKEN: %s: %s: expected %llu, found %llu", law_name(law), what,
                 (unsigned long long)expected, (unsigned long long)actual);
    explore_escape(explore, ESCAPE_BROKEN);
}

void explore_require(struct explore *explore, enum law law, const char *what, uint64_t expected,
                     uint64_t actual)
{
    if (judges(explore)) {
        explore->result->counts.exercised[law]++;
        if (expected != actual) {
            explore_break(explore, law, what, expected, actual);
        }
    }
}

void explore_observe(struct explore *explore, struct life_state *state,
                     const struct observation *observation)
{
    struct update_law_finding finding;
    const bool judged = judges(explore);
    if (!update_law_observe(&state->law, &explore->law, observation, &finding,
                            judged ? explore->result->counts.exercised : NULL) &&
        judged) {
        explore_break(explore, finding.law, finding.what, finding.expected, finding.actual);
    }
}

/* ---- What is in flash ------------------------------------------------------------------------ */

static bool is_certain(const struct flash *flash, const struct flash_sector *sector)
{
    const uint32_t sector_bytes = flash->profile.geometry.sector_bytes;
    const uint32_t units = sector_bytes / flash->profile.geometry.program_bytes;
    const bool ecc = flash->profile.ecc != FLASH_ECC_NONE;
    const uint8_t *mask = ecc ? sector->poison : sector->uncertain;
    const uint32_t count = ecc ? units : sector_bytes;
    for (uint32_t i = 0; mask != NULL && i < count; i++) {
        if (mask[i] != 0) {
            return false;
        }
    }
    return true;
}

/* Is the sector, for certain, what that release has there? Remembered by the sector's digest. */
static bool is_same(struct explore *explore, const struct flash *flash, uint32_t sector,
                    uint32_t release)
{
    const struct flash_sector *here = flash->sectors[sector];
    const uint64_t name =
        here->digest[0] ^ ((uint64_t)release << 32 | sector) * UINT64_C(0x9e3779b97f4a7c15);
    uint32_t same = map_find(&explore->same, name);
    if (same == MAP_NONE) {
        const struct flash_sector *there = explore->line[release]->sectors[sector];
        same = memcmp(here->cells, there->cells, flash->profile.geometry.sector_bytes) == 0 &&
               is_certain(flash, here);
        map_put(&explore->same, name, same);
    }
    return same != 0;
}

uint64_t explore_in_slot(struct explore *explore, const struct flash *flash, uint32_t slot,
                         sector_set masked)
{
    const struct slot_region *region = &explore->layout.slots[slot];
    for (uint32_t i = 0; i < region->sector_count; i++) {
        if (sector_set_has(masked, region->first_sector + i)) {
            return 0;
        }
    }
    for (uint32_t release = 0; release < explore->firmware->release_count; release++) {
        uint32_t i = 0;
        while (i < region->sector_count &&
               is_same(explore, flash, region->first_sector + i, release)) {
            i++;
        }
        if (i == region->sector_count) {
            return explore->firmware->releases[release].manifest.sequence.number;
        }
    }
    return 0;
}

void explore_show(struct explore *explore, const struct flash *flash, sector_set masked,
                  struct life_state *state)
{
    uint64_t digest[2];
    flash_hash(flash, digest); /* brings the digests of its sectors up to date */
    for (uint32_t slot = 0; slot < SLOT_COUNT; slot++) {
        const struct observation observation = {
            .kind = TRUTH_SLOT,
            .node = LIFE_DEVICE,
            .device = LIFE_DEVICE,
            .epoch = slot,
            .counter = explore_in_slot(explore, flash, slot, masked),
        };
        explore_observe(explore, state, &observation);
    }
    const struct observation floor = {
        .kind = TRUTH_FLOOR,
        .node = LIFE_DEVICE,
        .device = LIFE_DEVICE,
        .value = flash_counter(flash, COUNTER_SECURITY),
    };
    explore_observe(explore, state, &floor);
}

void explore_judge_image(struct explore *explore, const struct flash *flash, sector_set masked,
                         struct life_state *state)
{
    const struct observation down = {
        .kind = TRUTH_DOWN, .node = LIFE_DEVICE, .device = LIFE_DEVICE};
    explore_observe(explore, state, &down);
    explore_show(explore, flash, masked, state);
}

/* ---- Where success is reported --------------------------------------------------------------- */

static void judge_slot(struct explore *explore)
{
    const struct run *run = &explore->run;
    const struct slot_region *region = &explore->layout.slots[run->slot];
    bool certain = true;
    for (uint32_t i = 0; i < region->sector_count; i++) {
        certain = certain && is_certain(run->flash, run->flash->sectors[region->first_sector + i]);
    }
    explore_require(explore, LAW_FLASH_TAINT, "the slot that is booted is certain", 1, certain);
}

/* I14, I15: what a store says that it has mounted rests on certain bits, and so it will say the
 * same the next time. A sector that is not of its log may be in any state: it is erased before use.
 */
void explore_judge_place(struct explore *explore, enum life_place place)
{
    const struct slot_layout *layout = &explore->layout;
    const struct flash *flash = explore->run.flash;
    if (!judges(explore)) {
        return;
    }
    if (place == LIFE_AT_JUMP) {
        judge_slot(explore);
    }
    if (explore->run.mode != RUN_MOUNT) {
        explore_require(explore, LAW_FLASH_TAINT,
                        "the boot loader's store is certain after a mount", 0,
                        image_key_tainted(explore->key, flash, layout->boot_store));
    }
    if (place != LIFE_AT_JUMP && place != LIFE_AT_TAKE) {
        explore_require(explore, LAW_FLASH_TAINT,
                        "the application's store is certain after a mount", 0,
                        image_key_tainted(explore->key, flash, layout->app_store));
    }
}
