/* What stands in specs/<Law>: the module and its configurations, and whether they fit the .def. */
#ifndef BROWNOUT_SIM_SPEC_FOLDER_H
#define BROWNOUT_SIM_SPEC_FOLDER_H

#include "sim/spec_config.h"
#include "sim/spec_instance.h"

enum {
    SPEC_CONFIGS_MAX = 40,
    SPEC_LINES_MAX = 250,            /* of a module: the smallest thing that can break */
    SPEC_CHECKED_STATES_MAX = 50000, /* of MC*.cfg */
};

struct spec_folder {
    const struct spec_model *model;
    char path[SPEC_PATH_BYTES];   /* of the folder, from the root of the file system */
    char module[SPEC_PATH_BYTES]; /* of the .tla */
    uint32_t
        rows_max; /* typed states that are drawn for an instance, at most; 0: as many as usual */
    uint32_t config_count;
    struct spec_config configs[SPEC_CONFIGS_MAX]; /* by name */
};

/* False: error says what is missing or not understood. */
bool spec_folder_read(struct spec_folder *folder, const struct spec_model *model,
                      const char *source, char *error, size_t error_bytes);

/* Names, numbers and sizes: are module, configurations and .def of one law? No Java is needed.
 * Writes a line to `report` for each thing that is not; returns how many. */
uint32_t spec_lint(const struct spec_folder *folder, FILE *report);

#endif
