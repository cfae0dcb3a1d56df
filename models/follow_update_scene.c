/* What each observation stands for: the acts that it is the word for, and what it shows. */
#include <string.h>

#include "models/follow_update_inside.h"

static void move(struct scene *scene, uint32_t action)
{
    if (scene->move_count < SCENE_MOVES_MAX) {
        scene->moves[scene->move_count++] = (uint8_t)action;
    }
}

/* A number that is no release is offered as 0, which the spec does not know. */
static void offer(const struct hearing *hearing, struct scene *scene, uint64_t sequence)
{
    const bool known = sequence <= hearing->config->release_count;
    move(scene, MOVE_OFFER + (known ? (uint32_t)sequence : 0));
}

/* What is out of all bounds is seen as -1, which no variable is. */
static void see_of(struct scene *scene, uint32_t variable, uint32_t key, uint64_t value)
{
    scene->sights[scene->sight_count++] =
        (struct follow_sight){.variable = variable,
                              .value = value <= FOLLOW_UPDATE_UNLIMITED ? (int32_t)value : -1,
                              .key = (int32_t)key};
}

static void see(struct scene *scene, uint32_t variable, uint64_t value)
{
    see_of(scene, variable, 0, value);
}

static uint32_t slot_of(const struct observation *observation)
{
    return observation->epoch == SLOT_A ? SLOT_A : SLOT_B;
}

static void raise_to(const struct state *now, struct scene *scene, uint64_t level)
{
    for (uint64_t from = (uint64_t)now->floor; from < level && from <= FOLLOW_UPDATE_LEVELS_MAX;
         from++) {
        move(scene, ACT_raise);
    }
    see(scene, VAR_floor, level);
}

/* Between the steps of a rise there is no word: a crash image shows how far it came. */
static void on_floor(const struct hearing *hearing, const struct state *now, struct scene *scene)
{
    raise_to(now, scene, hearing->observation->value);
}

/* Without rot a slot that has a header is whole. */
static void on_slot(const struct hearing *hearing, const struct state *now, struct scene *scene)
{
    (void)now;
    see_of(scene, VAR_header, slot_of(hearing->observation), hearing->observation->counter);
}

static void on_taken(const struct hearing *hearing, const struct state *now, struct scene *scene)
{
    (void)now;
    see(scene, VAR_taken, hearing->observation->counter);
    see(scene, VAR_filled, hearing->observation->value);
}

/* The spec jumps. */
static void on_strand(const struct hearing *hearing, const struct state *now, struct scene *scene)
{
    (void)hearing;
    (void)now;
    move(scene, ACT_jump);
    see(scene, VAR_at, AT_OFF);
}

/* With it, what the record was seen to be. */
static void on_jump(const struct hearing *hearing, const struct state *now, struct scene *scene)
{
    const struct observation *observation = hearing->observation;
    const struct follow_update *device = hearing->device;
    const bool trial = observation->value == UPDATE_LAW_TRIAL;
    const bool confirmed = observation->value == UPDATE_LAW_CONFIRMED;
    const uint32_t slot = slot_of(observation);
    (void)now;
    if (trial) {
        move(scene, ACT_count);
        move(scene, ACT_jump_trial);
    } else {
        move(scene, ACT_jump);
    }
    see(scene, VAR_at, trial ? AT_TRIAL : confirmed ? AT_RUN : AT_FALLBACK);
    see(scene, VAR_confirmed, confirmed ? slot : SLOT_B - slot);
    see_of(scene, VAR_header, slot, observation->counter);
    for (uint32_t i = 0; i < device->sight_count; i++) {
        scene->sights[scene->sight_count++] = device->sights[i];
    }
}

static void on_revert(const struct hearing *hearing, const struct state *now, struct scene *scene)
{
    if (now->left > 0) {
        move(scene, ACT_count);
    }
    move(scene, ACT_revert);
    see(scene, VAR_reverted, hearing->observation->counter);
}

static void on_raise(const struct hearing *hearing, const struct state *now, struct scene *scene)
{
    raise_to(now, scene, hearing->observation->value);
    if (scene->move_count == 0) {
        move(scene, ACT_raise);
    }
}

static uint64_t sectors_of(const struct hearing *hearing)
{
    const uint64_t bytes = hearing->observation->value, sector = hearing->config->sector_bytes;
    return bytes / sector + (bytes % sector != 0);
}

/* Another download begins by the erase of a header. */
static void on_take(const struct hearing *hearing, const struct state *now, struct scene *scene)
{
    const uint64_t sequence = hearing->observation->counter;
    const bool same = sequence == (uint64_t)now->taken && !(now->at == AT_RUN && now->filled == 0);
    offer(hearing, scene, sequence);
    move(scene, ACT_take);
    if (!same) {
        move(scene, ACT_erase_header);
    }
    see(scene, VAR_taken, sequence);
    see(scene, VAR_filled, sectors_of(hearing));
}

/* An image that is not confirmed takes nothing, and does not even look what it is. Apart from that
 * the spec knows offers of releases alone. */
static void on_decline(const struct hearing *hearing, const struct state *now, struct scene *scene)
{
    const uint64_t sequence = hearing->observation->counter;
    if (now->at == AT_TRIAL || now->at == AT_FALLBACK) {
        move(scene, MOVE_OFFER + 1);
        move(scene, ACT_decline);
    } else if (sequence >= 1 && sequence <= hearing->config->release_count) {
        offer(hearing, scene, sequence);
        move(scene, ACT_decline);
    }
}

static void on_fill(const struct hearing *hearing, const struct state *now, struct scene *scene)
{
    (void)now;
    move(scene, ACT_erase_sector);
    move(scene, ACT_write_sector);
    move(scene, ACT_count_sector);
    see(scene, VAR_taken, hearing->observation->counter);
    see(scene, VAR_filled, sectors_of(hearing));
}

static void on_arm(const struct hearing *hearing, const struct state *now, struct scene *scene)
{
    (void)now;
    move(scene, ACT_erase_header);
    move(scene, ACT_write_header);
    move(scene, ACT_arm);
    see(scene, VAR_trial, hearing->observation->counter);
    see(scene, VAR_left, hearing->observation->value);
    see(scene, VAR_confirmed, SLOT_B - slot_of(hearing->observation));
}

static void on_confirm(const struct hearing *hearing, const struct state *now, struct scene *scene)
{
    const uint32_t slot = slot_of(hearing->observation);
    (void)now;
    move(scene, ACT_confirm);
    see(scene, VAR_confirmed, slot);
    see_of(scene, VAR_header, slot, hearing->observation->counter);
}

scene_maker *follow_update_scene(uint32_t kind)
{
    static scene_maker *const makers[TRUTH_COUNT] = {
        [TRUTH_FLOOR] = on_floor,      [TRUTH_SLOT] = on_slot,    [TRUTH_TAKEN] = on_taken,
        [EVIDENCE_STRAND] = on_strand, [EVIDENCE_JUMP] = on_jump, [EVIDENCE_REVERT] = on_revert,
        [EVIDENCE_RAISE] = on_raise,   [EVIDENCE_TAKE] = on_take, [EVIDENCE_DECLINE] = on_decline,
        [EVIDENCE_FILL] = on_fill,     [EVIDENCE_ARM] = on_arm,   [EVIDENCE_CONFIRM] = on_confirm,
    };
    return makers[kind];
}

/* ---- What waits for the JUMP ----------------------------------------------------------------- */

static void hold(struct follow_update *device, uint32_t variable, uint64_t value)
{
    if (device->sight_count < FOLLOW_UPDATE_SIGHTS_MAX) {
        device->sights[device->sight_count++] = (struct follow_sight){
            .variable = variable, .value = value <= FOLLOW_UPDATE_UNLIMITED ? (int32_t)value : -1};
    }
}

bool follow_update_hold(const struct hearing *hearing)
{
    struct follow_update *device = hearing->device;
    const struct observation *observation = hearing->observation;
    struct constants k;
    memcpy(&k, hearing->config->k, sizeof k);
    const uint64_t reverts_max = (uint64_t)k.RevertsMax;
    const uint64_t times = observation->value < reverts_max ? observation->value : reverts_max;
    switch (observation->kind) {
    case TRUTH_RECORD:
        device->sight_count = 0;
        hold(device, VAR_confirmed, observation->epoch);
        hold(device, VAR_highest, observation->counter);
        return true;
    case TRUTH_TRIAL:
        hold(device, VAR_trial, observation->counter);
        hold(device, VAR_left, observation->value);
        return true;
    case TRUTH_REVERTED:
        hold(device, VAR_reverted, observation->counter);
        hold(device, VAR_reverts, times);
        return true;
    default:
        return false;
    }
}
