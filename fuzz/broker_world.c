#include "fuzz/broker_world.h"

#include <string.h>

#include "core/evidence.h"

#define SECOND UINT64_C(1000000)

static const struct broker_config config = {.connections_max = 6,
                                            .sessions_max = 6,
                                            .subscriptions_max = 16,
                                            .messages_max = MESSAGES_MAX + 8,
                                            .copies_max = CLIENTS * FILTERS * MESSAGES_MAX,
                                            .retained_max = 1,
                                            .queue_max = FILTERS * MESSAGES_MAX,
                                            .session_expiry_max_s = 100000,
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
    REQUIRE(size_bytes > 0);
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

static void evidence(void *ctx, const struct evidence *said)
{
    (void)ctx;
    REQUIRE(said->kind < EVIDENCE_COUNT);
}

/* ---- steps ----------------------------------------------------------------------------------- */

void broker_world_step(struct broker_world *world, enum event_kind kind, uint32_t link,
                       const uint8_t *bytes, uint32_t size_bytes)
{
    const struct event event = {
        .kind = kind, .inbound = true, .link = link, .bytes = bytes, .size_bytes = size_bytes};
    broker_step(world->broker, &world->port, &event);
    REQUIRE(world->resets == 0);
    struct broker_view view;
    broker_view(world->broker, &view);
    REQUIRE(view.connections <= config.connections_max && view.sessions <= config.sessions_max);
    REQUIRE(view.copies <= config.copies_max && view.messages <= config.messages_max);
}

void broker_world_data(struct broker_world *world, uint32_t link, const uint8_t *bytes,
                       uint32_t size_bytes)
{
    for (uint32_t at = 0; at < size_bytes && pipe_of(world, link)->open;) {
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

void broker_world_init(struct broker_world *world, void *memory, uint32_t piece_bytes)
{
    world->port = (struct port){.ctx = world,
                                .clock_read = clock_read,
                                .link_send = link_send,
                                .link_close = link_close,
                                .entropy = entropy,
                                .reset = reset,
                                .evidence = evidence};
    world->broker = memory;
    world->piece_bytes = piece_bytes;
    world->now_us = 1000 * SECOND;
    world->entropy = 1;
    world->digest = 0;
    world->resets = world->link_count = world->message_count = world->stranger = 0;
    memset(world->clients, 0, sizeof world->clients);
    for (uint32_t number = 0; number < CLIENTS; number++) {
        world->clients[number].next_packet_id = 1;
        world->clients[number].ends_at_us = UINT64_MAX;
    }
    broker_init(world->broker, &config, &world->port);
}

/* ---- acts ------------------------------------------------------------------------------------ */

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
    for (uint32_t number = 0; number < CLIENTS; number++) {
        client_hear(world, number);
    }
}

void broker_world_act(struct broker_world *world, struct fuzz_input *input)
{
    static const uint32_t expiries_s[] = {0, 5, 100000, UINT32_MAX};
    const uint32_t act = fuzz_below(input, 16), number = fuzz_below(input, CLIENTS);
    const uint8_t choice = fuzz_byte(input);
    switch (act) {
    case 0:
        client_connect(world, number, (choice & 1) != 0, expiries_s[choice >> 1 & 3],
                       1 + (choice >> 3) % 4);
        break;
    case 1:
        client_break(world, number);
        break;
    case 2:
        client_disconnect(world, number);
        break;
    case 3:
    case 4:
        client_subscribe(world, number, choice % FILTERS, choice / FILTERS % 3);
        break;
    case 5:
        client_unsubscribe(world, number, choice % FILTERS);
        break;
    case 6:
    case 7:
    case 8:
        client_publish(world, number, choice & 1, (choice >> 1) % 3);
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
        if ((choice & 2) == 0) {
            client_publish_half(world, number, choice & 1);
        } else {
            client_publish_unheard(world, number, choice & 1, 1 + (choice >> 2 & 1));
        }
        break;
    default:
        if ((choice & 1) != 0) {
            strange(world, input);
        } else {
            client_ping(world, number);
        }
        break;
    }
    hear_all(world);
}

void broker_world_settle(struct broker_world *world)
{
    for (uint32_t number = 0; number < CLIENTS; number++) {
        struct client *client = &world->clients[number];
        block(world, number, false);
        client_hear(world, number);
        if (!client->connected) {
            client_connect(world, number, false, 100000, 4);
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
        for (uint32_t message = 0; client->connected && message < world->message_count; message++) {
            for (uint32_t filter = 0; filter < FILTERS; filter++) {
                const struct copy *copy = &client->copies[message][filter];
                REQUIRE(copy->qos == 0 || copy->state == COPY_NONE || copy->state == COPY_DONE);
            }
        }
        REQUIRE(!client->connected || (client->owed_count[0] == 0 && client->owed_count[1] == 0));
    }
}
