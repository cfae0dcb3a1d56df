#include "sim/drive.h"

#include <string.h>

#include "sim/drive_update.h"

/* One line a law, and NULL behind them. */
static const struct driver *const drivers[] = {&drive_session, &drive_telemetry, &drive_update,
                                               NULL};

const struct driver *driver_of(const char *law)
{
    for (const struct driver *const *at = drivers; *at != NULL; at++) {
        if (strcmp((*at)->law, law) == 0) {
            return *at;
        }
    }
    return NULL;
}
