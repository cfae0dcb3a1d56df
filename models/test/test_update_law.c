/* Goal: right lives of a device break no law of update, key or policy, power cuts between act and
 * word included, and each rule rejects its minimal bad trace. Method: traces written by hand; each
 * observation that is not meant to break a law must break none. */
#include "models/update.h"

#include <string.h>

#include "core/test/test.h"

enum { DEVICE = 3, TRIALS = 3, OLD = 1, NEW = 2, LATER = 3, SIZE = 4096 };

static const struct update_law_config config = {
    .trials = TRIALS,
    .reverts_max = 2,
    .release_count = 3,
    .releases = {{OLD, 1}, {NEW, 2}, {LATER, 2}},
};
static struct update_law law;
static struct update_law_finding finding;
static uint64_t exercised[LAW_COUNT];

/* LAW_COUNT: none is broken. */
static enum law say(uint32_t kind, uint32_t epoch, uint64_t counter, uint64_t value)
{
    const struct observation observation = {.kind = kind,
                                            .node = DEVICE,
                                            .device = DEVICE,
                                            .epoch = epoch,
                                            .counter = counter,
                                            .value = value};
    return update_law_observe(&law, &config, &observation, &finding, exercised) ? LAW_COUNT
                                                                                : finding.law;
}

#define RIGHT(said)         EXPECT_EQUAL(said, LAW_COUNT)
#define BREAKS(said, named) EXPECT_EQUAL(said, named)

static void slots(uint64_t a, uint64_t b)
{
    RIGHT(say(TRUTH_SLOT, 0, a, 0));
    RIGHT(say(TRUTH_SLOT, 1, b, 0));
}

static enum law jump(uint32_t slot, uint64_t sequence, uint64_t outcome)
{
    return say(EVIDENCE_JUMP, slot, sequence, outcome);
}

static void down(void)
{
    RIGHT(say(TRUTH_DOWN, 0, 0, 0));
}

static void start(void)
{
    update_law_init(&law, &config, OLD);
    slots(OLD, 0);
    RIGHT(say(TRUTH_FLOOR, 0, 0, 1));
    RIGHT(jump(0, OLD, UPDATE_LAW_CONFIRMED));
}

static void start_filled(void)
{
    start();
    RIGHT(say(EVIDENCE_TAKE, 0, NEW, 0));
    RIGHT(say(EVIDENCE_FILL, 0, NEW, SIZE / 2));
    RIGHT(say(EVIDENCE_FILL, 0, NEW, SIZE));
}

static void start_armed(void)
{
    start_filled();
    RIGHT(say(EVIDENCE_ARM, 1, NEW, TRIALS));
    down();
    slots(OLD, NEW);
}

static void start_trial(void)
{
    start_armed();
    RIGHT(jump(1, NEW, UPDATE_LAW_TRIAL));
}

static void start_confirmed(void)
{
    start_trial();
    RIGHT(say(EVIDENCE_CONFIRM, 1, NEW, 0));
    RIGHT(say(EVIDENCE_RAISE, 0, 0, 2));
}

/* ---- Right lives ---- */

static void an_install(void)
{
    start_confirmed();
    RIGHT(say(EVIDENCE_STATUS, 0, NEW, UPDATE_LAW_CONFIRMED));
    RIGHT(say(EVIDENCE_LEARN, 0, NEW, UPDATE_LAW_CONFIRMED));
    RIGHT(say(TRUTH_FLOOR, 0, 0, 2));
    RIGHT(say(TRUTH_SETTLED, 0, NEW, 0));
}

static void an_install_whose_words_are_all_cut_off(void)
{
    start();
    RIGHT(say(EVIDENCE_TAKE, 0, NEW, 0));
    down();
    slots(OLD, 0);
    RIGHT(jump(0, OLD, UPDATE_LAW_CONFIRMED));
    RIGHT(say(EVIDENCE_TAKE, 0, NEW, SIZE)); /* FILL */
    down();
    slots(OLD, NEW);
    RIGHT(jump(1, NEW, UPDATE_LAW_TRIAL)); /* ARM */
    down();
    RIGHT(say(TRUTH_FLOOR, 0, 0, 2)); /* CONFIRM and RAISE */
    slots(OLD, NEW);
    RIGHT(jump(1, NEW, UPDATE_LAW_CONFIRMED));
    RIGHT(say(TRUTH_SETTLED, 0, NEW, 0));
}

static void a_raise_by_the_boot_loader_for_a_confirm_that_went_unsaid(void)
{
    start_trial();
    down();
    slots(OLD, NEW);
    RIGHT(say(EVIDENCE_RAISE, 0, 0, 2));
    RIGHT(jump(1, NEW, UPDATE_LAW_CONFIRMED));
}

/* Rot, not power: last_good is void there, and says so here. */
static void rot_leaves_another_image_and_that_counts_as_confirmed(void)
{
    start_armed();
    down();
    slots(0, NEW); /* the confirmed one is gone, and so is the record of it */
    RIGHT(say(EVIDENCE_RAISE, 0, 0, 2));
    RIGHT(say(TRUTH_FLOOR, 0, 0, 2));
    BREAKS(jump(1, NEW, UPDATE_LAW_CONFIRMED), LAW_UPDATE_CONFIRM); /* which is void there, too */
    RIGHT(say(TRUTH_FLOOR, 0, 0, 2));
}

static void a_revert_after_all_trials(void)
{
    start_armed();
    for (uint32_t trial = 0; trial < TRIALS; trial++) {
        RIGHT(jump(1, NEW, UPDATE_LAW_TRIAL));
        RIGHT(say(EVIDENCE_STATUS, 0, NEW, UPDATE_LAW_TRIAL));
        down();
    }
    RIGHT(say(EVIDENCE_REVERT, 0, NEW, 7));
    RIGHT(jump(0, OLD, UPDATE_LAW_CONFIRMED));
    RIGHT(say(EVIDENCE_STATUS, 0, OLD, UPDATE_LAW_CONFIRMED));
    RIGHT(say(EVIDENCE_LEARN, 0, NEW, UPDATE_LAW_TRIAL));
    RIGHT(say(EVIDENCE_LEARN, 0, NEW, UPDATE_LAW_TRIAL)); /* twice: the wire may */
    RIGHT(say(EVIDENCE_LEARN, 0, OLD, UPDATE_LAW_CONFIRMED));
    RIGHT(say(TRUTH_SETTLED, 0, OLD, 0));
}

static void trials_that_power_burns_before_the_image_ever_ran(void)
{
    start_armed();
    for (uint32_t trial = 0; trial < TRIALS; trial++) {
        down();
    }
    RIGHT(jump(0, OLD, UPDATE_LAW_CONFIRMED)); /* the revert went unsaid */
    RIGHT(say(EVIDENCE_TAKE, 0, NEW, SIZE));
}

/* Armed, burnt and given up; the last word is said, or power goes right before it. */
static void revert_once(bool said)
{
    RIGHT(say(EVIDENCE_TAKE, 0, NEW, SIZE));
    RIGHT(say(EVIDENCE_ARM, 1, NEW, TRIALS));
    for (uint32_t end = 0; end <= TRIALS; end++) {
        down();
    }
    slots(OLD, NEW);
    if (said) {
        RIGHT(say(EVIDENCE_REVERT, 0, NEW, 7));
    } else {
        down();
    }
    RIGHT(jump(0, OLD, UPDATE_LAW_CONFIRMED));
}

static void another_release_begins_another_row_of_reverts(void)
{
    start_filled();
    revert_once(true);
    revert_once(false); /* nobody knows whether it counted */
    RIGHT(say(EVIDENCE_TAKE, 0, NEW, SIZE));
    RIGHT(say(EVIDENCE_TAKE, 0, LATER, 0));
    RIGHT(say(EVIDENCE_ARM, 1, LATER, TRIALS));
    for (uint32_t end = 0; end <= TRIALS; end++) {
        down();
    }
    slots(OLD, LATER);
    RIGHT(say(EVIDENCE_REVERT, 0, LATER, 7));
    RIGHT(jump(0, OLD, UPDATE_LAW_CONFIRMED));
    RIGHT(say(EVIDENCE_TAKE, 0, LATER, 0));
}

static void a_fallback_confirms_itself(void)
{
    start_confirmed();
    RIGHT(say(TRUTH_FLOOR, 0, 0, 2));
    update_law_init(&law, &config, NEW);
    slots(LATER, 0); /* the confirmed one rotted */
    RIGHT(jump(0, LATER, UPDATE_LAW_FALLBACK));
    RIGHT(say(EVIDENCE_CONFIRM, 0, LATER, 0));
}

static void keys_and_policy_grow_and_begin_again_in_a_new_epoch(void)
{
    start();
    RIGHT(say(EVIDENCE_ROTATE, 1, 0, 1));
    RIGHT(say(EVIDENCE_ROTATE, 1, 1, 0));
    RIGHT(say(EVIDENCE_ROTATE, 1, 0, 1)); /* a restart before the switch */
    RIGHT(say(EVIDENCE_ROTATE, 1, 1, 1));
    RIGHT(say(EVIDENCE_POLICY, 1, 0, 0));
    RIGHT(say(EVIDENCE_POLICY, 1, 5, 0));
    RIGHT(say(EVIDENCE_ROTATE, 2, 0, 1));
    RIGHT(say(EVIDENCE_POLICY, 2, 0, 0));
}

/* ---- Each rule, broken ---- */

static void images(void)
{
    start_armed();
    BREAKS(jump(0, NEW, UPDATE_LAW_TRIAL), LAW_UPDATE_AUTHENTIC); /* another one is there */
    start_armed();
    slots(OLD, 0);
    BREAKS(jump(1, NEW, UPDATE_LAW_TRIAL), LAW_UPDATE_AUTHENTIC); /* a torn one is */
    start_confirmed();
    BREAKS(say(EVIDENCE_TAKE, 0, OLD, 0), LAW_UPDATE_AUTHENTIC); /* older than what runs */
    start();
    BREAKS(say(EVIDENCE_TAKE, 0, LATER + 1, 0), LAW_UPDATE_AUTHENTIC); /* nobody made it */
    start();
    BREAKS(say(EVIDENCE_STRAND, 0, 0, 0), LAW_UPDATE_BOOTABLE);
    start();
    BREAKS(say(TRUTH_DARK, 0, 0, 0), LAW_UPDATE_BOOTABLE); /* nobody had to say it */
    start();
    RIGHT(say(TRUTH_SLOT, 0, 0, 0));
    BREAKS(say(TRUTH_SLOT, 1, 0, 0), LAW_UPDATE_LAST_GOOD);
    start_confirmed();
    RIGHT(say(TRUTH_SLOT, 0, OLD, 0));
    BREAKS(say(TRUTH_SLOT, 1, 0, 0), LAW_UPDATE_LAST_GOOD); /* and OLD is below the floor */
    start_trial();
    down();
    slots(0, NEW); /* as if NEW were confirmed; that may be, */
    BREAKS(jump(1, NEW, UPDATE_LAW_TRIAL), LAW_UPDATE_LAST_GOOD); /* and is not */
}

static void trials(void)
{
    start_filled();
    down();
    slots(OLD, LATER);
    BREAKS(jump(1, LATER, UPDATE_LAW_TRIAL), LAW_UPDATE_TRIALS); /* never armed */
    start_armed();
    for (uint32_t trial = 0; trial < TRIALS; trial++) {
        RIGHT(jump(1, NEW, UPDATE_LAW_TRIAL));
        down();
    }
    BREAKS(jump(1, NEW, UPDATE_LAW_TRIAL), LAW_UPDATE_TRIALS); /* one too many */
    start_trial();
    down();
    BREAKS(say(EVIDENCE_REVERT, 0, NEW, 7), LAW_UPDATE_TRIALS); /* too soon */
    start_trial();
    down();
    slots(OLD, NEW);
    BREAKS(jump(0, OLD, UPDATE_LAW_CONFIRMED), LAW_UPDATE_TRIALS); /* the same, without a word */
    start();
    BREAKS(say(EVIDENCE_ARM, 1, NEW, TRIALS), LAW_UPDATE_TRIALS); /* never taken */
    start_filled();
    revert_once(true);
    revert_once(true);
    BREAKS(say(EVIDENCE_TAKE, 0, NEW, SIZE), LAW_UPDATE_TRIALS); /* twice is enough */
}

static void confirms(void)
{
    start_confirmed();
    down();
    slots(OLD, NEW);
    BREAKS(jump(0, OLD, UPDATE_LAW_CONFIRMED), LAW_UPDATE_FLOOR);
    RIGHT(say(TRUTH_FLOOR, 0, 0, 2));
    update_law_init(&law, &config, LATER);
    slots(NEW, LATER);
    BREAKS(jump(0, NEW, UPDATE_LAW_CONFIRMED), LAW_UPDATE_CONFIRM); /* was confirmed, is not */
    start_trial();
    RIGHT(say(EVIDENCE_CONFIRM, 1, NEW, 0));
    down();
    BREAKS(jump(1, NEW, UPDATE_LAW_TRIAL), LAW_UPDATE_CONFIRM); /* said, and not durable */
    start_confirmed();
    BREAKS(say(EVIDENCE_REVERT, 0, NEW, 7), LAW_UPDATE_CONFIRM);
    start_confirmed();
    BREAKS(say(EVIDENCE_CONFIRM, 1, NEW, 0), LAW_UPDATE_CONFIRM); /* twice */
    start();
    BREAKS(say(EVIDENCE_CONFIRM, 1, NEW, 0), LAW_UPDATE_CONFIRM); /* it never ran */
    start();
    slots(OLD, LATER);
    BREAKS(jump(1, LATER, UPDATE_LAW_FALLBACK), LAW_UPDATE_CONFIRM); /* OLD is there */
}

static void floors(void)
{
    start_armed();
    BREAKS(say(EVIDENCE_RAISE, 0, 0, 2), LAW_UPDATE_FLOOR); /* at install */
    start_trial();
    BREAKS(say(EVIDENCE_RAISE, 0, 0, 2), LAW_UPDATE_FLOOR); /* on trial */
    start_trial();
    down();
    slots(OLD, NEW);
    RIGHT(say(EVIDENCE_RAISE, 0, 0, 2)); /* a confirm that went unsaid, it seems */
    BREAKS(jump(1, NEW, UPDATE_LAW_TRIAL), LAW_UPDATE_CONFIRM);
    start();
    BREAKS(say(TRUTH_FLOOR, 0, 0, 0), LAW_UPDATE_FLOOR);
    start();
    BREAKS(say(TRUTH_FLOOR, 0, 0, 2), LAW_UPDATE_FLOOR);
    start_armed();
    down();
    slots(0, NEW);
    BREAKS(say(EVIDENCE_RAISE, 0, 0, 3), LAW_UPDATE_FLOOR); /* no release has such a level */
    start_armed();
    slots(0, NEW);
    BREAKS(jump(1, NEW, UPDATE_LAW_TRIAL), LAW_UPDATE_LAST_GOOD);
    BREAKS(say(EVIDENCE_RAISE, 0, 0, 2), LAW_UPDATE_FLOOR); /* nor may an image on trial */
    start_confirmed();
    BREAKS(say(EVIDENCE_RAISE, 0, 0, 1), LAW_UPDATE_FLOOR);
    start_trial();
    RIGHT(say(EVIDENCE_CONFIRM, 1, NEW, 0));
    BREAKS(say(TRUTH_SETTLED, 0, NEW, 0), LAW_UPDATE_FLOOR); /* it never rose */
}

static void downloads(void)
{
    start_filled();
    down();
    slots(OLD, 0);
    RIGHT(jump(0, OLD, UPDATE_LAW_CONFIRMED));
    BREAKS(say(EVIDENCE_TAKE, 0, NEW, 0), LAW_UPDATE_RESUME); /* from scratch */
    start_filled();
    BREAKS(say(EVIDENCE_FILL, 0, NEW, SIZE / 2), LAW_UPDATE_RESUME);
    start_filled();
    BREAKS(say(EVIDENCE_FILL, 0, LATER, SIZE), LAW_UPDATE_RESUME);
}

static void ends(void)
{
    start_trial();
    BREAKS(say(TRUTH_SETTLED, 0, NEW, 0), LAW_UPDATE_PROGRESS);
    start_armed();
    RIGHT(say(TRUTH_FLOOR, 0, 0, 1));
    BREAKS(say(TRUTH_SETTLED, 0, OLD, 0), LAW_UPDATE_PROGRESS); /* a trial is left over */
    start_confirmed();
    down();
    RIGHT(say(TRUTH_SLOT, 0, LATER, 0));
    RIGHT(say(TRUTH_SLOT, 1, 0, 0));
    BREAKS(say(TRUTH_SETTLED, 0, NEW, 0), LAW_UPDATE_LAST_GOOD); /* it is not there */
    start();
    BREAKS(say(EVIDENCE_STATUS, 0, NEW, UPDATE_LAW_CONFIRMED), LAW_UPDATE_TRUTHFUL);
    start();
    BREAKS(say(EVIDENCE_STATUS, 0, OLD, UPDATE_LAW_TRIAL), LAW_UPDATE_TRUTHFUL);
    start();
    BREAKS(say(EVIDENCE_LEARN, 0, OLD, UPDATE_LAW_CONFIRMED), LAW_UPDATE_TRUTHFUL);
    start_trial();
    RIGHT(say(EVIDENCE_STATUS, 0, NEW, UPDATE_LAW_TRIAL));
    RIGHT(say(EVIDENCE_CONFIRM, 1, NEW, 0));
    RIGHT(say(EVIDENCE_STATUS, 0, NEW, UPDATE_LAW_CONFIRMED));
    RIGHT(say(EVIDENCE_LEARN, 0, NEW, UPDATE_LAW_CONFIRMED));
    BREAKS(say(EVIDENCE_LEARN, 0, NEW, UPDATE_LAW_TRIAL), LAW_UPDATE_TRUTHFUL); /* older */
}

static void keys(void)
{
    start();
    RIGHT(say(EVIDENCE_ROTATE, 1, 0, 1));
    BREAKS(say(EVIDENCE_ROTATE, 1, 2, 0), LAW_IDENTITY_KEY);
    start();
    RIGHT(say(EVIDENCE_ROTATE, 1, 0, 1));
    RIGHT(say(EVIDENCE_ROTATE, 1, 1, 1));
    BREAKS(say(EVIDENCE_ROTATE, 1, 0, 1), LAW_IDENTITY_KEY); /* back to the old one */
    start();
    RIGHT(say(EVIDENCE_POLICY, 1, 0, 0));
    RIGHT(say(EVIDENCE_POLICY, 1, 5, 0));
    BREAKS(say(EVIDENCE_POLICY, 1, 4, 0), LAW_IDENTITY_KEY);
    start();
    RIGHT(say(EVIDENCE_ROTATE, 2, 0, 1));
    BREAKS(say(EVIDENCE_ROTATE, 1, 0, 1), LAW_IDENTITY_KEY); /* an epoch that is over */
    start();
    BREAKS(say(EVIDENCE_ROTATE, 2, 1, 1), LAW_IDENTITY_KEY); /* a reset that kept the key, */
    start();
    RIGHT(say(EVIDENCE_ROTATE, 2, 0, 1));
    BREAKS(say(EVIDENCE_POLICY, 2, 5, 0), LAW_IDENTITY_KEY); /* or the policy */
}

int main(void)
{
    RUN(an_install);
    RUN(an_install_whose_words_are_all_cut_off);
    RUN(a_raise_by_the_boot_loader_for_a_confirm_that_went_unsaid);
    RUN(rot_leaves_another_image_and_that_counts_as_confirmed);
    RUN(a_revert_after_all_trials);
    RUN(trials_that_power_burns_before_the_image_ever_ran);
    RUN(another_release_begins_another_row_of_reverts);
    RUN(a_fallback_confirms_itself);
    RUN(keys_and_policy_grow_and_begin_again_in_a_new_epoch);
    RUN(images);
    RUN(trials);
    RUN(confirms);
    RUN(floors);
    RUN(downloads);
    RUN(ends);
    RUN(keys);
    for (uint32_t i = LAW_UPDATE_AUTHENTIC; i <= LAW_IDENTITY_KEY; i++) {
        EXPECT(exercised[i] > 0);
    }
    return 0;
}
