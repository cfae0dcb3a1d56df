/* The cloud: the only judge of a reading.
 *
 * Order of one copy: gateway session -> gateway's signature over the tags -> device's signature
 * over the envelope -> replay window -> sealed reading opens -> row and window in one transaction
 * -> COMMIT -> ack. Signature before the window, durable before visible. One commit a step; RAM
 * windows are those of the last commit: when the disk is full, they are read back and the gateway's
 * session is closed without an answer; when the disk fails, the cloud asks for a reset. Every
 * verified copy, taken or not, gets the current ack, which is cached with the window and signed
 * once per change. A device (or an epoch) without a window is challenged, never accepted first; its
 * signed response sets the lower limit.
 *
 * Tables, for people and for the judge of crash images:
 *   reading(device, epoch, counter, gateway, tenant, policy, wall_us, value, envelope)
 *   window(device, epoch, top, seen, ack)    seen: as the bitmap of an ack
 * 64-bit counters stand there as SQLite's signed integers, bit by bit.
 */
#ifndef BROWNOUT_CORE_SERVER_CLOUD_H
#define BROWNOUT_CORE_SERVER_CLOUD_H

#include "core/event.h"
#include "core/server/registry.h"

struct cloud_config {
    uint32_t id;
    struct key_pair keys;
    struct registry devices;  /* borrowed until cloud_drop */
    struct registry gateways; /* borrowed until cloud_drop */
    uint32_t window;          /* bits, multiple of 8, 8..WINDOW_BITS_MAX */
    uint32_t sessions_max;    /* 1..SERVER_SESSIONS_MAX */
    uint64_t watchdog_us;
};

struct cloud;

struct cloud_view {
    uint32_t session_count;
    uint64_t accepted, rejected, duplicates, challenges, acks, drops; /* since boot */
};

uint32_t cloud_size_bytes(const struct cloud_config *config);
void cloud_init(struct cloud *cloud, const struct cloud_config *config, const struct port *port);
void cloud_step(struct cloud *cloud, const struct port *port, const struct event *event);
uint64_t cloud_deadline_us(const struct cloud *cloud);
void cloud_view(const struct cloud *cloud, struct cloud_view *out);
void cloud_drop(struct cloud *cloud);

#endif
