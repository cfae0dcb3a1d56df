/* COSE_Sign1 (RFC 9052 section 4.2) with EdDSA over Ed25519, tagged 18, deterministic CBOR:
 *   18([ h'<{1: -8, 3: content type, 4: kid}>', {}, h'<payload>', h'<signature 64>' ])
 * kid is the signer's number as 4 bytes, big-endian. The content type is the message's type number,
 * inside the signature, so that no message can stand for another.
 * Verification runs over the received bytes of the protected header and the payload; nothing is
 * encoded again.
 */
#ifndef BROWNOUT_CORE_COSE_H
#define BROWNOUT_CORE_COSE_H

#include <stdint.h>

#include "core/port.h"

/* What an envelope says before anything is verified: enough to choose the key. Borrowed pointers
 * into the envelope. */
struct cose_sign1 {
    uint32_t signer;       /* kid */
    uint32_t content_type; /* enum message_type */
    const uint8_t *protected_bytes;
    uint32_t protected_size_bytes;
    const uint8_t *payload;
    uint32_t payload_bytes;
    const uint8_t *signature; /* SIGNATURE_BYTES */
};

/* Parse without verifying. ERR_MALFORMED for anything but the form above, `crit` and unknown labels
 * included, and for more than FORWARD_BYTES_MAX. */
enum err cose_parse(const uint8_t *envelope, uint32_t size_bytes, struct cose_sign1 *out) MUST_USE;

/* Verify what cose_parse gave. ERR_OK | ERR_SIGNATURE | ERR_IO. */
enum err cose_verify(const struct cose_sign1 *parsed, const struct port *port,
                     const uint8_t public_key[KEY_BYTES]) MUST_USE;

/* Sign payload; *size_bytes: in capacity, out size (0 on error). ERR_OK | ERR_RANGE | ERR_IO. */
enum err cose_sign(const struct port *port, const struct key_pair *pair, uint32_t signer,
                   uint32_t content_type, const uint8_t *payload, uint32_t payload_bytes,
                   uint8_t *envelope, uint32_t *size_bytes) MUST_USE;

#endif
