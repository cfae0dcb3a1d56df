/* Goal: whatever power does to an install, the device boots the old image or the new one, byte for
 * byte; it never gives up what it promised; and the install comes to its end. Method: three stories
 * (install and confirm; the next one, over an old image; install and never confirm), told by real
 * boot loader, update and store over torn flash. Each operation that changes flash or a counter is
 * cut: before it, at several points within it with several draws, and after it; the device boots
 * again and goes on. Of the images that are left, some are cut again at each operation of the
 * recovery, and storms of random cuts go deeper. Signatures are stand-ins: no law here is about
 * them, and there are a million of them.
 */
#include "core/boot.h"
#include "core/update.h"

#include <string.h>

#include "core/check.h"
#include "core/crypto/openssl.h"
#include "core/test/test.h"
#include "sim/flash.h"
#include "sim/ideal.h"
#include "sim/random.h"
#include "sim/test/cut_port.h"

enum {
    SECTOR_BYTES = 512,
    SLOT_SECTORS = 4,
    SECTORS = 3 + 3 + 2 * SLOT_SECTORS,
    AREA_BYTES = (SLOT_SECTORS - 1) * SECTOR_BYTES,
    TRIALS = 2,
    HARDWARE = 5,
    AUTHOR = 1,
    OPERATOR = 2,
    PIECE_BYTES = 300,
    BOOTS_MAX = 24,    /* of a story that is not cut any more */
    NESTED_EVERY = 13, /* of the images, one in so many is cut again in its recovery */
    STORMS = 150,
    STORM_CUTS = 12,
};

_Noreturn void check_failed(const char *file, int line, const char *what)
{
    fprintf(stderr, "%s:%d: check failed: %s\n", file, line, what);
    exit(1);
}

/* ---- The cuts that are made ---- */

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

/* ---- The maker ---- */

struct release {
    struct manifest manifest;
    struct manifest_envelopes envelopes;
    uint8_t area[AREA_BYTES]; /* the image, then erased cells */
};

static struct {
    struct crypto_openssl openssl;
    struct ideal ideal;
    struct port_crypto crypto;
    struct key_pair author, operator;
} maker;

static struct update_config config_of(void)
{
    struct update_config config = {
        .boot = {.layout = {.boot_store = {0, 3},
                            .app_store = {3, 3},
                            .slots = {{6, SLOT_SECTORS}, {6 + SLOT_SECTORS, SLOT_SECTORS}}},
                 .authority = {.author = AUTHOR, .operator= OPERATOR, .hardware = HARDWARE},
                 .trials = {TRIALS}},
        .enabled = true,
        .reverts_max = UINT32_MAX, /* power may burn trials as often as it likes */
    };
    memcpy(config.boot.authority.author_key, maker.author.public_key, KEY_BYTES);
    memcpy(config.boot.authority.operator_key, maker.operator.public_key, KEY_BYTES);
    return config;
}

static void maker_init(void)
{
    static const uint64_t secret[2] = {1, 2};
    struct port_crypto real;
    EXPECT_EQUAL(crypto_openssl_init(&maker.openssl, &real), ERR_OK);
    ideal_init(&maker.ideal, secret, &real, &maker.crypto);
    maker.author.seed[0] = AUTHOR;
    maker.operator.seed[0] = OPERATOR;
    EXPECT_EQUAL(maker.crypto.public_key(maker.crypto.ctx, &maker.author), ERR_OK);
    EXPECT_EQUAL(maker.crypto.public_key(maker.crypto.ctx, &maker.operator), ERR_OK);
}

static struct release make_release(uint64_t sequence, uint64_t level, uint32_t size_bytes,
                                   uint8_t erased)
{
    const struct port port = {.crypto = maker.crypto};
    struct random_stream stream = {random_key(sequence, "image"), 0};
    struct release release = {
        .manifest = {.sequence = {sequence},
                     .security = {level},
                     .hardware = HARDWARE,
                     .size_bytes = size_bytes,
                     .expires_us = MANIFEST_NEVER},
    };
    uint8_t bytes[MANIFEST_BYTES_MAX];
    uint32_t manifest_bytes = sizeof bytes;
    memset(release.area, erased, sizeof release.area);
    random_bytes(&stream, release.area, size_bytes);
    EXPECT_EQUAL(
        image_digest(&port, release.area, size_bytes, AREA_BYTES, erased, release.manifest.digest),
        ERR_OK);
    EXPECT_EQUAL(manifest_encode(&release.manifest, bytes, &manifest_bytes), ERR_OK);
    EXPECT_EQUAL(manifest_sign(&port, &maker.author, AUTHOR, MANIFEST_AUTHOR, bytes, manifest_bytes,
                               &release.envelopes),
                 ERR_OK);
    EXPECT_EQUAL(manifest_sign(&port, &maker.operator, OPERATOR, MANIFEST_OPERATOR, bytes,
                               manifest_bytes, &release.envelopes),
                 ERR_OK);
    return release;
}

/* ---- A story, and what must hold in it ---- */

struct story {
    const struct release *old; /* confirmed, in old_slot */
    const struct release *new;
    uint32_t old_slot;
    bool confirms; /* else the new image is reverted at last */
};

/* What somebody was told, or saw: it outlives every cut. */
struct witness {
    uint64_t floor;
    bool confirmed;         /* a confirm was reported, or the new image booted as confirmed */
    bool complete;          /* the download was reported to be */
    uint32_t durable_bytes; /* of it */
    uint32_t trial_boots;   /* of the new image since it was armed */
};

struct world {
    const struct story *story;
    struct cut_port rig;
    struct witness witness;
};

/* RAM: whatever it is at each boot. */
static struct boot boot;
static struct boot_report report;
static struct update update;
static struct store store; /* the application's */
static struct update_config config;

/* What the test has seen: each of these must occur, or the test proves nothing. */
static struct {
    uint64_t cuts, nested_cuts, storm_cuts, boots;
    uint64_t trials_burned, trials_spent, resumed, completed_before, floor_behind, uncertain_reads;
} seen;

enum end { END_DEAD, END_RESET, END_DONE };

static struct port port_of(struct world *world)
{
    struct port port = cut_port_of(&world->rig);
    port.crypto = maker.crypto;
    return port;
}

static uint64_t floor_of(const struct world *world)
{
    return flash_counter(world->rig.flash, COUNTER_SECURITY);
}

static bool slot_is(const struct world *world, uint32_t slot, const struct release *release)
{
    uint8_t area[AREA_BYTES];
    const struct flash *flash = world->rig.flash;
    const uint32_t offset = slot_area_offset(&config.boot.layout, &flash->profile.geometry, slot);
    struct flash *copy = flash_snapshot(flash); /* so that a look leaves no trace */
    EXPECT(copy != NULL);
    EXPECT_EQUAL(flash_read(copy, offset, area, sizeof area, 0), ERR_OK);
    flash_drop(copy);
    return !flash_is_uncertain(flash, offset - SECTOR_BYTES, SECTOR_BYTES + AREA_BYTES) &&
           memcmp(area, release->area, sizeof area) == 0;
}

/* True at every instant: the floor, and the old image, which nobody may touch. */
static void judge_device(struct world *world)
{
    const struct story *story = world->story;
    struct witness *witness = &world->witness;
    EXPECT(floor_of(world) >= witness->floor);
    EXPECT(floor_of(world) <= story->new->manifest.security.level);
    witness->floor = floor_of(world);
    EXPECT(slot_is(world, story->old_slot, story->old));
    EXPECT_EQUAL(world->rig.flash->counts.discipline, 0);
}

static enum end run_trial(struct world *world, const struct port *port)
{
    struct witness *witness = &world->witness;
    EXPECT(!witness->confirmed);
    EXPECT_EQUAL(floor_of(world), world->story->old->manifest.security.level);
    witness->trial_boots++;
    EXPECT(witness->trial_boots <= TRIALS);
    if (!world->story->confirms) {
        return END_RESET;
    }
    update_init(&update, &config, port, &report);
    const enum err err = update_confirm(&update, port, HEALTH_ROUND_TRIP);
    judge_device(world);
    EXPECT(err == ERR_OK || world->rig.dead);
    witness->confirmed = witness->confirmed || err == ERR_OK;
    return world->rig.dead ? END_DEAD : END_RESET;
}

static enum err fetch(struct world *world, const struct port *port)
{
    struct witness *witness = &world->witness;
    const struct release *new = world->story->new;
    uint32_t offset, size_bytes;
    enum err err = ERR_OK;
    while (err == ERR_OK && update_wants(&update, &offset, &size_bytes)) {
        EXPECT(!witness->complete);
        EXPECT(offset >= witness->durable_bytes);
        const uint32_t piece_bytes = size_bytes < PIECE_BYTES ? size_bytes : PIECE_BYTES;
        const struct update_piece piece = {offset, new->area + offset, piece_bytes};
        err = update_chunk(&update, &store, port, &piece);
        if (err == ERR_OK) {
            const uint32_t end = offset + piece_bytes;
            witness->complete = end == new->manifest.size_bytes;
            witness->durable_bytes = end / SECTOR_BYTES * SECTOR_BYTES;
        }
    }
    return err;
}

static enum err mount(const struct port *port)
{
    const struct slot_region *region = &config.boot.layout.app_store;
    const enum err err = store_mount(&store, port, region->first_sector, region->sector_count);
    return err != ERR_NOT_FOUND
               ? err
               : store_format(&store, port, region->first_sector, region->sector_count);
}

static enum end run_old(struct world *world, const struct port *port)
{
    const struct story *story = world->story;
    struct witness *witness = &world->witness;
    EXPECT(!witness->confirmed);
    EXPECT_EQUAL(floor_of(world), story->old->manifest.security.level);
    const struct boot_revert *revert = &report.record.revert;
    if (revert->sequence.number == story->new->manifest.sequence.number) {
        EXPECT_EQUAL(revert->reason, IMAGE_FAULT_TRIALS); /* a cut never makes an image look bad */
        if (!story->confirms) {
            return END_DONE;
        }
        seen.trials_burned += report.reverted && witness->trial_boots < TRIALS;
        seen.trials_spent += report.reverted && witness->trial_boots == TRIALS;
    }
    witness->trial_boots = 0;
    update_init(&update, &config, port, &report);
    enum image_fault why;
    const struct update_offer offer = {&story->new->envelopes, 0};
    enum err err = mount(port);
    if (err == ERR_OK) {
        err = update_offer(&update, &store, port, &offer, &why);
    }
    seen.completed_before += err == ERR_OK && update.state == UPDATE_COMPLETE;
    seen.resumed += err == ERR_OK && update.received_bytes > 0;
    if (err == ERR_OK) {
        err = fetch(world, port);
    }
    if (err == ERR_OK) {
        err = update_finish(&update, &store, port);
    }
    judge_device(world);
    EXPECT(err == ERR_OK || world->rig.dead);
    return world->rig.dead ? END_DEAD : END_RESET;
}

/* One boot, from reset to its end. */
static enum end live(struct world *world)
{
    const struct story *story = world->story;
    const struct port port = port_of(world);
    memset(&boot, 0x5a, sizeof boot);
    memset(&report, 0x5a, sizeof report);
    const uint64_t floor = floor_of(world);
    const enum err err = boot_run(&boot, &config.boot, &port, &report);
    seen.boots++;
    judge_device(world);
    if (world->rig.dead) {
        return END_DEAD;
    }
    EXPECT_EQUAL(err, ERR_OK);
    EXPECT(!report.recovered); /* the record is never lost */
    const bool is_new = report.slot != story->old_slot;
    const struct release *runs = is_new ? story->new : story->old;
    EXPECT(slot_is(world, report.slot, runs));
    EXPECT_EQUAL(report.manifest.sequence.number, runs->manifest.sequence.number);
    EXPECT(report.manifest.security.level >= floor_of(world));
    if (report.outcome == BOOT_TRIAL) {
        EXPECT(is_new);
        return run_trial(world, &port);
    }
    EXPECT_EQUAL(report.outcome, BOOT_CONFIRMED);
    if (!is_new) {
        return run_old(world, &port);
    }
    EXPECT(story->confirms);
    EXPECT_EQUAL(floor_of(world), story->new->manifest.security.level);
    seen.floor_behind += floor < floor_of(world);
    world->witness.confirmed = true;
    return END_DONE;
}

/* Boot until power goes or the story is told. */
static enum end run(struct world *world)
{
    enum end end = END_RESET;
    for (uint32_t i = 0; i < BOOTS_MAX && end == END_RESET; i++) {
        end = live(world);
    }
    EXPECT(end != END_RESET); /* no state is a sink */
    return end;
}

/* Power stays: the story comes to its end, and stays there. Returns the operations it took. */
static uint32_t run_to_the_end(struct world *world, uint64_t read_seed)
{
    cut_port_set(&world->rig, (struct cut){CUT_NONE, 0, 0}, 0, read_seed);
    EXPECT_EQUAL(run(world), END_DONE);
    const uint32_t operations = world->rig.operations;
    EXPECT_EQUAL(live(world), END_DONE);
    seen.uncertain_reads += world->rig.flash->counts.uncertain_reads;
    return operations;
}

/* ---- The cuts ---- */

static void world_copy(struct world *target, const struct world *source)
{
    struct flash *flash = target->rig.flash;
    flash_restore(flash, source->rig.flash);
    *target = *source;
    target->rig.flash = flash;
}

static struct world world_create(const struct flash_profile *profile)
{
    struct world world = {.rig = {.flash = flash_create(profile)}};
    EXPECT(world.rig.flash != NULL);
    return world;
}

/* A device as it leaves the line, which has booted once: `factory` in slot A, nothing else. */
static void make_device(struct world *world, const struct release *factory)
{
    const struct port port = port_of(world);
    const struct slot_layout *layout = &config.boot.layout;
    const uint32_t unit = port.flash.program_bytes;
    const uint32_t area = slot_area_offset(layout, &port.flash, SLOT_A);
    const uint32_t used = (factory->manifest.size_bytes + unit - 1) / unit * unit;
    cut_port_set(&world->rig, (struct cut){CUT_NONE, 0, 0}, 0, 0);
    for (uint32_t at = 0; at < used; at += SECTOR_BYTES) {
        const uint32_t left = used - at;
        EXPECT_EQUAL(port.flash_program(port.ctx, area + at, factory->area + at,
                                        left < SECTOR_BYTES ? left : SECTOR_BYTES),
                     ERR_OK);
    }
    EXPECT_EQUAL(slot_header_program(layout, &port, SLOT_A, &factory->envelopes), ERR_OK);
    EXPECT_EQUAL(boot_run(&boot, &config.boot, &port, &report), ERR_OK);
    EXPECT_EQUAL(floor_of(world), factory->manifest.security.level);
}

static void cut_recovery_everywhere(const struct world *image, struct world *trial,
                                    uint32_t operations, uint64_t seed)
{
    for (uint32_t at = 1; at <= operations; at++) {
        for (uint32_t i = 0; i < sizeof nested_cuts / sizeof nested_cuts[0]; i++) {
            world_copy(trial, image);
            struct cut cut = nested_cuts[i];
            cut.key = random_at(seed, at * UINT64_C(16) + cut.key);
            cut_port_set(&trial->rig, cut, at, seed);
            (void)run(trial); /* uncertain bits may read otherwise now, and it ends sooner */
            seen.nested_cuts++;
            (void)run_to_the_end(trial, random_at(cut.key, 0));
        }
    }
}

static void cut_everywhere(const struct world *base, struct world *image, struct world *trial)
{
    world_copy(trial, base);
    const uint32_t operations = run_to_the_end(trial, 0);
    EXPECT(operations > 30);
    uint64_t images = 0;
    for (uint32_t at = 1; at <= operations; at++) {
        for (uint32_t i = 0; i < sizeof cuts / sizeof cuts[0]; i++) {
            world_copy(image, base);
            struct cut cut = cuts[i];
            cut.key = random_at(random_key(at, "cut"), cut.key);
            cut_port_set(&image->rig, cut, at, 0);
            EXPECT_EQUAL(run(image), END_DEAD);
            seen.cuts++;
            world_copy(trial, image);
            const uint64_t seed = random_at(cut.key, images);
            const uint32_t recovery = run_to_the_end(trial, seed);
            if (images++ % NESTED_EVERY == 0) {
                cut_recovery_everywhere(image, trial, recovery, seed);
            }
        }
    }
}

static void storm(const struct world *base, struct world *world, uint64_t seed)
{
    struct random_stream draws = {random_key(seed, "storm"), 0};
    world_copy(world, base);
    enum end end = END_DEAD;
    for (uint32_t i = 0; i < STORM_CUTS && end == END_DEAD; i++) {
        struct cut cut = {.kind = CUT_TORN};
        cut.fraction = (uint16_t)random_next(&draws);
        cut.key = random_next(&draws);
        const uint32_t at = 1 + (uint32_t)random_below(&draws, 30);
        cut_port_set(&world->rig, cut, at, random_next(&draws));
        end = run(world);
        seen.storm_cuts += end == END_DEAD;
    }
    (void)run_to_the_end(world, random_next(&draws));
}

static void tell_all(uint32_t unit, uint8_t erased, enum flash_ecc ecc)
{
    const struct flash_profile profile = {
        .geometry = {.sector_bytes = SECTOR_BYTES,
                     .sector_count = SECTORS,
                     .program_bytes = unit,
                     .erased_value = erased,
                     .ecc = ecc != FLASH_ECC_NONE},
        .program_us = 40,
        .erase_us = 85000,
        .program_once = ecc != FLASH_ECC_NONE,
        .ecc = ecc,
    };
    const struct release one = make_release(1, 1, 1200, erased);
    const struct release two = make_release(2, 3, 1301, erased);
    const struct release three = make_release(3, 4, 600, erased);
    const struct story stories[] = {
        {&one, &two, SLOT_A, true},
        {&two, &three, SLOT_B, true},
        {&one, &two, SLOT_A, false},
    };
    struct world made = world_create(&profile), base = world_create(&profile);
    struct world image = world_create(&profile), trial = world_create(&profile);
    made.story = &stories[0];
    make_device(&made, &one);
    for (uint32_t i = 0; i < sizeof stories / sizeof stories[0]; i++) {
        world_copy(&base, &made);
        if (stories[i].old != &one) {
            (void)run_to_the_end(&base, 0); /* the first story comes before it */
        }
        base.story = &stories[i];
        base.witness = (struct witness){.floor = floor_of(&base)};
        cut_everywhere(&base, &image, &trial);
        for (uint64_t seed = 0; seed < STORMS; seed++) {
            storm(&base, &trial, seed * 4 + i);
        }
    }
    flash_free(made.rig.flash);
    flash_free(base.rig.flash);
    flash_free(image.rig.flash);
    flash_free(trial.rig.flash);
}

static void every_cut_of_an_install_is_survived_with_units_of_one_byte(void)
{
    tell_all(1, 0xff, FLASH_ECC_NONE);
}

static void every_cut_of_an_install_is_survived_with_units_of_8_bytes(void)
{
    tell_all(8, 0xff, FLASH_ECC_NONE);
}

static void every_cut_of_an_install_is_survived_with_units_of_32_bytes(void)
{
    tell_all(32, 0x00, FLASH_ECC_NONE);
}

static void every_cut_of_an_install_is_survived_with_ecc(void)
{
    tell_all(16, 0xff, FLASH_ECC_ERROR);
}

static void every_kind_of_outcome_was_seen(void)
{
    printf("   %" PRIu64 " cuts, %" PRIu64 " nested, %" PRIu64 " in storms, %" PRIu64 " boots\n",
           seen.cuts, seen.nested_cuts, seen.storm_cuts, seen.boots);
    printf("   reverted after boots that power burned %" PRIu64 ", after none %" PRIu64
           "; resumed %" PRIu64 ", complete before %" PRIu64
           "; floor raised by the boot loader %" PRIu64 "; reads of uncertain bits %" PRIu64 "\n",
           seen.trials_burned, seen.trials_spent, seen.resumed, seen.completed_before,
           seen.floor_behind, seen.uncertain_reads);
    EXPECT(seen.cuts > 2000);
    EXPECT(seen.nested_cuts > 20000);
    EXPECT(seen.storm_cuts > 2000);
    EXPECT(seen.trials_burned > 20);
    EXPECT(seen.trials_spent > 100);
    EXPECT(seen.resumed > 1000);
    EXPECT(seen.completed_before > 1000);
    EXPECT(seen.floor_behind > 100);
    EXPECT(seen.uncertain_reads > 10000);
}

int main(void)
{
    maker_init();
    config = config_of();
    RUN(every_cut_of_an_install_is_survived_with_units_of_one_byte);
    RUN(every_cut_of_an_install_is_survived_with_units_of_8_bytes);
    RUN(every_cut_of_an_install_is_survived_with_units_of_32_bytes);
    RUN(every_cut_of_an_install_is_survived_with_ecc);
    RUN(every_kind_of_outcome_was_seen);
    crypto_openssl_free(&maker.openssl);
    return 0;
}
