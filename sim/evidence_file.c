#include "sim/evidence_file.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* The next whole line, in the buffer; NULL: there is none now, or *wrong. */
static const char *next_text(struct evidence_file *file, size_t *size_bytes, const char **wrong)
{
    *wrong = NULL;
    for (;;) {
        const char *first = file->buffer + file->from;
        const char *end = memchr(first, '\n', file->to - file->from);
        if (end != NULL) {
            *size_bytes = (size_t)(end - first);
            file->from += (uint32_t)*size_bytes + 1;
            file->line++;
            return first;
        }
        if (file->to - file->from >= EVIDENCE_HEADER_BYTES_MAX) {
            *wrong = "the line is too long: it is no evidence log, or damaged";
            return NULL;
        }
        memmove(file->buffer, first, file->to - file->from);
        file->to -= file->from;
        file->from = 0;
        const ssize_t got =
            read(file->file, file->buffer + file->to, sizeof file->buffer - file->to);
        if (got <= 0) {
            *wrong = got < 0 ? strerror(errno) : NULL;
            return NULL;
        }
        file->to += (uint32_t)got;
    }
}

bool evidence_file_open(struct evidence_file *file, const char *path, char *error,
                        size_t error_bytes)
{
    const char *why;
    size_t size = 0;
    file->path = path;
    file->line = 0;
    file->from = file->to = 0;
    file->file = open(path, O_RDONLY | O_CLOEXEC);
    if (file->file < 0) {
        snprintf(error, error_bytes, "%s: %s", path, strerror(errno));
        return false;
    }
    const char *text = next_text(file, &size, &why);
    if (text != NULL && evidence_header_parse(text, size, &file->header, &why)) {
        return true;
    }
    snprintf(error, error_bytes, "%s: %s", path,
             why != NULL ? why : "it has no whole line: it is no evidence log");
    evidence_file_close(file);
    return false;
}

enum evidence_read evidence_file_next(struct evidence_file *file, struct evidence_line *line,
                                      char *error, size_t error_bytes)
{
    const char *why;
    size_t size = 0;
    const char *text = next_text(file, &size, &why);
    if (text != NULL && evidence_line_parse(text, size, line, &why)) {
        return EVIDENCE_READ_LINE;
    }
    if (text == NULL && why == NULL) {
        return EVIDENCE_READ_END;
    }
    snprintf(error, error_bytes, "%s:%" PRIu64 ": %s", file->path,
             text == NULL ? file->line + 1 : file->line, why);
    return EVIDENCE_READ_WRONG;
}

void evidence_file_close(struct evidence_file *file)
{
    if (file->file >= 0) {
        (void)close(file->file);
    }
    file->file = -1;
}

bool evidence_file_torn(const struct evidence_file *file)
{
    return file->to > file->from;
}
