/* A configuration file of TLC: the part of its language that our specs use. */
#ifndef BROWNOUT_SIM_SPEC_CONFIG_H
#define BROWNOUT_SIM_SPEC_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "models/spec.h"

enum { SPEC_CONFIG_NAME_BYTES = 64, SPEC_PATH_BYTES = 512, SPEC_FILE_BYTES_MAX = 1 << 20 };

/* By the name of the file. */
enum spec_role {
    SPEC_ROLE_CHECK, /* MC.cfg, MC_*.cfg */
    SPEC_ROLE_LIVE,  /* Live.cfg, Live_*.cfg */
    SPEC_ROLE_BUG,   /* bug_*.cfg: its one claim must be broken */
    SPEC_ROLE_REACH, /* reach_*.cfg: as well */
    SPEC_ROLE_BIG,   /* Big.cfg, Big_*.cfg */
    SPEC_ROLE_COUNT
};

struct spec_config_constant {
    char name[SPEC_CONFIG_NAME_BYTES];
    bool is_bool;
    int32_t value;
};

struct spec_names {
    uint32_t count;
    char list[SPEC_CLAIMS_MAX + 2][SPEC_CONFIG_NAME_BYTES];
};

struct spec_config {
    char path[SPEC_PATH_BYTES];
    char name[SPEC_CONFIG_NAME_BYTES]; /* of the file, without .cfg */
    enum spec_role role;
    uint32_t constant_count;
    struct spec_config_constant constants[SPEC_CONSTANTS_MAX];
    char specification[SPEC_CONFIG_NAME_BYTES];
    struct spec_names invariants, properties;
};

/* False: error names file and line, and what to do. */
bool spec_config_read(struct spec_config *config, const char *path, char *error,
                      size_t error_bytes);
/* NULL: it is not given. */
const struct spec_config_constant *spec_config_constant(const struct spec_config *config,
                                                        const char *name);
bool spec_names_has(const struct spec_names *names, const char *name);

/* A whole file, ended by NUL, to be freed; NULL: error says why. */
char *spec_read_file(const char *path, size_t bytes_max, size_t *size_bytes, char *error,
                     size_t error_bytes);

#endif
