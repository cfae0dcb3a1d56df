/* A device's life as a Lua table: see life.h and scenarios/brownout.lua. */
#include "sim/script_inside.h"

#include <inttypes.h>
#include <lauxlib.h>
#include <lua.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/check.h"
#include "sim/life.h"

/* A number of the life, and its bounds. */
struct field {
    const char *name;
    uint32_t *target;
    uint32_t min, max;
};

static const char *const defects[BEHAVIOUR_COUNT] = {
#define DEFECT_NAME(NAME, name) #name,
    BEHAVIOUR_DEFECT_LIST(DEFECT_NAME)
#undef DEFECT_NAME
};

/* Blame is put on the nth `word` behind `section`. */
static int refuse(lua_State *lua, const char *section, const char *word, uint32_t nth,
                  const char *what)
{
    const char *where = script_where(lua, section, word, nth);
    lua_pushfstring(lua, "%s%s", where, what);
    return lua_error(lua);
}

/* The whole number on top, popped. */
static uint32_t number(lua_State *lua, const char *section, const char *word, uint32_t nth,
                       uint32_t min, uint32_t max)
{
    int exact = 0;
    const lua_Integer value = lua_tointegerx(lua, -1, &exact);
    if (lua_type(lua, -1) != LUA_TNUMBER || exact == 0 || value < min || value > max) {
        lua_pushfstring(lua, "%s: a whole number from %d to %d belongs here", word, (int)min,
                        (int)max);
        (void)refuse(lua, section, word, nth, lua_tostring(lua, -1));
    }
    lua_pop(lua, 1);
    return (uint32_t)value;
}

/* Push the nth entry of the list on top, which must be a table. False: there is none. */
static bool entry(lua_State *lua, const char *section, uint32_t nth)
{
    const int type = lua_rawgeti(lua, -1, nth);
    if (type != LUA_TNIL && type != LUA_TTABLE) {
        (void)refuse(lua, NULL, section, 1, "every entry of this list is a table: { ... }");
    }
    lua_pop(lua, type == LUA_TNIL ? 1 : 0);
    return type != LUA_TNIL;
}

static void list(lua_State *lua, const char *section, uint32_t max)
{
    if (!lua_istable(lua, -1)) {
        (void)refuse(lua, NULL, section, 1, "a list belongs here: { { ... }, { ... } }");
    }
    const lua_Unsigned count = lua_rawlen(lua, -1);
    if (count < 1 || count > max) {
        lua_pushfstring(lua, "%s: 1 to %d entries", section, (int)max);
        (void)refuse(lua, NULL, section, 1, lua_tostring(lua, -1));
    }
}

/* Is the key at `index` of the list of keys on top among the names? Else an error. */
static void known(lua_State *lua, const char *section, const char *const *names, size_t count)
{
    const char *key = lua_type(lua, -1) == LUA_TSTRING ? lua_tostring(lua, -1) : NULL;
    for (size_t i = 0; key != NULL && i < count; i++) {
        if (strcmp(key, names[i]) == 0) {
            return;
        }
    }
    if (key == NULL) {
        (void)refuse(lua, NULL, section, 1, "every entry here needs a name: name = value");
    }
    const char *near = script_suggest(lua, key, names, count);
    lua_pushfstring(lua, "there is no '%s' here%s", key, near);
    (void)refuse(lua, section, key, 1, lua_tostring(lua, -1));
}

/* All keys of the table on top are among the names. */
static void only(lua_State *lua, const char *section, const char *const *names, size_t count)
{
    script_keys(lua, lua_gettop(lua));
    for (lua_Integer i = 1; lua_rawgeti(lua, -1, i) != LUA_TNIL; i++) {
        known(lua, section, names, count);
        lua_pop(lua, 1);
    }
    lua_pop(lua, 2);
}

static void read_releases(lua_State *lua, struct life *life)
{
    static const char *const names[] = {"level", "defect"};
    list(lua, "releases", LIFE_RELEASES_MAX);
    life->release_count = 0;
    while (entry(lua, "releases", life->release_count + 1)) {
        const uint32_t nth = ++life->release_count;
        struct life_release *model = &life->releases[nth - 1];
        *model = (struct life_release){.level = 1};
        only(lua, "releases", names, 2);
        if (lua_getfield(lua, -1, "level") != LUA_TNIL) {
            model->level = number(lua, "releases", "level", nth, 1, SECURITY_LEAP_MAX);
        } else {
            lua_pop(lua, 1);
        }
        if (lua_getfield(lua, -1, "defect") != LUA_TNIL) {
            const char *text = lua_type(lua, -1) == LUA_TSTRING ? lua_tostring(lua, -1) : "";
            uint32_t defect = 0;
            while (defect < BEHAVIOUR_COUNT && strcmp(text, defects[defect]) != 0) {
                defect++;
            }
            if (defect == BEHAVIOUR_COUNT || nth == 1) {
                (void)refuse(lua, "releases", "defect", 1,
                             nth == 1 ? "release 1 left the factory: it has no defect"
                                      : "defect: \"none\", \"hang\", \"reset\" or \"mute\"");
            }
            model->defect = (enum behaviour_defect)defect;
        }
        lua_pop(lua, 2);
    }
}

/* One goal: { install = 2 }, { download = 3, sectors = 4 }, { sample = 5 }, { reset = true }. */
static void read_goal(lua_State *lua, const char *section, struct life_goal *goal)
{
    static const char *const names[] = {"install", "download", "refuse", "rotate",
                                        "policy",  "sample",   "reset",  "sectors"};
    uint32_t acts = 0;
    only(lua, section, names, sizeof names / sizeof names[0]);
    for (unsigned act = 0; act < LIFE_ACT_COUNT; act++) {
        const char *name = life_act_name((enum life_act)act);
        if (lua_getfield(lua, -1, name) == LUA_TNIL) {
            lua_pop(lua, 1);
            continue;
        }
        acts++;
        goal->act = (enum life_act)act;
        if (act == LIFE_ROTATE || act == LIFE_RESET) {
            if (!lua_isboolean(lua, -1) || !lua_toboolean(lua, -1)) {
                (void)refuse(lua, section, name, 1, "write rotate = true, reset = true");
            }
            lua_pop(lua, 1);
        } else if (act == LIFE_POLICY || act == LIFE_SAMPLE) {
            goal->count = number(lua, section, name, 1, 1, act == LIFE_SAMPLE ? 16 : INT32_MAX);
        } else {
            goal->release = number(lua, section, name, 1, 1, LIFE_RELEASES_MAX);
        }
    }
    if (lua_getfield(lua, -1, "sectors") != LUA_TNIL) {
        goal->count = number(lua, section, "sectors", 1, 1, 1024);
    } else {
        lua_pop(lua, 1);
    }
    const bool sectors = lua_getfield(lua, -1, "sectors") != LUA_TNIL;
    lua_pop(lua, 1);
    if (acts != 1 || sectors != (goal->act == LIFE_DOWNLOAD)) {
        (void)refuse(lua, NULL, section, 1,
                     acts != 1 ? "each goal is one thing: { install = 2 }, { rotate = true }"
                               : "a download is withdrawn, and nothing else has sectors: "
                                 "{ download = 2, sectors = 3 }");
    }
}

/* The list on top, behind the goals that there are. */
static void read_goals(lua_State *lua, const char *section, struct life *life)
{
    list(lua, section, LIFE_GOALS_MAX / 2);
    for (uint32_t nth = 1; entry(lua, section, nth); nth++) {
        read_goal(lua, section, &life->goals[life->goal_count++]);
        lua_pop(lua, 1);
    }
}

/* { "1f.3", "end~1" }: what is in each is for whoever lives it. */
static void read_cuts(lua_State *lua, struct life *life)
{
    size_t used = 0;
    list(lua, "cuts", LIFE_CUTS_MAX);
    for (lua_Integer nth = 1; lua_rawgeti(lua, -1, nth) != LUA_TNIL; nth++) {
        const char *text = lua_type(lua, -1) == LUA_TSTRING ? lua_tostring(lua, -1) : "";
        const size_t length = strlen(text);
        if (length == 0 || length != strspn(text, "0123456789abcdefn.~") ||
            used + length + 2 > sizeof life->cuts) {
            (void)refuse(lua, NULL, "cuts", 1,
                         "each cut is a text as brownout cuts prints it: \"1f.3\", the last one "
                         "\"end\"");
        }
        if (used > 0) {
            life->cuts[used++] = '-';
        }
        memcpy(life->cuts + used, text, length + 1);
        used += length;
        lua_pop(lua, 1);
    }
    lua_pop(lua, 1);
}

/* What cannot be, though each word for itself could. */
static void check(lua_State *lua, const struct life *life)
{
    for (uint32_t i = 0; i < life->goal_count; i++) {
        const struct life_goal *goal = &life->goals[i];
        const bool offers = goal->act == LIFE_INSTALL || goal->act == LIFE_DOWNLOAD;
        if ((offers || goal->act == LIFE_REFUSE) && goal->release > life->release_count) {
            (void)refuse(lua, NULL, "life", 1, "a goal names a release that `releases` lacks");
        }
        if (offers && goal->release < 2) {
            (void)refuse(lua, NULL, "life", 1, "release 1 is what the device has already");
        }
    }
}

static int read_life(lua_State *lua)
{
    static const char *const names[] = {"life",        "releases", "part",   "sector",
                                        "image",       "piece",    "trials", "reverts",
                                        "app_sectors", "before",   "cuts"};
    struct life *life = lua_touserdata(lua, 1);
    const struct field fields[] = {
        {"sector", &life->sector_bytes_max, SLOT_SECTOR_BYTES_MIN, 1 << 17},
        {"image", &life->image_bytes, BEHAVIOUR_BYTES, 1 << 20},
        {"piece", &life->piece_bytes, 1, 4096},
        {"trials", &life->trials, 1, 8},
        {"reverts", &life->reverts, 1, 8},
        {"app_sectors", &life->app_sectors, 3, 8},
    };
    script_file_return(lua);
    if (lua_getfield(lua, -1, "life") == LUA_TNIL) {
        (void)refuse(lua, NULL, "return", 1,
                     "this is no device's life, which returns { life = { { install = 2 } } }; a "
                     "scenario of a fleet is for brownout run");
    }
    lua_pop(lua, 1);
    only(lua, "return", names, sizeof names / sizeof names[0]);
    for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++) {
        if (lua_getfield(lua, -1, fields[i].name) != LUA_TNIL) {
            *fields[i].target =
                number(lua, "return", fields[i].name, 1, fields[i].min, fields[i].max);
        } else {
            lua_pop(lua, 1);
        }
    }
    if (lua_getfield(lua, -1, "part") != LUA_TNIL) {
        const char *part = lua_type(lua, -1) == LUA_TSTRING ? lua_tostring(lua, -1) : "";
        if (part[0] == '\0' || strlen(part) >= sizeof life->part) {
            (void)refuse(lua, "return", "part", 1, "part: the name of a flash part: \"nor-8\"");
        }
        snprintf(life->part, sizeof life->part, "%s", part);
    }
    lua_pop(lua, 1);
    if (lua_getfield(lua, -1, "releases") != LUA_TNIL) {
        read_releases(lua, life);
    }
    lua_pop(lua, 1);
    if (lua_getfield(lua, -1, "before") != LUA_TNIL) {
        read_goals(lua, "before", life);
        life->before_count = life->goal_count;
    }
    lua_pop(lua, 1);
    (void)lua_getfield(lua, -1, "life");
    read_goals(lua, "life", life);
    lua_pop(lua, 1);
    if (lua_getfield(lua, -1, "cuts") != LUA_TNIL) {
        read_cuts(lua, life);
    }
    lua_pop(lua, 1);
    check(lua, life);
    return 0;
}

bool life_read(const char *path, struct life *life, char *error, size_t error_bytes)
{
    life_standard(life);
    struct script *script = script_load(path, read_life, life, error, error_bytes);
    if (script == NULL) {
        return false;
    }
    snprintf(life->path, sizeof life->path, "%s", path);
    snprintf(life->question, sizeof life->question, "%s", script_question(script));
    script_close(script);
    return true;
}

static int has_life(lua_State *lua)
{
    bool *has = lua_touserdata(lua, 1);
    script_file_return(lua);
    *has = lua_getfield(lua, -1, "life") != LUA_TNIL;
    return 0;
}

bool life_is(const char *path)
{
    char error[512];
    bool has = false;
    struct script *script = script_load(path, has_life, &has, error, sizeof error);
    script_close(script);
    return script != NULL && has;
}
