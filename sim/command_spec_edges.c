/* brownout spec edges: which edges of a law's graph has no recorded run ever taken? */
#include <cJSON.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "core/check.h"
#include "sim/command.h"
#include "sim/coverage.h"
#include "sim/map.h"
#include "sim/record.h"
#include "sim/spec_call.h"
#include "sim/spec_walks.h"

struct request {
    const char *db, *config;
    uint64_t print; /* so many edges that were not taken */
};

/* Edges of one configuration. */
struct tally {
    uint64_t edges, taken;
    uint64_t of_action[SPEC_ACTIONS_MAX], taken_of_action[SPEC_ACTIONS_MAX];
};

/* ---- what the runs took ---------------------------------------------------------------------- */

static void keep(void *ctx, uint64_t key, uint64_t runs)
{
    (void)runs;
    map_put(ctx, key, 0);
}

static bool read_runs(const struct request *request, struct map *taken, char *error,
                      size_t error_bytes)
{
    struct record *record = record_open(request->db, RECORD_READ, error, error_bytes);
    const bool good =
        record != NULL && record_coverage(record, COVERAGE_EDGE, keep, taken, error, error_bytes);
    record_close(record);
    return good;
}

/* ---- one configuration ----------------------------------------------------------------------- */

/* Runs are followed an actor at a time. */
static bool has_one_actor(const struct spec_instance *instance)
{
    for (uint32_t i = 0; i < instance->model->constant_count; i++) {
        if (strcmp(instance->model->constants[i].name, "Devices") == 0 && instance->k[i] != 1) {
            return false;
        }
    }
    return true;
}

static void count(const struct spec_graph *graph, const struct map *taken, uint64_t print,
                  struct tally *tally)
{
    const struct spec_instance *instance = graph->instance;
    int32_t state[SPEC_STATE_WORDS_MAX];
    struct spec_ways ways;
    char text[SPEC_MOVE_BYTES];
    spec_ways_make(&ways, graph);
    for (uint32_t i = 0; i < graph->states.count; i++) {
        const int32_t *cells = spec_states_at(&graph->states, i);
        spec_scatter(instance, cells, state);
        for (uint64_t way = ways.begins[i]; way < ways.begins[i + 1]; way++) {
            const struct spec_move *move = &instance->moves[ways.moves[way]];
            const uint64_t key = coverage_edge_key(instance->model, instance->k, state, move);
            const bool is_taken = map_find(taken, key) != MAP_NONE;
            tally->edges++;
            tally->of_action[move->action]++;
            tally->taken += is_taken ? 1 : 0;
            tally->taken_of_action[move->action] += is_taken ? 1 : 0;
            if (!is_taken && print > 0) {
                print--;
                spec_print_move(instance, move, text, sizeof text);
                printf("not taken: %s in\n", text);
                spec_print_state(instance, cells, stdout);
            }
        }
    }
    spec_ways_free(&ways);
}

static void print_tally(const struct spec_instance *instance, const struct tally *tally)
{
    printf("%-12s %-16s %9" PRIu64 " edges %9" PRIu64 " taken\n", instance->model->name,
           instance->name, tally->edges, tally->taken);
    for (uint32_t i = 0; i < instance->model->action_count; i++) {
        if (tally->of_action[i] > 0) {
            printf("  %-26s %9" PRIu64 "       %9" PRIu64 "\n", instance->actions[i].name,
                   tally->of_action[i], tally->taken_of_action[i]);
        }
    }
}

static void add_json(cJSON *array, const struct spec_instance *instance, const struct tally *tally)
{
    cJSON *entry = cJSON_CreateObject(), *actions = cJSON_CreateArray();
    json_text(entry, "law", instance->model->name);
    json_text(entry, "config", instance->name);
    json_number(entry, "edges", tally->edges);
    json_number(entry, "taken", tally->taken);
    for (uint32_t i = 0; i < instance->model->action_count; i++) {
        if (tally->of_action[i] > 0) {
            cJSON *action = cJSON_CreateObject();
            json_text(action, "action", instance->actions[i].name);
            json_number(action, "edges", tally->of_action[i]);
            json_number(action, "taken", tally->taken_of_action[i]);
            cJSON_AddItemToArray(actions, action);
        }
    }
    cJSON_AddItemToObject(entry, "actions", actions);
    cJSON_AddItemToArray(array, entry);
}

static bool look(const struct request *request, const struct spec_folder *folder,
                 const struct spec_config *config, const struct map *taken, cJSON *array,
                 char *error, size_t error_bytes)
{
    struct spec_instance instance;
    struct spec_graph graph = {0};
    struct tally tally = {0};
    if (!spec_instance_init(&instance, folder->model, config, error, error_bytes)) {
        return false;
    }
    if (!has_one_actor(&instance)) {
        return true;
    }
    const bool good = spec_explore(&graph, &instance, SPEC_STATES_MAX, error, error_bytes);
    if (good) {
        count(&graph, taken, array == NULL ? request->print : 0, &tally);
        if (array != NULL) {
            add_json(array, &instance, &tally);
        } else {
            print_tally(&instance, &tally);
        }
    }
    spec_graph_free(&graph);
    return good;
}

/* ---- the whole ------------------------------------------------------------------------------- */

static int look_at_all(const struct spec_call *call, const struct request *request)
{
    char error[2048];
    struct map taken;
    bool good;
    map_init(&taken);
    cJSON *object = call->json ? cJSON_CreateObject() : NULL;
    cJSON *array = call->json ? cJSON_AddArrayToObject(object, "edges") : NULL;
    good = read_runs(request, &taken, error, sizeof error);
    for (uint32_t f = 0; f < call->folder_count; f++) {
        const struct spec_folder *folder = &call->folders[f];
        for (uint32_t i = 0; i < folder->config_count && good; i++) {
            const struct spec_config *config = &folder->configs[i];
            if (request->config == NULL ? config->role == SPEC_ROLE_CHECK
                                        : strcmp(request->config, config->name) == 0) {
                good = look(request, folder, config, &taken, array, error, sizeof error);
            }
        }
    }
    map_free(&taken);
    if (object != NULL) {
        json_print(stdout, object);
    }
    return good ? VERDICT_PASS : command_refuse("spec edges", error);
}

int command_spec_edges(int argc, char **argv)
{
    static struct spec_call call;
    struct request request = {.db = RECORD_FILE};
    const struct option options[] = {
        {.name = "--db",
         .kind = OPTION_TEXT,
         .target = &request.db,
         .value = "FILE",
         .doc = "the run database (" RECORD_FILE ")"},
        {.name = "--config",
         .kind = OPTION_TEXT,
         .target = &request.config,
         .value = "NAME",
         .doc = "of this configuration; otherwise of each MC*.cfg"},
        {.name = "--print",
         .kind = OPTION_COUNT,
         .target = &request.print,
         .min = 1,
         .max = UINT32_MAX,
         .value = "N",
         .doc = "print so many edges of a configuration that no run took"},
    };
    const struct option_verb verb = {
        .name = "spec edges",
        .doc = "Which edges of a law's graph has no recorded run ever taken?",
        .details =
            "An edge is an action with its parameters, in a whole state of the spec. Runs have\n"
            "edges of it where their constants are those of the configuration\n"
            "(scenarios/small_numbers.lua), and a device until its numbers are used up.\n"
            "Configurations with two actors are passed over: runs are followed one actor at a\n"
            "time.\n",
        .example = "brownout spec edges Telemetry --db runs.db --config MC",
        .options = options,
        .option_count = sizeof options / sizeof options[0],
    };
    int exit_code = VERDICT_PASS;
    memset(&call, 0, sizeof call);
    if (spec_call_begin(&call, &verb, argc, argv, &exit_code)) {
        exit_code = look_at_all(&call, &request);
    }
    spec_call_end(&call);
    return exit_code;
}
