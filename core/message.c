#include "core/message.h"

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include "core/big_endian.h"
#include "core/boot.h"
#include "core/cbor.h"
#include "core/check.h"

enum {
    READING_BYTES_MAX = 1 + 9 + 5, /* [wall_us, value] */
    READING_BYTES_MIN = 1 + 1 + 1,
    BITMAP_BYTES_MAX = WINDOW_BITS_MAX / 8,
    COSE_BYTES_MAX = 1 + 1 + (1 + 15) + 1 + 3 + (2 + SIGNATURE_BYTES), /* around a payload */
    ACK_BYTES_MAX = 1 + 5 + 5 + 9 + (3 + BITMAP_BYTES_MAX),            /* the largest of ours */
    NAME_BYTES_MAX = (1 + CHALLENGE_BYTES) + 5,
    STATUS_BYTES_MAX = 1 + 5 + 5 + 9 + NAME_BYTES_MAX + 9 + 1 + 9 + (9 + 2 + 5) + (9 + 2) +
                       (1 + MANIFEST_NAME_BYTES) + 5,
    OFFER_BYTES_MAX = 1 + 5 + NAME_BYTES_MAX + 9 + 2 * (2 + (int)MANIFEST_ENVELOPE_BYTES_MAX),
    CHUNK_PAYLOAD_BYTES_MAX =
        1 + 5 + NAME_BYTES_MAX + (1 + MANIFEST_NAME_BYTES) + 5 + (3 + CHUNK_BYTES_MAX),
};

_Static_assert(COSE_BYTES_MAX + ACK_BYTES_MAX <= ENVELOPE_BYTES_MAX, "an ack fits an envelope");
_Static_assert(COSE_BYTES_MAX + 1 + 5 + 5 + 5 + 3 + ENVELOPE_BYTES_MAX <= FORWARD_BYTES_MAX,
               "the largest envelope fits a forward");
_Static_assert(COSE_BYTES_MAX + STATUS_BYTES_MAX <= ENVELOPE_BYTES_MAX,
               "a status fits an envelope");
_Static_assert(COSE_BYTES_MAX + OFFER_BYTES_MAX <= FORWARD_BYTES_MAX, "an offer fits a parcel");
_Static_assert(COSE_BYTES_MAX + CHUNK_PAYLOAD_BYTES_MAX <= FORWARD_BYTES_MAX,
               "a chunk fits a parcel");

static void put_nonce(uint8_t nonce[AEAD_NONCE_BYTES], uint32_t epoch, uint64_t counter);
static enum err sign_payload(const struct port *port, const struct key_pair *pair, uint32_t signer,
                             enum message_type type, const struct cbor_writer *payload,
                             struct envelope *out) MUST_USE;
static enum err read_payload(struct cbor_reader *reader, const struct cose_sign1 *parsed,
                             enum message_type type, uint32_t count) MUST_USE;
static void get_nonce(struct cbor_reader *reader, uint8_t nonce[CHALLENGE_BYTES]);
static enum err sign_parcel(const struct port *port, const struct key_pair *pair, uint32_t cloud,
                            enum message_type type, const struct cbor_writer *payload,
                            struct parcel *out) MUST_USE;
static void put_name(struct cbor_writer *writer, const struct status_name *name);
static void get_name(struct cbor_reader *reader, struct status_name *name);
static bool status_is_sound(const struct status *status);

enum err message_reading_key(const struct port *port, const uint8_t secret[KEY_BYTES],
                             uint32_t device, uint32_t epoch, uint8_t key[AEAD_KEY_BYTES])
{
    static const char label[] = "brownout reading";
    uint8_t info[sizeof label - 1 + 8], okm[KEY_BYTES];
    memcpy(info, label, sizeof label - 1);
    big_endian_put(info + sizeof label - 1, 4, device);
    big_endian_put(info + sizeof label - 1 + 4, 4, epoch);
    const enum err err = port->crypto.hkdf(port->crypto.ctx, secret, info, sizeof info, okm);
    if (err == ERR_OK) {
        memcpy(key, okm, AEAD_KEY_BYTES);
    }
    return err;
}

enum err message_telemetry(const struct port *port, const struct key_pair *pair,
                           const uint8_t reading_key[AEAD_KEY_BYTES], uint32_t device,
                           uint32_t epoch, uint64_t counter, const struct reading *reading,
                           struct envelope *out)
{
    uint8_t nonce[AEAD_NONCE_BYTES], plain[READING_BYTES_MAX];
    uint8_t sealed[READING_BYTES_MAX + AEAD_TAG_BYTES], payload[ENVELOPE_BYTES_MAX];
    struct cbor_writer writer;
    uint32_t plain_bytes;
    CHECK(reading != NULL);
    CHECK(out != NULL);
    cbor_write(&writer, plain, sizeof plain);
    cbor_put_array(&writer, 2);
    cbor_put_uint(&writer, reading->wall_us);
    cbor_put_signed(&writer, reading->value);
    enum err err = cbor_finish(&writer, &plain_bytes);
    CHECK(err == ERR_OK);
    put_nonce(nonce, epoch, counter);
    err = port->crypto.seal(port->crypto.ctx, reading_key, nonce, plain, plain_bytes, sealed);
    if (err != ERR_OK) {
        return err;
    }
    cbor_write(&writer, payload, sizeof payload);
    cbor_put_array(&writer, 5);
    cbor_put_uint(&writer, device);
    cbor_put_uint(&writer, epoch);
    cbor_put_uint(&writer, counter);
    cbor_put_bytes(&writer, nonce, sizeof nonce);
    cbor_put_bytes(&writer, sealed, plain_bytes + AEAD_TAG_BYTES);
    return sign_payload(port, pair, device, MESSAGE_TELEMETRY, &writer, out);
}

enum err message_forward(const struct port *port, const struct key_pair *pair,
                         const struct forward *forward, uint8_t *out, uint32_t *size_bytes)
{
    uint8_t payload[FORWARD_BYTES_MAX];
    uint32_t payload_bytes;
    struct cbor_writer writer;
    CHECK(forward != NULL);
    CHECK(size_bytes != NULL);
    if (forward->envelope_bytes == 0 || forward->envelope_bytes > ENVELOPE_BYTES_MAX) {
        return ERR_RANGE;
    }
    cbor_write(&writer, payload, sizeof payload);
    cbor_put_array(&writer, 4);
    cbor_put_uint(&writer, forward->gateway);
    cbor_put_uint(&writer, forward->tenant);
    cbor_put_uint(&writer, forward->policy_version);
    cbor_put_bytes(&writer, forward->envelope, forward->envelope_bytes);
    const enum err err = cbor_finish(&writer, &payload_bytes);
    if (err != ERR_OK) {
        return err;
    }
    return cose_sign(port, pair, forward->gateway, MESSAGE_FORWARD, payload, payload_bytes, out,
                     size_bytes);
}

/* No bit that is set stands for more than UINT64_MAX; the rest of the last byte may. */
static bool is_bitmap(const struct ack *ack)
{
    if (ack->bitmap_bytes > BITMAP_BYTES_MAX) {
        return false;
    }
    uint32_t end = ack->bitmap_bytes * 8;
    while (end > 0 && ((uint32_t)ack->bitmap[(end - 1) / 8] >> ((end - 1) % 8) & 1u) == 0) {
        end--;
    }
    return ack->floor <= UINT64_MAX - end;
}

enum err message_ack(const struct port *port, const struct key_pair *pair, uint32_t cloud,
                     const struct ack *ack, struct envelope *out)
{
    uint8_t payload[ENVELOPE_BYTES_MAX];
    struct cbor_writer writer;
    CHECK(ack != NULL);
    if (!is_bitmap(ack)) {
        return ERR_RANGE;
    }
    cbor_write(&writer, payload, sizeof payload);
    cbor_put_array(&writer, 4);
    cbor_put_uint(&writer, ack->device);
    cbor_put_uint(&writer, ack->epoch);
    cbor_put_uint(&writer, ack->floor);
    cbor_put_bytes(&writer, ack->bitmap, ack->bitmap_bytes);
    return sign_payload(port, pair, cloud, MESSAGE_ACK, &writer, out);
}

enum err message_challenge(const struct port *port, const struct key_pair *pair, uint32_t cloud,
                           const struct challenge *challenge, struct envelope *out)
{
    uint8_t payload[ENVELOPE_BYTES_MAX];
    struct cbor_writer writer;
    CHECK(challenge != NULL);
    cbor_write(&writer, payload, sizeof payload);
    cbor_put_array(&writer, 2);
    cbor_put_uint(&writer, challenge->device);
    cbor_put_bytes(&writer, challenge->nonce, CHALLENGE_BYTES);
    return sign_payload(port, pair, cloud, MESSAGE_CHALLENGE, &writer, out);
}

enum err message_response(const struct port *port, const struct key_pair *pair,
                          const struct response *response, struct envelope *out)
{
    uint8_t payload[ENVELOPE_BYTES_MAX];
    struct cbor_writer writer;
    CHECK(response != NULL);
    cbor_write(&writer, payload, sizeof payload);
    cbor_put_array(&writer, 4);
    cbor_put_uint(&writer, response->device);
    cbor_put_bytes(&writer, response->nonce, CHALLENGE_BYTES);
    cbor_put_uint(&writer, response->epoch);
    cbor_put_uint(&writer, response->floor);
    return sign_payload(port, pair, response->device, MESSAGE_RESPONSE, &writer, out);
}

enum err message_status(const struct port *port, const struct key_pair *pair,
                        const struct status *status, struct envelope *out)
{
    uint8_t payload[ENVELOPE_BYTES_MAX];
    struct cbor_writer writer;
    CHECK(status != NULL);
    if (!status_is_sound(status)) {
        return ERR_RANGE;
    }
    cbor_write(&writer, payload, sizeof payload);
    cbor_put_array(&writer, 15);
    cbor_put_uint(&writer, status->device);
    cbor_put_uint(&writer, status->epoch);
    cbor_put_uint(&writer, status->boot);
    cbor_put_uint(&writer, status->name.tick);
    cbor_put_bytes(&writer, status->name.nonce, CHALLENGE_BYTES);
    cbor_put_uint(&writer, status->sequence.number);
    cbor_put_uint(&writer, status->outcome);
    cbor_put_uint(&writer, status->floor.level);
    cbor_put_uint(&writer, status->revert_sequence.number);
    cbor_put_uint(&writer, (uint64_t)status->revert_reason);
    cbor_put_uint(&writer, status->revert_count);
    cbor_put_uint(&writer, status->declined_sequence.number);
    cbor_put_uint(&writer, (uint64_t)status->declined_reason);
    cbor_put_bytes(&writer, status->wanted, status->wants ? MANIFEST_NAME_BYTES : 0);
    cbor_put_uint(&writer, status->offset);
    return sign_payload(port, pair, status->device, MESSAGE_STATUS, &writer, out);
}

enum err message_answer(const struct port *port, const struct key_pair *pair, uint32_t cloud,
                        const struct answer *answer, struct envelope *out)
{
    uint8_t payload[ENVELOPE_BYTES_MAX];
    struct cbor_writer writer;
    CHECK(answer != NULL);
    cbor_write(&writer, payload, sizeof payload);
    cbor_put_array(&writer, 3);
    cbor_put_uint(&writer, answer->device);
    put_name(&writer, &answer->name);
    return sign_payload(port, pair, cloud, MESSAGE_ANSWER, &writer, out);
}

enum err message_offer(const struct port *port, const struct key_pair *pair, uint32_t cloud,
                       const struct offer *offer, struct parcel *out)
{
    uint8_t payload[FORWARD_BYTES_MAX];
    struct cbor_writer writer;
    CHECK(offer != NULL);
    if (offer->author_bytes == 0 || offer->author_bytes > MANIFEST_ENVELOPE_BYTES_MAX ||
        offer->operator_bytes == 0 || offer->operator_bytes > MANIFEST_ENVELOPE_BYTES_MAX) {
        return ERR_RANGE;
    }
    cbor_write(&writer, payload, sizeof payload);
    cbor_put_array(&writer, 6);
    cbor_put_uint(&writer, offer->device);
    put_name(&writer, &offer->name);
    cbor_put_uint(&writer, offer->sequence.number);
    cbor_put_bytes(&writer, offer->author, offer->author_bytes);
    cbor_put_bytes(&writer, offer->operator, offer->operator_bytes);
    return sign_parcel(port, pair, cloud, MESSAGE_OFFER, &writer, out);
}

enum err message_chunk(const struct port *port, const struct key_pair *pair, uint32_t cloud,
                       const struct chunk *chunk, struct parcel *out)
{
    uint8_t payload[FORWARD_BYTES_MAX];
    struct cbor_writer writer;
    CHECK(chunk != NULL);
    if (chunk->size_bytes == 0 || chunk->size_bytes > CHUNK_BYTES_MAX) {
        return ERR_RANGE;
    }
    cbor_write(&writer, payload, sizeof payload);
    cbor_put_array(&writer, 6);
    cbor_put_uint(&writer, chunk->device);
    put_name(&writer, &chunk->name);
    cbor_put_bytes(&writer, chunk->manifest, MANIFEST_NAME_BYTES);
    cbor_put_uint(&writer, chunk->offset);
    cbor_put_bytes(&writer, chunk->bytes, chunk->size_bytes);
    return sign_parcel(port, pair, cloud, MESSAGE_CHUNK, &writer, out);
}

enum err message_read_telemetry(const struct cose_sign1 *parsed, struct telemetry *out)
{
    struct cbor_reader reader;
    enum err err = read_payload(&reader, parsed, MESSAGE_TELEMETRY, 5);
    if (err != ERR_OK) {
        return err;
    }
    out->device = cbor_get_u32(&reader);
    out->epoch = cbor_get_u32(&reader);
    out->counter = cbor_get_uint(&reader);
    const uint8_t *nonce = cbor_get_bytes(&reader, AEAD_NONCE_BYTES, NULL);
    out->sealed = cbor_get_bytes(&reader, 0, &out->sealed_bytes);
    err = cbor_end(&reader);
    if (err != ERR_OK || nonce == NULL) {
        return ERR_MALFORMED;
    }
    /* A nonce of its own would let a sender reuse one: it can only be the reading's name. */
    uint8_t expected[AEAD_NONCE_BYTES];
    put_nonce(expected, out->epoch, out->counter);
    const bool fits = out->sealed_bytes >= READING_BYTES_MIN + AEAD_TAG_BYTES &&
                      out->sealed_bytes <= READING_BYTES_MAX + AEAD_TAG_BYTES;
    if (!fits || out->device != parsed->signer || memcmp(nonce, expected, sizeof expected) != 0) {
        return ERR_MALFORMED;
    }
    return ERR_OK;
}

enum err message_read_forward(const struct cose_sign1 *parsed, struct forward *out)
{
    struct cbor_reader reader;
    enum err err = read_payload(&reader, parsed, MESSAGE_FORWARD, 4);
    if (err != ERR_OK) {
        return err;
    }
    out->gateway = cbor_get_u32(&reader);
    out->tenant = cbor_get_u32(&reader);
    out->policy_version = cbor_get_u32(&reader);
    out->envelope = cbor_get_bytes(&reader, 0, &out->envelope_bytes);
    err = cbor_end(&reader);
    if (err == ERR_OK && (out->gateway != parsed->signer || out->envelope_bytes == 0 ||
                          out->envelope_bytes > ENVELOPE_BYTES_MAX)) {
        err = ERR_MALFORMED;
    }
    return err;
}

enum err message_read_ack(const struct cose_sign1 *parsed, struct ack *out)
{
    struct cbor_reader reader;
    enum err err = read_payload(&reader, parsed, MESSAGE_ACK, 4);
    if (err != ERR_OK) {
        return err;
    }
    out->device = cbor_get_u32(&reader);
    out->epoch = cbor_get_u32(&reader);
    out->floor = cbor_get_uint(&reader);
    out->bitmap = cbor_get_bytes(&reader, 0, &out->bitmap_bytes);
    err = cbor_end(&reader);
    return err == ERR_OK && !is_bitmap(out) ? ERR_MALFORMED : err;
}

enum err message_read_challenge(const struct cose_sign1 *parsed, struct challenge *out)
{
    struct cbor_reader reader;
    const enum err err = read_payload(&reader, parsed, MESSAGE_CHALLENGE, 2);
    if (err != ERR_OK) {
        return err;
    }
    out->device = cbor_get_u32(&reader);
    get_nonce(&reader, out->nonce);
    return cbor_end(&reader);
}

enum err message_read_response(const struct cose_sign1 *parsed, struct response *out)
{
    struct cbor_reader reader;
    enum err err = read_payload(&reader, parsed, MESSAGE_RESPONSE, 4);
    if (err != ERR_OK) {
        return err;
    }
    out->device = cbor_get_u32(&reader);
    get_nonce(&reader, out->nonce);
    out->epoch = cbor_get_u32(&reader);
    out->floor = cbor_get_uint(&reader);
    err = cbor_end(&reader);
    return err == ERR_OK && out->device != parsed->signer ? ERR_MALFORMED : err;
}

enum err message_read_status(const struct cose_sign1 *parsed, struct status *out)
{
    struct cbor_reader reader;
    const enum err err = read_payload(&reader, parsed, MESSAGE_STATUS, 15);
    if (err != ERR_OK) {
        return err;
    }
    *out = (struct status){.device = cbor_get_u32(&reader)};
    out->epoch = cbor_get_u32(&reader);
    out->boot = cbor_get_uint(&reader);
    out->name.tick = cbor_get_u32(&reader);
    get_nonce(&reader, out->name.nonce);
    out->sequence.number = cbor_get_uint(&reader);
    out->outcome = cbor_get_u32(&reader);
    out->floor.level = cbor_get_uint(&reader);
    out->revert_sequence.number = cbor_get_uint(&reader);
    const uint32_t revert_reason = cbor_get_u32(&reader);
    out->revert_count = cbor_get_u32(&reader);
    out->declined_sequence.number = cbor_get_uint(&reader);
    const uint32_t declined_reason = cbor_get_u32(&reader);
    uint32_t wanted_bytes = 0;
    const uint8_t *wanted = cbor_get_bytes(&reader, 0, &wanted_bytes);
    out->offset = cbor_get_u32(&reader);
    if (cbor_end(&reader) != ERR_OK || out->device != parsed->signer ||
        revert_reason >= IMAGE_FAULT_COUNT || declined_reason >= IMAGE_FAULT_COUNT ||
        (wanted_bytes != 0 && wanted_bytes != MANIFEST_NAME_BYTES)) {
        return ERR_MALFORMED;
    }
    out->revert_reason = (enum image_fault)revert_reason;
    out->declined_reason = (enum image_fault)declined_reason;
    out->wants = wanted_bytes != 0;
    memcpy(out->wanted, wanted, wanted_bytes);
    return status_is_sound(out) ? ERR_OK : ERR_MALFORMED;
}

enum err message_read_offer(const struct cose_sign1 *parsed, struct offer *out)
{
    struct cbor_reader reader;
    enum err err = read_payload(&reader, parsed, MESSAGE_OFFER, 6);
    if (err != ERR_OK) {
        return err;
    }
    out->device = cbor_get_u32(&reader);
    get_name(&reader, &out->name);
    out->sequence.number = cbor_get_uint(&reader);
    out->author = cbor_get_bytes(&reader, 0, &out->author_bytes);
    out->operator= cbor_get_bytes(&reader, 0, &out->operator_bytes);
    err = cbor_end(&reader);
    const bool fits = out->author_bytes - 1 < MANIFEST_ENVELOPE_BYTES_MAX && /* not 0 */
                      out->operator_bytes - 1 < MANIFEST_ENVELOPE_BYTES_MAX;
    return err == ERR_OK && !fits ? ERR_MALFORMED : err;
}

enum err message_read_chunk(const struct cose_sign1 *parsed, struct chunk *out)
{
    struct cbor_reader reader;
    enum err err = read_payload(&reader, parsed, MESSAGE_CHUNK, 6);
    if (err != ERR_OK) {
        return err;
    }
    out->device = cbor_get_u32(&reader);
    get_name(&reader, &out->name);
    const uint8_t *manifest = cbor_get_bytes(&reader, MANIFEST_NAME_BYTES, NULL);
    out->offset = cbor_get_u32(&reader);
    out->bytes = cbor_get_bytes(&reader, 0, &out->size_bytes);
    err = cbor_end(&reader);
    if (err != ERR_OK || manifest == NULL || out->size_bytes == 0 ||
        out->size_bytes > CHUNK_BYTES_MAX) {
        return ERR_MALFORMED;
    }
    memcpy(out->manifest, manifest, MANIFEST_NAME_BYTES);
    return ERR_OK;
}

enum err message_read_answer(const struct cose_sign1 *parsed, struct answer *out)
{
    struct cbor_reader reader;
    const enum err err = read_payload(&reader, parsed, MESSAGE_ANSWER, 3);
    if (err != ERR_OK) {
        return err;
    }
    out->device = cbor_get_u32(&reader);
    get_name(&reader, &out->name);
    return cbor_end(&reader);
}

enum err message_open_reading(const struct port *port, const uint8_t reading_key[AEAD_KEY_BYTES],
                              const struct telemetry *telemetry, struct reading *out)
{
    uint8_t nonce[AEAD_NONCE_BYTES], plain[READING_BYTES_MAX];
    CHECK(telemetry->sealed_bytes >= READING_BYTES_MIN + AEAD_TAG_BYTES);
    CHECK(telemetry->sealed_bytes <= READING_BYTES_MAX + AEAD_TAG_BYTES);
    put_nonce(nonce, telemetry->epoch, telemetry->counter);
    const enum err err = port->crypto.open(port->crypto.ctx, reading_key, nonce, telemetry->sealed,
                                           telemetry->sealed_bytes, plain);
    if (err != ERR_OK) {
        return err;
    }
    struct cbor_reader reader;
    cbor_read(&reader, plain, telemetry->sealed_bytes - AEAD_TAG_BYTES);
    cbor_get_array(&reader, 2);
    out->wall_us = cbor_get_uint(&reader);
    const int64_t value = cbor_get_signed(&reader);
    if (cbor_end(&reader) != ERR_OK || value < INT32_MIN || value > INT32_MAX) {
        return ERR_MALFORMED;
    }
    out->value = (int32_t)value;
    return ERR_OK;
}

static void put_nonce(uint8_t nonce[AEAD_NONCE_BYTES], uint32_t epoch, uint64_t counter)
{
    big_endian_put(nonce, 4, epoch);
    big_endian_put(nonce + 4, 8, counter);
}

static enum err sign_payload(const struct port *port, const struct key_pair *pair, uint32_t signer,
                             enum message_type type, const struct cbor_writer *payload,
                             struct envelope *out)
{
    uint32_t payload_bytes;
    const enum err err = cbor_finish(payload, &payload_bytes);
    if (err != ERR_OK) {
        return err;
    }
    out->size_bytes = sizeof out->bytes;
    return cose_sign(port, pair, signer, type, payload->bytes, payload_bytes, out->bytes,
                     &out->size_bytes);
}

/* Begin to read a payload that is an array of `count`. */
static enum err read_payload(struct cbor_reader *reader, const struct cose_sign1 *parsed,
                             enum message_type type, uint32_t count)
{
    CHECK(parsed != NULL);
    if (parsed->content_type != (uint32_t)type) {
        return ERR_MALFORMED;
    }
    cbor_read(reader, parsed->payload, parsed->payload_bytes);
    cbor_get_array(reader, count);
    return ERR_OK;
}

static void get_nonce(struct cbor_reader *reader, uint8_t nonce[CHALLENGE_BYTES])
{
    const uint8_t *bytes = cbor_get_bytes(reader, CHALLENGE_BYTES, NULL);
    if (bytes != NULL) {
        memcpy(nonce, bytes, CHALLENGE_BYTES);
    }
}

static enum err sign_parcel(const struct port *port, const struct key_pair *pair, uint32_t cloud,
                            enum message_type type, const struct cbor_writer *payload,
                            struct parcel *out)
{
    uint32_t payload_bytes;
    const enum err err = cbor_finish(payload, &payload_bytes);
    CHECK(err == ERR_OK); /* asserted above: the largest of them fits */
    out->size_bytes = sizeof out->bytes;
    return cose_sign(port, pair, cloud, type, payload->bytes, payload_bytes, out->bytes,
                     &out->size_bytes);
}

static void put_name(struct cbor_writer *writer, const struct status_name *name)
{
    cbor_put_bytes(writer, name->nonce, CHALLENGE_BYTES);
    cbor_put_uint(writer, name->tick);
}

static void get_name(struct cbor_reader *reader, struct status_name *name)
{
    get_nonce(reader, name->nonce);
    name->tick = cbor_get_u32(reader);
}

/* What no device says is not said, and not believed. */
static bool status_is_sound(const struct status *status)
{
    const bool running = status->sequence.number >= 1 && status->outcome >= BOOT_CONFIRMED &&
                         status->outcome <= BOOT_FALLBACK;
    const bool reverted = status->revert_sequence.number >= 1;
    const bool declined = status->declined_sequence.number >= 1;
    return running && status->name.tick >= 1 && (status->wants || status->offset == 0) &&
           reverted == (status->revert_reason != IMAGE_FAULT_NONE) &&
           reverted == (status->revert_count != 0) &&
           declined == (status->declined_reason != IMAGE_FAULT_NONE);
}
