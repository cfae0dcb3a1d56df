#include "bench/load.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "core/check.h"
#include "core/mqtt/list.h"
#include "core/mqtt/stream.h"

enum { EVENTS = 256, READ_BYTES = 16384, OUT_BYTES = 32768, PAYLOAD_MAX = 512, GIVE_UP_S = 60 };

enum stage { CONNECTING, SUBSCRIBING, READY };

struct client {
    int socket;
    enum stage stage;
    uint16_t packet_id;
    uint32_t sent;      /* PUBLISHes */
    uint32_t unacked;   /* of them, with QoS > 0 */
    uint32_t unarrived; /* of them */
    struct mqtt_framer framer;
    uint32_t out_bytes;
    uint8_t *out; /* [OUT_BYTES] */
    bool listed;  /* it has something to send, or to publish */
};

struct run {
    const struct load *load;
    struct client *clients;
    int epoll;
    uint32_t ready;     /* clients that are subscribed */
    uint32_t published; /* in all */
    uint32_t *listed;   /* [clients] */
    uint32_t listed_count;
    uint64_t arrived, acked, released;
    bool begun; /* to publish */
    bool failed;
};

static double clock_s(clockid_t clock)
{
    struct timespec now = {0, 0};
    (void)clock_gettime(clock, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

static double cpu_s(pid_t process)
{
    clockid_t clock;
    return clock_getcpuclockid(process, &clock) == 0 ? clock_s(clock) : 0;
}

uint64_t load_rss_bytes(pid_t process)
{
    char path[64], line[256];
    unsigned long kilobytes = 0;
    snprintf(path, sizeof path, "/proc/%ld/status", (long)process);
    FILE *file = fopen(path, "re");
    while (file != NULL && fgets(line, sizeof line, file) != NULL &&
           sscanf(line, "VmRSS: %lu kB", &kilobytes) != 1) {
    }
    if (file != NULL) {
        (void)fclose(file);
    }
    return (uint64_t)kilobytes * 1024;
}

static void fail(struct run *run, const char *what, unsigned number)
{
    if (!run->failed) {
        fprintf(stderr, "bench: %s (%u), port %u\n", what, number, run->load->port);
    }
    run->failed = true;
}

static void list(struct run *run, uint32_t number)
{
    if (!run->clients[number].listed) {
        run->clients[number].listed = true;
        run->listed[run->listed_count++] = number;
    }
}

static void say(struct run *run, struct client *client, const struct mqtt_packet *packet)
{
    uint32_t size_bytes = OUT_BYTES - client->out_bytes;
    if (mqtt_encode(packet, client->out + client->out_bytes, &size_bytes) != ERR_OK) {
        fail(run, "the load has no room for its own words", packet->type);
        return;
    }
    client->out_bytes += size_bytes;
}

static void answer(struct run *run, struct client *client, enum mqtt_type type, uint16_t packet_id)
{
    struct mqtt_packet packet;
    mqtt_packet_init(&packet, type);
    packet.packet_id = packet_id;
    say(run, client, &packet);
}

/* What is to leave goes, and the rest when there is room. */
static void flush(struct run *run, struct client *client)
{
    if (client->out_bytes == 0) {
        return;
    }
    const ssize_t done = send(client->socket, client->out, client->out_bytes, MSG_NOSIGNAL);
    if (done < 0 && errno != EAGAIN) {
        fail(run, strerror(errno), 0);
        return;
    }
    const uint32_t sent = done < 0 ? 0 : (uint32_t)done;
    struct epoll_event event = {.events = EPOLLIN, .data.u32 = (uint32_t)(client - run->clients)};
    if (sent < client->out_bytes) {
        event.events |= EPOLLOUT;
        memmove(client->out, client->out + sent, client->out_bytes - sent);
        (void)epoll_ctl(run->epoll, EPOLL_CTL_MOD, client->socket, &event);
    }
    client->out_bytes -= sent;
}

static void topic_of(char text[32], uint32_t number)
{
    snprintf(text, 32, "bench/%u", (unsigned)number);
}

static void publish(struct run *run, uint32_t number)
{
    static const uint8_t payload[PAYLOAD_MAX];
    const struct load *load = run->load;
    struct client *client = &run->clients[number];
    char topic[32];
    topic_of(topic, (number + 1) % load->clients);
    while (run->published < load->messages && client->unarrived < load->window &&
           client->unacked < load->window) {
        struct mqtt_packet packet;
        mqtt_packet_init(&packet, MQTT_PUBLISH);
        packet.topic = mqtt_text(topic);
        packet.payload = (struct mqtt_slice){payload, load->payload_bytes};
        packet.qos = load->qos;
        if (load->qos > 0) {
            client->packet_id = client->packet_id == UINT16_MAX ? 1 : client->packet_id + 1;
            packet.packet_id = client->packet_id;
            client->unacked++;
        }
        client->unarrived++;
        client->sent++;
        run->published++;
        say(run, client, &packet);
    }
}

/* Once for all that came in a turn. */
static void send_listed(struct run *run)
{
    while (run->listed_count > 0) {
        const uint32_t number = run->listed[--run->listed_count];
        struct client *client = &run->clients[number];
        client->listed = false;
        if (client->stage == READY && run->ready == run->load->clients && run->begun) {
            publish(run, number);
        }
        flush(run, client);
    }
}

static void subscribe(struct run *run, uint32_t number)
{
    uint8_t bytes[64];
    char topic[32];
    struct mqtt_packet packet;
    struct mqtt_list list = {bytes, sizeof bytes, 0};
    topic_of(topic, number);
    const struct mqtt_subscription one = {.filter = mqtt_text(topic), .qos = run->load->qos};
    CHECK(mqtt_list_subscription(&list, &one) == ERR_OK);
    mqtt_packet_init(&packet, MQTT_SUBSCRIBE);
    packet.packet_id = ++run->clients[number].packet_id;
    packet.payload = mqtt_list_slice(&list);
    run->clients[number].stage = SUBSCRIBING;
    say(run, &run->clients[number], &packet);
}

/* A message of the client in front of this one is here. */
static void arrived(struct run *run, uint32_t number, const struct mqtt_packet *packet)
{
    const uint32_t from = (number + run->load->clients - 1) % run->load->clients;
    if (packet->qos != run->load->qos || run->clients[from].unarrived == 0) {
        fail(run, "a message came that nobody sent, or with another QoS", packet->qos);
        return;
    }
    run->arrived++;
    run->clients[from].unarrived--;
    if (packet->qos > 0) {
        answer(run, &run->clients[number], packet->qos == 1 ? MQTT_PUBACK : MQTT_PUBREC,
               packet->packet_id);
    }
    list(run, from);
}

static void take(struct run *run, uint32_t number, const struct mqtt_packet *packet)
{
    struct client *client = &run->clients[number];
    if (packet->reason >= MQTT_UNSPECIFIED_ERROR) {
        fail(run, "the broker refuses", packet->reason);
        return;
    }
    switch ((int)packet->type) {
    case MQTT_CONNACK:
        subscribe(run, number);
        break;
    case MQTT_SUBACK:
        client->stage = READY;
        run->ready++;
        break;
    case MQTT_PUBLISH:
        arrived(run, number, packet);
        break;
    case MQTT_PUBREC:
        answer(run, client, MQTT_PUBREL, packet->packet_id);
        break;
    case MQTT_PUBREL:
        run->released++;
        answer(run, client, MQTT_PUBCOMP, packet->packet_id);
        break;
    case MQTT_PUBACK:
    case MQTT_PUBCOMP:
        run->acked++;
        client->unacked--;
        break;
    default:
        fail(run, "an unexpected packet came", packet->type);
        break;
    }
}

static void receive(struct run *run, uint32_t number)
{
    static uint8_t bytes[READ_BYTES];
    struct client *client = &run->clients[number];
    const ssize_t got = recv(client->socket, bytes, sizeof bytes, 0);
    if (got <= 0) {
        if (got == 0 || errno != EAGAIN) {
            fail(run, got == 0 ? "the broker closed a connection" : strerror(errno), number);
        }
        return;
    }
    struct mqtt_input input = {bytes, (uint32_t)got};
    for (;;) {
        struct mqtt_packet packet;
        uint8_t reason = 0;
        const enum err err = mqtt_framer_next(&client->framer, &input, &packet, &reason);
        if (err == ERR_NOT_FOUND || run->failed) {
            break;
        }
        if (err != ERR_OK) {
            fail(run, "what came is no packet", reason);
            break;
        }
        take(run, number, &packet);
    }
    list(run, number);
}

/* What happens within some milliseconds. */
static void turn(struct run *run)
{
    struct epoll_event events[EVENTS];
    const int count = epoll_wait(run->epoll, events, EVENTS, 100);
    for (int i = 0; i < count && !run->failed; i++) {
        const uint32_t number = events[i].data.u32;
        struct client *client = &run->clients[number];
        if ((events[i].events & EPOLLOUT) != 0) {
            struct epoll_event event = {.events = EPOLLIN, .data.u32 = number};
            (void)epoll_ctl(run->epoll, EPOLL_CTL_MOD, client->socket, &event);
            flush(run, client);
        }
        receive(run, number);
    }
    send_listed(run);
}

/* Loopback: it connects at once, or the server is not there. */
static bool open_one(struct run *run, uint32_t number)
{
    const int one = 1;
    struct client *client = &run->clients[number];
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons(run->load->port),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    client->socket = socket(AF_INET, SOCK_STREAM, 0);
    client->out = malloc(OUT_BYTES);
    if (client->socket < 0 || client->out == NULL ||
        connect(client->socket, (const struct sockaddr *)&address, sizeof address) != 0 ||
        fcntl(client->socket, F_SETFL, O_NONBLOCK) != 0 ||
        setsockopt(client->socket, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one) != 0) {
        fail(run, strerror(errno), number);
        return false;
    }
    struct epoll_event event = {.events = EPOLLIN, .data.u32 = number};
    char name[32];
    struct mqtt_packet packet;
    mqtt_packet_init(&packet, MQTT_CONNECT);
    snprintf(name, sizeof name, "load%u", (unsigned)number);
    packet.client_id = mqtt_text(name);
    packet.clean_start = true;
    packet.keep_alive_s = 600;
    packet.properties.receive_maximum = 20;
    packet.properties.session_expiry_s = run->load->durable ? 3600 : 0;
    packet.properties.present =
        MQTT_PROPERTY_BIT(MQTT_RECEIVE_MAXIMUM) | MQTT_PROPERTY_BIT(MQTT_SESSION_EXPIRY_INTERVAL);
    say(run, client, &packet);
    flush(run, client);
    return epoll_ctl(run->epoll, EPOLL_CTL_ADD, client->socket, &event) == 0;
}

/* The session ends with its connection, also a durable one. */
static void close_all(struct run *run)
{
    for (uint32_t number = 0; number < run->load->clients; number++) {
        struct client *client = &run->clients[number];
        struct mqtt_packet packet;
        mqtt_packet_init(&packet, MQTT_DISCONNECT);
        packet.properties.present = MQTT_PROPERTY_BIT(MQTT_SESSION_EXPIRY_INTERVAL);
        if (client->socket > 0 && client->out != NULL && !run->failed) {
            say(run, client, &packet);
            flush(run, client);
        }
        if (client->socket > 0) {
            (void)close(client->socket);
        }
        free(client->out);
    }
}

static bool is_done(const struct run *run)
{
    const struct load *load = run->load;
    return run->arrived == load->messages && (load->qos == 0 || run->acked == load->messages) &&
           (load->qos < 2 || run->released == load->messages);
}

bool load_run(const struct load *load, struct load_result *result)
{
    const double give_up_s = clock_s(CLOCK_MONOTONIC) + GIVE_UP_S;
    struct rlimit files;
    struct run run = {.load = load, .epoll = epoll_create1(EPOLL_CLOEXEC)};
    run.clients = calloc(load->clients, sizeof run.clients[0]);
    run.listed = calloc(load->clients, sizeof run.listed[0]);
    CHECK(run.clients != NULL && run.listed != NULL && run.epoll >= 0 &&
          load->payload_bytes <= PAYLOAD_MAX);
    if (getrlimit(RLIMIT_NOFILE, &files) == 0 && files.rlim_cur < load->clients + 64u) {
        files.rlim_cur = files.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &files);
    }
    for (uint32_t number = 0; number < load->clients && !run.failed; number++) {
        if (open_one(&run, number) && number % 64 == 63) {
            turn(&run); /* the server's backlog is not endless */
        }
    }
    while (run.ready < load->clients && !run.failed) {
        turn(&run);
        if (clock_s(CLOCK_MONOTONIC) > give_up_s) {
            fail(&run, "not all clients got in", run.ready);
        }
    }
    const double start_s = clock_s(CLOCK_MONOTONIC), start_cpu_s = cpu_s(load->server);
    run.begun = true;
    for (uint32_t number = 0; number < load->clients && !run.failed; number++) {
        list(&run, number);
    }
    send_listed(&run);
    while (!is_done(&run) && !run.failed) {
        turn(&run);
        if (clock_s(CLOCK_MONOTONIC) > give_up_s) {
            fail(&run, "not all messages arrived", (unsigned)run.arrived);
        }
    }
    result->seconds = clock_s(CLOCK_MONOTONIC) - start_s;
    result->server_cpu_s = cpu_s(load->server) - start_cpu_s;
    result->rss_bytes = load_rss_bytes(load->server);
    close_all(&run);
    free(run.clients);
    free(run.listed);
    (void)close(run.epoll);
    return !run.failed;
}
