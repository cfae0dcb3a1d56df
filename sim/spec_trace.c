#include "sim/spec_trace.h"

#include <stdlib.h>
#include <string.h>

#include "core/check.h"

const struct spec_domain *spec_trace_key(const struct spec_variable *variable)
{
    if (variable->key_count == 2) {
        return &variable->keys[1];
    }
    return variable->key_count == 1 && variable->keys[0].words != NULL ? &variable->keys[0] : NULL;
}

void spec_trace_add(struct spec_trace *trace, const struct spec_trace_event *event)
{
    CHECK(event->sight_count <= FOLLOW_SIGHTS_MAX);
    if (trace->count == trace->capacity) {
        trace->capacity = trace->capacity == 0 ? 64 : 2 * trace->capacity;
        trace->events = realloc(trace->events, trace->capacity * sizeof *trace->events);
        CHECK(trace->events != NULL);
    }
    trace->events[trace->count++] = *event;
}

void spec_trace_copy(struct spec_trace *trace, const struct spec_trace *from, uint32_t count)
{
    *trace = *from;
    trace->events = NULL;
    trace->count = trace->capacity = 0;
    for (uint32_t i = 0; i < count && i < from->count; i++) {
        spec_trace_add(trace, &from->events[i]);
    }
}

void spec_trace_free(struct spec_trace *trace)
{
    free(trace->events);
    memset(trace, 0, sizeof *trace);
}

/* ---- Damage ---------------------------------------------------------------------------------- */

const char *spec_damage_text(enum spec_damage damage)
{
    static const char *const texts[] = {
#define SPEC_DAMAGE_TEXT(NAME, text) text,
        SPEC_DAMAGE_LIST(SPEC_DAMAGE_TEXT)
#undef SPEC_DAMAGE_TEXT
    };
    CHECK(damage < SPEC_DAMAGE_COUNT);
    return texts[damage];
}

static void take_out(struct spec_trace *trace, uint32_t at)
{
    trace->count--;
    memmove(&trace->events[at], &trace->events[at + 1],
            (trace->count - at) * sizeof *trace->events);
}

static void put_in(struct spec_trace *trace, uint32_t at, const struct spec_trace_event *event)
{
    const struct spec_trace_event copy = *event;
    spec_trace_add(trace, &copy);
    memmove(&trace->events[at + 1], &trace->events[at],
            (trace->count - 1 - at) * sizeof *trace->events);
    trace->events[at] = copy;
}

static void move_event(struct spec_trace *trace, uint32_t from, uint32_t to)
{
    const struct spec_trace_event event = trace->events[from];
    take_out(trace, from);
    put_in(trace, to, &event);
}

/* The last parameter of an event that could have another value (the actor is alone, and cannot);
 * SPEC_PARAMETERS_MAX: there is none. */
static uint32_t free_parameter(const struct spec_model *model, const struct spec_trace *trace,
                               const struct spec_trace_event *event)
{
    struct spec_action actions[SPEC_ACTIONS_MAX];
    if (event->move.action == FOLLOW_LOOK) {
        return SPEC_PARAMETERS_MAX;
    }
    model->actions(trace->k, actions);
    CHECK(event->move.action < model->action_count);
    const struct spec_action *action = &actions[event->move.action];
    for (uint32_t i = action->parameter_count; i > 0; i--) {
        const struct spec_domain *domain = &action->domains[i - 1];
        if (domain->kind == SPEC_INT && domain->low < domain->high) {
            return i - 1;
        }
    }
    return SPEC_PARAMETERS_MAX;
}

static bool can_damage(const struct spec_trace *trace, enum spec_damage damage, uint32_t at,
                       const struct spec_trace *other, const struct spec_model *model)
{
    const struct spec_trace_event *event = &trace->events[at];
    switch (damage) {
    case SPEC_DAMAGE_WRONG_SIGHT:
        return event->sight_count > 0;
    case SPEC_DAMAGE_WRONG_PARAMETER:
    case SPEC_DAMAGE_OUTSIDE:
        return free_parameter(model, trace, event) < SPEC_PARAMETERS_MAX;
    case SPEC_DAMAGE_WRONG_ACTION:
        return event->move.action != trace->events[0].move.action;
    case SPEC_DAMAGE_MISSING:
    case SPEC_DAMAGE_TWICE:
        return true;
    case SPEC_DAMAGE_SWAPPED:
        return at + 1 < trace->count;
    case SPEC_DAMAGE_EARLY:
        return at > 2;
    case SPEC_DAMAGE_LATE:
        return at + 3 < trace->count;
    case SPEC_DAMAGE_FOREIGN:
        return other != NULL && other->count > 0;
    case SPEC_DAMAGE_COUNT:
        break;
    }
    return false;
}

static void put_outside(const struct spec_model *model, const struct spec_trace *trace,
                        struct spec_trace_event *event)
{
    struct spec_action actions[SPEC_ACTIONS_MAX];
    const uint32_t parameter = free_parameter(model, trace, event);
    model->actions(trace->k, actions);
    event->move.parameters[parameter] = actions[event->move.action].domains[parameter].high + 1;
}

static int32_t other_value(const struct spec_domain *domain, int32_t value)
{
    switch (domain->kind) {
    case SPEC_INT:
        return value + 1;
    case SPEC_BOOL:
        return value == 0 ? 1 : 0;
    case SPEC_WORD:
        return value < domain->high ? value + 1 : 0;
    case SPEC_SET:
    case SPEC_WORDS:
        return value ^ set_of(domain->low);
    }
    return value;
}

/* A value of which only one is right; otherwise an element that no set has. */
static void spoil_sight(const struct spec_model *model, const struct spec_trace *trace,
                        struct spec_trace_event *event)
{
    struct spec_variable variables[SPEC_VARIABLES_MAX];
    model->variables(trace->k, variables);
    for (uint32_t i = 0; i < event->sight_count; i++) {
        struct follow_sight *sight = &event->sights[i];
        if (sight->relation == FOLLOW_IS) {
            sight->value = other_value(&variables[sight->variable].domain, sight->value);
            return;
        }
        if (sight->relation == FOLLOW_COUNT) {
            sight->value++;
            return;
        }
    }
    event->sights[0].value = -1;
}

bool spec_trace_damage(struct spec_trace *trace, enum spec_damage damage, uint32_t at,
                       const struct spec_trace *other, const struct spec_model *model)
{
    CHECK(at < trace->count);
    if (!can_damage(trace, damage, at, other, model)) {
        return false;
    }
    struct spec_trace_event *event = &trace->events[at];
    switch (damage) {
    case SPEC_DAMAGE_WRONG_SIGHT:
        spoil_sight(model, trace, event);
        break;
    case SPEC_DAMAGE_WRONG_PARAMETER:
        event->move.parameters[free_parameter(model, trace, event)]++;
        break;
    case SPEC_DAMAGE_OUTSIDE:
        put_outside(model, trace, event);
        break;
    case SPEC_DAMAGE_WRONG_ACTION:
        event->move = trace->events[0].move;
        event->sight_count = 0;
        break;
    case SPEC_DAMAGE_MISSING:
        take_out(trace, at);
        break;
    case SPEC_DAMAGE_TWICE:
        put_in(trace, at, event);
        break;
    case SPEC_DAMAGE_SWAPPED:
        move_event(trace, at + 1, at);
        break;
    case SPEC_DAMAGE_EARLY:
        move_event(trace, at, at / 2);
        break;
    case SPEC_DAMAGE_LATE:
        move_event(trace, at, trace->count - 1);
        break;
    case SPEC_DAMAGE_FOREIGN:
        put_in(trace, at, &other->events[other->count - 1]);
        break;
    case SPEC_DAMAGE_COUNT:
        break;
    }
    return true;
}
