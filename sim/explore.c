#include "sim/explore_inside.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/check.h"
#include "sim/hash.h"
#include "sim/random.h"

enum { SEED = 1, OUTBOX_RESERVE = RESERVE_MAX, MAP_COUNT = 11 };

static struct explore *running; /* whose device is being run: for a CHECK that fails in it */

/* ---- Making ---------------------------------------------------------------------------------- */

static bool make_world(struct explore *explore)
{
    const struct life *life = &explore->life;
    struct firmware_spec spec = {
        .seed = SEED,
        .layout = explore->layout,
        .image_bytes = life->image_bytes,
        .trials = life->trials,
        .reverts_max = life->reverts,
        .watchdog_us = 1000000,
        .release_count = life->release_count,
    };
    _Static_assert((int)LIFE_RELEASES_MAX <= (int)FIRMWARE_RELEASES_MAX, "all can be made");
    for (uint32_t i = 0; i < life->release_count; i++) {
        spec.releases[i] = (struct firmware_model){.level = life->releases[i].level,
                                                   .defect = life->releases[i].defect};
    }
    explore->firmware = firmware_make(&spec, &explore->port.crypto, &explore->profile.geometry);
    if (explore->firmware == NULL ||
        !life_offers_make(&explore->offers, explore->firmware, life->release_count,
                          &explore->port.crypto)) {
        return false;
    }
    struct random_stream stream = {random_key(SEED, "life"), 0};
    struct life_world *world = &explore->world;
    *world = (struct life_world){
        .life = &explore->life,
        .firmware = explore->firmware,
        .offers = &explore->offers,
        .outbox = {.device = LIFE_DEVICE,
                   .count_max = LIFE_OUTBOX_MAX,
                   .reserve = OUTBOX_RESERVE,
                   .region = explore->layout.app_store,
                   .shared = true},
    };
    explore->firmware->device.update.boot.device = LIFE_DEVICE;
    random_bytes(&stream, world->factory.seed, KEY_BYTES);
    random_bytes(&stream, world->secret, KEY_BYTES);
    explore->law = (struct update_law_config){
        .trials = life->trials, .reverts_max = life->reverts, .release_count = life->release_count};
    for (uint32_t i = 0; i < life->release_count; i++) {
        explore->law.releases[i] = (struct update_law_release){i + 1, life->releases[i].level};
    }
    return explore->port.crypto.public_key(explore->port.crypto.ctx, &world->factory) == ERR_OK;
}

/* What each slot holds with each release in it. */
static void make_line(struct explore *explore)
{
    const struct flash_geometry *geometry = &explore->profile.geometry;
    for (uint32_t i = 0; i < explore->firmware->release_count; i++) {
        struct flash *flash = flash_create(&explore->profile);
        CHECK(flash != NULL);
        for (uint32_t slot = 0; slot < SLOT_COUNT; slot++) {
            firmware_program(explore->firmware, flash, i, slot);
        }
        explore->line[i] = flash;
    }
    struct flash *blank = flash_create(&explore->profile);
    CHECK(blank != NULL);
    struct flash_sector *sector = flash_own(blank, 0);
    memset(sector->cells, (uint8_t)~geometry->erased_value, geometry->sector_bytes);
    explore->anything = flash_take(blank, 0);
    flash_free(blank);
}

static sector_set region_set(struct slot_region region)
{
    sector_set set = 0;
    for (uint32_t i = 0; i < region.sector_count; i++) {
        set |= sector_set_of(region.first_sector + i);
    }
    return set;
}

static bool host_reached(void *ctx, enum life_place place, const struct life_device *device);
static void host_phase(void *ctx, enum life_phase phase, uint32_t slot);
static void host_truth(void *ctx, uint32_t kind, uint64_t counter, uint64_t value);
static void host_require(void *ctx, enum law law, const char *what, uint64_t expected,
                         uint64_t actual);

static struct digest_map *const *maps_of(struct explore *explore)
{
    static struct digest_map *maps[MAP_COUNT + 1];
    struct digest_map *all[MAP_COUNT] = {
        &explore->met,
        &explore->changes_known,
        &explore->bases_known,
        &explore->frames_known,
        &explore->exits_known,
        &explore->mounts_known,
        &explore->arrivals_known,
        &explore->sessions_known,
        &explore->works_known,
        &explore->points,
        &explore->told,
    };
    memcpy(maps, all, sizeof all);
    return maps;
}

static void maps_init(struct explore *explore)
{
    for (struct digest_map *const *map = maps_of(explore); *map != NULL; map++) {
        digest_map_init(*map);
    }
}

static void maps_free(struct explore *explore)
{
    for (struct digest_map *const *map = maps_of(explore); *map != NULL; map++) {
        digest_map_free(*map);
    }
}

struct explore *explore_open(const struct life *life, const struct part *part,
                             const struct explore_options *options, char *error, size_t error_bytes)
{
    struct explore *explore = calloc(1, sizeof *explore);
    struct port_crypto crypto;
    CHECK(explore != NULL);
    explore->life = *life;
    explore->part = *part;
    explore->options = *options;
    explore->profile = part->profile;
    if (!life_fit(life, &explore->profile, &explore->layout, error, error_bytes)) {
        free(explore);
        return NULL;
    }
    if (explore->profile.geometry.sector_count > KEY_SECTORS_MAX) {
        snprintf(error, error_bytes,
                 "this life takes %u sectors of %s, and a search has room for %d: lower `image`",
                 (unsigned)explore->profile.geometry.sector_count, part->name, KEY_SECTORS_MAX);
        free(explore);
        return NULL;
    }
    enum err err = ERR_OK;
    if (options->crypto != NULL) {
        crypto = *options->crypto;
    } else {
        err = crypto_openssl_init(&explore->openssl, &crypto);
    }
    explore->port = explore_port(explore);
    explore->memo = memo_create(&crypto, &explore->port.crypto);
    map_init(&explore->same);
    map_init(&explore->distances);
    maps_init(explore);
    explore->key = image_key_create(&explore->profile, &explore->layout);
    explore->app_sectors = region_set(explore->layout.app_store);
    explore->other_sectors =
        region_set((struct slot_region){0, explore->profile.geometry.sector_count}) &
        ~explore->app_sectors;
    explore->host = (struct life_host){explore, host_phase, host_reached, host_truth, host_require};
    if (err != ERR_OK || !make_world(explore)) {
        snprintf(error, error_bytes, "the crypto provider fails");
        explore_close(explore);
        return NULL;
    }
    make_line(explore);
    return explore;
}

void explore_close(struct explore *explore)
{
    if (explore == NULL) {
        return;
    }
    explore_graph_free(explore);
    for (uint32_t i = 0; i < FIRMWARE_RELEASES_MAX; i++) {
        flash_free(explore->line[i]);
    }
    flash_free(explore->root);
    flash_release(explore->anything);
    firmware_free(explore->firmware);
    image_key_free(explore->key);
    maps_free(explore);
    map_free(&explore->same);
    map_free(&explore->distances);
    memo_free(explore->memo);
    if (explore->options.crypto == NULL) {
        crypto_openssl_free(&explore->openssl);
    }
    free(explore->keys);
    free(explore);
}

const struct flash_profile *explore_profile(const struct explore *explore)
{
    return &explore->profile;
}

const struct slot_layout *explore_layout(const struct explore *explore)
{
    return &explore->layout;
}

/* ---- Runs ------------------------------------------------------------------------------------ */

void explore_begin(struct explore *explore, enum run_mode mode, const struct flash *flash,
                   const struct life_state *state, sector_set masked)
{
    struct run *run = &explore->run;
    run->mode = mode;
    run->flash = flash_snapshot(flash);
    CHECK(run->flash != NULL);
    run->flash->counts.discipline = 0;
    run->state = *state;
    run->state_digest = explore_state_digest(state);
    memset(run->retained, 0xa5, sizeof run->retained); /* power took it */
    run->change = LINK_NONE;
    run->masked = masked;
    run->phase = LIFE_LOADS;
    run->slot = SLOT_NONE;
    run->operation = 0;
    run->boots = 0;
    run->elapsed_us = 0;
    run->choice_count = run->choice_base = 0;
    run->fork_count = 0;
    run->places = 0;
    run->left = NULL;
    memset(run->erases, 0, sizeof run->erases);
    if (mode == RUN_TELL) {
        digest_map_free(&explore->told);
        digest_map_init(&explore->told);
    }
    running = explore;
}

void explore_end(struct explore *explore)
{
    flash_free(explore->run.flash);
    explore->run.flash = NULL;
    running = NULL;
}

_Noreturn void explore_escape(struct explore *explore, enum escape escape)
{
    longjmp(explore->run.escape, (int)escape);
}

void explore_check_failed(const char *file, int line, const char *what)
{
    static char text[256];
    if (running == NULL || running->run.flash == NULL || strncmp(file, "sim/", 4) == 0) {
        return;
    }
    snprintf(text, sizeof text, "%s:%d: %s", file, line, what);
    explore_break(running, LAW_CORE_CHECK, text, 1, 0);
}

bool explore_is_new(const struct explore *explore)
{
    const struct run *run = &explore->run;
    return (run->mode == RUN_LOAD || run->mode == RUN_MOUNT || run->mode == RUN_WORK) &&
           run->choice_count >= run->choice_fixed;
}

bool explore_next_branch(struct explore *explore)
{
    struct run *run = &explore->run;
    uint32_t last = run->choice_count;
    while (last > 0 && run->choices[last - 1] + 1 == FLASH_READING_COUNT) {
        last--;
    }
    run->choice_fixed = last;
    if (last == 0) {
        return false;
    }
    run->choices[last - 1]++;
    return true;
}

uint32_t explore_choices(const struct run *run)
{
    uint32_t choices = 0;
    for (uint32_t i = run->choice_count < CHOICES_MAX ? run->choice_count : CHOICES_MAX; i > 0;
         i--) {
        choices = choices * FLASH_READING_COUNT + run->choices[i - 1];
    }
    return choices;
}

/* ---- What the life tells its host ------------------------------------------------------------ */

static bool host_reached(void *ctx, enum life_place place, const struct life_device *device)
{
    static const char *const places[LIFE_PLACE_COUNT] = {
        [LIFE_AT_JUMP] = "the boot loader has jumped",
        [LIFE_AT_TAKE] = "the image has taken over",
        [LIFE_AT_MOUNT] = "the application's store is mounted",
        [LIFE_AT_START] = "the image has started",
        [LIFE_AT_ACT] = "an act is done",
    };
    struct explore *explore = ctx;
    struct run *run = &explore->run;
    explore_tell(explore, "-- %s: goal %u, step %u", places[place], (unsigned)run->state.mind.goal,
                 (unsigned)run->state.mind.step);
    explore_judge_place(explore, place);
    memset(run->erases, 0, sizeof run->erases);
    if (run->mode == RUN_TELL && place >= LIFE_AT_START) {
        explore_require(explore, LAW_UPDATE_PROGRESS,
                        "a boot leads back to where it began: it never ends", 0,
                        explore_returns(explore, place, device));
    }
    struct explore_counts *counts = &explore->result->counts;
    if (place == LIFE_AT_START && run->mode == RUN_WORK && run->depth > 0) {
        const uint64_t us = run->elapsed_us + explore->mounts.items[run->mounted].us +
                            explore->exits.items[explore->sessions.items[run->source].exit].us;
        counts->recovery_us = counts->recovery_us > us ? counts->recovery_us : us;
    }
    if (place == LIFE_AT_TAKE || place == LIFE_AT_MOUNT) {
        run->fork_count = 0;
        run->choice_base = run->choice_count;
    }
    if (run->mode == RUN_PAIR) {
        uint64_t digest[2];
        explore_point_key(explore, place, device, digest);
        hash_once((uint64_t[]){run->digest[0], run->digest[1], digest[0], digest[1]},
                  4 * sizeof digest[0], run->digest);
        return ++run->places < LIFE_PLACE_COUNT;
    }
    if (run->mode == RUN_WORK && explore_is_new(explore) && !explore_pass(explore, place, device)) {
        return false;
    }
    explore_word(explore);
    return true;
}

static void host_phase(void *ctx, enum life_phase phase, uint32_t slot)
{
    struct explore *explore = ctx;
    explore->run.phase = phase;
    explore->run.slot = slot;
}

static void host_truth(void *ctx, uint32_t kind, uint64_t counter, uint64_t value)
{
    struct explore *explore = ctx;
    const struct observation observation = {.kind = kind,
                                            .node = LIFE_DEVICE,
                                            .device = LIFE_DEVICE,
                                            .counter = counter,
                                            .value = value};
    explore_observe(explore, &explore->run.state, &observation);
}

static void host_require(void *ctx, enum law law, const char *what, uint64_t expected,
                         uint64_t actual)
{
    explore_require(ctx, law, what, expected, actual);
}

/* ---- Boots ----------------------------------------------------------------------------------- */

static void count_boot(struct explore *explore)
{
    struct run *run = &explore->run;
    run->boots++;
    explore->result->counts.boots++;
    if (run->boots > BOOTS_MAX) {
        explore_break(explore, LAW_UPDATE_PROGRESS, "boots without a cut and without an end",
                      BOOTS_MAX, run->boots);
    }
}

static void reset(struct explore *explore)
{
    struct run *run = &explore->run;
    explore_tell(explore, "-- reset");
    host_truth(explore, TRUTH_DOWN, 0, 1);
    flash_reset(run->flash);
    run->fork_count = 0;
}

bool explore_load(struct explore *explore)
{
    enum life_end end = LIFE_RESETS;
    while (end == LIFE_RESETS) {
        count_boot(explore);
        end = life_device_load(&explore->device, &explore->world, &explore->port, &explore->host);
        if (end == LIFE_DARK) {
            host_truth(explore, TRUTH_DARK, 0, 0);
        }
        if (end == LIFE_RESETS) {
            reset(explore);
        }
    }
    return end == LIFE_HANDED;
}

void explore_live(struct explore *explore)
{
    struct run *run = &explore->run;
    enum life_end end = LIFE_RESETS;
    while (end == LIFE_RESETS && explore_load(explore)) {
        end = life_device_mount(&explore->device, &explore->world, &run->state.mind, &explore->port,
                                &explore->host);
        if (end == LIFE_MOUNTED) {
            end = life_device_work(&explore->device, &explore->world, &run->state.mind,
                                   &explore->port, &explore->host);
        }
        if (end == LIFE_RESETS) {
            reset(explore);
            run->choice_base = run->choice_count;
        }
    }
    if (end == LIFE_DONE) {
        explore_tell(explore, "-- the life is done");
        explore->uncut_done = explore->uncut_done || run->mode == RUN_UNCUT;
    }
}

/* ---- The result ------------------------------------------------------------------------------ */

/* Was everything cut, and did every fault strike? */
static const char *vacuity(const struct explore *explore)
{
    const struct explore_counts *counts = &explore->result->counts;
    const bool cached = explore->profile.cache_pages > 0;
    const bool ecc = explore->profile.ecc != FLASH_ECC_NONE;
    if (!explore->uncut_done) {
        return "the uncut life did not come to its end";
    }
    if (explore->options.depth == 0) {
        return NULL;
    }
    /* The counters of a new device rise in its first boot, which may lie before the search. */
    const bool increments = explore->life.before_count == 0;
    if (counts->cut[EXPLORE_PROGRAM] == 0 || counts->cut[EXPLORE_ERASE] == 0 ||
        (increments && counts->cut[EXPLORE_COUNTER] == 0)) {
        return "a program, an erase or an increment was never cut";
    }
    if (cached && (counts->cut[EXPLORE_SYNC] == 0 || counts->cached == 0)) {
        return "nothing was lost from the cache";
    }
    if (explore->options.torn && !cached &&
        (counts->torn_programs == 0 || counts->torn_erases == 0)) {
        return "no program or no erase was torn";
    }
    if (explore->options.torn && explore->options.demonic && !ecc && counts->uncertain == 0) {
        return "no uncertain bit was ever read";
    }
    if (explore->options.torn && ecc && !cached && counts->poisoned == 0) {
        return "no unit that ECC gives up was ever read";
    }
    return NULL;
}

static int compare_keys(const void *left, const void *right)
{
    const uint64_t *a = left, *b = right;
    return a[0] != b[0] ? (a[0] > b[0]) - (a[0] < b[0]) : (a[1] > b[1]) - (a[1] < b[1]);
}

const uint64_t *explore_keys(struct explore *explore, uint64_t *count)
{
    const uint32_t bases = explore->bases.count, frames = explore->frames.count;
    *count = (uint64_t)bases + frames;
    free(explore->keys);
    explore->keys = malloc((*count + 1) * 2 * sizeof *explore->keys);
    CHECK(explore->keys != NULL);
    for (uint32_t i = 0; i < bases; i++) {
        memcpy(&explore->keys[2 * (size_t)i], explore->bases.items[i].key,
               2 * sizeof *explore->keys);
    }
    for (uint32_t i = 0; i < frames; i++) {
        memcpy(&explore->keys[2 * ((size_t)bases + i)], explore->frames.items[i].key,
               2 * sizeof *explore->keys);
    }
    qsort(explore->keys, *count, 2 * sizeof *explore->keys, compare_keys);
    return explore->keys;
}

static void forget(struct explore *explore)
{
    explore_graph_free(explore);
    maps_free(explore);
    maps_init(explore);
    explore->bounded = false;
}

static enum escape search(struct explore *explore)
{
    enum escape escape = explore_live_before(explore);
    explore->uncut_done = false;
    memset(&explore->result->counts, 0, sizeof explore->result->counts);
    if (escape == ESCAPE_NONE) {
        escape = explore_live_uncut(explore);
    }
    if (escape == ESCAPE_NONE && explore->options.depth > 0) {
        escape = explore_search(explore);
    } else {
        explore->bounded = true;
    }
    return escape;
}

static void conclude(struct explore *explore)
{
    struct explore_result *result = explore->result;
    const struct explore_counts *counts = &result->counts;
    const char *vacuous = vacuity(explore);
    uint64_t count;
    const uint64_t *keys = explore_keys(explore, &count);
    hash_once(keys, (uint32_t)(count * 2 * sizeof *keys), result->image_digest);
    result->image_count = explore_image_count(explore);
    explore_nearest(explore, result);
    if (vacuous != NULL) {
        result->verdict = EXPLORE_VACUOUS;
        snprintf(result->why, sizeof result->why, "%s", vacuous);
    } else if (!explore_is_acyclic(explore)) {
        result->verdict = EXPLORE_VIOLATED;
        result->law = LAW_UPDATE_PROGRESS;
        result->what = "a boot leads back to where it began: it never ends";
        result->actual = 1;
    } else if (!explore_pairs_run(explore)) {
        result->verdict = EXPLORE_VACUOUS;
        snprintf(result->why, sizeof result->why,
                 "two images of one key behaved differently: the key of images is wrong");
    } else if (explore->bounded || counts->lost_branches > 0) {
        result->verdict = EXPLORE_BOUNDED;
        snprintf(result->why, sizeof result->why, "%s",
                 counts->lost_branches > 0 ? "a boot read more uncertain pieces than were branched"
                 : explore->arrivals.count >= explore->options.images_max
                     ? "there are more images than it was to look at"
                     : "there are deeper cuts than it was to look at");
    }
}

void explore_run(struct explore *explore, struct explore_result *result)
{
    const struct flash_geometry *geometry = &explore->profile.geometry;
    CHECK(explore->options.dump == NULL ||
          explore->options.dump_bytes == geometry->sector_bytes * geometry->sector_count);
    memset(result, 0, sizeof *result);
    explore->result = result;
    enum escape escape = search(explore);
    if (escape == ESCAPE_UNMASK) {
        explore->options.masked = false;
        forget(explore);
        escape = search(explore);
    }
    result->masked = explore->options.masked;
    result->counts.questions = memo_asked(explore->memo);
    result->counts.computed = memo_computed(explore->memo);
    result->base_count = explore->bases.count;
    result->frame_count = explore->frames.count;
    if (escape == ESCAPE_BROKEN) {
        explore_id(explore, result->replay, sizeof result->replay);
        explore_settle(explore, result);
        return;
    }
    if (escape != ESCAPE_NONE) {
        result->verdict = EXPLORE_VACUOUS;
        snprintf(result->why, sizeof result->why, "%s",
                 "a part of a boot reads what is not its own: the boot loader the application's "
                 "store, or the other way round");
        return;
    }
    conclude(explore);
    if (result->verdict == EXPLORE_VIOLATED) {
        explore_settle(explore, result);
    }
}
