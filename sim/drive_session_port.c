/* The ports of the three cores: media, time, power, and what the cores say. */
#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>

#include "core/big_endian.h"
#include "core/check.h"
#include "sim/drive_session_inside.h"
#include "sim/image.h"

enum {
    SECTOR_BYTES = 2048,
    SECTORS = 4,
    FIRST_SLOT = 4000, /* of disks: away from those of a world */
    POWER_KEYS = 64,
};

/* A device's node is its first member, in a copy of it as well. */
static struct session_device *device_of(struct session_node *node)
{
    CHECK(node->number > SESSION_DEVICE);
    return (struct session_device *)(void *)node;
}

void session_fault(struct session_rig *rig, const char *what)
{
    if (rig->fault[0] == '\0') {
        snprintf(rig->fault, sizeof rig->fault, "%s", what);
    }
}

/* ---- time, links ------------------------------------------------------------------------------
 */

static enum err port_clock_read(void *ctx, struct clock_reading *now)
{
    const struct session_node *node = ctx;
    *now = (struct clock_reading){node->now_us, node->now_us};
    return node->dead ? ERR_IO : ERR_OK;
}

static enum err port_link_open(void *ctx, uint32_t peer, uint32_t *link)
{
    struct session_node *node = ctx;
    if (node->dead) {
        return ERR_IO;
    }
    *link = ++node->rig->link_count;
    if (node->mute) {
        return ERR_OK;
    }
    if (peer == SESSION_GATEWAY) {
        device_of(node)->wire.opening = *link;
    } else if (node->number == SESSION_GATEWAY) {
        node->rig->uplink.opening = *link;
    } else {
        node->rig->other_link.opening = *link;
    }
    return ERR_OK;
}

static int32_t port_link_send(void *ctx, uint32_t link, const uint8_t *bytes, uint32_t size_bytes)
{
    struct session_node *node = ctx;
    if (node->dead) {
        return ERR_IO;
    }
    if (node->mute) {
        return (int32_t)size_bytes;
    }
    if (node->number > SESSION_DEVICE && !device_of(node)->writable) {
        return 0;
    }
    session_sent(node, link, bytes, size_bytes);
    return (int32_t)size_bytes;
}

static void forget_link(struct session_link *link, uint32_t closed)
{
    link->opening = link->opening == closed ? 0 : link->opening;
}

/* A link that is up stays until an action says what becomes of it at the other end. */
static void port_link_close(void *ctx, uint32_t link)
{
    struct session_node *node = ctx;
    if (node->dead || node->mute) {
        return;
    }
    if (node->number > SESSION_DEVICE) {
        forget_link(&device_of(node)->wire, link);
    } else if (node->number == SESSION_GATEWAY) {
        forget_link(&node->rig->uplink, link);
    } else {
        forget_link(&node->rig->other_link, link);
    }
}

/* ---- flash, counters: devices have them --------------------------------------------------------
 */

static enum err port_flash_read(void *ctx, uint32_t offset, uint8_t *bytes, uint32_t size_bytes)
{
    struct session_node *node = ctx;
    return node->dead ? ERR_IO
                      : flash_read(device_of(node)->flash, offset, bytes, size_bytes, offset);
}

static enum err port_flash_program(void *ctx, uint32_t offset, const uint8_t *bytes,
                                   uint32_t size_bytes)
{
    struct session_node *node = ctx;
    if (node->dead) {
        return ERR_IO;
    }
    device_of(node)->writes++;
    return flash_program(device_of(node)->flash, offset, bytes, size_bytes);
}

static enum err port_flash_erase(void *ctx, uint32_t offset)
{
    struct session_node *node = ctx;
    if (node->dead) {
        return ERR_IO;
    }
    device_of(node)->writes++;
    return flash_erase(device_of(node)->flash, offset);
}

static enum err port_flash_sync(void *ctx)
{
    struct session_node *node = ctx;
    flash_sync(device_of(node)->flash);
    return node->dead ? ERR_IO : ERR_OK;
}

static enum err port_counter_read(void *ctx, enum port_counter counter, uint64_t *value)
{
    struct session_node *node = ctx;
    *value = flash_counter(device_of(node)->flash, counter);
    return node->dead ? ERR_IO : ERR_OK;
}

static enum err port_counter_increment(void *ctx, enum port_counter counter)
{
    struct session_node *node = ctx;
    return node->dead ? ERR_IO : flash_counter_increment(device_of(node)->flash, counter);
}

/* ---- entropy, the plant, evidence --------------------------------------------------------------
 */

/* What is drawn with 8 bytes is a delay: of a connection, none (an even number, below a bound of
 * two); of the first sample, as long as there can be. What has more bytes is a nonce. */
static enum err port_entropy(void *ctx, uint8_t *bytes, uint32_t size_bytes)
{
    struct session_node *node = ctx;
    if (node->dead) {
        return ERR_IO;
    }
    if (size_bytes == 8) {
        big_endian_put(bytes, 8, SESSION_SAMPLE_US - 1);
    } else {
        random_bytes(&node->entropy, bytes, size_bytes);
    }
    return ERR_OK;
}

static enum err port_retained_read(void *ctx, uint8_t bytes[RETAINED_BYTES])
{
    (void)ctx;
    memset(bytes, 0, RETAINED_BYTES);
    return ERR_OK;
}

static enum err port_retained_write(void *ctx, const uint8_t bytes[RETAINED_BYTES])
{
    (void)ctx, (void)bytes;
    return ERR_OK;
}

static void port_watchdog_arm(void *ctx, uint64_t timeout_us)
{
    (void)ctx, (void)timeout_us;
}

static enum reset_reason port_reset_reason(void *ctx)
{
    (void)ctx;
    return RESET_POWER_ON;
}

static void port_reset(void *ctx)
{
    struct session_node *node = ctx;
    if (!node->dead) {
        session_fault(node->rig, "a core asks for a reset, and nothing has failed");
    }
}

/* A sensor that does not answer costs a number and nothing else: how time goes by without a
 * reading. */
static enum err port_sensor_read(void *ctx, uint32_t sensor, int32_t *value)
{
    struct session_node *node = ctx;
    *value = (int32_t)sensor + 20;
    return !node->dead && device_of(node)->sensing ? ERR_OK : ERR_IO;
}

static enum err port_actuator_set(void *ctx, uint32_t actuator, int32_t value)
{
    (void)ctx, (void)actuator, (void)value;
    return ERR_OK;
}

static void hear_reading(struct session_rig *rig, const struct evidence *evidence, int32_t m)
{
    switch ((uint32_t)evidence->kind) {
    case EVIDENCE_CUSTODY:
        rig->custodies[m]++;
        rig->owed[m]++;
        break;
    case EVIDENCE_DISCHARGE:
        rig->discharges[m]++;
        rig->owed[m] -= rig->owed[m] > 0;
        break;
    case EVIDENCE_ACCEPT:
        rig->accepted |= set_of(m);
        rig->seen |= set_of(m);
        break;
    default:
        break;
    }
}

static void hear(struct session_rig *rig, uint32_t node, const struct evidence *evidence)
{
    const int32_t d = (int32_t)evidence->device - SESSION_DEVICE;
    const int32_t m = session_reading(rig, evidence->device, evidence->counter);
    if (m != 0) {
        hear_reading(rig, evidence, m);
    }
    switch ((uint32_t)evidence->kind) {
    case EVIDENCE_STORE:
        CHECK(rig->signing != 0 && node > SESSION_DEVICE);
        rig->counter_of[rig->signing] = evidence->counter;
        rig->made |= set_of(rig->signing);
        break;
    case EVIDENCE_WINDOW:
        rig->windows |= set_of(d);
        rig->asked = set_without(rig->asked, set_of(d));
        break;
    case EVIDENCE_CHALLENGE:
        rig->asked |= set_of(d);
        break;
    case EVIDENCE_COMMIT:
        for (int32_t taken = 1; taken <= rig->readings; taken++) {
            rig->accepts[taken] += set_has(rig->accepted, taken);
        }
        rig->accepted = 0;
        break;
    default:
        break;
    }
}

static void port_evidence(void *ctx, const struct evidence *evidence)
{
    struct session_node *node = ctx;
    if (node->dead || node->mute) {
        return;
    }
    struct session_rig *rig = node->rig;
    if (rig->said_count < SESSION_SAID_MAX) {
        rig->said[rig->said_count++] = (struct session_said){
            .node = node->number,
            .device = evidence->device,
            .kind = evidence->kind,
            .counter = evidence->counter,
            .value = evidence->value,
        };
    }
    hear(rig, node->number, evidence);
}

/* ---- media -------------------------------------------------------------------------------------
 */

static enum disk_verdict on_disk(void *ctx, enum disk_operation operation, uint32_t file,
                                 uint64_t offset, const uint8_t *bytes, uint32_t size_bytes)
{
    struct session_node *node = ctx;
    (void)file, (void)offset, (void)bytes, (void)size_bytes;
    if (!node->cut_armed || operation != node->cut_at) {
        return DISK_PROCEED;
    }
    node->cut_armed = false;
    node->dead = true;
    return DISK_DIE_BEFORE;
}

static void on_disk_randomness(void *ctx, uint8_t *bytes, uint32_t size_bytes)
{
    struct session_node *node = ctx;
    random_bytes(&node->entropy, bytes, size_bytes);
}

static void make_port(struct session_rig *rig, struct session_node *node, uint32_t number)
{
    *node = (struct session_node){
        .rig = rig, .number = number, .entropy = {.key = random_key(number, "drive/entropy")}};
    node->port = (struct port){
        .ctx = node,
        .clock_read = port_clock_read,
        .link_open = port_link_open,
        .link_send = port_link_send,
        .link_close = port_link_close,
        .flash_read = port_flash_read,
        .flash_program = port_flash_program,
        .flash_erase = port_flash_erase,
        .flash_sync = port_flash_sync,
        .disk_vfs = DISK_VFS_NAME,
        .disk_path = node->disk_path,
        .entropy = port_entropy,
        .crypto = rig->crypto,
        .counter_read = port_counter_read,
        .counter_increment = port_counter_increment,
        .retained_read = port_retained_read,
        .retained_write = port_retained_write,
        .watchdog_arm = port_watchdog_arm,
        .reset_reason = port_reset_reason,
        .reset = port_reset,
        .sensor_read = port_sensor_read,
        .actuator_set = port_actuator_set,
        .evidence = port_evidence,
    };
}

static void make_server(struct session_rig *rig, struct session_node *node, uint32_t number,
                        const char *file, uint32_t memory_bytes)
{
    make_port(rig, node, number);
    node->memory_bytes = memory_bytes;
    node->memory = malloc(memory_bytes);
    CHECK(node->memory != NULL);
    const struct disk_hooks hooks = {
        .ctx = node, .operation = on_disk, .randomness = on_disk_randomness};
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
    make_port(rig, &device->node, number);
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
        .outbox_max = (uint32_t)rig->readings + 1,
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
        .queue_share_max = (uint32_t)rig->queue_max,
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

bool session_make(struct session_rig *rig, char *error, size_t error_bytes)
{
    disk_vfs_register(true);
    if (crypto_openssl_init(&rig->openssl, &rig->crypto) != ERR_OK) {
        snprintf(error, error_bytes, "OpenSSL lacks memory or an algorithm");
        return false;
    }
    const struct port_crypto real = rig->crypto;
    ideal_init(&rig->ideal, (const uint64_t[2]){1, 2}, &real, &rig->crypto);
    for (int32_t d = 1; d <= rig->devices; d++) {
        make_device(rig, d);
    }
    make_configs(rig);
    make_server(rig, &rig->gateway, SESSION_GATEWAY, "gateway.db",
                gateway_size_bytes(&rig->gateway_config));
    make_server(rig, &rig->cloud, SESSION_CLOUD, "cloud.db",
                cloud_size_bytes(&rig->cloud_config));
    make_port(rig, &rig->other, SESSION_OTHER);
    mqtt_client_init(&rig->other_client, SESSION_OTHER, 0);
    disk_init(&rig->scratch, (struct disk_profile){0}, NULL);
    return true;
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
    crypto_openssl_free(&rig->openssl);
}

/* ---- steps, power ------------------------------------------------------------------------------
 */

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

void session_step(struct session_node *node, const struct event *event)
{
    static const struct event timeout = {.kind = EVENT_TIMEOUT};
    event = event == NULL ? &timeout : event;
    enter(node);
    if (node->number == SESSION_CLOUD) {
        cloud_step(node->memory, &node->port, event);
    } else if (node->number == SESSION_GATEWAY) {
        gateway_step(node->memory, &node->port, event);
    } else {
        device_step(device_of(node)->device, &node->port, event);
    }
    disk_set_current(NULL);
}

void session_event(struct session_node *node, enum event_kind kind, uint32_t link, bool inbound)
{
    session_step(node, &(struct event){.kind = kind, .link = link, .inbound = inbound});
}

void session_data(struct session_node *node, uint32_t link, const uint8_t *bytes,
                  uint32_t size_bytes)
{
    session_step(node, &(struct event){.kind = EVENT_LINK_DATA,
                                       .link = link,
                                       .bytes = bytes,
                                       .size_bytes = size_bytes});
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
    if (rig->gateway_read_at != rig->gateway.disk.counters.operations) {
        rig->gateway_read_at = rig->gateway.disk.counters.operations;
        read_disk(rig, &rig->gateway, 0);
    }
    if (rig->cloud_read_at != rig->cloud.disk.counters.operations) {
        rig->cloud_read_at = rig->cloud.disk.counters.operations;
        read_disk(rig, &rig->cloud, 0);
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
        if (memcmp(rows, rig->rows, sizeof rows) == 0 && known == rig->known &&
            kept == rig->kept) {
            break;
        }
    }
    disk_power_loss(&node->disk, key);
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

int32_t session_held(const struct session_rig *rig, const struct session_device *device)
{
    const struct outbox *outbox = &device->device->outbox;
    int32_t held = 0;
    for (uint32_t i = 0; i < outbox->count; i++) {
        held |= set_of(session_reading(rig, device->config.id, outbox->entries[i].counter));
    }
    return held;
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
