/* Goal: right lives of a device are behaviours of specs/Update, whatever power leaves unsaid, and
 * each way to be wrong is named: the action, what disagrees, and both values. Method: traces
 * written by hand, through follower and judge alone; each observation that is not meant to break
 * the law must break none. */
#include "models/judge_update.h"

#include <stdlib.h>
#include <string.h>

#include "core/test/test.h"
#include "models/follow.h"
#include "models/update.h"

enum { DEVICE = 1, OLD = 1, NEW = 2, A = 0, B = 1, SECTOR = 512, SIZE = 2 * SECTOR - 100 };

static const enum model_role roles[] = {MODEL_OTHER, MODEL_DEVICE};
static struct judge_config config;
static struct judge_update *judge;
static struct ruling ruling;
static uint64_t void_at[2];
static uint32_t floor_now;
static uint64_t slots_now[2];

static bool say(uint32_t kind, uint32_t epoch, uint64_t counter, uint64_t value)
{
    const struct observation observation = {.kind = kind,
                                            .node = DEVICE,
                                            .device = DEVICE,
                                            .epoch = epoch,
                                            .counter = counter,
                                            .value = value};
    ruling.observation = &observation;
    ruling.broken = false;
    judge_update_observe(judge, &observation, &ruling);
    return !ruling.broken;
}

#define RIGHT(said) EXPECT(said)
#define BREAKS(said, text, should, does)                                                           \
    do {                                                                                           \
        EXPECT(!(said));                                                                           \
        EXPECT_EQUAL(ruling.violation.law, LAW_SPEC_UPDATE);                                       \
        EXPECT_TEXT(ruling.violation.what, text);                                                  \
        EXPECT_EQUAL(ruling.violation.expected, should);                                           \
        EXPECT_EQUAL(ruling.violation.actual, does);                                               \
    } while (0)

static void is_text(const char *file, int line, const char *is, const char *expected)
{
    if (strcmp(is, expected) != 0) {
        fprintf(stderr, "%s:%d: \"%s\", not \"%s\"\n", file, line, is, expected);
        exit(1);
    }
}
#define EXPECT_TEXT(is, expected) is_text(__FILE__, __LINE__, is, expected)

/* What the world lists before a JUMP and in a crash image. */
static void list(void)
{
    RIGHT(say(TRUTH_FLOOR, 0, 0, floor_now));
    RIGHT(say(TRUTH_SLOT, A, slots_now[A], 0));
    RIGHT(say(TRUTH_SLOT, B, slots_now[B], 0));
}

static void record(uint32_t confirmed, uint64_t highest, uint64_t trial, uint64_t left)
{
    RIGHT(say(TRUTH_RECORD, confirmed, highest, 0));
    RIGHT(say(TRUTH_TRIAL, 0, trial, left));
    RIGHT(say(TRUTH_REVERTED, 0, 0, 0));
}

static void down(uint64_t how)
{
    RIGHT(say(TRUTH_DOWN, 0, 0, how));
    list();
    RIGHT(say(TRUTH_UP, 0, 0, 0));
}

static bool jump(uint32_t slot, uint64_t outcome)
{
    list();
    return say(EVIDENCE_JUMP, slot, slots_now[slot], outcome);
}

static void start(uint32_t trials)
{
    free(judge);
    memset(&ruling, 0, sizeof ruling);
    memset(void_at, 0, sizeof void_at);
    ruling.void_at = void_at;
    ruling.node_count = 2;
    config = (struct judge_config){.node_count = 2,
                                   .roles = roles,
                                   .trials = trials,
                                   .reverts_max = 2,
                                   .image_bytes = SIZE,
                                   .sector_bytes = SECTOR};
    judge = calloc(1, judge_update_size_bytes(&config));
    EXPECT(judge != NULL);
    judge_update_init(judge, &config);
    floor_now = 1;
    slots_now[A] = OLD;
    slots_now[B] = 0;
    RIGHT(say(TRUTH_RELEASE, 0, OLD, 1));
    RIGHT(say(TRUTH_RELEASE, 0, NEW, 3));
    RIGHT(say(TRUTH_UP, 0, 0, 0));
    record(A, OLD, 0, 0);
    RIGHT(jump(A, UPDATE_LAW_CONFIRMED));
    RIGHT(say(TRUTH_TAKEN, 0, 0, 0));
}

static void start_filled(void)
{
    start(3);
    RIGHT(say(EVIDENCE_TAKE, 0, NEW, 0));
    RIGHT(say(EVIDENCE_FILL, 0, NEW, SECTOR));
    RIGHT(say(EVIDENCE_FILL, 0, NEW, SIZE));
}

static void start_armed(void)
{
    start_filled();
    slots_now[B] = NEW;
    RIGHT(say(EVIDENCE_ARM, B, NEW, 3));
    down(1);
}

static void start_trial(void)
{
    start_armed();
    record(A, OLD, NEW, 2);
    RIGHT(jump(B, UPDATE_LAW_TRIAL));
    RIGHT(say(TRUTH_TAKEN, 0, NEW, 2));
}

/* ---- Right lives ---- */

static void an_update_is_a_behaviour_of_the_spec(void)
{
    start_trial();
    RIGHT(say(EVIDENCE_DECLINE, 0, 0, 15)); /* it is not confirmed yet */
    RIGHT(say(EVIDENCE_CONFIRM, B, NEW, 0));
    RIGHT(say(EVIDENCE_RAISE, 0, 0, 3));
    floor_now = 3;
    RIGHT(say(EVIDENCE_DECLINE, 0, OLD, 17));
    down(0);
    record(B, NEW, 0, 0);
    RIGHT(jump(B, UPDATE_LAW_CONFIRMED));
    EXPECT(ruling.exercised[LAW_SPEC_UPDATE] >= 24);
    EXPECT_EQUAL(judge_update_unfollowed(judge), 0);
}

/* Each act of an update is durable, and power goes before its word. */
static void what_power_left_unsaid_is_told_when_it_shows(void)
{
    start(3);
    down(0); /* Take and EraseHeader */
    record(A, OLD, 0, 0);
    RIGHT(jump(A, UPDATE_LAW_CONFIRMED));
    RIGHT(say(TRUTH_TAKEN, 0, NEW, 0));
    RIGHT(say(EVIDENCE_TAKE, 0, NEW, 0));
    down(0); /* the first sector */
    record(A, OLD, 0, 0);
    RIGHT(jump(A, UPDATE_LAW_CONFIRMED));
    RIGHT(say(TRUTH_TAKEN, 0, NEW, 1));
    RIGHT(say(EVIDENCE_TAKE, 0, NEW, SECTOR));
    RIGHT(say(EVIDENCE_FILL, 0, NEW, SIZE));
    slots_now[B] = NEW;
    down(0); /* Arm */
    down(0); /* Count, and no JUMP */
    record(A, OLD, NEW, 1);
    RIGHT(jump(B, UPDATE_LAW_TRIAL));
    RIGHT(say(TRUTH_TAKEN, 0, NEW, 2));
    floor_now = 2;
    RIGHT(say(EVIDENCE_CONFIRM, B, NEW, 0));
    down(0); /* half of the way up */
    floor_now = 3;
    RIGHT(say(EVIDENCE_RAISE, 0, 0, 3));
    record(B, NEW, 0, 0);
    RIGHT(jump(B, UPDATE_LAW_CONFIRMED));
    EXPECT_EQUAL(judge_update_unfollowed(judge), 0);
}

static void a_confirm_without_a_word_is_told_by_the_next_jump(void)
{
    start_trial();
    down(0);
    RIGHT(say(EVIDENCE_RAISE, 0, 0, 3));
    floor_now = 3;
    record(B, NEW, 0, 0);
    RIGHT(jump(B, UPDATE_LAW_CONFIRMED));
}

static void trials_that_power_burnt_end_in_a_revert(void)
{
    start_armed();
    down(0); /* these burn one each, or none */
    down(0);
    down(0);
    RIGHT(say(EVIDENCE_REVERT, 0, NEW, 13));
    RIGHT(say(TRUTH_RECORD, A, OLD, 0));
    RIGHT(say(TRUTH_TRIAL, 0, 0, 0));
    RIGHT(say(TRUTH_REVERTED, 0, NEW, 1));
    RIGHT(jump(A, UPDATE_LAW_CONFIRMED));
    RIGHT(say(TRUTH_TAKEN, 0, NEW, 2));
    RIGHT(say(EVIDENCE_TAKE, 0, NEW, SIZE));
}

static void who_may_be_anywhere_is_counted_and_followed_no_more(void)
{
    start(100);
    RIGHT(say(EVIDENCE_TAKE, 0, NEW, 0));
    RIGHT(say(EVIDENCE_FILL, 0, NEW, SECTOR));
    RIGHT(say(EVIDENCE_FILL, 0, NEW, SIZE));
    slots_now[B] = NEW;
    RIGHT(say(EVIDENCE_ARM, B, NEW, 100));
    for (unsigned cut = 0; cut < 7; cut++) {
        down(0);
        EXPECT_EQUAL(judge_update_unfollowed(judge), 0);
    }
    down(0);
    down(0);
    EXPECT_EQUAL(judge_update_unfollowed(judge), 1);
}

/* Its flash has failed: what a spec of good flash says of it is void. */
static void a_void_law_says_nothing(void)
{
    start_trial();
    void_at[DEVICE] = UINT64_C(1) << LAW_SPEC_UPDATE;
    RIGHT(say(EVIDENCE_RAISE, 0, 0, 3));
}

/* ---- Who else hears it ---- */

static struct {
    uint64_t steps, looks, others;
    uint32_t last;
} heard;

static void hear(void *ctx, const char *law, const int32_t *k, const struct follow_step *step,
                 uint32_t shape)
{
    (void)shape;
    const bool ours = strcmp(law, "Update") == 0 && step->actor == DEVICE && k[0] == 2;
    EXPECT(ctx == &heard);
    heard.steps++;
    heard.looks += step->move.action == FOLLOW_LOOK;
    heard.others += ours ? 0 : 1;
    heard.last = step->move.action;
}

static void each_step_is_heard_before_it_is_judged_and_so_is_what_flash_shows(void)
{
    start_filled();
    memset(&heard, 0, sizeof heard);
    config.heard = hear;
    config.heard_ctx = &heard;
    const uint64_t before = ruling.exercised[LAW_SPEC_UPDATE];
    list();
    EXPECT(heard.steps == 3 && heard.looks == 3);
    slots_now[B] = NEW;
    RIGHT(say(EVIDENCE_ARM, B, NEW, 3)); /* EraseHeader, WriteHeader, Arm */
    EXPECT(heard.steps == 6 && heard.looks == 3);
    EXPECT(!say(TRUTH_SLOT, A, 0, 0));
    EXPECT(heard.steps == 7 && heard.last == FOLLOW_LOOK);
    EXPECT(heard.others == 0);
    EXPECT_EQUAL(ruling.exercised[LAW_SPEC_UPDATE] - before, heard.steps);
    list();
    EXPECT_EQUAL(heard.steps, 7); /* it is over */
}

/* ---- One minimal bad trace for each kind of finding ---- */

static void an_action_that_is_not_enabled_is_named_with_its_guard(void)
{
    start(3);
    BREAKS(say(EVIDENCE_CONFIRM, A, OLD, 0),
           "Confirm is not possible here: at is run, it would have to be trial", 3, 2);
    start_trial();
    BREAKS(say(EVIDENCE_RAISE, 0, 0, 3),
           "Raise is not possible here: more than two variables are in the way", 1, 0);
}

static void a_trial_too_many_is_noticed(void)
{
    start_trial();
    for (uint64_t left = 1; left + 1 > 0; left--) {
        down(1);
        record(A, OLD, NEW, left);
        RIGHT(jump(B, UPDATE_LAW_TRIAL));
    }
    down(1);
    record(A, OLD, NEW, 0);
    BREAKS(jump(B, UPDATE_LAW_TRIAL),
           "Count is not possible here: left is 0, it would have to be 1", 1, 0);
}

static void a_revert_too_early_is_noticed(void)
{
    start_armed();
    BREAKS(say(EVIDENCE_REVERT, 0, NEW, 13),
           "Revert is not possible here: header[B] is 2, it would have to be 0", 0, 2);
}

static void a_record_that_is_not_durable_is_noticed(void)
{
    start_trial();
    RIGHT(say(EVIDENCE_CONFIRM, B, NEW, 0));
    RIGHT(say(EVIDENCE_RAISE, 0, 0, 3));
    floor_now = 3;
    down(0);
    record(A, OLD, NEW, 1);
    BREAKS(
        jump(B, UPDATE_LAW_TRIAL),
        "Count is not possible here: left is 0, it would have to be 1; trial is 0, it would have "
        "to be 1",
        1, 0);
    start_trial();
    down(1);
    record(A, OLD, NEW, 2); /* nobody counted */
    BREAKS(jump(B, UPDATE_LAW_TRIAL), "JumpTrial: left is 2, in the spec 1", 1, 2);
}

static void what_is_in_flash_is_compared(void)
{
    start_trial();
    RIGHT(say(TRUTH_DOWN, 0, 0, 0));
    BREAKS(say(TRUTH_SLOT, A, 0, 0), "between two steps: header[A] is 0, in the spec 1", 1, 0);
    start(3);
    BREAKS(say(TRUTH_FLOOR, 0, 0, 0), "between two steps: floor is 0, in the spec 1", 1, 0);
    start_filled();
    down(0);
    record(A, OLD, 0, 0);
    RIGHT(jump(A, UPDATE_LAW_CONFIRMED));
    BREAKS(say(TRUTH_TAKEN, 0, NEW, 1), "between two steps: filled is 1, in the spec 2", 2, 1);
}

static void a_download_that_begins_anew_is_noticed(void)
{
    start_filled();
    down(0);
    record(A, OLD, 0, 0);
    RIGHT(jump(A, UPDATE_LAW_CONFIRMED));
    BREAKS(say(EVIDENCE_TAKE, 0, NEW, 0), "Take: filled is 0, in the spec 2", 2, 0);
}

static void an_offer_of_nobody_is_noticed(void)
{
    start(3);
    BREAKS(say(EVIDENCE_TAKE, 0, 7, 0), "Offer(0) is not possible here: 0 is not in its domain", 1,
           0);
    start(3);
    BREAKS(say(EVIDENCE_TAKE, 0, OLD, 0),
           "Take is not possible here: offer is 1, it would have to be 2", 2, 1);
    start(3);
    BREAKS(say(EVIDENCE_DECLINE, 0, NEW, 17),
           "Decline is not possible here: highest is 1, it would have to be 2", 2, 1);
}

static void nobody_who_could_boot_is_stranded(void)
{
    start(3);
    down(0);
    BREAKS(say(EVIDENCE_STRAND, 0, 0, 0), "Jump: at is off, in the spec run", 2, 0);
}

int main(void)
{
    RUN(an_update_is_a_behaviour_of_the_spec);
    RUN(what_power_left_unsaid_is_told_when_it_shows);
    RUN(a_confirm_without_a_word_is_told_by_the_next_jump);
    RUN(trials_that_power_burnt_end_in_a_revert);
    RUN(who_may_be_anywhere_is_counted_and_followed_no_more);
    RUN(a_void_law_says_nothing);
    RUN(each_step_is_heard_before_it_is_judged_and_so_is_what_flash_shows);
    RUN(an_action_that_is_not_enabled_is_named_with_its_guard);
    RUN(a_trial_too_many_is_noticed);
    RUN(a_revert_too_early_is_noticed);
    RUN(a_record_that_is_not_durable_is_noticed);
    RUN(what_is_in_flash_is_compared);
    RUN(a_download_that_begins_anew_is_noticed);
    RUN(an_offer_of_nobody_is_noticed);
    RUN(nobody_who_could_boot_is_stranded);
    free(judge);
    return 0;
}
