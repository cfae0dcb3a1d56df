#include "core/mqtt/list.h"

#include <stddef.h>

#include "core/check.h"
#include "core/mqtt/body.h"
#include "core/mqtt/filter.h"

/* Take what the cursor has read off the list; false, and an empty list, if it found none. */
static bool took(struct mqtt_slice *rest, const struct mqtt_cursor *cursor)
{
    if (cursor->reason != MQTT_SUCCESS) {
        *rest = (struct mqtt_slice){NULL, 0};
        return false;
    }
    *rest = (struct mqtt_slice){cursor->bytes, cursor->size_bytes};
    return true;
}

static struct mqtt_cursor cursor_of(const struct mqtt_slice *rest)
{
    CHECK(rest != NULL);
    return (struct mqtt_cursor){rest->bytes, rest->size_bytes, MQTT_SUCCESS};
}

bool mqtt_subscription_next(struct mqtt_slice *rest, struct mqtt_subscription *subscription)
{
    struct mqtt_cursor cursor = cursor_of(rest);
    if (rest->size_bytes == 0) {
        return false;
    }
    mqtt_read_subscription(&cursor, subscription);
    return took(rest, &cursor);
}

bool mqtt_filter_next(struct mqtt_slice *rest, struct mqtt_slice *filter)
{
    struct mqtt_cursor cursor = cursor_of(rest);
    if (rest->size_bytes == 0) {
        return false;
    }
    *filter = mqtt_read_filter(&cursor);
    return took(rest, &cursor);
}

/* The next property of this identifier. */
static bool repeated_next(struct mqtt_slice *rest, uint8_t identifier,
                          struct mqtt_property_value *value)
{
    struct mqtt_cursor cursor = cursor_of(rest);
    while (cursor.size_bytes > 0) {
        mqtt_read_property(&cursor, value);
        if (cursor.reason == MQTT_SUCCESS && value->identifier == identifier) {
            return took(rest, &cursor);
        }
    }
    *rest = (struct mqtt_slice){NULL, 0};
    return false;
}

bool mqtt_user_property_next(struct mqtt_slice *rest, struct mqtt_slice *name,
                             struct mqtt_slice *value)
{
    struct mqtt_property_value property;
    if (!repeated_next(rest, MQTT_USER_PROPERTY, &property)) {
        return false;
    }
    *name = property.slice;
    *value = property.second;
    return true;
}

bool mqtt_subscription_identifier_next(struct mqtt_slice *rest, uint32_t *identifier)
{
    struct mqtt_property_value property;
    if (!repeated_next(rest, MQTT_SUBSCRIPTION_IDENTIFIER, &property)) {
        return false;
    }
    *identifier = property.number;
    return true;
}

static struct mqtt_writer writer_of(const struct mqtt_list *list)
{
    CHECK(list->bytes != NULL || list->capacity_bytes == 0);
    CHECK(list->size_bytes <= list->capacity_bytes);
    return (struct mqtt_writer){.bytes = list->bytes,
                                .capacity_bytes = list->capacity_bytes,
                                .size_bytes = list->size_bytes};
}

static enum err added(struct mqtt_list *list, const struct mqtt_writer *writer)
{
    if (writer->size_bytes > writer->capacity_bytes) {
        return ERR_FULL;
    }
    list->size_bytes = writer->size_bytes;
    return ERR_OK;
}

enum err mqtt_list_subscription(struct mqtt_list *list,
                                const struct mqtt_subscription *subscription)
{
    struct mqtt_writer writer = writer_of(list);
    struct mqtt_slice share, inner;
    if (!mqtt_filter_valid(subscription->filter) || subscription->qos > 2 ||
        subscription->retain_handling > MQTT_RETAINED_NEVER ||
        (subscription->no_local && mqtt_filter_shared(subscription->filter, &share, &inner))) {
        return ERR_RANGE;
    }
    mqtt_put_binary(&writer, subscription->filter);
    mqtt_put_byte(&writer, (uint8_t)(subscription->qos |
                                     (subscription->no_local ? MQTT_OPTION_NO_LOCAL : 0) |
                                     (subscription->retain_as_published ? MQTT_OPTION_RETAIN : 0) |
                                     subscription->retain_handling << MQTT_OPTION_HANDLING_SHIFT));
    return added(list, &writer);
}

enum err mqtt_list_filter(struct mqtt_list *list, struct mqtt_slice filter)
{
    struct mqtt_writer writer = writer_of(list);
    if (!mqtt_filter_valid(filter)) {
        return ERR_RANGE;
    }
    mqtt_put_binary(&writer, filter);
    return added(list, &writer);
}

enum err mqtt_list_user_property(struct mqtt_list *list, struct mqtt_slice name,
                                 struct mqtt_slice value)
{
    struct mqtt_writer writer = writer_of(list);
    if (!mqtt_text_valid(name) || !mqtt_text_valid(value)) { /* [MQTT-1.5.7-1] */
        return ERR_RANGE;
    }
    mqtt_put_varint(&writer, MQTT_USER_PROPERTY);
    mqtt_put_binary(&writer, name);
    mqtt_put_binary(&writer, value);
    return added(list, &writer);
}

enum err mqtt_list_subscription_identifier(struct mqtt_list *list, uint32_t identifier)
{
    struct mqtt_writer writer = writer_of(list);
    if (identifier == 0 || identifier > MQTT_VARINT_MAX) {
        return ERR_RANGE;
    }
    mqtt_put_varint(&writer, MQTT_SUBSCRIPTION_IDENTIFIER);
    mqtt_put_varint(&writer, identifier);
    return added(list, &writer);
}

struct mqtt_slice mqtt_list_slice(const struct mqtt_list *list)
{
    CHECK(list->size_bytes <= list->capacity_bytes);
    return (struct mqtt_slice){list->bytes, list->size_bytes};
}
