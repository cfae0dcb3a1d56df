/* Goal: topic aliases are those of one connection, and never a wrong topic.
 * Method: each rule by hand; then a sender's table against a receiver's over drawn topics, with
 * packets that are not sent after all, and reconnects. */
#include "core/check.h"
#include "core/mqtt/alias.h"
#include "core/test/test.h"

#include <string.h>

_Noreturn void check_failed(const char *file, int line, const char *what)
{
    fprintf(stderr, "%s:%d: CHECK failed: %s\n", file, line, what);
    exit(1);
}

enum { CAPACITY = 4, TOPIC_MAX = 8 };

static uint8_t memory[2][MQTT_ALIASES_BYTES(CAPACITY, TOPIC_MAX)];
static struct mqtt_aliases sender, receiver;

static struct mqtt_packet publish(const char *topic, uint16_t alias)
{
    struct mqtt_packet packet;
    mqtt_packet_init(&packet, MQTT_PUBLISH);
    packet.topic = mqtt_text(topic);
    if (alias != 0) {
        packet.properties.topic_alias = alias;
        packet.properties.present = MQTT_PROPERTY_BIT(MQTT_TOPIC_ALIAS);
    }
    return packet;
}

static uint8_t resolve(const char *topic, uint16_t alias, const char *expected)
{
    struct mqtt_packet packet = publish(topic, alias);
    const uint8_t reason = mqtt_aliases_resolve(&receiver, &packet);
    EXPECT(reason != 0 || mqtt_slice_equal(packet.topic, mqtt_text(expected)));
    return reason;
}

/* [MQTT-3.3.2-7] [MQTT-3.3.2-8] [MQTT-3.3.2-9] [MQTT-3.3.2-10] [MQTT-3.3.2-11] [MQTT-3.3.2-12] */
static void an_alias_stands_for_the_topic_that_it_was_last_given(void)
{
    mqtt_aliases_init(&receiver, memory[1], CAPACITY, TOPIC_MAX);
    EXPECT_EQUAL(resolve("a", 1, ""), MQTT_TOPIC_ALIAS_INVALID); /* none is in force */
    EXPECT_EQUAL(resolve("a", 0, "a"), 0);
    mqtt_aliases_receive(&receiver, 3);
    EXPECT_EQUAL(resolve("", 1, ""), MQTT_PROTOCOL_ERROR);
    EXPECT_EQUAL(resolve("a", 1, "a"), 0);
    EXPECT_EQUAL(resolve("b", 3, "b"), 0);
    EXPECT_EQUAL(resolve("", 1, "a"), 0);
    EXPECT_EQUAL(resolve("", 3, "b"), 0);
    EXPECT_EQUAL(resolve("", 2, ""), MQTT_PROTOCOL_ERROR);
    EXPECT_EQUAL(resolve("c", 4, ""), MQTT_TOPIC_ALIAS_INVALID);
    EXPECT_EQUAL(resolve("c", 1, "c"), 0);
    EXPECT_EQUAL(resolve("", 1, "c"), 0);
    EXPECT_EQUAL(resolve("12345678", 2, "12345678"), 0);
    EXPECT_EQUAL(resolve("", 2, "12345678"), 0);
    EXPECT_EQUAL(resolve("123456789", 2, ""), MQTT_TOPIC_NAME_INVALID);
    mqtt_aliases_receive(&receiver, 3); /* a new connection */
    EXPECT_EQUAL(resolve("", 1, ""), MQTT_PROTOCOL_ERROR);
    struct mqtt_packet zero = publish("a", 1);
    zero.properties.topic_alias = 0;
    EXPECT_EQUAL(mqtt_aliases_resolve(&receiver, &zero), MQTT_TOPIC_ALIAS_INVALID);
}

/* [MQTT-3.1.2-26] [MQTT-3.1.2-27] [MQTT-3.2.2-17] [MQTT-3.2.2-18] */
static void a_sender_uses_none_above_the_maximum(void)
{
    mqtt_aliases_init(&sender, memory[0], CAPACITY, TOPIC_MAX);
    struct mqtt_packet packet = publish("a", 0);
    mqtt_aliases_choose(&sender, &packet);
    EXPECT_EQUAL(packet.properties.present, 0);
    mqtt_aliases_send(&sender, 0);
    mqtt_aliases_choose(&sender, &packet);
    EXPECT_EQUAL(packet.properties.present, 0);
    mqtt_aliases_send(&sender, 65535);
    EXPECT_EQUAL(sender.maximum, CAPACITY);
    packet = publish("123456789", 0); /* too long for the memory */
    mqtt_aliases_choose(&sender, &packet);
    EXPECT_EQUAL(packet.properties.present, 0);
    mqtt_aliases_send(&sender, 1);
    packet = publish("a", 0);
    mqtt_aliases_choose(&sender, &packet); /* and it is not sent */
    packet = publish("a", 0);
    mqtt_aliases_choose(&sender, &packet);
    EXPECT_EQUAL(packet.topic.size_bytes, 1);
    mqtt_aliases_sent(&sender, &packet);
    packet = publish("a", 0);
    mqtt_aliases_choose(&sender, &packet);
    EXPECT_EQUAL(packet.topic.size_bytes, 0);
    EXPECT_EQUAL(packet.properties.topic_alias, 1);
}

static uint32_t random_below(uint32_t bound) /* splitmix64 */
{
    static uint64_t state = 1;
    state += UINT64_C(0x9E3779B97F4A7C15);
    uint64_t z = state;
    z = (z ^ (z >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94D049BB133111EB);
    return (uint32_t)((z ^ (z >> 31)) % bound);
}

static void both_ends_mean_the_same_topic(void)
{
    static const char *const topics[] = {"a", "b", "c/d", "e", "12345678", "123456789", "f", "/"};
    uint32_t saved = 0;
    mqtt_aliases_init(&sender, memory[0], CAPACITY, TOPIC_MAX);
    mqtt_aliases_init(&receiver, memory[1], CAPACITY, TOPIC_MAX);
    for (uint32_t round = 0; round < 20000; round++) {
        if (round % 100 == 0) {
            const uint16_t maximum = (uint16_t)random_below(CAPACITY + 1);
            mqtt_aliases_receive(&receiver, maximum);
            mqtt_aliases_send(&sender, maximum);
        }
        const char *topic = topics[random_below(sizeof topics / sizeof topics[0])];
        struct mqtt_packet packet = publish(topic, 0);
        mqtt_aliases_choose(&sender, &packet);
        if (random_below(4) == 0) { /* no room on the link */
            continue;
        }
        mqtt_aliases_sent(&sender, &packet);
        saved += packet.topic.size_bytes == 0;
        EXPECT_EQUAL(mqtt_aliases_resolve(&receiver, &packet), 0);
        EXPECT(mqtt_slice_equal(packet.topic, mqtt_text(topic)));
    }
    EXPECT(saved > 1000);
}

int main(void)
{
    RUN(an_alias_stands_for_the_topic_that_it_was_last_given);
    RUN(a_sender_uses_none_above_the_maximum);
    RUN(both_ends_mean_the_same_topic);
    return 0;
}
