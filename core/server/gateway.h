/* The gateway: custody between devices and the cloud.
 *
 * It terminates device sessions, checks what it can (session = kid = topic, form, signature), and
 * puts each envelope into a bounded queue in SQLite. Custody (PUBACK) is given only after the
 * commit that makes it durable: one commit a step. Towards the cloud it wraps each envelope with
 * its policy tags under its own signature, sends in the queue's order within Receive Maximum, and
 * deletes what the cloud has confirmed. A device's response or status goes up without custody. It
 * passes what the cloud has signed for a device down to its session, and can forge nothing. A full
 * queue, a device over its share and a full disk are refused (0x97) and evidenced. What a device
 * sends again is another copy, with a row, a share and a custody of its own; only the cloud tells
 * copies apart. A queue that is found broken at boot is given up and begun anew (DROP, disk). When
 * the disk fails, it asks for a reset: after a failed commit RAM and disk may disagree.
 *
 * Topics: device -> gateway "t/<device>"; gateway -> cloud "g/<gateway>"; cloud -> gateway and
 * gateway -> device "d/<device>" (acks, challenges, and what firmware updates need).
 */
#ifndef BROWNOUT_CORE_SERVER_GATEWAY_H
#define BROWNOUT_CORE_SERVER_GATEWAY_H

#include "core/event.h"
#include "core/server/registry.h"

struct gateway_config {
    uint32_t id;
    struct key_pair keys;
    uint32_t cloud;
    uint32_t tenant;
    uint32_t policy_version;
    struct registry devices;  /* borrowed until gateway_drop */
    uint32_t queue_max;       /* 1..GATEWAY_QUEUE_MAX */
    uint32_t queue_share_max; /* messages of one device in the queue */
    uint32_t sessions_max;    /* 1..SERVER_SESSIONS_MAX */
    uint64_t backoff_base_us, backoff_cap_us;
    uint64_t watchdog_us;
    uint16_t keep_alive_s; /* towards the cloud */
};

struct gateway;

struct gateway_view {
    uint32_t queue_count;
    uint32_t session_count;
    bool connected;                                            /* to the cloud */
    uint64_t custodies, forwards, discharges, refusals, drops; /* since boot */
};

/* Size of the struct for a configuration: the caller provides the memory, SQLite has a heap. */
uint32_t gateway_size_bytes(const struct gateway_config *config);
void gateway_init(struct gateway *gateway, const struct gateway_config *config,
                  const struct port *port);
void gateway_step(struct gateway *gateway, const struct port *port, const struct event *event);
uint64_t gateway_deadline_us(const struct gateway *gateway);
void gateway_view(const struct gateway *gateway, struct gateway_view *out);
/* Finalise and close; no durable effect. After a power loss too. */
void gateway_drop(struct gateway *gateway);

#endif
