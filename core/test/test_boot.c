/* Goal: only what is whole, authentic, for this device and not below the floor ever runs; an image
 * that nobody confirms runs a bounded number of times; and it is always said why. Method: a device
 * with real signatures is installed, damaged, worn out and cut, and booted again. */
#include "core/boot.h"

#include <string.h>

#include "core/check.h"
#include "core/test/firmware_rig.h"
#include "core/test/test.h"

static struct rig rig;
static struct release one, two; /* levels 1 and 2, sequences 1 and 2 */

_Noreturn void check_failed(const char *file, int line, const char *what)
{
    fprintf(stderr, "%s:%d: check failed: %s\n", file, line, what);
    exit(1);
}

static void boot_as(enum boot_outcome outcome, uint32_t slot)
{
    rig_power(&rig, 0);
    const enum err err = rig_boot(&rig);
    EXPECT_EQUAL(err, outcome == BOOT_NONE ? ERR_NOT_FOUND : ERR_OK);
    EXPECT_EQUAL(rig.report.outcome, outcome);
    EXPECT_EQUAL(rig.report.slot, slot);
}

/* A device that runs `one` from slot A. */
static void start(void)
{
    rig_make(&rig, &one);
    boot_as(BOOT_CONFIRMED, SLOT_A);
}

/* And has `two` armed in slot B. */
static void start_armed(void)
{
    start();
    EXPECT_EQUAL(rig_install(&rig, &two), ERR_OK);
}

/* And runs `two`, confirmed; `one` is still in slot A. */
static void start_replaced(void)
{
    start();
    rig_replace(&rig, &two);
}

static uint8_t *header_of(uint32_t slot)
{
    return rig_slot(&rig, slot) - RIG_SECTOR_BYTES;
}

static void erase_store(uint32_t first_sector)
{
    for (uint32_t i = 0; i < 3; i++) {
        const uint32_t offset = (first_sector + i) * RIG_SECTOR_BYTES;
        EXPECT_EQUAL(rig.port.flash_erase(rig.port.ctx, offset), ERR_OK);
    }
}

/* ---- The confirmed image ---- */

static void a_new_device_boots_its_factory_image_and_starts_a_record(void)
{
    start();
    EXPECT(rig.report.recovered);
    EXPECT_EQUAL(rig.report.manifest.sequence.number, 1);
    EXPECT_EQUAL(rig.counters[COUNTER_SECURITY], 1);
    EXPECT_EQUAL(rig.report.floor.level, 1);
    boot_as(BOOT_CONFIRMED, SLOT_A);
    EXPECT(!rig.report.recovered);
    EXPECT_EQUAL(rig.report.record.sequence.number, 1);
    EXPECT_EQUAL(rig.watchdog_us, 0);
}

static void a_confirmed_image_boots_again_and_again(void)
{
    start_replaced();
    for (uint32_t i = 0; i < 4 * RIG_TRIALS; i++) {
        boot_as(BOOT_CONFIRMED, SLOT_B);
    }
    EXPECT_EQUAL(rig.report.record.revert.sequence.number, 0);
}

/* ---- Trials ---- */

static void a_trial_boots_under_a_watchdog_and_does_not_raise_the_floor(void)
{
    start_armed();
    boot_as(BOOT_TRIAL, SLOT_B);
    EXPECT_EQUAL(rig.report.record.trial.trials.left, RIG_TRIALS - 1);
    EXPECT_EQUAL(rig.watchdog_us, rig.boot_config.watchdog_us);
    EXPECT_EQUAL(rig.counters[COUNTER_SECURITY], 1);
}

static void a_trial_that_nobody_confirms_is_reverted_after_its_boots(void)
{
    start_armed();
    for (uint32_t i = 0; i < RIG_TRIALS; i++) {
        boot_as(BOOT_TRIAL, SLOT_B);
    }
    boot_as(BOOT_CONFIRMED, SLOT_A);
    EXPECT(rig.report.reverted);
    EXPECT_EQUAL(rig.report.record.revert.reason, IMAGE_FAULT_TRIALS);
    EXPECT_EQUAL(rig.report.record.revert.sequence.number, 2);
    EXPECT_EQUAL(rig.report.record.revert.count, 1);
    boot_as(BOOT_CONFIRMED, SLOT_A);
    EXPECT(!rig.report.reverted); /* told once as news, and kept */
    EXPECT_EQUAL(rig.report.record.revert.sequence.number, 2);
    EXPECT_EQUAL(rig.counters[COUNTER_SECURITY], 1);
}

static void a_trial_whose_verification_resets_the_device_is_given_up_as_well(void)
{
    start_armed();
    rig.unreadable = rig.boot_config.layout.slots[SLOT_B].first_sector + 1;
    rig.deadly = true;
    for (uint32_t i = 0; i < RIG_TRIALS; i++) {
        rig_power(&rig, 0);
        EXPECT_EQUAL(rig_boot(&rig), ERR_NOT_FOUND); /* the power is gone */
        EXPECT(rig.dead);
    }
    boot_as(BOOT_CONFIRMED, SLOT_A);
    EXPECT_EQUAL(rig.report.record.revert.reason, IMAGE_FAULT_TRIALS);
}

static void a_trial_that_cannot_be_read_is_reverted(void)
{
    start_armed();
    rig.unreadable = rig.boot_config.layout.slots[SLOT_B].first_sector + 1;
    boot_as(BOOT_CONFIRMED, SLOT_A);
    EXPECT_EQUAL(rig.report.record.revert.reason, IMAGE_FAULT_UNREADABLE);
}

static void one_wrong_bit_anywhere_in_the_area_reverts_a_trial(void)
{
    for (uint32_t at = 0; at < RIG_AREA_BYTES; at += 97) { /* behind the image too */
        start_armed();
        rig_slot(&rig, SLOT_B)[at] ^= 0x10;
        boot_as(BOOT_CONFIRMED, SLOT_A);
        EXPECT(rig.report.reverted);
        EXPECT_EQUAL(rig.report.record.revert.reason, IMAGE_FAULT_DIGEST);
        EXPECT_EQUAL(rig.report.faults[SLOT_B], IMAGE_FAULT_DIGEST);
    }
}

static void a_torn_header_reverts_a_trial(void)
{
    const uint32_t header_bytes = 8 + two.envelopes.author_bytes + two.envelopes.operator_bytes;
    for (uint32_t kept = 0; kept < header_bytes; kept += RIG_UNIT_BYTES) {
        start_armed();
        memset(header_of(SLOT_B) + kept, 0xff, RIG_SECTOR_BYTES - kept);
        boot_as(BOOT_CONFIRMED, SLOT_A);
        EXPECT(rig.report.reverted);
        const enum image_fault reason = rig.report.record.revert.reason;
        EXPECT(reason == IMAGE_FAULT_HEADER || reason == IMAGE_FAULT_MALFORMED ||
               reason == IMAGE_FAULT_OPERATOR || reason == IMAGE_FAULT_AUTHOR);
        EXPECT(kept > 0 || reason == IMAGE_FAULT_HEADER);
    }
}

static void an_image_with_one_right_only_does_not_boot(void)
{
    start_armed();
    struct manifest_envelopes envelopes = two.envelopes;
    envelopes.operator_bytes = 0;
    const struct slot_layout *layout = &rig.boot_config.layout;
    EXPECT_EQUAL(slot_header_erase(layout, &rig.port, SLOT_B), ERR_OK);
    EXPECT_EQUAL(slot_header_program(layout, &rig.port, SLOT_B, &envelopes), ERR_OK);
    boot_as(BOOT_CONFIRMED, SLOT_A);
    EXPECT_EQUAL(rig.report.record.revert.reason, IMAGE_FAULT_OPERATOR);
}

static void an_image_that_was_not_armed_does_not_take_the_trial_of_another(void)
{
    start_armed();
    struct release three = two;
    three.manifest.sequence.number = 3;
    rig_sign(&rig, &three);
    const struct slot_layout *layout = &rig.boot_config.layout;
    EXPECT_EQUAL(slot_header_erase(layout, &rig.port, SLOT_B), ERR_OK);
    EXPECT_EQUAL(slot_header_program(layout, &rig.port, SLOT_B, &three.envelopes), ERR_OK);
    boot_as(BOOT_CONFIRMED, SLOT_A);
    EXPECT_EQUAL(rig.report.record.revert.reason, IMAGE_FAULT_STRANGER);
    EXPECT_EQUAL(rig.report.record.revert.sequence.number, 2);
}

static void what_cannot_be_counted_is_not_tried(void)
{
    start_armed();
    rig.worn = true; /* mounting fails as well: there is no record, and none can be made */
    for (uint32_t i = 0; i < 2 * RIG_TRIALS; i++) {
        boot_as(BOOT_FALLBACK, SLOT_A);
    }
    rig.worn = false;
    boot_as(BOOT_TRIAL, SLOT_B);
    EXPECT_EQUAL(rig.report.record.trial.trials.left, RIG_TRIALS - 1);
}

static void a_cut_before_any_write_of_a_boot_costs_at_most_one_trial(void)
{
    uint32_t cuts = 0;
    for (bool done = false; !done; cuts++) {
        start_armed();
        rig_power(&rig, cuts + 1);
        done = rig_boot(&rig) == ERR_OK && !rig.dead;
        boot_as(BOOT_TRIAL, SLOT_B);
        EXPECT(rig.report.record.trial.trials.left >= RIG_TRIALS - 2);
    }
    EXPECT(cuts >= 4);
}

/* ---- The floor ---- */

static void the_floor_rises_with_the_confirm(void)
{
    start_replaced();
    EXPECT_EQUAL(rig.counters[COUNTER_SECURITY], 2);
}

static void a_floor_that_power_kept_down_rises_with_the_next_boot(void)
{
    start_armed();
    boot_as(BOOT_TRIAL, SLOT_B);
    rig.counterless = true;
    EXPECT_EQUAL(update_confirm(&rig.update, &rig.port, HEALTH_ROUND_TRIP), ERR_IO);
    rig.counterless = false;
    EXPECT_EQUAL(rig.counters[COUNTER_SECURITY], 1);
    boot_as(BOOT_CONFIRMED, SLOT_B);
    EXPECT_EQUAL(rig.counters[COUNTER_SECURITY], 2);
    EXPECT_EQUAL(rig.report.floor.level, 2);
}

static void nothing_boots_below_the_floor(void)
{
    start_replaced();
    rig_slot(&rig, SLOT_B)[0] ^= 1;
    boot_as(BOOT_NONE, SLOT_NONE);
    EXPECT_EQUAL(rig.report.faults[SLOT_A], IMAGE_FAULT_FLOOR);
    EXPECT_EQUAL(rig.report.faults[SLOT_B], IMAGE_FAULT_DIGEST);
}

static void a_trial_below_the_floor_is_reverted(void)
{
    start_armed();
    rig.counters[COUNTER_SECURITY] = 3;
    boot_as(BOOT_NONE, SLOT_NONE);
    EXPECT_EQUAL(rig.report.record.revert.reason, IMAGE_FAULT_FLOOR);
    EXPECT_EQUAL(rig.report.faults[SLOT_A], IMAGE_FAULT_FLOOR);
}

static void without_the_floor_nothing_boots(void)
{
    start();
    rig.counterless = true;
    boot_as(BOOT_NONE, SLOT_NONE);
    EXPECT_EQUAL(rig.writes, 0);
    rig.counterless = false;
    boot_as(BOOT_CONFIRMED, SLOT_A);
}

/* ---- The other slot ---- */

static void the_other_slot_boots_when_the_confirmed_image_is_damaged(void)
{
    struct release peer; /* of the level that is the floor */
    start();
    rig_release(&rig, &peer, 2, 1, 1500);
    rig_replace(&rig, &peer);
    rig_slot(&rig, SLOT_B)[7] ^= 1;
    for (uint32_t i = 0; i < 2 * RIG_TRIALS; i++) {
        boot_as(BOOT_FALLBACK, SLOT_A);
        EXPECT_EQUAL(rig.report.faults[SLOT_B], IMAGE_FAULT_DIGEST);
    }
    EXPECT_EQUAL(update_confirm(&rig.update, &rig.port, HEALTH_ROUND_TRIP), ERR_OK);
    boot_as(BOOT_CONFIRMED, SLOT_A);
    EXPECT_EQUAL(rig.report.record.sequence.number, 2); /* what was confirmed once stays so */
}

static void with_both_slots_damaged_nothing_boots_and_nothing_is_written(void)
{
    start_armed();
    rig_slot(&rig, SLOT_A)[0] ^= 1;
    header_of(SLOT_B)[20] ^= 1;
    boot_as(BOOT_NONE, SLOT_NONE);
    EXPECT_EQUAL(rig.report.faults[SLOT_A], IMAGE_FAULT_DIGEST);
    EXPECT(rig.report.faults[SLOT_B] != IMAGE_FAULT_NONE);
    rig_make(&rig, &one);
    rig_slot(&rig, SLOT_A)[0] ^= 1; /* and there never was a record */
    boot_as(BOOT_NONE, SLOT_NONE);
    EXPECT_EQUAL(rig.report.faults[SLOT_B], IMAGE_FAULT_HEADER);
    EXPECT_EQUAL(rig.writes, 0);
}

/* ---- No record ---- */

static void without_a_record_the_newer_image_has_to_prove_itself(void)
{
    struct release peer;
    start();
    rig_release(&rig, &peer, 2, 1, 1500);
    rig_replace(&rig, &peer);
    erase_store(0);
    for (uint32_t i = 0; i < RIG_TRIALS; i++) {
        boot_as(BOOT_TRIAL, SLOT_B);
        EXPECT_EQUAL(rig.report.recovered, i == 0);
    }
    boot_as(BOOT_CONFIRMED, SLOT_A);
}

static void without_a_record_an_image_that_stands_alone_is_confirmed(void)
{
    start_replaced();
    erase_store(0); /* and `one` is below the floor */
    boot_as(BOOT_CONFIRMED, SLOT_B);
    EXPECT(rig.report.recovered);
}

static void without_a_record_and_a_place_for_one_the_older_image_boots_as_a_fallback(void)
{
    struct release peer;
    start();
    rig_release(&rig, &peer, 2, 1, 1500);
    rig_replace(&rig, &peer); /* which is the confirmed one: nobody can know that */
    erase_store(0);
    rig.worn = true;
    for (uint32_t i = 0; i < 2 * RIG_TRIALS; i++) {
        boot_as(BOOT_FALLBACK, SLOT_A);
        EXPECT_EQUAL(rig.last[EVIDENCE_JUMP].value, BOOT_FALLBACK);
        EXPECT_EQUAL(update_confirm(&rig.update, &rig.port, HEALTH_ROUND_TRIP), ERR_IO);
    }
    rig.worn = false;
    boot_as(BOOT_TRIAL, SLOT_B);
}

static void without_a_record_and_a_place_for_one_the_floor_stays(void)
{
    struct release high;
    rig_release(&rig, &high, 1, 3, 1200);
    rig_make(&rig, &high);
    rig.worn = true;
    boot_as(BOOT_FALLBACK, SLOT_A);
    EXPECT_EQUAL(rig.report.floor.level, 0);
    rig.worn = false;
    boot_as(BOOT_CONFIRMED, SLOT_A);
    EXPECT_EQUAL(rig.report.floor.level, 3);
    EXPECT_EQUAL(rig.last[EVIDENCE_RAISE].value, 3);
}

static void a_record_that_cannot_be_read_is_made_anew(void)
{
    static const uint8_t nonsense[] = {0x88, 0x00, 0x01, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00};
    static struct store store;
    start();
    EXPECT_EQUAL(store_mount(&store, &rig.port, 0, 3), ERR_OK);
    /* A trial of the slot that is confirmed: sound CBOR, and no record. */
    EXPECT_EQUAL(store_put(&store, &rig.port, 1, nonsense, sizeof nonsense), ERR_OK);
    boot_as(BOOT_CONFIRMED, SLOT_A);
    EXPECT(rig.report.recovered);
    boot_as(BOOT_CONFIRMED, SLOT_A);
    EXPECT(!rig.report.recovered);
}

static void layouts_that_do_not_fit_are_told(void)
{
    const struct flash_geometry *flash = &rig.port.flash;
    struct slot_layout layout = rig.boot_config.layout;
    EXPECT(slot_layout_is_valid(&layout, flash));
    layout.slots[SLOT_B].first_sector--;
    EXPECT(!slot_layout_is_valid(&layout, flash));
    layout.slots[SLOT_B].first_sector += 2;
    EXPECT(!slot_layout_is_valid(&layout, flash));
    layout = rig.boot_config.layout;
    layout.boot_store.sector_count = 2;
    EXPECT(!slot_layout_is_valid(&layout, flash));
    layout = rig.boot_config.layout;
    layout.slots[SLOT_B].sector_count--;
    EXPECT(!slot_layout_is_valid(&layout, flash));
    layout = rig.boot_config.layout;
    layout.app_store.first_sector = UINT32_MAX;
    EXPECT(!slot_layout_is_valid(&layout, flash));
}

int main(void)
{
    rig_prepare(&rig);
    rig_release(&rig, &one, 1, 1, 1200);
    rig_release(&rig, &two, 2, 2, 1500);
    RUN(a_new_device_boots_its_factory_image_and_starts_a_record);
    RUN(a_confirmed_image_boots_again_and_again);
    RUN(a_trial_boots_under_a_watchdog_and_does_not_raise_the_floor);
    RUN(a_trial_that_nobody_confirms_is_reverted_after_its_boots);
    RUN(a_trial_whose_verification_resets_the_device_is_given_up_as_well);
    RUN(a_trial_that_cannot_be_read_is_reverted);
    RUN(one_wrong_bit_anywhere_in_the_area_reverts_a_trial);
    RUN(a_torn_header_reverts_a_trial);
    RUN(an_image_with_one_right_only_does_not_boot);
    RUN(an_image_that_was_not_armed_does_not_take_the_trial_of_another);
    RUN(what_cannot_be_counted_is_not_tried);
    RUN(a_cut_before_any_write_of_a_boot_costs_at_most_one_trial);
    RUN(the_floor_rises_with_the_confirm);
    RUN(a_floor_that_power_kept_down_rises_with_the_next_boot);
    RUN(nothing_boots_below_the_floor);
    RUN(a_trial_below_the_floor_is_reverted);
    RUN(without_the_floor_nothing_boots);
    RUN(the_other_slot_boots_when_the_confirmed_image_is_damaged);
    RUN(with_both_slots_damaged_nothing_boots_and_nothing_is_written);
    RUN(without_a_record_the_newer_image_has_to_prove_itself);
    RUN(without_a_record_an_image_that_stands_alone_is_confirmed);
    RUN(without_a_record_and_a_place_for_one_the_older_image_boots_as_a_fallback);
    RUN(without_a_record_and_a_place_for_one_the_floor_stays);
    RUN(a_record_that_cannot_be_read_is_made_anew);
    RUN(layouts_that_do_not_fit_are_told);
    rig_free(&rig);
    return 0;
}
