/* What triage asks of a run database. */
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/check.h"
#include "sim/record_inside.h"
#include "sim/triage.h"
#include "sim/triage_cone.h"

/* A commit; a tree that was not clean is as many revisions as it has programs. */
#define REVISION                                                                                   \
    "CASE WHEN commit_id = 'unknown' OR commit_id LIKE '%-dirty' "                                 \
    "THEN commit_id || ' ' || substr(program, 1, 8) ELSE commit_id END"
/* ?1: since, or NULL; ?2: the last revision. */
#define NOW  "CASE WHEN ?1 IS NULL THEN " REVISION " = ?2 ELSE recorded_at >= ?1 END"
#define RUNS " FROM run JOIN build ON build.id = run.build "

static const char *const revisions_sql = "SELECT " REVISION ", min(recorded_at)" RUNS
                                         "GROUP BY 1 ORDER BY min(recorded_at), min(run.id)";
static const char *const arms_sql =
    "SELECT DISTINCT scenario, settings FROM run ORDER BY scenario, settings";
static const char *const tallies_sql =
    "SELECT scenario, settings, " REVISION ", " NOW ", count(*), sum(wall_us)" RUNS
    "GROUP BY 1, 2, 3, 4 ORDER BY 1, 2, 3, 4";
static const char *const laws_sql =
    "SELECT scenario, law, sum(exercised > 0 OR broken)" RUNS
    "JOIN run_law ON run_law.run = run.id WHERE " NOW " GROUP BY 1, 2 ORDER BY 1, 2";
static const char *const failures_sql =
    "SELECT scenario, settings, " REVISION ", " NOW ", run.id, seed, events, "
    "(SELECT coalesce(sum(fired), 0) FROM run_fault WHERE run_fault.run = run.id), verdict, "
    "message, law, what, check_text, violation.event, time_us, node, device, epoch, counter, "
    "plan.text, (SELECT classes FROM shrunk WHERE shrunk.run = run.id)" RUNS
    "LEFT JOIN violation ON violation.run = run.id "
    "LEFT JOIN plan ON plan.run = run.id WHERE verdict <> 'pass' ORDER BY run.id";
static const char *const fired_sql = "SELECT fault FROM run_fault WHERE run = ?1 AND fired > 0";
static const char *const items_sql =
    "SELECT kind, event, time_us, node, a, b, counter, value, text FROM event "
    "WHERE run = ?1 AND kind IN ('evidence', 'effect', 'truth') ORDER BY ordinal";

enum { REVISIONS, ARMS, TALLIES, LAWS, FAILURES, FIRED, ITEMS, STATEMENT_COUNT };

struct reading {
    struct triage *triage;
    struct record *record;
    const char *since;
    sqlite3_stmt *statements[STATEMENT_COUNT];
};

/* ---- rows ------------------------------------------------------------------------------------ */

static const char *text_at(sqlite3_stmt *row, int index)
{
    const unsigned char *text = sqlite3_column_text(row, index);
    return text == NULL ? "" : (const char *)text;
}

static uint64_t number_at(sqlite3_stmt *row, int index)
{
    return (uint64_t)sqlite3_column_int64(row, index);
}

static char *copy_at(sqlite3_stmt *row, int index)
{
    char *copy = strdup(text_at(row, index));
    CHECK(copy != NULL);
    return copy;
}

/* Room for one element more; the new one is zero. */
static void *grow(void *list, uint32_t count, size_t element_bytes)
{
    if ((count & (count - 1)) == 0) { /* 0, or a power of two: that many are there */
        const size_t capacity = count == 0 ? 1 : (size_t)count * 2;
        list = realloc(list, capacity * element_bytes);
        CHECK(list != NULL);
    }
    memset((char *)list + count * element_bytes, 0, element_bytes);
    return list;
}

static int arm_order(const void *left, const void *right)
{
    const struct triage_arm *a = left, *b = right;
    const int scenarios = strcmp(a->scenario, b->scenario);
    return scenarios != 0 ? scenarios : strcmp(a->settings, b->settings);
}

/* The first three columns are scenario, settings and revision. */
static uint32_t arm_at(const struct triage *triage, sqlite3_stmt *row)
{
    char *scenario = copy_at(row, 0), *settings = copy_at(row, 1);
    const struct triage_arm wanted = {scenario, settings};
    const struct triage_arm *found =
        bsearch(&wanted, triage->arms, triage->arm_count, sizeof *triage->arms, arm_order);
    free(scenario);
    free(settings);
    CHECK(found != NULL);
    return (uint32_t)(found - triage->arms);
}

static uint32_t revision_at(const struct triage *triage, sqlite3_stmt *row)
{
    const char *name = text_at(row, 2);
    uint32_t i = triage->revision_count;
    while (i > 0 && strncmp(triage->revisions[i - 1].name, name,
                            sizeof triage->revisions[0].name - 1) != 0) {
        i--;
    }
    CHECK(i > 0);
    return i - 1;
}

static void add_revision(struct reading *reading, sqlite3_stmt *row)
{
    struct triage *triage = reading->triage;
    triage->revisions = grow(triage->revisions, triage->revision_count, sizeof *triage->revisions);
    struct triage_revision *revision = &triage->revisions[triage->revision_count++];
    snprintf(revision->name, sizeof revision->name, "%s", text_at(row, 0));
    snprintf(revision->first_at, sizeof revision->first_at, "%s", text_at(row, 1));
}

static void add_arm(struct reading *reading, sqlite3_stmt *row)
{
    struct triage *triage = reading->triage;
    triage->arms = grow(triage->arms, triage->arm_count, sizeof *triage->arms);
    triage->arms[triage->arm_count++] = (struct triage_arm){copy_at(row, 0), copy_at(row, 1)};
}

static void add_tally(struct reading *reading, sqlite3_stmt *row)
{
    struct triage *triage = reading->triage;
    triage->tallies = grow(triage->tallies, triage->tally_count, sizeof *triage->tallies);
    struct triage_tally *tally = &triage->tallies[triage->tally_count++];
    *tally = (struct triage_tally){
        .arm = arm_at(triage, row),
        .revision = revision_at(triage, row),
        .now = number_at(row, 3) != 0,
        .runs = number_at(row, 4),
        .wall_us = number_at(row, 5),
    };
    triage->runs += tally->runs;
    triage->runs_now += tally->now ? tally->runs : 0;
}

static void add_law(struct reading *reading, sqlite3_stmt *row)
{
    struct triage *triage = reading->triage;
    triage->laws = grow(triage->laws, triage->law_count, sizeof *triage->laws);
    struct triage_law *law = &triage->laws[triage->law_count++];
    law->scenario = copy_at(row, 0);
    snprintf(law->law, sizeof law->law, "%s", text_at(row, 1));
    law->exercised = number_at(row, 2);
}

/* ---- subjects -------------------------------------------------------------------------------- */

/* Columns of failures_sql. */
enum {
    AT_RUN = 4,
    AT_SEED,
    AT_EVENTS,
    AT_FAULTS,
    AT_VERDICT,
    AT_MESSAGE,
    AT_LAW,
    AT_WHAT,
    AT_CHECK,
    AT_EVENT,
    AT_TIME,
    AT_NODE,
    AT_DEVICE,
    AT_EPOCH,
    AT_COUNTER,
    AT_PLAN,
    AT_SHRUNK,
};

/* Columns of items_sql. */
enum {
    ITEM_AT_KIND,
    ITEM_AT_EVENT,
    ITEM_AT_TIME,
    ITEM_AT_NODE,
    ITEM_AT_A,
    ITEM_AT_B,
    ITEM_AT_COUNTER,
    ITEM_AT_VALUE,
    ITEM_AT_TEXT,
};

/* The name in an item's line: what stands behind event, time and node; of evidence the first word,
 * of a truth all of it. */
static void item_name(sqlite3_stmt *item, char *name, size_t name_bytes)
{
    const char *text = text_at(item, ITEM_AT_TEXT);
    for (unsigned column = 0; column < 3; column++) {
        text += strspn(text, " ");
        text += strcspn(text, " ");
    }
    text += strspn(text, " *");
    const bool word = strcmp(text_at(item, ITEM_AT_KIND), "evidence") == 0;
    const size_t length = word ? strcspn(text, " ") : strlen(text);
    snprintf(name, name_bytes, "%.*s", (int)(length < name_bytes ? length : name_bytes - 1), text);
}

/* Is it what the violation was found in? device: of the violation, its number, where it is known.
 */
static bool is_evidence(sqlite3_stmt *item, sqlite3_stmt *failure, bool known, uint32_t device)
{
    return number_at(item, ITEM_AT_EVENT) == number_at(failure, AT_EVENT) &&
           number_at(item, ITEM_AT_TIME) == number_at(failure, AT_TIME) &&
           strcmp(text_at(item, ITEM_AT_NODE), text_at(failure, AT_NODE)) == 0 &&
           number_at(item, ITEM_AT_B) == number_at(failure, AT_EPOCH) &&
           number_at(item, ITEM_AT_COUNTER) == number_at(failure, AT_COUNTER) &&
           (!known || number_at(item, ITEM_AT_A) == device);
}

static bool read_plan(struct plan *plan, sqlite3_stmt *failure)
{
    char error[200];
    const int size = sqlite3_column_bytes(failure, AT_PLAN);
    if (size <= 0) {
        return false;
    }
    char *text = copy_at(failure, AT_PLAN);
    const bool good = plan_read_text(plan, text, error, sizeof error);
    free(text);
    return good;
}

static sqlite3_stmt *of_run(struct reading *reading, unsigned which, int64_t run)
{
    sqlite3_stmt *statement = reading->statements[which];
    sqlite3_reset(statement);
    (void)sqlite3_bind_int64(statement, 1, run);
    return statement;
}

static bool read_fired(struct reading *reading, int64_t run, bool fired[EFFECT_COUNT])
{
    int stepped;
    sqlite3_stmt *row = of_run(reading, FIRED, run);
    memset(fired, 0, EFFECT_COUNT * sizeof fired[0]);
    while ((stepped = sqlite3_step(row)) == SQLITE_ROW) {
        const enum effect effect = effect_find(text_at(row, 0));
        if (effect < EFFECT_COUNT) {
            fired[effect] = true;
        }
    }
    return stepped == SQLITE_DONE;
}

/* All items of a failed run, for its evidence and, with a plan, its cone. */
static bool read_items(struct reading *reading, sqlite3_stmt *failure, struct triage_cone *cone,
                       struct triage_subject *subject)
{
    int stepped;
    const int64_t run = sqlite3_column_int64(failure, AT_RUN);
    const struct settings *settings = cone == NULL ? NULL : &cone->plan->settings;
    const uint32_t device =
        settings == NULL ? 0 : fleet_node_find(settings, text_at(failure, AT_DEVICE));
    sqlite3_stmt *item = of_run(reading, ITEMS, run);
    while ((stepped = sqlite3_step(item)) == SQLITE_ROW) {
        char name[64];
        const char *kind = text_at(item, ITEM_AT_KIND);
        const bool effect = strcmp(kind, "effect") == 0;
        if (effect && cone != NULL && number_at(item, ITEM_AT_B) == 0) {
            triage_cone_effect(cone, (uint32_t)number_at(item, ITEM_AT_A),
                               number_at(item, ITEM_AT_TIME));
        }
        if (effect) {
            continue;
        }
        item_name(item, name, sizeof name);
        if (subject->evidence[0] == '\0' && is_evidence(item, failure, cone != NULL, device)) {
            snprintf(subject->evidence, sizeof subject->evidence, "%s", name);
        }
        if (cone != NULL && strcmp(kind, "evidence") == 0) {
            triage_cone_evidence(cone, number_at(item, ITEM_AT_TIME), name,
                                 fleet_node_find(settings, text_at(item, ITEM_AT_NODE)),
                                 (uint32_t)number_at(item, ITEM_AT_A),
                                 number_at(item, ITEM_AT_VALUE));
        }
    }
    return stepped == SQLITE_DONE;
}

static void dash(char *text)
{
    if (text[0] == '\0') {
        text[0] = '-';
        text[1] = '\0';
    }
}

/* A law was broken. */
static bool read_violation(struct reading *reading, sqlite3_stmt *failure,
                           struct triage_subject *subject)
{
    struct plan plan;
    struct triage_cone cone;
    bool fired[EFFECT_COUNT];
    const char *check = text_at(failure, AT_CHECK), *node = text_at(failure, AT_NODE);
    memset(&plan, 0, sizeof plan);
    const bool planned = read_plan(&plan, failure);
    if (planned) {
        triage_cone_begin(&cone, &plan, node, text_at(failure, AT_DEVICE),
                          number_at(failure, AT_TIME));
    }
    bool good = read_items(reading, failure, planned ? &cone : NULL, subject) &&
                read_fired(reading, sqlite3_column_int64(failure, AT_RUN), fired);
    if (planned) {
        triage_cone_end(&cone, fired, subject->cone, sizeof subject->cone);
    } else {
        snprintf(subject->cone, sizeof subject->cone, "?");
    }
    snprintf(subject->law, sizeof subject->law, "%s", text_at(failure, AT_LAW));
    triage_mask(check[0] != '\0' ? check : text_at(failure, AT_WHAT), subject->what,
                sizeof subject->what);
    snprintf(subject->role, sizeof subject->role, "%.*s", (int)strcspn(node, "0123456789"), node);
    plan_free(&plan);
    return good;
}

static bool add_failure(struct reading *reading, sqlite3_stmt *row)
{
    struct triage *triage = reading->triage;
    const char *verdict = text_at(row, AT_VERDICT);
    bool good = true;
    triage->failures = grow(triage->failures, triage->failure_count, sizeof *triage->failures);
    struct triage_failure *failure = &triage->failures[triage->failure_count++];
    *failure = (struct triage_failure){
        .run = sqlite3_column_int64(row, AT_RUN),
        .seed = number_at(row, AT_SEED),
        .events = number_at(row, AT_EVENTS),
        .faults = number_at(row, AT_FAULTS),
        .arm = arm_at(triage, row),
        .revision = revision_at(triage, row),
        .now = number_at(row, 3) != 0,
        .subject = calloc(1, sizeof *failure->subject),
    };
    struct triage_subject *subject = failure->subject;
    CHECK(subject != NULL);
    if (sqlite3_column_type(row, AT_LAW) != SQLITE_NULL) {
        good = read_violation(reading, row, subject);
    } else {
        snprintf(subject->law, sizeof subject->law, "run.%s",
                 strcmp(verdict, "fail") == 0 ? "expectation" : verdict);
        triage_mask(text_at(row, AT_MESSAGE), subject->what, sizeof subject->what);
    }
    dash(subject->evidence);
    dash(subject->role);
    dash(subject->cone);
    memcpy(subject->lived_cone, subject->cone, sizeof subject->lived_cone);
    triage_key(subject, failure->lived_key);
    if (sqlite3_column_type(row, AT_SHRUNK) != SQLITE_NULL) {
        snprintf(subject->cone, sizeof subject->cone, "%s", text_at(row, AT_SHRUNK));
    }
    triage_key(subject, failure->key);
    return good;
}

/* ---- all of it ------------------------------------------------------------------------------- */

static bool prepare(struct reading *reading)
{
    static const char *const texts[STATEMENT_COUNT] = {
        [REVISIONS] = revisions_sql, [ARMS] = arms_sql,         [TALLIES] = tallies_sql,
        [LAWS] = laws_sql,           [FAILURES] = failures_sql, [FIRED] = fired_sql,
        [ITEMS] = items_sql,
    };
    bool good = true;
    for (unsigned i = 0; good && i < STATEMENT_COUNT; i++) {
        good = sqlite3_prepare_v2(reading->record->database, texts[i], -1, &reading->statements[i],
                                  NULL) == SQLITE_OK;
    }
    return good;
}

/* The statements that ask for what is now. */
static bool bind_now(struct reading *reading, sqlite3_stmt *statement)
{
    const struct triage *triage = reading->triage;
    const char *last =
        triage->revision_count == 0 ? "" : triage->revisions[triage->revision_count - 1].name;
    return sqlite3_bind_text(statement, 1, reading->since, -1, SQLITE_STATIC) == SQLITE_OK &&
           sqlite3_bind_text(statement, 2, last, -1, SQLITE_TRANSIENT) == SQLITE_OK;
}

static bool each(struct reading *reading, unsigned which,
                 void (*add)(struct reading *reading, sqlite3_stmt *row))
{
    int stepped;
    sqlite3_stmt *statement = reading->statements[which];
    if (sqlite3_bind_parameter_count(statement) > 0 && !bind_now(reading, statement)) {
        return false;
    }
    while ((stepped = sqlite3_step(statement)) == SQLITE_ROW) {
        add(reading, statement);
    }
    return stepped == SQLITE_DONE;
}

static bool each_failure(struct reading *reading)
{
    int stepped = SQLITE_ERROR;
    sqlite3_stmt *statement = reading->statements[FAILURES];
    bool good = bind_now(reading, statement);
    while (good && (stepped = sqlite3_step(statement)) == SQLITE_ROW) {
        good = add_failure(reading, statement);
    }
    return good && stepped == SQLITE_DONE;
}

/* "YYYY-MM-DD", or with "Thh:mm:ssZ" behind it: recorded_at is compared as text. */
static bool is_time(const char *text)
{
    static const char form[] = "dddd-dd-ddTdd:dd:ddZ";
    const size_t length = strlen(text);
    for (size_t i = 0; i < length && i < sizeof form - 1; i++) {
        const bool digit = text[i] >= '0' && text[i] <= '9';
        if (form[i] == 'd' ? !digit : text[i] != form[i]) {
            return false;
        }
    }
    return length == 10 || length == sizeof form - 1;
}

bool triage_read(struct triage *triage, struct record *record, const char *since, char *error,
                 size_t error_bytes)
{
    struct reading reading = {.triage = triage, .record = record, .since = since};
    memset(triage, 0, sizeof *triage);
    if (since != NULL && !is_time(since)) {
        snprintf(error, error_bytes,
                 "--since takes a day or an instant, such as 2026-03-01 or 2026-03-01T18:30:00Z, "
                 "not '%.40s'",
                 since);
        return false;
    }
    /* One transaction: a sweep that goes on meanwhile is seen as it is at one instant. */
    bool good = record_exec(record, "BEGIN") && prepare(&reading) &&
                each(&reading, REVISIONS, add_revision) && each(&reading, ARMS, add_arm) &&
                each(&reading, TALLIES, add_tally) && each(&reading, LAWS, add_law) &&
                each_failure(&reading);
    good = good || record_explain(record, error, error_bytes);
    for (unsigned i = 0; i < STATEMENT_COUNT; i++) {
        sqlite3_finalize(reading.statements[i]);
    }
    (void)record_exec(record, "COMMIT");
    if (good) {
        triage_group(triage);
    }
    return good;
}
