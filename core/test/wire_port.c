/* The port of the device in a wire_world: its bench for flash, a fake for links and time. */
#include "core/test/wire_world.h"

static struct fake_port *fake_of(struct wire_world *world)
{
    return &world->nodes[WIRE_AT_DEVICE].fake;
}

static enum err on_clock(void *ctx, struct clock_reading *now)
{
    struct wire_world *world = ctx;
    *now = (struct clock_reading){world->now_us,
                                  world->wall_us == 0 ? 0 : world->wall_us + world->now_us};
    return world->rig.dead ? ERR_IO : ERR_OK;
}

static enum err on_link_open(void *ctx, uint32_t peer, uint32_t *link)
{
    struct wire_world *world = ctx;
    const struct port *port = &fake_of(world)->port;
    return world->rig.dead ? ERR_IO : port->link_open(port->ctx, peer, link);
}

static int32_t on_link_send(void *ctx, uint32_t link, const uint8_t *bytes, uint32_t size_bytes)
{
    struct wire_world *world = ctx;
    const struct port *port = &fake_of(world)->port;
    return world->rig.dead ? ERR_CLOSED : port->link_send(port->ctx, link, bytes, size_bytes);
}

static void on_link_close(void *ctx, uint32_t link)
{
    struct wire_world *world = ctx;
    const struct port *port = &fake_of(world)->port;
    if (!world->rig.dead) {
        port->link_close(port->ctx, link);
    }
}

static enum err on_flash_read(void *ctx, uint32_t offset, uint8_t *bytes, uint32_t size_bytes)
{
    const struct port *port = &((struct wire_world *)ctx)->rig.port;
    return port->flash_read(port->ctx, offset, bytes, size_bytes);
}

static enum err on_flash_program(void *ctx, uint32_t offset, const uint8_t *bytes,
                                 uint32_t size_bytes)
{
    const struct port *port = &((struct wire_world *)ctx)->rig.port;
    return port->flash_program(port->ctx, offset, bytes, size_bytes);
}

static enum err on_flash_erase(void *ctx, uint32_t offset)
{
    const struct port *port = &((struct wire_world *)ctx)->rig.port;
    return port->flash_erase(port->ctx, offset);
}

static enum err on_flash_sync(void *ctx)
{
    const struct port *port = &((struct wire_world *)ctx)->rig.port;
    return port->flash_sync(port->ctx);
}

static enum err on_counter_read(void *ctx, enum port_counter counter, uint64_t *value)
{
    const struct port *port = &((struct wire_world *)ctx)->rig.port;
    return port->counter_read(port->ctx, counter, value);
}

static enum err on_counter_increment(void *ctx, enum port_counter counter)
{
    const struct port *port = &((struct wire_world *)ctx)->rig.port;
    return port->counter_increment(port->ctx, counter);
}

static enum err on_retained_read(void *ctx, uint8_t bytes[RETAINED_BYTES])
{
    const struct port *port = &((struct wire_world *)ctx)->rig.port;
    return port->retained_read(port->ctx, bytes);
}

static enum err on_retained_write(void *ctx, const uint8_t bytes[RETAINED_BYTES])
{
    const struct port *port = &((struct wire_world *)ctx)->rig.port;
    return port->retained_write(port->ctx, bytes);
}

static enum err on_entropy(void *ctx, uint8_t *bytes, uint32_t size_bytes)
{
    struct wire_world *world = ctx;
    const struct port *port = &fake_of(world)->port;
    return world->rig.dead ? ERR_IO : port->entropy(port->ctx, bytes, size_bytes);
}

static void on_watchdog(void *ctx, uint64_t timeout_us)
{
    const struct port *port = &fake_of(ctx)->port;
    port->watchdog_arm(port->ctx, timeout_us);
}

static enum reset_reason on_reset_reason(void *ctx)
{
    return ((const struct wire_world *)ctx)->boots <= 1 ? RESET_POWER_ON : RESET_SOFTWARE;
}

static void on_reset(void *ctx)
{
    const struct port *port = &fake_of(ctx)->port;
    port->reset(port->ctx);
}

static enum err on_sensor(void *ctx, uint32_t sensor, int32_t *value)
{
    const struct wire_world *world = ctx;
    *value = (int32_t)sensor + 21;
    return world->rig.dead ? ERR_IO : ERR_OK;
}

static void on_evidence(void *ctx, const struct evidence *evidence)
{
    struct wire_world *world = ctx;
    const struct port *port = &fake_of(world)->port;
    if (!world->rig.dead) {
        port->evidence(port->ctx, evidence);
    }
}

void wire_port(struct wire_world *world)
{
    world->device_port = (struct port){
        .ctx = world,
        .clock_read = on_clock,
        .link_open = on_link_open,
        .link_send = on_link_send,
        .link_close = on_link_close,
        .flash = world->rig.port.flash,
        .flash_read = on_flash_read,
        .flash_program = on_flash_program,
        .flash_erase = on_flash_erase,
        .flash_sync = on_flash_sync,
        .entropy = on_entropy,
        .crypto = world->rig.port.crypto,
        .counter_read = on_counter_read,
        .counter_increment = on_counter_increment,
        .retained_read = on_retained_read,
        .retained_write = on_retained_write,
        .watchdog_arm = on_watchdog,
        .reset_reason = on_reset_reason,
        .reset = on_reset,
        .sensor_read = on_sensor,
        .evidence = on_evidence,
    };
}
