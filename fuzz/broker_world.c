#include "fuzz/broker_world.h"

#include <string.h>

#include "core/evidence.h"

#define SECOND UINT64_C(1000000)

enum { DISK_SLOT = 4094 };

static const struct broker_config config = {.connections_max = 6,
                                            .sessions_max = 6,
                                            .subscriptions_max = 16,
                                            .messages_max = MESSAGES_MAX + 8,
                                            .copies_max = 1200,
                                            .retained_max = TOPICS,
                                            .queue_max = 400,
                                            .session_expiry_max_s = EXPIRY_MAX_S,
                                            .receive_maximum = RECEIVE_MAXIMUM};

/* ---- the port -------------------------------------------------------------------------------- */

static enum err clock_read(void *ctx, struct clock_reading *now)
{
    const struct broker_world *world = ctx;
    *now = (struct clock_reading){.monotonic_us = world->now_us};
    return ERR_OK;
}

static struct pipe *pipe_of(struct broker_world *world, uint32_t link)
{
    REQUIRE(link >= 1 && link <= world->link_count);
    return &world->pipes[link - 1];
}

static int32_t link_send(void *ctx, uint32_t link, const uint8_t *bytes, uint32_t size_bytes)
{
    struct broker_world *world = ctx;
    struct pipe *pipe = pipe_of(world, link);
    REQUIRE(size_bytes > 0 && !world->dead); /* nothing leaves before what it rests on is durable */
    if (!pipe->open) {
        return ERR_CLOSED;
    }
    if (pipe->blocked) {
        return 0;
    }
    REQUIRE(size_bytes <= PIPE_BYTES - pipe->size_bytes);
    memcpy(pipe->bytes + pipe->size_bytes, bytes, size_bytes);
    pipe->size_bytes += size_bytes;
    for (uint32_t i = 0; i < size_bytes; i++) {
        world->digest = (world->digest ^ bytes[i] ^ link << 8) * UINT64_C(0x100000001B3);
    }
    return (int32_t)size_bytes;
}

static void link_close(void *ctx, uint32_t link)
{
    pipe_of(ctx, link)->open = false;
}

static enum err entropy(void *ctx, uint8_t *bytes, uint32_t size_bytes)
{
    struct broker_world *world = ctx;
    for (uint32_t i = 0; i < size_bytes; i++) {
        world->entropy = world->entropy * UINT64_C(6364136223846793005) + 1;
        bytes[i] = (uint8_t)(world->entropy >> 56);
    }
    return ERR_OK;
}

static void reset(void *ctx)
{
    struct broker_world *world = ctx;
    world->resets++;
}

static enum disk_verdict on_disk(void *ctx, enum disk_operation operation, uint32_t file,
                                 uint64_t offset, const uint8_t *bytes, uint32_t size_bytes)
{
    static const enum disk_verdict deaths[] = {DISK_DIE_BEFORE, DISK_DIE_AFTER, DISK_DIE_TORN};
    struct broker_world *world = ctx;
    (void)operation;
    (void)file;
    (void)bytes;
    if (world->cut_in == 0 || --world->cut_in > 0) {
        return DISK_PROCEED;
    }
    world->dead = true;
    world->disk.torn_fraction = (uint16_t)(offset * 7 + size_bytes * 3);
    return deaths[(offset / 512 + world->message_count) % 3];
}

static void evidence(void *ctx, const struct evidence *said)
{
    (void)ctx;
    REQUIRE(said->kind < EVIDENCE_COUNT);
    REQUIRE(said->kind != EVIDENCE_DROP ||
            said->value != REFUSAL_DISK); /* it reads what it wrote */
}

/* ---- steps ----------------------------------------------------------------------------------- */

void broker_world_step(struct broker_world *world, enum event_kind kind, uint32_t link,
                       const uint8_t *bytes, uint32_t size_bytes)
{
    const struct event event = {.kind = kind,
                                .inbound = true,
                                .more = world->more,
                                .link = link,
                                .bytes = bytes,
                                .size_bytes = size_bytes};
    broker_step(world->broker, &world->port, &event);
    REQUIRE(world->resets == 0 || world->dead);
}

void broker_world_data(struct broker_world *world, uint32_t link, const uint8_t *bytes,
                       uint32_t size_bytes)
{
    for (uint32_t at = 0; at < size_bytes && pipe_of(world, link)->open && !world->dead;) {
        uint32_t piece_bytes = size_bytes - at;
        if (world->piece_bytes > 0 && piece_bytes > world->piece_bytes) {
            piece_bytes = world->piece_bytes;
        }
        broker_world_step(world, EVENT_LINK_DATA, link, bytes + at, piece_bytes);
        at += piece_bytes;
    }
}

uint32_t broker_world_link(struct broker_world *world)
{
    if (world->link_count == LINKS_MAX) {
        return 0;
    }
    struct pipe *pipe = &world->pipes[world->link_count++];
    pipe->open = true;
    pipe->blocked = false;
    pipe->size_bytes = 0;
    broker_world_step(world, EVENT_LINK_UP, world->link_count, NULL, 0);
    return world->link_count;
}

uint64_t broker_world_bytes(void)
{
    return broker_size_bytes(&config);
}

static void boot(struct broker_world *world)
{
    struct broker_config booted = config;
    booted.durable = world->durable;
    if (world->durable) {
        disk_reset_randomness();
    }
    broker_init(world->broker, &booted, &world->port);
    REQUIRE(world->resets == 0);
}

void broker_world_init(struct broker_world *world, void *memory, bool durable, uint32_t piece_bytes)
{
    static bool registered = false; /* the VFS is one per process */
    memset(world, 0, offsetof(struct broker_world, pipes));
    world->port = (struct port){.ctx = world,
                                .clock_read = clock_read,
                                .link_send = link_send,
                                .link_close = link_close,
                                .disk_vfs = DISK_VFS_NAME,
                                .disk_path = "disk4094/broker.db",
                                .entropy = entropy,
                                .reset = reset,
                                .evidence = evidence};
    _Static_assert(DISK_SLOT == 4094, "the path names it");
    world->broker = memory;
    world->durable = durable;
    world->piece_bytes = piece_bytes;
    world->now_us = 1000 * SECOND;
    world->entropy = 1;
    memset(world->retained, NOBODY, sizeof world->retained);
    for (uint32_t number = 0; number < CLIENTS; number++) {
        struct client *client = &world->clients[number];
        client->next_packet_id = 1;
        client->ends_at_us = client->will_at_us = UINT64_MAX;
    }
    if (durable) {
        if (!registered) {
            disk_vfs_register(false);
            registered = true;
        }
        const struct disk_hooks hooks = {.ctx = world, .operation = on_disk};
        disk_init(&world->disk, (struct disk_profile){0}, &hooks);
        disk_attach(&world->disk, DISK_SLOT);
        disk_set_current(&world->disk);
    }
    boot(world);
}

void broker_world_drop(struct broker_world *world)
{
    broker_drop(world->broker);
    if (world->durable) {
        disk_set_current(NULL);
        disk_detach(DISK_SLOT);
        disk_drop(&world->disk);
    }
}

void broker_world_restart(struct broker_world *world, bool power, uint64_t key)
{
    world->disk.faults.dead = true;
    broker_drop(world->broker);
    if (world->durable && power) {
        disk_power_loss(&world->disk, key);
    } else if (world->durable) {
        disk_crash(&world->disk);
    }
    world->disk.faults.dead = false;
    for (uint32_t link = 0; link < world->link_count; link++) {
        world->pipes[link].open = false;
    }
    world->stranger = world->resets = 0;
    boot(world);
    model_restart(world);
}

static void pass(struct broker_world *world, uint64_t seconds)
{
    const uint64_t end_us = world->now_us + seconds * SECOND;
    uint32_t wakes = 0;
    for (;;) {
        const uint64_t deadline_us = broker_deadline_us(world->broker);
        if (deadline_us > end_us) {
            break;
        }
        REQUIRE(++wakes < 1000); /* it does not spin */
        world->now_us = deadline_us > world->now_us ? deadline_us : world->now_us;
        broker_world_step(world, EVENT_TIMEOUT, 0, NULL, 0);
    }
    world->now_us = end_us;
    broker_world_step(world, EVENT_TIMEOUT, 0, NULL, 0); /* a wake-up too early, or at its time */
    model_tick(world);
}

static void block(struct broker_world *world, uint32_t number, bool blocked)
{
    struct client *client = &world->clients[number];
    if (!client->connected) {
        return;
    }
    client->blocked = client->blocked || blocked;
    pipe_of(world, client->link)->blocked = blocked;
    if (!blocked) {
        broker_world_step(world, EVENT_LINK_WRITABLE, client->link, NULL, 0);
    }
}

/* Any bytes, by somebody who is no client, on a link of its own; nobody else may notice. What
 * begins as a CONNECT is too short to be one, or it would be a client. */
static void strange(struct broker_world *world, struct fuzz_input *input)
{
    enum { CONNECT_BYTES_MIN = 15, FIRST_OF_CONNECT = 0x10 };
    size_t size_bytes = fuzz_byte(input);
    const uint8_t *bytes = fuzz_take(input, &size_bytes);
    if (size_bytes >= CONNECT_BYTES_MIN && bytes[0] == FIRST_OF_CONNECT) {
        size_bytes = CONNECT_BYTES_MIN - 1;
    }
    if (world->stranger != 0 && pipe_of(world, world->stranger)->open) {
        pipe_of(world, world->stranger)->open = false;
        broker_world_step(world, EVENT_LINK_DOWN, world->stranger, NULL, 0);
    }
    world->stranger = broker_world_link(world);
    if (world->stranger != 0 && size_bytes > 0) {
        broker_world_data(world, world->stranger, bytes, (uint32_t)size_bytes);
    }
}

static void hear_all(struct broker_world *world)
{
    struct broker_view view;
    broker_view(world->broker, &view);
    REQUIRE(view.connections <= config.connections_max && view.sessions <= config.sessions_max);
    REQUIRE(view.copies <= config.copies_max && view.messages <= config.messages_max);
    REQUIRE(view.retained <= config.retained_max);
    for (uint32_t number = 0; number < CLIENTS; number++) {
        client_hear(world, number);
    }
}

static void connect(struct broker_world *world, uint32_t number, uint8_t choice,
                    struct fuzz_input *input)
{
    static const uint32_t expiries_s[] = {0, 5, 100000, UINT32_MAX}, delays_s[] = {0, 3, 8, 200000};
    struct connect_options options = {.clean_start = (choice & 1) != 0,
                                      .expiry_s = expiries_s[choice >> 1 & 3],
                                      .receive_maximum = (uint16_t)(1 + (choice >> 3 & 3)),
                                      .alias_maximum = (choice >> 6) % (ALIASES + 1)};
    if ((choice & 32) != 0) {
        const uint8_t more = fuzz_byte(input);
        options.will = (struct will){.set = true, .delay_s = delays_s[more >> 5 & 3]};
        options.message = (struct message){.topic = more & 1,
                                           .qos = (more >> 1 & 3) % 3,
                                           .publisher = NOBODY,
                                           .retain = (more & 8) != 0,
                                           .empty = (more & 16) != 0};
    }
    client_connect(world, number, &options);
}

static void subscribe(struct broker_world *world, uint32_t number, uint8_t choice)
{
    const uint32_t filter = choice % FILTERS, more = choice / (FILTERS * 3);
    const struct record record = {.client = (uint8_t)number,
                                  .filter = (uint8_t)filter,
                                  .qos = choice / FILTERS % 3,
                                  .no_local = filter < FILTERS_PLAIN && (more & 1) != 0,
                                  .retain_as_published = (more & 2) != 0};
    client_subscribe(world, record, (uint8_t)((more >> 2) % 3));
}

static struct message message_of(uint32_t number, uint8_t choice)
{
    return (struct message){.topic = choice & 1,
                            .qos = (choice >> 1 & 3) % 3,
                            .publisher = (uint8_t)number,
                            .retain = (choice & 8) != 0,
                            .empty = (choice & 16) != 0};
}

/* The power goes meanwhile, or not. */
static void publish_group(struct broker_world *world, uint32_t number, uint8_t choice,
                          struct fuzz_input *input)
{
    struct message messages[GROUP_MAX];
    const uint32_t count = 1 + choice % GROUP_MAX;
    const uint32_t nth = choice / GROUP_MAX % 2 == 0 ? 0 : 1 + choice / GROUP_MAX / 2;
    for (uint32_t i = 0; i < count; i++) {
        messages[i] = message_of((number + i / 2) % CLIENTS, fuzz_byte(input));
        if (nth > 0) {
            messages[i].qos = messages[i].qos == 0 ? 1 : messages[i].qos;
            messages[i].retain = messages[i].empty = false;
        }
    }
    client_publish_group(world, messages, count, nth);
}

void broker_world_act(struct broker_world *world, struct fuzz_input *input)
{
    static const uint32_t expiries_s[] = {UINT32_MAX, UINT32_MAX, 0, 5};
    const uint32_t act = fuzz_below(input, 17), number = fuzz_below(input, CLIENTS);
    const uint8_t choice = fuzz_byte(input);
    switch (act) {
    case 0:
        connect(world, number, choice, input);
        break;
    case 1:
        client_break(world, number);
        break;
    case 2:
        client_disconnect(world, number, (choice & 1) != 0, expiries_s[choice >> 1 & 3]);
        break;
    case 3:
    case 4:
        subscribe(world, number, choice);
        break;
    case 5:
        client_unsubscribe(world, number, choice % FILTERS);
        break;
    case 6:
    case 7:
        client_publish(world, message_of(number, choice), (choice >> 5) % (ALIASES + 1u));
        break;
    case 8:
        publish_group(world, number, choice, input);
        break;
    case 9:
        client_release(world, number);
        break;
    case 10:
        (void)client_answer(world, number);
        break;
    case 11:
        (void)client_complete(world, number);
        break;
    case 12:
        pass(world, choice % 12);
        break;
    case 13:
        block(world, number, (choice & 1) != 0);
        break;
    case 14:
        if ((choice & 32) == 0) {
            client_publish_half(world, number, choice & 1);
        } else {
            client_publish_unheard(world, message_of(number, choice));
        }
        break;
    case 15:
        if ((choice & 1) != 0) {
            strange(world, input);
        } else {
            client_ping(world, number);
        }
        break;
    default:
        if ((choice & 2) == 0) {
            broker_world_restart(world, (choice & 1) != 0, choice);
        } else {
            const struct message message = {
                .topic = choice & 1, .qos = 1 + (choice >> 2 & 1), .publisher = (uint8_t)number};
            client_publish_group(world, &message, 1, 1 + (choice >> 3));
        }
        break;
    }
    hear_all(world);
}

void broker_world_settle(struct broker_world *world)
{
    static const struct connect_options options = {.expiry_s = EXPIRY_MAX_S, .receive_maximum = 4};
    for (uint32_t number = 0; number < CLIENTS; number++) {
        struct client *client = &world->clients[number];
        block(world, number, false);
        client_hear(world, number);
        if (!client->connected) {
            client_connect(world, number, &options);
            hear_all(world);
        }
        bool more = client->connected;
        for (uint32_t times = 0; more; times++) {
            REQUIRE(times < 8 * MESSAGES_MAX * FILTERS);
            client_release(world, number);
            more = client_answer(world, number);
            hear_all(world);
            more = client_complete(world, number) || more;
            hear_all(world);
        }
        REQUIRE(!client->connected || (client->owed_count[0] == 0 && client->owed_count[1] == 0));
    }
    model_require_done(world);
}
