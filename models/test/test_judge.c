/* Goal: a right trace breaks no law, and each law rejects its minimal bad trace, and is the one
 * that does. Method: traces written by hand, one observation a call; every observation that is not
 * meant to break a law must break none. What the judge costs is printed, and asserted nowhere.
 */
#include <string.h>
#include <time.h>

#include "core/test/test.h"
#include "models/model.h"

enum { NOBODY, CLOUD, GATEWAY, ROGUE, DEVICE, OTHER_DEVICE, NODE_COUNT };
enum { WINDOW = 32, OUTBOX = 16, QUEUE = 8 };
enum { EVERY_US = 1000000, SLACK_US = 10000, EPOCH = 1, SPAN = 8192 };

static const enum model_role roles[NODE_COUNT] = {
    MODEL_OTHER, MODEL_CLOUD, MODEL_GATEWAY, MODEL_OTHER, MODEL_DEVICE, MODEL_DEVICE,
};
static const struct judge_config config = {
    .node_count = NODE_COUNT,
    .roles = roles,
    .cloud_window = WINDOW,
    .outbox_max = OUTBOX,
    .queue_max = QUEUE,
    .sample_every_us = EVERY_US,
    .sample_slack_us = SLACK_US,
};

static struct judge *judge;
/* Those of firmware are tested in test_update_law.c, those of specs in test_judge_*.c, those
 * of flash in sim. */
static bool of_fleets(enum law law)
{
    return law != LAW_SPEC_TELEMETRY && law != LAW_SPEC_SESSION &&
           (law < LAW_UPDATE_AUTHENTIC || law > LAW_FLASH_WEAR);
}

static struct violation violation;
static uint64_t now_us, event;

static void begin(void)
{
    free(judge);
    judge = calloc(1, judge_size_bytes(&config));
    EXPECT(judge != NULL);
    judge_init(judge, &config);
    now_us = 0;
    event = 0;
}

/* LAW_COUNT: no law is broken. */
static enum law observe(const struct observation *observation)
{
    return judge_observe(judge, observation, &violation) ? LAW_COUNT : violation.law;
}

/* Samples come in time. */
static struct observation about(uint32_t kind, uint32_t node, uint32_t device, uint64_t counter)
{
    now_us += kind == EVIDENCE_SIGN ? EVERY_US : 0;
    return (struct observation){
        .time_us = now_us,
        .event = event++,
        .kind = kind,
        .node = node,
        .device = device,
        .epoch = EPOCH,
        .counter = counter,
        .body = {counter * 3 + device, counter ^ 0x5555},
    };
}

/* One observation with the body that belongs to (device, counter). */
static enum law say(uint32_t kind, uint32_t node, uint32_t device, uint64_t counter)
{
    const struct observation observation = about(kind, node, device, counter);
    return observe(&observation);
}

static enum law say_value(uint32_t kind, uint32_t node, uint32_t device, uint64_t counter,
                          uint64_t value)
{
    struct observation observation = about(kind, node, device, counter);
    observation.value = value;
    return observe(&observation);
}

static enum law say_epoch(uint32_t kind, uint32_t node, uint32_t epoch, uint64_t counter)
{
    struct observation observation = about(kind, node, DEVICE, counter);
    observation.epoch = epoch;
    return observe(&observation);
}

static enum law say_forged(uint32_t kind, uint32_t node, uint64_t counter)
{
    struct observation observation = about(kind, node, DEVICE, counter);
    observation.body[0] ^= 1;
    return observe(&observation);
}

#define RIGHT(said)      EXPECT_EQUAL(said, LAW_COUNT)
#define WRONG(law, said) EXPECT_EQUAL(said, LAW_##law)

static enum law device_says(uint32_t kind, uint64_t counter)
{
    return say(kind, DEVICE, DEVICE, counter);
}

static enum law cloud_says(uint32_t kind, uint64_t counter)
{
    return say(kind, CLOUD, DEVICE, counter);
}

static enum law rejected(uint64_t counter, enum refusal refusal)
{
    return say_value(EVIDENCE_REJECT, CLOUD, DEVICE, counter, refusal);
}

static void boot(uint32_t node)
{
    RIGHT(say(TRUTH_UP, node, 0, 0));
    RIGHT(say(EVIDENCE_BOOT, node, node, 1));
}

static void sample(uint64_t counter)
{
    RIGHT(device_says(EVIDENCE_SIGN, counter));
    RIGHT(device_says(EVIDENCE_STORE, counter));
}

static void window_at(uint64_t floor)
{
    RIGHT(cloud_says(EVIDENCE_WINDOW, floor));
    RIGHT(say(EVIDENCE_COMMIT, CLOUD, 0, 0));
}

static void take(uint64_t counter)
{
    RIGHT(cloud_says(EVIDENCE_ACCEPT, counter));
    RIGHT(say(EVIDENCE_COMMIT, CLOUD, 0, 0));
}

static void image_begins(uint32_t node)
{
    RIGHT(say(TRUTH_IMAGE, node, 0, 0));
}

static enum law image_ends(uint32_t node)
{
    return say(TRUTH_IMAGE_END, node, 0, 0);
}

/* A device and a cloud that are up, and a window from the start. */
static void begin_fleet(void)
{
    begin();
    boot(CLOUD);
    boot(GATEWAY);
    boot(DEVICE);
    window_at(0);
}

/* ---- Right traces --------------------------------------------------------------------------- */

static void a_right_trace_with_restarts_heal_and_end_is_accepted(void)
{
    begin_fleet();
    for (uint64_t counter = 1; counter <= 4; counter++) {
        sample(counter);
        RIGHT(device_says(EVIDENCE_SEND, counter));
        RIGHT(say_value(EVIDENCE_CUSTODY, GATEWAY, DEVICE, counter, 1));
        RIGHT(say(EVIDENCE_FORWARD, GATEWAY, DEVICE, counter));
    }
    take(1);
    take(2);
    RIGHT(cloud_says(EVIDENCE_ACCEPT, 3));
    RIGHT(say_value(TRUTH_DOWN, CLOUD, 0, 0, 0)); /* 3 was not committed, as far as was said */
    image_begins(CLOUD);
    RIGHT(cloud_says(TRUTH_READING, 1));
    RIGHT(cloud_says(TRUTH_READING, 2));
    RIGHT(cloud_says(TRUTH_WINDOW, 2));
    RIGHT(image_ends(CLOUD));
    boot(CLOUD);
    RIGHT(cloud_says(EVIDENCE_ACCEPT, 4));
    RIGHT(cloud_says(EVIDENCE_ACCEPT, 3));
    RIGHT(say_value(TRUTH_DOWN, CLOUD, 0, 0, 1)); /* and these were, without a word */
    image_begins(CLOUD);
    for (uint64_t counter = 1; counter <= 4; counter++) {
        RIGHT(cloud_says(TRUTH_READING, counter));
    }
    RIGHT(cloud_says(TRUTH_WINDOW, 4));
    RIGHT(image_ends(CLOUD));
    boot(CLOUD);
    RIGHT(rejected(3, REFUSAL_DUPLICATE));
    RIGHT(say(EVIDENCE_DISCHARGE, GATEWAY, DEVICE, 1));
    RIGHT(say_value(TRUTH_DOWN, GATEWAY, 0, 0, 0));
    image_begins(GATEWAY);
    for (uint64_t counter = 1; counter <= 4; counter++) { /* 1: its deletion was not durable */
        RIGHT(say(TRUTH_QUEUED, GATEWAY, DEVICE, counter));
    }
    RIGHT(image_ends(GATEWAY));
    boot(GATEWAY);
    for (uint64_t counter = 1; counter <= 4; counter++) {
        RIGHT(say(EVIDENCE_FORWARD, GATEWAY, DEVICE, counter));
        struct observation discharge = about(EVIDENCE_DISCHARGE, GATEWAY, DEVICE, counter);
        memset(discharge.body, 0, sizeof discharge.body);
        RIGHT(observe(&discharge));
    }
    RIGHT(device_says(EVIDENCE_RELEASE, 1));
    RIGHT(device_says(EVIDENCE_RELEASE, 2));
    RIGHT(say_value(TRUTH_DOWN, DEVICE, 0, 0, 0));
    now_us += EVERY_US * 50;
    boot(DEVICE);
    RIGHT(device_says(EVIDENCE_RELEASE, 1)); /* came back from flash */
    RIGHT(device_says(EVIDENCE_SIGN, 40));   /* the rest of the reserve is lost */
    now_us += 20;
    RIGHT(device_says(EVIDENCE_SEND, 40)); /* its STORE was cut off: implied */
    RIGHT(device_says(EVIDENCE_RELEASE, 3));
    RIGHT(device_says(EVIDENCE_RELEASE, 4));
    take(40);
    RIGHT(say(TRUTH_HEAL, 0, 0, 0));
    RIGHT(device_says(EVIDENCE_RELEASE, 40));
    sample(41); /* since heal: not expected to arrive */
    image_begins(GATEWAY);
    RIGHT(image_ends(GATEWAY));
    image_begins(CLOUD);
    for (uint64_t counter = 1; counter <= 4; counter++) {
        RIGHT(cloud_says(TRUTH_READING, counter));
    }
    RIGHT(cloud_says(TRUTH_READING, 40));
    RIGHT(cloud_says(TRUTH_WINDOW, 40));
    RIGHT(image_ends(CLOUD));
    RIGHT(say(TRUTH_END, 0, 0, 0));
    for (uint32_t law = 0; law < LAW_CORE_CHECK; law++) { /* the last is the simulator's to judge */
        EXPECT(!of_fleets((enum law)law) || judge_exercised(judge, (enum law)law) > 0);
    }
}

static void the_window_is_exact_at_its_boundaries(void)
{
    begin_fleet();
    const uint64_t top = 100;
    for (uint64_t counter = 1; counter <= top; counter++) {
        RIGHT(device_says(EVIDENCE_SIGN, counter));
    }
    take(top);
    RIGHT(rejected(top - WINDOW, REFUSAL_OLD));
    take(top - WINDOW + 1);
    RIGHT(rejected(top - WINDOW + 1, REFUSAL_DUPLICATE));
    RIGHT(rejected(top, REFUSAL_DUPLICATE));
    WRONG(TELEMETRY_WINDOW, cloud_says(EVIDENCE_ACCEPT, top - WINDOW));

    begin_fleet();
    sample(1);
    sample(1 + WINDOW);
    take(1 + WINDOW);
    WRONG(TELEMETRY_WINDOW, cloud_says(EVIDENCE_ACCEPT, 1));
    begin_fleet();
    sample(1);
    sample(WINDOW);
    take(WINDOW);
    take(1);

    begin_fleet();
    sample(top);
    sample(top + 1);
    window_at(top);
    RIGHT(rejected(top, REFUSAL_DUPLICATE)); /* closed, and still within reach */
    RIGHT(rejected(top - WINDOW, REFUSAL_OLD));
    take(top + 1);
    WRONG(TELEMETRY_WINDOW, cloud_says(EVIDENCE_ACCEPT, top));
}

static void the_window_never_wraps(void)
{
    begin_fleet();
    const uint64_t last = UINT64_MAX;
    sample(last - 1);
    sample(last);
    take(last - 1);
    RIGHT(rejected(last, REFUSAL_OLD));
    WRONG(TELEMETRY_WINDOW, cloud_says(EVIDENCE_ACCEPT, last));
    begin_fleet();
    const uint64_t beyond = UINT64_C(1) << 32;
    sample(beyond - 1);
    sample(beyond);
    sample(beyond + WINDOW);
    take(beyond + WINDOW);
    RIGHT(rejected(beyond, REFUSAL_OLD));
    begin_fleet();
    sample(beyond - 1);
    sample(beyond);
    take(beyond);
    take(beyond - 1);
}

static void a_shed_reading_may_arrive_late_or_be_acked_as_closed(void)
{
    begin_fleet();
    sample(1);
    sample(2);
    sample(3);
    RIGHT(device_says(EVIDENCE_SHED, 1));
    RIGHT(device_says(EVIDENCE_SHED, 2));
    take(1);
    RIGHT(device_says(EVIDENCE_RELEASE, 1)); /* both came back from flash; 2 was closed since */
    RIGHT(device_says(EVIDENCE_RELEASE, 2));
    WRONG(TELEMETRY_DURABLE, device_says(EVIDENCE_RELEASE, 3));
}

static void a_reading_that_left_the_ring_may_arrive_late(void)
{
    begin_fleet();
    sample(1);
    sample(2);
    take(1);
    RIGHT(device_says(EVIDENCE_RELEASE, 1));
    RIGHT(device_says(EVIDENCE_SHED, 2));
    RIGHT(device_says(EVIDENCE_SIGN, 1 + SPAN));
    RIGHT(device_says(EVIDENCE_SIGN, 2 + SPAN));
    take(2);
    RIGHT(say(TRUTH_DOWN, CLOUD, 0, 0));
    image_begins(CLOUD);
    RIGHT(cloud_says(TRUTH_READING, 1));
    RIGHT(cloud_says(TRUTH_READING, 2));
    RIGHT(cloud_says(TRUTH_WINDOW, 2));
    RIGHT(image_ends(CLOUD));
    image_begins(CLOUD);
    RIGHT(cloud_says(TRUTH_READING, 1));
    RIGHT(cloud_says(TRUTH_WINDOW, 2));
    WRONG(TELEMETRY_DURABLE, image_ends(CLOUD));
    begin_fleet();
    sample(1);
    RIGHT(device_says(EVIDENCE_SHED, 1));
    sample(1 + SPAN);
    take(1 + SPAN);
    WRONG(TELEMETRY_WINDOW, cloud_says(EVIDENCE_ACCEPT, 1));
}

static void a_full_disk_takes_back_what_was_said_since_the_commit(void)
{
    begin_fleet();
    sample(1);
    sample(2);
    RIGHT(cloud_says(EVIDENCE_ACCEPT, 2));
    RIGHT(say_value(EVIDENCE_REFUSE, CLOUD, 0, 0, REFUSAL_DISK));
    take(1);
    take(2);
    image_begins(CLOUD);
    RIGHT(cloud_says(TRUTH_READING, 1));
    RIGHT(cloud_says(TRUTH_READING, 2));
    RIGHT(cloud_says(TRUTH_WINDOW, 2));
    RIGHT(image_ends(CLOUD));
}

/* What a process wrote and did not sync is there when it starts again, and gone with the power. */
static void what_was_not_synced_may_be_lost_but_not_acked(void)
{
    for (unsigned acked = 0; acked < 2; acked++) {
        begin_fleet();
        sample(1);
        RIGHT(cloud_says(EVIDENCE_ACCEPT, 1));
        RIGHT(say_value(TRUTH_DOWN, CLOUD, 0, 0, 1));
        image_begins(CLOUD);
        RIGHT(cloud_says(TRUTH_READING, 1));
        RIGHT(cloud_says(TRUTH_WINDOW, 1));
        RIGHT(image_ends(CLOUD));
        boot(CLOUD);
        RIGHT(rejected(1, REFUSAL_DUPLICATE));
        if (acked == 1) {
            RIGHT(device_says(EVIDENCE_RELEASE, 1));
        }
        RIGHT(say_value(TRUTH_DOWN, CLOUD, 0, 0, 0));
        image_begins(CLOUD);
        RIGHT(cloud_says(TRUTH_WINDOW, 0));
        if (acked == 1) {
            WRONG(TELEMETRY_DURABLE, image_ends(CLOUD));
        } else {
            RIGHT(image_ends(CLOUD));
            take(1);
        }
    }
}

/* ---- One bad trace a law, at the least ------------------------------------------------------- */

static void once_rejects_a_second_accept(void)
{
    begin_fleet();
    sample(1);
    take(1);
    WRONG(TELEMETRY_ONCE, cloud_says(EVIDENCE_ACCEPT, 1));
    EXPECT_EQUAL(violation.expected, 1);
    EXPECT_EQUAL(violation.actual, 2);
    RIGHT(cloud_says(EVIDENCE_ACCEPT, 1)); /* a broken law is reported once */

    begin_fleet(); /* within one transaction, too */
    sample(1);
    RIGHT(cloud_says(EVIDENCE_ACCEPT, 1));
    WRONG(TELEMETRY_ONCE, cloud_says(EVIDENCE_ACCEPT, 1));

    begin_fleet(); /* and after a restart that kept it */
    sample(1);
    RIGHT(cloud_says(EVIDENCE_ACCEPT, 1));
    RIGHT(say(TRUTH_DOWN, CLOUD, 0, 0));
    image_begins(CLOUD);
    RIGHT(cloud_says(TRUTH_READING, 1));
    RIGHT(cloud_says(TRUTH_WINDOW, 1));
    RIGHT(image_ends(CLOUD));
    WRONG(TELEMETRY_ONCE, cloud_says(EVIDENCE_ACCEPT, 1));

    begin_fleet(); /* and as two rows */
    sample(1);
    take(1);
    RIGHT(cloud_says(TRUTH_READING, 1));
    WRONG(TELEMETRY_ONCE, cloud_says(TRUTH_READING, 1));
}

static void authentic_rejects_what_the_device_did_not_sign(void)
{
    begin_fleet();
    sample(1);
    WRONG(TELEMETRY_AUTHENTIC, say_forged(EVIDENCE_ACCEPT, CLOUD, 1));
    begin_fleet();
    WRONG(TELEMETRY_AUTHENTIC, cloud_says(EVIDENCE_ACCEPT, 1));
    begin_fleet();
    WRONG(TELEMETRY_AUTHENTIC, say(EVIDENCE_ACCEPT, CLOUD, ROGUE, 1));
    begin_fleet();
    sample(1);
    take(1);
    WRONG(TELEMETRY_AUTHENTIC, say_forged(TRUTH_READING, CLOUD, 1));
    begin_fleet();
    WRONG(TELEMETRY_AUTHENTIC, cloud_says(TRUTH_READING, 1));
}

static void durable_rejects_an_acked_or_committed_reading_that_is_gone(void)
{
    begin_fleet(); /* acked before the commit */
    sample(1);
    RIGHT(cloud_says(EVIDENCE_ACCEPT, 1));
    RIGHT(device_says(EVIDENCE_RELEASE, 1));
    RIGHT(say(TRUTH_DOWN, CLOUD, 0, 0));
    image_begins(CLOUD);
    RIGHT(cloud_says(TRUTH_WINDOW, 0));
    WRONG(TELEMETRY_DURABLE, image_ends(CLOUD));

    begin_fleet(); /* acked after the cut */
    sample(1);
    RIGHT(cloud_says(EVIDENCE_ACCEPT, 1));
    RIGHT(say(TRUTH_DOWN, CLOUD, 0, 0));
    image_begins(CLOUD);
    RIGHT(cloud_says(TRUTH_WINDOW, 0));
    RIGHT(image_ends(CLOUD));
    WRONG(TELEMETRY_DURABLE, device_says(EVIDENCE_RELEASE, 1));

    begin_fleet(); /* committed */
    sample(1);
    take(1);
    RIGHT(say(TRUTH_DOWN, CLOUD, 0, 0));
    image_begins(CLOUD);
    RIGHT(cloud_says(TRUTH_WINDOW, 1));
    WRONG(TELEMETRY_DURABLE, image_ends(CLOUD));

    begin_fleet(); /* never sent */
    sample(1);
    WRONG(TELEMETRY_DURABLE, device_says(EVIDENCE_RELEASE, 1));

    begin_fleet(); /* a row that nobody judged */
    sample(1);
    WRONG(TELEMETRY_DURABLE, cloud_says(TRUTH_READING, 1));
}

static void durable_rejects_a_window_that_falls_back(void)
{
    for (unsigned lost = 0; lost < 2; lost++) {
        begin_fleet();
        sample(1);
        take(1);
        RIGHT(say(TRUTH_DOWN, CLOUD, 0, 0));
        image_begins(CLOUD);
        RIGHT(cloud_says(TRUTH_READING, 1));
        if (lost == 0) {
            RIGHT(cloud_says(TRUTH_WINDOW, 0));
        }
        WRONG(TELEMETRY_DURABLE, image_ends(CLOUD));
    }
}

static void nonce_rejects_a_counter_or_epoch_that_comes_again(void)
{
    begin_fleet();
    sample(5);
    WRONG(TELEMETRY_NONCE, device_says(EVIDENCE_SIGN, 5));
    begin_fleet();
    sample(5);
    RIGHT(say(TRUTH_DOWN, DEVICE, 0, 0));
    boot(DEVICE);
    WRONG(TELEMETRY_NONCE, say_forged(EVIDENCE_SIGN, DEVICE, 4));
    begin_fleet(); /* which of two bodies is the one cannot be told: no second law is broken */
    sample(5);
    WRONG(TELEMETRY_NONCE, say_forged(EVIDENCE_SIGN, DEVICE, 5));
    RIGHT(say_forged(EVIDENCE_ACCEPT, CLOUD, 5));
    begin_fleet();
    RIGHT(say_epoch(EVIDENCE_SIGN, DEVICE, 2, 1));
    WRONG(TELEMETRY_NONCE, say_epoch(EVIDENCE_SIGN, DEVICE, 1, 2));
}

static void window_rejects_what_has_none(void)
{
    begin();
    boot(DEVICE);
    sample(1);
    RIGHT(rejected(1, REFUSAL_NO_WINDOW));
    WRONG(TELEMETRY_WINDOW, cloud_says(EVIDENCE_ACCEPT, 1));
    begin_fleet();
    RIGHT(say_epoch(EVIDENCE_SIGN, DEVICE, 2, 1));
    WRONG(TELEMETRY_WINDOW, say_epoch(EVIDENCE_ACCEPT, CLOUD, 2, 1));
    begin_fleet(); /* lost with the disk: challenge first */
    sample(1);
    judge_void(judge, LAW_TELEMETRY_DURABLE, CLOUD);
    RIGHT(say(TRUTH_DOWN, CLOUD, 0, 0));
    image_begins(CLOUD);
    RIGHT(image_ends(CLOUD));
    WRONG(TELEMETRY_WINDOW, cloud_says(EVIDENCE_ACCEPT, 1));
}

static void window_rejects_a_refusal_that_was_not_deserved(void)
{
    static const enum refusal refusals[] = {REFUSAL_OLD, REFUSAL_DUPLICATE, REFUSAL_EPOCH,
                                            REFUSAL_NO_WINDOW};
    for (unsigned i = 0; i < sizeof refusals / sizeof refusals[0]; i++) {
        begin_fleet();
        sample(1);
        WRONG(TELEMETRY_WINDOW, rejected(1, refusals[i]));
    }
    begin_fleet();
    sample(1);
    sample(1 + WINDOW);
    take(1 + WINDOW);
    WRONG(TELEMETRY_WINDOW, rejected(1, REFUSAL_DUPLICATE));
    begin_fleet();
    sample(2);
    sample(1 + WINDOW);
    take(1 + WINDOW);
    WRONG(TELEMETRY_WINDOW, rejected(2, REFUSAL_OLD));
}

static void window_rejects_a_window_that_opens_again(void)
{
    begin_fleet();
    sample(5);
    take(5);
    RIGHT(cloud_says(EVIDENCE_WINDOW, 5));
    WRONG(TELEMETRY_WINDOW, cloud_says(EVIDENCE_WINDOW, 4));
    begin_fleet();
    RIGHT(say_epoch(EVIDENCE_WINDOW, CLOUD, 2, 0));
    WRONG(TELEMETRY_WINDOW, say_epoch(EVIDENCE_WINDOW, CLOUD, 1, 9));
}

/* OUTBOX readings are stored; the device mounts one less, and stores one more. */
static enum law store_beyond_what_is_mounted(bool flash_may_forget)
{
    begin();
    for (uint64_t counter = 1; counter <= OUTBOX; counter++) {
        RIGHT(device_says(EVIDENCE_SIGN, counter));
        RIGHT(device_says(EVIDENCE_STORE, counter));
    }
    if (flash_may_forget) {
        judge_void(judge, LAW_DEVICE_OUTBOX, DEVICE);
    }
    RIGHT(say_value(TRUTH_OUTBOX, DEVICE, DEVICE, OUTBOX + 1, OUTBOX - 1));
    for (uint64_t counter = 2; counter <= OUTBOX; counter++) {
        RIGHT(device_says(TRUTH_KEPT, counter));
    }
    RIGHT(device_says(EVIDENCE_SIGN, OUTBOX + 1));
    return device_says(EVIDENCE_STORE, OUTBOX + 1);
}

static void what_flash_forgot_is_not_in_the_outbox(void)
{
    RIGHT(store_beyond_what_is_mounted(true));
    RIGHT(device_says(EVIDENCE_SIGN, OUTBOX + 2));
    WRONG(RESOURCES_BOUNDS, device_says(EVIDENCE_STORE, OUTBOX + 2));
    WRONG(RESOURCES_BOUNDS, store_beyond_what_is_mounted(false));
}

static void outbox_rejects_forgetting_without_a_rule(void)
{
    begin_fleet();
    WRONG(DEVICE_OUTBOX, device_says(EVIDENCE_SHED, 1));
    begin_fleet();
    WRONG(DEVICE_OUTBOX, device_says(EVIDENCE_RELEASE, 1));
    begin_fleet(); /* not the oldest */
    sample(1);
    sample(2);
    WRONG(DEVICE_OUTBOX, device_says(EVIDENCE_SHED, 2));
    begin_fleet(); /* formatted with readings in it */
    sample(1);
    WRONG(DEVICE_OUTBOX, say_epoch(EVIDENCE_SIGN, DEVICE, 2, 1));
    begin_fleet(); /* all shed before: right */
    sample(1);
    RIGHT(device_says(EVIDENCE_SHED, 1));
    RIGHT(say_epoch(EVIDENCE_SIGN, DEVICE, 2, 1));
}

static void custody_rejects_a_message_that_is_gone_or_was_never_taken(void)
{
    begin_fleet();
    RIGHT(say_value(EVIDENCE_CUSTODY, GATEWAY, DEVICE, 1, 1));
    RIGHT(say(TRUTH_DOWN, GATEWAY, 0, 0));
    image_begins(GATEWAY);
    WRONG(GATEWAY_CUSTODY, image_ends(GATEWAY));

    begin_fleet(); /* with other bytes */
    RIGHT(say_value(EVIDENCE_CUSTODY, GATEWAY, DEVICE, 1, 1));
    RIGHT(say_forged(TRUTH_QUEUED, GATEWAY, 1));
    WRONG(GATEWAY_CUSTODY, image_ends(GATEWAY));

    begin_fleet(); /* one of two copies */
    RIGHT(say_value(EVIDENCE_CUSTODY, GATEWAY, DEVICE, 1, 1));
    RIGHT(say_value(EVIDENCE_CUSTODY, GATEWAY, DEVICE, 1, 2));
    RIGHT(say(TRUTH_QUEUED, GATEWAY, DEVICE, 1));
    WRONG(GATEWAY_CUSTODY, image_ends(GATEWAY));

    begin_fleet();
    WRONG(GATEWAY_CUSTODY, say(EVIDENCE_FORWARD, GATEWAY, DEVICE, 1));
    begin_fleet();
    RIGHT(say_value(EVIDENCE_CUSTODY, GATEWAY, DEVICE, 1, 1));
    WRONG(GATEWAY_CUSTODY, say_forged(EVIDENCE_FORWARD, GATEWAY, 1));
    begin_fleet();
    RIGHT(say_value(EVIDENCE_CUSTODY, GATEWAY, DEVICE, 1, 1));
    RIGHT(say(EVIDENCE_DISCHARGE, GATEWAY, DEVICE, 1));
    WRONG(GATEWAY_CUSTODY, say(EVIDENCE_DISCHARGE, GATEWAY, DEVICE, 1));
    begin_fleet(); /* a row without a word is in custody, if it outlived a loss of power */
    for (uint64_t process = 1; process < 2; process--) {
        RIGHT(say_value(TRUTH_DOWN, GATEWAY, 0, 0, process));
        RIGHT(say(TRUTH_QUEUED, GATEWAY, DEVICE, 1));
        RIGHT(image_ends(GATEWAY));
        RIGHT(say(EVIDENCE_FORWARD, GATEWAY, DEVICE, 1));
        if (process == 1) {
            RIGHT(image_ends(GATEWAY));
        } else {
            WRONG(GATEWAY_CUSTODY, image_ends(GATEWAY));
        }
    }
}

static void custody_keeps_many_messages_apart(void)
{
    begin_fleet();
    for (uint64_t round = 0; round < 300; round++) {
        for (uint64_t i = 0; i < QUEUE; i++) {
            RIGHT(say_value(EVIDENCE_CUSTODY, GATEWAY, DEVICE, round * QUEUE + i, i + 1));
        }
        for (uint64_t i = QUEUE; i > 0; i--) {
            RIGHT(say(EVIDENCE_FORWARD, GATEWAY, DEVICE, round * QUEUE + i - 1));
            RIGHT(say(EVIDENCE_DISCHARGE, GATEWAY, DEVICE, round * QUEUE + i - 1));
        }
    }
    RIGHT(say(TRUTH_DOWN, GATEWAY, 0, 0));
    for (uint64_t i = 0; i < 200; i++) {
        RIGHT(say(TRUTH_QUEUED, GATEWAY, DEVICE, i % 150));
    }
    RIGHT(image_ends(GATEWAY));
    for (uint64_t i = 100; i < 150; i++) {
        RIGHT(say(TRUTH_QUEUED, GATEWAY, DEVICE, i));
    }
    WRONG(GATEWAY_CUSTODY, image_ends(GATEWAY)); /* and the rest is taken out, wherever it lies */
    for (uint64_t i = 100; i < 150; i++) {
        RIGHT(say(EVIDENCE_DISCHARGE, GATEWAY, DEVICE, i));
    }
}

static void bounds_reject_what_is_too_long(void)
{
    begin_fleet();
    RIGHT(say_value(EVIDENCE_CUSTODY, GATEWAY, DEVICE, 1, QUEUE));
    WRONG(RESOURCES_BOUNDS, say_value(EVIDENCE_CUSTODY, GATEWAY, DEVICE, 2, QUEUE + 1));
    begin_fleet();
    for (uint64_t counter = 1; counter <= OUTBOX; counter++) {
        sample(counter);
    }
    RIGHT(device_says(EVIDENCE_SIGN, OUTBOX + 1));
    WRONG(RESOURCES_BOUNDS, device_says(EVIDENCE_STORE, OUTBOX + 1));
    begin_fleet();
    sample(1);
    WRONG(RESOURCES_BOUNDS, device_says(EVIDENCE_SIGN, 1 + SPAN));
}

/* A sample so long after whatever came before. */
static enum law sampled_after(uint64_t delay_us, uint64_t counter)
{
    now_us += delay_us - EVERY_US;
    return device_says(EVIDENCE_SIGN, counter);
}

static void cadence_rejects_a_sample_that_is_early_or_late(void)
{
    begin_fleet();
    RIGHT(sampled_after(1, 1)); /* the first after a boot may come at once */
    RIGHT(sampled_after(EVERY_US + SLACK_US, 2));
    RIGHT(sampled_after(EVERY_US - SLACK_US, 3));
    WRONG(TIME_CADENCE, sampled_after(EVERY_US - SLACK_US - 1, 4));
    begin_fleet();
    RIGHT(sampled_after(EVERY_US + SLACK_US, 1));
    WRONG(TIME_CADENCE, sampled_after(EVERY_US + SLACK_US + 1, 2));
    begin_fleet();
    WRONG(TIME_CADENCE, sampled_after(EVERY_US + SLACK_US + 1, 1));
    begin_fleet();
    RIGHT(sampled_after(EVERY_US, 1));
    struct observation lost = about(EVIDENCE_LOSE, DEVICE, DEVICE, 1);
    lost.event--; /* of the step that signed it: the same sample */
    RIGHT(observe(&lost));
    WRONG(TIME_CADENCE, device_says(EVIDENCE_LOSE, 2));
}

static void cadence_rejects_a_device_that_fell_silent(void)
{
    for (uint32_t kind = TRUTH_HEAL; kind <= TRUTH_END; kind++) {
        begin_fleet();
        RIGHT(sampled_after(EVERY_US, 1));
        now_us += EVERY_US + SLACK_US;
        RIGHT(say(kind, 0, 0, 0));
        now_us++;
        WRONG(TIME_CADENCE, say(kind, 0, 0, 0));
        begin_fleet();
        RIGHT(say(TRUTH_DOWN, DEVICE, 0, 0));
        now_us += EVERY_US * 9;
        RIGHT(say(kind, 0, 0, 0));
    }
}

static void cadence_excuses_a_stall_and_what_makes_up_for_it(void)
{
    const uint64_t stall_us = EVERY_US * 7 / 2;
    begin_fleet();
    RIGHT(sampled_after(EVERY_US, 1));
    RIGHT(say_value(TRUTH_STALL, DEVICE, 0, 0, stall_us));
    RIGHT(sampled_after(EVERY_US + stall_us, 2));
    RIGHT(sampled_after(EVERY_US / 2, 3)); /* back on the grid */
    RIGHT(sampled_after(EVERY_US, 4));
    WRONG(TIME_CADENCE, sampled_after(EVERY_US + stall_us, 5)); /* once */
    begin_fleet();
    RIGHT(sampled_after(EVERY_US, 1));
    RIGHT(say_value(TRUTH_STALL, DEVICE, 0, 0, EVERY_US / 4));
    RIGHT(sampled_after(EVERY_US * 5 / 4, 2));
    WRONG(TIME_CADENCE, sampled_after(EVERY_US / 2, 3));
}

/* One that samples thrice and then idles for five periods; the other one, four times as seldom. */
static void cadence_knows_each_devices_period_and_its_bursts(void)
{
    static const uint64_t periods_us[NODE_COUNT] = {
        [DEVICE] = EVERY_US, [OTHER_DEVICE] = 4 * EVERY_US};
    static const uint64_t more_us = 3 * EVERY_US / 8; /* of drift, where the wait is longer */
    struct judge_config shaped = config;
    shaped.periods_us = periods_us;
    shaped.burst = 3;
    shaped.idle_us = 5 * EVERY_US;
    for (unsigned wrong = 0; wrong < 5; wrong++) {
        begin_fleet();
        judge_init(memset(judge, 0, judge_size_bytes(&shaped)), &shaped);
        RIGHT(say(EVIDENCE_BOOT, DEVICE, DEVICE, 1));
        RIGHT(sampled_after(EVERY_US, 1));
        RIGHT(sampled_after(EVERY_US, 2));
        if (wrong == 0) { /* idle before the burst is over */
            WRONG(TIME_CADENCE, sampled_after(5 * EVERY_US, 3));
            continue;
        }
        RIGHT(sampled_after(EVERY_US, 3));
        if (wrong == 1) { /* a burst that does not end */
            WRONG(TIME_CADENCE, sampled_after(EVERY_US, 4));
            continue;
        }
        if (wrong == 2) {
            WRONG(TIME_CADENCE, sampled_after(5 * EVERY_US + SLACK_US + 4 * EVERY_US / 8 + 1, 4));
            continue;
        }
        RIGHT(sampled_after(5 * EVERY_US + SLACK_US + 4 * EVERY_US / 8, 4));
        RIGHT(sampled_after(EVERY_US, 5));
        RIGHT(say(EVIDENCE_BOOT, DEVICE, DEVICE, 6)); /* begins its burst anew */
        RIGHT(sampled_after(EVERY_US, 6));
        RIGHT(sampled_after(EVERY_US, 7));
        RIGHT(sampled_after(EVERY_US, 8));
        RIGHT(say(TRUTH_DOWN, DEVICE, 0, 0));
        now_us += EVERY_US;
        RIGHT(say(EVIDENCE_BOOT, OTHER_DEVICE, OTHER_DEVICE, 1));
        now_us += 3 * EVERY_US - EVERY_US;
        RIGHT(say(EVIDENCE_SIGN, OTHER_DEVICE, OTHER_DEVICE, 1));
        now_us += 4 * EVERY_US - EVERY_US + (wrong == 3 ? SLACK_US + more_us + 1 : 0);
        now_us -= wrong == 4 ? SLACK_US + more_us + 1 : 0;
        WRONG(TIME_CADENCE, say(EVIDENCE_SIGN, OTHER_DEVICE, OTHER_DEVICE, 2));
    }
}

/* Three readings at heal, of which two are released after so long; the end is a period behind heal.
 */
static enum law release_two_of_three(uint64_t after_us)
{
    begin_fleet();
    for (uint64_t counter = 1; counter <= 3; counter++) {
        sample(counter);
        take(counter);
    }
    RIGHT(say(TRUTH_HEAL, 0, 0, 0));
    now_us += after_us;
    RIGHT(device_says(EVIDENCE_RELEASE, 1));
    RIGHT(device_says(EVIDENCE_RELEASE, 2));
    now_us += EVERY_US - after_us;
    return say(TRUTH_END, 0, 0, 0);
}

static void who_delivers_to_the_end_is_not_stuck(void)
{
    RIGHT(release_two_of_three(EVERY_US / 5 * 4));
    EXPECT_EQUAL(judge_recovering(judge), 1);
    WRONG(LIVENESS_ACKED, release_two_of_three(EVERY_US / 10 * 7));
    EXPECT_EQUAL(judge_recovering(judge), 0);
}

/* A device that has no way to the cloud is asked for nothing, and is not at it either; whoever has
 * one is asked all the same. */
static void liveness_asks_nothing_of_who_was_not_healed(void)
{
    begin_fleet();
    sample(1);
    take(1);
    RIGHT(say(TRUTH_HEAL, 0, 0, 0));
    RIGHT(say(TRUTH_LEFT, DEVICE, 0, 0));
    RIGHT(say(TRUTH_END, 0, 0, 0));
    EXPECT_EQUAL(judge_recovering(judge), 0);
    EXPECT_EQUAL(judge_exercised(judge, LAW_LIVENESS_ACKED), 0);
    EXPECT(!judge_is_void(judge, LAW_LIVENESS_ACKED));
    begin_fleet();
    sample(1);
    take(1);
    RIGHT(say(TRUTH_HEAL, 0, 0, 0));
    RIGHT(say(TRUTH_LEFT, GATEWAY, 0, 0));
    WRONG(LIVENESS_ACKED, say(TRUTH_END, 0, 0, 0));
}

static void liveness_rejects_a_reading_that_does_not_arrive(void)
{
    begin_fleet();
    sample(1);
    sample(2);
    RIGHT(device_says(EVIDENCE_SHED, 1));
    RIGHT(say(TRUTH_HEAL, 0, 0, 0));
    WRONG(LIVENESS_DELIVERED, say(TRUTH_END, 0, 0, 0));
    begin_fleet();
    sample(1);
    take(1);
    RIGHT(say(TRUTH_HEAL, 0, 0, 0));
    WRONG(LIVENESS_ACKED, say(TRUTH_END, 0, 0, 0));
    begin_fleet(); /* what was signed since heal, or never stored, need not */
    RIGHT(device_says(EVIDENCE_SIGN, 1));
    RIGHT(say(TRUTH_HEAL, 0, 0, 0));
    sample(2);
    RIGHT(say(TRUTH_END, 0, 0, 0));
    begin_fleet(); /* a run without a liveness phase promises nothing */
    sample(1);
    RIGHT(say(TRUTH_END, 0, 0, 0));
}

/* ---- Void laws, hostile observations, cost ----------------------------------------------------
 */

static void a_void_law_is_silent_where_the_fault_is(void)
{
    begin_fleet();
    EXPECT(!judge_is_void(judge, LAW_TELEMETRY_NONCE));
    judge_void(judge, LAW_TELEMETRY_NONCE, OTHER_DEVICE);
    EXPECT(judge_is_void(judge, LAW_TELEMETRY_NONCE));
    EXPECT(!judge_is_void(judge, LAW_TELEMETRY_ONCE));
    RIGHT(say(EVIDENCE_SIGN, OTHER_DEVICE, OTHER_DEVICE, 2));
    RIGHT(say(EVIDENCE_SIGN, OTHER_DEVICE, OTHER_DEVICE, 2));
    boot(DEVICE);
    sample(2);
    WRONG(TELEMETRY_NONCE, device_says(EVIDENCE_SIGN, 2));

    /* A number that comes again is that of a reading all the same, if it had been passed over. */
    begin_fleet();
    judge_void(judge, LAW_TELEMETRY_NONCE, DEVICE);
    sample(9);
    sample(5);
    RIGHT(device_says(EVIDENCE_SEND, 5));
    take(5);
    RIGHT(device_says(EVIDENCE_RELEASE, 5));
    WRONG(TELEMETRY_AUTHENTIC, cloud_says(EVIDENCE_ACCEPT, 6)); /* and that one never was */

    begin_fleet();
    judge_void(judge, LAW_GATEWAY_CUSTODY, ROGUE + NODE_COUNT);
    RIGHT(say(EVIDENCE_FORWARD, GATEWAY, DEVICE, 1));
    begin_fleet();
    judge_void(judge, LAW_GATEWAY_CUSTODY, GATEWAY);
    RIGHT(say(EVIDENCE_FORWARD, GATEWAY, DEVICE, 1));
    EXPECT(judge_exercised(judge, LAW_GATEWAY_CUSTODY) > 0);
}

/* A device whose flash has failed may never say what it runs; what it says is judged all the same.
 */
static void what_the_cloud_knows_in_the_end_is_a_matter_of_liveness(void)
{
    struct judge_config managed = config;
    managed.trials = 3;
    managed.image_bytes = 4096;
    managed.sector_bytes = 4096;
    for (unsigned is_void = 0; is_void < 2; is_void++) {
        free(judge);
        judge = calloc(1, judge_size_bytes(&managed));
        EXPECT(judge != NULL);
        judge_init(judge, &managed);
        RIGHT(say_value(TRUTH_RELEASE, 0, 0, 1, 1));
        if (is_void) {
            judge_void(judge, LAW_LIVENESS_ACKED, DEVICE);
        }
        if (is_void) {
            RIGHT(say_value(TRUTH_KNOWN, DEVICE, DEVICE, 2, 1));
            WRONG(UPDATE_TRUTHFUL, say_value(TRUTH_KNOWN, OTHER_DEVICE, OTHER_DEVICE, 2, 1));
        } else {
            WRONG(UPDATE_TRUTHFUL, say_value(TRUTH_KNOWN, DEVICE, DEVICE, 2, 1));
        }
    }
}

static void what_is_void_at_the_cloud_is_void_for_all(void)
{
    begin_fleet();
    sample(1);
    take(1);
    RIGHT(device_says(EVIDENCE_RELEASE, 1));
    judge_void(judge, LAW_TELEMETRY_DURABLE, CLOUD);
    judge_void(judge, LAW_TELEMETRY_ONCE, CLOUD);
    RIGHT(say(TRUTH_DOWN, CLOUD, 0, 0));
    image_begins(CLOUD);
    RIGHT(image_ends(CLOUD)); /* the disk was lost */
    boot(CLOUD);
    RIGHT(rejected(1, REFUSAL_NO_WINDOW));
    window_at(0);
    take(1);
    take(1);
    RIGHT(device_says(EVIDENCE_RELEASE, 1));
    WRONG(TELEMETRY_NONCE, device_says(EVIDENCE_SIGN, 1)); /* nothing voids the rest */
}

static void any_observation_is_survived_and_a_law_is_reported_once(void)
{
    uint64_t state = 1;
    uint64_t broken = 0;
    begin_fleet();
    for (uint32_t i = 0; i < 300000; i++) {
        state = state * UINT64_C(6364136223846793005) + 1;
        const uint64_t draw = state >> 20;
        struct observation observation =
            about((uint32_t)(draw % (TRUTH_COUNT + 2)), (uint32_t)(draw >> 8) % (NODE_COUNT + 2),
                  (uint32_t)(draw >> 12) % (NODE_COUNT + 2), draw >> 16 & 15);
        observation.epoch = (uint32_t)(draw >> 24) & 1;
        observation.counter *= (draw >> 25 & 31) == 0 ? UINT64_MAX / 15 : 1;
        observation.value = draw >> 30 & 15;
        observation.time_us -= observation.time_us > EVERY_US ? draw & 0xFFFF : 0;
        const enum law law = observe(&observation);
        if (law != LAW_COUNT) {
            EXPECT_EQUAL(broken >> law & 1u, 0);
            EXPECT(violation.what != NULL);
            broken |= UINT64_C(1) << law;
        }
    }
    EXPECT(broken != 0);
}

/* What the simulator judges itself is reported as all else: once, and not where it is void. */
static void what_the_simulator_finds_is_a_violation_like_any_other(void)
{
    const struct judge_finding finding = {"a unit was programmed twice", 1, 2};
    begin_fleet();
    const struct observation here = about(TRUTH_DOWN, DEVICE, DEVICE, 0);
    judge_exercise(judge, LAW_FLASH_DISCIPLINE, 5);
    EXPECT(judge_found(judge, LAW_FLASH_DISCIPLINE, &here, &finding, &violation));
    EXPECT_EQUAL(violation.law, LAW_FLASH_DISCIPLINE);
    EXPECT_EQUAL(violation.observation.node, DEVICE);
    EXPECT_EQUAL(violation.expected, 1);
    EXPECT_EQUAL(violation.actual, 2);
    EXPECT(!judge_found(judge, LAW_FLASH_DISCIPLINE, &here, &finding, &violation));
    EXPECT_EQUAL(judge_exercised(judge, LAW_FLASH_DISCIPLINE), 7);
    judge_void(judge, LAW_FLASH_WEAR, DEVICE);
    EXPECT(!judge_found(judge, LAW_FLASH_WEAR, &here, &finding, &violation));
    const struct observation there = about(TRUTH_DOWN, GATEWAY, 0, 0);
    EXPECT(judge_found(judge, LAW_FLASH_WEAR, &there, &finding, &violation));
}

static void laws_have_names_and_statements(void)
{
    for (uint32_t law = 0; law < LAW_COUNT; law++) {
        EXPECT(strchr(law_name((enum law)law), '.') != NULL);
        EXPECT(strlen(law_statement((enum law)law)) > 0);
    }
    EXPECT_EQUAL(strcmp(law_name(LAW_TELEMETRY_ONCE), "telemetry.once"), 0);
    EXPECT_EQUAL(strcmp(law_name(LAW_COUNT), "?"), 0);
}

static void print_cost(void)
{
    enum { ROUNDS = 200000, KINDS = 9 };
    begin_fleet();
    struct timespec start, end;
    clock_gettime(CLOCK_MONOTONIC, &start);
    for (uint64_t counter = 1; counter <= ROUNDS; counter++) {
        sample(counter);
        RIGHT(device_says(EVIDENCE_SEND, counter));
        RIGHT(say_value(EVIDENCE_CUSTODY, GATEWAY, DEVICE, counter, 1));
        RIGHT(say(EVIDENCE_FORWARD, GATEWAY, DEVICE, counter));
        take(counter);
        RIGHT(say(EVIDENCE_DISCHARGE, GATEWAY, DEVICE, counter));
        RIGHT(device_says(EVIDENCE_RELEASE, counter));
    }
    clock_gettime(CLOCK_MONOTONIC, &end);
    const int64_t took_ns =
        (int64_t)(end.tv_sec - start.tv_sec) * 1000000000 + (end.tv_nsec - start.tv_nsec);
    struct judge_config less = config;
    less.node_count--; /* one device less */
    printf("%" PRId64 " ns an observation, %zu bytes a device, %zu in all\n",
           took_ns / ((int64_t)ROUNDS * KINDS), judge_size_bytes(&config) - judge_size_bytes(&less),
           judge_size_bytes(&config));
}

int main(void)
{
    RUN(a_right_trace_with_restarts_heal_and_end_is_accepted);
    RUN(the_window_is_exact_at_its_boundaries);
    RUN(the_window_never_wraps);
    RUN(a_shed_reading_may_arrive_late_or_be_acked_as_closed);
    RUN(a_reading_that_left_the_ring_may_arrive_late);
    RUN(a_full_disk_takes_back_what_was_said_since_the_commit);
    RUN(what_was_not_synced_may_be_lost_but_not_acked);
    RUN(once_rejects_a_second_accept);
    RUN(authentic_rejects_what_the_device_did_not_sign);
    RUN(durable_rejects_an_acked_or_committed_reading_that_is_gone);
    RUN(durable_rejects_a_window_that_falls_back);
    RUN(nonce_rejects_a_counter_or_epoch_that_comes_again);
    RUN(window_rejects_what_has_none);
    RUN(window_rejects_a_refusal_that_was_not_deserved);
    RUN(window_rejects_a_window_that_opens_again);
    RUN(outbox_rejects_forgetting_without_a_rule);
    RUN(what_flash_forgot_is_not_in_the_outbox);
    RUN(custody_rejects_a_message_that_is_gone_or_was_never_taken);
    RUN(custody_keeps_many_messages_apart);
    RUN(bounds_reject_what_is_too_long);
    RUN(cadence_rejects_a_sample_that_is_early_or_late);
    RUN(cadence_rejects_a_device_that_fell_silent);
    RUN(cadence_excuses_a_stall_and_what_makes_up_for_it);
    RUN(cadence_knows_each_devices_period_and_its_bursts);
    RUN(liveness_rejects_a_reading_that_does_not_arrive);
    RUN(liveness_asks_nothing_of_who_was_not_healed);
    RUN(who_delivers_to_the_end_is_not_stuck);
    RUN(a_void_law_is_silent_where_the_fault_is);
    RUN(what_the_cloud_knows_in_the_end_is_a_matter_of_liveness);
    RUN(what_is_void_at_the_cloud_is_void_for_all);
    RUN(any_observation_is_survived_and_a_law_is_reported_once);
    RUN(what_the_simulator_finds_is_a_violation_like_any_other);
    RUN(laws_have_names_and_statements);
    print_cost();
    free(judge);
    return 0;
}
