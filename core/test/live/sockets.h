/* The port of a live test: links of core/posix over loopback, in the clear or with TLS 1.3, one
 * role. What else a port has (flash, counters, retained RAM) is not there; the port of the daemons
 * is host_port.h of core/posix. */
#ifndef BROWNOUT_CORE_TEST_LIVE_SOCKETS_H
#define BROWNOUT_CORE_TEST_LIVE_SOCKETS_H

#include "core/event.h"
#include "core/port.h"
#include "core/posix/links.h"

/* The number of whoever listens: link_open leads there, and its certificate names it (tls_name). */
enum { SOCKETS_SERVER = 2 };

struct sockets_options {
    uint32_t max;          /* links at once */
    uint16_t port;         /* on 127.0.0.1; of a server, 0 = any */
    bool server;           /* it listens; else it opens links to that port */
    const char *disk_path; /* may be NULL */
    struct tls_files tls;  /* authority NULL: in the clear */
};

struct sockets {
    struct port port;
    struct links links;
    struct tls tls;
    bool reset;       /* the role asked for it */
    uint64_t refused; /* handshakes that failed, and that were told of */
};

/* An option of the command line that both ends have: -a AUTHORITY -c CERTIFICATE -k KEY -r REVOKED.
 * False: it is another one. */
#define SOCKETS_OPTIONS "a:c:k:r:"
bool sockets_option(struct sockets_options *options, int option, const char *value);

/* Stops the program where it cannot be. */
void sockets_open(struct sockets *sockets, const struct sockets_options *options);
/* link_open to this peer leads to this port on 127.0.0.1. */
void sockets_add_peer(struct sockets *sockets, uint32_t peer, uint16_t port);
/* From here on links are taken. Returns the port. */
uint16_t sockets_listen(struct sockets *sockets);
void sockets_close(struct sockets *sockets);
uint64_t sockets_now_us(void);

typedef void sockets_step(void *role, const struct port *port, const struct event *event);
/* Wait for what happens next, at most until the deadline or for a second, and give it to the role;
 * and a TIMEOUT once the deadline has come. A handshake that fails is told on standard error. */
void sockets_turn(struct sockets *sockets, uint64_t deadline_us, void *role, sockets_step *step);

#endif
