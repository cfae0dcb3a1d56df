/* The simulated port: what each of its calls does to the world, and what a cut inside it leaves. */
#include <string.h>

#include "core/check.h"
#include "core/evidence.h"
#include "sim/node_memory.h"
#include "sim/operation.h"

enum { DISK_WRITE_US = 15, DISK_SYNC_US = 800 };

/* ---- the port: time and links ---------------------------------------------------------------- */

static enum err port_clock_read(void *ctx, struct clock_reading *now)
{
    struct node *node = ctx;
    bool done;
    now->monotonic_us = clock_monotonic_us(&node->clock, node_instant(node));
    now->wall_us = clock_wall_us(&node->clock, node_instant(node));
    const enum err err = operation_whole(node, OPERATION_CLOCK, 0, 0, 0, &done);
    hash_u64(&node->stage->hash, now->monotonic_us);
    hash_u64(&node->stage->hash, now->wall_us);
    return err;
}

static enum err port_link_open(void *ctx, uint32_t peer, uint32_t *link)
{
    struct node *node = ctx;
    uint32_t fraction;
    *link = 0;
    const enum ending ending = operation_begin(node, OPERATION_LINK_OPEN, 1, &fraction);
    int result = ERR_IO;
    if (ending == GOES_ON || ending == DIES_AFTER) {
        result = net_open(node->stage->net, node_instant(node), node->number, peer, link);
    }
    if (result == ERR_OK) {
        node->stage->linked(node->stage->ctx, node->number, peer);
    }
    result = ending == GOES_ON ? result : ERR_IO;
    operation_end(node, OPERATION_LINK_OPEN, peer, *link, result);
    return (enum err)result;
}

/* On air are the links that a device has an end of. */
static void count_bytes(struct node *node, uint32_t link, uint32_t bytes)
{
    const struct settings *settings = &node->stage->plan->settings;
    const uint32_t peer = net_link_peer(node->stage->net, node->number, link);
    const bool air =
        node->role_mask == ROLE_MASK_DEVICE || fleet_role(settings, peer) == ROLE_MASK_DEVICE;
    node->stage->figures[air ? FIGURE_air_bytes : FIGURE_backhaul_bytes] += bytes;
}

static int32_t port_link_send(void *ctx, uint32_t link, const uint8_t *bytes, uint32_t size_bytes)
{
    struct node *node = ctx;
    uint32_t fraction;
    const enum ending ending = operation_begin(node, OPERATION_LINK_SEND, 2, &fraction);
    int32_t result = ERR_IO;
    uint32_t offered = size_bytes;
    if (ending == DIES_INSIDE) {
        offered = (uint32_t)((uint64_t)size_bytes * fraction / 65536);
    }
    if (ending != DIES_BEFORE && offered > 0) {
        result = net_send(node->stage->net, node_instant(node), node->number, link, bytes, offered);
        if (result > 0) {
            count_bytes(node, link, (uint32_t)result);
        }
        if (result >= 0 && (uint32_t)result < offered) {
            node->stage->probes[PROBE_send_said_later]++;
        }
    }
    result = ending == GOES_ON ? result : ERR_IO;
    operation_end(node, OPERATION_LINK_SEND, link, size_bytes, result);
    hash_bytes(&node->stage->hash, bytes, size_bytes);
    return result;
}

static void port_link_close(void *ctx, uint32_t link)
{
    struct node *node = ctx;
    bool done;
    const enum err err = operation_whole(node, OPERATION_LINK_CLOSE, 1, link, 0, &done);
    if (done) {
        net_close(node->stage->net, node_instant(node), node->number, link);
    }
    (void)err;
}

/* ---- the port: disk -------------------------------------------------------------------------- */

static enum port_operation disk_operation_of(enum disk_operation operation)
{
    switch (operation) {
    case DISK_OPEN:
        return OPERATION_DISK_OPEN;
    case DISK_READ:
        return OPERATION_DISK_READ;
    case DISK_WRITE:
        return OPERATION_DISK_WRITE;
    case DISK_TRUNCATE:
        return OPERATION_DISK_TRUNCATE;
    case DISK_DELETE:
        return OPERATION_DISK_DELETE;
    case DISK_SYNC:
    case DISK_SYNC_DIRECTORY:
        break;
    }
    return OPERATION_DISK_SYNC;
}

static uint64_t disk_takes_us(enum disk_operation operation)
{
    switch (operation) {
    case DISK_SYNC:
        return DISK_SYNC_US;
    case DISK_SYNC_DIRECTORY:
        return DISK_SYNC_US / 2;
    case DISK_WRITE:
    case DISK_TRUNCATE:
    case DISK_DELETE:
    case DISK_OPEN:
        return DISK_WRITE_US;
    case DISK_READ:
        break;
    }
    return 1;
}

static enum disk_verdict on_disk_operation(void *ctx, enum disk_operation kind, uint32_t file,
                                           uint64_t offset, const uint8_t *bytes,
                                           uint32_t size_bytes)
{
    struct node *node = ctx;
    uint32_t fraction;
    const enum port_operation operation = disk_operation_of(kind);
    if (!node->stepping) {
        return DISK_PROCEED; /* drop: closing handles has no durable effect */
    }
    node->in_disk = true;
    const enum ending ending = operation_begin(node, operation, disk_takes_us(kind), &fraction);
    node->in_disk = false;
    operation_end(node, operation, file, size_bytes, ending);
    hash_u64(&node->stage->hash, offset);
    hash_bytes(&node->stage->hash, bytes, bytes == NULL ? 0 : size_bytes);
    node->stage->figures[FIGURE_disk_syncs] += operation == OPERATION_DISK_SYNC ? 1 : 0;
    switch (ending) {
    case GOES_ON:
        break;
    case DIES_BEFORE:
        return DISK_DIE_BEFORE;
    case DIES_INSIDE:
        node->disk->torn_fraction = (uint16_t)fraction;
        node->stage
            ->probes[kind == DISK_WRITE ? PROBE_cut_inside_disk_write : PROBE_cut_at_disk_sync]++;
        return DISK_DIE_TORN;
    case DIES_AFTER:
        return DISK_DIE_AFTER;
    }
    return DISK_PROCEED;
}

static void on_disk_randomness(void *ctx, uint8_t *bytes, uint32_t size_bytes)
{
    struct node *node = ctx;
    random_bytes(&node->sqlite, bytes, size_bytes);
}

static uint64_t on_disk_wall(void *ctx)
{
    const struct node *node = ctx;
    return clock_wall_us(&node->clock, node_instant(node));
}

/* ---- the port: entropy, crypto --------------------------------------------------------------- */

static enum err port_entropy(void *ctx, uint8_t *bytes, uint32_t size_bytes)
{
    struct node *node = ctx;
    bool done;
    const enum err err = operation_whole(node, OPERATION_ENTROPY, 1, 0, size_bytes, &done);
    memset(bytes, 0, size_bytes);
    if (done) {
        random_bytes(&node->entropy, bytes, size_bytes);
    }
    return err;
}

static enum err port_public_key(void *ctx, struct key_pair *pair)
{
    struct node *node = ctx;
    bool done;
    const enum err err =
        operation_whole(node, OPERATION_PUBLIC_KEY, operation_charges(node)->sign_us, 0, 0, &done);
    return err == ERR_OK ? node->stage->crypto.public_key(node->stage->crypto.ctx, pair) : err;
}

static enum err port_sign(void *ctx, const struct key_pair *pair, const uint8_t *message,
                          uint32_t size_bytes, uint8_t signature[SIGNATURE_BYTES])
{
    struct node *node = ctx;
    bool done;
    const enum err err = operation_whole(node, OPERATION_SIGN, operation_charges(node)->sign_us, 0,
                                         size_bytes, &done);
    hash_bytes(&node->stage->hash, message, size_bytes);
    if (err != ERR_OK) {
        return err;
    }
    node->stage->figures[FIGURE_signatures]++;
    return node->stage->crypto.sign(node->stage->crypto.ctx, pair, message, size_bytes, signature);
}

static enum err port_verify(void *ctx, const uint8_t public_key[KEY_BYTES], const uint8_t *message,
                            uint32_t size_bytes, const uint8_t signature[SIGNATURE_BYTES])
{
    struct node *node = ctx;
    uint32_t fraction;
    const enum ending ending =
        operation_begin(node, OPERATION_VERIFY, operation_charges(node)->verify_us, &fraction);
    enum err err = ERR_IO;
    if (ending == GOES_ON) {
        node->stage->figures[FIGURE_verifications]++;
        err = node->stage->crypto.verify(node->stage->crypto.ctx, public_key, message, size_bytes,
                                         signature);
    }
    operation_end(node, OPERATION_VERIFY, 0, size_bytes, err);
    return err;
}

static enum err port_sha256(void *ctx, const uint8_t *bytes, uint32_t size_bytes,
                            uint8_t digest[DIGEST_BYTES])
{
    struct node *node = ctx;
    bool done;
    const enum err err = operation_whole(node, OPERATION_SHA256, operation_charges(node)->digest_us,
                                         0, size_bytes, &done);
    return err == ERR_OK
               ? node->stage->crypto.sha256(node->stage->crypto.ctx, bytes, size_bytes, digest)
               : err;
}

static enum err port_hkdf(void *ctx, const uint8_t secret[KEY_BYTES], const uint8_t *info,
                          uint32_t info_bytes, uint8_t out[KEY_BYTES])
{
    struct node *node = ctx;
    bool done;
    const enum err err = operation_whole(node, OPERATION_HKDF, operation_charges(node)->digest_us,
                                         0, info_bytes, &done);
    return err == ERR_OK
               ? node->stage->crypto.hkdf(node->stage->crypto.ctx, secret, info, info_bytes, out)
               : err;
}

static enum err port_seal(void *ctx, const uint8_t key[AEAD_KEY_BYTES],
                          const uint8_t nonce[AEAD_NONCE_BYTES], const uint8_t *plain,
                          uint32_t size_bytes, uint8_t *out)
{
    struct node *node = ctx;
    bool done;
    const enum err err = operation_whole(node, OPERATION_SEAL, operation_charges(node)->seal_us, 0,
                                         size_bytes, &done);
    hash_bytes(&node->stage->hash, nonce, AEAD_NONCE_BYTES);
    hash_bytes(&node->stage->hash, plain, size_bytes);
    return err == ERR_OK ? node->stage->crypto.seal(node->stage->crypto.ctx, key, nonce, plain,
                                                    size_bytes, out)
                         : err;
}

static enum err port_open(void *ctx, const uint8_t key[AEAD_KEY_BYTES],
                          const uint8_t nonce[AEAD_NONCE_BYTES], const uint8_t *sealed,
                          uint32_t size_bytes, uint8_t *out)
{
    struct node *node = ctx;
    uint32_t fraction;
    const enum ending ending =
        operation_begin(node, OPERATION_UNSEAL, operation_charges(node)->seal_us, &fraction);
    enum err err = ERR_IO;
    if (ending == GOES_ON) {
        err =
            node->stage->crypto.open(node->stage->crypto.ctx, key, nonce, sealed, size_bytes, out);
    }
    operation_end(node, OPERATION_UNSEAL, 0, size_bytes, err);
    return err;
}

/* ---- the port: watchdog, plant, evidence ------------------------------------------------------
 */

static void port_watchdog_arm(void *ctx, uint64_t timeout_us)
{
    struct node *node = ctx;
    bool done;
    const enum err err = operation_whole(node, OPERATION_WATCHDOG, 0, (uint32_t)(timeout_us >> 32),
                                         (uint32_t)timeout_us, &done);
    if (done) {
        node->watchdog_at_us = timeout_us == 0 ? UINT64_MAX : node_instant(node) + timeout_us;
    }
    (void)err;
}

static enum reset_reason port_reset_reason(void *ctx)
{
    struct node *node = ctx;
    bool done;
    const enum err err =
        operation_whole(node, OPERATION_RESET_REASON, 0, 0, (uint32_t)node->reset_reason, &done);
    (void)err;
    return node->reset_reason;
}

static void port_reset(void *ctx)
{
    struct node *node = ctx;
    bool done;
    const enum err err = operation_whole(node, OPERATION_RESET, 0, 0, 0, &done);
    node->reset_asked = node->reset_asked || done;
    (void)err;
}

static enum err port_sensor_read(void *ctx, uint32_t sensor, int32_t *value)
{
    struct node *node = ctx;
    bool done;
    *value = node->stage->sensor(node->stage->ctx, node->number, node_instant(node),
                                 node->sensor_ordinal++);
    const enum err err = operation_whole(node, OPERATION_SENSOR, 50, sensor, 0, &done);
    hash_u32(&node->stage->hash, (uint32_t)*value);
    return err;
}

static enum err port_actuator_set(void *ctx, uint32_t actuator, int32_t value)
{
    bool done;
    return operation_whole(ctx, OPERATION_ACTUATOR, 10, actuator, (uint32_t)value, &done);
}

static void port_evidence(void *ctx, const struct evidence *evidence)
{
    struct node *node = ctx;
    uint32_t fraction;
    CHECK(evidence->kind < EVIDENCE_COUNT);
    const enum ending ending = operation_begin(node, OPERATION_EVIDENCE, 0, &fraction);
    if (ending == DIES_BEFORE || ending == DIES_INSIDE) {
        return;
    }
    struct hash *hash = &node->stage->hash;
    hash_u64(hash, (uint64_t)evidence->kind | (uint64_t)node->number << 32);
    hash_u64(hash, (uint64_t)evidence->device << 32 | evidence->epoch);
    hash_u64(hash, evidence->counter);
    hash_u64(hash, evidence->value);
    hash_bytes(hash, evidence->body, evidence->body == NULL ? 0 : evidence->body_bytes);
    node->stage->evidence(node->stage->ctx, node->number, node_instant(node), evidence);
    if (ending == GOES_ON && node->trigger_count > 0) {
        (void)operation_pull_triggers(node, PLAN_EVIDENCE, evidence->kind, &fraction);
    }
}

void node_port(struct node *node)
{
    struct port *port = &node->port;
    *port = (struct port){
        .ctx = node,
        .clock_read = port_clock_read,
        .link_open = port_link_open,
        .link_send = port_link_send,
        .link_close = port_link_close,
        .disk_vfs = NULL, /* the simulated VFS is SQLite's default one here */
        .disk_path = node->disk_path,
        .entropy = port_entropy,
        .crypto = {.ctx = node,
                   .name = node->stage->crypto.name,
                   .public_key = port_public_key,
                   .sign = port_sign,
                   .verify = port_verify,
                   .sha256 = port_sha256,
                   .hkdf = port_hkdf,
                   .seal = port_seal,
                   .open = port_open},
        .watchdog_arm = port_watchdog_arm,
        .reset_reason = port_reset_reason,
        .reset = port_reset,
        .sensor_read = port_sensor_read,
        .actuator_set = port_actuator_set,
        .evidence = port_evidence,
    };
    node_memory_port(node, port);
    if (node->disk != NULL) {
        node->disk->hooks =
            (struct disk_hooks){node, on_disk_operation, on_disk_randomness, on_disk_wall};
    }
}
