/* A planted bug that is looked for in a device's life: by every power cut of it (brownout cuts) in
 * place of runs.
 */
#ifndef BROWNOUT_SIM_MUTANT_LIFE_H
#define BROWNOUT_SIM_MUTANT_LIFE_H

#include "sim/mutant.h"

enum { MUTANT_REPLAY_BYTES = 2048 };

struct mutant_life_result {
    enum mutant_outcome outcome;
    uint64_t depth;                   /* nested cuts of the history that caught it, at the most */
    char replay[MUTANT_REPLAY_BYTES]; /* id of that history; "": none */
    char message[512];                /* what was broken, or why it is not caught */
};

/* Explore the life with the planted program, all cuts and uncertain reads on, until a law is
 * broken. It must be the law that the bug names. `sound`, the program without it, must survive the
 * very history that shows it; and without what the bug needs no law may be broken, to the fixpoint.
 */
void mutant_life_examine(const struct mutant *mutant, const char *program, const char *sound,
                         const char *scenario, struct mutant_life_result *result);

/* What `brownout cuts --json` printed, and its exit code. Behind mutant_life_examine, and for its
 * test. False: it is no answer; message says why. */
struct mutant_life_answer {
    bool violated;
    char law[48], what[256], replay[MUTANT_REPLAY_BYTES];
    uint64_t depth;
};
/* `PROGRAM cuts SCENARIO --json` with these words behind (NULL ends them; at most 8). False: there
 * is no answer; message says why. */
bool mutant_life_ask(const char *program, const char *scenario, const char *const *words,
                     struct mutant_life_answer *answer, char *message, size_t message_bytes);
bool mutant_life_understand(const char *output, int code, struct mutant_life_answer *answer,
                            char *message, size_t message_bytes);

#endif
