/* Bytes to packets, for the judge: at both ends, of both directions. It frames by itself; packets
 * are decoded by core/mqtt/packet.h. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "core/check.h"
#include "core/mqtt/filter.h"
#include "core/mqtt/list.h"
#include "sim/mqtt_world_inside.h"

static struct mqtt_world_tap *tap_of(struct mqtt_world *world, uint32_t link, bool broker,
                                     bool sent)
{
    struct mqtt_world_tap *tap = &world->taps[link % MQTT_JUDGE_CONNECTIONS][broker][sent];
    if (tap->link != link) {
        memset(tap, 0, sizeof *tap);
        tap->link = link;
    }
    return tap;
}

uint32_t mqtt_world_client_of(const struct mqtt_world *world, uint32_t node, uint32_t link)
{
    const struct mqtt_judge_connection *connection =
        &world->judge.connections[link % MQTT_JUDGE_CONNECTIONS];
    return node != SESSION_BROKER ? node - SESSION_BROKER - 1 : connection->client;
}

uint32_t mqtt_world_message_of(const struct mqtt_properties *properties)
{
    const struct mqtt_slice id = properties->correlation_data;
    if ((properties->present & MQTT_PROPERTY_BIT(MQTT_CORRELATION_DATA)) == 0 ||
        id.size_bytes != 2) {
        return 0;
    }
    const uint32_t message = (uint32_t)id.bytes[0] << 8 | id.bytes[1];
    return message < MQTT_JUDGE_MESSAGES ? message : 0;
}

/* Topics are "t/N", "r/N" and "w/N". */
static void topic_read(struct mqtt_slice topic, uint8_t *topic_class, uint8_t *number)
{
    *topic_class = MQTT_TOPIC_NONE;
    *number = 0;
    if (topic.size_bytes == 3) {
        *topic_class = topic.bytes[0] == 't'   ? MQTT_TOPIC_PLAIN
                       : topic.bytes[0] == 'w' ? MQTT_TOPIC_WILL
                                               : MQTT_TOPIC_RETAINED;
        *number = (uint8_t)(topic.bytes[2] - '0');
    }
}

static void filters_read(const struct mqtt_packet *packet, struct mqtt_seen *seen)
{
    struct mqtt_slice rest = packet->payload, share, inner;
    struct mqtt_subscription one;
    while (mqtt_subscription_next(&rest, &one)) {
        uint8_t topic_class = MQTT_TOPIC_NONE, number = 0;
        seen->shared = mqtt_filter_shared(one.filter, &share, &inner) || seen->shared;
        topic_read(inner, &topic_class, &number);
        seen->classes |= (uint8_t)(1u << topic_class);
    }
}

static void message_read(const struct mqtt_packet *packet, const struct mqtt_properties *properties,
                         struct mqtt_seen *seen)
{
    const uint64_t expiry = MQTT_PROPERTY_BIT(MQTT_MESSAGE_EXPIRY_INTERVAL);
    seen->message = mqtt_world_message_of(properties);
    topic_read(packet->topic, &seen->topic_class, &seen->topic);
    if (packet->type == MQTT_PUBLISH) {
        seen->has_expiry = (properties->present & expiry) != 0;
        seen->expiry_s = properties->message_expiry_s;
        seen->empty = packet->payload.size_bytes == 0;
        seen->alias = properties->topic_alias;
        seen->has_alias = (properties->present & MQTT_PROPERTY_BIT(MQTT_TOPIC_ALIAS)) != 0;
    }
}

static void packet_read(const struct mqtt_packet *packet, struct mqtt_seen *seen)
{
    const struct mqtt_properties *p = &packet->properties;
    seen->type = (uint8_t)packet->type;
    seen->qos = packet->qos;
    seen->dup = packet->dup;
    seen->retain = packet->retain;
    seen->reason = packet->reason;
    seen->packet_id = packet->packet_id;
    seen->clean_start = packet->clean_start;
    seen->session_present = packet->session_present;
    if (packet->type == MQTT_PUBLISH) {
        message_read(packet, p, seen);
        return;
    }
    seen->has_expiry = (p->present & MQTT_PROPERTY_BIT(MQTT_SESSION_EXPIRY_INTERVAL)) != 0;
    seen->expiry_s = p->session_expiry_s;
    seen->receive_maximum = p->receive_maximum;
    seen->alias_maximum = p->topic_alias_maximum;
    seen->packet_bytes_max = p->maximum_packet_bytes;
    seen->keep_alive_s = packet->keep_alive_s;
    if (packet->type == MQTT_CONNACK) {
        seen->has_keep_alive = (p->present & MQTT_PROPERTY_BIT(MQTT_SERVER_KEEP_ALIVE)) != 0;
        seen->keep_alive_s = p->server_keep_alive_s;
    } else if (packet->type == MQTT_CONNECT && packet->will) {
        struct mqtt_properties will;
        mqtt_will_properties(packet, &will);
        message_read(packet, &will, seen);
        seen->has_will = true;
        seen->will_delay_s = will.will_delay_s;
    } else if (packet->type == MQTT_SUBSCRIBE) {
        filters_read(packet, seen);
    }
}

static void say(const struct mqtt_seen *seen)
{
    static const char *const names[] = {"?",         "CONNECT",  "CONNACK",     "PUBLISH",
                                        "PUBACK",    "PUBREC",   "PUBREL",      "PUBCOMP",
                                        "SUBSCRIBE", "SUBACK",   "UNSUBSCRIBE", "UNSUBACK",
                                        "PINGREQ",   "PINGRESP", "DISCONNECT",  "AUTH"};
    fprintf(stderr,
            "%11.6f link %" PRIu32 " client %" PRIu32 " %s %s %-10s id %u qos %u dup %d retain %d "
            "reason 0x%02x message %" PRIu32 " present %d clean %d%s\n",
            (double)seen->now_us / 1e6, seen->link, seen->client,
            seen->by_broker ? "broker" : "client", seen->sent ? "sent" : "got ", names[seen->type],
            seen->packet_id, seen->qos, seen->dup, seen->retain, seen->reason, seen->message,
            seen->session_present, seen->clean_start, seen->spoiled ? " spoiled" : "");
}

static bool is_spoiled(struct mqtt_world *world, uint32_t link, bool broker, uint32_t packet)
{
    const struct mqtt_world_tap *sent = tap_of(world, link, !broker, true);
    for (uint32_t at = 0; at < sent->spoiled_count; at++) {
        if (sent->spoiled[at] == packet) {
            return true;
        }
    }
    return false;
}

/* The reason code of a packet, by its place alone; 0: it has none. */
static uint8_t reason_at(const uint8_t *bytes, uint32_t size_bytes)
{
    uint32_t at = 1;
    while (at < size_bytes && (bytes[at] & 0x80u) != 0) {
        at++;
    }
    at++; /* of what is behind the length */
    switch ((enum mqtt_type)(bytes[0] >> 4)) {
    case MQTT_CONNACK:
        at += 1;
        break;
    case MQTT_PUBACK:
    case MQTT_PUBREC:
    case MQTT_PUBREL:
    case MQTT_PUBCOMP:
        at += 2;
        break;
    case MQTT_DISCONNECT:
        break;
    case MQTT_CONNECT:
    case MQTT_PUBLISH:
    case MQTT_SUBSCRIBE:
    case MQTT_SUBACK:
    case MQTT_UNSUBSCRIBE:
    case MQTT_UNSUBACK:
    case MQTT_PINGREQ:
    case MQTT_PINGRESP:
    case MQTT_AUTH:
    default:
        return 0;
    }
    return at < size_bytes ? bytes[at] : 0;
}

/* Core's decoder refuses it. That it refuses a reason is core's word: the judge has a list of its
 * own. */
static void judge_unreadable(struct mqtt_world *world, const struct mqtt_world_tap *tap,
                             uint32_t size_bytes, uint32_t client)
{
    const bool listed = mqtt_judge_listed(tap->bytes[0] >> 4, reason_at(tap->bytes, size_bytes));
    mqtt_judge_break(&world->judge, listed ? MQTT_LAW_M16 : MQTT_LAW_M20, world->now_us,
                     listed ? "no packet at all" : "a reason that the standard does not list here",
                     tap->link, client);
}

static void tap_packet(struct mqtt_world *world, struct mqtt_world_tap *tap, uint32_t node,
                       bool sent, uint32_t size_bytes)
{
    struct mqtt_packet packet;
    uint8_t reason = 0;
    const bool broker = node == SESSION_BROKER;
    struct mqtt_seen seen = {.now_us = world->now_us,
                             .by_broker = broker,
                             .sent = sent,
                             .link = tap->link,
                             .client = mqtt_world_client_of(world, node, tap->link),
                             .size_bytes = size_bytes};
    if (mqtt_decode(tap->bytes, size_bytes, &packet, &reason) != ERR_OK) {
        tap->dead = true;
        if (sent && (broker || seen.client != MQTT_JUDGE_RUDE)) {
            judge_unreadable(world, tap, size_bytes, seen.client);
        }
        return;
    }
    packet_read(&packet, &seen);
    seen.spoiled = !sent && is_spoiled(world, tap->link, broker, tap->packet_count);
    if (world->request->verbose) {
        say(&seen);
    }
    mqtt_judge_packet(&world->judge, &seen);
}

void mqtt_world_tap_bytes(struct mqtt_world *world, uint32_t node, uint32_t link, bool sent,
                          const uint8_t *bytes, uint32_t size_bytes)
{
    struct mqtt_world_tap *tap = tap_of(world, link, node == SESSION_BROKER, sent);
    while (size_bytes > 0 && !tap->dead) {
        const uint32_t room = SESSION_TAP_BYTES - tap->size_bytes;
        const uint32_t part = size_bytes < room ? size_bytes : room;
        memcpy(tap->bytes + tap->size_bytes, bytes, part);
        tap->size_bytes += part;
        bytes += part;
        size_bytes -= part;
        uint32_t packet_bytes = 0;
        uint8_t reason = 0;
        enum err err = ERR_OK;
        while (!tap->dead &&
               (err = mqtt_packet_size(tap->bytes, tap->size_bytes, &packet_bytes, &reason)) ==
                   ERR_OK &&
               packet_bytes <= tap->size_bytes) {
            tap_packet(world, tap, node, sent, packet_bytes);
            tap->packet_count++;
            tap->size_bytes -= packet_bytes;
            memmove(tap->bytes, tap->bytes + packet_bytes, tap->size_bytes);
        }
        if (err == ERR_MALFORMED) { /* too large, or garbage */
            tap->dead = true;
        }
    }
}

bool mqtt_world_tap_spoil(struct mqtt_world *world, uint32_t node, uint32_t link, uint8_t *bytes,
                          uint32_t size_bytes)
{
    struct mqtt_world_tap *tap = tap_of(world, link, node == SESSION_BROKER, true);
    if (!mqtt_world_faulty(world, SESSION_FAULT_SPOIL) || tap->size_bytes > 0 || tap->dead ||
        size_bytes < 4 || tap->spoiled_count == SESSION_SPOILED_MAX ||
        mqtt_world_client_of(world, node, link) == MQTT_JUDGE_RUDE) {
        return false;
    }
    const bool publish = (bytes[0] & 0xFEu) == 0x32u; /* QoS 1, DUP 0 */
    const bool connack = bytes[0] == 0x20u && bytes[1] < 0x80u && bytes[2] == 0 && bytes[3] == 0;
    if ((!publish && !connack) || !random_chance(&world->spoils, 60000)) {
        return false;
    }
    if (publish) {
        bytes[0] |= 0x08u;
    } else {
        bytes[2] |= 0x01u;
    }
    tap->spoiled[tap->spoiled_count++] = tap->packet_count;
    world->result->struck[SESSION_FAULT_SPOIL]++;
    return true;
}
