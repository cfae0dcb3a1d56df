/* Flash parts by their names, and what can be done with a part: see part.h. */
#include "sim/part.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/check.h"
#include "sim/hash.h"
#include "sim/part_file.h"
#include "sim/setting.h"

enum { PATH_BYTES = 512 };

#define PART_ENDING ".part"

static bool text_read(const char *spec, struct part *part, char *error, size_t error_bytes);
static void print_sectors(const struct flash_profile *profile, FILE *file);
static void print_number(FILE *file, const char *key, uint64_t number);
static void print_time(FILE *file, const char *key, uint64_t us);
static bool path_of(const char *spec, char path[PATH_BYTES], char *error, size_t error_bytes);
static bool name_of(const char *path, char name[PART_NAME_BYTES], char *error, size_t error_bytes);
static int compare_names(const void *left, const void *right);

bool part_load(const char *spec, struct part *part, char *error, size_t error_bytes)
{
    char path[PATH_BYTES];
    memset(part, 0, sizeof *part);
    if (!path_of(spec, path, error, error_bytes) ||
        !name_of(path, part->name, error, error_bytes)) {
        return false;
    }
    FILE *file = fopen(path, "r");
    if (file == NULL) {
        snprintf(error, error_bytes, "%s: %s", path, strerror(errno));
        return false;
    }
    const bool done = part_file_read(path, file, part, error, error_bytes);
    fclose(file);
    return done;
}

bool part_read(const char *spec, struct part *part, char *error, size_t error_bytes)
{
    return strchr(spec, '=') == NULL ? part_load(spec, part, error, error_bytes)
                                     : text_read(spec, part, error, error_bytes);
}

bool part_print(const struct part *part, char *text, size_t text_bytes)
{
    static const char *const ecc_words[] = {"none", "error", "fault", "garbage"};
    static const char *const worn_words[] = {"never", "loud", "silent"};
    const struct flash_profile *profile = &part->profile;
    char *whole = NULL;
    size_t size = 0;
    FILE *file = open_memstream(&whole, &size);
    CHECK(file != NULL);
    fprintf(file, "%s: ", part->name);
    print_sectors(profile, file);
    print_number(file, "unit", profile->geometry.program_bytes);
    if (profile->geometry.erased_value == 0x00) {
        fputs("; erased=0", file);
    }
    print_time(file, "program_time", profile->program_us);
    print_number(file, "programs", profile->program_once ? 1 : profile->program_limit);
    if (profile->ecc != FLASH_ECC_NONE) {
        fprintf(file, "; ecc=%s", ecc_words[profile->ecc]);
    }
    print_number(file, "page", profile->page_bytes);
    print_number(file, "cache", profile->cache_pages);
    print_number(file, "banks", profile->dual_bank ? 2 : 0);
    print_number(file, "otp", profile->otp_bytes);
    print_number(file, "counter_max", profile->counter_max);
    print_time(file, "counter_time", profile->counter_us);
    print_number(file, "endurance", part->endurance);
    if (profile->worn != FLASH_GOOD) {
        fprintf(file, "; worn=%s", worn_words[profile->worn]);
    }
    print_number(file, "disturb", profile->disturb_reads);
    print_time(file, "retention", profile->retention_us);
    CHECK(fclose(file) == 0);
    const bool fits = size < text_bytes;
    snprintf(text, text_bytes, "%s", fits ? whole : "");
    free(whole);
    return fits;
}

bool part_list(const char *folder, char names[PARTS_MAX][PART_NAME_BYTES], uint32_t *count,
               char *error, size_t error_bytes)
{
    *count = 0;
    DIR *files = opendir(folder);
    if (files == NULL) {
        snprintf(error, error_bytes, "%s: %s; run from the root of the tree, or name a file",
                 folder, strerror(errno));
        return false;
    }
    bool fits = true;
    for (struct dirent *entry = readdir(files); entry != NULL && fits; entry = readdir(files)) {
        const size_t length = strlen(entry->d_name);
        const size_t ending = strlen(PART_ENDING);
        if (length <= ending || strcmp(entry->d_name + length - ending, PART_ENDING) != 0) {
            continue;
        }
        fits = *count < PARTS_MAX && name_of(entry->d_name, names[*count], error, error_bytes);
        *count += fits;
    }
    closedir(files);
    if (!fits && *count == PARTS_MAX) {
        snprintf(error, error_bytes, "%s: more than %d parts", folder, PARTS_MAX);
    } else if (fits && *count == 0) {
        snprintf(error, error_bytes, "%s: there is no file *%s in it", folder, PART_ENDING);
        return false;
    }
    qsort(names, *count, PART_NAME_BYTES, compare_names);
    return fits;
}

/* Sectors of half the size, twice as many: the last blocks make up for what each run lost. */
static void split_sectors(struct flash_profile *profile)
{
    struct flash_geometry *geometry = &profile->geometry;
    geometry->sector_bytes /= 2;
    geometry->sector_count *= 2;
    uint32_t missing_bytes = geometry->sector_bytes * geometry->sector_count;
    for (uint32_t i = 0; i < profile->run_count; i++) {
        struct flash_run *run = &profile->runs[i];
        run->block_bytes /= 2;
        missing_bytes -= run->block_count * run->block_bytes;
    }
    if (profile->run_count > 0) {
        struct flash_run *last = &profile->runs[profile->run_count - 1];
        last->block_count += missing_bytes / last->block_bytes;
    }
}

void part_fit(struct flash_profile *profile, uint32_t sector_bytes_max, uint32_t sector_count)
{
    struct flash_geometry *geometry = &profile->geometry;
    const uint32_t unit = geometry->program_bytes;
    CHECK(sector_count >= 1);
    bool fits = geometry->sector_bytes <= sector_bytes_max;
    while (!fits) {
        const uint32_t half = geometry->sector_bytes / 2;
        bool splits = half % unit == 0 && half > 0 &&
                      (profile->page_bytes == 0 || half % profile->page_bytes == 0);
        for (uint32_t i = 0; i < profile->run_count; i++) {
            splits = splits && profile->runs[i].block_bytes % (2 * unit) == 0;
        }
        if (splits) {
            split_sectors(profile);
        }
        fits = !splits || half <= sector_bytes_max;
    }
    sector_count += profile->dual_bank && sector_count < UINT32_MAX ? sector_count % 2 : 0;
    if (sector_count < geometry->sector_count) {
        geometry->sector_count = sector_count;
    }
    uint32_t left_bytes = geometry->sector_count * geometry->sector_bytes;
    for (uint32_t i = 0; i < profile->run_count; i++) {
        struct flash_run *run = &profile->runs[i];
        const uint32_t blocks = left_bytes / run->block_bytes;
        run->block_count = run->block_count < blocks ? run->block_count : blocks;
        left_bytes -= run->block_count * run->block_bytes;
    }
    if (profile->otp_bytes > geometry->sector_bytes) {
        profile->otp_bytes = geometry->sector_bytes;
    }
}

void part_digest(const struct flash_profile *profile, uint64_t digest[2])
{
    const struct flash_geometry *geometry = &profile->geometry;
    const uint64_t words[] = {
        geometry->sector_bytes, geometry->sector_count, geometry->program_bytes,
        geometry->erased_value, profile->program_us,    profile->erase_us,
        profile->program_once,  profile->program_limit, profile->ecc,
        profile->page_bytes,    profile->cache_pages,   profile->dual_bank,
        profile->otp_bytes,     profile->counter_max,   profile->counter_us,
        profile->wear_limit,    profile->worn,          profile->disturb_reads,
        profile->retention_us,  profile->run_count,
    };
    struct hash hash;
    hash_init(&hash, true, false);
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        hash_u64(&hash, words[i]);
    }
    for (uint32_t i = 0; i < profile->run_count; i++) {
        hash_u32(&hash, profile->runs[i].block_bytes);
        hash_u32(&hash, profile->runs[i].block_count);
        hash_u32(&hash, profile->runs[i].erase_us);
    }
    hash_digest(&hash, digest);
    hash_free(&hash);
}

/* ---- on one line ----------------------------------------------------------------------------- */

/* The line is a file whose lines end with `;`: one reader knows what may stand in either. */
static bool text_read(const char *spec, struct part *part, char *error, size_t error_bytes)
{
    char lines[PART_TEXT_BYTES + PART_NAME_BYTES + 16];
    const char *colon = strchr(spec, ':');
    const size_t length = colon == NULL ? 0 : (size_t)(colon - spec);
    memset(part, 0, sizeof *part);
    if (length == 0 || length >= PART_NAME_BYTES || strlen(spec) >= PART_TEXT_BYTES ||
        strpbrk(spec, "#\r\n") != NULL) {
        snprintf(error, error_bytes,
                 "'%.40s...' is no flash part; write its name, the path of its file, or "
                 "'name: sectors=64x4096; unit=8; ...'",
                 spec);
        return false;
    }
    memcpy(part->name, spec, length);
    snprintf(lines, sizeof lines, "about = %s\n%s\n", part->name, colon + 1);
    for (char *end = strchr(lines, ';'); end != NULL; end = strchr(end, ';')) {
        *end = '\n';
    }
    FILE *file = fmemopen(lines, strlen(lines), "r");
    CHECK(file != NULL);
    const bool done = part_file_read(part->name, file, part, error, error_bytes);
    fclose(file);
    return done;
}

static void print_sectors(const struct flash_profile *profile, FILE *file)
{
    const struct flash_geometry *geometry = &profile->geometry;
    char us[40];
    if (profile->run_count == 0) {
        duration_print(profile->erase_us, us, sizeof us);
        fprintf(file, "sectors=%ux%u; erase_time=%s", (unsigned)geometry->sector_count,
                (unsigned)geometry->sector_bytes, us);
        return;
    }
    for (uint32_t i = 0; i < profile->run_count; i++) {
        fprintf(file, "%s%ux%u", i == 0 ? "sectors=" : ",", (unsigned)profile->runs[i].block_count,
                (unsigned)profile->runs[i].block_bytes);
    }
    fprintf(file, "; present=%u", (unsigned)geometry->sector_bytes);
    for (uint32_t i = 0; i < profile->run_count; i++) {
        duration_print(profile->runs[i].erase_us, us, sizeof us);
        fprintf(file, "%s%s", i == 0 ? "; erase_time=" : ",", us);
    }
}

/* What is 0 is the default. */
static void print_number(FILE *file, const char *key, uint64_t number)
{
    if (number != 0) {
        fprintf(file, "; %s=%llu", key, (unsigned long long)number);
    }
}

static void print_time(FILE *file, const char *key, uint64_t us)
{
    char text[40];
    if (us != 0) {
        duration_print(us, text, sizeof text);
        fprintf(file, "; %s=%s", key, text);
    }
}

/* ---- names ----------------------------------------------------------------------------------- */

static bool path_of(const char *spec, char path[PATH_BYTES], char *error, size_t error_bytes)
{
    const size_t length = strlen(spec), ending = strlen(PART_ENDING);
    const bool is_path = strchr(spec, '/') != NULL ||
                         (length > ending && strcmp(spec + length - ending, PART_ENDING) == 0);
    const int used = is_path
                         ? snprintf(path, PATH_BYTES, "%s", spec)
                         : snprintf(path, PATH_BYTES, "%s/%s%s", PART_FOLDER, spec, PART_ENDING);
    if (used < 0 || used >= PATH_BYTES) {
        snprintf(error, error_bytes, "the name of the part is too long: %.80s...", spec);
        return false;
    }
    if (is_path) {
        return true;
    }
    char names[PARTS_MAX][PART_NAME_BYTES];
    const char *pointers[PARTS_MAX];
    uint32_t count;
    if (!part_list(PART_FOLDER, names, &count, error, error_bytes)) {
        return false;
    }
    for (uint32_t i = 0; i < count; i++) {
        pointers[i] = names[i];
        if (strcmp(spec, names[i]) == 0) {
            return true;
        }
    }
    const char *near = nearest_name(spec, pointers, count);
    snprintf(error, error_bytes, "no flash part '%s' in %s%s%s%s", spec, PART_FOLDER,
             near == NULL ? "" : "; did you mean '", near == NULL ? "" : near,
             near == NULL ? "" : "'?");
    return false;
}

static bool name_of(const char *path, char name[PART_NAME_BYTES], char *error, size_t error_bytes)
{
    const char *slash = strrchr(path, '/');
    const char *file = slash == NULL ? path : slash + 1;
    const size_t length = strlen(file), ending = strlen(PART_ENDING);
    const bool ends = length > ending && strcmp(file + length - ending, PART_ENDING) == 0;
    const size_t size = ends ? length - ending : length;
    if (size == 0 || size >= PART_NAME_BYTES) {
        snprintf(error, error_bytes, "%s: the name of a part has 1 to %d characters", path,
                 PART_NAME_BYTES - 1);
        return false;
    }
    memcpy(name, file, size);
    name[size] = '\0';
    return true;
}

static int compare_names(const void *left, const void *right)
{
    return strcmp(left, right);
}
