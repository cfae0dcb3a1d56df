/* A map from 128-bit digests to 32-bit values: open addressing, linear probing, nothing is ever
 * taken out. It is only asked for one digest, never walked: its order is nobody's. */
#ifndef BROWNOUT_SIM_DIGEST_MAP_H
#define BROWNOUT_SIM_DIGEST_MAP_H

#include <stdbool.h>
#include <stdint.h>

#define DIGEST_MAP_NONE UINT32_MAX

struct digest_map {
    struct digest_entry *entries;
    uint32_t count, capacity; /* a power of two, at most half full */
};

void digest_map_init(struct digest_map *map);
void digest_map_free(struct digest_map *map);
/* What stands under the digest, or `value`, which stands there from now on; *added: it is new. */
uint32_t digest_map_put(struct digest_map *map, const uint64_t digest[2], uint32_t value,
                        bool *added);
/* The digest must be there. */
void digest_map_set(struct digest_map *map, const uint64_t digest[2], uint32_t value);

#endif
