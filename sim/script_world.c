/* `w`: the world as run(w), hooks, predicates and expectations see it. They look, and they strike;
 * only run(w) lets time pass.
 */
#include "sim/script_inside.h"

#include <lauxlib.h>
#include <lua.h>
#include <stdio.h>
#include <string.h>

#include "core/check.h"

#define WORLD_TYPE "brownout.world"

enum { VIEW_MAX = 32 };

static struct script *check_world(lua_State *lua)
{
    if (luaL_testudata(lua, 1, WORLD_TYPE) == NULL) {
        luaL_error(lua, "call it with a colon: w:sleep(\"10m\"), w:power_cut(\"dev1\", \"20s\")");
    }
    return script_of(lua);
}

static uint64_t check_duration(lua_State *lua, int index)
{
    uint64_t us = 0;
    if (lua_type(lua, index) != LUA_TSTRING || !duration_parse(lua_tostring(lua, index), &us) ||
        us == 0) {
        luaL_error(lua,
                   "'%s' is not a time that can pass; write it as \"20s\", \"10m\" or \"1h30m\"",
                   script_text(lua, index));
    }
    return us;
}

/* ---- time ------------------------------------------------------------------------------------ */

static void check_can_wait(lua_State *lua, const struct script *script, const char *name)
{
    if (lua != script->driver || !lua_isyieldable(lua)) {
        luaL_error(lua,
                   "w:%s is for run(w) itself: hooks, predicates, expectations and coroutines of "
                   "your own cannot wait",
                   name);
    }
}

static int world_sleep(lua_State *lua)
{
    struct script *script = check_world(lua);
    check_can_wait(lua, script, "sleep");
    script->wake_us = world_now_us(script->world) + check_duration(lua, 2);
    script->wait = SCRIPT_SLEEPING;
    return lua_yield(lua, 0);
}

static int world_await(lua_State *lua)
{
    struct script *script = check_world(lua);
    check_can_wait(lua, script, "await");
    luaL_checktype(lua, 2, LUA_TFUNCTION);
    const uint64_t wake_us =
        lua_isnoneornil(lua, 3) ? UINT64_MAX : world_now_us(script->world) + check_duration(lua, 3);
    lua_pushvalue(lua, 2);
    lua_pushvalue(lua, 1);
    lua_call(lua, 1, 1);
    if (lua_toboolean(lua, -1)) {
        lua_pushboolean(lua, true);
        return 1;
    }
    lua_pushvalue(lua, 2);
    lua_rawsetp(lua, LUA_REGISTRYINDEX, &script_predicate_place);
    script->wake_us = wake_us;
    script->wait = SCRIPT_AWAITING;
    return lua_yield(lua, 0);
}

static int world_now(lua_State *lua)
{
    const struct script *script = check_world(lua);
    lua_pushinteger(lua, (lua_Integer)world_now_us(script->world));
    return 1;
}

static int world_now_text(lua_State *lua)
{
    const struct script *script = check_world(lua);
    char text[64];
    duration_print(world_now_us(script->world), text, sizeof text);
    lua_pushstring(lua, text);
    return 1;
}

/* ---- striking -------------------------------------------------------------------------------- */

static int world_strike(lua_State *lua)
{
    check_world(lua);
    if (!lua_istable(lua, 2)) {
        return luaL_error(lua, "write w:strike{ effect = \"power_cut\", on = \"dev1\", lasts = "
                               "\"20s\" }");
    }
    luaL_where(lua, 1);
    script_strike(lua, 2, lua_tostring(lua, -1));
    return 0;
}

/* Put the next argument, if it is there and no table of options, into the fields as `name`. */
static int take_argument(lua_State *lua, int fields, int argument, const char *name)
{
    if (argument >= fields || lua_istable(lua, argument)) {
        return argument;
    }
    lua_pushvalue(lua, argument);
    lua_setfield(lua, fields, name);
    return argument + 1;
}

/* w:power_cut(on, lasts, options), w:link_delay(on, amount, lasts, options): upvalue 1 is the
 * effect. */
static int world_effect(lua_State *lua)
{
    check_world(lua);
    const struct effect_info info =
        effect_info((enum effect)lua_tointeger(lua, lua_upvalueindex(1)));
    int argument = 3;
    luaL_checkany(lua, 2);
    lua_newtable(lua);
    const int fields = lua_gettop(lua);
    if (info.amount != EFFECT_AMOUNT_none) {
        argument = take_argument(lua, fields, argument, "amount");
    }
    if (info.lasts == EFFECT_LASTS_DURATION) {
        argument = take_argument(lua, fields, argument, "lasts");
    }
    if (argument < fields && lua_istable(lua, argument)) {
        for (lua_pushnil(lua); lua_next(lua, argument) != 0;) {
            lua_pushvalue(lua, -2);
            lua_insert(lua, -2);
            lua_rawset(lua, fields);
        }
        argument++;
    }
    if (argument < fields) {
        return luaL_error(lua, "w:%s has one argument too many; write w:%s(on%s%s, options)",
                          info.name, info.name, info.amount != EFFECT_AMOUNT_none ? ", amount" : "",
                          info.lasts == EFFECT_LASTS_DURATION ? ", lasts" : "");
    }
    lua_pushvalue(lua, 2);
    lua_setfield(lua, fields, "on");
    lua_pushstring(lua, info.name);
    lua_setfield(lua, fields, "effect");
    luaL_where(lua, 1);
    script_strike(lua, fields, lua_tostring(lua, -1));
    return 0;
}

/* ---- hooks ----------------------------------------------------------------------------------- */

static int world_on(lua_State *lua)
{
    static const char *const names[EVIDENCE_COUNT] = {
#define EVIDENCE_NAME(NAME, Name) #NAME,
        EVIDENCE_LIST(EVIDENCE_NAME)
#undef EVIDENCE_NAME
    };
    struct script *script = check_world(lua);
    const char *name = luaL_checkstring(lua, 2);
    unsigned kind = 0;
    luaL_checktype(lua, 3, LUA_TFUNCTION);
    while (kind < EVIDENCE_COUNT && strcmp(names[kind], name) != 0) {
        kind++;
    }
    if (kind == EVIDENCE_COUNT) {
        return luaL_error(lua, "there is no evidence '%s'%s", name,
                          script_suggest(lua, name, names, EVIDENCE_COUNT));
    }
    if (script->hook_count == SCRIPT_HOOKS_MAX) {
        return luaL_error(lua, "more than %d hooks; take some off with w:off(handle)",
                          (int)SCRIPT_HOOKS_MAX);
    }
    lua_settop(lua, 3);
    const int function = luaL_ref(lua, LUA_REGISTRYINDEX);
    script->hooks[script->hook_count++] = (struct script_hook){
        .handle = ++script->handles, .kind = (enum evidence_kind)kind, .function = function};
    script->wanted[kind]++;
    lua_pushinteger(lua, script->handles);
    return 1;
}

/* A handle that is off already is no error: two hooks may take off each other. */
static int world_off(lua_State *lua)
{
    struct script *script = check_world(lua);
    const lua_Integer handle = luaL_checkinteger(lua, 2);
    for (uint32_t i = 0; i < script->hook_count; i++) {
        if (script->hooks[i].handle == handle) {
            luaL_unref(lua, LUA_REGISTRYINDEX, script->hooks[i].function);
            script->wanted[script->hooks[i].kind]--;
            script->hook_count--;
            memmove(&script->hooks[i], &script->hooks[i + 1],
                    (script->hook_count - i) * sizeof script->hooks[0]);
            return 0;
        }
    }
    return 0;
}

/* ---- looking --------------------------------------------------------------------------------- */

static int world_view_of(lua_State *lua)
{
    const struct script *script = check_world(lua);
    struct world_view view[VIEW_MAX];
    const uint32_t node = script_node(lua, 2);
    if (!world_node_up(script->world, node)) {
        lua_pushnil(lua);
        return 1;
    }
    const size_t count = world_view(script->world, node, view, VIEW_MAX);
    lua_createtable(lua, 0, (int)count);
    for (size_t i = 0; i < count; i++) {
        lua_pushinteger(lua, (lua_Integer)view[i].value);
        lua_setfield(lua, -2, view[i].name);
    }
    return 1;
}

static int world_up(lua_State *lua)
{
    const struct script *script = check_world(lua);
    lua_pushboolean(lua, world_node_up(script->world, script_node(lua, 2)));
    return 1;
}

static int world_figure_of(lua_State *lua)
{
    const struct script *script = check_world(lua);
    const char *name = luaL_checkstring(lua, 2);
    const enum figure figure = figure_find(name);
    const char *names[FIGURE_COUNT];
    if (figure == FIGURE_COUNT) {
        for (unsigned i = 0; i < FIGURE_COUNT; i++) {
            names[i] = figure_name((enum figure)i);
        }
        return luaL_error(lua, "no figure '%s'%s", name,
                          script_suggest(lua, name, names, FIGURE_COUNT));
    }
    const uint64_t value = world_figure(script->world, figure);
    if (value == FIGURE_UNKNOWN) {
        lua_pushnil(lua);
    } else {
        lua_pushinteger(lua, (lua_Integer)value);
    }
    return 1;
}

static int world_nodes(lua_State *lua)
{
    static const char *const words[] = {"all", "device", "gateway", "cloud", "rogue", NULL};
    static const uint32_t masks[] = {UINT32_MAX, ROLE_MASK_DEVICE, ROLE_MASK_GATEWAY,
                                     ROLE_MASK_CLOUD, ROLE_MASK_ROGUE};
    const struct script *script = check_world(lua);
    const struct settings *settings = &world_plan(script->world)->settings;
    const uint32_t mask = masks[luaL_checkoption(lua, 2, "all", words)];
    const uint32_t count = fleet_node_count(settings);
    lua_Integer found = 0;
    char name[32];
    script_charge(lua, count);
    lua_newtable(lua);
    for (uint32_t node = 1; node <= count; node++) {
        if ((fleet_role(settings, node) & mask) != 0) {
            fleet_node_name(settings, node, name, sizeof name);
            lua_pushstring(lua, name);
            lua_rawseti(lua, -2, ++found);
        }
    }
    return 1;
}

static int world_random(lua_State *lua)
{
    check_world(lua);
    return script_random(lua, 2);
}

/* ---- saying ---------------------------------------------------------------------------------- */

static int world_log(lua_State *lua)
{
    const struct script *script = check_world(lua);
    const uint64_t us = world_now_us(script->world);
    luaL_checkany(lua, 2);
    fprintf(stderr, "+%02u:%02u:%02u.%06u %s\n", (unsigned)(us / 3600000000u),
            (unsigned)(us / 60000000u % 60), (unsigned)(us / 1000000u % 60),
            (unsigned)(us % 1000000u), script_text(lua, 2));
    script_charge(lua, 1000);
    return 0;
}

/* The first one counts; the run goes on to its end. */
static int world_fail(lua_State *lua)
{
    struct script *script = check_world(lua);
    luaL_checkany(lua, 2);
    if (script->failed[0] == '\0') {
        snprintf(script->failed, sizeof script->failed, "w:fail: %s", script_text(lua, 2));
    }
    return 0;
}

/* ---- the type -------------------------------------------------------------------------------- */

static const luaL_Reg methods[] = {{"await", world_await},
                                   {"fail", world_fail},
                                   {"figure", world_figure_of},
                                   {"log", world_log},
                                   {"nodes", world_nodes},
                                   {"now", world_now},
                                   {"now_text", world_now_text},
                                   {"off", world_off},
                                   {"on", world_on},
                                   {"random", world_random},
                                   {"sleep", world_sleep},
                                   {"strike", world_strike},
                                   {"up", world_up},
                                   {"view", world_view_of},
                                   {NULL, NULL}};
enum { METHOD_COUNT = sizeof methods / sizeof methods[0] - 1 };

/* Upvalue 1: the methods. */
static int world_index(lua_State *lua)
{
    const char *names[METHOD_COUNT + EFFECT_COUNT];
    lua_settop(lua, 2);
    lua_pushvalue(lua, 2);
    if (lua_rawget(lua, lua_upvalueindex(1)) != LUA_TNIL) {
        return 1;
    }
    for (unsigned i = 0; i < METHOD_COUNT; i++) {
        names[i] = methods[i].name;
    }
    for (unsigned i = 0; i < EFFECT_COUNT; i++) {
        names[METHOD_COUNT + i] = effect_info((enum effect)i).name;
    }
    const char *name = script_text(lua, 2);
    return luaL_error(lua, "w has no '%s'%s", name,
                      script_suggest(lua, name, names, METHOD_COUNT + EFFECT_COUNT));
}

void script_world_open(lua_State *lua)
{
    lua_newuserdatauv(lua, 0, 0);
    CHECK(luaL_newmetatable(lua, WORLD_TYPE) == 1);
    luaL_newlib(lua, methods);
    for (unsigned i = 0; i < EFFECT_COUNT; i++) {
        lua_pushinteger(lua, i);
        lua_pushcclosure(lua, world_effect, 1);
        lua_setfield(lua, -2, effect_info((enum effect)i).name);
    }
    lua_pushcclosure(lua, world_index, 1);
    lua_setfield(lua, -2, "__index");
    lua_pushboolean(lua, false);
    lua_setfield(lua, -2, "__metatable");
    lua_pushliteral(lua, "world");
    lua_setfield(lua, -2, "__name");
    lua_setmetatable(lua, -2);
}
