/* The properties of MQTT 5 (section 2.2.2), all of them in one table. Behind packet.h. */
#ifndef BROWNOUT_CORE_MQTT_PROPERTY_H
#define BROWNOUT_CORE_MQTT_PROPERTY_H

#include "core/mqtt/wire.h"

/* Where a property may stand. No packet has type 0: its bit stands for the will inside a CONNECT.
 */
#define MQTT_IN_WILL  1u
#define MQTT_IN(type) (1u << (type))

void mqtt_properties_init(struct mqtt_properties *properties);
/* The property length and all properties behind it, of the place `in`. */
void mqtt_read_properties(struct mqtt_cursor *cursor, uint32_t in,
                          struct mqtt_properties *properties);
/* Bytes of those that are present and kept, without the property length; each must be allowed `in`
 * its place (CHECK). */
uint32_t mqtt_properties_bytes(uint32_t in, const struct mqtt_properties *properties);
void mqtt_put_properties(struct mqtt_writer *writer, uint32_t in,
                         const struct mqtt_properties *properties);

#endif
