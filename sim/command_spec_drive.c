/* brownout spec walks --core: the real core along every edge of a law's graph. */
#include <cJSON.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "core/check.h"
#include "sim/command.h"
#include "sim/spec_call.h"
#include "sim/spec_undriven.h"

/* One law: its driver, and which lines of UNDRIVEN have been needed. */
struct drive_law {
    const struct spec_folder *folder;
    const struct driver *driver;
    struct undriven listed;
    bool needed[UNDRIVEN_LINES_MAX];
    bool whole; /* all that was driven was driven to the end */
};

static double now_s(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void print_row(const struct drive_law *law, const struct spec_instance *instance,
                      const struct drive_report *report, double seconds, cJSON *array)
{
    if (array == NULL) {
        printf("%-12s %-12s %8" PRIu64 " edges %8" PRIu64 " driven %7" PRIu64 " undriven %7" PRIu64
               " beyond %8" PRIu64 " sites %7" PRIu64 " walks %9" PRIu64 " steps %7.1f s%s\n",
               law->folder->model->name, instance->name, report->edges, report->driven,
               report->undriven, report->beyond, report->sites, report->walks, report->steps,
               seconds, report->whole ? "" : "  (a sample)");
        return;
    }
    cJSON *row = cJSON_CreateObject();
    json_text(row, "law", law->folder->model->name);
    json_text(row, "configuration", instance->name);
    json_number(row, "edges", report->edges);
    json_number(row, "driven", report->driven);
    json_number(row, "undriven", report->undriven);
    json_number(row, "beyond", report->beyond);
    json_number(row, "sites", report->sites);
    json_number(row, "walks", report->walks);
    json_number(row, "steps", report->steps);
    cJSON_AddItemToObject(row, "whole", cJSON_CreateBool(report->whole));
    cJSON_AddItemToObject(row, "seconds", cJSON_CreateNumber(seconds));
    cJSON_AddItemToArray(array, row);
}

/* Each edge that no history of the core shows is listed. In a sample another history may show it
 * yet. */
static bool check_reasons(struct drive_law *law, const struct spec_graph *graph,
                          const struct drive_report *report)
{
    const struct spec_instance *instance = graph->instance;
    bool good = true;
    for (uint32_t i = 0; i < report->reason_count; i++) {
        const struct drive_reason *reason = &report->reasons[i];
        const uint32_t line = undriven_find(&law->listed, reason->action, reason->why);
        char move[SPEC_MOVE_BYTES];
        if (reason->edges == 0) {
            continue;
        }
        if (line != UINT32_MAX) {
            law->needed[line] = true;
        } else if (report->whole) {
            good = false;
            spec_print_move(instance, &instance->moves[reason->move], move, sizeof move);
            fprintf(stderr,
                    "%s does not list what was refused on %" PRIu64 " edges, such as %s in\n",
                    law->listed.path, reason->edges, move);
            spec_print_state(instance, spec_states_at(&graph->states, reason->state), stderr);
            fprintf(stderr, "  drive it, or add the line\n%s: %s\n",
                    instance->actions[reason->action].name, reason->why);
        }
    }
    if (report->strayed) {
        good = false;
        fprintf(stderr,
                "%s, %s: one move led from one site to two; the driver's key must tell "
                "them apart\n",
                instance->model->name, instance->name);
    }
    return good;
}

static int drive_config(struct drive_law *law, const struct spec_drive_call *request,
                        const struct spec_config *config, cJSON *array)
{
    static struct spec_instance instance;
    static struct drive_report report;
    struct spec_graph graph;
    char error[2048];
    int exit_code = VERDICT_PASS;
    memset(&graph, 0, sizeof graph);
    const bool good =
        spec_instance_init(&instance, law->folder->model, config, error, sizeof error) &&
        spec_explore(&graph, &instance, SPEC_STATES_MAX, error, sizeof error) &&
        undriven_read(&law->listed, law->folder, &instance, error, sizeof error);
    const double begin_s = now_s();
    const enum drive_end end = good ? spec_drive_cover(law->driver, &graph, &request->drive,
                                                       &report, stderr, error, sizeof error)
                                    : DRIVE_END_REFUSED;
    if (end == DRIVE_END_REFUSED) {
        exit_code = command_refuse("spec walks", error);
    } else {
        print_row(law, &instance, &report, now_s() - begin_s, array);
        const bool listed = end == DRIVE_END_GOOD && check_reasons(law, &graph, &report);
        exit_code = listed ? VERDICT_PASS : VERDICT_FAIL;
        law->whole = law->whole && report.whole;
    }
    spec_graph_free(&graph);
    return exit_code;
}

/* A line that nothing needs hides what it does not mean to. Only the whole can tell. */
static int check_lines(const struct drive_law *law)
{
    int exit_code = VERDICT_PASS;
    for (uint32_t i = 0; law->whole && i < law->listed.count; i++) {
        if (!law->needed[i]) {
            fprintf(stderr, "%s:%" PRIu32 ": no edge needs this line: take it out\n",
                    law->listed.path, law->listed.lines[i].number);
            exit_code = VERDICT_FAIL;
        }
    }
    return exit_code;
}

static int drive_law(const struct spec_folder *folder, const struct driver *driver,
                     const struct spec_drive_call *request, cJSON *array, uint32_t *found)
{
    static struct drive_law law;
    int exit_code = VERDICT_PASS;
    memset(&law, 0, sizeof law);
    law.folder = folder;
    law.driver = driver;
    law.whole = request->config == NULL;
    for (uint32_t i = 0; i < folder->config_count && exit_code == VERDICT_PASS; i++) {
        const struct spec_config *config = &folder->configs[i];
        if (request->config == NULL ? config->role == SPEC_ROLE_CHECK
                                    : strcmp(request->config, config->name) == 0) {
            (*found)++;
            exit_code = drive_config(&law, request, config, array);
        }
    }
    return exit_code == VERDICT_PASS ? check_lines(&law) : exit_code;
}

int command_spec_drive(const struct spec_call *call, const struct spec_drive_call *request)
{
    char error[2048];
    uint32_t found = 0;
    int exit_code = VERDICT_PASS;
    cJSON *object = call->json ? cJSON_CreateObject() : NULL;
    cJSON *array = call->json ? cJSON_AddArrayToObject(object, "driven") : NULL;
    for (uint32_t i = 0; i < call->folder_count && exit_code == VERDICT_PASS; i++) {
        const struct spec_folder *folder = &call->folders[i];
        const struct driver *driver = driver_of(folder->model->name);
        if (driver != NULL) {
            exit_code = drive_law(folder, driver, request, array, &found);
        } else if (call->law != NULL) {
            snprintf(error, sizeof error, "no driver takes the core along %s", call->law);
            exit_code = command_refuse("spec walks", error);
        }
    }
    if (object != NULL) {
        json_print(stdout, object);
    }
    if (exit_code == VERDICT_PASS && found == 0) {
        snprintf(error, sizeof error, "no law that has a driver has a configuration %s.cfg",
                 request->config == NULL ? "MC*" : request->config);
        exit_code = command_refuse("spec walks", error);
    }
    return exit_code;
}
