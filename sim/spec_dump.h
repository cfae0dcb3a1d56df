/* What TLC wrote: a dumped state graph, and values as it prints them. */
#ifndef BROWNOUT_SIM_SPEC_DUMP_H
#define BROWNOUT_SIM_SPEC_DUMP_H

#include "sim/spec_graph.h"

struct spec_dump {
    struct spec_states states; /* in the order of the file */
    uint32_t *initial;         /* [initial_count]: numbers of states */
    uint32_t initial_count;
    struct spec_edge *edges; /* sorted, each once */
    uint64_t edge_count, edge_capacity;
    struct spec_digest digest; /* as of a struct spec_graph */
};

/* A file of -dump dot,actionlabels. False: error says in which line is what was not understood. */
bool spec_dump_read(struct spec_dump *dump, const struct spec_instance *instance, const char *path,
                    char *error, size_t error_bytes);
void spec_dump_free(struct spec_dump *dump);

/* "/\ x = ..." for each variable of the instance, each exactly once. */
bool spec_parse_state(const struct spec_instance *instance, const char *text, int32_t *cells,
                      char *error, size_t error_bytes);

/* The values of all variables, in their order, each behind a comma; *text: behind the last. */
bool spec_parse_values(const struct spec_instance *instance, const char **text, int32_t *cells,
                       char *error, size_t error_bytes);

#endif
