/* What the cores send: whole packets, held in the list of the place at which the spec says that
 * they are, until an action takes them on.
 */
#include <string.h>

#include "core/check.h"
#include "core/message.h"
#include "core/mqtt/client.h"
#include "core/topic.h"
#include "sim/drive_session_inside.h"

/* ---- readings and lists ------------------------------------------------------------------------
 */

int32_t session_owner(const struct session_rig *rig, int32_t reading)
{
    return (reading - 1) % rig->devices + 1;
}

int32_t session_of(const struct session_rig *rig, int32_t d)
{
    int32_t readings = 0;
    for (int32_t m = 1; m <= rig->readings; m++) {
        readings |= session_owner(rig, m) == d ? set_of(m) : 0;
    }
    return readings;
}

int32_t session_reading(const struct session_rig *rig, uint32_t node, uint64_t counter)
{
    for (int32_t m = 1; m <= rig->readings; m++) {
        if (SESSION_DEVICE + (uint32_t)session_owner(rig, m) == node && counter != 0 &&
            rig->counter_of[m] == counter) {
            return m;
        }
    }
    return 0;
}

int32_t session_count(const struct session_packets *packets, int32_t reading)
{
    int32_t count = 0;
    for (uint32_t i = 0; i < packets->count; i++) {
        count += packets->list[i].reading == reading;
    }
    return count;
}

bool session_has(const struct session_packets *packets, int32_t reading)
{
    return session_count(packets, reading) > 0;
}

int32_t session_set(const struct session_packets *packets)
{
    int32_t readings = 0;
    for (uint32_t i = 0; i < packets->count; i++) {
        readings |= packets->list[i].reading == 0 ? 0 : set_of(packets->list[i].reading);
    }
    return readings;
}

static void remove_at(struct session_packets *packets, uint32_t index)
{
    packets->count--;
    memmove(&packets->list[index], &packets->list[index + 1],
            (packets->count - index) * sizeof packets->list[0]);
}

bool session_take(struct session_packets *packets, int32_t reading, int32_t device,
                  struct session_packet *out)
{
    for (uint32_t i = 0; i < packets->count; i++) {
        const struct session_packet *packet = &packets->list[i];
        if (reading != 0 ? packet->reading == reading : packet->device == device) {
            *out = *packet;
            remove_at(packets, i);
            return true;
        }
    }
    return false;
}

void session_add(struct session_packets *packets, const struct session_packet *packet)
{
    CHECK(packets->count < SESSION_PACKETS_MAX);
    packets->list[packets->count++] = *packet;
}

void session_drop(struct session_packets *packets, int32_t device)
{
    for (uint32_t i = packets->count; i > 0; i--) {
        if (device == 0 || packets->list[i - 1].device == device) {
            remove_at(packets, i - 1);
        }
    }
}

/* ---- what is sent ------------------------------------------------------------------------------
 */

static void note_id(struct session_rig *rig, uint32_t link, uint16_t packet_id, int32_t reading)
{
    const uint32_t capacity = sizeof rig->ids / sizeof rig->ids[0];
    rig->ids[rig->id_count++ % capacity] = (struct session_id){link, packet_id, reading};
}

static int32_t reading_of_id(const struct session_rig *rig, uint32_t link, uint16_t packet_id)
{
    for (uint32_t i = 0; i < sizeof rig->ids / sizeof rig->ids[0]; i++) {
        if (rig->ids[i].link == link && rig->ids[i].packet_id == packet_id) {
            return rig->ids[i].reading;
        }
    }
    return 0;
}

static bool is_handshake(const struct mqtt_packet *packet)
{
    return packet->type == MQTT_CONNECT || packet->type == MQTT_AUTH ||
           packet->type == MQTT_CONNACK;
}

static void keep_envelope(struct envelope *out, const uint8_t *bytes, uint32_t size_bytes)
{
    CHECK(size_bytes <= sizeof out->bytes);
    out->size_bytes = size_bytes;
    memcpy(out->bytes, bytes, size_bytes);
}

/* Of a reading, or an answer to a challenge. */
static void device_sent(struct session_rig *rig, int32_t d, const struct mqtt_packet *packet,
                        struct session_packet *held)
{
    struct cose_sign1 parsed;
    struct telemetry telemetry;
    if (packet->type == MQTT_DISCONNECT) {
        return; /* what the action makes of the link says the same */
    }
    CHECK(packet->type == MQTT_PUBLISH);
    CHECK(cose_parse(packet->payload.bytes, packet->payload.size_bytes, &parsed) == ERR_OK);
    if (parsed.content_type == MESSAGE_RESPONSE) {
        keep_envelope(&rig->all[d].answer, packet->payload.bytes, packet->payload.size_bytes);
        return;
    }
    CHECK(message_read_telemetry(&parsed, &telemetry) == ERR_OK);
    held->reading = session_reading(rig, telemetry.device, telemetry.counter);
    if (held->reading != 0) {
        note_id(rig, held->link, packet->packet_id, held->reading);
        session_add(&rig->staged, held);
    }
}

/* To the device: an answer for a reading, or what the cloud says to it. */
static void gateway_sent_down(struct session_rig *rig, int32_t d, const struct mqtt_packet *packet,
                              struct session_packet *held)
{
    struct session_device *device = &rig->all[d];
    if (packet->type == MQTT_PUBLISH) { /* only what an action wants to arrive is on its way */
        session_add(&rig->passing, held);
    } else if (packet->type == MQTT_PUBACK && !device->dead) {
        held->reading = reading_of_id(rig, held->link, packet->packet_id);
        session_add(packet->reason == MQTT_SUCCESS ? &rig->pubacks : &rig->refusals, held);
    }
}

/* A reading, or an answer to a challenge, in the gateway's own envelope. */
static void gateway_sent_up(struct session_rig *rig, const struct mqtt_packet *packet,
                            struct session_packet *held)
{
    struct cose_sign1 outer, inner;
    struct forward forward;
    struct telemetry telemetry;
    CHECK(packet->type == MQTT_PUBLISH);
    CHECK(cose_parse(packet->payload.bytes, packet->payload.size_bytes, &outer) == ERR_OK);
    CHECK(message_read_forward(&outer, &forward) == ERR_OK);
    CHECK(cose_parse(forward.envelope, forward.envelope_bytes, &inner) == ERR_OK);
    held->device = (int32_t)inner.signer - SESSION_DEVICE;
    if (inner.content_type == MESSAGE_RESPONSE) {
        struct session_device *device = &rig->all[held->device];
        device->carried = true;
        device->forwarded_bytes = held->size_bytes;
        memcpy(device->forwarded, held->bytes, held->size_bytes);
        return;
    }
    CHECK(message_read_telemetry(&inner, &telemetry) == ERR_OK);
    held->reading = session_reading(rig, telemetry.device, telemetry.counter);
    note_id(rig, held->link, packet->packet_id, held->reading);
    session_add(&rig->handed, held);
}

/* Which of the readings it covers, as a device would see it. */
static int32_t covered(const struct session_rig *rig, int32_t d, const struct ack *ack)
{
    int32_t readings = 0;
    for (int32_t m = 1; m <= rig->readings; m++) {
        const uint64_t counter = rig->counter_of[m];
        if (session_owner(rig, m) != d || counter == 0) {
            continue;
        }
        const uint64_t bit = counter - ack->floor - 1;
        const bool listed = counter > ack->floor && bit / 8 < ack->bitmap_bytes &&
                            (ack->bitmap[bit / 8] >> (bit % 8) & 1u) != 0;
        readings |= counter <= ack->floor || listed ? set_of(m) : 0;
    }
    return readings;
}

static void keep_ack(struct session_rig *rig, const struct session_ack *ack)
{
    for (uint32_t i = 0; i < rig->ack_count; i++) {
        if (rig->acks[i].device == ack->device && rig->acks[i].readings == ack->readings) {
            rig->acks[i] = *ack;
            return;
        }
    }
    if (ack->readings != 0) {
        CHECK(rig->ack_count < SESSION_ACKS_MAX);
        rig->acks[rig->ack_count++] = *ack;
    }
}

static void cloud_sent(struct session_rig *rig, const struct mqtt_packet *packet,
                       struct session_packet *held)
{
    struct cose_sign1 parsed;
    struct ack ack;
    if (packet->type == MQTT_PUBACK) {
        held->reading = reading_of_id(rig, held->link, packet->packet_id);
        if (packet->reason == MQTT_SUCCESS && held->reading != 0) {
            session_add(&rig->confirms, held);
        }
        return;
    }
    CHECK(packet->type == MQTT_PUBLISH);
    CHECK(cose_parse(packet->payload.bytes, packet->payload.size_bytes, &parsed) == ERR_OK);
    if (parsed.content_type == MESSAGE_CHALLENGE) {
        struct challenge challenge;
        CHECK(message_read_challenge(&parsed, &challenge) == ERR_OK);
        keep_envelope(&rig->all[challenge.device - SESSION_DEVICE].challenge, packet->payload.bytes,
                      packet->payload.size_bytes);
        return;
    }
    CHECK(message_read_ack(&parsed, &ack) == ERR_OK);
    struct session_ack kept = {.device = (int32_t)ack.device - SESSION_DEVICE};
    kept.readings = covered(rig, kept.device, &ack);
    keep_envelope(&kept.envelope, packet->payload.bytes, packet->payload.size_bytes);
    keep_ack(rig, &kept);
}

/* The device whose link this is, 0: none, or no more. */
static int32_t device_at(const struct session_rig *rig, uint32_t link)
{
    for (int32_t d = 1; d <= rig->devices; d++) {
        if (rig->all[d].wire.link == link || rig->all[d].wire.opening == link) {
            return d;
        }
    }
    return 0;
}

/* Who is at the other end; 0: nobody any more, what is sent is lost. */
static uint32_t peer_of(const struct session_rig *rig, uint32_t node, uint32_t link)
{
    const int32_t d = device_at(rig, link);
    if (d != 0) {
        return node == SESSION_GATEWAY ? SESSION_DEVICE + (uint32_t)d : SESSION_GATEWAY;
    }
    if (rig->uplink.link == link || rig->uplink.opening == link) {
        return node == SESSION_GATEWAY ? SESSION_CLOUD : SESSION_GATEWAY;
    }
    if (rig->other_link.link == link || rig->other_link.opening == link) {
        return node == SESSION_OTHER ? SESSION_CLOUD : SESSION_OTHER;
    }
    return 0;
}

static void sent_one(struct session_rig *rig, uint32_t node, const struct mqtt_packet *packet,
                     struct session_packet *held)
{
    const int32_t d = device_at(rig, held->link);
    held->to = peer_of(rig, node, held->link);
    held->device = d;
    if (held->to == 0) {
        return;
    }
    if (is_handshake(packet)) {
        session_add(&rig->passing, held);
    } else if (node > SESSION_DEVICE) {
        device_sent(rig, d, packet, held);
    } else if (d != 0) {
        gateway_sent_down(rig, d, packet, held);
    } else if (node == SESSION_GATEWAY) {
        gateway_sent_up(rig, packet, held);
    } else if (node == SESSION_CLOUD && held->to == SESSION_GATEWAY) {
        cloud_sent(rig, packet, held);
    } else if (node == SESSION_OTHER) {
        session_add(&rig->at_cloud, held);
    } else if (packet->type == MQTT_PUBLISH) { /* the cloud, to the second gateway */
        cloud_sent(rig, packet, held);
    }
}

void session_sent(struct session_node *node, uint32_t link, const uint8_t *bytes,
                  uint32_t size_bytes)
{
    while (size_bytes > 0) {
        struct session_packet held = {.link = link};
        struct mqtt_packet packet;
        uint8_t reason = 0;
        CHECK(mqtt_packet_size(bytes, size_bytes, &held.size_bytes, &reason) == ERR_OK);
        CHECK(held.size_bytes <= size_bytes); /* a core sends whole packets */
        memcpy(held.bytes, bytes, held.size_bytes);
        CHECK(mqtt_decode(held.bytes, held.size_bytes, &packet, &reason) == ERR_OK);
        sent_one(node->rig, node->number, &packet, &held);
        bytes += held.size_bytes;
        size_bytes -= held.size_bytes;
    }
}

/* ---- what is brought ---------------------------------------------------------------------------
 */

static void other_hear(struct session_rig *rig, const struct event *event)
{
    struct mqtt_input input = {event->bytes, event->size_bytes};
    struct mqtt_happening happening;
    do {
        mqtt_client_take(&rig->other_client, &rig->other.port, &rig->other_keys, 0, event, &input,
                         &happening);
    } while (happening.kind != MQTT_NOTHING && rig->other_client.state != MQTT_CLIENT_CLOSED);
}

static void pass(struct session_rig *rig, const struct session_packet *packet)
{
    const struct event event = {.kind = EVENT_LINK_DATA,
                                .link = packet->link,
                                .bytes = packet->bytes,
                                .size_bytes = packet->size_bytes};
    if (packet->to == SESSION_OTHER) {
        other_hear(rig, &event);
    } else if (packet->to == SESSION_CLOUD) {
        session_step(&rig->cloud, &event);
    } else if (packet->to == SESSION_GATEWAY) {
        session_step(&rig->gateway, &event);
    } else {
        session_step(&rig->all[packet->device].node, &event);
    }
}

void session_pass(struct session_rig *rig)
{
    while (rig->passing.count > 0) {
        const struct session_packet packet = rig->passing.list[0];
        remove_at(&rig->passing, 0);
        pass(rig, &packet);
    }
}

void session_publish(struct session_node *node, uint32_t link, char letter, int32_t d,
                     const struct envelope *envelope)
{
    char topic[TOPIC_BYTES];
    struct mqtt_packet packet;
    uint8_t bytes[MQTT_PACKET_BYTES_MAX];
    uint32_t size_bytes = sizeof bytes;
    topic_write(topic, letter, SESSION_DEVICE + (uint32_t)d);
    mqtt_packet_init(&packet, MQTT_PUBLISH);
    packet.topic = mqtt_text(topic);
    packet.payload = (struct mqtt_slice){envelope->bytes, envelope->size_bytes};
    CHECK(mqtt_encode(&packet, bytes, &size_bytes) == ERR_OK);
    session_data(node, link, bytes, size_bytes);
}

void session_downlink(struct session_rig *rig, int32_t d, const struct envelope *envelope)
{
    if (rig->uplink.link != 0) {
        session_publish(&rig->gateway, rig->uplink.link, 'd', d, envelope);
    } else {
        session_publish(&rig->all[d].node, rig->all[d].wire.link, 'd', d, envelope);
    }
    session_pass(rig);
}

static void other_join(struct session_rig *rig)
{
    if (rig->other_client.state == MQTT_CLIENT_READY) {
        return;
    }
    CHECK(mqtt_client_open(&rig->other_client, &rig->other.port, SESSION_CLOUD, 0) == ERR_OK);
    const uint32_t link = rig->other_link.opening;
    session_event(&rig->cloud, EVENT_LINK_UP, link, true);
    other_hear(rig, &(struct event){.kind = EVENT_LINK_UP, .link = link});
    session_pass(rig);
    CHECK(rig->other_client.state == MQTT_CLIENT_READY);
    rig->other_link = (struct session_link){.link = link};
}

void session_other_forward(struct session_rig *rig, const struct envelope *envelope, bool custody)
{
    const struct forward forward = {.gateway = SESSION_OTHER,
                                    .envelope = envelope->bytes,
                                    .envelope_bytes = envelope->size_bytes};
    uint8_t bytes[FORWARD_BYTES_MAX];
    uint32_t size_bytes = sizeof bytes;
    char topic[TOPIC_BYTES];
    other_join(rig);
    topic_write(topic, 'g', SESSION_OTHER);
    CHECK(message_forward(&rig->other.port, &rig->other_keys, &forward, bytes, &size_bytes) ==
          ERR_OK);
    CHECK(mqtt_client_publish(&rig->other_client, &rig->other.port, 0, topic, bytes, size_bytes,
                              custody ? 1 : 0) == ERR_OK);
}

void session_other_leave(struct session_rig *rig)
{
    if (rig->other_link.link != 0) {
        other_hear(rig, &(struct event){.kind = EVENT_LINK_DOWN, .link = rig->other_link.link});
        rig->other_link.link = 0;
    }
}

/* Not past readings that it has sent before. */
void session_carry_answer(struct session_rig *rig, int32_t d)
{
    const struct session_device *device = &rig->all[d];
    const int32_t before = session_set(&rig->wire) | session_set(&rig->at_gateway);
    if (rig->uplink.link != 0 && (before & session_of(rig, d)) == 0) {
        session_publish(&rig->gateway, device->wire.link, 't', d, &device->answer);
    }
}

void session_bring_answer(struct session_rig *rig, int32_t d)
{
    struct session_device *device = &rig->all[d];
    if (device->carried && rig->uplink.link != 0) {
        struct session_packet packet = {
            .link = rig->uplink.link, .device = d, .size_bytes = device->forwarded_bytes};
        memcpy(packet.bytes, device->forwarded, device->forwarded_bytes);
        session_add(&rig->at_cloud, &packet);
    } else {
        session_other_forward(rig, &device->answer, false);
        rig->at_cloud.list[rig->at_cloud.count - 1].device = d;
    }
    device->carried = false;
    device->answer.size_bytes = 0;
}
