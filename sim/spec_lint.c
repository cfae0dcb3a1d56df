/* Is every name of the spec in the .def, and every name of the .def in the spec? */
#include <ctype.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "core/check.h"
#include "sim/spec_folder.h"

enum { DEFINITIONS_MAX = 256 };

/* A module without its comments and strings. */
struct module {
    char *text;
    uint32_t lines;
    const char *definitions[DEFINITIONS_MAX]; /* where they begin in the text */
    uint32_t definition_count;
};

struct lint {
    const struct spec_folder *folder;
    FILE *report;
    uint32_t faults;
    uint64_t variables, constants; /* of the .def: a bit for each that the module declares */
    struct module module;
};
_Static_assert(SPEC_VARIABLES_MAX <= 64 && SPEC_CONSTANTS_MAX <= 64, "a set is a word");

static void fault(struct lint *lint, const char *file, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static void fault(struct lint *lint, const char *file, const char *format, ...)
{
    va_list arguments;
    fprintf(lint->report, "%s: ", file);
    va_start(arguments, format);
    vfprintf(lint->report, format, arguments);
    va_end(arguments);
    fputc('\n', lint->report);
    lint->faults++;
}

/* ---- The module ------------------------------------------------------------------------------ */

static bool is_name(char c)
{
    return isalnum((unsigned char)c) || c == '_';
}

static size_t name_length(const char *at)
{
    size_t length = 0;
    while (is_name(at[length])) {
        length++;
    }
    return length;
}

static bool is_word(const char *at, const char *word)
{
    return name_length(at) == strlen(word) && strncmp(at, word, strlen(word)) == 0;
}

/* Comments and strings become blanks, so that lines and columns stay. */
static void blank(char *text)
{
    for (char *at = text; *at != '\0';) {
        char *end;
        if (at[0] == '\\' && at[1] == '*') {
            end = at + strcspn(at, "\n");
        } else if (at[0] == '(' && at[1] == '*') {
            end = strstr(at, "*)");
            end = end == NULL ? at + strlen(at) : end + 2;
        } else if (at[0] == '"') {
            end = at + 1 + strcspn(at + 1, "\"\n");
            end += *end == '"' ? 1 : 0;
        } else {
            at++;
            continue;
        }
        for (; at < end; at++) {
            *at = *at == '\n' ? '\n' : ' ';
        }
    }
}

/* Operators begin in the first column. */
static void find_definitions(struct module *module)
{
    static const char *const words[] = {"EXTENDS", "CONSTANT", "CONSTANTS", "VARIABLE", "VARIABLES",
                                        "ASSUME",  "THEOREM",  "RECURSIVE", "INSTANCE"};
    for (const char *at = module->text; *at != '\0';) {
        bool keyword = !is_name(*at);
        for (uint32_t i = 0; i < sizeof words / sizeof words[0]; i++) {
            keyword = keyword || is_word(at, words[i]);
        }
        if (!keyword && module->definition_count < DEFINITIONS_MAX) {
            module->definitions[module->definition_count++] = at;
        }
        module->lines++;
        at += strcspn(at, "\n");
        at += *at == '\n' ? 1 : 0;
    }
}

static const char *definition(const struct module *module, const char *name)
{
    for (uint32_t i = 0; i < module->definition_count; i++) {
        if (is_word(module->definitions[i], name)) {
            return module->definitions[i];
        }
    }
    return NULL;
}

/* The names behind VARIABLES or CONSTANTS, with commas between. Calls `each` for every one. */
static void each_declared(struct lint *lint, const char *singular, const char *plural,
                          void (*each)(struct lint *lint, const char *at, size_t length))
{
    for (const char *at = lint->module.text; *at != '\0'; at++) {
        if ((at != lint->module.text && is_name(at[-1])) ||
            !(is_word(at, singular) || is_word(at, plural))) {
            continue;
        }
        at += name_length(at);
        do {
            at += strspn(at, ", \n\t\r");
            const size_t length = name_length(at);
            each(lint, at, length);
            at += length + strspn(at + length, " \n\t\r");
        } while (*at == ',');
        at--;
    }
}

static void variable_is_listed(struct lint *lint, const char *at, size_t length)
{
    const struct spec_model *model = lint->folder->model;
    struct spec_variable variables[SPEC_VARIABLES_MAX];
    const int32_t none[SPEC_CONSTANTS_MAX] = {0};
    model->variables(none, variables);
    for (uint32_t i = 0; i < model->variable_count; i++) {
        if (strlen(variables[i].name) == length && strncmp(variables[i].name, at, length) == 0) {
            lint->variables |= UINT64_C(1) << i;
            return;
        }
    }
    fault(lint, lint->folder->module, "the variable %.*s is not in the .def; add it there",
          (int)length, at);
}

static void constant_is_listed(struct lint *lint, const char *at, size_t length)
{
    const struct spec_model *model = lint->folder->model;
    for (uint32_t i = 0; i < model->constant_count; i++) {
        const char *name = model->constants[i].name;
        if (strlen(name) == length && strncmp(name, at, length) == 0) {
            lint->constants |= UINT64_C(1) << i;
            return;
        }
    }
    fault(lint, lint->folder->module, "the constant %.*s is not in the .def; add it there",
          (int)length, at);
}

/* ---- Next ------------------------------------------------------------------------------------ */

static const char *const set_words[] = {"in", "SUBSET", "UNION", "DOMAIN"};

/* Does what stands before make this name a set, and no action? */
static bool is_set_name(const char *before)
{
    for (uint32_t i = 0; i < sizeof set_words / sizeof set_words[0]; i++) {
        if (is_word(before, set_words[i])) {
            return true;
        }
    }
    return *before == '.' || *before == '(' || *before == ',';
}

static void check_next(struct lint *lint)
{
    const struct spec_model *model = lint->folder->model;
    struct spec_action actions[SPEC_ACTIONS_MAX];
    const int32_t none[SPEC_CONSTANTS_MAX] = {0};
    bool named[SPEC_ACTIONS_MAX] = {false};
    const char *at = definition(&lint->module, "Next"), *before = "";
    model->actions(none, actions);
    if (at == NULL) {
        fault(lint, lint->folder->module, "there is no Next");
        return;
    }
    at += strlen("Next");
    while (*at != '\0' && !(at[-1] == '\n' && is_name(*at)) && strncmp(at, "====", 4) != 0) {
        char name[SPEC_CONFIG_NAME_BYTES];
        const size_t length = name_length(at);
        if (length == 0) {
            before = isspace((unsigned char)*at) ? before : at;
            at++;
            continue;
        }
        snprintf(name, sizeof name, "%.*s", (int)length, at);
        uint32_t i = 0;
        while (i < model->action_count && strcmp(actions[i].name, name) != 0) {
            i++;
        }
        if (i < model->action_count) {
            named[i] = true;
        } else if (definition(&lint->module, name) != NULL && !is_set_name(before)) {
            fault(lint, lint->folder->module,
                  "Next names %s, which is no action of the .def; actions are its direct disjuncts",
                  name);
        }
        before = at;
        at += length;
    }
    for (uint32_t i = 0; i < model->action_count; i++) {
        if (!named[i]) {
            fault(lint, lint->folder->module, "Next does not name the action %s of the .def",
                  actions[i].name);
        }
    }
}

static void check_defined(struct lint *lint, const char *name, const char *tail)
{
    char whole[2 * SPEC_CONFIG_NAME_BYTES];
    snprintf(whole, sizeof whole, "%s%s", name, tail);
    if (definition(&lint->module, whole) == NULL) {
        fault(lint, lint->folder->module, "%s is in the .def, and not defined here%s", whole,
              tail[0] != '\0' ? "; write X == [][XStep]_vars" : "");
    }
}

static void check_module(struct lint *lint)
{
    const struct spec_model *model = lint->folder->model;
    struct spec_variable variables[SPEC_VARIABLES_MAX];
    const int32_t none[SPEC_CONSTANTS_MAX] = {0};
    model->variables(none, variables);
    if (lint->module.lines > SPEC_LINES_MAX) {
        fault(lint, lint->folder->module, "%" PRIu32 " lines, more than %d: model less",
              lint->module.lines, SPEC_LINES_MAX);
    }
    each_declared(lint, "VARIABLE", "VARIABLES", variable_is_listed);
    each_declared(lint, "CONSTANT", "CONSTANTS", constant_is_listed);
    for (uint32_t i = 0; i < model->variable_count; i++) {
        if ((lint->variables >> i & 1) == 0) {
            fault(lint, lint->folder->module, "VARIABLES does not name %s of the .def",
                  variables[i].name);
        }
    }
    for (uint32_t i = 0; i < model->constant_count; i++) {
        if ((lint->constants >> i & 1) == 0) {
            fault(lint, lint->folder->module, "CONSTANTS does not name %s of the .def",
                  model->constants[i].name);
        }
    }
    check_next(lint);
    check_defined(lint, "TypeOK", "");
    check_defined(lint, "vars", "");
    for (uint32_t i = 0; i < model->invariant_count; i++) {
        check_defined(lint, model->invariants[i], "");
    }
    for (uint32_t i = 0; i < model->property_count; i++) {
        check_defined(lint, model->properties[i], "");
        check_defined(lint, model->properties[i], "Step");
    }
    for (uint32_t i = 0; i < model->response_count; i++) {
        check_defined(lint, model->responses[i].name, "");
    }
}

/* ---- Configurations -------------------------------------------------------------------------- */

static bool is_among(const char *name, const char *const *names, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        if (strcmp(names[i], name) == 0) {
            return true;
        }
    }
    return false;
}

static bool is_response(const struct spec_model *model, const char *name)
{
    for (uint32_t i = 0; i < model->response_count; i++) {
        if (strcmp(model->responses[i].name, name) == 0) {
            return true;
        }
    }
    return false;
}

/* Exactly the claims of the .def. */
static void check_claims(struct lint *lint, const struct spec_config *config)
{
    const struct spec_model *model = lint->folder->model;
    for (uint32_t i = 0; i < model->invariant_count; i++) {
        if (!spec_names_has(&config->invariants, model->invariants[i])) {
            fault(lint, config->path, "INVARIANT %s of the .def is missing", model->invariants[i]);
        }
    }
    for (uint32_t i = 0; i < model->property_count; i++) {
        if (!spec_names_has(&config->properties, model->properties[i])) {
            fault(lint, config->path, "PROPERTY %s of the .def is missing", model->properties[i]);
        }
    }
    if (!spec_names_has(&config->invariants, "TypeOK")) {
        fault(lint, config->path, "INVARIANT TypeOK is missing");
    }
    for (uint32_t i = 0; i < config->invariants.count; i++) {
        const char *name = config->invariants.list[i];
        if (strcmp(name, "TypeOK") != 0 &&
            !is_among(name, model->invariants, model->invariant_count)) {
            fault(lint, config->path, "INVARIANT %s is not in the .def", name);
        }
    }
    for (uint32_t i = 0; i < config->properties.count; i++) {
        if (!is_among(config->properties.list[i], model->properties, model->property_count)) {
            fault(lint, config->path, "PROPERTY %s is not in the .def", config->properties.list[i]);
        }
    }
}

static void check_single(struct lint *lint, const struct spec_config *config)
{
    const struct spec_model *model = lint->folder->model;
    if (config->invariants.count + config->properties.count != 1) {
        fault(lint, config->path, "it must list one claim, the one that is to be broken");
        return;
    }
    const char *name =
        config->invariants.count == 1 ? config->invariants.list[0] : config->properties.list[0];
    const bool known = is_among(name, model->invariants, model->invariant_count) ||
                       is_among(name, model->properties, model->property_count) ||
                       is_response(model, name);
    if (config->role == SPEC_ROLE_BUG && !known) {
        fault(lint, config->path, "%s is no claim of the .def", name);
    } else if (config->role == SPEC_ROLE_REACH && definition(&lint->module, name) == NULL) {
        fault(lint, config->path, "%s is not defined in the module", name);
    }
}

static void check_config(struct lint *lint, const struct spec_config *config)
{
    const bool live = config->role == SPEC_ROLE_LIVE;
    const bool response = config->properties.count == 1 &&
                          is_response(lint->folder->model, config->properties.list[0]);
    const char *specification =
        live || (config->role == SPEC_ROLE_BUG && response) ? "FairSpec" : "Spec";
    static struct spec_instance instance;
    char error[1024];
    if (strcmp(config->specification, specification) != 0) {
        fault(lint, config->path, "SPECIFICATION is %s, and not %s", config->specification,
              specification);
    }
    if (!spec_instance_init(&instance, lint->folder->model, config, error, sizeof error)) {
        fprintf(lint->report, "%s\n", error);
        lint->faults++;
    }
    switch (config->role) {
    case SPEC_ROLE_CHECK:
    case SPEC_ROLE_BIG:
        check_claims(lint, config);
        break;
    case SPEC_ROLE_LIVE:
        for (uint32_t i = 0; i < config->properties.count; i++) {
            if (!is_response(lint->folder->model, config->properties.list[i])) {
                fault(lint, config->path, "PROPERTY %s is no response of the .def",
                      config->properties.list[i]);
            }
        }
        break;
    case SPEC_ROLE_BUG:
    case SPEC_ROLE_REACH:
        check_single(lint, config);
        break;
    case SPEC_ROLE_COUNT:
    default:
        break;
    }
}

/* The model is held to the spec with each planted bug, and without. */
static void check_both_ways(struct lint *lint)
{
    const struct spec_folder *folder = lint->folder;
    for (uint32_t c = 0; c < folder->model->constant_count; c++) {
        const struct spec_constant *constant = &folder->model->constants[c];
        bool seen[2] = {false, false};
        for (uint32_t i = 0; i < folder->config_count; i++) {
            const struct spec_config *config = &folder->configs[i];
            const struct spec_config_constant *given = spec_config_constant(config, constant->name);
            if (given != NULL &&
                (config->role == SPEC_ROLE_CHECK || config->role == SPEC_ROLE_BUG)) {
                seen[given->value != 0] = true;
            }
        }
        if (constant->is_bool && !(seen[0] && seen[1])) {
            fault(lint, folder->path, "%s is %s in no MC*.cfg and no bug_*.cfg", constant->name,
                  seen[0] ? "TRUE" : "FALSE");
        }
    }
}

static void check_roles(struct lint *lint)
{
    static const uint32_t least[SPEC_ROLE_COUNT] = {1, 0, 2, 2, 0};
    static const char *const words[SPEC_ROLE_COUNT] = {"MC.cfg", "Live.cfg", "bug_*.cfg",
                                                       "reach_*.cfg", "Big.cfg"};
    const struct spec_folder *folder = lint->folder;
    uint32_t count[SPEC_ROLE_COUNT] = {0};
    for (uint32_t i = 0; i < folder->config_count; i++) {
        count[folder->configs[i].role]++;
        check_config(lint, &folder->configs[i]);
    }
    for (uint32_t i = 0; i < SPEC_ROLE_COUNT; i++) {
        if (count[i] < least[i]) {
            fault(lint, folder->path, "%" PRIu32 " of %s, and at least %" PRIu32 " are needed",
                  count[i], words[i], least[i]);
        }
    }
    for (uint32_t r = 0; r < folder->model->response_count; r++) {
        bool checked = false;
        for (uint32_t i = 0; i < folder->config_count; i++) {
            checked = checked || (folder->configs[i].role == SPEC_ROLE_LIVE &&
                                  spec_names_has(&folder->configs[i].properties,
                                                 folder->model->responses[r].name));
        }
        if (!checked) {
            fault(lint, folder->path, "no Live.cfg checks PROPERTY %s",
                  folder->model->responses[r].name);
        }
    }
}

uint32_t spec_lint(const struct spec_folder *folder, FILE *report)
{
    struct lint lint = {.folder = folder, .report = report};
    char error[1024];
    size_t size_bytes;
    lint.module.text =
        spec_read_file(folder->module, SPEC_FILE_BYTES_MAX, &size_bytes, error, sizeof error);
    if (lint.module.text == NULL) {
        fprintf(report, "%s\n", error);
        return 1;
    }
    blank(lint.module.text);
    find_definitions(&lint.module);
    check_module(&lint);
    check_roles(&lint);
    check_both_ways(&lint);
    free(lint.module.text);
    return lint.faults;
}
