#include "sim/coverage.h"

#include <stdlib.h>
#include <string.h>

#include "core/check.h"
#include "sim/hash.h"

enum {
    SET_SLOTS_MIN = 1024, /* a power of two */
    EDGE_LAWS_MAX = 16,
};

/* Open addressing; at most half full; 0 is a free slot and no key. */
struct keys {
    uint64_t *slots;
    uint32_t count, capacity;
    uint64_t lost;
};

/* The fault class that a node is under. */
struct struck {
    enum effect effect;
    uint64_t until_us; /* 0: never struck */
};

/* An actor on its way through a spec's own graph. */
struct walker {
    bool outside; /* it left the graph, for good */
    int32_t state[SPEC_STATE_WORDS_MAX];
};

struct edge_law {
    const struct spec_model *model;
    bool small; /* its constants fit the model */
    int32_t k[SPEC_CONSTANTS_MAX];
    struct spec_action actions[SPEC_ACTIONS_MAX];
    struct walker **walkers; /* [node_count], made when they first step */
};

struct coverage {
    const struct settings *settings;
    uint32_t node_count;
    struct struck *struck;               /* [node_count]; 0: servers */
    struct edge_law laws[EDGE_LAWS_MAX]; /* as spec_at; model NULL: not heard of yet */
    struct keys sets[COVERAGE_KIND_COUNT];
};

const char *coverage_kind_name(enum coverage_kind kind)
{
    static const char *const names[] = {
#define COVERAGE_KIND_TEXT(NAME, name) name,
        COVERAGE_KIND_LIST(COVERAGE_KIND_TEXT)
#undef COVERAGE_KIND_TEXT
    };
    return names[kind];
}

/* ---- sets ------------------------------------------------------------------------------------ */

static uint64_t *slot_of(const struct keys *keys, uint64_t key)
{
    uint64_t at = key * UINT64_C(0x9E3779B97F4A7C15) >> 20;
    for (;; at++) {
        uint64_t *slot = &keys->slots[at & (keys->capacity - 1)];
        if (*slot == 0 || *slot == key) {
            return slot;
        }
    }
}

static void grow(struct keys *keys)
{
    struct keys larger = {.capacity = keys->capacity == 0 ? SET_SLOTS_MIN : 2 * keys->capacity,
                          .count = keys->count,
                          .lost = keys->lost};
    larger.slots = calloc(larger.capacity, sizeof *larger.slots);
    CHECK(larger.slots != NULL);
    for (uint32_t i = 0; i < keys->capacity; i++) {
        if (keys->slots[i] != 0) {
            *slot_of(&larger, keys->slots[i]) = keys->slots[i];
        }
    }
    free(keys->slots);
    *keys = larger;
}

static void add(struct keys *keys, uint64_t key)
{
    if (2 * keys->count >= keys->capacity) {
        grow(keys);
    }
    uint64_t *slot = slot_of(keys, key);
    if (*slot == key) {
        return;
    }
    if (keys->count == COVERAGE_KEYS_MAX) {
        keys->lost++;
        return;
    }
    *slot = key;
    keys->count++;
}

static int compare_keys(const void *left, const void *right)
{
    const uint64_t a = *(const uint64_t *)left, b = *(const uint64_t *)right;
    return a < b ? -1 : a > b;
}

static void hand_over(struct keys *keys, struct coverage_set *set)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < keys->capacity; i++) {
        if (keys->slots[i] != 0) {
            keys->slots[count++] = keys->slots[i];
        }
    }
    if (count > 1) {
        qsort(keys->slots, count, sizeof *keys->slots, compare_keys);
    }
    *set = (struct coverage_set){keys->slots, count, keys->lost};
}

void coverage_set_free(struct coverage_set *set)
{
    free(set->keys);
    memset(set, 0, sizeof *set);
}

enum { PACKED_KEY_BYTES_MAX = 10 };

uint8_t *coverage_pack(const struct coverage_set *set, size_t *size_bytes)
{
    uint8_t *bytes = malloc((size_t)set->count * PACKED_KEY_BYTES_MAX + 1);
    uint64_t before = 0;
    size_t size = 0;
    CHECK(bytes != NULL);
    for (uint32_t i = 0; i < set->count; i++) {
        uint64_t left = set->keys[i] - before;
        before = set->keys[i];
        for (; left >= 0x80; left >>= 7) {
            bytes[size++] = (uint8_t)(left | 0x80);
        }
        bytes[size++] = (uint8_t)left;
    }
    *size_bytes = size;
    return bytes;
}

/* Returns the byte behind the number; 0: it does not end, or is too great. */
static size_t unpack_number(const uint8_t *bytes, size_t size_bytes, size_t at, uint64_t *number)
{
    *number = 0;
    for (unsigned shift = 0; shift < 63 && at < size_bytes; shift += 7) {
        *number |= (uint64_t)(bytes[at] & 0x7Fu) << shift;
        if ((bytes[at++] & 0x80u) == 0) {
            return at;
        }
    }
    return 0;
}

bool coverage_unpack(const uint8_t *bytes, size_t size_bytes, struct coverage_set *set)
{
    uint64_t before = 0, step;
    memset(set, 0, sizeof *set);
    set->keys = malloc(
        (size_bytes < COVERAGE_KEYS_MAX ? size_bytes : COVERAGE_KEYS_MAX) * sizeof *set->keys + 1);
    CHECK(set->keys != NULL);
    for (size_t at = 0; at < size_bytes; before += step) {
        at = unpack_number(bytes, size_bytes, at, &step);
        if (at == 0 || step == 0 || step > INT64_MAX - before || set->count == COVERAGE_KEYS_MAX) {
            coverage_set_free(set);
            return false;
        }
        set->keys[set->count++] = before + step;
    }
    return true;
}

/* ---- keys ------------------------------------------------------------------------------------ */

uint64_t coverage_transition_key(const struct coverage_transition *transition)
{
    return (uint64_t)(transition->law + 1) << 48 | (uint64_t)transition->action << 40 |
           (uint64_t)transition->fault << 32 | transition->shape;
}

struct coverage_transition coverage_transition(uint64_t key)
{
    return (struct coverage_transition){.law = (uint32_t)(key >> 48) - 1,
                                        .action = (uint32_t)(key >> 40 & 0xFFu),
                                        .fault = (enum effect)(key >> 32 & 0xFFu),
                                        .shape = (uint32_t)key};
}

/* How far the numbers of an instance go and how many faults it has: no rule of the law. */
static bool is_horizon(const char *constant)
{
    static const char *const names[] = {"Devices",   "Epochs",      "Counters", "DeviceLosses",
                                        "MaxLosses", "CloudLosses", "MaxSpoils"};
    for (unsigned i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (strcmp(constant, names[i]) == 0) {
            return true;
        }
    }
    return false;
}

uint64_t coverage_edge_key(const struct spec_model *model, const int32_t *k, const int32_t *state,
                           const struct spec_move *move)
{
    int32_t words[SPEC_CONSTANTS_MAX + SPEC_STATE_WORDS_MAX + SPEC_PARAMETERS_MAX + 2];
    uint32_t count = 0;
    uint64_t digest[2];
    words[count++] = model->name[0];
    for (uint32_t i = 0; i < model->constant_count; i++) {
        words[count++] = is_horizon(model->constants[i].name) ? 0 : k[i];
    }
    memcpy(words + count, state, model->state_words * sizeof *state);
    count += model->state_words;
    words[count++] = (int32_t)move->action;
    for (uint32_t i = 0; i < SPEC_PARAMETERS_MAX; i++) {
        words[count++] = move->parameters[i];
    }
    hash_once(words, count * (uint32_t)sizeof words[0], digest);
    return digest[0] >> 1 | 1u; /* positive in a database, and no free slot */
}

/* ---- faults ---------------------------------------------------------------------------------- */

static uint32_t place_of(const struct coverage *coverage, uint32_t node)
{
    return fleet_role(coverage->settings, node) == ROLE_MASK_DEVICE ? node : 0;
}

static void put(struct coverage *coverage, uint32_t node, const struct plan_entry *entry, bool over,
                uint64_t time_us)
{
    struct struck *struck = &coverage->struck[place_of(coverage, node)];
    const uint64_t longest_us = UINT64_MAX / 2; /* no sum of times overflows */
    if (!over) {
        const uint64_t lasts_us = entry->lasts_us < longest_us ? entry->lasts_us : longest_us;
        *struck = (struct struck){entry->effect, time_us + lasts_us + COVERAGE_AFTER_US};
    } else if (struck->effect == entry->effect) { /* sooner than it was meant to, perhaps */
        struck->until_us = time_us + COVERAGE_AFTER_US;
    }
}

void coverage_effect(struct coverage *coverage, const struct plan_entry *entry, bool over,
                     uint64_t time_us)
{
    put(coverage, entry->target, entry, over, time_us);
    if (effect_info(entry->effect).target == EFFECT_TARGET_PAIR && entry->other != PLAN_ANY) {
        put(coverage, entry->other, entry, over, time_us);
    }
}

static enum effect fault_of(const struct coverage *coverage, uint32_t node, uint64_t time_us)
{
    const struct struck *own = &coverage->struck[node], *servers = &coverage->struck[0];
    return own->until_us > time_us       ? own->effect
           : servers->until_us > time_us ? servers->effect
                                         : EFFECT_COUNT;
}

/* ---- edges ----------------------------------------------------------------------------------- */

/* The constants of the run, where the model has room for them; horizons as far as it has. */
static void narrow(struct edge_law *law, const int32_t *k)
{
    const struct spec_model *model = law->model;
    /* Session has an instance for each reading, and not for each actor. */
    law->small = strcmp(model->name, "Session") != 0;
    for (uint32_t i = 0; i < model->constant_count; i++) {
        const struct spec_constant *constant = &model->constants[i];
        const int32_t high = constant->is_bool ? 1 : constant->high;
        law->k[i] = k[i] > high && is_horizon(constant->name) ? high : k[i];
        law->small = law->small && law->k[i] <= high;
    }
    if (law->small) {
        model->actions(law->k, law->actions);
    }
}

static bool is_inside(const struct edge_law *law, const struct spec_move *move)
{
    const struct spec_action *action = &law->actions[move->action];
    for (uint32_t i = 0; i < action->parameter_count; i++) {
        const struct spec_domain *domain = &action->domains[i];
        if (move->parameters[i] < domain->low || move->parameters[i] > domain->high) {
            return false;
        }
    }
    return true;
}

static void walk(struct coverage *coverage, struct edge_law *law, const struct follow_step *step)
{
    if (law->walkers == NULL) {
        law->walkers = calloc(coverage->node_count, sizeof(struct walker *));
        CHECK(law->walkers != NULL);
    }
    struct walker *walker = law->walkers[step->actor];
    if (walker == NULL) {
        walker = law->walkers[step->actor] = calloc(1, sizeof *walker);
        CHECK(walker != NULL);
        (void)law->model->init(law->k, 0, walker->state);
    }
    if (walker->outside || step->move.action == FOLLOW_LOOK) {
        return;
    }
    int32_t before[SPEC_STATE_WORDS_MAX];
    memcpy(before, walker->state, sizeof before);
    if (is_inside(law, &step->move) &&
        law->model->step(law->k, step->move.action, step->move.parameters, walker->state)) {
        add(&coverage->sets[COVERAGE_EDGE],
            coverage_edge_key(law->model, law->k, before, &step->move));
    } else {
        walker->outside = true;
    }
}

/* ---- steps ----------------------------------------------------------------------------------- */

struct coverage *coverage_open(const struct settings *settings)
{
    struct coverage *coverage = calloc(1, sizeof *coverage);
    CHECK(coverage != NULL);
    coverage->settings = settings;
    coverage->node_count = fleet_node_count(settings) + 1;
    coverage->struck = calloc(coverage->node_count, sizeof *coverage->struck);
    CHECK(coverage->struck != NULL);
    return coverage;
}

void coverage_close(struct coverage *coverage, struct coverage_set sets[COVERAGE_KIND_COUNT])
{
    memset(sets, 0, COVERAGE_KIND_COUNT * sizeof *sets);
    if (coverage == NULL) {
        return;
    }
    for (unsigned i = 0; i < COVERAGE_KIND_COUNT; i++) {
        hand_over(&coverage->sets[i], &sets[i]);
    }
    for (unsigned i = 0; i < EDGE_LAWS_MAX; i++) {
        struct walker **walkers = coverage->laws[i].walkers;
        for (uint32_t node = 0; walkers != NULL && node < coverage->node_count; node++) {
            free(walkers[node]);
        }
        free(walkers);
    }
    free(coverage->struck);
    free(coverage);
}

static uint32_t law_number(const char *name)
{
    uint32_t number = 0;
    while (number < spec_count() && strcmp(spec_at(number)->name, name) != 0) {
        number++;
    }
    CHECK(number < spec_count() && number < EDGE_LAWS_MAX);
    return number;
}

void coverage_step(struct coverage *coverage, const char *name, const int32_t *k,
                   const struct follow_step *step, uint32_t shape)
{
    const uint32_t number = law_number(name);
    struct edge_law *law = &coverage->laws[number];
    if (law->model == NULL) {
        law->model = spec_at(number);
        narrow(law, k);
    }
    if (step->move.action != FOLLOW_LOOK) {
        const struct coverage_transition transition = {
            .law = number,
            .action = step->move.action,
            .fault = fault_of(coverage, step->actor, step->observation->time_us),
            .shape = shape};
        add(&coverage->sets[COVERAGE_TRANSITION], coverage_transition_key(&transition));
    }
    if (law->small) {
        walk(coverage, law, step);
    }
}
