/* Link profiles: what a kind of link does to bytes, with the source of its figures; and links that
 * follow a measured trace in mahimahi's format (each line: a millisecond at which one packet of
 * 1,500 bytes may leave; at its end the trace starts again). */
#ifndef BROWNOUT_SIM_PROFILE_H
#define BROWNOUT_SIM_PROFILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { PROFILE_SEGMENT_BYTES = 1400 };

struct profile_trace { /* delivery opportunities, ascending; owned by the profile set */
    uint32_t *at_ms;
    uint32_t count;
    uint32_t period_ms;
};

struct profile {
    const char *name;
    const char *source; /* where the figures come from */
    uint64_t delay_min_us, delay_typical_us,
        delay_max_us;          /* one way; drawn around typical, long tail to max */
    uint64_t up_bps, down_bps; /* bits a second, from and to the node that opened the link */
    uint32_t loss_ppm;         /* per segment; a loss costs a retransmission time-out */
    uint64_t retransmit_us;
    uint32_t queue_bytes;          /* each way; a full queue says "later" */
    uint32_t cut_ppm;              /* chance that a segment arrives in two pieces */
    uint32_t short_ppm;            /* chance that a send takes only a part; no file says it */
    struct profile_trace up, down; /* count 0: none */
};

/* A named profile, or "trace:UP,DOWN" read from files (allocates the traces). False: error says
 * why. */
bool profile_load(const char *spec, struct profile *profile, char *error, size_t error_bytes);
void profile_free(struct profile *profile);
/* For --help and docs: the table of named profiles. */
const struct profile *profile_table(size_t *count);

/* Earliest time >= now_us at which `bytes` have left a link that is free from `free_us` on; the new
 * free time. `offset_ms` shifts a trace's start. share_ppm scales bandwidth. */
uint64_t profile_depart_us(const struct profile *profile, bool up, uint64_t free_us,
                           uint64_t now_us, uint32_t bytes, uint32_t offset_ms, uint32_t share_ppm);

#endif
