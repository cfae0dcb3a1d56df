/* One operation of a node on its port: how it begins, is struck, and ends. Shared by the port's
 * functions (node_port.c) and the step around them (node.c).
 */
#ifndef BROWNOUT_SIM_OPERATION_H
#define BROWNOUT_SIM_OPERATION_H

#include "sim/node.h"

/* How long operations take, by kind of machine: a Cortex-M class device, and a server. */
struct operation_charges {
    uint32_t step_us, sign_us, verify_us, digest_us, seal_us;
};
const struct operation_charges *operation_charges(const struct node *node);

/* How an operation ends. */
enum ending { GOES_ON, DIES_BEFORE, DIES_INSIDE, DIES_AFTER };

/* Every port call begins here: it is counted, charged, and struck. *fraction: how far it came, of
 * 65536, where it dies inside. */
enum ending operation_begin(struct node *node, enum port_operation operation, uint64_t takes_us,
                            uint32_t *fraction);
/* Every port call ends here: its parameters and its result are hashed and shown. */
void operation_end(struct node *node, enum port_operation operation, uint32_t a, uint32_t b,
                   int64_t result);
/* Both, for an operation that is atomic: it took place (*done), or it did not. */
enum err operation_whole(struct node *node, enum port_operation operation, uint64_t takes_us,
                         uint32_t a, uint32_t b, bool *done);
/* Count `kind` for every armed trigger; the first that fires decides how the operation ends. */
enum ending operation_pull_triggers(struct node *node, enum plan_when when, uint32_t kind,
                                    uint32_t *fraction);

/* Keep what a failed CHECK said; the first one counts. */
void operation_check_text(struct node *node, const char *file, int line, const char *what);
/* Throw the role out of its step. */
_Noreturn void operation_leave(struct node *node);

#endif
