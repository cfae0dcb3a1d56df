/* Goal: the simulated disk keeps what was synced and is free to lose all else; its faults do what
 * they say. Method: the bare VFS, each rule with many keys, so that every outcome that is allowed
 * is seen, and no other. */
#include "sim/disk.h"

#include <sqlite3.h>
#include <string.h>

#include "core/check.h"
#include "core/test/test.h"

enum {
    KEYS = 64,
    SECTOR = DISK_SECTOR_BYTES_DEFAULT,
    JOURNAL = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_MAIN_JOURNAL,
    DATABASE = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_MAIN_DB,
};

_Noreturn void check_failed(const char *file, int line, const char *what)
{
    fprintf(stderr, "%s:%d: CHECK failed: %s\n", file, line, what);
    exit(1);
}

/* ---- the bare VFS ---- */

static struct disk disk;

static void start(struct disk_profile profile, const struct disk_hooks *hooks)
{
    disk_init(&disk, profile, hooks);
    disk_attach(&disk, 0);
}

static void stop(void)
{
    disk_detach(0);
    disk_drop(&disk);
}

static sqlite3_vfs *vfs(void)
{
    return sqlite3_vfs_find(DISK_VFS_NAME);
}

static int try_open(const char *path, int flags, sqlite3_file **file)
{
    *file = calloc(1, (size_t)vfs()->szOsFile);
    EXPECT(*file != NULL);
    const int code = vfs()->xOpen(vfs(), path, *file, flags, NULL);
    if (code != SQLITE_OK) {
        EXPECT((*file)->pMethods == NULL);
        free(*file);
        *file = NULL;
    }
    return code;
}

static sqlite3_file *open_file(const char *path, int flags)
{
    sqlite3_file *file = NULL;
    EXPECT_EQUAL(try_open(path, flags, &file), SQLITE_OK);
    return file;
}

static void close_file(sqlite3_file *file)
{
    EXPECT_EQUAL(file->pMethods->xClose(file), SQLITE_OK);
    free(file);
}

static int write_fill(sqlite3_file *file, uint8_t fill, uint32_t offset, uint32_t size_bytes)
{
    static uint8_t bytes[16 * SECTOR];
    EXPECT(size_bytes <= sizeof(bytes));
    memset(bytes, fill, size_bytes);
    return file->pMethods->xWrite(file, bytes, (int)size_bytes, offset);
}

static int sync_file(sqlite3_file *file)
{
    return file->pMethods->xSync(file, SQLITE_SYNC_FULL);
}

static int delete_file(const char *path, int sync_directory)
{
    return vfs()->xDelete(vfs(), path, sync_directory);
}

/* How many bytes of the range are `fill`, from its start on. */
static uint32_t prefix_of(const struct disk_file *file, uint8_t fill, uint32_t offset, uint32_t end)
{
    uint32_t at = offset;
    while (at < end && file->current[at] == fill) {
        at++;
    }
    return at - offset;
}

static bool range_is(const struct disk_file *file, uint8_t fill, uint32_t offset, uint32_t end)
{
    return prefix_of(file, fill, offset, end) == end - offset;
}

/* A database file of `sectors` durable sectors of 'o', and its name durable. */
static sqlite3_file *durable_file(uint32_t sectors)
{
    sqlite3_file *journal = open_file("disk0/j", JOURNAL);
    sqlite3_file *file = open_file("disk0/f", DATABASE);
    EXPECT_EQUAL(write_fill(file, 'o', 0, sectors * SECTOR), SQLITE_OK);
    EXPECT_EQUAL(sync_file(file), SQLITE_OK);
    EXPECT_EQUAL(sync_file(journal), SQLITE_OK);
    close_file(journal);
    return file;
}

/* ---- rules of durability ---- */

static void what_was_synced_survives_every_power_loss(void)
{
    for (uint64_t key = 0; key < KEYS; key++) {
        start((struct disk_profile){0}, NULL);
        close_file(durable_file(3));
        disk_power_loss(&disk, key);
        EXPECT(disk_find(&disk, "f") != NULL);
        EXPECT_EQUAL(disk_find(&disk, "f")->size_bytes, 3 * SECTOR);
        EXPECT(range_is(disk_find(&disk, "f"), 'o', 0, 3 * SECTOR));
        EXPECT_EQUAL(disk.counters.losses.lost + disk.counters.losses.torn +
                         disk.counters.losses.written,
                     0);
        stop();
    }
}

static void what_was_not_synced_is_lost_written_or_torn_at_a_unit(void)
{
    uint32_t lost = 0, written = 0, torn = 0, differ = 0;

    for (uint64_t key = 0; key < KEYS; key++) {
        start((struct disk_profile){0}, NULL);
        sqlite3_file *handle = durable_file(4);
        EXPECT_EQUAL(write_fill(handle, 'n', SECTOR, 2 * SECTOR), SQLITE_OK);
        close_file(handle);
        disk_power_loss(&disk, key);
        const struct disk_file *file = disk_find(&disk, "f");
        uint32_t kept[2];
        for (uint32_t i = 0; i < 2; i++) {
            const uint32_t begin = (i + 1) * SECTOR, end = begin + SECTOR;
            kept[i] = prefix_of(file, 'n', begin, end);
            EXPECT_EQUAL(kept[i] % DISK_UNIT_BYTES, 0);
            EXPECT(range_is(file, 'o', begin + kept[i], end));
            lost += kept[i] == 0 ? 1 : 0;
            written += kept[i] == SECTOR ? 1 : 0;
            torn += kept[i] > 0 && kept[i] < SECTOR ? 1 : 0;
        }
        differ += kept[0] != kept[1] ? 1 : 0;
        EXPECT(range_is(file, 'o', 0, SECTOR));
        EXPECT(range_is(file, 'o', 3 * SECTOR, 4 * SECTOR));
        stop();
    }
    EXPECT(lost > 0);
    EXPECT(written > 0);
    EXPECT(torn > 0);
    EXPECT(differ > 0);
}

static void a_sector_of_one_unit_is_never_torn(void)
{
    for (uint64_t key = 0; key < KEYS; key++) {
        start((struct disk_profile){.sector_bytes = DISK_UNIT_BYTES}, NULL);
        sqlite3_file *handle = durable_file(1);
        EXPECT_EQUAL(handle->pMethods->xSectorSize(handle), DISK_UNIT_BYTES);
        EXPECT_EQUAL(write_fill(handle, 'n', 0, SECTOR), SQLITE_OK);
        close_file(handle);
        disk_power_loss(&disk, key);
        EXPECT_EQUAL(disk.counters.losses.torn, 0);
        EXPECT_EQUAL(disk.counters.losses.lost + disk.counters.losses.written,
                     SECTOR / DISK_UNIT_BYTES);
        stop();
    }
}

static void bytes_beside_a_write_are_harmed_only_where_tears_spoil(void)
{
    uint32_t spoiled[2] = {0, 0};

    for (uint64_t key = 0; key < KEYS; key++) {
        for (uint32_t spoils = 0; spoils < 2; spoils++) {
            start((struct disk_profile){.torn_spoils = spoils == 1}, NULL);
            sqlite3_file *handle = durable_file(1);
            EXPECT_EQUAL(handle->pMethods->xDeviceCharacteristics(handle),
                         spoils == 1 ? 0 : SQLITE_IOCAP_POWERSAFE_OVERWRITE);
            EXPECT_EQUAL(write_fill(handle, 'n', 0, 100), SQLITE_OK);
            close_file(handle);
            disk_power_loss(&disk, key);
            spoiled[spoils] += range_is(disk_find(&disk, "f"), 'o', 100, SECTOR) ? 0 : 1;
            stop();
        }
    }
    EXPECT_EQUAL(spoiled[0], 0);
    EXPECT(spoiled[1] > 0);
}

static void a_grown_file_has_its_old_or_its_new_size_and_holes_are_zero(void)
{
    uint32_t old = 0, new = 0;

    for (uint64_t key = 0; key < KEYS; key++) {
        start((struct disk_profile){0}, NULL);
        sqlite3_file *handle = durable_file(1);
        EXPECT_EQUAL(write_fill(handle, 'n', SECTOR, 3 * SECTOR + 10), SQLITE_OK);
        close_file(handle);
        disk_power_loss(&disk, key);
        const struct disk_file *file = disk_find(&disk, "f");
        EXPECT(range_is(file, 'o', 0, SECTOR));
        if (file->size_bytes == SECTOR) {
            old++;
        } else {
            EXPECT_EQUAL(file->size_bytes, 4 * SECTOR + 10);
            new ++;
        }
        for (uint32_t begin = SECTOR; begin < file->size_bytes; begin += SECTOR) {
            const uint32_t left = file->size_bytes - begin;
            const uint32_t end = begin + (left < SECTOR ? left : SECTOR);
            EXPECT(range_is(file, 0, begin + prefix_of(file, 'n', begin, end), end));
        }
        EXPECT(range_is(file, 0, file->size_bytes, file->capacity_bytes));
        stop();
    }
    EXPECT(old > 0);
    EXPECT(new > 0);
}

static void a_truncation_is_done_or_undone(void)
{
    uint32_t done = 0, undone = 0;

    for (uint64_t key = 0; key < KEYS; key++) {
        start((struct disk_profile){0}, NULL);
        sqlite3_file *handle = durable_file(4);
        EXPECT_EQUAL(handle->pMethods->xTruncate(handle, SECTOR + 7), SQLITE_OK);
        EXPECT(range_is(disk_find(&disk, "f"), 0, SECTOR + 7, 4 * SECTOR));
        close_file(handle);
        disk_power_loss(&disk, key);
        const struct disk_file *file = disk_find(&disk, "f");
        EXPECT(file->size_bytes == SECTOR + 7 || file->size_bytes == 4 * SECTOR);
        EXPECT(range_is(file, 'o', 0, file->size_bytes));
        EXPECT(range_is(file, 0, file->size_bytes, file->capacity_bytes));
        done += file->size_bytes == SECTOR + 7 ? 1 : 0;
        undone += file->size_bytes == 4 * SECTOR ? 1 : 0;
        stop();
    }
    EXPECT(done > 0);
    EXPECT(undone > 0);
}

static void a_creation_is_volatile_until_a_journal_is_first_synced(void)
{
    uint32_t present = 0, absent = 0;

    for (uint64_t key = 0; key < KEYS; key++) {
        start((struct disk_profile){0}, NULL);
        sqlite3_file *handle = open_file("disk0/f", DATABASE);
        EXPECT_EQUAL(write_fill(handle, 'n', 0, SECTOR), SQLITE_OK);
        EXPECT_EQUAL(sync_file(handle), SQLITE_OK);
        close_file(handle);
        disk_power_loss(&disk, key);
        const struct disk_file *file = disk_find(&disk, "f");
        present += file != NULL ? 1 : 0;
        absent += file == NULL ? 1 : 0;
        EXPECT(file == NULL || range_is(file, 'n', 0, SECTOR));
        stop();
    }
    EXPECT(present > 0);
    EXPECT(absent > 0);
}

static void a_deletion_is_volatile_unless_it_syncs_the_directory(void)
{
    uint32_t present[2] = {0, 0};

    for (uint64_t key = 0; key < KEYS; key++) {
        for (int synced = 0; synced < 2; synced++) {
            start((struct disk_profile){0}, NULL);
            close_file(durable_file(1));
            EXPECT_EQUAL(delete_file("disk0/f", synced), SQLITE_OK);
            EXPECT_EQUAL(delete_file("disk0/f", synced), SQLITE_IOERR_DELETE_NOENT);
            EXPECT(disk_find(&disk, "f") == NULL);
            disk_power_loss(&disk, key);
            const struct disk_file *file = disk_find(&disk, "f");
            present[synced] += file != NULL ? 1 : 0;
            EXPECT(file == NULL || range_is(file, 'o', 0, SECTOR));
            stop();
        }
    }
    EXPECT(present[0] > 0);
    EXPECT(present[0] < KEYS);
    EXPECT_EQUAL(present[1], 0);
}

static void a_name_created_anew_is_the_old_file_the_new_one_or_none(void)
{
    uint32_t old = 0, new = 0, none = 0;

    for (uint64_t key = 0; key < KEYS; key++) {
        start((struct disk_profile){0}, NULL);
        close_file(durable_file(1));
        EXPECT_EQUAL(delete_file("disk0/f", 0), SQLITE_OK);
        sqlite3_file *handle = open_file("disk0/f", DATABASE);
        EXPECT_EQUAL(write_fill(handle, 'n', 0, SECTOR), SQLITE_OK);
        EXPECT_EQUAL(sync_file(handle), SQLITE_OK);
        close_file(handle);
        disk_power_loss(&disk, key);
        const struct disk_file *file = disk_find(&disk, "f");
        none += file == NULL ? 1 : 0;
        old += file != NULL && range_is(file, 'o', 0, SECTOR) ? 1 : 0;
        new += file != NULL &&range_is(file, 'n', 0, SECTOR) ? 1 : 0;
        stop();
    }
    EXPECT_EQUAL(old + new + none, KEYS);
    EXPECT(old > 0);
    EXPECT(new > 0);
    EXPECT(none > 0);
}

static void the_death_of_a_process_keeps_what_was_written_still_volatile(void)
{
    uint32_t lost = 0;

    for (uint64_t key = 0; key < KEYS; key++) {
        start((struct disk_profile){0}, NULL);
        sqlite3_file *handle = durable_file(1);
        EXPECT_EQUAL(write_fill(handle, 'n', 0, SECTOR), SQLITE_OK);
        EXPECT_EQUAL(delete_file("disk0/j", 0), SQLITE_OK);
        disk_crash(&disk);
        close_file(handle);
        EXPECT(range_is(disk_find(&disk, "f"), 'n', 0, SECTOR));
        EXPECT(disk_find(&disk, "j") == NULL);
        disk_power_loss(&disk, key);
        lost += !range_is(disk_find(&disk, "f"), 'n', 0, SECTOR) ? 1 : 0;
        lost += disk_find(&disk, "j") != NULL ? 1000 : 0;
        stop();
    }
    EXPECT(lost % 1000 > 0);
    EXPECT(lost / 1000 > 0);
}

static void a_power_loss_is_a_function_of_its_key_and_a_copy_settles_as_its_source(void)
{
    static struct disk copy;

    disk_init(&copy, (struct disk_profile){.sector_bytes = DISK_UNIT_BYTES}, NULL);
    for (uint64_t key = 0; key < KEYS; key++) {
        start((struct disk_profile){.torn_spoils = key % 2 == 1}, NULL);
        sqlite3_file *handle = durable_file(4);
        EXPECT_EQUAL(write_fill(handle, 'n', 10, 2 * SECTOR), SQLITE_OK);
        EXPECT_EQUAL(write_fill(handle, 'n', 8 * SECTOR, (uint32_t)key * 100 + 1), SQLITE_OK);
        EXPECT_EQUAL(handle->pMethods->xTruncate(handle, 3 * SECTOR), SQLITE_OK);
        EXPECT_EQUAL(delete_file("disk0/j", 0), SQLITE_OK);
        close_file(handle);
        disk_copy(&copy, &disk);
        disk_power_loss(&disk, key);
        disk_power_loss(&copy, key);
        const struct disk_file *left = disk_find(&disk, "f"), *right = disk_find(&copy, "f");
        EXPECT_EQUAL(left->size_bytes, right->size_bytes);
        EXPECT(memcmp(left->current, right->current, left->size_bytes) == 0);
        EXPECT(range_is(right, 0, right->size_bytes, right->capacity_bytes));
        EXPECT_EQUAL(disk_find(&disk, "j") == NULL, disk_find(&copy, "j") == NULL);
        stop();
    }
    disk_drop(&copy);
}

/* ---- handles and faults ---- */

static void handles_of_a_past_process_answer_io_errors_for_ever(void)
{
    for (int ending = 0; ending < 3; ending++) {
        start((struct disk_profile){0}, NULL);
        sqlite3_file *past = durable_file(1);
        if (ending == 0) {
            disk_power_loss(&disk, 1);
        } else if (ending == 1) {
            disk_crash(&disk);
        } else {
            disk_erase(&disk);
            EXPECT(disk_find(&disk, "f") == NULL);
        }
        sqlite3_file *present = open_file("disk0/f", DATABASE);
        uint8_t byte = 0;
        sqlite3_int64 size = 0;
        EXPECT_EQUAL(write_fill(past, 'x', 0, 1), SQLITE_IOERR);
        EXPECT_EQUAL(past->pMethods->xRead(past, &byte, 1, 0), SQLITE_IOERR);
        EXPECT_EQUAL(past->pMethods->xTruncate(past, 0), SQLITE_IOERR);
        EXPECT_EQUAL(past->pMethods->xFileSize(past, &size), SQLITE_IOERR);
        EXPECT_EQUAL(past->pMethods->xLock(past, SQLITE_LOCK_SHARED), SQLITE_IOERR);
        EXPECT_EQUAL(sync_file(past), SQLITE_IOERR);
        EXPECT_EQUAL(write_fill(present, 'x', 0, 1), SQLITE_OK);
        close_file(past);
        EXPECT_EQUAL(disk_find(&disk, "f")->handle_count, 1);
        close_file(present);
        stop();
    }
}

static void a_dead_disk_answers_io_errors_and_lets_handles_close(void)
{
    int exists = 0;
    sqlite3_file *none = NULL;

    start((struct disk_profile){0}, NULL);
    sqlite3_file *handle = durable_file(1);
    disk.faults.dead = true;
    const uint64_t operations = disk.counters.operations;
    EXPECT_EQUAL(write_fill(handle, 'x', 0, 1), SQLITE_IOERR);
    EXPECT_EQUAL(sync_file(handle), SQLITE_IOERR);
    EXPECT_EQUAL(delete_file("disk0/f", 1), SQLITE_IOERR);
    EXPECT_EQUAL(try_open("disk0/f", DATABASE, &none), SQLITE_IOERR);
    EXPECT_EQUAL(vfs()->xAccess(vfs(), "disk0/f", SQLITE_ACCESS_EXISTS, &exists),
                 SQLITE_IOERR_ACCESS);
    close_file(handle);
    EXPECT_EQUAL(disk.counters.operations, operations);
    EXPECT(range_is(disk_find(&disk, "f"), 'o', 0, SECTOR));
    stop();
}

static void a_full_disk_refuses_growth_and_nothing_else(void)
{
    start((struct disk_profile){0}, NULL);
    sqlite3_file *handle = durable_file(2);
    disk.faults.full = true;
    EXPECT_EQUAL(write_fill(handle, 'n', 0, 2 * SECTOR), SQLITE_OK);
    EXPECT_EQUAL(write_fill(handle, 'x', SECTOR, SECTOR + 1), SQLITE_FULL);
    EXPECT(range_is(disk_find(&disk, "f"), 'n', 0, 2 * SECTOR));
    EXPECT_EQUAL(sync_file(handle), SQLITE_OK);
    EXPECT_EQUAL(disk.counters.refusals, 1);
    disk.faults.full = false;
    EXPECT_EQUAL(write_fill(handle, 'n', SECTOR, SECTOR + 1), SQLITE_OK);
    close_file(handle);
    stop();
}

static void a_failing_disk_fails_its_share_without_effect(void)
{
    start((struct disk_profile){0}, NULL);
    sqlite3_file *handle = durable_file(1);
    disk.faults.failing_ppm = 250000;
    disk.faults.failing = (struct random_stream){.key = 7};
    uint8_t value = 'o';
    for (uint32_t i = 0; i < 1000; i++) {
        const uint8_t next = (uint8_t)i;
        const int code = write_fill(handle, next, 0, SECTOR);
        EXPECT(code == SQLITE_OK || code == SQLITE_IOERR_WRITE);
        value = code == SQLITE_OK ? next : value;
        EXPECT(range_is(disk_find(&disk, "f"), value, 0, SECTOR));
    }
    EXPECT(disk.counters.failures > 150);
    EXPECT(disk.counters.failures < 350);
    close_file(handle);
    stop();
}

static void a_lie_is_counted_and_so_is_its_exposure(void)
{
    uint64_t exposed = 0;

    for (uint64_t key = 0; key < KEYS; key++) {
        start((struct disk_profile){0}, NULL);
        sqlite3_file *handle = durable_file(1);
        disk.faults.lying = true;
        EXPECT_EQUAL(sync_file(handle), SQLITE_OK);
        EXPECT_EQUAL(disk.counters.lies, 0); /* there was nothing to make durable */
        EXPECT_EQUAL(write_fill(handle, 'n', 0, SECTOR), SQLITE_OK);
        EXPECT_EQUAL(sync_file(handle), SQLITE_OK);
        EXPECT_EQUAL(disk.counters.lies, 1);
        EXPECT_EQUAL(delete_file("disk0/j", 1), SQLITE_OK);
        EXPECT_EQUAL(disk.counters.lies, 2);
        close_file(handle);
        disk_power_loss(&disk, key);
        const uint64_t harmed = (range_is(disk_find(&disk, "f"), 'n', 0, SECTOR) ? 0u : 1u) +
                                (disk_find(&disk, "j") == NULL ? 0u : 1u);
        EXPECT_EQUAL(disk.counters.lies_exposed, harmed);
        exposed += harmed;
        stop();
    }
    EXPECT(exposed > 0);
    EXPECT(exposed < 2 * KEYS);
}

static void a_temporary_file_lives_on_the_current_disk_until_it_is_closed(void)
{
    const int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_EXCLUSIVE |
                      SQLITE_OPEN_DELETEONCLOSE | SQLITE_OPEN_TEMP_JOURNAL;
    sqlite3_file *none = NULL;

    start((struct disk_profile){0}, NULL);
    EXPECT_EQUAL(try_open(NULL, flags, &none), SQLITE_CANTOPEN);
    disk_set_current(&disk);
    sqlite3_file *first = open_file(NULL, flags);
    sqlite3_file *second = open_file(NULL, flags);
    EXPECT_EQUAL(write_fill(first, '1', 0, 100), SQLITE_OK);
    EXPECT_EQUAL(write_fill(second, '2', 0, 100), SQLITE_OK);
    EXPECT(range_is(&disk.files[0], '1', 0, 100));
    EXPECT(range_is(&disk.files[1], '2', 0, 100));
    close_file(first);
    EXPECT(!disk.files[0].used);
    disk_crash(&disk);
    EXPECT(!disk.files[1].used);
    close_file(second);
    disk_set_current(NULL);
    stop();
}

static void paths_that_lead_nowhere_are_refused(void)
{
    const char *const paths[] = {"disk1/f",
                                 "disk0",
                                 "disk0/",
                                 "disk/f",
                                 "disk4096/f",
                                 "file",
                                 "disk99999999999/f",
                                 "disk0x/f",
                                 "disk0/a-name-that-is-longer-than-forty-seven-bytes-in-all"};
    sqlite3_file *none = NULL;

    start((struct disk_profile){0}, NULL);
    for (uint32_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
        EXPECT_EQUAL(try_open(paths[i], DATABASE, &none), SQLITE_CANTOPEN);
    }
    EXPECT_EQUAL(try_open("disk0/f", SQLITE_OPEN_READWRITE | SQLITE_OPEN_MAIN_DB, &none),
                 SQLITE_CANTOPEN);
    EXPECT_EQUAL(disk.counters.operations, 0);
    stop();
}

static void randomness_of_node(void *ctx, uint8_t *bytes, uint32_t size_bytes)
{
    (void)ctx;
    memset(bytes, 0x5A, size_bytes);
}

static uint64_t wall_of_node(void *ctx)
{
    (void)ctx;
    return UINT64_C(86400000000);
}

static void randomness_and_time_are_those_of_the_current_disk(void)
{
    const struct disk_hooks hooks = {.randomness = randomness_of_node, .wall_us = wall_of_node};
    sqlite3_int64 julian_ms = 0;
    uint64_t first = 0, second = 0, other = 0;
    char bytes[2] = {1, 1};

    start((struct disk_profile){0}, &hooks);
    EXPECT_EQUAL(vfs()->xRandomness(vfs(), 2, bytes), 2);
    EXPECT_EQUAL(bytes[0], 0);
    disk_reset_randomness();
    sqlite3_randomness(sizeof(other), &other);
    EXPECT_EQUAL(vfs()->xCurrentTimeInt64(vfs(), &julian_ms), SQLITE_OK);
    EXPECT_EQUAL(julian_ms, INT64_C(211813444800000)); /* 2000-01-01 is Julian day 2451544.5 */
    disk_set_current(&disk);
    EXPECT_EQUAL(vfs()->xRandomness(vfs(), 2, bytes), 2);
    EXPECT_EQUAL(bytes[1], 0x5A);
    EXPECT_EQUAL(vfs()->xCurrentTimeInt64(vfs(), &julian_ms), SQLITE_OK);
    EXPECT_EQUAL(julian_ms, INT64_C(210866846400000)); /* 1970-01-02 */
    disk_reset_randomness();
    sqlite3_randomness(sizeof(first), &first);
    disk_reset_randomness();
    sqlite3_randomness(sizeof(second), &second);
    EXPECT(first == second);
    EXPECT(first != other);
    disk_set_current(NULL);
    stop();
}

struct cutter {
    uint64_t count;
    uint64_t at;
    enum disk_verdict verdict;
};

static enum disk_verdict cut(void *ctx, enum disk_operation operation, uint32_t file,
                             uint64_t offset, const uint8_t *bytes, uint32_t size_bytes)
{
    struct cutter *cutter = ctx;
    (void)file;
    (void)offset;
    EXPECT((operation == DISK_WRITE) == (bytes != NULL));
    EXPECT(operation == DISK_WRITE || operation == DISK_READ || size_bytes == 0);
    return cutter->count++ == cutter->at ? cutter->verdict : DISK_PROCEED;
}

static void a_cut_inside_a_write_leaves_a_prefix_and_inside_a_sync_a_share(void)
{
    struct cutter cutter = {.at = UINT64_MAX, .verdict = DISK_DIE_TORN};
    const struct disk_hooks hooks = {.ctx = &cutter, .operation = cut};

    start((struct disk_profile){0}, &hooks);
    sqlite3_file *handle = durable_file(4);
    disk.torn_fraction = 0x8000;
    cutter.at = cutter.count;
    EXPECT_EQUAL(write_fill(handle, 'n', 0, SECTOR), SQLITE_IOERR);
    EXPECT_EQUAL(sync_file(handle), SQLITE_IOERR);
    close_file(handle);
    disk_crash(&disk);
    EXPECT(range_is(disk_find(&disk, "f"), 'n', 0, SECTOR / 2));
    EXPECT(range_is(disk_find(&disk, "f"), 'o', SECTOR / 2, 4 * SECTOR));

    handle = open_file("disk0/f", DATABASE);
    EXPECT_EQUAL(write_fill(handle, 'n', 0, 4 * SECTOR), SQLITE_OK);
    cutter.at = cutter.count;
    EXPECT_EQUAL(sync_file(handle), SQLITE_IOERR);
    close_file(handle);
    disk_power_loss(&disk, 3);
    EXPECT(range_is(disk_find(&disk, "f"), 'n', 0, 2 * SECTOR));
    EXPECT_EQUAL(
        disk.counters.losses.lost + disk.counters.losses.torn + disk.counters.losses.written, 2);
    stop();
}

int main(void)
{
    EXPECT_EQUAL(sqlite3_config(SQLITE_CONFIG_SINGLETHREAD), SQLITE_OK);
    disk_vfs_register(true);
    disk_vfs_register(true); /* again is no harm */
    RUN(what_was_synced_survives_every_power_loss);
    RUN(what_was_not_synced_is_lost_written_or_torn_at_a_unit);
    RUN(a_sector_of_one_unit_is_never_torn);
    RUN(bytes_beside_a_write_are_harmed_only_where_tears_spoil);
    RUN(a_grown_file_has_its_old_or_its_new_size_and_holes_are_zero);
    RUN(a_truncation_is_done_or_undone);
    RUN(a_creation_is_volatile_until_a_journal_is_first_synced);
    RUN(a_deletion_is_volatile_unless_it_syncs_the_directory);
    RUN(a_name_created_anew_is_the_old_file_the_new_one_or_none);
    RUN(the_death_of_a_process_keeps_what_was_written_still_volatile);
    RUN(a_power_loss_is_a_function_of_its_key_and_a_copy_settles_as_its_source);
    RUN(handles_of_a_past_process_answer_io_errors_for_ever);
    RUN(a_dead_disk_answers_io_errors_and_lets_handles_close);
    RUN(a_full_disk_refuses_growth_and_nothing_else);
    RUN(a_failing_disk_fails_its_share_without_effect);
    RUN(a_lie_is_counted_and_so_is_its_exposure);
    RUN(a_temporary_file_lives_on_the_current_disk_until_it_is_closed);
    RUN(paths_that_lead_nowhere_are_refused);
    RUN(randomness_and_time_are_those_of_the_current_disk);
    RUN(a_cut_inside_a_write_leaves_a_prefix_and_inside_a_sync_a_share);
    return 0;
}
