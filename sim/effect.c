#include "sim/effect.h"

#include <string.h>

#include "core/check.h"

enum {
    SERVERS = ROLE_MASK_CLOUD | ROLE_MASK_GATEWAY,
    CORE_ROLES = SERVERS | ROLE_MASK_DEVICE,
    EVERYONE = CORE_ROLES | ROLE_MASK_ROGUE,
    ALL_BUT_CLOUD = EVERYONE & ~ROLE_MASK_CLOUD,
};

#define MINUTE_US 60000000u
#define HOUR_US   3600000000u
#define DAY_US    86400000000u

/* What each class can do beyond its name: who, how much, how long by default. */
struct effect_range {
    uint32_t roles;
    int64_t amount_min, amount_max, amount_default_min, amount_default_max;
    uint64_t lasts_default_min_us, lasts_default_max_us;
};

static const struct effect_range ranges[EFFECT_COUNT] = {
    [EFFECT_POWER_CUT] = {EVERYONE, 0, 0, 0, 0, 1000000, 10 * MINUTE_US},
    [EFFECT_CRASH] = {EVERYONE, 0, 0, 0, 0, 1000000, MINUTE_US},
    [EFFECT_HANG] = {EVERYONE, 0, 0, 0, 0, 10000000, 10 * MINUTE_US},
    [EFFECT_SUSPEND] = {ROLE_MASK_DEVICE, 0, 0, 0, 0, 10000000, 20 * MINUTE_US},
    [EFFECT_DISK_FULL] = {SERVERS, 0, 0, 0, 0, 10000000, 10 * MINUTE_US},
    [EFFECT_DISK_ERROR] = {SERVERS, 1, 1000000, 1000, 50000, 10000000, 5 * MINUTE_US},
    [EFFECT_DISK_LYING] = {SERVERS, 0, 0, 0, 0, 10000000, 10 * MINUTE_US},
    [EFFECT_DISK_LOST] = {SERVERS, 0, 0, 0, 0, 0, 0},
    [EFFECT_WALL_STEP] = {EVERYONE, -(int64_t)DAY_US * 3650, (int64_t)DAY_US * 3650,
                          -(int64_t)HOUR_US, HOUR_US, 0, 0},
    [EFFECT_WALL_DRIFT] = {EVERYONE, -500000, 500000, -500, 500, MINUTE_US, HOUR_US},
    [EFFECT_WALL_FREEZE] = {EVERYONE, 0, 0, 0, 0, MINUTE_US, HOUR_US},
    [EFFECT_WALL_RESET] = {EVERYONE, 0, 0, 0, 0, 0, 0},
    [EFFECT_MONOTONIC_DRIFT] = {EVERYONE, -100000, 100000, -200, 200, MINUTE_US, HOUR_US},
    [EFFECT_LINK_RESET] = {EVERYONE, 0, 0, 0, 0, 0, 0},
    [EFFECT_LINK_HALF_OPEN] = {EVERYONE, 0, 0, 0, 0, 0, 0},
    [EFFECT_LINK_STALL] = {EVERYONE, 0, 0, 0, 0, 1000000, 2 * MINUTE_US},
    [EFFECT_LINK_DELAY] = {EVERYONE, 1, 600000000, 100000, 20000000, 10000000, 10 * MINUTE_US},
    [EFFECT_LINK_SLOW] = {EVERYONE, 1, 1000000, 1000, 200000, 10000000, 10 * MINUTE_US},
    [EFFECT_PARTITION] = {EVERYONE, 0, 0, 0, 0, 10000000, 30 * MINUTE_US},
    [EFFECT_PARTITION_IN] = {EVERYONE, 0, 0, 0, 0, 10000000, 10 * MINUTE_US},
    [EFFECT_PARTITION_OUT] = {EVERYONE, 0, 0, 0, 0, 10000000, 10 * MINUTE_US},
    [EFFECT_ATTACK_REPLAY] = {ROLE_MASK_ROGUE, 1, 1000000, 50000, 500000, MINUTE_US, HOUR_US},
    [EFFECT_ATTACK_REORDER] = {ROLE_MASK_ROGUE, 1, 1000000, 50000, 500000, MINUTE_US, HOUR_US},
    [EFFECT_ATTACK_DUPLICATE] = {ROLE_MASK_ROGUE, 1, 1000000, 50000, 500000, MINUTE_US, HOUR_US},
    [EFFECT_ATTACK_DELAY] = {ROLE_MASK_ROGUE, 1, 1000000, 50000, 500000, MINUTE_US, HOUR_US},
    [EFFECT_ATTACK_CORRUPT] = {ROLE_MASK_ROGUE, 1, 1000000, 50000, 500000, MINUTE_US, HOUR_US},
    [EFFECT_ATTACK_DROP] = {ROLE_MASK_ROGUE, 1, 1000000, 50000, 500000, MINUTE_US, HOUR_US},
    [EFFECT_FLASH_BAD] = {ROLE_MASK_DEVICE, 1, 64, 1, 2, 0, 0},
    [EFFECT_FLASH_BAD_SILENT] = {ROLE_MASK_DEVICE, 1, 64, 1, 2, 0, 0},
    [EFFECT_FLASH_ROT] = {ROLE_MASK_DEVICE, 1, 100000, 1, 8, 0, 0},
    [EFFECT_FLASH_STUCK] = {ROLE_MASK_DEVICE, 1, 100000, 1, 64, 0, 0},
    [EFFECT_FLASH_DISTURB] = {ROLE_MASK_DEVICE, 1, 100000, 1, 16, 0, 0},
    [EFFECT_FLASH_BROWN_OUT] = {ROLE_MASK_DEVICE, 1, 1000000, 10000, 500000, 10000000,
                                5 * MINUTE_US},
    [EFFECT_FLASH_WEAR] = {ROLE_MASK_DEVICE, 1, 10000000, 4, 40, 0, 0},
    [EFFECT_ATTACK_FLOOD] = {ROLE_MASK_ROGUE, 1, 1024, 4, 64, 10000000, 5 * MINUTE_US},
    [EFFECT_LEFT_DARK] = {ALL_BUT_CLOUD, 0, 0, 0, 0, 0, 0},
    [EFFECT_LEFT_CUT] = {ALL_BUT_CLOUD, 0, 0, 0, 0, 0, 0},
};

static const struct {
    const char *name, *doc;
    enum effect_target target;
    enum effect_lasts lasts;
    enum effect_amount amount;
} names[EFFECT_COUNT] = {
#define EFFECT(NAME, name, target, lasts, amount, doc)                                             \
    {#name, doc, EFFECT_TARGET_##target, EFFECT_LASTS_##lasts, EFFECT_AMOUNT_##amount},
#include "sim/effect.def"
#undef EFFECT
};

struct effect_info effect_info(enum effect effect)
{
    CHECK(effect < EFFECT_COUNT);
    const struct effect_range *range = &ranges[effect];
    return (struct effect_info){
        .name = names[effect].name,
        .doc = names[effect].doc,
        .target = names[effect].target,
        .lasts = names[effect].lasts,
        .amount = names[effect].amount,
        .roles = range->roles,
        .amount_min = range->amount_min,
        .amount_max = range->amount_max,
        .amount_default_min = range->amount_default_min,
        .amount_default_max = range->amount_default_max,
        .lasts_default_min_us = range->lasts_default_min_us,
        .lasts_default_max_us = range->lasts_default_max_us,
    };
}

enum effect effect_find(const char *name)
{
    for (unsigned i = 0; i < EFFECT_COUNT; i++) {
        if (strcmp(names[i].name, name) == 0) {
            return (enum effect)i;
        }
    }
    return EFFECT_COUNT;
}

#define BIT(LAW) (UINT64_C(1) << LAW_##LAW)

/* What a device cannot promise on a flash that fails. Where nothing is said, everything holds: also
 * on such flash no image runs that is not whole and signed, no floor falls, no acked reading is
 * lost and no CHECK fails.
 *
 * A sector that refuses to be written leaves what it holds. A store that has one may be read-only
 * for good: its readings stay, and stay undelivered; a boot record that cannot be written keeps no
 * confirm and ends no trial, and the boot loader says so by falling back (boot.h). The spec knows
 * rot, and no flash that answers with errors. */
#define REFUSES                                                                                    \
    (BIT(LIVENESS_DELIVERED) | BIT(LIVENESS_ACKED) | BIT(UPDATE_CONFIRM) | BIT(UPDATE_PROGRESS) |  \
     BIT(SPEC_UPDATE))
/* What was written is not there, though nobody was told: a reserve, a reading, a trial, a confirm,
 * the progress of a download. Then a counter may be drawn again: store.h claims what power may do,
 * and that rot in the newest frame or in a header is not seen. */
#define FORGETS                                                                                    \
    (REFUSES | BIT(TELEMETRY_NONCE) | BIT(DEVICE_OUTBOX) | BIT(SPEC_TELEMETRY) |                   \
     BIT(SPEC_SESSION) | BIT(UPDATE_TRIALS) | BIT(UPDATE_RESUME))
/* Also what was whole and durable: the only good image. */
#define ROTS (FORGETS | BIT(UPDATE_LAST_GOOD))
/* An erase that was only pretended leaves a log that power alone never leaves. What looks like a
 * copy whose source still stands may be one that power tore while it was erased in its turn, and
 * the mount that makes its header certain (store.h) programs what wants to be erased. */
#define PRETENDS (FORGETS | BIT(FLASH_DISCIPLINE))
/* Bits that answer each read anew were right when the image was verified, and need not be when it
 * runs; and where they lie in what looks erased, a program finds them, and they want to be set. */
#define WAVERS (BIT(UPDATE_AUTHENTIC) | BIT(FLASH_DISCIPLINE))

static const uint64_t flash_voids[EFFECT_COUNT] = {
    [EFFECT_FLASH_BAD] = REFUSES,
    [EFFECT_FLASH_BAD_SILENT] = PRETENDS,
    [EFFECT_FLASH_ROT] = ROTS,
    [EFFECT_FLASH_STUCK] = PRETENDS,
    [EFFECT_FLASH_DISTURB] = ROTS | WAVERS,
    /* Only where the device writes, and that is never the image that it runs. */
    [EFFECT_FLASH_BROWN_OUT] = PRETENDS | WAVERS,
    [EFFECT_FLASH_WEAR] = REFUSES,
};

/* A disk that lies or is lost takes with it what was promised on it, and so does flash that fails;
 * nothing else voids anything: power, crashes, clocks, links and attackers are what the laws are
 * for. */
bool effect_voids(enum effect effect, uint32_t role, enum law law)
{
    CHECK(effect < EFFECT_COUNT && law < LAW_COUNT);
    if (role == ROLE_MASK_DEVICE) {
        return (flash_voids[effect] >> law & 1u) != 0;
    }
    if (effect != EFFECT_DISK_LYING && effect != EFFECT_DISK_LOST) {
        return false;
    }
    if (role == ROLE_MASK_GATEWAY) {
        return law == LAW_GATEWAY_CUSTODY || law == LAW_SPEC_SESSION;
    }
    /* The cloud's rows and windows: what it forgot it may accept again, and what it acked is gone.
     */
    return role == ROLE_MASK_CLOUD && (law == LAW_TELEMETRY_DURABLE || law == LAW_TELEMETRY_ONCE ||
                                       law == LAW_TELEMETRY_WINDOW || law == LAW_SPEC_TELEMETRY ||
                                       law == LAW_SPEC_SESSION || law == LAW_LIVENESS_DELIVERED);
}
