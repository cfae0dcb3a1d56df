#include "sim/rogue.h"

#include <string.h>

#include "core/check.h"
#include "core/message.h"
#include "core/mqtt/session.h"
#include "core/topic.h"
#include "sim/effect.h"
#include "sim/flood.h"

enum {
    ROGUE_SESSIONS = SERVER_SESSIONS_MAX < 128 ? SERVER_SESSIONS_MAX : 128,
    ROGUE_HELD = 512,
    TICK_US = 1000000,
    RECONNECT_US = 2000000,
    SOON_US = 20000000,    /* a reordered envelope is held back at most so long */
    LATER_US = 1200000000, /* a delayed one */
    HANDSHAKE_KEEP_ALIVE_S = 30,
};

struct held {
    uint64_t due_us; /* 0 = free */
    uint32_t size_bytes;
    uint8_t bytes[ENVELOPE_BYTES_MAX];
};

struct rogue {
    struct rogue_config config;
    struct mqtt_client upstream;
    uint64_t connect_at_us;
    uint64_t tick_at_us;
    uint64_t next_tag;
    uint32_t held_count;
    struct held held[ROGUE_HELD];
    struct mqtt_session sessions[ROGUE_SESSIONS];
    struct flood flood;
};

size_t rogue_size_bytes(const struct rogue_config *config)
{
    (void)config;
    return sizeof(struct rogue);
}

const struct rogue_counts *rogue_counts(const void *rogue)
{
    return ((const struct rogue *)rogue)->config.counts;
}

static uint64_t draw(const struct port *port)
{
    uint8_t bytes[8];
    uint64_t value = 0;
    if (port->entropy(port->ctx, bytes, sizeof bytes) != ERR_OK) {
        return UINT64_MAX;
    }
    for (unsigned i = 0; i < sizeof bytes; i++) {
        value = value << 8 | bytes[i];
    }
    return value;
}

/* Does the plan want this attack on this message? No draw while it is off. */
static bool attack(const struct rogue *rogue, const struct port *port, enum effect effect)
{
    const uint32_t ppm = rogue->config.attack[effect];
    return ppm > 0 && draw(port) % 1000000u < ppm;
}

/* ---- holding and forwarding ------------------------------------------------------------------ */

static void hold(struct rogue *rogue, const uint8_t *bytes, uint32_t size_bytes, uint64_t due_us)
{
    for (unsigned i = 0; i < ROGUE_HELD; i++) {
        struct held *held = &rogue->held[i];
        if (held->due_us == 0) {
            held->due_us = due_us == 0 ? 1 : due_us;
            held->size_bytes = size_bytes;
            memcpy(held->bytes, bytes, size_bytes);
            rogue->held_count++;
            return;
        }
    }
    rogue->config.counts->dropped++; /* full: an attacker may drop what it likes */
}

/* Flip one bit, or forge a reading with a counter far ahead that this key cannot sign. */
static void hold_corrupted(struct rogue *rogue, const struct port *port, const uint8_t *bytes,
                           uint32_t size_bytes, uint64_t now_us)
{
    struct envelope forged;
    struct cose_sign1 parsed;
    struct telemetry telemetry;
    const uint64_t choice = draw(port);
    static const uint8_t key[AEAD_KEY_BYTES];
    const struct reading reading = {.wall_us = now_us, .value = 666};
    rogue->config.counts->corrupted++;
    if (choice % 2 == 0 && cose_parse(bytes, size_bytes, &parsed) == ERR_OK &&
        message_read_telemetry(&parsed, &telemetry) == ERR_OK &&
        message_telemetry(port, &rogue->config.gateway.keys, key, telemetry.device, telemetry.epoch,
                          telemetry.counter + 1000000 + choice % 1000, &reading,
                          &forged) == ERR_OK) {
        hold(rogue, forged.bytes, forged.size_bytes, now_us);
        return;
    }
    memcpy(forged.bytes, bytes, size_bytes);
    forged.bytes[(choice >> 8) % size_bytes] ^= (uint8_t)(1u << (choice >> 4 & 7u));
    hold(rogue, forged.bytes, size_bytes, now_us);
}

static void replay(struct rogue *rogue, const struct port *port, uint64_t now_us)
{
    const struct capture *capture = rogue->config.capture;
    const uint64_t there =
        capture->readings_seen < CAPTURE_COUNT ? capture->readings_seen : CAPTURE_COUNT;
    if (there > 0) {
        const struct captured *old = &capture->readings[draw(port) % there];
        rogue->config.counts->replayed++;
        hold(rogue, old->bytes, old->size_bytes, now_us);
    }
}

/* An envelope came from a device: custody is given, and then the attacks take their turn. */
static void take_envelope(struct rogue *rogue, const struct port *port,
                          const struct mqtt_slice *payload, uint64_t now_us)
{
    struct rogue_counts *counts = rogue->config.counts;
    if (payload->size_bytes == 0 || payload->size_bytes > ENVELOPE_BYTES_MAX) {
        return;
    }
    counts->taken++;
    if (attack(rogue, port, EFFECT_ATTACK_REPLAY)) {
        replay(rogue, port, now_us);
    }
    if (attack(rogue, port, EFFECT_ATTACK_CORRUPT)) {
        hold_corrupted(rogue, port, payload->bytes, payload->size_bytes, now_us);
    }
    if (attack(rogue, port, EFFECT_ATTACK_DUPLICATE)) {
        counts->duplicated++;
        hold(rogue, payload->bytes, payload->size_bytes, now_us + draw(port) % SOON_US);
    }
    if (attack(rogue, port, EFFECT_ATTACK_DROP)) {
        counts->dropped++;
    } else if (attack(rogue, port, EFFECT_ATTACK_DELAY)) {
        counts->delayed++;
        hold(rogue, payload->bytes, payload->size_bytes, now_us + draw(port) % LATER_US);
    } else if (attack(rogue, port, EFFECT_ATTACK_REORDER)) {
        counts->reordered++;
        hold(rogue, payload->bytes, payload->size_bytes, now_us + draw(port) % SOON_US);
    } else {
        hold(rogue, payload->bytes, payload->size_bytes, now_us);
    }
}

/* Hand what is due to the cloud, under a good signature of this gateway. */
static void forward_due(struct rogue *rogue, const struct port *port, uint64_t now_us)
{
    char topic[TOPIC_BYTES];
    topic_write(topic, 'g', rogue->config.gateway.id);
    for (unsigned i = 0; i < ROGUE_HELD && rogue->held_count > 0; i++) {
        struct held *held = &rogue->held[i];
        uint8_t bytes[FORWARD_BYTES_MAX];
        uint32_t size_bytes = sizeof bytes;
        if (held->due_us == 0 || held->due_us > now_us) {
            continue;
        }
        const struct forward forward = {.gateway = rogue->config.gateway.id,
                                        .tenant = rogue->config.gateway.tenant,
                                        .policy_version = rogue->config.gateway.policy_version,
                                        .envelope = held->bytes,
                                        .envelope_bytes = held->size_bytes};
        if (rogue->upstream.state != MQTT_CLIENT_READY ||
            message_forward(port, &rogue->config.gateway.keys, &forward, bytes, &size_bytes) !=
                ERR_OK ||
            mqtt_client_publish(&rogue->upstream, port, now_us, topic, bytes, size_bytes,
                                ++rogue->next_tag) != ERR_OK) {
            return;
        }
        rogue->config.counts->forwarded++;
        held->due_us = 0;
        rogue->held_count--;
    }
}

/* ---- towards devices ------------------------------------------------------------------------- */

static struct mqtt_session *session_of_link(struct rogue *rogue, uint32_t link)
{
    for (unsigned i = 0; i < ROGUE_SESSIONS; i++) {
        if (rogue->sessions[i].state != MQTT_SESSION_CLOSED && rogue->sessions[i].link == link) {
            return &rogue->sessions[i];
        }
    }
    return NULL;
}

static void open_session(struct rogue *rogue, const struct port *port, uint32_t link,
                         uint64_t now_us)
{
    for (unsigned i = 0; i < ROGUE_SESSIONS; i++) {
        if (rogue->sessions[i].state == MQTT_SESSION_CLOSED) {
            mqtt_session_open(&rogue->sessions[i], rogue->config.gateway.id, link, now_us);
            return;
        }
    }
    port->link_close(port->ctx, link);
}

static void send_down(struct rogue *rogue, const struct port *port, const char *topic,
                      uint32_t device, const uint8_t *bytes, uint32_t size_bytes)
{
    for (unsigned i = 0; i < ROGUE_SESSIONS; i++) {
        struct mqtt_session *session = &rogue->sessions[i];
        if (session->state == MQTT_SESSION_READY && session->client == device) {
            const enum err err = mqtt_session_publish(session, port, topic, bytes, size_bytes);
            (void)err; /* QoS 0: what does not fit is lost, and nobody promised otherwise */
        }
    }
}

/* From the cloud to a device: passed on, dropped, corrupted, or joined by an old one. */
static void take_downlink(struct rogue *rogue, const struct port *port,
                          const struct mqtt_happening *happening)
{
    struct rogue_counts *counts = rogue->config.counts;
    const struct capture *capture = rogue->config.capture;
    char topic[TOPIC_BYTES];
    uint8_t bytes[MQTT_PACKET_BYTES_MAX];
    uint32_t device;
    const uint32_t size_bytes = happening->payload.size_bytes;
    if (!topic_read(&happening->topic, 'd', &device) || size_bytes == 0 ||
        size_bytes > sizeof bytes) {
        return;
    }
    topic_write(topic, 'd', device);
    memcpy(bytes, happening->payload.bytes, size_bytes);
    if (attack(rogue, port, EFFECT_ATTACK_REPLAY) && capture->acks_seen > 0) {
        const uint64_t there =
            capture->acks_seen < CAPTURE_COUNT ? capture->acks_seen : CAPTURE_COUNT;
        const struct captured *old = &capture->acks[draw(port) % there];
        counts->replayed++;
        send_down(rogue, port, topic, device, old->bytes, old->size_bytes);
    }
    if (attack(rogue, port, EFFECT_ATTACK_CORRUPT)) {
        const uint64_t choice = draw(port);
        counts->corrupted++;
        bytes[(choice >> 8) % size_bytes] ^= (uint8_t)(1u << (choice & 7u));
    }
    if (attack(rogue, port, EFFECT_ATTACK_DROP)) {
        counts->dropped++;
        return;
    }
    send_down(rogue, port, topic, device, bytes, size_bytes);
}

static const struct registry_entry *device_entry(const struct rogue *rogue, uint32_t device)
{
    return registry_find(&rogue->config.gateway.devices, device, NULL);
}

static void session_event(struct rogue *rogue, const struct port *port,
                          struct mqtt_session *session, const struct event *event, uint64_t now_us)
{
    struct mqtt_input input = {event->bytes, event->size_bytes};
    struct mqtt_happening happening;
    do {
        mqtt_session_take(session, port, now_us, event, &input, &happening);
        if (happening.kind == MQTT_HAPPENED_CONNECT) {
            const struct registry_entry *entry = device_entry(rogue, happening.client);
            if (entry == NULL) {
                mqtt_session_refuse(session, port, MQTT_NOT_AUTHORIZED);
            } else {
                mqtt_session_challenge(session, port, entry->public_key);
            }
        } else if (happening.kind == MQTT_HAPPENED_PUBLISH) {
            take_envelope(rogue, port, &happening.payload, now_us);
            if (happening.packet_id != 0) {
                mqtt_session_puback(session, port, happening.packet_id, MQTT_SUCCESS);
            }
        }
    } while (happening.kind != MQTT_NOTHING && happening.kind != MQTT_HAPPENED_DOWN);
}

/* ---- towards the cloud ----------------------------------------------------------------------- */

static void upstream_event(struct rogue *rogue, const struct port *port, const struct event *event,
                           uint64_t now_us)
{
    struct mqtt_input input = {event->bytes, event->size_bytes};
    struct mqtt_happening happening;
    do {
        mqtt_client_take(&rogue->upstream, port, &rogue->config.gateway.keys, now_us, event, &input,
                         &happening);
        if (happening.kind == MQTT_HAPPENED_PUBLISH) {
            take_downlink(rogue, port, &happening);
        } else if (happening.kind == MQTT_HAPPENED_DOWN) {
            rogue->connect_at_us = now_us + RECONNECT_US;
        }
    } while (happening.kind != MQTT_NOTHING && happening.kind != MQTT_HAPPENED_DOWN);
}

static void tick(struct rogue *rogue, const struct port *port, uint64_t now_us)
{
    rogue->tick_at_us = now_us + TICK_US;
    flood_round(&rogue->flood, port, rogue->config.attack[EFFECT_ATTACK_FLOOD],
                rogue->config.gateway_first, rogue->config.gateway_count,
                &rogue->config.gateway.devices, &rogue->config.counts->flooded);
    for (unsigned i = 0; i < ROGUE_SESSIONS; i++) {
        struct mqtt_session *session = &rogue->sessions[i];
        if (session->state != MQTT_SESSION_CLOSED && mqtt_session_deadline_us(session) <= now_us) {
            mqtt_session_close(session, port, MQTT_KEEP_ALIVE_TIMEOUT);
        }
    }
    if (mqtt_client_deadline_us(&rogue->upstream) <= now_us &&
        mqtt_client_timeout(&rogue->upstream, port, now_us)) {
        rogue->connect_at_us = now_us + RECONNECT_US;
    }
    if (rogue->connect_at_us <= now_us) {
        rogue->connect_at_us = UINT64_MAX;
        if (mqtt_client_open(&rogue->upstream, port, rogue->config.gateway.cloud, now_us) !=
            ERR_OK) {
            rogue->connect_at_us = now_us + RECONNECT_US;
        }
    }
}

/* ---- the four functions ---------------------------------------------------------------------- */

void rogue_init(void *memory, const void *config, const struct port *port)
{
    struct rogue *rogue = memory;
    struct clock_reading now;
    memset(rogue, 0, sizeof *rogue);
    rogue->config = *(const struct rogue_config *)config;
    flood_init(&rogue->flood);
    mqtt_client_init(&rogue->upstream, rogue->config.gateway.id, HANDSHAKE_KEEP_ALIVE_S);
    if (port->clock_read(port->ctx, &now) == ERR_OK) {
        rogue->tick_at_us = now.monotonic_us;
    }
}

void rogue_step(void *memory, const struct port *port, const struct event *event)
{
    struct rogue *rogue = memory;
    struct clock_reading now;
    if (port->clock_read(port->ctx, &now) != ERR_OK) {
        return;
    }
    const uint64_t now_us = now.monotonic_us;
    if (event->kind == EVENT_LINK_UP && event->inbound) {
        open_session(rogue, port, event->link, now_us);
    } else if (event->kind != EVENT_TIMEOUT) {
        struct mqtt_session *session = session_of_link(rogue, event->link);
        if (session != NULL) {
            session_event(rogue, port, session, event, now_us);
        } else if (rogue->upstream.state != MQTT_CLIENT_CLOSED &&
                   rogue->upstream.link == event->link) {
            upstream_event(rogue, port, event, now_us);
        } else {
            (void)flood_event(&rogue->flood, port, event);
        }
    }
    if (rogue->tick_at_us <= now_us) {
        tick(rogue, port, now_us);
    }
    forward_due(rogue, port, now_us);
}

uint64_t rogue_deadline_us(const void *memory)
{
    return ((const struct rogue *)memory)->tick_at_us;
}
