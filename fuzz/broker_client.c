/* A client that keeps to the protocol, and what it requires of a broker. */
#include <string.h>

#include "core/mqtt/list.h"
#include "fuzz/broker_world.h"

enum { ACKS, ANSWERS };

static const char *const filters[FILTERS] = {"0", "1", "#"};
static const char *const topics[2] = {"0", "1"};
static const char *const names[CLIENTS] = {"a", "b", "c"};

/* ---- what is owed ---------------------------------------------------------------------------- */

static void owe(struct client *client, int list, struct owed owed)
{
    REQUIRE(client->owed_count[list] < OWED_MAX);
    client->owed[list][client->owed_count[list]++] = owed;
}

static struct owed paid(struct client *client, int list, const struct mqtt_packet *packet)
{
    REQUIRE(client->owed_count[list] > 0);
    const struct owed owed = client->owed[list][0];
    client->owed_count[list]--;
    memmove(client->owed[list], client->owed[list] + 1, client->owed_count[list] * sizeof owed);
    REQUIRE(owed.type == packet->type && owed.packet_id == packet->packet_id);
    REQUIRE(owed.any_reason || owed.reason == packet->reason);
    return owed;
}

static void session_over(struct client *client)
{
    client->session = client->deaf = false;
    memset(client->copies, 0, sizeof client->copies);
    memset(client->subscribed, 0, sizeof client->subscribed);
    memset(client->sent, 0, sizeof client->sent);
}

/* A session that nobody came back to in time is no more. */
static void expire(struct broker_world *world)
{
    for (uint32_t number = 0; number < CLIENTS; number++) {
        struct client *client = &world->clients[number];
        if (client->session && !client->connected && client->ends_at_us <= world->now_us) {
            session_over(client);
        }
    }
}

void client_down(struct broker_world *world, uint32_t number)
{
    struct client *client = &world->clients[number];
    if (!client->connected) {
        return;
    }
    client->deaf = client->deaf || client->blocked;
    client->connected = client->blocked = false;
    client->owed_count[ACKS] = client->owed_count[ANSWERS] = 0;
    client->ends_at_us = world->now_us + client->expiry_s * UINT64_C(1000000);
    expire(world);
}

/* A message by the publisher: who is to have it? True: somebody is. */
static bool expect_message(struct broker_world *world, uint32_t message, uint32_t topic,
                           uint8_t qos)
{
    bool wanted = false;
    expire(world);
    for (uint32_t number = 0; number < CLIENTS; number++) {
        struct client *client = &world->clients[number];
        for (uint32_t filter = 0; client->session && filter < FILTERS; filter++) {
            if (client->subscribed[filter] && (filter == topic || filter == 2)) {
                const uint8_t granted = client->granted[filter];
                wanted = true;
                client->copies[message][filter] =
                    (struct copy){.state = COPY_OWED, .qos = granted < qos ? granted : qos};
            }
        }
    }
    return wanted;
}

/* ---- what it says ---------------------------------------------------------------------------- */

static void say(struct broker_world *world, uint32_t number, const struct mqtt_packet *packet)
{
    uint8_t bytes[256];
    uint32_t size_bytes = sizeof bytes;
    REQUIRE(mqtt_encode(packet, bytes, &size_bytes) == ERR_OK);
    broker_world_data(world, world->clients[number].link, bytes, size_bytes);
}

static void say_short(struct broker_world *world, uint32_t number, enum mqtt_type type,
                      uint16_t packet_id)
{
    struct mqtt_packet packet;
    mqtt_packet_init(&packet, type);
    packet.packet_id = packet_id;
    say(world, number, &packet);
}

static struct mqtt_packet publish_of(uint32_t topic, const uint8_t *number, uint8_t qos,
                                     uint16_t packet_id)
{
    struct mqtt_packet packet;
    mqtt_packet_init(&packet, MQTT_PUBLISH);
    packet.topic = mqtt_text(topics[topic]);
    packet.payload = (struct mqtt_slice){number, 1};
    packet.qos = qos;
    packet.packet_id = packet_id;
    return packet;
}

/* On a new connection with the old session: what was not seen through, once more. */
static void say_again(struct broker_world *world, uint32_t number)
{
    struct client *client = &world->clients[number];
    for (uint32_t i = 0; i < OUTBOX && client->connected; i++) {
        struct sent *sent = &client->sent[i];
        if (!sent->used) {
            continue;
        }
        if (sent->received) {
            owe(client, ANSWERS, (struct owed){MQTT_PUBCOMP, sent->packet_id, true, 0});
            say_short(world, number, MQTT_PUBREL, sent->packet_id);
        } else {
            /* QoS 1 may come twice; QoS 2 with a number that nobody is to see. */
            const uint8_t unseen = MESSAGES_MAX;
            struct mqtt_packet packet = publish_of(0, &unseen, sent->qos, sent->packet_id);
            if (sent->qos == 1) {
                sent->used = false; /* given up: the broker has had it */
                continue;
            }
            packet.dup = true;
            owe(client, ACKS, (struct owed){MQTT_PUBREC, sent->packet_id, true, 0});
            say(world, number, &packet);
        }
    }
}

void client_connect(struct broker_world *world, uint32_t number, bool clean_start,
                    uint32_t expiry_s, uint32_t receive_maximum)
{
    struct client *client = &world->clients[number];
    const uint32_t link = broker_world_link(world), old_link = client->link;
    if (link == 0) {
        return;
    }
    if (client->connected) { /* taken over */
        client->link = old_link;
        client_down(world, number);
    }
    expire(world);
    if (clean_start) {
        session_over(client);
    }
    const bool present = client->session;
    client->link = link;
    client->connected = client->session = true;
    client->connection++;
    client->expiry_s = expiry_s < 100000 ? expiry_s : 100000;
    client->receive_maximum = receive_maximum;
    struct mqtt_packet packet;
    mqtt_packet_init(&packet, MQTT_CONNECT);
    packet.client_id = mqtt_text(names[number]);
    packet.clean_start = clean_start;
    packet.properties.session_expiry_s = expiry_s;
    packet.properties.receive_maximum = (uint16_t)receive_maximum;
    packet.properties.present =
        MQTT_PROPERTY_BIT(MQTT_SESSION_EXPIRY_INTERVAL) | MQTT_PROPERTY_BIT(MQTT_RECEIVE_MAXIMUM);
    owe(client, ANSWERS, (struct owed){MQTT_CONNACK, present, false, 0});
    say(world, number, &packet);
    client_hear(world, number);
    REQUIRE(client->connected && client->owed_count[ANSWERS] == 0);
    say_again(world, number);
}

void client_break(struct broker_world *world, uint32_t number)
{
    struct client *client = &world->clients[number];
    if (client->connected) {
        world->pipes[client->link - 1].open = false;
        world->pipes[client->link - 1].size_bytes = 0;
        broker_world_step(world, EVENT_LINK_DOWN, client->link, NULL, 0);
        client_down(world, number);
    }
}

void client_disconnect(struct broker_world *world, uint32_t number)
{
    if (world->clients[number].connected) {
        say_short(world, number, MQTT_DISCONNECT, 0);
        REQUIRE(!world->pipes[world->clients[number].link - 1].open);
        client_down(world, number);
    }
}

void client_ping(struct broker_world *world, uint32_t number)
{
    struct client *client = &world->clients[number];
    if (client->connected && client->owed_count[ANSWERS] < OWED_MAX) {
        owe(client, ANSWERS, (struct owed){MQTT_PINGRESP, 0, false, 0});
        say_short(world, number, MQTT_PINGREQ, 0);
    }
}

/* An identifier that nothing of this client's uses. */
static uint16_t free_id(struct client *client)
{
    for (;;) {
        const uint16_t packet_id = client->next_packet_id;
        client->next_packet_id = packet_id == 6 ? 1 : packet_id + 1; /* a wrap that is common */
        bool used = false;
        for (uint32_t i = 0; i < OUTBOX; i++) {
            used = used || (client->sent[i].used && client->sent[i].packet_id == packet_id);
        }
        if (!used) {
            return packet_id;
        }
    }
}

void client_subscribe(struct broker_world *world, uint32_t number, uint32_t filter, uint8_t qos)
{
    struct client *client = &world->clients[number];
    uint8_t bytes[64], more[8];
    struct mqtt_list list = {bytes, sizeof bytes, 0}, identifiers = {more, sizeof more, 0};
    const struct mqtt_subscription wanted = {.filter = mqtt_text(filters[filter]), .qos = qos};
    struct mqtt_packet packet;
    if (!client->connected || client->owed_count[ANSWERS] == OWED_MAX) {
        return;
    }
    mqtt_packet_init(&packet, MQTT_SUBSCRIBE);
    packet.packet_id = free_id(client);
    REQUIRE(mqtt_list_subscription(&list, &wanted) == ERR_OK);
    REQUIRE(mqtt_list_subscription_identifier(&identifiers, filter + 1) == ERR_OK);
    packet.payload = mqtt_list_slice(&list);
    packet.properties.repeated = mqtt_list_slice(&identifiers);
    packet.properties.present = MQTT_PROPERTY_BIT(MQTT_SUBSCRIPTION_IDENTIFIER);
    owe(client, ANSWERS, (struct owed){MQTT_SUBACK, packet.packet_id, false, qos});
    client->subscribed[filter] = true;
    client->granted[filter] = qos;
    say(world, number, &packet);
}

void client_unsubscribe(struct broker_world *world, uint32_t number, uint32_t filter)
{
    struct client *client = &world->clients[number];
    uint8_t bytes[64];
    struct mqtt_list list = {bytes, sizeof bytes, 0};
    struct mqtt_packet packet;
    if (!client->connected || client->owed_count[ANSWERS] == OWED_MAX) {
        return;
    }
    mqtt_packet_init(&packet, MQTT_UNSUBSCRIBE);
    packet.packet_id = free_id(client);
    REQUIRE(mqtt_list_filter(&list, mqtt_text(filters[filter])) == ERR_OK);
    packet.payload = mqtt_list_slice(&list);
    const uint8_t reason = client->subscribed[filter] ? 0 : MQTT_NO_SUBSCRIPTION_EXISTED;
    owe(client, ANSWERS, (struct owed){MQTT_UNSUBACK, packet.packet_id, false, reason});
    client->subscribed[filter] = false;
    say(world, number, &packet);
}

void client_publish(struct broker_world *world, uint32_t number, uint32_t topic, uint8_t qos)
{
    struct client *client = &world->clients[number];
    struct sent *room = NULL;
    uint32_t open = 0;
    for (uint32_t i = 0; i < OUTBOX; i++) {
        open += client->sent[i].used;
        room = client->sent[i].used ? room : &client->sent[i];
    }
    if (!client->connected || world->message_count == MESSAGES_MAX ||
        (qos > 0 && (room == NULL || open >= RECEIVE_MAXIMUM))) {
        return;
    }
    const uint8_t message = (uint8_t)world->message_count++;
    const uint16_t packet_id = qos > 0 ? free_id(client) : 0;
    const bool wanted = expect_message(world, message, topic, qos);
    const struct mqtt_packet packet = publish_of(topic, &message, qos, packet_id);
    if (qos > 0) {
        *room = (struct sent){.used = true, .qos = qos, .packet_id = packet_id};
        owe(client, ACKS,
            (struct owed){qos == 1 ? MQTT_PUBACK : MQTT_PUBREC, packet_id, false,
                          wanted ? MQTT_SUCCESS : MQTT_NO_MATCHING_SUBSCRIBERS});
    }
    say(world, number, &packet);
}

/* The link breaks before the client has heard of it: the broker has the message, the answer is
 * lost. */
void client_publish_unheard(struct broker_world *world, uint32_t number, uint32_t topic,
                            uint8_t qos)
{
    world->clients[number].deaf = true;
    client_publish(world, number, topic, qos);
    client_break(world, number);
}

/* All of a PUBLISH but its last byte, and then the link breaks: nobody is to have it. */
void client_publish_half(struct broker_world *world, uint32_t number, uint32_t topic)
{
    struct client *client = &world->clients[number];
    const uint8_t unseen = MESSAGES_MAX;
    const struct mqtt_packet packet = publish_of(topic, &unseen, 0, 0);
    uint8_t bytes[64];
    uint32_t size_bytes = sizeof bytes;
    if (client->connected) {
        REQUIRE(mqtt_encode(&packet, bytes, &size_bytes) == ERR_OK);
        broker_world_data(world, client->link, bytes, size_bytes - 1);
        client_break(world, number);
    }
}

void client_release(struct broker_world *world, uint32_t number)
{
    struct client *client = &world->clients[number];
    for (uint32_t i = 0; i < OUTBOX && client->connected; i++) {
        struct sent *sent = &client->sent[i];
        bool owed = false;
        for (uint32_t at = 0; at < client->owed_count[ANSWERS]; at++) {
            owed = owed || (client->owed[ANSWERS][at].type == MQTT_PUBCOMP &&
                            client->owed[ANSWERS][at].packet_id == sent->packet_id);
        }
        if (sent->used && sent->received && !owed) {
            owe(client, ANSWERS, (struct owed){MQTT_PUBCOMP, sent->packet_id, false, 0});
            say_short(world, number, MQTT_PUBREL, sent->packet_id);
            return;
        }
    }
}

/* Only what came on this connection: of the rest the broker has still to speak. */
static struct copy *copy_in(struct client *client, enum copy_state state)
{
    for (uint32_t message = 0; message < MESSAGES_MAX; message++) {
        for (uint32_t filter = 0; filter < FILTERS; filter++) {
            struct copy *copy = &client->copies[message][filter];
            if (copy->state == state && copy->heard == client->connection) {
                return copy;
            }
        }
    }
    return NULL;
}

bool client_answer(struct broker_world *world, uint32_t number)
{
    struct client *client = &world->clients[number];
    struct copy *copy = client->connected ? copy_in(client, COPY_INFLIGHT) : NULL;
    if (copy == NULL) {
        return false;
    }
    copy->state = copy->qos == 1 ? COPY_DONE : COPY_TAKEN;
    say_short(world, number, copy->qos == 1 ? MQTT_PUBACK : MQTT_PUBREC, copy->packet_id);
    return true;
}

bool client_complete(struct broker_world *world, uint32_t number)
{
    struct client *client = &world->clients[number];
    struct copy *copy = client->connected ? copy_in(client, COPY_RELEASED) : NULL;
    if (copy == NULL) {
        return false;
    }
    copy->state = COPY_DONE;
    say_short(world, number, MQTT_PUBCOMP, copy->packet_id);
    return true;
}

/* ---- what it hears --------------------------------------------------------------------------- */

static struct copy *copy_of_id(struct client *client, uint16_t packet_id)
{
    for (uint32_t message = 0; message < MESSAGES_MAX; message++) {
        for (uint32_t filter = 0; filter < FILTERS; filter++) {
            struct copy *copy = &client->copies[message][filter];
            if (copy->packet_id == packet_id && copy->state >= COPY_INFLIGHT &&
                copy->state <= COPY_RELEASED) {
                return copy;
            }
        }
    }
    return NULL;
}

static void hear_publish(struct client *client, const struct mqtt_packet *packet)
{
    struct mqtt_slice rest = packet->properties.repeated;
    uint32_t identifier = 0, open = 0;
    REQUIRE(packet->payload.size_bytes == 1);
    const uint32_t message = packet->payload.bytes[0];
    REQUIRE(message < MESSAGES_MAX);
    REQUIRE(mqtt_subscription_identifier_next(&rest, &identifier) && identifier <= FILTERS);
    const uint32_t filter = identifier - 1;
    struct copy *copy = &client->copies[message][filter];
    REQUIRE(copy->qos == packet->qos);
    if (packet->qos == 0) {
        REQUIRE(copy->state == COPY_OWED);
        copy->state = COPY_DONE;
    } else if (!packet->dup) {
        REQUIRE(copy->state == COPY_OWED);
        REQUIRE(copy_of_id(client, packet->packet_id) == NULL); /* not in use */
        copy->packet_id = packet->packet_id;
        copy->state = COPY_INFLIGHT;
    } else if (copy->state == COPY_OWED) { /* the first time that it gets here */
        REQUIRE(client->deaf && copy_of_id(client, packet->packet_id) == NULL);
        copy->packet_id = packet->packet_id;
        copy->state = COPY_INFLIGHT;
    } else { /* again, on another connection, and unanswered */
        REQUIRE(copy->state == COPY_INFLIGHT && copy->packet_id == packet->packet_id);
        REQUIRE(copy->connection != client->connection);
    }
    copy->connection = copy->heard = client->connection;
    for (uint32_t i = 0; i < MESSAGES_MAX; i++) {
        for (uint32_t j = 0; j < FILTERS; j++) {
            const struct copy *other = &client->copies[i][j];
            open += other->qos > 0 && other->connection == client->connection &&
                    other->state >= COPY_INFLIGHT && other->state <= COPY_RELEASED;
        }
    }
    REQUIRE(open <= client->receive_maximum);
}

static struct sent *sent_of(struct client *client, uint16_t packet_id)
{
    for (uint32_t i = 0; i < OUTBOX; i++) {
        if (client->sent[i].used && client->sent[i].packet_id == packet_id) {
            return &client->sent[i];
        }
    }
    return NULL;
}

static void hear_ack(struct client *client, const struct mqtt_packet *packet)
{
    struct sent *sent = sent_of(client, packet->packet_id);
    (void)paid(client, packet->type == MQTT_PUBCOMP ? ANSWERS : ACKS, packet);
    REQUIRE(sent != NULL);
    if (packet->type == MQTT_PUBREC) {
        REQUIRE(packet->reason < MQTT_UNSPECIFIED_ERROR);
        sent->received = true;
    } else {
        sent->used = false;
    }
}

static void hear_one(struct broker_world *world, uint32_t number, struct mqtt_packet *packet)
{
    struct client *client = &world->clients[number];
    struct copy *copy;
    switch (packet->type) {
    case MQTT_CONNACK:
        packet->packet_id = packet->session_present;
        (void)paid(client, ANSWERS, packet);
        return;
    case MQTT_SUBACK:
    case MQTT_UNSUBACK:
        REQUIRE(packet->payload.size_bytes == 1);
        packet->reason = packet->payload.bytes[0];
        (void)paid(client, ANSWERS, packet);
        return;
    case MQTT_PINGRESP:
        (void)paid(client, ANSWERS, packet);
        return;
    case MQTT_PUBLISH:
        hear_publish(client, packet);
        return;
    case MQTT_PUBACK:
    case MQTT_PUBREC:
    case MQTT_PUBCOMP:
        hear_ack(client, packet);
        return;
    case MQTT_PUBREL:
        copy = copy_of_id(client, packet->packet_id);
        REQUIRE(copy != NULL && packet->reason == MQTT_SUCCESS);
        REQUIRE(copy->state == COPY_TAKEN || copy->state == COPY_RELEASED);
        copy->state = COPY_RELEASED;
        copy->heard = client->connection;
        return;
    case MQTT_DISCONNECT:
        REQUIRE(client->blocked); /* only who does not read is sent away */
        return;
    case MQTT_CONNECT:
    case MQTT_SUBSCRIBE:
    case MQTT_UNSUBSCRIBE:
    case MQTT_PINGREQ:
    case MQTT_AUTH:
        break;
    }
    fuzz_failed(__FILE__, __LINE__, "a packet that servers send");
}

void client_hear(struct broker_world *world, uint32_t number)
{
    struct client *client = &world->clients[number];
    if (!client->connected) {
        return;
    }
    struct pipe *pipe = &world->pipes[client->link - 1];
    uint32_t at = 0;
    while (at < pipe->size_bytes) {
        struct mqtt_packet packet;
        uint32_t packet_bytes = 0;
        uint8_t reason = 0;
        REQUIRE(mqtt_packet_size(pipe->bytes + at, pipe->size_bytes - at, &packet_bytes, &reason) ==
                ERR_OK);
        REQUIRE(packet_bytes <= pipe->size_bytes - at); /* this port takes all or nothing */
        REQUIRE(mqtt_decode(pipe->bytes + at, packet_bytes, &packet, &reason) == ERR_OK);
        hear_one(world, number, &packet);
        at += packet_bytes;
    }
    pipe->size_bytes = 0;
    if (!pipe->open) {
        REQUIRE(client->blocked);
        client_down(world, number);
    }
}
