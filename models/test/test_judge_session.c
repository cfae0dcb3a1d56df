/* Goal: spec.session accepts a right trace, with what befalls each of the ways of a reading, and
 * rejects each minimal bad one, with what disagrees and both values; what cannot be followed is
 * counted. Method: traces written by hand, one observation a call, the other laws void, so that
 * none of them is first.
 */
#include <string.h>

#include "core/test/test.h"
#include "models/model.h"

#include "models/session.def"
#include "models/spec_names.h"

enum { NOBODY, CLOUD, GATEWAY, OTHER_GATEWAY, ROGUE, DEVICE, OTHER_DEVICE, NODE_COUNT };
enum { OUTBOX = 4, QUEUE = 8, LOSS = 0 };

static const enum model_role honest[NODE_COUNT] = {MODEL_OTHER,   MODEL_CLOUD,   MODEL_GATEWAY,
                                                   MODEL_GATEWAY, MODEL_GATEWAY, MODEL_DEVICE,
                                                   MODEL_DEVICE};
static const enum model_role with_rogue[NODE_COUNT] = {MODEL_OTHER,   MODEL_CLOUD, MODEL_GATEWAY,
                                                       MODEL_GATEWAY, MODEL_OTHER, MODEL_DEVICE,
                                                       MODEL_DEVICE};
static struct judge_config config = {
    .node_count = NODE_COUNT,
    .cloud_window = 8,
    .outbox_max = OUTBOX,
    .reserve = 4,
    .queue_max = QUEUE,
    .sample_every_us = 1000000,
    .sample_slack_us = 10000,
};

static struct judge *judge;
static struct violation violation;
static uint64_t event;
static uint32_t epoch;

static bool observe(uint32_t kind, uint32_t node, uint64_t counter, uint64_t value)
{
    const struct observation observation = {.event = event,
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

static void wrong(uint32_t kind, uint32_t node, uint64_t counter, uint64_t value, const char *what)
{
    EXPECT(!observe(kind, node, counter, value));
    EXPECT_EQUAL(violation.law, LAW_SPEC_SESSION);
    if (strcmp(violation.what, what) != 0) {
        fprintf(stderr, "%s, in place of %s\n", violation.what, what);
        exit(1);
    }
    EXPECT(violation.expected != violation.actual);
    EXPECT_EQUAL(judge_unfollowed(judge, LAW_SPEC_SESSION), 1);
    /* Nothing more is said of it, and it is said once. */
    EXPECT(observe(kind, node, counter, value));
}

static uint64_t steps(uint32_t action)
{
    return judge_steps(judge, LAW_SPEC_SESSION, action);
}

static void expect_left(uint64_t readings)
{
    EXPECT_EQUAL(judge_unfollowed(judge, LAW_SPEC_SESSION), 0);
    EXPECT_EQUAL(judge_unfollowed_readings(judge), readings);
}

static void begin_among(const enum model_role *roles)
{
    free(judge);
    config.roles = roles;
    judge = calloc(1, judge_size_bytes(&config));
    EXPECT(judge != NULL);
    judge_init(judge, &config);
    for (uint32_t law = 0; law < LAW_COUNT; law++) {
        if (law != LAW_SPEC_SESSION) {
            judge_void(judge, (enum law)law, UINT32_MAX);
        }
    }
    event = 0;
    epoch = 1;
    right(TRUTH_OUTBOX, DEVICE, 1, 0);
}

static void begin(void)
{
    begin_among(honest);
}

static void store(uint64_t counter)
{
    right(EVIDENCE_SIGN, DEVICE, counter, 0);
    right(EVIDENCE_STORE, DEVICE, counter, 0);
}

static void connect(uint32_t gateway)
{
    right(TRUTH_LINK, DEVICE, 0, gateway);
}

static void send(uint64_t counter, uint32_t gateway)
{
    right(EVIDENCE_SEND, DEVICE, counter, gateway);
}

static void custody(uint64_t counter, uint32_t gateway)
{
    event++;
    right(EVIDENCE_COMMIT, gateway, 0, 0);
    right(EVIDENCE_CUSTODY, gateway, counter, 1);
}

/* The commit that deletes what is done. */
static void tidy(uint32_t gateway)
{
    event++;
    right(EVIDENCE_COMMIT, gateway, 0, 0);
}

static void join(uint32_t gateway)
{
    event++;
    right(TRUTH_LINK, gateway, 0, CLOUD);
}

static void forward(uint64_t counter, uint32_t gateway)
{
    event++;
    right(EVIDENCE_FORWARD, gateway, counter, 0);
}

static void discharge(uint64_t counter, uint32_t gateway)
{
    event++;
    right(EVIDENCE_DISCHARGE, gateway, counter, 0);
}

static void accept(uint64_t counter, uint32_t gateway)
{
    event++;
    right(EVIDENCE_ACCEPT, CLOUD, counter, gateway);
    right(EVIDENCE_COMMIT, CLOUD, 0, 0);
    right(EVIDENCE_ACK, CLOUD, counter, 0);
}

static void duplicate(uint64_t counter)
{
    event++;
    right(EVIDENCE_REJECT, CLOUD, counter, REFUSAL_DUPLICATE);
}

static void challenge(uint64_t counter)
{
    event++;
    right(EVIDENCE_REJECT, CLOUD, counter, REFUSAL_NO_WINDOW);
    right(EVIDENCE_CHALLENGE, CLOUD, counter, 0);
}

static void open_window(uint64_t floor)
{
    event++;
    right(TRUTH_RESPOND, DEVICE, floor, 0);
    right(EVIDENCE_WINDOW, CLOUD, floor, 0);
    right(EVIDENCE_COMMIT, CLOUD, 0, 0);
}

/* The gateway fell, or is looked at while it lives; so many copies of 1 are on its disk. */
static void gateway_image(uint32_t gateway, bool falls, uint32_t copies)
{
    event++;
    if (falls) {
        right(TRUTH_DOWN, gateway, 0, LOSS);
    }
    right(TRUTH_IMAGE, gateway, 0, 0);
    for (uint32_t i = 0; i < copies; i++) {
        right(TRUTH_QUEUED, gateway, 1, 0);
    }
}

static void cloud_image(bool falls, bool windowed, uint64_t readings)
{
    event++;
    if (falls) {
        right(TRUTH_DOWN, CLOUD, 0, LOSS);
    }
    right(TRUTH_IMAGE, CLOUD, 0, 0);
    if (windowed) {
        right(TRUTH_WINDOW, CLOUD, 0, 0);
    }
    for (uint64_t counter = 1; counter <= readings; counter++) {
        right(TRUTH_READING, CLOUD, counter, 0);
    }
}

static void end_image(uint32_t node)
{
    right(TRUTH_IMAGE_END, node, 0, 0);
}

/* Its store as it was left: this comes back. */
static void boot(uint64_t next, uint64_t counter)
{
    event++;
    right(TRUTH_DOWN, DEVICE, 0, LOSS);
    right(TRUTH_OUTBOX, DEVICE, next, counter != 0 ? 1 : 0);
    if (counter != 0) {
        right(TRUTH_KEPT, DEVICE, counter, 0);
    }
}

/* One reading is stored and sent; the cloud has a window, and the gateway a link to it. */
static void begin_with_one(void)
{
    begin();
    right(EVIDENCE_WINDOW, CLOUD, 0, 0);
    right(EVIDENCE_COMMIT, CLOUD, 0, 0);
    join(GATEWAY);
    join(OTHER_GATEWAY);
    connect(GATEWAY);
    store(1);
    send(1, GATEWAY);
}

static void begin_with_row(void)
{
    begin_with_one();
    custody(1, GATEWAY);
}

/* ---- Right traces ---------------------------------------------------------------------------- */

static void a_reading_goes_all_the_way(void)
{
    begin_with_row();
    forward(1, GATEWAY);
    accept(1, GATEWAY);
    discharge(1, GATEWAY);
    tidy(GATEWAY);
    right(EVIDENCE_RELEASE, DEVICE, 1, 0);
    expect_left(0);
    const uint32_t once[] = {ACT_sign,   ACT_connect,      ACT_send,      ACT_insert, ACT_forward,
                             ACT_accept, ACT_cloud_commit, ACT_discharge, ACT_join,   ACT_release};
    for (uint32_t i = 0; i < sizeof once / sizeof once[0]; i++) {
        EXPECT_EQUAL(steps(once[i]), 1);
    }
    EXPECT_EQUAL(steps(ACT_gateway_commit), 2);
    EXPECT_EQUAL(judge_exercised(judge, LAW_SPEC_SESSION), 12);
}

static void what_is_challenged_is_sent_again(void)
{
    begin();
    join(GATEWAY);
    connect(GATEWAY);
    store(1);
    store(2);
    send(1, GATEWAY);
    send(2, GATEWAY);
    custody(1, GATEWAY);
    custody(2, GATEWAY);
    forward(1, GATEWAY);
    challenge(1);
    open_window(0);
    discharge(1, GATEWAY); /* nobody but the device has it */
    connect(GATEWAY);
    send(1, GATEWAY);
    custody(1, GATEWAY);
    forward(1, GATEWAY);
    accept(1, GATEWAY);
    forward(2, GATEWAY); /* it was not looked at before there was a window */
    accept(2, GATEWAY);
    EXPECT_EQUAL(steps(ACT_challenge), 1);
    EXPECT_EQUAL(steps(ACT_respond), 1);
    EXPECT_EQUAL(steps(ACT_window), 1);
    expect_left(0);
}

static void what_links_lose_is_sent_again(void)
{
    begin_with_one();
    connect(GATEWAY);
    send(1, GATEWAY); /* the first is lost, or comes late: both are told when one arrives */
    custody(1, GATEWAY);
    custody(1, GATEWAY);
    forward(1, GATEWAY);
    join(GATEWAY);
    forward(1, GATEWAY);
    forward(1, GATEWAY);
    event++;
    right(EVIDENCE_ACCEPT, CLOUD, 1, GATEWAY);
    right(EVIDENCE_REJECT, CLOUD, 1, REFUSAL_DUPLICATE); /* in the same transaction */
    right(EVIDENCE_COMMIT, CLOUD, 0, 0);
    discharge(1, GATEWAY);
    discharge(1, GATEWAY);
    EXPECT_EQUAL(steps(ACT_break_uplink), 1);
    EXPECT_EQUAL(steps(ACT_duplicate), 1);
    expect_left(0);
}

static void a_reading_is_in_two_queues(void)
{
    begin_with_row();
    forward(1, GATEWAY);
    connect(OTHER_GATEWAY);
    send(1, OTHER_GATEWAY);
    custody(1, OTHER_GATEWAY);
    forward(1, OTHER_GATEWAY);
    join(GATEWAY); /* what the other one has under way goes on */
    forward(1, GATEWAY);
    accept(1, OTHER_GATEWAY);
    right(EVIDENCE_RELEASE, DEVICE, 1, 0);
    duplicate(1);
    discharge(1, OTHER_GATEWAY);
    discharge(1, GATEWAY);
    gateway_image(GATEWAY, true, 1); /* its deletion was not durable */
    end_image(GATEWAY);
    expect_left(1); /* and the other's is not known to be: nobody can tell them apart */

    begin_with_row();
    forward(1, GATEWAY);
    connect(OTHER_GATEWAY);
    send(1, OTHER_GATEWAY);
    custody(1, OTHER_GATEWAY);
    forward(1, OTHER_GATEWAY);
    gateway_image(GATEWAY, true, 1); /* falls, and the device's link is not its own */
    end_image(GATEWAY);
    accept(1, OTHER_GATEWAY);
    discharge(1, OTHER_GATEWAY);
    tidy(OTHER_GATEWAY);
    join(GATEWAY);
    forward(1, GATEWAY);
    duplicate(1);
    discharge(1, GATEWAY);
    right(EVIDENCE_RELEASE, DEVICE, 1, 0);
    expect_left(0);
}

static void a_gateway_falls(void)
{
    begin_with_one();
    gateway_image(GATEWAY, true, 1); /* committed, and not said */
    end_image(GATEWAY);
    join(GATEWAY);
    forward(1, GATEWAY);
    accept(1, GATEWAY);
    discharge(1, GATEWAY);
    gateway_image(GATEWAY, true, 1); /* discharged, and not deleted */
    end_image(GATEWAY);
    join(GATEWAY);
    forward(1, GATEWAY);
    duplicate(1);
    discharge(1, GATEWAY);
    gateway_image(GATEWAY, true, 0); /* deleted, and not said */
    end_image(GATEWAY);
    connect(GATEWAY);
    right(EVIDENCE_RELEASE, DEVICE, 1, 0);
    EXPECT_EQUAL(steps(ACT_restart_gateway), 2); /* the third has nothing of it */
    expect_left(0);
}

static void a_cloud_falls(void)
{
    begin_with_row();
    forward(1, GATEWAY);
    event++;
    right(EVIDENCE_ACCEPT, CLOUD, 1, GATEWAY);
    cloud_image(true, true, 0); /* not committed */
    end_image(CLOUD);
    join(GATEWAY);
    forward(1, GATEWAY);
    event++;
    right(EVIDENCE_ACCEPT, CLOUD, 1, GATEWAY);
    cloud_image(true, true, 1); /* committed, and not said */
    end_image(CLOUD);
    join(GATEWAY);
    forward(1, GATEWAY);
    duplicate(1);
    cloud_image(true, true, 1); /* its PUBACK is on its way */
    end_image(CLOUD);
    discharge(1, GATEWAY);
    right(EVIDENCE_RELEASE, DEVICE, 1, 0);
    EXPECT_EQUAL(steps(ACT_restart_cloud), 2);
    expect_left(0);

    begin_with_row();
    cloud_image(true, true, 0);
    end_image(CLOUD);
    forward(1, GATEWAY); /* on a link that was opened before, and leads to the cloud only now */
    accept(1, GATEWAY);
    discharge(1, GATEWAY);
    right(EVIDENCE_RELEASE, DEVICE, 1, 0);
    expect_left(0);
}

static void a_full_disk_takes_a_transaction_back(void)
{
    begin_with_row();
    forward(1, GATEWAY);
    event++;
    right(EVIDENCE_ACCEPT, CLOUD, 1, GATEWAY);
    right(EVIDENCE_REFUSE, CLOUD, 0, REFUSAL_DISK);
    join(GATEWAY);
    forward(1, GATEWAY);
    accept(1, GATEWAY);
    expect_left(0);
}

static void a_device_falls(void)
{
    begin();
    right(EVIDENCE_SIGN, DEVICE, 1, 0);
    boot(2, 1); /* stored, and not said */
    right(EVIDENCE_WINDOW, CLOUD, 0, 0);
    right(EVIDENCE_COMMIT, CLOUD, 0, 0);
    join(GATEWAY);
    connect(GATEWAY);
    send(1, GATEWAY);
    custody(1, GATEWAY);
    boot(2, 1);
    connect(GATEWAY);
    send(1, GATEWAY);
    custody(1, GATEWAY);
    forward(1, GATEWAY);
    accept(1, GATEWAY);
    right(EVIDENCE_RELEASE, DEVICE, 1, 0);
    boot(2, 1); /* to let go of it was not durable */
    connect(GATEWAY);
    right(EVIDENCE_RELEASE, DEVICE, 1, 0);
    boot(2, 0);
    EXPECT_EQUAL(steps(ACT_restart_device), 4);
    EXPECT_EQUAL(steps(ACT_forget), 1);
    expect_left(0);
}

static void a_refused_reading_is_sent_again(void)
{
    begin_with_one();
    event++;
    right(EVIDENCE_REFUSE, GATEWAY, 1, REFUSAL_QUEUE_FULL);
    connect(OTHER_GATEWAY);
    send(1, OTHER_GATEWAY);
    custody(1, OTHER_GATEWAY);
    expect_left(0);
}

static void a_rogue_hands_on_what_it_was_sent(void)
{
    begin_among(with_rogue);
    right(EVIDENCE_WINDOW, CLOUD, 0, 0);
    right(EVIDENCE_COMMIT, CLOUD, 0, 0);
    connect(ROGUE);
    store(1);
    send(1, ROGUE);
    accept(1, ROGUE);
    duplicate(1); /* it sends it again */
    right(EVIDENCE_RELEASE, DEVICE, 1, 0);
    expect_left(0);
    store(2);
    connect(GATEWAY);
    send(2, GATEWAY);
    right(EVIDENCE_ACCEPT, CLOUD, 2, ROGUE); /* from wherever it has it */
    expect_left(1);
}

/* Far more readings than there is room for at once. */
static void room_is_given_back(void)
{
    begin_with_one();
    for (uint64_t counter = 2; counter < 1000; counter++) {
        store(counter);
        send(counter, GATEWAY);
        custody(counter, GATEWAY);
        forward(counter, GATEWAY);
        accept(counter, GATEWAY);
        discharge(counter, GATEWAY);
        right(EVIDENCE_RELEASE, DEVICE, counter, 0);
        tidy(GATEWAY);
    }
    expect_left(0);
    for (uint64_t counter = 1000; counter < 1200; counter++) {
        store(counter); /* more than its outbox holds */
    }
    EXPECT(judge_unfollowed_readings(judge) > 0);
}

/* ---- What cannot be followed ------------------------------------------------------------------
 */

static void what_the_spec_leaves_out_is_counted(void)
{
    begin_with_one();
    right(EVIDENCE_SHED, DEVICE, 1, 0);
    expect_left(1);
    custody(1, GATEWAY);
    expect_left(1);

    begin_with_one();
    connect(OTHER_GATEWAY);
    send(1, OTHER_GATEWAY);
    custody(1, OTHER_GATEWAY);
    custody(1, GATEWAY); /* late, behind another one */
    expect_left(1);

    begin_with_row();
    epoch = 2;
    right(TRUTH_OUTBOX, DEVICE, 1, 0);
    expect_left(1);
}

static void a_void_law_is_silent_where_it_is_void(void)
{
    begin_with_row();
    judge_void(judge, LAW_SPEC_SESSION, GATEWAY);
    expect_left(0);
    gateway_image(GATEWAY, true, 0);
    end_image(GATEWAY);
    expect_left(1);
    forward(1, GATEWAY); /* of a queue that proves nothing */
    store(2);
    judge_void(judge, LAW_SPEC_SESSION, DEVICE);
    EXPECT_EQUAL(judge_unfollowed(judge, LAW_SPEC_SESSION), 1);
    judge_void(judge, LAW_SPEC_SESSION, CLOUD);
    EXPECT_EQUAL(judge_unfollowed(judge, LAW_SPEC_SESSION), 2);
}

/* ---- Bad traces -------------------------------------------------------------------------------
 */

static void a_second_send_on_one_link_is_rejected(void)
{
    begin_with_one();
    wrong(EVIDENCE_SEND, DEVICE, 1, GATEWAY,
          "Send(1) is not possible here: sent is {1}, it would have to be {}");
    begin_with_row();
    forward(1, GATEWAY);
    wrong(EVIDENCE_FORWARD, GATEWAY, 1, 0,
          "Forward(1) is not possible here: rows[1] is 1, it would have to be 2");
}

static void custody_of_what_was_not_sent_is_rejected(void)
{
    begin();
    store(1);
    event++;
    right(EVIDENCE_COMMIT, GATEWAY, 0, 0);
    wrong(EVIDENCE_CUSTODY, GATEWAY, 1, 1,
          "Insert(1) is not possible here: wire is {}, it would have to be {1}");
    begin_with_one();
    event++;
    right(EVIDENCE_COMMIT, OTHER_GATEWAY, 0, 0);
    wrong(EVIDENCE_CUSTODY, OTHER_GATEWAY, 1, 1, "between two steps: wire is {}, in the spec {1}");
}

static void custody_ahead_of_the_commit_is_rejected(void)
{
    begin_with_one();
    tidy(GATEWAY);
    event++;
    wrong(EVIDENCE_CUSTODY, GATEWAY, 1, 1, "between two steps: pubacks is {1}, in the spec {}");
}

static void a_row_that_is_gone_is_rejected(void)
{
    begin_with_row();
    gateway_image(GATEWAY, true, 0);
    wrong(TRUTH_IMAGE_END, GATEWAY, 0, 0, "between two steps: rows[1] is 0, in the spec 1");
    begin_with_row();
    gateway_image(GATEWAY, false, 0);
    wrong(TRUTH_IMAGE_END, GATEWAY, 0, 0, "between two steps: rows[1] is 0, in the spec 1");
}

static void a_row_from_nowhere_is_rejected(void)
{
    begin_with_row();
    gateway_image(GATEWAY, true, 2);
    wrong(TRUTH_IMAGE_END, GATEWAY, 0, 0,
          "Insert(1) is not possible here: wire is {}, it would have to be {1}");
    begin_with_row();
    event++;
    wrong(EVIDENCE_FORWARD, OTHER_GATEWAY, 1, 0, "between two steps: rows[1] is 2, in the spec 1");
}

static void a_discharge_without_an_answer_is_rejected(void)
{
    begin_with_row();
    event++;
    wrong(EVIDENCE_DISCHARGE, GATEWAY, 1, 0, "between two steps: confirms[1] is 1, in the spec 0");
    begin_with_row();
    forward(1, GATEWAY);
    event++;
    right(EVIDENCE_ACCEPT, CLOUD, 1, GATEWAY); /* not committed */
    event++;
    wrong(EVIDENCE_DISCHARGE, GATEWAY, 1, 0,
          "Discharge(1) is not possible here: confirms[1] is 0, it would have to be 1");
}

static void what_was_not_forwarded_is_not_accepted(void)
{
    begin_with_row();
    event++;
    wrong(EVIDENCE_ACCEPT, CLOUD, 1, GATEWAY,
          "Accept(1) is not possible here: flying[1] is 0, it would have to be 1");
    begin_with_row();
    forward(1, GATEWAY);
    event++;
    wrong(EVIDENCE_REJECT, CLOUD, 1, REFUSAL_DUPLICATE,
          "Duplicate(1) is not possible here: seen is {}, it would have to be {1}");
}

static void a_forgotten_window_is_rejected(void)
{
    begin_with_row();
    cloud_image(true, true, 0);
    end_image(CLOUD);
    join(GATEWAY);
    forward(1, GATEWAY);
    event++;
    wrong(EVIDENCE_REJECT, CLOUD, 1, REFUSAL_NO_WINDOW,
          "Challenge(1) is not possible here: windows is {1}, it would have to be {}");
}

static void a_window_without_an_answer_is_rejected(void)
{
    begin();
    join(GATEWAY);
    connect(GATEWAY);
    store(1);
    send(1, GATEWAY);
    custody(1, GATEWAY);
    forward(1, GATEWAY);
    challenge(1);
    wrong(EVIDENCE_WINDOW, CLOUD, 0, 0,
          "Window(1) is not possible here: answered is {}, it would have to be {1}");
}

static void an_ack_ahead_of_the_commit_is_rejected(void)
{
    begin_with_row();
    forward(1, GATEWAY);
    event++;
    right(EVIDENCE_ACCEPT, CLOUD, 1, GATEWAY);
    wrong(EVIDENCE_ACK, CLOUD, 1, 0, "between two steps: acked is {1}, in the spec {}");
}

static void a_kept_reading_that_is_gone_is_rejected(void)
{
    begin_with_row();
    forward(1, GATEWAY);
    accept(1, GATEWAY);
    cloud_image(true, true, 0);
    wrong(TRUTH_IMAGE_END, CLOUD, 0, 0, "between two steps: kept is {}, in the spec {1}");
    begin_with_row();
    cloud_image(false, true, 1);
    wrong(TRUTH_IMAGE_END, CLOUD, 0, 0, "between two steps: kept is {1}, in the spec {}");
}

static void a_reading_is_not_accepted_twice(void)
{
    begin_with_row();
    forward(1, GATEWAY);
    accept(1, GATEWAY);
    join(GATEWAY);
    forward(1, GATEWAY);
    event++;
    wrong(EVIDENCE_ACCEPT, CLOUD, 1, GATEWAY,
          "Accept(1) is not possible here: seen is {1}, it would have to be {}");
}

static void to_let_go_without_an_ack_is_rejected(void)
{
    begin_with_row();
    wrong(EVIDENCE_RELEASE, DEVICE, 1, 0,
          "Release(1) is not possible here: acked is {}, it would have to be {1}");
}

static void a_stored_reading_comes_back(void)
{
    begin_with_row();
    event++;
    right(TRUTH_DOWN, DEVICE, 0, LOSS);
    wrong(TRUTH_OUTBOX, DEVICE, 2, 0, "between two steps: held is {}, in the spec {1}");
}

int main(void)
{
    RUN(a_reading_goes_all_the_way);
    RUN(what_is_challenged_is_sent_again);
    RUN(what_links_lose_is_sent_again);
    RUN(a_reading_is_in_two_queues);
    RUN(a_gateway_falls);
    RUN(a_cloud_falls);
    RUN(a_full_disk_takes_a_transaction_back);
    RUN(a_device_falls);
    RUN(a_refused_reading_is_sent_again);
    RUN(a_rogue_hands_on_what_it_was_sent);
    RUN(room_is_given_back);
    RUN(what_the_spec_leaves_out_is_counted);
    RUN(a_void_law_is_silent_where_it_is_void);
    RUN(a_second_send_on_one_link_is_rejected);
    RUN(custody_of_what_was_not_sent_is_rejected);
    RUN(custody_ahead_of_the_commit_is_rejected);
    RUN(a_row_that_is_gone_is_rejected);
    RUN(a_row_from_nowhere_is_rejected);
    RUN(a_discharge_without_an_answer_is_rejected);
    RUN(what_was_not_forwarded_is_not_accepted);
    RUN(a_forgotten_window_is_rejected);
    RUN(a_window_without_an_answer_is_rejected);
    RUN(an_ack_ahead_of_the_commit_is_rejected);
    RUN(a_kept_reading_that_is_gone_is_rejected);
    RUN(a_reading_is_not_accepted_twice);
    RUN(to_let_go_without_an_ack_is_rejected);
    RUN(a_stored_reading_comes_back);
    free(judge);
    return 0;
}
