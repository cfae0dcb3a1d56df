/* What the actions of Session that are a device's, and the faults of devices, make it do. */
#include <string.h>

#include "core/check.h"
#include "core/message.h"
#include "sim/drive_session_inside.h"

/* Why a correct core cannot show a step: specs/Session/UNDRIVEN says the same. */
static const char why_slot[] = "a new record takes the slot of the one that was let go";
static const char why_both[] =
    "of two that were let go the first slot is the other one's, and a floor passes both";
static const char why_once[] = "a device answers once a connection";

static struct session_device *owner_of(struct session_rig *rig, int32_t m)
{
    return &rig->all[session_owner(rig, m)];
}

/* ---- devices: readings -------------------------------------------------------------------------
 */

static uint64_t numbers_left(const struct session_device *device)
{
    return device->device->outbox.counter_reserved - device->device->outbox.counter_next;
}

/* A sample falls due. */
static void sample(struct session_device *device, bool sensing)
{
    device->sensing = sensing;
    device->node.now_us = device->device->sample_at_us;
    session_step(&device->node, NULL);
    device->sensing = false;
}

/* Samples without a reading, until the numbers reserved are used up, and one more, with which the
 * next reserve, and the floor beside it, are recorded. */
static void reserve(struct session_device *device)
{
    while (numbers_left(device) > 0) {
        sample(device, false);
    }
    sample(device, false);
}

/* What goes by while a device waits costs numbers. The floor is not to move then, so there is a
 * reserve; it is renewed where the floor that goes with it changes nothing. */
static void keep_reserve(struct session_rig *rig, int32_t d)
{
    struct session_device *device = &rig->all[d];
    if (numbers_left(device) < SESSION_RESERVE / 2 &&
        session_stored(rig, d) == session_held(rig, device)) {
        reserve(device);
    }
}

/* The slot that the next record takes. */
static uint32_t next_slot(const struct session_device *device)
{
    const struct outbox *outbox = &device->device->outbox;
    uint32_t slot = 0;
    for (uint32_t i = 0; i < outbox->count;) {
        const bool taken = outbox->entries[i].slot == slot;
        slot += taken ? 1 : 0;
        i = taken ? 0 : i + 1;
    }
    return slot;
}

/* The reading whose record is in that slot, though it is let go; 0: none. */
static int32_t left_in(struct session_rig *rig, int32_t d, uint32_t slot)
{
    const int32_t left = set_without(session_stored(rig, d), session_held(rig, &rig->all[d]));
    for (int32_t m = 1; m <= rig->readings; m++) {
        if (set_has(left, m) && rig->slot_of[m] == slot) {
            return m;
        }
    }
    return 0;
}

enum drive_outcome session_do_sign(struct session_rig *rig, int32_t m, const char **why)
{
    const int32_t d = session_owner(rig, m);
    struct session_device *device = &rig->all[d];
    const uint32_t slot = next_slot(device);
    if (left_in(rig, d, slot) != 0) {
        return session_undriven(why, why_slot);
    }
    keep_reserve(rig, d);
    rig->signing = m;
    rig->slot_of[m] = slot;
    sample(device, true);
    rig->signing = 0;
    return DRIVE_DONE;
}

/* Readings that the floor passes which is recorded with a reserve: all below the oldest held. */
static int32_t passed(const struct session_rig *rig, int32_t d)
{
    const struct outbox *outbox = &rig->all[d].device->outbox;
    int32_t readings = 0;
    for (int32_t m = 1; m <= rig->readings; m++) {
        const uint64_t counter = rig->counter_of[m];
        const bool below = outbox->count == 0 || counter < outbox->entries[0].counter;
        readings |= counter != 0 && below ? set_of(m) & session_of(rig, d) : 0;
    }
    return readings;
}

/* The floor passes it, or a reading that is none of the spec's takes its slot. That one stays in
 * the outbox, and what the device makes of it is lost on the link. */
enum drive_outcome session_do_forget(struct session_rig *rig, int32_t m, const char **why)
{
    const int32_t d = session_owner(rig, m);
    struct session_device *device = &rig->all[d];
    if ((session_stored(rig, d) & passed(rig, d)) == set_of(m)) {
        reserve(device);
        return DRIVE_DONE;
    }
    const uint32_t count = device->device->outbox.count;
    if (left_in(rig, d, next_slot(device)) != m || count >= device->config.outbox_max) {
        return session_undriven(why, why_both);
    }
    CHECK(numbers_left(device) > 0); /* else the floor moves as well */
    sample(device, true);
    return DRIVE_DONE;
}

/* ---- devices: links ----------------------------------------------------------------------------
 */

/* What is on the link of this device, either way. */
void session_lose_flight(struct session_rig *rig, int32_t d)
{
    session_drop(&rig->wire, d);
    session_drop(&rig->pubacks, d);
    session_drop(&rig->refusals, d);
    for (uint32_t i = 0; i < rig->at_gateway.count; i++) { /* nobody hears that it was refused */
        struct session_packet *packet = &rig->at_gateway.list[i];
        packet->refused = packet->refused && packet->device != d;
    }
}

static bool at_gateway(const struct session_rig *rig, int32_t d)
{
    bool there = false;
    for (uint32_t i = 0; i < rig->at_gateway.count; i++) {
        there = there || rig->at_gateway.list[i].device == d;
    }
    return there;
}

/* The gateway learns that a link is down, behind what it has in its socket. */
static void tell_gateway(struct session_rig *rig, int32_t d, uint32_t link)
{
    if (link == 0) {
        return;
    }
    if (at_gateway(rig, d)) {
        rig->all[d].told_down = link;
    } else {
        session_event(&rig->gateway, EVENT_LINK_DOWN, link, false);
    }
}

enum drive_outcome session_do_connect(struct session_rig *rig, int32_t d, const char **why)
{
    struct session_device *device = &rig->all[d];
    if (device->wire.opening == 0) {
        session_step(&device->node, NULL);
    }
    const uint32_t link = device->wire.opening;
    if (link == 0) {
        return session_failed(why, "the device opens no link to the gateway");
    }
    device->dead = false;
    session_event(&rig->gateway, EVENT_LINK_UP, link, true);
    session_event(&device->node, EVENT_LINK_UP, link, false);
    device->wire.link = link;
    device->wire.opening = 0;
    session_pass(rig);
    return DRIVE_DONE;
}

enum drive_outcome session_do_send(struct session_rig *rig, int32_t m, const char **why)
{
    struct session_packet packet;
    if (!session_take(&rig->staged, m, 0, &packet)) {
        return session_failed(why, "the device has not sent it");
    }
    if (!owner_of(rig, m)->dead) {
        session_add(&rig->wire, &packet);
    }
    return DRIVE_DONE;
}

enum drive_outcome session_do_take_puback(struct session_rig *rig, int32_t m, const char **why)
{
    struct session_packet packet;
    if (!session_take(&rig->pubacks, m, 0, &packet)) {
        return session_failed(why, "there is no PUBACK for it");
    }
    session_data(&owner_of(rig, m)->node, packet.link, packet.bytes, packet.size_bytes);
    return DRIVE_DONE;
}

/* No ack for longer than anything takes. */
static void wait_in_vain(struct session_device *device)
{
    device->node.now_us = device->device->connection.await_us + SESSION_ACK_TIMEOUT_US;
    session_step(&device->node, NULL);
}

static void leave_link(struct session_rig *rig, int32_t d)
{
    struct session_device *device = &rig->all[d];
    const uint32_t link = device->wire.link;
    device->wire.link = 0;
    if (!device->dead) { /* else it was told when the link broke, or booted since */
        tell_gateway(rig, d, link);
    }
    device->dead = false;
    session_lose_flight(rig, d);
    session_drop(&rig->staged, d);
}

/* It finds out that the link is dead; it is refused; or it has waited in vain: for an ack behind a
 * challenge that it answered, or for one that nothing on its way can bring any more. */
enum drive_outcome session_do_leave(struct session_rig *rig, int32_t d, const char **why)
{
    struct session_device *device = &rig->all[d];
    struct session_packet packet;
    const bool awaits = device->device->connection.await_us != UINT64_MAX;
    const bool is_refused = session_take(&rig->refusals, 0, d, &packet);
    if (!device->dead && !is_refused && !awaits) {
        return session_failed(why, "the device awaits nothing");
    }
    keep_reserve(rig, d);
    if (device->dead &&
        !(awaits && rig->link_count % 2 != 0)) { /* else it shows by silence alone */
        session_event(&device->node, EVENT_LINK_DOWN, device->wire.link, false);
    } else if (is_refused) {
        session_data(&device->node, packet.link, packet.bytes, packet.size_bytes);
        if (device->device->client.state == MQTT_CLIENT_READY) { /* for acks of what was taken */
            wait_in_vain(device);
        }
    } else {
        wait_in_vain(device);
    }
    if (device->device->client.state == MQTT_CLIENT_READY) {
        return session_failed(why, "the device stays on the link");
    }
    leave_link(rig, d);
    return DRIVE_DONE;
}

/* ---- devices: what the cloud says --------------------------------------------------------------
 */

/* Of the acks under way the one that covers this reading, and as few others that are held as can
 * be; NULL: none does. */
static const struct session_ack *ack_for(const struct session_rig *rig, int32_t m)
{
    const struct session_ack *best = NULL;
    int32_t best_count = 0;
    for (uint32_t i = 0; i < rig->ack_count; i++) {
        const struct session_ack *ack = &rig->acks[i];
        const int32_t count = set_count(ack->readings & session_held(rig, &rig->all[ack->device]));
        if (set_has(ack->readings, m) && (best == NULL || count < best_count)) {
            best = ack;
            best_count = count;
        }
    }
    return best;
}

/* An ack lets go of all that it covers, at once: tried out on a copy. */
static bool lets_go_of_all(struct session_rig *rig, const struct session_ack *ack)
{
    struct session_device *copy = session_copy(&rig->all[ack->device]);
    const int32_t before = session_held(rig, copy);
    session_publish(&copy->node, copy->wire.link, 'd', ack->device, &ack->envelope);
    const bool good = session_held(rig, copy) == set_without(before, ack->readings);
    session_copy_free(copy);
    return good;
}

/* As the cloud would have said it of this reading alone. Each counter that is held is within a
 * window of the oldest. */
static struct envelope ack_of_one(struct session_rig *rig, int32_t m)
{
    const struct session_device *device = owner_of(rig, m);
    const struct outbox *outbox = &device->device->outbox;
    uint8_t bitmap[SESSION_WINDOW / 8] = {0};
    const uint64_t bit = rig->counter_of[m] - outbox->entries[0].counter;
    CHECK(bit < SESSION_WINDOW);
    bitmap[bit / 8] = (uint8_t)(1u << bit % 8);
    const struct ack ack = {.device = device->config.id,
                            .epoch = outbox->epoch,
                            .floor = outbox->entries[0].counter - 1,
                            .bitmap = bitmap,
                            .bitmap_bytes = sizeof bitmap};
    struct envelope envelope;
    CHECK(message_ack(&rig->cloud.port, &rig->cloud_config.keys, SESSION_CLOUD, &ack, &envelope) ==
          ERR_OK);
    return envelope;
}

/* The spec lets go of one reading at a time. Where each ack of the cloud covers others that are
 * held as well, the device hears one that says less, which is as true. */
enum drive_outcome session_do_release(struct session_rig *rig, int32_t m, const char **why)
{
    const int32_t d = session_owner(rig, m);
    struct session_device *device = &rig->all[d];
    struct session_packet unsent;
    const struct session_ack *ack = ack_for(rig, m);
    if (ack == NULL) {
        return session_failed(why, "no ack for it is under way");
    }
    if (!lets_go_of_all(rig, ack)) {
        return session_failed(why, "the device does not let go of just what an ack covers");
    }
    const int32_t held = session_held(rig, device);
    const struct envelope envelope =
        (ack->readings & held) == set_of(m) ? ack->envelope : ack_of_one(rig, m);
    session_downlink(rig, d, &envelope);
    (void)session_take(&rig->staged, m, 0, &unsent); /* what it had handed over is of no use now */
    return DRIVE_DONE;
}

/* With room on its link a device that has sent something leaves as soon as it has answered a new
 * nonce, so that what is unacked comes behind the answer; and else it stays. Tried out on a copy,
 * for the spec answers and leaves in two steps. */
static bool leaves_as_it_should(struct session_rig *rig, int32_t d)
{
    struct session_device *copy = session_copy(&rig->all[d]);
    const struct device *device = copy->device;
    const struct envelope *envelope = &rig->all[d].challenge;
    struct cose_sign1 parsed;
    struct challenge challenge;
    CHECK(cose_parse(envelope->bytes, envelope->size_bytes, &parsed) == ERR_OK);
    CHECK(message_read_challenge(&parsed, &challenge) == ERR_OK);
    const bool again =
        device->challenged && memcmp(device->nonce, challenge.nonce, sizeof challenge.nonce) == 0;
    const bool leaves = !again && device->outbox.sent_count > 0;
    session_publish(&copy->node, copy->wire.link, 'd', d, envelope);
    const bool left = device->client.state != MQTT_CLIENT_READY;
    session_copy_free(copy);
    return left == leaves;
}

/* The link takes no bytes for a moment: so the device answers, and stays. */
enum drive_outcome session_do_respond(struct session_rig *rig, int32_t d, const char **why)
{
    struct session_device *device = &rig->all[d];
    if (device->device->connection.responded) {
        return session_undriven(why, why_once);
    }
    if (device->challenge.size_bytes == 0) {
        return session_failed(why, "the cloud has not asked");
    }
    if (!leaves_as_it_should(rig, d)) {
        return session_failed(
            why, "the device does not do with the link what it should when it has answered");
    }
    device->answer.size_bytes = 0;
    device->carried = false;
    device->writable = false;
    session_downlink(rig, d, &device->challenge);
    device->writable = true;
    session_event(&device->node, EVENT_LINK_WRITABLE, device->wire.link, false);
    if (device->answer.size_bytes == 0) {
        return session_failed(why, "the device does not answer");
    }
    session_carry_answer(rig, d);
    return DRIVE_DONE;
}

enum drive_outcome session_do_lose(struct session_rig *rig, int32_t d, const char **why)
{
    (void)why;
    for (uint32_t i = rig->ack_count; i > 0; i--) {
        if (rig->acks[i - 1].device == d) {
            rig->acks[i - 1] = rig->acks[--rig->ack_count];
        }
    }
    rig->all[d].answer.size_bytes = 0;
    rig->all[d].carried = false;
    return DRIVE_DONE;
}

enum drive_outcome session_do_break_link(struct session_rig *rig, int32_t d, const char **why)
{
    (void)why;
    struct session_device *device = &rig->all[d];
    session_lose_flight(rig, d);
    device->dead = true;
    rig->breaks++;
    tell_gateway(rig, d, device->wire.link);
    return DRIVE_DONE;
}

/* The gateway is not told: it finds out when the device is back, or never. */
enum drive_outcome session_do_restart_device(struct session_rig *rig, int32_t d, const char **why)
{
    (void)why;
    struct session_device *device = &rig->all[d];
    session_lose_flight(rig, d);
    session_drop(&rig->staged, d);
    device->wire = (struct session_link){0};
    device->dead = false;
    rig->restarts++;
    session_boot_device(rig, d);
    keep_reserve(rig, d);
    return DRIVE_DONE;
}
