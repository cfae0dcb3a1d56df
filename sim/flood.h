/* Hostile peers of a gateway, as one attacker makes them: so many links to it at once, each opened
 * anew in the next round once the gateway has closed it, in five kinds that take turns:
 *   silent   says nothing
 *   drip     a byte a round of a good CONNECT
 *   garbage  bytes that are no MQTT
 *   huge     the beginning of a packet of the largest length there is
 *   claim    CONNECT as a device that is enrolled, and no answer to the challenge
 * When the attack ends its links stay as they are: half-open for all that the gateway knows.
 */
#ifndef BROWNOUT_SIM_FLOOD_H
#define BROWNOUT_SIM_FLOOD_H

#include "core/event.h"
#include "core/port.h"
#include "core/server/registry.h"

enum { FLOOD_LINKS_MAX = 1024, FLOOD_SAID_BYTES = 128 };

enum flood_kind {
    FLOOD_SILENT,
    FLOOD_DRIP,
    FLOOD_GARBAGE,
    FLOOD_HUGE,
    FLOOD_CLAIM,
    FLOOD_KIND_COUNT
};

struct flood_link {
    bool used;
    bool up;
    enum flood_kind kind;
    uint32_t link;
    uint32_t claimed; /* number of a device */
    uint32_t said_bytes;
};

struct flood {
    uint64_t opened;
    uint32_t open; /* used ones */
    struct flood_link links[FLOOD_LINKS_MAX];
};

void flood_init(struct flood *flood);
/* Time for another round: `count` links to each of the gateways first..first+gateways-1, no more
 * than FLOOD_LINKS_MAX in all; 0: none are opened and nothing is said. devices: whom to claim to
 * be; there is at least one. Links that were opened are added to *opened. */
void flood_round(struct flood *flood, const struct port *port, uint32_t count, uint32_t first,
                 uint32_t gateways, const struct registry *devices, uint64_t *opened);
/* True: the event is about one of its links, and dealt with. */
bool flood_event(struct flood *flood, const struct port *port, const struct event *event);

#endif
