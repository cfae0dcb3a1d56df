/* Keep alive (section 3.1.2.10), both halves: when a client pings, when either end gives up. */
#ifndef BROWNOUT_CORE_MQTT_KEEP_ALIVE_H
#define BROWNOUT_CORE_MQTT_KEEP_ALIVE_H

#include "core/mqtt/stream.h"

struct mqtt_keep_alive { /* a client's */
    uint16_t interval_s; /* in force; 0 = none */
    uint64_t sent_us;    /* when a packet was last sent */
    uint64_t heard_us;   /* when a whole packet last came */
    uint64_t pinged_us;  /* when PINGREQ was last sent */
};

/* CONNACK came: what the client asked for, unless the server has set another [MQTT-3.1.2-21]
 * [MQTT-3.2.2-21]. */
void mqtt_keep_alive_connected(struct mqtt_keep_alive *alive, uint16_t asked_s,
                               const struct mqtt_properties *connack);
/* When a PINGREQ is due: an interval after the last packet sent [MQTT-3.1.2-20] or heard, whichever
 * is older, so that a client that only talks still finds out. UINT64_MAX = never. */
uint64_t mqtt_keep_alive_ping_us(const struct mqtt_keep_alive *alive);
/* When a peer that says nothing is given up: 1.5 intervals after a whole packet last came, of a
 * client [MQTT-3.1.2-22] as of a server. interval_s: in force; 0 = never, UINT64_MAX. */
uint64_t mqtt_keep_alive_silence_us(uint16_t interval_s, uint64_t heard_us);
/* The earlier of both, for a client. */
uint64_t mqtt_keep_alive_deadline_us(const struct mqtt_keep_alive *alive);
/* What a client does then: PINGREQ. ERR_OK | another: the connection is of no use any more, because
 * the server is silent, or PINGREQ does not go out. */
enum err mqtt_keep_alive_timeout(struct mqtt_keep_alive *alive, struct mqtt_outgoing *outgoing,
                                 const struct port *port, uint32_t link, uint64_t now_us) MUST_USE;

#endif
