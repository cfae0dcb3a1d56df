#include "sim/trial.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "core/check.h"
#include "sim/lane.h"
#include "sim/status.h"
#include "sim/twin_witness.h"

/* What a lane is to run: written by this process while the lane is idle, read by its child. */
struct order {
    uint64_t events_max;
    struct plan plan; /* its entries stand behind it, in `entries` */
    struct plan_entry entries[];
};

struct tried {
    uint64_t hash[2];
    bool fails;
    bool counted;
};

/* What a lane is at, for this process. */
struct errand {
    uint64_t hash[2];
    uint64_t round; /* of the list that it belongs to; older ones are only remembered */
    uint32_t unit;
};

/* Of a list: unit u is candidate u / n with seed u % n, where there are n seeds. */
enum state { UNTRIED, UNDERWAY, HOLDS, FAILS };

struct trials {
    struct trial_config config;
    struct lane lanes[TRIAL_JOBS_MAX];
    struct errand errands[TRIAL_JOBS_MAX];
    uint8_t *orders; /* shared with the lanes: `jobs` of order_bytes */
    size_t order_bytes;
    char kind[FAILURE_BYTES];
    uint64_t events_max;
    struct tried *tried;
    uint32_t tried_count, tried_capacity;
    uint64_t round, runs, start_us;
    enum state *states; /* of the units of the list that is being tried; NULL: there is none */
    uint32_t bound;     /* the first candidate that is known to fail */
    uint64_t seeds[TRIAL_SEEDS_MAX];
    uint32_t seed_count;
    bool spent;
};

static struct order *order_of(const struct trials *trials, uint64_t lane)
{
    return (struct order *)(void *)(trials->orders + lane * trials->order_bytes);
}

/* ---- the child's side ------------------------------------------------------------------------ */

/* Who is watched is not run a second time for its trace (sim/witness.h). */
static void ignore_item(void *ctx, const struct world_item *item)
{
    (void)ctx;
    (void)item;
}

static void request(void *ctx, uint64_t job, const char *text, struct run_request *target)
{
    struct order *order = order_of(ctx, job);
    (void)text;
    target->until_event = order->events_max;
    order->plan.entries = order->entries;
    target->plan = &order->plan;
    target->options.item = ignore_item;
}

static void live_twice(void *ctx, const struct run_request *request, struct witness *witness)
{
    const struct trials *trials = ctx;
    twin_witness(trials->config.twin, request, witness);
}

/* ---- lanes ----------------------------------------------------------------------------------- */

/* Pages that this process and those it forks see alike: a nameless file's. */
static void *shared_memory(size_t bytes)
{
    void *pages = MAP_FAILED;
    FILE *file = tmpfile();
    if (file != NULL && ftruncate(fileno(file), (off_t)bytes) == 0) {
        pages = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fileno(file), 0);
    }
    if (file != NULL) {
        fclose(file);
    }
    return pages == MAP_FAILED ? NULL : pages;
}

struct trials *trials_open(const struct trial_config *config)
{
    CHECK(config->jobs >= 1 && config->jobs <= TRIAL_JOBS_MAX);
    struct trials *trials = calloc(1, sizeof *trials);
    CHECK(trials != NULL);
    trials->config = *config;
    trials->events_max = config->events_max;
    trials->start_us = status_wall_us();
    trials->order_bytes = sizeof(struct order) + config->entries_max * sizeof(struct plan_entry);
    trials->order_bytes = (trials->order_bytes + 63) / 64 * 64;
    const size_t bytes = trials->order_bytes * config->jobs;
    trials->orders = shared_memory(bytes);
    if (trials->orders == NULL) {
        free(trials);
        return NULL;
    }
    const struct lane_work work = {request, trials, config->timeout_us, 0,
                                   config->twin != NULL ? live_twice : NULL};
    for (uint32_t i = 0; i < config->jobs; i++) {
        trials->lanes[i].socket = -1;
    }
    for (uint32_t i = 0; i < config->jobs; i++) {
        if (!lane_start(trials->lanes, config->jobs, i, &work)) {
            trials->config.jobs = i;
            trials_close(trials);
            return NULL;
        }
    }
    return trials;
}

void trials_close(struct trials *trials)
{
    if (trials == NULL) {
        return;
    }
    for (uint32_t i = 0; i < trials->config.jobs; i++) {
        lane_stop(&trials->lanes[i]);
    }
    (void)munmap(trials->orders, trials->order_bytes * trials->config.jobs);
    free(trials->tried);
    free(trials);
}

static void order_plan(struct order *order, const struct plan *plan, uint64_t events_max)
{
    order->events_max = events_max;
    order->plan = *plan;
    order->plan.entry_capacity = plan->entry_count;
    if (plan->entry_count > 0) {
        memcpy(order->entries, plan->entries, plan->entry_count * sizeof *plan->entries);
    }
}

/* ---- what was tried -------------------------------------------------------------------------- */

static struct tried *find(const struct trials *trials, const uint64_t hash[2])
{
    for (uint32_t i = 0; i < trials->tried_count; i++) {
        if (memcmp(trials->tried[i].hash, hash, sizeof trials->tried[i].hash) == 0) {
            return &trials->tried[i];
        }
    }
    return NULL;
}

static void remember(struct trials *trials, const uint64_t hash[2], bool fails)
{
    if (find(trials, hash) != NULL) {
        return; /* two lanes had the same plan */
    }
    if (trials->tried_count == trials->tried_capacity) {
        trials->tried_capacity = trials->tried_capacity == 0 ? 256 : trials->tried_capacity * 2;
        trials->tried = realloc(trials->tried, trials->tried_capacity * sizeof *trials->tried);
        CHECK(trials->tried != NULL);
    }
    struct tried *tried = &trials->tried[trials->tried_count++];
    memcpy(tried->hash, hash, sizeof tried->hash);
    tried->fails = fails;
    tried->counted = false;
}

static uint32_t units_of(const struct trials *trials)
{
    return trials->seed_count == 0 ? 1 : trials->seed_count;
}

/* Among the first `count` units of a candidate, is there one in this state? */
static bool any(const struct trials *trials, uint32_t candidate, uint32_t count, enum state state)
{
    for (uint32_t i = 0; i < count; i++) {
        if (trials->states[candidate * units_of(trials) + i] == state) {
            return true;
        }
    }
    return false;
}

static void set_state(struct trials *trials, uint32_t unit, bool fails)
{
    const uint32_t count = units_of(trials), candidate = unit / count;
    trials->states[unit] = fails ? FAILS : HOLDS;
    if (candidate < trials->bound && !any(trials, candidate, count, HOLDS) &&
        !any(trials, candidate, count, UNTRIED) && !any(trials, candidate, count, UNDERWAY)) {
        trials->bound = candidate;
    }
}

/* The lane has an answer. */
static void take(struct trials *trials, uint32_t lane)
{
    const struct errand *errand = &trials->errands[lane];
    struct witness witness;
    char kind[FAILURE_BYTES];
    lane_take(&trials->lanes[lane], &witness);
    failure_kind(&witness.result, kind);
    const bool fails = kind[0] != '\0' && strcmp(kind, trials->kind) == 0;
    witness_free(&witness);
    if (trials->lanes[lane].socket < 0) {
        trials->spent = true; /* the lane is gone, and what it was asked is not known */
        return;
    }
    remember(trials, errand->hash, fails);
    if (errand->round == trials->round && trials->states != NULL) {
        set_state(trials, errand->unit, fails);
    }
}

/* Wait until a lane has an answer, and take it. False: none is at work. */
static bool await(struct trials *trials)
{
    struct pollfd files[TRIAL_JOBS_MAX];
    uint32_t lanes[TRIAL_JOBS_MAX];
    nfds_t count = 0;
    for (uint32_t i = 0; i < trials->config.jobs; i++) {
        if (trials->lanes[i].busy && trials->lanes[i].socket >= 0) {
            lanes[count] = i;
            files[count++] = (struct pollfd){trials->lanes[i].socket, POLLIN, 0};
        }
    }
    if (count == 0 || (poll(files, count, -1) < 0 && errno != EINTR)) {
        return false;
    }
    for (nfds_t i = 0; i < count; i++) {
        if (files[i].revents != 0) {
            take(trials, lanes[i]);
        }
    }
    return true;
}

/* The lane is to be idle. */
static void clear(struct trials *trials, uint32_t lane)
{
    while (trials->lanes[lane].busy && await(trials)) {
    }
}

/* ---- one thing ------------------------------------------------------------------------------- */

static void run_order(struct trials *trials, struct run_result *result)
{
    struct witness witness;
    if (trials->lanes[0].socket < 0 || !lane_give(&trials->lanes[0], 0, NULL)) {
        memset(result, 0, sizeof *result);
        result->verdict = VERDICT_HARNESS;
        snprintf(result->message, sizeof result->message, "its worker process is gone");
        return;
    }
    lane_take(&trials->lanes[0], &witness);
    *result = witness.result;
    memset(&witness.result.plan, 0, sizeof witness.result.plan); /* it goes to the caller */
    witness_free(&witness);
}

void trials_run(struct trials *trials, const struct plan *plan, struct run_result *result)
{
    CHECK(plan->entry_count <= trials->config.entries_max);
    trials->round++;
    clear(trials, 0);
    order_plan(order_of(trials, 0), plan, trials->events_max);
    run_order(trials, result);
}

/* ---- a list ---------------------------------------------------------------------------------- */

void trials_seek(struct trials *trials, const char kind[FAILURE_BYTES], uint64_t events_max)
{
    trials->round++;
    for (uint32_t i = 0; i < trials->config.jobs; i++) {
        clear(trials, i);
    }
    memcpy(trials->kind, kind, FAILURE_BYTES);
    trials->tried_count = trials->seed_count = 0;
    trials->events_max = events_max;
    trials->runs = 0;
    trials->spent = false;
}

void trials_seeds(struct trials *trials, const uint64_t *seeds, uint32_t count)
{
    CHECK(count <= TRIAL_SEEDS_MAX && trials->states == NULL);
    for (uint32_t i = 0; i < count; i++) {
        trials->seeds[i] = seeds[i];
    }
    trials->seed_count = count;
}

struct round {
    struct trials *trials;
    const struct trial_list *list;
    uint64_t (*hashes)[2]; /* of the units' plans */
    uint32_t given;        /* units below were tried, are under way, or need not be tried */
};

static bool make(const struct round *round, uint32_t unit, struct plan *plan)
{
    const struct trials *trials = round->trials;
    const uint32_t count = units_of(trials);
    if (!round->list->make(round->list->ctx, unit / count, plan)) {
        return false;
    }
    if (trials->seed_count > 0) {
        plan->seed = trials->seeds[unit % count];
    }
    return true;
}

/* A unit to a lane, if it has to be run. */
static void give_one(struct round *round, uint32_t unit, uint32_t lane)
{
    struct trials *trials = round->trials;
    struct errand *errand = &trials->errands[lane];
    const uint32_t count = units_of(trials);
    struct plan plan;
    plan_init(&plan, 0);
    if (any(trials, unit / count, unit % count, HOLDS) || !make(round, unit, &plan)) {
        set_state(trials, unit, false);
        plan_free(&plan);
        return;
    }
    CHECK(plan.entry_count <= trials->config.entries_max);
    plan_hash(&plan, round->hashes[unit]);
    const struct tried *tried = find(trials, round->hashes[unit]);
    if (tried != NULL) {
        set_state(trials, unit, tried->fails);
    } else {
        order_plan(order_of(trials, lane), &plan, trials->events_max);
        memcpy(errand->hash, round->hashes[unit], sizeof errand->hash);
        errand->round = trials->round;
        errand->unit = unit;
        trials->states[unit] = UNDERWAY;
        trials->spent = !lane_give(&trials->lanes[lane], lane, NULL) || trials->spent;
    }
    plan_free(&plan);
}

/* Units come to idle lanes in their order, up to the first candidate that is known to fail. */
static void give(struct round *round)
{
    struct trials *trials = round->trials;
    const uint32_t count = units_of(trials);
    for (uint32_t i = 0; i < trials->config.jobs; i++) {
        while (!trials->lanes[i].busy && trials->lanes[i].socket >= 0 &&
               round->given < round->list->count * count && round->given / count < trials->bound) {
            give_one(round, round->given++, i);
        }
    }
}

static bool over(const struct trials *trials)
{
    return trials->runs >= trials->config.runs_max ||
           (trials->config.wall_us_max != 0 &&
            status_wall_us() - trials->start_us >= trials->config.wall_us_max);
}

/* Its turn has come: count it, if it is a run that was not counted yet. False: too many. */
static bool count(struct trials *trials, const uint64_t hash[2])
{
    struct tried *tried = find(trials, hash);
    if (tried == NULL || tried->counted) {
        return true; /* no candidate, or known before */
    }
    if (over(trials)) {
        trials->spent = true;
        return false;
    }
    tried->counted = true;
    trials->runs++;
    if (trials->config.progress != NULL) {
        trials->config.progress(trials->config.progress_ctx, trials->runs);
    }
    return true;
}

enum turn { TURN_HOLDS, TURN_FAILS, TURN_STOP };

static enum turn judge_unit(struct round *round, uint32_t unit)
{
    struct trials *trials = round->trials;
    give(round);
    while (trials->states[unit] == UNDERWAY || trials->states[unit] == UNTRIED) {
        if (trials->spent || !await(trials)) {
            trials->spent = true;
            return TURN_STOP;
        }
        give(round);
    }
    if (!count(trials, round->hashes[unit])) {
        return TURN_STOP;
    }
    return trials->states[unit] == FAILS ? TURN_FAILS : TURN_HOLDS;
}

static int64_t judge(struct round *round)
{
    const uint32_t units = units_of(round->trials);
    for (uint32_t candidate = 0; candidate < round->list->count; candidate++) {
        enum turn turn = TURN_FAILS;
        for (uint32_t i = 0; i < units && turn == TURN_FAILS; i++) {
            turn = judge_unit(round, candidate * units + i);
        }
        if (turn != TURN_HOLDS) {
            return turn == TURN_FAILS ? (int64_t)candidate : TRIAL_STOP;
        }
    }
    return TRIAL_NONE;
}

int64_t trials_first(struct trials *trials, const struct trial_list *list)
{
    if (list->count == 0) {
        return TRIAL_NONE;
    }
    if (trials->spent) {
        return TRIAL_STOP;
    }
    struct round round = {.trials = trials, .list = list};
    trials->round++;
    trials->bound = UINT32_MAX;
    const size_t units = (size_t)list->count * units_of(trials);
    trials->states = calloc(units, sizeof *trials->states);
    round.hashes = calloc(units, sizeof *round.hashes);
    CHECK(trials->states != NULL && round.hashes != NULL);
    const int64_t found = judge(&round);
    free(trials->states);
    trials->states = NULL;
    free(round.hashes);
    return found;
}

uint64_t trials_runs(const struct trials *trials)
{
    return trials->runs;
}

bool trials_spent(const struct trials *trials)
{
    return trials->spent;
}
