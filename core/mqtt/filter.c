#include "core/mqtt/filter.h"

#include <stddef.h>
#include <string.h>

#include "core/check.h"
#include "core/utf8.h"

static const uint8_t share_prefix[] = {'$', 's', 'h', 'a', 'r', 'e', '/'};

bool mqtt_text_valid(struct mqtt_slice text)
{
    CHECK(text.bytes != NULL || text.size_bytes == 0);
    if (text.size_bytes > UINT16_MAX) { /* [MQTT-4.7.3-3] */
        return false;
    }
    for (uint32_t index = 0; index < text.size_bytes;) {
        const uint32_t length = utf8_character_bytes(text.bytes + index, text.size_bytes - index);
        if (length == 0 || text.bytes[index] == 0) { /* [MQTT-1.5.4-1] [MQTT-1.5.4-2] */
            return false;
        }
        index += length;
    }
    return true;
}

/* Where the level that begins at `start` ends: at a separator, or at the end of the text. */
static uint32_t level_end(struct mqtt_slice text, uint32_t start)
{
    while (start < text.size_bytes && text.bytes[start] != '/') {
        start++;
    }
    return start;
}

bool mqtt_filter_wild(struct mqtt_slice filter)
{
    for (uint32_t index = 0; index < filter.size_bytes; index++) {
        if (filter.bytes[index] == '+' || filter.bytes[index] == '#') {
            return true;
        }
    }
    return false;
}

bool mqtt_topic_valid(struct mqtt_slice topic)
{
    return topic.size_bytes > 0 && mqtt_text_valid(topic) && /* [MQTT-4.7.3-1] [MQTT-4.7.3-2] */
           !mqtt_filter_wild(topic);                         /* [MQTT-4.7.0-1] */
}

/* Wildcards stand alone in their level, "#" in the last one [MQTT-4.7.1-1] [MQTT-4.7.1-2]. */
static bool wildcards_valid(struct mqtt_slice filter)
{
    for (uint32_t start = 0; start <= filter.size_bytes;) {
        const uint32_t end = level_end(filter, start);
        const struct mqtt_slice level = {filter.bytes + start, end - start};
        if (mqtt_filter_wild(level) &&
            (level.size_bytes > 1 || (level.bytes[0] == '#' && end != filter.size_bytes))) {
            return false;
        }
        start = end + 1;
    }
    return true;
}

bool mqtt_filter_valid(struct mqtt_slice filter)
{
    if (filter.size_bytes == 0 || !mqtt_text_valid(filter)) { /* [MQTT-4.7.3-1] [MQTT-3.8.3-1] */
        return false;
    }
    struct mqtt_slice share, inner;
    if (mqtt_filter_shared(filter, &share, &inner) && /* [MQTT-4.8.2-1] [MQTT-4.8.2-2] */
        (share.size_bytes == 0 || mqtt_filter_wild(share) || inner.size_bytes == 0)) {
        return false;
    }
    return wildcards_valid(inner);
}

bool mqtt_filter_shared(struct mqtt_slice filter, struct mqtt_slice *share,
                        struct mqtt_slice *inner)
{
    CHECK(share != NULL);
    CHECK(inner != NULL);
    *share = (struct mqtt_slice){NULL, 0};
    *inner = filter;
    if (filter.size_bytes < sizeof share_prefix ||
        memcmp(filter.bytes, share_prefix, sizeof share_prefix) != 0) {
        return false;
    }
    const uint32_t end = level_end(filter, sizeof share_prefix);
    const uint32_t behind = end < filter.size_bytes ? end + 1 : end;
    *share = (struct mqtt_slice){filter.bytes + sizeof share_prefix,
                                 end - (uint32_t)sizeof share_prefix};
    *inner = (struct mqtt_slice){filter.bytes + behind, filter.size_bytes - behind};
    return true;
}

bool mqtt_filter_matches(struct mqtt_slice filter, struct mqtt_slice topic)
{
    CHECK(filter.size_bytes > 0);
    CHECK(topic.size_bytes > 0);
    if (topic.bytes[0] == '$' && (filter.bytes[0] == '#' || filter.bytes[0] == '+')) {
        return false; /* [MQTT-4.7.2-1] */
    }
    uint32_t filter_at = 0, topic_at = 0;
    for (;;) { /* a level a turn */
        const uint32_t filter_end = level_end(filter, filter_at);
        const uint32_t topic_end = level_end(topic, topic_at);
        const struct mqtt_slice wanted = {filter.bytes + filter_at, filter_end - filter_at};
        const struct mqtt_slice level = {topic.bytes + topic_at, topic_end - topic_at};
        if (wanted.size_bytes == 1 && wanted.bytes[0] == '#') {
            return true;
        }
        const bool any = wanted.size_bytes == 1 && wanted.bytes[0] == '+';
        if (!any && !mqtt_slice_equal(wanted, level)) {
            return false;
        }
        if (topic_end == topic.size_bytes) { /* "a/#" is for "a" as well, section 4.7.1.2 */
            return filter_end == filter.size_bytes ||
                   (filter_end + 2 == filter.size_bytes && filter.bytes[filter_end + 1] == '#');
        }
        if (filter_end == filter.size_bytes) {
            return false;
        }
        filter_at = filter_end + 1;
        topic_at = topic_end + 1;
    }
}
