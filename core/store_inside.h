/* The parts of the store. Behind store.h; nobody else needs them.
 *
 *   store_frame    what a sector looks like on flash: header, frames, CRC
 *   store_index    the live records, in RAM
 *   store_sector   sectors as they are taken, filled, copied and erased
 *   store_mount    what survived
 *   store          put, get, forget; room, and the compaction that makes it
 *
 * A part uses those above it. What reads or changes flash answers ERR_OK or ERR_IO. */
#ifndef BROWNOUT_CORE_STORE_INSIDE_H
#define BROWNOUT_CORE_STORE_INSIDE_H

#include "core/store.h"

enum {
    STORE_UNIT_BYTES_MAX = 32, /* program unit */
    STORE_FRAME_FIELDS_BYTES = 24,
    STORE_FRAME_BYTES_MAX =
        STORE_FRAME_FIELDS_BYTES + (int)STORE_RECORD_BYTES_MAX + STORE_UNIT_BYTES_MAX,
};

/* No sector and no record has a larger one: whoever claims it did not write it here. Behind it
 * there is room to count on for ever. */
#define STORE_SEQUENCE_MAX (UINT64_MAX / 2)

struct store_header {
    uint64_t sequence; /* 0 = not valid */
    uint64_t replaces; /* sequence of the sector that was copied into this one; 0 = none */
    bool blank;        /* it reads as erased */
    bool unreadable;   /* ECC has given it up */
};

/* One frame in RAM: read once, judged, and programmed again from the same bytes. */
struct store_frame {
    uint64_t id;
    uint64_t sequence;
    uint32_t size_bytes; /* of the record */
    uint8_t bytes[STORE_FRAME_BYTES_MAX];
};

/* ---- store_frame.c ---- */

uint32_t store_sector_offset(const struct store *store, const struct port *port, uint32_t sector);
/* Position of the first frame, behind the header. */
uint32_t store_first_frame(const struct port *port);
bool store_is_erased(const struct port *port, const uint8_t *bytes, uint32_t size_bytes);

enum err store_header_read(const struct store *store, const struct port *port, uint32_t sector,
                           struct store_header *header) MUST_USE;
/* With the sequence that sector_headers has for it; durable. */
enum err store_header_program(const struct store *store, const struct port *port, uint32_t sector,
                              uint64_t replaces) MUST_USE;
/* Program all of its bits; durable: it will never be valid again. Not on parts with ECC. */
enum err store_header_spoil(const struct store *store, const struct port *port,
                            uint32_t sector) MUST_USE;

/* Also ERR_CORRUPT: nothing valid at this position; the log ends here where the fields are erased.
 * ERR_NOT_FOUND: not even room for the fields. */
enum err store_frame_read(const struct store *store, const struct port *port, uint32_t sector,
                          uint32_t position, struct store_frame *frame) MUST_USE;
/* At the head, in one call; not durable yet. frame->bytes holds the record behind the fields. */
enum err store_frame_program(const struct store *store, const struct port *port,
                             struct store_frame *frame) MUST_USE;

/* ---- store_index.c ---- */

/* The place of an id; entry_count if there is none. */
uint32_t store_index_find(const struct store *store, uint64_t id);
void store_index_remove(struct store *store, uint32_t index);
/* The newest version of an id wins; the same version again is a move. */
void store_index_insert(struct store *store, const struct store_entry *entry);

/* ---- store_sector.c ---- */

void store_init(struct store *store, const struct port *port, uint32_t first_sector,
                uint32_t sector_count);
uint32_t store_sector_of(const struct store *store, const struct port *port, uint32_t offset);
/* Bytes that the frames of a sector may take, and the most that one of them may. */
uint32_t store_sector_room(const struct port *port);
uint32_t store_frame_bytes_max(const struct port *port);
uint32_t store_head_room(const struct store *store, const struct port *port);
uint32_t store_free_sectors(const struct store *store);

enum err store_sector_erase(struct store *store, const struct port *port, uint32_t sector) MUST_USE;
/* Make the next free sector in the ring the head, without a header yet. */
enum err store_head_take(struct store *store, const struct port *port) MUST_USE;
/* Program the frame at the head and point the index at it. */
enum err store_head_append(struct store *store, const struct port *port,
                           struct store_frame *frame) MUST_USE;
/* The head now holds all that counts in source: it gets its header, and source is erased. */
enum err store_head_replaces(struct store *store, const struct port *port,
                             uint32_t source) MUST_USE;

#endif
