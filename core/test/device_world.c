#include "core/test/device_world.h"

#include <string.h>

#include "core/test/fake_crypto.h"

struct world world;

/* The device's port. */

static enum err world_clock(void *ctx, struct clock_reading *now)
{
    const struct world *self = ctx;
    now->monotonic_us = self->now_us - self->booted_us;
    now->wall_us = self->wall_us;
    return self->powered ? ERR_OK : ERR_IO;
}

static enum err world_link_open(void *ctx, uint32_t peer, uint32_t *link)
{
    struct world *self = ctx;
    if (!self->powered) {
        return ERR_IO;
    }
    self->link++;
    self->peer = peer;
    self->link_asked = true;
    self->to_broker.size_bytes = 0;
    self->to_device.size_bytes = 0;
    *link = self->link;
    return ERR_OK;
}

static int32_t world_link_send(void *ctx, uint32_t link, const uint8_t *bytes, uint32_t size_bytes)
{
    struct world *self = ctx;
    if (!self->powered || !self->link_open || link != self->link) {
        return ERR_CLOSED;
    }
    uint32_t room = PIPE_BYTES - self->to_broker.size_bytes;
    if (self->link_room != 0) {
        const uint32_t limit = (uint32_t)self->link_room;
        room = limit > self->to_broker.size_bytes ? limit - self->to_broker.size_bytes : 0;
    }
    const uint32_t taken = size_bytes < room ? size_bytes : room;
    memcpy(self->to_broker.bytes + self->to_broker.size_bytes, bytes, taken);
    self->to_broker.size_bytes += taken;
    return (int32_t)taken;
}

static void world_link_close(void *ctx, uint32_t link)
{
    struct world *self = ctx;
    if (self->powered && link == self->link) {
        self->link_asked = false;
        self->link_open = false;
    }
}

static enum err world_flash_read(void *ctx, uint32_t offset, uint8_t *bytes, uint32_t size_bytes)
{
    const struct world *self = ctx;
    EXPECT(offset + size_bytes <= sizeof self->flash);
    memcpy(bytes, self->flash + offset, size_bytes);
    return self->powered ? ERR_OK : ERR_IO;
}

/* How many of size_bytes the operation does before the power goes; all if it stays. */
static uint32_t world_operation(struct world *self, uint32_t size_bytes)
{
    self->operations++;
    if (self->operations != self->cut_at) {
        return size_bytes;
    }
    self->powered = false;
    return self->cut == CUT_BEFORE ? 0 : self->cut == CUT_TORN ? size_bytes / 2 : size_bytes;
}

static enum err world_flash_program(void *ctx, uint32_t offset, const uint8_t *bytes,
                                    uint32_t size_bytes)
{
    struct world *self = ctx;
    if (!self->powered || self->flash_fails) {
        return ERR_IO;
    }
    EXPECT(offset + size_bytes <= sizeof self->flash);
    EXPECT(offset % self->port.flash.program_bytes == 0);
    EXPECT(size_bytes % self->port.flash.program_bytes == 0);
    const uint32_t done = world_operation(self, size_bytes);
    for (uint32_t i = 0; i < done; i++) {
        self->flash[offset + i] &= bytes[i];
    }
    return self->powered ? ERR_OK : ERR_IO;
}

static enum err world_flash_erase(void *ctx, uint32_t offset)
{
    struct world *self = ctx;
    if (!self->powered || self->flash_fails) {
        return ERR_IO;
    }
    EXPECT(offset % SECTOR_BYTES == 0 && offset < sizeof self->flash);
    memset(self->flash + offset, 0xFF, world_operation(self, SECTOR_BYTES));
    return self->powered ? ERR_OK : ERR_IO;
}

static enum err world_flash_sync(void *ctx)
{
    struct world *self = ctx;
    if (!self->powered || self->flash_fails) {
        return ERR_IO;
    }
    (void)world_operation(self, 0);
    return self->powered ? ERR_OK : ERR_IO;
}

static enum err world_entropy(void *ctx, uint8_t *bytes, uint32_t size_bytes)
{
    struct world *self = ctx;
    if (!self->powered || self->entropy_fails) {
        return ERR_IO;
    }
    spread(self->entropy++, bytes, size_bytes);
    return ERR_OK;
}

static enum err world_counter_read(void *ctx, enum port_counter counter, uint64_t *value)
{
    const struct world *self = ctx;
    *value = self->counters[counter];
    return self->powered ? ERR_OK : ERR_IO;
}

static enum err world_counter_increment(void *ctx, enum port_counter counter)
{
    struct world *self = ctx;
    if (!self->powered) {
        return ERR_IO;
    }
    self->counters[counter] += world_operation(self, 1);
    return self->powered ? ERR_OK : ERR_IO;
}

static void world_watchdog(void *ctx, uint64_t timeout_us)
{
    struct world *self = ctx;
    if (self->powered) {
        self->watchdog_us = timeout_us == 0 ? 0 : self->now_us + timeout_us;
    }
}

static enum reset_reason world_reset_reason(void *ctx)
{
    return ((const struct world *)ctx)->reason;
}

static void world_reset(void *ctx)
{
    struct world *self = ctx;
    self->resets++;
    self->reset_us = self->now_us;
}

static enum err world_sensor(void *ctx, uint32_t sensor, int32_t *value)
{
    const struct world *self = ctx;
    EXPECT_EQUAL(sensor, 0);
    *value = -40 + (int32_t)(self->now_us / SECOND);
    return self->powered && !self->sensor_fails ? ERR_OK : ERR_IO;
}

static void world_evidence(void *ctx, const struct evidence *evidence)
{
    struct world *self = ctx;
    if (!self->powered) {
        return;
    }
    EXPECT(self->said_count < LOG_MAX);
    EXPECT_EQUAL(evidence->device, DEVICE);
    self->said[self->said_count++] = (struct said){
        .time_us = self->now_us,
        .kind = evidence->kind,
        .epoch = evidence->epoch,
        .counter = evidence->counter,
        .value = evidence->value,
        .body = evidence->body == NULL ? 0 : mix(0, evidence->body, evidence->body_bytes),
    };
}

/* The broker's port. */

static int32_t broker_link_send(void *ctx, uint32_t link, const uint8_t *bytes, uint32_t size_bytes)
{
    struct world *self = ctx;
    EXPECT_EQUAL(link, self->link);
    EXPECT(size_bytes <= PIPE_BYTES - self->to_device.size_bytes);
    memcpy(self->to_device.bytes + self->to_device.size_bytes, bytes, size_bytes);
    self->to_device.size_bytes += size_bytes;
    return (int32_t)size_bytes;
}

static void broker_link_close(void *ctx, uint32_t link)
{
    struct world *self = ctx;
    EXPECT_EQUAL(link, self->link);
    self->broker_closed = true;
}

static enum err broker_entropy(void *ctx, uint8_t *bytes, uint32_t size_bytes)
{
    struct world *self = ctx;
    spread(mix(9, &self->now_us, sizeof self->now_us), bytes, size_bytes);
    return ERR_OK;
}

void world_init(struct world *self)
{
    memset(self, 0, sizeof *self);
    memset(self->flash, 0xFF, sizeof self->flash);
    self->wall_us = 1700000000 * SECOND;
    self->port = (struct port){
        .ctx = self,
        .clock_read = world_clock,
        .link_open = world_link_open,
        .link_send = world_link_send,
        .link_close = world_link_close,
        .flash = {SECTOR_BYTES, SECTORS, 4, 0xFF, false},
        .flash_read = world_flash_read,
        .flash_program = world_flash_program,
        .flash_erase = world_flash_erase,
        .flash_sync = world_flash_sync,
        .entropy = world_entropy,
        .crypto = fake_crypto(),
        .counter_read = world_counter_read,
        .counter_increment = world_counter_increment,
        .watchdog_arm = world_watchdog,
        .reset_reason = world_reset_reason,
        .reset = world_reset,
        .sensor_read = world_sensor,
        .evidence = world_evidence,
    };
    self->broker_port = self->port;
    self->broker_port.link_send = broker_link_send;
    self->broker_port.link_close = broker_link_close;
    self->broker_port.entropy = broker_entropy;
    struct device_config *config = &self->config;
    *config = (struct device_config){
        .id = DEVICE,
        .cloud = CLOUD,
        .gateways = {GATEWAY_A, GATEWAY_B},
        .gateway_count = 2,
        .sample_every_us = 10 * SECOND,
        .reserve = 4,
        .outbox_max = 8,
        .window = 8,
        .backoff_base_us = 1 * SECOND,
        .backoff_cap_us = 60 * SECOND,
        .ack_timeout_us = 100 * SECOND,
        .watchdog_us = 300 * SECOND,
        .keep_alive_s = 600,
    };
    config->keys.seed[0] = DEVICE;
    config->secret[0] = 99;
    self->cloud_keys.seed[0] = CLOUD;
    EXPECT_EQUAL(fake_public_key(NULL, &config->keys), ERR_OK);
    EXPECT_EQUAL(fake_public_key(NULL, &self->cloud_keys), ERR_OK);
    memcpy(config->cloud_key, self->cloud_keys.public_key, KEY_BYTES);
}

void world_boot(struct world *self, enum reset_reason reason)
{
    memset(&self->device, 0xA5, sizeof self->device);
    self->booted_us = self->now_us;
    self->powered = true;
    self->reason = reason;
    self->resets = 0;
    self->watchdog_us = 0;
    self->link_asked = false;
    self->link_open = false;
    device_init(&self->device, &self->config, &self->port);
}

void world_step(struct world *self, const struct event *event)
{
    if (self->powered) {
        self->steps++;
        device_step(&self->device, &self->port, event);
    }
}

static void broker_publish_taken(struct world *self, const struct mqtt_happening *publish)
{
    struct cose_sign1 parsed;
    struct telemetry telemetry;
    struct response response;
    EXPECT(self->taken_count < TAKEN_MAX);
    struct taken *taken = &self->taken[self->taken_count++];
    EXPECT_EQUAL(cose_parse(publish->payload.bytes, publish->payload.size_bytes, &parsed), ERR_OK);
    EXPECT_EQUAL(parsed.signer, DEVICE);
    EXPECT_EQUAL(cose_verify(&parsed, &self->broker_port, self->config.keys.public_key), ERR_OK);
    EXPECT_EQUAL(publish->topic.size_bytes, 3);
    EXPECT(memcmp(publish->topic.bytes, "t/7", 3) == 0);
    *taken = (struct taken){.time_us = self->now_us,
                            .connection = self->connections,
                            .type = parsed.content_type,
                            .body = mix(0, publish->payload.bytes, publish->payload.size_bytes)};
    if (parsed.content_type == MESSAGE_TELEMETRY) {
        EXPECT_EQUAL(message_read_telemetry(&parsed, &telemetry), ERR_OK);
        taken->counter = telemetry.counter;
        taken->epoch = telemetry.epoch;
    } else {
        EXPECT_EQUAL(message_read_response(&parsed, &response), ERR_OK);
        EXPECT_EQUAL(publish->packet_id, 0);
        taken->counter = response.floor;
        taken->epoch = response.epoch;
        memcpy(taken->nonce, response.nonce, sizeof taken->nonce);
    }
    if (publish->packet_id != 0 && !self->withholds_custody) {
        mqtt_session_puback(&self->session, &self->broker_port, publish->packet_id,
                            self->custody_reason);
    }
}

static void broker_take(struct world *self, const struct event *event)
{
    struct mqtt_input input = {event->bytes, event->size_bytes};
    struct mqtt_happening happening;
    do {
        mqtt_session_take(&self->session, &self->broker_port, self->now_us, event, &input,
                          &happening);
        if (happening.kind == MQTT_HAPPENED_CONNECT) {
            EXPECT_EQUAL(happening.client, DEVICE);
            mqtt_session_challenge(&self->session, &self->broker_port,
                                   self->config.keys.public_key);
        } else if (happening.kind == MQTT_HAPPENED_PUBLISH) {
            broker_publish_taken(self, &happening);
        }
    } while (happening.kind != MQTT_NOTHING && happening.kind != MQTT_HAPPENED_DOWN);
}

/* Deliver what is under way on the link; false when nothing was. */
static bool world_deliver(struct world *self)
{
    struct event event = {.link = self->link};
    if (self->link_asked) {
        self->link_asked = false;
        self->link_open = !self->refuses_links;
        self->broker_closed = false;
        event.kind = self->link_open ? EVENT_LINK_UP : EVENT_LINK_DOWN;
        if (self->link_open) {
            self->connections++;
            mqtt_session_open(&self->session, self->peer, self->link, self->now_us);
        }
        world_step(self, &event);
        return true;
    }
    if (self->to_broker.size_bytes > 0 && !self->silent) {
        static struct pipe whole;
        memcpy(whole.bytes, self->to_broker.bytes, self->to_broker.size_bytes);
        event.kind = EVENT_LINK_DATA;
        event.bytes = whole.bytes;
        event.size_bytes = self->to_broker.size_bytes;
        self->to_broker.size_bytes = 0;
        if (self->session.state != MQTT_SESSION_CLOSED) {
            broker_take(self, &event);
        }
        if (self->link_open && self->link_room != 0) {
            world_step(self, &(struct event){.kind = EVENT_LINK_WRITABLE, .link = self->link});
        }
        return true;
    }
    if (!self->link_open) {
        return false;
    }
    struct pipe *pipe = &self->to_device;
    if (pipe->size_bytes > 0) {
        const uint32_t piece = self->piece_bytes != 0 && self->piece_bytes < pipe->size_bytes
                                   ? self->piece_bytes
                                   : pipe->size_bytes;
        static struct pipe part;
        memcpy(part.bytes, pipe->bytes, piece);
        pipe->size_bytes -= piece;
        memmove(pipe->bytes, pipe->bytes + piece, pipe->size_bytes);
        event.kind = EVENT_LINK_DATA;
        event.bytes = part.bytes;
        event.size_bytes = piece;
        world_step(self, &event);
        return true;
    }
    if (self->broker_closed) {
        self->broker_closed = false;
        self->link_open = false;
        event.kind = EVENT_LINK_DOWN;
        world_step(self, &event);
        return true;
    }
    return false;
}

void world_run(struct world *self, uint64_t until_us)
{
    uint32_t idle = 0;
    while (self->powered) {
        if (world_deliver(self)) {
            continue;
        }
        uint64_t at_us = device_deadline_us(&self->device);
        at_us = at_us > UINT64_MAX - self->booted_us ? UINT64_MAX : at_us + self->booted_us;
        if (at_us > until_us) {
            self->now_us = self->now_us > until_us ? self->now_us : until_us;
            return;
        }
        idle = at_us > self->now_us ? 0 : idle + 1;
        EXPECT(idle < 3);
        self->now_us = at_us > self->now_us ? at_us : self->now_us;
        EXPECT(self->watchdog_us == 0 || self->watchdog_us > self->now_us);
        world_step(self, &(struct event){.kind = EVENT_TIMEOUT});
    }
}

void world_break_link(struct world *self)
{
    EXPECT(self->link_open);
    self->to_broker.size_bytes = 0;
    self->to_device.size_bytes = 0;
    self->link_open = false;
    world_step(self, &(struct event){.kind = EVENT_LINK_DOWN, .link = self->link});
}

void world_downlink(struct world *self, const struct envelope *envelope)
{
    EXPECT_EQUAL(self->session.state, MQTT_SESSION_READY);
    EXPECT_EQUAL(mqtt_session_publish(&self->session, &self->broker_port, "d/7", envelope->bytes,
                                      envelope->size_bytes),
                 ERR_OK);
    world_run(self, self->now_us);
}

uint32_t said_count(const struct world *self, enum evidence_kind kind, uint64_t counter)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < self->said_count; i++) {
        count += self->said[i].kind == kind && (counter == 0 || self->said[i].counter == counter)
                     ? 1
                     : 0;
    }
    return count;
}

const struct said *said_last(const struct world *self, enum evidence_kind kind)
{
    uint32_t at = self->said_count;
    do {
        EXPECT(at > 0);
        at--;
    } while (self->said[at].kind != kind);
    return &self->said[at];
}

uint64_t drawn(uint64_t ordinal, uint64_t bound)
{
    uint8_t bytes[8];
    uint64_t draw = 0;
    spread(ordinal, bytes, sizeof bytes);
    for (uint32_t i = 0; i < sizeof bytes; i++) {
        draw = draw << 8 | bytes[i];
    }
    return draw % bound;
}

void begin(void)
{
    world_init(&world);
    world_boot(&world, RESET_POWER_ON);
}

uint64_t first_sample_us(void)
{
    return drawn(0, world.config.sample_every_us);
}

void run_samples(uint32_t count)
{
    world_run(&world, world.device.sample_at_us + world.booted_us +
                          (count - 1) * world.config.sample_every_us);
}

struct envelope ack_of(uint32_t device, uint32_t epoch, uint64_t floor, uint32_t bits)
{
    uint8_t bitmap[2] = {(uint8_t)(bits & 0xFFu), (uint8_t)(bits >> 8)};
    const struct ack ack = {
        .device = device, .epoch = epoch, .floor = floor, .bitmap = bitmap, .bitmap_bytes = 2};
    struct envelope envelope;
    EXPECT_EQUAL(message_ack(&world.broker_port, &world.cloud_keys, CLOUD, &ack, &envelope),
                 ERR_OK);
    return envelope;
}

void ack(uint64_t floor, uint32_t bits)
{
    const struct envelope envelope = ack_of(DEVICE, world.device.outbox.epoch, floor, bits);
    world_downlink(&world, &envelope);
}

struct envelope challenge_of(uint8_t first)
{
    const struct challenge challenge = {.device = DEVICE, .nonce = {first}};
    struct envelope envelope;
    EXPECT_EQUAL(
        message_challenge(&world.broker_port, &world.cloud_keys, CLOUD, &challenge, &envelope),
        ERR_OK);
    return envelope;
}

struct device_view view(void)
{
    struct device_view view;
    device_view(&world.device, &view);
    return view;
}
