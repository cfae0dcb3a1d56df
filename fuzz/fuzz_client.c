/* The client for any MQTT 5 broker, against a broker that says what it likes.
 * Input: one byte, the size of pieces in the second life; then acts of the role (publish,
 * subscribe, answer, time, a new connection) and of the broker (a packet of a known kind, or any
 * bytes). Required: what the client sends is well-formed; its packet identifiers are not in use,
 * and no more is in flight than the broker takes; it acknowledges only what came, and tells a
 * message of QoS 2 once, until it is released; happenings end; and all of that is the same when
 * bytes come in pieces. */
#include <string.h>

#include "core/evidence.h"
#include "core/mqtt/general_client.h"
#include "core/mqtt/list.h"
#include "fuzz/fuzz.h"

enum {
    ACTS_MAX = 120,
    SENT_BYTES = 1 << 16,
    TAGS_MAX = ACTS_MAX + 1,
    HAPPENINGS_MAX = 4 * MQTT_INFLIGHT_MAX + 64,
    IDS = 1024,   /* packet identifiers that come up before any bytes do */
    RECEIVED = 3, /* QoS 2, and PUBREC was sent */
};

static struct {
    struct port port;
    struct mqtt_general_options options;
    struct mqtt_general_client client;
    uint64_t now_us, digest;
    uint32_t link, piece_bytes, sent_bytes, tag_count, receive_maximum;
    bool open, raw; /* raw: any bytes came, and what they meant is nobody's business */
    uint8_t tag_qos[TAGS_MAX];
    uint8_t sent[SENT_BYTES]; /* on this connection */
    bool refused[IDS];        /* by the role; it was told of it on this link: */
    uint32_t told_on[IDS];
    uint8_t told[IDS];      /* QoS of the message that was told and is not seen through */
    uint8_t in_flight[IDS]; /* on this connection: QoS of what was sent */
    uint32_t in_flight_count;
    uint16_t owed[MQTT_ARRIVALS_MAX + 1]; /* told, and not answered by the role */
    uint32_t owed_count;
} world;

static void note(uint64_t value)
{
    world.digest = (world.digest ^ value) * UINT64_C(0x100000001B3);
}

/* ---- the port -------------------------------------------------------------------------------- */

static enum err link_open(void *ctx, uint32_t peer, uint32_t *link)
{
    (void)ctx;
    REQUIRE(peer == 9 && !world.open);
    *link = ++world.link;
    world.open = true;
    world.sent_bytes = 0;
    return ERR_OK;
}

static int32_t link_send(void *ctx, uint32_t link, const uint8_t *bytes, uint32_t size_bytes)
{
    (void)ctx;
    if (link != world.link || !world.open) {
        return ERR_CLOSED;
    }
    REQUIRE(size_bytes > 0 && size_bytes <= SENT_BYTES - world.sent_bytes);
    memcpy(world.sent + world.sent_bytes, bytes, size_bytes);
    world.sent_bytes += size_bytes;
    return (int32_t)size_bytes;
}

static void link_close(void *ctx, uint32_t link)
{
    (void)ctx;
    REQUIRE(link == world.link);
    world.open = false;
}

static void evidence(void *ctx, const struct evidence *said)
{
    (void)ctx;
    REQUIRE(said->kind < EVIDENCE_COUNT);
}

/* ---- what it says ---------------------------------------------------------------------------- */

static void settle(uint16_t packet_id)
{
    if (world.in_flight[packet_id] != 0) {
        world.in_flight[packet_id] = 0;
        world.in_flight_count--;
    }
}

static void require_sent(const struct mqtt_packet *packet)
{
    const uint16_t id = packet->packet_id;
    REQUIRE(id < IDS);
    switch (packet->type) {
    case MQTT_PUBLISH:
        if (packet->qos > 0) {
            REQUIRE(world.in_flight[id] == 0);
            world.in_flight[id] = packet->qos;
            REQUIRE(++world.in_flight_count <= world.receive_maximum);
        }
        break;
    case MQTT_PUBACK:
        if (packet->reason == MQTT_PACKET_IDENTIFIER_IN_USE) {
            break; /* by a message of QoS 2, which the role may have answered by now */
        }
        REQUIRE(world.told[id] == 1);
        world.told[id] = 0;
        break;
    case MQTT_PUBREC: /* also for one that came again */
        if (packet->reason == MQTT_PACKET_IDENTIFIER_IN_USE) {
            break;
        }
        REQUIRE(world.told[id] == 2 || world.told[id] == RECEIVED);
        world.told[id] = packet->reason >= MQTT_UNSPECIFIED_ERROR ? 0 : RECEIVED;
        break;
    case MQTT_CONNACK:
    case MQTT_SUBACK:
    case MQTT_UNSUBACK:
    case MQTT_PINGRESP:
        fuzz_failed(__FILE__, __LINE__, "a packet that clients send");
    case MQTT_CONNECT:
    case MQTT_PUBREL:
    case MQTT_PUBCOMP:
    case MQTT_SUBSCRIBE:
    case MQTT_UNSUBSCRIBE:
    case MQTT_PINGREQ:
    case MQTT_DISCONNECT:
    case MQTT_AUTH:
        break;
    }
}

static void hear(void)
{
    uint32_t at = 0;
    while (at < world.sent_bytes) {
        struct mqtt_packet packet;
        uint32_t packet_bytes = 0;
        uint8_t reason = 0;
        REQUIRE(mqtt_packet_size(world.sent + at, world.sent_bytes - at, &packet_bytes, &reason) ==
                ERR_OK);
        REQUIRE(packet_bytes <= world.sent_bytes - at);
        REQUIRE(mqtt_decode(world.sent + at, packet_bytes, &packet, &reason) == ERR_OK);
        if (!world.raw) {
            require_sent(&packet);
        }
        for (uint32_t i = 0; i < packet_bytes; i++) {
            note(world.sent[at + i]);
        }
        at += packet_bytes;
    }
    world.sent_bytes = 0;
}

static struct mqtt_packet message_of(uint8_t qos, uint64_t tag)
{
    static const uint8_t payload[] = "payload";
    struct mqtt_packet packet;
    mqtt_packet_init(&packet, MQTT_PUBLISH);
    packet.topic = mqtt_text(tag % 3 == 0 ? "a" : "b/c");
    packet.payload = (struct mqtt_slice){payload, (uint32_t)(tag % sizeof payload)};
    packet.qos = qos;
    return packet;
}

/* ---- what happens to it ---------------------------------------------------------------------- */

static void connection_over(void)
{
    hear();
    world.open = false;
    memset(world.in_flight, 0, sizeof world.in_flight);
    world.in_flight_count = 0;
    for (uint32_t id = 0; id < IDS; id++) { /* QoS 1 is the broker's to send again */
        if (world.told[id] == 1 || (world.told[id] == 2 && world.refused[id])) {
            world.told[id] = 0; /* and what was refused and not acknowledged comes as new */
        }
    }
    uint32_t kept = 0;
    for (uint32_t i = 0; i < world.owed_count; i++) {
        if (world.told[world.owed[i]] == 2) {
            world.owed[kept++] = world.owed[i];
        }
    }
    world.owed_count = kept;
}

static void happen(const struct mqtt_general_happening *happening)
{
    struct mqtt_packet message;
    const uint16_t id = happening->packet.packet_id;
    note((uint64_t)happening->kind << 8 | happening->reason);
    switch (happening->kind) {
    case MQTT_GENERAL_READY:
        world.receive_maximum = happening->packet.properties.receive_maximum;
        if (!happening->packet.session_present) {
            memset(world.told, 0, sizeof world.told);
            world.owed_count = 0;
        }
        break;
    case MQTT_GENERAL_PUBLISH:
        note((uint64_t)happening->packet.payload.size_bytes << 16 | id);
        if (happening->packet.qos > 0 && !world.raw) {
            REQUIRE(id < IDS && world.told[id] == 0);
            world.told[id] = happening->packet.qos;
            world.told_on[id] = world.link;
            world.refused[id] = false;
            REQUIRE(world.owed_count < sizeof world.owed / sizeof world.owed[0]);
            world.owed[world.owed_count++] = id;
        }
        break;
    case MQTT_GENERAL_RESEND:
        REQUIRE(happening->tag < world.tag_count);
        message = message_of(world.tag_qos[happening->tag], happening->tag);
        note((uint64_t)mqtt_general_resend(&world.client, &world.port, world.now_us, &message));
        break;
    case MQTT_GENERAL_DOWN:
        connection_over();
        break;
    case MQTT_GENERAL_SENT:
    case MQTT_GENERAL_SUBACK:
    case MQTT_GENERAL_AUTHENTICATE:
    case MQTT_GENERAL_NOTHING:
        break;
    }
}

static void take(enum event_kind kind, const uint8_t *bytes, uint32_t size_bytes)
{
    const struct event event = {
        .kind = kind, .link = world.link, .bytes = bytes, .size_bytes = size_bytes};
    struct mqtt_input input = {bytes, size_bytes};
    for (uint32_t count = 0;; count++) {
        struct mqtt_general_happening happening;
        REQUIRE(count <= HAPPENINGS_MAX + size_bytes);
        mqtt_general_take(&world.client, &world.port, world.now_us, &event, &input, &happening);
        if (happening.kind == MQTT_GENERAL_NOTHING) {
            break;
        }
        happen(&happening);
    }
    hear();
}

static void say_bytes(const uint8_t *bytes, uint32_t size_bytes)
{
    for (uint32_t at = 0; at < size_bytes && world.open;) {
        uint32_t piece_bytes = size_bytes - at;
        if (world.piece_bytes > 0 && piece_bytes > world.piece_bytes) {
            piece_bytes = world.piece_bytes;
        }
        take(EVENT_LINK_DATA, bytes + at, piece_bytes);
        at += piece_bytes;
    }
}

/* A packet of a server, valid by itself. */
static void say_packet(struct fuzz_input *input)
{
    static const enum mqtt_type types[] = {MQTT_CONNACK, MQTT_PUBLISH, MQTT_PUBLISH, MQTT_PUBACK,
                                           MQTT_PUBREC,  MQTT_PUBREL,  MQTT_PUBCOMP, MQTT_SUBACK};
    static const uint8_t granted[1] = {1};
    uint8_t bytes[128];
    uint32_t size_bytes = sizeof bytes;
    struct mqtt_packet packet;
    const uint8_t choice = fuzz_byte(input);
    mqtt_packet_init(&packet, types[choice % 8]);
    packet.packet_id = (uint16_t)(packet.type == MQTT_CONNACK ? 0 : 1 + fuzz_byte(input) % 8);
    if (packet.type == MQTT_CONNACK) {
        packet.session_present = (choice & 8) != 0;
        packet.properties.receive_maximum = (uint16_t)(1 + (choice >> 4) % 4);
        packet.properties.present = MQTT_PROPERTY_BIT(MQTT_RECEIVE_MAXIMUM);
    } else if (packet.type == MQTT_PUBLISH) {
        packet.qos = (choice >> 3) % 3;
        packet.dup = packet.qos > 0 && (choice & 64) != 0;
        packet.packet_id = packet.qos > 0 ? packet.packet_id : 0;
        packet.topic = mqtt_text("t");
        packet.payload = (struct mqtt_slice){bytes, choice >> 6};
        memset(bytes, 'x', 4);
    } else if (packet.type == MQTT_SUBACK) {
        packet.payload = (struct mqtt_slice){granted, 1};
    } else if ((choice & 8) != 0) {
        packet.reason = packet.type == MQTT_PUBACK || packet.type == MQTT_PUBREC
                            ? MQTT_QUOTA_EXCEEDED
                            : MQTT_PACKET_IDENTIFIER_NOT_FOUND;
    }
    uint8_t out[128];
    REQUIRE(mqtt_encode(&packet, out, &size_bytes) == ERR_OK);
    if (packet.type == MQTT_PUBREL && world.told[packet.packet_id] != RECEIVED &&
        world.told[packet.packet_id] != 0) {
        return; /* nothing is released that was not acknowledged; raw bytes may do that */
    }
    const bool was_open = world.client.state == MQTT_GENERAL_OPEN;
    if (was_open && (packet.type == MQTT_PUBACK || packet.type == MQTT_PUBCOMP ||
                     (packet.type == MQTT_PUBREC && packet.reason >= MQTT_UNSPECIFIED_ERROR))) {
        settle(packet.packet_id);
    }
    say_bytes(out, size_bytes);
    if (was_open && world.open && packet.type == MQTT_PUBREL) { /* else it was refused */
        world.told[packet.packet_id] = 0;
    }
}

/* ---- acts ------------------------------------------------------------------------------------ */

static void open_link(void)
{
    if (!world.open) {
        REQUIRE(mqtt_general_open(&world.client, &world.port, 9, world.now_us) == ERR_OK);
        take(EVENT_LINK_UP, NULL, 0);
    }
}

static void publish(uint8_t qos)
{
    const uint32_t tag = world.tag_count;
    const struct mqtt_packet message = message_of(qos, tag);
    if (tag < TAGS_MAX) {
        world.tag_qos[world.tag_count++] = qos;
        note((uint64_t)mqtt_general_publish(&world.client, &world.port, world.now_us, &message,
                                            tag));
        hear();
    }
}

static void subscribe(bool not_any_more)
{
    uint8_t bytes[32];
    uint16_t packet_id = 0;
    struct mqtt_list list = {bytes, sizeof bytes, 0};
    const struct mqtt_subscription wanted = {.filter = mqtt_text("a/#"), .qos = 2};
    enum err err = not_any_more ? mqtt_list_filter(&list, wanted.filter)
                                : mqtt_list_subscription(&list, &wanted);
    REQUIRE(err == ERR_OK);
    err = not_any_more ? mqtt_general_unsubscribe(&world.client, &world.port, world.now_us,
                                                  mqtt_list_slice(&list), &packet_id)
                       : mqtt_general_subscribe(&world.client, &world.port, world.now_us,
                                                mqtt_list_slice(&list), 0, &packet_id);
    REQUIRE(err != ERR_OK || packet_id != 0);
    note((uint64_t)err);
    hear();
}

static void answer(uint8_t choice)
{
    if (world.owed_count > 0) {
        const uint32_t index = choice % world.owed_count;
        const uint16_t id = world.owed[index];
        world.owed[index] = world.owed[--world.owed_count];
        world.refused[id] = (choice & 128) != 0 && world.told_on[id] == world.link;
        mqtt_general_answer(&world.client, &world.port, world.now_us, id, world.told[id],
                            world.refused[id] ? MQTT_QUOTA_EXCEEDED : MQTT_SUCCESS);
        hear();
        if (world.refused[id] && !world.open) {
            world.told[id] = 0; /* nobody heard of it: it comes as new */
        }
    }
}

static void pass(uint8_t seconds)
{
    world.now_us += seconds * UINT64_C(1000000);
    for (uint32_t times = 0; mqtt_general_deadline_us(&world.client) <= world.now_us; times++) {
        REQUIRE(times < 16);
        if (mqtt_general_timeout(&world.client, &world.port, world.now_us)) {
            connection_over();
        }
        hear();
    }
}

static void act(struct fuzz_input *input)
{
    const uint32_t word = fuzz_below(input, 12);
    const uint8_t choice = word < 7 ? 0 : fuzz_byte(input);
    size_t size_bytes = choice;
    const uint8_t *bytes;
    if (word < 6) {
        say_packet(input);
    } else if (word == 6) {
        open_link();
    } else if (word == 7) {
        publish(choice % 3);
    } else if (word == 8) {
        answer(choice);
    } else if (word == 9) {
        subscribe(choice % 2 == 1);
        pass(choice / 2 % 32);
    } else if (word == 10 && world.open) {
        world.open = false;
        take(EVENT_LINK_DOWN, NULL, 0);
    } else if (word == 11 && world.open) {
        bytes = fuzz_take(input, &size_bytes);
        world.raw = true;
        say_bytes(bytes, (uint32_t)size_bytes);
    }
}

static uint64_t live(const uint8_t *data, size_t size_bytes, uint32_t piece_bytes)
{
    struct fuzz_input input = {data, size_bytes};
    memset(&world, 0, sizeof world);
    world.port = (struct port){.link_open = link_open,
                               .link_send = link_send,
                               .link_close = link_close,
                               .evidence = evidence};
    world.options = (struct mqtt_general_options){.client_id = mqtt_text("fuzz"),
                                                  .keep_alive_s = 30,
                                                  .receive_maximum = MQTT_INFLIGHT_MAX,
                                                  .inflight_max = MQTT_INFLIGHT_MAX,
                                                  .session_expiry_s = 1000};
    world.piece_bytes = piece_bytes;
    world.now_us = 1000000;
    mqtt_general_init(&world.client, &world.options);
    open_link();
    for (int acts = 0; acts < ACTS_MAX && input.size_bytes > 0 && !world.raw; acts++) {
        act(&input);
    }
    return world.digest;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_bytes)
{
    if (size_bytes < 2) {
        return 0;
    }
    const uint64_t whole = live(data + 1, size_bytes - 1, 0);
    REQUIRE(live(data + 1, size_bytes - 1, 1 + data[0] % 8) == whole);
    return 0;
}
