/* What links.c (setup, and the calls of the port) and links_round.c share. Private to both. */
#ifndef BROWNOUT_CORE_POSIX_LINKS_INSIDE_H
#define BROWNOUT_CORE_POSIX_LINKS_INSIDE_H

#include "core/posix/links.h"

/* A socket is never waited for, is not inherited, and does not hold back small packets. */
bool links_prepare(int file);
/* A free place, or that of a link that may be sent away for another: one that lingers, or an
 * inbound one whose handshake is under way, as links.h says. NULL: there is none. */
struct link *links_take_place(struct links *links);
bool links_has_place(const struct links *links);
/* A link in a place that was taken: from here on its handle is found. Its limit, if it has one, is
 * kept. */
void links_begin(struct links *links, struct link *link, const struct link *begun);
/* Close, and give the place back. */
void links_release(struct links *links, struct link *link);
/* What is held goes to the system, as far as it takes it; a lingering link ends behind it. */
void links_give(struct links *links, struct link *link);
/* CONNECTING, SECURING and LINGERING: `until_us` is one. */
bool links_has_limit(const struct link *link);
/* It has a limit from now on. */
void links_limit(struct links *links, const struct link *link);
/* It cannot go on: LINK_DOWN is owed, and told in the next round at the latest. */
void links_fail(struct links *links, struct link *link);
/* Ask the system for what the link waits for now. */
void links_watch(struct links *links, struct link *link);
void links_list_add(struct links_list *list, uint32_t place);
uint32_t links_place(const struct links *links, const struct link *link);

#endif
