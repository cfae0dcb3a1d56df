#include "sim/report_groups.h"

#include <cJSON.h>
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/check.h"
#include "sim/command.h"
#include "sim/print.h"
#include "sim/record_rows.h"

struct group {
    char *key;   /* owned */
    cJSON *json; /* owned until it is handed over */
    cJSON *runs; /* in json */
    uint64_t count;
    uint32_t listed;
    int64_t ids[REPORT_GROUP_RUNS_MAX]; /* of those that can be shown, fewest events first */
};

struct groups {
    struct group *list[REPORT_GROUPS_MAX];
    uint32_t count;
    const char *db;
};

enum cell {
    RUN,
    SCENARIO,
    SEED,
    VERDICT,
    MESSAGE,
    EVENTS,
    SIM_US,
    LAW,
    WHAT,
    EXPECTED,
    ACTUAL,
    EVENT,
    TIME_US,
    NODE,
    DEVICE,
    EPOCH,
    COUNTER,
    CHECK_TEXT,
    SETTINGS,
    SHOWN,
    BAD,
    BUILD,
    ENDING,
    MEMORY_BYTES,
    SHRUNK,
    SHRUNK_SEED,
    SHRUNK_FROM,
    SHRUNK_FAULTS,
    SHRUNK_MINIMAL
};

/* The last thing that was said or is true of that node, in the event that broke the law. */
static const char sql[] =
    "SELECT run.id, scenario, run.seed, verdict, message, events, sim_us, law, what, expected, "
    "actual, "
    "violation.event, violation.time_us, violation.node, device, epoch, counter, check_text, "
    "settings, plan.run IS NOT NULL AND events > 0, "
    "(SELECT e.text FROM event AS e WHERE e.run = run.id AND e.event = violation.event "
    "AND e.kind IN ('evidence', 'truth') AND e.node = violation.node "
    "ORDER BY e.ordinal DESC LIMIT 1), build, ending, memory_bytes, shrunk.text, shrunk.seed, "
    "faults_before, faults, minimal "
    "FROM run LEFT JOIN violation ON violation.run = run.id LEFT JOIN plan ON plan.run = run.id "
    "LEFT JOIN shrunk ON shrunk.run = run.id "
    "WHERE verdict <> 'pass' ORDER BY events, run.id LIMIT ?1";

/* What an item's line says behind event, time and node, without the numbers that differ: "ACK",
 * "is down". */
static void first_words(const char *line, char *text, size_t text_bytes)
{
    for (int word = 0; word < 3; word++) {
        line += strspn(line, " ");
        line += strcspn(line, " ");
    }
    line += strspn(line, " ");
    if (strncmp(line, "*** ", 4) == 0) {
        snprintf(text, text_bytes, "%s", line + 4);
    } else {
        snprintf(text, text_bytes, "%.*s", (int)strcspn(line, " "), line);
    }
}

/* Numbers differ from run to run: each is written as N. */
static void without_numbers(const char *message, char *text, size_t text_bytes)
{
    size_t at = 0;
    for (; *message != '\0' && at + 2 < text_bytes; message++) {
        const bool digit = isdigit((unsigned char)*message) != 0;
        if (!digit) {
            text[at++] = *message;
        } else if (at == 0 || text[at - 1] != 'N' || !isdigit((unsigned char)message[-1])) {
            text[at++] = 'N';
        }
    }
    text[at] = '\0';
}

static struct group *group_of(struct groups *groups, const struct record_row *row)
{
    char key[1024], bad[160] = "", alike[512] = "";
    first_words(row->texts[BAD], bad, sizeof bad);
    if (row->texts[LAW][0] == '\0') {
        without_numbers(row->texts[MESSAGE], alike, sizeof alike);
    }
    snprintf(key, sizeof key, "%s|%s|%s|%s|%s", row->texts[VERDICT], row->texts[LAW],
             row->texts[WHAT], bad, alike);
    for (uint32_t i = 0; i < groups->count; i++) {
        if (strcmp(groups->list[i]->key, key) == 0) {
            return groups->list[i];
        }
    }
    if (groups->count == REPORT_GROUPS_MAX) {
        return NULL;
    }
    struct group *group = calloc(1, sizeof *group);
    CHECK(group != NULL);
    group->key = strdup(key);
    group->json = cJSON_CreateObject();
    CHECK(group->key != NULL && group->json != NULL);
    json_text(group->json, "verdict", row->texts[VERDICT]);
    json_text(group->json, "law", row->texts[LAW]);
    json_text(group->json, "what", row->texts[WHAT]);
    json_text(group->json, "evidence", bad);
    json_text(group->json, "message", alike);
    group->runs = cJSON_AddArrayToObject(group->json, "runs");
    CHECK(group->runs != NULL);
    groups->list[groups->count++] = group;
    return group;
}

static void add_lines(cJSON *object, const struct groups *groups, const struct record_row *row)
{
    static struct option_settings settings; /* large */
    char line[COMMAND_LINE_BYTES];
    if (row->numbers[SHOWN] != 0) {
        command_replay_line(line, sizeof line, row->numbers[RUN], groups->db);
        json_text(object, "replay", line);
    }
    settings.count = 0;
    if (row->texts[SCENARIO][0] != '\0' && command_settings_read(&settings, row->texts[SETTINGS])) {
        command_run_line(line, sizeof line, row->texts[SCENARIO], (uint64_t)row->numbers[SEED],
                         &settings);
        json_text(object, "again", line);
    }
}

static void add_shrunk(cJSON *object, const struct record_row *row)
{
    if (row->texts[SHRUNK][0] == '\0') {
        return;
    }
    cJSON *shrunk = cJSON_AddObjectToObject(object, "shrunk");
    char seed[24];
    CHECK(shrunk != NULL);
    snprintf(seed, sizeof seed, "%llu", (unsigned long long)row->numbers[SHRUNK_SEED]);
    json_text(shrunk, "text", row->texts[SHRUNK]);
    json_text(shrunk, "seed", seed);
    json_number(shrunk, "faults_before", (uint64_t)row->numbers[SHRUNK_FROM]);
    json_number(shrunk, "faults", (uint64_t)row->numbers[SHRUNK_FAULTS]);
    cJSON_AddBoolToObject(shrunk, "minimal", row->numbers[SHRUNK_MINIMAL] != 0);
}

static cJSON *failure(const struct groups *groups, const struct record_row *row)
{
    static const enum cell texts[] = {SCENARIO, MESSAGE, NODE, DEVICE, CHECK_TEXT, ENDING};
    static const enum cell numbers[] = {RUN, EVENTS, SIM_US, BUILD, MEMORY_BYTES};
    static const enum cell broken[] = {EVENT, TIME_US, EPOCH, COUNTER};
    static const char *const names[] = {
        [RUN] = "run",         [SCENARIO] = "scenario", [MESSAGE] = "message",
        [EVENTS] = "events",   [SIM_US] = "sim_us",     [EVENT] = "event",
        [TIME_US] = "time_us", [NODE] = "node",         [DEVICE] = "device",
        [EPOCH] = "epoch",     [COUNTER] = "counter",   [CHECK_TEXT] = "check",
        [BUILD] = "build",     [ENDING] = "ending",     [MEMORY_BYTES] = "memory_bytes"};
    char number[24];
    cJSON *object = cJSON_CreateObject();
    CHECK(object != NULL);
    for (unsigned i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        json_text(object, names[texts[i]], row->texts[texts[i]]);
    }
    for (unsigned i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        json_number(object, names[numbers[i]], (uint64_t)row->numbers[numbers[i]]);
    }
    /* 64 bits are more than a script's numbers have: those that may be large are texts. */
    snprintf(number, sizeof number, "%llu", (unsigned long long)row->numbers[SEED]);
    json_text(object, "seed", number);
    if (row->texts[LAW][0] != '\0') {
        for (unsigned i = 0; i < sizeof broken / sizeof broken[0]; i++) {
            json_number(object, names[broken[i]], (uint64_t)row->numbers[broken[i]]);
        }
        snprintf(number, sizeof number, "%llu", (unsigned long long)row->numbers[EXPECTED]);
        json_text(object, "expected", number);
        snprintf(number, sizeof number, "%llu", (unsigned long long)row->numbers[ACTUAL]);
        json_text(object, "actual", number);
    }
    add_lines(object, groups, row);
    add_shrunk(object, row);
    return object;
}

static bool see_failure(void *ctx, const struct record_row *row)
{
    struct groups *groups = ctx;
    struct group *group = group_of(groups, row);
    if (group == NULL) {
        return true;
    }
    group->count++;
    if (group->listed < REPORT_GROUP_RUNS_MAX) {
        CHECK(cJSON_AddItemToArray(group->runs, failure(groups, row)));
        group->ids[group->listed++] = row->numbers[SHOWN] != 0 ? row->numbers[RUN] : 0;
    }
    return true;
}

static bool see_count(void *ctx, const struct record_row *row)
{
    *(int64_t *)ctx = row->numbers[0];
    return false;
}

static int compare_groups(const void *left, const void *right)
{
    const struct group *a = *(struct group *const *)left, *b = *(struct group *const *)right;
    if (a->count != b->count) {
        return a->count > b->count ? -1 : 1;
    }
    return strcmp(a->key, b->key);
}

static void choose(const struct groups *groups, uint32_t wanted, struct report_choice *choice)
{
    choice->count = 0;
    for (uint32_t turn = 0; turn < REPORT_GROUP_RUNS_MAX && choice->count < wanted; turn++) {
        for (uint32_t i = 0; i < groups->count && choice->count < wanted; i++) {
            const struct group *group = groups->list[i];
            if (turn < group->listed && group->ids[turn] != 0) {
                choice->runs[choice->count++] = group->ids[turn];
            }
        }
    }
}

bool report_groups(struct record *record, const char *db, uint32_t wanted, struct cJSON *object,
                   struct report_choice *choice, char *error, size_t error_bytes)
{
    struct groups groups = {.db = db};
    int64_t failed = 0;
    CHECK(wanted <= REPORT_DIAGRAMS_MAX);
    const bool good = record_rows(record, sql, REPORT_FAILURES_MAX, 0, see_failure, &groups, error,
                                  error_bytes) &&
                      record_rows(record, "SELECT count(*) FROM run WHERE verdict <> 'pass'", 0, 0,
                                  see_count, &failed, error, error_bytes);
    if (groups.count > 0) {
        qsort(groups.list, groups.count, sizeof groups.list[0], compare_groups);
    }
    choose(&groups, wanted, choice);
    cJSON *array = cJSON_AddArrayToObject(object, "groups");
    CHECK(array != NULL);
    uint64_t looked_at = 0;
    for (uint32_t i = 0; i < groups.count; i++) {
        struct group *group = groups.list[i];
        looked_at += group->count;
        json_number(group->json, "count", group->count);
        CHECK(cJSON_AddItemToArray(array, group->json));
        free(group->key);
        free(group);
    }
    json_number(object, "failures", (uint64_t)failed);
    json_number(object, "failures_left_out", (uint64_t)failed - looked_at);
    return good;
}
