/* Texts, topic names and topic filters of MQTT 5 (sections 1.5.4, 4.7 and 4.8.2). They are compared
 * byte by byte: nothing is normalized [MQTT-4.7.3-4]. No recursion: time is linear in both sizes.
 */
#ifndef BROWNOUT_CORE_MQTT_FILTER_H
#define BROWNOUT_CORE_MQTT_FILTER_H

#include "core/mqtt/packet.h"

/* At most 65535 bytes of well-formed UTF-8 without U+0000. */
bool mqtt_text_valid(struct mqtt_slice text) MUST_USE;
/* A text of at least one byte without wildcards. */
bool mqtt_topic_valid(struct mqtt_slice topic) MUST_USE;
/* A text of at least one byte, its wildcards where they may be; one that begins with "$share/" has
 * a share name and a filter behind it. */
bool mqtt_filter_valid(struct mqtt_slice filter) MUST_USE;

/* Of a valid filter: whether it is that of a shared subscription; then also the name of the share
 * and the filter that topics are matched with. Otherwise *inner is the filter itself. */
bool mqtt_filter_shared(struct mqtt_slice filter, struct mqtt_slice *share,
                        struct mqtt_slice *inner);
/* Whether a valid filter (of a shared subscription: its inner one) has a wildcard. */
bool mqtt_filter_wild(struct mqtt_slice filter);
/* Whether a valid topic matches a valid filter that is not shared. */
bool mqtt_filter_matches(struct mqtt_slice filter, struct mqtt_slice topic);

#endif
