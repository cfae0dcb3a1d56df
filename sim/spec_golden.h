/* specs/GOLDEN: what TLC said of each spec, in digests that the models must reproduce without it.
 *
 *   Telemetry file MC.cfg 5f0c...                                        SHA-256
 *   Telemetry graph MC states 8588 edges 46888 depth 29 digest ...            the reachable graph
 *   Telemetry steps MC rows 100000 steps 301772 digest ...               one step from typed states
 *   Telemetry claims MC rows 100000 digest ...                           what holds in them
 *   Telemetry counts Big states 320320 depth 59
 *
 * How many states TLC generated is no part of it: where an action says A \/ B and both hold, TLC
 * generates its successor twice.
 *
 * Only TLC writes it (brownout spec conform --update); a change of spec or model alone shows at
 * once.
 */
#ifndef BROWNOUT_SIM_SPEC_GOLDEN_H
#define BROWNOUT_SIM_SPEC_GOLDEN_H

#include "sim/spec_folder.h"
#include "sim/spec_sample.h"

enum { SPEC_LINE_BYTES = 320, SPEC_LINES_OF_LAW_MAX = 256 };

/* What is said of one law, as lines. */
struct spec_lines {
    uint32_t count;
    char list[SPEC_LINES_OF_LAW_MAX][SPEC_LINE_BYTES];
};

/* One instance of a law that is looked at: a configuration. Of those with a planted bug one step
 * from typed states, so that each boolean constant is looked at both ways. */
struct spec_subject {
    const struct spec_folder *folder;
    const struct spec_config *config;
    bool graph, steps, counts;
    struct spec_instance instance;
    struct spec_graph reachable;
    struct spec_sample sample; /* where steps */
};

/* Number `index` of a law. *more: there is one. False: error. */
bool spec_subject_begin(struct spec_subject *subject, const struct spec_folder *folder,
                        uint32_t index, bool *more, char *error, size_t error_bytes);
void spec_subject_end(struct spec_subject *subject);

void spec_line_graph(struct spec_lines *lines, const struct spec_subject *subject, uint64_t states,
                     uint64_t edges, uint64_t depth, const struct spec_digest *digest);
void spec_line_sample(struct spec_lines *lines, const struct spec_subject *subject,
                      const struct spec_sample_result *result);
void spec_line_counts(struct spec_lines *lines, const struct spec_subject *subject, uint64_t states,
                      uint64_t depth);
bool spec_lines_of_files(struct spec_lines *lines, const struct spec_folder *folder, char *error,
                         size_t error_bytes);

/* What the model says of one subject. */
void spec_lines_of_model(struct spec_lines *lines, const struct spec_subject *subject);

/* GOLDEN, whole: NULL, error; to be freed. */
char *spec_golden_read(const char *source, char *error, size_t error_bytes);
/* The line of `golden` with the same law, kind and name: is it the same? False: error says what to
 * do. */
bool spec_golden_has(const char *golden, const char *line, char *error, size_t error_bytes);
/* Lines of that law in GOLDEN that are not among these: what they speak of is gone. */
bool spec_golden_is_covered(const char *golden, const struct spec_folder *folder,
                            const struct spec_lines *lines, char *error, size_t error_bytes);
/* In place of what it says of this law. */
bool spec_golden_write(const char *source, const char *law, const struct spec_lines *lines,
                       char *error, size_t error_bytes);

#endif
