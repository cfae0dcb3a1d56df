#include "sim/spec_pack.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "core/check.h"

static bool gather_forms(struct spec_pack *pack, const struct spec_trace *const *traces,
                         char *error, size_t error_bytes);
static bool lay_out(struct spec_pack *pack, char *error, size_t error_bytes);
static void write_numbers(struct spec_pack *pack, const struct spec_trace *const *traces);

bool spec_pack_make(struct spec_pack *pack, const struct spec_model *model, const int32_t *k,
                    const struct spec_trace *const *traces, uint32_t trace_count, char *error,
                    size_t error_bytes)
{
    struct spec_instance *instance = &pack->instance;
    memset(pack, 0, sizeof *pack);
    instance->model = model;
    memcpy(instance->k, k, model->constant_count * sizeof *k);
    model->variables(instance->k, instance->variables);
    model->actions(instance->k, instance->actions);
    pack->trace_count = trace_count;
    if (!gather_forms(pack, traces, error, error_bytes) || !lay_out(pack, error, error_bytes)) {
        return false;
    }
    write_numbers(pack, traces);
    return true;
}

void spec_pack_free(struct spec_pack *pack)
{
    free(pack->begins);
    free(pack->numbers);
    pack->begins = NULL;
    pack->numbers = NULL;
}

/* ---- Forms ----------------------------------------------------------------------------------- */

bool spec_domain_has(const struct spec_domain *domain, int32_t value)
{
    return spec_domain_index(domain, value) < spec_domain_size(domain);
}

static uint32_t parameter_count(const struct spec_pack *pack, uint32_t action)
{
    return action == FOLLOW_LOOK ? 0 : pack->instance.actions[action].parameter_count;
}

static uint32_t field_count(const struct spec_pack *pack, const struct spec_form *form)
{
    return parameter_count(pack, form->action) + form->sight_count;
}

struct spec_domain spec_form_domain(const struct spec_pack *pack, const struct spec_form *form,
                                    uint32_t field)
{
    const uint32_t parameters = parameter_count(pack, form->action);
    if (field < parameters) {
        return pack->instance.actions[form->action].domains[field];
    }
    const struct follow_sight *sight = &form->sights[field - parameters];
    return sight->relation == FOLLOW_IS ? pack->instance.variables[sight->variable].domain
                                        : spec_domain(SPEC_INT, INT32_MIN, INT32_MAX, NULL);
}

static int32_t field_value(const struct spec_pack *pack, const struct spec_trace_event *event,
                           uint32_t field)
{
    const uint32_t parameters = parameter_count(pack, event->move.action);
    return field < parameters ? event->move.parameters[field]
                              : event->sights[field - parameters].value;
}

static bool is_form(const struct spec_form *form, const struct spec_trace_event *event)
{
    bool same = form->action == event->move.action && form->sight_count == event->sight_count;
    for (uint32_t i = 0; same && i < form->sight_count; i++) {
        same = form->sights[i].variable == event->sights[i].variable &&
               form->sights[i].relation == event->sights[i].relation &&
               form->sights[i].key == event->sights[i].key;
    }
    return same;
}

/* NULL: there are too many. */
static struct spec_form *form_of(struct spec_pack *pack, const struct spec_trace_event *event)
{
    for (uint32_t i = 0; i < pack->form_count; i++) {
        if (is_form(&pack->forms[i], event)) {
            return &pack->forms[i];
        }
    }
    if (pack->form_count == SPEC_FORMS_MAX) {
        return NULL;
    }
    struct spec_form *form = &pack->forms[pack->form_count++];
    form->action = event->move.action;
    form->sight_count = event->sight_count;
    for (uint32_t i = 0; i < form->sight_count; i++) {
        form->sights[i] = event->sights[i];
        form->sights[i].value = 0;
    }
    for (uint32_t i = 0; i < field_count(pack, form); i++) {
        form->fields[i].low = INT32_MAX;
        form->fields[i].high = INT32_MIN;
    }
    return form;
}

/* What a follower may tell of: the actions and variables of its law. NULL: it does. */
static const char *what_is_wrong(const struct spec_pack *pack, const struct spec_trace_event *event)
{
    const struct spec_model *model = pack->instance.model;
    if (event->move.action >= model->action_count && event->move.action != FOLLOW_LOOK) {
        return "it has no such action";
    }
    for (uint32_t i = 0; i < event->sight_count; i++) {
        const struct follow_sight *sight = &event->sights[i];
        if (sight->variable >= model->variable_count) {
            return "it has no such variable";
        }
        const struct spec_variable *variable = &pack->instance.variables[sight->variable];
        const struct spec_domain *key = spec_trace_key(variable);
        if (key != NULL && !spec_domain_has(key, sight->key)) {
            return "a variable has no such key";
        }
        if (sight->relation != FOLLOW_IS && variable->domain.kind != SPEC_SET) {
            return "a variable that is no set of numbers has no elements";
        }
    }
    return NULL;
}

/* An integer may be wrong, and so may a word that was seen: TLC will say so. No other kind can even
 * be written down. */
static bool can_write(const struct spec_domain *domain, bool is_sight, int32_t value)
{
    const bool wide = domain->kind == SPEC_SET && domain->high > SPEC_ELEMENT_MAX;
    return domain->kind == SPEC_INT || (is_sight && domain->kind == SPEC_WORD) ||
           (!wide && spec_domain_has(domain, value));
}

static bool gather_event(struct spec_pack *pack, const struct spec_trace_event *event,
                         const char **why)
{
    *why = what_is_wrong(pack, event);
    if (*why != NULL) {
        return false;
    }
    struct spec_form *form = form_of(pack, event);
    *why = form == NULL ? "too many kinds of steps" : "a value is none of its domain";
    for (uint32_t i = 0; form != NULL && i < field_count(pack, form); i++) {
        const int32_t value = field_value(pack, event, i);
        struct spec_field *field = &form->fields[i];
        const struct spec_domain domain = spec_form_domain(pack, form, i);
        if (!can_write(&domain, i >= parameter_count(pack, form->action), value)) {
            return false;
        }
        field->low = value < field->low ? value : field->low;
        field->high = value > field->high ? value : field->high;
    }
    return form != NULL;
}

static bool gather_forms(struct spec_pack *pack, const struct spec_trace *const *traces,
                         char *error, size_t error_bytes)
{
    for (uint32_t t = 0; t < pack->trace_count; t++) {
        for (uint32_t i = 0; i < traces[t]->count; i++) {
            const char *why;
            if (!gather_event(pack, &traces[t]->events[i], &why)) {
                snprintf(error, error_bytes,
                         "run %" PRId64 ", node %" PRIu32 ", step %" PRIu32 " of %s: %s",
                         traces[t]->run_id, traces[t]->actor, i + 1, pack->instance.model->name,
                         why);
                return false;
            }
        }
    }
    return true;
}

/* ---- Digits ---------------------------------------------------------------------------------- */

static bool lay_out_form(const struct spec_pack *pack, struct spec_form *form)
{
    int64_t weight = pack->form_count;
    form->width = 1;
    for (uint32_t i = 0; i < field_count(pack, form); i++) {
        struct spec_field *field = &form->fields[i];
        const int64_t radix = (int64_t)field->high - field->low + 1;
        if (radix > INT32_MAX) {
            return false;
        }
        if (weight * radix > INT32_MAX) {
            form->width++;
            weight = 1;
        }
        field->number = form->width - 1;
        field->weight = (uint32_t)weight;
        field->radix = (uint32_t)radix;
        weight *= radix;
    }
    return true;
}

static bool lay_out(struct spec_pack *pack, char *error, size_t error_bytes)
{
    for (uint32_t i = 0; i < pack->form_count; i++) {
        if (!lay_out_form(pack, &pack->forms[i])) {
            snprintf(error, error_bytes, "%s: the values of %s lie too far from each other",
                     pack->instance.model->name,
                     pack->instance.actions[pack->forms[i].action].name);
            return false;
        }
    }
    return true;
}

static void write_event(const struct spec_pack *pack, uint32_t number,
                        const struct spec_trace_event *event, int32_t *numbers)
{
    const struct spec_form *form = &pack->forms[number];
    memset(numbers, 0, form->width * sizeof *numbers);
    numbers[0] = (int32_t)number;
    for (uint32_t i = 0; i < field_count(pack, form); i++) {
        const struct spec_field *field = &form->fields[i];
        const int64_t digit = (int64_t)field_value(pack, event, i) - field->low;
        CHECK(digit >= 0 && digit < field->radix);
        numbers[field->number] += (int32_t)(digit * field->weight);
    }
}

static void write_numbers(struct spec_pack *pack, const struct spec_trace *const *traces)
{
    uint64_t capacity = 1, at = 0;
    for (uint32_t t = 0; t < pack->trace_count; t++) {
        for (uint32_t i = 0; i < traces[t]->count; i++) {
            capacity += form_of(pack, &traces[t]->events[i])->width;
        }
    }
    CHECK(capacity < INT32_MAX);
    pack->begins = malloc((pack->trace_count + 1u) * sizeof *pack->begins);
    pack->numbers = malloc((size_t)capacity * sizeof *pack->numbers);
    CHECK(pack->begins != NULL && pack->numbers != NULL);
    for (uint32_t t = 0; t < pack->trace_count; t++) {
        pack->begins[t] = (uint32_t)at;
        for (uint32_t i = 0; i < traces[t]->count; i++) {
            const struct spec_form *form = form_of(pack, &traces[t]->events[i]);
            write_event(pack, (uint32_t)(form - pack->forms), &traces[t]->events[i],
                        &pack->numbers[at]);
            at += form->width;
        }
    }
    pack->begins[pack->trace_count] = (uint32_t)at;
}

/* ---- Back ------------------------------------------------------------------------------------ */

uint32_t spec_pack_read(const struct spec_pack *pack, uint32_t at, struct spec_trace_event *event)
{
    const int32_t *numbers = &pack->numbers[at];
    const struct spec_form *form = &pack->forms[numbers[0] % (int32_t)pack->form_count];
    const uint32_t parameters = parameter_count(pack, form->action);
    memset(event, 0, sizeof *event);
    event->move.action = form->action;
    event->sight_count = form->sight_count;
    for (uint32_t i = 0; i < field_count(pack, form); i++) {
        const struct spec_field *field = &form->fields[i];
        const uint32_t digit = (uint32_t)numbers[field->number] / field->weight % field->radix;
        const int32_t value = (int32_t)(field->low + (int64_t)digit);
        if (i < parameters) {
            event->move.parameters[i] = value;
        } else {
            event->sights[i - parameters] = form->sights[i - parameters];
            event->sights[i - parameters].value = value;
        }
    }
    return form->width;
}

uint32_t spec_pack_index(const struct spec_pack *pack, uint32_t trace, uint32_t at)
{
    uint32_t index = 0;
    for (uint32_t next = pack->begins[trace]; next < at; index++) {
        next += pack->forms[pack->numbers[next] % (int32_t)pack->form_count].width;
    }
    return index;
}
