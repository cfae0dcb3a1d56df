/* A TCP proxy on loopback that cuts connections at byte offsets drawn from a seed, in either
 * direction and mostly inside a packet; otherwise it forwards.
 *   live_cutter TARGET_PORT SEED CUTS BYTES_MIN BYTES_MAX
 * Says "port N" once it listens. Of each connection it draws a direction and an offset of
 * BYTES_MIN..BYTES_MAX bytes, and of each third one near BYTES_MIN; once so many have gone that way
 * it ends both sides, in order or by a reset, and what follows is lost. After CUTS of them it only
 * forwards. Ends with SIGTERM, and prints what struck. */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/test/test.h"

enum { PAIRS_MAX = 32, ROOM_BYTES = 4096, NEAR_BYTES = 80, BACKLOG = 64 };

/* Where in an MQTT packet a stream is: before its first byte, in its length, or in its body. */
struct place {
    bool begun, has_length;
    uint32_t shift, left;
};

struct way {
    uint8_t bytes[ROOM_BYTES]; /* taken from one side, and due to the other: from..to */
    uint32_t from, to;
    uint64_t gone; /* bytes that were forwarded */
    struct place place;
};

struct pair {
    int ends[2]; /* of the client, of the broker; -1: free */
    bool connecting;
    struct way ways[2]; /* [end that the bytes come from] */
    int cut_way;        /* the end whose bytes do not arrive */
    uint64_t cut_at;
    bool reset;
};

static struct {
    struct sockaddr_in target;
    uint64_t random, bytes_min, bytes_max;
    uint32_t cuts_max, cuts, inside, to_client, resets, early, connections, refused;
    struct pair pairs[PAIRS_MAX];
} cutter;

static volatile sig_atomic_t ended;

static void end(int number)
{
    (void)number;
    ended = 1;
}

static uint64_t below(uint64_t bound) /* splitmix64 */
{
    uint64_t bits = cutter.random += 0x9e3779b97f4a7c15u;
    bits = (bits ^ (bits >> 30)) * 0xbf58476d1ce4e5b9u;
    bits = (bits ^ (bits >> 27)) * 0x94d049bb133111ebu;
    return (bits ^ (bits >> 31)) % bound;
}

/* Section 1.5.5: a type, a length of 1..4 bytes, and so many more. */
static void follow(struct place *place, const uint8_t *bytes, uint32_t size_bytes)
{
    for (uint32_t i = 0; i < size_bytes; i++) {
        if (!place->begun) {
            *place = (struct place){.begun = true};
        } else if (!place->has_length) {
            place->left |= (uint32_t)(bytes[i] & 0x7f) << (place->shift & 31u);
            place->shift += 7;
            place->has_length = bytes[i] < 0x80;
            place->begun = !place->has_length || place->left > 0;
        } else {
            place->left--;
            place->begun = place->left > 0;
        }
    }
}

static void prepare(int file)
{
    const int one = 1;
    EXPECT(fcntl(file, F_SETFL, O_NONBLOCK) == 0);
    EXPECT(setsockopt(file, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one) == 0);
}

static void finish(struct pair *pair, bool reset)
{
    const struct linger at_once = {.l_onoff = 1, .l_linger = 0};
    for (int side = 0; side < 2; side++) {
        if (reset) {
            (void)setsockopt(pair->ends[side], SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
        }
        (void)close(pair->ends[side]);
        pair->ends[side] = -1;
    }
}

static void take(int client)
{
    uint32_t index = 0;
    const int broker = socket(AF_INET, SOCK_STREAM, 0);
    EXPECT(broker >= 0);
    while (index < PAIRS_MAX && cutter.pairs[index].ends[0] >= 0) {
        index++;
    }
    EXPECT(index < PAIRS_MAX);
    struct pair *pair = &cutter.pairs[index];
    memset(pair, 0, sizeof *pair);
    prepare(client);
    prepare(broker);
    pair->ends[0] = client;
    pair->ends[1] = broker;
    pair->connecting = true;
    pair->cut_way = (int)below(2);
    const uint64_t range = cutter.bytes_max - cutter.bytes_min + 1;
    pair->cut_at =
        cutter.bytes_min + below(below(3) == 0 && range > NEAR_BYTES ? NEAR_BYTES : range);
    pair->reset = below(2) == 0;
    cutter.connections++;
    if (connect(broker, (const struct sockaddr *)(const void *)&cutter.target,
                sizeof cutter.target) != 0 &&
        errno != EINPROGRESS) {
        cutter.refused++;
        finish(pair, true);
    }
}

static void cut(struct pair *pair)
{
    const struct way *way = &pair->ways[pair->cut_way];
    cutter.cuts++;
    cutter.inside += way->place.begun;
    cutter.to_client += pair->cut_way == 1;
    cutter.resets += pair->reset;
    cutter.early += pair->cut_at < cutter.bytes_min + NEAR_BYTES;
    finish(pair, pair->reset);
}

/* Bytes from one end to the other. False: the pair is over. */
static bool move(struct pair *pair, int side, short ready)
{
    struct way *way = &pair->ways[side];
    if (way->from == way->to && (ready & (POLLIN | POLLHUP | POLLERR)) != 0) {
        const ssize_t got = recv(pair->ends[side], way->bytes, sizeof way->bytes, 0);
        if (got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR)) {
            finish(pair, got < 0);
            return false;
        }
        way->from = 0;
        way->to = got > 0 ? (uint32_t)got : 0;
    }
    while (way->from < way->to) {
        const bool strikes = pair->cut_way == side && cutter.cuts < cutter.cuts_max;
        uint64_t size = way->to - way->from;
        size = strikes && pair->cut_at - way->gone < size ? pair->cut_at - way->gone : size;
        const ssize_t gave =
            send(pair->ends[1 - side], way->bytes + way->from, (size_t)size, MSG_NOSIGNAL);
        if (gave < 0 && (errno == EAGAIN || errno == EINTR)) {
            return true;
        }
        if (gave < 0) {
            finish(pair, true);
            return false;
        }
        follow(&way->place, way->bytes + way->from, (uint32_t)gave);
        way->from += (uint32_t)gave;
        way->gone += (uint64_t)gave;
        if (strikes && way->gone == pair->cut_at) {
            cut(pair);
            return false;
        }
    }
    return true;
}

static void turn_pair(struct pair *pair, const short ready[2])
{
    int problem = 0;
    socklen_t size = sizeof problem;
    if (pair->connecting && ready[1] != 0) {
        if (getsockopt(pair->ends[1], SOL_SOCKET, SO_ERROR, &problem, &size) != 0 || problem != 0) {
            cutter.refused++;
            finish(pair, true);
            return;
        }
        pair->connecting = false;
    }
    if (!pair->connecting && move(pair, 0, ready[0])) {
        (void)move(pair, 1, ready[1]);
    }
}

static void turn(int listener)
{
    struct pollfd polls[2 * PAIRS_MAX + 1];
    for (int i = 0; i < PAIRS_MAX; i++) {
        const struct pair *pair = &cutter.pairs[i];
        for (int side = 0; side < 2; side++) {
            const bool reads = !pair->connecting && pair->ways[side].from == pair->ways[side].to;
            const bool writes = (pair->connecting && side == 1) ||
                                pair->ways[1 - side].from < pair->ways[1 - side].to;
            const short events = (short)((reads ? POLLIN : 0) | (writes ? POLLOUT : 0));
            const bool waits = pair->ends[side] < 0 || events == 0;
            polls[2 * i + side] =
                (struct pollfd){.fd = waits ? -1 : pair->ends[side], .events = events};
        }
    }
    polls[2 * PAIRS_MAX] = (struct pollfd){.fd = listener, .events = POLLIN};
    if (poll(polls, 2 * PAIRS_MAX + 1, 1000) <= 0) {
        return;
    }
    for (int i = 0; i < PAIRS_MAX; i++) {
        const short ready[2] = {polls[2 * i].revents, polls[2 * i + 1].revents};
        if (cutter.pairs[i].ends[0] >= 0 && (ready[0] | ready[1]) != 0) {
            turn_pair(&cutter.pairs[i], ready);
        }
    }
    if (polls[2 * PAIRS_MAX].revents != 0) {
        const int client = accept(listener, NULL, NULL);
        if (client >= 0) {
            take(client);
        }
    }
}

static struct sockaddr_in loopback(unsigned long port)
{
    struct sockaddr_in address;
    EXPECT(port <= UINT16_MAX);
    memset(&address, 0, sizeof address);
    address.sin_family = AF_INET;
    address.sin_port = htons((uint16_t)port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return address;
}

int main(int argc, char **argv)
{
    EXPECT(argc == 6);
    cutter.target = loopback(strtoul(argv[1], NULL, 10));
    cutter.random = strtoull(argv[2], NULL, 10);
    cutter.cuts_max = (uint32_t)strtoul(argv[3], NULL, 10);
    cutter.bytes_min = strtoull(argv[4], NULL, 10);
    cutter.bytes_max = strtoull(argv[5], NULL, 10);
    EXPECT(cutter.bytes_min > 0 && cutter.bytes_max >= cutter.bytes_min);
    for (int i = 0; i < PAIRS_MAX; i++) {
        cutter.pairs[i].ends[0] = cutter.pairs[i].ends[1] = -1;
    }
    EXPECT(signal(SIGTERM, end) != SIG_ERR);
    struct sockaddr_in own = loopback(0);
    socklen_t size = sizeof own;
    const int listener = socket(AF_INET, SOCK_STREAM, 0);
    EXPECT(listener >= 0);
    EXPECT(bind(listener, (const struct sockaddr *)(const void *)&own, sizeof own) == 0);
    EXPECT(listen(listener, BACKLOG) == 0);
    EXPECT(getsockname(listener, (struct sockaddr *)(void *)&own, &size) == 0);
    printf("port %u\n", ntohs(own.sin_port));
    EXPECT(fflush(stdout) == 0);
    while (!ended) {
        turn(listener);
    }
    printf("%u cuts of %u connections: %u inside a packet, %u to the client, %u by a reset, %u "
           "early; %u found no broker\n",
           cutter.cuts, cutter.connections, cutter.inside, cutter.to_client, cutter.resets,
           cutter.early, cutter.refused);
    return 0;
}
