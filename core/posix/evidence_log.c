#include "core/posix/evidence_log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static bool write_whole(struct evidence_log *log, const char *text, uint32_t size_bytes);

/* Is there a whole header, and is it this one? */
static bool same_header(int file, const struct evidence_header *header, const char **why)
{
    char wanted[EVIDENCE_HEADER_BYTES_MAX], found[EVIDENCE_HEADER_BYTES_MAX];
    struct evidence_header read;
    const uint32_t size = evidence_header_print(header, wanted);
    const ssize_t got = pread(file, found, sizeof found, 0);
    const char *end = got > 0 ? memchr(found, '\n', (size_t)got) : NULL;
    *why = "it does not begin with a line: it is no evidence log";
    if (end == NULL || !evidence_header_parse(found, (size_t)(end - found), &read, why)) {
        return false;
    }
    *why = "it is of another node or of another configuration";
    return (size_t)(end - found) + 1 == size && memcmp(found, wanted, size) == 0;
}

/* The size up to and with the last line feed: a torn line is at most one line long. */
static uint64_t whole_bytes(int file, uint64_t size_bytes)
{
    char tail[EVIDENCE_HEADER_BYTES_MAX];
    const uint64_t from = size_bytes > sizeof tail ? size_bytes - sizeof tail : 0;
    const ssize_t got = pread(file, tail, (size_t)(size_bytes - from), (off_t)from);
    for (ssize_t i = got; i > 0; i--) {
        if (tail[i - 1] == '\n') {
            return from + (uint64_t)i;
        }
    }
    return size_bytes;
}

bool evidence_log_open(struct evidence_log *log, const char *path, uint64_t bytes_max,
                       const struct evidence_header *header, char *error, size_t error_bytes)
{
    struct stat stat;
    const char *why = "";
    *log = (struct evidence_log){.file = -1, .bytes_max = bytes_max};
    log->file = open(path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (log->file < 0 || fstat(log->file, &stat) != 0) {
        snprintf(error, error_bytes, "%s: %s", path, strerror(errno));
        evidence_log_close(log);
        return false;
    }
    log->size_bytes = (uint64_t)stat.st_size;
    if (log->size_bytes == 0) {
        char text[EVIDENCE_HEADER_BYTES_MAX];
        const uint32_t size = evidence_header_print(header, text);
        if (!write_whole(log, text, size)) {
            snprintf(error, error_bytes, "%s cannot be written: %s", path, strerror(errno));
            evidence_log_close(log);
            return false;
        }
        return true;
    }
    if (!same_header(log->file, header, &why)) {
        snprintf(error, error_bytes, "%s: %s; move it away, and a new one is begun", path, why);
        evidence_log_close(log);
        return false;
    }
    const uint64_t whole = whole_bytes(log->file, log->size_bytes);
    if (whole < log->size_bytes && ftruncate(log->file, (off_t)whole) == 0) {
        log->size_bytes = whole;
    }
    log->full = log->size_bytes + 2u * EVIDENCE_LINE_BYTES_MAX > bytes_max;
    return true;
}

/* All of it, or nothing: what a full disk took of it is cut off again. */
static bool write_whole(struct evidence_log *log, const char *text, uint32_t size_bytes)
{
    ssize_t done;
    do {
        done = write(log->file, text, size_bytes);
    } while (done < 0 && errno == EINTR);
    if (done == (ssize_t)size_bytes) {
        log->size_bytes += size_bytes;
        return true;
    }
    if (done > 0 && ftruncate(log->file, (off_t)log->size_bytes) != 0) {
        log->full = true; /* behind half a line nothing may follow */
    }
    log->failures++;
    return false;
}

void evidence_log_write(struct evidence_log *log, const struct evidence_line *line)
{
    char text[EVIDENCE_LINE_BYTES_MAX];
    if (log->file < 0 || log->full) {
        return;
    }
    if (log->size_bytes + 2u * EVIDENCE_LINE_BYTES_MAX > log->bytes_max) {
        const struct evidence_line full = {
            .time_us = line->time_us, .step = line->step, .kind = EVIDENCE_WORD_FULL};
        (void)write_whole(log, text, evidence_line_print(&full, text));
        log->full = true;
        return;
    }
    (void)write_whole(log, text, evidence_line_print(line, text));
}

void evidence_log_close(struct evidence_log *log)
{
    if (log->file >= 0) {
        (void)close(log->file);
    }
    log->file = -1;
}
