/* Goal: the broker is what MQTT 5 says a server is, to clients that nobody here wrote, within its
 * bounds, and what it promised is there after a restart.
 * Method: scripted clients that speak real packets over fake links; virtual time; the durable parts
 * on a real SQLite file behind a switchable VFS. */
#include "core/server/broker.h"

#include <string.h>
#include <unistd.h>

#include "core/check.h"
#include "core/mqtt/filter.h"
#include "core/mqtt/list.h"
#include "core/test/fake_port.h"
#include "core/test/test.h"

_Noreturn void check_failed(const char *file, int line, const char *what)
{
    fprintf(stderr, "%s:%d: CHECK failed: %s\n", file, line, what);
    abort();
}

#define TEXT(text)    ((struct mqtt_slice){(const uint8_t *)(text), sizeof(text) - 1})
#define BIT(property) MQTT_PROPERTY_BIT(property)
#define SECOND        UINT64_C(1000000)

static struct {
    char folder[64], path[96];
    struct fake_disk disk;
    struct fake_port fake;
    struct broker_config config;
    struct broker *broker;
    uint8_t taken[MQTT_PACKET_BYTES_MAX];
    uint32_t later_link; /* this one takes nothing; 0 = none */
    bool more;           /* the next event follows at once */
    int32_t (*link_send)(void *ctx, uint32_t link, const uint8_t *bytes, uint32_t size_bytes);
} rig;

static int32_t send_or_later(void *ctx, uint32_t link, const uint8_t *bytes, uint32_t size_bytes)
{
    return link == rig.later_link ? 0 : rig.link_send(ctx, link, bytes, size_bytes);
}

static void boot(void)
{
    fake_port_init(&rig.fake, &rig.disk, rig.path);
    rig.fake.now_us = 1000 * SECOND;
    rig.link_send = rig.fake.port.link_send;
    rig.fake.port.link_send = send_or_later;
    rig.later_link = 0;
    rig.broker = malloc((size_t)broker_size_bytes(&rig.config));
    EXPECT(rig.broker != NULL);
    broker_init(rig.broker, &rig.config, &rig.fake.port);
}

static void down(void)
{
    EXPECT_EQUAL(rig.fake.unsynced_sends, 0); /* nothing left before its commit */
    broker_drop(rig.broker);
    free(rig.broker);
    fake_port_drop(&rig.fake);
}

static void rig_init(bool durable)
{
    memset(&rig, 0, sizeof rig);
    snprintf(rig.folder, sizeof rig.folder, "/tmp/brownout_XXXXXX");
    EXPECT(mkdtemp(rig.folder) != NULL);
    snprintf(rig.path, sizeof rig.path, "%s/broker.db", rig.folder);
    fake_disk_init(&rig.disk, "fake");
    rig.config = (struct broker_config){.durable = durable,
                                        .connections_max = 8,
                                        .sessions_max = 8,
                                        .subscriptions_max = 16,
                                        .messages_max = 32,
                                        .copies_max = 32,
                                        .retained_max = 4,
                                        .queue_max = 8,
                                        .session_expiry_max_s = 1000,
                                        .receive_maximum = 2};
    boot();
}

static void rig_drop(void)
{
    down();
    fake_disk_erase(rig.path);
    fake_disk_drop(&rig.disk);
    EXPECT_EQUAL(rmdir(rig.folder), 0);
}

static void restart(void)
{
    down();
    boot();
}

static void step(enum event_kind kind, uint32_t link, const uint8_t *bytes, uint32_t size_bytes)
{
    const struct event event = {.kind = kind,
                                .inbound = true,
                                .more = rig.more,
                                .link = link,
                                .bytes = bytes,
                                .size_bytes = size_bytes};
    broker_step(rig.broker, &rig.fake.port, &event);
}

/* Time passes: the broker is woken when it asked to be. */
static void pass(uint64_t seconds)
{
    const uint64_t end_us = rig.fake.now_us + seconds * SECOND;
    while (broker_deadline_us(rig.broker) <= end_us) {
        if (broker_deadline_us(rig.broker) > rig.fake.now_us) {
            rig.fake.now_us = broker_deadline_us(rig.broker);
        }
        step(EVENT_TIMEOUT, 0, NULL, 0);
    }
    rig.fake.now_us = end_us;
}

static uint32_t link_up(void)
{
    const uint32_t link = fake_port_accept(&rig.fake, 9);
    step(EVENT_LINK_UP, link, NULL, 0);
    return link;
}

static void say(uint32_t link, const struct mqtt_packet *packet)
{
    uint8_t bytes[MQTT_PACKET_BYTES_MAX];
    uint32_t size_bytes = sizeof bytes;
    EXPECT_EQUAL(mqtt_encode(packet, bytes, &size_bytes), ERR_OK);
    step(EVENT_LINK_DATA, link, bytes, size_bytes);
}

static bool silent(uint32_t link)
{
    return fake_port_link(&rig.fake, link)->size_bytes == 0;
}

static bool is_open(uint32_t link)
{
    return fake_port_link(&rig.fake, link)->open;
}

/* The next packet that came; its slices are good until the next call. */
static struct mqtt_packet heard(uint32_t link, enum mqtt_type type)
{
    struct fake_link *from = fake_port_link(&rig.fake, link);
    struct mqtt_packet packet;
    uint32_t size_bytes = 0;
    uint8_t reason = 0;
    EXPECT_EQUAL(mqtt_packet_size(from->bytes, from->size_bytes, &size_bytes, &reason), ERR_OK);
    memcpy(rig.taken, from->bytes, size_bytes);
    from->size_bytes -= size_bytes;
    memmove(from->bytes, from->bytes + size_bytes, from->size_bytes);
    EXPECT_EQUAL(mqtt_decode(rig.taken, size_bytes, &packet, &reason), ERR_OK);
    EXPECT_EQUAL(packet.type, type);
    return packet;
}

static struct mqtt_packet packet_of(enum mqtt_type type, uint16_t packet_id, uint8_t reason)
{
    struct mqtt_packet packet;
    mqtt_packet_init(&packet, type);
    packet.packet_id = packet_id;
    packet.reason = reason;
    return packet;
}

static struct mqtt_packet connect_of(const char *client, bool clean_start, uint32_t expiry_s)
{
    struct mqtt_packet packet;
    mqtt_packet_init(&packet, MQTT_CONNECT);
    packet.client_id = mqtt_text(client);
    packet.clean_start = clean_start;
    packet.properties.session_expiry_s = expiry_s;
    packet.properties.present = expiry_s > 0 ? BIT(MQTT_SESSION_EXPIRY_INTERVAL) : 0;
    return packet;
}

static uint32_t connected_by(const struct mqtt_packet *connect, bool present)
{
    const uint32_t link = link_up();
    say(link, connect);
    const struct mqtt_packet connack = heard(link, MQTT_CONNACK);
    EXPECT_EQUAL(connack.reason, 0);
    EXPECT_EQUAL(connack.session_present, present);
    return link;
}

static uint32_t connected(const char *client, bool clean_start, uint32_t expiry_s, bool present)
{
    const struct mqtt_packet connect = connect_of(client, clean_start, expiry_s);
    return connected_by(&connect, present);
}

static uint32_t fresh(const char *client)
{
    return connected(client, true, 0, false);
}

static uint8_t subscribe_with(uint32_t link, const struct mqtt_subscription *one,
                              uint32_t identifier)
{
    uint8_t bytes[160], more[8];
    struct mqtt_list list = {bytes, sizeof bytes, 0}, identifiers = {more, sizeof more, 0};
    struct mqtt_packet packet = packet_of(MQTT_SUBSCRIBE, 77, 0);
    EXPECT_EQUAL(mqtt_list_subscription(&list, one), ERR_OK);
    packet.payload = mqtt_list_slice(&list);
    if (identifier > 0) {
        EXPECT_EQUAL(mqtt_list_subscription_identifier(&identifiers, identifier), ERR_OK);
        packet.properties.repeated = mqtt_list_slice(&identifiers);
        packet.properties.present = BIT(MQTT_SUBSCRIPTION_IDENTIFIER);
    }
    say(link, &packet);
    const struct mqtt_packet suback = heard(link, MQTT_SUBACK);
    EXPECT_EQUAL(suback.packet_id, 77);
    EXPECT_EQUAL(suback.payload.size_bytes, 1);
    return suback.payload.bytes[0];
}

static void subscribe(uint32_t link, const char *filter, uint8_t qos)
{
    const struct mqtt_subscription one = {.filter = mqtt_text(filter), .qos = qos};
    EXPECT_EQUAL(subscribe_with(link, &one, 0), qos);
}

static struct mqtt_packet message(const char *topic, const char *payload, uint8_t qos,
                                  uint16_t packet_id)
{
    struct mqtt_packet packet = packet_of(MQTT_PUBLISH, packet_id, 0);
    packet.topic = mqtt_text(topic);
    packet.payload = mqtt_text(payload);
    packet.qos = qos;
    return packet;
}

static void publish(uint32_t link, const char *topic, const char *payload, uint8_t qos,
                    uint16_t packet_id)
{
    const struct mqtt_packet packet = message(topic, payload, qos, packet_id);
    say(link, &packet);
}

static struct mqtt_packet expect_message(uint32_t link, const char *topic, const char *payload,
                                         uint8_t qos)
{
    const struct mqtt_packet packet = heard(link, MQTT_PUBLISH);
    EXPECT(mqtt_slice_equal(packet.topic, mqtt_text(topic)));
    EXPECT(mqtt_slice_equal(packet.payload, mqtt_text(payload)));
    EXPECT_EQUAL(packet.qos, qos);
    return packet;
}

static void answer(uint32_t link, enum mqtt_type type, uint16_t packet_id)
{
    const struct mqtt_packet packet = packet_of(type, packet_id, 0);
    say(link, &packet);
}

static void expect_ended(uint32_t link, enum mqtt_type with, uint8_t reason)
{
    EXPECT_EQUAL(heard(link, with).reason, reason);
    EXPECT(silent(link)); /* [MQTT-3.14.4-1] */
    EXPECT(!is_open(link));
}

static struct broker_view view(void)
{
    struct broker_view now;
    broker_view(rig.broker, &now);
    return now;
}

/* [MQTT-3.1.0-1] [MQTT-3.1.0-2] [MQTT-3.1.2-2] [MQTT-3.2.0-1] [MQTT-3.2.2-7] [MQTT-3.14.0-1]
 * [MQTT-4.13.1-1] */
static void what_a_client_may_not_say_ends_its_connection_with_a_reason(void)
{
    rig_init(false);
    uint32_t link = link_up();
    answer(link, MQTT_PINGREQ, 0);
    expect_ended(link, MQTT_CONNACK, MQTT_PROTOCOL_ERROR);
    link = link_up();
    step(EVENT_LINK_DATA, link, (const uint8_t *)"\x10\x0C\0\4MQTT\4\2\0\0\0\0", 14);
    expect_ended(link, MQTT_CONNACK, MQTT_UNSUPPORTED_PROTOCOL_VERSION);
    link = link_up();
    struct mqtt_packet connect = connect_of("c", true, 0);
    connect.properties.authentication_method = TEXT("m");
    connect.properties.present = BIT(MQTT_AUTHENTICATION_METHOD);
    say(link, &connect);
    expect_ended(link, MQTT_CONNACK, MQTT_BAD_AUTHENTICATION_METHOD);

    link = fresh("c");
    connect = connect_of("c", true, 0);
    say(link, &connect);
    expect_ended(link, MQTT_DISCONNECT, MQTT_PROTOCOL_ERROR);
    link = fresh("c");
    step(EVENT_LINK_DATA, link, (const uint8_t *)"\x30\x04\0\1#\0", 6);
    expect_ended(link, MQTT_DISCONNECT, MQTT_MALFORMED_PACKET);
    static const enum mqtt_type wrong[] = {MQTT_CONNACK, MQTT_PINGRESP, MQTT_PUBACK};
    for (uint32_t index = 0; index < sizeof wrong / sizeof wrong[0]; index++) {
        link = fresh("c");
        answer(link, wrong[index], 1);
        expect_ended(link, MQTT_DISCONNECT, MQTT_PROTOCOL_ERROR);
    }
    link = fresh("c");
    struct mqtt_packet packet = message("t", "", 0, 0);
    uint8_t bytes[8];
    struct mqtt_list list = {bytes, sizeof bytes, 0};
    EXPECT_EQUAL(mqtt_list_subscription_identifier(&list, 1), ERR_OK);
    packet.properties.repeated = mqtt_list_slice(&list);
    packet.properties.present = BIT(MQTT_SUBSCRIPTION_IDENTIFIER);
    say(link, &packet); /* [MQTT-3.3.4-6] */
    expect_ended(link, MQTT_DISCONNECT, MQTT_PROTOCOL_ERROR);
    link = fresh("c"); /* what follows a refused packet is not read */
    step(EVENT_LINK_DATA, link, (const uint8_t *)"\xD0\0\xC0\0", 4);
    expect_ended(link, MQTT_DISCONNECT, MQTT_PROTOCOL_ERROR);
    link = fresh("c");
    step(EVENT_LINK_DATA, link, (const uint8_t *)"\xC0\0\xC0\0", 4);
    (void)heard(link, MQTT_PINGRESP);
    (void)heard(link, MQTT_PINGRESP);
    EXPECT_EQUAL(view().sessions, 1);
    rig_drop();
}

/* [MQTT-3.1.3-6] [MQTT-3.1.3-7] [MQTT-3.2.2-16] [MQTT-3.2.2-21] */
static void who_says_nothing_makes_place_and_has_a_limit(void)
{
    enum { CONNECTIONS = 8 };
    uint32_t links[CONNECTIONS];
    rig_init(false);
    const uint32_t honest = fresh("honest");
    for (uint32_t index = 0; index < CONNECTIONS - 1; index++) {
        links[index] = link_up();
        rig.fake.now_us++;
    }
    EXPECT_EQUAL(fake_port_count(&rig.fake, EVIDENCE_REFUSE), 0);
    links[CONNECTIONS - 1] = link_up();
    EXPECT_EQUAL(fake_port_count(&rig.fake, EVIDENCE_REFUSE), 1);
    EXPECT_EQUAL(fake_port_last(&rig.fake, EVIDENCE_REFUSE)->value, REFUSAL_SESSIONS);
    EXPECT(!is_open(links[0]) && is_open(links[1]) && is_open(links[CONNECTIONS - 1]));
    const uint32_t second = fresh("second");
    EXPECT(!is_open(links[1]) && is_open(links[2]));
    pass(11); /* CONNECT has 10 s */
    for (uint32_t index = 0; index < CONNECTIONS; index++) {
        EXPECT(!is_open(links[index]));
    }
    EXPECT_EQUAL(fake_port_last(&rig.fake, EVIDENCE_DROP)->value, REFUSAL_LATE);
    EXPECT_EQUAL(fake_port_count(&rig.fake, EVIDENCE_DROP), CONNECTIONS - 2);
    EXPECT(is_open(honest) && is_open(second));
    /* Who is connected makes place for nobody. */
    for (uint32_t index = 0; index < CONNECTIONS - 2; index++) {
        char name[16];
        snprintf(name, sizeof name, "more%u", (unsigned)index);
        links[index] = fresh(name);
        EXPECT(is_open(links[index]));
    }
    EXPECT(!is_open(link_up()));
    EXPECT(is_open(honest) && is_open(second) && is_open(links[0]));
    rig_drop();
}

static void a_connack_says_what_the_client_asked_for_and_did_not_get(void)
{
    rig_init(false);
    rig.config.keep_alive_max_s = 60;
    rig.config.users = (const struct broker_user[]){{TEXT("u"), TEXT("secret")}};
    rig.config.user_count = 1;
    restart();
    struct mqtt_packet connect = connect_of("", true, 5000);
    uint32_t link = link_up();
    say(link, &connect);
    expect_ended(link, MQTT_CONNACK, MQTT_BAD_USER_NAME_OR_PASSWORD);
    connect.user_name = TEXT("u");
    connect.password = TEXT("secre");
    link = link_up();
    say(link, &connect);
    expect_ended(link, MQTT_CONNACK, MQTT_BAD_USER_NAME_OR_PASSWORD);
    connect.password = TEXT("secret");
    link = link_up();
    say(link, &connect);
    const struct mqtt_packet connack = heard(link, MQTT_CONNACK);
    EXPECT_EQUAL(connack.properties.session_expiry_s, 1000);
    EXPECT_EQUAL(connack.properties.server_keep_alive_s, 60);
    EXPECT_EQUAL(connack.properties.receive_maximum, 2);
    EXPECT(connack.properties.assigned_client_id.size_bytes > 0);
    pass(89);
    EXPECT(is_open(link));
    pass(1); /* [MQTT-3.1.2-22] */
    expect_ended(link, MQTT_DISCONNECT, MQTT_KEEP_ALIVE_TIMEOUT);
    rig_drop();
}

/* [MQTT-4.6.0-5] [MQTT-3.8.4-8] [MQTT-3.3.1-12] [MQTT-3.3.2-17] [MQTT-3.3.2-18] */
static void a_message_reaches_those_who_subscribed_and_nobody_else(void)
{
    rig_init(false);
    const uint32_t a = fresh("a"), b = fresh("b"), p = fresh("p");
    subscribe(a, "x/+", 1);
    subscribe(b, "x/#", 2);
    uint8_t bytes[64];
    struct mqtt_list list = {bytes, sizeof bytes, 0};
    EXPECT_EQUAL(mqtt_list_user_property(&list, TEXT("k"), TEXT("2")), ERR_OK);
    EXPECT_EQUAL(mqtt_list_user_property(&list, TEXT("k"), TEXT("1")), ERR_OK);
    struct mqtt_packet packet = message("x/1", "one", 2, 5);
    packet.properties.repeated = mqtt_list_slice(&list);
    packet.properties.content_type = TEXT("t");
    packet.properties.response_topic = TEXT("r");
    packet.properties.correlation_data = TEXT("\xFF");
    packet.properties.payload_format = 1;
    packet.properties.present = BIT(38) | BIT(3) | BIT(8) | BIT(9) | BIT(1);
    say(p, &packet);
    EXPECT_EQUAL(heard(p, MQTT_PUBREC).reason, 0);
    answer(p, MQTT_PUBREL, 5);
    EXPECT_EQUAL(heard(p, MQTT_PUBCOMP).packet_id, 5);
    const struct mqtt_packet one = expect_message(a, "x/1", "one", 1);
    struct mqtt_slice rest = one.properties.repeated, name, value;
    EXPECT(mqtt_user_property_next(&rest, &name, &value));
    EXPECT(mqtt_slice_equal(value, TEXT("2")));
    EXPECT(mqtt_user_property_next(&rest, &name, &value));
    EXPECT(mqtt_slice_equal(value, TEXT("1")));
    EXPECT(mqtt_slice_equal(one.properties.content_type, TEXT("t")));
    EXPECT(mqtt_slice_equal(one.properties.response_topic, TEXT("r")));
    EXPECT(mqtt_slice_equal(one.properties.correlation_data, TEXT("\xFF")));
    EXPECT_EQUAL(one.properties.payload_format, 1);
    EXPECT(!one.retain);
    const uint16_t id = expect_message(b, "x/1", "one", 2).packet_id;
    answer(a, MQTT_PUBACK, one.packet_id);
    answer(b, MQTT_PUBREC, id);
    EXPECT_EQUAL(heard(b, MQTT_PUBREL).packet_id, id);
    answer(b, MQTT_PUBCOMP, id);
    EXPECT_EQUAL(view().copies, 0);
    EXPECT_EQUAL(view().messages, 0);
    publish(p, "y", "two", 1, 6);
    EXPECT_EQUAL(heard(p, MQTT_PUBACK).reason, MQTT_NO_MATCHING_SUBSCRIBERS);
    EXPECT(silent(a) && silent(b));
    struct mqtt_packet unsubscribe = packet_of(MQTT_UNSUBSCRIBE, 8, 0);
    list.size_bytes = 0;
    EXPECT_EQUAL(mqtt_list_filter(&list, TEXT("x/+")), ERR_OK);
    EXPECT_EQUAL(mqtt_list_filter(&list, TEXT("none")), ERR_OK);
    unsubscribe.payload = mqtt_list_slice(&list);
    say(a, &unsubscribe);
    EXPECT(mqtt_slice_equal(heard(a, MQTT_UNSUBACK).payload, TEXT("\x00\x11")));
    publish(p, "x/1", "three", 0, 0);
    EXPECT(silent(a));
    (void)expect_message(b, "x/1", "three", 0);
    rig_drop();
}

/* [MQTT-3.8.3-3] [MQTT-3.3.4-2] [MQTT-3.3.4-3] [MQTT-3.3.4-5] [MQTT-3.8.4-3] [MQTT-3.3.1-13] */
static void options_of_a_subscription_are_kept(void)
{
    rig_init(false);
    const uint32_t a = fresh("a"), p = fresh("p");
    struct mqtt_subscription one = {.filter = TEXT("t"), .qos = 0, .no_local = true};
    EXPECT_EQUAL(subscribe_with(a, &one, 5), 0);
    publish(a, "t", "own", 0, 0);
    EXPECT(silent(a));
    publish(p, "t", "other", 0, 0);
    uint32_t identifier = 0;
    struct mqtt_packet packet = expect_message(a, "t", "other", 0);
    EXPECT(mqtt_subscription_identifier_next(&packet.properties.repeated, &identifier));
    EXPECT_EQUAL(identifier, 5);
    one = (struct mqtt_subscription){.filter = TEXT("t"), .qos = 1, .retain_as_published = true};
    EXPECT_EQUAL(subscribe_with(a, &one, 6), 1); /* replaces it */
    EXPECT_EQUAL(view().subscriptions, 1);
    packet = message("t", "kept", 1, 9);
    packet.retain = true;
    say(p, &packet);
    packet = expect_message(a, "t", "kept", 1);
    EXPECT(packet.retain);
    EXPECT(mqtt_subscription_identifier_next(&packet.properties.repeated, &identifier));
    EXPECT_EQUAL(identifier, 6);
    EXPECT(!mqtt_subscription_identifier_next(&packet.properties.repeated, &identifier));
    subscribe(a, "#", 0); /* a copy for each that matches */
    (void)expect_message(a, "t", "kept", 0);
    publish(p, "t", "both", 1, 10);
    EXPECT_EQUAL(heard(a, MQTT_PUBLISH).qos + heard(a, MQTT_PUBLISH).qos, 1);
    rig_drop();
}

/* [MQTT-3.3.1-5] [MQTT-3.3.1-6] [MQTT-3.3.1-7] [MQTT-3.3.1-8] [MQTT-3.3.1-9] [MQTT-3.3.1-10]
 * [MQTT-3.3.1-11] [MQTT-3.3.2-5] */
static void retained_messages_are_for_those_who_come_later(void)
{
    rig_init(false);
    const uint32_t p = fresh("p"), a = fresh("a");
    struct mqtt_packet packet = message("t", "1", 0, 0);
    packet.retain = true;
    say(p, &packet);
    packet.payload = TEXT("2");
    say(p, &packet);
    publish(p, "t", "not kept", 0, 0);
    struct mqtt_subscription one = {.filter = TEXT("+"), .retain_handling = MQTT_RETAINED_IF_NEW};
    EXPECT_EQUAL(subscribe_with(a, &one, 0), 0);
    EXPECT(expect_message(a, "t", "2", 0).retain);
    EXPECT_EQUAL(subscribe_with(a, &one, 0), 0);
    EXPECT(silent(a));
    one.retain_handling = MQTT_RETAINED_ALWAYS;
    EXPECT_EQUAL(subscribe_with(a, &one, 0), 0);
    (void)expect_message(a, "t", "2", 0);
    one.retain_handling = MQTT_RETAINED_NEVER;
    EXPECT_EQUAL(subscribe_with(a, &one, 0), 0);
    EXPECT(silent(a));
    const uint32_t b = fresh("b");
    subscribe(b, "t", 0); /* a filter that is a topic */
    EXPECT(expect_message(b, "t", "2", 0).retain);
    subscribe(b, "s", 0);
    EXPECT(silent(b));
    packet.payload = TEXT("");
    say(p, &packet);
    EXPECT(!expect_message(a, "t", "", 0).retain);
    EXPECT_EQUAL(view().retained, 0);
    packet = message("u", "brief", 0, 0);
    packet.retain = true;
    packet.properties.message_expiry_s = 10;
    packet.properties.present = BIT(MQTT_MESSAGE_EXPIRY_INTERVAL);
    say(p, &packet);
    (void)heard(a, MQTT_PUBLISH);
    pass(4);
    one.retain_handling = MQTT_RETAINED_ALWAYS;
    EXPECT_EQUAL(subscribe_with(a, &one, 0), 0);
    EXPECT_EQUAL(expect_message(a, "u", "brief", 0).properties.message_expiry_s, 6);
    pass(7);
    EXPECT_EQUAL(subscribe_with(a, &one, 0), 0);
    EXPECT(silent(a));
    EXPECT_EQUAL(view().retained, 0);
    for (uint32_t index = 0; index < 5; index++) { /* four have room */
        char topic[2] = {(char)('a' + index), '\0'};
        packet = message(topic, "x", 1, 3);
        packet.retain = true;
        say(p, &packet);
        EXPECT_EQUAL(heard(p, MQTT_PUBACK).reason, index < 4 ? 0 : MQTT_QUOTA_EXCEEDED);
    }
    rig_drop();
}

/* [MQTT-3.8.4-8] for those who come later, too, and over a restart. */
static void a_retained_message_has_at_most_the_qos_of_its_publisher(void)
{
    rig_init(true);
    const uint32_t p = fresh("p"), a = fresh("a");
    struct mqtt_packet packet = message("t/0", "0", 0, 0);
    packet.retain = true;
    say(p, &packet);
    packet = message("t/1", "1", 1, 1);
    packet.retain = true;
    say(p, &packet);
    (void)heard(p, MQTT_PUBACK);
    subscribe(a, "t/0", 2);
    (void)expect_message(a, "t/0", "0", 0);
    subscribe(a, "t/1", 2);
    (void)expect_message(a, "t/1", "1", 1);
    restart();
    const uint32_t b = fresh("b");
    subscribe(b, "t/0", 1);
    (void)expect_message(b, "t/0", "0", 0);
    subscribe(b, "t/1", 2);
    (void)expect_message(b, "t/1", "1", 1);
    rig_drop();
}

/* [MQTT-3.1.2-5] [MQTT-3.1.2-6] [MQTT-3.1.2-4] [MQTT-4.1.0-2] [MQTT-4.4.0-1] [MQTT-4.3.3-10] */
static void a_session_goes_on_where_its_connection_ended(void)
{
    rig_init(false);
    uint32_t a = connected("a", false, 100, false);
    const uint32_t p = fresh("p");
    subscribe(a, "t", 2);
    publish(p, "t", "1", 1, 1);
    const uint16_t first = expect_message(a, "t", "1", 1).packet_id;
    publish(p, "t", "2", 2, 2);
    const uint16_t second = expect_message(a, "t", "2", 2).packet_id;
    publish(a, "u", "mine", 2, 9);
    EXPECT_EQUAL(heard(a, MQTT_PUBREC).packet_id, 9);
    step(EVENT_LINK_DOWN, a, NULL, 0);
    publish(p, "t", "3", 1, 1);
    publish(p, "t", "at most once", 0, 0);
    a = connected("a", false, 100, true);
    struct mqtt_packet packet = expect_message(a, "t", "1", 1);
    EXPECT(packet.dup);
    EXPECT_EQUAL(packet.packet_id, first);
    packet = expect_message(a, "t", "2", 2);
    EXPECT(packet.dup);
    EXPECT_EQUAL(packet.packet_id, second);
    answer(a, MQTT_PUBACK, first); /* with small limits two are in flight at most */
    packet = expect_message(a, "t", "3", 1);
    EXPECT(!packet.dup);
    EXPECT(silent(a));
    answer(a, MQTT_PUBACK, packet.packet_id);
    packet = message("u", "mine", 2, 9);
    packet.dup = true;
    say(a, &packet); /* told once */
    EXPECT_EQUAL(heard(a, MQTT_PUBREC).packet_id, 9);
    EXPECT_EQUAL(view().published, 5);
    answer(a, MQTT_PUBREC, second);
    EXPECT_EQUAL(heard(a, MQTT_PUBREL).packet_id, second);
    step(EVENT_LINK_DOWN, a, NULL, 0);
    pass(99);
    a = connected("a", false, 100, true);
    EXPECT_EQUAL(heard(a, MQTT_PUBREL).packet_id, second);
    step(EVENT_LINK_DOWN, a, NULL, 0);
    pass(100);
    EXPECT_EQUAL(view().sessions, 1); /* of p */
    EXPECT_EQUAL(view().copies, 0);
    EXPECT_EQUAL(view().subscriptions, 0);
    a = connected("a", false, 100, false);
    step(EVENT_LINK_DOWN, a, NULL, 0);
    a = connected("a", true, 0, false);
    struct mqtt_packet disconnect = packet_of(MQTT_DISCONNECT, 0, 0);
    disconnect.properties.session_expiry_s = 9;
    disconnect.properties.present = BIT(MQTT_SESSION_EXPIRY_INTERVAL);
    say(a, &disconnect); /* it was 0 */
    expect_ended(a, MQTT_DISCONNECT, MQTT_PROTOCOL_ERROR);
    rig_drop();
}

/* [MQTT-3.1.4-3] [MQTT-3.1.2-8] [MQTT-3.1.2-10] [MQTT-3.1.3-9] [MQTT-3.14.4-3] [MQTT-3.1.2-14]
 * [MQTT-3.1.2-15] */
static void a_will_comes_when_its_client_does_not(void)
{
    rig_init(false);
    const uint32_t s = fresh("s");
    subscribe(s, "w", 1);
    struct mqtt_packet connect = connect_of("a", false, 100);
    uint8_t bytes[16];
    connect.will = true;
    connect.topic = TEXT("w");
    connect.payload = TEXT("gone");
    connect.qos = 1;
    struct mqtt_properties properties;
    mqtt_properties_init(&properties);
    properties.will_delay_s = 10;
    properties.present = BIT(MQTT_WILL_DELAY_INTERVAL);
    uint32_t size_bytes = sizeof bytes;
    EXPECT_EQUAL(mqtt_encode_will_properties(&properties, bytes, &size_bytes), ERR_OK);
    connect.will_properties = (struct mqtt_slice){bytes, size_bytes};
    uint32_t a = connected_by(&connect, false);
    step(EVENT_LINK_DOWN, a, NULL, 0);
    pass(9);
    a = connected_by(&connect, true); /* in time */
    pass(20);
    EXPECT(silent(s));
    step(EVENT_LINK_DOWN, a, NULL, 0);
    pass(10);
    const uint16_t id = expect_message(s, "w", "gone", 1).packet_id;
    answer(s, MQTT_PUBACK, id);
    pass(50);
    EXPECT(silent(s)); /* once */
    a = connected_by(&connect, true);
    answer(a, MQTT_DISCONNECT, 0); /* 0x00: without it */
    EXPECT(!is_open(a));
    pass(20);
    EXPECT(silent(s));
    a = connected_by(&connect, true);
    const struct mqtt_packet leave = packet_of(MQTT_DISCONNECT, 0, MQTT_DISCONNECT_WITH_WILL);
    say(a, &leave);
    pass(10);
    answer(s, MQTT_PUBACK, expect_message(s, "w", "gone", 1).packet_id);

    a = connected_by(&connect, true);
    const uint32_t again = connected_by(&connect, true); /* taken over: back in time */
    expect_ended(a, MQTT_DISCONNECT, MQTT_SESSION_TAKEN_OVER);
    step(EVENT_LINK_DOWN, a, NULL, 0); /* a late word of the old link */
    EXPECT(is_open(again));
    pass(20);
    EXPECT(silent(s));
    connect.clean_start = true; /* the session ends, and its will with it */
    a = connected_by(&connect, false);
    (void)expect_message(s, "w", "gone", 1);
    expect_ended(again, MQTT_DISCONNECT, MQTT_SESSION_TAKEN_OVER);
    rig_drop();
}

/* [MQTT-4.8.2-3] [MQTT-4.8.2-4] [MQTT-4.8.2-5] [MQTT-4.8.2-6] */
static void a_shared_subscription_gives_each_message_to_one(void)
{
    rig_init(false);
    const uint32_t p = fresh("p");
    uint32_t members[2] = {connected("a", true, 100, false), connected("b", true, 100, false)};
    subscribe(members[0], "$share/s/t", 1);
    subscribe(members[1], "$share/s/t", 1);
    const uint32_t other = fresh("c");
    subscribe(other, "$share/other/t", 0);
    uint32_t counts[2] = {0, 0};
    for (uint16_t round = 1; round <= 6; round++) {
        publish(p, "t", "x", 1, round);
        EXPECT_EQUAL(heard(p, MQTT_PUBACK).reason, 0);
        (void)expect_message(other, "t", "x", 0);
        EXPECT(silent(members[0]) != silent(members[1]));
        const uint32_t who = silent(members[0]) ? 1 : 0;
        counts[who]++;
        answer(members[who], MQTT_PUBACK, heard(members[who], MQTT_PUBLISH).packet_id);
    }
    EXPECT(counts[0] > 0 && counts[1] > 0);
    step(EVENT_LINK_DOWN, members[0], NULL, 0); /* those who are here come first */
    for (uint16_t round = 1; round <= 3; round++) {
        publish(p, "t", "y", 1, round);
        struct mqtt_packet packet = expect_message(members[1], "t", "y", 1);
        packet = packet_of(MQTT_PUBACK, packet.packet_id, MQTT_UNSPECIFIED_ERROR);
        say(members[1], &packet); /* refused: to nobody else */
    }
    members[0] = connected("a", false, 100, true);
    EXPECT(silent(members[0]));
    struct mqtt_subscription one = {.filter = TEXT("$share/s/t"), .qos = 1};
    struct mqtt_packet retained = message("t", "kept", 0, 0);
    retained.retain = true;
    say(p, &retained);
    const uint32_t last = silent(members[0]) ? 1 : 0;
    (void)expect_message(members[last], "t", "kept", 0);
    EXPECT_EQUAL(subscribe_with(members[0], &one, 0), 1);
    EXPECT(silent(members[0])); /* no retained ones for a share */
    /* The one that stands for all goes, and the others are served as before. */
    static const char *const names[] = {"a", "b"};
    while (!silent(other)) {
        (void)heard(other, MQTT_PUBLISH);
    }
    for (uint32_t index = 0; index < 2; index++) {
        members[index] = connected(names[index], true, 0, false); /* its old session ends */
        for (uint16_t round = 1; round <= 2; round++) {
            publish(p, "t", "z", 1, round);
            EXPECT_EQUAL(heard(p, MQTT_PUBACK).reason, 0);
            answer(members[1 - index], MQTT_PUBACK,
                   expect_message(members[1 - index], "t", "z", 1).packet_id);
            EXPECT(silent(members[index]));
            (void)expect_message(other, "t", "z", 0);
        }
        EXPECT_EQUAL(subscribe_with(members[index], &one, 0), 1);
    }
    rig_drop();
}

static uint8_t unsubscribe(uint32_t link, const char *filter)
{
    uint8_t bytes[64];
    struct mqtt_packet packet = packet_of(MQTT_UNSUBSCRIBE, 8, 0);
    struct mqtt_list list = {bytes, sizeof bytes, 0};
    EXPECT_EQUAL(mqtt_list_filter(&list, mqtt_text(filter)), ERR_OK);
    packet.payload = mqtt_list_slice(&list);
    say(link, &packet);
    return heard(link, MQTT_UNSUBACK).payload.bytes[0];
}

/* Each filter of up to three levels of "a", "b", "", "+" and "#" with each topic of such levels:
 * who is found is who matches. */
static void who_matches_is_found_and_nobody_else(void)
{
    static const char *const levels[] = {"a", "b", "", "+", "#"};
    char filters[155][12], topics[39][12];
    uint32_t filter_count = 0, topic_count = 0;
    for (uint32_t code = 0; code < 6 * 6 * 6; code++) {
        char text[12] = "";
        bool wild = false;
        for (uint32_t rest = code, depth = 0; rest > 0; rest /= 6, depth++) {
            const uint32_t level = rest % 6;
            wild = wild || level > 3;
            strcat(text, depth > 0 ? "/" : "");
            strcat(text, level > 0 ? levels[level - 1] : "?");
        }
        const struct mqtt_slice slice = mqtt_text(text);
        if (strchr(text, '?') != NULL || slice.size_bytes == 0) {
            continue;
        }
        if (!wild) {
            EXPECT(topic_count < 39);
            strcpy(topics[topic_count++], text);
        }
        if (mqtt_filter_valid(slice)) {
            EXPECT(filter_count < 155);
            strcpy(filters[filter_count++], text);
        }
    }
    EXPECT(topic_count > 30 && filter_count > 80);
    rig_init(false);
    rig.config.subscriptions_max = rig.config.copies_max = rig.config.queue_max = 200;
    restart();
    const uint32_t p = fresh("p"), s = fresh("s");
    for (uint32_t turn = 0; turn < 2; turn++) { /* the second time without each third */
        for (uint32_t index = 0; index < filter_count; index++) {
            struct mqtt_subscription one = {.filter = mqtt_text(filters[index]), .qos = 0};
            if (turn == 0) {
                EXPECT_EQUAL(subscribe_with(s, &one, 0), 0);
            } else if (index % 3 == 0) {
                EXPECT_EQUAL(unsubscribe(s, filters[index]), 0);
            }
        }
        for (uint32_t topic = 0; topic < topic_count; topic++) {
            uint32_t wanted = 0, came = 0;
            for (uint32_t index = 0; index < filter_count; index++) {
                wanted += (turn == 0 || index % 3 != 0) &&
                          mqtt_filter_matches(mqtt_text(filters[index]), mqtt_text(topics[topic]));
            }
            publish(p, topics[topic], "x", 0, 0);
            for (; !silent(s); came++) {
                (void)expect_message(s, topics[topic], "x", 0);
            }
            EXPECT_EQUAL(came, wanted);
        }
    }
    rig_drop();
}

/* Several events, and one commit: nothing is seen of the first ones before it. */
static void events_that_follow_at_once_share_a_commit(void)
{
    rig_init(true);
    rig.config.queue_max = 16;
    restart();
    const uint32_t a = connected("a", false, 100, false);
    subscribe(a, "t", 1);
    const uint32_t b = connected("b", false, 100, false);
    const uint64_t commits = view().commits;
    const uint32_t publishers[] = {a, a, b, b};
    rig.more = true;
    for (uint32_t index = 0; index < 4; index++) {
        publish(publishers[index], "t", "x", 1, (uint16_t)(index + 1));
        EXPECT(silent(a) && silent(b));
        EXPECT_EQUAL(view().commits, commits);
        EXPECT_EQUAL(broker_deadline_us(rig.broker), 0); /* to be settled at once */
    }
    rig.more = false;
    step(EVENT_TIMEOUT, 0, NULL, 0);
    EXPECT_EQUAL(view().commits, commits + 1);
    EXPECT(broker_deadline_us(rig.broker) > 0);
    for (uint32_t index = 0; index < 4; index++) {
        EXPECT_EQUAL(heard(publishers[index], MQTT_PUBACK).packet_id, index + 1);
    }
    for (uint32_t index = 0; index < 4; index++) {
        answer(a, MQTT_PUBACK, expect_message(a, "t", "x", 1).packet_id);
    }
    rig.more =
        true; /* who published goes before it is settled, and another one comes in its place */
    publish(b, "t", "y", 1, 9);
    step(EVENT_LINK_DOWN, b, NULL, 0);
    const struct mqtt_packet connect = connect_of("c", true, 0);
    const uint32_t c = link_up();
    say(c, &connect);
    rig.more = false;
    step(EVENT_TIMEOUT, 0, NULL, 0);
    EXPECT_EQUAL(heard(c, MQTT_CONNACK).reason, 0);
    EXPECT(silent(c));
    (void)expect_message(a, "t", "y", 1);
    restart(); /* and it is durable */
    EXPECT_EQUAL(view().copies, 1);
    EXPECT_EQUAL(view().sessions, 2);
    rig_drop();
}

static void what_comes_together_overflows_nobody_who_reads(void)
{
    rig_init(false);
    const uint32_t s = fresh("s"), p = fresh("p");
    subscribe(s, "t", 0);
    rig.more = true;
    for (uint32_t index = 0; index < 3 * rig.config.queue_max; index++) {
        publish(p, "t", "x", 0, 0);
    }
    rig.more = false;
    step(EVENT_TIMEOUT, 0, NULL, 0);
    EXPECT_EQUAL(view().dropped, 0);
    for (uint32_t index = 0; index < 3 * rig.config.queue_max; index++) {
        (void)expect_message(s, "t", "x", 0);
    }
    rig_drop();
}

/* [MQTT-3.3.4-9] [MQTT-3.3.4-10] [MQTT-3.1.2-24] [MQTT-3.1.2-25] [MQTT-3.3.2-7] [MQTT-3.1.2-26] */
static void a_client_gets_what_it_said_that_it_takes(void)
{
    rig_init(false);
    const uint32_t p = fresh("p");
    struct mqtt_packet connect = connect_of("a", true, 0);
    connect.properties.receive_maximum = 1;
    connect.properties.maximum_packet_bytes = 30;
    connect.properties.topic_alias_maximum = 1;
    connect.properties.present |= BIT(33) | BIT(39) | BIT(34);
    const uint32_t a = connected_by(&connect, false);
    subscribe(a, "#", 2);
    publish(p, "t", "1", 1, 1);
    publish(p, "t", "2", 2, 2);
    answer(a, MQTT_PINGREQ, 0);
    struct mqtt_packet packet = expect_message(a, "t", "1", 1);
    EXPECT_EQUAL(packet.properties.topic_alias, 1);
    const uint16_t id = packet.packet_id;
    (void)heard(a, MQTT_PINGRESP);
    EXPECT(silent(a));
    answer(a, MQTT_PUBACK, id);
    packet = heard(a, MQTT_PUBLISH);
    EXPECT_EQUAL(packet.topic.size_bytes, 0); /* the alias stands for it */
    EXPECT_EQUAL(packet.properties.topic_alias, 1);
    answer(a, MQTT_PUBREC, packet.packet_id);
    (void)heard(a, MQTT_PUBREL);
    publish(p, "u", "3", 1, 3);
    EXPECT(silent(a)); /* until PUBCOMP */
    answer(a, MQTT_PUBCOMP, packet.packet_id);
    answer(a, MQTT_PUBACK, heard(a, MQTT_PUBLISH).packet_id);
    publish(p, "t", "123456789012345678901234567890", 1, 4);
    EXPECT(silent(a));
    EXPECT_EQUAL(view().copies, 0);
    while (!silent(p)) {
        (void)heard(p, fake_port_link(&rig.fake, p)->bytes[0] >> 4 == MQTT_PUBACK ? MQTT_PUBACK
                                                                                  : MQTT_PUBREC);
    }
    publish(p, "t", "5", 1, 5);
    (void)heard(p, MQTT_PUBACK);
    publish(p, "t", "6", 2, 2); /* unreleased: it is the same message */
    (void)heard(p, MQTT_PUBREC);
    publish(p, "t", "7", 2, 7);
    (void)heard(p, MQTT_PUBREC);
    publish(p, "t", "8", 2, 8); /* a third that is not released */
    expect_ended(p, MQTT_DISCONNECT, MQTT_RECEIVE_MAXIMUM_EXCEEDED);
    rig_drop();
}

/* [MQTT-3.3.2-5] [MQTT-3.3.2-6] [MQTT-4.3.3-7] */
static void a_message_that_waited_too_long_is_not_sent(void)
{
    rig_init(false);
    const uint32_t p = fresh("p");
    uint32_t a = connected("a", true, 1000, false);
    subscribe(a, "t", 2);
    step(EVENT_LINK_DOWN, a, NULL, 0);
    for (uint16_t index = 0; index < 2; index++) {
        struct mqtt_packet packet = message("t", index == 0 ? "brief" : "long", 1, 1);
        packet.properties.message_expiry_s = index == 0 ? 10 : 100;
        packet.properties.present = BIT(MQTT_MESSAGE_EXPIRY_INTERVAL);
        say(p, &packet);
    }
    pass(30);
    a = connected("a", false, 1000, true);
    EXPECT_EQUAL(expect_message(a, "t", "long", 1).properties.message_expiry_s, 70);
    EXPECT(silent(a));
    step(EVENT_LINK_DOWN, a, NULL, 0);
    pass(80); /* it was sent: it is sent again all the same */
    a = connected("a", false, 1000, true);
    EXPECT_EQUAL(expect_message(a, "t", "long", 1).properties.message_expiry_s, 0);
    rig_drop();
}

static void what_has_no_room_is_refused_or_counted(void)
{
    rig_init(false);
    const uint32_t p = fresh("p"), a = connected("a", true, 1000, false);
    subscribe(a, "t", 1);
    step(EVENT_LINK_DOWN, a, NULL, 0);
    for (uint16_t index = 0; index < 10; index++) {
        publish(p, "t", "x", 1, 1);
        EXPECT_EQUAL(heard(p, MQTT_PUBACK).reason, 0);
    }
    EXPECT_EQUAL(view().copies, 8);
    EXPECT_EQUAL(view().dropped, 2);
    uint32_t links[8];
    for (uint32_t index = 0; index < 3; index++) { /* four sessions' queues fill all copies */
        char name[2] = {(char)('b' + index), '\0'};
        links[index] = connected(name, true, 1000, false);
        subscribe(links[index], "t", 1);
        subscribe(links[index], "u", 1);
        step(EVENT_LINK_DOWN, links[index], NULL, 0);
    }
    uint8_t reason = 0;
    for (uint16_t index = 0; index < 20 && reason == 0; index++) {
        publish(p, "u", "x", 1, 1);
        reason = heard(p, MQTT_PUBACK).reason;
        if (view().copies == 32) {
            break;
        }
    }
    EXPECT_EQUAL(view().copies, 32);
    publish(p, "u", "x", 1, 1);
    EXPECT_EQUAL(heard(p, MQTT_PUBACK).reason, MQTT_QUOTA_EXCEEDED);
    EXPECT_EQUAL(view().copies, 32);
    for (uint32_t index = 0; index < 3; index++) {
        links[index] = fresh(index == 0 ? "x" : index == 1 ? "y" : "z");
    }
    const struct mqtt_packet connect = connect_of("one too many", true, 0);
    const uint32_t link = link_up();
    say(link, &connect);
    expect_ended(link, MQTT_CONNACK, MQTT_QUOTA_EXCEEDED);
    for (uint32_t index = 0; index < 4; index++) {
        (void)link_up();
    }
    EXPECT_EQUAL(view().connections, 8);
    (void)link_up(); /* in the place of the first that said nothing */
    EXPECT_EQUAL(view().connections, 8);
    pass(11);
    EXPECT_EQUAL(view().connections, 4); /* those that said nothing are gone */
    rig_drop();
}

static void what_was_promised_is_there_after_a_restart(void)
{
    rig_init(true);
    uint32_t a = connected("a", false, 100, false), p = connected("p", false, 100, false);
    subscribe(a, "t/+", 2);
    struct mqtt_packet packet = message("t/r", "kept", 1, 1);
    packet.retain = true;
    say(p, &packet);
    (void)heard(p, MQTT_PUBACK);
    const uint16_t first = expect_message(a, "t/r", "kept", 1).packet_id;
    publish(p, "t/1", "one", 2, 2);
    (void)heard(p, MQTT_PUBREC);
    const uint16_t second = expect_message(a, "t/1", "one", 2).packet_id;
    answer(a, MQTT_PUBREC, second);
    (void)heard(a, MQTT_PUBREL);
    step(EVENT_LINK_DOWN, a, NULL, 0);
    publish(p, "t/2", "two", 1, 3);
    (void)heard(p, MQTT_PUBACK);
    publish(p, "t/3", "three", 1, 3);
    (void)heard(p, MQTT_PUBACK);
    (void)fresh("brief");
    restart();
    EXPECT_EQUAL(view().sessions, 2);
    EXPECT_EQUAL(view().retained, 1);
    EXPECT_EQUAL(view().copies, 3);
    a = connected("a", false, 100, true);
    EXPECT_EQUAL(heard(a, MQTT_PUBREL).packet_id, second);
    packet = expect_message(a, "t/r", "kept", 1);
    EXPECT_EQUAL(packet.packet_id, first);
    EXPECT(packet.dup);
    answer(a, MQTT_PUBACK, first);
    answer(a, MQTT_PUBCOMP, second);
    packet = expect_message(a, "t/2", "two", 1);
    EXPECT(!packet.dup);
    (void)expect_message(a, "t/3", "three", 1);
    p = connected("p", false, 100, true);
    packet = message("t/1", "one", 2, 2);
    packet.dup = true;
    say(p, &packet); /* it was taken before: PUBREC, and nothing else */
    EXPECT_EQUAL(heard(p, MQTT_PUBREC).reason, 0);
    EXPECT(silent(a));
    answer(p, MQTT_PUBREL, 2);
    EXPECT_EQUAL(heard(p, MQTT_PUBCOMP).reason, 0);
    restart();
    pass(100); /* both have expired; intervals begin anew with the broker */
    EXPECT_EQUAL(view().sessions, 0);
    EXPECT_EQUAL(view().copies, 0);
    EXPECT_EQUAL(view().messages, 1); /* the retained one */
    restart();
    EXPECT_EQUAL(view().sessions, 0);
    a = fresh("a");
    subscribe(a, "#", 0);
    EXPECT(expect_message(a, "t/r", "kept", 0).retain);
    rig_drop();
}

/* The boot publishes the wills of those who were there; its own commit has to take them out of the
 * sessions, or the next boot finds rows that do not agree, and begins anew. */
static void sessions_outlive_two_restarts_in_a_row_that_a_will_came_between(void)
{
    rig_init(true);
    struct mqtt_packet connect = connect_of("a", false, 100);
    connect.will = true;
    connect.topic = TEXT("w");
    connect.payload = TEXT("gone");
    connect.qos = 1;
    (void)connected_by(&connect, false);
    uint32_t s = connected("s", false, 100, false);
    subscribe(s, "w", 1);
    restart();
    restart(); /* nobody was heard of meanwhile */
    EXPECT_EQUAL(view().sessions, 2);
    s = connected("s", false, 100, true);
    (void)expect_message(s, "w", "gone", 1);
    EXPECT(silent(s)); /* once */
    rig_drop();
}

/* It was stored when it lasted. What it holds since it ends with its connection must be stored as
 * well, or the rows of the next boot do not agree, and all sessions are given up. */
static void a_session_that_no_longer_lasts_takes_no_other_with_it(void)
{
    rig_init(true);
    (void)connected("s", false, 100, false);
    uint32_t a = connected("a", false, 100, false);
    step(EVENT_LINK_DOWN, a, NULL, 0);
    struct mqtt_packet connect = connect_of("a", false, 0);
    connect.will = true;
    connect.topic = TEXT("w");
    connect.payload = TEXT("gone");
    connect.qos = 1;
    a = connected_by(&connect, true);
    subscribe(a, "t", 1);
    const uint32_t p = fresh("p");
    publish(p, "t", "in flight", 1, 1);
    (void)heard(p, MQTT_PUBACK);
    (void)expect_message(a, "t", "in flight", 1);
    restart();
    EXPECT_EQUAL(fake_port_count_value(&rig.fake, EVIDENCE_DROP, REFUSAL_DISK), 0);
    EXPECT_EQUAL(view().sessions, 1); /* the other one */
    EXPECT_EQUAL(view().copies, 0);
    (void)connected("s", false, 100, true);
    rig_drop();
}

/* With what waits for it, at a boot that nothing but another one follows. */
static void a_session_that_ends_at_a_boot_takes_its_copies_with_it(void)
{
    rig_init(true);
    uint32_t a = connected("a", false, 100, false);
    const uint32_t p = connected("p", false, 100, false);
    subscribe(a, "t", 1);
    for (uint16_t packet_id = 1; packet_id <= 3; packet_id++) {
        publish(p, "t", "x", 1, packet_id);
        EXPECT_EQUAL(heard(p, MQTT_PUBACK).reason, 0);
    }
    step(EVENT_LINK_DOWN, a, NULL, 0);
    (void)connected("a", false, 0, true);
    EXPECT_EQUAL(view().copies, 3);
    for (uint32_t boots = 0; boots < 2; boots++) {
        restart();
        EXPECT_EQUAL(fake_port_count(&rig.fake, EVIDENCE_DROP), 0);
        EXPECT_EQUAL(view().sessions, 1);
        EXPECT_EQUAL(view().copies, 0);
    }
    rig_drop();
}

static void a_broker_whose_disk_fails_sends_nothing_and_asks_for_a_reset(void)
{
    rig_init(true);
    uint32_t a = connected("a", false, 100, false);
    subscribe(a, "t", 1);
    rig.disk.broken = true;
    publish(a, "t", "x", 1, 1);
    EXPECT(silent(a));
    EXPECT_EQUAL(rig.fake.resets, 1);
    EXPECT_EQUAL(broker_deadline_us(rig.broker), UINT64_MAX);
    rig.disk.broken = false;
    restart();
    a = connected("a", false, 100, true);
    EXPECT(silent(a)); /* it was not acked, and is not there */
    publish(a, "t", "x", 1, 1);
    EXPECT_EQUAL(heard(a, MQTT_PUBACK).reason, 0);
    (void)expect_message(a, "t", "x", 1);
    rig_drop();
}

static void a_client_that_does_not_read_loses_nothing_that_can_wait(void)
{
    rig_init(false);
    const uint32_t p = fresh("p"), a = fresh("a");
    char payload[MQTT_STRING_BYTES_MAX + 1];
    subscribe(a, "t", 0);
    rig.later_link = a;
    uint32_t count = 0;
    while (view().copies < 3) { /* the rest is held back for its link */
        snprintf(payload, sizeof payload, "%020u", (unsigned)count++);
        publish(p, "t", payload, 0, 0);
    }
    EXPECT(silent(a));
    EXPECT(count * 20 < LINK_SEND_BYTES_MAX);
    rig.later_link = 0;
    step(EVENT_LINK_WRITABLE, a, NULL, 0);
    for (uint32_t number = 0; number < count; number++) {
        snprintf(payload, sizeof payload, "%020u", (unsigned)number);
        struct mqtt_packet packet = heard(a, MQTT_PUBLISH);
        EXPECT(mqtt_slice_equal(packet.payload, mqtt_text(payload)));
    }
    EXPECT(silent(a));
    EXPECT_EQUAL(view().dropped, 0);
    rig_drop();
}

/* A durable client whose link has no room but for the answers to so many pings. */
static uint32_t client_without_room(uint32_t pings)
{
    const uint32_t p = fresh("p"), a = connected("a", false, 100, false);
    subscribe(a, "full", 0);
    rig.later_link = a;
    while (view().copies == 0) {
        publish(p, "full", "12345678901234567890", 0, 0);
    }
    for (; pings > 0 && is_open(a); pings--) {
        answer(a, MQTT_PINGREQ, 0);
    }
    return a;
}

/* [MQTT-4.3.3-10] */
static void a_message_that_is_owned_is_stored_though_its_ack_has_no_room(void)
{
    rig_init(true);
    uint32_t pings = 1;
    uint32_t a = client_without_room(pings);
    while (is_open(a)) { /* what cannot wait ends the connection */
        answer(a, MQTT_PINGREQ, 0);
        pings++;
    }
    rig_drop();
    rig_init(true);
    a = client_without_room(pings - 1);
    EXPECT(is_open(a));
    publish(a, "u", "mine", 2, 9);
    EXPECT(is_open(a)); /* PUBREC can wait */
    EXPECT(silent(a));
    restart();
    a = connected("a", false, 100, true);
    struct mqtt_packet packet = message("u", "mine", 2, 9);
    packet.dup = true;
    say(a, &packet);
    EXPECT_EQUAL(heard(a, MQTT_PUBREC).packet_id, 9);
    EXPECT_EQUAL(view().published, 0); /* in this life */
    rig_drop();
}

static void who_is_connected_hears_of_an_orderly_end(void)
{
    rig_init(true);
    const uint32_t a = connected("a", false, 100, false), b = fresh("b"), stranger = link_up();
    subscribe(a, "t", 1);
    rig.more = true;
    publish(b, "t", "taken", 1, 3);
    rig.more = false;
    broker_shut_down(rig.broker, &rig.fake.port);
    (void)expect_message(a, "t", "taken", 1);
    expect_ended(a, MQTT_DISCONNECT, MQTT_SERVER_SHUTTING_DOWN);
    EXPECT_EQUAL(heard(b, MQTT_PUBACK).packet_id, 3);
    expect_ended(b, MQTT_DISCONNECT, MQTT_SERVER_SHUTTING_DOWN);
    EXPECT(!is_open(stranger));
    EXPECT_EQUAL(view().sessions, 1);
    restart();
    EXPECT(expect_message(connected("a", false, 100, true), "t", "taken", 1).dup);
    rig_drop();
}

static void stored_rows_that_nobody_stored_are_given_up(void)
{
    static const char *const damages[] = {
        "UPDATE session SET body = x'00'",
        "DELETE FROM message",
        "DELETE FROM session",
        "UPDATE copy SET body = zeroblob(23)",
        "UPDATE subscription SET id = 4000000000",
        "UPDATE retained SET body = x'FFFFFFFE'",
        "INSERT INTO retained SELECT id + 1, body FROM retained", /* two of one topic */
        "UPDATE message SET body = substr(body, 1, length(body) - 1)",
        "DELETE FROM copy",
    };
    for (uint32_t index = 0; index < sizeof damages / sizeof damages[0]; index++) {
        rig_init(true);
        const uint32_t a = connected("a", false, 100, false);
        subscribe(a, "t", 1);
        struct mqtt_packet packet = message("t", "kept", 1, 1);
        packet.retain = true;
        say(a, &packet);
        down();
        sqlite3 *sqlite = NULL;
        EXPECT_EQUAL(sqlite3_open(rig.path, &sqlite), SQLITE_OK);
        EXPECT_EQUAL(sqlite3_exec(sqlite, damages[index], NULL, NULL, NULL), SQLITE_OK);
        EXPECT(sqlite3_changes(sqlite) > 0);
        EXPECT_EQUAL(sqlite3_close(sqlite), SQLITE_OK);
        boot();
        EXPECT_EQUAL(fake_port_count(&rig.fake, EVIDENCE_DROP), 1);
        EXPECT_EQUAL(rig.fake.resets, 0);
        EXPECT_EQUAL(view().sessions, 0);
        EXPECT_EQUAL(view().messages, 0);
        (void)connected("a", false, 100, false);
        rig_drop();
    }
}

int main(void)
{
    RUN(what_a_client_may_not_say_ends_its_connection_with_a_reason);
    RUN(who_says_nothing_makes_place_and_has_a_limit);
    RUN(a_connack_says_what_the_client_asked_for_and_did_not_get);
    RUN(a_message_reaches_those_who_subscribed_and_nobody_else);
    RUN(options_of_a_subscription_are_kept);
    RUN(retained_messages_are_for_those_who_come_later);
    RUN(a_retained_message_has_at_most_the_qos_of_its_publisher);
    RUN(a_session_goes_on_where_its_connection_ended);
    RUN(a_will_comes_when_its_client_does_not);
    RUN(a_shared_subscription_gives_each_message_to_one);
    RUN(who_matches_is_found_and_nobody_else);
    RUN(events_that_follow_at_once_share_a_commit);
    RUN(what_comes_together_overflows_nobody_who_reads);
    RUN(a_client_gets_what_it_said_that_it_takes);
    RUN(a_message_that_waited_too_long_is_not_sent);
    RUN(what_has_no_room_is_refused_or_counted);
    RUN(what_was_promised_is_there_after_a_restart);
    RUN(sessions_outlive_two_restarts_in_a_row_that_a_will_came_between);
    RUN(a_session_that_no_longer_lasts_takes_no_other_with_it);
    RUN(a_session_that_ends_at_a_boot_takes_its_copies_with_it);
    RUN(a_broker_whose_disk_fails_sends_nothing_and_asks_for_a_reset);
    RUN(a_client_that_does_not_read_loses_nothing_that_can_wait);
    RUN(a_message_that_is_owned_is_stored_though_its_ack_has_no_room);
    RUN(who_is_connected_hears_of_an_orderly_end);
    RUN(stored_rows_that_nobody_stored_are_given_up);
    return 0;
}
