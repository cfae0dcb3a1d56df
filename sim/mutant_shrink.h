/* What caught a planted bug, shrunk: a small scenario that must fail with the bug, and pass without
 * it.
 *   a run        brownout shrink; `brownout run` of what it writes must break the law
 *   determinism  brownout shrink --selfcheck; `brownout selfcheck` of it must come to two hashes
 *   a life       brownout cuts -o; `brownout cuts` of the life with its cuts pinned must break the
 *                law. Lives are searched breadth first: there are as few cuts as can be
 */
#ifndef BROWNOUT_SIM_MUTANT_SHRINK_H
#define BROWNOUT_SIM_MUTANT_SHRINK_H

#include "sim/mutant.h"

enum {
    MUTANT_FAULTS_MAX = 5, /* a shrunk plan is small if it has no more; power cuts of a life */
    MUTANT_SCENARIO_BYTES = 8192,
};

struct mutant_shrink_call {
    const struct mutant *mutant;
    const char *program;  /* with the bug */
    const char *sound;    /* without it */
    const char *scenario; /* that caught it, */
    uint64_t seed;        /* with this seed, */
    const char *replay;   /* or in this history of a life */
    const char *output;   /* file for the shrunk scenario */
};

enum mutant_shrunk_kind { MUTANT_SHRUNK_RUN, MUTANT_SHRUNK_DETERMINISM, MUTANT_SHRUNK_LIFE };

struct mutant_shrunk {
    bool good; /* shrunk to few enough faults, fails with the bug by the same law, passes without */
    bool minimal;
    enum mutant_shrunk_kind kind;
    uint64_t faults_before, faults, devices, runs, seeds_failing, seconds_us;
    uint64_t seed;                        /* of the shrunk scenario */
    char message[512];                    /* why it is not good */
    char scenario[MUTANT_SCENARIO_BYTES]; /* its text; "": longer than that, or there is none */
};

void mutant_shrink(const struct mutant_shrink_call *call, struct mutant_shrunk *shrunk);

/* A line or two of text for people; a JSON object for programs, the caller's to delete. */
struct print;
void mutant_shrunk_print(const struct print *print, const struct mutant_shrunk *shrunk);
struct cJSON *mutant_shrunk_json(const struct mutant_shrunk *shrunk);

/* What `brownout shrink --json` printed, and its exit code. Behind mutant_shrink, and for its test.
 * False: it is no answer; message says why. */
bool mutant_shrink_understand(const char *output, int code, struct mutant_shrunk *shrunk);

#endif
