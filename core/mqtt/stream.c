#include "core/mqtt/stream.h"

#include <stddef.h>
#include <string.h>

#include "core/check.h"

/* Move up to size_bytes of input to the end of the unfinished packet. */
static void framer_move(struct mqtt_framer *framer, struct mqtt_input *input, uint32_t size_bytes)
{
    const uint32_t moved = size_bytes < input->size_bytes ? size_bytes : input->size_bytes;
    CHECK(moved <= MQTT_PACKET_BYTES_MAX - framer->size_bytes);
    if (moved > 0) {
        memcpy(framer->bytes + framer->size_bytes, input->bytes, moved);
        framer->size_bytes += moved;
        input->bytes += moved;
        input->size_bytes -= moved;
    }
}

enum err mqtt_framer_next(struct mqtt_framer *framer, struct mqtt_input *input,
                          struct mqtt_packet *packet, uint8_t *reason)
{
    CHECK(framer->size_bytes < MQTT_PACKET_BYTES_MAX);
    CHECK(input->bytes != NULL || input->size_bytes == 0);
    uint32_t packet_bytes = 0;
    if (framer->size_bytes == 0) { /* whole in the input: no copy */
        const enum err err =
            mqtt_packet_size(input->bytes, input->size_bytes, &packet_bytes, reason);
        if (err == ERR_MALFORMED) {
            return err;
        }
        if (err == ERR_OK && packet_bytes <= input->size_bytes) {
            const uint8_t *bytes = input->bytes;
            input->bytes += packet_bytes;
            input->size_bytes -= packet_bytes;
            return mqtt_decode(bytes, packet_bytes, packet, reason);
        }
    }
    enum err err = mqtt_packet_size(framer->bytes, framer->size_bytes, &packet_bytes, reason);
    while (err == ERR_NOT_FOUND && input->size_bytes > 0) { /* a fixed header: at most 5 times */
        framer_move(framer, input, 1);
        err = mqtt_packet_size(framer->bytes, framer->size_bytes, &packet_bytes, reason);
    }
    if (err != ERR_OK) {
        return err;
    }
    framer_move(framer, input, packet_bytes - framer->size_bytes);
    if (framer->size_bytes < packet_bytes) {
        return ERR_NOT_FOUND;
    }
    framer->size_bytes = 0; /* the bytes stay until the next call overwrites them */
    return mqtt_decode(framer->bytes, packet_bytes, packet, reason);
}

enum err mqtt_outgoing_packet(struct mqtt_outgoing *outgoing, const struct port *port,
                              uint32_t link, const struct mqtt_packet *packet)
{
    const uint32_t held_bytes = outgoing->size_bytes;
    const enum err err = mqtt_outgoing_hold(outgoing, packet);
    if (err != ERR_OK || held_bytes > 0) {
        return err;
    }
    return mqtt_outgoing_flush(outgoing, port, link);
}

enum err mqtt_outgoing_hold(struct mqtt_outgoing *outgoing, const struct mqtt_packet *packet)
{
    const uint32_t held_bytes = outgoing->size_bytes;
    CHECK(held_bytes <= LINK_SEND_BYTES_MAX);
    uint32_t packet_bytes_max = MQTT_PACKET_BYTES_MAX;
    if (outgoing->packet_bytes_max > 0 && outgoing->packet_bytes_max < packet_bytes_max) {
        packet_bytes_max = outgoing->packet_bytes_max;
    }
    const uint32_t room_bytes = LINK_SEND_BYTES_MAX - held_bytes;
    uint32_t size_bytes = room_bytes;
    enum err err = mqtt_encode(packet, outgoing->bytes + held_bytes, &size_bytes);
    if (size_bytes > packet_bytes_max) {
        size_bytes = packet_bytes_max < room_bytes ? packet_bytes_max : room_bytes;
        err = mqtt_encode_lean(packet, outgoing->bytes + held_bytes, &size_bytes);
    }
    if (size_bytes > packet_bytes_max) {
        return ERR_RANGE;
    }
    /* With nothing held back any packet may go: the link may take it at once. */
    const uint32_t reserve_bytes =
        packet->type == MQTT_PUBLISH && held_bytes > 0 ? MQTT_OUTGOING_RESERVE_BYTES : 0;
    if (err != ERR_OK || size_bytes + reserve_bytes > room_bytes) {
        return ERR_FULL;
    }
    outgoing->size_bytes += size_bytes;
    return ERR_OK;
}

enum err mqtt_outgoing_flush(struct mqtt_outgoing *outgoing, const struct port *port, uint32_t link)
{
    uint32_t sent_bytes = 0;
    while (sent_bytes < outgoing->size_bytes) { /* until "later": only then does WRITABLE follow */
        const uint32_t rest_bytes = outgoing->size_bytes - sent_bytes;
        const int32_t taken =
            port->link_send(port->ctx, link, outgoing->bytes + sent_bytes, rest_bytes);
        if (taken < 0) {
            outgoing->size_bytes = 0;
            return ERR_CLOSED;
        }
        if (taken == 0) {
            break;
        }
        CHECK((uint32_t)taken <= rest_bytes);
        sent_bytes += (uint32_t)taken;
    }
    outgoing->size_bytes -= sent_bytes;
    memmove(outgoing->bytes, outgoing->bytes + sent_bytes, outgoing->size_bytes);
    return ERR_OK;
}
