#include "core/posix/metrics.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "core/posix/whole_file.h"

enum { PATH_BYTES = 1100 };

__attribute__((format(printf, 2, 3))) static void print(struct metrics *metrics, const char *format,
                                                        ...)
{
    va_list rest;
    va_start(rest, format);
    const size_t room = sizeof metrics->text - metrics->used;
    const int size = vsnprintf(metrics->text + metrics->used, room, format, rest);
    va_end(rest);
    if (size < 0 || (size_t)size >= room) {
        metrics->over = true;
        return;
    }
    metrics->used += (size_t)size;
}

void metrics_begin(struct metrics *metrics, const char *path, const char *role, uint32_t node)
{
    metrics->path = path;
    metrics->role = role;
    metrics->node = node;
    metrics->last = "";
    metrics->used = 0;
    metrics->over = false;
}

void metrics_add(struct metrics *metrics, enum metrics_kind kind, const char *name,
                 const char *help, const char *label, const char *label_value, uint64_t value)
{
    if (strcmp(metrics->last, name) != 0) {
        print(metrics, "# HELP brownout_%s %s\n# TYPE brownout_%s %s\n", name, help, name,
              kind == METRICS_COUNTER ? "counter" : "gauge");
        metrics->last = name;
    }
    print(metrics, "brownout_%s{role=\"%s\",node=\"%" PRIu32 "\"", name, metrics->role,
          metrics->node);
    if (label != NULL) {
        print(metrics, ",%s=\"%s\"", label, label_value);
    }
    print(metrics, "} %" PRIu64 "\n", value);
}

#define WORD(NAME, name) #name,

void metrics_add_refusals(struct metrics *metrics, const char *name, const char *help,
                          const uint64_t counts[REFUSAL_COUNT])
{
    static const char *const words[] = {REFUSAL_LIST(WORD)};
    for (unsigned i = 1; i < REFUSAL_COUNT; i++) {
        metrics_add(metrics, METRICS_COUNTER, name, help, "reason", words[i], counts[i]);
    }
}

void metrics_add_away(struct metrics *metrics, const char *name, const char *help,
                      const uint64_t counts[LINKS_AWAY_COUNT])
{
    static const char *const words[] = {LINKS_AWAY_LIST(WORD)};
    for (unsigned i = 0; i < LINKS_AWAY_COUNT; i++) {
        metrics_add(metrics, METRICS_COUNTER, name, help, "reason", words[i], counts[i]);
    }
}

#undef WORD

bool metrics_end(struct metrics *metrics)
{
    char temporary[PATH_BYTES];
    const int size = snprintf(temporary, sizeof temporary, "%s.new", metrics->path);
    if (metrics->over || size < 0 || (size_t)size >= sizeof temporary) {
        errno = EFBIG;
        return false;
    }
    const int file = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (file < 0) {
        return false;
    }
    const bool good = whole_pwrite(file, metrics->text, metrics->used, 0);
    return close(file) == 0 && good && rename(temporary, metrics->path) == 0;
}
