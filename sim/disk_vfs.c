/* The simulated disk as SQLite sees it: handles, the methods of files, names. */
#include "sim/disk.h"

#include <sqlite3.h>
#include <string.h>

#include "core/check.h"

enum { PATH_BYTES_MAX = 128 };

/* Julian day of 1970-01-01 and time since then to 2000-01-01, in milliseconds. */
static const int64_t julian_1970_ms = INT64_C(210866760000000);
static const int64_t wall_default_ms = INT64_C(946684800000);

/* What SQLite holds of an open file. */
struct disk_handle {
    sqlite3_file base;
    struct disk *disk;
    uint64_t generation;
    uint32_t file;
    bool directory_due; /* the next sync also syncs the directory */
};

/* SQLite has one VFS list and one generator per process, so these are per process too. */
static struct disk *attached[DISK_SLOTS_MAX];
static struct disk *current_disk;
static sqlite3_vfs vfs;

void disk_vfs_register(bool as_default)
{
    /* One thread steps all nodes: SQLite's locks would only cost. Refused, without harm, when
     * SQLite was used before. */
    (void)sqlite3_config(SQLITE_CONFIG_SINGLETHREAD);
    const int rc = sqlite3_vfs_register(&vfs, as_default ? 1 : 0);
    CHECK(rc == SQLITE_OK);
}

void disk_attach(struct disk *disk, uint32_t slot)
{
    CHECK(slot < DISK_SLOTS_MAX);
    CHECK(attached[slot] == NULL);
    attached[slot] = disk;
}

void disk_detach(uint32_t slot)
{
    CHECK(slot < DISK_SLOTS_MAX);
    attached[slot] = NULL;
}

void disk_set_current(struct disk *disk)
{
    current_disk = disk;
}

void disk_reset_randomness(void)
{
    sqlite3_randomness(0, NULL);
}

/* ---- the methods of an open file ---- */

static bool verdict_has_effect(enum disk_verdict verdict)
{
    return verdict == DISK_PROCEED || verdict == DISK_DIE_AFTER;
}

/* What SQLite is told; `failure` is the error of this kind of operation. */
static int verdict_code(enum disk_verdict verdict, int failure)
{
    if (verdict == DISK_PROCEED) {
        return SQLITE_OK;
    }
    return verdict == DISK_FAIL ? failure : SQLITE_IOERR;
}

static int directory_sync(struct disk *disk, uint32_t file)
{
    const enum disk_verdict verdict = disk_ask(disk, DISK_SYNC_DIRECTORY, file, 0, NULL, 0);

    if (verdict_has_effect(verdict)) {
        disk_directory_sync(disk);
    }
    return verdict_code(verdict, SQLITE_IOERR_DIR_FSYNC);
}

static struct disk_file *handle_file(const struct disk_handle *handle)
{
    struct disk_file *file = &handle->disk->files[handle->file];
    CHECK(file->used);
    return file;
}

/* The process that opened this handle is gone, or the disk is. */
static bool handle_is_dead(const struct disk_handle *handle)
{
    return handle->generation != handle->disk->generation || handle->disk->faults.dead;
}

static int io_close(sqlite3_file *base)
{
    struct disk_handle *handle = (struct disk_handle *)base;

    if (handle->generation == handle->disk->generation) {
        struct disk_file *file = handle_file(handle);
        CHECK(file->handle_count > 0);
        file->handle_count--;
        disk_release_unreachable(handle->disk, handle->file);
    }
    return SQLITE_OK;
}

static int io_read(sqlite3_file *base, void *bytes, int size, sqlite3_int64 start)
{
    struct disk_handle *handle = (struct disk_handle *)base;
    const uint64_t offset = (uint64_t)start;
    const uint32_t size_bytes = (uint32_t)size;

    if (handle_is_dead(handle)) {
        return SQLITE_IOERR;
    }
    const enum disk_verdict verdict =
        disk_ask(handle->disk, DISK_READ, handle->file, offset, NULL, size_bytes);
    if (verdict != DISK_PROCEED) {
        return verdict_code(verdict, SQLITE_IOERR_READ);
    }
    const struct disk_file *file = handle_file(handle);
    uint32_t taken = 0;
    if (offset < file->size_bytes) {
        const uint32_t left = file->size_bytes - (uint32_t)offset;
        taken = left < size_bytes ? left : size_bytes;
        memcpy(bytes, file->current + offset, taken);
    }
    if (taken < size_bytes) {
        memset((uint8_t *)bytes + taken, 0, size_bytes - taken);
        return SQLITE_IOERR_SHORT_READ;
    }
    return SQLITE_OK;
}

static int io_write(sqlite3_file *base, const void *bytes, int size, sqlite3_int64 start)
{
    struct disk_handle *handle = (struct disk_handle *)base;
    const uint64_t offset = (uint64_t)start;
    uint32_t size_bytes = (uint32_t)size;

    if (handle_is_dead(handle)) {
        return SQLITE_IOERR;
    }
    struct disk *disk = handle->disk;
    const enum disk_verdict verdict =
        disk_ask(disk, DISK_WRITE, handle->file, offset, bytes, size_bytes);
    struct disk_file *file = handle_file(handle);
    const uint64_t end = offset + size_bytes;
    if (end > DISK_FILE_BYTES_MAX || (disk->faults.full && end > file->size_bytes)) {
        disk->counters.refusals += verdict == DISK_PROCEED ? 1u : 0u;
        return verdict == DISK_PROCEED ? SQLITE_FULL : verdict_code(verdict, SQLITE_IOERR_WRITE);
    }
    if (verdict == DISK_DIE_TORN) {
        size_bytes = (uint32_t)((uint64_t)size_bytes * disk->torn_fraction / DISK_FRACTION_WHOLE);
    }
    if (verdict_has_effect(verdict) || verdict == DISK_DIE_TORN) {
        disk_file_write(file, (uint32_t)offset, bytes, size_bytes, disk->profile.sector_bytes);
    }
    return verdict_code(verdict, SQLITE_IOERR_WRITE);
}

static int io_truncate(sqlite3_file *base, sqlite3_int64 size)
{
    struct disk_handle *handle = (struct disk_handle *)base;

    if (handle_is_dead(handle)) {
        return SQLITE_IOERR;
    }
    const enum disk_verdict verdict =
        disk_ask(handle->disk, DISK_TRUNCATE, handle->file, (uint64_t)size, NULL, 0);
    if (size < 0 || size > DISK_FILE_BYTES_MAX) {
        return SQLITE_IOERR_TRUNCATE;
    }
    if (verdict_has_effect(verdict)) {
        disk_file_truncate(handle_file(handle), (uint32_t)size, handle->disk->profile.sector_bytes);
    }
    return verdict_code(verdict, SQLITE_IOERR_TRUNCATE);
}

static int io_sync(sqlite3_file *base, int flags)
{
    struct disk_handle *handle = (struct disk_handle *)base;

    (void)flags; /* no sync is lighter than another */
    if (handle_is_dead(handle)) {
        return SQLITE_IOERR;
    }
    struct disk *disk = handle->disk;
    const enum disk_verdict verdict = disk_ask(disk, DISK_SYNC, handle->file, 0, NULL, 0);
    struct disk_file *file = handle_file(handle);
    if (disk->faults.lying) {
        if (verdict == DISK_PROCEED && disk_file_is_volatile(file)) {
            file->lied = true;
            disk->counters.lies++;
        }
    } else if (verdict_has_effect(verdict)) {
        disk_file_sync(file);
        file->lied = false;
    } else if (verdict == DISK_DIE_TORN) {
        disk_file_sync_share(file, disk->torn_fraction, disk->profile.sector_bytes);
    }
    int code = verdict_code(verdict, SQLITE_IOERR_FSYNC);
    if (code == SQLITE_OK && handle->directory_due) {
        code = directory_sync(disk, handle->file);
        handle->directory_due = code != SQLITE_OK;
    }
    return code;
}

static int io_file_size(sqlite3_file *base, sqlite3_int64 *size)
{
    struct disk_handle *handle = (struct disk_handle *)base;

    if (handle_is_dead(handle)) {
        return SQLITE_IOERR;
    }
    *size = handle_file(handle)->size_bytes;
    return SQLITE_OK;
}

/* A stale connection that closes asks for a lock before it would tidy up files by name. */
static int io_lock(sqlite3_file *base, int level)
{
    (void)level;
    return handle_is_dead((struct disk_handle *)base) ? SQLITE_IOERR : SQLITE_OK;
}

static int io_unlock(sqlite3_file *base, int level)
{
    (void)base;
    (void)level;
    return SQLITE_OK;
}

static int io_check_reserved_lock(sqlite3_file *base, int *reserved)
{
    *reserved = 0; /* one connection: nobody else holds it */
    return handle_is_dead((struct disk_handle *)base) ? SQLITE_IOERR : SQLITE_OK;
}

static int io_file_control(sqlite3_file *base, int operation, void *argument)
{
    (void)base;
    (void)operation;
    (void)argument;
    return SQLITE_NOTFOUND;
}

static int io_sector_size(sqlite3_file *base)
{
    return (int)((struct disk_handle *)base)->disk->profile.sector_bytes;
}

static int io_device_characteristics(sqlite3_file *base)
{
    return ((struct disk_handle *)base)->disk->profile.torn_spoils
               ? 0
               : SQLITE_IOCAP_POWERSAFE_OVERWRITE;
}

static const sqlite3_io_methods io_methods = {
    .iVersion = 1,
    .xClose = io_close,
    .xRead = io_read,
    .xWrite = io_write,
    .xTruncate = io_truncate,
    .xSync = io_sync,
    .xFileSize = io_file_size,
    .xLock = io_lock,
    .xUnlock = io_unlock,
    .xCheckReservedLock = io_check_reserved_lock,
    .xFileControl = io_file_control,
    .xSectorSize = io_sector_size,
    .xDeviceCharacteristics = io_device_characteristics,
};

/* ---- names, randomness, time ---- */

/* "disk<slot>/<name>": the disk in that slot, or NULL. */
static struct disk *path_resolve(const char *path, const char **name)
{
    uint32_t slot = 0;

    if (strncmp(path, "disk", 4) != 0 || path[4] == '/') {
        return NULL;
    }
    for (path += 4; *path >= '0' && *path <= '9'; path++) {
        slot = slot * 10u + (uint32_t)(*path - '0');
        if (slot >= DISK_SLOTS_MAX) {
            return NULL;
        }
    }
    if (path[0] != '/' || path[1] == 0 || strlen(path + 1) >= DISK_NAME_BYTES_MAX) {
        return NULL;
    }
    *name = path + 1;
    return attached[slot];
}

/* The linked file of that name, else a free place; DISK_FILES_MAX if there is none. */
static uint32_t file_place(const struct disk *disk, const char *name)
{
    const struct disk_file *file = name[0] != 0 ? disk_find(disk, name) : NULL;
    uint32_t place = 0;

    if (file != NULL) {
        return (uint32_t)(file - disk->files);
    }
    while (place < DISK_FILES_MAX && disk->files[place].used) {
        place++;
    }
    return place;
}

static int vfs_open(sqlite3_vfs *self, const char *path, sqlite3_file *base, int flags,
                    int *out_flags)
{
    const int durable_types =
        SQLITE_OPEN_MAIN_JOURNAL | SQLITE_OPEN_SUPER_JOURNAL | SQLITE_OPEN_WAL;
    struct disk_handle *handle = (struct disk_handle *)base;
    const char *name = "";
    struct disk *disk = path == NULL ? current_disk : path_resolve(path, &name);

    (void)self;
    memset(handle, 0, sizeof(*handle));
    if (disk == NULL) {
        return SQLITE_CANTOPEN;
    }
    if (disk->faults.dead) {
        return SQLITE_IOERR;
    }
    if ((flags & SQLITE_OPEN_DELETEONCLOSE) != 0) {
        name = "";
    }
    const uint32_t place = file_place(disk, name);
    if (place == DISK_FILES_MAX) {
        return SQLITE_CANTOPEN;
    }
    struct disk_file *file = &disk->files[place];
    if (file->used ? (flags & SQLITE_OPEN_EXCLUSIVE) != 0 : (flags & SQLITE_OPEN_CREATE) == 0) {
        return SQLITE_CANTOPEN;
    }
    const enum disk_verdict verdict = disk_ask(disk, DISK_OPEN, place, 0, NULL, 0);
    if (verdict_has_effect(verdict) && !file->used) {
        memcpy(file->name, name, strlen(name));
        file->used = true;
        file->linked = name[0] != 0;
    }
    if (verdict != DISK_PROCEED) {
        return verdict_code(verdict, SQLITE_IOERR);
    }
    file->handle_count++;
    handle->disk = disk;
    handle->generation = disk->generation;
    handle->file = place;
    handle->directory_due =
        (flags & SQLITE_OPEN_CREATE) != 0 && (flags & durable_types) != 0 && file->linked;
    handle->base.pMethods = &io_methods;
    if (out_flags != NULL) {
        *out_flags = flags;
    }
    return SQLITE_OK;
}

static int vfs_delete(sqlite3_vfs *self, const char *path, int sync_directory)
{
    const char *name = NULL;
    struct disk *disk = path_resolve(path, &name);

    (void)self;
    if (disk == NULL || disk->faults.dead) {
        return SQLITE_IOERR;
    }
    const uint32_t place = file_place(disk, name);
    if (place == DISK_FILES_MAX || !disk->files[place].used) {
        return SQLITE_IOERR_DELETE_NOENT;
    }
    const enum disk_verdict verdict = disk_ask(disk, DISK_DELETE, place, 0, NULL, 0);
    if (verdict_has_effect(verdict)) {
        disk->files[place].linked = false;
        disk_release_unreachable(disk, place);
    }
    if (verdict != DISK_PROCEED || sync_directory == 0) {
        return verdict_code(verdict, SQLITE_IOERR_DELETE);
    }
    return directory_sync(disk, place);
}

static int vfs_access(sqlite3_vfs *self, const char *path, int flags, int *out)
{
    const char *name = NULL;
    struct disk *disk = path_resolve(path, &name);

    (void)self;
    *out = 0;
    if (disk == NULL || disk->faults.dead) {
        return SQLITE_IOERR_ACCESS;
    }
    const struct disk_file *file = disk_find(disk, name);
    /* As the unix VFS: an empty file does not exist, or an empty WAL would count as one. */
    *out = file != NULL && (flags != SQLITE_ACCESS_EXISTS || file->size_bytes > 0) ? 1 : 0;
    return SQLITE_OK;
}

static int vfs_full_pathname(sqlite3_vfs *self, const char *path, int size, char *out)
{
    const size_t length = strlen(path);

    (void)self;
    if (length >= (size_t)size) {
        return SQLITE_CANTOPEN;
    }
    memcpy(out, path, length + 1u);
    return SQLITE_OK;
}

static int vfs_randomness(sqlite3_vfs *self, int size, char *out)
{
    (void)self;
    memset(out, 0, (size_t)size);
    if (current_disk != NULL && current_disk->hooks.randomness != NULL) {
        const struct disk_hooks *hooks = &current_disk->hooks;
        hooks->randomness(hooks->ctx, (uint8_t *)out, (uint32_t)size);
    }
    return size;
}

static int vfs_sleep(sqlite3_vfs *self, int microseconds)
{
    (void)self;
    return microseconds;
}

static int vfs_current_time(sqlite3_vfs *self, sqlite3_int64 *out)
{
    int64_t wall_ms = wall_default_ms;

    (void)self;
    if (current_disk != NULL && current_disk->hooks.wall_us != NULL) {
        wall_ms = (int64_t)(current_disk->hooks.wall_us(current_disk->hooks.ctx) / 1000u);
    }
    *out = julian_1970_ms + wall_ms;
    return SQLITE_OK;
}

static int vfs_last_error(sqlite3_vfs *self, int size, char *out)
{
    (void)self;
    (void)size;
    (void)out;
    return 0;
}

static sqlite3_vfs vfs = {
    .iVersion = 2,
    .szOsFile = sizeof(struct disk_handle),
    .mxPathname = PATH_BYTES_MAX,
    .zName = DISK_VFS_NAME,
    .xOpen = vfs_open,
    .xDelete = vfs_delete,
    .xAccess = vfs_access,
    .xFullPathname = vfs_full_pathname,
    .xRandomness = vfs_randomness,
    .xSleep = vfs_sleep,
    .xGetLastError = vfs_last_error,
    .xCurrentTimeInt64 = vfs_current_time,
};
