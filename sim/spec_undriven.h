/* specs/<Law>/UNDRIVEN: which steps of the spec a correct core cannot show, and why.
 *
 * One line each: `Action: reason`. The reason is the driver's own, word for word; it stands for all
 * edges of this action that the driver refuses for it. Blank lines and those that begin with # say
 * nothing. */
#ifndef BROWNOUT_SIM_SPEC_UNDRIVEN_H
#define BROWNOUT_SIM_SPEC_UNDRIVEN_H

#include "sim/spec_folder.h"

enum { UNDRIVEN_LINES_MAX = 64, UNDRIVEN_LINE_BYTES = 320 };

struct undriven_line {
    uint32_t number; /* in the file, from 1 */
    uint32_t action;
    char reason[UNDRIVEN_LINE_BYTES];
};

struct undriven {
    char path[SPEC_PATH_BYTES];
    uint32_t count;
    struct undriven_line lines[UNDRIVEN_LINES_MAX];
};

/* No file: nothing is listed. False: error says which line is wrong. */
bool undriven_read(struct undriven *undriven, const struct spec_folder *folder,
                   const struct spec_instance *instance, char *error, size_t error_bytes);
/* The line's index; UINT32_MAX: it is not listed. */
uint32_t undriven_find(const struct undriven *undriven, uint32_t action, const char *reason);

#endif
