#include "sim/outcome.h"

#include <cJSON.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "core/check.h"
#include "sim/command.h"

enum { FAILURES_SHOWN = 20 };

/* ---- counting -------------------------------------------------------------------------------- */

static void *grow(void *list, uint64_t count, uint64_t *capacity, size_t item_bytes)
{
    if (count < *capacity) {
        return list;
    }
    *capacity = *capacity == 0 ? 1024 : *capacity * 2;
    list = realloc(list, *capacity * item_bytes);
    CHECK(list != NULL);
    return list;
}

void outcome_init(struct outcome *outcome, const char *db)
{
    memset(outcome, 0, sizeof *outcome);
    outcome->db = db;
    digest_map_init(&outcome->hashes);
    digest_map_init(&outcome->shown);
}

static void add_digests(struct outcome *outcome, const struct run_result *result)
{
    const struct coverage_set *set = &result->coverage[COVERAGE_TRANSITION];
    uint64_t digest[2];
    bool added;
    hash_once(set->keys, set->count * (uint32_t)sizeof *set->keys, digest);
    (void)digest_map_put(&outcome->shown, digest, 1, &added);
    (void)digest_map_put(&outcome->hashes, result->digest, 1, &added);
}

uint64_t outcome_distinct(const struct outcome *outcome)
{
    return outcome->shown.count;
}

static void add_failure(struct outcome *outcome, const struct outcome_failure *failure,
                        const char *law, const char *message)
{
    outcome->failures = grow(outcome->failures, outcome->failure_count, &outcome->failure_capacity,
                             sizeof *outcome->failures);
    struct outcome_failure *added = &outcome->failures[outcome->failure_count++];
    *added = *failure;
    snprintf(added->law, sizeof added->law, "%s", law);
    added->message = strdup(message);
    CHECK(added->message != NULL);
}

void outcome_add(struct outcome *outcome, const char *scenario, uint64_t seed, int64_t run_id,
                 const struct run_result *result)
{
    outcome->done++;
    outcome->verdicts[result->verdict]++;
    outcome->endings[result->ending]++;
    outcome->events += result->events;
    outcome->sim_us += result->sim_us;
    if (outcome->memory_bytes < result->memory_bytes) {
        outcome->memory_bytes = result->memory_bytes;
    }
    for (unsigned i = 0; i < COVERAGE_KIND_COUNT; i++) {
        outcome->lost += result->coverage[i].lost;
    }
    totals_add(&outcome->totals, result);
    if (result->events > 0) {
        add_digests(outcome, result);
    }
    if (result->verdict != VERDICT_PASS) {
        const struct outcome_failure failure = {
            .run_id = run_id, .scenario = scenario, .seed = seed, .verdict = result->verdict};
        add_failure(outcome, &failure, result->violated ? law_name(result->violation.law) : "",
                    result->message);
    }
}

void outcome_add_recorded(struct outcome *outcome, const char *scenario, uint64_t seed,
                          const struct record_done *done)
{
    enum verdict verdict = VERDICT_PASS;
    while (verdict < VERDICT_UNKNOWN && strcmp(verdict_name(verdict), done->verdict) != 0) {
        verdict++;
    }
    outcome->done++;
    outcome->recorded++;
    outcome->verdicts[verdict]++;
    if (verdict != VERDICT_PASS) {
        const struct outcome_failure failure = {
            .run_id = done->id, .scenario = scenario, .seed = seed, .verdict = verdict};
        add_failure(outcome, &failure, done->law, done->message);
    }
}

void outcome_fail(struct outcome *outcome, enum verdict verdict, const char *error)
{
    snprintf(outcome->error, sizeof outcome->error, "%s", error);
    outcome->error_verdict = verdict;
}

int outcome_exit_code(const struct outcome *outcome)
{
    static const enum verdict order[] = {VERDICT_FAIL, VERDICT_NONDETERMINISTIC, VERDICT_HARNESS,
                                         VERDICT_UNKNOWN};
    if (outcome->error[0] != '\0') {
        return (int)outcome->error_verdict;
    }
    for (unsigned i = 0; i < sizeof order / sizeof order[0]; i++) {
        if (outcome->verdicts[order[i]] > 0) {
            return (int)order[i];
        }
    }
    return outcome->done < outcome->asked && !outcome->time_is_up ? VERDICT_UNKNOWN : VERDICT_PASS;
}

void outcome_free(struct outcome *outcome)
{
    for (uint64_t i = 0; i < outcome->failure_count; i++) {
        free(outcome->failures[i].message);
    }
    free(outcome->failures);
    digest_map_free(&outcome->hashes);
    digest_map_free(&outcome->shown);
}

/* ---- as text --------------------------------------------------------------------------------- */

static void print_failures(const struct outcome *outcome, const struct print *print)
{
    char line[COMMAND_LINE_BYTES];
    for (uint64_t i = 0; i < outcome->failure_count && i < FAILURES_SHOWN; i++) {
        const struct outcome_failure *failure = &outcome->failures[i];
        command_replay_line(line, sizeof line, failure->run_id, outcome->db);
        print_verdict(print, failure->verdict);
        fprintf(print->file, "  %s, seed %" PRIu64 "\n  %s\n  ", failure->scenario, failure->seed,
                failure->message);
        print_paint(print, PRINT_STRONG, line);
        fputs("\n\n", print->file);
    }
    if (outcome->failure_count > FAILURES_SHOWN) {
        snprintf(line, sizeof line, "sqlite3");
        print_word(line, sizeof line, outcome->db);
        fprintf(print->file, "and %" PRIu64 " more: %s 'select * from failures'\n\n",
                outcome->failure_count - FAILURES_SHOWN, line);
    }
}

static void print_counts(const struct outcome *outcome, const struct print *print)
{
    static const struct {
        enum verdict verdict;
        const char *word;
        enum print_colour colour;
        bool always;
    } words[] = {
        {VERDICT_PASS, "passed", PRINT_GOOD, true},
        {VERDICT_FAIL, "failed", PRINT_BAD, true},
        {VERDICT_NONDETERMINISTIC, "not deterministic", PRINT_BAD, false},
        {VERDICT_HARNESS, "failed in the harness", PRINT_BAD, false},
        {VERDICT_UNKNOWN, "unknown", PRINT_ODD, false},
    };
    char text[64];
    for (unsigned i = 0; i < sizeof words / sizeof words[0]; i++) {
        const uint64_t count = outcome->verdicts[words[i].verdict];
        if (count > 0 || words[i].always) {
            snprintf(text, sizeof text, "%" PRIu64 " %s", count, words[i].word);
            print_paint(print, count > 0 ? words[i].colour : PRINT_DIM, text);
            fputs(", ", print->file);
        }
    }
    fprintf(print->file, "of %" PRIu64 " runs%s\n",
            outcome->time_is_up ? outcome->done : outcome->asked,
            outcome->time_is_up              ? "; its time is up"
            : outcome->done < outcome->asked ? "; it was stopped before its end"
                                             : "");
    if (outcome->recorded > 0) {
        fprintf(print->file, "%" PRIu64 " of them stood in the database already\n",
                outcome->recorded);
    }
}

static void print_endings(const struct outcome *outcome, const struct print *print)
{
    for (unsigned i = RUN_WHOLE + 1; i < RUN_ENDING_COUNT; i++) {
        if (outcome->endings[i] > 0) {
            fprintf(print->file, "%" PRIu64 " %s\n", outcome->endings[i],
                    run_ending_name((enum run_ending)i));
        }
    }
}

/* How much was seen, and how much is still to be seen. */
static void print_saturation(const struct outcome *outcome, const struct print *print)
{
    const struct record_saturation *all = &outcome->saturation;
    if (all->runs == 0) {
        return;
    }
    fprintf(print->file,
            "%" PRIu64 " different outcomes in %" PRIu64 " runs; %s: %" PRIu64
            " transitions in %" PRIu64 " runs, %" PRIu64
            " of them in one run alone: about %.3g of the next run's will be new\n",
            outcome_distinct(outcome), outcome->done - outcome->recorded, outcome->db, all->keys,
            all->runs, all->once, all->fresh_chance);
    if (outcome->lost > 0) {
        fprintf(print->file, "%" PRIu64 " keys of coverage were not kept: a run has room for %d\n",
                outcome->lost, COVERAGE_KEYS_MAX);
    }
}

/* What so many runs without a failure say, if the next ones are drawn as these were: a failure of
 * rate p would have stayed away with (1 - p)^runs, which is below 5 % from p = 3 / runs on. */
static void print_confidence(const struct outcome *outcome, const struct print *print)
{
    if (outcome->failure_count == 0) {
        fprintf(
            print->file,
            "no failure: with 95 %% confidence fewer than %.2g of all runs drawn as these fail; by "
            "class: brownout confidence --db %s\n",
            3.0 / (double)outcome->done, outcome->db);
    }
}

void outcome_print(struct outcome *outcome, const struct print *print)
{
    const uint64_t wall_us = outcome->wall_us + 1;
    print_failures(outcome, print);
    print_counts(outcome, print);
    print_endings(outcome, print);
    if (outcome->done == outcome->recorded) {
        return;
    }
    print_laws(print, &outcome->totals, outcome->done - outcome->recorded);
    print_faults(print, &outcome->totals);
    print_probes(print, &outcome->totals);
    fputc('\n', print->file);
    print_per_reading(print, &outcome->totals);
    print_saturation(outcome, print);
    print_confidence(outcome, print);
    fprintf(print->file,
            "%" PRIu64 " events and %" PRIu64 " h simulated in %" PRIu64 ".%" PRIu64 " s (%" PRIu64
            " events/s), %" PRIu32 " distinct hashes, %" PRIu64
            " MB in the run that took most\nruns    %s\n",
            outcome->events, outcome->sim_us / 3600000000u, wall_us / 1000000,
            wall_us / 100000 % 10, outcome->events * 1000 / (wall_us / 1000 + 1),
            outcome->hashes.count, outcome->memory_bytes / 1000000, outcome->db);
}

/* ---- as JSON --------------------------------------------------------------------------------- */

static void add_failures(const struct outcome *outcome, struct cJSON *object)
{
    char line[COMMAND_LINE_BYTES];
    struct cJSON *list = cJSON_AddArrayToObject(object, "failures");
    CHECK(list != NULL);
    for (uint64_t i = 0; i < outcome->failure_count; i++) {
        const struct outcome_failure *failure = &outcome->failures[i];
        struct cJSON *one = cJSON_CreateObject();
        CHECK(one != NULL);
        command_replay_line(line, sizeof line, failure->run_id, outcome->db);
        json_number(one, "run_id", (uint64_t)failure->run_id);
        json_text(one, "scenario", failure->scenario);
        json_number(one, "seed", failure->seed);
        json_text(one, "verdict", verdict_name(failure->verdict));
        json_text(one, "law", failure->law[0] != '\0' ? failure->law : NULL);
        json_text(one, "message", failure->message);
        json_text(one, "replay", line);
        CHECK(cJSON_AddItemToArray(list, one));
    }
}

void outcome_print_json(struct outcome *outcome, FILE *file)
{
    struct cJSON *object = cJSON_CreateObject();
    CHECK(object != NULL);
    json_number(object, "runs", outcome->done);
    json_number(object, "asked", outcome->asked);
    json_number(object, "passed", outcome->verdicts[VERDICT_PASS]);
    json_number(object, "failed", outcome->verdicts[VERDICT_FAIL]);
    json_number(object, "nondeterministic", outcome->verdicts[VERDICT_NONDETERMINISTIC]);
    json_number(object, "harness", outcome->verdicts[VERDICT_HARNESS]);
    json_number(object, "unknown", outcome->verdicts[VERDICT_UNKNOWN]);
    json_text(object, "error", outcome->error);
    add_failures(outcome, object);
    json_number(object, "recorded_before", outcome->recorded);
    for (unsigned i = RUN_WHOLE + 1; i < RUN_ENDING_COUNT; i++) {
        json_number(object, run_ending_name((enum run_ending)i), outcome->endings[i]);
    }
    json_number(object, "distinct_hashes", outcome->hashes.count);
    json_number(object, "distinct_outcomes", outcome_distinct(outcome));
    json_number(object, "transitions", outcome->saturation.keys);
    json_number(object, "transitions_once", outcome->saturation.once);
    json_number(object, "memory_bytes", outcome->memory_bytes);
    json_number(object, "events", outcome->events);
    json_seconds(object, "sim_s", outcome->sim_us);
    json_seconds(object, "wall_s", outcome->wall_us);
    json_totals(object, &outcome->totals);
    json_text(object, "db", outcome->db);
    json_print(file, object);
}
