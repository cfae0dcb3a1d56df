/* What a server's database holds, written to its evidence log: when a life begins, of what the last
 * one left, and when it ends in order. It is read by a connection of its own, while the role has
 * none, with the same bytes before and after: no role tells it what to say.
 */
#ifndef BROWNOUT_CORE_POSIX_LISTING_H
#define BROWNOUT_CORE_POSIX_LISTING_H

#include "core/posix/host.h"

/* Rows that a listing may have; one with more says that it could not be read. */
enum { LISTING_ROWS_MAX = 1000000 };

/* Nothing where the role has no disk, or the host no log. */
void listing_write(struct host *host);

#endif
