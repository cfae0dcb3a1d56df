#include "core/mqtt/packet.h"

#include <stddef.h>
#include <string.h>

#include "core/check.h"
#include "core/mqtt/body.h"

/* The reason codes that each packet may carry [MQTT-3.2.2-8] [MQTT-3.4.2-1] [MQTT-3.5.2-1]
 * [MQTT-3.6.2-1] [MQTT-3.7.2-1] [MQTT-3.9.3-2] [MQTT-3.11.3-2] [MQTT-3.14.2-1] [MQTT-3.15.2-1]. */
static const uint8_t connack_reasons[] = {0x00, 0x80, 0x81, 0x82, 0x83, 0x84, 0x85, 0x86,
                                          0x87, 0x88, 0x89, 0x8A, 0x8C, 0x90, 0x95, 0x97,
                                          0x99, 0x9A, 0x9B, 0x9C, 0x9D, 0x9F};
static const uint8_t received_reasons[] = {0x00, 0x10, 0x80, 0x83, 0x87, 0x90, 0x91, 0x97, 0x99};
static const uint8_t released_reasons[] = {0x00, 0x92};
static const uint8_t suback_reasons[] = {0x00, 0x01, 0x02, 0x80, 0x83, 0x87,
                                         0x8F, 0x91, 0x97, 0x9E, 0xA1, 0xA2};
static const uint8_t unsuback_reasons[] = {0x00, 0x11, 0x80, 0x83, 0x87, 0x8F, 0x91};
static const uint8_t disconnect_reasons[] = {
    0x00, 0x04, 0x80, 0x81, 0x82, 0x83, 0x87, 0x89, 0x8B, 0x8D, 0x8E, 0x8F, 0x90, 0x93, 0x94,
    0x95, 0x96, 0x97, 0x98, 0x99, 0x9A, 0x9B, 0x9C, 0x9D, 0x9E, 0x9F, 0xA0, 0xA1, 0xA2};
static const uint8_t auth_reasons[] = {0x00, 0x18, 0x19};
static const uint8_t no_reasons[] = {0x00};

/* Where a packet has its reasons. */
enum reason_place {
    REASON_FIELD, /* packet->reason, 0 in packets without one */
    REASON_LIST,  /* its payload, one byte each; at least one */
};

struct packet_kind {
    bool flags_free; /* PUBLISH uses its flags; all others have one value for them */
    uint8_t flags;   /* table 2-2 */
    uint8_t reason_place;
    bool optional; /* User Properties and Reason String may be left out where they do not fit */
    uint8_t reason_count;
    const uint8_t *reasons;
    mqtt_body_reader *read;
    mqtt_body_writer *write;
};

#define KIND(flags_, answer, place, count, list, name)                                             \
    {                                                                                              \
        .flags = (flags_), .optional = (answer), .reason_place = (place), .reason_count = (count), \
        .reasons = (list), .read = mqtt_read_##name, .write = mqtt_write_##name                    \
    }
#define QUESTION(flags_, name)     KIND(flags_, false, REASON_FIELD, 1, no_reasons, name)
#define ANSWER(flags_, list, name) KIND(flags_, true, REASON_FIELD, sizeof list, list, name)

/* clang-format off */
static const struct packet_kind packet_kinds[16] = {/* table 2-1; type 0 is forbidden */
    [MQTT_CONNECT]     = QUESTION(0, connect),
    [MQTT_CONNACK]     = ANSWER(0, connack_reasons, connack),
    [MQTT_PUBLISH]     = {.flags_free = true, .reason_count = 1, .reasons = no_reasons,
                          .read = mqtt_read_publish, .write = mqtt_write_publish},
    [MQTT_PUBACK]      = ANSWER(0, received_reasons, puback),
    [MQTT_PUBREC]      = ANSWER(0, received_reasons, puback),
    [MQTT_PUBREL]      = ANSWER(2, released_reasons, puback), /* [MQTT-3.6.1-1] */
    [MQTT_PUBCOMP]     = ANSWER(0, released_reasons, puback),
    [MQTT_SUBSCRIBE]   = QUESTION(2, subscribe), /* [MQTT-3.8.1-1] */
    [MQTT_SUBACK]      = KIND(0, true, REASON_LIST, sizeof suback_reasons, suback_reasons, suback),
    [MQTT_UNSUBSCRIBE] = QUESTION(2, unsubscribe), /* [MQTT-3.10.1-1] */
    [MQTT_UNSUBACK]    = KIND(0, true, REASON_LIST, sizeof unsuback_reasons, unsuback_reasons, suback),
    [MQTT_PINGREQ]     = QUESTION(0, nothing),
    [MQTT_PINGRESP]    = QUESTION(0, nothing),
    [MQTT_DISCONNECT]  = ANSWER(0, disconnect_reasons, disconnect), /* [MQTT-3.14.1-1] */
    [MQTT_AUTH]        = ANSWER(0, auth_reasons, auth), /* [MQTT-3.15.1-1] */
};
/* clang-format on */

/* Section 3.3.1. */
enum {
    PUBLISH_RETAIN = 0x01,
    PUBLISH_QOS_SHIFT = 1,
    PUBLISH_QOS = 0x06,
    PUBLISH_DUP = 0x08,
};

static bool reasons_listed(const struct packet_kind *kind, const struct mqtt_packet *packet);
static enum err encode(const struct mqtt_packet *packet, uint64_t left_out, uint8_t *bytes,
                       uint32_t *size_bytes);

enum err mqtt_packet_size_within(const uint8_t *bytes, uint32_t size_bytes,
                                 uint32_t packet_bytes_max, uint32_t *packet_bytes, uint8_t *reason)
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
    if (*packet_bytes > packet_bytes_max) {
        *reason = MQTT_PACKET_TOO_LARGE;
        return ERR_MALFORMED;
    }
    return ERR_OK;
}

enum err mqtt_packet_size(const uint8_t *bytes, uint32_t size_bytes, uint32_t *packet_bytes,
                          uint8_t *reason)
{
    return mqtt_packet_size_within(bytes, size_bytes, MQTT_PACKET_BYTES_MAX, packet_bytes, reason);
}

enum err mqtt_decode(const uint8_t *bytes, uint32_t size_bytes, struct mqtt_packet *packet,
                     uint8_t *reason)
{
    CHECK(packet != NULL);
    uint32_t packet_bytes = 0;
    const enum err err =
        mqtt_packet_size_within(bytes, size_bytes, UINT32_MAX, &packet_bytes, reason);
    if (err == ERR_MALFORMED) {
        return ERR_MALFORMED;
    }
    if (err != ERR_OK || packet_bytes != size_bytes) {
        *reason = MQTT_MALFORMED_PACKET;
        return ERR_MALFORMED;
    }
    mqtt_packet_init(packet, (enum mqtt_type)(bytes[0] >> 4));
    const struct packet_kind *kind = &packet_kinds[packet->type];
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
    if (!reasons_listed(kind, packet)) {
        mqtt_cursor_fail(&cursor, MQTT_PROTOCOL_ERROR);
    }
    *reason = cursor.reason;
    return cursor.reason == MQTT_SUCCESS ? ERR_OK : ERR_MALFORMED;
}

enum err mqtt_encode(const struct mqtt_packet *packet, uint8_t *bytes, uint32_t *size_bytes)
{
    return encode(packet, 0, bytes, size_bytes);
}

enum err mqtt_encode_lean(const struct mqtt_packet *packet, uint8_t *bytes, uint32_t *size_bytes)
{
    static const uint64_t left_out[] = {0, MQTT_PROPERTY_BIT(MQTT_USER_PROPERTY),
                                        MQTT_PROPERTY_BIT(MQTT_USER_PROPERTY) |
                                            MQTT_PROPERTY_BIT(MQTT_REASON_STRING)};
    const uint32_t count = packet_kinds[packet->type].optional ? 3 : 1;
    const uint32_t capacity_bytes = *size_bytes;
    enum err err = ERR_RANGE;
    for (uint32_t index = 0; err == ERR_RANGE && index < count; index++) {
        *size_bytes = capacity_bytes;
        err = encode(packet, left_out[index], bytes, size_bytes);
    }
    return err;
}

void mqtt_will_properties(const struct mqtt_packet *packet, struct mqtt_properties *properties)
{
    mqtt_properties_init(properties);
    if (packet->will) {
        struct mqtt_cursor cursor = {packet->will_properties.bytes,
                                     packet->will_properties.size_bytes, MQTT_SUCCESS};
        mqtt_read_property_list(&cursor, MQTT_IN_WILL, properties);
        CHECK(cursor.reason == MQTT_SUCCESS);
    }
}

enum err mqtt_encode_will_properties(const struct mqtt_properties *properties, uint8_t *bytes,
                                     uint32_t *size_bytes)
{
    struct mqtt_writer writer = {.bytes = bytes, .capacity_bytes = *size_bytes};
    mqtt_put_property_list(&writer, MQTT_IN_WILL, properties);
    *size_bytes = writer.size_bytes;
    return writer.size_bytes <= writer.capacity_bytes ? ERR_OK : ERR_RANGE;
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

static enum err encode(const struct mqtt_packet *packet, uint64_t left_out, uint8_t *bytes,
                       uint32_t *size_bytes)
{
    CHECK(packet->type >= MQTT_CONNECT);
    CHECK(packet->type <= MQTT_AUTH);
    CHECK(size_bytes != NULL);
    const struct packet_kind *kind = &packet_kinds[packet->type];
    CHECK(reasons_listed(kind, packet));
    uint8_t flags = kind->flags;
    if (packet->type == MQTT_PUBLISH) {
        flags = (uint8_t)((packet->dup ? PUBLISH_DUP : 0) | (packet->qos << PUBLISH_QOS_SHIFT) |
                          (packet->retain ? PUBLISH_RETAIN : 0));
    }
    struct mqtt_writer measure = {.left_out = left_out};
    kind->write(&measure, packet);
    struct mqtt_writer writer = {
        .bytes = bytes, .capacity_bytes = *size_bytes, .left_out = left_out};
    mqtt_put_byte(&writer, (uint8_t)((uint32_t)packet->type << 4 | flags));
    mqtt_put_varint(&writer, measure.size_bytes);
    kind->write(&writer, packet);
    const bool fits = writer.size_bytes <= *size_bytes;
    *size_bytes = writer.size_bytes;
    return fits ? ERR_OK : ERR_RANGE;
}

static bool reason_listed(const struct packet_kind *kind, uint8_t reason)
{
    for (uint32_t index = 0; index < kind->reason_count; index++) {
        if (kind->reasons[index] == reason) {
            return true;
        }
    }
    return false;
}

static bool reasons_listed(const struct packet_kind *kind, const struct mqtt_packet *packet)
{
    if (kind->reason_place == REASON_FIELD) {
        return reason_listed(kind, packet->reason);
    }
    for (uint32_t index = 0; index < packet->payload.size_bytes; index++) {
        if (!reason_listed(kind, packet->payload.bytes[index])) {
            return false;
        }
    }
    return packet->payload.size_bytes > 0;
}
