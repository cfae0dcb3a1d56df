/* The built programs, for tests that run them: the command is named by the variable BROWNOUT. */
#ifndef BROWNOUT_TEST_PROGRAMS_H
#define BROWNOUT_TEST_PROGRAMS_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/test/test.h"

static inline const char *program_command(void)
{
    const char *path = getenv("BROWNOUT");
    EXPECT(path != NULL);
    return path;
}

/* Beside the command, or in the folder of tests below it. Good until the fourth call from here. */
static inline const char *program_path(const char *name)
{
    enum { PATHS = 4, PROGRAM_PATH_BYTES = 512 };
    static char paths[PATHS][PROGRAM_PATH_BYTES];
    static unsigned next;
    char *path = paths[next++ % PATHS];
    snprintf(path, PROGRAM_PATH_BYTES, "%s", program_command());
    char *slash = strrchr(path, '/');
    EXPECT(slash != NULL);
    snprintf(slash + 1, (size_t)(path + PROGRAM_PATH_BYTES - slash - 1), "%s", name);
    return path;
}

#endif
