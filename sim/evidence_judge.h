/* The laws, over what real daemons have written: the same models that judge a simulated run.
 *
 * What the simulator knows and nobody says here (each write to flash, faults of links, when a
 * process was starved, what a loss of power leaves) is missing: each law says whether it is judged
 * in full, weakened, or not at all, and why.
 */
#ifndef BROWNOUT_SIM_EVIDENCE_JUDGE_H
#define BROWNOUT_SIM_EVIDENCE_JUDGE_H

#include "sim/evidence_merge.h"

enum evidence_standing { STANDING_FULL, STANDING_WEAK, STANDING_UNKNOWN };

struct evidence_judge {
    struct judge *judge;
    struct judge_config config;
    enum model_role *roles; /* [config.node_count] */
    uint32_t device_count, gateway_count, cloud_count;
    uint64_t last_us; /* of the last observation */
    uint64_t heal_us; /* when the liveness phase begins; UINT64_MAX: there is none */
    bool healed;
    bool violated;
    struct violation violation;
    struct merge_place place; /* of what broke it */
    uint64_t passed_over;     /* words about devices whose logs are not here */
    uint64_t signed_count, acked, accepted;
    uint64_t image_rows, last_rows; /* of the cloud's image: being told, and the last whole one */
};

/* By the headers of the logs. False: `error` says which do not fit together. heal_us: on the common
 * clock of the observations. */
bool evidence_judge_init(struct evidence_judge *judge, const struct evidence_merge *merge,
                         uint64_t heal_us, char *error, size_t error_bytes);
void evidence_judge_free(struct evidence_judge *judge);
/* A merge_listener: ctx is the judge. After a violation it hears nothing. */
void evidence_judge_hear(void *ctx, const struct observation *observation,
                         const struct merge_place *place);
/* The logs are over. */
void evidence_judge_end(struct evidence_judge *judge, const struct merge_counts *counts);

/* How far a law is judged here; *why: static text. */
enum evidence_standing evidence_standing(const struct evidence_judge *judge, enum law law,
                                         const char **why);
const char *evidence_standing_name(enum evidence_standing standing);

#endif
