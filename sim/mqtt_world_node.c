/* The session world: the ports of its nodes, and the life of the broker. */
#include <stdlib.h>
#include <string.h>

#include "core/check.h"
#include "core/evidence.h"
#include "sim/mqtt_world_inside.h"

enum { DISK_SLOT = DISK_SLOTS_MAX - 1, BOOT_CLOCK_US = 1000000 };

static bool is_dead(const struct mqtt_world_port *self)
{
    return self->node == SESSION_BROKER && self->world->broker.dead;
}

static enum err on_clock(void *ctx, struct clock_reading *now)
{
    const struct mqtt_world_port *self = ctx;
    const struct mqtt_world *world = self->world;
    *now = (struct clock_reading){.monotonic_us = world->now_us};
    if (self->node == SESSION_BROKER) {
        now->monotonic_us = world->now_us - world->broker.booted_us + BOOT_CLOCK_US;
    }
    return is_dead(self) ? ERR_IO : ERR_OK;
}

static enum err on_link_open(void *ctx, uint32_t peer, uint32_t *link)
{
    struct mqtt_world_port *self = ctx;
    const enum err err = is_dead(self) ? ERR_IO
                                       : (enum err)net_open(self->world->net, self->world->now_us,
                                                            self->node, peer, link);
    if (err == ERR_OK) {
        mqtt_judge_connection(&self->world->judge, *link)->client = self->node - 2;
    }
    return err;
}

static int32_t on_link_send(void *ctx, uint32_t link, const uint8_t *bytes, uint32_t size_bytes)
{
    struct mqtt_world_port *self = ctx;
    struct mqtt_world *world = self->world;
    const bool broker = self->node == SESSION_BROKER;
    uint8_t copy[LINK_SEND_BYTES_MAX + MQTT_PACKET_BYTES_MAX];
    CHECK(size_bytes <= sizeof copy);
    if (is_dead(self)) {
        return ERR_CLOSED;
    }
    if (broker) {
        mqtt_judge_sweep(&world->judge, world->now_us);
    }
    memcpy(copy, bytes, size_bytes);
    (void)mqtt_world_tap_spoil(world, self->node, link, copy, size_bytes);
    const int32_t taken = net_send(world->net, world->now_us, self->node, link, copy, size_bytes);
    hash_u32(&world->hash, link);
    hash_u32(&world->hash, (uint32_t)taken);
    if (taken > 0) {
        hash_bytes(&world->hash, copy, (uint32_t)taken);
        mqtt_world_tap_bytes(world, self->node, link, true, bytes, (uint32_t)taken);
    }
    mqtt_judge_blocked(&world->judge, link, broker, taken < (int32_t)size_bytes, taken < 0);
    return taken;
}

static void on_link_close(void *ctx, uint32_t link)
{
    struct mqtt_world_port *self = ctx;
    if (!is_dead(self)) {
        net_close(self->world->net, self->world->now_us, self->node, link);
        hash_u32(&self->world->hash, link);
        for (uint32_t index = 0; self->node == SESSION_BROKER && index < SESSION_WAITING_MAX;
             index++) {
            struct mqtt_world_waiting *waiting = &self->world->broker.waiting[index];
            waiting->gone = waiting->gone || waiting->event.link == link;
        }
        mqtt_judge_closed(&self->world->judge, self->world->now_us, link,
                          self->node == SESSION_BROKER, true);
    }
}

static enum err on_entropy(void *ctx, uint8_t *bytes, uint32_t size_bytes)
{
    struct mqtt_world_port *self = ctx;
    random_bytes(&self->world->entropy, bytes, size_bytes);
    return is_dead(self) ? ERR_IO : ERR_OK;
}

static void on_reset(void *ctx)
{
    struct mqtt_world_port *self = ctx;
    self->world->broker.reset = true;
}

static void on_evidence(void *ctx, const struct evidence *evidence)
{
    struct mqtt_world_port *self = ctx;
    hash_u32(&self->world->hash, (uint32_t)evidence->kind);
}

static enum disk_verdict on_disk(void *ctx, enum disk_operation operation, uint32_t file,
                                 uint64_t offset, const uint8_t *bytes, uint32_t size_bytes)
{
    struct mqtt_world *world = ctx;
    (void)file;
    (void)bytes;
    hash_u32(&world->hash, (uint32_t)operation);
    hash_u64(&world->hash, offset);
    hash_u32(&world->hash, size_bytes);
    if (world->broker.cut_in == 0 || --world->broker.cut_in > 0) {
        return DISK_PROCEED;
    }
    world->broker.dead = true;
    world->broker.disk.torn_fraction = (uint16_t)random_below(&world->faults, 65536);
    return world->broker.cut_how;
}

static void on_disk_randomness(void *ctx, uint8_t *bytes, uint32_t size_bytes)
{
    random_bytes(&((struct mqtt_world *)ctx)->entropy, bytes, size_bytes);
}

static uint64_t on_disk_wall(void *ctx)
{
    return ((struct mqtt_world *)ctx)->now_us;
}

void mqtt_world_ports_init(struct mqtt_world *world)
{
    static bool registered = false; /* the VFS is one per process */
    if (!registered) {
        disk_vfs_register(false);
        registered = true;
    }
    for (uint32_t node = SESSION_BROKER; node <= SESSION_NODES; node++) {
        world->contexts[node] = (struct mqtt_world_port){world, node};
        world->ports[node] = (struct port){.ctx = &world->contexts[node],
                                           .clock_read = on_clock,
                                           .link_open = on_link_open,
                                           .link_send = on_link_send,
                                           .link_close = on_link_close,
                                           .entropy = on_entropy,
                                           .reset = on_reset,
                                           .evidence = on_evidence};
    }
    world->ports[SESSION_BROKER].disk_vfs = DISK_VFS_NAME;
    world->ports[SESSION_BROKER].disk_path = "disk4095/broker.db";
    _Static_assert(DISK_SLOT == 4095, "the path names it");
    const struct disk_hooks hooks = {world, on_disk, on_disk_randomness, on_disk_wall};
    disk_init(&world->broker.disk, (struct disk_profile){0}, &hooks);
    disk_attach(&world->broker.disk, DISK_SLOT);
    world->broker.config = (struct broker_config){.durable = true,
                                                  .connections_max = 32,
                                                  .sessions_max = 12,
                                                  .subscriptions_max = 32,
                                                  .messages_max = 600,
                                                  .copies_max = 1600,
                                                  .retained_max = 8,
                                                  .queue_max = 500,
                                                  .session_expiry_max_s = SESSION_EXPIRY_MAX_S,
                                                  .keep_alive_max_s = SESSION_KEEP_ALIVE_MAX_S,
                                                  .receive_maximum = 4};
    world->broker.broker = malloc((size_t)broker_size_bytes(&world->broker.config));
    CHECK(world->broker.broker != NULL);
}

void mqtt_world_broker_boot(struct mqtt_world *world)
{
    struct mqtt_world_broker *broker = &world->broker;
    broker->up = true;
    broker->dead = broker->reset = false;
    broker->booted_us = world->now_us;
    net_node_up(world->net, world->now_us, SESSION_BROKER);
    disk_set_current(&broker->disk);
    disk_reset_randomness();
    mqtt_judge_broker_up(&world->judge, world->now_us);
    broker_init(broker->broker, &broker->config, &world->ports[SESSION_BROKER]);
    CHECK(!broker->reset); /* its disk answers: it boots */
}

void mqtt_world_broker_down(struct mqtt_world *world, bool power)
{
    struct mqtt_world_broker *broker = &world->broker;
    broker->disk.faults.dead = true;
    disk_set_current(&broker->disk);
    broker_drop(broker->broker);
    if (power) {
        disk_power_loss(&broker->disk, random_next(&world->faults));
    } else {
        disk_crash(&broker->disk);
    }
    broker->disk.faults.dead = false;
    broker->up = broker->dead = broker->reset = false;
    broker->cut_in = broker->waiting_count = 0;
    world->rude.judged = true; /* whoever heard it is gone */
    broker->back_us = world->now_us + random_between(&world->faults, 100000, 12000000);
    net_node_down(world->net, world->now_us, SESSION_BROKER);
}

/* A step of the broker, or several that are settled together, as the judge sees it. */
static void judge_begin(struct mqtt_world *world)
{
    if (world->broker.cut_in > 0) {
        memcpy(&world->before, &world->judge, sizeof world->judge);
    }
}

static void judge_end(struct mqtt_world *world)
{
    mqtt_judge_sweep(&world->judge, world->now_us);
    if (world->broker.dead) {
        mqtt_judge_torn(&world->judge, &world->before);
        mqtt_world_broker_down(world, true);
        return;
    }
    CHECK(!world->broker.reset);
    mqtt_judge_stepped(&world->judge, world->now_us, true, 0);
    mqtt_world_rude_judge(world);
}

static void step(struct mqtt_world *world, const struct event *event)
{
    if (event->kind == EVENT_LINK_DATA) {
        mqtt_world_tap_bytes(world, SESSION_BROKER, event->link, false, event->bytes,
                             event->size_bytes);
        world->rude.got_bytes += world->rude.link == event->link ? event->size_bytes : 0;
    } else if (event->kind == EVENT_LINK_DOWN) {
        mqtt_judge_closed(&world->judge, world->now_us, event->link, true, false);
    } else if (event->kind == EVENT_LINK_WRITABLE) {
        mqtt_judge_blocked(&world->judge, event->link, true, false, false);
    }
    disk_set_current(&world->broker.disk);
    disk_reset_randomness();
    broker_step(world->broker.broker, &world->ports[SESSION_BROKER], event);
}

/* The first piece of what is left of its bytes. */
static struct event piece_of(struct mqtt_world *world, const struct event *event, uint32_t at)
{
    struct event piece = *event;
    if (event->kind != EVENT_LINK_DATA) {
        return piece;
    }
    piece.bytes += at;
    piece.size_bytes -= at;
    if (mqtt_world_faulty(world, SESSION_FAULT_CHUNK)) {
        const uint64_t most = random_below(&world->chunks, 3) == 0 ? piece.size_bytes : 20;
        const uint32_t size = (uint32_t)random_between(&world->chunks, 1, most);
        piece.size_bytes = size < piece.size_bytes ? size : piece.size_bytes;
        world->result->struck[SESSION_FAULT_CHUNK]++;
    }
    return piece;
}

static void take_waiting(struct mqtt_world *world)
{
    struct mqtt_world_broker *broker = &world->broker;
    for (uint32_t index = 0; index < broker->waiting_count; index++) {
        const struct mqtt_world_waiting *waiting = &broker->waiting[index];
        uint32_t at = 0;
        do {
            struct event piece = piece_of(world, &waiting->event, at);
            piece.more = true;
            at += piece.size_bytes;
            if (!broker->dead && !waiting->gone) {
                step(world, &piece);
            }
        } while (at < waiting->event.size_bytes);
    }
    broker->waiting_count = 0;
}

void mqtt_world_broker_due(struct mqtt_world *world)
{
    judge_begin(world);
    take_waiting(world);
    if (!world->broker.dead) {
        step(world, &(struct event){.kind = EVENT_TIMEOUT});
    }
    judge_end(world);
}

/* True: the event waits. */
static bool wait(struct mqtt_world *world, const struct event *event)
{
    struct mqtt_world_broker *broker = &world->broker;
    if (broker->waiting_count == 0) {
        if (!mqtt_world_faulty(world, SESSION_FAULT_BUSY) || random_below(&world->busy, 4) > 0) {
            return false;
        }
        broker->busy_us = world->now_us + random_between(&world->busy, 0, 60000);
        world->result->struck[SESSION_FAULT_BUSY]++;
    }
    struct mqtt_world_waiting *waiting = &broker->waiting[broker->waiting_count++];
    waiting->event = *event;
    waiting->gone = false;
    if (event->size_bytes > 0) {
        CHECK(event->size_bytes <= sizeof waiting->bytes);
        memcpy(waiting->bytes, event->bytes, event->size_bytes);
        waiting->event.bytes = waiting->bytes;
    }
    if (broker->waiting_count == SESSION_WAITING_MAX) {
        mqtt_world_broker_due(world);
    }
    return true;
}

void mqtt_world_broker_event(struct mqtt_world *world, const struct event *event)
{
    uint32_t at = 0;
    if (wait(world, event)) {
        return;
    }
    do {
        const struct event piece = piece_of(world, event, at);
        at += piece.size_bytes;
        judge_begin(world);
        step(world, &piece);
        judge_end(world);
    } while (at < event->size_bytes && world->broker.up);
}
