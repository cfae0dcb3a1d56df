/* A run as Chrome trace JSON, which ui.perfetto.dev and chrome://tracing open.
 *
 *   process    a node (pid: its number); 0: what befalls all of them
 *   slices     begin and end of what lasts: no power, and each fault class on its target, a thread
 *              for each; and one microsecond for each send and arrival of bytes
 *   instants   evidence, truths, and faults that have no length
 *   flows      from a send to the arrival of its last byte; what never arrived has no end
 *   counters   the gateway's queue, as CUSTODY says it
 * Times are simulated microseconds. Every slice that begins ends, at the run's end at the latest.
 */
#ifndef BROWNOUT_SIM_PERFETTO_H
#define BROWNOUT_SIM_PERFETTO_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "sim/map.h"
#include "sim/net.h"
#include "sim/world.h"

struct perfetto_stream;

struct perfetto {
    FILE *file; /* borrowed */
    const struct settings *settings;
    uint32_t node_count;
    uint64_t events; /* written */
    uint64_t now_us;
    uint32_t *bands;    /* [node * BANDS + band]: slices that have begun and not ended */
    uint64_t *last_us;  /* likewise: of its newest event */
    struct map streams; /* by link << 1 | by_opener */
    uint32_t stream_count;
    struct perfetto_stream *list;
    uint64_t flows;
};

/* settings: borrowed until perfetto_close. title: for people. */
void perfetto_open(struct perfetto *perfetto, FILE *file, const struct settings *settings,
                   const char *title);
void perfetto_item(struct perfetto *perfetto, const struct world_item *item);
void perfetto_tap(struct perfetto *perfetto, const struct net_tap *tap);
/* End what has begun, and free; `events` stays. Whether all was written, ferror(file) says. */
void perfetto_close(struct perfetto *perfetto);

#endif
