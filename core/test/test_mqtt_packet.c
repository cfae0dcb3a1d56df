/* Goal: whatever bytes come, the decoder takes exactly what MQTT 5 allows, and says why not.
 * Method: packets by hand and their refusals, one rule each; then mutated packets from a generator
 * with a fixed seed: no crash, and what was taken is encoded and taken again as the same packet. */
#include "core/check.h"
#include "core/mqtt/packet.h"
#include "core/test/test.h"

#include <string.h>

_Noreturn void check_failed(const char *file, int line, const char *what)
{
    fprintf(stderr, "%s:%d: CHECK failed: %s\n", file, line, what);
    exit(1);
}

#define BYTES(...) (const uint8_t[]){__VA_ARGS__}, (uint32_t)sizeof((const uint8_t[]){__VA_ARGS__})

/* 0 if the packet is taken, else the reason of its refusal. */
static uint8_t refusal(const uint8_t *bytes, uint32_t size_bytes)
{
    struct mqtt_packet packet;
    uint8_t reason = 0;
    const enum err err = mqtt_decode(bytes, size_bytes, &packet, &reason);
    EXPECT((err == ERR_OK) == (reason == 0));
    EXPECT(err == ERR_OK || err == ERR_MALFORMED);
    return reason;
}

static struct mqtt_packet decoded(const uint8_t *bytes, uint32_t size_bytes)
{
    struct mqtt_packet packet;
    uint8_t reason = 0;
    EXPECT_EQUAL(mqtt_decode(bytes, size_bytes, &packet, &reason), ERR_OK);
    return packet;
}

/* A packet of this first byte: size_bytes of body, which are fewer than 128. */
static uint8_t refusal_of_body(uint8_t first, const uint8_t *body, uint32_t size_bytes)
{
    uint8_t bytes[130];
    EXPECT(size_bytes < 128);
    bytes[0] = first;
    bytes[1] = (uint8_t)size_bytes;
    memcpy(bytes + 2, body, size_bytes);
    return refusal(bytes, size_bytes + 2);
}

/* The fixed header of each kind of packet that has properties, and the body in front of them. */
struct carrier {
    uint8_t first;
    uint8_t head_bytes;
    uint8_t head[16];
    uint8_t tail_bytes;
    uint8_t tail[8];
};

static const struct carrier carriers[] = {
    {0x10, 10, {0, 4, 'M', 'Q', 'T', 'T', 5, 2, 0, 9}, 3, {0, 1, '7'}}, /* CONNECT */
    {0x20, 2, {0, 0}, 0, {0}},                                          /* CONNACK */
    {0x30, 3, {0, 1, 't'}, 1, {'p'}},                                   /* PUBLISH */
    {0x40, 3, {0, 1, 0}, 0, {0}},                                       /* PUBACK */
    {0xE0, 1, {0}, 0, {0}},                                             /* DISCONNECT */
    {0xF0, 1, {0x18}, 0, {0}},                                          /* AUTH */
};
enum { CONNECT, CONNACK, PUBLISH, PUBACK, DISCONNECT, AUTH, CARRIER_COUNT };

static uint8_t refusal_of_properties(uint32_t carrier, const uint8_t *properties,
                                     uint32_t size_bytes)
{
    static const uint8_t method[] = {21, 0, 1, 'm'}; /* which AUTH must have */
    const uint8_t method_bytes =
        carrier == AUTH && (size_bytes == 0 || properties[0] != 21) ? (uint8_t)sizeof method : 0;
    uint8_t body[127];
    uint32_t at = carriers[carrier].head_bytes;
    memcpy(body, carriers[carrier].head, at);
    body[at++] = (uint8_t)(size_bytes + method_bytes);
    memcpy(body + at, method, method_bytes);
    at += method_bytes;
    if (size_bytes > 0) {
        memcpy(body + at, properties, size_bytes);
        at += size_bytes;
    }
    memcpy(body + at, carriers[carrier].tail, carriers[carrier].tail_bytes);
    return refusal_of_body(carriers[carrier].first, body, at + carriers[carrier].tail_bytes);
}

/* Every property as the standard has it, with the smallest good value. */
static const struct good_property {
    uint8_t carriers; /* bit n: carriers[n] may have it */
    uint8_t repeats;
    uint8_t size_bytes;
    uint8_t bytes[8];
} good_properties[] = {
    {1 << PUBLISH, 0, 2, {1, 1}},
    {1 << PUBLISH, 0, 5, {2, 0, 0, 0, 0}},
    {1 << PUBLISH, 0, 4, {3, 0, 1, 'c'}},
    {1 << PUBLISH, 0, 4, {8, 0, 1, 'r'}},
    {1 << PUBLISH, 0, 4, {9, 0, 1, 0xFF}},
    {1 << PUBLISH, 1 << PUBLISH, 2, {11, 1}},
    {1 << CONNECT | 1 << CONNACK | 1 << DISCONNECT, 0, 5, {17, 0, 0, 0, 9}},
    {1 << CONNACK, 0, 4, {18, 0, 1, 'i'}},
    {1 << CONNACK, 0, 3, {19, 0, 0}},
    {1 << CONNECT | 1 << CONNACK | 1 << AUTH, 0, 4, {21, 0, 1, 'm'}},
    {1 << AUTH, 0, 4, {22, 0, 1, 0xFF}},
    {1 << CONNECT, 0, 2, {23, 1}},
    {0, 0, 5, {24, 0, 0, 0, 1}},
    {1 << CONNECT, 0, 2, {25, 0}},
    {1 << CONNACK, 0, 4, {26, 0, 1, 'r'}},
    {1 << CONNACK | 1 << DISCONNECT, 0, 4, {28, 0, 1, 's'}},
    {1 << CONNACK | 1 << PUBACK | 1 << DISCONNECT | 1 << AUTH, 0, 4, {31, 0, 1, 'w'}},
    {1 << CONNECT | 1 << CONNACK, 0, 3, {33, 0, 1}},
    {1 << CONNECT | 1 << CONNACK, 0, 3, {34, 0, 0}},
    {1 << PUBLISH, 0, 3, {35, 0, 1}},
    {1 << CONNACK, 0, 2, {36, 0}},
    {1 << CONNACK, 0, 2, {37, 0}},
    {0x3F, 0x3F, 7, {38, 0, 1, 'k', 0, 1, 'v'}},
    {1 << CONNECT | 1 << CONNACK, 0, 5, {39, 0, 0, 0, 1}},
    {1 << CONNACK, 0, 2, {40, 0}},
    {1 << CONNACK, 0, 2, {41, 0}},
    {1 << CONNACK, 0, 2, {42, 0}},
};
enum { GOOD_PROPERTIES = sizeof good_properties / sizeof good_properties[0] };
_Static_assert(GOOD_PROPERTIES == 27, "every property of the standard");

static void each_property_is_taken_by_the_packets_that_may_carry_it_and_no_other(void)
{
    for (uint32_t index = 0; index < GOOD_PROPERTIES; index++) {
        const struct good_property *good = &good_properties[index];
        for (uint32_t carrier = 0; carrier < CARRIER_COUNT; carrier++) {
            const bool allowed = (good->carriers >> carrier & 1) != 0 ||
                                 /* data needs its method, so a 0x82 says "known here" */
                                 (good->bytes[0] == 22 && carrier <= CONNACK);
            const uint8_t reason = refusal_of_properties(carrier, good->bytes, good->size_bytes);
            if (good->bytes[0] == 22 && carrier <= CONNACK) {
                EXPECT_EQUAL(reason, MQTT_PROTOCOL_ERROR);
            } else {
                EXPECT_EQUAL(reason, allowed ? 0 : MQTT_MALFORMED_PACKET);
            }
        }
    }
}

static void a_property_is_there_once_unless_it_may_repeat(void)
{
    for (uint32_t index = 0; index < GOOD_PROPERTIES; index++) {
        const struct good_property *good = &good_properties[index];
        for (uint32_t carrier = 0; carrier < CARRIER_COUNT; carrier++) {
            uint8_t twice[16];
            memcpy(twice, good->bytes, good->size_bytes);
            memcpy(twice + good->size_bytes, good->bytes, good->size_bytes);
            const uint8_t reason = refusal_of_properties(carrier, twice, 2u * good->size_bytes);
            if ((good->carriers >> carrier & 1) == 0) {
                continue;
            }
            EXPECT_EQUAL(reason, (good->repeats >> carrier & 1) != 0 ? 0 : MQTT_PROTOCOL_ERROR);
        }
    }
}

static void a_property_cut_short_is_malformed(void)
{
    for (uint32_t index = 0; index < GOOD_PROPERTIES; index++) {
        const struct good_property *good = &good_properties[index];
        for (uint32_t carrier = 0; carrier < CARRIER_COUNT; carrier++) {
            for (uint32_t size = 1; size < good->size_bytes; size++) {
                EXPECT_EQUAL(refusal_of_properties(carrier, good->bytes, size),
                             MQTT_MALFORMED_PACKET);
            }
        }
    }
}

static void identifiers_that_are_no_property_are_malformed(void)
{
    for (uint32_t identifier = 0; identifier < 128; identifier++) {
        bool known = false;
        for (uint32_t index = 0; index < GOOD_PROPERTIES; index++) {
            known = known || good_properties[index].bytes[0] == identifier;
        }
        const uint8_t bytes[] = {(uint8_t)identifier, 0, 0, 0, 0, 0, 0};
        for (uint32_t carrier = 0; !known && carrier < CARRIER_COUNT; carrier++) {
            EXPECT_EQUAL(refusal_of_properties(carrier, bytes, sizeof bytes),
                         MQTT_MALFORMED_PACKET);
        }
    }
    EXPECT_EQUAL(refusal_of_properties(PUBLISH, BYTES(0x81, 0x00, 1)), MQTT_MALFORMED_PACKET);
}

static void numbers_outside_their_range_are_protocol_errors(void)
{
    EXPECT_EQUAL(refusal_of_properties(PUBLISH, BYTES(1, 2)), MQTT_PROTOCOL_ERROR);
    EXPECT_EQUAL(refusal_of_properties(PUBLISH, BYTES(11, 0)), MQTT_PROTOCOL_ERROR);
    EXPECT_EQUAL(refusal_of_properties(PUBLISH, BYTES(35, 0, 0)), MQTT_PROTOCOL_ERROR);
    EXPECT_EQUAL(refusal_of_properties(CONNECT, BYTES(33, 0, 0)), MQTT_PROTOCOL_ERROR);
    EXPECT_EQUAL(refusal_of_properties(CONNECT, BYTES(39, 0, 0, 0, 0)), MQTT_PROTOCOL_ERROR);
    EXPECT_EQUAL(refusal_of_properties(CONNECT, BYTES(23, 2)), MQTT_PROTOCOL_ERROR);
    for (uint8_t identifier = 36; identifier <= 42; identifier++) {
        if (identifier < 38 || identifier > 39) {
            EXPECT_EQUAL(refusal_of_properties(CONNACK, BYTES(identifier, 1)), 0);
            EXPECT_EQUAL(refusal_of_properties(CONNACK, BYTES(identifier, 2)), MQTT_PROTOCOL_ERROR);
        }
    }
}

static void texts_inside_properties_are_checked(void)
{
    EXPECT_EQUAL(refusal_of_properties(PUBLISH, BYTES(3, 0, 1, 0)), MQTT_MALFORMED_PACKET);
    EXPECT_EQUAL(refusal_of_properties(PUBLISH, BYTES(8, 0, 1, '#')), MQTT_MALFORMED_PACKET);
    EXPECT_EQUAL(refusal_of_properties(PUBACK, BYTES(31, 0, 1, 0xFF)), MQTT_MALFORMED_PACKET);
    EXPECT_EQUAL(refusal_of_properties(PUBACK, BYTES(38, 0, 1, 'k', 0, 1, 0x80)),
                 MQTT_MALFORMED_PACKET);
    EXPECT_EQUAL(refusal_of_properties(PUBLISH, BYTES(9, 0, 2, 0, 0xFF)), 0); /* binary */
}

static void authentication_data_needs_its_method(void)
{
    EXPECT_EQUAL(refusal_of_properties(CONNECT, BYTES(22, 0, 0)), MQTT_PROTOCOL_ERROR);
    EXPECT_EQUAL(refusal_of_properties(CONNECT, BYTES(22, 0, 0, 21, 0, 0)), 0);
    EXPECT_EQUAL(refusal(BYTES(0xF0, 2, 0x18, 0)), MQTT_PROTOCOL_ERROR); /* AUTH without one */
}

static void the_fixed_header_is_checked(void)
{
    EXPECT_EQUAL(refusal(BYTES(0x00, 0)), MQTT_MALFORMED_PACKET); /* type 0 */
    EXPECT_EQUAL(refusal(BYTES(0xC0)), MQTT_MALFORMED_PACKET);
    EXPECT_EQUAL(refusal(NULL, 0), MQTT_MALFORMED_PACKET);
    EXPECT_EQUAL(refusal(BYTES(0xC0, 0)), 0);
    for (uint8_t flags = 1; flags < 16; flags++) {
        EXPECT_EQUAL(refusal(BYTES((uint8_t)(0xC0 | flags), 0)), MQTT_MALFORMED_PACKET);
        EXPECT_EQUAL(refusal(BYTES((uint8_t)(0x40 | flags), 2, 0, 1)), MQTT_MALFORMED_PACKET);
        EXPECT_EQUAL(refusal(BYTES((uint8_t)(0xF0 | flags), 0)), MQTT_MALFORMED_PACKET);
        /* SUBSCRIBE, UNSUBSCRIBE and PUBREL have 2 there */
        EXPECT_EQUAL(refusal(BYTES((uint8_t)(0x80 | flags), 7, 0, 1, 0, 0, 1, 'a', 0)),
                     flags == 2 ? 0 : MQTT_MALFORMED_PACKET);
        EXPECT_EQUAL(refusal(BYTES((uint8_t)(0xA0 | flags), 6, 0, 1, 0, 0, 1, 'a')),
                     flags == 2 ? 0 : MQTT_MALFORMED_PACKET);
        EXPECT_EQUAL(refusal(BYTES((uint8_t)(0x60 | flags), 2, 0, 1)),
                     flags == 2 ? 0 : MQTT_MALFORMED_PACKET);
    }
}

static void lengths_are_minimal_and_true(void)
{
    EXPECT_EQUAL(refusal(BYTES(0xC0, 0x80, 0x00)), MQTT_MALFORMED_PACKET);
    EXPECT_EQUAL(refusal(BYTES(0xC0, 0x80, 0x80, 0x80, 0x00)), MQTT_MALFORMED_PACKET);
    EXPECT_EQUAL(refusal(BYTES(0xC0, 0x80, 0x80, 0x80, 0x80, 0x01)), MQTT_MALFORMED_PACKET);
    EXPECT_EQUAL(refusal(BYTES(0xC0, 1, 0)), MQTT_MALFORMED_PACKET); /* PINGREQ with a body */
    EXPECT_EQUAL(refusal(BYTES(0xC0, 0, 0)), MQTT_MALFORMED_PACKET); /* bytes behind it */
    EXPECT_EQUAL(refusal(BYTES(0xC0, 2, 0)), MQTT_MALFORMED_PACKET); /* bytes missing */
    EXPECT_EQUAL(refusal(BYTES(0x30, 5, 0, 1, 't', 0x80, 0x00)), MQTT_MALFORMED_PACKET);
    EXPECT_EQUAL(refusal(BYTES(0x30, 0xFF, 0xFF, 0xFF, 0x7F)), MQTT_MALFORMED_PACKET);
    EXPECT_EQUAL(refusal(BYTES(0x40, 4, 0, 1, 0, 1)), MQTT_MALFORMED_PACKET);
    EXPECT_EQUAL(refusal(BYTES(0xE0, 3, 0, 0, 0)), MQTT_MALFORMED_PACKET);
}

static void a_packet_is_as_large_as_the_bound_and_no_larger(void)
{
    static uint8_t bytes[MQTT_PACKET_BYTES_MAX + 1];
    for (uint32_t size = MQTT_PACKET_BYTES_MAX; size <= MQTT_PACKET_BYTES_MAX + 1; size++) {
        const uint32_t rest = size - 3;
        memset(bytes, 0, sizeof bytes);
        bytes[0] = 0x30;
        bytes[1] = (uint8_t)(0x80 | (rest & 0x7F));
        bytes[2] = (uint8_t)(rest >> 7);
        bytes[4] = 1;
        bytes[5] = 't';
        uint32_t packet_bytes = 0;
        uint8_t reason = 0;
        EXPECT_EQUAL(mqtt_packet_size(bytes, 3, &packet_bytes, &reason),
                     size > MQTT_PACKET_BYTES_MAX ? ERR_MALFORMED : ERR_OK);
        EXPECT_EQUAL(reason, size > MQTT_PACKET_BYTES_MAX ? MQTT_PACKET_TOO_LARGE : 0);
        EXPECT_EQUAL(mqtt_packet_size_within(bytes, 3, size, &packet_bytes, &reason), ERR_OK);
        EXPECT_EQUAL(packet_bytes, size);
        EXPECT_EQUAL(mqtt_packet_size_within(bytes, 3, size - 1, &packet_bytes, &reason),
                     ERR_MALFORMED);
        EXPECT_EQUAL(refusal(bytes, size), 0); /* framing has the bound, not the decoder */
    }
}

static void texts_are_well_formed_utf8(void)
{
    static const struct {
        uint8_t size;
        uint8_t bytes[5];
        bool good;
    } cases[] = {
        {1, {0x00}, false}, /* NUL */
        {1, {0x01}, true},  /* control characters are only advised against */
        {1, {0x7F}, true},
        {1, {0x80}, false},       /* continuation alone */
        {2, {0xC0, 0x80}, false}, /* overlong NUL */
        {2, {0xC1, 0xBF}, false}, /* overlong */
        {2, {0xC2, 0x80}, true},
        {2, {0xC2, 0x7F}, false},
        {1, {0xC2}, false},             /* cut */
        {3, {0xE0, 0x9F, 0xBF}, false}, /* overlong */
        {3, {0xE0, 0xA0, 0x80}, true},
        {3, {0xED, 0x9F, 0xBF}, true},
        {3, {0xED, 0xA0, 0x80}, false}, /* surrogate U+D800 */
        {3, {0xED, 0xBF, 0xBF}, false}, /* surrogate U+DFFF */
        {3, {0xEE, 0x80, 0x80}, true},
        {3, {0xEF, 0xBB, 0xBF}, true}, /* U+FEFF stays [MQTT-1.5.4-3] */
        {3, {0xE1, 0x80, 0x41}, false},
        {2, {0xE1, 0x80}, false},
        {4, {0xF0, 0x8F, 0xBF, 0xBF}, false}, /* overlong */
        {4, {0xF0, 0x90, 0x80, 0x80}, true},
        {4, {0xF4, 0x8F, 0xBF, 0xBF}, true},
        {4, {0xF4, 0x90, 0x80, 0x80}, false}, /* above U+10FFFF */
        {4, {0xF1, 0x80, 0x80, 0xC0}, false},
        {1, {0xF5}, false},
        {1, {0xFF}, false},
        {5, {'a', 0xC3, 0xA4, 'b', 0xC3}, false},
    };
    for (uint32_t index = 0; index < sizeof cases / sizeof cases[0]; index++) {
        uint8_t body[16] = {0, cases[index].size};
        memcpy(body + 2, cases[index].bytes, cases[index].size);
        EXPECT_EQUAL(refusal_of_body(0x30, body, 3u + cases[index].size),
                     cases[index].good ? 0 : MQTT_MALFORMED_PACKET);
    }
}

static void a_publish_obeys_its_rules(void)
{
    EXPECT_EQUAL(refusal(BYTES(0x30, 4, 0, 1, 't', 0)), 0);
    EXPECT_EQUAL(refusal(BYTES(0x32, 6, 0, 1, 't', 0, 1, 0)), 0);
    EXPECT_EQUAL(refusal(BYTES(0x3D, 6, 0, 1, 't', 0, 1, 0)), 0);
    EXPECT_EQUAL(refusal(BYTES(0x36, 6, 0, 1, 't', 0, 1, 0)), MQTT_MALFORMED_PACKET); /* QoS 3 */
    EXPECT_EQUAL(refusal(BYTES(0x38, 4, 0, 1, 't', 0)), MQTT_MALFORMED_PACKET);     /* DUP, QoS 0 */
    EXPECT_EQUAL(refusal(BYTES(0x32, 6, 0, 1, 't', 0, 0, 0)), MQTT_PROTOCOL_ERROR); /* id 0 */
    EXPECT_EQUAL(refusal(BYTES(0x32, 4, 0, 1, 't', 0)), MQTT_MALFORMED_PACKET);
    EXPECT_EQUAL(refusal(BYTES(0x30, 4, 0, 1, '+', 0)), MQTT_MALFORMED_PACKET);
    EXPECT_EQUAL(refusal(BYTES(0x30, 6, 0, 3, 'a', '/', '#', 0)), MQTT_MALFORMED_PACKET);
    EXPECT_EQUAL(refusal(BYTES(0x30, 4, 0, 1, 0, 0)), MQTT_MALFORMED_PACKET);
    EXPECT_EQUAL(refusal(BYTES(0x30, 3, 0, 0, 0)), MQTT_PROTOCOL_ERROR); /* no topic, no alias */
    EXPECT_EQUAL(refusal(BYTES(0x30, 6, 0, 0, 3, 35, 0, 1)), 0);
    EXPECT_EQUAL(refusal(BYTES(0x30, 3, 0, 9, 't')), MQTT_MALFORMED_PACKET);
    EXPECT_EQUAL(refusal(BYTES(0x30, 3, 0, 1, 't')), MQTT_MALFORMED_PACKET); /* no properties */
    EXPECT_EQUAL(refusal(BYTES(0x30, 4, 0, 1, 't', 5)), MQTT_MALFORMED_PACKET);
    EXPECT_EQUAL(refusal(BYTES(0x30, 0)), MQTT_MALFORMED_PACKET);
}

static void a_connect_obeys_its_rules(void)
{
    uint8_t body[32] = {0, 4, 'M', 'Q', 'T', 'T', 5, 2, 0, 9, 0, 0, 1, '7'};
    EXPECT_EQUAL(refusal_of_body(0x10, body, 14), 0);
    EXPECT_EQUAL(refusal_of_body(0x10, body, 13), MQTT_MALFORMED_PACKET);
    EXPECT_EQUAL(refusal_of_body(0x10, body, 15), MQTT_MALFORMED_PACKET);
    body[6] = 4;
    EXPECT_EQUAL(refusal_of_body(0x10, body, 14), MQTT_UNSUPPORTED_PROTOCOL_VERSION);
    body[6] = 5;
    body[2] = 'N';
    EXPECT_EQUAL(refusal_of_body(0x10, body, 14), MQTT_UNSUPPORTED_PROTOCOL_VERSION);
    body[2] = 'M';
    static const uint8_t bad_flags[] = {0x01, 0x03, 0x08, 0x10, 0x18, 0x20, 0x1C};
    for (uint32_t index = 0; index < sizeof bad_flags; index++) {
        body[7] = bad_flags[index];
        EXPECT_EQUAL(refusal_of_body(0x10, body, 14), MQTT_MALFORMED_PACKET);
    }
    body[7] = 0xC2; /* user name and password */
    memcpy(body + 14, "\0\1u\0\1\xFF", 6);
    EXPECT_EQUAL(refusal_of_body(0x10, body, 20), 0);
    body[16] = 0xFF; /* a user name is a text */
    EXPECT_EQUAL(refusal_of_body(0x10, body, 20), MQTT_MALFORMED_PACKET);
}

static void a_will_is_checked_and_told(void)
{
    const uint8_t good[] = {0x10, 26,  0, 4,  'M', 'Q', 'T', 'T', 5, 0x2E, 0,   9, 0, 0,
                            1,    '7', 5, 24, 0,   0,   0,   1,   0, 1,    'w', 0, 1, 0xFF};
    const struct mqtt_packet packet = decoded(good, sizeof good);
    EXPECT(packet.will);
    EXPECT(packet.clean_start);
    uint8_t bad[sizeof good];
    memcpy(bad, good, sizeof bad);
    bad[24] = '#';
    EXPECT_EQUAL(refusal(bad, sizeof bad), MQTT_MALFORMED_PACKET);
    memcpy(bad, good, sizeof bad);
    bad[17] = 17; /* Session Expiry Interval is no property of a will */
    EXPECT_EQUAL(refusal(bad, sizeof bad), MQTT_MALFORMED_PACKET);
    bad[9] = 0x1E; /* Will QoS 3 */
    EXPECT_EQUAL(refusal(bad, sizeof bad), MQTT_MALFORMED_PACKET);
}

static void a_connack_obeys_its_rules(void)
{
    EXPECT_EQUAL(refusal(BYTES(0x20, 3, 0, 0, 0)), 0);
    EXPECT_EQUAL(refusal(BYTES(0x20, 3, 1, 0, 0)), 0);
    EXPECT_EQUAL(refusal(BYTES(0x20, 3, 2, 0, 0)), MQTT_MALFORMED_PACKET);
    EXPECT_EQUAL(refusal(BYTES(0x20, 3, 1, 0x87, 0)), MQTT_PROTOCOL_ERROR);
    EXPECT_EQUAL(refusal(BYTES(0x20, 3, 0, 0x87, 0)), 0);
    EXPECT_EQUAL(refusal(BYTES(0x20, 3, 0, 0x93, 0)), MQTT_PROTOCOL_ERROR); /* not its reason */
    EXPECT_EQUAL(refusal(BYTES(0x20, 2, 0, 0)), MQTT_MALFORMED_PACKET);
}

static void short_forms_are_taken_where_the_standard_has_them(void)
{
    EXPECT_EQUAL(decoded(BYTES(0x40, 2, 0, 7)).packet_id, 7);
    EXPECT_EQUAL(decoded(BYTES(0x40, 3, 0, 7, 0x97)).reason, MQTT_QUOTA_EXCEEDED);
    EXPECT_EQUAL(decoded(BYTES(0x40, 4, 0, 7, 0x10, 0)).reason, 0x10);
    EXPECT_EQUAL(refusal(BYTES(0x40, 1, 7)), MQTT_MALFORMED_PACKET);
    EXPECT_EQUAL(refusal(BYTES(0x40, 2, 0, 0)), MQTT_PROTOCOL_ERROR);
    EXPECT_EQUAL(refusal(BYTES(0x40, 3, 0, 7, 0x81)), MQTT_PROTOCOL_ERROR);
    EXPECT_EQUAL(decoded(BYTES(0xE0, 0)).reason, 0);
    EXPECT_EQUAL(decoded(BYTES(0xE0, 1, 0x8E)).reason, MQTT_SESSION_TAKEN_OVER);
    EXPECT_EQUAL(decoded(BYTES(0xE0, 2, 0x8E, 0)).reason, MQTT_SESSION_TAKEN_OVER);
    EXPECT_EQUAL(refusal(BYTES(0xE0, 1, 0x01)), MQTT_PROTOCOL_ERROR);
    EXPECT_EQUAL(decoded(BYTES(0xF0, 0)).reason, 0);
    EXPECT_EQUAL(refusal(BYTES(0xF0, 1, 0x18)), MQTT_MALFORMED_PACKET);
    EXPECT_EQUAL(refusal(BYTES(0xF0, 6, 0x1A, 4, 21, 0, 1, 'm')), MQTT_PROTOCOL_ERROR);
    EXPECT_EQUAL(refusal(BYTES(0xF0, 6, 0x1A, 4, 21, 0, 1)), MQTT_MALFORMED_PACKET);
}

static void expect_bytes(const struct mqtt_packet *packet, const uint8_t *bytes, uint32_t size)
{
    uint8_t out[MQTT_PACKET_BYTES_MAX];
    for (uint32_t capacity = 0; capacity < size; capacity++) {
        uint32_t out_bytes = capacity;
        EXPECT_EQUAL(mqtt_encode(packet, out, &out_bytes), ERR_RANGE);
        EXPECT_EQUAL(out_bytes, size);
    }
    uint32_t out_bytes = size;
    EXPECT_EQUAL(mqtt_encode(packet, out, &out_bytes), ERR_OK);
    EXPECT_EQUAL(out_bytes, size);
    EXPECT(memcmp(out, bytes, size) == 0);
}

static void packets_are_encoded_in_their_shortest_form(void)
{
    struct mqtt_packet packet;
    mqtt_packet_init(&packet, MQTT_PINGREQ);
    expect_bytes(&packet, BYTES(0xC0, 0));
    mqtt_packet_init(&packet, MQTT_PUBACK);
    packet.packet_id = 0x0102;
    expect_bytes(&packet, BYTES(0x40, 2, 1, 2));
    packet.reason = MQTT_QUOTA_EXCEEDED;
    expect_bytes(&packet, BYTES(0x40, 3, 1, 2, 0x97));
    packet.properties.reason_string = mqtt_text("no");
    packet.properties.present = MQTT_PROPERTY_BIT(MQTT_REASON_STRING);
    expect_bytes(&packet, BYTES(0x40, 9, 1, 2, 0x97, 5, 31, 0, 2, 'n', 'o'));
    mqtt_packet_init(&packet, MQTT_DISCONNECT);
    expect_bytes(&packet, BYTES(0xE0, 0));
    packet.reason = MQTT_RECEIVE_MAXIMUM_EXCEEDED;
    expect_bytes(&packet, BYTES(0xE0, 1, 0x93));
    mqtt_packet_init(&packet, MQTT_AUTH);
    expect_bytes(&packet, BYTES(0xF0, 0));
    mqtt_packet_init(&packet, MQTT_CONNACK);
    packet.reason = MQTT_NOT_AUTHORIZED;
    expect_bytes(&packet, BYTES(0x20, 3, 0, 0x87, 0));
    mqtt_packet_init(&packet, MQTT_PUBLISH);
    packet.topic = mqtt_text("t/1");
    packet.payload = mqtt_text("hi");
    expect_bytes(&packet, BYTES(0x30, 8, 0, 3, 't', '/', '1', 0, 'h', 'i'));
    packet.qos = 1;
    packet.dup = true;
    packet.packet_id = 9;
    expect_bytes(&packet, BYTES(0x3A, 10, 0, 3, 't', '/', '1', 0, 9, 0, 'h', 'i'));
}

static bool same(const struct mqtt_packet *a, const struct mqtt_packet *b)
{
    const struct mqtt_properties *p = &a->properties, *q = &b->properties;
    return a->type == b->type && a->reason == b->reason && a->packet_id == b->packet_id &&
           a->dup == b->dup && a->retain == b->retain && a->qos == b->qos &&
           a->clean_start == b->clean_start && a->session_present == b->session_present &&
           a->keep_alive_s == b->keep_alive_s && mqtt_slice_equal(a->client_id, b->client_id) &&
           mqtt_slice_equal(a->topic, b->topic) && mqtt_slice_equal(a->payload, b->payload) &&
           p->session_expiry_s == q->session_expiry_s &&
           p->maximum_packet_bytes == q->maximum_packet_bytes &&
           p->server_keep_alive_s == q->server_keep_alive_s &&
           p->receive_maximum == q->receive_maximum && p->topic_alias == q->topic_alias &&
           p->maximum_qos == q->maximum_qos && p->retain_available == q->retain_available &&
           mqtt_slice_equal(p->authentication_method, q->authentication_method) &&
           mqtt_slice_equal(p->authentication_data, q->authentication_data) &&
           mqtt_slice_equal(p->reason_string, q->reason_string);
}

/* Encode what was decoded: it must be taken again, as the same packet, and be as short from then
 * on. */
static void expect_round_trip(const struct mqtt_packet *packet, uint32_t size_bytes)
{
    uint8_t once[MQTT_PACKET_BYTES_MAX], twice[MQTT_PACKET_BYTES_MAX];
    uint32_t once_bytes = sizeof once, twice_bytes = sizeof twice;
    EXPECT_EQUAL(mqtt_encode(packet, once, &once_bytes), ERR_OK);
    EXPECT(once_bytes <= size_bytes);
    const struct mqtt_packet again = decoded(once, once_bytes);
    EXPECT(same(packet, &again));
    EXPECT_EQUAL(mqtt_encode(&again, twice, &twice_bytes), ERR_OK);
    EXPECT_EQUAL(twice_bytes, once_bytes);
    EXPECT(memcmp(once, twice, once_bytes) == 0);
}

static void every_field_survives_a_round_trip(void)
{
    struct mqtt_packet packet;
    mqtt_packet_init(&packet, MQTT_CONNACK);
    packet.session_present = true;
    packet.properties = (struct mqtt_properties){
        .present = MQTT_PROPERTY_BIT(17) | MQTT_PROPERTY_BIT(19) | MQTT_PROPERTY_BIT(21) |
                   MQTT_PROPERTY_BIT(22) | MQTT_PROPERTY_BIT(31) | MQTT_PROPERTY_BIT(33) |
                   MQTT_PROPERTY_BIT(36) | MQTT_PROPERTY_BIT(37) | MQTT_PROPERTY_BIT(39),
        .session_expiry_s = 0x01020304,
        .maximum_packet_bytes = 0x05060708,
        .server_keep_alive_s = 0x090A,
        .receive_maximum = 0x0B0C,
        .maximum_qos = 1,
        .retain_available = 0,
        .authentication_method = mqtt_text("m"),
        .authentication_data = mqtt_text(""),
        .reason_string = mqtt_text("why"),
    };
    expect_round_trip(&packet, MQTT_PACKET_BYTES_MAX);
    mqtt_packet_init(&packet, MQTT_CONNECT);
    packet.client_id = mqtt_text("4294967295");
    packet.clean_start = true;
    packet.keep_alive_s = 0xFFFE;
    expect_round_trip(&packet, MQTT_PACKET_BYTES_MAX);
    mqtt_packet_init(&packet, MQTT_PUBLISH);
    packet.properties.topic_alias = 0x0102;
    packet.properties.present = MQTT_PROPERTY_BIT(MQTT_TOPIC_ALIAS);
    packet.retain = true;
    packet.qos = 2;
    packet.packet_id = 65535;
    expect_round_trip(&packet, MQTT_PACKET_BYTES_MAX);
}

static void absent_properties_have_the_values_of_the_standard(void)
{
    const struct mqtt_packet packet = decoded(BYTES(0x20, 3, 0, 0, 0));
    EXPECT_EQUAL(packet.properties.present, 0);
    EXPECT_EQUAL(packet.properties.receive_maximum, 65535);
    EXPECT_EQUAL(packet.properties.maximum_packet_bytes, UINT32_MAX);
    EXPECT_EQUAL(packet.properties.maximum_qos, 2);
    EXPECT_EQUAL(packet.properties.retain_available, 1);
    EXPECT(packet.properties.authentication_method.bytes == NULL);
}

static uint64_t random_state = 1; /* splitmix64, seed 1 */

static uint32_t random_below(uint32_t bound)
{
    random_state += UINT64_C(0x9E3779B97F4A7C15);
    uint64_t z = random_state;
    z = (z ^ (z >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94D049BB133111EB);
    return (uint32_t)((z ^ (z >> 31)) % bound);
}

/* A packet of some carrier with some properties, mostly well-formed. */
static uint32_t random_packet(uint8_t bytes[128])
{
    const struct carrier *carrier = &carriers[random_below(CARRIER_COUNT)];
    uint32_t at = 2;
    memcpy(bytes + at, carrier->head, carrier->head_bytes);
    at += carrier->head_bytes;
    const uint32_t length_at = at++;
    for (uint32_t count = random_below(5); count > 0; count--) {
        const struct good_property *good = &good_properties[random_below(GOOD_PROPERTIES)];
        if ((good->carriers >> (carrier - carriers) & 1) != 0) {
            memcpy(bytes + at, good->bytes, good->size_bytes);
            at += good->size_bytes;
        }
    }
    bytes[length_at] = (uint8_t)(at - length_at - 1);
    memcpy(bytes + at, carrier->tail, carrier->tail_bytes);
    at += carrier->tail_bytes;
    bytes[0] = carrier->first;
    bytes[1] = (uint8_t)(at - 2);
    return at;
}

static uint32_t mutated(uint8_t bytes[128], uint32_t size_bytes)
{
    const uint32_t at = random_below(size_bytes);
    switch (random_below(5)) {
    case 0:
        bytes[at] ^= (uint8_t)(1u << random_below(8));
        return size_bytes;
    case 1:
        bytes[at] = (uint8_t)random_below(256);
        return size_bytes;
    case 2: /* cut, and say so or not */
        bytes[1] = random_below(2) == 0 && at >= 2 ? (uint8_t)(at - 2) : bytes[1];
        return at;
    case 3: /* one byte more in the middle */
        if (size_bytes < 120 && at >= 2) {
            memmove(bytes + at + 1, bytes + at, size_bytes - at);
            bytes[1]++;
            return size_bytes + 1;
        }
        return size_bytes;
    default:
        return size_bytes;
    }
}

static void mutated_packets_are_taken_whole_or_refused_with_a_reason(void)
{
    uint32_t taken = 0, refused[256] = {0};
    for (uint32_t round = 0; round < 100000; round++) {
        uint8_t bytes[128];
        uint32_t size_bytes = random_packet(bytes);
        for (uint32_t count = random_below(4); count > 0 && size_bytes > 0; count--) {
            size_bytes = mutated(bytes, size_bytes);
        }
        uint8_t *exact = malloc(size_bytes > 0 ? size_bytes : 1); /* a sanitizer sees overreads */
        EXPECT(exact != NULL);
        memcpy(exact, bytes, size_bytes);
        struct mqtt_packet packet;
        uint8_t reason = 0;
        if (mqtt_decode(exact, size_bytes, &packet, &reason) == ERR_OK) {
            taken++;
            EXPECT_EQUAL(reason, 0);
            expect_round_trip(&packet, size_bytes);
        } else {
            refused[reason]++;
        }
        free(exact);
    }
    EXPECT(taken > 10000);
    EXPECT(refused[MQTT_MALFORMED_PACKET] > 10000);
    EXPECT(refused[MQTT_PROTOCOL_ERROR] > 1000);
    EXPECT(refused[MQTT_UNSUPPORTED_PROTOCOL_VERSION] > 10);
    EXPECT_EQUAL(taken + refused[MQTT_MALFORMED_PACKET] + refused[MQTT_PROTOCOL_ERROR] +
                     refused[MQTT_UNSUPPORTED_PROTOCOL_VERSION],
                 100000);
}

int main(void)
{
    RUN(each_property_is_taken_by_the_packets_that_may_carry_it_and_no_other);
    RUN(a_property_is_there_once_unless_it_may_repeat);
    RUN(a_property_cut_short_is_malformed);
    RUN(identifiers_that_are_no_property_are_malformed);
    RUN(numbers_outside_their_range_are_protocol_errors);
    RUN(texts_inside_properties_are_checked);
    RUN(authentication_data_needs_its_method);
    RUN(the_fixed_header_is_checked);
    RUN(lengths_are_minimal_and_true);
    RUN(a_packet_is_as_large_as_the_bound_and_no_larger);
    RUN(texts_are_well_formed_utf8);
    RUN(a_publish_obeys_its_rules);
    RUN(a_connect_obeys_its_rules);
    RUN(a_will_is_checked_and_told);
    RUN(a_connack_obeys_its_rules);
    RUN(short_forms_are_taken_where_the_standard_has_them);
    RUN(packets_are_encoded_in_their_shortest_form);
    RUN(every_field_survives_a_round_trip);
    RUN(absent_properties_have_the_values_of_the_standard);
    RUN(mutated_packets_are_taken_whole_or_refused_with_a_reason);
    return 0;
}
