#include "sim/spec_scenario.h"

#include <inttypes.h>
#include <string.h>

#include "core/check.h"

static const char *const evidence_names[] = {
#define NAME(NAME, Name) [EVIDENCE_##NAME] = #NAME,
    EVIDENCE_LIST(NAME)
#undef NAME
};

struct words {
    struct drive_word list[SCENARIO_MOVES_MAX];
};

static void read_words(const struct driver *driver, const struct spec_instance *instance,
                       const struct spec_moves *moves, struct words *words)
{
    int32_t state[SPEC_STATE_WORDS_MAX] = {0}, pre[SPEC_STATE_WORDS_MAX];
    int32_t post[SPEC_STATE_WORDS_MAX];
    const bool begun = instance->model->init(instance->k, 0, state);
    CHECK(begun);
    spec_gather(instance, state, pre);
    for (uint32_t i = 0; i < moves->count; i++) {
        const bool enabled = spec_step(instance, &moves->list[i], pre, post);
        CHECK(enabled);
        const size_t bytes = instance->cell_count * sizeof pre[0];
        driver->word(instance, &moves->list[i], memcmp(pre, post, bytes) != 0, &words->list[i]);
        memcpy(pre, post, bytes);
    }
}

/* Behind the last word that `node` has said before `end`, which is the nth of its kind. */
static void write_strike(const struct words *words, uint32_t end, const char *node,
                         const char *effect, FILE *file)
{
    uint32_t last = UINT32_MAX, nth = 0;
    for (uint32_t i = 0; i < end; i++) {
        if (words->list[i].shows == DRIVE_SAYS && strcmp(words->list[i].node, node) == 0) {
            last = i;
        }
    }
    for (uint32_t i = 0; last != UINT32_MAX && i <= last; i++) {
        nth += words->list[i].shows == DRIVE_SAYS && strcmp(words->list[i].node, node) == 0 &&
                       words->list[i].evidence == words->list[last].evidence
                   ? 1
                   : 0;
    }
    fprintf(file, "        { effect = \"%s\", on = \"%s\", lasts = \"30s\", ", effect, node);
    if (last == UINT32_MAX) {
        fprintf(file, "at = \"1m\" },\n");
    } else {
        fprintf(file, "evidence = \"%s\", nth = %" PRIu32 " },\n",
                evidence_names[words->list[last].evidence], nth);
    }
}

static void write_head(const struct spec_instance *instance, const struct spec_moves *moves,
                       FILE *file)
{
    fprintf(file,
            "-- Does the fleet hold its laws along a walk of %s, %s?\n"
            "-- The walk: each fault strikes behind the word that stands before it here.\n",
            instance->model->name, instance->name);
    for (uint32_t i = 0; i < moves->count; i++) {
        char text[SPEC_MOVE_BYTES];
        spec_print_move(instance, &moves->list[i], text, sizeof text);
        fprintf(file, "--   %s\n", text);
    }
    fprintf(file,
            "-- Which copies the network loses, and when it delivers the others, is drawn from "
            "the seed.\n\n---@type Scenario\nreturn {\n");
}

bool spec_scenario_write(const struct driver *driver, const struct spec_instance *instance,
                         const struct spec_moves *moves, FILE *file, char *error,
                         size_t error_bytes)
{
    static struct words words;
    uint32_t strikes = 0, speaker = UINT32_MAX;
    if (driver->word == NULL || driver->fleet == NULL) {
        snprintf(error, error_bytes, "no scenario can be made of a walk of %s", driver->law);
        return false;
    }
    read_words(driver, instance, moves, &words);
    for (uint32_t i = 0; i < moves->count; i++) {
        char text[SPEC_MOVE_BYTES];
        if (words.list[i].shows == DRIVE_NEVER) {
            spec_print_move(instance, &moves->list[i], text, sizeof text);
            snprintf(error, error_bytes, "step %" PRIu32 ", %s: %s; leave out -o", i + 1, text,
                     words.list[i].why);
            return false;
        }
        speaker = words.list[i].shows == DRIVE_SAYS ? i : speaker;
    }
    write_head(instance, moves, file);
    driver->fleet(instance, file);
    fprintf(file, "    duration = \"20m\",\n    heal = \"15m\",\n    crypto = \"ideal\",\n\n"
                  "    strikes = {\n");
    for (uint32_t i = 0; i < moves->count; i++) {
        if (words.list[i].shows == DRIVE_STRIKES) {
            write_strike(&words, i, words.list[i].node, effect_info(words.list[i].effect).name,
                         file);
            strikes++;
        }
    }
    if (speaker != UINT32_MAX && words.list[moves->count - 1].shows != DRIVE_STRIKES) {
        fprintf(file, "        -- The walk ends here: what is not durable now shows.\n");
        write_strike(&words, moves->count, words.list[speaker].node,
                     effect_info(EFFECT_POWER_CUT).name, file);
        strikes++;
    }
    fprintf(file, "    },\n\n    expect = { { \"power_losses\", \"==\", %" PRIu32 " } },\n}\n",
            strikes);
    return true;
}
