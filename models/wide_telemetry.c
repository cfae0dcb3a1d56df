#include "models/wide_telemetry.h"

#include "models/telemetry.def"

#include "models/spec_wide.h"

#include "models/spec_telemetry.c"

enum { LONG = RANGE_SET_MAX * 3 / 4 }; /* ranges at which a set is joined */

struct wide_telemetry {
    struct state now;
    /* Rows that were joined to others and never were: the image's count does not have them. */
    int32_t joined_rows, joined_epoch;
};

static void explain(const struct constants *k, const struct state *s, const struct spec_move *move,
                    struct difference *difference);

size_t wide_telemetry_size_bytes(void)
{
    return sizeof(struct wide_telemetry);
}

size_t wide_telemetry_before_bytes(void)
{
    return sizeof(struct state);
}

void wide_telemetry_init(struct wide_telemetry *wide, const int32_t *k)
{
    (void)init_state((const struct constants *)k, 0, &wide->now);
}

/* ---- History --------------------------------------------------------------------------------- */

static int32_t lesser(int32_t left, int32_t right)
{
    return left < right ? left : right;
}

static bool is_long(const spec_set *set)
{
    return set->count > LONG;
}

/* Below all that the device has, may draw, or may get back. */
static int32_t device_floor(const struct state *s)
{
    const int32_t kept = spec_set_least(&s->stored[1], s->next[1]);
    const int32_t held = spec_set_least(&s->held[1], s->next[1]);
    const int32_t least = lesser(lesser(kept, held), s->next[1]);
    return (s->fresh[1] != 0 ? lesser(least, s->fresh[1]) : least) - 1;
}

static void join_rows(struct wide_telemetry *wide, int32_t epoch, int32_t floor)
{
    struct state *s = &wide->now;
    const int32_t before = spec_set_count(&s->rows[1]);
    spec_set_add_range(&s->sent[1][epoch], 1, floor);
    spec_set_add_range(&s->rows[1], 1, floor);
    spec_set_add_range(&s->durable_rows[1], 1, floor);
    if (wide->joined_epoch != epoch) {
        wide->joined_epoch = epoch;
        wide->joined_rows = 0;
    }
    wide->joined_rows += spec_set_count(&s->rows[1]) - before;
}

static void join_history(const struct constants *k, struct wide_telemetry *wide)
{
    struct state *s = &wide->now;
    const int32_t epoch = s->window_epoch[1], own = device_floor(s);
    spec_set_add_range(&s->used[1], 1, own);
    spec_set_add_range(&s->shed[1], 1, own);
    if (epoch == 0 || epoch != s->durable_epoch[1]) {
        return;
    }
    int32_t floor = lesser(s->top[1], s->durable_top[1]) - k->WindowBits;
    if (epoch == s->epoch[1]) {
        floor = lesser(floor, own);
        spec_set_add_range(&s->acked[1], 1, floor);
    }
    join_rows(wide, epoch, floor);
    for (int32_t e = 1; e < epoch; e++) { /* over: all that can come of them is refused */
        const spec_set *sent = &s->sent[1][e];
        if (sent->count > 0) {
            spec_set_add_range(&s->sent[1][e], 1, sent->ranges[sent->count - 1].high);
        }
    }
}

/* ---- A step ---------------------------------------------------------------------------------- */

#define WIDE_INVARIANT(name, Name)              #Name " does not hold",
#define WIDE_INVARIANT_EACH(name, Name, domain) #Name " does not hold",
#define WIDE_PROPERTY(name, Name)               #Name " does not allow it",
#define WIDE_PROPERTY_EACH(name, Name, domain)  #Name " does not allow it",
static const char *const invariants[] = {LAW_INVARIANTS(WIDE_INVARIANT, WIDE_INVARIANT_EACH)};
static const char *const properties[] = {LAW_PROPERTIES(WIDE_PROPERTY, WIDE_PROPERTY_EACH)};

/* Which claims an action could break, by the variables that it changes: a bit each. */
#define INV(name) (1u << INV_##name)
#define AP(name)  (1u << AP_##name)
static const struct {
    uint32_t invariants, properties;
} breakable[LAW_ACTION_COUNT] = {
    [ACT_reserve] = {0, AP(reserve_monotone)},
    [ACT_skip] = {INV(nonce_unique), 0},
    [ACT_sign] = {INV(nonce_unique), 0},
    [ACT_store] = {INV(acked_is_durable) | INV(outbox_bounded), 0},
    [ACT_shed] = {0, AP(forgets_by_rule)},
    [ACT_release] = {0, AP(forgets_by_rule)},
    [ACT_window] = {INV(accept_once) | INV(authentic), 0},
    [ACT_accept] = {INV(accept_once) | INV(authentic), 0},
    [ACT_commit] = {INV(ack_is_true) | INV(acked_is_durable), AP(window_monotone) | AP(rows_kept)},
    [ACT_ack] = {INV(ack_is_true) | INV(acked_is_durable), 0},
    [ACT_power_loss] = {INV(nonce_unique), AP(forgets_by_rule)},
    [ACT_found] = {INV(nonce_unique) | INV(ack_is_true) | INV(acked_is_durable),
                   AP(reserve_monotone) | AP(forgets_by_rule)},
    [ACT_cloud_loss] = {INV(accept_once) | INV(authentic), 0},
};

/* What the properties read of the state before a step. */
static void remember(struct state *before, const struct state *s)
{
    before->epoch[1] = s->epoch[1];
    before->reserved[1] = s->reserved[1];
    spec_set_copy(&before->held[1], &s->held[1]);
    spec_set_copy(&before->acked[1], &s->acked[1]);
    before->durable_epoch[1] = s->durable_epoch[1];
    before->durable_top[1] = s->durable_top[1];
    spec_set_copy(&before->durable_rows[1], &s->durable_rows[1]);
}

static bool check_claims(const struct constants *k, const struct wide_telemetry *wide,
                         const struct state *before, uint32_t action, struct difference *difference)
{
    const uint32_t held = breakable[action].invariants, kept = breakable[action].properties;
    for (uint32_t i = 0; held >> i != 0; i++) {
        if ((held >> i & 1u) != 0 && !claim_holds(k, i, &wide->now)) {
            *difference = (struct difference){invariants[i], 1, 0};
            return false;
        }
    }
    for (uint32_t i = 0; kept >> i != 0; i++) {
        if ((kept >> i & 1u) != 0 && !claim_allows(k, i, before, &wide->now)) {
            *difference = (struct difference){properties[i], 1, 0};
            return false;
        }
    }
    return true;
}

/* The set that the action makes longer by ranges; NULL: none. What is copied is as short as where
 * it comes from, and seen and held go together with rows and stored. */
static const spec_set *lengthened(const struct state *s, uint32_t action, const spec_set **other)
{
    *other = NULL;
    switch (action) {
    case ACT_skip:
    case ACT_sign:
        return &s->used[1];
    case ACT_store:
    case ACT_compact:
        *other = &s->held[1];
        return &s->stored[1];
    case ACT_shed:
        *other = &s->held[1];
        return &s->shed[1];
    case ACT_send:
        return &s->sent[1][s->epoch[1]];
    case ACT_release:
        return &s->held[1];
    case ACT_respond:
        return &s->answers[1][s->epoch[1]];
    case ACT_accept:
        *other = &s->seen[1];
        return &s->rows[1];
    case ACT_ack:
        return &s->acked[1];
    default:
        return NULL;
    }
}

static bool check_sights(const struct wide_telemetry *wide, const struct follow_step *step,
                         struct difference *difference)
{
    for (uint32_t i = 0; i < step->sight_count; i++) {
        struct follow_sight sight = step->sights[i];
        const bool counts_rows = sight.variable == VAR_rows && sight.relation == FOLLOW_COUNT &&
                                 wide->now.window_epoch[1] == wide->joined_epoch;
        const int32_t joined = counts_rows ? wide->joined_rows : 0;
        int32_t actual = 0;
        sight.value += joined;
        if (!wide_see(&wide->now, &sight, &actual)) {
            *difference =
                (struct difference){wide_variables[sight.variable], (uint64_t)(actual - joined),
                                    (uint64_t)(sight.value - joined)};
            return false;
        }
    }
    return true;
}

enum wide_outcome wide_telemetry_take(struct wide_telemetry *wide, void *memory,
                                      const int32_t *words, const struct follow_step *step,
                                      struct difference *difference)
{
    const struct constants *k = (const struct constants *)words;
    const uint32_t action = step->move.action;
    struct state *s = &wide->now, *before = memory;
    const spec_set *other;
    if (breakable[action].properties != 0) {
        remember(before, s);
    }
    /* What an action changes before its last guard is nothing that explains why. */
    if (!take_step(k, action, step->move.parameters, s)) {
        explain(k, s, &step->move, difference);
        return WIDE_BROKEN;
    }
    const spec_set *longer = lengthened(s, action, &other);
    if ((longer != NULL && longer->full) || (other != NULL && other->full)) {
        return WIDE_BEYOND;
    }
    if (!check_sights(wide, step, difference) ||
        !check_claims(k, wide, before, action, difference)) {
        return WIDE_BROKEN;
    }
    if (longer != NULL && is_long(longer)) {
        join_history(k, wide);
    }
    return WIDE_TAKEN;
}

/* ---- Why a step is not allowed --------------------------------------------------------------- */

/* The first guard of the action that does not hold, the law's value and the run's. */
static struct difference unlike(const char *what, int32_t expected, int32_t actual)
{
    return (struct difference){what, (uint64_t)expected, (uint64_t)actual};
}

static struct difference explain_reading(const struct constants *k, const struct state *s,
                                         const struct spec_move *move)
{
    const int32_t c = move->parameters[1], held = spec_set_count(&s->held[1]);
    const bool is_held = spec_set_has(&s->held[1], c);
    switch ((int)move->action) {
    case ACT_store:
        return s->fresh[1] == 0 ? unlike("Store: nothing was signed (fresh)", 1, 0)
               : c == 0         ? unlike("Store: readings in flash", k->OutboxMax,
                                         spec_set_count(&s->stored[1]) + 1)
               : is_held ? unlike("Store: over a reading that is held (times, counter)", 0, c)
                         : unlike("Store: over a record that is not there (counter)", 0, c);
    case ACT_lose:
        return unlike("Lose: nothing was signed (fresh)", 1, 0);
    case ACT_compact:
        return is_held ? unlike("a reading that was held has not come back (times, counter)", 0, c)
                       : unlike("Compact: a record that is not there (times, counter)", 0, c);
    case ACT_shed:
        return unlike("Shed: there is room for another reading (outbox, held)", k->OutboxMax, held);
    case ACT_send:
        return !is_held ? unlike("Send: a reading that is not held (oldest held, counter)",
                                 floor_of(s, 1) + 1, c)
                        : unlike("Send: beyond the window of the oldest (last in it, counter)",
                                 floor_of(s, 1) + k->WindowBits, c);
    default:
        return !is_held ? unlike("Release: a reading that is not held (oldest held, counter)",
                                 floor_of(s, 1) + 1, c)
                        : unlike("Release: no ack covers it (top of the window, counter)",
                                 s->durable_top[1], c);
    }
}

static struct difference explain_device(const struct constants *k, const struct state *s,
                                        const struct spec_move *move)
{
    const int action = (int)move->action;
    if (s->fresh[1] != 0 && action != ACT_store && action != ACT_compact) {
        return unlike("a signed reading is neither stored nor lost (fresh)", 0, s->fresh[1]);
    }
    switch (action) {
    case ACT_reserve:
        return s->next[1] != s->reserved[1]
                   ? unlike("Reserve: numbers are left (next)", s->reserved[1], s->next[1])
                   : unlike("Reserve: numbers are used up", k->Counters, s->next[1]);
    case ACT_skip:
    case ACT_sign:
        return s->next[1] >= s->reserved[1] ? unlike("a number beyond the reserve (reserved, next)",
                                                     s->reserved[1], s->next[1])
                                            : unlike("Sign: no room in the outbox (outbox, held)",
                                                     k->OutboxMax, spec_set_count(&s->held[1]));
    case ACT_respond:
        return unlike("Respond: no challenge is out (asked)", 1, 0);
    case ACT_found:
        return unlike("Found: an epoch too many", k->Epochs, s->epoch[1] + 1);
    default:
        return explain_reading(k, s, move);
    }
}

static struct difference explain_window(const struct state *s, int32_t e, int32_t floor)
{
    const spec_set *answers = &s->answers[1][e];
    if (!s->asked[1]) {
        return unlike("Window: no challenge is out (asked)", 1, 0);
    }
    if (!spec_set_has(answers, floor)) {
        return unlike("Window: a floor that the device did not answer",
                      answers->count > 0 ? answers->ranges[answers->count - 1].high : 0, floor);
    }
    return e < s->window_epoch[1] ? unlike("Window: an epoch that is over", s->window_epoch[1], e)
                                  : unlike("Window: a floor below the top", s->top[1], floor);
}

static void explain(const struct constants *k, const struct state *s, const struct spec_move *move,
                    struct difference *difference)
{
    const int32_t e = move->parameters[1], c = move->parameters[2];
    switch ((int)move->action) {
    case ACT_challenge:
        *difference = e <= s->window_epoch[1]
                          ? unlike("Challenge: the epoch has a window", s->window_epoch[1], e)
                          : unlike("Challenge: nothing was sent in the epoch", 0, e);
        break;
    case ACT_window:
        *difference = explain_window(s, e, c);
        break;
    case ACT_accept:
        *difference =
            e != s->window_epoch[1] ? unlike("Accept: epoch of the window", s->window_epoch[1], e)
            : !spec_set_has(&s->sent[1][e], c)
                ? unlike("Accept: a counter that was never sent (times, counter)", 0, c)
                : unlike("Accept: a counter that is not fresh (top, counter)", s->top[1], c);
        break;
    case ACT_reject:
        *difference = !spec_set_has(&s->sent[1][e], c)
                          ? unlike("Reject: a counter that was never sent (times, counter)", 0, c)
                          : unlike("Reject: a counter that is fresh (top, counter)", s->top[1], c);
        break;
    case ACT_ack:
        *difference = s->window_epoch[1] == 0
                          ? unlike("Ack: there is no window", 1, 0)
                          : unlike("Ack: of what is not durable (durable top, top)",
                                   s->durable_top[1], s->top[1]);
        break;
    case ACT_power_loss:
        *difference = unlike("PowerLoss: one too many", k->DeviceLosses, s->device_losses);
        break;
    case ACT_cloud_loss:
        *difference = unlike("CloudLoss: one too many", k->CloudLosses, s->cloud_losses);
        break;
    default:
        *difference = explain_device(k, s, move);
        break;
    }
}

/* ---- Its shape ------------------------------------------------------------------------------- */

/* 0: none, 1: one, 2: several, 3: as many as there is room for. */
static uint32_t amount(int32_t count, int32_t room)
{
    return count == 0 ? 0 : count >= room ? 3 : count == 1 ? 1 : 2;
}

uint32_t wide_telemetry_shape(const struct wide_telemetry *wide, const int32_t *words)
{
    const struct constants *k = (const struct constants *)words;
    const struct state *s = &wide->now;
    const int32_t epoch = s->epoch[1], oldest = floor_of(s, 1) + 1;
    const bool windowed = s->window_epoch[1] == epoch;
    const spec_set *held = &s->held[1];
    const uint32_t facts[] = {
        epoch > 1,
        s->fresh[1] != 0,
        s->next[1] == s->reserved[1],
        !spec_set_within(&s->stored[1], held), /* records of forgotten readings */
        !spec_set_within(held, &s->sent[1][epoch]),
        s->asked[1] != 0,
        !spec_set_is_empty(&s->answers[1][epoch]),
        s->window_epoch[1] != 0,
        windowed,
        windowed && oldest <= s->top[1],
        windowed && oldest + k->WindowBits <= s->top[1],
        windowed && spec_set_has(&s->seen[1], oldest),
        s->durable_epoch[1] == s->window_epoch[1],
        s->durable_top[1] == s->top[1],
    };
    uint32_t shape = amount(spec_set_count(held), k->OutboxMax);
    for (uint32_t i = 0; i < sizeof facts / sizeof facts[0]; i++) {
        shape = shape << 1 | (facts[i] ? 1u : 0u);
    }
    return shape;
}

/* ---- For comparison with the narrow form ----------------------------------------------------- */

int32_t wide_telemetry_value(const struct wide_telemetry *wide, uint32_t variable, int32_t key)
{
    int32_t value = 0;
    struct follow_sight sight = {.variable = variable, .relation = FOLLOW_IS, .key = key};
    (void)wide_see(&wide->now, &sight, &value);
    if (wide_sets[variable]) {
        value = 0;
        sight.relation = FOLLOW_HAS;
        for (int32_t element = 0; element <= SPEC_ELEMENT_MAX; element++) {
            int32_t ignored;
            sight.value = element;
            value |= wide_see(&wide->now, &sight, &ignored) ? set_of(element) : 0;
        }
    }
    return value;
}

bool wide_telemetry_holds(const struct wide_telemetry *wide, const int32_t *k, uint32_t invariant)
{
    return claim_holds((const struct constants *)k, invariant, &wide->now);
}
