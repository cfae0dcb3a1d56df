#include "core/posix/links.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/check.h"
#include "core/posix/links_inside.h"

enum { PORT_MAX = 65535 };

static struct link *find(const struct links *links, uint32_t handle);
static void let_go(struct links *links, struct link *link);

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
bool links_prepare(int file)
{
    const int one = 1;
    const int flags = fcntl(file, F_GETFL);
    return flags >= 0 && fcntl(file, F_SETFL, flags | O_NONBLOCK) == 0 &&
           fcntl(file, F_SETFD, FD_CLOEXEC) == 0 &&
           setsockopt(file, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one) == 0;
}

static bool open_listener(struct links *links, const struct links_address *listen_at)
{
    const int one = 1, bytes = LINKS_SOCKET_BYTES; /* who is accepted inherits them */
    links->listener = socket(listen_at->socket.ss_family, SOCK_STREAM, 0);
    return links->listener >= 0 &&
           setsockopt(links->listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one) == 0 &&
           setsockopt(links->listener, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof bytes) == 0 &&
           setsockopt(links->listener, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof bytes) == 0 &&
           links_prepare(links->listener) &&
           bind(links->listener, (const struct sockaddr *)&listen_at->socket,
                listen_at->size_bytes) == 0;
}

static bool list_open(struct links_list *list, uint32_t max)
{
    list->places = calloc(max, sizeof *list->places);
    list->listed = calloc(max, sizeof *list->listed);
    return list->places != NULL && list->listed != NULL;
}

static void list_free(struct links_list *list)
{
    free(list->places);
    free(list->listed);
    *list = (struct links_list){0};
}

static bool open_tables(struct links *links)
{
    links->bucket_count = 1;
    while (links->bucket_count < links->max) {
        links->bucket_count *= 2;
    }
    links->all = calloc(links->max, sizeof *links->all);
    links->free = calloc(links->max, sizeof *links->free);
    links->spare = calloc(links->max, sizeof *links->spare);
    links->buckets = calloc(links->bucket_count, sizeof *links->buckets);
    if (links->all == NULL || links->free == NULL || links->spare == NULL ||
        links->buckets == NULL || !list_open(&links->round, links->max) ||
        !list_open(&links->again, links->max) || !list_open(&links->unsent, links->max) ||
        !list_open(&links->limited, links->max)) {
        return false;
    }
    for (uint32_t i = 0; i < links->max; i++) {
        links->all[i].socket = -1;
        links->free[links->free_count++] = links->max - 1 - i;
    }
    return true;
}

bool links_open(struct links *links, uint32_t max, struct tls *tls,
                const struct links_address *listen_at, char *error, size_t error_bytes)
{
    memset(links, 0, sizeof *links);
    links->tls = tls;
    links->listener = -1;
    links->max = max + LINKS_SPARE;
    links->next_handle = 1;
    links->limit_us = UINT64_MAX;
    links->epoll = epoll_create1(EPOLL_CLOEXEC);
    if (links->epoll < 0 || !open_tables(links)) {
        snprintf(error, error_bytes, "no memory for %u links", (unsigned)links->max);
        links_free(links);
        return false;
    }
    if (listen_at != NULL && !open_listener(links, listen_at)) {
        snprintf(error, error_bytes, "cannot listen: %s: is the address in use, or not ours?",
                 strerror(errno));
        links_free(links);
        return false;
    }
    return true;
}

void links_limit_source(struct links *links, uint32_t source_max)
{
    links->source_max = source_max;
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

/* Also of one that was never opened, but is zero with a listener of -1. */
void links_free(struct links *links)
{
    for (uint32_t i = 0; links->all != NULL && i < links->max; i++) {
        if (links->all[i].state != LINK_FREE) {
            links_release(links, &links->all[i]);
        }
    }
    while (links->spare_count > 0) {
        free(links->spare[--links->spare_count]);
    }
    if (links->listener >= 0) {
        (void)close(links->listener);
    }
    links->listener = -1;
    if (links->max > 0 && links->epoll >= 0) {
        (void)close(links->epoll);
    }
    links->epoll = -1;
    links->max = 0;
    free(links->all);
    free(links->free);
    free(links->spare);
    free(links->buckets);
    links->all = NULL;
    links->free = links->buckets = NULL;
    links->spare = NULL;
    list_free(&links->round);
    list_free(&links->again);
    list_free(&links->unsent);
    list_free(&links->limited);
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
        address == NULL || links->next_handle == UINT32_MAX ? NULL : links_take_place(links);
    if (link == NULL) {
        return ERR_FULL;
    }
    const struct link begun = {.state = LINK_CONNECTING,
                               .socket = socket(address->socket.ss_family, SOCK_STREAM, 0),
                               .peer = peer,
                               .until_us = now_us + LINKS_HANDSHAKE_US};
    links_begin(links, link, &begun);
    if (link->socket < 0 || !links_prepare(link->socket) ||
        (connect(link->socket, (const struct sockaddr *)&address->socket, address->size_bytes) !=
             0 &&
         errno != EINPROGRESS)) {
        links_fail(links, link);
    } else {
        links_watch(links, link);
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
void links_give(struct links *links, struct link *link)
{
    while (link->held_from < link->held_to) {
        const int32_t done =
            give(links, link, link->held + link->held_from, link->held_to - link->held_from);
        if (done < 0 && link->state == LINK_LINGERING) {
            links_release(links, link);
            return;
        }
        if (done < 0) {
            links_fail(links, link);
            return;
        }
        if (done == 0) {
            return;
        }
        link->held_from += (uint32_t)done;
    }
    let_go(links, link);
    if (link->state == LINK_LINGERING && !link->said_end) {
        link->said_end = true;
        if (link->tls != NULL) {
            tls_close(link->tls);
        }
        if (shutdown(link->socket, SHUT_WR) != 0) {
            links_release(links, link);
        }
    }
}

void links_flush(struct links *links)
{
    while (links->unsent.count > 0) {
        const uint32_t place = links->unsent.places[--links->unsent.count];
        struct link *link = &links->all[place];
        links->unsent.listed[place] = false;
        if ((link->state == LINK_OPEN && link->held_to > 0) ||
            (link->state == LINK_LINGERING && !link->said_end)) {
            links_give(links, link);
        }
        links_watch(links, link);
    }
}

/* Into what is held; 0: it is full, or there is no memory. */
static int32_t hold(struct links *links, struct link *link, const uint8_t *bytes,
                    uint32_t size_bytes)
{
    if (link->held == NULL) {
        link->held =
            links->spare_count > 0 ? links->spare[--links->spare_count] : malloc(LINKS_HELD_BYTES);
    }
    const uint32_t room = link->held == NULL ? 0 : LINKS_HELD_BYTES - link->held_to;
    const uint32_t taken = size_bytes < room ? size_bytes : room;
    if (taken > 0) {
        memcpy(link->held + link->held_to, bytes, taken);
        link->held_to += taken;
    }
    return (int32_t)taken;
}

int32_t links_send(struct links *links, uint32_t handle, const uint8_t *bytes, uint32_t size_bytes)
{
    struct link *link = find(links, handle);
    if (link == NULL || link->state != LINK_OPEN) {
        return ERR_CLOSED;
    }
    const int32_t taken =
        links->direct ? give(links, link, bytes, size_bytes) : hold(links, link, bytes, size_bytes);
    if (taken < 0) {
        links_fail(links, link);
        return ERR_CLOSED;
    }
    link->wants_room = link->wants_room || taken == 0;
    if (!links->direct || taken == 0) {
        links_list_add(&links->unsent, links_place(links, link));
    }
    return taken;
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
        links_limit(links, link);
        links_list_add(&links->unsent, links_place(links, link));
    } else {
        links_release(links, link);
    }
}

/* ---- The places ------------------------------------------------------------------------------ */

uint32_t links_place(const struct links *links, const struct link *link)
{
    CHECK(link >= links->all && link < links->all + links->max);
    return (uint32_t)(link - links->all);
}

void links_list_add(struct links_list *list, uint32_t place)
{
    if (!list->listed[place]) {
        list->listed[place] = true;
        list->places[list->count++] = place;
    }
}

static uint32_t *bucket_of(const struct links *links, uint32_t handle)
{
    return &links->buckets[handle & (links->bucket_count - 1)];
}

static struct link *find(const struct links *links, uint32_t handle)
{
    for (uint32_t at = *bucket_of(links, handle); at > 0; at = links->all[at - 1].chain) {
        struct link *link = &links->all[at - 1];
        if (link->handle == handle) {
            return link->state == LINK_LINGERING ? NULL : link;
        }
    }
    return NULL;
}

void links_begin(struct links *links, struct link *link, const struct link *begun)
{
    *link = *begun;
    link->handle = links->next_handle++;
    uint32_t *bucket = bucket_of(links, link->handle);
    link->chain = *bucket;
    *bucket = links_place(links, link) + 1;
    if (links_has_limit(link)) {
        links_limit(links, link);
    }
}

static void forget(struct links *links, const struct link *link)
{
    uint32_t *at = bucket_of(links, link->handle);
    while (*at != links_place(links, link) + 1) {
        CHECK(*at > 0);
        at = &links->all[*at - 1].chain;
    }
    *at = link->chain;
}

static void let_go(struct links *links, struct link *link)
{
    if (link->held != NULL) {
        links->spare[links->spare_count++] = link->held;
    }
    link->held = NULL;
    link->held_from = link->held_to = 0;
}

void links_release(struct links *links, struct link *link)
{
    CHECK(link->state != LINK_FREE);
    if (link->tls != NULL) {
        tls_end(link->tls);
    }
    if (link->socket >= 0) {
        (void)close(link->socket); /* epoll forgets it */
    }
    let_go(links, link);
    forget(links, link);
    links->free[links->free_count++] = links_place(links, link);
    *link = (struct link){.state = LINK_FREE, .socket = -1};
}

/* Who has to go first when there is no free place; 0: nobody may be sent away for another. */
static int expendable(const struct link *link)
{
    if (link->state == LINK_LINGERING) {
        return 3;
    }
    const bool nobody = link->state == LINK_SECURING && link->peer == 0;
    return !nobody ? 0 : link->answered ? 1 : 2;
}

/* All that are expendable have a limit. */
static struct link *first_to_go(const struct links *links)
{
    struct link *first = NULL;
    int before = 0;
    for (uint32_t i = 0; i < links->limited.count; i++) {
        struct link *link = &links->all[links->limited.places[i]];
        const int rank = expendable(link);
        if (rank > before || (rank == before && rank > 0 && link->until_us < first->until_us)) {
            first = link;
            before = rank;
        }
    }
    return first;
}

struct link *links_take_place(struct links *links)
{
    struct link *first = links->free_count > 0 ? NULL : first_to_go(links);
    if (first != NULL) {
        links->counts.away[LINKS_AWAY_PLACE] += first->state == LINK_SECURING;
        links_release(links, first);
    }
    return links->free_count > 0 ? &links->all[links->free[--links->free_count]] : NULL;
}

bool links_has_place(const struct links *links)
{
    return links->free_count > 0 || first_to_go(links) != NULL;
}

void links_limit(struct links *links, const struct link *link)
{
    links_list_add(&links->limited, links_place(links, link));
    links->limit_us = link->until_us < links->limit_us ? link->until_us : links->limit_us;
}

void links_fail(struct links *links, struct link *link)
{
    link->state = LINK_FAILED;
    links_list_add(&links->again, links_place(links, link));
}
