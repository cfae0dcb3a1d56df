#include "sim/mutant_table.h"

#include <cJSON.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "core/check.h"

/* Every search of one way, with what was not caught behind all that was. */
struct summary {
    uint32_t bugs, bugs_caught, searches, caught;
    uint64_t *runs, *cpu_us; /* of those that caught, ascending */
};

static int compare_numbers(const void *left, const void *right)
{
    const uint64_t one = *(const uint64_t *)left, other = *(const uint64_t *)right;
    return one < other ? -1 : one > other ? 1 : 0;
}

static bool sum_up(const struct mutant_row *rows, uint32_t count, enum mutant_way way,
                   struct summary *summary)
{
    memset(summary, 0, sizeof *summary);
    summary->runs = calloc((size_t)count * MUTANT_SEARCHES_MAX + 1, sizeof *summary->runs);
    summary->cpu_us = calloc((size_t)count * MUTANT_SEARCHES_MAX + 1, sizeof *summary->cpu_us);
    CHECK(summary->runs != NULL && summary->cpu_us != NULL);
    for (uint32_t i = 0; i < count; i++) {
        const struct mutant_explored *explored = &rows[i].explored[way];
        summary->bugs += explored->tried ? 1 : 0;
        summary->bugs_caught += mutant_explored_caught(explored) > 0 ? 1 : 0;
        summary->searches += explored->count;
        for (uint32_t k = 0; k < explored->count; k++) {
            if (explored->searches[k].caught) {
                summary->runs[summary->caught] = explored->searches[k].runs;
                summary->cpu_us[summary->caught++] = explored->searches[k].cpu_us;
            }
        }
    }
    qsort(summary->runs, summary->caught, sizeof *summary->runs, compare_numbers);
    qsort(summary->cpu_us, summary->caught, sizeof *summary->cpu_us, compare_numbers);
    return summary->bugs > 0;
}

static void summary_free(struct summary *summary)
{
    free(summary->runs);
    free(summary->cpu_us);
}

/* ---- text ------------------------------------------------------------------------------------ */

/* To the first find; or, of several searches, how many found it in how many runs: its rate. */
static void print_cell(const struct print *print, const struct mutant_explored *explored)
{
    char text[64];
    const uint32_t caught = mutant_explored_caught(explored);
    uint64_t cpu_us = 0;
    for (uint32_t i = 0; i < explored->count; i++) {
        cpu_us += explored->searches[i].cpu_us;
    }
    if (!explored->tried) {
        return;
    }
    if (explored->message[0] != '\0') {
        snprintf(text, sizeof text, "no answer");
    } else if (explored->count > 1) {
        snprintf(text, sizeof text, "%" PRIu32 "/%" PRIu32 " in %" PRIu64 ", %.0f s", caught,
                 explored->count, mutant_explored_runs(explored), (double)cpu_us / 1e6);
    } else if (caught == 0) {
        snprintf(text, sizeof text, "-");
    } else {
        snprintf(text, sizeof text, "%" PRIu64 ", %.1f s", explored->searches[0].runs,
                 (double)cpu_us / 1e6);
    }
    fprintf(print->file, "  %-18s", text);
}

static void print_way(const struct print *print, enum mutant_way way, const struct summary *summary)
{
    const uint32_t middle = summary->searches / 2;
    char median[64] = "more than the budget";
    fprintf(print->file,
            "%-8s %" PRIu32 " of %" PRIu32 " bugs caught, %" PRIu32 " of %" PRIu32 " searches",
            mutant_way_name(way), summary->bugs_caught, summary->bugs, summary->caught,
            summary->searches);
    if (summary->caught == 0) {
        fputc('\n', print->file);
        return;
    }
    if (middle < summary->caught) {
        snprintf(median, sizeof median, "%" PRIu64 " runs, %.1f s", summary->runs[middle],
                 (double)summary->cpu_us[middle] / 1e6);
    }
    fprintf(print->file, "; median of all: %s; worst that was caught: %" PRIu64 " runs, %.1f s\n",
            median, summary->runs[summary->caught - 1],
            (double)summary->cpu_us[summary->caught - 1] / 1e6);
}

void mutant_table_print(const struct print *print, const struct mutant_row *rows, uint32_t count)
{
    struct summary summary;
    fprintf(print->file, "%-27s %-20s", "runs and CPU seconds", "law");
    for (unsigned way = 0; way < MUTANT_WAY_COUNT; way++) {
        if (count > 0 && rows[0].explored[way].tried) {
            fprintf(print->file, "  %-18s", mutant_way_name((enum mutant_way)way));
        }
    }
    for (uint32_t i = 0; i < count; i++) {
        fprintf(print->file, "\n%-27s %-20s", rows[i].mutant->name,
                mutant_law_name(rows[i].mutant->law));
        for (unsigned way = 0; way < MUTANT_WAY_COUNT; way++) {
            print_cell(print, &rows[i].explored[way]);
        }
        for (unsigned way = 0; way < MUTANT_WAY_COUNT; way++) {
            if (rows[i].explored[way].message[0] != '\0') {
                fprintf(print->file, "\n    %s: %s", mutant_way_name((enum mutant_way)way),
                        rows[i].explored[way].message);
            }
        }
    }
    fputs("\n\n", print->file);
    for (unsigned way = 0; way < MUTANT_WAY_COUNT; way++) {
        if (sum_up(rows, count, (enum mutant_way)way, &summary)) {
            print_way(print, (enum mutant_way)way, &summary);
        }
        summary_free(&summary);
    }
}

/* ---- JSON ------------------------------------------------------------------------------------ */

static cJSON *searches_json(const struct mutant_explored *explored)
{
    cJSON *object = cJSON_CreateObject(), *list = cJSON_CreateArray();
    json_text(object, "law", explored->law);
    json_text(object, "message", explored->message);
    for (uint32_t i = 0; i < explored->count; i++) {
        const struct mutant_search *search = &explored->searches[i];
        cJSON *one = cJSON_CreateObject();
        cJSON_AddBoolToObject(one, "caught", search->caught);
        json_number(one, "runs", search->runs);
        json_seconds(one, "cpu_s", search->cpu_us);
        cJSON_AddItemToArray(list, one);
    }
    cJSON_AddItemToObject(object, "searches", list);
    return object;
}

static void way_json(cJSON *ways, enum mutant_way way, const struct summary *summary)
{
    cJSON *object = cJSON_CreateObject();
    const uint32_t middle = summary->searches / 2;
    json_number(object, "bugs", summary->bugs);
    json_number(object, "bugs_caught", summary->bugs_caught);
    json_number(object, "searches", summary->searches);
    json_number(object, "caught", summary->caught);
    if (middle < summary->caught) {
        json_number(object, "median_runs", summary->runs[middle]);
        json_seconds(object, "median_cpu_s", summary->cpu_us[middle]);
    }
    if (summary->caught > 0) {
        json_number(object, "worst_runs", summary->runs[summary->caught - 1]);
        json_seconds(object, "worst_cpu_s", summary->cpu_us[summary->caught - 1]);
    }
    cJSON_AddItemToObject(ways, mutant_way_name(way), object);
}

void mutant_table_json(struct cJSON *object, const struct mutant_row *rows, uint32_t count)
{
    cJSON *ways = cJSON_AddObjectToObject(object, "ways");
    cJSON *list = cJSON_AddArrayToObject(object, "explored");
    struct summary summary;
    CHECK(ways != NULL && list != NULL);
    for (unsigned way = 0; way < MUTANT_WAY_COUNT; way++) {
        if (sum_up(rows, count, (enum mutant_way)way, &summary)) {
            way_json(ways, (enum mutant_way)way, &summary);
        }
        summary_free(&summary);
    }
    for (uint32_t i = 0; i < count; i++) {
        cJSON *row = cJSON_CreateObject();
        json_text(row, "name", rows[i].mutant->name);
        json_text(row, "law", mutant_law_name(rows[i].mutant->law));
        for (unsigned way = 0; way < MUTANT_WAY_COUNT; way++) {
            if (rows[i].explored[way].tried) {
                cJSON_AddItemToObject(row, mutant_way_name((enum mutant_way)way),
                                      searches_json(&rows[i].explored[way]));
            }
        }
        cJSON_AddItemToArray(list, row);
    }
}

/* One bug a line, so that two files differ by lines. */
bool mutant_rates_write(const char *path, const char *made_by, const char *commit,
                        const char *scenario, enum mutant_way way, const struct mutant_row *rows,
                        uint32_t count, char *error, size_t error_bytes)
{
    FILE *file = fopen(path, "w");
    if (file == NULL) {
        snprintf(error, error_bytes, "%s: %s", path, strerror(errno));
        return false;
    }
    fprintf(file,
            "{\"made_by\": \"%s\",\n\"commit\": \"%s\",\n\"scenario\": \"%s\",\n\"way\": \"%s\",\n"
            "\"bugs\": [",
            made_by, commit, scenario, mutant_way_name(way));
    for (uint32_t i = 0; i < count; i++) {
        const struct mutant_explored *explored = &rows[i].explored[way];
        fprintf(file,
                "%s\n{\"name\": \"%s\", \"law\": \"%s\", \"runs\": %" PRIu64
                ", \"caught\": %" PRIu32 "}",
                i == 0 ? "" : ",", rows[i].mutant->name, mutant_law_name(rows[i].mutant->law),
                mutant_explored_runs(explored), mutant_explored_caught(explored));
    }
    fputs("\n]}\n", file);
    if (fclose(file) != 0) {
        snprintf(error, error_bytes, "%s: %s", path, strerror(errno));
        return false;
    }
    return true;
}
