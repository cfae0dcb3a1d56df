#include "core/mqtt/keep_alive.h"

void mqtt_keep_alive_connected(struct mqtt_keep_alive *alive, uint16_t asked_s,
                               const struct mqtt_properties *connack)
{
    const bool set = (connack->present & MQTT_PROPERTY_BIT(MQTT_SERVER_KEEP_ALIVE)) != 0;
    alive->interval_s = set ? connack->server_keep_alive_s : asked_s;
}

uint64_t mqtt_keep_alive_ping_us(const struct mqtt_keep_alive *alive)
{
    if (alive->interval_s == 0) {
        return UINT64_MAX;
    }
    const uint64_t asked_us =
        alive->heard_us > alive->pinged_us ? alive->heard_us : alive->pinged_us;
    return (alive->sent_us < asked_us ? alive->sent_us : asked_us) +
           alive->interval_s * UINT64_C(1000000);
}

uint64_t mqtt_keep_alive_silence_us(uint16_t interval_s, uint64_t heard_us)
{
    return interval_s == 0 ? UINT64_MAX : heard_us + interval_s * UINT64_C(1500000);
}

uint64_t mqtt_keep_alive_deadline_us(const struct mqtt_keep_alive *alive)
{
    const uint64_t ping_us = mqtt_keep_alive_ping_us(alive);
    const uint64_t silence_us = mqtt_keep_alive_silence_us(alive->interval_s, alive->heard_us);
    return ping_us < silence_us ? ping_us : silence_us;
}

enum err mqtt_keep_alive_timeout(struct mqtt_keep_alive *alive, struct mqtt_outgoing *outgoing,
                                 const struct port *port, uint32_t link, uint64_t now_us)
{
    if (now_us >= mqtt_keep_alive_silence_us(alive->interval_s, alive->heard_us)) {
        return ERR_CLOSED;
    }
    struct mqtt_packet packet;
    mqtt_packet_init(&packet, MQTT_PINGREQ); /* [MQTT-3.1.2-20] */
    alive->pinged_us = now_us;
    alive->sent_us = now_us;
    return mqtt_outgoing_packet(outgoing, port, link, &packet);
}
