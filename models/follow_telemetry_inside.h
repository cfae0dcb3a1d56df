/* Inside of the follower: what its parts share.
 *
 *   follow_telemetry.c         what a device says and does
 *   follow_telemetry_cloud.c   what the cloud says of it, and what its images show
 */
#ifndef BROWNOUT_MODELS_FOLLOW_TELEMETRY_INSIDE_H
#define BROWNOUT_MODELS_FOLLOW_TELEMETRY_INSIDE_H

#include "models/follow_telemetry.h"

#include "models/telemetry.def"
#include "models/spec_names.h"

enum { FOLLOW_SLOTS_MAX = 256 };

/* A record of a reading: what stored and held of the spec consist of. */
struct follow_slot {
    int32_t counter; /* 0: none, or one below the floor of a reserve, which does not come back */
    bool held;
    bool returned; /* in the listing under way */
};

/* What the cloud has of a device. */
struct follow_window {
    uint32_t epoch; /* 0: no window */
    int32_t top;
    int32_t rows; /* how many of that epoch */
};

struct follow_device {
    uint32_t number; /* of its node */
    bool left;
    int32_t epoch, reserved, next, fresh; /* as in the spec */
    uint32_t held, slots_used, lowest_free;
    struct follow_slot slots[FOLLOW_SLOTS_MAX];

    bool mounted; /* it has had a store */
    /* The listing under way: readings to come, those that are nowhere in slots, and what it began
     * with. */
    uint32_t awaited, listed;
    int32_t strange, strange_slot; /* one of them; 0: none */
    int32_t listed_epoch, listed_next;

    bool asked;
    bool pending; /* on the list of those that the transaction touches */
    uint32_t pending_next;
    struct follow_window said, durable, image;
};

struct follow_telemetry {
    const struct judge_config *config;
    follow_listener *listener;
    void *ctx;
    const struct observation *observation; /* being heard */
    struct follow_device *devices;
    uint32_t device_count, left;
    uint32_t *places; /* [node_count]: 1 + index of the device; 0: not one */
    uint32_t pending; /* 1 + index; 0 ends the list */
};

/* A step of this device, with the observation that is being heard. */
static inline struct follow_step follow_step_of(const struct follow_device *device,
                                                enum law_action action, int32_t second,
                                                int32_t third)
{
    /* The two that all devices share have no parameters. */
    const bool shared = action == ACT_commit || action == ACT_cloud_loss;
    return (struct follow_step){.actor = device->number,
                                .move = {(uint32_t)action, {shared ? 0 : 1, second, third}}};
}

static inline void follow_see(struct follow_step *step, enum law_variable variable,
                              enum follow_relation relation, int32_t value, int32_t key)
{
    step->sights[step->sight_count++] =
        (struct follow_sight){(uint32_t)variable, value, relation, key};
}

void follow_tell(struct follow_telemetry *follow, struct follow_device *device,
                 struct follow_step *step);
/* Without sights. */
void follow_tell_move(struct follow_telemetry *follow, struct follow_device *device,
                      enum law_action action, int32_t second, int32_t third);
void follow_leave(struct follow_telemetry *follow, struct follow_device *device);
/* NULL: not one, or no longer followed. */
struct follow_device *follow_device_of(struct follow_telemetry *follow, uint32_t node);

/* follow_telemetry_cloud.c */
void follow_cloud(struct follow_telemetry *follow, const struct observation *observation);

#endif
