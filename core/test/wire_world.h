/* One device, two gateways and a cloud, all real, for tests of what travels between them: links
 * without delay, a device on the bench (firmware_rig.h) that boots through the real boot loader,
 * and a hand on the wire between device and gateways that swallows, spoils and repeats messages. */
#ifndef BROWNOUT_TEST_WIRE_WORLD_H
#define BROWNOUT_TEST_WIRE_WORLD_H

#include "core/device.h"
#include "core/server/cloud.h"
#include "core/server/gateway.h"
#include "core/test/fake_port.h"
#include "core/test/firmware_rig.h"

enum {
    WIRE_CLOUD = 1,
    WIRE_GATEWAY = 2, /* and the one behind it */
    WIRE_GATEWAYS = 2,
    WIRE_DEVICE = 7,
    WIRE_AT_DEVICE = 0, /* among the nodes */
    WIRES_MAX = 256,
    WIRE_CAUGHT_MAX = 256,
    WIRE_STATUSES_MAX = 64,
    WIRE_RELEASES_MAX = 3,
};

#define SECOND UINT64_C(1000000)

struct wire_world;

struct wire_node {
    uint32_t number;
    struct fake_port fake;
    const struct port *port;
    uint32_t links_seen; /* of fake.link_count */
    void *role;
    void (*step)(void *role, const struct port *port, const struct event *event);
    uint64_t (*deadline_us)(const void *role);
};

struct wire {
    struct wire_node *ends[2]; /* who opened it, and to whom */
    uint32_t links[2];
    bool up;
};

/* A PUBLISH from a gateway to the device. */
struct wire_caught {
    uint32_t type; /* enum message_type */
    uint32_t packet_bytes;
    uint8_t packet[MQTT_PACKET_BYTES_MAX];
};

struct wire_world {
    uint64_t now_us, wall_us; /* wall clock of all: wall_us + now_us, unless it is 0 */
    struct rig rig;
    struct device device;
    struct device_config device_config;
    struct port device_port;
    bool awake; /* the device has booted */
    uint32_t boots;
    uint32_t jumps[BOOT_FALLBACK + 1]; /* by outcome */

    struct registry_entry devices[1], gateways[WIRE_GATEWAYS];
    struct gateway_config gateway_configs[WIRE_GATEWAYS];
    struct cloud_release releases[WIRE_RELEASES_MAX];
    struct cloud_config cloud_config;
    struct fake_disk disk;
    char folder[64], paths[1 + WIRE_GATEWAYS][96];
    struct wire_node nodes[2 + WIRE_GATEWAYS]; /* device, gateways, cloud */

    uint32_t wire_count;
    struct wire wires[WIRES_MAX];
    uint32_t lost_up, lost_down; /* bit: enum message_type that is swallowed on the device's wire */
    uint32_t spoiled_down;       /* bit: type, of which one byte is turned over */
    uint32_t chunks_max;         /* later ones are swallowed; 0: none is */
    uint32_t lost_through;       /* only through this gateway; 0: through each */
    uint32_t caught_count;       /* the last ones, in a ring */
    struct wire_caught caught[WIRE_CAUGHT_MAX];
    uint32_t status_count; /* of the device, in the order in which they were said */
    struct envelope statuses[WIRE_STATUSES_MAX];
    uint32_t counts_up[16], counts_down[16]; /* by type, swallowed ones included */
};

/* Make world->device_port; for wire_new. */
void wire_port(struct wire_world *world);

/* A device that runs `factory` and a cloud with these releases, borrowed, in it. Nothing has booted
 * yet: configurations may be changed. */
struct wire_world *wire_new(struct release *factory);
/* Have the cloud offer this, from a wall time on. */
void wire_offer(struct wire_world *world, const struct release *release, uint64_t from_us);
void wire_boot(struct wire_world *world);
void wire_free(struct wire_world *world);

/* Run to this time. Whenever the device's power goes (rig.cut_at) or it asks for a reset, it boots
 * again; power then stays. */
void wire_run(struct wire_world *world, uint64_t until_us);
/* Until the device runs this sequence, confirmed, and the cloud knows; fails the test at until_us.
 */
void wire_run_to(struct wire_world *world, uint64_t sequence, uint64_t until_us);
/* The cloud stops and starts again on its disk; meanwhile this query gives one number. */
int64_t wire_stored(struct wire_world *world, const char *sql);
void wire_restart_cloud(struct wire_world *world);
/* Give the device this packet again, as from the gateway that it is connected to. */
void wire_repeat(struct wire_world *world, const struct wire_caught *caught);
/* Send this up as the first gateway would, to a cloud that it is connected to. */
void wire_forward(struct wire_world *world, const struct envelope *envelope);
/* The n-th last message of this type that the device was sent, from 0; NULL if there is none. */
struct wire_caught *wire_last(struct wire_world *world, enum message_type type, uint32_t nth);

struct device_view wire_device(const struct wire_world *world);
struct cloud_firmware wire_known(const struct wire_world *world);
/* What the cloud, and the device, have said. */
const struct fake_port *wire_cloud_said(const struct wire_world *world);
const struct fake_port *wire_device_said(const struct wire_world *world);
struct cloud_view wire_cloud(const struct wire_world *world);
/* Is what the cloud believes of the device true? */
bool wire_is_true(const struct wire_world *world);

#endif
