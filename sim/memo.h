/* Crypto that remembers: what was digested, verified, signed or derived once is looked up when the
 * same bytes come again. For searches, which boot the same image a million times: each answer is
 * the provider's own, none is left out.
 *
 * Keyed by a 128-bit hash of all that goes in (XXH3); answers are kept up to a bound, beyond which
 * the provider is asked each time.
 */
#ifndef BROWNOUT_SIM_MEMO_H
#define BROWNOUT_SIM_MEMO_H

#include "core/port.h"

struct memo;

/* Stands before `real`, which is copied; what its ctx points to must live as long. */
struct memo *memo_create(const struct port_crypto *real, struct port_crypto *crypto);
void memo_free(struct memo *memo);

/* Questions so far, and those that the provider had to answer. */
uint64_t memo_asked(const struct memo *memo);
uint64_t memo_computed(const struct memo *memo);

#endif
