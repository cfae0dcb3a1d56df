#include "sim/certificate.h"

#include <cJSON.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "core/check.h"
#include "sim/hash.h"
#include "sim/print.h"
#include "sim/record.h"

enum { FORMAT = 1, MILLION = 1000000 };

const char *certificate_operation(enum explore_operation operation)
{
    static const char *const names[EXPLORE_OPERATION_COUNT] = {
        [EXPLORE_PROGRAM] = "program",
        [EXPLORE_ERASE] = "erase",
        [EXPLORE_COUNTER] = "counter",
        [EXPLORE_SYNC] = "sync",
    };
    CHECK(operation < EXPLORE_OPERATION_COUNT);
    return names[operation];
}

bool certificate_shares(const struct explore_result *result,
                        uint32_t shares[EXPLORE_OPERATION_COUNT])
{
    uint64_t whole = 0;
    for (unsigned i = 0; i < EXPLORE_OPERATION_COUNT; i++) {
        whole += result->counts.exposure_us[i];
    }
    for (unsigned i = 0; i < EXPLORE_OPERATION_COUNT; i++) {
        shares[i] = whole == 0 ? 0 : (uint32_t)(result->counts.exposure_us[i] * MILLION / whole);
    }
    return whole > 0;
}

void certificate_figures(struct cJSON *object, const struct explore_result *result)
{
    const struct explore_counts *counts = &result->counts;
    uint32_t shares[EXPLORE_OPERATION_COUNT];
    char digest[HASH_TEXT_BYTES];
    hash_print(result->image_digest, digest);
    json_text(object, "digest", digest);
    json_number(object, "images", result->image_count);
    json_number(object, "bases", result->base_count);
    json_number(object, "frames", result->frame_count);
    json_number(object, "boots_from_images", counts->cuts);
    json_number(object, "mounts", counts->mounts);
    json_number(object, "works", counts->works);
    json_number(object, "branches", counts->branches);
    json_number(object, "images_generated", counts->generated);
    json_number(object, "images_stood_for", counts->stood_for);
    json_number(object, "pairs_compared", counts->pairs);
    json_number(object, "depth", counts->depth);
    json_number(object, "longest_recovery_us", counts->recovery_us);
    json_number(object, "most_erases", counts->erases);
    json_number(object, "trials_burned", counts->trials_burned);
    cJSON *cut = cJSON_AddObjectToObject(object, "operations_cut");
    cJSON *exposure = cJSON_AddObjectToObject(object, "exposure_millionths");
    (void)certificate_shares(result, shares);
    for (unsigned i = 0; i < EXPLORE_OPERATION_COUNT; i++) {
        const char *name = certificate_operation((enum explore_operation)i);
        json_number(cut, name, counts->cut[i]);
        json_number(exposure, name, shares[i]);
    }
    cJSON *laws = cJSON_AddObjectToObject(object, "laws");
    for (unsigned law = 0; law < LAW_COUNT; law++) {
        if (counts->exercised[law] > 0) {
            json_number(laws, law_name((enum law)law), counts->exercised[law]);
        }
    }
}

static bool part_of(const char *spec, char text[HASH_TEXT_BYTES], char *error, size_t error_bytes)
{
    struct part part;
    uint64_t digest[2];
    if (!part_load(spec, &part, error, error_bytes)) {
        return false;
    }
    part_digest(&part.profile, digest);
    hash_print(digest, text);
    return true;
}

static cJSON *halves(struct explore *explore)
{
    uint64_t count;
    const uint64_t *keys = explore_keys(explore, &count);
    cJSON *list = cJSON_CreateArray();
    char text[HASH_TEXT_BYTES];
    for (uint64_t i = 0; i < count; i++) {
        hash_print(&keys[2 * i], text);
        cJSON_AddItemToArray(list, cJSON_CreateString(text));
    }
    return list;
}

bool certificate_write(const char *path, const struct certificate *about, struct explore *explore,
                       const struct explore_result *result, char *error, size_t error_bytes)
{
    struct record_build build;
    char life[HASH_TEXT_BYTES], part[HASH_TEXT_BYTES];
    CHECK(result->verdict == EXPLORE_CLOSED);
    if (!part_of(about->part, part, error, error_bytes)) {
        return false;
    }
    record_build(&build);
    record_file_hash(about->life, life);
    cJSON *object = cJSON_CreateObject();
    json_number(object, "certificate", FORMAT);
    json_text(object, "life", about->life);
    json_text(object, "life_hash", life);
    json_text(object, "part", about->part);
    json_text(object, "part_hash", part);
    cJSON_AddBoolToObject(object, "torn", about->torn);
    cJSON_AddBoolToObject(object, "demonic", about->demonic);
    json_text(object, "program", build.program);
    json_text(object, "commit", build.commit);
    json_text(object, "compiler", build.compiler);
    json_text(object, "build", build.type);
    certificate_figures(object, result);
    cJSON_AddItemToObject(object, "halves", halves(explore));
    FILE *file = fopen(path, "w");
    if (file == NULL) {
        snprintf(error, error_bytes, "%s cannot be written: %s", path, strerror(errno));
        cJSON_Delete(object);
        return false;
    }
    json_print(file, object);
    const bool good = ferror(file) == 0;
    if (fclose(file) != 0 || !good) {
        snprintf(error, error_bytes, "%s is not whole: is the disk full?", path);
        return false;
    }
    return true;
}

/* ---- Reading --------------------------------------------------------------------------------- */

static char *read_file(const char *path, char *error, size_t error_bytes)
{
    FILE *file = fopen(path, "rb");
    if (file == NULL) {
        snprintf(error, error_bytes, "%s: %s", path, strerror(errno));
        return NULL;
    }
    char *text = malloc(CERTIFICATE_BYTES_MAX + 1);
    CHECK(text != NULL);
    const size_t used = fread(text, 1, CERTIFICATE_BYTES_MAX + 1, file);
    const bool good = ferror(file) == 0 && used <= CERTIFICATE_BYTES_MAX;
    fclose(file);
    text[good ? used : 0] = '\0';
    if (!good || strlen(text) != used) {
        snprintf(error, error_bytes, "%s: no certificate: too long, or no text", path);
        free(text);
        return NULL;
    }
    return text;
}

static const char *text_of(const cJSON *object, const char *name)
{
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(object, name);
    return cJSON_IsString(item) ? item->valuestring : "";
}

static bool check(const cJSON *object, const char *path, struct certificate *about, char *error,
                  size_t error_bytes)
{
    struct record_build build;
    char life[HASH_TEXT_BYTES], part[HASH_TEXT_BYTES];
    const cJSON *format = cJSON_GetObjectItemCaseSensitive(object, "certificate");
    if (!cJSON_IsNumber(format) || format->valuedouble != FORMAT) {
        snprintf(error, error_bytes, "%s: no certificate that this program knows (format %d)", path,
                 FORMAT);
        return false;
    }
    snprintf(about->life, sizeof about->life, "%s", text_of(object, "life"));
    snprintf(about->part, sizeof about->part, "%s", text_of(object, "part"));
    about->torn = cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(object, "torn"));
    about->demonic = cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(object, "demonic"));
    record_build(&build);
    if (strcmp(text_of(object, "program"), build.program) != 0) {
        snprintf(error, error_bytes,
                 "%s is of another build (commit %s, %s); this is commit %s: explore again with "
                 "brownout cuts %s --part %s",
                 path, text_of(object, "commit"), text_of(object, "compiler"), build.commit,
                 about->life, about->part);
        return false;
    }
    record_file_hash(about->life, life);
    if (strcmp(text_of(object, "life_hash"), life) != 0) {
        snprintf(error, error_bytes, "%s: %s is not there, or has changed since", path,
                 about->life);
        return false;
    }
    if (!part_of(about->part, part, error, error_bytes)) {
        return false;
    }
    if (strcmp(text_of(object, "part_hash"), part) != 0) {
        snprintf(error, error_bytes, "%s: the part %s has changed since", path, about->part);
        return false;
    }
    return true;
}

struct cJSON *certificate_read(const char *path, struct certificate *about, char *error,
                               size_t error_bytes)
{
    char *text = read_file(path, error, error_bytes);
    if (text == NULL) {
        return NULL;
    }
    cJSON *object = cJSON_Parse(text);
    free(text);
    if (object == NULL || !cJSON_IsObject(object)) {
        snprintf(error, error_bytes, "%s: no certificate, or part of one: it is no JSON object",
                 path);
        cJSON_Delete(object);
        return NULL;
    }
    if (!check(object, path, about, error, error_bytes)) {
        cJSON_Delete(object);
        return NULL;
    }
    return object;
}

bool certificate_compare(const struct cJSON *certificate, struct explore *explore,
                         const struct explore_result *result, char *difference,
                         size_t difference_bytes)
{
    cJSON *figures = cJSON_CreateObject();
    certificate_figures(figures, result);
    cJSON_AddItemToObject(figures, "halves", halves(explore));
    char *text = cJSON_PrintUnformatted(figures);
    cJSON *now = cJSON_Parse(text); /* numbers as they are read, not as they were made */
    free(text);
    cJSON_Delete(figures);
    CHECK(now != NULL);
    bool same = true;
    const cJSON *item;
    cJSON_ArrayForEach(item, now)
    {
        const cJSON *then = cJSON_GetObjectItemCaseSensitive(certificate, item->string);
        if (same && !cJSON_Compare(item, then, true)) {
            same = false;
            snprintf(difference, difference_bytes,
                     "'%s' is not what the certificate says: it was changed, or the search is not "
                     "deterministic",
                     item->string);
        }
    }
    cJSON_Delete(now);
    return same;
}
