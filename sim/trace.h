/* What was seen of a run, kept outside of it: the last items in memory, or all of them in a
 * nameless temporary file. Only afterwards are they shown or recorded: a recorder that wrote while
 * a node steps would share SQLite's state with it. */
#ifndef BROWNOUT_SIM_TRACE_H
#define BROWNOUT_SIM_TRACE_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "sim/world.h"

enum { TRACE_KEPT = 1024 };

struct trace {
    uint64_t count;          /* items seen */
    FILE *file;              /* all of them; NULL: the last TRACE_KEPT in `ring` */
    bool failed;             /* the temporary file did not take them all */
    struct world_item *ring; /* NULL: none was kept */
};

/* False: there is no temporary file to be had (`all`), see errno. */
bool trace_open(struct trace *trace, bool all);
void trace_close(struct trace *trace);
/* For world_options.item; ctx: struct trace. */
void trace_item(void *ctx, const struct world_item *item);
/* As many as trace_each will hand on. */
uint64_t trace_kept(const struct trace *trace);
/* Oldest first. False: the temporary file could not be read. */
bool trace_each(struct trace *trace, void (*each)(void *ctx, const struct world_item *item),
                void *ctx);
/* Is it a line that tells a story: evidence, effects, truths? Not events and port operations. */
bool trace_is_story(const struct world_item *item);

#endif
