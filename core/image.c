#include "core/image.h"

#include <stddef.h>
#include <string.h>

#include "core/check.h"

const char *image_fault_name(enum image_fault fault)
{
    switch (fault) {
#define IMAGE_FAULT_CASE(NAME, name)                                                               \
    case IMAGE_FAULT_##NAME:                                                                       \
        return #name;
        IMAGE_FAULT_LIST(IMAGE_FAULT_CASE)
#undef IMAGE_FAULT_CASE
    case IMAGE_FAULT_COUNT:
        break;
    }
    return "?";
}

enum err image_chain_link(const struct port *port, struct image_chain *chain, uint32_t size_bytes)
{
    CHECK(size_bytes >= 1);
    CHECK(size_bytes <= IMAGE_BLOCK_BYTES);
    uint8_t digest[DIGEST_BYTES];
    const enum err err =
        port->crypto.sha256(port->crypto.ctx, chain->bytes, DIGEST_BYTES + size_bytes, digest);
    memcpy(chain->bytes, digest, err == ERR_OK ? sizeof digest : 0);
    return err;
}

enum err image_digest(const struct port *port, const uint8_t *image, uint32_t size_bytes,
                      uint32_t area_bytes, uint8_t erased_value, uint8_t digest[DIGEST_BYTES])
{
    CHECK(image != NULL);
    if (size_bytes > area_bytes) {
        return ERR_RANGE;
    }
    struct image_chain chain = {{0}};
    uint8_t *block = chain.bytes + DIGEST_BYTES;
    for (uint32_t at = 0; at < area_bytes; at += IMAGE_BLOCK_BYTES) {
        const uint32_t left = area_bytes - at;
        const uint32_t block_bytes = left < IMAGE_BLOCK_BYTES ? left : IMAGE_BLOCK_BYTES;
        const uint32_t image_left = at < size_bytes ? size_bytes - at : 0;
        memset(block, erased_value, IMAGE_BLOCK_BYTES);
        if (image_left > 0) {
            memcpy(block, image + at, image_left < block_bytes ? image_left : block_bytes);
        }
        const enum err err = image_chain_link(port, &chain, block_bytes);
        if (err != ERR_OK) {
            return err;
        }
    }
    memcpy(digest, chain.bytes, DIGEST_BYTES);
    return ERR_OK;
}
