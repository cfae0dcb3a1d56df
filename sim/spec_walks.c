#include "sim/spec_walks.h"

#include <stdlib.h>
#include <string.h>

#include "core/check.h"

/* All enabled moves, state by state, and which of them have been taken. */
struct atlas {
    struct spec_ways ways;
    uint8_t *taken;
    uint32_t *untaken;  /* of each state: how many ways out are not taken yet */
    uint32_t *previous; /* of a search: the way by which a state was reached, from where */
    uint32_t *from, *queue, *seen;
    uint32_t search;
    uint32_t *first_open; /* of each state: no way before this one is open */
};

static void *allocate(uint64_t count, size_t bytes)
{
    void *memory = calloc((size_t)(count == 0 ? 1 : count), bytes);
    CHECK(memory != NULL);
    return memory;
}

void spec_ways_make(struct spec_ways *ways, const struct spec_graph *graph)
{
    const struct spec_instance *instance = graph->instance;
    const uint32_t states = graph->states.count;
    const uint64_t room = graph->generated; /* initial states are counted in: enough */
    int32_t state[SPEC_STATE_WORDS_MAX], post[SPEC_STATE_WORDS_MAX];
    uint64_t count = 0;
    CHECK(graph->whole);
    ways->begins = allocate((uint64_t)states + 1, sizeof *ways->begins);
    ways->moves = allocate(room, sizeof *ways->moves);
    ways->targets = allocate(room, sizeof *ways->targets);
    for (uint32_t i = 0; i < states; i++) {
        ways->begins[i] = count;
        spec_scatter(instance, spec_states_at(&graph->states, i), state);
        for (uint32_t m = 0; m < instance->move_count; m++) {
            if (spec_step_from(instance, &instance->moves[m], state, post)) {
                ways->moves[count] = m;
                ways->targets[count++] = spec_states_find(&graph->states, post);
            }
        }
    }
    ways->begins[states] = count;
}

void spec_ways_free(struct spec_ways *ways)
{
    free(ways->begins);
    free(ways->moves);
    free(ways->targets);
    memset(ways, 0, sizeof *ways);
}

static void atlas_make(struct atlas *atlas, const struct spec_graph *graph)
{
    const uint32_t states = graph->states.count;
    memset(atlas, 0, sizeof *atlas);
    spec_ways_make(&atlas->ways, graph);
    atlas->taken = allocate(atlas->ways.begins[states], 1);
    atlas->untaken = allocate(states, sizeof *atlas->untaken);
    atlas->previous = allocate(states, sizeof *atlas->previous);
    atlas->from = allocate(states, sizeof *atlas->from);
    atlas->queue = allocate(states, sizeof *atlas->queue);
    atlas->seen = allocate(states, sizeof *atlas->seen);
    atlas->first_open = allocate(states, sizeof *atlas->first_open);
    for (uint32_t i = 0; i < states; i++) {
        atlas->untaken[i] = (uint32_t)(atlas->ways.begins[i + 1] - atlas->ways.begins[i]);
    }
}

static void atlas_free(struct atlas *atlas)
{
    spec_ways_free(&atlas->ways);
    free(atlas->taken);
    free(atlas->untaken);
    free(atlas->previous);
    free(atlas->from);
    free(atlas->queue);
    free(atlas->seen);
    free(atlas->first_open);
}

static void add_step(struct spec_walks *walks, uint32_t move, uint32_t state)
{
    if (walks->step_count == walks->step_capacity) {
        walks->step_capacity = walks->step_capacity == 0 ? 1024 : 2 * walks->step_capacity;
        walks->steps = realloc(walks->steps, walks->step_capacity * sizeof *walks->steps);
        CHECK(walks->steps != NULL);
    }
    walks->steps[walks->step_count++] = (struct spec_walk_step){move, state};
}

static void begin_walk(struct spec_walks *walks, uint32_t initial)
{
    const size_t count = walks->walk_count + 2u;
    walks->begins = realloc(walks->begins, count * sizeof *walks->begins);
    walks->initial = realloc(walks->initial, count * sizeof *walks->initial);
    CHECK(walks->begins != NULL && walks->initial != NULL);
    walks->begins[walks->walk_count] = walks->step_count;
    walks->initial[walks->walk_count++] = initial;
    walks->begins[walks->walk_count] = walks->step_count;
}

/* Take one way out of `state`; where it leads. */
static uint32_t take(struct spec_walks *walks, struct atlas *atlas, uint32_t state, uint64_t way)
{
    if (!atlas->taken[way]) {
        atlas->taken[way] = 1;
        atlas->untaken[state]--;
        walks->edges++;
    }
    add_step(walks, atlas->ways.moves[way], atlas->ways.targets[way]);
    walks->begins[walks->walk_count] = walks->step_count;
    return atlas->ways.targets[way];
}

static uint64_t open_way(struct atlas *atlas, uint32_t state)
{
    uint64_t way = atlas->ways.begins[state] + atlas->first_open[state];
    while (atlas->taken[way]) {
        way++;
    }
    atlas->first_open[state] = (uint32_t)(way - atlas->ways.begins[state]);
    return way;
}

/* The nearest state with a way that is not taken, from `state`; UINT32_MAX: none is in reach. */
static uint32_t search(struct atlas *atlas, uint32_t state)
{
    uint32_t head = 0, tail = 0;
    atlas->search++;
    atlas->seen[state] = atlas->search;
    atlas->queue[tail++] = state;
    while (head < tail) {
        const uint32_t at = atlas->queue[head++];
        if (atlas->untaken[at] > 0) {
            return at;
        }
        for (uint64_t way = atlas->ways.begins[at]; way < atlas->ways.begins[at + 1]; way++) {
            const uint32_t to = atlas->ways.targets[way];
            if (atlas->seen[to] != atlas->search) {
                atlas->seen[to] = atlas->search;
                atlas->previous[to] = (uint32_t)(way - atlas->ways.begins[at]);
                atlas->from[to] = at;
                atlas->queue[tail++] = to;
            }
        }
    }
    return UINT32_MAX;
}

/* Along the ways that the last search found. */
static void go(struct spec_walks *walks, struct atlas *atlas, uint32_t from, uint32_t to)
{
    uint32_t length = 0;
    for (uint32_t at = to; at != from; at = atlas->from[at]) {
        atlas->queue[length++] = at;
    }
    for (uint32_t at = from; length > 0; length--) {
        const uint32_t next = atlas->queue[length - 1];
        at = take(walks, atlas, at, atlas->ways.begins[at] + atlas->previous[next]);
    }
}

/* One walk from an initial state, while there are new edges in reach. */
static bool walk(struct spec_walks *walks, struct atlas *atlas, uint32_t initial,
                 uint32_t steps_max)
{
    uint32_t at = initial, target = search(atlas, initial);
    if (target == UINT32_MAX) {
        return false;
    }
    begin_walk(walks, initial);
    const uint32_t begin = walks->step_count;
    while (target != UINT32_MAX && walks->step_count - begin < steps_max) {
        go(walks, atlas, at, target);
        at = target;
        while (atlas->untaken[at] > 0 && walks->step_count - begin < steps_max) {
            at = take(walks, atlas, at, open_way(atlas, at));
        }
        target = search(atlas, at);
    }
    return true;
}

void spec_walks_cover(struct spec_walks *walks, const struct spec_graph *graph, uint32_t steps_max)
{
    struct atlas atlas;
    CHECK(graph->whole && steps_max >= 1);
    memset(walks, 0, sizeof *walks);
    atlas_make(&atlas, graph);
    for (uint32_t i = 0; i < graph->initial_count; i++) {
        while (walk(walks, &atlas, i, steps_max)) {
        }
    }
    CHECK(walks->edges == atlas.ways.begins[graph->states.count]);
    atlas_free(&atlas);
}

void spec_walks_free(struct spec_walks *walks)
{
    free(walks->begins);
    free(walks->initial);
    free(walks->steps);
    memset(walks, 0, sizeof *walks);
}

void spec_walks_to(struct spec_walks *walks, const struct spec_graph *graph, uint32_t state)
{
    uint32_t length = 0, at = state;
    memset(walks, 0, sizeof *walks);
    while (graph->parents[at] != at) {
        at = graph->parents[at];
        length++;
    }
    begin_walk(walks, at);
    for (uint32_t i = 0; i < length; i++) {
        add_step(walks, 0, 0);
    }
    for (at = state; graph->parents[at] != at; at = graph->parents[at]) {
        walks->steps[--length] = (struct spec_walk_step){graph->moves[at], at};
    }
    walks->begins[1] = walks->step_count;
    walks->edges = walks->step_count;
}

/* ---- Broken claims --------------------------------------------------------------------------- */

static uint32_t index_of(const char *const *names, uint32_t count, const char *name)
{
    for (uint32_t i = 0; i < count; i++) {
        if (strcmp(names[i], name) == 0) {
            return i;
        }
    }
    return UINT32_MAX;
}

bool spec_find_broken(const struct spec_graph *graph, const char *claim, uint32_t *state,
                      uint32_t *move)
{
    const struct spec_instance *instance = graph->instance;
    const struct spec_model *model = instance->model;
    const uint32_t invariant = index_of(model->invariants, model->invariant_count, claim);
    const uint32_t property = index_of(model->properties, model->property_count, claim);
    int32_t post[SPEC_STATE_WORDS_MAX];
    for (uint32_t i = 0; i < graph->states.count; i++) {
        const int32_t *pre = spec_states_at(&graph->states, i);
        *state = i;
        *move = UINT32_MAX;
        if (invariant != UINT32_MAX && (spec_holds(instance, pre) >> invariant & 1) == 0) {
            return true;
        }
        for (uint32_t m = 0; property != UINT32_MAX && m < instance->move_count; m++) {
            *move = m;
            if (spec_step(instance, &instance->moves[m], pre, post) &&
                (spec_allows(instance, pre, post) >> property & 1) == 0) {
                return true;
            }
        }
    }
    return false;
}

bool spec_walks_break(struct spec_walks *walks, const struct spec_graph *graph,
                      const struct spec_config *config, char *error, size_t error_bytes)
{
    const char *claim =
        config->invariants.count > 0 ? config->invariants.list[0] : config->properties.list[0];
    uint32_t state, move;
    int32_t post[SPEC_STATE_WORDS_MAX];
    if (!spec_find_broken(graph, claim, &state, &move)) {
        snprintf(error, error_bytes,
                 "%s: no reachable state or step breaks %s; a response (~>) is for TLC alone",
                 config->path, claim);
        return false;
    }
    spec_walks_to(walks, graph, state);
    if (move != UINT32_MAX) { /* the step itself comes last */
        (void)spec_step(graph->instance, &graph->instance->moves[move],
                        spec_states_at(&graph->states, state), post);
        add_step(walks, move, spec_states_find(&graph->states, post));
        walks->begins[1] = walks->step_count;
    }
    return true;
}
