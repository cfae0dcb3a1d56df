/* The data types of MQTT 5 (section 1.5): a cursor that reads them strictly and a writer that can
 * also measure. Behind packet.h; nobody else needs them. */
#ifndef BROWNOUT_CORE_MQTT_WIRE_H
#define BROWNOUT_CORE_MQTT_WIRE_H

#include "core/mqtt/packet.h"

enum { MQTT_VARINT_BYTES_MAX = 4, MQTT_VARINT_MAX = 268435455 }; /* section 1.5.5 */

/* Bytes still to be read, borrowed. The first failure stays: later reads give zeros and nothing is
 * left, so that a reader may look at `reason` once, at its end. */
struct mqtt_cursor {
    const uint8_t *bytes;
    uint32_t size_bytes;
    uint8_t reason; /* 0 = good so far */
};

/* Counts what is written, also beyond the capacity: with none it measures. */
struct mqtt_writer {
    uint8_t *bytes;
    uint32_t capacity_bytes;
    uint32_t size_bytes;
    uint64_t left_out; /* properties that are not written: MQTT_PROPERTY_BIT of each */
};

/* Bytes that the variable byte integer takes; 0: it goes on beyond size_bytes; -1: it is longer
 * than four bytes, or than its value needs [MQTT-1.5.5-1]. */
int32_t mqtt_varint(const uint8_t *bytes, uint32_t size_bytes, uint32_t *value);

void mqtt_cursor_fail(struct mqtt_cursor *cursor, uint8_t reason);
/* The next size_bytes bytes; NULL (and 0x81) if there are fewer. */
const uint8_t *mqtt_read_bytes(struct mqtt_cursor *cursor, uint32_t size_bytes);
/* A big-endian number of 1, 2 or 4 bytes. */
uint32_t mqtt_read_number(struct mqtt_cursor *cursor, uint32_t size_bytes);
uint32_t mqtt_read_varint(struct mqtt_cursor *cursor);
struct mqtt_slice mqtt_read_binary(struct mqtt_cursor *cursor);
/* Well-formed UTF-8 without U+0000. */
struct mqtt_slice mqtt_read_text(struct mqtt_cursor *cursor);
/* A topic name: a text without wildcards. Whether it may be empty is the reader's to say. */
struct mqtt_slice mqtt_read_topic(struct mqtt_cursor *cursor);
struct mqtt_slice mqtt_read_filter(struct mqtt_cursor *cursor);

void mqtt_put_bytes(struct mqtt_writer *writer, const void *bytes, uint32_t size_bytes);
void mqtt_put_byte(struct mqtt_writer *writer, uint8_t value);
void mqtt_put_two(struct mqtt_writer *writer, uint16_t value);
void mqtt_put_four(struct mqtt_writer *writer, uint32_t value);
void mqtt_put_varint(struct mqtt_writer *writer, uint32_t value);
void mqtt_put_binary(struct mqtt_writer *writer, struct mqtt_slice slice);

#endif
