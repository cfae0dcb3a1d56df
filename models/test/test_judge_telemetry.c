/* Goal: spec.telemetry accepts a right trace, and rejects each minimal bad one, with what disagrees
 * and both values; what cannot be judged is counted. Method: traces written by hand, one
 * observation a call, the other laws void, so that none of them is first.
 */
#include <string.h>

#include "core/test/test.h"
#include "models/model.h"

enum { NOBODY, CLOUD, DEVICE, OTHER_DEVICE, NODE_COUNT };
enum { WINDOW = 8, OUTBOX = 4, RESERVE = 4 };
enum { ANYTHING = -1 };

static const enum model_role roles[NODE_COUNT] = {MODEL_OTHER, MODEL_CLOUD, MODEL_DEVICE,
                                                  MODEL_DEVICE};
static const struct judge_config config = {
    .node_count = NODE_COUNT,
    .roles = roles,
    .cloud_window = WINDOW,
    .outbox_max = OUTBOX,
    .reserve = RESERVE,
    .queue_max = 8,
    .sample_every_us = 1000000,
    .sample_slack_us = 10000,
};

static struct judge *judge;
static struct violation violation;
static uint64_t event;
static uint32_t epoch;

static bool observe(uint32_t kind, uint32_t node, uint64_t counter, uint64_t value)
{
    const struct observation observation = {.event = event++,
                                            .kind = kind,
                                            .node = node,
                                            .device = DEVICE,
                                            .epoch = epoch,
                                            .counter = counter,
                                            .value = value,
                                            .body = {counter, epoch}};
    return judge_observe(judge, &observation, &violation);
}

static void right(uint32_t kind, uint32_t node, uint64_t counter, uint64_t value)
{
    if (!observe(kind, node, counter, value)) {
        fprintf(stderr, "%s: %s: %llu, %llu\n", law_name(violation.law), violation.what,
                (unsigned long long)violation.expected, (unsigned long long)violation.actual);
        exit(1);
    }
}

static void wrong(uint32_t kind, uint32_t node, uint64_t counter, uint64_t value, const char *what,
                  int64_t expected, int64_t actual)
{
    EXPECT(!observe(kind, node, counter, value));
    EXPECT_EQUAL(violation.law, LAW_SPEC_TELEMETRY);
    if (strcmp(violation.what, what) != 0) {
        fprintf(stderr, "%s, in place of %s\n", violation.what, what);
        exit(1);
    }
    if (expected != ANYTHING) {
        EXPECT_EQUAL(violation.expected, expected);
        EXPECT_EQUAL(violation.actual, actual);
    }
    EXPECT_EQUAL(judge_unfollowed(judge, LAW_SPEC_TELEMETRY), 1);
    /* Nothing more is said of it, and it is said once. */
    EXPECT(observe(kind, node, counter, value));
}

static void begin(void)
{
    free(judge);
    judge = calloc(1, judge_size_bytes(&config));
    EXPECT(judge != NULL);
    judge_init(judge, &config);
    for (uint32_t law = 0; law < LAW_COUNT; law++) {
        if (law != LAW_SPEC_TELEMETRY) {
            judge_void(judge, (enum law)law, UINT32_MAX);
        }
    }
    event = 0;
    epoch = 1;
    right(TRUTH_OUTBOX, DEVICE, 1, 0);
    right(EVIDENCE_BOOT, DEVICE, 1, 0);
    right(EVIDENCE_RESERVE, DEVICE, 1 + RESERVE, 0);
}

static void sample(uint64_t counter)
{
    right(EVIDENCE_SIGN, DEVICE, counter, 0);
    right(EVIDENCE_STORE, DEVICE, counter, 0);
}

static void samples(uint64_t count)
{
    for (uint64_t counter = 1; counter <= count; counter++) {
        sample(counter);
        right(EVIDENCE_SEND, DEVICE, counter, 0);
    }
}

static void open_window(uint64_t floor)
{
    right(EVIDENCE_REJECT, CLOUD, 1, REFUSAL_NO_WINDOW);
    right(EVIDENCE_CHALLENGE, CLOUD, 1, 0);
    right(TRUTH_RESPOND, DEVICE, floor, 0);
    right(EVIDENCE_WINDOW, CLOUD, floor, 0);
    right(EVIDENCE_COMMIT, CLOUD, 0, 0);
}

static void begin_with_window(uint64_t readings)
{
    begin();
    samples(readings);
    open_window(0);
}

static void take(uint64_t counter)
{
    right(EVIDENCE_ACCEPT, CLOUD, counter, 0);
    right(EVIDENCE_COMMIT, CLOUD, 0, 0);
}

static void image(uint64_t top, uint64_t rows)
{
    right(TRUTH_IMAGE, CLOUD, 0, 0);
    right(TRUTH_WINDOW, CLOUD, top, 0);
    for (uint64_t counter = 1; counter <= rows; counter++) {
        right(TRUTH_READING, CLOUD, counter, 0);
    }
}

/* Its store as it was left: these come back. */
static void boot(uint64_t next, uint64_t count, const uint64_t *counters, const uint64_t *slots)
{
    right(TRUTH_DOWN, DEVICE, 0, 0);
    right(TRUTH_UP, DEVICE, 0, 0);
    right(TRUTH_OUTBOX, DEVICE, next, count);
    for (uint64_t i = 0; i < count; i++) {
        right(TRUTH_KEPT, DEVICE, counters[i], slots[i]);
    }
    right(EVIDENCE_BOOT, DEVICE, next, 0);
}

/* ---- Right traces ---------------------------------------------------------------------------- */

static void a_right_trace_with_cuts_on_both_sides_is_accepted(void)
{
    begin_with_window(3);
    take(1);
    right(EVIDENCE_ACK, CLOUD, 1, 0);
    right(EVIDENCE_RELEASE, DEVICE, 1, 0);
    right(EVIDENCE_ACCEPT, CLOUD, 3, 0);
    right(EVIDENCE_ACCEPT, CLOUD, 2, 0);
    right(TRUTH_DOWN, CLOUD, 0, 0); /* committed, and not said */
    image(3, 3);
    right(TRUTH_IMAGE_END, CLOUD, 0, 0);
    right(EVIDENCE_REJECT, CLOUD, 2, REFUSAL_DUPLICATE);
    right(EVIDENCE_ACK, CLOUD, 3, 0);
    right(EVIDENCE_LOSE, DEVICE, 4, 0); /* drawn, and nothing could be signed */
    right(EVIDENCE_RESERVE, DEVICE, 9, 0);
    right(EVIDENCE_SIGN, DEVICE, 6, 0); /* 5 names something else */
    boot(9, 3, (const uint64_t[]){2, 3, 6}, (const uint64_t[]){1, 2, 0}); /* stored, and not said */
    right(EVIDENCE_RELEASE, DEVICE, 2, 0);
    right(EVIDENCE_RELEASE, DEVICE, 3, 0);
    right(EVIDENCE_SEND, DEVICE, 6, 0);
    right(EVIDENCE_ACCEPT, CLOUD, 6, 0);
    right(TRUTH_DOWN, CLOUD, 0, 1); /* not committed */
    image(3, 3);
    right(TRUTH_IMAGE_END, CLOUD, 0, 0);
    take(6);
    right(EVIDENCE_ACK, CLOUD, 6, 0);
    EXPECT_EQUAL(judge_unfollowed(judge, LAW_SPEC_TELEMETRY), 0);
    EXPECT_EQUAL(judge_exercised(judge, LAW_SPEC_TELEMETRY), 39);
}

static void the_answer_that_arrives_first_counts(void)
{
    begin();
    samples(2);
    right(EVIDENCE_CHALLENGE, CLOUD, 1, 0);
    right(TRUTH_RESPOND, DEVICE, 0, 0);
    sample(3);
    sample(4);
    right(EVIDENCE_RESERVE, DEVICE, 9, 0);
    right(EVIDENCE_SHED, DEVICE, 1, 0); /* no room for a fifth */
    right(TRUTH_RESPOND, DEVICE, 1, 0); /* over another gateway */
    right(EVIDENCE_WINDOW, CLOUD, 0, 0);
    take(1);
}

static void a_new_epoch_begins_where_the_spec_says(void)
{
    begin_with_window(2);
    take(2);
    right(TRUTH_DOWN, DEVICE, 0, 0);
    epoch = 3; /* one was begun, and cut */
    right(TRUTH_OUTBOX, DEVICE, 1, 0);
    right(EVIDENCE_RESERVE, DEVICE, 5, 0);
    samples(1);
    open_window(0);
    take(1);
}

/* ---- One bad trace for each ------------------------------------------------------------------ */

static void a_counter_beyond_the_reserve(void)
{
    begin();
    samples(4);
    wrong(EVIDENCE_SIGN, DEVICE, 5, 0, "a number beyond the reserve (reserved, next)", 5, 5);
}

static void a_counter_again(void)
{
    begin();
    samples(2);
    wrong(EVIDENCE_SIGN, DEVICE, 2, 0, "fresh behind the step", 3, 2);
}

static void numbers_of_the_last_life(void)
{
    begin();
    samples(1);
    right(TRUTH_DOWN, DEVICE, 0, 0);
    right(TRUTH_OUTBOX, DEVICE, 2, 1);
    wrong(TRUTH_KEPT, DEVICE, 1, 0, "next behind the step", 5, 2);
}

static void a_held_reading_that_does_not_come_back(void)
{
    begin();
    samples(2);
    right(TRUTH_OUTBOX, DEVICE, 5, 1);
    wrong(TRUTH_KEPT, DEVICE, 2, 1, "a reading that was held has not come back (times, counter)", 0,
          1);
}

static void a_reading_out_of_nowhere(void)
{
    begin();
    samples(1);
    right(TRUTH_OUTBOX, DEVICE, 5, 2);
    right(TRUTH_KEPT, DEVICE, 1, 0);
    wrong(TRUTH_KEPT, DEVICE, 3, 1, "Store: nothing was signed (fresh)", 1, 0);
}

static void a_newer_one_is_shed(void)
{
    begin();
    samples(4);
    right(EVIDENCE_RESERVE, DEVICE, 9, 0);
    wrong(EVIDENCE_SHED, DEVICE, 3, 0, "shed behind the step", ANYTHING, 0);
}

static void shed_though_there_is_room(void)
{
    begin();
    right(EVIDENCE_RESERVE, DEVICE, 9, 0); /* all below are no readings */
    right(EVIDENCE_SIGN, DEVICE, 5, 0);
    right(EVIDENCE_STORE, DEVICE, 5, 0);
    right(EVIDENCE_SIGN, DEVICE, 9 - 1, 0);
    right(EVIDENCE_STORE, DEVICE, 8, 0);
    right(EVIDENCE_RESERVE, DEVICE, 13, 0);
    right(EVIDENCE_SHED, DEVICE, 5, 0); /* for another reserve: nobody can tell yet */
    wrong(EVIDENCE_SIGN, DEVICE, 9, 0, "a number beyond the reserve (reserved, next)", 13, 13);
}

static void sent_beyond_the_window(void)
{
    begin();
    samples(1);
    right(EVIDENCE_RESERVE, DEVICE, 9, 0);
    right(EVIDENCE_RESERVE, DEVICE, 13, 0);
    sample(9);
    wrong(EVIDENCE_SEND, DEVICE, 9, 0,
          "Send: beyond the window of the oldest (last in it, counter)", 8, 9);
}

static void released_without_an_ack(void)
{
    begin_with_window(2);
    take(1);
    right(EVIDENCE_ACK, CLOUD, 1, 0);
    wrong(EVIDENCE_RELEASE, DEVICE, 2, 0, "Release: no ack covers it (top of the window, counter)",
          1, 2);
}

static void too_many_in_the_outbox(void)
{
    begin();
    samples(4);
    right(EVIDENCE_RESERVE, DEVICE, 9, 0);
    wrong(EVIDENCE_SIGN, DEVICE, 5, 0, "Sign: no room in the outbox (outbox, held)", 4, 4);
}

static void challenged_though_there_is_a_window(void)
{
    begin_with_window(1);
    wrong(EVIDENCE_CHALLENGE, CLOUD, 1, 0, "Challenge: the epoch has a window", 1, 1);
}

static void a_floor_that_was_never_answered(void)
{
    begin();
    samples(2);
    right(EVIDENCE_CHALLENGE, CLOUD, 1, 0);
    right(TRUTH_RESPOND, DEVICE, 0, 0);
    wrong(EVIDENCE_WINDOW, CLOUD, 1, 0, "Window: a floor that the device did not answer", 0, 1);
}

static void a_window_without_a_challenge(void)
{
    begin();
    samples(1);
    wrong(EVIDENCE_WINDOW, CLOUD, 0, 0, "Window: no challenge is out (asked)", 1, 0);
}

static void an_answer_of_another_floor(void)
{
    begin();
    samples(2);
    right(EVIDENCE_CHALLENGE, CLOUD, 1, 0);
    wrong(TRUTH_RESPOND, DEVICE, 1, 0, "answers behind the step", 0, 1);
}

static void accepted_twice(void)
{
    begin_with_window(1);
    take(1);
    wrong(EVIDENCE_ACCEPT, CLOUD, 1, 0, "Accept: a counter that is not fresh (top, counter)", 1, 1);
}

static void accepted_and_never_sent(void)
{
    begin_with_window(1);
    sample(2);
    wrong(EVIDENCE_ACCEPT, CLOUD, 2, 0, "Accept: a counter that was never sent (times, counter)", 0,
          2);
}

static void accepted_without_a_window(void)
{
    begin();
    samples(1);
    wrong(EVIDENCE_ACCEPT, CLOUD, 1, 0, "Accept: epoch of the window", 0, 1);
}

static void refused_though_it_is_fresh(void)
{
    begin_with_window(2);
    take(2);
    wrong(EVIDENCE_REJECT, CLOUD, 1, REFUSAL_DUPLICATE,
          "Reject: a counter that is fresh (top, counter)", 2, 1);
}

static void acked_before_the_commit(void)
{
    begin_with_window(1);
    right(EVIDENCE_ACCEPT, CLOUD, 1, 0);
    wrong(EVIDENCE_ACK, CLOUD, 1, 0, "Ack: of what is not durable (durable top, top)", 0, 1);
}

static void an_ack_of_another_top(void)
{
    begin_with_window(1);
    take(1);
    wrong(EVIDENCE_ACK, CLOUD, 2, 0, "top behind the step", 1, 2);
}

static void a_committed_row_is_gone(void)
{
    begin_with_window(2);
    take(1);
    take(2);
    right(TRUTH_DOWN, CLOUD, 0, 0);
    image(2, 1);
    wrong(TRUTH_IMAGE_END, CLOUD, 0, 0, "rows behind the step", 2, 1);
}

static void the_window_has_fallen_back(void)
{
    begin_with_window(2);
    take(1);
    take(2);
    right(TRUTH_DOWN, CLOUD, 0, 0);
    image(1, 2);
    wrong(TRUTH_IMAGE_END, CLOUD, 0, 0, "top behind the step", 2, 1);
}

/* ---- What is not judged ---------------------------------------------------------------------- */

static void devices_that_are_not_followed_are_counted(void)
{
    begin();
    judge_void(judge, LAW_SPEC_TELEMETRY, DEVICE);
    EXPECT_EQUAL(judge_unfollowed(judge, LAW_SPEC_TELEMETRY), 1);
    right(EVIDENCE_SEND, DEVICE, 7, 0); /* the first thing that would be wrong */
    judge_void(judge, LAW_SPEC_TELEMETRY, CLOUD);
    EXPECT_EQUAL(judge_unfollowed(judge, LAW_SPEC_TELEMETRY), 2);

    begin();
    right(EVIDENCE_RESERVE, DEVICE, UINT64_C(1) << 40, 0);
    EXPECT_EQUAL(judge_unfollowed(judge, LAW_SPEC_TELEMETRY), 1);

    begin_with_window(1);
    right(TRUTH_DOWN, CLOUD, 0, 0);
    right(TRUTH_IMAGE, CLOUD, 0, 0);
    right(TRUTH_IMAGE_END, CLOUD, 0, 1); /* it cannot be read */
    EXPECT_EQUAL(judge_unfollowed(judge, LAW_SPEC_TELEMETRY), 2);
}

int main(void)
{
    RUN(a_right_trace_with_cuts_on_both_sides_is_accepted);
    RUN(the_answer_that_arrives_first_counts);
    RUN(a_new_epoch_begins_where_the_spec_says);
    RUN(a_counter_beyond_the_reserve);
    RUN(a_counter_again);
    RUN(numbers_of_the_last_life);
    RUN(a_held_reading_that_does_not_come_back);
    RUN(a_reading_out_of_nowhere);
    RUN(a_newer_one_is_shed);
    RUN(shed_though_there_is_room);
    RUN(sent_beyond_the_window);
    RUN(released_without_an_ack);
    RUN(too_many_in_the_outbox);
    RUN(challenged_though_there_is_a_window);
    RUN(a_floor_that_was_never_answered);
    RUN(a_window_without_a_challenge);
    RUN(an_answer_of_another_floor);
    RUN(accepted_twice);
    RUN(accepted_and_never_sent);
    RUN(accepted_without_a_window);
    RUN(refused_though_it_is_fresh);
    RUN(acked_before_the_commit);
    RUN(an_ack_of_another_top);
    RUN(a_committed_row_is_gone);
    RUN(the_window_has_fallen_back);
    RUN(devices_that_are_not_followed_are_counted);
    free(judge);
    return 0;
}
