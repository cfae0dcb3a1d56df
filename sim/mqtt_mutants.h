/* Planted bugs of the session world: sim/mutants/session/NAME.patch, each one file of core.
 *
 *   law: M6.exactly_once     that must catch it
 *   also: M7.packet_id      another that it may break first; any number of these
 *   needs: nothing           it shows without faults; else it must not
 *   (empty line)
 *   What is wrong.
 *   (empty line)
 *   --- a/core/mqtt/x.c      a unified diff of exactly one file
 *
 * Each is applied to a copy, compiled and linked as `brownout mutants` does, must be silent without
 * faults, and caught by its law within so many seeds. Runs that break a law of
 * `also` first are passed over; any other law is not what the patch says.
 */
#ifndef BROWNOUT_SIM_MQTT_MUTANTS_H
#define BROWNOUT_SIM_MQTT_MUTANTS_H

#include <stdbool.h>
#include <stdint.h>

struct mqtt_mutants_request {
    const char *names;  /* "all", or with commas between */
    const char *source; /* NULL: the tree that was built */
    const char *build;
    uint64_t seed, runs;
    bool json;
};

/* The exit code: 0 all were caught, 1 one was not, 2 the call or a patch is wrong. */
int mqtt_mutants(const struct mqtt_mutants_request *request);

#endif
