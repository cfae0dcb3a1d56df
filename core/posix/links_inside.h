/* What links.c (setup, and the calls of the port) and links_round.c share. Private to both. */
#ifndef BROWNOUT_CORE_POSIX_LINKS_INSIDE_H
#define BROWNOUT_CORE_POSIX_LINKS_INSIDE_H

#include "core/posix/links.h"

enum { LINKS_POLLS_BESIDE = 2 /* wake, listener */ };

/* A socket is never waited for, is not inherited, and does not hold back small packets. */
bool links_prepare(int file);
/* A free place, or that of a link that may be sent away for another: one that lingers, or an
 * inbound one whose handshake is under way, as links.h says. NULL: there is none. */
struct link *links_take_place(struct links *links, uint64_t now_us);
bool links_has_place(const struct links *links, uint64_t now_us);
/* Close, and give the place back. */
void links_release(struct link *link);
/* What is held goes to the system, as far as it takes it; a lingering link ends behind it. */
void links_give(struct links *links, struct link *link);

#endif
