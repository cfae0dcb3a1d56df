#include "models/spec_judge.h"

#include "models/follow_telemetry.h"
#include "models/wide_telemetry.h"

struct spec_judge {
    struct ruling *ruling;
    int32_t k[SPEC_CONSTANTS_MAX];
    struct follow_telemetry *follow;
    void *before;          /* of all devices */
    unsigned char *states; /* wide_telemetry_size_bytes() for each device */
    uint32_t *places;      /* [node_count]: index of the device's state */
};

static bool on_step(void *ctx, const struct follow_step *step);

static size_t aligned(size_t size_bytes)
{
    const size_t unit = sizeof(uint64_t) * 2;
    return (size_bytes + unit - 1) / unit * unit;
}

static uint32_t device_count(const struct judge_config *config)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < config->node_count; i++) {
        count += config->roles[i] == MODEL_DEVICE && config->reserve != 0;
    }
    return count;
}

size_t spec_judge_size_bytes(const struct judge_config *config)
{
    return aligned(sizeof(struct spec_judge)) + aligned(follow_telemetry_size_bytes(config)) +
           aligned(wide_telemetry_before_bytes()) +
           device_count(config) * aligned(wide_telemetry_size_bytes()) +
           aligned(config->node_count * sizeof(uint32_t));
}

void spec_judge_init(struct spec_judge *judge, const struct judge_config *config,
                     struct ruling *ruling)
{
    unsigned char *memory = (unsigned char *)judge + aligned(sizeof *judge);
    const size_t state_bytes = aligned(wide_telemetry_size_bytes());
    const uint32_t count = device_count(config);
    judge->ruling = ruling;
    follow_telemetry_constants(config, judge->k);
    judge->follow = (struct follow_telemetry *)(void *)memory;
    memory += aligned(follow_telemetry_size_bytes(config));
    judge->before = memory;
    memory += aligned(wide_telemetry_before_bytes());
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
    struct spec_judge *judge = ctx;
    const size_t state_bytes = aligned(wide_telemetry_size_bytes());
    struct wide_telemetry *wide =
        (struct wide_telemetry *)(void *)(judge->states + judge->places[step->actor] * state_bytes);
    struct difference difference = {NULL, 0, 0};
    ruling_exercise(judge->ruling, LAW_SPEC_TELEMETRY);
    const enum wide_outcome outcome =
        wide_telemetry_take(wide, judge->before, judge->k, step, &difference);
    if (outcome == WIDE_BROKEN) {
        ruling_break(judge->ruling, LAW_SPEC_TELEMETRY, step->actor, difference);
    }
    return outcome == WIDE_TAKEN;
}

void spec_judge_observe(struct spec_judge *judge, const struct observation *observation)
{
    follow_telemetry_observe(judge->follow, observation);
}

void spec_judge_leave(struct spec_judge *judge, uint32_t node)
{
    follow_telemetry_leave(judge->follow, node);
}

uint32_t spec_judge_left(const struct spec_judge *judge)
{
    return follow_telemetry_left(judge->follow);
}
