/* The streams of a world, from one seed; and from the middle of a run on from another one. */
#include "sim/world_inside.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/check.h"

static uint64_t node_key(uint64_t seed, const char *stream, uint32_t node)
{
    char name[48];
    snprintf(name, sizeof name, "%s/%" PRIu32, stream, node);
    return random_key(seed, name);
}

void world_seed_node(const struct world *world, struct node *node, uint64_t seed)
{
    const uint64_t poison = world->options.poison;
    node->entropy.key = node_key(seed, "entropy", node->number);
    node->early.key = node_key(seed, "early", node->number);
    node->sqlite.key = node_key(seed, "sqlite", node->number);
    node->flash_key = node_key(seed, "flash", node->number);
    node->flash_fault_key = node_key(seed, "flash_fault", node->number);
    node->tear_key = node_key(seed, "tear", node->number);
    node->poison_key = node_key(poison == 0 ? seed : poison, "poison", node->number);
    if (node->disk != NULL) {
        node->disk->faults.failing.key = node->sqlite.key + 1;
    }
}

void world_seed(struct world *world, uint64_t seed)
{
    world->sensor_key = random_key(seed, "sensor");
    world->fall_key = random_key(seed, "fall");
}

bool world_is_withdrawn(const struct world *world, uint32_t entry)
{
    return entry < world->withdrawn_count && world->plan.entries[entry].at_us > world->withdrawn_us;
}

/* Entries that were not filed yet come behind them: of those nobody holds an index. */
static void insert(struct plan *plan, uint32_t at, const struct plan_entry *entry)
{
    CHECK(plan_append(plan, entry));
    memmove(&plan->entries[at + 1], &plan->entries[at],
            (plan->entry_count - 1 - at) * sizeof *entry);
    plan->entries[at] = *entry;
}

static void draw_anew(struct world *world, uint64_t seed)
{
    struct plan drawn;
    plan_init(&drawn, seed);
    drawn.settings = world->plan.settings;
    CHECK(plan_draw_faults(&drawn));
    for (uint32_t i = 0; i < drawn.entry_count; i++) {
        struct plan_entry entry = drawn.entries[i];
        if (entry.at_us > world->now_us) {
            entry.event = world->event_count;
            entry.filed_us = world->now_us;
            insert(&world->plan, world->filed_count, &entry);
            strike_file(world, world->filed_count);
        }
    }
    plan_free(&drawn);
}

void world_reseed(struct world *world, uint64_t seed)
{
    const uint32_t drawn = plan_drawn_count(&world->plan);
    CHECK(drawn <= world->filed_count && world->withdrawn_count == 0);
    world->withdrawn_count = drawn;
    world->withdrawn_us = world->now_us;
    world->plan.by_time = true; /* events have other indices from here on */
    world_seed(world, seed);
    net_reseed(world->stage.net, seed);
    for (uint32_t i = 1; i <= world->node_count; i++) {
        world_seed_node(world, &world->nodes[i], seed);
        strike_update_cut(world, &world->nodes[i]);
    }
    if (drawn > 0 && !world->healed) {
        draw_anew(world, seed);
    }
    world_settle(world);
}
