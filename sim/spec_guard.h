/* What an action of a spec asks before it takes place: those conjuncts of its definition that speak
 * of the state alone. With them TLC can say not only that a step is refused, but why.
 */
#ifndef BROWNOUT_SIM_SPEC_GUARD_H
#define BROWNOUT_SIM_SPEC_GUARD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { SPEC_GUARDS_MAX = 16, SPEC_GUARD_BYTES = 512 };

struct spec_guards {
    char parameters[128]; /* as defined: "d, c"; "": none */
    uint32_t count;
    /* In their order. Lines of one text keep their columns, since these mean something. */
    struct spec_guard {
        char text[SPEC_GUARD_BYTES];
        uint32_t column; /* of its first character, from 0 */
    } list[SPEC_GUARDS_MAX];
};

/* module: the text of a .tla. False: it does not define the action, or in a way that is not
 * understood. Conjuncts behind the first one that is too long or too many are left out. */
bool spec_guards_read(struct spec_guards *guards, const char *module, const char *action);

#endif
