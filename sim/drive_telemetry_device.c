/* The device's end of the bench. */
#include <stdlib.h>
#include <string.h>

#include "core/check.h"
#include "core/outbox.h"
#include "core/record_id.h"
#include "core/store.h"
#include "core/topic.h"
#include "sim/drive_telemetry.h"

enum {
    SECTOR_BYTES = 2048,
    SECTOR_COUNT = 8,
    PUTS_MAX = 400, /* until each sector has been erased once */
    TURNS_MAX = 64, /* of bytes, from one end to the other and back, until a link is quiet */
};

#define LASTED_US UINT64_C(31000000) /* a connection that was so long is not held for useless */

/* A part so large that a walk never compacts it by itself. */
static const struct flash_profile part = {
    .geometry = {.sector_bytes = SECTOR_BYTES,
                 .sector_count = SECTOR_COUNT,
                 .program_bytes = 4,
                 .erased_value = 0xFF},
    .program_us = 50,
    .erase_us = 50000,
};

static void fail(struct bench_device *bench, const char *what)
{
    if (bench->node.fault[0] == '\0') {
        snprintf(bench->node.fault, sizeof bench->node.fault, "%s", what);
    }
}

int32_t bench_device_held(const struct bench_device *bench)
{
    int32_t held = 0;
    for (uint32_t i = 0; i < bench->device.outbox.count; i++) {
        const uint64_t counter = bench->device.outbox.entries[i].counter;
        held |= counter <= BENCH_COUNTERS ? set_of((int32_t)counter) : 0;
    }
    return held;
}

/* ---- What it says ---------------------------------------------------------------------------- */

static void hear_sign(struct bench_device *bench, const struct evidence *said)
{
    struct envelope *envelope = &bench->envelopes[said->epoch][said->counter];
    if (set_has(bench->used, (int32_t)said->counter)) {
        fail(bench, "a counter is used twice");
    }
    bench->used |= set_of((int32_t)said->counter);
    envelope->size_bytes = said->body_bytes;
    memcpy(envelope->bytes, said->body, said->body_bytes);
}

/* Whatever it sends, it holds, and no reading that it holds can be pushed out of the window by it;
 * and the bytes are those that were signed. */
static void hear_send(struct bench_device *bench, const struct evidence *said)
{
    const struct envelope *envelope = &bench->envelopes[said->epoch][said->counter];
    const int32_t held = bench_device_held(bench), counter = (int32_t)said->counter;
    if (!set_has(held, counter)) {
        fail(bench, "it sends what it does not hold");
    } else if (counter >= set_least(held, counter) + bench->k->window_bits &&
               !bench->k->send_beyond_window) {
        fail(bench, "it sends beyond the window of its oldest reading");
    } else if (envelope->size_bytes != said->body_bytes ||
               memcmp(envelope->bytes, said->body, said->body_bytes) != 0) {
        fail(bench, "it sends other bytes than it signed");
    }
}

static void hear(void *ctx, const struct evidence *said)
{
    struct bench_device *bench = ctx;
    const bool counts = said->kind == EVIDENCE_SIGN || said->kind == EVIDENCE_SEND ||
                        said->kind == EVIDENCE_SHED ||
                        (said->kind == EVIDENCE_LOSE && said->counter != 0);
    if (!counts) {
        return;
    }
    if (said->epoch < 1 || said->epoch > BENCH_EPOCHS || said->counter < 1 ||
        said->counter > BENCH_COUNTERS) {
        fail(bench, "an epoch or a counter that the spec does not have");
    } else if (said->kind == EVIDENCE_SIGN) {
        hear_sign(bench, said);
    } else if (said->kind == EVIDENCE_SEND) {
        hear_send(bench, said);
    } else if (said->kind == EVIDENCE_LOSE) {
        bench->used |= set_of((int32_t)said->counter);
    } else {
        bench->shed |= set_of((int32_t)said->counter);
    }
}

/* ---- Calls ----------------------------------------------------------------------------------- */

static void run_init(void *role, const struct port *port, const void *argument)
{
    device_init(role, argument, port);
}

static void run_step(void *role, const struct port *port, const void *argument)
{
    device_step(role, port, argument);
}

static void step(struct bench_device *bench, const struct event *event)
{
    drive_node_call(&bench->node, run_step, &bench->device, event);
}

void bench_device_init(struct bench_device *bench, const struct bench_constants *k,
                       const struct device_config *config, const struct port_crypto *crypto)
{
    memset(bench, 0, sizeof *bench);
    bench->k = k;
    bench->config = *config;
    drive_node_init(&bench->node, config->id == BENCH_FIRST_DEVICE ? "device/1" : "device/2",
                    crypto);
    drive_node_init(&bench->gateway, "gateway/down", crypto);
    bench->node.hear = hear;
    bench->node.hear_ctx = bench;
    bench->node.flash = flash_create(&part);
    CHECK(bench->node.flash != NULL);
    bench_device_boot(bench);
}

void bench_device_free(struct bench_device *bench)
{
    flash_free(bench->node.flash);
}

void bench_device_boot(struct bench_device *bench)
{
    const uint32_t epoch = bench->device.outbox.epoch;
    drive_node_boot(&bench->node);
    drive_node_boot(&bench->gateway);
    bench->session.state = MQTT_SESSION_CLOSED;
    memset(&bench->device, 0xA5, sizeof bench->device); /* RAM holds anything */
    bench->node.flash_changed = true;
    drive_node_call(&bench->node, run_init, &bench->device, &bench->config);
    if (bench->device.outbox.epoch != epoch) {
        bench->used = bench->shed = 0;
    }
}

void bench_device_erase(struct bench_device *bench)
{
    for (uint32_t i = 0; i < SECTOR_COUNT; i++) {
        const enum err err = flash_erase(bench->node.flash, i * SECTOR_BYTES);
        CHECK(err == ERR_OK);
    }
    bench->node.flash_changed = true;
}

/* ---- Its link -------------------------------------------------------------------------------- */

static void take_publish(struct bench_device *bench, const struct mqtt_happening *happening)
{
    struct cose_sign1 parsed;
    struct telemetry telemetry;
    struct response response;
    const struct mqtt_slice *payload = &happening->payload;
    if (cose_parse(payload->bytes, payload->size_bytes, &parsed) != ERR_OK) {
        fail(bench, "what it sends is no envelope");
    } else if (parsed.content_type == MESSAGE_RESPONSE &&
               message_read_response(&parsed, &response) == ERR_OK) {
        bench->responded = true;
        bench->response.size_bytes = payload->size_bytes;
        memcpy(bench->response.bytes, payload->bytes, payload->size_bytes);
    } else if (message_read_telemetry(&parsed, &telemetry) == ERR_OK &&
               telemetry.counter <= BENCH_COUNTERS) {
        bench->sent |= set_of((int32_t)telemetry.counter);
    } else {
        fail(bench, "what it sends is neither a reading nor a response");
    }
    if (happening->packet_id != 0) {
        mqtt_session_puback(&bench->session, &bench->gateway.port, happening->packet_id,
                            MQTT_SUCCESS);
    }
}

static void gateway_take(struct bench_device *bench, const struct event *event)
{
    struct mqtt_input input = {event->bytes, event->size_bytes};
    struct mqtt_happening happening;
    do {
        mqtt_session_take(&bench->session, &bench->gateway.port, bench->gateway.now_us, event,
                          &input, &happening);
        if (happening.kind == MQTT_HAPPENED_CONNECT) {
            mqtt_session_challenge(&bench->session, &bench->gateway.port,
                                   bench->config.keys.public_key);
        } else if (happening.kind == MQTT_HAPPENED_PUBLISH) {
            take_publish(bench, &happening);
        }
    } while (happening.kind != MQTT_NOTHING && happening.kind != MQTT_HAPPENED_DOWN);
}

/* One direction; true if anything moved. */
static bool carry(struct drive_node *from,
                  void (*give)(struct bench_device *, const struct event *),
                  struct bench_device *bench, uint32_t link)
{
    uint8_t bytes[DRIVE_LINK_BYTES];
    struct event event;
    if (!drive_node_take(from, link, bytes, &event)) {
        return false;
    }
    give(bench, &event);
    return true;
}

/* Until nobody has anything to say. */
static void settle(struct bench_device *bench)
{
    bool moved = true;
    for (uint32_t turn = 0; moved && !bench->node.dead; turn++) {
        CHECK(turn < TURNS_MAX);
        moved = carry(&bench->node, gateway_take, bench, bench->session.link);
        moved = carry(&bench->gateway, step, bench, bench->node.link) || moved;
    }
    if (!bench->node.link_open && bench->session.state != MQTT_SESSION_CLOSED) {
        gateway_take(bench, &(struct event){.kind = EVENT_LINK_DOWN, .link = bench->session.link});
    }
}

void bench_device_sample(struct bench_device *bench)
{
    bench->node.now_us = bench->device.sample_at_us;
    bench->gateway.now_us = bench->node.now_us;
    bench->sent = 0;
    step(bench, &(struct event){.kind = EVENT_TIMEOUT});
    settle(bench);
}

bool bench_device_connect(struct bench_device *bench)
{
    bench->sent = 0;
    if (bench->device.client.state != MQTT_CLIENT_CLOSED) {
        bench->node.link_open = bench->node.link_asked = false;
        bench->node.out_bytes = 0;
        bench->node.now_us += LASTED_US; /* or its backoff would grow from one to the next */
        step(bench, &(struct event){.kind = EVENT_LINK_DOWN, .link = bench->node.link});
        settle(bench);
    }
    if (!bench->node.link_asked) { /* its delay may have been none at all */
        const uint64_t due_us = device_deadline_us(&bench->device);
        if (due_us == bench->device.sample_at_us || due_us == UINT64_MAX) {
            return false;
        }
        bench->node.now_us = due_us > bench->node.now_us ? due_us : bench->node.now_us;
        step(bench, &(struct event){.kind = EVENT_TIMEOUT});
        if (!bench->node.link_asked) {
            return false;
        }
    }
    bench->gateway.now_us = bench->node.now_us;
    bench->node.link_open = true;
    mqtt_session_open(&bench->session, BENCH_GATEWAY,
                      drive_node_accept(&bench->gateway, bench->config.id), bench->gateway.now_us);
    step(bench, &(struct event){.kind = EVENT_LINK_UP, .link = bench->node.link});
    settle(bench);
    return bench->device.client.state == MQTT_CLIENT_READY;
}

void bench_device_downlink(struct bench_device *bench, const struct envelope *envelope)
{
    char topic[TOPIC_BYTES];
    topic_write(topic, 'd', bench->config.id);
    bench->responded = false;
    const enum err err = mqtt_session_publish(&bench->session, &bench->gateway.port, topic,
                                              envelope->bytes, envelope->size_bytes);
    CHECK(err == ERR_OK);
    settle(bench);
}

/* ---- Its store ------------------------------------------------------------------------------- */

static void run_put(void *role, const struct port *port, const void *argument)
{
    static const uint8_t bytes[400];
    struct store *store = role;
    const uint64_t erases = store->erases;
    bool *good = (bool *)(uintptr_t)argument;
    *good = true;
    for (uint32_t i = 0; *good && i < PUTS_MAX && store->erases < erases + SECTOR_COUNT; i++) {
        *good = store_put(store, port, RECORD_PROGRESS, bytes, sizeof bytes) == ERR_OK;
    }
    (void)store_forget(store, RECORD_PROGRESS);
}

bool bench_device_garble(struct bench_device *bench)
{
    const struct store *store = &bench->device.outbox.store;
    const uint64_t id = RECORD_READING + bench->device.outbox.entries[0].slot;
    for (uint32_t i = 0; i < store->entry_count; i++) {
        if (store->entries[i].id == id) {
            bench->node.garbled_from = store->entries[i].offset;
            bench->node.garbled_to = store->entries[i].offset + store->entries[i].size_bytes;
        }
    }
    const bool connected = bench_device_connect(bench);
    bench->node.garbled_from = bench->node.garbled_to = 0;
    return connected;
}

static void run_number(void *role, const struct port *port, const void *argument)
{
    struct bench_device *bench = role;
    uint64_t number = 0;
    (void)argument;
    if (outbox_number(&bench->device.outbox, port, &number) == ERR_OK && number <= BENCH_COUNTERS) {
        bench->used |= set_of((int32_t)number);
    }
}

void bench_device_number(struct bench_device *bench)
{
    drive_node_call(&bench->node, run_number, bench, NULL);
}

bool bench_device_compact(struct bench_device *bench)
{
    bool good = false;
    drive_node_call(&bench->node, run_put, &bench->device.outbox.store, &good);
    return good;
}

/* ---- What a boot would find ------------------------------------------------------------------ */

static void run_mount(void *role, const struct port *port, const void *argument)
{
    struct outbox *outbox = role;
    if (outbox_init(outbox, port, argument) != ERR_OK) {
        outbox->epoch = 0;
    }
}

/* The real recovery, on a copy of the part. */
void bench_device_inspect(struct bench_device *bench)
{
    struct outbox outbox;
    struct drive_node node;
    if (!bench->node.flash_changed) {
        return;
    }
    const struct outbox_config config = {
        .device = bench->config.id,
        .count_max = OUTBOX_MAX, /* all that is there */
        .reserve = bench->config.reserve,
        .region = {0, SECTOR_COUNT},
    };
    drive_node_init(&node, "inspect", &bench->node.port.crypto);
    node.flash = flash_snapshot(bench->node.flash);
    CHECK(node.flash != NULL);
    drive_node_call(&node, run_mount, &outbox, &config);
    bench->node.flash_changed = false;
    bench->readable = outbox.epoch == bench->device.outbox.epoch && node.fault[0] == '\0';
    bench->stored = 0;
    bench->reserved = (int32_t)outbox.counter_reserved;
    memset(bench->slots, 0, sizeof bench->slots);
    for (uint32_t i = 0; bench->readable && i < outbox.count; i++) {
        const struct outbox_entry *entry = &outbox.entries[i];
        if (entry->counter <= BENCH_COUNTERS && entry->slot < BENCH_SLOTS) {
            bench->stored |= set_of((int32_t)entry->counter);
            bench->slots[entry->slot] = (int32_t)entry->counter;
        } else {
            bench->readable = false;
        }
    }
    flash_drop(node.flash);
}
