#include "sim/spec_compare.h"

#include <inttypes.h>
#include <string.h>

#include "core/check.h"

enum { DIFFERENCE_BYTES = 700 };

static void print_state(const struct spec_instance *instance, const int32_t *cells, char *text,
                        size_t bytes)
{
    size_t length = 0;
    text[0] = '\0';
    for (uint32_t i = 0; i < instance->cell_count && length + 1 < bytes; i++) {
        char name[SPEC_VALUE_BYTES], value[SPEC_VALUE_BYTES];
        spec_print_cell(instance, i, name, sizeof name);
        spec_print_value(&instance->cells[i].domain, cells[i], value, sizeof value);
        const int more =
            snprintf(text + length, bytes - length, "%s%s = %s", i == 0 ? "" : ", ", name, value);
        length += more < 0 ? 0 : (size_t)more;
    }
}

/* A step that only one of the two takes. If the other takes the same action to another state, what
 * differs between those is the better story. */
static bool tell(const struct spec_instance *instance, const int32_t *pre,
                 const struct spec_edge *edge, const int32_t *post, const int32_t *other,
                 bool in_spec, char *error, size_t error_bytes)
{
    char state[DIFFERENCE_BYTES], difference[DIFFERENCE_BYTES];
    print_state(instance, pre, state, sizeof state);
    if (other != NULL) {
        spec_print_difference(instance, in_spec ? post : other, in_spec ? other : post, difference,
                              sizeof difference);
        snprintf(error, error_bytes, "%s makes (spec, not model) %s; in the state %s",
                 instance->actions[edge->action].name, difference, state);
    } else {
        spec_print_difference(instance, post, pre, difference, sizeof difference);
        snprintf(error, error_bytes,
                 "%s is enabled in the %s, and not in the %s (%s); in the state %s",
                 instance->actions[edge->action].name, in_spec ? "spec" : "model",
                 in_spec ? "model" : "spec", difference, state);
    }
    return false;
}

/* The model's steps from a state, as edges of the dump: a state that the dump does not know is
 * UINT32_MAX, and its cells are kept in `strange`. */
static uint64_t list_steps(const struct spec_instance *instance, const struct spec_dump *dump,
                           uint32_t number, struct spec_edge *edges, int32_t *strange)
{
    int32_t post[SPEC_STATE_WORDS_MAX];
    uint64_t count = 0;
    for (uint32_t m = 0; m < instance->move_count; m++) {
        if (!spec_step(instance, &instance->moves[m], spec_states_at(&dump->states, number),
                       post)) {
            continue;
        }
        const uint32_t to = spec_states_find(&dump->states, post);
        if (to == UINT32_MAX) {
            memcpy(strange, post, instance->cell_count * sizeof *post);
        }
        edges[count++] = (struct spec_edge){number, instance->moves[m].action, to};
    }
    return spec_edges_sort(edges, count);
}

static bool is_among(const struct spec_edge *edge, const struct spec_edge *edges, uint64_t count)
{
    for (uint64_t i = 0; i < count; i++) {
        if (edge->action == edges[i].action && edge->post == edges[i].post) {
            return true;
        }
    }
    return false;
}

struct steps {
    const struct spec_edge *list;
    uint64_t count;
};

/* A state that by the same action only the other side reaches; NULL: there is none. */
static const int32_t *same_action(const struct spec_dump *dump, const struct steps *others,
                                  const struct steps *own, uint32_t action, const int32_t *strange)
{
    for (uint64_t i = 0; i < others->count; i++) {
        const struct spec_edge *edge = &others->list[i];
        if (edge->action == action && !is_among(edge, own->list, own->count)) {
            return edge->post == UINT32_MAX ? strange : spec_states_at(&dump->states, edge->post);
        }
    }
    return NULL;
}

static bool compare_state(const struct spec_instance *instance, const struct spec_dump *dump,
                          uint32_t number, const struct steps *theirs, char *error,
                          size_t error_bytes)
{
    struct spec_edge list[SPEC_MOVES_MAX];
    int32_t strange[SPEC_STATE_WORDS_MAX];
    const int32_t *pre = spec_states_at(&dump->states, number);
    const struct steps ours = {list, list_steps(instance, dump, number, list, strange)};
    for (uint64_t i = 0; i < theirs->count; i++) {
        const struct spec_edge *edge = &theirs->list[i];
        if (!is_among(edge, ours.list, ours.count)) {
            return tell(instance, pre, edge, spec_states_at(&dump->states, edge->post),
                        same_action(dump, &ours, theirs, edge->action, strange), true, error,
                        error_bytes);
        }
    }
    for (uint64_t i = 0; i < ours.count; i++) {
        const struct spec_edge *edge = &ours.list[i];
        if (!is_among(edge, theirs->list, theirs->count)) {
            const int32_t *post =
                edge->post == UINT32_MAX ? strange : spec_states_at(&dump->states, edge->post);
            return tell(instance, pre, edge, post,
                        same_action(dump, theirs, &ours, edge->action, strange), false, error,
                        error_bytes);
        }
    }
    return true;
}

static bool compare_initial(const struct spec_instance *instance, const struct spec_dump *dump,
                            char *error, size_t error_bytes)
{
    int32_t state[SPEC_STATE_WORDS_MAX], cells[SPEC_STATE_WORDS_MAX];
    uint32_t found = 0, index = 0;
    for (;; index++) {
        memset(state, 0, sizeof state);
        if (!instance->model->init(instance->k, index, state)) {
            break;
        }
        spec_gather(instance, state, cells);
        const uint32_t number = spec_states_find(&dump->states, cells);
        for (uint32_t i = 0; i < dump->initial_count; i++) {
            found += dump->initial[i] == number ? 1 : 0;
        }
    }
    if (found != index || found != dump->initial_count) {
        snprintf(error, error_bytes,
                 "initial states: %" PRIu32 " in the spec, %" PRIu32 " in the model, %" PRIu32
                 " in both",
                 dump->initial_count, index, found);
        return false;
    }
    return true;
}

bool spec_compare_graph(const struct spec_instance *instance, const struct spec_dump *dump,
                        char *error, size_t error_bytes)
{
    uint64_t at = 0;
    if (!compare_initial(instance, dump, error, error_bytes)) {
        return false;
    }
    for (uint32_t number = 0; number < dump->states.count; number++) {
        const uint64_t first = at;
        while (at < dump->edge_count && dump->edges[at].pre == number) {
            at++;
        }
        const struct steps theirs = {dump->edges + first, at - first};
        if (!compare_state(instance, dump, number, &theirs, error, error_bytes)) {
            return false;
        }
    }
    CHECK(at == dump->edge_count);
    return true;
}
