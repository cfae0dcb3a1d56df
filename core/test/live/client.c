/* The general client against a broker that nobody here wrote: it subscribes to what it publishes,
 * in all three QoS, breaks its connection in the middle and goes on, and wants every message back:
 * of QoS 2 exactly once, of QoS 1 at least once. live_client PORT [COUNT]    exit code 0: so it
 * was; 1: not within a minute */
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

enum { COUNT_MAX = 2000, GIVE_UP_US = 60 * 1000 * 1000 };

static struct {
    struct mqtt_general_options options;
    struct mqtt_general_client client;
    struct sockets sockets;
    bool subscribed, done;
    uint32_t count, published, breaks, breaks_done;
    uint32_t acked, came_total;
    uint32_t came[COUNT_MAX];
    uint8_t memory[2][MQTT_ALIASES_BYTES(4, MQTT_STRING_BYTES_MAX)];
    char name[32], topic[48];
} live;

static struct mqtt_packet message(uint32_t number, char payload[16])
{
    struct mqtt_packet packet;
    mqtt_packet_init(&packet, MQTT_PUBLISH);
    snprintf(payload, 16, "%u", (unsigned)number);
    packet.topic = mqtt_text(live.topic);
    packet.payload = mqtt_text(payload);
    packet.qos = (uint8_t)(number % 3);
    return packet;
}

static void subscribe(const struct port *port)
{
    uint8_t bytes[64];
    uint16_t packet_id = 0;
    struct mqtt_list list = {bytes, sizeof bytes, 0};
    const struct mqtt_subscription one = {.filter = mqtt_text(live.topic), .qos = 2};
    EXPECT(mqtt_list_subscription(&list, &one) == ERR_OK);
    EXPECT(mqtt_general_subscribe(&live.client, port, sockets_now_us(), mqtt_list_slice(&list), 7,
                                  &packet_id) == ERR_OK);
}

static void message_came(const struct port *port, const struct mqtt_packet *packet)
{
    char text[16] = "";
    EXPECT(packet->payload.size_bytes < sizeof text);
    memcpy(text, packet->payload.bytes, packet->payload.size_bytes);
    const unsigned long number = strtoul(text, NULL, 10);
    EXPECT(number < live.count);
    live.came_total += live.came[number] == 0;
    live.came[number]++;
    EXPECT(number % 3 != 2 || live.came[number] == 1);
    if (packet->qos > 0) {
        mqtt_general_answer(&live.client, port, sockets_now_us(), packet->packet_id, packet->qos,
                            MQTT_SUCCESS);
    }
}

static void happened(const struct port *port, const struct mqtt_general_happening *happening)
{
    char payload[16];
    switch (happening->kind) {
    case MQTT_GENERAL_READY:
        EXPECT(happening->packet.session_present == (live.breaks_done > 0));
        if (!live.subscribed) {
            subscribe(port);
        }
        break;
    case MQTT_GENERAL_SUBACK:
        EXPECT(happening->packet.payload.bytes[0] <= 2);
        live.subscribed = true;
        break;
    case MQTT_GENERAL_PUBLISH:
        message_came(port, &happening->packet);
        break;
    case MQTT_GENERAL_SENT:
        live.acked += happening->sent.kind == MQTT_SENT_DONE;
        break;
    case MQTT_GENERAL_RESEND: {
        const struct mqtt_packet again = message((uint32_t)happening->tag - 1, payload);
        EXPECT(mqtt_general_resend(&live.client, port, sockets_now_us(), &again) == ERR_OK);
        break;
    }
    case MQTT_GENERAL_DOWN:
        fprintf(stderr, "down: 0x%02x\n", happening->reason);
        EXPECT(!happening->refused && happening->reason == 0);
        break;
    case MQTT_GENERAL_NOTHING:
    case MQTT_GENERAL_AUTHENTICATE:
        EXPECT(false);
        break;
    }
}

/* As much as the quota allows. */
static void publish(const struct port *port)
{
    char payload[16];
    while (live.subscribed && live.published < live.count) {
        const struct mqtt_packet packet = message(live.published, payload);
        const enum err err =
            mqtt_general_publish(&live.client, port, sockets_now_us(), &packet, live.published + 1);
        if (err != ERR_OK) {
            EXPECT(err == ERR_FULL || err == ERR_CLOSED);
            return;
        }
        live.published++;
    }
}

static void step(void *role, const struct port *port, const struct event *event)
{
    struct mqtt_general_happening happening;
    struct mqtt_input input = {event->bytes, event->size_bytes};
    (void)role;
    do {
        mqtt_general_take(&live.client, port, sockets_now_us(), event, &input, &happening);
        if (happening.kind != MQTT_GENERAL_NOTHING) {
            happened(port, &happening);
        }
    } while (happening.kind != MQTT_GENERAL_NOTHING);
    publish(port);
    if (mqtt_general_timeout(&live.client, port, sockets_now_us())) {
        fprintf(stderr, "timed out\n");
    }
}

/* The link is gone in the middle, without a DISCONNECT. */
static void break_link(void)
{
    const struct event down = {.kind = EVENT_LINK_DOWN, .link = live.client.link};
    live.sockets.port.link_close(&live.sockets, live.client.link);
    live.breaks_done++;
    step(NULL, &live.sockets.port, &down);
}

int main(int argc, char **argv)
{
    EXPECT(argc == 2 || argc == 3);
    const uint64_t begin_us = sockets_now_us();
    live.count = argc == 3 ? (uint32_t)strtoul(argv[2], NULL, 10) : 300;
    EXPECT(live.count >= 3 && live.count <= COUNT_MAX);
    live.breaks = 5;
    snprintf(live.name, sizeof live.name, "brownout%ld", (long)getpid());
    snprintf(live.topic, sizeof live.topic, "live/%s", live.name);
    live.options = (struct mqtt_general_options){.client_id = mqtt_text(live.name),
                                                 .keep_alive_s = 5,
                                                 .receive_maximum = MQTT_INFLIGHT_MAX,
                                                 .inflight_max = MQTT_INFLIGHT_MAX,
                                                 .session_expiry_s = 60,
                                                 .aliases_received = 4,
                                                 .aliases_sent = 4,
                                                 .received_memory = live.memory[0],
                                                 .sent_memory = live.memory[1]};
    mqtt_general_init(&live.client, &live.options);
    sockets_init(&live.sockets, (uint16_t)strtoul(argv[1], NULL, 10), NULL);
    while (!live.done) {
        uint32_t wanted = 0; /* of QoS 0 a break may take some */
        if (live.client.state == MQTT_GENERAL_CLOSED) {
            EXPECT(mqtt_general_open(&live.client, &live.sockets.port, 1, sockets_now_us()) ==
                   ERR_OK);
        }
        sockets_turn(&live.sockets, mqtt_general_deadline_us(&live.client), NULL, step);
        if (live.breaks_done < live.breaks &&
            live.published > live.count / (live.breaks + 1) * (live.breaks_done + 1)) {
            break_link();
        }
        for (uint32_t number = 0; number < live.count; number++) {
            wanted += number % 3 > 0 && live.came[number] == 0;
        }
        live.done = live.published == live.count && wanted == 0 && live.client.sender.count == 0 &&
                    live.client.receiver.count == 0;
        if (sockets_now_us() - begin_us > GIVE_UP_US) {
            fprintf(stderr, "published %u, acked %u, %u missing\n", live.published, live.acked,
                    wanted);
            return 1;
        }
    }
    mqtt_general_close(&live.client, &live.sockets.port, sockets_now_us(), MQTT_SUCCESS);
    printf("%u messages, %u breaks, %u of them came\n", live.count, live.breaks_done,
           live.came_total);
    return 0;
}
