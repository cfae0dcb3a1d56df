/* One failing run for its diagram: all of its items, lived again from its plan as `replay` does.
 * Where that gives another history, or is not possible, the last items that the database has. */
#ifndef BROWNOUT_SIM_REPORT_RUN_H
#define BROWNOUT_SIM_REPORT_RUN_H

#include "sim/subject.h"

/* {"run", "source": "lived", "stored" or "none", "note": why it is not lived, "nodes": [names by
 * number], "entries": [the plan's, with their targets], "texts": [{"title", "text"}...], items as
 * report_watch_json()}: an object of the caller. Of source "none" there is nothing but the note.
 * `db` must not be open (no real database is while a node steps); it is opened where the stored
 * items are needed. The subject has a plan's text; without a hash it is not lived. */
struct cJSON *report_run(const struct subject *subject, const char *db);

#endif
