#include "sim/swarm.h"

#include <stdbool.h>
#include <stdio.h>

#include "core/device.h"
#include "sim/firmware.h"
#include "sim/heal_core.h"
#include "sim/random.h"

enum {
    ATTEMPTS = 64, /* until settings fit each other; then the scenario's own stay */
    RARE = 8,      /* one in so many */
    SECTOR_BITS_MIN = 10,
    SECTOR_BITS_MAX = 14,
    UNIT_BITS_MAX = 5,
    SECTORS_MIN = 4,
    SECTORS_MAX = 64,
    PPM = 1000000,
};

static struct random_stream stream_of(uint64_t seed, uint32_t attempt, const char *what)
{
    char name[96];
    snprintf(name, sizeof name, "swarm/%u/%s", (unsigned)attempt, what);
    return (struct random_stream){random_key(seed, name), 0};
}

/* low..high, each order of magnitude (of two) as likely as another. 1 <= low <= high. */
static uint64_t log_between(struct random_stream *draws, uint64_t low, uint64_t high)
{
    unsigned first = 0, last = 0;
    while (low >> (first + 1) != 0) {
        first++;
    }
    while (high >> (last + 1) != 0) {
        last++;
    }
    const uint64_t bits = random_between(draws, first, last);
    const uint64_t floor = UINT64_C(1) << bits, ceiling = floor + (floor - 1);
    return random_between(draws, floor > low ? floor : low, ceiling < high ? ceiling : high);
}

/* Likewise, as a person would write it. */
static uint64_t log_time_us(struct random_stream *draws, uint64_t low_us, uint64_t high_us)
{
    const uint64_t us = log_between(draws, low_us, high_us);
    const uint64_t unit_us = us >= 60000000 ? 1000000 : us >= 1000000 ? 100000 : 1000;
    return us - us % unit_us >= low_us ? us - us % unit_us : us;
}

/* ---- settings -------------------------------------------------------------------------------- */

struct knob {
    enum setting setting;
    const char *name;
    uint64_t low, high;
    bool is_time;
};

static void turn(struct settings *settings, uint64_t seed, uint32_t attempt,
                 const struct knob *knob)
{
    struct random_stream draws = stream_of(seed, attempt, knob->name);
    const uint64_t most = setting_max(knob->setting); /* less than wanted with tiny limits */
    const uint64_t high = knob->high < most ? knob->high : most;
    if (knob->low <= high) {
        settings->number[knob->setting] = knob->is_time ? log_time_us(&draws, knob->low, high)
                                                        : log_between(&draws, knob->low, high);
    }
}

static void draw_topology(struct settings *settings, uint64_t seed, uint32_t attempt)
{
    struct random_stream draws = stream_of(seed, attempt, "topology");
    uint64_t *number = settings->number;
    const uint64_t devices = number[SETTING_fleet_devices];
    number[SETTING_fleet_gateways] += random_below(&draws, 4);
    number[SETTING_fleet_rogues] += random_below(&draws, 2) * random_below(&draws, 3);
    number[SETTING_fleet_devices] = log_between(&draws, devices, 3 * devices);
    const uint64_t gateways = number[SETTING_fleet_gateways] + number[SETTING_fleet_rogues];
    number[SETTING_device_gateways] =
        random_between(&draws, 1, gateways < DEVICE_GATEWAYS_MAX ? gateways : DEVICE_GATEWAYS_MAX);
}

static void draw_configuration(struct settings *settings, uint64_t seed, uint32_t attempt)
{
    const uint64_t sample_us = settings->number[SETTING_device_sample_every];
    const struct knob knobs[] = {
        {SETTING_device_sample_every, "sample_every", sample_us / 8 + 100000, sample_us, true},
        {SETTING_device_reserve, "reserve", 1, 256, false},
        {SETTING_device_window, "device_window", 1, 64, false},
        {SETTING_cloud_window, "cloud_window", 1, 256, false},
        {SETTING_device_outbox, "outbox", 2, 256, false},
        {SETTING_device_backoff_base, "backoff_base", 10000, 5000000, true},
        {SETTING_device_backoff_cap, "backoff_cap", 1000000, 120000000, true},
        {SETTING_device_ack_timeout, "ack_timeout", 10000000, 300000000, true},
        {SETTING_device_watchdog, "device_watchdog", 60000000, 600000000, true},
        {SETTING_gateway_queue, "queue", 4, 1024, false},
        {SETTING_gateway_share, "share", 1, 256, false},
        {SETTING_gateway_backoff_base, "gateway_backoff_base", 10000, 1000000, true},
        {SETTING_gateway_backoff_cap, "gateway_backoff_cap", 1000000, 60000000, true},
        {SETTING_gateway_watchdog, "gateway_watchdog", 60000000, 600000000, true},
        {SETTING_cloud_watchdog, "cloud_watchdog", 60000000, 600000000, true},
    };
    static const enum setting latitudes[] = {SETTING_latitude_short_sends, SETTING_latitude_chunks,
                                             SETTING_latitude_early_timers};
    for (unsigned i = 0; i < sizeof knobs / sizeof knobs[0]; i++) {
        turn(settings, seed, attempt, &knobs[i]);
    }
    struct random_stream draws = stream_of(seed, attempt, "latitude");
    for (unsigned i = 0; i < sizeof latitudes / sizeof latitudes[0]; i++) {
        const uint64_t ppm = log_between(&draws, 1000, PPM / 2);
        settings->number[latitudes[i]] = random_below(&draws, 2) == 0 ? 0 : ppm;
    }
}

/* First whether the run has a shape at all, then which: busy and idle devices, bursts. */
static void draw_workload(struct settings *settings, uint64_t seed, uint32_t attempt)
{
    struct random_stream draws = stream_of(seed, attempt, "workload");
    uint64_t *number = settings->number;
    const uint64_t every_us = number[SETTING_device_sample_every];
    const bool shaped = random_below(&draws, 2) == 0;
    const bool uneven = random_below(&draws, 2) == 0;
    const bool bursts = random_below(&draws, 2) == 0;
    const uint64_t hot = log_between(&draws, 2, 8), skew = random_between(&draws, 1, 3);
    const uint64_t burst = log_between(&draws, 2, 64);
    const uint64_t idle_us =
        log_time_us(&draws, 4 * every_us, 8 * every_us + number[SETTING_run_duration] / 8);
    const uint64_t packet_id = 65536 - log_between(&draws, 1, 64);
    const bool wraps = random_below(&draws, 2) == 0;
    if (shaped && wraps) {
        number[SETTING_workload_packet_id] = packet_id;
    }
    if (shaped && uneven) {
        number[SETTING_workload_hot] = hot;
        number[SETTING_workload_skew] = skew;
    }
    if (shaped && bursts) {
        number[SETTING_workload_burst] = burst;
        number[SETTING_workload_idle] = idle_us;
    }
}

static void draw_media(struct settings *settings, uint64_t seed, uint32_t attempt)
{
    static const char *const links[] = {"nb-iot", "lte-m",        "3g",       "satellite",
                                        "wifi",   "wifi-factory", "ethernet", "leo"};
    struct random_stream draws = stream_of(seed, attempt, "media");
    const uint64_t device = random_below(&draws, 8), gateway = random_between(&draws, 4, 7);
    const uint64_t sector = random_between(&draws, SECTOR_BITS_MIN, SECTOR_BITS_MAX);
    const uint64_t unit = random_between(&draws, 0, UNIT_BITS_MAX);
    snprintf(settings->text[SETTING_link_device], SETTING_TEXT_BYTES, "%s", links[device]);
    snprintf(settings->text[SETTING_link_gateway], SETTING_TEXT_BYTES, "%s", links[gateway]);
    if (settings->text[SETTING_flash_part][0] == '\0') {
        settings->number[SETTING_flash_sector] = UINT64_C(1) << sector;
        settings->number[SETTING_flash_unit] = UINT64_C(1) << unit;
    }
}

/* ---- faults ---------------------------------------------------------------------------------- */

/* Where they strike often, little else is ever reached. */
static bool is_suppressor(enum effect effect)
{
    static const enum effect list[] = {
        EFFECT_POWER_CUT,   EFFECT_CRASH,     EFFECT_HANG,         EFFECT_SUSPEND,
        EFFECT_DISK_FULL,   EFFECT_PARTITION, EFFECT_PARTITION_IN, EFFECT_PARTITION_OUT,
        EFFECT_ATTACK_DROP, EFFECT_LINK_RESET};
    for (unsigned i = 0; i < sizeof list / sizeof list[0]; i++) {
        if (list[i] == effect) {
            return true;
        }
    }
    return false;
}

static bool voids_something(enum effect effect, uint32_t role)
{
    for (unsigned law = 0; law < LAW_COUNT; law++) {
        if (effect_voids(effect, role, (enum law)law)) {
            return true;
        }
    }
    return false;
}

/* Roles that it strikes in this run: where it voids a law, rarely. */
static uint32_t draw_roles(struct random_stream *draws, enum effect effect, uint32_t roles)
{
    uint32_t chosen = 0;
    for (uint32_t role = 1; role <= ROLE_MASK_ROGUE; role <<= 1) {
        const bool tame = !voids_something(effect, role);
        const bool on = random_below(draws, tame ? 2 : RARE) == 0;
        chosen |= (roles & role) != 0 && on ? role : 0;
    }
    return chosen;
}

static void draw_fault(struct settings *settings, struct random_stream *draws, enum effect effect,
                       uint32_t on_ppm)
{
    struct fault_setting *fault = &settings->faults[effect];
    const struct effect_info info = effect_info(effect);
    const uint64_t duration_us = settings->number[SETTING_run_duration];
    const bool on = random_chance(draws, on_ppm);
    const uint64_t every_us = log_time_us(draws, duration_us / 64 + 1, 2 * duration_us);
    const uint32_t roles = draw_roles(draws, effect, info.roles);
    const bool lasts = info.lasts == EFFECT_LASTS_DURATION;
    const uint64_t most_us =
        lasts ? log_time_us(draws, info.lasts_default_min_us / 8, info.lasts_default_max_us) : 0;
    const uint64_t least_us = lasts ? log_time_us(draws, most_us / 64 + 1, most_us) : 0;
    fault->every_us = 0;
    if (!on || roles == 0) {
        return;
    }
    *fault = (struct fault_setting){.every_us = every_us,
                                    .lasts_min_us = least_us,
                                    .lasts_max_us = most_us,
                                    .amount_min = info.amount_default_min,
                                    .amount_max = info.amount_default_max,
                                    .roles = roles};
    if (info.amount_default_min >= 1) {
        fault->amount_max = (int64_t)log_between(draws, (uint64_t)info.amount_default_min,
                                                 (uint64_t)info.amount_default_max);
    }
}

static void draw_faults(struct settings *settings, uint64_t seed)
{
    static const uint32_t levels_ppm[] = {PPM / 8, PPM / 4, PPM / 2, PPM * 3 / 4};
    struct random_stream level = stream_of(seed, 0, "faults");
    const uint32_t on_ppm = levels_ppm[random_below(&level, 4)];
    const uint32_t suppressors_ppm = random_below(&level, 2) == 0 ? PPM / RARE : on_ppm;
    for (unsigned i = 0; i < EFFECT_COUNT; i++) {
        const enum effect effect = (enum effect)i;
        struct random_stream draws = stream_of(seed, 0, effect_info(effect).name);
        if (heal_core_is_left(effect)) {
            continue; /* run.heal_core draws what is left out, all of it at once */
        }
        draw_fault(settings, &draws, effect, is_suppressor(effect) ? suppressors_ppm : on_ppm);
    }
}

/* ---- the whole ------------------------------------------------------------------------------- */

/* Can there be such a fleet? Of a part, and not of a plain flash, the scenario has answered. */
static bool fits(const struct settings *settings)
{
    const struct flash_geometry geometry = {
        .sector_bytes = (uint32_t)settings->number[SETTING_flash_sector],
        .sector_count = (uint32_t)settings->number[SETTING_flash_sectors],
        .program_bytes = (uint32_t)settings->number[SETTING_flash_unit],
        .erased_value = 0xFF,
    };
    char error[256];
    return settings_check(settings, error, sizeof error) &&
           (settings->text[SETTING_flash_part][0] != '\0' ||
            firmware_check(settings, &geometry, error, sizeof error));
}

/* How many sectors, of a plain flash: few of them are written again and again. Behind all else that
 * has to fit, so that no other draw moves with it. */
static void draw_sectors(struct settings *settings, uint64_t seed)
{
    if (settings->text[SETTING_flash_part][0] != '\0') {
        return;
    }
    const struct knob knob = {SETTING_flash_sectors, "sectors", SECTORS_MIN, SECTORS_MAX, false};
    struct settings drawn = *settings;
    for (uint32_t attempt = 0; attempt < ATTEMPTS; attempt++) {
        turn(&drawn, seed, attempt, &knob);
        if (fits(&drawn)) {
            *settings = drawn;
            return;
        }
    }
}

bool swarm_is_drawn(const struct plan *plan)
{
    enum { NO, YES, HALF };
    struct random_stream draws = stream_of(plan->seed, 0, "half");
    const uint64_t choice = plan->settings.number[SETTING_run_swarm];
    return choice == YES || (choice == HALF && random_below(&draws, 2) == 0);
}

void swarm_draw(struct plan *plan)
{
    struct settings drawn;
    uint32_t attempt = 0;
    do {
        drawn = plan->settings;
        draw_topology(&drawn, plan->seed, attempt);
        draw_configuration(&drawn, plan->seed, attempt);
        draw_workload(&drawn, plan->seed, attempt);
        draw_media(&drawn, plan->seed, attempt);
    } while (!fits(&drawn) && ++attempt < ATTEMPTS);
    if (attempt < ATTEMPTS) {
        draw_sectors(&drawn, plan->seed);
        plan->settings = drawn;
    }
    draw_faults(&plan->settings, plan->seed);
    struct random_stream core = stream_of(plan->seed, 0, "heal_core");
    plan->settings.number[SETTING_run_heal_core] = random_below(&core, 2);
    plan->expectation_count = 0;
}
