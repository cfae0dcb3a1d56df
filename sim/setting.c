#include "sim/setting.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/check.h"
#include "core/limits.h"
#include "sim/law_choice.h"

/* Defaults that must fit shrunk limits as well. */
#define AT_MOST(value, bound) ((value) < (bound) ? (value) : (bound))
#define WINDOW_DEFAULT        AT_MOST(64u, WINDOW_BITS_MAX)
#define QUEUE_DEFAULT         AT_MOST(1024u, GATEWAY_QUEUE_MAX)
#define SESSIONS_DEFAULT      AT_MOST(256u, SERVER_SESSIONS_MAX)
#define RESERVE_DEFAULT       AT_MOST(32u, RESERVE_MAX)

enum kind { KIND_COUNT, KIND_TIME, KIND_CHOICE, KIND_TEXT };

/* A default is a number or a string; the kind says which column holds. */
#define NUMBER_COUNT(value)  (value)
#define NUMBER_TIME(value)   (value)
#define NUMBER_CHOICE(value) (value)
#define NUMBER_TEXT(value)   0
#define TEXT_COUNT(value)    ""
#define TEXT_TIME(value)     ""
#define TEXT_CHOICE(value)   ""
#define TEXT_TEXT(value)     value

static const struct row {
    const char *key;
    enum kind kind;
    uint64_t standard;
    const char *standard_text;
    uint64_t min, max;
    const char *doc;
} rows[SETTING_COUNT] = {
#define SETTING(id, key, kind, standard, min, max, doc)                                            \
    {key, KIND_##kind, NUMBER_##kind(standard), TEXT_##kind(standard), min, max, doc},
#include "sim/setting.def"
#undef SETTING
};

void settings_init(struct settings *settings)
{
    memset(settings, 0, sizeof *settings);
    for (unsigned i = 0; i < SETTING_COUNT; i++) {
        settings->number[i] = rows[i].standard;
        memcpy(settings->text[i], rows[i].standard_text, strlen(rows[i].standard_text) + 1);
    }
    for (unsigned i = 0; i < EFFECT_COUNT; i++) {
        const struct effect_info info = effect_info((enum effect)i);
        settings->faults[i] = (struct fault_setting){
            .lasts_min_us = info.lasts_default_min_us,
            .lasts_max_us = info.lasts_default_max_us,
            .amount_min = info.amount_default_min,
            .amount_max = info.amount_default_max,
            .roles = info.roles,
        };
    }
}

uint64_t setting_max(enum setting setting)
{
    CHECK(setting < SETTING_COUNT);
    return rows[setting].max;
}

/* ---- durations and ranges -------------------------------------------------------------------- */

static const struct {
    const char *suffix;
    uint64_t us;
} units[] = {{"d", 86400000000u}, {"h", 3600000000u}, {"m", 60000000u},
             {"s", 1000000u},     {"ms", 1000u},      {"us", 1u}};
enum { UNIT_COUNT = sizeof units / sizeof units[0] };

static bool unit_parse(const char **text, uint64_t *us)
{
    size_t length = 0;
    while ((*text)[length] >= 'a' && (*text)[length] <= 'z') {
        length++;
    }
    for (unsigned i = 0; i < UNIT_COUNT; i++) {
        if (strlen(units[i].suffix) == length && memcmp(*text, units[i].suffix, length) == 0) {
            *text += length;
            *us = units[i].us;
            return true;
        }
    }
    return false;
}

bool duration_parse(const char *text, uint64_t *us)
{
    uint64_t total = 0;
    if (strcmp(text, "0") == 0) {
        *us = 0;
        return true;
    }
    if (*text == '\0') {
        return false;
    }
    while (*text != '\0') {
        uint64_t number = 0, unit;
        if (*text < '0' || *text > '9') {
            return false;
        }
        while (*text >= '0' && *text <= '9') {
            number = number * 10 + (uint64_t)(*text++ - '0');
            if (number > UINT64_C(1000000000000000)) {
                return false;
            }
        }
        if (!unit_parse(&text, &unit) || number > (UINT64_MAX / 4) / unit ||
            total > UINT64_MAX / 4) {
            return false;
        }
        total += number * unit;
    }
    *us = total;
    return true;
}

void duration_print(uint64_t us, char *text, size_t size_bytes)
{
    size_t at = 0;
    CHECK(size_bytes >= 2);
    text[0] = '0';
    text[1] = '\0';
    for (unsigned i = 0; i < UNIT_COUNT && at + 1 < size_bytes; i++) {
        const uint64_t count = us / units[i].us;
        us %= units[i].us;
        if (count > 0) {
            const int written =
                snprintf(text + at, size_bytes - at, "%" PRIu64 "%s", count, units[i].suffix);
            CHECK(written > 0 && (size_t)written < size_bytes - at);
            at += (size_t)written;
        }
    }
}

static bool number_parse(const char *text, int64_t *value)
{
    char *end;
    if (strspn(text, "-0123456789") != strlen(text) || *text == '\0' || strlen(text) > 18) {
        return false;
    }
    *value = strtoll(text, &end, 10);
    return *end == '\0';
}

/* "a..b" or "a"; each end by duration (with an optional minus) or plain number. */
static bool end_parse(const char *text, bool time, int64_t *value)
{
    if (!time) {
        return number_parse(text, value);
    }
    uint64_t us;
    const bool negative = *text == '-';
    if (!duration_parse(text + (negative ? 1 : 0), &us)) {
        return false;
    }
    *value = negative ? -(int64_t)us : (int64_t)us;
    return true;
}

static bool range_parse(const char *text, bool time, int64_t *min, int64_t *max)
{
    char copy[64];
    if (strlen(text) >= sizeof copy) {
        return false;
    }
    memcpy(copy, text, strlen(text) + 1);
    char *dots = strstr(copy, "..");
    if (dots == NULL) {
        return end_parse(copy, time, min) && end_parse(copy, time, max);
    }
    *dots = '\0';
    return end_parse(copy, time, min) && end_parse(dots + 2, time, max) && *min <= *max;
}

/* ---- names ----------------------------------------------------------------------------------- */

static bool is_tail(const char *key, const char *tail)
{
    const size_t key_length = strlen(key), tail_length = strlen(tail);
    return tail_length < key_length && key[key_length - tail_length - 1] == '.' &&
           strcmp(key + key_length - tail_length, tail) == 0;
}

/* The row of a key or of an unambiguous dotted tail; SETTING_COUNT if none, and `other` names a
 * second match when it is ambiguous. */
static unsigned row_find(const char *key, const char **other)
{
    unsigned found = SETTING_COUNT;
    *other = NULL;
    for (unsigned i = 0; i < SETTING_COUNT; i++) {
        if (strcmp(rows[i].key, key) == 0) {
            *other = NULL;
            return i;
        }
        if (is_tail(rows[i].key, key)) {
            *other = found == SETTING_COUNT ? NULL : rows[found].key;
            found = i;
        }
    }
    return found;
}

/* ---- one value ------------------------------------------------------------------------------- */

static bool choice_parse(const char *choices, const char *value, uint64_t *index)
{
    uint64_t i = 0;
    const size_t length = strlen(value);
    for (const char *at = choices; at != NULL; i++) {
        const char *bar = strchr(at, '|');
        const size_t size = bar == NULL ? strlen(at) : (size_t)(bar - at);
        if (size == length && memcmp(at, value, length) == 0) {
            *index = i;
            return true;
        }
        at = bar == NULL ? NULL : bar + 1;
    }
    return false;
}

static bool row_set(struct settings *settings, unsigned i, const char *value, char *error,
                    size_t error_bytes)
{
    const struct row *row = &rows[i];
    uint64_t number = 0;
    int64_t plain = 0;
    char min[32], max[32];
    switch (row->kind) {
    case KIND_TEXT:
        if (strlen(value) > row->max || strpbrk(value, "\r\n") != NULL) {
            snprintf(error, error_bytes, "%s: text of at most %" PRIu64 " bytes on one line",
                     row->key, row->max);
            return false;
        }
        memcpy(settings->text[i], value, strlen(value) + 1);
        return true;
    case KIND_CHOICE:
        if (!choice_parse(row->doc, value, &settings->number[i])) {
            snprintf(error, error_bytes, "%s: '%s' is none of %s", row->key, value, row->doc);
            return false;
        }
        return true;
    case KIND_TIME:
        if (!duration_parse(value, &number)) {
            snprintf(error, error_bytes,
                     "%s: '%s' is not a duration; write it as \"90s\", \"10m\" or \"1h30m\"",
                     row->key, value);
            return false;
        }
        duration_print(row->min, min, sizeof min);
        duration_print(row->max, max, sizeof max);
        break;
    case KIND_COUNT:
        if (!number_parse(value, &plain) || plain < 0) {
            snprintf(error, error_bytes, "%s: '%s' is not a whole number", row->key, value);
            return false;
        }
        number = (uint64_t)plain;
        snprintf(min, sizeof min, "%" PRIu64, row->min);
        snprintf(max, sizeof max, "%" PRIu64, row->max);
        break;
    }
    if (number < row->min || number > row->max) {
        snprintf(error, error_bytes, "%s: %s is out of range, use %s to %s", row->key, value, min,
                 max);
        return false;
    }
    settings->number[i] = number;
    return true;
}

/* The index-th of "a|b|c". */
static void choice_print(const char *choices, uint64_t index, char *text, size_t size_bytes)
{
    while (index-- > 0) {
        choices = strchr(choices, '|') + 1;
    }
    snprintf(text, size_bytes, "%.*s", (int)strcspn(choices, "|"), choices);
}

void setting_describe(enum setting setting, struct setting_info *info)
{
    CHECK(setting < SETTING_COUNT);
    const struct row *row = &rows[setting];
    char min[24], max[24];
    *info = (struct setting_info){.key = row->key, .doc = row->doc};
    switch (row->kind) {
    case KIND_TEXT:
        snprintf(info->standard, sizeof info->standard, "%s",
                 row->standard_text[0] == '\0' ? "-" : row->standard_text);
        return;
    case KIND_CHOICE:
        choice_print(row->doc, row->standard, info->standard, sizeof info->standard);
        return;
    case KIND_TIME:
        duration_print(row->standard, info->standard, sizeof info->standard);
        duration_print(row->min, min, sizeof min);
        duration_print(row->max, max, sizeof max);
        break;
    case KIND_COUNT:
        snprintf(info->standard, sizeof info->standard, "%" PRIu64, row->standard);
        snprintf(min, sizeof min, "%" PRIu64, row->min);
        snprintf(max, sizeof max, "%" PRIu64, row->max);
        break;
    }
    snprintf(info->range, sizeof info->range, "%s to %s", min, max);
}

/* ---- faults ---------------------------------------------------------------------------------- */

static const struct {
    const char *name;
    uint32_t mask;
} role_names[] = {{"cloud", ROLE_MASK_CLOUD},
                  {"gateway", ROLE_MASK_GATEWAY},
                  {"device", ROLE_MASK_DEVICE},
                  {"rogue", ROLE_MASK_ROGUE}};

static bool roles_parse(const char *text, uint32_t *mask)
{
    *mask = 0;
    while (*text != '\0') {
        const size_t length = strcspn(text, ",");
        uint32_t bit = 0;
        for (unsigned i = 0; i < 4; i++) {
            if (strlen(role_names[i].name) == length &&
                memcmp(role_names[i].name, text, length) == 0) {
                bit = role_names[i].mask;
            }
        }
        if (bit == 0) {
            return false;
        }
        *mask |= bit;
        text += length;
        text += *text == ',' ? 1 : 0;
    }
    return *mask != 0;
}

static void roles_print(uint32_t mask, char *text, size_t size_bytes)
{
    size_t at = 0;
    text[0] = '\0';
    for (unsigned i = 0; i < 4; i++) {
        if ((mask & role_names[i].mask) != 0) {
            at += (size_t)snprintf(text + at, size_bytes - at, "%s%s", at == 0 ? "" : ",",
                                   role_names[i].name);
        }
    }
}

static bool fault_field(struct fault_setting *fault, const struct effect_info *info,
                        const char *field, const char *value, char *error, size_t error_bytes)
{
    int64_t min, max;
    if (strcmp(field, "every") == 0) {
        if (duration_parse(value, &fault->every_us)) {
            return true;
        }
        snprintf(error, error_bytes, "faults.%s.every: '%s' is not a duration, e.g. \"2h\"",
                 info->name, value);
        return false;
    }
    if (strcmp(field, "lasts") == 0 && info->lasts == EFFECT_LASTS_DURATION) {
        if (range_parse(value, true, &min, &max) && min >= 0) {
            fault->lasts_min_us = (uint64_t)min;
            fault->lasts_max_us = (uint64_t)max;
            return true;
        }
        snprintf(error, error_bytes,
                 "faults.%s.lasts: '%s' is not a range of durations, e.g. \"10s..5m\"", info->name,
                 value);
        return false;
    }
    if (strcmp(field, "amount") == 0 && info->amount != EFFECT_AMOUNT_none) {
        if (range_parse(value, info->amount == EFFECT_AMOUNT_us, &min, &max) &&
            min >= info->amount_min && max <= info->amount_max) {
            fault->amount_min = min;
            fault->amount_max = max;
            return true;
        }
        snprintf(error, error_bytes,
                 "faults.%s.amount: '%s' must be a range within %" PRId64 "..%" PRId64 "%s",
                 info->name, value, info->amount_min, info->amount_max,
                 info->amount == EFFECT_AMOUNT_us    ? " us, written as durations: \"1s..20s\""
                 : info->amount == EFFECT_AMOUNT_ppm ? " (parts per million)"
                                                     : "");
        return false;
    }
    if (strcmp(field, "on") == 0) {
        uint32_t mask;
        if (roles_parse(value, &mask) && (mask & ~info->roles) == 0) {
            fault->roles = mask;
            return true;
        }
        char can[64];
        roles_print(info->roles, can, sizeof can);
        snprintf(error, error_bytes, "faults.%s.on: '%s': it can strike %s", info->name, value,
                 can);
        return false;
    }
    snprintf(error, error_bytes, "faults.%s has no '%s'; it has every%s%s and on", info->name,
             field, info->lasts == EFFECT_LASTS_DURATION ? ", lasts" : "",
             info->amount != EFFECT_AMOUNT_none ? ", amount" : "");
    return false;
}

static bool fault_set(struct settings *settings, const char *key, const char *value, char *error,
                      size_t error_bytes)
{
    char name[64];
    const char *dot = strchr(key, '.');
    const size_t length = dot == NULL ? strlen(key) : (size_t)(dot - key);
    if (length >= sizeof name) {
        snprintf(error, error_bytes, "no fault class has so long a name");
        return false;
    }
    memcpy(name, key, length);
    name[length] = '\0';
    const enum effect effect = effect_find(name);
    if (effect == EFFECT_COUNT) {
        const char *effects[EFFECT_COUNT];
        for (unsigned i = 0; i < EFFECT_COUNT; i++) {
            effects[i] = effect_info((enum effect)i).name;
        }
        const char *near = nearest_name(name, effects, EFFECT_COUNT);
        snprintf(error, error_bytes, "no fault class '%s'%s%s%s", name,
                 near == NULL ? "" : "; did you mean '", near == NULL ? "" : near,
                 near == NULL ? " (brownout run --help lists them)" : "'?");
        return false;
    }
    const struct effect_info info = effect_info(effect);
    return fault_field(&settings->faults[effect], &info, dot == NULL ? "every" : dot + 1, value,
                       error, error_bytes);
}

/* ---- the whole ------------------------------------------------------------------------------- */

bool settings_set(struct settings *settings, const char *key, const char *value, char *error,
                  size_t error_bytes)
{
    const char *other;
    if (strncmp(key, "faults.", 7) == 0) {
        return fault_set(settings, key + 7, value, error, error_bytes);
    }
    const unsigned row = row_find(key, &other);
    if (row < SETTING_COUNT && other == NULL) {
        return row_set(settings, row, value, error, error_bytes);
    }
    if (row < SETTING_COUNT) {
        snprintf(error, error_bytes, "'%s' is ambiguous: %s or %s", key, other, rows[row].key);
        return false;
    }
    const char *keys[2 * SETTING_COUNT];
    for (unsigned i = 0; i < SETTING_COUNT; i++) {
        keys[i] = rows[i].key;
        keys[SETTING_COUNT + i] = strchr(rows[i].key, '.') + 1;
    }
    const char *near = nearest_name(key, keys, 2 * SETTING_COUNT);
    snprintf(error, error_bytes, "no setting '%s'%s%s%s", key,
             near == NULL ? "" : "; did you mean '", near == NULL ? "" : near,
             near == NULL ? " (brownout run --help lists them)" : "'?");
    return false;
}

bool settings_check(const struct settings *settings, char *error, size_t error_bytes)
{
    const uint64_t *number = settings->number;
    bool judged[LAW_COUNT];
    if (!law_choice(settings->text[SETTING_run_laws], judged, error, error_bytes)) {
        return false;
    }
    if (number[SETTING_device_window] > number[SETTING_cloud_window]) {
        snprintf(error, error_bytes,
                 "device.window (%" PRIu64 ") is larger than cloud.window (%" PRIu64
                 "): a device would push its own readings out of the window",
                 number[SETTING_device_window], number[SETTING_cloud_window]);
        return false;
    }
    if (number[SETTING_device_backoff_base] > number[SETTING_device_backoff_cap] ||
        number[SETTING_gateway_backoff_base] > number[SETTING_gateway_backoff_cap]) {
        snprintf(error, error_bytes, "a backoff_base is larger than its backoff_cap");
        return false;
    }
    const uint64_t unit = number[SETTING_flash_unit], sector = number[SETTING_flash_sector];
    if ((unit & (unit - 1)) != 0 || sector % unit != 0) {
        snprintf(error, error_bytes,
                 "flash.unit (%" PRIu64 ") must be a power of two that divides flash.sector", unit);
        return false;
    }
    if (settings->text[SETTING_flash_part][0] != '\0' &&
        (unit != rows[SETTING_flash_unit].standard ||
         sector != rows[SETTING_flash_sector].standard)) {
        snprintf(error, error_bytes,
                 "flash.part says the sector and the unit: leave flash.sector and flash.unit out");
        return false;
    }
    if (number[SETTING_fleet_gateways] + number[SETTING_fleet_rogues] >
        number[SETTING_cloud_sessions]) {
        snprintf(error, error_bytes,
                 "cloud.sessions (%" PRIu64 ") has no room for every gateway and rogue",
                 number[SETTING_cloud_sessions]);
        return false;
    }
    return true;
}

static void faults_each(const struct settings *settings, const struct settings *standard,
                        void (*line)(void *ctx, const char *key, const char *value), void *ctx)
{
    for (unsigned i = 0; i < EFFECT_COUNT; i++) {
        const struct fault_setting *fault = &settings->faults[i], *plain = &standard->faults[i];
        const struct effect_info info = effect_info((enum effect)i);
        char key[96], value[96], min[40], max[40];
        if (fault->every_us != plain->every_us) {
            snprintf(key, sizeof key, "faults.%s.every", info.name);
            duration_print(fault->every_us, value, sizeof value);
            line(ctx, key, value);
        }
        if (fault->lasts_min_us != plain->lasts_min_us ||
            fault->lasts_max_us != plain->lasts_max_us) {
            snprintf(key, sizeof key, "faults.%s.lasts", info.name);
            duration_print(fault->lasts_min_us, min, sizeof min);
            duration_print(fault->lasts_max_us, max, sizeof max);
            snprintf(value, sizeof value, "%s..%s", min, max);
            line(ctx, key, value);
        }
        if (fault->amount_min != plain->amount_min || fault->amount_max != plain->amount_max) {
            const char *unit = info.amount == EFFECT_AMOUNT_us ? "us" : "";
            snprintf(key, sizeof key, "faults.%s.amount", info.name);
            snprintf(value, sizeof value, "%" PRId64 "%s..%" PRId64 "%s", fault->amount_min, unit,
                     fault->amount_max, unit);
            line(ctx, key, value);
        }
        if (fault->roles != plain->roles) {
            snprintf(key, sizeof key, "faults.%s.on", info.name);
            roles_print(fault->roles, value, sizeof value);
            line(ctx, key, value);
        }
    }
}

void settings_each(const struct settings *settings,
                   void (*line)(void *ctx, const char *key, const char *value), void *ctx)
{
    static struct settings standard; /* constant once made */
    settings_init(&standard);
    for (unsigned i = 0; i < SETTING_COUNT; i++) {
        char value[SETTING_TEXT_BYTES];
        if (rows[i].kind == KIND_TEXT) {
            if (strcmp(settings->text[i], standard.text[i]) != 0) {
                line(ctx, rows[i].key, settings->text[i]);
            }
            continue;
        }
        if (settings->number[i] == standard.number[i]) {
            continue;
        }
        if (rows[i].kind == KIND_TIME) {
            duration_print(settings->number[i], value, sizeof value);
        } else if (rows[i].kind == KIND_CHOICE) {
            choice_print(rows[i].doc, settings->number[i], value, sizeof value);
        } else {
            snprintf(value, sizeof value, "%" PRIu64, settings->number[i]);
        }
        line(ctx, rows[i].key, value);
    }
    faults_each(settings, &standard, line, ctx);
}
