/* Links over TCP: what core/port.h says of links, by non-blocking sockets.
 *
 * A link that this node opens goes to the address that its configuration has for the peer's number.
 * Who is at the other end of an inbound link, the protocol on it tells (core/mqtt). All is bounded:
 * LINKS_SPARE links beyond what the role may have, one read of LINKS_READ_BYTES a round and link,
 * so that nobody who sends much keeps the others waiting. Where there is no place for another
 * inbound link, it waits in the kernel's backlog; but a link whose handshake is under way makes
 * place for it: of those that have said nothing whole the one that waits longest, else of the
 * others. So silence keeps nobody out, and who is up makes no place. Of an address (an IPv6 one's
 * /64) there are no more inbound links at once than links_limit_source allows: one more is closed.
 * What the system holds for an inbound link is LINKS_SOCKET_BYTES each way, which Linux doubles.
 *
 * What the role sends leaves with links_flush, behind its step: whatever it said in that step is in
 * its log before anybody can hear of it. With `direct` it leaves at once: for a role whose word is
 * in no log, and that holds back by itself what the system does not take.
 *
 * A round costs what happened in it, however many links there are: epoll tells which, and what is
 * held for a link has memory only while it is held.
 *
 * With `tls` each link is TLS 1.3 (tls.h), and is up when both ends have verified each other.
 *
 * Use: links_wait; then links_next until it is false, with a step of the role for each event; then
 * links_flush. Several sets of links can be waited for at once: links_wait_all.
 */
#ifndef BROWNOUT_CORE_POSIX_LINKS_H
#define BROWNOUT_CORE_POSIX_LINKS_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>

#include "core/event.h"
#include "core/port.h"
#include "core/posix/tls.h"

enum {
    LINKS_SPARE = 32,
    LINKS_READ_BYTES = 4096,
    LINKS_HELD_BYTES = 8192, /* sent, and not with the system yet: of each link */
    LINKS_PEERS_MAX = 8,
    LINKS_BACKLOG = 128,
    LINKS_ACCEPTS = 16,            /* inbound links that a round takes */
    LINKS_EVENTS = 512,            /* links that a round looks at; the others are next */
    LINKS_SETS_MAX = 4,            /* that are waited for at once */
    LINKS_LINGER_US = 1000000,     /* for a closed link's last bytes to be taken */
    LINKS_ACCEPT_REST_US = 100000, /* after the system refused another socket */
    LINKS_ADDRESS_BYTES = 64,      /* "[::1]:7002" and its NUL */
    LINKS_HANDSHAKE_US = 10000000, /* from a link's opening until it is up; then it is given up */
    LINKS_SOCKET_BYTES = 65536,
    LINKS_SOURCE_BYTES = 16,
};

/* Why an inbound link was sent away. */
#define LINKS_AWAY_LIST(X)                                                                         \
    X(PLACE, place)     /* it had shown no certificate yet, and another one needed its place */    \
    X(ADDRESS, address) /* its address has as many as it may have */                               \
    X(LATE, late)       /* its handshake was not over within LINKS_HANDSHAKE_US */                 \
    X(SYSTEM, system)   /* the system had no descriptor or no memory for it; it waits */

enum links_away {
#define LINKS_AWAY_ENUM(NAME, name) LINKS_AWAY_##NAME,
    LINKS_AWAY_LIST(LINKS_AWAY_ENUM)
#undef LINKS_AWAY_ENUM
        LINKS_AWAY_COUNT
};

struct links_address {
    struct sockaddr_storage socket;
    socklen_t size_bytes; /* 0: there is none */
};

struct links_peer {
    uint32_t number;
    struct links_address address;
};

enum link_state {
    LINK_FREE,
    LINK_CONNECTING, /* the connection is under way */
    LINK_SECURING,   /* there is one, and the handshake is under way */
    LINK_OPEN,
    LINK_FAILED,    /* LINK_DOWN is owed to the role */
    LINK_LINGERING, /* closed by the role; what is held still leaves, nothing is owed */
};

struct link {
    enum link_state state;
    int socket;
    uint32_t handle;
    uint32_t peer; /* outbound: its number; 0: inbound */
    bool wants_room;
    uint8_t *held; /* [LINKS_HELD_BYTES]; what is to leave is from..to; NULL: nothing */
    uint32_t held_from, held_to;
    SSL *tls;          /* NULL: in the clear */
    bool said_end;     /* LINGERING: the other end was told */
    bool tls_writes;   /* SECURING: the handshake waits for room, not for bytes */
    bool answered;     /* SECURING: the other end's first word came whole */
    uint32_t ready;    /* what epoll said, until it is dealt with */
    uint32_t watched;  /* what epoll was asked for */
    uint64_t until_us; /* CONNECTING, SECURING, LINGERING: to be ended then */
    uint32_t chain;    /* the next place whose handle has the same bucket, + 1; 0: none */
    uint8_t source[LINKS_SOURCE_BYTES]; /* inbound: where from; IPv4 as ::ffff:a.b.c.d */
};

/* Places that are to be looked at: each once, and it may be another link's by then. */
struct links_list {
    uint32_t count;
    uint32_t *places; /* [max] */
    bool *listed;     /* [max] */
};

struct links {
    uint32_t peer_count;
    struct links_peer peers[LINKS_PEERS_MAX];
    uint32_t max;
    uint32_t source_max; /* inbound links of an address; 0: as many as there is place for */
    struct link *all;    /* [max] */
    uint32_t *free;      /* [max]: places that are free */
    uint32_t free_count;
    uint32_t *buckets;     /* [bucket_count]: by handle, the first place + 1; 0: none */
    uint32_t bucket_count; /* a power of 2 */
    uint8_t **spare;       /* [max]: buffers that nobody uses */
    uint32_t spare_count;
    int epoll;
    int listener; /* -1: none */
    bool listener_watched;
    bool direct;
    uint64_t accept_after_us;
    uint32_t next_handle;
    struct links_list round;     /* what happened, in this round */
    uint32_t cursor;             /* of links_next, in it */
    struct links_list again;     /* what the next round looks at, whatever the system says */
    struct links_list unsent;    /* what links_flush looks at */
    struct links_list limited;   /* those with a limit of time, and some that had one */
    uint64_t limit_us;           /* no limit ends before it */
    bool limits_seen;            /* in this round */
    uint32_t accepts;            /* of this round */
    bool accepting;              /* the listener has something, in this round */
    struct tls *tls;             /* borrowed; NULL: in the clear */
    char refusal[TLS_WHY_BYTES]; /* why the last handshake failed */
    uint8_t bytes[LINKS_READ_BYTES];
    struct links_counts {
        uint64_t opened, accepted, failed, refused, received_bytes,
            sent_bytes; /* refused: by TLS */
        uint64_t away[LINKS_AWAY_COUNT];
    } counts;
};

/* "127.0.0.1:7001" or "[::1]:7001"; no names. False: it is none. */
bool links_parse(const char *text, struct links_address *address);

/* max: links that the role may have. tls: borrowed; NULL: in the clear. listen: where to take
 * inbound ones; NULL: nowhere. The address is taken at once, and who comes is turned away until
 * links_listen. False: `error`. */
bool links_open(struct links *links, uint32_t max, struct tls *tls,
                const struct links_address *listen, char *error, size_t error_bytes);
/* How many inbound links an address may have at once; 0: as many as there is place for. */
void links_limit_source(struct links *links, uint32_t source_max);
/* From here on links are taken. False: errno. */
bool links_listen(struct links *links);
bool links_add_peer(struct links *links, uint32_t number, const struct links_address *address);
void links_free(struct links *links);
/* Where it listens, in the byte order of this machine; 0: nowhere. */
uint16_t links_port(const struct links *links);
/* Links that are open, or about to be. */
uint32_t links_count(const struct links *links);

/* As in core/port.h. */
enum err links_connect(struct links *links, uint32_t peer, uint64_t now_us,
                       uint32_t *handle) MUST_USE;
int32_t links_send(struct links *links, uint32_t handle, const uint8_t *bytes,
                   uint32_t size_bytes) MUST_USE;
void links_close(struct links *links, uint32_t handle, uint64_t now_us);

/* A step is over: what it sent leaves. */
void links_flush(struct links *links);

/* Wait until something happens, `wake` (a descriptor, -1: none) can be read, or deadline_us has
 * come. */
void links_wait(struct links *links, int wake, uint64_t now_us, uint64_t deadline_us);
/* The same for 1..LINKS_SETS_MAX sets: a round of each begins. */
void links_wait_all(struct links *const *sets, uint32_t count, int wake, uint64_t now_us,
                    uint64_t deadline_us);
/* The next event of this round; its bytes are good until the next call. False: there is none. */
bool links_next(struct links *links, uint64_t now_us, struct event *event);

#endif
