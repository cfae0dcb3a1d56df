/* One evidence log, read line by line: strictly, and also while it is being written. */
#ifndef BROWNOUT_SIM_EVIDENCE_FILE_H
#define BROWNOUT_SIM_EVIDENCE_FILE_H

#include "core/posix/evidence_line.h"

enum { EVIDENCE_FILE_BUFFER_BYTES = 65536 };

struct evidence_file {
    const char *path; /* borrowed */
    int file;
    uint64_t line; /* number of the last one read */
    struct evidence_header header;
    uint32_t from, to; /* of the buffer: what is not taken yet */
    char buffer[EVIDENCE_FILE_BUFFER_BYTES];
};

enum evidence_read {
    EVIDENCE_READ_LINE,
    EVIDENCE_READ_END,   /* nothing more now; what is behind the last line feed is torn, or is
                            being written */
    EVIDENCE_READ_WRONG, /* `error` says where and why */
};

/* Open, and read the header. False: `error`. */
bool evidence_file_open(struct evidence_file *file, const char *path, char *error,
                        size_t error_bytes);
enum evidence_read evidence_file_next(struct evidence_file *file, struct evidence_line *line,
                                      char *error, size_t error_bytes);
void evidence_file_close(struct evidence_file *file);
/* Is there half a line behind the last whole one? */
bool evidence_file_torn(const struct evidence_file *file);

#endif
