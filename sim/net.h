/* The network: byte streams as TCP gives them, between nodes.
 *
 * A stream keeps order and loses nothing while it lives: packet loss is delay (a retransmission),
 * and when it lasts, a reset. Bytes arrive cut anywhere. A node that loses power says nothing: its
 * peers find out when they send (reset once it is back, time-out while it is not) or by keep alive.
 * Every chance is a keyed draw f(seed, "net/<node>-<node>", ordinal of the link and of the
 * segment).
 *
 * The net schedules through its hook; when the world takes such an event from its queue it calls
 * net_event(), which may yield one delivery for a node. When the node is busy the world asks again
 * later.
 */
#ifndef BROWNOUT_SIM_NET_H
#define BROWNOUT_SIM_NET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/event.h"
#include "sim/profile.h"
#include "sim/segment.h"

/* What can be seen of a link from outside: a segment is handed to the sender's stack, or is taken
 * by the end that it is for. Data that arrives may be several segments that were sent; what is lost
 * with its stream never does. What a host without a role behind the link takes is not told. */
struct net_tap {
    uint64_t time_us; /* the instant inside the step of who sends */
    uint32_t link;    /* handle */
    uint32_t from, to;
    bool by_opener; /* `from` opened the link */
    bool arrived;
    enum segment_kind kind;
    const uint8_t *bytes; /* DATA; borrowed */
    uint32_t size_bytes;  /* DATA: >= 1 */
};

struct net_hooks {
    void *ctx;
    /* Schedule: at time_us call net_event(link, what). */
    void (*schedule)(void *ctx, uint64_t time_us, uint32_t link, uint32_t what);
    /* Called for every segment, if not NULL; must not touch the net. */
    void (*tap)(void *ctx, const struct net_tap *tap);
};

struct net_delivery {
    uint32_t node; /* who is to be stepped */
    struct event event;
};

struct net_counts {
    uint64_t bytes, segments, opens, resets, timeouts, retransmits, refusals, chunk_cuts,
        short_sends;
};

enum {
    NET_LINKS_PER_NODE_MAX = 8192, /* ends that a node holds at once; one more is refused */
    NET_DELIVERY_BYTES_MAX = 1500,
    NET_OPEN_TIMEOUT_US = 20000000, /* an opening that nobody answers */
    NET_TIMEOUT_US = 60000000,      /* bytes sent that nobody acknowledges */
};

#define NET_ALL_PEERS UINT32_MAX

struct net;

/* node_count: nodes are numbered 1..node_count; all are down until net_node_up. profile_of(ctx, a,
 * b): the profile of links that a opens to b (borrowed for the net's life). */
struct net *net_create(uint64_t seed, uint32_t node_count, const struct net_hooks *hooks,
                       const struct profile *(*profile_of)(void *ctx, uint32_t from, uint32_t to),
                       void *profile_ctx);
/* From here on all chances are drawn from other keys, which `seed` decides. */
void net_reseed(struct net *net, uint64_t seed);
void net_free(struct net *net);

/* The port's link calls; node is the caller, now_us the instant inside its step.
 * Returns as core/port.h says (enum err; bytes taken, 0 later, or a negative enum err). */
int net_open(struct net *net, uint64_t now_us, uint32_t node, uint32_t peer, uint32_t *link);
int32_t net_send(struct net *net, uint64_t now_us, uint32_t node, uint32_t link,
                 const uint8_t *bytes, uint32_t size_bytes);
void net_close(struct net *net, uint64_t now_us, uint32_t node, uint32_t link);

/* An event that the net scheduled is due. True: *out is to be delivered to its node now; its bytes
 * are borrowed until the next net_event. False: nothing to deliver. At most 1500 bytes a delivery;
 * what is left schedules its own event. Before it calls this the world looks with net_event_node()
 * whether the node can be stepped at all, and schedules the same event again for later if it is
 * busy or hung. */
bool net_event(struct net *net, uint64_t now_us, uint32_t link, uint32_t what,
               struct net_delivery *out);

/* The node that net_event() would deliver to; 0 if none (a stale event, or one of the net's own).
 */
uint32_t net_event_node(const struct net *net, uint32_t link, uint32_t what);

/* A node is gone (power, crash): its ends vanish without a word; what had left it by now_us still
 * arrives. It is back: it answers resets. */
void net_node_down(struct net *net, uint64_t now_us, uint32_t node);
void net_node_up(struct net *net, uint64_t now_us, uint32_t node);

/* Effects. other = NET_ALL_PEERS: all peers of node. Conditions hold for links opened later as
 * well, and until ended with the same id. */
enum net_condition {
    NET_BLOCK_BOTH,
    NET_BLOCK_IN,  /* nothing reaches node */
    NET_BLOCK_OUT, /* nothing leaves node */
    NET_STALL,     /* bytes wait, no time-out of the stream */
    NET_DELAY,     /* amount: us more */
    NET_SLOW,      /* amount: ppm of the bandwidth that is left, 1..1000000 */
};
void net_begin(struct net *net, uint64_t now_us, uint32_t id, enum net_condition condition,
               uint32_t node, uint32_t other, uint64_t amount);
void net_end(struct net *net, uint64_t now_us, uint32_t id);
void net_reset(struct net *net, uint64_t now_us, uint32_t node, uint32_t other);
/* The end at node (or, for its peer, the other one: drawn) is gone without a word. */
void net_half_open(struct net *net, uint64_t now_us, uint32_t node, uint32_t other);
/* End all conditions. */
void net_heal(struct net *net, uint64_t now_us);

const struct net_counts *net_counts(const struct net *net);
/* The node at the other end of a link; 0 if the link is gone. */
uint32_t net_link_peer(const struct net *net, uint32_t node, uint32_t link);
uint32_t net_link_count(const struct net *net);

#endif
