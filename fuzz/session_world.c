/* What happens to the fleet's connection: time, the link, and others who speak on it. */
#include "fuzz/session_world.h"

#include <string.h>

#include "core/test/mqtt_sample.h"

#define SECOND UINT64_C(1000000)

struct session_world session_world;

void session_world_init(uint8_t choices, uint32_t piece_bytes)
{
    static const uint16_t keep_alives_s[] = {0, 1, 10, 600};
    memset(&session_world, 0, sizeof session_world);
    session_world.now_us = 1000 * SECOND;
    session_world.entropy = 1;
    session_world.piece_bytes = piece_bytes;
    session_world.keep_alive_s = keep_alives_s[choices % 4];
    session_world.answers_at_once = (choices & 4) != 0;
    session_world.wrong_key = (choices & 0x38) == 0x38;
    session_world.refuses = (choices & 0x38) == 0x30;
    session_ends_init();
    session_ends_open();
}

static struct session_end *other(const struct session_end *end)
{
    return end == &session_world.device ? &session_world.gateway : &session_world.device;
}

/* ---- the link ---------------------------------------------------------------------------------
 */

/* So many bytes of what this end has sent arrive, and behind the last one its close. True:
 * something did. */
static bool move(struct session_end *from, uint32_t count_bytes)
{
    struct session_end *to = other(from);
    const uint32_t rest_bytes = from->size_bytes - from->moved_bytes;
    const uint32_t moved_bytes = count_bytes < rest_bytes ? count_bytes : rest_bytes;
    const uint8_t *bytes = from->bytes + from->moved_bytes;
    from->moved_bytes += moved_bytes;
    if (moved_bytes > 0 && to->up && !from->gone) {
        session_ends_take(to, EVENT_LINK_DATA, bytes, moved_bytes);
    }
    if (from->closed && from->moved_bytes == from->size_bytes && to->up && !from->gone) {
        session_ends_take(to, EVENT_LINK_DOWN, NULL, 0);
        REQUIRE(!to->up);
        return true;
    }
    return moved_bytes > 0;
}

static void pump(void)
{
    bool more = true;
    for (uint32_t times = 0; more; times++) {
        REQUIRE(times < SESSION_PIPE_BYTES); /* they do not talk for ever */
        more = move(&session_world.device, UINT32_MAX);
        more = move(&session_world.gateway, UINT32_MAX) || more;
    }
}

static void widen(struct session_end *end, uint32_t room)
{
    end->limited = end->limited && room > 0;
    end->room += room;
    if (end->up) {
        session_ends_take(end, EVENT_LINK_WRITABLE, NULL, 0);
    }
}

static void tell_down(struct session_end *end)
{
    if (end->up) {
        session_ends_take(end, EVENT_LINK_DOWN, NULL, 0);
        REQUIRE(!end->up);
    }
}

/* What is on its way is lost, and nothing arrives any more. An end that is not told sends into
 * nowhere, or is told by its next send. */
static void cut(uint8_t choice)
{
    struct session_end *ends[] = {&session_world.device, &session_world.gateway};
    session_world.may_end = true;
    for (int i = 0; i < 2; i++) {
        ends[i]->moved_bytes = ends[i]->size_bytes;
        ends[i]->gone = true;
        ends[i]->failing = ends[i]->failing || (choice & 4) != 0;
    }
    for (int i = 0; i < 2; i++) {
        if ((choice & (1 << i)) == 0) {
            tell_down(ends[i]);
        }
    }
}

/* ---- time -------------------------------------------------------------------------------------
 */

/* Time goes by; all that is sent arrives meanwhile, or nothing does. */
static void pass(uint32_t seconds, bool moving)
{
    struct session_world *world = &session_world;
    const uint64_t end_us = world->now_us + seconds * SECOND;
    if (moving) {
        pump();
    } else {
        world->may_end = world->may_end || seconds > 0;
    }
    for (uint32_t times = 0;; times++) {
        const uint64_t device_us = session_ends_deadline_us(&world->device);
        const uint64_t gateway_us = session_ends_deadline_us(&world->gateway);
        const uint64_t next_us = device_us < gateway_us ? device_us : gateway_us;
        if (next_us > end_us) {
            break;
        }
        REQUIRE(times < 200); /* they do not spin */
        world->now_us = next_us > world->now_us ? next_us : world->now_us;
        if (device_us <= world->now_us) {
            session_ends_timeout(&world->device);
        }
        if (session_ends_deadline_us(&world->gateway) <= world->now_us) {
            session_ends_timeout(&world->gateway);
        }
        if (moving) {
            pump();
        }
    }
    world->now_us = end_us;
}

/* ---- others who speak on the link -------------------------------------------------------------
 */

/* A packet that an end may expect, or nearly. */
static void plain_packet(struct fuzz_input *input, bool to_device, struct mqtt_packet *packet)
{
    static const enum mqtt_type to_devices[] = {MQTT_AUTH,    MQTT_CONNACK,  MQTT_PUBLISH,
                                                MQTT_PUBACK,  MQTT_PINGRESP, MQTT_DISCONNECT,
                                                MQTT_PUBLISH, MQTT_PUBACK};
    static const enum mqtt_type to_gateways[] = {MQTT_CONNECT, MQTT_AUTH,    MQTT_PUBLISH,
                                                 MQTT_PUBLISH, MQTT_PINGREQ, MQTT_DISCONNECT,
                                                 MQTT_PUBREL,  MQTT_PUBACK};
    static const uint8_t data[SIGNATURE_BYTES] = {1, 2, 3};
    const uint8_t choice = fuzz_byte(input), more = fuzz_byte(input);
    struct mqtt_properties *properties = &packet->properties;
    mqtt_packet_init(packet, (to_device ? to_devices : to_gateways)[choice % 8]);
    if (packet->type == MQTT_CONNECT || packet->type == MQTT_CONNACK || packet->type == MQTT_AUTH) {
        properties->authentication_method = mqtt_text(MQTT_AUTHENTICATION_METHOD_NAME);
        properties->present |= MQTT_PROPERTY_BIT(MQTT_AUTHENTICATION_METHOD);
        properties->maximum_packet_bytes = 1 + more * 4u;
        properties->receive_maximum = (uint16_t)(1 + more % 4);
    }
    if (packet->type == MQTT_CONNECT || packet->type == MQTT_CONNACK) {
        properties->present |= (choice & 8) != 0 ? MQTT_PROPERTY_BIT(MQTT_MAXIMUM_PACKET_SIZE) : 0;
        properties->present |= (choice & 16) != 0 ? MQTT_PROPERTY_BIT(MQTT_RECEIVE_MAXIMUM) : 0;
        packet->client_id = mqtt_text("7");
    } else if (packet->type == MQTT_AUTH) {
        packet->reason = MQTT_CONTINUE_AUTHENTICATION;
        properties->authentication_data =
            (struct mqtt_slice){data, to_device ? MQTT_NONCE_BYTES : SIGNATURE_BYTES};
        properties->present |= MQTT_PROPERTY_BIT(MQTT_AUTHENTICATION_DATA);
    } else if (packet->type == MQTT_PUBLISH) {
        packet->qos = (choice >> 3) % 3;
        packet->packet_id = packet->qos > 0 ? 1 + more % 40 : 0;
        packet->topic = mqtt_text("a");
        packet->payload = (struct mqtt_slice){data, more >> 6};
    } else if (packet->type == MQTT_PUBACK || packet->type == MQTT_PUBREL) {
        packet->packet_id = 1 + more % 40;
    }
}

static void interfere(struct fuzz_input *input)
{
    static struct mqtt_sample sample;
    const uint8_t choice = fuzz_byte(input);
    struct session_end *to = (choice & 1) != 0 ? &session_world.device : &session_world.gateway;
    uint8_t packet[MQTT_PACKET_BYTES_MAX];
    uint32_t packet_bytes = sizeof packet;
    session_world.tainted = session_world.may_end = true;
    if ((choice >> 1) % 4 == 0) { /* any bytes */
        size_t size_bytes = 1u + fuzz_byte(input);
        const uint8_t *bytes = fuzz_take(input, &size_bytes);
        if (size_bytes > 0) {
            session_ends_take(to, EVENT_LINK_DATA, bytes, (uint32_t)size_bytes);
        }
    } else if ((choice >> 1) % 4 == 1) { /* any packet */
        memset(&sample, 0, sizeof sample);
        sample.random = fuzz_short(input);
        mqtt_sample_draw(&sample, MQTT_CONNECT + (choice >> 3) % MQTT_AUTH);
        REQUIRE(mqtt_encode(&sample.packet, packet, &packet_bytes) == ERR_OK);
        session_ends_take(to, EVENT_LINK_DATA, packet, packet_bytes);
    } else if ((choice >> 1) % 4 == 2) {
        struct mqtt_packet plain;
        const bool was_ready = session_world.client_ready;
        plain_packet(input, to == &session_world.device, &plain);
        REQUIRE(mqtt_encode(&plain, packet, &packet_bytes) == ERR_OK);
        session_ends_take(to, EVENT_LINK_DATA, packet, packet_bytes);
        if (!was_ready && session_world.client_ready && session_world.device.up &&
            (plain.properties.present & MQTT_PROPERTY_BIT(MQTT_RECEIVE_MAXIMUM)) != 0 &&
            plain.properties.receive_maximum < MQTT_INFLIGHT_MAX) {
            session_world.receive_maximum = plain.properties.receive_maximum;
        }
    } else if (session_world.old_bytes > 0) { /* what the device said on an earlier link */
        session_ends_take(&session_world.gateway, EVENT_LINK_DATA, session_world.old,
                          session_world.old_bytes);
    }
}

/* ---- acts -------------------------------------------------------------------------------------
 */

void session_world_act(struct fuzz_input *input)
{
    static const uint8_t answers[] = {MQTT_SUCCESS, MQTT_QUOTA_EXCEEDED, MQTT_NOT_AUTHORIZED,
                                      MQTT_PAYLOAD_FORMAT_INVALID};
    static const uint8_t goodbyes[] = {MQTT_SUCCESS, MQTT_UNSPECIFIED_ERROR,
                                       MQTT_ADMINISTRATIVE_ACTION, MQTT_PROTOCOL_ERROR};
    struct session_world *world = &session_world;
    const uint32_t act = fuzz_below(input, 17);
    const uint8_t choice = act < 15 ? fuzz_byte(input) : 0;
    struct session_end *end = (choice & 1) != 0 ? &world->gateway : &world->device;
    switch (act) {
    case 0:
    case 1:
        session_ends_publish(&world->device, choice);
        break;
    case 2:
        session_ends_publish(&world->gateway, choice);
        break;
    case 3:
        session_ends_answer(choice % MQTT_INFLIGHT_MAX, answers[choice / MQTT_INFLIGHT_MAX % 4]);
        break;
    case 4:
        (void)move(&world->device, choice);
        break;
    case 5:
        (void)move(&world->gateway, choice);
        break;
    case 6:
    case 7:
        pump();
        break;
    case 8:
        end->limited = world->may_end = true;
        end->room = (choice >> 1) * 4u;
        break;
    case 9:
        widen(end, (choice >> 1) * 4u);
        break;
    case 10:
        cut(choice);
        break;
    case 11:
        session_ends_open();
        if ((choice & 1) == 0) {
            pump();
        }
        break;
    case 12:
        session_ends_close(end, goodbyes[(choice >> 1) % 4]);
        break;
    case 13:
        pass(choice % 16, false);
        break;
    case 14:
        pass(choice % 32, true);
        break;
    case 15:
        interfere(input);
        break;
    default:
        world->entropy_fails = !world->entropy_fails;
        world->may_end = world->may_end || world->entropy_fails;
        break;
    }
}

uint64_t session_world_settle(void)
{
    struct session_world *world = &session_world;
    struct session_end *ends[] = {&world->device, &world->gateway};
    for (int i = 0; i < 2; i++) {
        if (ends[i]->gone) {
            tell_down(ends[i]);
        } else {
            widen(ends[i], 0);
        }
    }
    pump();
    while (world->gateway.up && world->session_ready && world->arrival_count > 0) {
        session_ends_answer(0, MQTT_SUCCESS);
        pump();
    }
    REQUIRE(world->device.up == world->gateway.up);
    REQUIRE(world->device.up || world->may_end);
    if (world->device.up && !world->tainted) {
        REQUIRE(world->client_ready && world->session_ready);
        REQUIRE(world->up.count == 0 && world->down.count == 0);
        REQUIRE(world->flight_count == 0 && world->arrival_count == 0);
        REQUIRE(world->owed_count == 0 && world->told_count == 0);
    }
    session_ends_close(&world->device, MQTT_SUCCESS);
    pump();
    REQUIRE(!world->gateway.up);
    return world->device.digest ^ world->gateway.digest * 3;
}
