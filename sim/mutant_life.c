#include "sim/mutant_life.h"

#include <cJSON.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "core/check.h"
#include "sim/process.h"
#include "sim/run.h"

enum { OUTPUT_BYTES = 65536 };

#define TO_THE_FIXPOINT UINT64_MAX

struct exploration {
    const char *program, *scenario;
    uint64_t depth;      /* TO_THE_FIXPOINT: all */
    const char *without; /* an option; NULL: none */
};

static bool explore(const struct exploration *exploration, struct mutant_life_answer *answer,
                    char *message, size_t message_bytes);
static bool is_silent(const struct exploration *exploration, enum mutant_outcome otherwise,
                      struct mutant_life_result *result);
static void copy_text(const cJSON *object, const char *name, char *text, size_t text_bytes);

void mutant_life_examine(const struct mutant *mutant, const char *program, const char *sound,
                         const char *scenario, struct mutant_life_result *result)
{
    struct mutant_life_answer answer;
    struct exploration exploration = {program, scenario, TO_THE_FIXPOINT, NULL};
    CHECK(mutant->needs != MUTANT_NEEDS_RUN);
    memset(result, 0, sizeof *result);
    result->outcome = MUTANT_BROKEN;
    if (!explore(&exploration, &answer, result->message, sizeof result->message)) {
        return;
    }
    if (!answer.violated) {
        result->outcome = MUTANT_SURVIVED;
        return;
    }
    result->depth = answer.depth;
    memcpy(result->replay, answer.replay, sizeof result->replay);
    exploration.depth = answer.depth;
    exploration.program = sound;
    if (!is_silent(&exploration, MUTANT_ALIKE, result)) {
        return;
    }
    exploration.program = program;
    exploration.depth = mutant->needs == MUTANT_NEEDS_CUT ? 0 : answer.depth;
    exploration.without = mutant->needs == MUTANT_NEEDS_TORN        ? "--no-torn"
                          : mutant->needs == MUTANT_NEEDS_UNCERTAIN ? "--no-demonic"
                                                                    : NULL;
    if (mutant->needs != MUTANT_NEEDS_NONE && !is_silent(&exploration, MUTANT_LOUD, result)) {
        return;
    }
    const bool named = strcmp(answer.law, law_name((enum law)mutant->law)) == 0;
    result->outcome = named ? MUTANT_CAUGHT : MUTANT_OTHER_LAW;
    snprintf(result->message, sizeof result->message, "%s: %s", answer.law, answer.what);
}

/* No law is broken there; else that is the outcome. */
static bool is_silent(const struct exploration *exploration, enum mutant_outcome otherwise,
                      struct mutant_life_result *result)
{
    struct mutant_life_answer answer;
    if (!explore(exploration, &answer, result->message, sizeof result->message)) {
        return false;
    }
    if (answer.violated) {
        result->outcome = otherwise;
        snprintf(result->message, sizeof result->message, "%s%s: %s: %s",
                 otherwise == MUTANT_ALIKE ? "without the bug" : "without what it needs, ",
                 exploration->without != NULL ? exploration->without
                 : otherwise == MUTANT_ALIKE  ? ""
                                              : "--depth 0",
                 answer.law, answer.what);
    }
    return !answer.violated;
}

static bool explore(const struct exploration *exploration, struct mutant_life_answer *answer,
                    char *message, size_t message_bytes)
{
    char output[OUTPUT_BYTES] = "", depth[24];
    const char *words[10] = {exploration->program, "cuts", exploration->scenario, "--json"};
    uint32_t count = 4;
    struct process process;
    if (exploration->depth != TO_THE_FIXPOINT) {
        snprintf(depth, sizeof depth, "%" PRIu64, exploration->depth);
        words[count++] = "--depth";
        words[count++] = depth;
    }
    if (exploration->without != NULL) {
        words[count++] = exploration->without;
    }
    words[count] = NULL;
    if (!process_start(&process, words, PROCESS_MEMORY_DRAWN, false)) {
        snprintf(message, message_bytes, "no process could be made for %s", exploration->program);
        return false;
    }
    const int code = process_finish(&process, output, sizeof output);
    return mutant_life_understand(output, code, answer, message, message_bytes);
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
