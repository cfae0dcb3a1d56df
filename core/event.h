/* What can happen to a role: one event a step. Borrowed until x_step returns. */
#ifndef BROWNOUT_CORE_EVENT_H
#define BROWNOUT_CORE_EVENT_H

#include <stdbool.h>
#include <stdint.h>

enum event_kind {
    EVENT_TIMEOUT,       /* x_deadline_us() has come; may also come early (spurious wake-up) */
    EVENT_LINK_UP,       /* a link that this node opened is up, or a peer opened one */
    EVENT_LINK_DATA,     /* bytes arrived, in order, cut anywhere; all of them must be taken */
    EVENT_LINK_WRITABLE, /* after link_send said "later": there is room again */
    EVENT_LINK_DOWN,     /* refused, closed, reset or timed out; the handle is dead */
};

struct event {
    enum event_kind kind;
    bool inbound;         /* LINK_UP: the peer opened it */
    bool more;            /* another event follows at once: what may wait for it can (a commit) */
    uint32_t link;        /* LINK_*: handle, never used twice since boot */
    const uint8_t *bytes; /* LINK_DATA */
    uint32_t size_bytes;  /* LINK_DATA: >= 1 */
};

#endif
