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
        EXPECT_EQUAL(flash->erases[0], 1);
        EXPECT_EQUAL(flash->erases[1], 0);
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
        EXPECT_EQUAL(flash->cells[i], 0xff);
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
    EXPECT_EQUAL(flash->programs[1], 2);
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
            const uint8_t mask = flash->uncertain[0][torn + i];
            EXPECT_EQUAL(ever_done[i] & ever_erased[i] & ~mask, 0);
            EXPECT_EQUAL(mask & ~(ever_done[i] & ever_erased[i]), 0); /* both answers were seen */
            certain_done = certain_done || (ever_done[i] & ~mask) != 0;
            certain_away = certain_away || (ever_erased[i] & ~mask) != 0;
        }
        for (uint32_t i = torn + 8; i < 768; i++) {
            EXPECT_EQUAL(flash->cells[i], erased);
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
        EXPECT_EQUAL(flash->erases[1], 1);
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
    EXPECT(flash_copy(target, source));
    EXPECT(memcmp(target->cells, source->cells, source->size_bytes) == 0);
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
    EXPECT_EQUAL(target->erases[2], 0);
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
    return 0;
}
