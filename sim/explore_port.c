/* The port of the device that is searched: each operation leaves its images before it is done. */
#include <stdio.h>
#include <string.h>

#include "core/check.h"
#include "core/evidence.h"
#include "sim/explore_inside.h"
#include "sim/flash_law.h"
#include "sim/hash.h"
#include "sim/random.h"

/* In place of an offset, where a change is none of the sectors. */
enum { AT_SYNC = -3, AT_COUNTER = -2, AT_WORD = -1 };

enum { AFTER = 0 }; /* the variant that is no tear; others: 1 + units done * tears + tear */

/* ---- Variants -------------------------------------------------------------------------------- */

/* On a part with a cache: which of the operations that wait reach the cells, and how the first that
 * does not is torn. */
static struct flash *cached_variant(const struct flash *flash, uint32_t variant)
{
    struct flash *left = flash_snapshot(flash);
    CHECK(left != NULL);
    const uint32_t count = flash->pending_count;
    const uint64_t all = count == 64 ? UINT64_MAX : (UINT64_C(1) << count) - 1;
    const uint32_t mask = variant / 4;
    const uint64_t one = mask < 2 ? 0 : UINT64_C(1) << (mask - 2) / 2;
    flash_power_cut(
        left, mask % 2 == 0 ? one : all & ~one,
        (struct flash_cut){variant % 2, variant / 2 % 2 == 0 ? FLASH_TEAR_NONE : FLASH_TEAR_WEAK});
    return left;
}

struct flash *explore_variant(const struct flash *flash, uint32_t offset, const uint8_t *bytes,
                              uint32_t size_bytes, uint32_t variant)
{
    if (flash->durable != NULL) {
        return cached_variant(flash, variant);
    }
    struct flash *left = flash_snapshot(flash);
    CHECK(left != NULL);
    enum err err = ERR_OK;
    if (variant == AFTER) {
        return left; /* it was done before this was asked */
    }
    const uint32_t tears =
        size_bytes == 0 ? (uint32_t)FLASH_ERASE_TEAR_COUNT : (uint32_t)FLASH_TEAR_COUNT;
    const uint32_t done = (variant - 1) / tears, tear = (variant - 1) % tears;
    if (size_bytes == 0) {
        err = flash_erase_cut(left, offset, done, (enum flash_erase_tear)tear);
    } else {
        err = flash_program_cut(left, offset, bytes, size_bytes,
                                (struct flash_cut){done, (enum flash_tear)tear});
    }
    CHECK(err == ERR_OK);
    return left;
}

void explore_describe(const struct flash *flash, uint32_t size_bytes, uint32_t variant, char *text,
                      size_t text_bytes)
{
    static const char *const program_tears[FLASH_TEAR_COUNT] = {
        "nothing of the next one",
        "the first byte of the next one",
        "all but the last byte of the next one",
        "one bit of the next one",
        "all but one bit of the next one",
        "the next one uncertain",
    };
    static const char *const erase_tears[FLASH_ERASE_TEAR_COUNT] = {
        "not begun",
        "just begun",
        "all programmed",
        "half way, all uncertain",
        "nearly done, a few bits uncertain",
    };
    if (flash->durable != NULL) {
        snprintf(text, text_bytes, "of %u cached operations, choice %u",
                 (unsigned)flash->pending_count, (unsigned)variant);
    } else if (variant == AFTER) {
        snprintf(text, text_bytes, "right after it");
    } else if (size_bytes == 0) {
        snprintf(text, text_bytes, "%s", erase_tears[(variant - 1) % FLASH_ERASE_TEAR_COUNT]);
    } else {
        snprintf(text, text_bytes, "after %u of %u units, %s",
                 (unsigned)((variant - 1) / FLASH_TEAR_COUNT),
                 (unsigned)(size_bytes / flash->profile.geometry.program_bytes),
                 program_tears[(variant - 1) % FLASH_TEAR_COUNT]);
    }
}

static bool is_variant(const struct flash *flash, uint32_t offset, uint32_t size_bytes,
                       uint32_t variant)
{
    const uint32_t units = size_bytes / flash->profile.geometry.program_bytes;
    if (flash->durable != NULL) {
        return variant < 4 * (2 * flash->pending_count + 2);
    }
    return variant <= (size_bytes == 0
                           ? flash_block_count(flash, offset) * (uint32_t)FLASH_ERASE_TEAR_COUNT
                           : units * (uint32_t)FLASH_TEAR_COUNT);
}

/* ---- Cuts ------------------------------------------------------------------------------------ */

/* The cut that a replay wants, if it is wanted here: before the operation is done, or after it. */
static void cut_if_asked(struct explore *explore, uint32_t offset, const uint8_t *bytes,
                         uint32_t size_bytes, bool done)
{
    struct run *run = &explore->run;
    const bool late = run->flash->durable != NULL || run->cut_variant == AFTER;
    if (run->mode != RUN_CUT_AT || run->operation != run->cut_operation || late != done) {
        return;
    }
    if (is_variant(run->flash, offset, size_bytes, run->cut_variant)) {
        char text[128];
        run->left = explore_variant(run->flash, offset, bytes, size_bytes, run->cut_variant);
        run->left_state = run->state;
        explore_describe(run->flash, size_bytes, run->cut_variant, text, sizeof text);
        explore_tell(explore, "POWER GOES AWAY: %s", text);
    }
    explore_escape(explore, ESCAPE_END);
}

static uint64_t sector_bit(const struct explore *explore, uint32_t offset)
{
    const uint32_t sector = offset / explore->profile.geometry.sector_bytes;
    return sector < KEY_SECTORS_MAX ? UINT64_C(1) << sector : 0;
}

/* A sector that counts as anything is wanted after all. */
static void look_at(struct explore *explore, uint32_t offset)
{
    const uint64_t sector = explore->run.masked & sector_bit(explore, offset);
    if (sector != 0) {
        const enum run_mode mode = explore->run.mode;
        const uint64_t other = mode == RUN_LOAD    ? explore->app_sectors
                               : mode == RUN_MOUNT ? explore->other_sectors
                                                   : 0;
        explore_escape(explore, (sector & other) != 0 ? ESCAPE_JOIN : ESCAPE_UNMASK);
    }
}

/* One tear of many stands for all where the sector counts as anything. */
static void offer_masked(struct explore *explore, uint32_t offset, const uint8_t *bytes,
                         uint32_t size_bytes, uint32_t variants)
{
    const struct run *run = &explore->run;
    const uint64_t sector = sector_bit(explore, offset);
    explore->result->counts.stood_for += variants - 1;
    explore_offer(explore, explore_variant(run->flash, offset, bytes, size_bytes, 1), 1,
                  run->masked | sector);
}

static bool is_wanted(const struct explore *explore, uint32_t done, uint32_t units, uint32_t tear)
{
    const bool ends = units <= UNITS_ALL || done < 2 || done == units / 2 || done + 1 == units;
    return tear == FLASH_TEAR_NONE || (explore->options.torn && ends);
}

static void offer_programs(struct explore *explore, uint32_t offset, const uint8_t *bytes,
                           uint32_t size_bytes, bool masked)
{
    const struct run *run = &explore->run;
    struct explore_counts *counts = &explore->result->counts;
    const uint32_t units = size_bytes / explore->profile.geometry.program_bytes;
    if (masked) {
        counts->torn_programs++;
        offer_masked(explore, offset, bytes, size_bytes, units * FLASH_TEAR_COUNT);
        return;
    }
    for (uint32_t done = 0; done < units; done++) {
        for (uint32_t tear = 0; tear < FLASH_TEAR_COUNT; tear++) {
            if (is_wanted(explore, done, units, tear) && done + tear > 0) {
                const uint32_t variant = 1 + done * FLASH_TEAR_COUNT + tear;
                counts->torn_programs += tear != FLASH_TEAR_NONE;
                explore_offer(explore,
                              explore_variant(run->flash, offset, bytes, size_bytes, variant),
                              variant, run->masked);
            }
        }
    }
}

static void offer_erases(struct explore *explore, uint32_t offset, bool masked)
{
    const struct run *run = &explore->run;
    struct explore_counts *counts = &explore->result->counts;
    const uint32_t blocks = flash_block_count(run->flash, offset);
    if (masked) {
        counts->torn_erases++;
        offer_masked(explore, offset, NULL, 0, blocks * FLASH_ERASE_TEAR_COUNT);
        return;
    }
    for (uint32_t block = 0; block < blocks; block++) {
        for (uint32_t tear = 0; tear < FLASH_ERASE_TEAR_COUNT; tear++) {
            if ((tear == FLASH_ERASE_TEAR_NONE || explore->options.torn) && block + tear > 0) {
                const uint32_t variant = 1 + block * FLASH_ERASE_TEAR_COUNT + tear;
                counts->torn_erases += tear != FLASH_ERASE_TEAR_NONE;
                explore_offer(explore, explore_variant(run->flash, offset, NULL, 0, variant),
                              variant, run->masked);
            }
        }
    }
}

static void offer_cached(struct explore *explore)
{
    const struct flash *flash = explore->run.flash;
    const uint32_t masks = 2 * flash->pending_count + 2;
    for (uint32_t variant = 0; variant < 4 * masks; variant++) {
        const bool torn = variant % 4 != 0;
        if (!torn || explore->options.torn) {
            explore->result->counts.cached++;
            explore_offer(explore, cached_variant(flash, variant), variant, 0);
        }
    }
}

/* Something was done, or said: power may go away right after it. */
static void offer_after(struct explore *explore)
{
    if (explore->run.flash->durable != NULL) {
        offer_cached(explore);
        return;
    }
    struct flash *flash = flash_snapshot(explore->run.flash);
    CHECK(flash != NULL);
    explore_offer(explore, flash, AFTER, explore->run.masked);
}

/* Is this a sector of the slot that is being filled, header included? What power leaves in one is
 * erased before anybody looks at it: the boot loader boots the other slot. */
static bool is_filling(const struct explore *explore, uint32_t offset)
{
    const struct run *run = &explore->run;
    if (!explore->options.masked || run->phase != LIFE_RUNS || run->slot == SLOT_NONE ||
        run->flash->durable != NULL) {
        return false;
    }
    const struct slot_region *region = &explore->layout.slots[SLOT_B - run->slot];
    const uint32_t sector = offset / explore->profile.geometry.sector_bytes;
    return sector >= region->first_sector && sector - region->first_sector < region->sector_count;
}

/* ---- Rules of every change ------------------------------------------------------------------- */

static void begin_change(struct explore *explore, enum explore_operation kind, uint64_t us)
{
    struct run *run = &explore->run;
    struct explore_counts *counts = &explore->result->counts;
    run->operation++;
    run->elapsed_us += us;
    if (run->mode == RUN_PAIR) {
        hash_once((uint64_t[]){run->digest[0], run->digest[1], (uint64_t)kind},
                  3 * sizeof run->digest[0], run->digest);
    }
    if (run->mode == RUN_UNCUT) {
        counts->exposure_us[kind] += us;
    }
    if (explore_is_new(explore)) {
        counts->cut[kind]++;
    }
}

/* Is this change to be judged and cut? The same change of the same flash, in the same state of the
 * world, leaves the same images: once is enough. */
static bool is_cut(struct explore *explore, uint32_t offset, const uint8_t *bytes,
                   uint32_t size_bytes)
{
    const struct run *run = &explore->run;
    uint64_t words[8] = {0};
    if (run->mode == RUN_TELL) {
        return true;
    }
    if (!explore_is_new(explore)) {
        return false;
    }
    flash_hash(run->flash, &words[0]);
    hash_once(bytes == NULL ? (const uint8_t *)"" : bytes, size_bytes, &words[2]);
    words[4] = (uint64_t)offset << 32 | size_bytes;
    words[5] = run->masked;
    words[6] = explore_state_digest(&run->state);
    words[7] = (uint64_t)run->phase << 32 | (uint64_t)run->mode;
    hash_once(words, sizeof words, words);
    return explore_change(explore, words);
}

static void judge_change(struct explore *explore, uint32_t offset, uint32_t size_bytes)
{
    const struct run *run = &explore->run;
    if (run->phase == LIFE_REFUSES) {
        explore_require(explore, LAW_UPDATE_AUTHENTIC,
                        "nothing is written for an offer that is refused", 0, 1);
    }
    const struct flash_range range = {offset, size_bytes};
    /* In the mount alone it does not matter which slot runs: it writes in its store. */
    const uint32_t running = run->phase == LIFE_LOADS ? SLOT_NONE
                             : run->mode == RUN_MOUNT ? SLOT_A
                                                      : run->slot;
    explore_require(
        explore, LAW_FLASH_BOUNDS, "who writes may write there", 1,
        flash_law_may_write(&explore->layout, &explore->profile.geometry, running, range));
}

static void judge_discipline(struct explore *explore)
{
    explore_require(explore, LAW_FLASH_DISCIPLINE, "the rules of the part are kept", 0,
                    explore->run.flash->counts.discipline);
}

/* ---- The port -------------------------------------------------------------------------------- */

/* How uncertain bits of this range answer. */
static enum flash_reading read_uncertain(struct explore *explore, uint32_t offset,
                                         uint32_t size_bytes)
{
    struct run *run = &explore->run;
    explore->result->counts.uncertain++;
    for (uint32_t i = 0; i < run->fork_count; i++) {
        const struct fork *fork = &run->forks[i];
        if (offset < fork->offset + fork->size_bytes && fork->offset < offset + size_bytes) {
            return fork->reading;
        }
    }
    if (!explore->options.demonic) {
        return FLASH_READS_ERASED;
    }
    const uint32_t sector_bytes = explore->profile.geometry.sector_bytes;
    uint32_t here = 0;
    enum flash_reading last = FLASH_READS_MIXED;
    for (uint32_t i = 0; i < run->fork_count; i++) {
        if (run->forks[i].offset / sector_bytes == offset / sector_bytes) {
            last = run->forks[i].reading;
            here++;
        }
    }
    if (here == SECTOR_FORKS_MAX) {
        explore->result->counts.joined++;
        return last;
    }
    if (run->choice_count - run->choice_base == CHOICES_MAX || run->fork_count == CHOICES_MAX ||
        run->choice_count == RUN_CHOICES_MAX) {
        explore->result->counts.lost_branches++;
        return FLASH_READS_MIXED;
    }
    if (run->choice_count >= run->choice_fixed) {
        run->choices[run->choice_count] = FLASH_READS_ERASED;
    }
    const enum flash_reading reading = (enum flash_reading)run->choices[run->choice_count++];
    run->forks[run->fork_count++] = (struct fork){offset, size_bytes, reading};
    return reading;
}

static enum err port_read(void *ctx, uint32_t offset, uint8_t *bytes, uint32_t size_bytes)
{
    static const char *const readings[] = {"erased", "programmed", "mixed"};
    struct explore *explore = ctx;
    struct run *run = &explore->run;
    struct flash *flash = run->flash;
    const uint32_t sector_bytes = explore->profile.geometry.sector_bytes;
    for (uint32_t at = offset; run->masked != 0 && at < offset + size_bytes;
         at += sector_bytes - at % sector_bytes) {
        look_at(explore, at);
    }
    if (flash_read_certain(flash, offset, bytes, size_bytes)) {
        return ERR_OK;
    }
    enum flash_reading reading = FLASH_READS_ERASED;
    const enum flash_ecc ecc = explore->profile.ecc;
    if (flash_is_poisoned(flash, offset, size_bytes)) {
        explore->result->counts.poisoned++;
    }
    if (flash_is_uncertain(flash, offset, size_bytes) &&
        (ecc == FLASH_ECC_NONE ||
         (ecc == FLASH_ECC_GARBAGE && flash_is_poisoned(flash, offset, size_bytes)))) {
        reading = read_uncertain(explore, offset, size_bytes);
        explore_tell(explore, "reads %u bytes at 0x%x, uncertain bits as %s", (unsigned)size_bytes,
                     (unsigned)offset, readings[reading]);
    }
    return flash_read_as(flash, offset, bytes, size_bytes, reading);
}

static enum err port_program(void *ctx, uint32_t offset, const uint8_t *bytes, uint32_t size_bytes)
{
    struct explore *explore = ctx;
    struct run *run = &explore->run;
    const bool filling = is_filling(explore, offset);
    const bool cached = run->flash->durable != NULL;
    look_at(explore, offset); /* what it programs over */
    begin_change(explore, EXPLORE_PROGRAM, flash_program_us(run->flash, size_bytes));
    explore_tell(explore, "programs %u bytes at 0x%x", (unsigned)size_bytes, (unsigned)offset);
    cut_if_asked(explore, offset, bytes, size_bytes, false);
    const bool cut = is_cut(explore, offset, bytes, size_bytes);
    if (cut) {
        judge_change(explore, offset, size_bytes);
        if (!cached) {
            offer_programs(explore, offset, bytes, size_bytes, filling);
        }
    }
    const enum err err = flash_program(run->flash, offset, bytes, size_bytes);
    cut_if_asked(explore, offset, bytes, size_bytes, true);
    if (cut) {
        judge_discipline(explore);
        offer_after(explore);
    }
    return err;
}

static enum err port_erase(void *ctx, uint32_t offset)
{
    struct explore *explore = ctx;
    struct run *run = &explore->run;
    const uint32_t sector_bytes = explore->profile.geometry.sector_bytes;
    const uint32_t sector = offset / sector_bytes;
    const bool filling = is_filling(explore, offset);
    const bool cached = run->flash->durable != NULL;
    begin_change(explore, EXPLORE_ERASE, flash_erase_at_us(run->flash, offset));
    explore_tell(explore, "erases the sector at 0x%x", (unsigned)offset);
    cut_if_asked(explore, offset, NULL, 0, false);
    const bool cut = is_cut(explore, offset, NULL, 0);
    if (cut) {
        judge_change(explore, offset, sector_bytes);
        if (!cached) {
            offer_erases(explore, offset, filling);
        }
    }
    if (run->mode == RUN_TELL || run->mode == RUN_UNCUT || explore_is_new(explore)) {
        run->erases[sector] = (uint8_t)(run->erases[sector] + (run->erases[sector] < UINT8_MAX));
        struct explore_counts *counts = &explore->result->counts;
        counts->erases =
            counts->erases > run->erases[sector] ? counts->erases : run->erases[sector];
        counts->exercised[LAW_FLASH_WEAR]++;
        if (run->erases[sector] > ERASES_MAX) {
            explore_break(explore, LAW_FLASH_WEAR, "erases of a sector between two points",
                          ERASES_MAX, run->erases[sector]);
        }
    }
    const enum err err = flash_erase(run->flash, offset);
    run->masked &= ~sector_bit(explore, offset);
    cut_if_asked(explore, offset, NULL, 0, true);
    if (cut) {
        judge_discipline(explore);
        offer_after(explore);
    }
    return err;
}

static enum err port_sync(void *ctx)
{
    struct explore *explore = ctx;
    struct run *run = &explore->run;
    if (run->flash->durable == NULL) {
        return ERR_OK;
    }
    begin_change(explore, EXPLORE_SYNC, flash_sync_us(run->flash));
    flash_sync(run->flash);
    cut_if_asked(explore, 0, NULL, 0, true);
    if (is_cut(explore, (uint32_t)AT_SYNC, NULL, 0)) {
        offer_after(explore);
    }
    return ERR_OK;
}

static enum err port_counter_read(void *ctx, enum port_counter counter, uint64_t *value)
{
    const struct explore *explore = ctx;
    *value = flash_counter(explore->run.flash, counter);
    return ERR_OK;
}

/* A cut leaves the old value, which is the image before it, or the new one. */
static enum err port_counter_increment(void *ctx, enum port_counter counter)
{
    struct explore *explore = ctx;
    struct run *run = &explore->run;
    begin_change(explore, EXPLORE_COUNTER, flash_counter_us(run->flash));
    explore_tell(explore, "increments the %s counter",
                 counter == COUNTER_EPOCH ? "epoch" : "security");
    const enum err err = flash_counter_increment(run->flash, counter);
    cut_if_asked(explore, 0, NULL, 0, true);
    if (is_cut(explore, (uint32_t)AT_COUNTER, NULL, 0)) {
        offer_after(explore);
    }
    return err;
}

/* No image is made here: a loss of power takes all of it. */
static enum err port_retained_read(void *ctx, uint8_t bytes[RETAINED_BYTES])
{
    const struct explore *explore = ctx;
    memcpy(bytes, explore->run.retained, RETAINED_BYTES);
    return ERR_OK;
}

static enum err port_retained_write(void *ctx, const uint8_t bytes[RETAINED_BYTES])
{
    struct explore *explore = ctx;
    memcpy(explore->run.retained, bytes, RETAINED_BYTES);
    return ERR_OK;
}

/* Of the goal: a second draw for the same goal is another one, the third is the first again. */
static enum err port_entropy(void *ctx, uint8_t *bytes, uint32_t size_bytes)
{
    struct explore *explore = ctx;
    struct life_mind *mind = &explore->run.state.mind;
    struct random_stream stream = {random_key(mind->goal * UINT64_C(2) + mind->draws, "entropy"),
                                   0};
    random_bytes(&stream, bytes, size_bytes);
    mind->draws = 1 - mind->draws;
    return ERR_OK;
}

static void port_watchdog_arm(void *ctx, uint64_t timeout_us)
{
    (void)ctx;
    (void)timeout_us;
}

static void port_evidence(void *ctx, const struct evidence *evidence)
{
    static const char *const names[EVIDENCE_COUNT] = {
#define EVIDENCE_NAME(NAME, Name) #NAME,
        EVIDENCE_LIST(EVIDENCE_NAME)
#undef EVIDENCE_NAME
    };
    struct explore *explore = ctx;
    struct run *run = &explore->run;
    const struct observation observation = {
        .kind = evidence->kind,
        .node = LIFE_DEVICE,
        .device = evidence->device,
        .epoch = evidence->epoch,
        .counter = evidence->counter,
        .value = evidence->value,
    };
    explore_tell(explore, "says %s, epoch or slot %u, counter %llu, value %llu",
                 names[evidence->kind], (unsigned)evidence->epoch,
                 (unsigned long long)evidence->counter, (unsigned long long)evidence->value);
    if (evidence->kind == EVIDENCE_JUMP) {
        explore_show(explore, run->flash, run->masked, &run->state);
    }
    const struct update_law *law = &run->state.law;
    if (evidence->kind == EVIDENCE_REVERT && explore_is_new(explore) &&
        law->executed < explore->law.trials) {
        explore->result->counts.trials_burned++;
    }
    explore_observe(explore, &run->state, &observation);
    life_mind_evidence(&run->state.mind, evidence);
    explore_word(explore);
}

void explore_word(struct explore *explore)
{
    struct run *run = &explore->run;
    run->operation++;
    cut_if_asked(explore, 0, NULL, 0, true);
    if (explore_state_digest(&run->state) != run->state_digest &&
        is_cut(explore, (uint32_t)AT_WORD, NULL, 0)) {
        offer_after(explore);
    }
}

struct port explore_port(struct explore *explore)
{
    return (struct port){
        .ctx = explore,
        .flash = explore->profile.geometry,
        .flash_read = port_read,
        .flash_program = port_program,
        .flash_erase = port_erase,
        .flash_sync = port_sync,
        .counter_read = port_counter_read,
        .counter_increment = port_counter_increment,
        .retained_read = port_retained_read,
        .retained_write = port_retained_write,
        .entropy = port_entropy,
        .watchdog_arm = port_watchdog_arm,
        .evidence = port_evidence,
    };
}
