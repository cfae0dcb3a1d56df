/* The session world: an application behind a general client. It keeps its messages until they are
 * seen through, subscribes when a session is new, and refuses some of what it is told. */
#include <stdio.h>
#include <string.h>

#include "core/check.h"
#include "core/mqtt/list.h"
#include "sim/mqtt_world_inside.h"

#define SECOND UINT64_C(1000000)

enum { NUMBERS_KEPT = 40 /* for wills, when the messages' numbers run out */ };

/* What each of them is. */
static const struct role {
    const char *name;
    bool publishes, has_will, plain, wills, retained, shared;
    uint8_t retained_topic; /* that it publishes to */
} roles[MQTT_JUDGE_CLIENTS - 1] = {
    {"p", true, true, false, false, false, false, 0},
    {"q", true, true, true, false, false, false, 1},
    {"s", false, false, true, true, true, false, 0},
    {"u", false, true, false, false, false, true, 0},
    {"v", false, false, false, false, false, true, 0},
};

void mqtt_world_client_init(struct mqtt_world *world, uint32_t number)
{
    struct mqtt_world_client *client = &world->clients[number];
    struct mqtt_general_options *options = &client->options;
    struct random_stream *draw = &world->workload;
    static const uint32_t expiries_s[] = {0, 20, 60, 300, 300};
    client->number = number;
    client->node = SESSION_BROKER + 1 + number;
    client->wants_link = true;
    snprintf(client->name, sizeof client->name, "%s", roles[number].name);
    snprintf(client->will_topic, sizeof client->will_topic, "w/%u", (unsigned)number);
    *options = (struct mqtt_general_options){
        .client_id = mqtt_text(client->name),
        .keep_alive_s = random_below(draw, 2) == 0 ? 5 : 60,
        .receive_maximum = (uint16_t)random_between(draw, 1, 5),
        .inflight_max = (uint16_t)random_between(draw, 1, 8),
        .session_expiry_s = expiries_s[random_below(draw, 5)],
        .aliases_received = random_below(draw, 2) == 0 ? 0 : SESSION_ALIASES,
        .aliases_sent = SESSION_ALIASES,
        .received_memory = client->memory[0],
        .sent_memory = client->memory[1],
    };
    if (roles[number].has_will) {
        mqtt_packet_init(&client->will, MQTT_PUBLISH);
        client->will.topic = mqtt_text(client->will_topic);
        client->will.payload = mqtt_text("gone");
        client->will.qos = (uint8_t)random_between(draw, 1, 2);
        client->will.properties.will_delay_s = (uint32_t)random_below(draw, 3) * 8;
        client->will.properties.correlation_data = (struct mqtt_slice){client->will_id, 2};
        client->will.properties.present =
            MQTT_PROPERTY_BIT(MQTT_CORRELATION_DATA) | MQTT_PROPERTY_BIT(MQTT_WILL_DELAY_INTERVAL);
    }
    mqtt_general_init(&client->client, options);
    if (random_below(draw, 2) == 0) { /* as after 65,000 messages */
        client->client.sender.next_packet_id = 65530;
    }
    client->act_us = client->back_us = random_below(draw, SECOND);
}

static void number_write(uint8_t id[2], uint32_t message)
{
    id[0] = (uint8_t)(message >> 8);
    id[1] = (uint8_t)message;
}

static const struct port *port_of(struct mqtt_world *world, const struct mqtt_world_client *client)
{
    return &world->ports[client->node];
}

static void open(struct mqtt_world *world, struct mqtt_world_client *client)
{
    client->options.will = NULL;
    if (roles[client->number].has_will && world->message < MQTT_JUDGE_MESSAGES - 1) {
        number_write(client->will_id, world->message++);
        client->options.will = &client->will;
    }
    client->back_us = world->now_us + random_between(&world->workload, SECOND / 2, 4 * SECOND);
    const enum err err =
        mqtt_general_open(&client->client, port_of(world, client), SESSION_BROKER, world->now_us);
    (void)err; /* it tries again at back_us */
}

/* ---- what it has to say -----------------------------------------------------------------------
 */

static void item_new(struct mqtt_world *world, struct mqtt_world_client *client)
{
    struct random_stream *draw = &world->workload;
    if (client->item_count == SESSION_OUTBOX ||
        world->message >= MQTT_JUDGE_MESSAGES - NUMBERS_KEPT || world->healed) {
        return;
    }
    struct mqtt_world_item *item = &client->items[client->item_count++];
    const uint64_t kind = random_below(draw, 10);
    *item = (struct mqtt_world_item){.qos = (uint8_t)random_below(draw, 3),
                                     .topic = (uint8_t)random_below(draw, 2),
                                     .topic_class = MQTT_TOPIC_PLAIN,
                                     .payload_bytes = (uint32_t)random_below(draw, 60)};
    item->payload_bytes += 1;
    if (kind < 2) {
        item->topic_class = MQTT_TOPIC_RETAINED;
        item->topic = roles[client->number].retained_topic;
        item->retain = true;
        item->qos = (uint8_t)random_between(draw, 1, 2);
        item->empty = random_below(draw, 4) == 0;
    } else if (kind < 4) {
        item->has_expiry = true;
        item->expiry_s = (uint32_t)random_between(draw, 1, 20);
    } else if (kind == 4) {
        /* Larger than the broker takes, or not whatever its topic: one that only an alias makes
         * small enough could not be sent again. */
        item->payload_bytes = (uint32_t)random_between(draw, 700, 800);
        item->payload_bytes += random_below(draw, 3) == 0 ? 220u : 0u;
    }
}

static void item_packet(const struct mqtt_world_item *item, struct mqtt_packet *packet,
                        uint8_t id[2], char topic[8])
{
    static const uint8_t payload[1024] = {'x'};
    static const char letters[] = {'t', 'w', 'r'};
    mqtt_packet_init(packet, MQTT_PUBLISH);
    snprintf(topic, 8, "%c/%u", letters[item->topic_class], (unsigned)item->topic);
    number_write(id, item->message);
    packet->topic = mqtt_text(topic);
    packet->qos = item->qos;
    packet->retain = item->retain;
    packet->payload = (struct mqtt_slice){payload, item->empty ? 0 : item->payload_bytes};
    packet->properties.correlation_data = (struct mqtt_slice){id, 2};
    packet->properties.present = MQTT_PROPERTY_BIT(MQTT_CORRELATION_DATA);
    if (item->has_expiry) {
        packet->properties.message_expiry_s = item->expiry_s;
        packet->properties.present |= MQTT_PROPERTY_BIT(MQTT_MESSAGE_EXPIRY_INTERVAL);
    }
}

/* As many as have room, in their order. */
static void publish(struct mqtt_world *world, struct mqtt_world_client *client)
{
    for (uint32_t at = 0; at < client->item_count; at++) {
        struct mqtt_world_item *item = &client->items[at];
        struct mqtt_packet packet;
        uint8_t id[2];
        char topic[8];
        if (item->state != SESSION_WAITS) {
            continue;
        }
        if (client->client.state != MQTT_GENERAL_OPEN ||
            world->message >= MQTT_JUDGE_MESSAGES - 1) {
            return;
        }
        item->message = world->message;
        item_packet(item, &packet, id, topic);
        const enum err err = mqtt_general_publish(&client->client, port_of(world, client),
                                                  world->now_us, &packet, at + 1u);
        if (err == ERR_FULL || err == ERR_CLOSED) {
            return;
        }
        world->message++;
        world->result->published++;
        item->state = err == ERR_OK && item->qos > 0 ? SESSION_SENT : SESSION_DONE;
    }
}

static void resend(struct mqtt_world *world, struct mqtt_world_client *client, uint64_t tag)
{
    struct mqtt_packet packet;
    uint8_t id[2];
    char topic[8];
    CHECK(tag >= 1 && tag <= client->item_count);
    struct mqtt_world_item *item = &client->items[tag - 1];
    item_packet(item, &packet, id, topic);
    const enum err err =
        mqtt_general_resend(&client->client, port_of(world, client), world->now_us, &packet);
    if (err == ERR_DENIED) {
        item->state = SESSION_DONE;
    }
}

static void subscribe(struct mqtt_world *world, struct mqtt_world_client *client)
{
    const struct role *role = &roles[client->number];
    const char *const filters[] = {role->plain ? "t/+" : NULL, role->wills ? "w/+" : NULL,
                                   role->retained ? "r/+" : NULL,
                                   role->shared ? "$share/g/t/+" : NULL};
    uint8_t bytes[128];
    struct mqtt_list list = {.bytes = bytes, .capacity_bytes = sizeof bytes};
    uint16_t packet_id = 0;
    for (uint32_t at = 0; at < sizeof filters / sizeof filters[0]; at++) {
        if (filters[at] != NULL) {
            const struct mqtt_subscription one = {.filter = mqtt_text(filters[at]), .qos = 2};
            const enum err err = mqtt_list_subscription(&list, &one);
            CHECK(err == ERR_OK);
        }
    }
    if (list.size_bytes > 0) {
        const enum err err =
            mqtt_general_subscribe(&client->client, port_of(world, client), world->now_us,
                                   mqtt_list_slice(&list), 0, &packet_id);
        (void)err; /* without room: with the next READY, or the next act */
    }
}

/* ---- what it is told --------------------------------------------------------------------------
 */

static void ready(struct mqtt_world *world, struct mqtt_world_client *client,
                  const struct mqtt_packet *connack)
{
    if (!connack->session_present) {
        client->subscribed = false;
        for (uint32_t at = 0; at < client->item_count; at++) {
            struct mqtt_world_item *item = &client->items[at];
            if (item->state == SESSION_SENT) { /* its outbox is not the session: said anew */
                item->state = SESSION_WAITS;
            } else if (item->state == SESSION_RECEIVED) {
                item->state = SESSION_DONE;
            }
        }
    }
    if (!client->subscribed) {
        subscribe(world, client);
    }
}

static void sent(struct mqtt_world_client *client, const struct mqtt_sent *what)
{
    if (what->tag >= 1 && what->tag <= client->item_count) {
        client->items[what->tag - 1].state =
            what->kind == MQTT_SENT_RECEIVED ? SESSION_RECEIVED : SESSION_DONE;
    }
}

static void told(struct mqtt_world *world, struct mqtt_world_client *client,
                 const struct mqtt_packet *packet)
{
    const uint32_t message = mqtt_world_message_of(&packet->properties);
    const bool accepted = message % 7 != 3;
    world->result->told++;
    hash_u32(&world->hash, message);
    if (message != 0) {
        mqtt_judge_told(&world->judge, world->now_us, client->number, message, packet->retain,
                        accepted);
    }
    if (packet->qos > 0) { /* some it does not like: acknowledged all the same */
        mqtt_general_answer(&client->client, port_of(world, client), world->now_us,
                            packet->packet_id, packet->qos,
                            accepted ? MQTT_SUCCESS : MQTT_PAYLOAD_FORMAT_INVALID);
    }
}

static void happened(struct mqtt_world *world, struct mqtt_world_client *client,
                     const struct mqtt_general_happening *happening)
{
    switch (happening->kind) {
    case MQTT_GENERAL_READY:
        ready(world, client, &happening->packet);
        break;
    case MQTT_GENERAL_PUBLISH:
        told(world, client, &happening->packet);
        break;
    case MQTT_GENERAL_SENT:
        sent(client, &happening->sent);
        break;
    case MQTT_GENERAL_RESEND:
        resend(world, client, happening->tag);
        break;
    case MQTT_GENERAL_SUBACK:
        client->subscribed = true;
        break;
    case MQTT_GENERAL_DOWN:
        client->back_us = world->now_us + random_between(&world->workload, SECOND / 10, 3 * SECOND);
        break;
    case MQTT_GENERAL_NOTHING:
    case MQTT_GENERAL_AUTHENTICATE:
        break;
    }
}

static void take(struct mqtt_world *world, struct mqtt_world_client *client,
                 const struct event *event)
{
    struct mqtt_input input = {event->bytes,
                               event->kind == EVENT_LINK_DATA ? event->size_bytes : 0};
    struct mqtt_general_happening happening;
    if (event->kind == EVENT_LINK_DATA) {
        mqtt_world_tap_bytes(world, client->node, event->link, false, event->bytes,
                             event->size_bytes);
    }
    uint32_t turns = 0;
    do {
        CHECK(++turns < 10000);
        mqtt_general_take(&client->client, port_of(world, client), world->now_us, event, &input,
                          &happening);
        happened(world, client, &happening);
    } while (happening.kind != MQTT_GENERAL_NOTHING && happening.kind != MQTT_GENERAL_DOWN &&
             client->client.state != MQTT_GENERAL_CLOSED);
    publish(world, client);
    mqtt_judge_stepped(&world->judge, world->now_us, false, client->number);
}

void mqtt_world_client_event(struct mqtt_world *world, struct mqtt_world_client *client,
                             const struct event *event)
{
    struct event part = *event;
    if (event->kind == EVENT_LINK_DOWN) {
        mqtt_judge_closed(&world->judge, world->now_us, event->link, false, false);
    } else if (event->kind == EVENT_LINK_WRITABLE) {
        mqtt_judge_blocked(&world->judge, event->link, false, false, false);
    }
    if (event->link != client->client.link) {
        return;
    }
    if (event->kind != EVENT_LINK_DATA) {
        take(world, client, event);
        return;
    }
    for (uint32_t at = 0; at < event->size_bytes; at += part.size_bytes) {
        part.bytes = event->bytes + at;
        part.size_bytes = event->size_bytes - at;
        if (mqtt_world_faulty(world, SESSION_FAULT_CHUNK) && part.size_bytes > 1) {
            part.size_bytes = (uint32_t)random_between(&world->chunks, 1, part.size_bytes);
        }
        if (client->client.state == MQTT_GENERAL_CLOSED) {
            return;
        }
        take(world, client, &part);
    }
}

/* ---- its time ---------------------------------------------------------------------------------
 */

static void act(struct mqtt_world *world, struct mqtt_world_client *client)
{
    const struct role *role = &roles[client->number];
    client->act_us = world->now_us + random_between(&world->workload, SECOND / 2, 8 * SECOND);
    for (uint64_t burst = random_below(&world->workload, 4); role->publishes && burst > 0;
         burst--) {
        item_new(world, client);
    }
    if (client->client.state == MQTT_GENERAL_OPEN) {
        publish(world, client);
        if (!client->subscribed ||
            (role->retained && !world->healed && random_below(&world->workload, 4) == 0)) {
            subscribe(world, client); /* the retained ones once more */
        }
    }
    mqtt_judge_stepped(&world->judge, world->now_us, false, client->number);
}

void mqtt_world_client_due(struct mqtt_world *world, struct mqtt_world_client *client)
{
    if (client->client.state == MQTT_GENERAL_CLOSED) {
        if (client->back_us <= world->now_us) {
            open(world, client);
        }
    } else if (mqtt_general_deadline_us(&client->client) <= world->now_us &&
               mqtt_general_timeout(&client->client, port_of(world, client), world->now_us)) {
        client->back_us = world->now_us + random_between(&world->workload, SECOND / 10, 3 * SECOND);
    }
    if (client->act_us <= world->now_us) {
        act(world, client);
    }
}

uint64_t mqtt_world_client_deadline_us(const struct mqtt_world_client *client)
{
    const uint64_t link_us = client->client.state == MQTT_GENERAL_CLOSED
                                 ? client->back_us
                                 : mqtt_general_deadline_us(&client->client);
    return link_us < client->act_us ? link_us : client->act_us;
}

void mqtt_world_client_restart(struct mqtt_world *world, struct mqtt_world_client *client,
                               bool with_session)
{
    const struct mqtt_general_client old = client->client;
    const struct port *port = port_of(world, client);
    net_node_down(world->net, world->now_us, client->node);
    net_node_up(world->net, world->now_us, client->node);
    mqtt_judge_closed(&world->judge, world->now_us, old.link, false, false);
    mqtt_judge_client_up(&world->judge, client->number, with_session);
    mqtt_general_init(&client->client, &client->options);
    (void)port;
    client->back_us = world->now_us + random_between(&world->workload, SECOND / 10, 6 * SECOND);
    if (!with_session || !old.session) {
        return;
    }
    client->client.sender.next_packet_id = old.sender.next_packet_id;
    for (uint32_t at = 0; at < old.sender.count; at++) {
        const enum err err = mqtt_sender_restore(&client->client.sender, &old.sender.entries[at]);
        CHECK(err == ERR_OK);
    }
    for (uint32_t at = 0; at < old.receiver.count; at++) {
        if (mqtt_arrival_owned(&old.receiver.arrivals[at])) {
            const enum err err = mqtt_receiver_restore(&client->client.receiver,
                                                       old.receiver.arrivals[at].packet_id);
            CHECK(err == ERR_OK);
        }
    }
    client->client.session_expiry_s = old.session_expiry_s;
    mqtt_general_restored(&client->client, world->now_us);
}

void mqtt_world_client_leave(struct mqtt_world *world, struct mqtt_world_client *client)
{
    const bool politely = random_below(&world->faults, 2) == 0;
    mqtt_general_close(&client->client, port_of(world, client), world->now_us,
                       politely ? MQTT_SUCCESS : MQTT_DISCONNECT_WITH_WILL);
    client->back_us = world->now_us + random_between(&world->faults, SECOND, 110 * SECOND);
}

bool mqtt_world_client_is_done(const struct mqtt_world_client *client)
{
    for (uint32_t at = 0; at < client->item_count; at++) {
        if (client->items[at].state < SESSION_RECEIVED) {
            return false;
        }
    }
    return client->client.state == MQTT_GENERAL_OPEN && client->client.sender.count == 0;
}
