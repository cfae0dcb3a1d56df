/* The brokers that are measured, each as a process of its own on a free port of loopback. */
#ifndef BROWNOUT_BENCH_SERVER_H
#define BROWNOUT_BENCH_SERVER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct server {
    pid_t process; /* 0: none */
    uint16_t port;
    char folder[256];
};

/* The project's gateway with a broker for so many clients; folder: made by the caller, and whose
 * disk a durable one writes. False: standard error says why. */
bool server_gateway(struct server *server, const char *folder, uint32_t clients, bool durable);
/* False: it is not installed, or does not start. */
bool server_mosquitto(struct server *server, const char *folder);
bool server_has_mosquitto(void);
void server_stop(struct server *server);
/* A figure of the gateway's metrics as they are written next: "brownout_broker_commits_total". */
double server_metric(const struct server *server, const char *name);

#endif
