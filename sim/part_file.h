/* The form of a part file: one `key = value` a line, `#` begins a comment. For part.c alone. */
#ifndef BROWNOUT_SIM_PART_FILE_H
#define BROWNOUT_SIM_PART_FILE_H

#include <stdio.h>

#include "sim/part.h"

/* Fill endurance, about and profile of a part that is zero but for its name. False: error says
 * path, line and what to do. */
bool part_file_read(const char *path, FILE *file, struct part *part, char *error,
                    size_t error_bytes);

#endif
