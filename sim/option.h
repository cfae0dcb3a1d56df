/* The command line of one verb: its argument, its options, and the help that describes both.
 *
 * `--name value` and `--name=value` are the same; options and the argument come in any order; after
 * `--` all is argument. What is wrong is answered by what to do, with "did you mean". */
#ifndef BROWNOUT_SIM_OPTION_H
#define BROWNOUT_SIM_OPTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "sim/setting.h"

enum option_kind {
    OPTION_FLAG,    /* target: bool */
    OPTION_TEXT,    /* target: const char *, borrowed from argv */
    OPTION_COUNT,   /* target: uint64_t in min..max; decimal, or hexadecimal after 0x */
    OPTION_TIME,    /* target: uint64_t, microseconds: "90s", "5m" */
    OPTION_SETTING, /* target: struct option_settings; may come often */
};

enum { OPTION_SETTINGS_MAX = 64, OPTION_KEY_BYTES = 96, OPTION_ARGUMENTS_MAX = 1024 };

/* What --set said, in its order. */
struct option_settings {
    uint32_t count;
    struct option_setting {
        char key[OPTION_KEY_BYTES];
        char value[SETTING_TEXT_BYTES];
    } list[OPTION_SETTINGS_MAX];
};

struct option {
    const char *name; /* "--seed" */
    enum option_kind kind;
    void *target;
    uint64_t min, max; /* COUNT */
    const char *value; /* what follows it, for the help: "N"; NULL: nothing follows */
    const char *doc;   /* NULL: not in the help */
};

struct option_arguments;

struct option_verb {
    const char *name;
    const char *argument; /* "SCENARIO.lua"; NULL: it has none. In [] it may be left out */
    struct option_arguments *arguments; /* it may come often: all of them; NULL: once */
    const char *doc;                    /* one line */
    const char *details;                /* paragraphs after the options; NULL: none */
    const char *example;
    const struct option *options;
    size_t option_count;
};

/* All arguments of a verb that takes several; borrowed from argv. */
struct option_arguments {
    uint32_t count;
    const char *list[OPTION_ARGUMENTS_MAX];
};

enum option_outcome { OPTION_READY, OPTION_HELP, OPTION_WRONG };

/* Fill the targets from argv[1..argc-1]. *argument: what is no option; NULL if it was left out.
 * --help wins over whatever is wrong after it. WRONG: `error` says what, and the remedy. */
enum option_outcome option_parse(const struct option_verb *verb, int argc, char **argv,
                                 const char **argument, char *error, size_t error_bytes);

void option_help(const struct option_verb *verb, FILE *file);

/* Append one "key=value". */
bool option_settings_add(struct option_settings *settings, const char *text, char *error,
                         size_t error_bytes);

/* Tell a person who typed a name that there is none, and which is near it. */
void option_unknown(const char *what, const char *typed, const char *const *names, size_t count,
                    char *error, size_t error_bytes);

#endif
