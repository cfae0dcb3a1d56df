/* A planted bug: a patch of one source file, with a header that says which law must catch it.
 *
 *   law: telemetry.once               the law that is broken; or `determinism`: selfcheck must see
 * it also: device.outbox               another law that it may break first; any number of these
 *   scenario: scenarios/crucible.lua  under which it shows
 *   set: device.reserve=1             over the scenario's settings; any number of these
 *   needs: torn                       the scenario is a device's life, see below
 *   (empty line)
 *   What is wrong, and why it matters.
 *   (empty line)
 *   --- a/core/outbox.c               a unified diff of exactly one file
 *   ...
 *
 * Where the scenario is a life, every power cut of it is looked at (brownout cuts). `needs` says
 * which class of crash states shows the bug: `cut` (power goes between two operations or units),
 * `torn` (inside a unit or an erase block), `uncertain` (bits that answer each read anew), or
 * `none` (the life without cuts does). The first law that breaks ends it: there is no `also`, and
 * no `set`.
 */
#ifndef BROWNOUT_SIM_MUTANT_H
#define BROWNOUT_SIM_MUTANT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "models/model.h"
#include "sim/option.h"

enum { MUTANT_NAME_BYTES = 64, MUTANT_PATH_BYTES = 320, MUTANT_WHY_BYTES = 600 };

#define MUTANT_SUFFIX      ".patch"
#define MUTANT_DETERMINISM LAW_COUNT /* in place of a law */

enum mutant_needs {
    MUTANT_NEEDS_RUN, /* no life: runs of a scenario show it */
    MUTANT_NEEDS_NONE,
    MUTANT_NEEDS_CUT,
    MUTANT_NEEDS_TORN,
    MUTANT_NEEDS_UNCERTAIN,
    MUTANT_NEEDS_COUNT
};

/* What came of looking for one. */
enum mutant_outcome {
    MUTANT_CAUGHT,
    MUTANT_SURVIVED,  /* no run broke a law */
    MUTANT_OTHER_LAW, /* a law that it does not name was broken first */
    MUTANT_LOUD,      /* it does not even need a fault, or not the one that it says */
    MUTANT_ALIKE,     /* the program without it breaks the law as well */
    MUTANT_BROKEN,    /* the patch does not apply, or what comes of it does not run */
};

struct mutant {
    char name[MUTANT_NAME_BYTES]; /* of the patch, without folder and suffix */
    char patch[MUTANT_PATH_BYTES];
    uint32_t law; /* enum law or MUTANT_DETERMINISM */
    bool also[LAW_COUNT];
    enum mutant_needs needs;
    char scenario[MUTANT_PATH_BYTES];
    struct option_settings settings;
    char why[MUTANT_WHY_BYTES];   /* on one line */
    char file[MUTANT_PATH_BYTES]; /* that is patched, from the root of the tree */
};

/* False: error says where and what. */
bool mutant_read(struct mutant *mutant, const char *patch, char *error, size_t error_bytes);
const char *mutant_law_name(uint32_t law);
/* The law of that name; LAW_COUNT: there is none. */
uint32_t mutant_law(const char *name);
/* Which laws judge its runs. law: this one alone, in place of what it names; LAW_COUNT: all, but
 * that a law which is proven equal to a spec (spec.*) would be the first to see what breaks others,
 * and stays out where it is not the one that is named. */
void mutant_judge(struct mutant *mutant, uint32_t law);

/* What the build says about itself: mutants.json, see scripts/mutants.cmake. */
struct mutant_build;
struct mutant_build *mutant_build_open(const char *folder, char *error, size_t error_bytes);
void mutant_build_close(struct mutant_build *build);
const char *mutant_build_source(const struct mutant_build *build);
const char *mutant_build_compiler(const struct mutant_build *build);

/* A folder of its own for one mutant. */
struct mutant_shop {
    char folder[MUTANT_PATH_BYTES];
    char source[2 * MUTANT_PATH_BYTES], object[2 * MUTANT_PATH_BYTES];
    char program[2 * MUTANT_PATH_BYTES];
};
bool mutant_shop_open(struct mutant_shop *shop, const struct mutant *mutant, char *error,
                      size_t error_bytes);
/* The folder goes, with all files in it. */
void mutant_shop_close(struct mutant_shop *shop);

/* Patch a copy of the file of the tree at `source`. False: the patch does not apply any more. */
bool mutant_apply(const struct mutant *mutant, const struct mutant_shop *shop, const char *source,
                  char *error, size_t error_bytes);
/* Compile that one file, and link the command with it. */
bool mutant_make(const struct mutant *mutant, const struct mutant_shop *shop,
                 const struct mutant_build *build, const char *source, char *error,
                 size_t error_bytes);

#endif
