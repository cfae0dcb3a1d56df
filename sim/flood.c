#include "sim/flood.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "core/check.h"
#include "core/mqtt/client.h"

enum { KEEP_ALIVE_S = 60 };

void flood_init(struct flood *flood)
{
    memset(flood, 0, sizeof *flood);
}

/* CONNECT in the name of a device. */
static uint32_t claim(uint32_t device, uint8_t bytes[FLOOD_SAID_BYTES])
{
    struct mqtt_packet packet;
    char name[16];
    uint32_t size_bytes = FLOOD_SAID_BYTES;
    snprintf(name, sizeof name, "%" PRIu32, device);
    mqtt_packet_init(&packet, MQTT_CONNECT);
    packet.clean_start = true;
    packet.keep_alive_s = KEEP_ALIVE_S;
    packet.client_id = mqtt_text(name);
    packet.properties.authentication_method = mqtt_text(MQTT_AUTHENTICATION_METHOD_NAME);
    packet.properties.present = MQTT_PROPERTY_BIT(MQTT_AUTHENTICATION_METHOD);
    const enum err err = mqtt_encode(&packet, bytes, &size_bytes);
    CHECK(err == ERR_OK);
    return size_bytes;
}

/* All that this one will ever say. */
static uint32_t words(const struct flood_link *link, uint8_t bytes[FLOOD_SAID_BYTES])
{
    static const uint8_t largest[] = {0x10, 0xFF, 0xFF, 0xFF, 0x7F, 0, 4, 'M', 'Q', 'T', 'T', 5};
    switch (link->kind) {
    case FLOOD_DRIP:
    case FLOOD_CLAIM:
        return claim(link->claimed, bytes);
    case FLOOD_GARBAGE:
        for (uint32_t i = 0; i < FLOOD_SAID_BYTES; i++) {
            bytes[i] = (uint8_t)((link->link + 1) * 2654435761u >> (i % 25));
        }
        return FLOOD_SAID_BYTES;
    case FLOOD_HUGE:
        memset(bytes, 0, FLOOD_SAID_BYTES);
        memcpy(bytes, largest, sizeof largest);
        return FLOOD_SAID_BYTES;
    case FLOOD_SILENT:
    case FLOOD_KIND_COUNT:
        break;
    }
    return 0;
}

/* What does not fit the link now is said in a later round. */
static void say(struct flood_link *link, const struct port *port)
{
    uint8_t bytes[FLOOD_SAID_BYTES];
    uint32_t size_bytes = words(link, bytes);
    if (link->kind == FLOOD_DRIP && link->said_bytes + 1 < size_bytes) {
        size_bytes = link->said_bytes + 1;
    }
    if (link->said_bytes < size_bytes) {
        const int32_t taken = port->link_send(port->ctx, link->link, bytes + link->said_bytes,
                                              size_bytes - link->said_bytes);
        link->said_bytes += taken > 0 ? (uint32_t)taken : 0;
    }
}

static void open_one(struct flood *flood, struct flood_link *link, const struct port *port,
                     uint32_t gateway, const struct registry *devices)
{
    uint32_t handle;
    if (port->link_open(port->ctx, gateway, &handle) != ERR_OK) {
        return;
    }
    const uint64_t number = flood->opened++;
    *link = (struct flood_link){
        .used = true,
        .kind = (enum flood_kind)(number % FLOOD_KIND_COUNT),
        .link = handle,
        .claimed = devices->entries[number / FLOOD_KIND_COUNT % devices->count].id};
    flood->open++;
}

void flood_round(struct flood *flood, const struct port *port, uint32_t count, uint32_t first,
                 uint32_t gateways, const struct registry *devices, uint64_t *opened)
{
    const uint64_t wanted = (uint64_t)count * gateways, before = flood->opened;
    CHECK(devices->count > 0);
    for (uint32_t i = 0; count > 0 && i < wanted && i < FLOOD_LINKS_MAX; i++) {
        struct flood_link *link = &flood->links[i];
        if (!link->used) {
            open_one(flood, link, port, first + i % gateways, devices);
        } else if (link->up) {
            say(link, port);
        }
    }
    *opened += flood->opened - before;
}

bool flood_event(struct flood *flood, const struct port *port, const struct event *event)
{
    for (uint32_t i = 0; flood->open > 0 && i < FLOOD_LINKS_MAX; i++) {
        struct flood_link *link = &flood->links[i];
        if (!link->used || link->link != event->link) {
            continue;
        }
        if (event->kind == EVENT_LINK_DOWN) {
            link->used = false;
            flood->open--;
        } else if (event->kind == EVENT_LINK_UP) {
            link->up = true;
            say(link, port);
        }
        return true;
    }
    return false;
}
