/* A plan as a Lua scenario that people read: what scenarios/ and scenarios/regress/ hold. With the
 * plan's seed it is the same run as the plan, event by event, where every entry was placed before
 * the first event or filed between two (PLAN_NOW). */
#ifndef BROWNOUT_SIM_PLAN_LUA_H
#define BROWNOUT_SIM_PLAN_LUA_H

#include <stdbool.h>
#include <stdio.h>

#include "sim/plan.h"

struct plan_lua {
    const struct plan *plan;
    const char *question;     /* the first line, without "-- " */
    const char *head;         /* more lines of comment; "": none */
    const char *const *notes; /* [entry_count]: a comment above each fault; NULL: none */
};

/* All borrowed. Files that settings name are written with their whole path: a scenario looks for
 * them beside itself. False: the file did not take it all. */
bool plan_lua_write(const struct plan_lua *scenario, FILE *file);

#endif
