#include "sim/spec_scenario.h"

#include <inttypes.h>
#include <string.h>

#include "core/check.h"

static const char *const evidence_names[] = {
#define NAME(NAME, Name) [EVIDENCE_##NAME] = #NAME,
    EVIDENCE_LIST(NAME)
#undef NAME
};

#define NO_STEP UINT32_MAX

/* What is swept where a walk ends inside a call: one device for each operation of the boot. */
static const struct sweep {
    enum port_operation operation;
    uint32_t count;
} sweeps[] = {
    {OPERATION_FLASH_PROGRAM, 40}, {OPERATION_FLASH_ERASE, 4}, {OPERATION_COUNTER_INCREMENT, 4}};
enum { SWEEP_COUNT = sizeof sweeps / sizeof sweeps[0] };

/* A walk, as it shows in a run. */
struct telling {
    const struct driver *driver;
    const struct spec_instance *instance;
    const struct spec_moves *moves;
    const char *warm; /* when it begins; NULL: with the run */
    FILE *file;
    struct drive_word words[SCENARIO_MOVES_MAX];
};

/* Where a strike falls on `node` behind a part of the walk. */
struct place {
    uint32_t step;     /* behind this one; NO_STEP: the node has not shown anything yet */
    uint32_t boot;     /* which the node is in there */
    uint32_t nth;      /* SAYS: of its words of that name; otherwise of the operations */
    uint32_t word;     /* step of its last word; NO_STEP: it has not said any */
    uint32_t word_nth; /* of its words of that name */
};

static void read_words(struct telling *telling)
{
    const struct spec_instance *instance = telling->instance;
    int32_t state[SPEC_STATE_WORDS_MAX] = {0}, pre[SPEC_STATE_WORDS_MAX];
    int32_t post[SPEC_STATE_WORDS_MAX];
    const bool begun = instance->model->init(instance->k, 0, state);
    CHECK(begun);
    spec_gather(instance, state, pre);
    for (uint32_t i = 0; i < telling->moves->count; i++) {
        const struct spec_move *move = &telling->moves->list[i];
        const bool enabled = spec_step(instance, move, pre, post);
        CHECK(enabled);
        telling->words[i] =
            (struct drive_word){.shows = DRIVE_SILENT, .operation = OPERATION_COUNT};
        telling->driver->word(instance, move, pre, post, &telling->words[i]);
        memcpy(pre, post, instance->cell_count * sizeof pre[0]);
    }
}

/* Does this action say where in a run the walk is? */
static bool is_shown(const struct drive_word *word)
{
    return word->shows == DRIVE_SAYS || word->shows == DRIVE_DOES ||
           word->shows == DRIVE_PRECEDES || word->shows == DRIVE_HIDES;
}

static bool is_of(const struct drive_word *word, const char *node)
{
    return strcmp(word->node, node) == 0;
}

/* So many words of that name, up to this one, in all boots. */
static uint32_t count_words(const struct telling *telling, uint32_t step)
{
    const struct drive_word *as = &telling->words[step];
    uint32_t count = 0;
    for (uint32_t i = 0; i <= step; i++) {
        const struct drive_word *word = &telling->words[i];
        count +=
            is_of(word, as->node) && word->shows == DRIVE_SAYS && word->evidence == as->evidence;
    }
    return count;
}

/* So many operations of that kind from step `first` on, up to this one. */
static uint32_t count_operations(const struct telling *telling, uint32_t first, uint32_t step)
{
    const struct drive_word *as = &telling->words[step];
    uint32_t count = as->shows == DRIVE_PRECEDES ? 1 : 0;
    for (uint32_t i = first; i <= step; i++) {
        const struct drive_word *word = &telling->words[i];
        const bool says = word->shows == DRIVE_SAYS;
        const bool counts =
            as->operation == OPERATION_EVIDENCE
                ? says
                : (says || word->shows == DRIVE_DOES) && word->operation == as->operation;
        count += is_of(word, as->node) && counts;
    }
    return count;
}

/* Behind the last action of `node` ahead of step `end`. */
static struct place find_place(const struct telling *telling, uint32_t end, const char *node)
{
    struct place place = {.step = NO_STEP, .boot = 1, .word = NO_STEP};
    uint32_t booted = 0;
    for (uint32_t i = 0; i < end; i++) {
        const struct drive_word *word = &telling->words[i];
        if (!is_of(word, node)) {
            continue;
        }
        place.step = is_shown(word) ? i : place.step;
        place.word = word->shows == DRIVE_SAYS ? i : place.word;
        place.boot += word->restarts;
        booted = word->restarts ? i + 1 : booted;
    }
    place.word_nth = place.word == NO_STEP ? 0 : count_words(telling, place.word);
    if (place.step == NO_STEP || place.step == place.word) {
        place.nth = place.word_nth;
    } else {
        const bool in_boot = telling->words[place.step].in_boot;
        place.nth = count_operations(telling, in_boot ? booted : place.word + 1, place.step);
    }
    return place;
}

/* Of the operation and its boot: the first one counts from where the walk begins. */
static void write_boot(const struct telling *telling, uint32_t boot, FILE *file)
{
    fprintf(file, ", boot = %" PRIu32, boot);
    if (boot == 1) {
        CHECK(telling->driver->calm != NULL);
        fprintf(file, ", at = \"%s\"", telling->driver->calm);
    }
}

/* Behind a word, or at an operation of a boot or ahead of all words: such a strike is filed from
 * the beginning. */
static bool is_filed(const struct telling *telling, const struct place *place)
{
    return place->step == NO_STEP || place->step == place->word || place->word == NO_STEP ||
           telling->words[place->step].in_boot;
}

/* Where a strike falls, and when it is filed: from the beginning, or behind a word. */
static void write_place(const struct telling *telling, const struct place *place, bool later)
{
    FILE *file = telling->file;
    if (place->step == NO_STEP) {
        fprintf(file, "at = \"%s\"", telling->warm == NULL ? "1m" : telling->warm);
        return;
    } else if (place->step == place->word) {
        fprintf(file, "evidence = \"%s\", nth = %" PRIu32,
                evidence_names[telling->words[place->step].evidence], place->nth);
    } else {
        const struct drive_word *behind = &telling->words[place->step];
        fprintf(file, "operation = \"%s\", nth = %" PRIu32 ", phase = \"%s\"",
                port_operation_name(behind->operation), place->nth,
                behind->shows == DRIVE_PRECEDES ? "before" : "after");
        if (!later && behind->in_boot) {
            write_boot(telling, place->boot, file);
        }
    }
    if (telling->warm != NULL && !later) {
        fprintf(file, ", at = \"%s\"", telling->warm);
    }
}

/* The effect of a word, behind what comes before step `end`; if it is one of the later ones, or
 * of the others. Returns whether it was. */
static bool write_strike(const struct telling *telling, uint32_t end, const struct drive_word *word,
                         bool later)
{
    const struct place place = find_place(telling, end, word->node);
    FILE *file = telling->file;
    if (is_filed(telling, &place) == later) {
        return false;
    }
    if (later) {
        CHECK(place.word != NO_STEP);
        fprintf(file, "    { word = \"%s\", nth = %" PRIu32 ", ",
                evidence_names[telling->words[place.word].evidence], place.word_nth);
        if (strcmp(word->node, "device") != 0) {
            fprintf(file, "by = \"%s\", ", word->node);
        }
        fprintf(file, "\n      strike = { effect = \"%s\", ", effect_info(word->effect).name);
    } else {
        fprintf(file, "    { effect = \"%s\", on = \"%s\", ", effect_info(word->effect).name,
                word->node);
    }
    if (word->lasts != NULL) {
        fprintf(file, "lasts = \"%s\", ", word->lasts);
    }
    write_place(telling, &place, later);
    fprintf(file, later ? " } },\n" : " },\n");
    return true;
}

/* ---- What can be said ------------------------------------------------------------------------ */

static bool refuse(const struct telling *telling, uint32_t step, const char *why, char *error,
                   size_t error_bytes)
{
    char text[SPEC_MOVE_BYTES];
    spec_print_move(telling->instance, &telling->moves->list[step], text, sizeof text);
    snprintf(error, error_bytes, "step %" PRIu32 ", %s: %s; leave out -o", step + 1, text, why);
    return false;
}

static bool can_say(const struct telling *telling, char *error, size_t error_bytes)
{
    for (uint32_t i = 0; i < telling->moves->count; i++) {
        const struct drive_word *word = &telling->words[i];
        if (word->shows == DRIVE_NEVER) {
            return refuse(telling, i, word->why, error, error_bytes);
        }
        if (word->shows == DRIVE_STRIKES) {
            const struct place place = find_place(telling, i, word->node);
            if (place.step != NO_STEP && telling->words[place.step].shows == DRIVE_HIDES) {
                return refuse(telling, i, telling->words[place.step].why, error, error_bytes);
            }
        }
    }
    return true;
}

/* ---- The file -------------------------------------------------------------------------------- */

static void write_head(const struct telling *telling)
{
    FILE *file = telling->file;
    fprintf(file,
            "-- Does the fleet hold its laws along a walk of %s, %s?\n"
            "-- The walk: each fault strikes behind the word, or the operation, that stands before "
            "it here.\n",
            telling->instance->model->name, telling->instance->name);
    for (uint32_t i = 0; i < telling->moves->count; i++) {
        char text[SPEC_MOVE_BYTES];
        spec_print_move(telling->instance, &telling->moves->list[i], text, sizeof text);
        fprintf(file, "--   %s\n", text);
    }
    fprintf(file,
            "-- Which copies the network loses, and when it delivers the others, is drawn from "
            "the seed.\n\n");
}

/* Returns how many devices it takes. */
static uint32_t write_sweep(const struct telling *telling, uint32_t boot)
{
    FILE *file = telling->file;
    uint32_t devices = 0;
    fprintf(file,
            "\n-- The walk ends inside a call: power goes behind each operation of that boot, "
            "on a device each.\nlocal sweeps = {\n");
    for (uint32_t i = 0; i < SWEEP_COUNT; i++) {
        fprintf(file, "    { operation = \"%s\", count = %" PRIu32 " },\n",
                port_operation_name(sweeps[i].operation), sweeps[i].count);
        devices += sweeps[i].count;
    }
    fprintf(file, "}\nlocal device = 0\n"
                  "for _, sweep in ipairs(sweeps) do\n"
                  "    for nth = 1, sweep.count do\n"
                  "        device = device + 1\n"
                  "        strikes[#strikes + 1] = {\n"
                  "            effect = \"power_cut\", on = \"dev\" .. device, lasts = \"30s\",\n"
                  "            operation = sweep.operation, nth = nth, phase = \"after\"");
    write_boot(telling, boot, file);
    fprintf(file, ",\n        }\n    end\nend\n");
    return devices;
}

/* What the file holds beside its fleet. */
struct strikes {
    uint32_t losses;  /* of power, of each device */
    uint32_t devices; /* more than one: the walk ends inside a call, and these are swept */
    bool later;       /* some are filed when a word was said */
};

/* `cut`: behind the last step; NULL: none falls there. */
static void write_later(const struct telling *telling, const struct drive_word *cut,
                        struct strikes *strikes)
{
    fprintf(telling->file, "\n-- Each is filed when its node has said the nth of a word.\n"
                           "local later = {\n");
    for (uint32_t i = 0; i < telling->moves->count; i++) {
        const struct drive_word *word = &telling->words[i];
        if (word->shows == DRIVE_STRIKES && write_strike(telling, i, word, true)) {
            strikes->losses += word->effect == EFFECT_POWER_CUT;
        }
    }
    if (cut != NULL && write_strike(telling, telling->moves->count, cut, true)) {
        strikes->losses++;
    }
    fprintf(telling->file, "}\n");
}

static void write_run(const struct telling *telling)
{
    FILE *file = telling->file;
    fprintf(file, "\n    run = function(w)\n");
    if (telling->warm != NULL) {
        fprintf(file, "        w:sleep(\"%s\")\n", telling->warm);
    }
    fprintf(file,
            "        for _, one in ipairs(later) do\n"
            "            local heard = {}\n"
            "            w:on(one.word, function(e)\n"
            "                heard[e.node] = (heard[e.node] or 0) + 1\n"
            "                if heard[e.node] == one.nth and (one.by or e.node) == e.node then\n"
            "                    one.strike.on = e.node\n"
            "                    w:strike(one.strike)\n"
            "                end\n"
            "            end)\n"
            "        end\n"
            "    end,\n");
}

/* All faults, and power behind the last step, so that what is not durable shows. */
static struct strikes write_strikes(const struct telling *telling)
{
    const uint32_t count = telling->moves->count;
    struct strikes strikes = {.devices = 1};
    uint32_t shown = NO_STEP;
    fprintf(telling->file, "local strikes = {\n");
    for (uint32_t i = 0; i < count; i++) {
        const struct drive_word *word = &telling->words[i];
        if (word->shows == DRIVE_STRIKES) {
            const bool filed = write_strike(telling, i, word, false);
            strikes.losses += filed && word->effect == EFFECT_POWER_CUT;
            strikes.later = strikes.later || !filed;
        }
        shown = is_shown(word) ? i : shown;
    }
    const bool ends = shown != NO_STEP && telling->words[count - 1].shows != DRIVE_STRIKES;
    const bool exact = ends && (telling->words[shown].shows == DRIVE_SAYS ||
                                (telling->words[shown].shows == DRIVE_PRECEDES &&
                                 !is_of(&telling->words[shown], "device")));
    struct drive_word cut = {.effect = EFFECT_POWER_CUT, .lasts = "30s"};
    if (exact) {
        memcpy(cut.node, telling->words[shown].node, sizeof cut.node);
        fprintf(telling->file, "    -- The walk ends here: what is not durable now shows.\n");
        const bool filed = write_strike(telling, count, &cut, false);
        strikes.losses += filed;
        strikes.later = strikes.later || !filed;
    }
    fprintf(telling->file, "}\n");
    if (strikes.later) {
        write_later(telling, exact ? &cut : NULL, &strikes);
    }
    if (ends && !exact) {
        strikes.devices =
            write_sweep(telling, find_place(telling, count, telling->words[shown].node).boot);
    }
    return strikes;
}

bool spec_scenario_write(const struct driver *driver, const struct spec_instance *instance,
                         const struct spec_moves *moves, FILE *file, char *error,
                         size_t error_bytes)
{
    static struct telling telling;
    CHECK(moves->count > 0);
    if (driver->word == NULL || driver->fleet == NULL) {
        snprintf(error, error_bytes, "no scenario can be made of a walk of %s", driver->law);
        return false;
    }
    telling.driver = driver;
    telling.instance = instance;
    telling.moves = moves;
    telling.warm = driver->warm == NULL ? NULL : driver->warm(instance);
    telling.file = file;
    read_words(&telling);
    if (!can_say(&telling, error, error_bytes)) {
        return false;
    }
    write_head(&telling);
    const struct strikes strikes = write_strikes(&telling);
    fprintf(file, "\n---@type Scenario\nreturn {\n");
    driver->fleet(instance, strikes.devices, file);
    fprintf(file, "    duration = \"20m\",\n    heal = \"15m\",\n    crypto = \"ideal\",\n\n"
                  "    strikes = strikes,\n");
    if (strikes.later) {
        write_run(&telling);
    }
    fprintf(file, "\n    expect = { { \"power_losses\", \"%s\", %" PRIu32 " } },\n}\n",
            strikes.devices > 1 ? ">" : "==", strikes.losses * strikes.devices);
    return true;
}
