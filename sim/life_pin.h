/* What a search has found in a life, as a small life of its own: the goals that it takes, its one
 * history of cuts pinned, and in comments what each cut falls into. It is a life for `brownout
 * cuts`, which lives that history and no other.
 */
#ifndef BROWNOUT_SIM_LIFE_PIN_H
#define BROWNOUT_SIM_LIFE_PIN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sim/explore.h"

struct life_pin {
    struct life life; /* with `cuts` */
    enum law law;
    uint64_t cuts; /* power losses in it */
    uint32_t goals_before, goals;
    char *text; /* of the file; freed by life_pin_free */
};

/* id: a history of this life on this part in which a law is broken. file: how the new one will be
 * called, for its line of replay. False: it is no history of it, or breaks nothing; error says
 * which. */
bool life_pin(struct life_pin *pin, const struct life *life, const struct part *part,
              const char *id, const char *file, char *error, size_t error_bytes);
void life_pin_free(struct life_pin *pin);

#endif
