/* Goal: the judge blames no right fleet, whatever power does, and names the right law for a bug.
 * Method: a whole fleet in miniature (device with flash, gateway with a durable queue, cloud with a
 * durable table; each can be cut at any point of a step) says what the real ones say, under many
 * seeds. Then one bug at a time is planted: silent without cuts, and found with them.
 */
#include <string.h>

#include "core/test/test.h"
#include "models/model.h"

enum { NOBODY, CLOUD, GATEWAY, DEVICE, NODE_COUNT };
enum { WINDOW = 16, OUTBOX = 12, QUEUE = 20, RESERVE = 5, READINGS = 2000, EVERY_US = 1000 };

/* Those of firmware are tested in test_update_law.c, those of specs in test_judge_*.c, those
 * of flash in sim. */
static bool of_fleets(enum law law)
{
    return law != LAW_SPEC_TELEMETRY && law != LAW_SPEC_SESSION &&
           (law < LAW_UPDATE_AUTHENTIC || law > LAW_FLASH_WEAR);
}

static const enum model_role roles[NODE_COUNT] = {MODEL_OTHER, MODEL_CLOUD, MODEL_GATEWAY,
                                                  MODEL_DEVICE};
static const struct judge_config config = {
    .node_count = NODE_COUNT,
    .roles = roles,
    .cloud_window = WINDOW,
    .outbox_max = OUTBOX,
    .queue_max = QUEUE,
    .sample_every_us = EVERY_US,
    .sample_slack_us = 0,
};

enum bug {
    BUG_NONE,
    BUG_NO_RESERVE,     /* counters go back after a cut */
    BUG_EARLY_ACK,      /* the cloud acks before it commits */
    BUG_EARLY_CUSTODY,  /* the gateway says custody before it commits */
    BUG_VOLATILE_SEEN,  /* the cloud's window is in RAM only, and opened anew after a cut */
    BUG_VOLATILE_STORE, /* the device's flash forgets what it stored */
    BUG_COUNT
};

/* Whichever comes first: a device that lost stored readings sheds the wrong one, or stores more
 * than it could hold, or never delivers. */
#define BIT(ID) (UINT32_C(1) << LAW_##ID)
static const uint32_t caught_by[BUG_COUNT] = {
    0,
    BIT(TELEMETRY_NONCE),
    BIT(TELEMETRY_DURABLE),
    BIT(GATEWAY_CUSTODY),
    BIT(TELEMETRY_WINDOW),
    BIT(DEVICE_OUTBOX) | BIT(RESOURCES_BOUNDS) | BIT(LIVENESS_DELIVERED) | BIT(LIVENESS_ACKED),
};

/* What a cut leaves and what it takes: two of each. */
struct table {
    uint8_t rows[READINGS]; /* copies of each reading */
    bool windowed;
    uint32_t top, floor;
};

static struct fleet {
    struct judge *judge;
    enum bug bug;
    bool cuts;
    enum law broken; /* the first law that was; LAW_COUNT: none */
    uint64_t state, now_us, event;
    uint32_t counter, reserved; /* the next one; all below may be used */
    uint8_t flash[READINGS];    /* in the device's flash */
    uint8_t outbox[READINGS];   /* of those, what the device has not forgotten */
    struct table queue, queue_durable;
    struct table cloud, cloud_durable;
} fleet;

static uint32_t draw(uint32_t bound)
{
    fleet.state = fleet.state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)(fleet.state >> 33) % bound;
}

static bool cut(void)
{
    return fleet.cuts && draw(12) == 0;
}

static void say_value(uint32_t kind, uint32_t node, uint32_t counter, uint64_t value)
{
    const struct observation observation = {
        .time_us = fleet.now_us,
        .event = fleet.event++,
        .kind = kind,
        .node = node,
        .device = DEVICE,
        .epoch = 1,
        .counter = counter,
        .value = value,
        .body = {kind == EVIDENCE_DISCHARGE ? 0 : counter}, /* it comes without a body */
    };
    struct violation violation;
    if (!judge_observe(fleet.judge, &observation, &violation) && fleet.broken == LAW_COUNT) {
        fleet.broken = violation.law;
    }
}

static void say(uint32_t kind, uint32_t node, uint32_t counter)
{
    say_value(kind, node, counter, 0);
}

static uint32_t oldest(void)
{
    uint32_t counter = 1;
    while (counter < fleet.counter && fleet.outbox[counter] == 0) {
        counter++;
    }
    return counter;
}

static uint32_t length_of(const uint8_t *list)
{
    uint32_t length = 0;
    for (uint32_t counter = 0; counter < READINGS; counter++) {
        length += list[counter];
    }
    return length;
}

static void cut_device(void)
{
    say(TRUTH_DOWN, DEVICE, 0);
    if (fleet.bug != BUG_NO_RESERVE) {
        fleet.counter = fleet.reserved;
    } else if (fleet.counter > 1) {
        fleet.counter--;
    }
    for (uint32_t counter = 0; counter < READINGS; counter++) {
        fleet.outbox[counter] = fleet.bug == BUG_VOLATILE_STORE ? 0 : fleet.flash[counter];
    }
    say(EVIDENCE_BOOT, DEVICE, fleet.counter);
    while (length_of(fleet.outbox) > OUTBOX) {
        say(EVIDENCE_SHED, DEVICE, oldest());
        fleet.outbox[oldest()] = 0;
    }
}

static void image_of_cloud(void)
{
    say(TRUTH_IMAGE, CLOUD, 0);
    for (uint32_t counter = 0; counter < READINGS; counter++) {
        if (fleet.cloud_durable.rows[counter] != 0) {
            say(TRUTH_READING, CLOUD, counter);
        }
    }
    if (fleet.cloud_durable.windowed) {
        say(TRUTH_WINDOW, CLOUD, fleet.cloud_durable.top);
    }
    say(TRUTH_IMAGE_END, CLOUD, 0);
}

static void cut_cloud(void)
{
    say(TRUTH_DOWN, CLOUD, 0);
    image_of_cloud();
    fleet.cloud = fleet.cloud_durable;
    if (fleet.bug == BUG_VOLATILE_SEEN) {
        fleet.cloud.windowed = false;
    }
    say(EVIDENCE_BOOT, CLOUD, 0);
}

static void image_of_gateway(void)
{
    say(TRUTH_IMAGE, GATEWAY, 0);
    for (uint32_t counter = 0; counter < READINGS; counter++) {
        for (uint32_t copy = 0; copy < fleet.queue_durable.rows[counter]; copy++) {
            say(TRUTH_QUEUED, GATEWAY, counter);
        }
    }
    say(TRUTH_IMAGE_END, GATEWAY, 0);
}

static void cut_gateway(void)
{
    say(TRUTH_DOWN, GATEWAY, 0);
    image_of_gateway();
    fleet.queue = fleet.queue_durable;
    say(EVIDENCE_BOOT, GATEWAY, 0);
}

static void device_samples(void)
{
    fleet.now_us += EVERY_US;
    if (length_of(fleet.outbox) == OUTBOX) {
        const uint32_t shed = oldest();
        say(EVIDENCE_SHED, DEVICE, shed);
        fleet.outbox[shed] = 0;
        fleet.flash[shed] = draw(2) == 0 ? 0 : fleet.flash[shed]; /* forgetting is not durable */
    }
    if (fleet.counter == fleet.reserved) {
        fleet.reserved += RESERVE;
    }
    const uint32_t counter = fleet.counter++;
    say(EVIDENCE_SIGN, DEVICE, counter);
    if (cut()) {
        cut_device();
        return;
    }
    fleet.flash[counter] = 1;
    fleet.outbox[counter] = 1;
    if (cut()) {
        cut_device();
        return;
    }
    say(EVIDENCE_STORE, DEVICE, counter);
}

static void device_sends(void)
{
    const uint32_t counter = oldest() + draw(WINDOW);
    if (counter >= fleet.counter || fleet.outbox[counter] == 0 ||
        length_of(fleet.queue.rows) == QUEUE) {
        return;
    }
    say(EVIDENCE_SEND, DEVICE, counter);
    fleet.queue.rows[counter]++;
    if (fleet.bug == BUG_EARLY_CUSTODY) {
        say_value(EVIDENCE_CUSTODY, GATEWAY, counter, length_of(fleet.queue.rows));
    }
    if (cut()) {
        cut_gateway();
        return;
    }
    fleet.queue_durable = fleet.queue;
    if (cut()) {
        cut_gateway();
        return;
    }
    if (fleet.bug != BUG_EARLY_CUSTODY) {
        say_value(EVIDENCE_CUSTODY, GATEWAY, counter, length_of(fleet.queue.rows));
    }
}

/* The cloud's signed ack reaches the device: all that it covers is released. */
static void device_is_acked(void)
{
    for (uint32_t counter = oldest(); counter < fleet.counter; counter++) {
        const struct table *cloud = &fleet.cloud;
        if (fleet.outbox[counter] != 0 && (cloud->rows[counter] != 0 || counter <= cloud->floor ||
                                           counter + WINDOW <= cloud->top)) {
            say(EVIDENCE_RELEASE, DEVICE, counter);
            fleet.outbox[counter] = 0;
            fleet.flash[counter] = draw(2) == 0 ? 0 : fleet.flash[counter];
        }
    }
}

/* True: committed. */
static bool commit(void)
{
    if (fleet.bug == BUG_EARLY_ACK) {
        device_is_acked();
    }
    if (cut()) {
        cut_cloud();
        return false;
    }
    fleet.cloud_durable = fleet.cloud;
    if (cut()) {
        cut_cloud();
        return false;
    }
    say(EVIDENCE_COMMIT, CLOUD, 0);
    return true;
}

static bool cloud_judges(uint32_t counter)
{
    struct table *cloud = &fleet.cloud;
    if (!cloud->windowed) {
        say_value(EVIDENCE_REJECT, CLOUD, counter, REFUSAL_NO_WINDOW);
        cloud->windowed = true;
        cloud->floor = fleet.bug == BUG_VOLATILE_SEEN ? 0 : oldest() - 1;
        cloud->top = cloud->floor;
        say(EVIDENCE_WINDOW, CLOUD, cloud->floor);
        return commit();
    }
    if (cloud->top >= counter && cloud->top - counter >= WINDOW) {
        say_value(EVIDENCE_REJECT, CLOUD, counter, REFUSAL_OLD);
    } else if (counter <= cloud->floor || cloud->rows[counter] != 0) {
        say_value(EVIDENCE_REJECT, CLOUD, counter, REFUSAL_DUPLICATE);
    } else {
        say_value(EVIDENCE_ACCEPT, CLOUD, counter, GATEWAY);
        cloud->rows[counter] = 1;
        cloud->top = counter > cloud->top ? counter : cloud->top;
        return commit();
    }
    return true;
}

static void gateway_forwards(void)
{
    uint32_t counter = 0;
    const uint32_t first = draw(fleet.counter);
    for (uint32_t i = 0; i < fleet.counter && counter == 0; i++) {
        const uint32_t at = (first + i) % fleet.counter;
        counter = fleet.queue.rows[at] != 0 ? at : 0;
    }
    if (counter == 0) {
        return;
    }
    say(EVIDENCE_FORWARD, GATEWAY, counter);
    if (!cloud_judges(counter)) {
        return;
    }
    if (draw(4) != 0) {
        device_is_acked();
    }
    say(EVIDENCE_DISCHARGE, GATEWAY, counter);
    fleet.queue.rows[counter]--;
    if (!cut()) {
        fleet.queue_durable = fleet.queue;
    } else {
        cut_gateway(); /* the deletion was not durable */
    }
}

static enum law live(uint64_t seed, enum bug bug, bool cuts)
{
    memset(&fleet, 0, sizeof fleet);
    fleet.judge = calloc(1, judge_size_bytes(&config));
    EXPECT(fleet.judge != NULL);
    judge_init(fleet.judge, &config);
    fleet.bug = bug;
    fleet.cuts = cuts;
    fleet.broken = LAW_COUNT;
    fleet.state = seed;
    fleet.counter = 1;
    fleet.reserved = 1;
    say(EVIDENCE_BOOT, GATEWAY, 0);
    say(EVIDENCE_BOOT, CLOUD, 0);
    say(EVIDENCE_BOOT, DEVICE, 1);
    for (uint32_t i = 0; i < 900; i++) {
        if (draw(3) == 0) {
            device_samples();
        }
        device_sends();
        if (draw(200) > 120 || i % 300 > 200) { /* at times the cloud is far */
            gateway_forwards();
        }
    }
    fleet.cuts = false;
    say(TRUTH_HEAL, 0, 0);
    for (uint32_t i = 0; i < 3000 && length_of(fleet.outbox) > 0; i++) {
        device_sends();
        gateway_forwards();
    }
    image_of_gateway();
    image_of_cloud();
    say(TRUTH_END, 0, 0);
    if (bug == BUG_NONE && cuts) {
        for (uint32_t law = 0; law < LAW_CORE_CHECK; law++) {
            EXPECT(!of_fleets((enum law)law) || judge_exercised(fleet.judge, (enum law)law) > 0);
        }
    }
    free(fleet.judge);
    return fleet.broken;
}

enum { SEEDS = 60 };

static void a_right_fleet_is_never_blamed(void)
{
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        EXPECT_EQUAL(live(seed, BUG_NONE, false), LAW_COUNT);
        EXPECT_EQUAL(live(seed, BUG_NONE, true), LAW_COUNT);
    }
}

static void each_bug_is_silent_without_cuts_and_named_with_them(void)
{
    for (unsigned bug = BUG_NONE + 1; bug < BUG_COUNT; bug++) {
        uint32_t found = 0;
        for (uint64_t seed = 1; seed <= SEEDS; seed++) {
            EXPECT_EQUAL(live(seed, (enum bug)bug, false), LAW_COUNT);
            const enum law law = live(seed, (enum bug)bug, true);
            EXPECT(law == LAW_COUNT || (caught_by[bug] >> law & 1u) != 0);
            found += law != LAW_COUNT;
        }
        EXPECT(found > SEEDS / 2);
    }
}

int main(void)
{
    RUN(a_right_fleet_is_never_blamed);
    RUN(each_bug_is_silent_without_cuts_and_named_with_them);
    return 0;
}
