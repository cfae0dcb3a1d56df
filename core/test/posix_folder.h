/* A folder of its own for a test of core/posix, in TMPDIR; removed with all that is in it. */
#ifndef BROWNOUT_TEST_POSIX_FOLDER_H
#define BROWNOUT_TEST_POSIX_FOLDER_H

#include <stddef.h>

enum { FOLDER_PATH_BYTES = 1024 };

/* Made once a program; the same text each time. */
const char *folder_path(void);
/* folder/name, in one of eight texts that take turns. */
const char *folder_file(const char *name);
void folder_write(const char *name, const char *text);
/* Ended with NUL; to be freed. */
char *folder_read(const char *name, size_t *size_bytes);
void folder_remove(void);

#endif
