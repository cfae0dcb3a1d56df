/* The daemons of a provisioned fleet, kept running: started, begun anew when they end, stopped in
 * order.
 */
#ifndef BROWNOUT_SIM_SUPERVISE_H
#define BROWNOUT_SIM_SUPERVISE_H

#include <sys/types.h>

#include "sim/provision.h"

enum {
    SUPERVISE_AGAIN_US = 300000,  /* from the end of a daemon to its next life */
    SUPERVISE_STOP_US = 10000000, /* from SIGTERM until SIGKILL */
    SUPERVISE_PATH_BYTES = 1200,
};

enum supervise_end {
    SUPERVISE_RUNS,
    SUPERVISE_KILLED,  /* by SIGKILL, from anywhere */
    SUPERVISE_STOPPED, /* in order */
    SUPERVISE_REFUSED, /* exit code 2: another life would end alike */
    SUPERVISE_FAILED,  /* by another code or signal: a fault of the daemon */
};

struct supervise_child {
    uint32_t node;
    char name[PROVISION_NAME_BYTES];
    pid_t pid;         /* 0: it does not run */
    uint64_t again_us; /* when its next life begins */
    uint32_t lives, kills, failures;
    enum supervise_end last; /* of the life before */
};

struct supervise {
    const struct provision *provision; /* borrowed */
    const char *daemons;               /* folder of the programs; borrowed */
    uint32_t count;
    struct supervise_child *children; /* by node number - 1 */
};

void supervise_init(struct supervise *supervise, const struct provision *provision,
                    const char *daemons);
/* Reap who ended, start whose time has come. False: `error`: one refused, and says why in its log.
 */
bool supervise_turn(struct supervise *supervise, char *error, size_t error_bytes);
/* SIGKILL to a daemon that runs. */
void supervise_kill(struct supervise *supervise, uint32_t node);
/* Devices, gateway, cloud, each to its end; then free. False: one had to be killed. */
bool supervise_stop(struct supervise *supervise);

#endif
