#include "sim/mutant_shrink.h"

#include <cJSON.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/check.h"
#include "sim/mutant_life.h"
#include "sim/print.h"
#include "sim/process.h"
#include "sim/selfcheck.h"
#include "sim/twin.h"

enum { OUTPUT_BYTES = 1 << 18, WORDS_MAX = 16 + 2 * OPTION_SETTINGS_MAX };

static uint64_t number_of(const cJSON *object, const char *name)
{
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(object, name);
    return cJSON_IsNumber(item) && item->valuedouble > 0 ? (uint64_t)item->valuedouble : 0;
}

bool mutant_shrink_understand(const char *output, int code, struct mutant_shrunk *shrunk)
{
    const char *answer = strstr(output, "{\"verdict\""); /* behind what it said meanwhile */
    cJSON *object = cJSON_Parse(answer == NULL ? "" : answer);
    const cJSON *from = cJSON_GetObjectItemCaseSensitive(object, "from");
    const cJSON *to = cJSON_GetObjectItemCaseSensitive(object, "to");
    const cJSON *seconds = cJSON_GetObjectItemCaseSensitive(object, "seconds");
    const bool good = code == VERDICT_FAIL && cJSON_IsObject(from) && cJSON_IsObject(to) &&
                      cJSON_IsNumber(cJSON_GetObjectItemCaseSensitive(to, "faults"));
    if (good) {
        shrunk->faults_before = number_of(from, "faults");
        shrunk->faults = number_of(to, "faults");
        shrunk->devices = number_of(to, "devices");
        shrunk->runs = number_of(object, "runs");
        shrunk->seed = number_of(object, "seed");
        shrunk->seeds_failing = number_of(object, "seeds_failing");
        shrunk->minimal = cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(object, "minimal"));
        shrunk->seconds_us =
            cJSON_IsNumber(seconds) ? (uint64_t)(seconds->valuedouble * 1000000) : 0;
    } else {
        snprintf(shrunk->message, sizeof shrunk->message,
                 "brownout shrink answered with exit code %d: %.300s", code, output);
    }
    cJSON_Delete(object);
    return good;
}

static bool ask(const struct mutant_shrink_call *call, struct mutant_shrunk *shrunk)
{
    static char output[OUTPUT_BYTES];
    static char settings[OPTION_SETTINGS_MAX][OPTION_KEY_BYTES + SETTING_TEXT_BYTES + 2];
    const char *words[WORDS_MAX];
    char seed[32];
    uint32_t count = 0;
    struct process process;
    snprintf(seed, sizeof seed, "%" PRIu64, call->seed);
    const char *const fixed[] = {call->program, "shrink",   call->scenario, "--seed",
                                 seed,          "--crypto", "ideal",        "--jobs",
                                 "1",           "--json",   "-o",           call->output};
    for (size_t i = 0; i < sizeof fixed / sizeof fixed[0]; i++) {
        words[count++] = fixed[i];
    }
    for (uint32_t i = 0; i < call->mutant->settings.count; i++) {
        const struct option_setting *setting = &call->mutant->settings.list[i];
        snprintf(settings[i], sizeof settings[i], "%s=%s", setting->key, setting->value);
        words[count++] = "--set";
        words[count++] = settings[i];
    }
    if (shrunk->kind == MUTANT_SHRUNK_DETERMINISM) {
        words[count++] = "--selfcheck";
    }
    CHECK(count < WORDS_MAX);
    words[count] = NULL;
    if (!process_start(&process, words, PROCESS_MEMORY_DRAWN, true)) {
        snprintf(shrunk->message, sizeof shrunk->message, "no process could be made for %s",
                 call->program);
        return false;
    }
    const int code = process_finish(&process, output, sizeof output);
    return mutant_shrink_understand(output, code, shrunk);
}

/* The verdict of the shrunk scenario, by one of the programs. */
static bool live(const struct mutant_shrink_call *call, const char *program, uint64_t seed,
                 struct twin_answer *answer, struct mutant_shrunk *shrunk)
{
    struct twin_task task;
    twin_task_init(&task);
    task.program = program;
    task.scenario = call->output;
    task.seed = seed;
    return twin_run(&task, answer, shrunk->message, sizeof shrunk->message);
}

static void judge_run(const struct mutant_shrink_call *call, struct mutant_shrunk *shrunk)
{
    struct twin_answer planted, sound;
    if (!ask(call, shrunk) || !live(call, call->program, shrunk->seed, &planted, shrunk) ||
        !live(call, call->sound, shrunk->seed, &sound, shrunk)) {
        return;
    }
    if (planted.verdict != VERDICT_FAIL ||
        strcmp(planted.law, law_name((enum law)call->mutant->law)) != 0) {
        snprintf(shrunk->message, sizeof shrunk->message,
                 "the shrunk scenario does not break the law with the bug: %.300s",
                 planted.message);
    } else if (sound.verdict != VERDICT_PASS) {
        snprintf(shrunk->message, sizeof shrunk->message,
                 "the shrunk scenario fails without the bug, too: %.300s", sound.message);
    } else {
        shrunk->good = true;
    }
}

static enum verdict determinism(const struct mutant_shrink_call *call, const char *program,
                                uint64_t seed)
{
    static struct selfcheck_result result;
    static const struct option_settings none;
    const struct selfcheck_request request = {
        .program = program, .scenario = call->output, .seed = seed, .settings = &none};
    selfcheck(&request, &result);
    return result.verdict;
}

static void judge_determinism(const struct mutant_shrink_call *call, struct mutant_shrunk *shrunk)
{
    if (!ask(call, shrunk)) {
        return;
    }
    const enum verdict planted = determinism(call, call->program, shrunk->seed);
    const enum verdict sound = determinism(call, call->sound, shrunk->seed);
    shrunk->good = planted == VERDICT_NONDETERMINISTIC && sound == VERDICT_PASS;
    if (!shrunk->good) {
        snprintf(shrunk->message, sizeof shrunk->message,
                 "selfcheck of the shrunk scenario says %s with the bug, and %s without",
                 verdict_name(planted), verdict_name(sound));
    }
}

static void judge_life(const struct mutant_shrink_call *call, struct mutant_shrunk *shrunk)
{
    struct mutant_life_answer found, planted, sound;
    const char *const pin[] = {"--replay", call->replay, "-o", call->output, NULL};
    const char *const pinned[] = {NULL};
    if (call->replay[0] == '\0') {
        snprintf(shrunk->message, sizeof shrunk->message, "no history of cuts shows it");
        return;
    }
    if (!mutant_life_ask(call->program, call->scenario, pin, &found, shrunk->message,
                         sizeof shrunk->message) ||
        !mutant_life_ask(call->program, call->output, pinned, &planted, shrunk->message,
                         sizeof shrunk->message) ||
        !mutant_life_ask(call->sound, call->output, pinned, &sound, shrunk->message,
                         sizeof shrunk->message)) {
        return;
    }
    shrunk->faults_before = found.depth;
    shrunk->faults = planted.depth;
    shrunk->devices = shrunk->seed = 1;
    shrunk->minimal = true;
    shrunk->good = planted.violated && !sound.violated &&
                   strcmp(planted.law, law_name((enum law)call->mutant->law)) == 0;
    if (!shrunk->good) {
        snprintf(shrunk->message, sizeof shrunk->message,
                 "the life with its cuts pinned breaks %s with the bug, and %s without",
                 planted.violated ? planted.law : "no law", sound.violated ? sound.law : "none");
    }
}

/* As far as there is room. */
static void take_scenario(const char *path, struct mutant_shrunk *shrunk)
{
    FILE *file = fopen(path, "r");
    if (file != NULL) {
        const size_t used = fread(shrunk->scenario, 1, sizeof shrunk->scenario, file);
        shrunk->scenario[used < sizeof shrunk->scenario ? used : 0] = '\0';
        fclose(file);
    }
}

void mutant_shrink(const struct mutant_shrink_call *call, struct mutant_shrunk *shrunk)
{
    memset(shrunk, 0, sizeof *shrunk);
    if (call->mutant->needs != MUTANT_NEEDS_RUN) {
        shrunk->kind = MUTANT_SHRUNK_LIFE;
        judge_life(call, shrunk);
    } else if (call->mutant->law == MUTANT_DETERMINISM) {
        shrunk->kind = MUTANT_SHRUNK_DETERMINISM;
        judge_determinism(call, shrunk);
    } else {
        judge_run(call, shrunk);
    }
    if (shrunk->good && shrunk->faults > MUTANT_FAULTS_MAX) {
        snprintf(shrunk->message, sizeof shrunk->message, "more than %d faults are left",
                 MUTANT_FAULTS_MAX);
        shrunk->good = false;
    }
    take_scenario(call->output, shrunk);
}

static void print_run(const struct print *print, const struct mutant_shrunk *shrunk)
{
    fprintf(print->file,
            " from %" PRIu64 " to %" PRIu64 " faults, %" PRIu64 " devices%s; %" PRIu64
            " runs, %" PRIu64 ".%" PRIu64 " s; fails with %" PRIu64 " of 10 seeds\n",
            shrunk->faults_before, shrunk->faults, shrunk->devices,
            shrunk->minimal ? "" : " (not minimal)", shrunk->runs, shrunk->seconds_us / 1000000,
            shrunk->seconds_us / 100000 % 10, shrunk->seeds_failing);
}

void mutant_shrunk_print(const struct print *print, const struct mutant_shrunk *shrunk)
{
    fprintf(print->file, "           ");
    print_paint(print, shrunk->good ? PRINT_GOOD : PRINT_BAD, shrunk->good ? "shrunk" : "not so");
    if (shrunk->kind == MUTANT_SHRUNK_LIFE) {
        fprintf(print->file, " to a life with %" PRIu64 " power cut%s, its history pinned\n",
                shrunk->faults, shrunk->faults == 1 ? "" : "s");
    } else {
        print_run(print, shrunk);
    }
    if (!shrunk->good) {
        fprintf(print->file, "           %s\n", shrunk->message);
    }
}

struct cJSON *mutant_shrunk_json(const struct mutant_shrunk *shrunk)
{
    cJSON *object = cJSON_CreateObject();
    cJSON_AddBoolToObject(object, "good", shrunk->good);
    cJSON_AddBoolToObject(object, "minimal", shrunk->minimal);
    json_number(object, "faults_before", shrunk->faults_before);
    json_number(object, "faults", shrunk->faults);
    json_number(object, "devices", shrunk->devices);
    json_number(object, "runs", shrunk->runs);
    json_number(object, "seed", shrunk->seed);
    json_number(object, "seeds_failing", shrunk->seeds_failing);
    json_seconds(object, "seconds", shrunk->seconds_us);
    json_text(object, "message", shrunk->message);
    json_text(object, "scenario", shrunk->scenario);
    return object;
}
