/* The three cores as machines: how they are made, booted, stepped and cut off, and what a boot of
 * each would find.
 */
#include <stdlib.h>
#include <string.h>

#include "core/check.h"
#include "sim/drive_session_inside.h"
#include "sim/image.h"

enum {
    SECTOR_BYTES = 2048,
    SECTORS = 4,
    FIRST_SLOT = 4000, /* of disks: away from those of a world */
    POWER_KEYS = 64,
};

static void make_server(struct session_rig *rig, struct session_node *node, uint32_t number,
                        const char *file, uint32_t memory_bytes)
{
    session_port(rig, node, number);
    node->memory_bytes = memory_bytes;
    node->memory = malloc(memory_bytes);
    CHECK(node->memory != NULL);
    const struct disk_hooks hooks = session_disk_hooks(node);
    disk_init(&node->disk, (struct disk_profile){0}, &hooks);
    disk_attach(&node->disk, FIRST_SLOT + number);
    snprintf(node->disk_path, sizeof node->disk_path, "disk%u/%s", FIRST_SLOT + number, file);
}

static void make_keys(struct session_rig *rig, uint32_t number, struct key_pair *pair)
{
    memset(pair, 0, sizeof *pair);
    pair->seed[0] = (uint8_t)number;
    CHECK(rig->crypto.public_key(rig->crypto.ctx, pair) == ERR_OK);
}

static void make_device(struct session_rig *rig, int32_t d)
{
    struct session_device *device = &rig->all[d];
    const uint32_t number = SESSION_DEVICE + (uint32_t)d;
    session_port(rig, &device->node, number);
    const struct flash_profile profile = {
        .geometry = {.sector_bytes = SECTOR_BYTES,
                     .sector_count = SECTORS,
                     .program_bytes = 8,
                     .erased_value = 0xFF},
    };
    device->flash = flash_create(&profile);
    CHECK(device->flash != NULL);
    device->node.port.flash = profile.geometry;
    device->writable = true;
    device->config = (struct device_config){
        .id = number,
        .secret = {(uint8_t)d},
        .cloud = SESSION_CLOUD,
        .gateways = {SESSION_GATEWAY},
        .gateway_count = 1,
        .sample_every_us = SESSION_SAMPLE_US,
        .reserve = SESSION_RESERVE,
        .outbox_max = (uint32_t)rig->readings + SESSION_OTHERS,
        .window = SESSION_WINDOW,
        .backoff_base_us = 1,
        .backoff_cap_us = 1,
        .ack_timeout_us = SESSION_ACK_TIMEOUT_US,
    };
    make_keys(rig, number, &device->config.keys);
    struct registry_entry *entry = &rig->device_entries[d - 1];
    *entry = (struct registry_entry){.id = number, .secret = {(uint8_t)d}};
    memcpy(entry->public_key, device->config.keys.public_key, KEY_BYTES);
}

static void make_configs(struct session_rig *rig)
{
    struct key_pair keys;
    rig->gateway_config = (struct gateway_config){
        .id = SESSION_GATEWAY,
        .cloud = SESSION_CLOUD,
        .devices = {rig->device_entries, (uint32_t)rig->devices},
        .queue_max = (uint32_t)rig->queue_max,
        .queue_share_max = GATEWAY_QUEUE_MAX, /* shares are none of the spec's */
        .sessions_max = 2 * SESSION_DEVICES,
        .backoff_base_us = 1,
        .backoff_cap_us = 1,
    };
    make_keys(rig, SESSION_GATEWAY, &rig->gateway_config.keys);
    make_keys(rig, SESSION_OTHER, &rig->other_keys);
    const struct key_pair *of[] = {&rig->gateway_config.keys, &rig->other_keys};
    for (uint32_t i = 0; i < 2; i++) {
        rig->gateway_entries[i].id = SESSION_GATEWAY + i;
        memcpy(rig->gateway_entries[i].public_key, of[i]->public_key, KEY_BYTES);
    }
    rig->cloud_config = (struct cloud_config){
        .id = SESSION_CLOUD,
        .devices = {rig->device_entries, (uint32_t)rig->devices},
        .gateways = {rig->gateway_entries, 2},
        .window = SESSION_WINDOW,
        .sessions_max = 4,
    };
    make_keys(rig, SESSION_CLOUD, &keys);
    rig->cloud_config.keys = keys;
    for (int32_t d = 1; d <= rig->devices; d++) {
        memcpy(rig->all[d].config.cloud_key, keys.public_key, KEY_BYTES);
    }
}

/* Behind the ideal provider keys need be no more than different ones; to derive real ones would
 * take as long as the walk. */
static enum err name_key(void *ctx, struct key_pair *pair)
{
    (void)ctx;
    for (uint32_t i = 0; i < KEY_BYTES; i++) {
        pair->public_key[i] = (uint8_t)(pair->seed[i] ^ (0x40 + i));
    }
    return ERR_OK;
}

void session_make(struct session_rig *rig)
{
    disk_vfs_register(true);
    const struct port_crypto real = {.public_key = name_key};
    ideal_init(&rig->ideal, (const uint64_t[2]){1, 2}, &real, &rig->crypto);
    for (int32_t d = 1; d <= rig->devices; d++) {
        make_device(rig, d);
    }
    make_configs(rig);
    make_server(rig, &rig->gateway, SESSION_GATEWAY, "gateway.db",
                gateway_size_bytes(&rig->gateway_config));
    make_server(rig, &rig->cloud, SESSION_CLOUD, "cloud.db", cloud_size_bytes(&rig->cloud_config));
    session_port(rig, &rig->other, SESSION_OTHER);
    mqtt_client_init(&rig->other_client, SESSION_OTHER, 0);
    disk_init(&rig->scratch, (struct disk_profile){0}, NULL);
}

void session_free(struct session_rig *rig)
{
    gateway_drop(rig->gateway.memory);
    cloud_drop(rig->cloud.memory);
    struct session_node *const servers[] = {&rig->gateway, &rig->cloud};
    for (uint32_t i = 0; i < 2; i++) {
        free(servers[i]->memory);
        disk_detach(FIRST_SLOT + servers[i]->number);
        disk_drop(&servers[i]->disk);
    }
    disk_drop(&rig->scratch);
    for (int32_t d = 1; d <= rig->devices; d++) {
        free(rig->all[d].device);
        flash_free(rig->all[d].flash);
    }
}

/* ---- steps, power ------------------------------------------------------------------------------
 */

/* Whose core is in a step: check_failed() has no other way to know. One thread. */
static struct session_rig *stepping_rig;

static void enter(struct session_node *node)
{
    if (node->memory != NULL) {
        disk_set_current(&node->disk);
        disk_reset_randomness();
    }
}

void session_boot_device(struct session_rig *rig, int32_t d)
{
    struct session_device *device = &rig->all[d];
    free(device->device);
    device->device = malloc(sizeof *device->device);
    CHECK(device->device != NULL);
    memset(device->device, 0xA5, sizeof *device->device);
    device_init(device->device, &device->config, &device->node.port);
}

void session_boot_gateway(struct session_rig *rig)
{
    struct session_node *node = &rig->gateway;
    node->dead = false;
    enter(node);
    memset(node->memory, 0xA5, node->memory_bytes);
    gateway_init(node->memory, &rig->gateway_config, &node->port);
    disk_set_current(NULL);
    session_read_disks(rig);
    memcpy(rig->rows_at_boot, rig->rows, sizeof rig->rows);
    memset(rig->custodies, 0, sizeof rig->custodies);
    memset(rig->discharges, 0, sizeof rig->discharges);
}

void session_boot_cloud(struct session_rig *rig)
{
    struct session_node *node = &rig->cloud;
    node->dead = false;
    enter(node);
    memset(node->memory, 0xA5, node->memory_bytes);
    cloud_init(node->memory, &rig->cloud_config, &node->port);
    disk_set_current(NULL);
    session_read_disks(rig);
    rig->windows = rig->known;
    rig->seen = rig->kept;
    rig->asked = 0;
    rig->accepted = 0;
}

static void step(struct session_node *node, const struct event *event)
{
    if (node->number == SESSION_CLOUD) {
        cloud_step(node->memory, &node->port, event);
    } else if (node->number == SESSION_GATEWAY) {
        gateway_step(node->memory, &node->port, event);
    } else {
        device_step(session_device_of(node)->device, &node->port, event);
    }
}

void session_step(struct session_node *node, const struct event *event)
{
    static const struct event timeout = {.kind = EVENT_TIMEOUT};
    enter(node);
    stepping_rig = node->rig;
    if (setjmp(node->rig->escape) == 0) {
        step(node, event == NULL ? &timeout : event);
    }
    stepping_rig = NULL;
    disk_set_current(NULL);
}

void session_check_failed(const char *file, int line, const char *what)
{
    struct session_rig *rig = stepping_rig;
    if (rig == NULL || strncmp(file, "sim/", 4) == 0) {
        return;
    }
    char text[sizeof rig->fault];
    snprintf(text, sizeof text, "%s:%d: %s", file, line, what);
    session_fault(rig, text);
    longjmp(rig->escape, 1);
}

void session_event(struct session_node *node, enum event_kind kind, uint32_t link, bool inbound)
{
    session_step(node, &(struct event){.kind = kind, .link = link, .inbound = inbound});
}

void session_data(struct session_node *node, uint32_t link, const uint8_t *bytes,
                  uint32_t size_bytes)
{
    session_step(
        node, &(struct event){
                  .kind = EVENT_LINK_DATA, .link = link, .bytes = bytes, .size_bytes = size_bytes});
}

/* ---- what a boot would find --------------------------------------------------------------------
 */

static void read_row(void *ctx, const struct observation *row)
{
    struct session_rig *rig = ctx;
    const int32_t m = session_reading(rig, row->device, row->counter);
    if (row->kind == (uint32_t)TRUTH_QUEUED && m != 0) {
        rig->rows[m]++;
    } else if (row->kind == (uint32_t)TRUTH_READING && m != 0) {
        rig->kept |= set_of(m);
    } else if (row->kind == (uint32_t)TRUTH_WINDOW) {
        rig->known |= set_of((int32_t)row->device - SESSION_DEVICE);
    }
}

static void read_disk(struct session_rig *rig, struct session_node *node, uint64_t key)
{
    const struct image_cut cut = {.key = key};
    if (node->number == SESSION_GATEWAY) {
        memset(rig->rows, 0, sizeof rig->rows);
    } else {
        rig->known = rig->kept = 0;
    }
    if (!image_read(&node->disk, &rig->scratch, node->number == SESSION_CLOUD, &cut, rig,
                    read_row)) {
        session_fault(rig, "a database that cannot be read");
    }
}

void session_read_disks(struct session_rig *rig)
{
    struct session_node *const servers[] = {&rig->gateway, &rig->cloud};
    for (uint32_t i = 0; i < 2; i++) {
        if (servers[i]->read_at != servers[i]->disk_writes) {
            servers[i]->read_at = servers[i]->disk_writes;
            read_disk(rig, servers[i], 0);
        }
    }
}

void session_power_loss(struct session_node *node)
{
    struct session_rig *rig = node->rig;
    const bool cloud = node->number == SESSION_CLOUD;
    int32_t rows[SESSION_READINGS + 1];
    memcpy(rows, rig->rows, sizeof rows);
    const int32_t known = rig->known, kept = rig->kept;

    node->disk.faults.dead = true;
    if (cloud) {
        cloud_drop(node->memory);
    } else {
        gateway_drop(node->memory);
    }
    node->disk.faults.dead = false;
    uint64_t key = 0;
    for (; key < POWER_KEYS; key++) {
        read_disk(rig, node, key);
        if (memcmp(rows, rig->rows, sizeof rows) == 0 && known == rig->known && kept == rig->kept) {
            break;
        }
    }
    disk_power_loss(&node->disk, key);
    node->disk_writes++;
    node->cut_armed = false;
}

struct session_device *session_copy(const struct session_device *of)
{
    struct session_device *copy = malloc(sizeof *copy);
    CHECK(copy != NULL);
    *copy = *of;
    copy->device = malloc(sizeof *copy->device);
    CHECK(copy->device != NULL);
    *copy->device = *of->device;
    copy->flash = flash_snapshot(of->flash);
    CHECK(copy->flash != NULL);
    copy->node.port.ctx = &copy->node;
    copy->node.mute = true;
    return copy;
}

void session_copy_free(struct session_device *copy)
{
    free(copy->device);
    flash_drop(copy->flash);
    free(copy);
}

/* The first so many entries of the outbox, but for those that are no readings of the spec. */
static int32_t entries(const struct session_rig *rig, const struct session_device *device,
                       uint32_t count)
{
    int32_t readings = 0;
    for (uint32_t i = 0; i < count; i++) {
        const uint64_t counter = device->device->outbox.entries[i].counter;
        const int32_t m = session_reading(rig, device->config.id, counter);
        readings |= m == 0 ? 0 : set_of(m);
    }
    return readings;
}

int32_t session_held(const struct session_rig *rig, const struct session_device *device)
{
    return entries(rig, device, device->device->outbox.count);
}

int32_t session_sent_set(const struct session_rig *rig, const struct session_device *device)
{
    return set_without(entries(rig, device, device->device->outbox.sent_count),
                       session_set(&rig->staged));
}

/* On a copy of its flash, by the device itself. */
int32_t session_stored(struct session_rig *rig, int32_t d)
{
    struct session_device *device = &rig->all[d];
    if (device->stored_at != device->writes) {
        struct session_device *copy = session_copy(device);
        device_init(copy->device, &copy->config, &copy->node.port);
        device->stored = session_held(rig, copy);
        device->stored_at = device->writes;
        session_copy_free(copy);
    }
    return device->stored;
}
