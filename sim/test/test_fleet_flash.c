/* Goal: a fleet's devices have the flash that flash.part names, a plan brings it back without the
 * file, and each fault of flash strikes, does what it says and makes void what it says and nothing
 * else. Method: small fleets from plans made here, run to the end in this process. */
#include <string.h>
#include <unistd.h>

#include "core/check.h"
#include "core/limits.h"
#include "core/test/test.h"
#include "sim/run.h"
#include "sim/test/small_fleet.h"

enum { MINUTE_US = 60000000, DEVICE = 4 /* one cloud, two gateways */, DEVICES = 3 };

_Noreturn void check_failed(const char *file, int line, const char *what)
{
    fprintf(stderr, "CHECK %s:%d: %s\n", file, line, what);
    abort();
}

static void flash_fleet(struct plan *plan, uint64_t seed)
{
    small_fleet(plan, seed);
    small_fleet_set(plan, "flash.sectors", "16");
}

static void managed(struct plan *plan)
{
    small_fleet_set(plan, "firmware.image", "4000");
    small_fleet_set(plan, "firmware.release", "4m");
    small_fleet_set(plan, "firmware.trial", "2m");
}

static void cuts(struct plan *plan)
{
    small_fleet_set(plan, "faults.power_cut", "2m");
    small_fleet_set(plan, "faults.power_cut.on", "device");
    small_fleet_set(plan, "faults.power_cut.lasts", "1s..20s");
    EXPECT(plan_draw_faults(plan));
}

static void run_plan(const struct plan *plan, struct run_result *result)
{
    struct run_request request;
    run_request_init(&request);
    request.plan = plan;
    run(&request, result);
}

static void expect_pass(const struct run_result *result)
{
    if (result->verdict != VERDICT_PASS) {
        fprintf(stderr, "verdict %s: %s\n", verdict_name(result->verdict), result->message);
    }
    EXPECT_EQUAL(result->verdict, VERDICT_PASS);
}

static void strike_all(struct plan *plan, enum effect effect, uint64_t at_us, int64_t amount)
{
    for (uint32_t i = 0; i < DEVICES; i++) {
        EXPECT(plan_append(plan, &(struct plan_entry){.when = PLAN_AT,
                                                      .at_us = at_us,
                                                      .effect = effect,
                                                      .target = DEVICE + i,
                                                      .other = PLAN_ANY,
                                                      .lasts_us = MINUTE_US,
                                                      .amount = amount}));
    }
}

/* ---- flash.part ------------------------------------------------------------------------------ */

static void the_default_part_is_the_flash_without_one(void)
{
    struct plan plan;
    struct run_result without, with;
    flash_fleet(&plan, 1);
    cuts(&plan);
    run_plan(&plan, &without);
    small_fleet_set(&plan, "flash.part", "default");
    run_plan(&plan, &with);
    expect_pass(&without);
    EXPECT(memcmp(without.digest, with.digest, sizeof with.digest) == 0);
    run_result_free(&without);
    run_result_free(&with);
    plan_free(&plan);
}

static void every_part_serves_a_fleet_under_cuts(void)
{
    static const char *const parts[] = {"cached", "dual-bank",   "ecc-16",
                                        "ecc-8",  "erased-zero", "nor-1",
                                        "nor-32", "serial-slow", "unequal"};
    uint64_t probes[PROBE_COUNT] = {0};
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        struct plan plan;
        struct run_result result;
        flash_fleet(&plan, 2 + i);
        managed(&plan);
        small_fleet_set(&plan, "flash.part", parts[i]);
        cuts(&plan);
        run_plan(&plan, &result);
        if (result.verdict != VERDICT_PASS) {
            fprintf(stderr, "part %s\n", parts[i]);
        }
        expect_pass(&result);
        EXPECT(result.exercised[LAW_FLASH_DISCIPLINE] > 100);
        EXPECT(result.exercised[LAW_FLASH_BOUNDS] > 100);
        for (unsigned p = 0; p < PROBE_COUNT; p++) {
            probes[p] += result.probes[p];
        }
        run_result_free(&result);
        plan_free(&plan);
    }
    EXPECT(probes[PROBE_cache_lost] > 0);
    EXPECT(probes[PROBE_ecc_refused] > 0);
    EXPECT(probes[PROBE_cut_inside_erase] > 0);
}

/* Whoever is handed the plan has no file of that name, and no folder of parts either. */
static void a_plan_brings_its_part_along(void)
{
    struct plan plan, back;
    struct run_result first, again;
    char error[256], here[512];
    flash_fleet(&plan, 3);
    small_fleet_set(&plan, "flash.part", "./sim/parts/ecc-8.part");
    cuts(&plan);
    run_plan(&plan, &first);
    expect_pass(&first);
    EXPECT(strncmp(first.plan.settings.text[SETTING_flash_part], "ecc-8: sectors=128x2048; ", 25) ==
           0);
    FILE *file = tmpfile();
    EXPECT(file != NULL && plan_write(&first.plan, file));
    rewind(file);
    if (!plan_read(&back, file, error, sizeof error)) {
        fprintf(stderr, "%s\n", error);
        exit(1);
    }
    fclose(file);
    EXPECT(getcwd(here, sizeof here) != NULL);
    EXPECT(chdir("/") == 0);
    run_plan(&back, &again);
    EXPECT(chdir(here) == 0);
    expect_pass(&again);
    EXPECT(memcmp(first.digest, again.digest, sizeof first.digest) == 0);
    EXPECT(memcmp(first.plan_digest, again.plan_digest, sizeof first.plan_digest) == 0);
    run_result_free(&first);
    run_result_free(&again);
    plan_free(&plan);
    plan_free(&back);
}

static void a_part_that_cannot_serve_is_refused(void)
{
    static const struct {
        const char *part, *image, *says;
    } cases[] = {
        {"nor8", "0", "did you mean 'nor-8'?"},
        {"./no/such.part", "0", "No such file"},
        {"x: sectors=3x4096; unit=8; program_time=1us; erase_time=1ms", "0",
         "has 3 sectors; a device needs 4 at least"},
        {"x: sectors=64x512; unit=8; program_time=1us; erase_time=1ms", "0",
         "has sectors of 512 bytes"},
        {"x: sectors=8x512KiB; unit=8; program_time=1us; erase_time=1ms", "0",
         "a fleet has memory for 262144"},
        {"x: sectors=64x4096; unit=64; program_time=1us; erase_time=1ms", "0",
         "programmed 64 bytes at once"},
        {"x: sectors=64x4096; unit=8; program_time=1us", "0", "ends without 'erase_time'"},
        {"nor-1", "30000", "choose a larger flash.part"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct plan plan;
        struct run_result result;
        flash_fleet(&plan, 1);
        small_fleet_set(&plan, "flash.part", cases[i].part);
        small_fleet_set(&plan, "firmware.image", cases[i].image);
        run_plan(&plan, &result);
        EXPECT_EQUAL(result.verdict, VERDICT_USAGE);
        if (strstr(result.message, cases[i].says) == NULL) {
            fprintf(stderr, "%s: %s\n", cases[i].part, result.message);
        }
        EXPECT(strstr(result.message, cases[i].says) != NULL);
        run_result_free(&result);
        plan_free(&plan);
    }
}

/* port.h has the port catch it. One that does not lets the processor start again and again, and the
 * laws find the device that never comes back. */
static void a_fault_that_nobody_catches_resets_the_device(void)
{
    uint64_t resets = 0, failures = 0;
    for (uint64_t seed = 1; seed <= 6; seed++) {
        struct plan plan;
        struct run_result result;
        flash_fleet(&plan, seed);
        small_fleet_set(&plan, "flash.part", "./sim/parts/hostile/ecc-8-fault.part");
        cuts(&plan);
        run_plan(&plan, &result);
        resets += result.probes[PROBE_ecc_fault];
        failures += result.verdict == VERDICT_FAIL;
        EXPECT(result.verdict == VERDICT_PASS || result.violation.law == LAW_LIVENESS_DELIVERED);
        run_result_free(&result);
        plan_free(&plan);
    }
    EXPECT(resets > 100);
    EXPECT(failures > 0 || OUTBOX_MAX < 256); /* shrunk limits leave little to lose */
}

/* ---- Counters and retained RAM --------------------------------------------------------------- */

static void run_struck(uint64_t seed, enum effect effect, enum port_operation operation,
                       struct run_result *result)
{
    struct plan plan;
    flash_fleet(&plan, seed);
    managed(&plan);
    for (uint32_t i = 0; i < DEVICES; i++) {
        EXPECT(plan_append(&plan, &(struct plan_entry){.when = PLAN_OPERATION,
                                                       .kind = operation,
                                                       .nth = 1,
                                                       .phase = PLAN_INSIDE,
                                                       .fraction = 30000,
                                                       .effect = effect,
                                                       .target = DEVICE + i,
                                                       .other = PLAN_ANY,
                                                       .lasts_us = 1000000}));
    }
    run_plan(&plan, result);
    expect_pass(result);
    EXPECT_EQUAL(result->fired[effect], DEVICES);
    plan_free(&plan);
}

static void a_cut_inside_an_increment_leaves_the_old_value_or_the_new(void)
{
    uint64_t old = 0, new = 0;
    for (uint64_t seed = 0; seed < 6; seed++) {
        struct run_result result;
        run_struck(seed, EFFECT_POWER_CUT, OPERATION_COUNTER_INCREMENT, &result);
        old += result.probes[PROBE_counter_cut_old];
        new += result.probes[PROBE_counter_cut_new];
        run_result_free(&result);
    }
    EXPECT(old > 0 && new > 0);
    EXPECT_EQUAL(old + new, 6 * DEVICES);
}

static void a_cut_inside_the_hand_over_tears_it_and_harms_nothing(void)
{
    for (unsigned i = 0; i < 2; i++) {
        struct run_result result;
        run_struck(7 + i, i == 0 ? EFFECT_CRASH : EFFECT_POWER_CUT, OPERATION_RETAINED_WRITE,
                   &result);
        EXPECT_EQUAL(result.probes[PROBE_cut_inside_retained], DEVICES);
        EXPECT_EQUAL(result.figures[FIGURE_updated], DEVICES);
        run_result_free(&result);
    }
}

/* ---- Faults ---------------------------------------------------------------------------------- */

/* What each of them is to be seen by, and how much of it is asked for. */
static const struct {
    enum effect effect;
    enum figure figure;
    int64_t amount;
} faults[] = {
    {EFFECT_FLASH_BAD, FIGURE_flash_refused, 8},
    {EFFECT_FLASH_BAD_SILENT, FIGURE_flash_ignored, 8},
    {EFFECT_FLASH_ROT, FIGURE_flash_faded, 4},
    {EFFECT_FLASH_STUCK, FIGURE_COUNT, 2000},
    {EFFECT_FLASH_DISTURB, FIGURE_flash_weak, 8},
    {EFFECT_FLASH_BROWN_OUT, FIGURE_flash_garbled, 1000000},
    {EFFECT_FLASH_WEAR, FIGURE_flash_worn, 1},
};
enum { FAULTS = sizeof faults / sizeof faults[0] };

static void each_fault_strikes_and_voids_what_it_says_and_nothing_else(void)
{
    for (unsigned i = 0; i < FAULTS; i++) {
        struct plan plan;
        struct run_result result, calm;
        const enum effect effect = faults[i].effect;
        flash_fleet(&plan, 20 + i);
        small_fleet_set(&plan, "sample_every", "5s"); /* so that sectors are erased, too */
        run_plan(&plan, &calm);
        strike_all(&plan, effect, 5 * (uint64_t)MINUTE_US, faults[i].amount);
        run_plan(&plan, &result);
        if (result.verdict != VERDICT_PASS) {
            fprintf(stderr, "%s\n", effect_info(effect).name);
        }
        expect_pass(&result);
        EXPECT_EQUAL(result.fired[effect], DEVICES);
        EXPECT(memcmp(result.digest, calm.digest, sizeof calm.digest) != 0);
        if (faults[i].figure < FIGURE_COUNT) {
            EXPECT(result.figures[faults[i].figure] > 0);
            EXPECT_EQUAL(calm.figures[faults[i].figure], 0);
        }
        for (unsigned law = 0; law < LAW_COUNT; law++) {
            EXPECT_EQUAL(result.is_void[law],
                         effect_voids(effect, ROLE_MASK_DEVICE, (enum law)law));
            EXPECT(!effect_voids(effect, ROLE_MASK_GATEWAY, (enum law)law));
            EXPECT(!effect_voids(effect, ROLE_MASK_CLOUD, (enum law)law));
        }
        run_result_free(&result);
        run_result_free(&calm);
        plan_free(&plan);
    }
}

/* One lost bit of a word ECC puts right, two it gives up: both are met in one image. */
static void rot_on_ecc_is_corrected_or_refused(void)
{
    struct plan plan;
    struct run_result result;
    flash_fleet(&plan, 30);
    managed(&plan);
    small_fleet_set(&plan, "flash.part", "ecc-16");
    strike_all(&plan, EFFECT_FLASH_ROT, 10 * (uint64_t)MINUTE_US, 40);
    strike_all(&plan, EFFECT_POWER_CUT, 11 * (uint64_t)MINUTE_US, 0); /* all is read again */
    run_plan(&plan, &result);
    expect_pass(&result);
    EXPECT(result.probes[PROBE_ecc_corrected] > 0);
    EXPECT(result.figures[FIGURE_flash_poisoned] > 0);
    run_result_free(&result);
    plan_free(&plan);
}

/* The rest of the fleet owes all that it owed. */
static void a_fault_at_one_device_voids_nothing_at_another(void)
{
    struct plan plan;
    struct run_result result;
    flash_fleet(&plan, 40);
    small_fleet_set(&plan, "run.heal",
                    "0"); /* nothing that the others signed last can have arrived */
    strike_all(&plan, EFFECT_FLASH_BAD, 5 * (uint64_t)MINUTE_US, 1);
    EXPECT(plan_append(&plan, &(struct plan_entry){.when = PLAN_AT,
                                                   .at_us = 1,
                                                   .effect = EFFECT_PARTITION,
                                                   .target = 1,
                                                   .other = PLAN_ANY,
                                                   .lasts_us = 20 * (uint64_t)MINUTE_US}));
    run_plan(&plan, &result);
    expect_pass(&result); /* all three are void */
    run_result_free(&result);
    plan.entry_count = 0;
    strike_all(&plan, EFFECT_FLASH_BAD, 5 * (uint64_t)MINUTE_US, 1);
    plan.entry_count = 2; /* and now one of them is not */
    EXPECT(plan_append(&plan, &(struct plan_entry){.when = PLAN_AT,
                                                   .at_us = 1,
                                                   .effect = EFFECT_PARTITION,
                                                   .target = 1,
                                                   .other = PLAN_ANY,
                                                   .lasts_us = 20 * (uint64_t)MINUTE_US}));
    run_plan(&plan, &result);
    EXPECT_EQUAL(result.verdict, VERDICT_FAIL);
    EXPECT_EQUAL(result.violation.law, LAW_LIVENESS_DELIVERED);
    run_result_free(&result);
    plan_free(&plan);
}

static void faults_of_a_part_void_their_laws_from_the_start(void)
{
    struct plan plan;
    struct run_result result;
    flash_fleet(&plan, 50);
    small_fleet_set(&plan, "sample_every", "5s");
    small_fleet_set(
        &plan, "flash.part",
        "old: sectors=16x4096; unit=8; program_time=25us; erase_time=45ms; endurance=1; worn=loud; "
        "disturb=5; retention=10m");
    small_fleet_set(&plan, "flash.sectors", "6");
    run_plan(&plan, &result);
    expect_pass(&result);
    EXPECT(result.figures[FIGURE_flash_worn] > 0);
    EXPECT(result.figures[FIGURE_flash_weak] > 0);
    EXPECT(result.figures[FIGURE_flash_faded] > 0);
    EXPECT(result.is_void[LAW_LIVENESS_DELIVERED] && result.is_void[LAW_FLASH_DISCIPLINE]);
    EXPECT(!result.is_void[LAW_TELEMETRY_DURABLE] && !result.is_void[LAW_CORE_CHECK]);
    run_result_free(&result);
    plan_free(&plan);
}

int main(void)
{
    RUN(the_default_part_is_the_flash_without_one);
    RUN(every_part_serves_a_fleet_under_cuts);
    RUN(a_plan_brings_its_part_along);
    RUN(a_part_that_cannot_serve_is_refused);
    RUN(a_fault_that_nobody_catches_resets_the_device);
    RUN(a_cut_inside_an_increment_leaves_the_old_value_or_the_new);
    RUN(a_cut_inside_the_hand_over_tears_it_and_harms_nothing);
    RUN(each_fault_strikes_and_voids_what_it_says_and_nothing_else);
    RUN(rot_on_ecc_is_corrected_or_refused);
    RUN(a_fault_at_one_device_voids_nothing_at_another);
    RUN(faults_of_a_part_void_their_laws_from_the_start);
    return 0;
}
