/* Goal: an update is taken only when everything about it is right, its bytes arrive in any pieces
 * and across any number of restarts, and it is kept only when somebody says so. Method: offers with
 * one thing wrong each, with flash compared before and after; downloads cut at every byte; installs
 * that are confirmed, reverted, offered again and given up. */
#include "core/update.h"

#include <string.h>

#include "core/check.h"
#include "core/test/firmware_rig.h"
#include "core/test/test.h"

static struct rig rig;
static struct release one, two, three;

_Noreturn void check_failed(const char *file, int line, const char *what)
{
    fprintf(stderr, "%s:%d: check failed: %s\n", file, line, what);
    exit(1);
}

static void boot_as(enum boot_outcome outcome, uint32_t slot)
{
    rig_power(&rig, 0);
    EXPECT_EQUAL(rig_boot(&rig), ERR_OK);
    EXPECT_EQUAL(rig.report.outcome, outcome);
    EXPECT_EQUAL(rig.report.slot, slot);
    rig.writes = 0;
}

static void start(void)
{
    rig_make(&rig, &one);
    boot_as(BOOT_CONFIRMED, SLOT_A);
}

static enum err offer_at(const struct release *release, uint64_t wall_us, enum image_fault *why)
{
    const struct update_offer offer = {&release->envelopes, wall_us};
    return update_offer(&rig.update, &rig.store, &rig.port, &offer, why);
}

static void offer_taken(const struct release *release)
{
    enum image_fault why;
    EXPECT_EQUAL(offer_at(release, 1, &why), ERR_OK);
    EXPECT_EQUAL(why, IMAGE_FAULT_NONE);
}

static void offer_refused_at(const struct release *release, uint64_t wall_us,
                             enum image_fault fault)
{
    enum image_fault why;
    const enum update_state state = rig.update.state;
    const uint64_t refused = rig.update.counts.refused[fault];
    EXPECT_EQUAL(offer_at(release, wall_us, &why), ERR_DENIED);
    EXPECT_EQUAL(why, fault);
    EXPECT_EQUAL(rig.update.counts.refused[fault], refused + 1);
    EXPECT_EQUAL(rig.update.state, state);
}

static void offer_refused(const struct release *release, enum image_fault fault)
{
    offer_refused_at(release, 1, fault);
}

static enum err chunk(const struct release *release, uint32_t from, uint32_t to)
{
    const struct update_piece piece = {from, release->image + from, to - from};
    return update_chunk(&rig.update, &rig.store, &rig.port, &piece);
}

static uint32_t wanted(void)
{
    uint32_t offset, size_bytes;
    EXPECT(update_wants(&rig.update, &offset, &size_bytes));
    EXPECT(size_bytes >= 1);
    return offset;
}

static bool wants(void)
{
    uint32_t offset, size_bytes;
    return update_wants(&rig.update, &offset, &size_bytes);
}

static void fetch_in_pieces(const struct release *release, uint32_t piece_bytes)
{
    while (wants()) {
        const uint32_t from = wanted();
        const uint32_t left = release->manifest.size_bytes - from;
        EXPECT_EQUAL(chunk(release, from, from + (left < piece_bytes ? left : piece_bytes)),
                     ERR_OK);
    }
}

static void finish_and_boot(const struct release *release)
{
    EXPECT_EQUAL(update_finish(&rig.update, &rig.store, &rig.port), ERR_OK);
    EXPECT(rig_holds(&rig, rig.update.slot, release));
    boot_as(BOOT_TRIAL, rig.update.slot);
    EXPECT_EQUAL(rig.report.manifest.sequence.number, release->manifest.sequence.number);
}

/* ---- The whole way ---- */

static void an_update_is_installed_tried_and_confirmed(void)
{
    start();
    offer_taken(&two);
    fetch_in_pieces(&two, 100);
    EXPECT_EQUAL(rig.update.state, UPDATE_COMPLETE);
    finish_and_boot(&two);
    EXPECT_EQUAL(rig.counters[COUNTER_SECURITY], 1);
    EXPECT_EQUAL(update_confirm(&rig.update, &rig.port, HEALTH_ROUND_TRIP), ERR_OK);
    EXPECT_EQUAL(rig.counters[COUNTER_SECURITY], 2);
    boot_as(BOOT_CONFIRMED, SLOT_B);
    EXPECT_EQUAL(rig.report.record.sequence.number, 2);
    rig_replace(&rig, &three); /* and back into slot A */
    boot_as(BOOT_CONFIRMED, SLOT_A);
    EXPECT(rig_holds(&rig, SLOT_A, &three));
}

static void the_word_of_an_image_confirms_it_only_where_its_manifest_says_so(void)
{
    struct release silent; /* may be confirmed without a server */
    start();
    EXPECT_EQUAL(rig_install(&rig, &two), ERR_OK);
    boot_as(BOOT_TRIAL, SLOT_B);
    EXPECT_EQUAL(update_confirm(&rig.update, &rig.port, HEALTH_OFFLINE), ERR_DENIED);
    EXPECT_EQUAL(rig.writes, 0);
    EXPECT_EQUAL(update_confirm(&rig.update, &rig.port, HEALTH_ROUND_TRIP), ERR_OK);
    rig_release(&rig, &silent, 3, 2, 900);
    silent.manifest.offline = true;
    rig_sign(&rig, &silent);
    EXPECT_EQUAL(rig_install(&rig, &silent), ERR_OK);
    boot_as(BOOT_TRIAL, SLOT_A);
    EXPECT_EQUAL(update_confirm(&rig.update, &rig.port, HEALTH_OFFLINE), ERR_OK);
    boot_as(BOOT_CONFIRMED, SLOT_A);
}

static void an_offline_exception_that_one_right_alone_gives_is_refused(void)
{
    struct release silent = two;
    const struct manifest_envelopes heard = two.envelopes;
    start();
    silent.manifest.offline = true;
    rig_sign(&rig, &silent);
    memcpy(silent.envelopes.operator, heard.operator, sizeof heard.operator);
    silent.envelopes.operator_bytes = heard.operator_bytes;
    offer_refused(&silent, IMAGE_FAULT_DISAGREE);
}

static void a_confirm_of_what_is_confirmed_writes_nothing(void)
{
    start();
    EXPECT_EQUAL(update_confirm(&rig.update, &rig.port, HEALTH_ROUND_TRIP), ERR_OK);
    EXPECT_EQUAL(rig.writes, 0);
    EXPECT_EQUAL(rig_install(&rig, &two), ERR_OK);
    const uint32_t writes = rig.writes;
    EXPECT_EQUAL(update_confirm(&rig.update, &rig.port, HEALTH_ROUND_TRIP),
                 ERR_OK); /* of `one`, `two` is armed */
    EXPECT_EQUAL(rig.writes, writes);
    boot_as(BOOT_TRIAL, SLOT_B);
}

static void to_go_back_is_a_new_manifest_with_a_higher_sequence(void)
{
    struct release back = one;
    start();
    rig_release(&rig, &two, 2, 1, 1500);
    rig_replace(&rig, &two);
    offer_refused(&one, IMAGE_FAULT_SEQUENCE);
    back.manifest.sequence.number = 3; /* the old image, its old version, its old level */
    rig_sign(&rig, &back);
    rig_replace(&rig, &back);
    EXPECT(rig_holds(&rig, SLOT_A, &one));
    EXPECT_EQUAL(rig.report.manifest.version.minor, one.manifest.version.minor);
    rig_release(&rig, &two, 2, 2, 1500);
}

/* ---- Offers that are refused ---- */

static void manifests_that_are_not_above_what_is_on_board_are_refused(void)
{
    struct release same = two;
    start();
    rig_replace(&rig, &two);
    boot_as(BOOT_CONFIRMED, SLOT_B);
    offer_refused(&one, IMAGE_FAULT_SEQUENCE);
    offer_refused(&two, IMAGE_FAULT_SEQUENCE);
    same.manifest.version.patch++;
    rig_sign(&rig, &same);
    offer_refused(&same, IMAGE_FAULT_SEQUENCE);
    EXPECT_EQUAL(rig.writes, 0);
}

static void an_offer_with_one_thing_wrong_is_refused_and_writes_nothing(void)
{
    struct release bad = two;
    start();
    bad.envelopes.operator_bytes = 0;
    offer_refused(&bad, IMAGE_FAULT_OPERATOR);
    bad = two;
    bad.envelopes.author[60] ^= 1;
    offer_refused(&bad, IMAGE_FAULT_AUTHOR);
    bad = two;
    bad.manifest.hardware++;
    rig_sign(&rig, &bad);
    offer_refused(&bad, IMAGE_FAULT_HARDWARE);
    bad = two;
    bad.manifest.size_bytes = RIG_AREA_BYTES + 1;
    rig_sign(&rig, &bad);
    offer_refused(&bad, IMAGE_FAULT_SIZE);
    bad = two;
    bad.manifest.security.level = 0;
    rig_sign(&rig, &bad);
    offer_refused(&bad, IMAGE_FAULT_FLOOR);
    bad.manifest.security.level = 1 + SECURITY_LEAP_MAX + 1;
    rig_sign(&rig, &bad);
    offer_refused(&bad, IMAGE_FAULT_LEAP);
    rig.counterless = true;
    offer_refused(&two, IMAGE_FAULT_UNREADABLE);
    rig.counterless = false;
    EXPECT_EQUAL(rig.writes, 0);
    offer_taken(&two);
}

static void an_expired_manifest_is_refused_and_so_is_any_without_a_clock(void)
{
    struct release always = two;
    start();
    offer_refused_at(&two, two.manifest.expires_us, IMAGE_FAULT_EXPIRED);
    offer_refused_at(&two, 0, IMAGE_FAULT_EXPIRED);
    EXPECT_EQUAL(rig.writes, 0);
    enum image_fault why;
    EXPECT_EQUAL(offer_at(&two, two.manifest.expires_us - 1, &why), ERR_OK);
    start();
    always.manifest.expires_us = MANIFEST_NEVER;
    rig_sign(&rig, &always);
    EXPECT_EQUAL(offer_at(&always, 0, &why), ERR_OK);
}

static void an_image_boots_on_after_its_manifest_expired(void)
{
    start();
    one.manifest.expires_us = 1;
    rig_sign(&rig, &one);
    start();
    rig_release(&rig, &one, 1, 1, 1200);
}

static void disabled_updates_write_nothing_but_a_confirm_goes_on(void)
{
    start();
    EXPECT_EQUAL(rig_install(&rig, &two), ERR_OK);
    rig.update_config.enabled = false;
    boot_as(BOOT_TRIAL, SLOT_B);
    offer_refused(&three, IMAGE_FAULT_DISABLED);
    EXPECT_EQUAL(rig.writes, 0);
    EXPECT_EQUAL(update_confirm(&rig.update, &rig.port, HEALTH_ROUND_TRIP), ERR_OK);
    rig.update_config.enabled = true;
    boot_as(BOOT_CONFIRMED, SLOT_B);
}

static void an_image_on_trial_takes_no_update(void)
{
    start();
    EXPECT_EQUAL(rig_install(&rig, &two), ERR_OK);
    boot_as(BOOT_TRIAL, SLOT_B);
    offer_refused(&three, IMAGE_FAULT_UNCONFIRMED);
    EXPECT_EQUAL(rig.writes, 0);
    EXPECT(rig_holds(&rig, SLOT_A, &one));
}

static void an_armed_update_is_not_replaced_before_its_reset(void)
{
    start();
    EXPECT_EQUAL(rig_install(&rig, &two), ERR_OK);
    const uint32_t writes = rig.writes;
    offer_refused(&three, IMAGE_FAULT_ARMED);
    offer_taken(&two);
    EXPECT(!wants());
    EXPECT_EQUAL(update_finish(&rig.update, &rig.store, &rig.port), ERR_OK);
    EXPECT_EQUAL(rig.writes, writes);
}

/* ---- Bytes ---- */

static void pieces_of_any_size_make_the_same_image(void)
{
    for (uint32_t piece_bytes = 1; piece_bytes < 600; piece_bytes += piece_bytes < 40 ? 1 : 37) {
        start();
        offer_taken(&two);
        fetch_in_pieces(&two, piece_bytes);
        EXPECT_EQUAL(update_finish(&rig.update, &rig.store, &rig.port), ERR_OK);
        EXPECT(rig_holds(&rig, SLOT_B, &two));
    }
    start();
    offer_taken(&two);
    EXPECT_EQUAL(chunk(&two, 0, two.manifest.size_bytes), ERR_OK); /* all at once */
    finish_and_boot(&two);
}

static void a_download_resumes_after_a_restart_at_any_byte(void)
{
    for (uint32_t cut = 0; cut <= two.manifest.size_bytes; cut++) {
        start();
        offer_taken(&two);
        EXPECT_EQUAL(chunk(&two, 0, cut), ERR_OK);
        boot_as(BOOT_CONFIRMED, SLOT_A);
        EXPECT(!wants()); /* not before it is offered again */
        offer_taken(&two);
        if (cut == two.manifest.size_bytes) {
            EXPECT(!wants());
        } else {
            EXPECT_EQUAL(wanted(), cut / RIG_SECTOR_BYTES * RIG_SECTOR_BYTES);
        }
        fetch_in_pieces(&two, 131);
        EXPECT_EQUAL(update_finish(&rig.update, &rig.store, &rig.port), ERR_OK);
        EXPECT(rig_holds(&rig, SLOT_B, &two));
    }
}

static void a_complete_download_is_never_fetched_again(void)
{
    start();
    offer_taken(&two);
    fetch_in_pieces(&two, 512);
    for (uint32_t i = 0; i < 3; i++) {
        boot_as(BOOT_CONFIRMED, SLOT_A);
        offer_taken(&two);
        EXPECT(!wants());
        EXPECT_EQUAL(rig.update.state, UPDATE_COMPLETE);
    }
    finish_and_boot(&two);
}

static void bytes_that_came_before_are_skipped_and_gaps_refused(void)
{
    start();
    EXPECT_EQUAL(chunk(&two, 0, 10), ERR_DENIED);
    offer_taken(&two);
    EXPECT_EQUAL(chunk(&two, 1, 10), ERR_RANGE);
    EXPECT_EQUAL(chunk(&two, 0, 700), ERR_OK);
    EXPECT_EQUAL(chunk(&two, 701, 710), ERR_RANGE);
    EXPECT_EQUAL(chunk(&two, 100, 650), ERR_OK);
    EXPECT_EQUAL(wanted(), 700);
    EXPECT_EQUAL(chunk(&two, 650, 750), ERR_OK);
    EXPECT_EQUAL(wanted(), 750);
    EXPECT_EQUAL(chunk(&two, 750, two.manifest.size_bytes + 1), ERR_RANGE);
    EXPECT_EQUAL(update_finish(&rig.update, &rig.store, &rig.port), ERR_DENIED);
    offer_taken(&two); /* the same offer goes on */
    EXPECT_EQUAL(wanted(), 750);
    EXPECT_EQUAL(chunk(&two, 750, two.manifest.size_bytes), ERR_OK);
    EXPECT_EQUAL(chunk(&two, 0, two.manifest.size_bytes), ERR_OK);
    finish_and_boot(&two);
}

static void wrong_bytes_are_found_before_a_header_is_written(void)
{
    static const uint8_t zero[1] = {0};
    static const struct update_piece wrong = {800, zero, 1};
    start();
    offer_taken(&two);
    EXPECT_EQUAL(chunk(&two, 0, 800), ERR_OK);
    EXPECT_EQUAL(update_chunk(&rig.update, &rig.store, &rig.port, &wrong), ERR_OK);
    EXPECT_EQUAL(chunk(&two, 801, two.manifest.size_bytes), ERR_OK);
    EXPECT_EQUAL(update_finish(&rig.update, &rig.store, &rig.port), ERR_CORRUPT);
    EXPECT_EQUAL(rig.update.counts.refused[IMAGE_FAULT_DIGEST], 1);
    EXPECT(!wants());
    struct manifest_envelopes envelopes;
    EXPECT_EQUAL(slot_header_read(&rig.boot_config.layout, &rig.port, SLOT_B, &envelopes),
                 IMAGE_FAULT_HEADER);
    boot_as(BOOT_CONFIRMED, SLOT_A);
    offer_taken(&two);
    EXPECT_EQUAL(wanted(), 0);
    fetch_in_pieces(&two, 512);
    finish_and_boot(&two);
}

static void a_newer_manifest_takes_the_place_of_a_download_and_an_older_one_does_not(void)
{
    start();
    offer_taken(&two);
    EXPECT_EQUAL(chunk(&two, 0, 1100), ERR_OK);
    offer_taken(&three);
    EXPECT_EQUAL(wanted(), 0);
    EXPECT_EQUAL(chunk(&three, 0, 600), ERR_OK);
    offer_refused(&two, IMAGE_FAULT_SEQUENCE);
    boot_as(BOOT_CONFIRMED, SLOT_A);
    offer_refused(&two, IMAGE_FAULT_SEQUENCE);
    offer_taken(&three);
    EXPECT_EQUAL(wanted(), 512);
    fetch_in_pieces(&three, 512);
    finish_and_boot(&three);
}

static void the_area_behind_a_shorter_image_is_erased(void)
{
    struct release brief;
    start();
    rig_replace(&rig, &two);
    rig_replace(&rig, &three); /* slot A is full of `three` */
    rig_release(&rig, &brief, 4, 3, 10);
    rig_replace(&rig, &brief);
    EXPECT(rig_holds(&rig, SLOT_B, &brief));
    rig_release(&rig, &brief, 5, 3, RIG_AREA_BYTES);
    rig_replace(&rig, &brief);
    EXPECT(rig_holds(&rig, SLOT_A, &brief));
}

/* ---- Reverts ---- */

static void spend_trials(void)
{
    for (uint32_t i = 0; i < RIG_TRIALS; i++) {
        boot_as(BOOT_TRIAL, SLOT_B);
    }
    boot_as(BOOT_CONFIRMED, SLOT_A);
}

static void a_reverted_image_may_be_offered_again_a_bounded_number_of_times(void)
{
    start();
    EXPECT_EQUAL(rig_install(&rig, &two), ERR_OK);
    for (uint32_t revert = 1; revert < rig.update_config.reverts_max; revert++) {
        spend_trials();
        EXPECT_EQUAL(rig.report.record.revert.count, revert);
        offer_taken(&two);
        EXPECT(!wants()); /* it is all there */
        EXPECT_EQUAL(update_finish(&rig.update, &rig.store, &rig.port), ERR_OK);
    }
    spend_trials();
    offer_refused(&two, IMAGE_FAULT_REVERTED);
    two.manifest.sequence.number = 7; /* the same image, by a new decision */
    rig_sign(&rig, &two);
    rig_replace(&rig, &two);
    rig_release(&rig, &two, 2, 2, 1500);
}

static void an_image_that_fell_back_confirms_and_then_heals_the_other_slot(void)
{
    start();
    rig_release(&rig, &two, 2, 1, 1500);
    rig_replace(&rig, &two);
    rig_slot(&rig, SLOT_B)[3] ^= 1;
    boot_as(BOOT_FALLBACK, SLOT_A);
    offer_refused(&three, IMAGE_FAULT_UNCONFIRMED);
    EXPECT_EQUAL(update_confirm(&rig.update, &rig.port, HEALTH_ROUND_TRIP), ERR_OK);
    offer_refused(&two, IMAGE_FAULT_SEQUENCE); /* confirmed once */
    rig_replace(&rig, &three);
    boot_as(BOOT_CONFIRMED, SLOT_B);
    rig_release(&rig, &two, 2, 2, 1500);
}

/* ---- Flash that fails ---- */

static void a_failing_flash_ends_the_update_until_the_next_boot(void)
{
    enum image_fault why;
    start();
    rig.worn = true;
    EXPECT_EQUAL(offer_at(&two, 1, &why), ERR_IO);
    EXPECT_EQUAL(rig.update.state, UPDATE_FAILED);
    rig.worn = false;
    EXPECT_EQUAL(offer_at(&two, 1, &why), ERR_IO);
    EXPECT_EQUAL(chunk(&two, 0, 1), ERR_IO);
    EXPECT_EQUAL(update_finish(&rig.update, &rig.store, &rig.port), ERR_IO);
    boot_as(BOOT_CONFIRMED, SLOT_A);
    rig_replace(&rig, &two);
}

static void an_install_cut_before_any_write_goes_on_after_the_next_boot(void)
{
    uint32_t cuts = 0;
    for (bool done = false; !done; cuts++) {
        start();
        rig_power(&rig, cuts + 1);
        done = rig_install(&rig, &two) == ERR_OK && !rig.dead;
        rig_power(&rig, 0);
        EXPECT_EQUAL(rig_boot(&rig), ERR_OK);
        EXPECT(rig_holds(&rig, SLOT_A, &one));
        if (rig.report.outcome == BOOT_CONFIRMED) {
            EXPECT_EQUAL(rig_install(&rig, &two), ERR_OK);
            EXPECT_EQUAL(rig_boot(&rig), ERR_OK);
        }
        EXPECT_EQUAL(rig.report.outcome, BOOT_TRIAL);
        EXPECT(rig_holds(&rig, SLOT_B, &two));
    }
    EXPECT(cuts > 20);
}

int main(void)
{
    rig_prepare(&rig);
    rig_release(&rig, &one, 1, 1, 1200);
    rig_release(&rig, &two, 2, 2, 1500);
    rig_release(&rig, &three, 3, 2, 2001);
    RUN(an_update_is_installed_tried_and_confirmed);
    RUN(the_word_of_an_image_confirms_it_only_where_its_manifest_says_so);
    RUN(an_offline_exception_that_one_right_alone_gives_is_refused);
    RUN(a_confirm_of_what_is_confirmed_writes_nothing);
    RUN(to_go_back_is_a_new_manifest_with_a_higher_sequence);
    RUN(manifests_that_are_not_above_what_is_on_board_are_refused);
    RUN(an_offer_with_one_thing_wrong_is_refused_and_writes_nothing);
    RUN(an_expired_manifest_is_refused_and_so_is_any_without_a_clock);
    RUN(an_image_boots_on_after_its_manifest_expired);
    RUN(disabled_updates_write_nothing_but_a_confirm_goes_on);
    RUN(an_image_on_trial_takes_no_update);
    RUN(an_armed_update_is_not_replaced_before_its_reset);
    RUN(pieces_of_any_size_make_the_same_image);
    RUN(a_download_resumes_after_a_restart_at_any_byte);
    RUN(a_complete_download_is_never_fetched_again);
    RUN(bytes_that_came_before_are_skipped_and_gaps_refused);
    RUN(wrong_bytes_are_found_before_a_header_is_written);
    RUN(a_newer_manifest_takes_the_place_of_a_download_and_an_older_one_does_not);
    RUN(the_area_behind_a_shorter_image_is_erased);
    RUN(a_reverted_image_may_be_offered_again_a_bounded_number_of_times);
    RUN(an_image_that_fell_back_confirms_and_then_heals_the_other_slot);
    RUN(a_failing_flash_ends_the_update_until_the_next_boot);
    RUN(an_install_cut_before_any_write_goes_on_after_the_next_boot);
    rig_free(&rig);
    return 0;
}
