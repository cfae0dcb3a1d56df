/* Ways to look for a bug that nobody knows of, tried on planted ones: how many runs, and how many
 * seconds of processor time, until one of them breaks a law.
 *
 *   uniform   seeds of the scenario as it stands: its fleet, its fault classes
 *   swarm     each seed draws fleet, configuration and faults anew (sim/swarm.h)
 *   mixed     every other seed as uniform, and every other as swarm (run.swarm=half)
 *   guided    as swarm, and half of the runs are changed plans of runs that showed something new
 *             (sim/guide.h)
 *   fuzz      as swarm, and plans changed by libFuzzer, which keeps those that reach new code of
 *             core (sim/fuzz/fuzz_plan.c); needs a build by clang
 *
 * All but the last are `brownout sweep` by the planted program, as it stands: its canary, and the
 * runs that it lives twice, are paid for. All ways begin with the same scenario. Of a bug's own
 * settings only those count that say what the fleet is there for (firmware.*): faults, windows and
 * sizes chosen for that bug would give it away. All laws judge.
 *
 * A find counts where the program without the bug passes the very same plan.
 */
#ifndef BROWNOUT_SIM_MUTANT_EXPLORE_H
#define BROWNOUT_SIM_MUTANT_EXPLORE_H

#include "sim/mutant.h"

#define MUTANT_WAY_LIST(X)                                                                         \
    X(UNIFORM, "uniform") X(SWARM, "swarm") X(MIXED, "mixed") X(GUIDED, "guided") X(FUZZ, "fuzz")
enum mutant_way {
#define MUTANT_WAY_ENUM(NAME, name) MUTANT_##NAME,
    MUTANT_WAY_LIST(MUTANT_WAY_ENUM)
#undef MUTANT_WAY_ENUM
        MUTANT_WAY_COUNT
};
const char *mutant_way_name(enum mutant_way way);
/* "swarm,guided": which ways. False: error names the word that is none. */
bool mutant_ways_read(const char *text, bool ways[MUTANT_WAY_COUNT], char *error,
                      size_t error_bytes);

enum { MUTANT_SEARCHES_MAX = 20 };
#define MUTANT_EXPLORE_SCENARIO "scenarios/plain_faults.lua"

struct mutant_search {
    bool caught;
    uint64_t runs;   /* to the one that caught it, or all of them */
    uint64_t cpu_us; /* of these, with all that they started */
};

struct mutant_explored {
    bool tried;
    uint32_t count;
    struct mutant_search searches[MUTANT_SEARCHES_MAX];
    char law[32];      /* that the first find broke */
    char message[512]; /* why there is no answer; "": there is one */
};

struct mutant_explore_call {
    const struct mutant *mutant;
    const char *program, *sound; /* with and without the bug; of FUZZ the former is a fuzz_plan */
    const char *scenario;
    const char *folder; /* for databases and plans; what is written there stays */
    uint64_t runs;      /* of a search, at the most */
    uint64_t cpu_us;    /* likewise: what is found later was not found */
    uint32_t searches;  /* 1..MUTANT_SEARCHES_MAX, each with seeds of its own */
};
void mutant_explore(const struct mutant_explore_call *call, enum mutant_way way,
                    struct mutant_explored *explored);

/* How many searches caught it, and the runs of all of them. */
uint32_t mutant_explored_caught(const struct mutant_explored *explored);
uint64_t mutant_explored_runs(const struct mutant_explored *explored);

/* What `brownout sweep --json` and fuzz_plan printed. Behind mutant_explore, and for its test.
 * False: it is no answer. */
struct mutant_sight {
    bool failed;
    uint64_t runs; /* to the failure, or all of them */
    char law[32];
    char plan[MUTANT_PATH_BYTES]; /* fuzz_plan: file of what failed */
};
bool mutant_sweep_understand(const char *output, struct mutant_sight *sight);
bool mutant_fuzz_understand(const char *output, struct mutant_sight *sight);

#endif
