/* One-token changes of a model's C code: what `brownout spec conform` must notice, each of them. */
#ifndef BROWNOUT_SIM_SPEC_MUTANT_H
#define BROWNOUT_SIM_SPEC_MUTANT_H

#include "sim/spec_instance.h"

enum { SPEC_TOKEN_BYTES = 64, SPEC_MUTANTS_MAX = 2000, SPEC_REASON_BYTES = 400 };

/* `occurrence` of a token in a function, from 1, becomes another token. */
struct spec_mutant {
    char function[SPEC_TOKEN_BYTES];
    uint32_t occurrence;
    char before[SPEC_TOKEN_BYTES], after[SPEC_TOKEN_BYTES]; /* after "": it is left out */
    size_t offset;                                          /* in the text */
    uint32_t line;
    bool listed; /* in EQUIVALENT */
    char reason[SPEC_REASON_BYTES];
};

/* All of the text. Fields are exchanged with the next one of the same shape. The count. */
uint32_t spec_mutants_list(const struct spec_instance *instance, const char *text,
                           struct spec_mutant *mutants, uint32_t mutants_max);

/* Changes known to be none, one a line: function, occurrence, token, what it becomes (both in
 * quotes), and why. `#` begins a comment. A file that is not there lists nothing. False: error. */
bool spec_mutants_excuse(struct spec_mutant *mutants, uint32_t count, const char *path, char *error,
                         size_t error_bytes);

void spec_mutant_print(const struct spec_mutant *mutant, char *text, size_t bytes);

#endif
