/* What each action of Session makes the cores do. */
#include <string.h>

#include "core/check.h"
#include "models/session.def"
#include "sim/drive_session_inside.h"

/* The actions, in the order of the .def. */
#define ACT0(name, Name, actor)                      ACT_##name,
#define ACT1(name, Name, actor, a, da)               ACT_##name,
#define ACT2(name, Name, actor, a, da, b, db)        ACT_##name,
#define ACT3(name, Name, actor, a, da, b, db, c, dc) ACT_##name,
enum action { LAW_ACTIONS(ACT0, ACT1, ACT2, ACT3) ACT_COUNT };

/* Why a correct core cannot show a step: specs/Session/UNDRIVEN says the same. */
static const char why_slot[] = "a new record takes the slot of the one that was let go";
static const char why_floor[] = "no floor passes a reading that is above one still held";
static const char why_once[] = "a device answers once a connection";
static const char why_all[] = "an ack lets go of all that it covers at once";
static const char why_behind[] = "a cloud answers behind the commit of the same step";

static enum drive_outcome undriven(const char **why, const char *reason)
{
    *why = reason;
    return DRIVE_UNDRIVEN;
}

static enum drive_outcome failed(const char **why, const char *reason)
{
    *why = reason;
    return DRIVE_FAILED;
}

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

static enum drive_outcome act_sign(struct session_rig *rig, int32_t m, const char **why)
{
    const int32_t d = session_owner(rig, m);
    struct session_device *device = &rig->all[d];
    if (session_stored(rig, d) != session_held(rig, device)) {
        return undriven(why, why_slot);
    }
    keep_reserve(rig, d);
    rig->signing = m;
    sample(device, true);
    rig->signing = 0;
    return DRIVE_DONE;
}

static enum drive_outcome act_forget(struct session_rig *rig, int32_t m, const char **why)
{
    const int32_t d = session_owner(rig, m);
    struct session_device *device = &rig->all[d];
    if (set_least(session_held(rig, device), m) < m) {
        return undriven(why, why_floor);
    }
    if ((rig->early & session_of(rig, d)) != 0) {
        return undriven(why, why_all);
    }
    reserve(device);
    return DRIVE_DONE;
}

/* ---- devices: links ----------------------------------------------------------------------------
 */

/* What is on the link of this device, either way. */
static void lose_flight(struct session_rig *rig, int32_t d)
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

static enum drive_outcome act_connect(struct session_rig *rig, int32_t d, const char **why)
{
    struct session_device *device = &rig->all[d];
    if (device->wire.opening == 0) {
        session_step(&device->node, NULL);
    }
    const uint32_t link = device->wire.opening;
    if (link == 0) {
        return failed(why, "the device opens no link to the gateway");
    }
    device->dead = false;
    session_event(&rig->gateway, EVENT_LINK_UP, link, true);
    session_event(&device->node, EVENT_LINK_UP, link, false);
    device->wire.link = link;
    device->wire.opening = 0;
    session_pass(rig);
    return DRIVE_DONE;
}

static enum drive_outcome act_send(struct session_rig *rig, int32_t m, const char **why)
{
    struct session_packet packet;
    if (set_has(rig->early, m)) {
        return undriven(why, why_all);
    }
    if (!session_take(&rig->staged, m, 0, &packet)) {
        return failed(why, "the device has not sent it");
    }
    if (!owner_of(rig, m)->dead) {
        session_add(&rig->wire, &packet);
    }
    return DRIVE_DONE;
}

static enum drive_outcome act_take_puback(struct session_rig *rig, int32_t m, const char **why)
{
    struct session_packet packet;
    if (!session_take(&rig->pubacks, m, 0, &packet)) {
        return failed(why, "there is no PUBACK for it");
    }
    session_data(&owner_of(rig, m)->node, packet.link, packet.bytes, packet.size_bytes);
    return DRIVE_DONE;
}

/* No ack for longer than anything takes. */
static bool wait_in_vain(struct session_device *device)
{
    const uint64_t since_us = device->device->connection.await_us;
    if (since_us == UINT64_MAX) {
        return false;
    }
    device->node.now_us = since_us + SESSION_ACK_TIMEOUT_US;
    session_step(&device->node, NULL);
    return true;
}

/* It finds out that the link is dead; it is refused; or it has waited in vain: for an ack behind a
 * challenge that it answered, or for one that nothing on its way can bring any more. */
static enum drive_outcome act_leave(struct session_rig *rig, int32_t d, const char **why)
{
    struct session_device *device = &rig->all[d];
    struct session_packet packet;
    const uint32_t link = device->wire.link;
    keep_reserve(rig, d);
    if (device->dead) {
        session_event(&device->node, EVENT_LINK_DOWN, link, false);
    } else if (rig->refusals.count > 0 && session_take_device(&rig->refusals, d, &packet)) {
        session_data(&device->node, packet.link, packet.bytes, packet.size_bytes);
    } else if (!wait_in_vain(device)) {
        return failed(why, "the device awaits nothing");
    }
    if (device->device->client.state == MQTT_CLIENT_READY) {
        return failed(why, "the device stays on the link");
    }
    device->wire.link = 0;
    if (!device->dead) { /* else it was told when the link broke, or booted since */
        tell_gateway(rig, d, link);
    }
    device->dead = false;
    lose_flight(rig, d);
    session_drop(&rig->staged, d);
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
        const int32_t count =
            set_count(ack->readings & session_held(rig, &rig->all[ack->device]));
        if (set_has(ack->readings, m) && (best == NULL || count < best_count)) {
            best = ack;
            best_count = count;
        }
    }
    return best;
}

static enum drive_outcome act_release(struct session_rig *rig, int32_t m, const char **why)
{
    const int32_t d = session_owner(rig, m);
    struct session_device *device = &rig->all[d];
    struct session_packet unsent;
    if (set_has(rig->early, m)) {
        rig->early = set_without(rig->early, set_of(m));
        return DRIVE_DONE;
    }
    const struct session_ack *ack = ack_for(rig, m);
    if (ack == NULL) {
        return failed(why, "no ack for it is under way");
    }
    const int32_t before = session_held(rig, device);
    session_downlink(rig, d, &ack->envelope);
    const int32_t gone = set_without(before, session_held(rig, device));
    if (!set_has(gone, m)) {
        return failed(why, "the device does not let go of it");
    }
    rig->early |= set_without(gone, set_of(m));
    for (int32_t k = 1; k <= rig->readings; k++) { /* what it had handed over is of no use now */
        if (set_has(gone, k)) {
            (void)session_take(&rig->staged, k, 0, &unsent);
        }
    }
    return DRIVE_DONE;
}

/* With room on its link a device leaves as soon as it has answered a new nonce, so that what is
 * unacked comes behind the answer: tried out on a copy, for the spec does it in two steps. */
static bool leaves_at_once(struct session_rig *rig, int32_t d)
{
    struct session_device *copy = session_copy(&rig->all[d]);
    const struct device *device = copy->device;
    const bool has_sent = device->outbox.sent_count > 0, again = device->challenged;
    session_publish_down(&copy->node, copy->wire.link, d, &rig->all[d].challenge);
    const bool left = device->client.state != MQTT_CLIENT_READY;
    session_copy_free(copy);
    return again || left == has_sent;
}

/* The link takes no bytes for a moment: so the device answers, and stays. */
static enum drive_outcome act_respond(struct session_rig *rig, int32_t d, const char **why)
{
    struct session_device *device = &rig->all[d];
    if (device->device->connection.responded) {
        return undriven(why, why_once);
    }
    if (device->challenge.size_bytes == 0) {
        return failed(why, "the cloud has not asked");
    }
    if (!leaves_at_once(rig, d)) {
        return failed(why, "the device does not leave when it has answered a new nonce");
    }
    device->answer.size_bytes = 0;
    device->carried = false;
    device->writable = false;
    session_downlink(rig, d, &device->challenge);
    device->writable = true;
    session_event(&device->node, EVENT_LINK_WRITABLE, device->wire.link, false);
    if (device->answer.size_bytes == 0) {
        return failed(why, "the device does not answer");
    }
    session_carry_answer(rig, d);
    return DRIVE_DONE;
}

static enum drive_outcome act_lose(struct session_rig *rig, int32_t d)
{
    for (uint32_t i = rig->ack_count; i > 0; i--) {
        if (rig->acks[i - 1].device == d) {
            rig->acks[i - 1] = rig->acks[--rig->ack_count];
        }
    }
    rig->all[d].answer.size_bytes = 0;
    rig->all[d].carried = false;
    return DRIVE_DONE;
}

/* ---- the gateway -------------------------------------------------------------------------------
 */

static enum drive_outcome act_insert(struct session_rig *rig, int32_t m, const char **why)
{
    struct session_packet packet;
    if (!session_take(&rig->wire, m, 0, &packet)) {
        return failed(why, "it is not on its way to the gateway");
    }
    session_add(&rig->at_gateway, &packet);
    return DRIVE_DONE;
}

/* Behind what is in the socket already it is taken, and refused, in the same step. */
static enum drive_outcome act_refuse(struct session_rig *rig, int32_t m, const char **why)
{
    struct session_packet packet;
    if (!session_take(&rig->wire, m, 0, &packet)) {
        return failed(why, "it is not on its way to the gateway");
    }
    if (rig->at_gateway.count > 0) {
        packet.refused = true;
        session_add(&rig->at_gateway, &packet);
    } else {
        session_data(&rig->gateway, packet.link, packet.bytes, packet.size_bytes);
    }
    return DRIVE_DONE;
}

/* All that a server has in its sockets: one step for what came over one link in a row. */
static void take_all(struct session_node *node, struct session_packets *packets)
{
    static uint8_t bytes[SESSION_PACKETS_MAX * MQTT_PACKET_BYTES_MAX];
    const struct session_packets all = *packets;
    packets->count = 0;
    for (uint32_t i = 0; i < all.count;) {
        const uint32_t link = all.list[i].link;
        uint32_t size_bytes = 0;
        for (; i < all.count && all.list[i].link == link; i++) {
            memcpy(bytes + size_bytes, all.list[i].bytes, all.list[i].size_bytes);
            size_bytes += all.list[i].size_bytes;
        }
        session_data(node, link, bytes, size_bytes);
    }
}

static void settle_gateway(struct session_rig *rig)
{
    for (int32_t d = 1; d <= rig->devices; d++) {
        if (rig->all[d].told_down != 0 && !rig->gateway.dead) {
            session_event(&rig->gateway, EVENT_LINK_DOWN, rig->all[d].told_down, false);
        }
        rig->all[d].told_down = 0;
    }
}

static enum drive_outcome act_gateway_commit(struct session_rig *rig)
{
    if (rig->at_gateway.count > 0) {
        take_all(&rig->gateway, &rig->at_gateway);
    } else {
        rig->gateway.now_us += SESSION_DELETE_US;
        session_step(&rig->gateway, NULL);
    }
    settle_gateway(rig);
    return DRIVE_DONE;
}

static enum drive_outcome act_join(struct session_rig *rig, const char **why)
{
    if (rig->uplink.opening == 0) {
        session_step(&rig->gateway, NULL);
    }
    const uint32_t link = rig->uplink.opening;
    if (link == 0) {
        return failed(why, "the gateway opens no link to the cloud");
    }
    session_event(&rig->cloud, EVENT_LINK_UP, link, true);
    session_event(&rig->gateway, EVENT_LINK_UP, link, false);
    rig->uplink = (struct session_link){.link = link};
    session_pass(rig);
    return DRIVE_DONE;
}

static enum drive_outcome act_forward(struct session_rig *rig, int32_t m, const char **why)
{
    struct session_packet packet;
    if (!session_take(&rig->handed, m, 0, &packet)) {
        return failed(why, "the gateway has not handed it over");
    }
    session_add(&rig->flying, &packet);
    return DRIVE_DONE;
}

static enum drive_outcome act_discharge(struct session_rig *rig, int32_t m, const char **why)
{
    struct session_packet packet;
    if (!session_take(&rig->confirms, m, 0, &packet)) {
        return failed(why, "the cloud has not confirmed it");
    }
    session_data(&rig->gateway, packet.link, packet.bytes, packet.size_bytes);
    return DRIVE_DONE;
}

/* ---- the cloud ---------------------------------------------------------------------------------
 */

static enum drive_outcome act_accept(struct session_rig *rig, int32_t m, const char **why)
{
    struct session_packet packet;
    if (!session_take(&rig->flying, m, 0, &packet)) {
        return failed(why, "it is not on its way to the cloud");
    }
    session_add(&rig->at_cloud, &packet);
    return DRIVE_DONE;
}

/* Duplicate and Challenge: nothing to commit, so the answer comes in the same step. */
static enum drive_outcome act_answer(struct session_rig *rig, int32_t m, const char **why)
{
    struct session_packet packet;
    if (rig->at_cloud.count > 0) {
        return undriven(why, why_behind);
    }
    if (!session_take(&rig->flying, m, 0, &packet)) {
        return failed(why, "it is not on its way to the cloud");
    }
    session_data(&rig->cloud, packet.link, packet.bytes, packet.size_bytes);
    return DRIVE_DONE;
}

static enum drive_outcome act_window(struct session_rig *rig, int32_t d, const char **why)
{
    if (rig->all[d].answer.size_bytes == 0) {
        return failed(why, "no answer is on its way to the cloud");
    }
    session_bring_answer(rig, d);
    return DRIVE_DONE;
}

static enum drive_outcome act_cloud_commit(struct session_rig *rig)
{
    take_all(&rig->cloud, &rig->at_cloud);
    if (rig->cloud_down != 0) {
        session_event(&rig->cloud, EVENT_LINK_DOWN, rig->cloud_down, false);
        rig->cloud_down = 0;
    }
    return DRIVE_DONE;
}

/* ---- faults ------------------------------------------------------------------------------------
 */

static enum drive_outcome act_break(struct session_rig *rig, int32_t d)
{
    struct session_device *device = &rig->all[d];
    lose_flight(rig, d);
    device->dead = true;
    rig->breaks++;
    tell_gateway(rig, d, device->wire.link);
    return DRIVE_DONE;
}

/* What is on the link to the cloud. */
static void part(struct session_rig *rig)
{
    session_drop(&rig->handed, 0);
    session_drop(&rig->flying, 0);
    session_drop(&rig->confirms, 0);
    rig->uplink.link = 0;
    for (int32_t d = 1; d <= rig->devices; d++) {
        rig->all[d].carried = false;
    }
}

static enum drive_outcome act_break_uplink(struct session_rig *rig)
{
    const uint32_t link = rig->uplink.link;
    part(rig);
    rig->breaks++;
    session_event(&rig->gateway, EVENT_LINK_DOWN, link, false);
    if (rig->at_cloud.count > 0) {
        rig->cloud_down = link;
    } else {
        session_event(&rig->cloud, EVENT_LINK_DOWN, link, false);
    }
    return DRIVE_DONE;
}

/* The gateway is not told: it finds out when the device is back, or never. */
static enum drive_outcome act_restart_device(struct session_rig *rig, int32_t d)
{
    struct session_device *device = &rig->all[d];
    lose_flight(rig, d);
    session_drop(&rig->staged, d);
    device->wire = (struct session_link){0};
    device->dead = false;
    rig->early = set_without(rig->early, session_of(rig, d));
    rig->restarts++;
    session_boot_device(rig, d);
    keep_reserve(rig, d);
    return DRIVE_DONE;
}

/* With bytes in its sockets the power goes inside the step that takes them, before its commit is
 * durable: at the first write of it or, every other time, at the sync. */
static void die(struct session_node *node, struct session_packets *packets)
{
    if (packets->count > 0) {
        node->cut_armed = true;
        node->cut_at = node->rig->link_count % 2 == 0 ? DISK_WRITE : DISK_SYNC;
        take_all(node, packets);
        if (!node->dead) {
            session_fault(node->rig, "a step that has something to commit writes nothing");
        }
    }
    node->dead = true;
    session_power_loss(node);
}

static enum drive_outcome act_restart_gateway(struct session_rig *rig, const char **why)
{
    const uint32_t before = rig->pubacks.count;
    die(&rig->gateway, &rig->at_gateway);
    if (rig->pubacks.count > before) {
        return failed(why, "a PUBACK left the gateway before the row was durable");
    }
    for (int32_t d = 1; d <= rig->devices; d++) {
        rig->all[d].dead = rig->all[d].wire.link != 0;
        rig->all[d].told_down = 0;
        lose_flight(rig, d);
    }
    part(rig);
    rig->uplink.opening = 0;
    rig->restarts++;
    session_boot_gateway(rig);
    return DRIVE_DONE;
}

static enum drive_outcome act_restart_cloud(struct session_rig *rig, const char **why)
{
    const uint32_t before = rig->confirms.count;
    const uint32_t link = rig->uplink.link;
    die(&rig->cloud, &rig->at_cloud);
    if (rig->confirms.count > before) {
        return failed(why, "a PUBACK left the cloud before the reading was durable");
    }
    part(rig);
    rig->cloud_down = 0;
    rig->restarts++;
    session_boot_cloud(rig);
    for (int32_t d = 1; d <= rig->devices; d++) { /* of a nonce that nobody knows any more */
        rig->all[d].answer.size_bytes = 0;
    }
    if (link != 0) {
        session_event(&rig->gateway, EVENT_LINK_DOWN, link, false);
    }
    session_other_leave(rig);
    return DRIVE_DONE;
}

enum drive_outcome session_act(struct session_rig *rig, const struct spec_move *move,
                               const char **why)
{
    const int32_t p = move->parameters[0];
    switch ((enum action)move->action) {
    case ACT_sign:
        return act_sign(rig, p, why);
    case ACT_connect:
        return act_connect(rig, p, why);
    case ACT_forget:
        return act_forget(rig, p, why);
    case ACT_send:
        return act_send(rig, p, why);
    case ACT_take_puback:
        return act_take_puback(rig, p, why);
    case ACT_leave:
        return act_leave(rig, p, why);
    case ACT_release:
        return act_release(rig, p, why);
    case ACT_respond:
        return act_respond(rig, p, why);
    case ACT_insert:
        return act_insert(rig, p, why);
    case ACT_refuse:
        return act_refuse(rig, p, why);
    case ACT_gateway_commit:
        return act_gateway_commit(rig);
    case ACT_join:
        return act_join(rig, why);
    case ACT_forward:
        return act_forward(rig, p, why);
    case ACT_discharge:
        return act_discharge(rig, p, why);
    case ACT_accept:
        return act_accept(rig, p, why);
    case ACT_duplicate:
    case ACT_challenge:
        return act_answer(rig, p, why);
    case ACT_window:
        return act_window(rig, p, why);
    case ACT_cloud_commit:
        return act_cloud_commit(rig);
    case ACT_lose:
        return act_lose(rig, p);
    case ACT_break_link:
        return act_break(rig, p);
    case ACT_break_uplink:
        return act_break_uplink(rig);
    case ACT_restart_device:
        return act_restart_device(rig, p);
    case ACT_restart_gateway:
        return act_restart_gateway(rig, why);
    case ACT_restart_cloud:
        return act_restart_cloud(rig, why);
    case ACT_COUNT:
        break;
    }
    return failed(why, "no such action");
}
