#include "core/mqtt/alias.h"

#include <stddef.h>
#include <string.h>

#include "core/big_endian.h"
#include "core/check.h"

void mqtt_aliases_init(struct mqtt_aliases *aliases, uint8_t *memory, uint16_t capacity,
                       uint16_t topic_bytes_max)
{
    CHECK(memory != NULL || capacity == 0);
    *aliases = (struct mqtt_aliases){
        .memory = memory, .topic_bytes_max = topic_bytes_max, .capacity = capacity};
}

static uint8_t *place_of(const struct mqtt_aliases *aliases, uint16_t alias)
{
    CHECK(alias >= 1);
    CHECK(alias <= aliases->capacity);
    return aliases->memory + MQTT_ALIASES_BYTES(alias - 1u, aliases->topic_bytes_max);
}

static struct mqtt_slice topic_of(const struct mqtt_aliases *aliases, uint16_t alias)
{
    const uint8_t *place = place_of(aliases, alias);
    return (struct mqtt_slice){place + 2, (uint32_t)big_endian_get(place, 2)};
}

static void keep(struct mqtt_aliases *aliases, uint16_t alias, struct mqtt_slice topic)
{
    CHECK(topic.size_bytes > 0);
    CHECK(topic.size_bytes <= aliases->topic_bytes_max);
    uint8_t *place = place_of(aliases, alias);
    big_endian_put(place, 2, topic.size_bytes);
    memcpy(place + 2, topic.bytes, topic.size_bytes);
}

static void begin(struct mqtt_aliases *aliases, uint16_t maximum)
{
    aliases->maximum = maximum;
    aliases->newest = 0;
    for (uint32_t alias = 1; alias <= aliases->capacity; alias++) {
        big_endian_put(place_of(aliases, (uint16_t)alias), 2, 0);
    }
}

void mqtt_aliases_receive(struct mqtt_aliases *aliases, uint16_t maximum)
{
    CHECK(maximum <= aliases->capacity);
    begin(aliases, maximum);
}

void mqtt_aliases_send(struct mqtt_aliases *aliases, uint16_t maximum)
{
    begin(aliases, maximum < aliases->capacity ? maximum : aliases->capacity);
}

uint8_t mqtt_aliases_resolve(struct mqtt_aliases *aliases, struct mqtt_packet *publish)
{
    CHECK(publish->type == MQTT_PUBLISH);
    const uint16_t alias = publish->properties.topic_alias;
    if ((publish->properties.present & MQTT_PROPERTY_BIT(MQTT_TOPIC_ALIAS)) == 0) {
        return MQTT_SUCCESS;
    }
    if (alias == 0 || alias > aliases->maximum) { /* [MQTT-3.3.2-8] [MQTT-3.3.2-9] */
        return MQTT_TOPIC_ALIAS_INVALID;
    }
    if (publish->topic.size_bytes > aliases->topic_bytes_max) {
        return MQTT_TOPIC_NAME_INVALID;
    }
    if (publish->topic.size_bytes > 0) {
        keep(aliases, alias, publish->topic);
        return MQTT_SUCCESS;
    }
    publish->topic = topic_of(aliases, alias);
    return publish->topic.size_bytes > 0 ? MQTT_SUCCESS : MQTT_PROTOCOL_ERROR;
}

void mqtt_aliases_choose(const struct mqtt_aliases *aliases, struct mqtt_packet *publish)
{
    CHECK(publish->type == MQTT_PUBLISH);
    CHECK(publish->topic.size_bytes > 0);
    if (aliases->maximum == 0 || publish->topic.size_bytes > aliases->topic_bytes_max) {
        return;
    }
    publish->properties.present |= MQTT_PROPERTY_BIT(MQTT_TOPIC_ALIAS);
    for (uint16_t alias = 1; alias <= aliases->maximum; alias++) {
        if (mqtt_slice_equal(topic_of(aliases, alias), publish->topic)) {
            publish->properties.topic_alias = alias;
            publish->topic = (struct mqtt_slice){NULL, 0};
            return;
        }
        if (alias == aliases->maximum) { /* it may be UINT16_MAX */
            break;
        }
    }
    publish->properties.topic_alias = /* the oldest goes */
        aliases->newest >= aliases->maximum ? 1 : (uint16_t)(aliases->newest + 1);
}

void mqtt_aliases_sent(struct mqtt_aliases *aliases, const struct mqtt_packet *publish)
{
    const uint16_t alias = publish->properties.topic_alias;
    if ((publish->properties.present & MQTT_PROPERTY_BIT(MQTT_TOPIC_ALIAS)) != 0 &&
        publish->topic.size_bytes > 0) {
        keep(aliases, alias, publish->topic);
        aliases->newest = alias;
    }
}
