/* The general client against a broker that nobody here wrote: it subscribes to what it publishes,
 * loses its connection in the middle and goes on, and wants every message back: of QoS 2 exactly
 * once, of QoS 1 at least once.
 *   live_client [options] PORT [SUBSCRIBER_PORT]
 * With the second port publisher and subscriber are two sessions, and the latter's is there.
 *     -n COUNT    messages (300)           -q QOS      all of this one; else the three take turns
 *     -b BREAKS   connections it breaks by itself (5); others may break more
 *     -l ALIASES  of topics that the broker may use (4)
 *     -p          a pause around each connection of the subscriber: it begins when nothing of the
 *                 publisher's is under way, and until then nothing is published
 *     -x          end with 3 where the first attempt does not come up, as it should not
 *     -1          one session, at the first port, whatever follows it
 *     -w WINDOW   of messages with QoS > 0 that were published and are not seen through
 *     -a AUTHORITY -c CERTIFICATE -k KEY [-r REVOKED]    over TLS 1.3
 * Exit code 0: so it was; 1: it was not, or not within two minutes; 3: -x, and TLS has said why. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/check.h"
#include "core/mqtt/general_client.h"
#include "core/mqtt/list.h"
#include "core/test/live/sockets.h"
#include "core/test/test.h"

_Noreturn void check_failed(const char *file, int line, const char *what)
{
    fprintf(stderr, "%s:%d: CHECK failed: %s\n", file, line, what);
    abort();
}

enum {
    SUBSCRIBER_PEER = SOCKETS_SERVER + 1, /* where the second port leads */
    COUNT_MAX = 10000,
    SESSIONS_MAX = 2,
    ALIASES = 4,
    GIVE_UP_US = 120 * 1000 * 1000,
    SETTLE_US = 300 * 1000, /* all came: does something come twice? */
    ATTEMPT_US = 20 * 1000, /* from one attempt to the next */
};

struct session {
    struct mqtt_general_options options;
    struct mqtt_general_client client;
    uint32_t peer;
    bool established; /* the broker has said something that only a session can be owed */
    uint64_t attempt_us;
    uint32_t connections;
    char name[40];
    uint8_t memory[2][MQTT_ALIASES_BYTES(ALIASES, MQTT_STRING_BYTES_MAX)];
};

static struct {
    struct session sessions[SESSIONS_MAX];
    uint32_t session_count;
    struct session *publisher, *subscriber; /* may be the same */
    struct sockets sockets;
    bool refused;
    bool subscribed, once, pauses; /* once: -x */
    int qos;                       /* -1: in turn */
    uint32_t count, window, aliases;
    uint32_t published, acked, breaks, breaks_done;
    uint32_t owed;       /* of QoS > 0, published, and not back */
    uint32_t came_total; /* different ones */
    uint32_t again;      /* of QoS 1, more than once */
    uint32_t came[COUNT_MAX];
    uint64_t begin_us, done_us;
    char topic[48];
} live;

static uint8_t qos_of(uint32_t number)
{
    return live.qos < 0 ? (uint8_t)(number % 3) : (uint8_t)live.qos;
}

static struct mqtt_packet message(uint32_t number, char payload[16])
{
    struct mqtt_packet packet;
    mqtt_packet_init(&packet, MQTT_PUBLISH);
    snprintf(payload, 16, "%u", (unsigned)number);
    packet.topic = mqtt_text(live.topic);
    packet.payload = mqtt_text(payload);
    packet.qos = qos_of(number);
    return packet;
}

static void subscribe(const struct port *port)
{
    uint8_t bytes[64];
    uint16_t packet_id = 0;
    struct mqtt_list list = {bytes, sizeof bytes, 0};
    const struct mqtt_subscription one = {.filter = mqtt_text(live.topic), .qos = 2};
    EXPECT(mqtt_list_subscription(&list, &one) == ERR_OK);
    EXPECT(mqtt_general_subscribe(&live.subscriber->client, port, sockets_now_us(),
                                  mqtt_list_slice(&list), 7, &packet_id) == ERR_OK);
}

static void message_came(struct session *session, const struct port *port,
                         const struct mqtt_packet *packet)
{
    char text[16] = "";
    EXPECT(session == live.subscriber);
    EXPECT(packet->payload.size_bytes < sizeof text);
    memcpy(text, packet->payload.bytes, packet->payload.size_bytes);
    const unsigned long number = strtoul(text, NULL, 10);
    EXPECT(number < live.published);
    EXPECT_EQUAL(packet->qos, qos_of((uint32_t)number));
    live.came[number]++;
    live.came_total += live.came[number] == 1;
    live.owed -= packet->qos > 0 && live.came[number] == 1;
    live.again += live.came[number] > 1;
    if (packet->qos != 1 && live.came[number] > 1) {
        fprintf(stderr, "message %lu of QoS %u came %u times\n", number, packet->qos,
                live.came[number]);
        exit(1);
    }
    if (packet->qos > 0) {
        mqtt_general_answer(&session->client, port, sockets_now_us(), packet->packet_id,
                            packet->qos, MQTT_SUCCESS);
    }
}

static void ready(struct session *session, const struct port *port, bool session_present)
{
    session->connections++;
    if (session->established && !session_present) {
        fprintf(stderr, "%s: the broker has lost the session\n", session->name);
        exit(1);
    }
    if (session == live.subscriber && !live.subscribed) {
        subscribe(port);
    }
}

/* Its connection is over. */
static void ended(struct session *session)
{
    if (live.once && session->connections == 0) {
        live.refused = true;
    }
}

static void happened(struct session *session, const struct port *port,
                     const struct mqtt_general_happening *happening)
{
    char payload[16];
    switch (happening->kind) {
    case MQTT_GENERAL_READY:
        ready(session, port, happening->packet.session_present);
        break;
    case MQTT_GENERAL_SUBACK:
        EXPECT(happening->packet.payload.bytes[0] == 2);
        printf("subscribed\n");
        EXPECT(fflush(stdout) == 0);
        live.subscribed = true;
        session->established = true;
        break;
    case MQTT_GENERAL_PUBLISH:
        message_came(session, port, &happening->packet);
        break;
    case MQTT_GENERAL_SENT:
        session->established = true;
        /* A message that was RECEIVED is the broker's, whatever it says of a second PUBREL. */
        if (happening->sent.kind == MQTT_SENT_DONE && happening->sent.tag != 0 &&
            happening->sent.reason >= 0x80) {
            fprintf(stderr, "the broker refused a message: 0x%02x\n", happening->sent.reason);
            exit(1);
        }
        live.acked += happening->sent.kind == MQTT_SENT_DONE;
        break;
    case MQTT_GENERAL_RESEND: {
        const struct mqtt_packet again = message((uint32_t)happening->tag - 1, payload);
        const enum err err = mqtt_general_resend(&session->client, port, sockets_now_us(), &again);
        EXPECT(err == ERR_OK || err == ERR_CLOSED);
        break;
    }
    case MQTT_GENERAL_DOWN:
        if (happening->refused || happening->reason != 0) {
            fprintf(stderr, "%s: down: 0x%02x, refused %d\n", session->name, happening->reason,
                    happening->refused);
            exit(1);
        }
        ended(session);
        break;
    case MQTT_GENERAL_NOTHING:
    case MQTT_GENERAL_AUTHENTICATE:
        EXPECT(false);
        break;
    }
}

/* As much as quota and window allow. */
static void publish(const struct port *port)
{
    char payload[16];
    if (live.pauses && live.subscriber->client.state != MQTT_GENERAL_OPEN) {
        return;
    }
    while (live.subscribed && live.published < live.count &&
           live.owed + live.subscriber->client.receiver.count < live.window) {
        const struct mqtt_packet packet = message(live.published, payload);
        const enum err err = mqtt_general_publish(&live.publisher->client, port, sockets_now_us(),
                                                  &packet, live.published + 1);
        if (err != ERR_OK) {
            EXPECT(err == ERR_FULL || err == ERR_CLOSED);
            return;
        }
        live.owed += packet.qos > 0;
        live.published++;
    }
}

static void step(void *role, const struct port *port, const struct event *event)
{
    struct mqtt_general_happening happening;
    (void)role;
    for (uint32_t i = 0; i < live.session_count; i++) {
        struct session *session = &live.sessions[i];
        struct mqtt_input input = {event->bytes, event->size_bytes};
        do {
            mqtt_general_take(&session->client, port, sockets_now_us(), event, &input, &happening);
            if (happening.kind != MQTT_GENERAL_NOTHING) {
                happened(session, port, &happening);
            }
        } while (happening.kind != MQTT_GENERAL_NOTHING);
        if (mqtt_general_timeout(&session->client, port, sockets_now_us())) {
            fprintf(stderr, "%s: timed out\n", session->name);
            ended(session);
        }
    }
    publish(port);
}

/* The link is gone in the middle, without a DISCONNECT. */
static void break_link(struct session *session)
{
    const struct event down = {.kind = EVENT_LINK_DOWN, .link = session->client.link};
    live.sockets.port.link_close(&live.sockets, session->client.link);
    step(NULL, &live.sockets.port, &down);
}

static void break_links(void)
{
    if (live.breaks_done < live.breaks &&
        live.published > live.count / (live.breaks + 1) * (live.breaks_done + 1)) {
        live.breaks_done++;
        for (uint32_t i = 0; i < live.session_count; i++) {
            break_link(&live.sessions[i]);
        }
    }
}

static void open_closed(void)
{
    const uint64_t now_us = sockets_now_us();
    for (uint32_t i = 0; i < live.session_count; i++) {
        struct session *session = &live.sessions[i];
        const bool pauses =
            live.pauses && session == live.subscriber && live.publisher->client.sender.count > 0;
        if (session->client.state == MQTT_GENERAL_CLOSED && now_us >= session->attempt_us &&
            !pauses) {
            session->attempt_us = now_us + ATTEMPT_US;
            EXPECT(mqtt_general_open(&session->client, &live.sockets.port, session->peer, now_us) ==
                   ERR_OK);
        }
    }
}

static uint64_t deadline_us(void)
{
    uint64_t earliest_us = UINT64_MAX;
    for (uint32_t i = 0; i < live.session_count; i++) {
        const struct session *session = &live.sessions[i];
        const uint64_t own_us = session->client.state == MQTT_GENERAL_CLOSED
                                    ? session->attempt_us
                                    : mqtt_general_deadline_us(&session->client);
        earliest_us = own_us < earliest_us ? own_us : earliest_us;
    }
    return live.done_us > 0 && live.done_us + SETTLE_US < earliest_us ? live.done_us + SETTLE_US
                                                                      : earliest_us;
}

/* All is seen through on both sides, and nothing more has come since. Of QoS 0 a break may take
 * some. */
static bool settled(void)
{
    const uint64_t now_us = sockets_now_us();
    bool quiet = live.published == live.count && live.owed == 0;
    for (uint32_t i = 0; i < live.session_count; i++) {
        const struct mqtt_general_client *client = &live.sessions[i].client;
        quiet = quiet && client->state == MQTT_GENERAL_OPEN && client->sender.count == 0 &&
                client->receiver.count == 0;
    }
    live.done_us = !quiet ? 0 : live.done_us == 0 ? now_us : live.done_us;
    if (!quiet && now_us - live.begin_us > GIVE_UP_US) {
        fprintf(stderr, "too slow: %u of %u published, %u acked, %u missing\n", live.published,
                live.count, live.acked, live.owed);
        exit(1);
    }
    return quiet && now_us >= live.done_us + SETTLE_US;
}

static void session_init(struct session *session, const char *name, uint32_t peer)
{
    session->peer = peer;
    snprintf(session->name, sizeof session->name, "%s%ld", name, (long)getpid());
    session->options = (struct mqtt_general_options){
        .client_id = mqtt_text(session->name),
        .keep_alive_s = 5,
        .receive_maximum = MQTT_INFLIGHT_MAX,
        .inflight_max = MQTT_INFLIGHT_MAX,
        .session_expiry_s = 60,
        .aliases_received = (uint16_t)live.aliases,
        .aliases_sent = ALIASES,
        .received_memory = live.aliases == 0 ? NULL : session->memory[0],
        .sent_memory = session->memory[1]};
    mqtt_general_init(&session->client, &session->options);
}

/* Returns the subscriber's port; 0: there is one session. */
static uint16_t arguments(int argc, char **argv, struct sockets_options *options)
{
    bool one = false;
    live.count = 300;
    live.breaks = 5;
    live.qos = -1;
    live.aliases = ALIASES;
    live.window = UINT32_MAX;
    for (int option; (option = getopt(argc, argv, SOCKETS_OPTIONS "n:q:b:w:l:px1")) != -1;) {
        const uint32_t number = optarg == NULL ? 0 : (uint32_t)strtoul(optarg, NULL, 10);
        switch (option) {
        case 'n':
            live.count = number;
            break;
        case 'q':
            live.qos = (int)number;
            break;
        case 'b':
            live.breaks = number;
            break;
        case 'w':
            live.window = number;
            break;
        case 'l':
            live.aliases = number;
            break;
        case 'p':
            live.pauses = true;
            break;
        case 'x':
            live.once = true;
            break;
        case '1':
            one = true;
            break;
        default:
            EXPECT(sockets_option(options, option, optarg));
        }
    }
    EXPECT(argc == optind + 1 || argc == optind + 2);
    EXPECT(live.count >= 3 && live.count <= COUNT_MAX && live.qos <= 2 && live.window > 0 &&
           live.aliases <= ALIASES);
    options->port = (uint16_t)strtoul(argv[optind], NULL, 10);
    return one || argc == optind + 1 ? 0 : (uint16_t)strtoul(argv[optind + 1], NULL, 10);
}

int main(int argc, char **argv)
{
    struct sockets_options options = {.max = SESSIONS_MAX};
    const uint16_t subscriber_port = arguments(argc, argv, &options);
    live.begin_us = sockets_now_us();
    snprintf(live.topic, sizeof live.topic, "live/%ld", (long)getpid());
    sockets_open(&live.sockets, &options);
    live.session_count = 1;
    live.publisher = live.subscriber = &live.sessions[0];
    session_init(live.publisher, "publisher", SOCKETS_SERVER);
    if (subscriber_port != 0) {
        live.session_count = 2;
        live.subscriber = &live.sessions[1];
        session_init(live.subscriber, "subscriber", SUBSCRIBER_PEER);
        sockets_add_peer(&live.sockets, SUBSCRIBER_PEER, subscriber_port);
    }
    while (!live.refused && !settled()) {
        open_closed();
        sockets_turn(&live.sockets, deadline_us(), NULL, step);
        break_links();
    }
    if (live.refused) {
        sockets_close(&live.sockets);
        return 3;
    }
    uint32_t connections = 0;
    for (uint32_t i = 0; i < live.session_count; i++) {
        connections += live.sessions[i].connections;
        mqtt_general_close(&live.sessions[i].client, &live.sockets.port, sockets_now_us(),
                           MQTT_SUCCESS);
    }
    sockets_close(&live.sockets);
    printf("%u messages over %u connections: %u came, %u of QoS 1 again\n", live.count, connections,
           live.came_total, live.again);
    return 0;
}
