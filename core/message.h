/* The messages of the fleet: what each COSE payload holds, who signs it, and how it is read.
 *
 *   TELEMETRY   device  -> cloud    [device, epoch, counter, nonce, sealed reading]
 *   FORWARD     gateway -> cloud    [gateway, tenant, policy version, envelope]
 *   ACK         cloud   -> device   [device, epoch, floor, bitmap]
 *   CHALLENGE   cloud   -> device   [device, nonce]
 *   RESPONSE    device  -> cloud    [device, nonce, epoch, floor]
 *   STATUS      device  -> cloud    [device, epoch, boot, tick, nonce, sequence, outcome, floor,
 *                                    revert's sequence, reason, count, declined sequence, reason,
 *                                    wanted name, offset]
 *   OFFER       cloud   -> device   [device, nonce, tick, sequence, author's right, operator's]
 *   CHUNK       cloud   -> device   [device, nonce, tick, name, offset, bytes]
 *   ANSWER      cloud   -> device   [device, nonce, tick]
 *
 * The envelope of a FORWARD is a TELEMETRY or a RESPONSE. In an ACK all counters <= floor are
 * closed, and bit i of the bitmap (bit 0 = LSB of byte 0) says that floor + 1 + i is accepted. A
 * CHALLENGE says that the cloud has no window for this device; in the RESPONSE all counters <=
 * floor will never be sent again.
 *
 * A STATUS says what runs on a device and how it came to that, and asks for bytes of an image where
 * it wants any. (epoch, boot, tick) grows from each one to the next, over restarts too: the latest
 * counts. Its answer is an OFFER, a CHUNK or, where there is nothing to send, an ANSWER; each names
 * the status by its nonce, which is drawn anew in each boot, and tick. An OFFER with nonce and tick
 * of zero answers none: the cloud says by itself that there is a release.
 *
 * Who signs is whom the payload names: kid and device number (TELEMETRY, RESPONSE, STATUS) or
 * gateway number (FORWARD) are equal, or the message is malformed.
 *
 * The reading, [wall_us, value], is sealed by AES-128-GCM under a key that HKDF derives from the
 * device's secret, its number and the epoch; the nonce is epoch (4 bytes) and counter (8),
 * big-endian, and is checked.
 */
#ifndef BROWNOUT_CORE_MESSAGE_H
#define BROWNOUT_CORE_MESSAGE_H

#include <stdbool.h>
#include <stdint.h>

#include "core/cose.h"
#include "core/limits.h"
#include "core/manifest.h"
#include "core/port.h"

enum message_type {
    MESSAGE_TELEMETRY = 1,
    MESSAGE_FORWARD = 2,
    MESSAGE_ACK = 3,
    MESSAGE_CHALLENGE = 4,
    MESSAGE_RESPONSE = 5,
    MESSAGE_STATUS = 6,
    MESSAGE_OFFER = 7,
    MESSAGE_CHUNK = 8,
    MESSAGE_ANSWER = 9,
};

enum {
    CHALLENGE_BYTES = 16,
    MANIFEST_NAME_BYTES = 8, /* of a manifest's name (manifest.h), in messages */
    CHUNK_BYTES_MAX = 480,   /* of an image in one message; whole program units of every part */
};

struct reading {
    uint64_t wall_us; /* advisory: the device's own belief */
    int32_t value;
};

struct telemetry {
    uint32_t device;
    uint32_t epoch;
    uint64_t counter;
    const uint8_t *sealed; /* borrowed from the envelope */
    uint32_t sealed_bytes;
};

struct forward {
    uint32_t gateway;
    uint32_t tenant;
    uint32_t policy_version;
    const uint8_t *envelope; /* borrowed */
    uint32_t envelope_bytes;
};

struct ack {
    uint32_t device;
    uint32_t epoch;
    uint64_t floor;
    const uint8_t *bitmap; /* borrowed; no bit that is set is past UINT64_MAX */
    uint32_t bitmap_bytes; /* WINDOW_BITS_MAX / 8 at the most */
};

struct challenge {
    uint32_t device;
    uint8_t nonce[CHALLENGE_BYTES];
};

struct response {
    uint32_t device;
    uint8_t nonce[CHALLENGE_BYTES];
    uint32_t epoch;
    uint64_t floor;
};

/* Which status it is, and which one is answered. */
struct status_name {
    uint8_t nonce[CHALLENGE_BYTES];
    uint32_t tick; /* >= 1; 0 with a nonce of zeros: none */
};

struct status {
    uint32_t device;
    uint32_t epoch; /* of the outbox */
    uint64_t boot;  /* a counter of that epoch, drawn once a boot and used for nothing else */
    struct status_name name;
    struct manifest_sequence sequence; /* of the running image's manifest */
    uint32_t outcome; /* enum boot_outcome as it is now: a trial that was confirmed is CONFIRMED */
    struct security_floor floor;
    struct manifest_sequence revert_sequence; /* of the image last reverted; 0: none ever was */
    enum image_fault revert_reason;
    uint32_t revert_count;                      /* in a row */
    struct manifest_sequence declined_sequence; /* of the offer last declined; 0: none was */
    enum image_fault declined_reason;
    bool wants; /* bytes of an image; else the next two are zero */
    uint8_t wanted[MANIFEST_NAME_BYTES];
    uint32_t offset;
};

struct offer {
    uint32_t device;
    struct status_name name;
    struct manifest_sequence sequence; /* what the manifests say, for a device that cannot tell */
    const uint8_t *author; /* borrowed; 1..MANIFEST_ENVELOPE_BYTES_MAX bytes, as `operator` */
    uint32_t author_bytes;
    const uint8_t *operator;
    uint32_t operator_bytes;
};

struct chunk {
    uint32_t device;
    struct status_name name;
    uint8_t manifest[MANIFEST_NAME_BYTES];
    uint32_t offset;
    const uint8_t *bytes; /* borrowed */
    uint32_t size_bytes;  /* 1..CHUNK_BYTES_MAX */
};

struct answer {
    uint32_t device;
    struct status_name name;
};

/* Bytes of an encoded message in a buffer that owns them. */
struct envelope {
    uint32_t size_bytes;
    uint8_t bytes[ENVELOPE_BYTES_MAX];
};

/* Derive the key that seals readings of (device, epoch). ERR_OK | ERR_IO. */
enum err message_reading_key(const struct port *port, const uint8_t secret[KEY_BYTES],
                             uint32_t device, uint32_t epoch, uint8_t key[AEAD_KEY_BYTES]) MUST_USE;

/* Encode and sign. ERR_OK | ERR_RANGE | ERR_IO; out is unspecified on error. */
enum err message_telemetry(const struct port *port, const struct key_pair *pair,
                           const uint8_t reading_key[AEAD_KEY_BYTES], uint32_t device,
                           uint32_t epoch, uint64_t counter, const struct reading *reading,
                           struct envelope *out) MUST_USE;
enum err message_forward(const struct port *port, const struct key_pair *pair,
                         const struct forward *forward, uint8_t *out,
                         uint32_t *size_bytes /* in capacity, out size */) MUST_USE;
enum err message_ack(const struct port *port, const struct key_pair *pair, uint32_t cloud,
                     const struct ack *ack, struct envelope *out) MUST_USE;
enum err message_challenge(const struct port *port, const struct key_pair *pair, uint32_t cloud,
                           const struct challenge *challenge, struct envelope *out) MUST_USE;
enum err message_response(const struct port *port, const struct key_pair *pair,
                          const struct response *response, struct envelope *out) MUST_USE;
enum err message_status(const struct port *port, const struct key_pair *pair,
                        const struct status *status, struct envelope *out) MUST_USE;
enum err message_answer(const struct port *port, const struct key_pair *pair, uint32_t cloud,
                        const struct answer *answer, struct envelope *out) MUST_USE;

/* Bytes of an encoded message that only the cloud sends: as large as a forward may be. */
struct parcel {
    uint32_t size_bytes;
    uint8_t bytes[FORWARD_BYTES_MAX];
};
enum err message_offer(const struct port *port, const struct key_pair *pair, uint32_t cloud,
                       const struct offer *offer, struct parcel *out) MUST_USE;
enum err message_chunk(const struct port *port, const struct key_pair *pair, uint32_t cloud,
                       const struct chunk *chunk, struct parcel *out) MUST_USE;

/* Read a payload whose envelope was parsed (and, before anything is believed, verified).
 * ERR_OK | ERR_MALFORMED (out is then unspecified); the content type must be the message's own. */
enum err message_read_telemetry(const struct cose_sign1 *parsed, struct telemetry *out) MUST_USE;
enum err message_read_forward(const struct cose_sign1 *parsed, struct forward *out) MUST_USE;
enum err message_read_ack(const struct cose_sign1 *parsed, struct ack *out) MUST_USE;
enum err message_read_challenge(const struct cose_sign1 *parsed, struct challenge *out) MUST_USE;
enum err message_read_response(const struct cose_sign1 *parsed, struct response *out) MUST_USE;
enum err message_read_status(const struct cose_sign1 *parsed, struct status *out) MUST_USE;
enum err message_read_offer(const struct cose_sign1 *parsed, struct offer *out) MUST_USE;
enum err message_read_chunk(const struct cose_sign1 *parsed, struct chunk *out) MUST_USE;
enum err message_read_answer(const struct cose_sign1 *parsed, struct answer *out) MUST_USE;

/* Open a sealed reading. ERR_OK | ERR_SIGNATURE (tag wrong) | ERR_MALFORMED | ERR_IO. */
enum err message_open_reading(const struct port *port, const uint8_t reading_key[AEAD_KEY_BYTES],
                              const struct telemetry *telemetry, struct reading *out) MUST_USE;

#endif
