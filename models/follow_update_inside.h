/* What the two files of the follower share. */
#ifndef BROWNOUT_MODELS_FOLLOW_UPDATE_INSIDE_H
#define BROWNOUT_MODELS_FOLLOW_UPDATE_INSIDE_H

#include "models/follow_update.h"

#include "models/update.def"
#include "models/spec_shape.h"
#include "models/update.h"

enum {
    FOLLOW_UPDATE_UNLIMITED = 1000000000, /* no budget of faults ever ends */
    FOLLOW_UPDATE_LEVELS_MAX = 64,
    SCENE_MOVES_MAX = FOLLOW_UPDATE_LEVELS_MAX + 4,
    MOVE_OFFER = LAW_ACTION_COUNT, /* as a number: this, and the release */
};

/* What an observation stands for in one state: these moves, and then these sights. */
struct scene {
    uint32_t move_count, sight_count;
    uint8_t moves[SCENE_MOVES_MAX];
    struct follow_sight sights[FOLLOW_SIGHTS_MAX];
};

/* An observation on its way to the listener. */
struct hearing {
    struct follow_update *device;
    const struct follow_update_config *config;
    const struct observation *observation;
    follow_listener *listen;
    void *ctx;
};

/* What the observation stands for if this is the state. */
typedef void scene_maker(const struct hearing *hearing, const struct state *now,
                         struct scene *scene);

/* NULL: it stands for nothing. kind: below TRUTH_COUNT. */
scene_maker *follow_update_scene(uint32_t kind);
/* The record is seen before the JUMP that the boot loader's unsaid acts are told with. True: it is
 * kept for that. */
bool follow_update_hold(const struct hearing *hearing);

#endif
