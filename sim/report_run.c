#include "sim/report_run.h"

#include <cJSON.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/check.h"
#include "sim/print.h"
#include "sim/record_rows.h"
#include "sim/report_watch.h"
#include "sim/status.h"
#include "sim/witness.h"

/* ---- its plan -------------------------------------------------------------------------------- */

static cJSON *add_array(cJSON *object, const char *name)
{
    cJSON *array = cJSON_AddArrayToObject(object, name);
    CHECK(array != NULL);
    return array;
}

static void add_nodes(cJSON *object, const struct settings *settings)
{
    cJSON *nodes = add_array(object, "nodes");
    const uint32_t count = fleet_node_count(settings);
    for (uint32_t node = 0; node <= count; node++) {
        char name[32] = "";
        if (node > 0) {
            fleet_node_name(settings, node, name, sizeof name);
        }
        CHECK(cJSON_AddItemToArray(nodes, cJSON_CreateString(name)));
    }
}

/* What the page draws of an entry; how it reads is in the plan's text, line by line. */
static void add_entries(cJSON *object, const struct plan *plan)
{
    cJSON *entries = add_array(object, "entries");
    for (uint32_t i = 0; i < plan->entry_count; i++) {
        const struct plan_entry *entry = &plan->entries[i];
        const struct effect_info info = effect_info(entry->effect);
        cJSON *item = cJSON_CreateObject();
        CHECK(item != NULL);
        json_text(item, "effect", info.name);
        json_number(item, "target", entry->target);
        if (info.target == EFFECT_TARGET_PAIR && entry->other != PLAN_ANY) {
            json_number(item, "other", entry->other);
        }
        CHECK(cJSON_AddItemToArray(entries, item));
    }
}

static void add_text(cJSON *object, const char *title, const char *text)
{
    cJSON *texts = cJSON_GetObjectItem(object, "texts");
    cJSON *item = cJSON_CreateObject();
    if (texts == NULL) {
        texts = add_array(object, "texts");
    }
    CHECK(item != NULL);
    json_text(item, "title", title);
    json_text(item, "text", text);
    CHECK(cJSON_AddItemToArray(texts, item));
}

static void add_plan(cJSON *object, const struct plan *plan)
{
    char *text = witness_plan_text(plan);
    add_nodes(object, &plan->settings);
    add_entries(object, plan);
    add_text(object, "plan", text);
    free(text);
}

/* ---- lived again ----------------------------------------------------------------------------- */

/* NULL: it is another history, or none; note says which. */
static cJSON *live(const struct subject *subject, char *note, size_t note_bytes)
{
    struct run_request request;
    struct command_settings settings;
    struct run_result result;
    struct status status;
    struct report_watch watch;
    cJSON *object = NULL;
    subject_request(subject, &request, &settings);
    report_watch_init(&watch);
    report_watch_request(&watch, &request);
    request.progress = command_progress;
    request.progress_ctx = &status;
    status_begin(&status);
    run(&request, &result);
    status_clear(&status);
    if (result.events == 0) {
        snprintf(note, note_bytes, "it cannot be lived again: %s", result.message);
    } else if (subject_compare(subject, &result, note, note_bytes) == SUBJECT_SAME) {
        object = cJSON_CreateObject();
        CHECK(object != NULL);
        json_text(object, "source", "lived");
        add_plan(object, &result.plan);
        report_watch_json(&watch, object);
    }
    run_result_free(&result);
    report_watch_free(&watch);
    return object;
}

/* ---- what is stored -------------------------------------------------------------------------- */

struct stored {
    struct report_watch watch;
    const struct settings *settings;
};

static const char *said_name(uint32_t what)
{
    return world_said_name(what);
}

static const char *effect_name(uint32_t what)
{
    return effect_info((enum effect)what).name;
}

static const char *event_name(uint32_t what)
{
    return world_event_name(what);
}

static const char *operation_name(uint32_t what)
{
    return port_operation_name(what);
}

static const struct {
    const char *kind, *before; /* before: its name in the line */
    enum world_item_kind item;
    uint32_t first, count;
    const char *(*name)(uint32_t what);
} item_kinds[] = {
    {"event", "-- ", ITEM_EVENT, 0, WORLD_KIND_COUNT, event_name},
    {"operation", "", ITEM_OPERATION, 0, OPERATION_COUNT, operation_name},
    {"evidence", "", ITEM_EVIDENCE, 0, EVIDENCE_COUNT, said_name},
    {"effect", "*** ", ITEM_EFFECT, 0, EFFECT_COUNT, effect_name},
    {"truth", "*** ", ITEM_TRUTH, TRUTH_FIRST, TRUTH_COUNT - TRUTH_FIRST, said_name},
};

/* A row has no number of what it is, but its name stands in its line, behind event, time and node.
 * Of several names that fit the longest is meant. */
static bool read_what(const char *kind, const char *line, struct world_item *item)
{
    for (int word = 0; word < 3; word++) {
        line += strspn(line, " ");
        line += strcspn(line, " ");
    }
    line += strspn(line, " ");
    size_t best = 0;
    for (unsigned k = 0; k < sizeof item_kinds / sizeof item_kinds[0]; k++) {
        const size_t skip = strlen(item_kinds[k].before);
        if (strcmp(kind, item_kinds[k].kind) != 0 ||
            strncmp(line, item_kinds[k].before, skip) != 0) {
            continue;
        }
        for (uint32_t i = 0; i < item_kinds[k].count; i++) {
            const char *name = item_kinds[k].name(item_kinds[k].first + i);
            const size_t length = strlen(name);
            if (length > best && strncmp(line + skip, name, length) == 0) {
                best = length;
                item->kind = item_kinds[k].item;
                item->what = item_kinds[k].first + i;
            }
        }
    }
    return best > 0;
}

static bool see_item(void *ctx, const struct record_row *row)
{
    struct stored *stored = ctx;
    struct world_item item = {.event = (uint64_t)row->numbers[0],
                              .time_us = (uint64_t)row->numbers[1],
                              .node = fleet_node_find(stored->settings, row->texts[2]),
                              .a = (uint32_t)row->numbers[4],
                              .b = (uint32_t)row->numbers[5],
                              .result = row->numbers[6],
                              .counter = (uint64_t)row->numbers[7],
                              .value = (uint64_t)row->numbers[8]};
    if (read_what(row->texts[3], row->texts[9], &item)) {
        report_watch_item(&stored->watch, &item);
    }
    return true;
}

static cJSON *read_stored(const struct subject *subject, const char *db, char *error,
                          size_t error_bytes)
{
    struct plan plan = {0};
    struct stored stored = {.settings = &plan.settings};
    cJSON *object = NULL;
    CHECK(subject->found.plan != NULL);
    bool good = plan_read_text(&plan, subject->found.plan, error, error_bytes);
    struct record *record = good ? record_open(db, RECORD_READ, error, error_bytes) : NULL;
    report_watch_init(&stored.watch);
    good = record != NULL &&
           record_rows(record,
                       "SELECT event, time_us, node, kind, a, b, result, counter, value, text "
                       "FROM event WHERE run = ?1 ORDER BY ordinal",
                       subject->run_id, 0, see_item, &stored, error, error_bytes);
    if (good) {
        object = cJSON_CreateObject();
        CHECK(object != NULL);
        json_text(object, "source", "stored");
        add_plan(object, &plan);
        report_watch_json(&stored.watch, object);
    }
    record_close(record);
    report_watch_free(&stored.watch);
    plan_free(&plan);
    return object;
}

cJSON *report_run(const struct subject *subject, const char *db)
{
    char note[sizeof((struct run_result *)NULL)->message + 64];
    snprintf(note, sizeof note, "it did not come to its end, and is not lived again");
    cJSON *object = NULL;
    if (subject->found.hash[0] != '\0') {
        object = live(subject, note, sizeof note);
    }
    if (object == NULL) {
        char why[RECORD_ERROR_BYTES] = "";
        object = read_stored(subject, db, why, sizeof why);
        if (object == NULL) {
            object = cJSON_CreateObject();
            CHECK(object != NULL);
            json_text(object, "source", "none");
            snprintf(note, sizeof note, "%s", why);
        }
    }
    json_number(object, "run", (uint64_t)subject->run_id);
    json_text(object, "note", note);
    return object;
}
