/* What the verbs share. */
#include "sim/command.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "core/check.h"
#include "sim/life.h"
#include "sim/print.h"
#include "sim/profile.h"
#include "sim/record.h"
#include "sim/status.h"

const char *command_settings_help(void)
{
    static char *text; /* made once, kept to the end of the process */
    size_t size;
    FILE *file = text == NULL ? open_memstream(&text, &size) : NULL;
    if (file == NULL) {
        return text == NULL ? "" : text;
    }
    fputs(
        "settings (--set KEY=VALUE; any unambiguous tail of a key will do), with their defaults:\n",
        file);
    for (unsigned i = 0; i < SETTING_COUNT; i++) {
        struct setting_info info;
        setting_describe((enum setting)i, &info);
        fprintf(file, "  %-22s %-8s %s%s%s%s\n", info.key, info.standard, info.doc,
                info.range[0] != '\0' ? " (" : "", info.range, info.range[0] != '\0' ? ")" : "");
    }
    fputs("\nlink profiles, for link.device and link.gateway:\n", file);
    size_t count;
    const struct profile *profiles = profile_table(&count);
    for (size_t i = 0; i < count; i++) {
        fprintf(file, "  %-22s %s\n", profiles[i].name, profiles[i].source);
    }
    fputs("\nfault classes (--set faults.NAME=2h: on every target once in two hours on average; "
          "also\n"
          ".lasts=10s..5m, .amount and .on=device,gateway,cloud,rogue):\n",
          file);
    for (unsigned i = 0; i < EFFECT_COUNT; i++) {
        const struct effect_info info = effect_info((enum effect)i);
        fprintf(file, "  %-22s %s\n", info.name, info.doc);
    }
    if (fclose(file) != 0) {
        text = NULL;
    }
    return text == NULL ? "" : text;
}

int command_refuse(const char *verb, const char *error)
{
    fprintf(stderr, "brownout %s: %s\n", verb, error);
    return VERDICT_USAGE;
}

bool command_parse(const struct option_verb *verb, int argc, char **argv, const char **argument,
                   int *exit_code)
{
    char error[512];
    switch (option_parse(verb, argc, argv, argument, error, sizeof error)) {
    case OPTION_READY:
        return true;
    case OPTION_HELP:
        option_help(verb, stdout);
        *exit_code = VERDICT_PASS;
        return false;
    case OPTION_WRONG:
        break;
    }
    *exit_code = command_refuse(verb->name, error);
    return false;
}

bool command_is_scenario(const char *folder, const char *name)
{
    char path[COMMAND_LINE_BYTES];
    const size_t length = strlen(name);
    if (length <= 4 || strcmp(name + length - 4, ".lua") != 0 || name[0] == '_' || name[0] == '.' ||
        strcmp(name, "brownout.lua") == 0) {
        return false;
    }
    snprintf(path, sizeof path, "%s/%s", folder, name);
    return !life_is(path);
}

/* ---- settings -------------------------------------------------------------------------------- */

void command_settings(struct command_settings *target, const struct option_settings *settings,
                      struct run_request *request)
{
    for (uint32_t i = 0; i < settings->count; i++) {
        target->list[i] = (struct run_setting){settings->list[i].key, settings->list[i].value};
    }
    request->settings = target->list;
    request->setting_count = settings->count;
}

char *command_settings_text(const struct option_settings *settings)
{
    char *text = NULL;
    size_t size = 0;
    FILE *file = open_memstream(&text, &size);
    CHECK(file != NULL);
    for (uint32_t i = 0; i < settings->count; i++) {
        fprintf(file, "%s=%s\n", settings->list[i].key, settings->list[i].value);
    }
    CHECK(fclose(file) == 0);
    return text;
}

bool command_settings_read(struct option_settings *settings, const char *text)
{
    char error[200];
    while (*text != '\0') {
        char line[OPTION_KEY_BYTES + SETTING_TEXT_BYTES + 2];
        const size_t length = strcspn(text, "\n");
        snprintf(line, sizeof line, "%.*s", (int)(length < sizeof line ? length : sizeof line),
                 text);
        if (!option_settings_add(settings, line, error, sizeof error)) {
            return false;
        }
        text += length + (text[length] == '\n' ? 1 : 0);
    }
    return true;
}

bool command_crypto(struct option_settings *settings, const char *crypto, char *error,
                    size_t error_bytes)
{
    char text[64];
    if (crypto == NULL) {
        return true;
    }
    if (strcmp(crypto, "ideal") != 0 && strcmp(crypto, "openssl") != 0) {
        snprintf(error, error_bytes, "--crypto: '%.40s' is neither ideal nor openssl", crypto);
        return false;
    }
    snprintf(text, sizeof text, "run.crypto=%s", crypto);
    return option_settings_add(settings, text, error, error_bytes);
}

/* ---- lines that bring a run back ------------------------------------------------------------- */

void command_run_line(char *line, size_t line_bytes, const char *scenario, uint64_t seed,
                      const struct option_settings *settings)
{
    char word[OPTION_KEY_BYTES + SETTING_TEXT_BYTES + 2];
    snprintf(line, line_bytes, "brownout run");
    print_word(line, line_bytes, scenario);
    snprintf(word, sizeof word, "%" PRIu64, seed);
    print_word(line, line_bytes, "--seed");
    print_word(line, line_bytes, word);
    for (uint32_t i = 0; i < settings->count; i++) {
        snprintf(word, sizeof word, "%s=%s", settings->list[i].key, settings->list[i].value);
        print_word(line, line_bytes, "--set");
        print_word(line, line_bytes, word);
    }
}

void command_replay_line(char *line, size_t line_bytes, int64_t run_id, const char *db)
{
    snprintf(line, line_bytes, "brownout replay %" PRId64, run_id);
    if (strcmp(db, RECORD_FILE) != 0) {
        print_word(line, line_bytes, "--db");
        print_word(line, line_bytes, db);
    }
}

/* ---- files and lines ------------------------------------------------------------------------- */

static void print_item(void *ctx, const struct world_item *item)
{
    char text[256];
    world_item_print(ctx, item, text, sizeof text);
    puts(text);
}

bool command_print_trace(struct trace *trace, const struct settings *settings)
{
    struct settings copy = *settings; /* the callback's ctx is not const */
    return trace_each(trace, print_item, &copy);
}

bool command_plan_write(const char *path, const char *text, const struct run_result *result,
                        char *error, size_t error_bytes)
{
    char hash[HASH_TEXT_BYTES];
    struct record_build build;
    FILE *file = fopen(path, "w");
    if (file == NULL) {
        snprintf(error, error_bytes, "%s cannot be written: %s", path, strerror(errno));
        return false;
    }
    hash_print(result->digest, hash);
    record_build(&build);
    fprintf(file, "%s# lived: verdict %s hash %s program %s\n", text, verdict_name(result->verdict),
            hash, build.program);
    const bool good = ferror(file) == 0;
    if (fclose(file) != 0 || !good) {
        snprintf(error, error_bytes, "%s is not whole: is the disk full?", path);
        return false;
    }
    return true;
}

void command_progress(void *ctx, const struct world *world)
{
    struct status *status = ctx;
    char text[160], time[40], end[40];
    if (!status_due(status)) {
        return;
    }
    const uint64_t *number = world_plan(world)->settings.number;
    const uint64_t end_us = number[SETTING_run_duration] + number[SETTING_run_heal];
    const uint64_t now_us = world_now_us(world);
    const uint64_t elapsed_ms = status_elapsed_us(status) / 1000 + 1;
    uint64_t fired = 0;
    for (unsigned i = 0; i < EFFECT_COUNT; i++) {
        fired += world_fired(world, (enum effect)i);
    }
    print_time(now_us, time, sizeof time);
    duration_print(end_us, end, sizeof end);
    snprintf(text, sizeof text,
             "%3" PRIu64 "%%  %.9s of %s  %" PRIu64 " events  %" PRIu64 " events/s  %" PRIu64
             " faults fired",
             end_us == 0 ? 100 : now_us / (end_us / 100 + 1), time, end, world_event_count(world),
             world_event_count(world) * 1000 / elapsed_ms, fired);
    status_show(status, text);
}
