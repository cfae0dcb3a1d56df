/* Links, their ends, and the list of ends that each node has. */
#include "sim/net_inside.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/check.h"

static void list_add(struct net *net, uint32_t ref);
static void list_remove(struct net *net, uint32_t ref);

/* ---- ends ------------------------------------------------------------------------------------ */

bool net_is_live(const struct end *end)
{
    return end->state == END_OPENING || end->state == END_OPEN || end->state == END_FAILED;
}

void net_end_set(struct net *net, struct end *end, enum end_state state)
{
    const bool was_live = net_is_live(end);
    end->state = state;
    const bool now_live = net_is_live(end);
    struct net_node *node = &net->nodes[end->node];
    node->live_count += now_live && !was_live;
    node->live_count -= was_live && !now_live;
    if (was_live && !now_live) {
        end->scheduled_us = NEVER; /* what is scheduled may wait for a role that does not count */
    }
    if (!now_live) {
        end->up_us = NEVER;
        end->room_us = NEVER;
        end->wants_room = false;
    }
    if (state == END_GONE) {
        end->down_us = NEVER;
        end->timeout_us = NEVER;
    }
}

void net_end_fail(struct net *net, struct end *end, uint64_t at_us, enum cause cause)
{
    if (net_is_live(end)) {
        net_end_set(net, end, END_FAILED);
        end->down_us = at_us;
        end->cause = cause;
        end->timeout_us = NEVER;
        end->room_us = NEVER;
    }
}

uint64_t net_end_down_us(const struct end *end)
{
    return end->timeout_us < end->down_us ? end->timeout_us : end->down_us;
}

bool net_end_given_up(const struct end *end, uint64_t now_us)
{
    return net_end_down_us(end) <= now_us;
}

/* ---- tables ---------------------------------------------------------------------------------- */

struct link *net_find(const struct net *net, uint32_t handle)
{
    const uint32_t slot = map_find(&net->slots, handle);
    return slot == MAP_NONE ? NULL : &net->links[slot];
}

unsigned net_side_of(const struct link *link, uint32_t node)
{
    if (link->ends[0].node == node) {
        return 0;
    }
    return link->ends[1].node == node ? 1 : NO_SIDE;
}

static uint32_t slot_take(struct net *net)
{
    if (net->unused_count > 0) {
        return net->unused[--net->unused_count];
    }
    if (net->slot_count == net->slot_capacity) {
        const uint32_t capacity = net->slot_capacity == 0 ? 64 : net->slot_capacity * 2;
        CHECK(capacity < NO_REF / 2);
        net->links = realloc(net->links, capacity * sizeof *net->links);
        net->unused = realloc(net->unused, capacity * sizeof *net->unused);
        CHECK(net->links != NULL && net->unused != NULL);
        net->slot_capacity = capacity;
    }
    return net->slot_count++;
}

/* The key of the next link of a pair: no other pair's links have a part in it. */
static struct pair *pair_of(struct net *net, uint32_t from, uint32_t to)
{
    const uint64_t name = (uint64_t)from << 32 | to;
    const uint32_t index = map_find(&net->pair_indices, name);
    if (index != MAP_NONE) {
        return &net->pairs[index];
    }
    if (net->pair_count == net->pair_capacity) {
        net->pair_capacity = net->pair_capacity == 0 ? 64 : net->pair_capacity * 2;
        net->pairs = realloc(net->pairs, net->pair_capacity * sizeof *net->pairs);
        CHECK(net->pairs != NULL);
    }
    char text[32];
    snprintf(text, sizeof text, "net/%" PRIu32 "-%" PRIu32, from, to);
    map_put(&net->pair_indices, name, net->pair_count);
    struct pair *pair = &net->pairs[net->pair_count++];
    *pair = (struct pair){.key = random_key(net->seed, text)};
    return pair;
}

struct link *net_link_add(struct net *net, uint32_t from, uint32_t to)
{
    const uint32_t slot = slot_take(net);
    struct link *link = &net->links[slot];
    struct pair *pair = pair_of(net, from, to);
    const struct profile *profile = net->profile_of(net->profile_ctx, from, to);
    CHECK(profile != NULL && profile->queue_bytes >= 1);
    CHECK(profile->delay_min_us <= profile->delay_typical_us);
    CHECK(profile->delay_typical_us <= profile->delay_max_us);
    memset(link, 0, sizeof *link);
    link->handle = ++net->handle;
    link->key = random_at(pair->key, pair->opened++);
    link->profile = profile;
    if (profile->up.count > 0) {
        link->offset_ms = (uint32_t)(random_at(~pair->key, 0) % profile->up.period_ms);
    }
    for (unsigned side = 0; side < 2; side++) {
        struct end *end = &link->ends[side];
        end->node = side == 0 ? from : to;
        end->scheduled_us = end->up_us = end->room_us = end->down_us = end->timeout_us = NEVER;
        end->out.held_us = NEVER;
        list_add(net, slot << 1 | side);
    }
    map_put(&net->slots, link->handle, slot);
    net->link_count++;
    return link;
}

void net_link_settle(struct net *net, struct link *link)
{
    if (net_is_live(&link->ends[0]) || net_is_live(&link->ends[1])) {
        return;
    }
    const uint32_t slot = (uint32_t)(link - net->links);
    for (unsigned side = 0; side < 2; side++) {
        net_drop_all(net, &link->ends[side].out);
        list_remove(net, slot << 1 | side);
    }
    map_remove(&net->slots, link->handle);
    net->unused[net->unused_count++] = slot;
    net->link_count--;
}

struct link *net_link_of(const struct net *net, uint32_t ref)
{
    return &net->links[ref >> 1];
}

static struct end *end_of(const struct net *net, uint32_t ref)
{
    return &net->links[ref >> 1].ends[ref & 1u];
}

bool net_is_peer(const struct net *net, uint32_t ref, uint32_t other)
{
    return other == NET_ALL_PEERS || end_of(net, ref ^ 1u)->node == other;
}

static void list_add(struct net *net, uint32_t ref)
{
    struct end *end = end_of(net, ref);
    struct net_node *node = &net->nodes[end->node];
    end->previous = node->last;
    end->next = NO_REF;
    if (node->last == NO_REF) {
        node->first = ref;
    } else {
        end_of(net, node->last)->next = ref;
    }
    node->last = ref;
}

static void list_remove(struct net *net, uint32_t ref)
{
    const struct end *end = end_of(net, ref);
    struct net_node *node = &net->nodes[end->node];
    if (end->previous == NO_REF) {
        node->first = end->next;
    } else {
        end_of(net, end->previous)->next = end->next;
    }
    if (end->next == NO_REF) {
        node->last = end->previous;
    } else {
        end_of(net, end->next)->previous = end->previous;
    }
}
