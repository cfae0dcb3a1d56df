/* Power-loss-safe log of small records on NOR flash.
 *
 * A record is (id, bytes); putting an id again replaces it. Sectors are filled one after the other,
 * each with a header that carries a growing sequence; when no free sector is left but one, the live
 * records of the oldest sector are copied into it and that oldest sector is erased. Every record
 * has a CRC-32 over id, size, bytes and the sequence of its sector, and only that says what is
 * valid. A record is one program call; each unit of it is programmed once between two erases.
 *
 * A sector is copied so: frames, durable; then the header of the copy (its sequence, and which
 * sector it replaces); then the source is erased. What power may do, and the answer:
 *   - cut in a put: the record is there whole, or not at all; older records are untouched;
 *   - a torn record may read as valid now and not later (uncertain bits): store_mount never appends
 *     behind a tail that it did not write itself. It copies what lives in the newest sector into a
 *     fresh one, and erases the source before it reports success: nothing rests on an uncertain
 *     unit, and the next mount gives the same answer;
 *   - cut in a copy: without its header the copy is nothing, and is made again. A header that reads
 *     as valid stands over a whole copy, but power may have torn that header, and the next mount
 *     may read otherwise: so a mount programs it once more, with the same bytes, before it erases
 *     the source. Whoever lost its source has a certain header;
 *   - cut in an erase: a sector that is not of the log and shows anything in its header is spoilt,
 *     all bits of the header programmed, and erased at mount, so that it can never read as valid
 *     later, half erased; one that looks erased is erased again before use.
 * Mounts may be cut as well, any number in a row.
 *
 * On parts with ECC (port.h) a unit is programmed once, and a torn one does not read: what does is
 * certain, and nothing is programmed again. There a header or a record that does not read counts as
 * torn; but more headers than power can have torn at once are a flash that fails (ERR_IO), and
 * nothing is given up for it.
 *
 * What rots is not repaired, but told from what power tore, and counted: a frame that rotted hides
 * all frames behind it in its sector, newer versions of live records among them, and its owner must
 * know (`lost`). Not seen: rot in the last frame of the newest sector, which looks torn, and in a
 * header, which takes its sector with it; and a program or an erase that says done and is not (a
 * sector that only pretends, stuck bits, a supply too low to write), for nothing is read back.
 *
 * The index of live records is in RAM, in the order in which the records were put.
 */
#ifndef BROWNOUT_CORE_STORE_H
#define BROWNOUT_CORE_STORE_H

#include <stdbool.h>
#include <stdint.h>

#include "core/limits.h"
#include "core/port.h"

struct store_entry {
    uint64_t id;
    uint32_t offset; /* of the record's frame in flash */
    uint32_t size_bytes;
    uint64_t sequence; /* of its put: orders entries, newest copy of an id wins */
};

struct store {
    uint32_t first_sector; /* region of the flash that belongs to this store */
    uint32_t sector_count; /* >= 3 */
    uint32_t head_sector;
    uint32_t head_offset; /* next free byte in the head sector */
    uint64_t sector_sequence;
    uint64_t record_sequence;
    uint64_t sector_headers[STORE_SECTORS_MAX]; /* sequence of each sector; 0 = free */
    uint32_t sector_frames[STORE_SECTORS_MAX];  /* records in each, replaced and forgotten too */
    uint64_t sectors_blank; /* bit i: erased since mount and not programmed since */
    uint32_t entry_count;
    struct store_entry entries[STORE_RECORDS_MAX]; /* ascending sequence */
    uint64_t erases;                               /* since mount */
    uint64_t lost; /* the mount and since: rotten frames, and live records that found no place */
    bool failed;   /* a program or erase failed while the power was on: read-only from here */
};

/* Erase the region and start empty. ERR_OK | ERR_IO: format again, part of the old may be there. */
enum err store_format(struct store *store, const struct port *port, uint32_t first_sector,
                      uint32_t sector_count) MUST_USE;

/* Find what survived. ERR_OK | ERR_NOT_FOUND (no store here: format it) | ERR_IO. */
enum err store_mount(struct store *store, const struct port *port, uint32_t first_sector,
                     uint32_t sector_count) MUST_USE;

/* Append; durable and whole once this returns ERR_OK. bytes: 1..STORE_RECORD_BYTES_MAX.
 * ERR_FULL: the live records leave no room; nothing changed. ERR_RANGE: with its frame the record
 * takes more than half a sector of this flash. ERR_IO: after the next mount the record is there
 * whole or not at all; until then the store is read-only.
 * Cost: one program and one sync; without room in the head also a new sector, or at worst one
 * compaction of each sector (two, when STORE_RECORDS_MAX frames are on flash as well). */
enum err store_put(struct store *store, const struct port *port, uint64_t id, const uint8_t *bytes,
                   uint32_t size_bytes) MUST_USE;

/* Drop a record from the index: its space is reclaimed by compaction. Not durable by itself: after
 * a restart the record may be back. False if there is none. */
bool store_forget(struct store *store, uint64_t id);

/* Read a record; *size_bytes: in capacity, out size. ERR_OK | ERR_NOT_FOUND | ERR_CORRUPT | ERR_IO
 * | ERR_RANGE (buffer too small). */
enum err store_get(const struct store *store, const struct port *port, uint64_t id, uint8_t *bytes,
                   uint32_t *size_bytes) MUST_USE;

/* The bytes that live records take, frames included, and the bytes that they may take: a put whose
 * frame keeps used within capacity finds room (an id that is replaced counts twice until then). */
uint32_t store_used_bytes(const struct store *store, const struct port *port);
uint32_t store_capacity_bytes(const struct store *store, const struct port *port);
/* The bytes that a record of size_bytes takes on this flash. */
uint32_t store_frame_bytes(const struct port *port, uint32_t size_bytes);

#endif
