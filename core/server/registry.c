/* Lookup in a sorted registry. */
#include "core/server/registry.h"

#include <stddef.h>

#include "core/check.h"

const struct registry_entry *registry_find(const struct registry *registry, uint32_t id,
                                           uint32_t *index)
{
    CHECK(registry != NULL);
    CHECK(registry->count == 0 || registry->entries != NULL);
    uint32_t low = 0;
    uint32_t high = registry->count;
    while (low < high) { /* at most 32 times: the range halves */
        const uint32_t middle = low + (high - low) / 2;
        if (registry->entries[middle].id < id) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    if (low == registry->count || registry->entries[low].id != id) {
        return NULL;
    }
    if (index != NULL) {
        *index = low;
    }
    return &registry->entries[low];
}
