/* Capped exponential backoff with full jitter: delay = random(0, min(cap, base * 2^attempt)).
 * The jitter comes from the port's entropy, so that devices that boot together do not return
 * together (ETSI EN 303 645 5.9-3). */
#ifndef BROWNOUT_CORE_BACKOFF_H
#define BROWNOUT_CORE_BACKOFF_H

#include <stdint.h>

#include "core/port.h"

struct backoff {
    uint64_t base_us; /* >= 1 */
    uint64_t cap_us;  /* base_us..UINT64_MAX - 1 */
    uint32_t attempt; /* failures since the last success; stops growing when the cap is reached */
};

void backoff_init(struct backoff *backoff, uint64_t base_us, uint64_t cap_us);
/* Draw the next delay, 0..cap_us, and count the attempt. ERR_OK | ERR_IO. */
enum err backoff_next(struct backoff *backoff, const struct port *port,
                      uint64_t *delay_us) MUST_USE;
void backoff_reset(struct backoff *backoff);

#endif
