/* What follows the fixed header of each packet: variable header and payload. Behind packet.h. */
#ifndef BROWNOUT_CORE_MQTT_BODY_H
#define BROWNOUT_CORE_MQTT_BODY_H

#include "core/mqtt/property.h"

/* Section 3.8.3.1. */
enum {
    MQTT_OPTION_QOS = 0x03,
    MQTT_OPTION_NO_LOCAL = 0x04,
    MQTT_OPTION_RETAIN = 0x08, /* Retain As Published */
    MQTT_OPTION_HANDLING = 0x30,
    MQTT_OPTION_HANDLING_SHIFT = 4,
    MQTT_OPTION_RESERVED = 0xC0,
};

struct mqtt_subscription;

/* A reader leaves in the cursor what it does not know of: the caller says whether that is wrong.
 * type, dup, qos and retain of a PUBLISH are set by the caller. */
typedef void mqtt_body_reader(struct mqtt_cursor *cursor, struct mqtt_packet *packet);
typedef void mqtt_body_writer(struct mqtt_writer *writer, const struct mqtt_packet *packet);

mqtt_body_reader mqtt_read_connect, mqtt_read_connack, mqtt_read_publish, mqtt_read_puback,
    mqtt_read_subscribe, mqtt_read_suback, mqtt_read_unsubscribe, mqtt_read_disconnect,
    mqtt_read_auth, mqtt_read_nothing;
mqtt_body_writer mqtt_write_connect, mqtt_write_connack, mqtt_write_publish, mqtt_write_puback,
    mqtt_write_subscribe, mqtt_write_suback, mqtt_write_unsubscribe, mqtt_write_disconnect,
    mqtt_write_auth, mqtt_write_nothing;

/* One filter of a SUBSCRIBE and its options. */
void mqtt_read_subscription(struct mqtt_cursor *cursor, struct mqtt_subscription *subscription);

#endif
