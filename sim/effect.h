/* What can befall the world, as data: names, targets and the laws that each effect makes void.
 * Everything that befalls it passes through the plan as one of these. */
#ifndef BROWNOUT_SIM_EFFECT_H
#define BROWNOUT_SIM_EFFECT_H

#include <stdbool.h>
#include <stdint.h>

#include "models/model.h"

enum effect {
#define EFFECT(NAME, name, target, lasts, amount, doc) EFFECT_##NAME,
#include "sim/effect.def"
#undef EFFECT
    EFFECT_COUNT
};

enum effect_target { EFFECT_TARGET_NODE, EFFECT_TARGET_PAIR };
enum effect_lasts { EFFECT_LASTS_INSTANT, EFFECT_LASTS_DURATION };
enum effect_amount { EFFECT_AMOUNT_none, EFFECT_AMOUNT_ppm, EFFECT_AMOUNT_us, EFFECT_AMOUNT_count };

/* Roles that an effect can strike at all, and strikes by default in drawn faults. */
enum {
    ROLE_MASK_CLOUD = 1u,
    ROLE_MASK_GATEWAY = 2u,
    ROLE_MASK_DEVICE = 4u,
    ROLE_MASK_ROGUE = 8u,
};

struct effect_info {
    const char *name;
    const char *doc;
    enum effect_target target;
    enum effect_lasts lasts;
    enum effect_amount amount;
    uint32_t roles;                                 /* ROLE_MASK_* that it can strike */
    int64_t amount_min, amount_max;                 /* accepted; equal where there is none */
    int64_t amount_default_min, amount_default_max; /* drawn between these by default */
    uint64_t lasts_default_min_us, lasts_default_max_us;
};

struct effect_info effect_info(enum effect effect);
/* EFFECT_COUNT if there is none of that name. */
enum effect effect_find(const char *name);
/* Does an effect on a node of this role (ROLE_MASK_*) make `law` void? */
bool effect_voids(enum effect effect, uint32_t role, enum law law);

#endif
