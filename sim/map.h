/* A map from 64-bit keys to 32-bit values: open addressing, linear probing, no tombstones.
 * It is only ever asked for one key, never walked: its order is nobody's. */
#ifndef BROWNOUT_SIM_MAP_H
#define BROWNOUT_SIM_MAP_H

#include <stdint.h>

enum { MAP_CAPACITY_MIN = 64 };

#define MAP_NONE UINT32_MAX

struct map_entry {
    uint64_t key;
    uint32_t value; /* MAP_NONE: free */
};

struct map {
    struct map_entry *entries;
    uint32_t count, capacity; /* a power of two, at most half full */
};

void map_init(struct map *map);
void map_free(struct map *map);
/* MAP_NONE if there is none. */
uint32_t map_find(const struct map *map, uint64_t key);
/* The key must be new; value is not MAP_NONE. */
void map_put(struct map *map, uint64_t key, uint32_t value);
/* The key must be there. */
void map_remove(struct map *map, uint64_t key);

#endif
