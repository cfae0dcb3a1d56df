#include "models/cadence.h"

struct cadence_node {
    bool up;      /* has booted, and neither died nor lost power since */
    bool sampled; /* since that boot */
    uint64_t event;
    uint64_t last_us;  /* the last sample, or the boot */
    uint64_t stall_us; /* hung or suspended since last_us */
    uint64_t late_us;  /* how late the last sample may have been because of stalls */
    uint32_t burst;    /* samples of the burst so far */
};

struct cadence_model {
    const struct judge_config *config;
    struct cadence_node nodes[];
};

static uint64_t since(const struct cadence_node *node, uint64_t now_us);
static uint64_t due_us_of(const struct cadence_model *model, uint32_t number);
static uint64_t slack_us_of(const struct cadence_model *model, uint64_t due_us);
static void sample(const struct cadence_model *model, struct cadence_node *node,
                   const struct observation *observation, struct ruling *ruling);
static void judge_silence(struct cadence_model *model, uint64_t now_us, struct ruling *ruling);

size_t cadence_size_bytes(const struct judge_config *config)
{
    return sizeof(struct cadence_model) + config->node_count * sizeof(struct cadence_node);
}

void cadence_init(struct cadence_model *model, const struct judge_config *config)
{
    model->config = config;
}

void cadence_observe(struct cadence_model *model, const struct observation *observation,
                     struct ruling *ruling)
{
    if (observation->kind == TRUTH_HEAL || observation->kind == TRUTH_END) {
        judge_silence(model, observation->time_us, ruling);
        return;
    }
    if (observation->node >= model->config->node_count ||
        model->config->roles[observation->node] != MODEL_DEVICE) {
        return;
    }
    struct cadence_node *node = &model->nodes[observation->node];
    switch (observation->kind) {
    case EVIDENCE_BOOT:
        *node = (struct cadence_node){.up = true, .last_us = observation->time_us};
        break;
    case EVIDENCE_SIGN:
        sample(model, node, observation, ruling);
        break;
    case EVIDENCE_LOSE:
        /* Of one sample both may be said: signed, and then not kept. */
        if (!node->sampled || node->event != observation->event) {
            sample(model, node, observation, ruling);
        }
        break;
    case TRUTH_DOWN:
        node->up = false;
        break;
    case TRUTH_STALL:
        node->stall_us += observation->value;
        break;
    default:
        break;
    }
}

/* A truth may carry a time at which the node, busy in its step, had gone on. */
static uint64_t since(const struct cadence_node *node, uint64_t now_us)
{
    return now_us > node->last_us ? now_us - node->last_us : 0;
}

/* How long after the last sample, or the boot, the next one is due at the latest. */
static uint64_t due_us_of(const struct cadence_model *model, uint32_t number)
{
    const struct judge_config *config = model->config;
    const struct cadence_node *node = &model->nodes[number];
    if (config->burst > 0 && node->sampled && node->burst == 0) {
        return config->idle_us;
    }
    return config->periods_us != NULL ? config->periods_us[number] : config->sample_every_us;
}

static uint64_t slack_us_of(const struct cadence_model *model, uint64_t due_us)
{
    const uint64_t every_us = model->config->sample_every_us;
    return model->config->sample_slack_us + (due_us > every_us ? (due_us - every_us) / 8 : 0);
}

static void sample(const struct cadence_model *model, struct cadence_node *node,
                   const struct observation *observation, struct ruling *ruling)
{
    const uint64_t every_us = due_us_of(model, observation->node);
    const uint64_t slack_us = slack_us_of(model, every_us);
    const uint64_t interval_us = since(node, observation->time_us);
    if (node->up) {
        ruling_exercise(ruling, LAW_TIME_CADENCE);
        if (interval_us > every_us + slack_us + node->stall_us) {
            ruling_break(ruling, LAW_TIME_CADENCE, observation->node,
                         (struct difference){"sample is late", every_us, interval_us});
        }
        if (node->sampled && interval_us + slack_us + node->late_us < every_us) {
            ruling_break(ruling, LAW_TIME_CADENCE, observation->node,
                         (struct difference){"sample is early", every_us, interval_us});
        }
    }
    /* A device that keeps to its grid makes up for a late sample by an early one. The first one was
     * due at any instant since the boot. */
    const uint64_t grown_us = node->late_us + interval_us;
    const uint64_t due_us = node->sampled ? every_us : 0;
    const uint64_t late_us = grown_us > due_us ? grown_us - due_us : 0;
    const uint64_t late_max_us = node->late_us + node->stall_us;
    node->late_us = late_us < late_max_us ? late_us : late_max_us;
    node->stall_us = 0;
    node->last_us = observation->time_us;
    node->event = observation->event;
    node->sampled = true;
    node->burst = model->config->burst > 0 ? (node->burst + 1) % model->config->burst : 0;
}

/* A device that runs and has stopped sampling breaks the law without a word. */
static void judge_silence(struct cadence_model *model, uint64_t now_us, struct ruling *ruling)
{
    for (uint32_t i = 0; i < model->config->node_count; i++) {
        const struct cadence_node *node = &model->nodes[i];
        if (!node->up) {
            continue;
        }
        const uint64_t due_us = due_us_of(model, i);
        const uint64_t bound_us = due_us + slack_us_of(model, due_us);
        ruling_exercise(ruling, LAW_TIME_CADENCE);
        if (since(node, now_us) > bound_us + node->stall_us) {
            ruling_break(
                ruling, LAW_TIME_CADENCE, i,
                (struct difference){"no sample for too long", bound_us, since(node, now_us)});
        }
    }
}
