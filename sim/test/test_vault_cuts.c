/* Goal: whatever power does to rotations, policies and factory resets, what is in force is the old
 * or the new, whole, and stays it. Method: a life of key rotations, policies, readings and resets
 * in one store, over torn flash, long enough that the store compacts. Each operation that changes
 * flash or a counter is cut: before it, at several points within it with several draws, and after
 * it; the device boots and goes on. Of the images that are left, some are cut again at each
 * operation of the recovery, and storms of random cuts go deeper. What a boot finds is asked again
 * with other answers of uncertain bits. Signatures are stand-ins: no law here is about them.
 */
#include "core/vault.h"

#include <string.h>

#include "core/check.h"
#include "core/crypto/openssl.h"
#include "core/outbox.h"
#include "core/record_id.h"
#include "core/test/test.h"
#include "sim/ideal.h"
#include "sim/test/cut_port.h"

enum {
    SECTOR_BYTES = 512,
    SECTORS = 3,
    DEVICE = 7,
    STORMS = 300,
    STORM_CUTS = 12,
    NESTED_EVERY = 7, /* of the images, one in so many is cut again in its recovery */
};

_Noreturn void check_failed(const char *file, int line, const char *what)
{
    fprintf(stderr, "%s:%d: check failed: %s\n", file, line, what);
    exit(1);
}

static const struct cut cuts[] = {
    {CUT_BEFORE, 0, 0},   {CUT_TORN, 0, 1},     {CUT_TORN, 3000, 12}, {CUT_TORN, 12000, 2},
    {CUT_TORN, 33000, 3}, {CUT_TORN, 33000, 4}, {CUT_TORN, 65535, 5}, {CUT_TORN, 65535, 6},
    {CUT_TORN, 65535, 7}, {CUT_AFTER, 0, 0},
};

/* ---- A life, and what must hold in it ---- */

enum act { STAGE, SWITCH, POLICY, DRAW, RESET, ACTS };

struct step {
    enum act act;
    uint64_t policy;
};

static const struct step life[] = {{STAGE, 0}, {SWITCH, 0}, {POLICY, 3}, {DRAW, 0},   {STAGE, 0},
                                   {DRAW, 0},  {SWITCH, 0}, {DRAW, 0},   {POLICY, 4}, {DRAW, 0},
                                   {DRAW, 0},  {DRAW, 0},   {POLICY, 9}, {STAGE, 0},  {RESET, 0},
                                   {DRAW, 0},  {POLICY, 1}, {STAGE, 0},  {SWITCH, 0}, {DRAW, 0},
                                   {RESET, 0}, {STAGE, 0},  {SWITCH, 0}, {DRAW, 0},   {POLICY, 2}};

enum { LIFE_STEPS = sizeof life / sizeof life[0] };

/* What a vault says of itself. */
struct kept {
    uint32_t epoch, generation;
    struct key_pair keys;
    bool staged;
    struct key_pair next; /* zero while none is staged */
    uint64_t policy;
};

struct world {
    struct cut_port rig;
    uint32_t step;    /* the one that comes next, or is in flight */
    bool founded;     /* the device booted once */
    struct kept kept; /* before that step */
};

/* RAM: whatever it is at each boot. */
static struct outbox outbox;
static struct vault vault;

static struct {
    struct crypto_openssl openssl;
    struct ideal ideal;
    struct port_crypto crypto;
    struct key_pair factory;
} maker;

/* What the test has seen: each of these must occur, or the test proves nothing. */
static struct {
    uint64_t cuts, nested_cuts, storm_cuts, boots;
    uint64_t old[ACTS], new[ACTS]; /* how boots found what was in flight */
    uint64_t uncertain_reads, poisoned_reads, compactions;
} seen;

static struct port port_of(struct world *world)
{
    struct port port = cut_port_of(&world->rig);
    port.crypto = maker.crypto;
    return port;
}

static struct kept kept_now(void)
{
    struct kept kept;
    memset(&kept, 0, sizeof kept);
    kept.epoch = outbox.epoch;
    kept.generation = vault.generation;
    kept.keys = vault.keys;
    kept.staged = vault.staged;
    kept.next = vault.next;
    kept.policy = vault.policy;
    return kept;
}

static bool same_pair(const struct key_pair *left, const struct key_pair *right)
{
    return memcmp(left, right, sizeof *left) == 0;
}

static bool same_kept(const struct kept *left, const struct kept *right)
{
    return left->epoch == right->epoch && left->generation == right->generation &&
           same_pair(&left->keys, &right->keys) && left->staged == right->staged &&
           same_pair(&left->next, &right->next) && left->policy == right->policy;
}

/* Is `now` what the step makes of `before`? A pair that is staged may be any, but a true one. */
static bool is_done(const struct step *step, const struct kept *before, const struct kept *now)
{
    struct kept after = *before;
    switch (step->act) {
    case STAGE:
        after.staged = true;
        after.next = now->next;
        return same_kept(&after, now) && now->staged && !same_pair(&now->next, &now->keys) &&
               !same_pair(&now->next, &maker.factory);
    case SWITCH:
        after.generation++;
        after.keys = before->next;
        after.staged = false;
        memset(&after.next, 0, sizeof after.next);
        break;
    case POLICY:
        after.policy = step->policy;
        break;
    case DRAW:
        break;
    case RESET: /* each cut before the new store is whole costs an epoch more */
        memset(&after, 0, sizeof after);
        after.epoch = now->epoch;
        after.keys = maker.factory;
        return same_kept(&after, now) && now->epoch > before->epoch;
    case ACTS:
        break;
    }
    return same_kept(&after, now);
}

static enum err boot(struct world *world)
{
    const struct port port = port_of(world);
    const struct outbox_config config = {
        .device = DEVICE, .count_max = 4, .reserve = 1, .region = {0, SECTORS}, .shared = true};
    memset(&outbox, 0x5a, sizeof outbox);
    memset(&vault, 0x5a, sizeof vault);
    seen.boots++;
    enum err err = outbox_init(&outbox, &port, &config);
    if (err == ERR_OK) {
        const struct vault_config vault_config = {
            .device = DEVICE, .factory = maker.factory, .epoch = outbox.epoch};
        err = vault_load(&vault, &outbox.store, &port, &vault_config);
    }
    EXPECT(err == ERR_OK || world->rig.dead);
    return err;
}

/* What was in flight when power went took place, or did not. */
static void settle(struct world *world)
{
    const struct kept now = kept_now();
    if (!world->founded) {
        EXPECT(now.epoch >= 1);
        EXPECT(same_pair(&now.keys, &maker.factory));
        EXPECT(!now.staged && now.generation == 0 && now.policy == 0);
        world->founded = true;
    } else if (world->step < LIFE_STEPS && is_done(&life[world->step], &world->kept, &now)) {
        seen.new[life[world->step].act]++;
        world->step++;
    } else {
        EXPECT(same_kept(&world->kept, &now));
        if (world->step < LIFE_STEPS) {
            seen.old[life[world->step].act]++;
        }
    }
    world->kept = now;
}

static enum err act(struct world *world, const struct step *step)
{
    const struct port port = port_of(world);
    uint8_t progress[RECORD_OTHERS_BYTES_MAX];
    uint64_t counter;
    enum err err = ERR_OK;
    switch (step->act) {
    case STAGE:
        return vault_stage(&vault, &outbox.store, &port);
    case SWITCH:
        return vault_switch(&vault, &outbox.store, &port);
    case POLICY:
        return vault_policy(&vault, &outbox.store, &port, step->policy);
    case DRAW: /* what others write beside it: a reserve, and progress of a download */
        memset(progress, (int)world->step, sizeof progress);
        err = outbox_draw(&outbox, &port, &counter);
        return err != ERR_OK
                   ? err
                   : store_put(&outbox.store, &port, RECORD_PROGRESS, progress, sizeof progress);
    case RESET:
        outbox_end_epoch(&outbox, &port);
        return world->rig.dead ? ERR_IO : boot(world);
    case ACTS:
        break;
    }
    CHECK(false);
    return err;
}

/* From a boot to the end of the life, or until power goes: false. */
static bool live(struct world *world)
{
    if (boot(world) != ERR_OK) {
        return false;
    }
    settle(world);
    while (world->step < LIFE_STEPS) {
        const struct step *step = &life[world->step];
        const uint64_t erases = outbox.store.erases;
        const enum err err = act(world, step);
        EXPECT(err == ERR_OK || world->rig.dead);
        seen.compactions += step->act != RESET && outbox.store.erases > erases;
        if (err != ERR_OK) {
            return false;
        }
        const struct kept now = kept_now();
        EXPECT(is_done(step, &world->kept, &now));
        world->kept = now;
        world->step++;
    }
    return true;
}

/* Power stays: the life comes to its end, and no reading of the flash says otherwise. Returns the
 * operations it took. */
static uint32_t live_to_the_end(struct world *world, uint64_t read_seed)
{
    const struct cut none = {CUT_NONE, 0, 0};
    cut_port_set(&world->rig, none, 0, read_seed);
    EXPECT(live(world));
    const uint32_t operations = world->rig.operations;
    cut_port_set(&world->rig, none, 0, ~read_seed);
    EXPECT(live(world));
    EXPECT_EQUAL(world->rig.flash->counts.discipline, 0);
    seen.uncertain_reads += world->rig.flash->counts.uncertain_reads;
    seen.poisoned_reads += world->rig.flash->counts.poisoned_reads;
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
    world.rig.entropy = (struct random_stream){random_key(1, "entropy"), 0};
    return world;
}

/* Cut at the at-th operation from here; and where an image's turn has come, cut its recovery. */
static void cut_at(const struct world *base, struct world *image, struct world *trial, uint32_t at)
{
    for (uint32_t i = 0; i < sizeof cuts / sizeof cuts[0]; i++) {
        world_copy(image, base);
        struct cut cut = cuts[i];
        cut.key = random_at(random_key(at, "cut"), cut.key);
        cut_port_set(&image->rig, cut, at, 0);
        EXPECT(!live(image));
        world_copy(trial, image);
        const uint32_t recovery = live_to_the_end(trial, cut.key);
        if (seen.cuts++ % NESTED_EVERY != 0) {
            continue;
        }
        for (uint32_t nested = 1; nested <= recovery; nested++) {
            world_copy(trial, image);
            cut = cuts[(nested + at) % (sizeof cuts / sizeof cuts[0])];
            cut.key = random_at(random_key(at, "nested"), nested);
            cut_port_set(&trial->rig, cut, nested, cut.key);
            (void)live(trial); /* uncertain bits may read otherwise now, and it ends sooner */
            seen.nested_cuts++;
            (void)live_to_the_end(trial, ~cut.key);
        }
    }
}

static void storm(const struct world *base, struct world *world, uint64_t seed)
{
    struct random_stream draws = {random_key(seed, "storm"), 0};
    bool done = false;
    world_copy(world, base);
    for (uint32_t i = 0; i < STORM_CUTS && !done; i++) {
        struct cut cut = {.kind = CUT_TORN};
        cut.fraction = (uint16_t)random_next(&draws);
        cut.key = random_next(&draws);
        const uint32_t at = 1 + (uint32_t)random_below(&draws, 12);
        cut_port_set(&world->rig, cut, at, random_next(&draws));
        done = live(world);
        seen.storm_cuts += !done;
    }
    (void)live_to_the_end(world, random_next(&draws));
}

static void cut_everywhere(uint32_t unit, uint8_t erased, enum flash_ecc ecc)
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
    struct world base = world_create(&profile);
    struct world image = world_create(&profile), trial = world_create(&profile);
    world_copy(&trial, &base);
    const uint32_t operations = live_to_the_end(&trial, 0);
    EXPECT(operations > 40);
    for (uint32_t at = 1; at <= operations; at++) {
        cut_at(&base, &image, &trial, at);
    }
    for (uint64_t seed = 0; seed < STORMS; seed++) {
        storm(&base, &trial, seed * 64 + unit);
    }
    flash_free(base.rig.flash);
    flash_free(image.rig.flash);
    flash_free(trial.rig.flash);
}

static void every_cut_leaves_old_or_new_with_units_of_one_byte(void)
{
    cut_everywhere(1, 0xff, FLASH_ECC_NONE);
}

static void every_cut_leaves_old_or_new_with_units_of_8_bytes_erased_to_zero(void)
{
    cut_everywhere(8, 0x00, FLASH_ECC_NONE);
}

static void every_cut_leaves_old_or_new_with_ecc(void)
{
    cut_everywhere(16, 0xff, FLASH_ECC_ERROR);
}

static void every_kind_of_outcome_was_seen(void)
{
    printf("   %" PRIu64 " cuts, %" PRIu64 " nested, %" PRIu64 " in storms, %" PRIu64
           " boots, %" PRIu64 " compactions, reads of uncertain bits %" PRIu64
           ", of poison %" PRIu64 "\n",
           seen.cuts, seen.nested_cuts, seen.storm_cuts, seen.boots, seen.compactions,
           seen.uncertain_reads, seen.poisoned_reads);
    for (uint32_t kind = 0; kind < ACTS; kind++) {
        printf("   act %" PRIu32 ": old %" PRIu64 ", new %" PRIu64 "\n", kind, seen.old[kind],
               seen.new[kind]);
        EXPECT(kind == DRAW || seen.old[kind] > 100);
        EXPECT(seen.new[kind] > 100);
    }
    EXPECT(seen.cuts > 1000);
    EXPECT(seen.nested_cuts > 1000);
    EXPECT(seen.storm_cuts > 2000);
    EXPECT(seen.compactions > 1000);
    EXPECT(seen.uncertain_reads > 1000);
    EXPECT(seen.poisoned_reads > 100);
}

int main(void)
{
    static const uint64_t secret[2] = {1, 2};
    struct port_crypto real;
    EXPECT_EQUAL(crypto_openssl_init(&maker.openssl, &real), ERR_OK);
    ideal_init(&maker.ideal, secret, &real, &maker.crypto);
    maker.factory.seed[0] = DEVICE;
    EXPECT_EQUAL(maker.crypto.public_key(maker.crypto.ctx, &maker.factory), ERR_OK);
    RUN(every_cut_leaves_old_or_new_with_units_of_one_byte);
    RUN(every_cut_leaves_old_or_new_with_units_of_8_bytes_erased_to_zero);
    RUN(every_cut_leaves_old_or_new_with_ecc);
    RUN(every_kind_of_outcome_was_seen);
    crypto_openssl_free(&maker.openssl);
    return 0;
}
