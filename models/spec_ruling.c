#include "models/spec_ruling.h"

#include <string.h>

enum { VALUES_TRIED_MAX = 128 }; /* of one variable, to say what a guard misses */

static bool in_domain(const struct spec_domain *domain, int32_t value);
static bool knows(const struct spec_ruling *judge, const struct spec_move *move,
                  struct spec_finding *out);
static bool explain(const struct spec_ruling *judge, const int32_t *state,
                    const struct follow_step *step, struct spec_finding *out);
static bool sees(const struct spec_ruling *judge, const int32_t *state,
                 const struct follow_step *step, struct spec_finding *out);
static bool claims_hold(const struct spec_ruling *judge, const int32_t *pre, const int32_t *post,
                        const struct follow_step *step, struct spec_finding *out);

void spec_ruling_init(struct spec_ruling *judge, const struct spec_model *model, const int32_t *k)
{
    judge->model = model;
    judge->k = k;
    model->variables(k, judge->variables);
    model->actions(k, judge->actions);
}

bool spec_ruling_step(const struct spec_ruling *judge, int32_t *state,
                      const struct follow_step *step, struct spec_finding *out)
{
    const struct spec_model *model = judge->model;
    int32_t pre[SPEC_STATE_WORDS_MAX];
    *out = (struct spec_finding){.what = ""};
    if (step->move.action == FOLLOW_LOOK) {
        return sees(judge, state, step, out);
    }
    memcpy(pre, state, model->state_words * sizeof pre[0]);
    if (!knows(judge, &step->move, out)) {
        return false;
    }
    if (!model->step(judge->k, step->move.action, step->move.parameters, state)) {
        return explain(judge, pre, step, out);
    }
    return claims_hold(judge, pre, state, step, out) && sees(judge, state, step, out);
}

/* ---- Text ------------------------------------------------------------------------------------ */

static void add(struct spec_finding *out, const char *text)
{
    size_t at = 0;
    while (out->what[at] != '\0') {
        at++;
    }
    for (; *text != '\0' && at + 1 < sizeof out->what; at++, text++) {
        out->what[at] = *text;
    }
    out->what[at] = '\0';
}

static void add_number(struct spec_finding *out, int64_t value)
{
    char digits[24];
    size_t at = sizeof digits - 1;
    uint64_t rest = (uint64_t)(value < 0 ? -value : value);
    digits[at] = '\0';
    do {
        digits[--at] = (char)('0' + rest % 10);
        rest /= 10;
    } while (rest != 0);
    if (value < 0) {
        digits[--at] = '-';
    }
    add(out, digits + at);
}

static void add_set(struct spec_finding *out, const struct spec_domain *domain, int32_t value)
{
    bool first = true;
    add(out, "{");
    for (int32_t element = domain->low; element <= domain->high; element++) {
        if (set_has(value, element)) {
            add(out, first ? "" : ", ");
            add_number(out, element);
            first = false;
        }
    }
    add(out, "}");
}

static void add_value(struct spec_finding *out, const struct spec_domain *domain, int32_t value)
{
    if (domain->kind == SPEC_WORD && in_domain(domain, value)) {
        add(out, domain->words[value]);
    } else if (domain->kind == SPEC_BOOL) {
        add(out, value != 0 ? "true" : "false");
    } else if (domain->kind == SPEC_SET) {
        add_set(out, domain, value);
    } else {
        add_number(out, value);
    }
}

static void add_move(const struct spec_ruling *judge, const struct spec_move *move,
                     struct spec_finding *out)
{
    if (move->action == FOLLOW_LOOK) {
        add(out, "between two steps");
        return;
    }
    const struct spec_action *action = &judge->actions[move->action];
    add(out, action->name);
    for (uint32_t i = 0; i < action->parameter_count; i++) {
        add(out, i == 0 ? "(" : ", ");
        add_value(out, &action->domains[i], move->parameters[i]);
    }
    add(out, action->parameter_count > 0 ? ")" : "");
}

/* `word` of the state as name[key][key]. */
static void add_cell(const struct spec_variable *variable, uint32_t word, struct spec_finding *out)
{
    const uint32_t offset = word - variable->word;
    const uint32_t keys[SPEC_KEYS_MAX] = {
        variable->key_count == 2 ? offset / variable->capacity[1] : offset,
        variable->key_count == 2 ? offset % variable->capacity[1] : 0};
    add(out, variable->name);
    for (uint32_t i = 0; i < variable->key_count; i++) {
        add(out, "[");
        add_value(out, &variable->keys[i], (int32_t)keys[i]);
        add(out, "]");
    }
}

/* ---- What is wrong --------------------------------------------------------------------------- */

static bool in_domain(const struct spec_domain *domain, int32_t value)
{
    return value >= domain->low && value <= domain->high;
}

/* Are the parameters what the spec has an action for? */
static bool knows(const struct spec_ruling *judge, const struct spec_move *move,
                  struct spec_finding *out)
{
    const struct spec_action *action = &judge->actions[move->action];
    for (uint32_t i = 0; i < action->parameter_count; i++) {
        if (!in_domain(&action->domains[i], move->parameters[i])) {
            add_move(judge, move, out);
            add(out, " is not possible here: ");
            add_number(out, move->parameters[i]);
            add(out, " is not in its domain");
            out->expected = 1;
            return false;
        }
    }
    return true;
}

/* One word of the state, and another value for it. */
struct change {
    uint32_t variable, word; /* behind the variable's first */
    int32_t tried;           /* value: the domain's lowest, and so many */
};

static uint32_t words_of(const struct spec_variable *variable)
{
    return (variable->key_count >= 1 ? variable->capacity[0] : 1) *
           (variable->key_count == 2 ? variable->capacity[1] : 1);
}

/* What the domain holds, one after the other: a set as a word with a bit for each element. */
static int32_t value_of(const struct spec_domain *domain, int32_t tried)
{
    return domain->kind == SPEC_SET ? (int32_t)((uint32_t)tried << (uint32_t)domain->low)
                                    : domain->low + tried;
}

static bool has_value(const struct spec_domain *domain, int32_t tried)
{
    return domain->kind == SPEC_SET
               ? set_within(value_of(domain, tried), set_range(domain->low, domain->high))
               : in_domain(domain, domain->low + tried);
}

/* The next one; false: there are no more. */
static bool advance(const struct spec_ruling *judge, struct change *change)
{
    const struct spec_variable *variable = &judge->variables[change->variable];
    change->tried++;
    if (change->tried >= VALUES_TRIED_MAX || !has_value(&variable->domain, change->tried)) {
        change->tried = 0;
        change->word++;
    }
    if (change->word == words_of(variable)) {
        change->word = 0;
        change->variable++;
    }
    return change->variable < judge->model->variable_count;
}

static void apply(const struct spec_ruling *judge, const struct change *change, int32_t *state)
{
    const struct spec_variable *variable = &judge->variables[change->variable];
    state[variable->word + change->word] = value_of(&variable->domain, change->tried);
}

/* Could the step be taken if these were different? */
static bool enable(const struct spec_ruling *judge, const int32_t *state,
                   const struct spec_move *move, const struct change *changes, uint32_t count)
{
    int32_t tried[SPEC_STATE_WORDS_MAX];
    memcpy(tried, state, judge->model->state_words * sizeof tried[0]);
    for (uint32_t i = 0; i < count; i++) {
        apply(judge, &changes[i], tried);
    }
    return judge->model->step(judge->k, move->action, move->parameters, tried);
}

static void add_change(const struct spec_ruling *judge, const int32_t *state,
                       const struct change *change, struct spec_finding *out)
{
    const struct spec_variable *variable = &judge->variables[change->variable];
    const uint32_t word = variable->word + change->word;
    add_cell(variable, word, out);
    add(out, " is ");
    add_value(out, &variable->domain, state[word]);
    add(out, ", it would have to be ");
    add_value(out, &variable->domain, value_of(&variable->domain, change->tried));
    out->expected = value_of(&variable->domain, change->tried);
    out->actual = state[word];
}

/* The guard that misses: one variable that would have to be different, or two. Always false. */
static bool explain(const struct spec_ruling *judge, const int32_t *state,
                    const struct follow_step *step, struct spec_finding *out)
{
    const struct spec_move *move = &step->move;
    struct change changes[2] = {{0, 0, 0}, {0, 0, 0}};
    add_move(judge, move, out);
    add(out, " is not possible here");
    out->expected = 1;
    do {
        if (enable(judge, state, move, changes, 1)) {
            add(out, ": ");
            add_change(judge, state, &changes[0], out);
            return false;
        }
    } while (advance(judge, &changes[0]));
    changes[0] = (struct change){0, 0, 0};
    do {
        changes[1] = changes[0];
        while (advance(judge, &changes[1])) {
            if (enable(judge, state, move, changes, 2)) {
                add(out, ": ");
                add_change(judge, state, &changes[1], out);
                add(out, "; ");
                add_change(judge, state, &changes[0], out);
                return false;
            }
        }
    } while (advance(judge, &changes[0]));
    add(out, ": more than two variables are in the way");
    return false;
}

static bool sees(const struct spec_ruling *judge, const int32_t *state,
                 const struct follow_step *step, struct spec_finding *out)
{
    for (uint32_t i = 0; i < step->sight_count; i++) {
        const struct follow_sight *sight = &step->sights[i];
        const struct spec_variable *variable = &judge->variables[sight->variable];
        const uint32_t word = variable->word + (uint32_t)sight->key;
        if (state[word] != sight->value) {
            add_move(judge, &step->move, out);
            add(out, ": ");
            add_cell(variable, word, out);
            add(out, " is ");
            add_value(out, &variable->domain, sight->value);
            add(out, ", in the spec ");
            add_value(out, &variable->domain, state[word]);
            out->expected = state[word];
            out->actual = sight->value;
            return false;
        }
    }
    return true;
}

static bool claims_hold(const struct spec_ruling *judge, const int32_t *pre, const int32_t *post,
                        const struct follow_step *step, struct spec_finding *out)
{
    const struct spec_model *model = judge->model;
    const char *broken = NULL;
    for (uint32_t i = 0; i < model->invariant_count && broken == NULL; i++) {
        broken = model->holds(judge->k, i, post) ? NULL : model->invariants[i];
    }
    for (uint32_t i = 0; i < model->property_count && broken == NULL; i++) {
        broken = model->allows(judge->k, i, pre, post) ? NULL : model->properties[i];
    }
    if (broken != NULL) {
        add_move(judge, &step->move, out);
        add(out, " breaks ");
        add(out, broken);
        out->expected = 1;
    }
    return broken == NULL;
}
