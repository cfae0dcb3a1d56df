/* Goal: a snapshot is a deep copy, whatever becomes of the part, of other snapshots and of itself;
 * and hashes are equal if and only if contents are. Method: thousands of keyed random operations on
 * small parts of every kind, with snapshots taken, restored, worked on and dropped in any order;
 * the oracle is a plain dump, byte by byte, that shares nothing. Parts are so small, and data so
 * few, that images often come together again by another way. */
#include "sim/flash.h"

#include <string.h>

#include "core/check.h"
#include "core/test/test.h"
#include "sim/random.h"

enum {
    SECTOR_BYTES = 32,
    SECTOR_COUNT = 2,
    UNIT_BYTES = 8,
    OTP_BYTES = 16,
    OPERATIONS = 6000,
    SLOTS = 12,
    DUMP_BYTES = 4096,
};

_Noreturn void check_failed(const char *file, int line, const char *what)
{
    fprintf(stderr, "%s:%d: check failed: %s\n", file, line, what);
    exit(1);
}

/* ---- the oracle ---- */

struct dump {
    uint32_t size_bytes;
    uint8_t bytes[DUMP_BYTES];
};

static void put(struct dump *dump, const void *bytes, uint32_t size_bytes)
{
    EXPECT(size_bytes <= DUMP_BYTES - dump->size_bytes);
    memcpy(dump->bytes + dump->size_bytes, bytes, size_bytes);
    dump->size_bytes += size_bytes;
}

static void put_mask(struct dump *dump, const uint8_t *mask, uint32_t size_bytes)
{
    static const uint8_t none[SECTOR_BYTES];
    put(dump, mask == NULL ? none : mask, size_bytes);
}

/* What hashes go by; `whole`: and what they do not. */
static void put_sectors(struct dump *dump, const struct flash *flash,
                        struct flash_sector *const *sectors, bool whole)
{
    const uint32_t units = SECTOR_BYTES / UNIT_BYTES;
    const bool limited = flash->profile.program_once || flash->profile.program_limit > 0;
    for (uint32_t i = 0; i < flash->sector_count; i++) {
        const struct flash_sector *sector = sectors[i];
        put(dump, sector->cells, SECTOR_BYTES);
        put_mask(dump, sector->uncertain, SECTOR_BYTES);
        put_mask(dump, sector->poison, units);
        put_mask(dump, sector->stuck, SECTOR_BYTES);
        put(dump, &sector->bad, sizeof sector->bad);
        if (whole || limited) {
            put(dump, sector->programs, units);
        }
        if (whole || flash->profile.wear_limit > 0) {
            put(dump, &sector->erases, sizeof sector->erases);
        }
    }
}

static void dump_take(struct dump *dump, const struct flash *flash, bool whole)
{
    dump->size_bytes = 0;
    put_sectors(dump, flash, flash->sectors, whole);
    put(dump, flash->counters, sizeof flash->counters);
    put(dump, &flash->swap_option, sizeof flash->swap_option);
    put(dump, &flash->swapped, sizeof flash->swapped);
    put(dump, &flash->pending_count, sizeof flash->pending_count);
    if (flash->durable != NULL && (whole || flash->pending_count > 0)) {
        put_sectors(dump, flash, flash->durable, whole);
    }
    for (uint32_t i = 0; i < flash->pending_count; i++) {
        const struct flash_pending *pending = flash->pending[i];
        put(dump, &pending->offset, sizeof pending->offset);
        put(dump, &pending->size_bytes, sizeof pending->size_bytes);
        put(dump, pending->bytes, pending->size_bytes);
    }
    if (flash->reads != NULL) {
        put(dump, flash->reads, flash->sector_count * (uint32_t)sizeof *flash->reads);
    }
    if (whole) {
        put(dump, &flash->counts, sizeof flash->counts);
    }
}

static bool dumps_equal(const struct dump *left, const struct dump *right)
{
    return left->size_bytes == right->size_bytes &&
           memcmp(left->bytes, right->bytes, left->size_bytes) == 0;
}

/* ---- the parts ---- */

enum kind { PLAIN, LIMITED, ECC, GARBAGE, CACHED, BANKS, FAULTY, KIND_COUNT };

static struct flash_profile profile_of(enum kind kind)
{
    const bool ecc = kind == ECC || kind == GARBAGE;
    return (struct flash_profile){
        .geometry = {.sector_bytes = SECTOR_BYTES,
                     .sector_count = SECTOR_COUNT,
                     .program_bytes = UNIT_BYTES,
                     .erased_value = kind == BANKS ? 0x00 : 0xff},
        .program_us = 40,
        .erase_us = 400,
        .program_once = ecc,
        .program_limit = kind == LIMITED ? 2 : 0,
        .ecc = kind == ECC       ? FLASH_ECC_FAULT
               : kind == GARBAGE ? FLASH_ECC_GARBAGE
                                 : FLASH_ECC_NONE,
        .page_bytes = kind == CACHED ? 16 : 0,
        .cache_pages = kind == CACHED ? 3 : 0,
        .dual_bank = kind == BANKS,
        .otp_bytes = kind == BANKS || kind == CACHED ? OTP_BYTES : 0,
        .counter_max = kind == ECC ? 2 : 0,
        .run_count = kind == BANKS ? 2 : 0,
        .runs = {{16, 2, 200}, {32, 1, 400}},
        .wear_limit = kind == FAULTY ? 50 : 0,
        .worn = kind == FAULTY ? FLASH_BAD_SILENT : FLASH_GOOD,
        .disturb_reads = kind == FAULTY ? 6 : 0,
        .retention_us = kind == FAULTY || kind == CACHED ? 1000 : 0,
    };
}

/* A range that can be programmed, in few bytes. */
static uint32_t draw_range(const struct flash *flash, struct random_stream *draws,
                           uint32_t *size_bytes)
{
    const bool otp = flash->profile.otp_bytes > 0 && random_below(draws, 8) == 0;
    const uint32_t units = (otp ? OTP_BYTES : SECTOR_COUNT * SECTOR_BYTES) / UNIT_BYTES;
    const uint32_t first = (uint32_t)random_below(draws, units);
    *size_bytes = UNIT_BYTES * (1 + (uint32_t)random_below(draws, units - first < 3 ? 1 : 3));
    return first * UNIT_BYTES + (otp ? FLASH_OTP_OFFSET : 0);
}

static void program(struct flash *flash, struct random_stream *draws, uint64_t how)
{
    static const uint8_t values[] = {0x00, 0xff, 0x0f, 0x3c};
    uint8_t bytes[3 * UNIT_BYTES];
    uint32_t size_bytes;
    const uint32_t offset = draw_range(flash, draws, &size_bytes);
    memset(bytes, values[random_below(draws, 4)], sizeof bytes);
    const struct flash_cut cut = {(uint32_t)random_below(draws, size_bytes / UNIT_BYTES + 1),
                                  (enum flash_tear)random_below(draws, FLASH_TEAR_COUNT)};
    const uint16_t fraction = (uint16_t)random_next(draws);
    const uint64_t key = random_below(draws, 4);
    const enum err err = how == 0
                             ? flash_program_torn(flash, offset, bytes, size_bytes, fraction, key)
                         : how == 1 ? flash_program_cut(flash, offset, bytes, size_bytes, cut)
                         : how == 2 ? flash_brown_out(flash, offset, size_bytes, key)
                                    : flash_program(flash, offset, bytes, size_bytes);
    EXPECT(err == ERR_OK || err == ERR_IO);
}

static void erase(struct flash *flash, struct random_stream *draws, uint64_t how)
{
    const uint32_t offset = SECTOR_BYTES * (uint32_t)random_below(draws, SECTOR_COUNT);
    const uint16_t fraction = (uint16_t)random_next(draws);
    const uint64_t key = random_below(draws, 4);
    const enum flash_erase_tear tear =
        (enum flash_erase_tear)random_below(draws, FLASH_ERASE_TEAR_COUNT);
    const uint32_t blocks =
        (uint32_t)random_below(draws, flash_block_count(flash, offset) + UINT64_C(1));
    const enum err err = how == 0   ? flash_erase_torn(flash, offset, fraction, key)
                         : how == 1 ? flash_erase_cut(flash, offset, blocks, tear)
                                    : flash_erase(flash, offset);
    EXPECT(err == ERR_OK || err == ERR_IO);
}

static void beside(struct flash *flash, struct random_stream *draws)
{
    const enum port_counter counter = (enum port_counter)random_below(draws, COUNTER_COUNT);
    const enum flash_settled settled = (enum flash_settled)random_below(draws, 2);
    const uint64_t key = random_next(draws);
    switch (random_below(draws, 8)) {
    case 0:
        flash_counter_cut(flash, counter, settled);
        break;
    case 1:
        flash_sync(flash);
        break;
    case 2:
        if (flash->profile.dual_bank) {
            flash_swap_banks(flash, key % 2 != 0);
        }
        break;
    case 3:
        flash_reset(flash);
        break;
    case 4:
        flash_age(flash, key % 3000, key);
        break;
    case 5:
        if (flash->profile.wear_limit > 0 && key % 40 == 0) {
            flash_stick(flash, (uint32_t)(key >> 32) % flash->size_bytes, (uint8_t)(1u << key % 8));
            flash_set_bad(flash, (uint32_t)(key >> 8) % 2, (enum flash_bad)((key >> 16) % 3));
        }
        break;
    default:
        flash_power_cut(flash, key,
                        (struct flash_cut){(uint32_t)(key >> 40) % 3,
                                           (enum flash_tear)(key % FLASH_TEAR_COUNT)});
    }
}

static void operate(struct flash *flash, struct random_stream *draws)
{
    uint8_t bytes[SECTOR_BYTES];
    const uint64_t how = random_below(draws, 8);
    switch (random_below(draws, 4)) {
    case 0:
        program(flash, draws, how);
        break;
    case 1:
        erase(flash, draws, how);
        break;
    case 2:
        beside(flash, draws);
        break;
    default: {
        const uint32_t offset = (uint32_t)random_below(draws, SECTOR_BYTES);
        const enum err err = flash_read(flash, offset, bytes, 16, how);
        EXPECT(err == ERR_OK || err == ERR_IO);
    }
    }
}

/* ---- the tests ---- */

/* A snapshot and what it was when it was taken. */
struct slot {
    struct flash *flash;
    struct dump whole;
};

static void slot_take(struct slot *slot, const struct flash *flash)
{
    flash_drop(slot->flash);
    slot->flash = flash_snapshot(flash);
    EXPECT(slot->flash != NULL);
    dump_take(&slot->whole, flash, true);
}

static bool slot_holds(const struct slot *slot, const struct flash *flash)
{
    struct dump now;
    dump_take(&now, flash, true);
    return dumps_equal(&now, &slot->whole);
}

static void mask_deepen(uint8_t **mask, const uint8_t *source, uint32_t size_bytes)
{
    free(*mask);
    *mask = source == NULL ? NULL : malloc(size_bytes);
    EXPECT((*mask == NULL) == (source == NULL));
    if (source != NULL) {
        memcpy(*mask, source, size_bytes);
    }
}

/* Make the part what `source` is, and share no sector with anybody. */
static void deepen(struct flash *flash, const struct flash *source)
{
    const uint32_t units = SECTOR_BYTES / UNIT_BYTES;
    flash_restore(flash, source);
    for (uint32_t i = 0; i < flash->sector_count; i++) {
        const struct flash_sector *from = source->sectors[i];
        struct flash_sector *own = flash_own(flash, i);
        EXPECT(own != from);
        memcpy(own->cells, from->cells, SECTOR_BYTES);
        memcpy(own->programs, from->programs, units);
        mask_deepen(&own->uncertain, from->uncertain, SECTOR_BYTES);
        mask_deepen(&own->poison, from->poison, units);
        mask_deepen(&own->stuck, from->stuck, SECTOR_BYTES);
        own->erases = from->erases;
        own->bad = from->bad;
    }
}

/* Two parts of one history: one shares all that it can, the other nothing. */
static void storm_of_twins(enum kind kind)
{
    const struct flash_profile profile = profile_of(kind);
    struct random_stream draws = {random_key(kind, "twins"), 0};
    struct flash *flash = flash_create(&profile);
    struct flash *twin = flash_create(&profile);
    struct flash *kept = flash_create(&profile);
    EXPECT(flash != NULL && twin != NULL && kept != NULL);
    for (uint32_t i = 0; i < OPERATIONS; i++) {
        struct random_stream again = draws;
        operate(flash, &draws);
        operate(twin, &again);
        struct dump left, right;
        dump_take(&left, flash, true);
        dump_take(&right, twin, true);
        EXPECT(dumps_equal(&left, &right));
        if (random_below(&draws, 5) == 0) {
            flash_restore(kept, flash); /* so that the next change is a copy */
        }
        if (random_below(&draws, 40) == 0) {
            flash_restore(flash, kept);
            deepen(twin, kept);
        }
    }
    flash_free(kept);
    flash_free(twin);
    flash_free(flash);
}

static void storm(enum kind kind)
{
    const struct flash_profile profile = profile_of(kind);
    struct random_stream draws = {random_key(kind, "image"), 0};
    struct flash *flash = flash_create(&profile);
    static struct slot slots[SLOTS];
    uint32_t restored = 0, worked_on = 0;
    EXPECT(flash != NULL);
    for (uint32_t i = 0; i < SLOTS; i++) {
        slot_take(&slots[i], flash);
    }
    for (uint32_t i = 0; i < OPERATIONS; i++) {
        operate(flash, &draws);
        struct slot *slot = &slots[random_below(&draws, SLOTS)];
        switch (random_below(&draws, 12)) {
        case 0:
            slot_take(slot, flash);
            break;
        case 1:
            flash_restore(flash, slot->flash);
            EXPECT(slot_holds(slot, flash));
            restored++;
            break;
        case 2: /* a snapshot goes its own way, and the part does not notice */
            operate(slot->flash, &draws);
            dump_take(&slot->whole, slot->flash, true);
            worked_on++;
            break;
        default:
            break;
        }
        for (uint32_t j = 0; i % 16 == 0 && j < SLOTS; j++) {
            EXPECT(slot_holds(&slots[j], slots[j].flash));
        }
    }
    EXPECT(restored > 300 && worked_on > 300);
    flash_free(flash); /* the part goes first */
    for (uint32_t j = 0; j < SLOTS; j++) {
        EXPECT(slot_holds(&slots[j], slots[j].flash));
        flash_drop(slots[j].flash);
        slots[j].flash = NULL;
    }
}

static void snapshots_are_deep_copies_on_every_kind_of_part(void)
{
    for (uint32_t kind = 0; kind < KIND_COUNT; kind++) {
        storm((enum kind)kind);
    }
}

/* But for the cache, which has its own ways of sharing: the storm above is for it. */
static void a_part_that_shares_is_like_one_that_does_not(void)
{
    for (uint32_t kind = 0; kind < KIND_COUNT; kind++) {
        if (kind != CACHED) {
            storm_of_twins((enum kind)kind);
        }
    }
}

/* Of each kind, many images by many ways: short ways, or no two would ever meet. */
static void hashes_are_equal_if_and_only_if_contents_are(void)
{
    enum { IMAGES = 600 };
    static struct dump dumps[IMAGES];
    static uint64_t digests[IMAGES][2];
    for (uint32_t kind = 0; kind < KIND_COUNT; kind++) {
        const struct flash_profile profile = profile_of((enum kind)kind);
        struct random_stream draws = {random_key(kind, "hash"), 0};
        uint32_t equal = 0, unequal = 0;
        for (uint32_t i = 0; i < IMAGES; i++) {
            struct flash *flash = flash_create(&profile);
            EXPECT(flash != NULL);
            const uint64_t length = random_below(&draws, 10);
            for (uint64_t step = 0; step < length; step++) {
                operate(flash, &draws);
                if (random_below(&draws, 2) == 0) { /* a cached digest must not outlive a change */
                    flash_hash(flash, digests[i]);
                }
            }
            flash_hash(flash, digests[i]);
            dump_take(&dumps[i], flash, false);
            flash_free(flash);
            for (uint32_t j = 0; j < i; j++) {
                const bool same = memcmp(digests[i], digests[j], sizeof digests[i]) == 0;
                EXPECT_EQUAL(same, dumps_equal(&dumps[i], &dumps[j]));
                equal += same && dumps[i].size_bytes > 0;
                unequal += !same;
            }
        }
        EXPECT(equal > 1000 && unequal > 1000);
    }
}

static void sectors_can_be_taken_and_given_one_by_one(void)
{
    static const uint8_t data[UNIT_BYTES] = {1, 2, 3};
    const struct flash_profile profile = profile_of(CACHED);
    struct flash *flash = flash_create(&profile);
    EXPECT(flash != NULL);
    uint64_t before[2], after[2];
    EXPECT_EQUAL(flash_program(flash, 0, data, UNIT_BYTES), ERR_OK);
    flash_sync(flash);
    flash_hash(flash, before);
    struct flash_sector *full = flash_take(flash, 0);
    struct flash_sector *blank = flash_take(flash, 1);
    EXPECT(memcmp(full->digest, blank->digest, sizeof full->digest) != 0);
    EXPECT_EQUAL(flash_erase(flash, 0), ERR_OK);
    flash_sync(flash);
    struct flash_sector *erased = flash_take(flash, 0);
    EXPECT(memcmp(erased->digest, blank->digest, sizeof blank->digest) == 0);
    flash_give(flash, 0, full);
    flash_release(erased);
    flash_hash(flash, after);
    EXPECT(memcmp(before, after, sizeof before) == 0);
    flash_own(flash, 0)->cells[3] = 9; /* nobody else has it */
    EXPECT_EQUAL(full->cells[3], 0x00);
    flash_hash(flash, after);
    EXPECT(memcmp(before, after, sizeof before) != 0);
    flash_free(flash);
    EXPECT_EQUAL(full->cells[2], 3);
    flash_release(full);
    flash_release(blank);
}

static void a_snapshot_shares_what_has_not_changed(void)
{
    static const uint8_t data[UNIT_BYTES] = {0};
    const struct flash_profile profile = profile_of(PLAIN);
    struct flash *flash = flash_create(&profile);
    EXPECT(flash != NULL);
    EXPECT(flash->sectors[0] == flash->sectors[1]); /* a new part is one sector in memory */
    EXPECT_EQUAL(flash_program(flash, 0, data, UNIT_BYTES), ERR_OK);
    struct flash *snapshot = flash_snapshot(flash);
    EXPECT(snapshot != NULL);
    EXPECT(snapshot->sectors[0] == flash->sectors[0]);
    EXPECT_EQUAL(flash_program(flash, 8, data, UNIT_BYTES), ERR_OK);
    EXPECT(snapshot->sectors[0] != flash->sectors[0]);
    EXPECT(snapshot->sectors[1] == flash->sectors[1]);
    flash_restore(flash, snapshot);
    EXPECT(snapshot->sectors[0] == flash->sectors[0]);
    flash_drop(snapshot);
    EXPECT_EQUAL(flash->sectors[0]->references, 1);
    flash_free(flash);
}

int main(void)
{
    RUN(snapshots_are_deep_copies_on_every_kind_of_part);
    RUN(a_part_that_shares_is_like_one_that_does_not);
    RUN(hashes_are_equal_if_and_only_if_contents_are);
    RUN(sectors_can_be_taken_and_given_one_by_one);
    RUN(a_snapshot_shares_what_has_not_changed);
    return 0;
}
