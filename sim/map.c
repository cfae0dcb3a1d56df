#include "sim/map.h"

#include <stdlib.h>
#include <string.h>

#include "core/check.h"

static uint32_t home_of(const struct map *map, uint64_t key);
static uint32_t place_of(const struct map *map, uint64_t key);
static void allocate(struct map *map, uint32_t capacity);
static void grow(struct map *map);

void map_init(struct map *map)
{
    allocate(map, MAP_CAPACITY_MIN);
}

void map_free(struct map *map)
{
    free(map->entries);
    memset(map, 0, sizeof *map);
}

uint32_t map_find(const struct map *map, uint64_t key)
{
    return map->entries[place_of(map, key)].value;
}

void map_put(struct map *map, uint64_t key, uint32_t value)
{
    CHECK(value != MAP_NONE);
    if (map->count >= map->capacity / 2) {
        grow(map);
    }
    struct map_entry *entry = &map->entries[place_of(map, key)];
    CHECK(entry->value == MAP_NONE);
    *entry = (struct map_entry){.key = key, .value = value};
    map->count++;
}

/* Close the gap: an entry behind it moves up unless it is already nearer to its home. */
void map_remove(struct map *map, uint64_t key)
{
    const uint32_t mask = map->capacity - 1;
    uint32_t gap = place_of(map, key);
    CHECK(map->entries[gap].value != MAP_NONE);
    for (uint32_t i = (gap + 1) & mask; map->entries[i].value != MAP_NONE; i = (i + 1) & mask) {
        const uint32_t home = home_of(map, map->entries[i].key);
        if (((i - home) & mask) >= ((i - gap) & mask)) {
            map->entries[gap] = map->entries[i];
            gap = i;
        }
    }
    map->entries[gap].value = MAP_NONE;
    map->count--;
}

/* Fibonacci hashing: the keys are serial numbers and pairs of them. */
static uint32_t home_of(const struct map *map, uint64_t key)
{
    const uint64_t hash = key * UINT64_C(0x9E3779B97F4A7C15);
    return (uint32_t)(hash >> 32) & (map->capacity - 1);
}

/* Where the key is, or the free place where it belongs. */
static uint32_t place_of(const struct map *map, uint64_t key)
{
    uint32_t place = home_of(map, key);
    while (map->entries[place].value != MAP_NONE && map->entries[place].key != key) {
        place = (place + 1) & (map->capacity - 1);
    }
    return place;
}

static void allocate(struct map *map, uint32_t capacity)
{
    *map = (struct map){.entries = malloc(capacity * sizeof *map->entries), .capacity = capacity};
    CHECK(map->entries != NULL);
    for (uint32_t i = 0; i < capacity; i++) {
        map->entries[i] = (struct map_entry){.value = MAP_NONE};
    }
}

static void grow(struct map *map)
{
    struct map old = *map;
    CHECK(old.capacity <= UINT32_MAX / 4);
    allocate(map, old.capacity * 2);
    for (uint32_t i = 0; i < old.capacity; i++) {
        if (old.entries[i].value != MAP_NONE) {
            map_put(map, old.entries[i].key, old.entries[i].value);
        }
    }
    map_free(&old);
}
