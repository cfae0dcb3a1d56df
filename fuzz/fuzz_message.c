/* COSE envelopes and the messages in them.
 * Input: one byte. Even: the rest is an envelope. Odd: the rest is a payload, which is signed here
 * as the content type (byte / 2), so that a search gets behind the envelope.
 * Required: what was parsed lies within the envelope, and signed anew it is the same bytes but for
 * the signature; a signature that was touched does not verify; a payload is at most one message,
 * and that message, written again, is the same payload. */
#include <string.h>

#include "core/message.h"
#include "core/test/fake_crypto.h"
#include "fuzz/fuzz.h"

enum { SPARE_BYTES = 64, MESSAGES = 9 };

static struct port port;
static struct key_pair pair;

static bool within(const uint8_t *part, uint32_t part_bytes, const uint8_t *whole,
                   uint32_t whole_bytes)
{
    return part_bytes <= whole_bytes && part >= whole &&
           (size_t)(part - whole) <= whole_bytes - part_bytes;
}

/* The message of `envelope`, which was written from what was read, holds the same payload. */
static void require_payload(const struct cose_sign1 *parsed, enum err err, const uint8_t *envelope,
                            uint32_t size_bytes)
{
    struct cose_sign1 again;
    REQUIRE(err == ERR_OK);
    REQUIRE(cose_parse(envelope, size_bytes, &again) == ERR_OK);
    REQUIRE(again.content_type == parsed->content_type && again.signer == parsed->signer);
    REQUIRE(again.payload_bytes == parsed->payload_bytes);
    REQUIRE(memcmp(again.payload, parsed->payload, parsed->payload_bytes) == 0);
}

/* What only devices and gateways sign. */
static uint32_t read_senders(const struct cose_sign1 *parsed)
{
    uint32_t read = 0, size_bytes = FORWARD_BYTES_MAX;
    uint8_t bytes[FORWARD_BYTES_MAX];
    struct envelope out;
    struct telemetry telemetry;
    struct forward forward;
    struct response response;
    struct status status;
    if (message_read_telemetry(parsed, &telemetry) == ERR_OK) {
        REQUIRE(within(telemetry.sealed, telemetry.sealed_bytes, parsed->payload,
                       parsed->payload_bytes));
        REQUIRE(telemetry.device == parsed->signer);
        struct reading reading;
        const uint8_t key[AEAD_KEY_BYTES] = {1};
        const enum err err = message_open_reading(&port, key, &telemetry, &reading);
        REQUIRE(err == ERR_OK || err == ERR_SIGNATURE || err == ERR_MALFORMED);
        read |= 1u << MESSAGE_TELEMETRY;
    }
    if (message_read_forward(parsed, &forward) == ERR_OK) {
        REQUIRE(within(forward.envelope, forward.envelope_bytes, parsed->payload,
                       parsed->payload_bytes));
        const enum err err = message_forward(&port, &pair, &forward, bytes, &size_bytes);
        require_payload(parsed, err, bytes, size_bytes);
        read |= 1u << MESSAGE_FORWARD;
    }
    if (message_read_response(parsed, &response) == ERR_OK) {
        const enum err err = message_response(&port, &pair, &response, &out);
        require_payload(parsed, err, out.bytes, out.size_bytes);
        read |= 1u << MESSAGE_RESPONSE;
    }
    if (message_read_status(parsed, &status) == ERR_OK) {
        const enum err err = message_status(&port, &pair, &status, &out);
        require_payload(parsed, err, out.bytes, out.size_bytes);
        read |= 1u << MESSAGE_STATUS;
    }
    return read;
}

/* What only the cloud signs. */
static uint32_t read_cloud(const struct cose_sign1 *parsed)
{
    uint32_t read = 0;
    struct envelope out;
    struct parcel parcel;
    struct ack ack;
    struct challenge challenge;
    struct offer offer;
    struct chunk chunk;
    struct answer answer;
    if (message_read_ack(parsed, &ack) == ERR_OK) {
        REQUIRE(ack.bitmap_bytes <= WINDOW_BITS_MAX / 8);
        const enum err err = message_ack(&port, &pair, parsed->signer, &ack, &out);
        require_payload(parsed, err, out.bytes, out.size_bytes);
        read |= 1u << MESSAGE_ACK;
    }
    if (message_read_challenge(parsed, &challenge) == ERR_OK) {
        const enum err err = message_challenge(&port, &pair, parsed->signer, &challenge, &out);
        require_payload(parsed, err, out.bytes, out.size_bytes);
        read |= 1u << MESSAGE_CHALLENGE;
    }
    if (message_read_offer(parsed, &offer) == ERR_OK) {
        REQUIRE(offer.author_bytes >= 1 && offer.author_bytes <= MANIFEST_ENVELOPE_BYTES_MAX);
        REQUIRE(offer.operator_bytes >= 1 && offer.operator_bytes <= MANIFEST_ENVELOPE_BYTES_MAX);
        const enum err err = message_offer(&port, &pair, parsed->signer, &offer, &parcel);
        require_payload(parsed, err, parcel.bytes, parcel.size_bytes);
        read |= 1u << MESSAGE_OFFER;
    }
    if (message_read_chunk(parsed, &chunk) == ERR_OK) {
        REQUIRE(chunk.size_bytes >= 1 && chunk.size_bytes <= CHUNK_BYTES_MAX);
        const enum err err = message_chunk(&port, &pair, parsed->signer, &chunk, &parcel);
        require_payload(parsed, err, parcel.bytes, parcel.size_bytes);
        read |= 1u << MESSAGE_CHUNK;
    }
    if (message_read_answer(parsed, &answer) == ERR_OK) {
        const enum err err = message_answer(&port, &pair, parsed->signer, &answer, &out);
        require_payload(parsed, err, out.bytes, out.size_bytes);
        read |= 1u << MESSAGE_ANSWER;
    }
    return read;
}

static void require_signed_anew(const struct cose_sign1 *parsed, const uint8_t *envelope,
                                uint32_t size_bytes)
{
    uint8_t again[FORWARD_BYTES_MAX];
    uint32_t again_bytes = sizeof again;
    struct cose_sign1 touched;
    REQUIRE(cose_sign(&port, &pair, parsed->signer, parsed->content_type, parsed->payload,
                      parsed->payload_bytes, again, &again_bytes) == ERR_OK);
    REQUIRE(again_bytes == size_bytes);
    REQUIRE(memcmp(again, envelope, size_bytes - SIGNATURE_BYTES) == 0);
    REQUIRE(cose_parse(again, again_bytes, &touched) == ERR_OK);
    REQUIRE(cose_verify(&touched, &port, pair.public_key) == ERR_OK);
    again[again_bytes - 1] ^= 1;
    REQUIRE(cose_verify(&touched, &port, pair.public_key) == ERR_SIGNATURE);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_bytes)
{
    uint8_t envelope[FORWARD_BYTES_MAX + SPARE_BYTES];
    struct fuzz_input input = {data, size_bytes};
    struct cose_sign1 parsed;
    const uint8_t way = fuzz_byte(&input);
    uint32_t envelope_bytes = sizeof envelope;
    if (size_bytes == 0 || input.size_bytes > sizeof envelope) {
        return 0;
    }
    port.crypto = fake_crypto();
    REQUIRE(fake_public_key(NULL, &pair) == ERR_OK);
    if (way % 2 == 0) {
        envelope_bytes = (uint32_t)input.size_bytes;
        memcpy(envelope, input.bytes, input.size_bytes);
    } else if (cose_sign(&port, &pair, 7, way / 2, input.bytes, (uint32_t)input.size_bytes,
                         envelope, &envelope_bytes) != ERR_OK) {
        return 0;
    }
    const enum err err = cose_parse(envelope, envelope_bytes, &parsed);
    REQUIRE(err == ERR_OK || err == ERR_MALFORMED);
    if (err != ERR_OK) {
        return 0;
    }
    REQUIRE(envelope_bytes <= FORWARD_BYTES_MAX);
    REQUIRE(within(parsed.payload, parsed.payload_bytes, envelope, envelope_bytes));
    REQUIRE(within(parsed.protected_bytes, parsed.protected_size_bytes, envelope, envelope_bytes));
    REQUIRE(within(parsed.signature, SIGNATURE_BYTES, envelope, envelope_bytes));
    require_signed_anew(&parsed, envelope, envelope_bytes);
    const uint32_t read = read_senders(&parsed) | read_cloud(&parsed);
    REQUIRE(read == 0 || read == 1u << parsed.content_type);
    return 0;
}
