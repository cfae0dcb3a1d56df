/* What does one judged observation cost? The evidence of a real run, put before a fresh judge. */
#include "bench/bench.h"
#include "core/check.h"
#include "sim/hash.h"
#include "sim/random.h"

enum { BODY_BYTES = 200, BODIES = 100000, REPLAYS = 3, SPECS = 2 };

static const enum law specs[SPECS] = {LAW_SPEC_TELEMETRY, LAW_SPEC_SESSION};

struct hearing {
    uint32_t count, capacity;
    struct observation *observations;
    uint32_t devices, nodes;
    enum model_role *roles;
    struct judge_config config;
    struct judge *judge;
    uint64_t steps[SPECS];
    struct bench_sample ns, step_ns[SPECS];
};

static void on_observation(void *ctx, const struct observation *observation)
{
    struct hearing *hearing = ctx;
    if (observation->kind >= TRUTH_IMAGE && observation->kind <= TRUTH_IMAGE_END) {
        return;
    }
    if (hearing->count == hearing->capacity) {
        hearing->capacity = hearing->capacity == 0 ? 4096 : hearing->capacity * 2;
        hearing->observations =
            realloc(hearing->observations, hearing->capacity * sizeof hearing->observations[0]);
        CHECK(hearing->observations != NULL);
    }
    hearing->observations[hearing->count++] = *observation;
}

static void make_judge(struct hearing *hearing, const struct settings *settings)
{
    const uint64_t *setting = settings->number;
    hearing->nodes = fleet_node_count(settings) + 1;
    hearing->roles = calloc(hearing->nodes, sizeof hearing->roles[0]);
    CHECK(hearing->roles != NULL);
    for (uint32_t i = 0; i < hearing->nodes; i++) {
        const uint32_t role = i == 0 ? 0 : fleet_role(settings, i);
        hearing->roles[i] = role == ROLE_MASK_CLOUD     ? MODEL_CLOUD
                            : role == ROLE_MASK_GATEWAY ? MODEL_GATEWAY
                            : role == ROLE_MASK_DEVICE  ? MODEL_DEVICE
                                                        : MODEL_OTHER;
    }
    hearing->config = (struct judge_config){
        .node_count = hearing->nodes,
        .roles = hearing->roles,
        .cloud_window = (uint32_t)setting[SETTING_cloud_window],
        .outbox_max = (uint32_t)setting[SETTING_device_outbox],
        .reserve = (uint32_t)setting[SETTING_device_reserve],
        .queue_max = (uint32_t)setting[SETTING_gateway_queue],
        .sample_every_us = setting[SETTING_device_sample_every],
        .sample_slack_us = setting[SETTING_device_sample_every],
    };
    hearing->judge = malloc(judge_size_bytes(&hearing->config));
    CHECK(hearing->judge != NULL);
}

/* Live through a run, and keep what was said. */
static void capture(struct hearing *hearing, uint32_t devices, const char *duration)
{
    struct plan plan;
    struct run_result result;
    struct world_options options;
    world_options_init(&options);
    options.observed = on_observation;
    options.observed_ctx = hearing;
    hearing->devices = devices;
    bench_fleet(&plan, devices, duration, "3m");
    make_judge(hearing, &plan.settings);
    bench_run(&plan, &options, &result);
    run_result_free(&result);
    plan_free(&plan);
}

/* CPU time of all observations; each bit of `judging` is a spec that judges, too. */
static double hear_all(struct hearing *hearing, uint32_t judging)
{
    struct violation violation;
    double spent_s = 0;
    for (uint32_t replay = 0; replay < REPLAYS; replay++) {
        memset(hearing->judge, 0, judge_size_bytes(&hearing->config));
        judge_init(hearing->judge, &hearing->config);
        for (uint32_t i = 0; i < SPECS; i++) {
            if ((judging >> i & 1u) == 0) {
                judge_void(hearing->judge, specs[i], UINT32_MAX);
            }
        }
        const double start_s = bench_cpu_s();
        for (uint32_t i = 0; i < hearing->count; i++) {
            if (!judge_observe(hearing->judge, &hearing->observations[i], &violation)) {
                fprintf(stderr, "bench: %s: %s\n", law_name(violation.law), violation.what);
                exit(4);
            }
        }
        spent_s += bench_cpu_s() - start_s;
    }
    return spent_s / REPLAYS;
}

static void hear(struct hearing *hearing)
{
    const double without_s = hear_all(hearing, 0);
    const double with_s = hear_all(hearing, (1u << SPECS) - 1);
    bench_add(&hearing->ns, with_s / hearing->count * 1e9);
    for (uint32_t i = 0; i < SPECS; i++) {
        const double one_s = hear_all(hearing, 1u << i);
        hearing->steps[i] = judge_exercised(hearing->judge, specs[i]);
        bench_add(&hearing->step_ns[i], (one_s - without_s) / (double)hearing->steps[i] * 1e9);
    }
}

/* What the judge is told of a body. */
static void hash_bodies(struct bench_sample *ns)
{
    static uint8_t body[BODY_BYTES];
    uint64_t digest[2];
    const double start_s = bench_cpu_s();
    for (uint32_t i = 0; i < BODIES; i++) {
        memcpy(body, &i, sizeof i);
        hash_once(body, BODY_BYTES, digest);
        body[BODY_BYTES - 1] = (uint8_t)digest[0];
    }
    bench_add(ns, (bench_cpu_s() - start_s) / BODIES * 1e9);
}

int main(int argc, char **argv)
{
    static struct hearing hearings[2];
    struct bench_sample hash_ns = {0};
    const bool smoke = bench_smoke(argc, argv);
    const uint32_t fleets = smoke ? 1 : 2;
    capture(&hearings[0], 50, smoke ? "1m" : "27m");
    if (!smoke) {
        capture(&hearings[1], 500, "5m");
    }
    for (uint32_t round = 0; round < (smoke ? 1 : BENCH_ROUNDS); round++) {
        for (uint32_t i = 0; i < fleets; i++) {
            hear(&hearings[i]);
        }
        hash_bodies(&hash_ns);
    }
    bench_title("judge: all laws over the evidence of a run",
                "replayed into a fresh judge; crash images left out; CPU time, median of rounds");
    for (uint32_t i = 0; i < fleets; i++) {
        char what[64];
        snprintf(what, sizeof what, "%u devices, an observation", hearings[i].devices);
        bench_print(what, bench_median(&hearings[i].ns), "ns");
        snprintf(what, sizeof what, "%u devices, observations replayed", hearings[i].devices);
        bench_print(what, hearings[i].count, "");
        for (uint32_t spec = 0; spec < SPECS; spec++) {
            snprintf(what, sizeof what, "%u devices, a step of %s", hearings[i].devices,
                     law_name(specs[spec]));
            bench_print(what, bench_median(&hearings[i].step_ns[spec]), "ns");
            snprintf(what, sizeof what, "%u devices, such steps", hearings[i].devices);
            bench_print(what, (double)hearings[i].steps[spec], "");
        }
        free(hearings[i].observations);
        free(hearings[i].roles);
        free(hearings[i].judge);
    }
    bench_print("hash of a body of 200 bytes", bench_median(&hash_ns), "ns");
    return 0;
}
