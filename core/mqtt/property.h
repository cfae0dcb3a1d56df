/* The properties of MQTT 5 (section 2.2.2), all of them in one table. Behind packet.h. */
#ifndef BROWNOUT_CORE_MQTT_PROPERTY_H
#define BROWNOUT_CORE_MQTT_PROPERTY_H

#include "core/mqtt/wire.h"

/* Where a property may stand. No packet has type 0: its bit stands for the will inside a CONNECT.
 */
#define MQTT_IN_WILL  1u
#define MQTT_IN(type) (1u << (type))

/* One property as it is read: a number, or a slice, or both slices of a User Property. */
struct mqtt_property_value {
    uint8_t identifier;
    uint32_t number;
    struct mqtt_slice slice;
    struct mqtt_slice second;
};

/* The next property of a list, wherever that stands. */
void mqtt_read_property(struct mqtt_cursor *cursor, struct mqtt_property_value *value);
/* All that is left, as properties of the place `in`. */
void mqtt_read_property_list(struct mqtt_cursor *cursor, uint32_t in,
                             struct mqtt_properties *properties);
/* The property length and the list behind it, which is also the answer. */
struct mqtt_slice mqtt_read_properties(struct mqtt_cursor *cursor, uint32_t in,
                                       struct mqtt_properties *properties);
/* Bytes of those that are present and not in left_out, without the property length; each must be
 * allowed `in` its place (CHECK). */
uint32_t mqtt_properties_bytes(uint32_t in, const struct mqtt_properties *properties,
                               uint64_t left_out);
/* The same, written: without, and with the property length in front. */
void mqtt_put_property_list(struct mqtt_writer *writer, uint32_t in,
                            const struct mqtt_properties *properties);
void mqtt_put_properties(struct mqtt_writer *writer, uint32_t in,
                         const struct mqtt_properties *properties);

#endif
