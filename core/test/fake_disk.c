/* A SQLite VFS for tests: full or broken on demand. */
#include "core/test/fake_disk.h"

#include <stdio.h>
#include <string.h>

#include "core/test/test.h"

struct fake_file {
    sqlite3_file base;
    struct fake_disk *disk;
    bool log;           /* the write-ahead log: what a commit rests on until a checkpoint is done */
    sqlite3_file *real; /* right behind */
};

static struct fake_file *fake_of(sqlite3_file *file)
{
    return (struct fake_file *)(void *)file;
}

static int fake_close(sqlite3_file *file)
{
    struct fake_file *fake = fake_of(file);
    return fake->real->pMethods->xClose(fake->real);
}

static int fake_read(sqlite3_file *file, void *bytes, int size, sqlite3_int64 at)
{
    struct fake_file *fake = fake_of(file);
    return fake->real->pMethods->xRead(fake->real, bytes, size, at);
}

static int fake_write(sqlite3_file *file, const void *bytes, int size, sqlite3_int64 at)
{
    struct fake_file *fake = fake_of(file);
    sqlite3_int64 end = 0;
    if (fake->disk->broken) {
        return SQLITE_IOERR_WRITE;
    }
    EXPECT(fake->real->pMethods->xFileSize(fake->real, &end) == SQLITE_OK);
    if (fake->disk->full && at + size > end) {
        fake->disk->broken = fake->disk->frail;
        return SQLITE_FULL;
    }
    fake->disk->writes++;
    fake->disk->unsynced += fake->log;
    return fake->real->pMethods->xWrite(fake->real, bytes, size, at);
}

static int fake_truncate(sqlite3_file *file, sqlite3_int64 size)
{
    struct fake_file *fake = fake_of(file);
    return fake->disk->broken ? SQLITE_IOERR_TRUNCATE
                              : fake->real->pMethods->xTruncate(fake->real, size);
}

static int fake_sync(sqlite3_file *file, int flags)
{
    struct fake_file *fake = fake_of(file);
    (void)flags; /* a test process does not lose power: no need to wait for a real disk */
    if (fake->disk->broken) {
        return SQLITE_IOERR_FSYNC;
    }
    if (fake->log) {
        fake->disk->unsynced = 0;
    }
    return SQLITE_OK;
}

static int fake_file_size(sqlite3_file *file, sqlite3_int64 *size)
{
    struct fake_file *fake = fake_of(file);
    return fake->real->pMethods->xFileSize(fake->real, size);
}

static int fake_lock(sqlite3_file *file, int level)
{
    struct fake_file *fake = fake_of(file);
    return fake->real->pMethods->xLock(fake->real, level);
}

static int fake_unlock(sqlite3_file *file, int level)
{
    struct fake_file *fake = fake_of(file);
    return fake->real->pMethods->xUnlock(fake->real, level);
}

static int fake_check_reserved(sqlite3_file *file, int *out)
{
    struct fake_file *fake = fake_of(file);
    return fake->real->pMethods->xCheckReservedLock(fake->real, out);
}

static int fake_control(sqlite3_file *file, int operation, void *argument)
{
    struct fake_file *fake = fake_of(file);
    return fake->real->pMethods->xFileControl(fake->real, operation, argument);
}

static int fake_sector_size(sqlite3_file *file)
{
    struct fake_file *fake = fake_of(file);
    return fake->real->pMethods->xSectorSize(fake->real);
}

static int fake_characteristics(sqlite3_file *file)
{
    struct fake_file *fake = fake_of(file);
    return fake->real->pMethods->xDeviceCharacteristics(fake->real);
}

static const sqlite3_io_methods fake_methods = {
    .iVersion = 1, /* no shared memory, no mapping */
    .xClose = fake_close,
    .xRead = fake_read,
    .xWrite = fake_write,
    .xTruncate = fake_truncate,
    .xSync = fake_sync,
    .xFileSize = fake_file_size,
    .xLock = fake_lock,
    .xUnlock = fake_unlock,
    .xCheckReservedLock = fake_check_reserved,
    .xFileControl = fake_control,
    .xSectorSize = fake_sector_size,
    .xDeviceCharacteristics = fake_characteristics,
};

static int fake_open(sqlite3_vfs *vfs, const char *path, sqlite3_file *file, int flags,
                     int *out_flags)
{
    struct fake_disk *disk = vfs->pAppData;
    struct fake_file *fake = fake_of(file);
    memset(fake, 0, sizeof *fake);
    fake->disk = disk;
    fake->log = (flags & SQLITE_OPEN_WAL) != 0;
    fake->real = (sqlite3_file *)(void *)(fake + 1);
    const int code = disk->real->xOpen(disk->real, path, fake->real, flags, out_flags);
    fake->base.pMethods = fake->real->pMethods == NULL ? NULL : &fake_methods;
    return code;
}

void fake_disk_init(struct fake_disk *disk, const char *name)
{
    memset(disk, 0, sizeof *disk);
    disk->real = sqlite3_vfs_find("unix");
    EXPECT(disk->real != NULL);
    disk->vfs = *disk->real;
    disk->vfs.pNext = NULL;
    disk->vfs.zName = name;
    disk->vfs.pAppData = disk;
    disk->vfs.szOsFile = (int)sizeof(struct fake_file) + disk->real->szOsFile;
    disk->vfs.xOpen = fake_open;
    EXPECT(sqlite3_vfs_register(&disk->vfs, 0) == SQLITE_OK);
}

void fake_disk_drop(struct fake_disk *disk)
{
    EXPECT(sqlite3_vfs_unregister(&disk->vfs) == SQLITE_OK);
}

void fake_disk_erase(const char *path)
{
    static const char *const suffixes[] = {"", "-wal", "-journal"};
    char name[256];
    for (size_t index = 0; index < sizeof suffixes / sizeof suffixes[0]; index++) {
        const int size = snprintf(name, sizeof name, "%s%s", path, suffixes[index]);
        EXPECT(size > 0 && (size_t)size < sizeof name);
        (void)remove(name); /* may not be there */
    }
}
