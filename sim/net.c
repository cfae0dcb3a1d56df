/* A link is two ends and, from each, a line of segments under way to the other.
 *
 * What can happen to an end is never an event of its own in the world's queue. It lies in the end
 * (a time at which the link is up, room is back, or the end is given up) and in the line towards it
 * (segments with their times of arrival). One event at a time is scheduled for each end, for the
 * earliest of these; when it comes, the oldest of what is due is delivered. So the order of a
 * stream cannot break, however often the world puts the event of a busy node off.
 *
 * Links lie in a table and are named by slots, not pointers; each node has a list of its ends. */
#include "sim/net.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/check.h"
#include "core/err.h"
#include "sim/map.h"
#include "sim/random.h"
#include "sim/segment.h"

enum {
    MILLION = 1000000,
    HEADER_BYTES = 40,      /* IPv4 and TCP, of each segment */
    RETRANSMITS_MAX = 16,   /* of a segment; NET_TIMEOUT_US usually ends it before */
    LONG_DELAY_ONE_IN = 64, /* segments that meet a spike of delay */
    NO_SIDE = 2,
};

#define NEVER  UINT64_MAX
#define NO_REF UINT32_MAX

enum end_state {
    END_AWAITED, /* the accepting end before the opening arrives: nothing yet */
    END_OPENING,
    END_OPEN,
    END_FAILED, /* dead, and the role is to be told at down_us */
    END_CLOSED, /* closed by its role; what it sent is still looked after */
    END_GONE,   /* nothing remembers it: bytes that arrive are answered by a reset */
};

enum cause { CAUSE_RESET, CAUSE_TIMEOUT };

/* Purposes of draws: each has its own numbers in the link's key. */
enum purpose { DRAW_SEGMENT, DRAW_RELEASE, DRAW_ROOM, DRAW_HALF_OPEN, DRAW_SHORT, DRAW_PURPOSES };
#define DRAW_INTERLEAVED                                                                           \
    DRAW_SHORT /* those before it share one sequence, the rest have their own */

/* What an end sends. */
struct stream {
    struct segment_line line;
    uint32_t queued_bytes; /* taken from the sender, not yet by the receiver */
    uint64_t free_us;      /* the bandwidth is taken until then */
    uint64_t arrive_us;    /* of the newest segment */
    uint64_t ordinals[DRAW_PURPOSES];
    uint64_t held_us; /* since when nothing arrives; NEVER: it flows */
    uint64_t extra_us;
    uint32_t share_ppm;
    bool blocked;  /* by a condition that loses packets: stands for a silent peer */
    bool stalled;  /* by one that only makes them wait */
    bool doubtful; /* something was sent whose acknowledgement cannot come back */
};

struct end {
    uint32_t node;
    enum end_state state;
    uint32_t previous, next; /* in the node's list: references of ends */
    uint32_t generation;     /* of the event scheduled for it; older ones are stale */
    uint64_t scheduled_us;   /* NEVER: none */
    uint64_t up_us;          /* accepting end: the role is to be told */
    uint64_t room_us;        /* the role is to be told of room to write */
    uint64_t down_us;        /* it ends there, whatever comes */
    uint64_t timeout_us;     /* it ends there unless the peer is heard of before */
    enum cause cause;        /* of down_us */
    bool wants_room;         /* the role was told "later" */
    struct stream out;
};

struct link {
    uint32_t handle;
    uint32_t offset_ms; /* of this pair in the profile's traces */
    uint64_t key;
    const struct profile *profile;
    struct end ends[2]; /* the opener's, the other's */
};

struct net_node {
    uint32_t first, last; /* ends, oldest first */
    uint32_t live_count;
    bool up;
};

struct pair {
    uint64_t key;
    uint64_t opened; /* links so far */
};

struct condition {
    uint32_t id, node, other;
    enum net_condition what;
    uint64_t amount;
};

struct net {
    uint64_t seed;
    uint32_t node_count;
    struct net_hooks hooks;
    const struct profile *(*profile_of)(void *ctx, uint32_t from, uint32_t to);
    void *profile_ctx;
    struct net_node *nodes; /* [node_count + 1] */
    struct link *links;
    uint32_t *unused; /* slots */
    uint32_t link_count, unused_count, slot_count, slot_capacity;
    uint32_t handle;  /* the last one given */
    struct map slots; /* by handle */
    struct pair *pairs;
    uint32_t pair_count, pair_capacity;
    struct map pair_indices; /* by from << 32 | to */
    struct condition *conditions;
    uint32_t condition_count, condition_capacity;
    struct segment_pool pool;
    struct net_counts counts;
    uint8_t delivery[NET_DELIVERY_BYTES_MAX];
};

static struct link *find(const struct net *net, uint32_t handle);
static unsigned side_of(const struct link *link, uint32_t node);
static bool is_live(const struct end *end);
static struct link *link_add(struct net *net, uint32_t from, uint32_t to);
static void link_remove_if_dead(struct net *net, struct link *link);
static void list_add(struct net *net, uint32_t ref);
static void list_remove(struct net *net, uint32_t ref);
static struct link *link_of(const struct net *net, uint32_t ref);
static void end_set(struct net *net, struct end *end, enum end_state state);
static void end_fail(struct net *net, struct end *end, uint64_t at_us, enum cause cause);
static uint64_t end_down_us(const struct end *end);
static bool end_given_up(const struct end *end, uint64_t now_us);

static void send_segment(struct net *net, struct link *link, unsigned side, uint64_t now_us,
                         enum segment_kind kind, const uint8_t *bytes, uint32_t size_bytes);
static void send_reset(struct net *net, struct link *link, unsigned side, uint64_t now_us);
static void drop_unsent(struct net *net, struct link *link, unsigned side, uint64_t now_us);
static void drop_all(struct net *net, struct stream *stream);
static void drop_first(struct net *net, struct stream *stream);
static uint64_t head_us(const struct link *link, unsigned side);
static void offer_room(struct link *link, unsigned side, uint64_t now_us);
static uint64_t draw_delay(const struct profile *profile, struct random_stream *draws);
static struct random_stream draws_of(struct link *link, unsigned side, enum purpose purpose);

static void schedule(struct net *net, struct link *link, unsigned side, uint64_t now_us);
static bool deliver(struct net *net, struct link *link, unsigned side, uint64_t now_us,
                    struct net_delivery *out);
static void attend(struct net *net, struct link *link, unsigned side, uint64_t now_us);
static bool deliver_segment(struct net *net, struct link *link, unsigned side, uint64_t now_us,
                            struct event *event);
static bool deliver_down(struct net *net, struct link *link, unsigned side, uint64_t now_us,
                         struct event *event);

static void refresh(struct net *net, struct link *link, uint64_t now_us);
static void refresh_node(struct net *net, uint32_t node, uint32_t other, uint64_t now_us);
static void condition_remove(struct net *net, uint32_t index);
static void watch(struct net *net, struct link *link, unsigned side, uint64_t now_us);
static void show(const struct net *net, const struct link *link, unsigned side, struct net_tap tap);
static bool is_peer(const struct net *net, uint32_t ref, uint32_t other);

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
        drop_all(net, &net->links[slot].ends[0].out);
        drop_all(net, &net->links[slot].ends[1].out);
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
    const struct link *link = find(net, link_handle);
    const unsigned side = link == NULL ? NO_SIDE : side_of(link, node);
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
    struct link *link = link_add(net, node, peer);
    struct end *end = &link->ends[0];
    end_set(net, end, END_OPENING);
    end->down_us = now_us + NET_OPEN_TIMEOUT_US;
    end->cause = CAUSE_TIMEOUT;
    net->counts.opens++;
    refresh(net, link, now_us);
    send_segment(net, link, 0, now_us, SEGMENT_OPEN, NULL, 0);
    schedule(net, link, 0, now_us);
    schedule(net, link, 1, now_us);
    *link_handle = link->handle;
    return ERR_OK;
}

int32_t net_send(struct net *net, uint64_t now_us, uint32_t node, uint32_t link_handle,
                 const uint8_t *bytes, uint32_t size_bytes)
{
    CHECK(bytes != NULL && size_bytes >= 1 && size_bytes <= INT32_MAX);
    struct link *link = find(net, link_handle);
    const unsigned side = link == NULL ? NO_SIDE : side_of(link, node);
    if (side == NO_SIDE) {
        return ERR_CLOSED;
    }
    struct end *end = &link->ends[side];
    if (end->state == END_OPENING) {
        end->wants_room = true;
        return 0;
    }
    if (end->state != END_OPEN || end_given_up(end, now_us)) {
        return ERR_CLOSED;
    }
    const uint32_t room_bytes = link->profile->queue_bytes - end->out.queued_bytes;
    uint32_t taken_bytes = size_bytes < room_bytes ? size_bytes : room_bytes;
    if (taken_bytes > 1 && link->profile->short_ppm > 0) {
        struct random_stream draws = draws_of(link, side, DRAW_SHORT);
        if (random_chance(&draws, link->profile->short_ppm)) {
            taken_bytes = (uint32_t)random_between(&draws, 1, taken_bytes - 1);
            net->counts.short_sends++;
        }
    }
    end->wants_room = end->wants_room || taken_bytes < size_bytes;
    for (uint32_t sent = 0; sent < taken_bytes;) {
        const uint32_t left = taken_bytes - sent;
        const uint32_t part = left < PROFILE_SEGMENT_BYTES ? left : PROFILE_SEGMENT_BYTES;
        send_segment(net, link, side, now_us, SEGMENT_DATA, bytes + sent, part);
        sent += part;
    }
    net->counts.bytes += taken_bytes;
    schedule(net, link, 0, now_us);
    schedule(net, link, 1, now_us);
    return (int32_t)taken_bytes;
}

void net_close(struct net *net, uint64_t now_us, uint32_t node, uint32_t link_handle)
{
    struct link *link = find(net, link_handle);
    const unsigned side = link == NULL ? NO_SIDE : side_of(link, node);
    if (side == NO_SIDE || !is_live(&link->ends[side])) {
        return;
    }
    struct end *end = &link->ends[side];
    if (end->state == END_FAILED || end_given_up(end, now_us)) {
        drop_unsent(net, link, side, now_us);
        end_set(net, end, END_GONE);
    } else {
        end_set(net, end, END_CLOSED);
        end->down_us = NEVER;
        send_segment(net, link, side, now_us, SEGMENT_CLOSE, NULL, 0);
    }
    schedule(net, link, 0, now_us);
    schedule(net, link, 1, now_us);
    link_remove_if_dead(net, link);
}

/* ---- events ---------------------------------------------------------------------------------- */

bool net_event(struct net *net, uint64_t now_us, uint32_t link_handle, uint32_t what,
               struct net_delivery *out)
{
    struct link *link = find(net, link_handle);
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
    if (is_live(&link->ends[side])) {
        told = deliver(net, link, side, now_us, out);
    } else {
        attend(net, link, side, now_us);
    }
    schedule(net, link, 0, now_us);
    schedule(net, link, 1, now_us);
    link_remove_if_dead(net, link);
    return told;
}

uint32_t net_event_node(const struct net *net, uint32_t link_handle, uint32_t what)
{
    const struct link *link = find(net, link_handle);
    if (link == NULL) {
        return 0;
    }
    const struct end *end = &link->ends[what & 1u];
    return end->generation == what >> 1 && is_live(end) ? end->node : 0;
}

/* The next thing that can happen to this end, now or later. */
static uint64_t next_us(const struct link *link, unsigned side)
{
    const struct end *end = &link->ends[side];
    uint64_t next = head_us(link, 1 - side);
    const uint64_t down_us = end_down_us(end);
    next = down_us < next ? down_us : next;
    if (is_live(end)) {
        next = end->up_us < next ? end->up_us : next;
        next = end->room_us < next ? end->room_us : next;
    }
    return next;
}

/* See that an event comes when the next thing is due. One that comes too early does no harm. */
static void schedule(struct net *net, struct link *link, unsigned side, uint64_t now_us)
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
    const uint64_t arrive_us = head_us(link, 1 - side);
    const uint64_t down_us = end_down_us(end);
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
    const uint64_t down_us = end_down_us(end);
    const enum segment_kind kind = in->line.first->kind;
    if (kind == SEGMENT_CLOSE || kind == SEGMENT_RESET) {
        show(net, link, 1 - side,
             (struct net_tap){.time_us = now_us, .arrived = true, .kind = kind});
        net->counts.resets += kind == SEGMENT_RESET && end->state != END_OPENING;
        return deliver_down(net, link, side, now_us, event);
    }
    if (kind == SEGMENT_ACCEPT) {
        show(net, link, 1 - side,
             (struct net_tap){.time_us = now_us, .arrived = true, .kind = kind});
        drop_first(net, in);
        end_set(net, end, END_OPEN);
        end->down_us = NEVER;
        end->room_us = end->wants_room ? now_us : NEVER;
        end->wants_room = false;
        event->kind = EVENT_LINK_UP;
        return true;
    }
    CHECK(kind == SEGMENT_DATA);
    event->kind = EVENT_LINK_DATA;
    event->bytes = net->delivery;
    for (uint64_t at_us = head_us(link, 1 - side); at_us <= now_us && at_us <= down_us;
         at_us = head_us(link, 1 - side)) {
        const struct segment *segment = in->line.first;
        if (segment->kind != SEGMENT_DATA ||
            segment->size_bytes > NET_DELIVERY_BYTES_MAX - event->size_bytes) {
            break;
        }
        memcpy(net->delivery + event->size_bytes, segment->bytes, segment->size_bytes);
        event->size_bytes += segment->size_bytes;
        drop_first(net, in);
    }
    show(net, link, 1 - side,
         (struct net_tap){.time_us = now_us,
                          .arrived = true,
                          .kind = kind,
                          .bytes = event->bytes,
                          .size_bytes = event->size_bytes});
    offer_room(link, 1 - side, now_us);
    return true;
}

static bool deliver_down(struct net *net, struct link *link, unsigned side, uint64_t now_us,
                         struct event *event)
{
    drop_unsent(net, link, side, now_us);
    end_set(net, &link->ends[side], END_GONE);
    event->kind = EVENT_LINK_DOWN;
    return true;
}

/* An end without a role behind it: the host alone answers, at once. */
static void attend(struct net *net, struct link *link, unsigned side, uint64_t now_us)
{
    struct end *end = &link->ends[side];
    struct stream *in = &link->ends[1 - side].out;
    if (end_down_us(end) <= now_us) {
        drop_unsent(net, link, side, now_us);
        end_set(net, end, END_GONE);
    }
    if (end->state == END_AWAITED && head_us(link, 1 - side) <= now_us) {
        drop_first(net, in);
        if (net->nodes[end->node].live_count < NET_LINKS_PER_NODE_MAX) {
            end_set(net, end, END_OPEN);
            end->up_us = now_us;
            send_segment(net, link, side, now_us, SEGMENT_ACCEPT, NULL, 0);
        } else {
            net->counts.refusals++;
            send_reset(net, link, side, now_us);
        }
        return;
    }
    bool answered = false;
    while (head_us(link, 1 - side) <= now_us) {
        answered = answered || in->line.first->kind != SEGMENT_RESET;
        drop_first(net, in);
    }
    if (answered) {
        send_reset(net, link, side, now_us);
    }
}

/* ---- nodes and effects ----------------------------------------------------------------------- */

void net_node_down(struct net *net, uint64_t now_us, uint32_t node)
{
    CHECK(node >= 1 && node <= net->node_count);
    net->nodes[node].up = false;
    for (uint32_t ref = net->nodes[node].first, next; ref != NO_REF; ref = next) {
        struct link *link = link_of(net, ref);
        const unsigned side = ref & 1u;
        struct end *end = &link->ends[side];
        next = end->next;
        while (head_us(link, 1 - side) <= now_us) {
            drop_first(net, &link->ends[1 - side].out); /* it was in the node's RAM */
        }
        offer_room(link, 1 - side, now_us);
        drop_unsent(net, link, side, now_us);
        if (end->state != END_AWAITED) {
            end_set(net, end, END_GONE);
        }
        refresh(net, link, now_us);
        link_remove_if_dead(net, link);
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
        struct link *link = link_of(net, ref);
        next = link->ends[ref & 1u].next;
        if (!is_peer(net, ref, other)) {
            continue;
        }
        for (unsigned side = 0; side < 2; side++) {
            drop_all(net, &link->ends[side].out);
            end_fail(net, &link->ends[side], now_us, CAUSE_RESET);
        }
        schedule(net, link, 0, now_us);
        schedule(net, link, 1, now_us);
    }
}

void net_half_open(struct net *net, uint64_t now_us, uint32_t node, uint32_t other)
{
    CHECK(node >= 1 && node <= net->node_count);
    for (uint32_t ref = net->nodes[node].first, next; ref != NO_REF; ref = next) {
        struct link *link = link_of(net, ref);
        next = link->ends[ref & 1u].next;
        if (!is_peer(net, ref, other) || link->ends[0].state != END_OPEN ||
            link->ends[1].state != END_OPEN) {
            continue;
        }
        struct random_stream draws = draws_of(link, 0, DRAW_HALF_OPEN);
        const unsigned side = (unsigned)random_below(&draws, 2);
        drop_unsent(net, link, side, now_us);
        end_fail(net, &link->ends[side], now_us, CAUSE_RESET);
        schedule(net, link, side, now_us);
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

/* Nothing arrives at a host that is off: to the sender that is a block as well. */
static bool is_silent(const struct net *net, const struct link *link, unsigned side)
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
    struct random_stream draws = draws_of(link, side, DRAW_RELEASE);
    const uint64_t arrive_us = now_us + draw_delay(link->profile, &draws) + stream->extra_us;
    for (struct segment *at = stream->line.first; at != NULL; at = at->next) {
        if (at->arrive_us > stream->held_us && at->arrive_us < arrive_us) {
            at->arrive_us = arrive_us; /* what is lost for good stays so */
        }
    }
    if (has_unarrived(stream, stream->held_us)) {
        stream->arrive_us = stream->line.last->arrive_us;
    }
    stream->held_us = NEVER;
    offer_room(link, 1 - side, now_us);
}

/* Something has changed around a link: work out anew what holds for its streams. */
static void refresh(struct net *net, struct link *link, uint64_t now_us)
{
    for (unsigned side = 0; side < 2; side++) {
        struct end *end = &link->ends[side];
        if (end->state == END_OPEN && end_given_up(end, now_us)) {
            drop_unsent(net, link, side, now_us); /* before it could flow again */
            end_fail(net, end, end_down_us(end), CAUSE_TIMEOUT);
        }
    }
    for (unsigned side = 0; side < 2; side++) {
        struct stream *stream = &link->ends[side].out;
        apply_conditions(net, stream, link->ends[side].node, link->ends[1 - side].node);
        const bool hold = is_silent(net, link, side) || stream->stalled;
        if (hold && stream->held_us == NEVER) {
            stream->held_us = now_us;
        } else if (!hold && stream->held_us != NEVER) {
            release(link, side, now_us);
        }
        if (link->ends[side].state == END_GONE && hold) {
            drop_unsent(net, link, side, now_us); /* nobody would send it again */
        }
    }
    for (unsigned side = 0; side < 2; side++) {
        struct stream *stream = &link->ends[side].out;
        const bool deaf = link->ends[1 - side].out.blocked;
        stream->doubtful = deaf && (stream->doubtful || has_unarrived(stream, now_us));
        watch(net, link, side, now_us);
    }
    schedule(net, link, 0, now_us);
    schedule(net, link, 1, now_us);
}

static void refresh_node(struct net *net, uint32_t node, uint32_t other, uint64_t now_us)
{
    for (uint32_t ref = net->nodes[node].first, next; ref != NO_REF; ref = next) {
        struct link *link = link_of(net, ref);
        next = link->ends[ref & 1u].next;
        if (is_peer(net, ref, other)) {
            refresh(net, link, now_us);
        }
    }
}

/* The sender's patience: it runs while something that it sent cannot be acknowledged. */
static void watch(struct net *net, struct link *link, unsigned side, uint64_t now_us)
{
    struct end *end = &link->ends[side];
    const struct stream *stream = &end->out;
    const bool waits =
        stream->doubtful || (is_silent(net, link, side) && has_unarrived(stream, stream->held_us));
    const bool counts =
        end->state == END_OPENING || end->state == END_OPEN || end->state == END_CLOSED;
    if (!counts || !waits) {
        end->timeout_us = NEVER;
    } else if (end->timeout_us == NEVER) {
        end->timeout_us = now_us + NET_TIMEOUT_US;
    }
}

/* ---- streams --------------------------------------------------------------------------------- */

/* Times of a segment: it leaves when the bandwidth is free, each loss costs a retransmission
 * time-out (twice as long each time), and it arrives a delay later, never before its forerunner.
 * Returns false if it is lost until the sender gives up. */
static bool transmit(struct net *net, struct link *link, unsigned side, uint64_t now_us,
                     struct random_stream *draws, struct segment *segment)
{
    const struct profile *profile = link->profile;
    struct stream *stream = &link->ends[side].out;
    uint64_t lost_us = 0, wait_us = profile->retransmit_us;
    uint32_t losses = 0;
    /* A reset that is lost is brought about again by what its receiver sends again. */
    while (segment->kind != SEGMENT_RESET && losses < RETRANSMITS_MAX && lost_us < NET_TIMEOUT_US &&
           random_chance(draws, profile->loss_ppm)) {
        lost_us += wait_us;
        wait_us = wait_us * 2 < NET_TIMEOUT_US ? wait_us * 2 : NET_TIMEOUT_US;
        losses++;
        net->counts.retransmits++;
    }
    stream->free_us =
        profile_depart_us(profile, side == 0, stream->free_us, now_us,
                          segment->size_bytes + HEADER_BYTES, link->offset_ms, stream->share_ppm);
    segment->depart_us = stream->free_us + lost_us;
    segment->arrive_us = segment->depart_us + draw_delay(profile, draws) + stream->extra_us;
    if (segment->arrive_us <= now_us) {
        segment->arrive_us = now_us + 1;
    }
    if (losses == RETRANSMITS_MAX || lost_us >= NET_TIMEOUT_US || stream->arrive_us == NEVER) {
        segment->depart_us = NEVER;
        segment->arrive_us = NEVER;
    } else if (segment->arrive_us < stream->arrive_us) {
        segment->arrive_us = stream->arrive_us;
    }
    stream->arrive_us = segment->arrive_us;
    net->counts.segments++;
    return segment->arrive_us != NEVER;
}

static void send_segment(struct net *net, struct link *link, unsigned side, uint64_t now_us,
                         enum segment_kind kind, const uint8_t *bytes, uint32_t size_bytes)
{
    struct end *end = &link->ends[side];
    struct stream *stream = &end->out;
    struct random_stream draws = draws_of(link, side, DRAW_SEGMENT);
    show(net, link, side,
         (struct net_tap){
             .time_us = now_us, .kind = kind, .bytes = bytes, .size_bytes = size_bytes});
    const bool cut = size_bytes > 1 && random_chance(&draws, link->profile->cut_ppm);
    const uint32_t first_bytes =
        cut ? (uint32_t)random_between(&draws, 1, size_bytes - 1) : size_bytes;
    struct segment *segment = segment_push(&net->pool, &stream->line, kind, bytes, first_bytes);
    if (!transmit(net, link, side, now_us, &draws, segment) &&
        now_us + NET_TIMEOUT_US < end->down_us) {
        end->down_us = now_us + NET_TIMEOUT_US;
        end->cause = CAUSE_TIMEOUT;
    }
    if (cut) {
        struct segment *rest = segment_push(&net->pool, &stream->line, kind, bytes + first_bytes,
                                            size_bytes - first_bytes);
        const uint64_t gap_us = 1 + random_below(&draws, link->profile->delay_typical_us + 1);
        rest->depart_us = segment->depart_us;
        rest->arrive_us = segment->arrive_us == NEVER ? NEVER : segment->arrive_us + gap_us;
        stream->arrive_us = rest->arrive_us;
        net->counts.chunk_cuts++;
    }
    stream->queued_bytes += size_bytes;
    stream->doubtful = stream->doubtful || link->ends[1 - side].out.blocked;
    watch(net, link, side, now_us);
}

/* To whoever looks on: a segment of this side. */
static void show(const struct net *net, const struct link *link, unsigned side, struct net_tap tap)
{
    if (net->hooks.tap != NULL) {
        tap.link = link->handle;
        tap.from = link->ends[side].node;
        tap.to = link->ends[1 - side].node;
        tap.by_opener = side == 0;
        net->hooks.tap(net->hooks.ctx, &tap);
    }
}

/* Say that there is no such connection here. */
static void send_reset(struct net *net, struct link *link, unsigned side, uint64_t now_us)
{
    const struct stream *stream = &link->ends[side].out;
    drop_unsent(net, link, side, now_us);
    end_set(net, &link->ends[side], END_GONE);
    if (stream->line.last == NULL || stream->line.last->kind != SEGMENT_RESET) {
        send_segment(net, link, side, now_us, SEGMENT_RESET, NULL, 0);
    }
}

/* The sender remembers nothing: what has not left yet, or would have to be sent again because it
 * cannot get through, is lost, and with it all that follows. */
static void drop_unsent(struct net *net, struct link *link, unsigned side, uint64_t now_us)
{
    struct stream *stream = &link->ends[side].out;
    struct segment_line kept = {0};
    const bool silent = is_silent(net, link, side) && stream->held_us != NEVER;
    bool lost = false;
    while (stream->line.first != NULL) {
        const struct segment *first = stream->line.first;
        lost = lost || first->depart_us > now_us || (silent && first->arrive_us > stream->held_us);
        if (!lost || first->kind == SEGMENT_RESET) {
            segment_move(&stream->line, &kept);
        } else {
            drop_first(net, stream);
        }
    }
    stream->line = kept;
    stream->arrive_us = kept.last == NULL ? 0 : kept.last->arrive_us;
}

static void drop_all(struct net *net, struct stream *stream)
{
    while (stream->line.first != NULL) {
        drop_first(net, stream);
    }
    stream->arrive_us = 0;
}

static void drop_first(struct net *net, struct stream *stream)
{
    CHECK(stream->line.first->size_bytes <= stream->queued_bytes);
    stream->queued_bytes -= stream->line.first->size_bytes;
    segment_pop(&net->pool, &stream->line);
}

/* When the first segment of this side arrives; NEVER while there is none, or it is held. */
static uint64_t head_us(const struct link *link, unsigned side)
{
    const struct stream *stream = &link->ends[side].out;
    const struct segment *first = stream->line.first;
    if (first == NULL || (stream->held_us != NEVER && first->arrive_us > stream->held_us)) {
        return NEVER;
    }
    return first->arrive_us;
}

/* Tell a sender that was told "later" once half of its queue is free; an acknowledgement brings the
 * news, and needs its way. */
static void offer_room(struct link *link, unsigned side, uint64_t now_us)
{
    struct end *end = &link->ends[side];
    if (end->wants_room && end->state == END_OPEN &&
        end->out.queued_bytes <= link->profile->queue_bytes / 2 &&
        link->ends[1 - side].out.held_us == NEVER) {
        struct random_stream draws = draws_of(link, side, DRAW_ROOM);
        end->room_us = now_us + draw_delay(link->profile, &draws);
        end->wants_room = false;
    }
}

/* Around typical with a tail, and now and then a spike, up to max. */
static uint64_t draw_delay(const struct profile *profile, struct random_stream *draws)
{
    const uint64_t body_us = profile->delay_typical_us - profile->delay_min_us;
    uint64_t delay_us = profile->delay_min_us + random_exponential(draws, body_us);
    if (random_below(draws, LONG_DELAY_ONE_IN) == 0) {
        delay_us +=
            random_exponential(draws, (profile->delay_max_us - profile->delay_typical_us) / 4);
    }
    return delay_us < profile->delay_max_us ? delay_us : profile->delay_max_us;
}

/* A stream of its own for each segment, release and so on, so that a draw more in one of them moves
 * no other. */
static struct random_stream draws_of(struct link *link, unsigned side, enum purpose purpose)
{
    const uint64_t ordinal = link->ends[side].out.ordinals[purpose]++;
    if (purpose >= DRAW_INTERLEAVED) { /* one more moves none of the others */
        return (struct random_stream){
            .key = random_at(link->key + (uint64_t)purpose, ordinal * 2 + side)};
    }
    const uint64_t number = (ordinal * DRAW_INTERLEAVED + purpose) * 2 + side;
    return (struct random_stream){.key = random_at(link->key, number)};
}

/* ---- ends ------------------------------------------------------------------------------------ */

static bool is_live(const struct end *end)
{
    return end->state == END_OPENING || end->state == END_OPEN || end->state == END_FAILED;
}

static void end_set(struct net *net, struct end *end, enum end_state state)
{
    const bool was_live = is_live(end);
    end->state = state;
    const bool now_live = is_live(end);
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

/* The stack has dropped a live end; its role is still to be told. */
static void end_fail(struct net *net, struct end *end, uint64_t at_us, enum cause cause)
{
    if (is_live(end)) {
        end_set(net, end, END_FAILED);
        end->down_us = at_us;
        end->cause = cause;
        end->timeout_us = NEVER;
        end->room_us = NEVER;
    }
}

static uint64_t end_down_us(const struct end *end)
{
    return end->timeout_us < end->down_us ? end->timeout_us : end->down_us;
}

/* Its time is over, though a busy role has not been told yet. */
static bool end_given_up(const struct end *end, uint64_t now_us)
{
    return end_down_us(end) <= now_us;
}

/* ---- tables ---------------------------------------------------------------------------------- */

static struct link *find(const struct net *net, uint32_t handle)
{
    const uint32_t slot = map_find(&net->slots, handle);
    return slot == MAP_NONE ? NULL : &net->links[slot];
}

static unsigned side_of(const struct link *link, uint32_t node)
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

static struct link *link_add(struct net *net, uint32_t from, uint32_t to)
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

static void link_remove_if_dead(struct net *net, struct link *link)
{
    if (is_live(&link->ends[0]) || is_live(&link->ends[1])) {
        return;
    }
    const uint32_t slot = (uint32_t)(link - net->links);
    for (unsigned side = 0; side < 2; side++) {
        drop_all(net, &link->ends[side].out);
        list_remove(net, slot << 1 | side);
    }
    map_remove(&net->slots, link->handle);
    net->unused[net->unused_count++] = slot;
    net->link_count--;
}

static struct link *link_of(const struct net *net, uint32_t ref)
{
    return &net->links[ref >> 1];
}

static struct end *end_of(const struct net *net, uint32_t ref)
{
    return &net->links[ref >> 1].ends[ref & 1u];
}

static bool is_peer(const struct net *net, uint32_t ref, uint32_t other)
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
