/* Runs from the database, lived again, as traces of a law: one for each device that the law
 * follows; of Session, one for each reading.
 */
#ifndef BROWNOUT_SIM_SPEC_RUNS_H
#define BROWNOUT_SIM_SPEC_RUNS_H

#include "models/spec_ruling.h"
#include "sim/record.h"
#include "sim/spec_trace.h"

enum { SPEC_RUNS_LAWS_BYTES = 128 };

/* Do runs tell what they do in the words of this law (models/follow.h)? laws: which ones there are,
 * with commas between, for people; at most SPEC_RUNS_LAWS_BYTES. */
bool spec_runs_follow(const char *law, char *laws);

struct spec_runs {
    /* To be filled in. */
    const char *law;
    uint64_t devices_max; /* traces of a run, drawn from its seed; 0: all */
    uint64_t events_max;  /* of a trace, from its beginning; 0: all */
    /* What was found. */
    uint32_t run_count;
    struct spec_run {
        int64_t id; /* 0: daemons' logs */
        uint64_t seed;
        uint32_t devices, followed; /* devices of the fleet, and those that the law has steps of */
        char note[256];             /* "": it was the same history as when it was recorded */
        struct settings *settings;  /* owned; NULL: of daemons */
    } * runs;
    uint32_t count, capacity;
    struct spec_trace *list;
};

/* One more run, by its number. Not PASS: error says what is wrong; USAGE where it cannot be lived
 * again, NONDETERMINISTIC where it is another history by the same program. That a law was broken in
 * it is no fault: its traces end there. */
enum verdict spec_runs_add(struct spec_runs *runs, struct record *record, int64_t id, char *error,
                           size_t error_bytes);
/* The logs of a fleet's daemons (sim/evidence_merge.h), all of them and from its beginning: one run
 * without a number. Nothing need be guessed: what a killed process did and did not say is told by
 * what the next one found, as in a simulated run. Not PASS: error says what is wrong with a log. */
enum verdict spec_runs_add_logs(struct spec_runs *runs, const char *const *paths, uint32_t count,
                                char *error, size_t error_bytes);
void spec_runs_free(struct spec_runs *runs);

/* The word of the C model that judges runs by a law that they follow: the first step of the trace
 * that it does not take, and why; UINT32_MAX: it takes them all, or can say no more
 * (models/wide_telemetry.h). */
uint32_t spec_runs_ask(const char *law, const struct spec_trace *trace,
                       struct spec_finding *finding);

/* Whose trace it is: "run 3, dev17"; and what shows an event, as `brownout replay` prints it. */
void spec_runs_print_actor(const struct spec_runs *runs, const struct spec_trace *trace, char *text,
                           size_t bytes);
void spec_runs_print_event(const struct spec_runs *runs, const struct spec_trace *trace,
                           uint32_t index, char *text, size_t bytes);

#endif
