/* What the two halves of the general client share. */
#ifndef BROWNOUT_CORE_MQTT_GENERAL_INSIDE_H
#define BROWNOUT_CORE_MQTT_GENERAL_INSIDE_H

#include "core/mqtt/general_client.h"

/* False: the link is gone, or the broker does not read what it must; BROKEN then. */
bool mqtt_general_send(struct mqtt_general_client *client, const struct port *port, uint64_t now_us,
                       const struct mqtt_packet *packet);
/* Send the acknowledgements and PUBRELs that are due. */
void mqtt_general_send_due(struct mqtt_general_client *client, const struct port *port,
                           uint64_t now_us);
/* The connection is over: CLOSED; the session stays if it outlives connections. */
void mqtt_general_lost(struct mqtt_general_client *client, uint64_t now_us);

#endif
