/* Walks over a law's reachable graph that take every edge: what a real core must be able to do, and
 * what its observable state must be after each step. Also the shortest way to a state, for the
 * counterexample of a broken claim.
 */
#ifndef BROWNOUT_SIM_SPEC_WALKS_H
#define BROWNOUT_SIM_SPEC_WALKS_H

#include "sim/spec_graph.h"

/* All enabled moves, state by state: ways begins[s] up to begins[s + 1] lead out of state s. */
struct spec_ways {
    uint64_t *begins; /* [states + 1] */
    uint32_t *moves, *targets;
};
/* graph: whole. */
void spec_ways_make(struct spec_ways *ways, const struct spec_graph *graph);
void spec_ways_free(struct spec_ways *ways);

/* One step: which move, and the state that it leads to. */
struct spec_walk_step {
    uint32_t move, state;
};

struct spec_walks {
    uint32_t walk_count;
    uint32_t *begins;  /* [walk_count + 1]: the first step of each walk */
    uint32_t *initial; /* [walk_count]: the state in which it begins */
    uint32_t step_count, step_capacity;
    struct spec_walk_step *steps;
    uint64_t edges; /* that they take, each at least once: (state, move), moves that change nothing
                       included */
};

/* Greedy: on along an edge not yet taken, else the shortest way to one, else a new walk from an
 * initial state. steps_max: no walk is longer by its free will; it ends when it has no more new
 * edges near. graph: whole. */
void spec_walks_cover(struct spec_walks *walks, const struct spec_graph *graph, uint32_t steps_max);
void spec_walks_free(struct spec_walks *walks);

/* The shortest walk from an initial state to `state`; to be freed as any other. */
void spec_walks_to(struct spec_walks *walks, const struct spec_graph *graph, uint32_t state);

/* A state (or the end of a step, for action properties) in which a claim is broken, nearest to the
 * beginning; false: there is none. *move: UINT32_MAX for an invariant; for an action property the
 * step from *state that breaks it. */
bool spec_find_broken(const struct spec_graph *graph, const char *claim, uint32_t *state,
                      uint32_t *move);

/* The shortest walk that breaks the first claim of a configuration, as TLC would show it; its last
 * step is the one that breaks it. False: error says that nothing does. */
bool spec_walks_break(struct spec_walks *walks, const struct spec_graph *graph,
                      const struct spec_config *config, char *error, size_t error_bytes);

#endif
