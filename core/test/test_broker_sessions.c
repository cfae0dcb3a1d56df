/* Goal: through the broker, too, a message of QoS 2 reaches each subscriber once and one of QoS 1
 * at least once, in order, whatever connections and the broker's process do. Method: general
 * clients publish to each other over links that take a few bytes at a time and are cut anywhere;
 * the broker is dropped between any two steps and comes back with its database. Fixed seeds; the
 * judge sees only what the clients' roles see. */
#include <string.h>
#include <unistd.h>

#include "core/check.h"
#include "core/evidence.h"
#include "core/mqtt/general_client.h"
#include "core/mqtt/list.h"
#include "core/server/broker.h"
#include "core/test/fake_disk.h"
#include "core/test/test.h"

_Noreturn void check_failed(const char *file, int line, const char *what)
{
    fprintf(stderr, "%s:%d: CHECK failed: %s\n", file, line, what);
    abort();
}

enum { CLIENTS = 3, MESSAGES = 30, PIPE_BYTES = 700, PENDING_MAX = 64 };

struct pipe {
    uint32_t size_bytes;
    bool blocked; /* its sender was told "later" */
    uint8_t bytes[PIPE_BYTES];
};

struct guest {
    struct mqtt_general_options options;
    struct mqtt_general_client client;
    struct port port;
    uint32_t number;
    bool linked;  /* the link is up at both ends */
    bool opening; /* the client waits for LINK_UP */
    uint32_t client_link, broker_link;
    struct pipe up, down;
    bool subscribed;
    uint32_t published, done;
    uint32_t pending_count; /* messages with the role, not answered yet */
    struct {
        uint16_t packet_id;
        uint8_t qos;
    } pending[PENDING_MAX];
    uint32_t told[CLIENTS][MESSAGES];
    uint32_t newest[CLIENTS][3]; /* of each publisher and QoS: the highest told, plus 1 */
    char name[4];
};

static struct {
    uint64_t random, now_us;
    uint32_t link_next;
    char folder[64], path[96];
    struct fake_disk disk;
    struct port port;
    struct broker_config config;
    struct broker *broker;
    struct guest guests[CLIENTS];
    uint32_t cuts, restarts, resends, again;
    bool grouping;    /* events wait for others, and are settled with them */
    uint32_t grouped; /* events that found some waiting */
} world;

static uint32_t below(uint32_t bound) /* splitmix64 */
{
    world.random += UINT64_C(0x9E3779B97F4A7C15);
    uint64_t z = world.random;
    z = (z ^ (z >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94D049BB133111EB);
    return (uint32_t)((z ^ (z >> 31)) % bound);
}

static int32_t pipe_take(struct pipe *pipe, const uint8_t *bytes, uint32_t size_bytes)
{
    const uint32_t room = PIPE_BYTES - pipe->size_bytes;
    const uint32_t taken = size_bytes < room ? size_bytes : room;
    memcpy(pipe->bytes + pipe->size_bytes, bytes, taken);
    pipe->size_bytes += taken;
    pipe->blocked = taken == 0;
    return (int32_t)taken;
}

static enum err client_link_open(void *ctx, uint32_t peer, uint32_t *link)
{
    struct guest *guest = ctx;
    (void)peer;
    *link = guest->client_link = ++world.link_next;
    guest->opening = true;
    return ERR_OK;
}

static int32_t client_link_send(void *ctx, uint32_t link, const uint8_t *bytes, uint32_t size_bytes)
{
    struct guest *guest = ctx;
    EXPECT_EQUAL(link, guest->client_link);
    return guest->linked ? pipe_take(&guest->up, bytes, size_bytes) : ERR_CLOSED;
}

static void client_link_close(void *ctx, uint32_t link)
{
    (void)ctx;
    (void)link;
    EXPECT(false); /* nobody here breaks the protocol or is silent for long */
}

static struct guest *guest_of(uint32_t broker_link)
{
    for (uint32_t index = 0; index < CLIENTS; index++) {
        if (world.guests[index].linked && world.guests[index].broker_link == broker_link) {
            return &world.guests[index];
        }
    }
    return NULL;
}

static int32_t broker_link_send(void *ctx, uint32_t link, const uint8_t *bytes, uint32_t size_bytes)
{
    struct guest *guest = guest_of(link);
    (void)ctx;
    EXPECT_EQUAL(world.disk.unsynced, 0); /* nothing leaves before its commit */
    return guest == NULL ? ERR_CLOSED : pipe_take(&guest->down, bytes, size_bytes);
}

static void broker_link_close(void *ctx, uint32_t link)
{
    (void)ctx;
    EXPECT(guest_of(link) == NULL); /* only a link that was cut: taken over */
}

static enum err clock_read(void *ctx, struct clock_reading *now)
{
    (void)ctx;
    *now = (struct clock_reading){.monotonic_us = world.now_us};
    return ERR_OK;
}

static void unwanted_reset(void *ctx)
{
    (void)ctx;
    EXPECT(false);
}

static void unwanted_evidence(void *ctx, const struct evidence *evidence)
{
    (void)ctx;
    (void)evidence;
    EXPECT(false);
}

static void broker_event(enum event_kind kind, uint32_t link, const uint8_t *bytes,
                         uint32_t size_bytes)
{
    const bool more = world.grouping && below(3) > 0;
    const struct event event = {.kind = kind,
                                .inbound = true,
                                .more = more,
                                .link = link,
                                .bytes = bytes,
                                .size_bytes = size_bytes};
    world.grouped += broker_deadline_us(world.broker) == 0;
    broker_step(world.broker, &world.port, &event);
}

static struct mqtt_packet message(const struct guest *guest, uint32_t number, char topic[8],
                                  char payload[8])
{
    struct mqtt_packet packet;
    mqtt_packet_init(&packet, MQTT_PUBLISH);
    snprintf(topic, 8, "t/%u", (unsigned)guest->number);
    snprintf(payload, 8, "%u", (unsigned)number);
    packet.topic = mqtt_text(topic);
    packet.payload = mqtt_text(payload);
    packet.qos = (uint8_t)(1 + number % 2);
    return packet;
}

static uint32_t number_in(struct mqtt_slice text, uint32_t from)
{
    uint32_t number = 0;
    for (uint32_t index = from; index < text.size_bytes; index++) {
        number = number * 10 + text.bytes[index] - (uint32_t)'0';
    }
    return number;
}

static void told(struct guest *guest, const struct mqtt_packet *packet)
{
    const uint32_t publisher = number_in(packet->topic, 2);
    const uint32_t number = number_in(packet->payload, 0);
    EXPECT(publisher < CLIENTS && number < MESSAGES);
    EXPECT_EQUAL(packet->qos, 1 + number % 2);
    guest->told[publisher][number]++;
    EXPECT(packet->qos == 1 || guest->told[publisher][number] == 1); /* exactly once */
    world.again += guest->told[publisher][number] > 1;
    if (guest->told[publisher][number] == 1) { /* [MQTT-4.6.0-5] */
        EXPECT(number >= guest->newest[publisher][packet->qos]);
        guest->newest[publisher][packet->qos] = number + 1;
    }
    EXPECT(guest->pending_count < PENDING_MAX);
    guest->pending[guest->pending_count].packet_id = packet->packet_id;
    guest->pending[guest->pending_count++].qos = packet->qos;
}

static void subscribe(struct guest *guest)
{
    uint8_t bytes[16];
    uint16_t packet_id = 0;
    struct mqtt_list list = {bytes, sizeof bytes, 0};
    const struct mqtt_subscription all = {.filter = mqtt_text("t/+"), .qos = 2};
    EXPECT_EQUAL(mqtt_list_subscription(&list, &all), ERR_OK);
    EXPECT_EQUAL(mqtt_general_subscribe(&guest->client, &guest->port, world.now_us,
                                        mqtt_list_slice(&list), 0, &packet_id),
                 ERR_OK);
}

static void happened(struct guest *guest, const struct mqtt_general_happening *happening)
{
    char topic[8], payload[8];
    switch (happening->kind) {
    case MQTT_GENERAL_READY:
        EXPECT(happening->packet.session_present || !guest->subscribed);
        if (!guest->subscribed) {
            subscribe(guest);
        }
        break;
    case MQTT_GENERAL_SUBACK:
        EXPECT_EQUAL(happening->packet.payload.bytes[0], 2);
        guest->subscribed = true;
        break;
    case MQTT_GENERAL_PUBLISH:
        told(guest, &happening->packet);
        break;
    case MQTT_GENERAL_SENT:
        if (happening->sent.kind == MQTT_SENT_DONE) {
            EXPECT(happening->sent.reason < MQTT_UNSPECIFIED_ERROR || /* PUBREL again */
                   happening->sent.reason == MQTT_PACKET_IDENTIFIER_NOT_FOUND);
            guest->done++;
        }
        break;
    case MQTT_GENERAL_RESEND: {
        const struct mqtt_packet again =
            message(guest, (uint32_t)happening->tag - 1, topic, payload);
        EXPECT_EQUAL(mqtt_general_resend(&guest->client, &guest->port, world.now_us, &again),
                     ERR_OK);
        world.resends++;
        break;
    }
    case MQTT_GENERAL_DOWN:
        EXPECT(!happening->refused);
        EXPECT_EQUAL(happening->reason, 0);
        break;
    case MQTT_GENERAL_NOTHING:
    case MQTT_GENERAL_AUTHENTICATE:
        EXPECT(false);
        break;
    }
}

static void guest_event(struct guest *guest, enum event_kind kind, const uint8_t *bytes,
                        uint32_t size_bytes)
{
    const struct event event = {.kind = kind, .link = guest->client_link};
    struct mqtt_input input = {bytes, size_bytes};
    struct mqtt_general_happening happening;
    do {
        mqtt_general_take(&guest->client, &guest->port, world.now_us, &event, &input, &happening);
        if (happening.kind != MQTT_GENERAL_NOTHING) {
            happened(guest, &happening);
        }
    } while (happening.kind != MQTT_GENERAL_NOTHING);
}

static void cut(struct guest *guest, bool broker_hears)
{
    if (!guest->linked) {
        return;
    }
    world.cuts++;
    guest->linked = false;
    guest->up.size_bytes = guest->down.size_bytes = 0; /* what was under way is lost */
    guest->up.blocked = guest->down.blocked = false;
    for (uint32_t left = guest->pending_count; left > 0; left--) { /* QoS 1 will come again */
        if (guest->pending[left - 1].qos == 1) {
            guest->pending[left - 1] = guest->pending[--guest->pending_count];
        }
    }
    guest_event(guest, EVENT_LINK_DOWN, NULL, 0);
    if (broker_hears) {
        broker_event(EVENT_LINK_DOWN, guest->broker_link, NULL, 0);
    }
}

static void broker_boot(void)
{
    world.broker = malloc((size_t)broker_size_bytes(&world.config));
    EXPECT(world.broker != NULL);
    broker_init(world.broker, &world.config, &world.port);
}

static void broker_restart(void)
{
    world.restarts++;
    broker_drop(world.broker);
    free(world.broker);
    for (uint32_t index = 0; index < CLIENTS; index++) {
        cut(&world.guests[index], false);
    }
    broker_boot();
}

/* Some of what is in the pipe, or all of it. */
static void move(struct guest *guest, bool up)
{
    struct pipe *pipe = up ? &guest->up : &guest->down;
    uint8_t bytes[PIPE_BYTES];
    if (!guest->linked || pipe->size_bytes == 0) {
        return;
    }
    const uint32_t count = below(4) == 0 ? 1 + below(pipe->size_bytes) : pipe->size_bytes;
    memcpy(bytes, pipe->bytes, count);
    pipe->size_bytes -= count;
    memmove(pipe->bytes, pipe->bytes + count, pipe->size_bytes);
    if (up) {
        broker_event(EVENT_LINK_DATA, guest->broker_link, bytes, count);
    } else {
        guest_event(guest, EVENT_LINK_DATA, bytes, count);
    }
    if (guest->linked && pipe->blocked) {
        pipe->blocked = false;
        if (up) {
            guest_event(guest, EVENT_LINK_WRITABLE, NULL, 0);
        } else {
            broker_event(EVENT_LINK_WRITABLE, guest->broker_link, NULL, 0);
        }
    }
}

static void act(struct guest *guest)
{
    char topic[8], payload[8];
    if (guest->client.state == MQTT_GENERAL_CLOSED) {
        EXPECT_EQUAL(mqtt_general_open(&guest->client, &guest->port, 1, world.now_us), ERR_OK);
    } else if (guest->opening) {
        guest->opening = false;
        guest->linked = true;
        guest->broker_link = ++world.link_next;
        broker_event(EVENT_LINK_UP, guest->broker_link, NULL, 0);
        guest_event(guest, EVENT_LINK_UP, NULL, 0);
    } else if (below(2) == 0 && guest->pending_count > 0) {
        const uint32_t index = below(guest->pending_count);
        mqtt_general_answer(&guest->client, &guest->port, world.now_us,
                            guest->pending[index].packet_id, guest->pending[index].qos, 0);
        guest->pending[index] = guest->pending[--guest->pending_count];
    } else if (guest->published < MESSAGES) {
        bool all = true; /* messages begin when everybody would get them */
        for (uint32_t index = 0; index < CLIENTS; index++) {
            all = all && world.guests[index].subscribed;
        }
        const struct mqtt_packet packet = message(guest, guest->published, topic, payload);
        if (all && mqtt_general_publish(&guest->client, &guest->port, world.now_us, &packet,
                                        guest->published + 1) == ERR_OK) {
            guest->published++;
        }
    }
}

static bool all_seen_through(void)
{
    for (uint32_t index = 0; index < CLIENTS; index++) {
        const struct guest *guest = &world.guests[index];
        if (guest->published < MESSAGES || guest->client.sender.count > 0 ||
            guest->client.receiver.count > 0) {
            return false;
        }
        for (uint32_t publisher = 0; publisher < CLIENTS; publisher++) {
            for (uint32_t number = 0; number < MESSAGES; number++) {
                if (guest->told[publisher][number] == 0) {
                    return false;
                }
            }
        }
    }
    return true;
}

static void world_init(uint64_t seed)
{
    world.random = seed;
    world.now_us = 1000000;
    memset(world.guests, 0, sizeof world.guests);
    world.port = (struct port){.clock_read = clock_read,
                               .link_send = broker_link_send,
                               .link_close = broker_link_close,
                               .disk_path = world.path,
                               .disk_vfs = "fake",
                               .reset = unwanted_reset,
                               .evidence = unwanted_evidence};
    world.config =
        (struct broker_config){.durable = true,
                               .connections_max = 8,
                               .sessions_max = 4,
                               .subscriptions_max = 8,
                               .messages_max = 200,
                               .copies_max = 300,
                               .retained_max = 1,
                               .queue_max = 100,
                               .session_expiry_max_s = 100000,
                               .receive_maximum = (uint16_t)(1 + below(MQTT_INFLIGHT_MAX))};
    for (uint32_t index = 0; index < CLIENTS; index++) {
        struct guest *guest = &world.guests[index];
        guest->number = index;
        snprintf(guest->name, sizeof guest->name, "%u", (unsigned)index);
        guest->port = (struct port){.ctx = guest,
                                    .link_open = client_link_open,
                                    .link_send = client_link_send,
                                    .link_close = client_link_close};
        guest->options = (struct mqtt_general_options){
            .client_id = mqtt_text(guest->name),
            .receive_maximum = (uint16_t)(1 + below(MQTT_INFLIGHT_MAX)),
            .inflight_max = (uint16_t)(1 + below(MQTT_INFLIGHT_MAX)),
            .session_expiry_s = 100000};
        mqtt_general_init(&guest->client, &guest->options);
    }
    broker_boot();
}

static void live(uint64_t seed)
{
    world_init(seed);
    world.grouping = seed % 2 == 0;
    const uint32_t one_fault_in = 40 + below(200);
    for (uint32_t step = 0; !all_seen_through(); step++) {
        EXPECT(step < 200000);
        struct guest *guest = &world.guests[below(CLIENTS)];
        world.now_us += below(1000);
        switch (below(3)) {
        case 0:
            act(guest);
            break;
        case 1:
            move(guest, true);
            break;
        default:
            move(guest, false);
            break;
        }
        if (broker_deadline_us(world.broker) == 0 && below(4) == 0) { /* what waits is settled */
            broker_step(world.broker, &world.port, &(struct event){.kind = EVENT_TIMEOUT});
        }
        if (step < 20000 && below(one_fault_in) == 0) {
            if (below(4) == 0) {
                broker_restart();
            } else {
                cut(guest, below(2) == 0); /* or the broker finds out by itself: taken over */
            }
        }
    }
    broker_drop(world.broker);
    free(world.broker);
    fake_disk_erase(world.path);
}

static void each_message_reaches_everybody_over_cuts_and_restarts(void)
{
    memset(&world, 0, sizeof world);
    snprintf(world.folder, sizeof world.folder, "/tmp/brownout_XXXXXX");
    EXPECT(mkdtemp(world.folder) != NULL);
    snprintf(world.path, sizeof world.path, "%s/broker.db", world.folder);
    fake_disk_init(&world.disk, "fake");
    for (uint64_t seed = 1; seed <= 40; seed++) {
        live(seed);
    }
    EXPECT(world.cuts > 100);
    EXPECT(world.restarts > 20);
    EXPECT(world.resends > 100);
    EXPECT(world.again > 10); /* of QoS 1 */
    EXPECT(world.grouped > 1000);
    fake_disk_drop(&world.disk);
    EXPECT_EQUAL(rmdir(world.folder), 0);
}

int main(void)
{
    RUN(each_message_reaches_everybody_over_cuts_and_restarts);
    return 0;
}
