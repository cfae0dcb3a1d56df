/* The life without a cut: up to where the search begins, and from there to its end. */
#include <string.h>

#include "core/check.h"
#include "sim/explore_inside.h"

struct flash *explore_root(const struct explore *explore, struct life_state *state)
{
    struct flash *flash = flash_snapshot(explore->root);
    CHECK(flash != NULL);
    *state = explore->root_state;
    return flash;
}

/* The device as it leaves the line. */
static void make_root(struct explore *explore)
{
    struct life_state *state = &explore->root_state;
    explore->root = flash_create(&explore->profile);
    CHECK(explore->root != NULL);
    firmware_install(explore->firmware, explore->root);
    memset(state, 0, sizeof *state);
    update_law_init(&state->law, &explore->law, 1);
    state->law.floor = 0; /* the first boot raises it */
}

/* What the run leaves when power goes away now takes the root's place. */
static void move_root(struct explore *explore)
{
    struct run *run = &explore->run;
    flash_reset(run->flash); /* its cache comes to rest */
    explore_judge_image(explore, run->flash, 0, &run->state);
    flash_free(explore->root);
    explore->root = flash_snapshot(run->flash);
    CHECK(explore->root != NULL);
    explore->root_state = run->state;
}

/* From the root until all goals that the life has now are reached. */
static enum escape live(struct explore *explore, bool moves_root)
{
    struct run *run = &explore->run;
    run->depth = 0;
    run->choice_fixed = 0;
    explore_begin(explore, RUN_UNCUT, explore->root, &explore->root_state, 0);
    const int escape = setjmp(run->escape);
    if (escape == ESCAPE_NONE) {
        explore_live(explore);
        if (moves_root) {
            move_root(explore);
        }
    }
    explore_end(explore);
    return (enum escape)escape;
}

enum escape explore_live_before(struct explore *explore)
{
    struct life *life = &explore->life;
    const bool masked = explore->options.masked;
    if (explore->root != NULL) {
        return ESCAPE_NONE;
    }
    make_root(explore);
    if (life->before_count == 0) {
        return ESCAPE_NONE;
    }
    const uint32_t goal_count = life->goal_count;
    life->goal_count = life->before_count;
    explore->options.masked = false;
    const enum escape escape = live(explore, true);
    explore->options.masked = masked;
    life->goal_count = goal_count;
    return escape;
}

enum escape explore_live_uncut(struct explore *explore)
{
    return live(explore, false);
}
