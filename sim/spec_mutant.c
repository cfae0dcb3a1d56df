#include "sim/spec_mutant.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/check.h"

enum { REASON_BYTES_MIN = 10 };

/* A place in the text of a C file that has no strings or characters that matter. */
struct scanner {
    const char *text, *at;
    uint32_t line, depth;
    char token[SPEC_TOKEN_BYTES], last[SPEC_TOKEN_BYTES];
    char name[SPEC_TOKEN_BYTES]; /* the last one outside of all braces before a parenthesis */
    size_t begin;                /* of the token */
    size_t head;                 /* where the declaration outside of all braces begins */
};

static const char *const operators[] = {"<<=", ">>=", "->", "++", "--", "<<", ">>",
                                        "<=",  ">=",  "==", "!=", "&&", "||", "+=",
                                        "-=",  "*=",  "/=", "%=", "&=", "|=", "^="};

static bool is_name(char c)
{
    return isalnum((unsigned char)c) || c == '_';
}

static void skip_blank(struct scanner *scanner)
{
    for (;;) {
        const char *at = scanner->at;
        size_t length = 0;
        if (at[0] == '/' && at[1] == '*') {
            const char *end = strstr(at + 2, "*/");
            length = end == NULL ? strlen(at) : (size_t)(end + 2 - at);
        } else if (*at == '#') { /* a directive, with the lines that it goes on over */
            do {
                length += strcspn(at + length, "\n");
            } while (at[length] != '\0' && at[length - 1] == '\\' && at[++length] != '\0');
        } else if (*at == '"' || *at == '\'') {
            const char quotes[] = {*at, '\n', '\0'};
            length = 1 + strcspn(at + 1, quotes);
            length += at[length] == *at ? 1 : 0;
        } else if (*at != '\0' && isspace((unsigned char)*at)) {
            length = 1;
        }
        if (length == 0) {
            return;
        }
        for (size_t i = 0; i < length; i++) {
            scanner->line += at[i] == '\n' ? 1 : 0;
        }
        scanner->at += length;
    }
}

/* False at the end. */
static bool next(struct scanner *scanner)
{
    memcpy(scanner->last, scanner->token, sizeof scanner->last);
    skip_blank(scanner);
    size_t length = 0;
    while (is_name(scanner->at[length])) {
        length++;
    }
    for (uint32_t i = 0; length == 0 && i < sizeof operators / sizeof operators[0]; i++) {
        if (strncmp(scanner->at, operators[i], strlen(operators[i])) == 0) {
            length = strlen(operators[i]);
        }
    }
    length = length == 0 && *scanner->at != '\0' ? 1 : length;
    const bool ended = strcmp(scanner->last, ";") == 0 || strcmp(scanner->last, "}") == 0;
    scanner->begin = (size_t)(scanner->at - scanner->text);
    if (scanner->depth == 0 && (ended || scanner->last[0] == '\0')) {
        scanner->head = scanner->begin;
    }
    snprintf(scanner->token, sizeof scanner->token, "%.*s", (int)length, scanner->at);
    scanner->at += length;
    if (scanner->depth == 0 && strcmp(scanner->token, "(") == 0 && is_name(scanner->last[0])) {
        memcpy(scanner->name, scanner->last, sizeof scanner->name);
    }
    scanner->depth += strcmp(scanner->token, "{") == 0 ? 1 : 0;
    scanner->depth -= strcmp(scanner->token, "}") == 0 && scanner->depth > 0 ? 1 : 0;
    return length > 0;
}

/* ---- What becomes of a token ----------------------------------------------------------------- */

static const char *operator_after(const char *token, const char *before)
{
    static const char *const pairs[][2] = {
        {"==", "!="},
        {"!=", "=="},
        {"<", "<="},
        {"<=", "<"},
        {">", ">="},
        {">=", ">"},
        {"&&", "||"},
        {"||", "&&"},
        {"++", "--"},
        {"--", "++"},
        {"+=", "-="},
        {"-=", "+="},
        {"|=", "="},
        {"&=", "="},
        {"true", "false"},
        {"false", "true"},
        {"set_has", "!set_has"},
    };
    const size_t length = strlen(before);
    const bool binary =
        length > 0 &&
        (is_name(before[0]) || strcmp(before, "]") == 0 || strcmp(before, ")") == 0) &&
        strcmp(before, "return") != 0;
    for (uint32_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++) {
        if (strcmp(token, pairs[i][0]) == 0) {
            return pairs[i][1];
        }
    }
    if (binary && strcmp(token, "+") == 0) {
        return "-";
    }
    if (binary && strcmp(token, "-") == 0) {
        return "+";
    }
    if (binary && strcmp(token, "&") == 0) {
        return "|";
    }
    if (binary && strcmp(token, "|") == 0) {
        return "&";
    }
    return NULL;
}

static bool same_shape(const struct spec_variable *left, const struct spec_variable *right)
{
    return left->key_count == right->key_count && left->domain.kind == right->domain.kind &&
           left->domain.words == right->domain.words && left->capacity[0] == right->capacity[0] &&
           left->capacity[1] == right->capacity[1];
}

/* The next field of the same shape, round and round; NULL: there is none. */
static const char *field_after(const struct spec_instance *instance, const char *token)
{
    const struct spec_model *model = instance->model;
    for (uint32_t v = 0; v < model->variable_count; v++) {
        for (uint32_t i = 1;
             strcmp(instance->variables[v].name, token) == 0 && i < model->variable_count; i++) {
            const struct spec_variable *other =
                &instance->variables[(v + i) % model->variable_count];
            if (same_shape(&instance->variables[v], other)) {
                return other->name;
            }
        }
    }
    for (uint32_t c = 0; c < model->constant_count; c++) {
        for (uint32_t i = 1;
             strcmp(model->constants[c].name, token) == 0 && i < model->constant_count; i++) {
            const struct spec_constant *other = &model->constants[(c + i) % model->constant_count];
            if (other->is_bool == model->constants[c].is_bool) {
                return other->name;
            }
        }
    }
    return NULL;
}

/* False: this token has no other. */
static bool change(const struct spec_instance *instance, const struct scanner *scanner,
                   char after[SPEC_TOKEN_BYTES])
{
    const char *token = scanner->token;
    const char *other = operator_after(token, scanner->last);
    if (other == NULL && strcmp(scanner->last, "->") == 0) {
        other = field_after(instance, token);
    }
    if (other != NULL) {
        snprintf(after, SPEC_TOKEN_BYTES, "%s", other);
        return true;
    }
    if (strcmp(token, "!") == 0) {
        after[0] = '\0';
        return true;
    }
    if (isdigit((unsigned char)token[0])) {
        const long number = strtol(token, NULL, 10);
        snprintf(after, SPEC_TOKEN_BYTES, "%ld", number + 1);
        return true;
    }
    return false;
}

/* How often it stood in this function before. */
static uint32_t occurrence_of(const struct spec_mutants *mutants, const struct spec_mutant *mutant)
{
    uint32_t occurrence = 1;
    for (uint32_t i = 0; i < mutants->count; i++) {
        const struct spec_mutant *other = &mutants->list[i];
        occurrence +=
            other->function == mutant->function && strcmp(other->before, mutant->before) == 0 ? 1
                                                                                              : 0;
    }
    return occurrence;
}

/* The brace that was just read opens a body: it follows a parameter list, outside of all others. */
static bool opens_function(const struct scanner *scanner)
{
    return scanner->depth == 1 && strcmp(scanner->token, "{") == 0 &&
           strcmp(scanner->last, ")") == 0;
}

static void add_mutant(struct spec_mutants *mutants, const struct spec_instance *instance,
                       const struct scanner *scanner)
{
    struct spec_mutant *mutant = &mutants->list[mutants->count];
    memset(mutant, 0, sizeof *mutant);
    if (mutants->count + 1 < SPEC_MUTANTS_MAX && change(instance, scanner, mutant->after)) {
        mutant->function = mutants->function_count - 1;
        memcpy(mutant->before, scanner->token, sizeof mutant->before);
        mutant->offset = scanner->begin;
        mutant->line = scanner->line;
        mutant->occurrence = occurrence_of(mutants, mutant);
        mutants->count++;
    }
}

void spec_mutants_list(struct spec_mutants *mutants, const struct spec_instance *instance,
                       const char *text)
{
    struct scanner scanner = {.text = text, .at = text, .line = 1};
    struct spec_function *function = NULL; /* that we are in */
    memset(mutants, 0, sizeof *mutants);
    mutants->text = text;
    while (next(&scanner)) {
        if (function == NULL && opens_function(&scanner) &&
            mutants->function_count < SPEC_FUNCTIONS_MAX) {
            function = &mutants->functions[mutants->function_count++];
            memcpy(function->name, scanner.name, sizeof function->name);
            function->head = scanner.head;
            function->body = scanner.begin;
        } else if (function != NULL && scanner.depth == 0) {
            function->end = scanner.begin + 1;
            function = NULL;
        } else if (function != NULL) {
            add_mutant(mutants, instance, &scanner);
        }
    }
}

/* ---- One source of all ----------------------------------------------------------------------- */

/* The head of a function, under another name. */
static void write_head(const struct spec_mutants *mutants, const struct spec_function *function,
                       uint32_t suffix, FILE *file)
{
    const char *head = mutants->text + function->head;
    const char *name = strstr(head, function->name);
    const size_t name_bytes = strlen(function->name);
    while (is_name(name[-1]) || is_name(name[name_bytes])) {
        name = strstr(name + 1, function->name);
    }
    fprintf(file, "%.*s%s__%" PRIu32 "%.*s", (int)(name - head), head, function->name, suffix,
            (int)((size_t)(mutants->text + function->body - name) - name_bytes), name + name_bytes);
}

/* The parameters' names, which stand last before each comma. */
static void write_arguments(const struct spec_mutants *mutants,
                            const struct spec_function *function, FILE *file)
{
    const char *at = strchr(mutants->text + function->head, '(');
    const char *end = mutants->text + function->body;
    for (const char *stop = at + 1; stop < end; stop++) {
        if (*stop == ',' || *stop == ')') {
            const char *last = stop;
            while (is_name(last[-1])) {
                last--;
            }
            fprintf(file, "%.*s%s", (int)(stop - last), last, *stop == ',' ? ", " : "");
        }
    }
}

static void write_call(const struct spec_mutants *mutants, const struct spec_function *function,
                       uint32_t suffix, FILE *file)
{
    fprintf(file, "return %s__%" PRIu32 "(", function->name, suffix);
    write_arguments(mutants, function, file);
    fputs(");\n", file);
}

static void write_function(const struct spec_mutants *mutants, uint32_t number, FILE *file)
{
    const struct spec_function *function = &mutants->functions[number];
    const char *text = mutants->text;
    write_head(mutants, function, 0, file);
    fprintf(file, "%.*s\n", (int)(function->end - function->body), text + function->body);
    for (uint32_t i = 0; i < mutants->count; i++) {
        const struct spec_mutant *mutant = &mutants->list[i];
        const size_t behind = mutant->offset + strlen(mutant->before);
        if (mutant->function == number) {
            write_head(mutants, function, i + 1, file);
            fprintf(file, "%.*s%s%.*s\n", (int)(mutant->offset - function->body),
                    text + function->body, mutant->after, (int)(function->end - behind),
                    text + behind);
        }
    }
    fprintf(file, "%.*s{\nswitch (spec_mutant) {\n", (int)(function->body - function->head),
            text + function->head);
    for (uint32_t i = 0; i < mutants->count; i++) {
        if (mutants->list[i].function == number) {
            fprintf(file, "case %" PRIu32 ": ", i + 1);
            write_call(mutants, function, i + 1, file);
        }
    }
    fputs("default: ", file);
    write_call(mutants, function, 0, file);
    fputs("}\n}\n", file);
}

void spec_mutants_write(const struct spec_mutants *mutants, FILE *file)
{
    size_t at = 0;
    fputs("static unsigned spec_mutant;\nvoid spec_mutant_choose(unsigned number)\n"
          "{\n    spec_mutant = number;\n}\n",
          file);
    for (uint32_t i = 0; i < mutants->function_count; i++) {
        const struct spec_function *function = &mutants->functions[i];
        fprintf(file, "%.*s\n", (int)(function->head - at), mutants->text + at);
        write_function(mutants, i, file);
        at = function->end;
    }
    fputs(mutants->text + at, file);
}

/* ---- What is known to be none ---------------------------------------------------------------- */

/* A word, or what stands in quotes; *at is moved behind it and the blanks. False: neither. */
static bool take_word(const char **at, bool quoted, char word[SPEC_TOKEN_BYTES])
{
    const char *begin = *at + (quoted && **at == '"' ? 1 : 0);
    const size_t length = strcspn(begin, quoted ? "\"" : " ");
    const bool good = (!quoted || (begin > *at && begin[length] == '"')) &&
                      length < SPEC_TOKEN_BYTES && (quoted || length > 0);
    snprintf(word, SPEC_TOKEN_BYTES, "%.*s", (int)length, begin);
    begin += length + (quoted && begin[length] == '"' ? 1 : 0);
    *at = begin + strspn(begin, " ");
    return good;
}

static bool excuse(struct spec_mutants *mutants, const char *line, char *error, size_t error_bytes)
{
    char function[SPEC_TOKEN_BYTES], number[SPEC_TOKEN_BYTES];
    struct spec_mutant wanted;
    const char *at = line;
    memset(&wanted, 0, sizeof wanted);
    if (!take_word(&at, false, function) || !take_word(&at, false, number) ||
        !take_word(&at, true, wanted.before) || !take_word(&at, true, wanted.after)) {
        snprintf(error, error_bytes,
                 "'%.120s': write function, occurrence, \"token\", \"what it becomes\", why", line);
        return false;
    }
    wanted.occurrence = (uint32_t)strtoul(number, NULL, 10);
    if (strlen(at) < REASON_BYTES_MIN) {
        snprintf(error, error_bytes, "'%.120s': say why this changes nothing", line);
        return false;
    }
    for (uint32_t i = 0; i < mutants->count; i++) {
        struct spec_mutant *mutant = &mutants->list[i];
        if (strcmp(mutants->functions[mutant->function].name, function) == 0 &&
            strcmp(mutant->before, wanted.before) == 0 &&
            strcmp(mutant->after, wanted.after) == 0 && mutant->occurrence == wanted.occurrence) {
            mutant->listed = true;
            snprintf(mutant->reason, sizeof mutant->reason, "%s", at);
            return true;
        }
    }
    snprintf(error, error_bytes, "'%.120s': there is no such token any more; take the line away",
             line);
    return false;
}

bool spec_mutants_excuse(struct spec_mutants *mutants, const char *path, char *error,
                         size_t error_bytes)
{
    size_t size_bytes;
    char reason[512];
    if (access(path, F_OK) != 0) {
        return true;
    }
    char *text = spec_read_file(path, SPEC_FILE_BYTES_MAX, &size_bytes, error, error_bytes);
    bool good = text != NULL;
    uint32_t number = 1;
    for (char *at = text; good && *at != '\0'; number++) {
        char *end = at + strcspn(at, "\n");
        const bool more = *end != '\0';
        *end = '\0';
        if (*at != '#' && *at != '\0' && !excuse(mutants, at, reason, sizeof reason)) {
            snprintf(error, error_bytes, "%s:%" PRIu32 ": %s", path, number, reason);
            good = false;
        }
        at = end + (more ? 1 : 0);
    }
    free(text);
    return good;
}

void spec_mutant_print(const struct spec_mutants *mutants, uint32_t number, char *text,
                       size_t bytes)
{
    const struct spec_mutant *mutant = &mutants->list[number];
    snprintf(text, bytes, "%s %" PRIu32 " \"%s\" \"%s\"", mutants->functions[mutant->function].name,
             mutant->occurrence, mutant->before, mutant->after);
}
