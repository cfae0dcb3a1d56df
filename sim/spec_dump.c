#include "sim/spec_dump.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "core/check.h"
#include "sim/map.h"

enum { LABEL_BYTES_MAX = 16384, DUMP_BYTES_MAX = 1 << 30 };

/* ---- Values ---------------------------------------------------------------------------------- */

struct reader {
    const struct spec_instance *instance;
    const char *at;
    const struct spec_variable *variable; /* that is being read */
    int32_t *state;
    uint32_t filled; /* cells of it */
};

static void skip_space(struct reader *reader)
{
    while (isspace((unsigned char)*reader->at)) {
        reader->at++;
    }
}

static bool take(struct reader *reader, const char *text)
{
    skip_space(reader);
    const size_t length = strlen(text);
    if (strncmp(reader->at, text, length) != 0) {
        return false;
    }
    reader->at += length;
    return true;
}

/* One string of the domain's words, in quotes or as the name of a field. */
static bool read_word(struct reader *reader, const struct spec_domain *domain, int32_t *value)
{
    skip_space(reader);
    const bool quoted = *reader->at == '"';
    const char *begin = reader->at + (quoted ? 1 : 0);
    size_t length = quoted ? strcspn(begin, "\"") : 0;
    while (!quoted && (isalnum((unsigned char)begin[length]) || begin[length] == '_')) {
        length++;
    }
    for (int32_t i = 0; domain->words != NULL && i <= domain->high; i++) {
        if (strlen(domain->words[i]) == length && strncmp(begin, domain->words[i], length) == 0) {
            reader->at = begin + length + (quoted ? 1 : 0);
            *value = i;
            return true;
        }
    }
    return false;
}

static bool read_int(struct reader *reader, int32_t *value)
{
    char *end;
    skip_space(reader);
    const long number = strtol(reader->at, &end, 10);
    if (end == reader->at || number < INT32_MIN || number > INT32_MAX) {
        return false;
    }
    reader->at = end;
    *value = (int32_t)number;
    return true;
}

static bool read_plain(struct reader *reader, const struct spec_domain *domain, int32_t *value)
{
    return domain->words != NULL ? read_word(reader, domain, value) : read_int(reader, value);
}

/* {1, 2}, or 1..2 where TLC left an interval as it was. */
static bool read_set(struct reader *reader, const struct spec_domain *domain, int32_t *value)
{
    int32_t element, last;
    *value = 0;
    if (!take(reader, "{")) {
        if (!read_int(reader, &element) || !take(reader, "..") || !read_int(reader, &last) ||
            element < 0 || last > SPEC_ELEMENT_MAX) {
            return false;
        }
        *value = set_range(element, last);
        return true;
    }
    while (!take(reader, "}")) {
        if (!read_plain(reader, domain, &element) || element < 0 || element > SPEC_ELEMENT_MAX) {
            return false;
        }
        *value |= set_of(element);
        (void)take(reader, ",");
    }
    return true;
}

static bool read_scalar(struct reader *reader, const struct spec_domain *domain, int32_t *value)
{
    switch (domain->kind) {
    case SPEC_INT:
    case SPEC_WORD:
        return read_plain(reader, domain, value);
    case SPEC_BOOL:
        *value = take(reader, "TRUE") ? 1 : 0;
        return *value == 1 || take(reader, "FALSE");
    case SPEC_SET:
    case SPEC_WORDS:
        return read_set(reader, domain, value);
    }
    return false;
}

static bool read_function(struct reader *reader, uint32_t rank, uint32_t word);

/* What stands at one key of rank `rank`. */
static bool read_at(struct reader *reader, uint32_t rank, uint32_t word, int32_t key)
{
    const struct spec_variable *variable = reader->variable;
    const struct spec_domain *keys = &variable->keys[rank];
    if (key < keys->low || key > keys->high) {
        return false;
    }
    const bool inner = rank + 1 < variable->key_count;
    word += (uint32_t)key * (inner ? variable->capacity[rank + 1] : 1u);
    if (inner) {
        return read_function(reader, rank + 1, word);
    }
    reader->filled++;
    return read_scalar(reader, &variable->domain, &reader->state[word]);
}

/* <<v, w>> (keys 1, 2, ...), [a |-> v, b |-> w], or (0 :> v @@ 1 :> w). */
static bool read_function(struct reader *reader, uint32_t rank, uint32_t word)
{
    const struct spec_domain *keys = &reader->variable->keys[rank];
    int32_t key;
    if (take(reader, "<<")) {
        for (key = 1; !take(reader, ">>"); key++) {
            if (!read_at(reader, rank, word, key)) {
                return false;
            }
            (void)take(reader, ",");
        }
        return true;
    }
    const bool record = take(reader, "[");
    if (!record && !take(reader, "(")) {
        return false;
    }
    while (!take(reader, record ? "]" : ")")) {
        if (!read_plain(reader, keys, &key) || !take(reader, record ? "|->" : ":>") ||
            !read_at(reader, rank, word, key)) {
            return false;
        }
        (void)take(reader, record ? "," : "@@");
    }
    return true;
}

static const struct spec_variable *read_name(struct reader *reader)
{
    size_t length = 0;
    (void)take(reader, "/\\");
    skip_space(reader);
    while (isalnum((unsigned char)reader->at[length]) || reader->at[length] == '_') {
        length++;
    }
    for (uint32_t i = 0; i < reader->instance->model->variable_count; i++) {
        const struct spec_variable *variable = &reader->instance->variables[i];
        if (strlen(variable->name) == length && strncmp(variable->name, reader->at, length) == 0) {
            reader->at += length;
            return variable;
        }
    }
    return NULL;
}

/* Of a function all elements must be there. */
static bool read_value(struct reader *reader, const struct spec_variable *variable)
{
    reader->variable = variable;
    reader->filled = 0;
    if (variable->key_count == 0) {
        return read_scalar(reader, &variable->domain, &reader->state[variable->word]);
    }
    const uint32_t index = (uint32_t)(variable - reader->instance->variables);
    uint32_t expected = 0;
    for (uint32_t i = 0; i < reader->instance->cell_count; i++) {
        expected += reader->instance->cells[i].variable == index ? 1 : 0;
    }
    return read_function(reader, 0, variable->word) && reader->filled == expected;
}

bool spec_parse_values(const struct spec_instance *instance, const char **text, int32_t *cells,
                       char *error, size_t error_bytes)
{
    int32_t state[SPEC_STATE_WORDS_MAX] = {0};
    struct reader reader = {.instance = instance, .at = *text, .state = state};
    for (uint32_t v = 0; v < instance->model->variable_count; v++) {
        const char *begin = reader.at;
        if (!take(&reader, ",") || !read_value(&reader, &instance->variables[v])) {
            snprintf(error, error_bytes, "not a value of %s as the .def says: %.60s",
                     instance->variables[v].name, begin);
            return false;
        }
    }
    *text = reader.at;
    spec_gather(instance, state, cells);
    return true;
}

bool spec_parse_state(const struct spec_instance *instance, const char *text, int32_t *cells,
                      char *error, size_t error_bytes)
{
    int32_t state[SPEC_STATE_WORDS_MAX] = {0};
    struct reader reader = {.instance = instance, .at = text, .state = state};
    uint32_t seen = 0;
    for (skip_space(&reader); *reader.at != '\0'; skip_space(&reader)) {
        const char *begin = reader.at;
        const struct spec_variable *variable = read_name(&reader);
        if (variable == NULL || !take(&reader, "=") || !read_value(&reader, variable)) {
            snprintf(error, error_bytes, "not a value of the domain that the .def says: %.120s",
                     begin);
            return false;
        }
        seen++;
    }
    if (seen != instance->model->variable_count) {
        snprintf(error, error_bytes, "%u variables in a state, and %u in the .def", (unsigned)seen,
                 (unsigned)instance->model->variable_count);
        return false;
    }
    spec_gather(instance, state, cells);
    return true;
}

/* ---- The graph ------------------------------------------------------------------------------- */

struct source {
    struct spec_dump *dump;
    const struct spec_instance *instance;
    struct map numbers; /* of states, by TLC's fingerprint */
};

/* What stands in quotes from `text` on, without the escapes of dot. */
static const char *unescape(const char *text, char *label)
{
    size_t length = 0;
    while (*text != '"' && *text != '\0' && length + 1 < LABEL_BYTES_MAX) {
        if (*text == '\\' && text[1] != '\0') {
            text++;
            label[length++] = (char)(*text == 'n' ? '\n' : *text);
        } else {
            label[length++] = *text;
        }
        text++;
    }
    label[length] = '\0';
    return *text == '"' ? text + 1 : NULL;
}

static bool take_node(struct source *source, uint64_t fingerprint, const char *label, bool initial,
                      char *error, size_t error_bytes)
{
    struct spec_dump *dump = source->dump;
    int32_t cells[SPEC_STATE_WORDS_MAX];
    if (!spec_parse_state(source->instance, label, cells, error, error_bytes)) {
        return false;
    }
    const uint32_t number = spec_states_add(&dump->states, cells);
    if (map_find(&source->numbers, fingerprint) == MAP_NONE) {
        map_put(&source->numbers, fingerprint, number);
    }
    if (initial) {
        dump->initial = realloc(dump->initial, (dump->initial_count + 1) * sizeof *dump->initial);
        CHECK(dump->initial != NULL);
        dump->initial[dump->initial_count++] = number;
        spec_digest_edge(&dump->digest, &dump->states, number, UINT32_MAX, number);
    }
    return true;
}

/* Edges may come before the nodes that they lead to: they keep fingerprints until the end. */
struct raw_edge {
    uint64_t pre, post;
    uint32_t action;
};

static bool take_edge(const struct spec_instance *instance, struct raw_edge *edge, uint64_t pre,
                      uint64_t post, const char *label, char *error, size_t error_bytes)
{
    for (uint32_t i = 0; i < instance->model->action_count; i++) {
        if (strcmp(instance->actions[i].name, label) == 0) {
            *edge = (struct raw_edge){pre, post, i};
            return true;
        }
    }
    snprintf(error, error_bytes,
             "the action %.60s of the spec is not in the .def; name it there, or make it a direct "
             "disjunct of Next",
             label);
    return false;
}

struct raw_edges {
    struct raw_edge *list;
    uint64_t count, capacity;
};

/* One line of the file: a node, an edge, or layout. */
static bool take_line(struct source *source, struct raw_edges *raw, const char *line, char *label,
                      char *error, size_t error_bytes)
{
    char *end;
    const uint64_t from = (uint64_t)strtoll(line, &end, 10);
    if (end == line) {
        return true;
    }
    const bool edge = strncmp(end, " -> ", 4) == 0;
    const uint64_t to = edge ? (uint64_t)strtoll(end + 4, &end, 10) : 0;
    if (strncmp(end, " [label=\"", 9) != 0) {
        return true;
    }
    const char *rest = unescape(end + 9, label);
    if (rest == NULL) {
        snprintf(error, error_bytes, "a label without end");
        return false;
    }
    if (!edge) {
        return take_node(source, from, label, strncmp(rest, ",style", 6) == 0, error, error_bytes);
    }
    if (raw->count == raw->capacity) {
        raw->capacity = raw->capacity == 0 ? 1024 : 2 * raw->capacity;
        raw->list = realloc(raw->list, (size_t)raw->capacity * sizeof *raw->list);
        CHECK(raw->list != NULL);
    }
    return take_edge(source->instance, &raw->list[raw->count++], from, to, label, error,
                     error_bytes);
}

static bool join(struct source *source, const struct raw_edges *raw, char *error,
                 size_t error_bytes)
{
    struct spec_dump *dump = source->dump;
    dump->edges = malloc((size_t)(raw->count + 1) * sizeof *dump->edges);
    CHECK(dump->edges != NULL);
    for (uint64_t i = 0; i < raw->count; i++) {
        const uint32_t pre = map_find(&source->numbers, raw->list[i].pre);
        const uint32_t post = map_find(&source->numbers, raw->list[i].post);
        if (pre == MAP_NONE || post == MAP_NONE) {
            snprintf(error, error_bytes, "an edge to or from a state that is not in the dump");
            return false;
        }
        dump->edges[i] = (struct spec_edge){pre, raw->list[i].action, post};
    }
    dump->edge_count = spec_edges_sort(dump->edges, raw->count);
    for (uint64_t i = 0; i < dump->edge_count; i++) {
        spec_digest_edge(&dump->digest, &dump->states, dump->edges[i].pre, dump->edges[i].action,
                         dump->edges[i].post);
    }
    return true;
}

bool spec_dump_read(struct spec_dump *dump, const struct spec_instance *instance, const char *path,
                    char *error, size_t error_bytes)
{
    size_t size_bytes;
    char reason[512];
    memset(dump, 0, sizeof *dump);
    spec_states_init(&dump->states, instance->cell_count);
    char *text = spec_read_file(path, DUMP_BYTES_MAX, &size_bytes, error, error_bytes);
    if (text == NULL) {
        return false;
    }
    struct source source = {.dump = dump, .instance = instance};
    struct raw_edges raw = {NULL, 0, 0};
    char *label = calloc(LABEL_BYTES_MAX, 1);
    CHECK(label != NULL);
    map_init(&source.numbers);
    bool good = true;
    uint32_t line = 0;
    for (char *at = text; good && *at != '\0';) {
        char *end = at + strcspn(at, "\n");
        const bool more = *end != '\0';
        *end = '\0';
        line++;
        good = take_line(&source, &raw, at, label, reason, sizeof reason);
        at = end + (more ? 1 : 0);
    }
    good = good && join(&source, &raw, reason, sizeof reason);
    if (!good) {
        snprintf(error, error_bytes, "%s: line %u of TLC's graph: %s", instance->model->name,
                 (unsigned)line, reason);
    }
    map_free(&source.numbers);
    free(raw.list);
    free(label);
    free(text);
    return good;
}

void spec_dump_free(struct spec_dump *dump)
{
    spec_states_free(&dump->states);
    free(dump->initial);
    free(dump->edges);
    memset(dump, 0, sizeof *dump);
}
