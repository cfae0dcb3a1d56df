/* The lists inside packets, read and written in place: topic filters of SUBSCRIBE and UNSUBSCRIBE
 * (packet.payload), User Properties and Subscription Identifiers (packet.properties.repeated).
 *
 * To read, copy the slice and call _next until it says false: the copy is what is left. Of a
 * decoded packet every item comes; of other bytes, those before the first that is wrong. To write,
 * begin with a struct mqtt_list over your own buffer, add, and give mqtt_list_slice to a packet;
 * and for properties their bits in `present`.
 */
#ifndef BROWNOUT_CORE_MQTT_LIST_H
#define BROWNOUT_CORE_MQTT_LIST_H

#include "core/mqtt/packet.h"

/* Section 3.8.3.1. */
enum mqtt_retain_handling {
    MQTT_RETAINED_ALWAYS = 0,
    MQTT_RETAINED_IF_NEW = 1, /* only if the subscription did not exist */
    MQTT_RETAINED_NEVER = 2,
};

struct mqtt_subscription {
    struct mqtt_slice filter;
    uint8_t qos; /* the most that is wanted */
    bool no_local;
    bool retain_as_published;
    uint8_t retain_handling; /* enum mqtt_retain_handling */
};

bool mqtt_subscription_next(struct mqtt_slice *rest, struct mqtt_subscription *subscription);
bool mqtt_filter_next(struct mqtt_slice *rest, struct mqtt_slice *filter);
bool mqtt_user_property_next(struct mqtt_slice *rest, struct mqtt_slice *name,
                             struct mqtt_slice *value);
bool mqtt_subscription_identifier_next(struct mqtt_slice *rest, uint32_t *identifier);

struct mqtt_list {
    uint8_t *bytes; /* the caller's */
    uint32_t capacity_bytes;
    uint32_t size_bytes;
};

/* Each of them: ERR_OK | ERR_RANGE (not valid, see filter.h; a QoS above 2, a Retain Handling above
 * 2, No Local on a shared subscription [MQTT-3.8.3-4], an identifier outside 1..268435455) |
 * ERR_FULL. On an error the list is as before. */
enum err mqtt_list_subscription(struct mqtt_list *list,
                                const struct mqtt_subscription *subscription) MUST_USE;
enum err mqtt_list_filter(struct mqtt_list *list, struct mqtt_slice filter) MUST_USE;
enum err mqtt_list_user_property(struct mqtt_list *list, struct mqtt_slice name,
                                 struct mqtt_slice value) MUST_USE;
enum err mqtt_list_subscription_identifier(struct mqtt_list *list, uint32_t identifier) MUST_USE;
struct mqtt_slice mqtt_list_slice(const struct mqtt_list *list);

#endif
