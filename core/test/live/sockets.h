/* Links over TCP on loopback, for live tests: one poll loop, one role. Not for use: no TLS, no
 * reset, no disk of its own. The port of the daemons is core/posix. */
#ifndef BROWNOUT_CORE_TEST_LIVE_SOCKETS_H
#define BROWNOUT_CORE_TEST_LIVE_SOCKETS_H

#include "core/event.h"
#include "core/port.h"

enum { SOCKETS_MAX = 600 };

struct sockets {
    struct port port;
    int listener; /* -1 = none */
    uint16_t peer_port;
    bool reset; /* the role asked for it */
    uint32_t link_next;
    struct {
        int fd; /* -1 = free */
        uint32_t link;
        bool connecting; /* LINK_UP is still to come */
        bool blocked;    /* link_send has said "later" */
        bool inbound;
    } links[SOCKETS_MAX];
};

/* peer_port: where link_open leads; disk_path: may be NULL. */
void sockets_init(struct sockets *sockets, uint16_t peer_port, const char *disk_path);
/* Accept on 127.0.0.1; 0 = any port. Returns the port. */
uint16_t sockets_listen(struct sockets *sockets, uint16_t port);
uint64_t sockets_now_us(void);

typedef void sockets_step(void *role, const struct port *port, const struct event *event);
/* Wait for what happens next, at most until the deadline, and give it to the role; a TIMEOUT if
 * nothing did. */
void sockets_turn(struct sockets *sockets, uint64_t deadline_us, void *role, sockets_step *step);

#endif
