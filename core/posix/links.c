#include "core/posix/links.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/check.h"

enum { POLLS_BESIDE = 2 /* wake, listener */, PORT_MAX = 65535 };

static struct link *find(const struct links *links, uint32_t handle);
static struct link *take_place(struct links *links);
static void release(struct link *link);
static bool advance(struct links *links, struct link *link, struct event *event);
static bool accept_one(struct links *links, uint64_t now_us, struct event *event);

/* ---- Addresses and setup --------------------------------------------------------------------- */

static bool parse_port(const char *text, uint16_t *port)
{
    unsigned long number = 0;
    const size_t digits = strspn(text, "0123456789");
    if (digits == 0 || digits > 5 || text[digits] != '\0') {
        return false;
    }
    number = strtoul(text, NULL, 10);
    *port = (uint16_t)number;
    return number <= PORT_MAX;
}

bool links_parse(const char *text, struct links_address *address)
{
    char host[LINKS_ADDRESS_BYTES];
    const bool six = text[0] == '[';
    const char *colon = six ? strstr(text, "]:") : strchr(text, ':');
    memset(address, 0, sizeof *address);
    if (colon == NULL || (size_t)(colon - text) >= sizeof host) {
        return false;
    }
    const size_t skip = six ? 1 : 0;
    memcpy(host, text + skip, (size_t)(colon - text) - skip);
    host[(size_t)(colon - text) - skip] = '\0';
    uint16_t port;
    if (!parse_port(colon + 1 + skip, &port)) {
        return false;
    }
    if (six) {
        struct sockaddr_in6 *in = (struct sockaddr_in6 *)&address->socket;
        in->sin6_family = AF_INET6;
        in->sin6_port = htons(port);
        address->size_bytes = sizeof *in;
        return inet_pton(AF_INET6, host, &in->sin6_addr) == 1;
    }
    struct sockaddr_in *in = (struct sockaddr_in *)&address->socket;
    in->sin_family = AF_INET;
    in->sin_port = htons(port);
    address->size_bytes = sizeof *in;
    return inet_pton(AF_INET, host, &in->sin_addr) == 1;
}

/* A socket is never waited for, is not inherited, and does not hold back small packets. */
static bool prepare(int file)
{
    const int one = 1;
    const int flags = fcntl(file, F_GETFL);
    return flags >= 0 && fcntl(file, F_SETFL, flags | O_NONBLOCK) == 0 &&
           fcntl(file, F_SETFD, FD_CLOEXEC) == 0 &&
           setsockopt(file, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one) == 0;
}

static bool open_listener(struct links *links, const struct links_address *listen_at)
{
    const int one = 1;
    links->listener = socket(listen_at->socket.ss_family, SOCK_STREAM, 0);
    return links->listener >= 0 &&
           setsockopt(links->listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one) == 0 &&
           prepare(links->listener) &&
           bind(links->listener, (const struct sockaddr *)&listen_at->socket,
                listen_at->size_bytes) == 0;
}

bool links_open(struct links *links, uint32_t max, struct tls *tls,
                const struct links_address *listen_at, char *error, size_t error_bytes)
{
    memset(links, 0, sizeof *links);
    links->tls = tls;
    links->listener = -1;
    links->max = max + LINKS_SPARE;
    links->next_handle = 1;
    links->all = calloc(links->max, sizeof *links->all);
    links->polls = calloc(links->max + POLLS_BESIDE, sizeof *links->polls);
    links->held = calloc(links->max, LINKS_HELD_BYTES);
    if (links->all == NULL || links->polls == NULL || links->held == NULL) {
        snprintf(error, error_bytes, "no memory for %u links", (unsigned)links->max);
        links_free(links);
        return false;
    }
    for (uint32_t i = 0; i < links->max; i++) {
        links->all[i].socket = -1;
        links->all[i].held = links->held + (size_t)i * LINKS_HELD_BYTES;
    }
    if (listen_at != NULL && !open_listener(links, listen_at)) {
        snprintf(error, error_bytes, "cannot listen: %s: is the address in use, or not ours?",
                 strerror(errno));
        links_free(links);
        return false;
    }
    return true;
}

bool links_listen(struct links *links)
{
    return links->listener < 0 || listen(links->listener, LINKS_BACKLOG) == 0;
}

bool links_add_peer(struct links *links, uint32_t number, const struct links_address *address)
{
    if (links->peer_count == LINKS_PEERS_MAX) {
        return false;
    }
    links->peers[links->peer_count++] = (struct links_peer){number, *address};
    return true;
}

void links_free(struct links *links)
{
    for (uint32_t i = 0; links->all != NULL && i < links->max; i++) {
        release(&links->all[i]);
    }
    if (links->listener >= 0) {
        (void)close(links->listener);
    }
    links->listener = -1;
    free(links->all);
    free(links->polls);
    free(links->held);
    links->held = NULL;
    links->all = NULL;
    links->polls = NULL;
}

uint16_t links_port(const struct links *links)
{
    struct sockaddr_storage name;
    socklen_t size = sizeof name;
    memset(&name, 0, sizeof name);
    if (links->listener < 0 || getsockname(links->listener, (struct sockaddr *)&name, &size) != 0) {
        return 0;
    }
    return ntohs(name.ss_family == AF_INET6 ? ((struct sockaddr_in6 *)&name)->sin6_port
                                            : ((struct sockaddr_in *)&name)->sin_port);
}

uint32_t links_count(const struct links *links)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < links->max; i++) {
        const enum link_state state = links->all[i].state;
        count += state == LINK_CONNECTING || state == LINK_SECURING || state == LINK_OPEN;
    }
    return count;
}

/* ---- Calls of the port ----------------------------------------------------------------------- */

static const struct links_address *address_of(const struct links *links, uint32_t peer)
{
    for (uint32_t i = 0; i < links->peer_count; i++) {
        if (links->peers[i].number == peer) {
            return &links->peers[i].address;
        }
    }
    return NULL;
}

/* A connection that fails at once is told as one that fails later. */
enum err links_connect(struct links *links, uint32_t peer, uint64_t now_us, uint32_t *handle)
{
    const struct links_address *address = address_of(links, peer);
    struct link *link =
        address == NULL || links->next_handle == UINT32_MAX ? NULL : take_place(links);
    if (link == NULL) {
        return ERR_FULL;
    }
    *link = (struct link){.state = LINK_CONNECTING,
                          .held = link->held,
                          .socket = socket(address->socket.ss_family, SOCK_STREAM, 0),
                          .handle = links->next_handle++,
                          .peer = peer,
                          .until_us = now_us + LINKS_HANDSHAKE_US};
    if (link->socket < 0 || !prepare(link->socket) ||
        (connect(link->socket, (const struct sockaddr *)&address->socket, address->size_bytes) !=
             0 &&
         errno != EINPROGRESS)) {
        link->state = LINK_FAILED;
    }
    links->counts.opened++;
    *handle = link->handle;
    return ERR_OK;
}

/* Bytes to the system; 0: later; below: it is over. */
static int32_t give(struct links *links, const struct link *link, const uint8_t *bytes,
                    uint32_t size_bytes)
{
    ssize_t done;
    if (link->tls != NULL) {
        done = tls_write(link->tls, bytes, size_bytes);
    } else {
        do {
            done = send(link->socket, bytes, size_bytes, MSG_NOSIGNAL);
        } while (done < 0 && errno == EINTR);
        done = done < 0 && (errno == EAGAIN || errno == EWOULDBLOCK) ? 0 : done;
    }
    links->counts.sent_bytes += done > 0 ? (uint64_t)done : 0;
    return (int32_t)done;
}

/* What was sent is to arrive: a socket with unread bytes would reset the connection if it were
 * closed now. */
static void flush(struct links *links, struct link *link)
{
    while (link->held_from < link->held_to) {
        const int32_t done =
            give(links, link, link->held + link->held_from, link->held_to - link->held_from);
        if (done < 0 && link->state == LINK_LINGERING) {
            release(link);
            return;
        }
        if (done < 0) {
            link->state = LINK_FAILED;
            return;
        }
        if (done == 0) {
            return;
        }
        link->held_from += (uint32_t)done;
    }
    link->held_from = link->held_to = 0;
    if (link->state == LINK_LINGERING && !link->said_end) {
        link->said_end = true;
        if (link->tls != NULL) {
            tls_close(link->tls);
        }
        if (shutdown(link->socket, SHUT_WR) != 0) {
            release(link);
        }
    }
}

void links_flush(struct links *links)
{
    for (uint32_t i = 0; i < links->max; i++) {
        struct link *link = &links->all[i];
        if ((link->state == LINK_OPEN && link->held_to > 0) ||
            (link->state == LINK_LINGERING && !link->said_end)) {
            flush(links, link);
        }
    }
}

int32_t links_send(struct links *links, uint32_t handle, const uint8_t *bytes, uint32_t size_bytes)
{
    struct link *link = find(links, handle);
    if (link == NULL || link->state != LINK_OPEN) {
        return ERR_CLOSED;
    }
    const uint32_t room = LINKS_HELD_BYTES - link->held_to;
    const uint32_t taken = size_bytes < room ? size_bytes : room;
    memcpy(link->held + link->held_to, bytes, taken);
    link->held_to += taken;
    link->wants_room = link->wants_room || taken == 0;
    return (int32_t)taken;
}

void links_close(struct links *links, uint32_t handle, uint64_t now_us)
{
    struct link *link = find(links, handle);
    if (link == NULL) {
        return;
    }
    if (link->state == LINK_OPEN) {
        link->state = LINK_LINGERING;
        link->until_us = now_us + LINKS_LINGER_US;
        link->wants_room = false;
    } else {
        release(link);
    }
}

/* ---- The places ------------------------------------------------------------------------------ */

static struct link *find(const struct links *links, uint32_t handle)
{
    for (uint32_t i = 0; i < links->max; i++) {
        struct link *link = &links->all[i];
        if (link->handle == handle && link->state != LINK_FREE && link->state != LINK_LINGERING) {
            return link;
        }
    }
    return NULL;
}

/* A free one, or the one that has lingered longest. */
static struct link *take_place(struct links *links)
{
    struct link *oldest = NULL;
    for (uint32_t i = 0; i < links->max; i++) {
        struct link *link = &links->all[i];
        if (link->state == LINK_FREE) {
            return link;
        }
        if (link->state == LINK_LINGERING &&
            (oldest == NULL || link->until_us < oldest->until_us)) {
            oldest = link;
        }
    }
    if (oldest != NULL) {
        release(oldest);
    }
    return oldest;
}

static bool has_place(const struct links *links)
{
    for (uint32_t i = 0; i < links->max; i++) {
        if (links->all[i].state == LINK_FREE || links->all[i].state == LINK_LINGERING) {
            return true;
        }
    }
    return false;
}

static void release(struct link *link)
{
    if (link->tls != NULL) {
        tls_end(link->tls);
    }
    if (link->state != LINK_FREE && link->socket >= 0) {
        (void)close(link->socket);
    }
    *link = (struct link){.state = LINK_FREE, .socket = -1, .held = link->held};
}

/* ---- A round --------------------------------------------------------------------------------- */

static short wanted(const struct link *link)
{
    switch (link->state) {
    case LINK_CONNECTING:
        return POLLOUT;
    case LINK_SECURING:
        return link->tls_writes ? POLLOUT : POLLIN;
    case LINK_OPEN:
    case LINK_LINGERING:
        return (short)(POLLIN | (link->held_to > 0 || link->wants_room ? POLLOUT : 0));
    case LINK_FREE:
    case LINK_FAILED:
        break;
    }
    return 0;
}

static bool has_limit(const struct link *link)
{
    return link->state == LINK_CONNECTING || link->state == LINK_SECURING ||
           link->state == LINK_LINGERING;
}

/* Bytes that TLS has taken from the socket already. */
static bool has_pending(const struct link *link)
{
    return link->state == LINK_OPEN && link->tls != NULL && tls_pending(link->tls);
}

/* When the next of our own limits comes; 0: something is to be done at once. */
static uint64_t own_deadline(const struct links *links, uint64_t deadline_us)
{
    for (uint32_t i = 0; i < links->max; i++) {
        const struct link *link = &links->all[i];
        if (link->state == LINK_FAILED || has_pending(link)) {
            return 0;
        }
        if (has_limit(link) && link->until_us < deadline_us) {
            deadline_us = link->until_us;
        }
    }
    return deadline_us;
}

static int milliseconds(uint64_t now_us, uint64_t deadline_us)
{
    enum { LONGEST_MS = 3600000 };
    const uint64_t left_us = deadline_us > now_us ? deadline_us - now_us : 0;
    const uint64_t left_ms = left_us / 1000 + (left_us % 1000 != 0);
    return left_ms < LONGEST_MS ? (int)left_ms : LONGEST_MS;
}

void links_wait(struct links *links, int wake, uint64_t now_us, uint64_t deadline_us)
{
    deadline_us = own_deadline(links, deadline_us);
    const bool resting = now_us < links->accept_after_us;
    const bool listens = links->listener >= 0 && !resting && has_place(links);
    if (resting && links->accept_after_us < deadline_us) {
        deadline_us = links->accept_after_us;
    }
    links->polls[0] = (struct pollfd){.fd = wake, .events = POLLIN};
    links->polls[1] = (struct pollfd){.fd = listens ? links->listener : -1, .events = POLLIN};
    for (uint32_t i = 0; i < links->max; i++) {
        const struct link *link = &links->all[i];
        const short events = wanted(link);
        links->polls[POLLS_BESIDE + i] =
            (struct pollfd){.fd = events != 0 ? link->socket : -1, .events = events};
    }
    const int count =
        poll(links->polls, links->max + POLLS_BESIDE, milliseconds(now_us, deadline_us));
    links->cursor = 0;
    links->accepting = count > 0 && links->polls[1].revents != 0;
    for (uint32_t i = 0; i < links->max; i++) {
        struct link *link = &links->all[i];
        link->ready = count > 0 ? links->polls[POLLS_BESIDE + i].revents : (short)0;
        if (has_pending(link)) {
            link->ready = (short)(link->ready | POLLIN);
        }
    }
}

/* Its time is over. */
static void give_up(struct link *link)
{
    if (link->state == LINK_LINGERING || link->peer == 0) {
        release(link); /* an inbound one that is not up yet is nobody's */
    } else {
        link->state = LINK_FAILED;
    }
}

bool links_next(struct links *links, uint64_t now_us, struct event *event)
{
    while (links->cursor < links->max) {
        struct link *link = &links->all[links->cursor++];
        if (has_limit(link) && link->until_us <= now_us) {
            give_up(link);
        }
        if (advance(links, link, event)) {
            return true;
        }
    }
    while (links->accepting && has_place(links)) {
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
    release(link);
}

/* A step of the handshake. True: the link is up. */
static bool secure(struct links *links, struct link *link, struct event *event)
{
    const enum tls_outcome outcome = tls_handshake(link->tls, links->refusal);
    link->tls_writes = outcome == TLS_WANTS_WRITE;
    if (outcome == TLS_DONE) {
        link->state = LINK_OPEN;
        links->counts.accepted += link->peer == 0;
        *event =
            (struct event){.kind = EVENT_LINK_UP, .inbound = link->peer == 0, .link = link->handle};
        return true;
    }
    if (outcome == TLS_FAILED) {
        links->counts.refused++;
        give_up(link);
    }
    return false;
}

static bool connected(struct links *links, struct link *link, struct event *event)
{
    int problem = 0;
    socklen_t size = sizeof problem;
    if (getsockopt(link->socket, SOL_SOCKET, SO_ERROR, &problem, &size) != 0 || problem != 0) {
        link->state = LINK_FAILED;
        return false;
    }
    if (links->tls != NULL) {
        link->tls = tls_begin(links->tls, link->socket, link->peer);
        link->state = link->tls == NULL ? LINK_FAILED : LINK_SECURING;
        return link->tls != NULL && secure(links, link, event);
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
    if ((link->ready & POLLOUT) != 0) {
        flush(links, link);
    }
    if (link->state == LINK_FAILED) {
        down(links, link, event);
        return true;
    }
    if (link->wants_room && link->held_to == 0) {
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
    if ((link->ready & POLLOUT) != 0) {
        flush(links, link);
    }
    if (link->state == LINK_LINGERING &&
        (receive(links, link) < 0 || (link->ready & (POLLHUP | POLLERR)) != 0)) {
        release(link);
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

static bool accept_one(struct links *links, uint64_t now_us, struct event *event)
{
    const int file = accept(links->listener, NULL, NULL);
    if (file < 0) {
        links->accepting = errno == EINTR || errno == ECONNABORTED;
        if (!links->accepting && errno != EAGAIN && errno != EWOULDBLOCK) {
            links->accept_after_us = now_us + LINKS_ACCEPT_REST_US;
        }
        return false;
    }
    struct link *link = links->next_handle < UINT32_MAX && prepare(file) ? take_place(links) : NULL;
    if (link == NULL) {
        (void)close(file);
        return false;
    }
    *link = (struct link){
        .state = LINK_OPEN, .socket = file, .held = link->held, .handle = links->next_handle++};
    if (links->tls != NULL) {
        link->tls = tls_begin(links->tls, file, 0);
        link->state = LINK_SECURING;
        link->until_us = now_us + LINKS_HANDSHAKE_US;
        if (link->tls == NULL) {
            release(link);
        }
        return false;
    }
    links->counts.accepted++;
    *event = (struct event){.kind = EVENT_LINK_UP, .inbound = true, .link = link->handle};
    return true;
}
