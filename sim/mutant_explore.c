#include "sim/mutant_explore.h"

#include <cJSON.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "core/check.h"
#include "sim/process.h"
#include "sim/run.h"

enum {
    OUTPUT_BYTES = 1 << 18,
    WORDS_MAX = 24 + 2 * OPTION_SETTINGS_MAX,
    SEEDS_APART = 1000000, /* of two searches */
    WALL_FACTOR = 4,       /* of processor time: where the machine is shared */
};
#define WORKLOAD "firmware."

struct words {
    const char *list[WORDS_MAX + 1];
    uint32_t count;
    char text[WORDS_MAX][OPTION_KEY_BYTES + SETTING_TEXT_BYTES + 16];
};

const char *mutant_way_name(enum mutant_way way)
{
    static const char *const names[] = {
#define MUTANT_WAY_TEXT(NAME, name) name,
        MUTANT_WAY_LIST(MUTANT_WAY_TEXT)
#undef MUTANT_WAY_TEXT
    };
    return names[way];
}

bool mutant_ways_read(const char *text, bool ways[MUTANT_WAY_COUNT], char *error,
                      size_t error_bytes)
{
    memset(ways, 0, MUTANT_WAY_COUNT * sizeof *ways);
    for (;;) {
        const size_t length = strcspn(text, ",");
        unsigned way = 0;
        while (way < MUTANT_WAY_COUNT &&
               (strlen(mutant_way_name((enum mutant_way)way)) != length ||
                strncmp(mutant_way_name((enum mutant_way)way), text, length) != 0)) {
            way++;
        }
        if (way == MUTANT_WAY_COUNT) {
            snprintf(error, error_bytes,
                     "--explore: '%.*s' is no way; there are uniform, swarm, mixed, guided and "
                     "fuzz, with "
                     "commas between",
                     (int)(length < 64 ? length : 64), text);
            return false;
        }
        ways[way] = true;
        if (text[length] == '\0') {
            return true;
        }
        text += length + 1;
    }
}

uint32_t mutant_explored_caught(const struct mutant_explored *explored)
{
    uint32_t caught = 0;
    for (uint32_t i = 0; i < explored->count; i++) {
        caught += explored->searches[i].caught ? 1 : 0;
    }
    return caught;
}

uint64_t mutant_explored_runs(const struct mutant_explored *explored)
{
    uint64_t runs = 0;
    for (uint32_t i = 0; i < explored->count; i++) {
        runs += explored->searches[i].runs;
    }
    return runs;
}

/* ---- answers --------------------------------------------------------------------------------- */

static uint64_t number_of(const cJSON *object, const char *name)
{
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(object, name);
    return cJSON_IsNumber(item) && item->valuedouble > 0 ? (uint64_t)item->valuedouble : 0;
}

static void copy_text(const cJSON *object, const char *name, char *text, size_t text_bytes)
{
    const char *value = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(object, name));
    snprintf(text, text_bytes, "%s", value == NULL ? "" : value);
}

/* The last line that begins so: warnings and progress stand before it. */
static cJSON *answer_of(const char *output, const char *begin)
{
    const char *answer = NULL;
    for (const char *at = strstr(output, begin); at != NULL; at = strstr(at + 1, begin)) {
        answer = at;
    }
    return answer == NULL ? NULL : cJSON_Parse(answer);
}

/* A database of its own, one run at once: a run's number is its place. */
bool mutant_sweep_understand(const char *output, struct mutant_sight *sight)
{
    cJSON *object = answer_of(output, "{\"runs\"");
    const cJSON *failure;
    memset(sight, 0, sizeof *sight);
    sight->runs = number_of(object, "runs");
    cJSON_ArrayForEach(failure, cJSON_GetObjectItemCaseSensitive(object, "failures"))
    {
        char verdict[24];
        copy_text(failure, "verdict", verdict, sizeof verdict);
        if (!sight->failed && strcmp(verdict, "fail") == 0) {
            sight->failed = true;
            sight->runs = number_of(failure, "run_id");
            copy_text(failure, "law", sight->law, sizeof sight->law);
        }
    }
    char error[256];
    copy_text(object, "error", error, sizeof error);
    const bool good = object != NULL && sight->runs > 0 && error[0] == '\0';
    cJSON_Delete(object);
    return good;
}

bool mutant_fuzz_understand(const char *output, struct mutant_sight *sight)
{
    cJSON *object = answer_of(output, "{\"fuzz_plan\"");
    memset(sight, 0, sizeof *sight);
    sight->runs = number_of(object, "runs");
    copy_text(object, "law", sight->law, sizeof sight->law);
    copy_text(object, "plan", sight->plan, sizeof sight->plan);
    sight->failed = sight->plan[0] != '\0';
    const bool good = object != NULL && sight->runs > 0;
    cJSON_Delete(object);
    return good;
}

/* ---- one search ------------------------------------------------------------------------------ */

static void add(struct words *words, const char *name, const char *value)
{
    CHECK(words->count < WORDS_MAX);
    char *text = words->text[words->count];
    const int length = snprintf(text, sizeof words->text[0], "%s%s", name, value);
    CHECK(length >= 0 && (size_t)length < sizeof words->text[0]);
    words->list[words->count++] = text;
    words->list[words->count] = NULL;
}

static void add_number(struct words *words, const char *name, uint64_t number, const char *unit)
{
    char text[48];
    snprintf(text, sizeof text, "%" PRIu64 "%s", number, unit);
    add(words, name, text);
}

static void add_settings(struct words *words, const struct mutant *mutant)
{
    for (uint32_t i = 0; i < mutant->settings.count; i++) {
        const struct option_setting *setting = &mutant->settings.list[i];
        if (strncmp(setting->key, WORKLOAD, strlen(WORKLOAD)) == 0) {
            char text[OPTION_KEY_BYTES + SETTING_TEXT_BYTES + 2];
            snprintf(text, sizeof text, "%s=%s", setting->key, setting->value);
            add(words, "--set=", text);
        }
    }
}

static uint64_t wall_s(const struct mutant_explore_call *call)
{
    return WALL_FACTOR * (call->cpu_us / 1000000 + 1);
}

static void sweep_words(const struct mutant_explore_call *call, enum mutant_way way, uint64_t seed,
                        uint64_t runs, const char *db, struct words *words)
{
    add(words, call->program, "");
    add(words, "sweep", "");
    add(words, call->scenario, "");
    add_number(words, "--runs=", runs, "");
    add_number(words, "--seed-start=", seed, "");
    add_number(words, "--for=", wall_s(call), "s");
    add(words, "--jobs=1", "");
    add(words, "--stop-after=1", "");
    add(words, "--crypto=ideal", "");
    add(words, "--json", "");
    add(words, "--db=", db);
    add_settings(words, call->mutant);
    add(words, "--set=run.swarm=",
        way == MUTANT_UNIFORM ? "no"
        : way == MUTANT_MIXED ? "half"
                              : "yes");
    if (way == MUTANT_GUIDED) {
        add(words, "--guide", "");
    }
}

static void fuzz_words(const struct mutant_explore_call *call, uint64_t seed, uint64_t runs,
                       struct words *words)
{
    char folder[MUTANT_PATH_BYTES + 2];
    snprintf(folder, sizeof folder, "%s/", call->folder);
    add(words, call->program, "");
    add(words, "--scenario=", call->scenario);
    add(words, "--out=", call->folder);
    add(words, "--set=run.crypto=ideal", "");
    add(words, "--set=run.swarm=yes", "");
    add_settings(words, call->mutant);
    add_number(words, "-runs=", runs, "");
    add_number(words, "-seed=", seed, "");
    add_number(words, "-max_total_time=", wall_s(call), "");
    add(words, "-verbosity=0", "");
    add(words, "-artifact_prefix=", folder);
}

static uint64_t children_us(void)
{
    struct rusage usage;
    CHECK(getrusage(RUSAGE_CHILDREN, &usage) == 0);
    return (uint64_t)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1000000u +
           (uint64_t)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec);
}

static int execute(const struct words *words, char *output, struct mutant_explored *explored)
{
    struct process process;
    if (!process_start(&process, words->list, PROCESS_MEMORY_DRAWN, true)) {
        snprintf(explored->message, sizeof explored->message, "no process could be made for %.400s",
                 words->list[0]);
        return -1;
    }
    return process_finish(&process, output, OUTPUT_BYTES);
}

/* Room for one command line and what it answers. */
struct exchange {
    struct words words;
    char output[OUTPUT_BYTES];
};

/* Runs from `seed` on, until one fails, one cannot be told, or there are `runs` of them. */
static bool ask(const struct mutant_explore_call *call, enum mutant_way way, uint64_t seed,
                uint64_t runs, const char *db, struct exchange *exchange,
                struct mutant_sight *sight, struct mutant_explored *explored)
{
    exchange->words.count = 0;
    if (way == MUTANT_FUZZ) {
        fuzz_words(call, seed, runs, &exchange->words);
    } else {
        sweep_words(call, way, seed, runs, db, &exchange->words);
    }
    const int code = execute(&exchange->words, exchange->output, explored);
    const bool good =
        code >= 0 && (way == MUTANT_FUZZ ? mutant_fuzz_understand(exchange->output, sight)
                                         : mutant_sweep_understand(exchange->output, sight));
    if (code >= 0 && !good) {
        const size_t length = strlen(exchange->output), shown = length < 360 ? length : 360;
        snprintf(explored->message, sizeof explored->message, "no answer (exit code %d): %s", code,
                 exchange->output + length - shown);
    }
    return good;
}

/* Does the program without the bug pass what failed? */
static bool is_its_own(const struct mutant_explore_call *call, const struct mutant_sight *sight,
                       const char *db, struct exchange *exchange, struct mutant_explored *explored)
{
    struct words *words = &exchange->words;
    char number[24];
    snprintf(number, sizeof number, "%" PRIu64, sight->runs);
    words->count = 0;
    add(words, call->sound, "");
    add(words, "replay", "");
    add(words, sight->plan[0] != '\0' ? sight->plan : number, "");
    if (sight->plan[0] == '\0') {
        add(words, "--db=", db);
    }
    const int code = execute(words, exchange->output, explored);
    if (code != VERDICT_PASS && code >= 0) {
        snprintf(explored->message, sizeof explored->message,
                 "without the bug it does not pass either (exit code %d): %.360s", code,
                 exchange->output);
    }
    return code == VERDICT_PASS;
}

static bool search_once(const struct mutant_explore_call *call, enum mutant_way way,
                        struct exchange *exchange, struct mutant_explored *explored)
{
    char db[2 * MUTANT_PATH_BYTES];
    struct mutant_sight sight = {0};
    struct mutant_search *search = &explored->searches[explored->count];
    const uint64_t seed = 1 + (uint64_t)explored->count * SEEDS_APART;
    const uint64_t begin_us = children_us();
    while (!sight.failed && search->runs < call->runs && search->cpu_us < call->cpu_us) {
        snprintf(db, sizeof db, "%s/%s-%" PRIu64 ".db", call->folder, mutant_way_name(way),
                 seed + search->runs);
        if (!ask(call, way, seed + search->runs, call->runs - search->runs, db, exchange, &sight,
                 explored)) {
            return false;
        }
        search->runs += sight.runs;
        search->cpu_us = children_us() - begin_us;
    }
    search->caught = sight.failed && search->cpu_us <= call->cpu_us;
    if (search->caught && explored->law[0] == '\0') {
        memcpy(explored->law, sight.law, sizeof explored->law);
    }
    return !search->caught || is_its_own(call, &sight, db, exchange, explored);
}

void mutant_explore(const struct mutant_explore_call *call, enum mutant_way way,
                    struct mutant_explored *explored)
{
    CHECK(call->searches >= 1 && call->searches <= MUTANT_SEARCHES_MAX);
    struct exchange *exchange = calloc(1, sizeof *exchange);
    CHECK(exchange != NULL);
    memset(explored, 0, sizeof *explored);
    explored->tried = true;
    while (explored->count < call->searches && search_once(call, way, exchange, explored)) {
        explored->count++;
    }
    free(exchange);
}
