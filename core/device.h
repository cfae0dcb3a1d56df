/* The device: samples, seals, signs, keeps, sends, and forgets only what the cloud has signed for.
 *
 * Order of one reading: counter below the durable reserve -> sensor -> SIGN -> durable in the
 * outbox (STORE) -> SEND. It stays in flash until the cloud's ack covers it (RELEASE) or, when the
 * outbox is full, the oldest goes by a counted rule (SHED). Only counters below oldest + window are
 * sent, so that no reading can be pushed out of the cloud's window by a newer one. A retry is a
 * reconnect, with the same bytes; on a live connection nothing is sent twice. An ack that does not
 * come within ack_timeout_us is such a reason to reconnect, to the next gateway. So is a reading
 * that the gateway refuses, once those that it took are acked: who left before would never hear of
 * them where a gateway takes but few.
 *
 * A challenge of the cloud, which has lost its window, is answered once a connection; a new one is
 * followed by a reconnect, so that all that is unacked is sent again behind the response. When the
 * flash fails, the device samples on (LOSE), sends what it can still read, and asks for a reset
 * after backoff_cap_us. An epoch that is used up, or an ack that proves that the flash was set
 * back, ends in the same way, with a new epoch.
 *
 * Where its firmware is managed, it updates itself over the same wire: device_firmware.h.
 */
#ifndef BROWNOUT_CORE_DEVICE_H
#define BROWNOUT_CORE_DEVICE_H

#include "core/backoff.h"
#include "core/device_firmware.h"
#include "core/event.h"
#include "core/message.h"
#include "core/mqtt/client.h"
#include "core/outbox.h"

struct device_config {
    uint32_t id; /* >= 1 */
    struct key_pair keys;
    uint8_t secret[KEY_BYTES]; /* shared with the cloud: readings are sealed under keys of it */
    uint32_t cloud;
    uint8_t cloud_key[KEY_BYTES];
    uint32_t gateways[DEVICE_GATEWAYS_MAX];
    uint32_t gateway_count; /* 1..DEVICE_GATEWAYS_MAX */
    uint64_t sample_every_us;
    uint32_t burst;   /* so many readings, each sample_every_us after the other, and then */
    uint64_t idle_us; /* none for so long; >= 1. burst 0: one reading after the other, for ever */
    uint32_t reserve; /* counters reserved by one flash write, 1..RESERVE_MAX */
    uint32_t outbox_max; /* 1..OUTBOX_MAX */
    uint32_t window;     /* <= the cloud's window; 1..WINDOW_BITS_MAX */
    uint64_t backoff_base_us, backoff_cap_us;
    uint64_t ack_timeout_us;
    uint64_t watchdog_us;
    uint16_t keep_alive_s;
    uint16_t packet_id; /* of the first PUBLISH of a connection; 0: 1 */
    struct device_firmware_config firmware;
};

struct device {
    struct device_config config; /* copied */
    struct outbox outbox;
    bool mounted;            /* false: no outbox, nothing is kept or sent; waits for a reset */
    uint64_t reset_at_us;    /* UINT64_MAX while the flash is well */
    uint64_t watchdog_at_us; /* wake up to arm the watchdog, though there is nothing else to do */
    uint64_t sample_at_us;
    uint32_t burst_count;   /* readings of the burst so far */
    uint64_t connect_at_us; /* UINT64_MAX while connected */
    uint32_t gateway_index;
    uint8_t reading_key[AEAD_KEY_BYTES]; /* of the epoch */
    struct backoff backoff;
    struct mqtt_client client;
    struct device_connection { /* what is true of this connection alone */
        uint64_t ready_us;     /* UINT64_MAX = not open for PUBLISH yet */
        uint64_t await_us;     /* since when an ack is awaited; UINT64_MAX = none is */
        uint32_t forgeries;    /* signatures of the cloud that did not verify */
        uint32_t taken;        /* readings in the gateway's custody that no ack has covered */
        bool refused;          /* custody: nothing more is sent */
        bool useful;           /* something was released */
        bool responded;        /* to a challenge */
    } connection;
    bool challenged; /* nonce is one that was answered */
    uint8_t nonce[CHALLENGE_BYTES];
    uint64_t answer_floor; /* in the newest answer to a challenge */
    struct device_firmware firmware;
    struct device_counts {
        uint64_t sampled, lost, shed, released, sent, connects, dropped, answers;
    } counts; /* since boot */
};

struct device_view {
    uint32_t epoch; /* 0: the flash failed */
    uint64_t counter_next, counter_reserved;
    uint64_t oldest; /* unacked; counter_next when there is none */
    uint32_t outbox_count;
    uint64_t answer_floor; /* in the newest of counts.answers to challenges */
    bool connected;
    struct device_counts counts;
    struct device_firmware_view firmware;
};

void device_init(struct device *device, const struct device_config *config,
                 const struct port *port);
void device_step(struct device *device, const struct port *port, const struct event *event);
uint64_t device_deadline_us(const struct device *device);
void device_view(const struct device *device, struct device_view *out);
/* The reading that is kept as number `index`, oldest first: its counter and the slot of its record.
 * index < outbox_count of the view. */
void device_kept(const struct device *device, uint32_t index, uint64_t *counter, uint32_t *slot);

#endif
