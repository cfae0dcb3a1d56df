/* One simulated disk of one server node, offered to SQLite as a VFS.
 *
 * What is written is visible at once and durable only after a sync:
 *   - a sync of a file makes its dirty sectors and its size durable;
 *   - creation and deletion of a file are durable only once the directory is synced. As in SQLite's
 *     unix VFS that happens at the first sync of a journal or WAL after its open, and when a
 *     deletion asks for it; one sync covers the whole directory;
 *   - a power loss draws for each dirty sector: lost, written or torn (a prefix of 512-byte units);
 *     for each file its old or its new size (what was never written reads as zero); for each name
 *     its old or its new entry. A name that was deleted and created anew may also be absent. A file
 *     that was both created and deleted since the last sync of the directory never comes back;
 *   - the death of the process alone keeps all that was written, still not durable.
 *
 * What the VFS promises to SQLite: sectors of `sector_bytes`, no atomic write, no order of writes.
 * With torn_spoils unset also SQLITE_IOCAP_POWERSAFE_OVERWRITE, as the unix VFS does, and the model
 * keeps it: a torn sector mixes old and new units, so bytes that were not written are never harmed.
 * With torn_spoils set the units behind a tear are noise, durable ones included; the promise is
 * then withdrawn, and SQLite pads its commits and journals to whole sectors.
 *
 * There is no shared memory (io methods version 1): WAL needs locking_mode=EXCLUSIVE. Locks always
 * succeed: one connection per file. A `struct disk` must outlive the handles opened on it.
 */
#ifndef BROWNOUT_SIM_DISK_H
#define BROWNOUT_SIM_DISK_H

#include <stdbool.h>
#include <stdint.h>

#include "sim/disk_file.h"
#include "sim/random.h"

#define DISK_VFS_NAME "brownout"

enum {
    DISK_SLOTS_MAX = 4096, /* disks attached at once: server nodes and judged copies */
    DISK_FILES_MAX = 16,   /* database, journal, WAL, temporary files; old and new of each */
};

/* Asking for a file's size or existence is none: that is served from memory. */
enum disk_operation {
    DISK_OPEN, /* creates the file where there is none */
    DISK_READ,
    DISK_WRITE,
    DISK_SYNC,
    DISK_TRUNCATE, /* offset: the new size */
    DISK_DELETE,
    DISK_SYNC_DIRECTORY, /* file: the one whose sync or deletion asked for it */
};

/* What becomes of an operation. After a death every call answers SQLITE_IOERR until
 * disk_power_loss, disk_crash or disk_erase. */
enum disk_verdict {
    DISK_PROCEED,
    DISK_FAIL,       /* an IO error, without effect; the disk lives on */
    DISK_DIE_BEFORE, /* dead, without effect */
    DISK_DIE_AFTER,  /* dead; the effect took place, nobody was told */
    /* Dead in between: of a write, the first torn_fraction/65536 of its bytes; of a sync, that
     * share of the dirty sectors. Any other operation has no parts: as DISK_DIE_BEFORE. */
    DISK_DIE_TORN,
};

/* How the node watches its disk; each may be NULL. */
struct disk_hooks {
    void *ctx;
    /* Asked before the effect of each operation. bytes: of a write, borrowed; else NULL. */
    enum disk_verdict (*operation)(void *ctx, enum disk_operation operation, uint32_t file,
                                   uint64_t offset, const uint8_t *bytes, uint32_t size_bytes);
    void (*randomness)(void *ctx, uint8_t *bytes, uint32_t size_bytes);
    uint64_t (*wall_us)(void *ctx); /* since 1970 */
};

/* Faults in force; the plan sets and clears them at any time. */
struct disk_faults {
    bool dead;                    /* all answers are SQLITE_IOERR */
    bool full;                    /* a write that grows a file is SQLITE_FULL */
    bool lying;                   /* a sync answers OK and makes nothing durable */
    uint32_t failing_ppm;         /* share of operations that are an IO error */
    struct random_stream failing; /* where that is drawn from: one draw an operation while > 0 */
};

/* What happened since disk_init, for probes. */
struct disk_counters {
    uint64_t operations;
    uint64_t failures;     /* IO errors drawn, or ordered by the hook */
    uint64_t refusals;     /* SQLITE_FULL */
    uint64_t lies;         /* syncs that answered OK and kept something volatile */
    uint64_t lies_exposed; /* files and directories lied about when the power went */
    uint64_t entries_lost; /* creations and deletions undone */
    struct disk_losses losses;
};

struct disk {
    struct disk_profile profile;
    struct disk_hooks hooks;
    struct disk_faults faults;
    struct disk_counters counters;
    uint16_t torn_fraction; /* the hook sets it before it answers DISK_DIE_TORN */
    bool lied_directory;
    uint64_t generation; /* raised when the process dies: older handles answer SQLITE_IOERR */
    struct disk_file files[DISK_FILES_MAX];
};

/* A blank disk; copies its arguments. hooks NULL: none. */
void disk_init(struct disk *disk, struct disk_profile profile, const struct disk_hooks *hooks);
/* Frees all; handles are closed, the disk is detached. */
void disk_drop(struct disk *disk);

/* The power went: decide by draws of `key` what is left. Afterwards all content is durable, the
 * disk answers again (faults.dead is cleared), and handles from before answer SQLITE_IOERR for
 * ever. */
void disk_power_loss(struct disk *disk, uint64_t key);
/* The process died: as disk_power_loss, but content stays as written, and as volatile as it was. */
void disk_crash(struct disk *disk);
/* A new, blank medium in place of the old one. */
void disk_erase(struct disk *disk);
/* Content and directory of source, volatile state included, and its profile; not hooks, faults and
 * counters. Handles on target go stale. Costs the bytes in use; buffers of target serve again. */
void disk_copy(struct disk *target, const struct disk *source);

/* The linked file of that name, or NULL. */
const struct disk_file *disk_find(const struct disk *disk, const char *name);

/* The VFS is one per process: paths "disk<slot>/<name>" lead to the disk attached to that slot. */
void disk_vfs_register(bool as_default);
void disk_attach(struct disk *disk, uint32_t slot);
void disk_detach(uint32_t slot);
/* Whose randomness, time and space for temporary files SQLite gets: the stepping node's. NULL:
 * zeros, 2000-01-01, none. */
void disk_set_current(struct disk *disk);
/* SQLite's generator is one per process: forget its state, so that it is seeded anew, by the
 * current disk, before its next use. It asks its default VFS. */
void disk_reset_randomness(void);

/* For disk_vfs.c: what an operation asks first, and what it does to the directory.
 * disk_ask: the hook's verdict, and the faults'. The effect is due on DISK_PROCEED and
 * DISK_DIE_AFTER, and in part on DISK_DIE_TORN. A dead disk answers DISK_DIE_BEFORE, and the hook
 * does not hear of it. */
enum disk_verdict disk_ask(struct disk *disk, enum disk_operation operation, uint32_t file,
                           uint64_t offset, const uint8_t *bytes, uint32_t size_bytes);
void disk_directory_sync(struct disk *disk);
/* Free the file if nobody can reach it any more, now or after a power loss. */
void disk_release_unreachable(struct disk *disk, uint32_t file);

#endif
