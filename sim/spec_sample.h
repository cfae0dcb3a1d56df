/* Typed states on and off the reachable graph, from which the spec and its model must take the same
 * steps and of which they must say the same: real traces of broken code leave the graph.
 *
 * All typed states if there are no more than the rows asked for; otherwise states that are
 * reachable but for one or two variables. Drawn here and written out for TLC, so that the golden
 * digests need no Java.
 */
#ifndef BROWNOUT_SIM_SPEC_SAMPLE_H
#define BROWNOUT_SIM_SPEC_SAMPLE_H

#include "sim/spec_graph.h"

enum { SPEC_TYPED_MAX = 200000 /* so many are all taken */ };

struct spec_sample {
    const struct spec_instance *instance;
    bool all;
    uint32_t count;
    int32_t *cells; /* [count][cell_count] */
};

/* rows: if not all typed states are taken, so many. reachable: where they are drawn from. */
void spec_sample_draw(struct spec_sample *sample, const struct spec_graph *reachable,
                      uint32_t rows);
void spec_sample_free(struct spec_sample *sample);
const int32_t *spec_sample_at(const struct spec_sample *sample, uint32_t row);
/* Action properties are also put to pairs that no action makes: each second row and its next. */
uint32_t spec_sample_partner(const struct spec_sample *sample, uint32_t row);

/* One step: the row, the number of the move, the state after it, and which action properties allow
 * it. One claim: the row, SPEC_ROW_PAIR or SPEC_ROW_STATE, and which claims hold. */
enum { SPEC_ROW_PAIR = -1, SPEC_ROW_STATE = -2 };
void spec_digest_step(struct spec_digest *digest, const struct spec_sample *sample, uint32_t row,
                      uint32_t move, const int32_t *post, uint32_t allows);
void spec_digest_claim(struct spec_digest *digest, const struct spec_sample *sample, uint32_t row,
                       int32_t kind, uint32_t bits);

/* What the model says of all rows. */
struct spec_sample_result {
    uint64_t steps;
    struct spec_digest step_digest, claim_digest;
};
void spec_sample_judge(const struct spec_sample *sample, struct spec_sample_result *result);

/* A configuration with these constants and no claims; `rest` follows them. */
bool spec_constants_write(const struct spec_instance *instance, const char *path, const char *rest,
                          char *error, size_t error_bytes);

/* Off.tla and Off.cfg, for a run of TLC that prints all this. False: error. */
bool spec_off_write(const struct spec_sample *sample, const char *folder, char *error,
                    size_t error_bytes);

/* What TLC printed, held against the model, row by row. False: error says which row, action and
 * value disagree. */
bool spec_off_compare(const struct spec_sample *sample, const char *path,
                      struct spec_sample_result *result, char *error, size_t error_bytes);

#endif
