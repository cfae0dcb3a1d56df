/* Goal: whatever power does, the store loses no record that it took, shows none in part, stays of
 * the same mind from one mount to the next, and goes on working. Method: a workload of puts,
 * replacements and forgets that forces compactions. Each flash operation of each step is cut:
 * before it, at several points within it with several draws, and after it. Each image that remains
 * is mounted and judged; and each flash operation of that mount is cut as well, and what remains
 * then is judged. A storm of random cuts goes deeper. The rules of the part (alignment, one program
 * per unit) are enforced throughout.
 */
#include "core/store.h"

#include <string.h>

#include "core/check.h"
#include "core/test/test.h"
#include "sim/flash.h"
#include "sim/random.h"

enum {
    SECTORS = 6,
    SECTOR_BYTES = 512,
    STATE_IDS = 3, /* records that are replaced again and again; above them a queue */
    IDS = 80,
    QUEUE_LENGTH = 4,
    STEPS = 90,
    RECORD_BYTES = 70,
    STORMS = 160,
    NESTED_EVERY = 11, /* of the images, one in so many is cut again in its mount */
};

_Noreturn void check_failed(const char *file, int line, const char *what)
{
    fprintf(stderr, "%s:%d: check failed: %s\n", file, line, what);
    exit(1);
}

/* ---- A flash whose power goes at a chosen operation ---- */

enum cut_kind { CUT_NONE, CUT_BEFORE, CUT_TORN, CUT_AFTER };

struct cut {
    enum cut_kind kind;
    uint16_t fraction; /* of CUT_TORN */
    uint64_t key;      /* of CUT_TORN */
};

static const struct cut cuts[] = {
    {CUT_BEFORE, 0, 0},   {CUT_TORN, 0, 1},     {CUT_TORN, 3000, 12}, {CUT_TORN, 12000, 2},
    {CUT_TORN, 33000, 3}, {CUT_TORN, 33000, 4}, {CUT_TORN, 65535, 5}, {CUT_TORN, 65535, 6},
    {CUT_TORN, 65535, 7}, {CUT_AFTER, 0, 0},
};
static const struct cut nested_cuts[] = {{CUT_TORN, 1000, 11},
                                         {CUT_TORN, 5000, 8},
                                         {CUT_TORN, 40000, 9},
                                         {CUT_TORN, 65535, 10},
                                         {CUT_AFTER, 0, 0}};

struct rig {
    struct flash *flash;
    struct cut cut;
    uint32_t cut_at;     /* operation, counted from 1 */
    uint32_t operations; /* programs and erases since the cut was set */
    bool dead;
    struct random_stream reads;
};

static void rig_set(struct rig *rig, struct cut cut, uint32_t cut_at, uint64_t read_seed)
{
    rig->cut = cut;
    rig->cut_at = cut_at;
    rig->operations = 0;
    rig->dead = false;
    rig->reads = (struct random_stream){random_key(read_seed, "reads"), 0};
}

static bool rig_strikes(struct rig *rig, enum cut_kind kind)
{
    return rig->cut.kind == kind && rig->operations == rig->cut_at;
}

static enum err rig_read(void *ctx, uint32_t offset, uint8_t *bytes, uint32_t size_bytes)
{
    struct rig *rig = ctx;
    if (rig->dead) {
        return ERR_IO;
    }
    return flash_read(rig->flash, offset, bytes, size_bytes, random_next(&rig->reads));
}

static enum err rig_program(void *ctx, uint32_t offset, const uint8_t *bytes, uint32_t size_bytes)
{
    struct rig *rig = ctx;
    rig->operations++;
    if (rig->dead || rig_strikes(rig, CUT_BEFORE)) {
        rig->dead = true;
        return ERR_IO;
    }
    if (rig_strikes(rig, CUT_TORN)) {
        rig->dead = true;
        EXPECT_EQUAL(flash_program_torn(rig->flash, offset, bytes, size_bytes, rig->cut.fraction,
                                        random_at(rig->cut.key, offset)),
                     ERR_OK);
        return ERR_IO;
    }
    EXPECT_EQUAL(flash_program(rig->flash, offset, bytes, size_bytes), ERR_OK);
    rig->dead = rig_strikes(rig, CUT_AFTER);
    return rig->dead ? ERR_IO : ERR_OK;
}

static enum err rig_erase(void *ctx, uint32_t offset)
{
    struct rig *rig = ctx;
    rig->operations++;
    if (rig->dead || rig_strikes(rig, CUT_BEFORE)) {
        rig->dead = true;
        return ERR_IO;
    }
    if (rig_strikes(rig, CUT_TORN)) {
        rig->dead = true;
        EXPECT_EQUAL(flash_erase_torn(rig->flash, offset, rig->cut.fraction,
                                      random_at(rig->cut.key, offset)),
                     ERR_OK);
        return ERR_IO;
    }
    EXPECT_EQUAL(flash_erase(rig->flash, offset), ERR_OK);
    rig->dead = rig_strikes(rig, CUT_AFTER);
    return rig->dead ? ERR_IO : ERR_OK;
}

static enum err rig_sync(void *ctx)
{
    const struct rig *rig = ctx;
    return rig->dead ? ERR_IO : ERR_OK;
}

/* ---- What the application knows ---- */

struct known {
    uint32_t version; /* of the last put that returned ERR_OK; 0 = never */
    uint32_t tried;   /* the last version that a put was given */
    bool forgotten;
};

struct model {
    struct known records[IDS];
    uint64_t in_flight_id; /* IDS: no put is in flight */
    uint32_t in_flight_version;
};

struct world {
    struct flash_profile profile;
    struct rig rig;
    struct port port;
    struct store store;
    struct model model;
};

/* What the test has seen: each of these must occur, or the test proves nothing. */
static struct {
    uint64_t cuts, nested_cuts, storm_cuts, mounts;
    uint64_t in_flight_whole, in_flight_absent, forgotten_back, uncertain_reads;
} seen;

static uint32_t record_bytes(uint64_t id, uint32_t version)
{
    return 1 + (uint32_t)((id * 29 + version * 17) % RECORD_BYTES);
}

static void record_fill(uint8_t *bytes, uint64_t id, uint32_t version)
{
    struct random_stream stream = {random_key(id, "record"), version * UINT64_C(100)};
    random_bytes(&stream, bytes, record_bytes(id, version));
}

static bool record_is(const uint8_t *bytes, uint32_t size_bytes, uint64_t id, uint32_t version)
{
    uint8_t wanted[RECORD_BYTES];
    record_fill(wanted, id, version);
    return size_bytes == record_bytes(id, version) && memcmp(bytes, wanted, size_bytes) == 0;
}

static enum err put(struct world *world, uint64_t id)
{
    struct model *model = &world->model;
    uint8_t bytes[RECORD_BYTES];
    const uint32_t version = ++model->records[id].tried;
    record_fill(bytes, id, version);
    model->in_flight_id = id;
    model->in_flight_version = version;
    const enum err err =
        store_put(&world->store, &world->port, id, bytes, record_bytes(id, version));
    if (err == ERR_OK) {
        model->records[id].version = version;
        model->records[id].forgotten = false;
        model->in_flight_id = IDS;
    }
    return err;
}

static void forget(struct world *world, uint64_t id)
{
    if (store_forget(&world->store, id)) {
        world->model.records[id].forgotten = true;
    }
}

/* One step: state records change, a queue moves on. */
static enum err step(struct world *world, uint32_t number)
{
    if (number % 2 == 0) {
        return put(world, number / 2 % STATE_IDS);
    }
    const uint64_t id = STATE_IDS + number / 2 % (IDS - STATE_IDS);
    const enum err err = put(world, id);
    if (err == ERR_OK && id >= STATE_IDS + QUEUE_LENGTH) {
        forget(world, id - QUEUE_LENGTH);
    }
    return err;
}

/* ---- The judge ---- */

static void judge_records(struct world *world)
{
    const struct model *model = &world->model;
    for (uint64_t id = 0; id < IDS; id++) {
        const struct known *known = &model->records[id];
        const bool in_flight = model->in_flight_id == id;
        uint8_t bytes[RECORD_BYTES];
        uint32_t size_bytes = sizeof(bytes);
        const enum err err = store_get(&world->store, &world->port, id, bytes, &size_bytes);
        EXPECT(err == ERR_OK || err == ERR_NOT_FOUND);
        const bool there = err == ERR_OK;
        const bool is_new =
            there && in_flight && record_is(bytes, size_bytes, id, model->in_flight_version);
        const bool is_old =
            there && known->version > 0 && record_is(bytes, size_bytes, id, known->version);
        EXPECT(!there || is_new || is_old);                       /* whole */
        EXPECT(there || known->version == 0 || known->forgotten); /* not lost */
        seen.in_flight_whole += is_new;
        seen.in_flight_absent += in_flight && !is_new;
        seen.forgotten_back += is_old && known->forgotten;
    }
}

/* No bit that the store relies on may be uncertain once a mount has succeeded. */
static void judge_certainty(const struct world *world)
{
    const struct store *store = &world->store;
    for (uint32_t i = 0; i < store->entry_count; i++) {
        const struct store_entry *entry = &store->entries[i];
        EXPECT(!flash_is_uncertain(world->rig.flash, entry->offset,
                                   store_frame_bytes(&world->port, entry->size_bytes)));
    }
    for (uint32_t sector = 0; sector < SECTORS; sector++) {
        EXPECT(store->sector_headers[sector] == 0 ||
               !flash_is_uncertain(world->rig.flash, sector * SECTOR_BYTES, SECTOR_BYTES));
    }
}

static void mount(struct world *world, uint64_t read_seed)
{
    rig_set(&world->rig, (struct cut){CUT_NONE, 0, 0}, 0, read_seed);
    EXPECT_EQUAL(store_mount(&world->store, &world->port, 0, SECTORS), ERR_OK);
    EXPECT_EQUAL(world->rig.flash->counts.discipline, 0);
    EXPECT_EQUAL(world->store.lost, 0);
    seen.mounts++;
}

static bool entries_equal(const struct store *left, const struct store *right)
{
    bool equal = left->entry_count == right->entry_count;
    for (uint32_t i = 0; equal && i < left->entry_count; i++) {
        equal = left->entries[i].id == right->entries[i].id &&
                left->entries[i].sequence == right->entries[i].sequence &&
                left->entries[i].size_bytes == right->entries[i].size_bytes;
    }
    return equal;
}

/* The mount has decided whether the put in flight took place: from now on it must stay so. */
static void settle_in_flight(struct world *world)
{
    struct model *model = &world->model;
    const uint64_t id = model->in_flight_id;
    uint8_t bytes[RECORD_BYTES];
    uint32_t size_bytes = sizeof(bytes);
    model->in_flight_id = IDS;
    if (id < IDS && store_get(&world->store, &world->port, id, bytes, &size_bytes) == ERR_OK &&
        record_is(bytes, size_bytes, id, model->in_flight_version)) {
        model->records[id].version = model->in_flight_version;
        model->records[id].forgotten = false;
    }
}

/* Mount what a cut has left and judge it; spoils the world. Returns the mount's operations. */
static uint32_t judge(struct world *world, uint64_t read_seed)
{
    mount(world, read_seed);
    const uint32_t operations = world->rig.operations;
    judge_records(world);
    judge_certainty(world);
    settle_in_flight(world);
    const struct store first = world->store;
    mount(world, read_seed + 1);
    EXPECT(entries_equal(&first, &world->store));
    judge_records(world);
    for (uint64_t id = 0; id < 3; id++) {
        EXPECT_EQUAL(put(world, id), ERR_OK);
    }
    judge_records(world);
    mount(world, read_seed + 2);
    judge_records(world);
    seen.uncertain_reads += world->rig.flash->counts.uncertain_reads;
    return operations;
}

/* ---- The cuts ---- */

static struct world world_create(const struct flash_profile *profile)
{
    struct world world = {.profile = *profile};
    world.rig.flash = flash_create(profile);
    EXPECT(world.rig.flash != NULL);
    world.model.in_flight_id = IDS;
    return world;
}

/* A world is copied by value but for its flash; the port must point at the world's own rig. */
static void world_copy(struct world *target, const struct world *source)
{
    struct flash *flash = target->rig.flash;
    flash_restore(flash, source->rig.flash);
    *target = *source;
    target->rig.flash = flash;
    target->port = (struct port){
        .ctx = &target->rig,
        .flash = target->profile.geometry,
        .flash_read = rig_read,
        .flash_program = rig_program,
        .flash_erase = rig_erase,
        .flash_sync = rig_sync,
    };
}

static void cut_mount_everywhere(const struct world *image, struct world *trial,
                                 uint32_t operations, uint64_t seed)
{
    for (uint32_t at = 1; at <= operations; at++) {
        for (uint32_t i = 0; i < sizeof(nested_cuts) / sizeof(nested_cuts[0]); i++) {
            world_copy(trial, image);
            struct cut cut = nested_cuts[i];
            cut.key = random_at(seed, at * UINT64_C(16) + cut.key);
            rig_set(&trial->rig, cut, at, seed);
            EXPECT_EQUAL(store_mount(&trial->store, &trial->port, 0, SECTORS), ERR_IO);
            seen.nested_cuts++;
            (void)judge(trial, random_at(cut.key, 0));
        }
    }
}

static void cut_everywhere(const struct flash_profile *profile)
{
    struct world base = world_create(profile);
    struct world before = world_create(profile);
    struct world image = world_create(profile);
    struct world trial = world_create(profile);
    world_copy(&before, &base);
    world_copy(&base, &before); /* gives base its port */
    EXPECT_EQUAL(store_format(&base.store, &base.port, 0, SECTORS), ERR_OK);
    uint64_t images = 0;
    for (uint32_t number = 0; number < STEPS; number++) {
        world_copy(&before, &base);
        rig_set(&base.rig, (struct cut){CUT_NONE, 0, 0}, 0, 0);
        EXPECT_EQUAL(step(&base, number), ERR_OK);
        for (uint32_t at = 1; at <= base.rig.operations; at++) {
            for (uint32_t i = 0; i < sizeof(cuts) / sizeof(cuts[0]); i++) {
                world_copy(&image, &before);
                struct cut cut = cuts[i];
                cut.key = random_at(random_key(number, "cut"), at * UINT64_C(16) + cut.key);
                rig_set(&image.rig, cut, at, 0);
                EXPECT_EQUAL(step(&image, number), ERR_IO);
                seen.cuts++;
                world_copy(&trial, &image);
                const uint64_t seed = random_at(cut.key, images);
                const uint32_t operations = judge(&trial, seed);
                if (images++ % NESTED_EVERY == 0) {
                    cut_mount_everywhere(&image, &trial, operations, seed);
                }
            }
        }
    }
    EXPECT(base.store.erases >= 10); /* several compactions, or nothing was shown */
    flash_free(base.rig.flash);
    flash_free(before.rig.flash);
    flash_free(image.rig.flash);
    flash_free(trial.rig.flash);
}

static struct flash_profile profile_of(uint32_t unit, uint8_t erased)
{
    return (struct flash_profile){
        .geometry = {.sector_bytes = SECTOR_BYTES,
                     .sector_count = SECTORS,
                     .program_bytes = unit,
                     .erased_value = erased},
        .program_us = 40,
        .erase_us = 85000,
    };
}

static void every_cut_is_survived_with_units_of_one_byte(void)
{
    const struct flash_profile profile = profile_of(1, 0xff);
    cut_everywhere(&profile);
}

static void every_cut_is_survived_with_units_of_4_bytes(void)
{
    const struct flash_profile profile = profile_of(4, 0x00);
    cut_everywhere(&profile);
}

static void every_cut_is_survived_with_units_of_8_bytes(void)
{
    const struct flash_profile profile = profile_of(8, 0xff);
    cut_everywhere(&profile);
}

static void every_cut_is_survived_with_units_of_32_bytes(void)
{
    const struct flash_profile profile = profile_of(32, 0xff);
    cut_everywhere(&profile);
}

/* As an application does after a boot: it knows what it finds, and empties its queue. What a mount
 * did not find must never come back. */
static void take_what_is_there(struct world *world)
{
    settle_in_flight(world);
    for (uint64_t id = 0; id < IDS; id++) {
        struct known *known = &world->model.records[id];
        uint8_t bytes[RECORD_BYTES];
        uint32_t size_bytes = sizeof(bytes);
        if (store_get(&world->store, &world->port, id, bytes, &size_bytes) != ERR_OK) {
            known->version = 0;
        }
        known->forgotten = false;
        if (id >= STATE_IDS) {
            forget(world, id);
        }
    }
}

/* Power comes and goes at random; every third mount or so is cut, however deep that gets. */
static void storm(uint64_t seed, uint32_t unit)
{
    const struct flash_profile profile = profile_of(unit, 0xff);
    struct world world = world_create(&profile);
    struct world copy = world_create(&profile);
    struct random_stream draws = {random_key(seed, "storm"), 0};
    world_copy(&copy, &world);
    world_copy(&world, &copy);
    EXPECT_EQUAL(store_format(&world.store, &world.port, 0, SECTORS), ERR_OK);
    uint32_t number = 0;
    for (uint32_t life = 0; life < 12; life++) {
        struct cut cut = {CUT_TORN, (uint16_t)random_next(&draws), random_next(&draws)};
        rig_set(&world.rig, cut, 1 + (uint32_t)random_below(&draws, 40), random_next(&draws));
        while (step(&world, number) == ERR_OK) {
            number++;
        }
        enum err err = ERR_IO;
        while (err != ERR_OK) {
            seen.storm_cuts++;
            const bool again = random_chance(&draws, 700000);
            cut.kind = again ? CUT_TORN : CUT_NONE;
            cut.fraction = (uint16_t)(random_next(&draws) | random_next(&draws));
            cut.key = random_next(&draws);
            rig_set(&world.rig, cut, 1 + (uint32_t)random_below(&draws, 12), random_next(&draws));
            err = store_mount(&world.store, &world.port, 0, SECTORS);
            EXPECT(err == ERR_OK || err == ERR_IO);
        }
        rig_set(&world.rig, (struct cut){CUT_NONE, 0, 0}, 0, random_next(&draws));
        judge_records(&world);
        judge_certainty(&world);
        world_copy(&copy, &world);
        mount(&copy, random_next(&draws));
        EXPECT(entries_equal(&world.store, &copy.store));
        take_what_is_there(&world);
        number += number % 2; /* the queue was emptied: go on with a state record */
    }
    flash_free(world.rig.flash);
    flash_free(copy.rig.flash);
}

static void storms_of_random_cuts_are_survived(void)
{
    static const uint32_t units[] = {1, 4, 8, 32};
    for (uint64_t seed = 0; seed < STORMS; seed++) {
        storm(seed, units[seed % 4]);
    }
}

static void every_kind_of_outcome_was_seen(void)
{
    printf("   %" PRIu64 " cuts, %" PRIu64 " nested, %" PRIu64 " in storms, %" PRIu64 " mounts\n",
           seen.cuts, seen.nested_cuts, seen.storm_cuts, seen.mounts);
    printf("   in flight: whole %" PRIu64 ", absent %" PRIu64 "; forgotten and back %" PRIu64
           "; reads of uncertain bits %" PRIu64 "\n",
           seen.in_flight_whole, seen.in_flight_absent, seen.forgotten_back, seen.uncertain_reads);
    EXPECT(seen.cuts > 3000);
    EXPECT(seen.nested_cuts > 10000);
    EXPECT(seen.storm_cuts > 3000);
    EXPECT(seen.in_flight_whole > 1000);
    EXPECT(seen.in_flight_absent > 1000);
    EXPECT(seen.forgotten_back > 1000);
    EXPECT(seen.uncertain_reads > 1000);
}

int main(void)
{
    RUN(every_cut_is_survived_with_units_of_one_byte);
    RUN(every_cut_is_survived_with_units_of_4_bytes);
    RUN(every_cut_is_survived_with_units_of_8_bytes);
    RUN(every_cut_is_survived_with_units_of_32_bytes);
    RUN(storms_of_random_cuts_are_survived);
    RUN(every_kind_of_outcome_was_seen);
    return 0;
}
