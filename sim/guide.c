#include "sim/guide.h"

#include <stdlib.h>
#include <string.h>

#include "core/check.h"
#include "sim/map.h"
#include "sim/plan_mutate.h"
#include "sim/witness.h"

enum { LATEST = 16 /* of the corpus: half of the picks are among these */ };

struct showing {
    bool in;
    struct coverage_set shown; /* owned */
    char *plan;                /* owned */
};

struct guide {
    uint64_t seed, generation;
    uint32_t missing; /* results of this generation */
    struct map seen;
    struct showing showings[GUIDE_GENERATION];
    uint32_t corpus_count, oldest; /* a ring once it is full */
    char *corpus[GUIDE_CORPUS_MAX];
};

struct guide *guide_open(uint64_t seed)
{
    struct guide *guide = calloc(1, sizeof *guide);
    CHECK(guide != NULL);
    guide->seed = seed;
    guide->missing = GUIDE_GENERATION;
    map_init(&guide->seen);
    return guide;
}

void guide_close(struct guide *guide)
{
    if (guide == NULL) {
        return;
    }
    for (uint32_t i = 0; i < GUIDE_GENERATION; i++) {
        coverage_set_free(&guide->showings[i].shown);
        free(guide->showings[i].plan);
    }
    for (uint32_t i = 0; i < guide->corpus_count; i++) {
        free(guide->corpus[i]);
    }
    map_free(&guide->seen);
    free(guide);
}

uint32_t guide_corpus(const struct guide *guide)
{
    return guide->corpus_count;
}

bool guide_ready(const struct guide *guide, uint64_t job)
{
    return job / GUIDE_GENERATION <= guide->generation;
}

/* ---- plans ----------------------------------------------------------------------------------- */

static const char *pick(const struct guide *guide, struct random_stream *draws)
{
    const uint32_t count = guide->corpus_count;
    const uint32_t last = (guide->oldest + count - 1) % GUIDE_CORPUS_MAX;
    if (random_below(draws, 2) == 0 || count <= LATEST) {
        return guide->corpus[random_below(draws, count)];
    }
    const uint32_t back = (uint32_t)random_below(draws, LATEST);
    return guide->corpus[(last + GUIDE_CORPUS_MAX - back) % GUIDE_CORPUS_MAX];
}

static bool read_plan(const char *text, struct plan *plan)
{
    char error[256];
    plan_init(plan, 0);
    return plan_read_text(plan, text, error, sizeof error);
}

char *guide_plan(struct guide *guide, uint64_t job)
{
    struct random_stream draws = {random_at(random_key(guide->seed, "guide"), job), 0};
    struct plan plan, other;
    CHECK(guide_ready(guide, job));
    if (job % 2 == 0 || guide->corpus_count == 0) {
        return NULL;
    }
    CHECK(read_plan(pick(guide, &draws), &plan) && read_plan(pick(guide, &draws), &other));
    plan_mutate(&plan, &other, &draws);
    char *text = witness_plan_text(&plan);
    plan_free(&plan);
    plan_free(&other);
    return text;
}

/* ---- results --------------------------------------------------------------------------------- */

static bool is_fresh(const struct guide *guide, const struct coverage_set *shown)
{
    for (uint32_t i = 0; i < shown->count; i++) {
        if (map_find(&guide->seen, shown->keys[i]) == MAP_NONE) {
            return true;
        }
    }
    return false;
}

static void keep(struct guide *guide, char *plan)
{
    if (guide->corpus_count < GUIDE_CORPUS_MAX) {
        guide->corpus[guide->corpus_count++] = plan;
        return;
    }
    free(guide->corpus[guide->oldest]);
    guide->corpus[guide->oldest] = plan;
    guide->oldest = (guide->oldest + 1) % GUIDE_CORPUS_MAX;
}

static void learn(struct guide *guide, struct showing *showing)
{
    const bool fresh = showing->plan != NULL && is_fresh(guide, &showing->shown);
    for (uint32_t i = 0; i < showing->shown.count; i++) {
        if (map_find(&guide->seen, showing->shown.keys[i]) == MAP_NONE) {
            map_put(&guide->seen, showing->shown.keys[i], 0);
        }
    }
    if (fresh) {
        keep(guide, showing->plan);
    } else {
        free(showing->plan);
    }
    coverage_set_free(&showing->shown);
    memset(showing, 0, sizeof *showing);
}

bool guide_result(struct guide *guide, uint64_t job, const struct coverage_set *shown,
                  const char *plan)
{
    struct showing *showing = &guide->showings[job % GUIDE_GENERATION];
    const bool fresh = is_fresh(guide, shown);
    CHECK(job / GUIDE_GENERATION == guide->generation && !showing->in);
    showing->in = true;
    showing->shown.count = shown->count;
    showing->shown.keys = malloc(shown->count * sizeof *shown->keys + 1);
    showing->plan = plan == NULL ? NULL : strdup(plan);
    CHECK(showing->shown.keys != NULL && (plan == NULL || showing->plan != NULL));
    if (shown->count > 0) {
        memcpy(showing->shown.keys, shown->keys, shown->count * sizeof *shown->keys);
    }
    if (--guide->missing == 0) {
        for (uint32_t i = 0; i < GUIDE_GENERATION; i++) {
            learn(guide, &guide->showings[i]);
        }
        guide->generation++;
        guide->missing = GUIDE_GENERATION;
    }
    return fresh;
}
