#include "sim/life_lua.h"

#include <inttypes.h>
#include <string.h>

#include "core/check.h"
#include "sim/lua_text.h"

static const char *const defects[BEHAVIOUR_COUNT] = {
#define DEFECT_NAME(NAME, name) #name,
    BEHAVIOUR_DEFECT_LIST(DEFECT_NAME)
#undef DEFECT_NAME
};

/* A number that is not what a life has where its file says nothing. */
static void write_number(FILE *file, const char *name, uint32_t number, uint32_t standard)
{
    if (number != standard) {
        fprintf(file, "    %s = %" PRIu32 ",\n", name, number);
    }
}

static void write_releases(const struct life *life, FILE *file)
{
    fputs("    releases = {", file);
    for (uint32_t i = 0; i < life->release_count; i++) {
        const struct life_release *release = &life->releases[i];
        fprintf(file, "%s { level = %" PRIu64, i > 0 ? "," : "", release->level);
        if (release->defect != BEHAVIOUR_NONE) {
            fprintf(file, ", defect = \"%s\"", defects[release->defect]);
        }
        fputs(" }", file);
    }
    fputs(" },\n", file);
}

static void write_goal(const struct life_goal *goal, FILE *file)
{
    fprintf(file, "        { %s = ", life_act_name(goal->act));
    switch (goal->act) {
    case LIFE_INSTALL:
    case LIFE_REFUSE:
        fprintf(file, "%" PRIu32, goal->release);
        break;
    case LIFE_DOWNLOAD:
        fprintf(file, "%" PRIu32 ", sectors = %" PRIu32, goal->release, goal->count);
        break;
    case LIFE_POLICY:
    case LIFE_SAMPLE:
        fprintf(file, "%" PRIu32, goal->count);
        break;
    case LIFE_ROTATE:
    case LIFE_RESET:
        fputs("true", file);
        break;
    case LIFE_ACT_COUNT:
        CHECK(false);
    }
    fputs(" },\n", file);
}

static void write_goals(const struct life *life, const char *name, uint32_t first, uint32_t end,
                        FILE *file)
{
    if (first < end) {
        fprintf(file, "    %s = {\n", name);
        for (uint32_t i = first; i < end; i++) {
            write_goal(&life->goals[i], file);
        }
        fputs("    },\n", file);
    }
}

static void write_cuts(const struct life_lua *text, FILE *file)
{
    const char *at = text->life->cuts;
    if (*at == '\0') {
        return;
    }
    fputs("    cuts = {\n", file);
    for (uint32_t i = 0; *at != '\0'; i++) {
        const size_t length = strcspn(at, "-");
        if (text->notes != NULL && text->notes[i] != NULL) {
            lua_text_comment(file, "        ", text->notes[i]);
        }
        fprintf(file, "        \"%.*s\",\n", (int)length, at);
        at += length + (at[length] == '-' ? 1 : 0);
    }
    fputs("    },\n", file);
}

bool life_lua_write(const struct life_lua *text, FILE *file)
{
    const struct life *life = text->life;
    struct life standard;
    life_standard(&standard);
    lua_text_comment(file, "", text->question);
    lua_text_comment(file, "", text->head);
    fputs("\n---@type Life\nreturn {\n", file);
    if (strcmp(life->part, standard.part) != 0) {
        fputs("    part = ", file);
        lua_text_string(file, life->part);
        fputs(",\n", file);
    }
    write_number(file, "sector", life->sector_bytes_max, standard.sector_bytes_max);
    write_number(file, "image", life->image_bytes, standard.image_bytes);
    write_number(file, "piece", life->piece_bytes, standard.piece_bytes);
    write_number(file, "trials", life->trials, standard.trials);
    write_number(file, "reverts", life->reverts, standard.reverts);
    write_number(file, "app_sectors", life->app_sectors, standard.app_sectors);
    write_releases(life, file);
    write_goals(life, "before", 0, life->before_count, file);
    write_goals(life, "life", life->before_count, life->goal_count, file);
    write_cuts(text, file);
    fputs("}\n", file);
    return fflush(file) == 0 && ferror(file) == 0;
}
