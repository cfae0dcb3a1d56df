#include "core/device.h"

#include <string.h>

#include "core/big_endian.h"
#include "core/check.h"
#include "core/device_inside.h"
#include "core/topic.h"

/* A gateway that took our sessions only to drop them would see the first delays of the backoff for
 * ever: it starts anew only after an ack, or after a connection that lasted. */
#define USEFUL_US UINT64_C(30000000)

/* Signatures that a peer may make us verify in vain on one connection: then it is left. */
enum { FORGERIES_MAX = 8 };

static void link_event(struct device *device, const struct port *port, uint64_t now_us,
                       const struct event *event);
static bool happened(struct device *device, const struct port *port, uint64_t now_us,
                     const struct mqtt_happening *happening);
static void leave_refused(struct device *device, const struct port *port, uint64_t now_us);
static void ready(struct device *device, uint64_t now_us);
static void downlink(struct device *device, const struct port *port, uint64_t now_us,
                     const struct mqtt_happening *publish);
static void take_ack(struct device *device, const struct port *port, uint64_t now_us,
                     const struct cose_sign1 *parsed);
static void take_challenge(struct device *device, const struct port *port, uint64_t now_us,
                           const struct cose_sign1 *parsed);
static bool respond(struct device *device, const struct port *port, uint64_t now_us,
                    const struct challenge *challenge);
static void timers(struct device *device, const struct port *port, const struct clock_reading *now);
static void sample(struct device *device, const struct port *port, const struct clock_reading *now);
static enum err keep(struct device *device, const struct port *port,
                     const struct clock_reading *now, uint64_t *counter);
static void send_unsent(struct device *device, const struct port *port, uint64_t now_us);
static void connect(struct device *device, const struct port *port, uint64_t now_us);
static void connection_over(struct device *device, const struct port *port, uint64_t now_us,
                            enum next_gateway next);
static bool connection_was_useful(const struct device *device, uint64_t now_us);
static enum next_gateway gateway_after(const struct device *device, uint64_t now_us);
static void connection_clear(struct device *device);
static void end_epoch(struct device *device, const struct port *port, uint64_t now_us);
static void arm_watchdog(struct device *device, const struct port *port, uint64_t now_us);
static uint64_t draw_below(const struct device *device, const struct port *port, uint64_t bound);
static uint64_t min(uint64_t left, uint64_t right);

void device_init(struct device *device, const struct device_config *config, const struct port *port)
{
    CHECK(config->id >= 1);
    CHECK(config->burst == 0 || config->idle_us >= 1);
    CHECK(config->gateway_count >= 1 && config->gateway_count <= DEVICE_GATEWAYS_MAX);
    CHECK(config->window >= 1 && config->window <= WINDOW_BITS_MAX);
    CHECK(config->sample_every_us >= 1);
    memset(device, 0, sizeof *device);
    device->config = *config;
    device->reset_at_us = UINT64_MAX;
    device->watchdog_at_us = UINT64_MAX;
    device->sample_at_us = UINT64_MAX;
    device->connect_at_us = UINT64_MAX;
    connection_clear(device);
    backoff_init(&device->backoff, config->backoff_base_us, config->backoff_cap_us);
    mqtt_client_init(&device->client, config->id, config->keep_alive_s);

    struct clock_reading now;
    if (port->clock_read(port->ctx, &now) != ERR_OK) {
        return; /* the power is gone */
    }
    const struct outbox_config outbox = {
        .device = config->id,
        .count_max = config->outbox_max,
        .reserve = config->reserve,
        .region = config->firmware.managed ? config->firmware.update.boot.layout.app_store
                                           : (struct slot_region){0, port->flash.sector_count},
        .shared = config->firmware.managed,
    };
    enum err err = outbox_init(&device->outbox, port, &outbox);
    if (err == ERR_OK) {
        err = message_reading_key(port, config->secret, config->id, device->outbox.epoch,
                                  device->reading_key);
    }
    device->sample_at_us =
        device_add(now.monotonic_us, draw_below(device, port, config->sample_every_us));
    device->mounted = err == ERR_OK;
    if (device->mounted) {
        /* A fleet whose power returns boots as one, and must not connect as one. */
        device->connect_at_us =
            device_add(now.monotonic_us, draw_below(device, port, config->backoff_base_us));
    } else {
        device->outbox.epoch = 0;
        device->outbox.count = 0;
        device->outbox.counter_next = 0;
        device->outbox.counter_reserved = 0;
        device_reset_later(device, now.monotonic_us);
    }
    if (config->firmware.managed) {
        device_firmware_init(device, port, now.monotonic_us);
    }
    /* Not before: to format a large part may take longer than a step ever does. */
    arm_watchdog(device, port, now.monotonic_us);
    device_say(device, port,
               (struct evidence){.kind = EVIDENCE_BOOT,
                                 .counter = device->outbox.counter_next,
                                 .value = (uint64_t)port->reset_reason(port->ctx)});
}

void device_step(struct device *device, const struct port *port, const struct event *event)
{
    struct clock_reading now;
    if (port->clock_read(port->ctx, &now) != ERR_OK) {
        return;
    }
    arm_watchdog(device, port, now.monotonic_us);
    device->firmware.wall_us = now.wall_us;
    if (event->kind != EVENT_TIMEOUT) {
        link_event(device, port, now.monotonic_us, event);
    }
    timers(device, port, &now);
    send_unsent(device, port, now.monotonic_us);
    device_firmware_send(device, port, now.monotonic_us);
}

uint64_t device_deadline_us(const struct device *device)
{
    uint64_t deadline_us = min(device->reset_at_us, device->watchdog_at_us);
    deadline_us = min(deadline_us, device->sample_at_us);
    deadline_us = min(deadline_us, device->connect_at_us);
    deadline_us = min(deadline_us, device_firmware_deadline_us(device));
    if (device->client.state != MQTT_CLIENT_CLOSED) {
        deadline_us = min(deadline_us, mqtt_client_deadline_us(&device->client));
        deadline_us = min(deadline_us,
                          device_add(device->connection.await_us, device->config.ack_timeout_us));
    }
    return deadline_us;
}

void device_view(const struct device *device, struct device_view *out)
{
    const struct outbox *outbox = &device->outbox;
    *out = (struct device_view){
        .epoch = outbox->epoch,
        .counter_next = outbox->counter_next,
        .counter_reserved = outbox->counter_reserved,
        .oldest = outbox->count > 0 ? outbox->entries[0].counter : outbox->counter_next,
        .outbox_count = outbox->count,
        .answer_floor = device->answer_floor,
        .connected = device->client.state == MQTT_CLIENT_READY,
        .counts = device->counts,
    };
    out->counts.shed = outbox->shed;
    out->counts.released = outbox->released;
    device_firmware_view(device, &out->firmware);
}

void device_kept(const struct device *device, uint32_t index, uint64_t *counter, uint32_t *slot)
{
    CHECK(index < device->outbox.count);
    *counter = device->outbox.entries[index].counter;
    *slot = device->outbox.entries[index].slot;
}

static void link_event(struct device *device, const struct port *port, uint64_t now_us,
                       const struct event *event)
{
    if (device->client.state == MQTT_CLIENT_CLOSED || event->link != device->client.link) {
        if (event->kind == EVENT_LINK_UP) {
            port->link_close(port->ctx, event->link); /* nobody has reason to open one to us */
        }
        return;
    }
    const bool has_bytes = event->kind == EVENT_LINK_DATA;
    struct mqtt_input input = {.bytes = has_bytes ? event->bytes : NULL,
                               .size_bytes = has_bytes ? event->size_bytes : 0};
    struct mqtt_happening happening;
    do { /* bounded: each happening but the last takes bytes, or ends the connection */
        mqtt_client_take(&device->client, port, &device->config.keys, now_us, event, &input,
                         &happening);
    } while (happened(device, port, now_us, &happening));
}

/* False when there is no more to take. */
static bool happened(struct device *device, const struct port *port, uint64_t now_us,
                     const struct mqtt_happening *happening)
{
    switch (happening->kind) {
    case MQTT_HAPPENED_READY:
        ready(device, now_us);
        break;
    case MQTT_HAPPENED_PUBLISH:
        downlink(device, port, now_us, happening);
        break;
    case MQTT_HAPPENED_PUBACK:
        /* Custody releases nothing. Refused, the reading waits for another connection: asking again
         * on this one would be hammering. */
        if (happening->reason >= 0x80) {
            device->connection.refused = true;
        } else {
            device->connection.taken++;
        }
        leave_refused(device, port, now_us);
        break;
    case MQTT_HAPPENED_DOWN:
        if (happening->refused) {
            device_drop(device, port, REFUSAL_PROTOCOL);
        }
        connection_over(device, port, now_us, gateway_after(device, now_us));
        break;
    case MQTT_NOTHING:
    case MQTT_HAPPENED_CONNECT:
    default:
        return false;
    }
    return device->client.state != MQTT_CLIENT_CLOSED;
}

/* A gateway that refused a reading, and has no other one whose ack may come. */
static void leave_refused(struct device *device, const struct port *port, uint64_t now_us)
{
    const struct device_connection *connection = &device->connection;
    const bool others = connection->taken > 0 || device->client.sender.count > 0;
    if (connection->refused && !(others && connection->await_us != UINT64_MAX)) {
        device_leave(device, port, now_us, GATEWAY_NEXT);
    }
}

static void ready(struct device *device, uint64_t now_us)
{
    device->connection.ready_us = now_us;
    device->counts.connects++;
    device_firmware_ready(device);
}

static void downlink(struct device *device, const struct port *port, uint64_t now_us,
                     const struct mqtt_happening *publish)
{
    uint32_t number = 0;
    struct cose_sign1 parsed;
    if (!topic_read(&publish->topic, 'd', &number) || number != device->config.id) {
        device_drop(device, port, REFUSAL_MISMATCH);
    } else if (cose_parse(publish->payload.bytes, publish->payload.size_bytes, &parsed) != ERR_OK) {
        device_drop(device, port, REFUSAL_MALFORMED);
    } else if (parsed.signer != device->config.cloud) {
        device_drop(device, port, REFUSAL_UNKNOWN);
    } else if (parsed.content_type == MESSAGE_ACK) {
        take_ack(device, port, now_us, &parsed);
    } else if (parsed.content_type == MESSAGE_CHALLENGE) {
        take_challenge(device, port, now_us, &parsed);
    } else if (device->firmware.running && parsed.content_type >= MESSAGE_OFFER &&
               parsed.content_type <= MESSAGE_ANSWER) {
        device_firmware_downlink(device, port, now_us, &parsed);
    } else {
        device_drop(device, port, REFUSAL_MISMATCH);
    }
}

static void take_ack(struct device *device, const struct port *port, uint64_t now_us,
                     const struct cose_sign1 *parsed)
{
    struct outbox *outbox = &device->outbox;
    struct ack ack;
    if (message_read_ack(parsed, &ack) != ERR_OK) {
        device_drop(device, port, REFUSAL_MALFORMED);
        return;
    }
    if (ack.device != device->config.id) {
        device_drop(device, port, REFUSAL_MISMATCH);
        return;
    }
    if (ack.epoch != outbox->epoch) {
        device_drop(device, port, REFUSAL_EPOCH);
        return;
    }
    /* Most acks repeat an older one: a look is cheap, a signature is not. */
    if (!outbox_is_covered(outbox, &ack) || !device_verified(device, port, now_us, parsed)) {
        return;
    }
    if (outbox_is_behind(outbox, &ack)) {
        end_epoch(device, port, now_us);
        return;
    }
    struct device_connection *connection = &device->connection;
    const uint32_t released = outbox_release(outbox, port, &ack);
    connection->useful = connection->useful || released > 0;
    connection->taken -= released < connection->taken ? released : connection->taken;
    /* A gap in the acks is no progress: whatever covers the newer ones, the oldest is awaited. */
    connection->await_us = outbox->sent_count > 0 ? outbox->entries[0].sent_us : UINT64_MAX;
    leave_refused(device, port, now_us);
}

/* Answered once a connection, so that a challenge replayed without end costs nothing. The same
 * nonce may be answered on a later connection, for the response may have been lost, and without
 * answer the cloud takes nothing; but only a new nonce ends the connection. */
static void take_challenge(struct device *device, const struct port *port, uint64_t now_us,
                           const struct cose_sign1 *parsed)
{
    struct challenge challenge;
    if (message_read_challenge(parsed, &challenge) != ERR_OK) {
        device_drop(device, port, REFUSAL_MALFORMED);
        return;
    }
    if (challenge.device != device->config.id) {
        device_drop(device, port, REFUSAL_MISMATCH);
        return;
    }
    if (device->connection.responded) {
        device_drop(device, port, REFUSAL_NONCE);
        return;
    }
    if (!device_verified(device, port, now_us, parsed) ||
        !respond(device, port, now_us, &challenge)) {
        return;
    }
    device->connection.responded = true;
    const bool first = !device->challenged;
    const bool again = !first && memcmp(device->nonce, challenge.nonce, sizeof device->nonce) == 0;
    device->challenged = true;
    memcpy(device->nonce, challenge.nonce, sizeof device->nonce);
    /* What a link holds back would be lost by closing: then the ack timeout reconnects. To the same
     * gateway, behind the response, but once: it could replay two old challenges in turn. */
    if (!again && device->outbox.sent_count > 0 && device->client.outgoing.size_bytes == 0) {
        device_leave(device, port, now_us, first ? GATEWAY_SAME : GATEWAY_NEXT);
    }
}

bool device_verified(struct device *device, const struct port *port, uint64_t now_us,
                     const struct cose_sign1 *parsed)
{
    const enum err err = cose_verify(parsed, port, device->config.cloud_key);
    if (err == ERR_SIGNATURE) {
        device_drop(device, port, REFUSAL_SIGNATURE);
        device->connection.forgeries++;
        if (device->connection.forgeries >= FORGERIES_MAX) {
            device_leave(device, port, now_us, GATEWAY_NEXT);
        }
    }
    return err == ERR_OK;
}

/* False if the response did not get out. */
static bool respond(struct device *device, const struct port *port, uint64_t now_us,
                    const struct challenge *challenge)
{
    struct response response = {.device = device->config.id,
                                .epoch = device->outbox.epoch,
                                .floor = outbox_floor(&device->outbox)};
    memcpy(response.nonce, challenge->nonce, sizeof response.nonce);
    struct envelope envelope;
    enum err err = message_response(port, &device->config.keys, &response, &envelope);
    if (err != ERR_OK) {
        return false;
    }
    char topic[TOPIC_BYTES];
    topic_write(topic, 't', device->config.id);
    device->counts.answers++;
    device->answer_floor = response.floor;
    err = mqtt_client_publish(&device->client, port, now_us, topic, envelope.bytes,
                              envelope.size_bytes, 0);
    if (err == ERR_CLOSED) {
        device_leave(device, port, now_us, GATEWAY_NEXT);
    }
    return err == ERR_OK;
}

static void timers(struct device *device, const struct port *port, const struct clock_reading *now)
{
    const uint64_t now_us = now->monotonic_us;
    if (now_us >= device->reset_at_us) {
        device->reset_at_us = device_add(now_us, device->config.backoff_cap_us);
        port->reset(port->ctx);
        return;
    }
    if (device->client.state != MQTT_CLIENT_CLOSED &&
        now_us >= mqtt_client_deadline_us(&device->client) &&
        mqtt_client_timeout(&device->client, port, now_us)) {
        connection_over(device, port, now_us, gateway_after(device, now_us));
    }
    if (now_us >= device_add(device->connection.await_us, device->config.ack_timeout_us)) {
        device_leave(device, port, now_us, GATEWAY_NEXT);
    }
    device_firmware_timers(device, port, now_us);
    if (now_us >= device->sample_at_us) {
        sample(device, port, now);
    }
    if (now_us >= device->connect_at_us) {
        connect(device, port, now_us);
    }
}

static void sample(struct device *device, const struct port *port, const struct clock_reading *now)
{
    /* Periods that were slept through are over: no burst of late samples. */
    const uint64_t every_us = device->config.sample_every_us;
    const uint64_t late_us = (now->monotonic_us - device->sample_at_us) % every_us;
    uint64_t wait_us = every_us;
    if (device->config.burst > 0 && ++device->burst_count >= device->config.burst) {
        device->burst_count = 0;
        wait_us = device->config.idle_us;
    }
    device->sample_at_us = device_add(now->monotonic_us - late_us, wait_us);

    device->counts.sampled++;
    uint64_t counter = 0;
    const enum err err = keep(device, port, now, &counter);
    if (err != ERR_OK) {
        device->counts.lost++;
        device_say(device, port,
                   (struct evidence){.kind = EVIDENCE_LOSE,
                                     .counter = counter,
                                     .value = (uint64_t)(-(int64_t)err)});
    }
}

static enum err keep(struct device *device, const struct port *port,
                     const struct clock_reading *now, uint64_t *counter)
{
    struct outbox *outbox = &device->outbox;
    if (!device->mounted) {
        return ERR_IO;
    }
    enum err err = outbox_draw(outbox, port, counter);
    if (err == ERR_RANGE) {
        end_epoch(device, port, now->monotonic_us);
    } else if (err == ERR_IO) {
        device_reset_later(device, now->monotonic_us);
    }
    if (err != ERR_OK) {
        return err;
    }
    struct reading reading = {.wall_us = now->wall_us};
    err = port->sensor_read(port->ctx, 0, &reading.value);
    if (err != ERR_OK) {
        return err;
    }
    struct envelope envelope;
    err = message_telemetry(port, &device->config.keys, device->reading_key, device->config.id,
                            outbox->epoch, *counter, &reading, &envelope);
    if (err != ERR_OK) {
        return err;
    }
    device_say(device, port,
               (struct evidence){.kind = EVIDENCE_SIGN,
                                 .counter = *counter,
                                 .value = now->wall_us,
                                 .body = envelope.bytes,
                                 .body_bytes = envelope.size_bytes});
    err = outbox_put(outbox, port, *counter, &envelope);
    if (err == ERR_IO) {
        device_reset_later(device, now->monotonic_us);
    }
    return err;
}

static void send_unsent(struct device *device, const struct port *port, uint64_t now_us)
{
    struct outbox *outbox = &device->outbox;
    struct mqtt_client *client = &device->client;
    char topic[TOPIC_BYTES];
    topic_write(topic, 't', device->config.id);
    while (client->state == MQTT_CLIENT_READY && !device->connection.refused &&
           outbox->sent_count < outbox->count) {
        struct outbox_entry *entry = &outbox->entries[outbox->sent_count];
        /* A link that holds bytes back says when it has room: so SEND is only said of what goes. */
        if (entry->counter - outbox->entries[0].counter >= device->config.window ||
            mqtt_sender_room(&client->sender) == 0 || client->outgoing.size_bytes != 0) {
            return;
        }
        struct envelope envelope;
        enum err err = outbox_get(outbox, port, outbox->sent_count, &envelope);
        if (err == ERR_CORRUPT) {
            outbox_shed(outbox, port, outbox->sent_count);
            continue;
        }
        if (err != ERR_OK) {
            device_reset_later(device, now_us);
            return;
        }
        entry->sent_us = now_us;
        outbox->sent_count++;
        device->connection.await_us = min(device->connection.await_us, now_us);
        device->counts.sent++;
        device_say(device, port,
                   (struct evidence){.kind = EVIDENCE_SEND,
                                     .counter = entry->counter,
                                     .value = client->broker,
                                     .body = envelope.bytes,
                                     .body_bytes = envelope.size_bytes});
        err = mqtt_client_publish(client, port, now_us, topic, envelope.bytes, envelope.size_bytes,
                                  entry->counter);
        if (err == ERR_CLOSED) {
            device_leave(device, port, now_us, gateway_after(device, now_us));
        }
    }
}

static void connect(struct device *device, const struct port *port, uint64_t now_us)
{
    CHECK(device->client.state == MQTT_CLIENT_CLOSED);
    device->connect_at_us = UINT64_MAX;
    const uint32_t gateway = device->config.gateways[device->gateway_index];
    if (mqtt_client_open(&device->client, port, gateway, now_us) != ERR_OK) {
        connection_over(device, port, now_us, GATEWAY_NEXT);
    } else if (device->config.packet_id > 0) {
        device->client.sender.next_packet_id = device->config.packet_id;
    }
}

void device_leave(struct device *device, const struct port *port, uint64_t now_us,
                  enum next_gateway next)
{
    if (device->client.state != MQTT_CLIENT_CLOSED) {
        mqtt_client_close(&device->client, port, MQTT_SUCCESS);
    }
    connection_over(device, port, now_us, next);
}

static void connection_over(struct device *device, const struct port *port, uint64_t now_us,
                            enum next_gateway next)
{
    CHECK(device->client.state == MQTT_CLIENT_CLOSED);
    if (connection_was_useful(device, now_us)) {
        backoff_reset(&device->backoff);
    }
    if (next == GATEWAY_NEXT) {
        device->gateway_index = (device->gateway_index + 1) % device->config.gateway_count;
    }
    connection_clear(device);
    uint64_t delay_us = 0;
    if (backoff_next(&device->backoff, port, &delay_us) != ERR_OK) {
        delay_us = device->config.backoff_cap_us; /* no entropy: late rather than all at once */
    }
    device->connect_at_us = device_add(now_us, delay_us);
    device_say(device, port,
               (struct evidence){.kind = EVIDENCE_BACKOFF,
                                 .counter = device->backoff.attempt,
                                 .value = delay_us});
}

static bool connection_was_useful(const struct device *device, uint64_t now_us)
{
    const struct device_connection *connection = &device->connection;
    return connection->useful ||
           (connection->ready_us != UINT64_MAX && now_us - connection->ready_us >= USEFUL_US);
}

/* Back to one that did its work, or had none to do: a gateway that takes readings and closes before
 * their ack is due must not keep the device. */
static enum next_gateway gateway_after(const struct device *device, uint64_t now_us)
{
    const struct device_connection *connection = &device->connection;
    const bool idle = connection->await_us == UINT64_MAX && connection_was_useful(device, now_us);
    return connection->useful || idle ? GATEWAY_SAME : GATEWAY_NEXT;
}

static void connection_clear(struct device *device)
{
    device->connection = (struct device_connection){.ready_us = UINT64_MAX, .await_us = UINT64_MAX};
    device->outbox.sent_count = 0;
    device_firmware_connection_over(device);
}

void device_retire(struct device *device, const struct port *port)
{
    if (device->client.state != MQTT_CLIENT_CLOSED) {
        mqtt_client_close(&device->client, port, MQTT_SUCCESS);
    }
    connection_clear(device);
    device->connect_at_us = UINT64_MAX;
}

/* Not at once: a part that fails at every boot must not make the device spin. */
void device_reset_later(struct device *device, uint64_t now_us)
{
    device->reset_at_us =
        min(device->reset_at_us, device_add(now_us, device->config.backoff_cap_us));
}

/* Silent until the reset: what was signed under this epoch is shed, and nothing more may be. */
static void end_epoch(struct device *device, const struct port *port, uint64_t now_us)
{
    outbox_end_epoch(&device->outbox, port);
    device_retire(device, port);
    device->mounted = false;
    device_reset_later(device, now_us);
}

static void arm_watchdog(struct device *device, const struct port *port, uint64_t now_us)
{
    if (device->config.watchdog_us > 0) {
        port->watchdog_arm(port->ctx, device->config.watchdog_us);
        device->watchdog_at_us = device_add(now_us, device->config.watchdog_us / 2);
    }
}

/* Uniform in 0..bound-1; without entropy the devices of a fleet still differ by their numbers. */
static uint64_t draw_below(const struct device *device, const struct port *port, uint64_t bound)
{
    uint8_t bytes[8];
    uint64_t draw = device->config.id * UINT64_C(0x9E3779B97F4A7C15);
    if (port->entropy(port->ctx, bytes, sizeof bytes) == ERR_OK) {
        draw = big_endian_get(bytes, sizeof bytes);
    }
    return draw % bound;
}

void device_drop(struct device *device, const struct port *port, enum refusal refusal)
{
    device->counts.dropped++;
    device_say(device, port, (struct evidence){.kind = EVIDENCE_DROP, .value = refusal});
}

void device_say(const struct device *device, const struct port *port, struct evidence evidence)
{
    evidence.device = device->config.id;
    evidence.epoch = device->outbox.epoch;
    port->evidence(port->ctx, &evidence);
}

uint64_t device_add(uint64_t left, uint64_t right)
{
    return left > UINT64_MAX - right ? UINT64_MAX : left + right;
}

static uint64_t min(uint64_t left, uint64_t right)
{
    return left < right ? left : right;
}
