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
 * Where firmware is managed, the cloud learns what each device runs from its signed statuses, in
 * the order in which they were signed, and answers each one with an offer, a chunk of an image, or
 * that it was heard. What changed is durable before the answer leaves. To a device that has nothing
 * to ask, a release that has become due is offered unasked, again and again, ever more rarely,
 * until a status comes.
 *
 * Tables, for people and for the judge of crash images:
 *   reading(device, epoch, counter, gateway, tenant, policy, wall_us, value, envelope)
 *   window(device, epoch, top, seen, ack)    seen: as the bitmap of an ack
 *   firmware(device, epoch, boot, tick, sequence, outcome, floor, revert_sequence, revert_reason,
 *            revert_count, declined_sequence, declined_reason)    only where firmware is managed
 * 64-bit counters stand there as SQLite's signed integers, bit by bit.
 */
#ifndef BROWNOUT_CORE_SERVER_CLOUD_H
#define BROWNOUT_CORE_SERVER_CLOUD_H

#include "core/event.h"
#include "core/server/registry.h"
#include "core/server/release.h"

struct cloud_config {
    uint32_t id;
    struct key_pair keys;
    struct registry devices;  /* borrowed until cloud_drop */
    struct registry gateways; /* borrowed until cloud_drop */
    uint32_t window;          /* bits, 1..WINDOW_BITS_MAX */
    uint32_t sessions_max;    /* 1..SERVER_SESSIONS_MAX */
    uint64_t watchdog_us;
    struct cloud_firmware_config firmware;
};

struct cloud;

/* What a device last said of its firmware. */
struct cloud_firmware {
    bool known; /* else it never did, and the rest is zero */
    uint32_t epoch;
    uint64_t boot;
    uint32_t tick;                     /* with epoch and boot: which status said it */
    struct manifest_sequence sequence; /* it runs this */
    uint32_t outcome;                  /* enum boot_outcome, as struct status */
    struct security_floor floor;
    struct manifest_sequence revert_sequence; /* reverted last; 0: never */
    enum image_fault revert_reason;
    uint32_t revert_count;
    struct manifest_sequence declined_sequence; /* declined last while it runs what it does */
    enum image_fault declined_reason;
};

struct cloud_view {
    uint32_t session_count;
    uint64_t accepted, rejected, duplicates, challenges, acks, drops; /* since boot */
    uint64_t statuses, learnt, offers, chunks, answers;               /* as well */
};

uint32_t cloud_size_bytes(const struct cloud_config *config);
void cloud_init(struct cloud *cloud, const struct cloud_config *config, const struct port *port);
void cloud_step(struct cloud *cloud, const struct port *port, const struct event *event);
uint64_t cloud_deadline_us(const struct cloud *cloud);
void cloud_view(const struct cloud *cloud, struct cloud_view *out);
/* What the cloud knows of a device's firmware, by the device's number. */
void cloud_firmware(const struct cloud *cloud, uint32_t device, struct cloud_firmware *out);
void cloud_drop(struct cloud *cloud);

#endif
