/* What MQTT 5 makes of subscriptions, retained messages, shares, wills and the ends of sessions. */
#include <string.h>

#include "fuzz/broker_world.h"

#define SECOND UINT64_C(1000000)

bool model_matches(uint32_t filter, uint32_t topic)
{
    static const bool matches[FILTERS][TOPICS] = {
        {true, false}, {false, true}, {true, true}, {true, false}, {true, true}};
    REQUIRE(filter < FILTERS && topic < TOPICS);
    return matches[filter][topic];
}

uint8_t model_message(struct broker_world *world, struct message message)
{
    if (world->message_count == MESSAGES_MAX) {
        return NOBODY;
    }
    world->messages[world->message_count] = message;
    return (uint8_t)world->message_count++;
}

/* A copy by this record. QoS 0 is not kept for who is away. */
static void owe_copy(struct broker_world *world, uint8_t number, uint32_t record_number,
                     enum copy_state state, bool retain)
{
    const struct message *message = &world->messages[number];
    const struct record *record = &world->records[record_number];
    struct copy *copy = &world->copies[number][record_number];
    REQUIRE(copy->state == COPY_NONE);
    *copy = (struct copy){.state = (uint8_t)state,
                          .qos = record->qos < message->qos ? record->qos : message->qos,
                          .retain = retain,
                          .order = world->order};
    if (copy->qos == 0 && !world->clients[record->client].connected) {
        copy->state = COPY_NONE;
    }
}

/* One of those who share the filter gets it: of those who are connected, if there are any. */
static bool offer(struct broker_world *world, uint8_t number, uint32_t filter)
{
    const struct message *message = &world->messages[number];
    struct offer *offer = &world->offers[number][filter - FILTERS_PLAIN];
    bool connected = false;
    for (uint32_t i = 0; i < world->record_count; i++) {
        const struct record *record = &world->records[i];
        connected = connected || (record->active && record->filter == filter &&
                                  world->clients[record->client].connected);
    }
    for (uint32_t i = 0; i < world->record_count; i++) {
        const struct record *record = &world->records[i];
        if (!record->active || record->filter != filter ||
            (connected && !world->clients[record->client].connected)) {
            continue;
        }
        owe_copy(world, number, i, COPY_OFFERED, message->retain && record->retain_as_published);
        offer->made = true;
        offer->lost = offer->lost || world->copies[number][i].qos == 0;
    }
    return offer->made;
}

bool model_route(struct broker_world *world, uint8_t number)
{
    const struct message *message = &world->messages[number];
    bool wanted = false;
    if (message->retain) {
        world->retained[message->topic] = message->empty ? NOBODY : number;
    }
    for (uint32_t i = 0; i < world->record_count; i++) {
        const struct record *record = &world->records[i];
        if (record->active && record->filter < FILTERS_PLAIN &&
            model_matches(record->filter, message->topic) &&
            !(record->no_local && record->client == message->publisher)) {
            owe_copy(world, number, i, COPY_OWED, message->retain && record->retain_as_published);
            wanted = true;
        }
    }
    for (uint32_t filter = FILTERS_PLAIN; filter < FILTERS; filter++) {
        if (model_matches(filter, message->topic)) {
            wanted = offer(world, number, filter) || wanted;
        }
    }
    return wanted;
}

void model_route_maybe(struct broker_world *world, uint8_t number)
{
    const struct message *message = &world->messages[number];
    for (uint32_t i = 0; i < world->record_count; i++) {
        const struct record *record = &world->records[i];
        struct copy *copy = &world->copies[number][i];
        if (copy->state == COPY_NONE && record->active &&
            model_matches(record->filter, message->topic) &&
            !(record->no_local && record->client == message->publisher)) {
            const bool shared = record->filter >= FILTERS_PLAIN;
            owe_copy(world, number, i, shared ? COPY_OFFERED : COPY_OWED, false);
        }
        copy->maybe = true;
    }
    for (uint32_t share = 0; share < FILTERS_SHARED; share++) {
        world->offers[number][share].made = world->offers[number][share].lost = true;
    }
}

struct record *model_subscribed(struct broker_world *world, uint32_t number, uint32_t filter)
{
    for (uint32_t i = 0; i < world->record_count; i++) {
        struct record *record = &world->records[i];
        if (record->active && record->client == number && record->filter == filter) {
            return record;
        }
    }
    return NULL;
}

uint8_t model_subscribe(struct broker_world *world, struct record record, uint8_t handling)
{
    if (world->record_count == RECORDS_MAX) {
        return NOBODY;
    }
    struct record *old = model_subscribed(world, record.client, record.filter);
    const uint8_t number = (uint8_t)world->record_count++;
    if (old != NULL) {
        old->active = false; /* copies by it stay */
    }
    record.active = true;
    world->records[number] = record;
    world->order++;
    if (record.filter >= FILTERS_PLAIN || handling == MQTT_RETAINED_NEVER ||
        (handling == MQTT_RETAINED_IF_NEW && old != NULL)) {
        return number;
    }
    for (uint32_t topic = 0; topic < TOPICS; topic++) {
        const uint8_t message = world->retained[topic];
        if (message != NOBODY && model_matches(record.filter, topic)) {
            owe_copy(world, message, number, COPY_OWED, true);
            /* Whether one's own may come as a retained one is left open. */
            world->copies[message][number].maybe =
                record.no_local && world->messages[message].publisher == record.client;
        }
    }
    return number;
}

static void forget(struct broker_world *world, uint32_t number)
{
    struct client *client = &world->clients[number];
    client->session = client->lasting = client->deaf = false;
    client->will.set = false;
    client->will_at_us = client->ends_at_us = UINT64_MAX;
    client->order_heard = 0;
    memset(client->sent, 0, sizeof client->sent);
    for (uint32_t i = 0; i < world->record_count; i++) {
        struct record *record = &world->records[i];
        if (record->client != number) {
            continue;
        }
        record->active = false;
        for (uint32_t message = 0; message < world->message_count; message++) {
            struct copy *copy = &world->copies[message][i];
            if (copy->state == COPY_OFFERED) {
                world->offers[message][record->filter - FILTERS_PLAIN].lost = true;
            }
            copy->state = COPY_NONE;
        }
    }
}

static void publish_will(struct broker_world *world, struct client *client)
{
    if (client->will.set) {
        client->will.set = false;
        client->will_at_us = UINT64_MAX;
        (void)model_route(world, client->will.message);
    }
}

void model_session_over(struct broker_world *world, uint32_t number)
{
    if (world->clients[number].session) {
        world->order++;
        publish_will(world, &world->clients[number]);
        forget(world, number);
    }
}

/* A connection is gone, or the broker is back: intervals begin. */
static void intervals(struct broker_world *world, struct client *client)
{
    const uint32_t delay_s =
        client->will.delay_s < client->expiry_s ? client->will.delay_s : client->expiry_s;
    client->ends_at_us = world->now_us + client->expiry_s * SECOND;
    client->will_at_us = client->will.set ? world->now_us + delay_s * SECOND : UINT64_MAX;
}

void model_leave(struct broker_world *world, uint32_t number)
{
    intervals(world, &world->clients[number]);
    model_tick(world);
}

void model_tick(struct broker_world *world)
{
    for (;;) { /* what is due at one time has no order */
        uint64_t at_us = UINT64_MAX;
        for (uint32_t number = 0; number < CLIENTS; number++) {
            const struct client *client = &world->clients[number];
            at_us = client->will_at_us < at_us ? client->will_at_us : at_us;
            at_us = client->ends_at_us < at_us ? client->ends_at_us : at_us;
        }
        if (at_us > world->now_us) {
            return;
        }
        world->order++;
        for (uint32_t number = 0; number < CLIENTS; number++) {
            if (world->clients[number].will_at_us == at_us) {
                publish_will(world, &world->clients[number]);
            }
        }
        for (uint32_t number = 0; number < CLIENTS; number++) {
            if (world->clients[number].ends_at_us == at_us) {
                forget(world, number);
            }
        }
    }
}

void model_restart(struct broker_world *world)
{
    if (!world->durable) {
        memset(world->retained, NOBODY, sizeof world->retained);
    }
    for (uint32_t number = 0; number < CLIENTS; number++) {
        struct client *client = &world->clients[number];
        client->deaf = client->deaf || client->blocked;
        client->connected = client->blocked = false;
        client->owed_count[0] = client->owed_count[1] = 0;
        if (!client->session || !world->durable || !client->lasting) {
            forget(world, number); /* its will, too: nothing of it was stored */
        } else {
            intervals(world, client);
        }
    }
    for (uint32_t message = 0; message < world->message_count; message++) {
        for (uint32_t i = 0; i < world->record_count; i++) {
            struct copy *copy = &world->copies[message][i];
            copy->state = copy->qos == 0 && copy->state <= COPY_OFFERED ? COPY_NONE : copy->state;
        }
    }
    model_tick(world);
}

void model_require_done(const struct broker_world *world)
{
    bool all = true;
    for (uint32_t message = 0; message < world->message_count; message++) {
        for (uint32_t i = 0; i < world->record_count; i++) {
            const struct copy *copy = &world->copies[message][i];
            if (world->clients[world->records[i].client].connected) {
                REQUIRE(copy->qos == 0 || copy->maybe || copy->state == COPY_NONE ||
                        copy->state == COPY_OFFERED || copy->state == COPY_DONE);
            } else {
                all = false;
            }
        }
        for (uint32_t share = 0; all && share < FILTERS_SHARED; share++) {
            const struct offer *offer = &world->offers[message][share];
            REQUIRE(!offer->made || offer->lost || offer->taken);
        }
    }
}
