/* The logs of a fleet's daemons, as one history.
 *
 * What a daemon said in one step stays together, and the steps of a daemon stay in their order. Of
 * the steps that come next, the one is taken that began first: on one machine (one monotonic clock)
 * whoever heard of a step began later, so in this order causes come first. Clocks of several
 * machines differ: there a step whose cause has not been seen yet waits for it (evidence_cause.h),
 * for as long as MERGE_SKEW_US.
 *
 * A life that ended without a STOP is over when the next one begins: DOWN, then what its disk held
 * as that one found it (IMAGE, its rows, IMAGE_END), then UP. Not earlier: the disk may hold what
 * others had sent behind its last word. Nobody reaches the next life before its UP (core/posix).
 * A listing that is not whole is passed over.
 */
#ifndef BROWNOUT_SIM_EVIDENCE_MERGE_H
#define BROWNOUT_SIM_EVIDENCE_MERGE_H

#include "models/model.h"
#include "sim/evidence_file.h"

enum {
    MERGE_SOURCES_MAX = 1024,
    MERGE_MACHINES_MAX = 256,  /* boots of machines, all together */
    MERGE_LINES_MAX = 4000000, /* of one step: a listing */
    /* Kinds of observations beside those of models. */
    MERGE_CHECK = TRUTH_COUNT, /* a CHECK failed; value: line */
    MERGE_UNREADABLE,          /* what the node's disk holds could not be read */
    MERGE_FULL,                /* the node's log ends here, and the node goes on */
};
#define MERGE_SKEW_US UINT64_C(10000000)
/* How old a step must be to be taken while logs are written. */
#define MERGE_SETTLE_US UINT64_C(2000000)

struct evidence_merge;

/* Where an observation stands. */
struct merge_place {
    const char *path;
    uint64_t line;
};

struct merge_counts {
    uint64_t lines, steps, lives, stops, machines; /* stops: lives that ended in order */
    uint64_t torn;                                 /* logs with half a line at their end */
    uint64_t uncaused;                             /* steps whose cause was not said before them */
    uint64_t full;                                 /* logs that reached their bound */
    uint64_t images, checks;
    uint64_t cut_images; /* listings without an end: their process was killed */
    uint64_t unreadable; /* listings of disks that could not be read */
    uint64_t late;       /* logs that begin when their node had lived already */
    const char *late_path;
};

typedef void merge_listener(void *ctx, const struct observation *observation,
                            const struct merge_place *place);

/* False: `error` says what is wrong with a log, or with all of them together. */
bool merge_open(struct evidence_merge **merge, const char *const *paths, uint32_t count,
                char *error, size_t error_bytes);
void merge_free(struct evidence_merge *merge);
const struct evidence_header *merge_header(const struct evidence_merge *merge, uint32_t source);

enum merge_outcome {
    MERGE_STEP, /* a step was told */
    MERGE_IDLE, /* following: there is none that is old enough */
    MERGE_OVER, /* all is told, and that lives without an end are over */
    MERGE_WRONG,
};
/* Tell the next step. follow: logs are still being written; now_us is this machine's monotonic
 * clock. */
enum merge_outcome merge_next(struct evidence_merge *merge, bool follow, uint64_t now_us,
                              merge_listener *listen, void *ctx, char *error, size_t error_bytes);
const struct merge_counts *merge_counts(const struct evidence_merge *merge);

#endif
