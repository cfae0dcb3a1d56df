#include "models/judge_telemetry.h"

#include "models/follow_telemetry.h"
#include "models/wide_telemetry.h"

struct judge_telemetry {
    const struct judge_config *config;
    struct ruling *ruling;
    int32_t k[SPEC_CONSTANTS_MAX];
    uint64_t steps[SPEC_ACTIONS_MAX];
    struct follow_telemetry *follow;
    void *before;          /* of all devices */
    unsigned char *states; /* wide_telemetry_size_bytes() for each device */
    uint32_t *places;      /* [node_count]: index of the device's state */
};

static bool on_step(void *ctx, const struct follow_step *step);

static uint32_t device_count(const struct judge_config *config)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < config->node_count; i++) {
        count += config->roles[i] == MODEL_DEVICE && config->reserve != 0;
    }
    return count;
}

size_t judge_telemetry_size_bytes(const struct judge_config *config)
{
    return ruling_aligned(sizeof(struct judge_telemetry)) +
           ruling_aligned(follow_telemetry_size_bytes(config)) +
           ruling_aligned(wide_telemetry_before_bytes()) +
           device_count(config) * ruling_aligned(wide_telemetry_size_bytes()) +
           ruling_aligned(config->node_count * sizeof(uint32_t));
}

void judge_telemetry_init(struct judge_telemetry *judge, const struct judge_config *config,
                          struct ruling *ruling)
{
    unsigned char *memory = (unsigned char *)judge + ruling_aligned(sizeof *judge);
    const size_t state_bytes = ruling_aligned(wide_telemetry_size_bytes());
    const uint32_t count = device_count(config);
    judge->config = config;
    judge->ruling = ruling;
    follow_telemetry_constants(config, judge->k);
    judge->follow = (struct follow_telemetry *)(void *)memory;
    memory += ruling_aligned(follow_telemetry_size_bytes(config));
    judge->before = memory;
    memory += ruling_aligned(wide_telemetry_before_bytes());
    judge->states = memory;
    judge->places = (uint32_t *)(void *)(memory + count * state_bytes);
    uint32_t place = 0;
    for (uint32_t i = 0; i < config->node_count; i++) {
        if (config->roles[i] == MODEL_DEVICE && config->reserve != 0) {
            judge->places[i] = place;
            wide_telemetry_init(
                (struct wide_telemetry *)(void *)(judge->states + place * state_bytes), judge->k);
            place++;
        }
    }
    follow_telemetry_init(judge->follow, config, on_step, judge);
}

static bool on_step(void *ctx, const struct follow_step *step)
{
    struct judge_telemetry *judge = ctx;
    const size_t state_bytes = ruling_aligned(wide_telemetry_size_bytes());
    struct wide_telemetry *wide =
        (struct wide_telemetry *)(void *)(judge->states + judge->places[step->actor] * state_bytes);
    struct difference difference = {NULL, 0, 0};
    if (judge->config->heard != NULL) {
        judge->config->heard(judge->config->heard_ctx, "Telemetry", judge->k, step,
                             wide_telemetry_shape(wide, judge->k));
    }
    ruling_exercise(judge->ruling, LAW_SPEC_TELEMETRY);
    const enum wide_outcome outcome =
        wide_telemetry_take(wide, judge->before, judge->k, step, &difference);
    if (outcome == WIDE_BROKEN) {
        ruling_break(judge->ruling, LAW_SPEC_TELEMETRY, step->actor, difference);
    } else {
        judge->steps[step->move.action]++;
    }
    return outcome == WIDE_TAKEN;
}

void judge_telemetry_observe(struct judge_telemetry *judge, const struct observation *observation)
{
    follow_telemetry_observe(judge->follow, observation);
}

void judge_telemetry_leave(struct judge_telemetry *judge, uint32_t node)
{
    follow_telemetry_leave(judge->follow, node);
}

uint32_t judge_telemetry_unfollowed(const struct judge_telemetry *judge)
{
    return follow_telemetry_left(judge->follow);
}

uint64_t judge_telemetry_steps(const struct judge_telemetry *judge, uint32_t action)
{
    return judge->steps[action];
}
