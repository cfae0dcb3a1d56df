/* string, table, math and utf8 as a scenario has them: what can take long is bounded by its worst
 * case, what would show an address is refused, and chance comes from the seed.
 */
#include "sim/script_inside.h"

#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>
#include <string.h>

enum { PATTERN_STEPS_A_STEP = 64 /* steps of a pattern that count as one instruction */ };

/* Call the stock function, upvalue 1, with all arguments. */
static int call_stock(lua_State *lua)
{
    lua_pushvalue(lua, lua_upvalueindex(1));
    lua_insert(lua, 1);
    lua_call(lua, lua_gettop(lua) - 1, LUA_MULTRET);
    return lua_gettop(lua);
}

/* With a stock library on top of the table that is made: put a function around the stock one. */
static void around(lua_State *lua, const char *name, lua_CFunction function)
{
    lua_getfield(lua, -1, name);
    lua_pushcclosure(lua, function, 1);
    lua_setfield(lua, -3, name);
}

static void keep(lua_State *lua, const char *const *names, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        lua_getfield(lua, -1, names[i]);
        lua_setfield(lua, -3, names[i]);
    }
}

/* ---- patterns -------------------------------------------------------------------------------- */

struct pattern {
    uint32_t repeats;  /* * + - : each splits the subject in one more place */
    uint32_t options;  /* ? : each doubles the ways */
    uint32_t searches; /* %b and %1: each may look through the subject */
};

/* Past a set; `at` is behind its '['. */
static size_t skip_set(const char *text, size_t bytes, size_t at)
{
    at += at < bytes && text[at] == '^';
    at += at < bytes && text[at] == ']';
    while (at < bytes && text[at] != ']') {
        at += text[at] == '%' ? 2 : 1;
    }
    return at + 1;
}

static struct pattern pattern_of(const char *text, size_t bytes)
{
    struct pattern pattern = {0};
    for (size_t at = 0; at < bytes;) {
        const char next = at + 1 < bytes ? text[at + 1] : '\0';
        if (text[at] == '%') {
            pattern.searches += next == 'b' || (next >= '0' && next <= '9');
            at += next == 'b' ? 4 : 2;
        } else if (text[at] == '[') {
            at = skip_set(text, bytes, at + 1);
        } else {
            pattern.options += text[at] == '?';
            pattern.repeats += text[at] == '*' || text[at] == '+' || text[at] == '-';
            at++;
        }
    }
    return pattern;
}

#define WAYS_MAX (UINT64_C(1) << 40) /* and once there, it stays there */

static uint64_t bounded_product(uint64_t left, uint64_t right)
{
    return left >= WAYS_MAX / right ? WAYS_MAX : left * right;
}

/* The most steps that matching can take: `k` repeats and a free start choose k + 1 places in n
 * bytes, in order. */
static uint64_t pattern_steps(const struct pattern *pattern, bool anchored, size_t subject_bytes,
                              size_t pattern_bytes)
{
    uint64_t ways = 1;
    const uint32_t places = pattern->repeats + (anchored ? 0 : 1);
    for (uint32_t i = 1; i <= places && ways < WAYS_MAX; i++) {
        ways = bounded_product(ways, subject_bytes + i);
        ways = ways == WAYS_MAX ? ways : ways / i;
    }
    for (uint32_t i = 0; i < pattern->options; i++) {
        ways = bounded_product(ways, 2);
    }
    for (uint32_t i = 0; i < pattern->searches; i++) {
        ways = bounded_product(ways, subject_bytes + 1);
    }
    return bounded_product(ways, pattern_bytes + 1);
}

static void charge_pattern(lua_State *lua, bool plain, bool may_anchor)
{
    size_t subject_bytes, pattern_bytes;
    luaL_checklstring(lua, 1, &subject_bytes);
    const char *text = luaL_checklstring(lua, 2, &pattern_bytes);
    const struct pattern pattern = plain ? (struct pattern){0} : pattern_of(text, pattern_bytes);
    const uint64_t steps =
        pattern_steps(&pattern, may_anchor && text[0] == '^', subject_bytes, pattern_bytes);
    if (steps > SCRIPT_PATTERN_STEPS_MAX) {
        luaL_error(lua,
                   "a pattern with %d repeats and options on %d bytes may take for ever; anchor it "
                   "with ^, use fewer, or string.find(text, part, 1, true)",
                   (int)(pattern.repeats + pattern.options), (int)subject_bytes);
    }
    script_charge(lua, steps / PATTERN_STEPS_A_STEP);
}

static int string_find(lua_State *lua)
{
    charge_pattern(lua, lua_toboolean(lua, 4) != 0, true);
    return call_stock(lua);
}

static int string_match(lua_State *lua)
{
    charge_pattern(lua, false, true);
    return call_stock(lua);
}

static int string_gmatch(lua_State *lua)
{
    charge_pattern(lua, false, false);
    return call_stock(lua);
}

/* ---- string ---------------------------------------------------------------------------------- */

static int string_rep(lua_State *lua)
{
    size_t bytes, between_bytes;
    luaL_checklstring(lua, 1, &bytes);
    const lua_Integer times = luaL_checkinteger(lua, 2);
    luaL_optlstring(lua, 3, "", &between_bytes);
    const size_t each = bytes + between_bytes;
    if (times > 0 && each > 0 && (uint64_t)times > SCRIPT_STRING_BYTES_MAX / each) {
        return luaL_error(lua, "string.rep would make more than %d bytes; repeat less often",
                          (int)SCRIPT_STRING_BYTES_MAX);
    }
    if (times > 0 && each == 0) { /* nothing, very often */
        lua_pushliteral(lua, "");
        return 1;
    }
    return call_stock(lua);
}

/* %s of a table would show its address, and %p is one. */
static int string_format(lua_State *lua)
{
    const char *format = luaL_checkstring(lua, 1);
    int argument = 1;
    for (const char *at = format; (at = strchr(at, '%')) != NULL; at++) {
        at += 1 + strspn(at + 1, "-+ #0123456789.");
        if (*at == '%') {
            continue;
        }
        if (*at == 'p') {
            return luaL_error(lua, "string.format: %%p is an address, and changes from run to run; "
                                   "give things names of your own");
        }
        luaL_checkany(lua, ++argument);
        if (*at == 's') {
            script_text(lua, argument);
            lua_replace(lua, argument);
        }
        if (*at == '\0') {
            break;
        }
    }
    return call_stock(lua);
}

void script_string_open(lua_State *lua)
{
    static const char *const kept[] = {"byte", "char", "len", "lower", "reverse", "sub", "upper"};
    lua_newtable(lua);
    lua_pushcfunction(lua, luaopen_string);
    lua_call(lua, 0, 1);
    keep(lua, kept, sizeof kept / sizeof kept[0]);
    around(lua, "find", string_find);
    around(lua, "format", string_format);
    around(lua, "gmatch", string_gmatch);
    around(lua, "gsub", string_match);
    around(lua, "match", string_match);
    around(lua, "rep", string_rep);
    lua_pop(lua, 1);
    /* ("x"):rep(3) finds its methods here. */
    lua_pushliteral(lua, "");
    lua_getmetatable(lua, -1);
    lua_pushvalue(lua, -3);
    lua_setfield(lua, -2, "__index");
    lua_pushboolean(lua, false);
    lua_setfield(lua, -2, "__metatable");
    lua_pop(lua, 2);
}

/* ---- table ----------------------------------------------------------------------------------- */

static void charge_table(lua_State *lua)
{
    luaL_checktype(lua, 1, LUA_TTABLE);
    const lua_Integer count = luaL_len(lua, 1);
    script_charge(lua, count < 0 ? 0 : (uint64_t)count);
}

static int table_whole(lua_State *lua)
{
    charge_table(lua);
    return call_stock(lua);
}

static int table_insert(lua_State *lua)
{
    luaL_checktype(lua, 1, LUA_TTABLE);
    if (lua_gettop(lua) > 2) {
        charge_table(lua);
    }
    return call_stock(lua);
}

static int table_remove(lua_State *lua)
{
    luaL_checktype(lua, 1, LUA_TTABLE);
    if (lua_gettop(lua) > 1) {
        charge_table(lua);
    }
    return call_stock(lua);
}

static int table_move(lua_State *lua)
{
    luaL_checktype(lua, 1, LUA_TTABLE);
    const lua_Integer first = luaL_checkinteger(lua, 2), last = luaL_checkinteger(lua, 3);
    luaL_checkinteger(lua, 4);
    if (last >= first) {
        script_charge(lua, (uint64_t)last - (uint64_t)first);
    }
    return call_stock(lua);
}

void script_table_open(lua_State *lua)
{
    static const char *const kept[] = {"pack"};
    lua_newtable(lua);
    lua_pushcfunction(lua, luaopen_table);
    lua_call(lua, 0, 1);
    keep(lua, kept, sizeof kept / sizeof kept[0]);
    around(lua, "concat", table_whole);
    around(lua, "insert", table_insert);
    around(lua, "move", table_move);
    around(lua, "remove", table_remove);
    around(lua, "unpack", table_whole);
    lua_pop(lua, 1);
    lua_pushcfunction(lua, script_sort);
    lua_setfield(lua, -2, "sort");
}

/* ---- math ------------------------------------------------------------------------------------ */

/* As math.random: none, (high), (low, high), and (0) for all bits. */
int script_random(lua_State *lua, int first)
{
    struct random_stream *stream = &script_of(lua)->random;
    lua_Integer low = 1, high;
    switch (lua_gettop(lua) - first + 1) {
    case 0:
        lua_pushnumber(lua, (double)(random_next(stream) >> 11) * 0x1p-53);
        return 1;
    case 1:
        high = luaL_checkinteger(lua, first);
        if (high == 0) {
            lua_pushinteger(lua, (lua_Integer)random_next(stream));
            return 1;
        }
        break;
    default:
        low = luaL_checkinteger(lua, first);
        high = luaL_checkinteger(lua, first + 1);
    }
    luaL_argcheck(lua, low <= high, lua_gettop(lua), "interval is empty");
    const uint64_t span = (uint64_t)high - (uint64_t)low;
    lua_pushinteger(lua, (lua_Integer)((uint64_t)low + random_between(stream, 0, span)));
    return 1;
}

static int math_random(lua_State *lua)
{
    return script_random(lua, 1);
}

static int math_randomseed(lua_State *lua)
{
    return luaL_error(lua, "chance comes from the seed of the run; choose that with --seed");
}

/* No sin, exp or log: their last digits differ from machine to machine. */
void script_math_open(lua_State *lua)
{
    static const char *const kept[] = {"abs",  "ceil",       "floor", "fmod",       "huge",
                                       "max",  "maxinteger", "min",   "mininteger", "modf",
                                       "sqrt", "tointeger",  "type",  "ult"};
    lua_newtable(lua);
    lua_pushcfunction(lua, luaopen_math);
    lua_call(lua, 0, 1);
    keep(lua, kept, sizeof kept / sizeof kept[0]);
    lua_pop(lua, 1);
    lua_pushcfunction(lua, math_random);
    lua_setfield(lua, -2, "random");
    lua_pushcfunction(lua, math_randomseed);
    lua_setfield(lua, -2, "randomseed");
}

void script_utf8_open(lua_State *lua)
{
    lua_pushcfunction(lua, luaopen_utf8);
    lua_call(lua, 0, 1);
}
