#include "sim/roles.h"

#include "core/check.h"
#include "core/device.h"
#include "core/server/cloud.h"
#include "core/server/gateway.h"
#include "core/handover.h"
#include "sim/behaviour.h"
#include "sim/rogue.h"

static size_t put(struct world_view *out, size_t capacity, size_t at, const char *name,
                  uint64_t value)
{
    if (at < capacity) {
        out[at] = (struct world_view){name, value};
    }
    return at + 1;
}

/* A device: its boot loader, and the image that this chose, as far as it behaves. */
struct device_memory {
    bool runs; /* else nothing does: no slot boots, or the image hangs */
    enum behaviour_defect defect;
    struct boot boot;
    struct boot_report report;
    struct device device;
};

static enum err no_link(void *ctx, uint32_t peer, uint32_t *link)
{
    (void)ctx;
    (void)peer;
    (void)link;
    return ERR_FULL;
}

/* What the image leaves of the port. */
static struct port port_of(const struct device_memory *memory, const struct port *port)
{
    struct port left = *port;
    if (memory->defect == BEHAVIOUR_MUTE) {
        left.link_open = no_link;
    }
    return left;
}

/* From reset to the image's first instruction: does it run? */
static bool load(struct device_memory *memory, const struct device_config *config,
                 const struct port *port)
{
    const struct boot_config *boot = &config->firmware.update.boot;
    uint8_t record[BEHAVIOUR_BYTES];
    struct behaviour behaviour;
    if (boot_run(&memory->boot, boot, port, &memory->report) != ERR_OK ||
        handover_write(port, &memory->report) != ERR_OK) {
        return false;
    }
    const uint32_t area = slot_area_offset(&boot->layout, &port->flash, memory->report.slot);
    if (port->flash_read(port->ctx, area, record, sizeof record) != ERR_OK ||
        !behaviour_read(record, &behaviour)) {
        return false; /* code that makes no sense does nothing */
    }
    memory->defect = behaviour.defect;
    return behaviour.defect != BEHAVIOUR_HANG;
}

static void role_device_init(void *memory, const void *config, const struct port *port)
{
    const struct device_config *of = config;
    struct device_memory *device = memory;
    device->defect = BEHAVIOUR_NONE;
    device->runs = !of->firmware.managed || load(device, of, port);
    if (device->runs && device->defect == BEHAVIOUR_RESET) {
        device->runs = false;
        port->reset(port->ctx);
    }
    if (device->runs) {
        const struct port left = port_of(device, port);
        device_init(&device->device, of, &left);
    }
}

static void role_device_step(void *memory, const struct port *port, const struct event *event)
{
    struct device_memory *device = memory;
    if (device->runs) {
        const struct port left = port_of(device, port);
        device_step(&device->device, &left, event);
    }
}

static uint64_t role_device_deadline(const void *memory)
{
    const struct device_memory *device = memory;
    return device->runs ? device_deadline_us(&device->device) : UINT64_MAX;
}

static size_t role_device_view(const void *memory, struct world_view *out, size_t capacity)
{
    const struct device_memory *device = memory;
    struct device_view view;
    size_t at = 0;
    if (!device->runs) {
        return 0;
    }
    device_view(&device->device, &view);
    at = put(out, capacity, at, "epoch", view.epoch);
    at = put(out, capacity, at, "counter_next", view.counter_next);
    at = put(out, capacity, at, "counter_reserved", view.counter_reserved);
    at = put(out, capacity, at, "oldest", view.oldest);
    at = put(out, capacity, at, "outbox_count", view.outbox_count);
    at = put(out, capacity, at, "connected", view.connected);
    if (view.firmware.running) {
        at = put(out, capacity, at, "sequence", view.firmware.sequence.number);
        at = put(out, capacity, at, "outcome", (uint64_t)view.firmware.outcome);
        at = put(out, capacity, at, "floor", view.firmware.floor.level);
        at = put(out, capacity, at, "reverted", view.firmware.revert.sequence.number);
        at = put(out, capacity, at, "received_bytes", view.firmware.received_bytes);
    }
    return at;
}

void role_device_outbox(const void *memory, struct role_outbox *out)
{
    const struct device_memory *device = memory;
    *out = (struct role_outbox){.epoch = device->device.outbox.epoch,
                                .next = device->device.outbox.counter_next,
                                .count = device->device.outbox.count,
                                .answers = device->device.counts.answers,
                                .answer_floor = device->device.answer_floor};
}

uint16_t role_device_packet_id(const void *memory)
{
    const struct device_memory *device = memory;
    const struct mqtt_client *client = &device->device.client;
    return client->state == MQTT_CLIENT_READY ? client->sender.next_packet_id : 0;
}

void role_device_kept(const void *memory, uint32_t index, uint64_t *counter, uint32_t *slot)
{
    const struct device_memory *device = memory;
    device_kept(&device->device, index, counter, slot);
}

bool role_device_firmware(const void *memory, struct device_firmware_view *out)
{
    const struct device_memory *device = memory;
    if (!device->runs) {
        return false;
    }
    struct device_view view;
    device_view(&device->device, &view);
    *out = view.firmware;
    return view.firmware.running;
}

static void role_gateway_init(void *memory, const void *config, const struct port *port)
{
    gateway_init(memory, config, port);
}

static void role_gateway_step(void *memory, const struct port *port, const struct event *event)
{
    gateway_step(memory, port, event);
}

static uint64_t role_gateway_deadline(const void *memory)
{
    return gateway_deadline_us(memory);
}

static size_t role_gateway_view(const void *memory, struct world_view *out, size_t capacity)
{
    struct gateway_view view;
    size_t at = 0;
    gateway_view(memory, &view);
    at = put(out, capacity, at, "queue_count", view.queue_count);
    at = put(out, capacity, at, "session_count", view.session_count);
    at = put(out, capacity, at, "connected", view.connected);
    at = put(out, capacity, at, "custodies", view.custodies);
    at = put(out, capacity, at, "forwards", view.forwards);
    at = put(out, capacity, at, "discharges", view.discharges);
    at = put(out, capacity, at, "refusals", view.refusals);
    return put(out, capacity, at, "drops", view.drops);
}

static void role_gateway_drop(void *memory)
{
    gateway_drop(memory);
}

static void role_cloud_init(void *memory, const void *config, const struct port *port)
{
    cloud_init(memory, config, port);
}

static void role_cloud_step(void *memory, const struct port *port, const struct event *event)
{
    cloud_step(memory, port, event);
}

static uint64_t role_cloud_deadline(const void *memory)
{
    return cloud_deadline_us(memory);
}

static size_t role_cloud_view(const void *memory, struct world_view *out, size_t capacity)
{
    struct cloud_view view;
    size_t at = 0;
    cloud_view(memory, &view);
    at = put(out, capacity, at, "session_count", view.session_count);
    at = put(out, capacity, at, "accepted", view.accepted);
    at = put(out, capacity, at, "rejected", view.rejected);
    at = put(out, capacity, at, "duplicates", view.duplicates);
    at = put(out, capacity, at, "challenges", view.challenges);
    at = put(out, capacity, at, "acks", view.acks);
    return put(out, capacity, at, "drops", view.drops);
}

static void role_cloud_drop(void *memory)
{
    cloud_drop(memory);
}

static size_t role_rogue_view(const void *memory, struct world_view *out, size_t capacity)
{
    const struct rogue_counts *counts = rogue_counts(memory);
    size_t at = 0;
    at = put(out, capacity, at, "taken", counts->taken);
    at = put(out, capacity, at, "forwarded", counts->forwarded);
    at = put(out, capacity, at, "replayed", counts->replayed);
    at = put(out, capacity, at, "reordered", counts->reordered);
    at = put(out, capacity, at, "duplicated", counts->duplicated);
    at = put(out, capacity, at, "delayed", counts->delayed);
    at = put(out, capacity, at, "corrupted", counts->corrupted);
    at = put(out, capacity, at, "dropped", counts->dropped);
    return put(out, capacity, at, "flooded", counts->flooded);
}

static const struct role roles[] = {
    {"device", role_device_init, role_device_step, role_device_deadline, role_device_view, NULL},
    {"gateway", role_gateway_init, role_gateway_step, role_gateway_deadline, role_gateway_view,
     role_gateway_drop},
    {"cloud", role_cloud_init, role_cloud_step, role_cloud_deadline, role_cloud_view,
     role_cloud_drop},
    {"rogue", rogue_init, rogue_step, rogue_deadline_us, role_rogue_view, NULL},
};

const struct role *role_of(uint32_t role_mask)
{
    switch (role_mask) {
    case ROLE_MASK_DEVICE:
        return &roles[0];
    case ROLE_MASK_GATEWAY:
        return &roles[1];
    case ROLE_MASK_CLOUD:
        return &roles[2];
    default:
        CHECK(role_mask == ROLE_MASK_ROGUE);
        return &roles[3];
    }
}

size_t role_memory_bytes(uint32_t role_mask, const void *config)
{
    switch (role_mask) {
    case ROLE_MASK_DEVICE:
        return sizeof(struct device_memory);
    case ROLE_MASK_GATEWAY:
        return gateway_size_bytes(config);
    case ROLE_MASK_CLOUD:
        return cloud_size_bytes(config);
    default:
        CHECK(role_mask == ROLE_MASK_ROGUE);
        return rogue_size_bytes(config);
    }
}
