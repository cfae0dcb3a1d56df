/* Goal: a search over power cuts comes to an end, to the same end each time, and what it says can
 * be lived again: ids, stories, dumps. Method: the smallest lives there are, read from a file, with
 * the crypto of OpenSSL; each search is looked at from outside, through explore.h alone. */
#include "sim/explore.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/check.h"
#include "core/test/test.h"

enum { DUMP_BYTES_MAX = 1 << 16, STORY_BYTES = 1 << 15 };

/* Ten sectors of 512 bytes: the least that a device can have. */
#define SMALL "image = 512, sector = 512, "

_Noreturn void check_failed(const char *file, int line, const char *what)
{
    explore_check_failed(file, line, what);
    fprintf(stderr, "CHECK %s:%d: %s\n", file, line, what);
    abort();
}

static char path[64];
static uint8_t dump[DUMP_BYTES_MAX];
static char story[STORY_BYTES];
static struct explore_result result, again;

static const struct explore_options thorough = {.torn = true,
                                                .demonic = true,
                                                .masked = true,
                                                .depth = EXPLORE_NO_BOUND,
                                                .images_max = 1000000};
/* For tests of what is around a search. */
static const struct explore_options quick = {.torn = false,
                                             .demonic = false,
                                             .masked = true,
                                             .depth = EXPLORE_NO_BOUND,
                                             .images_max = 1000000};

static struct explore *opened(const char *text, const struct explore_options *options)
{
    static struct life life;
    static struct part part;
    char error[512] = "";
    FILE *file = fopen(path, "wb");
    EXPECT(file != NULL);
    EXPECT(fputs(text, file) >= 0);
    EXPECT(fclose(file) == 0);
    struct explore *explore = NULL;
    if (life_read(path, &life, error, sizeof error) &&
        part_load(life.part, &part, error, sizeof error)) {
        explore = explore_open(&life, &part, options, error, sizeof error);
    }
    if (explore == NULL) {
        fprintf(stderr, "%s\n", error);
        exit(1);
    }
    return explore;
}

static void explored(const char *text, const struct explore_options *options,
                     struct explore_result *into)
{
    struct explore *explore = opened(text, options);
    explore_run(explore, into);
    explore_close(explore);
}

static void contains(const char *text, const char *part)
{
    if (strstr(text, part) == NULL) {
        fprintf(stderr, "expected '%s' in: %s\n", part, text);
        exit(1);
    }
}

/* ---- searches -------------------------------------------------------------------------------- */

static const char policy[] = "return { " SMALL "life = { { policy = 1 } } }";

static void a_small_life_closes_and_cuts_everything(void)
{
    explored(policy, &thorough, &result);
    EXPECT_EQUAL(result.verdict, EXPLORE_CLOSED);
    EXPECT(result.base_count > 100 && result.frame_count > 100);
    EXPECT(result.image_count > result.base_count + result.frame_count);
    EXPECT(result.counts.cut[EXPLORE_PROGRAM] > 0);
    EXPECT(result.counts.cut[EXPLORE_ERASE] > 0);
    EXPECT(result.counts.torn_programs > 0);
    EXPECT(result.counts.torn_erases > 0);
    EXPECT(result.counts.uncertain > 0);
    EXPECT(result.counts.depth > 1);
    EXPECT(result.counts.recovery_us > 0);
    EXPECT(result.counts.erases > 0);
    EXPECT(result.counts.exercised[LAW_IDENTITY_KEY] > 0);
    EXPECT(result.counts.exercised[LAW_FLASH_TAINT] > 0);
    EXPECT_EQUAL(result.counts.exercised[LAW_UPDATE_TRIALS], 0); /* there is no update */
}

static void the_same_life_has_the_same_images(void)
{
    explored(policy, &thorough, &again);
    EXPECT(memcmp(result.image_digest, again.image_digest, sizeof result.image_digest) == 0);
    EXPECT_EQUAL(result.image_count, again.image_count);
    EXPECT(memcmp(&result.counts, &again.counts, sizeof result.counts) == 0);
    explored("return { " SMALL "life = { { rotate = true } } }", &quick, &again);
    EXPECT(memcmp(result.image_digest, again.image_digest, sizeof result.image_digest) != 0);
}

static void keys_are_those_of_the_result_and_sorted(void)
{
    uint64_t count;
    struct explore *explore = opened(policy, &quick);
    explore_run(explore, &again);
    const uint64_t *keys = explore_keys(explore, &count);
    EXPECT_EQUAL(count, again.base_count + again.frame_count);
    for (uint64_t i = 1; i < count; i++) {
        const uint64_t *one = &keys[2 * (i - 1)], *next = &keys[2 * i];
        EXPECT(one[0] < next[0] || (one[0] == next[0] && one[1] < next[1]));
    }
    explore_close(explore);
}

static void less_is_torn_less_is_left(void)
{
    struct explore_options options = thorough;
    options.torn = false;
    explored(policy, &options, &again);
    EXPECT_EQUAL(again.verdict, EXPLORE_CLOSED);
    EXPECT_EQUAL(again.counts.torn_programs, 0);
    EXPECT_EQUAL(again.counts.torn_erases, 0);
    EXPECT(again.image_count < result.image_count);
    options = thorough;
    options.demonic = false;
    explored(policy, &options, &again);
    EXPECT_EQUAL(again.verdict, EXPLORE_CLOSED);
    EXPECT_EQUAL(again.counts.branches, 0);
    EXPECT(again.image_count < result.image_count);
}

static void a_bound_is_said(void)
{
    struct explore_options options = thorough;
    uint64_t images[2];
    for (uint64_t depth = 0; depth < 2; depth++) {
        options.depth = depth;
        explored(policy, &options, &again);
        EXPECT_EQUAL(again.verdict, EXPLORE_BOUNDED);
        EXPECT(again.why[0] != '\0');
        EXPECT(again.counts.depth <= depth);
        images[depth] = again.image_count;
    }
    EXPECT(images[0] < images[1] && images[1] < result.image_count);
    options.depth = EXPLORE_NO_BOUND;
    options.images_max = 20;
    explored(policy, &options, &again);
    EXPECT_EQUAL(again.verdict, EXPLORE_BOUNDED);
    EXPECT(again.image_count < result.image_count);
}

static void an_install_closes_and_is_judged(void)
{
    explored("return { " SMALL "trials = 1, reverts = 1, releases = { {}, { level = 2 } },\n"
             "life = { { install = 2 } } }",
             &quick, &again);
    EXPECT_EQUAL(again.verdict, EXPLORE_CLOSED);
    static const enum law laws[] = {LAW_UPDATE_AUTHENTIC, LAW_UPDATE_BOOTABLE, LAW_UPDATE_LAST_GOOD,
                                    LAW_UPDATE_TRIALS,    LAW_UPDATE_CONFIRM,  LAW_UPDATE_FLOOR,
                                    LAW_UPDATE_RESUME,    LAW_UPDATE_TRUTHFUL};
    for (size_t i = 0; i < sizeof laws / sizeof laws[0]; i++) {
        EXPECT(again.counts.exercised[laws[i]] > 0);
    }
    EXPECT(again.counts.cut[EXPLORE_COUNTER] > 0);
    EXPECT(again.counts.computed < again.counts.questions / 10);
}

static void what_does_not_fit_is_not_opened(void)
{
    struct life life;
    struct part part;
    char error[512] = "";
    life_standard(&life);
    EXPECT(part_load("default", &part, error, sizeof error));
    life.goals[life.goal_count++] = (struct life_goal){.act = LIFE_ROTATE};
    life.image_bytes = 1 << 20;
    EXPECT(explore_open(&life, &part, &quick, error, sizeof error) == NULL);
    contains(error, "lower `image`");
}

/* ---- one history ----------------------------------------------------------------------------- */

/* Live it; its story is in `story`, and what it leaves in `dump`. The size of that; 0: refused. */
static uint32_t replayed(struct explore *explore, const char *id, char *error, size_t error_bytes)
{
    FILE *told = tmpfile(), *left = tmpfile();
    EXPECT(told != NULL && left != NULL);
    const bool good = explore_replay(explore, id, told, left, &again, error, error_bytes);
    rewind(told);
    rewind(left);
    story[fread(story, 1, sizeof story - 1, told)] = '\0';
    const uint32_t bytes = (uint32_t)fread(dump, 1, sizeof dump, left);
    fclose(told);
    fclose(left);
    EXPECT(good || bytes == 0);
    return bytes;
}

/* The same goals, and only what lies behind the first one is cut: what cuts in that one leave is
 * not there, and the story of a history begins behind it. */
static void a_search_can_begin_behind_goals(void)
{
    char error[512] = "";
    struct explore_result whole;
    explored("return { " SMALL "life = { { rotate = true }, { policy = 1 } } }", &quick, &whole);
    struct explore *explore = opened(
        "return { " SMALL "before = { { rotate = true } }, life = { { policy = 1 } } }", &quick);
    explore_run(explore, &again);
    EXPECT_EQUAL(again.verdict, EXPLORE_CLOSED);
    EXPECT(again.image_count > 100 && again.image_count < whole.image_count);
    EXPECT(again.counts.cut[EXPLORE_ERASE] > 0);
    EXPECT_EQUAL(again.counts.cut[EXPLORE_COUNTER], 0); /* they rise in the first boot */
    EXPECT(whole.counts.cut[EXPLORE_COUNTER] > 0);
    EXPECT(replayed(explore, "end", error, sizeof error) > 0);
    contains(story, "goal 1, step 0");
    EXPECT(strstr(story, "goal 0") == NULL);
    contains(story, "the life is done");
    explore_close(explore);
}

static void an_id_is_lived_and_told(void)
{
    char error[512] = "", longer[STORY_BYTES];
    struct explore *explore = opened(policy, &thorough);
    const struct flash_geometry *geometry = &explore_profile(explore)->geometry;
    EXPECT_EQUAL(replayed(explore, "4.0-end", error, sizeof error),
                 geometry->sector_bytes * geometry->sector_count);
    EXPECT(again.verdict != EXPLORE_VIOLATED);
    EXPECT(strlen(story) > 100 && strlen(story) < sizeof story - 1);
    snprintf(longer, sizeof longer, "%s", story);
    EXPECT(replayed(explore, "4.0-end", error, sizeof error) > 0);
    EXPECT(strcmp(story, longer) == 0); /* the same each time */
    EXPECT(replayed(explore, "4.0", error, sizeof error) > 0);
    EXPECT(strncmp(story, longer, strlen(story)) == 0 && strlen(story) < strlen(longer));
    explore_close(explore);
}

static void what_is_no_id_is_refused(void)
{
    static const char *const wrong[] = {"",   "x",      "4",    "4.",      "4.0-",      "4.0--end",
                                        ".0", "4.0end", "-end", "end-4.0", "4.0~9-end", "end~3"};
    char error[512];
    struct explore *explore = opened(policy, &thorough);
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        error[0] = '\0';
        EXPECT_EQUAL(replayed(explore, wrong[i], error, sizeof error), 0);
        contains(error, "is no part of a replay id; it looks like 1f.3-22.0~01-end");
    }
    EXPECT_EQUAL(replayed(explore, "ffff.0-end", error, sizeof error), 0);
    contains(error, "no operation ffff there, or no cut 0 in it");
    explore_close(explore);
}

/* Search the life for what is in `dump`. */
static uint64_t distance(uint32_t bytes)
{
    struct explore_options options = thorough;
    options.dump = dump;
    options.dump_bytes = bytes;
    explored(policy, &options, &again);
    EXPECT_EQUAL(again.verdict, EXPLORE_CLOSED);
    return again.distance;
}

static void a_dump_is_found_again(void)
{
    char error[512] = "", id[EXPLORE_REPLAY_BYTES];
    static uint8_t field[DUMP_BYTES_MAX];
    struct explore *explore = opened(policy, &thorough);
    const uint32_t bytes = replayed(explore, "6.0", error, sizeof error);
    EXPECT(bytes > 0);
    explore_close(explore);
    EXPECT_EQUAL(distance(bytes), 0);

    /* The way that was found can be lived, to an image that differs in uncertain units at most. */
    snprintf(id, sizeof id, "%s", again.nearest);
    EXPECT(id[0] != '\0');
    memcpy(field, dump, bytes);
    explore = opened(policy, &thorough);
    EXPECT_EQUAL(replayed(explore, id, error, sizeof error), bytes);
    explore_close(explore);
    EXPECT(again.verdict != EXPLORE_VIOLATED);
    EXPECT_EQUAL(distance(bytes), 0);

    memcpy(dump, field, bytes);
    dump[bytes - 1] ^= 0x5a; /* in a slot, which no image of this life changes */
    EXPECT_EQUAL(distance(bytes), 1);
}

int main(void)
{
    snprintf(path, sizeof path, "/tmp/test_explore_XXXXXX");
    const int file = mkstemp(path);
    EXPECT(file >= 0);
    close(file);
    RUN(a_small_life_closes_and_cuts_everything);
    RUN(the_same_life_has_the_same_images);
    RUN(keys_are_those_of_the_result_and_sorted);
    RUN(less_is_torn_less_is_left);
    RUN(a_bound_is_said);
    RUN(an_install_closes_and_is_judged);
    RUN(what_does_not_fit_is_not_opened);
    RUN(a_search_can_begin_behind_goals);
    RUN(an_id_is_lived_and_told);
    RUN(what_is_no_id_is_refused);
    RUN(a_dump_is_found_again);
    unlink(path);
    return 0;
}
