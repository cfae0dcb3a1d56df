/* The key of an image is a claim: what it leaves out does not matter. Tested on samples: two images
 * of one key are run side by side, and must do the same operations and come to the same points. */
#include <stdlib.h>
#include <string.h>

#include "core/check.h"
#include "sim/explore_inside.h"

enum { WAYS_MAX = 256, BRANCHES_MAX = 2048 };

static struct image keep(const struct image *image)
{
    struct image kept = *image;
    kept.flash = flash_snapshot(image->flash);
    kept.state = malloc(sizeof *kept.state);
    CHECK(kept.flash != NULL && kept.state != NULL);
    *kept.state = *image->state;
    return kept;
}

void explore_pair(struct explore *explore, const struct image *image, bool first)
{
    if (first && explore->pairs.count < PAIRS_MAX) {
        struct pair *pair = LIST_ADD(explore->pairs);
        pair->first = keep(image);
    }
    for (uint32_t i = 0; !first && i < explore->pairs.count; i++) {
        struct pair *pair = &explore->pairs.items[i];
        if (pair->first.key[0] == image->key[0] && pair->first.key[1] == image->key[1]) {
            if (pair->other.flash == NULL) {
                pair->other = keep(image);
            }
            return;
        }
    }
}

/* All that an image can do, one digest for each way in which its uncertain bits may answer. */
struct ways {
    uint32_t count;
    uint64_t digests[WAYS_MAX][2];
};

static bool has(const struct ways *ways, const uint64_t digest[2])
{
    uint32_t i = 0;
    while (i < ways->count && memcmp(ways->digests[i], digest, sizeof ways->digests[i]) != 0) {
        i++;
    }
    return i < ways->count;
}

/* One of them, in the branch that the run was given. */
static void live(struct explore *explore, const struct image *image)
{
    struct run *run = &explore->run;
    explore_begin(explore, RUN_PAIR, image->flash, image->state, image->masked);
    run->digest[0] = run->digest[1] = 0;
    const int escape = setjmp(run->escape);
    if (escape == ESCAPE_NONE) {
        explore_live(explore);
    }
    explore_end(explore);
    run->digest[0] ^= (uint64_t)escape;
}

/* False: there are too many. */
static bool live_all(struct explore *explore, const struct image *image, struct ways *ways)
{
    struct run *run = &explore->run;
    bool more = true;
    ways->count = 0;
    run->choice_fixed = 0;
    for (uint32_t branches = 0; more && branches < BRANCHES_MAX; branches++) {
        live(explore, image);
        if (!has(ways, run->digest)) {
            if (ways->count == WAYS_MAX) {
                return false;
            }
            memcpy(ways->digests[ways->count++], run->digest, sizeof run->digest);
        }
        more = explore_next_branch(explore);
    }
    return !more;
}

static bool is_subset(const struct ways *part, const struct ways *whole)
{
    bool subset = true;
    for (uint32_t i = 0; i < part->count; i++) {
        subset = subset && has(whole, part->digests[i]);
    }
    return subset;
}

/* They can do the same things. Which reading leads to which may differ: where a single bit is
 * uncertain, a mixed reading of it is one of the other two. */
static bool is_alike(struct explore *explore, const struct pair *pair)
{
    static struct ways first, other;
    if (!live_all(explore, &pair->first, &first) || !live_all(explore, &pair->other, &other)) {
        return true; /* not compared, and not counted */
    }
    explore->result->counts.pairs++;
    return is_subset(&first, &other) && is_subset(&other, &first);
}

bool explore_pairs_run(struct explore *explore)
{
    bool alike = true;
    for (uint32_t i = 0; i < explore->pairs.count && alike; i++) {
        const struct pair *pair = &explore->pairs.items[i];
        if (pair->other.flash != NULL) {
            alike = is_alike(explore, pair);
        }
    }
    return alike;
}

void explore_pairs_free(struct explore *explore)
{
    for (uint32_t i = 0; i < explore->pairs.count; i++) {
        struct pair *pair = &explore->pairs.items[i];
        flash_free(pair->first.flash);
        free(pair->first.state);
        flash_free(pair->other.flash);
        free(pair->other.state);
    }
    free(explore->pairs.items);
    memset(&explore->pairs, 0, sizeof explore->pairs);
}
