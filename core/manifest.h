/* The manifest of an image: what it is, for whom, and who says so.
 *
 * Two rights are needed, and they are two keys: the author says "I made this image", the operator
 * says "my fleet may run it". Each signs the same bytes in a COSE_Sign1 of its own, with its own
 * content type, so that neither signature can stand for the other one.
 *
 * Payload, deterministic CBOR, MANIFEST_BYTES_MAX at the most:
 *   [sequence, security level, [major, minor, patch], hardware, size, digest, expires_us,
 *    {component: level, ...}, offline]
 *
 * Four numbers are confused so often that each has a type of its own here:
 *   manifest sequence   orders manifests; only ever grows. To go back to an old image is a new
 *                       manifest with a higher sequence.
 *   security floor      below it nothing boots, whoever signed it; only ever grows, by a confirm.
 *   human version       for people: no decision rests on it.
 *   trial counter       boots that an unconfirmed image has left.
 */
#ifndef BROWNOUT_CORE_MANIFEST_H
#define BROWNOUT_CORE_MANIFEST_H

#include <stdbool.h>
#include <stdint.h>

#include "core/image.h"
#include "core/limits.h"
#include "core/port.h"

struct manifest_sequence {
    uint64_t number; /* >= 1; 0 = none */
};

struct security_floor {
    uint64_t level;
};

struct human_version {
    uint16_t major, minor, patch;
};

struct trial_counter {
    uint32_t left;
};

/* Content types of the envelopes, apart from those of enum message_type. */
enum manifest_right {
    MANIFEST_AUTHOR = 64,
    MANIFEST_OPERATOR = 65,
};

enum { MANIFEST_BYTES_MAX = 124 }; /* of the payload */

/* As expiry: never. Without a clock only such a manifest is known to be current. */
#define MANIFEST_NEVER UINT64_MAX

/* A part that an image relies on (boot loader, radio, bootstrapped data), and its level: of what
 * the device has, and of what the image needs at least. */
struct component {
    uint32_t number;
    uint32_t level;
};

struct manifest {
    struct manifest_sequence sequence;
    struct security_floor security; /* of the image; confirming it raises the floor to it */
    struct human_version version;
    uint32_t hardware;            /* the only kind of hardware that may run it */
    uint32_t size_bytes;          /* of the image, >= 1: what is downloaded */
    uint8_t digest[DIGEST_BYTES]; /* of the whole image area, see image.h */
    uint64_t expires_us;          /* wall time from which on it must not be installed */
    bool offline; /* may be confirmed by its own word, without a round trip to the server */
    uint32_t dependency_count;
    struct component dependencies[MANIFEST_DEPENDENCIES_MAX]; /* ascending by number */
};

/* The two envelopes as they were received: what is offered, and what a slot's header holds. */
struct manifest_envelopes {
    uint32_t author_bytes, operator_bytes;
    uint8_t author[MANIFEST_ENVELOPE_BYTES_MAX];
    uint8_t operator[MANIFEST_ENVELOPE_BYTES_MAX];
};

/* Whose manifests count here, and what this device is. */
struct manifest_authority {
    uint32_t author, operator;     /* numbers of the signers */
    uint8_t author_key[KEY_BYTES]; /* the two keys differ */
    uint8_t operator_key[KEY_BYTES];
    uint32_t hardware;
    uint32_t component_count;
    struct component components[COMPONENTS_MAX];
};

/* Encode; *size_bytes: in capacity, out size. ERR_OK | ERR_RANGE (buffer, or what no reader would
 * take). */
enum err manifest_encode(const struct manifest *manifest, uint8_t *bytes,
                         uint32_t *size_bytes) MUST_USE;

/* Read strictly: one encoding of each manifest, nothing left over. ERR_OK | ERR_MALFORMED. */
enum err manifest_decode(const uint8_t *bytes, uint32_t size_bytes, struct manifest *out) MUST_USE;

/* Sign encoded manifest bytes with one right, into that right's place of the envelopes.
 * ERR_OK | ERR_RANGE | ERR_IO. */
enum err manifest_sign(const struct port *port, const struct key_pair *pair, uint32_t signer,
                       enum manifest_right right, const uint8_t *bytes, uint32_t size_bytes,
                       struct manifest_envelopes *envelopes) MUST_USE;

/* Verify both rights, then read, then compare with what this device is. `out` is to be believed
 * only if the answer is IMAGE_FAULT_NONE; it may be any of the faults up to DEPENDENCY but HEADER.
 */
enum image_fault manifest_open(const struct port *port, const struct manifest_authority *authority,
                               const struct manifest_envelopes *envelopes,
                               struct manifest *out) MUST_USE;

/* SHA-256 of the manifest's own bytes: its name. The envelopes were opened. ERR_OK | ERR_IO. */
enum err manifest_name(const struct port *port, const struct manifest_envelopes *envelopes,
                       uint8_t name[DIGEST_BYTES]) MUST_USE;

#endif
