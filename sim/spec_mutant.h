/* One-token changes of a model's C code: what `brownout spec conform` must notice, each of them. */
#ifndef BROWNOUT_SIM_SPEC_MUTANT_H
#define BROWNOUT_SIM_SPEC_MUTANT_H

#include "sim/spec_instance.h"

enum {
    SPEC_TOKEN_BYTES = 64,
    SPEC_MUTANTS_MAX = 2000,
    SPEC_FUNCTIONS_MAX = 200,
    SPEC_REASON_BYTES = 400,
};

/* A function as it stands in the text: head, then body with its braces. */
struct spec_function {
    char name[SPEC_TOKEN_BYTES];
    size_t head, body, end; /* offsets; end: behind the last brace */
};

/* `occurrence` of a token in a function, from 1, becomes another token. */
struct spec_mutant {
    uint32_t function; /* number */
    uint32_t occurrence;
    char before[SPEC_TOKEN_BYTES], after[SPEC_TOKEN_BYTES]; /* after "": it is left out */
    size_t offset;                                          /* in the text */
    uint32_t line;
    bool listed; /* in EQUIVALENT */
    char reason[SPEC_REASON_BYTES];
};

struct spec_mutants {
    const char *text;
    uint32_t function_count, count;
    struct spec_function functions[SPEC_FUNCTIONS_MAX];
    struct spec_mutant list[SPEC_MUTANTS_MAX];
};

/* All of the text. Fields are exchanged with the next one of the same shape. */
void spec_mutants_list(struct spec_mutants *mutants, const struct spec_instance *instance,
                       const char *text);

/* One source of all of them: each function stands there once more for each of its mutants, and
 * spec_mutant_choose(n) says which is called: 0: none, 1 + number. */
void spec_mutants_write(const struct spec_mutants *mutants, FILE *file);

/* Changes known to be none, one a line: function, occurrence, token, what it becomes (both in
 * quotes), and why. `#` begins a comment. A file that is not there lists nothing. False: error. */
bool spec_mutants_excuse(struct spec_mutants *mutants, const char *path, char *error,
                         size_t error_bytes);

void spec_mutant_print(const struct spec_mutants *mutants, uint32_t number, char *text,
                       size_t bytes);

#endif
