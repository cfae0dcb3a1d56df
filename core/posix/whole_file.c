#include "core/posix/whole_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { NAME_BYTES_MAX = 128 };

bool whole_pread(int file, void *bytes, size_t size_bytes, uint64_t offset)
{
    size_t done = 0;
    while (done < size_bytes) {
        const ssize_t got =
            pread(file, (char *)bytes + done, size_bytes - done, (off_t)(offset + done));
        if (got == 0) {
            errno = EIO; /* it was longer when it was opened */
        }
        if (got == 0 || (got < 0 && errno != EINTR)) {
            return false;
        }
        done += got > 0 ? (size_t)got : 0;
    }
    return true;
}

bool whole_pwrite(int file, const void *bytes, size_t size_bytes, uint64_t offset)
{
    size_t done = 0;
    while (done < size_bytes) {
        const ssize_t got =
            pwrite(file, (const char *)bytes + done, size_bytes - done, (off_t)(offset + done));
        if (got < 0 && errno != EINTR) {
            return false;
        }
        done += got > 0 ? (size_t)got : 0;
    }
    return true;
}

bool whole_replace(int folder, const char *name, const void *bytes, size_t size_bytes)
{
    char temporary[NAME_BYTES_MAX];
    const int printed = snprintf(temporary, sizeof temporary, "%s.new", name);
    if (printed < 0 || (size_t)printed >= sizeof temporary) {
        errno = ENAMETOOLONG;
        return false;
    }
    const int file = openat(folder, temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (file < 0) {
        return false;
    }
    bool good = whole_pwrite(file, bytes, size_bytes, 0) && fsync(file) == 0;
    int why = errno;
    if (close(file) != 0 && good) {
        good = false;
        why = errno;
    }
    if (good) {
        good = renameat(folder, temporary, folder, name) == 0 && fsync(folder) == 0;
        why = errno;
    }
    errno = why;
    return good;
}

bool whole_read(int folder, const char *name, char *text, size_t text_bytes, size_t *size_bytes)
{
    const int file = openat(folder, name, O_RDONLY | O_CLOEXEC);
    size_t used = 0;
    ssize_t got = -1;
    if (file < 0) {
        return false;
    }
    while (used < text_bytes) {
        got = read(file, text + used, text_bytes - used);
        if (got == 0 || (got < 0 && errno != EINTR)) {
            break;
        }
        used += got > 0 ? (size_t)got : 0;
    }
    int why = errno;
    if (used == text_bytes) {
        why = EFBIG;
    }
    (void)close(file);
    errno = why;
    if (got < 0 || used == text_bytes) {
        return false;
    }
    text[used] = '\0';
    if (size_bytes != NULL) {
        *size_bytes = used;
    }
    return true;
}
