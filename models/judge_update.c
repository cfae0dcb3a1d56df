#include "models/judge_update.h"

#include "models/follow_update.h"
#include "models/spec_ruling.h"

extern const struct spec_model spec_update;

struct device {
    struct follow_update follow;
    int32_t state[FOLLOW_UPDATE_WORDS];
};

struct judge_update {
    const struct judge_config *config;
    struct follow_update_config releases;
    struct spec_ruling judge;
    bool begun; /* all releases are known */
    struct device devices[];
};

/* One observation of one device. */
struct hearer {
    struct judge_update *judge;
    struct device *device;
    struct ruling *ruling;
};

size_t judge_update_size_bytes(const struct judge_config *config)
{
    return config->trials == 0
               ? 0
               : sizeof(struct judge_update) + config->node_count * sizeof(struct device);
}

void judge_update_init(struct judge_update *judge, const struct judge_config *config)
{
    judge->config = config;
    follow_update_configure(&judge->releases, config->trials, config->reverts_max,
                            config->image_bytes, config->sector_bytes);
}

static bool step(void *ctx, const struct follow_step *step)
{
    const struct hearer *hearer = ctx;
    const struct judge_config *config = hearer->judge->config;
    struct spec_finding finding;
    if (config->heard != NULL) {
        const struct follow_update_config *releases = &hearer->judge->releases;
        config->heard(config->heard_ctx, "Update", releases->k, step,
                      follow_update_shape(releases, hearer->device->state));
    }
    ruling_exercise(hearer->ruling, LAW_SPEC_UPDATE);
    if (spec_ruling_step(&hearer->judge->judge, hearer->device->state, step, &finding)) {
        return true;
    }
    ruling_break(
        hearer->ruling, LAW_SPEC_UPDATE, step->actor,
        (struct difference){finding.what, (uint64_t)finding.expected, (uint64_t)finding.actual});
    return false;
}

/* The first device boots: from here on the constants are those of the run. */
static void begin(struct judge_update *judge)
{
    const int32_t *k = judge->releases.k;
    spec_ruling_init(&judge->judge, &spec_update, k);
    for (uint32_t i = 0; i < judge->config->node_count; i++) {
        (void)spec_update.init(k, 0, judge->devices[i].state);
    }
    judge->begun = true;
}

void judge_update_observe(struct judge_update *judge, const struct observation *observation,
                          struct ruling *ruling)
{
    const uint32_t node = observation->node;
    if (observation->kind == TRUTH_RELEASE) {
        follow_update_release(&judge->releases, observation->counter, observation->value);
        return;
    }
    if (!follow_update_hears(observation->kind) || node >= judge->config->node_count ||
        judge->config->roles[node] != MODEL_DEVICE) {
        return;
    }
    const uint64_t silent = ruling->void_everywhere | ruling->void_at[node];
    if ((silent >> LAW_SPEC_UPDATE & 1u) != 0) {
        return;
    }
    if (!judge->begun) {
        begin(judge);
    }
    struct hearer hearer = {judge, &judge->devices[node], ruling};
    follow_update_observe(&hearer.device->follow, &judge->releases, observation, step, &hearer);
}

uint32_t judge_update_unfollowed(const struct judge_update *judge)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < judge->config->node_count; i++) {
        count += judge->devices[i].follow.standing == FOLLOW_UPDATE_UNCLEAR;
    }
    return count;
}
