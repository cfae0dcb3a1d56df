/* What a run counts, by name. */
#ifndef BROWNOUT_SIM_FIGURE_H
#define BROWNOUT_SIM_FIGURE_H

#include <stdint.h>

enum figure {
#define FIGURE(id, unit, doc) FIGURE_##id,
#include "sim/figure.def"
#undef FIGURE
    FIGURE_COUNT
};

/* In place of a figure that this run cannot tell. */
#define FIGURE_UNKNOWN UINT64_MAX

const char *figure_name(enum figure figure);
const char *figure_unit(enum figure figure);
const char *figure_doc(enum figure figure);
/* FIGURE_COUNT if there is none of that name. */
enum figure figure_find(const char *name);

#endif
