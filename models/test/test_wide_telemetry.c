/* Goal: the form of the Telemetry law that judges runs is the one that equals the spec. Method:
 * random walks of the narrow form, bugs included, stepped through both: what is allowed, every
 * variable and every claim are compared at each step. What the narrow form has no numbers for,
 * history that is joined and sets that are too long, has lives of its own.
 */
#include <string.h>

#include "core/test/test.h"
#include "models/wide_telemetry.h"

#include "models/telemetry.def"
#include "models/spec_names.h"

extern const struct spec_model spec_telemetry;

enum { WALKS = 800, STEPS = 2500, EPOCH_COUNT = 3, COUNTER_COUNT = 8 };
/* In the order of telemetry.def. */
enum {
    K_DEVICES,
    K_EPOCHS,
    K_COUNTERS,
    K_WINDOW,
    K_RESERVE,
    K_OUTBOX,
    K_DEVICE_LOSSES,
    K_CLOUD_LOSSES,
    K_BUGS, /* four of them */
};

static uint64_t state = 11;

static uint32_t draw(uint32_t bound)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return (uint32_t)(state >> 33) % bound;
}

struct both {
    int32_t k[SPEC_CONSTANTS_MAX];
    struct spec_action actions[SPEC_ACTIONS_MAX];
    struct spec_variable variables[SPEC_VARIABLES_MAX];
    int32_t narrow[SPEC_STATE_WORDS_MAX], before[SPEC_STATE_WORDS_MAX];
    struct wide_telemetry *wide, *saved;
    void *wide_before;
    uint32_t taken[SPEC_ACTIONS_MAX], broken_claims;
};

static void expect_same_state(const struct both *both)
{
    for (uint32_t v = 0; v < spec_telemetry.variable_count; v++) {
        const struct spec_variable *variable = &both->variables[v];
        const int32_t last = variable->key_count == 2 ? both->k[K_EPOCHS] : 0;
        for (int32_t key = variable->key_count == 2 ? 1 : 0; key <= last; key++) {
            uint32_t word = variable->word;
            word += variable->key_count == 0 ? 0 : variable->capacity[1] + (uint32_t)key;
            if (both->narrow[word] != wide_telemetry_value(both->wide, v, key)) {
                fprintf(stderr, "%s[%d]: narrow %d, wide %d\n", variable->name, key,
                        both->narrow[word], wide_telemetry_value(both->wide, v, key));
                exit(1);
            }
        }
    }
}

/* Is it a claim that the step breaks that the wide form names? NULL: it breaks none. */
static void expect_same_claims(const struct both *both, const char *broken)
{
    bool any = false, named = false;
    for (uint32_t i = 0; i < spec_telemetry.invariant_count; i++) {
        const char *name = spec_telemetry.invariants[i];
        const bool holds = spec_telemetry.holds(both->k, i, both->narrow);
        EXPECT(wide_telemetry_holds(both->wide, both->k, i) == holds);
        any = any || !holds;
        named = named || (!holds && broken != NULL && strncmp(broken, name, strlen(name)) == 0);
    }
    for (uint32_t i = 0; i < spec_telemetry.property_count; i++) {
        const char *name = spec_telemetry.properties[i];
        const bool allows = spec_telemetry.allows(both->k, i, both->before, both->narrow);
        any = any || !allows;
        named = named || (!allows && broken != NULL && strncmp(broken, name, strlen(name)) == 0);
    }
    EXPECT(any == (broken != NULL));
    EXPECT(any == named);
}

/* What ends a walk early, or passes over numbers, is rare. */
static uint32_t draw_action(void)
{
    for (;;) {
        const uint32_t action = draw(spec_telemetry.action_count);
        const bool rare = action == ACT_found || action == ACT_power_loss ||
                          action == ACT_cloud_loss || action == ACT_lose || action == ACT_skip ||
                          action == ACT_shed;
        if (!rare || draw(20) == 0) {
            return action;
        }
    }
}

static struct follow_step draw_step(const struct both *both)
{
    struct follow_step step = {.actor = 1};
    const uint32_t action = draw_action();
    step.move.action = action;
    for (uint32_t i = 0; i < both->actions[action].parameter_count; i++) {
        const struct spec_domain *domain = &both->actions[action].domains[i];
        step.move.parameters[i] =
            domain->low + (int32_t)draw((uint32_t)(domain->high - domain->low + 1));
    }
    return step;
}

/* The wide form is spoilt by a step that it does not allow: only some of those are looked at. */
static void refuse(struct both *both, const struct follow_step *step)
{
    struct difference difference = {NULL, 0, 0};
    if (draw(8) != 0) {
        return;
    }
    memcpy(both->saved, both->wide, wide_telemetry_size_bytes());
    EXPECT_EQUAL(wide_telemetry_take(both->wide, both->wide_before, both->k, step, &difference),
                 WIDE_BROKEN);
    EXPECT(difference.what != NULL);
    memcpy(both->wide, both->saved, wide_telemetry_size_bytes());
}

/* False: the step breaks a claim, and the walk ends. */
static bool take(struct both *both)
{
    struct difference difference = {NULL, 0, 0};
    const struct follow_step step = draw_step(both);
    memcpy(both->before, both->narrow, sizeof both->before);
    if (!spec_telemetry.step(both->k, step.move.action, step.move.parameters, both->narrow)) {
        memcpy(both->narrow, both->before, sizeof both->before);
        refuse(both, &step);
        return true;
    }
    const enum wide_outcome outcome =
        wide_telemetry_take(both->wide, both->wide_before, both->k, &step, &difference);
    both->taken[step.move.action]++;
    EXPECT(outcome != WIDE_BEYOND);
    EXPECT((outcome == WIDE_BROKEN) == (difference.what != NULL));
    expect_same_state(both);
    expect_same_claims(both, difference.what);
    both->broken_claims += outcome == WIDE_BROKEN;
    return outcome == WIDE_TAKEN;
}

static void begin(struct both *both, uint32_t walk)
{
    const int32_t k[] = {1,
                         EPOCH_COUNT,
                         COUNTER_COUNT,
                         1 + (int32_t)draw(4),
                         1 + (int32_t)draw(4),
                         1 + (int32_t)draw(4),
                         4,
                         4};
    memset(both->k, 0, sizeof both->k);
    memcpy(both->k, k, sizeof k);
    if (walk % 2 == 1) {
        both->k[K_BUGS + draw(4)] = 1;
    }
    spec_telemetry.actions(both->k, both->actions);
    spec_telemetry.variables(both->k, both->variables);
    memset(both->narrow, 0, sizeof both->narrow);
    EXPECT(spec_telemetry.init(both->k, 0, both->narrow));
    memset(both->wide, 0, wide_telemetry_size_bytes());
    wide_telemetry_init(both->wide, both->k);
}

static void both_forms_are_one_law(void)
{
    static struct both both;
    both.wide = malloc(wide_telemetry_size_bytes());
    both.saved = malloc(wide_telemetry_size_bytes());
    both.wide_before = calloc(1, wide_telemetry_before_bytes());
    EXPECT(both.wide != NULL && both.saved != NULL && both.wide_before != NULL);
    for (uint32_t walk = 0; walk < WALKS; walk++) {
        begin(&both, walk);
        for (uint32_t i = 0; i < STEPS && take(&both); i++) {
        }
    }
    for (uint32_t i = 0; i < spec_telemetry.action_count; i++) {
        EXPECT(both.taken[i] > 50);
    }
    EXPECT(both.broken_claims > 0);
    free(both.wide_before);
    free(both.wide);
    free(both.saved);
}

/* ---- Lives that are longer than a word ------------------------------------------------------- */

enum { WINDOW = 8, RESERVE = 4, OUTBOX = 8 };

static int32_t k[SPEC_CONSTANTS_MAX] = {1,       8,      1 << 30,   WINDOW,
                                        RESERVE, OUTBOX, INT32_MAX, INT32_MAX};
static struct wide_telemetry *life;
static void *life_before;
static struct difference why;

static enum wide_outcome does(enum law_action action, int32_t second, int32_t third)
{
    const struct follow_step step = {.actor = 1, .move = {(uint32_t)action, {1, second, third}}};
    return wide_telemetry_take(life, life_before, k, &step, &why);
}

#define TAKEN(action, ...) EXPECT_EQUAL(does(ACT_##action, __VA_ARGS__), WIDE_TAKEN)

static void new_life(void)
{
    free(life);
    free(life_before);
    life = calloc(1, wide_telemetry_size_bytes());
    life_before = calloc(1, wide_telemetry_before_bytes());
    EXPECT(life != NULL && life_before != NULL);
    wide_telemetry_init(life, k);
}

/* One reading of a reserve, and a cut that passes over the others. */
static void sample(int32_t c)
{
    TAKEN(reserve, 0, 0);
    TAKEN(sign, 0, 0);
    TAKEN(store, 0, 0);
    TAKEN(send, c, 0);
}

static void open_window(void)
{
    TAKEN(challenge, 1, 0);
    TAKEN(respond, 0, 0);
    TAKEN(window, 1, 0);
}

static void deliver(int32_t c)
{
    TAKEN(accept, 1, c);
    TAKEN(commit, 0, 0);
    TAKEN(ack, 0, 0);
    TAKEN(release, c, 0);
    TAKEN(compact, c, 0);
}

static void expect_rows(int32_t rows, enum wide_outcome outcome)
{
    struct follow_step step = {.actor = 1, .move = {ACT_cloud_loss, {0}}, .sight_count = 1};
    step.sights[0] = (struct follow_sight){VAR_rows, rows, FOLLOW_COUNT, 0};
    EXPECT_EQUAL(wide_telemetry_take(life, life_before, k, &step, &why), outcome);
}

static void history_is_joined_and_still_holds(void)
{
    enum { ROUNDS = 3000 };
    new_life();
    int32_t c = 1;
    for (int32_t round = 0; round < ROUNDS; round++, c += RESERVE) {
        sample(c);
        if (round == 0) {
            open_window();
        }
        deliver(c);
        TAKEN(power_loss, 0, 0);
    }
    expect_rows(ROUNDS, WIDE_TAKEN);
    TAKEN(reject, 1, 1);
    TAKEN(reject, 1, 2); /* never sent, and as closed as if it had been */
    TAKEN(reject, 1, c - RESERVE);
    EXPECT_EQUAL(does(ACT_accept, 1, 1), WIDE_BROKEN);
    EXPECT(strcmp(why.what, "Accept: a counter that is not fresh (top, counter)") == 0);
    EXPECT_EQUAL(why.expected, c - RESERVE);
    EXPECT_EQUAL(why.actual, 1);
}

static void a_row_that_is_missing_shows_behind_joined_history(void)
{
    enum { ROUNDS = 500 };
    new_life();
    for (int32_t round = 0, c = 1; round < ROUNDS; round++, c += RESERVE) {
        sample(c);
        if (round == 0) {
            open_window();
        }
        deliver(c);
        TAKEN(power_loss, 0, 0);
    }
    expect_rows(ROUNDS - 1, WIDE_BROKEN);
    EXPECT(strcmp(why.what, "rows behind the step") == 0);
    EXPECT_EQUAL(why.expected, ROUNDS);
    EXPECT_EQUAL(why.actual, ROUNDS - 1);
}

/* The cloud hears nothing: which numbers were sent is all open, and no gap may be closed. */
static void open_history_is_never_joined(void)
{
    new_life();
    enum wide_outcome outcome = WIDE_TAKEN;
    int32_t rounds = 0;
    for (int32_t c = 1; outcome == WIDE_TAKEN && rounds < 1000; c += RESERVE, rounds++) {
        TAKEN(reserve, 0, 0);
        TAKEN(sign, 0, 0);
        TAKEN(store, 0, 0);
        outcome = does(ACT_send, c, 0);
        if (outcome == WIDE_TAKEN) {
            TAKEN(power_loss, 0, 0);
            TAKEN(shed, 0, 0);
            TAKEN(compact, c, 0);
        }
    }
    EXPECT_EQUAL(outcome, WIDE_BEYOND);
    EXPECT(rounds >= 48);
}

int main(void)
{
    RUN(both_forms_are_one_law);
    RUN(history_is_joined_and_still_holds);
    RUN(a_row_that_is_missing_shows_behind_joined_history);
    RUN(open_history_is_never_joined);
    free(life);
    free(life_before);
    return 0;
}
