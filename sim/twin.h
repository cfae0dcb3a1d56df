/* A run in another process: how selfcheck and mutants run things. twin_run() starts a program of
 * ours as `PROGRAM selfcheck --inner ...`; there twin_serve() makes the run and answers with one
 * line.
 */
#ifndef BROWNOUT_SIM_TWIN_H
#define BROWNOUT_SIM_TWIN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sim/hash.h"
#include "sim/option.h"
#include "sim/process.h"
#include "sim/run.h"

struct twin_task {
    const char *program;  /* to be executed; twin_serve does not look at it */
    const char *scenario; /* one of these two, */
    const char *plan;     /* the file of a plan: replayed, Lua is never initialised */
    uint64_t seed;        /* of the scenario */
    const struct option_settings *settings; /* of the scenario; NULL: none */
    const char *crypto;                     /* in place of the settings'; NULL: as they are */
    bool calm;                              /* no fault class strikes, whatever they say */
    bool other_memory;  /* addresses, heap, environment, and what fresh RAM holds */
    bool no_laws;       /* nobody judges */
    bool looked_at;     /* somebody sees every item */
    bool after_another; /* not the first run of its process */
    bool history;       /* the hash leaves payload bytes out */
    uint64_t until_event;
    const char *plan_out; /* file for the plan as it was lived; NULL: not wanted */
    const char *digests;  /* file: 64 bits of the rolling hash at each event; NULL */
    const char *items;    /* file: the items of events from_event..to_event, as text; NULL */
    uint64_t from_event, to_event;
};
void twin_task_init(struct twin_task *task);

struct twin_answer {
    enum verdict verdict;
    char hash[HASH_TEXT_BYTES];
    uint64_t events;
    char law[32];   /* that was broken; "-": none */
    uint64_t event; /* that broke it */
    char message[512];
};

/* False: there is no answer; error says what the other process said instead. */
bool twin_run(const struct twin_task *task, struct twin_answer *answer, char *error,
              size_t error_bytes);

/* The other side. Returns the exit code of its process. */
int twin_serve(const struct twin_task *task);

#endif
