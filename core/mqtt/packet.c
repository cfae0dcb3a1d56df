#include "core/mqtt/packet.h"

#include <stddef.h>
#include <string.h>

#include "core/check.h"
#include "core/mqtt/property.h"

/* The reason codes that each packet may carry [MQTT-3.2.2-8] [MQTT-3.4.2-1] [MQTT-3.14.2-1]
 * [MQTT-3.15.2-1]. */
static const uint8_t connack_reasons[] = {0x00, 0x80, 0x81, 0x82, 0x83, 0x84, 0x85, 0x86,
                                          0x87, 0x88, 0x89, 0x8A, 0x8C, 0x90, 0x95, 0x97,
                                          0x99, 0x9A, 0x9B, 0x9C, 0x9D, 0x9F};
static const uint8_t puback_reasons[] = {0x00, 0x10, 0x80, 0x83, 0x87, 0x90, 0x91, 0x97, 0x99};
static const uint8_t disconnect_reasons[] = {
    0x00, 0x04, 0x80, 0x81, 0x82, 0x83, 0x87, 0x89, 0x8B, 0x8D, 0x8E, 0x8F, 0x90, 0x93, 0x94,
    0x95, 0x96, 0x97, 0x98, 0x99, 0x9A, 0x9B, 0x9C, 0x9D, 0x9E, 0x9F, 0xA0, 0xA1, 0xA2};
static const uint8_t auth_reasons[] = {0x00, 0x18, 0x19};

typedef void packet_reader(struct mqtt_cursor *cursor, struct mqtt_packet *packet);
typedef void packet_writer(struct mqtt_writer *writer, const struct mqtt_packet *packet);

static packet_reader read_connect, read_connack, read_publish, read_puback, read_disconnect,
    read_auth, read_nothing;
static packet_writer write_connect, write_connack, write_publish, write_puback, write_disconnect,
    write_auth, write_nothing;

struct packet_kind {
    bool flags_free; /* PUBLISH uses its flags; all others have one value for them */
    uint8_t flags;   /* table 2-2 */
    uint8_t reason_count;
    const uint8_t *reasons;
    packet_reader *read; /* NULL: not supported yet, mqtt_decode refuses it */
    packet_writer *write;
};

#define REASONS(list) (uint8_t)sizeof list, list
#define NO_REASONS    0, NULL

/* clang-format off */
static const struct packet_kind packet_kinds[16] = {/* table 2-1; type 0 is forbidden */
    [MQTT_CONNECT]     = {false, 0, NO_REASONS, read_connect, write_connect},
    [MQTT_CONNACK]     = {false, 0, REASONS(connack_reasons), read_connack, write_connack},
    [MQTT_PUBLISH]     = {true,  0, NO_REASONS, read_publish, write_publish},
    [MQTT_PUBACK]      = {false, 0, REASONS(puback_reasons), read_puback, write_puback},
    [MQTT_PUBREC]      = {false, 0, NO_REASONS, NULL, NULL},
    [MQTT_PUBREL]      = {false, 2, NO_REASONS, NULL, NULL}, /* [MQTT-3.6.1-1] */
    [MQTT_PUBCOMP]     = {false, 0, NO_REASONS, NULL, NULL},
    [MQTT_SUBSCRIBE]   = {false, 2, NO_REASONS, NULL, NULL}, /* [MQTT-3.8.1-1] */
    [MQTT_SUBACK]      = {false, 0, NO_REASONS, NULL, NULL},
    [MQTT_UNSUBSCRIBE] = {false, 2, NO_REASONS, NULL, NULL}, /* [MQTT-3.10.1-1] */
    [MQTT_UNSUBACK]    = {false, 0, NO_REASONS, NULL, NULL},
    [MQTT_PINGREQ]     = {false, 0, NO_REASONS, read_nothing, write_nothing},
    [MQTT_PINGRESP]    = {false, 0, NO_REASONS, read_nothing, write_nothing},
    [MQTT_DISCONNECT]  = {false, 0, REASONS(disconnect_reasons), read_disconnect, write_disconnect},
    [MQTT_AUTH]        = {false, 0, REASONS(auth_reasons), read_auth, write_auth},
};
/* clang-format on */

/* Section 3.1.2.3. */
enum {
    CONNECT_RESERVED = 0x01,
    CONNECT_CLEAN_START = 0x02,
    CONNECT_WILL = 0x04,
    CONNECT_WILL_QOS = 0x18,
    CONNECT_WILL_RETAIN = 0x20,
    CONNECT_PASSWORD = 0x40,
    CONNECT_USER_NAME = 0x80,
};

/* Section 3.3.1. */
enum {
    PUBLISH_RETAIN = 0x01,
    PUBLISH_QOS_SHIFT = 1,
    PUBLISH_QOS = 0x06,
    PUBLISH_DUP = 0x08,
};

static const uint8_t protocol_name[] = {0, 4, 'M', 'Q', 'T', 'T'}; /* [MQTT-3.1.2-1] */
enum { PROTOCOL_VERSION = 5 };

static bool reason_listed(const struct packet_kind *kind, uint8_t reason);

enum err mqtt_packet_size(const uint8_t *bytes, uint32_t size_bytes, uint32_t *packet_bytes,
                          uint8_t *reason)
{
    CHECK(packet_bytes != NULL);
    CHECK(reason != NULL);
    *reason = MQTT_SUCCESS;
    if (size_bytes == 0) {
        return ERR_NOT_FOUND;
    }
    const uint8_t type = bytes[0] >> 4;
    const bool flags_good =
        packet_kinds[type].flags_free || (bytes[0] & 0x0F) == packet_kinds[type].flags;
    uint32_t rest_bytes = 0;
    const int32_t length_bytes = mqtt_varint(bytes + 1, size_bytes - 1, &rest_bytes);
    if (type == 0 || !flags_good || length_bytes < 0) { /* [MQTT-2.1.3-1] [MQTT-1.5.5-1] */
        *reason = MQTT_MALFORMED_PACKET;
        return ERR_MALFORMED;
    }
    if (length_bytes == 0) {
        return ERR_NOT_FOUND;
    }
    *packet_bytes = 1 + (uint32_t)length_bytes + rest_bytes;
    if (*packet_bytes > MQTT_PACKET_BYTES_MAX) {
        *reason = MQTT_PACKET_TOO_LARGE;
        return ERR_MALFORMED;
    }
    return ERR_OK;
}

enum err mqtt_decode(const uint8_t *bytes, uint32_t size_bytes, struct mqtt_packet *packet,
                     uint8_t *reason)
{
    CHECK(packet != NULL);
    uint32_t packet_bytes = 0;
    const enum err err = mqtt_packet_size(bytes, size_bytes, &packet_bytes, reason);
    if (err == ERR_MALFORMED) {
        return ERR_MALFORMED;
    }
    if (err != ERR_OK || packet_bytes != size_bytes) {
        *reason = MQTT_MALFORMED_PACKET;
        return ERR_MALFORMED;
    }
    mqtt_packet_init(packet, (enum mqtt_type)(bytes[0] >> 4));
    const struct packet_kind *kind = &packet_kinds[packet->type];
    if (kind->read == NULL) { /* the one place where a type that is not supported yet is refused */
        *reason = MQTT_PROTOCOL_ERROR;
        return ERR_MALFORMED;
    }
    if (packet->type == MQTT_PUBLISH) {
        packet->dup = (bytes[0] & PUBLISH_DUP) != 0;
        packet->qos = (bytes[0] & PUBLISH_QOS) >> PUBLISH_QOS_SHIFT;
        packet->retain = (bytes[0] & PUBLISH_RETAIN) != 0;
    }
    struct mqtt_cursor cursor = {bytes + 1, size_bytes - 1, MQTT_SUCCESS};
    (void)mqtt_read_varint(&cursor);
    kind->read(&cursor, packet);
    if (cursor.size_bytes != 0) {
        mqtt_cursor_fail(&cursor, MQTT_MALFORMED_PACKET);
    }
    if (!reason_listed(kind, packet->reason)) {
        mqtt_cursor_fail(&cursor, MQTT_PROTOCOL_ERROR);
    }
    *reason = cursor.reason;
    return cursor.reason == MQTT_SUCCESS ? ERR_OK : ERR_MALFORMED;
}

enum err mqtt_encode(const struct mqtt_packet *packet, uint8_t *bytes, uint32_t *size_bytes)
{
    CHECK(packet->type >= MQTT_CONNECT);
    CHECK(packet->type <= MQTT_AUTH);
    CHECK(size_bytes != NULL);
    const struct packet_kind *kind = &packet_kinds[packet->type];
    CHECK(kind->write != NULL);
    CHECK(reason_listed(kind, packet->reason));
    uint8_t flags = kind->flags;
    if (packet->type == MQTT_PUBLISH) {
        flags = (uint8_t)((packet->dup ? PUBLISH_DUP : 0) | (packet->qos << PUBLISH_QOS_SHIFT) |
                          (packet->retain ? PUBLISH_RETAIN : 0));
    }
    struct mqtt_writer measure = {NULL, 0, 0};
    kind->write(&measure, packet);
    struct mqtt_writer writer = {bytes, *size_bytes, 0};
    mqtt_put_byte(&writer, (uint8_t)((uint32_t)packet->type << 4 | flags));
    mqtt_put_varint(&writer, measure.size_bytes);
    kind->write(&writer, packet);
    const bool fits = writer.size_bytes <= *size_bytes;
    *size_bytes = writer.size_bytes;
    return fits ? ERR_OK : ERR_RANGE;
}

void mqtt_packet_init(struct mqtt_packet *packet, enum mqtt_type type)
{
    memset(packet, 0, sizeof *packet);
    packet->type = type;
    mqtt_properties_init(&packet->properties);
}

struct mqtt_slice mqtt_text(const char *text)
{
    CHECK(text != NULL);
    uint32_t size_bytes = 0;
    while (size_bytes < MQTT_STRING_BYTES_MAX && text[size_bytes] != '\0') {
        size_bytes++;
    }
    CHECK(text[size_bytes] == '\0');
    return (struct mqtt_slice){(const uint8_t *)text, size_bytes};
}

bool mqtt_slice_equal(struct mqtt_slice left, struct mqtt_slice right)
{
    return left.size_bytes == right.size_bytes &&
           (left.size_bytes == 0 || memcmp(left.bytes, right.bytes, left.size_bytes) == 0);
}

static bool reason_listed(const struct packet_kind *kind, uint8_t reason)
{
    for (uint32_t index = 0; index < kind->reason_count; index++) {
        if (kind->reasons[index] == reason) {
            return true;
        }
    }
    return kind->reason_count == 0;
}

/* Properties, will, user name and password of CONNECT, which are checked and not kept. */
static void read_unkept(struct mqtt_cursor *cursor, uint8_t flags)
{
    if ((flags & CONNECT_WILL) != 0) { /* [MQTT-3.1.2-9] [MQTT-3.1.3-1] */
        struct mqtt_properties unkept;
        mqtt_properties_init(&unkept);
        mqtt_read_properties(cursor, MQTT_IN_WILL, &unkept);
        if (mqtt_read_topic(cursor).size_bytes == 0) { /* [MQTT-4.7.3-1] */
            mqtt_cursor_fail(cursor, MQTT_PROTOCOL_ERROR);
        }
        (void)mqtt_read_binary(cursor);
    }
    if ((flags & CONNECT_USER_NAME) != 0) { /* [MQTT-3.1.3-12] */
        (void)mqtt_read_text(cursor);
    }
    if ((flags & CONNECT_PASSWORD) != 0) {
        (void)mqtt_read_binary(cursor);
    }
}

static void read_connect(struct mqtt_cursor *cursor, struct mqtt_packet *packet)
{
    const uint8_t *name = mqtt_read_bytes(cursor, sizeof protocol_name);
    const uint32_t version = mqtt_read_number(cursor, 1);
    if (name != NULL && (memcmp(name, protocol_name, sizeof protocol_name) != 0 ||
                         version != PROTOCOL_VERSION)) { /* [MQTT-3.1.2-1] [MQTT-3.1.2-2] */
        mqtt_cursor_fail(cursor, MQTT_UNSUPPORTED_PROTOCOL_VERSION);
    }
    const uint8_t flags = (uint8_t)mqtt_read_number(cursor, 1);
    packet->will = (flags & CONNECT_WILL) != 0;
    const bool will_parts = (flags & (CONNECT_WILL_QOS | CONNECT_WILL_RETAIN)) != 0;
    if ((flags & CONNECT_RESERVED) != 0 ||                /* [MQTT-3.1.2-3] */
        (!packet->will && will_parts) ||                  /* [MQTT-3.1.2-11] [MQTT-3.1.2-13] */
        (flags & CONNECT_WILL_QOS) == CONNECT_WILL_QOS) { /* [MQTT-3.1.2-12] */
        mqtt_cursor_fail(cursor, MQTT_MALFORMED_PACKET);
    }
    packet->clean_start = (flags & CONNECT_CLEAN_START) != 0;
    packet->keep_alive_s = (uint16_t)mqtt_read_number(cursor, 2);
    mqtt_read_properties(cursor, MQTT_IN(MQTT_CONNECT), &packet->properties);
    packet->client_id = mqtt_read_text(cursor); /* [MQTT-3.1.3-3] [MQTT-3.1.3-4] */
    read_unkept(cursor, flags);
}

static void read_connack(struct mqtt_cursor *cursor, struct mqtt_packet *packet)
{
    const uint32_t flags = mqtt_read_number(cursor, 1);
    packet->session_present = (flags & 1) != 0;
    packet->reason = (uint8_t)mqtt_read_number(cursor, 1);
    mqtt_read_properties(cursor, MQTT_IN(MQTT_CONNACK), &packet->properties);
    if (flags > 1) { /* [MQTT-3.2.2-1] */
        mqtt_cursor_fail(cursor, MQTT_MALFORMED_PACKET);
    } else if (packet->session_present && packet->reason != MQTT_SUCCESS) { /* [MQTT-3.2.2-6] */
        mqtt_cursor_fail(cursor, MQTT_PROTOCOL_ERROR);
    }
}

static void read_packet_id(struct mqtt_cursor *cursor, struct mqtt_packet *packet)
{
    packet->packet_id = (uint16_t)mqtt_read_number(cursor, 2);
    if (packet->packet_id == 0) { /* [MQTT-2.2.1-3] */
        mqtt_cursor_fail(cursor, MQTT_PROTOCOL_ERROR);
    }
}

static void read_publish(struct mqtt_cursor *cursor, struct mqtt_packet *packet)
{
    if (packet->qos == 3 || (packet->qos == 0 && packet->dup)) {
        mqtt_cursor_fail(cursor, MQTT_MALFORMED_PACKET); /* [MQTT-3.3.1-4] [MQTT-3.3.1-2] */
    }
    packet->topic = mqtt_read_topic(cursor); /* [MQTT-3.3.2-1] [MQTT-3.3.2-2] */
    if (packet->qos > 0) {                   /* [MQTT-2.2.1-2] */
        read_packet_id(cursor, packet);
    }
    mqtt_read_properties(cursor, MQTT_IN(MQTT_PUBLISH), &packet->properties);
    if (packet->topic.size_bytes == 0 && packet->properties.topic_alias == 0) {
        mqtt_cursor_fail(cursor, MQTT_PROTOCOL_ERROR); /* section 3.3.2.1 */
    }
    packet->payload.size_bytes = cursor->size_bytes;
    packet->payload.bytes = mqtt_read_bytes(cursor, cursor->size_bytes);
}

/* Reason and properties at the end of a packet, each of which may be left out. */
static void read_reason(struct mqtt_cursor *cursor, uint32_t in, struct mqtt_packet *packet)
{
    if (cursor->size_bytes > 0) {
        packet->reason = (uint8_t)mqtt_read_number(cursor, 1);
    }
    if (cursor->size_bytes > 0) {
        mqtt_read_properties(cursor, in, &packet->properties);
    }
}

static void read_puback(struct mqtt_cursor *cursor, struct mqtt_packet *packet)
{
    read_packet_id(cursor, packet);
    read_reason(cursor, MQTT_IN(MQTT_PUBACK), packet); /* sections 3.4.2.1 and 3.4.2.2.1 */
}

static void read_disconnect(struct mqtt_cursor *cursor, struct mqtt_packet *packet)
{
    read_reason(cursor, MQTT_IN(MQTT_DISCONNECT), packet); /* sections 3.14.2.1 and 3.14.2.2.1 */
}

/* Section 3.15.2.1: reason and properties may be left out together only, and for success only. */
static void read_auth(struct mqtt_cursor *cursor, struct mqtt_packet *packet)
{
    if (cursor->size_bytes == 0) {
        return;
    }
    packet->reason = (uint8_t)mqtt_read_number(cursor, 1);
    mqtt_read_properties(cursor, MQTT_IN(MQTT_AUTH), &packet->properties);
    if (packet->properties.authentication_method.bytes == NULL) { /* section 3.15.2.2.2 */
        mqtt_cursor_fail(cursor, MQTT_PROTOCOL_ERROR);
    }
}

static void read_nothing(struct mqtt_cursor *cursor, struct mqtt_packet *packet)
{
    (void)cursor;
    (void)packet;
}

static void write_connect(struct mqtt_writer *writer, const struct mqtt_packet *packet)
{
    mqtt_put_bytes(writer, protocol_name, sizeof protocol_name);
    mqtt_put_byte(writer, PROTOCOL_VERSION);
    mqtt_put_byte(writer, packet->clean_start ? CONNECT_CLEAN_START : 0);
    mqtt_put_two(writer, packet->keep_alive_s);
    mqtt_put_properties(writer, MQTT_IN(MQTT_CONNECT), &packet->properties);
    mqtt_put_binary(writer, packet->client_id);
}

static void write_connack(struct mqtt_writer *writer, const struct mqtt_packet *packet)
{
    CHECK(packet->reason == MQTT_SUCCESS || !packet->session_present); /* [MQTT-3.2.2-6] */
    mqtt_put_byte(writer, packet->session_present ? 1 : 0);
    mqtt_put_byte(writer, packet->reason);
    mqtt_put_properties(writer, MQTT_IN(MQTT_CONNACK), &packet->properties);
}

static void write_publish(struct mqtt_writer *writer, const struct mqtt_packet *packet)
{
    CHECK(packet->qos <= 2);
    CHECK(packet->qos > 0 || !packet->dup);               /* [MQTT-3.3.1-2] */
    CHECK((packet->qos > 0) == (packet->packet_id != 0)); /* [MQTT-2.2.1-2] [MQTT-2.2.1-3] */
    CHECK(packet->topic.size_bytes > 0 || packet->properties.topic_alias != 0);
    mqtt_put_binary(writer, packet->topic);
    if (packet->qos > 0) {
        mqtt_put_two(writer, packet->packet_id);
    }
    mqtt_put_properties(writer, MQTT_IN(MQTT_PUBLISH), &packet->properties);
    mqtt_put_bytes(writer, packet->payload.bytes, packet->payload.size_bytes);
}

/* The shortest form that says it. */
static void put_reason(struct mqtt_writer *writer, uint32_t in, const struct mqtt_packet *packet)
{
    const bool properties = mqtt_properties_bytes(in, &packet->properties) > 0;
    if (properties || packet->reason != MQTT_SUCCESS) {
        mqtt_put_byte(writer, packet->reason);
    }
    if (properties) {
        mqtt_put_properties(writer, in, &packet->properties);
    }
}

static void write_puback(struct mqtt_writer *writer, const struct mqtt_packet *packet)
{
    CHECK(packet->packet_id != 0);
    mqtt_put_two(writer, packet->packet_id);
    put_reason(writer, MQTT_IN(MQTT_PUBACK), packet);
}

static void write_disconnect(struct mqtt_writer *writer, const struct mqtt_packet *packet)
{
    put_reason(writer, MQTT_IN(MQTT_DISCONNECT), packet);
}

static void write_auth(struct mqtt_writer *writer, const struct mqtt_packet *packet)
{
    const uint64_t method = MQTT_PROPERTY_BIT(MQTT_AUTHENTICATION_METHOD);
    if (packet->reason == MQTT_SUCCESS && packet->properties.present == 0) {
        return;
    }
    CHECK((packet->properties.present & method) != 0);
    mqtt_put_byte(writer, packet->reason);
    mqtt_put_properties(writer, MQTT_IN(MQTT_AUTH), &packet->properties);
}

static void write_nothing(struct mqtt_writer *writer, const struct mqtt_packet *packet)
{
    (void)writer;
    (void)packet;
}
