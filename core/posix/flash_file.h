/* A file as NOR flash: program clears bits, erase sets a sector, sync is fdatasync.
 *
 * The file has its whole size from the beginning, and its beginning is atomic (a new file is synced
 * and then renamed), so that a write changes no metadata. A killed process leaves all that it
 * wrote. A machine that loses power leaves of what was not synced any part, as torn flash does,
 * under SQLite's assumption as well: a write damages no byte beside it (powersafe overwrite). A
 * file of another size is no such flash and is refused; what rotted in it is found by the store.
 */
#ifndef BROWNOUT_CORE_POSIX_FLASH_FILE_H
#define BROWNOUT_CORE_POSIX_FLASH_FILE_H

#include <stdbool.h>
#include <stddef.h>

#include "core/port.h"

struct flash_file {
    int file; /* -1: there is none */
    struct flash_geometry geometry;
};

/* Open `name` in the folder (a descriptor), or make it, erased. *made says which. False: `error`
 * says what is wrong and what to do. */
bool flash_file_open(struct flash_file *flash, int folder, const char *name,
                     const struct flash_geometry *geometry, bool *made, char *error,
                     size_t error_bytes);
void flash_file_close(struct flash_file *flash);

/* As in core/port.h. */
enum err flash_file_read(struct flash_file *flash, uint32_t offset, uint8_t *bytes,
                         uint32_t size_bytes) MUST_USE;
enum err flash_file_program(struct flash_file *flash, uint32_t offset, const uint8_t *bytes,
                            uint32_t size_bytes) MUST_USE;
enum err flash_file_erase(struct flash_file *flash, uint32_t offset) MUST_USE;
enum err flash_file_sync(struct flash_file *flash) MUST_USE;

#endif
