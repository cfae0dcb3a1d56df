/* MQTT packets for tests: drawn at random from a seed, of every type, with every property that the
 * standard allows there (its own table, not the codec's), and what it means that two are the same.
 */
#ifndef BROWNOUT_CORE_TEST_MQTT_SAMPLE_H
#define BROWNOUT_CORE_TEST_MQTT_SAMPLE_H

#include "core/mqtt/list.h"

enum { MQTT_SAMPLE_BYTES = 900 };

struct mqtt_sample {
    uint64_t random; /* state of the generator; its first value is the seed */
    struct mqtt_packet packet;
    uint32_t used_bytes;
    uint8_t bytes[MQTT_SAMPLE_BYTES]; /* what the packet's slices point into */
};

/* A number below the bound. */
uint32_t mqtt_sample_below(struct mqtt_sample *sample, uint32_t bound);
/* Draw sample->packet: valid, and smaller than MQTT_PACKET_BYTES_MAX. */
void mqtt_sample_draw(struct mqtt_sample *sample, enum mqtt_type type);
/* Whether table 2-4 of the standard allows the property in the packet; `will`: in its will. */
bool mqtt_sample_allows(uint8_t property, enum mqtt_type type, bool will);
bool mqtt_sample_same(const struct mqtt_packet *left, const struct mqtt_packet *right);

#endif
