/* What a device remembers over power loss: the counters that it may use, and the readings that the
 * cloud has not acked. Private to device.c.
 *
 * The store holds two kinds of records:
 *
 *   state     [epoch, reserved, floor] in one record, so that no counter is ever read beside an
 *             epoch that it does not belong to; the floor rides along with each reserve
 *   reading   the signed envelope, under the number of its slot
 *
 * A slot is free again when its reading is released or shed, and the lowest free slot is taken:
 * forgetting is not durable, and so no more records than slots can come back after a restart, and
 * few of them do. Those above the floor are sent, and acked, once more.
 *
 * A lost store never brings a counter back: COUNTER_EPOCH rises before the flash is formatted, and
 * a store is lost when its state is missing, not of the epoch that COUNTER_EPOCH says, or
 * contradicted by a reading beyond the reserve, or when rot may hide a newer one. Beyond reach is
 * what the store does not see (store.h): then an older state may pass for the newest.
 */
#ifndef BROWNOUT_CORE_OUTBOX_H
#define BROWNOUT_CORE_OUTBOX_H

#include "core/message.h"
#include "core/slot.h"
#include "core/store.h"

/* Above this a counter is not used: the epoch is over. Half of what a signed column can hold, and
 * still 2^62 / RESERVE_MAX restarts. */
#define COUNTER_MAX (UINT64_C(1) << 62)

struct outbox_entry {
    uint64_t counter;
    uint64_t sent_us; /* on this connection, where index < outbox.sent_count */
    uint32_t slot;
};

struct outbox_config {
    uint32_t device;           /* >= 1 */
    uint32_t count_max;        /* 1..OUTBOX_MAX */
    uint32_t reserve;          /* 1..RESERVE_MAX */
    struct slot_region region; /* of the flash: the application's store */
    bool shared;               /* others keep records there as well: room stays for them */
};

struct outbox {
    struct store store;
    struct outbox_config config; /* copied */
    uint32_t epoch;              /* 0 until mounted */
    uint64_t counter_next;
    uint64_t counter_reserved; /* counters below are durable-reserved; >= counter_next */
    uint32_t count;
    uint32_t sent_count;                     /* the first ones, sent on this connection; <= count */
    struct outbox_entry entries[OUTBOX_MAX]; /* ascending counter, all of this epoch */
    uint64_t shed, released;                 /* since boot */
};

/* Mount the region, or found a new epoch on it. ERR_OK | ERR_IO | ERR_FULL | ERR_RANGE (epochs
 * are used up); unusable on error. */
enum err outbox_init(struct outbox *outbox, const struct port *port,
                     const struct outbox_config *config) MUST_USE;

/* Make room for one more reading (shedding), reserve ahead where needed (RESERVE), and draw the
 * next counter: it is never drawn again. ERR_OK | ERR_IO | ERR_FULL | ERR_RANGE (the epoch is used
 * up). */
enum err outbox_draw(struct outbox *outbox, const struct port *port, uint64_t *counter) MUST_USE;

/* The same without room for a reading: a number that no reading will have, to name something else.
 */
enum err outbox_number(struct outbox *outbox, const struct port *port, uint64_t *counter) MUST_USE;

/* Keep the envelope of the counter just drawn (STORE); sheds while the flash is full.
 * ERR_OK | ERR_IO | ERR_FULL. */
enum err outbox_put(struct outbox *outbox, const struct port *port, uint64_t counter,
                    const struct envelope *envelope) MUST_USE;

/* The same bytes each time. ERR_OK | ERR_CORRUPT | ERR_IO. */
enum err outbox_get(const struct outbox *outbox, const struct port *port, uint32_t index,
                    struct envelope *out) MUST_USE;

/* Drop one by the counted rule (SHED). */
void outbox_shed(struct outbox *outbox, const struct port *port, uint32_t index);

/* Would this ack release anything, or does it prove that this memory is an old one? Cheap: asked
 * before the signature is verified. */
bool outbox_is_covered(const struct outbox *outbox, const struct ack *ack);

/* Let go of all that a verified ack covers (RELEASE). The number released. */
uint32_t outbox_release(struct outbox *outbox, const struct port *port, const struct ack *ack);

/* The ack covers a counter that was never drawn: the flash was set back to an older image, or was
 * copied. */
bool outbox_is_behind(const struct outbox *outbox, const struct ack *ack);

/* End the epoch: shed all and raise COUNTER_EPOCH, so that the next outbox_init founds a new one.
 * Unusable afterwards. If the counter cannot be raised, the reason is met again after the boot. */
void outbox_end_epoch(struct outbox *outbox, const struct port *port);

/* All counters up to here are closed: released, shed, lost, or never to be used. */
uint64_t outbox_floor(const struct outbox *outbox);

#endif
