/* Goal: every setting takes what is possible and refuses the rest with a word that helps.
 * Method: values and keys at and beyond their bounds; each refusal is looked at. */
#include "sim/setting.h"

#include <string.h>

#include "core/check.h"
#include "core/test/test.h"

_Noreturn void check_failed(const char *file, int line, const char *what)
{
    fprintf(stderr, "CHECK %s:%d: %s\n", file, line, what);
    abort();
}

static char error[256];

static bool set(struct settings *settings, const char *key, const char *value)
{
    error[0] = '\0';
    return settings_set(settings, key, value, error, sizeof error);
}

static bool refused(struct settings *settings, const char *key, const char *value, const char *word)
{
    const bool taken = set(settings, key, value);
    if (taken || strstr(error, word) == NULL) {
        fprintf(stderr, "%s = %s: '%s' does not say '%s'\n", key, value, error, word);
        return false;
    }
    return true;
}

static void durations_read_and_print_in_their_shortest_form(void)
{
    static const struct {
        const char *text;
        uint64_t us;
    } good[] = {{"0", 0},
                {"250us", 250},
                {"20ms", 20000},
                {"90s", 90000000},
                {"10m", 600000000},
                {"1h30m", UINT64_C(5400000000)},
                {"2d", UINT64_C(172800000000)}};
    static const char *const bad[] = {"",    "10",     "m",    "1x",
                                      "-5s", "1h 30m", "1.5h", "99999999999999999d"};
    char text[64];
    uint64_t us;
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        EXPECT(duration_parse(good[i].text, &us));
        EXPECT_EQUAL(us, good[i].us);
        duration_print(us, text, sizeof text);
        uint64_t back;
        EXPECT(duration_parse(text, &back));
        EXPECT_EQUAL(back, us);
    }
    duration_print(90000000, text, sizeof text);
    EXPECT(strcmp(text, "1m30s") == 0);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        EXPECT(!duration_parse(bad[i], &us));
    }
}

static void a_key_may_be_an_unambiguous_tail(void)
{
    struct settings settings;
    settings_init(&settings);
    EXPECT(set(&settings, "devices", "7"));
    EXPECT_EQUAL(settings.number[SETTING_fleet_devices], 7);
    EXPECT(set(&settings, "fleet.devices", "8"));
    EXPECT_EQUAL(settings.number[SETTING_fleet_devices], 8);
    EXPECT(refused(&settings, "window", "8", "ambiguous"));
    EXPECT(refused(&settings, "fleet.devises", "8", "did you mean"));
    EXPECT(refused(&settings, "zzzzzzzz", "8", "no setting"));
}

static void values_are_bounded(void)
{
    struct settings settings;
    settings_init(&settings);
    EXPECT(refused(&settings, "devices", "0", "out of range"));
    EXPECT(refused(&settings, "devices", "-1", "whole number"));
    EXPECT(refused(&settings, "devices", "99999999999999999999", "whole number"));
    EXPECT(refused(&settings, "devices", "many", "whole number"));
    EXPECT(refused(&settings, "run.duration", "10", "duration"));
    EXPECT(refused(&settings, "run.duration", "0", "out of range"));
    EXPECT(refused(&settings, "crypto", "rot13", "none of"));
    EXPECT(set(&settings, "crypto", "ideal"));
    EXPECT_EQUAL(settings.number[SETTING_run_crypto], 1);
}

static void faults_have_fields_of_their_own(void)
{
    struct settings settings;
    settings_init(&settings);
    EXPECT(set(&settings, "faults.power_cut", "2h"));
    EXPECT_EQUAL(settings.faults[EFFECT_POWER_CUT].every_us, UINT64_C(7200000000));
    EXPECT(set(&settings, "faults.power_cut.lasts", "10s..5m"));
    EXPECT_EQUAL(settings.faults[EFFECT_POWER_CUT].lasts_max_us, 300000000);
    EXPECT(set(&settings, "faults.power_cut.on", "device,gateway"));
    EXPECT(set(&settings, "faults.wall_step.amount", "-1h..1h"));
    EXPECT_EQUAL(settings.faults[EFFECT_WALL_STEP].amount_min, -INT64_C(3600000000));
    EXPECT(refused(&settings, "faults.powercut", "2h", "did you mean 'power_cut'"));
    EXPECT(refused(&settings, "faults.power_cut.amount", "3", "has no 'amount'"));
    EXPECT(refused(&settings, "faults.link_reset.lasts", "3s", "has no 'lasts'"));
    EXPECT(refused(&settings, "faults.disk_full.on", "device", "it can strike"));
    EXPECT(refused(&settings, "faults.disk_error.amount", "0..5", "within"));
    EXPECT(set(&settings, "faults.flash_rot.amount", "3..9"));
    EXPECT_EQUAL(settings.faults[EFFECT_FLASH_ROT].amount_max, 9);
    EXPECT(refused(&settings, "faults.flash_rot.amount", "0..9", "within 1..100000"));
    EXPECT(refused(&settings, "faults.flash_bad.amount", "65", "within 1..64"));
    EXPECT(strstr(error, "million") == NULL); /* a count, not a share */
    EXPECT(refused(&settings, "faults.flash_rot.on", "gateway", "it can strike device"));
    EXPECT(refused(&settings, "faults.flash_bad.lasts", "1s", "has no 'lasts'"));
    EXPECT(refused(&settings, "faults.power_cut.lasts", "5m..10s", "range"));
}

static void settings_that_contradict_each_other_are_refused(void)
{
    struct settings settings;
    settings_init(&settings);
    EXPECT(settings_check(&settings, error, sizeof error));
    EXPECT(set(&settings, "device.window", "16"));
    EXPECT(set(&settings, "cloud.window", "8"));
    EXPECT(!settings_check(&settings, error, sizeof error));
    EXPECT(strstr(error, "device.window") != NULL);
    EXPECT(set(&settings, "device.window", "8"));
    EXPECT(set(&settings, "cloud.window", "12"));
    EXPECT(settings_check(&settings, error, sizeof error));
    EXPECT(set(&settings, "device.window", "1"));
    EXPECT(set(&settings, "cloud.window", "1"));
    EXPECT(settings_check(&settings, error, sizeof error));
    EXPECT(!set(&settings, "cloud.window", "0"));
    EXPECT(set(&settings, "flash.unit", "3"));
    EXPECT(!settings_check(&settings, error, sizeof error));
    EXPECT(set(&settings, "flash.unit", "4"));
    EXPECT(settings_check(&settings, error, sizeof error));
    EXPECT(set(&settings, "flash.part", "ecc-8")); /* which has a unit of its own */
    EXPECT(!settings_check(&settings, error, sizeof error));
    EXPECT(strstr(error, "leave flash.sector and flash.unit out") != NULL);
    EXPECT(set(&settings, "flash.unit", "8"));
    EXPECT(settings_check(&settings, error, sizeof error));
}

static unsigned lines;

static void take_line(void *ctx, const char *key, const char *value)
{
    char reason[256];
    lines++;
    EXPECT(settings_set(ctx, key, value, reason, sizeof reason));
}

static void what_differs_from_the_defaults_brings_them_back(void)
{
    struct settings settings, back;
    settings_init(&settings);
    settings_init(&back);
    EXPECT(set(&settings, "devices", "7"));
    EXPECT(set(&settings, "crypto", "ideal"));
    EXPECT(set(&settings, "link.device", "nb-iot"));
    EXPECT(set(&settings, "faults.wall_step", "3h"));
    EXPECT(set(&settings, "faults.wall_step.amount", "-10m..5s"));
    lines = 0;
    settings_each(&settings, take_line, &back);
    EXPECT_EQUAL(lines, 5);
    EXPECT(memcmp(settings.number, back.number, sizeof back.number) == 0);
    EXPECT(memcmp(settings.faults, back.faults, sizeof back.faults) == 0);
    EXPECT(strcmp(back.text[SETTING_link_device], "nb-iot") == 0);
}

int main(void)
{
    RUN(durations_read_and_print_in_their_shortest_form);
    RUN(a_key_may_be_an_unambiguous_tail);
    RUN(values_are_bounded);
    RUN(faults_have_fields_of_their_own);
    RUN(settings_that_contradict_each_other_are_refused);
    RUN(what_differs_from_the_defaults_brings_them_back);
    return 0;
}
