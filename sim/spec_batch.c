#include "sim/spec_batch.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "core/check.h"

struct batch {
    int32_t k[SPEC_CONSTANTS_MAX];
    uint32_t count, capacity;
    uint32_t *numbers; /* of its traces */
    uint64_t events;
    struct spec_trace canary;
    char folder[SPEC_PATH_BYTES];
    struct spec_pack pack;
};

struct hall {
    struct spec_trials *trials;
    const struct spec_config *config;
    char *text; /* of the spec */
    uint32_t count;
    struct batch *batches;
    struct tlc_job *jobs;
    bool failed;
    char *error;
    size_t error_bytes;
};

static void divide(struct hall *hall);
static bool judge(struct hall *hall);
static bool look_into(struct hall *hall);

const struct spec_config *spec_trials_config(const struct spec_folder *folder)
{
    for (uint32_t i = 0; i < folder->config_count; i++) {
        if (folder->configs[i].role == SPEC_ROLE_CHECK) {
            return &folder->configs[i];
        }
    }
    return NULL;
}

static void hall_free(struct hall *hall)
{
    for (uint32_t i = 0; i < hall->count; i++) {
        free(hall->batches[i].numbers);
        spec_trace_free(&hall->batches[i].canary);
        spec_pack_free(&hall->batches[i].pack);
    }
    free(hall->batches);
    free(hall->jobs);
    free(hall->text);
}

bool spec_trials_hold(struct spec_trials *trials, char *error, size_t error_bytes)
{
    struct hall hall = {.trials = trials, .error = error, .error_bytes = error_bytes};
    size_t size_bytes;
    hall.config = spec_trials_config(trials->folder);
    trials->accepted = calloc(trials->trace_count + 1u, sizeof *trials->accepted);
    trials->stuck = calloc(trials->trace_count + 1u, sizeof *trials->stuck);
    CHECK(trials->accepted != NULL && trials->stuck != NULL);
    if (hall.config == NULL) {
        snprintf(error, error_bytes, "%s: there is no MC.cfg, whose claims are to be checked",
                 trials->folder->path);
        return false;
    }
    hall.text = spec_read_file(trials->folder->module, SPEC_FILE_BYTES_MAX, &size_bytes, error,
                               error_bytes);
    bool good = hall.text != NULL;
    if (good) {
        divide(&hall);
        good = judge(&hall) && look_into(&hall);
    }
    hall_free(&hall);
    return good;
}

void spec_trials_free(struct spec_trials *trials)
{
    for (uint32_t i = 0; i < trials->trace_count && trials->stuck != NULL; i++) {
        free(trials->stuck[i].state);
    }
    free(trials->stuck);
    free(trials->accepted);
    trials->stuck = NULL;
    trials->accepted = NULL;
}

/* ---- Batches --------------------------------------------------------------------------------- */

static bool fits(const struct hall *hall, const struct batch *batch, const struct spec_trace *trace,
                 uint64_t events_max)
{
    const uint32_t constants = hall->trials->folder->model->constant_count;
    for (uint32_t i = 0; i < constants; i++) {
        if (batch->k[i] != trace->k[i]) {
            return false;
        }
    }
    return batch->events == 0 || batch->events + trace->count <= events_max;
}

static struct batch *batch_for(struct hall *hall, const struct spec_trace *trace,
                               uint64_t events_max)
{
    for (uint32_t i = 0; i < hall->count; i++) {
        if (fits(hall, &hall->batches[i], trace, events_max)) {
            return &hall->batches[i];
        }
    }
    hall->batches = realloc(hall->batches, (hall->count + 1u) * sizeof *hall->batches);
    CHECK(hall->batches != NULL);
    struct batch *batch = &hall->batches[hall->count++];
    memset(batch, 0, sizeof *batch);
    memcpy(batch->k, trace->k, sizeof batch->k);
    return batch;
}

static void put(struct hall *hall, uint32_t number, uint64_t events_max)
{
    const struct spec_trace *trace = hall->trials->traces[number];
    struct batch *batch = batch_for(hall, trace, events_max);
    if (batch->count == batch->capacity) {
        batch->capacity = batch->capacity == 0 ? 64 : 2 * batch->capacity;
        batch->numbers = realloc(batch->numbers, batch->capacity * sizeof *batch->numbers);
        CHECK(batch->numbers != NULL);
    }
    batch->numbers[batch->count++] = number;
    batch->events += trace->count;
}

/* As many batches as there may be JVMs, if they are worth one. */
static void divide(struct hall *hall)
{
    struct spec_trials *trials = hall->trials;
    uint64_t events_max;
    for (uint32_t i = 0; i < trials->trace_count; i++) {
        trials->events += trials->traces[i]->count;
    }
    events_max = trials->events / trials->call->jobs + 1;
    events_max = events_max < SPEC_BATCH_EVENTS_MIN   ? SPEC_BATCH_EVENTS_MIN
                 : events_max > SPEC_BATCH_EVENTS_MAX ? SPEC_BATCH_EVENTS_MAX
                                                      : events_max;
    for (uint32_t i = 0; i < trials->trace_count; i++) {
        put(hall, i, events_max);
    }
    trials->batch_count = hall->count;
}

/* ---- The canary ------------------------------------------------------------------------------ */

/* A step's result is unique: another value than the one that was seen is wrong, wherever the seen
 * one is right. Where nothing was seen, no value above its domain can be right. */
static bool make_canary(const struct hall *hall, struct batch *batch)
{
    const struct spec_model *model = hall->trials->folder->model;
    struct spec_variable variables[SPEC_VARIABLES_MAX];
    for (uint32_t i = 0; i < batch->count; i++) {
        const struct spec_trace *trace = hall->trials->traces[batch->numbers[i]];
        for (uint32_t at = trace->count; at > 0; at--) {
            if (trace->events[at - 1].sight_count > 0) {
                spec_trace_copy(&batch->canary, trace, at);
                return spec_trace_damage(&batch->canary, SPEC_DAMAGE_WRONG_SIGHT, at - 1, NULL,
                                         model);
            }
        }
    }
    const struct spec_trace *first = hall->trials->traces[batch->numbers[0]];
    spec_trace_copy(&batch->canary, first, first->count);
    model->variables(batch->k, variables);
    for (uint32_t v = 0; v < model->variable_count && batch->canary.count > 0; v++) {
        if (variables[v].domain.kind == SPEC_INT && variables[v].key_count < 2) {
            struct spec_trace_event *last = &batch->canary.events[batch->canary.count - 1];
            last->sight_count = 1;
            last->sights[0] =
                (struct follow_sight){.variable = v, .value = variables[v].domain.high + 1};
            return true;
        }
    }
    return false;
}

/* ---- Judgement ------------------------------------------------------------------------------- */

static bool fail(struct hall *hall, const char *what)
{
    if (!hall->failed) {
        snprintf(hall->error, hall->error_bytes, "%s", what);
    }
    hall->failed = true;
    return false;
}

/* The traces of a batch; `canary` comes behind them. */
static bool make_pack(struct hall *hall, struct batch *batch, const uint32_t *numbers,
                      uint32_t count, const struct spec_trace *canary)
{
    const uint32_t all = count + (canary != NULL ? 1u : 0u);
    const struct spec_trace **traces = malloc((all + 1u) * sizeof *traces);
    CHECK(traces != NULL);
    for (uint32_t i = 0; i < count; i++) {
        traces[i] = hall->trials->traces[numbers[i]];
    }
    traces[count] = canary;
    hall->failed = !spec_pack_make(&batch->pack, hall->trials->folder->model, batch->k, traces, all,
                                   hall->error, hall->error_bytes);
    free(traces);
    return !hall->failed;
}

static bool write_job(struct hall *hall, struct batch *batch, struct tlc_job *job, bool reasons)
{
    struct spec_trials *trials = hall->trials;
    const struct spec_trace_module module = {.pack = &batch->pack,
                                             .config = hall->config,
                                             .text = reasons ? hall->text : NULL,
                                             .refines = trials->refines && !reasons};
    memset(job, 0, sizeof *job);
    if (!spec_call_folder(trials->call, hall->trials->folders++, batch->folder,
                          sizeof batch->folder)) {
        return fail(hall, "no folder for TLC can be made");
    }
    if (!spec_trace_write(&module, batch->folder, hall->error, hall->error_bytes)) {
        hall->failed = true;
        return false;
    }
    snprintf(job->folder, sizeof job->folder, "%s", batch->folder);
    snprintf(job->module, sizeof job->module, "Trace.tla");
    snprintf(job->config, sizeof job->config, "Trace.cfg");
    snprintf(job->library, sizeof job->library, "%s", trials->folder->path);
    job->prints = true;
    job->weight = batch->events;
    job->owner = batch;
    return true;
}

static bool write_batches(struct hall *hall)
{
    hall->jobs = calloc(hall->count, sizeof *hall->jobs);
    CHECK(hall->jobs != NULL);
    for (uint32_t i = 0; i < hall->count; i++) {
        struct batch *batch = &hall->batches[i];
        if (!make_canary(hall, batch)) {
            return fail(hall, "no canary can be made: there is no step to spoil");
        }
        if (!make_pack(hall, batch, batch->numbers, batch->count, &batch->canary) ||
            !write_job(hall, batch, &hall->jobs[i], false)) {
            return false;
        }
        hall->trials->numbers += batch->pack.begins[batch->count];
    }
    return true;
}

/* TLC came to an end, and has found nothing to complain of: traces do not break what is claimed,
 * they end before it. */
static bool is_whole(struct hall *hall, const struct tlc_job *job)
{
    if (job->outcome == TLC_HELD) {
        return true;
    }
    if (!hall->failed) {
        snprintf(hall->error, hall->error_bytes,
                 "TLC cannot follow the traces (--keep leaves the module to look at): %.600s",
                 job->message);
    }
    hall->failed = true;
    return false;
}

static void batch_done(void *ctx, struct tlc_job *job)
{
    struct hall *hall = ctx;
    struct spec_trials *trials = hall->trials;
    struct batch *batch = job->owner;
    char path[SPEC_PATH_BYTES + 16];
    bool *accepted = calloc(batch->pack.trace_count, sizeof *accepted);
    CHECK(accepted != NULL);
    snprintf(path, sizeof path, "%s/rows.txt", job->folder);
    if (is_whole(hall, job)) {
        hall->failed = !spec_trace_read_accepted(&batch->pack, path, accepted, hall->error,
                                                 hall->error_bytes) ||
                       hall->failed;
        trials->states += job->distinct;
        for (uint32_t i = 0; i < batch->count; i++) {
            trials->accepted[batch->numbers[i]] = accepted[i];
        }
        if (accepted[batch->count]) {
            (void)fail(hall, "TLC accepts the canary, a trace with a sight that is wrong: what it "
                             "says of the others is worth nothing");
        }
        trials->canary_count++;
    }
    free(accepted);
    free(job->output);
    job->output = NULL;
}

static bool run_jobs(struct hall *hall, uint32_t count,
                     void (*done)(void *ctx, struct tlc_job *job), uint64_t *wall_us)
{
    struct spec_call *call = hall->trials->call;
    const struct tlc_hooks hooks = {.done = done, .ctx = hall};
    const uint64_t begun_us = status_wall_us();
    if (count > 0 && !tlc_run(&call->tlc, hall->jobs, count, (uint32_t)call->jobs, &hooks)) {
        return fail(hall, "no process can be made for TLC");
    }
    *wall_us = status_wall_us() - begun_us;
    return !hall->failed;
}

static bool judge(struct hall *hall)
{
    return write_batches(hall) && run_jobs(hall, hall->count, batch_done, &hall->trials->tlc_us);
}

/* ---- Reasons --------------------------------------------------------------------------------- */

static void reasons_done(void *ctx, struct tlc_job *job)
{
    struct hall *hall = ctx;
    struct batch *batch = job->owner;
    const struct spec_trace_module module = {
        .pack = &batch->pack, .config = hall->config, .text = hall->text};
    char path[SPEC_PATH_BYTES + 16];
    struct spec_stuck *stuck = calloc(batch->count, sizeof *stuck);
    CHECK(stuck != NULL && batch->pack.trace_count == batch->count);
    snprintf(path, sizeof path, "%s/rows.txt", job->folder);
    if (is_whole(hall, job)) {
        hall->failed =
            !spec_trace_read_stuck(&module, path, stuck, hall->error, hall->error_bytes) ||
            hall->failed;
    }
    for (uint32_t i = 0; i < batch->count; i++) {
        hall->trials->stuck[batch->numbers[i]] = stuck[i];
        if (!stuck[i].is_stuck) {
            (void)fail(hall, "TLC rejects a trace, and then says nowhere why");
        }
    }
    free(stuck);
    free(job->output);
    job->output = NULL;
}

/* From here on a batch is those of its traces that were rejected. */
static bool keep_rejected(struct hall *hall, struct batch *batch)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < batch->count && count < SPEC_REASONS_MAX; i++) {
        if (!hall->trials->accepted[batch->numbers[i]]) {
            batch->numbers[count++] = batch->numbers[i];
        }
    }
    batch->count = count;
    spec_pack_free(&batch->pack);
    return count > 0;
}

static bool look_into(struct hall *hall)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < hall->count; i++) {
        struct batch *batch = &hall->batches[i];
        if (keep_rejected(hall, batch)) {
            if (!make_pack(hall, batch, batch->numbers, batch->count, NULL) ||
                !write_job(hall, batch, &hall->jobs[count++], true)) {
                return false;
            }
        }
    }
    return run_jobs(hall, count, reasons_done, &hall->trials->reasons_us);
}
