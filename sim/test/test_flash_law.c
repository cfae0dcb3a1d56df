/* Who may write where: each writer against each region, its edges, and ranges that are nonsense. */
#include "sim/flash_law.h"

#include "core/check.h"
#include "core/test/test.h"

_Noreturn void check_failed(const char *file, int line, const char *what)
{
    fprintf(stderr, "CHECK %s:%d: %s\n", file, line, what);
    abort();
}

static const struct flash_geometry geometry = {
    .sector_bytes = 1024, .sector_count = 20, .program_bytes = 8, .erased_value = 0xFF};

/* [ boot 0-2 ][ app 3-7 ][ A 8-12 ][ B 13-17 ][ nobody's 18-19 ] */
static const struct slot_layout layout = {
    .boot_store = {0, 3}, .app_store = {3, 5}, .slots = {{8, 5}, {13, 5}}};

static bool may(uint32_t running, uint32_t offset, uint32_t size_bytes)
{
    return flash_law_may_write(&layout, &geometry, running,
                               (struct flash_range){offset, size_bytes});
}

static void the_boot_loader_writes_its_own_store_alone(void)
{
    for (uint32_t sector = 0; sector < geometry.sector_count; sector++) {
        EXPECT(may(SLOT_NONE, sector * 1024, 1024) == (sector < 3));
    }
}

static void an_image_never_writes_the_slot_that_it_runs_from(void)
{
    for (uint32_t sector = 0; sector < geometry.sector_count; sector++) {
        const bool in_a = sector >= 8 && sector < 13, in_b = sector >= 13 && sector < 18;
        EXPECT(may(SLOT_A, sector * 1024 + 8, 8) == (sector < 8 || in_b));
        EXPECT(may(SLOT_B, sector * 1024 + 8, 8) == (sector < 8 || in_a));
    }
}

static void an_operation_lies_within_one_region(void)
{
    EXPECT(may(SLOT_A, 3 * 1024 - 8, 8));
    EXPECT(!may(SLOT_A, 3 * 1024 - 8, 16)); /* from one store into the other */
    EXPECT(!may(SLOT_A, 18 * 1024 - 8, 16));
    EXPECT(may(SLOT_B, 8 * 1024, 5 * 1024));
    EXPECT(!may(SLOT_B, 8 * 1024, 5 * 1024 + 1));
}

static void nonsense_is_out_of_bounds(void)
{
    EXPECT(!may(SLOT_A, 0, 0));
    EXPECT(!may(SLOT_A, 8, UINT32_MAX));
    EXPECT(!may(SLOT_A, UINT32_MAX, 8));
    EXPECT(!may(SLOT_NONE, 20 * 1024, 8));
}

int main(void)
{
    RUN(the_boot_loader_writes_its_own_store_alone);
    RUN(an_image_never_writes_the_slot_that_it_runs_from);
    RUN(an_operation_lies_within_one_region);
    RUN(nonsense_is_out_of_bounds);
    return 0;
}
