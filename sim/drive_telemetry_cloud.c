/* The cloud's end of the bench. */
#include <stdlib.h>
#include <string.h>

#include "core/check.h"
#include "core/topic.h"
#include "sim/drive_telemetry.h"
#include "sim/image.h"

enum {
    SLOT = DISK_SLOTS_MAX - 2, /* of the disk, among those of the process */
    TURNS_MAX = 64,
    SEEN_BITS_MAX = 2 * BENCH_COUNTERS,
};

static void fail(struct bench_cloud *bench, const char *what)
{
    if (bench->node.fault[0] == '\0') {
        snprintf(bench->node.fault, sizeof bench->node.fault, "%s", what);
    }
}

/* ---- Calls ----------------------------------------------------------------------------------- */

static void run_init(void *role, const struct port *port, const void *argument)
{
    cloud_init(role, argument, port);
}

static void run_step(void *role, const struct port *port, const void *argument)
{
    cloud_step(role, port, argument);
}

static void step(struct bench_cloud *bench, const struct event *event)
{
    if (bench->cloud != NULL) {
        drive_node_call(&bench->node, run_step, bench->cloud, event);
    }
}

void bench_cloud_init(struct bench_cloud *bench, const struct bench_constants *k,
                      const struct cloud_config *config, const struct key_pair *gateway_keys,
                      const struct port_crypto *crypto)
{
    memset(bench, 0, sizeof *bench);
    bench->k = k;
    bench->config = *config;
    bench->gateway_keys = *gateway_keys;
    drive_node_init(&bench->node, "cloud", crypto);
    drive_node_init(&bench->gateway, "gateway/up", crypto);
    disk_init(&bench->disk, (struct disk_profile){0}, NULL);
    disk_init(&bench->scratch, (struct disk_profile){0}, NULL);
    disk_attach(&bench->disk, SLOT);
    bench->node.disk = &bench->disk;
    snprintf(bench->node.disk_path, sizeof bench->node.disk_path, "disk%d/cloud.db", SLOT);
    bench_cloud_boot(bench);
}

void bench_cloud_free(struct bench_cloud *bench)
{
    if (bench->cloud != NULL) {
        bench_cloud_off(bench, 0);
    }
    disk_detach(SLOT);
    disk_drop(&bench->disk);
    disk_drop(&bench->scratch);
}

void bench_cloud_boot(struct bench_cloud *bench)
{
    const uint32_t size_bytes = cloud_size_bytes(&bench->config);
    CHECK(bench->cloud == NULL);
    drive_node_boot(&bench->node);
    drive_node_boot(&bench->gateway);
    bench->cloud = malloc(size_bytes);
    CHECK(bench->cloud != NULL);
    memset(bench->cloud, 0xA5, size_bytes);
    bench->node.disk_changed = true;
    memset(bench->acks, 0, sizeof bench->acks);
    memset(bench->challenges, 0, sizeof bench->challenges);
    bench->node.said_first = bench->node.said_count;
    drive_node_call(&bench->node, run_init, bench->cloud, &bench->config);
    if (drive_node_count_new(&bench->node, EVIDENCE_BOOT) != 1) {
        fail(bench, "the cloud does not boot from its disk");
    }
    if (!bench_cloud_connect(bench)) {
        fail(bench, "the cloud does not take the gateway's session");
    }
}

void bench_cloud_off(struct bench_cloud *bench, uint64_t key)
{
    bench->disk.faults.dead = true; /* closing writes nothing */
    bench->node.dead = true;
    cloud_drop(bench->cloud);
    free(bench->cloud);
    bench->cloud = NULL;
    bench->disk.faults.dead = false;
    disk_power_loss(&bench->disk, key);
    bench->node.disk_changed = true;
}

/* ---- The gateway's link ---------------------------------------------------------------------- */

static int32_t covered_by(const struct bench_cloud *bench, const struct ack *ack)
{
    int32_t covered = 0;
    for (int32_t counter = 1; counter <= bench->k->counters; counter++) {
        const uint64_t bit = (uint64_t)counter - ack->floor - 1;
        if ((uint64_t)counter <= ack->floor ||
            (bit < ack->bitmap_bytes * 8 && (ack->bitmap[bit / 8] >> (bit % 8) & 1u) != 0)) {
            covered |= set_of(counter);
        }
    }
    return covered;
}

static void take_ack(struct bench_cloud *bench, uint32_t device, const struct cose_sign1 *parsed,
                     const struct mqtt_slice *payload)
{
    struct bench_ack *known = &bench->acks[device];
    struct ack ack;
    if (message_read_ack(parsed, &ack) != ERR_OK || ack.device != device + BENCH_FIRST_DEVICE) {
        fail(bench, "an ack that no device can read");
        return;
    }
    known->known = true;
    known->envelope.size_bytes = payload->size_bytes;
    memcpy(known->envelope.bytes, payload->bytes, payload->size_bytes);
    known->epoch = (int32_t)ack.epoch;
    known->covered = covered_by(bench, &ack);
    bench->acked[device] = true;
}

static void take_publish(struct bench_cloud *bench, const struct mqtt_happening *happening)
{
    struct cose_sign1 parsed;
    uint32_t number = 0;
    const struct mqtt_slice *payload = &happening->payload;
    if (!topic_read(&happening->topic, 'd', &number) || number < BENCH_FIRST_DEVICE ||
        number >= BENCH_FIRST_DEVICE + BENCH_DEVICES || payload->size_bytes > ENVELOPE_BYTES_MAX ||
        cose_parse(payload->bytes, payload->size_bytes, &parsed) != ERR_OK ||
        cose_verify(&parsed, &bench->gateway.port, bench->config.keys.public_key) != ERR_OK) {
        fail(bench, "the cloud sends what is no envelope of its own for a device");
        return;
    }
    const uint32_t device = number - BENCH_FIRST_DEVICE;
    bench->downlinks++;
    if (parsed.content_type == MESSAGE_ACK) {
        take_ack(bench, device, &parsed, payload);
    } else if (parsed.content_type == MESSAGE_CHALLENGE) {
        bench->challenges[device].size_bytes = payload->size_bytes;
        memcpy(bench->challenges[device].bytes, payload->bytes, payload->size_bytes);
        bench->challenged[device] = true;
    } else {
        fail(bench, "the cloud sends neither an ack nor a challenge");
    }
}

static void gateway_take(struct bench_cloud *bench, const struct event *event)
{
    struct mqtt_input input = {event->bytes, event->size_bytes};
    struct mqtt_happening happening;
    do {
        mqtt_client_take(&bench->client, &bench->gateway.port, &bench->gateway_keys,
                         bench->gateway.now_us, event, &input, &happening);
        if (happening.kind == MQTT_HAPPENED_PUBLISH) {
            take_publish(bench, &happening);
        }
    } while (happening.kind != MQTT_NOTHING && happening.kind != MQTT_HAPPENED_DOWN);
}

static bool carry(struct bench_cloud *bench, struct drive_node *from,
                  void (*give)(struct bench_cloud *, const struct event *), uint32_t link)
{
    uint8_t bytes[DRIVE_LINK_BYTES];
    struct event event;
    if (!drive_node_take(from, link, bytes, &event)) {
        return false;
    }
    give(bench, &event);
    return true;
}

/* What a dead cloud had sent before arrives all the same. */
static void settle(struct bench_cloud *bench)
{
    bool moved = true;
    for (uint32_t turn = 0; moved; turn++) {
        CHECK(turn < TURNS_MAX);
        moved = !bench->node.dead && carry(bench, &bench->gateway, step, bench->node.link);
        moved = carry(bench, &bench->node, gateway_take, bench->client.link) || moved;
    }
    if (!bench->node.link_open && bench->client.state != MQTT_CLIENT_CLOSED) {
        gateway_take(bench, &(struct event){.kind = EVENT_LINK_DOWN, .link = bench->client.link});
    }
}

bool bench_cloud_connect(struct bench_cloud *bench)
{
    mqtt_client_init(&bench->client, BENCH_GATEWAY, 0);
    if (mqtt_client_open(&bench->client, &bench->gateway.port, BENCH_CLOUD,
                         bench->gateway.now_us) != ERR_OK) {
        return false;
    }
    bench->gateway.link_open = true;
    const uint32_t link = drive_node_accept(&bench->node, BENCH_GATEWAY);
    step(bench, &(struct event){.kind = EVENT_LINK_UP, .inbound = true, .link = link});
    gateway_take(bench, &(struct event){.kind = EVENT_LINK_UP, .link = bench->client.link});
    settle(bench);
    return bench->client.state == MQTT_CLIENT_READY;
}

/* ---- A step with copies ---------------------------------------------------------------------- */

static void post(struct bench_cloud *bench, const struct envelope *envelope)
{
    const struct forward forward = {.gateway = BENCH_GATEWAY,
                                    .tenant = 1,
                                    .policy_version = 1,
                                    .envelope = envelope->bytes,
                                    .envelope_bytes = envelope->size_bytes};
    uint8_t bytes[FORWARD_BYTES_MAX];
    uint32_t size_bytes = sizeof bytes;
    char topic[TOPIC_BYTES];
    topic_write(topic, 'g', BENCH_GATEWAY);
    enum err err =
        message_forward(&bench->gateway.port, &bench->gateway_keys, &forward, bytes, &size_bytes);
    if (err == ERR_OK) {
        err = mqtt_client_publish(&bench->client, &bench->gateway.port, bench->gateway.now_us,
                                  topic, bytes, size_bytes, ++bench->tag);
    }
    if (err != ERR_OK) {
        fail(bench, "the gateway cannot hand a copy to the cloud");
    }
}

/* Each copy is judged as expected, and no other word is said of one. */
static void check_judgements(struct bench_cloud *bench, const struct bench_copy *copies,
                             uint32_t count)
{
    uint32_t at = 0;
    for (uint32_t i = bench->node.said_first; i < bench->node.said_count; i++) {
        const struct drive_said *said = &bench->node.said[i];
        if (said->kind == EVIDENCE_COMMIT || said->kind == EVIDENCE_ACK ||
            said->kind == EVIDENCE_CHALLENGE || said->kind == EVIDENCE_REFUSE) {
            continue;
        }
        const struct bench_copy *copy = &copies[at];
        if (at == count || said->kind != copy->expected || said->device != copy->device ||
            said->epoch != copy->epoch || said->counter != copy->counter ||
            (said->kind == EVIDENCE_REJECT &&
             (said->value == REFUSAL_NO_WINDOW) != copy->is_challenged)) {
            fail(bench, "the cloud judges a copy otherwise");
            return;
        }
        at++;
    }
    if (at < count) {
        fail(bench, "the cloud says nothing of a copy");
    }
}

/* Durable, then visible: nothing leaves before the commit of what the step changed. */
static void check_commit(struct bench_cloud *bench, const struct bench_copy *copies, uint32_t count)
{
    bool changes = false, committed = false;
    for (uint32_t i = 0; i < count; i++) {
        changes = changes || copies[i].expected != EVIDENCE_REJECT;
    }
    for (uint32_t i = bench->node.said_first; i < bench->node.said_count; i++) {
        const enum evidence_kind kind = bench->node.said[i].kind;
        if ((kind == EVIDENCE_ACK || kind == EVIDENCE_CHALLENGE) && changes && !committed) {
            fail(bench, "the cloud answers before it has committed");
        }
        committed = committed || kind == EVIDENCE_COMMIT;
    }
    if (committed && !changes) {
        fail(bench, "the cloud commits though nothing has changed");
    }
    if (bench->node.dead && bench->downlinks > 0 && changes && !committed) {
        fail(bench, "the cloud's answer left though the power went before the commit");
    }
}

/* With the top that the cloud says beside each ack, what it holds inside its window. */
static void read_tops(struct bench_cloud *bench)
{
    for (uint32_t i = bench->node.said_first; i < bench->node.said_count; i++) {
        const struct drive_said *said = &bench->node.said[i];
        const uint32_t device = said->device - BENCH_FIRST_DEVICE;
        if (said->kind != EVIDENCE_ACK || device >= BENCH_DEVICES || !bench->acked[device]) {
            continue;
        }
        struct bench_ack *ack = &bench->acks[device];
        ack->top = (int32_t)said->counter;
        ack->seen = ack->covered & ~set_range(1, ack->top - bench->k->window_bits);
        if (ack->epoch != (int32_t)said->epoch) {
            fail(bench, "the cloud says one epoch and acks another");
        }
    }
}

void bench_cloud_step(struct bench_cloud *bench, const struct bench_copy *copies, uint32_t count)
{
    memset(bench->acked, 0, sizeof bench->acked);
    memset(bench->challenged, 0, sizeof bench->challenged);
    bench->downlinks = 0;
    bench->node.said_first = bench->node.said_count;
    uint32_t draws = 0;
    for (uint32_t i = 0; i < count; i++) {
        if (copies[i].draws) {
            bench->node.entropy_fails |= (copies[i].in_vain ? 1u : 0u) << draws++;
        }
        post(bench, &copies[i].envelope);
    }
    settle(bench);
    check_judgements(bench, copies, count);
    if (!bench->k->ack_before_commit) {
        check_commit(bench, copies, count);
    }
    read_tops(bench);
}

/* ---- What is durable ------------------------------------------------------------------------- */

/* The bitmap ends with the bit of the top; of it, what is inside the window. */
static int32_t seen_of(const struct bench_cloud *bench, int32_t top, uint64_t bitmap)
{
    int32_t end = 0, seen = 0;
    while (end < SEEN_BITS_MAX && bitmap >> end != 0) {
        end++;
    }
    for (int32_t bit = 0; bit < end; bit++) {
        const int32_t counter = top - end + 1 + bit;
        if ((bitmap >> bit & 1u) != 0 && counter >= 1 && counter > top - bench->k->window_bits) {
            seen |= set_of(counter);
        }
    }
    return seen;
}

static void take_row(void *ctx, const struct observation *row)
{
    struct bench_cloud *bench = ctx;
    const uint32_t device = row->device - BENCH_FIRST_DEVICE;
    if (device >= BENCH_DEVICES || row->counter > BENCH_COUNTERS) {
        bench->readable = false;
    } else if (row->kind == TRUTH_WINDOW) {
        struct bench_row *known = &bench->rows[device];
        known->epoch = (int32_t)row->epoch;
        known->top = (int32_t)row->counter;
        known->seen = seen_of(bench, known->top, row->value);
    } else if (row->kind == TRUTH_READING &&
               (int32_t)row->epoch == bench->rows[device].epoch) { /* windows are listed first */
        bench->rows[device].readings |= set_of((int32_t)row->counter);
    }
}

void bench_cloud_inspect(struct bench_cloud *bench)
{
    if (!bench->node.disk_changed) {
        return;
    }
    /* What is not durable may be lost: each time something else. */
    const struct image_cut cut = {.key = random_next(&bench->node.reads)};
    bench->node.disk_changed = false;
    memset(bench->rows, 0, sizeof bench->rows);
    bench->readable = true;
    if (!image_read(&bench->disk, &bench->scratch, true, &cut, bench, take_row)) {
        bench->readable = false;
    }
}
