/* The store on whatever flash there is: records that it wrote itself, cut by power, and then
 * changed anywhere; or nothing but garbage. Input: one byte of geometry; then commands (see run).
 * Required: a mount is done within bounded work, and answers OK, NOT_FOUND or IO; within the part's
 * rules (alignment, range); mounted again it is the same records with the same bytes, however
 * often; each record that is listed is read, or said to be corrupt; a put that says OK is there
 * after the next mount, and nothing else is changed by it. */
#include <string.h>

#include "core/limits.h"
#include "core/crc32.h"
#include "core/store.h"
#include "fuzz/fuzz.h"

enum {
    SECTORS_MAX = 8,
    SECTOR_BYTES_MAX = 2048,
    COMMANDS_MAX = 256,
    RECORD_BYTES = 160, /* of a record here, at the most */
    NEVER = 0x7FFFFFFF,
    MOUNT_PROGRAMS_MAX = 4 * (SECTORS_MAX + SECTORS_MAX * SECTOR_BYTES_MAX / 24),
    MOUNT_ERASES_MAX = 4 * SECTORS_MAX,
    MOUNT_READS_MAX = 64 * SECTORS_MAX * SECTOR_BYTES_MAX / 8,
};

struct part {
    struct port port;
    uint32_t reads, programs, erases;
    uint32_t cut_in; /* operations until power goes; 0: it is gone */
    uint32_t torn_bytes;
    uint8_t cells[SECTORS_MAX * SECTOR_BYTES_MAX];
    bool poisoned[SECTORS_MAX * SECTOR_BYTES_MAX]; /* by unit; ECC does not read it */
};

static struct part part;

static uint32_t part_bytes(void)
{
    return part.port.flash.sector_bytes * part.port.flash.sector_count;
}

static bool poison_in(uint32_t offset, uint32_t size_bytes)
{
    const uint32_t unit = part.port.flash.program_bytes;
    for (uint32_t at = offset / unit; at <= (offset + size_bytes - 1) / unit; at++) {
        if (part.poisoned[at]) {
            return true;
        }
    }
    return false;
}

static enum err read_cells(void *ctx, uint32_t offset, uint8_t *bytes, uint32_t size_bytes)
{
    (void)ctx;
    REQUIRE(size_bytes > 0 && offset < part_bytes() && size_bytes <= part_bytes() - offset);
    part.reads++;
    if (part.cut_in == 0 || (part.port.flash.ecc && poison_in(offset, size_bytes))) {
        return ERR_IO;
    }
    memcpy(bytes, part.cells + offset, size_bytes);
    return ERR_OK;
}

/* NOR: towards the complement of the erased value, and never back. */
static void program_byte(uint32_t offset, uint8_t byte)
{
    if (part.port.flash.erased_value == 0xFF) {
        part.cells[offset] &= byte;
    } else {
        part.cells[offset] |= byte;
    }
}

static enum err program_cells(void *ctx, uint32_t offset, const uint8_t *bytes, uint32_t size_bytes)
{
    (void)ctx;
    const uint32_t unit = part.port.flash.program_bytes;
    REQUIRE(size_bytes > 0 && offset < part_bytes() && size_bytes <= part_bytes() - offset);
    REQUIRE(offset % unit == 0 && size_bytes % unit == 0);
    part.programs++;
    if (part.cut_in == 0) {
        return ERR_IO;
    }
    const bool torn = --part.cut_in == 0;
    const bool short_of_it = torn && size_bytes > part.torn_bytes; /* else it is whole */
    if (short_of_it) {
        size_bytes = part.torn_bytes;
    }
    for (uint32_t i = 0; i < size_bytes; i++) {
        program_byte(offset + i, bytes[i]);
    }
    if (short_of_it && part.port.flash.ecc) {
        part.poisoned[(offset + size_bytes) / unit] = true;
    }
    return torn ? ERR_IO : ERR_OK;
}

static enum err erase_cells(void *ctx, uint32_t offset)
{
    (void)ctx;
    const struct flash_geometry *flash = &part.port.flash;
    REQUIRE(offset < part_bytes() && offset % flash->sector_bytes == 0);
    part.erases++;
    if (part.cut_in == 0) {
        return ERR_IO;
    }
    const bool torn = --part.cut_in == 0;
    const uint32_t size_bytes =
        torn && part.torn_bytes < flash->sector_bytes ? part.torn_bytes : flash->sector_bytes;
    const uint32_t unit = flash->program_bytes;
    memset(part.cells + offset, flash->erased_value, size_bytes);
    memset(part.poisoned + offset / unit, flash->ecc && size_bytes < flash->sector_bytes,
           flash->sector_bytes / unit);
    return torn ? ERR_IO : ERR_OK;
}

static enum err sync_cells(void *ctx)
{
    (void)ctx;
    return part.cut_in == 0 ? ERR_IO : ERR_OK;
}

static void make_part(uint8_t choice)
{
    static const uint32_t sector_bytes[] = {1024, 2048}, units[] = {1, 4, 8, 32};
    memset(&part, 0, sizeof part);
    part.port = (struct port){.ctx = &part,
                              .flash = {.sector_bytes = sector_bytes[choice & 1],
                                        .sector_count = 3 + (choice >> 1) % 6,
                                        .program_bytes = units[(choice >> 4) & 3],
                                        .erased_value = (choice & 64) != 0 ? 0x00 : 0xFF,
                                        .ecc = (choice & 128) != 0},
                              .flash_read = read_cells,
                              .flash_program = program_cells,
                              .flash_erase = erase_cells,
                              .flash_sync = sync_cells};
    part.cut_in = NEVER;
    memset(part.cells, part.port.flash.erased_value, sizeof part.cells);
}

static enum err mount(struct store *store)
{
    memset(store, 0xA5, sizeof *store); /* nothing rests on what was there */
    return store_mount(store, &part.port, 0, part.port.flash.sector_count);
}

/* Records with the same sequence are in no order: only somebody who made them gives two the same.
 */
static uint64_t digest_of(const struct store *store, uint64_t but_for)
{
    uint64_t sum = 0;
    for (uint32_t i = 0; i < store->entry_count; i++) {
        uint8_t bytes[STORE_RECORD_BYTES_MAX];
        uint32_t size_bytes = sizeof bytes;
        const uint64_t id = store->entries[i].id;
        if (id == but_for) {
            continue;
        }
        const enum err err = store_get(store, &part.port, id, bytes, &size_bytes);
        REQUIRE(err == ERR_OK || err == ERR_CORRUPT || err == ERR_IO);
        uint64_t digest = UINT64_C(0xCBF29CE484222325) ^ id ^ (uint64_t)(uint32_t)err << 32;
        digest = digest * UINT64_C(0x100000001B3) ^ store->entries[i].sequence;
        for (uint32_t at = 0; err == ERR_OK && at < size_bytes; at++) {
            digest = (digest ^ bytes[at]) * UINT64_C(0x100000001B3);
        }
        sum += digest * UINT64_C(0x9E3779B97F4A7C15);
    }
    return sum;
}

static void require_sound(const struct store *store)
{
    const uint32_t sectors = part.port.flash.sector_count;
    REQUIRE(store->entry_count <= STORE_RECORDS_MAX);
    REQUIRE(store->head_sector < sectors);
    REQUIRE(store->head_offset <= part.port.flash.sector_bytes);
    for (uint32_t i = 0; i < store->entry_count; i++) {
        const struct store_entry *entry = &store->entries[i];
        REQUIRE(entry->size_bytes >= 1 && entry->size_bytes <= STORE_RECORD_BYTES_MAX);
        REQUIRE(entry->offset < part_bytes());
        /* Equal only where somebody made the records. */
        REQUIRE(i == 0 || store->entries[i - 1].sequence <= entry->sequence);
    }
}

/* The flash as it is: what a device would make of it. */
static void require_mounts(void)
{
    static struct store store, again;
    part.cut_in = NEVER;
    part.reads = part.programs = part.erases = 0;
    const enum err err = mount(&store);
    REQUIRE(err == ERR_OK || err == ERR_NOT_FOUND || err == ERR_IO);
    REQUIRE(part.reads <= MOUNT_READS_MAX && part.programs <= MOUNT_PROGRAMS_MAX);
    REQUIRE(part.erases <= MOUNT_ERASES_MAX);
    if (err == ERR_OK) {
        require_sound(&store);
        const uint64_t digest = digest_of(&store, UINT64_MAX);
        for (int times = 0; times < 2; times++) {
            REQUIRE(mount(&again) == ERR_OK);
            require_sound(&again);
            REQUIRE(again.entry_count == store.entry_count);
            REQUIRE(digest_of(&again, UINT64_MAX) == digest);
        }
        const uint64_t id = UINT64_C(0xF00D);
        uint8_t bytes[16] = "a new record", read[STORE_RECORD_BYTES_MAX];
        uint32_t size_bytes = sizeof read;
        const uint64_t others = digest_of(&again, id);
        const enum err put = store_put(&again, &part.port, id, bytes, sizeof bytes);
        REQUIRE(put == ERR_OK || put == ERR_FULL || put == ERR_IO);
        if (put == ERR_OK && again.lost == 0) {
            REQUIRE(mount(&store) == ERR_OK);
            REQUIRE(store_get(&store, &part.port, id, read, &size_bytes) == ERR_OK);
            REQUIRE(size_bytes == sizeof bytes && memcmp(read, bytes, sizeof bytes) == 0);
            REQUIRE(digest_of(&store, id) == others);
        }
    } else {
        REQUIRE(mount(&again) == err);
    }
}

static void overwrite(struct fuzz_input *input)
{
    const uint32_t offset = fuzz_short(input) % part_bytes();
    size_t size_bytes = fuzz_byte(input);
    const uint8_t *bytes = fuzz_take(input, &size_bytes);
    for (size_t i = 0; i < size_bytes && offset + i < part_bytes(); i++) {
        part.cells[offset + i] = bytes[i];
    }
}

static void forge_number(uint32_t at, uint32_t size_bytes, uint64_t number)
{
    for (uint32_t i = 0; i < size_bytes; i++) {
        part.cells[(at + i) % part_bytes()] = (uint8_t)(number >> (8 * i));
    }
}

/* A checksum that holds, over whatever stands there, as in an image that somebody made. */
static void forge_checksum(struct fuzz_input *input)
{
    const uint32_t sector = fuzz_byte(input) % part.port.flash.sector_count;
    const uint32_t at = sector * part.port.flash.sector_bytes, unit = part.port.flash.program_bytes;
    const uint32_t small = (28 + unit - 1) / unit * unit;
    const uint32_t header_bytes = small > 2 * unit ? small : 2 * unit;
    const uint8_t way = fuzz_byte(input);
    if (way % 2 == 0) { /* of the sector's header */
        forge_number(at + 8 + 8 * (way >> 1 & 1), 8, way & 4 ? UINT64_MAX - (way >> 3) : way >> 3);
        forge_number(at + header_bytes - 4, 4, crc32(0, part.cells + at, 24));
        return;
    }
    uint8_t sequence[8]; /* of its first frame, under the sequence of that header */
    const uint32_t size_bytes = way >> 3;
    memcpy(sequence, part.cells + at + 8, sizeof sequence);
    forge_number(at + header_bytes + 4, 4, size_bytes);
    forge_number(at + header_bytes + 8, 8, way & 4 ? UINT64_MAX - (way >> 3) : way & 2);
    const uint32_t crc = crc32(0, sequence, sizeof sequence);
    forge_number(at + header_bytes, 4,
                 crc32(crc, part.cells + at + header_bytes + 4, 20 + size_bytes));
}

static void copy_sector(struct fuzz_input *input)
{
    const uint32_t sector_bytes = part.port.flash.sector_bytes;
    const uint32_t from = fuzz_byte(input) % part.port.flash.sector_count;
    const uint32_t to = fuzz_byte(input) % part.port.flash.sector_count;
    memmove(part.cells + to * sector_bytes, part.cells + from * sector_bytes, sector_bytes);
}

static void put(struct store *store, struct fuzz_input *input)
{
    uint8_t bytes[RECORD_BYTES];
    const uint64_t id = fuzz_byte(input) % 24;
    const uint32_t size_bytes = 1 + fuzz_byte(input) % RECORD_BYTES;
    memset(bytes, fuzz_byte(input), sizeof bytes);
    const enum err err = store_put(store, &part.port, id, bytes, size_bytes);
    REQUIRE(err == ERR_OK || err == ERR_FULL || err == ERR_IO || err == ERR_RANGE);
}

/* A record stays mounted until something beside the store touches the flash. */
static void run(struct fuzz_input *input)
{
    static struct store store;
    bool mounted = false;
    for (int command = 0; command < COMMANDS_MAX && input->size_bytes > 0; command++) {
        const uint32_t word = fuzz_below(input, 13);
        if (word <= 4 && !mounted) {
            mounted = mount(&store) == ERR_OK ||
                      store_format(&store, &part.port, 0, part.port.flash.sector_count) == ERR_OK;
        }
        if (word <= 4 && mounted) {
            put(&store, input);
        } else if (word == 5 && mounted) {
            (void)store_forget(&store, fuzz_byte(input) % 24);
        } else if (word == 6) { /* power goes in the n-th operation from here */
            part.cut_in = 1 + fuzz_byte(input) % 16;
            part.torn_bytes = fuzz_byte(input);
        } else if (word == 7) {
            part.cut_in = NEVER;
            mounted = false;
        } else if (word == 8) {
            overwrite(input);
            mounted = false;
        } else if (word == 9) {
            copy_sector(input);
            mounted = false;
        } else if (word == 10) {
            const uint32_t unit =
                fuzz_short(input) % (part_bytes() / part.port.flash.program_bytes);
            part.poisoned[unit] = part.port.flash.ecc;
            mounted = false;
        } else if (word == 11) {
            forge_checksum(input);
            mounted = false;
        } else if (word == 12) {
            mounted = false;
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_bytes)
{
    struct fuzz_input input = {data, size_bytes};
    if (size_bytes > 32768) {
        return 0;
    }
    make_part(fuzz_byte(&input));
    run(&input);
    require_mounts();
    return 0;
}
