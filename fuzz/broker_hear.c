/* What a client requires of what a broker says. */
#include <string.h>

#include "fuzz/broker_world.h"

void client_owe(struct client *client, int list, struct owed owed)
{
    REQUIRE(client->owed_count[list] < OWED_MAX);
    client->owed[list][client->owed_count[list]++] = owed;
}

static void paid(struct client *client, int list, const struct mqtt_packet *packet)
{
    REQUIRE(client->owed_count[list] > 0);
    const struct owed owed = client->owed[list][0];
    client->owed_count[list]--;
    memmove(client->owed[list], client->owed[list] + 1, client->owed_count[list] * sizeof owed);
    REQUIRE(owed.type == packet->type && owed.packet_id == packet->packet_id);
    REQUIRE(owed.any_reason || owed.reason == packet->reason);
}

static struct copy *copy_of_id(struct broker_world *world, uint32_t number, uint16_t packet_id)
{
    for (uint32_t message = 0; message < world->message_count; message++) {
        for (uint32_t i = 0; i < world->record_count; i++) {
            struct copy *copy = &world->copies[message][i];
            if (world->records[i].client == number && copy->packet_id == packet_id &&
                copy->state >= COPY_INFLIGHT && copy->state <= COPY_RELEASED) {
                return copy;
            }
        }
    }
    return NULL;
}

/* The topic that it came with, an alias resolved. */
static uint32_t topic_of(struct client *client, const struct mqtt_packet *packet)
{
    const uint16_t alias = packet->properties.topic_alias;
    REQUIRE(alias <= client->alias_maximum && alias <= ALIASES);
    if (packet->topic.size_bytes == 0) {
        REQUIRE(alias > 0 && client->alias_heard[alias - 1] > 0 && !packet->dup);
        return client->alias_heard[alias - 1] - 1u;
    }
    REQUIRE(packet->topic.size_bytes == 1);
    const uint32_t topic = (uint32_t)(packet->topic.bytes[0] - '0');
    REQUIRE(topic < TOPICS);
    if (alias > 0) {
        client->alias_heard[alias - 1] = (uint8_t)(topic + 1);
    }
    return topic;
}

/* The message, as it was published; its number. */
static uint32_t message_of(struct broker_world *world, struct client *client,
                           const struct mqtt_packet *packet)
{
    REQUIRE(packet->properties.correlation_data.size_bytes == 1);
    const uint32_t number = packet->properties.correlation_data.bytes[0];
    REQUIRE(number < world->message_count);
    const struct message *message = &world->messages[number];
    REQUIRE(topic_of(client, packet) == message->topic);
    REQUIRE(packet->payload.size_bytes == !message->empty);
    REQUIRE(message->empty || packet->payload.bytes[0] == number);
    return number;
}

/* Only one member of a share has it; the offer to the others is over. */
static void take_offer(struct broker_world *world, uint32_t message, uint32_t record)
{
    const uint32_t filter = world->records[record].filter;
    struct offer *offer = &world->offers[message][filter - FILTERS_PLAIN];
    REQUIRE(offer->made && !offer->taken);
    offer->taken = true;
    for (uint32_t i = 0; i < world->record_count; i++) {
        struct copy *copy = &world->copies[message][i];
        if (i != record && world->records[i].filter == filter && copy->state == COPY_OFFERED) {
            copy->state = COPY_NONE;
        }
    }
}

static uint32_t open_count(const struct broker_world *world, uint32_t number)
{
    uint32_t open = 0;
    for (uint32_t message = 0; message < world->message_count; message++) {
        for (uint32_t i = 0; i < world->record_count; i++) {
            const struct copy *copy = &world->copies[message][i];
            open += world->records[i].client == number && copy->qos > 0 &&
                    copy->connection == world->clients[number].connection &&
                    copy->state >= COPY_INFLIGHT && copy->state <= COPY_RELEASED;
        }
    }
    return open;
}

static void hear_publish(struct broker_world *world, uint32_t number,
                         const struct mqtt_packet *packet)
{
    struct client *client = &world->clients[number];
    const uint32_t message = message_of(world, client, packet);
    struct mqtt_slice rest = packet->properties.repeated;
    uint32_t identifier = 0;
    REQUIRE(mqtt_subscription_identifier_next(&rest, &identifier));
    REQUIRE(identifier <= world->record_count);
    const uint32_t record = identifier - 1;
    struct copy *copy = &world->copies[message][record];
    REQUIRE(world->records[record].client == number);
    REQUIRE(copy->state != COPY_NONE);
    REQUIRE(copy->qos == packet->qos && copy->retain == packet->retain);
    const bool first = copy->state == COPY_OWED || copy->state == COPY_OFFERED;
    if (copy->state == COPY_OFFERED) {
        take_offer(world, message, record);
    }
    if (packet->qos == 0) {
        REQUIRE(first);
        copy->state = COPY_DONE;
    } else if (first) { /* with DUP: it was sent before, and did not get here, or would have been,
                         * had the power not gone behind the commit */
        REQUIRE(!packet->dup || client->deaf || copy->maybe);
        REQUIRE(copy_of_id(world, number, packet->packet_id) == NULL); /* not in use */
        copy->packet_id = packet->packet_id;
        copy->state = COPY_INFLIGHT;
    } else { /* again, on another connection, and unanswered */
        REQUIRE(packet->dup);
        REQUIRE(copy->state == COPY_INFLIGHT && copy->packet_id == packet->packet_id);
        REQUIRE(copy->connection != client->connection);
    }
    if (first && !packet->dup && !copy->maybe) { /* in the order in which they were routed */
        REQUIRE(copy->order >= client->order_heard);
        client->order_heard = copy->order;
    }
    copy->connection = copy->heard = client->connection;
    REQUIRE(open_count(world, number) <= client->receive_maximum);
}

static void hear_ack(struct client *client, const struct mqtt_packet *packet)
{
    struct sent *sent = NULL;
    for (uint32_t i = 0; i < OUTBOX; i++) {
        if (client->sent[i].used && client->sent[i].packet_id == packet->packet_id) {
            sent = &client->sent[i];
        }
    }
    paid(client, packet->type == MQTT_PUBCOMP ? ANSWERS : ACKS, packet);
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
        paid(client, ANSWERS, packet);
        return;
    case MQTT_SUBACK:
    case MQTT_UNSUBACK:
        REQUIRE(packet->payload.size_bytes == 1);
        packet->reason = packet->payload.bytes[0];
        paid(client, ANSWERS, packet);
        return;
    case MQTT_PINGRESP:
        paid(client, ANSWERS, packet);
        return;
    case MQTT_PUBLISH:
        hear_publish(world, number, packet);
        return;
    case MQTT_PUBACK:
    case MQTT_PUBREC:
    case MQTT_PUBCOMP:
        hear_ack(client, packet);
        return;
    case MQTT_PUBREL:
        copy = copy_of_id(world, number, packet->packet_id);
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

static void read_pipe(struct broker_world *world, uint32_t number)
{
    struct pipe *pipe = &world->pipes[world->clients[number].link - 1];
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
}

void client_hear(struct broker_world *world, uint32_t number)
{
    bool noticed[CLIENTS] = {false};
    for (uint32_t other = 0; other < CLIENTS; other++) {
        const struct client *client = &world->clients[other];
        noticed[other] = client->connected && !world->pipes[client->link - 1].open;
    }
    for (uint32_t other = 0; other < CLIENTS; other++) {
        if (noticed[other]) { /* what it was sent before that, it still reads */
            REQUIRE(world->clients[other].blocked);
            read_pipe(world, other);
            client_down(world, other);
        }
    }
    if (world->clients[number].connected) {
        read_pipe(world, number);
    }
}
