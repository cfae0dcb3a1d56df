/* What is said about runs: text for people, one JSON object for programs. */
#ifndef BROWNOUT_SIM_PRINT_H
#define BROWNOUT_SIM_PRINT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "sim/run.h"
#include "sim/trace.h"

/* Where text goes. Colours only on a terminal, and not where NO_COLOR is set. */
struct print {
    FILE *file;
    bool colour;
};
void print_begin(struct print *print, FILE *file);

enum print_colour { PRINT_GOOD, PRINT_BAD, PRINT_ODD, PRINT_DIM, PRINT_STRONG };
void print_paint(const struct print *print, enum print_colour colour, const char *text);
/* How a verdict is shouted, and in which colour. */
void print_verdict(const struct print *print, enum verdict verdict);

/* One run. */
struct report {
    const char *scenario; /* file; "" for a plan's run */
    const char *build;    /* commit */
    uint64_t seed;
    const struct run_result *result;
    struct trace *trace; /* its story is told before a violation; NULL: none */
    int64_t run_id;      /* 0: not recorded */
    const char *db;      /* where it is recorded; NULL: nowhere */
    const char *replay;  /* command that brings it back; "": there is none */
    bool stopped;        /* before its end, because it was asked to */
};
void print_report(const struct print *print, struct report *report);
void print_report_json(FILE *file, const struct report *report);

/* The last items that tell a story, at most `lines` of them. */
void print_story(const struct print *print, const struct settings *settings, struct trace *trace,
                 uint32_t lines);

/* What many runs came to, by name: for reports over one run or a sweep. */
struct totals {
    uint64_t exercised[LAW_COUNT], is_void[LAW_COUNT], broken[LAW_COUNT]; /* void, broken: runs */
    uint64_t filed[EFFECT_COUNT], fired[EFFECT_COUNT];
    uint64_t probes[PROBE_COUNT];
    uint64_t figures[FIGURE_COUNT]; /* sums; of times, the longest */
    uint64_t told[FIGURE_COUNT];    /* runs that could tell it */
};
void totals_add(struct totals *totals, const struct run_result *result);
/* How many probes were reached. */
uint32_t totals_probes(const struct totals *totals);
void print_laws(const struct print *print, const struct totals *totals, uint64_t runs);
void print_faults(const struct print *print, const struct totals *totals);
void print_probes(const struct print *print, const struct totals *totals);
/* What a delivered reading costs; nothing where none was. */
void print_per_reading(const struct print *print, const struct totals *totals);

/* A command's word as a shell takes it: quoted where it must be. Appends to what stands in `line`.
 */
void print_word(char *line, size_t line_bytes, const char *word);
/* "+01:02:03.004005" */
void print_time(uint64_t us, char *text, size_t text_bytes);

/* A number of any size, exactly; a digest; null for an empty text. */
struct cJSON;
void json_number(struct cJSON *object, const char *name, uint64_t number);
void json_seconds(struct cJSON *object, const char *name, uint64_t us);
void json_text(struct cJSON *object, const char *name, const char *text);
void json_print(FILE *file, struct cJSON *object); /* and delete it */
/* Laws, faults, probes and figures. */
void json_totals(struct cJSON *object, const struct totals *totals);

#endif
