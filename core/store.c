#include "core/store_inside.h"

#include <string.h>

#include "core/check.h"

static uint32_t frames_on_flash(const struct store *store);
static uint32_t oldest_sector(const struct store *store);
static bool room_exists(const struct store *store, const struct port *port, uint32_t frame_bytes);
static enum err make_room(struct store *store, const struct port *port, uint32_t frame_bytes);
static enum err head_open(struct store *store, const struct port *port);
static enum err compact(struct store *store, const struct port *port, uint32_t source);

enum err store_format(struct store *store, const struct port *port, uint32_t first_sector,
                      uint32_t sector_count)
{
    store_init(store, port, first_sector, sector_count);
    enum err err = ERR_OK;
    for (uint32_t sector = 0; sector < sector_count && err == ERR_OK; sector++) {
        err = store_sector_erase(store, port, sector);
    }
    store->head_sector = sector_count - 1; /* so that the first head is sector 0 */
    if (err == ERR_OK) {
        err = head_open(store, port);
    }
    store->failed = err != ERR_OK;
    return err;
}

enum err store_put(struct store *store, const struct port *port, uint64_t id, const uint8_t *bytes,
                   uint32_t size_bytes)
{
    CHECK(bytes != NULL);
    CHECK(size_bytes >= 1 && size_bytes <= STORE_RECORD_BYTES_MAX);
    if (store->failed) {
        return ERR_IO;
    }
    const uint32_t frame_bytes = store_frame_bytes(port, size_bytes);
    if (frame_bytes > store_frame_bytes_max(port)) {
        return ERR_RANGE;
    }
    const bool known = store_index_find(store, id) < store->entry_count;
    if (!known && store->entry_count == STORE_RECORDS_MAX) {
        return ERR_FULL;
    }
    if (!room_exists(store, port, frame_bytes)) {
        return ERR_FULL;
    }
    enum err err = make_room(store, port, frame_bytes);
    if (err == ERR_OK) {
        struct store_frame frame = {.id = id, .size_bytes = size_bytes};
        frame.sequence = ++store->record_sequence;
        memcpy(frame.bytes + STORE_FRAME_FIELDS_BYTES, bytes, size_bytes);
        err = store_head_append(store, port, &frame);
    }
    if (err == ERR_OK) {
        err = port->flash_sync(port->ctx) == ERR_OK ? ERR_OK : ERR_IO;
    }
    store->failed = err != ERR_OK;
    return err;
}

bool store_forget(struct store *store, uint64_t id)
{
    const uint32_t index = store_index_find(store, id);
    if (index == store->entry_count) {
        return false;
    }
    store_index_remove(store, index);
    return true;
}

enum err store_get(const struct store *store, const struct port *port, uint64_t id, uint8_t *bytes,
                   uint32_t *size_bytes)
{
    CHECK(bytes != NULL);
    CHECK(size_bytes != NULL);
    const uint32_t index = store_index_find(store, id);
    if (index == store->entry_count) {
        return ERR_NOT_FOUND;
    }
    const struct store_entry *entry = &store->entries[index];
    if (entry->size_bytes > *size_bytes) {
        return ERR_RANGE;
    }
    const uint32_t sector = store_sector_of(store, port, entry->offset);
    struct store_frame frame;
    const enum err err = store_frame_read(
        store, port, sector, entry->offset - store_sector_offset(store, port, sector), &frame);
    if (err != ERR_OK) {
        return err;
    }
    if (frame.id != id || frame.sequence != entry->sequence ||
        frame.size_bytes != entry->size_bytes) {
        return ERR_CORRUPT;
    }
    memcpy(bytes, frame.bytes + STORE_FRAME_FIELDS_BYTES, frame.size_bytes);
    *size_bytes = frame.size_bytes;
    return ERR_OK;
}

uint32_t store_used_bytes(const struct store *store, const struct port *port)
{
    uint32_t used_bytes = 0;
    for (uint32_t i = 0; i < store->entry_count; i++) {
        used_bytes += store_frame_bytes(port, store->entries[i].size_bytes);
    }
    return used_bytes;
}

uint32_t store_capacity_bytes(const struct store *store, const struct port *port)
{
    /* Records do not span sectors. If no sector had room for the largest frame, each of them, but
     * for the free one, would hold more than this share (see room_exists). */
    const uint32_t share =
        store_sector_room(port) - store_frame_bytes_max(port) + port->flash.program_bytes;
    return (store->sector_count - 1) * share;
}

/* ---- Room ---- */

static uint32_t frames_on_flash(const struct store *store)
{
    uint32_t count = 0;
    for (uint32_t sector = 0; sector < store->sector_count; sector++) {
        count += store->sector_frames[sector];
    }
    return count;
}

static uint32_t oldest_sector(const struct store *store)
{
    uint32_t oldest = store->head_sector;
    for (uint32_t sector = 0; sector < store->sector_count; sector++) {
        const uint64_t sequence = store->sector_headers[sector];
        if (sequence != 0 && sequence < store->sector_headers[oldest]) {
            oldest = sector;
        }
    }
    return oldest;
}

/* Will make_room find room? The head has it, a second free sector has it, or the compaction of some
 * sector ends with it. */
static bool room_exists(const struct store *store, const struct port *port, uint32_t frame_bytes)
{
    if (frame_bytes <= store_head_room(store, port) || store_free_sectors(store) >= 2) {
        return true;
    }
    uint32_t live_bytes[STORE_SECTORS_MAX] = {0};
    for (uint32_t i = 0; i < store->entry_count; i++) {
        const struct store_entry *entry = &store->entries[i];
        const uint32_t sector = store_sector_of(store, port, entry->offset);
        live_bytes[sector] += store_frame_bytes(port, entry->size_bytes);
    }
    for (uint32_t sector = 0; sector < store->sector_count; sector++) {
        if (store->sector_headers[sector] != 0 &&
            live_bytes[sector] + frame_bytes <= store_sector_room(port)) {
            return true;
        }
    }
    return false;
}

/* Room for one frame in the head. One sector always stays free: compaction and mount copy into it.
 * Frames on flash are as many as an index can hold, since forgotten ones come back with a mount. */
static enum err make_room(struct store *store, const struct port *port, uint32_t frame_bytes)
{
    for (uint32_t i = 0; i <= 2 * store->sector_count; i++) {
        const uint32_t frames = frames_on_flash(store);
        const bool crowded = frames >= STORE_RECORDS_MAX && frames > store->entry_count;
        if (!crowded && frame_bytes <= store_head_room(store, port)) {
            return ERR_OK;
        }
        const bool open = !crowded && store_free_sectors(store) >= 2;
        const enum err err =
            open ? head_open(store, port) : compact(store, port, oldest_sector(store));
        if (err != ERR_OK) {
            return err;
        }
    }
    CHECK(false); /* room_exists said that there is room */
    return ERR_FULL;
}

static enum err head_open(struct store *store, const struct port *port)
{
    const enum err err = store_head_take(store, port);
    return err == ERR_OK ? store_header_program(store, port, store->head_sector, 0) : err;
}

/* Copy the live records of source into a fresh head and erase source. Always the oldest sector, so
 * that no older version of a record outlives a newer one. */
static enum err compact(struct store *store, const struct port *port, uint32_t source)
{
    enum err err = store_head_take(store, port);
    uint32_t i = 0;
    while (err == ERR_OK && i < store->entry_count) {
        const struct store_entry *entry = &store->entries[i];
        if (store_sector_of(store, port, entry->offset) != source) {
            i++;
            continue;
        }
        struct store_frame frame;
        err = store_frame_read(store, port, source,
                               entry->offset - store_sector_offset(store, port, source), &frame);
        if (err == ERR_OK && frame.id == entry->id && frame.sequence == entry->sequence) {
            err = store_head_append(store, port, &frame); /* moves entry i to the head */
            i++;
        } else if (err != ERR_IO) {
            store_index_remove(store,
                               i); /* a copy of wrong bytes would hide what stands behind it */
            store->lost++;
            err = ERR_OK;
        }
    }
    return err == ERR_OK ? store_head_replaces(store, port, source) : err;
}
