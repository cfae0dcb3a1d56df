/* Tables in an order that is the same in every run. Lua's own walk follows hashes, which follow
 * addresses; its own sort draws its pivot from the clock.
 */
#include "sim/script_inside.h"

#include <lauxlib.h>
#include <lua.h>
#include <stdlib.h>
#include <string.h>

struct key {
    int type;
    bool is_integer;
    int64_t integer; /* also false and true */
    double number;
    const char *text; /* borrowed from the table that is walked */
    size_t text_bytes;
};

static int compare_integers(int64_t left, int64_t right)
{
    return left < right ? -1 : left > right;
}

/* Exact: an integer against a number that is none. */
static int compare_mixed(int64_t integer, double number)
{
    if (number >= 0x1p63) {
        return -1;
    }
    if (number < -0x1p63) {
        return 1;
    }
    const int64_t whole = (int64_t)number;
    if (integer != whole) {
        return integer < whole ? -1 : 1;
    }
    const double rest = number - (double)whole;
    return rest > 0 ? -1 : rest < 0;
}

static int compare_numbers(const struct key *left, const struct key *right)
{
    if (left->is_integer && right->is_integer) {
        return compare_integers(left->integer, right->integer);
    }
    if (left->is_integer) {
        return compare_mixed(left->integer, right->number);
    }
    if (right->is_integer) {
        return -compare_mixed(right->integer, left->number);
    }
    return left->number < right->number ? -1 : left->number > right->number;
}

/* LUA_TNUMBER < LUA_TSTRING, and booleans come last. */
static int compare_keys(const struct key *left, const struct key *right)
{
    if (left->type != right->type) {
        const int left_rank = left->type == LUA_TBOOLEAN ? LUA_TSTRING + 1 : left->type;
        const int right_rank = right->type == LUA_TBOOLEAN ? LUA_TSTRING + 1 : right->type;
        return left_rank < right_rank ? -1 : 1;
    }
    if (left->type == LUA_TNUMBER) {
        return compare_numbers(left, right);
    }
    if (left->type == LUA_TBOOLEAN) {
        return compare_integers(left->integer, right->integer);
    }
    const size_t shared =
        left->text_bytes < right->text_bytes ? left->text_bytes : right->text_bytes;
    const int order = memcmp(left->text, right->text, shared);
    return order != 0 ? order
                      : compare_integers((int64_t)left->text_bytes, (int64_t)right->text_bytes);
}

static int compare_for_qsort(const void *left, const void *right)
{
    return compare_keys(left, right);
}

/* The key at `index`, without changing it (as lua_tolstring would a number). */
static struct key key_at(lua_State *lua, int index)
{
    struct key key = {.type = lua_type(lua, index)};
    switch (key.type) {
    case LUA_TNUMBER:
        key.is_integer = lua_isinteger(lua, index);
        key.integer = key.is_integer ? lua_tointeger(lua, index) : 0;
        key.number = key.is_integer ? 0 : lua_tonumber(lua, index);
        break;
    case LUA_TSTRING:
        key.text = lua_tolstring(lua, index, &key.text_bytes);
        break;
    case LUA_TBOOLEAN:
        key.integer = lua_toboolean(lua, index);
        break;
    default:
        luaL_error(lua,
                   "a table with a %s as key has no order to be walked in; use numbers, texts or "
                   "booleans as keys",
                   luaL_typename(lua, index));
    }
    return key;
}

static void push_key(lua_State *lua, const struct key *key)
{
    switch (key->type) {
    case LUA_TNUMBER:
        if (key->is_integer) {
            lua_pushinteger(lua, key->integer);
        } else {
            lua_pushnumber(lua, key->number);
        }
        break;
    case LUA_TSTRING:
        lua_pushlstring(lua, key->text, key->text_bytes);
        break;
    default:
        lua_pushboolean(lua, (int)key->integer);
    }
}

void script_keys(lua_State *lua, int index)
{
    size_t count = 0, at = 0;
    index = lua_absindex(lua, index);
    luaL_checkstack(lua, 8, NULL);
    for (lua_pushnil(lua); lua_next(lua, index) != 0; lua_pop(lua, 1)) {
        count++;
    }
    script_charge(lua, 4 * count);
    struct key *keys = lua_newuserdatauv(lua, (count + 1) * sizeof *keys, 0);
    for (lua_pushnil(lua); lua_next(lua, index) != 0; lua_pop(lua, 1)) {
        keys[at++] = key_at(lua, -2);
    }
    qsort(keys, count, sizeof *keys, compare_for_qsort);
    lua_createtable(lua, (int)count, 0);
    for (size_t i = 0; i < count; i++) {
        push_key(lua, &keys[i]);
        lua_rawseti(lua, -2, (lua_Integer)i + 1);
    }
    lua_remove(lua, -2);
}

/* The least key above the one given: it need not be in the table any more. */
int script_next(lua_State *lua)
{
    struct key least = {.type = LUA_TNIL};
    size_t count = 0;
    luaL_checktype(lua, 1, LUA_TTABLE);
    lua_settop(lua, 2);
    const bool first = lua_isnil(lua, 2);
    const struct key given = first ? least : key_at(lua, 2);
    for (lua_pushnil(lua); lua_next(lua, 1) != 0; lua_pop(lua, 1)) {
        const struct key key = key_at(lua, -2);
        count++;
        if ((first || compare_keys(&key, &given) > 0) &&
            (least.type == LUA_TNIL || compare_keys(&key, &least) < 0)) {
            least = key;
        }
    }
    script_charge(lua, count);
    if (least.type == LUA_TNIL) {
        lua_pushnil(lua);
        return 1;
    }
    push_key(lua, &least);
    lua_pushvalue(lua, -1);
    lua_rawget(lua, 1);
    return 2;
}

/* Upvalues: the table, its keys in order, how many were seen. What was removed meanwhile is left
 * out; what was added is not seen. */
static int step_pairs(lua_State *lua)
{
    lua_Integer at = lua_tointeger(lua, lua_upvalueindex(3));
    for (;;) {
        lua_settop(lua, 0);
        if (lua_rawgeti(lua, lua_upvalueindex(2), ++at) == LUA_TNIL) {
            return 1;
        }
        lua_pushvalue(lua, -1);
        if (lua_rawget(lua, lua_upvalueindex(1)) != LUA_TNIL) {
            lua_pushinteger(lua, at);
            lua_replace(lua, lua_upvalueindex(3));
            return 2;
        }
    }
}

int script_pairs(lua_State *lua)
{
    luaL_checkany(lua, 1);
    if (luaL_getmetafield(lua, 1, "__pairs") != LUA_TNIL) {
        lua_pushvalue(lua, 1);
        lua_call(lua, 1, 3);
        return 3;
    }
    luaL_checktype(lua, 1, LUA_TTABLE);
    lua_pushvalue(lua, 1);
    script_keys(lua, 1);
    lua_pushinteger(lua, 0);
    lua_pushcclosure(lua, step_pairs, 3);
    lua_pushvalue(lua, 1);
    lua_pushnil(lua);
    return 3;
}

/* ---- sorting --------------------------------------------------------------------------------- */

enum { SORT_TABLE = 1, SORT_ORDER = 2, SORT_FROM = 3, SORT_TO = 4 };

/* Are the values at -1 and -2 such that the upper belongs before the lower? */
static bool top_is_less(lua_State *lua)
{
    if (lua_isnil(lua, SORT_ORDER)) {
        return lua_compare(lua, -1, -2, LUA_OPLT) != 0;
    }
    lua_pushvalue(lua, SORT_ORDER);
    lua_pushvalue(lua, -2);
    lua_pushvalue(lua, -4);
    lua_call(lua, 2, 1);
    const bool less = lua_toboolean(lua, -1) != 0;
    lua_pop(lua, 1);
    return less;
}

/* Merge from[left..middle) and from[middle..right) into to[left..right). On equal terms the left
 * one goes first, so the sort is stable; and whatever the order function says, the merge ends. */
static void merge(lua_State *lua, lua_Integer left, lua_Integer middle, lua_Integer right)
{
    lua_Integer low = left, high = middle;
    for (lua_Integer at = left; at < right; at++) {
        bool take_high = low == middle;
        if (low < middle && high < right) {
            lua_rawgeti(lua, SORT_FROM, low);
            lua_rawgeti(lua, SORT_FROM, high);
            take_high = top_is_less(lua);
            lua_pop(lua, 2);
        }
        lua_rawgeti(lua, SORT_FROM, take_high ? high++ : low++);
        lua_rawseti(lua, SORT_TO, at);
    }
}

static void swap_tables(lua_State *lua)
{
    lua_pushvalue(lua, SORT_FROM);
    lua_copy(lua, SORT_TO, SORT_FROM);
    lua_replace(lua, SORT_TO);
}

int script_sort(lua_State *lua)
{
    luaL_checktype(lua, 1, LUA_TTABLE);
    if (!lua_isnoneornil(lua, 2)) {
        luaL_checktype(lua, 2, LUA_TFUNCTION);
    }
    lua_settop(lua, 2);
    const lua_Integer count = luaL_len(lua, 1);
    script_charge(lua, count < 0 ? 0 : (uint64_t)count);
    lua_newtable(lua);
    lua_newtable(lua);
    for (lua_Integer i = 1; i <= count; i++) {
        lua_geti(lua, SORT_TABLE, i);
        lua_rawseti(lua, SORT_FROM, i);
    }
    for (lua_Integer width = 1; width < count; width *= 2) {
        script_charge(lua, 4 * (uint64_t)count);
        for (lua_Integer left = 1; left <= count; left += 2 * width) {
            const lua_Integer end = count + 1;
            const lua_Integer middle = left + width < end ? left + width : end;
            const lua_Integer right = left + 2 * width < end ? left + 2 * width : end;
            merge(lua, left, middle, right);
        }
        swap_tables(lua);
    }
    for (lua_Integer i = 1; i <= count; i++) {
        lua_rawgeti(lua, SORT_FROM, i);
        lua_seti(lua, SORT_TABLE, i);
    }
    return 0;
}
