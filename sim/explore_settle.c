/* An id that shows what a search has found.
 *
 * The way back through the graph names images by their keys: it leads to an image that is like the
 * one that broke the law, and a broken program may behave differently there. A sector that counts
 * as anything stands for contents of which only some break it. And a boot that goes round has no
 * way back at all. So the id is lived again, and where the law holds there, others near it are:
 * other answers of the last boot, and other tears of one cut. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/check.h"
#include "sim/explore_inside.h"

enum {
    PIECES_MAX = 64,
    PIECE_BYTES = 16 + RUN_CHOICES_MAX,
    VARIANTS_MAX = 512,
    OPERATIONS_MAX = 256,
    LIVES_MAX = 5000, /* in all: a minute at the most */
};

struct settle {
    struct explore *explore;
    enum law law;
    uint32_t count; /* of pieces; the last one is the end */
    char pieces[PIECES_MAX][PIECE_BYTES];
    char id[EXPLORE_REPLAY_BYTES];
    struct explore_result lived;
    uint32_t lives;
};

/* How the last boot reads what is uncertain; further reads are as if erased. */
static const char *const ends[] = {"end",    "end~1",  "end~2",  "end~01", "end~02",
                                   "end~11", "end~12", "end~21", "end~22"};
enum { END_COUNT = sizeof ends / sizeof ends[0] };

static bool split(struct settle *settle, const char *id)
{
    settle->count = 0;
    while (settle->count < PIECES_MAX) {
        const size_t length = strcspn(id, "-");
        if (length >= PIECE_BYTES) {
            return false;
        }
        memcpy(settle->pieces[settle->count], id, length);
        settle->pieces[settle->count++][length] = '\0';
        if (id[length] == '\0') {
            return true;
        }
        id += length + 1;
    }
    return false;
}

enum lived { LIVED_WELL, LIVED_BROKEN, LIVED_NOWHERE };

static enum lived live(struct settle *settle)
{
    char error[256];
    size_t used = 0;
    settle->id[0] = '\0';
    for (uint32_t i = 0; i < settle->count && used < sizeof settle->id; i++) {
        used += (size_t)snprintf(settle->id + used, sizeof settle->id - used, "%s%s",
                                 i > 0 ? "-" : "", settle->pieces[i]);
    }
    if (used >= sizeof settle->id || settle->lives++ >= LIVES_MAX ||
        !explore_replay(settle->explore, settle->id, NULL, NULL, &settle->lived, error,
                        sizeof error)) {
        return LIVED_NOWHERE;
    }
    const bool broken =
        settle->lived.verdict == EXPLORE_VIOLATED && settle->lived.law == settle->law;
    return broken ? LIVED_BROKEN : LIVED_WELL;
}

/* With every way to read in the last boot. */
static enum lived live_all_ends(struct settle *settle)
{
    enum lived lived = LIVED_WELL;
    for (unsigned i = 0; i < END_COUNT && lived == LIVED_WELL; i++) {
        snprintf(settle->pieces[settle->count - 1], PIECE_BYTES, "%s", ends[i]);
        lived = live(settle);
    }
    return lived;
}

/* With every tear of this cut. */
static bool vary(struct settle *settle, uint32_t piece)
{
    char before[PIECE_BYTES];
    snprintf(before, sizeof before, "%s", settle->pieces[piece]);
    const unsigned long operation = strtoul(before, NULL, 16);
    const char *answers = strchr(before, '~');
    enum lived lived = LIVED_WELL;
    for (unsigned variant = 0; variant < VARIANTS_MAX && lived == LIVED_WELL; variant++) {
        snprintf(settle->pieces[piece], PIECE_BYTES, "%lx.%x%.*s", operation, variant,
                 RUN_CHOICES_MAX, answers == NULL ? "" : answers);
        lived = live_all_ends(settle);
    }
    if (lived != LIVED_BROKEN) {
        memcpy(settle->pieces[piece], before, sizeof before);
    }
    return lived == LIVED_BROKEN;
}

static bool near(struct settle *settle, const char *id)
{
    if (!split(settle, id)) {
        return false;
    }
    if (live(settle) == LIVED_BROKEN || live_all_ends(settle) == LIVED_BROKEN) {
        return true;
    }
    for (uint32_t i = settle->count - 1; i > 0; i--) {
        if (vary(settle, i - 1)) {
            return true;
        }
    }
    return false;
}

/* No id at all: the uncut life, or one cut of it, the plain ones first. */
static bool anywhere(struct settle *settle)
{
    settle->count = 1;
    if (live_all_ends(settle) == LIVED_BROKEN) {
        return true;
    }
    settle->count = 2;
    for (unsigned torn = 0; torn < 2; torn++) {
        for (unsigned operation = 1; operation < OPERATIONS_MAX; operation++) {
            snprintf(settle->pieces[0], PIECE_BYTES, "%x.0", operation);
            snprintf(settle->pieces[1], PIECE_BYTES, "end");
            if (torn != 0 ? vary(settle, 0) : live(settle) == LIVED_BROKEN) {
                return true;
            }
        }
    }
    return false;
}

void explore_settle(struct explore *explore, struct explore_result *result)
{
    struct settle *settle = calloc(1, sizeof *settle);
    CHECK(settle != NULL && result->verdict == EXPLORE_VIOLATED);
    settle->explore = explore;
    settle->law = result->law;
    const bool found = result->replay[0] == '\0' ? anywhere(settle) : near(settle, result->replay);
    if (found) {
        result->what = settle->lived.what;
        result->expected = settle->lived.expected;
        result->actual = settle->lived.actual;
        result->depth = settle->lived.depth;
        memcpy(result->replay, settle->id, sizeof result->replay);
    } else {
        snprintf(result->why, sizeof result->why,
                 "the law holds where its id is lived again: it is of an image that is only like "
                 "the one that breaks it");
    }
    explore->result = result;
    free(settle);
}
