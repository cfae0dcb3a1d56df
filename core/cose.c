#include "core/cose.h"

#include <stddef.h>
#include <string.h>

#include "core/big_endian.h"
#include "core/cbor.h"
#include "core/check.h"
#include "core/limits.h"

/* RFC 9052 section 3.1 (labels) and RFC 9053 section 2.2 (algorithm). */
enum { LABEL_ALGORITHM = 1, LABEL_CONTENT_TYPE = 3, LABEL_KID = 4 };
enum { TAG_SIGN1 = 18, ALGORITHM_EDDSA = -8 };

enum { KID_BYTES = 4, PROTECTED_BYTES_MAX = 16 };

static enum err parse_protected(struct cose_sign1 *sign1);
static uint32_t put_protected(uint8_t bytes[PROTECTED_BYTES_MAX], uint32_t signer,
                              uint32_t content_type);
static enum err put_sig_structure(const struct cose_sign1 *sign1, uint8_t bytes[FORWARD_BYTES_MAX],
                                  uint32_t *size_bytes) MUST_USE;

enum err cose_parse(const uint8_t *envelope, uint32_t size_bytes, struct cose_sign1 *out)
{
    CHECK(out != NULL);
    *out = (struct cose_sign1){0};
    if (size_bytes > FORWARD_BYTES_MAX) {
        return ERR_MALFORMED;
    }
    struct cbor_reader reader;
    cbor_read(&reader, envelope, size_bytes);
    cbor_get_tag(&reader, TAG_SIGN1);
    cbor_get_array(&reader, 4);
    out->protected_bytes = cbor_get_bytes(&reader, 0, &out->protected_size_bytes);
    (void)cbor_get_map(&reader, 0); /* nothing may be said outside the signature */
    out->payload = cbor_get_bytes(&reader, 0, &out->payload_bytes);
    out->signature = cbor_get_bytes(&reader, SIGNATURE_BYTES, NULL);
    const enum err err = cbor_end(&reader);
    return err == ERR_OK ? parse_protected(out) : err;
}

enum err cose_verify(const struct cose_sign1 *parsed, const struct port *port,
                     const uint8_t public_key[KEY_BYTES])
{
    uint8_t message[FORWARD_BYTES_MAX];
    uint32_t message_bytes;
    CHECK(parsed->signature != NULL);
    /* An envelope holds all of its Sig_structure and the signature: what was parsed fits. */
    const enum err err = put_sig_structure(parsed, message, &message_bytes);
    CHECK(err == ERR_OK);
    return port->crypto.verify(port->crypto.ctx, public_key, message, message_bytes,
                               parsed->signature);
}

enum err cose_sign(const struct port *port, const struct key_pair *pair, uint32_t signer,
                   uint32_t content_type, const uint8_t *payload, uint32_t payload_bytes,
                   uint8_t *envelope, uint32_t *size_bytes)
{
    uint8_t protected_bytes[PROTECTED_BYTES_MAX], message[FORWARD_BYTES_MAX];
    uint8_t signature[SIGNATURE_BYTES];
    uint32_t message_bytes;
    const uint32_t capacity_bytes = *size_bytes;
    const struct cose_sign1 sign1 = {
        .protected_bytes = protected_bytes,
        .protected_size_bytes = put_protected(protected_bytes, signer, content_type),
        .payload = payload,
        .payload_bytes = payload_bytes,
    };
    *size_bytes = 0;
    enum err err = put_sig_structure(&sign1, message, &message_bytes);
    if (err != ERR_OK) {
        return err;
    }
    err = port->crypto.sign(port->crypto.ctx, pair, message, message_bytes, signature);
    if (err != ERR_OK) {
        return err;
    }
    /* What cose_parse would refuse is not made either. */
    struct cbor_writer writer;
    cbor_write(&writer, envelope,
               capacity_bytes < FORWARD_BYTES_MAX ? capacity_bytes : FORWARD_BYTES_MAX);
    cbor_put_tag(&writer, TAG_SIGN1);
    cbor_put_array(&writer, 4);
    cbor_put_bytes(&writer, sign1.protected_bytes, sign1.protected_size_bytes);
    cbor_put_map(&writer, 0);
    cbor_put_bytes(&writer, sign1.payload, sign1.payload_bytes);
    cbor_put_bytes(&writer, signature, sizeof signature);
    return cbor_finish(&writer, size_bytes);
}

static enum err parse_protected(struct cose_sign1 *sign1)
{
    struct cbor_reader reader;
    cbor_read(&reader, sign1->protected_bytes, sign1->protected_size_bytes);
    const uint32_t count = cbor_get_map(&reader, 3);
    cbor_get_key(&reader, LABEL_ALGORITHM);
    const int64_t algorithm = cbor_get_signed(&reader);
    cbor_get_key(&reader, LABEL_CONTENT_TYPE);
    sign1->content_type = cbor_get_u32(&reader);
    cbor_get_key(&reader, LABEL_KID);
    const uint8_t *kid = cbor_get_bytes(&reader, KID_BYTES, NULL);
    const enum err err = cbor_end(&reader);
    if (err != ERR_OK || kid == NULL || count != 3 || algorithm != ALGORITHM_EDDSA) {
        return ERR_MALFORMED;
    }
    sign1->signer = (uint32_t)big_endian_get(kid, KID_BYTES);
    return ERR_OK;
}

static uint32_t put_protected(uint8_t bytes[PROTECTED_BYTES_MAX], uint32_t signer,
                              uint32_t content_type)
{
    uint8_t kid[KID_BYTES];
    struct cbor_writer writer;
    uint32_t size_bytes;
    big_endian_put(kid, KID_BYTES, signer);
    cbor_write(&writer, bytes, PROTECTED_BYTES_MAX);
    cbor_put_map(&writer, 3);
    cbor_put_uint(&writer, LABEL_ALGORITHM);
    cbor_put_signed(&writer, ALGORITHM_EDDSA);
    cbor_put_uint(&writer, LABEL_CONTENT_TYPE);
    cbor_put_uint(&writer, content_type);
    cbor_put_uint(&writer, LABEL_KID);
    cbor_put_bytes(&writer, kid, sizeof kid);
    const enum err err = cbor_finish(&writer, &size_bytes);
    CHECK(err == ERR_OK);
    return size_bytes;
}

/* What is signed: ["Signature1", protected, external_aad, payload] (RFC 9052 section 4.4). */
static enum err put_sig_structure(const struct cose_sign1 *sign1, uint8_t bytes[FORWARD_BYTES_MAX],
                                  uint32_t *size_bytes)
{
    static const char context[] = "Signature1";
    struct cbor_writer writer;
    cbor_write(&writer, bytes, FORWARD_BYTES_MAX);
    cbor_put_array(&writer, 4);
    cbor_put_text(&writer, context, sizeof context - 1);
    cbor_put_bytes(&writer, sign1->protected_bytes, sign1->protected_size_bytes);
    cbor_put_bytes(&writer, NULL, 0);
    cbor_put_bytes(&writer, sign1->payload, sign1->payload_bytes);
    return cbor_finish(&writer, size_bytes);
}
