/* What a run's workload was, as probes: that shapes which settings ask for did come about. They are
 * measured in true time, between two samples of one boot, and not read off the settings. */
#ifndef BROWNOUT_SIM_WORKLOAD_H
#define BROWNOUT_SIM_WORKLOAD_H

#include <stdbool.h>
#include <stdint.h>

#include "core/evidence.h"
#include "sim/world.h"

/* What was seen of one device. */
struct workload_seen {
    uint64_t sampled_us;                  /* in this boot; 0: not yet */
    uint32_t epoch;                       /* newest of an accepted reading */
    bool had_epoch;                       /* an older one was accepted from, too */
    bool wrapped;                         /* in this connection */
    uint64_t counter_max, counter_before; /* accepted: in this epoch, and in those before it */
};

/* A device or the cloud says something at true time time_us. period_us: of the device that it is
 * about. Counts into probes[PROBE_COUNT]. */
void workload_evidence(struct workload_seen *seen, const struct settings *settings,
                       uint64_t period_us, uint64_t time_us, const struct evidence *evidence,
                       uint64_t *probes);

/* A device's step is over, in which it was up: the packet id that its next PUBLISH has, 0: none. */
void workload_packet_id(struct workload_seen *seen, const struct settings *settings,
                        uint16_t packet_id, uint64_t *probes);

#endif
