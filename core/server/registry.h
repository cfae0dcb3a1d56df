/* Whom a server knows: numbers, keys and secrets, sorted by number; borrowed for the server's life.
 */
#ifndef BROWNOUT_CORE_SERVER_REGISTRY_H
#define BROWNOUT_CORE_SERVER_REGISTRY_H

#include <stdint.h>

#include "core/port.h"

struct registry_entry {
    uint32_t id;
    uint8_t public_key[KEY_BYTES];
    uint8_t secret[KEY_BYTES]; /* devices, in the cloud's registry only; else zero */
};

struct registry {
    const struct registry_entry *entries; /* ascending id */
    uint32_t count;
};

/* Binary search; NULL if unknown. *index (may be NULL) is its place. */
const struct registry_entry *registry_find(const struct registry *registry, uint32_t id,
                                           uint32_t *index);

#endif
