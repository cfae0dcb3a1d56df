/* The key of an image is a claim: what it leaves out does not matter. Tested on samples: two images
 * of one key are run side by side, and must do the same operations and come to the same points. */
#include <stdlib.h>
#include <string.h>

#include "core/check.h"
#include "sim/explore_inside.h"

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

/* What one of them does, when uncertain bits all answer so. */
static void live(struct explore *explore, const struct image *image, enum flash_reading reading,
                 uint64_t digest[2])
{
    struct run *run = &explore->run;
    run->choice_fixed = RUN_CHOICES_MAX;
    memset(run->choices, (int)reading, sizeof run->choices);
    explore_begin(explore, RUN_PAIR, image->flash, image->state, image->masked);
    run->digest[0] = run->digest[1] = 0;
    const int escape = setjmp(run->escape);
    if (escape == ESCAPE_NONE) {
        explore_live(explore);
    }
    explore_end(explore);
    digest[0] = run->digest[0] ^ (uint64_t)escape;
    digest[1] = run->digest[1];
}

static bool has(uint64_t digests[FLASH_READING_COUNT][2], const uint64_t digest[2])
{
    bool found = false;
    for (uint32_t i = 0; i < FLASH_READING_COUNT; i++) {
        found = found || memcmp(digests[i], digest, 2 * sizeof digest[0]) == 0;
    }
    return found;
}

/* They can do the same things. Which reading leads to which may differ: where a single bit is
 * uncertain, a mixed reading of it is one of the other two. */
static bool is_alike(struct explore *explore, const struct pair *pair)
{
    uint64_t first[FLASH_READING_COUNT][2], other[FLASH_READING_COUNT][2];
    bool alike = true;
    for (uint32_t i = 0; i < FLASH_READING_COUNT; i++) {
        live(explore, &pair->first, (enum flash_reading)i, first[i]);
        live(explore, &pair->other, (enum flash_reading)i, other[i]);
    }
    for (uint32_t i = 0; i < FLASH_READING_COUNT; i++) {
        alike = alike && has(other, first[i]) && has(first, other[i]);
    }
    return alike;
}

bool explore_pairs_run(struct explore *explore)
{
    bool alike = true;
    for (uint32_t i = 0; i < explore->pairs.count && alike; i++) {
        const struct pair *pair = &explore->pairs.items[i];
        if (pair->other.flash != NULL) {
            alike = is_alike(explore, pair);
            explore->result->counts.pairs++;
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
