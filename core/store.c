/* The log store: see store.h for what it promises and why it copies sectors as it does.
 *
 * sector = header | seal | mark | frame | frame | ... | erased
 * header = magic 4 | version 4 | sequence 8 | replaces 8 | erased | crc 4; at least two units
 * seal   = 4: the header's crc, inverted; programmed once the header is durable
 * mark   = all bits programmed: this sector no longer counts. A mount that has to choose between a
 *          copy and its source says so before it erases the other: an erase that has begun may
 * leave everything readable for a while, but never undoes a mark frame  = crc 4 | size 4 | sequence
 * 8 | id 8 | bytes Each part is padded with the erased value to whole program units; numbers are
 * little-endian.
 */
#include "core/store.h"

#include <string.h>

#include "core/check.h"

enum {
    PROGRAM_BYTES_MAX = 32,
    HEADER_MAGIC = 0x4c57424f, /* "OBWL" */
    HEADER_VERSION = 1,
    HEADER_FIELDS_BYTES = 24,
    CRC_BYTES = 4,
    HEADER_BYTES_MAX = 2 * PROGRAM_BYTES_MAX,
    FRAME_FIELDS_BYTES = 24,
    FRAME_BYTES_MAX = FRAME_FIELDS_BYTES + (int)STORE_RECORD_BYTES_MAX + PROGRAM_BYTES_MAX,
    MARK_READS = 16, /* uncertain bits seldom answer so often alike */
};

_Static_assert(STORE_SECTORS_MAX <= 64u, "sectors_blank has a bit for each sector");

struct header {
    uint64_t sequence; /* 0 = not valid, or marked */
    uint64_t replaces; /* sequence of the sector that was copied into this one; 0 = none */
    bool sealed;
};

/* One frame in RAM: read once, judged, and programmed again from the same bytes. */
struct frame {
    uint64_t id;
    uint64_t sequence;
    uint32_t size_bytes;
    uint8_t bytes[FRAME_BYTES_MAX];
};

static void init(struct store *store, const struct port *port, uint32_t first_sector,
                 uint32_t sector_count);
static uint32_t align(const struct port *port, uint32_t size_bytes);
static uint32_t header_bytes(const struct port *port);
static uint32_t seal_bytes(const struct port *port);
static uint32_t first_frame(const struct port *port);
static uint32_t sector_room(const struct port *port);
static uint32_t frame_bytes_max(const struct port *port);
static uint32_t sector_offset(const struct store *store, const struct port *port, uint32_t sector);
static uint32_t sector_of(const struct store *store, const struct port *port, uint32_t offset);
static uint32_t head_room(const struct store *store, const struct port *port);
static uint32_t free_sectors(const struct store *store);
static uint32_t frames_on_flash(const struct store *store);
static uint32_t oldest_sector(const struct store *store);
static uint32_t newest_sector(const struct store *store);
static bool room_exists(const struct store *store, const struct port *port, uint32_t frame_bytes);
static enum err make_room(struct store *store, const struct port *port, uint32_t frame_bytes);

static enum err header_read(const struct store *store, const struct port *port, uint32_t sector,
                            struct header *header);
static enum err header_program(const struct store *store, const struct port *port,
                               uint64_t replaces);
static enum err header_is_blank(const struct store *store, const struct port *port, uint32_t sector,
                                bool *blank);
static uint32_t header_make(const struct port *port, uint64_t sequence, uint64_t replaces,
                            uint8_t bytes[HEADER_BYTES_MAX]);
static enum err seal_program(const struct store *store, const struct port *port, uint64_t replaces);

static enum err frame_read(const struct store *store, const struct port *port, uint32_t sector,
                           uint32_t position, struct frame *frame);
static uint32_t frame_crc(const struct frame *frame, uint64_t sector_sequence);
static enum err frame_append(struct store *store, const struct port *port, struct frame *frame);

static enum err mark_read(const struct store *store, const struct port *port, uint32_t sector,
                          bool *marked);
static enum err mark_program(const struct store *store, const struct port *port, uint32_t sector);

static enum err sector_erase(struct store *store, const struct port *port, uint32_t sector);
static enum err sector_retire(struct store *store, const struct port *port, uint32_t sector);
static enum err head_take(struct store *store, const struct port *port);
static enum err head_open(struct store *store, const struct port *port);
static enum err head_replaces(struct store *store, const struct port *port, uint32_t source);
static enum err compact(struct store *store, const struct port *port, uint32_t source);

static enum err mount_headers(struct store *store, const struct port *port, struct header *newest);
static enum err mount_unfinished(struct store *store, const struct port *port,
                                 const struct header *newest);
static enum err mount_index(struct store *store, const struct port *port, uint32_t source);
static enum err mount_strangers(struct store *store, const struct port *port);
static enum err mount_copy(struct store *store, const struct port *port, uint32_t source);

static uint32_t index_find(const struct store *store, uint64_t id);
static void index_remove(struct store *store, uint32_t index);
static void index_insert(struct store *store, const struct store_entry *entry);

static bool is_erased(const struct port *port, const uint8_t *bytes, uint32_t size_bytes);
static uint32_t crc32(uint32_t crc, const uint8_t *bytes, uint32_t size_bytes);
static void put_u32(uint8_t *bytes, uint32_t value);
static void put_u64(uint8_t *bytes, uint64_t value);
static uint32_t get_u32(const uint8_t *bytes);
static uint64_t get_u64(const uint8_t *bytes);

enum err store_format(struct store *store, const struct port *port, uint32_t first_sector,
                      uint32_t sector_count)
{
    init(store, port, first_sector, sector_count);
    enum err err = ERR_OK;
    for (uint32_t sector = 0; sector < sector_count && err == ERR_OK; sector++) {
        err = sector_erase(store, port, sector);
    }
    store->head_sector = sector_count - 1; /* so that the first head is sector 0 */
    if (err == ERR_OK) {
        err = head_open(store, port);
    }
    store->failed = err != ERR_OK;
    return err;
}

enum err store_mount(struct store *store, const struct port *port, uint32_t first_sector,
                     uint32_t sector_count)
{
    init(store, port, first_sector, sector_count);
    struct header newest;
    enum err err = mount_headers(store, port, &newest);
    if (err == ERR_OK) {
        err = mount_unfinished(store, port, &newest);
    }
    if (err == ERR_OK && free_sectors(store) == 0) {
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

enum err store_put(struct store *store, const struct port *port, uint64_t id, const uint8_t *bytes,
                   uint32_t size_bytes)
{
    CHECK(bytes != NULL);
    CHECK(size_bytes >= 1 && size_bytes <= STORE_RECORD_BYTES_MAX);
    if (store->failed) {
        return ERR_IO;
    }
    const uint32_t frame_bytes = store_frame_bytes(port, size_bytes);
    if (frame_bytes > frame_bytes_max(port)) {
        return ERR_RANGE;
    }
    const bool known = index_find(store, id) < store->entry_count;
    if (!known && store->entry_count == STORE_RECORDS_MAX) {
        return ERR_FULL;
    }
    if (!room_exists(store, port, frame_bytes)) {
        return ERR_FULL;
    }
    enum err err = make_room(store, port, frame_bytes);
    if (err == ERR_OK) {
        struct frame frame = {.id = id, .size_bytes = size_bytes};
        frame.sequence = ++store->record_sequence;
        memcpy(frame.bytes + FRAME_FIELDS_BYTES, bytes, size_bytes);
        err = frame_append(store, port, &frame);
    }
    if (err == ERR_OK) {
        err = port->flash_sync(port->ctx) == ERR_OK ? ERR_OK : ERR_IO;
    }
    store->failed = err != ERR_OK;
    return err;
}

bool store_forget(struct store *store, uint64_t id)
{
    const uint32_t index = index_find(store, id);
    if (index == store->entry_count) {
        return false;
    }
    index_remove(store, index);
    return true;
}

enum err store_get(const struct store *store, const struct port *port, uint64_t id, uint8_t *bytes,
                   uint32_t *size_bytes)
{
    CHECK(bytes != NULL);
    CHECK(size_bytes != NULL);
    const uint32_t index = index_find(store, id);
    if (index == store->entry_count) {
        return ERR_NOT_FOUND;
    }
    const struct store_entry *entry = &store->entries[index];
    if (entry->size_bytes > *size_bytes) {
        return ERR_RANGE;
    }
    const uint32_t sector = sector_of(store, port, entry->offset);
    struct frame frame;
    const enum err err =
        frame_read(store, port, sector, entry->offset - sector_offset(store, port, sector), &frame);
    if (err != ERR_OK) {
        return err;
    }
    if (frame.id != id || frame.sequence != entry->sequence ||
        frame.size_bytes != entry->size_bytes) {
        return ERR_CORRUPT;
    }
    memcpy(bytes, frame.bytes + FRAME_FIELDS_BYTES, frame.size_bytes);
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
    const uint32_t share = sector_room(port) - frame_bytes_max(port) + port->flash.program_bytes;
    return (store->sector_count - 1) * share;
}

uint32_t store_frame_bytes(const struct port *port, uint32_t size_bytes)
{
    return align(port, FRAME_FIELDS_BYTES + size_bytes);
}

static void init(struct store *store, const struct port *port, uint32_t first_sector,
                 uint32_t sector_count)
{
    const struct flash_geometry *flash = &port->flash;
    CHECK(sector_count >= 3 && sector_count <= STORE_SECTORS_MAX);
    CHECK(first_sector <= flash->sector_count);
    CHECK(sector_count <= flash->sector_count - first_sector);
    CHECK(flash->program_bytes >= 1 && flash->program_bytes <= PROGRAM_BYTES_MAX);
    CHECK(flash->sector_bytes % flash->program_bytes == 0);
    CHECK(flash->sector_bytes > first_frame(port));
    CHECK(frame_bytes_max(port) >= store_frame_bytes(port, 1));
    memset(store, 0, sizeof(*store));
    store->first_sector = first_sector;
    store->sector_count = sector_count;
}

/* ---- Sizes and places ---- */

static uint32_t align(const struct port *port, uint32_t size_bytes)
{
    const uint32_t unit = port->flash.program_bytes;
    return (size_bytes + unit - 1) / unit * unit;
}

/* Two units at least, magic in the first and crc in the last: a header that reads as erased was not
 * even half programmed, and cannot turn out valid later. */
static uint32_t header_bytes(const struct port *port)
{
    const uint32_t size_bytes = align(port, HEADER_FIELDS_BYTES + CRC_BYTES);
    const uint32_t two_units = 2 * port->flash.program_bytes;
    return size_bytes > two_units ? size_bytes : two_units;
}

static uint32_t seal_bytes(const struct port *port)
{
    return align(port, CRC_BYTES);
}

/* Behind the header, the seal and the mark, which is as large as a seal. */
static uint32_t first_frame(const struct port *port)
{
    return header_bytes(port) + 2 * seal_bytes(port);
}

static uint32_t sector_room(const struct port *port)
{
    return port->flash.sector_bytes - first_frame(port);
}

/* Half a sector at most, or the tail that no record fits into could be most of it. */
static uint32_t frame_bytes_max(const struct port *port)
{
    const uint32_t unit = port->flash.program_bytes;
    const uint32_t half = sector_room(port) / 2 / unit * unit;
    const uint32_t largest = store_frame_bytes(port, STORE_RECORD_BYTES_MAX);
    return largest < half ? largest : half;
}

static uint32_t sector_offset(const struct store *store, const struct port *port, uint32_t sector)
{
    CHECK(sector < store->sector_count);
    return (store->first_sector + sector) * port->flash.sector_bytes;
}

static uint32_t sector_of(const struct store *store, const struct port *port, uint32_t offset)
{
    return offset / port->flash.sector_bytes - store->first_sector;
}

static uint32_t head_room(const struct store *store, const struct port *port)
{
    CHECK(store->head_offset <= port->flash.sector_bytes);
    return port->flash.sector_bytes - store->head_offset;
}

static uint32_t free_sectors(const struct store *store)
{
    uint32_t count = 0;
    for (uint32_t sector = 0; sector < store->sector_count; sector++) {
        count += store->sector_headers[sector] == 0;
    }
    return count;
}

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

/* Will make_room find room? The head has it, a second free sector has it, or the compaction of some
 * sector ends with it. */
static bool room_exists(const struct store *store, const struct port *port, uint32_t frame_bytes)
{
    if (frame_bytes <= head_room(store, port) || free_sectors(store) >= 2) {
        return true;
    }
    uint32_t live_bytes[STORE_SECTORS_MAX] = {0};
    for (uint32_t i = 0; i < store->entry_count; i++) {
        const struct store_entry *entry = &store->entries[i];
        const uint32_t sector = sector_of(store, port, entry->offset);
        live_bytes[sector] += store_frame_bytes(port, entry->size_bytes);
    }
    for (uint32_t sector = 0; sector < store->sector_count; sector++) {
        if (store->sector_headers[sector] != 0 &&
            live_bytes[sector] + frame_bytes <= sector_room(port)) {
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
        if (!crowded && frame_bytes <= head_room(store, port)) {
            return ERR_OK;
        }
        const bool open = !crowded && free_sectors(store) >= 2;
        const enum err err =
            open ? head_open(store, port) : compact(store, port, oldest_sector(store));
        if (err != ERR_OK) {
            return err;
        }
    }
    CHECK(false); /* room_exists said that there is room */
    return ERR_FULL;
}

/* ---- Headers and seals ---- */

static enum err header_read(const struct store *store, const struct port *port, uint32_t sector,
                            struct header *header)
{
    uint8_t bytes[HEADER_BYTES_MAX + 2 * PROGRAM_BYTES_MAX];
    const uint32_t size_bytes = header_bytes(port);
    memset(header, 0, sizeof(*header));
    if (port->flash_read(port->ctx, sector_offset(store, port, sector), bytes, first_frame(port)) !=
        ERR_OK) {
        return ERR_IO;
    }
    const uint32_t crc = crc32(0, bytes, HEADER_FIELDS_BYTES);
    const bool marked = !is_erased(port, bytes + size_bytes + seal_bytes(port), seal_bytes(port));
    if (!marked && get_u32(bytes) == HEADER_MAGIC && get_u32(bytes + 4) == HEADER_VERSION &&
        get_u32(bytes + size_bytes - CRC_BYTES) == crc) {
        header->sequence = get_u64(bytes + 8);
        header->replaces = get_u64(bytes + 16);
        header->sealed = get_u32(bytes + size_bytes) == ~crc;
    }
    return ERR_OK;
}

static enum err header_program(const struct store *store, const struct port *port,
                               uint64_t replaces)
{
    uint8_t bytes[HEADER_BYTES_MAX];
    memset(bytes, port->flash.erased_value, sizeof(bytes));
    (void)header_make(port, store->sector_headers[store->head_sector], replaces, bytes);
    if (port->flash_program(port->ctx, sector_offset(store, port, store->head_sector), bytes,
                            header_bytes(port)) != ERR_OK) {
        return ERR_IO;
    }
    return port->flash_sync(port->ctx) == ERR_OK ? ERR_OK : ERR_IO;
}

static enum err header_is_blank(const struct store *store, const struct port *port, uint32_t sector,
                                bool *blank)
{
    uint8_t bytes[HEADER_BYTES_MAX];
    const uint32_t size_bytes = header_bytes(port);
    if (port->flash_read(port->ctx, sector_offset(store, port, sector), bytes, size_bytes) !=
        ERR_OK) {
        return ERR_IO;
    }
    *blank = is_erased(port, bytes, size_bytes);
    return ERR_OK;
}

/* Fill in the fields, leave the rest; returns the crc. */
static uint32_t header_make(const struct port *port, uint64_t sequence, uint64_t replaces,
                            uint8_t bytes[HEADER_BYTES_MAX])
{
    CHECK(sequence != 0);
    CHECK(replaces < sequence);
    put_u32(bytes, HEADER_MAGIC);
    put_u32(bytes + 4, HEADER_VERSION);
    put_u64(bytes + 8, sequence);
    put_u64(bytes + 16, replaces);
    const uint32_t crc = crc32(0, bytes, HEADER_FIELDS_BYTES);
    put_u32(bytes + header_bytes(port) - CRC_BYTES, crc);
    return crc;
}

static enum err seal_program(const struct store *store, const struct port *port, uint64_t replaces)
{
    uint8_t header[HEADER_BYTES_MAX];
    const uint64_t sequence = store->sector_headers[store->head_sector];
    const uint32_t crc = header_make(port, sequence, replaces, header);
    uint8_t bytes[PROGRAM_BYTES_MAX];
    memset(bytes, port->flash.erased_value, sizeof(bytes));
    put_u32(bytes, ~crc);
    const uint32_t offset = sector_offset(store, port, store->head_sector) + header_bytes(port);
    if (port->flash_program(port->ctx, offset, bytes, seal_bytes(port)) != ERR_OK) {
        return ERR_IO;
    }
    return port->flash_sync(port->ctx) == ERR_OK ? ERR_OK : ERR_IO;
}

/* Is there any trace of a mark? Many reads, since it may be torn. */
static enum err mark_read(const struct store *store, const struct port *port, uint32_t sector,
                          bool *marked)
{
    const uint32_t position = header_bytes(port) + seal_bytes(port);
    uint8_t bytes[PROGRAM_BYTES_MAX];
    *marked = false;
    for (uint32_t i = 0; !*marked && i < MARK_READS; i++) {
        if (port->flash_read(port->ctx, sector_offset(store, port, sector) + position, bytes,
                             seal_bytes(port)) != ERR_OK) {
            return ERR_IO;
        }
        *marked = !is_erased(port, bytes, seal_bytes(port));
    }
    return ERR_OK;
}

static enum err mark_program(const struct store *store, const struct port *port, uint32_t sector)
{
    const uint32_t position = header_bytes(port) + seal_bytes(port);
    uint8_t bytes[PROGRAM_BYTES_MAX];
    memset(bytes, (uint8_t)~port->flash.erased_value, sizeof(bytes));
    if (port->flash_program(port->ctx, sector_offset(store, port, sector) + position, bytes,
                            seal_bytes(port)) != ERR_OK) {
        return ERR_IO;
    }
    return port->flash_sync(port->ctx) == ERR_OK ? ERR_OK : ERR_IO;
}

/* ---- Frames ---- */

/* ERR_OK | ERR_CORRUPT (nothing valid at this place: here the sector ends) | ERR_IO. */
static enum err frame_read(const struct store *store, const struct port *port, uint32_t sector,
                           uint32_t position, struct frame *frame)
{
    const uint32_t sector_bytes = port->flash.sector_bytes;
    const uint32_t offset = sector_offset(store, port, sector) + position;
    if (position > sector_bytes || sector_bytes - position < FRAME_FIELDS_BYTES) {
        return ERR_CORRUPT;
    }
    if (port->flash_read(port->ctx, offset, frame->bytes, FRAME_FIELDS_BYTES) != ERR_OK) {
        return ERR_IO;
    }
    frame->size_bytes = get_u32(frame->bytes + 4);
    frame->sequence = get_u64(frame->bytes + 8);
    frame->id = get_u64(frame->bytes + 16);
    if (frame->size_bytes == 0 || frame->size_bytes > STORE_RECORD_BYTES_MAX ||
        store_frame_bytes(port, frame->size_bytes) > sector_bytes - position) {
        return ERR_CORRUPT;
    }
    if (port->flash_read(port->ctx, offset + FRAME_FIELDS_BYTES, frame->bytes + FRAME_FIELDS_BYTES,
                         frame->size_bytes) != ERR_OK) {
        return ERR_IO;
    }
    const uint32_t crc = frame_crc(frame, store->sector_headers[sector]);
    return get_u32(frame->bytes) == crc ? ERR_OK : ERR_CORRUPT;
}

/* The sector's sequence is part of it: a frame of the sector's last life is none of this one. */
static uint32_t frame_crc(const struct frame *frame, uint64_t sector_sequence)
{
    uint8_t bytes[8];
    put_u64(bytes, sector_sequence);
    const uint32_t crc = crc32(0, bytes, sizeof(bytes));
    return crc32(crc, frame->bytes + CRC_BYTES, FRAME_FIELDS_BYTES - CRC_BYTES + frame->size_bytes);
}

/* Program the frame at the head, in one call, and point the index at it. */
static enum err frame_append(struct store *store, const struct port *port, struct frame *frame)
{
    const uint32_t frame_bytes = store_frame_bytes(port, frame->size_bytes);
    const uint32_t used_bytes = FRAME_FIELDS_BYTES + frame->size_bytes;
    CHECK(frame_bytes <= head_room(store, port));
    CHECK(frame->sequence != 0);
    put_u32(frame->bytes + 4, frame->size_bytes);
    put_u64(frame->bytes + 8, frame->sequence);
    put_u64(frame->bytes + 16, frame->id);
    put_u32(frame->bytes, frame_crc(frame, store->sector_headers[store->head_sector]));
    memset(frame->bytes + used_bytes, port->flash.erased_value, frame_bytes - used_bytes);
    const uint32_t offset = sector_offset(store, port, store->head_sector) + store->head_offset;
    if (port->flash_program(port->ctx, offset, frame->bytes, frame_bytes) != ERR_OK) {
        return ERR_IO;
    }
    store->head_offset += frame_bytes;
    store->sector_frames[store->head_sector]++;
    const struct store_entry entry = {
        .id = frame->id,
        .offset = offset,
        .size_bytes = frame->size_bytes,
        .sequence = frame->sequence,
    };
    index_insert(store, &entry);
    return ERR_OK;
}

/* ---- Sectors ---- */

static enum err sector_erase(struct store *store, const struct port *port, uint32_t sector)
{
    store->sector_headers[sector] = 0;
    store->sector_frames[sector] = 0;
    if (port->flash_erase(port->ctx, sector_offset(store, port, sector)) != ERR_OK ||
        port->flash_sync(port->ctx) != ERR_OK) {
        return ERR_IO;
    }
    store->sectors_blank |= UINT64_C(1) << sector;
    store->erases++;
    return ERR_OK;
}

/* Mark and erase a sector that no longer counts. A mark that was begun is not programmed again. */
static enum err sector_retire(struct store *store, const struct port *port, uint32_t sector)
{
    bool marked = false;
    enum err err = mark_read(store, port, sector, &marked);
    if (err == ERR_OK && !marked) {
        err = mark_program(store, port, sector);
    }
    return err == ERR_OK ? sector_erase(store, port, sector) : err;
}

/* Make the next free sector in the ring the head, without a header yet. One that was erased before
 * this mount is erased again: it may only look erased. */
static enum err head_take(struct store *store, const struct port *port)
{
    uint32_t sector = store->head_sector;
    for (uint32_t i = 0; i < store->sector_count; i++) {
        sector = (sector + 1) % store->sector_count;
        if (store->sector_headers[sector] == 0) {
            break;
        }
    }
    CHECK(store->sector_headers[sector] == 0);
    const uint64_t bit = UINT64_C(1) << sector;
    if ((store->sectors_blank & bit) == 0 && sector_erase(store, port, sector) != ERR_OK) {
        return ERR_IO;
    }
    store->sectors_blank &= ~bit;
    store->head_sector = sector;
    store->head_offset = first_frame(port);
    store->sector_headers[sector] = ++store->sector_sequence;
    return ERR_OK;
}

static enum err head_open(struct store *store, const struct port *port)
{
    const enum err err = head_take(store, port);
    return err == ERR_OK ? header_program(store, port, 0) : err;
}

/* The head now holds all that counts in source. The order is the promise: copies durable, then the
 * header, then the seal, and only then may the source go. */
static enum err head_replaces(struct store *store, const struct port *port, uint32_t source)
{
    CHECK(source != store->head_sector);
    const uint64_t replaces = store->sector_headers[source];
    enum err err = port->flash_sync(port->ctx) == ERR_OK ? ERR_OK : ERR_IO;
    if (err == ERR_OK) {
        err = header_program(store, port, replaces);
    }
    if (err == ERR_OK) {
        err = seal_program(store, port, replaces);
    }
    if (err == ERR_OK) {
        err = sector_erase(store, port, source);
    }
    return err;
}

/* Copy the live records of source into a fresh head and erase source. Always the oldest sector, so
 * that no older version of a record outlives a newer one. */
static enum err compact(struct store *store, const struct port *port, uint32_t source)
{
    enum err err = head_take(store, port);
    uint32_t i = 0;
    while (err == ERR_OK && i < store->entry_count) {
        const struct store_entry *entry = &store->entries[i];
        if (sector_of(store, port, entry->offset) != source) {
            i++;
            continue;
        }
        struct frame frame;
        err = frame_read(store, port, source, entry->offset - sector_offset(store, port, source),
                         &frame);
        if (err == ERR_OK && frame.id == entry->id && frame.sequence == entry->sequence) {
            err = frame_append(store, port, &frame); /* moves entry i to the head */
            i++;
        } else if (err != ERR_IO) {
            index_remove(store, i); /* a copy of wrong bytes would hide what stands behind it */
            store->lost++;
            err = ERR_OK;
        }
    }
    return err == ERR_OK ? head_replaces(store, port, source) : err;
}

/* ---- Mount ---- */

static enum err mount_headers(struct store *store, const struct port *port, struct header *newest)
{
    memset(newest, 0, sizeof(*newest));
    for (uint32_t sector = 0; sector < store->sector_count; sector++) {
        struct header header;
        if (header_read(store, port, sector, &header) != ERR_OK) {
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
                                 const struct header *newest)
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
    if (mark_read(store, port, source, &source_marked) != ERR_OK ||
        mark_read(store, port, copy, &copy_marked) != ERR_OK) {
        return ERR_IO;
    }
    const bool copy_counts = source_marked || (newest->sealed && !copy_marked);
    const enum err err = sector_retire(store, port, copy_counts ? source : copy);
    store->head_sector = newest_sector(store);
    return err;
}

/* Index every sector of the log but source. All of them were closed by code that was still running:
 * no frame in them is torn. */
static enum err mount_index(struct store *store, const struct port *port, uint32_t source)
{
    for (uint32_t sector = 0; sector < store->sector_count; sector++) {
        if (sector == source || store->sector_headers[sector] == 0) {
            continue;
        }
        uint32_t position = first_frame(port);
        struct frame frame;
        enum err err;
        while ((err = frame_read(store, port, sector, position, &frame)) == ERR_OK) {
            const struct store_entry entry = {
                .id = frame.id,
                .offset = sector_offset(store, port, sector) + position,
                .size_bytes = frame.size_bytes,
                .sequence = frame.sequence,
            };
            index_insert(store, &entry);
            store->sector_frames[sector]++;
            position += store_frame_bytes(port, frame.size_bytes);
        }
        if (err == ERR_IO) {
            return ERR_IO;
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
        if (header_is_blank(store, port, sector, &blank) != ERR_OK) {
            return ERR_IO;
        }
        if (!blank && sector_erase(store, port, sector) != ERR_OK) {
            return ERR_IO;
        }
    }
    return ERR_OK;
}

/* Copy source into a fresh head. Reading and copying are one: what was read as valid is programmed
 * from those very bytes, and the index knows only the copy. */
static enum err mount_copy(struct store *store, const struct port *port, uint32_t source)
{
    enum err err = head_take(store, port);
    uint32_t position = first_frame(port);
    struct frame frame;
    while (err == ERR_OK) {
        err = frame_read(store, port, source, position, &frame);
        if (err != ERR_OK) {
            break;
        }
        position += store_frame_bytes(port, frame.size_bytes);
        const uint32_t index = index_find(store, frame.id);
        const bool known = index < store->entry_count;
        if (!known || store->entries[index].sequence < frame.sequence) {
            err = frame_append(store, port, &frame);
        }
    }
    return err == ERR_CORRUPT ? head_replaces(store, port, source) : err;
}

/* ---- Index ---- */

static uint32_t index_find(const struct store *store, uint64_t id)
{
    uint32_t i = 0;
    while (i < store->entry_count && store->entries[i].id != id) {
        i++;
    }
    return i;
}

static void index_remove(struct store *store, uint32_t index)
{
    CHECK(index < store->entry_count);
    store->entry_count--;
    memmove(&store->entries[index], &store->entries[index + 1],
            (store->entry_count - index) * sizeof(store->entries[0]));
}

/* The newest version of an id wins; the same version again is a move. */
static void index_insert(struct store *store, const struct store_entry *entry)
{
    const uint32_t known = index_find(store, entry->id);
    if (known < store->entry_count) {
        if (store->entries[known].sequence == entry->sequence) {
            store->entries[known] = *entry;
        }
        if (store->entries[known].sequence >= entry->sequence) {
            return;
        }
        index_remove(store, known);
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
    if (store->record_sequence < entry->sequence) {
        store->record_sequence = entry->sequence;
    }
}

/* ---- Bytes ---- */

static bool is_erased(const struct port *port, const uint8_t *bytes, uint32_t size_bytes)
{
    uint32_t erased = 0;
    while (erased < size_bytes && bytes[erased] == port->flash.erased_value) {
        erased++;
    }
    return erased == size_bytes;
}

/* CRC-32 (IEEE 802.3, reflected), four bits at a time; crc: 0, or the result so far. */
static uint32_t crc32(uint32_t crc, const uint8_t *bytes, uint32_t size_bytes)
{
    static const uint32_t table[16] = {
        0x00000000, 0x1db71064, 0x3b6e20c8, 0x26d930ac, 0x76dc4190, 0x6b6b51f4,
        0x4db26158, 0x5005713c, 0xedb88320, 0xf00f9344, 0xd6d6a3e8, 0xcb61b38c,
        0x9b64c2b0, 0x86d3d2d4, 0xa00ae278, 0xbdbdf21c,
    };
    crc = ~crc;
    for (uint32_t i = 0; i < size_bytes; i++) {
        crc = (crc >> 4) ^ table[(crc ^ bytes[i]) & 15u];
        crc = (crc >> 4) ^ table[(crc ^ (uint32_t)(bytes[i] >> 4)) & 15u];
    }
    return ~crc;
}

static void put_u32(uint8_t *bytes, uint32_t value)
{
    for (uint32_t i = 0; i < 4; i++) {
        bytes[i] = (uint8_t)(value >> (8 * i));
    }
}

static void put_u64(uint8_t *bytes, uint64_t value)
{
    put_u32(bytes, (uint32_t)value);
    put_u32(bytes + 4, (uint32_t)(value >> 32));
}

static uint32_t get_u32(const uint8_t *bytes)
{
    uint32_t value = 0;
    for (uint32_t i = 0; i < 4; i++) {
        value |= (uint32_t)bytes[i] << (8 * i);
    }
    return value;
}

static uint64_t get_u64(const uint8_t *bytes)
{
    return get_u32(bytes) | (uint64_t)get_u32(bytes + 4) << 32;
}
