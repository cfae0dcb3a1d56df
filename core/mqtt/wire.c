#include "core/mqtt/wire.h"

#include <stddef.h>
#include <string.h>

#include "core/check.h"
#include "core/mqtt/filter.h"

int32_t mqtt_varint(const uint8_t *bytes, uint32_t size_bytes, uint32_t *value)
{
    *value = 0;
    for (uint32_t index = 0; index < MQTT_VARINT_BYTES_MAX; index++) {
        if (index == size_bytes) {
            return 0;
        }
        *value |= (uint32_t)(bytes[index] & 0x7F) << (7 * index);
        if (bytes[index] < 0x80) {
            return bytes[index] == 0 && index > 0 ? -1 : (int32_t)index + 1;
        }
    }
    return -1;
}

void mqtt_cursor_fail(struct mqtt_cursor *cursor, uint8_t reason)
{
    if (cursor->reason == MQTT_SUCCESS) {
        cursor->reason = reason;
    }
    cursor->size_bytes = 0;
}

const uint8_t *mqtt_read_bytes(struct mqtt_cursor *cursor, uint32_t size_bytes)
{
    if (cursor->reason != MQTT_SUCCESS || size_bytes > cursor->size_bytes) {
        mqtt_cursor_fail(cursor, MQTT_MALFORMED_PACKET);
        return NULL;
    }
    const uint8_t *bytes = cursor->bytes;
    cursor->bytes += size_bytes;
    cursor->size_bytes -= size_bytes;
    return bytes;
}

uint32_t mqtt_read_number(struct mqtt_cursor *cursor, uint32_t size_bytes)
{
    const uint8_t *bytes = mqtt_read_bytes(cursor, size_bytes);
    uint32_t value = 0;
    for (uint32_t index = 0; bytes != NULL && index < size_bytes; index++) {
        value = value << 8 | bytes[index];
    }
    return value;
}

uint32_t mqtt_read_varint(struct mqtt_cursor *cursor)
{
    uint32_t value = 0;
    const int32_t used = mqtt_varint(cursor->bytes, cursor->size_bytes, &value);
    if (used <= 0) {
        mqtt_cursor_fail(cursor, MQTT_MALFORMED_PACKET);
        return 0;
    }
    return mqtt_read_bytes(cursor, (uint32_t)used) == NULL ? 0 : value;
}

struct mqtt_slice mqtt_read_binary(struct mqtt_cursor *cursor)
{
    const uint32_t size_bytes = mqtt_read_number(cursor, 2);
    const uint8_t *bytes = mqtt_read_bytes(cursor, size_bytes);
    return (struct mqtt_slice){bytes, bytes == NULL ? 0 : size_bytes};
}

struct mqtt_slice mqtt_read_text(struct mqtt_cursor *cursor)
{
    const struct mqtt_slice text = mqtt_read_binary(cursor);
    if (!mqtt_text_valid(text)) {
        mqtt_cursor_fail(cursor, MQTT_MALFORMED_PACKET);
    }
    return text;
}

struct mqtt_slice mqtt_read_topic(struct mqtt_cursor *cursor)
{
    const struct mqtt_slice topic = mqtt_read_text(cursor);
    if (mqtt_filter_wild(topic)) { /* [MQTT-4.7.0-1] */
        mqtt_cursor_fail(cursor, MQTT_MALFORMED_PACKET);
    }
    return topic;
}

struct mqtt_slice mqtt_read_filter(struct mqtt_cursor *cursor)
{
    const struct mqtt_slice filter = mqtt_read_text(cursor);
    if (cursor->reason == MQTT_SUCCESS && !mqtt_filter_valid(filter)) {
        mqtt_cursor_fail(cursor, MQTT_MALFORMED_PACKET);
    }
    return filter;
}

void mqtt_put_bytes(struct mqtt_writer *writer, const void *bytes, uint32_t size_bytes)
{
    CHECK(size_bytes <= MQTT_VARINT_MAX - writer->size_bytes);
    const uint32_t end = writer->size_bytes + size_bytes;
    if (end <= writer->capacity_bytes && size_bytes > 0) {
        memcpy(writer->bytes + writer->size_bytes, bytes, size_bytes);
    }
    writer->size_bytes = end;
}

void mqtt_put_byte(struct mqtt_writer *writer, uint8_t value)
{
    mqtt_put_bytes(writer, &value, 1);
}

void mqtt_put_two(struct mqtt_writer *writer, uint16_t value)
{
    mqtt_put_byte(writer, (uint8_t)(value >> 8));
    mqtt_put_byte(writer, (uint8_t)value);
}

void mqtt_put_four(struct mqtt_writer *writer, uint32_t value)
{
    mqtt_put_two(writer, (uint16_t)(value >> 16));
    mqtt_put_two(writer, (uint16_t)value);
}

void mqtt_put_varint(struct mqtt_writer *writer, uint32_t value)
{
    CHECK(value <= MQTT_VARINT_MAX);
    while (value > 0x7F) { /* at most three times */
        mqtt_put_byte(writer, (uint8_t)(0x80 | (value & 0x7F)));
        value >>= 7;
    }
    mqtt_put_byte(writer, (uint8_t)value);
}

void mqtt_put_binary(struct mqtt_writer *writer, struct mqtt_slice slice)
{
    CHECK(slice.size_bytes <= UINT16_MAX);
    mqtt_put_two(writer, (uint16_t)slice.size_bytes);
    mqtt_put_bytes(writer, slice.bytes, slice.size_bytes);
}
