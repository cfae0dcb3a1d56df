/* The real device and the real cloud along walks of specs/Telemetry. */
#include <stdlib.h>
#include <string.h>

#include "core/check.h"
#include "sim/drive_telemetry.h"

/* Far apart: no reading is due but by the driver's will, and a device whose flash has failed takes
 * several before it resets. */
#define SAMPLE_EVERY_US (UINT64_C(1) << 50)
#define BACKOFF_BASE_US 1
#define BACKOFF_CAP_US  (UINT64_C(1) << 54)

/* Made once: to fetch its algorithms takes longer than a walk. */
static struct provider {
    bool made;
    struct crypto_openssl openssl;
    struct ideal ideal;
    struct port_crypto crypto;
} provider;

static bool make_provider(void)
{
    static const uint64_t secret[2] = {1, 2};
    struct port_crypto openssl;
    if (!provider.made) {
        if (crypto_openssl_init(&provider.openssl, &openssl) != ERR_OK) {
            return false;
        }
        ideal_init(&provider.ideal, secret, &openssl, &provider.crypto);
        disk_vfs_register(true);
        provider.made = true;
    }
    return true;
}

/* ---- Begin and end --------------------------------------------------------------------------- */

static void make_keys(uint32_t node, struct key_pair *keys, uint8_t secret[KEY_BYTES])
{
    struct random_stream stream = {random_key(node, "keys"), 0};
    random_bytes(&stream, keys->seed, KEY_BYTES);
    random_bytes(&stream, secret, KEY_BYTES);
    const enum err err = provider.crypto.public_key(provider.crypto.ctx, keys);
    CHECK(err == ERR_OK);
}

static void make_device(struct telemetry_rig *rig, uint32_t index, const uint8_t *cloud_key)
{
    struct device_config config = {
        .id = BENCH_FIRST_DEVICE + index,
        .cloud = BENCH_CLOUD,
        .gateways = {BENCH_GATEWAY},
        .gateway_count = 1,
        .sample_every_us = SAMPLE_EVERY_US,
        .reserve = (uint32_t)rig->k.reserve_by,
        .outbox_max = (uint32_t)rig->k.outbox_max,
        .window = (uint32_t)rig->k.window_bits,
        .backoff_base_us = BACKOFF_BASE_US,
        .backoff_cap_us = BACKOFF_CAP_US,
        .ack_timeout_us = UINT64_MAX,
    };
    struct registry_entry *entry = &rig->devices[index];
    make_keys(config.id, &config.keys, config.secret);
    memcpy(config.cloud_key, cloud_key, KEY_BYTES);
    entry->id = config.id;
    memcpy(entry->public_key, config.keys.public_key, KEY_BYTES);
    memcpy(entry->secret, config.secret, KEY_BYTES);
    bench_device_init(&rig->halves[index].bench, &rig->k, &config, &provider.crypto);
}

static void *begin(const struct spec_instance *instance, char *error, size_t error_bytes)
{
    uint8_t unused[KEY_BYTES];
    struct cloud_config config = {.id = BENCH_CLOUD, .sessions_max = 4};
    if (MQTT_INFLIGHT_MAX < BENCH_COPIES_MAX) {
        snprintf(error, error_bytes,
                 "a step of the cloud takes up to %d copies here, and this build has limits of %u",
                 BENCH_COPIES_MAX, (unsigned)MQTT_INFLIGHT_MAX);
        return NULL;
    }
    if (!make_provider()) {
        snprintf(error, error_bytes,
                 "OpenSSL 3 did not give Ed25519, SHA-256, HKDF and AES-128-GCM");
        return NULL;
    }
    struct telemetry_rig *rig = calloc(1, sizeof *rig);
    CHECK(rig != NULL);
    rig->instance = instance;
    rig->k = (struct bench_constants){
        .devices = instance->k[CONSTANT_Devices],
        .epochs = instance->k[CONSTANT_Epochs],
        .counters = instance->k[CONSTANT_Counters],
        .window_bits = instance->k[CONSTANT_WindowBits],
        .reserve_by = instance->k[CONSTANT_ReserveBy],
        .outbox_max = instance->k[CONSTANT_OutboxMax],
        .send_beyond_window = instance->k[CONSTANT_SendBeyondWindow] != 0,
        .ack_before_commit = instance->k[CONSTANT_AckBeforeCommit] != 0,
    };
    rig->draws = (struct random_stream){random_key(1, "drive"), 0};
    make_keys(BENCH_CLOUD, &config.keys, unused);
    make_keys(BENCH_GATEWAY, &rig->gateway_keys, unused);
    for (int32_t i = 0; i < rig->k.devices; i++) {
        make_device(rig, (uint32_t)i, config.keys.public_key);
    }
    rig->gateways[0].id = BENCH_GATEWAY;
    memcpy(rig->gateways[0].public_key, rig->gateway_keys.public_key, KEY_BYTES);
    config.devices = (struct registry){rig->devices, (uint32_t)rig->k.devices};
    config.gateways = (struct registry){rig->gateways, 1};
    config.window = (uint32_t)rig->k.window_bits;
    bench_cloud_init(&rig->cloud, &rig->k, &config, &rig->gateway_keys, &provider.crypto);
    return rig;
}

static void end(void *ctx)
{
    struct telemetry_rig *rig = ctx;
    for (int32_t i = 0; i < rig->k.devices; i++) {
        bench_device_free(&rig->halves[i].bench);
    }
    bench_cloud_free(&rig->cloud);
    free(rig);
}

static enum drive_outcome act(void *ctx, const struct spec_move *move, const char **why)
{
    struct telemetry_rig *rig = ctx;
    const enum drive_outcome outcome = telemetry_act(rig, move);
    *why = rig->why;
    return outcome;
}

static enum drive_outcome finish(void *ctx, const char **why)
{
    struct telemetry_rig *rig = ctx;
    const enum drive_outcome outcome = telemetry_finish(rig);
    *why = rig->why;
    return outcome;
}

/* ---- What can be seen ------------------------------------------------------------------------ */

/* A device's own memory and flash. False: it is not to be seen, for a part of it is held back. */
static bool look_device(const struct telemetry_half *half, uint32_t variable, int32_t *value)
{
    const struct bench_device *bench = &half->bench;
    switch (variable) {
    case VARIABLE_epoch:
        *value = (int32_t)bench->device.outbox.epoch;
        return true;
    case VARIABLE_reserved:
        *value = bench->readable ? bench->reserved : -1;
        return !half->reserve;
    case VARIABLE_stored:
        *value = bench->readable ? bench->stored : -1;
        return !half->reserve && half->compacted == 0;
    case VARIABLE_next:
        *value = (int32_t)bench->device.outbox.counter_next;
        return !half->sign;
    case VARIABLE_held:
        *value = bench_device_held(bench);
        return !half->shed && half->releasing == 0;
    case VARIABLE_fresh:
        *value = 0;
        return !half->sign;
    case VARIABLE_used:
        *value = bench->used;
        return !half->sign;
    default:
        *value = bench->shed;
        return variable == VARIABLE_shed && !half->shed;
    }
}

/* What the network has: the driver's, but for the content of acks and answers. */
static bool look_network(const struct telemetry_half *half, const struct spec_cell *cell,
                         int32_t *value)
{
    switch (cell->variable) {
    case VARIABLE_sent:
        *value = half->sent[cell->keys[1]];
        return true;
    case VARIABLE_acked:
        *value = half->ack_count == 0 ? 0 : half->acks[half->ack_count - 1].covered;
        return true;
    case VARIABLE_asked:
        *value = half->asked;
        return true;
    case VARIABLE_answers:
        *value = half->floors[cell->keys[1]];
        return true;
    default:
        return false;
    }
}

/* What the cloud works with, as its last ack says it; what is durable, as its tables do. */
static bool look_cloud(const struct telemetry_rig *rig, uint32_t index, uint32_t variable,
                       int32_t *value)
{
    const struct bench_row *row = &rig->cloud.rows[index];
    const struct bench_ack *ack = &rig->cloud.acks[index];
    const bool settled = rig->halves[index].changed == 0;
    const bool readable = rig->cloud.readable;
    switch (variable) {
    case VARIABLE_window_epoch:
        *value = ack->known ? ack->epoch : 0;
        return settled;
    case VARIABLE_top:
        *value = ack->known ? ack->top : 0;
        return settled;
    case VARIABLE_seen:
        *value = ack->known ? ack->seen : 0;
        return settled;
    case VARIABLE_durable_epoch:
        *value = readable ? row->epoch : -1;
        return true;
    case VARIABLE_durable_top:
        *value = readable ? row->top : -1;
        return true;
    case VARIABLE_durable_seen:
        *value = readable ? row->seen : -1;
        return true;
    case VARIABLE_rows:
        *value = readable ? row->readings : -1;
        return settled;
    default:
        *value = readable ? row->readings : -1;
        return variable == VARIABLE_durable_rows;
    }
}

static void look(void *ctx, int32_t *cells, bool *seen)
{
    struct telemetry_rig *rig = ctx;
    const struct spec_instance *instance = rig->instance;
    bench_cloud_inspect(&rig->cloud);
    for (int32_t i = 0; i < rig->k.devices; i++) {
        bench_device_inspect(&rig->halves[i].bench);
    }
    for (uint32_t i = 0; i < instance->cell_count; i++) {
        const struct spec_cell *cell = &instance->cells[i];
        if (cell->variable == VARIABLE_device_losses || cell->variable == VARIABLE_cloud_losses) {
            continue; /* the driver's own budgets */
        }
        const uint32_t index = (uint32_t)cell->keys[0] - 1;
        seen[i] = look_device(&rig->halves[index], cell->variable, &cells[i]) ||
                  look_network(&rig->halves[index], cell, &cells[i]) ||
                  look_cloud(rig, index, cell->variable, &cells[i]);
    }
}

/* ---- What else decides ----------------------------------------------------------------------- */

static void mix(uint64_t *key, uint64_t value)
{
    *key = random_at(*key ^ value, 0);
}

static uint64_t key(void *ctx)
{
    struct telemetry_rig *rig = ctx;
    uint64_t sum = 0;
    for (int32_t i = 0; i < rig->k.devices; i++) {
        const struct telemetry_half *half = &rig->halves[i];
        bench_device_inspect(&rig->halves[i].bench);
        for (uint32_t slot = 0; slot < BENCH_SLOTS; slot++) {
            mix(&sum, (uint64_t)half->bench.slots[slot]);
        }
        for (uint32_t ack = 0; ack < half->ack_count; ack++) {
            mix(&sum, (uint64_t)half->acks[ack].covered);
        }
        mix(&sum, half->ack_count);
        mix(&sum, (uint64_t)half->releasing);
        mix(&sum, (uint64_t)half->done);
        mix(&sum, (uint64_t)half->compacted);
        mix(&sum, (uint64_t)half->shed | (uint64_t)half->reserve << 1 | (uint64_t)half->sign << 2 |
                      (uint64_t)half->nonce_known << 3 | (uint64_t)half->window_held << 4 |
                      (uint64_t)half->challenge_held << 5 | (uint64_t)half->broken << 6);
    }
    return sum;
}

static void tell(void *ctx, const char *indent, FILE *file)
{
    const struct telemetry_rig *rig = ctx;
    for (int32_t i = 0; i < rig->k.devices; i++) {
        const char who[] = {'d', 'e', 'v', (char)('1' + i), '\0'};
        drive_node_tell(&rig->halves[i].bench.node, who, indent, file);
    }
    drive_node_tell(&rig->cloud.node, "cloud", indent, file);
}

/* ---- For scenarios --------------------------------------------------------------------------- */

static void word_of(const struct spec_instance *instance, const struct spec_move *move,
                    const int32_t *pre, const int32_t *post, struct drive_word *word)
{
    static const struct {
        enum drive_shows shows;
        bool cloud, idles; /* idles: where it changes nothing the core says nothing */
        enum evidence_kind evidence;
    } words[] = {
        [ACTION_reserve] = {DRIVE_SAYS, false, false, EVIDENCE_RESERVE},
        [ACTION_skip] = {DRIVE_NEVER, false, false, EVIDENCE_COUNT},
        [ACTION_lose] = {DRIVE_NEVER, false, false, EVIDENCE_COUNT},
        [ACTION_compact] = {DRIVE_SILENT, false, false, EVIDENCE_COUNT},
        [ACTION_sign] = {DRIVE_SAYS, false, false, EVIDENCE_SIGN},
        [ACTION_store] = {DRIVE_SAYS, false, false, EVIDENCE_STORE},
        [ACTION_shed] = {DRIVE_SAYS, false, false, EVIDENCE_SHED},
        [ACTION_send] = {DRIVE_SAYS, false, false, EVIDENCE_SEND},
        [ACTION_release] = {DRIVE_SAYS, false, false, EVIDENCE_RELEASE},
        [ACTION_respond] = {DRIVE_SILENT, false, false, EVIDENCE_COUNT},
        [ACTION_challenge] = {DRIVE_SAYS, true, false, EVIDENCE_CHALLENGE},
        [ACTION_window] = {DRIVE_SAYS, true, false, EVIDENCE_WINDOW},
        [ACTION_accept] = {DRIVE_SAYS, true, false, EVIDENCE_ACCEPT},
        [ACTION_reject] = {DRIVE_SAYS, true, false, EVIDENCE_REJECT},
        [ACTION_commit] = {DRIVE_SAYS, true, true, EVIDENCE_COMMIT},
        [ACTION_ack] = {DRIVE_SAYS, true, false, EVIDENCE_ACK},
        [ACTION_power_loss] = {DRIVE_STRIKES, false, false, EVIDENCE_COUNT},
        [ACTION_found] = {DRIVE_NEVER, false, false, EVIDENCE_COUNT},
        [ACTION_cloud_loss] = {DRIVE_STRIKES, true, false, EVIDENCE_COUNT},
    };
    const bool changes = memcmp(pre, post, instance->cell_count * sizeof *pre) != 0;
    word->shows = words[move->action].shows;
    word->evidence = words[move->action].evidence;
    word->effect = EFFECT_POWER_CUT;
    word->lasts = "30s";
    word->restarts = word->shows == DRIVE_STRIKES;
    word->why = move->action == ACTION_found
                    ? "no strike of the simulated world makes a device lose its store for certain"
                    : "no strike of the simulated world makes one sample fail for certain";
    if (words[move->action].idles && !changes) {
        word->shows = DRIVE_SILENT;
    }
    if (words[move->action].cloud) {
        snprintf(word->node, sizeof word->node, "cloud1");
    } else {
        snprintf(word->node, sizeof word->node, "dev%d", (int)move->parameters[0]);
    }
}

static void fleet(const struct spec_instance *instance, uint32_t devices, FILE *file)
{
    (void)devices;
    fprintf(file,
            "    fleet = { devices = %d, gateways = 1 },\n"
            "    device = { reserve = %d, outbox = %d, window = %d, sample_every = \"10s\" },\n"
            "    cloud = { window = %d },\n",
            (int)instance->k[CONSTANT_Devices], (int)instance->k[CONSTANT_ReserveBy],
            (int)instance->k[CONSTANT_OutboxMax], (int)instance->k[CONSTANT_WindowBits],
            (int)instance->k[CONSTANT_WindowBits]);
}

const struct driver drive_telemetry = {
    .law = LAW_NAME,
    .begin = begin,
    .act = act,
    .look = look,
    .finish = finish,
    .end = end,
    .key = key,
    .tell = tell,
    .word = word_of,
    .fleet = fleet,
};
