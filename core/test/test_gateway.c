/* Goal: custody is never given before it is durable, never lost after it, and never exceeds its
 * bounds; nothing that a peer sends or a disk does moves the gateway out of that.
 * Method: the real role on a real SQLite file behind a switchable VFS; devices are MQTT clients,
 * the cloud is an MQTT session, both scripted, and every byte between them is real. */
#include "core/server/gateway.h"

#include <string.h>
#include <unistd.h>

#include "core/boot.h"
#include "core/check.h"
#include "core/mqtt/session.h"
#include "core/test/fake_peer.h"
#include "core/test/test.h"

enum { TEST_DEVICES = 4, CLOUD = 1, GATEWAY = 2, FIRST_DEVICE = 10, RECEIVED_MAX = 256 };

#define SECOND UINT64_C(1000000)

struct rig {
    char folder[64];
    char path[96];
    struct fake_disk disk;
    struct fake_port fake;
    struct registry_entry entries[TEST_DEVICES];
    struct gateway_config config;
    struct gateway *gateway;
    struct fake_server server;
    struct fake_peer devices[TEST_DEVICES];

    struct fake_port cloud_fake;
    struct mqtt_session cloud;
    uint32_t cloud_link;             /* the gateway's handle; 0 = none */
    bool withhold;                   /* the cloud acknowledges nothing */
    uint8_t cloud_reason;            /* of its PUBACKs */
    uint32_t cloud_packet_bytes_max; /* what its CONNACK claims; 0 = what it says by itself */
    uint32_t received_count;
    uint64_t received[RECEIVED_MAX]; /* counters, in the order of arrival */
    uint32_t responses;
    struct envelope last; /* device's envelope within the last forward */
};

_Noreturn void check_failed(const char *file, int line, const char *what)
{
    fprintf(stderr, "%s:%d: CHECK failed: %s\n", file, line, what);
    abort();
}

static void step_gateway(void *role, const struct port *port, const struct event *event)
{
    gateway_step(role, port, event);
}

static void rig_boot(struct rig *rig)
{
    fake_port_init(&rig->fake, &rig->disk, rig->path);
    rig->fake.now_us = 1000 * SECOND;
    rig->gateway = malloc(gateway_size_bytes(&rig->config));
    EXPECT(rig->gateway != NULL);
    gateway_init(rig->gateway, &rig->config, &rig->fake.port);
    rig->server = (struct fake_server){&rig->fake, rig->gateway, step_gateway, 0};
    for (uint32_t index = 0; index < TEST_DEVICES; index++) {
        fake_peer_init(&rig->devices[index], FIRST_DEVICE + index);
    }
    fake_port_init(&rig->cloud_fake, NULL, NULL);
    memset(&rig->cloud, 0, sizeof rig->cloud);
    rig->cloud_link = 0;
}

static void rig_down(struct rig *rig)
{
    gateway_drop(rig->gateway);
    free(rig->gateway);
    fake_port_drop(&rig->fake);
    fake_port_drop(&rig->cloud_fake);
    for (uint32_t index = 0; index < TEST_DEVICES; index++) {
        fake_peer_drop(&rig->devices[index]);
    }
}

static void rig_restart(struct rig *rig)
{
    rig_down(rig);
    rig->received_count = 0;
    rig_boot(rig);
}

static struct rig *rig_new(void)
{
    struct rig *rig = calloc(1, sizeof *rig);
    EXPECT(rig != NULL);
    snprintf(rig->folder, sizeof rig->folder, "/tmp/brownout_XXXXXX");
    EXPECT(mkdtemp(rig->folder) != NULL);
    snprintf(rig->path, sizeof rig->path, "%s/gateway.db", rig->folder);
    fake_disk_init(&rig->disk, "fake");
    struct key_pair keys;
    for (uint32_t index = 0; index < TEST_DEVICES; index++) {
        fake_keys(FIRST_DEVICE + index, &keys);
        rig->entries[index].id = FIRST_DEVICE + index;
        memcpy(rig->entries[index].public_key, keys.public_key, KEY_BYTES);
    }
    rig->config = (struct gateway_config){
        .id = GATEWAY,
        .cloud = CLOUD,
        .tenant = 3,
        .policy_version = 4,
        .devices = {rig->entries, TEST_DEVICES},
        .queue_max = 6,
        .queue_share_max = 4,
        .sessions_max = TEST_DEVICES + 1,
        .backoff_base_us = SECOND,
        .backoff_cap_us = 8 * SECOND,
        .keep_alive_s = 60,
    };
    fake_keys(GATEWAY, &rig->config.keys);
    rig_boot(rig);
    return rig;
}

static void rig_free(struct rig *rig)
{
    EXPECT_EQUAL(rig->fake.unsynced_sends, 0);
    rig_down(rig);
    fake_disk_drop(&rig->disk);
    fake_disk_erase(rig->path);
    EXPECT_EQUAL(rmdir(rig->folder), 0);
    free(rig);
}

static struct gateway_view view(const struct rig *rig)
{
    struct gateway_view out;
    gateway_view(rig->gateway, &out);
    return out;
}

/* ---- The cloud's end --------------------------------------------------------------------------
 */

static void cloud_hear(struct rig *rig, const struct mqtt_happening *happening)
{
    struct cose_sign1 outer;
    struct cose_sign1 inner;
    struct forward forward;
    struct telemetry telemetry;
    EXPECT(memcmp(happening->topic.bytes, "g/2", 3) == 0 && happening->topic.size_bytes == 3);
    EXPECT(cose_parse(happening->payload.bytes, happening->payload.size_bytes, &outer) == ERR_OK);
    EXPECT(cose_verify(&outer, &rig->fake.port, rig->config.keys.public_key) == ERR_OK);
    EXPECT(message_read_forward(&outer, &forward) == ERR_OK);
    EXPECT_EQUAL(forward.gateway, GATEWAY);
    EXPECT_EQUAL(forward.tenant, 3);
    EXPECT_EQUAL(forward.policy_version, 4);
    EXPECT(cose_parse(forward.envelope, forward.envelope_bytes, &inner) == ERR_OK);
    rig->last.size_bytes = forward.envelope_bytes;
    memcpy(rig->last.bytes, forward.envelope, forward.envelope_bytes);
    if (inner.content_type == MESSAGE_RESPONSE || inner.content_type == MESSAGE_STATUS) {
        EXPECT_EQUAL(happening->packet_id, 0);
        rig->responses++;
        return;
    }
    EXPECT(message_read_telemetry(&inner, &telemetry) == ERR_OK);
    EXPECT(rig->received_count < RECEIVED_MAX);
    rig->received[rig->received_count++] = telemetry.counter;
    if (!rig->withhold) {
        mqtt_session_puback(&rig->cloud, &rig->cloud_fake.port, happening->packet_id,
                            rig->cloud_reason);
    }
}

static void cloud_take(struct rig *rig, struct mqtt_input input)
{
    const struct event event = {
        .kind = EVENT_LINK_DATA, .link = rig->cloud.link, .bytes = input.bytes, .size_bytes = 1};
    struct mqtt_happening happening;
    do {
        mqtt_session_take(&rig->cloud, &rig->cloud_fake.port, rig->fake.now_us, &event, &input,
                          &happening);
        EXPECT(!happening.refused); /* Receive Maximum is never exceeded, for one */
        if (happening.kind == MQTT_HAPPENED_CONNECT) {
            EXPECT_EQUAL(happening.client, GATEWAY);
            mqtt_session_challenge(&rig->cloud, &rig->cloud_fake.port, rig->config.keys.public_key);
        } else if (happening.kind == MQTT_HAPPENED_PUBLISH) {
            cloud_hear(rig, &happening);
        }
    } while (happening.kind != MQTT_NOTHING && happening.kind != MQTT_HAPPENED_DOWN);
}

static void gateway_event(struct rig *rig, struct event event)
{
    fake_server_step(&rig->server, &event);
}

/* Write another Maximum Packet Size into a CONNACK. */
static uint32_t cloud_claim(const struct rig *rig, uint8_t *bytes, uint32_t size_bytes)
{
    struct mqtt_packet packet;
    uint8_t reason = 0;
    uint32_t room_bytes = FAKE_PIPE_BYTES;
    uint8_t copy[MQTT_PACKET_BYTES_MAX];
    if (rig->cloud_packet_bytes_max == 0 || bytes[0] >> 4 != MQTT_CONNACK) {
        return size_bytes;
    }
    EXPECT(size_bytes <= sizeof copy);
    memcpy(copy, bytes, size_bytes);
    EXPECT(mqtt_decode(copy, size_bytes, &packet, &reason) == ERR_OK);
    packet.properties.maximum_packet_bytes = rig->cloud_packet_bytes_max;
    EXPECT(mqtt_encode(&packet, bytes, &room_bytes) == ERR_OK);
    return room_bytes;
}

/* Move bytes between gateway and cloud until it is quiet. */
static void cloud_run(struct rig *rig)
{
    for (bool moved = true; moved && rig->cloud_link != 0;) {
        struct fake_link *up = fake_port_link(&rig->fake, rig->cloud_link);
        struct fake_link *down = fake_port_link(&rig->cloud_fake, rig->cloud.link);
        moved = false;
        if (up->size_bytes != 0) {
            const uint32_t size_bytes = up->size_bytes;
            up->size_bytes = 0;
            cloud_take(rig, (struct mqtt_input){up->bytes, size_bytes});
            moved = true;
        }
        if (down->size_bytes != 0) {
            uint32_t size_bytes = down->size_bytes;
            down->size_bytes = 0;
            size_bytes = cloud_claim(rig, down->bytes, size_bytes);
            gateway_event(rig, (struct event){.kind = EVENT_LINK_DATA,
                                              .link = rig->cloud_link,
                                              .bytes = down->bytes,
                                              .size_bytes = size_bytes});
            moved = true;
        }
        if (!up->open) {
            rig->cloud_link = 0;
        }
    }
}

static void cloud_break(struct rig *rig)
{
    EXPECT(rig->cloud_link != 0);
    fake_port_link(&rig->fake, rig->cloud_link)->open = false;
    gateway_event(rig, (struct event){.kind = EVENT_LINK_DOWN, .link = rig->cloud_link});
    rig->cloud_link = 0;
}

/* The gateway's newest link to the cloud that the cloud has not answered; 0 = none. */
static uint32_t asked_link(struct rig *rig)
{
    for (uint32_t link = rig->fake.link_count; link > rig->cloud_link; link--) {
        const struct fake_link *found = fake_port_link(&rig->fake, link);
        if (found->open && found->peer == CLOUD) {
            return link;
        }
    }
    return 0;
}

/* Let time pass until the gateway has opened a link to the cloud, and answer it. */
static void cloud_up(struct rig *rig)
{
    EXPECT_EQUAL(rig->cloud_link, 0);
    for (uint32_t turn = 0; asked_link(rig) == 0; turn++) {
        EXPECT(turn < 100);
        const uint64_t deadline_us = gateway_deadline_us(rig->gateway);
        EXPECT(deadline_us != UINT64_MAX);
        if (rig->fake.now_us < deadline_us) {
            rig->fake.now_us = deadline_us;
        }
        gateway_event(rig, (struct event){.kind = EVENT_TIMEOUT});
    }
    rig->cloud_link = asked_link(rig);
    const uint32_t link = fake_port_accept(&rig->cloud_fake, GATEWAY);
    mqtt_session_open(&rig->cloud, CLOUD, link, rig->fake.now_us);
    gateway_event(rig, (struct event){.kind = EVENT_LINK_UP, .link = rig->cloud_link});
    cloud_run(rig);
}

/* ---- A device's end ---------------------------------------------------------------------------
 */

static struct fake_peer *connected(struct rig *rig, uint32_t index)
{
    fake_peer_connect(&rig->devices[index], &rig->server, GATEWAY);
    EXPECT_EQUAL(rig->devices[index].client.state, MQTT_CLIENT_READY);
    return &rig->devices[index];
}

static struct envelope telemetry_of(struct fake_peer *device, uint64_t counter)
{
    const uint8_t key[AEAD_KEY_BYTES] = {0};
    const struct reading reading = {.wall_us = 5, .value = -7};
    struct envelope out;
    EXPECT(message_telemetry(&device->fake.port, &device->keys, key, device->number, 1, counter,
                             &reading, &out) == ERR_OK);
    return out;
}

static void post(struct fake_peer *device, uint64_t counter)
{
    char topic[16];
    const struct envelope envelope = telemetry_of(device, counter);
    snprintf(topic, sizeof topic, "t/%" PRIu32, device->number);
    fake_peer_post(device, topic, envelope.bytes, envelope.size_bytes, counter);
}

/* Publish one reading; the reason of its PUBACK. */
static uint8_t send(struct rig *rig, struct fake_peer *device, uint64_t counter)
{
    const uint32_t before = device->puback_count;
    post(device, counter);
    fake_peer_run(device, &rig->server);
    EXPECT_EQUAL(device->puback_count, before + 1);
    EXPECT_EQUAL(device->puback_tags[before], counter);
    return device->puback_reasons[before];
}

/* ---- Tests ------------------------------------------------------------------------------------
 */

static void custody_is_said_before_its_puback_and_after_its_sync(void)
{
    struct rig *rig = rig_new();
    struct fake_peer *device = connected(rig, 0);
    const uint32_t writes = rig->disk.writes;
    const struct envelope envelope = telemetry_of(device, 1);
    EXPECT_EQUAL(send(rig, device, 1), MQTT_SUCCESS);
    EXPECT(rig->disk.writes > writes);
    EXPECT_EQUAL(rig->disk.unsynced, 0);
    const struct evidence *said = fake_port_last(&rig->fake, EVIDENCE_CUSTODY);
    EXPECT(said != NULL);
    EXPECT_EQUAL(said->device, FIRST_DEVICE);
    EXPECT_EQUAL(said->epoch, 1);
    EXPECT_EQUAL(said->counter, 1);
    EXPECT_EQUAL(said->value, 1);
    EXPECT_EQUAL(said->body_bytes, envelope.size_bytes);
    EXPECT(memcmp(said->body, envelope.bytes, envelope.size_bytes) == 0);
    EXPECT_EQUAL(view(rig).queue_count, 1);
    EXPECT_EQUAL(view(rig).custodies, 1);
    rig_free(rig);
}

static void many_messages_in_one_step_are_one_commit_and_answered_in_order(void)
{
    struct rig *rig = rig_new();
    struct fake_peer *device = connected(rig, 0);
    const uint32_t count = MQTT_INFLIGHT_MAX < 4 ? MQTT_INFLIGHT_MAX : 4;
    for (uint32_t counter = 1; counter <= count; counter++) {
        post(device, counter);
    }
    fake_peer_run(device, &rig->server);
    EXPECT_EQUAL(device->puback_count, count);
    for (uint32_t index = 0; index < count; index++) {
        EXPECT_EQUAL(device->puback_tags[index], index + 1);
        EXPECT_EQUAL(device->puback_reasons[index], MQTT_SUCCESS);
    }
    EXPECT_EQUAL(fake_port_last(&rig->fake, EVIDENCE_CUSTODY)->value, count);
    rig_free(rig);
}

static void it_does_not_matter_where_the_stream_is_cut(void)
{
    struct rig *rig = rig_new();
    rig->server.cut_bytes = 1;
    struct fake_peer *device = connected(rig, 0);
    for (uint64_t counter = 1; counter <= 3; counter++) {
        EXPECT_EQUAL(send(rig, device, counter), MQTT_SUCCESS);
    }
    EXPECT_EQUAL(view(rig).queue_count, 3);
    rig_free(rig);
}

static void what_is_in_custody_survives_a_restart_and_goes_up_in_order(void)
{
    struct rig *rig = rig_new();
    const struct envelope envelope = telemetry_of(&rig->devices[0], 3);
    struct fake_peer *device = connected(rig, 0);
    for (uint64_t counter = 1; counter <= 3; counter++) {
        EXPECT_EQUAL(send(rig, device, counter), MQTT_SUCCESS);
    }
    rig_restart(rig);
    EXPECT_EQUAL(view(rig).queue_count, 3);
    cloud_up(rig);
    EXPECT_EQUAL(rig->received_count, 3);
    for (uint32_t index = 0; index < 3; index++) {
        EXPECT_EQUAL(rig->received[index], index + 1);
    }
    EXPECT_EQUAL(rig->last.size_bytes, envelope.size_bytes);
    EXPECT(memcmp(rig->last.bytes, envelope.bytes, envelope.size_bytes) == 0);
    EXPECT_EQUAL(fake_port_count(&rig->fake, EVIDENCE_FORWARD), 3);
    EXPECT_EQUAL(fake_port_count(&rig->fake, EVIDENCE_DISCHARGE), 3);
    EXPECT_EQUAL(view(rig).queue_count, 0);
    rig_free(rig);
}

static void a_full_queue_refuses_and_takes_again_when_it_has_drained(void)
{
    struct rig *rig = rig_new();
    struct fake_peer *first = connected(rig, 0);
    struct fake_peer *second = connected(rig, 1);
    for (uint64_t counter = 1; counter <= 3; counter++) {
        EXPECT_EQUAL(send(rig, first, counter), MQTT_SUCCESS);
        EXPECT_EQUAL(send(rig, second, counter), MQTT_SUCCESS);
    }
    EXPECT_EQUAL(send(rig, first, 4), MQTT_QUOTA_EXCEEDED);
    const struct evidence *said = fake_port_last(&rig->fake, EVIDENCE_REFUSE);
    EXPECT(said != NULL);
    EXPECT_EQUAL(said->value, REFUSAL_QUEUE_FULL);
    EXPECT_EQUAL(said->device, FIRST_DEVICE);
    EXPECT_EQUAL(said->counter, 4);
    cloud_up(rig);
    EXPECT_EQUAL(rig->received_count, 6);
    EXPECT_EQUAL(send(rig, first, 4), MQTT_SUCCESS);
    EXPECT_EQUAL(view(rig).refusals, 1);
    rig_free(rig);
}

static void no_device_takes_more_than_its_share_and_a_restart_does_not_forget_it(void)
{
    struct rig *rig = rig_new();
    struct fake_peer *first = connected(rig, 0);
    for (uint64_t counter = 1; counter <= 4; counter++) {
        EXPECT_EQUAL(send(rig, first, counter), MQTT_SUCCESS);
    }
    EXPECT_EQUAL(send(rig, first, 5), MQTT_QUOTA_EXCEEDED);
    EXPECT_EQUAL(fake_port_last(&rig->fake, EVIDENCE_REFUSE)->value, REFUSAL_SHARE);
    EXPECT_EQUAL(send(rig, connected(rig, 1), 1), MQTT_SUCCESS);
    rig_restart(rig);
    EXPECT_EQUAL(send(rig, connected(rig, 0), 5), MQTT_QUOTA_EXCEEDED);
    EXPECT_EQUAL(send(rig, connected(rig, 1), 2), MQTT_SUCCESS);
    rig_free(rig);
}

static void a_discharged_row_is_deleted_within_a_second(void)
{
    struct rig *rig = rig_new();
    cloud_up(rig);
    EXPECT_EQUAL(send(rig, connected(rig, 0), 1), MQTT_SUCCESS);
    const uint32_t writes = rig->disk.writes;
    cloud_run(rig);
    EXPECT_EQUAL(view(rig).queue_count, 0);
    EXPECT_EQUAL(rig->disk.writes, writes); /* no commit of its own */
    EXPECT_EQUAL(gateway_deadline_us(rig->gateway), rig->fake.now_us + SECOND);
    rig->fake.now_us += SECOND;
    gateway_event(rig, (struct event){.kind = EVENT_TIMEOUT});
    EXPECT(rig->disk.writes > writes);
    rig_restart(rig);
    EXPECT_EQUAL(view(rig).queue_count, 0);
    rig_free(rig);
}

static void a_delete_lost_with_the_process_only_causes_a_resend(void)
{
    struct rig *rig = rig_new();
    cloud_up(rig);
    EXPECT_EQUAL(send(rig, connected(rig, 0), 1), MQTT_SUCCESS);
    cloud_run(rig);
    EXPECT_EQUAL(view(rig).discharges, 1);
    rig_restart(rig);
    EXPECT_EQUAL(view(rig).queue_count, 1);
    cloud_up(rig);
    EXPECT_EQUAL(rig->received_count, 1);
    EXPECT_EQUAL(view(rig).queue_count, 0);
    rig_free(rig);
}

static void what_was_not_confirmed_is_sent_again_on_the_next_connection_only(void)
{
    struct rig *rig = rig_new();
    struct fake_peer *device = connected(rig, 0);
    cloud_up(rig);
    EXPECT_EQUAL(send(rig, device, 1), MQTT_SUCCESS);
    cloud_run(rig);
    rig->withhold = true;
    EXPECT_EQUAL(send(rig, device, 2), MQTT_SUCCESS);
    cloud_run(rig);
    EXPECT_EQUAL(send(rig, device, 3), MQTT_SUCCESS);
    cloud_run(rig);
    EXPECT_EQUAL(rig->received_count, 3);
    EXPECT_EQUAL(view(rig).queue_count, 2);
    cloud_break(rig);
    rig->withhold = false;
    cloud_up(rig);
    EXPECT_EQUAL(rig->received_count, 5);
    EXPECT_EQUAL(rig->received[3], 2);
    EXPECT_EQUAL(rig->received[4], 3);
    EXPECT_EQUAL(view(rig).queue_count, 0);
    /* Numbers of rows go on: a message after an empty queue is not taken for one that was sent. */
    EXPECT_EQUAL(send(rig, device, 4), MQTT_SUCCESS);
    cloud_run(rig);
    EXPECT_EQUAL(rig->received_count, 6);
    rig_free(rig);
}

static void a_row_confirmed_but_still_on_disk_is_not_sent_on_the_next_connection(void)
{
    struct rig *rig = rig_new();
    cloud_up(rig);
    EXPECT_EQUAL(send(rig, connected(rig, 0), 1), MQTT_SUCCESS);
    rig->disk.full = true; /* the delete cannot be committed */
    cloud_run(rig);
    EXPECT_EQUAL(view(rig).discharges, 1);
    cloud_break(rig);
    cloud_up(rig);
    EXPECT_EQUAL(rig->received_count, 1);
    EXPECT_EQUAL(view(rig).queue_count, 0);
    EXPECT_EQUAL(rig->fake.resets, 0);
    rig->disk.full = false;
    rig_free(rig);
}

static void a_refusing_cloud_is_left_and_gets_the_message_again_later(void)
{
    struct rig *rig = rig_new();
    cloud_up(rig);
    rig->cloud_reason = MQTT_QUOTA_EXCEEDED;
    EXPECT_EQUAL(send(rig, connected(rig, 0), 1), MQTT_SUCCESS);
    cloud_run(rig);
    EXPECT_EQUAL(view(rig).queue_count, 1);
    EXPECT_EQUAL(view(rig).discharges, 0);
    EXPECT(!view(rig).connected);
    rig->cloud_reason = MQTT_SUCCESS;
    cloud_up(rig);
    EXPECT_EQUAL(rig->received_count, 2);
    EXPECT_EQUAL(view(rig).queue_count, 0);
    rig_free(rig);
}

static void a_long_queue_goes_up_within_receive_maximum_and_in_order(void)
{
    struct rig *rig = rig_new();
    rig_down(rig);
    rig->config.queue_max = GATEWAY_QUEUE_MAX < 100 ? GATEWAY_QUEUE_MAX : 100;
    rig->config.queue_share_max = rig->config.queue_max;
    rig_boot(rig);
    struct fake_peer *device = connected(rig, 0);
    for (uint32_t counter = 1; counter <= rig->config.queue_max; counter++) {
        EXPECT_EQUAL(send(rig, device, counter), MQTT_SUCCESS);
    }
    cloud_up(rig); /* a session refuses more than Receive Maximum, and the test sees it */
    EXPECT_EQUAL(rig->received_count, rig->config.queue_max);
    for (uint32_t index = 0; index < rig->received_count; index++) {
        EXPECT_EQUAL(rig->received[index], index + 1);
    }
    EXPECT_EQUAL(view(rig).queue_count, 0);
    rig_free(rig);
}

static void acks_go_down_to_the_session_of_their_device(void)
{
    static const uint8_t bytes[] = {1, 2, 3};
    struct rig *rig = rig_new();
    struct fake_peer *first = connected(rig, 0);
    struct fake_peer *second = connected(rig, 1);
    cloud_up(rig);
    static const char *const topics[] = {"d/11", "d/13", "d/999", "x/11"};
    for (size_t index = 0; index < sizeof topics / sizeof topics[0]; index++) {
        EXPECT(mqtt_session_publish(&rig->cloud, &rig->cloud_fake.port, topics[index], bytes,
                                    sizeof bytes) == ERR_OK);
        cloud_run(rig);
    }
    fake_peer_run(first, &rig->server);
    fake_peer_run(second, &rig->server);
    EXPECT_EQUAL(first->heard_count, 0);
    EXPECT_EQUAL(second->heard_count, 1);
    EXPECT(strcmp(second->heard_topic, "d/11") == 0);
    EXPECT(memcmp(second->heard.bytes, bytes, sizeof bytes) == 0);
    EXPECT_EQUAL(view(rig).drops, 1); /* the topic that is none */
    rig_free(rig);
}

static void peers_that_take_only_small_packets_hurt_themselves_alone(void)
{
    static const uint8_t bytes[120] = {0};
    struct rig *rig = rig_new();
    rig->devices[0].packet_bytes_max = 100;
    struct fake_peer *device = connected(rig, 0);
    cloud_up(rig);
    EXPECT(mqtt_session_publish(&rig->cloud, &rig->cloud_fake.port, "d/10", bytes, sizeof bytes) ==
           ERR_OK);
    cloud_run(rig);
    fake_peer_run(device, &rig->server);
    EXPECT_EQUAL(device->heard_count, 0);
    cloud_break(rig);

    rig->cloud_packet_bytes_max = 100;
    cloud_up(rig);
    EXPECT_EQUAL(send(rig, device, 1), MQTT_SUCCESS);
    cloud_run(rig);
    EXPECT(!view(rig).connected);
    EXPECT_EQUAL(view(rig).queue_count, 1);
    rig->cloud_packet_bytes_max = 0;
    cloud_up(rig);
    EXPECT_EQUAL(rig->received_count, 1);
    EXPECT_EQUAL(rig->fake.resets, 0);
    rig_free(rig);
}

static void the_later_session_of_a_client_takes_over_and_stays(void)
{
    struct rig *rig = rig_new();
    struct fake_peer *device = connected(rig, 0);
    struct fake_peer *again = malloc(sizeof *again);
    EXPECT(again != NULL);
    fake_peer_init(again, FIRST_DEVICE);
    fake_peer_connect(again, &rig->server, GATEWAY);
    EXPECT_EQUAL(again->client.state, MQTT_CLIENT_READY);
    fake_peer_run(device, &rig->server);
    EXPECT_EQUAL(device->client.state, MQTT_CLIENT_CLOSED);
    EXPECT_EQUAL(device->down_reason, MQTT_SESSION_TAKEN_OVER);
    EXPECT_EQUAL(view(rig).session_count, 1);
    /* A late word of the old link changes nothing. */
    gateway_event(rig, (struct event){.kind = EVENT_LINK_DOWN, .link = device->server_link});
    EXPECT_EQUAL(view(rig).session_count, 1);
    EXPECT_EQUAL(send(rig, again, 1), MQTT_SUCCESS);
    fake_peer_drop(again);
    free(again);
    rig_free(rig);
}

static void who_only_claims_a_number_disturbs_nobody(void)
{
    struct rig *rig = rig_new();
    struct fake_peer *device = connected(rig, 0);
    struct fake_peer *thief = &rig->devices[1];
    thief->client.self = FIRST_DEVICE; /* its number, not its key */
    fake_peer_connect(thief, &rig->server, GATEWAY);
    EXPECT_EQUAL(thief->client.state, MQTT_CLIENT_CLOSED);
    EXPECT_EQUAL(fake_port_last(&rig->fake, EVIDENCE_DROP)->value, REFUSAL_SIGNATURE);
    EXPECT_EQUAL(send(rig, device, 1), MQTT_SUCCESS);

    struct fake_peer *stranger = &rig->devices[2];
    stranger->client.self = 99;
    fake_peer_connect(stranger, &rig->server, GATEWAY);
    EXPECT_EQUAL(stranger->client.state, MQTT_CLIENT_CLOSED);
    EXPECT_EQUAL(stranger->down_reason, MQTT_NOT_AUTHORIZED);
    EXPECT_EQUAL(fake_port_last(&rig->fake, EVIDENCE_DROP)->value, REFUSAL_UNKNOWN);
    EXPECT_EQUAL(view(rig).session_count, 1);
    rig_free(rig);
}

/* Strangers that say nothing, each on a link of its own. */
static void silent_ones(struct rig *rig, uint32_t *links, uint32_t count)
{
    for (uint32_t index = 0; index < count; index++) {
        links[index] = fake_port_accept(&rig->fake, 99);
        gateway_event(rig,
                      (struct event){.kind = EVENT_LINK_UP, .inbound = true, .link = links[index]});
        rig->fake.now_us++;
    }
}

static void a_full_table_sends_the_oldest_silent_one_away_and_the_rest_in_time(void)
{
    struct rig *rig = rig_new();
    uint32_t links[TEST_DEVICES + 2];
    silent_ones(rig, links, TEST_DEVICES + 1);
    EXPECT_EQUAL(fake_port_count(&rig->fake, EVIDENCE_REFUSE), 0);
    silent_ones(rig, &links[TEST_DEVICES + 1], 1);
    EXPECT_EQUAL(view(rig).session_count, TEST_DEVICES + 1);
    EXPECT(!fake_port_link(&rig->fake, links[0])->open);
    EXPECT(fake_port_link(&rig->fake, links[1])->open);
    EXPECT(fake_port_link(&rig->fake, links[TEST_DEVICES + 1])->open);
    EXPECT_EQUAL(fake_port_last(&rig->fake, EVIDENCE_REFUSE)->value, REFUSAL_SESSIONS);
    /* Silence keeps nobody out. */
    struct fake_peer *device = connected(rig, 0);
    EXPECT_EQUAL(send(rig, device, 1), MQTT_SUCCESS);
    EXPECT(!fake_port_link(&rig->fake, links[1])->open);
    /* And the handshake has a limit. */
    for (uint32_t turn = 0; view(rig).session_count != 1; turn++) {
        EXPECT(turn < 100);
        rig->fake.now_us = gateway_deadline_us(rig->gateway);
        gateway_event(rig, (struct event){.kind = EVENT_TIMEOUT});
    }
    EXPECT_EQUAL(fake_port_last(&rig->fake, EVIDENCE_DROP)->value, REFUSAL_LATE);
    EXPECT_EQUAL(fake_port_count(&rig->fake, EVIDENCE_DROP), TEST_DEVICES);
    EXPECT(!fake_port_link(&rig->fake, links[TEST_DEVICES + 1])->open);
    EXPECT_EQUAL(send(rig, device, 2), MQTT_SUCCESS);
    rig_free(rig);
}

/* CONNECT of a device that is enrolled, by somebody who has not its key: no answer follows. */
static void claim(struct rig *rig, uint32_t link)
{
    struct mqtt_packet packet;
    uint8_t bytes[MQTT_PACKET_BYTES_MAX];
    uint32_t size_bytes = sizeof bytes;
    char number[16];
    mqtt_packet_init(&packet, MQTT_CONNECT);
    snprintf(number, sizeof number, "%d", FIRST_DEVICE + 1);
    packet.client_id = mqtt_text(number);
    packet.clean_start = true;
    packet.keep_alive_s = 60;
    packet.properties.authentication_method = mqtt_text(MQTT_AUTHENTICATION_METHOD_NAME);
    packet.properties.present = MQTT_PROPERTY_BIT(MQTT_AUTHENTICATION_METHOD);
    EXPECT_EQUAL(mqtt_encode(&packet, bytes, &size_bytes), ERR_OK);
    gateway_event(
        rig, (struct event){
                 .kind = EVENT_LINK_DATA, .link = link, .bytes = bytes, .size_bytes = size_bytes});
}

static void who_says_nothing_goes_before_who_was_challenged_and_who_is_ready_stays(void)
{
    struct rig *rig = rig_new();
    uint32_t links[TEST_DEVICES + 2];
    struct fake_peer *device = connected(rig, 0);
    silent_ones(rig, links, TEST_DEVICES);
    for (uint32_t index = 0; index + 1 < TEST_DEVICES; index++) {
        claim(rig, links[index]);
    }
    silent_ones(rig, &links[TEST_DEVICES], 1); /* in the place of the one that said nothing */
    EXPECT(!fake_port_link(&rig->fake, links[TEST_DEVICES - 1])->open);
    EXPECT(fake_port_link(&rig->fake, links[0])->open);
    claim(rig, links[TEST_DEVICES]);
    silent_ones(rig, &links[TEST_DEVICES + 1], 1); /* all have: the first of them */
    EXPECT(!fake_port_link(&rig->fake, links[0])->open);
    EXPECT(fake_port_link(&rig->fake, links[1])->open);
    EXPECT(fake_port_link(&rig->fake, links[TEST_DEVICES + 1])->open);
    EXPECT_EQUAL(fake_port_count(&rig->fake, EVIDENCE_REFUSE), 2);
    EXPECT_EQUAL(send(rig, device, 1), MQTT_SUCCESS);
    rig_free(rig);
}

static void a_session_whose_link_went_down_gives_its_place_back(void)
{
    struct rig *rig = rig_new();
    for (uint32_t turn = 0; turn < 20; turn++) {
        struct fake_peer *device = connected(rig, turn % TEST_DEVICES);
        EXPECT_EQUAL(view(rig).session_count, 1);
        fake_peer_break(device, &rig->server);
        EXPECT_EQUAL(view(rig).session_count, 0);
    }
    rig_free(rig);
}

/* Publish these bytes; the reason of their PUBACK. */
static uint8_t send_bytes(struct rig *rig, struct fake_peer *device, const char *topic,
                          const uint8_t *bytes, uint32_t size_bytes)
{
    const uint32_t before = device->puback_count;
    fake_peer_post(device, topic, bytes, size_bytes, 77);
    fake_peer_run(device, &rig->server);
    EXPECT_EQUAL(device->puback_count, before + 1);
    return device->puback_reasons[before];
}

static void hostile_messages_are_dropped_with_their_reason_and_never_queued(void)
{
    struct rig *rig = rig_new();
    struct fake_peer *device = connected(rig, 0);
    struct envelope good = telemetry_of(device, 1);
    const struct envelope foreign = telemetry_of(&rig->devices[1], 1);

    EXPECT_EQUAL(send_bytes(rig, device, "t/11", good.bytes, good.size_bytes), MQTT_NOT_AUTHORIZED);
    EXPECT_EQUAL(fake_port_last(&rig->fake, EVIDENCE_DROP)->value, REFUSAL_MISMATCH);
    EXPECT_EQUAL(send_bytes(rig, device, "t/10", foreign.bytes, foreign.size_bytes),
                 MQTT_NOT_AUTHORIZED);
    EXPECT_EQUAL(fake_port_last(&rig->fake, EVIDENCE_DROP)->value, REFUSAL_MISMATCH);
    EXPECT_EQUAL(send_bytes(rig, device, "t/10", good.bytes, good.size_bytes - 1),
                 MQTT_PAYLOAD_FORMAT_INVALID);
    EXPECT_EQUAL(fake_port_last(&rig->fake, EVIDENCE_DROP)->value, REFUSAL_MALFORMED);

    for (uint32_t bit = 0; bit < good.size_bytes * 8; bit++) {
        good.bytes[bit / 8] = (uint8_t)(good.bytes[bit / 8] ^ 1u << bit % 8);
        EXPECT(send_bytes(rig, device, "t/10", good.bytes, good.size_bytes) != MQTT_SUCCESS);
        good.bytes[bit / 8] = (uint8_t)(good.bytes[bit / 8] ^ 1u << bit % 8);
        rig->fake.evidence_count = 0;
        device->puback_count = 0;
    }
    /* Custody cannot be confirmed for QoS 0. */
    fake_peer_post(device, "t/10", good.bytes, good.size_bytes, 0);
    fake_peer_run(device, &rig->server);
    const struct evidence *said = fake_port_last(&rig->fake, EVIDENCE_DROP);
    EXPECT_EQUAL(said->value, REFUSAL_PROTOCOL);
    EXPECT_EQUAL(said->device, FIRST_DEVICE);
    EXPECT_EQUAL(said->body_bytes, good.size_bytes);
    EXPECT_EQUAL(view(rig).queue_count, 0);
    EXPECT_EQUAL(view(rig).drops, 4 + good.size_bytes * 8);
    EXPECT_EQUAL(send(rig, device, 1), MQTT_SUCCESS);
    rig_free(rig);
}

static void a_response_goes_up_at_once_or_not_at_all(void)
{
    struct rig *rig = rig_new();
    struct fake_peer *device = connected(rig, 0);
    const struct response response = {.device = FIRST_DEVICE, .epoch = 1, .floor = 9};
    struct envelope envelope;
    EXPECT(message_response(&device->fake.port, &device->keys, &response, &envelope) == ERR_OK);
    fake_peer_post(device, "t/10", envelope.bytes, envelope.size_bytes, 0);
    fake_peer_run(device, &rig->server);
    cloud_up(rig);
    EXPECT_EQUAL(rig->responses, 0);
    fake_peer_post(device, "t/10", envelope.bytes, envelope.size_bytes, 0);
    fake_peer_run(device, &rig->server);
    cloud_run(rig);
    EXPECT_EQUAL(rig->responses, 1);
    EXPECT_EQUAL(rig->last.size_bytes, envelope.size_bytes);
    EXPECT_EQUAL(view(rig).drops, 0);
    rig_free(rig);
}

/* No row, no share, no custody: with QoS 1 it is refused. */
static void a_status_goes_up_like_a_response(void)
{
    struct rig *rig = rig_new();
    struct fake_peer *device = connected(rig, 0);
    cloud_up(rig);
    struct status status = {
        .device = FIRST_DEVICE, .name = {.tick = 1}, .sequence = {1}, .outcome = BOOT_CONFIRMED};
    struct envelope envelope;
    EXPECT(message_status(&device->fake.port, &device->keys, &status, &envelope) == ERR_OK);
    fake_peer_post(device, "t/10", envelope.bytes, envelope.size_bytes, 0);
    fake_peer_run(device, &rig->server);
    cloud_run(rig);
    EXPECT_EQUAL(rig->responses, 1);
    EXPECT_EQUAL(rig->last.size_bytes, envelope.size_bytes);
    EXPECT(memcmp(rig->last.bytes, envelope.bytes, envelope.size_bytes) == 0);
    EXPECT_EQUAL(view(rig).queue_count, 0);
    EXPECT_EQUAL(view(rig).drops, 0);
    fake_peer_post(device, "t/10", envelope.bytes, envelope.size_bytes, 77);
    envelope.bytes[envelope.size_bytes - 1] ^= 1; /* nor what the device did not sign */
    fake_peer_post(device, "t/10", envelope.bytes, envelope.size_bytes, 0);
    fake_peer_run(device, &rig->server);
    cloud_run(rig);
    EXPECT_EQUAL(rig->responses, 1);
    EXPECT_EQUAL(device->puback_reasons[0], MQTT_NOT_AUTHORIZED);
    EXPECT_EQUAL(fake_port_count_value(&rig->fake, EVIDENCE_DROP, REFUSAL_PROTOCOL), 1);
    EXPECT_EQUAL(fake_port_count_value(&rig->fake, EVIDENCE_DROP, REFUSAL_SIGNATURE), 1);
    rig_free(rig);
}

static void a_full_disk_refuses_custody_and_a_freed_one_gives_it(void)
{
    struct rig *rig = rig_new();
    EXPECT_EQUAL(send(rig, connected(rig, 0), 1), MQTT_SUCCESS);
    rig_restart(rig); /* a boot empties the log: any commit makes it longer */
    struct fake_peer *device = connected(rig, 0);
    rig->disk.full = true;
    const uint32_t count = MQTT_INFLIGHT_MAX < 3 ? MQTT_INFLIGHT_MAX : 3;
    rig->fake.evidence_count = 0;
    for (uint32_t index = 0; index < count; index++) {
        post(device, 2 + index);
    }
    fake_peer_run(device, &rig->server);
    EXPECT_EQUAL(device->puback_count, count);
    for (uint32_t index = 0; index < count; index++) {
        EXPECT_EQUAL(device->puback_tags[index], 2 + index);
        EXPECT_EQUAL(device->puback_reasons[index], MQTT_QUOTA_EXCEEDED);
    }
    EXPECT_EQUAL(fake_port_count_value(&rig->fake, EVIDENCE_REFUSE, REFUSAL_DISK), count);
    EXPECT_EQUAL(fake_port_count(&rig->fake, EVIDENCE_CUSTODY), 0);
    EXPECT_EQUAL(view(rig).queue_count, 1);
    EXPECT_EQUAL(rig->fake.resets, 0);
    rig->disk.full = false;
    EXPECT_EQUAL(send(rig, device, 2), MQTT_SUCCESS);
    rig_restart(rig);
    EXPECT_EQUAL(view(rig).queue_count, 2);
    rig_free(rig);
}

static void a_disk_that_is_full_at_boot_keeps_no_gateway_from_emptying_its_queue(void)
{
    struct rig *rig = rig_new();
    rig_down(rig);
    const uint32_t count = GATEWAY_QUEUE_MAX < 40 ? GATEWAY_QUEUE_MAX : 40; /* more than a page */
    rig->config.queue_max = count;
    rig->config.queue_share_max = count;
    rig_boot(rig);
    struct fake_peer *device = connected(rig, 0);
    for (uint32_t counter = 1; counter <= count; counter++) {
        EXPECT_EQUAL(send(rig, device, counter), MQTT_SUCCESS);
    }
    rig->disk.full = true; /* and the database has no page for what the log holds */
    rig_restart(rig);
    EXPECT_EQUAL(fake_port_count(&rig->fake, EVIDENCE_BOOT), 1);
    EXPECT_EQUAL(view(rig).queue_count, count);
    cloud_up(rig);
    EXPECT_EQUAL(rig->received_count, count);
    rig->disk.full = false;
    rig_free(rig);
}

static void a_queue_drains_while_the_disk_is_full_as_far_as_it_can_be_remembered(void)
{
    struct rig *rig = rig_new();
    rig_down(rig);
    rig->config.queue_max = GATEWAY_QUEUE_MAX < 200 ? GATEWAY_QUEUE_MAX : 200;
    rig->config.queue_share_max = rig->config.queue_max;
    rig_boot(rig);
    struct fake_peer *device = connected(rig, 0);
    for (uint32_t counter = 1; counter <= rig->config.queue_max; counter++) {
        EXPECT_EQUAL(send(rig, device, counter), MQTT_SUCCESS);
    }
    rig->disk.full = true;
    cloud_up(rig);
    const uint32_t drained = rig->received_count;
    EXPECT_EQUAL(drained, rig->config.queue_max < 128 ? rig->config.queue_max : 128);
    EXPECT_EQUAL(view(rig).queue_count, rig->config.queue_max - drained);
    for (uint32_t turn = 0; turn < 5; turn++) {
        rig->fake.now_us += 2 * SECOND;
        gateway_event(rig, (struct event){.kind = EVENT_TIMEOUT});
    }
    EXPECT_EQUAL(rig->fake.resets, 0);
    rig->disk.full = false;
    rig->fake.now_us += 2 * SECOND;
    gateway_event(rig, (struct event){.kind = EVENT_TIMEOUT});
    cloud_run(rig);
    EXPECT_EQUAL(rig->received_count, rig->config.queue_max);
    rig->fake.now_us += 2 * SECOND;
    gateway_event(rig, (struct event){.kind = EVENT_TIMEOUT});
    rig_restart(rig);
    EXPECT_EQUAL(view(rig).queue_count, 0);
    rig_free(rig);
}

/* Checkpoint as any tool that opens and closes the file does. */
static void empty_log(const struct rig *rig)
{
    sqlite3 *sqlite = NULL;
    EXPECT_EQUAL(sqlite3_open(rig->path, &sqlite), SQLITE_OK);
    EXPECT_EQUAL(sqlite3_exec(sqlite, "SELECT count(*) FROM queue", NULL, NULL, NULL), SQLITE_OK);
    EXPECT_EQUAL(sqlite3_close(sqlite), SQLITE_OK);
}

static void a_log_without_room_is_emptied_and_used_again(void)
{
    struct rig *rig = rig_new();
    EXPECT_EQUAL(send(rig, connected(rig, 0), 1), MQTT_SUCCESS);
    rig_down(rig);
    empty_log(rig);
    rig_boot(rig);
    struct fake_peer *device = connected(rig, 0);
    EXPECT_EQUAL(send(rig, device, 2), MQTT_SUCCESS);
    rig->disk.full = true;
    EXPECT_EQUAL(send(rig, device, 3), MQTT_QUOTA_EXCEEDED);
    EXPECT_EQUAL(send(rig, device, 3), MQTT_SUCCESS);
    EXPECT_EQUAL(rig->disk.full, true);
    rig_restart(rig);
    EXPECT_EQUAL(view(rig).queue_count, 3);
    rig->disk.full = false;
    rig_free(rig);
}

static void a_broken_disk_asks_for_one_reset_and_nothing_more_is_visible(void)
{
    struct rig *rig = rig_new();
    struct fake_peer *device = connected(rig, 0);
    EXPECT_EQUAL(send(rig, device, 1), MQTT_SUCCESS);
    rig->disk.broken = true;
    post(device, 2);
    fake_peer_run(device, &rig->server);
    EXPECT_EQUAL(device->puback_count, 1);
    EXPECT_EQUAL(fake_port_count(&rig->fake, EVIDENCE_CUSTODY), 1);
    EXPECT_EQUAL(rig->fake.resets, 1);
    EXPECT_EQUAL(gateway_deadline_us(rig->gateway), UINT64_MAX);
    const uint32_t said = rig->fake.evidence_count;
    post(device, 3);
    fake_peer_run(device, &rig->server);
    gateway_event(rig, (struct event){.kind = EVENT_TIMEOUT});
    EXPECT_EQUAL(device->puback_count, 1);
    EXPECT_EQUAL(rig->fake.evidence_count, said);
    EXPECT_EQUAL(rig->fake.resets, 1);
    rig->disk.broken = false;
    rig_restart(rig);
    EXPECT_EQUAL(view(rig).queue_count, 1);
    rig_free(rig);
}

static void a_disk_that_breaks_while_room_is_made_is_a_broken_disk(void)
{
    struct rig *rig = rig_new();
    EXPECT_EQUAL(send(rig, connected(rig, 0), 1), MQTT_SUCCESS);
    rig_down(rig);
    empty_log(rig);
    rig_boot(rig);
    struct fake_peer *device = connected(rig, 0);
    EXPECT_EQUAL(send(rig, device, 2), MQTT_SUCCESS);
    rig->disk.full = true;
    rig->disk.frail = true;
    post(device, 3);
    fake_peer_run(device, &rig->server);
    EXPECT_EQUAL(device->puback_count, 1);
    EXPECT_EQUAL(fake_port_count(&rig->fake, EVIDENCE_REFUSE), 0);
    EXPECT_EQUAL(rig->fake.resets, 1);
    rig->disk.full = rig->disk.frail = rig->disk.broken = false;
    rig_restart(rig);
    EXPECT_EQUAL(view(rig).queue_count, 2);
    rig_free(rig);
}

static void a_disk_that_does_not_open_is_tried_again_after_a_while(void)
{
    struct rig *rig = rig_new();
    rig_down(rig);
    fake_disk_erase(rig->path);
    rig->disk.broken = true;
    rig_boot(rig);
    EXPECT_EQUAL(rig->fake.resets, 0);
    gateway_event(rig, (struct event){.kind = EVENT_TIMEOUT});
    EXPECT_EQUAL(rig->fake.resets, 0);
    rig->fake.now_us = gateway_deadline_us(rig->gateway);
    gateway_event(rig, (struct event){.kind = EVENT_TIMEOUT});
    EXPECT_EQUAL(rig->fake.resets, 1);
    rig->disk.broken = false;
    rig_restart(rig);
    EXPECT_EQUAL(send(rig, connected(rig, 0), 1), MQTT_SUCCESS);
    rig_free(rig);
}

/* Noise over `size_bytes` of the database from `offset` on. */
static void spoil(const struct rig *rig, long offset, size_t size_bytes)
{
    FILE *file = fopen(rig->path, "r+b");
    EXPECT(file != NULL && fseek(file, offset, SEEK_SET) == 0);
    for (size_t i = 0; i < size_bytes; i++) {
        EXPECT(fputc((int)(i * 151 % 251), file) != EOF);
    }
    EXPECT(fclose(file) == 0);
}

static void a_spoilt_queue_is_given_up_with_a_word_and_begun_anew(void)
{
    static const struct {
        long offset;
        size_t size_bytes;
    } spots[] = {{0, 4096}, {0, 16}, {4096, 4096}, {100, 64}};
    for (size_t i = 0; i < sizeof spots / sizeof spots[0]; i++) {
        struct rig *rig = rig_new();
        struct fake_peer *device = connected(rig, 0);
        for (uint32_t counter = 1; counter <= 3; counter++) {
            EXPECT_EQUAL(send(rig, device, counter), MQTT_SUCCESS);
        }
        rig_restart(rig); /* into the database proper, out of the log */
        EXPECT_EQUAL(view(rig).queue_count, 3);
        rig_down(rig);
        spoil(rig, spots[i].offset, spots[i].size_bytes);
        rig_boot(rig);
        EXPECT_EQUAL(fake_port_count_value(&rig->fake, EVIDENCE_DROP, REFUSAL_DISK), 1);
        EXPECT_EQUAL(view(rig).queue_count, 0);
        EXPECT_EQUAL(send(rig, connected(rig, 0), 4), MQTT_SUCCESS);
        rig_restart(rig);
        EXPECT_EQUAL(view(rig).queue_count, 1);
        rig_free(rig);
    }
}

static void an_idle_gateway_feeds_its_watchdog(void)
{
    struct rig *rig = rig_new();
    rig_down(rig);
    rig->config.watchdog_us = 10 * SECOND;
    rig_boot(rig);
    EXPECT_EQUAL(rig->fake.watchdog_us, 10 * SECOND);
    EXPECT_EQUAL(fake_port_count(&rig->fake, EVIDENCE_BOOT), 1);
    cloud_up(rig);
    for (uint32_t turn = 0; turn < 10; turn++) {
        const uint64_t deadline_us = gateway_deadline_us(rig->gateway);
        EXPECT(deadline_us > rig->fake.now_us && deadline_us <= rig->fake.now_us + 5 * SECOND);
        rig->fake.now_us = deadline_us;
        rig->fake.watchdog_us = 0;
        gateway_event(rig, (struct event){.kind = EVENT_TIMEOUT});
        EXPECT_EQUAL(rig->fake.watchdog_us, 10 * SECOND);
    }
    rig_free(rig);
}

static void attempts_to_connect_stay_within_the_backoff(void)
{
    struct rig *rig = rig_new();
    uint32_t attempts = 0;
    const uint64_t begin_us = rig->fake.now_us;
    while (rig->fake.now_us < begin_us + 100 * SECOND) {
        const uint32_t link = asked_link(rig);
        if (link != 0) {
            attempts++;
            fake_port_link(&rig->fake, link)->open = false;
            gateway_event(rig, (struct event){.kind = EVENT_LINK_DOWN, .link = link});
        }
        const uint64_t deadline_us = gateway_deadline_us(rig->gateway);
        EXPECT(deadline_us <= rig->fake.now_us + 8 * SECOND);
        rig->fake.now_us = deadline_us;
        gateway_event(rig, (struct event){.kind = EVENT_TIMEOUT});
    }
    EXPECT(attempts >= 100 / 8 && attempts < 60);
    rig_free(rig);
}

int main(void)
{
    RUN(custody_is_said_before_its_puback_and_after_its_sync);
    RUN(many_messages_in_one_step_are_one_commit_and_answered_in_order);
    RUN(it_does_not_matter_where_the_stream_is_cut);
    RUN(what_is_in_custody_survives_a_restart_and_goes_up_in_order);
    RUN(a_full_queue_refuses_and_takes_again_when_it_has_drained);
    RUN(no_device_takes_more_than_its_share_and_a_restart_does_not_forget_it);
    RUN(a_discharged_row_is_deleted_within_a_second);
    RUN(a_delete_lost_with_the_process_only_causes_a_resend);
    RUN(what_was_not_confirmed_is_sent_again_on_the_next_connection_only);
    RUN(a_row_confirmed_but_still_on_disk_is_not_sent_on_the_next_connection);
    RUN(a_refusing_cloud_is_left_and_gets_the_message_again_later);
    RUN(a_long_queue_goes_up_within_receive_maximum_and_in_order);
    RUN(acks_go_down_to_the_session_of_their_device);
    RUN(peers_that_take_only_small_packets_hurt_themselves_alone);
    RUN(the_later_session_of_a_client_takes_over_and_stays);
    RUN(who_only_claims_a_number_disturbs_nobody);
    RUN(a_full_table_sends_the_oldest_silent_one_away_and_the_rest_in_time);
    RUN(who_says_nothing_goes_before_who_was_challenged_and_who_is_ready_stays);
    RUN(a_session_whose_link_went_down_gives_its_place_back);
    RUN(hostile_messages_are_dropped_with_their_reason_and_never_queued);
    RUN(a_response_goes_up_at_once_or_not_at_all);
    RUN(a_status_goes_up_like_a_response);
    RUN(a_full_disk_refuses_custody_and_a_freed_one_gives_it);
    RUN(a_disk_that_is_full_at_boot_keeps_no_gateway_from_emptying_its_queue);
    RUN(a_queue_drains_while_the_disk_is_full_as_far_as_it_can_be_remembered);
    RUN(a_log_without_room_is_emptied_and_used_again);
    RUN(a_broken_disk_asks_for_one_reset_and_nothing_more_is_visible);
    RUN(a_disk_that_breaks_while_room_is_made_is_a_broken_disk);
    RUN(a_disk_that_does_not_open_is_tried_again_after_a_while);
    RUN(a_spoilt_queue_is_given_up_with_a_word_and_begun_anew);
    RUN(an_idle_gateway_feeds_its_watchdog);
    RUN(attempts_to_connect_stay_within_the_backoff);
    return 0;
}
