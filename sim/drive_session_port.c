/* The ports of the three cores: media, time, power, and what the cores say. */
#include <string.h>

#include "core/big_endian.h"
#include "core/check.h"
#include "sim/drive_session_inside.h"

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
        session_device_of(node)->wire.opening = *link;
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
    if (node->number > SESSION_DEVICE && !session_device_of(node)->writable) {
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
        forget_link(&session_device_of(node)->wire, link);
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
    return node->dead
               ? ERR_IO
               : flash_read(session_device_of(node)->flash, offset, bytes, size_bytes, offset);
}

static enum err port_flash_program(void *ctx, uint32_t offset, const uint8_t *bytes,
                                   uint32_t size_bytes)
{
    struct session_node *node = ctx;
    if (node->dead) {
        return ERR_IO;
    }
    session_device_of(node)->writes++;
    return flash_program(session_device_of(node)->flash, offset, bytes, size_bytes);
}

static enum err port_flash_erase(void *ctx, uint32_t offset)
{
    struct session_node *node = ctx;
    if (node->dead) {
        return ERR_IO;
    }
    session_device_of(node)->writes++;
    return flash_erase(session_device_of(node)->flash, offset);
}

static enum err port_flash_sync(void *ctx)
{
    struct session_node *node = ctx;
    flash_sync(session_device_of(node)->flash);
    return node->dead ? ERR_IO : ERR_OK;
}

static enum err port_counter_read(void *ctx, enum port_counter counter, uint64_t *value)
{
    struct session_node *node = ctx;
    *value = flash_counter(session_device_of(node)->flash, counter);
    return node->dead ? ERR_IO : ERR_OK;
}

static enum err port_counter_increment(void *ctx, enum port_counter counter)
{
    struct session_node *node = ctx;
    return node->dead ? ERR_IO : flash_counter_increment(session_device_of(node)->flash, counter);
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
    return !node->dead && session_device_of(node)->sensing ? ERR_OK : ERR_IO;
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
        if (rig->signing != 0) {
            rig->counter_of[rig->signing] = evidence->counter;
            rig->made |= set_of(rig->signing);
        }
        break;
    case EVIDENCE_WINDOW:
        rig->windows |= set_of(d);
        rig->asked = set_without(rig->asked, set_of(d));
        break;
    case EVIDENCE_CHALLENGE:
        rig->asked |= set_of(d);
        break;
    case EVIDENCE_COMMIT:
        for (int32_t taken = 1; taken <= rig->readings && node == SESSION_CLOUD; taken++) {
            rig->accepts[taken] += set_has(rig->accepted, taken);
        }
        rig->accepted = node == SESSION_CLOUD ? 0 : rig->accepted;
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
    node->disk_writes += operation != DISK_READ && operation != DISK_OPEN;
    if (!node->cut_armed || operation != node->cut_at) {
        return DISK_PROCEED;
    }
    node->cut_armed = false;
    node->dead = true;
    node->disk.torn_fraction = UINT16_MAX / 2;
    return node->cut_inside ? DISK_DIE_TORN : DISK_DIE_BEFORE;
}

static void on_disk_randomness(void *ctx, uint8_t *bytes, uint32_t size_bytes)
{
    struct session_node *node = ctx;
    random_bytes(&node->entropy, bytes, size_bytes);
}

struct disk_hooks session_disk_hooks(struct session_node *node)
{
    return (struct disk_hooks){.ctx = node, .operation = on_disk, .randomness = on_disk_randomness};
}

void session_port(struct session_rig *rig, struct session_node *node, uint32_t number)
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
