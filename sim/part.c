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
        for (uint32_t i = 0; splits && i < profile->run_count; i++) {
            profile->runs[i].block_bytes /= 2;
        }
        geometry->sector_bytes = splits ? half : geometry->sector_bytes;
        fits = !splits || half <= sector_bytes_max;
    }
    sector_count += profile->dual_bank ? sector_count % 2 : 0;
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
