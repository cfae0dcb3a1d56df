/* What a mistyped name may have meant. */
#ifndef BROWNOUT_SIM_NEAREST_H
#define BROWNOUT_SIM_NEAREST_H

#include <stddef.h>

/* The nearest name to a mistyped one, or NULL when nothing is near. */
const char *nearest_name(const char *typed, const char *const *names, size_t count);

#endif
