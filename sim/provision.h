/* A small fleet on one machine, as files: keys, registries and the configurations of its daemons.
 *
 *   DIR/fleet               what the folder was made for: devices, ports, period
 *   DIR/NAME.conf           configuration of a daemon; NAME: cloud, gateway, device-1, ...
 *   DIR/NAME.keys           its seed (and, of a device, secret), mode 0600
 *   DIR/NAME.pem, NAME.tls  its certificate and the key of that, by DIR/authority.pem, whose own
 * key is not kept DIR/NAME                its state folder; NAME.evidence, NAME.prom, NAME.log:
 * what it writes DIR/devices.secret      the cloud's registry of devices; devices, gateways:
 * without secrets
 *
 * Node numbers: 1 the cloud, 2 the gateway, 3.. the devices.
 */
#ifndef BROWNOUT_SIM_PROVISION_H
#define BROWNOUT_SIM_PROVISION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    PROVISION_DEVICES_MAX = 500, /* sessions of one gateway, with room */
    PROVISION_NAME_BYTES = 32,
    PROVISION_CLOUD = 1,
    PROVISION_GATEWAY = 2,
    PROVISION_DEVICE_FIRST = 3,
};

struct provision {
    const char *folder; /* borrowed */
    uint32_t devices;
    uint64_t sample_every_us;
    bool plain; /* links in the clear, and no certificates */
    uint16_t cloud_port, gateway_port;
};

/* The name of a node's files. */
void provision_name(uint32_t node, char name[PROVISION_NAME_BYTES]);
uint32_t provision_nodes(const struct provision *provision);

/* Make the folder and all that is in it; where it was made before, *provision becomes what it was
 * made for, keys and state stay, and nothing is written. devices 0: as it was made, or 10. False:
 * `error` says why, and what to do. */
bool provision_make(struct provision *provision, bool *made, char *error, size_t error_bytes);

#endif
