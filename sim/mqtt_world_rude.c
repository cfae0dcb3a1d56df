/* The session world: a client that breaks the protocol, each time in one way, and says what the
 * broker has to answer. */
#include <string.h>

#include "core/check.h"
#include "sim/mqtt_world_inside.h"

#define SECOND UINT64_C(1000000)

static void add(struct mqtt_world_rude *rude, const uint8_t *bytes, uint32_t size_bytes)
{
    CHECK(rude->script_bytes + size_bytes <= sizeof rude->script);
    memcpy(rude->script + rude->script_bytes, bytes, size_bytes);
    rude->script_bytes += size_bytes;
}

static void add_packet(struct mqtt_world_rude *rude, const struct mqtt_packet *packet)
{
    uint32_t room = (uint32_t)sizeof rude->script - rude->script_bytes;
    const enum err err = mqtt_encode(packet, rude->script + rude->script_bytes, &room);
    CHECK(err == ERR_OK);
    rude->script_bytes += room;
}

static void add_connect(struct mqtt_world_rude *rude, bool method)
{
    struct mqtt_packet packet;
    mqtt_packet_init(&packet, MQTT_CONNECT);
    packet.client_id = mqtt_text("rude");
    packet.clean_start = true;
    if (method) {
        packet.properties.authentication_method = mqtt_text("none of its");
        packet.properties.present = MQTT_PROPERTY_BIT(MQTT_AUTHENTICATION_METHOD);
    }
    add_packet(rude, &packet);
}

static void add_publish(struct mqtt_world_rude *rude, uint16_t packet_id, uint16_t alias)
{
    struct mqtt_packet packet;
    mqtt_packet_init(&packet, MQTT_PUBLISH);
    packet.topic = mqtt_text("x/0");
    packet.qos = packet_id > 0 ? 2 : 0;
    packet.packet_id = packet_id;
    if (alias > 0) {
        packet.properties.topic_alias = alias;
        packet.properties.present = MQTT_PROPERTY_BIT(MQTT_TOPIC_ALIAS);
    }
    add_packet(rude, &packet);
}

#define BYTES(...) ((const uint8_t[]){__VA_ARGS__}), sizeof((const uint8_t[]){__VA_ARGS__})

static void write_script(struct mqtt_world_rude *rude, const struct broker_config *config)
{
    static const struct {
        uint8_t reason;
        enum mqtt_law law;
    } answers[] = {
        {0x93, MQTT_LAW_M9},  {0x82, MQTT_LAW_M11}, {0x94, MQTT_LAW_M11}, {0x95, MQTT_LAW_M15},
        {0x81, MQTT_LAW_M16}, {0x82, MQTT_LAW_M16}, {0x8C, MQTT_LAW_M16}, {0x82, MQTT_LAW_M3},
        {0x82, MQTT_LAW_M16}, {0, MQTT_LAW_M6},
    };
    _Static_assert(sizeof answers / sizeof answers[0] == SESSION_RUDE_ACTS, "one for each");
    struct mqtt_packet packet;
    rude->reason = answers[rude->act].reason;
    rude->law = answers[rude->act].law;
    rude->script_bytes = 0;
    add_connect(rude, rude->act == 6);
    switch (rude->act) {
    case 0: /* one more than the Receive Maximum */
        for (uint16_t id = 1; id <= config->receive_maximum + 1u; id++) {
            add_publish(rude, id, 0);
        }
        break;
    case 1: /* Topic Alias 0 is a protocol error: PUBLISH, topic "x/0", property 35 */
        add(rude, BYTES(0x30, 9, 0, 3, 'x', '/', '0', 3, 35, 0, 0));
        break;
    case 2:
        add_publish(rude, 0, 60000);
        break;
    case 3: /* larger than any packet may be */
        add(rude, BYTES(0x30, 0xFF, 0xFF, 0x7F, 0, 3, 'x', '/', '0'));
        break;
    case 4: /* QoS 3 */
        add(rude, BYTES(0x36, 9, 0, 3, 'x', '/', '0', 0, 1, 0, 0));
        break;
    case 5: /* a second CONNECT */
        add_connect(rude, false);
        break;
    case 6: /* behind a CONNECT that is refused */
        add_publish(rude, 0, 0);
        break;
    case 7: /* a session that ends at once is to live on */
        mqtt_packet_init(&packet, MQTT_DISCONNECT);
        packet.properties.session_expiry_s = 60;
        packet.properties.present = MQTT_PROPERTY_BIT(MQTT_SESSION_EXPIRY_INTERVAL);
        add_packet(rude, &packet);
        break;
    case 8: /* an answer to nothing */
        mqtt_packet_init(&packet, MQTT_PUBACK);
        packet.packet_id = 77;
        add_packet(rude, &packet);
        break;
    default: /* a QoS 2 message twice, and PUBREL of another twice: allowed */
        add_publish(rude, 9, 0);
        add_publish(rude, 9, 0);
        mqtt_packet_init(&packet, MQTT_PUBREL);
        packet.packet_id = 33;
        add_packet(rude, &packet);
        add_packet(rude, &packet);
        break;
    }
}

static void forget(struct mqtt_world *world)
{
    struct mqtt_world_rude *rude = &world->rude;
    rude->link = 0;
    rude->back_us = world->now_us + random_between(&world->faults, SECOND, 6 * SECOND);
}

void mqtt_world_rude_due(struct mqtt_world *world)
{
    struct mqtt_world_rude *rude = &world->rude;
    const struct port *port = &world->ports[SESSION_NODES];
    if (rude->link != 0) {
        port->link_close(port->ctx, rude->link);
        forget(world);
        return;
    }
    rude->back_us = UINT64_MAX;
    if (!mqtt_world_faulty(world, SESSION_FAULT_RUDE)) {
        return;
    }
    rude->said = rude->judged = false;
    rude->said_bytes = rude->got_bytes = 0;
    rude->act = (uint32_t)random_below(&world->faults, SESSION_RUDE_ACTS);
    write_script(rude, &world->broker.config);
    rude->close_us = world->now_us + 20 * SECOND;
    if (port->link_open(port->ctx, SESSION_BROKER, &rude->link) != ERR_OK) {
        forget(world);
        return;
    }
    world->result->struck[SESSION_FAULT_RUDE]++;
}

void mqtt_world_rude_event(struct mqtt_world *world, const struct event *event)
{
    struct mqtt_world_rude *rude = &world->rude;
    const struct port *port = &world->ports[SESSION_NODES];
    if (event->link != rude->link) {
        return;
    }
    if (event->kind == EVENT_LINK_DOWN) {
        forget(world);
    } else if (rude->said_bytes < rude->script_bytes) {
        const int32_t taken =
            port->link_send(port->ctx, rude->link, rude->script + rude->said_bytes,
                            rude->script_bytes - rude->said_bytes);
        rude->said_bytes += taken > 0 ? (uint32_t)taken : 0;
    }
}

void mqtt_world_rude_judge(struct mqtt_world *world)
{
    struct mqtt_world_rude *rude = &world->rude;
    if (rude->link == 0 || rude->judged || rude->got_bytes < rude->script_bytes ||
        !world->broker.up) {
        return;
    }
    rude->judged = true;
    mqtt_judge_rude(&world->judge, world->now_us, rude->link, rude->reason, rude->law);
}

uint64_t mqtt_world_rude_deadline_us(const struct mqtt_world *world)
{
    return world->rude.link != 0 ? world->rude.close_us : world->rude.back_us;
}
