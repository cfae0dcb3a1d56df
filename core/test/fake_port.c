/* A port for tests of roles without a simulator. */
#include "core/test/fake_port.h"

#include <string.h>

#include "core/test/test.h"

static enum err fake_clock_read(void *ctx, struct clock_reading *now)
{
    const struct fake_port *fake = ctx;
    *now = (struct clock_reading){.monotonic_us = fake->now_us,
                                  .wall_us = fake->wall_us == 0 ? 0 : fake->wall_us + fake->now_us};
    return ERR_OK;
}

static uint32_t add_link(struct fake_port *fake, uint32_t peer)
{
    EXPECT(fake->link_count < FAKE_LINKS_MAX);
    struct fake_link *link = &fake->links[fake->link_count++];
    link->open = true;
    link->peer = peer;
    link->bytes = malloc(FAKE_PIPE_BYTES);
    EXPECT(link->bytes != NULL);
    return fake->link_count;
}

static enum err fake_link_open(void *ctx, uint32_t peer, uint32_t *link)
{
    *link = add_link(ctx, peer);
    return ERR_OK;
}

static int32_t fake_link_send(void *ctx, uint32_t link, const uint8_t *bytes, uint32_t size_bytes)
{
    struct fake_port *fake = ctx;
    struct fake_link *to = fake_port_link(fake, link);
    if (!to->open) {
        return ERR_CLOSED;
    }
    if (fake->disk != NULL && fake->disk->unsynced != 0) {
        fake->unsynced_sends++;
    }
    EXPECT(to->size_bytes + size_bytes <= FAKE_PIPE_BYTES);
    memcpy(to->bytes + to->size_bytes, bytes, size_bytes);
    to->size_bytes += size_bytes;
    return (int32_t)size_bytes;
}

static void fake_link_close(void *ctx, uint32_t link)
{
    fake_port_link(ctx, link)->open = false;
}

static enum err fake_entropy(void *ctx, uint8_t *bytes, uint32_t size_bytes)
{
    struct fake_port *fake = ctx;
    if (fake->entropy_fails) {
        return ERR_IO;
    }
    for (uint32_t at = 0; at < size_bytes; at++) {
        fake->entropy = fake->entropy * UINT64_C(6364136223846793005) + 1442695040888963407u;
        bytes[at] = (uint8_t)(fake->entropy >> 56);
    }
    return ERR_OK;
}

static enum reset_reason fake_reset_reason(void *ctx)
{
    (void)ctx;
    return RESET_POWER_ON;
}

static void fake_reset(void *ctx)
{
    struct fake_port *fake = ctx;
    fake->resets++;
}

static void fake_watchdog_arm(void *ctx, uint64_t timeout_us)
{
    struct fake_port *fake = ctx;
    fake->watchdog_us = timeout_us;
}

static void fake_say(void *ctx, const struct evidence *evidence)
{
    struct fake_port *fake = ctx;
    EXPECT(fake->evidence_count < FAKE_EVIDENCE_MAX);
    EXPECT(evidence->body_bytes <= MQTT_PACKET_BYTES_MAX);
    struct fake_evidence *kept = &fake->evidence[fake->evidence_count++];
    kept->said = *evidence;
    if (evidence->body != NULL) {
        memcpy(kept->body, evidence->body, evidence->body_bytes);
        kept->said.body = kept->body;
    }
}

/* ---- Stand-in for crypto: FNV-1a, spread over as many bytes as are asked for ------------------
 */

static uint64_t mix(uint64_t hash, const void *bytes, uint32_t size_bytes)
{
    const uint8_t *from = bytes;
    for (uint32_t at = 0; at < size_bytes; at++) {
        hash = (hash ^ from[at]) * UINT64_C(1099511628211);
    }
    return hash ^ (hash >> 29);
}

static void spread(uint64_t hash, uint8_t *out, uint32_t size_bytes)
{
    for (uint32_t at = 0; at < size_bytes; at++) {
        hash = mix(hash, &at, sizeof at);
        out[at] = (uint8_t)(hash >> 32);
    }
}

static enum err fake_public_key(void *ctx, struct key_pair *pair)
{
    (void)ctx;
    spread(mix(1, pair->seed, KEY_BYTES), pair->public_key, KEY_BYTES);
    return ERR_OK;
}

static void signature_of(const uint8_t key[KEY_BYTES], const uint8_t *message, uint32_t size_bytes,
                         uint8_t signature[SIGNATURE_BYTES])
{
    spread(mix(mix(2, key, KEY_BYTES), message, size_bytes), signature, SIGNATURE_BYTES);
}

static enum err fake_sign(void *ctx, const struct key_pair *pair, const uint8_t *message,
                          uint32_t size_bytes, uint8_t signature[SIGNATURE_BYTES])
{
    (void)ctx;
    signature_of(pair->public_key, message, size_bytes, signature);
    return ERR_OK;
}

static enum err fake_verify(void *ctx, const uint8_t public_key[KEY_BYTES], const uint8_t *message,
                            uint32_t size_bytes, const uint8_t signature[SIGNATURE_BYTES])
{
    uint8_t expected[SIGNATURE_BYTES];
    (void)ctx;
    signature_of(public_key, message, size_bytes, expected);
    return memcmp(expected, signature, SIGNATURE_BYTES) == 0 ? ERR_OK : ERR_SIGNATURE;
}

static enum err fake_hkdf(void *ctx, const uint8_t secret[KEY_BYTES], const uint8_t *info,
                          uint32_t info_bytes, uint8_t out[KEY_BYTES])
{
    (void)ctx;
    spread(mix(mix(3, secret, KEY_BYTES), info, info_bytes), out, KEY_BYTES);
    return ERR_OK;
}

static void pad(const uint8_t key[AEAD_KEY_BYTES], const uint8_t nonce[AEAD_NONCE_BYTES],
                const uint8_t *from, uint32_t size_bytes, uint8_t *to)
{
    spread(mix(mix(4, key, AEAD_KEY_BYTES), nonce, AEAD_NONCE_BYTES), to, size_bytes);
    for (uint32_t at = 0; at < size_bytes; at++) {
        to[at] = (uint8_t)(to[at] ^ from[at]);
    }
}

static void tag_of(const uint8_t key[AEAD_KEY_BYTES], const uint8_t nonce[AEAD_NONCE_BYTES],
                   const uint8_t *sealed, uint32_t size_bytes, uint8_t tag[AEAD_TAG_BYTES])
{
    spread(mix(mix(mix(5, key, AEAD_KEY_BYTES), nonce, AEAD_NONCE_BYTES), sealed, size_bytes), tag,
           AEAD_TAG_BYTES);
}

static enum err fake_seal(void *ctx, const uint8_t key[AEAD_KEY_BYTES],
                          const uint8_t nonce[AEAD_NONCE_BYTES], const uint8_t *plain,
                          uint32_t size_bytes, uint8_t *out)
{
    (void)ctx;
    pad(key, nonce, plain, size_bytes, out);
    tag_of(key, nonce, out, size_bytes, out + size_bytes);
    return ERR_OK;
}

static enum err fake_open(void *ctx, const uint8_t key[AEAD_KEY_BYTES],
                          const uint8_t nonce[AEAD_NONCE_BYTES], const uint8_t *sealed,
                          uint32_t size_bytes, uint8_t *out)
{
    uint8_t tag[AEAD_TAG_BYTES];
    (void)ctx;
    EXPECT(size_bytes >= AEAD_TAG_BYTES);
    const uint32_t plain_bytes = size_bytes - AEAD_TAG_BYTES;
    memset(out, 0, plain_bytes);
    tag_of(key, nonce, sealed, plain_bytes, tag);
    if (memcmp(tag, sealed + plain_bytes, AEAD_TAG_BYTES) != 0) {
        return ERR_SIGNATURE;
    }
    pad(key, nonce, sealed, plain_bytes, out);
    return ERR_OK;
}

/* ---- What tests use ---------------------------------------------------------------------------
 */

void fake_port_init(struct fake_port *fake, struct fake_disk *disk, const char *path)
{
    memset(fake, 0, sizeof *fake);
    fake->evidence = calloc(FAKE_EVIDENCE_MAX, sizeof *fake->evidence);
    EXPECT(fake->evidence != NULL);
    fake->entropy = 1;
    fake->disk = disk;
    fake->port = (struct port){
        .ctx = fake,
        .clock_read = fake_clock_read,
        .link_open = fake_link_open,
        .link_send = fake_link_send,
        .link_close = fake_link_close,
        .disk_vfs = disk == NULL ? NULL : disk->vfs.zName,
        .disk_path = path,
        .entropy = fake_entropy,
        .crypto = {.ctx = fake,
                   .name = "fake",
                   .public_key = fake_public_key,
                   .sign = fake_sign,
                   .verify = fake_verify,
                   .hkdf = fake_hkdf,
                   .seal = fake_seal,
                   .open = fake_open},
        .watchdog_arm = fake_watchdog_arm,
        .reset_reason = fake_reset_reason,
        .reset = fake_reset,
        .evidence = fake_say,
    };
}

void fake_port_drop(struct fake_port *fake)
{
    for (uint32_t index = 0; index < fake->link_count; index++) {
        free(fake->links[index].bytes);
    }
    free(fake->evidence);
}

uint32_t fake_port_accept(struct fake_port *fake, uint32_t peer)
{
    return add_link(fake, peer);
}

struct fake_link *fake_port_link(struct fake_port *fake, uint32_t link)
{
    EXPECT(link >= 1 && link <= fake->link_count);
    return &fake->links[link - 1];
}

const struct evidence *fake_port_last(const struct fake_port *fake, enum evidence_kind kind)
{
    for (uint32_t index = fake->evidence_count; index > 0; index--) {
        if (fake->evidence[index - 1].said.kind == kind) {
            return &fake->evidence[index - 1].said;
        }
    }
    return NULL;
}

uint32_t fake_port_count(const struct fake_port *fake, enum evidence_kind kind)
{
    uint32_t count = 0;
    for (uint32_t index = 0; index < fake->evidence_count; index++) {
        count += fake->evidence[index].said.kind == kind ? 1u : 0u;
    }
    return count;
}

uint32_t fake_port_count_value(const struct fake_port *fake, enum evidence_kind kind,
                               uint64_t value)
{
    uint32_t count = 0;
    for (uint32_t index = 0; index < fake->evidence_count; index++) {
        const struct evidence *said = &fake->evidence[index].said;
        count += said->kind == kind && said->value == value ? 1u : 0u;
    }
    return count;
}

void fake_keys(uint32_t number, struct key_pair *pair)
{
    memset(pair, 0, sizeof *pair);
    memcpy(pair->seed, &number, sizeof number);
    EXPECT(fake_public_key(NULL, pair) == ERR_OK);
}
