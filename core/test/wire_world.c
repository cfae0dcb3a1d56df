/* One device, two gateways and a cloud, all real. */
#include "core/test/wire_world.h"

#include <sqlite3.h>
#include <string.h>
#include <unistd.h>

#include "core/handover.h"
#include "core/mqtt/packet.h"
#include "core/test/test.h"

enum { AT_DEVICE = WIRE_AT_DEVICE, AT_GATEWAY, AT_CLOUD = AT_GATEWAY + WIRE_GATEWAYS, NODES };

static struct fake_port *fake_of(struct wire_world *world)
{
    return &world->nodes[AT_DEVICE].fake;
}

/* ---- The roles ---- */

static void step_device(void *role, const struct port *port, const struct event *event)
{
    device_step(role, port, event);
}

static void step_gateway(void *role, const struct port *port, const struct event *event)
{
    gateway_step(role, port, event);
}

static void step_cloud(void *role, const struct port *port, const struct event *event)
{
    cloud_step(role, port, event);
}

static uint64_t device_wants(const void *role)
{
    return device_deadline_us(role);
}

static uint64_t gateway_wants(const void *role)
{
    return gateway_deadline_us(role);
}

static uint64_t cloud_wants(const void *role)
{
    return cloud_deadline_us(role);
}

static void make_keys(const struct wire_world *world, uint32_t number, struct key_pair *pair)
{
    memset(pair, 0, sizeof *pair);
    pair->seed[0] = (uint8_t)number;
    const struct port_crypto *crypto = &world->rig.port.crypto;
    EXPECT_EQUAL(crypto->public_key(crypto->ctx, pair), ERR_OK);
}

static void make_node(struct wire_world *world, uint32_t at, uint32_t number, const char *path)
{
    struct wire_node *node = &world->nodes[at];
    fake_port_init(&node->fake, path == NULL ? NULL : &world->disk, path);
    node->fake.port.crypto = world->rig.port.crypto;
    node->fake.entropy = number;
    node->number = number;
    node->port = &node->fake.port;
}

static void make_configs(struct wire_world *world)
{
    struct key_pair keys;
    struct device_config *device = &world->device_config;
    *device = (struct device_config){
        .id = WIRE_DEVICE,
        .secret = {5},
        .cloud = WIRE_CLOUD,
        .gateways = {WIRE_GATEWAY, WIRE_GATEWAY + 1},
        .gateway_count = WIRE_GATEWAYS,
        .sample_every_us = 20 * SECOND,
        .reserve = 4,
        .outbox_max = 2,
        .window = 8,
        .backoff_base_us = SECOND,
        .backoff_cap_us = 8 * SECOND,
        .ack_timeout_us = 15 * SECOND,
        .keep_alive_s = 600,
        .firmware = {.managed = true, .trial_us = 60 * SECOND},
    };
    make_keys(world, WIRE_DEVICE, &device->keys);
    world->devices[0] = (struct registry_entry){.id = WIRE_DEVICE, .secret = {5}};
    memcpy(world->devices[0].public_key, device->keys.public_key, KEY_BYTES);
    for (uint32_t i = 0; i < WIRE_GATEWAYS; i++) {
        struct gateway_config *gateway = &world->gateway_configs[i];
        *gateway = (struct gateway_config){
            .id = WIRE_GATEWAY + i,
            .cloud = WIRE_CLOUD,
            .devices = {world->devices, 1},
            .queue_max = 16,
            .queue_share_max = 8,
            .sessions_max = 4,
            .backoff_base_us = SECOND,
            .backoff_cap_us = 8 * SECOND,
            .keep_alive_s = 600,
        };
        make_keys(world, WIRE_GATEWAY + i, &gateway->keys);
        world->gateways[i].id = WIRE_GATEWAY + i;
        memcpy(world->gateways[i].public_key, gateway->keys.public_key, KEY_BYTES);
    }
    world->cloud_config = (struct cloud_config){
        .id = WIRE_CLOUD,
        .devices = {world->devices, 1},
        .gateways = {world->gateways, WIRE_GATEWAYS},
        .window = 8,
        .sessions_max = 4,
        .firmware = {.managed = true, .releases = world->releases, .reverts_max = 2},
    };
    make_keys(world, WIRE_CLOUD, &keys);
    world->cloud_config.keys = keys;
    memcpy(device->cloud_key, keys.public_key, KEY_BYTES);
}

struct wire_world *wire_new(struct release *factory)
{
    struct wire_world *world = calloc(1, sizeof *world);
    EXPECT(world != NULL);
    rig_prepare(&world->rig);
    world->rig.boot_config.device = world->rig.update_config.boot.device = WIRE_DEVICE;
    rig_release(&world->rig, factory, 1, 1, RIG_AREA_BYTES / 2);
    rig_make(&world->rig, factory);
    snprintf(world->folder, sizeof world->folder, "/tmp/brownout_XXXXXX");
    EXPECT(mkdtemp(world->folder) != NULL);
    fake_disk_init(&world->disk, "wire");
    make_configs(world);
    world->device_config.firmware.update = world->rig.update_config;
    wire_port(world);
    return world;
}

void wire_offer(struct wire_world *world, const struct release *release, uint64_t from_us)
{
    uint32_t *count = &world->cloud_config.firmware.release_count;
    EXPECT(*count < WIRE_RELEASES_MAX);
    world->releases[(*count)++] =
        (struct cloud_release){.envelopes = release->envelopes,
                               .image = release->image,
                               .image_bytes = release->manifest.size_bytes,
                               .from_us = from_us};
}

static void boot_cloud(struct wire_world *world)
{
    struct wire_node *node = &world->nodes[AT_CLOUD];
    node->role = malloc(cloud_size_bytes(&world->cloud_config));
    EXPECT(node->role != NULL);
    cloud_init(node->role, &world->cloud_config, node->port);
    node->step = step_cloud;
    node->deadline_us = cloud_wants;
}

/* Until an image runs. What was armed to cut the power is spent by the first cut. */
static void boot_device(struct wire_world *world)
{
    struct rig *rig = &world->rig;
    for (uint32_t tries = 0; tries < 10; tries++) {
        if (rig->dead) {
            memset(rig->retained, 0x3C, sizeof rig->retained);
            rig_power(rig, 0);
        }
        world->boots++;
        memset(&rig->boot, 0x5A, sizeof rig->boot);
        const enum err err = boot_run(&rig->boot, &rig->boot_config, &rig->port, &rig->report);
        EXPECT(err == ERR_OK || rig->dead);
        if (rig->dead || handover_write(&rig->port, &rig->report) != ERR_OK) {
            continue;
        }
        memset(&world->device, 0xA5, sizeof world->device);
        fake_of(world)->resets = 0;
        device_init(&world->device, &world->device_config, &world->device_port);
        if (!rig->dead) {
            world->jumps[rig->report.outcome]++;
            world->awake = true;
            return;
        }
    }
    EXPECT(false);
}

void wire_boot(struct wire_world *world)
{
    snprintf(world->paths[0], sizeof world->paths[0], "%s/cloud.db", world->folder);
    make_node(world, AT_CLOUD, WIRE_CLOUD, world->paths[0]);
    boot_cloud(world);
    for (uint32_t i = 0; i < WIRE_GATEWAYS; i++) {
        struct wire_node *node = &world->nodes[AT_GATEWAY + i];
        snprintf(world->paths[1 + i], sizeof world->paths[1], "%s/gateway%u.db", world->folder,
                 (unsigned)i);
        make_node(world, AT_GATEWAY + i, WIRE_GATEWAY + i, world->paths[1 + i]);
        node->role = malloc(gateway_size_bytes(&world->gateway_configs[i]));
        EXPECT(node->role != NULL);
        gateway_init(node->role, &world->gateway_configs[i], node->port);
        node->step = step_gateway;
        node->deadline_us = gateway_wants;
    }
    make_node(world, AT_DEVICE, WIRE_DEVICE, NULL);
    struct wire_node *device = &world->nodes[AT_DEVICE];
    device->port = &world->device_port;
    device->role = &world->device;
    device->step = step_device;
    device->deadline_us = device_wants;
    boot_device(world);
}

void wire_free(struct wire_world *world)
{
    cloud_drop(world->nodes[AT_CLOUD].role);
    free(world->nodes[AT_CLOUD].role);
    for (uint32_t i = 0; i < WIRE_GATEWAYS; i++) {
        gateway_drop(world->nodes[AT_GATEWAY + i].role);
        free(world->nodes[AT_GATEWAY + i].role);
    }
    for (uint32_t at = 0; at < NODES; at++) {
        fake_port_drop(&world->nodes[at].fake);
    }
    fake_disk_drop(&world->disk);
    for (uint32_t i = 0; i <= WIRE_GATEWAYS; i++) {
        fake_disk_erase(world->paths[i]);
    }
    EXPECT_EQUAL(rmdir(world->folder), 0);
    rig_free(&world->rig);
    free(world);
}

/* ---- The wires ---- */

static void hang_up(struct wire_world *world, struct wire_node *node)
{
    for (uint32_t i = 0; i < world->wire_count; i++) {
        struct wire *wire = &world->wires[i];
        for (uint32_t end = 0; end < 2 && wire->up; end++) {
            if (wire->ends[end] == node) {
                fake_port_link(&node->fake, wire->links[end])->open = false;
            }
        }
    }
    node->links_seen = node->fake.link_count; /* what was only asked for is gone as well */
}

static void give(struct wire_world *world, struct wire_node *node, const struct event *event)
{
    if (node->number == WIRE_DEVICE && !world->awake) {
        return;
    }
    node->fake.now_us = world->now_us;
    node->fake.wall_us = world->wall_us;
    node->step(node->role, node->port, event);
    EXPECT(node->number == WIRE_DEVICE || node->fake.resets == 0);
    if (node->number == WIRE_DEVICE && (world->rig.dead || node->fake.resets > 0)) {
        world->awake = false;
        hang_up(world, node);
    }
}

/* Links that were asked for since the last look. */
static bool connect(struct wire_world *world)
{
    bool moved = false;
    for (uint32_t at = 0; at < NODES; at++) {
        struct wire_node *from = &world->nodes[at];
        while (from->links_seen < from->fake.link_count) {
            const uint32_t link = ++from->links_seen;
            const uint32_t peer = fake_port_link(&from->fake, link)->peer;
            struct wire_node *to = peer == WIRE_CLOUD
                                       ? &world->nodes[AT_CLOUD]
                                       : &world->nodes[AT_GATEWAY + peer - WIRE_GATEWAY];
            EXPECT(world->wire_count < WIRES_MAX);
            struct wire *wire = &world->wires[world->wire_count++];
            *wire =
                (struct wire){{from, to}, {link, fake_port_accept(&to->fake, from->number)}, true};
            to->links_seen = to->fake.link_count;
            give(world, to,
                 &(struct event){.kind = EVENT_LINK_UP, .inbound = true, .link = wire->links[1]});
            give(world, from, &(struct event){.kind = EVENT_LINK_UP, .link = link});
            moved = true;
        }
    }
    return moved;
}

/* On the device's wire: packet by packet. The bytes that are left. */
static uint32_t meddle(struct wire_world *world, const struct wire *wire, bool up, uint8_t *bytes,
                       uint32_t size_bytes)
{
    const bool mine = world->lost_through == 0 || world->lost_through == wire->ends[1]->number;
    uint32_t kept = 0, packet_bytes = 0;
    for (uint32_t at = 0; at < size_bytes; at += packet_bytes) {
        uint8_t reason = 0;
        struct mqtt_packet packet;
        struct cose_sign1 parsed;
        EXPECT_EQUAL(mqtt_packet_size(bytes + at, size_bytes - at, &packet_bytes, &reason), ERR_OK);
        EXPECT_EQUAL(mqtt_decode(bytes + at, packet_bytes, &packet, &reason), ERR_OK);
        bool lost = false;
        if (packet.type == MQTT_PUBLISH &&
            cose_parse(packet.payload.bytes, packet.payload.size_bytes, &parsed) == ERR_OK) {
            const uint32_t type = parsed.content_type;
            EXPECT(type < 16);
            (up ? world->counts_up : world->counts_down)[type]++;
            lost = mine && ((up ? world->lost_up : world->lost_down) >> type & 1u) != 0;
            lost = lost || (type == MESSAGE_CHUNK && world->chunks_max != 0 &&
                            world->counts_down[type] > world->chunks_max);
            if (up && type == MESSAGE_STATUS && world->status_count < WIRE_STATUSES_MAX) {
                struct envelope *status = &world->statuses[world->status_count++];
                status->size_bytes = packet.payload.size_bytes;
                memcpy(status->bytes, packet.payload.bytes, packet.payload.size_bytes);
            }
            if (!up) {
                struct wire_caught *caught =
                    &world->caught[world->caught_count++ % WIRE_CAUGHT_MAX];
                caught->type = type;
                caught->packet_bytes = packet_bytes;
                memcpy(caught->packet, bytes + at, packet_bytes);
            }
            if (!up && (world->spoiled_down >> type & 1u) != 0) {
                bytes[at + packet_bytes - SIGNATURE_BYTES - 9] ^= 1u; /* inside the payload */
            }
        }
        if (!lost) {
            memmove(bytes + kept, bytes + at, packet_bytes);
            kept += packet_bytes;
        }
    }
    return kept;
}

/* What waits in a wire, in one direction. */
static bool deliver(struct wire_world *world, struct wire *wire, uint32_t from)
{
    static uint8_t bytes[FAKE_PIPE_BYTES];
    struct fake_link *link = fake_port_link(&wire->ends[from]->fake, wire->links[from]);
    uint32_t size_bytes = link->size_bytes;
    if (size_bytes == 0) {
        return false;
    }
    memcpy(bytes, link->bytes, size_bytes);
    link->size_bytes = 0;
    if (wire->ends[0]->number == WIRE_DEVICE) {
        size_bytes = meddle(world, wire, from == 0, bytes, size_bytes);
    }
    if (size_bytes > 0 &&
        fake_port_link(&wire->ends[1 - from]->fake, wire->links[1 - from])->open) {
        give(world, wire->ends[1 - from],
             &(struct event){.kind = EVENT_LINK_DATA,
                             .link = wire->links[1 - from],
                             .bytes = bytes,
                             .size_bytes = size_bytes});
    }
    return true;
}

static bool move(struct wire_world *world)
{
    bool moved = connect(world);
    for (uint32_t i = 0; i < world->wire_count; i++) {
        struct wire *wire = &world->wires[i];
        if (!wire->up) {
            continue;
        }
        moved = deliver(world, wire, 0) || moved;
        moved = deliver(world, wire, 1) || moved;
        for (uint32_t end = 0; end < 2; end++) {
            struct fake_link *mine = fake_port_link(&wire->ends[end]->fake, wire->links[end]);
            struct fake_link *other =
                fake_port_link(&wire->ends[1 - end]->fake, wire->links[1 - end]);
            if (wire->up && !mine->open && mine->size_bytes == 0) {
                const bool tell = other->open;
                wire->up = false;
                other->open = false;
                if (tell) {
                    give(world, wire->ends[1 - end],
                         &(struct event){.kind = EVENT_LINK_DOWN, .link = wire->links[1 - end]});
                }
                moved = true;
            }
        }
    }
    return moved;
}

void wire_run(struct wire_world *world, uint64_t until_us)
{
    uint32_t idle = 0;
    for (;;) {
        while (move(world)) {
        }
        if (!world->awake) {
            boot_device(world);
            continue;
        }
        uint64_t next_us = UINT64_MAX;
        struct wire_node *node = NULL;
        for (uint32_t at = 0; at < NODES; at++) {
            const uint64_t at_us = world->nodes[at].deadline_us(world->nodes[at].role);
            if (at_us < next_us) {
                next_us = at_us;
                node = &world->nodes[at];
            }
        }
        if (node == NULL || next_us > until_us) {
            world->now_us = world->now_us > until_us ? world->now_us : until_us;
            return;
        }
        idle = next_us > world->now_us ? 0 : idle + 1;
        EXPECT(idle < 30);
        world->now_us = next_us > world->now_us ? next_us : world->now_us;
        give(world, node, &(struct event){.kind = EVENT_TIMEOUT});
    }
}

void wire_run_to(struct wire_world *world, uint64_t sequence, uint64_t until_us)
{
    for (;;) {
        const struct device_view view = wire_device(world);
        if (view.firmware.sequence.number == sequence && wire_is_true(world) &&
            view.firmware.outcome == BOOT_CONFIRMED) {
            return;
        }
        EXPECT(world->now_us < until_us);
        wire_run(world, world->now_us + SECOND);
    }
}

int64_t wire_stored(struct wire_world *world, const char *sql)
{
    struct wire_node *node = &world->nodes[AT_CLOUD];
    cloud_drop(node->role);
    free(node->role);
    hang_up(world, node);
    sqlite3 *sqlite = NULL;
    sqlite3_stmt *statement = NULL;
    EXPECT_EQUAL(sqlite3_open(world->paths[0], &sqlite), SQLITE_OK);
    EXPECT_EQUAL(sqlite3_prepare_v2(sqlite, sql, -1, &statement, NULL), SQLITE_OK);
    EXPECT_EQUAL(sqlite3_step(statement), SQLITE_ROW);
    const int64_t value = sqlite3_column_int64(statement, 0);
    (void)sqlite3_finalize(statement);
    EXPECT_EQUAL(sqlite3_close(sqlite), SQLITE_OK);
    boot_cloud(world);
    return value;
}

void wire_restart_cloud(struct wire_world *world)
{
    (void)wire_stored(world, "SELECT 1");
}

void wire_repeat(struct wire_world *world, const struct wire_caught *caught)
{
    for (uint32_t i = 0; i < world->wire_count; i++) {
        struct wire *wire = &world->wires[i];
        if (wire->up && wire->ends[0]->number == WIRE_DEVICE) {
            struct fake_link *link = fake_port_link(&wire->ends[1]->fake, wire->links[1]);
            EXPECT(link->size_bytes + caught->packet_bytes <= FAKE_PIPE_BYTES);
            memcpy(link->bytes + link->size_bytes, caught->packet, caught->packet_bytes);
            link->size_bytes += caught->packet_bytes;
            wire_run(world, world->now_us);
            return;
        }
    }
    EXPECT(false); /* it is not connected */
}

void wire_forward(struct wire_world *world, const struct envelope *envelope)
{
    const struct forward forward = {.gateway = WIRE_GATEWAY,
                                    .envelope = envelope->bytes,
                                    .envelope_bytes = envelope->size_bytes};
    uint8_t bytes[FORWARD_BYTES_MAX];
    uint32_t size_bytes = sizeof bytes;
    EXPECT_EQUAL(message_forward(&world->rig.port, &world->gateway_configs[0].keys, &forward, bytes,
                                 &size_bytes),
                 ERR_OK);
    struct mqtt_packet packet;
    mqtt_packet_init(&packet, MQTT_PUBLISH);
    packet.topic = mqtt_text("g/2");
    packet.payload = (struct mqtt_slice){bytes, size_bytes};
    for (uint32_t i = 0; i < world->wire_count; i++) {
        struct wire *wire = &world->wires[i];
        if (wire->up && wire->ends[0]->number == WIRE_GATEWAY) {
            struct fake_link *link = fake_port_link(&wire->ends[0]->fake, wire->links[0]);
            uint32_t room = FAKE_PIPE_BYTES - link->size_bytes;
            EXPECT_EQUAL(mqtt_encode(&packet, link->bytes + link->size_bytes, &room), ERR_OK);
            link->size_bytes += room;
            wire_run(world, world->now_us);
            return;
        }
    }
    EXPECT(false); /* it is not connected */
}

struct wire_caught *wire_last(struct wire_world *world, enum message_type type, uint32_t nth)
{
    for (uint32_t i = 1; i <= world->caught_count && i <= WIRE_CAUGHT_MAX; i++) {
        struct wire_caught *caught = &world->caught[(world->caught_count - i) % WIRE_CAUGHT_MAX];
        if (caught->type == (uint32_t)type && nth-- == 0) {
            return caught;
        }
    }
    return NULL;
}

struct device_view wire_device(const struct wire_world *world)
{
    struct device_view view;
    device_view(&world->device, &view);
    return view;
}

struct cloud_firmware wire_known(const struct wire_world *world)
{
    struct cloud_firmware known;
    cloud_firmware(world->nodes[AT_CLOUD].role, WIRE_DEVICE, &known);
    return known;
}

const struct fake_port *wire_cloud_said(const struct wire_world *world)
{
    return &world->nodes[AT_CLOUD].fake;
}

const struct fake_port *wire_device_said(const struct wire_world *world)
{
    return &world->nodes[AT_DEVICE].fake;
}

struct cloud_view wire_cloud(const struct wire_world *world)
{
    struct cloud_view view;
    cloud_view(world->nodes[AT_CLOUD].role, &view);
    return view;
}

bool wire_is_true(const struct wire_world *world)
{
    const struct cloud_firmware known = wire_known(world);
    const struct device_firmware_view is = wire_device(world).firmware;
    return known.known && is.running && known.sequence.number == is.sequence.number &&
           known.outcome == (uint32_t)is.outcome && known.floor.level == is.floor.level &&
           known.revert_sequence.number == is.revert.sequence.number &&
           known.revert_reason == is.revert.reason && known.revert_count == is.revert.count;
}
