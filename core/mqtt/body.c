#include "core/mqtt/body.h"

#include <stddef.h>
#include <string.h>

#include "core/check.h"
#include "core/mqtt/filter.h"
#include "core/mqtt/list.h"

/* Section 3.1.2.3. */
enum {
    CONNECT_RESERVED = 0x01,
    CONNECT_CLEAN_START = 0x02,
    CONNECT_WILL = 0x04,
    CONNECT_WILL_QOS = 0x18,
    CONNECT_WILL_QOS_SHIFT = 3,
    CONNECT_WILL_RETAIN = 0x20,
    CONNECT_PASSWORD = 0x40,
    CONNECT_USER_NAME = 0x80,
};

static const uint8_t protocol_name[] = {0, 4, 'M', 'Q', 'T', 'T'}; /* [MQTT-3.1.2-1] */
enum { PROTOCOL_VERSION = 5 };

/* Will, user name and password of CONNECT, each behind its flag; without it, bytes that are left
 * are malformed [MQTT-3.1.2-16] [MQTT-3.1.2-18]. */
static void read_optional(struct mqtt_cursor *cursor, uint8_t flags, struct mqtt_packet *packet)
{
    if (packet->will) { /* [MQTT-3.1.2-9] [MQTT-3.1.3-1] */
        packet->qos = (uint8_t)((flags & CONNECT_WILL_QOS) >> CONNECT_WILL_QOS_SHIFT);
        packet->retain = (flags & CONNECT_WILL_RETAIN) != 0;
        struct mqtt_properties unkept; /* checked here, read again by mqtt_will_properties */
        mqtt_properties_init(&unkept);
        packet->will_properties = mqtt_read_properties(cursor, MQTT_IN_WILL, &unkept);
        packet->topic = mqtt_read_topic(cursor); /* [MQTT-3.1.3-11] */
        if (packet->topic.size_bytes == 0) {     /* [MQTT-4.7.3-1] */
            mqtt_cursor_fail(cursor, MQTT_PROTOCOL_ERROR);
        }
        packet->payload = mqtt_read_binary(cursor);
    }
    if ((flags & CONNECT_USER_NAME) != 0) { /* [MQTT-3.1.2-17] [MQTT-3.1.3-12] */
        packet->user_name = mqtt_read_text(cursor);
    }
    if ((flags & CONNECT_PASSWORD) != 0) { /* [MQTT-3.1.2-19] */
        packet->password = mqtt_read_binary(cursor);
    }
}

void mqtt_read_connect(struct mqtt_cursor *cursor, struct mqtt_packet *packet)
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
    (void)mqtt_read_properties(cursor, MQTT_IN(MQTT_CONNECT), &packet->properties);
    packet->client_id = mqtt_read_text(cursor); /* [MQTT-3.1.3-3] [MQTT-3.1.3-4] */
    read_optional(cursor, flags, packet);
}

void mqtt_read_connack(struct mqtt_cursor *cursor, struct mqtt_packet *packet)
{
    const uint32_t flags = mqtt_read_number(cursor, 1);
    packet->session_present = (flags & 1) != 0;
    packet->reason = (uint8_t)mqtt_read_number(cursor, 1);
    (void)mqtt_read_properties(cursor, MQTT_IN(MQTT_CONNACK), &packet->properties);
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

/* All that is left is the payload; a list in it is checked item by item. */
static void read_payload(struct mqtt_cursor *cursor, struct mqtt_packet *packet)
{
    packet->payload.size_bytes = cursor->size_bytes;
    packet->payload.bytes = mqtt_read_bytes(cursor, cursor->size_bytes);
}

void mqtt_read_publish(struct mqtt_cursor *cursor, struct mqtt_packet *packet)
{
    if (packet->qos == 3 || (packet->qos == 0 && packet->dup)) {
        mqtt_cursor_fail(cursor, MQTT_MALFORMED_PACKET); /* [MQTT-3.3.1-4] [MQTT-3.3.1-2] */
    }
    packet->topic = mqtt_read_topic(cursor); /* [MQTT-3.3.2-1] [MQTT-3.3.2-2] */
    if (packet->qos > 0) {                   /* [MQTT-2.2.1-2] */
        read_packet_id(cursor, packet);
    }
    (void)mqtt_read_properties(cursor, MQTT_IN(MQTT_PUBLISH), &packet->properties);
    if (packet->topic.size_bytes == 0 && packet->properties.topic_alias == 0) {
        mqtt_cursor_fail(cursor, MQTT_PROTOCOL_ERROR); /* section 3.3.2.1 */
    }
    read_payload(cursor, packet);
}

/* Reason and properties at the end of a packet, each of which may be left out. */
static void read_reason(struct mqtt_cursor *cursor, uint32_t in, struct mqtt_packet *packet)
{
    if (cursor->size_bytes > 0) {
        packet->reason = (uint8_t)mqtt_read_number(cursor, 1);
    }
    if (cursor->size_bytes > 0) {
        (void)mqtt_read_properties(cursor, in, &packet->properties);
    }
}

/* PUBACK, PUBREC, PUBREL and PUBCOMP: sections 3.4.2.1 and 3.4.2.2.1, and so on. */
void mqtt_read_puback(struct mqtt_cursor *cursor, struct mqtt_packet *packet)
{
    read_packet_id(cursor, packet);
    read_reason(cursor, MQTT_IN(packet->type), packet);
}

void mqtt_read_subscription(struct mqtt_cursor *cursor, struct mqtt_subscription *subscription)
{
    const struct mqtt_slice filter = mqtt_read_filter(cursor); /* [MQTT-3.8.3-1] */
    const uint32_t options = mqtt_read_number(cursor, 1);
    *subscription = (struct mqtt_subscription){
        .filter = filter,
        .qos = (uint8_t)(options & MQTT_OPTION_QOS),
        .no_local = (options & MQTT_OPTION_NO_LOCAL) != 0,
        .retain_as_published = (options & MQTT_OPTION_RETAIN) != 0,
        .retain_handling =
            (uint8_t)((options & MQTT_OPTION_HANDLING) >> MQTT_OPTION_HANDLING_SHIFT),
    };
    struct mqtt_slice share, inner;
    if ((options & MQTT_OPTION_RESERVED) != 0) { /* [MQTT-3.8.3-5] */
        mqtt_cursor_fail(cursor, MQTT_MALFORMED_PACKET);
    } else if (subscription->qos > 2 || subscription->retain_handling > MQTT_RETAINED_NEVER ||
               (subscription->no_local &&
                mqtt_filter_shared(filter, &share, &inner))) { /* [MQTT-3.8.3-4] */
        mqtt_cursor_fail(cursor, MQTT_PROTOCOL_ERROR);
    }
}

void mqtt_read_subscribe(struct mqtt_cursor *cursor, struct mqtt_packet *packet)
{
    read_packet_id(cursor, packet);
    (void)mqtt_read_properties(cursor, MQTT_IN(MQTT_SUBSCRIBE), &packet->properties);
    struct mqtt_cursor list = *cursor;
    read_payload(cursor, packet);
    if (list.size_bytes == 0) { /* [MQTT-3.8.3-2] */
        mqtt_cursor_fail(cursor, MQTT_PROTOCOL_ERROR);
    }
    while (list.size_bytes > 0) {
        struct mqtt_subscription subscription;
        mqtt_read_subscription(&list, &subscription);
    }
    if (list.reason != MQTT_SUCCESS) {
        mqtt_cursor_fail(cursor, list.reason);
    }
}

void mqtt_read_unsubscribe(struct mqtt_cursor *cursor, struct mqtt_packet *packet)
{
    read_packet_id(cursor, packet);
    (void)mqtt_read_properties(cursor, MQTT_IN(MQTT_UNSUBSCRIBE), &packet->properties);
    struct mqtt_cursor list = *cursor;
    read_payload(cursor, packet);
    if (list.size_bytes == 0) { /* [MQTT-3.10.3-2] */
        mqtt_cursor_fail(cursor, MQTT_PROTOCOL_ERROR);
    }
    while (list.size_bytes > 0) { /* [MQTT-3.10.3-1] */
        (void)mqtt_read_filter(&list);
    }
    if (list.reason != MQTT_SUCCESS) {
        mqtt_cursor_fail(cursor, list.reason);
    }
}

/* SUBACK and UNSUBACK: reasons to the end, which the caller looks up. */
void mqtt_read_suback(struct mqtt_cursor *cursor, struct mqtt_packet *packet)
{
    read_packet_id(cursor, packet);
    (void)mqtt_read_properties(cursor, MQTT_IN(packet->type), &packet->properties);
    read_payload(cursor, packet);
}

void mqtt_read_disconnect(struct mqtt_cursor *cursor, struct mqtt_packet *packet)
{
    read_reason(cursor, MQTT_IN(MQTT_DISCONNECT), packet); /* sections 3.14.2.1 and 3.14.2.2.1 */
}

/* Section 3.15.2.1: reason and properties may be left out together only, and for success only. */
void mqtt_read_auth(struct mqtt_cursor *cursor, struct mqtt_packet *packet)
{
    if (cursor->size_bytes == 0) {
        return;
    }
    packet->reason = (uint8_t)mqtt_read_number(cursor, 1);
    (void)mqtt_read_properties(cursor, MQTT_IN(MQTT_AUTH), &packet->properties);
    if (packet->properties.authentication_method.bytes == NULL) { /* section 3.15.2.2.2 */
        mqtt_cursor_fail(cursor, MQTT_PROTOCOL_ERROR);
    }
}

void mqtt_read_nothing(struct mqtt_cursor *cursor, struct mqtt_packet *packet)
{
    (void)cursor;
    (void)packet;
}

static uint8_t connect_flags(const struct mqtt_packet *packet)
{
    uint32_t flags = packet->clean_start ? CONNECT_CLEAN_START : 0;
    if (packet->will) {
        CHECK(packet->qos <= 2); /* [MQTT-3.1.2-12] */
        flags |= CONNECT_WILL | (uint32_t)packet->qos << CONNECT_WILL_QOS_SHIFT;
        flags |= packet->retain ? CONNECT_WILL_RETAIN : 0;
    }
    flags |= packet->user_name.bytes != NULL ? CONNECT_USER_NAME : 0;
    flags |= packet->password.bytes != NULL ? CONNECT_PASSWORD : 0;
    return (uint8_t)flags;
}

void mqtt_write_connect(struct mqtt_writer *writer, const struct mqtt_packet *packet)
{
    mqtt_put_bytes(writer, protocol_name, sizeof protocol_name);
    mqtt_put_byte(writer, PROTOCOL_VERSION);
    mqtt_put_byte(writer, connect_flags(packet));
    mqtt_put_two(writer, packet->keep_alive_s);
    mqtt_put_properties(writer, MQTT_IN(MQTT_CONNECT), &packet->properties);
    mqtt_put_binary(writer, packet->client_id);
    if (packet->will) {
        struct mqtt_properties good; /* else CHECK */
        mqtt_will_properties(packet, &good);
        CHECK(packet->topic.size_bytes > 0);
        mqtt_put_varint(writer, packet->will_properties.size_bytes);
        mqtt_put_bytes(writer, packet->will_properties.bytes, packet->will_properties.size_bytes);
        mqtt_put_binary(writer, packet->topic);
        mqtt_put_binary(writer, packet->payload);
    }
    if (packet->user_name.bytes != NULL) {
        mqtt_put_binary(writer, packet->user_name);
    }
    if (packet->password.bytes != NULL) {
        mqtt_put_binary(writer, packet->password);
    }
}

void mqtt_write_connack(struct mqtt_writer *writer, const struct mqtt_packet *packet)
{
    CHECK(packet->reason == MQTT_SUCCESS || !packet->session_present); /* [MQTT-3.2.2-6] */
    mqtt_put_byte(writer, packet->session_present ? 1 : 0);
    mqtt_put_byte(writer, packet->reason);
    mqtt_put_properties(writer, MQTT_IN(MQTT_CONNACK), &packet->properties);
}

void mqtt_write_publish(struct mqtt_writer *writer, const struct mqtt_packet *packet)
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
    const bool properties = mqtt_properties_bytes(in, &packet->properties, writer->left_out) > 0;
    if (properties || packet->reason != MQTT_SUCCESS) {
        mqtt_put_byte(writer, packet->reason);
    }
    if (properties) {
        mqtt_put_properties(writer, in, &packet->properties);
    }
}

void mqtt_write_puback(struct mqtt_writer *writer, const struct mqtt_packet *packet)
{
    CHECK(packet->packet_id != 0);
    mqtt_put_two(writer, packet->packet_id);
    put_reason(writer, MQTT_IN(packet->type), packet);
}

/* Of SUBSCRIBE, UNSUBSCRIBE and their answers. */
static void write_listed(struct mqtt_writer *writer, const struct mqtt_packet *packet)
{
    CHECK(packet->packet_id != 0);
    CHECK(packet->payload.size_bytes > 0); /* [MQTT-3.8.3-2] [MQTT-3.10.3-2] */
    mqtt_put_two(writer, packet->packet_id);
    mqtt_put_properties(writer, MQTT_IN(packet->type), &packet->properties);
    mqtt_put_bytes(writer, packet->payload.bytes, packet->payload.size_bytes);
}

void mqtt_write_subscribe(struct mqtt_writer *writer, const struct mqtt_packet *packet)
{
    struct mqtt_slice rest = packet->payload;
    struct mqtt_subscription subscription;
    uint32_t bytes = 0;
    while (mqtt_subscription_next(&rest, &subscription)) {
        bytes += 2 + subscription.filter.size_bytes + 1;
    }
    CHECK(bytes == packet->payload.size_bytes); /* every byte of it is of a good filter */
    write_listed(writer, packet);
}

void mqtt_write_unsubscribe(struct mqtt_writer *writer, const struct mqtt_packet *packet)
{
    struct mqtt_slice rest = packet->payload;
    struct mqtt_slice filter;
    uint32_t bytes = 0;
    while (mqtt_filter_next(&rest, &filter)) {
        bytes += 2 + filter.size_bytes;
    }
    CHECK(bytes == packet->payload.size_bytes);
    write_listed(writer, packet);
}

void mqtt_write_suback(struct mqtt_writer *writer, const struct mqtt_packet *packet)
{
    write_listed(writer, packet);
}

void mqtt_write_disconnect(struct mqtt_writer *writer, const struct mqtt_packet *packet)
{
    put_reason(writer, MQTT_IN(MQTT_DISCONNECT), packet);
}

void mqtt_write_auth(struct mqtt_writer *writer, const struct mqtt_packet *packet)
{
    const uint64_t method = MQTT_PROPERTY_BIT(MQTT_AUTHENTICATION_METHOD);
    if (packet->reason == MQTT_SUCCESS && packet->properties.present == 0) {
        return;
    }
    CHECK((packet->properties.present & method) != 0);
    mqtt_put_byte(writer, packet->reason);
    mqtt_put_properties(writer, MQTT_IN(MQTT_AUTH), &packet->properties);
}

void mqtt_write_nothing(struct mqtt_writer *writer, const struct mqtt_packet *packet)
{
    (void)writer;
    (void)packet;
}
