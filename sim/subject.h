/* A run that is brought back from where it was kept: the run database, or a plan file. */
#ifndef BROWNOUT_SIM_SUBJECT_H
#define BROWNOUT_SIM_SUBJECT_H

#include "sim/command.h"
#include "sim/record.h"

struct subject {
    int64_t run_id; /* 0: from a file */
    struct plan plan;
    bool has_plan;             /* else scenario, seed and settings */
    struct record_found found; /* verdict, hash and program are also set for a file */
    struct option_settings settings;
};

/* From zeroed memory. False: error says what is not there, or has changed since, and what to do.
 * To be freed in any case. */
bool subject_load_run(struct subject *subject, struct record *record, int64_t run_id, char *error,
                      size_t error_bytes);
bool subject_load_file(struct subject *subject, const char *path, char *error, size_t error_bytes);
void subject_free(struct subject *subject);

/* What runs it again; borrows subject and settings. */
void subject_request(const struct subject *subject, struct run_request *request,
                     struct command_settings *settings);

enum subject_match {
    SUBJECT_SAME,    /* the same hash, or there is none to compare with */
    SUBJECT_OTHER,   /* another hash; another program lived it */
    SUBJECT_DIFFERS, /* another hash by the same program: it is not deterministic */
};
/* Is it the same history? note: one line about it. */
enum subject_match subject_compare(const struct subject *subject, const struct run_result *result,
                                   char *note, size_t note_bytes);

#endif
