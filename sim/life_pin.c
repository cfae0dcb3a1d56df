#include "sim/life_pin.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "core/check.h"
#include "sim/life_lua.h"

enum { LINE_BYTES = 200, NOTE_BYTES = 2 * LINE_BYTES };

static const char gone[] = "POWER GOES AWAY: ";

struct story {
    char notes[LIFE_CUTS_MAX][NOTE_BYTES];
    const char *lines[LIFE_CUTS_MAX];
};

/* ---- lives ----------------------------------------------------------------------------------- */

/* told: where its story goes; NULL: nowhere. */
static bool live(const struct life *life, const struct part *part, FILE *told,
                 struct explore_result *result, char *error, size_t error_bytes)
{
    const struct explore_options options = {
        .torn = true, .demonic = true, .depth = EXPLORE_NO_BOUND, .images_max = 1};
    struct explore *explore = explore_open(life, part, &options, error, error_bytes);
    if (explore == NULL) {
        return false;
    }
    const bool good = explore_replay(explore, life->cuts, told, NULL, result, error, error_bytes);
    explore_close(explore);
    return good;
}

static bool breaks(const struct life_pin *pin, const struct life *life, const struct part *part)
{
    static struct explore_result result;
    char error[512];
    return live(life, part, NULL, &result, error, sizeof error) &&
           result.verdict == EXPLORE_VIOLATED && result.law == pin->law;
}

/* ---- smaller --------------------------------------------------------------------------------- */

static void leave_goal(struct life *life, uint32_t goal)
{
    life->goal_count--;
    memmove(&life->goals[goal], &life->goals[goal + 1],
            (life->goal_count - goal) * sizeof life->goals[0]);
    life->before_count -= goal < life->before_count ? 1 : 0;
}

/* The last ones first: what comes behind the failure is no part of it. */
static void leave_goals(struct life_pin *pin, const struct part *part)
{
    for (uint32_t i = pin->life.goal_count; i > 0; i--) {
        struct life less = pin->life;
        leave_goal(&less, i - 1);
        if (less.goal_count > less.before_count && breaks(pin, &less, part)) {
            pin->life = less;
        }
    }
}

static void leave_releases(struct life_pin *pin, const struct part *part)
{
    uint32_t named = 1;
    for (uint32_t i = 0; i < pin->life.goal_count; i++) {
        const uint32_t release = pin->life.goals[i].release;
        named = release > named ? release : named;
    }
    struct life less = pin->life;
    less.release_count = named < less.release_count ? named : less.release_count;
    if (less.release_count < pin->life.release_count && breaks(pin, &less, part)) {
        pin->life = less;
    }
}

/* ---- its text -------------------------------------------------------------------------------- */

/* A line of a story without its columns: what was done. */
static void take_line(const char *line, char text[LINE_BYTES])
{
    const char *us = strstr(line, " us  ");
    const char *from = us == NULL ? line : us + strlen(" us  ");
    from += strncmp(from, "-- ", 3) == 0 ? 3 : 0;
    snprintf(text, LINE_BYTES, "%.*s", (int)strcspn(from, "\n"), from);
}

/* Of each cut: the operation that it falls into, and how. */
static void tell(struct story *story, FILE *told)
{
    char line[2 * LINE_BYTES], done[LINE_BYTES] = "", now[LINE_BYTES];
    uint32_t count = 0;
    memset(story->lines, 0, sizeof story->lines);
    while (fgets(line, sizeof line, told) != NULL && count < LIFE_CUTS_MAX) {
        take_line(line, now);
        if (strncmp(now, gone, strlen(gone)) == 0) {
            snprintf(story->notes[count], NOTE_BYTES, "%s; power goes away %s", done,
                     now + strlen(gone));
            story->lines[count] = story->notes[count];
            count++;
        }
        memcpy(done, now, sizeof done);
    }
}

static char *write_text(const struct life_pin *pin, const struct life *from,
                        const struct explore_result *result, const struct story *story,
                        const char *file)
{
    char question[160], head[LIFE_PATH_BYTES + 4 * LINE_BYTES], *text = NULL;
    size_t size = 0;
    static const char *const times[] = {"", " once", " twice"};
    const char *often = pin->cuts < 3 ? times[pin->cuts] : " again and again";
    snprintf(question, sizeof question, "Does %s hold%s%s?", law_name(pin->law),
             pin->cuts > 0 ? " where power goes away" : " in this life, without a power cut",
             often);
    snprintf(head, sizeof head,
             "%s: expected %" PRIu64 ", found %" PRIu64 ".\nOf %s: of its %" PRIu32
             " goal%s %" PRIu32 ", and one of its histories.\nReplay: brownout cuts %s\n",
             result->what, result->expected, result->actual, from->path, pin->goals_before,
             pin->goals_before == 1 ? "" : "s", pin->goals, file);
    FILE *out = open_memstream(&text, &size);
    CHECK(out != NULL);
    const struct life_lua lua = {&pin->life, question, head, story->lines};
    CHECK(life_lua_write(&lua, out));
    CHECK(fclose(out) == 0);
    return text;
}

/* ---- the whole ------------------------------------------------------------------------------- */

bool life_pin(struct life_pin *pin, const struct life *life, const struct part *part,
              const char *id, const char *file, char *error, size_t error_bytes)
{
    static struct explore_result result;
    struct story *story = calloc(1, sizeof *story);
    FILE *told = tmpfile();
    CHECK(story != NULL);
    memset(pin, 0, sizeof *pin);
    pin->life = *life;
    snprintf(pin->life.cuts, sizeof pin->life.cuts, "%s", id);
    bool good = told != NULL;
    if (!good) {
        snprintf(error, error_bytes, "no temporary file can be made");
    }
    good = good && live(&pin->life, part, NULL, &result, error, error_bytes);
    if (good && result.verdict != EXPLORE_VIOLATED) {
        snprintf(error, error_bytes, "no law is broken in the history %.80s", id);
        good = false;
    }
    if (good) {
        pin->law = result.law;
        pin->goals_before = life->goal_count;
        leave_goals(pin, part);
        leave_releases(pin, part);
        pin->goals = pin->life.goal_count;
        good = live(&pin->life, part, told, &result, error, error_bytes);
        pin->cuts = result.depth;
    }
    if (good) {
        rewind(told);
        tell(story, told);
        pin->text = write_text(pin, life, &result, story, file);
    }
    if (told != NULL) {
        fclose(told);
    }
    free(story);
    return good;
}

void life_pin_free(struct life_pin *pin)
{
    free(pin->text);
    pin->text = NULL;
}
