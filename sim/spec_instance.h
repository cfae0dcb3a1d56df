/* One law with its constants: what a configuration of TLC makes of a spec.
 *
 * A state stands in two forms: the model's words (models/spec.h), and its cells, which are those
 * words that the constants give a meaning, in the order of the .def: those of one variable stand
 * together, in the order of its keys. Cells are what is compared, hashed and stored.
 */
#ifndef BROWNOUT_SIM_SPEC_INSTANCE_H
#define BROWNOUT_SIM_SPEC_INSTANCE_H

#include <stdio.h>

#include "models/spec.h"
#include "sim/spec_config.h"

enum {
    SPEC_MOVES_MAX = 1024,
    SPEC_VALUE_BYTES = 256, /* of a value as text */
    SPEC_MOVE_BYTES = 128,
};

struct spec_cell {
    uint32_t variable, word;
    int32_t keys[SPEC_KEYS_MAX];
    struct spec_domain domain;
};

struct spec_instance {
    const struct spec_model *model;
    char name[SPEC_CONFIG_NAME_BYTES];
    int32_t k[SPEC_CONSTANTS_MAX];
    struct spec_variable variables[SPEC_VARIABLES_MAX];
    struct spec_action actions[SPEC_ACTIONS_MAX];
    uint32_t cell_count, move_count;
    struct spec_cell cells[SPEC_STATE_WORDS_MAX];
    struct spec_move moves[SPEC_MOVES_MAX];
};

/* The constants of a configuration must be those of the model, and within its bounds. */
bool spec_instance_init(struct spec_instance *instance, const struct spec_model *model,
                        const struct spec_config *config, char *error, size_t error_bytes);

void spec_gather(const struct spec_instance *instance, const int32_t *state, int32_t *cells);
/* All other words are zero. */
void spec_scatter(const struct spec_instance *instance, const int32_t *cells, int32_t *state);

/* One step from these cells; false: not enabled. */
bool spec_step(const struct spec_instance *instance, const struct spec_move *move,
               const int32_t *cells, int32_t *post);
/* The same from the model's words, for many moves from one state. */
bool spec_step_from(const struct spec_instance *instance, const struct spec_move *move,
                    const int32_t *state, int32_t *post);
/* A bit for each invariant that holds, and for each action property that allows the step. */
uint32_t spec_holds(const struct spec_instance *instance, const int32_t *cells);
uint32_t spec_allows(const struct spec_instance *instance, const int32_t *pre, const int32_t *post);

/* How many values a domain has (at most 2^31), number `index` of them, and back: a value outside
 * has index `size`. */
uint64_t spec_domain_size(const struct spec_domain *domain);
int32_t spec_domain_value(const struct spec_domain *domain, uint64_t index);
uint64_t spec_domain_index(const struct spec_domain *domain, int32_t value);
bool spec_is_typed(const struct spec_instance *instance, const int32_t *cells);

/* As the spec writes it: {1, 2}, "run", TRUE; Accept(1, 2); epoch[1]. */
void spec_print_value(const struct spec_domain *domain, int32_t value, char *text, size_t bytes);
void spec_print_move(const struct spec_instance *instance, const struct spec_move *move, char *text,
                     size_t bytes);
void spec_print_cell(const struct spec_instance *instance, uint32_t cell, char *text, size_t bytes);
/* Where two states differ, on one line: "top[1] 2, not 3". */
void spec_print_difference(const struct spec_instance *instance, const int32_t *is,
                           const int32_t *expected, char *text, size_t bytes);
/* All cells, one line a variable. */
void spec_print_state(const struct spec_instance *instance, const int32_t *cells, FILE *file);

#endif
