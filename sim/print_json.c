/* The same as JSON. Numbers are written with all their digits: a double would lose some. */
#include <cJSON.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "core/check.h"
#include "sim/hash.h"
#include "sim/print.h"

void json_number(struct cJSON *object, const char *name, uint64_t number)
{
    char text[24];
    snprintf(text, sizeof text, "%" PRIu64, number);
    CHECK(cJSON_AddRawToObject(object, name, text) != NULL);
}

void json_seconds(struct cJSON *object, const char *name, uint64_t us)
{
    char text[40];
    snprintf(text, sizeof text, "%" PRIu64 ".%06" PRIu64, us / 1000000, us % 1000000);
    CHECK(cJSON_AddRawToObject(object, name, text) != NULL);
}

void json_text(struct cJSON *object, const char *name, const char *text)
{
    if (text == NULL || text[0] == '\0') {
        CHECK(cJSON_AddNullToObject(object, name) != NULL);
    } else {
        CHECK(cJSON_AddStringToObject(object, name, text) != NULL);
    }
}

void json_print(FILE *file, struct cJSON *object)
{
    char *text = cJSON_PrintUnformatted(object);
    CHECK(text != NULL);
    fprintf(file, "%s\n", text);
    cJSON_free(text);
    cJSON_Delete(object);
}

static struct cJSON *object_in(struct cJSON *object, const char *name)
{
    struct cJSON *inner = cJSON_AddObjectToObject(object, name);
    CHECK(inner != NULL);
    return inner;
}

void json_totals(struct cJSON *object, const struct totals *totals)
{
    struct cJSON *laws = object_in(object, "laws");
    for (unsigned i = 0; i < LAW_COUNT; i++) {
        struct cJSON *law = object_in(laws, law_name((enum law)i));
        json_number(law, "exercised", totals->exercised[i]);
        json_number(law, "void", totals->is_void[i]);
        json_number(law, "broken", totals->broken[i]);
    }
    struct cJSON *figures = object_in(object, "figures");
    for (unsigned i = 0; i < FIGURE_COUNT; i++) {
        if (totals->told[i] > 0) {
            json_number(figures, figure_name((enum figure)i), totals->figures[i]);
        } else {
            json_text(figures, figure_name((enum figure)i), ""); /* null */
        }
    }
    struct cJSON *faults = object_in(object, "faults");
    for (unsigned i = 0; i < EFFECT_COUNT; i++) {
        struct cJSON *fault = object_in(faults, effect_info((enum effect)i).name);
        json_number(fault, "filed", totals->filed[i]);
        json_number(fault, "fired", totals->fired[i]);
    }
    struct cJSON *probes = object_in(object, "probes");
    for (unsigned i = 0; i < PROBE_COUNT; i++) {
        json_number(probes, probe_name((enum probe)i), totals->probes[i]);
    }
}

static void add_violation(struct cJSON *list, const struct run_result *result)
{
    const struct violation *violation = &result->violation;
    const struct observation *observation = &violation->observation;
    char node[32], device[32];
    struct cJSON *object = cJSON_CreateObject();
    CHECK(object != NULL);
    fleet_node_name(&result->plan.settings, observation->node, node, sizeof node);
    fleet_node_name(&result->plan.settings, observation->device, device, sizeof device);
    json_text(object, "law", law_name(violation->law));
    json_text(object, "statement", law_statement(violation->law));
    json_text(object, "what", violation->what);
    json_number(object, "expected", violation->expected);
    json_number(object, "actual", violation->actual);
    json_number(object, "event", observation->event);
    json_seconds(object, "time_s", observation->time_us);
    json_text(object, "node", observation->node == 0 ? NULL : node);
    json_text(object, "device", observation->device == 0 ? NULL : device);
    json_number(object, "epoch", observation->epoch);
    json_number(object, "counter", observation->counter);
    json_text(object, "check", result->check_text);
    CHECK(cJSON_AddItemToArray(list, object));
}

void print_report_json(FILE *file, const struct report *report)
{
    const struct run_result *result = report->result;
    struct totals totals;
    char hash[HASH_TEXT_BYTES] = "", plan_hash[HASH_TEXT_BYTES] = "";
    struct cJSON *object = cJSON_CreateObject();
    CHECK(object != NULL);
    if (result->events > 0) {
        hash_print(result->digest, hash);
        hash_print(result->plan_digest, plan_hash);
    }
    if (report->run_id == 0) {
        CHECK(cJSON_AddNullToObject(object, "run_id") != NULL);
    } else {
        json_number(object, "run_id", (uint64_t)report->run_id);
    }
    json_text(object, "scenario", report->scenario);
    json_number(object, "seed", report->seed);
    json_text(object, "verdict", verdict_name(result->verdict));
    json_text(object, "message", result->message);
    CHECK(cJSON_AddBoolToObject(object, "stopped", report->stopped) != NULL);
    json_text(object, "hash", hash);
    json_text(object, "plan_hash", plan_hash);
    json_number(object, "events", result->events);
    json_seconds(object, "sim_s", result->sim_us);
    json_seconds(object, "wall_s", result->wall_us);
    struct cJSON *violations = cJSON_AddArrayToObject(object, "violations");
    CHECK(violations != NULL);
    if (result->violated) {
        add_violation(violations, result);
    }
    memset(&totals, 0, sizeof totals);
    totals_add(&totals, result);
    json_totals(object, &totals);
    json_text(object, "build", report->build);
    json_text(object, "db", report->db);
    json_text(object, "replay", report->replay);
    json_print(file, object);
}
