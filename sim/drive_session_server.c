/* What the actions of Session that are the gateway's or the cloud's, and their faults, make them
 * do.
 */
#include <string.h>

#include "core/check.h"
#include "sim/drive_session_inside.h"

/* Why a correct core cannot show a step: specs/Session/UNDRIVEN says the same. */
static const char why_behind[] = "a cloud answers behind the commit of the same step";

/* ---- the gateway -------------------------------------------------------------------------------
 */

enum drive_outcome session_do_insert(struct session_rig *rig, int32_t m, const char **why)
{
    struct session_packet packet;
    if (!session_take(&rig->wire, m, 0, &packet)) {
        return session_failed(why, "it is not on its way to the gateway");
    }
    session_add(&rig->at_gateway, &packet);
    return DRIVE_DONE;
}

/* Behind what is in the socket already it is taken, and refused, in the same step. */
enum drive_outcome session_do_refuse(struct session_rig *rig, int32_t m, const char **why)
{
    struct session_packet packet;
    if (!session_take(&rig->wire, m, 0, &packet)) {
        return session_failed(why, "it is not on its way to the gateway");
    }
    if (rig->at_gateway.count > 0) {
        packet.refused = packet.due_refusal = true;
        session_add(&rig->at_gateway, &packet);
    } else {
        session_data(&rig->gateway, packet.link, packet.bytes, packet.size_bytes);
    }
    return DRIVE_DONE;
}

/* All that a server has in its sockets: one step for what came over one link in a row. */
static void take_all(struct session_node *node, struct session_packets *packets)
{
    uint8_t bytes[SESSION_PACKETS_MAX * MQTT_PACKET_BYTES_MAX];
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

enum drive_outcome session_do_gateway_commit(struct session_rig *rig, int32_t none,
                                             const char **why)
{
    (void)none, (void)why;
    if (rig->at_gateway.count > 0) {
        take_all(&rig->gateway, &rig->at_gateway);
    } else {
        rig->gateway.now_us += SESSION_DELETE_US;
        session_step(&rig->gateway, NULL);
    }
    settle_gateway(rig);
    return DRIVE_DONE;
}

enum drive_outcome session_do_join(struct session_rig *rig, int32_t none, const char **why)
{
    (void)none;
    if (rig->uplink.opening == 0) {
        session_step(&rig->gateway, NULL);
    }
    const uint32_t link = rig->uplink.opening;
    if (link == 0) {
        return session_failed(why, "the gateway opens no link to the cloud");
    }
    session_event(&rig->cloud, EVENT_LINK_UP, link, true);
    session_event(&rig->gateway, EVENT_LINK_UP, link, false);
    rig->uplink = (struct session_link){.link = link};
    session_pass(rig);
    return DRIVE_DONE;
}

enum drive_outcome session_do_forward(struct session_rig *rig, int32_t m, const char **why)
{
    struct session_packet packet;
    if (!session_take(&rig->handed, m, 0, &packet)) {
        return session_failed(why, "the gateway has not handed it over");
    }
    session_add(&rig->flying, &packet);
    return DRIVE_DONE;
}

enum drive_outcome session_do_discharge(struct session_rig *rig, int32_t m, const char **why)
{
    struct session_packet packet;
    if (!session_take(&rig->confirms, m, 0, &packet)) {
        return session_failed(why, "the cloud has not confirmed it");
    }
    session_data(&rig->gateway, packet.link, packet.bytes, packet.size_bytes);
    return DRIVE_DONE;
}

/* ---- the cloud ---------------------------------------------------------------------------------
 */

enum drive_outcome session_do_accept(struct session_rig *rig, int32_t m, const char **why)
{
    struct session_packet packet;
    if (!session_take(&rig->flying, m, 0, &packet)) {
        return session_failed(why, "it is not on its way to the cloud");
    }
    session_add(&rig->at_cloud, &packet);
    return DRIVE_DONE;
}

/* Duplicate and Challenge: nothing to commit, so the answer comes in the same step. */
static enum drive_outcome answer(struct session_rig *rig, int32_t m, const char **why)
{
    struct session_packet packet;
    if (rig->at_cloud.count > 0) {
        return session_undriven(why, why_behind);
    }
    if (!session_take(&rig->flying, m, 0, &packet)) {
        return session_failed(why, "it is not on its way to the cloud");
    }
    session_data(&rig->cloud, packet.link, packet.bytes, packet.size_bytes);
    return DRIVE_DONE;
}

enum drive_outcome session_do_duplicate(struct session_rig *rig, int32_t m, const char **why)
{
    return answer(rig, m, why);
}

enum drive_outcome session_do_challenge(struct session_rig *rig, int32_t m, const char **why)
{
    return answer(rig, m, why);
}

enum drive_outcome session_do_window(struct session_rig *rig, int32_t d, const char **why)
{
    if (rig->all[d].answer.size_bytes == 0) {
        return session_failed(why, "no answer is on its way to the cloud");
    }
    session_bring_answer(rig, d);
    return DRIVE_DONE;
}

enum drive_outcome session_do_cloud_commit(struct session_rig *rig, int32_t none, const char **why)
{
    (void)none, (void)why;
    take_all(&rig->cloud, &rig->at_cloud);
    if (rig->cloud_down != 0) {
        session_event(&rig->cloud, EVENT_LINK_DOWN, rig->cloud_down, false);
        rig->cloud_down = 0;
    }
    return DRIVE_DONE;
}

/* ---- faults ------------------------------------------------------------------------------------
 */

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

enum drive_outcome session_do_break_uplink(struct session_rig *rig, int32_t none, const char **why)
{
    (void)none, (void)why;
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

/* With bytes in its sockets the power goes inside the step that takes them, before its commit is
 * durable: in turn before or inside its first write, before or inside the sync. */
static void die(struct session_node *node, struct session_packets *packets)
{
    if (packets->count > 0) {
        const uint64_t turn = node->rig->link_count + node->disk_writes;
        node->cut_armed = true;
        node->cut_at = turn % 2 == 0 ? DISK_WRITE : DISK_SYNC;
        node->cut_inside = turn / 2 % 2 != 0;
        take_all(node, packets);
        if (!node->dead) {
            session_fault(node->rig, "a step that has something to commit writes nothing");
        }
    }
    node->dead = true;
    session_power_loss(node);
}

enum drive_outcome session_do_restart_gateway(struct session_rig *rig, int32_t none,
                                              const char **why)
{
    (void)none;
    const uint32_t before = rig->pubacks.count;
    die(&rig->gateway, &rig->at_gateway);
    if (rig->pubacks.count > before) {
        return session_failed(why, "a PUBACK left the gateway before the row was durable");
    }
    for (int32_t d = 1; d <= rig->devices; d++) {
        rig->all[d].dead = rig->all[d].wire.link != 0;
        rig->all[d].told_down = 0;
        session_lose_flight(rig, d);
    }
    part(rig);
    rig->uplink.opening = 0;
    rig->restarts++;
    session_boot_gateway(rig);
    return DRIVE_DONE;
}

enum drive_outcome session_do_restart_cloud(struct session_rig *rig, int32_t none, const char **why)
{
    (void)none;
    const uint32_t before = rig->confirms.count;
    const uint32_t link = rig->uplink.link;
    die(&rig->cloud, &rig->at_cloud);
    if (rig->confirms.count > before) {
        return session_failed(why, "a PUBACK left the cloud before the reading was durable");
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
