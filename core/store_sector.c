#include "core/store_inside.h"

#include <string.h>

#include "core/check.h"

_Static_assert(STORE_SECTORS_MAX <= 64u, "sectors_blank has a bit for each sector");

void store_init(struct store *store, const struct port *port, uint32_t first_sector,
                uint32_t sector_count)
{
    const struct flash_geometry *flash = &port->flash;
    CHECK(sector_count >= 3 && sector_count <= STORE_SECTORS_MAX);
    CHECK(first_sector <= flash->sector_count);
    CHECK(sector_count <= flash->sector_count - first_sector);
    CHECK(flash->program_bytes >= 1 && flash->program_bytes <= STORE_UNIT_BYTES_MAX);
    CHECK(flash->sector_bytes % flash->program_bytes == 0);
    CHECK(flash->sector_bytes > store_first_frame(port));
    CHECK(store_frame_bytes_max(port) >= store_frame_bytes(port, 1));
    memset(store, 0, sizeof(*store));
    store->first_sector = first_sector;
    store->sector_count = sector_count;
}

/* ---- Sizes and places ---- */

uint32_t store_sector_of(const struct store *store, const struct port *port, uint32_t offset)
{
    return offset / port->flash.sector_bytes - store->first_sector;
}

uint32_t store_sector_room(const struct port *port)
{
    return port->flash.sector_bytes - store_first_frame(port);
}

/* Half a sector at most, or the tail that no record fits into could be most of it. */
uint32_t store_frame_bytes_max(const struct port *port)
{
    const uint32_t unit = port->flash.program_bytes;
    const uint32_t half = store_sector_room(port) / 2 / unit * unit;
    const uint32_t largest = store_frame_bytes(port, STORE_RECORD_BYTES_MAX);
    return largest < half ? largest : half;
}

uint32_t store_head_room(const struct store *store, const struct port *port)
{
    CHECK(store->head_offset <= port->flash.sector_bytes);
    return port->flash.sector_bytes - store->head_offset;
}

uint32_t store_free_sectors(const struct store *store)
{
    uint32_t count = 0;
    for (uint32_t sector = 0; sector < store->sector_count; sector++) {
        count += store->sector_headers[sector] == 0;
    }
    return count;
}

/* ---- A sector's life ---- */

enum err store_sector_erase(struct store *store, const struct port *port, uint32_t sector)
{
    store->sector_headers[sector] = 0;
    store->sector_frames[sector] = 0;
    if (port->flash_erase(port->ctx, store_sector_offset(store, port, sector)) != ERR_OK ||
        port->flash_sync(port->ctx) != ERR_OK) {
        return ERR_IO;
    }
    store->sectors_blank |= UINT64_C(1) << sector;
    store->erases++;
    return ERR_OK;
}

/* One that was erased before this mount is erased again: it may only look erased. */
enum err store_head_take(struct store *store, const struct port *port)
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
    if ((store->sectors_blank & bit) == 0 && store_sector_erase(store, port, sector) != ERR_OK) {
        return ERR_IO;
    }
    store->sectors_blank &= ~bit;
    store->head_sector = sector;
    store->head_offset = store_first_frame(port);
    store->sector_headers[sector] = ++store->sector_sequence;
    return ERR_OK;
}

enum err store_head_append(struct store *store, const struct port *port, struct store_frame *frame)
{
    const uint32_t frame_bytes = store_frame_bytes(port, frame->size_bytes);
    CHECK(frame_bytes <= store_head_room(store, port));
    if (store_frame_program(store, port, frame) != ERR_OK) {
        return ERR_IO;
    }
    const struct store_entry entry = {
        .id = frame->id,
        .offset = store_sector_offset(store, port, store->head_sector) + store->head_offset,
        .size_bytes = frame->size_bytes,
        .sequence = frame->sequence,
    };
    store->head_offset += frame_bytes;
    store->sector_frames[store->head_sector]++;
    store_index_insert(store, &entry);
    return ERR_OK;
}

/* The order is the promise: copies durable, then the header, and only then may the source go. */
enum err store_head_replaces(struct store *store, const struct port *port, uint32_t source)
{
    CHECK(source != store->head_sector);
    const uint64_t replaces = store->sector_headers[source];
    enum err err = port->flash_sync(port->ctx) == ERR_OK ? ERR_OK : ERR_IO;
    if (err == ERR_OK) {
        err = store_header_program(store, port, store->head_sector, replaces);
    }
    if (err == ERR_OK) {
        err = store_sector_erase(store, port, source);
    }
    return err;
}
