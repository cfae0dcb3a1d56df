#include <string.h>

#include "models/follow_update_inside.h"

_Static_assert(sizeof(struct state) == FOLLOW_UPDATE_WORDS * sizeof(int32_t), "room for a state");

static void fall(struct hearing *hearing);
static void play(struct hearing *hearing, scene_maker *maker);
static bool make_move(const struct follow_update_config *config, uint8_t move, int32_t *words);

/* ---- A run ----------------------------------------------------------------------------------- */

void follow_update_configure(struct follow_update_config *config, uint32_t trials,
                             uint32_t reverts_max, uint32_t image_bytes, uint32_t sector_bytes)
{
    *config = (struct follow_update_config){
        .sector_bytes = sector_bytes,
        .image_bytes = image_bytes,
        .unfit = reverts_max == 0,
    };
    const struct constants k = {
        .Releases = 1,
        .HighLevel = 1,
        .Sectors = (int32_t)((image_bytes - 1) / sector_bytes + 1),
        .Trials = (int32_t)trials,
        .RevertsMax = (int32_t)reverts_max,
        .MaxLosses = FOLLOW_UPDATE_UNLIMITED,
        .MaxSpoils = FOLLOW_UPDATE_UNLIMITED,
    };
    memcpy(config->k, &k, sizeof k);
}

/* The spec has releases 1, 2, ...; even ones are of the high level, others of the first. */
void follow_update_release(struct follow_update_config *config, uint64_t sequence, uint64_t level)
{
    struct constants k;
    memcpy(&k, config->k, sizeof k);
    const bool even = ++config->release_count % 2 == 0;
    if (config->release_count == 2) {
        k.HighLevel = level >= 1 && level <= FOLLOW_UPDATE_LEVELS_MAX ? (int32_t)level : 1;
    }
    const bool fits = sequence == config->release_count &&
                      config->release_count <= UPDATE_LAW_RELEASES_MAX &&
                      level == (even ? (uint64_t)k.HighLevel : 1);
    config->unfit = config->unfit || !fits;
    k.Releases = (int32_t)config->release_count;
    memcpy(config->k, &k, sizeof k);
}

bool follow_update_hears(uint32_t kind)
{
    return kind < TRUTH_COUNT &&
           (kind == TRUTH_DOWN || kind == TRUTH_RECORD || kind == TRUTH_TRIAL ||
            kind == TRUTH_REVERTED || follow_update_scene(kind) != NULL);
}

void follow_update_observe(struct follow_update *device, const struct follow_update_config *config,
                           const struct observation *observation, follow_listener *listen,
                           void *ctx)
{
    struct hearing hearing = {device, config, observation, listen, ctx};
    const bool over =
        device->standing == FOLLOW_UPDATE_UNCLEAR || device->standing == FOLLOW_UPDATE_STOPPED;
    if (config->unfit || over || !follow_update_hears(observation->kind) ||
        follow_update_hold(&hearing)) {
        return;
    }
    if (device->standing == FOLLOW_UPDATE_ON_THE_LINE && observation->kind == EVIDENCE_JUMP) {
        device->standing = FOLLOW_UPDATE_FOLLOWED;
        device->state_count = 1;
        (void)spec_update.init(config->k, 0, device->states[0].words);
    }
    if (device->standing != FOLLOW_UPDATE_FOLLOWED) {
        return;
    }
    if (observation->kind == TRUTH_DOWN) {
        fall(&hearing);
    } else if (follow_update_scene(observation->kind) != NULL) {
        play(&hearing, follow_update_scene(observation->kind));
    }
}

/* ---- Steps ----------------------------------------------------------------------------------- */

static struct state state_of(const int32_t *words)
{
    struct state state;
    memcpy(&state, words, sizeof state);
    return state;
}

static bool make_move(const struct follow_update_config *config, uint8_t move, int32_t *words)
{
    const bool offers = move >= MOVE_OFFER;
    const int32_t parameters[SPEC_PARAMETERS_MAX] = {offers ? move - MOVE_OFFER : 0};
    return spec_update.step(config->k, offers ? ACT_offer : move, parameters, words);
}

static int32_t seen_in(const struct follow_sight *sight, const int32_t *words)
{
    static const uint8_t at[LAW_VARIABLE_COUNT] = {
#define AT(name)                             offsetof(struct state, name) / sizeof(int32_t)
#define AT_VAR(name, domain)                 AT(name),
#define AT_MAP(name, room, key, value)       AT(name),
#define AT_MAP2(name, r1, k1, r2, k2, value) AT(name),
        LAW_VARIABLES(AT_VAR, AT_MAP, AT_MAP2)};
    return words[at[sight->variable] + (uint32_t)sight->key];
}

/* How far the scene can be played from there: moves, and behind all of them sights. */
static uint32_t play_on(const struct follow_update_config *config, const struct scene *scene,
                        int32_t *words)
{
    uint32_t done = 0;
    while (done < scene->move_count && make_move(config, scene->moves[done], words)) {
        done++;
    }
    if (done < scene->move_count) {
        return done;
    }
    for (uint32_t i = 0; i < scene->sight_count; i++) {
        if (seen_in(&scene->sights[i], words) != scene->sights[i].value) {
            return done;
        }
    }
    return done + 1;
}

/* False: the listener wants no more. scene: sights behind the last move; NULL: none. */
static bool tell(struct hearing *hearing, const uint8_t *moves, uint32_t count,
                 const struct scene *scene)
{
    for (uint32_t i = 0; i < count; i++) {
        const bool offers = moves[i] >= MOVE_OFFER;
        struct follow_step step = {
            .actor = hearing->observation->node,
            .move = {.action = offers ? ACT_offer : moves[i],
                     .parameters = {offers ? moves[i] - MOVE_OFFER : 0}},
            .observation = hearing->observation,
        };
        if (scene != NULL && i + 1 == count) {
            step.sight_count = scene->sight_count;
            memcpy(step.sights, scene->sights, sizeof step.sights);
        }
        if (!hearing->listen(hearing->ctx, &step)) {
            hearing->device->standing = FOLLOW_UPDATE_STOPPED;
            return false;
        }
    }
    return true;
}

static void look(struct hearing *hearing, const struct scene *scene)
{
    struct follow_step step = {
        .actor = hearing->observation->node,
        .move = {.action = FOLLOW_LOOK},
        .sight_count = scene->sight_count,
        .observation = hearing->observation,
    };
    memcpy(step.sights, scene->sights, sizeof step.sights);
    if (!hearing->listen(hearing->ctx, &step)) {
        hearing->device->standing = FOLLOW_UPDATE_STOPPED;
    }
}

/* One state is left: it is told how it came about. scene: NULL: nothing is seen of it. */
static void settle(struct hearing *hearing, const struct scene *scene)
{
    struct follow_update_state *only = &hearing->device->states[0];
    const uint32_t before = only->move_count;
    only->move_count = 0;
    if (!tell(hearing, only->moves, before, NULL) || scene == NULL) {
        return;
    }
    if (scene->move_count > 0) {
        (void)tell(hearing, scene->moves, scene->move_count, scene);
    } else if (scene->sight_count > 0) {
        look(hearing, scene);
    }
}

/* No state is left: the one that came furthest is told, and then what it contradicts. */
static void contradict(struct hearing *hearing, scene_maker *maker)
{
    struct follow_update *device = hearing->device;
    struct scene best = {0};
    uint32_t chosen = 0, furthest = 0;
    for (uint32_t i = 0; i < device->state_count; i++) {
        struct scene scene = {0};
        struct follow_update_state state = device->states[i];
        const struct state now = state_of(state.words);
        maker(hearing, &now, &scene);
        const uint32_t done = play_on(hearing->config, &scene, state.words);
        if (i == 0 || done > furthest) {
            chosen = i;
            furthest = done;
            best = scene;
        }
    }
    const struct follow_update_state *state = &device->states[chosen];
    if (tell(hearing, state->moves, state->move_count, NULL) && best.move_count == 0) {
        look(hearing, &best);
    } else if (device->standing == FOLLOW_UPDATE_FOLLOWED) {
        (void)tell(hearing, best.moves, best.move_count, &best);
    }
    device->standing = FOLLOW_UPDATE_STOPPED;
}

static bool append(struct follow_update_state *state, const uint8_t *moves, uint32_t count)
{
    if (count > FOLLOW_UPDATE_MOVES_MAX - state->move_count) {
        return false;
    }
    memcpy(state->moves + state->move_count, moves, count);
    state->move_count += count;
    return true;
}

/* Keep the states that the observation is possible in. */
static void play(struct hearing *hearing, scene_maker *maker)
{
    struct follow_update *device = hearing->device;
    struct follow_update_state left[FOLLOW_UPDATE_STATES_MAX];
    struct scene last;
    uint32_t count = 0;
    bool room = true;
    for (uint32_t i = 0; i < device->state_count; i++) {
        struct scene scene = {0};
        left[count] = device->states[i];
        const struct state now = state_of(left[count].words);
        maker(hearing, &now, &scene);
        if (play_on(hearing->config, &scene, left[count].words) <= scene.move_count) {
            continue;
        }
        /* The moves of a state that stays alone are told from the scene. */
        if (count == 1) {
            room = room && append(&left[0], last.moves, last.move_count);
        }
        if (count >= 1) {
            room = room && append(&left[count], scene.moves, scene.move_count);
        }
        last = scene;
        count++;
    }
    if (count == 0) {
        contradict(hearing, maker);
        return;
    }
    memcpy(device->states, left, count * sizeof left[0]);
    device->state_count = count;
    if (!room) {
        device->standing = FOLLOW_UPDATE_UNCLEAR;
    } else if (count == 1) {
        settle(hearing, &last);
    }
    if (hearing->observation->kind == EVIDENCE_JUMP) {
        device->sight_count = 0;
    }
}

/* ---- Power ----------------------------------------------------------------------------------- */

/* States that a device may be in when it is down. */
struct falling {
    const struct hearing *hearing;
    uint32_t count;
    bool room;
    struct follow_update_state states[FOLLOW_UPDATE_STATES_MAX];
};

static bool act(const struct falling *falling, struct follow_update_state *state, uint32_t move)
{
    const uint8_t byte = (uint8_t)move;
    return make_move(falling->hearing->config, byte, state->words) && append(state, &byte, 1);
}

/* From here it falls, and comes to be off. */
static void fall_from(struct falling *falling, const struct follow_update_state *from)
{
    struct follow_update_state state = *from;
    const int32_t at = state_of(from->words).at;
    const bool reset = falling->hearing->observation->value == 1;
    if (at != AT_OFF) {
        const bool resets = reset && (at == AT_TRIAL || at == AT_ARMED);
        falling->room = act(falling, &state, resets ? ACT_reset : ACT_lose_power) && falling->room;
    }
    for (uint32_t i = 0; i < falling->count; i++) {
        if (memcmp(falling->states[i].words, state.words, sizeof state.words) == 0) {
            return;
        }
    }
    if (falling->count == FOLLOW_UPDATE_STATES_MAX) {
        falling->room = false;
        return;
    }
    falling->states[falling->count++] = state;
}

/* These acts one after the other, as far as they can be; power may go behind each. */
static void fall_along(struct falling *falling, const struct follow_update_state *from,
                       const uint8_t *moves, uint32_t count)
{
    struct follow_update_state state = *from;
    for (uint32_t i = 0; i < count && act(falling, &state, moves[i]); i++) {
        fall_from(falling, &state);
    }
}

/* A sector counts, or not: what was erased and written of one that does not makes no difference. */
static void fall_in_sector(struct falling *falling, const struct follow_update_state *from)
{
    struct follow_update_state state = *from;
    if (act(falling, &state, ACT_erase_sector) && act(falling, &state, ACT_write_sector) &&
        act(falling, &state, ACT_count_sector)) {
        fall_from(falling, &state);
    }
}

static void fall_in_offers(struct falling *falling, const struct follow_update_state *from)
{
    for (uint32_t i = 1; i <= falling->hearing->config->release_count; i++) {
        struct follow_update_state state = *from;
        if (act(falling, &state, MOVE_OFFER + i) && act(falling, &state, ACT_take)) {
            fall_from(falling, &state);
            fall_along(falling, &state, (const uint8_t[]){ACT_erase_header}, 1);
        }
    }
}

/* Which acts the call in progress may have come to, unsaid, and where it then was. Only the last of
 * a call's words may be missing: nothing follows an act that was cut off from its word. */
static void fall_inside(struct falling *falling, const struct follow_update_state *from)
{
    static const uint8_t counting[] = {ACT_count, ACT_revert}, reverting[] = {ACT_revert},
                         confirming[] = {ACT_confirm},
                         installing[] = {ACT_erase_header, ACT_write_header, ACT_arm};
    fall_from(falling, from);
    switch (state_of(from->words).at) {
    case AT_OFF:
        fall_along(falling, from, counting, 2);
        fall_along(falling, from, reverting, 1);
        break;
    case AT_TRIAL:
    case AT_FALLBACK:
        fall_along(falling, from, confirming, 1);
        break;
    case AT_RUN:
        fall_in_offers(falling, from);
        break;
    case AT_FILL:
        fall_in_sector(falling, from);
        fall_in_offers(falling, from);
        break;
    case AT_FULL:
        fall_along(falling, from, installing, 3);
        break;
    default:
        break;
    }
}

static void fall(struct hearing *hearing)
{
    struct follow_update *device = hearing->device;
    struct falling falling = {.hearing = hearing, .room = true};
    device->sight_count = 0;
    for (uint32_t i = 0; i < device->state_count; i++) {
        fall_inside(&falling, &device->states[i]);
    }
    memcpy(device->states, falling.states, falling.count * sizeof falling.states[0]);
    device->state_count = falling.count;
    if (!falling.room) {
        device->standing = FOLLOW_UPDATE_UNCLEAR;
    } else if (falling.count == 1) {
        settle(hearing, NULL);
    }
}

/* ---- Its shape ------------------------------------------------------------------------------- */

/* 0: none, 1: a part, 2: all of it. */
static uint32_t part(int32_t count, int32_t whole)
{
    return count == 0 ? 0 : count < whole ? 1 : 2;
}

/* 0: none, 1: the newest that was ever confirmed, 2: an older one, 3: a newer one. */
static uint32_t age(const struct state *s, int32_t release)
{
    return release == 0 ? 0 : release == s->highest ? 1 : release < s->highest ? 2 : 3;
}

uint32_t follow_update_shape(const struct follow_update_config *config, const int32_t *words)
{
    const struct state s = state_of(words);
    struct constants k;
    memcpy(&k, config->k, sizeof k);
    const struct {
        uint32_t value, bits;
    } parts[] = {
        {(uint32_t)s.at, 4},
        {(uint32_t)s.confirmed, 1},
        {age(&s, s.header[0]), 2},
        {age(&s, s.header[1]), 2},
        {part(s.whole[0], k.Sectors), 2},
        {part(s.whole[1], k.Sectors), 2},
        {part(s.left, k.Trials), 2},
        {part(s.filled, k.Sectors), 2},
        {age(&s, s.offer), 2},
        {s.lost != 0, 1},
        {s.trial != 0, 1},
        {s.reverted != 0, 1},
        {s.taken != 0, 1},
    };
    uint32_t shape = 0;
    for (uint32_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        shape = shape << parts[i].bits | parts[i].value;
    }
    return shape;
}
