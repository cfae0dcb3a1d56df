/* Reachable graphs that TLC has walked: `spec check` and `spec conform` ask for the same ones.
 *
 * Of each checked or counted instance the cache keeps the line of GOLDEN that TLC's graph makes,
 * under a hash of all that it depends on: the module, the constants, the jar, and the cells of the
 * .def. A line under another hash is nobody's, and the next graph of that instance takes its place.
 */
#ifndef BROWNOUT_SIM_SPEC_KNOWN_H
#define BROWNOUT_SIM_SPEC_KNOWN_H

#include "sim/spec_dump.h"
#include "sim/spec_golden.h"
#include "sim/tlc.h"

/* False: TLC has not walked this graph, as far as the cache knows. */
bool spec_known_find(const struct tlc *tlc, const struct spec_folder *folder,
                     const struct spec_instance *instance, char line[SPEC_LINE_BYTES]);
/* A cache that cannot be written is as good as an empty one: nothing is said. */
void spec_known_keep(const struct tlc *tlc, const struct spec_folder *folder,
                     const struct spec_instance *instance, const char *line);

#endif
