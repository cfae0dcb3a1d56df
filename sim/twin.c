#include "sim/twin.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/check.h"
#include "models/model.h"

enum {
    WORDS_MAX = 2 * OPTION_SETTINGS_MAX + 48,
    TEXT_BYTES_MAX = 96 * OPTION_SETTINGS_MAX * 8, /* of all words that are made here */
    OUTPUT_BYTES = 4096,
};

/* What fresh RAM is filled with in other memory; any number but 0 will do. */
#define OTHER_POISON UINT64_C(0x5eed0fa11)

/* A command line that grows. */
struct words {
    const char *list[WORDS_MAX + 1];
    uint32_t count;
    char text[TEXT_BYTES_MAX];
    size_t text_bytes;
};

void twin_task_init(struct twin_task *task)
{
    *task = (struct twin_task){.until_event = UINT64_MAX, .to_event = UINT64_MAX};
}

static void add(struct words *words, const char *word)
{
    CHECK(words->count < WORDS_MAX);
    words->list[words->count++] = word;
}

static void add_flag(struct words *words, bool flag, const char *name)
{
    if (flag) {
        add(words, name);
    }
}

static void add_text(struct words *words, const char *name, const char *value)
{
    if (value != NULL) {
        add(words, name);
        add(words, value);
    }
}

static void add_made(struct words *words, const char *name, const char *left, const char *between,
                     const char *right)
{
    char *word = words->text + words->text_bytes;
    const size_t room = sizeof words->text - words->text_bytes;
    const int length = snprintf(word, room, "%s%s%s", left, between, right);
    CHECK(length >= 0 && (size_t)length < room);
    words->text_bytes += (size_t)length + 1;
    add(words, name);
    add(words, word);
}

static void add_number(struct words *words, const char *name, uint64_t number)
{
    char digits[24];
    snprintf(digits, sizeof digits, "%" PRIu64, number);
    add_made(words, name, digits, "", "");
}

static void spell(struct words *words, const struct twin_task *task)
{
    add(words, task->program);
    add(words, "selfcheck");
    add(words, "--inner");
    add_text(words, "--inner-plan", task->plan);
    add_flag(words, task->calm, "--inner-calm");
    add_flag(words, task->other_memory, "--inner-other-memory");
    add_flag(words, task->no_laws, "--inner-no-laws");
    add_flag(words, task->looked_at, "--inner-looked-at");
    add_flag(words, task->after_another, "--inner-after-another");
    add_flag(words, task->history, "--inner-history");
    add_text(words, "--inner-plan-out", task->plan_out);
    add_text(words, "--inner-digests", task->digests);
    add_text(words, "--inner-items", task->items);
    add_number(words, "--inner-until", task->until_event);
    add_number(words, "--inner-from", task->from_event);
    add_number(words, "--inner-to", task->to_event);
    add_number(words, "--seed", task->seed);
    for (uint32_t i = 0; task->settings != NULL && i < task->settings->count; i++) {
        const struct option_setting *setting = &task->settings->list[i];
        add_made(words, "--set", setting->key, "=", setting->value);
    }
    if (task->crypto != NULL) {
        add_made(words, "--set", "run.crypto", "=", task->crypto);
    }
    add(words, "--");
    if (task->plan == NULL) {
        add(words, task->scenario);
    }
    words->list[words->count] = NULL;
}

static bool understand(const char *text, struct twin_answer *answer)
{
    int verdict = 0, at = 0;
    if (sscanf(text, "twin %d %32s %" SCNu64 " %31s %" SCNu64 " %n", &verdict, answer->hash,
               &answer->events, answer->law, &answer->event, &at) != 5 ||
        at == 0 || verdict < VERDICT_PASS || verdict > VERDICT_UNKNOWN) {
        return false;
    }
    answer->verdict = (enum verdict)verdict;
    const size_t length = strcspn(text + at, "\n");
    snprintf(answer->message, sizeof answer->message, "%.*s", (int)length, text + at);
    return true;
}

bool twin_run(const struct twin_task *task, struct twin_answer *answer, char *error,
              size_t error_bytes)
{
    struct process process;
    char output[OUTPUT_BYTES] = "";
    CHECK((task->scenario == NULL) != (task->plan == NULL));
    memset(answer, 0, sizeof *answer);
    struct words *words = calloc(1, sizeof *words);
    CHECK(words != NULL);
    spell(words, task);
    const bool started =
        process_start(&process, words->list,
                      task->other_memory ? PROCESS_MEMORY_OTHER : PROCESS_MEMORY_DRAWN, true);
    free(words);
    if (!started) {
        snprintf(error, error_bytes, "no process could be made for %s", task->program);
        return false;
    }
    const int code = process_finish(&process, output, sizeof output);
    const char *line = strstr(output, "twin ");
    if (code == 0 && line != NULL && understand(line, answer)) {
        return true;
    }
    const size_t length = strcspn(output, "\n");
    if (code > 128) {
        snprintf(error, error_bytes, "%s was ended by signal %d%s%.*s", task->program, code - 128,
                 length > 0 ? ": " : "", (int)length, output);
    } else {
        snprintf(error, error_bytes, "%s answered with exit code %d%s%.*s", task->program, code,
                 length > 0 ? ": " : "", (int)length, output);
    }
    return false;
}

/* ---- the other side -------------------------------------------------------------------------- */

struct onlooker {
    const struct twin_task *task;
    struct settings *settings; /* to print names with; NULL until the run has said them */
    FILE *digests, *items;
    uint64_t seen; /* of the items, so that looking is no empty act */
};

static void look(void *ctx, const struct world_item *item)
{
    struct onlooker *onlooker = ctx;
    const struct twin_task *task = onlooker->task;
    char text[256];
    onlooker->seen = onlooker->seen * 31 + item->event + item->what + item->value;
    if (onlooker->digests != NULL && item->kind == ITEM_EVENT) {
        (void)fwrite(&item->digest, sizeof item->digest, 1, onlooker->digests);
    }
    if (onlooker->items != NULL && item->event >= task->from_event &&
        item->event <= task->to_event) {
        world_item_print(onlooker->settings, item, text, sizeof text);
        fprintf(onlooker->items, "%s\n", text);
    }
}

static bool read_plan(const char *path, struct plan *plan, char *error, size_t error_bytes)
{
    FILE *file = fopen(path, "r");
    if (file == NULL) {
        snprintf(error, error_bytes, "%s cannot be read", path);
        return false;
    }
    const bool good = plan_read(plan, file, error, error_bytes);
    fclose(file);
    return good;
}

static bool write_plan(const char *path, const struct plan *plan)
{
    FILE *file = fopen(path, "w");
    if (file == NULL) {
        return false;
    }
    const bool good = plan_write(plan, file);
    return fclose(file) == 0 && good;
}

struct wishes {
    struct run_setting list[OPTION_SETTINGS_MAX + EFFECT_COUNT + 2];
    uint32_t count;
    char keys[EFFECT_COUNT][64];
};

/* The settings in the order in which they hold: the caller's, then what this task is about. */
static void wish(struct wishes *wishes, const struct twin_task *task)
{
    wishes->count = 0;
    for (uint32_t i = 0; task->settings != NULL && i < task->settings->count; i++) {
        const struct option_setting *setting = &task->settings->list[i];
        wishes->list[wishes->count++] = (struct run_setting){setting->key, setting->value};
    }
    for (unsigned i = 0; task->calm && i < EFFECT_COUNT; i++) {
        snprintf(wishes->keys[i], sizeof wishes->keys[i], "faults.%s.every",
                 effect_info((enum effect)i).name);
        wishes->list[wishes->count++] = (struct run_setting){wishes->keys[i], "0"};
    }
    if (task->calm) {
        wishes->list[wishes->count++] = (struct run_setting){"run.heal_core", "no"};
    }
    if (task->crypto != NULL) {
        wishes->list[wishes->count++] = (struct run_setting){"run.crypto", task->crypto};
    }
}

/* Node names need the fleet's settings, and only a run knows them: one that takes no event. */
static void learn_settings(const struct run_request *request, struct settings *settings)
{
    struct run_request first = *request;
    struct run_result *result = calloc(1, sizeof *result);
    CHECK(result != NULL);
    first.until_event = 0;
    first.options.item = NULL;
    run(&first, result);
    *settings = result->plan.settings;
    run_result_free(result);
    free(result);
}

static void run_another(const struct run_request *request)
{
    struct run_request another = *request;
    struct run_result *result = calloc(1, sizeof *result);
    CHECK(result != NULL);
    another.seed++;
    another.options.item = NULL;
    run(&another, result);
    run_result_free(result);
    free(result);
}

static void answer(const struct run_result *result)
{
    char hash[HASH_TEXT_BYTES], message[sizeof result->message];
    hash_print(result->digest, hash);
    snprintf(message, sizeof message, "%s", result->message);
    for (char *at = message; *at != '\0'; at++) {
        *at = *at == '\n' || *at == '\r' ? ' ' : *at;
    }
    printf("twin %d %s %" PRIu64 " %s %" PRIu64 " %s\n", (int)result->verdict, hash, result->events,
           result->violated ? law_name(result->violation.law) : "-",
           result->violated ? result->violation.observation.event : 0, message);
}

static bool serve(const struct twin_task *task, struct run_request *request,
                  struct onlooker *onlooker)
{
    static struct settings settings;
    static struct run_result result;
    bool good = true;
    if (task->after_another) {
        run_another(request);
    }
    if (task->items != NULL) {
        learn_settings(request, &settings);
        onlooker->settings = &settings;
        onlooker->items = fopen(task->items, "w");
        good = onlooker->items != NULL;
    }
    if (task->digests != NULL) {
        request->options.digests = true;
        onlooker->digests = fopen(task->digests, "wb");
        good = good && onlooker->digests != NULL;
    }
    if (good) {
        run(request, &result);
        answer(&result);
        good = task->plan_out == NULL || result.verdict == VERDICT_USAGE ||
               write_plan(task->plan_out, &result.plan);
        run_result_free(&result);
    }
    if (onlooker->items != NULL) {
        good = fclose(onlooker->items) == 0 && good;
    }
    if (onlooker->digests != NULL) {
        good = fclose(onlooker->digests) == 0 && good;
    }
    return good;
}

int twin_serve(const struct twin_task *task)
{
    static struct wishes wishes;
    struct onlooker onlooker = {.task = task};
    struct run_request request;
    struct plan plan;
    char error[512];
    run_request_init(&request);
    request.seed = task->seed;
    request.until_event = task->until_event;
    request.options.laws = !task->no_laws;
    request.options.history_only = task->history;
    request.options.poison = task->other_memory ? OTHER_POISON : 0;
    if (task->looked_at || task->digests != NULL || task->items != NULL) {
        request.options.item = look;
        request.options.item_ctx = &onlooker;
    }
    if (task->plan != NULL) {
        if (!read_plan(task->plan, &plan, error, sizeof error)) {
            fprintf(stderr, "%s: %s\n", task->plan, error);
            return VERDICT_USAGE;
        }
        request.plan = &plan;
    } else {
        wish(&wishes, task);
        request.scenario = task->scenario;
        request.settings = wishes.list;
        request.setting_count = wishes.count;
    }
    const bool good = serve(task, &request, &onlooker);
    if (task->plan != NULL) {
        plan_free(&plan);
    }
    return good && fflush(stdout) == 0 ? VERDICT_PASS : VERDICT_HARNESS;
}
