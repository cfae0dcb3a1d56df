/* Small files, read and written whole. */
#ifndef BROWNOUT_CORE_POSIX_WHOLE_FILE_H
#define BROWNOUT_CORE_POSIX_WHOLE_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* All of it, EINTR and short calls included. False: errno. */
bool whole_pread(int file, void *bytes, size_t size_bytes, uint64_t offset);
bool whole_pwrite(int file, const void *bytes, size_t size_bytes, uint64_t offset);

/* Put a file in the place of `name`, durably: after a loss of power it is the old one or the new
 * one. False: errno. */
bool whole_replace(int folder, const char *name, const void *bytes, size_t size_bytes);

/* Read a file of at most text_bytes - 1 bytes and end it with NUL. *size_bytes may be NULL. False:
 * errno; EFBIG: it is longer. */
bool whole_read(int folder, const char *name, char *text, size_t text_bytes, size_t *size_bytes);

#endif
