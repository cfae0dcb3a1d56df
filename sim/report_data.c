#include "sim/report_data.h"

#include <cJSON.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "core/check.h"
#include "core/err.h"
#include "models/spec.h"
#include "sim/coverage.h"
#include "sim/effect.h"
#include "sim/print.h"
#include "sim/record_rows.h"
#include "sim/report_column.h"
#include "sim/report_watch.h"

static cJSON *object_in(cJSON *object, const char *name)
{
    cJSON *inner = cJSON_AddObjectToObject(object, name);
    CHECK(inner != NULL);
    return inner;
}

static cJSON *array_in(cJSON *object, const char *name)
{
    cJSON *inner = cJSON_AddArrayToObject(object, name);
    CHECK(inner != NULL);
    return inner;
}

static void append_text(cJSON *array, const char *text)
{
    CHECK(cJSON_AddItemToArray(array, cJSON_CreateString(text)));
}

/* ---- tables ---------------------------------------------------------------------------------- */

struct asked {
    struct record *record;
    char *error;
    size_t error_bytes;
};

static bool add_row(void *ctx, const struct record_row *row)
{
    cJSON *table = ctx, *cells = cJSON_CreateArray();
    CHECK(cells != NULL);
    if (!cJSON_HasObjectItem(table, "columns")) {
        cJSON *columns = array_in(table, "columns");
        for (uint32_t i = 0; i < row->count; i++) {
            append_text(columns, row->names[i]);
        }
        array_in(table, "rows");
    }
    for (uint32_t i = 0; i < row->count; i++) {
        char number[24];
        cJSON *cell = NULL;
        switch (row->kinds[i]) {
        case RECORD_CELL_NULL:
            cell = cJSON_CreateNull();
            break;
        case RECORD_CELL_NUMBER:
            snprintf(number, sizeof number, "%" PRId64, row->numbers[i]);
            /* Beyond 53 bits a script's numbers lose digits: a text keeps them. */
            cell = row->numbers[i] > INT64_C(1) << 53 || row->numbers[i] < -(INT64_C(1) << 53)
                       ? cJSON_CreateString(number)
                       : cJSON_CreateRaw(number);
            break;
        case RECORD_CELL_REAL:
            cell = cJSON_CreateNumber(row->reals[i]);
            break;
        case RECORD_CELL_TEXT:
            cell = cJSON_CreateString(row->texts[i]);
            break;
        }
        CHECK(cell != NULL && cJSON_AddItemToArray(cells, cell));
    }
    CHECK(cJSON_AddItemToArray(cJSON_GetObjectItem(table, "rows"), cells));
    return true;
}

static bool add_table(const struct asked *asked, cJSON *object, const char *name, const char *sql)
{
    return record_rows(asked->record, sql, 0, 0, add_row, object_in(object, name), asked->error,
                       asked->error_bytes);
}

/* The curve of what is new is drawn: of many runs a thousand points are enough. */
static const struct {
    const char *name, *sql;
} tables[] = {
    {"builds", "SELECT build.id AS build, commit_id, compiler, type, program, count(*) AS runs, "
               "min(recorded_at) AS first, max(recorded_at) AS last FROM build "
               "JOIN run ON run.build = build.id GROUP BY build.id ORDER BY build.id"},
    {"questions", "SELECT scenario, max(question) AS question FROM run GROUP BY scenario"},
    {"outcomes",
     "SELECT scenario, verdict, count(*) AS runs, count(DISTINCT hash) AS distinct_hashes, "
     "sum(events) AS events, sum(sim_us) / 3.6e9 AS simulated_hours "
     "FROM run GROUP BY scenario, verdict ORDER BY scenario, verdict"},
    {"laws", "SELECT * FROM laws"},
    {"steps", "SELECT * FROM steps"},
    {"faults", "SELECT * FROM faults"},
    {"probes", "SELECT * FROM probes"},
    {"figures", "SELECT * FROM figures"},
    {"saturation", "SELECT * FROM saturation"},
    {"growth", "SELECT kind, n, keys FROM (SELECT kind, "
               "row_number() OVER (PARTITION BY kind ORDER BY run) AS n, "
               "sum(fresh) OVER (PARTITION BY kind ORDER BY run) AS keys, "
               "count(*) OVER (PARTITION BY kind) AS total FROM run_coverage) "
               "WHERE n = 1 OR n = total OR n % max(1, total / 1000) = 0 ORDER BY kind, n"},
    {"cost", "SELECT scenario, count(*) AS runs, sum(accepted) AS accepted, "
             "round(avg(air_bytes), 1) AS air_bytes, round(avg(signatures), 2) AS signatures, "
             "round(avg(flash_erases), 4) AS flash_erases FROM per_reading GROUP BY scenario"},
    {"endings", "SELECT ending, count(*) AS runs, max(memory_bytes) AS memory_bytes FROM run "
                "GROUP BY ending ORDER BY runs DESC, ending"},
    {"slowest", "SELECT * FROM slowest LIMIT 20"},
};

/* ---- what runs showed of the specs ----------------------------------------------------------- */

struct cell {
    uint64_t states, runs; /* kinds of state; runs that showed the commonest of them */
};

struct matrix {
    struct cell cells[SPEC_ACTIONS_MAX][EFFECT_COUNT + 1]; /* the last one: no fault */
};

struct matrices {
    uint32_t count; /* of laws */
    struct matrix *laws;
    uint64_t unknown; /* keys that this build knows no action of */
};

static bool count_transition(void *ctx, const struct record_row *row)
{
    struct matrices *matrices = ctx;
    const struct coverage_transition seen = coverage_transition((uint64_t)row->numbers[0]);
    const uint64_t runs = (uint64_t)row->numbers[1];
    if (seen.law >= matrices->count || seen.action >= spec_at(seen.law)->action_count ||
        seen.action >= SPEC_ACTIONS_MAX || seen.fault > EFFECT_COUNT) {
        matrices->unknown++;
        return true;
    }
    struct cell *cell = &matrices->laws[seen.law].cells[seen.action][seen.fault];
    cell->states++;
    cell->runs = runs > cell->runs ? runs : cell->runs;
    return true;
}

static void add_matrix(cJSON *array, const struct spec_model *model, const struct matrix *matrix)
{
    const int32_t k[SPEC_CONSTANTS_MAX] = {0};
    struct spec_action actions[SPEC_ACTIONS_MAX];
    model->actions(k, actions);
    for (uint32_t action = 0; action < model->action_count; action++) {
        for (unsigned fault = 0; fault <= EFFECT_COUNT; fault++) {
            const struct cell *cell = &matrix->cells[action][fault];
            if (cell->states == 0) {
                continue;
            }
            cJSON *entry = cJSON_CreateObject();
            CHECK(entry != NULL);
            json_text(entry, "spec", model->name);
            json_text(entry, "action", actions[action].name);
            json_text(entry, "fault",
                      fault == EFFECT_COUNT ? "" : effect_info((enum effect)fault).name);
            json_number(entry, "states", cell->states);
            json_number(entry, "runs", cell->runs);
            CHECK(cJSON_AddItemToArray(array, entry));
        }
    }
}

static bool add_transitions(const struct asked *asked, cJSON *object)
{
    struct matrices matrices = {.count = spec_count()};
    matrices.laws = calloc(matrices.count, sizeof *matrices.laws);
    CHECK(matrices.laws != NULL);
    const bool good =
        record_rows(asked->record, "SELECT key, runs FROM coverage WHERE kind = 'transition'", 0, 0,
                    count_transition, &matrices, asked->error, asked->error_bytes);
    cJSON *array = array_in(object, "transitions");
    for (uint32_t law = 0; law < matrices.count; law++) {
        add_matrix(array, spec_at(law), &matrices.laws[law]);
    }
    json_number(object, "transitions_unknown", matrices.unknown);
    free(matrices.laws);
    return good;
}

/* ---- figures, run by run --------------------------------------------------------------------- */

enum run_column {
    RUN_ID,
    RUN_SCENARIO,
    RUN_SEED,
    RUN_VERDICT,
    RUN_EVENTS,
    RUN_SIM,
    RUN_WALL,
    RUN_MEMORY_BYTES,
    RUN_OWN
};
enum { VERDICTS_MAX = 16, FIGURES_MAX = REPORT_COLUMNS_MAX - RUN_OWN };

struct words {
    uint32_t count, capacity;
    char **list; /* owned */
};

/* The index of a word, which may be new; capacity where there is no room. */
static uint32_t word_index(struct words *words, const char *word)
{
    for (uint32_t i = 0; i < words->count; i++) {
        if (strcmp(words->list[i], word) == 0) {
            return i;
        }
    }
    if (words->count == words->capacity) {
        return words->capacity;
    }
    words->list[words->count] = strdup(word);
    CHECK(words->list[words->count] != NULL);
    return words->count++;
}

static void words_init(struct words *words, uint32_t capacity)
{
    *words = (struct words){.capacity = capacity};
    words->list = calloc(capacity, sizeof *words->list);
    CHECK(words->list != NULL);
}

/* Into object, and gone. */
static void words_hand_over(struct words *words, cJSON *object, const char *name)
{
    cJSON *array = array_in(object, name);
    for (uint32_t i = 0; i < words->count; i++) {
        append_text(array, words->list[i]);
        free(words->list[i]);
    }
    free(words->list);
}

struct runs {
    struct report_table table;
    struct words scenarios, verdicts, figures;
    int64_t *ids; /* of the rows, ascending */
    uint32_t count, at;
    uint64_t values[FIGURES_MAX]; /* of the run under way, and one more; 0: it has none */
};

static bool see_threshold(void *ctx, const struct record_row *row)
{
    *(int64_t *)ctx = row->numbers[0];
    return false;
}

static bool see_figure_name(void *ctx, const struct record_row *row)
{
    struct runs *runs = ctx;
    if (word_index(&runs->figures, row->texts[0]) < FIGURES_MAX) {
        report_table_column(&runs->table, runs->figures.list[runs->figures.count - 1], false);
    }
    return true;
}

static bool see_run(void *ctx, const struct record_row *row)
{
    struct runs *runs = ctx;
    const int64_t cells[RUN_OWN] = {row->numbers[0], word_index(&runs->scenarios, row->texts[1]),
                                    row->numbers[2], word_index(&runs->verdicts, row->texts[3]),
                                    row->numbers[4], row->numbers[5],
                                    row->numbers[6], row->numbers[7]};
    if (runs->count == REPORT_RUNS_MAX) {
        return false;
    }
    for (uint32_t i = 0; i < RUN_OWN; i++) {
        report_table_add(&runs->table, i, cells[i]);
    }
    runs->ids[runs->count++] = row->numbers[0];
    return true;
}

static void end_run(struct runs *runs)
{
    for (uint32_t i = 0; i < runs->figures.count; i++) {
        report_table_add(&runs->table, RUN_OWN + i, (int64_t)runs->values[i]);
    }
    memset(runs->values, 0, sizeof runs->values);
    runs->at++;
}

static bool see_figure(void *ctx, const struct record_row *row)
{
    struct runs *runs = ctx;
    while (runs->at < runs->count && runs->ids[runs->at] < row->numbers[0]) {
        end_run(runs);
    }
    const uint32_t figure = word_index(&runs->figures, row->texts[1]);
    if (runs->at < runs->count && runs->ids[runs->at] == row->numbers[0] && figure < FIGURES_MAX) {
        runs->values[figure] = (uint64_t)row->numbers[2] + 1;
    }
    return true;
}

static bool add_runs(const struct asked *asked, cJSON *object)
{
    static const char *const own[RUN_OWN] = {"run",    "scenario", "seed",    "verdict",
                                             "events", "sim_us",   "wall_us", "memory_bytes"};
    struct runs *runs = calloc(1, sizeof *runs);
    CHECK(runs != NULL);
    int64_t before = 0; /* the last run that is left out */
    runs->ids = calloc(REPORT_RUNS_MAX, sizeof *runs->ids);
    CHECK(runs->ids != NULL);
    words_init(&runs->scenarios, REPORT_SCENARIOS_MAX);
    words_init(&runs->verdicts, VERDICTS_MAX);
    words_init(&runs->figures, FIGURES_MAX);
    for (uint32_t i = 0; i < RUN_OWN; i++) {
        report_table_column(&runs->table, own[i], i == RUN_ID || i == RUN_SEED);
    }
    const bool good =
        record_rows(asked->record, "SELECT id FROM run ORDER BY id DESC LIMIT 1 OFFSET ?1",
                    REPORT_RUNS_MAX, 0, see_threshold, &before, asked->error, asked->error_bytes) &&
        record_rows(asked->record, "SELECT figure FROM figures", 0, 0, see_figure_name, runs,
                    asked->error, asked->error_bytes) &&
        record_rows(
            asked->record,
            "SELECT id, scenario, seed, verdict, events, sim_us, wall_us, memory_bytes FROM run "
            "WHERE id > ?1 ORDER BY id",
            before, 0, see_run, runs, asked->error, asked->error_bytes) &&
        record_rows(asked->record,
                    "SELECT run, figure, value FROM run_figure WHERE run > ?1 ORDER BY run", before,
                    0, see_figure, runs, asked->error, asked->error_bytes);
    while (runs->at < runs->count) {
        end_run(runs);
    }
    CHECK(cJSON_AddItemToObject(object, "runs", report_table_json(&runs->table)));
    json_number(object, "runs_left_out_to", (uint64_t)before);
    report_table_free(&runs->table);
    words_hand_over(&runs->scenarios, object, "scenarios");
    words_hand_over(&runs->verdicts, object, "verdicts");
    words_hand_over(&runs->figures, object, "figure_names");
    free(runs->ids);
    free(runs);
    return good;
}

/* ---- words ----------------------------------------------------------------------------------- */

static void add_said(cJSON *object)
{
    cJSON *laws = object_in(object, "laws_said"), *faults = object_in(object, "faults_said");
    cJSON *figures = object_in(object, "figures_said");
    for (unsigned i = 0; i < LAW_COUNT; i++) {
        json_text(laws, law_name((enum law)i), law_statement((enum law)i));
    }
    for (unsigned i = 0; i < EFFECT_COUNT; i++) {
        const struct effect_info info = effect_info((enum effect)i);
        json_text(faults, info.name, info.doc);
    }
    for (unsigned i = 0; i < FIGURE_COUNT; i++) {
        cJSON *figure = object_in(figures, figure_name((enum figure)i));
        json_text(figure, "unit", figure_unit((enum figure)i));
        json_text(figure, "doc", figure_doc((enum figure)i));
    }
}

static void add_names(cJSON *object)
{
    static const char *const deliveries[] = {[EVENT_TIMEOUT] = "timeout",
                                             [EVENT_LINK_UP] = "link_up",
                                             [EVENT_LINK_DATA] = "link_data",
                                             [EVENT_LINK_WRITABLE] = "link_writable",
                                             [EVENT_LINK_DOWN] = "link_down"};
    cJSON *names = object_in(object, "names"), *list = array_in(names, "event");
    for (unsigned i = 0; i < WORLD_KIND_COUNT; i++) {
        append_text(list, world_event_name(i));
    }
    list = array_in(names, "operation");
    for (unsigned i = 0; i < OPERATION_COUNT; i++) {
        append_text(list, port_operation_name(i));
    }
    list = array_in(names, "evidence");
    for (uint32_t i = 0; i < EVIDENCE_COUNT; i++) {
        append_text(list, world_evidence_name(i));
    }
    list = array_in(names, "effect");
    for (unsigned i = 0; i < EFFECT_COUNT; i++) {
        append_text(list, effect_info((enum effect)i).name);
    }
    list = array_in(names, "truth"); /* numbered behind the evidence */
    for (uint32_t i = TRUTH_FIRST; i < TRUTH_COUNT; i++) {
        append_text(list, world_truth_name(i));
    }
    list = array_in(names, "refusal");
    for (unsigned i = 0; i < REFUSAL_COUNT; i++) {
        append_text(list, world_refusal_name(i));
    }
    list = array_in(names, "delivery");
    for (unsigned i = 0; i < sizeof deliveries / sizeof deliveries[0]; i++) {
        append_text(list, deliveries[i]);
    }
    cJSON *errors = object_in(names, "error");
    for (int err = 0; strcmp(err_name((enum err)err), "?") != 0; err--) {
        char number[16];
        snprintf(number, sizeof number, "%d", err);
        json_text(errors, number, err_name((enum err)err));
    }
}

bool report_data(struct record *record, struct cJSON *object, char *error, size_t error_bytes)
{
    const struct asked asked = {record, error, error_bytes};
    bool good = true;
    for (unsigned i = 0; i < sizeof tables / sizeof tables[0] && good; i++) {
        good = add_table(&asked, object, tables[i].name, tables[i].sql);
    }
    good = good && add_transitions(&asked, object) && add_runs(&asked, object);
    add_said(object);
    add_names(object);
    return good;
}
