#include "sim/spec_guard.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "core/check.h"

enum { NAMES_MAX = 256, NAME_BYTES = 64 };

/* Operators whose definition speaks of the next state, by themselves or by what they name. */
struct primed {
    uint32_t count;
    char list[NAMES_MAX][NAME_BYTES];
};

static bool is_word(char c)
{
    return isalnum((unsigned char)c) || c == '_';
}

/* ---- Definitions ----------------------------------------------------------------------------- */

struct definition {
    const char *name, *parameters, *body, *end;
    size_t name_bytes, parameter_bytes;
};

static const char *next_line(const char *at)
{
    at += strcspn(at, "\n");
    return at + (*at == '\n' ? 1 : 0);
}

/* A definition goes on in lines that are indented. */
static const char *end_of(const char *body)
{
    const char *end = next_line(body);
    while (*end == ' ') {
        end = next_line(end);
    }
    return end;
}

/* "Name(d, c) ==" at the beginning of a line. */
static bool read_head(const char *line, struct definition *definition)
{
    const char *at = line;
    memset(definition, 0, sizeof *definition);
    while (is_word(*at)) {
        at++;
    }
    definition->name = line;
    definition->name_bytes = (size_t)(at - line);
    definition->parameters = at;
    if (*at == '(') {
        definition->parameters = at + 1;
        definition->parameter_bytes = strcspn(at + 1, ")\n");
        at += 1 + definition->parameter_bytes;
        at += *at == ')' ? 1 : 0;
    }
    at += strspn(at, " ");
    if (definition->name_bytes == 0 || strncmp(at, "==", 2) != 0) {
        return false;
    }
    definition->body = at + 2;
    definition->end = end_of(definition->body);
    return true;
}

static bool next_definition(const char **at, struct definition *definition)
{
    for (const char *line = *at; *line != '\0'; line = next_line(line)) {
        if (read_head(line, definition)) {
            *at = definition->end;
            return true;
        }
    }
    return false;
}

/* ---- Which speak of the next state ----------------------------------------------------------- */

/* The module without its comments, and of the same length. */
static char *without_comments(const char *module)
{
    char *text = malloc(strlen(module) + 1);
    bool comment = false;
    CHECK(text != NULL);
    strcpy(text, module);
    for (char *at = text; *at != '\0'; at++) {
        comment = *at != '\n' && (comment || strncmp(at, "\\*", 2) == 0);
        *at = comment ? ' ' : *at;
    }
    return text;
}

static bool is_in(const struct primed *primed, const char *name, size_t name_bytes)
{
    for (uint32_t i = 0; i < primed->count; i++) {
        if (strlen(primed->list[i]) == name_bytes &&
            strncmp(primed->list[i], name, name_bytes) == 0) {
            return true;
        }
    }
    return false;
}

static bool is_primed(const struct primed *primed, const char *begin, const char *end)
{
    for (const char *at = begin; at < end;) {
        size_t word = 0;
        while (at + word < end && is_word(at[word])) {
            word++;
        }
        if (*at == '\'' || (word == 9 && strncmp(at, "UNCHANGED", word) == 0) ||
            (word > 0 && is_in(primed, at, word))) {
            return true;
        }
        at += word > 0 ? word : 1;
    }
    return false;
}

static void find_primed(struct primed *primed, const char *text)
{
    uint32_t before;
    primed->count = 0;
    do {
        struct definition definition;
        before = primed->count;
        for (const char *at = text; next_definition(&at, &definition);) {
            if (primed->count < NAMES_MAX && definition.name_bytes < NAME_BYTES &&
                !is_in(primed, definition.name, definition.name_bytes) &&
                is_primed(primed, definition.body, definition.end)) {
                memcpy(primed->list[primed->count], definition.name, definition.name_bytes);
                primed->list[primed->count++][definition.name_bytes] = '\0';
            }
        }
    } while (primed->count > before);
}

/* ---- Conjuncts ------------------------------------------------------------------------------- */

static uint32_t column_of(const char *text, const char *at)
{
    const char *begin = at;
    while (begin > text && begin[-1] != '\n') {
        begin--;
    }
    return (uint32_t)(at - begin);
}

/* False: there is no room for it. */
static bool add_guard(struct spec_guards *guards, const char *text, const char *begin,
                      const char *end)
{
    while (begin < end && isspace((unsigned char)*begin)) {
        begin++;
    }
    while (end > begin && isspace((unsigned char)end[-1])) {
        end--;
    }
    const size_t bytes = (size_t)(end - begin);
    if (bytes >= SPEC_GUARD_BYTES || guards->count == SPEC_GUARDS_MAX) {
        return false;
    }
    if (bytes > 0) {
        struct spec_guard *guard = &guards->list[guards->count++];
        memcpy(guard->text, begin, bytes);
        guard->text[bytes] = '\0';
        guard->column = column_of(text, begin);
    }
    return true;
}

/* "a /\ b" on one line is two conjuncts, unless something that binds less stands beside them. Where
 * the first one ends. */
static const char *end_of_first(const char *begin, const char *end)
{
    static const char *const binds_less[] = {"=>", "\\/", "\\A", "\\E", "IF ", "LET", "CHOOSE"};
    const char *first = end;
    int depth = 0;
    for (const char *at = begin; at < end; at++) {
        depth += strchr("([{", *at) != NULL ? 1 : strchr(")]}", *at) != NULL ? -1 : 0;
        for (uint32_t i = 0; depth == 0 && i < sizeof binds_less / sizeof binds_less[0]; i++) {
            if (strncmp(at, binds_less[i], strlen(binds_less[i])) == 0) {
                return end;
            }
        }
        if (*at == '\n') {
            return end;
        }
        if (depth == 0 && first == end && strncmp(at, "/\\", 2) == 0) {
            first = at;
        }
    }
    return first;
}

/* One item of the list, behind its /\. */
static bool read_item(struct spec_guards *guards, const struct primed *primed, const char *text,
                      const char *begin, const char *end)
{
    while (end > begin && isspace((unsigned char)end[-1])) {
        end--;
    }
    for (const char *at = begin; at < end;) {
        const char *stop = end_of_first(at, end);
        if (!is_primed(primed, at, stop) && !add_guard(guards, text, at, stop)) {
            return false;
        }
        at = stop < end ? stop + 2 : end;
    }
    return true;
}

/* The next line of the list of this column; `end` behind the last one. */
static const char *next_item(const char *at, const char *end, uint32_t column)
{
    for (at = next_line(at); at < end; at = next_line(at)) {
        if (strspn(at, " ") == column && strncmp(at + column, "/\\", 2) == 0) {
            return at;
        }
    }
    return end;
}

static void read_body(struct spec_guards *guards, const struct primed *primed, const char *text,
                      const struct definition *definition)
{
    const char *at = definition->body;
    at += strspn(at, " \n");
    const uint32_t column = column_of(text, at);
    if (at >= definition->end || strncmp(at, "/\\", 2) != 0) {
        (void)read_item(guards, primed, text, definition->body, definition->end);
        return;
    }
    for (const char *line = at - column; line < definition->end;) {
        const char *next = next_item(line, definition->end, column);
        if (!read_item(guards, primed, text, line + column + 2, next)) {
            return;
        }
        line = next;
    }
}

bool spec_guards_read(struct spec_guards *guards, const char *module, const char *action)
{
    struct definition definition;
    bool found = false;
    char *text = without_comments(module);
    struct primed *primed = malloc(sizeof *primed);
    CHECK(primed != NULL);
    memset(guards, 0, sizeof *guards);
    find_primed(primed, text);
    for (const char *at = text; !found && next_definition(&at, &definition);) {
        found = strlen(action) == definition.name_bytes &&
                strncmp(definition.name, action, definition.name_bytes) == 0 &&
                definition.parameter_bytes < sizeof guards->parameters;
    }
    if (found) {
        memcpy(guards->parameters, definition.parameters, definition.parameter_bytes);
        read_body(guards, primed, text, &definition);
    }
    free(primed);
    free(text);
    return found;
}
