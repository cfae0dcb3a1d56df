/* A link is two ends and, from each, a line of segments under way to the other.
 *
 * What can happen to an end is never an event of its own in the world's queue. It lies in the end
 * (a time at which the link is up, room is back, or the end is given up) and in the line towards it
 * (segments with their times of arrival). One event at a time is scheduled for each end, for the
 * earliest of these; when it comes, the oldest of what is due is delivered. So the order of a
 * stream cannot break, however often the world puts the event of a busy node off.
 *
 * Links lie in a table and are named by slots, not pointers; each node has a list of its ends. */
#include "sim/net_inside.h"

#include <stdlib.h>
#include <string.h>

#include "core/check.h"
#include "core/err.h"

static bool deliver(struct net *net, struct link *link, unsigned side, uint64_t now_us,
                    struct net_delivery *out);
static void attend(struct net *net, struct link *link, unsigned side, uint64_t now_us);
static bool deliver_segment(struct net *net, struct link *link, unsigned side, uint64_t now_us,
                            struct event *event);
static bool deliver_down(struct net *net, struct link *link, unsigned side, uint64_t now_us,
                         struct event *event);

/* ---- life ------------------------------------------------------------------------------------ */

struct net *net_create(uint64_t seed, uint32_t node_count, const struct net_hooks *hooks,
                       const struct profile *(*profile_of)(void *ctx, uint32_t from, uint32_t to),
                       void *profile_ctx)
{
    CHECK(hooks != NULL && hooks->schedule != NULL && profile_of != NULL);
    CHECK(node_count < NET_ALL_PEERS - 1);
    struct net *net = calloc(1, sizeof *net);
    CHECK(net != NULL);
    net->seed = seed;
    net->node_count = node_count;
    net->hooks = *hooks;
    net->profile_of = profile_of;
    net->profile_ctx = profile_ctx;
    net->nodes = calloc((size_t)node_count + 1, sizeof *net->nodes);
    CHECK(net->nodes != NULL);
    for (uint32_t i = 0; i <= node_count; i++) {
        net->nodes[i] = (struct net_node){.first = NO_REF, .last = NO_REF};
    }
    map_init(&net->slots);
    map_init(&net->pair_indices);
    return net;
}

void net_reseed(struct net *net, uint64_t seed)
{
    const uint64_t key = random_key(seed, "net");
    net->seed = seed;
    for (uint32_t i = 0; i < net->pair_count; i++) {
        net->pairs[i].key = random_at(key, net->pairs[i].key);
    }
    for (uint32_t i = 0; i < net->slot_count; i++) {
        net->links[i].key = random_at(key, net->links[i].key);
    }
}

void net_free(struct net *net)
{
    if (net == NULL) {
        return;
    }
    for (uint32_t slot = 0; slot < net->slot_count; slot++) {
        net_drop_all(net, &net->links[slot].ends[0].out);
        net_drop_all(net, &net->links[slot].ends[1].out);
    }
    segment_pool_free(&net->pool);
    map_free(&net->slots);
    map_free(&net->pair_indices);
    free(net->conditions);
    free(net->pairs);
    free(net->unused);
    free(net->links);
    free(net->nodes);
    free(net);
}

const struct net_counts *net_counts(const struct net *net)
{
    return &net->counts;
}

uint32_t net_link_peer(const struct net *net, uint32_t node, uint32_t link_handle)
{
    const struct link *link = net_find(net, link_handle);
    const unsigned side = link == NULL ? NO_SIDE : net_side_of(link, node);
    return side == NO_SIDE ? 0 : link->ends[1 - side].node;
}

uint32_t net_link_count(const struct net *net)
{
    return net->link_count;
}

/* ---- the port's calls ------------------------------------------------------------------------ */

int net_open(struct net *net, uint64_t now_us, uint32_t node, uint32_t peer, uint32_t *link_handle)
{
    CHECK(node >= 1 && node <= net->node_count);
    *link_handle = 0;
    if (peer == 0 || peer > net->node_count || peer == node) {
        return ERR_NOT_FOUND;
    }
    if (net->nodes[node].live_count >= NET_LINKS_PER_NODE_MAX || net->handle == UINT32_MAX) {
        return ERR_FULL;
    }
    struct link *link = net_link_add(net, node, peer);
    struct end *end = &link->ends[0];
    net_end_set(net, end, END_OPENING);
    end->down_us = now_us + NET_OPEN_TIMEOUT_US;
    end->cause = CAUSE_TIMEOUT;
    net->counts.opens++;
    net_refresh(net, link, now_us);
    net_send_segment(net, link, 0, now_us, SEGMENT_OPEN, NULL, 0);
    net_schedule(net, link, 0, now_us);
    net_schedule(net, link, 1, now_us);
    *link_handle = link->handle;
    return ERR_OK;
}

int32_t net_send(struct net *net, uint64_t now_us, uint32_t node, uint32_t link_handle,
                 const uint8_t *bytes, uint32_t size_bytes)
{
    CHECK(bytes != NULL && size_bytes >= 1 && size_bytes <= INT32_MAX);
    struct link *link = net_find(net, link_handle);
    const unsigned side = link == NULL ? NO_SIDE : net_side_of(link, node);
    if (side == NO_SIDE) {
        return ERR_CLOSED;
    }
    struct end *end = &link->ends[side];
    if (end->state == END_OPENING) {
        end->wants_room = true;
        return 0;
    }
    if (end->state != END_OPEN || net_end_given_up(end, now_us)) {
        return ERR_CLOSED;
    }
    const uint32_t room_bytes = link->profile->queue_bytes - end->out.queued_bytes;
    uint32_t taken_bytes = size_bytes < room_bytes ? size_bytes : room_bytes;
    if (taken_bytes > 1 && link->profile->short_ppm > 0) {
        struct random_stream draws = net_draws_of(link, side, DRAW_SHORT);
        if (random_chance(&draws, link->profile->short_ppm)) {
            taken_bytes = (uint32_t)random_between(&draws, 1, taken_bytes - 1);
            net->counts.short_sends++;
        }
    }
    end->wants_room = end->wants_room || taken_bytes < size_bytes;
    for (uint32_t sent = 0; sent < taken_bytes;) {
        const uint32_t left = taken_bytes - sent;
        const uint32_t part = left < PROFILE_SEGMENT_BYTES ? left : PROFILE_SEGMENT_BYTES;
        net_send_segment(net, link, side, now_us, SEGMENT_DATA, bytes + sent, part);
        sent += part;
    }
    net->counts.bytes += taken_bytes;
    net_schedule(net, link, 0, now_us);
    net_schedule(net, link, 1, now_us);
    return (int32_t)taken_bytes;
}

void net_close(struct net *net, uint64_t now_us, uint32_t node, uint32_t link_handle)
{
    struct link *link = net_find(net, link_handle);
    const unsigned side = link == NULL ? NO_SIDE : net_side_of(link, node);
    if (side == NO_SIDE || !net_is_live(&link->ends[side])) {
        return;
    }
    struct end *end = &link->ends[side];
    if (end->state == END_FAILED || net_end_given_up(end, now_us)) {
        net_drop_unsent(net, link, side, now_us);
        net_end_set(net, end, END_GONE);
    } else {
        net_end_set(net, end, END_CLOSED);
        end->down_us = NEVER;
        net_send_segment(net, link, side, now_us, SEGMENT_CLOSE, NULL, 0);
    }
    net_schedule(net, link, 0, now_us);
    net_schedule(net, link, 1, now_us);
    net_link_settle(net, link);
}

/* ---- events ---------------------------------------------------------------------------------- */

bool net_event(struct net *net, uint64_t now_us, uint32_t link_handle, uint32_t what,
               struct net_delivery *out)
{
    struct link *link = net_find(net, link_handle);
    const unsigned side = what & 1u;
    if (link == NULL || link->ends[side].generation != what >> 1) {
        return false;
    }
    link->ends[side].scheduled_us = NEVER;
    *out = (struct net_delivery){
        .node = link->ends[side].node,
        .event = {.link = link_handle},
    };
    bool told = false;
    if (net_is_live(&link->ends[side])) {
        told = deliver(net, link, side, now_us, out);
    } else {
        attend(net, link, side, now_us);
    }
    net_schedule(net, link, 0, now_us);
    net_schedule(net, link, 1, now_us);
    net_link_settle(net, link);
    return told;
}

uint32_t net_event_node(const struct net *net, uint32_t link_handle, uint32_t what)
{
    const struct link *link = net_find(net, link_handle);
    if (link == NULL) {
        return 0;
    }
    const struct end *end = &link->ends[what & 1u];
    return end->generation == what >> 1 && net_is_live(end) ? end->node : 0;
}

/* The next thing that can happen to this end, now or later. */
static uint64_t next_us(const struct link *link, unsigned side)
{
    const struct end *end = &link->ends[side];
    uint64_t next = net_head_us(link, 1 - side);
    const uint64_t down_us = net_end_down_us(end);
    next = down_us < next ? down_us : next;
    if (net_is_live(end)) {
        next = end->up_us < next ? end->up_us : next;
        next = end->room_us < next ? end->room_us : next;
    }
    return next;
}

void net_schedule(struct net *net, struct link *link, unsigned side, uint64_t now_us)
{
    struct end *end = &link->ends[side];
    uint64_t at_us = next_us(link, side);
    if (at_us == NEVER || end->scheduled_us <= at_us) {
        return;
    }
    at_us = at_us < now_us ? now_us : at_us;
    if (end->scheduled_us <= at_us) {
        return;
    }
    end->generation = (end->generation + 1) & (UINT32_MAX >> 1);
    end->scheduled_us = at_us;
    net->hooks.schedule(net->hooks.ctx, at_us, link->handle, end->generation << 1 | side);
}

/* The oldest thing that is due goes to the role: up first, nothing behind its end. */
static bool deliver(struct net *net, struct link *link, unsigned side, uint64_t now_us,
                    struct net_delivery *out)
{
    struct end *end = &link->ends[side];
    const uint64_t arrive_us = net_head_us(link, 1 - side);
    const uint64_t down_us = net_end_down_us(end);
    if (end->up_us <= now_us) {
        end->up_us = NEVER;
        out->event.kind = EVENT_LINK_UP;
        out->event.inbound = true;
        return true;
    }
    if (arrive_us <= now_us && arrive_us <= down_us) {
        return deliver_segment(net, link, side, now_us, &out->event);
    }
    if (end->room_us <= now_us && end->room_us <= down_us) {
        end->room_us = NEVER;
        out->event.kind = EVENT_LINK_WRITABLE;
        return true;
    }
    if (down_us <= now_us) {
        const bool timeout = end->down_us > end->timeout_us || end->cause == CAUSE_TIMEOUT;
        net->counts.timeouts += timeout;
        net->counts.resets += !timeout;
        return deliver_down(net, link, side, now_us, &out->event);
    }
    return false;
}

static bool deliver_segment(struct net *net, struct link *link, unsigned side, uint64_t now_us,
                            struct event *event)
{
    struct end *end = &link->ends[side];
    struct stream *in = &link->ends[1 - side].out;
    const uint64_t down_us = net_end_down_us(end);
    const enum segment_kind kind = in->line.first->kind;
    if (kind == SEGMENT_CLOSE || kind == SEGMENT_RESET) {
        net_show(net, link, 1 - side,
                 (struct net_tap){.time_us = now_us, .arrived = true, .kind = kind});
        net->counts.resets += kind == SEGMENT_RESET && end->state != END_OPENING;
        return deliver_down(net, link, side, now_us, event);
    }
    if (kind == SEGMENT_ACCEPT) {
        net_show(net, link, 1 - side,
                 (struct net_tap){.time_us = now_us, .arrived = true, .kind = kind});
        net_drop_first(net, in);
        net_end_set(net, end, END_OPEN);
        end->down_us = NEVER;
        end->room_us = end->wants_room ? now_us : NEVER;
        end->wants_room = false;
        event->kind = EVENT_LINK_UP;
        return true;
    }
    CHECK(kind == SEGMENT_DATA);
    event->kind = EVENT_LINK_DATA;
    event->bytes = net->delivery;
    for (uint64_t at_us = net_head_us(link, 1 - side); at_us <= now_us && at_us <= down_us;
         at_us = net_head_us(link, 1 - side)) {
        const struct segment *segment = in->line.first;
        if (segment->kind != SEGMENT_DATA ||
            segment->size_bytes > NET_DELIVERY_BYTES_MAX - event->size_bytes) {
            break;
        }
        memcpy(net->delivery + event->size_bytes, segment->bytes, segment->size_bytes);
        event->size_bytes += segment->size_bytes;
        net_drop_first(net, in);
    }
    net_show(net, link, 1 - side,
             (struct net_tap){.time_us = now_us,
                              .arrived = true,
                              .kind = kind,
                              .bytes = event->bytes,
                              .size_bytes = event->size_bytes});
    net_offer_room(link, 1 - side, now_us);
    return true;
}

static bool deliver_down(struct net *net, struct link *link, unsigned side, uint64_t now_us,
                         struct event *event)
{
    net_drop_unsent(net, link, side, now_us);
    net_end_set(net, &link->ends[side], END_GONE);
    event->kind = EVENT_LINK_DOWN;
    return true;
}

/* An end without a role behind it: the host alone answers, at once. */
static void attend(struct net *net, struct link *link, unsigned side, uint64_t now_us)
{
    struct end *end = &link->ends[side];
    struct stream *in = &link->ends[1 - side].out;
    if (net_end_down_us(end) <= now_us) {
        net_drop_unsent(net, link, side, now_us);
        net_end_set(net, end, END_GONE);
    }
    if (end->state == END_AWAITED && net_head_us(link, 1 - side) <= now_us) {
        net_drop_first(net, in);
        if (net->nodes[end->node].live_count < NET_LINKS_PER_NODE_MAX) {
            net_end_set(net, end, END_OPEN);
            end->up_us = now_us;
            net_send_segment(net, link, side, now_us, SEGMENT_ACCEPT, NULL, 0);
        } else {
            net->counts.refusals++;
            net_send_reset(net, link, side, now_us);
        }
        return;
    }
    bool answered = false;
    while (net_head_us(link, 1 - side) <= now_us) {
        answered = answered || in->line.first->kind != SEGMENT_RESET;
        net_drop_first(net, in);
    }
    if (answered) {
        net_send_reset(net, link, side, now_us);
    }
}
