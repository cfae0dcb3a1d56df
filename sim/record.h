/* The run database: one SQLite file with every run, what it lived and what came of it. Its schema
 * and the views that answer questions are in record_schema.c, and in the file itself (`.schema`).
 *
 * One transaction a run: who is killed loses nothing that was finished. One process writes. The
 * file is opened on the `unix` VFS (the simulated one is SQLite's default in this process), never
 * while a node steps, and never across a fork.
 */
#ifndef BROWNOUT_SIM_RECORD_H
#define BROWNOUT_SIM_RECORD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sim/hash.h"
#include "sim/run.h"
#include "sim/trace.h"

enum {
    RECORD_APPLICATION = 0x62726f77, /* "brow" */
    RECORD_SCHEMA = 4,               /* pragma user_version */
    RECORD_ERROR_BYTES = 512,
};
#define RECORD_FILE "runs.db"

struct record;

enum record_access { RECORD_READ, RECORD_WRITE, RECORD_CREATE };

/* NULL: error names the file, what is wrong with it, and the remedy. CREATE makes the file if there
 * is none. An empty file becomes a run database, a foreign one never. */
struct record *record_open(const char *path, enum record_access how, char *error,
                           size_t error_bytes);
void record_close(struct record *record);

/* Which program this is. */
struct record_build {
    const char *commit, *compiler, *type;
    const char *sqlite_version, *sqlite_source;
    char program[HASH_TEXT_BYTES]; /* hash of the executable; "" where it cannot be read */
};
void record_build(struct record_build *build);
/* Hash of a file's bytes; "" if it cannot be read. */
void record_file_hash(const char *path, char text[HASH_TEXT_BYTES]);

/* What is recorded of a run beside its result; all borrowed. */
struct record_run {
    const char *scenario;      /* file; "" for a plan's run */
    const char *scenario_hash; /* of the file's bytes */
    const char *settings;      /* --set: lines of key=value */
    uint64_t seed;
    const struct run_result *result;
    const char *plan;    /* its text; NULL: not kept */
    struct trace *trace; /* NULL: none */
};
/* Returns the run's id; 0: nothing was written, error says why. */
int64_t record_write(struct record *record, const struct record_run *run, char *error,
                     size_t error_bytes);

/* Was a run of this program lived with the scenario, its hash, settings and seed of `run`? */
enum record_answer { RECORD_ANSWER_NO, RECORD_ANSWER_YES, RECORD_ANSWER_ERROR };
struct record_done {
    int64_t id;
    char verdict[24], law[32]; /* law: "" where none was broken */
    char message[512];
};
enum record_answer record_look_up(struct record *record, const struct record_run *run,
                                  struct record_done *done, char *error, size_t error_bytes);

/* How many runs the file has, and the probes that none of them reached, with commas between. */
bool record_unreached(struct record *record, uint64_t *runs, char *names, size_t names_bytes,
                      char *error, size_t error_bytes);

/* The view saturation, of transitions. */
struct record_saturation {
    uint64_t runs, outcomes, keys, once; /* once: keys that one run alone showed */
    double fresh_chance;                 /* of the next run to show something new */
};
bool record_saturation(struct record *record, struct record_saturation *saturation, char *error,
                       size_t error_bytes);

/* Call `each` with every class of laws (sim/confidence.h): how many different runs passed and put
 * one of it to the test where it was not void, and how many broke one. Of runs of scenarios alone:
 * a plan that was changed is no draw of its own. */
bool record_classes(struct record *record,
                    void (*each)(void *ctx, const char *name, uint64_t clean, uint64_t broken),
                    void *ctx, char *error, size_t error_bytes);

/* A run as it stands in the file. */
struct record_found {
    int64_t id;
    uint64_t seed;
    char verdict[24];
    char hash[HASH_TEXT_BYTES]; /* "": it did not come to its end */
    char program[HASH_TEXT_BYTES], commit[64];
    char scenario[256], scenario_hash[HASH_TEXT_BYTES];
    bool live_expectation;
    char *settings; /* owned */
    char *plan;     /* owned; NULL: not kept */
};
bool record_find(struct record *record, int64_t id, struct record_found *found, char *error,
                 size_t error_bytes);
void record_found_free(struct record_found *found);

/* Call `each` with every key of this kind that any run showed, ascending. */
bool record_coverage(struct record *record, enum coverage_kind kind,
                     void (*each)(void *ctx, uint64_t key, uint64_t runs), void *ctx, char *error,
                     size_t error_bytes);

/* Add the runs of another run database, in one transaction. A run of one program with one scenario,
 * its hash, settings and seed is one run: it is there once, unless its hash or verdict differs from
 * all that are there (disagreeing: both have a hash, so that the code is not deterministic). */
struct record_merged {
    uint64_t added, known, disagreeing;
    int64_t first_disagreeing; /* its number there */
};
bool record_merge(struct record *record, const char *path, struct record_merged *merged,
                  char *error, size_t error_bytes);

/* What a run of the file was shrunk to; all borrowed. In place of what it was shrunk to before. */
struct record_shrunk {
    int64_t run;
    const char *failure; /* sim/failure.h */
    const char *classes; /* of the faults left, as triage_cone_classes says them */
    uint64_t faults_before, faults, devices, seed;
    bool minimal;
    const char *text; /* of the scenario */
};
bool record_shrunk(struct record *record, const struct record_shrunk *shrunk, char *error,
                   size_t error_bytes);

/* Put a trace in place of the events of a run that stands in the file. */
bool record_trace(struct record *record, int64_t id, const struct settings *settings,
                  struct trace *trace, char *error, size_t error_bytes);

#endif
