/* Goal: a device replaces its own firmware over the wire, the cloud learns truthfully what runs and
 * why, and neither a cut nor a message that is lost, spoilt, forged or repeated makes either of
 * them wrong.
 * Method: a real device that boots through the real boot loader, two real gateways and a real cloud
 * over links that the test meddles with; real signatures. */
#include "core/device.h"

#include <string.h>

#include "core/check.h"
#include "core/test/test.h"
#include "core/test/wire_world.h"

#define MINUTE    (60 * SECOND)
#define BIT(type) (1u << (type))

_Noreturn void check_failed(const char *file, int line, const char *what)
{
    fprintf(stderr, "%s:%d: CHECK failed: %s\n", file, line, what);
    abort();
}

static struct release factory, second, third;

/* A world whose cloud will offer `second` at once. */
static struct wire_world *begin(void)
{
    struct wire_world *world = wire_new(&factory);
    rig_release(&world->rig, &second, 2, 2, RIG_AREA_BYTES - 100);
    second.manifest.expires_us = MANIFEST_NEVER;
    rig_sign(&world->rig, &second);
    rig_release(&world->rig, &third, 3, 2, RIG_AREA_BYTES - 300);
    third.manifest.expires_us = MANIFEST_NEVER;
    rig_sign(&world->rig, &third);
    return world;
}

static void a_release_reaches_the_device_and_is_confirmed_by_a_round_trip(void)
{
    struct wire_world *world = begin();
    wire_offer(world, &second, 0);
    wire_boot(world);
    wire_run_to(world, 2, 5 * MINUTE);
    EXPECT(rig_holds(&world->rig, SLOT_B, &second));
    EXPECT_EQUAL(world->boots, 2);
    EXPECT_EQUAL(world->jumps[BOOT_TRIAL], 1);
    EXPECT_EQUAL(wire_known(world).outcome, BOOT_CONFIRMED);
    EXPECT_EQUAL(wire_known(world).floor.level, 2);
    EXPECT_EQUAL(world->counts_down[MESSAGE_OFFER], 1);
    const uint32_t chunks = (second.manifest.size_bytes - 1) / CHUNK_BYTES_MAX + 1;
    EXPECT_EQUAL(world->counts_down[MESSAGE_CHUNK], chunks);
    /* One at each connect (the first is left to answer the challenge), one for each chunk, and that
     * the trial is confirmed. */
    EXPECT_EQUAL(world->counts_up[MESSAGE_STATUS], 3 + chunks + 1);
    wire_run(world, world->now_us + 10 * MINUTE); /* and then it is quiet */
    EXPECT_EQUAL(world->counts_up[MESSAGE_STATUS], 3 + chunks + 1);
    EXPECT(wire_cloud(world).accepted >= 20);
    wire_free(world);
}

/* The device's power goes before each of its writes in turn, from its first boot until it is up to
 * date; and once more soon after it came back. */
static void a_cut_anywhere_ends_on_the_new_image_and_the_cloud_knows(void)
{
    uint32_t cut_at = 1;
    for (bool cut = true; cut; cut_at++) {
        struct wire_world *world = begin();
        wire_offer(world, &second, 0);
        rig_power(&world->rig, cut_at);
        wire_boot(world);
        wire_run_to(world, 2, 15 * MINUTE);
        cut = world->rig.cut_at == 0; /* it struck */
        EXPECT(rig_holds(&world->rig, SLOT_B, &second));
        EXPECT_EQUAL(wire_known(world).revert_count, 0);
        wire_free(world);
    }
    EXPECT(cut_at > 40);
}

/* An image whose statuses nobody answers is not healthy: its trials run out, the old image comes
 * back and says why. */
static void a_revert_is_learnt_with_its_reason(void)
{
    struct wire_world *world = begin();
    wire_offer(world, &second, 0);
    world->lost_down = BIT(MESSAGE_ANSWER); /* until there is a trial, none is needed */
    wire_boot(world);
    while (world->jumps[BOOT_TRIAL] == 0) {
        wire_run(world, world->now_us + SECOND);
        EXPECT(world->now_us < 5 * MINUTE);
    }
    world->lost_down |= BIT(MESSAGE_OFFER); /* nor is it tempted again */
    const uint64_t trial_us = world->now_us;
    while (world->jumps[BOOT_CONFIRMED] == 1) {
        wire_run(world, world->now_us + SECOND);
        EXPECT(world->now_us < 15 * MINUTE);
    }
    EXPECT_EQUAL(world->jumps[BOOT_TRIAL], RIG_TRIALS);
    EXPECT(world->now_us - trial_us >=
           RIG_TRIALS * world->device_config.firmware.trial_us - SECOND);
    wire_run_to(world, 1, world->now_us + 5 * MINUTE);
    EXPECT_EQUAL(wire_known(world).revert_sequence.number, 2);
    EXPECT_EQUAL(wire_known(world).revert_reason, IMAGE_FAULT_TRIALS);
    EXPECT_EQUAL(wire_known(world).revert_count, 1);
    wire_restart_cloud(world);
    EXPECT_EQUAL(wire_known(world).revert_reason, IMAGE_FAULT_TRIALS); /* durably */
    /* Offered once more, it is not fetched again, and healthy this time. */
    const uint32_t chunks = world->counts_down[MESSAGE_CHUNK];
    world->lost_down = 0;
    wire_run_to(world, 2, world->now_us + 15 * MINUTE);
    EXPECT_EQUAL(world->counts_down[MESSAGE_CHUNK], chunks);
    wire_free(world);
}

/* As often as the cloud's limit says, and no more. */
static void what_was_reverted_too_often_is_not_offered_again(void)
{
    struct wire_world *world = begin();
    wire_offer(world, &second, 0);
    world->cloud_config.firmware.reverts_max = 1;
    world->lost_down = BIT(MESSAGE_ANSWER);
    wire_boot(world);
    while (world->jumps[BOOT_CONFIRMED] == 1) {
        wire_run(world, world->now_us + SECOND);
        EXPECT(world->now_us < 15 * MINUTE);
    }
    const uint32_t offers = world->counts_down[MESSAGE_OFFER];
    world->lost_down = 0;
    wire_run(world, world->now_us + 3 * 60 * MINUTE);
    EXPECT_EQUAL(world->counts_down[MESSAGE_OFFER], offers);
    EXPECT_EQUAL(wire_device(world).firmware.sequence.number, 1);
    EXPECT(wire_is_true(world));
    wire_free(world);
}

/* A gateway that swallows what an update needs is left for another one. */
static void a_gateway_that_swallows_statuses_or_answers_is_left(void)
{
    for (uint32_t swallows = 0; swallows < 4; swallows++) {
        struct wire_world *world = begin();
        wire_offer(world, &second, 0);
        world->lost_through = WIRE_GATEWAY;
        world->lost_up = swallows == 0 ? BIT(MESSAGE_STATUS) : 0;
        world->lost_down = swallows == 0 ? 0 : BIT(MESSAGE_STATUS + swallows);
        wire_boot(world);
        wire_run_to(world, 2, 10 * MINUTE);
        EXPECT_EQUAL(wire_known(world).revert_count, 0);
        wire_free(world);
    }
}

/* Spoilt on the way, no message is believed: the device drops it, and goes elsewhere. */
static void what_is_spoilt_is_dropped(void)
{
    for (uint32_t type = MESSAGE_OFFER; type <= MESSAGE_ANSWER; type++) {
        struct wire_world *world = begin();
        wire_offer(world, &second, 0);
        world->spoiled_down = BIT(type);
        wire_boot(world);
        wire_run(world, 3 * MINUTE);
        EXPECT(world->counts_down[type] > 0);
        EXPECT(wire_device(world).firmware.outcome != BOOT_CONFIRMED ||
               wire_device(world).firmware.sequence.number == (type == MESSAGE_ANSWER ? 2 : 1));
        EXPECT(type == MESSAGE_ANSWER || wire_device(world).counts.dropped > 0);
        world->spoiled_down = 0;
        wire_run_to(world, 2, world->now_us + 10 * MINUTE);
        EXPECT(rig_holds(&world->rig, SLOT_B, &second));
        wire_free(world);
    }
}

/* Whatever the device was ever sent comes again, in another order: after the update, and in the
 * middle of it. */
static void what_comes_again_changes_nothing(void)
{
    static struct wire_caught all[WIRE_CAUGHT_MAX];
    struct wire_world *world = begin();
    wire_offer(world, &second, 0);
    world->chunks_max = 3;
    wire_boot(world);
    while (world->counts_down[MESSAGE_CHUNK] <= world->chunks_max) {
        wire_run(world, world->now_us + SECOND / 4);
    }
    const struct update_counts halfway = wire_device(world).firmware.update_counts;
    EXPECT_EQUAL(halfway.chunks, 3);
    EXPECT(world->device.firmware.await_us != UINT64_MAX);   /* it waits for a chunk */
    for (uint32_t i = world->caught_count - 1; i > 0; i--) { /* all but the one that was lost */
        const struct wire_caught again = world->caught[i - 1];
        wire_repeat(world, &again);
    }
    EXPECT_EQUAL(wire_device(world).firmware.update_counts.chunks, 3);
    EXPECT_EQUAL(wire_device(world).firmware.update_counts.offers, halfway.offers);
    world->chunks_max = 0;
    wire_run_to(world, 2, 10 * MINUTE);
    const uint32_t count = world->caught_count;
    EXPECT(count < WIRE_CAUGHT_MAX);
    memcpy(all, world->caught, sizeof all);
    wire_run(world, world->now_us + MINUTE);
    const struct device_firmware_view before = wire_device(world).firmware;
    const uint32_t statuses = world->counts_up[MESSAGE_STATUS];
    for (uint32_t i = count; i > 0; i--) {
        wire_repeat(world, &all[i - 1]);
    }
    const struct device_firmware_view after = wire_device(world).firmware;
    EXPECT_EQUAL(after.counts.answers, before.counts.answers);
    EXPECT_EQUAL(after.update_counts.offers, before.update_counts.offers);
    EXPECT_EQUAL(after.update_counts.chunks, before.update_counts.chunks);
    EXPECT_EQUAL(world->counts_up[MESSAGE_STATUS], statuses);
    EXPECT_EQUAL(after.sequence.number, 2);
    wire_free(world);
}

/* An answer of an earlier boot is no round trip of this one. */
static void an_answer_of_another_boot_confirms_nothing(void)
{
    struct wire_world *world = begin();
    wire_offer(world, &second, 0);
    world->lost_down = BIT(MESSAGE_ANSWER);
    wire_boot(world);
    /* Answers of the first trial boot are caught, not heard. */
    struct wire_caught kept = {0};
    while (world->jumps[BOOT_TRIAL] <= 1) {
        const struct wire_caught *last = wire_last(world, MESSAGE_ANSWER, 0);
        if (world->jumps[BOOT_TRIAL] == 1 && last != NULL) {
            kept = *last;
        }
        wire_run(world, world->now_us + SECOND);
    }
    EXPECT(kept.packet_bytes > 0);
    while (!wire_device(world).connected) {
        wire_run(world, world->now_us + SECOND / 4);
    }
    world->lost_down = 0;
    world->lost_up = BIT(MESSAGE_STATUS);
    EXPECT(world->device.firmware.await_us != UINT64_MAX); /* it waits for one */
    wire_repeat(world, &kept);
    EXPECT_EQUAL(wire_device(world).firmware.outcome, BOOT_TRIAL);
    world->lost_up = 0;
    wire_run_to(world, 2, world->now_us + 10 * MINUTE);
    wire_free(world);
}

/* Bytes that are not the manifest's, signed by a cloud that was given the wrong file: fetched anew,
 * a few times, and then declined; the right ones are taken later. */
static void an_image_that_is_not_the_manifests_is_fetched_anew_and_then_declined(void)
{
    struct wire_world *world = begin();
    static struct release wrong;
    wrong = second;
    wrong.image[700] ^= 4;
    wire_offer(world, &wrong, 0);
    wire_boot(world);
    while (wire_known(world).declined_sequence.number == 0) {
        wire_run(world, world->now_us + SECOND);
        EXPECT(world->now_us < 10 * MINUTE);
    }
    EXPECT_EQUAL(wire_known(world).declined_reason, IMAGE_FAULT_DIGEST);
    EXPECT_EQUAL(wire_device(world).firmware.counts.restarts, 3);
    const uint32_t chunks = world->counts_down[MESSAGE_CHUNK];
    wire_run(world, world->now_us + 60 * MINUTE);
    EXPECT_EQUAL(world->counts_down[MESSAGE_CHUNK], chunks);
    EXPECT_EQUAL(world->boots, 1);
    wire_offer(world, &third, 0);
    wire_restart_cloud(world);
    wire_run_to(world, 3, world->now_us + 10 * MINUTE);
    wire_free(world);
}

/* A release that becomes due is offered to a device that has nothing to ask. */
static void a_release_that_becomes_due_is_offered_unasked(void)
{
    struct wire_world *world = begin();
    const uint64_t noon_us = 1700000000 * SECOND;
    world->wall_us = noon_us;
    wire_offer(world, &second, noon_us + 20 * MINUTE);
    wire_boot(world);
    wire_run(world, 20 * MINUTE - SECOND);
    EXPECT_EQUAL(world->counts_down[MESSAGE_OFFER], 0);
    EXPECT_EQUAL(wire_known(world).sequence.number, 1);
    wire_run_to(world, 2, 20 * MINUTE + 30 * SECOND);
    wire_free(world);
}

/* And again, when the first word of it was lost; also by a cloud that has restarted since it last
 * heard a status, to a device that did not notice. */
static void an_offer_that_was_lost_is_made_again(void)
{
    struct wire_world *world = begin();
    wire_offer(world, &second, 0);
    world->releases[0].from_us = 1700000000 * SECOND + 10 * MINUTE;
    world->wall_us = 1700000000 * SECOND;
    world->lost_down = BIT(MESSAGE_OFFER);
    wire_boot(world);
    wire_run(world, 15 * MINUTE);
    EXPECT(world->counts_down[MESSAGE_OFFER] >= 2);
    EXPECT(world->counts_down[MESSAGE_OFFER] <= 4); /* ever more rarely */
    wire_restart_cloud(world);
    world->lost_down = 0;
    wire_run_to(world, 2, 20 * MINUTE);
    wire_free(world);
}

/* What a device does not take it declines once a connection, and the cloud knows why. */
static void a_declined_offer_is_learnt_with_its_reason(void)
{
    struct wire_world *world = begin();
    wire_offer(world, &second, 0);
    wire_offer(world, &third, 0);
    world->device_config.firmware.update.enabled = false;
    wire_boot(world);
    wire_run(world, 5 * MINUTE);
    EXPECT_EQUAL(wire_known(world).declined_sequence.number, 2); /* third came first */
    EXPECT_EQUAL(wire_known(world).declined_reason, IMAGE_FAULT_DISABLED);
    const uint32_t offers = world->counts_down[MESSAGE_OFFER];
    EXPECT(offers <= 4);
    wire_run(world, 3 * 60 * MINUTE);
    EXPECT_EQUAL(world->counts_down[MESSAGE_OFFER], offers);
    EXPECT_EQUAL(wire_device(world).firmware.sequence.number, 1);
    wire_free(world);
}

/* A newer release takes the place of one that is being fetched. */
static void a_newer_release_replaces_a_download(void)
{
    struct wire_world *world = begin();
    world->wall_us = 1700000000 * SECOND;
    wire_offer(world, &second, 0);
    world->chunks_max = 2;
    wire_boot(world);
    while (world->counts_down[MESSAGE_CHUNK] <= world->chunks_max) {
        wire_run(world, world->now_us + SECOND / 4);
    }
    EXPECT(wire_device(world).firmware.received_bytes >= 2 * CHUNK_BYTES_MAX);
    wire_offer(world, &third, 0);
    wire_restart_cloud(world);
    world->chunks_max = 0;
    wire_run_to(world, 3, world->now_us + 10 * MINUTE);
    EXPECT(rig_holds(&world->rig, SLOT_B, &third));
    EXPECT_EQUAL(world->jumps[BOOT_TRIAL], 1);
    wire_free(world);
}

/* Without a hand-over nobody knows what runs: it samples, says nothing of firmware, and resets. */
static void a_device_without_a_hand_over_asks_for_a_reset(void)
{
    struct wire_world *world = begin();
    wire_offer(world, &second, 0);
    wire_boot(world);
    device_init(&world->device, &world->device_config, &world->device_port); /* taken already */
    EXPECT(!wire_device(world).firmware.running);
    EXPECT_EQUAL(world->counts_up[MESSAGE_STATUS], 0);
    wire_run(world, world->device_config.backoff_cap_us + 1);
    EXPECT_EQUAL(world->boots, 2);
    wire_run_to(world, 2, 10 * MINUTE);
    wire_free(world);
}

/* On each connection what is unacked goes out before a word about firmware does, and a download
 * holds no reading back. */
static void readings_go_first(void)
{
    struct wire_world *world = begin();
    world->device_config.outbox_max = 4;
    wire_offer(world, &second, 0);
    world->lost_down = BIT(MESSAGE_ACK); /* so that there are some on each connection */
    world->chunks_max = 2;
    wire_boot(world);
    wire_run(world, 5 * MINUTE);
    const struct fake_port *said = wire_device_said(world);
    uint32_t connections = 0;
    bool sent = false, first = false, stored = false;
    for (uint32_t i = 0; i < said->evidence_count; i++) {
        const enum evidence_kind kind = said->evidence[i].said.kind;
        if (kind == EVIDENCE_BACKOFF) {
            sent = false;
            first = true;
        } else if (kind == EVIDENCE_SEND) {
            sent = true;
        } else if (kind == EVIDENCE_STORE) {
            stored = true; /* and never released: there is always one to send */
        } else if (kind == EVIDENCE_STATUS && first && stored) {
            EXPECT(sent);
            first = false;
            connections++;
        }
    }
    EXPECT(connections >= 3);
    world->lost_down = 0;
    world->chunks_max = 0;
    wire_run_to(world, 2, world->now_us + 10 * MINUTE);
    EXPECT_EQUAL(wire_device(world).counts.lost, 0);
    wire_free(world);
}

/* Only where the manifest allows it, and only when it does its work: it has kept a reading. */
static void an_image_may_confirm_itself_where_its_manifest_says_so(void)
{
    for (uint32_t offline = 0; offline < 2; offline++) {
        struct wire_world *world = begin();
        second.manifest.offline = offline != 0;
        rig_sign(&world->rig, &second);
        wire_offer(world, &second, 0);
        world->lost_down = BIT(MESSAGE_ANSWER);
        wire_boot(world);
        while (world->jumps[BOOT_TRIAL] == 0) {
            wire_run(world, world->now_us + SECOND);
            EXPECT(world->now_us < 5 * MINUTE);
        }
        wire_run(world, world->now_us + world->device_config.firmware.trial_us - 2 * SECOND);
        EXPECT_EQUAL(wire_device(world).firmware.outcome, BOOT_TRIAL);
        EXPECT_EQUAL(world->jumps[BOOT_TRIAL], 1);
        wire_run(world, world->now_us + 4 * SECOND);
        EXPECT_EQUAL(world->jumps[BOOT_TRIAL], offline != 0 ? 1 : 2);
        EXPECT_EQUAL(wire_device(world).firmware.outcome,
                     offline != 0 ? BOOT_CONFIRMED : BOOT_TRIAL);
        wire_free(world);
    }
}

int main(void)
{
    RUN(a_release_reaches_the_device_and_is_confirmed_by_a_round_trip);
    RUN(a_cut_anywhere_ends_on_the_new_image_and_the_cloud_knows);
    RUN(a_revert_is_learnt_with_its_reason);
    RUN(what_was_reverted_too_often_is_not_offered_again);
    RUN(a_gateway_that_swallows_statuses_or_answers_is_left);
    RUN(what_is_spoilt_is_dropped);
    RUN(what_comes_again_changes_nothing);
    RUN(an_answer_of_another_boot_confirms_nothing);
    RUN(an_image_that_is_not_the_manifests_is_fetched_anew_and_then_declined);
    RUN(a_release_that_becomes_due_is_offered_unasked);
    RUN(an_offer_that_was_lost_is_made_again);
    RUN(a_declined_offer_is_learnt_with_its_reason);
    RUN(a_newer_release_replaces_a_download);
    RUN(a_device_without_a_hand_over_asks_for_a_reset);
    RUN(readings_go_first);
    RUN(an_image_may_confirm_itself_where_its_manifest_says_so);
    return 0;
}
