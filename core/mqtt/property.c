#include "core/mqtt/property.h"

#include <stddef.h>
#include <string.h>

#include "core/check.h"

/* Section 1.5; of a TOPIC, also that it has no wildcards. */
enum data {
    DATA_BYTE,
    DATA_TWO,
    DATA_FOUR,
    DATA_VARINT,
    DATA_TEXT,
    DATA_TOPIC,
    DATA_BINARY,
    DATA_PAIR,
};

struct property {
    uint8_t identifier;
    uint8_t data;     /* enum data */
    uint16_t packets; /* that may carry it: bit n for packet type n, and IN_WILL */
    uint16_t repeats; /* packets that may carry it more than once */
    uint16_t offset;  /* its field in struct mqtt_properties, or SKIPPED */
    uint32_t least;   /* numbers outside least..most are protocol errors */
    uint32_t most;
};

#define IN(type)   MQTT_IN(MQTT_##type)
#define IN_WILL    MQTT_IN_WILL
#define IN_MESSAGE (IN(PUBLISH) | IN_WILL)
#define IN_OPENING (IN(CONNECT) | IN(CONNACK))
#define IN_ACKS    (IN(PUBACK) | IN(PUBREC) | IN(PUBREL) | IN(PUBCOMP) | IN(SUBACK) | IN(UNSUBACK))
#define IN_ANSWER  (IN(CONNACK) | IN_ACKS | IN(DISCONNECT) | IN(AUTH))
#define IN_ANY     (IN_MESSAGE | IN(CONNECT) | IN(SUBSCRIBE) | IN(UNSUBSCRIBE) | IN_ANSWER)

#define KEPT(field) ((uint16_t)offsetof(struct mqtt_properties, field))
#define SKIPPED     UINT16_MAX
#define ALL16       UINT16_MAX
#define ALL32       UINT32_MAX

/* clang-format off */
static const struct property properties_of_mqtt[] = { /* table 2-4, all 27 */
    {  1, DATA_BYTE,   IN_MESSAGE, 0, SKIPPED, 0, 1 },     /* Payload Format Indicator */
    {  2, DATA_FOUR,   IN_MESSAGE, 0, SKIPPED, 0, ALL32 }, /* Message Expiry Interval */
    {  3, DATA_TEXT,   IN_MESSAGE, 0, SKIPPED, 0, 0 },     /* Content Type */
    {  8, DATA_TOPIC,  IN_MESSAGE, 0, SKIPPED, 0, 0 },     /* Response Topic [MQTT-3.3.2-14] */
    {  9, DATA_BINARY, IN_MESSAGE, 0, SKIPPED, 0, 0 },     /* Correlation Data */
    { 11, DATA_VARINT, IN(PUBLISH) | IN(SUBSCRIBE), IN(PUBLISH), SKIPPED, 1, MQTT_VARINT_MAX },
    { 17, DATA_FOUR,   IN_OPENING | IN(DISCONNECT), 0, KEPT(session_expiry_s), 0, ALL32 },
    { 18, DATA_TEXT,   IN(CONNACK), 0, SKIPPED, 0, 0 },    /* Assigned Client Identifier */
    { 19, DATA_TWO,    IN(CONNACK), 0, KEPT(server_keep_alive_s), 0, ALL16 },
    { 21, DATA_TEXT,   IN_OPENING | IN(AUTH), 0, KEPT(authentication_method), 0, 0 },
    { 22, DATA_BINARY, IN_OPENING | IN(AUTH), 0, KEPT(authentication_data), 0, 0 },
    { 23, DATA_BYTE,   IN(CONNECT), 0, SKIPPED, 0, 1 },    /* Request Problem Information */
    { 24, DATA_FOUR,   IN_WILL, 0, SKIPPED, 0, ALL32 },    /* Will Delay Interval */
    { 25, DATA_BYTE,   IN(CONNECT), 0, SKIPPED, 0, 1 },    /* Request Response Information */
    { 26, DATA_TEXT,   IN(CONNACK), 0, SKIPPED, 0, 0 },    /* Response Information */
    { 28, DATA_TEXT,   IN(CONNACK) | IN(DISCONNECT), 0, SKIPPED, 0, 0 }, /* Server Reference */
    { 31, DATA_TEXT,   IN_ANSWER, 0, KEPT(reason_string), 0, 0 },
    { 33, DATA_TWO,    IN_OPENING, 0, KEPT(receive_maximum), 1, ALL16 },
    { 34, DATA_TWO,    IN_OPENING, 0, SKIPPED, 0, ALL16 }, /* Topic Alias Maximum */
    { 35, DATA_TWO,    IN(PUBLISH), 0, KEPT(topic_alias), 1, ALL16 }, /* [MQTT-3.3.2-8] */
    { 36, DATA_BYTE,   IN(CONNACK), 0, KEPT(maximum_qos), 0, 1 },
    { 37, DATA_BYTE,   IN(CONNACK), 0, KEPT(retain_available), 0, 1 },
    { 38, DATA_PAIR,   IN_ANY, IN_ANY, SKIPPED, 0, 0 },    /* User Property */
    { 39, DATA_FOUR,   IN_OPENING, 0, KEPT(maximum_packet_bytes), 1, ALL32 },
    { 40, DATA_BYTE,   IN(CONNACK), 0, SKIPPED, 0, 1 },    /* Wildcard Subscription Available */
    { 41, DATA_BYTE,   IN(CONNACK), 0, SKIPPED, 0, 1 },    /* Subscription Identifier Available */
    { 42, DATA_BYTE,   IN(CONNACK), 0, SKIPPED, 0, 1 },    /* Shared Subscription Available */
};
/* clang-format on */

enum { PROPERTY_COUNT = sizeof properties_of_mqtt / sizeof properties_of_mqtt[0] };
_Static_assert(PROPERTY_COUNT == 27, "every property of the standard");

void mqtt_properties_init(struct mqtt_properties *properties)
{
    memset(properties, 0, sizeof *properties);
    properties->maximum_packet_bytes = UINT32_MAX;
    properties->receive_maximum = UINT16_MAX;
    properties->maximum_qos = 2;
    properties->retain_available = 1;
}

static const struct property *property_find(uint32_t identifier)
{
    for (uint32_t index = 0; index < PROPERTY_COUNT; index++) {
        if (properties_of_mqtt[index].identifier == identifier) {
            return &properties_of_mqtt[index];
        }
    }
    return NULL;
}

static void *property_field(struct mqtt_properties *properties, const struct property *property)
{
    return (uint8_t *)properties + property->offset;
}

static const void *property_value(const struct mqtt_properties *properties,
                                  const struct property *property)
{
    return (const uint8_t *)properties + property->offset;
}

static void keep_number(struct mqtt_properties *properties, const struct property *property,
                        uint32_t number)
{
    const uint8_t byte = (uint8_t)number;
    const uint16_t two = (uint16_t)number;
    if (property->data == DATA_BYTE) {
        memcpy(property_field(properties, property), &byte, sizeof byte);
    } else if (property->data == DATA_TWO) {
        memcpy(property_field(properties, property), &two, sizeof two);
    } else {
        memcpy(property_field(properties, property), &number, sizeof number);
    }
}

static void read_property(struct mqtt_cursor *cursor, const struct property *property,
                          struct mqtt_properties *properties)
{
    uint32_t number = property->least;
    struct mqtt_slice slice = {NULL, 0};
    switch ((enum data)property->data) {
    case DATA_BYTE:
        number = mqtt_read_number(cursor, 1);
        break;
    case DATA_TWO:
        number = mqtt_read_number(cursor, 2);
        break;
    case DATA_FOUR:
        number = mqtt_read_number(cursor, 4);
        break;
    case DATA_VARINT:
        number = mqtt_read_varint(cursor);
        break;
    case DATA_TEXT:
        slice = mqtt_read_text(cursor);
        break;
    case DATA_TOPIC:
        slice = mqtt_read_topic(cursor);
        break;
    case DATA_BINARY:
        slice = mqtt_read_binary(cursor);
        break;
    case DATA_PAIR: /* [MQTT-1.5.7-1] */
        (void)mqtt_read_text(cursor);
        (void)mqtt_read_text(cursor);
        break;
    }
    if (number < property->least || number > property->most) {
        mqtt_cursor_fail(cursor, MQTT_PROTOCOL_ERROR);
    }
    if (cursor->reason != MQTT_SUCCESS || property->offset == SKIPPED) {
        return;
    }
    if (slice.bytes != NULL) {
        memcpy(property_field(properties, property), &slice, sizeof slice);
    } else {
        keep_number(properties, property, number);
    }
}

/* Section 2.2.2, for a packet of which `in` is the bit. */
void mqtt_read_properties(struct mqtt_cursor *outer, uint32_t in,
                          struct mqtt_properties *properties)
{
    const uint32_t size_bytes = mqtt_read_varint(outer);
    const uint8_t *bytes = mqtt_read_bytes(outer, size_bytes);
    struct mqtt_cursor cursor = {bytes, size_bytes, outer->reason};
    while (cursor.reason == MQTT_SUCCESS && cursor.size_bytes > 0) {
        const struct property *property = property_find(mqtt_read_varint(&cursor));
        if (property == NULL || (property->packets & in) == 0) {
            mqtt_cursor_fail(&cursor, MQTT_MALFORMED_PACKET);
            break;
        }
        const uint64_t bit = MQTT_PROPERTY_BIT(property->identifier);
        if ((properties->present & bit) != 0 && (property->repeats & in) == 0) {
            mqtt_cursor_fail(&cursor, MQTT_PROTOCOL_ERROR);
            break;
        }
        properties->present |= bit;
        read_property(&cursor, property, properties);
    }
    const uint64_t method = MQTT_PROPERTY_BIT(MQTT_AUTHENTICATION_METHOD);
    const uint64_t data = MQTT_PROPERTY_BIT(MQTT_AUTHENTICATION_DATA);
    if ((properties->present & (method | data)) == data) { /* section 3.1.2.11.10 */
        mqtt_cursor_fail(&cursor, MQTT_PROTOCOL_ERROR);
    }
    if (cursor.reason != MQTT_SUCCESS) {
        mqtt_cursor_fail(outer, cursor.reason);
    }
}

static void put_property(struct mqtt_writer *writer, const struct property *property,
                         const struct mqtt_properties *properties)
{
    const void *value = property_value(properties, property);
    uint8_t byte;
    uint16_t two;
    uint32_t four;
    struct mqtt_slice slice;
    mqtt_put_varint(writer, property->identifier);
    switch ((enum data)property->data) {
    case DATA_BYTE:
        memcpy(&byte, value, sizeof byte);
        mqtt_put_byte(writer, byte);
        break;
    case DATA_TWO:
        memcpy(&two, value, sizeof two);
        mqtt_put_two(writer, two);
        break;
    case DATA_FOUR:
        memcpy(&four, value, sizeof four);
        mqtt_put_two(writer, (uint16_t)(four >> 16));
        mqtt_put_two(writer, (uint16_t)four);
        break;
    case DATA_TEXT:
    case DATA_TOPIC:
    case DATA_BINARY:
        memcpy(&slice, value, sizeof slice);
        mqtt_put_binary(writer, slice);
        break;
    case DATA_VARINT: /* none of these is kept */
    case DATA_PAIR:
        CHECK(false);
        break;
    }
}

/* Those that are present and kept, in the order of the table; their length is not in front yet. */
static void put_property_list(struct mqtt_writer *writer, uint32_t in,
                              const struct mqtt_properties *properties)
{
    for (uint32_t index = 0; index < PROPERTY_COUNT; index++) {
        const struct property *property = &properties_of_mqtt[index];
        if ((properties->present & MQTT_PROPERTY_BIT(property->identifier)) == 0) {
            continue;
        }
        CHECK((property->packets & in) != 0);
        if (property->offset != SKIPPED) {
            put_property(writer, property, properties);
        }
    }
}

uint32_t mqtt_properties_bytes(uint32_t in, const struct mqtt_properties *properties)
{
    struct mqtt_writer measure = {NULL, 0, 0};
    put_property_list(&measure, in, properties);
    return measure.size_bytes;
}

void mqtt_put_properties(struct mqtt_writer *writer, uint32_t in,
                         const struct mqtt_properties *properties)
{
    mqtt_put_varint(writer, mqtt_properties_bytes(in, properties)); /* [MQTT-2.2.2-1] */
    put_property_list(writer, in, properties);
}
