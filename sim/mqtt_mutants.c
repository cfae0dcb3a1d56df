/* Planted bugs of the session world: apply, build, and look for each. */
#include "sim/mqtt_mutants.h"

#include <cJSON.h>
#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/check.h"
#include "models/mqtt_judge.h"
#include "sim/command.h"
#include "sim/mutant.h"
#include "sim/process.h"

#define FOLDER "sim/mutants/session"

enum { MUTANTS_MAX = 64, OUTPUT_BYTES = 16384, CALM_RUNS = 3, ALSO_MAX = 6 };

struct finding {
    char name[MUTANT_NAME_BYTES];
    char law[64], caught_by[64], what[256];
    const char *outcome;
    bool quiet; /* without faults nothing shows */
    uint32_t also_count, passed_over;
    char also[ALSO_MAX][64]; /* laws that it may break first */
    uint64_t seed, runs;
};

static bool has_name(const char *names, const char *name)
{
    const size_t length = strlen(name);
    const char *at = names;
    while (*at != '\0') {
        const size_t part = strcspn(at, ",");
        if (part == length && strncmp(at, name, length) == 0) {
            return true;
        }
        at += part + (at[part] == ',');
    }
    return strcmp(names, "all") == 0;
}

static bool is_law(const char *name)
{
    for (uint32_t at = 0; at < MQTT_LAW_COUNT; at++) {
        if (strcmp(name, mqtt_law_name((enum mqtt_law)at)) == 0) {
            return true;
        }
    }
    return false;
}

/* What a patch says of itself, and the file that it changes. */
static bool read_patch(const char *path, struct mutant *mutant, struct finding *finding)
{
    char line[512], *law = finding->law;
    bool known = true;
    FILE *file = fopen(path, "rb");
    if (file == NULL) {
        return false;
    }
    law[0] = mutant->file[0] = '\0';
    finding->quiet = true;
    while (fgets(line, sizeof line, file) != NULL) {
        line[strcspn(line, "\n")] = '\0';
        if (law[0] == '\0' && strncmp(line, "law: ", 5) == 0) {
            snprintf(law, 64, "%.63s", line + 5);
        } else if (strcmp(line, "needs: nothing") == 0) {
            finding->quiet = false;
        } else if (strncmp(line, "also: ", 6) == 0 && finding->also_count < ALSO_MAX) {
            known = known && is_law(line + 6);
            snprintf(finding->also[finding->also_count++], 64, "%.63s", line + 6);
        } else if (mutant->file[0] == '\0' && strncmp(line, "--- a/", 6) == 0) {
            snprintf(mutant->file, sizeof mutant->file, "%.300s", line + 6);
        }
    }
    fclose(file);
    snprintf(mutant->patch, sizeof mutant->patch, "%.319s", path);
    return known && is_law(law) && mutant->file[0] != '\0' &&
           strncmp(mutant->file, "core/", 5) == 0;
}

/* Runs of the patched program. False: it did not say what came of it. */
static bool look(const struct mutant_shop *shop, uint64_t seed, uint64_t runs, const char *faults,
                 struct finding *finding)
{
    char seed_text[24], runs_text[24];
    char *output = calloc(1, OUTPUT_BYTES);
    struct process process;
    CHECK(output != NULL);
    snprintf(seed_text, sizeof seed_text, "%" PRIu64, seed);
    snprintf(runs_text, sizeof runs_text, "%" PRIu64, runs);
    const char *const argv[] = {shop->program, "session", "--json",   "--seed", seed_text,
                                "--runs",      runs_text, "--faults", faults,   NULL};
    cJSON *object = NULL;
    if (process_start(&process, argv, PROCESS_MEMORY_DRAWN, true)) {
        (void)process_finish(&process, output, OUTPUT_BYTES);
        object = cJSON_Parse(output);
    }
    const char *law = cJSON_GetStringValue(cJSON_GetObjectItem(object, "law"));
    const char *what = cJSON_GetStringValue(cJSON_GetObjectItem(object, "what"));
    const cJSON *last = cJSON_GetObjectItem(object, "seed");
    const cJSON *count = cJSON_GetObjectItem(object, "runs");
    const bool said = object != NULL && cJSON_IsNumber(last) && cJSON_IsNumber(count);
    snprintf(finding->caught_by, sizeof finding->caught_by, "%s", law == NULL ? "" : law);
    snprintf(finding->what, sizeof finding->what, "%s", what == NULL ? "" : what);
    if (said) {
        finding->seed = (uint64_t)last->valuedouble;
        finding->runs = (uint64_t)count->valuedouble;
    } else {
        snprintf(finding->what, sizeof finding->what, "%.200s", output);
    }
    cJSON_Delete(object);
    free(output);
    return said;
}

static bool is_also(const struct finding *finding)
{
    for (uint32_t at = 0; at < finding->also_count; at++) {
        if (strcmp(finding->caught_by, finding->also[at]) == 0) {
            return true;
        }
    }
    return false;
}

static void search(const struct mqtt_mutants_request *request, const struct mutant_shop *shop,
                   struct finding *finding)
{
    uint64_t done = 0;
    if (!look(shop, request->seed, CALM_RUNS, "none", finding)) {
        finding->outcome = "BROKEN";
        return;
    }
    if (finding->quiet && finding->caught_by[0] != '\0') {
        finding->outcome = "LOUD"; /* it does not even need a fault */
        return;
    }
    do {
        if (!look(shop, request->seed + done, request->runs - done, "all", finding)) {
            finding->outcome = "BROKEN";
            return;
        }
        done += finding->runs;
        finding->passed_over += is_also(finding);
    } while (is_also(finding) && done < request->runs);
    finding->runs = done;
    const bool named = strcmp(finding->caught_by, finding->law) == 0;
    finding->outcome = named                                               ? "caught"
                       : finding->caught_by[0] == '\0' || is_also(finding) ? "SURVIVED"
                                                                           : "OTHER LAW";
}

static bool look_for(const struct mqtt_mutants_request *request, const struct mutant_build *build,
                     const char *source, const char *name, struct finding *finding, char *error,
                     size_t error_bytes)
{
    char path[2 * MUTANT_PATH_BYTES];
    struct mutant *mutant = calloc(1, sizeof *mutant);
    struct mutant_shop shop;
    CHECK(mutant != NULL);
    snprintf(path, sizeof path, "%s/" FOLDER "/%s" MUTANT_SUFFIX, source, name);
    snprintf(mutant->name, sizeof mutant->name, "%.60s", name);
    snprintf(finding->name, sizeof finding->name, "%.60s", name);
    bool good = read_patch(path, mutant, finding);
    if (!good) {
        snprintf(error, error_bytes,
                 "%s: it needs `law: ` of models/mqtt_laws.def, and one file of core", path);
    } else {
        good = mutant_shop_open(&shop, mutant, error, error_bytes);
        if (good) {
            good = mutant_apply(mutant, &shop, source, error, error_bytes) &&
                   mutant_make(mutant, &shop, build, source, error, error_bytes);
            if (good) {
                search(request, &shop, finding);
            }
            mutant_shop_close(&shop);
        }
    }
    free(mutant);
    return good;
}

static int is_patch(const struct dirent *entry)
{
    const size_t length = strlen(entry->d_name), suffix = strlen(MUTANT_SUFFIX);
    return length > suffix && strcmp(entry->d_name + length - suffix, MUTANT_SUFFIX) == 0;
}

static void print_text(const struct finding *finding)
{
    printf("  %-9s %-28s %-20s seeds %3" PRIu64 "  %s%s%s\n", finding->outcome, finding->name,
           finding->law, finding->runs,
           strcmp(finding->outcome, "caught") == 0 ? "" : finding->caught_by,
           strcmp(finding->outcome, "caught") == 0 ? "" : " ", finding->what);
    fflush(stdout);
}

static void print_json(const struct finding *list, uint32_t count)
{
    cJSON *array = cJSON_CreateArray();
    for (uint32_t at = 0; at < count; at++) {
        cJSON *object = cJSON_CreateObject();
        cJSON_AddStringToObject(object, "name", list[at].name);
        cJSON_AddStringToObject(object, "law", list[at].law);
        cJSON_AddStringToObject(object, "outcome", list[at].outcome);
        cJSON_AddStringToObject(object, "caught_by", list[at].caught_by);
        cJSON_AddNumberToObject(object, "seeds", (double)list[at].runs);
        cJSON_AddItemToArray(array, object);
    }
    char *printed = cJSON_Print(array);
    puts(printed);
    cJSON_free(printed);
    cJSON_Delete(array);
}

int mqtt_mutants(const struct mqtt_mutants_request *request)
{
    char error[2048], folder[2 * MUTANT_PATH_BYTES];
    struct dirent **entries = NULL;
    struct finding *list = calloc(MUTANTS_MAX, sizeof *list);
    uint32_t count = 0;
    int exit_code = VERDICT_PASS;
    CHECK(list != NULL);
    struct mutant_build *build = mutant_build_open(request->build, error, sizeof error);
    if (build == NULL) {
        free(list);
        return command_refuse("session", error);
    }
    const char *source = request->source == NULL ? mutant_build_source(build) : request->source;
    snprintf(folder, sizeof folder, "%s/" FOLDER, source);
    const int found = scandir(folder, &entries, is_patch, alphasort);
    for (int at = 0; at < found; at++) {
        char *name = entries[at]->d_name;
        name[strlen(name) - strlen(MUTANT_SUFFIX)] = '\0';
        if (exit_code != VERDICT_USAGE && count < MUTANTS_MAX && has_name(request->names, name)) {
            struct finding *finding = &list[count++];
            if (!look_for(request, build, source, name, finding, error, sizeof error)) {
                exit_code = command_refuse("session", error);
                finding->outcome = "BROKEN";
            } else {
                exit_code = strcmp(finding->outcome, "caught") == 0 ? exit_code : VERDICT_FAIL;
            }
            if (!request->json) {
                print_text(finding);
            }
        }
        free(entries[at]);
    }
    free(entries);
    if (count == 0) {
        snprintf(error, sizeof error, "%s: no planted bug of that name", folder);
        exit_code = command_refuse("session", error);
    }
    if (request->json) {
        print_json(list, count);
    }
    mutant_build_close(build);
    free(list);
    return exit_code;
}
