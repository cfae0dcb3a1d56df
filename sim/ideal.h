/* The `ideal` crypto provider: a stand-in for sweeps, a thousand times faster than signatures.
 * It signs and seals with a keyed pseudo-random function over (run secret, key, message). Nothing
 * but the simulator knows the run's secret, so inside the simulation nothing can be forged; outside
 * it means nothing. Sizes, public keys, digests and refusals are those of the real provider behind
 * it, so that a run has the same history under both.
 *
 * A pair that is used must be one: it signs for pair->public_key, where a real signature comes from
 * the seed alone.
 */
#ifndef BROWNOUT_SIM_IDEAL_H
#define BROWNOUT_SIM_IDEAL_H

#include <stdint.h>

#include "core/port.h"

struct ideal {
    uint64_t secret[2];      /* of the run, from its seed */
    struct port_crypto real; /* derives public keys, hashes */
};

/* Make the provider; `ideal` is the caller's, stays where it is, and is what crypto->ctx points to.
 * `real` is copied; what its ctx points to must live as long. */
void ideal_init(struct ideal *ideal, const uint64_t secret[2], const struct port_crypto *real,
                struct port_crypto *crypto);

#endif
