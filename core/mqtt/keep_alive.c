#include "core/mqtt/keep_alive.h"

static uint64_t interval_us(const struct mqtt_keep_alive *alive)
{
    return alive->interval_s * UINT64_C(1000000);
}

uint64_t mqtt_keep_alive_ping_us(const struct mqtt_keep_alive *alive)
{
    if (alive->interval_s == 0) {
        return UINT64_MAX;
    }
    const uint64_t asked_us =
        alive->heard_us > alive->pinged_us ? alive->heard_us : alive->pinged_us;
    return (alive->sent_us < asked_us ? alive->sent_us : asked_us) + interval_us(alive);
}

uint64_t mqtt_keep_alive_silence_us(const struct mqtt_keep_alive *alive)
{
    return alive->interval_s == 0 ? UINT64_MAX : alive->heard_us + interval_us(alive) / 2 * 3;
}
