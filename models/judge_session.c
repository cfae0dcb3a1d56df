#include "models/judge_session.h"

#include "models/follow_session.h"
#include "models/single_session.h"
#include "models/spec_ruling.h"

extern const struct spec_model spec_session;

struct judge_session {
    const struct judge_config *config;
    struct ruling *ruling;
    int32_t k[SPEC_CONSTANTS_MAX];
    struct spec_ruling spec; /* says why */
    uint64_t steps[SPEC_ACTIONS_MAX];
    struct follow_session *follow;
};

static bool on_step(void *ctx, struct single_session *reading, const struct follow_step *step)
{
    struct judge_session *judge = ctx;
    struct spec_finding finding;
    if (judge->config->heard != NULL) {
        int32_t k[SPEC_CONSTANTS_MAX];
        single_session_constants(reading, judge->k, k);
        judge->config->heard(judge->config->heard_ctx, "Session", k, step,
                             single_session_shape(reading));
    }
    ruling_exercise(judge->ruling, LAW_SPEC_SESSION);
    if (single_session_take(reading, judge->k, step)) {
        if (step->move.action != FOLLOW_LOOK) {
            judge->steps[step->move.action]++;
        }
        return true;
    }
    single_session_explain(reading, &judge->spec, step, &finding);
    ruling_break(
        judge->ruling, LAW_SPEC_SESSION, step->actor,
        (struct difference){finding.what, (uint64_t)finding.expected, (uint64_t)finding.actual});
    return false;
}

size_t judge_session_size_bytes(const struct judge_config *config)
{
    return ruling_aligned(sizeof(struct judge_session)) +
           ruling_aligned(follow_session_size_bytes(config));
}

void judge_session_init(struct judge_session *judge, const struct judge_config *config,
                        struct ruling *ruling)
{
    judge->config = config;
    judge->ruling = ruling;
    judge->follow =
        (struct follow_session *)(void *)((unsigned char *)judge + ruling_aligned(sizeof *judge));
    follow_session_constants(config, judge->k);
    spec_ruling_init(&judge->spec, &spec_session, judge->k);
    follow_session_init(judge->follow, config, on_step, judge);
}

void judge_session_observe(struct judge_session *judge, const struct observation *observation)
{
    follow_session_observe(judge->follow, observation);
}

void judge_session_leave(struct judge_session *judge, uint32_t node)
{
    follow_session_leave(judge->follow, node);
}

uint32_t judge_session_unfollowed(const struct judge_session *judge)
{
    return follow_session_left(judge->follow);
}

uint64_t judge_session_unfollowed_readings(const struct judge_session *judge)
{
    return follow_session_left_readings(judge->follow);
}

uint64_t judge_session_steps(const struct judge_session *judge, uint32_t action)
{
    return judge->steps[action];
}
