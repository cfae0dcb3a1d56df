/* What befalls nodes and links: power, resets, partitions, stalls, delays. */
#include "sim/net_inside.h"

#include <stdlib.h>
#include <string.h>

#include "core/check.h"

enum { MILLION = 1000000 };

static void refresh_node(struct net *net, uint32_t node, uint32_t other, uint64_t now_us);
static void condition_remove(struct net *net, uint32_t index);

/* ---- nodes and effects ----------------------------------------------------------------------- */

void net_node_down(struct net *net, uint64_t now_us, uint32_t node)
{
    CHECK(node >= 1 && node <= net->node_count);
    net->nodes[node].up = false;
    for (uint32_t ref = net->nodes[node].first, next; ref != NO_REF; ref = next) {
        struct link *link = net_link_of(net, ref);
        const unsigned side = ref & 1u;
        struct end *end = &link->ends[side];
        next = end->next;
        while (net_head_us(link, 1 - side) <= now_us) {
            net_drop_first(net, &link->ends[1 - side].out); /* it was in the node's RAM */
        }
        net_offer_room(link, 1 - side, now_us);
        net_drop_unsent(net, link, side, now_us);
        if (end->state != END_AWAITED) {
            net_end_set(net, end, END_GONE);
        }
        net_refresh(net, link, now_us);
        net_link_settle(net, link);
    }
}

void net_node_up(struct net *net, uint64_t now_us, uint32_t node)
{
    CHECK(node >= 1 && node <= net->node_count);
    net->nodes[node].up = true;
    refresh_node(net, node, NET_ALL_PEERS, now_us);
}

void net_begin(struct net *net, uint64_t now_us, uint32_t id, enum net_condition condition,
               uint32_t node, uint32_t other, uint64_t amount)
{
    CHECK(node >= 1 && node <= net->node_count);
    CHECK(condition != NET_SLOW || (amount >= 1 && amount <= MILLION));
    net_end(net, now_us, id);
    if (net->condition_count == net->condition_capacity) {
        net->condition_capacity = net->condition_capacity == 0 ? 16 : net->condition_capacity * 2;
        net->conditions =
            realloc(net->conditions, net->condition_capacity * sizeof *net->conditions);
        CHECK(net->conditions != NULL);
    }
    net->conditions[net->condition_count++] = (struct condition){
        .id = id, .node = node, .other = other, .what = condition, .amount = amount};
    refresh_node(net, node, other, now_us);
}

void net_end(struct net *net, uint64_t now_us, uint32_t id)
{
    for (uint32_t i = 0; i < net->condition_count; i++) {
        if (net->conditions[i].id == id) {
            const struct condition ended = net->conditions[i];
            condition_remove(net, i);
            refresh_node(net, ended.node, ended.other, now_us);
            return;
        }
    }
}

void net_heal(struct net *net, uint64_t now_us)
{
    while (net->condition_count > 0) {
        net_end(net, now_us, net->conditions[0].id);
    }
}

void net_reset(struct net *net, uint64_t now_us, uint32_t node, uint32_t other)
{
    CHECK(node >= 1 && node <= net->node_count);
    for (uint32_t ref = net->nodes[node].first, next; ref != NO_REF; ref = next) {
        struct link *link = net_link_of(net, ref);
        next = link->ends[ref & 1u].next;
        if (!net_is_peer(net, ref, other)) {
            continue;
        }
        for (unsigned side = 0; side < 2; side++) {
            net_drop_all(net, &link->ends[side].out);
            net_end_fail(net, &link->ends[side], now_us, CAUSE_RESET);
        }
        net_schedule(net, link, 0, now_us);
        net_schedule(net, link, 1, now_us);
    }
}

void net_half_open(struct net *net, uint64_t now_us, uint32_t node, uint32_t other)
{
    CHECK(node >= 1 && node <= net->node_count);
    for (uint32_t ref = net->nodes[node].first, next; ref != NO_REF; ref = next) {
        struct link *link = net_link_of(net, ref);
        next = link->ends[ref & 1u].next;
        if (!net_is_peer(net, ref, other) || link->ends[0].state != END_OPEN ||
            link->ends[1].state != END_OPEN) {
            continue;
        }
        struct random_stream draws = net_draws_of(link, 0, DRAW_HALF_OPEN);
        const unsigned side = (unsigned)random_below(&draws, 2);
        net_drop_unsent(net, link, side, now_us);
        net_end_fail(net, &link->ends[side], now_us, CAUSE_RESET);
        net_schedule(net, link, side, now_us);
    }
}

/* ---- conditions ------------------------------------------------------------------------------ */

static bool concerns(const struct condition *condition, uint32_t from, uint32_t to)
{
    const bool any = condition->other == NET_ALL_PEERS;
    const bool out = condition->node == from && (any || condition->other == to);
    const bool in = condition->node == to && (any || condition->other == from);
    switch (condition->what) {
    case NET_BLOCK_IN:
        return in;
    case NET_BLOCK_OUT:
        return out;
    case NET_BLOCK_BOTH:
    case NET_STALL:
    case NET_DELAY:
    case NET_SLOW:
    default:
        return in || out;
    }
}

static void condition_remove(struct net *net, uint32_t index)
{
    net->condition_count--;
    memmove(&net->conditions[index], &net->conditions[index + 1],
            (net->condition_count - index) * sizeof *net->conditions);
}

/* What all conditions together do to one stream. */
static void apply_conditions(const struct net *net, struct stream *stream, uint32_t from,
                             uint32_t to)
{
    uint64_t share_ppm = MILLION;
    stream->blocked = false;
    stream->stalled = false;
    stream->extra_us = 0;
    for (uint32_t i = 0; i < net->condition_count; i++) {
        const struct condition *condition = &net->conditions[i];
        if (!concerns(condition, from, to)) {
            continue;
        }
        switch (condition->what) {
        case NET_STALL:
            stream->stalled = true;
            break;
        case NET_DELAY:
            stream->extra_us += condition->amount;
            break;
        case NET_SLOW:
            share_ppm = share_ppm * condition->amount / MILLION;
            break;
        case NET_BLOCK_BOTH:
        case NET_BLOCK_IN:
        case NET_BLOCK_OUT:
        default:
            stream->blocked = true;
            break;
        }
    }
    stream->share_ppm = share_ppm == 0 ? 1 : (uint32_t)share_ppm;
}

bool net_is_silent(const struct net *net, const struct link *link, unsigned side)
{
    return link->ends[side].out.blocked || !net->nodes[link->ends[1 - side].node].up;
}

static bool has_unarrived(const struct stream *stream, uint64_t since_us)
{
    return stream->line.last != NULL && stream->line.last->arrive_us > since_us;
}

/* It flows again: what waited arrives after one more delay, in its order. */
static void release(struct link *link, unsigned side, uint64_t now_us)
{
    struct stream *stream = &link->ends[side].out;
    struct random_stream draws = net_draws_of(link, side, DRAW_RELEASE);
    const uint64_t arrive_us = now_us + net_draw_delay(link->profile, &draws) + stream->extra_us;
    for (struct segment *at = stream->line.first; at != NULL; at = at->next) {
        if (at->arrive_us > stream->held_us && at->arrive_us < arrive_us) {
            at->arrive_us = arrive_us; /* what is lost for good stays so */
        }
    }
    if (has_unarrived(stream, stream->held_us)) {
        stream->arrive_us = stream->line.last->arrive_us;
    }
    stream->held_us = NEVER;
    net_offer_room(link, 1 - side, now_us);
}

void net_refresh(struct net *net, struct link *link, uint64_t now_us)
{
    for (unsigned side = 0; side < 2; side++) {
        struct end *end = &link->ends[side];
        if (end->state == END_OPEN && net_end_given_up(end, now_us)) {
            net_drop_unsent(net, link, side, now_us); /* before it could flow again */
            net_end_fail(net, end, net_end_down_us(end), CAUSE_TIMEOUT);
        }
    }
    for (unsigned side = 0; side < 2; side++) {
        struct stream *stream = &link->ends[side].out;
        apply_conditions(net, stream, link->ends[side].node, link->ends[1 - side].node);
        const bool hold = net_is_silent(net, link, side) || stream->stalled;
        if (hold && stream->held_us == NEVER) {
            stream->held_us = now_us;
        } else if (!hold && stream->held_us != NEVER) {
            release(link, side, now_us);
        }
        if (link->ends[side].state == END_GONE && hold) {
            net_drop_unsent(net, link, side, now_us); /* nobody would send it again */
        }
    }
    for (unsigned side = 0; side < 2; side++) {
        struct stream *stream = &link->ends[side].out;
        const bool deaf = link->ends[1 - side].out.blocked;
        stream->doubtful = deaf && (stream->doubtful || has_unarrived(stream, now_us));
        net_watch(net, link, side, now_us);
    }
    net_schedule(net, link, 0, now_us);
    net_schedule(net, link, 1, now_us);
}

static void refresh_node(struct net *net, uint32_t node, uint32_t other, uint64_t now_us)
{
    for (uint32_t ref = net->nodes[node].first, next; ref != NO_REF; ref = next) {
        struct link *link = net_link_of(net, ref);
        next = link->ends[ref & 1u].next;
        if (net_is_peer(net, ref, other)) {
            net_refresh(net, link, now_us);
        }
    }
}

void net_watch(struct net *net, struct link *link, unsigned side, uint64_t now_us)
{
    struct end *end = &link->ends[side];
    const struct stream *stream = &end->out;
    const bool waits = stream->doubtful ||
                       (net_is_silent(net, link, side) && has_unarrived(stream, stream->held_us));
    const bool counts =
        end->state == END_OPENING || end->state == END_OPEN || end->state == END_CLOSED;
    if (!counts || !waits) {
        end->timeout_us = NEVER;
    } else if (end->timeout_us == NEVER) {
        end->timeout_us = now_us + NET_TIMEOUT_US;
    }
}
