/* A planted bug: a patch of one source file, with a header that says which law must catch it.
 *
 *   law: telemetry.once               the law that is broken; or `determinism`: selfcheck must see
 * it also: device.outbox               another law that it may break first; any number of these
 *   scenario: scenarios/crucible.lua  under which it shows
 *   set: device.reserve=1             over the scenario's settings; any number of these
 *   (empty line)
 *   What is wrong, and why it matters.
 *   (empty line)
 *   --- a/core/outbox.c               a unified diff of exactly one file
 *   ...
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

struct mutant {
    char name[MUTANT_NAME_BYTES]; /* of the patch, without folder and suffix */
    char patch[MUTANT_PATH_BYTES];
    uint32_t law; /* enum law or MUTANT_DETERMINISM */
    bool also[LAW_COUNT];
    char scenario[MUTANT_PATH_BYTES];
    struct option_settings settings;
    char why[MUTANT_WHY_BYTES];   /* on one line */
    char file[MUTANT_PATH_BYTES]; /* that is patched, from the root of the tree */
};

/* False: error says where and what. */
bool mutant_read(struct mutant *mutant, const char *patch, char *error, size_t error_bytes);
const char *mutant_law_name(uint32_t law);

/* What the build says about itself: mutants.json, see scripts/mutants.cmake. */
struct mutant_build;
struct mutant_build *mutant_build_open(const char *folder, char *error, size_t error_bytes);
void mutant_build_close(struct mutant_build *build);
const char *mutant_build_source(const struct mutant_build *build);

/* A folder of its own for one mutant. */
struct mutant_shop {
    char folder[MUTANT_PATH_BYTES];
    char source[2 * MUTANT_PATH_BYTES], object[2 * MUTANT_PATH_BYTES];
    char program[2 * MUTANT_PATH_BYTES];
};
bool mutant_shop_open(struct mutant_shop *shop, const struct mutant *mutant, char *error,
                      size_t error_bytes);
void mutant_shop_close(struct mutant_shop *shop);

/* Patch a copy of the file of the tree at `source`. False: the patch does not apply any more. */
bool mutant_apply(const struct mutant *mutant, const struct mutant_shop *shop, const char *source,
                  char *error, size_t error_bytes);
/* Compile that one file, and link the command with it. */
bool mutant_make(const struct mutant *mutant, const struct mutant_shop *shop,
                 const struct mutant_build *build, const char *source, char *error,
                 size_t error_bytes);

#endif
