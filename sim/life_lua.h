/* A life as its Lua file: what life_read reads (see life.h and scenarios/brownout.lua). */
#ifndef BROWNOUT_SIM_LIFE_LUA_H
#define BROWNOUT_SIM_LIFE_LUA_H

#include <stdbool.h>
#include <stdio.h>

#include "sim/life.h"

struct life_lua {
    const struct life *life;
    const char *question;     /* its first line */
    const char *head;         /* lines of comment below it; may be empty */
    const char *const *notes; /* one for each part of life->cuts, or NULL; NULL: none */
};

/* False: the file cannot be written. */
bool life_lua_write(const struct life_lua *text, FILE *file);

#endif
