/* The reachable states of an instance, breadth first, and what is known of its edges.
 *
 * A digest is the sum, modulo 2^128, of the hashes of distinct rows: it says which rows there are
 * whatever their order, and no row need be kept.
 */
#ifndef BROWNOUT_SIM_SPEC_GRAPH_H
#define BROWNOUT_SIM_SPEC_GRAPH_H

#include "sim/spec_instance.h"

enum { SPEC_STATES_MAX = 5000000 };

struct spec_digest {
    uint64_t sum[2];
};
void spec_digest_add(struct spec_digest *digest, const int32_t *row, uint32_t count);
bool spec_digest_is(const struct spec_digest *left, const struct spec_digest *right);

/* States by number, in the order in which they were added. */
struct spec_states {
    uint32_t cell_count, count, capacity, slot_count;
    int32_t *cells;
    uint32_t *slots; /* open addressing; 1 + number of the state; 0: free */
};
void spec_states_init(struct spec_states *states, uint32_t cell_count);
void spec_states_free(struct spec_states *states);
const int32_t *spec_states_at(const struct spec_states *states, uint32_t number);
/* UINT32_MAX: it is not there. */
uint32_t spec_states_find(const struct spec_states *states, const int32_t *cells);
/* Its number, old or new. */
uint32_t spec_states_add(struct spec_states *states, const int32_t *cells);

struct spec_edge {
    uint32_t pre, action, post; /* numbers of states */
};
/* Sort by pre, action, post; drop what is there twice. The new count. */
uint64_t spec_edges_sort(struct spec_edge *edges, uint64_t count);

struct spec_graph {
    const struct spec_instance *instance;
    struct spec_states states;
    uint32_t *parents; /* of each state: where it was reached from first; its own number: initial */
    uint32_t *moves;   /* and by which move */
    uint32_t initial_count;
    uint32_t depth;     /* levels, as TLC counts them */
    uint64_t generated; /* initial states and enabled moves, as TLC counts them */
    uint64_t edges;     /* distinct (state, action, state) */
    uint64_t taken[SPEC_ACTIONS_MAX];
    struct spec_digest digest; /* of initial states and edges */
    bool whole;                /* false: there are more states than the limit */
};

/* False: error says which step leaves the domain of its variable. */
bool spec_explore(struct spec_graph *graph, const struct spec_instance *instance,
                  uint32_t states_max, char *error, size_t error_bytes);
void spec_graph_free(struct spec_graph *graph);

/* What a graph's digest is the sum of: initial states (action UINT32_MAX, pre = post) and edges. */
void spec_digest_edge(struct spec_digest *digest, const struct spec_states *states, uint32_t pre,
                      uint32_t action, uint32_t post);

#endif
