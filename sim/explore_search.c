/* The search: crash images arrive, their halves are put together where they belong together, and
 * the third part of a boot leads to more of them. */
#include <stdlib.h>
#include <string.h>

#include "core/check.h"
#include "sim/explore_inside.h"
#include "sim/hash.h"

static uint64_t pair_name(uint32_t left, uint32_t right)
{
    return (uint64_t)left << 32 | right;
}

/* A point in the graph of boots without cuts: an arrival, a session, or a work begins. */
static uint32_t point_of(struct explore *explore, uint64_t kind, uint64_t name)
{
    uint64_t digest[2];
    bool added;
    hash_once((uint64_t[]){kind, name}, 2 * sizeof name, digest);
    return digest_map_put(&explore->points, digest, explore->points.count, &added);
}

enum { POINT_ARRIVAL = 1, POINT_SESSION, POINT_WORK };

/* ---- Arrivals -------------------------------------------------------------------------------- */

/* Borrows. The halves are known. True: they were never together. */
static bool add_arrival(struct explore *explore, const struct arrival *arrival)
{
    const uint64_t name = pair_name(arrival->base, arrival->frame);
    uint64_t digest[2];
    bool added;
    if (arrival->cut.depth > explore->options.depth ||
        explore->arrivals.count >= explore->options.images_max) {
        explore->bounded = true; /* nobody looks at what follows from it */
        return false;
    }
    hash_once(&name, sizeof name, digest);
    (void)digest_map_put(&explore->arrivals_known, digest, 0, &added);
    if (added) {
        struct arrival *kept = LIST_ADD(explore->arrivals);
        *kept = *arrival;
    }
    return added;
}

static void test_key(struct explore *explore, const struct arrival *arrival,
                     const struct flash *flash, struct life_state *state, sector_set masked,
                     bool first)
{
    const uint64_t *base = explore->bases.items[arrival->base].key;
    const uint64_t *frame = explore->frames.items[arrival->frame].key;
    struct image image = {.state = state, .masked = masked};
    hash_once((uint64_t[]){base[0], base[1], frame[0], frame[1]}, 4 * sizeof base[0], image.key);
    if (image.key[0] % PAIR_EVERY == 0) {
        image.flash = flash_snapshot(flash);
        CHECK(image.flash != NULL);
        explore_pair(explore, &image, first);
        flash_free(image.flash);
    }
}

static struct flash *copy_of(const struct flash *flash)
{
    struct flash *copy = flash_snapshot(flash);
    CHECK(copy != NULL);
    return copy;
}

static uint32_t arrive(struct explore *explore, struct flash *flash, struct life_state *state,
                       sector_set masked, const struct cut_point *cut)
{
    struct arrival arrival = {.cut = *cut};
    arrival.frame = explore_frame(explore, copy_of(flash), state);
    arrival.base = explore_base(explore, copy_of(flash), state, masked);
    const bool added = add_arrival(explore, &arrival);
    if (!cut->reset && cut->session != LINK_NONE) {
        test_key(explore, &arrival, flash, state, masked, added);
    }
    flash_free(flash);
    return point_of(explore, POINT_ARRIVAL, pair_name(arrival.base, arrival.frame));
}

static struct cut_point cut_of(const struct explore *explore, uint32_t variant)
{
    const struct run *run = &explore->run;
    return (struct cut_point){.session = run->source,
                              .mounted = run->mounted,
                              .operation = run->operation,
                              .variant = variant,
                              .choices = explore_choices(run),
                              .choice_count = (uint8_t)run->choice_count,
                              .depth = (uint8_t)(run->depth + 1)};
}

void explore_arrive(struct explore *explore, struct flash *flash, struct life_state *state,
                    sector_set masked, uint32_t variant)
{
    const struct cut_point cut = cut_of(explore, variant);
    (void)arrive(explore, flash, state, masked, &cut);
}

/* ---- The third part of a boot ---------------------------------------------------------------- */

/* Two exits, put together. */
static struct flash *compose(struct explore *explore, uint32_t exit_number, uint32_t mount_number,
                             struct life_state *state, sector_set *masked)
{
    const struct exit *exit = &explore->exits.items[exit_number];
    const struct exit *mount = &explore->mounts.items[mount_number];
    struct flash *flash = copy_of(exit->flash);
    for (uint32_t i = 0; explore->app_sectors >> i != 0; i++) {
        if (sector_set_has(explore->app_sectors, i)) {
            struct flash_sector *sector = flash_take(mount->flash, i);
            flash_give(flash, i, sector);
            flash_release(sector);
        }
    }
    flash->counters[COUNTER_EPOCH] = flash_counter(mount->flash, COUNTER_EPOCH);
    *state = exit->state;
    explore_law_frame(&state->law, &mount->state.law);
    state->mind = mount->state.mind;
    *masked = exit->masked & ~explore->app_sectors;
    return flash;
}

/* Another boot follows, and power was there all the time. */
static void resets(struct explore *explore)
{
    struct run *run = &explore->run;
    const struct observation down = {
        .kind = TRUTH_DOWN, .node = LIFE_DEVICE, .device = LIFE_DEVICE, .value = 1};
    explore_observe(explore, &run->state, &down);
    flash_reset(run->flash);
    struct cut_point cut = cut_of(explore, 0);
    cut.reset = true;
    cut.depth = run->depth;
    explore_edge(explore, run->point,
                 arrive(explore, copy_of(run->flash), &run->state, run->masked, &cut));
}

static enum escape work(struct explore *explore, uint32_t session_number, uint32_t mount_number,
                        uint32_t point)
{
    struct run *run = &explore->run;
    struct explore_counts *counts = &explore->result->counts;
    const struct session session = explore->sessions.items[session_number];
    struct life_state state;
    sector_set masked;
    struct flash *flash = compose(explore, session.exit, mount_number, &state, &masked);
    bool more = true;
    int escape = ESCAPE_NONE;
    counts->works++;
    run->source = session_number;
    run->mounted = mount_number;
    run->depth = session.depth;
    run->choice_fixed = 0;
    while (more && escape == ESCAPE_NONE) {
        explore_begin(explore, RUN_WORK, flash, &state, masked);
        run->point = point;
        memset(run->retained, 0, sizeof run->retained); /* the hand-over was taken */
        explore->device = *explore->mounts.items[mount_number].device;
        explore->device.report = explore->exits.items[session.exit].report;
        escape = setjmp(run->escape);
        if (escape == ESCAPE_NONE &&
            life_device_work(&explore->device, &explore->world, &run->state.mind, &explore->port,
                             &explore->host) == LIFE_RESETS &&
            explore_is_new(explore)) {
            resets(explore);
        }
        explore_end(explore);
        more = explore_next_branch(explore);
        counts->branches += more;
    }
    flash_free(flash);
    return (enum escape)escape;
}

/* ---- The second part ------------------------------------------------------------------------- */

/* The base that a loss of power leaves right after this exit, whatever the frame does. */
static uint32_t down_of(struct explore *explore, uint32_t exit_number)
{
    struct exit *exit = &explore->exits.items[exit_number];
    if (exit->down == LINK_NONE) {
        struct life_state state = exit->state;
        explore->run.mode = RUN_PAIR; /* it was judged as the last image before the exit */
        explore_judge_image(explore, exit->flash, exit->masked, &state);
        exit->down = explore_base(explore, copy_of(exit->flash), &state, exit->masked);
    }
    return exit->down;
}

/* All that cuts in the mount of the frame leave, with this base. */
static void arrive_frames(struct explore *explore, uint32_t session_number, uint32_t frame)
{
    const struct session session = explore->sessions.items[session_number];
    const uint32_t base = down_of(explore, session.exit);
    uint32_t link = explore->frames.items[frame].changes;
    for (; link != LINK_NONE; link = explore->links.items[link].next) {
        const struct link way = explore->links.items[link];
        uint32_t target = explore->changes.items[way.to];
        for (; target != LINK_NONE; target = explore->links.items[target].next) {
            const struct arrival arrival = {
                .base = base,
                .frame = explore->links.items[target].to,
                .cut = {.session = session_number,
                        .mounted = LINK_NONE,
                        .operation = way.operation,
                        .variant = explore->links.items[target].operation,
                        .choices = way.choices,
                        .choice_count = way.choice_count,
                        .depth = (uint8_t)(session.depth + 1)},
            };
            (void)add_arrival(explore, &arrival);
        }
    }
}

static enum escape start_session(struct explore *explore, uint32_t arrival_number,
                                 struct reach reach, uint32_t arrival_point)
{
    const struct arrival arrival = explore->arrivals.items[arrival_number];
    const uint64_t name = pair_name(reach.exit, arrival.frame);
    const uint64_t depth = (uint64_t)arrival.cut.depth + reach.depth;
    uint64_t digest[2];
    bool added;
    const uint32_t point = point_of(explore, POINT_SESSION, name);
    if (reach.depth == 0) {
        explore_edge(explore, arrival_point, point);
    }
    hash_once(&name, sizeof name, digest);
    if (depth > explore->options.depth) {
        explore->bounded = true;
        return ESCAPE_NONE;
    }
    (void)digest_map_put(&explore->sessions_known, digest, 0, &added);
    if (!added) {
        return ESCAPE_NONE;
    }
    const uint32_t number = explore->sessions.count;
    struct session *session = LIST_ADD(explore->sessions);
    *session = (struct session){arrival_number, reach.exit, (uint8_t)depth};
    struct explore_counts *counts = &explore->result->counts;
    counts->depth = counts->depth > depth ? counts->depth : depth;
    explore->run.depth = (uint8_t)depth;
    explore->run.mounted = LINK_NONE;
    explore->session = number;
    enum escape escape = explore_mount(explore, arrival.frame);
    if (escape == ESCAPE_NONE) {
        arrive_frames(explore, number, arrival.frame);
    }
    uint32_t link = explore->frames.items[arrival.frame].exits;
    for (; link != LINK_NONE && escape == ESCAPE_NONE; link = explore->links.items[link].next) {
        const uint32_t mount = explore->links.items[link].to;
        const uint64_t work_name = pair_name(reach.exit, mount);
        const uint32_t work_point = point_of(explore, POINT_WORK, work_name);
        explore_edge(explore, point, work_point);
        hash_once(&work_name, sizeof work_name, digest);
        (void)digest_map_put(&explore->works_known, digest, 0, &added);
        if (added) {
            escape = work(explore, number, mount, work_point);
        }
    }
    return escape;
}

static enum escape take_arrival(struct explore *explore, uint32_t number)
{
    const struct arrival arrival = explore->arrivals.items[number];
    const uint32_t point = point_of(explore, POINT_ARRIVAL, pair_name(arrival.base, arrival.frame));
    explore->run.depth = arrival.cut.depth;
    explore->taken = number;
    enum escape escape = explore_reach(explore, arrival.base);
    const struct half base = explore->bases.items[arrival.base];
    for (uint32_t i = 0; i < base.reach_count && escape == ESCAPE_NONE; i++) {
        escape = start_session(explore, number, explore->reach.items[base.reach + i], point);
    }
    return escape;
}

enum escape explore_search(struct explore *explore)
{
    struct life_state state;
    struct explore_counts *counts = &explore->result->counts;
    const struct cut_point line = {.session = LINK_NONE};
    (void)arrive(explore, explore_root(explore, &state), &state, 0, &line);
    enum escape escape = ESCAPE_NONE;
    for (uint32_t i = 0; i < explore->arrivals.count && escape == ESCAPE_NONE; i++) {
        const uint64_t waiting = explore->arrivals.count - i;
        counts->peak_images = counts->peak_images > waiting ? counts->peak_images : waiting;
        escape = take_arrival(explore, i);
        if (explore->options.progress != NULL) {
            explore->options.progress(explore->options.progress_ctx, i + 1, waiting - 1);
        }
    }
    return escape;
}
