/* What a server's crash image really holds, read on a copy: the judge's only look at durability. */
#ifndef BROWNOUT_SIM_IMAGE_H
#define BROWNOUT_SIM_IMAGE_H

#include "models/model.h"
#include "sim/disk.h"

/* What would be left if the power went now: without harm to the disk itself. */
struct image_cut {
    uint64_t key; /* of the draws that disk_power_loss makes */
};

/* Read the tables of a cloud or a gateway from a copy of its disk and hand each row on as an
 * observation (TRUTH_READING, TRUTH_WINDOW, TRUTH_QUEUED; kind, device, epoch, counter and body are
 * set), in key order. `scratch` is overwritten. False: the image does not open or is corrupt. A
 * disk without a database, or without tables, has no rows. cut NULL: the power is gone already. */
bool image_read(const struct disk *disk, struct disk *scratch, bool cloud,
                const struct image_cut *cut, void *ctx,
                void (*row)(void *ctx, const struct observation *row));

#endif
