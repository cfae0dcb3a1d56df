#include "sim/digest_map.h"

#include <stdlib.h>

#include "core/check.h"

enum { CAPACITY_MIN = 1 << 12 };

struct digest_entry {
    uint64_t digest[2];
    uint32_t value; /* DIGEST_MAP_NONE: free */
};

static struct digest_entry *entries_create(uint32_t capacity)
{
    struct digest_entry *entries = malloc(capacity * sizeof *entries);
    CHECK(entries != NULL);
    for (uint32_t i = 0; i < capacity; i++) {
        entries[i].value = DIGEST_MAP_NONE;
    }
    return entries;
}

void digest_map_init(struct digest_map *map)
{
    *map = (struct digest_map){entries_create(CAPACITY_MIN), 0, CAPACITY_MIN};
}

void digest_map_free(struct digest_map *map)
{
    free(map->entries);
    *map = (struct digest_map){NULL, 0, 0};
}

static struct digest_entry *find(const struct digest_map *map, const uint64_t digest[2])
{
    for (uint64_t at = digest[1];; at++) {
        struct digest_entry *entry = &map->entries[at & (map->capacity - 1)];
        const bool same = entry->digest[0] == digest[0] && entry->digest[1] == digest[1];
        if (entry->value == DIGEST_MAP_NONE || same) {
            return entry;
        }
    }
}

static void grow(struct digest_map *map)
{
    struct digest_entry *old = map->entries;
    const uint32_t capacity = map->capacity;
    CHECK(capacity <= UINT32_MAX / 4);
    map->entries = entries_create(2 * capacity);
    map->capacity = 2 * capacity;
    for (uint32_t i = 0; i < capacity; i++) {
        if (old[i].value != DIGEST_MAP_NONE) {
            *find(map, old[i].digest) = old[i];
        }
    }
    free(old);
}

uint32_t digest_map_put(struct digest_map *map, const uint64_t digest[2], uint32_t value,
                        bool *added)
{
    CHECK(value != DIGEST_MAP_NONE);
    struct digest_entry *entry = find(map, digest);
    *added = entry->value == DIGEST_MAP_NONE;
    if (!*added) {
        return entry->value;
    }
    if (2 * map->count >= map->capacity) {
        grow(map);
        entry = find(map, digest);
    }
    *entry = (struct digest_entry){{digest[0], digest[1]}, value};
    map->count++;
    return value;
}

void digest_map_set(struct digest_map *map, const uint64_t digest[2], uint32_t value)
{
    struct digest_entry *entry = find(map, digest);
    CHECK(entry->value != DIGEST_MAP_NONE && value != DIGEST_MAP_NONE);
    entry->value = value;
}
