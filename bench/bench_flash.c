/* What an image of a flash part costs whoever explores them: to keep, to come back to, to name.
 * And what the operations on it cost, because nothing can be explored faster. */
#include "bench/bench.h"

#include "core/check.h"
#include "sim/flash.h"

enum { SECTOR_BYTES = 4096, SECTOR_COUNT = 32, CHUNK_BYTES = 256 };

struct rig {
    struct flash *flash;
    struct flash *full;   /* snapshot: every sector programmed */
    struct flash *others; /* snapshot: no sector shared with full */
    uint8_t chunk[CHUNK_BYTES];
    uint32_t at; /* goes round the sectors */
    uint64_t digest[2];
};

static struct rig rig;

static void program_all(void)
{
    for (uint32_t at = 0; at < rig.flash->size_bytes; at += CHUNK_BYTES) {
        CHECK(flash_program(rig.flash, at, rig.chunk, CHUNK_BYTES) == ERR_OK);
    }
}

static void make(void)
{
    const struct flash_profile profile = {
        .geometry = {.sector_bytes = SECTOR_BYTES,
                     .sector_count = SECTOR_COUNT,
                     .program_bytes = 8,
                     .erased_value = 0xff},
        .program_us = 25,
        .erase_us = 45000,
        .program_once = true,
    };
    rig.flash = flash_create(&profile);
    CHECK(rig.flash != NULL);
    memset(rig.chunk, 0x5a, sizeof rig.chunk);
    program_all();
    rig.full = flash_snapshot(rig.flash);
    for (uint32_t i = 0; i < SECTOR_COUNT; i++) {
        CHECK(flash_erase(rig.flash, i * SECTOR_BYTES) == ERR_OK);
    }
    program_all();
    rig.others = flash_snapshot(rig.flash);
    CHECK(rig.full != NULL && rig.others != NULL);
}

static uint32_t next_sector(void)
{
    rig.at = (rig.at + 1) % SECTOR_COUNT;
    return rig.at * SECTOR_BYTES;
}

static void snapshot_and_drop(void)
{
    flash_drop(flash_snapshot(rig.flash));
}

static void restore_same(void)
{
    flash_restore(rig.flash, rig.full);
}

static void restore_other(void)
{
    flash_restore(rig.flash, rig.full);
    flash_restore(rig.flash, rig.others);
}

static void hash_same(void)
{
    flash_hash(rig.flash, rig.digest);
}

/* Erase is the change: it makes the sector this part's own as any other operation does. */
static void change(void)
{
    flash_restore(rig.flash, rig.full);
    CHECK(flash_erase(rig.flash, next_sector()) == ERR_OK);
}

static void change_and_hash(void)
{
    change();
    flash_hash(rig.flash, rig.digest);
}

/* What an explorer does for each cut, but for the boot. */
static void cut_and_name(void)
{
    flash_restore(rig.flash, rig.full);
    CHECK(flash_erase_cut(rig.flash, next_sector(), 0, FLASH_ERASE_TEAR_MIXED) == ERR_OK);
    flash_hash(rig.flash, rig.digest);
    flash_drop(flash_snapshot(rig.flash));
}

static void erase_again(void)
{
    CHECK(flash_erase(rig.flash, 0) == ERR_OK);
}

static void program_and_erase(void)
{
    CHECK(flash_program(rig.flash, 0, rig.chunk, CHUNK_BYTES) == ERR_OK);
    CHECK(flash_erase(rig.flash, 0) == ERR_OK);
}

static void read_chunk(void)
{
    uint8_t bytes[CHUNK_BYTES];
    CHECK(flash_read(rig.flash, next_sector(), bytes, sizeof bytes, 1) == ERR_OK);
}

static void measure(const char *what, void (*body)(void), uint32_t rounds)
{
    struct bench_sample sample = {0};
    flash_restore(rig.flash, rig.full);
    flash_hash(rig.flash, rig.digest);
    for (uint32_t i = 0; i < BENCH_ROUNDS; i++) {
        const double start_s = bench_cpu_s();
        for (uint32_t round = 0; round < rounds; round++) {
            body();
        }
        bench_add(&sample, (bench_cpu_s() - start_s) * 1e9 / rounds);
    }
    bench_print(what, bench_median(&sample), "ns");
}

int main(int argc, char **argv)
{
    const uint32_t rounds = bench_smoke(argc, argv) ? 100 : 200000;
    bench_title(
        "flash images: nanoseconds each",
        "32 sectors of 4 KiB, units of 8 bytes, all programmed; CPU time, median of rounds");
    make();
    measure("snapshot and drop", snapshot_and_drop, rounds);
    measure("restore, nothing has changed", restore_same, rounds);
    measure("restore twice, every sector has", restore_other, rounds);
    measure("hash, nothing has changed", hash_same, rounds);
    measure("restore, change a sector", change, rounds);
    measure("restore, change a sector, hash", change_and_hash, rounds);
    measure("restore, cut an erase, hash, snapshot, drop", cut_and_name, rounds);
    measure("erase a sector", erase_again, rounds);
    measure("erase a sector, program 256 bytes", program_and_erase, rounds);
    measure("read 256 bytes", read_chunk, rounds);
    flash_drop(rig.others);
    flash_drop(rig.full);
    flash_free(rig.flash);
    return 0;
}
