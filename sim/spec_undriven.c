#include "sim/spec_undriven.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

static uint32_t action_of(const struct spec_instance *instance, const char *name)
{
    for (uint32_t i = 0; i < instance->model->action_count; i++) {
        if (strcmp(instance->actions[i].name, name) == 0) {
            return i;
        }
    }
    return UINT32_MAX;
}

/* Spaces at both ends go. */
static char *trim(char *text)
{
    char *end = text + strlen(text);
    while (*text == ' ' || *text == '\t') {
        text++;
    }
    while (end > text && strchr(" \t\r\n", end[-1]) != NULL) {
        *--end = '\0';
    }
    return text;
}

static bool read_line(struct undriven *undriven, const struct spec_instance *instance, char *text,
                      uint32_t number, char *error, size_t error_bytes)
{
    char *colon = strchr(text, ':');
    if (colon == NULL || *trim(colon + 1) == '\0') {
        snprintf(error, error_bytes, "%s:%" PRIu32 ": write Action: reason", undriven->path,
                 number);
        return false;
    }
    *colon = '\0';
    const char *name = trim(text), *reason = trim(colon + 1);
    const uint32_t action = action_of(instance, name);
    if (action == UINT32_MAX) {
        snprintf(error, error_bytes, "%s:%" PRIu32 ": %s has no action %s", undriven->path, number,
                 instance->model->name, name);
        return false;
    }
    if (undriven->count == UNDRIVEN_LINES_MAX || strlen(reason) >= UNDRIVEN_LINE_BYTES) {
        snprintf(error, error_bytes, "%s:%" PRIu32 ": too long; at most %d lines of %d bytes",
                 undriven->path, number, UNDRIVEN_LINES_MAX, UNDRIVEN_LINE_BYTES - 1);
        return false;
    }
    struct undriven_line *line = &undriven->lines[undriven->count++];
    line->number = number;
    line->action = action;
    snprintf(line->reason, sizeof line->reason, "%s", reason);
    return true;
}

bool undriven_read(struct undriven *undriven, const struct spec_folder *folder,
                   const struct spec_instance *instance, char *error, size_t error_bytes)
{
    char text[2 * UNDRIVEN_LINE_BYTES];
    memset(undriven, 0, sizeof *undriven);
    const int length = snprintf(undriven->path, sizeof undriven->path, "%s/UNDRIVEN", folder->path);
    if (length < 0 || (size_t)length >= sizeof undriven->path) {
        snprintf(error, error_bytes, "%s: the path is too long", folder->path);
        return false;
    }
    FILE *file = fopen(undriven->path, "r");
    if (file == NULL && errno == ENOENT) {
        return true;
    }
    if (file == NULL) {
        snprintf(error, error_bytes, "%s: %s", undriven->path, strerror(errno));
        return false;
    }
    bool good = true;
    for (uint32_t number = 1; good && fgets(text, sizeof text, file) != NULL; number++) {
        char *line = trim(text);
        if (*line != '\0' && *line != '#') {
            good = read_line(undriven, instance, line, number, error, error_bytes);
        }
    }
    fclose(file);
    return good;
}

uint32_t undriven_find(const struct undriven *undriven, uint32_t action, const char *reason)
{
    for (uint32_t i = 0; i < undriven->count; i++) {
        if (undriven->lines[i].action == action && strcmp(undriven->lines[i].reason, reason) == 0) {
            return i;
        }
    }
    return UINT32_MAX;
}
