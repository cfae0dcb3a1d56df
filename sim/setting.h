/* Everything that shapes a fleet and a run, as one flat list of named values: what a scenario's
 * tables, --set and the header of a plan all write to. Unknown keys and impossible values are
 * refused with a word that helps.
 */
#ifndef BROWNOUT_SIM_SETTING_H
#define BROWNOUT_SIM_SETTING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sim/effect.h"
#include "sim/nearest.h"

enum setting {
#define SETTING(id, key, kind, standard, min, max, doc) SETTING_##id,
#include "sim/setting.def"
#undef SETTING
    SETTING_COUNT
};

enum { SETTING_TEXT_BYTES = 512 };

/* One fault class as a scenario draws it. */
struct fault_setting {
    uint64_t every_us; /* mean time between strikes on each target; 0 = never */
    uint64_t lasts_min_us, lasts_max_us;
    int64_t amount_min, amount_max;
    uint32_t roles; /* ROLE_MASK_* that it strikes */
};

struct settings {
    uint64_t number[SETTING_COUNT];
    char text[SETTING_COUNT][SETTING_TEXT_BYTES];
    struct fault_setting faults[EFFECT_COUNT];
};

void settings_init(struct settings *settings);

/* Set one key from text: "fleet.devices" = "60", "devices" = "60" (any unambiguous last part or
 * dotted tail), "faults.power_cut.every" = "2h", "...lasts" = "10s..5m", "...on" =
 * "device,gateway". False: `error` (size_bytes of it) says what is wrong and what to do, with "did
 * you mean". */
bool settings_set(struct settings *settings, const char *key, const char *value, char *error,
                  size_t error_bytes);

/* The greatest value of a number. */
uint64_t setting_max(enum setting setting);

/* A setting for people: default and range as they are written. */
struct setting_info {
    const char *key, *doc;
    char standard[32], range[64]; /* range: empty for texts */
};
void setting_describe(enum setting setting, struct setting_info *info);

/* Relations between settings (device.window <= cloud.window, ...). */
bool settings_check(const struct settings *settings, char *error, size_t error_bytes);

/* Call `line(ctx, key, value)` for every value that differs from the default, in list order. */
void settings_each(const struct settings *settings,
                   void (*line)(void *ctx, const char *key, const char *value), void *ctx);

/* Durations: "250us" "20ms" "90s" "10m" "6h" "2d", a sum of such ("1h30m"), "0". False if
 * malformed. */
bool duration_parse(const char *text, uint64_t *us);
/* The shortest of these forms. */
void duration_print(uint64_t us, char *text, size_t size_bytes);

#endif
