#include "sim/spec_instance.h"

#include <inttypes.h>
#include <string.h>

#include "core/check.h"

static bool take_constants(struct spec_instance *instance, const struct spec_config *config,
                           char *error, size_t error_bytes);
static bool lay_out_cells(struct spec_instance *instance, char *error, size_t error_bytes);
static bool list_moves(struct spec_instance *instance, char *error, size_t error_bytes);

bool spec_instance_init(struct spec_instance *instance, const struct spec_model *model,
                        const struct spec_config *config, char *error, size_t error_bytes)
{
    memset(instance, 0, sizeof *instance);
    instance->model = model;
    snprintf(instance->name, sizeof instance->name, "%s", config->name);
    if (!take_constants(instance, config, error, error_bytes)) {
        return false;
    }
    model->variables(instance->k, instance->variables);
    model->actions(instance->k, instance->actions);
    return lay_out_cells(instance, error, error_bytes) && list_moves(instance, error, error_bytes);
}

static bool take_constants(struct spec_instance *instance, const struct spec_config *config,
                           char *error, size_t error_bytes)
{
    const struct spec_model *model = instance->model;
    for (uint32_t i = 0; i < config->constant_count; i++) {
        bool known = false;
        for (uint32_t at = 0; at < model->constant_count; at++) {
            known = known || strcmp(model->constants[at].name, config->constants[i].name) == 0;
        }
        if (!known) {
            snprintf(error, error_bytes, "%s: the model has no constant %s; add it to its .def",
                     config->path, config->constants[i].name);
            return false;
        }
    }
    for (uint32_t at = 0; at < model->constant_count; at++) {
        const struct spec_constant *constant = &model->constants[at];
        const struct spec_config_constant *given = spec_config_constant(config, constant->name);
        if (given == NULL) {
            snprintf(error, error_bytes, "%s: the constant %s is missing", config->path,
                     constant->name);
            return false;
        }
        if (given->is_bool != constant->is_bool || given->value < constant->low ||
            given->value > constant->high) {
            snprintf(error, error_bytes, "%s: %s is %s; the model takes %" PRId32 " to %" PRId32,
                     config->path, constant->name,
                     given->is_bool != constant->is_bool ? "of another type" : "out of bounds",
                     constant->low, constant->high);
            return false;
        }
        instance->k[at] = given->value;
    }
    return true;
}

/* ---- Domains --------------------------------------------------------------------------------- */

static bool is_set(const struct spec_domain *domain)
{
    return domain->kind == SPEC_SET || domain->kind == SPEC_WORDS;
}

uint64_t spec_domain_size(const struct spec_domain *domain)
{
    const uint64_t span =
        domain->high < domain->low ? 0 : (uint64_t)((int64_t)domain->high - domain->low + 1);
    return is_set(domain) ? UINT64_C(1) << span : span;
}

int32_t spec_domain_value(const struct spec_domain *domain, uint64_t index)
{
    return is_set(domain) ? (int32_t)(index << (uint32_t)domain->low)
                          : (int32_t)(domain->low + (int64_t)index);
}

uint64_t spec_domain_index(const struct spec_domain *domain, int32_t value)
{
    const uint64_t size = spec_domain_size(domain);
    if (is_set(domain)) {
        const uint64_t bits = (uint32_t)value, index = bits >> (uint32_t)domain->low;
        return index << (uint32_t)domain->low == bits && index < size ? index : size;
    }
    return value >= domain->low && value <= domain->high ? (uint64_t)((int64_t)value - domain->low)
                                                         : size;
}

/* ---- Cells and moves ------------------------------------------------------------------------- */

static void add_cell(struct spec_instance *instance, uint32_t variable, int32_t key1, int32_t key2)
{
    const struct spec_variable *shape = &instance->variables[variable];
    uint32_t word = shape->word;
    if (shape->key_count > 0) {
        word += (uint32_t)key1 * (shape->key_count > 1 ? shape->capacity[1] : 1u);
    }
    word += shape->key_count > 1 ? (uint32_t)key2 : 0;
    instance->cells[instance->cell_count++] = (struct spec_cell){
        .variable = variable, .word = word, .keys = {key1, key2}, .domain = shape->domain};
}

static bool is_sound(const struct spec_variable *shape, const struct spec_domain *domain,
                     uint32_t capacity)
{
    const bool set = is_set(domain);
    return domain->low <= domain->high &&
           (!set || (domain->low >= 0 && domain->high <= SPEC_ELEMENT_MAX)) &&
           (capacity == 0 || (domain->low >= 0 && !set && (uint32_t)domain->high < capacity)) &&
           shape->name != NULL;
}

static bool lay_out_cells(struct spec_instance *instance, char *error, size_t error_bytes)
{
    for (uint32_t v = 0; v < instance->model->variable_count; v++) {
        const struct spec_variable *shape = &instance->variables[v];
        bool sound = is_sound(shape, &shape->domain, 0);
        struct spec_domain keys[SPEC_KEYS_MAX] = {{SPEC_INT, 0, 0, NULL}, {SPEC_INT, 0, 0, NULL}};
        for (uint32_t i = 0; i < shape->key_count; i++) {
            keys[i] = shape->keys[i];
            sound = sound && is_sound(shape, &keys[i], shape->capacity[i]);
        }
        if (!sound) {
            snprintf(error, error_bytes,
                     "%s, %s: the domain of %s is empty, or more than its array has room for",
                     instance->model->name, instance->name, shape->name);
            return false;
        }
        for (int32_t i = keys[0].low; i <= keys[0].high; i++) {
            for (int32_t j = keys[1].low; j <= keys[1].high; j++) {
                add_cell(instance, v, i, j);
            }
        }
    }
    return true;
}

static bool list_moves(struct spec_instance *instance, char *error, size_t error_bytes)
{
    for (uint32_t a = 0; a < instance->model->action_count; a++) {
        const struct spec_action *action = &instance->actions[a];
        uint64_t size[SPEC_PARAMETERS_MAX] = {1, 1, 1}, total = 1;
        for (uint32_t i = 0; i < action->parameter_count; i++) {
            size[i] = spec_domain_size(&action->domains[i]);
            total *= size[i] > SPEC_MOVES_MAX ? SPEC_MOVES_MAX + 1u : size[i];
        }
        if (instance->move_count + total > SPEC_MOVES_MAX) {
            snprintf(error, error_bytes,
                     "%s, %s: more than %d actions with parameters, at %s; use smaller constants",
                     instance->model->name, instance->name, SPEC_MOVES_MAX, action->name);
            return false;
        }
        for (uint64_t n = 0; n < total; n++) {
            struct spec_move *move = &instance->moves[instance->move_count++];
            uint64_t rest = n;
            move->action = a;
            for (uint32_t i = action->parameter_count; i > 0; i--) {
                move->parameters[i - 1] =
                    spec_domain_value(&action->domains[i - 1], rest % size[i - 1]);
                rest /= size[i - 1];
            }
        }
    }
    return true;
}

void spec_gather(const struct spec_instance *instance, const int32_t *state, int32_t *cells)
{
    for (uint32_t i = 0; i < instance->cell_count; i++) {
        cells[i] = state[instance->cells[i].word];
    }
}

void spec_scatter(const struct spec_instance *instance, const int32_t *cells, int32_t *state)
{
    memset(state, 0, instance->model->state_words * sizeof *state);
    for (uint32_t i = 0; i < instance->cell_count; i++) {
        state[instance->cells[i].word] = cells[i];
    }
}

/* ---- What the model says --------------------------------------------------------------------- */

bool spec_step(const struct spec_instance *instance, const struct spec_move *move,
               const int32_t *cells, int32_t *post)
{
    int32_t state[SPEC_STATE_WORDS_MAX];
    spec_scatter(instance, cells, state);
    return spec_step_from(instance, move, state, post);
}

bool spec_step_from(const struct spec_instance *instance, const struct spec_move *move,
                    const int32_t *state, int32_t *post)
{
    int32_t after[SPEC_STATE_WORDS_MAX];
    memcpy(after, state, instance->model->state_words * sizeof *after);
    if (!instance->model->step(instance->k, move->action, move->parameters, after)) {
        return false;
    }
    spec_gather(instance, after, post);
    return true;
}

uint32_t spec_holds(const struct spec_instance *instance, const int32_t *cells)
{
    int32_t state[SPEC_STATE_WORDS_MAX];
    uint32_t bits = 0;
    spec_scatter(instance, cells, state);
    for (uint32_t i = 0; i < instance->model->invariant_count; i++) {
        bits |= instance->model->holds(instance->k, i, state) ? 1u << i : 0;
    }
    return bits;
}

uint32_t spec_allows(const struct spec_instance *instance, const int32_t *pre, const int32_t *post)
{
    int32_t before[SPEC_STATE_WORDS_MAX], after[SPEC_STATE_WORDS_MAX];
    uint32_t bits = 0;
    spec_scatter(instance, pre, before);
    spec_scatter(instance, post, after);
    for (uint32_t i = 0; i < instance->model->property_count; i++) {
        bits |= instance->model->allows(instance->k, i, before, after) ? 1u << i : 0;
    }
    return bits;
}

bool spec_is_typed(const struct spec_instance *instance, const int32_t *cells)
{
    for (uint32_t i = 0; i < instance->cell_count; i++) {
        const struct spec_domain *domain = &instance->cells[i].domain;
        if (spec_domain_index(domain, cells[i]) == spec_domain_size(domain)) {
            return false;
        }
    }
    return true;
}

/* ---- For people ------------------------------------------------------------------------------ */

static void append(char *text, size_t bytes, const char *more)
{
    const size_t length = strlen(text);
    snprintf(text + length, bytes - length, "%s", more);
}

static void append_plain(const struct spec_domain *domain, int32_t value, char *text, size_t bytes)
{
    char one[SPEC_VALUE_BYTES];
    if (domain->words != NULL && value >= 0 && value <= domain->high) {
        snprintf(one, sizeof one, "\"%s\"", domain->words[value]);
    } else {
        snprintf(one, sizeof one, "%" PRId32, value);
    }
    append(text, bytes, one);
}

void spec_print_value(const struct spec_domain *domain, int32_t value, char *text, size_t bytes)
{
    text[0] = '\0';
    if (domain->kind == SPEC_BOOL) {
        append(text, bytes, value != 0 ? "TRUE" : "FALSE");
    } else if (!is_set(domain)) {
        append_plain(domain, value, text, bytes);
    } else {
        const char *between = "{";
        for (int32_t element = 0; element <= SPEC_ELEMENT_MAX; element++) {
            if (set_has(value, element)) {
                append(text, bytes, between);
                append_plain(domain, element, text, bytes);
                between = ", ";
            }
        }
        append(text, bytes, value == 0 ? "{}" : "}");
    }
}

void spec_print_move(const struct spec_instance *instance, const struct spec_move *move, char *text,
                     size_t bytes)
{
    const struct spec_action *action = &instance->actions[move->action];
    char value[SPEC_VALUE_BYTES];
    snprintf(text, bytes, "%s", action->name);
    for (uint32_t i = 0; i < action->parameter_count; i++) {
        append(text, bytes, i == 0 ? "(" : ", ");
        spec_print_value(&action->domains[i], move->parameters[i], value, sizeof value);
        append(text, bytes, value);
    }
    append(text, bytes, action->parameter_count > 0 ? ")" : "");
}

void spec_print_cell(const struct spec_instance *instance, uint32_t cell, char *text, size_t bytes)
{
    const struct spec_cell *at = &instance->cells[cell];
    const struct spec_variable *shape = &instance->variables[at->variable];
    snprintf(text, bytes, "%s", shape->name);
    for (uint32_t i = 0; i < shape->key_count; i++) {
        append(text, bytes, "[");
        append_plain(&shape->keys[i], at->keys[i], text, bytes);
        append(text, bytes, "]");
    }
}

void spec_print_difference(const struct spec_instance *instance, const int32_t *is,
                           const int32_t *expected, char *text, size_t bytes)
{
    text[0] = '\0';
    for (uint32_t i = 0; i < instance->cell_count; i++) {
        char part[SPEC_VALUE_BYTES];
        if (is[i] == expected[i]) {
            continue;
        }
        append(text, bytes, text[0] == '\0' ? "" : "; ");
        spec_print_cell(instance, i, part, sizeof part);
        append(text, bytes, part);
        append(text, bytes, " ");
        spec_print_value(&instance->cells[i].domain, is[i], part, sizeof part);
        append(text, bytes, part);
        append(text, bytes, ", not ");
        spec_print_value(&instance->cells[i].domain, expected[i], part, sizeof part);
        append(text, bytes, part);
    }
}

void spec_print_state(const struct spec_instance *instance, const int32_t *cells, FILE *file)
{
    for (uint32_t i = 0; i < instance->cell_count; i++) {
        char name[SPEC_VALUE_BYTES], value[SPEC_VALUE_BYTES];
        const bool first = i == 0 || instance->cells[i].variable != instance->cells[i - 1].variable;
        spec_print_cell(instance, i, name, sizeof name);
        spec_print_value(&instance->cells[i].domain, cells[i], value, sizeof value);
        fprintf(file, "%s%s = %s", first ? (i == 0 ? "  " : "\n  ") : "  ", name, value);
    }
    fputc('\n', file);
}
