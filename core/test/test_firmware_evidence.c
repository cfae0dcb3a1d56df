/* Goal: boot loader and update agent say what they did, with the numbers that evidence.h names, and
 * never say of a cut device what is not in its flash. Method: one device is led through an install,
 * a revert, refusals and a strand; then an install is cut before each write, and what was said by
 * then must hold after the next boot. */
#include "core/boot.h"
#include "core/update.h"

#include <string.h>

#include "core/check.h"
#include "core/test/firmware_rig.h"
#include "core/test/test.h"

enum { DEVICE = 9 };

static struct rig rig;
static struct release one, two;

_Noreturn void check_failed(const char *file, int line, const char *what)
{
    fprintf(stderr, "%s:%d: check failed: %s\n", file, line, what);
    exit(1);
}

/* Said once since the last start, and so. */
static void expect_said(enum evidence_kind kind, uint32_t epoch, uint64_t counter, uint64_t value)
{
    const struct evidence *last = &rig.last[kind];
    EXPECT_EQUAL(rig.said[kind], 1);
    EXPECT_EQUAL(last->device, DEVICE);
    EXPECT_EQUAL(last->epoch, epoch);
    EXPECT_EQUAL(last->counter, counter);
    EXPECT_EQUAL(last->value, value);
    rig.said[kind] = 0;
}

/* Nothing else was said than what expect_said has taken note of. */
static void expect_silence(void)
{
    for (uint32_t kind = 0; kind < EVIDENCE_COUNT; kind++) {
        EXPECT_EQUAL(rig.said[kind], 0);
    }
}

static void boot(enum err err)
{
    rig_power(&rig, 0);
    EXPECT_EQUAL(rig_boot(&rig), err);
}

static void start(void)
{
    rig_make(&rig, &one);
    boot(ERR_OK);
    memset(rig.said, 0, sizeof rig.said);
}

static void a_boot_says_where_it_jumps_and_that_the_floor_rose(void)
{
    rig_make(&rig, &one);
    memset(rig.said, 0, sizeof rig.said);
    boot(ERR_OK);
    expect_said(EVIDENCE_RAISE, 0, 0, 1);
    expect_said(EVIDENCE_JUMP, SLOT_A, 1, BOOT_CONFIRMED);
    boot(ERR_OK);
    expect_said(EVIDENCE_JUMP, SLOT_A, 1, BOOT_CONFIRMED);
    expect_silence();
}

static void an_install_is_told_step_by_step(void)
{
    start();
    EXPECT_EQUAL(rig_install(&rig, &two), ERR_OK);
    EXPECT_EQUAL(rig.said[EVIDENCE_FILL], 3); /* sectors of 512 bytes */
    rig.said[EVIDENCE_FILL] = 1;
    expect_said(EVIDENCE_TAKE, 0, 2, 0);
    expect_said(EVIDENCE_FILL, 0, 2, 1500);
    expect_said(EVIDENCE_ARM, SLOT_B, 2, RIG_TRIALS);
    expect_silence();
    boot(ERR_OK);
    expect_said(EVIDENCE_JUMP, SLOT_B, 2, BOOT_TRIAL);
    expect_silence(); /* the floor did not rise */
    EXPECT_EQUAL(update_confirm(&rig.update, &rig.port, HEALTH_ROUND_TRIP), ERR_OK);
    expect_said(EVIDENCE_CONFIRM, SLOT_B, 2, 0);
    expect_said(EVIDENCE_RAISE, 0, 0, 2);
    expect_silence();
}

static void a_revert_is_told_once(void)
{
    start();
    EXPECT_EQUAL(rig_install(&rig, &two), ERR_OK);
    for (uint32_t i = 0; i < RIG_TRIALS; i++) {
        boot(ERR_OK);
    }
    memset(rig.said, 0, sizeof rig.said);
    boot(ERR_OK);
    expect_said(EVIDENCE_REVERT, 0, 2, IMAGE_FAULT_TRIALS);
    expect_said(EVIDENCE_JUMP, SLOT_A, 1, BOOT_CONFIRMED);
    boot(ERR_OK);
    expect_said(EVIDENCE_JUMP, SLOT_A, 1, BOOT_CONFIRMED);
    expect_silence();
}

static void a_refused_offer_is_told_with_its_reason(void)
{
    struct release strange = two;
    start();
    EXPECT_EQUAL(rig_install(&rig, &one), ERR_DENIED);
    expect_said(EVIDENCE_DECLINE, 0, 1, IMAGE_FAULT_SEQUENCE);
    strange.envelopes.operator_bytes = 0;
    EXPECT_EQUAL(rig_install(&rig, &strange), ERR_DENIED);
    expect_said(EVIDENCE_DECLINE, 0, 0, IMAGE_FAULT_OPERATOR); /* no number that is not authentic */
    expect_silence();
}

static void a_device_that_no_image_boots_says_what_is_wrong_with_each(void)
{
    start();
    rig_slot(&rig, SLOT_A)[0] ^= 1;
    boot(ERR_NOT_FOUND);
    expect_said(EVIDENCE_STRAND, 0, 0,
                (uint64_t)IMAGE_FAULT_DIGEST | (uint64_t)IMAGE_FAULT_HEADER << 8);
    expect_silence();
}

/* Also what a resumed download says is durable already. */
static void what_is_said_of_an_install_that_is_cut_holds_after_the_next_boot(void)
{
    uint32_t cuts = 0, filled = 0, armed = 0;
    for (bool done = false; !done; cuts++) {
        start();
        rig_power(&rig, cuts + 1);
        done = rig_install(&rig, &two) == ERR_OK && !rig.dead;
        const uint64_t durable = rig.said[EVIDENCE_FILL] > 0 ? rig.last[EVIDENCE_FILL].value : 0;
        const bool is_armed = rig.said[EVIDENCE_ARM] > 0;
        filled += durable > 0;
        armed += is_armed;
        boot(ERR_OK);
        EXPECT(!is_armed || rig.report.outcome == BOOT_TRIAL);
        if (rig.report.outcome == BOOT_CONFIRMED) {
            memset(rig.said, 0, sizeof rig.said);
            EXPECT_EQUAL(rig_install(&rig, &two), ERR_OK);
            EXPECT_EQUAL(rig.said[EVIDENCE_TAKE], 1);
            EXPECT(rig.last[EVIDENCE_TAKE].value >= durable);
        }
    }
    EXPECT(filled > 10);
    EXPECT_EQUAL(armed, 1);
}

static void what_is_said_of_a_confirm_that_is_cut_holds_after_the_next_boot(void)
{
    uint32_t confirmed = 0, raised = 0;
    bool done = false;
    for (uint32_t cut = 1; !done; cut++) {
        start();
        EXPECT_EQUAL(rig_install(&rig, &two), ERR_OK);
        boot(ERR_OK);
        memset(rig.said, 0, sizeof rig.said);
        rig_power(&rig, cut);
        const enum err err = update_confirm(&rig.update, &rig.port, HEALTH_ROUND_TRIP);
        EXPECT(err == ERR_OK || rig.dead);
        done = !rig.dead;
        const bool said = rig.said[EVIDENCE_CONFIRM] > 0;
        confirmed += said;
        raised += rig.said[EVIDENCE_RAISE];
        EXPECT(rig.said[EVIDENCE_RAISE] == 0 || rig.counters[COUNTER_SECURITY] == 2);
        boot(ERR_OK);
        EXPECT_EQUAL(rig.report.outcome, said ? BOOT_CONFIRMED : BOOT_TRIAL);
    }
    EXPECT_EQUAL(raised, 1);
    EXPECT_EQUAL(confirmed, 2); /* one cut fell in between */
}

int main(void)
{
    rig_prepare(&rig);
    rig.boot_config.device = DEVICE;
    rig.update_config.boot.device = DEVICE;
    rig_release(&rig, &one, 1, 1, 1200);
    rig_release(&rig, &two, 2, 2, 1500);
    RUN(a_boot_says_where_it_jumps_and_that_the_floor_rose);
    RUN(an_install_is_told_step_by_step);
    RUN(a_revert_is_told_once);
    RUN(a_refused_offer_is_told_with_its_reason);
    RUN(a_device_that_no_image_boots_says_what_is_wrong_with_each);
    RUN(what_is_said_of_an_install_that_is_cut_holds_after_the_next_boot);
    RUN(what_is_said_of_a_confirm_that_is_cut_holds_after_the_next_boot);
    rig_free(&rig);
    return 0;
}
