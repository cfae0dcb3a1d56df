/* Firmware update over the device's own wire: the part of the device that says what runs here,
 * takes offers, downloads, installs, and confirms a new image by a round trip to the cloud.
 *
 * One status is under way at a time, signed, named by a nonce of this boot and a tick. It is said
 * after each connect, after each change, and whenever bytes of an image are wanted; readings that
 * can be sent go first. Its answer, signed by the cloud, is an offer, a chunk, or that it was
 * heard; any of them is the round trip that confirms an image on trial. Only the answer to the last
 * status counts, and once. An answer that does not come within ack_timeout_us is a reason to
 * reconnect to the next gateway, as an ack is.
 *
 * So the download is one chunk at a time, pulled; a cut, a lost message or another gateway only
 * cause the next status to ask again, from the first byte that is missing. Bytes that turn out not
 * to be the manifest's are fetched anew, RESTARTS_MAX times a boot. A declined offer is named in
 * the statuses of the connection, so that it is not made again there.
 *
 * The reading's flash and the update's are one store. Without a hand-over from the boot loader the
 * device samples and sends, and asks for a reset after backoff_cap_us. An image on trial that got
 * no round trip for trial_us asks for a reset, and so spends its trial; where its manifest says
 * `offline` and it has kept a reading, it is confirmed by its own word instead.
 */
#ifndef BROWNOUT_CORE_DEVICE_FIRMWARE_H
#define BROWNOUT_CORE_DEVICE_FIRMWARE_H

#include "core/message.h"
#include "core/update.h"

struct device_firmware_config {
    bool managed; /* false: the rest is not looked at, and the outbox has all of the flash */
    struct update_config update; /* update.boot.device is the device's own number */
    uint64_t trial_us;           /* since boot; 0: a trial has no such limit */
};

/* No member is good unless `running`. */
struct device_firmware {
    bool running;         /* the boot loader has handed over */
    struct update update; /* what runs here, and what is to follow */
    bool named;           /* boot and nonce are drawn */
    uint64_t boot;
    struct status_name last; /* the last status said in this boot */
    bool due;                /* a status is to be said */
    uint64_t await_us;       /* since when its answer is awaited; UINT64_MAX: none is */
    uint64_t trial_at_us;    /* when to give up an image on trial; UINT64_MAX: not to */
    uint64_t wall_us;        /* of this step */
    struct manifest_sequence declined_sequence; /* 0: no offer was */
    enum image_fault declined_reason;
    uint32_t restarts;                          /* downloads that were not what was promised */
    struct manifest_sequence restarts_sequence; /* of them; 0: none */
    struct device_firmware_counts {
        uint64_t statuses, answers, restarts; /* since boot */
    } counts;
};

struct device_firmware_view {
    bool running;
    uint32_t slot;
    struct manifest_sequence sequence; /* of the running image */
    enum boot_outcome outcome;         /* as it is now */
    struct security_floor floor;
    struct boot_revert revert;
    enum update_state state;
    uint32_t received_bytes; /* of the image that is being fetched */
    struct device_firmware_counts counts;
    struct update_counts update_counts;
};

struct device;

/* In the order of a device's life; called by device.c only, and only where firmware is managed. */
void device_firmware_init(struct device *device, const struct port *port, uint64_t now_us);
void device_firmware_ready(struct device *device); /* a connection is open for PUBLISH */
void device_firmware_connection_over(struct device *device);
/* An OFFER, a CHUNK or an ANSWER that names the cloud as its signer. */
void device_firmware_downlink(struct device *device, const struct port *port, uint64_t now_us,
                              const struct cose_sign1 *parsed);
void device_firmware_timers(struct device *device, const struct port *port, uint64_t now_us);
void device_firmware_send(struct device *device, const struct port *port, uint64_t now_us);
uint64_t device_firmware_deadline_us(const struct device *device);
void device_firmware_view(const struct device *device, struct device_firmware_view *out);

#endif
