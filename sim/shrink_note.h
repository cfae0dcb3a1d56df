/* What a run of a shrunk plan did, for the comments of its scenario: what each fault hit, and what
 * was the first bad evidence. */
#ifndef BROWNOUT_SIM_SHRINK_NOTE_H
#define BROWNOUT_SIM_SHRINK_NOTE_H

#include "sim/run.h"

enum { SHRINK_NOTE_BYTES = 400 };

struct shrink_notes {
    uint32_t count; /* entries of the plan */
    char (*hits)[SHRINK_NOTE_BYTES];
    const char **lines;              /* [count], pointing into `hits` */
    char bad[2 * SHRINK_NOTE_BYTES]; /* lines */
};

/* Runs the plan in this process. `events_max`: not for longer. To be freed in any case. */
void shrink_notes_make(struct shrink_notes *notes, const struct plan *plan, uint64_t events_max);
void shrink_notes_free(struct shrink_notes *notes);

/* One line that asks what the scenario is about: "Does WHAT under these faults?"; what: "LAW hold",
 * or what else should. */
void shrink_question(const struct plan *plan, const char *what, char *text, size_t text_bytes);

#endif
