/* Boot loader and agent along specs/Update. A call of theirs is several actions: those are held
 * back until the spec has taken the last one of the call, and then it is made whole. Where power
 * goes before that, it goes behind the write that the last action held back stands for; what rots
 * meanwhile rots behind that write. Offers wait where messages wait, until the agent can answer.
 *
 * Where the constants plant a bug, the spec does what the core does not: the core refuses there.
 *
 * "off" is the boot loader before its first act, and so also a device without power. What strikes
 * there, strikes a device without power: the call ends by a cut.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/check.h"
#include "models/update.def"
#include "models/spec_shape.h"
#include "sim/drive.h"
#include "sim/drive_update.h"
#include "sim/drive_update_device.h"
#include "sim/random.h"

enum { HELD_MAX = 32 };

_Static_assert(sizeof(struct constants) <= SPEC_CONSTANTS_MAX * sizeof(int32_t), "all constants");

/* An action of the call under way, and the state behind it. */
struct held {
    uint32_t action;
    int32_t slot; /* of Spoil */
    struct state state;
    uint32_t writes; /* of the call, up to and with it */
};

struct rig {
    const struct spec_instance *instance;
    struct constants k;
    struct update_device *device;
    struct state state;
    uint32_t held_count;
    struct held held[HELD_MAX];
    const char *told; /* what the last act made the core do */
    uint32_t told_writes;
};

/* ---- Life ------------------------------------------------------------------------------------ */

static void *begin(const struct spec_instance *instance, char *error, size_t error_bytes)
{
    struct rig *rig = calloc(1, sizeof *rig);
    int32_t words[SPEC_STATE_WORDS_MAX] = {0};
    CHECK(rig != NULL);
    rig->instance = instance;
    memcpy(&rig->k, instance->k, sizeof rig->k);
    const struct constants *k = &rig->k;
    const struct update_device_spec spec = {
        .releases = (uint32_t)k->Releases,
        .high_level = (uint32_t)k->HighLevel,
        .sectors = (uint32_t)k->Sectors,
        .trials = (uint32_t)k->Trials,
        .reverts_max = (uint32_t)k->RevertsMax,
    };
    rig->device = update_device_make(&spec, error, error_bytes);
    if (rig->device == NULL) {
        free(rig);
        return NULL;
    }
    const bool first = instance->model->init(instance->k, 0, words);
    CHECK(first);
    memcpy(&rig->state, words, sizeof rig->state);
    return rig;
}

static void end(void *ctx)
{
    struct rig *rig = ctx;
    update_device_free(rig->device);
    free(rig);
}

/* ---- What is in flash ------------------------------------------------------------------------ */

static bool same_record(const struct update_device_face *face, const struct state *state)
{
    if (face->lost || state->lost) {
        return face->lost && state->lost;
    }
    return face->confirmed == state->confirmed && face->highest == state->highest &&
           face->trial == state->trial && face->left == state->left &&
           face->reverted == state->reverted && face->reverts == state->reverts;
}

static bool is_like(const struct rig *rig, const struct state *state)
{
    struct update_device_face face;
    update_device_look(rig->device, &face);
    bool same = same_record(&face, state) && face.taken == state->taken &&
                face.filled == state->filled && face.floor == state->floor;
    for (uint32_t slot = 0; slot < UPDATE_DEVICE_SLOTS && same; slot++) {
        same = face.header[slot] == state->header[slot] &&
               update_device_holds(rig->device, slot, state->content[slot], state->whole[slot]);
    }
    return same;
}

/* ---- Calls ----------------------------------------------------------------------------------- */

static enum update_device_call call_of(const struct rig *rig)
{
    CHECK(rig->held_count > 0);
    switch (rig->held[0].action) {
    case ACT_take:
        return UPDATE_DEVICE_OFFER;
    case ACT_erase_sector:
        return UPDATE_DEVICE_HALF;
    case ACT_write_sector:
        return UPDATE_DEVICE_REST;
    case ACT_erase_header:
    case ACT_discard:
        return UPDATE_DEVICE_FINISH;
    case ACT_confirm:
        return UPDATE_DEVICE_CONFIRM;
    case ACT_raise: /* on trial, by a planted bug: it would be the agent's first act */
        return rig->held[0].state.at == AT_TRIAL ? UPDATE_DEVICE_CONFIRM : UPDATE_DEVICE_BOOT;
    default:
        return UPDATE_DEVICE_BOOT;
    }
}

/* Back to the ground, with all that rots on the way planned. */
static void plan(struct rig *rig)
{
    update_device_back(rig->device);
    for (uint32_t i = 0; i < rig->held_count; i++) {
        const struct held *held = &rig->held[i];
        if (held->action == ACT_spoil) {
            update_device_plan_spoil(rig->device, (uint32_t)held->slot, held->writes);
        }
    }
}

/* Make the call up to the last action that is held: power goes behind so many writes. */
static void call_up_to(struct rig *rig, uint32_t writes)
{
    plan(rig);
    (void)update_device_call(rig->device, call_of(rig), (uint32_t)rig->held[0].state.taken,
                             (int32_t)writes);
}

/* Which write does the last action stand for? Where flash shows no difference, as when what is
 * erased was erased, it is the next one. False: no write leaves flash as the spec has it. */
static bool find_write(struct rig *rig)
{
    struct held *last = &rig->held[rig->held_count - 1];
    last->writes = rig->held_count > 1 ? rig->held[rig->held_count - 2].writes : 0;
    last->writes += last->action == ACT_spoil ? 0 : 1;
    for (;; last->writes++) {
        call_up_to(rig, last->writes);
        if (update_device_writes(rig->device) < last->writes) {
            return false;
        }
        if (is_like(rig, &last->state)) {
            update_device_back(rig->device);
            return true;
        }
    }
}

static void settle(struct rig *rig, const char *told)
{
    rig->told = told;
    rig->told_writes = update_device_writes(rig->device);
    rig->held_count = 0;
    update_device_ground(rig->device);
}

static enum drive_outcome fail(const char **why, const char *what)
{
    *why = what;
    return DRIVE_FAILED;
}

/* Where the device is, in the spec's words; a failed agent is nowhere. */
static int32_t place_of(const struct rig *rig)
{
    static const int32_t places[] = {
        [UPDATE_DEVICE_OFF] = AT_OFF,         [UPDATE_DEVICE_RUN] = AT_RUN,
        [UPDATE_DEVICE_TRIAL] = AT_TRIAL,     [UPDATE_DEVICE_FALLBACK] = AT_FALLBACK,
        [UPDATE_DEVICE_ARMED] = AT_ARMED,     [UPDATE_DEVICE_FILL] = AT_FILL,
        [UPDATE_DEVICE_ERASED] = AT_ERASED,   [UPDATE_DEVICE_FULL] = AT_FULL,
        [UPDATE_DEVICE_FAILED] = place_count,
    };
    return places[update_device_place(rig->device)];
}

/* The actions that are held back are all of the call: make it. */
static enum drive_outcome whole(struct rig *rig, const char **why)
{
    static const char *const told[] = {
        [UPDATE_DEVICE_BOOT] = "boot",
        [UPDATE_DEVICE_OFFER] = "update_offer",
        [UPDATE_DEVICE_HALF] = "update_chunk",
        [UPDATE_DEVICE_REST] = "update_chunk",
        [UPDATE_DEVICE_FINISH] = "update_finish",
        [UPDATE_DEVICE_CONFIRM] = "update_confirm",
    };
    const enum update_device_call call = call_of(rig);
    plan(rig);
    (void)update_device_call(rig->device, call, (uint32_t)rig->held[0].state.taken,
                             UPDATE_DEVICE_WHOLE);
    settle(rig, told[call]);
    if (!is_like(rig, &rig->state)) {
        return fail(why, "flash is not what the spec says");
    }
    return place_of(rig) == rig->state.at ? DRIVE_DONE
                                          : fail(why, "the device is not where the spec says");
}

/* Power goes behind the last action that is held back. */
static void cut(struct rig *rig)
{
    if (rig->held_count > 0) {
        call_up_to(rig, rig->held[rig->held_count - 1].writes);
    }
    update_device_off(rig->device);
    settle(rig, "a loss of power");
}

/* ---- Moves ----------------------------------------------------------------------------------- */

/* An action that is not the last one of its call is made all the same, up to its write, so that it
 * was done even if nothing follows. */
static enum drive_outcome hold(struct rig *rig, const struct spec_move *move, bool last,
                               const char **why)
{
    CHECK(rig->held_count < HELD_MAX);
    rig->held[rig->held_count++] = (struct held){move->action, move->parameters[0], rig->state, 0};
    if (last) {
        return whole(rig, why);
    }
    rig->told = "the call, up to the write that this stands for";
    const bool found = find_write(rig);
    rig->told_writes = rig->held[rig->held_count - 1].writes;
    return found ? DRIVE_DONE : fail(why, "no write of the call leaves flash as the spec has it");
}

/* The answer is no, and nothing has been written. */
static enum drive_outcome decline(struct rig *rig, int32_t release, const char **why)
{
    const bool taken = update_device_call(rig->device, UPDATE_DEVICE_OFFER, (uint32_t)release,
                                          UPDATE_DEVICE_WHOLE);
    if (taken || update_device_writes(rig->device) != 0) {
        return fail(why, "the offer is not declined");
    }
    settle(rig, "update_offer");
    return is_like(rig, &rig->state) ? DRIVE_DONE : fail(why, "flash is not what the spec says");
}

static enum drive_outcome spoil(struct rig *rig, const struct spec_move *move, const char **why)
{
    if (rig->held_count > 0 && rig->state.at != AT_OFF) {
        return hold(rig, move, false, why);
    }
    if (rig->held_count > 0) {
        cut(rig);
    }
    update_device_spoil(rig->device, (uint32_t)move->parameters[0]);
    settle(rig, "a slot is spoilt");
    return DRIVE_DONE;
}

static void lose_record(struct rig *rig)
{
    cut(rig);
    update_device_lose_record(rig->device);
    settle(rig, "the record is lost");
}

static bool floor_is_up(const struct rig *rig)
{
    const struct state *state = &rig->state;
    const int32_t release = state->header[state->confirmed];
    return state->floor >= (release % 2 == 0 ? rig->k.HighLevel : 1);
}

static enum drive_outcome act(void *ctx, const struct spec_move *move, const char **why)
{
    struct rig *rig = ctx;
    const struct state before = rig->state;
    int32_t words[SPEC_STATE_WORDS_MAX] = {0};
    memcpy(words, &rig->state, sizeof rig->state);
    const bool enabled =
        rig->instance->model->step(rig->instance->k, move->action, move->parameters, words);
    CHECK(enabled);
    memcpy(&rig->state, words, sizeof rig->state);
    *why = NULL;
    switch (move->action) {
    case ACT_offer:
        rig->told = "nothing: a message arrives";
        return DRIVE_DONE;
    case ACT_decline:
        return decline(rig, before.offer, why);
    case ACT_spoil:
        return spoil(rig, move, why);
    case ACT_lose_record:
        lose_record(rig);
        return DRIVE_DONE;
    case ACT_lose_power:
    case ACT_reset:
        cut(rig);
        return DRIVE_DONE;
    case ACT_take:
        return hold(rig, move, rig->state.at != AT_BEGIN, why);
    case ACT_erase_header:
        return hold(rig, move, before.at == AT_BEGIN, why);
    case ACT_confirm:
        return hold(rig, move, floor_is_up(rig), why);
    case ACT_raise:
        return hold(rig, move, before.at == AT_RUN && floor_is_up(rig), why);
    case ACT_jump:
    case ACT_jump_trial:
    case ACT_erase_sector:
    case ACT_count_sector:
    case ACT_arm:
    case ACT_discard:
        return hold(rig, move, true, why);
    default:
        return hold(rig, move, false, why);
    }
}

/* ---- What is seen ---------------------------------------------------------------------------- */

/* The value of a variable in flash, or of `at`; false: nothing shows it. */
static bool seen_in(const struct rig *rig, const struct update_device_face *face,
                    const struct spec_cell *cell, int32_t *value)
{
    const bool slotted = cell->keys[0] >= 0 && cell->keys[0] < UPDATE_DEVICE_SLOTS;
    const uint32_t slot = slotted ? (uint32_t)cell->keys[0] : 0;
    const int32_t values[LAW_VARIABLE_COUNT] = {
        [VAR_header] = face->header[slot], [VAR_content] = face->content[slot],
        [VAR_whole] = face->whole[slot],   [VAR_lost] = face->lost,
        [VAR_confirmed] = face->confirmed, [VAR_highest] = face->highest,
        [VAR_trial] = face->trial,         [VAR_left] = face->left,
        [VAR_reverted] = face->reverted,   [VAR_reverts] = face->reverts,
        [VAR_taken] = face->taken,         [VAR_filled] = face->filled,
        [VAR_floor] = face->floor,         [VAR_at] = place_of(rig),
    };
    *value = values[cell->variable];
    switch (cell->variable) {
    case VAR_content:
    case VAR_whole:
        return face->certain[slot];
    case VAR_ran:
    case VAR_offer:
    case VAR_losses:
    case VAR_spoils:
        return false;
    default:
        return true;
    }
}

/* In the middle of a call nothing is looked at: it has not been made. */
static void look(void *ctx, int32_t *cells, bool *seen)
{
    struct rig *rig = ctx;
    struct update_device_face face;
    if (rig->held_count > 0) {
        return;
    }
    update_device_look(rig->device, &face);
    for (uint32_t i = 0; i < rig->instance->cell_count; i++) {
        seen[i] = seen_in(rig, &face, &rig->instance->cells[i], &cells[i]);
    }
}

/* What is held back; all else is in the state. */
static uint64_t key(void *ctx)
{
    const struct rig *rig = ctx;
    uint64_t hash = 0;
    for (uint32_t i = 0; i < rig->held_count; i++) {
        hash =
            random_at(hash + 1, (uint64_t)rig->held[i].action << 8 | (uint64_t)rig->held[i].slot);
    }
    return hash;
}

static void tell(void *ctx, const char *indent, FILE *file)
{
    const struct rig *rig = ctx;
    fprintf(file, "%s%s, %u writes\n", indent, rig->told, (unsigned)rig->told_writes);
}

const struct driver drive_update = {
    .law = "Update",
    .begin = begin,
    .act = act,
    .look = look,
    .end = end,
    .key = key,
    .tell = tell,
    .word = drive_update_word,
    .fleet = drive_update_fleet,
    .calm = DRIVE_UPDATE_CALM,
};
