#include "sim/option.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { NAMES_MAX = 32, COLUMN = 22 };

void option_unknown(const char *what, const char *typed, const char *const *names, size_t count,
                    char *error, size_t error_bytes)
{
    const char *near = nearest_name(typed, names, count);
    if (near == NULL) {
        snprintf(error, error_bytes, "no %s '%.80s'", what, typed);
    } else {
        snprintf(error, error_bytes, "no %s '%.80s'; did you mean '%s'?", what, typed, near);
    }
}

bool option_settings_add(struct option_settings *settings, const char *text, char *error,
                         size_t error_bytes)
{
    const char *equals = strchr(text, '=');
    if (equals == NULL || equals == text) {
        snprintf(error, error_bytes,
                 "'%.80s' sets nothing; write --set key=value, such as "
                 "--set fleet.devices=60",
                 text);
        return false;
    }
    const size_t key_bytes = (size_t)(equals - text);
    if (settings->count == OPTION_SETTINGS_MAX) {
        snprintf(error, error_bytes, "more than %d settings; put them into the scenario",
                 OPTION_SETTINGS_MAX);
        return false;
    }
    struct option_setting *setting = &settings->list[settings->count];
    if (key_bytes >= sizeof setting->key || strlen(equals + 1) >= sizeof setting->value) {
        snprintf(error, error_bytes, "the setting '%.40s...' is too long", text);
        return false;
    }
    snprintf(setting->key, sizeof setting->key, "%.*s", (int)key_bytes, text);
    snprintf(setting->value, sizeof setting->value, "%s", equals + 1);
    settings->count++;
    return true;
}

/* ---- values ---------------------------------------------------------------------------------- */

static bool parse_count(const struct option *option, const char *text)
{
    const bool hexadecimal = text[0] == '0' && (text[1] == 'x' || text[1] == 'X');
    const char *digits = hexadecimal ? text + 2 : text;
    const char *allowed = hexadecimal ? "0123456789abcdefABCDEF" : "0123456789";
    if (*digits == '\0' || strspn(digits, allowed) != strlen(digits)) {
        return false;
    }
    errno = 0;
    const unsigned long long number = strtoull(digits, NULL, hexadecimal ? 16 : 10);
    if (errno != 0 || number < option->min || number > option->max) {
        return false;
    }
    *(uint64_t *)option->target = number;
    return true;
}

static bool take_value(const struct option *option, const char *text, char *error,
                       size_t error_bytes)
{
    switch (option->kind) {
    case OPTION_FLAG:
        *(bool *)option->target = true;
        return true;
    case OPTION_TEXT:
        *(const char **)option->target = text;
        return true;
    case OPTION_COUNT:
        if (!parse_count(option, text)) {
            snprintf(error, error_bytes, "%s: '%.40s' is no number from %" PRIu64 " to %" PRIu64,
                     option->name, text, option->min, option->max);
            return false;
        }
        return true;
    case OPTION_TIME:
        if (!duration_parse(text, option->target)) {
            snprintf(error, error_bytes, "%s: '%.40s' is no time; write 90s, 5m or 1h30m",
                     option->name, text);
            return false;
        }
        return true;
    case OPTION_SETTING:
        return option_settings_add(option->target, text, error, error_bytes);
    }
    return false;
}

/* ---- the line -------------------------------------------------------------------------------- */

static const struct option *find(const struct option_verb *verb, const char *name, size_t bytes)
{
    for (size_t i = 0; i < verb->option_count; i++) {
        if (strlen(verb->options[i].name) == bytes &&
            strncmp(verb->options[i].name, name, bytes) == 0) {
            return &verb->options[i];
        }
    }
    return NULL;
}

static void unknown_option(const struct option_verb *verb, const char *typed, size_t bytes,
                           char *error, size_t error_bytes)
{
    const char *names[NAMES_MAX] = {"--help"};
    char name[64], reason[200];
    size_t count = 1;
    for (size_t i = 0; i < verb->option_count && count < NAMES_MAX; i++) {
        if (verb->options[i].doc != NULL) {
            names[count++] = verb->options[i].name;
        }
    }
    snprintf(name, sizeof name, "%.*s", (int)(bytes > 60 ? 60 : bytes), typed);
    option_unknown("option", name, names, count, reason, sizeof reason);
    snprintf(error, error_bytes, "%s (brownout %s --help lists them)", reason, verb->name);
}

/* One option at argv[*index], and the value behind it. */
static bool take_option(const struct option_verb *verb, int argc, char **argv, int *index,
                        char *error, size_t error_bytes)
{
    const char *typed = argv[*index];
    const char *equals = strchr(typed, '=');
    const size_t bytes = equals == NULL ? strlen(typed) : (size_t)(equals - typed);
    const struct option *option = find(verb, typed, bytes);
    if (option == NULL) {
        unknown_option(verb, typed, bytes, error, error_bytes);
        return false;
    }
    const char *value = equals == NULL ? NULL : equals + 1;
    if (option->kind == OPTION_FLAG && value != NULL) {
        snprintf(error, error_bytes, "%s takes no value", option->name);
        return false;
    }
    if (option->kind != OPTION_FLAG && value == NULL) {
        if (*index + 1 >= argc) {
            snprintf(error, error_bytes, "%s needs a value: %s %s", option->name, option->name,
                     option->value);
            return false;
        }
        value = argv[++*index];
    }
    return take_value(option, value, error, error_bytes);
}

/* For one more argument. */
static bool has_room(const struct option_verb *verb, const char *argument)
{
    return verb->argument != NULL &&
           (verb->arguments == NULL ? argument == NULL
                                    : verb->arguments->count < OPTION_ARGUMENTS_MAX);
}

enum option_outcome option_parse(const struct option_verb *verb, int argc, char **argv,
                                 const char **argument, char *error, size_t error_bytes)
{
    bool only_arguments = false;
    *argument = NULL;
    if (verb->arguments != NULL) {
        verb->arguments->count = 0;
    }
    for (int i = 1; i < argc; i++) {
        if (!only_arguments && strcmp(argv[i], "--") == 0) {
            only_arguments = true;
        } else if (!only_arguments &&
                   (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0)) {
            return OPTION_HELP;
        } else if (!only_arguments && argv[i][0] == '-' && argv[i][1] != '\0') {
            if (!take_option(verb, argc, argv, &i, error, error_bytes)) {
                return OPTION_WRONG;
            }
        } else if (!has_room(verb, *argument)) {
            snprintf(error, error_bytes, "'%.80s' is one argument too many (brownout %s --help)",
                     argv[i], verb->name);
            return OPTION_WRONG;
        } else {
            *argument = *argument == NULL ? argv[i] : *argument;
            if (verb->arguments != NULL) {
                verb->arguments->list[verb->arguments->count++] = argv[i];
            }
        }
    }
    if (*argument == NULL && verb->argument != NULL && verb->argument[0] != '[') {
        snprintf(error, error_bytes, "%s is missing, as in: %s", verb->argument, verb->example);
        return OPTION_WRONG;
    }
    return OPTION_READY;
}

/* ---- help ------------------------------------------------------------------------------------ */

void option_help(const struct option_verb *verb, FILE *file)
{
    fprintf(file, "brownout %s%s%s [OPTIONS]\n%s.\n\n", verb->name,
            verb->argument == NULL ? "" : " ", verb->argument == NULL ? "" : verb->argument,
            verb->doc);
    for (size_t i = 0; i < verb->option_count; i++) {
        const struct option *option = &verb->options[i];
        char left[64];
        if (option->doc == NULL) {
            continue;
        }
        snprintf(left, sizeof left, "%s%s%s", option->name, option->value == NULL ? "" : " ",
                 option->value == NULL ? "" : option->value);
        fprintf(file, "  %-*s  %s\n", COLUMN, left, option->doc);
    }
    fprintf(file, "  %-*s  %s\n", COLUMN, "--help", "this text");
    if (verb->details != NULL) {
        fprintf(file, "\n%s\n", verb->details);
    }
    fprintf(file, "\nexample:\n  %s\n", verb->example);
}
