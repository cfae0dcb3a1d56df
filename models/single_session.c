#include "models/single_session.h"

#include <string.h>

#include "models/follow_session_inside.h"

#include "models/spec_parts.h"

#include "models/spec_session.c"

extern const struct spec_model spec_session;

/* Which claims an action could break, by the variables that it changes: a bit each. */
#define INV(name) (1u << INV_##name)
#define AP(name)  (1u << AP_##name)
static const struct {
    uint32_t invariants, properties;
} breakable[LAW_ACTION_COUNT] = {
    [ACT_sign] = {INV(forgotten_is_kept) | INV(nothing_lost) | INV(no_forgery), 0},
    [ACT_forget] = {INV(nothing_lost), 0},
    [ACT_send] = {0, AP(sent_once)},
    [ACT_take_puback] = {INV(forgotten_is_kept), AP(release_needs_ack)},
    [ACT_release] = {INV(forgotten_is_kept), AP(release_needs_ack)},
    [ACT_insert] = {INV(custody_is_kept) | INV(queue_bounded), 0},
    [ACT_gateway_commit] = {INV(custody_is_kept) | INV(queue_bounded), 0},
    [ACT_discharge] = {INV(custody_is_kept), 0},
    [ACT_accept] = {INV(ack_is_true) | INV(no_forgery), 0},
    [ACT_duplicate] = {INV(ack_is_true), AP(confirm_needs_commit)},
    [ACT_challenge] = {0, AP(confirm_needs_commit)},
    [ACT_cloud_commit] = {INV(ack_is_true) | INV(accepted_once) | INV(no_forgery),
                          AP(kept_for_ever) | AP(confirm_needs_commit)},
    [ACT_restart_device] = {INV(forgotten_is_kept), AP(release_needs_ack)},
    [ACT_restart_gateway] = {INV(custody_is_kept) | INV(queue_bounded), 0},
};

/* Where each variable is, in words. */
#define SINGLE_AT_VAR(name, domain) {offsetof(struct state, name) / sizeof(int32_t), 1},
#define SINGLE_AT_MAP(name, capacity, keys, domain)                                                \
    {offsetof(struct state, name) / sizeof(int32_t), capacity},
#define SINGLE_AT_MAP2(name, capacity1, keys1, capacity2, keys2, domain)                           \
    {offsetof(struct state, name) / sizeof(int32_t), (capacity1) * (capacity2)},
static const struct {
    uint32_t word, count;
} places[] = {LAW_VARIABLES(SINGLE_AT_VAR, SINGLE_AT_MAP, SINGLE_AT_MAP2)};

void single_session_init(struct single_session *single, const int32_t *k)
{
    (void)init_state((const struct constants *)k, 0, &single->now);
}

static bool sees(const struct state *s, const struct follow_step *step)
{
    const int32_t *words = (const int32_t *)(const void *)s;
    for (uint32_t i = 0; i < step->sight_count; i++) {
        const struct follow_sight *sight = &step->sights[i];
        if (words[places[sight->variable].word + (uint32_t)sight->key] != sight->value) {
            return false;
        }
    }
    return true;
}

static bool claims_hold(const struct constants *k, uint32_t action, const struct state *before,
                        const struct state *s)
{
    const uint32_t held = breakable[action].invariants, kept = breakable[action].properties;
    for (uint32_t i = 0; held >> i != 0; i++) {
        if ((held >> i & 1u) != 0 && !claim_holds(k, i, s)) {
            return false;
        }
    }
    for (uint32_t i = 0; kept >> i != 0; i++) {
        if ((kept >> i & 1u) != 0 && !claim_allows(k, i, before, s)) {
            return false;
        }
    }
    return true;
}

bool single_session_take(struct single_session *single, const int32_t *words,
                         const struct follow_step *step)
{
    const struct constants *k = (const struct constants *)words;
    const uint32_t action = step->move.action;
    struct state *s = &single->now;
    if (action == FOLLOW_LOOK) {
        return sees(s, step);
    }
    const struct state before = *s;
    if (take_step(k, action, step->move.parameters, s) && claims_hold(k, action, &before, s) &&
        sees(s, step)) {
        return true;
    }
    *s = before;
    return false;
}

void single_session_expand(const struct single_session *single, const int32_t *k, int32_t *words)
{
    struct spec_variable variables[SPEC_VARIABLES_MAX];
    const int32_t *from = (const int32_t *)(const void *)&single->now;
    spec_session.variables(k, variables);
    memset(words, 0, spec_session.state_words * sizeof *words);
    for (uint32_t i = 0; i < LAW_VARIABLE_COUNT; i++) {
        memcpy(words + variables[i].word, from + places[i].word, places[i].count * sizeof *words);
    }
}

void single_session_explain(const struct single_session *single, const struct spec_ruling *judge,
                            const struct follow_step *step, struct spec_finding *out)
{
    int32_t words[SPEC_STATE_WORDS_MAX];
    single_session_expand(single, judge->k, words);
    (void)spec_ruling_step(judge, words, step, out);
}

void single_session_constants(const struct single_session *single, const int32_t *run, int32_t *k)
{
    memcpy(k, run, SPEC_CONSTANTS_MAX * sizeof *k);
    ((struct constants *)(void *)k)->Windows = single->windows;
}

/* FNV-1a, a word at a time. */
uint32_t single_session_shape(const struct single_session *single)
{
    struct state s = single->now;
    uint32_t hash = UINT32_C(2166136261);
    s.breaks = s.restarts = 0;
    for (uint32_t i = 0; i < sizeof s / sizeof(int32_t); i++) {
        hash = (hash ^ (uint32_t)((const int32_t *)(const void *)&s)[i]) * UINT32_C(16777619);
    }
    return hash;
}
