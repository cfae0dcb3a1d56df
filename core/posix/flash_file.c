#include "core/posix/flash_file.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/check.h"
#include "core/posix/whole_file.h"

enum { PIECE_BYTES = 256 };

static uint64_t size_of(const struct flash_geometry *geometry)
{
    return (uint64_t)geometry->sector_bytes * geometry->sector_count;
}

static bool make(int folder, const char *name, const struct flash_geometry *geometry)
{
    const size_t size_bytes = (size_t)size_of(geometry);
    uint8_t *erased = malloc(size_bytes);
    if (erased == NULL) {
        return false;
    }
    memset(erased, geometry->erased_value, size_bytes);
    const bool good = whole_replace(folder, name, erased, size_bytes);
    free(erased);
    return good;
}

bool flash_file_open(struct flash_file *flash, int folder, const char *name,
                     const struct flash_geometry *geometry, bool *made, char *error,
                     size_t error_bytes)
{
    struct stat stat;
    *flash = (struct flash_file){.file = -1, .geometry = *geometry};
    flash->file = openat(folder, name, O_RDWR | O_CLOEXEC);
    *made = flash->file < 0 && errno == ENOENT;
    if (*made && make(folder, name, geometry)) {
        flash->file = openat(folder, name, O_RDWR | O_CLOEXEC);
    }
    if (flash->file < 0 || fstat(flash->file, &stat) != 0) {
        snprintf(error, error_bytes, "%s: %s", name, strerror(errno));
        flash_file_close(flash);
        return false;
    }
    if (!S_ISREG(stat.st_mode) || (uint64_t)stat.st_size != size_of(geometry)) {
        snprintf(error, error_bytes,
                 "%s has %" PRIu64 " bytes, and the configured flash has %" PRIu64
                 ": set flash_sectors and flash_sector_bytes to what it was made with; if it was "
                 "cut, move it away, and the device begins a new epoch (what it held is lost)",
                 name, (uint64_t)stat.st_size, size_of(geometry));
        flash_file_close(flash);
        return false;
    }
    return true;
}

void flash_file_close(struct flash_file *flash)
{
    if (flash->file >= 0) {
        (void)close(flash->file);
    }
    flash->file = -1;
}

static bool is_inside(const struct flash_file *flash, uint32_t offset, uint32_t size_bytes)
{
    return (uint64_t)offset + size_bytes <= size_of(&flash->geometry);
}

enum err flash_file_read(struct flash_file *flash, uint32_t offset, uint8_t *bytes,
                         uint32_t size_bytes)
{
    if (!is_inside(flash, offset, size_bytes)) {
        return ERR_RANGE;
    }
    return whole_pread(flash->file, bytes, size_bytes, offset) ? ERR_OK : ERR_IO;
}

/* Bits only go towards the complement of the erased value, whatever is asked for. */
static bool program_piece(struct flash_file *flash, uint32_t offset, const uint8_t *bytes,
                          uint32_t size_bytes)
{
    uint8_t cells[PIECE_BYTES];
    CHECK(size_bytes <= sizeof cells);
    if (!whole_pread(flash->file, cells, size_bytes, offset)) {
        return false;
    }
    for (uint32_t i = 0; i < size_bytes; i++) {
        cells[i] = flash->geometry.erased_value == 0xFF ? (uint8_t)(cells[i] & bytes[i])
                                                        : (uint8_t)(cells[i] | bytes[i]);
    }
    return whole_pwrite(flash->file, cells, size_bytes, offset);
}

enum err flash_file_program(struct flash_file *flash, uint32_t offset, const uint8_t *bytes,
                            uint32_t size_bytes)
{
    const uint32_t unit = flash->geometry.program_bytes;
    if (!is_inside(flash, offset, size_bytes) || offset % unit != 0 || size_bytes % unit != 0) {
        return ERR_RANGE;
    }
    for (uint32_t at = 0; at < size_bytes; at += PIECE_BYTES) {
        const uint32_t left = size_bytes - at;
        if (!program_piece(flash, offset + at, bytes + at,
                           left < PIECE_BYTES ? left : PIECE_BYTES)) {
            return ERR_IO;
        }
    }
    return ERR_OK;
}

enum err flash_file_erase(struct flash_file *flash, uint32_t offset)
{
    uint8_t erased[PIECE_BYTES];
    const uint32_t sector_bytes = flash->geometry.sector_bytes;
    if (!is_inside(flash, offset, sector_bytes) || offset % sector_bytes != 0) {
        return ERR_RANGE;
    }
    memset(erased, flash->geometry.erased_value, sizeof erased);
    for (uint32_t at = 0; at < sector_bytes; at += PIECE_BYTES) {
        const uint32_t left = sector_bytes - at;
        if (!whole_pwrite(flash->file, erased, left < PIECE_BYTES ? left : PIECE_BYTES,
                          (uint64_t)offset + at)) {
            return ERR_IO;
        }
    }
    return ERR_OK;
}

enum err flash_file_sync(struct flash_file *flash)
{
    return fdatasync(flash->file) == 0 ? ERR_OK : ERR_IO;
}
