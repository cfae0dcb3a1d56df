/* A SQLite VFS for tests: the default one behind a switch that makes it full or broken, and a mark
 * of what is written to the log and not yet synced. It offers no shared memory. */
#ifndef BROWNOUT_TEST_FAKE_DISK_H
#define BROWNOUT_TEST_FAKE_DISK_H

#include <sqlite3.h>
#include <stdbool.h>
#include <stdint.h>

struct fake_disk {
    sqlite3_vfs vfs; /* its pAppData is the disk */
    sqlite3_vfs *real;
    bool full;         /* no write that makes a file longer succeeds */
    bool broken;       /* no write and no sync succeeds */
    bool frail;        /* breaks when it is found full */
    uint32_t writes;   /* that succeeded */
    uint32_t unsynced; /* writes to the log */
};

/* Register under this name. name: borrowed as long as the disk is used. */
void fake_disk_init(struct fake_disk *disk, const char *name);
void fake_disk_drop(struct fake_disk *disk);

/* Remove a database and its journals. */
void fake_disk_erase(const char *path);

#endif
