/* The moment of inevitability: when did the failure of a run become certain?
 *
 * A run is stopped before event e; from there it branches, by fork(), into many that have the same
 * past and another chance (world_reseed): P(fail | e) is the share of them that break the same law.
 * Before the first event it is what the scenario and its faults do by themselves; at the end it is
 * one. A bisection finds an event that has all branches fail behind it, and not all before it. As P
 * may fall again, three events between that one and the end are asked as well, and where one of
 * them says no, the search goes on from there.
 */
#ifndef BROWNOUT_SIM_INEVITABLE_H
#define BROWNOUT_SIM_INEVITABLE_H

#include <stdbool.h>
#include <stdint.h>

#include "sim/failure.h"
#include "sim/trace.h"

enum { INEVITABLE_POINTS_MAX = 256, INEVITABLE_BRANCHES_MAX = 10000 };

struct inevitable_config {
    uint32_t jobs;       /* branches at once, >= 1 */
    uint32_t branches;   /* of each event that is asked, 1..INEVITABLE_BRANCHES_MAX */
    uint32_t sure;       /* times as many for the event that is named, >= 1 */
    uint64_t timeout_us; /* of wall time for one branch; one that takes longer did not fail */
    void (*progress)(void *ctx, uint32_t points); /* may be NULL */
    void *progress_ctx;
};

struct inevitable_point {
    uint64_t event;   /* the branches begin before it */
    uint64_t time_us; /* simulated */
    uint32_t failed, branches;
};

enum inevitable_outcome {
    INEVITABLE_FOUND,
    INEVITABLE_FROM_START, /* whatever chance says: there is no such event */
    INEVITABLE_PASSES,     /* the run does not fail */
    INEVITABLE_HARNESS,
};

struct inevitable_result {
    char law[FAILURE_BYTES]; /* the law, or another kind of failure, that branches must share */
    char message[512];       /* why there is none */
    uint64_t failed_event, failed_us; /* where the run itself fails */
    uint64_t event, time_us;          /* FOUND: after this event it is certain */
    struct inevitable_point before, after;
    uint32_t point_count; /* all that were asked, in the order of events */
    struct inevitable_point points[INEVITABLE_POINTS_MAX];
    struct trace trace; /* what happened in that event, and TRACE_KEPT items before it */
};

enum inevitable_outcome inevitable(const struct plan *plan, const struct inevitable_config *config,
                                   struct inevitable_result *result);
void inevitable_result_free(struct inevitable_result *result);

/* Wilson's 95 % interval of a share, in thousandths. branches >= 1. */
void inevitable_interval(uint32_t failed, uint32_t branches, uint32_t *low, uint32_t *high);

#endif
