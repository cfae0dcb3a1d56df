/* The lines of a part file: see part_file.h. */
#include "sim/part_file.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/check.h"
#include "sim/setting.h"

enum {
    LINE_BYTES = 256,
    UNIT_BYTES_MAX = 512,
    BLOCK_COUNT_MAX = 1 << 16,
    KIB = 1024,
    MIB = 1024 * 1024,
};

/* Every key of a part file: id, what its value is, the values between which it lies, and what it
 * says. The order of the file does not matter. */
#define KEYS(X)                                                                                    \
    X(about, TEXT, 0, 0)             /* one line for people */                                     \
    X(sectors, RUNS, 0, 0)           /* "64 x 4 KiB", or several such by address */                \
    X(present, SIZE, 1, 1 << 30)     /* sectors as code sees them: whole groups of the above */    \
    X(unit, SIZE, 1, UNIT_BYTES_MAX) /* of a program */                                            \
    X(erased, NUMBER, 0, 0xff)       /* 0xff, the default, or 0x00 */                              \
    X(program_time, DURATION, 1, 1 << 30) /* of a unit; of a page where there are pages */         \
    X(erase_time, DURATIONS, 1, 1 << 30)  /* of a sector, one for each kind in `sectors` */        \
    X(programs, NUMBER, 0, 255)           /* of a unit between two erases; 0, the default: any */  \
    X(ecc, ECC, 0, 0)                     /* none, error, fault or garbage: what poison answers */ \
    X(page, SIZE, 1, 1 << 20)             /* program buffer */                                     \
    X(cache, NUMBER, 1, FLASH_CACHE_PAGES_MAX) /* pages that are volatile until synced */          \
    X(banks, NUMBER, 1, 2)                     /* 2: an option byte swaps the halves */            \
    X(otp, SIZE, 1, 1 << 20)                   /* one-time-programmable bytes */                   \
    X(counter_max, NUMBER, 1, INT64_MAX)       /* where monotonic counters end */                  \
    X(counter_time, DURATION, 1, 1 << 30)      /* to increment one, or to write the option byte */ \
    X(endurance, NUMBER, 1, UINT32_MAX)  /* erases of a sector that the data sheet promises */     \
    X(worn, WORN, 0, 0)                  /* never, loud or silent: what happens after those */     \
    X(disturb, NUMBER, 1, UINT32_MAX)    /* reads of a sector until one bit elsewhere is weak */   \
    X(retention, DURATION, 1, INT64_MAX) /* in which a sector loses one programmed bit */

enum key {
#define KEY(id, kind, min, max) KEY_##id,
    KEYS(KEY)
#undef KEY
        KEY_COUNT
};

enum kind { TEXT, RUNS, SIZE, NUMBER, DURATION, DURATIONS, ECC, WORN };

struct row {
    const char *name;
    enum kind kind;
    uint64_t min, max;
};

static const struct row rows[KEY_COUNT] = {
#define ROW(id, kind, min, max) {#id, kind, min, max},
    KEYS(ROW)
#undef ROW
};

static const char *const ecc_words[] = {"none", "error", "fault", "garbage"};
static const char *const worn_words[] = {"never", "loud", "silent"};

/* A file on its way into a part. Values stay as they were written until all are there, so that the
 * complaint about two that do not fit can name a line. */
struct reader {
    const char *path;
    uint32_t line_count;
    uint32_t line[KEY_COUNT]; /* 0: not given */
    uint64_t number[KEY_COUNT];
    struct flash_run runs[FLASH_RUNS_MAX];
    uint32_t run_count, time_count;
    struct part *part;
    char *error;
    size_t error_bytes;
};

static bool read_file(struct reader *reader, FILE *file);
static bool read_line(struct reader *reader, char *line);
static bool read_value(struct reader *reader, enum key key, char *value);
static bool read_number(struct reader *reader, enum key key, const char *value);
static bool read_word(struct reader *reader, enum key key, const char *value);
static bool read_runs(struct reader *reader, char *value);
static bool read_durations(struct reader *reader, char *value);
static bool settle(struct reader *reader);
static bool settle_runs(struct reader *reader);
static bool settle_groups(struct reader *reader, uint32_t total_bytes);
static bool settle_page(struct reader *reader);
static bool settle_rules(struct reader *reader);
static void take(struct reader *reader);
static bool number_parse(const char *text, uint64_t *number);
static bool size_parse(const char *text, uint64_t *bytes);
static bool is_power_of_two(uint64_t number);
static bool refuse(struct reader *reader, enum key key, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
static char *trim(char *text);

bool part_file_read(const char *path, FILE *file, struct part *part, char *error,
                    size_t error_bytes)
{
    struct reader reader = {.path = path, .part = part, .error = error, .error_bytes = error_bytes};
    return read_file(&reader, file) && settle(&reader);
}

/* ---- lines ----------------------------------------------------------------------------------- */

static bool read_file(struct reader *reader, FILE *file)
{
    char line[LINE_BYTES];
    while (fgets(line, sizeof line, file) != NULL) {
        reader->line_count++;
        if (strchr(line, '\n') == NULL && !feof(file)) {
            return refuse(reader, KEY_COUNT, "a line is at most %d characters", LINE_BYTES - 2);
        }
        if (!read_line(reader, line)) {
            return false;
        }
    }
    return !ferror(file) || refuse(reader, KEY_COUNT, "%s", strerror(errno));
}

static bool read_line(struct reader *reader, char *line)
{
    line[strcspn(line, "#")] = '\0';
    char *name = trim(line);
    if (*name == '\0') {
        return true;
    }
    char *value = strchr(name, '=');
    if (value == NULL) {
        return refuse(reader, KEY_COUNT, "a line is 'key = value', or a comment after '#'");
    }
    *value++ = '\0';
    name = trim(name);
    value = trim(value);
    const char *names[KEY_COUNT];
    for (unsigned i = 0; i < KEY_COUNT; i++) {
        names[i] = rows[i].name;
        if (strcmp(name, rows[i].name) != 0) {
            continue;
        }
        if (reader->line[i] != 0) {
            return refuse(reader, KEY_COUNT, "'%s' is given twice, first in line %u", name,
                          (unsigned)reader->line[i]);
        }
        reader->line[i] = reader->line_count;
        return *value != '\0' ? read_value(reader, (enum key)i, value)
                              : refuse(reader, KEY_COUNT, "'%s' has no value", name);
    }
    const char *near = nearest_name(name, names, KEY_COUNT);
    if (near != NULL) {
        return refuse(reader, KEY_COUNT, "no key '%s'; did you mean '%s'?", name, near);
    }
    return refuse(reader, KEY_COUNT, "no key '%s'; a part has 'sectors', 'unit' and others, see %s",
                  name, PART_FOLDER);
}

static bool read_value(struct reader *reader, enum key key, char *value)
{
    switch (rows[key].kind) {
    case TEXT:
        if (strlen(value) >= PART_ABOUT_BYTES) {
            return refuse(reader, key, "at most %d characters", PART_ABOUT_BYTES - 1);
        }
        snprintf(reader->part->about, PART_ABOUT_BYTES, "%s", value);
        return true;
    case RUNS:
        return read_runs(reader, value);
    case DURATIONS:
        return read_durations(reader, value);
    case ECC:
    case WORN:
        return read_word(reader, key, value);
    case SIZE:
    case NUMBER:
    case DURATION:
        break;
    }
    return read_number(reader, key, value);
}

static bool read_number(struct reader *reader, enum key key, const char *value)
{
    const struct row *row = &rows[key];
    const bool is_duration = row->kind == DURATION || row->kind == DURATIONS;
    uint64_t number = 0;
    if (row->kind == SIZE && !size_parse(value, &number)) {
        return refuse(reader, key, "'%s' is no size; write 8, 4 KiB or 1 MiB", value);
    }
    if (row->kind == NUMBER && !number_parse(value, &number)) {
        return refuse(reader, key, "'%s' is no number; write 100 or 0xff", value);
    }
    if (is_duration && !duration_parse(value, &number)) {
        return refuse(reader, key, "'%s' is no duration; write 41us, 85ms or 1s", value);
    }
    if (number < row->min || number > row->max) {
        return refuse(reader, key, "%s is outside %llu..%llu%s", value,
                      (unsigned long long)row->min, (unsigned long long)row->max,
                      is_duration ? " us" : "");
    }
    reader->number[key] = number;
    return true;
}

static bool read_word(struct reader *reader, enum key key, const char *value)
{
    const bool is_ecc = rows[key].kind == ECC;
    const char *const *words = is_ecc ? ecc_words : worn_words;
    const size_t count =
        is_ecc ? sizeof ecc_words / sizeof ecc_words[0] : sizeof worn_words / sizeof worn_words[0];
    for (size_t i = 0; i < count; i++) {
        if (strcmp(value, words[i]) == 0) {
            reader->number[key] = i;
            return true;
        }
    }
    const char *near = nearest_name(value, words, count);
    return refuse(reader, key, "'%s' is none of %s%s%s%s", value,
                  is_ecc ? "none, error, fault, garbage" : "never, loud, silent",
                  near == NULL ? "" : "; did you mean '", near == NULL ? "" : near,
                  near == NULL ? "" : "'?");
}

/* "4 x 16 KiB, 1 x 64 KiB" */
static bool read_runs(struct reader *reader, char *value)
{
    uint64_t total = 0;
    for (char *next = value; next != NULL;) {
        char *text = next;
        next = strchr(text, ',');
        if (next != NULL) {
            *next++ = '\0';
        }
        if (reader->run_count == FLASH_RUNS_MAX) {
            return refuse(reader, KEY_sectors, "more than %d kinds of sectors", FLASH_RUNS_MAX);
        }
        char *size = strchr(text, 'x');
        uint64_t count, bytes;
        if (size != NULL) {
            *size++ = '\0';
        }
        if (size == NULL || !number_parse(trim(text), &count) || !size_parse(trim(size), &bytes) ||
            count == 0 || bytes == 0) {
            return refuse(reader, KEY_sectors,
                          "write how many of what size, such as '4 x 16 KiB, 7 x 64 KiB'");
        }
        if (count > BLOCK_COUNT_MAX) {
            return refuse(reader, KEY_sectors, "more than %d sectors", BLOCK_COUNT_MAX);
        }
        if (bytes > FLASH_BYTES_MAX || (total += count * bytes) > FLASH_BYTES_MAX) {
            return refuse(reader, KEY_sectors, "a part has at most %d MiB", FLASH_BYTES_MAX / MIB);
        }
        struct flash_run *run = &reader->runs[reader->run_count++];
        run->block_bytes = (uint32_t)bytes;
        run->block_count = (uint32_t)count;
    }
    return true;
}

static bool read_durations(struct reader *reader, char *value)
{
    for (char *next = value; next != NULL;) {
        char *text = next;
        next = strchr(text, ',');
        if (next != NULL) {
            *next++ = '\0';
        }
        if (reader->time_count == FLASH_RUNS_MAX) {
            return refuse(reader, KEY_erase_time, "more than %d of them", FLASH_RUNS_MAX);
        }
        if (!read_number(reader, KEY_erase_time, trim(text))) {
            return false;
        }
        reader->runs[reader->time_count++].erase_us = (uint32_t)reader->number[KEY_erase_time];
    }
    return true;
}

/* ---- what fits with what --------------------------------------------------------------------- */

static bool settle(struct reader *reader)
{
    static const enum key needed[] = {KEY_about, KEY_sectors, KEY_unit, KEY_program_time,
                                      KEY_erase_time};
    for (size_t i = 0; i < sizeof needed / sizeof needed[0]; i++) {
        if (reader->line[needed[i]] == 0) {
            return refuse(reader, KEY_COUNT, "the part ends without '%s'", rows[needed[i]].name);
        }
    }
    if (!is_power_of_two(reader->number[KEY_unit])) {
        return refuse(reader, KEY_unit, "%u is no power of two",
                      (unsigned)reader->number[KEY_unit]);
    }
    if (reader->line[KEY_erased] == 0) {
        reader->number[KEY_erased] = 0xff;
    }
    if (reader->number[KEY_erased] != 0xff && reader->number[KEY_erased] != 0x00) {
        return refuse(reader, KEY_erased, "erased bytes are 0xff or 0x00");
    }
    if (!settle_runs(reader) || !settle_page(reader) || !settle_rules(reader)) {
        return false;
    }
    take(reader);
    return true;
}

static bool settle_runs(struct reader *reader)
{
    const uint64_t unit = reader->number[KEY_unit];
    const bool grouped = reader->line[KEY_present] != 0;
    uint32_t total_bytes = 0;
    if (reader->time_count != reader->run_count) {
        return refuse(reader, KEY_erase_time, "%u times for %u kinds of sectors",
                      (unsigned)reader->time_count, (unsigned)reader->run_count);
    }
    for (uint32_t i = 0; i < reader->run_count; i++) {
        const struct flash_run *run = &reader->runs[i];
        total_bytes += run->block_count * run->block_bytes;
        if (run->block_bytes % unit != 0) {
            return refuse(reader, KEY_sectors, "a sector of %u bytes is not whole units of %u",
                          (unsigned)run->block_bytes, (unsigned)unit);
        }
        if (!grouped && run->block_bytes != reader->runs[0].block_bytes) {
            return refuse(reader, KEY_sectors,
                          "sectors differ in size: code sees them alike, say how with 'present'");
        }
    }
    if (!grouped) {
        struct flash_profile *profile = &reader->part->profile;
        for (uint32_t i = 1; i < reader->run_count; i++) {
            if (reader->runs[i].erase_us != reader->runs[0].erase_us) {
                return refuse(reader, KEY_erase_time, "sectors of one size have one time");
            }
        }
        profile->geometry.sector_bytes = reader->runs[0].block_bytes;
        profile->geometry.sector_count = total_bytes / reader->runs[0].block_bytes;
        profile->erase_us = reader->runs[0].erase_us;
        return true;
    }
    return settle_groups(reader, total_bytes);
}

/* Each sector that code sees is whole blocks, one behind the other. */
static bool settle_groups(struct reader *reader, uint32_t total_bytes)
{
    struct flash_profile *profile = &reader->part->profile;
    const uint32_t present = (uint32_t)reader->number[KEY_present];
    uint32_t start = 0; /* of the run */
    uint64_t sector_us = 0;
    if (total_bytes % present != 0) {
        return refuse(reader, KEY_present, "%u bytes are not whole sectors of %u",
                      (unsigned)total_bytes, (unsigned)present);
    }
    for (uint32_t i = 0; i < reader->run_count; i++) {
        const struct flash_run *run = &reader->runs[i];
        for (uint32_t block = 0; block < run->block_count; block++) {
            const uint32_t from = start + block * run->block_bytes;
            if (from % present + run->block_bytes > present) {
                return refuse(reader, KEY_present,
                              "the sector of %u bytes at offset %u does not lie in one of %u",
                              (unsigned)run->block_bytes, (unsigned)from, (unsigned)present);
            }
            sector_us = from % present == 0 ? run->erase_us : sector_us + run->erase_us;
            if (sector_us > UINT32_MAX) {
                return refuse(reader, KEY_erase_time, "together the blocks of a sector take hours");
            }
            if (sector_us > profile->erase_us) {
                profile->erase_us = (uint32_t)sector_us;
            }
        }
        start += run->block_count * run->block_bytes;
    }
    profile->geometry.sector_bytes = present;
    profile->geometry.sector_count = total_bytes / present;
    profile->run_count = reader->run_count;
    memcpy(profile->runs, reader->runs, sizeof profile->runs);
    return true;
}

static bool settle_page(struct reader *reader)
{
    const struct flash_geometry *geometry = &reader->part->profile.geometry;
    const uint64_t unit = reader->number[KEY_unit], page = reader->number[KEY_page];
    if (reader->line[KEY_cache] != 0 && page == 0) {
        return refuse(reader, KEY_cache, "a cache is made of pages: give 'page' as well");
    }
    if (page > 0 &&
        (!is_power_of_two(page) || page % unit != 0 || geometry->sector_bytes % page != 0)) {
        return refuse(reader, KEY_page, "%u is no power of two between a unit and a sector",
                      (unsigned)page);
    }
    return true;
}

static bool settle_rules(struct reader *reader)
{
    const struct flash_geometry *geometry = &reader->part->profile.geometry;
    const uint64_t *number = reader->number;
    if (number[KEY_ecc] != FLASH_ECC_NONE && number[KEY_programs] != 1) {
        return refuse(reader, KEY_ecc, "ECC words are programmed once: give 'programs = 1'");
    }
    if (number[KEY_banks] == 2 && geometry->sector_count % 2 != 0) {
        return refuse(reader, KEY_banks, "%u sectors do not make two banks",
                      (unsigned)geometry->sector_count);
    }
    if (number[KEY_otp] > geometry->sector_bytes || number[KEY_otp] % number[KEY_unit] != 0) {
        return refuse(reader, KEY_otp, "whole units, and at most a sector of %u bytes",
                      (unsigned)geometry->sector_bytes);
    }
    if (number[KEY_worn] != FLASH_GOOD && reader->line[KEY_endurance] == 0) {
        return refuse(reader, KEY_worn, "worn after how many erases? give 'endurance'");
    }
    return true;
}

static void take(struct reader *reader)
{
    struct flash_profile *profile = &reader->part->profile;
    const uint64_t *number = reader->number;
    profile->geometry.program_bytes = (uint32_t)number[KEY_unit];
    profile->geometry.erased_value = (uint8_t)number[KEY_erased];
    profile->program_us = (uint32_t)number[KEY_program_time];
    profile->program_once = number[KEY_programs] == 1;
    profile->program_limit = (uint8_t)(profile->program_once ? 0 : number[KEY_programs]);
    profile->ecc = (enum flash_ecc)number[KEY_ecc];
    profile->geometry.ecc = profile->ecc != FLASH_ECC_NONE || profile->program_once;
    profile->page_bytes = (uint32_t)number[KEY_page];
    profile->cache_pages = (uint32_t)number[KEY_cache];
    profile->dual_bank = number[KEY_banks] == 2;
    profile->otp_bytes = (uint32_t)number[KEY_otp];
    profile->counter_max = number[KEY_counter_max];
    profile->counter_us = (uint32_t)number[KEY_counter_time];
    profile->worn = (enum flash_bad)number[KEY_worn];
    profile->wear_limit = profile->worn == FLASH_GOOD ? 0 : (uint32_t)number[KEY_endurance];
    profile->disturb_reads = (uint32_t)number[KEY_disturb];
    profile->retention_us = number[KEY_retention];
    reader->part->endurance = (uint32_t)number[KEY_endurance];
}

/* ---- words ----------------------------------------------------------------------------------- */

static bool number_parse(const char *text, uint64_t *number)
{
    const bool hex = strncmp(text, "0x", 2) == 0;
    const char *digits = hex ? text + 2 : text;
    const size_t length = strlen(digits);
    if (length == 0 || length > (hex ? 16u : 18u) ||
        strspn(digits, hex ? "0123456789abcdefABCDEF" : "0123456789") != length) {
        return false;
    }
    *number = strtoull(digits, NULL, hex ? 16 : 10);
    return true;
}

static bool size_parse(const char *text, uint64_t *bytes)
{
    char digits[LINE_BYTES];
    const size_t length = strspn(text, "0123456789");
    if (length == 0 || length > 10) {
        return false;
    }
    memcpy(digits, text, length);
    digits[length] = '\0';
    const char *unit = text + length + strspn(text + length, " ");
    uint64_t factor = 1;
    if (strcmp(unit, "KiB") == 0) {
        factor = KIB;
    } else if (strcmp(unit, "MiB") == 0) {
        factor = MIB;
    } else if (*unit != '\0') {
        return false;
    }
    *bytes = strtoull(digits, NULL, 10) * factor;
    return true;
}

static bool is_power_of_two(uint64_t number)
{
    return number != 0 && (number & (number - 1)) == 0;
}

/* KEY_COUNT: about the line that was read last. */
static bool refuse(struct reader *reader, enum key key, const char *format, ...)
{
    const bool about_key = key != KEY_COUNT;
    const uint32_t line = about_key ? reader->line[key] : reader->line_count;
    const int used =
        snprintf(reader->error, reader->error_bytes, "%s:%u: %s%s", reader->path, (unsigned)line,
                 about_key ? rows[key].name : "", about_key ? ": " : "");
    const size_t length = used < 0 ? 0 : (size_t)used;
    va_list values;
    va_start(values, format);
    if (length < reader->error_bytes) {
        vsnprintf(reader->error + length, reader->error_bytes - length, format, values);
    }
    va_end(values);
    return false;
}

static char *trim(char *text)
{
    text += strspn(text, " \t");
    size_t length = strlen(text);
    while (length > 0 && strchr(" \t\r\n", text[length - 1]) != NULL) {
        text[--length] = '\0';
    }
    return text;
}
