/* MQTT 5 sessions under faults: the broker of core/server and general clients of core/mqtt, as they
 * are, over simulated links, the broker on a simulated disk; judged by models/mqtt_judge.h.
 *
 * Six clients: two publish (with wills; one of them subscribes as well), one subscribes to all
 * (retained messages and wills included), two share a subscription, and one is rude: it breaks the
 * protocol in all the ways that the standard has an answer to. For SESSION_FAULTS_US faults strike;
 * then all heals, and what is owed must arrive.
 *
 * A run is a pure function of seed and fault classes: the same hash each time. Draws are from named
 * streams of the seed. Not reentrant: the disk's VFS is one per process.
 */
#ifndef BROWNOUT_SIM_MQTT_WORLD_WORLD_H
#define BROWNOUT_SIM_MQTT_WORLD_WORLD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "models/mqtt_judge.h"

#define SESSION_FAULTS_US UINT64_C(240000000) /* virtual time with faults */
#define SESSION_DRAIN_US  UINT64_C(120000000) /* and without, until the end */

enum mqtt_world_fault {
    SESSION_FAULT_CUT,          /* a link is reset, with what is under way */
    SESSION_FAULT_HALF_OPEN,    /* one end is gone without a word */
    SESSION_FAULT_STALL,        /* bytes of a client wait */
    SESSION_FAULT_CHUNK,        /* bytes arrive cut anywhere, down to one at a time */
    SESSION_FAULT_BROKER_CRASH, /* the broker's process dies */
    SESSION_FAULT_BROKER_POWER, /* its power goes, at any operation of its disk */
    SESSION_FAULT_RESTART,      /* a client restarts with its session */
    SESSION_FAULT_FORGET,       /* a client restarts without it */
    SESSION_FAULT_LEAVE,        /* a client stays away for a while, with or without DISCONNECT */
    SESSION_FAULT_SPOIL,        /* a bit is turned: DUP, Session Present */
    SESSION_FAULT_RUDE,         /* a client breaks the protocol */
    SESSION_FAULT_BUSY, /* the broker's host is busy: what comes meanwhile shares a commit */
    SESSION_FAULT_COUNT
};

const char *mqtt_world_fault_name(enum mqtt_world_fault fault);

struct mqtt_world_request {
    uint64_t seed;
    uint32_t faults; /* bit of each enum mqtt_world_fault */
    bool verbose;    /* each packet as a line on standard error */
};

struct mqtt_world_result {
    uint64_t digest[2];
    uint64_t events;
    bool broken;
    enum mqtt_law law;
    const char *what;
    uint32_t about, client;
    uint64_t broken_us;
    uint32_t counts[MQTT_LAW_COUNT];      /* how often each law was put to the test */
    uint32_t struck[SESSION_FAULT_COUNT]; /* how often each fault struck */
    uint64_t published, told; /* fresh PUBLISHes, messages that applications were told */
};

void mqtt_world_run(const struct mqtt_world_request *request, struct mqtt_world_result *result);

#endif
