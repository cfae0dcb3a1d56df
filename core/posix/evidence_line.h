/* An evidence log, as text: one header, then one line for each piece of evidence of one daemon.
 *
 *   brownout-evidence 1 role=device node=7 window=128 outbox=256 reserve=64 queue=0
 * sample_us=1000000 TIME STEP NAME DEVICE EPOCH COUNTER VALUE BODY
 *
 * TIME and STEP are the machine's monotonic clock, in microseconds: when the word was said, and
 * when the role's step began in which it was. Words of one step have one STEP, and no other step of
 * the machine's process has it: whoever heard of a step by its effects began after it. NAME is an
 * evidence name in capitals, or a word of EVIDENCE_WORD_LIST; the numbers are decimal and
 * canonical; BODY is the first half of the body's SHA-256 in hexadecimal, or "-". Fields are
 * separated by one space each, and a line ends with a line feed. There is no other form: whoever
 * reads may refuse all else, but for a last line without its end, which is the log's end.
 *
 * No I/O, no heap.
 */
#ifndef BROWNOUT_CORE_POSIX_EVIDENCE_LINE_H
#define BROWNOUT_CORE_POSIX_EVIDENCE_LINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/evidence.h"
#include "core/port.h"

/* What a daemon says of itself, beside what its role says. X(NAME, "word") */
#define EVIDENCE_WORD_LIST(X)                                                                      \
    /* a process begins. value: enum reset_reason; counter: wall clock minus TIME, in us; body:    \
     * the identity of the machine's boot */                                                       \
    X(UP, "up")                                                                                    \
    X(STOP, "stop") /* it ends in order, after this */                                             \
    /* a server: what its disk holds follows, and is whole where IMAGE_END stands behind it */     \
    X(IMAGE, "image")                                                                              \
    X(READING, "reading")     /* cloud: a row of table reading */                                  \
    X(WINDOW, "window")       /* cloud: a row of table window. counter: top; value: first bits */  \
    X(QUEUED, "queued")       /* gateway: a row of table queue */                                  \
    X(IMAGE_END, "image-end") /* value: 0 whole, 1 it could not be read */                         \
    X(OUTBOX, "outbox") /* device: its store is mounted. counter: next one; value: KEPTs behind */ \
    X(KEPT, "kept")     /* device: a reading that came back. value: slot of its record */          \
    X(RESPOND,                                                                                     \
      "respond")      /* device: its answer to a challenge is about to leave. counter: floor */    \
    X(LINK, "link")   /* device, gateway: it opens a link to the node `value` */                   \
    X(CHECK, "check") /* a CHECK failed: the process ends by it. value: line */                    \
    X(FULL, "full")   /* the log has reached its bound: nothing follows */

enum evidence_word {
    EVIDENCE_WORD_FIRST = EVIDENCE_COUNT,
#define EVIDENCE_WORD_ENUM(NAME, word) EVIDENCE_WORD_##NAME,
    EVIDENCE_WORD_BEFORE = EVIDENCE_WORD_FIRST - 1,
    EVIDENCE_WORD_LIST(EVIDENCE_WORD_ENUM)
#undef EVIDENCE_WORD_ENUM
        EVIDENCE_WORD_END
};

enum { EVIDENCE_FORMAT = 1, EVIDENCE_LINE_BYTES_MAX = 192, EVIDENCE_HEADER_BYTES_MAX = 256 };

enum evidence_role { EVIDENCE_OF_DEVICE, EVIDENCE_OF_GATEWAY, EVIDENCE_OF_CLOUD };

/* What a judge has to know of whom it judges; 0 where the role has no such thing. */
struct evidence_header {
    enum evidence_role role;
    uint32_t node;
    uint32_t window, outbox, reserve, queue;
    uint64_t sample_us;
};

struct evidence_line {
    uint64_t time_us, step;
    uint32_t kind; /* enum evidence_kind or enum evidence_word */
    uint32_t device, epoch;
    uint64_t counter, value;
    uint64_t body[2]; /* zero: none */
};

/* "SIGN", "up"; NULL for a number that is none. */
const char *evidence_word(uint32_t kind);
const char *evidence_role_name(enum evidence_role role);

/* Bytes written, line feed included, NUL behind it. */
uint32_t evidence_header_print(const struct evidence_header *header,
                               char text[EVIDENCE_HEADER_BYTES_MAX]);
uint32_t evidence_line_print(const struct evidence_line *line, char text[EVIDENCE_LINE_BYTES_MAX]);

/* text: without its line feed. False: it is none; *why is a static text that says what is wrong. */
bool evidence_header_parse(const char *text, size_t size_bytes, struct evidence_header *header,
                           const char **why);
bool evidence_line_parse(const char *text, size_t size_bytes, struct evidence_line *line,
                         const char **why);

/* The fold of a body. ERR_OK | ERR_IO. */
enum err evidence_body(const struct port_crypto *crypto, const uint8_t *bytes, uint32_t size_bytes,
                       uint64_t body[2]) MUST_USE;

#endif
