/* A search guided by what runs show: plans whose runs showed transitions that none before had are
 * kept, and changed (sim/plan_mutate.h). Half of the jobs are fresh seeds.
 *
 * It goes by generations: what a job is follows from the results of those before, taken in the
 * order of the jobs and not in that of their ends. So it is a function of the call alone, however
 * many runs there are beside each other.
 */
#ifndef BROWNOUT_SIM_GUIDE_H
#define BROWNOUT_SIM_GUIDE_H

#include "sim/coverage.h"

enum {
    GUIDE_GENERATION = 32, /* jobs */
    GUIDE_CORPUS_MAX = 1024,
};

struct guide;

struct guide *guide_open(uint64_t seed);
void guide_close(struct guide *guide);
/* Are the results in that say what this job is? Jobs are asked for in their order. */
bool guide_ready(const struct guide *guide, uint64_t job);
/* The plan of a job, as text, to be freed; NULL: it is a fresh seed. */
char *guide_plan(struct guide *guide, uint64_t job);
/* What a job showed, and the plan that it lived (borrowed; NULL: it did not come to its end). Each
 * job once. True: something that was new when its generation began. */
bool guide_result(struct guide *guide, uint64_t job, const struct coverage_set *shown,
                  const char *plan);
uint32_t guide_corpus(const struct guide *guide);

#endif
