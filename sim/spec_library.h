/* All mutants of a model, compiled into one library that is loaded into this process. */
#ifndef BROWNOUT_SIM_SPEC_LIBRARY_H
#define BROWNOUT_SIM_SPEC_LIBRARY_H

#include "sim/process.h"
#include "sim/spec_mutant.h"

struct spec_library_source {
    const struct spec_model *model;
    const struct spec_mutants *mutants;
    const char *compiler, *root; /* root: of the tree */
    const char *shop;            /* a folder for source and library */
};

struct spec_library {
    struct spec_library_source source;
    char path[4 * SPEC_PATH_BYTES];
    struct process process;          /* the compiler, */
    bool compiles;                   /* while it compiles */
    const struct spec_model *model;  /* NULL until it is loaded */
    void (*choose)(unsigned number); /* spec_mutant_choose of it; 0: the model itself */
};

/* Start the compiler, and come back at once; several may compile at the same time. The library,
 * zeroed, and what it is made of are borrowed until it has ended. False: error. */
bool spec_library_begin(struct spec_library *library, const struct spec_library_source *source,
                        char *error, size_t error_bytes);
/* Wait for the compiler and load what it made, until this process ends. False: error says what the
 * compiler says. */
bool spec_library_end(struct spec_library *library, char *error, size_t error_bytes);

#endif
