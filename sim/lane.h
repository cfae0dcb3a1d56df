/* Lanes: processes that run jobs beside each other. A lane forks a child for every job, so that
 * what one run does to its process, another never sees; a child that crashes or never ends is a
 * result too. Lanes are started before a database is opened, and never touch it: results come back
 * to the one who started them, over a socket.
 *
 *   parent --job--> lane --fork--> child
 *   parent <--result, plan, items-- lane <-- child
 */
#ifndef BROWNOUT_SIM_LANE_H
#define BROWNOUT_SIM_LANE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "sim/witness.h"

struct lane_work {
    /* What to run, given the number of a job and the text that came with it (NULL: none); called
     * in the child. */
    void (*request)(void *ctx, uint64_t job, const char *text, struct run_request *request);
    void *ctx;
    uint64_t timeout_us;   /* of wall time for one job; 0: none */
    uint64_t memory_bytes; /* resident, of one job; 0: no limit */
    /* How it is run, in the child; NULL: witness_run does. */
    void (*live)(void *ctx, const struct run_request *request, struct witness *witness);
};

struct lane {
    pid_t pid;
    int socket; /* -1: the lane is gone */
    bool busy;
    uint64_t job;
};

/* Start lanes[index]; of the others (of count) those stand that have a socket. False: see errno. */
bool lane_start(struct lane *lanes, uint32_t count, uint32_t index, const struct lane_work *work);
/* text: NULL or what the job needs beside its number. False: the lane is gone. */
bool lane_give(struct lane *lane, uint64_t job, const char *text);
/* The result of its job; waits for it. A lane that is gone is a result, too: the harness failed.
 * The witness is freed by the caller. */
void lane_take(struct lane *lane, struct witness *witness);
/* End it at once, and the job that it may have. */
void lane_stop(struct lane *lane);

#endif
