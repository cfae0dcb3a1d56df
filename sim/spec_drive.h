/* A driver's core taken along every edge of a law's graph, and compared with it behind each step.
 *
 * What the core does next may depend on more than the spec's state (driver.key): so the walks go
 * over sites, each a state with such a key, and find them as they go. An edge is driven when one of
 * its sites showed it; it is undriven when each site that there is refused it.
 */
#ifndef BROWNOUT_SIM_SPEC_DRIVE_H
#define BROWNOUT_SIM_SPEC_DRIVE_H

#include "sim/drive.h"
#include "sim/spec_walks.h"

enum { DRIVE_REASONS_MAX = 64 };

struct drive_request {
    uint64_t seed;      /* which ways are taken first */
    uint64_t steps_max; /* a walk ends after so many */
    uint64_t sample;    /* stop after so many steps in all; 0: when there is nothing left */
};

/* Edges of one action that the driver refused for one reason, and nowhere drove. */
struct drive_reason {
    uint32_t action;
    const char *why;
    uint64_t edges;
    uint32_t state, move; /* one of them */
};

struct drive_report {
    uint64_t edges, driven, undriven;
    uint64_t beyond; /* edges of states that only undriven edges lead to */
    uint64_t sites, walks, steps;
    bool whole;   /* every way out of every site was tried */
    bool strayed; /* one site and one move led to two sites: the driver's key says too little */
    uint32_t reason_count;
    struct drive_reason reasons[DRIVE_REASONS_MAX];
};

enum drive_end {
    DRIVE_END_GOOD,
    DRIVE_END_DIVERGED, /* the walk, the step and the cells were printed */
    DRIVE_END_REFUSED,  /* the driver cannot be configured to this: error */
};

/* graph: whole, of the driver's law. out: for the walk that diverged. */
enum drive_end spec_drive_cover(const struct driver *driver, const struct spec_graph *graph,
                                const struct drive_request *request, struct drive_report *report,
                                FILE *out, char *error, size_t error_bytes);

/* How many cells that can be observed are not what is expected; a line each, unless file is NULL.
 */
uint32_t drive_compare(const struct driver *driver, void *rig, const struct spec_instance *instance,
                       const int32_t *expected, const char *indent, FILE *file);

/* One step: the move, and which cells it changes to what. */
void spec_print_step(const struct spec_instance *instance, const int32_t *pre, const int32_t *post,
                     const struct spec_move *move, FILE *file);

#endif
