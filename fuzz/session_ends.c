/* The two ends of the fleet's connection, and what is required of what they say and tell. */
#include <string.h>

#include "core/evidence.h"
#include "core/test/fake_crypto.h"
#include "fuzz/session_world.h"

static uint8_t pipes[2][SESSION_PIPE_BYTES];

/* ---- the port -------------------------------------------------------------------------------- */

static void note(struct session_end *end, uint64_t value)
{
    end->digest = (end->digest ^ value) * UINT64_C(0x100000001B3);
}

static enum err link_open(void *ctx, uint32_t peer, uint32_t *link)
{
    REQUIRE(ctx == &session_world.device && peer == SESSION_GATEWAY);
    *link = session_world.link;
    return ERR_OK;
}

static int32_t link_send(void *ctx, uint32_t link, const uint8_t *bytes, uint32_t size_bytes)
{
    struct session_end *end = ctx;
    REQUIRE(link == session_world.link && size_bytes > 0);
    REQUIRE(end->up && !end->closed);
    if (end->failing) {
        return ERR_CLOSED;
    }
    uint32_t taken = size_bytes;
    if (end->limited) {
        taken = taken < end->room ? taken : end->room;
        end->room -= taken;
    }
    REQUIRE(taken <= SESSION_PIPE_BYTES - end->size_bytes);
    memcpy(end->bytes + end->size_bytes, bytes, taken);
    end->size_bytes += taken;
    for (uint32_t at = 0; at < taken; at++) {
        note(end, bytes[at]);
    }
    return (int32_t)taken;
}

static void link_close(void *ctx, uint32_t link)
{
    struct session_end *end = ctx;
    REQUIRE(link == session_world.link);
    end->closed = true;
}

static enum err entropy(void *ctx, uint8_t *bytes, uint32_t size_bytes)
{
    (void)ctx;
    if (session_world.entropy_fails) {
        return ERR_IO;
    }
    for (uint32_t at = 0; at < size_bytes; at++) {
        session_world.entropy = session_world.entropy * UINT64_C(6364136223846793005) + 1;
        bytes[at] = (uint8_t)(session_world.entropy >> 56);
    }
    return ERR_OK;
}

static void evidence(void *ctx, const struct evidence *said)
{
    (void)ctx;
    REQUIRE(said->kind < EVIDENCE_COUNT);
}

static void end_init(struct session_end *end, uint8_t *bytes)
{
    memset(end, 0, sizeof *end);
    end->bytes = bytes;
    end->port = (struct port){.ctx = end,
                              .link_open = link_open,
                              .link_send = link_send,
                              .link_close = link_close,
                              .entropy = entropy,
                              .crypto = fake_crypto(),
                              .evidence = evidence};
}

void session_ends_init(void)
{
    struct session_world *world = &session_world;
    end_init(&world->device, pipes[0]);
    end_init(&world->gateway, pipes[1]);
    world->keys.seed[0] = 1;
    REQUIRE(world->device.port.crypto.public_key(NULL, &world->keys) == ERR_OK);
    memcpy(world->enrolled, world->keys.public_key, KEY_BYTES);
    world->enrolled[0] ^= world->wrong_key;
    mqtt_client_init(&world->client, SESSION_CLIENT, world->keep_alive_s);
    memset(&world->session, 0, sizeof world->session);
}

/* ---- messages -------------------------------------------------------------------------------- */

static const char *topic_of(struct session_message message)
{
    static const char *const topics[] = {"a", "t/7/r", "b", "/a/topic/of/thirty-two/bytes/..."};
    return topics[message.choice % 4];
}

static uint32_t payload_of(struct session_message message, uint8_t bytes[MQTT_PACKET_BYTES_MAX])
{
    static const uint32_t sizes[] = {
        1, 5, 70, 300, MQTT_PACKET_BYTES_MAX / 2, 0, 128, MQTT_PACKET_BYTES_MAX};
    const uint32_t size_bytes = sizes[message.choice / 4 % 8];
    for (uint32_t at = 0; at < size_bytes; at++) {
        bytes[at] = (uint8_t)(((uint32_t)message.number >> (at % 2 * 8)) + at / 2 * 3);
    }
    return size_bytes;
}

static void require_same(struct session_message message, const struct mqtt_happening *happening)
{
    uint8_t bytes[MQTT_PACKET_BYTES_MAX];
    const struct mqtt_slice payload = {bytes, payload_of(message, bytes)};
    REQUIRE(mqtt_slice_equal(happening->topic, mqtt_text(topic_of(message))));
    REQUIRE(happening->payload.size_bytes == payload.size_bytes);
    REQUIRE(payload.size_bytes == 0 || mqtt_slice_equal(happening->payload, payload));
    REQUIRE((happening->packet_id != 0) == (message.qos > 0));
}

static void list_add(struct session_list *list, struct session_message message)
{
    REQUIRE(list->count < SESSION_MESSAGES_MAX);
    list->items[list->count++] = message;
}

static struct session_message list_pop(struct session_list *list)
{
    REQUIRE(list->count > 0);
    const struct session_message first = list->items[0];
    list->count--;
    memmove(list->items, list->items + 1, list->count * sizeof first);
    return first;
}

/* ---- what an end has sent ---------------------------------------------------------------------
 */

/* The identifiers of what the device has in flight are its own affair; what it acknowledges was
 * told to its role, in that order. */
static void require_sent_by_device(const struct mqtt_packet *packet)
{
    struct session_world *world = &session_world;
    switch (packet->type) {
    case MQTT_CONNECT:
        REQUIRE(packet->clean_start && packet->keep_alive_s == world->keep_alive_s);
        return;
    case MQTT_AUTH:
        world->device.signed_in = true;
        return;
    case MQTT_PUBLISH:
        REQUIRE(world->client_ready && packet->qos <= 1 && !packet->dup && !packet->retain);
        return;
    case MQTT_PUBACK:
        REQUIRE(world->told_count > 0 && world->told[0] == packet->packet_id);
        memmove(world->told, world->told + 1, --world->told_count * sizeof world->told[0]);
        return;
    case MQTT_PINGREQ:
    case MQTT_DISCONNECT:
        return;
    case MQTT_CONNACK:
    case MQTT_PUBREC:
    case MQTT_PUBREL:
    case MQTT_PUBCOMP:
    case MQTT_SUBSCRIBE:
    case MQTT_SUBACK:
    case MQTT_UNSUBSCRIBE:
    case MQTT_UNSUBACK:
    case MQTT_PINGRESP:
        break;
    }
    fuzz_failed(__FILE__, __LINE__, "a packet that a device sends");
}

/* A PUBACK for each message that the role has answered, in the order of arrival. */
static void require_sent_by_gateway(const struct mqtt_packet *packet)
{
    struct session_world *world = &session_world;
    switch (packet->type) {
    case MQTT_PUBACK:
        REQUIRE(world->owed_count > 0 && world->owed[0].packet_id == packet->packet_id);
        REQUIRE(world->owed[0].reason == packet->reason);
        memmove(world->owed, world->owed + 1, --world->owed_count * sizeof world->owed[0]);
        return;
    case MQTT_PUBLISH:
        REQUIRE(world->session_ready && packet->qos == 0);
        return;
    case MQTT_CONNACK:
        REQUIRE(packet->reason != MQTT_SUCCESS || !world->wrong_key);
        REQUIRE(!packet->session_present);
        return;
    case MQTT_DISCONNECT:
        REQUIRE(world->session_ready);
        return;
    case MQTT_AUTH:
    case MQTT_PINGRESP:
        return;
    case MQTT_CONNECT:
    case MQTT_PUBREC:
    case MQTT_PUBREL:
    case MQTT_PUBCOMP:
    case MQTT_SUBSCRIBE:
    case MQTT_SUBACK:
    case MQTT_UNSUBSCRIBE:
    case MQTT_UNSUBACK:
    case MQTT_PINGREQ:
        break;
    }
    fuzz_failed(__FILE__, __LINE__, "a packet that a gateway sends");
}

/* Read what it has sent, as far as packets are whole. */
static void hear(struct session_end *end)
{
    while (end->parsed_bytes < end->size_bytes) {
        struct mqtt_packet packet;
        const uint8_t *bytes = end->bytes + end->parsed_bytes;
        const uint32_t rest_bytes = end->size_bytes - end->parsed_bytes;
        uint32_t packet_bytes = 0;
        uint8_t reason = 0;
        const enum err err = mqtt_packet_size(bytes, rest_bytes, &packet_bytes, &reason);
        if (err == ERR_NOT_FOUND || (err == ERR_OK && packet_bytes > rest_bytes)) {
            REQUIRE(end->limited || end->failing || end->closed || !end->up); /* a part left */
            return;
        }
        REQUIRE(err == ERR_OK && mqtt_decode(bytes, packet_bytes, &packet, &reason) == ERR_OK);
        if (end == &session_world.device) {
            require_sent_by_device(&packet);
        } else {
            require_sent_by_gateway(&packet);
        }
        end->parsed_bytes += packet_bytes;
    }
}

/* Where the link takes what it is given, nothing that is due is held back. */
static void require_answered(struct session_end *end)
{
    hear(end);
    if (end->up && !end->limited && !end->failing) {
        REQUIRE(end->parsed_bytes == end->size_bytes);
        REQUIRE((end == &session_world.device ? session_world.told_count
                                              : session_world.owed_count) == 0);
    }
}

/* ---- what an end is told ----------------------------------------------------------------------
 */

/* The end knows that its connection is over. */
static void over(struct session_end *end)
{
    hear(end);
    end->up = false;
    REQUIRE(session_ends_deadline_us(end) == UINT64_MAX);
}

static void happened_down(struct session_end *end, const struct mqtt_happening *happening)
{
    REQUIRE(session_world.may_end);
    REQUIRE(!happening->refused || session_world.tainted || session_world.wrong_key);
    over(end);
}

static void happened_puback(const struct mqtt_happening *happening)
{
    struct session_world *world = &session_world;
    uint32_t index = 0;
    while (index < world->flight_count && world->flights[index].tag != happening->tag) {
        index++;
    }
    REQUIRE(index < world->flight_count);
    if (!world->tainted) {
        REQUIRE(index == 0 && world->flights[0].answered);
        REQUIRE(world->flights[0].reason == happening->reason);
    }
    world->flight_count--;
    memmove(world->flights + index, world->flights + index + 1,
            (world->flight_count - index) * sizeof world->flights[0]);
}

static void happen_to_device(const struct mqtt_happening *happening)
{
    struct session_world *world = &session_world;
    switch (happening->kind) {
    case MQTT_HAPPENED_READY:
        hear(&world->device);
        REQUIRE(world->device.signed_in || world->device.limited);
        REQUIRE(world->session_ready || world->tainted);
        world->client_ready = true;
        return;
    case MQTT_HAPPENED_PUBLISH:
        REQUIRE(world->client_ready);
        if (!world->tainted) {
            require_same(list_pop(&world->down), happening);
        }
        if (happening->packet_id != 0) {
            REQUIRE(world->told_count < sizeof world->told / sizeof world->told[0]);
            world->told[world->told_count++] = happening->packet_id;
        }
        return;
    case MQTT_HAPPENED_PUBACK:
        happened_puback(happening);
        return;
    case MQTT_HAPPENED_DOWN:
        happened_down(&world->device, happening);
        return;
    case MQTT_HAPPENED_CONNECT:
    case MQTT_NOTHING:
        break;
    }
    fuzz_failed(__FILE__, __LINE__, "something that happens to a device");
}

static void happened_publish(const struct mqtt_happening *happening)
{
    struct session_world *world = &session_world;
    struct session_message message = {0};
    REQUIRE(world->session_ready);
    if (!world->tainted) {
        message = list_pop(&world->up);
        require_same(message, happening);
    }
    if (happening->packet_id == 0) {
        return;
    }
    for (uint32_t i = 0; i < world->arrival_count; i++) {
        REQUIRE(world->arrivals[i].packet_id != happening->packet_id); /* not in use */
    }
    REQUIRE(world->arrival_count < MQTT_INFLIGHT_MAX);
    uint64_t tag = 0;
    for (uint32_t i = 0; !world->tainted && i < world->flight_count; i++) {
        if (world->flights[i].message.number == message.number) {
            tag = world->flights[i].tag;
        }
    }
    REQUIRE(tag != 0 || world->tainted);
    world->arrivals[world->arrival_count++] =
        (struct session_arrival){.packet_id = happening->packet_id, .tag = tag};
    if (world->answers_at_once) {
        session_ends_answer(world->arrival_count - 1, MQTT_SUCCESS);
    }
}

static void happen_to_gateway(const struct mqtt_happening *happening)
{
    struct session_world *world = &session_world;
    switch (happening->kind) {
    case MQTT_HAPPENED_CONNECT:
        REQUIRE(happening->client == SESSION_CLIENT || world->tainted);
        if (world->refuses) {
            mqtt_session_refuse(&world->session, &world->gateway.port, MQTT_SERVER_BUSY);
            REQUIRE(world->gateway.closed);
            over(&world->gateway);
        } else {
            mqtt_session_challenge(&world->session, &world->gateway.port, world->enrolled);
        }
        return;
    case MQTT_HAPPENED_READY:
        REQUIRE(world->device.signed_in && !world->wrong_key); /* nobody else can sign */
        REQUIRE(happening->client == SESSION_CLIENT);
        world->session_ready = true;
        return;
    case MQTT_HAPPENED_PUBLISH:
        happened_publish(happening);
        return;
    case MQTT_HAPPENED_DOWN:
        happened_down(&world->gateway, happening);
        return;
    case MQTT_HAPPENED_PUBACK:
    case MQTT_NOTHING:
        break;
    }
    fuzz_failed(__FILE__, __LINE__, "something that happens to a gateway");
}

static void take_piece(struct session_end *end, const struct event *event)
{
    struct session_world *world = &session_world;
    const bool device = end == &world->device;
    struct mqtt_input input = {event->bytes, event->size_bytes};
    for (uint32_t count = 0;; count++) {
        struct mqtt_happening happening;
        REQUIRE(count <= 1 + event->size_bytes); /* a happening takes a byte, or the end is one */
        if (device) {
            mqtt_client_take(&world->client, &end->port, &world->keys, world->now_us, event, &input,
                             &happening);
        } else {
            mqtt_session_take(&world->session, &end->port, world->now_us, event, &input,
                              &happening);
        }
        if (happening.kind == MQTT_NOTHING) {
            break;
        }
        note(end, (uint64_t)happening.kind << 32 | (uint64_t)happening.reason << 16 |
                      happening.packet_id);
        note(end, happening.tag << 16 | happening.payload.size_bytes);
        if (device) {
            happen_to_device(&happening);
        } else {
            happen_to_gateway(&happening);
        }
        hear(end);
    }
    REQUIRE(input.size_bytes == 0);
    require_answered(end);
}

void session_ends_take(struct session_end *end, enum event_kind kind, const uint8_t *bytes,
                       uint32_t size_bytes)
{
    uint32_t at = 0;
    do {
        uint32_t piece_bytes = size_bytes - at;
        if (session_world.piece_bytes > 0 && piece_bytes > session_world.piece_bytes) {
            piece_bytes = session_world.piece_bytes;
        }
        const struct event event = {.kind = kind,
                                    .link = session_world.link,
                                    .bytes = size_bytes > 0 ? bytes + at : NULL,
                                    .size_bytes = piece_bytes};
        if (end->up) {
            take_piece(end, &event);
        }
        at += piece_bytes;
    } while (at < size_bytes);
}

/* ---- what their roles do ----------------------------------------------------------------------
 */

void session_ends_open(void)
{
    struct session_world *world = &session_world;
    if (world->device.up) {
        return;
    }
    if (world->gateway.up) { /* it has not noticed: the same device is back */
        world->may_end = true;
        session_ends_close(&world->gateway, MQTT_SESSION_TAKEN_OVER);
    }
    if (world->device.size_bytes > 0) {
        world->old_bytes = world->device.size_bytes < sizeof world->old
                               ? world->device.size_bytes
                               : (uint32_t)sizeof world->old;
        memcpy(world->old, world->device.bytes, world->old_bytes);
    }
    struct session_end *ends[] = {&world->device, &world->gateway};
    for (int i = 0; i < 2; i++) {
        const uint64_t digest = ends[i]->digest;
        end_init(ends[i], ends[i]->bytes);
        ends[i]->digest = digest;
        ends[i]->up = true;
    }
    world->link++;
    world->receive_maximum = MQTT_INFLIGHT_MAX;
    world->tainted = world->client_ready = world->session_ready = false;
    world->may_end = world->wrong_key || world->refuses || world->entropy_fails;
    world->up.count = world->down.count = 0;
    world->flight_count = world->arrival_count = world->owed_count = world->told_count = 0;
    REQUIRE(mqtt_client_open(&world->client, &world->device.port, SESSION_GATEWAY, world->now_us) ==
            ERR_OK);
    mqtt_session_open(&world->session, SESSION_GATEWAY, world->link, world->now_us);
    session_ends_take(&world->gateway, EVENT_LINK_UP, NULL, 0);
    session_ends_take(&world->device, EVENT_LINK_UP, NULL, 0);
}

void session_ends_publish(struct session_end *end, uint8_t choice)
{
    struct session_world *world = &session_world;
    const bool device = end == &world->device;
    const bool ready = end->up && (device ? world->client_ready : world->session_ready);
    const struct session_message message = {++world->number, choice, device ? choice >> 7 : 0};
    uint8_t payload[MQTT_PACKET_BYTES_MAX];
    const uint32_t payload_bytes = payload_of(message, payload);
    const uint64_t tag = message.qos > 0 ? ++world->tag : 0;
    enum err err;
    if (device) { /* it may leave within the call */
        err = mqtt_client_publish(&world->client, &end->port, world->now_us, topic_of(message),
                                  payload, payload_bytes, tag);
    } else {
        err = mqtt_session_publish(&world->session, &end->port, topic_of(message), payload,
                                   payload_bytes);
    }
    note(end, (uint64_t)err);
    hear(end);
    if (!ready) {
        REQUIRE(err == ERR_CLOSED);
    } else if (err == ERR_OK) {
        REQUIRE(payload_bytes < MQTT_PACKET_BYTES_MAX);
        list_add(device ? &world->up : &world->down, message);
        if (tag != 0) {
            REQUIRE(world->flight_count < world->receive_maximum);
            world->flights[world->flight_count++] =
                (struct session_flight){.tag = tag, .message = message};
        }
    } else if (!world->tainted) { /* a broker that lies may have said any limit */
        REQUIRE(err != ERR_CLOSED || end->failing);
        REQUIRE(err != ERR_RANGE || payload_bytes == MQTT_PACKET_BYTES_MAX);
        REQUIRE(err != ERR_FULL || end->limited || world->flight_count == MQTT_INFLIGHT_MAX);
    }
}

void session_ends_answer(uint32_t nth, uint8_t reason)
{
    struct session_world *world = &session_world;
    uint32_t index = 0;
    for (; index < world->arrival_count; index++) {
        if (!world->arrivals[index].answered && nth-- == 0) {
            break;
        }
    }
    if (index == world->arrival_count || !world->gateway.up) {
        return;
    }
    struct session_arrival *arrival = &world->arrivals[index];
    arrival->answered = true;
    arrival->reason = reason;
    for (uint32_t i = 0; i < world->flight_count; i++) {
        if (!world->tainted && world->flights[i].tag == arrival->tag) {
            world->flights[i].answered = true;
            world->flights[i].reason = reason;
        }
    }
    const uint16_t packet_id = arrival->packet_id;
    uint32_t released = 0;
    while (released < world->arrival_count && world->arrivals[released].answered) {
        REQUIRE(world->owed_count < sizeof world->owed / sizeof world->owed[0]);
        world->owed[world->owed_count++] = world->arrivals[released++];
    }
    world->arrival_count -= released;
    memmove(world->arrivals, world->arrivals + released,
            world->arrival_count * sizeof world->arrivals[0]);
    mqtt_session_puback(&world->session, &world->gateway.port, packet_id, reason);
    require_answered(&world->gateway);
}

void session_ends_close(struct session_end *end, uint8_t reason)
{
    struct session_world *world = &session_world;
    if (!end->up) {
        return;
    }
    world->may_end = true;
    if (end == &world->device) {
        mqtt_client_close(&world->client, &end->port, reason);
    } else {
        mqtt_session_close(&world->session, &end->port, reason);
    }
    REQUIRE(end->closed);
    over(end);
}

uint64_t session_ends_deadline_us(const struct session_end *end)
{
    return end == &session_world.device ? mqtt_client_deadline_us(&session_world.client)
                                        : mqtt_session_deadline_us(&session_world.session);
}

void session_ends_timeout(struct session_end *end)
{
    struct session_world *world = &session_world;
    if (end == &world->gateway) {
        REQUIRE(world->may_end);
        session_ends_close(end, MQTT_KEEP_ALIVE_TIMEOUT);
    } else if (mqtt_client_timeout(&world->client, &end->port, world->now_us)) {
        REQUIRE(world->may_end && end->closed);
        over(end);
    }
    hear(end);
}
