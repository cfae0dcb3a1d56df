#include "sim/figure.h"

#include <string.h>

#include "core/check.h"

static const struct {
    const char *name, *unit, *doc;
} figures[FIGURE_COUNT] = {
#define FIGURE(id, unit, doc) {#id, unit, doc},
#include "sim/figure.def"
#undef FIGURE
};

const char *figure_name(enum figure figure)
{
    CHECK(figure < FIGURE_COUNT);
    return figures[figure].name;
}

const char *figure_unit(enum figure figure)
{
    CHECK(figure < FIGURE_COUNT);
    return figures[figure].unit;
}

const char *figure_doc(enum figure figure)
{
    CHECK(figure < FIGURE_COUNT);
    return figures[figure].doc;
}

enum figure figure_find(const char *name)
{
    for (unsigned i = 0; i < FIGURE_COUNT; i++) {
        if (strcmp(figures[i].name, name) == 0) {
            return (enum figure)i;
        }
    }
    return FIGURE_COUNT;
}
