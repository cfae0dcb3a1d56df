#include "sim/capture.h"

#include <string.h>

static void put(struct captured *slot, uint32_t device, const uint8_t *bytes, uint32_t size_bytes)
{
    slot->device = device;
    slot->size_bytes = size_bytes;
    memcpy(slot->bytes, bytes, size_bytes);
}

void capture_reading(struct capture *capture, uint32_t device, const uint8_t *bytes,
                     uint32_t size_bytes)
{
    if (size_bytes <= ENVELOPE_BYTES_MAX) {
        put(&capture->readings[capture->readings_seen++ % CAPTURE_COUNT], device, bytes,
            size_bytes);
    }
}

void capture_ack(struct capture *capture, uint32_t device, const uint8_t *bytes,
                 uint32_t size_bytes)
{
    if (size_bytes <= ENVELOPE_BYTES_MAX) {
        put(&capture->acks[capture->acks_seen++ % CAPTURE_COUNT], device, bytes, size_bytes);
    }
}
