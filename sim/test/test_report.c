/* Goal: failures that look alike are one group, those of the fewest events come first and get the
 * diagrams; numbers survive their packing; what cannot be written or read is refused by a word that
 * helps, and nothing is left behind. Method: a database of runs made here, and the real command.
 * What the page makes of it is looked at by report/test. */
#include <cJSON.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/check.h"
#include "core/test/test.h"
#include "sim/record.h"
#include "sim/report_column.h"
#include "sim/report_groups.h"
#include "sim/report_page.h"
#include "sim/run.h"

static char folder[] = "/tmp/brownout_report_XXXXXX";
static char error[RECORD_ERROR_BYTES];
static char database[64], page[64];

_Noreturn void check_failed(const char *file, int line, const char *what)
{
    fprintf(stderr, "%s:%d: check failed: %s\n", file, line, what);
    exit(1);
}

/* ---- runs ------------------------------------------------------------------------------------ */

struct kind {
    uint64_t events;
    const char *what;    /* NULL: no law broke */
    const char *message; /* where no law broke */
    bool plan;
};

static void write_run(struct record *record, const struct kind *kind)
{
    static struct run_result result;
    memset(&result, 0, sizeof result);
    plan_init(&result.plan, 7);
    result.verdict = VERDICT_FAIL;
    result.events = kind->events;
    result.memory_bytes = 1000 * kind->events;
    result.ending = kind->events == 100 ? RUN_LATE : RUN_WHOLE;
    if (kind->what != NULL) {
        result.violated = true;
        result.violation = (struct violation){.law = LAW_TELEMETRY_DURABLE,
                                              .observation = {.event = 9, .node = 1}};
        snprintf(result.violation.what, sizeof result.violation.what, "%s", kind->what);
    } else {
        snprintf(result.message, sizeof result.message, "%s", kind->message);
    }
    const struct record_run run = {.scenario = "scenarios/a.lua",
                                   .scenario_hash = "0",
                                   .settings = "",
                                   .seed = UINT64_C(9007199254740993), /* no double */
                                   .result = &result,
                                   .plan = kind->plan ? "brownout plan 1\n" : NULL};
    EXPECT(record_write(record, &run, error, sizeof error) != 0);
    plan_free(&result.plan);
}

static const char *text_in(const cJSON *object, const char *name)
{
    const char *text = cJSON_GetStringValue(cJSON_GetObjectItem(object, name));
    return text == NULL ? "" : text;
}

static int number_in(const cJSON *object, const char *name)
{
    return (int)cJSON_GetNumberValue(cJSON_GetObjectItem(object, name));
}

/* Raw numbers are kept as texts until they are printed: print, and read again. */
static cJSON *again(cJSON *object)
{
    char *text = cJSON_PrintUnformatted(object);
    cJSON *read = cJSON_Parse(text);
    EXPECT(read != NULL);
    cJSON_free(text);
    cJSON_Delete(object);
    return read;
}

static void alike_is_one_group_and_the_fewest_events_come_first(void)
{
    static const struct kind kinds[] = {
        {300, "it is gone", NULL, true},
        {100, "it is gone", NULL, false},
        {200, "it is gone", NULL, true},
        {50, "another guard", NULL, true},
        {70, NULL, "expectation on lost does not hold: it is 5", true},
        {60, NULL, "expectation on lost does not hold: it is 12", true},
    };
    static struct report_choice choice;
    struct record *record = record_open(database, RECORD_CREATE, error, sizeof error);
    EXPECT(record != NULL);
    for (unsigned i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        write_run(record, &kinds[i]);
    }
    for (unsigned i = 0; i < 2; i++) { /* the second takes the place of the first */
        const struct record_shrunk shrunk = {.run = 3,
                                             .failure = "telemetry.durable at ACK",
                                             .faults_before = 320,
                                             .faults = 2 - i,
                                             .classes = "crash",
                                             .devices = 1,
                                             .seed = UINT64_C(9007199254740993),
                                             .minimal = i == 1,
                                             .text = i == 0 ? "old" : "-- Does it?\nreturn {}\n"};
        EXPECT(record_shrunk(record, &shrunk, error, sizeof error));
    }
    cJSON *object = cJSON_CreateObject();
    EXPECT(report_groups(record, "a b.db", 4, object, &choice, error, sizeof error));
    record_close(record);
    object = again(object);
    const cJSON *groups = cJSON_GetObjectItem(object, "groups");
    EXPECT_EQUAL(cJSON_GetArraySize(groups), 3);
    EXPECT_EQUAL(number_in(object, "failures"), 6);
    EXPECT_EQUAL(number_in(object, "failures_left_out"), 0);

    const cJSON *largest = cJSON_GetArrayItem(groups, 0);
    EXPECT_EQUAL(number_in(largest, "count"), 3);
    EXPECT(strcmp(text_in(largest, "law"), "telemetry.durable") == 0);
    EXPECT(strcmp(text_in(largest, "what"), "it is gone") == 0);
    const cJSON *runs = cJSON_GetObjectItem(largest, "runs");
    EXPECT_EQUAL(number_in(cJSON_GetArrayItem(runs, 0), "events"), 100);
    EXPECT_EQUAL(number_in(cJSON_GetArrayItem(runs, 2), "events"), 300);
    EXPECT(strcmp(text_in(cJSON_GetArrayItem(runs, 0), "seed"), "9007199254740993") == 0);
    EXPECT(strcmp(text_in(cJSON_GetArrayItem(runs, 0), "replay"), "") == 0); /* it has no plan */
    EXPECT(strcmp(text_in(cJSON_GetArrayItem(runs, 1), "replay"),
                  "brownout replay 3 --db 'a b.db'") == 0);

    EXPECT(strcmp(text_in(cJSON_GetArrayItem(runs, 0), "ending"), "late") == 0);
    EXPECT(strcmp(text_in(cJSON_GetArrayItem(runs, 2), "ending"), "whole") == 0);
    EXPECT_EQUAL(number_in(cJSON_GetArrayItem(runs, 2), "memory_bytes"), 300000);
    const cJSON *shrunk = cJSON_GetObjectItem(cJSON_GetArrayItem(runs, 1), "shrunk");
    EXPECT(strcmp(text_in(shrunk, "text"), "-- Does it?\nreturn {}\n") == 0);
    EXPECT(strcmp(text_in(shrunk, "seed"), "9007199254740993") == 0);
    EXPECT_EQUAL(number_in(shrunk, "faults_before"), 320);
    EXPECT_EQUAL(number_in(shrunk, "faults"), 1);
    EXPECT(cJSON_IsTrue(cJSON_GetObjectItem(shrunk, "minimal")));
    EXPECT(cJSON_GetObjectItem(cJSON_GetArrayItem(runs, 0), "shrunk") == NULL);

    const cJSON *missed = cJSON_GetArrayItem(groups, 1);
    EXPECT_EQUAL(number_in(missed, "count"), 2);
    EXPECT(strcmp(text_in(missed, "message"), "expectation on lost does not hold: it is N") == 0);

    /* Turn by turn; run 2 kept no plan, so that it has no turn. */
    const int64_t chosen[] = {6, 4, 3, 5};
    EXPECT_EQUAL(choice.count, 4);
    for (unsigned i = 0; i < 4; i++) {
        EXPECT_EQUAL(choice.runs[i], chosen[i]);
    }
    cJSON_Delete(object);
}

/* ---- columns --------------------------------------------------------------------------------- */

static void numbers_are_packed_small(void)
{
    static struct report_table table;
    const uint32_t even = report_table_column(&table, "even", true);
    const uint32_t large = report_table_column(&table, "large", false);
    for (int64_t i = 0; i < 100000; i++) {
        report_table_add(&table, even, i * 1000);
        report_table_add(&table, large, i % 2 == 0 ? INT64_MIN : INT64_MAX);
    }
    cJSON *object = again(report_table_json(&table));
    EXPECT_EQUAL(number_in(object, "rows"), 100000);
    const cJSON *columns = cJSON_GetObjectItem(object, "columns");
    /* A difference of 1000 takes two bytes, the first one a byte; the largest numbers take ten. */
    EXPECT_EQUAL(number_in(cJSON_GetArrayItem(columns, 0), "bytes"), 2 * 100000 - 1);
    EXPECT_EQUAL(number_in(cJSON_GetArrayItem(columns, 1), "bytes"), 10 * 100000);
    EXPECT(strlen(text_in(object, "bytes")) < 20000);
    cJSON_Delete(object);
    report_table_clear(&table);
    EXPECT_EQUAL(table.rows, 0);
    report_table_free(&table);
}

/* ---- the command ----------------------------------------------------------------------------- */

/* Its exit code; what it said on both channels is in `said`. */
static int report(const char *db, const char *output, char *said, size_t said_bytes)
{
    char line[512];
    const char *program = getenv("BROWNOUT");
    EXPECT(program != NULL);
    snprintf(line, sizeof line, "'%s' report --db '%s' -o '%s' 2>&1", program, db, output);
    FILE *pipe = popen(line, "r"); // NOLINT(cert-env33-c): words of this file alone
    EXPECT(pipe != NULL);
    const size_t length = fread(said, 1, said_bytes - 1, pipe);
    said[length] = '\0';
    return WEXITSTATUS(pclose(pipe));
}

static void expect_refused(const char *db, const char *output, const char *word)
{
    char said[2048];
    EXPECT_EQUAL(report(db, output, said, sizeof said), VERDICT_USAGE);
    if (strstr(said, word) == NULL) {
        fprintf(stderr, "'%s' does not say '%s'\n", said, word);
        exit(1);
    }
}

static int64_t size_of(const char *path)
{
    struct stat file;
    return stat(path, &file) == 0 ? (int64_t)file.st_size : -1;
}

/* The plans of these runs are no plans: the page says so of each, and shows the rest. */
static void a_plan_that_does_not_read_costs_its_diagram(void)
{
    char said[2048], line[160];
    if (report_page_bytes == 0) {
        return;
    }
    EXPECT_EQUAL(report(database, page, said, sizeof said), VERDICT_PASS);
    snprintf(line, sizeof line, "grep -o '\"source\":\"none\"' '%s' | wc -l", page);
    FILE *pipe = popen(line, "r"); // NOLINT(cert-env33-c)
    EXPECT(pipe != NULL && fgets(said, sizeof said, pipe) != NULL);
    pclose(pipe);
    EXPECT_EQUAL(atoi(said), 5);
}

static void what_is_wrong_is_refused_and_leaves_nothing(void)
{
    char missing[96], nowhere[96], part[160], said[2048];
    if (report_page_bytes == 0) {
        expect_refused(database, page, "scripts/setup.sh");
        return;
    }
    snprintf(missing, sizeof missing, "%s/missing.db", folder);
    snprintf(nowhere, sizeof nowhere, "%s/no/where.html", folder);
    const int64_t before = size_of(database);
    expect_refused(missing, page, "there is no file");
    EXPECT_EQUAL(size_of(page), -1);
    expect_refused(database, nowhere, "name a place");
    expect_refused(database, database, "it is the run database");
    expect_refused(database, folder, "no file");
    EXPECT_EQUAL(size_of(database), before);
    snprintf(part, sizeof part, "ls '%s' | grep -c part", folder);
    FILE *pipe = popen(part, "r"); // NOLINT(cert-env33-c)
    EXPECT(pipe != NULL && fgets(said, sizeof said, pipe) != NULL);
    pclose(pipe);
    EXPECT(strcmp(said, "0\n") == 0);
}

int main(void)
{
    EXPECT(mkdtemp(folder) != NULL);
    snprintf(database, sizeof database, "%s/runs.db", folder);
    snprintf(page, sizeof page, "%s/report.html", folder);
    RUN(alike_is_one_group_and_the_fewest_events_come_first);
    RUN(numbers_are_packed_small);
    RUN(what_is_wrong_is_refused_and_leaves_nothing);
    RUN(a_plan_that_does_not_read_costs_its_diagram);
    char line[96];
    snprintf(line, sizeof line, "rm -rf '%s'", folder);
    EXPECT_EQUAL(system(line), 0); // NOLINT(cert-env33-c)
    return 0;
}
