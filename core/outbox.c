#include "core/outbox.h"

#include <string.h>

#include "core/big_endian.h"
#include "core/check.h"
#include "core/evidence.h"
#include "core/record_id.h"

enum { STATE_BYTES = 4 + 8 + 8 };

static enum err found(struct outbox *outbox, const struct port *port);
static enum err load_state(struct outbox *outbox, const struct port *port, uint64_t epoch,
                           uint64_t *floor);
static enum err load_readings(struct outbox *outbox, const struct port *port, uint64_t floor);
static enum err load_reading(struct outbox *outbox, const struct port *port, uint64_t id,
                             uint64_t floor);
static enum err put_state(struct outbox *outbox, const struct port *port, uint64_t reserved);
static enum err put_shedding(struct outbox *outbox, const struct port *port, uint64_t id,
                             const uint8_t *bytes, uint32_t size_bytes);
static bool leaves_room(const struct outbox *outbox, const struct port *port, uint32_t size_bytes);
static void insert(struct outbox *outbox, uint64_t counter, uint32_t slot);
static enum err put_reading(struct outbox *outbox, const struct port *port, uint32_t slot,
                            const struct envelope *envelope);
static uint32_t free_slot(const struct outbox *outbox);
static bool ack_covers(const struct ack *ack, uint64_t counter);
static void say(const struct outbox *outbox, const struct port *port, struct evidence evidence);

enum err outbox_init(struct outbox *outbox, const struct port *port,
                     const struct outbox_config *config)
{
    CHECK(config->device != 0);
    CHECK(config->count_max >= 1 && config->count_max <= OUTBOX_MAX);
    CHECK(config->reserve >= 1 && config->reserve <= RESERVE_MAX);
    memset(outbox, 0, sizeof *outbox);
    outbox->config = *config;

    uint64_t epoch = 0;
    enum err err = port->counter_read(port->ctx, COUNTER_EPOCH, &epoch);
    if (err != ERR_OK) {
        return err;
    }
    uint64_t floor = 0;
    err =
        store_mount(&outbox->store, port, config->region.first_sector, config->region.sector_count);
    if (err == ERR_OK) {
        err = load_state(outbox, port, epoch, &floor);
    }
    if (err == ERR_OK) {
        err = load_readings(outbox, port, floor);
    }
    if (err == ERR_OK && outbox->store.lost > 0) {
        err = ERR_NOT_FOUND; /* a newer state may be among what the store knows to be lost */
    }
    return err == ERR_NOT_FOUND ? found(outbox, port) : err;
}

/* The epoch rises first: a cut between the two costs an epoch, the other order could cost a nonce.
 */
static enum err found(struct outbox *outbox, const struct port *port)
{
    uint64_t epoch = 0;
    enum err err = port->counter_increment(port->ctx, COUNTER_EPOCH);
    if (err == ERR_OK) {
        err = port->counter_read(port->ctx, COUNTER_EPOCH, &epoch);
    }
    if (err == ERR_OK && (epoch == 0 || epoch > UINT32_MAX)) {
        err = ERR_RANGE;
    }
    if (err == ERR_OK) {
        err = store_format(&outbox->store, port, outbox->config.region.first_sector,
                           outbox->config.region.sector_count);
    }
    if (err != ERR_OK) {
        return err;
    }
    outbox->epoch = (uint32_t)epoch;
    outbox->count = 0;
    outbox->counter_next = 1;
    outbox->counter_reserved = 1;
    return put_state(outbox, port, 1);
}

/* ERR_NOT_FOUND for any state that cannot be believed. */
static enum err load_state(struct outbox *outbox, const struct port *port, uint64_t epoch,
                           uint64_t *floor)
{
    uint8_t bytes[STATE_BYTES];
    uint32_t size_bytes = sizeof bytes;
    enum err err = store_get(&outbox->store, port, RECORD_STATE, bytes, &size_bytes);
    if (err == ERR_IO) {
        return err;
    }
    if (err != ERR_OK || size_bytes != sizeof bytes) {
        return ERR_NOT_FOUND;
    }
    const uint64_t reserved = big_endian_get(bytes + 4, 8);
    *floor = big_endian_get(bytes + 12, 8);
    if (epoch == 0 || big_endian_get(bytes, 4) != epoch || *floor >= reserved ||
        reserved > COUNTER_MAX) {
        return ERR_NOT_FOUND;
    }
    outbox->epoch = (uint32_t)epoch;
    /* Every number below the reserve may have been used in an earlier life. */
    outbox->counter_next = reserved;
    outbox->counter_reserved = reserved;
    return ERR_OK;
}

static enum err load_readings(struct outbox *outbox, const struct port *port, uint64_t floor)
{
    /* From the end: load_reading may forget the record that it looks at. */
    for (uint32_t i = outbox->store.entry_count; i > 0; i--) {
        const uint64_t id = outbox->store.entries[i - 1].id;
        if (id >= RECORD_READING && id - RECORD_READING < OUTBOX_MAX) {
            enum err err = load_reading(outbox, port, id, floor);
            if (err != ERR_OK) {
                return err;
            }
        }
    }
    while (outbox->count > outbox->config.count_max) { /* the configuration shrank */
        outbox_shed(outbox, port, 0);
    }
    return ERR_OK;
}

static enum err load_reading(struct outbox *outbox, const struct port *port, uint64_t id,
                             uint64_t floor)
{
    struct envelope envelope;
    struct cose_sign1 parsed;
    struct telemetry telemetry = {0};
    envelope.size_bytes = sizeof envelope.bytes;
    enum err err = store_get(&outbox->store, port, id, envelope.bytes, &envelope.size_bytes);
    if (err == ERR_IO) {
        return err;
    }
    if (err == ERR_OK) {
        err = cose_parse(envelope.bytes, envelope.size_bytes, &parsed);
    }
    if (err == ERR_OK) {
        err = message_read_telemetry(&parsed, &telemetry);
    }
    if (err != ERR_OK || telemetry.device != outbox->config.device ||
        telemetry.epoch != outbox->epoch) {
        (void)store_forget(&outbox->store, id);
        say(outbox, port, (struct evidence){.kind = EVIDENCE_LOSE, .value = -ERR_CORRUPT});
        return ERR_OK;
    }
    if (telemetry.counter >= outbox->counter_reserved) {
        return ERR_NOT_FOUND; /* a newer reserve is lost: this state may not be used */
    }
    if (telemetry.counter <= floor) {
        (void)store_forget(&outbox->store, id);
        return ERR_OK;
    }
    insert(outbox, telemetry.counter, (uint32_t)(id - RECORD_READING));
    return ERR_OK;
}

enum err outbox_draw(struct outbox *outbox, const struct port *port, uint64_t *counter)
{
    CHECK(outbox->epoch != 0);
    CHECK(outbox->counter_next >= 1 && outbox->counter_next <= outbox->counter_reserved);
    while (outbox->count > 0 &&
           (outbox->count >= outbox->config.count_max ||
            outbox->counter_next - outbox->entries[0].counter > COUNTER_SPAN_MAX)) {
        outbox_shed(outbox, port, 0);
    }
    return outbox_number(outbox, port, counter);
}

enum err outbox_number(struct outbox *outbox, const struct port *port, uint64_t *counter)
{
    if (outbox->counter_next == outbox->counter_reserved) {
        if (COUNTER_MAX - outbox->counter_next < outbox->config.reserve) {
            return ERR_RANGE;
        }
        const uint64_t reserved = outbox->counter_next + outbox->config.reserve;
        enum err err = put_state(outbox, port, reserved);
        if (err != ERR_OK) {
            return err;
        }
        outbox->counter_reserved = reserved;
        say(outbox, port, (struct evidence){.kind = EVIDENCE_RESERVE, .counter = reserved});
    }
    *counter = outbox->counter_next++;
    return ERR_OK;
}

enum err outbox_put(struct outbox *outbox, const struct port *port, uint64_t counter,
                    const struct envelope *envelope)
{
    CHECK(outbox->count < outbox->config.count_max);
    CHECK(counter < outbox->counter_next);
    while (outbox->count > 0 && !leaves_room(outbox, port, envelope->size_bytes)) {
        outbox_shed(outbox, port, 0);
    }
    uint32_t slot = free_slot(outbox);
    enum err err = put_reading(outbox, port, slot, envelope);
    while (err == ERR_FULL && outbox->count > 0) {
        outbox_shed(outbox, port, 0);
        slot = free_slot(outbox); /* lower, if what was shed had a lower one */
        err = put_reading(outbox, port, slot, envelope);
    }
    if (err != ERR_OK) {
        return err;
    }
    insert(outbox, counter, slot);
    say(outbox, port,
        (struct evidence){.kind = EVIDENCE_STORE,
                          .counter = counter,
                          .body = envelope->bytes,
                          .body_bytes = envelope->size_bytes});
    return ERR_OK;
}

enum err outbox_get(const struct outbox *outbox, const struct port *port, uint32_t index,
                    struct envelope *out)
{
    CHECK(index < outbox->count);
    out->size_bytes = sizeof out->bytes;
    const enum err err =
        store_get(&outbox->store, port, RECORD_READING + outbox->entries[index].slot, out->bytes,
                  &out->size_bytes);
    return err == ERR_OK || err == ERR_IO ? err : ERR_CORRUPT;
}

void outbox_shed(struct outbox *outbox, const struct port *port, uint32_t index)
{
    CHECK(index < outbox->count);
    const struct outbox_entry shed = outbox->entries[index];
    say(outbox, port, (struct evidence){.kind = EVIDENCE_SHED, .counter = shed.counter});
    (void)store_forget(&outbox->store, RECORD_READING + shed.slot);
    outbox->count--;
    memmove(&outbox->entries[index], &outbox->entries[index + 1],
            (outbox->count - index) * sizeof outbox->entries[0]);
    if (index < outbox->sent_count) {
        outbox->sent_count--;
    }
    outbox->shed++;
}

bool outbox_is_covered(const struct outbox *outbox, const struct ack *ack)
{
    for (uint32_t i = 0; i < outbox->count; i++) {
        if (ack_covers(ack, outbox->entries[i].counter)) {
            return true;
        }
    }
    return outbox_is_behind(outbox, ack);
}

uint32_t outbox_release(struct outbox *outbox, const struct port *port, const struct ack *ack)
{
    uint32_t kept = 0, kept_sent = 0;
    for (uint32_t i = 0; i < outbox->count; i++) {
        const struct outbox_entry entry = outbox->entries[i];
        if (ack_covers(ack, entry.counter)) {
            say(outbox, port,
                (struct evidence){.kind = EVIDENCE_RELEASE, .counter = entry.counter});
            (void)store_forget(&outbox->store, RECORD_READING + entry.slot);
        } else {
            kept_sent += i < outbox->sent_count ? 1 : 0;
            outbox->entries[kept++] = entry;
        }
    }
    const uint32_t released = outbox->count - kept;
    outbox->count = kept;
    outbox->sent_count = kept_sent;
    outbox->released += released;
    return released;
}

bool outbox_is_behind(const struct outbox *outbox, const struct ack *ack)
{
    if (ack->floor >= outbox->counter_next) {
        return true;
    }
    const uint64_t bits = (uint64_t)ack->bitmap_bytes * 8; /* floor < 2^62: it does not wrap */
    for (uint64_t i = outbox->counter_next - ack->floor - 1; i < bits; i++) {
        if (ack_covers(ack, ack->floor + 1 + i)) {
            return true;
        }
    }
    return false;
}

void outbox_end_epoch(struct outbox *outbox, const struct port *port)
{
    while (outbox->count > 0) {
        outbox_shed(outbox, port, 0);
    }
    const enum err err = port->counter_increment(port->ctx, COUNTER_EPOCH);
    (void)err;
}

uint64_t outbox_floor(const struct outbox *outbox)
{
    return (outbox->count > 0 ? outbox->entries[0].counter : outbox->counter_next) - 1;
}

static enum err put_state(struct outbox *outbox, const struct port *port, uint64_t reserved)
{
    uint8_t bytes[STATE_BYTES];
    big_endian_put(bytes, 4, outbox->epoch);
    big_endian_put(bytes + 4, 8, reserved);
    big_endian_put(bytes + 12, 8, outbox_floor(outbox));
    return put_shedding(outbox, port, RECORD_STATE, bytes, sizeof bytes);
}

static enum err put_shedding(struct outbox *outbox, const struct port *port, uint64_t id,
                             const uint8_t *bytes, uint32_t size_bytes)
{
    enum err err = store_put(&outbox->store, port, id, bytes, size_bytes);
    while (err == ERR_FULL && outbox->count > 0) {
        outbox_shed(outbox, port, 0);
        err = store_put(&outbox->store, port, id, bytes, size_bytes);
    }
    return err;
}

static enum err put_reading(struct outbox *outbox, const struct port *port, uint32_t slot,
                            const struct envelope *envelope)
{
    return store_put(&outbox->store, port, RECORD_READING + slot, envelope->bytes,
                     envelope->size_bytes);
}

/* In a store that others share, a put of each of them still finds room behind this reading. */
static bool leaves_room(const struct outbox *outbox, const struct port *port, uint32_t size_bytes)
{
    const uint32_t others = RECORD_OTHERS * store_frame_bytes(port, RECORD_OTHERS_BYTES_MAX);
    return !outbox->config.shared ||
           store_used_bytes(&outbox->store, port) + store_frame_bytes(port, size_bytes) + others <=
               store_capacity_bytes(&outbox->store, port);
}

static void insert(struct outbox *outbox, uint64_t counter, uint32_t slot)
{
    CHECK(outbox->count < OUTBOX_MAX);
    uint32_t at = outbox->count;
    while (at > 0 && outbox->entries[at - 1].counter > counter) {
        at--;
    }
    memmove(&outbox->entries[at + 1], &outbox->entries[at],
            (outbox->count - at) * sizeof outbox->entries[0]);
    outbox->entries[at] = (struct outbox_entry){.counter = counter, .slot = slot};
    outbox->count++;
}

static uint32_t free_slot(const struct outbox *outbox)
{
    bool taken[OUTBOX_MAX] = {false};
    for (uint32_t i = 0; i < outbox->count; i++) {
        taken[outbox->entries[i].slot] = true;
    }
    uint32_t slot = 0;
    while (taken[slot]) { /* one of OUTBOX_MAX is free: count < count_max */
        slot++;
    }
    return slot;
}

static bool ack_covers(const struct ack *ack, uint64_t counter)
{
    if (counter <= ack->floor) {
        return true;
    }
    const uint64_t bit = counter - ack->floor - 1;
    return bit / 8 < ack->bitmap_bytes && (ack->bitmap[bit / 8] >> (bit % 8) & 1u) != 0;
}

static void say(const struct outbox *outbox, const struct port *port, struct evidence evidence)
{
    evidence.device = outbox->config.device;
    evidence.epoch = outbox->epoch;
    port->evidence(port->ctx, &evidence);
}
