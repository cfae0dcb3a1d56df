/* The Lua state of a scenario. Nothing in it depends on addresses, wall time or the machine, and
 * every budget ends: memory is counted by the allocator, instructions by a hook, and work that C
 * does for the script is charged like instructions. An exhausted budget passes through pcall.
 */
#include "sim/script_inside.h"

#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/check.h"
#include "sim/setting.h"

enum {
    STEPS_COUNTED = 1000, /* instructions between two looks at the budget */
    BYTES_A_STEP = 64,    /* allocated bytes that count as one instruction */
    RESUMES_A_COLLECTION = 256,
    COROUTINE_STEPS = STEPS_COUNTED, /* a new coroutine begins to count anew */
};

struct script *script_of(lua_State *lua)
{
    return *(struct script **)lua_getextraspace(lua);
}

/* ---- budgets --------------------------------------------------------------------------------- */

/* For a new object `old_bytes` is its type. */
static void *allocate(void *ctx, void *block, size_t old_bytes, size_t new_bytes)
{
    struct script *script = ctx;
    const size_t held_bytes = block == NULL ? 0 : old_bytes;
    if (new_bytes == 0) {
        script->memory_bytes -= held_bytes;
        free(block);
        return NULL;
    }
    const bool too_long = block == NULL && old_bytes == LUA_TSTRING &&
                          new_bytes > SCRIPT_STRING_BYTES_MAX + 64; /* its header */
    if (new_bytes > held_bytes) {
        script->steps += (new_bytes - held_bytes) / BYTES_A_STEP;
        if (too_long || script->memory_bytes + (new_bytes - held_bytes) > SCRIPT_MEMORY_BYTES_MAX) {
            script->string_refused = too_long;
            return NULL;
        }
    }
    void *moved = realloc(block, new_bytes);
    CHECK(moved != NULL);
    script->memory_bytes = script->memory_bytes - held_bytes + new_bytes;
    return moved;
}

/* `level` is the Lua function to blame: 0 from a hook, 1 from a C function. */
static void exhaust(lua_State *lua, int level)
{
    script_of(lua)->exhausted = true;
    luaL_where(lua, level);
    lua_pushfstring(lua,
                    "%sthe budget of %d instructions without a pause is used up; do less at once, "
                    "or let time pass: w:sleep(\"1s\")",
                    lua_tostring(lua, -1), (int)SCRIPT_STEPS_MAX);
    lua_error(lua);
}

void script_charge(lua_State *lua, uint64_t steps)
{
    struct script *script = script_of(lua);
    script->steps += steps < SCRIPT_STEPS_MAX ? steps : SCRIPT_STEPS_MAX + 1;
    if (script->steps > SCRIPT_STEPS_MAX) {
        exhaust(lua, 1);
    }
}

static void on_count(lua_State *lua, lua_Debug *activation)
{
    struct script *script = script_of(lua);
    (void)activation;
    script->steps += STEPS_COUNTED;
    if (script->steps > SCRIPT_STEPS_MAX) {
        exhaust(lua, 0);
    }
}

static bool is_memory_error(lua_State *lua)
{
    return lua_type(lua, -1) == LUA_TSTRING &&
           strcmp(lua_tostring(lua, -1), "not enough memory") == 0;
}

/* What was caught is on top: raise it again if it was the end of a budget. */
static void raise_again(lua_State *lua)
{
    if (script_of(lua)->exhausted || is_memory_error(lua)) {
        lua_error(lua);
    }
}

/* ---- running --------------------------------------------------------------------------------- */

/* The line at which a thread stands that failed: its stack was not unwound. 0: none. */
static int failing_line(lua_State *thread)
{
    lua_Debug activation;
    for (int level = 0; lua_getstack(thread, level, &activation) != 0; level++) {
        lua_getinfo(thread, "l", &activation);
        if (activation.currentline > 0) {
            return activation.currentline;
        }
    }
    return 0;
}

static void describe_failure(struct script *script, lua_State *thread)
{
    const char *source = script->source[0] != '\0' ? script->source : script->path;
    const size_t length = strlen(source);
    const char *what = lua_type(thread, -1) == LUA_TSTRING ? lua_tostring(thread, -1)
                                                           : "raised an error that is no text";
    char memory[128];
    if (strncmp(what, source, length) == 0 && what[length] == ':') {
        snprintf(script->error, sizeof script->error, "%s", what);
        return;
    }
    if (is_memory_error(thread)) {
        snprintf(memory, sizeof memory,
                 script->string_refused ? "a text longer than %d bytes; keep texts short"
                                        : "more than %d bytes of memory; keep less",
                 script->string_refused ? SCRIPT_STRING_BYTES_MAX : SCRIPT_MEMORY_BYTES_MAX);
        what = memory;
    }
    const int line = failing_line(thread);
    if (line > 0) {
        snprintf(script->error, sizeof script->error, "%s:%d: %s", source, line, what);
    } else {
        snprintf(script->error, sizeof script->error, "%s: %s", source, what);
    }
}

/* Garbage is collected here alone: were a weak table ever smuggled in, even it would be emptied at
 * the same point of every run. */
static int run_thread(struct script *script, lua_State *thread, int count, int *results)
{
    script->steps = 0;
    script->string_refused = false;
    if (++script->resumes % RESUMES_A_COLLECTION == 0) {
        lua_gc(script->lua, LUA_GCCOLLECT);
    }
    const int status = lua_resume(thread, script->lua, count, results);
    if (status != LUA_OK && status != LUA_YIELD) {
        describe_failure(script, thread);
    }
    return status;
}

bool script_call(struct script *script, script_body *body, void *argument)
{
    int results = 0;
    lua_pushcfunction(script->caller, body);
    lua_pushlightuserdata(script->caller, argument);
    const int status = run_thread(script, script->caller, 1, &results);
    CHECK(status != LUA_YIELD);
    if (status == LUA_OK) {
        lua_settop(script->caller, 0);
    }
    return status == LUA_OK;
}

bool script_drive(struct script *script, int count)
{
    int results = 0;
    script->wait = SCRIPT_NOT_WAITING;
    const int status = run_thread(script, script->driver, count, &results);
    if (status == LUA_YIELD || status == LUA_OK) {
        lua_pop(script->driver, results);
        CHECK((status == LUA_YIELD) == (script->wait != SCRIPT_NOT_WAITING));
        return true;
    }
    return false;
}

/* ---- text ------------------------------------------------------------------------------------ */

const char *script_text(lua_State *lua, int index)
{
    if (luaL_callmeta(lua, index, "__tostring") != 0) {
        if (lua_type(lua, -1) != LUA_TSTRING) {
            luaL_error(lua, "'__tostring' must return a string");
        }
        return lua_tostring(lua, -1);
    }
    switch (lua_type(lua, index)) {
    case LUA_TNIL:
    case LUA_TBOOLEAN:
    case LUA_TNUMBER:
    case LUA_TSTRING:
        return luaL_tolstring(lua, index, NULL);
    default: /* the stock function would add an address */
        if (luaL_getmetafield(lua, index, "__name") == LUA_TSTRING) {
            return lua_tostring(lua, -1);
        }
        return lua_pushstring(lua, luaL_typename(lua, index));
    }
}

const char *script_suggest(lua_State *lua, const char *typed, const char *const *names,
                           size_t count)
{
    const char *near = nearest_name(typed, names, count);
    luaL_Buffer text;
    if (near != NULL) {
        return lua_pushfstring(lua, "; did you mean '%s'?", near);
    }
    luaL_buffinit(lua, &text);
    luaL_addstring(&text, "; there is ");
    for (size_t i = 0; i < count; i++) {
        luaL_addstring(&text, i == 0 ? "" : ", ");
        luaL_addstring(&text, names[i]);
    }
    luaL_pushresult(&text);
    return lua_tostring(lua, -1);
}

static int base_tostring(lua_State *lua)
{
    luaL_checkany(lua, 1);
    script_text(lua, 1);
    return 1;
}

static int base_print(lua_State *lua)
{
    const int count = lua_gettop(lua);
    for (int i = 1; i <= count; i++) {
        fprintf(stderr, "%s%s", i > 1 ? "\t" : "", script_text(lua, i));
        lua_pop(lua, 1);
    }
    fputc('\n', stderr);
    script_charge(lua, 1000);
    return 0;
}

/* ---- base library ---------------------------------------------------------------------------- */

static int base_setmetatable(lua_State *lua)
{
    static const char *const refused[] = {"__gc", "__mode"};
    luaL_checktype(lua, 1, LUA_TTABLE);
    luaL_argexpected(lua, lua_isnil(lua, 2) || lua_istable(lua, 2), 2, "nil or table");
    for (size_t i = 0; i < 2 && lua_istable(lua, 2); i++) {
        lua_pushstring(lua, refused[i]);
        if (lua_rawget(lua, 2) != LUA_TNIL) {
            return luaL_error(lua, "'%s' would tell when garbage is collected; leave it out",
                              refused[i]);
        }
        lua_pop(lua, 1);
    }
    if (luaL_getmetafield(lua, 1, "__metatable") != LUA_TNIL) {
        return luaL_error(lua, "cannot change a protected metatable");
    }
    lua_settop(lua, 2);
    lua_setmetatable(lua, 1);
    return 1;
}

/* Values below the function stay; `kept` of them are not results. */
static int finish_call(lua_State *lua, int status, lua_KContext kept)
{
    if (status != LUA_OK && status != LUA_YIELD) {
        raise_again(lua);
        lua_pushboolean(lua, false);
        lua_insert(lua, -2);
        return 2;
    }
    return lua_gettop(lua) - (int)kept;
}

static int base_pcall(lua_State *lua)
{
    luaL_checkany(lua, 1);
    lua_pushboolean(lua, true);
    lua_insert(lua, 1);
    const int arguments = lua_gettop(lua) - 2;
    return finish_call(lua, lua_pcallk(lua, arguments, LUA_MULTRET, 0, 0, finish_call), 0);
}

static int base_xpcall(lua_State *lua)
{
    luaL_checktype(lua, 2, LUA_TFUNCTION);
    lua_pushboolean(lua, true);
    lua_pushvalue(lua, 1);
    lua_rotate(lua, 3, 2); /* function, handler, true, function, arguments */
    const int arguments = lua_gettop(lua) - 4;
    return finish_call(lua, lua_pcallk(lua, arguments, LUA_MULTRET, 2, 2, finish_call), 2);
}

/* Reading a global that nobody set: a slip, or something that a scenario has not. */
static int base_missing(lua_State *lua)
{
    static const struct {
        const char *name, *remedy;
    } gone[] = {
        {"os", "there is no clock but the world's; use w:now() and w:sleep(\"10m\")"},
        {"io", "a scenario reads no files; measured data come by `readings`"},
        {"load", "a scenario is one file; write a function"},
        {"loadstring", "a scenario is one file; write a function"},
        {"loadfile", "a scenario is one file"},
        {"dofile", "a scenario is one file"},
        {"require", "a scenario is one file"},
        {"package", "a scenario is one file"},
        {"debug", "it shows what changes from run to run"},
        {"collectgarbage", "garbage is collected between events"},
    };
    static const char *const names[] = {
        "assert",   "coroutine", "error",  "getmetatable", "ipairs",   "math",
        "next",     "pairs",     "pcall",  "print",        "rawequal", "rawget",
        "rawlen",   "rawset",    "select", "string",       "table",    "setmetatable",
        "tonumber", "tostring",  "type",   "utf8",         "xpcall"};
    const char *name = script_text(lua, 2);
    for (size_t i = 0; i < sizeof gone / sizeof gone[0]; i++) {
        if (strcmp(gone[i].name, name) == 0) {
            return luaL_error(lua, "a scenario has no '%s': %s", name, gone[i].remedy);
        }
    }
    const char *near = nearest_name(name, names, sizeof names / sizeof names[0]);
    if (near != NULL) {
        return luaL_error(lua, "nothing is called '%s'; did you mean '%s'?", name, near);
    }
    return luaL_error(lua, "nothing is called '%s'; set it before it is read", name);
}

/* ---- coroutines ------------------------------------------------------------------------------ */

/* Upvalue 1: the stock function. */
static int coroutine_make(lua_State *lua)
{
    luaL_checktype(lua, 1, LUA_TFUNCTION);
    script_charge(lua, COROUTINE_STEPS);
    lua_settop(lua, 1);
    lua_pushvalue(lua, lua_upvalueindex(1));
    lua_insert(lua, 1);
    lua_call(lua, 1, 1);
    return 1;
}

static int coroutine_resume(lua_State *lua)
{
    luaL_checktype(lua, 1, LUA_TTHREAD);
    lua_pushvalue(lua, lua_upvalueindex(1));
    lua_insert(lua, 1);
    lua_call(lua, lua_gettop(lua) - 1, LUA_MULTRET);
    if (lua_isboolean(lua, 1) && !lua_toboolean(lua, 1)) {
        raise_again(lua);
    }
    return lua_gettop(lua);
}

static int coroutine_yield(lua_State *lua)
{
    const struct script *script = script_of(lua);
    if (lua == script->driver || lua == script->caller) {
        return luaL_error(lua, "coroutine.yield is for coroutines of your own; here time passes by "
                               "w:sleep(\"10m\") or w:await(predicate)");
    }
    return lua_yield(lua, lua_gettop(lua));
}

/* Push a table of the coroutine library. */
static void coroutine_open(lua_State *lua)
{
    static const char *const kept[] = {"isyieldable", "running", "status"};
    lua_newtable(lua);
    lua_pushcfunction(lua, luaopen_coroutine);
    lua_call(lua, 0, 1);
    for (size_t i = 0; i < sizeof kept / sizeof kept[0]; i++) {
        lua_getfield(lua, -1, kept[i]);
        lua_setfield(lua, -3, kept[i]);
    }
    lua_getfield(lua, -1, "create");
    lua_pushcclosure(lua, coroutine_make, 1);
    lua_setfield(lua, -3, "create");
    lua_getfield(lua, -1, "wrap");
    lua_pushcclosure(lua, coroutine_make, 1);
    lua_setfield(lua, -3, "wrap");
    lua_getfield(lua, -1, "resume");
    lua_pushcclosure(lua, coroutine_resume, 1);
    lua_setfield(lua, -3, "resume");
    lua_pop(lua, 1);
    lua_pushcfunction(lua, coroutine_yield);
    lua_setfield(lua, -2, "yield");
}

/* ---- opening --------------------------------------------------------------------------------- */

/* Push the globals of a scenario: what is not here does not exist. */
static void base_open(lua_State *lua)
{
    static const char *const kept[] = {"assert",   "error",    "getmetatable", "ipairs",
                                       "rawequal", "rawget",   "rawlen",       "rawset",
                                       "select",   "tonumber", "type",         "_VERSION"};
    static const luaL_Reg own[] = {{"next", script_next},
                                   {"pairs", script_pairs},
                                   {"pcall", base_pcall},
                                   {"print", base_print},
                                   {"setmetatable", base_setmetatable},
                                   {"tostring", base_tostring},
                                   {"xpcall", base_xpcall},
                                   {NULL, NULL}};
    lua_newtable(lua);
    lua_pushcfunction(lua, luaopen_base);
    lua_call(lua, 0, 1);
    for (size_t i = 0; i < sizeof kept / sizeof kept[0]; i++) {
        lua_getfield(lua, -1, kept[i]);
        lua_setfield(lua, -3, kept[i]);
    }
    lua_pop(lua, 1);
    luaL_setfuncs(lua, own, 0);
    lua_pushvalue(lua, -1);
    lua_setfield(lua, -2, "_G");
    lua_createtable(lua, 0, 2);
    lua_pushcfunction(lua, base_missing);
    lua_setfield(lua, -2, "__index");
    lua_pushboolean(lua, false);
    lua_setfield(lua, -2, "__metatable");
    lua_setmetatable(lua, -2);
}

static int open_sandbox(lua_State *lua)
{
    struct script *script = script_of(lua);
    base_open(lua);
    coroutine_open(lua);
    lua_setfield(lua, -2, "coroutine");
    script_string_open(lua);
    lua_setfield(lua, -2, "string");
    script_table_open(lua);
    lua_setfield(lua, -2, "table");
    script_math_open(lua);
    lua_setfield(lua, -2, "math");
    script_utf8_open(lua);
    lua_setfield(lua, -2, "utf8");
    lua_rawseti(lua, LUA_REGISTRYINDEX, LUA_RIDX_GLOBALS);
    script->caller = lua_newthread(lua);
    luaL_ref(lua, LUA_REGISTRYINDEX);
    script->driver = lua_newthread(lua);
    lua_rawsetp(lua, LUA_REGISTRYINDEX, &script_driver_place);
    script_world_open(lua);
    lua_rawsetp(lua, LUA_REGISTRYINDEX, &script_world_place);
    return 0;
}

void script_sandbox_open(struct script *script)
{
    script->lua = lua_newstate(allocate, script);
    CHECK(script->lua != NULL);
    *(struct script **)lua_getextraspace(script->lua) = script;
    lua_gc(script->lua, LUA_GCSTOP);
    lua_pushcfunction(script->lua, open_sandbox);
    CHECK(lua_pcall(script->lua, 0, 0, 0) == LUA_OK);
    lua_sethook(script->caller, on_count, LUA_MASKCOUNT, STEPS_COUNTED);
    lua_sethook(script->driver, on_count, LUA_MASKCOUNT, STEPS_COUNTED);
}
