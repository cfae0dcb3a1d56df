#include "core/store_inside.h"

#include <string.h>

#include "core/check.h"

uint32_t store_index_find(const struct store *store, uint64_t id)
{
    uint32_t i = 0;
    while (i < store->entry_count && store->entries[i].id != id) {
        i++;
    }
    return i;
}

void store_index_remove(struct store *store, uint32_t index)
{
    CHECK(index < store->entry_count);
    store->entry_count--;
    memmove(&store->entries[index], &store->entries[index + 1],
            (store->entry_count - index) * sizeof(store->entries[0]));
}

void store_index_insert(struct store *store, const struct store_entry *entry)
{
    const uint32_t known = store_index_find(store, entry->id);
    if (store->record_sequence < entry->sequence) {
        store->record_sequence = entry->sequence;
    }
    if (known < store->entry_count) {
        if (store->entries[known].sequence == entry->sequence) {
            store->entries[known] = *entry;
        }
        if (store->entries[known].sequence >= entry->sequence) {
            return;
        }
        store_index_remove(store, known);
    }
    if (store->entry_count == STORE_RECORDS_MAX) {
        store->lost++; /* written under a larger limit; make_room keeps to ours */
        return;
    }
    uint32_t index = store->entry_count;
    while (index > 0 && store->entries[index - 1].sequence > entry->sequence) {
        index--;
    }
    memmove(&store->entries[index + 1], &store->entries[index],
            (store->entry_count - index) * sizeof(store->entries[0]));
    store->entries[index] = *entry;
    store->entry_count++;
}
