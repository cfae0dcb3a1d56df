/* Goal: keys of coverage come back from a database as they went in, whatever bytes stand there; a
 * run with a spec's own constants takes edges of the graph that TLC explored, and nothing beside
 * it; and what it takes is no part of its hash. Method: sets made here and drawn; a small fleet
 * under the constants of specs/Telemetry. */
#include "sim/coverage.h"

#include <stdlib.h>
#include <string.h>

#include "core/check.h"
#include "core/test/test.h"
#include "sim/map.h"
#include "sim/random.h"
#include "sim/run.h"
#include "sim/spec_walks.h"
#include "sim/test/small_fleet.h"

_Noreturn void check_failed(const char *file, int line, const char *what)
{
    fprintf(stderr, "%s:%d: CHECK(%s) failed\n", file, line, what);
    abort();
}

/* ---- packed keys ----------------------------------------------------------------------------- */

static void comes_back(const uint64_t *keys, uint32_t count)
{
    struct coverage_set set = {(uint64_t *)(uintptr_t)keys, count, 0}, again;
    size_t size_bytes;
    uint8_t *bytes = coverage_pack(&set, &size_bytes);
    EXPECT(coverage_unpack(bytes, size_bytes, &again));
    EXPECT_EQUAL(again.count, count);
    EXPECT(count == 0 || memcmp(again.keys, keys, count * sizeof *keys) == 0);
    coverage_set_free(&again);
    free(bytes);
}

static void keys_come_back(void)
{
    static const uint64_t few[] = {1, 2, 127, 128, 129, UINT64_C(1) << 35, INT64_MAX};
    uint64_t many[1000], key = 0;
    struct random_stream stream = {random_key(1, "keys"), 0};
    for (uint32_t i = 0; i < 1000; i++) {
        key += random_between(&stream, 1, UINT64_C(1) << (1 + i % 50));
        many[i] = key;
    }
    comes_back(few, 0);
    comes_back(few, sizeof few / sizeof few[0]);
    comes_back(many, 1000);
}

static void what_are_no_keys_is_refused(void)
{
    static const uint8_t open[] = {0x81}, twice[] = {5, 0};
    static const uint8_t long_number[] = {0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF,
                                          0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 1};
    static const uint8_t beyond[] = {0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x7F, 1};
    struct coverage_set set;
    EXPECT(!coverage_unpack(open, sizeof open, &set));
    EXPECT(!coverage_unpack(twice, sizeof twice, &set));
    EXPECT(!coverage_unpack(long_number, sizeof long_number, &set));
    EXPECT(!coverage_unpack(beyond, sizeof beyond, &set));
    EXPECT(set.keys == NULL && set.count == 0);
    struct random_stream stream = {random_key(1, "bytes"), 0};
    for (uint32_t round = 0; round < 2000; round++) { /* nor does it stumble over anything */
        uint8_t bytes[24];
        random_bytes(&stream, bytes, sizeof bytes);
        if (coverage_unpack(bytes, sizeof bytes, &set)) {
            coverage_set_free(&set);
        }
    }
}

static void a_transition_comes_apart(void)
{
    const struct coverage_transition in = {7, 39, EFFECT_COUNT, 0xFFFF1234u};
    const struct coverage_transition out = coverage_transition(coverage_transition_key(&in));
    EXPECT_EQUAL(out.law, in.law);
    EXPECT_EQUAL(out.action, in.action);
    EXPECT_EQUAL(out.fault, in.fault);
    EXPECT_EQUAL(out.shape, in.shape);
}

/* ---- a run ----------------------------------------------------------------------------------- */

static void live(uint64_t seed, bool counted, struct run_result *result)
{
    struct plan plan;
    struct run_request request;
    small_fleet(&plan, seed);
    small_fleet_set(&plan, "device.reserve", "3");
    small_fleet_set(&plan, "device.window", "2");
    small_fleet_set(&plan, "device.outbox", "2");
    small_fleet_set(&plan, "cloud.window", "2");
    small_fleet_set(&plan, "faults.power_cut.every", "5m");
    EXPECT(plan_draw_faults(&plan));
    run_request_init(&request);
    request.plan = &plan;
    request.coverage = counted;
    run(&request, result);
    EXPECT_EQUAL(result->verdict, VERDICT_PASS);
    plan_free(&plan);
}

/* As specs/Telemetry/MC.cfg, and as many losses and numbers as the model has room for. */
static void explore(struct spec_instance *instance, struct spec_graph *graph)
{
    static const int32_t constants[] = {1, 1, 3, 2, 3, 2, 2, 1, 0, 0, 0, 0};
    struct spec_config config;
    char error[512];
    const struct spec_model *model = spec_at(0);
    memset(&config, 0, sizeof config);
    for (uint32_t i = 0; i < spec_count(); i++) {
        model = strcmp(spec_at(i)->name, "Telemetry") == 0 ? spec_at(i) : model;
    }
    snprintf(config.name, sizeof config.name, "test");
    config.constant_count = model->constant_count;
    for (uint32_t i = 0; i < model->constant_count; i++) {
        snprintf(config.constants[i].name, sizeof config.constants[i].name, "%s",
                 model->constants[i].name);
        config.constants[i].is_bool = model->constants[i].is_bool;
        config.constants[i].value = constants[i];
    }
    if (!spec_instance_init(instance, model, &config, error, sizeof error) ||
        !spec_explore(graph, instance, 1000000, error, sizeof error)) {
        fprintf(stderr, "%s\n", error);
        exit(1);
    }
}

static void put_edges(const struct spec_graph *graph, struct map *map)
{
    const struct spec_instance *instance = graph->instance;
    int32_t state[SPEC_STATE_WORDS_MAX];
    struct spec_ways ways;
    spec_ways_make(&ways, graph);
    for (uint32_t i = 0; i < graph->states.count; i++) {
        spec_scatter(instance, spec_states_at(&graph->states, i), state);
        for (uint64_t way = ways.begins[i]; way < ways.begins[i + 1]; way++) {
            map_put(map,
                    coverage_edge_key(instance->model, instance->k, state,
                                      &instance->moves[ways.moves[way]]),
                    0);
        }
    }
    spec_ways_free(&ways);
}

/* Until the fourth number of each device every step is an edge of the instance; behind it none. */
static void a_run_takes_edges_of_the_graph(void)
{
    static struct spec_instance instance;
    struct spec_graph graph;
    struct run_result result;
    struct map edges;
    uint32_t inside = 0;
    map_init(&edges);
    explore(&instance, &graph);
    put_edges(&graph, &edges);
    live(3, true, &result);
    const struct coverage_set *set = &result.coverage[COVERAGE_EDGE];
    for (uint32_t i = 0; i < set->count; i++) {
        inside += map_find(&edges, set->keys[i]) != MAP_NONE ? 1 : 0;
    }
    EXPECT(inside >= 20);
    EXPECT(set->count > inside); /* with the numbers 4 to 6, which the model has room for */
    EXPECT_EQUAL(set->lost, 0);
    EXPECT(result.coverage[COVERAGE_TRANSITION].count >= 20);
    run_result_free(&result);
    spec_graph_free(&graph);
    map_free(&edges);
}

static bool is_under(const struct run_result *result, enum effect fault)
{
    const struct coverage_set *set = &result->coverage[COVERAGE_TRANSITION];
    for (uint32_t i = 0; i < set->count; i++) {
        if (coverage_transition(set->keys[i]).fault == fault) {
            return true;
        }
    }
    return false;
}

static void counting_changes_nothing(void)
{
    struct run_result counted, plain;
    live(5, true, &counted);
    live(5, false, &plain);
    EXPECT(memcmp(counted.digest, plain.digest, sizeof plain.digest) == 0);
    EXPECT_EQUAL(plain.coverage[COVERAGE_TRANSITION].count, 0);
    EXPECT(is_under(&counted, EFFECT_POWER_CUT));
    EXPECT(is_under(&counted, EFFECT_COUNT));
    EXPECT(!is_under(&counted, EFFECT_PARTITION));
    run_result_free(&counted);
    run_result_free(&plain);
}

int main(void)
{
    RUN(keys_come_back);
    RUN(what_are_no_keys_is_refused);
    RUN(a_transition_comes_apart);
    RUN(a_run_takes_edges_of_the_graph);
    RUN(counting_changes_nothing);
    return 0;
}
