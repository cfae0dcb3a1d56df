/* Halves of images, and the cuts that lead from one to the next. */
#include <stdlib.h>
#include <string.h>

#include "core/check.h"
#include "sim/explore_inside.h"
#include "sim/hash.h"

void *explore_list(void **items, uint32_t *count, uint32_t *capacity, size_t item_bytes)
{
    if (*count == *capacity) {
        *capacity = *capacity == 0 ? 256 : 2 * *capacity;
        *items = realloc(*items, *capacity * item_bytes);
        CHECK(*items != NULL);
    }
    uint8_t *item = (uint8_t *)*items + *count * item_bytes;
    memset(item, 0, item_bytes);
    (*count)++;
    return item;
}

static void forget(struct half *half)
{
    flash_free(half->flash);
    free(half->state);
    half->flash = NULL;
    half->state = NULL;
}

static void exits_free(struct exit *exits, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        flash_free(exits[i].flash);
        free(exits[i].device);
    }
    free(exits);
}

void explore_graph_free(struct explore *explore)
{
    for (uint32_t i = 0; i < explore->bases.count; i++) {
        forget(&explore->bases.items[i]);
    }
    for (uint32_t i = 0; i < explore->frames.count; i++) {
        forget(&explore->frames.items[i]);
    }
    exits_free(explore->exits.items, explore->exits.count);
    exits_free(explore->mounts.items, explore->mounts.count);
    explore_pairs_free(explore);
    void *lists[] = {explore->bases.items, explore->frames.items,   explore->changes.items,
                     explore->links.items, explore->arrivals.items, explore->sessions.items,
                     explore->edges.items, explore->reach.items,    explore->queue.items,
                     explore->stamps};
    for (size_t i = 0; i < sizeof lists / sizeof lists[0]; i++) {
        free(lists[i]);
    }
    memset(&explore->bases, 0, sizeof explore->bases);
    memset(&explore->frames, 0, sizeof explore->frames);
    memset(&explore->changes, 0, sizeof explore->changes);
    memset(&explore->links, 0, sizeof explore->links);
    memset(&explore->exits, 0, sizeof explore->exits);
    memset(&explore->mounts, 0, sizeof explore->mounts);
    memset(&explore->arrivals, 0, sizeof explore->arrivals);
    memset(&explore->sessions, 0, sizeof explore->sessions);
    memset(&explore->edges, 0, sizeof explore->edges);
    memset(&explore->reach, 0, sizeof explore->reach);
    memset(&explore->queue, 0, sizeof explore->queue);
    explore->stamps = NULL;
    explore->stamp_capacity = explore->stamp = 0;
}

/* ---- Links ----------------------------------------------------------------------------------- */

static void link_add(struct explore *explore, uint32_t *list, struct link link)
{
    for (uint32_t i = *list; i != LINK_NONE; i = explore->links.items[i].next) {
        if (explore->links.items[i].to == link.to) {
            return; /* one way is enough */
        }
    }
    link.next = *list;
    *list = explore->links.count;
    struct link *added = LIST_ADD(explore->links);
    *added = link;
}

static struct link link_here(const struct run *run, uint32_t to)
{
    return (struct link){.to = to,
                         .operation = run->operation,
                         .choices = explore_choices(run),
                         .choice_count = (uint8_t)run->choice_count};
}

/* Of the half that is being explored. */
static struct half *half_of(struct explore *explore)
{
    const struct run *run = &explore->run;
    return run->mode == RUN_LOAD ? &explore->bases.items[run->source]
                                 : &explore->frames.items[run->source];
}

bool explore_change(struct explore *explore, const uint64_t digest[2])
{
    struct run *run = &explore->run;
    bool added;
    run->change = digest_map_put(&explore->changes_known, digest, explore->changes.count, &added);
    if (added) {
        uint32_t *list = LIST_ADD(explore->changes);
        *list = LINK_NONE;
    }
    if (run->mode != RUN_WORK) {
        link_add(explore, &half_of(explore)->changes, link_here(run, run->change));
    }
    return added;
}

/* ---- Halves ---------------------------------------------------------------------------------- */

void explore_mask(const struct explore *explore, struct flash *flash, sector_set masked)
{
    for (uint32_t i = 0; i < flash->profile.geometry.sector_count && masked >> i != 0; i++) {
        if (sector_set_has(masked, i)) {
            flash_give(flash, i, explore->anything);
        }
    }
}

static void half_init(struct half *half, struct flash *flash, const struct life_state *state,
                      sector_set masked, const uint64_t key[2])
{
    *half = (struct half){.flash = flash,
                          .state = malloc(sizeof *state),
                          .masked = masked,
                          .key = {key[0], key[1]},
                          .changes = LINK_NONE,
                          .exits = LINK_NONE};
    CHECK(half->state != NULL);
    *half->state = *state;
}

uint32_t explore_base(struct explore *explore, struct flash *flash, const struct life_state *state,
                      sector_set masked)
{
    uint64_t key[2];
    bool added;
    masked |= explore->app_sectors;
    explore_mask(explore, flash, masked);
    flash->counters[COUNTER_EPOCH] = 0;
    explore_base_key(explore, flash, &state->law, masked, key);
    const uint32_t number =
        digest_map_put(&explore->bases_known, key, explore->bases.count, &added);
    if (!added) {
        flash_free(flash);
        return number;
    }
    struct life_state half = *state;
    memset(&half.mind, 0, sizeof half.mind);
    explore_law_frame(&half.law, &(struct update_law){.key = 0});
    struct half *added_base = LIST_ADD(explore->bases);
    half_init(added_base, flash, &half, masked, key);
    added_base->distance = explore_distance(explore, flash, masked);
    return number;
}

uint32_t explore_frame(struct explore *explore, struct flash *flash, const struct life_state *state)
{
    uint64_t key[2];
    bool added;
    explore_frame_key(explore, flash, state, key);
    const uint32_t number =
        digest_map_put(&explore->frames_known, key, explore->frames.count, &added);
    if (!added) {
        flash_free(flash);
        return number;
    }
    struct life_state half = {.mind = state->mind};
    explore_law_frame(&half.law, &state->law);
    explore_mask(explore, flash, explore->other_sectors);
    flash->counters[COUNTER_SECURITY] = 0;
    struct half *added_frame = LIST_ADD(explore->frames);
    half_init(added_frame, flash, &half, explore->other_sectors, key);
    added_frame->distance = explore_distance(explore, flash, explore->other_sectors);
    return number;
}

/* ---- Images of one half ---------------------------------------------------------------------- */

/* A cut in the first or the second part of a boot leaves this half; the other one is what it was.
 * Takes the flash. exact: of what the device has, and of what the world knows. */
static void offer_half(struct explore *explore, struct flash *flash, uint32_t variant,
                       sector_set masked, const uint64_t exact[2])
{
    struct run *run = &explore->run;
    const bool load = run->mode == RUN_LOAD;
    bool added;
    uint32_t number = digest_map_put(&explore->met, exact,
                                     load ? explore->bases.count : explore->frames.count, &added);
    if (added) {
        struct life_state state = run->state;
        if (load) {
            explore_judge_image(explore, flash, masked, &state);
        }
        number = load ? explore_base(explore, flash, &state, masked)
                      : explore_frame(explore, flash, &state);
        digest_map_set(&explore->met, exact, number);
    } else {
        flash_free(flash);
    }
    CHECK(run->change != LINK_NONE);
    link_add(explore, &explore->changes.items[run->change],
             (struct link){.to = number, .operation = variant});
}

void explore_offer(struct explore *explore, struct flash *flash, uint32_t variant,
                   sector_set masked)
{
    struct run *run = &explore->run;
    uint64_t exact[2];
    bool added;
    explore->result->counts.generated++;
    explore_mask(explore, flash, masked);
    flash_hash(flash, exact);
    run->state_digest = explore_state_digest(&run->state);
    exact[0] ^= run->state_digest;
    exact[0] ^= (uint64_t)(masked >> 64);
    exact[1] ^= (uint64_t)masked ^ (uint64_t)run->mode << 56;
    if (run->mode == RUN_LOAD || run->mode == RUN_MOUNT) {
        offer_half(explore, flash, variant, masked, exact);
        return;
    }
    if (run->mode == RUN_WORK) {
        (void)digest_map_put(&explore->met, exact, 0, &added);
        if (!added) {
            flash_free(flash);
            return;
        }
    }
    struct life_state state = run->state;
    explore_judge_image(explore, flash, masked, &state);
    if (run->mode == RUN_WORK) {
        explore_arrive(explore, flash, &state, masked, variant);
    } else {
        flash_free(flash);
    }
}

/* ---- The first two parts of a boot ----------------------------------------------------------- */

static void take_exit(struct explore *explore)
{
    struct run *run = &explore->run;
    const bool load = run->mode == RUN_LOAD;
    uint64_t digest[2];
    bool added;
    explore_point_key(explore, load ? LIFE_AT_TAKE : LIFE_AT_MOUNT, &explore->device, digest);
    const uint32_t number =
        digest_map_put(load ? &explore->exits_known : &explore->mounts_known, digest,
                       load ? explore->exits.count : explore->mounts.count, &added);
    if (added) {
        struct exit *exit = load ? LIST_ADD(explore->exits) : LIST_ADD(explore->mounts);
        exit->flash = flash_snapshot(run->flash);
        CHECK(exit->flash != NULL);
        exit->state = run->state;
        exit->masked = run->masked;
        exit->down = LINK_NONE;
        exit->report = explore->device.report;
        exit->device = load ? NULL : malloc(sizeof *exit->device);
        if (exit->device != NULL) {
            *exit->device = explore->device;
        }
    }
    struct exit *exit = load ? &explore->exits.items[number] : &explore->mounts.items[number];
    exit->us = exit->us > run->elapsed_us ? exit->us : run->elapsed_us;
    link_add(explore, &half_of(explore)->exits, link_here(run, number));
}

static bool live_part(struct explore *explore)
{
    struct run *run = &explore->run;
    if (run->mode == RUN_LOAD) {
        return explore_load(explore);
    }
    run->phase = LIFE_RUNS;
    run->slot = SLOT_NONE; /* whoever it is: it writes in its store alone */
    memset(&explore->device, 0, sizeof explore->device);
    return life_device_mount(&explore->device, &explore->world, &run->state.mind, &explore->port,
                             &explore->host) == LIFE_MOUNTED;
}

static enum escape explore_half(struct explore *explore, enum run_mode mode, uint32_t number)
{
    struct run *run = &explore->run;
    struct explore_counts *counts = &explore->result->counts;
    struct half *half =
        mode == RUN_LOAD ? &explore->bases.items[number] : &explore->frames.items[number];
    struct flash *flash = half->flash;
    struct life_state *state = half->state;
    const sector_set masked = half->masked;
    bool more = true;
    half->flash = NULL; /* it is explored from here on, and owned here */
    half->state = NULL;
    counts->cuts += mode == RUN_LOAD;
    counts->mounts += mode == RUN_MOUNT;
    run->source = number;
    run->choice_fixed = 0;
    int escape = ESCAPE_NONE;
    while (more && escape == ESCAPE_NONE) {
        explore_begin(explore, mode, flash, state, masked);
        escape = setjmp(run->escape);
        if (escape == ESCAPE_NONE && live_part(explore)) {
            take_exit(explore);
        }
        explore_end(explore);
        more = explore_next_branch(explore);
        counts->branches += more;
    }
    flash_free(flash);
    free(state);
    return (enum escape)escape;
}

enum escape explore_mount(struct explore *explore, uint32_t frame)
{
    return explore->frames.items[frame].flash == NULL ? ESCAPE_NONE
                                                      : explore_half(explore, RUN_MOUNT, frame);
}

/* ---- Questions about the graph of bases ------------------------------------------------------ */

/* A question has a stamp of its own. False: the thing was met in this one. */
static bool stamp(struct explore *explore, uint32_t thing)
{
    if (thing >= explore->stamp_capacity) {
        const uint32_t capacity = 2 * thing + 1024;
        explore->stamps = realloc(explore->stamps, capacity * sizeof *explore->stamps);
        CHECK(explore->stamps != NULL);
        memset(explore->stamps + explore->stamp_capacity, 0,
               (capacity - explore->stamp_capacity) * sizeof *explore->stamps);
        explore->stamp_capacity = capacity;
    }
    const bool fresh = explore->stamps[thing] != explore->stamp;
    explore->stamps[thing] = explore->stamp;
    return fresh;
}

/* Bases, exits and changes by one numbering. */
enum thing { THING_BASE, THING_EXIT, THING_CHANGE, THING_COUNT };

static bool is_first(struct explore *explore, enum thing kind, uint32_t number)
{
    return stamp(explore, number * THING_COUNT + (uint32_t)kind);
}

static void enqueue(struct explore *explore, uint32_t base)
{
    if (is_first(explore, THING_BASE, base)) {
        uint32_t *place = LIST_ADD(explore->queue);
        *place = base;
    }
}

/* The bases that cuts leave, one cut further. */
static void enqueue_cuts(struct explore *explore, uint32_t base)
{
    uint32_t link = explore->bases.items[base].changes;
    for (; link != LINK_NONE; link = explore->links.items[link].next) {
        const uint32_t change = explore->links.items[link].to;
        uint32_t target =
            is_first(explore, THING_CHANGE, change) ? explore->changes.items[change] : LINK_NONE;
        for (; target != LINK_NONE; target = explore->links.items[target].next) {
            enqueue(explore, explore->links.items[target].to);
        }
    }
}

static void begin_walk(struct explore *explore)
{
    explore->stamp++;
    explore->queue.count = 0;
}

void explore_walk(struct explore *explore, uint32_t base)
{
    begin_walk(explore);
    enqueue(explore, base);
    for (uint32_t i = 0; i < explore->queue.count; i++) {
        enqueue_cuts(explore, explore->queue.items[i]);
    }
}

enum escape explore_reach(struct explore *explore, uint32_t first)
{
    struct run *run = &explore->run;
    const uint8_t before = run->depth;
    const uint32_t reach_first = explore->reach.count;
    if (explore->bases.items[first].asked) {
        return ESCAPE_NONE;
    }
    begin_walk(explore);
    enqueue(explore, first);
    uint32_t level_end = explore->queue.count, depth = 0;
    for (uint32_t i = 0; i < explore->queue.count; i++) {
        if (i == level_end) {
            depth++;
            level_end = explore->queue.count;
        }
        const uint32_t base = explore->queue.items[i];
        if (explore->bases.items[base].flash != NULL) {
            run->depth = (uint8_t)(before + depth);
            const enum escape escape = explore_half(explore, RUN_LOAD, base);
            if (escape != ESCAPE_NONE) {
                return escape;
            }
        }
        uint32_t link = explore->bases.items[base].exits;
        for (; link != LINK_NONE; link = explore->links.items[link].next) {
            if (is_first(explore, THING_EXIT, explore->links.items[link].to)) {
                struct reach *reach = LIST_ADD(explore->reach);
                *reach = (struct reach){explore->links.items[link].to, depth};
            }
        }
        enqueue_cuts(explore, base);
    }
    struct half *half = &explore->bases.items[first];
    half->asked = true;
    half->reach = reach_first;
    half->reach_count = explore->reach.count - reach_first;
    run->depth = before;
    return ESCAPE_NONE;
}

uint64_t explore_image_count(struct explore *explore)
{
    /* Frames that were met with the same bases lead to the same ones: few sets, many frames. The
     * arrivals of a frame are counted together, so that no image is counted twice. */
    uint32_t *first = calloc(explore->frames.count + 1, sizeof *first);
    uint32_t *next = calloc(explore->arrivals.count + 1, sizeof *next);
    uint64_t count = 0;
    struct map known;
    CHECK(first != NULL && next != NULL);
    map_init(&known);
    for (uint32_t i = 0; i < explore->arrivals.count; i++) {
        next[i] = first[explore->arrivals.items[i].frame];
        first[explore->arrivals.items[i].frame] = i + 1;
    }
    for (uint32_t frame = 0; frame < explore->frames.count; frame++) {
        uint64_t set = 0; /* of the bases, whatever their order */
        begin_walk(explore);
        for (uint32_t i = first[frame]; i != 0; i = next[i - 1]) {
            const uint64_t base = explore->arrivals.items[i - 1].base;
            uint64_t digest[2];
            hash_once(&base, sizeof base, digest);
            set += digest[0];
            enqueue(explore, (uint32_t)base);
        }
        uint32_t size = map_find(&known, set);
        if (size == MAP_NONE) {
            for (size = 0; size < explore->queue.count; size++) {
                enqueue_cuts(explore, explore->queue.items[size]);
            }
            map_put(&known, set, size);
        }
        count += size;
    }
    map_free(&known);
    free(first);
    free(next);
    return count;
}
