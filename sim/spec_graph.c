#include "sim/spec_graph.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "core/check.h"
#include "sim/hash.h"

enum { SLOTS_MIN = 1024 };

void spec_digest_add(struct spec_digest *digest, const int32_t *row, uint32_t count)
{
    uint64_t hash[2];
    hash_once(row, count * (uint32_t)sizeof *row, hash);
    digest->sum[0] += hash[0];
    digest->sum[1] += hash[1] + (digest->sum[0] < hash[0] ? 1 : 0);
}

bool spec_digest_is(const struct spec_digest *left, const struct spec_digest *right)
{
    return left->sum[0] == right->sum[0] && left->sum[1] == right->sum[1];
}

void spec_digest_edge(struct spec_digest *digest, const struct spec_states *states, uint32_t pre,
                      uint32_t action, uint32_t post)
{
    int32_t row[2 * SPEC_STATE_WORDS_MAX + 1];
    const uint32_t count = states->cell_count;
    row[0] = (int32_t)action;
    memcpy(row + 1, spec_states_at(states, pre), count * sizeof *row);
    memcpy(row + 1 + count, spec_states_at(states, post), count * sizeof *row);
    spec_digest_add(digest, row, 2 * count + 1);
}

/* ---- States ---------------------------------------------------------------------------------- */

void spec_states_init(struct spec_states *states, uint32_t cell_count)
{
    memset(states, 0, sizeof *states);
    states->cell_count = cell_count;
    states->slot_count = SLOTS_MIN;
    states->slots = calloc(states->slot_count, sizeof *states->slots);
    CHECK(states->slots != NULL);
}

void spec_states_free(struct spec_states *states)
{
    free(states->cells);
    free(states->slots);
    memset(states, 0, sizeof *states);
}

const int32_t *spec_states_at(const struct spec_states *states, uint32_t number)
{
    CHECK(number < states->count);
    return states->cells + (size_t)number * states->cell_count;
}

/* The slot of these cells, or the free one where they belong. */
static uint32_t *slot_of(const struct spec_states *states, const int32_t *cells)
{
    const size_t bytes = states->cell_count * sizeof *cells;
    uint64_t hash[2];
    hash_once(cells, (uint32_t)bytes, hash);
    uint32_t at = (uint32_t)hash[0] & (states->slot_count - 1);
    while (states->slots[at] != 0 &&
           memcmp(spec_states_at(states, states->slots[at] - 1), cells, bytes) != 0) {
        at = (at + 1) & (states->slot_count - 1);
    }
    return &states->slots[at];
}

uint32_t spec_states_find(const struct spec_states *states, const int32_t *cells)
{
    return *slot_of(states, cells) - 1;
}

static void grow_slots(struct spec_states *states)
{
    free(states->slots);
    states->slot_count *= 2;
    states->slots = calloc(states->slot_count, sizeof *states->slots);
    CHECK(states->slots != NULL);
    for (uint32_t i = 0; i < states->count; i++) {
        *slot_of(states, spec_states_at(states, i)) = i + 1;
    }
}

uint32_t spec_states_add(struct spec_states *states, const int32_t *cells)
{
    uint32_t *slot = slot_of(states, cells);
    if (*slot != 0) {
        return *slot - 1;
    }
    if (states->count == states->capacity) {
        states->capacity = states->capacity == 0 ? SLOTS_MIN : 2 * states->capacity;
        states->cells = realloc(states->cells, (size_t)states->capacity * states->cell_count *
                                                   sizeof *states->cells);
        CHECK(states->cells != NULL);
    }
    memcpy(states->cells + (size_t)states->count * states->cell_count, cells,
           states->cell_count * sizeof *cells);
    states->count++;
    *slot = states->count;
    if (states->count > states->slot_count / 2) {
        grow_slots(states);
    }
    return states->count - 1;
}

/* ---- Edges ----------------------------------------------------------------------------------- */

static int compare_edges(const void *left, const void *right)
{
    const struct spec_edge *a = left, *b = right;
    if (a->pre != b->pre) {
        return a->pre < b->pre ? -1 : 1;
    }
    if (a->action != b->action) {
        return a->action < b->action ? -1 : 1;
    }
    return a->post < b->post ? -1 : a->post > b->post ? 1 : 0;
}

uint64_t spec_edges_sort(struct spec_edge *edges, uint64_t count)
{
    uint64_t kept = 0;
    qsort(edges, (size_t)count, sizeof *edges, compare_edges);
    for (uint64_t i = 0; i < count; i++) {
        if (i == 0 || compare_edges(&edges[i], &edges[kept - 1]) != 0) {
            edges[kept++] = edges[i];
        }
    }
    return kept;
}

/* ---- Breadth first --------------------------------------------------------------------------- */

/* A new or an old state that was reached. UINT32_MAX: beyond the limit. */
static uint32_t reach(struct spec_graph *graph, const int32_t *cells, uint32_t states_max,
                      uint32_t parent, uint32_t move)
{
    uint32_t number = spec_states_find(&graph->states, cells);
    if (number != UINT32_MAX) {
        return number;
    }
    if (graph->states.count == states_max) {
        graph->whole = false;
        return UINT32_MAX;
    }
    const uint32_t before = graph->states.capacity;
    number = spec_states_add(&graph->states, cells);
    if (graph->states.capacity != before) {
        const size_t bytes = graph->states.capacity * sizeof(uint32_t);
        graph->parents = realloc(graph->parents, bytes);
        graph->moves = realloc(graph->moves, bytes);
        CHECK(graph->parents != NULL && graph->moves != NULL);
    }
    graph->parents[number] = parent == UINT32_MAX ? number : parent;
    graph->moves[number] = move;
    return number;
}

static bool is_inside(const struct spec_graph *graph, const int32_t *cells,
                      const struct spec_move *move, char *error, size_t error_bytes)
{
    const struct spec_instance *instance = graph->instance;
    for (uint32_t i = 0; i < instance->cell_count; i++) {
        const struct spec_domain *domain = &instance->cells[i].domain;
        if (spec_domain_index(domain, cells[i]) == spec_domain_size(domain)) {
            char what[SPEC_MOVE_BYTES] = "Init", cell[SPEC_VALUE_BYTES], value[SPEC_VALUE_BYTES];
            if (move != NULL) {
                spec_print_move(instance, move, what, sizeof what);
            }
            spec_print_cell(instance, i, cell, sizeof cell);
            spec_print_value(domain, cells[i], value, sizeof value);
            snprintf(error, error_bytes,
                     "%s, %s: %s makes %s = %s, which is outside its domain; widen the domain in "
                     "the .def, or mend the action",
                     instance->model->name, instance->name, what, cell, value);
            return false;
        }
    }
    return true;
}

static bool expand(struct spec_graph *graph, uint32_t number, uint32_t states_max, char *error,
                   size_t error_bytes)
{
    const struct spec_instance *instance = graph->instance;
    int32_t state[SPEC_STATE_WORDS_MAX], post[SPEC_STATE_WORDS_MAX];
    struct spec_edge edges[SPEC_MOVES_MAX];
    uint64_t count = 0;
    spec_scatter(instance, spec_states_at(&graph->states, number), state);
    for (uint32_t m = 0; m < instance->move_count; m++) {
        const struct spec_move *move = &instance->moves[m];
        if (!spec_step_from(instance, move, state, post)) {
            continue;
        }
        if (!is_inside(graph, post, move, error, error_bytes)) {
            return false;
        }
        graph->generated++;
        graph->taken[move->action]++;
        const uint32_t to = reach(graph, post, states_max, number, m);
        if (to != UINT32_MAX) {
            edges[count++] = (struct spec_edge){number, move->action, to};
        }
    }
    count = spec_edges_sort(edges, count);
    for (uint64_t i = 0; i < count; i++) {
        spec_digest_edge(&graph->digest, &graph->states, number, edges[i].action, edges[i].post);
    }
    graph->edges += count;
    return true;
}

static bool begin(struct spec_graph *graph, char *error, size_t error_bytes)
{
    const struct spec_instance *instance = graph->instance;
    int32_t state[SPEC_STATE_WORDS_MAX], cells[SPEC_STATE_WORDS_MAX];
    for (uint32_t index = 0;; index++) {
        memset(state, 0, sizeof state);
        if (!instance->model->init(instance->k, index, state)) {
            break;
        }
        spec_gather(instance, state, cells);
        if (!is_inside(graph, cells, NULL, error, error_bytes)) {
            return false;
        }
        graph->generated++;
        const uint32_t before = graph->states.count;
        const uint32_t number = reach(graph, cells, SPEC_STATES_MAX, UINT32_MAX, 0);
        if (number == before) {
            spec_digest_edge(&graph->digest, &graph->states, number, UINT32_MAX, number);
        }
    }
    graph->initial_count = graph->states.count;
    if (graph->initial_count == 0) {
        snprintf(error, error_bytes, "%s, %s: the model has no initial state",
                 instance->model->name, instance->name);
    }
    return graph->initial_count > 0;
}

bool spec_explore(struct spec_graph *graph, const struct spec_instance *instance,
                  uint32_t states_max, char *error, size_t error_bytes)
{
    CHECK(states_max >= 1 && states_max <= SPEC_STATES_MAX);
    memset(graph, 0, sizeof *graph);
    graph->instance = instance;
    graph->whole = true;
    spec_states_init(&graph->states, instance->cell_count);
    if (!begin(graph, error, error_bytes)) {
        return false;
    }
    uint32_t level_end = graph->states.count;
    graph->depth = 1;
    for (uint32_t i = 0; i < graph->states.count; i++) {
        if (i == level_end) {
            graph->depth++;
            level_end = graph->states.count;
        }
        if (!expand(graph, i, states_max, error, error_bytes)) {
            return false;
        }
    }
    return true;
}

void spec_graph_free(struct spec_graph *graph)
{
    spec_states_free(&graph->states);
    free(graph->parents);
    free(graph->moves);
    memset(graph, 0, sizeof *graph);
}
