/* Goal: each fault and each feature beside plain cells fires, does what flash.h says and nothing
 * else, and is silent where it was not asked for. Method: one small part for each, one operation at
 * a time; for what is drawn, many keys. */
#include "sim/flash.h"

#include <string.h>

#include "core/check.h"
#include "core/test/test.h"
#include "sim/random.h"

enum { SECTOR_BYTES = 256, SECTOR_COUNT = 4, UNIT_BYTES = 8, PAGE_BYTES = 64 };

static const struct flash_cut clean = {0, FLASH_TEAR_NONE};

_Noreturn void check_failed(const char *file, int line, const char *what)
{
    fprintf(stderr, "%s:%d: check failed: %s\n", file, line, what);
    exit(1);
}

static struct flash_profile plain(void)
{
    return (struct flash_profile){
        .geometry = {.sector_bytes = SECTOR_BYTES,
                     .sector_count = SECTOR_COUNT,
                     .program_bytes = UNIT_BYTES,
                     .erased_value = 0xff},
        .program_us = 40,
        .erase_us = 85000,
    };
}

static struct flash *part(const struct flash_profile *profile)
{
    struct flash *flash = flash_create(profile);
    EXPECT(flash != NULL);
    return flash;
}

static void fill(struct flash *flash, uint32_t offset, uint8_t value, uint32_t size_bytes)
{
    uint8_t bytes[SECTOR_BYTES];
    memset(bytes, value, sizeof bytes);
    EXPECT(size_bytes <= sizeof bytes);
    EXPECT_EQUAL(flash_program(flash, offset, bytes, size_bytes), ERR_OK);
}

static uint8_t byte_at(struct flash *flash, uint32_t offset)
{
    uint8_t byte = 0;
    EXPECT_EQUAL(flash_read(flash, offset, &byte, 1, 1), ERR_OK);
    return byte;
}

static uint32_t uncertain_bits(const struct flash *flash)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < flash->sector_count; i++) {
        const uint8_t *mask = flash->sectors[i]->uncertain;
        for (uint32_t bit = 0; mask != NULL && bit < SECTOR_BYTES * 8; bit++) {
            count += (uint32_t)mask[bit / 8] >> bit % 8 & 1u;
        }
    }
    return count;
}

/* ---- sectors that disobey ---- */

static void a_bad_sector_fails_loudly_or_silently(void)
{
    const struct flash_profile profile = plain();
    struct flash *flash = part(&profile);
    uint8_t bytes[UNIT_BYTES] = {0};
    fill(flash, 256, 0x11, 8);
    fill(flash, 512, 0x22, 8);
    flash_set_bad(flash, 1, FLASH_BAD_LOUD);
    flash_set_bad(flash, 2, FLASH_BAD_SILENT);
    EXPECT_EQUAL(flash_program(flash, 264, bytes, 8), ERR_IO);
    EXPECT_EQUAL(flash_erase(flash, 256), ERR_IO);
    EXPECT_EQUAL(flash_program_torn(flash, 264, bytes, 8, 0, 1), ERR_IO);
    EXPECT_EQUAL(flash_erase_torn(flash, 256, 60000, 1), ERR_IO);
    EXPECT_EQUAL(flash_program_cut(flash, 264, bytes, 8, (struct flash_cut){0, FLASH_TEAR_WEAK}),
                 ERR_IO);
    EXPECT_EQUAL(flash_erase_cut(flash, 256, 0, FLASH_ERASE_TEAR_MIXED), ERR_IO);
    EXPECT_EQUAL(flash->counts.refused, 6);
    EXPECT_EQUAL(flash_program(flash, 520, bytes, 8), ERR_OK);
    EXPECT_EQUAL(flash_erase(flash, 512), ERR_OK);
    EXPECT_EQUAL(flash_erase_cut(flash, 512, 0, FLASH_ERASE_TEAR_MIXED), ERR_OK);
    EXPECT_EQUAL(flash->counts.ignored, 3);
    EXPECT_EQUAL(byte_at(flash, 256), 0x11);
    EXPECT_EQUAL(byte_at(flash, 264), 0xff);
    EXPECT_EQUAL(byte_at(flash, 512), 0x22);
    EXPECT_EQUAL(byte_at(flash, 520), 0xff);
    EXPECT(!flash_is_uncertain(flash, 0, 1024));
    fill(flash, 0, 0x33, 8);
    EXPECT_EQUAL(byte_at(flash, 0), 0x33);
    flash_free(flash);
}

static void a_sector_wears_out_after_as_many_erases_as_it_takes(void)
{
    for (uint32_t turn = 0; turn < 2; turn++) {
        struct flash_profile profile = plain();
        profile.wear_limit = 3;
        profile.worn = turn == 0 ? FLASH_BAD_LOUD : FLASH_BAD_SILENT;
        struct flash *flash = part(&profile);
        for (uint32_t i = 0; i < 3; i++) {
            fill(flash, 256, 0, 8);
            EXPECT_EQUAL(flash_erase(flash, 256), ERR_OK);
            EXPECT_EQUAL(byte_at(flash, 256), 0xff);
        }
        fill(flash, 256, 0, 8);
        EXPECT_EQUAL(flash_erase(flash, 256), turn == 0 ? ERR_IO : ERR_OK);
        EXPECT_EQUAL(byte_at(flash, 256), 0x00);
        EXPECT_EQUAL(flash->counts.worn, 1);
        EXPECT_EQUAL(flash->sectors[1]->erases, 3);
        EXPECT_EQUAL(flash_erase(flash, 0), ERR_OK);
        flash_free(flash);
    }
}

static void a_stuck_bit_stays_what_it_is(void)
{
    const struct flash_profile profile = plain();
    struct flash *flash = part(&profile);
    fill(flash, 0, 0x0f, 8);
    flash_stick(flash, 0, 0x81); /* bit 7 is 0, bit 0 is 1 */
    EXPECT_EQUAL(byte_at(flash, 0), 0x0f);
    EXPECT_EQUAL(flash_erase(flash, 0), ERR_OK);
    EXPECT_EQUAL(byte_at(flash, 0), 0x7f);
    EXPECT_EQUAL(byte_at(flash, 1), 0xff);
    fill(flash, 0, 0x80, 8);
    EXPECT_EQUAL(byte_at(flash, 0), 0x01);
    EXPECT_EQUAL(byte_at(flash, 1), 0x80);
    EXPECT_EQUAL(flash->counts.discipline, 0); /* code cannot know */
    for (uint32_t i = 1; i < FLASH_ERASE_TEAR_COUNT; i++) {
        EXPECT_EQUAL(flash_erase_cut(flash, 0, 0, (enum flash_erase_tear)i), ERR_OK);
        EXPECT_EQUAL(byte_at(flash, 0) & 0x81, 0x01);
        EXPECT_EQUAL(flash_erase_torn(flash, 0, (uint16_t)(i * 13000), i), ERR_OK);
        EXPECT_EQUAL(byte_at(flash, 0) & 0x81, 0x01);
    }
    flash_free(flash);
}

/* ---- time and supply ---- */

static void time_takes_programmed_bits_and_no_others(void)
{
    struct flash_profile profile = plain();
    struct flash *flash = part(&profile);
    fill(flash, 0, 0x00, 256);
    EXPECT_EQUAL(flash_age(flash, UINT64_MAX / 2, 1), 0); /* was not asked for */
    flash_free(flash);
    profile.retention_us = 1000000;
    flash = part(&profile);
    fill(flash, 0, 0x00, 256);
    EXPECT_EQUAL(flash_age(flash, 0, 1), 0);
    uint32_t faded = flash_age(flash, 2500000, 1);
    EXPECT(faded == 2 || faded == 3); /* one each second, in the one sector that has any */
    EXPECT_EQUAL(uncertain_bits(flash), faded);
    EXPECT(!flash_is_uncertain(flash, 256, 768));
    uint32_t early = 0;
    for (uint64_t key = 2; key < 402; key++) {
        const uint32_t now = flash_age(flash, 100000, key);
        EXPECT(now <= 1);
        early += now;
    }
    EXPECT(early > 10 && early < 90); /* a tenth of a second: one time in ten */
    EXPECT_EQUAL(flash->counts.faded, faded + early);
    EXPECT_EQUAL(flash_erase(flash, 0), ERR_OK);
    EXPECT_EQUAL(uncertain_bits(flash), 0);
    flash_free(flash);
}

static void ecc_corrects_the_first_bit_that_fades_in_a_unit_and_not_the_second(void)
{
    struct flash_profile profile = plain();
    profile.retention_us = 1000000;
    profile.program_once = true;
    profile.ecc = FLASH_ECC_ERROR;
    struct flash *flash = part(&profile);
    fill(flash, 0, 0x00, 256);
    uint64_t key = 0;
    while (!flash_is_poisoned(flash, 0, 256)) {
        uint8_t bytes[256], zeros[256] = {0};
        EXPECT_EQUAL(flash_read(flash, 0, bytes, 256, key), ERR_OK);
        EXPECT(memcmp(bytes, zeros, 256) == 0);
        for (uint32_t unit = 0; unit < 256 && key > 0; unit += UNIT_BYTES) {
            uint32_t bits = 0;
            for (uint32_t bit = 0; bit < 8 * UNIT_BYTES; bit++) {
                const uint8_t mask = flash->sectors[0]->uncertain[unit + bit / 8];
                bits += (uint32_t)mask >> bit % 8 & 1u;
            }
            EXPECT(bits <= 1);
        }
        EXPECT(flash_age(flash, 1000000, key++) <= 1);
    }
    EXPECT(key >= 2); /* the first is always corrected */
    EXPECT(flash->counts.corrected_reads > 0);
    flash_free(flash);
}

static void reads_disturb_a_bit_elsewhere_in_their_sector(void)
{
    struct flash_profile profile = plain();
    profile.disturb_reads = 10;
    uint32_t places[SECTOR_BYTES] = {0}, different = 0;
    for (uint64_t key = 0; key < 40; key++) {
        struct flash *flash = part(&profile);
        uint8_t bytes[16];
        for (uint64_t read = 1; read <= 9; read++) {
            EXPECT_EQUAL(flash_read(flash, 256 + 32, bytes, 16, key), ERR_OK);
        }
        EXPECT_EQUAL(flash_read(flash, 512, bytes, 16, key), ERR_OK); /* another sector's count */
        EXPECT_EQUAL(uncertain_bits(flash), 0);
        EXPECT_EQUAL(flash_read(flash, 256 + 32, bytes, 16, key), ERR_OK);
        EXPECT_EQUAL(uncertain_bits(flash), 1);
        EXPECT_EQUAL(flash->counts.disturbed, 1);
        EXPECT(flash_is_uncertain(flash, 256, 256));
        EXPECT(!flash_is_uncertain(flash, 256 + 32, 16));
        for (uint32_t i = 0; i < SECTOR_BYTES; i++) {
            different += flash_is_uncertain(flash, 256 + i, 1) && places[i]++ == 0;
        }
        flash_free(flash);
    }
    EXPECT(different > 20);
}

static void a_brown_out_garbles_what_is_addressed_and_weakens_one_bit_elsewhere(void)
{
    const struct flash_profile profile = plain();
    uint32_t elsewhere = 0;
    for (uint64_t key = 0; key < 40; key++) {
        struct flash *flash = part(&profile);
        fill(flash, 0, 0x0f, 16);
        EXPECT_EQUAL(flash_brown_out(flash, 8, 16, key), ERR_OK);
        uint8_t kept = 0;
        for (uint32_t i = 0; i < SECTOR_BYTES; i++) {
            const uint8_t before = i < 16 ? 0x0f : 0xff;
            const uint8_t cell = flash->sectors[0]->cells[i];
            EXPECT(i >= 8 && i < 24 ? (cell & ~before) == 0 : cell == before);
            kept |= i >= 8 && i < 24 ? 0 : (uint8_t)(cell ^ before);
        }
        EXPECT(memcmp(flash->sectors[0]->cells + 8, "\x0f\x0f\x0f\x0f\x0f\x0f\x0f\x0f", 8) != 0);
        EXPECT_EQUAL(kept, 0);
        EXPECT_EQUAL(uncertain_bits(flash), 1);
        EXPECT_EQUAL(flash->counts.garbled, 2);
        EXPECT(!flash_is_uncertain(flash, 256, 768));
        elsewhere += !flash_is_uncertain(flash, 8, 16);
        EXPECT_EQUAL(flash_brown_out(flash, 4, 16, key), ERR_RANGE);
        flash_free(flash);
    }
    EXPECT(elsewhere > 20);
}

/* ---- a cache ---- */

static struct flash *part_with_cache(uint32_t pages)
{
    struct flash_profile profile = plain();
    profile.page_bytes = PAGE_BYTES;
    profile.cache_pages = pages;
    profile.program_us = 400;
    return part(&profile);
}

static void what_was_not_synced_reads_back_and_is_kept_or_lost_by_itself(void)
{
    for (uint64_t kept = 0; kept < 8; kept++) {
        struct flash *flash = part_with_cache(8);
        fill(flash, 0, 0x10, 8);
        flash_sync(flash);
        fill(flash, 64, 0x11, 8);
        fill(flash, 256, 0x12, 8);
        fill(flash, 512, 0x13, 8);
        EXPECT_EQUAL(flash->pending_count, 3);
        EXPECT_EQUAL(flash_sync_us(flash), 1200);
        EXPECT_EQUAL(byte_at(flash, 64), 0x11);
        flash_power_cut(flash, kept, clean);
        EXPECT_EQUAL(flash->pending_count, 0);
        EXPECT_EQUAL(byte_at(flash, 0), 0x10);
        EXPECT_EQUAL(byte_at(flash, 64), (kept & 1) != 0 ? 0x11 : 0xff);
        EXPECT_EQUAL(byte_at(flash, 256), (kept & 2) != 0 ? 0x12 : 0xff);
        EXPECT_EQUAL(byte_at(flash, 512), (kept & 4) != 0 ? 0x13 : 0xff);
        EXPECT_EQUAL(flash->counts.programs, 4);
        EXPECT_EQUAL(flash->counts.discipline, 0);
        const struct flash_counts counts = flash->counts;
        flash_power_cut(flash, 0, clean); /* what survived one cut survives the next */
        EXPECT_EQUAL(flash->counts.lost_writes, counts.lost_writes);
        EXPECT_EQUAL(byte_at(flash, 64), (kept & 1) != 0 ? 0x11 : 0xff);
        flash_free(flash);
    }
}

static void an_erase_may_overtake_a_program_unless_a_sync_parts_them(void)
{
    for (uint32_t synced = 0; synced < 2; synced++) {
        struct flash *flash = part_with_cache(8);
        fill(flash, 0, 0x10, 8); /* the old copy */
        flash_sync(flash);
        fill(flash, 256, 0x20, 8); /* the new one */
        if (synced) {
            flash_sync(flash);
        }
        EXPECT_EQUAL(flash_erase(flash, 0), ERR_OK);
        flash_power_cut(flash, synced ? 1 : 2, clean); /* the erase alone got through */
        EXPECT_EQUAL(byte_at(flash, 0), 0xff);
        EXPECT_EQUAL(byte_at(flash, 256), synced ? 0x20 : 0xff);
        EXPECT_EQUAL(flash->counts.lost_writes, synced ? 0 : 1);
        flash_free(flash);
    }
}

static void what_rests_on_a_lost_write_is_lost_with_it(void)
{
    struct flash *flash = part_with_cache(8);
    fill(flash, 0, 0x00, 8);
    flash_sync(flash);
    EXPECT_EQUAL(flash_erase(flash, 0), ERR_OK); /* 0 */
    fill(flash, 0, 0x11, 8);                     /* 1: rests on the erase */
    fill(flash, 256, 0x22, 8);                   /* 2 */
    fill(flash, 264, 0x33, 8);                   /* 3: the same page as 2 */
    fill(flash, 320, 0x44, 8);                   /* 4: the next page */
    flash_power_cut(flash, 0x1a, clean);         /* 1, 3 and 4, if they can */
    EXPECT_EQUAL(byte_at(flash, 0), 0x00);
    EXPECT_EQUAL(byte_at(flash, 256), 0xff);
    EXPECT_EQUAL(byte_at(flash, 264), 0xff);
    EXPECT_EQUAL(byte_at(flash, 320), 0x44);
    EXPECT_EQUAL(flash->counts.lost_writes, 4);
    flash_free(flash);
}

static void the_oldest_write_that_was_lost_can_be_torn(void)
{
    uint8_t bytes[128];
    memset(bytes, 0x0f, sizeof bytes);
    struct flash *flash = part_with_cache(8);
    EXPECT_EQUAL(flash_program(flash, 32, bytes, 128), ERR_OK); /* 3 pages */
    EXPECT_EQUAL(flash->pending_count, 3);
    flash_power_cut(flash, 5, (struct flash_cut){2, FLASH_TEAR_FIRST_BYTE});
    for (uint32_t i = 32; i < 160; i++) { /* of the middle page two units and a byte */
        const bool lost = i >= 64 + 16 + 1 && i < 128;
        EXPECT_EQUAL(byte_at(flash, i), lost ? 0xff : 0x0f);
    }
    EXPECT_EQUAL(flash_erase(flash, 0), ERR_OK);
    flash_power_cut(flash, 0, (struct flash_cut){0, FLASH_TEAR_WEAK});
    EXPECT(flash_is_uncertain(flash, 0, 1) && flash_is_uncertain(flash, 255, 1));
    flash_free(flash);
}

static void a_breach_is_counted_when_it_is_made_and_not_when_it_gets_through(void)
{
    struct flash *flash = part_with_cache(4);
    fill(flash, 0, 0x00, 8);
    flash_sync(flash);
    fill(flash, 0, 0xff, 8);
    EXPECT_EQUAL(flash->counts.discipline, 1);
    flash_power_cut(flash, UINT64_MAX, clean);
    EXPECT_EQUAL(flash->counts.discipline, 1);
    flash_free(flash);
}

static void a_full_cache_makes_room_by_making_the_oldest_durable(void)
{
    struct flash *flash = part_with_cache(2);
    fill(flash, 0, 0x11, 8);
    fill(flash, 64, 0x22, 8);
    fill(flash, 128, 0x33, 8);
    EXPECT_EQUAL(flash->pending_count, 2);
    flash_power_cut(flash, 0, clean);
    EXPECT_EQUAL(byte_at(flash, 0), 0x11);
    EXPECT_EQUAL(byte_at(flash, 64), 0xff);
    EXPECT_EQUAL(byte_at(flash, 128), 0xff);
    EXPECT_EQUAL(flash->counts.lost_writes, 2);
    flash_free(flash);
}

static void a_cut_operation_goes_to_the_cache_and_the_cut_decides(void)
{
    uint8_t bytes[8] = {0};
    struct flash *flash = part_with_cache(4);
    EXPECT_EQUAL(flash_program_cut(flash, 0, bytes, 8, clean), ERR_OK);
    EXPECT_EQUAL(flash_erase_cut(flash, 256, 0, FLASH_ERASE_TEAR_MIXED), ERR_OK);
    EXPECT_EQUAL(flash->pending_count, 2);
    flash_power_cut(flash, 0, clean);
    EXPECT_EQUAL(byte_at(flash, 0), 0xff);
    EXPECT(!flash_is_uncertain(flash, 0, 1024));
    flash_free(flash);
}

/* ---- state beside the cells ---- */

static void a_counter_only_grows_and_a_cut_leaves_it_old_or_new(void)
{
    struct flash_profile profile = plain();
    profile.counter_max = 3;
    profile.counter_us = 7;
    struct flash *flash = part(&profile);
    EXPECT_EQUAL(flash_counter(flash, COUNTER_SECURITY), 0);
    EXPECT_EQUAL(flash_counter_increment(flash, COUNTER_SECURITY), ERR_OK);
    flash_counter_cut(flash, COUNTER_SECURITY, FLASH_OLD);
    EXPECT_EQUAL(flash_counter(flash, COUNTER_SECURITY), 1);
    flash_counter_cut(flash, COUNTER_SECURITY, FLASH_NEW);
    EXPECT_EQUAL(flash_counter(flash, COUNTER_SECURITY), 2);
    EXPECT_EQUAL(flash_counter_increment(flash, COUNTER_SECURITY), ERR_OK);
    EXPECT_EQUAL(flash_counter_increment(flash, COUNTER_SECURITY), ERR_FULL);
    flash_counter_cut(flash, COUNTER_SECURITY, FLASH_NEW);
    EXPECT_EQUAL(flash_counter(flash, COUNTER_SECURITY), 3);
    EXPECT_EQUAL(flash_counter(flash, COUNTER_EPOCH), 0);
    EXPECT_EQUAL(flash_counter_us(flash), 7);
    flash_free(flash);
}

static void one_time_programmable_bytes_are_programmed_and_torn_and_never_erased(void)
{
    struct flash_profile profile = plain();
    struct flash *flash = part(&profile);
    uint8_t bytes[32];
    EXPECT_EQUAL(flash_read(flash, FLASH_OTP_OFFSET, bytes, 1, 1), ERR_RANGE); /* has none */
    flash_free(flash);
    profile.otp_bytes = 32;
    flash = part(&profile);
    fill(flash, FLASH_OTP_OFFSET + 8, 0x5a, 8);
    EXPECT_EQUAL(byte_at(flash, FLASH_OTP_OFFSET + 8), 0x5a);
    EXPECT_EQUAL(byte_at(flash, 8), 0xff);
    memset(bytes, 0, sizeof bytes);
    EXPECT_EQUAL(flash_program_cut(flash, FLASH_OTP_OFFSET + 16, bytes, 16,
                                   (struct flash_cut){1, FLASH_TEAR_ONE_BIT}),
                 ERR_OK);
    EXPECT_EQUAL(byte_at(flash, FLASH_OTP_OFFSET + 23), 0x00);
    EXPECT_EQUAL(byte_at(flash, FLASH_OTP_OFFSET + 24), 0xfe);
    EXPECT_EQUAL(flash->counts.discipline, 0);
    EXPECT_EQUAL(flash_program(flash, FLASH_OTP_OFFSET + 24, bytes, 16), ERR_RANGE);
    EXPECT_EQUAL(flash_erase(flash, FLASH_OTP_OFFSET), ERR_RANGE);
    EXPECT_EQUAL(flash_erase_cut(flash, FLASH_OTP_OFFSET, 0, FLASH_ERASE_TEAR_MIXED), ERR_RANGE);
    EXPECT_EQUAL(flash->counts.discipline, 3);
    flash_free(flash);
    profile.otp_bytes = SECTOR_BYTES; /* as large as what can be erased */
    flash = part(&profile);
    EXPECT_EQUAL(flash_erase(flash, FLASH_OTP_OFFSET), ERR_RANGE);
    EXPECT_EQUAL(flash_erase_torn(flash, FLASH_OTP_OFFSET, 1, 1), ERR_RANGE);
    flash_free(flash);
}

static void banks_change_places_at_a_reset_and_not_before(void)
{
    struct flash_profile profile = plain();
    profile.dual_bank = true;
    struct flash *flash = part(&profile);
    fill(flash, 0, 0x11, 8);
    fill(flash, 512 + 256, 0x22, 8);
    flash_swap_banks(flash, true);
    EXPECT_EQUAL(byte_at(flash, 0), 0x11);
    flash_reset(flash);
    EXPECT_EQUAL(byte_at(flash, 512), 0x11);
    EXPECT_EQUAL(byte_at(flash, 256), 0x22);
    flash_reset(flash); /* nothing new */
    EXPECT_EQUAL(byte_at(flash, 512), 0x11);
    flash_swap_banks_cut(flash, true, FLASH_OLD);
    flash_power_cut(flash, 0, clean);
    EXPECT_EQUAL(byte_at(flash, 512), 0x11);
    flash_swap_banks_cut(flash, true, FLASH_DEFAULT); /* erased, and not written again */
    flash_power_cut(flash, 0, clean);
    EXPECT_EQUAL(byte_at(flash, 0), 0x11);
    flash_swap_banks_cut(flash, true, FLASH_NEW);
    flash_power_cut(flash, 0, clean);
    EXPECT_EQUAL(byte_at(flash, 512), 0x11);
    flash_free(flash);
}

/* Rot takes programmed bits, and as many units as it is told to, at most two bits of each. */
static void rot_takes_bits_for_good_where_nothing_corrects_them(void)
{
    const struct flash_profile profile = plain();
    for (uint64_t key = 0; key < 50; key++) {
        struct flash *flash = part(&profile);
        fill(flash, 256, 0x0f, 128);
        EXPECT_EQUAL(flash_rot(flash, 0, key), 0);
        const uint32_t bits = flash_rot(flash, 3, key);
        uint32_t flipped = 0;
        for (uint32_t i = 0; i < SECTOR_BYTES * SECTOR_COUNT; i++) {
            const bool filled = i >= 256 && i < 256 + 128;
            uint8_t gone = byte_at(flash, i) ^ (filled ? 0x0f : 0xff);
            EXPECT_EQUAL(gone & (filled ? 0x0f : 0xff), 0); /* what was erased stays so */
            for (; gone != 0; gone &= (uint8_t)(gone - 1)) {
                flipped++;
            }
        }
        EXPECT(bits >= 3 && bits <= 6);
        EXPECT_EQUAL(flipped, bits);
        EXPECT_EQUAL(flash->counts.faded, bits);
        EXPECT_EQUAL(uncertain_bits(flash), 0);
        flash_free(flash);
    }
    struct flash *flash = part(&profile);
    EXPECT_EQUAL(flash_rot(flash, 100, 1), 0); /* an erased part has nothing to lose */
    flash_free(flash);
}

static void rot_of_two_bits_poisons_a_word_with_ecc(void)
{
    struct flash_profile profile = plain();
    profile.ecc = FLASH_ECC_ERROR;
    profile.program_once = true;
    uint32_t poisoned = 0, corrected = 0;
    for (uint64_t key = 0; key < 50; key++) {
        struct flash *flash = part(&profile);
        uint8_t bytes[UNIT_BYTES];
        fill(flash, 0, 0x00, UNIT_BYTES);
        const uint32_t bits = flash_rot(flash, 1, key);
        const enum err err = flash_read(flash, 0, bytes, sizeof bytes, key);
        EXPECT_EQUAL(err, bits == 2 ? ERR_IO : ERR_OK);
        EXPECT(err != ERR_OK || bytes[0] == 0x00);
        poisoned += err != ERR_OK;
        corrected += err == ERR_OK;
        flash_free(flash);
    }
    EXPECT(poisoned > 0 && corrected > 0);
}

static void bits_are_weakened_where_something_is_programmed(void)
{
    const struct flash_profile profile = plain();
    for (uint64_t key = 0; key < 50; key++) {
        struct flash *flash = part(&profile);
        fill(flash, 512, 0x55, 8);
        const uint32_t bits = flash_weaken(flash, 4, key);
        EXPECT(bits >= 1 && bits <= 4);
        EXPECT_EQUAL(uncertain_bits(flash), bits);
        EXPECT(flash_is_uncertain(flash, 512, SECTOR_BYTES));
        EXPECT_EQUAL(flash->counts.disturbed, bits);
        flash_free(flash);
    }
}

static void a_worn_part_takes_as_many_erases_as_it_is_told(void)
{
    const struct flash_profile profile = plain();
    struct flash *flash = part(&profile);
    flash_wear(flash, 2);
    EXPECT_EQUAL(flash_erase(flash, 0), ERR_OK);
    EXPECT_EQUAL(flash_erase(flash, 0), ERR_OK);
    EXPECT_EQUAL(flash_erase(flash, 0), ERR_IO);
    EXPECT_EQUAL(flash_erase(flash, 256), ERR_OK);
    EXPECT_EQUAL(flash->counts.worn, 1);
    flash_free(flash);
}

int main(void)
{
    RUN(a_bad_sector_fails_loudly_or_silently);
    RUN(a_sector_wears_out_after_as_many_erases_as_it_takes);
    RUN(a_stuck_bit_stays_what_it_is);
    RUN(time_takes_programmed_bits_and_no_others);
    RUN(ecc_corrects_the_first_bit_that_fades_in_a_unit_and_not_the_second);
    RUN(reads_disturb_a_bit_elsewhere_in_their_sector);
    RUN(a_brown_out_garbles_what_is_addressed_and_weakens_one_bit_elsewhere);
    RUN(what_was_not_synced_reads_back_and_is_kept_or_lost_by_itself);
    RUN(an_erase_may_overtake_a_program_unless_a_sync_parts_them);
    RUN(what_rests_on_a_lost_write_is_lost_with_it);
    RUN(the_oldest_write_that_was_lost_can_be_torn);
    RUN(a_breach_is_counted_when_it_is_made_and_not_when_it_gets_through);
    RUN(a_full_cache_makes_room_by_making_the_oldest_durable);
    RUN(a_cut_operation_goes_to_the_cache_and_the_cut_decides);
    RUN(a_counter_only_grows_and_a_cut_leaves_it_old_or_new);
    RUN(one_time_programmable_bytes_are_programmed_and_torn_and_never_erased);
    RUN(banks_change_places_at_a_reset_and_not_before);
    RUN(rot_takes_bits_for_good_where_nothing_corrects_them);
    RUN(rot_of_two_bits_poisons_a_word_with_ecc);
    RUN(bits_are_weakened_where_something_is_programmed);
    RUN(a_worn_part_takes_as_many_erases_as_it_is_told);
    return 0;
}
