/* Goal: a device samples, sends, connects and lets go at exactly the time and by the rule that its
 * header says, whatever broker and cloud do.
 * Method: one device in a world of its own (device_world.h), driven in virtual time; the broker is
 * core's own session, the cloud is the test. */
#include <string.h>

#include "core/check.h"
#include "core/test/device_world.h"

_Noreturn void check_failed(const char *file, int line, const char *what)
{
    fprintf(stderr, "%s:%d: CHECK failed: %s\n", file, line, what);
    exit(1);
}

static void a_boot_says_its_epoch_its_next_counter_and_the_reason(void)
{
    begin();
    EXPECT_EQUAL(world.said_count, 1);
    EXPECT_EQUAL(world.said[0].kind, EVIDENCE_BOOT);
    EXPECT_EQUAL(world.said[0].epoch, 1);
    EXPECT_EQUAL(world.said[0].counter, 1);
    EXPECT_EQUAL(world.said[0].value, RESET_POWER_ON);
    world_run(&world, 60 * SECOND);
    world_boot(&world, RESET_SOFTWARE);
    const struct said *boot = said_last(&world, EVIDENCE_BOOT);
    EXPECT_EQUAL(boot->epoch, 1);
    EXPECT_EQUAL(boot->counter, said_last(&world, EVIDENCE_RESERVE)->counter);
    EXPECT_EQUAL(boot->value, RESET_SOFTWARE);
}

static void a_reading_reaches_the_broker_signed_at_its_exact_time(void)
{
    begin();
    run_samples(3);
    EXPECT_EQUAL(world.taken_count, 3);
    for (uint32_t i = 0; i < 3; i++) {
        EXPECT_EQUAL(world.taken[i].time_us, first_sample_us() + i * 10 * SECOND);
        EXPECT_EQUAL(world.taken[i].type, MESSAGE_TELEMETRY);
        EXPECT_EQUAL(world.taken[i].epoch, 1);
        EXPECT_EQUAL(world.taken[i].counter, i + 1);
    }
    /* BOOT, then in this order for the first reading. */
    const enum evidence_kind order[] = {EVIDENCE_BOOT, EVIDENCE_RESERVE, EVIDENCE_SIGN,
                                        EVIDENCE_STORE, EVIDENCE_SEND};
    for (uint32_t i = 0; i < 5; i++) {
        EXPECT_EQUAL(world.said[i].kind, order[i]);
    }
    EXPECT_EQUAL(world.said[1].counter, 1 + world.config.reserve);
    EXPECT_EQUAL(world.said[2].value, world.wall_us);
    EXPECT_EQUAL(world.said[4].value, GATEWAY_A);
    for (uint32_t i = 2; i < 5; i++) {
        EXPECT_EQUAL(world.said[i].body, world.taken[0].body);
        EXPECT_EQUAL(world.said[i].counter, 1);
    }
    EXPECT_EQUAL(view().outbox_count, 3); /* custody is not an ack */
    EXPECT_EQUAL(view().oldest, 1);
}

static void the_first_connection_comes_after_a_drawn_part_of_the_backoff_base(void)
{
    begin();
    EXPECT(!view().connected);
    EXPECT_EQUAL(world.device.connect_at_us, drawn(1, 1 * SECOND));
    world_run(&world, drawn(1, 1 * SECOND) - 1);
    EXPECT_EQUAL(world.connections, 0);
    world_run(&world, drawn(1, 1 * SECOND));
    EXPECT_EQUAL(world.connections, 1);
    EXPECT(view().connected);
    EXPECT_EQUAL(said_count(&world, EVIDENCE_BACKOFF, 0), 0);
}

static void the_wall_clock_moves_no_decision(void)
{
    begin();
    run_samples(1);
    world.wall_us = 0;
    run_samples(1);
    world.wall_us = UINT64_C(1) << 60;
    run_samples(1);
    EXPECT_EQUAL(world.taken_count, 3);
    EXPECT_EQUAL(world.taken[2].time_us, first_sample_us() + 20 * SECOND);
}

static void missed_periods_are_not_made_up_for(void)
{
    begin();
    run_samples(1);
    world.now_us += 35 * SECOND; /* the node was hung */
    run_samples(1);
    EXPECT_EQUAL(world.taken_count, 2);
    EXPECT_EQUAL(world.device.sample_at_us, first_sample_us() + 40 * SECOND);
}

static void nothing_is_sent_twice_on_a_live_connection(void)
{
    begin();
    run_samples(3);
    for (uint32_t i = 0; i < 50; i++) {
        world_step(&world, &(struct event){.kind = EVENT_TIMEOUT});
        world_step(&world, &(struct event){.kind = EVENT_LINK_WRITABLE, .link = world.link});
        world_run(&world, world.now_us);
    }
    EXPECT_EQUAL(world.taken_count, 3);
    EXPECT_EQUAL(said_count(&world, EVIDENCE_SEND, 0), 3);
    EXPECT_EQUAL(said_count(&world, EVIDENCE_SIGN, 0), 3);
}

static void a_reconnect_sends_the_same_bytes_again_in_order(void)
{
    begin();
    run_samples(3);
    world_break_link(&world);
    EXPECT(!view().connected);
    const struct said *backoff = said_last(&world, EVIDENCE_BACKOFF);
    EXPECT_EQUAL(backoff->time_us, world.now_us);
    EXPECT_EQUAL(backoff->counter, 1);
    EXPECT_EQUAL(backoff->value, drawn(2, 1 * SECOND + 1));
    world_run(&world, world.now_us + backoff->value);
    EXPECT_EQUAL(world.taken_count, 6);
    for (uint32_t i = 0; i < 3; i++) {
        EXPECT_EQUAL(world.taken[3 + i].connection, 2);
        EXPECT_EQUAL(world.taken[3 + i].counter, i + 1);
        EXPECT_EQUAL(world.taken[3 + i].body, world.taken[i].body);
        EXPECT_EQUAL(world.taken[3 + i].time_us, backoff->time_us + backoff->value);
    }
}

static void a_reboot_sends_the_same_bytes_again_and_skips_the_reserve(void)
{
    begin();
    run_samples(2);
    world_boot(&world, RESET_POWER_ON);
    EXPECT_EQUAL(view().outbox_count, 2);
    run_samples(1);
    EXPECT_EQUAL(world.taken_count, 5);
    EXPECT_EQUAL(world.taken[2].body, world.taken[0].body);
    EXPECT_EQUAL(world.taken[3].body, world.taken[1].body);
    EXPECT_EQUAL(world.taken[4].counter, 1 + world.config.reserve);
}

static void only_counters_within_the_window_of_the_oldest_are_sent(void)
{
    begin();
    run_samples(1);
    for (uint32_t i = 0; i < 3; i++) { /* each boot skips to the next reserve: 1, 5, 9, 13 */
        world_boot(&world, RESET_POWER_ON);
        run_samples(1);
    }
    EXPECT_EQUAL(view().outbox_count, 4);
    const uint32_t before = world.taken_count;
    world_break_link(&world);
    world_run(&world, world.now_us + 2 * SECOND);
    EXPECT_EQUAL(world.taken_count - before, 2); /* 1 and 5; 9 = 1 + window waits */
    EXPECT_EQUAL(world.taken[before + 1].counter, 5);
    ack(1, 0);
    EXPECT_EQUAL(world.taken_count - before, 3); /* 9 < 5 + 8; 13 = 5 + 8 waits */
    ack(5, 0);
    EXPECT_EQUAL(world.taken_count - before, 4);
    EXPECT_EQUAL(world.taken[before + 3].counter, 13);
}

/* Readings that were kept while there was no broker. */
static void begin_with_backlog(uint32_t count)
{
    begin();
    world.config.outbox_max = OUTBOX_MAX;
    world.config.window = WINDOW_BITS_MAX;
    world.config.backoff_cap_us = 1 * SECOND;
    world.refuses_links = true;
    world_boot(&world, RESET_POWER_ON);
    run_samples(count);
    EXPECT_EQUAL(view().outbox_count, count);
    world.refuses_links = false;
}

static void no_more_are_in_flight_than_the_broker_acknowledges(void)
{
    begin_with_backlog(MQTT_INFLIGHT_MAX + 3);
    world.withholds_custody = true;
    world_run(&world, world.device.connect_at_us + world.booted_us);
    EXPECT_EQUAL(world.taken_count, MQTT_INFLIGHT_MAX);
    EXPECT_EQUAL(said_count(&world, EVIDENCE_SEND, 0), MQTT_INFLIGHT_MAX);
    mqtt_session_puback(&world.session, &world.broker_port, 1, MQTT_SUCCESS);
    world_run(&world, world.now_us);
    EXPECT_EQUAL(world.taken_count, MQTT_INFLIGHT_MAX + 1);
    EXPECT_EQUAL(world.taken[MQTT_INFLIGHT_MAX].counter, MQTT_INFLIGHT_MAX + 1);
}

static void a_backlog_waits_for_a_link_that_takes_little_at_a_time(void)
{
    const uint32_t count = OUTBOX_MAX < 30 ? OUTBOX_MAX : 30; /* more than a client holds back */
    begin_with_backlog(count);
    world.link_room = 11;
    world_run(&world, world.device.connect_at_us + world.booted_us);
    EXPECT(world.taken_count >= count);
    EXPECT_EQUAL(world.taken_count, view().outbox_count);
    EXPECT_EQUAL(said_count(&world, EVIDENCE_SEND, 0), world.taken_count);
    for (uint32_t i = 0; i < world.taken_count; i++) {
        EXPECT_EQUAL(world.taken[i].counter, i + 1);
    }
}

static void an_ack_releases_what_it_covers_and_nothing_else(void)
{
    begin();
    run_samples(4);
    ack(1, 0x2); /* 1, and 3 = floor + 1 + bit 1 */
    EXPECT_EQUAL(view().outbox_count, 2);
    EXPECT_EQUAL(view().oldest, 2);
    EXPECT_EQUAL(said_count(&world, EVIDENCE_RELEASE, 1), 1);
    EXPECT_EQUAL(said_count(&world, EVIDENCE_RELEASE, 3), 1);
    EXPECT_EQUAL(said_count(&world, EVIDENCE_RELEASE, 0), 2);
    ack(1, 0x2); /* the same once more */
    EXPECT_EQUAL(said_count(&world, EVIDENCE_RELEASE, 0), 2);
    ack(0, 0x000F);
    EXPECT_EQUAL(view().outbox_count, 0);
    EXPECT_EQUAL(view().oldest, view().counter_next);
    EXPECT_EQUAL(said_count(&world, EVIDENCE_RELEASE, 0), 4);
    EXPECT_EQUAL(view().counts.released, 4);
    EXPECT_EQUAL(said_count(&world, EVIDENCE_DROP, 0), 0);
    world_break_link(&world);
    world_run(&world, world.now_us + 2 * SECOND);
    EXPECT_EQUAL(world.taken_count, 4); /* what is released is not sent again */
}

static void what_is_not_from_the_cloud_for_this_device_and_epoch_is_dropped(void)
{
    begin();
    run_samples(2);
    const struct {
        struct envelope envelope;
        enum refusal refusal;
    } wrong[] = {
        {ack_of(DEVICE + 1, 1, 2, 0), REFUSAL_MISMATCH},
        {ack_of(DEVICE, 2, 2, 0), REFUSAL_EPOCH},
        {ack_of(DEVICE, 0, 2, 0), REFUSAL_EPOCH},
    };
    for (uint32_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        world_downlink(&world, &wrong[i].envelope);
        EXPECT_EQUAL(said_count(&world, EVIDENCE_DROP, 0), i + 1);
        EXPECT_EQUAL(said_last(&world, EVIDENCE_DROP)->value, wrong[i].refusal);
    }
    struct envelope forged = ack_of(DEVICE, 1, 2, 0);
    forged.bytes[forged.size_bytes - 1] ^= 1;
    world_downlink(&world, &forged);
    EXPECT_EQUAL(said_last(&world, EVIDENCE_DROP)->value, REFUSAL_SIGNATURE);
    struct envelope cut = ack_of(DEVICE, 1, 2, 0);
    cut.size_bytes--;
    world_downlink(&world, &cut);
    EXPECT_EQUAL(said_last(&world, EVIDENCE_DROP)->value, REFUSAL_MALFORMED);
    const struct key_pair cloud = world.cloud_keys;
    world.cloud_keys = world.config.keys; /* well-formed, named and signed by someone else */
    const struct envelope foreign = ack_of(DEVICE, 1, 2, 0);
    world.cloud_keys = cloud;
    world_downlink(&world, &foreign);
    EXPECT_EQUAL(said_last(&world, EVIDENCE_DROP)->value, REFUSAL_SIGNATURE);
    const struct ack ack_all = {.device = DEVICE, .epoch = 1, .floor = 2};
    struct envelope stranger;
    EXPECT_EQUAL(message_ack(&world.broker_port, &world.cloud_keys, CLOUD + 1, &ack_all, &stranger),
                 ERR_OK);
    world_downlink(&world, &stranger);
    EXPECT_EQUAL(said_last(&world, EVIDENCE_DROP)->value, REFUSAL_UNKNOWN);
    EXPECT_EQUAL(
        mqtt_session_publish(&world.session, &world.broker_port, "d/8", cut.bytes, cut.size_bytes),
        ERR_OK);
    world_run(&world, world.now_us);
    EXPECT_EQUAL(said_last(&world, EVIDENCE_DROP)->value, REFUSAL_MISMATCH);
    EXPECT_EQUAL(view().outbox_count, 2);
    EXPECT_EQUAL(said_count(&world, EVIDENCE_RELEASE, 0), 0);
    EXPECT_EQUAL(view().counts.dropped, 8);
    EXPECT(view().connected);
    ack(2, 0); /* and it still listens */
    EXPECT_EQUAL(view().outbox_count, 0);
}

static void a_peer_that_forges_again_and_again_is_left_for_the_next_gateway(void)
{
    begin();
    run_samples(1);
    struct envelope forged = ack_of(DEVICE, 1, 1, 0);
    forged.bytes[forged.size_bytes - 1] ^= 1;
    uint32_t count = 0;
    while (view().connected) {
        EXPECT(count++ < 20);
        world_downlink(&world, &forged);
    }
    EXPECT_EQUAL(count, 8);
    world_run(&world, world.now_us + 2 * SECOND);
    EXPECT_EQUAL(world.peer, GATEWAY_B);
}

/* As outbox.h has it: after a restart few records come back beside those that are held. */
static void a_full_flash_keeps_the_newest_in_the_lowest_free_slot(void)
{
    begin();
    world.config.outbox_max = OUTBOX_MAX;
    world.port.flash.sector_count = 4;
    world_boot(&world, RESET_POWER_ON);
    world.refuses_links = true;
    for (uint32_t samples = 1; view().counts.shed < 40; samples++) {
        EXPECT(samples <= 40 + OUTBOX_MAX);
        run_samples(1);
        const struct outbox *outbox = &world.device.outbox;
        bool taken[OUTBOX_MAX] = {false};
        for (uint32_t i = 0; i < outbox->count; i++) {
            taken[outbox->entries[i].slot] = true;
        }
        for (uint32_t slot = 0; slot < outbox->entries[outbox->count - 1].slot; slot++) {
            EXPECT(taken[slot]);
        }
    }
    EXPECT(view().outbox_count < OUTBOX_MAX || OUTBOX_MAX < 100); /* with tiny limits all fit */
}

static void a_full_outbox_sheds_its_oldest_and_says_so(void)
{
    begin();
    world.config.outbox_max = 3;
    world_boot(&world, RESET_POWER_ON);
    world.refuses_links = true;
    run_samples(5);
    EXPECT_EQUAL(view().outbox_count, 3);
    EXPECT_EQUAL(view().oldest, 3);
    EXPECT_EQUAL(said_count(&world, EVIDENCE_SHED, 0), 2);
    EXPECT_EQUAL(said_count(&world, EVIDENCE_SHED, 1), 1);
    EXPECT_EQUAL(said_count(&world, EVIDENCE_SHED, 2), 1);
    EXPECT_EQUAL(view().counts.shed, 2);
    EXPECT_EQUAL(view().counts.lost, 0);
}

static void a_full_outbox_still_sends_what_is_new(void)
{
    begin();
    world.config.outbox_max = 3;
    world_boot(&world, RESET_POWER_ON);
    run_samples(8);
    EXPECT_EQUAL(said_count(&world, EVIDENCE_SHED, 0), 5);
    EXPECT_EQUAL(world.taken_count, 8);
    EXPECT_EQUAL(world.taken[7].counter, 8);
}

static void a_span_that_grows_too_wide_sheds_the_oldest(void)
{
    begin();
    world.refuses_links = true;
    run_samples(1);
    world.sensor_fails = true; /* counters are drawn, and no reading is kept under them */
    run_samples(COUNTER_SPAN_MAX);
    EXPECT_EQUAL(view().counter_next, COUNTER_SPAN_MAX + 2);
    EXPECT_EQUAL(view().oldest, 1);
    EXPECT_EQUAL(view().counts.shed, 0);
    world.sensor_fails = false;
    run_samples(1);
    EXPECT_EQUAL(said_count(&world, EVIDENCE_SHED, 1), 1);
    EXPECT_EQUAL(view().outbox_count, 1);
    EXPECT_EQUAL(view().oldest, COUNTER_SPAN_MAX + 2);
}

static void a_refused_reading_waits_for_the_next_gateway(void)
{
    begin();
    world.custody_reason = MQTT_QUOTA_EXCEEDED;
    run_samples(1);
    EXPECT_EQUAL(world.taken_count, 1);
    EXPECT(!view().connected);
    const struct said *backoff = said_last(&world, EVIDENCE_BACKOFF);
    EXPECT_EQUAL(backoff->time_us, first_sample_us());
    world.custody_reason = MQTT_SUCCESS;
    world_run(&world, world.now_us + backoff->value);
    EXPECT_EQUAL(world.peer, GATEWAY_B);
    EXPECT_EQUAL(world.taken_count, 2);
    EXPECT_EQUAL(world.taken[1].body, world.taken[0].body);
}

/* Who left at the refusal would never hear that the one before it was accepted. */
static void a_refused_reading_waits_for_the_acks_of_those_before(void)
{
    begin();
    run_samples(1);
    world.custody_reason = MQTT_QUOTA_EXCEEDED;
    run_samples(2);
    EXPECT(view().connected);
    EXPECT_EQUAL(world.taken_count, 2); /* the third is not sent behind the refused one */
    ack(1, 0);
    EXPECT(!view().connected);
    EXPECT_EQUAL(view().oldest, 2);
    world.custody_reason = MQTT_SUCCESS;
    run_samples(1);
    EXPECT_EQUAL(world.peer, GATEWAY_B);
    EXPECT_EQUAL(world.taken_count, 5);
    EXPECT_EQUAL(world.taken[2].counter, 2);
}

/* Nor may a gateway that takes one, refuses the next and never acks keep the device. */
static void a_refusal_without_acks_ends_with_the_ack_timeout(void)
{
    begin();
    run_samples(1);
    const uint64_t due_us = world.now_us + world.config.ack_timeout_us;
    world.custody_reason = MQTT_QUOTA_EXCEEDED;
    world_run(&world, due_us - 1);
    EXPECT(view().connected);
    world_run(&world, due_us);
    EXPECT(!view().connected);
}

static void an_ack_that_does_not_come_in_time_moves_to_the_next_gateway(void)
{
    begin();
    const uint64_t due_us = first_sample_us() + world.config.ack_timeout_us;
    world_run(&world, due_us - 1);
    EXPECT(view().connected);
    EXPECT_EQUAL(world.peer, GATEWAY_A);
    world_run(&world, due_us);
    EXPECT(!view().connected);
    const struct said *backoff = said_last(&world, EVIDENCE_BACKOFF);
    EXPECT_EQUAL(backoff->time_us, due_us);
    world_run(&world, due_us + backoff->value);
    EXPECT_EQUAL(world.peer, GATEWAY_B);
    EXPECT(view().connected);
}

static void shedding_does_not_hide_a_gateway_that_swallows_everything(void)
{
    begin();
    world.config.outbox_max = 2; /* no reading grows as old as the timeout */
    world_boot(&world, RESET_POWER_ON);
    world_run(&world, first_sample_us() + world.config.ack_timeout_us + 60 * SECOND);
    EXPECT_EQUAL(world.peer, GATEWAY_B);
}

static void an_ack_of_the_oldest_starts_the_wait_for_the_next(void)
{
    begin();
    run_samples(3);
    ack(0, 0x4); /* 3: the oldest is awaited as before */
    EXPECT_EQUAL(world.device.connection.await_us, first_sample_us());
    ack(1, 0);
    EXPECT_EQUAL(world.device.connection.await_us, first_sample_us() + 10 * SECOND);
    ack(3, 0);
    EXPECT_EQUAL(world.device.connection.await_us, UINT64_MAX);
}

static void failed_attempts_wait_longer_and_walk_through_the_gateways(void)
{
    begin();
    world.refuses_links = true;
    world_run(&world, 3600 * SECOND);
    uint64_t attempts = 0, at_us = 0;
    for (uint32_t i = 0; i < world.said_count; i++) {
        if (world.said[i].kind != EVIDENCE_BACKOFF) {
            continue;
        }
        const uint64_t doubled_us = attempts < 6 ? SECOND << attempts : 60 * SECOND;
        EXPECT(attempts == 0 || world.said[i].time_us == at_us);
        EXPECT_EQUAL(world.said[i].value, drawn(2 + attempts, doubled_us + 1));
        at_us = world.said[i].time_us + world.said[i].value;
        attempts++;
    }
    EXPECT(attempts > 60 && attempts < 200); /* an hour in steps of half a minute */
    const uint32_t last = world.peer;
    world_run(&world, at_us);
    EXPECT(world.peer != last);
}

static void only_a_connection_that_proved_useful_starts_the_backoff_anew(void)
{
    begin();
    run_samples(1);
    for (uint32_t i = 0; i < 4; i++) {
        world_break_link(&world);
        EXPECT_EQUAL(world.device.backoff.attempt, i + 1);
        world_run(&world, world.now_us + said_last(&world, EVIDENCE_BACKOFF)->value);
    }
    ack(1, 0);
    world_break_link(&world);
    EXPECT_EQUAL(world.device.backoff.attempt, 1);
    world_run(&world, world.now_us + said_last(&world, EVIDENCE_BACKOFF)->value);
    world_break_link(&world);
    EXPECT_EQUAL(world.device.backoff.attempt, 2);
    world_run(&world, world.now_us + said_last(&world, EVIDENCE_BACKOFF)->value + 30 * SECOND);
    world_break_link(&world);
    EXPECT_EQUAL(world.device.backoff.attempt, 1);
}

static void a_gateway_that_takes_readings_and_closes_before_their_ack_is_left(void)
{
    begin();
    run_samples(1);
    world_run(&world, first_sample_us() + 9 * SECOND);
    world_break_link(&world);
    EXPECT_EQUAL(world.device.gateway_index, 1); /* nothing came of it */
    world_run(&world, world.now_us + said_last(&world, EVIDENCE_BACKOFF)->value);
    const uint64_t ready_us = world.now_us;
    world.config.ack_timeout_us = 60 * SECOND;
    world.device.config.ack_timeout_us = 60 * SECOND;
    world_run(&world, ready_us + 31 * SECOND); /* long enough for the backoff to start anew */
    world_break_link(&world);
    EXPECT_EQUAL(world.device.backoff.attempt, 1);
    EXPECT_EQUAL(world.device.gateway_index, 0);
    world_run(&world, world.now_us + said_last(&world, EVIDENCE_BACKOFF)->value);
    ack(view().counter_next - 1, 0);
    world_break_link(&world);
    EXPECT_EQUAL(world.device.gateway_index, 0); /* this one brought an ack */
}

static void a_gateway_that_replays_challenges_in_turn_is_left(void)
{
    begin();
    run_samples(2);
    for (uint8_t i = 0; i < 3; i++) {
        const struct envelope challenge = challenge_of(i % 2);
        EXPECT_EQUAL(world.peer, i < 2 ? GATEWAY_A : GATEWAY_B);
        world_downlink(&world, &challenge);
        EXPECT(!view().connected);
        world_run(&world, world.now_us + said_last(&world, EVIDENCE_BACKOFF)->value);
    }
    EXPECT_EQUAL(world.peer, GATEWAY_A); /* the same for B */
}

static void a_challenge_is_answered_once_a_connection_and_all_is_sent_again(void)
{
    begin();
    run_samples(2);
    const struct envelope challenge = challenge_of(1);
    world_downlink(&world, &challenge);
    EXPECT_EQUAL(world.taken_count, 3);
    EXPECT_EQUAL(world.taken[2].type, MESSAGE_RESPONSE);
    EXPECT_EQUAL(world.taken[2].counter, 0); /* floor: below the oldest */
    EXPECT_EQUAL(world.taken[2].epoch, 1);
    EXPECT_EQUAL(world.taken[2].nonce[0], 1);
    EXPECT(!view().connected);
    EXPECT(said_last(&world, EVIDENCE_BACKOFF)->value <= world.config.backoff_base_us);
    world_run(&world, world.now_us + world.config.backoff_base_us);
    EXPECT_EQUAL(world.peer, GATEWAY_A);
    EXPECT_EQUAL(world.taken_count, 5);
    EXPECT_EQUAL(world.taken[3].body, world.taken[0].body);
    EXPECT_EQUAL(world.taken[4].body, world.taken[1].body);
    /* Replayed: answered (the response might have been lost), but it ends no connection, and the
     * next one is not even verified. */
    world_downlink(&world, &challenge);
    EXPECT_EQUAL(world.taken_count, 6);
    EXPECT(view().connected);
    for (uint32_t i = 0; i < 5; i++) {
        const struct envelope more = challenge_of((uint8_t)i);
        world_downlink(&world, &more);
        EXPECT_EQUAL(said_last(&world, EVIDENCE_DROP)->value, REFUSAL_NONCE);
    }
    EXPECT_EQUAL(world.taken_count, 6);
    EXPECT_EQUAL(said_count(&world, EVIDENCE_DROP, 0), 5);
}

static void a_challenge_with_nothing_unacked_closes_all_that_was_used(void)
{
    begin();
    run_samples(3);
    ack(3, 0);
    const struct envelope challenge = challenge_of(1);
    world_downlink(&world, &challenge);
    EXPECT_EQUAL(world.taken[3].type, MESSAGE_RESPONSE);
    EXPECT_EQUAL(world.taken[3].counter, 3);
    EXPECT(view().connected); /* nothing to send again */
}

static void a_response_that_a_link_holds_back_is_not_cut_off(void)
{
    begin();
    run_samples(1);
    world.link_room = 11;
    const struct envelope challenge = challenge_of(1);
    world_downlink(&world, &challenge);
    EXPECT_EQUAL(world.taken_count, 2);
    EXPECT_EQUAL(world.taken[1].type, MESSAGE_RESPONSE);
    EXPECT(view().connected); /* the ack timeout will see to the rest */
}

static void a_forged_challenge_is_not_answered(void)
{
    begin();
    run_samples(1);
    struct envelope challenge = challenge_of(1);
    challenge.bytes[challenge.size_bytes - 5] ^= 4;
    world_downlink(&world, &challenge);
    EXPECT_EQUAL(world.taken_count, 1);
    EXPECT_EQUAL(said_last(&world, EVIDENCE_DROP)->value, REFUSAL_SIGNATURE);
}

static void a_device_without_entropy_samples_and_connects_late(void)
{
    world_init(&world);
    world.entropy_fails = true;
    world.refuses_links = true;
    world_boot(&world, RESET_POWER_ON);
    EXPECT(world.device.sample_at_us < world.config.sample_every_us);
    run_samples(3);
    EXPECT_EQUAL(said_count(&world, EVIDENCE_STORE, 0), 3);
    EXPECT_EQUAL(said_last(&world, EVIDENCE_BACKOFF)->value, world.config.backoff_cap_us);
}

static void an_idle_device_keeps_its_watchdog_quiet(void)
{
    world_init(&world);
    world.config.sample_every_us = 86400 * SECOND;
    world.config.watchdog_us = 5 * SECOND;
    world.config.keep_alive_s = 0xFFFF;
    world_boot(&world, RESET_POWER_ON);
    world_run(&world, 1000 * SECOND); /* world_run expects that it never bites */
    EXPECT(world.watchdog_us > world.now_us);
    EXPECT(world.steps < 600);
}

static void a_link_that_takes_little_at_a_time_delivers_the_same(void)
{
    begin();
    world.link_room = 11;
    world.piece_bytes = 3;
    run_samples(4);
    EXPECT_EQUAL(world.taken_count, 4);
    EXPECT_EQUAL(said_count(&world, EVIDENCE_SEND, 0), 4);
    ack(4, 0);
    EXPECT_EQUAL(view().outbox_count, 0);
}

static void links_that_others_open_or_that_are_dead_do_nothing(void)
{
    begin();
    run_samples(1);
    const uint8_t junk[3] = {1, 2, 3};
    const enum event_kind kinds[] = {EVENT_LINK_UP, EVENT_LINK_DATA, EVENT_LINK_WRITABLE,
                                     EVENT_LINK_DOWN};
    for (uint32_t i = 0; i < 4; i++) {
        world_step(&world, &(struct event){.kind = kinds[i],
                                           .inbound = true,
                                           .link = 999,
                                           .bytes = junk,
                                           .size_bytes = sizeof junk});
    }
    EXPECT(view().connected);
    EXPECT_EQUAL(world.taken_count, 1);
    EXPECT_EQUAL(said_count(&world, EVIDENCE_DROP, 0), 0);
}

static void a_sensor_that_fails_loses_one_reading_and_no_more(void)
{
    begin();
    world.sensor_fails = true;
    run_samples(2);
    EXPECT_EQUAL(said_count(&world, EVIDENCE_LOSE, 0), 2);
    world.sensor_fails = false;
    run_samples(1);
    EXPECT_EQUAL(world.taken_count, 1);
    EXPECT_EQUAL(world.resets, 0);
}

int main(void)
{
    RUN(a_boot_says_its_epoch_its_next_counter_and_the_reason);
    RUN(a_reading_reaches_the_broker_signed_at_its_exact_time);
    RUN(the_first_connection_comes_after_a_drawn_part_of_the_backoff_base);
    RUN(the_wall_clock_moves_no_decision);
    RUN(missed_periods_are_not_made_up_for);
    RUN(nothing_is_sent_twice_on_a_live_connection);
    RUN(a_reconnect_sends_the_same_bytes_again_in_order);
    RUN(a_reboot_sends_the_same_bytes_again_and_skips_the_reserve);
    RUN(only_counters_within_the_window_of_the_oldest_are_sent);
    RUN(no_more_are_in_flight_than_the_broker_acknowledges);
    RUN(a_backlog_waits_for_a_link_that_takes_little_at_a_time);
    RUN(an_ack_releases_what_it_covers_and_nothing_else);
    RUN(what_is_not_from_the_cloud_for_this_device_and_epoch_is_dropped);
    RUN(a_peer_that_forges_again_and_again_is_left_for_the_next_gateway);
    RUN(a_full_flash_keeps_the_newest_in_the_lowest_free_slot);
    RUN(a_full_outbox_sheds_its_oldest_and_says_so);
    RUN(a_full_outbox_still_sends_what_is_new);
    RUN(a_span_that_grows_too_wide_sheds_the_oldest);
    RUN(a_refused_reading_waits_for_the_next_gateway);
    RUN(a_refused_reading_waits_for_the_acks_of_those_before);
    RUN(a_refusal_without_acks_ends_with_the_ack_timeout);
    RUN(an_ack_that_does_not_come_in_time_moves_to_the_next_gateway);
    RUN(shedding_does_not_hide_a_gateway_that_swallows_everything);
    RUN(an_ack_of_the_oldest_starts_the_wait_for_the_next);
    RUN(failed_attempts_wait_longer_and_walk_through_the_gateways);
    RUN(only_a_connection_that_proved_useful_starts_the_backoff_anew);
    RUN(a_gateway_that_takes_readings_and_closes_before_their_ack_is_left);
    RUN(a_gateway_that_replays_challenges_in_turn_is_left);
    RUN(a_challenge_is_answered_once_a_connection_and_all_is_sent_again);
    RUN(a_challenge_with_nothing_unacked_closes_all_that_was_used);
    RUN(a_response_that_a_link_holds_back_is_not_cut_off);
    RUN(a_forged_challenge_is_not_answered);
    RUN(a_device_without_entropy_samples_and_connects_late);
    RUN(an_idle_device_keeps_its_watchdog_quiet);
    RUN(a_link_that_takes_little_at_a_time_delivers_the_same);
    RUN(links_that_others_open_or_that_are_dead_do_nothing);
    RUN(a_sensor_that_fails_loses_one_reading_and_no_more);
    return 0;
}
