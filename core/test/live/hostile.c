/* Peers that mean no good, many at once, against any server on loopback:
 *   live_hostile PORT COUNT SECONDS KIND[,KIND...] [ADDRESSES]
 *
 * It keeps COUNT sockets at it, of all kinds in turn, from ADDRESSES source addresses (127.1.0.1
 * and on; 1), first all at once, and opens another one for each that the server closes,
 * OPENS_PER_SECOND at the most, until SECONDS are over or SIGTERM comes. What it says depends on
 * the kind and on a counter alone.
 *
 *   silent   connects and says nothing            garbage  bytes that are neither TLS nor MQTT
 *   drip     a byte a second of a good beginning  huge     a good beginning, of the largest length
 *   half     a TLS handshake that is not ended    claim    CONNECT as device 3, and no answer
 *   deaf     CONNECT, SUBSCRIBE to what those like it publish, PUBLISH and PINGREQ without end, and
 *            it reads nothing
 *
 * Prints "at_once N connected N opened N closed N refused N": the most sockets that were open here,
 * and connected, at a time; how many were opened in all; closed by the server; not connected.
 * Exit codes: 0 so it went; 1 the call is wrong, or COUNT were never open; 77 this machine does not
 * grant so many descriptors (with CI=true: 1). */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "core/check.h"
#include "core/mqtt/client.h"
#include "core/mqtt/list.h"
#include "core/test/test.h"

_Noreturn void check_failed(const char *file, int line, const char *what)
{
    fprintf(stderr, "%s:%d: CHECK failed: %s\n", file, line, what);
    abort();
}

enum {
    COUNT_MAX = 30000,
    ADDRESSES_MAX = 60000,
    OPENS_PER_SECOND = 4000,
    TICK_MS = 50,
    EVENTS = 512,
    SCRIPT_BYTES = 1024,
    DEAF_TIMES = 8,
    EXIT_SKIPPED = 77,
};

enum kind { SILENT, DRIP, GARBAGE, HUGE_LENGTH, HALF, CLAIM, DEAF, KIND_COUNT };

static const char *const kind_names[KIND_COUNT] = {"silent", "drip",  "garbage", "huge",
                                                   "half",   "claim", "deaf"};

struct peer {
    int file; /* -1: to be opened */
    enum kind kind;
    bool up;
    uint32_t said_bytes;
    uint64_t say_at_ms; /* drip, deaf */
};

static struct {
    uint16_t port;
    uint32_t count, addresses, kind_count;
    uint64_t seconds;
    enum kind kinds[KIND_COUNT];
    struct peer *peers;
    int epoll;
    uint64_t opened, closed, refused;
    uint32_t open, up, open_max, up_max;
} attack;

static volatile sig_atomic_t ended;

static void end(int number)
{
    (void)number;
    ended = 1;
}

static uint64_t now_ms(void)
{
    struct timespec now;
    EXPECT(clock_gettime(CLOCK_MONOTONIC, &now) == 0);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* ---- What they say --------------------------------------------------------------------------- */

static struct words {
    uint32_t size_bytes;
    uint8_t bytes[SCRIPT_BYTES];
} claim_words, deaf_words, deaf_noise; /* noise: again and again */

static void add(struct words *words, const struct mqtt_packet *packet)
{
    uint32_t room = SCRIPT_BYTES - words->size_bytes;
    EXPECT(mqtt_encode(packet, words->bytes + words->size_bytes, &room) == ERR_OK);
    words->size_bytes += room;
}

static void write_words(void)
{
    uint8_t bytes[16];
    struct mqtt_packet packet;
    struct mqtt_list list = {bytes, sizeof bytes, 0};
    static const uint8_t payload[900];
    const struct mqtt_subscription all = {.filter = mqtt_text("deaf"), .qos = 0};
    mqtt_packet_init(&packet, MQTT_CONNECT);
    packet.clean_start = true;
    packet.keep_alive_s = 60;
    packet.client_id = mqtt_text("3");
    packet.properties.authentication_method = mqtt_text(MQTT_AUTHENTICATION_METHOD_NAME);
    packet.properties.present = MQTT_PROPERTY_BIT(MQTT_AUTHENTICATION_METHOD);
    add(&claim_words, &packet);
    packet.client_id = (struct mqtt_slice){0}; /* the server's choice: each a session of its own */
    packet.properties.present = 0;
    add(&deaf_words, &packet);
    EXPECT(mqtt_list_subscription(&list, &all) == ERR_OK);
    mqtt_packet_init(&packet, MQTT_SUBSCRIBE);
    packet.packet_id = 1;
    packet.payload = mqtt_list_slice(&list);
    add(&deaf_words, &packet);
    mqtt_packet_init(&packet, MQTT_PUBLISH);
    packet.topic = mqtt_text("deaf");
    packet.payload = (struct mqtt_slice){payload, sizeof payload};
    add(&deaf_noise, &packet);
    mqtt_packet_init(&packet, MQTT_PINGREQ);
    add(&deaf_noise, &packet);
}

/* A ClientHello's record and its beginning: 512 bytes are promised, some of them come. */
static const uint8_t half_text[] = "\x16\3\1\2\0\1\0\1\xfc\3\3"
                                   "0123456789abcdef0123456789abcdef\0";

static uint32_t script(enum kind kind, uint64_t number, uint8_t bytes[SCRIPT_BYTES])
{
    uint64_t state = number * UINT64_C(0x9E3779B97F4A7C15) + 1;
    for (uint32_t i = 0; i < SCRIPT_BYTES; i++) {
        state = state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
        bytes[i] = (uint8_t)(state >> 56);
    }
    switch (kind) {
    case SILENT:
        return 0;
    case GARBAGE:
        return 1 + (uint32_t)(state % (SCRIPT_BYTES - 1));
    case HUGE_LENGTH: /* CONNECT of 268,435,455 bytes; a TLS record of 65,535 */
        if (number % 2 == 0) {
            memcpy(bytes, "\x10\xff\xff\xff\x7f\0\4MQTT\5", 12);
        } else {
            memcpy(bytes, "\x16\3\1\xff\xff\1\xff\xff\xff", 9);
        }
        return SCRIPT_BYTES;
    case DRIP:
        if (number % 2 == 0) {
            memcpy(bytes, claim_words.bytes, claim_words.size_bytes);
        } else {
            memcpy(bytes, half_text, sizeof half_text - 1);
        }
        return sizeof half_text - 1;
    case HALF:
        memcpy(bytes, half_text, sizeof half_text - 1);
        return sizeof half_text - 1;
    case CLAIM:
        memcpy(bytes, claim_words.bytes, claim_words.size_bytes);
        return claim_words.size_bytes;
    case DEAF:
        memcpy(bytes, deaf_words.bytes, deaf_words.size_bytes);
        return deaf_words.size_bytes;
    case KIND_COUNT:
        break;
    }
    return 0;
}

/* ---- One of them ----------------------------------------------------------------------------- */

static void give_up(struct peer *peer, bool refused)
{
    (void)close(peer->file);
    peer->file = -1;
    attack.open--;
    attack.up -= peer->up;
    attack.refused += refused;
    attack.closed += !refused;
}

static void open_one(struct peer *peer, uint32_t number)
{
    struct sockaddr_in from = {.sin_family = AF_INET}, to = {.sin_family = AF_INET};
    const int one = 1;
    from.sin_addr.s_addr = htonl((INADDR_LOOPBACK & 0xFF000000u) + 0x10001u +
                                 number % attack.addresses); /* 127.1.0.1 and on */
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    to.sin_port = htons(attack.port);
    const int file = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    EXPECT(file >= 0);
    EXPECT(setsockopt(file, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof one) == 0);
    EXPECT(bind(file, (const struct sockaddr *)&from, sizeof from) == 0);
    *peer = (struct peer){
        .file = file, .kind = attack.kinds[number % attack.kind_count], .said_bytes = 0};
    attack.opened++;
    attack.open++;
    attack.open_max = attack.open > attack.open_max ? attack.open : attack.open_max;
    struct epoll_event wanted = {.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET};
    wanted.data.u32 = number;
    EXPECT(epoll_ctl(attack.epoll, EPOLL_CTL_ADD, file, &wanted) == 0);
    if (connect(file, (const struct sockaddr *)&to, sizeof to) != 0 && errno != EINPROGRESS) {
        give_up(peer, true);
    }
}

/* As much of what it has to say as is due. False: the server has closed it. */
static bool talk(struct peer *peer, uint32_t number, uint64_t now)
{
    uint8_t bytes[SCRIPT_BYTES];
    uint32_t size_bytes = script(peer->kind, number, bytes);
    if (peer->kind == DRIP && peer->said_bytes < size_bytes) {
        if (now < peer->say_at_ms) {
            return true;
        }
        peer->say_at_ms = now + 1000;
        size_bytes = peer->said_bytes + 1;
    }
    while (peer->said_bytes < size_bytes) {
        const ssize_t done =
            send(peer->file, bytes + peer->said_bytes, size_bytes - peer->said_bytes, MSG_NOSIGNAL);
        if (done < 0) {
            return errno == EAGAIN || errno == EINTR;
        }
        peer->said_bytes += (uint32_t)done;
    }
    if (peer->kind == DEAF && now >= peer->say_at_ms) {
        peer->say_at_ms = now + TICK_MS;
        for (uint32_t i = 0; i < DEAF_TIMES; i++) {
            const ssize_t done =
                send(peer->file, deaf_noise.bytes, deaf_noise.size_bytes, MSG_NOSIGNAL);
            if (done != (ssize_t)deaf_noise.size_bytes) { /* a part of it would be garbage */
                return false;
            }
        }
    }
    return true;
}

/* What the server says is of no interest, but that it ends. */
static bool hear(const struct peer *peer)
{
    uint8_t bytes[4096];
    ssize_t got = 0;
    while (peer->kind != DEAF && (got = recv(peer->file, bytes, sizeof bytes, 0)) > 0) {
    }
    return peer->kind == DEAF || (got < 0 && (errno == EAGAIN || errno == EINTR));
}

static void look(const struct epoll_event *event, uint64_t now)
{
    const uint32_t number = event->data.u32;
    struct peer *peer = &attack.peers[number];
    int problem = 0;
    socklen_t size = sizeof problem;
    if (peer->file < 0) {
        return;
    }
    if ((event->events & EPOLLOUT) != 0 && !peer->up &&
        getsockopt(peer->file, SOL_SOCKET, SO_ERROR, &problem, &size) == 0 && problem == 0) {
        peer->up = true;
        attack.up++;
        attack.up_max = attack.up > attack.up_max ? attack.up : attack.up_max;
    }
    const bool over = (event->events & (EPOLLHUP | EPOLLERR | EPOLLRDHUP)) != 0;
    if (over || (peer->up && (!talk(peer, number, now) || !hear(peer)))) {
        give_up(peer, !peer->up);
    }
}

/* ---- All of them ----------------------------------------------------------------------------- */

/* The first time they come all at once. */
static void tick(uint64_t now)
{
    uint32_t opens = attack.opened == 0 ? attack.count : OPENS_PER_SECOND * TICK_MS / 1000;
    for (uint32_t number = 0; number < attack.count; number++) {
        struct peer *peer = &attack.peers[number];
        if (peer->file < 0) {
            if (opens > 0) {
                opens--;
                open_one(peer, number);
            }
        } else if (peer->up && (peer->kind == DRIP || peer->kind == DEAF) &&
                   !talk(peer, number, now)) {
            give_up(peer, false);
        }
    }
}

static void run(void)
{
    static struct epoll_event events[EVENTS];
    const uint64_t end_ms = now_ms() + attack.seconds * 1000;
    uint64_t tick_ms = 0;
    while (!ended && now_ms() < end_ms) {
        const uint64_t now = now_ms();
        if (now >= tick_ms) {
            tick_ms = now + TICK_MS;
            tick(now);
        }
        const int count = epoll_wait(attack.epoll, events, EVENTS, TICK_MS);
        EXPECT(count >= 0 || errno == EINTR);
        for (int i = 0; i < count; i++) {
            look(&events[i], now);
        }
    }
}

static bool parse_kinds(char *text)
{
    for (char *word = strtok(text, ","); word != NULL; word = strtok(NULL, ",")) {
        enum kind kind = SILENT;
        while (kind < KIND_COUNT && strcmp(kind_names[kind], word) != 0) {
            kind++;
        }
        if (kind == KIND_COUNT || attack.kind_count == KIND_COUNT) {
            return false;
        }
        attack.kinds[attack.kind_count++] = kind;
    }
    return attack.kind_count > 0;
}

static bool parse(int argc, char **argv)
{
    if (argc != 5 && argc != 6) {
        return false;
    }
    attack.port = (uint16_t)strtoul(argv[1], NULL, 10);
    attack.count = (uint32_t)strtoul(argv[2], NULL, 10);
    attack.seconds = strtoul(argv[3], NULL, 10);
    attack.addresses = argc == 6 ? (uint32_t)strtoul(argv[5], NULL, 10) : 1;
    return attack.port != 0 && attack.count >= 1 && attack.count <= COUNT_MAX &&
           attack.seconds >= 1 && attack.addresses >= 1 && attack.addresses <= ADDRESSES_MAX &&
           parse_kinds(argv[4]);
}

/* 0: there are enough descriptors. */
static int descriptors(void)
{
    enum { BESIDE = 16 };
    struct rlimit limit;
    EXPECT(getrlimit(RLIMIT_NOFILE, &limit) == 0);
    if (limit.rlim_max < attack.count + BESIDE) {
        printf("%u sockets need %u descriptors, and this machine grants %llu (ulimit -Hn)\n",
               (unsigned)attack.count, (unsigned)(attack.count + BESIDE),
               (unsigned long long)limit.rlim_max);
        const char *ci = getenv("CI"); /* there nothing is left out */
        return ci != NULL && strcmp(ci, "true") == 0 ? 1 : EXIT_SKIPPED;
    }
    limit.rlim_cur = limit.rlim_max;
    EXPECT(setrlimit(RLIMIT_NOFILE, &limit) == 0);
    return 0;
}

int main(int argc, char **argv)
{
    const struct sigaction action = {.sa_handler = end};
    if (!parse(argc, argv)) {
        fprintf(stderr, "live_hostile PORT COUNT SECONDS KIND[,KIND...] [ADDRESSES]\n");
        return 1;
    }
    const int short_of = descriptors();
    if (short_of != 0) {
        return short_of;
    }
    write_words();
    EXPECT(sigaction(SIGTERM, &action, NULL) == 0);
    attack.epoll = epoll_create1(EPOLL_CLOEXEC);
    attack.peers = calloc(attack.count, sizeof *attack.peers);
    EXPECT(attack.epoll >= 0 && attack.peers != NULL);
    for (uint32_t i = 0; i < attack.count; i++) {
        attack.peers[i].file = -1;
    }
    run();
    printf("at_once %u connected %u opened %llu closed %llu refused %llu\n", attack.open_max,
           attack.up_max, (unsigned long long)attack.opened, (unsigned long long)attack.closed,
           (unsigned long long)attack.refused);
    free(attack.peers);
    return attack.open_max == attack.count ? 0 : 1;
}
