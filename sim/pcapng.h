/* A capture of the simulated links as pcapng, as Wireshark reads it: each link is a TCP connection
 * over IPv4 over Ethernet, captured where a segment is handed to its sender's stack, and where an
 * end takes what arrives (that is its ACK).
 *
 *   addresses   node n is 10.a.b.c with n = a << 16 | b << 8 | c, and the MAC 02:00:0a:a:b:c; a
 *               name resolution block holds the nodes' names
 *   ports       the other end is at PCAPNG_PORT (MQTT); the opener's port counts up from
 *               PCAPNG_PORT_FIRST with each link that it opens, and begins again behind 65535
 *   times       simulated, microseconds since the start, as if that were 1970
 *   sequence    numbers are those of the stream as it was handed over. Nothing is sent twice: what
 * a profile loses is delay in the simulation (sim/net.h), and is so here ends        a close is
 * FIN, and FIN is what the other end answers where it takes it; a reset is RST. Ends that vanish
 * with their power say nothing
 *
 * Frames are written in the order of their times. What a step sends has the instant inside the
 * step, and the world takes events of other nodes up to that instant later: frames wait until it is
 * past them.
 */
#ifndef BROWNOUT_SIM_PCAPNG_H
#define BROWNOUT_SIM_PCAPNG_H

#include <stdint.h>
#include <stdio.h>

#include "sim/map.h"
#include "sim/net.h"
#include "sim/setting.h"

enum {
    PCAPNG_PORT = 1883,
    PCAPNG_PORT_FIRST = 49152,
    PCAPNG_FRAME_BYTES_MAX = 14 + 20 + 40 + PROFILE_SEGMENT_BYTES,
    PCAPNG_NODES_MAX = (1 << 24) - 2, /* 10.0.0.0 and 10.255.255.255 are nobody's */
};

struct pcapng_link;
struct pcapng_frame;

struct pcapng {
    FILE *file; /* borrowed */
    struct map links;
    uint32_t link_count;
    struct pcapng_link *list;
    uint32_t *opened; /* [node_count + 1]: links so far */
    /* Not written yet, by time. */
    uint32_t waiting_count, waiting_capacity;
    struct pcapng_frame *waiting;
    uint64_t frames; /* written */
};

/* title: what was captured, for people. Writes what stands before the first frame. */
void pcapng_open(struct pcapng *pcapng, FILE *file, const struct settings *settings,
                 const char *title);
/* The world has come to this time: what is older is written. */
void pcapng_advance(struct pcapng *pcapng, uint64_t now_us);
/* For world_options.tap. */
void pcapng_tap(struct pcapng *pcapng, const struct net_tap *tap);
/* Write the rest, and free; `frames` stays. Whether all was written, ferror(file) says. */
void pcapng_close(struct pcapng *pcapng);

#endif
