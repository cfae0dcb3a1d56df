/* The client's half of keep alive (section 3.1.2.10): when to ping, when to give up. */
#ifndef BROWNOUT_CORE_MQTT_KEEP_ALIVE_H
#define BROWNOUT_CORE_MQTT_KEEP_ALIVE_H

#include <stdint.h>

struct mqtt_keep_alive {
    uint16_t interval_s; /* in force; 0 = none */
    uint64_t sent_us;    /* when a packet was last sent */
    uint64_t heard_us;   /* when a whole packet last came */
    uint64_t pinged_us;  /* when PINGREQ was last sent */
};

/* When a PINGREQ is due: an interval after the last packet sent [MQTT-3.1.2-20] or heard, whichever
 * is older, so that a client that only talks still finds out. UINT64_MAX = never. */
uint64_t mqtt_keep_alive_ping_us(const struct mqtt_keep_alive *alive);
/* When a server that says nothing is given up: 1.5 intervals after it was last heard. */
uint64_t mqtt_keep_alive_silence_us(const struct mqtt_keep_alive *alive);

#endif
