/* Goal: the store keeps its promises while the power is on: what was put is there, what does not
 * fit is refused before anything changes, full flash is compacted, wear is bounded. Method: a flash
 * in RAM that aborts the test at any breach of the part's rules. Power cuts are the business of
 * sim/test/test_store_cuts.c.
 */
#include "core/store.h"
#include "core/store_inside.h"

#include <string.h>

#include "core/check.h"
#include "core/test/test.h"

enum { FLASH_BYTES_MAX = 64 * 4096 };

/* RAM as flash, every unit programmed once between two erases. */
struct ram {
    struct flash_geometry geometry;
    uint8_t cells[FLASH_BYTES_MAX];
    bool programmed[FLASH_BYTES_MAX];
    uint32_t operations; /* programs and erases */
    uint32_t fail_at;    /* the operation that fails, counted from 1; 0 = none */
    uint32_t erases, programs, syncs;
};

static struct ram ram;

_Noreturn void check_failed(const char *file, int line, const char *what)
{
    fprintf(stderr, "%s:%d: check failed: %s\n", file, line, what);
    exit(1);
}

static enum err ram_read(void *ctx, uint32_t offset, uint8_t *bytes, uint32_t size_bytes)
{
    const struct ram *flash = ctx;
    EXPECT(offset + size_bytes <= flash->geometry.sector_bytes * flash->geometry.sector_count);
    memcpy(bytes, flash->cells + offset, size_bytes);
    return ERR_OK;
}

static enum err ram_program(void *ctx, uint32_t offset, const uint8_t *bytes, uint32_t size_bytes)
{
    struct ram *flash = ctx;
    const uint32_t unit = flash->geometry.program_bytes;
    EXPECT(offset % unit == 0 && size_bytes % unit == 0 && size_bytes > 0);
    EXPECT(offset + size_bytes <= flash->geometry.sector_bytes * flash->geometry.sector_count);
    if (++flash->operations == flash->fail_at) {
        return ERR_IO;
    }
    flash->programs++;
    const uint8_t full = (uint8_t)~flash->geometry.erased_value;
    for (uint32_t i = 0; i < size_bytes; i++) {
        /* Again only with the same byte, or with all bits programmed. */
        EXPECT(!flash->programmed[offset + i] || flash->cells[offset + i] == bytes[i] ||
               bytes[i] == full);
        flash->programmed[offset + i] = true;
        flash->cells[offset + i] = bytes[i];
    }
    return ERR_OK;
}

static enum err ram_erase(void *ctx, uint32_t offset)
{
    struct ram *flash = ctx;
    EXPECT(offset % flash->geometry.sector_bytes == 0);
    if (++flash->operations == flash->fail_at) {
        return ERR_IO;
    }
    flash->erases++;
    memset(flash->cells + offset, flash->geometry.erased_value, flash->geometry.sector_bytes);
    memset(flash->programmed + offset, 0, flash->geometry.sector_bytes * sizeof(bool));
    return ERR_OK;
}

static enum err ram_sync(void *ctx)
{
    struct ram *flash = ctx;
    flash->syncs++;
    return ERR_OK;
}

/* A part full of garbage, as from a shelf. */
static struct port part(uint32_t sectors, uint32_t sector_bytes, uint32_t unit, uint8_t erased)
{
    memset(&ram, 0, sizeof(ram));
    memset(ram.cells, 0x5a, sizeof(ram.cells));
    memset(ram.programmed, 1, sizeof(ram.programmed));
    ram.geometry = (struct flash_geometry){sector_bytes, sectors, unit, erased, false};
    return (struct port){
        .ctx = &ram,
        .flash = ram.geometry,
        .flash_read = ram_read,
        .flash_program = ram_program,
        .flash_erase = ram_erase,
        .flash_sync = ram_sync,
    };
}

static struct store formatted(const struct port *port)
{
    struct store store;
    EXPECT_EQUAL(store_format(&store, port, 0, port->flash.sector_count), ERR_OK);
    return store;
}

static struct store mounted(const struct port *port)
{
    struct store store;
    EXPECT_EQUAL(store_mount(&store, port, 0, port->flash.sector_count), ERR_OK);
    return store;
}

/* The bytes of version `version` of record `id`: different in every byte. */
static void fill(uint8_t *bytes, uint64_t id, uint32_t version, uint32_t size_bytes)
{
    for (uint32_t i = 0; i < size_bytes; i++) {
        bytes[i] = (uint8_t)(id * 31 + version * 7 + i);
    }
}

static enum err put(struct store *store, const struct port *port, uint64_t id, uint32_t version,
                    uint32_t size_bytes)
{
    uint8_t bytes[STORE_RECORD_BYTES_MAX];
    fill(bytes, id, version, size_bytes);
    return store_put(store, port, id, bytes, size_bytes);
}

static void expect_record(const struct store *store, const struct port *port, uint64_t id,
                          uint32_t version, uint32_t size_bytes)
{
    uint8_t wanted[STORE_RECORD_BYTES_MAX];
    uint8_t bytes[STORE_RECORD_BYTES_MAX];
    uint32_t got_bytes = sizeof(bytes);
    fill(wanted, id, version, size_bytes);
    EXPECT_EQUAL(store_get(store, port, id, bytes, &got_bytes), ERR_OK);
    EXPECT_EQUAL(got_bytes, size_bytes);
    EXPECT(memcmp(bytes, wanted, size_bytes) == 0);
}

static void an_erased_or_foreign_flash_holds_no_store(void)
{
    const struct port port = part(4, 512, 4, 0xff);
    struct store store;
    EXPECT_EQUAL(store_mount(&store, &port, 0, 4), ERR_NOT_FOUND);
    memset(ram.cells, 0xff, sizeof(ram.cells));
    EXPECT_EQUAL(store_mount(&store, &port, 0, 4), ERR_NOT_FOUND);
    EXPECT_EQUAL(ram.programs, 0);
    EXPECT_EQUAL(ram.erases, 0);
}

static void what_was_put_is_there_before_and_after_a_mount(void)
{
    static const uint32_t units[] = {1, 2, 4, 8, 16, 32};
    for (uint32_t i = 0; i < 12; i++) {
        const struct port port = part(4, 1024, units[i / 2], i % 2 == 0 ? 0xff : 0x00);
        struct store store = formatted(&port);
        for (uint32_t id = 1; id <= 5; id++) {
            EXPECT_EQUAL(put(&store, &port, id, 0, id * 13), ERR_OK);
        }
        EXPECT_EQUAL(put(&store, &port, 3, 1, 100), ERR_OK);
        for (uint32_t boot = 0; boot < 9; boot++) {
            EXPECT_EQUAL(store.entry_count, 5);
            expect_record(&store, &port, 3, 1, 100);
            expect_record(&store, &port, 5, 0, 65);
            EXPECT_EQUAL(store.entries[4].id, 3); /* in the order of their puts */
            store = mounted(&port);
        }
    }
}

static void a_put_is_one_program_and_one_sync(void)
{
    const struct port port = part(4, 1024, 8, 0xff);
    struct store store = formatted(&port);
    const uint32_t programs = ram.programs;
    const uint32_t syncs = ram.syncs;
    EXPECT_EQUAL(put(&store, &port, 1, 0, 100), ERR_OK);
    EXPECT_EQUAL(ram.programs, programs + 1);
    EXPECT_EQUAL(ram.syncs, syncs + 1);
}

static void the_largest_record_fits_and_half_a_sector_is_the_bound(void)
{
    struct port port = part(3, 1024, 16, 0xff);
    struct store store = formatted(&port);
    EXPECT_EQUAL(put(&store, &port, 1, 0, STORE_RECORD_BYTES_MAX), ERR_OK);
    expect_record(&store, &port, 1, 0, STORE_RECORD_BYTES_MAX);
    port = part(3, 512, 16, 0xff);
    store = formatted(&port);
    EXPECT_EQUAL(put(&store, &port, 1, 0, STORE_RECORD_BYTES_MAX), ERR_RANGE);
    EXPECT_EQUAL(put(&store, &port, 1, 0, 200), ERR_OK);
    expect_record(&store, &port, 1, 0, 200);
}

static void a_store_keeps_to_its_sectors(void)
{
    const struct port port = part(12, 512, 8, 0xff);
    struct store low;
    struct store high;
    EXPECT_EQUAL(store_format(&low, &port, 0, 3), ERR_OK);
    EXPECT_EQUAL(store_format(&high, &port, 8, 4), ERR_OK);
    for (uint32_t version = 0; version < 200; version++) {
        EXPECT_EQUAL(put(&low, &port, 1, version, 60), ERR_OK);
        EXPECT_EQUAL(put(&high, &port, 1, version + 1, 50), ERR_OK);
    }
    for (uint32_t i = 3 * 512; i < 8 * 512; i++) {
        EXPECT_EQUAL(ram.cells[i], 0x5a);
    }
    EXPECT_EQUAL(store_mount(&low, &port, 0, 3), ERR_OK);
    EXPECT_EQUAL(store_mount(&high, &port, 8, 4), ERR_OK);
    expect_record(&low, &port, 1, 199, 60);
    expect_record(&high, &port, 1, 200, 50);
}

static void forgotten_records_are_gone_and_their_space_comes_back(void)
{
    const struct port port = part(4, 512, 4, 0xff);
    struct store store = formatted(&port);
    for (uint32_t id = 1; id <= 1000; id++) {
        EXPECT_EQUAL(put(&store, &port, id, 0, 40), ERR_OK);
        EXPECT_EQUAL(store.entry_count, id < 5 ? id : 5);
        if (id >= 5) {
            EXPECT(store_forget(&store, id - 4));
            EXPECT(!store_forget(&store, id - 4));
        }
    }
    uint8_t bytes[64];
    uint32_t size_bytes = sizeof(bytes);
    EXPECT_EQUAL(store_get(&store, &port, 996, bytes, &size_bytes), ERR_NOT_FOUND);
    for (uint32_t id = 997; id <= 1000; id++) {
        expect_record(&store, &port, id, 0, 40);
    }
}

static void a_forgotten_record_comes_back_in_its_last_version_or_not_at_all(void)
{
    const struct port port = part(5, 512, 4, 0xff);
    for (uint32_t fillers = 0; fillers < 60; fillers++) {
        struct store store = formatted(&port);
        EXPECT_EQUAL(put(&store, &port, 1, 1, 40), ERR_OK);
        for (uint32_t i = 0; i < fillers; i++) {
            EXPECT_EQUAL(put(&store, &port, 2, i, 40), ERR_OK);
        }
        EXPECT_EQUAL(put(&store, &port, 1, 2, 40), ERR_OK);
        EXPECT(store_forget(&store, 1));
        for (uint32_t i = 0; i < fillers / 2; i++) {
            EXPECT_EQUAL(put(&store, &port, 2, i, 40), ERR_OK);
        }
        store = mounted(&port);
        if (store_forget(&store, 1)) {
            store = mounted(&port);
            expect_record(&store, &port, 1, 2, 40);
        }
    }
}

static void a_put_within_the_capacity_is_never_refused(void)
{
    static const uint32_t units[] = {1, 8, 32};
    for (uint32_t i = 0; i < 3; i++) {
        const struct port port = part(6, 512, units[i], 0xff);
        struct store store = formatted(&port);
        const uint32_t capacity_bytes = store_capacity_bytes(&store, &port);
        uint32_t refused = 0;
        uint64_t oldest = 1;
        for (uint32_t id = 1; id <= 3000; id++) {
            const uint32_t size_bytes = 1 + id * 7919 % 150;
            const uint32_t frame_bytes = store_frame_bytes(&port, size_bytes);
            const bool fits = store_used_bytes(&store, &port) + frame_bytes <= capacity_bytes;
            const enum err err = put(&store, &port, id, 0, size_bytes);
            EXPECT(err == ERR_OK || (!fits && err == ERR_FULL));
            while (err == ERR_FULL && !store_forget(&store, oldest++)) {
            }
            refused += err == ERR_FULL;
        }
        EXPECT(refused > 100);
        const uint32_t entry_count = store.entry_count;
        store = mounted(&port);
        EXPECT(store.entry_count >= entry_count);
    }
}

static void a_refused_put_changes_nothing(void)
{
    const struct port port = part(3, 512, 8, 0xff);
    struct store store = formatted(&port);
    uint32_t id = 1;
    while (put(&store, &port, id, 0, 50) == ERR_OK) {
        id++;
    }
    EXPECT(id > 8);
    const uint32_t operations = ram.operations;
    EXPECT_EQUAL(put(&store, &port, id, 0, 50), ERR_FULL);
    EXPECT_EQUAL(put(&store, &port, 1, 1, 50),
                 ERR_FULL); /* the old one stays until the new one is */
    EXPECT_EQUAL(ram.operations, operations);
    for (uint32_t i = 1; i < id; i++) {
        expect_record(&store, &port, i, 0, 50);
    }
    EXPECT(store_forget(&store, 5));
    EXPECT_EQUAL(put(&store, &port, id, 0, 50), ERR_OK);
    store = mounted(&port);
    expect_record(&store, &port, id, 0, 50);
}

static void the_index_holds_what_a_mount_brings_back(void)
{
    const struct port port = part(STORE_SECTORS_MAX, 4096, 4, 0xff);
    struct store store = formatted(&port);
    uint32_t refused = 0;
    for (uint64_t id = 1; id <= 4000; id++) { /* room for thousands of frames on flash */
        enum err err = put(&store, &port, id, 0, 8);
        if (err == ERR_FULL) {
            refused++;
            for (uint64_t old = 0; old < STORE_RECORDS_MAX / 3; old++) {
                EXPECT(store_forget(&store, id - STORE_RECORDS_MAX + old));
            }
            err = put(&store, &port, id, 0, 8);
        }
        EXPECT_EQUAL(err, ERR_OK);
    }
    EXPECT(refused > 10);
    const uint32_t live = store.entry_count;
    store = mounted(&port);
    EXPECT_EQUAL(store.lost, 0);
    EXPECT(store.entry_count >= live);
    for (uint64_t id = 4000; id > 4000 - live; id--) {
        expect_record(&store, &port, id, 0, 8);
    }
}

static void full_index_still_takes_new_versions(void)
{
    const struct port port = part(16, 4096, 4, 0xff);
    struct store store = formatted(&port);
    for (uint32_t id = 1; id <= STORE_RECORDS_MAX; id++) {
        EXPECT_EQUAL(put(&store, &port, id, 0, 8), ERR_OK);
    }
    EXPECT_EQUAL(put(&store, &port, STORE_RECORDS_MAX + 1, 0, 8), ERR_FULL);
    for (uint32_t version = 1; version < 50; version++) {
        EXPECT_EQUAL(put(&store, &port, 2 + version % (STORE_RECORDS_MAX - 1), version, 8), ERR_OK);
    }
    store = mounted(&port);
    EXPECT_EQUAL(store.entry_count, STORE_RECORDS_MAX);
    expect_record(&store, &port, 2 + 49 % (STORE_RECORDS_MAX - 1), 49, 8);
    expect_record(&store, &port, 1, 0, 8);
}

static void wear_is_spread_over_all_sectors_and_a_boot_costs_two_erases(void)
{
    const struct port port = part(3, 1024, 8, 0xff);
    struct store store = formatted(&port);
    EXPECT_EQUAL(put(&store, &port, 1, 0, 100), ERR_OK);
    for (uint32_t boot = 0; boot < 100; boot++) {
        const uint32_t erases = ram.erases;
        store = mounted(&port);
        EXPECT_EQUAL(ram.erases - erases, 2);
        EXPECT_EQUAL(store.erases, 2);
    }
    const uint32_t erases = ram.erases;
    for (uint32_t version = 0; version < 1000; version++) {
        EXPECT_EQUAL(put(&store, &port, 1, version, 100), ERR_OK);
    }
    EXPECT(ram.erases - erases <= 1000 / 7 + 8); /* seven frames of 128 bytes fill a sector */
}

static void damaged_bytes_are_reported_and_do_not_stop_the_store(void)
{
    const struct port port = part(4, 512, 4, 0xff);
    struct store store = formatted(&port);
    EXPECT_EQUAL(put(&store, &port, 1, 0, 40), ERR_OK);
    EXPECT_EQUAL(put(&store, &port, 2, 0, 40), ERR_OK);
    ram.cells[store.entries[0].offset + 30] ^= 0x10;
    uint8_t bytes[64];
    uint32_t size_bytes = sizeof(bytes);
    EXPECT_EQUAL(store_get(&store, &port, 1, bytes, &size_bytes), ERR_CORRUPT);
    expect_record(&store, &port, 2, 0, 40);
    for (uint32_t version = 0; version < 40; version++) {
        EXPECT_EQUAL(put(&store, &port, 3, version, 100), ERR_OK);
    }
    EXPECT_EQUAL(store.lost, 1);
    EXPECT_EQUAL(store_get(&store, &port, 1, bytes, &size_bytes), ERR_NOT_FOUND);
    expect_record(&store, &port, 2, 0, 40);
}

static void flip(uint32_t offset)
{
    ram.cells[offset] ^= 0x10;
}

static void rot_hides_what_stands_behind_it_and_is_told_from_a_torn_tail(void)
{
    static const uint32_t units[] = {1, 4, 32};
    for (uint32_t i = 0; i < 3; i++) {
        const struct port port = part(4, 512, units[i], 0xff);
        struct store store = formatted(&port);
        for (uint64_t id = 1; id <= 3; id++) {
            EXPECT_EQUAL(put(&store, &port, id, 0, 60), ERR_OK);
        }
        const struct ram clean = ram;
        for (uint32_t entry = 0; entry < 3; entry++) {
            const uint32_t offset = store.entries[entry].offset;
            for (uint32_t at = 0; at < 24 + 60; at++) {
                ram = clean;
                flip(offset + at);
                const struct store after = mounted(&port);
                EXPECT_EQUAL(after.entry_count, entry);
                EXPECT_EQUAL(after.lost, entry < 2); /* the last one looks torn */
            }
        }
    }
}

static void rot_in_a_closed_sector_is_never_taken_for_its_end(void)
{
    const struct port port = part(4, 512, 4, 0xff);
    struct store store = formatted(&port);
    uint64_t id = 1;
    while (store.sector_sequence < 2) {
        EXPECT_EQUAL(put(&store, &port, id++, 0, 60), ERR_OK);
    }
    const struct ram clean = ram;
    const uint32_t closed = store.entry_count - 1; /* all but the newest stand in the first */
    for (uint32_t entry = 0; entry < closed; entry++) {
        for (uint32_t at = 0; at < 24 + 60; at++) {
            ram = clean;
            flip(store.entries[entry].offset + at);
            const struct store after = mounted(&port);
            EXPECT_EQUAL(after.entry_count, entry + 1);
            EXPECT_EQUAL(after.lost, 1);
        }
    }
    ram = clean;
    EXPECT_EQUAL(mounted(&port).lost, 0);
}

static void a_record_without_a_place_still_counts_for_the_order_of_puts(void)
{
    struct store store = {.entry_count = STORE_RECORDS_MAX, .record_sequence = STORE_RECORDS_MAX};
    for (uint32_t i = 0; i < STORE_RECORDS_MAX; i++) {
        store.entries[i] = (struct store_entry){.id = i, .sequence = i + 1};
    }
    store_index_insert(&store, &(struct store_entry){.id = 9999, .sequence = 77777});
    EXPECT_EQUAL(store.lost, 1);
    EXPECT_EQUAL(store.entry_count, STORE_RECORDS_MAX);
    EXPECT_EQUAL(store.record_sequence, 77777); /* or its next version would be the older one */
}

static void a_small_buffer_is_refused(void)
{
    const struct port port = part(3, 512, 4, 0xff);
    struct store store = formatted(&port);
    EXPECT_EQUAL(put(&store, &port, 1, 0, 40), ERR_OK);
    uint8_t bytes[39];
    uint32_t size_bytes = sizeof(bytes);
    EXPECT_EQUAL(store_get(&store, &port, 1, bytes, &size_bytes), ERR_RANGE);
}

static void a_failed_operation_makes_the_store_read_only_until_the_next_mount(void)
{
    const struct port port = part(4, 512, 8, 0xff);
    for (uint32_t fail_at = 6; fail_at < 120; fail_at++) {
        struct store store = formatted(&port);
        ram.operations = 5;
        ram.fail_at = fail_at;
        uint32_t version = 0;
        enum err err = ERR_OK;
        while (err == ERR_OK) {
            err = put(&store, &port, version % 4, version, 30 + version % 60);
            version += err == ERR_OK;
        }
        EXPECT_EQUAL(err, ERR_IO);
        EXPECT(store.failed);
        const uint32_t operations = ram.operations;
        EXPECT_EQUAL(put(&store, &port, 9, 0, 10), ERR_IO);
        EXPECT_EQUAL(ram.operations, operations);
        for (uint32_t i = 0; i < 2; i++) {
            for (uint32_t back = 1; back <= 4 && back <= version; back++) {
                const uint32_t last = version - back;
                expect_record(&store, &port, last % 4, last, 30 + last % 60);
            }
            store = mounted(&port);
        }
        EXPECT_EQUAL(put(&store, &port, 9, 0, 10), ERR_OK);
    }
}

int main(void)
{
    RUN(an_erased_or_foreign_flash_holds_no_store);
    RUN(what_was_put_is_there_before_and_after_a_mount);
    RUN(a_put_is_one_program_and_one_sync);
    RUN(the_largest_record_fits_and_half_a_sector_is_the_bound);
    RUN(a_store_keeps_to_its_sectors);
    RUN(forgotten_records_are_gone_and_their_space_comes_back);
    RUN(a_forgotten_record_comes_back_in_its_last_version_or_not_at_all);
    RUN(a_put_within_the_capacity_is_never_refused);
    RUN(a_refused_put_changes_nothing);
    RUN(the_index_holds_what_a_mount_brings_back);
    RUN(full_index_still_takes_new_versions);
    RUN(wear_is_spread_over_all_sectors_and_a_boot_costs_two_erases);
    RUN(damaged_bytes_are_reported_and_do_not_stop_the_store);
    RUN(rot_hides_what_stands_behind_it_and_is_told_from_a_torn_tail);
    RUN(rot_in_a_closed_sector_is_never_taken_for_its_end);
    RUN(a_record_without_a_place_still_counts_for_the_order_of_puts);
    RUN(a_small_buffer_is_refused);
    RUN(a_failed_operation_makes_the_store_read_only_until_the_next_mount);
    return 0;
}
