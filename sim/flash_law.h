/* Who may write where in a device's flash: the rule behind flash.bounds (I16), as a pure function.
 *
 *   boot loader               its own store
 *   image that runs in a slot the application's store, the boot loader's (the record of trials and
 *                             confirmations), and the other slot; never the slot that it runs from
 *
 * Nobody else is there to write, and what no region covers belongs to nobody. An operation lies
 * within one region: one that begins in a store and ends in a slot is out of bounds.
 */
#ifndef BROWNOUT_SIM_FLASH_LAW_H
#define BROWNOUT_SIM_FLASH_LAW_H

#include <stdbool.h>
#include <stdint.h>

#include "core/slot.h"

struct flash_range {
    uint32_t offset, size_bytes;
};

/* running: the slot of the image that runs; SLOT_NONE: the boot loader does. False as well for an
 * empty range, and for one that ends outside the flash. */
bool flash_law_may_write(const struct slot_layout *layout, const struct flash_geometry *geometry,
                         uint32_t running, struct flash_range range);

#endif
