/* Goal: all fifteen packets with all 27 properties are encoded and decoded as MQTT 5 has them, and
 * nothing else is taken.
 * Method: packets drawn by mqtt_sample from fixed seeds, whose tables are not the codec's. What
 * comes back is the same; each cut and each change of one byte is refused, or is a packet that is
 * encoded and taken again as itself; any cut of a stream gives the same. */
#include "core/check.h"
#include "core/mqtt/stream.h"
#include "core/test/mqtt_sample.h"
#include "core/test/test.h"

#include <string.h>

_Noreturn void check_failed(const char *file, int line, const char *what)
{
    fprintf(stderr, "%s:%d: CHECK failed: %s\n", file, line, what);
    exit(1);
}

#define BYTES(...) (const uint8_t[]){__VA_ARGS__}, (uint32_t)sizeof((const uint8_t[]){__VA_ARGS__})
#define TEXT(text) ((struct mqtt_slice){(const uint8_t *)(text), sizeof(text) - 1})

static struct mqtt_sample sample;

/* 0 if the packet is taken, else the reason of its refusal. */
static uint8_t decode(const uint8_t *bytes, uint32_t size_bytes, struct mqtt_packet *packet)
{
    uint8_t reason = 0;
    const enum err err = mqtt_decode(bytes, size_bytes, packet, &reason);
    EXPECT((err == ERR_OK) == (reason == 0));
    EXPECT(reason == 0 || reason == MQTT_MALFORMED_PACKET || reason == MQTT_PROTOCOL_ERROR ||
           reason == MQTT_UNSUPPORTED_PROTOCOL_VERSION);
    return reason;
}

static uint8_t refusal(const uint8_t *bytes, uint32_t size_bytes)
{
    struct mqtt_packet packet;
    return decode(bytes, size_bytes, &packet);
}

static uint32_t encode(const struct mqtt_packet *packet, uint8_t bytes[MQTT_PACKET_BYTES_MAX])
{
    uint32_t size_bytes = MQTT_PACKET_BYTES_MAX;
    EXPECT_EQUAL(mqtt_encode(packet, bytes, &size_bytes), ERR_OK);
    return size_bytes;
}

static void every_packet_is_decoded_as_it_was_encoded(void)
{
    uint64_t seen[16] = {0};
    sample.random = 1;
    for (uint32_t round = 0; round < 30000; round++) {
        const enum mqtt_type type = (enum mqtt_type)(1 + round % 15);
        mqtt_sample_draw(&sample, type);
        uint8_t bytes[MQTT_PACKET_BYTES_MAX], again[MQTT_PACKET_BYTES_MAX];
        const uint32_t size_bytes = encode(&sample.packet, bytes);
        struct mqtt_packet packet;
        EXPECT_EQUAL(decode(bytes, size_bytes, &packet), 0);
        EXPECT(mqtt_sample_same(&packet, &sample.packet));
        EXPECT_EQUAL(encode(&packet, again), size_bytes);
        EXPECT(memcmp(bytes, again, size_bytes) == 0);
        seen[type] |= packet.properties.present;
        struct mqtt_properties will;
        mqtt_will_properties(&packet, &will);
        seen[0] |= will.present;
    }
    for (uint8_t property = 0; property < 64; property++) { /* nothing was left out */
        for (uint32_t type = 0; type < 16; type++) {
            EXPECT_EQUAL(seen[type] >> property & 1,
                         mqtt_sample_allows(property, (enum mqtt_type)type, type == 0));
        }
    }
}

/* Taken: then it is encoded in no more bytes, and taken again as itself. */
static bool refused_or_canonical(const uint8_t *bytes, uint32_t size_bytes)
{
    uint8_t *exact = malloc(size_bytes > 0 ? size_bytes : 1); /* a sanitizer sees overreads */
    EXPECT(exact != NULL);
    memcpy(exact, bytes, size_bytes);
    struct mqtt_packet packet, again;
    const bool taken = decode(exact, size_bytes, &packet) == 0;
    if (taken) {
        uint8_t once[MQTT_PACKET_BYTES_MAX], twice[MQTT_PACKET_BYTES_MAX];
        const uint32_t once_bytes = encode(&packet, once);
        EXPECT(once_bytes <= size_bytes);
        EXPECT_EQUAL(decode(once, once_bytes, &again), 0);
        EXPECT(mqtt_sample_same(&packet, &again));
        EXPECT_EQUAL(encode(&again, twice), once_bytes);
        EXPECT(memcmp(once, twice, once_bytes) == 0);
    }
    free(exact);
    return taken;
}

/* With the remaining length that it has now. */
static uint32_t sized(uint8_t bytes[MQTT_PACKET_BYTES_MAX + 8], uint8_t first, const uint8_t *body,
                      uint32_t body_bytes)
{
    uint32_t at = 0;
    bytes[at++] = first;
    if (body_bytes > 0x7F) {
        bytes[at++] = (uint8_t)(0x80 | (body_bytes & 0x7F));
        bytes[at++] = (uint8_t)(body_bytes >> 7);
    } else {
        bytes[at++] = (uint8_t)body_bytes;
    }
    memcpy(bytes + at, body, body_bytes);
    return at + body_bytes;
}

static void every_truncation_is_refused_or_is_another_packet(void)
{
    uint32_t taken = 0, refused = 0;
    sample.random = 2;
    for (uint32_t round = 0; round < 600; round++) {
        mqtt_sample_draw(&sample, (enum mqtt_type)(1 + round % 15));
        uint8_t bytes[MQTT_PACKET_BYTES_MAX], cut[MQTT_PACKET_BYTES_MAX + 8];
        const uint32_t size_bytes = encode(&sample.packet, bytes);
        const uint32_t head_bytes = bytes[1] < 0x80 ? 2 : 3;
        for (uint32_t size = 0; size < size_bytes; size++) {
            EXPECT_EQUAL(refusal(bytes, size), MQTT_MALFORMED_PACKET);
            if (size >= head_bytes) { /* and its length says so */
                const uint32_t cut_bytes =
                    sized(cut, bytes[0], bytes + head_bytes, size - head_bytes);
                if (refused_or_canonical(cut, cut_bytes)) {
                    taken++;
                } else {
                    refused++;
                }
            }
        }
    }
    EXPECT(taken > 500); /* short forms, payloads, lists that end earlier */
    EXPECT(refused > 10000);
}

static void every_change_of_one_byte_is_refused_or_is_another_packet(void)
{
    uint32_t taken = 0, refused = 0;
    sample.random = 3;
    for (uint32_t round = 0; round < 120; round++) {
        mqtt_sample_draw(&sample, (enum mqtt_type)(1 + round % 15));
        uint8_t bytes[MQTT_PACKET_BYTES_MAX];
        const uint32_t size_bytes = encode(&sample.packet, bytes);
        for (uint32_t at = 0; at < size_bytes; at++) {
            const uint8_t good = bytes[at];
            for (uint32_t value = 0; value < 256; value += round < 30 ? 1 : 7) {
                bytes[at] = (uint8_t)value;
                if (refused_or_canonical(bytes, size_bytes)) {
                    taken++;
                } else {
                    refused++;
                }
            }
            bytes[at] = good;
        }
    }
    EXPECT(taken > 50000);
    EXPECT(refused > 50000);
}

static void bytes_put_in_or_left_out_are_refused_or_are_another_packet(void)
{
    uint32_t taken = 0, refused = 0;
    sample.random = 4;
    for (uint32_t round = 0; round < 40000; round++) {
        mqtt_sample_draw(&sample, (enum mqtt_type)(1 + round % 15));
        uint8_t bytes[MQTT_PACKET_BYTES_MAX], changed[MQTT_PACKET_BYTES_MAX + 8];
        const uint32_t size_bytes = encode(&sample.packet, bytes);
        const uint32_t head_bytes = bytes[1] < 0x80 ? 2 : 3;
        uint8_t body[MQTT_PACKET_BYTES_MAX + 4];
        uint32_t body_bytes = size_bytes - head_bytes;
        memcpy(body, bytes + head_bytes, body_bytes);
        for (uint32_t count = 1 + mqtt_sample_below(&sample, 3); count > 0; count--) {
            const uint32_t at = mqtt_sample_below(&sample, body_bytes + 1);
            if (mqtt_sample_below(&sample, 2) == 0) {
                memmove(body + at + 1, body + at, body_bytes - at);
                body[at] = (uint8_t)mqtt_sample_below(&sample, 256);
                body_bytes++;
            } else if (at < body_bytes) {
                memmove(body + at, body + at + 1, body_bytes - at - 1);
                body_bytes--;
            }
        }
        if (refused_or_canonical(changed, sized(changed, bytes[0], body, body_bytes))) {
            taken++;
        } else {
            refused++;
        }
    }
    EXPECT(taken > 1000);
    EXPECT(refused > 10000);
}

static void a_stream_of_all_packets_is_the_same_however_it_is_cut(void)
{
    enum { PACKETS = 60 };
    static uint8_t stream[PACKETS * MQTT_PACKET_BYTES_MAX];
    static uint8_t expected[PACKETS][MQTT_PACKET_BYTES_MAX];
    uint32_t expected_bytes[PACKETS];
    sample.random = 5;
    for (uint32_t round = 0; round < 60; round++) {
        uint32_t size_bytes = 0;
        for (uint32_t index = 0; index < PACKETS; index++) {
            mqtt_sample_draw(&sample, (enum mqtt_type)(1 + mqtt_sample_below(&sample, 15)));
            expected_bytes[index] = encode(&sample.packet, expected[index]);
            memcpy(stream + size_bytes, expected[index], expected_bytes[index]);
            size_bytes += expected_bytes[index];
        }
        struct mqtt_framer framer = {0};
        const uint32_t chunk_max = 1 + mqtt_sample_below(&sample, round % 2 == 0 ? 7 : 700);
        uint32_t packets = 0;
        for (uint32_t at = 0; at < size_bytes;) {
            uint32_t chunk = 1 + mqtt_sample_below(&sample, chunk_max);
            chunk = chunk > size_bytes - at ? size_bytes - at : chunk;
            struct mqtt_input input = {stream + at, chunk};
            struct mqtt_packet packet;
            uint8_t reason = 0;
            while (mqtt_framer_next(&framer, &input, &packet, &reason) == ERR_OK) {
                uint8_t bytes[MQTT_PACKET_BYTES_MAX];
                EXPECT_EQUAL(encode(&packet, bytes), expected_bytes[packets]);
                EXPECT(memcmp(bytes, expected[packets], expected_bytes[packets]) == 0);
                packets++;
            }
            EXPECT_EQUAL(reason, 0);
            EXPECT_EQUAL(input.size_bytes, 0);
            at += chunk;
        }
        EXPECT_EQUAL(packets, PACKETS);
    }
}

/* The reason codes of each packet, table 2-6 of the standard. */
static bool listed(enum mqtt_type type, uint32_t reason)
{
    static const char *const lists[16] = {
        [MQTT_CONNACK] = "00 80 81 82 83 84 85 86 87 88 89 8A 8C 90 95 97 99 9A 9B 9C 9D 9F",
        [MQTT_PUBACK] = "00 10 80 83 87 90 91 97 99",
        [MQTT_PUBREC] = "00 10 80 83 87 90 91 97 99",
        [MQTT_PUBREL] = "00 92",
        [MQTT_PUBCOMP] = "00 92",
        [MQTT_SUBACK] = "00 01 02 80 83 87 8F 91 97 9E A1 A2",
        [MQTT_UNSUBACK] = "00 11 80 83 87 8F 91",
        [MQTT_DISCONNECT] = "00 04 80 81 82 83 87 89 8B 8D 8E 8F 90 93 94 95 96 97 98 99 9A 9B 9C "
                            "9D 9E 9F A0 A1 A2",
        [MQTT_AUTH] = "00 18 19",
    };
    char name[3];
    snprintf(name, sizeof name, "%02X", (unsigned)reason);
    return strstr(lists[type], name) != NULL;
}

/* [MQTT-3.2.2-8] [MQTT-3.4.2-1] [MQTT-3.5.2-1] [MQTT-3.6.2-1] [MQTT-3.7.2-1] [MQTT-3.9.3-2]
 * [MQTT-3.11.3-2] [MQTT-3.14.2-1] [MQTT-3.15.2-1] */
static void each_packet_has_the_reasons_of_its_list_and_no_others(void)
{
    for (uint32_t reason = 0; reason < 256; reason++) {
        const uint8_t code = (uint8_t)reason;
        const struct {
            enum mqtt_type type;
            uint8_t size_bytes;
            uint8_t bytes[8];
        } cases[] = {
            {MQTT_CONNACK, 5, {0x20, 3, 0, code, 0}},
            {MQTT_PUBACK, 5, {0x40, 3, 0, 1, code}},
            {MQTT_PUBREC, 5, {0x50, 3, 0, 1, code}},
            {MQTT_PUBREL, 5, {0x62, 3, 0, 1, code}},
            {MQTT_PUBCOMP, 5, {0x70, 3, 0, 1, code}},
            {MQTT_SUBACK, 7, {0x90, 5, 0, 1, 0, 0, code}},
            {MQTT_UNSUBACK, 7, {0xB0, 5, 0, 1, 0, 0, code}},
            {MQTT_DISCONNECT, 3, {0xE0, 1, code}},
            {MQTT_AUTH, 8, {0xF0, 6, code, 4, 21, 0, 1, 'm'}},
        };
        for (uint32_t index = 0; index < sizeof cases / sizeof cases[0]; index++) {
            EXPECT_EQUAL(refusal(cases[index].bytes, cases[index].size_bytes),
                         listed(cases[index].type, reason) ? 0 : MQTT_PROTOCOL_ERROR);
        }
    }
}

static void a_subscribe_obeys_its_rules(void)
{
    EXPECT_EQUAL(refusal(BYTES(0x82, 7, 0, 1, 0, 0, 1, 'a', 0x2D)), 0);
    EXPECT_EQUAL(refusal(BYTES(0x82, 7, 0, 0, 0, 0, 1, 'a', 0)), MQTT_PROTOCOL_ERROR); /* id 0 */
    EXPECT_EQUAL(refusal(BYTES(0x82, 3, 0, 1, 0)), MQTT_PROTOCOL_ERROR); /* [MQTT-3.8.3-2] */
    EXPECT_EQUAL(refusal(BYTES(0x82, 6, 0, 1, 0, 0, 1, 'a')), MQTT_MALFORMED_PACKET);
    EXPECT_EQUAL(refusal(BYTES(0x82, 6, 0, 1, 0, 0, 0, 0)), MQTT_MALFORMED_PACKET);
    EXPECT_EQUAL(refusal(BYTES(0x82, 7, 0, 1, 0, 0, 1, 'a', 3)), MQTT_PROTOCOL_ERROR);
    EXPECT_EQUAL(refusal(BYTES(0x82, 7, 0, 1, 0, 0, 1, 'a', 0x30)), MQTT_PROTOCOL_ERROR);
    EXPECT_EQUAL(refusal(BYTES(0x82, 7, 0, 1, 0, 0, 1, 'a', 0x40)), MQTT_MALFORMED_PACKET);
    EXPECT_EQUAL(refusal(BYTES(0x82, 7, 0, 1, 0, 0, 1, 'a', 0x80)), MQTT_MALFORMED_PACKET);
    EXPECT_EQUAL(refusal(BYTES(0x82, 8, 0, 1, 0, 0, 2, 'a', '#', 0)), MQTT_MALFORMED_PACKET);
    EXPECT_EQUAL(refusal(BYTES(0x82, 9, 0, 1, 2, 11, 1, 0, 1, 'a', 0)), 0);
    EXPECT_EQUAL(refusal(BYTES(0x82, 11, 0, 1, 4, 11, 1, 11, 1, 0, 1, 'a', 0)),
                 MQTT_PROTOCOL_ERROR);
    const uint8_t shared[] = {0x82, 16,  0,   1,   0,   0,   10,  '$', 's',
                              'h',  'a', 'r', 'e', '/', 's', '/', 'a', 4};
    EXPECT_EQUAL(refusal(shared, sizeof shared), MQTT_PROTOCOL_ERROR);   /* [MQTT-3.8.3-4] */
    EXPECT_EQUAL(refusal(BYTES(0xA2, 3, 0, 1, 0)), MQTT_PROTOCOL_ERROR); /* [MQTT-3.10.3-2] */
    EXPECT_EQUAL(refusal(BYTES(0xA2, 6, 0, 1, 0, 0, 1, 'a')), 0);
    EXPECT_EQUAL(refusal(BYTES(0xA2, 6, 0, 1, 0, 0, 1, 0xFF)), MQTT_MALFORMED_PACKET);
    EXPECT_EQUAL(refusal(BYTES(0x90, 3, 0, 1, 0)), MQTT_PROTOCOL_ERROR); /* no reason at all */
    EXPECT_EQUAL(refusal(BYTES(0xB0, 4, 0, 0, 0, 0)), MQTT_PROTOCOL_ERROR);
}

static void what_a_connect_says_is_kept(void)
{
    const uint8_t bytes[] = {0x10, 32, 0, 4,    'M', 'Q', 'T', 'T', 5, 0xEE, 0, 9,
                             0,    0,  1, '7',  5,   24,  0,   0,   0, 7,    0, 1,
                             'w',  0,  1, 0xFF, 0,   1,   'u', 0,   1, 0xFE};
    struct mqtt_packet packet;
    EXPECT_EQUAL(decode(bytes, sizeof bytes, &packet), 0);
    EXPECT(packet.will);
    EXPECT(packet.retain);
    EXPECT_EQUAL(packet.qos, 1);
    EXPECT(mqtt_slice_equal(packet.topic, TEXT("w")));
    EXPECT(mqtt_slice_equal(packet.payload, TEXT("\xFF")));
    EXPECT(mqtt_slice_equal(packet.user_name, TEXT("u")));
    EXPECT(mqtt_slice_equal(packet.password, TEXT("\xFE")));
    struct mqtt_properties will;
    mqtt_will_properties(&packet, &will);
    EXPECT_EQUAL(will.will_delay_s, 7);
    EXPECT_EQUAL(packet.properties.present, 0);
}

static void lists_keep_their_order_and_take_only_what_is_valid(void)
{
    uint8_t bytes[64];
    struct mqtt_list list = {bytes, sizeof bytes, 0};
    EXPECT_EQUAL(mqtt_list_user_property(&list, TEXT("k"), TEXT("2")), ERR_OK);
    EXPECT_EQUAL(mqtt_list_subscription_identifier(&list, 0), ERR_RANGE);
    EXPECT_EQUAL(mqtt_list_subscription_identifier(&list, 268435456), ERR_RANGE);
    EXPECT_EQUAL(mqtt_list_subscription_identifier(&list, 268435455), ERR_OK);
    EXPECT_EQUAL(mqtt_list_user_property(&list, TEXT("k"), TEXT("1")), ERR_OK);
    EXPECT_EQUAL(mqtt_list_user_property(&list, TEXT("\xFF"), TEXT("")), ERR_RANGE);
    EXPECT_EQUAL(mqtt_list_user_property(&list, TEXT(""), TEXT("\0")), ERR_RANGE);
    struct mqtt_slice rest = mqtt_list_slice(&list), name, value;
    EXPECT(mqtt_user_property_next(&rest, &name, &value));
    EXPECT(mqtt_slice_equal(value, TEXT("2")));
    EXPECT(mqtt_user_property_next(&rest, &name, &value));
    EXPECT(mqtt_slice_equal(value, TEXT("1")));
    EXPECT(!mqtt_user_property_next(&rest, &name, &value));
    uint32_t identifier = 0;
    rest = mqtt_list_slice(&list);
    EXPECT(mqtt_subscription_identifier_next(&rest, &identifier));
    EXPECT_EQUAL(identifier, 268435455);
    EXPECT(!mqtt_subscription_identifier_next(&rest, &identifier));

    list = (struct mqtt_list){bytes, 10, 0};
    struct mqtt_subscription subscription = {.filter = TEXT("$share/s/a"), .no_local = true};
    EXPECT_EQUAL(mqtt_list_subscription(&list, &subscription), ERR_RANGE);
    subscription = (struct mqtt_subscription){.filter = TEXT("a"), .qos = 3};
    EXPECT_EQUAL(mqtt_list_subscription(&list, &subscription), ERR_RANGE);
    subscription = (struct mqtt_subscription){.filter = TEXT("a"), .retain_handling = 3};
    EXPECT_EQUAL(mqtt_list_subscription(&list, &subscription), ERR_RANGE);
    subscription = (struct mqtt_subscription){.filter = TEXT("a#")};
    EXPECT_EQUAL(mqtt_list_subscription(&list, &subscription), ERR_RANGE);
    subscription = (struct mqtt_subscription){.filter = TEXT("a/+/#"), .qos = 2};
    EXPECT_EQUAL(mqtt_list_subscription(&list, &subscription), ERR_OK);
    EXPECT_EQUAL(mqtt_list_subscription(&list, &subscription), ERR_FULL);
    EXPECT_EQUAL(list.size_bytes, 8);
    rest = mqtt_list_slice(&list);
    EXPECT(mqtt_subscription_next(&rest, &subscription));
    EXPECT_EQUAL(subscription.qos, 2);
    EXPECT(!mqtt_subscription_next(&rest, &subscription));
    EXPECT_EQUAL(mqtt_list_filter(&list, TEXT("")), ERR_RANGE);
    rest = (struct mqtt_slice){bytes, 7}; /* bytes that no decoder has seen */
    EXPECT(!mqtt_subscription_next(&rest, &subscription));
    EXPECT_EQUAL(rest.size_bytes, 0);
}

/* [MQTT-3.2.2-19] [MQTT-3.2.2-20] [MQTT-3.4.2-2] [MQTT-3.4.2-3] [MQTT-3.5.2-2] [MQTT-3.5.2-3]
 * [MQTT-3.6.2-2] [MQTT-3.6.2-3] [MQTT-3.7.2-2] [MQTT-3.7.2-3] [MQTT-3.9.2-1] [MQTT-3.9.2-2]
 * [MQTT-3.11.2-1] [MQTT-3.11.2-2] [MQTT-3.14.2-3] [MQTT-3.14.2-4] [MQTT-3.15.2-2] [MQTT-3.15.2-3]
 */
static void an_answer_leaves_out_what_would_make_it_too_large(void)
{
    const uint64_t user = MQTT_PROPERTY_BIT(MQTT_USER_PROPERTY);
    const uint64_t string = MQTT_PROPERTY_BIT(MQTT_REASON_STRING);
    uint32_t whole = 0, without_user = 0, without_both = 0, none = 0;
    sample.random = 6;
    for (uint32_t round = 0; round < 3000; round++) {
        mqtt_sample_draw(&sample, (enum mqtt_type)(1 + round % 15));
        uint8_t bytes[MQTT_PACKET_BYTES_MAX];
        const uint32_t full_bytes = encode(&sample.packet, bytes);
        for (uint32_t room_bytes = 2; room_bytes <= full_bytes; room_bytes += 3) {
            uint32_t size_bytes = room_bytes;
            const enum err err = mqtt_encode_lean(&sample.packet, bytes, &size_bytes);
            EXPECT((err == ERR_OK) == (size_bytes <= room_bytes));
            if (err != ERR_OK) {
                EXPECT_EQUAL(err, ERR_RANGE);
                none++;
                continue;
            }
            struct mqtt_packet packet;
            EXPECT_EQUAL(decode(bytes, size_bytes, &packet), 0);
            const uint64_t gone = sample.packet.properties.present & ~packet.properties.present;
            EXPECT_EQUAL(gone & ~(user | string), 0);
            EXPECT((gone & string) == 0 || (packet.properties.present & user) == 0);
            struct mqtt_packet wanted = sample.packet; /* all else is there */
            wanted.properties.present &= ~gone;
            if ((gone & user) != 0) {
                wanted.properties.repeated = (struct mqtt_slice){NULL, 0};
            }
            if ((gone & string) != 0) {
                wanted.properties.reason_string = (struct mqtt_slice){NULL, 0};
            }
            EXPECT(mqtt_sample_same(&packet, &wanted));
            if (gone == 0) {
                EXPECT_EQUAL(size_bytes, full_bytes);
                whole++;
            } else if ((gone & string) == 0) {
                without_user++;
            } else {
                without_both++;
            }
        }
    }
    EXPECT(whole > 100);
    EXPECT(without_user > 100);
    EXPECT(without_both > 100);
    EXPECT(none > 100);
}

int main(void)
{
    RUN(every_packet_is_decoded_as_it_was_encoded);
    RUN(every_truncation_is_refused_or_is_another_packet);
    RUN(every_change_of_one_byte_is_refused_or_is_another_packet);
    RUN(bytes_put_in_or_left_out_are_refused_or_are_another_packet);
    RUN(a_stream_of_all_packets_is_the_same_however_it_is_cut);
    RUN(each_packet_has_the_reasons_of_its_list_and_no_others);
    RUN(a_subscribe_obeys_its_rules);
    RUN(what_a_connect_says_is_kept);
    RUN(lists_keep_their_order_and_take_only_what_is_valid);
    RUN(an_answer_leaves_out_what_would_make_it_too_large);
    return 0;
}
