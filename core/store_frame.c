/* sector = header | frame | frame | ... | erased
 *
 *   header   magic 4 | version 4 | sequence 8 | replaces 8 | erased | crc 4; at least two units
 *   frame    crc 4 | size 4 | sequence 8 | id 8 | bytes
 *
 * Each part is padded with the erased value to whole program units; numbers are little-endian. */
#include "core/store_inside.h"

#include <string.h>

#include "core/check.h"
#include "core/crc32.h"

enum {
    HEADER_MAGIC = 0x4c57424f, /* "OBWL" */
    HEADER_VERSION = 2,
    HEADER_FIELDS_BYTES = 24,
    HEADER_BYTES_MAX = 2 * STORE_UNIT_BYTES_MAX,
    CRC_BYTES = 4,
};

static uint32_t align(const struct port *port, uint32_t size_bytes);
static uint32_t header_bytes(const struct port *port);
static void header_make(const struct port *port, uint64_t sequence, uint64_t replaces,
                        uint8_t bytes[HEADER_BYTES_MAX]);
static uint32_t frame_crc(const struct store_frame *frame, uint64_t sector_sequence);
static enum err unreadable(const struct port *port, struct store_frame *frame);
static enum err program(const struct store *store, const struct port *port, uint32_t sector,
                        uint32_t position, const uint8_t *bytes, uint32_t size_bytes) MUST_USE;
static void put_u32(uint8_t *bytes, uint32_t value);
static void put_u64(uint8_t *bytes, uint64_t value);
static uint32_t get_u32(const uint8_t *bytes);
static uint64_t get_u64(const uint8_t *bytes);

uint32_t store_frame_bytes(const struct port *port, uint32_t size_bytes)
{
    return align(port, STORE_FRAME_FIELDS_BYTES + size_bytes);
}

uint32_t store_sector_offset(const struct store *store, const struct port *port, uint32_t sector)
{
    CHECK(sector < store->sector_count);
    return (store->first_sector + sector) * port->flash.sector_bytes;
}

uint32_t store_first_frame(const struct port *port)
{
    return header_bytes(port);
}

bool store_is_erased(const struct port *port, const uint8_t *bytes, uint32_t size_bytes)
{
    uint32_t erased = 0;
    while (erased < size_bytes && bytes[erased] == port->flash.erased_value) {
        erased++;
    }
    return erased == size_bytes;
}

/* ---- Headers ---- */

enum err store_header_read(const struct store *store, const struct port *port, uint32_t sector,
                           struct store_header *header)
{
    uint8_t bytes[HEADER_BYTES_MAX];
    const uint32_t size_bytes = header_bytes(port);
    memset(header, 0, sizeof(*header));
    if (port->flash_read(port->ctx, store_sector_offset(store, port, sector), bytes, size_bytes) !=
        ERR_OK) {
        header->unreadable = true;
        return port->flash.ecc ? ERR_OK : ERR_IO;
    }
    header->blank = store_is_erased(port, bytes, size_bytes);
    const uint32_t crc = crc32(0, bytes, HEADER_FIELDS_BYTES);
    if (get_u32(bytes) == HEADER_MAGIC && get_u32(bytes + 4) == HEADER_VERSION &&
        get_u32(bytes + size_bytes - CRC_BYTES) == crc) {
        header->sequence = get_u64(bytes + 8);
        header->replaces = get_u64(bytes + 16);
        if (header->sequence > STORE_SEQUENCE_MAX || header->replaces >= header->sequence) {
            header->sequence = header->replaces = 0; /* 0 of 0: it is not valid either */
        }
    }
    return ERR_OK;
}

enum err store_header_program(const struct store *store, const struct port *port, uint32_t sector,
                              uint64_t replaces)
{
    uint8_t bytes[HEADER_BYTES_MAX];
    header_make(port, store->sector_headers[sector], replaces, bytes);
    return program(store, port, sector, 0, bytes, header_bytes(port));
}

enum err store_header_spoil(const struct store *store, const struct port *port, uint32_t sector)
{
    uint8_t bytes[HEADER_BYTES_MAX];
    memset(bytes, (uint8_t)~port->flash.erased_value, sizeof(bytes));
    return program(store, port, sector, 0, bytes, header_bytes(port));
}

/* ---- Frames ---- */

enum err store_frame_read(const struct store *store, const struct port *port, uint32_t sector,
                          uint32_t position, struct store_frame *frame)
{
    const uint32_t sector_bytes = port->flash.sector_bytes;
    const uint32_t offset = store_sector_offset(store, port, sector) + position;
    if (position > sector_bytes || sector_bytes - position < STORE_FRAME_FIELDS_BYTES) {
        return ERR_NOT_FOUND;
    }
    if (port->flash_read(port->ctx, offset, frame->bytes, STORE_FRAME_FIELDS_BYTES) != ERR_OK) {
        return unreadable(port, frame);
    }
    frame->size_bytes = get_u32(frame->bytes + 4);
    frame->sequence = get_u64(frame->bytes + 8);
    frame->id = get_u64(frame->bytes + 16);
    if (frame->sequence == 0 || frame->sequence > STORE_SEQUENCE_MAX || frame->size_bytes == 0 ||
        frame->size_bytes > STORE_RECORD_BYTES_MAX ||
        store_frame_bytes(port, frame->size_bytes) > sector_bytes - position) {
        return ERR_CORRUPT;
    }
    if (port->flash_read(port->ctx, offset + STORE_FRAME_FIELDS_BYTES,
                         frame->bytes + STORE_FRAME_FIELDS_BYTES, frame->size_bytes) != ERR_OK) {
        return unreadable(port, frame);
    }
    const uint32_t crc = frame_crc(frame, store->sector_headers[sector]);
    return get_u32(frame->bytes) == crc ? ERR_OK : ERR_CORRUPT;
}

enum err store_frame_program(const struct store *store, const struct port *port,
                             struct store_frame *frame)
{
    const uint32_t frame_bytes = store_frame_bytes(port, frame->size_bytes);
    const uint32_t used_bytes = STORE_FRAME_FIELDS_BYTES + frame->size_bytes;
    const uint32_t offset = store_sector_offset(store, port, store->head_sector);
    CHECK(frame_bytes <= sizeof(frame->bytes));
    CHECK(frame->sequence != 0);
    put_u32(frame->bytes + 4, frame->size_bytes);
    put_u64(frame->bytes + 8, frame->sequence);
    put_u64(frame->bytes + 16, frame->id);
    put_u32(frame->bytes, frame_crc(frame, store->sector_headers[store->head_sector]));
    memset(frame->bytes + used_bytes, port->flash.erased_value, frame_bytes - used_bytes);
    return port->flash_program(port->ctx, offset + store->head_offset, frame->bytes, frame_bytes) ==
                   ERR_OK
               ? ERR_OK
               : ERR_IO;
}

/* Something is there, and it is not valid. */
static enum err unreadable(const struct port *port, struct store_frame *frame)
{
    memset(frame->bytes, (uint8_t)~port->flash.erased_value, STORE_FRAME_FIELDS_BYTES);
    return port->flash.ecc ? ERR_CORRUPT : ERR_IO;
}

/* ---- The form of each ---- */

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

static void header_make(const struct port *port, uint64_t sequence, uint64_t replaces,
                        uint8_t bytes[HEADER_BYTES_MAX])
{
    CHECK(sequence != 0);
    CHECK(replaces < sequence);
    memset(bytes, port->flash.erased_value, HEADER_BYTES_MAX);
    put_u32(bytes, HEADER_MAGIC);
    put_u32(bytes + 4, HEADER_VERSION);
    put_u64(bytes + 8, sequence);
    put_u64(bytes + 16, replaces);
    const uint32_t crc = crc32(0, bytes, HEADER_FIELDS_BYTES);
    put_u32(bytes + header_bytes(port) - CRC_BYTES, crc);
}

/* The sector's sequence is part of it: a frame of the sector's last life is none of this one. */
static uint32_t frame_crc(const struct store_frame *frame, uint64_t sector_sequence)
{
    uint8_t bytes[8];
    put_u64(bytes, sector_sequence);
    const uint32_t crc = crc32(0, bytes, sizeof(bytes));
    return crc32(crc, frame->bytes + CRC_BYTES,
                 STORE_FRAME_FIELDS_BYTES - CRC_BYTES + frame->size_bytes);
}

/* Durable once it returns ERR_OK. */
static enum err unreadable(const struct port *port, struct store_frame *frame);
static enum err program(const struct store *store, const struct port *port, uint32_t sector,
                        uint32_t position, const uint8_t *bytes, uint32_t size_bytes)
{
    const uint32_t offset = store_sector_offset(store, port, sector) + position;
    if (port->flash_program(port->ctx, offset, bytes, size_bytes) != ERR_OK ||
        port->flash_sync(port->ctx) != ERR_OK) {
        return ERR_IO;
    }
    return ERR_OK;
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
