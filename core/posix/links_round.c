/* A round of links: wait, then what happened, one event after the other. */
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/check.h"
#include "core/posix/links_inside.h"

/* What epoll calls the listener. */
enum { LISTENER = INT32_MAX };

static bool advance(struct links *links, struct link *link, struct event *event);
static bool accept_one(struct links *links, uint64_t now_us, struct event *event);

static uint32_t wanted(const struct link *link)
{
    switch (link->state) {
    case LINK_CONNECTING:
        return EPOLLOUT;
    case LINK_SECURING:
        return link->tls_writes ? EPOLLOUT : EPOLLIN;
    case LINK_OPEN:
    case LINK_LINGERING:
        return EPOLLIN | (link->held_to > 0 || link->wants_room ? (uint32_t)EPOLLOUT : 0);
    case LINK_FREE:
    case LINK_FAILED:
        break;
    }
    return 0;
}

void links_watch(struct links *links, struct link *link)
{
    const uint32_t events = wanted(link);
    if (events == link->watched || link->state == LINK_FREE || link->state == LINK_FAILED) {
        return;
    }
    struct epoll_event event = {.events = events, .data.u32 = links_place(links, link)};
    if (epoll_ctl(links->epoll, link->watched == 0 ? EPOLL_CTL_ADD : EPOLL_CTL_MOD, link->socket,
                  &event) == 0) {
        link->watched = events;
    } else if (link->state == LINK_LINGERING) {
        links_release(links, link);
    } else {
        links_fail(links, link); /* nothing of it would ever be heard */
    }
}

/* Whether the listener is looked at: level-triggered, it would be told of again and again. */
static void watch_listener(struct links *links, bool listens)
{
    if (links->listener < 0 || listens == links->listener_watched) {
        return;
    }
    struct epoll_event event = {.events = EPOLLIN, .data.u32 = LISTENER};
    if (epoll_ctl(links->epoll, listens ? EPOLL_CTL_ADD : EPOLL_CTL_DEL, links->listener, &event) ==
        0) {
        links->listener_watched = listens;
    }
}

bool links_has_limit(const struct link *link)
{
    return link->state == LINK_CONNECTING || link->state == LINK_SECURING ||
           link->state == LINK_LINGERING;
}

/* Bytes that TLS has taken from the socket already. */
static bool has_pending(const struct link *link)
{
    return link->state == LINK_OPEN && link->tls != NULL && tls_pending(link->tls);
}

static int milliseconds(uint64_t now_us, uint64_t deadline_us)
{
    enum { LONGEST_MS = 3600000 };
    const uint64_t left_us = deadline_us > now_us ? deadline_us - now_us : 0;
    const uint64_t left_ms = left_us / 1000 + (left_us % 1000 != 0);
    return left_ms < LONGEST_MS ? (int)left_ms : LONGEST_MS;
}

/* When something is to be done whatever the system says. */
static uint64_t prepare(struct links *links, uint64_t now_us)
{
    const bool resting = now_us < links->accept_after_us;
    watch_listener(links, !resting && links_has_place(links));
    uint64_t deadline_us = links->limit_us;
    if (resting && links->accept_after_us < deadline_us) {
        deadline_us = links->accept_after_us;
    }
    return links->again.count > 0 ? 0 : deadline_us;
}

/* A round: what was left for it, and what the system says. */
static void begin(struct links *links)
{
    struct epoll_event events[LINKS_EVENTS];
    while (links->round.count > 0) { /* what the last one did not look at, it will tell again */
        links->round.listed[links->round.places[--links->round.count]] = false;
    }
    const struct links_list again = links->again;
    links->again = links->round;
    links->round = again;
    links->cursor = 0;
    links->accepts = 0;
    links->accepting = false;
    links->limits_seen = false;
    const int count = epoll_wait(links->epoll, events, LINKS_EVENTS, 0);
    for (int i = 0; i < count; i++) {
        const uint32_t place = events[i].data.u32;
        if (place == LISTENER) {
            links->accepting = true;
            continue;
        }
        CHECK(place < links->max);
        links->all[place].ready |= events[i].events;
        links_list_add(&links->round, place);
    }
}

void links_wait_all(struct links *const *sets, uint32_t count, int wake, uint64_t now_us,
                    uint64_t deadline_us)
{
    struct pollfd polls[LINKS_SETS_MAX + 1];
    CHECK(count >= 1 && count <= LINKS_SETS_MAX);
    for (uint32_t i = 0; i < count; i++) {
        const uint64_t own_us = prepare(sets[i], now_us);
        deadline_us = own_us < deadline_us ? own_us : deadline_us;
        polls[i] = (struct pollfd){.fd = sets[i]->epoll, .events = POLLIN};
    }
    polls[count] = (struct pollfd){.fd = wake, .events = POLLIN};
    (void)poll(polls, count + 1, milliseconds(now_us, deadline_us));
    for (uint32_t i = 0; i < count; i++) {
        begin(sets[i]);
    }
}

void links_wait(struct links *links, int wake, uint64_t now_us, uint64_t deadline_us)
{
    links_wait_all(&links, 1, wake, now_us, deadline_us);
}

/* What is not up, or lingers. */
static void end_early(struct links *links, struct link *link)
{
    if (link->state == LINK_LINGERING || link->peer == 0) {
        links_release(links, link); /* an inbound one that is not up yet is nobody's */
    } else {
        links_fail(links, link);
    }
}

/* Its time is over. */
static void give_up(struct links *links, struct link *link)
{
    links->counts.away[LINKS_AWAY_LATE] += link->state == LINK_SECURING && link->peer == 0;
    end_early(links, link);
}

/* Limits that have come; the list loses those that have none any more. */
static void look_at_limits(struct links *links, uint64_t now_us)
{
    uint32_t kept = 0;
    links->limits_seen = true;
    if (links->limit_us > now_us) {
        return;
    }
    links->limit_us = UINT64_MAX;
    for (uint32_t i = 0; i < links->limited.count; i++) {
        const uint32_t place = links->limited.places[i];
        struct link *link = &links->all[place];
        if (links_has_limit(link) && link->until_us <= now_us) {
            give_up(links, link);
        }
        links->limited.listed[place] = links_has_limit(link);
        if (links->limited.listed[place]) {
            links->limited.places[kept++] = place;
            links->limit_us = link->until_us < links->limit_us ? link->until_us : links->limit_us;
        }
    }
    links->limited.count = kept;
}

bool links_next(struct links *links, uint64_t now_us, struct event *event)
{
    if (!links->limits_seen) {
        look_at_limits(links, now_us);
    }
    while (links->cursor < links->round.count) {
        struct link *link = &links->all[links->round.places[links->cursor++]];
        const bool happened = advance(links, link, event);
        if (has_pending(link)) {
            link->ready |= EPOLLIN;
            links_list_add(&links->again, links_place(links, link));
        }
        links_watch(links, link);
        if (happened) {
            return true;
        }
    }
    while (links->accepting && links->accepts < LINKS_ACCEPTS && links_has_place(links)) {
        links->accepts++;
        if (accept_one(links, now_us, event)) {
            return true;
        }
    }
    return false;
}

static void down(struct links *links, struct link *link, struct event *event)
{
    links->counts.failed += link->state == LINK_FAILED;
    *event = (struct event){.kind = EVENT_LINK_DOWN, .link = link->handle};
    links_release(links, link);
}

/* A step of the handshake. True: the link is up. */
static bool secure(struct links *links, struct link *link, struct event *event)
{
    const enum tls_outcome outcome = tls_handshake(link->tls, links->refusal);
    link->tls_writes = outcome == TLS_WANTS_WRITE;
    link->answered = tls_answered(link->tls);
    if (outcome == TLS_DONE) {
        link->state = LINK_OPEN;
        links->counts.accepted += link->peer == 0;
        *event =
            (struct event){.kind = EVENT_LINK_UP, .inbound = link->peer == 0, .link = link->handle};
        return true;
    }
    if (outcome == TLS_FAILED) {
        links->counts.refused++;
        end_early(links, link);
    }
    return false;
}

static bool connected(struct links *links, struct link *link, struct event *event)
{
    int problem = 0;
    socklen_t size = sizeof problem;
    if (getsockopt(link->socket, SOL_SOCKET, SO_ERROR, &problem, &size) != 0 || problem != 0) {
        links_fail(links, link);
        return false;
    }
    if (links->tls != NULL) {
        link->tls = tls_begin(links->tls, link->socket, link->peer);
        if (link->tls == NULL) {
            links_fail(links, link);
            return false;
        }
        link->state = LINK_SECURING;
        return secure(links, link, event);
    }
    link->state = LINK_OPEN;
    *event = (struct event){.kind = EVENT_LINK_UP, .link = link->handle};
    return true;
}

/* Bytes into the buffer; 0: later; below: it is over. */
static int32_t receive(struct links *links, const struct link *link)
{
    ssize_t got;
    if (link->tls != NULL && link->state == LINK_OPEN) {
        return tls_read(link->tls, links->bytes, sizeof links->bytes);
    }
    do {
        got = recv(link->socket, links->bytes, sizeof links->bytes, 0);
    } while (got < 0 && errno == EINTR);
    if (got > 0) {
        return (int32_t)got;
    }
    return got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK) ? 0 : ERR_CLOSED;
}

/* Writable comes before what was received: it is told once, and the bytes stay where they are. */
static bool advance_open(struct links *links, struct link *link, struct event *event)
{
    if ((link->ready & EPOLLOUT) != 0) {
        links_give(links, link);
    }
    if (link->state == LINK_FAILED) {
        down(links, link, event);
        return true;
    }
    if (link->wants_room && link->held_to == 0 &&
        (!links->direct || (link->ready & EPOLLOUT) != 0)) {
        link->wants_room = false;
        *event = (struct event){.kind = EVENT_LINK_WRITABLE, .link = link->handle};
        return true;
    }
    const int32_t got = receive(links, link);
    if (got < 0) {
        down(links, link, event);
        return true;
    }
    if (got > 0) {
        links->counts.received_bytes += (uint64_t)got;
        *event = (struct event){.kind = EVENT_LINK_DATA,
                                .link = link->handle,
                                .bytes = links->bytes,
                                .size_bytes = (uint32_t)got};
    }
    return got > 0;
}

static void linger(struct links *links, struct link *link)
{
    if ((link->ready & EPOLLOUT) != 0) {
        links_give(links, link);
    }
    if (link->state == LINK_LINGERING &&
        (receive(links, link) < 0 || (link->ready & (EPOLLHUP | EPOLLERR)) != 0)) {
        links_release(links, link);
    }
}

static bool advance(struct links *links, struct link *link, struct event *event)
{
    const bool begins = link->state == LINK_CONNECTING && link->ready != 0;
    if ((begins && connected(links, link, event)) ||
        (!begins && link->state == LINK_SECURING && link->ready != 0 &&
         secure(links, link, event))) {
        link->ready = 0;
        return true;
    }
    if (link->state == LINK_FAILED) {
        down(links, link, event);
        return true;
    }
    if (link->ready == 0) {
        return false;
    }
    bool happened = false;
    if (link->state == LINK_OPEN) {
        happened = advance_open(links, link, event);
    } else if (link->state == LINK_LINGERING) {
        linger(links, link);
    }
    link->ready = 0;
    return happened;
}

/* Where a link comes from: IPv4 whole, of IPv6 what a network is given. */
static void read_source(const struct sockaddr_storage *name, uint8_t source[LINKS_SOURCE_BYTES])
{
    enum { NETWORK_BYTES = 8, MAPPED_AT = 10, FOUR_AT = 12 };
    static const uint8_t mapped[FOUR_AT] = {[MAPPED_AT] = 0xFF, [MAPPED_AT + 1] = 0xFF};
    memset(source, 0, LINKS_SOURCE_BYTES);
    if (name->ss_family == AF_INET) {
        memcpy(source, mapped, sizeof mapped);
        memcpy(source + FOUR_AT, &((const struct sockaddr_in *)name)->sin_addr, 4);
    } else if (name->ss_family == AF_INET6) {
        const uint8_t *six = ((const struct sockaddr_in6 *)name)->sin6_addr.s6_addr;
        const bool four = memcmp(six, mapped, sizeof mapped) == 0;
        memcpy(source, six, four ? LINKS_SOURCE_BYTES : NETWORK_BYTES);
    }
}

/* Has this address as many links as it may have? One that lingers is closed already. */
static bool source_is_full(const struct links *links, const uint8_t source[LINKS_SOURCE_BYTES])
{
    uint32_t count = 0;
    for (uint32_t i = 0; links->source_max > 0 && i < links->max; i++) {
        const struct link *link = &links->all[i];
        count += (link->state == LINK_SECURING || link->state == LINK_OPEN) && link->peer == 0 &&
                 memcmp(link->source, source, LINKS_SOURCE_BYTES) == 0;
    }
    return links->source_max > 0 && count >= links->source_max;
}

/* The system gave no socket. */
static void refused_by_system(struct links *links, uint64_t now_us)
{
    links->accepting = errno == EINTR || errno == ECONNABORTED;
    if (!links->accepting && errno != EAGAIN && errno != EWOULDBLOCK) {
        links->counts.away[LINKS_AWAY_SYSTEM]++;
        links->accept_after_us = now_us + LINKS_ACCEPT_REST_US;
    }
}

static bool accept_one(struct links *links, uint64_t now_us, struct event *event)
{
    struct sockaddr_storage name = {0};
    socklen_t name_bytes = sizeof name;
    uint8_t source[LINKS_SOURCE_BYTES];
    const int file = accept(links->listener, (struct sockaddr *)&name, &name_bytes);
    if (file < 0) {
        refused_by_system(links, now_us);
        return false;
    }
    read_source(&name, source);
    if (source_is_full(links, source)) {
        links->counts.away[LINKS_AWAY_ADDRESS]++;
        (void)close(file);
        return false;
    }
    struct link *link =
        links->next_handle < UINT32_MAX && links_prepare(file) ? links_take_place(links) : NULL;
    if (link == NULL) {
        (void)close(file);
        return false;
    }
    const bool secured = links->tls != NULL;
    struct link begun = {.state = secured ? LINK_SECURING : LINK_OPEN,
                         .socket = file,
                         .tls = secured ? tls_begin(links->tls, file, 0) : NULL,
                         .until_us = now_us + LINKS_HANDSHAKE_US};
    memcpy(begun.source, source, sizeof source);
    links_begin(links, link, &begun);
    if (secured && link->tls == NULL) {
        links_release(links, link);
        return false;
    }
    links_watch(links, link);
    if (secured) {
        return false;
    }
    if (link->state == LINK_FAILED) { /* the system cannot watch it: nobody was told of it */
        links_release(links, link);
        return false;
    }
    links->counts.accepted++;
    *event = (struct event){.kind = EVENT_LINK_UP, .inbound = true, .link = link->handle};
    return true;
}
