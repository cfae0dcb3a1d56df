/* What a client does that keeps to the protocol. */
#include <string.h>

#include "fuzz/broker_world.h"

static const char *const filters[FILTERS] = {"0", "1", "#", "$share/s/0", "$share/s/#"};
static const char *const topics[TOPICS] = {"0", "1"};
static const char *const names[CLIENTS] = {"a", "b", "c"};

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

/* number: borrowed, as long as the packet. */
static struct mqtt_packet publish_of(struct message message, const uint8_t *number,
                                     uint16_t packet_id)
{
    struct mqtt_packet packet;
    mqtt_packet_init(&packet, MQTT_PUBLISH);
    packet.topic = mqtt_text(topics[message.topic]);
    packet.payload = (struct mqtt_slice){number, !message.empty};
    packet.properties.correlation_data = (struct mqtt_slice){number, 1};
    packet.properties.present = MQTT_PROPERTY_BIT(MQTT_CORRELATION_DATA);
    packet.qos = message.qos;
    packet.retain = message.retain;
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
            client_owe(client, ANSWERS, (struct owed){MQTT_PUBCOMP, sent->packet_id, true, 0});
            say_short(world, number, MQTT_PUBREL, sent->packet_id);
        } else if (sent->qos == 1) {
            sent->used = false;  /* given up: it might come twice, and the broker has had it */
        } else if (sent->torn) { /* it is to come once, whether the broker has had it or not */
            const struct message message = world->messages[sent->message];
            struct mqtt_packet packet = publish_of(message, &sent->message, sent->packet_id);
            packet.dup = true;
            world->order++;
            model_route_maybe(world, sent->message);
            client_owe(client, ACKS, (struct owed){MQTT_PUBREC, sent->packet_id, true, 0});
            sent->torn = false;
            say(world, number, &packet);
        } else { /* the broker has had it: nobody is to see this number */
            const uint8_t unseen = MESSAGES_MAX;
            struct mqtt_packet packet =
                publish_of((struct message){.qos = 2}, &unseen, sent->packet_id);
            packet.dup = true;
            client_owe(client, ACKS, (struct owed){MQTT_PUBREC, sent->packet_id, true, 0});
            say(world, number, &packet);
        }
    }
}

/* ---- connections ------------------------------------------------------------------------------
 */

void client_down(struct broker_world *world, uint32_t number)
{
    struct client *client = &world->clients[number];
    if (!client->connected) {
        return;
    }
    client->deaf = client->deaf || client->blocked;
    client->connected = client->blocked = false;
    client->owed_count[ACKS] = client->owed_count[ANSWERS] = 0;
    model_leave(world, number);
}

static void say_connect(struct broker_world *world, uint32_t number,
                        const struct connect_options *options)
{
    const struct will *will = &world->clients[number].will;
    struct mqtt_packet packet;
    struct mqtt_properties properties;
    uint8_t bytes[32];
    uint32_t size_bytes = sizeof bytes;
    mqtt_packet_init(&packet, MQTT_CONNECT);
    packet.client_id = mqtt_text(names[number]);
    packet.clean_start = options->clean_start;
    packet.properties.session_expiry_s = options->expiry_s;
    packet.properties.receive_maximum = options->receive_maximum;
    packet.properties.topic_alias_maximum = options->alias_maximum;
    packet.properties.present = MQTT_PROPERTY_BIT(MQTT_SESSION_EXPIRY_INTERVAL) |
                                MQTT_PROPERTY_BIT(MQTT_RECEIVE_MAXIMUM) |
                                MQTT_PROPERTY_BIT(MQTT_TOPIC_ALIAS_MAXIMUM);
    if (will->set) {
        const struct mqtt_packet message = publish_of(options->message, &will->message, 0);
        packet.will = true;
        packet.topic = message.topic;
        packet.payload = message.payload;
        packet.qos = message.qos;
        packet.retain = message.retain;
        mqtt_properties_init(&properties);
        properties.correlation_data = message.properties.correlation_data;
        properties.will_delay_s = will->delay_s;
        properties.present =
            MQTT_PROPERTY_BIT(MQTT_CORRELATION_DATA) | MQTT_PROPERTY_BIT(MQTT_WILL_DELAY_INTERVAL);
        REQUIRE(mqtt_encode_will_properties(&properties, bytes, &size_bytes) == ERR_OK);
        packet.will_properties = (struct mqtt_slice){bytes, size_bytes};
    }
    say(world, number, &packet);
}

void client_connect(struct broker_world *world, uint32_t number,
                    const struct connect_options *options)
{
    struct client *client = &world->clients[number];
    const uint32_t link = broker_world_link(world);
    if (link == 0) {
        return;
    }
    world->order++;
    client_down(world, number); /* taken over */
    if (options->clean_start) {
        model_session_over(world, number);
    }
    const bool present = client->session;
    client->link = link;
    client->connected = client->session = true;
    client->connection++;
    client->ends_at_us = client->will_at_us = UINT64_MAX; /* it came back in time */
    client->expiry_s = options->expiry_s < EXPIRY_MAX_S ? options->expiry_s : EXPIRY_MAX_S;
    client->lasting = client->lasting || client->expiry_s > 0;
    client->receive_maximum = options->receive_maximum;
    client->alias_maximum = options->alias_maximum;
    memset(client->alias_said, 0, sizeof client->alias_said);
    memset(client->alias_heard, 0, sizeof client->alias_heard);
    client->will = options->will;
    if (client->will.set) {
        client->will.message = model_message(world, options->message);
        client->will.set = client->will.message != NOBODY;
    }
    client_owe(client, ANSWERS, (struct owed){MQTT_CONNACK, present, false, 0});
    say_connect(world, number, options);
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
        world->order++;
        broker_world_step(world, EVENT_LINK_DOWN, client->link, NULL, 0);
        client_down(world, number);
    }
}

void client_disconnect(struct broker_world *world, uint32_t number, bool with_will,
                       uint32_t expiry_s)
{
    struct client *client = &world->clients[number];
    struct mqtt_packet packet;
    if (!client->connected) {
        return;
    }
    mqtt_packet_init(&packet, MQTT_DISCONNECT);
    packet.reason = with_will ? MQTT_DISCONNECT_WITH_WILL : MQTT_SUCCESS;
    if (expiry_s != UINT32_MAX && (expiry_s == 0 || client->expiry_s > 0)) {
        packet.properties.session_expiry_s = expiry_s;
        packet.properties.present = MQTT_PROPERTY_BIT(MQTT_SESSION_EXPIRY_INTERVAL);
        client->expiry_s = expiry_s < EXPIRY_MAX_S ? expiry_s : EXPIRY_MAX_S;
    }
    client->will.set = client->will.set && with_will;
    world->order++;
    say(world, number, &packet);
    REQUIRE(!world->pipes[client->link - 1].open);
    client_down(world, number);
}

void client_ping(struct broker_world *world, uint32_t number)
{
    struct client *client = &world->clients[number];
    if (client->connected && client->owed_count[ANSWERS] < OWED_MAX) {
        client_owe(client, ANSWERS, (struct owed){MQTT_PINGRESP, 0, false, 0});
        say_short(world, number, MQTT_PINGREQ, 0);
    }
}

/* ---- subscriptions ----------------------------------------------------------------------------
 */

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

void client_subscribe(struct broker_world *world, struct record record, uint8_t handling)
{
    struct client *client = &world->clients[record.client];
    uint8_t bytes[64], more[8];
    struct mqtt_list list = {bytes, sizeof bytes, 0}, identifiers = {more, sizeof more, 0};
    const struct mqtt_subscription wanted = {.filter = mqtt_text(filters[record.filter]),
                                             .qos = record.qos,
                                             .no_local = record.no_local,
                                             .retain_as_published = record.retain_as_published,
                                             .retain_handling = handling};
    struct mqtt_packet packet;
    if (!client->connected || client->owed_count[ANSWERS] == OWED_MAX) {
        return;
    }
    const uint8_t number = model_subscribe(world, record, handling);
    if (number == NOBODY) {
        return;
    }
    mqtt_packet_init(&packet, MQTT_SUBSCRIBE);
    packet.packet_id = free_id(client);
    REQUIRE(mqtt_list_subscription(&list, &wanted) == ERR_OK);
    REQUIRE(mqtt_list_subscription_identifier(&identifiers, number + 1u) == ERR_OK);
    packet.payload = mqtt_list_slice(&list);
    packet.properties.repeated = mqtt_list_slice(&identifiers);
    packet.properties.present = MQTT_PROPERTY_BIT(MQTT_SUBSCRIPTION_IDENTIFIER);
    client_owe(client, ANSWERS, (struct owed){MQTT_SUBACK, packet.packet_id, false, record.qos});
    say(world, record.client, &packet);
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
    struct record *record = model_subscribed(world, number, filter);
    const uint8_t reason = record != NULL ? 0 : MQTT_NO_SUBSCRIPTION_EXISTED;
    if (record != NULL) {
        record->active = false;
    }
    client_owe(client, ANSWERS, (struct owed){MQTT_UNSUBACK, packet.packet_id, false, reason});
    say(world, number, &packet);
}

/* ---- messages of its own ----------------------------------------------------------------------
 */

void client_publish(struct broker_world *world, struct message message, uint32_t alias)
{
    struct client *client = &world->clients[message.publisher];
    struct sent *room = NULL;
    uint32_t open = 0;
    for (uint32_t i = 0; i < OUTBOX; i++) {
        open += client->sent[i].used;
        room = client->sent[i].used ? room : &client->sent[i];
    }
    if (!client->connected || (message.qos > 0 && (room == NULL || open >= RECEIVE_MAXIMUM))) {
        return;
    }
    const uint8_t number = model_message(world, message);
    if (number == NOBODY) {
        return;
    }
    world->order++;
    const bool wanted = model_route(world, number);
    const uint16_t packet_id = message.qos > 0 ? free_id(client) : 0;
    struct mqtt_packet packet = publish_of(message, &number, packet_id);
    if (alias > 0) {
        packet.properties.topic_alias = (uint16_t)alias;
        packet.properties.present |= MQTT_PROPERTY_BIT(MQTT_TOPIC_ALIAS);
        if (client->alias_said[alias - 1] == message.topic + 1) {
            packet.topic.size_bytes = 0;
        }
        client->alias_said[alias - 1] = (uint8_t)(message.topic + 1);
    }
    if (message.qos > 0) {
        *room = (struct sent){
            .used = true, .qos = message.qos, .packet_id = packet_id, .message = number};
        client_owe(client, ACKS,
                   (struct owed){message.qos == 1 ? MQTT_PUBACK : MQTT_PUBREC, packet_id, false,
                                 wanted ? MQTT_SUCCESS : MQTT_NO_MATCHING_SUBSCRIBERS});
    }
    say(world, message.publisher, &packet);
}

/* The link breaks before the client has heard of it: the broker has the message, the answer is
 * lost. */
void client_publish_unheard(struct broker_world *world, struct message message)
{
    world->clients[message.publisher].deaf = true;
    client_publish(world, message, 0);
    client_break(world, message.publisher);
}

/* The broker's power went while it took this message and those behind it. */
static void tear(struct broker_world *world, uint32_t first, uint32_t nth)
{
    for (uint32_t number = 0; number < CLIENTS; number++) {
        for (uint32_t i = 0; i < OUTBOX; i++) {
            struct sent *sent = &world->clients[number].sent[i];
            sent->torn = sent->torn || (sent->used && sent->message >= first);
        }
    }
    world->dead = false;
    broker_world_restart(world, true, nth);
    for (uint32_t number = first; number < world->message_count; number++) {
        model_route_maybe(world, (uint8_t)number);
    }
}

void client_publish_group(struct broker_world *world, const struct message *messages,
                          uint32_t count, uint32_t nth)
{
    const uint32_t first = world->message_count;
    world->cut_in = nth;
    world->more = true;
    for (uint32_t i = 0; i < count && !world->dead; i++) {
        client_publish(world, messages[i], 0);
    }
    world->more = false;
    if (!world->dead) {
        broker_world_step(world, EVENT_TIMEOUT, 0, NULL, 0);
    }
    world->cut_in = 0;
    if (world->dead) {
        tear(world, first, nth);
    }
}

/* All of a PUBLISH but its last byte, and then the link breaks: nobody is to have it. */
void client_publish_half(struct broker_world *world, uint32_t number, uint32_t topic)
{
    struct client *client = &world->clients[number];
    const uint8_t unseen = MESSAGES_MAX;
    const struct mqtt_packet packet =
        publish_of((struct message){.topic = (uint8_t)topic}, &unseen, 0);
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
            client_owe(client, ANSWERS, (struct owed){MQTT_PUBCOMP, sent->packet_id, false, 0});
            say_short(world, number, MQTT_PUBREL, sent->packet_id);
            return;
        }
    }
}

/* ---- messages of others -----------------------------------------------------------------------
 */

/* Only what came on this connection: of the rest the broker has still to speak. */
static struct copy *copy_in(struct broker_world *world, uint32_t number, enum copy_state state)
{
    for (uint32_t message = 0; message < world->message_count; message++) {
        for (uint32_t i = 0; i < world->record_count; i++) {
            struct copy *copy = &world->copies[message][i];
            if (world->records[i].client == number && copy->state == state &&
                copy->heard == world->clients[number].connection) {
                return copy;
            }
        }
    }
    return NULL;
}

bool client_answer(struct broker_world *world, uint32_t number)
{
    struct copy *copy =
        world->clients[number].connected ? copy_in(world, number, COPY_INFLIGHT) : NULL;
    if (copy == NULL) {
        return false;
    }
    copy->state = copy->qos == 1 ? COPY_DONE : COPY_TAKEN;
    say_short(world, number, copy->qos == 1 ? MQTT_PUBACK : MQTT_PUBREC, copy->packet_id);
    return true;
}

bool client_complete(struct broker_world *world, uint32_t number)
{
    struct copy *copy =
        world->clients[number].connected ? copy_in(world, number, COPY_RELEASED) : NULL;
    if (copy == NULL) {
        return false;
    }
    copy->state = COPY_DONE;
    say_short(world, number, MQTT_PUBCOMP, copy->packet_id);
    return true;
}
