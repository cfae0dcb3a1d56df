#include "sim/spec_reference.h"

#include <stdlib.h>
#include <string.h>

#include "core/check.h"

/* ---- To take it ------------------------------------------------------------------------------ */

struct list {
    struct spec_taken *items;
    uint32_t count, capacity;
};

static void add(struct list *list, struct spec_taken taken)
{
    if (list->count == list->capacity) {
        list->capacity = list->capacity == 0 ? 1024 : 2 * list->capacity;
        list->items = realloc(list->items, list->capacity * sizeof *list->items);
        CHECK(list->items != NULL);
    }
    list->items[list->count++] = taken;
}

static uint32_t *new_numbers(uint32_t count)
{
    uint32_t *numbers = calloc((size_t)count + 1, sizeof *numbers);
    CHECK(numbers != NULL);
    return numbers;
}

static void take_graph(struct spec_reference *reference)
{
    const struct spec_graph *graph = &reference->subject.reachable;
    const struct spec_instance *instance = &reference->subject.instance;
    int32_t state[SPEC_STATE_WORDS_MAX], post[SPEC_STATE_WORDS_MAX];
    struct list list = {NULL, 0, 0};
    reference->graph_first = new_numbers(graph->states.count);
    for (uint32_t i = 0; i < graph->states.count; i++) {
        spec_scatter(instance, spec_states_at(&graph->states, i), state);
        for (uint32_t m = 0; m < instance->move_count; m++) {
            if (spec_step_from(instance, &instance->moves[m], state, post)) {
                add(&list, (struct spec_taken){m, spec_states_find(&graph->states, post), 0});
            }
        }
        reference->graph_first[i + 1] = list.count;
    }
    reference->graph = list.items;
}

static void take_rows(struct spec_reference *reference)
{
    const struct spec_sample *sample = &reference->subject.sample;
    const struct spec_instance *instance = &reference->subject.instance;
    int32_t state[SPEC_STATE_WORDS_MAX], post[SPEC_STATE_WORDS_MAX];
    struct list list = {NULL, 0, 0};
    spec_states_init(&reference->posts, instance->cell_count);
    reference->row_first = new_numbers(sample->count);
    reference->holds = new_numbers(sample->count);
    reference->pairs = new_numbers(sample->count);
    for (uint32_t row = 0; row < sample->count; row++) {
        const int32_t *pre = spec_sample_at(sample, row);
        spec_scatter(instance, pre, state);
        for (uint32_t m = 0; m < instance->move_count; m++) {
            if (spec_step_from(instance, &instance->moves[m], state, post)) {
                add(&list, (struct spec_taken){m, spec_states_add(&reference->posts, post),
                                               spec_allows(instance, pre, post)});
            }
        }
        reference->row_first[row + 1] = list.count;
        reference->holds[row] = spec_holds(instance, pre);
        reference->pairs[row] =
            spec_allows(instance, pre, spec_sample_at(sample, spec_sample_partner(sample, row)));
    }
    reference->rows = list.items;
}

void spec_reference_take(struct spec_reference *reference, const struct spec_subject *subject)
{
    memset(reference, 0, sizeof *reference);
    reference->subject = *subject;
    /* Graph and sample point to the instance that they were made of. */
    reference->subject.reachable.instance = &reference->subject.instance;
    reference->subject.sample.instance = &reference->subject.instance;
    if (subject->graph) {
        take_graph(reference);
    }
    if (subject->steps) {
        take_rows(reference);
    }
}

void spec_reference_free(struct spec_reference *reference)
{
    spec_subject_end(&reference->subject);
    spec_states_free(&reference->posts);
    free(reference->graph_first);
    free(reference->row_first);
    free(reference->graph);
    free(reference->rows);
    free(reference->holds);
    free(reference->pairs);
    memset(reference, 0, sizeof *reference);
}

/* ---- To hold another one against it ---------------------------------------------------------- */

/* All initial states, and no other. */
static bool has_initial(const struct spec_reference *reference)
{
    const struct spec_graph *graph = &reference->subject.reachable;
    const struct spec_instance *instance = &reference->subject.instance;
    int32_t state[SPEC_STATE_WORDS_MAX], cells[SPEC_STATE_WORDS_MAX];
    uint32_t *seen = new_numbers(graph->initial_count), count = 0;
    bool same = true;
    for (uint32_t index = 0; same; index++) {
        memset(state, 0, sizeof state);
        if (!instance->model->init(instance->k, index, state)) {
            break;
        }
        spec_gather(instance, state, cells);
        const uint32_t number = spec_states_find(&graph->states, cells);
        same = number < graph->initial_count; /* they are the first ones */
        count += same && seen[number]++ == 0 ? 1 : 0;
    }
    free(seen);
    return same && count == graph->initial_count;
}

/* Which move leads where is no matter: the graph knows actions only. */
static bool has_edges(const struct spec_reference *reference, uint32_t number, const int32_t *state)
{
    const struct spec_graph *graph = &reference->subject.reachable;
    const struct spec_instance *instance = &reference->subject.instance;
    struct spec_edge ours[SPEC_MOVES_MAX], theirs[SPEC_MOVES_MAX];
    int32_t post[SPEC_STATE_WORDS_MAX];
    uint64_t our_count = 0, their_count = 0;
    for (uint32_t m = 0; m < instance->move_count; m++) {
        const struct spec_move *move = &instance->moves[m];
        if (spec_step_from(instance, move, state, post)) {
            ours[our_count++] =
                (struct spec_edge){number, move->action, spec_states_find(&graph->states, post)};
        }
    }
    for (uint32_t i = reference->graph_first[number]; i < reference->graph_first[number + 1]; i++) {
        const struct spec_taken *taken = &reference->graph[i];
        theirs[their_count++] =
            (struct spec_edge){number, instance->moves[taken->move].action, taken->post};
    }
    our_count = spec_edges_sort(ours, our_count);
    their_count = spec_edges_sort(theirs, their_count);
    bool same = our_count == their_count;
    for (uint64_t i = 0; same && i < our_count; i++) {
        same = ours[i].action == theirs[i].action && ours[i].post == theirs[i].post;
    }
    return same;
}

/* From this state each move of `taken` leads to where it did, and no other is enabled. */
static bool takes(const struct spec_instance *instance, const int32_t *state,
                  const struct spec_taken *taken, const struct spec_taken *end,
                  const struct spec_states *posts)
{
    int32_t post[SPEC_STATE_WORDS_MAX];
    for (uint32_t m = 0; m < instance->move_count; m++) {
        const bool expected = taken < end && taken->move == m;
        if (spec_step_from(instance, &instance->moves[m], state, post) != expected) {
            return false;
        }
        if (expected && memcmp(post, spec_states_at(posts, taken->post),
                               instance->cell_count * sizeof *post) != 0) {
            return false;
        }
        taken += expected ? 1 : 0;
    }
    return true;
}

bool spec_reference_has_graph(const struct spec_reference *reference)
{
    const struct spec_states *states = &reference->subject.reachable.states;
    const struct spec_instance *instance = &reference->subject.instance;
    int32_t state[SPEC_STATE_WORDS_MAX];
    bool same = has_initial(reference);
    for (uint32_t i = 0; same && i < states->count; i++) {
        spec_scatter(instance, spec_states_at(states, i), state);
        same = takes(instance, state, reference->graph + reference->graph_first[i],
                     reference->graph + reference->graph_first[i + 1], states) ||
               has_edges(reference, i, state);
    }
    return same;
}

static bool claims(const struct spec_reference *reference, uint32_t row)
{
    const struct spec_sample *sample = &reference->subject.sample;
    const struct spec_instance *instance = &reference->subject.instance;
    const int32_t *pre = spec_sample_at(sample, row);
    bool same = spec_holds(instance, pre) == reference->holds[row];
    for (uint32_t i = reference->row_first[row]; same && i < reference->row_first[row + 1]; i++) {
        const struct spec_taken *taken = &reference->rows[i];
        same = spec_allows(instance, pre, spec_states_at(&reference->posts, taken->post)) ==
               taken->allows;
    }
    if (same && row % 2 == 0) {
        const int32_t *partner = spec_sample_at(sample, spec_sample_partner(sample, row));
        same = spec_allows(instance, pre, partner) == reference->pairs[row];
    }
    return same;
}

enum spec_difference spec_reference_has_rows(const struct spec_reference *reference)
{
    const struct spec_sample *sample = &reference->subject.sample;
    const struct spec_instance *instance = &reference->subject.instance;
    int32_t state[SPEC_STATE_WORDS_MAX];
    for (uint32_t row = 0; row < sample->count; row++) {
        spec_scatter(instance, spec_sample_at(sample, row), state);
        if (!takes(instance, state, reference->rows + reference->row_first[row],
                   reference->rows + reference->row_first[row + 1], &reference->posts)) {
            return SPEC_OTHER_STEP;
        }
        if (!claims(reference, row)) {
            return SPEC_OTHER_CLAIM;
        }
    }
    return SPEC_NO_DIFFERENCE;
}
