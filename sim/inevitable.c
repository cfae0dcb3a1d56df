#include "sim/inevitable.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/check.h"
#include "sim/random.h"

enum { CHECKS = 3 /* events behind the one that is found, that are asked as well */ };

/* ---- the share of an event ------------------------------------------------------------------- */

static uint64_t square_root(uint64_t number)
{
    uint64_t low = 0, high = UINT32_MAX;
    while (low < high) {
        const uint64_t middle = low + (high - low + 1) / 2;
        if (middle <= number / middle) {
            low = middle;
        } else {
            high = middle - 1;
        }
    }
    return low;
}

/* With z = 1.96: (f + z^2/2 -+ z sqrt(f (n - f) / n + z^2/4)) / (n + z^2), in millionths. */
void inevitable_interval(uint32_t failed, uint32_t branches, uint32_t *low, uint32_t *high)
{
    CHECK(branches >= 1 && branches <= INEVITABLE_BRANCHES_MAX * 100 && failed <= branches);
    const uint64_t n = branches, f = failed, million = 1000000;
    const uint64_t under = f * (n - f) * million / n * million + 960400 * million;
    const uint64_t half = square_root(under) * 196 / 100;
    const uint64_t centre = f * million + 1920800, whole = n * million + 3841600;
    *low = (uint32_t)((centre > half ? centre - half : 0) * 1000 / whole);
    *high = (uint32_t)((centre + half) * 1000 / whole);
    *high = *high > 1000 ? 1000 : *high;
}

/* ---- a branch, in a process of its own ------------------------------------------------------- */

enum { BRANCH_HOLDS = 0, BRANCH_FAILS = 1 };

/* The law, without the name of the first bad evidence: that depends on chance. */
static void law_of(char kind[FAILURE_BYTES])
{
    char *at = strstr(kind, " at ");
    if (at != NULL) {
        *at = '\0';
    }
}

static void kind_of(const struct world *world, char kind[FAILURE_BYTES])
{
    struct run_result result;
    memset(&result, 0, sizeof result);
    const int index = world_expectation_failed(world);
    if (world_violation(world) != NULL) {
        result.verdict = VERDICT_FAIL;
        result.violated = true;
        result.violation = *world_violation(world);
        snprintf(result.check_text, sizeof result.check_text, "%s", world_check_text(world));
    } else if (index >= 0) {
        result.verdict = VERDICT_FAIL;
        snprintf(result.message, sizeof result.message, "expectation on %s does not hold",
                 figure_name(world_plan(world)->expectations[index].figure));
    }
    failure_kind(&result, kind);
    law_of(kind);
}

static _Noreturn void branch(struct world *world, const struct inevitable_config *config,
                             const char *law, uint64_t seed)
{
    char kind[FAILURE_BYTES];
    signal(SIGALRM, SIG_DFL);
    (void)alarm((unsigned)(config->timeout_us / 1000000 + 1));
    world_reseed(world, seed);
    while (world_step(world) == WORLD_RUNNING) {
    }
    kind_of(world, kind);
    _exit(strcmp(kind, law) == 0 ? BRANCH_FAILS : BRANCH_HOLDS);
}

/* ---- the trunk: the run itself, up to the event ---------------------------------------------- */

static bool reap(uint32_t *failed, uint32_t *lost)
{
    int status;
    pid_t pid;
    do {
        pid = wait(&status);
    } while (pid < 0 && errno == EINTR);
    if (pid < 0) {
        return false;
    }
    *failed += WIFEXITED(status) && WEXITSTATUS(status) == BRANCH_FAILS ? 1 : 0;
    /* Who took too long did not fail; who died in another way tells nothing. */
    const bool late = WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM;
    *lost += !late && (!WIFEXITED(status) || WEXITSTATUS(status) > BRANCH_FAILS) ? 1 : 0;
    return true;
}

static bool let_branch(struct world *world, const struct inevitable_config *config, const char *law,
                       struct inevitable_point *point)
{
    const uint64_t key = random_key(world_plan(world)->seed, "branches");
    uint32_t begun = 0, running = 0, lost = 0;
    bool good = true;
    while (begun < point->branches || running > 0) {
        if (begun < point->branches && running < config->jobs) {
            const pid_t pid = fork();
            if (pid == 0) {
                branch(world, config, law, random_at(key, begun));
            }
            good = pid > 0;
            begun++;
            running += good ? 1 : 0;
        } else if (reap(&point->failed, &lost)) {
            running--;
        } else {
            good = false;
        }
        if (!good) {
            return false;
        }
    }
    return lost == 0;
}

static struct world *grow(const struct plan *plan, const struct world_options *options,
                          uint64_t until_event)
{
    char error[256];
    struct world *world = world_create(plan, false, options, error, sizeof error);
    while (world != NULL && world_event_count(world) < until_event &&
           world_state(world) == WORLD_RUNNING) {
        (void)world_step(world);
    }
    return world;
}

struct search {
    const struct plan *plan;
    const struct inevitable_config *config;
    struct inevitable_result *result;
};

static void trunk(const struct search *search, struct inevitable_point *point, int out)
{
    struct world_options options;
    world_options_init(&options);
    struct world *world = grow(search->plan, &options, point->event);
    if (world != NULL && world_state(world) == WORLD_RUNNING) {
        point->time_us = world_next_us(world);
        if (let_branch(world, search->config, search->result->law, point) &&
            write(out, point, sizeof *point) == (ssize_t)sizeof *point) {
            _exit(0);
        }
    }
    _exit(1);
}

/* What was asked of an event with as many branches, or more; NULL: nothing. */
static const struct inevitable_point *known(const struct inevitable_result *result, uint64_t event,
                                            uint32_t branches)
{
    for (uint32_t i = 0; i < result->point_count; i++) {
        if (result->points[i].event == event && result->points[i].branches >= branches) {
            return &result->points[i];
        }
    }
    return NULL;
}

/* In the order of events; the surest word on each. */
static void keep(struct inevitable_result *result, const struct inevitable_point *point)
{
    uint32_t at = 0;
    while (at < result->point_count && result->points[at].event < point->event) {
        at++;
    }
    if (at < result->point_count && result->points[at].event == point->event) {
        result->points[at] = *point;
    } else if (result->point_count < INEVITABLE_POINTS_MAX) {
        memmove(&result->points[at + 1], &result->points[at],
                (result->point_count - at) * sizeof *point);
        result->points[at] = *point;
        result->point_count++;
    }
}

/* Ask an event. False: no processes, or branches that died. */
static bool ask(const struct search *search, uint64_t event, uint32_t times,
                struct inevitable_point *point)
{
    int ends[2];
    *point =
        (struct inevitable_point){.event = event, .branches = search->config->branches * times};
    if (pipe(ends) != 0) {
        return false;
    }
    fflush(NULL);
    const pid_t pid = fork();
    if (pid == 0) {
        close(ends[0]);
        trunk(search, point, ends[1]);
    }
    close(ends[1]);
    ssize_t got = -1;
    if (pid > 0) {
        do {
            got = read(ends[0], point, sizeof *point);
        } while (got < 0 && errno == EINTR);
        while (waitpid(pid, NULL, 0) < 0 && errno == EINTR) {
        }
    }
    close(ends[0]);
    if (got != (ssize_t)sizeof *point) {
        return false;
    }
    keep(search->result, point);
    if (search->config->progress != NULL) {
        search->config->progress(search->config->progress_ctx, search->result->point_count);
    }
    return true;
}

static bool is_certain(const struct inevitable_point *point)
{
    return point->failed == point->branches;
}

/* ---- the search ------------------------------------------------------------------------------ */

/* Between an event that is not certain and one that is. */
static bool bisect(const struct search *search, struct inevitable_point *before,
                   struct inevitable_point *after)
{
    while (after->event - before->event > 1) {
        struct inevitable_point point;
        if (!ask(search, before->event + (after->event - before->event) / 2, 1, &point)) {
            return false;
        }
        *(is_certain(&point) ? after : before) = point;
    }
    return true;
}

/* Is it certain from here on? *point: an event that says no. */
static bool holds_on(const struct search *search, const struct inevitable_point *after,
                     uint64_t end, struct inevitable_point *point, bool *good)
{
    if (after->event < end) {
        *good = ask(search, after->event, search->config->sure, point);
        if (!*good || !is_certain(point)) {
            return false;
        }
    }
    for (uint64_t i = 1; i <= CHECKS; i++) {
        const uint64_t event = after->event + (end - after->event) * i / (CHECKS + 1);
        if (event > after->event && event < end) {
            *good = ask(search, event, 1, point);
            if (!*good || !is_certain(point)) {
                return false;
            }
        }
    }
    return true;
}

static enum inevitable_outcome find(const struct search *search)
{
    struct inevitable_result *result = search->result;
    const uint64_t end = result->failed_event + 1; /* behind the failure it is certain */
    struct inevitable_point start, point;
    const struct inevitable_point over = {end, result->failed_us, search->config->branches,
                                          search->config->branches};
    bool good = ask(search, 0, search->config->sure, &start);
    if (good && is_certain(&start)) {
        result->after = start;
        return INEVITABLE_FROM_START;
    }
    result->before = start;
    while (good) {
        result->after = over;
        good = bisect(search, &result->before, &result->after);
        if (good && holds_on(search, &result->after, end, &point, &good)) {
            const struct inevitable_point *surest = known(result, result->after.event, 1);
            result->after = surest != NULL ? *surest : over;
            surest = known(result, result->before.event, 1);
            result->before = surest != NULL ? *surest : result->before;
            result->event = result->after.event - 1;
            result->time_us = result->before.time_us;
            return INEVITABLE_FOUND;
        }
        result->before = point;
    }
    snprintf(result->message, sizeof result->message,
             "branches of the run died, or no processes can be made: ask for fewer --jobs");
    return INEVITABLE_HARNESS;
}

/* The run itself, in a process of its own: where and how it fails. */
struct lived {
    char kind[FAILURE_BYTES];
    uint64_t event, time_us;
};

static bool live(const struct plan *plan, struct lived *lived)
{
    int ends[2];
    memset(lived, 0, sizeof *lived);
    if (pipe(ends) != 0) {
        return false;
    }
    fflush(NULL);
    const pid_t pid = fork();
    if (pid == 0) {
        struct world_options options;
        world_options_init(&options);
        struct world *world = grow(plan, &options, UINT64_MAX);
        if (world != NULL) {
            kind_of(world, lived->kind);
            lived->event = world_event_count(world) - 1;
            lived->time_us = world_now_us(world);
        }
        _exit(world != NULL && write(ends[1], lived, sizeof *lived) == (ssize_t)sizeof *lived ? 0
                                                                                              : 1);
    }
    close(ends[1]);
    ssize_t got;
    do {
        got = read(ends[0], lived, sizeof *lived);
    } while (got < 0 && errno == EINTR);
    close(ends[0]);
    while (pid > 0 && waitpid(pid, NULL, 0) < 0 && errno == EINTR) {
    }
    return got == (ssize_t)sizeof *lived;
}

static void tell(const struct plan *plan, uint64_t event, struct trace *trace)
{
    struct world_options options;
    world_options_init(&options);
    CHECK(trace_open(trace, false));
    options.item = trace_item;
    options.item_ctx = trace;
    world_free(grow(plan, &options, event + 1));
}

enum inevitable_outcome inevitable(const struct plan *plan, const struct inevitable_config *config,
                                   struct inevitable_result *result)
{
    struct lived lived;
    const struct search search = {plan, config, result};
    CHECK(config->jobs >= 1 && config->branches >= 1 && config->sure >= 1);
    memset(result, 0, sizeof *result);
    if (!live(plan, &lived)) {
        snprintf(result->message, sizeof result->message, "the run died, or there is no process");
        return INEVITABLE_HARNESS;
    }
    if (lived.kind[0] == '\0') {
        snprintf(result->message, sizeof result->message,
                 "the run passes: there is no failure that could become certain");
        return INEVITABLE_PASSES;
    }
    memcpy(result->law, lived.kind, sizeof result->law);
    result->failed_event = lived.event;
    result->failed_us = lived.time_us;
    const enum inevitable_outcome outcome = find(&search);
    if (outcome == INEVITABLE_FOUND) {
        tell(plan, result->event, &result->trace);
    }
    return outcome;
}

void inevitable_result_free(struct inevitable_result *result)
{
    trace_close(&result->trace);
}
