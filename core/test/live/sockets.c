#include "core/test/live/sockets.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "core/evidence.h"
#include "core/test/test.h"

uint64_t sockets_now_us(void)
{
    struct timespec now;
    EXPECT(clock_gettime(CLOCK_MONOTONIC, &now) == 0);
    return (uint64_t)now.tv_sec * 1000000u + (uint64_t)now.tv_nsec / 1000u;
}

static enum err clock_read(void *ctx, struct clock_reading *now)
{
    (void)ctx;
    *now = (struct clock_reading){.monotonic_us = sockets_now_us()};
    return ERR_OK;
}

static uint32_t slot_of(const struct sockets *sockets, uint32_t link)
{
    for (uint32_t slot = 0; slot < SOCKETS_MAX; slot++) {
        if (sockets->links[slot].fd >= 0 && sockets->links[slot].link == link) {
            return slot;
        }
    }
    return SOCKETS_MAX;
}

/* The slot of a new link, or SOCKETS_MAX. */
static uint32_t slot_add(struct sockets *sockets, int fd, bool inbound)
{
    for (uint32_t slot = 0; slot < SOCKETS_MAX; slot++) {
        if (sockets->links[slot].fd < 0) {
            EXPECT(fcntl(fd, F_SETFL, O_NONBLOCK) == 0);
            sockets->links[slot].fd = fd;
            sockets->links[slot].link = ++sockets->link_next;
            sockets->links[slot].connecting = true;
            sockets->links[slot].blocked = false;
            sockets->links[slot].inbound = inbound;
            return slot;
        }
    }
    return SOCKETS_MAX;
}

static struct sockaddr_in loopback(uint16_t port)
{
    struct sockaddr_in address;
    memset(&address, 0, sizeof address);
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return address;
}

static enum err link_open(void *ctx, uint32_t peer, uint32_t *link)
{
    struct sockets *sockets = ctx;
    const struct sockaddr_in address = loopback(sockets->peer_port);
    (void)peer;
    const int fd = socket(AF_INET, SOCK_STREAM, 0);
    EXPECT(fd >= 0);
    if (connect(fd, (const struct sockaddr *)(const void *)&address, sizeof address) != 0) {
        (void)close(fd); /* blocking, on loopback: it is refused at once */
        return ERR_IO;
    }
    const uint32_t slot = slot_add(sockets, fd, false);
    EXPECT(slot < SOCKETS_MAX);
    *link = sockets->links[slot].link;
    return ERR_OK;
}

static int32_t link_send(void *ctx, uint32_t link, const uint8_t *bytes, uint32_t size_bytes)
{
    struct sockets *sockets = ctx;
    const uint32_t slot = slot_of(sockets, link);
    if (slot == SOCKETS_MAX) {
        return ERR_CLOSED;
    }
    const ssize_t sent = send(sockets->links[slot].fd, bytes, size_bytes, MSG_NOSIGNAL);
    if (sent > 0) {
        return (int32_t)sent;
    }
    sockets->links[slot].blocked = errno == EAGAIN || errno == EWOULDBLOCK;
    return sockets->links[slot].blocked ? 0 : ERR_CLOSED;
}

static void link_close(void *ctx, uint32_t link)
{
    struct sockets *sockets = ctx;
    const uint32_t slot = slot_of(sockets, link);
    if (slot < SOCKETS_MAX) {
        (void)shutdown(sockets->links[slot].fd, SHUT_WR);
        (void)close(sockets->links[slot].fd);
        sockets->links[slot].fd = -1;
    }
}

static enum err entropy(void *ctx, uint8_t *bytes, uint32_t size_bytes)
{
    (void)ctx;
    FILE *file = fopen("/dev/urandom", "rb");
    EXPECT(file != NULL);
    EXPECT(fread(bytes, 1, size_bytes, file) == size_bytes);
    EXPECT(fclose(file) == 0);
    return ERR_OK;
}

static void reset(void *ctx)
{
    struct sockets *sockets = ctx;
    sockets->reset = true;
}

static void say(void *ctx, const struct evidence *evidence)
{
    (void)ctx;
    fprintf(stderr, "evidence %d value %" PRIu64 "\n", (int)evidence->kind, evidence->value);
}

void sockets_init(struct sockets *sockets, uint16_t peer_port, const char *disk_path)
{
    memset(sockets, 0, sizeof *sockets);
    sockets->listener = -1;
    sockets->peer_port = peer_port;
    for (uint32_t slot = 0; slot < SOCKETS_MAX; slot++) {
        sockets->links[slot].fd = -1;
    }
    sockets->port = (struct port){.ctx = sockets,
                                  .clock_read = clock_read,
                                  .link_open = link_open,
                                  .link_send = link_send,
                                  .link_close = link_close,
                                  .disk_path = disk_path,
                                  .entropy = entropy,
                                  .reset = reset,
                                  .evidence = say};
}

uint16_t sockets_listen(struct sockets *sockets, uint16_t port)
{
    struct sockaddr_in address = loopback(port);
    socklen_t size = sizeof address;
    const int yes = 1;
    sockets->listener = socket(AF_INET, SOCK_STREAM, 0);
    EXPECT(sockets->listener >= 0);
    EXPECT(setsockopt(sockets->listener, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes) == 0);
    EXPECT(bind(sockets->listener, (struct sockaddr *)(void *)&address, sizeof address) == 0);
    EXPECT(listen(sockets->listener, 32) == 0);
    EXPECT(getsockname(sockets->listener, (struct sockaddr *)(void *)&address, &size) == 0);
    return ntohs(address.sin_port);
}

static void accept_link(struct sockets *sockets)
{
    const int fd = accept(sockets->listener, NULL, NULL);
    if (fd >= 0 && slot_add(sockets, fd, true) == SOCKETS_MAX) {
        (void)close(fd);
    }
}

/* What the socket has: bytes, or its end. */
static void read_link(struct sockets *sockets, uint32_t slot, void *role, sockets_step *step)
{
    uint8_t bytes[2048];
    struct event event = {.kind = EVENT_LINK_DATA, .link = sockets->links[slot].link};
    const ssize_t size = recv(sockets->links[slot].fd, bytes, sizeof bytes, 0);
    if (size > 0) {
        event.bytes = bytes;
        event.size_bytes = (uint32_t)size;
    } else if (size < 0 && (errno == EAGAIN || errno == EINTR)) {
        return;
    } else {
        event.kind = EVENT_LINK_DOWN;
        (void)close(sockets->links[slot].fd);
        sockets->links[slot].fd = -1;
    }
    step(role, &sockets->port, &event);
}

static void turn_link(struct sockets *sockets, uint32_t slot, short ready, void *role,
                      sockets_step *step)
{
    const struct event up = {.kind = EVENT_LINK_UP,
                             .inbound = sockets->links[slot].inbound,
                             .link = sockets->links[slot].link};
    const struct event writable = {.kind = EVENT_LINK_WRITABLE, .link = up.link};
    if (sockets->links[slot].connecting) {
        sockets->links[slot].connecting = false;
        step(role, &sockets->port, &up);
    }
    if ((ready & POLLOUT) != 0 && slot_of(sockets, up.link) == slot) {
        sockets->links[slot].blocked = false;
        step(role, &sockets->port, &writable);
    }
    if ((ready & (POLLIN | POLLHUP | POLLERR)) != 0 && slot_of(sockets, up.link) == slot) {
        read_link(sockets, slot, role, step);
    }
}

void sockets_turn(struct sockets *sockets, uint64_t deadline_us, void *role, sockets_step *step)
{
    struct pollfd polls[SOCKETS_MAX + 1];
    uint32_t slots[SOCKETS_MAX + 1], links[SOCKETS_MAX + 1];
    nfds_t count = 0;
    const uint64_t now_us = sockets_now_us();
    uint64_t wait_ms = deadline_us <= now_us ? 0 : (deadline_us - now_us) / 1000 + 1;
    for (uint32_t slot = 0; slot < SOCKETS_MAX; slot++) {
        if (sockets->links[slot].fd >= 0) {
            slots[count] = slot;
            links[count] = sockets->links[slot].link;
            polls[count].fd = sockets->links[slot].fd;
            polls[count].events = sockets->links[slot].blocked ? POLLIN | POLLOUT : POLLIN;
            polls[count++].revents = 0;
            wait_ms = sockets->links[slot].connecting ? 0 : wait_ms;
        }
    }
    if (sockets->listener >= 0) {
        polls[count++] = (struct pollfd){.fd = sockets->listener, .events = POLLIN};
    }
    const int ready = poll(polls, count, wait_ms > 1000 ? 1000 : (int)wait_ms);
    EXPECT(ready >= 0 || errno == EINTR);
    const nfds_t link_count = count - (sockets->listener >= 0 ? 1 : 0);
    for (nfds_t index = 0; index < link_count; index++) {
        if (slot_of(sockets, links[index]) == slots[index] &&
            (polls[index].revents != 0 || sockets->links[slots[index]].connecting)) {
            turn_link(sockets, slots[index], polls[index].revents, role, step);
        }
    }
    if (sockets->listener >= 0 && (polls[link_count].revents & POLLIN) != 0) {
        accept_link(sockets);
    }
    if (deadline_us <= sockets_now_us()) {
        const struct event timeout = {.kind = EVENT_TIMEOUT};
        step(role, &sockets->port, &timeout);
    }
}
