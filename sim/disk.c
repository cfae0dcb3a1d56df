#include "sim/disk.h"

#include <string.h>

#include "core/check.h"

/* What a name leads to after a power loss. */
enum entry { ENTRY_OLD, ENTRY_NEW, ENTRY_ABSENT };

static void process_ended(struct disk *disk);
static void directory_settle(struct disk *disk, struct random_stream *draws);

void disk_init(struct disk *disk, struct disk_profile profile, const struct disk_hooks *hooks)
{
    memset(disk, 0, sizeof(*disk));
    disk->profile = profile;
    if (profile.sector_bytes == 0) {
        disk->profile.sector_bytes = DISK_SECTOR_BYTES_DEFAULT;
    }
    CHECK(disk->profile.sector_bytes == DISK_UNIT_BYTES ||
          disk->profile.sector_bytes == DISK_SECTOR_BYTES_DEFAULT);
    if (hooks != NULL) {
        disk->hooks = *hooks;
    }
}

void disk_drop(struct disk *disk)
{
    for (uint32_t i = 0; i < DISK_FILES_MAX; i++) {
        disk_file_release(&disk->files[i]);
    }
}

void disk_power_loss(struct disk *disk, uint64_t key)
{
    struct random_stream draws = {.key = key};

    process_ended(disk);
    for (uint32_t i = 0; i < DISK_FILES_MAX; i++) {
        struct disk_file *file = &disk->files[i];
        if (file->used) {
            const bool harmed =
                disk_file_settle(file, &disk->profile, &draws, &disk->counters.losses);
            if (harmed && file->lied) {
                disk->counters.lies_exposed++;
            }
            file->lied = false;
        }
    }
    directory_settle(disk, &draws);
}

void disk_crash(struct disk *disk)
{
    process_ended(disk);
}

void disk_erase(struct disk *disk)
{
    process_ended(disk);
    disk_drop(disk);
    disk->lied_directory = false;
}

void disk_copy(struct disk *target, const struct disk *source)
{
    CHECK(target != source);
    process_ended(target);
    if (target->profile.sector_bytes != source->profile.sector_bytes) {
        disk_drop(target); /* its bitmaps are of another grain */
    }
    target->profile = source->profile;
    target->lied_directory = source->lied_directory;
    for (uint32_t i = 0; i < DISK_FILES_MAX; i++) {
        const struct disk_file *file = &source->files[i];
        if (file->linked || file->linked_durable) {
            disk_file_copy(&target->files[i], file, source->profile.sector_bytes);
        } else {
            disk_file_release(&target->files[i]);
        }
    }
}

const struct disk_file *disk_find(const struct disk *disk, const char *name)
{
    for (uint32_t i = 0; i < DISK_FILES_MAX; i++) {
        const struct disk_file *file = &disk->files[i];
        if (file->linked && strcmp(file->name, name) == 0) {
            return file;
        }
    }
    return NULL;
}

enum disk_verdict disk_ask(struct disk *disk, enum disk_operation operation, uint32_t file,
                           uint64_t offset, const uint8_t *bytes, uint32_t size_bytes)
{
    const struct disk_hooks *hooks = &disk->hooks;
    enum disk_verdict verdict = DISK_PROCEED;

    if (disk->faults.dead) {
        return DISK_DIE_BEFORE;
    }
    disk->counters.operations++;
    if (hooks->operation != NULL) {
        verdict = hooks->operation(hooks->ctx, operation, file, offset, bytes, size_bytes);
    }
    if (verdict == DISK_PROCEED && disk->faults.dead) {
        verdict = DISK_DIE_BEFORE; /* the hook cut the power by hand */
    }
    if (disk->faults.failing_ppm > 0 &&
        random_chance(&disk->faults.failing, disk->faults.failing_ppm) && verdict == DISK_PROCEED) {
        verdict = DISK_FAIL;
    }
    if (verdict == DISK_FAIL) {
        disk->counters.failures++;
    } else if (verdict != DISK_PROCEED) {
        disk->faults.dead = true;
    }
    return verdict;
}

void disk_directory_sync(struct disk *disk)
{
    bool lied = false;

    for (uint32_t i = 0; i < DISK_FILES_MAX; i++) {
        struct disk_file *file = &disk->files[i];
        if (file->linked != file->linked_durable && disk->faults.lying) {
            lied = true;
        } else if (file->linked != file->linked_durable) {
            file->linked_durable = file->linked;
            disk_release_unreachable(disk, i);
        }
    }
    disk->lied_directory = lied;
    disk->counters.lies += lied ? 1u : 0u;
}

void disk_release_unreachable(struct disk *disk, uint32_t file)
{
    struct disk_file *const gone = &disk->files[file];

    if (gone->used && !gone->linked && !gone->linked_durable && gone->handle_count == 0) {
        disk_file_release(gone);
    }
}

static void entry_settle(struct disk_file *file, enum entry entry)
{
    const bool kept =
        (entry == ENTRY_OLD && file->linked_durable) || (entry == ENTRY_NEW && file->linked);
    file->linked = kept;
    file->linked_durable = kept;
}

/* The other file of the same name, if the name leads to one now and to another after a sync. */
static struct disk_file *entry_rival(struct disk *disk, const struct disk_file *file)
{
    for (uint32_t i = 0; i < DISK_FILES_MAX; i++) {
        struct disk_file *rival = &disk->files[i];
        if (rival != file && rival->linked != rival->linked_durable &&
            strcmp(rival->name, file->name) == 0) {
            return rival;
        }
    }
    return NULL;
}

static void directory_settle(struct disk *disk, struct random_stream *draws)
{
    bool harmed = false;

    for (uint32_t i = 0; i < DISK_FILES_MAX; i++) {
        struct disk_file *file = &disk->files[i];
        if (file->linked != file->linked_durable) {
            struct disk_file *rival = entry_rival(disk, file);
            const enum entry entry = (enum entry)random_below(draws, rival != NULL ? 3u : 2u);
            if (entry != ENTRY_NEW) {
                disk->counters.entries_lost++;
                harmed = true;
            }
            entry_settle(file, entry);
            if (rival != NULL) {
                entry_settle(rival, entry);
            }
        }
    }
    for (uint32_t i = 0; i < DISK_FILES_MAX; i++) {
        if (disk->files[i].used && !disk->files[i].linked) {
            disk_file_release(&disk->files[i]);
        }
    }
    if (harmed && disk->lied_directory) {
        disk->counters.lies_exposed++;
    }
    disk->lied_directory = false;
}

/* All handles are stale, and the disk is there for the next process. */
static void process_ended(struct disk *disk)
{
    disk->generation++;
    disk->faults.dead = false;
    for (uint32_t i = 0; i < DISK_FILES_MAX; i++) {
        disk->files[i].handle_count = 0;
        disk_release_unreachable(disk, i);
    }
}
