/* Goal: the form of the Session law that judges runs is the one that equals the spec. Method:
 * random walks of the narrow form, bugs included, stepped through both: what is allowed, every
 * variable, all claims and the reason why not are compared at each step.
 */
#include <string.h>

#include "core/test/test.h"
#include "models/follow_session_inside.h"
#include "models/single_session.h"

enum { WALKS = 4000, STEPS = 400 };

extern const struct spec_model spec_session;

static uint64_t random_state = 7;

static uint32_t draw(uint32_t bound)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return (uint32_t)(random_state >> 33) % bound;
}

static void draw_constants(int32_t *k)
{
    const struct constants drawn = {.Devices = 1,
                                    .Readings = 1,
                                    .Windows = (int32_t)draw(2),
                                    .QueueMax = 1 + (int32_t)draw(4),
                                    .MaxBreaks = (int32_t)draw(8),
                                    .MaxRestarts = (int32_t)draw(8),
                                    .EarlyPuback = draw(6) == 0,
                                    .EarlyAck = draw(6) == 0,
                                    .PubackReleases = draw(6) == 0,
                                    .WindowForgets = draw(6) == 0};
    memset(k, 0, SPEC_CONSTANTS_MAX * sizeof *k);
    memcpy(k, &drawn, sizeof drawn);
}

static bool claims_hold(const int32_t *k, const int32_t *pre, const int32_t *post)
{
    bool holds = true;
    for (uint32_t i = 0; i < spec_session.invariant_count; i++) {
        holds = holds && spec_session.holds(k, i, post);
    }
    for (uint32_t i = 0; i < spec_session.property_count; i++) {
        holds = holds && spec_session.allows(k, i, pre, post);
    }
    return holds;
}

static void expect_same(const struct single_session *single, const int32_t *k,
                        const int32_t *narrow)
{
    int32_t words[SPEC_STATE_WORDS_MAX];
    single_session_expand(single, k, words);
    EXPECT(memcmp(words, narrow, spec_session.state_words * sizeof words[0]) == 0);
}

/* False: a claim was broken, and the walk is over. */
static bool step(struct single_session *single, const struct spec_ruling *ruling, int32_t *narrow,
                 uint32_t *taken)
{
    const int32_t *k = ruling->k;
    int32_t next[SPEC_STATE_WORDS_MAX];
    struct spec_finding finding;
    const struct follow_step step = {.move = {draw(spec_session.action_count), {1, 0, 0}}};
    memcpy(next, narrow, sizeof next);
    const bool enabled = spec_session.step(k, step.move.action, step.move.parameters, next);
    const bool holds = enabled && claims_hold(k, narrow, next);
    const struct single_session before = *single;
    EXPECT(single_session_take(single, k, &step) == holds);
    if (!holds) {
        EXPECT(memcmp(single, &before, sizeof before) == 0);
    }
    if (enabled && !holds) {
        single_session_explain(single, ruling, &step, &finding);
        EXPECT(strstr(finding.what, " breaks ") != NULL);
        return false;
    }
    if (holds) {
        memcpy(narrow, next, sizeof next);
        taken[step.move.action]++;
    }
    expect_same(single, k, narrow);
    return true;
}

static void both_forms_walk_alike(void)
{
    uint32_t taken[SPEC_ACTIONS_MAX] = {0}, broken = 0;
    for (uint32_t walk = 0; walk < WALKS; walk++) {
        int32_t k[SPEC_CONSTANTS_MAX], narrow[SPEC_STATE_WORDS_MAX] = {0};
        struct single_session single;
        struct spec_ruling ruling;
        draw_constants(k);
        memset(&single, 0, sizeof single);
        single_session_init(&single, k);
        spec_ruling_init(&ruling, &spec_session, k);
        EXPECT(spec_session.init(k, 0, narrow));
        expect_same(&single, k, narrow);
        bool goes_on = true;
        for (uint32_t i = 0; i < STEPS && goes_on; i++) {
            goes_on = step(&single, &ruling, narrow, taken);
            broken += !goes_on;
        }
    }
    for (uint32_t i = 0; i < spec_session.action_count; i++) {
        EXPECT(taken[i] > 0);
    }
    EXPECT(broken > 0);
}

static void what_is_seen_is_compared(void)
{
    int32_t k[SPEC_CONSTANTS_MAX];
    struct single_session single;
    struct spec_ruling ruling;
    struct spec_finding finding;
    draw_constants(k);
    memset(&single, 0, sizeof single);
    single_session_init(&single, k);
    spec_ruling_init(&ruling, &spec_session, k);
    const struct follow_step right = {
        .move = {ACT_sign, {1, 0, 0}},
        .sight_count = 2,
        .sights = {{VAR_held, 2, FOLLOW_IS, 0}, {VAR_rows, 0, FOLLOW_IS, 1}}};
    EXPECT(single_session_take(&single, k, &right));
    const struct follow_step wrong = {.move = {FOLLOW_LOOK, {0, 0, 0}},
                                      .sight_count = 1,
                                      .sights = {{VAR_rows, 1, FOLLOW_IS, 1}}};
    EXPECT(!single_session_take(&single, k, &wrong));
    single_session_explain(&single, &ruling, &wrong, &finding);
    EXPECT(strcmp(finding.what, "between two steps: rows[1] is 1, in the spec 0") == 0);
    EXPECT_EQUAL(finding.expected, 0);
    EXPECT_EQUAL(finding.actual, 1);
}

int main(void)
{
    RUN(both_forms_walk_alike);
    RUN(what_is_seen_is_compared);
    return 0;
}
