/* Goal: what the boot loader knew reaches the image that it jumps to, once, whole, or not at all.
 * Method: reports of real boots are handed over and taken, and every byte on the way is spoilt. */
#include "core/handover.h"

#include <string.h>

#include "core/check.h"
#include "core/test/firmware_rig.h"
#include "core/test/test.h"

static struct rig rig;
static struct release one, two;
static struct boot_report taken;
static struct store store;

_Noreturn void check_failed(const char *file, int line, const char *what)
{
    fprintf(stderr, "%s:%d: check failed: %s\n", file, line, what);
    exit(1);
}

static enum err take(void)
{
    memset(&taken, 0x5a, sizeof taken);
    return handover_take(&rig.port, &rig.boot_config, &store, &taken);
}

static void boot_and_write(void)
{
    rig_power(&rig, 0);
    EXPECT_EQUAL(rig_boot(&rig), ERR_OK);
    EXPECT_EQUAL(handover_write(&rig.port, &rig.report), ERR_OK);
}

static void expect_same(void)
{
    EXPECT_EQUAL(taken.outcome, rig.report.outcome);
    EXPECT_EQUAL(taken.slot, rig.report.slot);
    EXPECT_EQUAL(taken.reverted, rig.report.reverted);
    EXPECT_EQUAL(taken.recovered, rig.report.recovered);
    EXPECT_EQUAL(taken.faults[SLOT_A], rig.report.faults[SLOT_A]);
    EXPECT_EQUAL(taken.faults[SLOT_B], rig.report.faults[SLOT_B]);
    EXPECT_EQUAL(taken.floor.level, rig.report.floor.level);
    EXPECT_EQUAL(taken.manifest.sequence.number, rig.report.manifest.sequence.number);
    EXPECT_EQUAL(taken.record.confirmed, rig.report.record.confirmed);
    EXPECT_EQUAL(taken.record.trial.slot, rig.report.record.trial.slot);
    EXPECT_EQUAL(taken.record.trial.trials.left, rig.report.record.trial.trials.left);
    EXPECT_EQUAL(taken.record.revert.sequence.number, rig.report.record.revert.sequence.number);
    EXPECT_EQUAL(taken.record.revert.reason, rig.report.record.revert.reason);
}

static void each_kind_of_boot_is_handed_over(void)
{
    rig_make(&rig, &one);
    boot_and_write(); /* there was no record */
    EXPECT(rig.report.recovered);
    EXPECT_EQUAL(take(), ERR_OK);
    expect_same();
    EXPECT_EQUAL(rig_install(&rig, &two), ERR_OK);
    for (uint32_t boot = 0; boot <= RIG_TRIALS; boot++) {
        boot_and_write();
        EXPECT_EQUAL(rig.report.outcome, boot < RIG_TRIALS ? BOOT_TRIAL : BOOT_CONFIRMED);
        EXPECT_EQUAL(rig.report.reverted, boot == RIG_TRIALS);
        EXPECT_EQUAL(take(), ERR_OK);
        expect_same();
    }
}

static void a_boot_without_a_record_is_handed_over(void)
{
    rig_make(&rig, &one);
    rig.worn = true; /* and no place for one */
    rig_power(&rig, 0);
    EXPECT_EQUAL(rig_boot(&rig), ERR_OK);
    EXPECT_EQUAL(rig.report.outcome, BOOT_FALLBACK);
    rig.worn = false;
    EXPECT_EQUAL(handover_write(&rig.port, &rig.report), ERR_OK);
    EXPECT_EQUAL(take(), ERR_OK);
    expect_same();
    update_init(&rig.update, &rig.update_config, &rig.port, &taken);
    EXPECT_EQUAL(rig.update.state, UPDATE_FAILED);
}

static void it_is_taken_once(void)
{
    rig_make(&rig, &one);
    EXPECT_EQUAL(take(), ERR_CORRUPT); /* no boot loader ran */
    boot_and_write();
    EXPECT_EQUAL(take(), ERR_OK);
    EXPECT_EQUAL(take(), ERR_CORRUPT);
}

static void any_byte_that_is_spoilt_is_seen(void)
{
    rig_make(&rig, &one);
    for (uint32_t i = 0; i < RETAINED_BYTES; i++) {
        boot_and_write();
        rig.retained[i] ^= 0x10;
        EXPECT_EQUAL(take(), ERR_CORRUPT);
        EXPECT_EQUAL(taken.outcome, BOOT_NONE);
    }
}

static void a_slot_that_changed_since_is_seen(void)
{
    rig_make(&rig, &one);
    boot_and_write();
    rig_slot(&rig, SLOT_A)[-RIG_SECTOR_BYTES + 40] ^= 1; /* in its header */
    EXPECT_EQUAL(take(), ERR_CORRUPT);
}

static void power_that_goes_is_no_report(void)
{
    rig_make(&rig, &one);
    boot_and_write();
    rig_power(&rig, 1);
    EXPECT_EQUAL(take(), ERR_IO);
    EXPECT_EQUAL(taken.outcome, BOOT_NONE);
}

int main(void)
{
    rig_prepare(&rig);
    rig_release(&rig, &one, 1, 1, 1200);
    rig_release(&rig, &two, 2, 2, 1500);
    RUN(each_kind_of_boot_is_handed_over);
    RUN(a_boot_without_a_record_is_handed_over);
    RUN(it_is_taken_once);
    RUN(any_byte_that_is_spoilt_is_seen);
    RUN(a_slot_that_changed_since_is_seen);
    RUN(power_that_goes_is_no_report);
    rig_free(&rig);
    return 0;
}
