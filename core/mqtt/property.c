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
    uint16_t offset;  /* its field in struct mqtt_properties, or REPEATED */
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
#define REPEATED    UINT16_MAX /* stays in the list */
#define ALL16       UINT16_MAX
#define ALL32       UINT32_MAX

/* clang-format off */
static const struct property properties_of_mqtt[] = { /* table 2-4, all 27 */
    {  1, DATA_BYTE,   IN_MESSAGE, 0, KEPT(payload_format), 0, 1 },
    {  2, DATA_FOUR,   IN_MESSAGE, 0, KEPT(message_expiry_s), 0, ALL32 },
    {  3, DATA_TEXT,   IN_MESSAGE, 0, KEPT(content_type), 0, 0 },   /* [MQTT-3.3.2-19] */
    {  8, DATA_TOPIC,  IN_MESSAGE, 0, KEPT(response_topic), 0, 0 }, /* [MQTT-3.3.2-13] */
    {  9, DATA_BINARY, IN_MESSAGE, 0, KEPT(correlation_data), 0, 0 },
    { 11, DATA_VARINT, IN(PUBLISH) | IN(SUBSCRIBE), IN(PUBLISH), REPEATED, 1, MQTT_VARINT_MAX },
    { 17, DATA_FOUR,   IN_OPENING | IN(DISCONNECT), 0, KEPT(session_expiry_s), 0, ALL32 },
    { 18, DATA_TEXT,   IN(CONNACK), 0, KEPT(assigned_client_id), 0, 0 },
    { 19, DATA_TWO,    IN(CONNACK), 0, KEPT(server_keep_alive_s), 0, ALL16 },
    { 21, DATA_TEXT,   IN_OPENING | IN(AUTH), 0, KEPT(authentication_method), 0, 0 },
    { 22, DATA_BINARY, IN_OPENING | IN(AUTH), 0, KEPT(authentication_data), 0, 0 },
    { 23, DATA_BYTE,   IN(CONNECT), 0, KEPT(request_problem), 0, 1 },
    { 24, DATA_FOUR,   IN_WILL, 0, KEPT(will_delay_s), 0, ALL32 },
    { 25, DATA_BYTE,   IN(CONNECT), 0, KEPT(request_response), 0, 1 },
    { 26, DATA_TEXT,   IN(CONNACK), 0, KEPT(response_information), 0, 0 },
    { 28, DATA_TEXT,   IN(CONNACK) | IN(DISCONNECT), 0, KEPT(server_reference), 0, 0 },
    { 31, DATA_TEXT,   IN_ANSWER, 0, KEPT(reason_string), 0, 0 },
    { 33, DATA_TWO,    IN_OPENING, 0, KEPT(receive_maximum), 1, ALL16 },
    { 34, DATA_TWO,    IN_OPENING, 0, KEPT(topic_alias_maximum), 0, ALL16 },
    { 35, DATA_TWO,    IN(PUBLISH), 0, KEPT(topic_alias), 1, ALL16 }, /* [MQTT-3.3.2-8] */
    { 36, DATA_BYTE,   IN(CONNACK), 0, KEPT(maximum_qos), 0, 1 },
    { 37, DATA_BYTE,   IN(CONNACK), 0, KEPT(retain_available), 0, 1 },
    { 38, DATA_PAIR,   IN_ANY, IN_ANY, REPEATED, 0, 0 },
    { 39, DATA_FOUR,   IN_OPENING, 0, KEPT(maximum_packet_bytes), 1, ALL32 },
    { 40, DATA_BYTE,   IN(CONNACK), 0, KEPT(wildcard_available), 0, 1 },
    { 41, DATA_BYTE,   IN(CONNACK), 0, KEPT(identifier_available), 0, 1 },
    { 42, DATA_BYTE,   IN(CONNACK), 0, KEPT(shared_available), 0, 1 },
};
/* clang-format on */

#define PRESENT_REPEATED                                                                           \
    (MQTT_PROPERTY_BIT(MQTT_SUBSCRIPTION_IDENTIFIER) | MQTT_PROPERTY_BIT(MQTT_USER_PROPERTY))

enum { PROPERTY_COUNT = sizeof properties_of_mqtt / sizeof properties_of_mqtt[0] };
_Static_assert(PROPERTY_COUNT == 27, "every property of the standard");

void mqtt_properties_init(struct mqtt_properties *properties)
{
    memset(properties, 0, sizeof *properties);
    properties->maximum_packet_bytes = UINT32_MAX;
    properties->receive_maximum = UINT16_MAX;
    properties->maximum_qos = 2;
    properties->request_problem = 1;
    properties->retain_available = 1;
    properties->wildcard_available = 1;
    properties->identifier_available = 1;
    properties->shared_available = 1;
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

static void read_value(struct mqtt_cursor *cursor, const struct property *property,
                       struct mqtt_property_value *value)
{
    *value =
        (struct mqtt_property_value){.identifier = property->identifier, .number = property->least};
    switch ((enum data)property->data) {
    case DATA_BYTE:
        value->number = mqtt_read_number(cursor, 1);
        break;
    case DATA_TWO:
        value->number = mqtt_read_number(cursor, 2);
        break;
    case DATA_FOUR:
        value->number = mqtt_read_number(cursor, 4);
        break;
    case DATA_VARINT:
        value->number = mqtt_read_varint(cursor);
        break;
    case DATA_TEXT:
        value->slice = mqtt_read_text(cursor);
        break;
    case DATA_TOPIC:
        value->slice = mqtt_read_topic(cursor); /* [MQTT-3.3.2-14] */
        if (value->slice.size_bytes == 0) {     /* [MQTT-4.7.3-1] */
            mqtt_cursor_fail(cursor, MQTT_PROTOCOL_ERROR);
        }
        break;
    case DATA_BINARY:
        value->slice = mqtt_read_binary(cursor);
        break;
    case DATA_PAIR: /* [MQTT-1.5.7-1] */
        value->slice = mqtt_read_text(cursor);
        value->second = mqtt_read_text(cursor);
        break;
    }
    if (value->number < property->least || value->number > property->most) {
        mqtt_cursor_fail(cursor, MQTT_PROTOCOL_ERROR);
    }
}

static void keep_value(struct mqtt_properties *properties, const struct property *property,
                       const struct mqtt_property_value *value)
{
    if (property->offset == REPEATED) {
        return;
    }
    if (value->slice.bytes != NULL) {
        memcpy(property_field(properties, property), &value->slice, sizeof value->slice);
    } else {
        keep_number(properties, property, value->number);
    }
}

void mqtt_read_property(struct mqtt_cursor *cursor, struct mqtt_property_value *value)
{
    const struct property *property = property_find(mqtt_read_varint(cursor));
    if (property == NULL) {
        mqtt_cursor_fail(cursor, MQTT_MALFORMED_PACKET);
        return;
    }
    read_value(cursor, property, value);
}

/* Section 2.2.2. */
void mqtt_read_property_list(struct mqtt_cursor *cursor, uint32_t in,
                             struct mqtt_properties *properties)
{
    const struct mqtt_slice list = {cursor->bytes, cursor->size_bytes};
    while (cursor->reason == MQTT_SUCCESS && cursor->size_bytes > 0) {
        const struct property *property = property_find(mqtt_read_varint(cursor));
        if (property == NULL || (property->packets & in) == 0) {
            mqtt_cursor_fail(cursor, MQTT_MALFORMED_PACKET);
            break;
        }
        const uint64_t bit = MQTT_PROPERTY_BIT(property->identifier);
        if ((properties->present & bit) != 0 && (property->repeats & in) == 0) {
            mqtt_cursor_fail(cursor, MQTT_PROTOCOL_ERROR);
            break;
        }
        properties->present |= bit;
        struct mqtt_property_value value;
        read_value(cursor, property, &value);
        if (cursor->reason == MQTT_SUCCESS) {
            keep_value(properties, property, &value);
        }
    }
    if ((properties->present & PRESENT_REPEATED) != 0) {
        properties->repeated = list;
    }
    const uint64_t method = MQTT_PROPERTY_BIT(MQTT_AUTHENTICATION_METHOD);
    const uint64_t data = MQTT_PROPERTY_BIT(MQTT_AUTHENTICATION_DATA);
    if ((properties->present & (method | data)) == data) { /* section 3.1.2.11.10 */
        mqtt_cursor_fail(cursor, MQTT_PROTOCOL_ERROR);
    }
}

struct mqtt_slice mqtt_read_properties(struct mqtt_cursor *cursor, uint32_t in,
                                       struct mqtt_properties *properties)
{
    const uint32_t size_bytes = mqtt_read_varint(cursor);
    const uint8_t *bytes = mqtt_read_bytes(cursor, size_bytes);
    struct mqtt_cursor list = {bytes, size_bytes, cursor->reason};
    mqtt_read_property_list(&list, in, properties);
    if (list.reason != MQTT_SUCCESS) {
        mqtt_cursor_fail(cursor, list.reason);
        return (struct mqtt_slice){NULL, 0};
    }
    return (struct mqtt_slice){bytes, size_bytes};
}

static void put_number(struct mqtt_writer *writer, const struct property *property,
                       const void *value)
{
    uint8_t byte = 0;
    uint16_t two = 0;
    uint32_t number = 0;
    if (property->data == DATA_BYTE) {
        memcpy(&byte, value, sizeof byte);
        number = byte;
        mqtt_put_byte(writer, byte);
    } else if (property->data == DATA_TWO) {
        memcpy(&two, value, sizeof two);
        number = two;
        mqtt_put_two(writer, two);
    } else {
        memcpy(&number, value, sizeof number);
        mqtt_put_four(writer, number);
    }
    CHECK(number >= property->least);
    CHECK(number <= property->most);
}

static void put_property(struct mqtt_writer *writer, const struct property *property,
                         const struct mqtt_properties *properties)
{
    const void *value = property_value(properties, property);
    struct mqtt_slice slice;
    mqtt_put_varint(writer, property->identifier);
    switch ((enum data)property->data) {
    case DATA_BYTE:
    case DATA_TWO:
    case DATA_FOUR:
        put_number(writer, property, value);
        break;
    case DATA_TEXT:
    case DATA_TOPIC:
    case DATA_BINARY:
        memcpy(&slice, value, sizeof slice);
        mqtt_put_binary(writer, slice);
        break;
    case DATA_VARINT: /* these stay in their list */
    case DATA_PAIR:
        CHECK(false);
        break;
    }
}

/* As they are in their list, which may hold others. */
static void put_repeated(struct mqtt_writer *writer, const struct property *property,
                         struct mqtt_slice list)
{
    struct mqtt_cursor cursor = {list.bytes, list.size_bytes, MQTT_SUCCESS};
    bool found = false;
    while (cursor.size_bytes > 0) {
        const uint8_t *begin = cursor.bytes;
        struct mqtt_property_value value;
        mqtt_read_property(&cursor, &value);
        CHECK(cursor.reason == MQTT_SUCCESS);
        if (value.identifier == property->identifier) {
            mqtt_put_bytes(writer, begin, (uint32_t)(cursor.bytes - begin));
            found = true;
        }
    }
    CHECK(found);
}

/* In the order of the table, as far as there are any: most packets have none. */
void mqtt_put_property_list(struct mqtt_writer *writer, uint32_t in,
                            const struct mqtt_properties *properties)
{
    uint64_t left = properties->present;
    for (uint32_t index = 0; index < PROPERTY_COUNT && left != 0; index++) {
        const struct property *property = &properties_of_mqtt[index];
        const uint64_t bit = MQTT_PROPERTY_BIT(property->identifier);
        if ((left & bit) == 0) {
            continue;
        }
        left &= ~bit;
        CHECK((property->packets & in) != 0);
        if ((writer->left_out & bit) != 0) {
            continue;
        }
        if (property->offset == REPEATED) {
            put_repeated(writer, property, properties->repeated);
        } else {
            put_property(writer, property, properties);
        }
    }
}

uint32_t mqtt_properties_bytes(uint32_t in, const struct mqtt_properties *properties,
                               uint64_t left_out)
{
    struct mqtt_writer measure = {.left_out = left_out};
    mqtt_put_property_list(&measure, in, properties);
    return measure.size_bytes;
}

void mqtt_put_properties(struct mqtt_writer *writer, uint32_t in,
                         const struct mqtt_properties *properties)
{
    mqtt_put_varint(writer,
                    mqtt_properties_bytes(in, properties, writer->left_out)); /* [MQTT-2.2.2-1] */
    mqtt_put_property_list(writer, in, properties);
}
