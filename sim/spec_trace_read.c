/* Reads what TLC printed of a module of traces; see spec_trace_tlc.h. One row a line:
 *
 *   <<"ACCEPT", trace>>                     followed to its end
 *   <<"MADE", trace, at, broken, broken step, "value"...>>   what a step makes of what was seen
 *   <<"STUCK", trace, at, guard>>           no step is possible there
 *   <<"STATE", trace, variable, "value">>   in the state where it is stuck
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "core/check.h"
#include "sim/spec_guard.h"
#include "sim/spec_trace_tlc.h"

enum { ROWS_BYTES_MAX = 1 << 30, NUMBERS_MAX = 4, NAME_BYTES = 64 };

struct row {
    long numbers[NUMBERS_MAX];
    uint32_t count;
    const char *rest; /* behind the numbers: "value", ... */
};

/* The next row of this kind at or behind *at, which is moved behind its line. */
static bool next_row(const char **at, const char *kind, struct row *row)
{
    char head[32];
    const int head_bytes = snprintf(head, sizeof head, "<<\"%s\"", kind);
    for (const char *line = *at; *line != '\0';) {
        const char *end = line + strcspn(line, "\n");
        const char *next = end + (*end == '\n' ? 1 : 0);
        if (strncmp(line, head, (size_t)head_bytes) == 0) {
            char *after = NULL;
            row->rest = line + head_bytes;
            for (row->count = 0; row->count < NUMBERS_MAX && *row->rest == ','; row->count++) {
                row->numbers[row->count] = strtol(row->rest + 1, &after, 10);
                if (after == row->rest + 1 || strchr(",>", *after) == NULL) {
                    break;
                }
                row->rest = after;
            }
            *at = next;
            return true;
        }
        line = next;
    }
    return false;
}

static char *read_rows(const char *path, char *error, size_t error_bytes)
{
    size_t size_bytes;
    return spec_read_file(path, ROWS_BYTES_MAX, &size_bytes, error, error_bytes);
}

static bool is_trace(const struct spec_pack *pack, const struct row *row)
{
    return row->count > 0 && row->numbers[0] >= 1 && row->numbers[0] <= (long)pack->trace_count;
}

static bool refuse_row(const struct row *row, char *error, size_t error_bytes)
{
    snprintf(error, error_bytes, "TLC printed what is no row of a trace, behind: %.80s", row->rest);
    return false;
}

bool spec_trace_read_accepted(const struct spec_pack *pack, const char *path, bool *accepted,
                              char *error, size_t error_bytes)
{
    struct row row;
    memset(accepted, 0, pack->trace_count * sizeof *accepted);
    char *text = read_rows(path, error, error_bytes);
    bool good = text != NULL;
    for (const char *at = text; good && next_row(&at, "ACCEPT", &row);) {
        good = is_trace(pack, &row) ? true : refuse_row(&row, error, error_bytes);
        if (good) {
            accepted[row.numbers[0] - 1] = true;
        }
    }
    free(text);
    return good;
}

/* ---- Values, for people ---------------------------------------------------------------------- */

/* The value number `index` of a row, without its quotes. False: there are not so many. */
static bool take_value(const char *rest, uint32_t index, char *text, size_t bytes)
{
    size_t length = 0;
    for (uint32_t i = 0; *rest != '\0' && *rest != '\n'; rest++) {
        if (*rest != '"') {
            continue;
        }
        for (rest++; *rest != '\0' && *rest != '\n' && *rest != '"'; rest++) {
            rest += *rest == '\\' && rest[1] != '\0' ? 1 : 0;
            if (i == index && length + 1 < bytes) {
                text[length++] = *rest;
            }
        }
        if (i++ == index) {
            text[length] = '\0';
            return true;
        }
        if (*rest != '"') {
            break;
        }
    }
    return false;
}

static void print_run(long first, long last, bool begins, FILE *file)
{
    fprintf(file, "%s%ld", begins ? "" : ", ", first);
    if (last > first) {
        fprintf(file, "%s%ld", last == first + 1 ? ", " : "..", last);
    }
}

/* {1, 2, 3, 5} as {1..3, 5}; false: it is no set of integers. *at is moved behind it. */
static bool print_set(const char **at, FILE *file)
{
    const char *end = *at + strcspn(*at, "}"), *from = *at + 1;
    if (*end != '}' || from == end || strspn(from, "0123456789, ") != (size_t)(end - from)) {
        return false;
    }
    char *after = NULL;
    bool begins = true;
    fputc('{', file);
    while (from < end) {
        const long first = strtol(from, &after, 10);
        long last = first;
        from = after + strspn(after, ", ");
        while (from < end && strtol(from, &after, 10) == last + 1) {
            last++;
            from = after + strspn(after, ", ");
        }
        print_run(first, last, begins, file);
        begins = false;
    }
    fputc('}', file);
    *at = end + 1;
    return true;
}

/* "held[1] = {4..7}" for <<{4, 5, 6, 7}>>. */
static void print_variable(const struct spec_variable *variable, const char *value, FILE *file)
{
    const size_t bytes = strlen(value);
    const bool one = variable->key_count == 1 && variable->keys[0].low == SPEC_TRACE_ACTOR &&
                     variable->keys[0].high == SPEC_TRACE_ACTOR && bytes >= 4 &&
                     strncmp(value, "<<", 2) == 0 && strcmp(value + bytes - 2, ">>") == 0;
    const char *end = value + bytes - (one ? 2 : 0);
    fprintf(file, "%s%s = ", variable->name, one ? "[1]" : "");
    for (const char *at = value + (one ? 2 : 0); at < end;) {
        if (*at != '{' || !print_set(&at, file)) {
            fputc(*at++, file);
        }
    }
    fputc('\n', file);
}

/* ---- Why ------------------------------------------------------------------------------------- */

/* One line of what may be several. */
static void append_guard(const char *text, char *why, size_t bytes)
{
    size_t length = strlen(why);
    for (; *text != '\0' && length + 1 < bytes; text++) {
        const bool space = *text == ' ' || *text == '\n';
        if (!space || (length > 0 && why[length - 1] != ' ')) {
            why[length++] = space ? ' ' : *text;
        }
    }
    why[length] = '\0';
}

/* No step by this action: which of its guards does not hold, in the words of the spec? */
static void say_guard(const struct spec_trace_module *module, const struct spec_trace_event *event,
                      long guard, struct spec_stuck *stuck)
{
    const struct spec_instance *instance = &module->pack->instance;
    const bool is_look = event->move.action == FOLLOW_LOOK;
    struct spec_guards guards;
    const char *name = is_look ? "a look" : instance->actions[event->move.action].name;
    if (guard == SPEC_GUARDS_MAX + 1) {
        snprintf(stuck->why, sizeof stuck->why, "a parameter is outside of its domain");
    } else if (guard >= 1 && spec_guards_read(&guards, module->text, name) &&
               guard <= (long)guards.count) {
        const char *parameters = guards.parameters;
        snprintf(stuck->why, sizeof stuck->why, "guard of %s%s%s%s does not hold: ", name,
                 parameters[0] == '\0' ? "" : "(", parameters, parameters[0] == '\0' ? "" : ")");
        append_guard(guards.list[guard - 1].text, stuck->why, sizeof stuck->why);
    } else {
        snprintf(stuck->why, sizeof stuck->why, "%s cannot take place in this state", name);
    }
}

/* header["B"] */
static void print_seen(const struct spec_variable *variable, const struct follow_sight *sight,
                       char *text, size_t bytes)
{
    const struct spec_domain *key = spec_trace_key(variable);
    if (key != NULL && key->words != NULL && spec_domain_has(key, sight->key)) {
        snprintf(text, bytes, "%s[\"%s\"]", variable->name, key->words[sight->key]);
    } else {
        snprintf(text, bytes, "%s", variable->name);
    }
}

/* What TLC told of an aspect, against the run; false: they are the same. */
static bool say_aspect(const struct spec_variable *variable, const struct follow_sight *sight,
                       const char *is, struct spec_stuck *stuck)
{
    char seen[SPEC_VALUE_BYTES], name[NAME_BYTES];
    print_seen(variable, sight, name, sizeof name);
    if (sight->relation == FOLLOW_HAS) {
        snprintf(stuck->why, sizeof stuck->why,
                 "variable %s: %" PRId32 " is in it in the run, and is not in the spec", name,
                 sight->value);
        return strcmp(is, "TRUE") != 0;
    }
    if (sight->relation == FOLLOW_COUNT) {
        snprintf(seen, sizeof seen, "%" PRId32, sight->value);
    } else {
        spec_print_value(&variable->domain, sight->value, seen, sizeof seen);
    }
    snprintf(stuck->why, sizeof stuck->why, "%s %s: %s in the spec, %s in the run",
             sight->relation == FOLLOW_COUNT ? "number of elements of" : "variable", name, is,
             seen);
    return strcmp(is, seen) != 0;
}

/* The first sight that is another one. False: all are as the spec has them. */
static bool say_sight(const struct spec_pack *pack, const struct spec_trace_event *event,
                      const struct row *made, struct spec_stuck *stuck)
{
    char is[SPEC_VALUE_BYTES];
    for (uint32_t i = 0; i < event->sight_count; i++) {
        const struct follow_sight *sight = &event->sights[i];
        if (take_value(made->rest, i, is, sizeof is) &&
            say_aspect(&pack->instance.variables[sight->variable], sight, is, stuck)) {
            return true;
        }
    }
    return false;
}

static void say_made(const struct spec_trace_module *module, const struct spec_trace_event *event,
                     const struct row *made, struct spec_stuck *stuck)
{
    const struct spec_config *config = module->config;
    const long broken = made->count > 2 ? made->numbers[2] : 0;
    const long step = made->count > 3 ? made->numbers[3] : 0;
    if (say_sight(module->pack, event, made, stuck)) {
        return;
    }
    if (broken >= 1 && broken <= (long)config->invariants.count) {
        snprintf(stuck->why, sizeof stuck->why, "behind it the invariant %s is broken",
                 config->invariants.list[broken - 1]);
    } else if (step >= 1 && step <= (long)config->properties.count) {
        snprintf(stuck->why, sizeof stuck->why, "the step breaks the action property %s",
                 config->properties.list[step - 1]);
    } else {
        snprintf(stuck->why, sizeof stuck->why, "the spec makes another state of it");
    }
}

/* ---- Where ----------------------------------------------------------------------------------- */

static bool read_state(const struct spec_pack *pack, const char *text, uint32_t trace,
                       struct spec_stuck *stuck)
{
    struct row row;
    size_t size = 0;
    const size_t bytes = strlen(text) + 1;
    char *value = malloc(bytes);
    FILE *file = open_memstream(&stuck->state, &size);
    CHECK(value != NULL && file != NULL);
    for (const char *at = text; next_row(&at, "STATE", &row);) {
        const bool ours = row.count == 2 && row.numbers[0] == (long)trace + 1;
        if (ours && row.numbers[1] >= 0 &&
            row.numbers[1] < (long)pack->instance.model->variable_count &&
            take_value(row.rest, 0, value, bytes)) {
            print_variable(&pack->instance.variables[row.numbers[1]], value, file);
        }
    }
    free(value);
    return fclose(file) == 0;
}

static bool read_stuck(const struct spec_trace_module *module, const char *text,
                       const struct row *row, struct spec_stuck *stuck)
{
    const struct spec_pack *pack = module->pack;
    const uint32_t trace = (uint32_t)row->numbers[0] - 1;
    const long at = row->numbers[1] - 1; /* TLA+ counts from 1 */
    struct spec_trace_event event;
    struct row made;
    bool is_made = false;
    if (row->count != 3 || at < (long)pack->begins[trace] || at >= (long)pack->begins[trace + 1]) {
        return false;
    }
    stuck->is_stuck = true;
    stuck->index = spec_pack_index(pack, trace, (uint32_t)at);
    (void)spec_pack_read(pack, (uint32_t)at, &event);
    for (const char *line = text; !is_made && next_row(&line, "MADE", &made);) {
        is_made = made.count == 4 && made.numbers[0] == (long)trace + 1 &&
                  made.numbers[1] == row->numbers[1];
    }
    if (is_made) {
        say_made(module, &event, &made, stuck);
    } else {
        say_guard(module, &event, row->numbers[2], stuck);
    }
    return read_state(pack, text, trace, stuck);
}

bool spec_trace_read_stuck(const struct spec_trace_module *module, const char *path,
                           struct spec_stuck *stuck, char *error, size_t error_bytes)
{
    struct row row;
    memset(stuck, 0, module->pack->trace_count * sizeof *stuck);
    char *text = read_rows(path, error, error_bytes);
    bool good = text != NULL;
    for (const char *at = text; good && next_row(&at, "STUCK", &row);) {
        good = is_trace(module->pack, &row) &&
               read_stuck(module, text, &row, &stuck[row.numbers[0] - 1]);
        if (!good) {
            (void)refuse_row(&row, error, error_bytes);
        }
    }
    free(text);
    return good;
}
