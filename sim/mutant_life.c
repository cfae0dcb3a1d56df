#include "sim/mutant_life.h"

#include <cJSON.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "core/check.h"
#include "sim/process.h"
#include "sim/run.h"

enum { OUTPUT_BYTES = 65536, WORDS_MAX = 8 };

/* What a program is asked about a life. */
struct question {
    const char *program, *scenario;
    const char *const *words; /* options; NULL ends them */
};

static bool ask(const struct question *question, struct mutant_life_answer *answer, int *code,
                char *message, size_t message_bytes);
static bool survives(const char *sound, const char *scenario, const char *replay,
                     struct mutant_life_result *result);
static bool is_silent(enum mutant_needs needs, const char *program, const char *scenario,
                      struct mutant_life_result *result);
static void copy_text(const cJSON *object, const char *name, char *text, size_t text_bytes);

void mutant_life_examine(const struct mutant *mutant, const char *program, const char *sound,
                         const char *scenario, struct mutant_life_result *result)
{
    struct mutant_life_answer answer;
    int code;
    CHECK(mutant->needs != MUTANT_NEEDS_RUN);
    memset(result, 0, sizeof *result);
    result->outcome = MUTANT_BROKEN;
    const char *const none[] = {NULL};
    const struct question all = {program, scenario, none};
    if (!ask(&all, &answer, &code, result->message, sizeof result->message)) {
        return;
    }
    if (!answer.violated) {
        result->outcome = MUTANT_SURVIVED;
        return;
    }
    result->depth = answer.depth;
    memcpy(result->replay, answer.replay, sizeof result->replay);
    if (!survives(sound, scenario, answer.replay, result) ||
        !is_silent(mutant->needs, program, scenario, result)) {
        return;
    }
    const bool named = strcmp(answer.law, law_name((enum law)mutant->law)) == 0;
    result->outcome = named ? MUTANT_CAUGHT : MUTANT_OTHER_LAW;
    snprintf(result->message, sizeof result->message, "%s: %s", answer.law, answer.what);
}

/* The sound program lives the same cuts, unless it does other operations there. */
static bool survives(const char *sound, const char *scenario, const char *replay,
                     struct mutant_life_result *result)
{
    struct mutant_life_answer answer;
    int code;
    const char *const words[] = {"--replay", replay, NULL};
    const struct question history = {sound, scenario, words};
    if (replay[0] == '\0') { /* a boot that goes round: there is no last cut */
        return true;
    }
    if (!ask(&history, &answer, &code, result->message, sizeof result->message)) {
        result->message[0] = '\0';
        return code == VERDICT_USAGE;
    }
    if (answer.violated) {
        result->outcome = MUTANT_ALIKE;
        snprintf(result->message, sizeof result->message, "without the bug: %s: %s", answer.law,
                 answer.what);
    }
    return !answer.violated;
}

static bool is_silent(enum mutant_needs needs, const char *program, const char *scenario,
                      struct mutant_life_result *result)
{
    static const char *const without[MUTANT_NEEDS_COUNT][3] = {
        [MUTANT_NEEDS_CUT] = {"--depth", "0"},
        [MUTANT_NEEDS_TORN] = {"--no-torn", NULL},
        [MUTANT_NEEDS_UNCERTAIN] = {"--no-demonic", NULL},
    };
    struct mutant_life_answer answer;
    int code;
    if (needs == MUTANT_NEEDS_NONE) {
        return true;
    }
    const struct question less = {program, scenario, without[needs]};
    if (!ask(&less, &answer, &code, result->message, sizeof result->message)) {
        return false;
    }
    if (answer.violated) {
        result->outcome = MUTANT_LOUD;
        snprintf(result->message, sizeof result->message, "without what it needs, %s: %s: %s",
                 without[needs][0], answer.law, answer.what);
    }
    return !answer.violated;
}

static bool ask(const struct question *question, struct mutant_life_answer *answer, int *code,
                char *message, size_t message_bytes)
{
    char output[OUTPUT_BYTES] = "";
    const char *list[WORDS_MAX + 5] = {question->program, "cuts", question->scenario, "--json"};
    uint32_t count = 4;
    for (uint32_t i = 0; question->words[i] != NULL; i++) {
        CHECK(i < WORDS_MAX);
        list[count++] = question->words[i];
    }
    struct process process;
    *code = VERDICT_HARNESS;
    if (!process_start(&process, list, PROCESS_MEMORY_DRAWN, false)) {
        snprintf(message, message_bytes, "no process could be made for %s", question->program);
        return false;
    }
    *code = process_finish(&process, output, sizeof output);
    return mutant_life_understand(output, *code, answer, message, message_bytes);
}

bool mutant_life_ask(const char *program, const char *scenario, const char *const *words,
                     struct mutant_life_answer *answer, char *message, size_t message_bytes)
{
    const struct question question = {program, scenario, words};
    int code;
    return ask(&question, answer, &code, message, message_bytes);
}

/* Exit code 1 without a law is an exploration that proves nothing (vacuous); 5 is one that was
 * bounded, by the depth that was asked for. */
bool mutant_life_understand(const char *output, int code, struct mutant_life_answer *answer,
                            char *message, size_t message_bytes)
{
    memset(answer, 0, sizeof *answer);
    cJSON *object = cJSON_Parse(output);
    const bool answered = cJSON_IsObject(object) &&
                          (code == VERDICT_PASS || code == VERDICT_FAIL || code == VERDICT_UNKNOWN);
    if (answered) {
        const cJSON *depth = cJSON_GetObjectItemCaseSensitive(object, "depth");
        copy_text(object, "law", answer->law, sizeof answer->law);
        copy_text(object, "what", answer->what, sizeof answer->what);
        copy_text(object, "replay", answer->replay, sizeof answer->replay);
        answer->violated = answer->law[0] != '\0';
        answer->depth =
            cJSON_IsNumber(depth) && depth->valuedouble > 0 ? (uint64_t)depth->valuedouble : 0;
    }
    bool good = answered && (code == VERDICT_FAIL) == answer->violated;
    if (!good) {
        char why[256] = "";
        copy_text(object, "why", why, sizeof why);
        snprintf(message, message_bytes, "brownout cuts answered with exit code %d%s%s", code,
                 why[0] != '\0' ? ": " : "", why);
    }
    cJSON_Delete(object);
    return good;
}

static void copy_text(const cJSON *object, const char *name, char *text, size_t text_bytes)
{
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(object, name);
    if (cJSON_IsString(item)) {
        snprintf(text, text_bytes, "%s", item->valuestring);
    }
}
