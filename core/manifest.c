#include "core/manifest.h"

#include <stddef.h>
#include <string.h>

#include "core/cbor.h"
#include "core/check.h"
#include "core/cose.h"

enum { COSE_BYTES_MAX = 1 + 1 + (1 + 12) + 1 + 2 + (2 + SIGNATURE_BYTES) }; /* around a manifest */

_Static_assert(1 + 9 + 9 + (1 + 3 * 3) + 5 + 5 + (2 + DIGEST_BYTES) + 9 +
                       (1 + MANIFEST_DEPENDENCIES_MAX * (5 + 5)) + 1 ==
                   MANIFEST_BYTES_MAX,
               "the largest manifest is as large as said");
_Static_assert(COSE_BYTES_MAX + MANIFEST_BYTES_MAX <= MANIFEST_ENVELOPE_BYTES_MAX,
               "the largest manifest fits an envelope");

static uint16_t get_u16(struct cbor_reader *reader, bool *fits);
static bool is_sound(const struct manifest *manifest);
static enum image_fault open_right(const struct port *port, const uint8_t *envelope,
                                   uint32_t size_bytes, enum manifest_right right, uint32_t signer,
                                   const uint8_t key[KEY_BYTES], struct cose_sign1 *out);
static bool dependencies_met(const struct manifest_authority *authority,
                             const struct manifest *manifest);

enum err manifest_encode(const struct manifest *manifest, uint8_t *bytes, uint32_t *size_bytes)
{
    CHECK(manifest != NULL);
    CHECK(size_bytes != NULL);
    const uint32_t capacity_bytes = *size_bytes;
    *size_bytes = 0;
    if (!is_sound(manifest)) {
        return ERR_RANGE;
    }
    struct cbor_writer writer;
    cbor_write(&writer, bytes, capacity_bytes);
    cbor_put_array(&writer, 9);
    cbor_put_uint(&writer, manifest->sequence.number);
    cbor_put_uint(&writer, manifest->security.level);
    cbor_put_array(&writer, 3);
    cbor_put_uint(&writer, manifest->version.major);
    cbor_put_uint(&writer, manifest->version.minor);
    cbor_put_uint(&writer, manifest->version.patch);
    cbor_put_uint(&writer, manifest->hardware);
    cbor_put_uint(&writer, manifest->size_bytes);
    cbor_put_bytes(&writer, manifest->digest, DIGEST_BYTES);
    cbor_put_uint(&writer, manifest->expires_us);
    cbor_put_map(&writer, manifest->dependency_count);
    for (uint32_t i = 0; i < manifest->dependency_count; i++) {
        cbor_put_uint(&writer, manifest->dependencies[i].number);
        cbor_put_uint(&writer, manifest->dependencies[i].level);
    }
    cbor_put_uint(&writer, manifest->offline ? 1 : 0);
    return cbor_finish(&writer, size_bytes);
}

enum err manifest_decode(const uint8_t *bytes, uint32_t size_bytes, struct manifest *out)
{
    CHECK(out != NULL);
    *out = (struct manifest){0};
    struct cbor_reader reader;
    bool fits = true;
    cbor_read(&reader, bytes, size_bytes);
    cbor_get_array(&reader, 9);
    out->sequence.number = cbor_get_uint(&reader);
    out->security.level = cbor_get_uint(&reader);
    cbor_get_array(&reader, 3);
    out->version.major = get_u16(&reader, &fits);
    out->version.minor = get_u16(&reader, &fits);
    out->version.patch = get_u16(&reader, &fits);
    out->hardware = cbor_get_u32(&reader);
    out->size_bytes = cbor_get_u32(&reader);
    const uint8_t *digest = cbor_get_bytes(&reader, DIGEST_BYTES, NULL);
    out->expires_us = cbor_get_uint(&reader);
    out->dependency_count = cbor_get_map(&reader, MANIFEST_DEPENDENCIES_MAX);
    for (uint32_t i = 0; i < out->dependency_count; i++) {
        out->dependencies[i].number = cbor_get_u32(&reader);
        out->dependencies[i].level = cbor_get_u32(&reader);
    }
    const uint32_t offline = cbor_get_u32(&reader);
    out->offline = offline == 1;
    fits = fits && offline <= 1;
    if (cbor_end(&reader) != ERR_OK || digest == NULL || !fits || !is_sound(out)) {
        return ERR_MALFORMED;
    }
    memcpy(out->digest, digest, DIGEST_BYTES);
    return ERR_OK;
}

enum err manifest_sign(const struct port *port, const struct key_pair *pair, uint32_t signer,
                       enum manifest_right right, const uint8_t *bytes, uint32_t size_bytes,
                       struct manifest_envelopes *envelopes)
{
    CHECK(envelopes != NULL);
    CHECK(right == MANIFEST_AUTHOR || right == MANIFEST_OPERATOR);
    const bool author = right == MANIFEST_AUTHOR;
    uint32_t *envelope_bytes = author ? &envelopes->author_bytes : &envelopes->operator_bytes;
    *envelope_bytes = MANIFEST_ENVELOPE_BYTES_MAX;
    return cose_sign(port, pair, signer, (uint32_t)right, bytes, size_bytes,
                     author ? envelopes->author : envelopes->operator, envelope_bytes);
}

enum image_fault manifest_open(const struct port *port, const struct manifest_authority *authority,
                               const struct manifest_envelopes *envelopes, struct manifest *out)
{
    CHECK(authority != NULL);
    CHECK(envelopes != NULL);
    CHECK(out != NULL);
    struct cose_sign1 author, operator;
    enum image_fault fault =
        open_right(port, envelopes->author, envelopes->author_bytes, MANIFEST_AUTHOR,
                   authority->author, authority->author_key, &author);
    if (fault == IMAGE_FAULT_NONE) {
        fault = open_right(port, envelopes->operator, envelopes->operator_bytes, MANIFEST_OPERATOR,
                           authority->operator, authority->operator_key, &operator);
    }
    if (fault != IMAGE_FAULT_NONE) {
        return fault;
    }
    if (author.payload_bytes !=
        operator.payload_bytes || memcmp(author.payload, operator.payload, author.payload_bytes) !=
        0) {
        return IMAGE_FAULT_DISAGREE;
    }
    if (manifest_decode(author.payload, author.payload_bytes, out) != ERR_OK) {
        return IMAGE_FAULT_MALFORMED;
    }
    if (out->hardware != authority->hardware) {
        return IMAGE_FAULT_HARDWARE;
    }
    return dependencies_met(authority, out) ? IMAGE_FAULT_NONE : IMAGE_FAULT_DEPENDENCY;
}

enum err manifest_name(const struct port *port, const struct manifest_envelopes *envelopes,
                       uint8_t name[DIGEST_BYTES])
{
    struct cose_sign1 author;
    const enum err err = cose_parse(envelopes->author, envelopes->author_bytes, &author);
    CHECK(err == ERR_OK); /* it was opened */
    return port->crypto.sha256(port->crypto.ctx, author.payload, author.payload_bytes, name);
}

static uint16_t get_u16(struct cbor_reader *reader, bool *fits)
{
    const uint32_t value = cbor_get_u32(reader);
    *fits = *fits && value <= UINT16_MAX;
    return (uint16_t)value;
}

/* What the format does not say: numbers that mean nothing, and the one order of dependencies. */
static bool is_sound(const struct manifest *manifest)
{
    bool sound = manifest->sequence.number != 0 && manifest->size_bytes != 0 &&
                 manifest->dependency_count <= MANIFEST_DEPENDENCIES_MAX;
    for (uint32_t i = 1; sound && i < manifest->dependency_count; i++) {
        sound = manifest->dependencies[i - 1].number < manifest->dependencies[i].number;
    }
    return sound;
}

/* One envelope: its form, its right, its signer, its signature. */
static enum image_fault open_right(const struct port *port, const uint8_t *envelope,
                                   uint32_t size_bytes, enum manifest_right right, uint32_t signer,
                                   const uint8_t key[KEY_BYTES], struct cose_sign1 *out)
{
    const enum image_fault fault =
        right == MANIFEST_AUTHOR ? IMAGE_FAULT_AUTHOR : IMAGE_FAULT_OPERATOR;
    if (size_bytes == 0) {
        return fault;
    }
    if (size_bytes > MANIFEST_ENVELOPE_BYTES_MAX ||
        cose_parse(envelope, size_bytes, out) != ERR_OK) {
        return IMAGE_FAULT_MALFORMED;
    }
    if (out->content_type != (uint32_t)right || out->signer != signer) {
        return fault;
    }
    const enum err err = cose_verify(out, port, key);
    if (err != ERR_OK) {
        return err == ERR_SIGNATURE ? fault : IMAGE_FAULT_UNREADABLE;
    }
    return IMAGE_FAULT_NONE;
}

static bool dependencies_met(const struct manifest_authority *authority,
                             const struct manifest *manifest)
{
    CHECK(authority->component_count <= COMPONENTS_MAX);
    bool all = true;
    for (uint32_t i = 0; all && i < manifest->dependency_count; i++) {
        const struct component *needed = &manifest->dependencies[i];
        bool met = false;
        for (uint32_t k = 0; !met && k < authority->component_count; k++) {
            const struct component *have = &authority->components[k];
            met = have->number == needed->number && have->level >= needed->level;
        }
        all = met;
    }
    return all;
}
