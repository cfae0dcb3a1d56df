/* The scenario's table becomes settings and expectations of the plan. Strikes, run and the
 * functions among the expectations are kept in Lua until there is a world.
 */
#include "sim/script_inside.h"

#include <inttypes.h>
#include <lauxlib.h>
#include <lua.h>
#include <stdio.h>
#include <string.h>

/* ---- where in the file ----------------------------------------------------------------------- */

static bool is_word_byte(char byte)
{
    return (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') ||
           (byte >= '0' && byte <= '9') || byte == '_';
}

/* Behind the nth whole `word` from `at` on, comments left out; 0: none. */
static size_t find_word(const struct script *script, size_t at, const char *word, uint32_t nth)
{
    const char *text = script->text;
    const size_t length = strlen(word);
    while (at < script->text_bytes) {
        if (text[at] == '-' && at + 1 < script->text_bytes && text[at + 1] == '-') {
            while (at < script->text_bytes && text[at] != '\n') {
                at++;
            }
            continue;
        }
        if (!is_word_byte(text[at])) {
            at++;
            continue;
        }
        const size_t start = at;
        while (at < script->text_bytes && is_word_byte(text[at])) {
            at++;
        }
        if (at - start == length && memcmp(text + start, word, length) == 0 && --nth == 0) {
            return at;
        }
    }
    return 0;
}

/* A value does not know where it was written. Its name does, nearly always: look for it. */
const char *script_where(lua_State *lua, const char *section, const char *word, uint32_t nth)
{
    const struct script *script = script_of(lua);
    size_t at = section == NULL ? 0 : find_word(script, 0, section, 1);
    const size_t found = word == NULL ? 0 : find_word(script, at, word, nth);
    uint32_t line = 1;
    at = found != 0 ? found : at;
    for (size_t i = 0; i < at; i++) {
        line += script->text[i] == '\n';
    }
    return lua_pushfstring(lua, "%s:%d: ", script->source, (int)line);
}

static void refuse(lua_State *lua, const char *section, const char *word, const char *what)
{
    const char *where = script_where(lua, section, word, 1);
    lua_pushfstring(lua, "%s%s", where, what);
    lua_error(lua);
}

/* ---- settings -------------------------------------------------------------------------------- */

/* A file that stands beside the scenario. */
static void beside(const struct script *script, const char *name, char *path, size_t path_bytes)
{
    const char *slash = strrchr(script->path, '/');
    if (name[0] == '/' || slash == NULL) {
        snprintf(path, path_bytes, "%s", name);
    } else {
        snprintf(path, path_bytes, "%.*s%s", (int)(slash - script->path + 1), script->path, name);
    }
}

/* "trace:UP,DOWN": both beside the scenario. */
static void traces_beside(const struct script *script, const char *spec, char *path,
                          size_t path_bytes)
{
    char up[SETTING_TEXT_BYTES], name[SETTING_TEXT_BYTES], down[SETTING_TEXT_BYTES];
    const char *names = spec + strlen("trace:"), *comma = strchr(names, ',');
    if (comma == NULL) {
        snprintf(path, path_bytes, "%s", spec);
        return;
    }
    snprintf(name, sizeof name, "%.*s", (int)(comma - names), names);
    beside(script, name, up, sizeof up);
    beside(script, comma + 1, down, sizeof down);
    snprintf(path, path_bytes, "trace:%s,%s", up, down);
}

/* The value on top for setting `name`, as the text that --set would take. */
static const char *setting_text(lua_State *lua, const char *name)
{
    const struct script *script = script_of(lua);
    char path[3 * SETTING_TEXT_BYTES];
    int exact = 0;
    const lua_Integer number = lua_tointegerx(lua, -1, &exact);
    if (lua_type(lua, -1) == LUA_TNUMBER && exact != 0) {
        return lua_pushfstring(lua, "%I", (LUAI_UACINT)number);
    }
    if (lua_type(lua, -1) != LUA_TSTRING) {
        return NULL;
    }
    const char *text = lua_tostring(lua, -1);
    if (strcmp(name, "run.readings") == 0 && text[0] != '\0') {
        beside(script, text, path, sizeof path);
        return lua_pushstring(lua, path);
    }
    if (strcmp(name, "flash.part") == 0 && strchr(text, '/') != NULL && strchr(text, '=') == NULL) {
        beside(script, text, path, sizeof path);
        return lua_pushstring(lua, path);
    }
    if (strncmp(name, "link.", 5) == 0 && strncmp(text, "trace:", 6) == 0) {
        traces_beside(script, text, path, sizeof path);
        return lua_pushstring(lua, path);
    }
    return text;
}

/* Give setting `name` the value on top, and pop that. Blame is put on `word` behind `section`. */
static void set(lua_State *lua, const char *section, const char *word, const char *name)
{
    char error[320];
    const int top = lua_gettop(lua);
    const char *value = setting_text(lua, name);
    if (value == NULL) {
        lua_pushfstring(lua,
                        "%s: a %s is neither a whole number nor a text; write 60, \"10m\" or "
                        "\"lte-m\"",
                        name, luaL_typename(lua, -1));
        refuse(lua, section, word, lua_tostring(lua, -1));
    } else if (!settings_set(&script_of(lua)->plan->settings, name, value, error, sizeof error)) {
        refuse(lua, section, word, error);
    }
    lua_settop(lua, top - 1);
}

/* The name that stands as a key: `index` of the list of keys on top. NULL behind the last. */
static const char *next_key(lua_State *lua, const char *section, lua_Integer index)
{
    const int type = lua_rawgeti(lua, -1, index);
    if (type != LUA_TNIL && type != LUA_TSTRING) {
        refuse(lua, NULL, section, "every entry here needs a name: name = value");
    }
    return lua_tostring(lua, -1);
}

static void read_section(lua_State *lua, const char *section)
{
    if (!lua_istable(lua, -1)) {
        lua_pushfstring(lua, "%s: a %s where a table belongs; write %s = { ... }", section,
                        luaL_typename(lua, -1), section);
        refuse(lua, NULL, section, lua_tostring(lua, -1));
    }
    const int table = lua_gettop(lua);
    script_keys(lua, table);
    const char *key;
    for (lua_Integer i = 1; (key = next_key(lua, section, i)) != NULL; i++) {
        const char *name = lua_pushfstring(lua, "%s.%s", section, key);
        lua_pushvalue(lua, -2);
        lua_rawget(lua, table);
        set(lua, section, key, name);
        lua_pop(lua, 2);
    }
    lua_settop(lua, table);
}

/* { "device", "gateway" } as "device,gateway". */
static void join_names(lua_State *lua, const char *section)
{
    if (!lua_istable(lua, -1)) {
        return;
    }
    const int list = lua_gettop(lua);
    const lua_Integer count = luaL_len(lua, list);
    luaL_Buffer text;
    luaL_buffinit(lua, &text);
    for (lua_Integer i = 1; i <= count; i++) {
        if (lua_rawgeti(lua, list, i) != LUA_TSTRING) {
            refuse(lua, section, "on", "on: write on = \"device\" or { \"device\", \"gateway\" }");
        }
        lua_pop(lua, 1);
        if (i > 1) {
            luaL_addchar(&text, ',');
        }
        lua_rawgeti(lua, list, i);
        luaL_addvalue(&text);
    }
    luaL_pushresult(&text);
    lua_replace(lua, list);
}

/* power_cut = "2h", or power_cut = { every = "2h", lasts = "10s..5m", on = "device" }. */
static void read_fault(lua_State *lua, const char *effect)
{
    if (!lua_istable(lua, -1)) {
        const char *name = lua_pushfstring(lua, "faults.%s", effect);
        lua_insert(lua, -2);
        set(lua, "faults", effect, name);
        return;
    }
    const int table = lua_gettop(lua);
    script_keys(lua, table);
    const char *field;
    for (lua_Integer i = 1; (field = next_key(lua, effect, i)) != NULL; i++) {
        const char *name = lua_pushfstring(lua, "faults.%s.%s", effect, field);
        lua_pushvalue(lua, -2);
        lua_rawget(lua, table);
        if (strcmp(field, "on") == 0) {
            join_names(lua, effect);
        }
        set(lua, effect, field, name);
        lua_pop(lua, 2);
    }
}

static void read_faults(lua_State *lua)
{
    if (!lua_istable(lua, -1)) {
        refuse(lua, NULL, "faults", "faults: write faults = { power_cut = \"2h\", ... }");
    }
    const int table = lua_gettop(lua);
    script_keys(lua, table);
    const int keys = lua_gettop(lua);
    const char *effect;
    for (lua_Integer i = 1; (effect = next_key(lua, "faults", i)) != NULL; i++) {
        lua_pushvalue(lua, -1);
        lua_rawget(lua, table);
        read_fault(lua, effect);
        lua_settop(lua, keys);
    }
    lua_settop(lua, table);
}

/* ---- expectations ---------------------------------------------------------------------------- */

static void refuse_expectation(lua_State *lua, lua_Integer index, const char *what)
{
    lua_pushfstring(lua,
                    "expect: %s in entry %I; write { \"accepted\", \">=\", 100 }, or a named "
                    "function(w)",
                    what, (LUAI_UACINT)index);
    refuse(lua, NULL, "expect", lua_tostring(lua, -1));
}

static enum figure read_figure(lua_State *lua, lua_Integer index)
{
    const char *names[FIGURE_COUNT];
    if (lua_rawgeti(lua, -1, 1) != LUA_TSTRING) {
        refuse_expectation(lua, index, "no name of a figure");
    }
    const char *name = lua_tostring(lua, -1);
    const enum figure figure = figure_find(name);
    if (figure == FIGURE_COUNT) {
        for (unsigned i = 0; i < FIGURE_COUNT; i++) {
            names[i] = figure_name((enum figure)i);
        }
        const char *near = script_suggest(lua, name, names, FIGURE_COUNT);
        lua_pushfstring(lua, "expect: no figure '%s'%s", name, near);
        refuse(lua, "expect", name, lua_tostring(lua, -1));
    }
    lua_pop(lua, 1);
    return figure;
}

/* { "accepted", ">=", 100 }, on top. */
static void read_expectation(lua_State *lua, lua_Integer index)
{
    static const char *const comparisons[] = {"<", "<=", "==", ">=", ">"};
    struct plan *plan = script_of(lua)->plan;
    struct plan_expectation expectation = {0};
    int exact = 0;
    unsigned comparison = 0;
    if (!lua_istable(lua, -1)) {
        refuse_expectation(lua, index, "no table");
    }
    expectation.figure = read_figure(lua, index);
    lua_rawgeti(lua, -1, 2);
    while (comparison < 5 && (lua_type(lua, -1) != LUA_TSTRING ||
                              strcmp(comparisons[comparison], lua_tostring(lua, -1)) != 0)) {
        comparison++;
    }
    lua_rawgeti(lua, -2, 3);
    const lua_Integer number = lua_tointegerx(lua, -1, &exact);
    if (comparison == 5) {
        refuse_expectation(lua, index, "no comparison (< <= == >= >)");
    } else if (lua_type(lua, -1) != LUA_TNUMBER || exact == 0 || number < 0) {
        refuse_expectation(lua, index, "no whole number");
    } else if (plan->expectation_count ==
               sizeof plan->expectations / sizeof plan->expectations[0]) {
        refuse_expectation(lua, index, "no room left");
    }
    expectation.comparison = (enum plan_comparison)comparison;
    expectation.number = (uint64_t)number;
    plan->expectations[plan->expectation_count++] = expectation;
    lua_pop(lua, 2);
}

/* Figures go into the plan; functions stay here, by name. */
static void read_expectations(lua_State *lua)
{
    if (!lua_istable(lua, -1)) {
        refuse(lua, NULL, "expect", "expect: write expect = { { \"accepted\", \">=\", 100 } }");
    }
    const int table = lua_gettop(lua);
    lua_newtable(lua);
    script_keys(lua, table);
    const int keys = lua_gettop(lua);
    for (lua_Integer i = 1; lua_rawgeti(lua, keys, i) != LUA_TNIL; i++) {
        const bool named = lua_type(lua, -1) == LUA_TSTRING;
        lua_pushvalue(lua, -1);
        lua_rawget(lua, table);
        if (named && lua_isfunction(lua, -1)) {
            lua_rawset(lua, table + 1);
        } else if (named) {
            refuse_expectation(lua, i, "a name without a function");
        } else {
            read_expectation(lua, i);
        }
        lua_settop(lua, keys);
    }
    lua_pushvalue(lua, table + 1);
    lua_rawsetp(lua, LUA_REGISTRYINDEX, &script_expect_place);
    lua_settop(lua, table);
}

/* ---- the table ------------------------------------------------------------------------------- */

static void read_run(lua_State *lua)
{
    struct script *script = script_of(lua);
    if (lua_istable(lua, -1)) {
        read_section(lua, "run");
    } else if (lua_isfunction(lua, -1)) {
        lua_pushvalue(lua, -1);
        lua_xmove(lua, script->driver, 1);
        script->has_driver = true;
    } else {
        refuse(lua, NULL, "run",
               "run: write run = function(w) ... end, or the settings of a run: "
               "run = { duration = \"1h\" }");
    }
}

static void keep_strikes(lua_State *lua)
{
    if (!lua_istable(lua, -1)) {
        refuse(lua, NULL, "strikes",
               "strikes: write strikes = { { effect = \"power_cut\", on = \"dev1\", at = \"10m\", "
               "lasts = \"20s\" } }");
    }
    lua_pushvalue(lua, -1);
    lua_rawsetp(lua, LUA_REGISTRYINDEX, &script_strikes_place);
}

/* The value of `key` is on top. */
static void read_key(lua_State *lua, const char *key)
{
    static const char *const sections[] = {"fleet", "device",   "gateway",  "cloud",   "link",
                                           "flash", "firmware", "latitude", "workload"};
    static const char *const values[] = {"duration", "heal",      "crypto", "readings",   "laws",
                                         "swarm",    "heal_core", "canary", "sweep_every"};
    static const char *const names[] = {
        "fleet",       "device",   "gateway",   "cloud",  "link",     "firmware",
        "flash",       "latitude", "duration",  "heal",   "crypto",   "readings",
        "laws",        "swarm",    "heal_core", "canary", "workload", "run",
        "sweep_every", "faults",   "strikes",   "expect"};
    for (size_t i = 0; i < sizeof sections / sizeof sections[0]; i++) {
        if (strcmp(key, sections[i]) == 0) {
            read_section(lua, key);
            return;
        }
    }
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
        if (strcmp(key, values[i]) == 0) {
            const char *name = lua_pushfstring(lua, "run.%s", key);
            lua_insert(lua, -2);
            set(lua, NULL, key, name);
            return;
        }
    }
    if (strcmp(key, "run") == 0) {
        read_run(lua);
    } else if (strcmp(key, "faults") == 0) {
        read_faults(lua);
    } else if (strcmp(key, "strikes") == 0) {
        keep_strikes(lua);
    } else if (strcmp(key, "expect") == 0) {
        read_expectations(lua);
    } else {
        const char *near = script_suggest(lua, key, names, sizeof names / sizeof names[0]);
        lua_pushfstring(lua, "a scenario has no '%s'%s", key, near);
        refuse(lua, NULL, key, lua_tostring(lua, -1));
    }
}

void script_file_return(lua_State *lua)
{
    struct script *script = script_of(lua);
    lua_Debug chunk;
    const char *name = lua_pushfstring(lua, "@%s", script->path);
    if (luaL_loadbufferx(lua, script->text, script->text_bytes, name, "t") != LUA_OK) {
        lua_error(lua);
    }
    lua_pushvalue(lua, -1);
    lua_getinfo(lua, ">S", &chunk);
    snprintf(script->source, sizeof script->source, "%s", chunk.short_src);
    lua_call(lua, 0, 1);
    if (!lua_istable(lua, -1)) {
        refuse(lua, NULL, "return",
               "this file returns no table: return { fleet = { devices = 10 }, run = function(w) "
               "... end }");
    }
}

/* Load the text, run it, read what it returns. */
int script_file_read(lua_State *lua)
{
    script_file_return(lua);
    const int table = lua_gettop(lua);
    if (lua_getfield(lua, table, "life") != LUA_TNIL) {
        lua_pushfstring(lua, "this is the life of one device; explore it: brownout cuts %s",
                        script_of(lua)->path);
        refuse(lua, NULL, "life", lua_tostring(lua, -1));
    }
    lua_pop(lua, 1);
    script_keys(lua, table);
    const int keys = lua_gettop(lua);
    const char *key;
    for (lua_Integer i = 1; (key = next_key(lua, "return", i)) != NULL; i++) {
        lua_pushvalue(lua, -1);
        lua_rawget(lua, table);
        read_key(lua, key);
        lua_settop(lua, keys);
    }
    return 0;
}
