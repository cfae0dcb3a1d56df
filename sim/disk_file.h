/* A file of the simulated disk: its bytes, which of them are durable, and its place in the
 * directory. For disk.c and disk_vfs.c; what is promised stands in disk.h. */
#ifndef BROWNOUT_SIM_DISK_FILE_H
#define BROWNOUT_SIM_DISK_FILE_H

#include <stdbool.h>
#include <stdint.h>

#include "sim/random.h"

enum {
    DISK_NAME_BYTES_MAX = 48, /* with its final zero */
    DISK_UNIT_BYTES = 512,    /* what the medium writes whole: the grain of a tear */
    DISK_SECTOR_BYTES_DEFAULT = 4096,
    DISK_FILE_BYTES_MAX = 1 << 30, /* beyond it: SQLITE_FULL */
    DISK_FRACTION_WHOLE = 65536,
};

/* The medium; all zero is the default. */
struct disk_profile {
    uint32_t sector_bytes; /* 512 (never torn) or 4096; 0: DISK_SECTOR_BYTES_DEFAULT */
    bool torn_spoils;      /* what is behind a tear is noise: see disk.h */
};

/* What power losses did to dirty sectors and to sizes. */
struct disk_losses {
    uint64_t lost, written, torn; /* sectors */
    uint64_t sizes;               /* files that went back to their durable size */
};

/* A file is its bytes and its place in the directory, now and after a power loss. A clean sector is
 * durable as it is; for a dirty one `before` has what is durable (nothing where it lies behind
 * durable_bytes). So a sync copies nothing, and an append neither. */
struct disk_file {
    char name[DISK_NAME_BYTES_MAX]; /* empty: temporary, never in the directory */
    bool used;
    bool linked, linked_durable;
    bool lied; /* dirty, and a sync said otherwise */
    uint32_t handle_count;
    uint32_t size_bytes, durable_bytes;
    uint8_t *current;        /* capacity_bytes; zero from size_bytes on */
    uint8_t *before;         /* before_bytes */
    uint64_t *dirty;         /* a bit per sector of current */
    uint32_t capacity_bytes; /* a power of two */
    uint32_t before_bytes;
    uint32_t dirty_first, dirty_end; /* no dirty sector outside; equal when all is clean */
};

void disk_file_write(struct disk_file *file, uint32_t offset, const uint8_t *bytes,
                     uint32_t size_bytes, uint32_t sector_bytes);
/* A longer size is a hole at the end. */
void disk_file_truncate(struct disk_file *file, uint32_t size_bytes, uint32_t sector_bytes);
/* Not all of it is durable. */
bool disk_file_is_volatile(const struct disk_file *file);
/* All that is current is durable. */
void disk_file_sync(struct disk_file *file);
/* A sync that was cut: fraction/65536 of the dirty sectors, the lower ones, is durable; the size is
 * not, so nothing that a truncation cut off counts. */
void disk_file_sync_share(struct disk_file *file, uint32_t fraction, uint32_t sector_bytes);
/* A power loss: what is left is current and durable. Returns true if anything was lost. */
bool disk_file_settle(struct disk_file *file, const struct disk_profile *profile,
                      struct random_stream *draws, struct disk_losses *losses);
/* Handles are not copied; buffers of target are used again. */
void disk_file_copy(struct disk_file *target, const struct disk_file *source,
                    uint32_t sector_bytes);
/* Free it; the struct is blank again. */
void disk_file_release(struct disk_file *file);

#endif
