#include "sim/spec_config.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/check.h"

/* Where the reader is, in the text of one file. */
struct cursor {
    const char *at;
    uint32_t line;
    char token[SPEC_CONFIG_NAME_BYTES];
};

static bool read_section(struct spec_config *config, struct cursor *cursor, char *error,
                         size_t error_bytes);

char *spec_read_file(const char *path, size_t bytes_max, size_t *size_bytes, char *error,
                     size_t error_bytes)
{
    FILE *file = fopen(path, "rb");
    if (file == NULL) {
        snprintf(error, error_bytes, "%s: %s", path, strerror(errno));
        return NULL;
    }
    size_t capacity = 1 << 16, size = 0, got;
    char *text = malloc(capacity);
    CHECK(text != NULL);
    while ((got = fread(text + size, 1, capacity - size - 1, file)) > 0 && size <= bytes_max) {
        size += got;
        if (capacity - size < 2) {
            capacity *= 2;
            text = realloc(text, capacity);
            CHECK(text != NULL);
        }
    }
    const bool failed = ferror(file) != 0;
    fclose(file);
    text[size] = '\0';
    if (failed || size > bytes_max) {
        snprintf(error, error_bytes, failed ? "%s: cannot be read" : "%s: larger than %zu bytes",
                 path, bytes_max);
        free(text);
        return NULL;
    }
    *size_bytes = size;
    return text;
}

static bool role_of(const char *name, enum spec_role *role)
{
    static const char *const words[SPEC_ROLE_COUNT] = {"MC", "Live", "bug", "reach", "Big"};
    for (uint32_t i = 0; i < SPEC_ROLE_COUNT; i++) {
        const size_t length = strlen(words[i]);
        const bool alone = i != SPEC_ROLE_BUG && i != SPEC_ROLE_REACH;
        if (strncmp(name, words[i], length) == 0 &&
            (name[length] == '_' || (alone && name[length] == '\0'))) {
            *role = (enum spec_role)i;
            return true;
        }
    }
    return false;
}

/* The next word or sign; false at the end. Comments are \* to the end of the line, and (* *). */
static bool next(struct cursor *cursor)
{
    const char *at = cursor->at;
    size_t length = 0;
    for (;;) {
        if (at[0] == '\\' && at[1] == '*') {
            at += strcspn(at, "\n");
        } else if (at[0] == '(' && at[1] == '*') {
            const char *end = strstr(at, "*)");
            end = end == NULL ? at + strlen(at) : end + 2;
            for (; at < end; at++) {
                cursor->line += *at == '\n' ? 1 : 0;
            }
        } else if (*at != '\0' && isspace((unsigned char)*at)) {
            cursor->line += *at == '\n' ? 1 : 0;
            at++;
        } else {
            break;
        }
    }
    while (isalnum((unsigned char)at[length]) || at[length] == '_' || at[length] == '-') {
        length++;
    }
    length = length == 0 && *at != '\0' ? 1 : length;
    snprintf(cursor->token, sizeof cursor->token, "%.*s", (int)length, at);
    cursor->at = at + length;
    return length > 0;
}

static bool is_keyword(const char *token)
{
    static const char *const words[] = {
        "CONSTANT",           "CONSTANTS",  "SPECIFICATION",  "INVARIANT",   "INVARIANTS",
        "PROPERTY",           "PROPERTIES", "CHECK_DEADLOCK", "INIT",        "NEXT",
        "SYMMETRY",           "VIEW",       "CONSTRAINT",     "CONSTRAINTS", "ACTION_CONSTRAINT",
        "ACTION_CONSTRAINTS", "ALIAS",      "POSTCONDITION",
    };
    for (uint32_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        if (strcmp(words[i], token) == 0) {
            return true;
        }
    }
    return false;
}

bool spec_config_read(struct spec_config *config, const char *path, char *error, size_t error_bytes)
{
    const char *slash = strrchr(path, '/');
    const char *name = slash == NULL ? path : slash + 1;
    const size_t length = strlen(name);
    struct cursor cursor = {.line = 1};
    size_t size_bytes;
    memset(config, 0, sizeof *config);
    snprintf(config->path, sizeof config->path, "%s", path);
    snprintf(config->name, sizeof config->name, "%.*s", (int)(length - 4), name);
    if (!role_of(config->name, &config->role)) {
        snprintf(error, error_bytes,
                 "%s: what is this for? Call it MC_*, Live_*, bug_*, reach_* or Big_*", path);
        return false;
    }
    char *text = spec_read_file(path, SPEC_FILE_BYTES_MAX, &size_bytes, error, error_bytes);
    if (text == NULL) {
        return false;
    }
    cursor.at = text;
    bool good = next(&cursor);
    while (good && cursor.token[0] != '\0') {
        good = read_section(config, &cursor, error, error_bytes);
    }
    if (good && config->specification[0] == '\0') {
        snprintf(error, error_bytes, "%s: SPECIFICATION is missing; write SPECIFICATION Spec",
                 path);
        good = false;
    }
    free(text);
    return good;
}

static bool refuse(const struct spec_config *config, const struct cursor *cursor, const char *what,
                   char *error, size_t error_bytes)
{
    snprintf(error, error_bytes, "%s:%u: '%s': %s", config->path, (unsigned)cursor->line,
             cursor->token, what);
    return false;
}

static bool read_constant(struct spec_config *config, struct cursor *cursor, char *error,
                          size_t error_bytes)
{
    struct spec_config_constant *constant = &config->constants[config->constant_count];
    if (config->constant_count == SPEC_CONSTANTS_MAX) {
        return refuse(config, cursor, "too many constants", error, error_bytes);
    }
    snprintf(constant->name, sizeof constant->name, "%s", cursor->token);
    if (!next(cursor) || strcmp(cursor->token, "=") != 0 || !next(cursor)) {
        return refuse(config, cursor, "write Name = value", error, error_bytes);
    }
    char *end;
    errno = 0;
    const long value = strtol(cursor->token, &end, 10);
    constant->is_bool = strcmp(cursor->token, "TRUE") == 0 || strcmp(cursor->token, "FALSE") == 0;
    constant->value = constant->is_bool ? cursor->token[0] == 'T' : (int32_t)value;
    if (!constant->is_bool &&
        (*end != '\0' || errno != 0 || value < INT32_MIN || value > INT32_MAX)) {
        return refuse(config, cursor, "constants are integers, TRUE or FALSE", error, error_bytes);
    }
    config->constant_count++;
    return true;
}

/* A keyword and what follows it, up to the next one. */
static bool read_section(struct spec_config *config, struct cursor *cursor, char *error,
                         size_t error_bytes)
{
    char keyword[SPEC_CONFIG_NAME_BYTES];
    if (!is_keyword(cursor->token)) {
        return refuse(config, cursor, "a keyword such as CONSTANTS should stand here", error,
                      error_bytes);
    }
    memcpy(keyword, cursor->token, sizeof keyword);
    const bool constants =
        strncmp(keyword, "CONSTANT", 8) == 0 && strncmp(keyword, "CONSTR", 6) != 0;
    struct spec_names *names = strncmp(keyword, "INVARIANT", 9) == 0 ? &config->invariants
                               : strncmp(keyword, "PROPERT", 7) == 0 ? &config->properties
                                                                     : NULL;
    const bool specification = strcmp(keyword, "SPECIFICATION") == 0;
    if (!constants && names == NULL && !specification && strcmp(keyword, "CHECK_DEADLOCK") != 0) {
        return refuse(config, cursor,
                      "not used here: it would make the check unsound, or other than Spec", error,
                      error_bytes);
    }
    while (next(cursor) && !is_keyword(cursor->token)) {
        if (constants && !read_constant(config, cursor, error, error_bytes)) {
            return false;
        }
        if (names != NULL && names->count == SPEC_CLAIMS_MAX + 2) {
            return refuse(config, cursor, "too many claims", error, error_bytes);
        }
        if (names != NULL) {
            memcpy(names->list[names->count++], cursor->token, sizeof cursor->token);
        }
        if (specification) {
            memcpy(config->specification, cursor->token, sizeof cursor->token);
        }
    }
    return true;
}

const struct spec_config_constant *spec_config_constant(const struct spec_config *config,
                                                        const char *name)
{
    for (uint32_t i = 0; i < config->constant_count; i++) {
        if (strcmp(config->constants[i].name, name) == 0) {
            return &config->constants[i];
        }
    }
    return NULL;
}

bool spec_names_has(const struct spec_names *names, const char *name)
{
    for (uint32_t i = 0; i < names->count; i++) {
        if (strcmp(names->list[i], name) == 0) {
            return true;
        }
    }
    return false;
}
