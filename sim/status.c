#include "sim/status.h"

#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum {
    TERMINAL_EVERY_US = 200000,
    PLAIN_EVERY_US = 5000000,
    WIDTH_MAX = 79, /* a longer line would wrap, and could not be written over */
};

uint64_t status_wall_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000u + (uint64_t)now.tv_nsec / 1000u;
}

void status_begin(struct status *status)
{
    memset(status, 0, sizeof *status);
    status->terminal = isatty(STDERR_FILENO) == 1;
    status->start_us = status->shown_us = status_wall_us();
}

bool status_due(const struct status *status)
{
    const uint64_t every_us = status->terminal ? TERMINAL_EVERY_US : PLAIN_EVERY_US;
    return status_wall_us() - status->shown_us >= every_us;
}

void status_show(struct status *status, const char *text)
{
    status->shown_us = status_wall_us();
    if (!status->terminal) {
        fprintf(stderr, "%s\n", text);
        return;
    }
    const int before = status->width;
    status->width = (int)strlen(text);
    if (status->width > WIDTH_MAX) {
        status->width = WIDTH_MAX;
    }
    const int rest = before > status->width ? before - status->width : 0;
    fprintf(stderr, "\r%.*s%*s", status->width, text, rest, "");
    fflush(stderr);
}

void status_clear(struct status *status)
{
    if (status->width > 0) {
        fprintf(stderr, "\r%*s\r", status->width, "");
        fflush(stderr);
        status->width = 0;
    }
}

uint64_t status_elapsed_us(const struct status *status)
{
    return status_wall_us() - status->start_us;
}
