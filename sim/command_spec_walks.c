/* brownout spec walks: walks that take every edge of a law's graph, or the shortest one that breaks
 * a claim. */
#include <cJSON.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "core/check.h"
#include "sim/command.h"
#include "sim/spec_call.h"
#include "sim/spec_drive.h"
#include "sim/spec_undriven.h"
#include "sim/spec_walks.h"

enum { STEPS_DEFAULT = 200, STEPS_MAX = 1000000 };

struct request {
    const char *config;
    uint64_t steps_max, seed, sample;
    bool print, core;
};

static void print_walks(const struct spec_graph *graph, const struct spec_walks *walks)
{
    for (uint32_t w = 0; w < walks->walk_count; w++) {
        uint32_t at = walks->initial[w];
        printf("walk %" PRIu32 "\n", w + 1);
        for (uint32_t i = walks->begins[w]; i < walks->begins[w + 1]; i++) {
            const struct spec_walk_step *step = &walks->steps[i];
            spec_print_step(graph->instance, spec_states_at(&graph->states, at),
                            spec_states_at(&graph->states, step->state),
                            &graph->instance->moves[step->move], stdout);
            at = step->state;
        }
    }
}

static void add_json(cJSON *array, const char *law, const char *name,
                     const struct spec_graph *graph, const struct spec_walks *walks)
{
    cJSON *row = cJSON_CreateObject();
    json_text(row, "law", law);
    json_text(row, "configuration", name);
    json_number(row, "states", graph->states.count);
    json_number(row, "edges", walks->edges);
    json_number(row, "walks", walks->walk_count);
    json_number(row, "steps", walks->step_count);
    cJSON_AddItemToArray(array, row);
}

static bool walk_config(const struct request *request, const struct spec_folder *folder,
                        const struct spec_config *config, cJSON *array, char *error,
                        size_t error_bytes)
{
    static struct spec_instance instance;
    struct spec_graph graph;
    struct spec_walks walks;
    memset(&graph, 0, sizeof graph);
    memset(&walks, 0, sizeof walks);
    bool good = spec_instance_init(&instance, folder->model, config, error, error_bytes) &&
                spec_explore(&graph, &instance, SPEC_STATES_MAX, error, error_bytes);
    const bool bug = config->role == SPEC_ROLE_BUG;
    if (good && bug) {
        good = spec_walks_break(&walks, &graph, config, error, error_bytes);
    } else if (good) {
        spec_walks_cover(&walks, &graph, (uint32_t)request->steps_max);
    }
    if (good && array != NULL) {
        add_json(array, folder->model->name, config->name, &graph, &walks);
    } else if (good) {
        printf("%-12s %-26s %9" PRIu32 " states %9" PRIu64 " edges %7" PRIu32 " walks %9" PRIu32
               " steps\n",
               folder->model->name, config->name, graph.states.count, walks.edges, walks.walk_count,
               walks.step_count);
        if (request->print || bug) {
            print_walks(&graph, &walks);
        }
    }
    spec_walks_free(&walks);
    spec_graph_free(&graph);
    return good;
}

static int walk_all(const struct spec_call *call, const struct request *request)
{
    char error[2048];
    uint32_t found = 0;
    int exit_code = VERDICT_PASS;
    cJSON *object = call->json ? cJSON_CreateObject() : NULL;
    cJSON *array = call->json ? cJSON_AddArrayToObject(object, "walks") : NULL;
    for (uint32_t f = 0; f < call->folder_count && exit_code == VERDICT_PASS; f++) {
        const struct spec_folder *folder = &call->folders[f];
        for (uint32_t i = 0; i < folder->config_count && exit_code == VERDICT_PASS; i++) {
            const struct spec_config *config = &folder->configs[i];
            const bool usual = request->config == NULL && config->role == SPEC_ROLE_CHECK;
            const bool asked =
                request->config != NULL && strcmp(request->config, config->name) == 0;
            if (usual || asked) {
                found++;
                if (!walk_config(request, folder, config, array, error, sizeof error)) {
                    exit_code = command_refuse("spec walks", error);
                }
            }
        }
    }
    if (object != NULL) {
        json_print(stdout, object);
    }
    if (found == 0) {
        snprintf(error, sizeof error, "no law that is meant has a configuration %s.cfg",
                 request->config);
        exit_code = command_refuse("spec walks", error);
    }
    return exit_code;
}

/* Walks without a core, or with it. */
static int walk_or_drive(const struct spec_call *call, const struct request *request)
{
    const struct spec_drive_call drive = {.config = request->config,
                                          .drive = {.seed = request->seed,
                                                    .steps_max = request->steps_max,
                                                    .sample = request->sample}};
    if (request->core) {
        return command_spec_drive(call, &drive);
    }
    if (request->seed != 0 || request->sample != 0) {
        return command_refuse("spec walks",
                              "--seed and --sample say how a core is driven: add --core");
    }
    return walk_all(call, request);
}

int command_spec_walks(int argc, char **argv)
{
    static struct spec_call call;
    struct request request = {.steps_max = STEPS_DEFAULT};
    const struct option options[] = {
        {.name = "--config",
         .kind = OPTION_TEXT,
         .target = &request.config,
         .value = "NAME",
         .doc = "of this configuration; otherwise of each MC*.cfg"},
        {.name = "--steps",
         .kind = OPTION_COUNT,
         .target = &request.steps_max,
         .min = 1,
         .max = STEPS_MAX,
         .value = "N",
         .doc = "a walk ends after so many (200)"},
        {.name = "--print",
         .kind = OPTION_FLAG,
         .target = &request.print,
         .doc = "print every step, and what it changes"},
        {.name = "--core",
         .kind = OPTION_FLAG,
         .target = &request.core,
         .doc = "drive the real core along, and compare it behind each step"},
        {.name = "--seed",
         .kind = OPTION_COUNT,
         .target = &request.seed,
         .min = 0,
         .max = UINT64_MAX,
         .value = "N",
         .doc = "with --core: which edges are taken first (0)"},
        {.name = "--sample",
         .kind = OPTION_COUNT,
         .target = &request.sample,
         .min = 1,
         .max = UINT32_MAX,
         .value = "N",
         .doc = "with --core: stop after so many steps of a configuration"},
    };
    const struct option_verb verb = {
        .name = "spec walks",
        .doc = "Walks that take every edge of a law's graph, from its C model",
        .details =
            "An edge is an action with its parameters, enabled in a reachable state. For a\n"
            "bug_*.cfg it is the shortest walk that breaks its claim, as TLC would find it.\n"
            "\n"
            "With --core the real device, gateway and cloud are driven along, on simulated flash "
            "and\n"
            "disk, and all that can be observed is compared with the spec behind each step. What "
            "a\n"
            "correct core cannot show stands in specs/<Law>/UNDRIVEN, and nothing else does.\n"
            "Exit codes: 0 done, 1 the core left the spec, or UNDRIVEN is not what is undriven, 2 "
            "the\n"
            "call is wrong.\n",
        .example = "brownout spec walks Telemetry --config bug_keep_epoch",
        .options = options,
        .option_count = sizeof options / sizeof options[0],
    };
    int exit_code = VERDICT_PASS;
    memset(&call, 0, sizeof call);
    if (spec_call_begin(&call, &verb, argc, argv, &exit_code)) {
        exit_code = walk_or_drive(&call, &request);
    }
    spec_call_end(&call);
    return exit_code;
}
