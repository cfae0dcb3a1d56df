/* Goal: the judge of MQTT 5 sessions accepts a good conversation, and each thing that it forbids is
 * seen by the law that it belongs to.
 * Method: one short conversation, packet by packet, with one change for each law. */
#include "models/mqtt_judge.h"

#include <string.h>

#include "core/test/test.h"

#define SECOND UINT64_C(1000000)

enum { LINK = 1, CLIENT = 2, OTHER = 3, MESSAGE = 7 };
enum type {
    CONNECT = 1,
    CONNACK,
    PUBLISH,
    PUBACK,
    PUBREC,
    PUBREL,
    PUBCOMP,
    SUBSCRIBE,
    SUBACK,
    DISCONNECT = 14,
};

static struct mqtt_judge judge;
static uint64_t now_us;

static struct mqtt_seen of(enum type type, bool by_broker, bool sent)
{
    return (struct mqtt_seen){.now_us = now_us,
                              .by_broker = by_broker,
                              .sent = sent,
                              .link = LINK,
                              .client = CLIENT,
                              .size_bytes = 10,
                              .type = (uint8_t)type,
                              .receive_maximum = 2,
                              .alias_maximum = 2,
                              .packet_bytes_max = 100,
                              .topic_class = MQTT_TOPIC_PLAIN,
                              .keep_alive_s = 10,
                              .expiry_s = 60};
}

static void see(struct mqtt_seen seen)
{
    mqtt_judge_packet(&judge, &seen);
}

/* From one end to the other. */
static void pass(struct mqtt_seen seen)
{
    seen.sent = true;
    see(seen);
    seen.by_broker = !seen.by_broker;
    seen.sent = false;
    see(seen);
}

static void connect_on(uint32_t link, bool clean_start, bool present)
{
    struct mqtt_seen connect = of(CONNECT, false, true), connack = of(CONNACK, true, true);
    connect.link = connack.link = link;
    connect.clean_start = clean_start;
    connack.session_present = present;
    pass(connect);
    pass(connack);
}

static struct mqtt_seen publish_of(uint16_t packet_id, uint32_t message, uint8_t qos)
{
    struct mqtt_seen publish = of(PUBLISH, false, true);
    publish.packet_id = packet_id;
    publish.message = message;
    publish.qos = qos;
    return publish;
}

static void begin(void)
{
    now_us = SECOND;
    mqtt_judge_init(&judge, 60);
    connect_on(LINK, true, false);
}

static void subscribe(void)
{
    struct mqtt_seen subscribe = of(SUBSCRIBE, false, true), suback = of(SUBACK, true, true);
    subscribe.classes = 1u << MQTT_TOPIC_PLAIN;
    pass(subscribe);
    pass(suback);
}

static void answer(enum type type, bool by_broker, uint16_t packet_id, uint8_t reason)
{
    struct mqtt_seen seen = of(type, by_broker, true);
    seen.packet_id = packet_id;
    seen.reason = reason;
    pass(seen);
}

static void expect(enum mqtt_law law)
{
    EXPECT(judge.broken);
    EXPECT_EQUAL(judge.law, law);
}

/* Up to the broker, which owns it, and down again. */
static void deliver(void)
{
    struct mqtt_seen down = publish_of(1, MESSAGE, 2);
    begin();
    subscribe();
    pass(publish_of(5, MESSAGE, 2));
    answer(PUBREC, true, 5, 0);
    answer(PUBREL, false, 5, 0);
    answer(PUBCOMP, true, 5, 0);
    down.by_broker = true;
    pass(down);
    mqtt_judge_told(&judge, now_us, CLIENT, MESSAGE, false, true);
    answer(PUBREC, false, 1, 0);
    answer(PUBREL, true, 1, 0);
    answer(PUBCOMP, false, 1, 0);
    mqtt_judge_stepped(&judge, now_us, true, 0);
    mqtt_judge_stepped(&judge, now_us, false, CLIENT);
}

static void a_good_conversation_is_accepted(void)
{
    deliver();
    mqtt_judge_end(&judge, now_us);
    EXPECT(!judge.broken);
}

static void sessions_are_what_the_broker_says(void)
{
    mqtt_judge_init(&judge, 60);
    connect_on(LINK, false, true); /* there was none */
    expect(MQTT_LAW_M1);
    begin();
    mqtt_judge_closed(&judge, now_us, LINK, true, false);
    connect_on(LINK + 1, true, true); /* it has just ended */
    expect(MQTT_LAW_M2);
    begin();
    mqtt_judge_closed(&judge, now_us, LINK, true, false);
    now_us += 61 * SECOND;
    mqtt_judge_sweep(&judge, now_us);
    connect_on(LINK + 1, false, true);
    expect(MQTT_LAW_M3);
}

static void what_is_sent_again_is_seen(void)
{
    begin();
    pass(publish_of(5, MESSAGE, 1));
    struct mqtt_seen again = publish_of(5, MESSAGE, 1);
    again.dup = true;
    pass(again); /* on the same connection */
    expect(MQTT_LAW_M4);
    begin();
    pass(publish_of(5, MESSAGE, 2));
    answer(PUBREC, true, 5, 0);
    connect_on(LINK + 1, false, true);
    again.link = LINK + 1;
    again.qos = 2;
    pass(again); /* behind PUBREC */
    expect(MQTT_LAW_M6);
    begin();
    pass(publish_of(5, MESSAGE, 1));
    pass(publish_of(5, MESSAGE + 1, 1));
    expect(MQTT_LAW_M7);
}

static void what_is_owed_and_never_comes_is_seen(void)
{
    begin();
    subscribe();
    pass(publish_of(5, MESSAGE, 1));
    answer(PUBACK, true, 5, 0);
    mqtt_judge_end(&judge, now_us);
    expect(MQTT_LAW_M5);
    deliver();
    mqtt_judge_told(&judge, now_us, CLIENT, MESSAGE, false, true);
    expect(MQTT_LAW_M6);
    begin();
    subscribe();
    pass(publish_of(5, MESSAGE, 1));
    struct mqtt_seen spoiled = publish_of(1, MESSAGE, 1);
    spoiled.by_broker = true;
    see(spoiled);
    spoiled.by_broker = spoiled.sent = false;
    spoiled.dup = spoiled.spoiled = true;
    see(spoiled);
    EXPECT(!judge.broken);
    mqtt_judge_stepped(&judge, now_us, false, CLIENT);
    expect(MQTT_LAW_M8);
}

static void bounds_and_answers_are_seen(void)
{
    begin();
    for (uint16_t id = 1; id <= 3; id++) {
        pass(publish_of(id, MESSAGE + id, 1));
    }
    expect(MQTT_LAW_M9);
    begin();
    struct mqtt_seen alias = publish_of(5, MESSAGE, 1);
    alias.has_alias = true;
    alias.alias = 1;
    alias.topic_class = MQTT_TOPIC_NONE;
    pass(alias);
    expect(MQTT_LAW_M11);
    begin();
    struct mqtt_seen large = publish_of(5, MESSAGE, 1);
    large.size_bytes = 101;
    pass(large);
    expect(MQTT_LAW_M15);
    begin();
    pass(publish_of(5, MESSAGE, 1));
    pass(publish_of(6, MESSAGE + 1, 1));
    answer(PUBACK, true, 6, 0);
    expect(MQTT_LAW_M17);
    begin();
    pass(publish_of(5, MESSAGE, 1));
    mqtt_judge_stepped(&judge, now_us, true, 0);
    expect(MQTT_LAW_M19);
    begin();
    pass(publish_of(5, MESSAGE, 1));
    answer(PUBACK, true, 5, 0x92);
    expect(MQTT_LAW_M20);
}

static void expiry_wills_and_retained_messages_are_seen(void)
{
    begin();
    subscribe();
    struct mqtt_seen brief = publish_of(5, MESSAGE, 1);
    brief.has_expiry = true;
    brief.expiry_s = 10;
    pass(brief);
    now_us += 4 * SECOND;
    brief.now_us = now_us;
    brief.by_broker = true;
    brief.packet_id = 1; /* still 10 */
    pass(brief);
    expect(MQTT_LAW_M10);
    begin();
    struct mqtt_seen connect = of(CONNECT, false, true), will = publish_of(1, MESSAGE, 1);
    connect.client = OTHER;
    connect.link = LINK + 1;
    connect.has_will = true;
    connect.message = MESSAGE;
    pass(connect);
    connect.type = DISCONNECT;
    connect.has_will = false;
    connect.message = 0;
    pass(connect);
    will.by_broker = true;
    will.topic_class = MQTT_TOPIC_WILL;
    see(will); /* and it said DISCONNECT */
    expect(MQTT_LAW_M12);
    begin();
    subscribe();
    pass(publish_of(5, MESSAGE, 1));
    struct mqtt_seen marked = publish_of(1, MESSAGE, 1);
    marked.by_broker = marked.retain = true;
    see(marked);
    expect(MQTT_LAW_M18);
}

static void how_connections_end_is_seen(void)
{
    begin();
    now_us += 20 * SECOND;
    mqtt_judge_stepped(&judge, now_us, true, 0);
    expect(MQTT_LAW_M13);
    begin();
    connect_on(LINK + 1, false, true);
    mqtt_judge_stepped(&judge, now_us, true, 0); /* the old one is still open */
    expect(MQTT_LAW_M14);
    begin();
    mqtt_judge_closed(&judge, now_us, LINK, true, true);
    expect(MQTT_LAW_M16);
    begin();
    answer(DISCONNECT, false, 0, 0);
    pass(publish_of(5, MESSAGE, 1));
    expect(MQTT_LAW_M16);
}

int main(void)
{
    RUN(a_good_conversation_is_accepted);
    RUN(sessions_are_what_the_broker_says);
    RUN(what_is_sent_again_is_seen);
    RUN(what_is_owed_and_never_comes_is_seen);
    RUN(bounds_and_answers_are_seen);
    RUN(expiry_wills_and_retained_messages_are_seen);
    RUN(how_connections_end_is_seen);
    return 0;
}
