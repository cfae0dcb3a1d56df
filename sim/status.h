/* How far it is: one line on standard error that is written anew on a terminal, and now and then a
 * plain line elsewhere. */
#ifndef BROWNOUT_SIM_STATUS_H
#define BROWNOUT_SIM_STATUS_H

#include <stdbool.h>
#include <stdint.h>

struct status {
    bool terminal;
    uint64_t start_us, shown_us;
    int width; /* of the line that stands there now; 0: none */
};

void status_begin(struct status *status);
/* Is it time for another line? */
bool status_due(const struct status *status);
void status_show(struct status *status, const char *text);
/* Take the line away, before anything else is printed. */
void status_clear(struct status *status);
uint64_t status_elapsed_us(const struct status *status);

/* Wall time of this process: for people, never for the simulation. */
uint64_t status_wall_us(void);

#endif
