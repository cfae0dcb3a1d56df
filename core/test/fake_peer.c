/* A scripted MQTT client against a server role under test. */
#include "core/test/fake_peer.h"

#include <string.h>

#include "core/test/test.h"

static void take(struct fake_peer *peer, const struct event *event)
{
    struct mqtt_input input = {0};
    if (event->kind == EVENT_LINK_DATA) {
        input = (struct mqtt_input){event->bytes, event->size_bytes};
    }
    for (;;) {
        struct mqtt_happening happening;
        mqtt_client_take(&peer->client, &peer->fake.port, &peer->keys, peer->fake.now_us, event,
                         &input, &happening);
        if (happening.kind == MQTT_NOTHING) {
            return;
        }
        if (happening.kind == MQTT_HAPPENED_DOWN) {
            peer->down_reason = happening.reason;
            return;
        }
        if (happening.kind == MQTT_HAPPENED_PUBACK) {
            EXPECT(peer->puback_count < FAKE_HEARD_MAX);
            peer->puback_tags[peer->puback_count] = happening.tag;
            peer->puback_reasons[peer->puback_count++] = happening.reason;
        }
        if (happening.kind == MQTT_HAPPENED_PUBLISH) {
            EXPECT(happening.topic.size_bytes <= MQTT_STRING_BYTES_MAX);
            EXPECT(happening.payload.size_bytes <= FORWARD_BYTES_MAX);
            memset(peer->heard_topic, 0, sizeof peer->heard_topic);
            memcpy(peer->heard_topic, happening.topic.bytes, happening.topic.size_bytes);
            memcpy(peer->heard.bytes, happening.payload.bytes, happening.payload.size_bytes);
            peer->heard.size_bytes = happening.payload.size_bytes;
            peer->heard_count++;
        }
    }
}

void fake_server_step(const struct fake_server *server, const struct event *event)
{
    server->step(server->role, &server->fake->port, event);
}

void fake_peer_init(struct fake_peer *peer, uint32_t number)
{
    memset(peer, 0, sizeof *peer);
    fake_port_init(&peer->fake, NULL, NULL);
    fake_keys(number, &peer->keys);
    peer->number = number;
    mqtt_client_init(&peer->client, number, 60);
}

void fake_peer_drop(struct fake_peer *peer)
{
    fake_port_drop(&peer->fake);
}

/* Write another Maximum Packet Size into the CONNECT that waits on the link. */
static void claim_packet_bytes(struct fake_peer *peer)
{
    struct fake_link *link = fake_port_link(&peer->fake, peer->client.link);
    struct mqtt_packet packet;
    uint8_t reason = 0;
    uint8_t bytes[MQTT_PACKET_BYTES_MAX];
    uint32_t size_bytes = sizeof bytes;
    EXPECT(mqtt_decode(link->bytes, link->size_bytes, &packet, &reason) == ERR_OK);
    packet.properties.maximum_packet_bytes = peer->packet_bytes_max;
    EXPECT(mqtt_encode(&packet, bytes, &size_bytes) == ERR_OK);
    memcpy(link->bytes, bytes, size_bytes);
    link->size_bytes = size_bytes;
}

void fake_peer_connect(struct fake_peer *peer, const struct fake_server *server, uint32_t broker)
{
    peer->fake.now_us = server->fake->now_us;
    peer->down_reason = 0;
    EXPECT(mqtt_client_open(&peer->client, &peer->fake.port, broker, peer->fake.now_us) == ERR_OK);
    peer->server_link = fake_port_accept(server->fake, peer->number);
    fake_server_step(
        server, &(struct event){.kind = EVENT_LINK_UP, .inbound = true, .link = peer->server_link});
    take(peer, &(struct event){.kind = EVENT_LINK_UP, .link = peer->client.link});
    if (peer->packet_bytes_max != 0) {
        claim_packet_bytes(peer);
    }
    fake_peer_run(peer, server);
}

void fake_peer_break(struct fake_peer *peer, const struct fake_server *server)
{
    fake_port_link(server->fake, peer->server_link)->open = false;
    fake_server_step(server, &(struct event){.kind = EVENT_LINK_DOWN, .link = peer->server_link});
    take(peer, &(struct event){.kind = EVENT_LINK_DOWN, .link = peer->client.link});
    EXPECT(peer->client.state == MQTT_CLIENT_CLOSED);
}

void fake_peer_post(struct fake_peer *peer, const char *topic, const uint8_t *bytes,
                    uint32_t size_bytes, uint64_t tag)
{
    EXPECT(mqtt_client_publish(&peer->client, &peer->fake.port, peer->fake.now_us, topic, bytes,
                               size_bytes, tag) == ERR_OK);
}

/* From the peer to the server. True if anything moved. */
static bool move_up(struct fake_peer *peer, const struct fake_server *server)
{
    struct fake_link *from = fake_port_link(&peer->fake, peer->client.link);
    const struct fake_link *to = fake_port_link(server->fake, peer->server_link);
    if (from->size_bytes == 0) {
        return false;
    }
    const uint32_t size_bytes = from->size_bytes;
    const uint32_t cut_bytes = server->cut_bytes == 0 ? size_bytes : server->cut_bytes;
    from->size_bytes = 0;
    for (uint32_t at = 0; at < size_bytes && to->open; at += cut_bytes) {
        const uint32_t rest = size_bytes - at;
        fake_server_step(server,
                         &(struct event){.kind = EVENT_LINK_DATA,
                                         .link = peer->server_link,
                                         .bytes = from->bytes + at,
                                         .size_bytes = rest < cut_bytes ? rest : cut_bytes});
    }
    return true;
}

static bool move_down(struct fake_peer *peer, const struct fake_server *server)
{
    struct fake_link *from = fake_port_link(server->fake, peer->server_link);
    bool moved = false;
    if (from->size_bytes != 0) {
        const uint32_t size_bytes = from->size_bytes;
        from->size_bytes = 0;
        take(peer, &(struct event){.kind = EVENT_LINK_DATA,
                                   .link = peer->client.link,
                                   .bytes = from->bytes,
                                   .size_bytes = size_bytes});
        moved = true;
    }
    if (!from->open && peer->client.state != MQTT_CLIENT_CLOSED) {
        take(peer, &(struct event){.kind = EVENT_LINK_DOWN, .link = peer->client.link});
        moved = true;
    }
    return moved;
}

void fake_peer_run(struct fake_peer *peer, const struct fake_server *server)
{
    bool moved = true;
    for (uint32_t turn = 0; moved; turn++) {
        EXPECT(turn < 1000);
        moved = move_up(peer, server);
        moved = move_down(peer, server) || moved;
    }
}
