/* A load on an MQTT 5 broker: so many clients in one process and one epoll loop, the same for each
 * broker that is measured. Client i subscribes to a topic of its own and publishes to that of the
 * next one, with a bound on what is on its way: a new message goes when an old one has arrived and
 * was acknowledged. */
#ifndef BROWNOUT_BENCH_LOAD_H
#define BROWNOUT_BENCH_LOAD_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct load {
    uint16_t port; /* on 127.0.0.1 */
    uint32_t clients;
    uint32_t messages; /* in all */
    uint32_t window;   /* on their way, of each client; below 20, which all brokers take */
    uint8_t qos;
    bool durable; /* sessions that outlive their connections */
    uint32_t payload_bytes;
    pid_t server; /* whose CPU time counts */
};

struct load_result {
    double seconds;      /* from the first PUBLISH to the last answer */
    double server_cpu_s; /* of the server in them */
    uint64_t rss_bytes;  /* of the server, with all clients still there */
};

/* Connect, subscribe, send all, take all, disconnect. False: it did not go through within a
 * minute, and standard error says why. */
bool load_run(const struct load *load, struct load_result *result);

/* VmRSS of a process; 0: there is none. */
uint64_t load_rss_bytes(pid_t process);

#endif
