#include "core/store_inside.h"

#include <string.h>

#include "core/check.h"

static enum err mount_headers(struct store *store, const struct port *port,
                              struct store_header *newest);
static enum err mount_unfinished(struct store *store, const struct port *port,
                                 const struct store_header *newest);
static enum err mount_index(struct store *store, const struct port *port, uint32_t source);
static enum err mount_strangers(struct store *store, const struct port *port);
static enum err mount_copy(struct store *store, const struct port *port, uint32_t source);
static enum err mount_rot(struct store *store, const struct port *port, uint32_t sector,
                          uint32_t position);
static uint32_t newest_sector(const struct store *store);
static enum err sector_retire(struct store *store, const struct port *port, uint32_t sector);

enum err store_mount(struct store *store, const struct port *port, uint32_t first_sector,
                     uint32_t sector_count)
{
    store_init(store, port, first_sector, sector_count);
    struct store_header newest;
    enum err err = mount_headers(store, port, &newest);
    if (err == ERR_OK) {
        err = mount_unfinished(store, port, &newest);
    }
    if (err == ERR_OK && store_free_sectors(store) == 0) {
        err = ERR_NOT_FOUND; /* no cut leaves this: these are not sectors of ours */
    }
    const uint32_t source = store->head_sector;
    if (err == ERR_OK) {
        err = mount_index(store, port, source);
    }
    if (err == ERR_OK) {
        err = mount_strangers(store, port);
    }
    if (err == ERR_OK) {
        err = mount_copy(store, port, source);
    }
    store->failed = err != ERR_OK;
    return err;
}

static enum err mount_headers(struct store *store, const struct port *port,
                              struct store_header *newest)
{
    memset(newest, 0, sizeof(*newest));
    for (uint32_t sector = 0; sector < store->sector_count; sector++) {
        struct store_header header;
        if (store_header_read(store, port, sector, &header) != ERR_OK) {
            return ERR_IO;
        }
        store->sector_headers[sector] = header.sequence;
        if (header.sequence > newest->sequence) {
            *newest = header;
        }
    }
    store->sector_sequence = newest->sequence;
    return newest->sequence != 0 ? ERR_OK : ERR_NOT_FOUND;
}

/* Only the newest sector can be a copy whose source still stands. Which of the two counts? The mark
 * of the other, if there is a trace of it; else the seal says. Both answers are safe as long as
 * neither was acted upon: a copy without a seal has its source untouched, a seal that was begun is
 * that of a whole copy. Once acted upon, the mark keeps the answer. */
static enum err mount_unfinished(struct store *store, const struct port *port,
                                 const struct store_header *newest)
{
    const uint32_t copy = newest_sector(store);
    uint32_t source = copy;
    for (uint32_t sector = 0; newest->replaces != 0 && sector < store->sector_count; sector++) {
        if (store->sector_headers[sector] == newest->replaces) {
            source = sector;
        }
    }
    store->head_sector = copy;
    if (source == copy) {
        return ERR_OK;
    }
    bool source_marked = false;
    bool copy_marked = false;
    if (store_mark_read(store, port, source, &source_marked) != ERR_OK ||
        store_mark_read(store, port, copy, &copy_marked) != ERR_OK) {
        return ERR_IO;
    }
    const bool copy_counts = source_marked || (newest->sealed && !copy_marked);
    const enum err err = sector_retire(store, port, copy_counts ? source : copy);
    store->head_sector = newest_sector(store);
    return err;
}

/* Index every sector of the log but source. All of them were closed by code that was still running:
 * no frame in them is torn, and one that is not valid is rotten. */
static enum err mount_index(struct store *store, const struct port *port, uint32_t source)
{
    for (uint32_t sector = 0; sector < store->sector_count; sector++) {
        if (sector == source || store->sector_headers[sector] == 0) {
            continue;
        }
        uint32_t position = store_first_frame(port);
        struct store_frame frame;
        enum err err;
        while ((err = store_frame_read(store, port, sector, position, &frame)) == ERR_OK) {
            const struct store_entry entry = {
                .id = frame.id,
                .offset = store_sector_offset(store, port, sector) + position,
                .size_bytes = frame.size_bytes,
                .sequence = frame.sequence,
            };
            store_index_insert(store, &entry);
            store->sector_frames[sector]++;
            position += store_frame_bytes(port, frame.size_bytes);
        }
        if (err == ERR_IO) {
            return ERR_IO;
        }
        if (err == ERR_CORRUPT && !store_is_erased(port, frame.bytes, STORE_FRAME_FIELDS_BYTES)) {
            store->lost++;
        }
    }
    return ERR_OK;
}

/* Erase what is not of the log and has anything in its header: it must not turn out valid later. */
static enum err mount_strangers(struct store *store, const struct port *port)
{
    for (uint32_t sector = 0; sector < store->sector_count; sector++) {
        if (store->sector_headers[sector] != 0) {
            continue;
        }
        bool blank = false;
        if (store_header_is_blank(store, port, sector, &blank) != ERR_OK) {
            return ERR_IO;
        }
        if (!blank && store_sector_erase(store, port, sector) != ERR_OK) {
            return ERR_IO;
        }
    }
    return ERR_OK;
}

/* Copy source into a fresh head. Reading and copying are one: what was read as valid is programmed
 * from those very bytes, and the index knows only the copy. */
static enum err mount_copy(struct store *store, const struct port *port, uint32_t source)
{
    enum err err = store_head_take(store, port);
    uint32_t position = store_first_frame(port);
    struct store_frame frame;
    while (err == ERR_OK) {
        err = store_frame_read(store, port, source, position, &frame);
        if (err != ERR_OK) {
            break;
        }
        position += store_frame_bytes(port, frame.size_bytes);
        const uint32_t index = store_index_find(store, frame.id);
        const bool known = index < store->entry_count;
        if (!known || store->entries[index].sequence < frame.sequence) {
            err = store_head_append(store, port, &frame);
        }
    }
    if (err == ERR_CORRUPT && !store_is_erased(port, frame.bytes, STORE_FRAME_FIELDS_BYTES)) {
        err = mount_rot(store, port, source, position);
    }
    return err == ERR_IO ? ERR_IO : store_head_replaces(store, port, source);
}

/* Is the frame that ends the newest sector torn or rotten? A torn one is the last: what stands
 * whole behind it says that it is rotten. It is not read again, for a torn one may be valid this
 * time. */
static enum err mount_rot(struct store *store, const struct port *port, uint32_t sector,
                          uint32_t position)
{
    enum err err = ERR_CORRUPT;
    struct store_frame frame;
    while (err == ERR_CORRUPT) { /* ERR_NOT_FOUND: the sector ends */
        position += port->flash.program_bytes;
        err = store_frame_read(store, port, sector, position, &frame);
    }
    store->lost += err == ERR_OK;
    return err;
}

static uint32_t newest_sector(const struct store *store)
{
    uint32_t newest = 0;
    for (uint32_t sector = 1; sector < store->sector_count; sector++) {
        if (store->sector_headers[sector] > store->sector_headers[newest]) {
            newest = sector;
        }
    }
    return newest;
}

/* Mark and erase a sector that no longer counts. A mark that was begun is not programmed again. */
static enum err sector_retire(struct store *store, const struct port *port, uint32_t sector)
{
    bool marked = false;
    enum err err = store_mark_read(store, port, sector, &marked);
    if (err == ERR_OK && !marked) {
        err = store_mark_program(store, port, sector);
    }
    return err == ERR_OK ? store_sector_erase(store, port, sector) : err;
}
