#include "sim/spec_runs.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "core/check.h"
#include "models/wide_telemetry.h"
#include "sim/evidence_judge.h"
#include "sim/map.h"
#include "sim/random.h"
#include "sim/status.h"
#include "sim/subject.h"

extern const struct spec_model spec_session, spec_update;

static uint32_t ask_telemetry(const struct spec_trace *trace, struct spec_finding *finding);
static uint32_t ask_session(const struct spec_trace *trace, struct spec_finding *finding);
static uint32_t ask_update(const struct spec_trace *trace, struct spec_finding *finding);

/* Laws that have a follower, by the name that it tells its steps under (judge_config.heard). */
static const struct followed {
    const char *law;
    uint32_t (*ask)(const struct spec_trace *trace, struct spec_finding *finding);
} followed[] = {{"Telemetry", ask_telemetry}, {"Update", ask_update}, {"Session", ask_session}};
enum { FOLLOWED_COUNT = sizeof followed / sizeof followed[0], NODE_BITS = 24 };

/* One run, while it is lived. */
struct hearing {
    struct spec_runs *runs;
    int64_t id;
    uint32_t first;    /* of its traces in the list */
    struct map places; /* by actor and part: index in the list */
};

static const struct followed *followed_find(const char *law)
{
    for (uint32_t i = 0; i < FOLLOWED_COUNT; i++) {
        if (strcmp(law, followed[i].law) == 0) {
            return &followed[i];
        }
    }
    return NULL;
}

bool spec_runs_follow(const char *law, char *laws)
{
    size_t length = 0;
    for (uint32_t i = 0; i < FOLLOWED_COUNT && length < SPEC_RUNS_LAWS_BYTES; i++) {
        length += (size_t)snprintf(laws + length, SPEC_RUNS_LAWS_BYTES - length, "%s%s",
                                   i == 0 ? "" : ", ", followed[i].law);
    }
    return followed_find(law) != NULL;
}

static struct spec_trace *trace_of(struct hearing *hearing, const struct follow_step *step)
{
    struct spec_runs *runs = hearing->runs;
    const uint64_t key = step->part << NODE_BITS | step->actor;
    CHECK(step->actor >> NODE_BITS == 0 && step->part >> (64 - NODE_BITS) == 0);
    uint32_t place = map_find(&hearing->places, key);
    if (place == MAP_NONE) {
        if (runs->count == runs->capacity) {
            runs->capacity = runs->capacity == 0 ? 64 : 2 * runs->capacity;
            runs->list = realloc(runs->list, runs->capacity * sizeof *runs->list);
            CHECK(runs->list != NULL);
        }
        struct spec_trace *trace = &runs->list[runs->count++];
        memset(trace, 0, sizeof *trace);
        trace->run_id = hearing->id;
        trace->actor = step->actor;
        trace->part = step->part;
        place = runs->count - 1;
        map_put(&hearing->places, key, place);
    }
    return &runs->list[place];
}

static void on_step(void *ctx, const char *law, const int32_t *k, const struct follow_step *step,
                    uint32_t shape)
{
    (void)shape;
    struct hearing *hearing = ctx;
    struct spec_trace_event event = {.move = step->move, .sight_count = step->sight_count};
    if (strcmp(law, hearing->runs->law) != 0) {
        return;
    }
    struct spec_trace *trace = trace_of(hearing, step);
    memcpy(trace->k, k, sizeof trace->k); /* a follower may come to know more of them */
    if (hearing->runs->events_max != 0 && trace->count >= hearing->runs->events_max) {
        trace->left_out++;
        return;
    }
    memcpy(event.sights, step->sights, sizeof event.sights);
    event.shown = *step->observation;
    spec_trace_add(trace, &event);
}

/* Keep so many of the run's traces, in the order of their nodes. */
static void sample(struct hearing *hearing, uint64_t seed)
{
    struct spec_runs *runs = hearing->runs;
    const uint64_t key = random_key(seed, "trace");
    uint64_t left = runs->count - hearing->first, wanted = runs->devices_max;
    uint32_t kept = hearing->first;
    for (uint32_t i = hearing->first; i < runs->count; i++, left--) {
        const bool keep = wanted > 0 && random_at(key, i - hearing->first) % left < wanted;
        if (keep) {
            runs->list[kept++] = runs->list[i];
            wanted--;
        } else {
            spec_trace_free(&runs->list[i]);
        }
    }
    runs->count = kept;
}

static struct spec_run *add_run(struct hearing *hearing, const struct run_result *result)
{
    struct spec_runs *runs = hearing->runs;
    runs->runs = realloc(runs->runs, (runs->run_count + 1u) * sizeof *runs->runs);
    CHECK(runs->runs != NULL);
    struct spec_run *run = &runs->runs[runs->run_count++];
    *run = (struct spec_run){
        .id = hearing->id, .seed = result->plan.seed, .followed = runs->count - hearing->first};
    run->settings = malloc(sizeof *run->settings);
    CHECK(run->settings != NULL);
    *run->settings = result->plan.settings;
    run->devices = (uint32_t)run->settings->number[SETTING_fleet_devices];
    return run;
}

static enum verdict live(struct hearing *hearing, const struct subject *subject, char *error,
                         size_t error_bytes)
{
    struct run_request request;
    struct command_settings settings;
    struct run_result result;
    struct status status;
    char note[256];
    subject_request(subject, &request, &settings);
    request.options.heard = on_step;
    request.options.heard_ctx = hearing;
    request.progress = command_progress;
    request.progress_ctx = &status;
    status_begin(&status);
    run(&request, &result);
    status_clear(&status);
    enum verdict verdict = VERDICT_PASS;
    if (result.verdict == VERDICT_USAGE) {
        verdict = VERDICT_USAGE;
        snprintf(error, error_bytes, "run %" PRId64 ": %s", hearing->id, result.message);
    } else {
        const enum subject_match match = subject_compare(subject, &result, note, sizeof note);
        struct spec_run *lived = add_run(hearing, &result);
        snprintf(lived->note, sizeof lived->note, "%s", match == SUBJECT_SAME ? "" : note);
        if (match == SUBJECT_DIFFERS) {
            verdict = VERDICT_NONDETERMINISTIC;
            snprintf(error, error_bytes, "run %" PRId64 ": one program, one run, two hashes; %s",
                     hearing->id, note);
        } else if (hearing->runs->devices_max != 0) {
            sample(hearing, result.plan.seed);
        }
    }
    run_result_free(&result);
    return verdict;
}

enum verdict spec_runs_add(struct spec_runs *runs, struct record *record, int64_t id, char *error,
                           size_t error_bytes)
{
    struct hearing hearing = {.runs = runs, .id = id, .first = runs->count};
    map_init(&hearing.places);
    struct subject *subject = calloc(1, sizeof *subject);
    enum verdict verdict = VERDICT_USAGE;
    CHECK(subject != NULL);
    if (subject_load_run(subject, record, id, error, error_bytes)) {
        verdict = live(&hearing, subject, error, error_bytes);
    }
    subject_free(subject);
    free(subject);
    map_free(&hearing.places);
    return verdict;
}

static bool hear_logs(struct evidence_merge *merge, struct evidence_judge *judge, char *error,
                      size_t error_bytes)
{
    enum merge_outcome outcome = MERGE_STEP;
    while (outcome == MERGE_STEP) {
        outcome = merge_next(merge, false, 0, evidence_judge_hear, judge, error, error_bytes);
    }
    const struct merge_counts *counts = merge_counts(merge);
    if (outcome == MERGE_OVER && counts->late > 0) {
        snprintf(error, error_bytes,
                 "%s begins when its node had lived already: give the logs from the fleet's "
                 "beginning",
                 counts->late_path);
        return false;
    }
    return outcome == MERGE_OVER;
}

enum verdict spec_runs_add_logs(struct spec_runs *runs, const char *const *paths, uint32_t count,
                                char *error, size_t error_bytes)
{
    struct hearing hearing = {.runs = runs, .first = runs->count};
    struct evidence_merge *merge = NULL;
    struct evidence_judge judge;
    memset(&judge, 0, sizeof judge);
    map_init(&hearing.places);
    bool good = merge_open(&merge, paths, count, error, error_bytes) &&
                evidence_judge_init(&judge, merge, UINT64_MAX, error, error_bytes);
    if (good) {
        judge_tell(judge.judge, on_step, &hearing);
        good = hear_logs(merge, &judge, error, error_bytes);
    }
    if (good) {
        runs->runs = realloc(runs->runs, (runs->run_count + 1u) * sizeof *runs->runs);
        CHECK(runs->runs != NULL);
        runs->runs[runs->run_count++] = (struct spec_run){.devices = judge.device_count,
                                                          .followed = runs->count - hearing.first};
        if (runs->devices_max != 0) {
            sample(&hearing, 0);
        }
    }
    evidence_judge_free(&judge);
    merge_free(merge);
    map_free(&hearing.places);
    return good ? VERDICT_PASS : VERDICT_USAGE;
}

void spec_runs_free(struct spec_runs *runs)
{
    for (uint32_t i = 0; i < runs->count; i++) {
        spec_trace_free(&runs->list[i]);
    }
    for (uint32_t i = 0; i < runs->run_count; i++) {
        free(runs->runs[i].settings);
    }
    free(runs->list);
    free(runs->runs);
    memset(runs, 0, sizeof *runs);
}

/* ---- The judges ------------------------------------------------------------------------------ */

static struct follow_step step_of(const struct spec_trace *trace, uint32_t at)
{
    const struct spec_trace_event *event = &trace->events[at];
    struct follow_step step = {.actor = trace->actor,
                               .part = trace->part,
                               .move = event->move,
                               .sight_count = event->sight_count,
                               .observation = &event->shown};
    memcpy(step.sights, event->sights, sizeof step.sights);
    return step;
}

static uint32_t ask_telemetry(const struct spec_trace *trace, struct spec_finding *finding)
{
    struct wide_telemetry *wide = calloc(1, wide_telemetry_size_bytes());
    void *before = calloc(1, wide_telemetry_before_bytes());
    struct difference difference = {"", 0, 0};
    enum wide_outcome outcome = WIDE_TAKEN;
    uint32_t at = 0;
    CHECK(wide != NULL && before != NULL);
    wide_telemetry_init(wide, trace->k);
    for (; at < trace->count && outcome == WIDE_TAKEN; at++) {
        const struct follow_step step = step_of(trace, at);
        outcome = wide_telemetry_take(wide, before, trace->k, &step, &difference);
    }
    free(before);
    free(wide);
    snprintf(finding->what, sizeof finding->what, "%s", difference.what);
    finding->expected = (int64_t)difference.expected;
    finding->actual = (int64_t)difference.actual;
    return outcome == WIDE_BROKEN ? at - 1 : UINT32_MAX;
}

static uint32_t ask_model(const struct spec_model *model, const struct spec_trace *trace,
                          struct spec_finding *finding)
{
    struct spec_ruling ruling;
    int32_t state[SPEC_STATE_WORDS_MAX] = {0};
    spec_ruling_init(&ruling, model, trace->k);
    const bool begun = model->init(trace->k, 0, state);
    CHECK(begun);
    for (uint32_t at = 0; at < trace->count; at++) {
        const struct follow_step step = step_of(trace, at);
        if (!spec_ruling_step(&ruling, state, &step, finding)) {
            return at;
        }
    }
    return UINT32_MAX;
}

static uint32_t ask_session(const struct spec_trace *trace, struct spec_finding *finding)
{
    return ask_model(&spec_session, trace, finding);
}

static uint32_t ask_update(const struct spec_trace *trace, struct spec_finding *finding)
{
    return ask_model(&spec_update, trace, finding);
}

uint32_t spec_runs_ask(const char *law, const struct spec_trace *trace,
                       struct spec_finding *finding)
{
    const struct followed *of = followed_find(law);
    CHECK(of != NULL);
    *finding = (struct spec_finding){.what = ""};
    return of->ask(trace, finding);
}

/* ---- For people ------------------------------------------------------------------------------ */

static const struct settings *settings_of(const struct spec_runs *runs, int64_t id)
{
    for (uint32_t i = 0; i < runs->run_count; i++) {
        if (runs->runs[i].id == id) {
            return runs->runs[i].settings;
        }
    }
    CHECK(false);
    return NULL;
}

void spec_runs_print_actor(const struct spec_runs *runs, const struct spec_trace *trace, char *text,
                           size_t bytes)
{
    const struct settings *settings = settings_of(runs, trace->run_id);
    char name[32];
    int length;
    if (settings == NULL) {
        length = snprintf(text, bytes, "node %" PRIu32, trace->actor);
    } else {
        fleet_node_name(settings, trace->actor, name, sizeof name);
        length = snprintf(text, bytes, "run %" PRId64 ", %s", trace->run_id, name);
    }
    if (trace->part != 0 && trace->count > 0 && length > 0 && (size_t)length < bytes) {
        snprintf(text + length, bytes - (size_t)length, ", counter %" PRIu64,
                 trace->events[0].shown.counter);
    }
}

void spec_runs_print_event(const struct spec_runs *runs, const struct spec_trace *trace,
                           uint32_t index, char *text, size_t bytes)
{
    CHECK(index < trace->count);
    const struct observation *shown = &trace->events[index].shown;
    const struct settings *settings = settings_of(runs, trace->run_id);
    if (settings == NULL) {
        snprintf(text, bytes,
                 "%s of node %" PRIu32 ", device %" PRIu32 ", epoch %" PRIu32 ", counter %" PRIu64
                 ", value %" PRIu64,
                 world_said_name(shown->kind), shown->node, shown->device, shown->epoch,
                 shown->counter, shown->value);
        return;
    }
    const struct world_item item = {.kind =
                                        shown->kind < EVIDENCE_COUNT ? ITEM_EVIDENCE : ITEM_TRUTH,
                                    .event = shown->event,
                                    .time_us = shown->time_us,
                                    .node = shown->node,
                                    .what = shown->kind,
                                    .a = shown->device,
                                    .b = shown->epoch,
                                    .counter = shown->counter,
                                    .value = shown->value};
    world_item_print(settings, &item, text, bytes);
}
