/* Inside the network: what its files share.
 *
 * net.c: the port's calls and what a node is told; net_conditions.c: what befalls nodes and links;
 * net_stream.c: segments on their way; net_table.c: links, their ends, the nodes' lists of them.
 */
#ifndef BROWNOUT_SIM_NET_INSIDE_H
#define BROWNOUT_SIM_NET_INSIDE_H

#include "sim/map.h"
#include "sim/net.h"
#include "sim/random.h"
#include "sim/segment.h"

enum { NO_SIDE = 2 }; /* of net_side_of: the link is not this node's */

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

/* ---- net.c ---- */

/* See that an event comes when the next thing that can happen to this end is due. One that comes
 * too early does no harm. */
void net_schedule(struct net *net, struct link *link, unsigned side, uint64_t now_us);

/* ---- net_conditions.c ---- */

/* Something has changed around a link: work out anew what holds for its streams. */
void net_refresh(struct net *net, struct link *link, uint64_t now_us);
/* Nothing arrives at a host that is off: to the sender that is a block as well. */
bool net_is_silent(const struct net *net, const struct link *link, unsigned side);
/* The sender's patience: it runs while something that it sent cannot be acknowledged. */
void net_watch(struct net *net, struct link *link, unsigned side, uint64_t now_us);

/* ---- net_stream.c ---- */

void net_send_segment(struct net *net, struct link *link, unsigned side, uint64_t now_us,
                      enum segment_kind kind, const uint8_t *bytes, uint32_t size_bytes);
/* Say that there is no such connection here. */
void net_send_reset(struct net *net, struct link *link, unsigned side, uint64_t now_us);
/* The sender remembers nothing: what has not left yet, or would have to be sent again because it
 * cannot get through, is lost, and with it all that follows. */
void net_drop_unsent(struct net *net, struct link *link, unsigned side, uint64_t now_us);
void net_drop_all(struct net *net, struct stream *stream);
void net_drop_first(struct net *net, struct stream *stream);
/* When the first segment of this side arrives; NEVER while there is none, or it is held. */
uint64_t net_head_us(const struct link *link, unsigned side);
/* Tell a sender that was told "later" once half of its queue is free; an acknowledgement brings the
 * news, and needs its way. */
void net_offer_room(struct link *link, unsigned side, uint64_t now_us);
/* Around typical with a tail, and now and then a spike, up to max. */
uint64_t net_draw_delay(const struct profile *profile, struct random_stream *draws);
/* A stream of its own for each segment, release and so on, so that a draw more in one of them moves
 * no other. */
struct random_stream net_draws_of(struct link *link, unsigned side, enum purpose purpose);
/* To whoever looks on: a segment of this side. */
void net_show(const struct net *net, const struct link *link, unsigned side, struct net_tap tap);

/* ---- net_table.c ---- */

struct link *net_find(const struct net *net, uint32_t handle); /* NULL: it is gone */
/* Which end of the link this node has; NO_SIDE: none. */
unsigned net_side_of(const struct link *link, uint32_t node);
struct link *net_link_add(struct net *net, uint32_t from, uint32_t to);
/* Forget it if neither role knows of it any more. */
void net_link_settle(struct net *net, struct link *link);
struct link *net_link_of(const struct net *net, uint32_t ref);
/* Is the other end of this one at `other`, or does any peer do? */
bool net_is_peer(const struct net *net, uint32_t ref, uint32_t other);

/* A role has it, or is still to be told of its end. */
bool net_is_live(const struct end *end);
void net_end_set(struct net *net, struct end *end, enum end_state state);
/* The stack has dropped a live end; its role is still to be told. */
void net_end_fail(struct net *net, struct end *end, uint64_t at_us, enum cause cause);
uint64_t net_end_down_us(const struct end *end);
/* Its time is over, though a busy role has not been told yet. */
bool net_end_given_up(const struct end *end, uint64_t now_us);

#endif
