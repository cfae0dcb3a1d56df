/* The table of a server's MQTT sessions: by link, by client, and by what times out next.
 *
 * A client has at most one session that is READY: a second one that authenticates closes the first
 * with 0x8E [MQTT-3.1.4-3]. Only authentication takes over; a CONNECT that merely claims a number
 * disturbs nobody.
 *
 * A full table takes another link in the place of one that is nobody's yet: of those that have said
 * no CONNECT the one that waits longest, else of those that were challenged. Who is READY never
 * makes place. So whoever says nothing keeps nobody out, and a client comes in if, while it answers
 * its challenge, fewer others say CONNECT than there are places beside those of the READY.
 *
 * Use: sessions_open at LINK_UP; for each later event of the link sessions_next until it is false;
 * then, once the session's replies are sent, sessions_settle.
 */
#ifndef BROWNOUT_CORE_SERVER_SESSIONS_H
#define BROWNOUT_CORE_SERVER_SESSIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "core/mqtt/session.h"
#include "core/server/registry.h"

struct sessions {
    const struct registry *clients; /* borrowed */
    uint32_t self;
    uint32_t max;
    uint32_t count;
    uint64_t drops;       /* DROP said here */
    uint64_t sweep_at_us; /* no session times out before; UINT64_MAX = never */
    /* Arrays in the memory that the caller gave. */
    uint64_t *links;            /* of each slot: link + 1; 0 = free */
    struct mqtt_session *slots; /* max of them */
    uint32_t *clients_of;       /* of each slot: index of its READY client + 1; 0 = none */
    uint32_t *slots_of;         /* of each client: slot of its READY session + 1; 0 = none */
};

/* Bytes that sessions_init needs beside the struct, a multiple of 8. */
uint32_t sessions_size_bytes(uint32_t max, uint32_t client_count);

/* memory: aligned to 8, kept as long as the table is used. */
void sessions_init(struct sessions *sessions, uint8_t *memory, uint32_t max, uint32_t self,
                   const struct registry *clients);

/* A peer opened this link. When the table is full, REFUSE is said, and a link is closed: that of a
 * session which makes place, or this one. */
void sessions_open(struct sessions *sessions, const struct port *port, uint32_t link,
                   uint64_t now_us);

/* The session of a link; NULL if there is none. */
struct mqtt_session *sessions_find(const struct sessions *sessions, uint32_t link);

/* The READY session of a client by its index in the registry; NULL if there is none. */
struct mqtt_session *sessions_of(const struct sessions *sessions, uint32_t client_index);

/* Whose session it is; it must be READY. */
const struct registry_entry *sessions_client(const struct sessions *sessions,
                                             const struct mqtt_session *session, uint32_t *index);

/* Take from the event what is the table's business (CONNECT, READY, DOWN), up to the next PUBLISH:
 * true, and *happening is good until the next call. False: the event is used up. */
bool sessions_next(struct sessions *sessions, const struct port *port, uint64_t now_us,
                   struct mqtt_session *session, const struct event *event,
                   struct mqtt_input *input, struct mqtt_happening *happening) MUST_USE;

/* After anything was sent: give the slot back if the session is over. */
void sessions_settle(struct sessions *sessions, struct mqtt_session *session);

/* Close what has timed out, and say DROP of a handshake that has; does nothing before sweep_at_us.
 */
void sessions_sweep(struct sessions *sessions, const struct port *port, uint64_t now_us);

#endif
