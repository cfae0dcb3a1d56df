/* The calls of the real port: private to host.c. */
#ifndef BROWNOUT_CORE_POSIX_HOST_PORT_H
#define BROWNOUT_CORE_POSIX_HOST_PORT_H

#include "core/posix/host.h"

/* Fill host->port; the signal of the watchdog is ready. */
void host_port(struct host *host, const struct port_crypto *crypto);
void host_port_disarm(struct host *host);
/* The watchdog bites: the handler of its signal, in host.c. */
void host_port_bite(int number);

#endif
