/* What a sniffer on every link would hold: the last envelopes that were sent anywhere, for the
 * attacker to use again. Links are not encrypted here; end-to-end signatures are what protects. */
#ifndef BROWNOUT_SIM_CAPTURE_H
#define BROWNOUT_SIM_CAPTURE_H

#include <stdint.h>

#include "core/limits.h"

enum { CAPTURE_COUNT = 512 };

struct captured {
    uint32_t device;
    uint32_t size_bytes;
    uint8_t bytes[ENVELOPE_BYTES_MAX];
};

/* Rings: the newest overwrites the oldest. `seen` counts all that ever went in. */
struct capture {
    uint64_t readings_seen;
    struct captured readings[CAPTURE_COUNT]; /* device -> cloud */
    uint64_t acks_seen;
    struct captured acks[CAPTURE_COUNT]; /* cloud -> device */
};

void capture_reading(struct capture *capture, uint32_t device, const uint8_t *bytes,
                     uint32_t size_bytes);
void capture_ack(struct capture *capture, uint32_t device, const uint8_t *bytes,
                 uint32_t size_bytes);

#endif
