#include "core/store_inside.h"

#include <string.h>

#include "core/check.h"

enum {
    UNREADABLE_MAX = 2
}; /* headers that power can have torn at once: a copy's, an erased one's */

/* What mount_headers has seen. */
struct survey {
    struct store_header newest;
    uint64_t strangers; /* bit i: sector i is not of the log, and its header shows something */
    uint32_t unreadable;
};

/* The last frame of a sector that read as valid, and the version of its record before it. */
struct tail {
    struct store_entry last, before;
};

static enum err mount_headers(struct store *store, const struct port *port, struct survey *survey);
static bool sequences_differ(const struct store *store);
static enum err mount_unfinished(struct store *store, const struct port *port,
                                 const struct store_header *newest);
static enum err mount_index(struct store *store, const struct port *port, uint32_t source);
static enum err mount_strangers(struct store *store, const struct port *port, uint64_t strangers);
static enum err mount_copy(struct store *store, const struct port *port, uint32_t source);
static enum err mount_live(struct store *store, const struct port *port, uint32_t source,
                           const struct tail *tail, struct store_frame *frame);
static enum err mount_before(struct store *store, const struct port *port, uint32_t source,
                             const struct store_entry *before, struct store_frame *frame);
static enum err mount_append(struct store *store, const struct port *port, uint32_t offset,
                             struct store_frame *frame);
static enum err mount_rot(struct store *store, const struct port *port, uint32_t sector,
                          uint32_t position);
static uint32_t newest_sector(const struct store *store);

enum err store_mount(struct store *store, const struct port *port, uint32_t first_sector,
                     uint32_t sector_count)
{
    store_init(store, port, first_sector, sector_count);
    struct survey survey;
    enum err err = mount_headers(store, port, &survey);
    if (err == ERR_OK) {
        err = mount_unfinished(store, port, &survey.newest);
    }
    if (err == ERR_OK && store_free_sectors(store) == 0) {
        err = ERR_NOT_FOUND; /* no cut leaves this: these are not sectors of ours */
    }
    const uint32_t source = store->head_sector;
    if (err == ERR_OK) {
        err = mount_index(store, port, source);
    }
    if (err == ERR_OK) {
        err = mount_strangers(store, port, survey.strangers);
    }
    if (err == ERR_OK) {
        err = mount_copy(store, port, source);
    }
    store->failed = err != ERR_OK;
    return err;
}

/* In a log power leaves few headers unreadable: more of them is a flash that fails, and nothing is
 * given up for it. Where no header is valid there is no log: any number of cuts in a format may
 * have left that. */
static enum err mount_headers(struct store *store, const struct port *port, struct survey *survey)
{
    memset(survey, 0, sizeof(*survey));
    for (uint32_t sector = 0; sector < store->sector_count; sector++) {
        struct store_header header;
        if (store_header_read(store, port, sector, &header) != ERR_OK) {
            return ERR_IO;
        }
        store->sector_headers[sector] = header.sequence;
        survey->unreadable += header.unreadable;
        if (header.sequence == 0 && !header.blank) {
            survey->strangers |= UINT64_C(1) << sector;
        }
        if (header.sequence > survey->newest.sequence) {
            survey->newest = header;
        }
    }
    store->sector_sequence = survey->newest.sequence;
    if (survey->newest.sequence == 0) {
        return ERR_NOT_FOUND;
    }
    if (survey->unreadable > UNREADABLE_MAX) {
        return ERR_IO;
    }
    return sequences_differ(store) ? ERR_OK : ERR_NOT_FOUND; /* no cut leaves two alike */
}

/* Two sectors of one sequence are a copy that this code did not make: which of them a later one
 * replaces cannot be told. */
static bool sequences_differ(const struct store *store)
{
    for (uint32_t sector = 0; sector < store->sector_count; sector++) {
        for (uint32_t other = 0; other < sector && store->sector_headers[sector] != 0; other++) {
            if (store->sector_headers[other] == store->sector_headers[sector]) {
                return false;
            }
        }
    }
    return true;
}

/* Only the newest sector can be a copy whose source still stands. It has its header, so it is
 * whole, and it counts. But that header may be one that power tore, valid this time and not the
 * next: it is made certain before the source goes. With ECC a header that reads is certain. */
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
    if (!port->flash.ecc && store_header_program(store, port, copy, newest->replaces) != ERR_OK) {
        return ERR_IO;
    }
    return store_sector_erase(store, port, source);
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

/* Erase what is not of the log and has anything in its header: it must not turn out valid later.
 * Nor while it is being erased, when its frames are gone in part: so the header goes first. */
static enum err mount_strangers(struct store *store, const struct port *port, uint64_t strangers)
{
    for (uint32_t sector = 0; sector < store->sector_count; sector++) {
        if ((strangers >> sector & 1u) == 0) {
            continue;
        }
        if (!port->flash.ecc && store_header_spoil(store, port, sector) != ERR_OK) {
            return ERR_IO;
        }
        if (store_sector_erase(store, port, sector) != ERR_OK) {
            return ERR_IO;
        }
    }
    return ERR_OK;
}

/* Copy what lives in source into a fresh head. Its frames are read twice: once to know which live,
 * once to be programmed from those very bytes. Only the last one may read otherwise the second
 * time, for power may have torn it: then the version before it lives. */
static enum err mount_copy(struct store *store, const struct port *port, uint32_t source)
{
    struct store_frame frame;
    struct tail tail = {{0}, {0}};
    uint32_t position = store_first_frame(port);
    enum err err = store_head_take(store, port);
    while (err == ERR_OK) {
        err = store_frame_read(store, port, source, position, &frame);
        if (err == ERR_OK) {
            const uint32_t known = store_index_find(store, frame.id);
            tail.before =
                known < store->entry_count ? store->entries[known] : (struct store_entry){0};
            tail.last = (struct store_entry){
                .id = frame.id,
                .offset = store_sector_offset(store, port, source) + position,
                .size_bytes = frame.size_bytes,
                .sequence = frame.sequence,
            };
            store_index_insert(store, &tail.last);
            position += store_frame_bytes(port, frame.size_bytes);
        }
    }
    if (err == ERR_CORRUPT && !store_is_erased(port, frame.bytes, STORE_FRAME_FIELDS_BYTES)) {
        err = mount_rot(store, port, source, position);
    }
    if (err != ERR_IO) {
        err = mount_live(store, port, source, &tail, &frame);
    }
    return err == ERR_OK ? store_head_replaces(store, port, source) : err;
}

/* Append to the head what the index has in source. frame: room for one, here and below: the stack
 * of a boot loader has no room for two. */
static enum err mount_live(struct store *store, const struct port *port, uint32_t source,
                           const struct tail *tail, struct store_frame *frame)
{
    enum err err = ERR_OK;
    for (uint32_t i = 0; i < store->entry_count && err == ERR_OK; i++) {
        const struct store_entry entry = store->entries[i];
        if (store_sector_of(store, port, entry.offset) != source) {
            continue;
        }
        err = mount_append(store, port, entry.offset, frame);
        if (err == ERR_CORRUPT) {
            const bool torn = entry.offset == tail->last.offset;
            store_index_remove(store, i--);
            store->lost += !torn;
            err = torn ? mount_before(store, port, source, &tail->before, frame) : ERR_OK;
        }
    }
    return err;
}

/* The last frame is nothing: the version before it is what lives. */
static enum err mount_before(struct store *store, const struct port *port, uint32_t source,
                             const struct store_entry *before, struct store_frame *frame)
{
    if (before->size_bytes == 0) {
        return ERR_OK; /* it was the first of its id */
    }
    store_index_insert(store, before);
    if (store_sector_of(store, port, before->offset) != source) {
        return ERR_OK;
    }
    const enum err err = mount_append(store, port, before->offset, frame);
    if (err == ERR_CORRUPT) {
        store_index_remove(store, store_index_find(store, before->id));
        store->lost++;
    }
    return err == ERR_CORRUPT ? ERR_OK : err;
}

static enum err mount_append(struct store *store, const struct port *port, uint32_t offset,
                             struct store_frame *frame)
{
    const uint32_t sector_bytes = port->flash.sector_bytes;
    const enum err err = store_frame_read(store, port, store_sector_of(store, port, offset),
                                          offset % sector_bytes, frame);
    return err == ERR_OK ? store_head_append(store, port, frame)
                         : (err == ERR_IO ? ERR_IO : ERR_CORRUPT);
}

/* Is the frame that ends the newest sector torn or rotten? A torn one is the last: what stands
 * whole behind it says that it is rotten. It is not read again, for a torn one may be valid this
 * time. */
static enum err mount_rot(struct store *store, const struct port *port, uint32_t sector,
                          uint32_t position)
{
    const uint32_t unit = port->flash.program_bytes;
    const uint32_t erased_step = (STORE_FRAME_FIELDS_BYTES - 8) / unit * unit + unit;
    enum err err = ERR_CORRUPT;
    struct store_frame frame;
    uint32_t step = unit;
    while (err == ERR_CORRUPT) { /* ERR_NOT_FOUND: the sector ends */
        position += step;
        err = store_frame_read(store, port, sector, position, &frame);
        /* No frame begins where its size, in the first 8 bytes, is erased. */
        const bool erased =
            err == ERR_CORRUPT && store_is_erased(port, frame.bytes, STORE_FRAME_FIELDS_BYTES);
        step = erased ? erased_step : unit;
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
