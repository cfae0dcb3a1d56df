/* A law as a state machine that equals its TLA+ spec: the same variables, the same actions, the
 * same invariants, under the same names. `brownout spec conform` proves it; one explorer, one
 * comparer and one parser of TLC's values serve all laws, because all know them by this table
 * alone.
 *
 * models/<law>.def lists what a law has (see models/spec_law.h), models/spec_<law>.c says what its
 * actions do. No heap: a state and its constants are plain words, without padding or pointers.
 */
#ifndef BROWNOUT_MODELS_SPEC_H
#define BROWNOUT_MODELS_SPEC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    SPEC_KEYS_MAX = 2,       /* f[k1][k2] */
    SPEC_PARAMETERS_MAX = 3, /* of an action */
    SPEC_ELEMENT_MAX = 29,   /* of a set: it is a word with a bit for each element */
    SPEC_CONSTANTS_MAX = 24,
    SPEC_VARIABLES_MAX = 40,
    SPEC_ACTIONS_MAX = 40,
    SPEC_CLAIMS_MAX = 24, /* invariants, or action properties; their truth is a 24-bit number */
    SPEC_STATE_WORDS_MAX = 256,
};

enum spec_kind {
    SPEC_INT,   /* low..high */
    SPEC_BOOL,  /* 0, 1 */
    SPEC_WORD,  /* a string of words[]: its index, low = 0 */
    SPEC_SET,   /* a set of integers in low..high: bit `element` */
    SPEC_WORDS, /* a set of strings */
};

/* What a cell, a key or a parameter can be. */
struct spec_domain {
    enum spec_kind kind;
    int32_t low, high;
    const char *const *words;
};

static inline struct spec_domain spec_domain(enum spec_kind kind, int32_t low, int32_t high,
                                             const char *const *words)
{
    return (struct spec_domain){kind, low, high, words};
}

struct spec_constant {
    const char *name;
    bool is_bool;
    int32_t low, high; /* what the model's arrays have room for */
};

/* A variable is one value, a function f[key], or f[key][key]. */
struct spec_variable {
    const char *name;
    uint32_t word; /* of the state, where it begins; element [i][j] at word + i * capacity[1] + j */
    uint32_t key_count;
    uint32_t capacity[SPEC_KEYS_MAX];
    struct spec_domain keys[SPEC_KEYS_MAX];
    struct spec_domain domain;
};

/* Faults are acts of the world with a budget; nothing is fair about them. */
enum spec_actor { SPEC_SYSTEM, SPEC_FAULT };

struct spec_action {
    const char *name;
    const char *dead; /* why it is never taken in the checked instances; NULL: it is */
    enum spec_actor actor;
    uint32_t parameter_count;
    const char *parameters[SPEC_PARAMETERS_MAX];
    struct spec_domain domains[SPEC_PARAMETERS_MAX];
};

/* An action with its parameters. */
struct spec_move {
    uint32_t action;
    int32_t parameters[SPEC_PARAMETERS_MAX];
};

/* P ~> Q, and what it means in a run: after the heal Q follows within so many simulated seconds. */
struct spec_response {
    const char *name;
    uint32_t bound_s;
};

struct spec_model {
    const char *name;   /* of the module: specs/<name>/<name>.tla */
    const char *source; /* of its C code, from the root of the tree */
    uint32_t constant_count, variable_count, action_count;
    uint32_t invariant_count, property_count, response_count;
    uint32_t state_words;
    const struct spec_constant *constants; /* in the order of the words of k */
    const char *const *invariants;
    const char *const *properties; /* of actions: X == [][XStep]_vars */
    const struct spec_response *responses;
    /* With these constants: variables[variable_count], actions[action_count]. */
    void (*variables)(const int32_t *k, struct spec_variable *variables);
    void (*actions)(const int32_t *k, struct spec_action *actions);
    /* Initial state number `index`, in zeroed words; false: there are no more. */
    bool (*init)(const int32_t *k, uint32_t index, int32_t *state);
    /* False: not enabled, and `state` is spoilt. */
    bool (*step)(const int32_t *k, uint32_t action, const int32_t *parameters, int32_t *state);
    bool (*holds)(const int32_t *k, uint32_t invariant, const int32_t *state);
    bool (*allows)(const int32_t *k, uint32_t property, const int32_t *pre, const int32_t *post);
};

/* All laws of models/specs.def. */
uint32_t spec_count(void);
const struct spec_model *spec_at(uint32_t index);

/* ---- Sets, as the actions write them ----------------------------------------------------------
 */

static inline int32_t set_of(int32_t element)
{
    return (int32_t)(UINT32_C(1) << (uint32_t)element);
}

static inline bool set_has(int32_t set, int32_t element)
{
    return (set & set_of(element)) != 0;
}

static inline int32_t set_without(int32_t set, int32_t other)
{
    return set & ~other;
}

static inline bool set_within(int32_t set, int32_t other)
{
    return (set & ~other) == 0;
}

/* {low..high}; empty where high < low. */
static inline int32_t set_range(int32_t low, int32_t high)
{
    int32_t set = 0;
    for (int32_t element = low; element <= high; element++) {
        set |= set_of(element);
    }
    return set;
}

static inline int32_t set_count(int32_t set)
{
    int32_t count = 0;
    for (; set != 0; set &= set - 1) {
        count++;
    }
    return count;
}

/* The least element, or `none`. */
static inline int32_t set_least(int32_t set, int32_t none)
{
    for (int32_t element = 0; element <= SPEC_ELEMENT_MAX; element++) {
        if (set_has(set, element)) {
            return element;
        }
    }
    return none;
}

#endif
