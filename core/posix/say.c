#include "core/posix/say.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

void say_open(struct say *say, const char *role, uint32_t node)
{
    *say = (struct say){.role = role, .node = node};
}

static size_t length(int printed, size_t capacity)
{
    return printed < 0 ? 0 : (size_t)printed < capacity ? (size_t)printed : capacity - 1;
}

void say(struct say *say, enum say_level level, const char *event, const char *format, ...)
{
    static const char *const levels[] = {"info", "warning", "error"};
    char text[SAY_LINE_BYTES_MAX + 1];
    struct timespec now = {0, 0};
    struct tm parts;
    (void)clock_gettime(CLOCK_REALTIME, &now);
    if ((uint64_t)now.tv_sec != say->second) {
        say->second = (uint64_t)now.tv_sec;
        say->lines = 0;
    }
    if (say->lines >= SAY_LINES_MAX && level != SAY_ERROR) {
        say->suppressed++;
        return;
    }
    say->lines++;
    if (gmtime_r(&now.tv_sec, &parts) == NULL) {
        return;
    }
    size_t at = strftime(text, sizeof text, "time=%Y-%m-%dT%H:%M:%S", &parts);
    at += length(snprintf(text + at, SAY_LINE_BYTES_MAX - at,
                          ".%06ldZ level=%s role=%s node=%" PRIu32 " event=%s", now.tv_nsec / 1000,
                          levels[level], say->role, say->node, event),
                 SAY_LINE_BYTES_MAX - at);
    if (say->suppressed > 0) {
        at += length(
            snprintf(text + at, SAY_LINE_BYTES_MAX - at, " suppressed=%" PRIu64, say->suppressed),
            SAY_LINE_BYTES_MAX - at);
        say->suppressed = 0;
    }
    if (format[0] != '\0' && at + 2 < SAY_LINE_BYTES_MAX) {
        va_list rest;
        text[at++] = ' ';
        va_start(rest, format);
        at += length(vsnprintf(text + at, SAY_LINE_BYTES_MAX - at, format, rest),
                     SAY_LINE_BYTES_MAX - at);
        va_end(rest);
    }
    for (size_t i = 0; i < at; i++) { /* one line, whatever a value holds */
        if ((unsigned char)text[i] < ' ') {
            text[i] = '?';
        }
    }
    text[at++] = '\n';
    const ssize_t done = write(STDERR_FILENO, text, at);
    (void)done; /* nobody listens: nothing to be done about it */
}
