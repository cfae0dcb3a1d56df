/* Goal: the general client keeps to MQTT 5 whatever the broker allows, says or loses.
 * Method: a scripted broker at the other end of a fake link; each packet that the client sends is
 * decoded and looked at. The delivery of QoS 1 and 2 itself is test_mqtt_delivery's. */
#include "core/check.h"
#include "core/mqtt/client.h"
#include "core/mqtt/general_client.h"
#include "core/mqtt/list.h"
#include "core/test/test.h"

#include <string.h>

_Noreturn void check_failed(const char *file, int line, const char *what)
{
    fprintf(stderr, "%s:%d: CHECK failed: %s\n", file, line, what);
    exit(1);
}

#define TEXT(text)    ((struct mqtt_slice){(const uint8_t *)(text), sizeof(text) - 1})
#define BIT(property) MQTT_PROPERTY_BIT(property)
enum { SECOND = 1000000, SAID_MAX = 64 * 1024 };

static struct {
    struct mqtt_general_options options;
    struct mqtt_general_client client;
    struct port port;
    uint64_t now_us;
    uint32_t link, closes;
    bool open, later, gone;
    uint8_t said[SAID_MAX]; /* by the client, and not looked at */
    uint32_t said_bytes;
    uint8_t taken[MQTT_PACKET_BYTES_MAX]; /* what said() returned last */
    uint8_t memory[2][MQTT_ALIASES_BYTES(4, MQTT_STRING_BYTES_MAX)];
    uint8_t heard[MQTT_PACKET_BYTES_MAX];
} world;

static enum err link_open(void *ctx, uint32_t peer, uint32_t *link)
{
    EXPECT(ctx == &world);
    EXPECT_EQUAL(peer, 3);
    *link = ++world.link;
    world.open = true;
    world.said_bytes = 0;
    world.gone = world.later = false;
    return ERR_OK;
}

static int32_t link_send(void *ctx, uint32_t link, const uint8_t *bytes, uint32_t size_bytes)
{
    EXPECT(ctx == &world);
    EXPECT(world.open);
    EXPECT_EQUAL(link, world.link);
    if (world.gone) {
        return ERR_CLOSED;
    }
    if (world.later) {
        return 0;
    }
    EXPECT(size_bytes <= SAID_MAX - world.said_bytes);
    memcpy(world.said + world.said_bytes, bytes, size_bytes);
    world.said_bytes += size_bytes;
    return (int32_t)size_bytes;
}

static void link_close(void *ctx, uint32_t link)
{
    EXPECT(ctx == &world);
    EXPECT(world.open);
    EXPECT_EQUAL(link, world.link);
    world.open = false;
    world.closes++;
}

static void world_init(void)
{
    memset(&world, 0, sizeof world);
    world.now_us = SECOND;
    world.port = (struct port){
        .ctx = &world, .link_open = link_open, .link_send = link_send, .link_close = link_close};
    world.options = (struct mqtt_general_options){.client_id = TEXT("c"),
                                                  .keep_alive_s = 60,
                                                  .receive_maximum = 2,
                                                  .inflight_max = 2,
                                                  .session_expiry_s = 100};
    mqtt_general_init(&world.client, &world.options);
}

/* The next packet that the client said; its slices are good until the next call. */
static struct mqtt_packet said(enum mqtt_type type)
{
    struct mqtt_packet packet;
    uint32_t size_bytes = 0;
    uint8_t reason = 0;
    EXPECT_EQUAL(mqtt_packet_size(world.said, world.said_bytes, &size_bytes, &reason), ERR_OK);
    memcpy(world.taken, world.said, size_bytes);
    world.said_bytes -= size_bytes;
    memmove(world.said, world.said + size_bytes, world.said_bytes);
    EXPECT_EQUAL(mqtt_decode(world.taken, size_bytes, &packet, &reason), ERR_OK);
    EXPECT_EQUAL(packet.type, type);
    return packet;
}

static struct mqtt_general_happening take(enum event_kind kind, struct mqtt_input *input)
{
    struct mqtt_general_happening happening;
    const struct event event = {.kind = kind, .link = world.link};
    mqtt_general_take(&world.client, &world.port, world.now_us, &event, input, &happening);
    return happening;
}

static struct mqtt_general_happening happen(enum event_kind kind)
{
    struct mqtt_input none = {NULL, 0};
    return take(kind, &none);
}

/* The broker says this; what comes of it first. */
static struct mqtt_general_happening hear(const struct mqtt_packet *packet)
{
    uint32_t size_bytes = sizeof world.heard;
    EXPECT_EQUAL(mqtt_encode(packet, world.heard, &size_bytes), ERR_OK);
    struct mqtt_input input = {world.heard, size_bytes};
    const struct mqtt_general_happening happening = take(EVENT_LINK_DATA, &input);
    EXPECT_EQUAL(input.size_bytes, 0);
    return happening;
}

static struct mqtt_packet packet_of(enum mqtt_type type, uint16_t packet_id, uint8_t reason)
{
    struct mqtt_packet packet;
    mqtt_packet_init(&packet, type);
    packet.packet_id = packet_id;
    packet.reason = reason;
    return packet;
}

static struct mqtt_packet message(const char *topic, uint8_t qos)
{
    struct mqtt_packet packet;
    mqtt_packet_init(&packet, MQTT_PUBLISH);
    packet.topic = mqtt_text(topic);
    packet.payload = TEXT("p");
    packet.qos = qos;
    return packet;
}

static struct mqtt_packet opened(void)
{
    EXPECT_EQUAL(mqtt_general_open(&world.client, &world.port, 3, world.now_us), ERR_OK);
    EXPECT_EQUAL(happen(EVENT_LINK_UP).kind, MQTT_GENERAL_NOTHING);
    return said(MQTT_CONNECT);
}

static void connected(bool session_present)
{
    (void)opened();
    struct mqtt_packet connack = packet_of(MQTT_CONNACK, 0, 0);
    connack.session_present = session_present;
    const struct mqtt_general_happening happening = hear(&connack);
    EXPECT_EQUAL(happening.kind, MQTT_GENERAL_READY);
    EXPECT_EQUAL(happening.packet.session_present, session_present);
}

static enum err publish(const char *topic, uint8_t qos, uint64_t tag)
{
    const struct mqtt_packet packet = message(topic, qos);
    return mqtt_general_publish(&world.client, &world.port, world.now_us, &packet, tag);
}

static void expect_refused(const struct mqtt_packet *packet, uint8_t reason)
{
    const uint32_t closes = world.closes;
    const struct mqtt_general_happening happening = hear(packet);
    EXPECT_EQUAL(happening.kind, MQTT_GENERAL_DOWN);
    EXPECT(happening.refused);
    EXPECT_EQUAL(happening.reason, reason);
    EXPECT_EQUAL(said(MQTT_DISCONNECT).reason, reason);
    EXPECT_EQUAL(world.said_bytes, 0); /* nothing behind it [MQTT-3.14.4-1] */
    EXPECT_EQUAL(world.closes, closes + 1);
    EXPECT_EQUAL(world.client.state, MQTT_GENERAL_CLOSED);
}

static void a_connect_says_all_that_was_asked_for(void)
{
    world_init();
    struct mqtt_packet will = message("w", 2);
    will.retain = true;
    will.properties.will_delay_s = 9;
    will.properties.present = BIT(MQTT_WILL_DELAY_INTERVAL);
    world.options.user_name = TEXT("u");
    world.options.password = TEXT("\xFF");
    world.options.will = &will;
    world.options.request_response = true;
    world.options.aliases_received = 4;
    world.options.received_memory = world.memory[0];
    mqtt_general_init(&world.client, &world.options);
    const struct mqtt_packet connect = opened();
    EXPECT(connect.clean_start);
    EXPECT_EQUAL(connect.keep_alive_s, 60);
    EXPECT(mqtt_slice_equal(connect.client_id, TEXT("c")));
    EXPECT(mqtt_slice_equal(connect.user_name, TEXT("u")));
    EXPECT(mqtt_slice_equal(connect.password, TEXT("\xFF")));
    EXPECT(connect.will);
    EXPECT(connect.retain);
    EXPECT_EQUAL(connect.qos, 2);
    EXPECT(mqtt_slice_equal(connect.topic, TEXT("w")));
    struct mqtt_properties will_properties;
    mqtt_will_properties(&connect, &will_properties);
    EXPECT_EQUAL(will_properties.will_delay_s, 9);
    EXPECT_EQUAL(connect.properties.session_expiry_s, 100);
    EXPECT_EQUAL(connect.properties.receive_maximum, 2);
    EXPECT_EQUAL(connect.properties.topic_alias_maximum, 4);
    EXPECT_EQUAL(connect.properties.request_response, 1);
    EXPECT_EQUAL(publish("t", 0, 0), ERR_CLOSED); /* not before CONNACK */
}

/* [MQTT-3.2.2-4] [MQTT-3.2.2-5] [MQTT-3.1.2-4] [MQTT-3.1.2-23] */
static void a_session_goes_on_only_if_both_ends_have_it(void)
{
    world_init();
    EXPECT(opened().clean_start); /* no state here: begin anew */
    struct mqtt_packet connack = packet_of(MQTT_CONNACK, 0, 0);
    connack.session_present = true;
    expect_refused(&connack, MQTT_PROTOCOL_ERROR);

    connected(false);
    EXPECT_EQUAL(publish("t", 1, 7), ERR_OK);
    (void)said(MQTT_PUBLISH);
    EXPECT_EQUAL(happen(EVENT_LINK_DOWN).kind, MQTT_GENERAL_DOWN);
    world.now_us += 99 * SECOND;
    EXPECT(!opened().clean_start);
    connack.session_present = true;
    EXPECT_EQUAL(hear(&connack).kind, MQTT_GENERAL_READY);
    EXPECT_EQUAL(happen(EVENT_LINK_WRITABLE).kind, MQTT_GENERAL_RESEND);
    EXPECT_EQUAL(happen(EVENT_LINK_DOWN).kind, MQTT_GENERAL_DOWN);

    connected(false); /* the broker has lost it: what was under way is forgotten */
    EXPECT_EQUAL(world.client.sender.count, 0);
    EXPECT_EQUAL(happen(EVENT_LINK_WRITABLE).kind, MQTT_GENERAL_NOTHING);
    EXPECT_EQUAL(publish("t", 1, 8), ERR_OK);
    EXPECT_EQUAL(happen(EVENT_LINK_DOWN).kind, MQTT_GENERAL_DOWN);
    world.now_us += 100 * SECOND; /* it has expired */
    EXPECT(opened().clean_start);
    EXPECT_EQUAL(happen(EVENT_LINK_DOWN).kind, MQTT_GENERAL_DOWN);

    world_init();
    mqtt_general_restored(&world.client, world.now_us);
    connected(true);
    (void)happen(EVENT_LINK_DOWN);
    world.options.clean_start = true;
    EXPECT(opened().clean_start);
}

/* [MQTT-4.4.0-1] [MQTT-3.3.1-1] [MQTT-4.6.0-1] */
static void what_was_not_acked_is_asked_for_and_sent_again_in_order(void)
{
    world_init();
    connected(false);
    EXPECT_EQUAL(publish("a", 1, 1), ERR_OK);
    EXPECT_EQUAL(publish("b", 2, 2), ERR_OK);
    EXPECT_EQUAL(publish("c", 1, 3), ERR_FULL);
    EXPECT_EQUAL(publish("c", 0, 0), ERR_OK); /* no quota for QoS 0 */
    const uint16_t ids[] = {said(MQTT_PUBLISH).packet_id, said(MQTT_PUBLISH).packet_id};
    EXPECT_EQUAL(said(MQTT_PUBLISH).packet_id, 0);
    (void)happen(EVENT_LINK_DOWN);
    connected(true);
    EXPECT_EQUAL(publish("c", 1, 3), ERR_FULL); /* not before those */
    for (uint8_t qos = 1; qos <= 2; qos++) {
        const struct mqtt_general_happening happening = happen(EVENT_LINK_WRITABLE);
        EXPECT_EQUAL(happening.kind, MQTT_GENERAL_RESEND);
        EXPECT_EQUAL(happening.tag, qos);
        const struct mqtt_packet again = message(qos == 1 ? "a" : "b", qos);
        EXPECT_EQUAL(mqtt_general_resend(&world.client, &world.port, world.now_us, &again), ERR_OK);
        const struct mqtt_packet packet = said(MQTT_PUBLISH);
        EXPECT(packet.dup);
        EXPECT_EQUAL(packet.packet_id, ids[qos - 1]);
    }
    EXPECT_EQUAL(happen(EVENT_LINK_WRITABLE).kind, MQTT_GENERAL_NOTHING);
    struct mqtt_packet answer = packet_of(MQTT_PUBREC, ids[1], 0);
    struct mqtt_general_happening happening = hear(&answer);
    EXPECT_EQUAL(happening.kind, MQTT_GENERAL_SENT);
    EXPECT_EQUAL(happening.sent.kind, MQTT_SENT_RECEIVED);
    EXPECT_EQUAL(happening.sent.tag, 2);
    EXPECT_EQUAL(said(MQTT_PUBREL).packet_id, ids[1]);
    (void)happen(EVENT_LINK_DOWN);
    connected(true);
    EXPECT_EQUAL(said(MQTT_PUBREL).packet_id, ids[1]);
    EXPECT_EQUAL(happen(EVENT_LINK_WRITABLE).tag, 1);
    answer = packet_of(MQTT_PUBCOMP, ids[1], 0);
    EXPECT_EQUAL(hear(&answer).sent.kind, MQTT_SENT_DONE);
    answer = packet_of(MQTT_PUBREC, 999, 0);
    EXPECT_EQUAL(hear(&answer).kind, MQTT_GENERAL_RESEND); /* of "a", still */
    const struct mqtt_packet pubrel = said(MQTT_PUBREL);
    EXPECT_EQUAL(pubrel.packet_id, 999);
    EXPECT_EQUAL(pubrel.reason, MQTT_PACKET_IDENTIFIER_NOT_FOUND);
    answer = packet_of(MQTT_PUBACK, 999, 0);
    expect_refused(&answer, MQTT_PROTOCOL_ERROR);
}

/* [MQTT-4.5.0-2] [MQTT-4.3.3-10] [MQTT-4.3.3-11] */
static void a_message_is_told_once_and_acked_whatever_the_role_says(void)
{
    world_init();
    connected(false);
    struct mqtt_packet packet = message("a", 2);
    packet.packet_id = 5;
    EXPECT_EQUAL(hear(&packet).kind, MQTT_GENERAL_PUBLISH);
    EXPECT_EQUAL(world.said_bytes, 0);
    mqtt_general_answer(&world.client, &world.port, world.now_us, 5, 2, MQTT_SUCCESS);
    EXPECT_EQUAL(said(MQTT_PUBREC).packet_id, 5);
    packet.dup = true;
    EXPECT_EQUAL(hear(&packet).kind, MQTT_GENERAL_NOTHING);
    EXPECT_EQUAL(said(MQTT_PUBREC).packet_id, 5);
    struct mqtt_packet pubrel = packet_of(MQTT_PUBREL, 5, 0);
    EXPECT_EQUAL(hear(&pubrel).kind, MQTT_GENERAL_NOTHING);
    EXPECT_EQUAL(said(MQTT_PUBCOMP).reason, MQTT_SUCCESS);
    EXPECT_EQUAL(hear(&pubrel).kind, MQTT_GENERAL_NOTHING);
    EXPECT_EQUAL(said(MQTT_PUBCOMP).reason, MQTT_PACKET_IDENTIFIER_NOT_FOUND);
    packet = message("a", 1);
    packet.packet_id = 6;
    EXPECT_EQUAL(hear(&packet).kind, MQTT_GENERAL_PUBLISH);
    mqtt_general_answer(&world.client, &world.port, world.now_us, 6, 1, MQTT_NOT_AUTHORIZED);
    EXPECT_EQUAL(said(MQTT_PUBACK).reason, MQTT_NOT_AUTHORIZED);
    for (uint16_t id = 1; id <= 2; id++) {
        packet.packet_id = id;
        EXPECT_EQUAL(hear(&packet).kind, MQTT_GENERAL_PUBLISH);
    }
    packet.packet_id = 3;
    expect_refused(&packet, MQTT_RECEIVE_MAXIMUM_EXCEEDED);
}

/* [MQTT-3.2.2-11] [MQTT-3.2.2-14] [MQTT-3.2.2-15] [MQTT-3.1.2-25] */
static void what_the_broker_does_not_take_is_not_sent(void)
{
    world_init();
    (void)opened();
    struct mqtt_packet connack = packet_of(MQTT_CONNACK, 0, 0);
    connack.properties.maximum_qos = 1;
    connack.properties.retain_available = 0;
    connack.properties.wildcard_available = 0;
    connack.properties.identifier_available = 0;
    connack.properties.shared_available = 0;
    connack.properties.maximum_packet_bytes = 12;
    connack.properties.present = BIT(36) | BIT(37) | BIT(39) | BIT(40) | BIT(41) | BIT(42);
    EXPECT_EQUAL(hear(&connack).kind, MQTT_GENERAL_READY);
    EXPECT_EQUAL(publish("t", 2, 1), ERR_DENIED);
    struct mqtt_packet retained = message("t", 0);
    retained.retain = true;
    EXPECT_EQUAL(mqtt_general_publish(&world.client, &world.port, 1, &retained, 0), ERR_DENIED);
    EXPECT_EQUAL(publish("12345", 1, 1), ERR_RANGE);
    EXPECT_EQUAL(world.client.sender.count, 0);
    EXPECT_EQUAL(publish("+", 0, 1), ERR_RANGE);
    uint8_t bytes[32];
    static const char *const filters[] = {"#", "$share/s/a"};
    uint16_t packet_id = 0;
    for (uint32_t index = 0; index < 2; index++) {
        struct mqtt_list list = {bytes, sizeof bytes, 0};
        const struct mqtt_subscription one = {.filter = mqtt_text(filters[index])};
        EXPECT_EQUAL(mqtt_list_subscription(&list, &one), ERR_OK);
        EXPECT_EQUAL(mqtt_general_subscribe(&world.client, &world.port, 1, mqtt_list_slice(&list),
                                            0, &packet_id),
                     ERR_DENIED);
    }
    struct mqtt_list list = {bytes, sizeof bytes, 0};
    const struct mqtt_subscription one = {.filter = TEXT("12345")};
    EXPECT_EQUAL(mqtt_list_subscription(&list, &one), ERR_OK);
    const struct mqtt_slice filters_slice = mqtt_list_slice(&list);
    EXPECT_EQUAL(
        mqtt_general_subscribe(&world.client, &world.port, 1, filters_slice, 1, &packet_id),
        ERR_DENIED);
    EXPECT_EQUAL(
        mqtt_general_subscribe(&world.client, &world.port, 1, filters_slice, 0, &packet_id),
        ERR_RANGE); /* 13 bytes */
    EXPECT_EQUAL(world.client.sender.requests[0].packet_id, 0);
    EXPECT_EQUAL(world.said_bytes, 0);
    EXPECT_EQUAL(publish("1234", 1, 1), ERR_OK); /* 12 bytes */
    (void)said(MQTT_PUBLISH);
    (void)happen(EVENT_LINK_DOWN);
    (void)opened();
    connack.session_present = true;
    connack.properties.maximum_packet_bytes = 11; /* less than last time */
    EXPECT_EQUAL(hear(&connack).kind, MQTT_GENERAL_READY);
    EXPECT_EQUAL(happen(EVENT_LINK_WRITABLE).kind, MQTT_GENERAL_RESEND);
    const struct mqtt_packet again = message("1234", 1);
    EXPECT_EQUAL(mqtt_general_resend(&world.client, &world.port, 1, &again), ERR_DENIED);
    EXPECT_EQUAL(happen(EVENT_LINK_WRITABLE).kind, MQTT_GENERAL_NOTHING);
    EXPECT_EQUAL(world.client.sender.count, 0);
}

/* [MQTT-2.2.1-6] */
static void subscriptions_are_answered_filter_by_filter(void)
{
    world_init();
    connected(false);
    uint8_t bytes[32];
    struct mqtt_list list = {bytes, sizeof bytes, 0};
    const struct mqtt_subscription one = {.filter = TEXT("a/#"), .qos = 2, .no_local = true};
    uint16_t packet_id = 0, other_id = 0;
    EXPECT_EQUAL(mqtt_general_subscribe(&world.client, &world.port, 1, mqtt_list_slice(&list), 0,
                                        &packet_id),
                 ERR_RANGE);
    EXPECT_EQUAL(mqtt_list_subscription(&list, &one), ERR_OK);
    EXPECT_EQUAL(mqtt_general_subscribe(&world.client, &world.port, 1, mqtt_list_slice(&list), 77,
                                        &packet_id),
                 ERR_OK);
    struct mqtt_packet packet = said(MQTT_SUBSCRIBE);
    EXPECT_EQUAL(packet.packet_id, packet_id);
    uint32_t identifier = 0;
    EXPECT(mqtt_subscription_identifier_next(&packet.properties.repeated, &identifier));
    EXPECT_EQUAL(identifier, 77);
    list.size_bytes = 0;
    EXPECT_EQUAL(mqtt_list_filter(&list, TEXT("a/#")), ERR_OK);
    EXPECT_EQUAL(
        mqtt_general_unsubscribe(&world.client, &world.port, 1, mqtt_list_slice(&list), &other_id),
        ERR_OK);
    EXPECT_EQUAL(said(MQTT_UNSUBSCRIBE).packet_id, other_id);
    struct mqtt_packet suback = packet_of(MQTT_UNSUBACK, other_id, 0);
    suback.payload = TEXT("\x11");
    EXPECT_EQUAL(hear(&suback).kind, MQTT_GENERAL_SUBACK);
    suback = packet_of(MQTT_SUBACK, packet_id, 0);
    suback.payload = TEXT("\x01");
    const struct mqtt_general_happening happening = hear(&suback);
    EXPECT_EQUAL(happening.kind, MQTT_GENERAL_SUBACK);
    EXPECT_EQUAL(happening.sent.packet_id, packet_id);
    EXPECT_EQUAL(happening.packet.payload.bytes[0], MQTT_GRANTED_QOS_1);
    expect_refused(&suback, MQTT_PROTOCOL_ERROR);
}

/* [MQTT-3.3.2-7] [MQTT-3.2.2-17] */
static void aliases_are_of_one_connection(void)
{
    world_init();
    world.options.aliases_received = world.options.aliases_sent = 4;
    world.options.received_memory = world.memory[0];
    world.options.sent_memory = world.memory[1];
    mqtt_general_init(&world.client, &world.options);
    for (uint32_t round = 0; round < 2; round++) {
        (void)opened();
        struct mqtt_packet connack = packet_of(MQTT_CONNACK, 0, 0);
        connack.properties.topic_alias_maximum = 1;
        connack.properties.present = BIT(MQTT_TOPIC_ALIAS_MAXIMUM);
        connack.session_present = round > 0;
        EXPECT_EQUAL(hear(&connack).kind, MQTT_GENERAL_READY);
        for (uint32_t times = 0; times < 2; times++) {
            EXPECT_EQUAL(publish("t", 0, 0), ERR_OK);
            const struct mqtt_packet packet = said(MQTT_PUBLISH);
            EXPECT_EQUAL(packet.topic.size_bytes, times == 0 ? 1 : 0);
            EXPECT_EQUAL(packet.properties.topic_alias, 1);
        }
        struct mqtt_packet packet = message("x", 0);
        packet.properties.topic_alias = 4;
        packet.properties.present = BIT(MQTT_TOPIC_ALIAS);
        EXPECT_EQUAL(hear(&packet).kind, MQTT_GENERAL_PUBLISH);
        packet.topic = (struct mqtt_slice){NULL, 0};
        const struct mqtt_general_happening happening = hear(&packet);
        EXPECT_EQUAL(happening.kind, MQTT_GENERAL_PUBLISH);
        EXPECT(mqtt_slice_equal(happening.packet.topic, TEXT("x")));
        (void)happen(EVENT_LINK_DOWN);
    }
    connected(true);
    struct mqtt_packet packet = message("x", 0);
    packet.topic = (struct mqtt_slice){NULL, 0};
    packet.properties.topic_alias = 4;
    packet.properties.present = BIT(MQTT_TOPIC_ALIAS);
    expect_refused(&packet, MQTT_PROTOCOL_ERROR);
}

/* [MQTT-3.1.2-20] [MQTT-3.1.2-21] [MQTT-3.2.2-21] */
static void keep_alive_is_the_servers_if_it_says_one(void)
{
    world_init();
    (void)opened();
    EXPECT_EQUAL(mqtt_general_deadline_us(&world.client), SECOND + MQTT_HANDSHAKE_US);
    struct mqtt_packet connack = packet_of(MQTT_CONNACK, 0, 0);
    connack.properties.server_keep_alive_s = 10;
    connack.properties.present = BIT(MQTT_SERVER_KEEP_ALIVE);
    EXPECT_EQUAL(hear(&connack).kind, MQTT_GENERAL_READY);
    EXPECT_EQUAL(mqtt_general_deadline_us(&world.client), 11 * SECOND);
    EXPECT(!mqtt_general_timeout(&world.client, &world.port, 11 * SECOND - 1));
    EXPECT_EQUAL(world.said_bytes, 0);
    EXPECT(!mqtt_general_timeout(&world.client, &world.port, 11 * SECOND));
    (void)said(MQTT_PINGREQ);
    EXPECT_EQUAL(mqtt_general_deadline_us(&world.client), 16 * SECOND);
    EXPECT(mqtt_general_timeout(&world.client, &world.port, 16 * SECOND));
    EXPECT_EQUAL(world.client.state, MQTT_GENERAL_CLOSED);
    EXPECT_EQUAL(world.closes, 1);
    EXPECT_EQUAL(mqtt_general_deadline_us(&world.client), UINT64_MAX);
}

/* [MQTT-4.12.0-3] [MQTT-4.12.0-5] [MQTT-4.12.0-6] [MQTT-4.12.0-7] [MQTT-4.12.1-1] [MQTT-4.12.1-2]
 */
static void authentication_goes_on_until_the_connack_and_may_begin_anew(void)
{
    world_init();
    world.options.authentication_method = TEXT("m");
    world.options.authentication_data = TEXT("1");
    mqtt_general_init(&world.client, &world.options);
    EXPECT(mqtt_slice_equal(opened().properties.authentication_data, TEXT("1")));
    struct mqtt_packet auth = packet_of(MQTT_AUTH, 0, MQTT_CONTINUE_AUTHENTICATION);
    auth.properties.authentication_method = TEXT("m");
    auth.properties.authentication_data = TEXT("2");
    auth.properties.present = BIT(21) | BIT(22);
    struct mqtt_general_happening happening = hear(&auth);
    EXPECT_EQUAL(happening.kind, MQTT_GENERAL_AUTHENTICATE);
    EXPECT(mqtt_slice_equal(happening.packet.properties.authentication_data, TEXT("2")));
    EXPECT_EQUAL(mqtt_general_authenticate(&world.client, &world.port, 1, TEXT("3")), ERR_OK);
    EXPECT_EQUAL(said(MQTT_AUTH).reason, MQTT_CONTINUE_AUTHENTICATION);
    struct mqtt_packet connack = packet_of(MQTT_CONNACK, 0, 0);
    connack.properties.authentication_method = TEXT("m");
    connack.properties.present = BIT(21);
    EXPECT_EQUAL(hear(&connack).kind, MQTT_GENERAL_READY);
    EXPECT_EQUAL(mqtt_general_authenticate(&world.client, &world.port, 1, TEXT("4")), ERR_OK);
    EXPECT_EQUAL(said(MQTT_AUTH).reason, MQTT_REAUTHENTICATE);
    EXPECT_EQUAL(hear(&auth).kind, MQTT_GENERAL_AUTHENTICATE);
    EXPECT_EQUAL(mqtt_general_authenticate(&world.client, &world.port, 1, TEXT("5")), ERR_OK);
    EXPECT_EQUAL(said(MQTT_AUTH).reason, MQTT_CONTINUE_AUTHENTICATION);
    auth.reason = MQTT_SUCCESS;
    EXPECT_EQUAL(hear(&auth).kind, MQTT_GENERAL_AUTHENTICATE);
    expect_refused(&auth, MQTT_PROTOCOL_ERROR); /* none is under way */

    (void)opened();
    EXPECT_EQUAL(hear(&connack).kind, MQTT_GENERAL_READY);
    for (uint32_t round = 0; round < 2; round++) { /* anew, and it fails at either end */
        EXPECT_EQUAL(mqtt_general_authenticate(&world.client, &world.port, 1, TEXT("6")), ERR_OK);
        EXPECT_EQUAL(said(MQTT_AUTH).reason, MQTT_REAUTHENTICATE);
        const uint32_t closes = world.closes;
        if (round == 0) {
            struct mqtt_packet refused = packet_of(MQTT_DISCONNECT, 0, MQTT_NOT_AUTHORIZED);
            happening = hear(&refused);
            EXPECT_EQUAL(happening.kind, MQTT_GENERAL_DOWN);
            EXPECT_EQUAL(happening.reason, MQTT_NOT_AUTHORIZED);
            (void)opened();
            EXPECT_EQUAL(hear(&connack).kind, MQTT_GENERAL_READY);
        } else {
            EXPECT_EQUAL(hear(&auth).kind, MQTT_GENERAL_AUTHENTICATE);
            mqtt_general_close(&world.client, &world.port, 1, MQTT_NOT_AUTHORIZED);
            EXPECT_EQUAL(said(MQTT_DISCONNECT).reason, MQTT_NOT_AUTHORIZED);
        }
        EXPECT_EQUAL(world.closes, closes + 1);
    }

    (void)opened();
    auth.reason = MQTT_CONTINUE_AUTHENTICATION;
    auth.properties.authentication_method = TEXT("other");
    expect_refused(&auth, MQTT_PROTOCOL_ERROR);
    (void)opened();
    connack.properties.present = 0; /* without the method */
    connack.properties.authentication_method = (struct mqtt_slice){NULL, 0};
    expect_refused(&connack, MQTT_PROTOCOL_ERROR);
    world_init();
    (void)opened();
    expect_refused(&auth, MQTT_PROTOCOL_ERROR); /* none was asked for */
}

/* [MQTT-3.1.3-2] [MQTT-3.2.2-16] */
static void an_assigned_client_id_is_used_from_then_on(void)
{
    world_init();
    world.options.client_id = TEXT("");
    (void)opened();
    struct mqtt_packet connack = packet_of(MQTT_CONNACK, 0, 0);
    connack.properties.assigned_client_id = TEXT("given");
    connack.properties.present = BIT(MQTT_ASSIGNED_CLIENT_IDENTIFIER);
    EXPECT_EQUAL(hear(&connack).kind, MQTT_GENERAL_READY);
    (void)happen(EVENT_LINK_DOWN);
    EXPECT(mqtt_slice_equal(opened().client_id, TEXT("given")));
    world_init();
    (void)opened();
    expect_refused(&connack, MQTT_PROTOCOL_ERROR); /* it has one of its own */
}

/* [MQTT-3.2.0-2] [MQTT-3.14.0-1] [MQTT-3.14.2-2] [MQTT-4.13.1-1] */
static void what_a_broker_may_not_say_ends_the_connection(void)
{
    static const enum mqtt_type before[] = {MQTT_PUBACK, MQTT_PINGRESP, MQTT_DISCONNECT,
                                            MQTT_PUBREL, MQTT_PINGREQ};
    for (uint32_t index = 0; index < sizeof before / sizeof before[0]; index++) {
        world_init();
        (void)opened();
        const struct mqtt_packet packet = packet_of(before[index], 1, 0);
        expect_refused(&packet, MQTT_PROTOCOL_ERROR);
    }
    static const enum mqtt_type after[] = {MQTT_CONNACK, MQTT_PINGREQ, MQTT_PUBACK};
    for (uint32_t index = 0; index < sizeof after / sizeof after[0]; index++) {
        world_init();
        connected(false);
        const struct mqtt_packet packet = packet_of(after[index], 1, 0);
        expect_refused(&packet, MQTT_PROTOCOL_ERROR);
    }
    world_init();
    connected(false);
    struct mqtt_packet packet = packet_of(MQTT_DISCONNECT, 0, MQTT_SESSION_TAKEN_OVER);
    packet.properties.session_expiry_s = 1;
    packet.properties.present = BIT(MQTT_SESSION_EXPIRY_INTERVAL);
    expect_refused(&packet, MQTT_PROTOCOL_ERROR);
    connected(true);
    packet.properties.present = 0;
    const struct mqtt_general_happening happening = hear(&packet);
    EXPECT_EQUAL(happening.kind, MQTT_GENERAL_DOWN);
    EXPECT_EQUAL(happening.reason, MQTT_SESSION_TAKEN_OVER);
    EXPECT(!happening.refused);
    EXPECT_EQUAL(world.said_bytes, 0);
    (void)opened();
    packet = packet_of(MQTT_CONNACK, 0, MQTT_BANNED);
    EXPECT_EQUAL(hear(&packet).reason, MQTT_BANNED);
    EXPECT_EQUAL(world.said_bytes, 0);
}

static void a_link_that_fails_or_waits_loses_nothing(void)
{
    world_init();
    connected(false);
    world.later = true;
    EXPECT_EQUAL(publish("a", 1, 1), ERR_OK);
    EXPECT_EQUAL(world.said_bytes, 0);
    world.later = false;
    (void)happen(EVENT_LINK_WRITABLE);
    (void)said(MQTT_PUBLISH);
    world.gone = true;
    EXPECT_EQUAL(publish("b", 1, 2), ERR_OK); /* it may have gone: to be sent again */
    EXPECT_EQUAL(publish("c", 0, 0), ERR_CLOSED);
    EXPECT_EQUAL(mqtt_general_deadline_us(&world.client), 0);
    EXPECT_EQUAL(happen(EVENT_LINK_WRITABLE).kind, MQTT_GENERAL_DOWN);
    connected(true);
    for (uint64_t tag = 1; tag <= 2; tag++) {
        EXPECT_EQUAL(happen(EVENT_LINK_WRITABLE).tag, tag);
        const struct mqtt_packet again = message(tag == 1 ? "a" : "b", 1);
        EXPECT_EQUAL(mqtt_general_resend(&world.client, &world.port, 1, &again), ERR_OK);
        EXPECT(said(MQTT_PUBLISH).dup);
    }
    mqtt_general_close(&world.client, &world.port, world.now_us, MQTT_DISCONNECT_WITH_WILL);
    EXPECT_EQUAL(said(MQTT_DISCONNECT).reason, MQTT_DISCONNECT_WITH_WILL);
    EXPECT_EQUAL(world.client.state, MQTT_GENERAL_CLOSED);
}

int main(void)
{
    RUN(a_connect_says_all_that_was_asked_for);
    RUN(a_session_goes_on_only_if_both_ends_have_it);
    RUN(what_was_not_acked_is_asked_for_and_sent_again_in_order);
    RUN(a_message_is_told_once_and_acked_whatever_the_role_says);
    RUN(what_the_broker_does_not_take_is_not_sent);
    RUN(subscriptions_are_answered_filter_by_filter);
    RUN(aliases_are_of_one_connection);
    RUN(keep_alive_is_the_servers_if_it_says_one);
    RUN(authentication_goes_on_until_the_connack_and_may_begin_anew);
    RUN(an_assigned_client_id_is_used_from_then_on);
    RUN(what_a_broker_may_not_say_ends_the_connection);
    RUN(a_link_that_fails_or_waits_loses_nothing);
    return 0;
}
