/* What the files of `brownout mutants` share: the call, and what came of each planted bug.
 *   command_mutants.c          what is asked, one bug after the other, many beside each other
 *   command_mutants_explore.c  --explore
 *   command_mutants_print.c    what is said
 */
#ifndef BROWNOUT_SIM_COMMAND_MUTANTS_H
#define BROWNOUT_SIM_COMMAND_MUTANTS_H

#include <sys/types.h>

#include "sim/mutant.h"
#include "sim/mutant_explore.h"
#include "sim/mutant_life.h"
#include "sim/mutant_shrink.h"
#include "sim/run.h"

enum { MUTANTS_MAX = 256 };

struct mutants_call {
    const char *name; /* several with commas between; NULL: all */
    const char *scenario, *source, *build, *law;
    const char *explore, *fuzz, *rates;
    uint64_t runs, jobs, searches, search_us;
    bool all, keep, json, shrink;
    bool ways[MUTANT_WAY_COUNT]; /* --explore: these, in place of the law that each names */
    struct mutant_build *fuzz_build;
    char source_folder[MUTANT_PATH_BYTES], build_folder[MUTANT_PATH_BYTES];
};

/* What came of one planted bug. Plain bytes: it comes through a pipe. */
struct mutants_finding {
    enum mutant_outcome outcome;
    uint64_t seed, event; /* that caught it */
    uint64_t cuts;        /* of a life: in the history that caught it */
    uint64_t also;        /* runs before that broke a law of `also:` */
    uint64_t search_us;   /* from the first run with faults, or cut, to the one that caught it */
    uint64_t wall_us;     /* in all */
    char message[1024];
    char folder[MUTANT_PATH_BYTES];   /* kept; else empty */
    char replay[MUTANT_REPLAY_BYTES]; /* of a life: the id of what caught it; else empty */
    bool is_shrunk;                   /* it was asked for, and the bug was caught */
    struct mutant_shrunk shrunk;
    struct mutant_explored explored[MUTANT_WAY_COUNT];
};

struct mutants_planted {
    struct mutant mutant;
    struct mutants_finding finding;
    pid_t pid; /* 0: not begun, or done */
    int output;
};

const char *mutants_outcome_name(enum mutant_outcome outcome);

/* --explore: what it needs beside the rest of the call. False: error says what is wrong. */
bool mutants_prepare_explore(struct mutants_call *call, char *error, size_t error_bytes);
/* Look for a bug whose patch is applied in `shop`, in every way that is asked. */
void mutants_search(const struct mutants_call *call, const struct mutant_build *build,
                    const struct mutant *mutant, const struct mutant_shop *shop,
                    struct mutants_finding *finding);
/* The ways beside each other, and the file of rates. Returns the exit code. */
int mutants_print_explored(const struct mutants_call *call, const struct mutants_planted *list,
                           uint32_t count);

enum verdict mutants_judge(const struct mutants_planted *list, uint32_t count);
void mutants_print(const struct mutants_call *call, const struct mutants_planted *list,
                   uint32_t count);
void mutants_print_json(const struct mutants_call *call, const struct mutants_planted *list,
                        uint32_t count, enum verdict verdict);

#endif
