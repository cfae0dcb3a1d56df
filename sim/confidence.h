/* What runs without a failure say of the bugs that they did not show, class by class. A class is
 * the area of the laws that a bug breaks ("telemetry" of telemetry.once and of spec.telemetry).
 *
 * Two figures, both with 95 % confidence, one-sided:
 *   rate    a bug of this class shows in a smaller share of all runs than this, or N clean runs
 *           would have shown it: (1 - rate)^N = 5 %, the rule of three
 *   unseen  the chance that a bug as hard to find as a planted one would have stayed unseen in all
 *           of them: (1 - p)^N, p being the least rate of that planted bug that the runs which
 *           looked for it allow (the lower bound of Clopper and Pearson)
 *
 * Floating point: these are figures for people, and decide nothing.
 */
#ifndef BROWNOUT_SIM_CONFIDENCE_H
#define BROWNOUT_SIM_CONFIDENCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "models/model.h"

enum {
    CONFIDENCE_CLASSES_MAX = 32,
    CONFIDENCE_BUGS_MAX = 256,
    CONFIDENCE_CAUGHT_MAX = 400, /* of one bug: what the sums below stay exact for */
    CONFIDENCE_NAME_BYTES = 64,
};
#define CONFIDENCE_RATES "sim/mutants/rates.json"

/* ---- figures --------------------------------------------------------------------------------- */

/* The least p for which `caught` of `runs`, or more, come with a chance of 5 %; 0 where none was
 * caught. caught <= CONFIDENCE_CAUGHT_MAX and <= runs. Holds as well where a search ended with the
 * last one that was caught. */
double confidence_least(uint64_t caught, uint64_t runs);
/* The greatest p for which none of `runs` comes with a chance of 5 %; 1 without runs. */
double confidence_most(uint64_t runs);
/* (1 - p)^runs */
double confidence_unseen(double p, uint64_t runs);

/* ---- planted bugs ---------------------------------------------------------------------------- */

struct confidence_bug {
    char name[CONFIDENCE_NAME_BYTES];
    uint32_t law;
    uint64_t runs, caught; /* that it was looked for in; that showed it */
};

/* What `brownout mutants --explore ... --rates FILE` wrote. */
struct confidence_rates {
    char made_by[256], commit[64], scenario[256], way[16];
    uint32_t count;
    struct confidence_bug bugs[CONFIDENCE_BUGS_MAX];
};
/* False: error says what is wrong and what to do. Any bytes may come. */
bool confidence_rates_read(struct confidence_rates *rates, const char *path, char *error,
                           size_t error_bytes);

/* ---- classes --------------------------------------------------------------------------------- */

/* "telemetry" */
void confidence_class_name(enum law law, char *name, size_t name_bytes);

struct confidence_class {
    char name[CONFIDENCE_NAME_BYTES];
    uint64_t clean, broken; /* different runs: that passed and put a law of it to the test; that
                               broke one */
    uint32_t bugs;          /* planted ones with a rate */
    uint32_t unfound;       /* of them: that no run showed; nothing is known of how hard they are */
    const struct confidence_bug *hardest, *median; /* by confidence_least; NULL: there is none */
};

struct confidence {
    uint32_t count;
    struct confidence_class classes[CONFIDENCE_CLASSES_MAX]; /* in the order of their names */
};

/* Counts come in through confidence_count; rates are borrowed. */
void confidence_count(struct confidence *confidence, const char *name, uint64_t clean,
                      uint64_t broken);
void confidence_join(struct confidence *confidence, const struct confidence_rates *rates);

#endif
