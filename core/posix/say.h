/* Structured logs: one line of key=value on standard error, bounded in length and in rate.
 *
 *   time=2026-01-31T12:00:00.123456Z level=info role=device node=7 event=link_up peer=2
 *
 * Values with blanks stand in quotes. More than SAY_LINES_MAX lines a second are counted, not
 * written: `suppressed` of the next line says how many. Errors are always written.
 */
#ifndef BROWNOUT_CORE_POSIX_SAY_H
#define BROWNOUT_CORE_POSIX_SAY_H

#include <stdint.h>

enum { SAY_LINE_BYTES_MAX = 512, SAY_LINES_MAX = 20 };

enum say_level { SAY_INFO, SAY_WARNING, SAY_ERROR };

struct say {
    const char *role; /* borrowed for its life */
    uint32_t node;
    uint64_t second; /* of the last line */
    uint32_t lines;  /* in it */
    uint64_t suppressed;
};

void say_open(struct say *say, const char *role, uint32_t node);
/* event: a word of [a-z_]; format: what follows it, as key=value. */
__attribute__((format(printf, 4, 5))) void say(struct say *say, enum say_level level,
                                               const char *event, const char *format, ...);

#endif
