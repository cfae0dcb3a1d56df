/* Rows of a run database: one run, one transaction. */
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "build_id.h"
#include "core/check.h"
#include "models/spec.h"
#include "sim/record_inside.h"

/* ---- which program this is ------------------------------------------------------------------- */

void record_file_hash(const char *path, char text[HASH_TEXT_BYTES])
{
    struct hash hash;
    uint64_t digest[2];
    uint8_t bytes[4096];
    size_t size;
    FILE *file = fopen(path, "rb");
    text[0] = '\0';
    if (file == NULL) {
        return;
    }
    hash_init(&hash, true, false);
    while ((size = fread(bytes, 1, sizeof bytes, file)) > 0) {
        hash_bytes(&hash, bytes, (uint32_t)size);
    }
    if (ferror(file) == 0) {
        hash_digest(&hash, digest);
        hash_print(digest, text);
    }
    hash_free(&hash);
    fclose(file);
}

void record_build(struct record_build *build)
{
    build->commit = BUILD_COMMIT;
    build->compiler = BUILD_COMPILER;
    build->type = BUILD_TYPE;
    build->sqlite_version = sqlite3_libversion();
    build->sqlite_source = sqlite3_sourceid();
    record_file_hash("/proc/self/exe", build->program);
}

/* ---- values ---------------------------------------------------------------------------------- */

/* A row under way: the first thing that goes wrong is kept, the rest is not tried. */
struct row {
    struct record *record;
    sqlite3_stmt *statement;
    int index;
    bool good;
};

static struct row row_begin(struct record *record, enum record_statement which)
{
    sqlite3_stmt *statement = record_statement(record, which);
    return (struct row){record, statement, 0, statement != NULL};
}

static void row_number(struct row *row, uint64_t number)
{
    row->good =
        row->good && sqlite3_bind_int64(row->statement, ++row->index, (int64_t)number) == SQLITE_OK;
}

/* NULL text: NULL. */
static void row_text(struct row *row, const char *text)
{
    row->good = row->good && sqlite3_bind_text(row->statement, ++row->index, text, -1,
                                               SQLITE_TRANSIENT) == SQLITE_OK;
}

static void row_bytes(struct row *row, const void *bytes, size_t size_bytes)
{
    row->good = row->good && sqlite3_bind_blob64(row->statement, ++row->index, bytes, size_bytes,
                                                 SQLITE_TRANSIENT) == SQLITE_OK;
}

static bool row_write(struct row *row)
{
    return row->good && sqlite3_step(row->statement) == SQLITE_DONE;
}

/* ---- the parts of a run ---------------------------------------------------------------------- */

static bool write_build(struct record *record)
{
    static const enum record_statement both[] = {RECORD_BUILD_ADD, RECORD_BUILD_FIND};
    struct record_build build;
    if (record->build != 0) {
        return true;
    }
    record_build(&build);
    for (unsigned i = 0; i < 2; i++) {
        struct row row = row_begin(record, both[i]);
        row_text(&row, build.commit);
        row_text(&row, build.compiler);
        row_text(&row, build.type);
        row_text(&row, build.sqlite_source);
        row_text(&row, build.program);
        if (!row.good) {
            return false;
        }
        const int stepped = sqlite3_step(row.statement);
        if (stepped != (both[i] == RECORD_BUILD_ADD ? SQLITE_DONE : SQLITE_ROW)) {
            return false;
        }
        if (both[i] == RECORD_BUILD_FIND) {
            record->build = sqlite3_column_int64(row.statement, 0);
        }
        sqlite3_reset(row.statement);
    }
    return true;
}

static void add_drawn(void *ctx, const char *key, const char *value)
{
    fprintf(ctx, "%s=%s\n", key, value);
}

/* To be freed. */
static char *drawn_text(const struct run_result *result)
{
    char *text = NULL;
    size_t size;
    FILE *file = open_memstream(&text, &size);
    CHECK(file != NULL);
    if (result->swarm) {
        settings_each(&result->plan.settings, add_drawn, file);
    }
    CHECK(fclose(file) == 0);
    return text;
}

static bool write_run(struct record *record, const struct record_run *run, int64_t *id)
{
    char hash[HASH_TEXT_BYTES], plan_hash[HASH_TEXT_BYTES], at[32] = "";
    const struct run_result *result = run->result;
    const time_t now = time(NULL);
    const bool lived = result->events > 0;
    struct tm utc;
    char *drawn = drawn_text(result);
    if (gmtime_r(&now, &utc) != NULL) {
        strftime(at, sizeof at, "%Y-%m-%dT%H:%M:%SZ", &utc);
    }
    hash_print(result->digest, hash);
    hash_print(result->plan_digest, plan_hash);
    struct row row = row_begin(record, RECORD_RUN);
    row_number(&row, (uint64_t)record->build);
    row_text(&row, at);
    row_text(&row, run->scenario);
    row_text(&row, run->scenario_hash);
    row_text(&row, result->question);
    row_text(&row, run->settings);
    row_text(&row, drawn);
    row_number(&row, run->seed);
    row_text(&row, verdict_name(result->verdict));
    row_text(&row, result->message);
    row_text(&row, lived ? hash : NULL);
    row_text(&row, lived ? plan_hash : NULL);
    row_number(&row, result->events);
    row_number(&row, result->sim_us);
    row_number(&row, result->wall_us);
    row_text(&row, run_ending_name(result->ending));
    row_number(&row, result->memory_bytes);
    row_number(&row, result->live_expectation ? 1 : 0);
    const bool good = row_write(&row);
    free(drawn);
    *id = sqlite3_last_insert_rowid(record->database);
    return good;
}

static const struct spec_model *spec_named(const char *name)
{
    uint32_t index = 0;
    while (index + 1 < spec_count() && strcmp(spec_at(index)->name, name) != 0) {
        index++;
    }
    return spec_at(index);
}

/* What the specs that judge runs were led through. */
static bool write_steps(struct record *record, const struct run_result *result, int64_t id)
{
    const int32_t k[SPEC_CONSTANTS_MAX] = {0};
    struct spec_action actions[SPEC_ACTIONS_MAX];
    bool good = true;
    for (uint32_t spec = 0; good && spec < RUN_SPECS; spec++) {
        const struct spec_model *model = spec_named(run_specs[spec]);
        model->actions(k, actions);
        for (uint32_t i = 0; good && i < model->action_count; i++) {
            struct row row = row_begin(record, RECORD_STEP);
            row_number(&row, (uint64_t)id);
            row_text(&row, model->name);
            row_text(&row, actions[i].name);
            row_number(&row, result->steps[spec][i]);
            good = row_write(&row);
        }
    }
    return good;
}

/* Into what all runs showed; *fresh: it is the first one. */
static bool write_key(struct record *record, const char *kind, uint64_t key, int64_t id,
                      bool *fresh)
{
    struct row row = row_begin(record, RECORD_COVERAGE_KEY);
    row_text(&row, kind);
    row_number(&row, key);
    row_number(&row, (uint64_t)id);
    const bool good = row.good && sqlite3_step(row.statement) == SQLITE_ROW;
    *fresh = good && sqlite3_column_int64(row.statement, 0) == 1;
    return good && sqlite3_step(row.statement) == SQLITE_DONE;
}

bool record_write_coverage(struct record *record, const char *kind, const struct coverage_set *set,
                           int64_t id)
{
    char outcome[HASH_TEXT_BYTES];
    uint64_t digest[2], fresh_count = 0;
    size_t size_bytes;
    bool good = true;
    for (uint32_t i = 0; good && i < set->count; i++) {
        bool fresh;
        good = write_key(record, kind, set->keys[i], id, &fresh);
        fresh_count += fresh ? 1 : 0;
    }
    uint8_t *packed = coverage_pack(set, &size_bytes);
    hash_once(packed, (uint32_t)size_bytes, digest);
    hash_print(digest, outcome);
    if (good) {
        struct row row = row_begin(record, RECORD_COVERAGE);
        row_number(&row, (uint64_t)id);
        row_text(&row, kind);
        row_number(&row, set->count);
        row_number(&row, fresh_count);
        row_text(&row, outcome);
        row_bytes(&row, packed, size_bytes);
        good = row_write(&row);
    }
    free(packed);
    return good;
}

static bool write_counts(struct record *record, const struct run_result *result, int64_t id)
{
    bool good = write_steps(record, result, id);
    for (unsigned i = 0; good && i < COVERAGE_KIND_COUNT; i++) {
        const struct coverage_set *set = &result->coverage[i];
        good = set->count == 0 ||
               record_write_coverage(record, coverage_kind_name((enum coverage_kind)i), set, id);
    }
    for (unsigned i = 0; good && i < LAW_COUNT; i++) {
        struct row row = row_begin(record, RECORD_LAW);
        row_number(&row, (uint64_t)id);
        row_text(&row, law_name((enum law)i));
        row_number(&row, result->exercised[i]);
        row_number(&row, result->is_void[i] ? 1 : 0);
        row_number(&row, result->violated && result->violation.law == (enum law)i ? 1 : 0);
        good = row_write(&row);
    }
    for (unsigned i = 0; good && i < EFFECT_COUNT; i++) {
        struct row row = row_begin(record, RECORD_FAULT);
        row_number(&row, (uint64_t)id);
        row_text(&row, effect_info((enum effect)i).name);
        row_number(&row, result->filed[i]);
        row_number(&row, result->fired[i]);
        good = row_write(&row);
    }
    for (unsigned i = 0; good && i < PROBE_COUNT; i++) {
        struct row row = row_begin(record, RECORD_PROBE);
        row_number(&row, (uint64_t)id);
        row_text(&row, probe_name((enum probe)i));
        row_number(&row, result->probes[i]);
        good = row_write(&row);
    }
    for (unsigned i = 0; good && i < FIGURE_COUNT; i++) {
        if (result->figures[i] == FIGURE_UNKNOWN) {
            continue;
        }
        struct row row = row_begin(record, RECORD_FIGURE);
        row_number(&row, (uint64_t)id);
        row_text(&row, figure_name((enum figure)i));
        row_number(&row, result->figures[i]);
        good = row_write(&row);
    }
    return good;
}

static bool write_violation(struct record *record, const struct run_result *result, int64_t id)
{
    const struct violation *violation = &result->violation;
    const struct observation *observation = &violation->observation;
    const struct settings *settings = &result->plan.settings;
    char node[32], device[32];
    fleet_node_name(settings, observation->node, node, sizeof node);
    fleet_node_name(settings, observation->device, device, sizeof device);
    struct row row = row_begin(record, RECORD_VIOLATION);
    row_number(&row, (uint64_t)id);
    row_text(&row, law_name(violation->law));
    row_text(&row, violation->what);
    row_number(&row, violation->expected);
    row_number(&row, violation->actual);
    row_number(&row, observation->event);
    row_number(&row, observation->time_us);
    row_text(&row, node);
    row_text(&row, device);
    row_number(&row, observation->epoch);
    row_number(&row, observation->counter);
    row_text(&row, result->check_text);
    return row_write(&row);
}

static bool write_plan(struct record *record, const char *text, int64_t id)
{
    struct row row = row_begin(record, RECORD_PLAN);
    row_number(&row, (uint64_t)id);
    row_text(&row, text);
    return row_write(&row);
}

/* ---- events ---------------------------------------------------------------------------------- */

struct events {
    struct record *record;
    const struct settings *settings;
    uint64_t run, ordinal;
    bool good;
};

static void write_event(void *ctx, const struct world_item *item)
{
    struct events *events = ctx;
    char text[256], node[32];
    if (!events->good) {
        return;
    }
    world_item_print(events->settings, item, text, sizeof text);
    fleet_node_name(events->settings, item->node, node, sizeof node);
    struct row row = row_begin(events->record, RECORD_EVENT);
    row_number(&row, events->run);
    row_number(&row, events->ordinal++);
    row_number(&row, item->event);
    row_number(&row, item->time_us);
    row_text(&row, node);
    row_text(&row, world_item_kind_name(item->kind));
    row_number(&row, item->a);
    row_number(&row, item->b);
    row_number(&row, (uint64_t)item->result);
    row_number(&row, item->counter);
    row_number(&row, item->value);
    row_text(&row, text);
    events->good = row_write(&row);
}

/* The last two: the temporary file of the trace, then the database. */
enum events_outcome { EVENTS_WRITTEN, EVENTS_UNREADABLE, EVENTS_REFUSED };

static enum events_outcome write_events(struct record *record, int64_t id,
                                        const struct settings *settings, struct trace *trace)
{
    struct events events = {record, settings, (uint64_t)id, 0, true};
    events.ordinal = trace->count - trace_kept(trace);
    const bool read = trace_each(trace, write_event, &events);
    return !events.good ? EVENTS_REFUSED : read ? EVENTS_WRITTEN : EVENTS_UNREADABLE;
}

/* ---- transactions ---------------------------------------------------------------------------- */

static bool finish(struct record *record, bool good, enum events_outcome events, char *error,
                   size_t error_bytes)
{
    if (good && events == EVENTS_WRITTEN && record_exec(record, "COMMIT")) {
        return true;
    }
    if (good && events == EVENTS_UNREADABLE) {
        snprintf(error, error_bytes,
                 "the temporary file of the trace is not whole: make room "
                 "where temporary files live");
    } else {
        record_explain(record, error, error_bytes);
    }
    record->build = 0; /* its row may be undone with the rest */
    (void)record_exec(record, "ROLLBACK");
    return false;
}

int64_t record_write(struct record *record, const struct record_run *run, char *error,
                     size_t error_bytes)
{
    int64_t id = 0;
    enum events_outcome events = EVENTS_WRITTEN;
    if (!record_exec(record, "BEGIN IMMEDIATE")) {
        record_explain(record, error, error_bytes);
        return 0;
    }
    bool good =
        write_build(record) && write_run(record, run, &id) && write_counts(record, run->result, id);
    if (good && run->result->violated) {
        good = write_violation(record, run->result, id);
    }
    if (good && run->plan != NULL) {
        good = write_plan(record, run->plan, id);
    }
    if (good && run->trace != NULL) {
        events = write_events(record, id, &run->result->plan.settings, run->trace);
    }
    return finish(record, good, events, error, error_bytes) ? id : 0;
}

bool record_shrunk(struct record *record, const struct record_shrunk *shrunk, char *error,
                   size_t error_bytes)
{
    struct row row = row_begin(record, RECORD_SHRUNK);
    row_number(&row, (uint64_t)shrunk->run);
    row_text(&row, shrunk->failure);
    row_number(&row, shrunk->faults_before);
    row_number(&row, shrunk->faults);
    row_text(&row, shrunk->classes);
    row_number(&row, shrunk->devices);
    row_number(&row, shrunk->minimal ? 1 : 0);
    row_number(&row, shrunk->seed);
    row_text(&row, shrunk->text);
    return row_write(&row) || record_explain(record, error, error_bytes);
}

bool record_trace(struct record *record, int64_t id, const struct settings *settings,
                  struct trace *trace, char *error, size_t error_bytes)
{
    enum events_outcome events = EVENTS_WRITTEN;
    if (!record_exec(record, "BEGIN IMMEDIATE")) {
        return record_explain(record, error, error_bytes);
    }
    struct row row = row_begin(record, RECORD_EVENTS_DROP);
    row_number(&row, (uint64_t)id);
    const bool good = row_write(&row);
    if (good) {
        events = write_events(record, id, settings, trace);
    }
    return finish(record, good, events, error, error_bytes);
}
