/* A fleet from settings and a seed: keys, secrets, registries, and each node's configuration. */
#ifndef BROWNOUT_SIM_FLEET_H
#define BROWNOUT_SIM_FLEET_H

#include "core/device.h"
#include "core/server/cloud.h"
#include "core/server/gateway.h"
#include "sim/capture.h"
#include "sim/firmware.h"
#include "sim/setting.h"

/* A rogue is a gateway whose keys the attacker holds. */
struct rogue_config {
    struct gateway_config gateway;
    const uint32_t
        *attack; /* [EFFECT_COUNT], what the plan has switched on, by how much; the node's */
    uint32_t gateway_first, gateway_count; /* the honest ones */
    const struct capture *capture;         /* envelopes that passed anywhere in the fleet */
    struct rogue_counts *counts;           /* what it did, over all its lives; the fleet's */
};

struct rogue_counts {
    uint64_t taken, forwarded, replayed, reordered, duplicated, delayed, corrupted, dropped,
        flooded; /* links that were opened for no good */
};

struct fleet {
    uint32_t node_count;
    struct registry_entry *devices;  /* ascending number, secrets included: the cloud's */
    struct registry_entry *gateways; /* rogues included: they are enrolled */
    uint32_t device_count, gateway_count;
    struct cloud_config cloud;
    struct gateway_config *gateway_configs; /* [gateways] */
    struct rogue_config *rogue_configs;     /* [rogues] */
    struct rogue_counts rogue_counts;       /* of all rogues together */
    struct device_config *device_configs;   /* [devices] */
    uint32_t *ranks;                        /* [devices], 1: the busiest; drawn */
    struct firmware *firmware;              /* NULL: not managed */
    const struct settings *settings;
};

/* crypto derives the public keys. geometry: of the devices' flash; firmware_check has passed. NULL
 * when memory or crypto fails. settings and capture are borrowed for the fleet's life. */
struct fleet *fleet_create(const struct settings *settings, uint64_t seed,
                           const struct port_crypto *crypto, const struct capture *capture,
                           const struct flash_geometry *geometry);
void fleet_free(struct fleet *fleet);
/* The configuration of a node: struct cloud_config, gateway_config, rogue_config or device_config.
 */
const void *fleet_config(const struct fleet *fleet, uint32_t node);

#endif
