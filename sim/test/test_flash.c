/* Goal: the simulated flash keeps a NOR part's rules, notices each breach, and is torn as flash.h
 * says. Method: one small part, one operation at a time, cells compared bit by bit over many draws.
 */
#include "sim/flash.h"

#include <string.h>

#include "core/check.h"
#include "core/test/test.h"
#include "sim/random.h"

_Noreturn void check_failed(const char *file, int line, const char *what)
{
    fprintf(stderr, "%s:%d: check failed: %s\n", file, line, what);
    exit(1);
}

static struct flash *part(uint32_t unit, uint8_t erased, bool once)
{
    const struct flash_profile profile = {
        .geometry = {.sector_bytes = 256,
                     .sector_count = 3,
                     .program_bytes = unit,
                     .erased_value = erased},
        .program_us = 40,
        .erase_us = 85000,
        .program_once = once,
    };
    struct flash *flash = flash_create(&profile);
    EXPECT(flash != NULL);
    return flash;
}

static uint8_t cell_at(const struct flash *flash, uint32_t offset)
{
    const uint32_t sector_bytes = flash->profile.geometry.sector_bytes;
    return flash->sectors[offset / sector_bytes]->cells[offset % sector_bytes];
}

static void expect_cells(struct flash *flash, uint32_t offset, const uint8_t *wanted,
                         uint32_t size_bytes)
{
    uint8_t bytes[768];
    EXPECT_EQUAL(flash_read(flash, offset, bytes, size_bytes, 1), ERR_OK);
    EXPECT(memcmp(bytes, wanted, size_bytes) == 0);
}

static void a_new_part_is_erased_and_reads_back_what_was_programmed(void)
{
    static const uint8_t erased_values[] = {0xff, 0x00};
    for (uint32_t i = 0; i < 2; i++) {
        struct flash *flash = part(4, erased_values[i], true);
        uint8_t wanted[768];
        memset(wanted, erased_values[i], sizeof(wanted));
        expect_cells(flash, 0, wanted, sizeof(wanted));
        memcpy(wanted + 252, "over the", 8);
        EXPECT_EQUAL(flash_program(flash, 252, wanted + 252, 8), ERR_OK);
        expect_cells(flash, 0, wanted, sizeof(wanted));
        EXPECT_EQUAL(flash_erase(flash, 0), ERR_OK);
        memset(wanted + 252, erased_values[i], 4);
        expect_cells(flash, 0, wanted, sizeof(wanted));
        EXPECT_EQUAL(flash->sectors[0]->erases, 1);
        EXPECT_EQUAL(flash->sectors[1]->erases, 0);
        EXPECT_EQUAL(flash->counts.discipline, 0);
        flash_free(flash);
    }
}

static void outside_and_misaligned_is_refused_and_counted(void)
{
    struct flash *flash = part(8, 0xff, false);
    uint8_t bytes[16] = {0};
    EXPECT_EQUAL(flash_program(flash, 4, bytes, 8), ERR_RANGE);
    EXPECT_EQUAL(flash_program(flash, 8, bytes, 12), ERR_RANGE);
    EXPECT_EQUAL(flash_program(flash, 8, bytes, 0), ERR_RANGE);
    EXPECT_EQUAL(flash_program(flash, 760, bytes, 16), ERR_RANGE);
    EXPECT_EQUAL(flash_program(flash, UINT32_MAX - 7, bytes, 16), ERR_RANGE);
    EXPECT_EQUAL(flash_erase(flash, 8), ERR_RANGE);
    EXPECT_EQUAL(flash_erase(flash, 768), ERR_RANGE);
    EXPECT_EQUAL(flash_program_torn(flash, 4, bytes, 8, 0, 1), ERR_RANGE);
    EXPECT_EQUAL(flash_erase_torn(flash, 8, 0, 1), ERR_RANGE);
    EXPECT_EQUAL(flash->counts.discipline, 9);
    EXPECT_EQUAL(flash_read(flash, 768, bytes, 1, 1), ERR_RANGE);
    EXPECT_EQUAL(flash_read(flash, 768, bytes, 0, 1), ERR_OK);
    for (uint32_t i = 0; i < flash->size_bytes; i++) {
        EXPECT_EQUAL(cell_at(flash, i), 0xff);
    }
    flash_free(flash);
}

static void a_bit_cannot_be_set_by_a_program(void)
{
    static const uint8_t first[] = {0xf0, 0x0f};
    static const uint8_t second[] = {0x3c, 0x0f};
    static const uint8_t both[] = {0x30, 0x0f};
    struct flash *flash = part(1, 0xff, false);
    EXPECT_EQUAL(flash_program(flash, 0, first, 2), ERR_OK);
    EXPECT_EQUAL(flash_program(flash, 0, second, 2), ERR_OK);
    expect_cells(flash, 0, both, 2);
    EXPECT_EQUAL(flash->counts.discipline, 1); /* the same data again is none on this part */
    EXPECT_EQUAL(flash->sectors[0]->programs[1], 2);
    flash_free(flash);
}

static void a_part_that_erases_to_zero_takes_bits_up(void)
{
    static const uint8_t first[] = {0x10};
    static const uint8_t second[] = {0x01};
    static const uint8_t both[] = {0x11};
    struct flash *flash = part(1, 0x00, false);
    EXPECT_EQUAL(flash_program(flash, 5, first, 1), ERR_OK);
    EXPECT_EQUAL(flash->counts.discipline, 0);
    EXPECT_EQUAL(flash_program(flash, 5, second, 1), ERR_OK);
    EXPECT_EQUAL(flash->counts.discipline, 1);
    expect_cells(flash, 5, both, 1);
    flash_free(flash);
}

static void a_unit_with_ecc_is_programmed_once(void)
{
    uint8_t bytes[8];
    memset(bytes, 0xff, sizeof(bytes));
    struct flash *flash = part(8, 0xff, true);
    EXPECT_EQUAL(flash_program(flash, 0, bytes, 8), ERR_OK);
    EXPECT_EQUAL(flash->counts.discipline, 0);
    EXPECT_EQUAL(flash_program(flash, 0, bytes, 8), ERR_OK);
    EXPECT_EQUAL(flash->counts.discipline, 1);
    EXPECT_EQUAL(flash_erase(flash, 0), ERR_OK);
    EXPECT_EQUAL(flash_program(flash, 0, bytes, 8), ERR_OK);
    EXPECT_EQUAL(flash->counts.discipline, 1);
    flash_free(flash);
}

static void a_torn_program_is_whole_units_and_one_torn_one(void)
{
    uint8_t data[64];
    for (uint32_t i = 0; i < sizeof(data); i++) {
        data[i] = (uint8_t)(i * 37);
    }
    bool certain_done = false; /* both must occur: bits that stayed done, and that stayed away */
    bool certain_away = false;
    for (uint64_t key = 0; key < 400; key++) {
        struct flash *flash = part(8, key % 2 == 0 ? 0xff : 0x00, true);
        const uint8_t erased = flash->profile.geometry.erased_value;
        const uint16_t fraction = (uint16_t)(key * 163);
        const uint32_t torn = (uint32_t)(8u * fraction >> 16) * 8;
        EXPECT_EQUAL(flash_program_torn(flash, 0, data, 64, fraction, key), ERR_OK);
        EXPECT(!flash_is_uncertain(flash, 0, torn));
        EXPECT(flash_is_uncertain(flash, torn, 8));
        EXPECT(!flash_is_uncertain(flash, torn + 8, 768 - torn - 8));
        expect_cells(flash, 0, data, torn);
        uint8_t ever_erased[8] = {0};
        uint8_t ever_done[8] = {0};
        for (uint64_t read = 0; read < 40; read++) {
            uint8_t bytes[8];
            EXPECT_EQUAL(flash_read(flash, torn, bytes, 8, random_at(key, read)), ERR_OK);
            for (uint32_t i = 0; i < 8; i++) {
                const uint8_t changing = data[torn + i] ^ erased;
                EXPECT_EQUAL((bytes[i] ^ erased) & ~changing & 0xff, 0);
                ever_done[i] |= (uint8_t)((bytes[i] ^ erased) & changing);
                ever_erased[i] |= (uint8_t)(~(bytes[i] ^ erased) & changing);
            }
        }
        for (uint32_t i = 0; i < 8; i++) {
            const uint8_t mask = flash->sectors[0]->uncertain[torn + i];
            EXPECT_EQUAL(ever_done[i] & ever_erased[i] & ~mask, 0);
            EXPECT_EQUAL(mask & ~(ever_done[i] & ever_erased[i]), 0); /* both answers were seen */
            certain_done = certain_done || (ever_done[i] & ~mask) != 0;
            certain_away = certain_away || (ever_erased[i] & ~mask) != 0;
        }
        for (uint32_t i = torn + 8; i < 768; i++) {
            EXPECT_EQUAL(cell_at(flash, i), erased);
        }
        EXPECT_EQUAL(flash->counts.discipline, 0);
        flash_free(flash);
    }
    EXPECT(certain_done && certain_away);
}

static void a_torn_unit_can_read_as_whole_and_as_erased(void)
{
    static const uint8_t data[8] = {1, 2, 3, 4, 5, 6, 7, 8};
    static const uint8_t erased[8] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
    uint32_t both = 0;
    for (uint64_t key = 0; key < 50; key++) {
        struct flash *flash = part(8, 0xff, true);
        EXPECT_EQUAL(flash_program_torn(flash, 0, data, 8, 30000, key), ERR_OK);
        bool whole = false;
        bool blank = false;
        for (uint64_t read = 0; read < 50; read++) {
            uint8_t bytes[8];
            EXPECT_EQUAL(flash_read(flash, 0, bytes, 8, random_at(key, read)), ERR_OK);
            whole = whole || memcmp(bytes, data, 8) == 0;
            blank = blank || memcmp(bytes, erased, 8) == 0;
        }
        both += whole && blank;
        flash_free(flash);
    }
    EXPECT(both > 5);
}

static void an_equal_key_reads_equal_and_a_program_makes_its_bits_certain(void)
{
    static const uint8_t data[8] = {0};
    struct flash *flash = part(8, 0xff, false);
    EXPECT_EQUAL(flash_program_torn(flash, 0, data, 8, 0, 3), ERR_OK);
    uint8_t left[8];
    uint8_t right[8];
    for (uint64_t key = 0; key < 50; key++) {
        EXPECT_EQUAL(flash_read(flash, 0, left, 8, key), ERR_OK);
        EXPECT_EQUAL(flash_read(flash, 0, right, 8, key), ERR_OK);
        EXPECT(memcmp(left, right, 8) == 0);
    }
    EXPECT_EQUAL(flash_program(flash, 0, data, 8), ERR_OK);
    EXPECT_EQUAL(flash->counts.discipline, 0);
    EXPECT(!flash_is_uncertain(flash, 0, 768));
    expect_cells(flash, 0, data, 8);
    flash_free(flash);
}

static void a_torn_erase_passes_through_anything_and_only_an_erase_ends_it(void)
{
    static const uint16_t fractions[] = {1000, 10000, 20000, 60000, 65535};
    uint8_t data[256];
    memset(data, 0xa5, sizeof(data));
    for (uint32_t i = 0; i < 5; i++) {
        struct flash *flash = part(8, 0xff, true);
        EXPECT_EQUAL(flash_program(flash, 256, data, 256), ERR_OK);
        EXPECT_EQUAL(flash_erase_torn(flash, 256, fractions[i], i + 1), ERR_OK);
        uint32_t as_before = 0;
        for (uint64_t read = 0; read < 50; read++) {
            uint8_t bytes[256];
            EXPECT_EQUAL(flash_read(flash, 256, bytes, 256, read), ERR_OK);
            as_before += memcmp(bytes, data, 256) == 0;
            for (uint32_t at = 0; at < 256 && fractions[i] <= 10000; at++) {
                EXPECT_EQUAL(bytes[at] & ~0xa5 & 0xff, 0); /* no cell is set before all are clear */
            }
        }
        EXPECT(fractions[i] <= 10000 ? as_before > 0 && as_before < 50 : as_before == 0);
        EXPECT(!flash_is_uncertain(flash, 0, 256));
        EXPECT(flash_is_uncertain(flash, 256, 256));
        EXPECT_EQUAL(flash->sectors[1]->erases, 1);
        EXPECT_EQUAL(flash->counts.discipline, 0);
        EXPECT_EQUAL(flash_program(flash, 264, data, 8), ERR_OK); /* programmed before: a breach */
        EXPECT_EQUAL(flash->counts.discipline, 1);
        EXPECT_EQUAL(flash_erase(flash, 256), ERR_OK);
        EXPECT(!flash_is_uncertain(flash, 0, 768));
        EXPECT_EQUAL(flash_program(flash, 264, data, 8), ERR_OK);
        EXPECT_EQUAL(flash->counts.discipline, 1);
        flash_free(flash);
    }
}

static void a_copy_is_the_same_part(void)
{
    static const uint8_t data[8] = {0};
    struct flash *source = part(8, 0xff, true);
    struct flash *target = part(8, 0xff, true);
    EXPECT_EQUAL(flash_program_torn(source, 256, data, 8, 0, 5), ERR_OK);
    EXPECT_EQUAL(flash_erase_torn(target, 512, 30000, 6), ERR_OK);
    flash_restore(target, source);
    for (uint32_t i = 0; i < source->size_bytes; i++) {
        EXPECT_EQUAL(cell_at(target, i), cell_at(source, i));
    }
    EXPECT(!flash_is_uncertain(target, 512, 256));
    for (uint64_t key = 0; key < 20; key++) {
        uint8_t left[16];
        uint8_t right[16];
        EXPECT_EQUAL(flash_read(source, 250, left, 16, key), ERR_OK);
        EXPECT_EQUAL(flash_read(target, 250, right, 16, key), ERR_OK);
        EXPECT(memcmp(left, right, 16) == 0);
    }
    EXPECT_EQUAL(target->counts.torn_programs, 1);
    EXPECT_EQUAL(target->counts.torn_erases, 0);
    EXPECT_EQUAL(target->sectors[2]->erases, 0);
    flash_free(target);
    flash_free(source);
}

static void operations_take_the_time_of_their_units(void)
{
    struct flash *flash = part(8, 0xff, true);
    EXPECT_EQUAL(flash_program_us(flash, 8), 40);
    EXPECT_EQUAL(flash_program_us(flash, 256), 1280);
    EXPECT_EQUAL(flash_erase_us(flash), 85000);
    flash_free(flash);
}

/* ---- canonical tears ---- */

static struct flash *part_of(const struct flash_profile *profile)
{
    struct flash *flash = flash_create(profile);
    EXPECT(flash != NULL);
    return flash;
}

static void a_canonical_tear_leaves_what_its_name_says(void)
{
    static const uint8_t data[4] = {0xff, 0x3f, 0x7e,
                                    0xfc}; /* all but byte 0 change, 2 bits each */
    static const struct {
        enum flash_tear tear;
        uint8_t cells[4];
        uint8_t uncertain[4];
    } members[] = {
        {FLASH_TEAR_NONE, {0xff, 0xff, 0xff, 0xff}, {0}},
        {FLASH_TEAR_FIRST_BYTE, {0xff, 0x3f, 0xff, 0xff}, {0}},
        {FLASH_TEAR_ALL_BUT_LAST_BYTE, {0xff, 0x3f, 0x7e, 0xff}, {0}},
        {FLASH_TEAR_ONE_BIT, {0xff, 0xbf, 0xff, 0xff}, {0}},
        {FLASH_TEAR_ALL_BUT_ONE_BIT, {0xff, 0x3f, 0x7e, 0xfd}, {0}},
        {FLASH_TEAR_WEAK, {0xff, 0xff, 0xff, 0xff}, {0, 0xc0, 0x81, 0x03}},
    };
    for (uint32_t i = 0; i < FLASH_TEAR_COUNT; i++) {
        for (uint32_t turn = 0; turn < 2; turn++) { /* on both kinds of parts */
            const uint8_t flip = turn == 0 ? 0x00 : 0xff;
            struct flash *flash = part(4, 0xff ^ flip, true);
            uint8_t bytes[8];
            for (uint32_t at = 0; at < 8; at++) {
                bytes[at] = (uint8_t)(data[at % 4] ^ flip);
            }
            const struct flash_cut cut = {1, members[i].tear};
            EXPECT_EQUAL(members[i].tear, i);
            EXPECT_EQUAL(flash_program_cut(flash, 8, bytes, 8, cut), ERR_OK);
            for (uint32_t at = 0; at < 4; at++) {
                const uint8_t *mask = flash->sectors[0]->uncertain;
                EXPECT_EQUAL(cell_at(flash, 8 + at), bytes[at]);
                EXPECT_EQUAL(cell_at(flash, 12 + at), (members[i].cells[at] ^ flip) & 0xff);
                EXPECT_EQUAL(mask == NULL ? 0 : mask[12 + at], members[i].uncertain[at]);
            }
            EXPECT_EQUAL(flash->sectors[0]->programs[3], members[i].tear != FLASH_TEAR_NONE);
            EXPECT_EQUAL(flash->counts.torn_programs, 1);
            EXPECT_EQUAL(flash->counts.discipline, 0);
            flash_free(flash);
        }
    }
}

static void a_cut_comes_after_any_number_of_units_and_of_all_of_them(void)
{
    uint8_t data[16];
    memset(data, 0x5a, sizeof data);
    for (uint32_t done = 0; done <= 4; done++) {
        struct flash *flash = part(4, 0xff, true);
        const struct flash_cut cut = {done, FLASH_TEAR_NONE};
        EXPECT_EQUAL(flash_program_cut(flash, 248, data, 16, cut), ERR_OK); /* over two sectors */
        for (uint32_t i = 0; i < 16; i++) {
            EXPECT_EQUAL(cell_at(flash, 248 + i), i < done * 4 ? 0x5a : 0xff);
        }
        flash_free(flash);
    }
}

static void a_caller_decides_what_uncertain_bits_read(void)
{
    static const uint8_t data[4] = {0x0f, 0x0f, 0x0f, 0x0f};
    static const uint8_t readings[FLASH_READING_COUNT][4] = {
        {0xff, 0xff, 0xff, 0xff}, {0x0f, 0x0f, 0x0f, 0x0f}, {0x5f, 0xaf, 0x5f, 0xaf}};
    struct flash *flash = part(4, 0xff, true);
    const struct flash_cut cut = {0, FLASH_TEAR_WEAK};
    EXPECT_EQUAL(flash_program_cut(flash, 0, data, 4, cut), ERR_OK);
    for (uint32_t i = 0; i < 2 * FLASH_READING_COUNT; i++) { /* each read anew */
        const enum flash_reading reading = (enum flash_reading)(i % FLASH_READING_COUNT);
        uint8_t bytes[8];
        EXPECT_EQUAL(flash_read_as(flash, 0, bytes, 8, reading), ERR_OK);
        EXPECT(memcmp(bytes, readings[reading], 4) == 0);
        EXPECT(memcmp(bytes + 4, readings[FLASH_READS_ERASED], 4) == 0);
    }
    EXPECT_EQUAL(flash->counts.uncertain_reads, 6);
    EXPECT_EQUAL(flash_erase(flash, 0), ERR_OK);
    EXPECT(!flash_is_uncertain(flash, 0, 768));
    flash_free(flash);
}

static void a_canonical_erase_goes_by_its_stages(void)
{
    static const struct {
        uint8_t cells, first_mask, other_mask, programs;
    } stages[FLASH_ERASE_TEAR_COUNT] = {
        [FLASH_ERASE_TEAR_NONE] = {0xa5, 0x00, 0x00, 1},
        [FLASH_ERASE_TEAR_BEGUN] = {0xa5, 0xa5, 0xa5, 1},
        [FLASH_ERASE_TEAR_PROGRAMMED] = {0x00, 0x00, 0x00, 1},
        [FLASH_ERASE_TEAR_MIXED] = {0xff, 0xff, 0xff, 1},
        [FLASH_ERASE_TEAR_WEAK] = {0xff, 0x01, 0x00, 1},
    };
    uint32_t shares = 0;
    uint8_t data[256];
    memset(data, 0xa5, sizeof data);
    for (uint32_t i = 0; i < FLASH_ERASE_TEAR_COUNT; i++) {
        struct flash *flash = part(8, 0xff, true);
        EXPECT_EQUAL(flash_program(flash, 256, data, 256), ERR_OK);
        EXPECT_EQUAL(flash_erase_cut(flash, 256, 0, (enum flash_erase_tear)i), ERR_OK);
        const struct flash_sector *sector = flash->sectors[1];
        for (uint32_t at = 0; at < 256; at++) {
            const uint8_t mask = sector->uncertain == NULL ? 0 : sector->uncertain[at];
            EXPECT_EQUAL(sector->cells[at], stages[i].cells);
            EXPECT_EQUAL(mask, at % 8 == 0 ? stages[i].first_mask : stages[i].other_mask);
            EXPECT_EQUAL(sector->programs[at / 8], stages[i].programs);
        }
        EXPECT_EQUAL(sector->erases, i != FLASH_ERASE_TEAR_NONE);
        EXPECT(!flash_is_uncertain(flash, 0, 256));
        EXPECT_EQUAL(flash->counts.discipline, 0);
        EXPECT_EQUAL(flash_erase_cut(flash, 256, 1, FLASH_ERASE_TEAR_NONE), ERR_OK); /* done */
        EXPECT_EQUAL(cell_at(flash, 300), 0xff);
        EXPECT(!flash_is_uncertain(flash, 0, 768));
        shares += flash_erase_share((enum flash_erase_tear)i);
        flash_free(flash);
    }
    EXPECT_EQUAL(shares, FLASH_ERASE_SHARES);
}

/* ---- sectors made of blocks ---- */

/* Code sees two sectors of 256 bytes: the first is blocks of 64, 64 and 128. */
static struct flash *part_of_blocks(void)
{
    const struct flash_profile profile = {
        .geometry = {.sector_bytes = 256,
                     .sector_count = 2,
                     .program_bytes = 4,
                     .erased_value = 0xff},
        .program_us = 40,
        .erase_us = 900,
        .run_count = 3,
        .runs = {{64, 2, 100}, {128, 1, 200}, {256, 1, 900}},
    };
    return part_of(&profile);
}

static void a_sector_of_several_blocks_is_erased_block_by_block(void)
{
    static const uint32_t ends[] = {0, 64, 128, 256};
    uint8_t zeros[512] = {0};
    for (uint32_t done = 0; done <= 3; done++) {
        struct flash *flash = part_of_blocks();
        EXPECT_EQUAL(flash_block_count(flash, 0), 3);
        EXPECT_EQUAL(flash_block_count(flash, 256), 1);
        EXPECT_EQUAL(flash_erase_at_us(flash, 0), 400);
        EXPECT_EQUAL(flash_erase_at_us(flash, 256), 900);
        EXPECT_EQUAL(flash_program(flash, 0, zeros, 512), ERR_OK);
        EXPECT_EQUAL(flash_erase_cut(flash, 0, done, FLASH_ERASE_TEAR_MIXED), ERR_OK);
        const uint32_t torn_end = done < 3 ? ends[done + 1] : 256;
        for (uint32_t i = 0; i < 512; i++) {
            EXPECT_EQUAL(flash_is_uncertain(flash, i, 1), i >= ends[done] && i < torn_end);
            EXPECT_EQUAL(cell_at(flash, i), i < torn_end ? 0xff : 0x00);
        }
        EXPECT_EQUAL(flash_erase(flash, 0), ERR_OK);
        EXPECT(!flash_is_uncertain(flash, 0, 512));
        flash_free(flash);
    }
}

static void a_torn_erase_comes_as_far_as_its_time(void)
{
    uint8_t zeros[512] = {0};
    struct flash *flash = part_of_blocks();
    EXPECT_EQUAL(flash_program(flash, 0, zeros, 512), ERR_OK);
    EXPECT_EQUAL(flash_erase_torn(flash, 0, 24576, 7), ERR_OK); /* 150 of 400 us: in block 1 */
    for (uint32_t i = 0; i < 512; i++) {
        EXPECT_EQUAL(flash_is_uncertain(flash, i, 1), i >= 64 && i < 128);
        EXPECT(i >= 64 || cell_at(flash, i) == 0xff);
        EXPECT(i < 128 || cell_at(flash, i) == 0x00);
    }
    flash_free(flash);
}

/* ---- ECC ---- */

static struct flash *part_with_ecc(enum flash_ecc ecc)
{
    const struct flash_profile profile = {
        .geometry = {.sector_bytes = 256,
                     .sector_count = 3,
                     .program_bytes = 8,
                     .erased_value = 0xff},
        .program_us = 40,
        .erase_us = 85000,
        .program_once = true,
        .ecc = ecc,
    };
    return part_of(&profile);
}

static void a_torn_unit_with_ecc_is_poison_until_it_is_erased(void)
{
    static const uint8_t data[16] = {1, 2, 3, 4, 5, 6, 7, 8, 9};
    for (uint32_t turn = 0; turn < 6; turn++) {
        const enum flash_ecc ecc = (enum flash_ecc)(FLASH_ECC_ERROR + turn % 3);
        const enum err answer = ecc == FLASH_ECC_GARBAGE ? ERR_OK : ERR_IO;
        struct flash *flash = part_with_ecc(ecc);
        uint8_t bytes[16];
        if (turn < 3) {
            const struct flash_cut cut = {1, FLASH_TEAR_ALL_BUT_ONE_BIT};
            EXPECT_EQUAL(flash_program_cut(flash, 0, data, 16, cut), ERR_OK);
        } else {
            EXPECT_EQUAL(flash_program_torn(flash, 0, data, 16, 40000, turn), ERR_OK);
        }
        EXPECT(!flash_is_poisoned(flash, 0, 8));
        EXPECT(flash_is_poisoned(flash, 7, 2));
        EXPECT(!flash_is_poisoned(flash, 16, 752));
        EXPECT_EQUAL(flash_read(flash, 0, bytes, 8, 1), ERR_OK);
        EXPECT(memcmp(bytes, data, 8) == 0);
        EXPECT_EQUAL(flash_read(flash, 0, bytes, 16, 1), answer);
        EXPECT_EQUAL(flash_read_as(flash, 15, bytes, 1, FLASH_READS_PROGRAMMED), answer);
        EXPECT(ecc != FLASH_ECC_GARBAGE || bytes[0] == 0x00);
        EXPECT_EQUAL(flash_read_as(flash, 15, bytes, 1, FLASH_READS_ERASED), answer);
        EXPECT(ecc != FLASH_ECC_GARBAGE || bytes[0] == 0xff);
        EXPECT_EQUAL(flash->counts.poisoned_reads, 3);
        EXPECT_EQUAL(flash->counts.discipline, 0);
        EXPECT_EQUAL(flash_program(flash, 8, data + 8, 8), ERR_OK); /* a breach, and no cure */
        EXPECT_EQUAL(flash->counts.discipline, 1);
        EXPECT(flash_is_poisoned(flash, 8, 8));
        EXPECT_EQUAL(flash_read_as(flash, 15, bytes, 1, FLASH_READS_ERASED), answer);
        EXPECT(ecc != FLASH_ECC_GARBAGE || bytes[0] == 0xff);
        EXPECT_EQUAL(flash_erase(flash, 0), ERR_OK);
        EXPECT(!flash_is_poisoned(flash, 0, 768));
        EXPECT_EQUAL(flash_program(flash, 8, data + 8, 8), ERR_OK);
        EXPECT_EQUAL(flash_read(flash, 8, bytes, 8, 1), ERR_OK);
        EXPECT(memcmp(bytes, data + 8, 8) == 0);
        flash_free(flash);
    }
}

static void tears_that_no_read_tells_apart_are_one_image(void)
{
    static const uint8_t data[8] = {1, 2, 3, 4, 5, 6, 7, 8};
    uint64_t first[2], other[2];
    for (uint32_t i = FLASH_TEAR_FIRST_BYTE; i < FLASH_TEAR_COUNT; i++) {
        struct flash *flash = part_with_ecc(FLASH_ECC_ERROR);
        const struct flash_cut cut = {0, (enum flash_tear)i};
        EXPECT_EQUAL(flash_program_cut(flash, 0, data, 8, cut), ERR_OK);
        flash_hash(flash, i == FLASH_TEAR_FIRST_BYTE ? first : other);
        EXPECT(i == FLASH_TEAR_FIRST_BYTE || memcmp(first, other, sizeof first) == 0);
        flash_free(flash);
    }
}

static void ecc_corrects_one_bit_and_a_torn_erase_poisons_what_it_cannot(void)
{
    uint8_t data[256], bytes[256];
    memset(data, 0xa5, sizeof data);
    struct flash *flash = part_with_ecc(FLASH_ECC_ERROR);
    EXPECT_EQUAL(flash_erase_cut(flash, 0, 0, FLASH_ERASE_TEAR_WEAK), ERR_OK);
    EXPECT(flash_is_uncertain(flash, 0, 1));
    EXPECT_EQUAL(flash_read_as(flash, 0, bytes, 256, FLASH_READS_PROGRAMMED), ERR_OK);
    for (uint32_t i = 0; i < 256; i++) {
        EXPECT_EQUAL(bytes[i], 0xff); /* as if it were erased */
    }
    EXPECT_EQUAL(flash->counts.corrected_reads, 1);
    EXPECT_EQUAL(flash->counts.uncertain_reads, 0);
    EXPECT_EQUAL(flash_program(flash, 256, data, 256), ERR_OK);
    EXPECT_EQUAL(flash_erase_cut(flash, 256, 0, FLASH_ERASE_TEAR_BEGUN), ERR_OK);
    EXPECT(flash_is_poisoned(flash, 256, 8));
    EXPECT_EQUAL(flash_erase_cut(flash, 256, 0, FLASH_ERASE_TEAR_PROGRAMMED), ERR_OK);
    EXPECT(!flash_is_poisoned(flash, 256, 256));
    EXPECT_EQUAL(flash_erase_torn(flash, 256, 30000, 3), ERR_OK);
    EXPECT(flash_is_poisoned(flash, 256, 8) && flash_is_poisoned(flash, 504, 8));
    flash_free(flash);
}

static void a_unit_may_be_programmed_as_often_as_its_part_allows(void)
{
    static const uint8_t data[4] = {0};
    const struct flash_profile profile = {
        .geometry = {.sector_bytes = 64,
                     .sector_count = 1,
                     .program_bytes = 4,
                     .erased_value = 0xff},
        .program_limit = 2,
    };
    struct flash *flash = part_of(&profile);
    EXPECT_EQUAL(flash_program(flash, 0, data, 4), ERR_OK);
    EXPECT_EQUAL(flash_program(flash, 0, data, 4), ERR_OK);
    EXPECT_EQUAL(flash->counts.discipline, 0);
    EXPECT_EQUAL(flash_program(flash, 0, data, 4), ERR_OK);
    EXPECT_EQUAL(flash->counts.discipline, 1);
    flash_free(flash);
}

int main(void)
{
    RUN(a_new_part_is_erased_and_reads_back_what_was_programmed);
    RUN(outside_and_misaligned_is_refused_and_counted);
    RUN(a_bit_cannot_be_set_by_a_program);
    RUN(a_part_that_erases_to_zero_takes_bits_up);
    RUN(a_unit_with_ecc_is_programmed_once);
    RUN(a_torn_program_is_whole_units_and_one_torn_one);
    RUN(a_torn_unit_can_read_as_whole_and_as_erased);
    RUN(an_equal_key_reads_equal_and_a_program_makes_its_bits_certain);
    RUN(a_torn_erase_passes_through_anything_and_only_an_erase_ends_it);
    RUN(a_copy_is_the_same_part);
    RUN(operations_take_the_time_of_their_units);
    RUN(a_canonical_tear_leaves_what_its_name_says);
    RUN(a_cut_comes_after_any_number_of_units_and_of_all_of_them);
    RUN(a_caller_decides_what_uncertain_bits_read);
    RUN(a_canonical_erase_goes_by_its_stages);
    RUN(a_sector_of_several_blocks_is_erased_block_by_block);
    RUN(a_torn_erase_comes_as_far_as_its_time);
    RUN(a_torn_unit_with_ecc_is_poison_until_it_is_erased);
    RUN(tears_that_no_read_tells_apart_are_one_image);
    RUN(ecc_corrects_one_bit_and_a_torn_erase_poisons_what_it_cannot);
    RUN(a_unit_may_be_programmed_as_often_as_its_part_allows);
    return 0;
}
