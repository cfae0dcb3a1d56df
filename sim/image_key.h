/* The key of a crash image: all of it that decides what the device will do, and nothing else.
 *
 * Numbers that only grow (the sequences of sectors and records, epochs, counters) would make every
 * image another one for ever, and no search would end. What core does depends on their order: so
 * they count by their rank among the numbers of their kind, and, for sectors, by which of them
 * follow each other directly. Of the stores a sector counts as its header, its frames and what each
 * unit behind them is, whatever it says: but where a frame for certain is torn, how far it came is
 * forgotten, since a mount copies what stands before it and erases the rest. A sector without a
 * valid header is erased before anything else is read of it, and counts as what its header looks
 * like. All other sectors count bit by bit.
 *
 * This is a claim about core. explore.h tests it on samples: images of one key are run side by
 * side, and must behave alike.
 */
#ifndef BROWNOUT_SIM_IMAGE_KEY_H
#define BROWNOUT_SIM_IMAGE_KEY_H

#include <stdbool.h>
#include <stdint.h>

#include "core/slot.h"
#include "sim/flash.h"

/* Kinds of numbers that count by their rank. */
enum key_kind {
    KEY_BOOT_SECTOR,
    KEY_BOOT_RECORD,
    KEY_APP_SECTOR,
    KEY_APP_RECORD,
    KEY_EPOCH,
    KEY_COUNTER,
    KEY_KIND_COUNT,
    KEY_PLAIN = KEY_KIND_COUNT /* counts as it is */
};

enum { KEY_SECTORS_MAX = 64 }; /* that a set of them can name */

struct image_key;

struct image_key *image_key_create(const struct flash_profile *profile,
                                   const struct slot_layout *layout);
void image_key_free(struct image_key *key);

/* A key is made of a flash and of numbers beside it, in one order: begin, add..., end. */
void image_key_begin(struct image_key *key);
void image_key_add(struct image_key *key, enum key_kind kind, uint64_t value);
void image_key_bytes(struct image_key *key, const void *bytes, uint32_t size_bytes);
/* All sectors, and the security counter. masked: sectors that count as "anything": bit i for sector
 * i. */
void image_key_flash(struct image_key *key, const struct flash *flash, uint64_t masked);
/* The sectors of one store alone; whatever the flash has beside them is not looked at. */
void image_key_store(struct image_key *key, const struct flash *flash, struct slot_region region);
void image_key_end(struct image_key *key, uint64_t digest[2]);

/* Has a store a sector of its log that is not certain? Not between begin and end. */
bool image_key_tainted(struct image_key *key, const struct flash *flash, struct slot_region region);

#endif
