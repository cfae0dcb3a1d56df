/* Manifests of images.
 * Input: the bytes that two rights sign.
 * Required: what is read is written again as the same bytes, and is in its bounds; what cannot be
 * read opens nothing, though both signatures hold; with both signatures and a device that it fits
 * it opens; with one signature touched, with the rights exchanged, or with other hardware it does
 * not. */
#include <string.h>

#include "core/manifest.h"
#include "core/test/fake_crypto.h"
#include "fuzz/fuzz.h"

static struct port port;

enum { AUTHOR = 11, OPERATOR = 12 };

static void require_bounds(const struct manifest *manifest)
{
    REQUIRE(manifest->sequence.number >= 1 && manifest->size_bytes >= 1);
    REQUIRE(manifest->dependency_count <= MANIFEST_DEPENDENCIES_MAX);
    for (uint32_t i = 1; i < manifest->dependency_count; i++) {
        REQUIRE(manifest->dependencies[i - 1].number < manifest->dependencies[i].number);
    }
}

/* A device that is what this manifest asks for. */
static void fit(struct manifest_authority *authority, const struct manifest *manifest)
{
    authority->hardware = manifest->hardware;
    authority->component_count = manifest->dependency_count;
    memcpy(authority->components, manifest->dependencies,
           manifest->dependency_count * sizeof manifest->dependencies[0]);
}

static void require_refusals(struct manifest_authority *authority,
                             const struct manifest_envelopes *good)
{
    struct manifest_envelopes bad = *good;
    struct manifest out;
    bad.author[bad.author_bytes - 1] ^= 1;
    REQUIRE(manifest_open(&port, authority, &bad, &out) != IMAGE_FAULT_NONE);
    bad = *good;
    bad.operator[bad.operator_bytes - 1] ^= 1;
    REQUIRE(manifest_open(&port, authority, &bad, &out) != IMAGE_FAULT_NONE);
    bad.author_bytes = good->operator_bytes;
    bad.operator_bytes = good->author_bytes;
    memcpy(bad.author, good->operator, good->operator_bytes);
    memcpy(bad.operator, good->author, good->author_bytes);
    REQUIRE(manifest_open(&port, authority, &bad, &out) != IMAGE_FAULT_NONE);
    authority->hardware ^= 1;
    REQUIRE(manifest_open(&port, authority, good, &out) != IMAGE_FAULT_NONE);
    authority->hardware ^= 1;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_bytes)
{
    struct manifest manifest, opened;
    struct manifest_envelopes envelopes = {.author_bytes = 0};
    struct manifest_authority authority = {.author = AUTHOR, .operator= OPERATOR, .hardware = 1};
    struct key_pair author = {.seed = {AUTHOR}}, operator= {.seed = {OPERATOR}};
    uint8_t bytes[MANIFEST_BYTES_MAX];
    uint32_t again_bytes = sizeof bytes;
    if (size_bytes > 2 * MANIFEST_BYTES_MAX) {
        return 0;
    }
    const enum err err = manifest_decode(data, (uint32_t)size_bytes, &manifest);
    REQUIRE(err == ERR_OK || err == ERR_MALFORMED);
    if (err == ERR_OK) {
        require_bounds(&manifest);
        REQUIRE(manifest_encode(&manifest, bytes, &again_bytes) == ERR_OK);
        REQUIRE(again_bytes == size_bytes && memcmp(bytes, data, size_bytes) == 0);
        if (manifest.dependency_count <= COMPONENTS_MAX) {
            fit(&authority, &manifest);
        }
    }
    port.crypto = fake_crypto();
    REQUIRE(fake_public_key(NULL, &author) == ERR_OK && fake_public_key(NULL, &operator) == ERR_OK);
    memcpy(authority.author_key, author.public_key, KEY_BYTES);
    memcpy(authority.operator_key, operator.public_key, KEY_BYTES);
    if (size_bytes == 0 ||
        manifest_sign(&port, &author, AUTHOR, MANIFEST_AUTHOR, data, (uint32_t)size_bytes,
                      &envelopes) != ERR_OK ||
        manifest_sign(&port, &operator, OPERATOR, MANIFEST_OPERATOR, data, (uint32_t)size_bytes,
                      &envelopes) != ERR_OK) {
        REQUIRE(err != ERR_OK); /* what can be read can be signed */
        return 0;
    }
    const enum image_fault fault = manifest_open(&port, &authority, &envelopes, &opened);
    REQUIRE(err == ERR_OK || fault != IMAGE_FAULT_NONE);
    if (err == ERR_OK && manifest.dependency_count <= COMPONENTS_MAX) {
        REQUIRE(fault == IMAGE_FAULT_NONE);
        REQUIRE(opened.sequence.number == manifest.sequence.number);
    }
    require_refusals(&authority, &envelopes);
    return 0;
}
