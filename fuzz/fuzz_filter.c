/* Topic names and filters of MQTT.
 * Input: a filter, a NUL, a topic.
 * Required: validity as section 4.7 has it, level by level; a match is what a second, plainer
 * matcher says; what is shared has a name and an inner filter that is valid by itself. */
#include <string.h>

#include "core/mqtt/filter.h"
#include "fuzz/fuzz.h"

enum { TEXT_BYTES_MAX = 512 };

/* The level that begins at `at`; *at moves behind its '/', or past the end. */
static struct mqtt_slice level(struct mqtt_slice text, uint32_t *at)
{
    const uint32_t begin = *at;
    while (*at < text.size_bytes && text.bytes[*at] != '/') {
        ++*at;
    }
    const struct mqtt_slice found = {text.bytes + begin, *at - begin};
    ++*at;
    return found;
}

static bool is(struct mqtt_slice slice, char letter)
{
    return slice.size_bytes == 1 && slice.bytes[0] == (uint8_t)letter;
}

/* Level by level: '+' stands for one, '#' for all that follow and the parent. */
static bool plain_match(struct mqtt_slice filter, struct mqtt_slice topic)
{
    uint32_t at_filter = 0, at_topic = 0;
    if (topic.bytes[0] == '$' && (filter.bytes[0] == '+' || filter.bytes[0] == '#')) {
        return false;
    }
    while (at_filter <= filter.size_bytes) {
        const struct mqtt_slice wanted = level(filter, &at_filter);
        if (is(wanted, '#')) {
            return true;
        }
        if (at_topic > topic.size_bytes) {
            return false;
        }
        const struct mqtt_slice given = level(topic, &at_topic);
        if (!is(wanted, '+') && !mqtt_slice_equal(wanted, given)) {
            return false;
        }
    }
    return at_topic > topic.size_bytes;
}

/* Of a text that is valid: wildcards alone in their level, '#' in the last one. */
static bool plain_wildcards(struct mqtt_slice filter)
{
    for (uint32_t at = 0; at <= filter.size_bytes;) {
        const struct mqtt_slice one = level(filter, &at);
        const bool wild = memchr(one.bytes, '+', one.size_bytes) != NULL ||
                          memchr(one.bytes, '#', one.size_bytes) != NULL;
        if (wild && one.size_bytes != 1) {
            return false;
        }
        if (is(one, '#') && at <= filter.size_bytes) {
            return false;
        }
    }
    return true;
}

static void require_filter(struct mqtt_slice filter)
{
    const bool valid = mqtt_filter_valid(filter);
    const bool shares = filter.size_bytes >= 7 && memcmp(filter.bytes, "$share/", 7) == 0;
    if (!shares) {
        REQUIRE(valid ==
                (filter.size_bytes > 0 && mqtt_text_valid(filter) && plain_wildcards(filter)));
    }
    if (!valid) {
        return;
    }
    struct mqtt_slice share, inner;
    REQUIRE(mqtt_filter_shared(filter, &share, &inner) == shares);
    if (shares) {
        REQUIRE(share.size_bytes > 0 && memchr(share.bytes, '/', share.size_bytes) == NULL);
        REQUIRE(share.bytes == filter.bytes + 7);
        REQUIRE(inner.bytes + inner.size_bytes == filter.bytes + filter.size_bytes);
        REQUIRE(inner.size_bytes > 0 && plain_wildcards(inner));
    } else {
        REQUIRE(mqtt_slice_equal(inner, filter));
    }
    REQUIRE(mqtt_filter_wild(inner) == (memchr(inner.bytes, '+', inner.size_bytes) != NULL ||
                                        memchr(inner.bytes, '#', inner.size_bytes) != NULL));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_bytes)
{
    const uint8_t *end = size_bytes > 0 ? memchr(data, '\0', size_bytes) : NULL;
    if (end == NULL || size_bytes > TEXT_BYTES_MAX) {
        return 0;
    }
    const struct mqtt_slice filter = {data, (uint32_t)(end - data)};
    const struct mqtt_slice topic = {end + 1, (uint32_t)(size_bytes - filter.size_bytes - 1)};
    struct mqtt_slice share, inner = filter;
    require_filter(filter);
    const bool valid = mqtt_filter_valid(filter) && mqtt_topic_valid(topic);
    if (topic.size_bytes > 0) {
        REQUIRE(mqtt_topic_valid(topic) ==
                (mqtt_text_valid(topic) && memchr(topic.bytes, '+', topic.size_bytes) == NULL &&
                 memchr(topic.bytes, '#', topic.size_bytes) == NULL));
    }
    if (valid) {
        (void)mqtt_filter_shared(filter, &share, &inner);
        REQUIRE(mqtt_filter_matches(inner, topic) == plain_match(inner, topic));
    }
    return 0;
}
