/* Goal: a reading is accepted at most once, whatever comes in whatever order over whatever restart;
 * what is acked is durable; what is not the device's own is never taken.
 * Method: the real role on a real SQLite file behind a switchable VFS; gateways are scripted MQTT
 * clients that wrap envelopes which the test signs, and the table is read by a connection of the
 * test's own after the cloud is down. */
#include "core/server/cloud.h"

#include <string.h>
#include <unistd.h>

#include "core/check.h"
#include "core/test/fake_peer.h"
#include "core/test/test.h"
#include "core/window.h"

enum {
    TEST_DEVICES = 3,
    TEST_GATEWAYS = 2,
    CLOUD = 1,
    FIRST_GATEWAY = 2,
    FIRST_DEVICE = 10,
    WINDOW = 16,
};

#define SECOND UINT64_C(1000000)

struct rig {
    char folder[64];
    char path[96];
    struct fake_disk disk;
    struct fake_port fake;
    struct registry_entry devices[TEST_DEVICES];
    struct key_pair keys[TEST_DEVICES];
    struct registry_entry gateways[TEST_GATEWAYS];
    struct cloud_config config;
    struct cloud *cloud;
    struct fake_server server;
    struct fake_peer peers[TEST_GATEWAYS];
    uint64_t tag;
};

_Noreturn void check_failed(const char *file, int line, const char *what)
{
    fprintf(stderr, "%s:%d: CHECK failed: %s\n", file, line, what);
    abort();
}

static void step_cloud(void *role, const struct port *port, const struct event *event)
{
    cloud_step(role, port, event);
}

static void rig_boot(struct rig *rig)
{
    fake_port_init(&rig->fake, &rig->disk, rig->path);
    rig->fake.now_us = 1000 * SECOND;
    rig->cloud = malloc(cloud_size_bytes(&rig->config));
    EXPECT(rig->cloud != NULL);
    cloud_init(rig->cloud, &rig->config, &rig->fake.port);
    rig->server = (struct fake_server){&rig->fake, rig->cloud, step_cloud, 0};
    for (uint32_t index = 0; index < TEST_GATEWAYS; index++) {
        fake_peer_init(&rig->peers[index], FIRST_GATEWAY + index);
    }
}

static void rig_down(struct rig *rig)
{
    EXPECT_EQUAL(rig->fake.unsynced_sends, 0);
    cloud_drop(rig->cloud);
    free(rig->cloud);
    fake_port_drop(&rig->fake);
    for (uint32_t index = 0; index < TEST_GATEWAYS; index++) {
        fake_peer_drop(&rig->peers[index]);
    }
}

static void rig_connect(struct rig *rig)
{
    for (uint32_t index = 0; index < TEST_GATEWAYS; index++) {
        fake_peer_connect(&rig->peers[index], &rig->server, CLOUD);
        EXPECT_EQUAL(rig->peers[index].client.state, MQTT_CLIENT_READY);
    }
}

static void rig_restart(struct rig *rig)
{
    rig_down(rig);
    rig_boot(rig);
    rig_connect(rig);
}

static struct rig *rig_new(void)
{
    struct rig *rig = calloc(1, sizeof *rig);
    EXPECT(rig != NULL);
    snprintf(rig->folder, sizeof rig->folder, "/tmp/brownout_XXXXXX");
    EXPECT(mkdtemp(rig->folder) != NULL);
    snprintf(rig->path, sizeof rig->path, "%s/cloud.db", rig->folder);
    fake_disk_init(&rig->disk, "fake");
    for (uint32_t index = 0; index < TEST_DEVICES; index++) {
        fake_keys(FIRST_DEVICE + index, &rig->keys[index]);
        rig->devices[index].id = FIRST_DEVICE + index;
        rig->devices[index].secret[0] = (uint8_t)(index + 1);
        memcpy(rig->devices[index].public_key, rig->keys[index].public_key, KEY_BYTES);
    }
    struct key_pair keys;
    for (uint32_t index = 0; index < TEST_GATEWAYS; index++) {
        fake_keys(FIRST_GATEWAY + index, &keys);
        rig->gateways[index].id = FIRST_GATEWAY + index;
        memcpy(rig->gateways[index].public_key, keys.public_key, KEY_BYTES);
    }
    rig->config = (struct cloud_config){
        .id = CLOUD,
        .devices = {rig->devices, TEST_DEVICES},
        .gateways = {rig->gateways, TEST_GATEWAYS},
        .window = WINDOW,
        .sessions_max = 4,
    };
    fake_keys(CLOUD, &rig->config.keys);
    rig_boot(rig);
    rig_connect(rig);
    return rig;
}

static void rig_free(struct rig *rig)
{
    rig_down(rig);
    fake_disk_drop(&rig->disk);
    fake_disk_erase(rig->path);
    EXPECT_EQUAL(rmdir(rig->folder), 0);
    free(rig);
}

static struct cloud_view view(const struct rig *rig)
{
    struct cloud_view out;
    cloud_view(rig->cloud, &out);
    return out;
}

/* One number out of the file, the cloud being down. */
static int64_t stored(struct rig *rig, const char *sql)
{
    sqlite3 *sqlite = NULL;
    sqlite3_stmt *statement = NULL;
    EXPECT_EQUAL(sqlite3_open(rig->path, &sqlite), SQLITE_OK);
    EXPECT_EQUAL(sqlite3_prepare_v2(sqlite, sql, -1, &statement, NULL), SQLITE_OK);
    EXPECT_EQUAL(sqlite3_step(statement), SQLITE_ROW);
    const int64_t value = sqlite3_column_int64(statement, 0);
    sqlite3_finalize(statement);
    EXPECT_EQUAL(sqlite3_close(sqlite), SQLITE_OK);
    return value;
}

static uint64_t last_value(const struct rig *rig, enum evidence_kind kind)
{
    const struct evidence *said = fake_port_last(&rig->fake, kind);
    EXPECT(said != NULL);
    return said->value;
}

/* ---- Messages ---------------------------------------------------------------------------------
 */

static struct envelope telemetry_of(struct rig *rig, uint32_t device, uint32_t epoch,
                                    uint64_t counter)
{
    uint8_t key[AEAD_KEY_BYTES];
    const struct reading reading = {.wall_us = counter * 10, .value = (int32_t)counter};
    struct envelope out;
    EXPECT(message_reading_key(&rig->fake.port, rig->devices[device].secret, FIRST_DEVICE + device,
                               epoch, key) == ERR_OK);
    EXPECT(message_telemetry(&rig->fake.port, &rig->keys[device], key, FIRST_DEVICE + device, epoch,
                             counter, &reading, &out) == ERR_OK);
    return out;
}

/* Wrap as this gateway would, and post. tag 0: QoS 0. */
static void post(struct rig *rig, uint32_t gateway, const struct envelope *envelope, uint64_t tag)
{
    struct fake_peer *peer = &rig->peers[gateway];
    const struct forward forward = {
        .gateway = peer->number,
        .tenant = 5,
        .policy_version = 6,
        .envelope = envelope->bytes,
        .envelope_bytes = envelope->size_bytes,
    };
    uint8_t bytes[FORWARD_BYTES_MAX];
    uint32_t size_bytes = sizeof bytes;
    char topic[16];
    EXPECT(message_forward(&rig->fake.port, &peer->keys, &forward, bytes, &size_bytes) == ERR_OK);
    snprintf(topic, sizeof topic, "g/%" PRIu32, peer->number);
    fake_peer_post(peer, topic, bytes, size_bytes, tag);
}

/* Send one envelope through a gateway; it is always acknowledged, and with success. */
static void pass(struct rig *rig, uint32_t gateway, const struct envelope *envelope)
{
    struct fake_peer *peer = &rig->peers[gateway];
    peer->puback_count = 0;
    post(rig, gateway, envelope, ++rig->tag);
    fake_peer_run(peer, &rig->server);
    EXPECT_EQUAL(peer->puback_count, 1);
    EXPECT_EQUAL(peer->puback_tags[0], rig->tag);
    EXPECT_EQUAL(peer->puback_reasons[0], MQTT_SUCCESS);
}

static void send(struct rig *rig, uint32_t device, uint32_t epoch, uint64_t counter)
{
    const struct envelope envelope = telemetry_of(rig, device, epoch, counter);
    pass(rig, 0, &envelope);
}

static void respond(struct rig *rig, uint32_t device, const uint8_t nonce[CHALLENGE_BYTES],
                    uint32_t epoch, uint64_t floor)
{
    struct response response = {.device = FIRST_DEVICE + device, .epoch = epoch, .floor = floor};
    struct envelope envelope;
    memcpy(response.nonce, nonce, CHALLENGE_BYTES);
    EXPECT(message_response(&rig->fake.port, &rig->keys[device], &response, &envelope) == ERR_OK);
    post(rig, 0, &envelope, 0);
    fake_peer_run(&rig->peers[0], &rig->server);
}

/* What the first gateway heard last is a challenge to this device: its nonce. */
static void challenge_heard(struct rig *rig, uint32_t device, uint8_t nonce[CHALLENGE_BYTES])
{
    struct cose_sign1 parsed;
    struct challenge challenge;
    const struct parcel *heard = &rig->peers[0].heard;
    EXPECT(cose_parse(heard->bytes, heard->size_bytes, &parsed) == ERR_OK);
    EXPECT(cose_verify(&parsed, &rig->fake.port, rig->config.keys.public_key) == ERR_OK);
    EXPECT(message_read_challenge(&parsed, &challenge) == ERR_OK);
    EXPECT_EQUAL(parsed.signer, CLOUD);
    EXPECT_EQUAL(challenge.device, FIRST_DEVICE + device);
    memcpy(nonce, challenge.nonce, CHALLENGE_BYTES);
}

/* Open a window by the only way there is. */
static void open_window(struct rig *rig, uint32_t device, uint32_t epoch, uint64_t floor)
{
    uint8_t nonce[CHALLENGE_BYTES];
    send(rig, device, epoch, floor + 1);
    challenge_heard(rig, device, nonce);
    respond(rig, device, nonce, epoch, floor);
    EXPECT_EQUAL(fake_port_last(&rig->fake, EVIDENCE_WINDOW)->counter, floor);
}

/* What this gateway heard last is an ack for the device; does it cover the counter? */
static bool acked(struct rig *rig, uint32_t gateway, uint32_t device, uint64_t counter)
{
    struct cose_sign1 parsed;
    struct ack ack;
    char topic[16];
    const struct parcel *heard = &rig->peers[gateway].heard;
    snprintf(topic, sizeof topic, "d/%" PRIu32, FIRST_DEVICE + device);
    EXPECT(strcmp(rig->peers[gateway].heard_topic, topic) == 0);
    EXPECT(cose_parse(heard->bytes, heard->size_bytes, &parsed) == ERR_OK);
    EXPECT(cose_verify(&parsed, &rig->fake.port, rig->config.keys.public_key) == ERR_OK);
    EXPECT(message_read_ack(&parsed, &ack) == ERR_OK);
    EXPECT_EQUAL(ack.device, FIRST_DEVICE + device);
    EXPECT_EQUAL(ack.bitmap_bytes, window_bytes(rig->config.window));
    if (counter <= ack.floor) {
        return true;
    }
    const uint64_t bit = counter - ack.floor - 1;
    return bit < ack.bitmap_bytes * 8 && (ack.bitmap[bit / 8] & 1u << bit % 8) != 0;
}

/* ---- Tests ------------------------------------------------------------------------------------
 */

static void a_reading_is_accepted_stored_and_acked_in_this_order(void)
{
    struct rig *rig = rig_new();
    open_window(rig, 0, 1, 0);
    rig->fake.evidence_count = 0;
    const struct envelope envelope = telemetry_of(rig, 0, 1, 1);
    pass(rig, 1, &envelope);
    static const enum evidence_kind order[] = {EVIDENCE_ACCEPT, EVIDENCE_COMMIT, EVIDENCE_ACK};
    EXPECT_EQUAL(rig->fake.evidence_count, 3);
    for (uint32_t index = 0; index < 3; index++) {
        EXPECT_EQUAL(rig->fake.evidence[index].said.kind, order[index]);
    }
    const struct evidence *said = &rig->fake.evidence[0].said;
    EXPECT_EQUAL(said->device, FIRST_DEVICE);
    EXPECT_EQUAL(said->epoch, 1);
    EXPECT_EQUAL(said->counter, 1);
    EXPECT_EQUAL(said->value, FIRST_GATEWAY + 1);
    EXPECT_EQUAL(said->body_bytes, envelope.size_bytes);
    EXPECT(memcmp(said->body, envelope.bytes, envelope.size_bytes) == 0);
    EXPECT_EQUAL(rig->fake.evidence[2].said.counter, 1);
    EXPECT(acked(rig, 1, 0, 1));
    EXPECT(!acked(rig, 1, 0, 2));
    EXPECT_EQUAL(view(rig).accepted, 1);
    rig_down(rig);
    EXPECT_EQUAL(stored(rig, "SELECT count(*) FROM reading WHERE device=10 AND epoch=1 AND"
                             " counter=1 AND gateway=3 AND tenant=5 AND policy=6 AND wall_us=10"
                             " AND value=1 AND length(envelope)>64"),
                 1);
    EXPECT_EQUAL(stored(rig, "SELECT top FROM window WHERE device=10"), 1);
    rig_boot(rig);
    rig_free(rig);
}

static void a_device_without_a_window_is_challenged_and_not_accepted(void)
{
    struct rig *rig = rig_new();
    uint8_t first[CHALLENGE_BYTES];
    uint8_t second[CHALLENGE_BYTES];
    const uint32_t writes = rig->disk.writes;
    send(rig, 0, 1, 5);
    EXPECT_EQUAL(last_value(rig, EVIDENCE_REJECT), REFUSAL_NO_WINDOW);
    EXPECT_EQUAL(fake_port_last(&rig->fake, EVIDENCE_CHALLENGE)->device, FIRST_DEVICE);
    challenge_heard(rig, 0, first);
    send(rig, 0, 1, 6); /* the nonce stands until it is answered */
    challenge_heard(rig, 0, second);
    EXPECT(memcmp(first, second, CHALLENGE_BYTES) == 0);
    EXPECT_EQUAL(view(rig).challenges, 2);
    EXPECT_EQUAL(view(rig).accepted, 0);
    EXPECT_EQUAL(rig->disk.writes, writes);

    respond(rig, 0, first, 1, 4);
    const struct evidence *said = fake_port_last(&rig->fake, EVIDENCE_WINDOW);
    EXPECT_EQUAL(said->counter, 4);
    EXPECT_EQUAL(said->epoch, 1);
    EXPECT(acked(rig, 0, 0, 4));
    EXPECT(!acked(rig, 0, 0, 5));
    send(rig, 0, 1, 4);
    EXPECT_EQUAL(last_value(rig, EVIDENCE_REJECT), REFUSAL_DUPLICATE);
    send(rig, 0, 1, 5);
    send(rig, 0, 1, 6);
    EXPECT_EQUAL(view(rig).accepted, 2);
    rig_free(rig);
}

static void a_nonce_is_answered_once_and_only_by_itself(void)
{
    struct rig *rig = rig_new();
    uint8_t nonce[CHALLENGE_BYTES];
    uint8_t wrong[CHALLENGE_BYTES];
    send(rig, 0, 1, 1);
    challenge_heard(rig, 0, nonce);
    memcpy(wrong, nonce, CHALLENGE_BYTES);
    wrong[15] ^= 1;
    respond(rig, 0, wrong, 1, 0);
    EXPECT_EQUAL(last_value(rig, EVIDENCE_REJECT), REFUSAL_NONCE);
    respond(rig, 1, nonce, 1, 0); /* another device's */
    EXPECT_EQUAL(last_value(rig, EVIDENCE_REJECT), REFUSAL_NONCE);
    EXPECT_EQUAL(fake_port_count(&rig->fake, EVIDENCE_WINDOW), 0);
    respond(rig, 0, nonce, 1, 0);
    EXPECT_EQUAL(fake_port_count(&rig->fake, EVIDENCE_WINDOW), 1);
    send(rig, 0, 1, 1);
    respond(rig, 0, nonce, 1, 0); /* replayed: would open 1 again */
    EXPECT_EQUAL(last_value(rig, EVIDENCE_REJECT), REFUSAL_NONCE);
    EXPECT_EQUAL(fake_port_count(&rig->fake, EVIDENCE_WINDOW), 1);
    send(rig, 0, 1, 1);
    EXPECT_EQUAL(last_value(rig, EVIDENCE_REJECT), REFUSAL_DUPLICATE);
    EXPECT_EQUAL(view(rig).accepted, 1);
    rig_free(rig);
}

static void a_floor_never_goes_down_and_has_an_end(void)
{
    struct rig *rig = rig_new();
    uint8_t nonce[CHALLENGE_BYTES];
    open_window(rig, 0, 3, 0);
    send(rig, 0, 3, 1);
    send(rig, 0, 4, 1); /* a new epoch is asked for; the device answers with its old ones */
    challenge_heard(rig, 0, nonce);
    respond(rig, 0, nonce, 2, 0);
    EXPECT_EQUAL(last_value(rig, EVIDENCE_REJECT), REFUSAL_EPOCH);
    respond(rig, 0, nonce, 3, 0);
    EXPECT_EQUAL(last_value(rig, EVIDENCE_REJECT), REFUSAL_OLD);
    respond(rig, 0, nonce, 4, UINT64_MAX);
    EXPECT_EQUAL(last_value(rig, EVIDENCE_REJECT), REFUSAL_OLD);
    respond(rig, 0, nonce, 4, UINT64_MAX - 1);
    EXPECT_EQUAL(fake_port_last(&rig->fake, EVIDENCE_WINDOW)->counter, UINT64_MAX - 1);
    send(rig, 0, 4, UINT64_MAX);
    EXPECT_EQUAL(last_value(rig, EVIDENCE_REJECT), REFUSAL_OLD);
    rig_restart(rig); /* the last floor that there is can be read back */
    send(rig, 0, 4, UINT64_MAX - 1);
    EXPECT_EQUAL(last_value(rig, EVIDENCE_REJECT), REFUSAL_DUPLICATE);
    send(rig, 0, 3, 2);
    EXPECT_EQUAL(last_value(rig, EVIDENCE_REJECT), REFUSAL_EPOCH);
    rig_free(rig);
}

static void the_window_accepts_exactly_what_is_inside_it(void)
{
    struct rig *rig = rig_new();
    open_window(rig, 0, 1, 0);
    send(rig, 0, 1, 100);
    EXPECT_EQUAL(view(rig).accepted, 1);
    send(rig, 0, 1, 100 - WINDOW);
    EXPECT_EQUAL(last_value(rig, EVIDENCE_REJECT), REFUSAL_OLD);
    send(rig, 0, 1, 100 - WINDOW + 1);
    EXPECT_EQUAL(view(rig).accepted, 2);
    for (uint64_t counter = 100 - WINDOW + 2; counter <= 99; counter++) {
        EXPECT(!acked(rig, 0, 0, counter));
        send(rig, 0, 1, counter);
        EXPECT(acked(rig, 0, 0, counter));
    }
    EXPECT_EQUAL(view(rig).accepted, WINDOW);
    send(rig, 0, 1, 101);
    send(rig, 0, 1, 100 - WINDOW + 1);
    EXPECT_EQUAL(last_value(rig, EVIDENCE_REJECT), REFUSAL_OLD);
    rig_free(rig);
}

static void a_duplicate_gets_the_cached_ack_and_costs_no_write(void)
{
    struct rig *rig = rig_new();
    open_window(rig, 0, 1, 0);
    send(rig, 0, 1, 1);
    send(rig, 0, 1, 2);
    const struct parcel ack = rig->peers[0].heard;
    const uint32_t writes = rig->disk.writes;
    const uint32_t commits = fake_port_count(&rig->fake, EVIDENCE_COMMIT);
    const struct envelope copy = telemetry_of(rig, 0, 1, 1);
    pass(rig, 1, &copy); /* through another gateway: the ack goes where the copy came from */
    EXPECT_EQUAL(last_value(rig, EVIDENCE_REJECT), REFUSAL_DUPLICATE);
    EXPECT_EQUAL(rig->peers[1].heard.size_bytes, ack.size_bytes);
    EXPECT(memcmp(rig->peers[1].heard.bytes, ack.bytes, ack.size_bytes) == 0);
    EXPECT_EQUAL(rig->disk.writes, writes);
    EXPECT_EQUAL(fake_port_count(&rig->fake, EVIDENCE_COMMIT), commits);
    EXPECT_EQUAL(view(rig).duplicates, 1);
    rig_free(rig);
}

static void many_copies_in_one_step_are_one_commit_and_one_ack(void)
{
    struct rig *rig = rig_new();
    open_window(rig, 0, 1, 0);
    rig->fake.evidence_count = 0;
    rig->peers[0].heard_count = 0;
    const uint32_t count = MQTT_INFLIGHT_MAX < 5 ? MQTT_INFLIGHT_MAX : 5;
    for (uint32_t counter = 1; counter < count; counter++) {
        const struct envelope envelope = telemetry_of(rig, 0, 1, counter);
        post(rig, 0, &envelope, 100 + counter);
    }
    const struct envelope again = telemetry_of(rig, 0, 1, 1);
    post(rig, 0, &again, 100 + count);
    rig->peers[0].puback_count = 0;
    fake_peer_run(&rig->peers[0], &rig->server);
    EXPECT_EQUAL(rig->peers[0].puback_count, count);
    EXPECT_EQUAL(fake_port_count(&rig->fake, EVIDENCE_ACCEPT), count - 1);
    EXPECT_EQUAL(fake_port_count(&rig->fake, EVIDENCE_REJECT), 1);
    EXPECT_EQUAL(fake_port_count(&rig->fake, EVIDENCE_COMMIT), 1);
    EXPECT_EQUAL(fake_port_count(&rig->fake, EVIDENCE_ACK), 1);
    EXPECT_EQUAL(rig->peers[0].heard_count, 1);
    EXPECT(acked(rig, 0, 0, count - 1));
    rig_free(rig);
}

static void windows_and_acks_survive_a_restart(void)
{
    struct rig *rig = rig_new();
    open_window(rig, 0, 1, 0);
    open_window(rig, 1, 7, 50);
    send(rig, 0, 1, 20);
    send(rig, 0, 1, 10);
    const struct parcel ack = rig->peers[0].heard;
    rig_restart(rig);
    send(rig, 0, 1, 20);
    EXPECT_EQUAL(last_value(rig, EVIDENCE_REJECT), REFUSAL_DUPLICATE);
    EXPECT_EQUAL(rig->peers[0].heard.size_bytes, ack.size_bytes);
    EXPECT(memcmp(rig->peers[0].heard.bytes, ack.bytes, ack.size_bytes) == 0);
    send(rig, 0, 1, 10);
    EXPECT_EQUAL(last_value(rig, EVIDENCE_REJECT), REFUSAL_DUPLICATE);
    send(rig, 0, 1, 4);
    EXPECT_EQUAL(last_value(rig, EVIDENCE_REJECT), REFUSAL_OLD);
    send(rig, 1, 7, 50);
    EXPECT_EQUAL(last_value(rig, EVIDENCE_REJECT), REFUSAL_DUPLICATE);
    EXPECT_EQUAL(view(rig).accepted, 0);
    send(rig, 0, 1, 5);
    send(rig, 1, 7, 51);
    EXPECT_EQUAL(view(rig).accepted, 2);
    EXPECT_EQUAL(view(rig).challenges, 0);
    rig_free(rig);
}

static void a_window_of_another_size_opens_nothing_that_was_closed(void)
{
    struct rig *rig = rig_new();
    open_window(rig, 0, 1, 0);
    send(rig, 0, 1, 20);
    send(rig, 0, 1, 18);
    static const struct {
        uint32_t bits, fresh; /* what may still be accepted under each */
    } turns[] = {{8, 13}, {16, 14}, {8, 15}, {5, 16}, {13, 17}, {2, 19}, {1, 21}};
    for (uint32_t turn = 0; turn < sizeof turns / sizeof turns[0]; turn++) {
        rig->config.window = turns[turn].bits;
        rig_restart(rig);
        send(rig, 0, 1, 20);
        send(rig, 0, 1, 18);
        send(rig, 0, 1, 4);
        EXPECT_EQUAL(view(rig).accepted, 0);
        send(rig, 0, 1, turns[turn].fresh);
        EXPECT_EQUAL(view(rig).accepted, 1);
        EXPECT(acked(rig, 0, 0, turns[turn].fresh) && acked(rig, 0, 0, 4));
    }
    rig_free(rig);
}

static void a_new_epoch_needs_a_new_window_and_ends_the_old_one(void)
{
    struct rig *rig = rig_new();
    open_window(rig, 0, 1, 0);
    send(rig, 0, 1, 9);
    send(rig, 0, 2, 1);
    EXPECT_EQUAL(last_value(rig, EVIDENCE_REJECT), REFUSAL_NO_WINDOW);
    send(rig, 0, 1, 10); /* the old one goes on until the answer */
    EXPECT(acked(rig, 0, 0, 10));
    EXPECT_EQUAL(view(rig).accepted, 2);
    open_window(rig, 0, 2, 0);
    send(rig, 0, 2, 1);
    EXPECT_EQUAL(view(rig).accepted, 3);
    send(rig, 0, 1, 11);
    EXPECT_EQUAL(last_value(rig, EVIDENCE_REJECT), REFUSAL_EPOCH);
    EXPECT(acked(rig, 0, 0, 1));
    rig_free(rig);
}

static void a_forged_counter_does_not_move_the_window(void)
{
    struct rig *rig = rig_new();
    open_window(rig, 0, 1, 0);
    /* Signed by the wrong key, with a counter that would close everything. */
    const struct reading reading = {0};
    const uint8_t key[AEAD_KEY_BYTES] = {0};
    struct envelope forged;
    EXPECT(message_telemetry(&rig->fake.port, &rig->keys[1], key, FIRST_DEVICE, 1, UINT64_MAX - 1,
                             &reading, &forged) == ERR_OK);
    pass(rig, 0, &forged);
    EXPECT_EQUAL(last_value(rig, EVIDENCE_DROP), REFUSAL_SIGNATURE);
    /* Signed by the right key, but sealed under another: rejected, and the window stays. */
    EXPECT(message_telemetry(&rig->fake.port, &rig->keys[0], key, FIRST_DEVICE, 1, 1000, &reading,
                             &forged) == ERR_OK);
    pass(rig, 0, &forged);
    EXPECT_EQUAL(last_value(rig, EVIDENCE_REJECT), REFUSAL_DECRYPT);
    send(rig, 0, 1, 1);
    EXPECT_EQUAL(view(rig).accepted, 1);
    rig_free(rig);
}

static void corrupted_envelopes_are_dropped_and_acknowledged(void)
{
    struct rig *rig = rig_new();
    open_window(rig, 0, 1, 0);
    struct envelope envelope = telemetry_of(rig, 0, 1, 1);
    for (uint32_t bit = 0; bit < envelope.size_bytes * 8; bit++) {
        envelope.bytes[bit / 8] = (uint8_t)(envelope.bytes[bit / 8] ^ 1u << bit % 8);
        rig->fake.evidence_count = 0;
        pass(rig, 0, &envelope);
        EXPECT_EQUAL(fake_port_count(&rig->fake, EVIDENCE_DROP), 1);
        EXPECT_EQUAL(rig->fake.evidence_count, 1);
        envelope.bytes[bit / 8] = (uint8_t)(envelope.bytes[bit / 8] ^ 1u << bit % 8);
    }
    EXPECT_EQUAL(view(rig).drops, envelope.size_bytes * 8);
    pass(rig, 0, &envelope);
    EXPECT_EQUAL(view(rig).accepted, 1);
    rig_free(rig);
}

static void a_gateway_speaks_only_for_itself(void)
{
    struct rig *rig = rig_new();
    open_window(rig, 0, 1, 0);
    const struct envelope envelope = telemetry_of(rig, 0, 1, 1);
    struct fake_peer *peer = &rig->peers[0];
    const struct forward forward = {.gateway = FIRST_GATEWAY + 1,
                                    .envelope = envelope.bytes,
                                    .envelope_bytes = envelope.size_bytes};
    uint8_t bytes[FORWARD_BYTES_MAX];
    uint32_t size_bytes = sizeof bytes;
    EXPECT(message_forward(&rig->fake.port, &rig->peers[1].keys, &forward, bytes, &size_bytes) ==
           ERR_OK);
    peer->puback_count = 0;
    fake_peer_post(peer, "g/2", bytes, size_bytes, 1); /* another gateway's signature */
    fake_peer_run(peer, &rig->server);
    EXPECT_EQUAL(last_value(rig, EVIDENCE_DROP), REFUSAL_MISMATCH);
    fake_peer_post(peer, "g/3", bytes, size_bytes, 2); /* another gateway's topic */
    fake_peer_run(peer, &rig->server);
    EXPECT_EQUAL(last_value(rig, EVIDENCE_DROP), REFUSAL_MISMATCH);
    bytes[size_bytes - 1] ^= 1;
    fake_peer_post(&rig->peers[1], "g/3", bytes, size_bytes, 3);
    fake_peer_run(&rig->peers[1], &rig->server);
    EXPECT_EQUAL(last_value(rig, EVIDENCE_DROP), REFUSAL_SIGNATURE);
    fake_peer_post(peer, "g/2", envelope.bytes, envelope.size_bytes, 4); /* not wrapped */
    fake_peer_run(peer, &rig->server);
    EXPECT_EQUAL(last_value(rig, EVIDENCE_DROP), REFUSAL_MALFORMED);
    EXPECT_EQUAL(peer->puback_count, 3);
    EXPECT_EQUAL(view(rig).accepted, 0);
    rig_free(rig);
}

static void who_is_not_in_the_registry_is_nobody(void)
{
    struct rig *rig = rig_new();
    struct key_pair keys;
    const struct reading reading = {0};
    const uint8_t key[AEAD_KEY_BYTES] = {0};
    struct envelope envelope;
    fake_keys(99, &keys);
    EXPECT(message_telemetry(&rig->fake.port, &keys, key, 99, 1, 1, &reading, &envelope) == ERR_OK);
    pass(rig, 0, &envelope);
    EXPECT_EQUAL(last_value(rig, EVIDENCE_DROP), REFUSAL_UNKNOWN);
    /* A device is no gateway. */
    struct fake_peer *device = malloc(sizeof *device);
    EXPECT(device != NULL);
    fake_peer_init(device, FIRST_DEVICE);
    fake_peer_connect(device, &rig->server, CLOUD);
    EXPECT_EQUAL(device->client.state, MQTT_CLIENT_CLOSED);
    EXPECT_EQUAL(device->down_reason, MQTT_NOT_AUTHORIZED);
    fake_peer_drop(device);
    free(device);
    rig_free(rig);
}

static void a_message_of_one_purpose_cannot_stand_for_another(void)
{
    struct rig *rig = rig_new();
    open_window(rig, 0, 1, 0);
    struct envelope ack = {.size_bytes = rig->peers[0].heard.size_bytes};
    memcpy(ack.bytes, rig->peers[0].heard.bytes, ack.size_bytes); /* signed by the cloud itself */
    pass(rig, 0, &ack);
    EXPECT_EQUAL(last_value(rig, EVIDENCE_DROP), REFUSAL_MALFORMED);
    rig_free(rig);
}

static void a_full_disk_takes_nothing_and_the_same_copy_is_accepted_later(void)
{
    struct rig *rig = rig_new();
    open_window(rig, 0, 1, 0);
    uint64_t counter = 1;
    struct fake_peer *peer = &rig->peers[0];
    rig->disk.full = true;
    while (peer->client.state == MQTT_CLIENT_READY) { /* the log may hold some */
        EXPECT(counter < 10);
        peer->puback_count = 0;
        const struct envelope envelope = telemetry_of(rig, 0, 1, counter);
        post(rig, 0, &envelope, 1);
        fake_peer_run(peer, &rig->server);
        counter += peer->puback_count;
    }
    EXPECT_EQUAL(peer->puback_count, 0);
    EXPECT_EQUAL(peer->down_reason, MQTT_QUOTA_EXCEEDED);
    EXPECT_EQUAL(last_value(rig, EVIDENCE_REFUSE), REFUSAL_DISK);
    EXPECT_EQUAL(rig->fake.resets, 0);
    EXPECT_EQUAL(view(rig).session_count, 1);
    rig->disk.full = false;
    rig->disk.unsynced = 0; /* what the commit wrote before it failed is nobody's */
    rig->fake.unsynced_sends = 0;
    fake_peer_connect(peer, &rig->server, CLOUD);
    send(rig, 0, 1, counter);
    EXPECT(acked(rig, 0, 0, counter));
    rig_down(rig);
    EXPECT_EQUAL(stored(rig, "SELECT count(*) FROM reading"), (int64_t)counter);
    EXPECT_EQUAL(stored(rig, "SELECT top FROM window"), (int64_t)counter);
    rig_boot(rig);
    rig_free(rig);
}

static void a_broken_disk_asks_for_one_reset_and_nothing_is_acknowledged(void)
{
    struct rig *rig = rig_new();
    open_window(rig, 0, 1, 0);
    struct fake_peer *peer = &rig->peers[0];
    const uint32_t heard = peer->heard_count;
    const uint32_t pubacks = peer->puback_count;
    rig->disk.broken = true;
    for (uint64_t counter = 1; counter <= 2; counter++) {
        const struct envelope envelope = telemetry_of(rig, 0, 1, counter);
        post(rig, 0, &envelope, counter);
        fake_peer_run(peer, &rig->server);
    }
    EXPECT_EQUAL(rig->fake.resets, 1);
    EXPECT_EQUAL(peer->heard_count, heard);
    EXPECT_EQUAL(peer->puback_count, pubacks);
    EXPECT_EQUAL(fake_port_count(&rig->fake, EVIDENCE_ACCEPT), 1);
    EXPECT_EQUAL(fake_port_count(&rig->fake, EVIDENCE_COMMIT), 1); /* the window's */
    EXPECT_EQUAL(cloud_deadline_us(rig->cloud), UINT64_MAX);
    rig->disk.broken = false;
    rig_restart(rig);
    send(rig, 0, 1, 1);
    EXPECT_EQUAL(view(rig).accepted, 1);
    rig_free(rig);
}

static void a_gateway_that_takes_only_small_packets_loses_its_acks_and_nothing_else(void)
{
    struct rig *rig = rig_new();
    open_window(rig, 0, 1, 0);
    fake_peer_break(&rig->peers[1], &rig->server);
    rig->peers[1].packet_bytes_max = 80;
    fake_peer_connect(&rig->peers[1], &rig->server, CLOUD);
    const struct envelope envelope = telemetry_of(rig, 0, 1, 1);
    pass(rig, 1, &envelope);
    EXPECT_EQUAL(rig->peers[1].heard_count, 0);
    EXPECT_EQUAL(view(rig).accepted, 1);
    pass(rig, 0, &envelope);
    EXPECT(acked(rig, 0, 0, 1));
    rig_free(rig);
}

static void without_entropy_nobody_is_challenged_and_later_everybody(void)
{
    struct rig *rig = rig_new();
    rig->fake.entropy_fails = true;
    send(rig, 0, 1, 1);
    EXPECT_EQUAL(last_value(rig, EVIDENCE_REJECT), REFUSAL_NO_WINDOW);
    EXPECT_EQUAL(rig->peers[0].heard_count, 0);
    rig->fake.entropy_fails = false;
    open_window(rig, 0, 1, 0);
    send(rig, 0, 1, 1);
    EXPECT_EQUAL(view(rig).accepted, 1);
    rig_free(rig);
}

static void devices_do_not_touch_each_other(void)
{
    struct rig *rig = rig_new();
    for (uint32_t device = 0; device < TEST_DEVICES; device++) {
        open_window(rig, device, 1, 10 * device);
    }
    for (uint64_t counter = 1; counter <= 5; counter++) {
        for (uint32_t device = 0; device < TEST_DEVICES; device++) {
            send(rig, device, 1, 10 * device + counter);
            EXPECT(acked(rig, 0, device, 10 * device + counter));
        }
    }
    EXPECT_EQUAL(view(rig).accepted, 5 * TEST_DEVICES);
    EXPECT_EQUAL(view(rig).rejected, TEST_DEVICES); /* the first of each, without a window */
    rig_free(rig);
}

int main(void)
{
    RUN(a_reading_is_accepted_stored_and_acked_in_this_order);
    RUN(a_device_without_a_window_is_challenged_and_not_accepted);
    RUN(a_nonce_is_answered_once_and_only_by_itself);
    RUN(a_floor_never_goes_down_and_has_an_end);
    RUN(the_window_accepts_exactly_what_is_inside_it);
    RUN(a_duplicate_gets_the_cached_ack_and_costs_no_write);
    RUN(many_copies_in_one_step_are_one_commit_and_one_ack);
    RUN(windows_and_acks_survive_a_restart);
    RUN(a_window_of_another_size_opens_nothing_that_was_closed);
    RUN(a_new_epoch_needs_a_new_window_and_ends_the_old_one);
    RUN(a_forged_counter_does_not_move_the_window);
    RUN(corrupted_envelopes_are_dropped_and_acknowledged);
    RUN(a_gateway_speaks_only_for_itself);
    RUN(who_is_not_in_the_registry_is_nobody);
    RUN(a_message_of_one_purpose_cannot_stand_for_another);
    RUN(a_full_disk_takes_nothing_and_the_same_copy_is_accepted_later);
    RUN(a_broken_disk_asks_for_one_reset_and_nothing_is_acknowledged);
    RUN(a_gateway_that_takes_only_small_packets_loses_its_acks_and_nothing_else);
    RUN(without_entropy_nobody_is_challenged_and_later_everybody);
    RUN(devices_do_not_touch_each_other);
    return 0;
}
