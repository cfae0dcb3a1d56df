/* Both directions of MQTT over a byte stream, ordered and lossless [MQTT-4.2-1]: packets out of
 * bytes cut anywhere, and bytes held back while a link says "later". */
#ifndef BROWNOUT_CORE_MQTT_STREAM_H
#define BROWNOUT_CORE_MQTT_STREAM_H

#include "core/mqtt/packet.h"
#include "core/port.h"

/* What is left of an event's bytes; lives on the stack of a step. */
struct mqtt_input {
    const uint8_t *bytes;
    uint32_t size_bytes;
};

struct mqtt_framer {
    uint32_t size_bytes; /* bytes of an unfinished packet */
    uint8_t bytes[MQTT_PACKET_BYTES_MAX];
};

/* Take bytes from input until one packet is whole. Both structs start as zero.
 * ERR_OK (the slices of *packet point into the framer or the input, and are good until the next
 * call) | ERR_NOT_FOUND (the input is used up, no packet is whole yet) | ERR_MALFORMED (*reason as
 * for mqtt_decode; 0x95 is found from the length, without buffering).
 * Each packet and each refusal is the same however the stream is cut. */
enum err mqtt_framer_next(struct mqtt_framer *framer, struct mqtt_input *input,
                          struct mqtt_packet *packet, uint8_t *reason) MUST_USE;

/* Room that a PUBLISH leaves to the packets that must not wait for it [MQTT-3.3.4-8]: a PUBACK of 5
 * bytes for everything in flight, and a few pings. */
enum { MQTT_OUTGOING_RESERVE_BYTES = 5 * MQTT_INFLIGHT_MAX + 32 };
_Static_assert(MQTT_OUTGOING_RESERVE_BYTES < LINK_SEND_BYTES_MAX, "a reserve is a part");

struct mqtt_outgoing {
    uint32_t packet_bytes_max; /* the peer's Maximum Packet Size; 0 = MQTT_PACKET_BYTES_MAX */
    uint32_t size_bytes;       /* held back; > 0 only while the link says "later" */
    uint8_t bytes[LINK_SEND_BYTES_MAX];
};

/* Encode and send, or hold back what the link does not take. An answer that is too large for the
 * peer goes as mqtt_encode_lean has it. On an error nothing was sent or kept.
 * ERR_OK | ERR_FULL | ERR_RANGE (larger than the peer takes [MQTT-3.1.2-24] [MQTT-3.2.2-15]) |
 * ERR_CLOSED. */
enum err mqtt_outgoing_packet(struct mqtt_outgoing *outgoing, const struct port *port,
                              uint32_t link, const struct mqtt_packet *packet) MUST_USE;
/* Encode and hold back, to leave with the next flush: for what must not be seen before a commit.
 * The same errors but ERR_CLOSED. */
enum err mqtt_outgoing_hold(struct mqtt_outgoing *outgoing,
                            const struct mqtt_packet *packet) MUST_USE;
/* EVENT_LINK_WRITABLE, or after a hold: go on. ERR_OK | ERR_CLOSED. */
enum err mqtt_outgoing_flush(struct mqtt_outgoing *outgoing, const struct port *port,
                             uint32_t link) MUST_USE;

#endif
