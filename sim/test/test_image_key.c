/* Goal: images that only differ in numbers that grow have one key, and all others have two.
 * Method: numbers beside a flash; then a real store, which is brought to the same contents at two
 * ages, and to contents that differ in one thing. */
#include "sim/image_key.h"

#include <string.h>

#include "core/check.h"
#include "core/store.h"
#include "core/test/test.h"
#include "sim/part.h"
#include "sim/test/cut_port.h"

enum { SECTOR_BYTES = 512, SECTORS = 12 };

static const struct slot_layout layout = {
    .boot_store = {0, 3},
    .app_store = {3, 3},
    .slots = {{6, 3}, {9, 3}},
};
static struct flash_profile profile;
static struct image_key *key;
static struct store store; /* made last */

_Noreturn void check_failed(const char *file, int line, const char *what)
{
    fprintf(stderr, "%s:%d: check failed: %s\n", file, line, what);
    exit(1);
}

struct digest {
    uint64_t words[2];
};

static bool same(struct digest left, struct digest right)
{
    return left.words[0] == right.words[0] && left.words[1] == right.words[1];
}

static struct digest numbers(enum key_kind kind, uint64_t first, uint64_t second, uint64_t third)
{
    struct digest digest;
    image_key_begin(key);
    image_key_add(key, kind, first);
    image_key_add(key, kind, second);
    image_key_add(key, kind, third);
    image_key_end(key, digest.words);
    return digest;
}

static void numbers_that_grow_count_by_their_rank(void)
{
    static const enum key_kind ranked[] = {KEY_BOOT_RECORD, KEY_APP_RECORD, KEY_EPOCH, KEY_COUNTER};
    for (size_t i = 0; i < sizeof ranked / sizeof ranked[0]; i++) {
        const struct digest digest = numbers(ranked[i], 2, 7, 7);
        EXPECT(same(digest, numbers(ranked[i], 3, 20, 20)));
        EXPECT(!same(digest, numbers(ranked[i], 7, 2, 2)));
        EXPECT(!same(digest, numbers(ranked[i], 2, 7, 8)));
        EXPECT(!same(digest, numbers(ranked[i], 0, 7, 7))); /* none is no small number */
    }
    EXPECT(!same(numbers(KEY_PLAIN, 2, 7, 7), numbers(KEY_PLAIN, 3, 20, 20)));
    EXPECT(!same(numbers(KEY_EPOCH, 2, 7, 7), numbers(KEY_APP_RECORD, 2, 7, 7)));
}

static void sectors_that_follow_each_other_are_told_from_those_that_do_not(void)
{
    EXPECT(same(numbers(KEY_APP_SECTOR, 4, 5, 5), numbers(KEY_APP_SECTOR, 8, 9, 9)));
    EXPECT(!same(numbers(KEY_APP_SECTOR, 4, 5, 5), numbers(KEY_APP_SECTOR, 4, 6, 6)));
}

static void a_counter_counts_with_its_bytes_in_a_message(void)
{
    EXPECT(same(numbers(KEY_COUNTER, 2, 3, 4), numbers(KEY_COUNTER, 20, 21, 22)));
    EXPECT(!same(numbers(KEY_COUNTER, 2, 3, 4), numbers(KEY_COUNTER, 20, 21, 24)));
}

static struct digest of_store(const struct flash *flash)
{
    struct digest digest;
    image_key_begin(key);
    image_key_store(key, flash, layout.app_store);
    image_key_end(key, digest.words);
    return digest;
}

static struct digest of_flash(const struct flash *flash, uint64_t masked)
{
    struct digest digest;
    image_key_begin(key);
    image_key_flash(key, flash, masked);
    image_key_end(key, digest.words);
    return digest;
}

/* A store whose one record was put so many times, with the same value but for the last one. */
static struct flash *stored(uint32_t puts, uint8_t last)
{
    struct cut_port self = {.flash = flash_create(&profile)};
    EXPECT(self.flash != NULL);
    cut_port_set(&self, (struct cut){.kind = CUT_NONE}, 0, 1);
    const struct port port = cut_port_of(&self);
    EXPECT_EQUAL(
        store_format(&store, &port, layout.app_store.first_sector, layout.app_store.sector_count),
        ERR_OK);
    for (uint32_t i = 1; i <= puts; i++) {
        const uint8_t value[40] = {i == puts ? last : 1};
        EXPECT_EQUAL(store_put(&store, &port, 7, value, sizeof value), ERR_OK);
    }
    return self.flash;
}

/* When the log has gone round its sectors it is the same again, with higher numbers. */
static void a_store_is_the_same_at_another_age(void)
{
    enum { YOUNG = 100, ROUND_MAX = 40 };
    struct flash *young = stored(YOUNG, 1), *other = stored(YOUNG, 2);
    uint32_t alike = 0;
    EXPECT(!same(of_store(young), of_store(other)));
    for (uint32_t puts = YOUNG + 1; puts <= YOUNG + ROUND_MAX; puts++) {
        struct flash *older = stored(puts, 1);
        uint64_t exact[2][2];
        flash_hash(young, exact[0]);
        flash_hash(older, exact[1]);
        EXPECT(memcmp(exact[0], exact[1], sizeof exact[0]) != 0);
        alike += same(of_store(young), of_store(older));
        flash_free(older);
    }
    EXPECT(alike >= 1 && alike <= ROUND_MAX / 10); /* ten records and more to a round */
    flash_free(young);
    flash_free(other);
}

static void a_masked_sector_counts_as_anything(void)
{
    const uint64_t mask = UINT64_C(1) << layout.slots[1].first_sector;
    struct flash *blank = flash_create(&profile), *filled = flash_create(&profile);
    EXPECT(blank != NULL && filled != NULL);
    const uint8_t bytes[32] = {7};
    EXPECT_EQUAL(
        flash_program(filled, layout.slots[1].first_sector * SECTOR_BYTES, bytes, sizeof bytes),
        ERR_OK);
    EXPECT(!same(of_flash(blank, 0), of_flash(filled, 0)));
    EXPECT(same(of_flash(blank, mask), of_flash(filled, mask)));
    EXPECT(!same(of_flash(blank, 0), of_flash(blank, mask)));
    filled->counters[COUNTER_SECURITY]++;
    EXPECT(!same(of_flash(blank, mask), of_flash(filled, mask)));
    flash_free(blank);
    flash_free(filled);
}

static void a_sector_of_the_log_that_is_not_certain_is_tainted(void)
{
    struct flash *flash = stored(1, 1);
    const struct digest digest = of_store(flash);
    uint32_t tainted = 0;
    EXPECT(!image_key_tainted(key, flash, layout.app_store));
    for (uint32_t i = 0; i < layout.app_store.sector_count; i++) {
        const uint32_t sector = layout.app_store.first_sector + i;
        struct flash *torn = flash_snapshot(flash);
        EXPECT(torn != NULL);
        const uint8_t bytes[8] = {7};
        const uint32_t end = (sector + 1) * SECTOR_BYTES - (uint32_t)sizeof bytes;
        EXPECT_EQUAL(flash_program_cut(torn, end, bytes, sizeof bytes,
                                       (struct flash_cut){0, FLASH_TEAR_WEAK}),
                     ERR_OK);
        EXPECT(!image_key_tainted(key, torn, layout.boot_store));
        tainted += image_key_tainted(key, torn, layout.app_store);
        flash_free(torn);
    }
    EXPECT(tainted >= 1 && tainted < layout.app_store.sector_count); /* others have no header */
    EXPECT(same(digest, of_store(flash)));
    flash_free(flash);
}

/* With a frame behind the last one of the log of which so much was programmed. */
static struct digest of_torn(const struct flash *flash, uint32_t units_done, enum flash_tear tear)
{
    const uint32_t sector = store.first_sector + store.head_sector;
    const struct flash_cut cut = {units_done, tear};
    struct flash *torn = flash_snapshot(flash);
    uint8_t frame[96];
    EXPECT(torn != NULL);
    memset(frame, 0x5a, sizeof frame);
    EXPECT_EQUAL(flash_program_cut(torn, sector * SECTOR_BYTES + store.head_offset, frame,
                                   sizeof frame, cut),
                 ERR_OK);
    const struct digest digest = of_store(torn);
    flash_free(torn);
    return digest;
}

static void how_far_a_torn_frame_came_is_forgotten(void)
{
    struct flash *flash = stored(1, 1);
    const struct digest torn = of_torn(flash, 1, FLASH_TEAR_NONE);
    EXPECT(same(of_store(flash), of_torn(flash, 0, FLASH_TEAR_NONE)));
    EXPECT(!same(of_store(flash), torn));
    EXPECT(same(torn, of_torn(flash, 2, FLASH_TEAR_NONE)));
    EXPECT(same(torn, of_torn(flash, 12, FLASH_TEAR_NONE)));
    EXPECT(same(torn, of_torn(flash, 7, FLASH_TEAR_FIRST_BYTE)));
    EXPECT(!same(torn, of_torn(flash, 7, FLASH_TEAR_WEAK))); /* it may be anything */
    EXPECT(!same(torn, of_torn(flash, 0, FLASH_TEAR_WEAK)));
    EXPECT(!same(of_store(flash), of_torn(flash, 0, FLASH_TEAR_WEAK)));
    flash_free(flash);
}

int main(void)
{
    struct part part;
    char error[256] = "";
    EXPECT(part_load("default", &part, error, sizeof error));
    part_fit(&part.profile, SECTOR_BYTES, SECTORS);
    profile = part.profile;
    key = image_key_create(&profile, &layout);
    RUN(numbers_that_grow_count_by_their_rank);
    RUN(sectors_that_follow_each_other_are_told_from_those_that_do_not);
    RUN(a_counter_counts_with_its_bytes_in_a_message);
    RUN(a_store_is_the_same_at_another_age);
    RUN(a_masked_sector_counts_as_anything);
    RUN(a_sector_of_the_log_that_is_not_certain_is_tainted);
    RUN(how_far_a_torn_frame_came_is_forgotten);
    image_key_free(key);
    return 0;
}
