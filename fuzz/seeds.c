/* fuzz_seeds FOLDER: writes the corpora of the targets whose inputs are bytes, from the encoders
 * themselves, into FOLDER/<noun>. The corpora of texts are written by hand. Run it when a format
 * changes; what is committed is small. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "core/boot.h"
#include "core/message.h"
#include "core/mqtt/filter.h"
#include "core/test/fake_crypto.h"
#include "core/test/mqtt_sample.h"
#include "fuzz/fuzz.h"

static const char *folder;
static struct port port;
static struct key_pair pair;

static void keep(const char *noun, const char *name, const void *bytes, size_t size_bytes)
{
    char path[1024];
    REQUIRE(snprintf(path, sizeof path, "%s/%s", folder, noun) < (int)sizeof path);
    REQUIRE(mkdir(path, 0777) == 0 || errno == EEXIST);
    REQUIRE(snprintf(path, sizeof path, "%s/%s/%s", folder, noun, name) < (int)sizeof path);
    FILE *file = fopen(path, "wb");
    REQUIRE(file != NULL);
    REQUIRE(fwrite(bytes, 1, size_bytes, file) == size_bytes && fclose(file) == 0);
}

static void mqtt(void)
{
    static const char *const names[] = {"",          "connect",  "connack",     "publish",
                                        "puback",    "pubrec",   "pubrel",      "pubcomp",
                                        "subscribe", "suback",   "unsubscribe", "unsuback",
                                        "pingreq",   "pingresp", "disconnect",  "auth"};
    static struct mqtt_sample sample;
    for (unsigned type = MQTT_CONNECT; type <= MQTT_AUTH; type++) {
        uint8_t stream[2 + 2 * MQTT_PACKET_BYTES_MAX] = {7, 3};
        uint32_t used_bytes = 2;
        for (unsigned seed = 0; seed < 2; seed++) { /* two packets, one behind the other */
            uint32_t size_bytes = (uint32_t)sizeof stream - used_bytes;
            memset(&sample, 0, sizeof sample);
            sample.random = type + 100 * seed;
            mqtt_sample_draw(&sample, (enum mqtt_type)type);
            REQUIRE(mqtt_encode(&sample.packet, stream + used_bytes, &size_bytes) == ERR_OK);
            used_bytes += size_bytes;
        }
        keep("mqtt", names[type], stream, used_bytes);
    }
}

static void filter(void)
{
    static const char plain[] = "a/+/c/#\0a/b/c/d", share[] = "$share/s/+/x\0a/x";
    static const char system[] = "#\0$SYS/x", parent[] = "a/#\0a", empty[] = "+/+\0/";
    keep("filter", "plain", plain, sizeof plain - 1);
    keep("filter", "share", share, sizeof share - 1);
    keep("filter", "system", system, sizeof system - 1);
    keep("filter", "parent", parent, sizeof parent - 1);
    keep("filter", "empty_levels", empty, sizeof empty - 1);
}

/* A payload is what the target signs; an envelope is kept whole as well. */
static void keep_message(const char *name, enum err err, const uint8_t *envelope,
                         uint32_t size_bytes)
{
    struct cose_sign1 parsed;
    uint8_t input[1 + FORWARD_BYTES_MAX] = {0};
    char whole[64];
    REQUIRE(err == ERR_OK && cose_parse(envelope, size_bytes, &parsed) == ERR_OK);
    memcpy(input + 1, envelope, size_bytes);
    REQUIRE(snprintf(whole, sizeof whole, "%s_envelope", name) < (int)sizeof whole);
    keep("message", whole, input, 1 + size_bytes);
    input[0] = (uint8_t)(2 * parsed.content_type + 1);
    memcpy(input + 1, parsed.payload, parsed.payload_bytes);
    keep("message", name, input, 1 + parsed.payload_bytes);
    keep("cbor", name, parsed.payload, parsed.payload_bytes);
}

static void messages(void)
{
    static const uint8_t bytes[] = {1, 2, 3, 0x80, 0xFF};
    const struct status_name name = {.nonce = {1, 2}, .tick = 3};
    struct envelope out = {0};
    struct parcel parcel;
    const uint8_t key[AEAD_KEY_BYTES] = {1};
    enum err err = message_telemetry(&port, &pair, key, 7, 2, 300,
                                     &(struct reading){.wall_us = 1, .value = -5}, &out);
    keep_message("telemetry", err, out.bytes, out.size_bytes);
    uint8_t forwarded[FORWARD_BYTES_MAX];
    uint32_t forwarded_bytes = sizeof forwarded;
    err = message_forward(&port, &pair,
                          &(struct forward){.gateway = 7,
                                            .tenant = 3,
                                            .policy_version = 70000,
                                            .envelope = out.bytes,
                                            .envelope_bytes = out.size_bytes},
                          forwarded, &forwarded_bytes);
    keep_message("forward", err, forwarded, forwarded_bytes);
    err = message_ack(&port, &pair, 1, &(struct ack){7, 2, 1000, bytes, 2}, &out);
    keep_message("ack", err, out.bytes, out.size_bytes);
    err = message_challenge(&port, &pair, 1, &(struct challenge){7, {9, 9}}, &out);
    keep_message("challenge", err, out.bytes, out.size_bytes);
    err = message_response(&port, &pair, &(struct response){7, {9, 9}, 2, 5000000000u}, &out);
    keep_message("response", err, out.bytes, out.size_bytes);
    struct status status = {.device = 7,
                            .epoch = 2,
                            .boot = 9,
                            .name = name,
                            .sequence = {4},
                            .outcome = BOOT_CONFIRMED};
    err = message_status(&port, &pair, &status, &out);
    keep_message("status", err, out.bytes, out.size_bytes);
    err = message_answer(&port, &pair, 1, &(struct answer){7, name}, &out);
    keep_message("answer", err, out.bytes, out.size_bytes);
    err = message_offer(&port, &pair, 1,
                        &(struct offer){7, name, {4}, bytes, sizeof bytes, bytes, 3}, &parcel);
    keep_message("offer", err, parcel.bytes, parcel.size_bytes);
    err = message_chunk(&port, &pair, 1, &(struct chunk){7, name, {8}, 480, bytes, sizeof bytes},
                        &parcel);
    keep_message("chunk", err, parcel.bytes, parcel.size_bytes);
}

static void manifests(void)
{
    uint8_t bytes[MANIFEST_BYTES_MAX];
    struct manifest manifest = {.sequence = {5},
                                .security = {2},
                                .version = {1, 2, 3},
                                .hardware = 1,
                                .size_bytes = 70000,
                                .digest = {1},
                                .expires_us = MANIFEST_NEVER};
    for (uint32_t count = 0; count <= 2; count += 2) {
        uint32_t size_bytes = sizeof bytes;
        manifest.dependency_count = count;
        manifest.dependencies[0] = (struct component){1, 2};
        manifest.dependencies[1] = (struct component){30, 1};
        manifest.offline = count > 0;
        REQUIRE(manifest_encode(&manifest, bytes, &size_bytes) == ERR_OK);
        keep("manifest", count == 0 ? "plain" : "two_parts", bytes, size_bytes);
    }
}

/* Commands of fuzz_store.c: many puts over few ids, then what befalls them. */
static void stores(void)
{
    static const struct {
        const char *name;
        uint8_t geometry, end_bytes, end[12];
    } kinds[] = {
        {"clean", 0x00, 1, {7}},
        {"ecc", 0x90, 1, {7}},
        {"erased_zero", 0x53, 1, {7}},
        {"cut", 0x14, 8, {6, 2, 9, 0, 3, 20, 1, 7}},
        {"cut_ecc", 0xA2, 8, {6, 0, 16, 0, 3, 20, 1, 7}},
        {"rot", 0x01, 6, {8, 1, 40, 2, 0, 0xFF}},
        {"same_twice", 0x22, 3, {9, 0, 1}},
        {"poison", 0xB0, 3, {10, 0, 30}},
        {"forged_header", 0x10, 6, {11, 0, 0x04, 11, 1, 0x04}},
        {"forged_frame", 0x00, 6, {11, 0, 0x45, 11, 1, 0x41}},
    };
    for (size_t kind = 0; kind < sizeof kinds / sizeof kinds[0]; kind++) {
        uint8_t input[512];
        uint32_t used_bytes = 0;
        input[used_bytes++] = kinds[kind].geometry;
        for (uint32_t i = 0; i < 60; i++) {
            input[used_bytes++] = 0;
            input[used_bytes++] = (uint8_t)(i * 7);
            input[used_bytes++] = (uint8_t)(i * 31);
            input[used_bytes++] = (uint8_t)i;
        }
        memcpy(input + used_bytes, kinds[kind].end, kinds[kind].end_bytes);
        keep("store", kinds[kind].name, input, used_bytes + kinds[kind].end_bytes);
    }
}

/* Acts of fuzz_broker.c: (act, client, choice); a connection with a will has a fourth. Of the first
 * byte 8 says that there is a disk. */
static void brokers(void)
{
    static const uint8_t flow[] = {3,  0, 0, 0x1E, 0, 1, 0x1E, 3, 1, 12, 6, 0, 4, 6, 0, 2,
                                   10, 1, 0, 10,   1, 0, 9,    0, 0, 11, 1, 0, 6, 0, 4};
    static const uint8_t resumed[] = {9,  0, 0, 0x1C, 0,  1, 0x1C, 3, 1, 12,   3, 1, 5,   6,
                                      0,  4, 6, 0,    2,  1, 1,    0, 6, 0,    4, 0, 1,   0x1C,
                                      10, 1, 0, 1,    1,  0, 0,    1, 4, 11,   1, 0, 12,  1,
                                      3,  2, 0, 0,    16, 0, 1,    0, 0, 0x1C, 0, 1, 0x1C};
    static const uint8_t deaf[] = {2, 0, 0, 0x1C, 0, 1, 0x1C, 3,  1, 12, 13, 1, 1, 6, 0,    4, 6, 0,
                                   5, 6, 1, 2,    0, 1, 0x1C, 13, 1, 0,  15, 0, 1, 3, 0x30, 1, 2};
    static const uint8_t unheard[] = {3, 0,    0,    0x1C, 0, 1, 0x1C, 3,    1,  10, 14,
                                      0, 0x26, 10,   1,    0, 0, 0,    0x1C, 14, 0,  0x22,
                                      0, 0,    0x1C, 10,   1, 0, 11,   1,    0};
    /* Retained messages, replaced and removed, over a restart. */
    static const uint8_t retained[] = {10, 0,  0, 0x1C, 6,    0,    0x0A, 6,  0,  0x0D, 3, 0,    12,
                                       16, 0,  1, 0,    1,    0x1C, 3,    1,  42, 6,    1, 0x0C, 3,
                                       1,  12, 6, 1,    0x1C, 4,    1,    42, 10, 1,    0};
    /* Two of a share, one of whom leaves. */
    static const uint8_t shared[] = {4, 0,  0,  0x1C, 0, 1, 0x1C, 0, 2, 0x1C, 3, 1, 14,
                                     3, 2,  14, 6,    0, 2, 6,    0, 2, 10,   1, 0, 10,
                                     2, 0,  1,  2,    0, 6, 0,    2, 6, 0,    5, 6, 0,
                                     2, 10, 1,  0,    0, 2, 0x1C, 5, 1, 4,    6, 0, 2};
    /* Wills: at once, late, cancelled, with a session's end, retained, over a restart. */
    static const uint8_t wills[] = {
        13,   0,    0,  0x3C, 0x02, 0,  1, 0x1C, 3,    1,    12,   1,    0, 0,  0, 0,  0x3C, 0x2A,
        1,    0,    0,  12,   0,    2,  0, 0,    0x3C, 0x44, 1,    0,    0, 12, 0, 9,  0,    0,
        0x38, 0x64, 16, 0,    3,    12, 0, 9,    0,    0,    0x3A, 0x62, 1, 0,  0, 12, 0,    6};
    /* A session that lasted, and then is to end with its connection, over a restart. */
    static const uint8_t ended[] = {12,   0, 0, 0x1C, 0, 1, 0x1C, 2,  0, 0, 0, 0, 0x38,
                                    0x02, 3, 0, 12,   6, 1, 2,    16, 0, 1, 0, 1, 0x1C};
    /* Topics by their aliases, both ways. */
    static const uint8_t aliases[] = {5,    0, 0, 0x9C, 0, 1, 0x5C, 3, 1, 12,   6, 0,
                                      0x20, 6, 0, 0x20, 6, 0, 0x41, 6, 0, 0x21, 6, 0,
                                      0x41, 1, 1, 0,    0, 1, 0x9C, 6, 0, 0x20};
    keep("broker", "unheard", unheard, sizeof unheard);
    keep("broker", "flow", flow, sizeof flow);
    keep("broker", "resumed", resumed, sizeof resumed);
    keep("broker", "deaf", deaf, sizeof deaf);
    keep("broker", "retained", retained, sizeof retained);
    keep("broker", "shared", shared, sizeof shared);
    keep("broker", "wills", wills, sizeof wills);
    keep("broker", "ended", ended, sizeof ended);
    keep("broker", "aliases", aliases, sizeof aliases);
    struct mqtt_sample draws = {.random = 1};
    for (int seed = 0; seed < 6; seed++) {
        uint8_t acts[301];
        char name[16];
        for (size_t i = 0; i < sizeof acts; i++) {
            acts[i] = (uint8_t)mqtt_sample_below(&draws, 256);
        }
        for (size_t client = 0; client < 3; client++) { /* all begin with a session that lasts */
            acts[1 + 3 * client] = 0;
            acts[2 + 3 * client] = (uint8_t)client;
            acts[3 + 3 * client] = 0x1C;
        }
        REQUIRE(snprintf(name, sizeof name, "drawn_%d", seed) < (int)sizeof name);
        keep("broker", name, acts, sizeof acts);
    }
}

/* Acts of fuzz_client.c: a session that begins, goes on and is taken up again. */
static void clients(void)
{
    static const uint8_t flow[] = {5, 0, 0x30, 0, 7, 1, 7, 2,  0, 3, 0, 0, 4, 1, 0, 6,
                                   1, 0, 9,    0, 8, 0, 0, 17, 1, 8, 0, 0, 5, 1, 9, 0};
    static const uint8_t resumed[] = {3,  0, 0x10, 7, 2, 7, 1, 0, 17, 2, 10, 0, 6, 0, 0x18, 0,
                                      81, 2, 8,    0, 0, 5, 2, 0, 4,  0, 0,  6, 0, 0, 3,    1};
    static const uint8_t raw[] = {1, 0, 0x10, 9, 0, 11, 9, 0x90, 4, 0, 1, 0, 0, 0xD0, 0, 0xC0};
    static const uint8_t again[] = {3, 0,  0x10, 0, 0x11, 2,    0, 0x59, 2, 8, 0, 0, 0x59,
                                    2, 10, 0,    6, 0,    0x18, 0, 0x59, 2, 5, 5, 2};
    keep("client", "again", again, sizeof again);
    keep("client", "flow", flow, sizeof flow);
    keep("client", "resumed", resumed, sizeof resumed);
    keep("client", "raw", raw, sizeof raw);
}

/* Acts of fuzz_session.c: (pieces, choices), and then (act, choice). */
static void sessions(void)
{
    static const uint8_t flow[] = {3,  2, 6,    0,    0, 0x84, 0, 0x91, 0, 9, 1,  0x80, 2,  5,
                                   6,  0, 3,    0x21, 3, 0,    3, 0,    6, 0, 14, 9,    2,  8,
                                   13, 3, 0x80, 0,    4, 7,    5, 1,    6, 0, 12, 0,    11, 0};
    static const uint8_t narrow[] = {1, 1, 6,    0, 8,    8, 0, 0x84, 0, 0xFC, 0, 0x8D, 9, 6,
                                     6, 0, 0x80, 9, 0xC0, 6, 0, 10,   5, 11,   0, 10,   2, 11};
    static const uint8_t replayed[] = {2, 2, 6, 0, 12, 0, 6, 0, 11, 1, 15, 6, 6, 0};
    /* A broker that allows one at a time, and one message of its own. */
    static const uint8_t strict[] = {2, 2, 15,   5, 0,    0,  15, 5,  17,
                                     0, 0, 0x80, 0, 0x84, 15, 5,  10, 3};
    uint8_t flood[4 + 4 * 40] = {4, 2, 6, 0}; /* more at once than a session takes */
    size_t used_bytes = 4;
    for (uint8_t i = 0; i < 40; i++) {
        flood[used_bytes++] = 15;
        flood[used_bytes++] = 4;
        flood[used_bytes++] = 10;
        flood[used_bytes++] = i;
    }
    keep("session", "flow", flow, sizeof flow);
    keep("session", "narrow", narrow, sizeof narrow);
    keep("session", "replayed", replayed, sizeof replayed);
    keep("session", "strict", strict, sizeof strict);
    keep("session", "flood", flood, sizeof flood);
}

int main(int argc, char **argv)
{
    if (argc != 2) {
        fprintf(stderr, "usage: fuzz_seeds FOLDER\n");
        return 2;
    }
    folder = argv[1];
    port.crypto = fake_crypto();
    pair.seed[0] = 1;
    REQUIRE(port.crypto.public_key(NULL, &pair) == ERR_OK);
    mqtt();
    filter();
    messages();
    manifests();
    stores();
    brokers();
    clients();
    sessions();
    return 0;
}
