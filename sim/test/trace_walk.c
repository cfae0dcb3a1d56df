#include "sim/test/trace_walk.h"

#include <stdlib.h>
#include <string.h>

#include "core/check.h"
#include "sim/random.h"

enum { RARE = 40, TRIES = 1000 };

/* One actor, and steps that are small against what there is. */
static int32_t value_of(const struct spec_constant *constant)
{
    static const struct {
        const char *name;
        int32_t value;
    } small[] = {{"Devices", 1}, {"ReserveBy", 2}, {"WindowBits", 4}, {"Windows", 1}};
    for (uint32_t i = 0; i < sizeof small / sizeof small[0]; i++) {
        if (strcmp(constant->name, small[i].name) == 0) {
            return small[i].value;
        }
    }
    return constant->high;
}

void trace_walk_instance(struct spec_instance *instance, const struct spec_model *model,
                         const struct spec_config *config)
{
    char error[512] = "";
    struct spec_config great = *config;
    for (uint32_t i = 0; i < great.constant_count; i++) {
        struct spec_config_constant *constant = &great.constants[i];
        for (uint32_t at = 0; at < model->constant_count; at++) {
            if (strcmp(model->constants[at].name, constant->name) == 0 && !constant->is_bool) {
                constant->value = value_of(&model->constants[at]);
            }
        }
    }
    const bool good = spec_instance_init(instance, model, &great, error, sizeof error);
    if (!good) {
        fprintf(stderr, "%s\n", error);
    }
    CHECK(good);
}

/* The word of the variable, or of its element [1] or [1][key]; false: it has no such element. */
static bool word_of(const struct spec_variable *variable, const struct follow_sight *sight,
                    uint32_t *word)
{
    const struct spec_domain *key = spec_trace_key(variable);
    *word = variable->word;
    if (variable->key_count == 0) {
        return true;
    }
    if (key == &variable->keys[0]) {
        *word += (uint32_t)sight->key;
        return true;
    }
    *word += SPEC_TRACE_ACTOR * variable->capacity[1] + (uint32_t)sight->key;
    return variable->keys[0].words == NULL && variable->keys[0].low <= SPEC_TRACE_ACTOR &&
           variable->keys[0].high >= SPEC_TRACE_ACTOR;
}

static bool is_seen(const struct spec_variable *variable, const struct follow_sight *sight,
                    const int32_t *state)
{
    uint32_t word;
    CHECK(word_of(variable, sight, &word));
    switch (sight->relation) {
    case FOLLOW_IS:
        return state[word] == sight->value;
    case FOLLOW_COUNT:
        return set_count(state[word]) == sight->value;
    case FOLLOW_HAS:
        return sight->value >= 0 && sight->value <= SPEC_ELEMENT_MAX &&
               set_has(state[word], sight->value);
    }
    return false;
}

/* As in a run, an action shows the same few variables each time. */
static void look(struct spec_trace_event *event, const struct spec_instance *instance,
                 const int32_t *state, uint64_t draw)
{
    for (uint32_t i = 0; i < draw % 3; i++) {
        const uint32_t v = (event->move.action * 5 + i * 3) % instance->model->variable_count;
        const struct spec_variable *variable = &instance->variables[v];
        struct follow_sight sight = {.variable = v};
        uint32_t word;
        const struct spec_domain *key = spec_trace_key(variable);
        sight.key = key != NULL ? key->low : 0;
        sight.key = key != NULL && key->words != NULL && draw >> 8 & 1 ? key->high : sight.key;
        if (!word_of(variable, &sight, &word)) {
            continue;
        }
        sight.value = state[word];
        if (variable->domain.kind == SPEC_SET) {
            const bool has = state[word] != 0 && i == 0;
            sight.relation = has ? FOLLOW_HAS : FOLLOW_COUNT;
            sight.value = has ? set_least(state[word], 0) : set_count(state[word]);
        }
        event->sights[event->sight_count++] = sight;
    }
}

static bool all_hold(const struct spec_model *model, const int32_t *k, const int32_t *state)
{
    for (uint32_t i = 0; i < model->invariant_count; i++) {
        if (!model->holds(k, i, state)) {
            return false;
        }
    }
    return true;
}

/* Faults, and steps that change nothing, are rare: otherwise nothing else would happen. */
static bool is_wanted(const struct spec_instance *instance, const struct spec_move *move,
                      const int32_t *pre, const int32_t *post, uint64_t draw)
{
    const bool fault = instance->actions[move->action].actor == SPEC_FAULT;
    const bool idle = memcmp(pre, post, instance->model->state_words * sizeof *pre) == 0;
    return (!fault && !idle) || draw % RARE == 0;
}

void trace_walk(struct spec_trace *trace, const struct spec_instance *instance, uint64_t seed,
                uint32_t count)
{
    int32_t state[SPEC_STATE_WORDS_MAX] = {0}, post[SPEC_STATE_WORDS_MAX];
    const struct spec_model *model = instance->model;
    memset(trace, 0, sizeof *trace);
    memcpy(trace->k, instance->k, sizeof trace->k);
    trace->actor = SPEC_TRACE_ACTOR;
    CHECK(model->init(instance->k, 0, state));
    for (uint32_t i = 0, tries = 0; i < count && tries < TRIES * count; tries++) {
        const uint64_t draw = random_at(seed, tries);
        struct spec_trace_event event = {.shown = {.event = i, .kind = UINT32_MAX}};
        event.move = instance->moves[draw % instance->move_count];
        memcpy(post, state, sizeof post);
        if (model->step(instance->k, event.move.action, event.move.parameters, post) &&
            is_wanted(instance, &event.move, state, post, draw >> 24)) {
            memcpy(state, post, sizeof state);
            look(&event, instance, state, draw >> 16);
            spec_trace_add(trace, &event);
            i++;
        }
    }
}

static bool in_domains(const struct spec_model *model, const int32_t *k,
                       const struct spec_move *move)
{
    struct spec_action actions[SPEC_ACTIONS_MAX];
    bool good = true;
    model->actions(k, actions);
    for (uint32_t i = 0; i < actions[move->action].parameter_count; i++) {
        const struct spec_domain *domain = &actions[move->action].domains[i];
        good = good && spec_domain_index(domain, move->parameters[i]) < spec_domain_size(domain);
    }
    return good;
}

uint32_t trace_walk_refused(const struct spec_model *model, const int32_t *k,
                            const struct spec_trace *trace)
{
    struct spec_variable variables[SPEC_VARIABLES_MAX];
    int32_t state[SPEC_STATE_WORDS_MAX] = {0};
    model->variables(k, variables);
    CHECK(model->init(k, 0, state));
    for (uint32_t i = 0; i < trace->count; i++) {
        const struct spec_trace_event *event = &trace->events[i];
        const bool looks = event->move.action == FOLLOW_LOOK;
        bool good =
            (looks || (in_domains(model, k, &event->move) &&
                       model->step(k, event->move.action, event->move.parameters, state))) &&
            all_hold(model, k, state);
        for (uint32_t s = 0; good && s < event->sight_count; s++) {
            good = is_seen(&variables[event->sights[s].variable], &event->sights[s], state);
        }
        if (!good) {
            return i;
        }
    }
    return UINT32_MAX;
}
