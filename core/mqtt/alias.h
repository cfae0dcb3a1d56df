/* Topic aliases of one direction of one connection (section 3.3.2.3.4), in memory of the caller's.
 * The receiver's end resolves, the sender's end chooses; both begin anew on each connection
 * [MQTT-3.3.2-7].
 */
#ifndef BROWNOUT_CORE_MQTT_ALIAS_H
#define BROWNOUT_CORE_MQTT_ALIAS_H

#include "core/mqtt/packet.h"

struct mqtt_aliases {
    uint8_t *memory;          /* the caller's: size (2, big-endian) and topic of each alias */
    uint16_t topic_bytes_max; /* of a topic that may have one */
    uint16_t capacity;        /* aliases that the memory has room for */
    uint16_t maximum;         /* in force on this connection; 0 = none */
    uint16_t newest;          /* sender's end: the alias that was given last */
};

#define MQTT_ALIASES_BYTES(capacity, topic_bytes_max) ((capacity) * (2u + (topic_bytes_max)))

/* memory: kept, MQTT_ALIASES_BYTES(capacity, topic_bytes_max); none is in force yet. */
void mqtt_aliases_init(struct mqtt_aliases *aliases, uint8_t *memory, uint16_t capacity,
                       uint16_t topic_bytes_max);
/* A new connection: forget all. maximum: the Topic Alias Maximum that the receiver's end said (a
 * sender uses no more than its capacity of them; a receiver must not say more, CHECK). */
void mqtt_aliases_receive(struct mqtt_aliases *aliases, uint16_t maximum);
void mqtt_aliases_send(struct mqtt_aliases *aliases, uint16_t maximum);

/* A PUBLISH came: remember its alias, or put the topic that it stands for (in the memory, good
 * until that alias is given anew) into the packet. 0, or the reason to refuse it: 0x94 (0, or above
 * the maximum), 0x82 (it stands for nothing), 0x90 (the topic is longer than topic_bytes_max). */
uint8_t mqtt_aliases_resolve(struct mqtt_aliases *aliases, struct mqtt_packet *publish) MUST_USE;
/* A PUBLISH with its full topic is about to be sent: put an alias in the place of the topic, or
 * beside it the first time. If it is sent, call mqtt_aliases_sent with the packet that was. */
void mqtt_aliases_choose(const struct mqtt_aliases *aliases, struct mqtt_packet *publish);
void mqtt_aliases_sent(struct mqtt_aliases *aliases, const struct mqtt_packet *publish);

#endif
