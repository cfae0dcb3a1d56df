#include "sim/recovery.h"

#include "core/check.h"
#include "sim/effect.h"
#include "sim/figure.h"
#include "sim/roles.h"

void recovery_evidence(struct recovery *recovery, const struct node *node,
                       const struct evidence *evidence)
{
    struct recovery_device *device = &recovery->devices[node->number];
    if (evidence->kind == EVIDENCE_BOOT) {
        device->boot = node->boots;
    } else if (evidence->kind == EVIDENCE_STORE && !recovery->healed) {
        device->epoch = evidence->epoch;
        device->counter = evidence->counter;
    }
}

/* Who is down, or has no store, may still keep what it had. */
static bool keeps(const struct recovery_device *device, const struct node *node)
{
    struct role_outbox outbox;
    uint64_t counter;
    uint32_t slot;
    if (device->epoch == 0) {
        return false;
    }
    if (node->memory == NULL || device->boot != node->boots) {
        return true;
    }
    role_device_outbox(node->memory, &outbox);
    if (outbox.epoch == 0) {
        return true;
    }
    if (outbox.epoch != device->epoch || outbox.count == 0) {
        return false; /* a newer epoch has none of the older one's */
    }
    role_device_kept(node->memory, 0, &counter, &slot); /* the oldest */
    return counter <= device->counter;
}

static void settle(struct recovery *recovery, uint64_t now_us)
{
    if (recovery->waiting == 0 && !recovery->over) {
        recovery->over = true;
        recovery->us = now_us - recovery->heal_us;
    }
}

void recovery_heal(struct recovery *recovery, const struct node *nodes, uint32_t count,
                   const uint8_t *left, uint64_t now_us)
{
    CHECK(!recovery->healed);
    recovery->healed = true;
    recovery->heal_us = now_us;
    for (uint32_t i = 1; i <= count; i++) {
        struct recovery_device *device = &recovery->devices[i];
        device->waits = nodes[i].role_mask == ROLE_MASK_DEVICE && (left == NULL || left[i] == 0) &&
                        keeps(device, &nodes[i]);
        recovery->waiting += device->waits ? 1 : 0;
    }
    settle(recovery, now_us);
}

void recovery_look(struct recovery *recovery, const struct node *node, uint64_t now_us)
{
    struct recovery_device *device = &recovery->devices[node->number];
    if (device->waits && !keeps(device, node)) {
        device->waits = false;
        recovery->waiting--;
        settle(recovery, now_us);
    }
}

uint64_t recovery_us(const struct recovery *recovery)
{
    return recovery->over ? recovery->us : FIGURE_UNKNOWN;
}
