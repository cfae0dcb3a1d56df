/* The evidence log of a daemon, written: each record is one write(), made before the effect that it
 * speaks of. So a process that is killed leaves every word that it has acted on; a machine that
 * loses power may not (nothing here is synced), and a log that ends early is judged as far as it
 * goes.
 */
#ifndef BROWNOUT_CORE_POSIX_EVIDENCE_LOG_H
#define BROWNOUT_CORE_POSIX_EVIDENCE_LOG_H

#include "core/posix/evidence_line.h"

/* The least bound of a log: its header and some life. */
enum { EVIDENCE_LOG_BYTES_MIN = 65536 };

struct evidence_log {
    int file; /* -1: there is none, and all calls do nothing */
    uint64_t size_bytes, bytes_max;
    bool full;         /* FULL is said */
    uint64_t failures; /* records that could not be written */
};

/* Open for appending, or create with this header. What a torn last line left is cut off. False:
 * `error` says why: not an evidence log, or one of another node or configuration. */
bool evidence_log_open(struct evidence_log *log, const char *path, uint64_t bytes_max,
                       const struct evidence_header *header, char *error, size_t error_bytes);
void evidence_log_write(struct evidence_log *log, const struct evidence_line *line);
void evidence_log_close(struct evidence_log *log);

#endif
