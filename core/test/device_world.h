/* A world of one device and one broker for test_device.c: RAM flash that can be cut at any
 * operation, links without delay that can be cut into small pieces, and a record of all evidence.
 */
#ifndef BROWNOUT_TEST_DEVICE_WORLD_H
#define BROWNOUT_TEST_DEVICE_WORLD_H

#include <string.h>

#include "core/check.h"
#include "core/device.h"
#include "core/evidence.h"
#include "core/mqtt/session.h"
#include "core/test/fake_crypto.h"
#include "core/test/test.h"

enum {
    DEVICE = 7,
    CLOUD = 1,
    GATEWAY_A = 2,
    GATEWAY_B = 3,
    SECTOR_BYTES = 2048,
    SECTORS = 6,
    LOG_MAX = 20000,
    PIPE_BYTES = 65536,
    TAKEN_MAX = 4000,
};

#define SECOND UINT64_C(1000000)

enum cut { CUT_BEFORE, CUT_TORN, CUT_AFTER, CUT_KINDS };

struct said {
    uint64_t time_us;
    enum evidence_kind kind;
    uint32_t epoch;
    uint64_t counter, value, body;
};

struct taken { /* a PUBLISH that the broker took */
    uint64_t time_us;
    uint32_t connection; /* ordinal, from 1 */
    uint32_t type;       /* enum message_type */
    uint64_t counter;    /* telemetry: counter; response: floor */
    uint32_t epoch;
    uint64_t body;
    uint8_t nonce[CHALLENGE_BYTES]; /* response */
};

struct pipe {
    uint32_t size_bytes;
    uint8_t bytes[PIPE_BYTES];
};

struct world {
    struct device device;
    struct device_config config;
    struct port port, broker_port;
    uint64_t now_us, booted_us, wall_us;

    uint8_t flash[SECTOR_BYTES * SECTORS];
    uint64_t counters[COUNTER_COUNT];
    uint64_t operations; /* that change something durable */
    uint64_t cut_at;     /* the power goes at this one; 0 = never */
    enum cut cut;
    bool powered;
    bool flash_fails, entropy_fails, sensor_fails;
    uint64_t entropy;
    enum reset_reason reason;
    uint32_t resets, steps;
    uint64_t reset_us;
    uint64_t watchdog_us; /* when it would bite; 0 = disarmed */

    /* The broker's side. */
    bool refuses_links, silent, withholds_custody;
    uint8_t custody_reason;
    int32_t link_room;    /* bytes that link_send takes at once; 0 = all */
    uint32_t piece_bytes; /* of what the device is given at once; 0 = all */
    uint32_t link, peer, connections;
    bool link_asked, link_open, broker_closed;
    struct mqtt_session session;
    struct pipe to_device, to_broker;
    struct key_pair cloud_keys;
    uint32_t taken_count, said_count;
    struct taken taken[TAKEN_MAX];
    struct said said[LOG_MAX];
};

_Noreturn void check_failed(const char *file, int line, const char *what)
{
    fprintf(stderr, "%s:%d: CHECK failed: %s\n", file, line, what);
    exit(1);
}

/* The device's port. */

static enum err world_clock(void *ctx, struct clock_reading *now)
{
    const struct world *world = ctx;
    now->monotonic_us = world->now_us - world->booted_us;
    now->wall_us = world->wall_us;
    return world->powered ? ERR_OK : ERR_IO;
}

static enum err world_link_open(void *ctx, uint32_t peer, uint32_t *link)
{
    struct world *world = ctx;
    if (!world->powered) {
        return ERR_IO;
    }
    world->link++;
    world->peer = peer;
    world->link_asked = true;
    world->to_broker.size_bytes = 0;
    world->to_device.size_bytes = 0;
    *link = world->link;
    return ERR_OK;
}

static int32_t world_link_send(void *ctx, uint32_t link, const uint8_t *bytes, uint32_t size_bytes)
{
    struct world *world = ctx;
    if (!world->powered || !world->link_open || link != world->link) {
        return ERR_CLOSED;
    }
    uint32_t room = PIPE_BYTES - world->to_broker.size_bytes;
    if (world->link_room != 0) {
        const uint32_t limit = (uint32_t)world->link_room;
        room = limit > world->to_broker.size_bytes ? limit - world->to_broker.size_bytes : 0;
    }
    const uint32_t taken = size_bytes < room ? size_bytes : room;
    memcpy(world->to_broker.bytes + world->to_broker.size_bytes, bytes, taken);
    world->to_broker.size_bytes += taken;
    return (int32_t)taken;
}

static void world_link_close(void *ctx, uint32_t link)
{
    struct world *world = ctx;
    if (world->powered && link == world->link) {
        world->link_asked = false;
        world->link_open = false;
    }
}

static enum err world_flash_read(void *ctx, uint32_t offset, uint8_t *bytes, uint32_t size_bytes)
{
    const struct world *world = ctx;
    EXPECT(offset + size_bytes <= sizeof world->flash);
    memcpy(bytes, world->flash + offset, size_bytes);
    return world->powered ? ERR_OK : ERR_IO;
}

/* How many of size_bytes the operation does before the power goes; all if it stays. */
static uint32_t world_operation(struct world *world, uint32_t size_bytes)
{
    world->operations++;
    if (world->operations != world->cut_at) {
        return size_bytes;
    }
    world->powered = false;
    return world->cut == CUT_BEFORE ? 0 : world->cut == CUT_TORN ? size_bytes / 2 : size_bytes;
}

static enum err world_flash_program(void *ctx, uint32_t offset, const uint8_t *bytes,
                                    uint32_t size_bytes)
{
    struct world *world = ctx;
    if (!world->powered || world->flash_fails) {
        return ERR_IO;
    }
    EXPECT(offset + size_bytes <= sizeof world->flash);
    EXPECT(offset % world->port.flash.program_bytes == 0);
    EXPECT(size_bytes % world->port.flash.program_bytes == 0);
    const uint32_t done = world_operation(world, size_bytes);
    for (uint32_t i = 0; i < done; i++) {
        world->flash[offset + i] &= bytes[i];
    }
    return world->powered ? ERR_OK : ERR_IO;
}

static enum err world_flash_erase(void *ctx, uint32_t offset)
{
    struct world *world = ctx;
    if (!world->powered || world->flash_fails) {
        return ERR_IO;
    }
    EXPECT(offset % SECTOR_BYTES == 0 && offset < sizeof world->flash);
    memset(world->flash + offset, 0xFF, world_operation(world, SECTOR_BYTES));
    return world->powered ? ERR_OK : ERR_IO;
}

static enum err world_flash_sync(void *ctx)
{
    struct world *world = ctx;
    if (!world->powered || world->flash_fails) {
        return ERR_IO;
    }
    (void)world_operation(world, 0);
    return world->powered ? ERR_OK : ERR_IO;
}

static enum err world_entropy(void *ctx, uint8_t *bytes, uint32_t size_bytes)
{
    struct world *world = ctx;
    if (!world->powered || world->entropy_fails) {
        return ERR_IO;
    }
    spread(world->entropy++, bytes, size_bytes);
    return ERR_OK;
}

static enum err world_counter_read(void *ctx, enum port_counter counter, uint64_t *value)
{
    const struct world *world = ctx;
    *value = world->counters[counter];
    return world->powered ? ERR_OK : ERR_IO;
}

static enum err world_counter_increment(void *ctx, enum port_counter counter)
{
    struct world *world = ctx;
    if (!world->powered) {
        return ERR_IO;
    }
    world->counters[counter] += world_operation(world, 1);
    return world->powered ? ERR_OK : ERR_IO;
}

static void world_watchdog(void *ctx, uint64_t timeout_us)
{
    struct world *world = ctx;
    if (world->powered) {
        world->watchdog_us = timeout_us == 0 ? 0 : world->now_us + timeout_us;
    }
}

static enum reset_reason world_reset_reason(void *ctx)
{
    return ((const struct world *)ctx)->reason;
}

static void world_reset(void *ctx)
{
    struct world *world = ctx;
    world->resets++;
    world->reset_us = world->now_us;
}

static enum err world_sensor(void *ctx, uint32_t sensor, int32_t *value)
{
    const struct world *world = ctx;
    EXPECT_EQUAL(sensor, 0);
    *value = -40 + (int32_t)(world->now_us / SECOND);
    return world->powered && !world->sensor_fails ? ERR_OK : ERR_IO;
}

static void world_evidence(void *ctx, const struct evidence *evidence)
{
    struct world *world = ctx;
    if (!world->powered) {
        return;
    }
    EXPECT(world->said_count < LOG_MAX);
    EXPECT_EQUAL(evidence->device, DEVICE);
    world->said[world->said_count++] = (struct said){
        .time_us = world->now_us,
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
    struct world *world = ctx;
    EXPECT_EQUAL(link, world->link);
    EXPECT(size_bytes <= PIPE_BYTES - world->to_device.size_bytes);
    memcpy(world->to_device.bytes + world->to_device.size_bytes, bytes, size_bytes);
    world->to_device.size_bytes += size_bytes;
    return (int32_t)size_bytes;
}

static void broker_link_close(void *ctx, uint32_t link)
{
    struct world *world = ctx;
    EXPECT_EQUAL(link, world->link);
    world->broker_closed = true;
}

static enum err broker_entropy(void *ctx, uint8_t *bytes, uint32_t size_bytes)
{
    struct world *world = ctx;
    spread(mix(9, &world->now_us, sizeof world->now_us), bytes, size_bytes);
    return ERR_OK;
}

static void world_init(struct world *world)
{
    memset(world, 0, sizeof *world);
    memset(world->flash, 0xFF, sizeof world->flash);
    world->wall_us = 1700000000 * SECOND;
    world->port = (struct port){
        .ctx = world,
        .clock_read = world_clock,
        .link_open = world_link_open,
        .link_send = world_link_send,
        .link_close = world_link_close,
        .flash = {SECTOR_BYTES, SECTORS, 4, 0xFF},
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
    world->broker_port = world->port;
    world->broker_port.link_send = broker_link_send;
    world->broker_port.link_close = broker_link_close;
    world->broker_port.entropy = broker_entropy;
    struct device_config *config = &world->config;
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
    world->cloud_keys.seed[0] = CLOUD;
    EXPECT_EQUAL(fake_public_key(NULL, &config->keys), ERR_OK);
    EXPECT_EQUAL(fake_public_key(NULL, &world->cloud_keys), ERR_OK);
    memcpy(config->cloud_key, world->cloud_keys.public_key, KEY_BYTES);
}

/* Boot, after a loss of power or for the first time: RAM is garbage, links are gone. */
static void world_boot(struct world *world, enum reset_reason reason)
{
    memset(&world->device, 0xA5, sizeof world->device);
    world->booted_us = world->now_us;
    world->powered = true;
    world->reason = reason;
    world->resets = 0;
    world->watchdog_us = 0;
    world->link_asked = false;
    world->link_open = false;
    device_init(&world->device, &world->config, &world->port);
}

static void world_step(struct world *world, const struct event *event)
{
    if (world->powered) {
        world->steps++;
        device_step(&world->device, &world->port, event);
    }
}

static void broker_publish_taken(struct world *world, const struct mqtt_happening *publish)
{
    struct cose_sign1 parsed;
    struct telemetry telemetry;
    struct response response;
    EXPECT(world->taken_count < TAKEN_MAX);
    struct taken *taken = &world->taken[world->taken_count++];
    EXPECT_EQUAL(cose_parse(publish->payload.bytes, publish->payload.size_bytes, &parsed), ERR_OK);
    EXPECT_EQUAL(parsed.signer, DEVICE);
    EXPECT_EQUAL(cose_verify(&parsed, &world->broker_port, world->config.keys.public_key), ERR_OK);
    EXPECT_EQUAL(publish->topic.size_bytes, 3);
    EXPECT(memcmp(publish->topic.bytes, "t/7", 3) == 0);
    *taken = (struct taken){.time_us = world->now_us,
                            .connection = world->connections,
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
    if (publish->packet_id != 0 && !world->withholds_custody) {
        mqtt_session_puback(&world->session, &world->broker_port, publish->packet_id,
                            world->custody_reason);
    }
}

static void broker_take(struct world *world, const struct event *event)
{
    struct mqtt_input input = {event->bytes, event->size_bytes};
    struct mqtt_happening happening;
    do {
        mqtt_session_take(&world->session, &world->broker_port, world->now_us, event, &input,
                          &happening);
        if (happening.kind == MQTT_HAPPENED_CONNECT) {
            EXPECT_EQUAL(happening.client, DEVICE);
            mqtt_session_challenge(&world->session, &world->broker_port,
                                   world->config.keys.public_key);
        } else if (happening.kind == MQTT_HAPPENED_PUBLISH) {
            broker_publish_taken(world, &happening);
        }
    } while (happening.kind != MQTT_NOTHING && happening.kind != MQTT_HAPPENED_DOWN);
}

/* Deliver what is under way on the link; false when nothing was. */
static bool world_deliver(struct world *world)
{
    struct event event = {.link = world->link};
    if (world->link_asked) {
        world->link_asked = false;
        world->link_open = !world->refuses_links;
        world->broker_closed = false;
        event.kind = world->link_open ? EVENT_LINK_UP : EVENT_LINK_DOWN;
        if (world->link_open) {
            world->connections++;
            mqtt_session_open(&world->session, world->peer, world->link, world->now_us);
        }
        world_step(world, &event);
        return true;
    }
    if (world->to_broker.size_bytes > 0 && !world->silent) {
        static struct pipe whole;
        memcpy(whole.bytes, world->to_broker.bytes, world->to_broker.size_bytes);
        event.kind = EVENT_LINK_DATA;
        event.bytes = whole.bytes;
        event.size_bytes = world->to_broker.size_bytes;
        world->to_broker.size_bytes = 0;
        if (world->session.state != MQTT_SESSION_CLOSED) {
            broker_take(world, &event);
        }
        if (world->link_open && world->link_room != 0) {
            world_step(world, &(struct event){.kind = EVENT_LINK_WRITABLE, .link = world->link});
        }
        return true;
    }
    if (!world->link_open) {
        return false;
    }
    struct pipe *pipe = &world->to_device;
    if (pipe->size_bytes > 0) {
        const uint32_t piece = world->piece_bytes != 0 && world->piece_bytes < pipe->size_bytes
                                   ? world->piece_bytes
                                   : pipe->size_bytes;
        static struct pipe part;
        memcpy(part.bytes, pipe->bytes, piece);
        pipe->size_bytes -= piece;
        memmove(pipe->bytes, pipe->bytes + piece, pipe->size_bytes);
        event.kind = EVENT_LINK_DATA;
        event.bytes = part.bytes;
        event.size_bytes = piece;
        world_step(world, &event);
        return true;
    }
    if (world->broker_closed) {
        world->broker_closed = false;
        world->link_open = false;
        event.kind = EVENT_LINK_DOWN;
        world_step(world, &event);
        return true;
    }
    return false;
}

/* Run to this time, or until the power goes. A device that wants to be stepped for ever at one
 * moment fails the test. */
static void world_run(struct world *world, uint64_t until_us)
{
    uint32_t idle = 0;
    while (world->powered) {
        if (world_deliver(world)) {
            continue;
        }
        uint64_t at_us = device_deadline_us(&world->device);
        at_us = at_us > UINT64_MAX - world->booted_us ? UINT64_MAX : at_us + world->booted_us;
        if (at_us > until_us) {
            world->now_us = world->now_us > until_us ? world->now_us : until_us;
            return;
        }
        idle = at_us > world->now_us ? 0 : idle + 1;
        EXPECT(idle < 3);
        world->now_us = at_us > world->now_us ? at_us : world->now_us;
        EXPECT(world->watchdog_us == 0 || world->watchdog_us > world->now_us);
        world_step(world, &(struct event){.kind = EVENT_TIMEOUT});
    }
}

/* The link breaks: both ends learn of it, and what was under way is lost. */
static inline void world_break_link(struct world *world)
{
    EXPECT(world->link_open);
    world->to_broker.size_bytes = 0;
    world->to_device.size_bytes = 0;
    world->link_open = false;
    world_step(world, &(struct event){.kind = EVENT_LINK_DOWN, .link = world->link});
}

static inline void world_downlink(struct world *world, const struct envelope *envelope)
{
    EXPECT_EQUAL(world->session.state, MQTT_SESSION_READY);
    EXPECT_EQUAL(mqtt_session_publish(&world->session, &world->broker_port, "d/7", envelope->bytes,
                                      envelope->size_bytes),
                 ERR_OK);
    world_run(world, world->now_us);
}

/* What was said of this kind; with counter 0, of any counter. */
static inline uint32_t said_count(const struct world *world, enum evidence_kind kind,
                                  uint64_t counter)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < world->said_count; i++) {
        count += world->said[i].kind == kind && (counter == 0 || world->said[i].counter == counter)
                     ? 1
                     : 0;
    }
    return count;
}

/* The last of this kind; there must be one. */
static inline const struct said *said_last(const struct world *world, enum evidence_kind kind)
{
    uint32_t at = world->said_count;
    do {
        EXPECT(at > 0);
        at--;
    } while (world->said[at].kind != kind);
    return &world->said[at];
}

/* The world that the helpers below speak of. */
static struct world world;

/* What the n-th call for entropy since the world began makes of a bound. */
static inline uint64_t drawn(uint64_t ordinal, uint64_t bound)
{
    uint8_t bytes[8];
    uint64_t draw = 0;
    spread(ordinal, bytes, sizeof bytes);
    for (uint32_t i = 0; i < sizeof bytes; i++) {
        draw = draw << 8 | bytes[i];
    }
    return draw % bound;
}

static inline void begin(void)
{
    world_init(&world);
    world_boot(&world, RESET_POWER_ON);
}

/* When the first reading is due: world_boot drew for it first, then for the connection. */
static inline uint64_t first_sample_us(void)
{
    return drawn(0, world.config.sample_every_us);
}

static inline void run_samples(uint32_t count)
{
    world_run(&world, world.device.sample_at_us + world.booted_us +
                          (count - 1) * world.config.sample_every_us);
}

static inline struct envelope ack_of(uint32_t device, uint32_t epoch, uint64_t floor, uint32_t bits)
{
    uint8_t bitmap[2] = {(uint8_t)(bits & 0xFFu), (uint8_t)(bits >> 8)};
    const struct ack ack = {
        .device = device, .epoch = epoch, .floor = floor, .bitmap = bitmap, .bitmap_bytes = 2};
    struct envelope envelope;
    EXPECT_EQUAL(message_ack(&world.broker_port, &world.cloud_keys, CLOUD, &ack, &envelope),
                 ERR_OK);
    return envelope;
}

static inline void ack(uint64_t floor, uint32_t bits)
{
    const struct envelope envelope = ack_of(DEVICE, world.device.outbox.epoch, floor, bits);
    world_downlink(&world, &envelope);
}

static inline struct envelope challenge_of(uint8_t first)
{
    const struct challenge challenge = {.device = DEVICE, .nonce = {first}};
    struct envelope envelope;
    EXPECT_EQUAL(
        message_challenge(&world.broker_port, &world.cloud_keys, CLOUD, &challenge, &envelope),
        ERR_OK);
    return envelope;
}

static inline struct device_view view(void)
{
    struct device_view view;
    device_view(&world.device, &view);
    return view;
}

#endif
